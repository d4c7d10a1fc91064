//! Budgets of retries and hedges.

use squall_policies::budget::{
    AwsConfig, BudgetConfig, EnvoyBudgetConfig, GrpcConfig, RatioConfig, ShareConfig, TokenBucketConfig,
};
use squall_policies::retry::Retryable;

use crate::spec::{self, Spanned};

/// A budget of any kind, for retries of this kind and of what is in `retryable`.
pub(in super::super) fn budget(written: &spec::Budget, kind: spec::RetryKind, retryable: Retryable) -> BudgetConfig {
    match written {
        spec::Budget::Share(share) => BudgetConfig::Share(ShareConfig { share: share.0, ..ShareConfig::default() }),
        spec::Budget::Finagle(settings) => BudgetConfig::Finagle(RatioConfig {
            percent_can_retry: settings.percent_can_retry.0,
            min_retries_per_sec: *settings.min_retries_per_sec,
            ttl: *settings.ttl,
        }),
        spec::Budget::Tower(settings) => BudgetConfig::Tower {
            ratio: RatioConfig {
                percent_can_retry: settings.retry_percent.0,
                min_retries_per_sec: *settings.min_per_sec,
                ttl: *settings.ttl,
            },
            retryable,
        },
        spec::Budget::Envoy(settings) => BudgetConfig::Envoy(envoy(settings)),
        spec::Budget::Grpc(settings) => BudgetConfig::Grpc(GrpcConfig {
            max_tokens: *settings.max_tokens,
            token_ratio: *settings.token_ratio,
            retryable,
        }),
        spec::Budget::Aws(settings) => {
            let rules = if kind == spec::RetryKind::Aws21 { AwsConfig::default() } else { AwsConfig::rules_2_0() };
            let or = |written: &Option<Spanned<u32>>, usual| written.as_ref().map_or(usual, |written| written.value);
            BudgetConfig::Aws(AwsConfig {
                capacity: *settings.capacity,
                retry_cost: or(&settings.retry_cost, rules.retry_cost),
                timeout_cost: or(&settings.timeout_cost, rules.timeout_cost),
                throttling_cost: *settings.throttling_cost,
                no_retry_increment: *settings.no_retry_increment,
            })
        }
        spec::Budget::TokenBucket(settings) => BudgetConfig::TokenBucket(TokenBucketConfig {
            capacity: *settings.capacity,
            per_call: *settings.per_call,
            per_success: *settings.per_success,
            per_second: *settings.per_second,
            cost: *settings.cost,
        }),
    }
}

fn envoy(written: &spec::EnvoyBudget) -> EnvoyBudgetConfig {
    match &written.max_retries {
        Some(max_retries) => EnvoyBudgetConfig::MaxRetries(max_retries.value),
        None => EnvoyBudgetConfig::RetryBudget {
            budget_percent: written.budget_percent.0 * 100.0,
            min_retry_concurrency: *written.min_retry_concurrency,
            budget_interval: *written.budget_interval,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_policies::Outcomes;

    use crate::Span;
    use crate::spec::read_element;

    #[test]
    fn a_budget_of_which_only_the_kind_is_written_is_the_original_s() {
        let retry_budget = EnvoyBudgetConfig::RetryBudget {
            budget_percent: 20.0,
            min_retry_concurrency: 3,
            budget_interval: Span::ZERO,
        };
        let retryable = Outcomes::TIMEOUT.into();
        let table = [
            ("30%", BudgetConfig::Share(ShareConfig { share: 0.3, ..ShareConfig::default() })),
            ("{kind: finagle}", BudgetConfig::Finagle(RatioConfig::default())),
            ("{kind: tower}", BudgetConfig::Tower { ratio: RatioConfig::default(), retryable }),
            ("{kind: envoy}", BudgetConfig::Envoy(retry_budget)),
            ("{kind: envoy, max_retries: 3}", BudgetConfig::Envoy(EnvoyBudgetConfig::default())),
            ("{kind: grpc}", BudgetConfig::Grpc(GrpcConfig { retryable, ..GrpcConfig::default() })),
            ("{kind: aws}", BudgetConfig::Aws(AwsConfig::rules_2_0())),
            ("{kind: aws, retry_cost: 14, timeout_cost: 14}", BudgetConfig::Aws(AwsConfig::default())),
        ];
        for (text, config) in table {
            let written = read_element::<spec::Budget>(text).unwrap();
            assert_eq!(budget(&written, spec::RetryKind::Plain, retryable), config, "{text}");
        }
    }

    #[test]
    fn the_quota_of_an_aws_2_1_retry_has_the_costs_of_2_1_unless_others_are_written() {
        let table = [
            ("{kind: aws}", AwsConfig::default()),
            ("{kind: aws, retry_cost: 5}", AwsConfig { retry_cost: 5, ..AwsConfig::default() }),
        ];
        for (text, config) in table {
            let written = read_element::<spec::Budget>(text).unwrap();
            let read = budget(&written, spec::RetryKind::Aws21, Outcomes::FAILURE.into());
            assert_eq!(read, BudgetConfig::Aws(config), "{text}");
        }
    }
}
