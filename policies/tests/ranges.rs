//! Every configuration's defaults are valid, and so are the very edges of its ranges; the files' own tests have what lies
//! past them.

use squall_policies::adaptive::{AimdConfig, Gradient2Config, VegasConfig, WindowConfig};
use squall_policies::balancer::{Choice, LeastRequestConfig, MaglevConfig, PeakEwmaConfig, RingHashConfig};
use squall_policies::breaker::{
    ConsecutiveConfig, EnvoyOutlierConfig, HystrixConfig, LinkerdConfig, PollyConfig, Resilience4jConfig,
    SuccessRateConfig, Window,
};
use squall_policies::budget::{
    AwsConfig, EnvoyBudgetConfig, GrpcConfig, RatioConfig, ShareConfig, TokenBucketConfig as BudgetBucket,
};
use squall_policies::hedge::HedgeConfig;
use squall_policies::limiter::{Resilience4jConfig as Cycles, SreConfig, TokenBucketConfig as RateBucket};
use squall_policies::queue::{CoDelConfig, Patience, QueueConfig};
use squall_policies::retry::{Backoff, Jitter, RetryConfig};
use squall_policies::thread_pool::ThreadPoolConfig;
use squall_policies::{Interval, Span};

const MS: fn(u64) -> Span = Span::from_millis;
const NS: Span = Span::from_nanos(1);

macro_rules! valid {
    ($($config:expr),+ $(,)?) => { $( assert_eq!($config.check(), Ok(()), "{:?}", $config); )+ };
}

#[test]
fn every_default_is_valid() {
    valid!(
        AimdConfig::default(),
        VegasConfig::default(),
        Gradient2Config::default(),
        WindowConfig::default(),
        LeastRequestConfig::default(),
        MaglevConfig::default(),
        PeakEwmaConfig::default(),
        RingHashConfig::default(),
        ConsecutiveConfig::default(),
        EnvoyOutlierConfig::default(),
        HystrixConfig::default(),
        LinkerdConfig::default(),
        PollyConfig::default(),
        Resilience4jConfig::default(),
        AwsConfig::default(),
        EnvoyBudgetConfig::default(),
        GrpcConfig::default(),
        RatioConfig::default(),
        ShareConfig::default(),
        BudgetBucket::default(),
        HedgeConfig::default(),
        Cycles::default(),
        SreConfig::default(),
        RateBucket::default(),
        CoDelConfig::default(),
        QueueConfig::default(),
        RetryConfig::default(),
        ThreadPoolConfig::default(),
    );
}

#[test]
fn the_edges_of_breakers_ranges_are_valid() {
    let one_ms = Interval::Fixed(MS(1));
    let (rate, day) = (SuccessRateConfig { threshold: 1.0, window: MS(10), minimum: 0 }, Span::from_secs(86_400));
    valid!(
        Resilience4jConfig {
            window: Window::Calls(1),
            minimum_calls: 1,
            failure_rate: 100.0,
            slow_rate: 100.0,
            slow_after: NS,
            half_open_calls: 1,
            open_for: one_ms,
            ..Resilience4jConfig::default()
        },
        PollyConfig { failure_ratio: 1.0, minimum_throughput: 2, break_duration: day, ..PollyConfig::default() },
        PollyConfig { break_duration: MS(500), sampling_duration: day, ..PollyConfig::default() },
        HystrixConfig { error_threshold_percentage: 100, rolling_window: MS(500), ..HystrixConfig::default() },
        ConsecutiveConfig { failures: 1, half_open_calls: 1, open_for: one_ms, ..ConsecutiveConfig::default() },
        LinkerdConfig { min_penalty: NS, max_penalty: NS, jitter_ratio: 100.0, ..LinkerdConfig::default() },
        LinkerdConfig { success_rate: Some(rate), ..LinkerdConfig::default() },
        EnvoyOutlierConfig {
            interval: MS(1),
            base_ejection_time: MS(1),
            max_ejection_percent: 100,
            healthy_panic_threshold: 100.0,
            ..EnvoyOutlierConfig::default()
        },
    );
}

#[test]
fn the_edges_of_retries_and_budgets_ranges_are_valid() {
    let same = MS(5);
    valid!(
        Interval::Exponential { initial: MS(1), multiplier: 1.0, max: MS(1) },
        Interval::Randomized { around: MS(1), factor: 0.0 },
        Backoff::Linear { step: same, cap: same },
        Backoff::Exponential { base: same, factor: 1.0, cap: same },
        Backoff::Envoy { base: MS(1), max: MS(1) },
        Jitter::Proportional(1.0),
        Jitter::Additive { ratio: 100.0, within_cap: false },
        RetryConfig { attempts: 1, ..RetryConfig::default() },
        ShareConfig { share: 0.0, ttl: Span::from_nanos(10) },
        ShareConfig { share: 100.0, ..ShareConfig::default() },
        BudgetBucket { capacity: 1.0, cost: 1.0, per_call: 0.0, per_second: 1e9, ..BudgetBucket::default() },
        RatioConfig { percent_can_retry: 1000.0, ttl: Span::from_secs(1), ..RatioConfig::default() },
        RatioConfig { percent_can_retry: 0.0, ttl: Span::from_secs(60), ..RatioConfig::default() },
        GrpcConfig { max_tokens: 1000, token_ratio: 0.001, ..GrpcConfig::default() },
        AwsConfig { capacity: 1, ..AwsConfig::default() },
        HedgeConfig { attempts: 10, ..HedgeConfig::default() },
    );
}

#[test]
fn the_edges_of_limits_and_balancers_ranges_are_valid() {
    valid!(
        AimdConfig { min: 1, max: 1, backoff_ratio: 0.5, ..AimdConfig::default() },
        VegasConfig { initial: 1, max: 1, smoothing: 1.0, ..VegasConfig::default() },
        Gradient2Config { min: 1, max: 1, rtt_tolerance: 1.0, smoothing: 1.0, long_window: 1, ..Default::default() },
        WindowConfig { length: MS(100), samples: 10, ..WindowConfig::default() },
        Cycles { limit_for_period: 1, limit_refresh_period: NS, ..Cycles::default() },
        RateBucket { permits: 1, per: NS, burst: 1, ..RateBucket::default() },
        SreConfig { multiplier: 1.0, window: Span::from_nanos(120), ..SreConfig::default() },
        QueueConfig { patience: Patience::Controlled { short: MS(5), long: MS(5) }, ..QueueConfig::default() },
        CoDelConfig { target: NS, interval: Span::from_nanos(2), ..CoDelConfig::default() },
        ThreadPoolConfig { core: 1, max: 1, ..ThreadPoolConfig::default() },
        ThreadPoolConfig { core: 0, max: 1, ..ThreadPoolConfig::default() },
        LeastRequestConfig { choice: Choice::Distinct, choices: 8 },
        LeastRequestConfig { choice: Choice::WithReplacement, choices: 1 },
        PeakEwmaConfig { choices: 8, decay: NS, ..PeakEwmaConfig::default() },
        RingHashConfig { min_size: 8 << 20, max_size: 8 << 20, balance_factor: 100 },
        MaglevConfig { table_size: 3, balance_factor: 100 },
    );
}
