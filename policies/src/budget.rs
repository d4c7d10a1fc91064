//! Retry budgets: whether a retry that a call wants may be made. One face for every kind; one kind a file.
//!
//! The order around an attempt: [`Budget::start`] when it is sent, [`Budget::record`] when it ended, and then, if its
//! call wants another, [`Budget::retry`], whose grant goes with the next attempt. A grant whose attempt is never sent
//! is released.

mod aws;
mod envoy;
mod finagle;
mod grpc;
mod share;
mod token_bucket;
mod tower;

pub use aws::{Aws, AwsConfig};
pub use envoy::{Envoy, EnvoyBudgetConfig};
pub use finagle::{Finagle, RatioConfig};
pub use grpc::{Grpc, GrpcConfig};
pub use share::{Share, ShareConfig};
pub use token_bucket::{TokenBucket, TokenBucketConfig};
pub use tower::Tower;

use crate::check::Invalid;
use crate::retry::Retryable;
use crate::{Outcome, SimTime};

/// Which budget, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BudgetConfig {
    /// Retries at most a share of calls.
    Share(ShareConfig),
    /// A plain bucket of tokens.
    TokenBucket(TokenBucketConfig),
    /// Finagle's `RetryBudget`.
    Finagle(RatioConfig),
    /// tower's `TpsBudget`.
    Tower {
        /// Its figures.
        ratio: RatioConfig,
        /// Outcomes that are no final answer and deposit nothing. Usually those that are retried.
        retryable: Retryable,
    },
    /// Envoy's `max_retries` or `retry_budget`.
    Envoy(EnvoyBudgetConfig),
    /// gRPC's `retryThrottling`.
    Grpc(GrpcConfig),
    /// The AWS SDKs' quota.
    Aws(AwsConfig),
}

impl BudgetConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Share(config) => config.check(),
            Self::TokenBucket(config) => config.check(),
            Self::Finagle(config) | Self::Tower { ratio: config, .. } => config.check(),
            Self::Envoy(config) => config.check(),
            Self::Grpc(config) => config.check(),
            Self::Aws(config) => config.check(),
        }
    }
}

/// A budget of any kind.
#[derive(Clone, Debug)]
pub enum Budget {
    /// Retries at most a share of calls.
    Share(Share),
    /// A plain bucket of tokens.
    TokenBucket(TokenBucket),
    /// Finagle's `RetryBudget`.
    Finagle(Finagle),
    /// tower's `TpsBudget`, and the outcomes that deposit nothing.
    Tower(Tower, Retryable),
    /// Envoy's `max_retries` or `retry_budget`.
    Envoy(Envoy),
    /// gRPC's `retryThrottling`.
    Grpc(Grpc),
    /// The AWS SDKs' quota.
    Aws(Aws),
}

/// What an attempt holds of its budget until it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant(u32);

impl Grant {
    /// A call's first attempt, which needs no leave.
    pub const FIRST: Self = Self(0);

    /// Whether the attempt is a call's first.
    pub const fn is_first(self) -> bool {
        self.0 == 0
    }
}

/// The grant of kinds that only say yes.
const PLAIN: Grant = Grant(1);

impl Budget {
    /// A budget made at `now`.
    pub fn new(config: &BudgetConfig, now: SimTime) -> Self {
        match *config {
            BudgetConfig::Share(config) => Self::Share(Share::new(&config)),
            BudgetConfig::TokenBucket(config) => Self::TokenBucket(TokenBucket::new(config, now)),
            BudgetConfig::Finagle(config) => Self::Finagle(Finagle::new(&config, now)),
            BudgetConfig::Tower { ratio, retryable } => Self::Tower(Tower::new(&ratio, now), retryable),
            BudgetConfig::Envoy(config) => Self::Envoy(Envoy::new(config)),
            BudgetConfig::Grpc(config) => Self::Grpc(Grpc::new(&config)),
            BudgetConfig::Aws(config) => Self::Aws(Aws::new(config)),
        }
    }

    /// An attempt is sent: a call's first, or the one that `grant` was given for.
    pub fn start(&mut self, now: SimTime, grant: Grant) {
        match self {
            Self::Envoy(budget) => budget.start(now),
            _ if !grant.is_first() => {}
            Self::Share(budget) => budget.deposit(now),
            Self::TokenBucket(budget) => budget.call(now),
            Self::Finagle(budget) => budget.deposit(now),
            Self::Tower(..) | Self::Grpc(_) | Self::Aws(_) => {}
        }
    }

    /// An attempt ended.
    pub fn record(&mut self, now: SimTime, outcome: Outcome, grant: Grant) {
        match self {
            Self::TokenBucket(budget) => budget.record(now, outcome),
            Self::Tower(budget, retryable) if !retryable.contains(outcome) => budget.deposit(now),
            Self::Envoy(budget) => budget.end(!grant.is_first()),
            Self::Grpc(budget) => budget.record(outcome),
            Self::Aws(budget) => budget.record(outcome, grant.0),
            Self::Share(_) | Self::Finagle(_) | Self::Tower(..) => {}
        }
    }

    /// Whether there may be a retry of an attempt that ended in `outcome`.
    pub fn retry(&mut self, now: SimTime, outcome: Outcome) -> Option<Grant> {
        let granted = match self {
            Self::Share(budget) => budget.withdraw(now),
            Self::TokenBucket(budget) => budget.withdraw(now),
            Self::Finagle(budget) => budget.withdraw(now),
            Self::Tower(budget, _) => budget.withdraw(now),
            Self::Envoy(budget) => budget.withdraw(now),
            Self::Grpc(budget) => budget.allows(),
            Self::Aws(budget) => return budget.withdraw(outcome).map(Grant),
        };
        granted.then_some(PLAIN)
    }

    /// The callee of an attempt that ended in `outcome` said that there is to be no retry: to gRPC a failure like those
    /// that are retried.
    pub fn told_off(&mut self, outcome: Outcome) {
        if let Self::Grpc(budget) = self {
            budget.told_off(outcome);
        }
    }

    /// An attempt that was sent is given up, and how it ends is not waited for: no success, no failure, but its slot is
    /// free.
    pub fn cancel(&mut self, grant: Grant) {
        if let Self::Envoy(budget) = self {
            budget.end(!grant.is_first());
        }
    }

    /// The attempt that `grant` was given for will not be sent. What was paid stays paid; a slot becomes free.
    pub fn release(&mut self, grant: Grant) {
        if let Self::Envoy(budget) = self
            && !grant.is_first()
        {
            budget.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcomes, Span};
    use proptest::prelude::*;

    const KINDS: usize = 7;

    fn kind(index: usize) -> BudgetConfig {
        let kinds: [BudgetConfig; KINDS] = [
            BudgetConfig::Share(ShareConfig::default()),
            BudgetConfig::TokenBucket(TokenBucketConfig::default()),
            BudgetConfig::Finagle(RatioConfig::default()),
            BudgetConfig::Tower { ratio: RatioConfig::default(), retryable: Outcomes::FAILURE.into() },
            BudgetConfig::Envoy(EnvoyBudgetConfig::default()),
            BudgetConfig::Grpc(GrpcConfig::default()),
            BudgetConfig::Aws(AwsConfig::default()),
        ];
        kinds[index]
    }

    /// Attempts per call of `calls` calls, one every 10 ms, that fail at once and want up to three retries.
    fn amplification(config: BudgetConfig, calls: u64) -> f64 {
        let mut budget = Budget::new(&config, SimTime::ZERO);
        let mut attempts = 0u64;
        for call in 0..calls {
            let now = SimTime::ZERO + Span::from_millis(10 * call);
            let mut grant = Grant::FIRST;
            for made in 1..=4 {
                budget.start(now, grant);
                attempts += 1;
                budget.record(now, Outcome::Error(500), grant);
                match (made < 4).then(|| budget.retry(now, Outcome::Error(500))).flatten() {
                    Some(next) => grant = next,
                    None => break,
                }
            }
        }
        attempts as f64 / calls as f64
    }

    #[test]
    fn each_kind_holds_a_failing_callee_s_amplification_where_its_original_does() {
        // Over 6000 calls in a minute. Finagle: a fifth, and 10 a second, of which a window holds nine or ten slices.
        let table = [
            (0, 1.1, 1.1),
            (1, 10.0 / 6_000.0 + 1.0, 10.0 / 6_000.0 + 1.0),
            (2, 1.28, 1.33),
            (3, 1.08, 1.12),
            (4, 4.0, 4.0),
            (5, 1.0, 1.001),
            (6, 35.0 / 6_000.0 + 1.0, 35.0 / 6_000.0 + 1.0),
        ];
        for (index, low, high) in table {
            let config = kind(index);
            assert_eq!(config.check(), Ok(()));
            let amplified = amplification(config, 6_000);
            assert!((low - 1e-9..=high + 1e-9).contains(&amplified), "{config:?}: {amplified}");
        }
    }

    #[test]
    fn a_ten_per_cent_budget_never_lets_a_failing_callee_be_asked_more_than_1_1_times_as_often() {
        for calls in 1..2_000 {
            assert!(amplification(kind(0), calls) <= 1.1, "{calls} calls");
        }
    }

    #[test]
    fn tower_is_paid_by_final_answers_alone() {
        let ratio = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 1.0, ..RatioConfig::default() };
        let config = BudgetConfig::Tower { ratio, retryable: Outcomes::TIMEOUT.into() };
        for (outcome, paid) in [(Outcome::Ok, true), (Outcome::Error(500), true), (Outcome::Timeout, false)] {
            let mut budget = Budget::new(&config, SimTime::ZERO);
            budget.record(SimTime::ZERO, outcome, Grant::FIRST);
            assert_eq!(budget.retry(SimTime::ZERO, Outcome::Timeout).is_some(), paid, "{outcome:?}");
        }
    }

    #[test]
    fn only_grpc_s_budget_minds_being_told_not_to_retry() {
        for index in 0..KINDS {
            let (mut told, mut not) =
                (Budget::new(&kind(index), SimTime::ZERO), Budget::new(&kind(index), SimTime::ZERO));
            if index == 5 {
                let retryable = Outcomes::REFUSED.into();
                let config = BudgetConfig::Grpc(GrpcConfig { retryable, ..GrpcConfig::default() });
                (told, not) = (Budget::new(&config, SimTime::ZERO), Budget::new(&config, SimTime::ZERO));
            }
            (0..5).for_each(|_| told.told_off(Outcome::Error(500)));
            let granted = |budget: &mut Budget| budget.retry(SimTime::ZERO, Outcome::Timeout).is_some();
            let (told, not) = (granted(&mut told), granted(&mut not));
            assert_eq!((told == not, index == 5), (index != 5, !told && not), "{index}");
        }
    }

    #[test]
    fn aws_gives_back_what_the_grant_says_it_cost() {
        let mut budget = Budget::new(&kind(6), SimTime::ZERO);
        for _ in 0..1_000 {
            let grant = budget.retry(SimTime::ZERO, Outcome::Error(500)).unwrap();
            budget.record(SimTime::ZERO, Outcome::Ok, grant);
        }
    }

    /// Envoy's budget of one retry at once, which a call whose first attempt failed has taken.
    fn slot_taken() -> (Budget, Grant) {
        let config = BudgetConfig::Envoy(EnvoyBudgetConfig::MaxRetries(1));
        let mut budget = Budget::new(&config, SimTime::ZERO);
        budget.start(SimTime::ZERO, Grant::FIRST);
        budget.record(SimTime::ZERO, Outcome::Timeout, Grant::FIRST);
        let grant = budget.retry(SimTime::ZERO, Outcome::Timeout).unwrap();
        (budget, grant)
    }

    #[test]
    fn the_slot_of_a_retry_is_free_however_the_retry_ends_and_no_first_attempt_frees_it() {
        type End = fn(&mut Budget, Grant);
        let ends: [(&str, bool, End); 3] = [
            ("ended", true, |budget, grant| budget.record(SimTime::ZERO, Outcome::Ok, grant)),
            ("cancelled", true, Budget::cancel),
            ("not sent", false, Budget::release),
        ];
        for (end, sent, ends) in ends {
            for (ends_retry, free) in [(true, true), (false, false)] {
                let (mut budget, grant) = slot_taken();
                let grant = if ends_retry { grant } else { Grant::FIRST };
                if sent {
                    budget.start(SimTime::ZERO, grant);
                }
                assert_eq!(budget.retry(SimTime::ZERO, Outcome::Timeout), None, "{end}");
                ends(&mut budget, grant);
                assert_eq!(
                    budget.retry(SimTime::ZERO, Outcome::Timeout).is_some(),
                    free,
                    "{end}, a retry: {ends_retry}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_kind_panics_nor_lets_through_without_end(
            index in 0usize..KINDS,
            steps in prop::collection::vec((0u64..2_000, 0u8..5), 1..300),
        ) {
            let mut budget = Budget::new(&kind(index), SimTime::ZERO);
            let (mut now, mut under_way, mut granted) = (SimTime::ZERO, vec![], vec![]);
            for (ms, step) in steps {
                now += Span::from_millis(ms);
                match step {
                    4 => {
                        if let Some(grant) = under_way.pop() {
                            budget.cancel(grant);
                        }
                    }
                    0 => {
                        let grant = granted.pop().unwrap_or(Grant::FIRST);
                        budget.start(now, grant);
                        under_way.push(grant);
                    }
                    1 => {
                        if let Some(grant) = under_way.pop() {
                            budget.record(now, Outcome::Timeout, grant);
                        }
                    }
                    2 => granted.extend(budget.retry(now, Outcome::Timeout)),
                    _ => if let Some(grant) = granted.pop() { budget.release(grant) },
                }
                prop_assert!(granted.iter().all(|grant| !grant.is_first()));
            }
            let endless = (0..100_000).take_while(|_| budget.retry(now, Outcome::Timeout).is_some()).count();
            prop_assert!(index == 5 || endless < 1_000, "{} retries at once", endless);
        }
    }
}
