//! A cache, with a fixed hit rate or one that follows from its keys.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::element;
use crate::spec::values::{Dist, Share};

element! {
    /// A cache.
    "a cache"
    pub struct Cache {
        /// How long an access takes. Default 0s.
        latency: Spanned<Dist> = Spanned::unwritten(Dist::Constant(Span::ZERO)),
        /// A fixed share of hits.
        hit_rate: Option<Spanned<Share>> = None,
        /// Instead: how many different keys are asked for.
        keys: Option<Spanned<u64>> = None,
        /// How unevenly; 0 is evenly. Default 1.
        zipf: Spanned<f64> = Spanned::unwritten(1.0),
        /// Keys it can hold. Default: all.
        capacity: Option<Spanned<u64>> = None,
        /// How long it holds one. Default: for ever.
        ttl: Option<Spanned<Span>> = None,
    }
}
