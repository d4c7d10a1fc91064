//! How one service calls another.

use super::{Balancer, Breaker, Budget, Bulkhead, Order, RateLimit, Retry, Throttle, Trouble};
use crate::Span;
use crate::spec::decode::{Cx, Decode, Defs, Named, element, words};
use crate::spec::tree::{Entry, Kind, Node};
use crate::spec::values::{Dist, HedgeAfter, Limit};
use crate::spec::{At, Spanned};

/// How a service calls others. `defaults.call` and its own `default` are already merged under each.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Calls {
    /// For callees that are not named.
    pub default: CallPolicy,
    /// By callee.
    pub to: Named<CallPolicy>,
}

impl Calls {
    /// How `callee` is called.
    pub fn policy(&self, callee: &str) -> &CallPolicy {
        self.to.find(callee).unwrap_or(&self.default)
    }
}

impl Decode for Calls {
    const NOUN: &'static str = "a mapping from callees";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if !node.is_null() && !matches!(node.kind, Kind::Map(_)) {
            cx.expected(Self::NOUN, node);
            return None;
        }
        let named = |entry: &Entry, policy| (Spanned::new(entry.key.text.clone(), entry.key.at), policy);
        let mut calls = Self::default();
        let mut to = Vec::new();
        for entry in node.entries() {
            match (entry.key.text.as_str(), CallPolicy::decode(&entry.value, cx)) {
                ("default", Some(policy)) => calls.default = policy,
                (_, Some(policy)) => to.push(named(entry, policy)),
                (_, None) => {}
            }
        }
        Some(Self { to: to.into_iter().collect(), ..calls })
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        Named::<CallPolicy>::schema(defs)
    }
}

element! {
    /// The policies of a call.
    "a call"
    #[derive(Default)]
    pub struct CallPolicy {
        /// Of one attempt. Default: none.
        timeout: Option<Spanned<Span>> = None,
        /// Of all attempts together. Default: none.
        deadline: Option<Spanned<Span>> = None,
        /// Tries again. Default: it does not.
        retry: Option<Spanned<Retry>> = None,
        /// Stops calling what fails. Default: it does not.
        breaker: Option<Spanned<Breaker>> = None,
        /// Limits calls at the same time. Default: any number.
        bulkhead: Option<Spanned<Bulkhead>> = None,
        /// Limits calls in a span of time. Default: any number.
        rate_limit: Option<Spanned<RateLimit>> = None,
        /// Holds itself back when it is turned away. Default: it does not.
        throttle: Option<Spanned<Throttle>> = None,
        /// Keeps connections. Default: they cost nothing.
        pool: Option<Spanned<Pool>> = None,
        /// Sends another attempt while the first is out. Default: it does not.
        hedge: Option<Spanned<Hedge>> = None,
        /// Answers instead of an error. Default: nothing does.
        fallback: Option<Spanned<Fallback>> = None,
        /// What the callee is told. Default: nothing.
        propagate: Option<Spanned<Vec<Spanned<Propagate>>>> = None,
        /// How a replica is chosen. Default: as the callee says.
        balancer: Option<Spanned<Balancer>> = None,
        /// The order of retry, throttle, breaker, rate_limit, bulkhead and timeout, outside in. Default: just that.
        order: Option<Spanned<Order>> = None,
        /// Who shares its state. Default `replica`.
        scope: Option<Spanned<Scope>> = None,
        /// One-way latency of its hop. Default: the topology's `network`.
        network: Option<Spanned<Dist>> = None,
    }
}

words! {
    /// What a callee is told.
    "something to propagate"
    pub enum Propagate {
        /// That its caller has given up.
        Cancel = "cancel",
        /// The time that is left; it refuses what it cannot finish.
        Deadline = "deadline",
    }
}

words! {
    /// Who shares a policy's state.
    "a scope"
    pub enum Scope {
        /// Each replica of the caller has its own, as in a real process.
        Replica = "replica",
        /// All replicas of the caller share it.
        Service = "service",
    }
}

element! {
    /// Connections to a callee; `none` opens one for every call.
    "a connection pool"
    pub struct Pool short "connections" none fresh {
        /// Connections at most. Default unlimited.
        connections: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// Calls that may wait for one. Default unlimited.
        pending: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// What opening one costs. Default 0s; 5ms for `pool: none`.
        connect: Spanned<Dist> = Spanned::unwritten(Dist::Constant(Span::ZERO)),
        /// Connections are kept for the next call. Default true; false for `pool: none`.
        reuse: Spanned<bool> = Spanned::unwritten(true),
    }
}

impl Pool {
    /// No pool: each call opens a connection, for 5 ms.
    fn fresh(at: At) -> Self {
        Self {
            connections: Spanned::new(Limit::Unlimited, at),
            pending: Spanned::new(Limit::Unlimited, at),
            connect: Spanned::new(Dist::Constant(Span::from_millis(5)), at),
            reuse: Spanned::new(false, at),
        }
    }
}

element! {
    /// Another attempt while the first is out.
    "a hedge"
    pub struct Hedge short "after" {
        /// How long the one before has been out; `0s` sends all at once, `failure` waits until one has failed.
        after: Spanned<HedgeAfter>,
        /// How many more. Default 1.
        attempts: Spanned<u32> = Spanned::unwritten(1),
        /// Failures that make the next go at once; others end the call. Default: all.
        when: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
        /// How many there may be, as with a retry's. Default: any number.
        budget: Option<Spanned<Budget>> = None,
    }
}

element! {
    /// An answer instead of an error; the reply counts as degraded.
    "a fallback"
    pub struct Fallback {
        /// How long it takes. Default 0s.
        after: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// Failures that it stands in for; after others the call fails. Default: all.
        when: Option<Spanned<Vec<Spanned<Trouble>>>> = None,
        /// How many there may be at once, of a replica of the caller and a callee; beyond, the call fails. Default: any
        /// number.
        limit: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
    }
}
