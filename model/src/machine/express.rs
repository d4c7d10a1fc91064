//! The short way: a call that meets no policy, no fault, no network and no queue is a few numbers written down, there and
//! back. Whatever else may be the case takes the general way, in `call` and `service`, with the same result.

use std::collections::VecDeque;

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::{Fiber, Fibers, Kind, State};
use super::host::{Class, Host};
use super::key::{Key, Place};
use super::line::Waiting;
use super::route::Route;
use super::service::Replica;
use super::system::{Step, System};
use super::tell;
use crate::observation::{Called, Observation, Returned};
use crate::plan::{DatabaseId, Op, Pc, ReplicaId, SegmentId, TimeId};

/// How far the short way went.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flown {
    /// To this fiber, and a step of its that needs more; its `pc` is behind the step already.
    To(u32, Op),
    /// To this fiber, which has failed.
    Failed(u32),
    /// Into a queue.
    Nowhere,
}

/// A request that goes this way is at its service.
#[inline(always)]
pub(super) fn enter(fiber: &mut Fiber, now: SimTime, route: &Route, caller: Key, segment: SegmentId) {
    fiber.key = Key::NONE;
    fiber.reply_to = caller;
    fiber.arrived = now;
    fiber.started = now;
    fiber.replica = route.target;
    fiber.endpoint = route.endpoint;
    fiber.edge = route.edge;
    fiber.pc = route.entry;
    fiber.own_share = 1.0;
    fiber.outcome = Outcome::Ok;
    fiber.segment = segment.0 as u16;
    fiber.kind = Kind::Request;
    fiber.express = true;
}

/// A call's first attempt was sent, and waits for a worker.
#[inline(never)]
pub(super) fn tell_queued(host: &mut impl Host, now: SimTime, called: Called) {
    let Called { site, edge, endpoint, replica, segment } = called;
    host.observe(now, Observation::Attempt { site, edge, segment, number: 1 });
    host.observe(now, Observation::Queued { endpoint, replica, segment });
}

/// A request that had to wait for its worker has ended well, and its call with it.
#[inline(never)]
pub(super) fn tell_served(host: &mut impl Host, now: SimTime, returned: Returned, held: Span) {
    let Returned { of: Called { edge, endpoint, replica, segment, .. }, took } = returned;
    let outcome = Outcome::Ok;
    host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held });
    host.observe(now, Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took });
}

/// A worker of a replica with which nothing is the matter is free.
#[inline(always)]
pub(super) fn free(
    host: &mut impl Host,
    now: SimTime,
    (id, replica): (ReplicaId, &mut Replica),
    all: (&mut Fibers, &[Route]),
    later: &mut VecDeque<Step>,
) {
    replica.busy -= 1;
    if replica.saturated {
        hand_on(host, now, (id, replica), all, later);
    }
}

/// A saturated replica's worker is free: the next that waits has it, or the replica is saturated no more.
#[inline(never)]
pub(super) fn hand_on(
    host: &mut impl Host,
    now: SimTime,
    (id, replica): (ReplicaId, &mut Replica),
    (fibers, routes): (&mut Fibers, &[Route]),
    later: &mut VecDeque<Step>,
) {
    let Some(next) = replica.queue.pop(id, fibers, routes) else {
        replica.saturated = false;
        return host.observe(now, Observation::Relieved { replica: id });
    };
    replica.busy += 1;
    let fiber = &fibers[next];
    let (endpoint, segment) = (fiber.endpoint, fiber.segment());
    host.observe(now, Observation::Dequeued { endpoint, replica: id, segment, waited: now - fiber.lined_up() });
    later.push_back(fiber.first_step(next));
}

impl System<'_> {
    /// Runs a fiber, and whichever it calls or answers in this instant, as far as the short way goes.
    #[inline(always)]
    pub(super) fn fly<H: Host>(&mut self, host: &mut H, now: SimTime, mut index: u32) -> Flown {
        let plan = self.plan;
        let mut fiber = &mut self.fibers[index];
        if !fiber.outcome.is_success() {
            return Flown::Failed(index);
        }
        loop {
            if H::TRACED {
                fiber.state = State::Running;
                tell::turned(host, now, index, (fiber, &plan.ops));
            }
            let op = plan.ops[fiber.pc.index()];
            fiber.pc = Pc(fiber.pc.0 + 1);
            match op {
                Op::Call(site) if H::INSTANT => {
                    if self.relay(host, now, index, site) {
                        return Flown::Nowhere;
                    }
                    let Self { fibers, routes, replicas, tickets, .. } = self;
                    fiber = &mut fibers[index];
                    let route = &routes[site.index()];
                    let replica = &mut replicas[route.target.index()];
                    let free = replica.busy < replica.workers;
                    if !route.open || replica.disturbed || !free && replica.queue.len() >= replica.queue_limit {
                        return Flown::To(index, op);
                    }
                    let key = tickets.next(Place::Fiber(index));
                    fiber.key = key;
                    fiber.site = site;
                    fiber.target = route.target;
                    fiber.step_began = now;
                    fiber.attempts = 1;
                    fiber.bare = true;
                    fiber.limited = false;
                    fiber.state = State::Calling;
                    let segment = fiber.segment();
                    if let Some(patience) = route.timeout {
                        host.arm(now, patience, Class::Timeout, key);
                    }
                    tell::turned(host, now, index, (fiber, &plan.ops));
                    let (edge, endpoint, id) = (route.edge, route.endpoint, route.target);
                    let called = Called { site, edge, endpoint, replica: id, segment };
                    if !free && !H::TRACED {
                        fibers.hide(1);
                        let segment = segment.0 as u16;
                        replica.queue.push(Waiting::Request { came: now, from: key, site, segment, express: true });
                        tell_queued(host, now, called);
                        return Flown::Nowhere;
                    }
                    (index, fiber) = fibers.fresh();
                    enter(fiber, now, route, key, segment);
                    if !free {
                        fiber.state = State::Queued;
                        tell::began(host, now, index, fiber);
                        tell::turned(host, now, index, (fiber, &plan.ops));
                        replica.queue.push(Waiting::Fiber(index));
                        tell_queued(host, now, called);
                        return Flown::Nowhere;
                    }
                    fiber.state = State::Running;
                    tell::began(host, now, index, fiber);
                    host.called(now, called);
                    replica.busy += 1;
                    if replica.busy == replica.workers {
                        replica.saturated = true;
                        host.observe(now, Observation::Saturated { replica: id });
                    }
                }
                Op::Reply if H::INSTANT => {
                    let Self { fibers, replicas, routes, on_guard, later, .. } = self;
                    fiber = &mut fibers[index];
                    let (edge, endpoint, id) = (fiber.edge, fiber.endpoint, fiber.replica);
                    let (reply_to, segment, took) = (fiber.reply_to, fiber.segment(), now - fiber.arrived);
                    let waited = fiber.started != fiber.arrived;
                    let held = now - fiber.started;
                    let replica = &mut replicas[id.index()];
                    let plain = fiber.express && fiber.outcome == Outcome::Ok && !replica.disturbed && !*on_guard;
                    if !plain {
                        return self.answer_nobody(host, now, index, op);
                    }
                    if let Some(client) = reply_to.guest() {
                        fibers.release(index);
                        let called = Called { site: self.guests_call(client).0, edge, endpoint, replica: id, segment };
                        self.answer_guest(host, now, client, (called, took), waited.then_some(held));
                        return Flown::Nowhere;
                    }
                    let Some(caller) = fibers.waiting(reply_to) else {
                        return self.answer_nobody(host, now, index, op);
                    };
                    Self::tell_ended(host, now, index, Outcome::Ok);
                    fibers.release(index);
                    index = caller;
                    fiber = &mut fibers[index];
                    fiber.key = Key::NONE;
                    let called = Called { site: fiber.site, edge, endpoint, replica: id, segment };
                    let failed = !fiber.outcome.is_success();
                    if waited {
                        tell_served(host, now, Returned { of: called, took }, held);
                    } else {
                        host.returned(now, Returned { of: called, took });
                    }
                    free(host, now, (id, replica), (fibers, routes), later);
                    fiber = &mut fibers[index];
                    if failed {
                        return Flown::Failed(index);
                    }
                }
                op => return Flown::To(index, op),
            }
        }
    }

    /// A request is about to answer. If it has ended well, its caller has given up long ago, and nothing else follows from it, its
    /// worker is free, and that is all.
    #[inline(never)]
    fn answer_nobody<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, op: Op) -> Flown {
        let Self { fibers, replicas, routes, links, later, on_guard, .. } = self;
        let fiber = &fibers[index];
        let Fiber { edge, endpoint, replica: id, reply_to, outcome, kind, .. } = *fiber;
        let replica = &mut replicas[id.index()];
        let nobody = matches!(reply_to.place(), Place::Fiber(_)) && fibers.waiting(reply_to).is_none();
        let plain =
            kind == Kind::Request && outcome == Outcome::Ok && !replica.guarded && !replica.disturbed && !*on_guard;
        if !plain || !nobody || !links.is_instant(edge) {
            return Flown::To(index, op);
        }
        let (segment, took, held) = (fiber.segment(), now - fiber.arrived, now - fiber.started);
        host.observe(now, Observation::Ended { endpoint, replica: id, segment, outcome, took, held });
        Self::tell_ended(host, now, index, outcome);
        fibers.release(index);
        free(host, now, (id, replica), (fibers, routes), later);
        Flown::Nowhere
    }

    /// A guest's request has ended well.
    #[inline(always)]
    pub(super) fn answer_guest<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        client: ReplicaId,
        (of, took): (Called, Span),
        held: Option<Span>,
    ) {
        let Self { fibers, replicas, routes, later, .. } = self;
        match held {
            Some(held) => tell_served(host, now, Returned { of, took }, held),
            None => host.returned(now, Returned { of, took }),
        }
        free(host, now, (of.replica, &mut replicas[of.replica.index()]), (fibers, routes), later);
        self.guest_leaves(host, now, (client, of.segment), took);
    }

    /// Begins a query at a database that is as it should be and has connections to spare. If so the fiber waits.
    #[inline(always)]
    pub(super) fn query_plainly<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        index: u32,
        (id, time): (DatabaseId, TimeId),
    ) -> bool {
        let database = &mut self.databases[id.index()];
        // The last connection is the general way's: taking it is news.
        if !database.is_plain() || database.busy.saturating_add(1) >= database.connections {
            return false;
        }
        database.busy += 1;
        let delay = Self::draw(self.plan, time, &mut database.time);
        let key = self.tickets.next(Place::Fiber(index));
        let fiber = &mut self.fibers[index];
        fiber.key = key;
        fiber.step_began = now;
        fiber.state = State::Querying;
        fiber.mark = now + delay.span;
        let segment = fiber.segment();
        host.observe(now, Observation::QueryStarted { database: id, segment, waited: Span::ZERO, queued: false });
        host.arm(now, delay, Class::Completion, key);
        self.tell_state(host, now, index);
        true
    }

    /// Whether what `key` waits for is done now and nothing stands in the way of going on: `work`, a `wait`, or a query
    /// that nobody waits for the end of.
    #[inline(always)]
    pub(super) fn done_plainly<H: Host>(&mut self, host: &mut H, now: SimTime, key: Key) -> bool {
        let Some(index) = self.fibers.waiting(key) else { return false };
        let fiber = &self.fibers[index];
        match fiber.state {
            State::Querying if !self.on_guard => {
                let Op::Query(id, _) = self.plan.ops[fiber.pc.index() - 1] else { return false };
                let database = &mut self.databases[id.index()];
                if !database.is_plain() || database.saturated {
                    return false;
                }
                database.busy -= 1;
                let (segment, took) = (fiber.segment(), now - fiber.step_began);
                host.observe(now, Observation::QueryEnded { database: id, segment, outcome: Outcome::Ok, took });
                true
            }
            State::Busy => !self.on_guard && self.replicas[fiber.replica.index()].paused_total.is_zero(),
            _ => false,
        }
    }
}
