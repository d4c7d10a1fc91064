//! What stands before a replica's workers where that is more than a plain queue: a rate, a limit of requests at the same
//! time, an order of waiting, patience, shedding, priorities, and the time that a request's caller has left for it.
//!
//! Its state is beside the replica's and the fibers', for replicas that have such a guard alone.

use std::collections::VecDeque;

use squall_policies::adaptive::{Adaptive, Sample};
use squall_policies::limiter::{Permission, TokenBucket};
use squall_policies::queue::{End, Join, Queue};
use squall_policies::{Outcome, SimTime, Span};

use super::fiber::{Fibers, State};
use super::host::{Class, Delay, Host, Request};
use super::key::Key;
use super::room::Room;
use super::system::{Step, System};
use crate::observation::{Limit, Observation};
use crate::plan::{Concurrency, Op, Plan, ReplicaId, Service, ServiceId};
use crate::rng::Stream;

/// What stands before one replica.
#[derive(Debug)]
struct Guard {
    queue: Queue,
    /// Those that wait, the first in front. Whoever no longer waits for its key has left.
    line: VecDeque<Key>,
    waiting: u32,
    rate: Option<TokenBucket>,
    inside: Inside,
    /// The share of the limit that is kept for critical requests.
    reserve: f64,
    random: Stream,
}

/// The requests in a replica, and how many there may be.
#[derive(Debug)]
enum Inside {
    Any,
    Fixed { limit: u32, now: u32 },
    Adaptive(Adaptive),
}

/// What is known of a request in a guarded replica.
#[derive(Clone, Copy, Debug)]
struct Guest {
    /// How many were inside when it came, itself included; 0 if nobody counts.
    in_flight: u32,
    /// When its caller will have given up.
    until: SimTime,
}

impl Guest {
    const NEW: Self = Self { in_flight: 0, until: SimTime::NEVER };
}

/// The guards of all replicas, and their guests by fiber; grown as far as one was needed.
#[derive(Debug)]
pub(super) struct Guards {
    of: Vec<Option<Guard>>,
    guests: Vec<Guest>,
}

impl Guards {
    pub(super) fn new(plan: &Plan) -> Self {
        let of = plan.services.iter().enumerate().flat_map(|(row, service)| {
            let guarded = is_guarded(plan, ServiceId::from(row));
            (0..service.replicas).map(move |replica| guarded.then(|| Guard::new(plan, service, replica)))
        });
        Self { of: of.collect(), guests: Vec::new() }
    }

    /// Whether a replica has a guard.
    pub(super) fn is_at(&self, replica: ReplicaId) -> bool {
        self.of[replica.index()].is_some()
    }

    /// Requests that wait at a guarded replica.
    pub(super) fn waiting(&self, replica: ReplicaId) -> u32 {
        self.of[replica.index()].as_ref().map_or(0, |guard| guard.waiting)
    }

    /// The limit of requests at the same time, where one follows latency.
    pub(super) fn limit(&self, replica: ReplicaId) -> Option<u32> {
        match &self.of[replica.index()].as_ref()?.inside {
            Inside::Adaptive(limit) => Some(limit.limit()),
            Inside::Any | Inside::Fixed { .. } => None,
        }
    }

    /// Goes by another plan of the same shape. Those that wait and those that are in stay, by what they were told. Answers
    /// which limits that follow latency are others now.
    pub(super) fn take_over(&mut self, now: SimTime, old: &Plan, plan: &Plan) -> Vec<Observation> {
        let mut limits = Vec::new();
        for (before, service) in old.services.iter().zip(&plan.services) {
            for replica in service.replica_range().map(ReplicaId::from) {
                let was = self.limit(replica);
                if let Some(guard) = &mut self.of[replica.index()] {
                    guard.take_over(now, before, service);
                }
                if let (Some(from), Some(to)) = (was, self.limit(replica).filter(|to| Some(*to) != was)) {
                    limits.push(Observation::AdmissionLimit { replica, from, to });
                }
            }
        }
        limits
    }

    fn guest(&mut self, index: u32) -> &mut Guest {
        let index = index as usize;
        if index >= self.guests.len() {
            self.guests.resize(index + 1, Guest::NEW);
        }
        &mut self.guests[index]
    }

    /// A branch has as much time as the request it belongs to.
    pub(super) fn share(&mut self, of: u32, with: u32) {
        let until = self.guest(of).until;
        *self.guest(with) = Guest { until, ..Guest::NEW };
    }
}

/// Whether a service's replicas have a guard.
pub(super) fn is_guarded(plan: &Plan, id: ServiceId) -> bool {
    let service = &plan.services[id.index()];
    let told = plan.edges.iter().any(|edge| (edge.cancels || edge.bounds) && edge.callee == id);
    let sheds = service.prioritized && service.queue != u32::MAX;
    service.discipline.is_some() || service.admission.is_some() || told || sheds
}

impl Guard {
    fn new(plan: &Plan, service: &Service, replica: u32) -> Self {
        let config = service.discipline.unwrap_or_default();
        let mut random = Stream::new(plan.seed, &format!("admission/{}/{replica}", service.name));
        let inside = match service.admission.and_then(|admission| admission.concurrency) {
            None => Inside::Any,
            Some(Concurrency::Fixed(limit)) => Inside::Fixed { limit, now: 0 },
            Some(Concurrency::Adaptive(config)) => Inside::Adaptive(Adaptive::new(&config, &mut random)),
        };
        Self {
            queue: Queue::new(config, SimTime::ZERO),
            line: VecDeque::new(),
            waiting: 0,
            rate: service.admission.and_then(|admission| admission.rate).map(TokenBucket::new),
            inside,
            reserve: service.admission.map_or(0.0, |admission| admission.reserve),
            random,
        }
    }

    /// Goes by what its service says now, where that is something else than before.
    fn take_over(&mut self, now: SimTime, before: &Service, service: &Service) {
        if service.discipline != before.discipline {
            self.queue = Queue::new(service.discipline.unwrap_or_default(), now);
        }
        let (Some(was), Some(admission)) = (before.admission, service.admission) else { return };
        self.reserve = admission.reserve;
        if admission.rate != was.rate {
            self.rate = admission.rate.map(TokenBucket::new);
        }
        match (&mut self.inside, admission.concurrency) {
            (Inside::Fixed { limit, .. }, Some(Concurrency::Fixed(now))) => *limit = now,
            (Inside::Adaptive(adaptive), Some(Concurrency::Adaptive(config)))
                if admission.concurrency != was.concurrency =>
            {
                adaptive.restart(&config, &mut self.random);
            }
            _ => {}
        }
    }

    /// Lets a request in, if there is room for one of its kind; how many are inside with it, 0 if nobody counts.
    fn enter(&mut self, critical: bool) -> Option<u32> {
        let reserved = |limit: u32| if critical { 0 } else { (f64::from(limit) * self.reserve).round() as u32 };
        match &mut self.inside {
            Inside::Any => Some(0),
            Inside::Fixed { limit, now } => {
                let lets_in = *now < limit.saturating_sub(reserved(*limit));
                *now += u32::from(lets_in);
                lets_in.then_some(*now)
            }
            Inside::Adaptive(adaptive) => {
                let limit = adaptive.limit();
                let lets_in = adaptive.in_flight() < limit.saturating_sub(reserved(limit));
                if lets_in { adaptive.enter() } else { None }
            }
        }
    }

    /// A request that was let in is gone; `sample` is what it tells of latency, if it tells something.
    fn leave(&mut self, now: SimTime, sample: Option<Sample>) {
        match (&mut self.inside, sample) {
            (Inside::Any, _) => {}
            (Inside::Fixed { now, .. }, _) => *now -= 1,
            (Inside::Adaptive(adaptive), Some(sample)) => adaptive.exit(now, sample, &mut self.random),
            (Inside::Adaptive(adaptive), None) => adaptive.leave(),
        }
    }

    /// Takes the next that still waits from one end of the line.
    fn take(&mut self, fibers: &Fibers, end: End) -> Option<u32> {
        loop {
            let key = match end {
                End::Front => self.line.pop_front(),
                End::Back => self.line.pop_back(),
            }?;
            if let Some(index) = fibers.waiting(key) {
                return Some(index);
            }
        }
    }

    /// Forgets those at both ends that no longer wait.
    fn trim(&mut self, fibers: &Fibers) {
        while self.line.front().is_some_and(|key| fibers.waiting(*key).is_none()) {
            self.line.pop_front();
        }
        while self.line.back().is_some_and(|key| fibers.waiting(*key).is_none()) {
            self.line.pop_back();
        }
    }
}

impl System<'_> {
    /// A request comes to a guarded replica.
    #[cold]
    #[inline(never)]
    pub(super) fn admit_guarded<H: Host>(&mut self, host: &mut H, now: SimTime, request: Request) -> Step {
        let plan = self.plan;
        let Request { from, edge, to, endpoint, segment } = request;
        let tells = plan.edges.get(edge.index());
        let bounds = tells.is_some_and(|edge| edge.bounds);
        let left = if bounds { self.links.arrived(edge, from) } else { None };
        let cancels = tells.is_some_and(|edge| edge.cancels);
        if cancels && self.cancels.is_gone(from) {
            return Step::Rest;
        }
        let critical = plan.endpoints[endpoint.index()].critical;
        let limit = self.worker_limit(now, to);
        let in_flight = match self.let_in(host, now, to, critical, limit) {
            Ok(in_flight) => in_flight,
            Err(limit) => return self.turn_away(host, now, request, limit),
        };
        let index = self.fibers.alloc();
        self.fibers[index].begin(request, now, plan.endpoints[endpoint.index()].entry);
        let until = left.map_or(SimTime::NEVER, |left| now + left);
        *self.guards.guest(index) = Guest { in_flight, until };
        self.tell_began(host, now, index);
        if cancels {
            self.cancels.register(from, index);
        }
        if self.replicas[to.index()].busy >= limit {
            self.wait_in_line(host, now, index);
            host.observe(now, Observation::Queued { endpoint, replica: to, segment });
            return Step::Rest;
        }
        let replica = &mut self.replicas[to.index()];
        replica.busy += 1;
        let full = replica.busy >= limit && !core::mem::replace(&mut replica.saturated, replica.busy >= limit);
        host.observe(now, Observation::Admitted { endpoint, replica: to, segment });
        if full {
            host.observe(now, Observation::Saturated { replica: to });
        }
        self.fibers[index].state = State::Running;
        self.serve(host, now, index)
    }

    /// Whether a request may come in: how many are inside with it, or what there is no room in. A critical one that finds
    /// none takes the place of the one that waits, came last, and is not critical.
    fn let_in(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        to: ReplicaId,
        critical: bool,
        workers: u32,
    ) -> Result<u32, Limit> {
        let Some(guard) = &mut self.guards.of[to.index()] else { return Ok(0) };
        if guard.rate.as_mut().is_some_and(|rate| rate.acquire(now) != Permission::Go) {
            return Err(Limit::Rate);
        }
        let mut entered = guard.enter(critical);
        // A limit that has just come down may take more than one.
        while entered.is_none() && critical && self.make_room(host, now, to) {
            entered = self.guards.of[to.index()].as_mut().and_then(|guard| guard.enter(critical));
        }
        let in_flight = entered.ok_or(Limit::Concurrency)?;
        let Some(guard) = &self.guards.of[to.index()] else { return Ok(0) };
        let must_wait = self.replicas[to.index()].busy >= workers;
        let full = self.plan.services[self.replicas[to.index()].service.index()].queue <= guard.waiting;
        if must_wait && full && !(critical && self.make_room(host, now, to)) {
            if let Some(guard) = &mut self.guards.of[to.index()] {
                guard.leave(now, None);
            }
            return Err(Limit::Queue);
        }
        Ok(in_flight)
    }

    /// Turns a request away that has just come.
    fn turn_away<H: Host>(&mut self, host: &mut H, now: SimTime, request: Request, limit: Limit) -> Step {
        let Request { from, edge, to, endpoint, segment } = request;
        let service = &self.plan.services[self.replicas[to.index()].service.index()];
        let answered = limit != Limit::Queue || !service.queue_drops;
        host.observe(now, Observation::Rejected { endpoint, replica: to, segment, answered, limit });
        let outcome = if limit == Limit::Rate { Outcome::RateLimited } else { Outcome::Rejected };
        self.say_when(to, from);
        if answered { self.send_back(host, now, edge, from, outcome) } else { Step::Rest }
    }

    /// Whoever is turned away by a replica that says so is told how long to stay away.
    fn say_when(&mut self, by: ReplicaId, attempt: Key) {
        let admission = self.plan.services[self.replicas[by.index()].service.index()].admission;
        if let Some(wait) = admission.and_then(|admission| admission.retry_after) {
            self.ask_to_wait(attempt, wait);
        }
    }

    /// A request joins the line.
    fn wait_in_line(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let key = self.ticket(index);
        let replica = self.fibers[index].replica;
        let Some(guard) = &mut self.guards.of[replica.index()] else { return };
        let until = match guard.queue.join(now, guard.waiting as usize) {
            Join::WaitUntil(until) => until,
            Join::Full => SimTime::NEVER,
        };
        guard.line.push_back(key);
        guard.waiting += 1;
        if until != SimTime::NEVER {
            host.arm(now, Delay::of(until - now), Class::Timeout, key);
        }
        self.tell_state(host, now, index);
    }

    /// Turns out the request that waits, came last, and is not critical; answers whether there was one.
    fn make_room(&mut self, host: &mut impl Host, now: SimTime, at: ReplicaId) -> bool {
        let Some(guard) = &self.guards.of[at.index()] else { return false };
        let mut waits = guard.line.iter().rev().filter_map(|key| self.fibers.waiting(*key));
        let critical = |index: &u32| self.plan.endpoints[self.fibers[*index].endpoint.index()].critical;
        let Some(index) = waits.find(|index| !critical(index)) else { return false };
        self.withdraw(host, now, index, Outcome::Rejected);
        true
    }

    /// The next request that waits for a worker and is still worth serving; the others are turned out on the way.
    pub(super) fn next_waiting(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) -> Option<u32> {
        if !self.replicas[id.index()].guarded {
            return self.next_in_line(host, now, id);
        }
        loop {
            let guard = self.guards.of[id.index()].as_mut()?;
            if guard.waiting == 0 {
                return None;
            }
            let end = guard.queue.next(now, guard.waiting as usize);
            let index = guard.take(&self.fibers, end)?;
            let fiber = &self.fibers[index];
            let left = guard.waiting as usize - 1;
            let sheds = guard.queue.drops(now, now - fiber.arrived, left);
            let critical = self.plan.endpoints[fiber.endpoint.index()].critical;
            if self.cannot_finish(now, index) {
                self.withdraw(host, now, index, Outcome::Timeout);
            } else if sheds && !critical {
                self.withdraw(host, now, index, Outcome::Rejected);
            } else {
                self.leave_queue(index);
                return Some(index);
            }
        }
    }

    /// Whoever waits, in whichever order, whatever it is worth: the replica is dead.
    pub(super) fn any_waiting(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) -> Option<u32> {
        if !self.replicas[id.index()].guarded {
            return self.next_in_line(host, now, id);
        }
        let index = self.guards.of[id.index()].as_mut()?.take(&self.fibers, End::Front)?;
        self.leave_queue(index);
        Some(index)
    }

    /// A request leaves the line, to be served or not.
    fn leave_queue(&mut self, index: u32) {
        let fiber = &mut self.fibers[index];
        fiber.key = Key::NONE;
        fiber.state = State::Running;
        let replica = fiber.replica;
        if let Some(guard) = &mut self.guards.of[replica.index()] {
            guard.waiting -= 1;
            guard.trim(&self.fibers);
        }
    }

    /// A request has waited as long as it may.
    pub(super) fn waited_enough(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        self.withdraw(host, now, index, Outcome::Rejected);
        Step::Rest
    }

    /// A waiting request leaves without having been served, and its caller hears of it unless it no longer cares.
    pub(super) fn withdraw(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        self.leave_queue(index);
        let fiber = &self.fibers[index];
        let (endpoint, replica, segment, waited) =
            (fiber.endpoint, fiber.replica, fiber.segment(), now - fiber.arrived);
        let (edge, reply_to) = (fiber.edge, fiber.reply_to);
        host.observe(now, Observation::Withdrawn { endpoint, replica, segment, outcome, waited });
        self.leave_guard(host, now, index, outcome);
        Self::tell_ended(host, now, index, outcome);
        self.fibers.release(index);
        if outcome == Outcome::Rejected {
            self.say_when(replica, reply_to);
        }
        if outcome != Outcome::Cancelled {
            let step = self.send_back(host, now, edge, reply_to, outcome);
            self.later.push_back(step);
        }
    }

    /// A request that was let into a guarded replica is gone.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_guard(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let fiber = &self.fibers[index];
        let (replica, rtt) = (fiber.replica, now - fiber.arrived);
        let in_flight = self.guards.guest(index).in_flight;
        let dropped = match outcome {
            Outcome::Ok | Outcome::Degraded => Some(false),
            Outcome::Timeout | Outcome::Rejected | Outcome::RateLimited => Some(true),
            _ => None,
        };
        let before = self.guards.limit(replica);
        if let Some(guard) = &mut self.guards.of[replica.index()] {
            guard.leave(now, dropped.map(|dropped| Sample { rtt, in_flight, dropped }));
        }
        if let (Some(from), Some(to)) = (before, self.guards.limit(replica))
            && from != to
        {
            host.observe(now, Observation::AdmissionLimit { replica, from, to });
        }
    }

    /// Tells of the limits that follow latency, as they are at first.
    pub(super) fn tell_limits(&self, host: &mut impl Host, now: SimTime) {
        for replica in (0..self.replicas.len()).map(ReplicaId::from) {
            if let Some(to) = self.guards.limit(replica) {
                host.observe(now, Observation::AdmissionLimit { replica, from: 0, to });
            }
        }
        for link in self.links.iter() {
            if let Some(to) = link.room.as_ref().and_then(Room::adaptive_limit) {
                host.observe(now, Observation::BulkheadLimit { edge: link.edge, replica: link.caller, from: 0, to });
            }
        }
    }

    /// Whether the caller of a fiber's request will have given up before what is to come can be done.
    #[cold]
    #[inline(never)]
    pub(super) fn is_too_late(&self, now: SimTime, index: u32, least: Span) -> bool {
        let until = self.time_left_until(index);
        now >= until || now + least > until
    }

    /// The same of a request that has not begun.
    fn cannot_finish(&self, now: SimTime, index: u32) -> bool {
        let least = match self.plan.ops.get(self.fibers[index].pc.index()) {
            Some(Op::Check { least }) => *least,
            _ => Span::ZERO,
        };
        self.is_too_late(now, index, least)
    }

    /// When the caller of a fiber's request will have given up.
    pub(super) fn time_left_until(&self, index: u32) -> SimTime {
        let service = self.replicas[self.fibers[index].replica.index()].service;
        if !self.plan.services[service.index()].bounded {
            return SimTime::NEVER;
        }
        self.guards.guests.get(index as usize).map_or(SimTime::NEVER, |guest| guest.until)
    }
}
