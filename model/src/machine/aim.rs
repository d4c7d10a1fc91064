//! One attempt of a call with policies: which replica it goes to, what becomes of it on the way, and what is told of it
//! when it is over.

use squall_policies::breaker::{Admission, Breaker};
use squall_policies::{Outcome, SimTime};

use super::fault::EdgeFault;
use super::fiber::Kind;
use super::host::{Delay, Host};
use super::link::Picking;
use super::system::{Step, System};
use crate::observation::Failure;
use crate::plan::{EdgeId, ReplicaId};

impl System<'_> {
    /// An attempt has passed all layers: it is sent.
    pub(super) fn launch(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if self.route(index).apart {
            return self.launch_apart(host, now, index);
        }
        match self.aim(host, now, index) {
            Ok((target, network)) => self.dispatch(host, now, index, target, network),
            Err(failure) => self.ascend(host, now, index, Outcome::Ok, Some(failure)),
        }
    }

    /// Sends an attempt, and says with it how much time is left, where the callee is to know.
    pub(super) fn dispatch(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        target: ReplicaId,
        network: Option<Delay>,
    ) -> Step {
        let step = self.send(host, now, index, target, network);
        let route = *self.route(index);
        if self.plan.edges[route.edge.index()].bounds && network.is_some() {
            // An attempt that goes its way apart has the deadline of its call.
            let call = self.fibers.waiting(self.fibers[index].reply_to).unwrap_or(index);
            let call = if self.fibers[index].kind == Kind::Try { call } else { index };
            let deadline = self.fibers.aside(call).deadline;
            let until = route.timeout.map_or(deadline, |timeout| deadline.min(now + timeout.span));
            if until != SimTime::NEVER {
                self.links.carry(route.edge, self.fibers[index].key, until - now);
            }
        }
        step
    }

    /// Where an attempt goes, and how long that takes if it gets there at all; or how it has failed before it was sent.
    pub(super) fn aim(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
    ) -> Result<(ReplicaId, Option<Delay>), Failure> {
        let (plan, edge, link) = (self.plan, self.route(index).edge, self.trips[index].link);
        let target = self.choose(host, now, index)?;
        let network = self.links.network(plan, edge);
        let network = self.through_faults(host, now, edge, network).map_err(|outcome| {
            self.tell_replica(host, now, index, outcome);
            Failure::Callee(outcome)
        })?;
        self.links.count(plan, link, target, true);
        Ok((target, network))
    }

    /// What faults on an edge make of the way over it.
    pub(super) fn through_faults(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        edge: EdgeId,
        network: Delay,
    ) -> Result<Option<Delay>, Outcome> {
        if !self.links.disturbed[edge.index()] {
            return Ok(Some(network));
        }
        match self.disturb_edge(host, now, edge, network) {
            EdgeFault::Passes(delay) => Ok(Some(delay)),
            EdgeFault::Lost => Ok(None),
            EdgeFault::Fails(outcome) => Err(outcome),
        }
    }

    /// Chooses a replica that may be called.
    fn choose(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Result<ReplicaId, Failure> {
        let plan = self.plan;
        let trip = self.trips[index];
        let link = trip.link;
        let token = self.admit_to_replicas(host, now, link)?;
        let fiber = &self.fibers[index];
        let again = if trip.tried == 0 { 0 } else { plan.sites[fiber.site.index()].avoid_tried };
        let picking = Picking { hash: trip.hash, tried: trip.tried, again };
        let Some(target) = self.links.pick(plan, now, link, &self.replicas, picking) else {
            if let (Some(token), Some(breaker)) = (token, &mut self.links[link].breaker) {
                breaker.release(token);
            }
            return Err(Failure::NoReplica);
        };
        let first = plan.services[plan.edges[self.links[link].edge.index()].callee.index()].first_replica;
        let replica = (target.0 - first.0) as usize;
        let breaker = self.links[link].breaker.as_mut();
        let trip = &mut self.trips[index];
        trip.tried |= 1 << replica.min(63);
        trip.at_replica = token.map(|token| breaker.map_or(token, |breaker| breaker.assign(token, replica)));
        Ok(target)
    }

    /// Asks a breaker that watches each replica whether any may be called.
    fn admit_to_replicas(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        link: u32,
    ) -> Result<Option<squall_policies::breaker::Token>, Failure> {
        let (state, streams) = self.links.with_streams(link);
        let watching = state.breaker.as_mut().filter(|breaker| breaker.watches_replicas());
        let Some(breaker) = watching else { return Ok(None) };
        let (admission, transition) = breaker.admit(now, &mut streams.policies);
        self.breaker_changed(host, now, link, transition);
        match admission {
            Admission::Pass(token) => Ok(Some(token)),
            Admission::Reject => Err(Failure::BreakerOpen),
        }
    }

    /// An attempt that was out has ended so.
    pub(super) fn landed(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let fiber = &self.fibers[index];
        let (target, took, link) = (fiber.target, now - fiber.mark, self.trips[index].link);
        self.still(index);
        self.links.count(self.plan, link, target, false);
        self.links.answered(self.plan, now, link, target, took);
        self.tell_replica(host, now, index, outcome);
    }

    /// An attempt that is out was given up: nobody will know how it ended.
    pub(super) fn lost(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let (target, link) = (self.fibers[index].target, self.trips[index].link);
        self.still(index);
        self.links.count(self.plan, link, target, false);
        let token = self.trips[index].at_replica.take();
        let (state, streams) = self.links.with_streams(link);
        if let (Some(token), Some(breaker)) = (token, &mut state.breaker) {
            let transition = breaker.cancel(now, token, &mut streams.policies);
            self.breaker_changed(host, now, link, transition);
        }
    }

    /// Tells a breaker that watches each replica how an attempt at one ended.
    fn tell_replica(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let took = now - self.fibers[index].mark;
        let trip = &mut self.trips[index];
        let (link, Some(token)) = (trip.link, trip.at_replica.take()) else { return };
        let (state, streams) = self.links.with_streams(link);
        let transition = state
            .breaker
            .as_mut()
            .and_then(|breaker: &mut Breaker| breaker.record(now, token, outcome, took, &mut streams.policies));
        self.breaker_changed(host, now, link, transition);
    }
}
