//! Services: a request at a replica gets a worker or waits for one, holds it to its end, and answers.

use squall_policies::{Outcome, SimTime, Span};

use super::fault::Condition;
use super::fiber::{Kind, State};
use super::host::{Class, Delay, Host, Request};
use super::key::{Key, Place};
use super::line::{Line, Waiting};
use super::system::{Step, System};
use crate::observation::{Limit, Observation};
use crate::plan::{EdgeId, Plan, ReplicaId, Service, ServiceId, TimeId};
use crate::rng::Stream;

/// The random streams of one service.
#[derive(Debug)]
pub(super) struct ServiceState {
    /// Its own time: `work`, `wait`, fallbacks.
    pub work: Stream,
    /// Its own choices: `chance`, `fail`.
    pub choices: Stream,
}

impl ServiceState {
    pub(super) fn new(plan: &Plan, service: &Service) -> Self {
        let stream = |what| Stream::new(plan.seed, &format!("{what}/{}", service.name));
        Self { work: stream("work"), choices: stream("choices") }
    }
}

/// Something that came to a replica while it was frozen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stashed {
    Request(Request),
    Reply(Key, Outcome),
    Wake(Key),
    Cancel(Key),
}

/// One replica.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is looked at alone, on the way of every request")]
pub(super) struct Replica {
    pub service: ServiceId,
    /// Workers, as configured.
    pub workers: u32,
    pub busy: u32,
    /// Whether its last free worker was taken, and none was freed since.
    pub saturated: bool,
    /// Whether it serves: it is up, and warm.
    pub ready: bool,
    /// Whether requests have to take the long way here: a fault is at work on it, its service, or one of its endpoints;
    /// or it is one that comes and goes.
    pub disturbed: bool,
    /// Whether more than a plain queue stands before its workers.
    pub guarded: bool,
    pub queue: Line,
    pub queue_limit: u32,
    /// How many faults freeze it, and since when.
    pub pauses: u32,
    pub paused_since: SimTime,
    /// How long it was frozen in all, before that.
    pub paused_total: Span,
    pub stash: Vec<Stashed>,
    /// The key of its restart.
    pub restart: Key,
    /// Whether it is about to be stopped: it gets no new requests, takes those on their way to it, and does what it has.
    pub draining: bool,
    /// Whether callers take it for ready, though it still starts.
    pub starting: bool,
}

impl Replica {
    /// All replicas of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        plan.services.iter().enumerate().flat_map(|(id, service)| Self::of(id.into(), service)).collect()
    }

    /// The replicas of a service.
    fn of(id: ServiceId, service: &Service) -> impl Iterator<Item = Self> + use<> {
        let (workers, queue_limit) = (service.workers, service.queue);
        let (scaled, at_start) = (service.autoscale.is_some(), service.at_start);
        (0..service.replicas).map(move |number| Self {
            service: id,
            workers,
            busy: 0,
            saturated: false,
            ready: number < at_start,
            disturbed: scaled,
            guarded: false,
            queue: Line::default(),
            queue_limit,
            pauses: 0,
            paused_since: SimTime::ZERO,
            paused_total: Span::ZERO,
            stash: Vec::new(),
            restart: Key::NONE,
            draining: false,
            starting: false,
        })
    }

    /// What the replica's own clock shows, which stands still while it is frozen.
    pub(super) fn own_clock(&self, now: SimTime) -> SimTime {
        let at = if self.pauses > 0 { self.paused_since } else { now };
        SimTime::from_nanos((at - SimTime::ZERO).saturating_sub(self.paused_total).as_nanos())
    }
}

impl System<'_> {
    /// A request comes to a replica.
    #[inline(always)]
    pub(super) fn admit<H: Host>(&mut self, host: &mut H, now: SimTime, request: Request) -> Step {
        let plan = self.plan;
        let Request { from, edge, to, endpoint, segment } = request;
        let replica = &self.replicas[to.index()];
        if replica.disturbed || !replica.ready || replica.guarded {
            match self.condition(host, now, to, endpoint, edge == EdgeId::OUTSIDE) {
                Condition::Up => {}
                Condition::Lost => {
                    self.links.forget(edge, from);
                    return Step::Rest;
                }
                Condition::Frozen => {
                    Self::tell_held_up(host, now, from);
                    self.replicas[to.index()].stash.push(Stashed::Request(request));
                    return Step::Rest;
                }
                Condition::Down => {
                    self.links.forget(edge, from);
                    return self.send_back(host, now, edge, from, Outcome::Refused);
                }
                Condition::Hanging => {
                    self.links.forget(edge, from);
                    self.hung += 1;
                    host.observe(now, Observation::Hung { endpoint, replica: to, segment });
                    return Step::Rest;
                }
            }
            if self.replicas[to.index()].guarded {
                return self.admit_guarded(host, now, request);
            }
        }
        let limit = self.worker_limit(now, to);
        let replica = &mut self.replicas[to.index()];
        if replica.busy >= limit && replica.queue.len() >= replica.queue_limit {
            let drops = plan.services[plan.endpoints[endpoint.index()].service.index()].queue_drops;
            host.observe(
                now,
                Observation::Rejected { endpoint, replica: to, segment, answered: !drops, limit: Limit::Queue },
            );
            return if drops { Step::Rest } else { self.send_back(host, now, edge, from, Outcome::Rejected) };
        }
        let free = replica.busy < limit;
        if !free
            && !H::TRACED
            && let Some(site) = self.doors.find(edge, endpoint)
        {
            self.fibers.hide(1);
            let segment_of = segment.0 as u16;
            replica.queue.push(Waiting::Request { came: now, from, site, segment: segment_of, express: false });
            host.observe(now, Observation::Queued { endpoint, replica: to, segment });
            return Step::Rest;
        }
        let index = self.fibers.alloc();
        let fiber = &mut self.fibers[index];
        fiber.begin(request, now, plan.endpoints[endpoint.index()].entry);
        if free {
            replica.busy += 1;
            host.observe(now, Observation::Admitted { endpoint, replica: to, segment });
            if replica.busy >= limit && !replica.saturated {
                replica.saturated = true;
                host.observe(now, Observation::Saturated { replica: to });
            }
            fiber.started = now;
            let disturbed = replica.disturbed;
            self.tell_began(host, now, index);
            if disturbed { Step::Serve(index) } else { Step::Run(index) }
        } else {
            replica.queue.push(Waiting::Fiber(index));
            host.observe(now, Observation::Queued { endpoint, replica: to, segment });
            self.tell_began(host, now, index);
            self.tell_state(host, now, index);
            Step::Rest
        }
    }

    /// A request has its worker: its program begins.
    #[inline(always)]
    pub(super) fn serve(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let fiber = &mut self.fibers[index];
        fiber.started = now;
        if self.replicas[fiber.replica.index()].disturbed {
            self.disturb_request(host, now, index)
        } else {
            Step::Run(index)
        }
    }

    /// Spends a step's own time; answers whether the fiber has to wait for it.
    #[inline(always)]
    pub(super) fn spend(&mut self, host: &mut impl Host, now: SimTime, index: u32, time: TimeId) -> bool {
        let fiber = &self.fibers[index];
        let replica = &self.replicas[fiber.replica.index()];
        let mut delay = System::draw(self.plan, time, &mut self.services[replica.service.index()].work);
        if fiber.own_share != 1.0 || replica.disturbed {
            delay = Delay::of(self.disturb_own_time(host, now, index, delay.span));
        }
        self.hold(host, now, index, delay)
    }

    /// Holds a fiber for this long on its replica's own clock; answers whether it has to wait at all.
    #[inline(always)]
    pub(super) fn hold(&mut self, host: &mut impl Host, now: SimTime, index: u32, delay: Delay) -> bool {
        if delay.span.is_zero() {
            return false;
        }
        let key = self.ticket(index);
        let fiber = &mut self.fibers[index];
        fiber.state = State::Busy;
        fiber.mark = self.replicas[fiber.replica.index()].own_clock(now) + delay.span;
        host.arm(now, delay, Class::Completion, key);
        self.tell_state(host, now, index);
        true
    }

    /// Whether a fiber's replica was frozen meanwhile, so that some of its time is still to come; if so it waits on.
    pub(super) fn still_owes(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> bool {
        let replica = &self.replicas[self.fibers[index].replica.index()];
        if replica.paused_total.is_zero() {
            return false;
        }
        let owed = self.fibers[index].mark - replica.own_clock(now);
        if owed.is_zero() {
            return false;
        }
        let key = self.ticket(index);
        host.arm(now, Delay::of(owed), Class::Completion, key);
        true
    }

    /// A request has ended: it answers, and its worker takes the next.
    #[inline(always)]
    pub(super) fn answer<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, outcome: Outcome) -> Step {
        self.register_guest(index);
        let fiber = &self.fibers[index];
        let (edge, reply_to, replica, endpoint) = (fiber.edge, fiber.reply_to, fiber.replica, fiber.endpoint);
        let (segment, took, held) = (fiber.segment(), now - fiber.arrived, now - fiber.started);
        host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held });
        let mut answer = outcome;
        if self.replicas[replica.index()].disturbed {
            answer = self.disturb_answer(host, now, [replica.0, endpoint.0], outcome);
        }
        if self.replicas[replica.index()].guarded {
            self.leave_guard(host, now, index, outcome);
        }
        Self::tell_ended(host, now, index, outcome);
        self.fibers.release(index);
        self.free_worker(host, now, replica);
        self.send_back(host, now, edge, reply_to, answer)
    }

    /// Sends an answer back the way its request came.
    #[inline(always)]
    pub(super) fn send_back<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        edge: EdgeId,
        to: Key,
        outcome: Outcome,
    ) -> Step {
        let delay = self.links.network(self.plan, edge);
        if H::INSTANT && delay.span.is_zero() {
            return Step::Reply(to, outcome);
        }
        host.reply(now, delay, to, outcome);
        Step::Rest
    }

    /// A worker is free: it takes the next request, if there is one and it may.
    #[inline(always)]
    pub(super) fn free_worker(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        let limit = self.worker_limit(now, id);
        let replica = &mut self.replicas[id.index()];
        replica.busy -= 1;
        if replica.guarded {
            return self.serve_waiting(host, now, id);
        }
        if replica.busy < limit
            && let Some(next) = self.next_in_line(host, now, id)
        {
            return self.dequeued(host, now, id, next);
        }
        let replica = &mut self.replicas[id.index()];
        if replica.saturated && replica.busy < limit {
            replica.saturated = false;
            host.observe(now, Observation::Relieved { replica: id });
        }
    }

    /// More workers than before may be free: those that wait take them.
    pub(super) fn serve_waiting(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        let limit = self.worker_limit(now, id);
        loop {
            let replica = &mut self.replicas[id.index()];
            if replica.busy >= limit || replica.pauses > 0 {
                break;
            }
            let Some(next) = self.next_waiting(host, now, id) else { break };
            self.dequeued(host, now, id, next);
        }
        let replica = &mut self.replicas[id.index()];
        let full = replica.busy >= limit;
        if core::mem::replace(&mut replica.saturated, full) != full {
            let replica = id;
            host.observe(
                now,
                if full { Observation::Saturated { replica } } else { Observation::Relieved { replica } },
            );
        }
    }

    fn dequeued(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, next: u32) {
        self.replicas[id.index()].busy += 1;
        let fiber = &self.fibers[next];
        let (endpoint, segment) = (fiber.endpoint, fiber.segment());
        host.observe(now, Observation::Dequeued { endpoint, replica: id, segment, waited: now - fiber.lined_up() });
        self.later.push_back(fiber.first_step(next));
    }

    /// The stream of a fiber's service that decides its choices.
    pub(super) fn choices(&mut self, index: u32) -> &mut Stream {
        let service = self.replicas[self.fibers[index].replica.index()].service;
        &mut self.services[service.index()].choices
    }

    /// Whether a fiber's replica is frozen.
    #[inline(always)]
    pub(super) fn frozen(&self, index: u32) -> bool {
        self.replicas[self.fibers[index].replica.index()].pauses > 0
    }

    #[cold]
    #[inline(never)]
    pub(super) fn stash(&mut self, index: u32, what: Stashed) {
        let replica = self.fibers[index].replica;
        self.replicas[replica.index()].stash.push(what);
    }

    /// A replica goes on where it was frozen: first what came meanwhile, in the order it came.
    pub(super) fn thaw(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        let replica = &mut self.replicas[id.index()];
        replica.pauses -= 1;
        if replica.pauses > 0 {
            return;
        }
        replica.paused_total = replica.paused_total + (now - replica.paused_since);
        self.watch_answers();
        let replica = &mut self.replicas[id.index()];
        for what in core::mem::take(&mut replica.stash) {
            self.later.push_back(match what {
                Stashed::Request(request) => Step::Arrive(request),
                Stashed::Reply(key, outcome) => Step::Reply(key, outcome),
                Stashed::Wake(key) => Step::Wake(key),
                Stashed::Cancel(attempt) => Step::Cancel(attempt),
            });
        }
        self.serve_waiting(host, now, id);
    }

    /// A replica freezes.
    pub(super) fn freeze(&mut self, now: SimTime, id: ReplicaId) {
        let replica = &mut self.replicas[id.index()];
        if replica.pauses == 0 {
            replica.paused_since = now;
        }
        replica.pauses += 1;
        self.on_guard = true;
    }

    /// A replica dies with all that it was doing; its callers find their connections closed. It starts again.
    pub(super) fn kill(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        self.part(host, now, &(id.index()..id.index() + 1));
        self.meter(now, id);
        let replica = &mut self.replicas[id.index()];
        if core::mem::replace(&mut replica.ready, false) {
            host.observe(now, Observation::ReplicaDown { replica: id });
        }
        self.clear_routes();
        self.clear_memory(id);
        let replica = &mut self.replicas[id.index()];
        (replica.draining, replica.starting) = (false, false);
        let stash = core::mem::take(&mut replica.stash);
        for request in stash.into_iter().filter_map(|s| if let Stashed::Request(r) = s { Some(r) } else { None }) {
            self.links.forget(request.edge, request.from);
            let step = self.send_back(host, now, request.edge, request.from, Outcome::Refused);
            self.later.push_back(step);
        }
        for index in self.fibers.on(id) {
            if self.fibers[index].state != State::Queued {
                self.die(host, now, index, Outcome::Refused);
            }
        }
        self.turn_out(host, now, id);
        let waiting = self.guards.waiting(id);
        let replica = &mut self.replicas[id.index()];
        assert!(replica.busy == 0 && replica.queue.len() == 0 && waiting == 0, "a dead replica does nothing");
        if core::mem::take(&mut replica.saturated) {
            host.observe(now, Observation::Relieved { replica: id });
        }
        if self.is_wanted(id) {
            self.restart(host, now, id);
        }
    }

    /// A replica begins to start.
    pub(super) fn restart(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        let ready_after = self.plan.services[self.replicas[id.index()].service.index()].ready_after;
        self.goes_on_starting(host, now, id, ready_after);
    }

    fn goes_on_starting(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, takes: Span) {
        let key = self.tickets.next(Place::Replica(id.0));
        self.replicas[id.index()].restart = key;
        host.arm(now, Delay::of(takes), Class::Completion, key);
    }

    /// A replica gets no new requests from now on, and does what it has; answers whether it was one that does.
    pub(super) fn drain(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) -> bool {
        if !self.replicas[id.index()].ready || !self.is_wanted(id) {
            return false;
        }
        self.meter(now, id);
        let replica = &mut self.replicas[id.index()];
        (replica.ready, replica.starting, replica.draining) = (false, false, true);
        host.observe(now, Observation::ReplicaDown { replica: id });
        self.clear_routes();
        true
    }

    /// Those that wait at a dead replica die with it, one after another: each gets a worker, which is gone.
    fn turn_out(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        while let Some(next) = self.any_waiting(host, now, id) {
            self.replicas[id.index()].busy += 1;
            let fiber = &mut self.fibers[next];
            fiber.started = now;
            let (endpoint, segment, waited) = (fiber.endpoint, fiber.segment(), now - fiber.arrived);
            host.observe(now, Observation::Dequeued { endpoint, replica: id, segment, waited });
            self.die(host, now, next, Outcome::Refused);
        }
    }

    /// One fiber dies: with its replica, or because its caller no longer waits for it.
    #[cold]
    #[inline(never)]
    pub(super) fn die(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let fiber = &self.fibers[index];
        if fiber.kind == Kind::Try && self.fibers.waiting(fiber.reply_to).is_some() {
            // Its call ends it.
            return;
        }
        match fiber.state {
            State::Calling | State::Held | State::Hedging | State::BackingOff => self.abandon_call(host, now, index),
            State::Pooling | State::Connecting | State::Querying => self.abandon_query(host, now, index),
            State::Computing => self.stop_computing(host, now, index),
            State::FallingBack => self.leave_fallback(index),
            State::Free => return,
            _ => {}
        }
        let fiber = &self.fibers[index];
        let (replica, endpoint, segment, kind) = (fiber.replica, fiber.endpoint, fiber.segment(), fiber.kind);
        if kind == Kind::Request {
            let (edge, reply_to, took) = (fiber.edge, fiber.reply_to, now - fiber.arrived);
            let held = now - fiber.started;
            host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held });
            self.meter(now, replica);
            self.replicas[replica.index()].busy -= 1;
            if self.replicas[replica.index()].guarded {
                self.leave_guard(host, now, index, outcome);
            }
            if outcome != Outcome::Cancelled {
                let step = self.send_back(host, now, edge, reply_to, outcome);
                self.later.push_back(step);
            }
        }
        Self::tell_ended(host, now, index, outcome);
        self.fibers.release(index);
    }

    /// A replica has started, or says so; answers whether the key was for this.
    pub(super) fn replica_ready(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, key: Key) -> bool {
        if self.replicas[id.index()].restart != key {
            return false;
        }
        self.meter(now, id);
        let replica = &mut self.replicas[id.index()];
        let service = &self.plan.services[replica.service.index()];
        if core::mem::take(&mut replica.starting) {
            self.mark_disturbed();
        } else {
            replica.ready = true;
            host.observe(now, Observation::ReplicaUp { replica: id });
            if service.ready_after < service.cold_start {
                (replica.starting, replica.disturbed) = (true, true);
                self.goes_on_starting(host, now, id, service.cold_start.saturating_sub(service.ready_after));
            }
        }
        self.clear_routes();
        self.serve_waiting(host, now, id);
        true
    }
}
