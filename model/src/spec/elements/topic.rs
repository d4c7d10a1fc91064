//! A topic: messages that are delivered later.

use super::Retry;
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{OneOrMany, element};
use crate::spec::values::{Dist, EndpointRef, Limit};

element! {
    /// A topic.
    "a topic"
    pub struct Topic {
        /// What publishing costs the publisher. Default 0s.
        publish: Spanned<Dist> = Spanned::unwritten(Dist::Constant(Span::ZERO)),
        /// Who gets every message.
        to: OneOrMany<Spanned<EndpointRef>> = OneOrMany(Vec::new()),
        /// Deliveries at the same time, per subscriber. Default 1.
        concurrency: Spanned<Limit> = Spanned::unwritten(Limit::Count(1)),
        /// Messages that may wait; more are lost. Default unlimited.
        limit: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// How long one delivery may take. Default: as long as it takes.
        timeout: Option<Spanned<Span>> = None,
        /// Delivers again. Default: it does not.
        retry: Option<Spanned<Retry>> = None,
    }
}
