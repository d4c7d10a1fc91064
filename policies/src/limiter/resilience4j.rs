//! resilience4j's `AtomicRateLimiter` (master af9e7c9, May 2026): time in cycles, each with its permits, which may be
//! reserved ahead and so go below zero.

use super::Permission;
use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`Resilience4j`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resilience4jConfig {
    /// Permits a cycle. Default 50.
    pub limit_for_period: u32,
    /// Length of a cycle. Default 500 ns, which is no slip of the pen.
    pub limit_refresh_period: Span,
    /// How long a call may wait for its permits (`>=`). Default 5 s.
    pub timeout_duration: Span,
    /// Whether a refused call first sleeps the whole time-out, as the original's blocking calls do. Default: yes.
    pub blocking: bool,
}

impl Default for Resilience4jConfig {
    fn default() -> Self {
        Self {
            limit_for_period: 50,
            limit_refresh_period: Span::from_nanos(500),
            timeout_duration: Span::from_secs(5),
            blocking: true,
        }
    }
}

impl Resilience4jConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.limit_for_period >= 1, "limit_for_period", "at least 1")?;
        require(!self.limit_refresh_period.is_zero(), "limit_refresh_period", "at least 1ns")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Resilience4j {
    config: Resilience4jConfig,
    created: SimTime,
    cycle: u64,
    permits: i64,
}

impl Resilience4j {
    /// A limiter whose first cycle begins at `now` with all its permits.
    pub fn new(config: Resilience4jConfig, now: SimTime) -> Self {
        Self { config, created: now, cycle: 0, permits: i64::from(config.limit_for_period) }
    }

    /// Permission for a call that needs `n` permits.
    pub fn acquire(&mut self, now: SimTime, n: u32) -> Permission {
        self.refresh(now);
        let wait = self.wait(now, i64::from(n));
        let timeout = self.config.timeout_duration;
        if timeout >= wait {
            self.permits -= i64::from(n);
            return if wait.is_zero() { Permission::Go } else { Permission::WaitUntil(now + wait) };
        }
        Permission::RefusedAt(if self.config.blocking { now + timeout } else { now })
    }

    fn refresh(&mut self, now: SimTime) {
        let cycle = (now - self.created).as_nanos() / self.period();
        let elapsed = cycle.saturating_sub(self.cycle);
        let limit = i64::from(self.config.limit_for_period);
        let gained = i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_mul(limit);
        self.permits = self.permits.saturating_add(gained).min(limit);
        self.cycle += elapsed;
    }

    /// Time to the next cycle, and whole cycles beyond it for what even that one has not.
    fn wait(&self, now: SimTime, n: i64) -> Span {
        if self.permits >= n {
            return Span::ZERO;
        }
        let limit = i64::from(self.config.limit_for_period);
        let short = n - self.permits - limit;
        let full = if short > 0 { (short as u64).div_ceil(limit as u64) } else { 0 };
        let into_cycle = (now - self.created).as_nanos() - self.cycle * self.period();
        Span::from_nanos(self.period()) * full + Span::from_nanos(self.period() - into_cycle)
    }

    fn period(&self) -> u64 {
        self.config.limit_refresh_period.as_nanos().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    fn limiter(timeout: u64, blocking: bool) -> Resilience4j {
        let config = Resilience4jConfig {
            limit_for_period: 2,
            limit_refresh_period: Span::from_millis(100),
            timeout_duration: Span::from_millis(timeout),
            blocking,
        };
        Resilience4j::new(config, at(1_000))
    }

    #[test]
    fn permits_are_reserved_cycles_ahead_until_the_timeout() {
        let mut limiter = limiter(180, false);
        let permissions = [(); 7].map(|()| limiter.acquire(at(1_020), 1));
        let until = |ms| Permission::WaitUntil(at(ms));
        let refused = Permission::RefusedAt(at(1_020));
        assert_eq!(
            permissions,
            [Permission::Go, Permission::Go, until(1_100), until(1_100), until(1_200), until(1_200), refused]
        );
    }

    #[test]
    fn a_wait_that_equals_the_timeout_is_granted_and_one_longer_is_not() {
        for (timeout, granted) in [(80, true), (79, false)] {
            let mut limiter = limiter(timeout, false);
            limiter.acquire(at(1_020), 2);
            assert_eq!(limiter.acquire(at(1_020), 1) == Permission::WaitUntil(at(1_100)), granted, "{timeout}");
        }
    }

    #[test]
    fn a_blocking_call_learns_of_its_refusal_only_after_the_timeout() {
        let mut limiter = limiter(50, true);
        limiter.acquire(at(1_000), 2);
        assert_eq!(limiter.acquire(at(1_000), 1), Permission::RefusedAt(at(1_050)));
        assert_eq!(limiter.permits, 0, "a refused call takes nothing");
    }

    #[test]
    fn cycles_count_from_creation_and_save_nothing_up() {
        let mut limiter = limiter(0, false);
        assert_eq!(limiter.acquire(at(1_500), 2), Permission::Go);
        assert_ne!(limiter.acquire(at(1_599), 1), Permission::Go);
        assert_eq!(limiter.acquire(at(1_600), 2), Permission::Go);
        assert_ne!(limiter.acquire(at(1_600), 1), Permission::Go);
    }

    #[test]
    fn many_permits_at_once_wait_for_as_many_whole_cycles() {
        // 2 are there; 7 need 5 more: 2 of the next cycle, and 3 of the two after it.
        assert_eq!(limiter(1_000, false).acquire(at(1_030), 7), Permission::WaitUntil(at(1_300)));
        assert_eq!(limiter(1_000, false).acquire(at(1_030), 4), Permission::WaitUntil(at(1_100)));
        assert_eq!(limiter(1_000, false).acquire(at(1_030), 5), Permission::WaitUntil(at(1_200)));
    }

    /// The rule as it is written down, in plain signed numbers: the wait, or none.
    fn by_the_book(state: &mut (i64, i64), now: i64, n: i64) -> Option<i64> {
        let (limit, period, timeout, created) = (3, 70, 180, 1_000);
        let (cycle, permits) = *state;
        let this = (now - created) / period;
        let there = if this > cycle { (permits + (this - cycle) * limit).min(limit) } else { permits };
        let short = n - there - limit;
        let full = if short > 0 { (short + limit - 1) / limit } else { 0 };
        let wait = if there >= n { 0 } else { full * period + created + (this + 1) * period - now };
        *state = (this, if timeout >= wait { there - n } else { there });
        (timeout >= wait).then_some(wait)
    }

    #[test]
    fn of_17_997_reservations_every_one_is_answered_by_the_book() {
        use crate::{Random as _, SplitMix64};
        let config = Resilience4jConfig {
            limit_for_period: 3,
            limit_refresh_period: Span::from_millis(70),
            timeout_duration: Span::from_millis(180),
            blocking: false,
        };
        let mut rng = SplitMix64::new(1);
        let (mut limiter, mut book, mut now) = (Resilience4j::new(config, at(1_000)), (0, 3), 1_000);
        let mut answers = [0; 3];
        for step in 0..17_997 {
            // Rushes, lulls, and gaps that end exactly with a cycle.
            now += [0, 0, 0, rng.below(30), rng.below(300), 70 - (now - 1_000) % 70][rng.below(6) as usize];
            let n = 1 + rng.below(4) as u32;
            let expected = match by_the_book(&mut book, now as i64, i64::from(n)) {
                Some(0) => Permission::Go,
                Some(wait) => Permission::WaitUntil(at(now + wait as u64)),
                None => Permission::RefusedAt(at(now)),
            };
            assert_eq!(limiter.acquire(at(now), n), expected, "reservation {step} of {n} at {now} ms");
            answers[match expected {
                Permission::Go => 0,
                Permission::WaitUntil(_) => 1,
                _ => 2,
            }] += 1;
        }
        assert!(answers.iter().all(|count| *count > 1_000), "all answers occur: {answers:?}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = Resilience4jConfig::default();
        let table = [
            (Resilience4jConfig { limit_for_period: 0, ..base }, "limit_for_period"),
            (Resilience4jConfig { limit_refresh_period: Span::ZERO, ..base }, "limit_refresh_period"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }

    proptest! {
        #[test]
        fn no_cycle_starts_more_calls_than_it_has_permits(gaps in prop::collection::vec(0u64..60, 1..200)) {
            let (mut limiter, mut now, mut starts) = (limiter(250, false), 1_000, vec![]);
            for gap in gaps {
                now += gap;
                match limiter.acquire(at(now), 1) {
                    Permission::Go => starts.push(at(now)),
                    Permission::WaitUntil(until) => starts.push(until),
                    _ => {}
                }
            }
            for cycle in 0..400 {
                let (from, to) = (at(1_000 + 100 * cycle), at(1_100 + 100 * cycle));
                prop_assert!(starts.iter().filter(|start| from <= **start && **start < to).count() <= 2);
            }
        }
    }
}
