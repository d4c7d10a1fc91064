//! One attempt of a call with policies: which replica it goes to, what becomes of it on the way, and what is told of it
//! when it is over.

use squall_policies::breaker::{Admission, Breaker, Token};
use squall_policies::{Outcome, SimTime};

use super::fault::{EdgeFault, Hop};
use super::fiber::Kind;
use super::host::{Delay, Host};
use super::link::Picking;
use super::system::{Step, System};
use crate::observation::Failure;
use crate::plan::{ReplicaId, ServiceId};

/// What the choice of a replica goes by, where there are several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// The same for all attempts of a call.
    pub hash: u64,
    /// The replicas it has tried, a bit each.
    pub tried: u64,
}

impl Choice {
    const NONE: Self = Self { hash: 0, tried: 0 };
}

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

    /// Sends an attempt, once it has a connection where they are kept, and says with it how much time is left, where the
    /// callee is to know.
    pub(super) fn dispatch(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        target: ReplicaId,
        network: Option<Delay>,
    ) -> Step {
        if self.links[self.trips[index].link].pool.is_some() {
            return self.send_pooled(host, now, index, target, network);
        }
        let step = self.send(host, now, index, target, network);
        if network.is_some() {
            self.carry_time_left(index, now, now);
        }
        step
    }

    /// A request that goes out at `at` says how much time is left for it, where the callee is to know: its attempt's
    /// timeout has run since `since`.
    pub(super) fn carry_time_left(&mut self, index: u32, since: SimTime, at: SimTime) {
        let route = *self.route(index);
        if !self.plan.edges[route.edge.index()].bounds {
            return;
        }
        // An attempt that goes its way apart has the deadline of its call.
        let call = self.fibers.waiting(self.fibers[index].reply_to).unwrap_or(index);
        let call = if self.fibers[index].kind == Kind::Try { call } else { index };
        let deadline = self.fibers.deadline(call);
        let until = route.timeout.map_or(deadline, |timeout| deadline.min(since + timeout.span));
        if until != SimTime::NEVER {
            self.links.carry(route.edge, self.fibers[index].key, until - at);
        }
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
        if self.pool_is_full(link) {
            self.forget_replica(host, now, index);
            return Err(Failure::PoolFull);
        }
        let network = self.links.network(plan, edge);
        let network = self.through_faults(host, now, index, target, network).map_err(|outcome| {
            self.tell_replica(host, now, index, outcome);
            Failure::Callee(outcome)
        })?;
        self.links.count(plan, link, target, true);
        Ok((target, network))
    }

    /// What faults on an edge make of the way of an attempt over it.
    pub(super) fn through_faults(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        target: ReplicaId,
        network: Delay,
    ) -> Result<Option<Delay>, Outcome> {
        let route = self.route(index);
        let (edge, endpoint) = (route.edge, route.endpoint);
        if !self.links.disturbed[edge.index()] {
            return Ok(Some(network));
        }
        let hop = Hop { edge, endpoint, caller: self.fibers[index].replica, target };
        match self.disturb_edge(host, now, hop, network) {
            EdgeFault::Passes(delay) => Ok(Some(delay)),
            EdgeFault::Lost => Ok(None),
            EdgeFault::Fails(outcome) => Err(outcome),
        }
    }

    /// Chooses a replica that may be called.
    fn choose(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Result<ReplicaId, Failure> {
        let plan = self.plan;
        let link = self.trips[index].link;
        let token = self.admit_to_replicas(host, now, link)?;
        let several = self.route(index).several;
        let Choice { hash, tried } = if several { self.trips.choices[index] } else { Choice::NONE };
        let again = if tried == 0 { 0 } else { plan.sites[self.fibers[index].site.index()].avoid_tried };
        let picking = Picking { hash, tried, again, admitted: token.is_some() };
        let picked = self.links.pick(plan, now, link, &self.replicas, picking);
        let Some(target) = picked.or_else(|| self.begin_one(host, now, link)) else {
            if let (Some(token), Some(breaker)) = (token, &mut self.links[link].breaker) {
                breaker.release(token);
            }
            return Err(Failure::NoReplica);
        };
        let first = plan.services[plan.edges[self.links[link].edge.index()].callee.index()].first_replica;
        let replica = (target.0 - first.0) as usize;
        if several {
            self.trips.choices[index].tried |= 1 << replica.min(63);
        }
        if let (Some(token), Some(breaker)) = (token, &mut self.links[link].breaker) {
            self.trips[index].token = Some(breaker.assign(token, replica));
        }
        Ok(target)
    }

    /// Has a callee started that was scaled to nothing, if that is why there is no replica to call.
    fn begin_one(&mut self, host: &mut impl Host, now: SimTime, link: u32) -> Option<ReplicaId> {
        let callee: ServiceId = self.plan.edges[self.links[link].edge.index()].callee;
        let range = self.plan.services[callee.index()].replica_range();
        if self.replicas[range].iter().any(|replica| replica.ready) {
            return None;
        }
        self.activate(host, now, callee)
    }

    /// Asks a breaker that watches each replica whether any may be called.
    fn admit_to_replicas(&mut self, host: &mut impl Host, now: SimTime, link: u32) -> Result<Option<Token>, Failure> {
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
        self.free_connection(host, now, index, outcome != Outcome::Timeout);
        self.links.answered(self.plan, now, link, target, took);
        self.tell_replica(host, now, index, outcome);
    }

    /// An attempt that is out was given up: nobody will know how it ended.
    pub(super) fn lost(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let (target, link) = (self.fibers[index].target, self.trips[index].link);
        self.still(index);
        self.links.count(self.plan, link, target, false);
        self.free_connection(host, now, index, false);
        self.forget_replica(host, now, index);
    }

    /// An attempt that is over leaves the pool of its call, if there is one.
    fn free_connection(&mut self, host: &mut impl Host, now: SimTime, index: u32, kept: bool) {
        let link = self.trips[index].link;
        if self.links[link].pool.is_some() {
            self.leave_pool(host, now, index, link, kept);
        }
    }

    /// Takes the token with which a breaker that watches each replica has let an attempt go to one.
    fn token_at_replica(&mut self, index: u32) -> Option<Token> {
        let trip = &mut self.trips[index];
        let watches = self.links[trip.link].breaker.as_ref().is_some_and(Breaker::watches_replicas);
        if watches { trip.token.take() } else { None }
    }

    /// A breaker that watches each replica will not learn how an attempt at one ended.
    fn forget_replica(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let link = self.trips[index].link;
        let token = self.token_at_replica(index);
        let (state, streams) = self.links.with_streams(link);
        if let (Some(token), Some(breaker)) = (token, &mut state.breaker) {
            let transition = breaker.cancel(now, token, &mut streams.policies);
            self.breaker_changed(host, now, link, transition);
        }
    }

    /// Tells a breaker that watches each replica how an attempt at one ended.
    fn tell_replica(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let took = now - self.fibers[index].mark;
        let (link, Some(token)) = (self.trips[index].link, self.token_at_replica(index)) else { return };
        let (state, streams) = self.links.with_streams(link);
        let transition = state
            .breaker
            .as_mut()
            .and_then(|breaker: &mut Breaker| breaker.record(now, token, outcome, took, &mut streams.policies));
        self.breaker_changed(host, now, link, transition);
    }
}
