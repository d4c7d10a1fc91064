//! Windows of call results: the last N calls, or the last N slices of time. They count; they decide nothing.

use crate::{Outcome, Outcomes, SimTime, Span};

/// What a window holds, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
}

impl Counts {
    /// One call.
    pub(crate) const fn one(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failed: failed as u32, slow: slow as u32 }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    pub(crate) fn remove(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// The last N calls, two bits in a byte each.
#[derive(Clone, Debug)]
pub(crate) struct LastCalls {
    marks: Box<[u8]>,
    next: usize,
    counts: Counts,
}

impl LastCalls {
    pub(crate) fn new(size: u32) -> Self {
        Self { marks: vec![0; size.max(1) as usize].into(), next: 0, counts: Counts::default() }
    }

    pub(crate) fn push(&mut self, call: Counts) {
        if self.counts.calls as usize == self.marks.len() {
            let oldest = self.marks[self.next];
            self.counts.remove(Counts::one(oldest & 1 != 0, oldest & 2 != 0));
        }
        self.marks[self.next] = call.failed as u8 | (call.slow as u8) << 1;
        self.counts.add(call);
        self.next += 1;
        if self.next == self.marks.len() {
            self.next = 0;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn clear(&mut self) {
        self.next = 0;
        self.counts = Counts::default();
    }
}

/// Equal slices of time on a grid: the current one and the N − 1 before it. The real span is thus more than N − 1 and
/// at most N slices, and hangs on where the grid begins.
#[derive(Clone, Debug)]
pub(crate) struct Slices {
    buckets: Box<[Counts]>,
    head: usize,
    /// Number of the slice at `head`, counted from the anchor.
    slice: u64,
    width: Span,
    anchor: SimTime,
    total: Counts,
}

impl Slices {
    pub(crate) fn new(slices: u32, width: Span, anchor: SimTime) -> Self {
        let buckets = vec![Counts::default(); slices.max(1) as usize].into();
        let width = width.max(Span::from_nanos(1));
        Self { buckets, head: 0, slice: 0, width, anchor, total: Counts::default() }
    }

    pub(crate) fn push(&mut self, now: SimTime, call: Counts) -> Counts {
        self.roll(now);
        self.buckets[self.head].add(call);
        self.total.add(call);
        self.total
    }

    /// What the window holds at `now`, without moving it.
    pub(crate) fn counts(&self, now: SimTime) -> Counts {
        let mut counts = self.total;
        for step in 1..=self.steps_to(self.slice_of(now)) {
            counts.remove(self.buckets[(self.head + step) % self.buckets.len()]);
        }
        counts
    }

    /// Moves the window to `now`; whether a new slice began.
    pub(crate) fn roll(&mut self, now: SimTime) -> bool {
        let slice = self.slice_of(now);
        for _ in 0..self.steps_to(slice) {
            self.head = if self.head + 1 == self.buckets.len() { 0 } else { self.head + 1 };
            self.total.remove(self.buckets[self.head]);
            self.buckets[self.head] = Counts::default();
        }
        let began = slice > self.slice;
        self.slice = self.slice.max(slice);
        began
    }

    /// What all slices but the current one hold, as of the last roll.
    pub(crate) fn closed(&self) -> Counts {
        let mut counts = self.total;
        counts.remove(self.buckets[self.head]);
        counts
    }

    /// When the current slice ends.
    pub(crate) fn next_slice(&self) -> SimTime {
        self.anchor + self.width * (self.slice + 1)
    }

    /// Whether the window holds nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.total.calls == 0
    }

    /// Forgets everything; the grid stays.
    pub(crate) fn clear(&mut self) {
        self.buckets.fill(Counts::default());
        self.total = Counts::default();
    }

    /// Forgets everything and begins a new grid.
    pub(crate) fn restart(&mut self, anchor: SimTime) {
        self.clear();
        (self.anchor, self.slice) = (anchor, 0);
    }

    fn slice_of(&self, now: SimTime) -> u64 {
        (now - self.anchor).as_nanos() / self.width.as_nanos()
    }

    /// How many buckets fall out until `slice`: all of them at most.
    fn steps_to(&self, slice: u64) -> usize {
        slice.saturating_sub(self.slice).min(self.buckets.len() as u64) as usize
    }
}

/// Which outcomes a breaker takes for failures, and which it does not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Success,
    Failure,
    Ignored,
}

/// Sorts an outcome: ignored comes first, then failure; what is neither is a success.
pub(crate) fn classify(outcome: Outcome, failures: Outcomes, ignored: Outcomes) -> Class {
    if ignored.contains(outcome) {
        Class::Ignored
    } else if failures.contains(outcome) {
        Class::Failure
    } else {
        Class::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_time_window_holds_the_current_second_and_the_ones_before_it() {
        let at = SimTime::from_nanos;
        let mut window = Slices::new(2, Span::from_secs(1), SimTime::ZERO);
        window.push(at(SECOND - 1), Counts::one(true, false));
        // 1 ns later the second changes; the first call leaves at 2 s, though it is only one second old.
        window.push(at(SECOND), Counts::one(false, true));
        assert_eq!(window.counts(at(2 * SECOND - 1)), Counts { calls: 2, failed: 1, slow: 1 });
        assert_eq!(window.counts(at(2 * SECOND)), Counts { calls: 1, failed: 0, slow: 1 });
        assert_eq!(window.counts(at(3 * SECOND)), Counts::default());
    }

    #[test]
    fn a_roll_says_whether_a_new_slice_began() {
        let mut window = Slices::new(2, Span::from_secs(1), SimTime::from_nanos(5));
        let table = [(5, false), (SECOND + 4, false), (SECOND + 5, true), (SECOND + 5, false), (9 * SECOND, true)];
        for (ns, began) in table {
            assert_eq!(window.roll(SimTime::from_nanos(ns)), began, "{ns}");
        }
        assert_eq!(window.next_slice(), SimTime::from_nanos(9 * SECOND + 5));
    }

    #[test]
    fn ignored_wins_over_failure_and_what_is_neither_succeeds() {
        let both = Outcomes::TIMEOUT | Outcomes::ERROR;
        let class = |outcome| classify(outcome, both, Outcomes::TIMEOUT);
        assert_eq!(class(Outcome::Timeout), Class::Ignored);
        assert_eq!(class(Outcome::Error(500)), Class::Failure);
        assert_eq!(class(Outcome::Refused), Class::Success);
    }

    proptest! {
        #[test]
        fn a_call_window_counts_its_last_calls(
            size in 1u32..12,
            calls in prop::collection::vec((any::<bool>(), any::<bool>()), 0..60),
        ) {
            let mut window = LastCalls::new(size);
            for end in 0..calls.len() {
                window.push(Counts::one(calls[end].0, calls[end].1));
                let last = &calls[(end + 1).saturating_sub(size as usize)..=end];
                let expected = Counts {
                    calls: last.len() as u32,
                    failed: last.iter().filter(|c| c.0).count() as u32,
                    slow: last.iter().filter(|c| c.1).count() as u32,
                };
                prop_assert_eq!(window.counts(), expected);
            }
        }

        #[test]
        fn a_time_window_counts_its_last_seconds(
            size in 1u32..6,
            gaps in prop::collection::vec((0u64..3 * SECOND, any::<bool>()), 1..40),
        ) {
            let mut window = Slices::new(size, Span::from_secs(1), SimTime::ZERO);
            let (mut now, mut calls) = (0, vec![]);
            for (gap, failed) in gaps {
                now += gap;
                calls.push((now / SECOND, failed));
                let counts = window.push(SimTime::from_nanos(now), Counts::one(failed, false));
                let live = calls.iter().filter(|c| c.0 + u64::from(size) > now / SECOND);
                prop_assert_eq!(counts.calls as usize, live.clone().count());
                prop_assert_eq!(counts.failed as usize, live.filter(|c| c.1).count());
                prop_assert_eq!(window.counts(SimTime::from_nanos(now)), counts);
            }
        }
    }
}
