//! What goes wrong, and when.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{OneOrMany, element};
use crate::spec::values::{Dist, Share, Target};

element! {
    /// Something that goes wrong.
    "a fault"
    pub struct Fault {
        /// Its name, which is a phase too.
        name: Option<Spanned<String>> = None,
        /// What it hits: a service, `service.endpoint`, `service[1]`, a database, cache, topic or load, or `a -> b`.
        target: Spanned<OneOrMany<Spanned<Target>>>,
        /// When it begins. Default 0s.
        at: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// How long it lasts. Default: to the end.
        lasts ["for"]: Option<Spanned<Span>> = None,
        /// Takes this long to reach full strength. Default 0s.
        ramp: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// Comes again and again, this far apart.
        every: Option<Spanned<Dist>> = None,
        /// Hits this many of its targets, chosen anew each time. Default: all.
        pick: Option<Spanned<u32>> = None,
        /// Takes this long instead of the normal time.
        latency: Option<Spanned<Dist>> = None,
        /// Takes this much longer.
        add: Option<Spanned<Dist>> = None,
        /// Takes this many times as long.
        times: Option<Spanned<f64>> = None,
        /// Fails this share.
        errors: Option<Spanned<Share>> = None,
        /// The status those answer with. Default 500.
        status: Option<Spanned<u16>> = None,
        /// Refuses everything at once.
        down: Option<Spanned<bool>> = None,
        /// Accepts everything and never answers.
        hang: Option<Spanned<bool>> = None,
        /// Is frozen, then goes on.
        pause: Option<Spanned<bool>> = None,
        /// Kills this many replicas; they start again.
        kill: Option<Spanned<u32>> = None,
        /// Share of replies that the caller cannot use.
        corrupt: Option<Spanned<Share>> = None,
        /// Share lost on the wire.
        drop: Option<Spanned<Share>> = None,
        /// Nothing gets through.
        partition: Option<Spanned<bool>> = None,
        /// The share of workers, cores or connections that is left.
        capacity: Option<Spanned<Share>> = None,
        /// Empties the cache.
        flush: Option<Spanned<bool>> = None,
        /// Multiplies a load's rate.
        rate: Option<Spanned<f64>> = None,
    }
}

impl Fault {
    /// Whether all it does is done in one instant, and needs no `for`.
    pub(crate) fn is_done_at_once(&self) -> bool {
        let lasting = self.latency.is_some()
            || self.add.is_some()
            || self.times.is_some()
            || self.errors.is_some()
            || self.down.is_some()
            || self.hang.is_some()
            || self.pause.is_some()
            || self.corrupt.is_some()
            || self.drop.is_some()
            || self.partition.is_some()
            || self.capacity.is_some()
            || self.rate.is_some();
        (self.kill.is_some() || self.flush.is_some()) && !lasting
    }
}
