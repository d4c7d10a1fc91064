//! Rate limits: how many calls a span of time may see. One kind a file. Who may wait is told until when; the waiting is
//! the caller's.

mod aws_adaptive;
mod resilience4j;
mod sre;
mod token_bucket;

pub use aws_adaptive::AwsAdaptive;
pub use resilience4j::{Resilience4j, Resilience4jConfig};
pub use sre::{Sre, SreConfig};
pub use token_bucket::{TokenBucket, TokenBucketConfig};

use crate::SimTime;
use crate::check::Invalid;

/// The answer to a call that wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may, at once.
    Go,
    /// It may at that time; its permit is reserved.
    WaitUntil(SimTime),
    /// It may not yet, and nothing is reserved: ask again then.
    AskAgainAt(SimTime),
    /// It may not, and learns so at that time.
    RefusedAt(SimTime),
}

/// Which rate limit, with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimiterConfig {
    /// A token bucket.
    TokenBucket(TokenBucketConfig),
    /// resilience4j's cycles.
    Resilience4j(Resilience4jConfig),
}

impl LimiterConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::TokenBucket(config) => config.check(),
            Self::Resilience4j(config) => config.check(),
        }
    }
}

/// A rate limit of any kind.
#[derive(Clone, Debug)]
pub enum Limiter {
    /// A token bucket.
    TokenBucket(TokenBucket),
    /// resilience4j's cycles.
    Resilience4j(Resilience4j),
}

impl Limiter {
    /// A limiter made at `now`.
    pub fn new(config: &LimiterConfig, now: SimTime) -> Self {
        match *config {
            LimiterConfig::TokenBucket(config) => Self::TokenBucket(TokenBucket::new(config)),
            LimiterConfig::Resilience4j(config) => Self::Resilience4j(Resilience4j::new(config, now)),
        }
    }

    /// Permission for one call.
    #[inline]
    pub fn acquire(&mut self, now: SimTime) -> Permission {
        match self {
            Self::TokenBucket(limiter) => limiter.acquire(now),
            Self::Resilience4j(limiter) => limiter.acquire(now, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    #[test]
    fn each_kind_names_its_own_value_out_of_range() {
        let table = [
            (LimiterConfig::TokenBucket(TokenBucketConfig { burst: 0, ..Default::default() }), Err("burst")),
            (LimiterConfig::TokenBucket(TokenBucketConfig::default()), Ok(())),
            (
                LimiterConfig::Resilience4j(Resilience4jConfig { limit_for_period: 0, ..Default::default() }),
                Err("limit_for_period"),
            ),
            (LimiterConfig::Resilience4j(Resilience4jConfig::default()), Ok(())),
        ];
        for (config, wanted) in table {
            assert_eq!(config.check().map_err(|invalid| invalid.field), wanted, "{config:?}");
        }
    }

    #[test]
    fn a_bucket_refuses_at_once_and_cycles_after_their_timeout() {
        let (now, timeout_duration) = (SimTime::ZERO, Span::from_millis(3));
        let cycles = Resilience4jConfig {
            limit_for_period: 1,
            limit_refresh_period: Span::from_secs(1),
            timeout_duration,
            ..Default::default()
        };
        let table = [
            (LimiterConfig::TokenBucket(TokenBucketConfig::default()), now),
            (LimiterConfig::Resilience4j(cycles), now + timeout_duration),
        ];
        for (config, refused) in table {
            let mut limiter = Limiter::new(&config, now);
            let answers = [limiter.acquire(now), limiter.acquire(now)];
            assert_eq!(answers, [Permission::Go, Permission::RefusedAt(refused)], "{config:?}");
        }
    }
}
