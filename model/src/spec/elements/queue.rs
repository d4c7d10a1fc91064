//! What waits for a worker.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, words};
use crate::spec::values::{Limit, Patience};

element! {
    /// What waits for a worker.
    "a queue"
    pub struct Queue short "limit" {
        /// Requests that may wait, per replica. Default unlimited.
        limit: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// Who is served next. Default `fifo`.
        order: Spanned<QueueOrder> = Spanned::unwritten(QueueOrder::Fifo),
        /// `adaptive_lifo`: how long the queue must not have been empty. Default 100ms.
        lifo_after: Spanned<Span> = Spanned::unwritten(Span::from_millis(100)),
        /// Longest wait; then the request is rejected. Default: none.
        timeout: Option<Spanned<Patience>> = None,
        /// What happens to a request that finds it full. Default `reject`.
        full: Spanned<FullQueue> = Spanned::unwritten(FullQueue::Reject),
        /// Sheds by how long requests have waited. Default: it does not.
        codel: Option<Spanned<Codel>> = None,
    }
}

words! {
    /// Who is served next.
    "a queue order"
    pub enum QueueOrder {
        /// The one that came first.
        Fifo = "fifo",
        /// The one that came last.
        Lifo = "lifo",
        /// The first; the last once a queue has formed.
        AdaptiveLifo = "adaptive_lifo",
    }
}

words! {
    /// What happens to a request that finds the queue full.
    "an answer to a full queue"
    pub enum FullQueue {
        /// It is told at once.
        Reject = "reject",
        /// It is told nothing and runs into its caller's timeout.
        Drop = "drop",
    }
}

element! {
    /// Controlled delay.
    "a codel setting"
    pub struct Codel {
        /// Whose it is. Default `folly`.
        kind: Spanned<CodelKind> = Spanned::unwritten(CodelKind::Folly),
        /// The wait that is fine. Default 5ms.
        target: Spanned<Span> = Spanned::unwritten(Span::from_millis(5)),
        /// How long it may be longer. Default 100ms.
        interval: Spanned<Span> = Spanned::unwritten(Span::from_millis(100)),
    }
}

words! {
    /// Whose controlled delay.
    "a kind of controlled delay"
    pub enum CodelKind {
        /// While overloaded, drops what has waited for more than twice the target.
        Folly = "folly",
        /// While overloaded, drops one now and then, faster and faster.
        Rfc8289 = "rfc8289",
    }
}
