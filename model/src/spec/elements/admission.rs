//! What a replica lets in.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, kinds};
use crate::spec::values::{Rate, Share, StayAway};

element! {
    /// What a replica lets in.
    "an admission setting"
    pub struct Admission {
        /// Requests a second; more are answered 429. Default: any number.
        rate: Option<Spanned<Rate>> = None,
        /// How many may come at once before the rate counts. Default 1.
        burst: Spanned<u32> = Spanned::unwritten(1),
        /// Requests at the same time; more are answered 503. Default: any number.
        concurrency: Option<Spanned<Concurrency>> = None,
        /// Share of `concurrency` that is kept for critical endpoints. Default 0%.
        reserve: Spanned<Share> = Spanned::unwritten(Share(0.0)),
        /// What it tells those that it turns away: how long to stay away (`Retry-After`), or `for_good` (gRPC's pushback).
        /// Default: nothing.
        retry_after: Option<Spanned<StayAway>> = None,
    }
}

kinds! {
    /// How many requests may be in a replica at the same time.
    "a count such as `100`, or a limiter with a `kind`"
    pub enum Concurrency or Fixed(u32) {
        /// Additive increase, multiplicative decrease.
        Aimd(Aimd) = "aimd",
        /// By the queue that the latency betrays.
        Vegas(Vegas) = "vegas",
        /// By the ratio of long-term to short-term latency.
        Gradient2(Gradient2) = "gradient2",
    }
}

element! {
    /// Additive increase, multiplicative decrease.
    "an aimd limiter"
    pub struct Aimd {
        /// First limit. Default 20.
        initial: Spanned<u32> = Spanned::unwritten(20),
        /// Least limit. Default 20.
        min: Spanned<u32> = Spanned::unwritten(20),
        /// Largest limit. Default 200.
        max: Spanned<u32> = Spanned::unwritten(200),
        /// A latency above this counts as a drop. Default 5s.
        timeout: Spanned<Span> = Spanned::unwritten(Span::from_secs(5)),
        /// What a drop multiplies the limit by. Default 0.9.
        backoff_ratio: Spanned<f64> = Spanned::unwritten(0.9),
        /// Takes one sample a window instead of one a request. Default: it does not.
        window: Option<Spanned<LimitWindow>> = None,
    }
}

element! {
    /// By the queue that the latency betrays.
    "a vegas limiter"
    pub struct Vegas {
        /// First limit. Default 20.
        initial: Spanned<u32> = Spanned::unwritten(20),
        /// Largest limit. Default 1000.
        max: Spanned<u32> = Spanned::unwritten(1000),
        /// Weight of a new limit. Default 1.
        smoothing: Spanned<f64> = Spanned::unwritten(1.0),
        /// The least latency is measured anew after about this many times the limit. Default 30.
        probe_multiplier: Spanned<u32> = Spanned::unwritten(30),
        /// Takes one sample a window instead of one a request. Default: it does not.
        window: Option<Spanned<LimitWindow>> = None,
    }
}

element! {
    /// By the ratio of long-term to short-term latency.
    "a gradient2 limiter"
    pub struct Gradient2 {
        /// First limit. Default 20.
        initial: Spanned<u32> = Spanned::unwritten(20),
        /// Least limit. Default 20.
        min: Spanned<u32> = Spanned::unwritten(20),
        /// Largest limit. Default 200.
        max: Spanned<u32> = Spanned::unwritten(200),
        /// Weight of a new limit. Default 0.2.
        smoothing: Spanned<f64> = Spanned::unwritten(0.2),
        /// How much slower than usual is still fine. Default 1.5.
        rtt_tolerance: Spanned<f64> = Spanned::unwritten(1.5),
        /// Requests that may queue. Default 4.
        queue: Spanned<u32> = Spanned::unwritten(4),
        /// Samples in the long-term mean. Default 600.
        long_window: Spanned<u32> = Spanned::unwritten(600),
        /// Takes one sample a window instead of one a request. Default: it does not.
        window: Option<Spanned<LimitWindow>> = None,
    }
}

element! {
    /// Samples of a limit are gathered, and count as one: the mean latency, the most requests at once, and any drop.
    "a window of samples"
    pub struct LimitWindow short "length" {
        /// How long it is at least. Default 1s.
        length: Spanned<Span> = Spanned::unwritten(Span::from_secs(1)),
        /// How many samples it has at least. Default 10.
        samples: Spanned<u32> = Spanned::unwritten(10),
        /// Shorter latencies are left out. Default 100us.
        min_rtt: Spanned<Span> = Spanned::unwritten(Span::from_micros(100)),
    }
}
