//! The whole of the machines' state, the doors through which a host steps it, and the loop that runs step programs.

use std::collections::VecDeque;

use squall_policies::{Outcome, SimTime, Span};

use super::asked::Asked;
use super::autoscale::Scaler;
use super::cache::{CacheState, Looking};
use super::cancel::Cancels;
use super::client::Client;
use super::connections::Holds;
use super::cpu::Cpu;
use super::database::DatabaseState;
use super::express::Flown;
use super::fault::Faults;
use super::fiber::{Fiber, Fibers, Kind, State};
use super::guard::Guards;
use super::host::{Delay, Host, Request};
use super::journey::Trails;
use super::key::{Key, Place, Tickets};
use super::link::Links;
use super::memory::Memory;
use super::relay::{Back, Relay};
use super::route::{Doors, Route};
use super::service::{Replica, ServiceState, Stashed};
use super::topic::TopicState;
use super::trip::Trips;
use crate::dist::Dist;
use crate::plan::{FaultId, Join, LoadId, Op, Pc, Plan, ReplicaId, TimeId};
use crate::rng::{Random as _, Stream};

/// All services, clients, databases and calls of a plan, at one moment.
#[derive(Debug)]
pub struct System<'p> {
    pub(super) plan: &'p Plan,
    pub(super) tickets: Tickets,
    pub(super) fibers: Fibers,
    /// What is still to be done now, once the step under way has come to its end.
    pub(super) later: VecDeque<Step>,
    /// Waits that callees asked for.
    pub(super) asked: Asked,
    pub(super) services: Vec<ServiceState>,
    pub(super) replicas: Vec<Replica>,
    pub(super) databases: Vec<DatabaseState>,
    pub(super) caches: Vec<CacheState>,
    pub(super) looking: Looking,
    pub(super) topics: Vec<TopicState>,
    /// By replica.
    pub(super) cpus: Vec<Option<Cpu>>,
    /// By replica.
    pub(super) memories: Vec<Option<Memory>>,
    /// By service.
    pub(super) scalers: Vec<Option<Scaler>>,
    /// Autoscalers do not look after this.
    pub(super) scaled_until: SimTime,
    pub(super) holds: Holds,
    pub(super) links: Links,
    /// What stands before the workers of replicas that have more than a plain queue.
    pub(super) guards: Guards,
    pub(super) cancels: Cancels,
    /// By fiber: calls on their way through their policies.
    pub(super) trips: Trips,
    /// By call step.
    pub(super) routes: Vec<Route>,
    pub(super) doors: Doors,
    /// By call step: what may be done of it as a relay.
    pub(super) relays: Vec<Relay>,
    /// How many lanes there are: the plan's and those of the journeys.
    pub(super) lanes: usize,
    /// Of relays that are under way on the network.
    pub(super) trails: Trails,
    pub(super) clients: Vec<Client>,
    pub(super) faults: Faults,
    /// Requests that a hanging replica accepted and will never answer.
    pub(super) hung: u64,
    /// Whether an answer may not simply be taken: a replica is frozen, or a fault is at work on answers.
    pub(super) on_guard: bool,
    /// Whether a replica may have begun or ceased to take connections, other than by a wake-up or a fault.
    pub(super) doors_changed: bool,
    /// The segment that the clock was last seen in.
    pub(super) segment: u32,
}

/// What happens next, in the same instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A fiber's program goes on.
    Run(u32),
    /// A request has its worker.
    Serve(u32),
    /// A relay or a journey that waited has its worker.
    Travel(u32),
    /// A fiber has come to its end.
    Finish(u32, Outcome),
    /// A request comes to a replica.
    Arrive(Request),
    /// An answer comes back.
    Reply(Key, Outcome),
    /// A fiber's timer fires.
    Wake(Key),
    /// The caller of this attempt has given up.
    Cancel(Key),
    /// Nothing follows from this step.
    Rest,
}

/// A count of what is in the machines, to hold against what was seen of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Census {
    /// Fibers in use: users' requests, requests at services, branches.
    pub fibers: u64,
    /// The most fibers that were in use at once.
    pub peak_fibers: u64,
    /// Workers busy.
    pub workers: u64,
    /// Connections busy.
    pub connections: u64,
    /// Requests accepted by hanging replicas.
    pub hung: u64,
    /// Requests on their way that carry how much time is left for them.
    pub deadlines: u64,
}

impl<'p> System<'p> {
    /// The plan's system at rest.
    pub fn new(plan: &'p Plan) -> Self {
        let (mut replicas, guards) = (Replica::all(plan), Guards::new(plan));
        for (row, replica) in replicas.iter_mut().enumerate() {
            replica.guarded = guards.is_at(ReplicaId::from(row));
        }
        let routes: Vec<_> = plan.sites.iter().map(|site| Route::new(plan, site)).collect();
        let mut lanes = plan.lanes.len();
        let mut system = Self {
            plan,
            tickets: Tickets::default(),
            fibers: Fibers::new(),
            later: VecDeque::new(),
            asked: Asked::default(),
            services: plan.services.iter().map(|s| ServiceState::new(plan, s)).collect(),
            replicas,
            databases: plan.databases.iter().map(|d| DatabaseState::new(plan, d)).collect(),
            caches: plan.caches.iter().map(|c| CacheState::new(plan, c)).collect(),
            looking: Looking::new(plan),
            topics: plan.topics.iter().map(|t| TopicState::new(plan, t)).collect(),
            cpus: Cpu::all(plan),
            memories: Memory::all(plan),
            scalers: Scaler::all(plan),
            scaled_until: SimTime::ZERO + plan.duration,
            holds: Holds::default(),
            links: Links::new(plan),
            guards,
            cancels: Cancels::default(),
            trips: Trips::default(),
            relays: Relay::all(plan, &routes, &mut lanes),
            lanes,
            trails: Trails::default(),
            routes,
            doors: Doors::new(plan),
            clients: (0..plan.loads.len()).map(|load| Client::new(plan, load.into())).collect(),
            faults: Faults::new(plan),
            hung: 0,
            on_guard: false,
            doors_changed: false,
            segment: 0,
        };
        system.open_relays();
        system
    }

    /// The plan it runs.
    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// How many lanes the delays that it asks for may name: the plan's, and some of its own.
    pub const fn lanes(&self) -> usize {
        self.lanes
    }

    /// What is in it now.
    pub fn census(&self) -> Census {
        Census {
            fibers: u64::from(self.fibers.live()),
            peak_fibers: u64::from(self.fibers.peak()),
            workers: self.replicas.iter().map(|r| u64::from(r.busy)).sum(),
            connections: self.databases.iter().map(|d| u64::from(d.busy)).sum(),
            hung: self.hung,
            deadlines: self.links.deadlines(),
        }
    }

    /// The closed loops' users take their places, and autoscalers begin to look.
    pub fn begin(&mut self, host: &mut impl Host, now: SimTime) {
        self.tell_limits(host, now);
        (0..self.links.count_all()).for_each(|link| self.begin_breaker(host, now, link));
        self.begin_scaling(host, now);
        self.seat_users(host, now);
    }

    /// Autoscalers begin to look, and go on for ever: there is no load of the plan's own, and no end of it.
    pub fn begin_without_load(&mut self, host: &mut impl Host, now: SimTime) {
        self.scaled_until = SimTime::NEVER;
        self.tell_limits(host, now);
        (0..self.links.count_all()).for_each(|link| self.begin_breaker(host, now, link));
        self.begin_scaling(host, now);
    }

    /// Whether a replica may have begun or ceased to take connections since this was last asked, other than in a wake-up
    /// of a [`Place::Replica`] or by a fault.
    pub const fn take_doors_changed(&mut self) -> bool {
        core::mem::replace(&mut self.doors_changed, false)
    }

    /// A user of an open loop asks now, having meant to do so now.
    pub fn ask(&mut self, host: &mut impl Host, now: SimTime, load: LoadId) {
        if self.relay_user(host, now, load) {
            return self.after_relay(host, now);
        }
        if self.receive_guest(host, now, load) || self.send_user(host, now, load) {
            return;
        }
        let index = self.open_request(host, now, load);
        self.go(host, now, index);
    }

    /// A user of an open loop asks now, having meant to do so at `meant`: a real clock is always a little late. Its
    /// request counts, and its latency runs, from when it was meant.
    pub fn ask_late(&mut self, host: &mut impl Host, now: SimTime, meant: SimTime, load: LoadId) {
        let step = self.late_request(host, now, meant, load);
        self.drive(host, now, step);
    }

    /// A request has come to its replica, and its caller said how much time is left for it.
    pub fn arrive_within(&mut self, host: &mut impl Host, now: SimTime, request: Request, left: Span) {
        if self.plan.edges.get(request.edge.index()).is_some_and(|edge| edge.bounds) {
            self.links.carry(request.edge, request.from, left);
        }
        self.arrive(host, now, request);
    }

    /// How much time is left for a request that was just sent, if its callee is to be told; whoever asks tells it.
    pub fn time_left(&mut self, request: Request) -> Option<Span> {
        self.links.arrived(request.edge, request.from)
    }

    /// A request has come to its replica.
    pub fn arrive(&mut self, host: &mut impl Host, now: SimTime, request: Request) {
        let step = self.admit(host, now, request);
        self.begin_with(host, now, step);
    }

    /// The answer to an attempt has come back. Late ones are stale, and harmless.
    pub fn replied(&mut self, host: &mut impl Host, now: SimTime, key: Key, outcome: Outcome) {
        let step = self.reply(host, now, key, outcome);
        self.begin_with(host, now, step);
    }

    /// A timer's time has come. Stale ones are harmless.
    #[inline(always)]
    pub fn wake(&mut self, host: &mut impl Host, now: SimTime, key: Key) {
        match self.come_back(host, now, key) {
            Back::No => {}
            Back::Done => return self.after_relay(host, now),
            Back::To(caller) => return self.go(host, now, caller),
        }
        match key.place() {
            Place::Fiber(_) if self.done_plainly(host, now, key) => self.go(host, now, key.index()),
            Place::Fiber(_) => self.drive(host, now, Step::Wake(key)),
            Place::Replica(replica) => {
                self.wake_replica(host, now, replica, key);
                self.drive(host, now, Step::Rest);
            }
            Place::Link(link) => {
                self.wake_link(host, now, link, key);
                self.drive(host, now, Step::Rest);
            }
            Place::Host(_) => {}
        }
    }

    /// Whether anybody still waits for `key`.
    #[inline]
    pub fn waits(&self, key: Key) -> bool {
        match key.place() {
            Place::Fiber(_) => self.fibers.waiting(key).is_some(),
            _ => true,
        }
    }

    /// A fault of the plan begins.
    pub fn begin_fault(&mut self, host: &mut impl Host, now: SimTime, fault: FaultId) {
        self.part(host, now, &self.touched_by(fault));
        self.fault_begins(host, now, fault);
        self.open_relays();
        self.drive(host, now, Step::Rest);
    }

    /// A fault of the plan ends.
    pub fn end_fault(&mut self, host: &mut impl Host, now: SimTime, fault: FaultId) {
        self.part(host, now, &self.touched_by(fault));
        self.fault_ends(host, now, fault);
        self.open_relays();
        self.drive(host, now, Step::Rest);
    }

    /// Runs a fiber on, and does what follows from it.
    #[inline(never)]
    pub(super) fn go<H: Host>(&mut self, host: &mut H, now: SimTime, mut index: u32) {
        loop {
            let step = self.run(host, now, index);
            if step != Step::Rest {
                return self.drive(host, now, step);
            }
            match self.later.pop_front() {
                None => return,
                Some(Step::Serve(next)) if !self.replicas[self.fibers[next].replica.index()].disturbed => {
                    self.fibers[next].started = now;
                    index = next;
                }
                Some(step) => return self.drive(host, now, step),
            }
        }
    }

    /// Takes a first step, and does what follows from it.
    #[inline(always)]
    pub(super) fn begin_with(&mut self, host: &mut impl Host, now: SimTime, step: Step) {
        match step {
            Step::Run(index) => self.go(host, now, index),
            Step::Rest if self.later.is_empty() => {}
            step => self.drive(host, now, step),
        }
    }

    /// Takes one step after another until nothing more can happen now. Nothing here calls itself: what follows from a
    /// step is the next step, or one kept for later.
    #[inline(never)]
    pub(super) fn drive<H: Host>(&mut self, host: &mut H, now: SimTime, first: Step) {
        let mut step = first;
        loop {
            step = match step {
                Step::Run(index) => self.run_on(host, now, index),
                Step::Arrive(request) => self.admit(host, now, request),
                Step::Reply(key, outcome) => self.reply(host, now, key, outcome),
                Step::Finish(index, outcome) => self.finish(host, now, index, outcome),
                Step::Serve(index) => self.serve(host, now, index),
                Step::Travel(index) => self.travel(host, now, index),
                Step::Wake(key) => self.wake_fiber(host, now, key),
                Step::Cancel(attempt) => self.cancel_request(host, now, attempt),
                Step::Rest => match self.later.pop_front() {
                    Some(step) => step,
                    None => return,
                },
            };
        }
    }

    /// Runs a fiber on, and takes the steps that usually follow without going round.
    #[inline(always)]
    fn run_on<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Step {
        match self.run(host, now, index) {
            Step::Arrive(request) => self.admit(host, now, request),
            Step::Finish(index, outcome) => match self.finish(host, now, index, outcome) {
                Step::Reply(key, outcome) => self.reply(host, now, key, outcome),
                step => step,
            },
            step => step,
        }
    }

    /// From here on the fiber waits for a new key, and every earlier one is stale.
    #[inline(always)]
    pub(super) fn ticket(&mut self, index: u32) -> Key {
        let key = self.tickets.next(Place::Fiber(index));
        self.fibers[index].key = key;
        key
    }

    #[inline(always)]
    fn reply(&mut self, host: &mut impl Host, now: SimTime, key: Key, outcome: Outcome) -> Step {
        let Some(index) = self.fibers.waiting(key) else { return Step::Rest };
        let mut outcome = outcome;
        if self.on_guard {
            match self.guarded_reply(host, now, index, outcome) {
                Some(seen) => outcome = seen,
                None => return Step::Rest,
            }
        }
        self.attempt_replied(host, now, index, outcome)
    }

    #[inline(always)]
    fn wake_fiber(&mut self, host: &mut impl Host, now: SimTime, key: Key) -> Step {
        let Some(index) = self.fibers.waiting(key) else { return Step::Rest };
        if self.on_guard && self.frozen(index) {
            self.stash(index, Stashed::Wake(key));
            return Step::Rest;
        }
        let state = self.fibers[index].state;
        match state {
            State::Busy if self.still_owes(host, now, index) => Step::Rest,
            State::Busy => Step::Run(index),
            State::Querying if self.query_still_owes(host, now, index) => Step::Rest,
            State::Querying => self.query_over(host, now, index),
            State::Looking => self.look_due(host, now, index),
            State::Publishing => self.published(host, now, index),
            State::Pooling | State::Connecting => self.query_gives_up(host, now, index),
            State::Calling => self.attempt_timed_out(host, now, index),
            State::Held | State::Hedging => self.trip_due(host, now, index),
            State::BackingOff => self.backed_off(host, now, index),
            State::FallingBack => self.fell_back(host, now, index),
            State::Queued => self.waited_enough(host, now, index),
            State::Thinking => self.user_asks(host, now, index),
            _ => unreachable!("a fiber that is {state:?} waits for no timer"),
        }
    }

    /// Something of a replica is due, or of a database behind them.
    #[cold]
    #[inline(never)]
    fn wake_replica(&mut self, host: &mut impl Host, now: SimTime, place: u32, key: Key) {
        if let Some(database) = (place as usize).checked_sub(self.replicas.len()) {
            self.wake_database(host, now, database.into(), key);
            return;
        }
        let id = ReplicaId(place);
        let _ = self.wake_cpu(host, now, id, key)
            || self.die_of_memory(host, now, id, key)
            || self.scale(host, now, id, key)
            || self.more_users(host, now, id, key)
            || self.replica_ready(host, now, id, key);
    }

    /// What becomes of an answer while replicas are frozen, or faults are at work on answers; `None` if it is not taken
    /// now.
    #[cold]
    #[inline(never)]
    fn guarded_reply(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Option<Outcome> {
        let seen = self.disturb_reply(host, now, index, outcome)?;
        if self.frozen(index) {
            let key = self.fibers[index].key;
            Self::tell_held_up(host, now, key);
            self.stash(index, Stashed::Reply(key, seen));
            return None;
        }
        Some(seen)
    }

    /// Runs a fiber's program until it has to wait or has ended.
    #[inline(always)]
    fn run<H: Host>(&mut self, host: &mut H, now: SimTime, mut index: u32) -> Step {
        let plan = self.plan;
        loop {
            let op = match self.fly(host, now, index) {
                Flown::To(fiber, op) => {
                    index = fiber;
                    op
                }
                // A branch has failed, and so has this.
                Flown::Failed(index) => return Step::Finish(index, self.fibers[index].outcome),
                Flown::Nowhere => return Step::Rest,
            };
            let fiber = &mut self.fibers[index];
            fiber.state = State::Running;
            match op {
                Op::Work(time) | Op::Wait(time) => {
                    if self.spend(host, now, index, time) {
                        return Step::Rest;
                    }
                }
                Op::Query(database, time) => {
                    if self.query_plainly(host, now, index, (database, time)) {
                        return Step::Rest;
                    }
                    return self.query(host, now, index, database, time);
                }
                Op::PooledQuery(database, time) => return self.pooled_query(host, now, index, database, time),
                Op::Compute(time) => return self.compute(host, now, index, time),
                Op::Claim => return self.claim(host, now, index),
                Op::Get { cache, .. } => return self.look_up(host, now, index, cache),
                Op::Fill { cache, depth } => self.fill(now, index, cache, depth),
                Op::Publish(topic) => return self.publish(host, now, index, topic),
                Op::Call(site) => return self.call(host, now, index, site),
                Op::Reply if fiber.kind == Kind::User => {
                    let outcome = fiber.outcome;
                    return self.user_answered(host, now, index, outcome);
                }
                Op::Reply if fiber.kind == Kind::Request => {
                    let outcome = fiber.outcome;
                    return self.answer(host, now, index, outcome);
                }
                Op::Join | Op::Reply => return Step::Finish(index, fiber.outcome),
                Op::Fork { first, count, .. } => {
                    if count > 0 {
                        self.fork(host, now, index, (&plan.branches[first as usize..(first + count) as usize], 0));
                        return Step::Rest;
                    }
                }
                Op::Repeat { times, after } => {
                    let body = core::mem::replace(&mut fiber.pc, after);
                    if times > 0 {
                        self.fork(host, now, index, (&[body], times));
                        return Step::Rest;
                    }
                }
                Op::Again { body } => {
                    let outcome = fiber.outcome;
                    let aside = self.fibers.aside(index);
                    aside.rounds -= 1;
                    if aside.rounds == 0 {
                        return Step::Finish(index, outcome);
                    }
                    self.fibers[index].pc = body;
                }
                Op::Chance { share, otherwise } => {
                    if self.choices(index).unit() >= share {
                        self.fibers[index].pc = otherwise;
                    }
                }
                Op::Check { least } => {
                    if self.is_too_late(now, index, least) {
                        return Step::Finish(index, Outcome::Timeout);
                    }
                }
                Op::Jump { to } => fiber.pc = to,
                Op::Fail { share, status } => {
                    if self.choices(index).unit() < share {
                        return Step::Finish(index, Outcome::Error(status));
                    }
                }
            }
        }
    }

    /// Draws a time of the plan from `stream`.
    #[inline(always)]
    pub(super) fn draw(plan: &Plan, time: TimeId, stream: &mut Stream) -> Delay {
        let time = &plan.times[time.index()];
        match time.dist {
            Dist::Constant(span) => Delay { span, lane: time.lane },
            _ => Delay::of(time.dist.sample(stream)),
        }
    }

    /// Splits a fiber into branches; it waits for them.
    #[cold]
    #[inline(never)]
    fn fork(&mut self, host: &mut impl Host, now: SimTime, index: u32, (branches, rounds): (&[Pc], u32)) {
        let key = self.ticket(index);
        self.fibers[index].state = State::Forked;
        self.fibers.aside(index).pending = branches.len() as u32;
        let fiber_replica = self.fibers[index].replica;
        self.tell_state(host, now, index);
        for pc in branches {
            let child = self.fibers.alloc();
            let parent = &self.fibers[index];
            let fiber = Fiber {
                reply_to: key,
                arrived: parent.arrived,
                started: parent.started,
                replica: parent.replica,
                endpoint: parent.endpoint,
                segment: parent.segment,
                own_share: parent.own_share,
                pc: *pc,
                kind: Kind::Branch,
                state: State::Running,
                ..Fiber::FREE
            };
            self.fibers[child] = fiber;
            if self.plan.services[self.replicas[fiber_replica.index()].service.index()].bounded {
                self.guards.share(index, child);
            }
            if rounds > 0 {
                self.fibers.aside(child).rounds = rounds;
            }
            self.tell_began(host, now, child);
            self.later.push_back(Step::Run(child));
        }
    }

    /// A fiber has come to its end, well or not.
    #[inline(always)]
    fn finish<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, outcome: Outcome) -> Step {
        match self.fibers[index].kind {
            Kind::Request => self.answer(host, now, index, outcome),
            Kind::User => self.user_answered(host, now, index, outcome),
            Kind::Branch => self.join(host, now, index, outcome),
            Kind::Try => unreachable!("an attempt runs no program"),
        }
    }

    /// A branch has ended: its parent may go on.
    #[cold]
    #[inline(never)]
    fn join(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Step {
        Self::tell_ended(host, now, index, outcome);
        let parent_key = self.fibers[index].reply_to;
        self.fibers.release(index);
        let Some(parent) = self.fibers.waiting(parent_key) else { return Step::Rest };
        let join = match self.plan.ops[self.fibers[parent].pc.index() - 1] {
            Op::Fork { join, .. } => join,
            _ => Join::All,
        };
        let aside = self.fibers.aside(parent);
        aside.pending -= 1;
        let pending = aside.pending;
        let fiber = &mut self.fibers[parent];
        let decides = match join {
            Join::All => false,
            Join::FailFast => !outcome.is_success(),
            Join::Race => outcome.is_success(),
        };
        if join != Join::Race || decides || pending == 0 {
            fiber.outcome = worse(fiber.outcome, outcome);
        }
        if !decides && pending > 0 {
            return Step::Rest;
        }
        fiber.key = Key::NONE;
        fiber.state = State::Running;
        Step::Run(parent)
    }
}

/// What two parts of a request make together: the first failure, else degraded if one is.
pub(super) fn worse(a: Outcome, b: Outcome) -> Outcome {
    match (a, b) {
        (Outcome::Ok, b) => b,
        (Outcome::Degraded, b) if !b.is_success() => b,
        (a, _) => a,
    }
}
