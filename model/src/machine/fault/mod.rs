//! Faults at work. On the way of an undisturbed request stands one flag; what a fault does is worked out only where it
//! is set. Several faults on one thing compose: the latest `latency` replaces the normal time, `times` multiply,
//! `add`s add up, `errors` fall independently.

mod replica;
mod scope;
mod stores;
mod wire;

use core::ops::Range;

use squall_policies::SimTime;

use super::host::Host;
use super::system::System;
use crate::observation::Observation;
use crate::plan::{Effect, Fault, FaultId, Plan, ReplicaId, Target};
use crate::rng::{Random as _, Stream};

pub(super) use replica::Condition;
pub(super) use scope::Hop;
pub(super) use wire::EdgeFault;

/// The faults at work, and their random streams.
#[derive(Debug)]
pub(super) struct Faults {
    /// In the order they began.
    active: Vec<FaultId>,
    pub(super) streams: Vec<Stream>,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Self {
        let stream = |(i, fault): (usize, &Fault)| Stream::new(plan.seed, &format!("fault/{i}/{}", fault.name));
        Self { active: Vec::new(), streams: plan.faults.iter().enumerate().map(stream).collect() }
    }

    /// Whether none is at work: replicas that come and go take the long way all the same.
    const fn none(&self) -> bool {
        self.active.is_empty()
    }

    /// A yes in this share of the cases.
    fn strikes(&mut self, fault: FaultId, share: f64) -> bool {
        self.streams[fault.index()].unit() < share
    }
}

impl Fault {
    /// 0 before its ramp, 1 after it.
    fn strength(&self, now: SimTime) -> f64 {
        let since = now - self.from;
        if since >= self.ramp { 1.0 } else { since.as_nanos() as f64 / self.ramp.as_nanos() as f64 }
    }
}

impl System<'_> {
    pub(super) fn fault_begins(&mut self, host: &mut impl Host, now: SimTime, id: FaultId) {
        host.observe(now, Observation::FaultBegan { fault: id });
        self.faults.active.push(id);
        self.mark_disturbed();
        let fault = &self.plan.faults[id.index()];
        match fault.effect {
            Effect::Pause => {
                host.observe(now, Observation::FaultFired { fault: id });
                self.pause(now, fault.target);
            }
            Effect::Kill(count) => {
                let alive: Vec<_> = self.replicas_of(fault.target).filter(|r| self.replicas[r.index()].ready).collect();
                for replica in alive.into_iter().take(count as usize) {
                    host.observe(now, Observation::FaultFired { fault: id });
                    self.kill(host, now, replica);
                }
            }
            Effect::Restart => {
                for replica in self.replicas_of(fault.target) {
                    if self.drain(host, now, replica) {
                        host.observe(now, Observation::FaultFired { fault: id });
                    }
                }
            }
            Effect::Flush => {
                host.observe(now, Observation::FaultFired { fault: id });
                if let Target::Cache(cache) = fault.target {
                    self.flush(cache);
                }
            }
            Effect::Capacity(_) | Effect::Rate(_) => host.observe(now, Observation::FaultFired { fault: id }),
            _ => {}
        }
        self.cores_may_change(host, now, fault);
        self.watch_answers();
    }

    fn pause(&mut self, now: SimTime, target: Target) {
        match target {
            Target::Database(database) => self.freeze_database(now, database),
            Target::Cache(cache) => self.freeze_cache(now, cache),
            // Its messages wait, because none may be delivered.
            Target::Topic(_) => {}
            target => self.replicas_of(target).for_each(|r| self.freeze(now, r)),
        }
    }

    fn cores_may_change(&mut self, host: &mut impl Host, now: SimTime, fault: &Fault) {
        self.replicas_of(fault.target).for_each(|r| self.cores_changed(host, now, fault.effect, r));
        if let (Effect::Pause, Target::Database(database)) = (fault.effect, fault.target) {
            self.share_database(host, now, database);
        }
    }

    /// Whether answers have to be looked at before they are taken.
    pub(super) fn watch_answers(&mut self) {
        let spoils = |id: &FaultId| {
            let fault = &self.plan.faults[id.index()];
            match fault.effect {
                Effect::Corrupt(_) => matches!(fault.target, Target::Edge(_)),
                Effect::Partition => true,
                _ => false,
            }
        };
        self.on_guard = self.replicas.iter().any(|r| r.pauses > 0) || self.faults.active.iter().any(spoils);
    }

    pub(super) fn fault_ends(&mut self, host: &mut impl Host, now: SimTime, id: FaultId) {
        host.observe(now, Observation::FaultEnded { fault: id });
        self.faults.active.retain(|active| *active != id);
        self.mark_disturbed();
        let fault = &self.plan.faults[id.index()];
        match (fault.effect, fault.target) {
            (Effect::Pause, Target::Database(database)) => self.thaw_database(host, now, database),
            (Effect::Pause, Target::Cache(cache)) => self.thaw_cache(now, cache),
            (Effect::Pause, Target::Topic(_)) => {
                self.replicas_of(fault.target).for_each(|r| self.serve_waiting(host, now, r));
            }
            (Effect::Pause, target) => self.replicas_of(target).for_each(|r| self.thaw(host, now, r)),
            (Effect::Restart, target) => {
                for replica in self.replicas_of(target) {
                    if self.replicas[replica.index()].draining {
                        self.kill(host, now, replica);
                    }
                }
            }
            (Effect::Capacity(_), Target::Database(database)) => self.connections_back(host, now, database),
            (Effect::Capacity(_), target) => self.replicas_of(target).for_each(|r| self.serve_waiting(host, now, r)),
            _ => {}
        }
        self.cores_may_change(host, now, fault);
        self.watch_answers();
    }

    /// All replicas at which, or on whose calls from elsewhere, something changes when this fault begins or ends; as a
    /// range that they are in.
    pub(super) fn touched_by(&self, id: FaultId) -> Range<usize> {
        let fault = &self.plan.faults[id.index()];
        let far_and_wide = matches!(fault.effect, Effect::Drop(_) | Effect::Partition);
        match fault.target {
            _ if far_and_wide => 0..usize::MAX,
            Target::Database(_) | Target::Cache(_) => 0..0,
            Target::Edge(_) | Target::Load(_) | Target::Topic(_) => 0..usize::MAX,
            target => self.range_of(target),
        }
    }

    /// The replicas that a fault on a service, an endpoint or a replica touches.
    fn replicas_of(&self, target: Target) -> impl Iterator<Item = ReplicaId> + use<> {
        self.range_of(target).map(ReplicaId::from)
    }

    fn range_of(&self, target: Target) -> Range<usize> {
        match target {
            Target::Service(service) => self.plan.services[service.index()].replica_range(),
            Target::Endpoint(endpoint) => {
                self.plan.services[self.plan.endpoints[endpoint.index()].service.index()].replica_range()
            }
            Target::Replica(replica) => replica.index()..replica.index() + 1,
            Target::Topic(topic) => self.plan.services[self.plan.topics[topic.index()].service.index()].replica_range(),
            Target::Database(_) | Target::Cache(_) | Target::Edge(_) | Target::Load(_) => 0..0,
        }
    }

    /// Sets the flags that make the rest of the machines look here.
    pub(super) fn mark_disturbed(&mut self) {
        self.replicas.iter_mut().for_each(|r| r.disturbed = r.starting);
        self.scaled_take_the_long_way();
        self.databases.iter_mut().for_each(|d| d.disturbed = d.share.is_some());
        self.caches.iter_mut().for_each(|c| c.disturbed = false);
        self.topics.iter_mut().for_each(|t| t.disturbed = false);
        self.links.disturbed.fill(false);
        for at in 0..self.faults.active.len() {
            let fault = &self.plan.faults[self.faults.active[at].index()];
            match fault.target {
                Target::Database(database) => self.databases[database.index()].disturbed = true,
                Target::Cache(cache) => self.caches[cache.index()].disturbed = true,
                Target::Edge(edge) => self.links.disturbed[edge.index()] = true,
                target => self.replicas_of(target).for_each(|r| self.replicas[r.index()].disturbed = true),
            }
            if let Target::Topic(topic) = fault.target {
                self.topics[topic.index()].disturbed = true;
            }
            if matches!(fault.effect, Effect::Drop(_) | Effect::Partition) {
                self.disturb_edges_of(fault.target);
            }
        }
        self.clear_routes();
    }

    /// What is lost on the way to a service, or from it, is lost on its calls.
    fn disturb_edges_of(&mut self, target: Target) {
        let service = match target {
            Target::Service(service) => service,
            Target::Endpoint(endpoint) => self.plan.endpoints[endpoint.index()].service,
            Target::Replica(replica) => self.replicas[replica.index()].service,
            _ => return,
        };
        for (row, edge) in self.plan.edges.iter().enumerate() {
            if edge.caller == service || edge.callee == service {
                self.links.disturbed[row] = true;
            }
        }
    }

    /// The faults at work, in the order they began.
    pub fn faults_at_work(&self) -> &[FaultId] {
        &self.faults.active
    }
}
