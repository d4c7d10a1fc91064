//! A token bucket in exact integers: full at the start, so many permits a span, so many saved up. Kept as the time at
//! which it will be full again (the generic cell rate algorithm, which answers as a bucket does).

use super::Permission;
use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`TokenBucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucketConfig {
    /// Permits that come in each span `per`. Default 100.
    pub permits: u32,
    /// The span. Default 1 s.
    pub per: Span,
    /// Permits that may be saved up; the bucket starts with them. Default 1.
    pub burst: u32,
    /// How long a call may wait for its permit. Default 0: not at all.
    pub max_wait: Span,
}

impl Default for TokenBucketConfig {
    fn default() -> Self {
        Self { permits: 100, per: Span::from_secs(1), burst: 1, max_wait: Span::ZERO }
    }
}

impl TokenBucketConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.permits >= 1, "permits", "at least 1")?;
        require(!self.per.is_zero(), "per", "more than 0s")?;
        require(self.burst >= 1, "burst", "at least 1")
    }
}

/// The machine. Time is counted in nanoseconds divided by `permits`, so that nothing is rounded.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    config: TokenBucketConfig,
    full_at: u128,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(config: TokenBucketConfig) -> Self {
        Self { config, full_at: 0 }
    }

    /// A permit now, or later within `max_wait`, or not at all.
    pub fn acquire(&mut self, now: SimTime) -> Permission {
        let wait = self.wait(now);
        if wait > self.config.max_wait {
            return Permission::RefusedAt(now);
        }
        let cost = u128::from(self.config.per.as_nanos());
        self.full_at = self.full_at.max(self.fine(now)) + cost;
        if wait.is_zero() { Permission::Go } else { Permission::WaitUntil(now + wait) }
    }

    /// How long until the next permit, if nobody takes it before: whole nanoseconds, rounded up.
    pub fn wait(&self, now: SimTime) -> Span {
        let per = u128::from(self.config.per.as_nanos());
        let saved = per * u128::from(self.config.burst.max(1) - 1);
        let missing = self.full_at.saturating_sub(saved + self.fine(now));
        let ns = missing.div_ceil(u128::from(self.config.permits.max(1)));
        Span::from_nanos(ns.min(u128::from(u64::MAX)) as u64)
    }

    fn fine(&self, now: SimTime) -> u128 {
        u128::from(now.as_nanos()) * u128::from(self.config.permits.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ns: u64) -> SimTime {
        SimTime::from_nanos(ns)
    }

    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_rate_to_the_nanosecond() {
        let config = TokenBucketConfig { permits: 3, per: Span::from_secs(1), burst: 2, max_wait: Span::ZERO };
        let mut bucket = TokenBucket::new(config);
        let table = [
            (0, true),
            (0, true),
            (0, false),
            (333_333_333, false),
            (333_333_334, true),
            (666_666_666, false),
            (666_666_667, true),
            (1_000_000_000, true),
            (1_000_000_000, false),
        ];
        for (ns, admitted) in table {
            assert_eq!(bucket.acquire(at(ns)) == Permission::Go, admitted, "{ns}");
        }
    }

    #[test]
    fn whoever_may_wait_is_given_the_next_permits_in_turn() {
        let max_wait = Span::from_millis(20);
        let mut bucket = TokenBucket::new(TokenBucketConfig { max_wait, ..TokenBucketConfig::default() });
        let permissions = [(); 4].map(|()| bucket.acquire(at(0)));
        let until = |ms| Permission::WaitUntil(SimTime::ZERO + Span::from_millis(ms));
        assert_eq!(permissions, [Permission::Go, until(10), until(20), Permission::RefusedAt(at(0))]);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = TokenBucketConfig::default();
        let table = [
            (TokenBucketConfig { permits: 0, ..base }, "permits"),
            (TokenBucketConfig { per: Span::ZERO, ..base }, "per"),
            (TokenBucketConfig { burst: 0, ..base }, "burst"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }

    proptest! {
        #[test]
        fn no_span_of_time_sees_more_than_its_rate_and_one_burst(
            permits in 1u32..50,
            burst in 1u32..10,
            gaps in prop::collection::vec(0u64..100_000_000, 1..200),
        ) {
            let per = Span::from_secs(1);
            let config = TokenBucketConfig { permits, per, burst, max_wait: Span::ZERO };
            let (mut bucket, mut now, mut admitted) = (TokenBucket::new(config), 0u64, vec![]);
            for gap in gaps {
                now += gap;
                if bucket.acquire(at(now)) == Permission::Go {
                    admitted.push(now);
                }
            }
            for (i, first) in admitted.iter().enumerate() {
                for (j, last) in admitted.iter().enumerate().skip(i) {
                    let allowed = f64::from(burst) + (last - first) as f64 * f64::from(permits) / 1e9;
                    prop_assert!((j - i + 1) as f64 <= allowed + 1e-6);
                }
            }
        }
    }
}
