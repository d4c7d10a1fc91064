//! Where things happen, which faults are at work there, and what they come to together.

use squall_policies::{SimTime, Span};

use crate::machine::host::Host;
use crate::machine::system::System;
use crate::observation::Observation;
use crate::plan::{
    CacheId, DatabaseId, EdgeId, Effect, EndpointId, Fault, FaultId, Plan, ReplicaId, ServiceId, Target, TimeId,
    TopicId,
};

/// Where something happens, to be held against what a fault hits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    /// At a replica of a service, on one of its endpoints or on none in particular.
    Service(ServiceId, Option<EndpointId>, ReplicaId),
    Database(DatabaseId),
    Cache(CacheId),
    Topic(TopicId),
    Edge(EdgeId),
    /// On the wire between two replicas.
    Hop(Hop),
}

/// An attempt on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::machine) struct Hop {
    pub edge: EdgeId,
    pub endpoint: EndpointId,
    pub caller: ReplicaId,
    pub target: ReplicaId,
}

impl Scope {
    /// Whether a query or a look that is lost on the wire is never answered. (A message that is lost is lost after it was
    /// published.)
    pub(super) const fn is_beyond_the_wire(self) -> bool {
        matches!(self, Self::Database(_) | Self::Cache(_))
    }

    pub(super) fn hit_by(self, plan: &Plan, target: Target) -> bool {
        match (self, target) {
            (Self::Service(service, ..), Target::Service(hit)) => service == hit,
            (Self::Service(_, endpoint, _), Target::Endpoint(hit)) => endpoint == Some(hit),
            (Self::Service(.., replica), Target::Replica(hit)) => replica == hit,
            (Self::Database(database), Target::Database(hit)) => database == hit,
            (Self::Cache(cache), Target::Cache(hit)) => cache == hit,
            (Self::Topic(topic), Target::Topic(hit)) => topic == hit,
            (Self::Edge(edge), Target::Edge(hit)) => edge == hit,
            (Self::Hop(hop), Target::Edge(hit)) => hop.edge == hit,
            (Self::Hop(hop), Target::Endpoint(hit)) => hop.endpoint == hit,
            (Self::Hop(hop), Target::Replica(hit)) => hop.caller == hit || hop.target == hit,
            (Self::Hop(hop), Target::Service(hit)) => {
                let edge = &plan.edges[hop.edge.index()];
                edge.caller == hit || edge.callee == hit
            }
            _ => false,
        }
    }
}

/// The share of replies that an effect spoils.
pub(super) const fn corrupt(effect: Effect) -> Option<f64> {
    if let Effect::Corrupt(share) = effect { Some(share) } else { None }
}

/// This share of so many.
pub(super) fn scaled(limit: u32, share: f64) -> u32 {
    if share == 1.0 { limit } else { (f64::from(limit) * share).round() as u32 }
}

impl<'p> System<'p> {
    /// The next fault at work in `scope`, from the `at`th on, which is moved behind it.
    pub(super) fn next_at_work(&self, at: &mut usize, scope: Scope) -> Option<(FaultId, &'p Fault)> {
        loop {
            let id = *self.faults.active.get(*at)?;
            *at += 1;
            let fault = &self.plan.faults[id.index()];
            if scope.hit_by(self.plan, fault.target) {
                return Some((id, fault));
            }
        }
    }

    /// A replica, and an endpoint on it.
    pub(super) fn scope(&self, replica: ReplicaId, endpoint: EndpointId) -> Scope {
        Scope::Service(self.plan.endpoints[endpoint.index()].service, Some(endpoint), replica)
    }

    pub(super) fn fired(host: &mut impl Host, now: SimTime, fault: FaultId) {
        host.observe(now, Observation::FaultFired { fault });
    }

    #[cold]
    #[inline(never)]
    pub(super) fn share_left(&self, now: SimTime, scope: Scope) -> f64 {
        let (mut at, mut share) = (0, 1.0);
        while let Some((_, fault)) = self.next_at_work(&mut at, scope) {
            match (fault.effect, scope) {
                (Effect::Capacity(left), _) => share *= 1.0 - (1.0 - left) * fault.strength(now),
                (Effect::Pause, Scope::Topic(_)) => share = 0.0,
                _ => {}
            }
        }
        share
    }

    /// Whether a fault strikes whose effect has such a share.
    #[cold]
    #[inline(never)]
    pub(super) fn strikes(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        scope: Scope,
        share: impl Fn(Effect) -> Option<f64>,
    ) -> bool {
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if let Some(share) = share(fault.effect)
                && self.faults.strikes(id, share * fault.strength(now))
            {
                Self::fired(host, now, id);
                return true;
            }
        }
        false
    }

    /// The normal time of something, as faults change it.
    #[cold]
    #[inline(never)]
    pub(super) fn disturbed_time(&mut self, host: &mut impl Host, now: SimTime, scope: Scope, normal: Span) -> Span {
        let (mut time, mut factor, mut more) = (normal, 1.0, Span::ZERO);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let strength = fault.strength(now);
            match fault.effect {
                Effect::Latency(instead) => {
                    time = normal.scale(1.0 - strength) + self.draw_fault(id, instead).scale(strength);
                }
                Effect::Times(times) => factor *= 1.0 + (times - 1.0) * strength,
                Effect::Add(add) => more = more + self.draw_fault(id, add).scale(strength),
                Effect::Hang => more = Span::MAX,
                Effect::Partition if scope.is_beyond_the_wire() || matches!(scope, Scope::Topic(_)) => {
                    more = Span::MAX;
                }
                Effect::Drop(share) if scope.is_beyond_the_wire() && self.faults.strikes(id, share * strength) => {
                    more = Span::MAX;
                }
                _ => continue,
            }
            Self::fired(host, now, id);
        }
        time.scale(factor) + more
    }

    pub(super) fn draw_fault(&mut self, id: FaultId, time: TimeId) -> Span {
        System::draw(self.plan, time, &mut self.faults.streams[id.index()]).span
    }
}
