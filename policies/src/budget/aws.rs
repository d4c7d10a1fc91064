//! The retry quota of the AWS SDKs' standard mode (smithy-rs 56ee88c; botocore 1.44.5): a retry takes tokens according
//! to what failed, and its success gives them back.

use crate::check::{Invalid, require};
use crate::{Outcome, Outcomes};

/// Configuration of [`Aws`]. The default is the newer set of rules, 2.1 (botocore 1.44.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsConfig {
    /// Tokens at the start and at most. Default 500.
    pub capacity: u32,
    /// What a retry takes. Default 14.
    pub retry_cost: u32,
    /// What a retry takes after a time-out or a transient failure: no connection, or status 408. Default 14.
    pub timeout_cost: u32,
    /// What a retry takes after a rate limit. Default 5.
    pub throttling_cost: u32,
    /// What a success without a retry gives back. Default 1.
    pub no_retry_increment: u32,
}

impl Default for AwsConfig {
    fn default() -> Self {
        Self { capacity: 500, retry_cost: 14, timeout_cost: 14, throttling_cost: 5, no_retry_increment: 1 }
    }
}

impl AwsConfig {
    /// The rules of 2.0: a retry takes 5, after a time-out or a transient failure 10.
    pub fn rules_2_0() -> Self {
        Self { retry_cost: 5, timeout_cost: 10, ..Self::default() }
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.capacity >= 1, "capacity", "at least 1")?;
        let costs = [self.retry_cost, self.timeout_cost, self.throttling_cost];
        require(costs.iter().all(|cost| *cost >= 1), "retry_cost", "at least 1, as the other costs")
    }

    /// What a retry after `outcome` takes.
    pub fn cost(&self, outcome: Outcome) -> u32 {
        let transient = Outcomes::TIMEOUT | Outcomes::REFUSED | Outcomes::REQUEST_TIMEOUT;
        if Outcomes::RATE_LIMITED.contains(outcome) {
            self.throttling_cost
        } else if transient.contains(outcome) {
            self.timeout_cost
        } else {
            self.retry_cost
        }
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Aws {
    config: AwsConfig,
    tokens: u32,
}

impl Aws {
    /// A full quota.
    pub fn new(config: AwsConfig) -> Self {
        Self { config, tokens: config.capacity }
    }

    /// Takes the price of a retry after `outcome`, if it is there (`>=`), and says what it was.
    pub fn withdraw(&mut self, outcome: Outcome) -> Option<u32> {
        let cost = self.config.cost(outcome);
        self.tokens = self.tokens.checked_sub(cost)?;
        Some(cost)
    }

    /// An attempt ended that cost `cost`: its success gives that back, or the increment if it was a first attempt.
    pub fn record(&mut self, outcome: Outcome, cost: u32) {
        if outcome.is_success() {
            let back = if cost == 0 { self.config.no_retry_increment } else { cost };
            self.tokens = self.tokens.saturating_add(back).min(self.config.capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        let base = AwsConfig::default();
        let table = [
            (AwsConfig { capacity: 0, ..base }, "capacity"),
            (AwsConfig { retry_cost: 0, ..base }, "retry_cost"),
            (AwsConfig { timeout_cost: 0, ..base }, "retry_cost"),
            (AwsConfig { throttling_cost: 0, ..base }, "retry_cost"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }

    #[test]
    fn each_set_of_rules_has_its_prices() {
        let table = [
            (AwsConfig::rules_2_0(), Outcome::Error(500), 5),
            (AwsConfig::rules_2_0(), Outcome::RateLimited, 5),
            (AwsConfig::rules_2_0(), Outcome::Timeout, 10),
            (AwsConfig::rules_2_0(), Outcome::Refused, 10),
            (AwsConfig::default(), Outcome::Error(500), 14),
            (AwsConfig::default(), Outcome::Timeout, 14),
            (AwsConfig::default(), Outcome::RateLimited, 5),
        ];
        for (rules, outcome, cost) in table {
            assert_eq!(rules.cost(outcome), cost, "{rules:?} {outcome:?}");
        }
    }

    #[test]
    fn the_quota_pays_for_its_last_retry_to_the_token() {
        let mut quota = Aws::new(AwsConfig { capacity: 28, ..AwsConfig::default() });
        let costs = [(); 3].map(|()| quota.withdraw(Outcome::Error(500)));
        assert_eq!(costs, [Some(14), Some(14), None]);
        let mut short = Aws::new(AwsConfig { capacity: 13, ..AwsConfig::default() });
        assert_eq!(short.withdraw(Outcome::Error(500)), None);
        assert_eq!(short.withdraw(Outcome::RateLimited), Some(5));
    }

    #[test]
    fn success_gives_back_what_its_own_retry_cost_or_one() {
        let mut quota = Aws::new(AwsConfig::default());
        let first = quota.withdraw(Outcome::Error(500)).unwrap();
        quota.record(Outcome::Error(500), first);
        let second = quota.withdraw(Outcome::RateLimited).unwrap();
        quota.record(Outcome::Ok, second);
        assert_eq!(quota.tokens, 500 - 14);
        quota.record(Outcome::Ok, 0);
        assert_eq!(quota.tokens, 500 - 13);
        (0..20).for_each(|_| quota.record(Outcome::Ok, 0));
        assert_eq!(quota.tokens, 500);
    }
}
