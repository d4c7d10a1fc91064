//! Circuit breakers, in the manner of several libraries. The fields are the originals', in snake case.

use super::Trouble;
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, kinds, words};
use crate::spec::values::{OpenFor, Percent, Share, Window};

kinds! {
    /// Stops calling what fails.
    "a breaker"
    pub enum Breaker = "resilience4j" {
        /// By failure and slow rate over a window.
        Resilience4j(Resilience4jBreaker) = "resilience4j",
        /// By failure ratio over a sampling time.
        Polly(PollyBreaker) = "polly",
        /// By error percentage over rolling buckets.
        Hystrix(HystrixBreaker) = "hystrix",
        /// Ejects single replicas.
        EnvoyOutlier(EnvoyOutlier) = "envoy_outlier",
        /// By failures in a row, per replica.
        Linkerd(LinkerdBreaker) = "linkerd",
        /// By failures in a row.
        Consecutive(ConsecutiveBreaker) = "consecutive",
    }
}

element! {
    /// By failure and slow rate over a window.
    "a resilience4j breaker"
    pub struct Resilience4jBreaker {
        /// The calls it looks back on, by number or by time. Default 100.
        window: Spanned<Window> = Spanned::unwritten(Window::Calls(100)),
        /// Opens at this share of failures. Default 50%.
        failure_rate: Spanned<Share> = Spanned::unwritten(Share(0.5)),
        /// Calls before it decides. Default 100.
        minimum_calls: Spanned<u32> = Spanned::unwritten(100),
        /// Opens at this share of slow calls. Default 100%.
        slow_rate: Spanned<Share> = Spanned::unwritten(Share(1.0)),
        /// A call that takes longer is slow. Default 60s.
        slow_after: Spanned<Span> = Spanned::unwritten(Span::from_secs(60)),
        /// How long it stays open. Default 60s.
        open_for: Spanned<OpenFor> = Spanned::unwritten(OpenFor::Constant(Span::from_secs(60))),
        /// Calls let through to try. Default 10.
        half_open_calls: Spanned<u32> = Spanned::unwritten(10),
        /// Longest time half open; 0s is no limit. Default 0s.
        half_open_limit: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// Where that limit leads. Default `open`.
        after_half_open_limit: Spanned<BreakerState> = Spanned::unwritten(BreakerState::Open),
        /// Goes half open by itself, without a call. Default false.
        auto_half_open: Spanned<bool> = Spanned::unwritten(false),
        /// Outcomes that count as failures. Default: all that is no success.
        counts: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
        /// Outcomes that count as neither success nor failure. Default: none.
        ignore: Vec<Spanned<Trouble>> = Vec::new(),
        /// The state it begins in. Default `closed`.
        initial_state: Spanned<InitialState> = Spanned::unwritten(InitialState::Closed),
        /// What the clock said at the start: time windows are aligned to its seconds. Default 0s.
        clock_start: Spanned<Span> = Spanned::unwritten(Span::ZERO),
    }
}

words! {
    /// Where a breaker goes when it has been half open for too long.
    "a breaker state"
    pub enum BreakerState {
        /// Lets nothing through.
        Open = "open",
        /// Lets everything through.
        Closed = "closed",
    }
}

words! {
    /// The state that a breaker begins in.
    "an initial state"
    pub enum InitialState {
        /// Lets everything through, and counts.
        Closed = "closed",
        /// Lets nothing through, for `open_for`.
        Open = "open",
        /// Lets some through to try.
        HalfOpen = "half_open",
        /// Lets nothing through, for ever.
        ForcedOpen = "forced_open",
        /// Lets everything through, and counts nothing.
        Disabled = "disabled",
        /// Lets everything through, counts, and never opens.
        MetricsOnly = "metrics_only",
    }
}

element! {
    /// By failure ratio over a sampling time.
    "a polly breaker"
    pub struct PollyBreaker {
        /// Opens at this share of failures. Default 10%.
        failure_ratio: Spanned<Share> = Spanned::unwritten(Share(0.1)),
        /// Calls before it decides. Default 100.
        minimum_throughput: Spanned<u32> = Spanned::unwritten(100),
        /// The time it looks back on. Default 30s.
        sampling_duration: Spanned<Span> = Spanned::unwritten(Span::from_secs(30)),
        /// How long it stays open. Default 5s.
        break_duration: Spanned<OpenFor> = Spanned::unwritten(OpenFor::Constant(Span::from_secs(5))),
        /// Outcomes that count as failures; others are successes. Default: all that is no success.
        counts: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
    }
}

element! {
    /// By error percentage over rolling buckets.
    "a hystrix breaker"
    pub struct HystrixBreaker {
        /// Calls before it decides. Default 20.
        request_volume_threshold: Spanned<u32> = Spanned::unwritten(20),
        /// Opens at this share of errors. Default 50%.
        error_threshold_percentage: Spanned<Percent> = Spanned::unwritten(Percent(50)),
        /// How long it stays open. Default 5s.
        sleep_window: Spanned<Span> = Spanned::unwritten(Span::from_secs(5)),
        /// The time it looks back on. Default 10s.
        rolling_window: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// How often it looks. Default 500ms.
        health_snapshot_interval: Spanned<Span> = Spanned::unwritten(Span::from_millis(500)),
        /// Outcomes that are the caller's own fault and do not count. Default: client errors other than 408 and 409.
        ignore: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
    }
}

element! {
    /// Ejects single replicas.
    "an envoy outlier detection"
    pub struct EnvoyOutlier {
        /// Errors in a row that eject. Default 5.
        consecutive_5xx: Spanned<u32> = Spanned::unwritten(5),
        /// Chance that such an ejection is carried out. Default 100%.
        enforcing_consecutive_5xx: Spanned<Percent> = Spanned::unwritten(Percent(100)),
        /// Gateway errors in a row that eject. Default 5.
        consecutive_gateway_failure: Spanned<u32> = Spanned::unwritten(5),
        /// Chance that such an ejection is carried out. Default 0%.
        enforcing_consecutive_gateway_failure: Spanned<Percent> = Spanned::unwritten(Percent(0)),
        /// Connection errors in a row that eject, if they are counted apart. Default 5.
        consecutive_local_origin_failure: Spanned<u32> = Spanned::unwritten(5),
        /// Chance that such an ejection is carried out. Default 100%.
        enforcing_consecutive_local_origin_failure: Spanned<Percent> = Spanned::unwritten(Percent(100)),
        /// Counts connection errors apart. Default false.
        split_external_local_origin_errors: Spanned<bool> = Spanned::unwritten(false),
        /// How often it looks. Default 10s.
        interval: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// How long the first ejection lasts; each next one that much longer. Default 30s.
        base_ejection_time: Spanned<Span> = Spanned::unwritten(Span::from_secs(30)),
        /// Longest ejection. Default: 300s, or the base if that is longer.
        max_ejection_time: Option<Spanned<Span>> = None,
        /// Random addition to an ejection. Default 0s.
        max_ejection_time_jitter: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// Share of replicas that may be out. Default 10%.
        max_ejection_percent: Spanned<Percent> = Spanned::unwritten(Percent(10)),
        /// One may be out whatever that share says. Default false.
        always_eject_one_host: Spanned<bool> = Spanned::unwritten(false),
        /// Replicas with enough requests before success rates are compared. Default 5.
        success_rate_minimum_hosts: Spanned<u32> = Spanned::unwritten(5),
        /// Requests that are enough. Default 100.
        success_rate_request_volume: Spanned<u32> = Spanned::unwritten(100),
        /// Thousandths of a standard deviation below the mean that eject. Default 1900.
        success_rate_stdev_factor: Spanned<u32> = Spanned::unwritten(1900),
        /// Chance that such an ejection is carried out. Default 100%.
        enforcing_success_rate: Spanned<Percent> = Spanned::unwritten(Percent(100)),
        /// Share of failures that ejects. Default 85%.
        failure_percentage_threshold: Spanned<Percent> = Spanned::unwritten(Percent(85)),
        /// Chance that such an ejection is carried out. Default 0%.
        enforcing_failure_percentage: Spanned<Percent> = Spanned::unwritten(Percent(0)),
        /// Replicas with enough requests before that. Default 5.
        failure_percentage_minimum_hosts: Spanned<u32> = Spanned::unwritten(5),
        /// Requests that are enough. Default 50.
        failure_percentage_request_volume: Spanned<u32> = Spanned::unwritten(50),
        /// Below this share of healthy replicas all are used. Default 50%.
        healthy_panic_threshold: Spanned<Share> = Spanned::unwritten(Share(0.5)),
        /// How long further health changes are held back after one. Default 1s.
        update_merge_window: Spanned<Span> = Spanned::unwritten(Span::from_secs(1)),
    }
}

element! {
    /// By failures in a row, per replica.
    "a linkerd breaker"
    pub struct LinkerdBreaker {
        /// What trips it. Default `consecutive`.
        mode: Spanned<LinkerdMode> = Spanned::unwritten(LinkerdMode::Consecutive),
        /// Failures in a row that trip it; with `unified` 0 leaves it to the share of successes. Default 7.
        max_failures: Spanned<u32> = Spanned::unwritten(7),
        /// How long it stays shut the first time; twice as long each next time. Default 1s.
        min_penalty: Spanned<Span> = Spanned::unwritten(Span::from_secs(1)),
        /// Longest time shut. Default 1m.
        max_penalty: Spanned<Span> = Spanned::unwritten(Span::from_secs(60)),
        /// Random addition, as a ratio from 0 to 100. Default 0.5.
        jitter_ratio: Spanned<f64> = Spanned::unwritten(0.5),
        /// `unified`: trips below this share of successes. Default 80%.
        success_ratio: Spanned<Share> = Spanned::unwritten(Share(0.8)),
        /// `unified`: the time it looks back on. Default 10s.
        window: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// `unified`: calls before it decides. Default 5.
        min_samples: Spanned<u32> = Spanned::unwritten(5),
        /// Outcomes that count as failures. Default: 5xx, rejected, timeout, refused.
        counts: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
    }
}

words! {
    /// What trips a Linkerd breaker.
    "a mode"
    pub enum LinkerdMode {
        /// Failures in a row.
        Consecutive = "consecutive",
        /// Failures in a row, or the share of successes.
        Unified = "unified",
    }
}

element! {
    /// By failures in a row.
    "a consecutive breaker"
    pub struct ConsecutiveBreaker {
        /// Failures in a row that open it. Default 5.
        failures: Spanned<u32> = Spanned::unwritten(5),
        /// How long it stays open. Default 5s.
        open_for: Spanned<OpenFor> = Spanned::unwritten(OpenFor::Constant(Span::from_secs(5))),
        /// Calls that must succeed before it closes. Default 1.
        half_open_calls: Spanned<u32> = Spanned::unwritten(1),
        /// Outcomes that count as failures. Default: all that is no success.
        counts: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
        /// Outcomes that count as neither success nor failure. Default: none.
        ignore: Vec<Spanned<Trouble>> = Vec::new(),
    }
}
