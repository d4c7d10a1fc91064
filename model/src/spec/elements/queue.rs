//! What waits for a worker.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, words};
use crate::spec::values::Limit;

element! {
    /// What waits for a worker.
    "a queue"
    pub struct Queue short "limit" {
        /// Requests that may wait, per replica. Default unlimited.
        limit: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// Who is served next. Default `fifo`.
        order: Spanned<QueueOrder> = Spanned::unwritten(QueueOrder::Fifo),
        /// Longest wait; then the request is rejected. Default: none.
        timeout: Option<Spanned<Span>> = None,
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
        /// The wait that is fine. Default 5ms.
        target: Spanned<Span> = Spanned::unwritten(Span::from_millis(5)),
        /// How long it may be longer. Default 100ms.
        interval: Spanned<Span> = Spanned::unwritten(Span::from_millis(100)),
    }
}
