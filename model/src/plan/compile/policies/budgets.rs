//! Budgets of retries and hedges.

use squall_policies::Outcomes;
use squall_policies::budget::{
    AwsConfig, BudgetConfig, EnvoyBudgetConfig, GrpcConfig, RatioConfig, ShareConfig, TokenBucketConfig,
};

use crate::spec;

/// A budget of any kind, for retries of what is in `retryable`.
pub(in super::super) fn budget(written: &spec::Budget, retryable: Outcomes) -> BudgetConfig {
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
            max_tokens: *settings.max_tokens as u32,
            token_ratio: *settings.token_ratio,
            retryable,
        }),
        spec::Budget::Aws(settings) => BudgetConfig::Aws(AwsConfig {
            capacity: *settings.capacity,
            retry_cost: *settings.retry_cost,
            timeout_cost: *settings.timeout_cost,
            throttling_cost: *settings.throttling_cost,
            no_retry_increment: *settings.no_retry_increment,
        }),
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
    use crate::Span;
    use crate::spec::read_element;

    #[test]
    fn a_budget_of_which_only_the_kind_is_written_is_the_original_s() {
        let retry_budget = EnvoyBudgetConfig::RetryBudget {
            budget_percent: 20.0,
            min_retry_concurrency: 3,
            budget_interval: Span::ZERO,
        };
        let retryable = Outcomes::TIMEOUT;
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
            assert_eq!(budget(&read_element::<spec::Budget>(text).unwrap(), retryable), config, "{text}");
        }
    }
}
