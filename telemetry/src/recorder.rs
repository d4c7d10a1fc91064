//! Takes the observations of a run as they come and keeps what reports need. Knows nothing of reports, nor of which
//! world the observations come from.
//!
//! On the way of an observation there is no allocation once every size of value has been seen, no map, no string and
//! no division; nothing is recorded twice. What can be had from what is kept anyway is worked out later: windows are
//! differences of running counts, a load's figures are the sum of its tasks', a service's of its endpoints'.

use squall_model::observation::{
    AnsweredOn, Called, Failure, HandedOn, LinedUp, Observation, PassedOn, Relayed, Returned, Sink, TurnedOver,
};
use squall_model::plan::{
    Claim, EdgeId, Endpoint, EndpointId, FaultId, Metric, Op, Plan, ReplicaId, SegmentId, Subject,
};
use squall_model::{SimTime, Span};
use squall_policies::Outcome;
use squall_policies::breaker::Transition;

use crate::Digest;
use crate::clock::Clock;
use crate::firsts::{FirstBySegment, Firsts};
use crate::fresh::Fresh;
use crate::levels::Levels;
use crate::recording::Recording;
use crate::resources::Resources;
use crate::saturation::Saturation;
use crate::shelf::{Grain, Shelf};
use crate::tallies::{Calls, Queries, Requests, Tallies};
use crate::through::Through;
use crate::ways::Ways;
use crate::windows::{Books, Windows};

/// Takes observations, in order, and keeps what reports need.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub(crate) clock: Clock,
    pub(crate) digest: Digest,
    /// By replica: the row of its service.
    service_of_replica: Vec<u32>,
    /// Endpoints from here on are tasks of loads.
    pub(crate) first_task: usize,
    /// By endpoint.
    pub(crate) requests: Tallies<Requests>,
    /// By edge.
    pub(crate) calls: Tallies<Calls>,
    /// By database.
    pub(crate) queries: Tallies<Queries>,
    pub(crate) times: Times,
    /// Of requests that calls make.
    ways: Ways,
    /// Of requests that make a call and do nothing else.
    onward: Ways,
    through: Through,
    /// By task: the service that its users call, and along which call.
    gates: Vec<Option<(EndpointId, EdgeId)>>,
    /// By service: workers busy.
    pub(crate) busy: Levels,
    /// By service: requests waiting for a worker.
    pub(crate) waiting: Levels,
    /// By database: connections busy.
    pub(crate) connections: Levels,
    /// By database: queries waiting for a connection.
    pub(crate) pending: Levels,
    pub(crate) services_full: Saturation,
    pub(crate) databases_full: Saturation,
    pub(crate) windows: Windows,
    /// By service: when a request was not let in.
    pub(crate) turned_away: FirstBySegment,
    /// First times before the first fault began; `None` until it does.
    pub(crate) firsts_before: Option<Firsts>,
    pub(crate) firsts: Firsts,
    pub(crate) breakers: Vec<BreakerChange>,
    /// By fault.
    pub(crate) faults: Vec<FaultRecord>,
    /// What services run on and talk to besides each other.
    pub(crate) resources: Resources,
}

/// Histograms of times in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// By task: answers of the open window.
    pub(crate) fresh: Fresh,
    /// By task: answers of the windows before it.
    pub(crate) answered: Shelf,
    /// By task: failed requests.
    pub(crate) failed: Shelf,
    /// By task: requests that waited at the service that the task calls, which then took in the next: times of the call as
    /// well.
    gates: Shelf,
    /// By endpoint: from arrival to end, of requests that had their worker at once.
    pub(crate) direct: Shelf,
    /// By endpoint: from arrival to end, of requests that waited.
    pub(crate) queued: Shelf,
    /// By endpoint: from getting their worker to end, of requests that waited.
    pub(crate) held: Shelf,
    /// By endpoint: from arrival to getting a worker, of requests that waited.
    pub(crate) waited: Shelf,
    /// By edge: from the first attempt to the answer.
    pub(crate) calls: Shelf,
    /// By database: from asking for a connection to the end.
    pub(crate) queries: Shelf,
    /// By database: from asking for a connection to getting it.
    pub(crate) query_waits: Shelf,
}

/// A circuit breaker changed its state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BreakerChange {
    /// When.
    pub at: SimTime,
    /// Caller and callee.
    pub edge: EdgeId,
    /// The caller's replica.
    pub replica: ReplicaId,
    /// From, to, and why.
    pub transition: Transition,
}

/// What a fault did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultRecord {
    /// When it first began, if it did.
    pub began: Option<SimTime>,
    /// When it last ended, if it did.
    pub ended: Option<SimTime>,
    /// To how many requests it did something.
    pub fired: u64,
}

impl Recorder {
    /// A recorder for a run of `plan`, with a timeline of steps of this length ([`step_for`](crate::step_for)).
    pub fn new(plan: &Plan, step: Span) -> Self {
        let (services, edges, databases) = (plan.services.len(), plan.edges.len(), plan.databases.len());
        let segments = plan.phases.segments();
        let clock = Clock::new(step, plan.phases.starts());
        let windows = clock.windows_until(SimTime::ZERO + plan.duration + plan.drain);
        let levels = |rows| Levels::new(rows, segments, windows);
        let times = Times::new(plan);
        let grain = |endpoint: usize, edge| {
            let calls = times.calls.grain(edge);
            if endpoint < times.direct.rows() { times.direct.grain(endpoint).finer(calls) } else { calls }
        };
        let (ways, onward) = (Ways::of_callees(plan, grain), Ways::of_callers(plan, grain));
        let through = Through::new(plan, first_task(plan), (&|site| ways.grain(site), &|row| times.queries.grain(row)));
        let service = |row: usize| plan.endpoints[row].service.0;
        Self {
            clock,
            digest: Digest::new(),
            service_of_replica: services_of_replicas(plan),
            first_task: first_task(plan),
            requests: Tallies::new(plan.endpoints.len(), segments, |row, segment| times.usual(row, segment), service),
            calls: Tallies::new(edges, segments, |row, segment| times.calls.slot(row, segment), |row| row as u32),
            queries: Tallies::new(
                databases,
                segments,
                |row, segment| times.queries.slot(row, segment),
                |row| row as u32,
            ),
            times,
            ways,
            onward,
            through,
            gates: plan.endpoints[first_task(plan)..].iter().map(|task| gate(plan, task)).collect(),
            busy: levels(services),
            waiting: levels(services),
            connections: levels(databases),
            pending: levels(databases),
            services_full: Saturation::new(plan.services.iter().map(|service| service.at_start), segments),
            databases_full: Saturation::new(plan.databases.iter().map(|_| 1), segments),
            windows: Windows::new(plan, windows),
            turned_away: FirstBySegment::new(services, segments),
            firsts_before: None,
            firsts: Firsts::new(services, edges),
            breakers: Vec::new(),
            faults: vec![FaultRecord::default(); plan.faults.len()],
            resources: Resources::new(plan, windows, &Grains { plan }),
        }
    }

    /// From here on there are so many faults: more than the plan said at first, if some are made by hand.
    pub fn know_faults(&mut self, count: usize) {
        self.faults.resize(count.max(self.faults.len()), FaultRecord::default());
    }

    /// Closes the books at `end`, the time of the last event. Asserts that no request was lost or counted twice.
    pub fn finish(mut self, end: SimTime) -> Recording {
        let end = end.as_nanos().max(self.clock.start_of_window());
        self.catch_up(end);
        self.times.book_gates(&self.gates);
        self.through.book_times(&mut self.ways, &mut self.times);
        for ways in [&mut self.ways, &mut self.onward] {
            ways.book_times(&mut self.times.direct, &mut self.times.calls);
        }
        if end > self.clock.start_of_window() {
            self.cut(end);
            self.close_window();
        } else {
            // What happened in this very instant would begin a window that has no length.
            self.book_ways();
            self.windows
                .amend(Books { requests: &self.requests, calls: &self.calls, busy: &self.busy }, &mut self.times);
            self.windows.close_resources(&self.resources, true);
        }
        Recording::new(self, end)
    }

    /// Notes that it is `at` now; for what is seen most.
    #[inline(always)]
    fn quick_tick(&mut self, at: SimTime) -> u64 {
        let now = at.as_nanos();
        if now >= self.clock.next() {
            self.catch_up(now);
        }
        if now != self.digest.last() {
            self.digest.go_on_to(now);
        }
        now
    }

    /// Notes that it is `at` now.
    #[inline(always)]
    fn tick(&mut self, at: SimTime) -> u64 {
        let now = at.as_nanos();
        if now != self.digest.last() {
            self.go_on_to(now);
        }
        now
    }

    #[inline(never)]
    fn go_on_to(&mut self, now: u64) {
        if now >= self.clock.next() {
            self.catch_up(now);
        }
        self.digest.go_on_to(now);
    }

    /// Closes windows and segments up to `now`.
    #[cold]
    #[inline(never)]
    fn catch_up(&mut self, now: u64) {
        while self.clock.next() <= now {
            self.cut(self.clock.next());
            if self.clock.pass() {
                self.close_window();
            }
        }
    }

    fn cut(&mut self, now: u64) {
        let segment = self.clock.segment();
        self.through.book_levels(&mut self.busy, &mut self.connections);
        for levels in [&mut self.busy, &mut self.waiting, &mut self.connections, &mut self.pending] {
            levels.cut(now, segment);
        }
        self.resources.cut(now, segment);
        self.services_full.cut(now, segment);
        self.databases_full.cut(now, segment);
    }

    fn book_ways(&mut self) {
        self.through.book_levels(&mut self.busy, &mut self.connections);
        self.through.book_counts(&mut self.ways, (&mut self.requests, &mut self.calls, &mut self.queries));
        for ways in [&mut self.ways, &mut self.onward] {
            ways.book_counts(&mut self.requests, &mut self.calls);
        }
    }

    fn close_window(&mut self) {
        self.book_ways();
        for levels in [&mut self.busy, &mut self.waiting, &mut self.connections, &mut self.pending] {
            levels.close_window();
        }
        self.resources.close_window();
        self.windows.close(Books { requests: &self.requests, calls: &self.calls, busy: &self.busy }, &mut self.times);
        self.windows.close_resources(&self.resources, false);
    }

    #[inline(always)]
    fn ended(&mut self, now: u64, endpoint: EndpointId, segment: SegmentId, end: End) {
        let (row, segment) = (endpoint.index(), segment.index());
        let cell = self.requests.cell(row, segment);
        let (slot, service) = (cell.slot, cell.owner as usize);
        cell.count.end(end.outcome);
        self.busy.leave(service, now, end.took);
        if row >= self.first_task {
            if end.outcome.is_success() {
                self.times.fresh.record_in(slot, end.took);
            } else {
                self.times.failed.record(row - self.first_task, segment, end.took);
                self.firsts.failed.note(service, now);
            }
        } else if end.took == end.held {
            self.times.direct.record_in(slot, end.took);
        } else {
            self.times.queued.record(row, segment, end.took);
            self.times.held.record(row, segment, end.held);
        }
    }

    #[cold]
    #[inline(never)]
    fn attempt_failed(&mut self, now: u64, edge: EdgeId, segment: SegmentId, failure: Failure) {
        self.calls.at(edge.index(), segment.index()).fail(failure);
        let timed_out = matches!(
            failure,
            Failure::Callee(Outcome::Timeout) | Failure::BudgetRefused(Outcome::Timeout) | Failure::Deadline
        );
        if timed_out {
            self.firsts.timed_out.note(edge.index(), now);
        }
    }

    /// A relay sets out that takes the last workers of some replicas.
    #[inline(never)]
    fn relayed_full(&mut self, at: SimTime, what: Relayed<'_>) {
        let now = self.quick_tick(at);
        let Self { through, busy, connections, digest, services_full, resources, .. } = self;
        through.set_out::<true>(what, now, (busy, connections, digest), |digest, replica, service| {
            digest.take(Observation::Saturated { replica });
            if resources.filled(replica, true) {
                services_full.fill(service, now);
            }
        });
    }

    /// A relay is back that frees the last workers of some replicas.
    #[inline(never)]
    fn relay_returned_full(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        let now = self.quick_tick(at);
        let Self { through, busy, connections, digest, services_full, resources, .. } = self;
        through.come_back::<true>(what, (now, took), (busy, connections, digest), |digest, replica, service| {
            digest.take(Observation::Relieved { replica });
            if resources.filled(replica, false) {
                services_full.relieve(service, now);
            }
        });
        self.answered(what, took);
    }

    /// A request is answered, and the next takes its place on the way: no level changes but that of those who wait and of
    /// users.
    #[inline(never)]
    fn turn_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        let now = self.quick_tick(at);
        let TurnedOver { back, held, next, .. } = what;
        let Self { through, digest, services_full, resources, .. } = self;
        through.digest_back(back, held, digest, |digest, replica, service| {
            digest.take(Observation::Relieved { replica });
            if resources.filled(replica, true) {
                services_full.pass_on(service, now);
            }
        });
        digest_answer(digest, what);
        let set_out = Relayed { segment: next, ..back };
        through.digest_out(set_out, digest, |digest, replica, _| digest.take(Observation::Saturated { replica }));
        through.turn_over(what);
        self.answer_and_take_next(now, what);
    }

    /// As [`turn_over`](Self::turn_over), where the last service is full as well and hands its worker on.
    #[inline(never)]
    fn pass_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        let now = self.quick_tick(at);
        let TurnedOver { back, next, .. } = what.turned;
        let Self { through, digest, services_full, resources, firsts, .. } = self;
        through.digest_passing(what, digest, |digest, replica, service| {
            digest.take(Observation::Relieved { replica });
            if resources.filled(replica, true) {
                services_full.pass_on(service, now);
            }
        });
        digest_answer(digest, what.turned);
        let ahead = Relayed { segment: next, ..back };
        let line = through.digest_into_line(ahead, what.then, digest, |digest, replica, _| {
            digest.take(Observation::Saturated { replica });
        });
        firsts.queued.note(line, now);
        through.pass_on(what);
        self.answer_and_take_next(now, what.turned);
    }

    /// What a request that is answered, and the next that takes its worker, mean for all but the way that they go, with which
    /// it is noted how long the worker was held.
    #[inline(always)]
    fn answer_and_take_next(&mut self, now: u64, what: TurnedOver<'_>) {
        let TurnedOver { user: (task, _), of: Called { edge, endpoint, segment, .. }, took, next, waited, .. } = what;
        let (outcome, row, segment) = (Outcome::Ok, endpoint.index(), segment.index());
        let took = took.as_nanos();
        let cell = self.requests.cell(row, segment);
        cell.count.end(outcome);
        let service = cell.owner as usize;
        self.busy.pass_on(service, took);
        self.waiting.fall(service, now);
        self.times.gates.record(task.index() - self.first_task, segment, took);
        self.times.waited.record(row, next.index(), waited.as_nanos());
        self.calls.at(edge.index(), segment).end(outcome, took);
        let asked = self.requests.cell(task.index(), segment);
        asked.count.end(outcome);
        self.busy.leave(asked.owner as usize, now, took);
        self.times.fresh.record_in(asked.slot, took);
    }

    /// A relay is back: if it was a user's, that is an answer.
    #[inline(always)]
    fn answered(&mut self, what: Relayed<'_>, took: Span) {
        if let Some((task, _)) = what.user {
            self.times.fresh.record(task.index() - self.first_task, what.segment.index(), took.as_nanos());
        }
    }

    /// A request left the queue without a worker.
    fn withdrawn(&mut self, now: u64, endpoint: EndpointId, segment: SegmentId, outcome: Outcome, waited: Span) {
        let cell = self.requests.cell(endpoint.index(), segment.index());
        let service = cell.owner as usize;
        if outcome == Outcome::Cancelled {
            cell.count.end(outcome);
        } else {
            cell.count.shed += 1;
            self.firsts.turned_away.note(service, now);
        }
        self.waiting.leave(service, now, waited.as_nanos());
    }

    #[cold]
    fn fault_began(&mut self, at: SimTime, fault: FaultId) {
        if self.firsts_before.is_none() {
            let fresh = Firsts::new(self.busy.rows(), self.calls.rows());
            self.firsts_before = Some(core::mem::replace(&mut self.firsts, fresh));
        }
        let record = &mut self.faults[fault.index()];
        record.began = record.began.or(Some(at));
    }
}

/// Takes in that a request is answered, that the next has its worker, and that its user has the answer.
#[inline(always)]
fn digest_answer(digest: &mut Digest, what: TurnedOver<'_>) {
    let TurnedOver { user: (task, client), of, took, held, next, waited, .. } = what;
    let (Called { edge, endpoint, replica, segment, .. }, outcome) = (of, Outcome::Ok);
    digest.take(Observation::Ended { endpoint, replica, segment, outcome, took, held });
    digest.take(Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took });
    digest.take(Observation::Dequeued { endpoint, replica, segment: next, waited });
    digest.take(Observation::Ended { endpoint: task, replica: client, segment, outcome, took, held: took });
}

/// How a request ended.
#[derive(Clone, Copy)]
struct End {
    outcome: Outcome,
    took: u64,
    held: u64,
}

impl Recorder {
    /// What is not seen at every hop.
    #[cold]
    #[inline(never)]
    fn rare(&mut self, at: SimTime, what: Observation) {
        let now = at.as_nanos();
        match what {
            Observation::Rejected { endpoint, segment, .. } => {
                let cell = self.requests.cell(endpoint.index(), segment.index());
                cell.count.turned_away += 1;
                let service = cell.owner as usize;
                self.firsts.turned_away.note(service, now);
                self.turned_away.note(service, self.clock.segment(), now);
            }
            Observation::Withdrawn { endpoint, segment, outcome, waited, .. } => {
                self.withdrawn(now, endpoint, segment, outcome, waited);
            }
            Observation::Hedged { edge, segment } => self.calls.at(edge.index(), segment.index()).hedges += 1,
            Observation::AttemptCancelled { edge, segment } => {
                self.calls.at(edge.index(), segment.index()).cancelled += 1;
            }
            Observation::Hung { endpoint, segment, .. } => {
                self.requests.at(endpoint.index(), segment.index()).hung += 1;
            }
            Observation::AttemptFailed { edge, segment, outcome } => {
                self.attempt_failed(now, edge, segment, outcome);
            }
            Observation::Breaker { edge, replica, transition } => {
                self.breakers.push(BreakerChange { at, edge, replica, transition });
            }
            Observation::QueryRefused { database, segment, took, queued, outcome } => {
                let row = database.index();
                let queries = self.queries.at(row, segment.index());
                queries.started += 1;
                queries.failed += 1;
                queries.timeouts += u64::from(outcome == Outcome::Timeout);
                self.times.queries.record(row, segment.index(), took.as_nanos());
                if queued {
                    self.pending.fall(row, now);
                    self.times.query_waits.record(row, segment.index(), took.as_nanos());
                }
            }
            Observation::DatabaseSaturated { database } => self.databases_full.fill(database.index(), now),
            Observation::DatabaseRelieved { database } => self.databases_full.relieve(database.index(), now),
            Observation::FaultBegan { fault } => self.fault_began(at, fault),
            Observation::FaultEnded { fault } => self.faults[fault.index()].ended = Some(at),
            Observation::FaultFired { fault } => self.faults[fault.index()].fired += 1,
            other => self.resources.observe(at, other, &self.clock, &mut self.services_full),
        }
    }
}

impl Sink for Recorder {
    #[inline(always)]
    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        self.turn_over(at, what);
    }

    #[inline(always)]
    fn passed_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        self.pass_on(at, what);
    }

    #[inline(always)]
    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        let now = self.quick_tick(at);
        let LinedUp { user: (task, client), of: Called { site, edge, endpoint, replica, segment } } = what;
        self.digest.take(Observation::Admitted { endpoint: task, replica: client, segment });
        self.digest.take(Observation::Attempt { site, edge, segment, number: 1 });
        self.digest.take(Observation::Queued { endpoint, replica, segment });
        let segment = segment.index();
        let asked = self.requests.cell(task.index(), segment);
        asked.count.admitted += 1;
        self.busy.rise(asked.owner as usize, now);
        self.calls.at(edge.index(), segment).begun += 1;
        let waits = self.requests.cell(endpoint.index(), segment);
        waits.count.queued += 1;
        let service = waits.owner as usize;
        self.waiting.rise(service, now);
        self.firsts.queued.note(service, now);
    }

    #[inline(always)]
    fn handed_on(&mut self, at: SimTime, what: HandedOn) {
        let now = self.quick_tick(at);
        let HandedOn { endpoint, replica, site, edge, segment } = what;
        self.digest.take(Observation::Admitted { endpoint, replica, segment });
        self.digest.take(Observation::Attempt { site, edge, segment, number: 1 });
        let service = self.onward.call(site, segment.index());
        self.busy.rise(service, now);
    }

    #[inline(always)]
    fn answered_on(&mut self, at: SimTime, what: AnsweredOn) {
        let now = self.quick_tick(at);
        let AnsweredOn { of: HandedOn { endpoint, replica, site, edge, segment }, call, took, held } = what;
        let outcome = Outcome::Ok;
        self.digest.take(Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took: call });
        self.digest.take(Observation::Ended { endpoint, replica, segment, outcome, took, held });
        if took == held && took == call {
            let took = took.as_nanos();
            let service = self.onward.come_back(site, segment.index(), took);
            self.busy.leave(service, now, took);
            if endpoint.index() >= self.first_task {
                self.times.fresh.record(endpoint.index() - self.first_task, segment.index(), took);
            }
            return;
        }
        let cell = self.calls.cell(edge.index(), segment.index());
        cell.count.end(outcome, call.as_nanos());
        self.times.calls.record_in(cell.slot, call.as_nanos());
        self.ended(now, endpoint, segment, End { outcome, took: took.as_nanos(), held: held.as_nanos() });
    }

    #[inline(always)]
    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        if what.full != 0 {
            return self.relayed_full(at, what);
        }
        let now = self.quick_tick(at);
        let Self { through, busy, connections, digest, .. } = self;
        through.set_out::<false>(what, now, (busy, connections, digest), |_, _, _| ());
    }

    #[inline(always)]
    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        if what.full != 0 {
            return self.relay_returned_full(at, what, took);
        }
        let now = self.quick_tick(at);
        let Self { through, busy, connections, digest, .. } = self;
        through.come_back::<false>(what, (now, took), (busy, connections, digest), |_, _, _| ());
        self.answered(what, took);
    }

    #[inline(always)]
    fn called(&mut self, at: SimTime, what: Called) {
        let now = self.tick(at);
        self.digest.take_called(what);
        let service = self.ways.call(what.site, what.segment.index());
        self.busy.rise(service, now);
    }

    #[inline(always)]
    fn returned(&mut self, at: SimTime, what: Returned) {
        let (now, took) = (self.tick(at), what.took.as_nanos());
        self.digest.take_returned(what);
        let service = self.ways.come_back(what.of.site, what.of.segment.index(), took);
        self.busy.leave(service, now, took);
    }

    // The kind of observation is known at every place that makes one: inlined, the `match` is gone.
    #[inline(always)]
    fn observe(&mut self, at: SimTime, what: Observation) {
        let now = self.tick(at);
        self.digest.take(what);
        match what {
            Observation::Admitted { endpoint, segment, .. } => {
                let cell = self.requests.cell(endpoint.index(), segment.index());
                cell.count.admitted += 1;
                self.busy.rise(cell.owner as usize, now);
            }
            Observation::Queued { endpoint, segment, .. } => {
                let cell = self.requests.cell(endpoint.index(), segment.index());
                let service = cell.owner as usize;
                cell.count.queued += 1;
                self.waiting.rise(service, now);
                self.firsts.queued.note(service, now);
            }
            Observation::Dequeued { endpoint, segment, waited, .. } => {
                let service = self.requests.cell(endpoint.index(), segment.index()).owner as usize;
                self.waiting.fall(service, now);
                self.busy.rise(service, now);
                self.times.waited.record(endpoint.index(), segment.index(), waited.as_nanos());
            }
            Observation::Ended { endpoint, segment, outcome, took, held, .. } => {
                let end = End { outcome, took: took.as_nanos(), held: held.as_nanos() };
                self.ended(now, endpoint, segment, end);
            }
            Observation::Attempt { edge, segment, number, .. } => {
                let calls = self.calls.at(edge.index(), segment.index());
                *(if number > 1 { &mut calls.retries } else { &mut calls.begun }) += 1;
            }
            Observation::CallEnded { edge, segment, outcome, failure, took, .. } => {
                let cell = self.calls.cell(edge.index(), segment.index());
                cell.count.end(outcome, took.as_nanos());
                if outcome.is_success() {
                    self.times.calls.record_in(cell.slot, took.as_nanos());
                }
                if let Some(failure) = failure {
                    self.attempt_failed(now, edge, segment, failure);
                }
            }
            Observation::QueryArrived { database } => self.pending.rise(database.index(), now),
            Observation::QueryStarted { database, segment, waited, queued } => {
                let row = database.index();
                self.queries.at(row, segment.index()).started += 1;
                self.connections.rise(row, now);
                if queued {
                    self.pending.fall(row, now);
                    self.times.query_waits.record(row, segment.index(), waited.as_nanos());
                }
            }
            Observation::QueryEnded { database, segment, outcome, took } => {
                let (row, segment) = (database.index(), segment.index());
                let cell = self.queries.cell(row, segment);
                let (slot, queries) = (cell.slot, &mut cell.count);
                *(if outcome.is_success() { &mut queries.ok } else { &mut queries.failed }) += 1;
                self.connections.fall(row, now);
                self.times.queries.record_in(slot, took.as_nanos());
            }
            Observation::Saturated { replica } => {
                if self.resources.filled(replica, true) {
                    self.services_full.fill(self.service_of_replica[replica.index()] as usize, now);
                }
            }
            Observation::Relieved { replica } => {
                if self.resources.filled(replica, false) {
                    self.services_full.relieve(self.service_of_replica[replica.index()] as usize, now);
                }
            }
            rare => self.rare(at, rare),
        }
    }
}

impl Times {
    /// Where an endpoint's usual times go: those of requests that did not wait, or of a task's answers.
    fn usual(&self, row: usize, segment: usize) -> u32 {
        let tasks_from = self.direct.rows();
        if row < tasks_from { self.direct.slot(row, segment) } else { self.fresh.slot(row - tasks_from, segment) }
    }

    /// Adds the times of those who waited at gates to those of the service and of the call; once, when the run is over.
    fn book_gates(&mut self, gates: &[Option<(EndpointId, EdgeId)>]) {
        let times = core::mem::take(&mut self.gates).close();
        for (task, gate) in gates.iter().enumerate() {
            if let Some((endpoint, edge)) = gate {
                times.lend_row(task, &mut self.queued, endpoint.index());
                times.lend_row(task, &mut self.calls, edge.index());
            }
        }
    }

    fn new(plan: &Plan) -> Self {
        let grains = Grains { plan };
        let shelf = |rows, grain: &dyn Fn(usize) -> Grain| grains.shelf(rows, grain);
        let first_task = first_task(plan);
        let tasks = plan.endpoints.len() - first_task;
        let summary_only = |_| Grain::Summary;
        let endpoints = |row| grain_if(asks_for_phase(plan, |subject| covers_endpoint(plan, subject, row)));
        let edges = |row| grain_if(asks_for_phase(plan, |subject| subject == Subject::Edge(EdgeId::from(row))));
        let databases = |row| {
            grain_if(asks_for_phase(plan, |subject| matches!(subject, Subject::Database(id) if id.index() == row)))
        };
        Self {
            fresh: Fresh::new(tasks, plan.phases.segments()),
            answered: shelf(tasks, &|_| Grain::Segments),
            failed: shelf(tasks, &summary_only),
            gates: shelf(tasks, &|_| Grain::Segments),
            direct: shelf(first_task, &endpoints),
            queued: shelf(first_task, &endpoints),
            held: shelf(first_task, &summary_only),
            waited: shelf(first_task, &summary_only),
            calls: shelf(plan.edges.len(), &edges),
            queries: shelf(plan.databases.len(), &databases),
            query_waits: shelf(plan.databases.len(), &summary_only),
        }
    }
}

/// Where the users of a task wait, if all they do is one call.
fn gate(plan: &Plan, task: &Endpoint) -> Option<(EndpointId, EdgeId)> {
    let Some(Op::Call(site)) = plan.ops.get(task.entry.index()) else { return None };
    let site = &plan.sites[site.index()];
    Some((site.endpoint, site.edge))
}

/// How finely times have to be told apart.
pub(crate) struct Grains<'p> {
    pub(crate) plan: &'p Plan,
}

impl Grains<'_> {
    pub(crate) fn shelf(&self, rows: usize, grain: &dyn Fn(usize) -> Grain) -> Shelf {
        Shelf::new(rows, self.plan.phases.segments(), self.plan.phases.summary(), grain)
    }

    /// Those of looks into a cache.
    pub(crate) fn cache(&self, row: usize) -> Grain {
        let this = |subject| matches!(subject, Subject::Cache(id) if id.index() == row);
        grain_if(asks_for_phase(self.plan, this))
    }
}

/// The first endpoint that is a task of a load: they follow the services' endpoints.
fn first_task(plan: &Plan) -> usize {
    let clients = &plan.services[plan.first_client..];
    clients.iter().map(|client| client.first_endpoint.index()).min().unwrap_or(plan.endpoints.len())
}

pub(crate) fn services_of_replicas(plan: &Plan) -> Vec<u32> {
    let replicas = plan.services.iter().map(|service| service.replica_range().end).max().unwrap_or(0);
    let mut rows = vec![0; replicas];
    for (row, service) in plan.services.iter().enumerate() {
        rows[service.replica_range()].fill(row as u32);
    }
    rows
}

const fn grain_if(segments: bool) -> Grain {
    if segments { Grain::Segments } else { Grain::Summary }
}

/// Whether a line of `expect` wants a latency of such a subject over a phase.
fn asks_for_phase(plan: &Plan, wanted: impl Fn(Subject) -> bool) -> bool {
    let summary = plan.phases.summary();
    plan.expect.iter().any(|expect| match &expect.claim {
        Claim::Figure { subject, metric: Metric::Percentile(_) | Metric::Max | Metric::Mean, over, .. } => {
            over.segments != summary && wanted(*subject)
        }
        _ => false,
    })
}

fn covers_endpoint(plan: &Plan, subject: Subject, row: usize) -> bool {
    match subject {
        Subject::Endpoint(endpoint) => endpoint.index() == row,
        Subject::Service(service) => plan.services[service.index()].endpoint_range().contains(&row),
        Subject::Topic(topic) => {
            let service = plan.topics[topic.index()].service;
            plan.services[service.index()].endpoint_range().contains(&row)
        }
        _ => false,
    }
}
