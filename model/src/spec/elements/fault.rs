//! What goes wrong, and when.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::Topology;
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
        /// Restarts the replicas in turn, as a deployment does: how long each drains, or that and how many at once.
        restart: Option<Spanned<Restart>> = None,
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

element! {
    /// A rolling restart: replicas in turn get no new requests, are stopped, and start again.
    "a rolling restart"
    pub struct Restart short "drain" {
        /// How long a replica gets no new requests before it is stopped; what it is still doing then is lost.
        drain: Spanned<Span>,
        /// How many replicas restart at once; the next follow when these are ready. Default 1.
        at_once: Spanned<u32> = Spanned::unwritten(1),
    }
}

impl Fault {
    /// How long it lasts each time it comes: as long as it says; a rolling restart until the last replica is ready; `None` is to
    /// the end.
    pub(crate) fn lasts(&self, topology: &Topology) -> Option<Span> {
        match (&self.lasts, &self.restart) {
            (Some(lasts), _) => Some(lasts.value),
            (None, _) if !self.is_done_at_once() => None,
            (None, None) => Some(Span::ZERO),
            (None, Some(restart)) => {
                let rolls = self.target.0.iter().filter_map(|target| {
                    let (service, all) = match &target.value {
                        Target::Name(name) => (topology.services.find(name)?, true),
                        Target::Replica { service, .. } => (topology.services.find(service)?, false),
                        Target::Endpoint(_) | Target::Call { .. } => return None,
                    };
                    let replicas = if all && self.pick.is_none() { service.most_replicas() } else { 1 };
                    let turns = replicas.div_ceil(restart.at_once.value.max(1));
                    Some(restart.turn(service.ready_after()) * u64::from(turns))
                });
                Some(rolls.max().unwrap_or(Span::ZERO))
            }
        }
    }

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
        (self.kill.is_some() || self.restart.is_some() || self.flush.is_some()) && !lasting
    }
}

impl Restart {
    /// From when a replica begins to drain to when it is ready again, if that takes it so long from its start.
    pub(crate) fn turn(&self, ready_after: Span) -> Span {
        Span::from_nanos(self.drain.value.as_nanos().saturating_add(ready_after.as_nanos()))
    }
}
