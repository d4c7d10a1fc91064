//! gRPC's retry throttling (A6, grpc-go 4793ad0, grpcio 1.85.1): failures drain a bucket, successes fill it slowly, and
//! there are retries only while it is more than half full. Counted in thousandths.

use crate::check::{Invalid, require};
use crate::retry::Retryable;
use crate::{Outcome, Outcomes};

/// Configuration of [`Grpc`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrpcConfig {
    /// Tokens at the start and at most. Default 10, at most 1000.
    pub max_tokens: u32,
    /// Tokens that a success adds; kept to three decimals. Default 0.1.
    pub token_ratio: f64,
    /// Outcomes that take a token: those that are retried. Default: all that is no success.
    pub retryable: Retryable,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self { max_tokens: 10, token_ratio: 0.1, retryable: Outcomes::FAILURE.into() }
    }
}

impl GrpcConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require((1..=1000).contains(&self.max_tokens), "max_tokens", "from 1 to 1000")?;
        let ratio = 0.001..=1e6;
        require(ratio.contains(&self.token_ratio), "token_ratio", "at least 0.001")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Grpc {
    tokens: u32,
    max: u32,
    ratio: u32,
    retryable: Retryable,
}

impl Grpc {
    /// A full bucket.
    pub fn new(config: &GrpcConfig) -> Self {
        let max = config.max_tokens * 1000;
        // What a float is short of a thousandth is not the fourth decimal, which is cut off.
        let ratio = (config.token_ratio * 1000.0 + 1e-6) as u32;
        Self { tokens: max, max, ratio, retryable: config.retryable }
    }

    /// An attempt ended.
    pub fn record(&mut self, outcome: Outcome) {
        if outcome.is_success() {
            self.tokens = self.tokens.saturating_add(self.ratio).min(self.max);
        } else if self.retryable.contains(outcome) {
            self.tokens = self.tokens.saturating_sub(1000);
        }
    }

    /// After [`Self::record`]: the callee said that there is to be no retry, which takes a token as well if the outcome
    /// has not.
    pub fn told_off(&mut self, outcome: Outcome) {
        if !outcome.is_success() && !self.retryable.contains(outcome) {
            self.tokens = self.tokens.saturating_sub(1000);
        }
    }

    /// Whether there may be a retry: more than half the tokens are left (`>`).
    pub fn allows(&self) -> bool {
        self.tokens > self.max / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Statuses;

    /// Attempts of a call that always fails, of at most five.
    fn attempts(bucket: &mut Grpc) -> u32 {
        for attempt in 1..5 {
            bucket.record(Outcome::Refused);
            if !bucket.allows() {
                return attempt;
            }
        }
        bucket.record(Outcome::Refused);
        5
    }

    #[test]
    fn failing_calls_make_five_attempts_then_one_each_and_thirty_successes_are_not_enough() {
        let mut bucket = Grpc::new(&GrpcConfig::default());
        assert_eq!([(); 4].map(|()| attempts(&mut bucket)), [5, 1, 1, 1]);
        assert_eq!(bucket.tokens, 2_000);
        (0..30).for_each(|_| bucket.record(Outcome::Ok));
        assert_eq!(bucket.tokens, 5_000);
        assert!(!bucket.allows());
        bucket.record(Outcome::Ok);
        assert!(bucket.allows());
    }

    #[test]
    fn a_ratio_above_one_has_all_its_three_decimals() {
        for (token_ratio, ratio) in [(0.1239, 123), (1.001, 1_001), (4.35, 4_350), (99.999, 99_999)] {
            assert_eq!(Grpc::new(&GrpcConfig { token_ratio, ..GrpcConfig::default() }).ratio, ratio, "{token_ratio}");
        }
    }

    #[test]
    fn tokens_stay_between_nothing_and_their_maximum() {
        let mut bucket = Grpc::new(&GrpcConfig::default());
        bucket.record(Outcome::Ok);
        assert_eq!(bucket.tokens, 10_000);
        (0..20).for_each(|_| bucket.record(Outcome::Timeout));
        assert_eq!(bucket.tokens, 0);
    }

    #[test]
    fn failures_that_are_not_retried_take_nothing_and_the_ratio_has_three_decimals() {
        let config = GrpcConfig { token_ratio: 0.1239, retryable: Outcomes::REFUSED.into(), ..GrpcConfig::default() };
        let mut bucket = Grpc::new(&config);
        bucket.record(Outcome::Error(500));
        assert_eq!(bucket.tokens, 10_000);
        bucket.record(Outcome::Refused);
        bucket.record(Outcome::Ok);
        assert_eq!(bucket.tokens, 9_123);
    }

    #[test]
    fn whoever_is_told_not_to_retry_loses_a_token_whatever_the_failure_and_never_two() {
        let config = GrpcConfig { retryable: Outcomes::REFUSED.into(), ..GrpcConfig::default() };
        for outcome in [Outcome::Error(500), Outcome::Refused] {
            let mut bucket = Grpc::new(&config);
            bucket.record(outcome);
            bucket.told_off(outcome);
            assert_eq!(bucket.tokens, 9_000, "{outcome:?}");
        }
    }

    #[test]
    fn a_retryable_status_takes_a_token_like_a_retryable_kind() {
        let statuses = Statuses::of(&[500]).unwrap();
        let config = GrpcConfig { retryable: Retryable { when: Outcomes::REFUSED, statuses }, ..GrpcConfig::default() };
        let mut bucket = Grpc::new(&config);
        for outcome in [Outcome::Error(500), Outcome::Error(501), Outcome::Refused] {
            bucket.record(outcome);
        }
        assert_eq!(bucket.tokens, 8_000);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = GrpcConfig::default();
        assert_eq!(GrpcConfig { max_tokens: 1001, ..base }.check().unwrap_err().field, "max_tokens");
        assert_eq!(GrpcConfig { token_ratio: 0.0, ..base }.check().unwrap_err().field, "token_ratio");
        assert_eq!(GrpcConfig { max_tokens: 1000, ..base }.check(), Ok(()));
    }
}
