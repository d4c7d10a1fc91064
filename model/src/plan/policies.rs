//! The policies of a plan that are several of `squall-policies` under one name, and the order in which those of a call
//! stand around it.

use squall_policies::Span;
use squall_policies::adaptive::AdaptiveConfig;
use squall_policies::bulkhead::BulkheadConfig;
use squall_policies::envoy_limits::EnvoyLimitsConfig;
use squall_policies::limiter::{SreConfig, TokenBucketConfig};
use squall_policies::thread_pool::ThreadPoolConfig;

/// A limit of calls at the same time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bulkhead {
    /// So many at once; who finds it full may wait.
    Semaphore(BulkheadConfig),
    /// Threads with a queue.
    ThreadPool(ThreadPoolConfig),
    /// Envoy's connections, pending requests and requests.
    Envoy(EnvoyLimitsConfig),
    /// A limit that follows latency.
    Adaptive(AdaptiveConfig),
}

impl Bulkhead {
    /// How many calls may be under way at once, where that is fixed.
    pub fn limit(&self) -> Option<u32> {
        match self {
            Self::Semaphore(config) => Some(config.limit),
            Self::ThreadPool(config) => Some(config.max),
            Self::Envoy(config) => Some(config.max_requests.min(config.max_connections)),
            Self::Adaptive(_) => None,
        }
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), squall_policies::Invalid> {
        match self {
            Self::Semaphore(_) => Ok(()),
            Self::ThreadPool(config) => config.check(),
            Self::Envoy(config) => config.check(),
            Self::Adaptive(config) => config.check(),
        }
    }
}

/// A client that holds itself back when it is turned away.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Throttle {
    /// Google SRE's.
    Sre(SreConfig),
    /// The AWS SDKs' adaptive mode.
    AwsAdaptive,
}

impl Throttle {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), squall_policies::Invalid> {
        match self {
            Self::Sre(config) => config.check(),
            Self::AwsAdaptive => Ok(()),
        }
    }
}

/// What a replica lets in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Admission {
    /// Requests in a span of time; more are answered 429.
    pub rate: Option<TokenBucketConfig>,
    /// Requests at the same time; more are answered 503.
    pub concurrency: Option<Concurrency>,
    /// The share of those that is kept for critical endpoints, 0 to 1.
    pub reserve: f64,
    /// How long it tells those that it turns away to stay away.
    pub retry_after: Option<Span>,
}

impl Admission {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), squall_policies::Invalid> {
        self.rate.map_or(Ok(()), |rate| rate.check())?;
        match self.concurrency {
            Some(Concurrency::Adaptive(config)) => config.check(),
            _ => Ok(()),
        }
    }
}

/// How many requests may be in a replica at the same time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Concurrency {
    /// So many.
    Fixed(u32),
    /// As latency says.
    Adaptive(AdaptiveConfig),
}

/// A policy that stands around a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// Tries again.
    Retry,
    /// Holds back when the callee turns calls away.
    Throttle,
    /// Stops calling what fails.
    Breaker,
    /// Limits calls in a span of time.
    RateLimit,
    /// Limits calls at the same time.
    Bulkhead,
    /// Limits the time of what is inside of it.
    Timeout,
}

impl Layer {
    /// The word of the file for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Throttle => "throttle",
            Self::Breaker => "breaker",
            Self::RateLimit => "rate_limit",
            Self::Bulkhead => "bulkhead",
            Self::Timeout => "timeout",
        }
    }
}

/// The policies around a call that it has, outside in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layers {
    all: [Layer; 6],
    count: u8,
}

impl Layers {
    /// Those of `all` that there are.
    pub fn new(all: [Layer; 6], there_is: impl Fn(Layer) -> bool) -> Self {
        let (mut kept, mut count) = (all, 0);
        for layer in all.into_iter().filter(|layer| there_is(*layer)) {
            kept[count] = layer;
            count += 1;
        }
        Self { all: kept, count: count as u8 }
    }

    /// The one at this depth, if the call itself is not reached there.
    pub fn at(&self, depth: u8) -> Option<Layer> {
        (depth < self.count).then(|| self.all[usize::from(depth)])
    }

    /// Outside in.
    pub fn iter(&self) -> impl Iterator<Item = Layer> {
        self.all.into_iter().take(usize::from(self.count))
    }

    /// How deep a layer stands.
    pub fn depth_of(&self, layer: Layer) -> Option<u8> {
        self.iter().position(|other| other == layer).map(|depth| depth as u8)
    }

    /// The last one before the call itself.
    pub fn innermost(&self) -> Option<Layer> {
        self.count.checked_sub(1).and_then(|depth| self.at(depth))
    }
}
