//! Counts of what happened, by row and segment, and as they stood at the end of every window. Knows no times.

use core::ops::{AddAssign, Range};

use squall_model::observation::Failure;
use squall_policies::Outcome;

use crate::changes::Counts;

/// Counts of one kind for a table of things.
#[derive(Clone, Debug)]
pub(crate) struct Tallies<T> {
    /// By row, then segment.
    cells: Vec<Cell<T>>,
    segments: usize,
}

/// The counts of a row in one segment, and where else its figures go, so that one look finds all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<T> {
    pub(crate) count: T,
    /// The slot of its usual histogram.
    pub(crate) slot: u32,
    /// The row it is a part of elsewhere: an endpoint's service.
    pub(crate) owner: u32,
}

impl<T: Copy + Default + AddAssign> Tallies<T> {
    /// `slot` and `owner` say where else the figures of a row and segment, or of a row, go.
    pub(crate) fn new(
        rows: usize,
        segments: usize,
        slot: impl Fn(usize, usize) -> u32,
        owner: impl Fn(usize) -> u32,
    ) -> Self {
        let cell = |i| Cell { count: T::default(), slot: slot(i / segments, i % segments), owner: owner(i / segments) };
        Self { cells: (0..rows * segments).map(cell).collect(), segments }
    }

    /// The cell of a row in one segment.
    #[inline(always)]
    pub(crate) fn cell(&mut self, row: usize, segment: usize) -> &mut Cell<T> {
        &mut self.cells[row * self.segments + segment]
    }

    /// The counts of a row in one segment.
    #[inline(always)]
    pub(crate) fn at(&mut self, row: usize, segment: usize) -> &mut T {
        &mut self.cell(row, segment).count
    }

    /// The counts of some rows over some segments.
    pub(crate) fn over(&self, rows: Range<usize>, segments: Range<usize>) -> T {
        let mut sum = T::default();
        for row in rows {
            for cell in &self.cells[row * self.segments..][segments.clone()] {
                sum += cell.count;
            }
        }
        sum
    }

    /// The counts of some rows over the whole run.
    pub(crate) fn whole(&self, rows: Range<usize>) -> T {
        self.over(rows, 0..self.segments)
    }

    /// How many rows there are.
    pub(crate) const fn rows(&self) -> usize {
        self.cells.len() / self.segments
    }

    /// Each segment's counts of one row.
    pub(crate) fn segments(&self, row: usize) -> impl Iterator<Item = &T> {
        self.cells[row * self.segments..(row + 1) * self.segments].iter().map(|cell| &cell.count)
    }
}

/// The status of an error that comes from further down.
const FAILED_CALLEE: u16 = 502;

/// How requests ended that did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Failures {
    pub(crate) timeout: u64,
    /// Turned away for want of room, or by a rate limit.
    pub(crate) rejected: u64,
    pub(crate) breaker_open: u64,
    pub(crate) error: u64,
    pub(crate) refused: u64,
    /// Given up by whoever asked.
    pub(crate) cancelled: u64,
}

impl Failures {
    pub(crate) const fn total(&self) -> u64 {
        self.timeout + self.rejected + self.breaker_open + self.error + self.refused + self.cancelled
    }
}

/// What became of requests at an endpoint, or of a user's requests at a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) admitted: u64,
    pub(crate) queued: u64,
    pub(crate) turned_away: u64,
    /// Left the queue without a worker, and not because they were taken back.
    pub(crate) shed: u64,
    pub(crate) hung: u64,
    pub(crate) ok: u64,
    pub(crate) degraded: u64,
    pub(crate) failures: Failures,
    /// Of the errors, those that do not say (by status 502) that something further down has failed.
    pub(crate) own_errors: u64,
}

impl Requests {
    pub(crate) const fn arrived(&self) -> u64 {
        self.admitted + self.queued + self.turned_away + self.hung
    }

    pub(crate) const fn succeeded(&self) -> u64 {
        self.ok + self.degraded
    }

    /// How many are still there.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.arrived() - self.rejected() - self.ended()
    }

    /// How many were not served for want of room or time.
    pub(crate) const fn rejected(&self) -> u64 {
        self.turned_away + self.shed
    }

    /// How many were begun and came to an end.
    pub(crate) const fn ended(&self) -> u64 {
        self.succeeded() + self.failures.total()
    }

    #[inline(always)]
    pub(crate) const fn end(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Degraded => &mut self.degraded,
            Outcome::Error(status) => {
                self.own_errors += (status != FAILED_CALLEE) as u64;
                &mut self.failures.error
            }
            Outcome::Timeout => &mut self.failures.timeout,
            Outcome::Refused => &mut self.failures.refused,
            Outcome::Rejected | Outcome::RateLimited => &mut self.failures.rejected,
            Outcome::BreakerOpen => &mut self.failures.breaker_open,
            Outcome::Cancelled => &mut self.failures.cancelled,
        };
        *count += 1;
    }
}

/// What became of calls, and of their attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) begun: u64,
    pub(crate) retries: u64,
    pub(crate) ok: u64,
    pub(crate) degraded: u64,
    pub(crate) failed: u64,
    /// Nanoseconds from the first attempt to the failure, of all that failed.
    pub(crate) failed_time: u64,
    pub(crate) budget_refused: u64,
    pub(crate) failures: Failures,
    pub(crate) bulkhead_full: u64,
    pub(crate) pool_full: u64,
    pub(crate) rate_limited: u64,
    pub(crate) throttled: u64,
    pub(crate) no_replica: u64,
    pub(crate) hedges: u64,
    pub(crate) cancelled: u64,
}

impl Calls {
    pub(crate) const fn attempts(&self) -> u64 {
        self.begun + self.retries
    }

    /// How many attempts were answered by the callee while their caller still waited: those that failed so, and of
    /// those that did not fail the ones that ended a call. A back-off that is under way counts as an answer until its
    /// retry is sent.
    pub(crate) const fn taken(&self) -> i64 {
        let failures = &self.failures;
        let failed = failures.total() + self.bulkhead_full + self.no_replica;
        // Every failed attempt was followed by a retry, or failed its call, or was made good by a fallback.
        let made_good = failed as i64 - self.retries as i64 - self.failed as i64;
        let full = (self.ok + self.degraded) as i64 - made_good;
        full + (failures.error + failures.rejected) as i64
    }

    #[inline(always)]
    pub(crate) const fn end(&mut self, outcome: Outcome, took: u64) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Degraded => self.degraded += 1,
            _ => {
                self.failed += 1;
                self.failed_time = self.failed_time.saturating_add(took);
            }
        }
    }

    /// An attempt failed.
    #[inline(always)]
    pub(crate) const fn fail(&mut self, failure: Failure) {
        let outcome = match failure {
            Failure::Callee(outcome) => outcome,
            Failure::BudgetRefused(outcome) => {
                self.budget_refused += 1;
                outcome
            }
            Failure::Deadline => Outcome::Timeout,
            Failure::BreakerOpen => Outcome::BreakerOpen,
            Failure::BulkheadFull => {
                self.bulkhead_full += 1;
                return;
            }
            Failure::PoolFull => {
                self.pool_full += 1;
                return;
            }
            Failure::RateLimited => {
                self.rate_limited += 1;
                return;
            }
            Failure::Throttled => {
                self.throttled += 1;
                return;
            }
            Failure::NoReplica => {
                self.no_replica += 1;
                return;
            }
        };
        let count = match outcome {
            Outcome::Timeout => &mut self.failures.timeout,
            Outcome::Rejected | Outcome::RateLimited => &mut self.failures.rejected,
            Outcome::BreakerOpen => &mut self.failures.breaker_open,
            Outcome::Refused => &mut self.failures.refused,
            Outcome::Error(_) | Outcome::Ok | Outcome::Degraded | Outcome::Cancelled => &mut self.failures.error,
        };
        *count += 1;
    }
}

/// What looks into a cache found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Looks {
    pub(crate) hits: u64,
    pub(crate) absent: u64,
    pub(crate) expired: u64,
    pub(crate) failed: u64,
}

impl Looks {
    /// All that got an answer.
    pub(crate) const fn answered(&self) -> u64 {
        self.hits + self.absent + self.expired
    }
}

/// Messages put on a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Publishings {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
}

/// How attempts came to their connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pools {
    pub(crate) opened: u64,
    pub(crate) reused: u64,
    pub(crate) waited: u64,
}

/// What became of queries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Queries {
    pub(crate) started: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// Of the failed ones, those that waited too long for a connection.
    pub(crate) timeouts: u64,
}

macro_rules! add_fields {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)*
            }
        }

        impl core::ops::Sub for $name {
            type Output = Self;
            fn sub(self, earlier: Self) -> Self {
                Self { $($field: self.$field - earlier.$field),* }
            }
        }

        impl Counts for $name {
            #[inline(always)]
            fn each(&mut self, see: &mut impl FnMut(&mut u64)) {
                $(self.$field.each(see);)*
            }
        }
    )*};
}

add_fields! {
    Failures { timeout, rejected, breaker_open, error, refused, cancelled }
    Requests { admitted, queued, turned_away, shed, hung, ok, degraded, failures, own_errors }
    Calls {
        begun, retries, ok, degraded, failed, failed_time, budget_refused, failures, bulkhead_full, pool_full,
        rate_limited, throttled, no_replica, hedges, cancelled
    }
    Queries { started, ok, failed, timeouts }
    Looks { hits, absent, expired, failed }
    Publishings { ok, failed }
    Pools { opened, reused, waited }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: [Outcome; 8] = [
        Outcome::Error(500),
        Outcome::Error(404),
        Outcome::Timeout,
        Outcome::Refused,
        Outcome::Rejected,
        Outcome::RateLimited,
        Outcome::BreakerOpen,
        Outcome::Cancelled,
    ];

    #[test]
    fn every_outcome_of_a_request_is_counted_once() {
        let mut requests = Requests::default();
        for outcome in [Outcome::Ok, Outcome::Degraded].into_iter().chain(FAILED) {
            requests.end(outcome);
        }
        let failures = Failures { timeout: 1, rejected: 2, breaker_open: 1, error: 2, refused: 1, cancelled: 1 };
        assert_eq!(requests, Requests { ok: 1, degraded: 1, failures, own_errors: 2, ..Requests::default() });
        assert_eq!((requests.ended(), requests.succeeded()), (10, 2));
    }

    #[test]
    fn every_failure_of_an_attempt_is_counted_under_its_reason() {
        let mut calls = Calls::default();
        for outcome in FAILED.into_iter().filter(|outcome| *outcome != Outcome::Cancelled) {
            calls.fail(Failure::Callee(outcome));
        }
        let own = [Failure::BreakerOpen, Failure::BulkheadFull, Failure::NoReplica, Failure::Deadline];
        let limits = [Failure::PoolFull, Failure::RateLimited, Failure::Throttled];
        for failure in own.into_iter().chain(limits).chain([Failure::BudgetRefused(Outcome::Timeout)]) {
            calls.fail(failure);
        }
        let failures = Failures { timeout: 3, rejected: 2, breaker_open: 2, error: 2, refused: 1, cancelled: 0 };
        let limits = Calls { pool_full: 1, rate_limited: 1, throttled: 1, ..Calls::default() };
        let own = Calls { bulkhead_full: 1, no_replica: 1, ..limits };
        let expected = Calls { failures, budget_refused: 1, ..own };
        assert_eq!(calls, expected);
    }

    #[test]
    fn counts_are_summed_over_rows_and_segments() {
        let mut tallies = Tallies::<Queries>::new(3, 4, |_, _| 0, |_| 0);
        for row in 0..3 {
            for segment in 0..4 {
                tallies.at(row, segment).started += 1 << (row * 4 + segment);
            }
        }
        assert_eq!(tallies.over(1..3, 1..3).started, 0b0110_0110_0000);
        assert_eq!(tallies.whole(0..1).started, 0b1111);
        assert_eq!(tallies.segments(2).nth(3).map(|queries| queries.started), Some(1 << 11));
    }
}
