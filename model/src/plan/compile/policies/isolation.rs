//! Bulkheads, rate limits, throttles, balancers.

use squall_policies::Span;
use squall_policies::adaptive::{
    AdaptiveConfig, AimdConfig, AlgorithmConfig, Gradient2Config, VegasConfig, WindowConfig,
};
use squall_policies::balancer::{
    BalancerConfig, Choice, LeastRequestConfig, MaglevConfig, PeakEwmaConfig, RingHashConfig,
};
use squall_policies::bulkhead::BulkheadConfig;
use squall_policies::envoy_limits::EnvoyLimitsConfig;
use squall_policies::limiter::{LimiterConfig, Resilience4jConfig, SreConfig, TokenBucketConfig};
use squall_policies::thread_pool::ThreadPoolConfig;

use super::super::limit;
use super::outcomes_or;
use crate::plan::{Bulkhead, Throttle};
use crate::spec;

/// A bulkhead of any kind; `None` for one without a limit.
pub(in super::super) fn bulkhead(written: &spec::Bulkhead) -> Option<Bulkhead> {
    let semaphore = |written, max_wait| {
        let limit = limit(written);
        (limit != u32::MAX).then_some(Bulkhead::Semaphore(BulkheadConfig { limit, max_wait }))
    };
    match written {
        spec::Bulkhead::Plain(limit) => semaphore(*limit, Span::ZERO),
        spec::Bulkhead::Semaphore(settings) => semaphore(*settings.limit, *settings.wait),
        spec::Bulkhead::ThreadPool(settings) => Some(Bulkhead::ThreadPool(ThreadPoolConfig {
            core: *settings.core,
            max: *settings.max,
            queue: *settings.queue,
            queue_rejection: settings.queue_rejection.as_ref().map(|rejection| rejection.value),
            keep_alive: *settings.keep_alive,
        })),
        spec::Bulkhead::Envoy(settings) => Some(Bulkhead::Envoy(EnvoyLimitsConfig {
            max_connections: *settings.max_connections,
            max_pending_requests: *settings.max_pending_requests,
            max_requests: *settings.max_requests,
            connect: *settings.connect,
        })),
        spec::Bulkhead::Aimd(settings) => Some(Bulkhead::Adaptive(aimd(settings))),
        spec::Bulkhead::Vegas(settings) => Some(Bulkhead::Adaptive(vegas(settings))),
        spec::Bulkhead::Gradient2(settings) => Some(Bulkhead::Adaptive(gradient2(settings))),
    }
}

pub(super) fn aimd(written: &spec::Aimd) -> AdaptiveConfig {
    let config = AimdConfig {
        initial: *written.initial,
        min: *written.min,
        max: *written.max,
        timeout: *written.timeout,
        backoff_ratio: *written.backoff_ratio,
    };
    AdaptiveConfig { algorithm: AlgorithmConfig::Aimd(config), window: window(written.window.as_ref()) }
}

pub(super) fn vegas(written: &spec::Vegas) -> AdaptiveConfig {
    let config = VegasConfig {
        initial: *written.initial,
        max: *written.max,
        smoothing: *written.smoothing,
        probe_multiplier: *written.probe_multiplier,
    };
    AdaptiveConfig { algorithm: AlgorithmConfig::Vegas(config), window: window(written.window.as_ref()) }
}

pub(super) fn gradient2(written: &spec::Gradient2) -> AdaptiveConfig {
    let config = Gradient2Config {
        initial: *written.initial,
        min: *written.min,
        max: *written.max,
        smoothing: *written.smoothing,
        rtt_tolerance: *written.rtt_tolerance,
        queue: *written.queue,
        long_window: *written.long_window,
    };
    AdaptiveConfig { algorithm: AlgorithmConfig::Gradient2(config), window: window(written.window.as_ref()) }
}

fn window(written: Option<&spec::Spanned<spec::LimitWindow>>) -> Option<WindowConfig> {
    written.map(|window| WindowConfig { length: *window.length, samples: *window.samples, min_rtt: *window.min_rtt })
}

/// A rate limit of any kind.
pub(in super::super) fn rate_limit(written: &spec::RateLimit) -> LimiterConfig {
    match written {
        spec::RateLimit::Plain(rate) => LimiterConfig::TokenBucket(bucket(*rate, 1, Span::ZERO)),
        spec::RateLimit::TokenBucket(settings) => {
            LimiterConfig::TokenBucket(bucket(*settings.rate, *settings.burst, *settings.wait))
        }
        spec::RateLimit::Resilience4j(settings) => LimiterConfig::Resilience4j(Resilience4jConfig {
            limit_for_period: *settings.limit_for_period,
            limit_refresh_period: *settings.limit_refresh_period,
            timeout_duration: *settings.timeout_duration,
            blocking: *settings.blocking,
        }),
    }
}

/// So many permits a second, as a whole number in a span.
pub(super) fn bucket(rate: spec::Rate, burst: u32, max_wait: Span) -> TokenBucketConfig {
    let fits = |scale: u32| {
        let permits = rate.0 * f64::from(scale);
        permits >= 1.0 && permits <= f64::from(u32::MAX) && permits.fract() == 0.0
    };
    let scale = [1, 60, 1_000, 3_600_000].into_iter().find(|scale| fits(*scale)).unwrap_or(1_000);
    let permits = (rate.0 * f64::from(scale)).round() as u32;
    TokenBucketConfig { permits, per: Span::from_secs(u64::from(scale)), burst, max_wait }
}

/// A throttle of any kind.
pub(in super::super) fn throttle(written: &spec::Throttle) -> Throttle {
    match written {
        spec::Throttle::Sre(settings) => Throttle::Sre(SreConfig {
            multiplier: *settings.multiplier,
            window: *settings.window,
            rejections: outcomes_or(settings.rejections.as_ref(), SreConfig::default().rejections),
        }),
        spec::Throttle::AwsAdaptive(_) => Throttle::AwsAdaptive,
    }
}

/// A balancer of any kind.
pub(in super::super) fn balancer(written: &spec::Balancer) -> BalancerConfig {
    match written {
        spec::Balancer::RoundRobin(_) => BalancerConfig::RoundRobin,
        spec::Balancer::Random(_) => BalancerConfig::Random,
        spec::Balancer::LeastRequest(settings) => BalancerConfig::LeastRequest(LeastRequestConfig {
            choice: match *settings.choice {
                spec::Choice::WithReplacement => Choice::WithReplacement,
                spec::Choice::Distinct => Choice::Distinct,
                spec::Choice::FullScan => Choice::FullScan,
            },
            choices: *settings.choice_count,
        }),
        spec::Balancer::PeakEwma(settings) => BalancerConfig::PeakEwma(PeakEwmaConfig {
            default_rtt: *settings.default_rtt,
            decay: *settings.decay,
            choices: *settings.choice_count,
            penalize_unknown: *settings.penalize_unknown,
        }),
        spec::Balancer::RingHash(settings) => BalancerConfig::RingHash(RingHashConfig {
            min_size: *settings.minimum_ring_size,
            max_size: *settings.maximum_ring_size,
            balance_factor: *settings.hash_balance_factor,
        }),
        spec::Balancer::Maglev(settings) => BalancerConfig::Maglev(MaglevConfig {
            table_size: *settings.table_size,
            balance_factor: *settings.hash_balance_factor,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::read_element;

    #[test]
    fn what_only_says_its_kind_is_the_original_s() {
        let bulkhead = |text| bulkhead(&read_element::<spec::Bulkhead>(text).unwrap());
        assert_eq!(bulkhead("unlimited"), None);
        assert_eq!(bulkhead("{}"), Some(Bulkhead::Semaphore(BulkheadConfig::default())));
        assert_eq!(bulkhead("{kind: thread_pool}"), Some(Bulkhead::ThreadPool(ThreadPoolConfig::default())));
        assert_eq!(bulkhead("{kind: envoy}"), Some(Bulkhead::Envoy(EnvoyLimitsConfig::default())));
        let balancer = |text| balancer(&read_element::<spec::Balancer>(text).unwrap());
        assert_eq!(balancer("least_request"), BalancerConfig::LeastRequest(LeastRequestConfig::default()));
        assert_eq!(balancer("peak_ewma"), BalancerConfig::PeakEwma(PeakEwmaConfig::default()));
        assert_eq!(balancer("{kind: ring_hash}"), BalancerConfig::RingHash(RingHashConfig::default()));
        assert_eq!(balancer("maglev"), BalancerConfig::Maglev(MaglevConfig::default()));
        let throttle = |text| throttle(&read_element::<spec::Throttle>(text).unwrap());
        assert_eq!(throttle("sre"), Throttle::Sre(SreConfig::default()));
        let limit = rate_limit(&read_element::<spec::RateLimit>("{kind: resilience4j}").unwrap());
        assert_eq!(limit, LimiterConfig::Resilience4j(Resilience4jConfig::default()));
    }

    #[test]
    fn a_rate_is_a_whole_number_of_permits_in_some_span() {
        let table = [(100.0, 100, 1), (0.5, 30, 60), (1.0 / 60.0, 1, 60), (0.001, 1, 1_000), (2.345, 2345, 1_000)];
        for (rate, permits, seconds) in table {
            let bucket = bucket(spec::Rate(rate), 1, Span::ZERO);
            assert_eq!((bucket.permits, bucket.per), (permits, Span::from_secs(seconds)), "{rate}");
        }
    }
}
