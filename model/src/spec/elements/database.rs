//! A database: connections, and how long a query takes.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::element;
use crate::spec::values::{Dist, Limit, Share};

element! {
    /// A database.
    "a database"
    pub struct Database {
        /// The server's limit, shared by all that query it. Default unlimited.
        connections: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// How long a query takes, unless the step says otherwise.
        query: Option<Spanned<Dist>> = None,
        /// Connections that each replica of a service keeps. Default unlimited.
        pool: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// Longest wait for one of them. Default 30s.
        pool_timeout: Spanned<Span> = Spanned::unwritten(Span::from_secs(30)),
        /// How queries at the same time slow each other down. Default: they do not.
        contention: Option<Spanned<Contention>> = None,
    }
}

element! {
    /// The Universal Scalability Law: n queries at the same time each take 1 + sigma (n − 1) + kappa n (n − 1) as long.
    "a contention setting"
    pub struct Contention {
        /// Share of the work that cannot overlap. Default 0%.
        sigma: Spanned<Share> = Spanned::unwritten(Share(0.0)),
        /// Cost of keeping each pair in step. Default 0%.
        kappa: Spanned<Share> = Spanned::unwritten(Share(0.0)),
    }
}
