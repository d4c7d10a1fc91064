//! What faults make of a request at a replica: whether it is met at all, how long it takes, how many others are served with it, and
//! what becomes of its answer.

use squall_policies::{Outcome, SimTime, Span};

use super::scope::{Scope, corrupt, scaled};
use crate::machine::host::{Delay, Host};
use crate::machine::system::{Step, System};
use crate::plan::{Effect, EndpointId, FaultId, ReplicaId, Role};

/// How a replica meets a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::machine) enum Condition {
    Up,
    Down,
    Hanging,
    Frozen,
    /// It never gets here.
    Lost,
}

impl System<'_> {
    /// How a replica that is not simply well meets a request.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn condition(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        replica: ReplicaId,
        endpoint: EndpointId,
        from_outside: bool,
    ) -> Condition {
        let state = &self.replicas[replica.index()];
        if state.pauses > 0 {
            return Condition::Frozen;
        }
        // One that is being stopped takes what is on its way to it.
        let up = state.ready && !state.starting || state.draining;
        if !up && self.is_wanted(replica) && !self.waits_for_start(replica) {
            return Condition::Down;
        }
        if self.faults.none() {
            return Condition::Up;
        }
        let (mut at, scope) = (0, self.scope(replica, endpoint));
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let condition = match fault.effect {
                Effect::Down => Condition::Down,
                Effect::Hang => Condition::Hanging,
                // Whoever calls from inside has looked to this before.
                Effect::Partition if from_outside => Condition::Lost,
                Effect::Drop(share) if from_outside && self.faults.strikes(id, share * fault.strength(now)) => {
                    Condition::Lost
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return condition;
        }
        Condition::Up
    }

    /// The fault because of which a replica, or one of its endpoints, refuses all that comes, if there is one.
    pub fn refusing(&self, replica: ReplicaId, endpoint: Option<EndpointId>) -> Option<FaultId> {
        let scope = Scope::Service(self.replicas[replica.index()].service, endpoint, replica);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if fault.effect == Effect::Down {
                return Some(id);
            }
        }
        None
    }

    /// What faults make of a request that has just got its worker.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_request(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if self.faults.none() {
            self.fibers[index].own_share = 1.0;
            return Step::Run(index);
        }
        let scope = self.scope(self.fibers[index].replica, self.fibers[index].endpoint);
        let (mut instead, mut more, mut own_share) = (Span::ZERO, Span::ZERO, 1.0);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let strength = fault.strength(now);
            match fault.effect {
                Effect::Errors { share, status } => {
                    if self.faults.strikes(id, share * strength) {
                        Self::fired(host, now, id);
                        return Step::Finish(index, Outcome::Error(status));
                    }
                    continue;
                }
                Effect::Latency(time) => {
                    instead = self.draw_fault(id, time).scale(strength);
                    own_share = 1.0 - strength;
                }
                Effect::Add(time) => more = more + self.draw_fault(id, time).scale(strength),
                _ => continue,
            }
            Self::fired(host, now, id);
        }
        self.fibers[index].own_share = own_share as f32;
        if self.hold(host, now, index, Delay::of(instead + more)) { Step::Rest } else { Step::Run(index) }
    }

    /// What faults make of a step's own time.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_own_time(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        time: Span,
    ) -> Span {
        if self.faults.none() && self.fibers[index].own_share == 1.0 {
            return time;
        }
        let scope = self.scope(self.fibers[index].replica, self.fibers[index].endpoint);
        let mut factor = f64::from(self.fibers[index].own_share);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if let Effect::Times(times) = fault.effect {
                factor *= 1.0 + (times - 1.0) * fault.strength(now);
                Self::fired(host, now, id);
            }
        }
        time.scale(factor)
    }

    /// Workers of a replica that may be busy now.
    #[inline(always)]
    pub(in crate::machine) fn worker_limit(&mut self, now: SimTime, id: ReplicaId) -> u32 {
        let replica = &self.replicas[id.index()];
        if replica.disturbed { self.disturbed_worker_limit(now, id) } else { replica.workers }
    }

    #[cold]
    #[inline(never)]
    fn disturbed_worker_limit(&mut self, now: SimTime, id: ReplicaId) -> u32 {
        self.meter(now, id);
        if self.waits_for_start(id) || self.replicas[id.index()].starting {
            return 0;
        }
        scaled(self.replicas[id.index()].workers, self.capacity_left(now, id))
    }

    /// The share of a replica's workers and cores that faults have left.
    pub(in crate::machine) fn capacity_left(&self, now: SimTime, id: ReplicaId) -> f64 {
        if self.faults.none() {
            return 1.0;
        }
        let service = self.replicas[id.index()].service;
        match self.plan.services[service.index()].role {
            Role::Topic(topic) => self.share_left(now, Scope::Topic(topic)),
            _ => self.share_left(now, Scope::Service(service, None, id)),
        }
    }

    /// What faults make of the answer that a replica sends.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_answer(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        [replica, endpoint]: [u32; 2],
        outcome: Outcome,
    ) -> Outcome {
        let scope = self.scope(ReplicaId(replica), EndpointId(endpoint));
        let spoilt = outcome.is_success() && self.strikes(host, now, scope, corrupt);
        if spoilt { Outcome::Error(502) } else { outcome }
    }
}
