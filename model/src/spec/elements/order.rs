//! In which order the policies of a call stand around it.

use serde_json::{Value as Json, json};

use crate::spec::Spanned;
use crate::spec::decode::{Cx, Decode, Defs, any_of, words};
use crate::spec::tree::{Kind, Node};

words! {
    /// A policy that can be moved.
    "a policy that can be moved"
    pub enum Layer {
        /// Tries again.
        Retry = "retry",
        /// Holds back when the callee turns calls away.
        Throttle = "throttle",
        /// Stops calling what fails.
        Breaker = "breaker",
        /// Limits calls in a span of time.
        RateLimit = "rate_limit",
        /// Limits calls at the same time.
        Bulkhead = "bulkhead",
        /// Of one attempt.
        Timeout = "timeout",
    }
}

words! {
    /// The order of a library.
    "an order: a list of policies, or the name of a library"
    pub enum KnownOrder {
        /// resilience4j's under Spring: retry, breaker, rate_limit, timeout, bulkhead.
        Resilience4j = "resilience4j",
        /// .NET's standard pipeline: bulkhead, retry, breaker, timeout.
        Dotnet = "dotnet",
        /// Envoy's: retry, timeout, bulkhead; its outlier detection is part of choosing a replica.
        Envoy = "envoy",
    }
}

impl KnownOrder {
    /// The layers, outside in.
    pub const fn layers(self) -> [Layer; 6] {
        match self {
            Self::Resilience4j | Self::Envoy => {
                [Layer::Retry, Layer::Throttle, Layer::Breaker, Layer::RateLimit, Layer::Timeout, Layer::Bulkhead]
            }
            Self::Dotnet => {
                [Layer::Bulkhead, Layer::RateLimit, Layer::Retry, Layer::Throttle, Layer::Breaker, Layer::Timeout]
            }
        }
    }
}

/// An order: a library's, or layers by name.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// A library's.
    Known(KnownOrder),
    /// These stand as listed, at the places that they have in the default order; all others stay.
    Listed(Vec<Spanned<Layer>>),
}

impl Order {
    /// Outside in, where nothing is said.
    pub const DEFAULT: [Layer; 6] =
        [Layer::Retry, Layer::Throttle, Layer::Breaker, Layer::RateLimit, Layer::Bulkhead, Layer::Timeout];

    /// All layers, outside in.
    pub fn layers(&self) -> [Layer; 6] {
        match self {
            Self::Known(known) => known.layers(),
            Self::Listed(listed) => {
                let mut next = listed.iter().map(|layer| layer.value);
                let moved = |layer: &Layer| listed.iter().any(|named| named.value == *layer);
                Self::DEFAULT.map(|layer| if moved(&layer) { next.next().unwrap_or(layer) } else { layer })
            }
        }
    }
}

impl Decode for Order {
    const NOUN: &'static str = "an order: a list of policies, or the name of a library";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Decode::decode(node, cx).map(Self::Listed),
            _ => KnownOrder::decode(node, cx).map(Self::Known),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let listed = json!({ "type": "array", "items": Layer::schema(defs) });
        any_of([KnownOrder::schema(defs), listed])
    }
}
