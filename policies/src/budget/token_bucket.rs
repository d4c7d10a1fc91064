//! A plain bucket of retry tokens: full at the start, filled by calls, successes and time, emptied by retries.

use crate::check::{Invalid, require};
use crate::tokens::Tokens;
use crate::{Outcome, SimTime};

/// Configuration of [`TokenBucket`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenBucketConfig {
    /// Tokens it holds at most, and at the start. Default 10.
    pub capacity: f64,
    /// Tokens a call adds when it begins. Default 0.
    pub per_call: f64,
    /// Tokens an attempt's success adds. Default 0.1.
    pub per_success: f64,
    /// Tokens a second adds. Default 0.
    pub per_second: f64,
    /// Tokens a retry takes. Default 1.
    pub cost: f64,
}

impl Default for TokenBucketConfig {
    fn default() -> Self {
        Self { capacity: 10.0, per_call: 0.0, per_success: 0.1, per_second: 0.0, cost: 1.0 }
    }
}

impl TokenBucketConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let fields = [
            (self.capacity, "capacity"),
            (self.per_call, "per_call"),
            (self.per_success, "per_success"),
            (self.per_second, "per_second"),
            (self.cost, "cost"),
        ];
        for (value, field) in fields {
            require((0.0..=1e9).contains(&value), field, "from 0 to 1000000000")?;
        }
        require(self.cost <= self.capacity, "cost", "at most the capacity, or no retry is ever made")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    config: TokenBucketConfig,
    tokens: Tokens,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(config: TokenBucketConfig, now: SimTime) -> Self {
        Self { config, tokens: Tokens::new(config.capacity, config.capacity, config.per_second, now) }
    }

    /// A call begins.
    pub fn call(&mut self, now: SimTime) {
        self.tokens.refill(now);
        self.tokens.add(self.config.per_call);
    }

    /// An attempt ended.
    pub fn record(&mut self, now: SimTime, outcome: Outcome) {
        self.tokens.refill(now);
        if outcome.is_success() {
            self.tokens.add(self.config.per_success);
        }
    }

    /// Takes the price of a retry, if it is there (`>=`).
    pub fn withdraw(&mut self, now: SimTime) -> bool {
        self.tokens.refill(now);
        self.tokens.take(self.config.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    fn retries(bucket: &mut TokenBucket, now: SimTime) -> usize {
        (0..1_000).take_while(|_| bucket.withdraw(now)).count()
    }

    #[test]
    fn it_starts_full_and_each_source_fills_it() {
        let empty = |config| {
            let mut bucket = TokenBucket::new(config, at(0));
            assert_eq!(retries(&mut bucket, at(0)), 10);
            bucket
        };
        let base = TokenBucketConfig { per_success: 0.0, ..TokenBucketConfig::default() };

        let mut bucket = empty(TokenBucketConfig { per_call: 0.1, ..base });
        (0..9).for_each(|_| bucket.call(at(0)));
        assert_eq!(retries(&mut bucket, at(0)), 0);
        bucket.call(at(0));
        assert_eq!(retries(&mut bucket, at(0)), 1);

        let mut bucket = empty(TokenBucketConfig { per_success: 0.5, ..base });
        bucket.record(at(0), Outcome::Ok);
        bucket.record(at(0), Outcome::Timeout);
        assert_eq!(retries(&mut bucket, at(0)), 0);
        bucket.record(at(0), Outcome::Degraded);
        assert_eq!(retries(&mut bucket, at(0)), 1);

        let mut bucket = empty(TokenBucketConfig { per_second: 2.0, ..base });
        assert_eq!(retries(&mut bucket, at(499)), 0);
        assert_eq!(retries(&mut bucket, at(500)), 1);
        assert_eq!(retries(&mut bucket, at(60_000)), 10);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = TokenBucketConfig::default();
        let table = [
            (TokenBucketConfig { capacity: -1.0, ..base }, "capacity"),
            (TokenBucketConfig { per_second: f64::INFINITY, ..base }, "per_second"),
            (TokenBucketConfig { cost: 11.0, ..base }, "cost"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
