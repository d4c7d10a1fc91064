//! What keeps a caller from asking too much of one callee: bulkheads, rate limits, throttles.

use super::{Aimd, Gradient2, Vegas};
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, kinds};
use crate::spec::values::{Limit, Rate};

kinds! {
    /// A limit of calls at the same time.
    "a bulkhead: a count such as `20`, or one with a `kind`"
    pub enum Bulkhead = "semaphore" or Plain(Limit) {
        /// So many at once; who finds it full may wait.
        Semaphore(Semaphore) = "semaphore",
        /// Threads with a queue, as Java's executor fills them.
        ThreadPool(ThreadPool) = "thread_pool",
        /// Envoy's connections, pending requests and requests.
        Envoy(EnvoyLimits) = "envoy",
        /// A limit that follows latency: additive increase, multiplicative decrease.
        Aimd(Aimd) = "aimd",
        /// A limit that follows latency: by the queue that it betrays.
        Vegas(Vegas) = "vegas",
        /// A limit that follows latency: by the ratio of long-term to short-term.
        Gradient2(Gradient2) = "gradient2",
    }
}

element! {
    /// So many at once; who finds it full may wait, first come first served.
    "a semaphore"
    pub struct Semaphore {
        /// Calls at the same time. Default 25, as resilience4j's.
        limit: Spanned<Limit> = Spanned::unwritten(Limit::Count(25)),
        /// Longest wait for a place. Default 0s.
        wait: Spanned<Span> = Spanned::unwritten(Span::ZERO),
    }
}

element! {
    /// Threads with a queue: core threads first, then the queue, more threads only when it is full.
    "a thread pool"
    pub struct ThreadPool {
        /// Threads that are always kept. Default 3.
        core: Spanned<u32> = Spanned::unwritten(3),
        /// Threads at most. Default 4.
        max: Spanned<u32> = Spanned::unwritten(4),
        /// Calls that may wait; 0 hands over without a queue. Default 100.
        queue: Spanned<u32> = Spanned::unwritten(100),
        /// Waiting calls from which on one is refused, whatever the queue could hold (Hystrix). Default: none.
        queue_rejection: Option<Spanned<u32>> = None,
        /// How long an idle thread beyond the core lives. Default 20ms.
        keep_alive: Spanned<Span> = Spanned::unwritten(Span::from_millis(20)),
    }
}

element! {
    /// Envoy's limits on one cluster, over HTTP/1.1.
    "envoy limits"
    pub struct EnvoyLimits {
        /// Connections at once. Default 1024.
        max_connections: Spanned<u32> = Spanned::unwritten(1024),
        /// Requests that may wait for one, also while their own is being opened. Default 1024.
        max_pending_requests: Spanned<u32> = Spanned::unwritten(1024),
        /// Requests at once. Default 1024.
        max_requests: Spanned<u32> = Spanned::unwritten(1024),
        /// What opening a connection takes. Default 0s.
        connect: Spanned<Span> = Spanned::unwritten(Span::ZERO),
    }
}

kinds! {
    /// A limit of calls in a span of time.
    "a rate limit: a rate such as `100/s`, or one with a `kind`"
    pub enum RateLimit = "token_bucket" or Plain(Rate) {
        /// A bucket of permits.
        TokenBucket(RateBucket) = "token_bucket",
        /// resilience4j's cycles.
        Resilience4j(RateCycles) = "resilience4j",
    }
}

element! {
    /// A bucket of permits, full at the start.
    "a rate limit"
    pub struct RateBucket {
        /// Calls a second.
        rate: Spanned<Rate>,
        /// How many may go at once before the rate counts. Default 1.
        burst: Spanned<u32> = Spanned::unwritten(1),
        /// Longest wait for a permit. Default 0s.
        wait: Spanned<Span> = Spanned::unwritten(Span::ZERO),
    }
}

element! {
    /// Cycles with so many permits each.
    "a resilience4j rate limiter"
    pub struct RateCycles {
        /// Permits a cycle. Default 50.
        limit_for_period: Spanned<u32> = Spanned::unwritten(50),
        /// Length of a cycle. Default 500ns.
        limit_refresh_period: Spanned<Span> = Spanned::unwritten(Span::from_nanos(500)),
        /// Longest wait for a permit. Default 5s.
        timeout_duration: Spanned<Span> = Spanned::unwritten(Span::from_secs(5)),
        /// A call that gets none waits that long all the same before it fails, as the original's blocking calls do.
        /// Default true.
        blocking: Spanned<bool> = Spanned::unwritten(true),
    }
}

kinds! {
    /// A client that holds itself back when it is turned away.
    "a throttle"
    pub enum Throttle by word {
        /// Google SRE's: drops a share of the calls, as many as the callee turns away.
        Sre(SreThrottle) = "sre",
        /// The AWS SDKs' adaptive mode: waits for a send rate that rate limits push down.
        AwsAdaptive(AwsAdaptive) = "aws_adaptive",
    }
}

element! {
    /// Google SRE's client-side throttling.
    "an sre throttle"
    pub struct SreThrottle {
        /// K: calls let through for each that is accepted. Default 2.
        multiplier: Spanned<f64> = Spanned::unwritten(2.0),
        /// How long a call counts. Default 2m.
        window: Spanned<Span> = Spanned::unwritten(Span::from_secs(120)),
        /// What says that the callee turned a call away. Default: rejected, rate_limited.
        rejections: Option<Spanned<Vec<Spanned<super::Trouble>>>> = None,
    }
}

element! {
    /// The AWS SDKs' adaptive mode. It has no settings.
    "an aws_adaptive throttle"
    pub struct AwsAdaptive {}
}
