//! Circuit breakers.

use squall_policies::breaker::{
    BreakerConfig, ConsecutiveConfig, EnvoyOutlierConfig, HystrixConfig, LinkerdConfig, PollyConfig,
    Resilience4jConfig, State, SuccessRateConfig, Window,
};
use squall_policies::{Outcomes, Span};

use super::{interval, outcomes, outcomes_or};
use crate::spec;

/// A breaker of any kind.
pub fn breaker(written: &spec::Breaker) -> BreakerConfig {
    match written {
        spec::Breaker::Resilience4j(settings) => BreakerConfig::Resilience4j(resilience4j(settings)),
        spec::Breaker::Polly(settings) => BreakerConfig::Polly(polly(settings)),
        spec::Breaker::Hystrix(settings) => BreakerConfig::Hystrix(hystrix(settings)),
        spec::Breaker::EnvoyOutlier(settings) => BreakerConfig::EnvoyOutlier(envoy_outlier(settings)),
        spec::Breaker::Linkerd(settings) => BreakerConfig::Linkerd(linkerd(settings)),
        spec::Breaker::Consecutive(settings) => BreakerConfig::Consecutive(consecutive(settings)),
    }
}

fn resilience4j(written: &spec::Resilience4jBreaker) -> Resilience4jConfig {
    Resilience4jConfig {
        window: match *written.window {
            spec::Window::Calls(calls) => Window::Calls(calls),
            spec::Window::Time(span) => Window::Seconds((span.as_nanos() / 1_000_000_000) as u32),
        },
        minimum_calls: *written.minimum_calls,
        failure_rate: (written.failure_rate.0 * 100.0) as f32,
        slow_rate: (written.slow_rate.0 * 100.0) as f32,
        slow_after: *written.slow_after,
        open_for: interval(*written.open_for),
        half_open_calls: *written.half_open_calls,
        auto_half_open: *written.auto_half_open,
        half_open_limit: *written.half_open_limit,
        close_after_half_open_limit: *written.after_half_open_limit == spec::BreakerState::Closed,
        initial: match *written.initial_state {
            spec::InitialState::Closed => State::Closed,
            spec::InitialState::Open => State::Open,
            spec::InitialState::HalfOpen => State::HalfOpen,
            spec::InitialState::ForcedOpen => State::ForcedOpen,
            spec::InitialState::Disabled => State::Disabled,
            spec::InitialState::MetricsOnly => State::MetricsOnly,
        },
        clock_start: *written.clock_start,
        failures: outcomes_or(written.counts.as_ref(), Outcomes::FAILURE),
        ignored: outcomes(&written.ignore),
    }
}

fn polly(written: &spec::PollyBreaker) -> PollyConfig {
    let (break_duration, growing) =
        match *written.break_duration {
            spec::OpenFor::Constant(span) => (span, None),
            drawn @ (spec::OpenFor::Exponential { base: middle, .. }
            | spec::OpenFor::Randomized { around: middle, .. }) => (middle, Some(interval(drawn))),
        };
    PollyConfig {
        failure_ratio: written.failure_ratio.0,
        minimum_throughput: *written.minimum_throughput,
        sampling_duration: *written.sampling_duration,
        break_duration,
        growing,
        handled: outcomes_or(written.counts.as_ref(), Outcomes::FAILURE),
    }
}

fn hystrix(written: &spec::HystrixBreaker) -> HystrixConfig {
    HystrixConfig {
        request_volume_threshold: *written.request_volume_threshold,
        error_threshold_percentage: written.error_threshold_percentage.0,
        sleep_window: *written.sleep_window,
        rolling_window: *written.rolling_window,
        health_snapshot: *written.health_snapshot_interval,
        bad_requests: outcomes_or(written.ignore.as_ref(), Outcomes::CLIENT_ERROR),
    }
}

fn consecutive(written: &spec::ConsecutiveBreaker) -> ConsecutiveConfig {
    ConsecutiveConfig {
        failures: *written.failures,
        open_for: interval(*written.open_for),
        half_open_calls: *written.half_open_calls,
        counts: outcomes_or(written.counts.as_ref(), Outcomes::FAILURE),
        ignored: outcomes(&written.ignore),
    }
}

fn linkerd(written: &spec::LinkerdBreaker) -> LinkerdConfig {
    let unified = *written.mode == spec::LinkerdMode::Unified;
    LinkerdConfig {
        max_failures: *written.max_failures,
        min_penalty: *written.min_penalty,
        max_penalty: *written.max_penalty,
        jitter_ratio: *written.jitter_ratio,
        success_rate: unified.then(|| SuccessRateConfig {
            threshold: written.success_ratio.0,
            window: *written.window,
            minimum: *written.min_samples,
        }),
        failures: outcomes_or(written.counts.as_ref(), LinkerdConfig::default().failures),
    }
}

fn envoy_outlier(written: &spec::EnvoyOutlier) -> EnvoyOutlierConfig {
    let longest = Span::from_secs(300).max(*written.base_ejection_time);
    EnvoyOutlierConfig {
        consecutive_5xx: *written.consecutive_5xx,
        enforcing_consecutive_5xx: written.enforcing_consecutive_5xx.0,
        consecutive_gateway_failure: *written.consecutive_gateway_failure,
        enforcing_consecutive_gateway_failure: written.enforcing_consecutive_gateway_failure.0,
        split_external_local_origin_errors: *written.split_external_local_origin_errors,
        consecutive_local_origin_failure: *written.consecutive_local_origin_failure,
        enforcing_consecutive_local_origin_failure: written.enforcing_consecutive_local_origin_failure.0,
        interval: *written.interval,
        base_ejection_time: *written.base_ejection_time,
        max_ejection_time: written.max_ejection_time.as_ref().map_or(longest, |written| written.value),
        max_ejection_time_jitter: *written.max_ejection_time_jitter,
        max_ejection_percent: written.max_ejection_percent.0,
        always_eject_one_host: *written.always_eject_one_host,
        success_rate_minimum_hosts: *written.success_rate_minimum_hosts,
        success_rate_request_volume: *written.success_rate_request_volume,
        success_rate_stdev_factor: *written.success_rate_stdev_factor,
        enforcing_success_rate: written.enforcing_success_rate.0,
        failure_percentage_threshold: written.failure_percentage_threshold.0,
        enforcing_failure_percentage: written.enforcing_failure_percentage.0,
        failure_percentage_minimum_hosts: *written.failure_percentage_minimum_hosts,
        failure_percentage_request_volume: *written.failure_percentage_request_volume,
        update_merge_window: *written.update_merge_window,
        healthy_panic_threshold: written.healthy_panic_threshold.0 * 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::read_element;

    #[test]
    fn a_breaker_of_which_only_the_kind_is_written_is_the_original_s() {
        let table = [
            ("{}", BreakerConfig::Resilience4j(Resilience4jConfig::default())),
            ("{kind: polly}", BreakerConfig::Polly(PollyConfig::default())),
            ("{kind: hystrix}", BreakerConfig::Hystrix(HystrixConfig::default())),
            ("{kind: consecutive}", BreakerConfig::Consecutive(ConsecutiveConfig::default())),
            ("{kind: linkerd}", BreakerConfig::Linkerd(LinkerdConfig::default())),
            (
                "{kind: linkerd, mode: unified}",
                BreakerConfig::Linkerd(LinkerdConfig {
                    success_rate: Some(SuccessRateConfig::default()),
                    ..LinkerdConfig::default()
                }),
            ),
            ("{kind: envoy_outlier}", BreakerConfig::EnvoyOutlier(EnvoyOutlierConfig::default())),
        ];
        for (text, config) in table {
            assert_eq!(breaker(&read_element::<spec::Breaker>(text).unwrap()), config, "{text}");
        }
    }

    #[test]
    fn what_counts_can_be_said() {
        let read = |text| breaker(&read_element::<spec::Breaker>(text).unwrap());
        let BreakerConfig::Polly(polly) = read("{kind: polly, counts: [5xx, timeout]}") else { panic!() };
        assert_eq!(polly.handled, Outcomes::ERROR_5XX | Outcomes::TIMEOUT);
        let BreakerConfig::Hystrix(hystrix) = read("{kind: hystrix, ignore: []}") else { panic!() };
        assert_eq!(hystrix.bad_requests, Outcomes::NONE);
    }
}
