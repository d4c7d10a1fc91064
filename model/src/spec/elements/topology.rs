//! The whole file.

use super::{Cache, Database, Defaults, Fault, Load, Service, Topic};
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{Named, element};
use crate::spec::expect::Expectation;
use crate::spec::values::{Dist, Phase};

element! {
    /// One experiment: the system, the load on it, what goes wrong, and what must hold.
    "a topology"
    pub struct Topology {
        /// Its name, in reports. Default `unnamed`.
        name: Spanned<String> = Spanned::unwritten("unnamed".into()),
        /// One or two sentences a learner reads first.
        about: Option<Spanned<String>> = None,
        /// Root of all randomness. Default 1.
        seed: Spanned<u64> = Spanned::unwritten(1),
        /// Load is offered for this long; then the run drains. Default 60s.
        duration: Spanned<Span> = Spanned::unwritten(Span::from_secs(60)),
        /// Longest wait for what is unfinished after that. Default 30s.
        drain: Spanned<Span> = Spanned::unwritten(Span::from_secs(30)),
        /// Left out of the summaries, inside the timeline. Default 0s.
        warmup: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// Named parts of the run; every fault's name is one too.
        phases: Named<Spanned<Phase>> = Named::default(),
        /// One-way latency of every hop that names no other. Default 0s.
        network: Spanned<Dist> = Spanned::unwritten(Dist::Constant(Span::ZERO)),
        /// Merged under every service and every call.
        defaults: Defaults = Defaults::default(),
        /// The services, by name.
        services: Named<Service> = Named::default(),
        /// The databases, by name.
        databases: Named<Database> = Named::default(),
        /// The caches, by name.
        caches: Named<Cache> = Named::default(),
        /// The topics, by name.
        topics: Named<Topic> = Named::default(),
        /// Who asks for what, and how often.
        load: Vec<Load> = Vec::new(),
        /// What goes wrong, and when.
        faults: Vec<Fault> = Vec::new(),
        /// What must hold.
        expect: Vec<Expectation> = Vec::new(),
    }
}
