//! What must hold in every run, whatever the topology: a sink that keeps its own books of all that it is told, and
//! compares them with the plan, the census, the recording and the report. Keeps the first breach it finds.

use std::collections::BTreeMap;

use squall_engine::Ended;
use squall_model::observation::{Observation, Sink};
use squall_model::plan::{EndpointId, Plan, Role, SegmentId};
use squall_model::{SimTime, Span};
use squall_policies::breaker::State;
use squall_telemetry::Recording;
use squall_telemetry::report::Report;

pub(super) use kinds::KINDS;

use calls::Calls;
use databases::Database;
use faults::Faults;
use replicas::{Replica, Request};
use resources::Resources;

mod calls;
mod databases;
mod faults;
mod kinds;
mod replicas;
mod reports;
mod resources;

/// The books of a run, and the first breach of a law.
pub(super) struct Laws<'p> {
    plan: &'p Plan,
    /// Nothing may happen after this.
    limit: SimTime,
    now: SimTime,
    replicas: Vec<Replica>,
    databases: Vec<Database>,
    /// By edge.
    calls: Vec<Calls>,
    faults: Faults,
    resources: Resources,
    /// By edge, replica of the caller, and replica of the callee where each is watched: the state that a breaker was last
    /// seen in.
    breakers: BTreeMap<(u32, u32, Option<u32>), State>,
    /// By endpoint, then segment.
    arrived: Vec<Vec<u64>>,
    /// What has happened in the instant under way, and has to be right at its end.
    touched: Vec<Touched>,
    breach: Option<String>,
    /// Every kind of thing that was seen, a bit each.
    seen: u64,
}

/// Something that must be as it should be when an instant is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touched {
    Replica(usize),
    Database(usize),
    Calls(usize),
}

impl<'p> Laws<'p> {
    /// The empty books of a run of `plan`.
    pub(super) fn new(plan: &'p Plan) -> Self {
        let segments = plan.phases.segments();
        Self {
            plan,
            limit: SimTime::ZERO + plan.duration + plan.drain,
            now: SimTime::ZERO,
            replicas: Replica::all(plan),
            databases: Database::all(plan),
            calls: Calls::all(plan),
            faults: Faults::new(plan),
            resources: Resources::new(plan),
            breakers: BTreeMap::new(),
            arrived: vec![vec![0; segments]; plan.endpoints.len()],
            touched: Vec::new(),
            breach: None,
            seen: 0,
        }
    }

    /// The kinds of things seen, a bit for each of [`KINDS`].
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// The first breach found.
    pub(super) fn broken(&mut self) -> Option<String> {
        self.breach.take()
    }

    /// Notes a breach.
    pub(super) fn breach(&mut self, what: &str) {
        if self.breach.is_none() {
            self.breach = Some(format!("at {} ns: {what}", self.now.as_nanos()));
        }
    }

    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.breach(&what());
        }
    }

    fn accept(&mut self, result: Result<(), String>) {
        if let Err(what) = result {
            self.breach(&what);
        }
    }

    /// Time goes on: what was touched in the instant before must have come to rest.
    fn pass_to(&mut self, at: SimTime) {
        self.require(at >= self.now, || format!("time goes back to {} ns", at.as_nanos()));
        self.require(at <= self.limit, || format!("something happens at {} ns, after the end", at.as_nanos()));
        if at > self.now {
            self.come_to_rest();
            self.now = at;
        }
    }

    fn come_to_rest(&mut self) {
        for touched in std::mem::take(&mut self.touched) {
            let result = match touched {
                Touched::Replica(index) => self.replicas[index].at_rest(self.now),
                Touched::Database(index) => self.databases[index].at_rest(self.now),
                Touched::Calls(index) => self.calls[index].at_rest(),
            };
            self.accept(result);
        }
    }

    fn touch(&mut self, what: Touched) {
        if !self.touched.contains(&what) {
            self.touched.push(what);
        }
    }

    /// A request has come: counts it, and sees to it that it carries the segment that its user's request began in.
    fn arrives(&mut self, endpoint: EndpointId, segment: SegmentId) {
        self.arrived[endpoint.index()][segment.index()] += 1;
        let here = self.plan.phases.segment_at(self.now);
        let service = self.plan.endpoints[endpoint.index()].service;
        let user = matches!(self.plan.services[service.index()].role, Role::Client(_));
        let right = if user { segment == here } else { segment <= here };
        self.require(right, || format!("a request of segment {segment:?} begins in {here:?}"));
    }

    fn at_replica(&mut self, replica: usize, step: impl FnOnce(&mut Replica) -> Result<(), String>) {
        self.touch(Touched::Replica(replica));
        let result = step(&mut self.replicas[replica]).map_err(|what| format!("replica {replica}: {what}"));
        self.accept(result);
    }

    fn at_database(&mut self, database: usize, step: impl FnOnce(&mut Database) -> Result<(), String>) {
        self.touch(Touched::Database(database));
        let result = step(&mut self.databases[database]).map_err(|what| format!("database {database}: {what}"));
        self.accept(result);
    }

    fn at_call(&mut self, edge: usize, step: impl FnOnce(&mut Calls) -> Result<(), String>) {
        self.touch(Touched::Calls(edge));
        let name = &self.plan.edges[edge].name;
        let result = step(&mut self.calls[edge]).map_err(|what| format!("{name}: {what}"));
        self.accept(result);
    }

    /// The run has ended so.
    pub(super) fn ended(&mut self, ended: &Ended) {
        self.come_to_rest();
        self.require(ended.at >= self.now, || format!("the run ended before, at {} ns", ended.at.as_nanos()));
        self.require(ended.at <= self.limit, || format!("the run ended late, at {} ns", ended.at.as_nanos()));
        let census = ended.census;
        let inside = |of: fn(&Replica) -> u64| self.replicas.iter().map(of).sum::<u64>();
        let (busy, waiting, hung) = (inside(Replica::busy), inside(Replica::waiting), inside(|r| r.hung));
        let connections: u64 = self.databases.iter().map(Database::busy).sum();
        self.require(census.workers == busy, || format!("{busy} workers seen busy, {census:?}"));
        self.require(census.connections == connections, || format!("{connections} connections seen busy, {census:?}"));
        self.require(census.hung == hung, || format!("{hung} requests seen to hang, {census:?}"));
        self.require(census.fibers >= busy + waiting, || format!("{busy} served and {waiting} waiting, {census:?}"));
        let closed = ended.cut_short || census.fibers == 0 || ended.at == self.limit;
        self.require(closed, || format!("not at the end of the drain, and yet {census:?}"));
        if ended.cut_short {
            return;
        }
        self.all_faults_came(ended.at);
        let result = self.resources.ended(self.plan, &self.arrived);
        self.accept(result);
        if census.fibers == 0 {
            self.drained();
        } else if self.must_drain() {
            self.breach(&format!("after a year of draining: {census:?}"));
        }
    }

    /// Nobody is in the system any more: everything was given back.
    fn drained(&mut self) {
        let left = self.replicas.iter().map(|r| r.busy() + r.waiting()).sum::<u64>();
        self.require(left == 0, || format!("all is done, but {left} requests are at replicas"));
        let left = self.databases.iter().map(|d| d.busy() + d.waiting()).sum::<u64>();
        self.require(left == 0, || format!("all is done, but {left} queries are at databases"));
        for edge in 0..self.calls.len() {
            let result = self.calls[edge].drained();
            self.accept(result.map_err(|what| format!("{}: {what}", self.plan.edges[edge].name)));
        }
        let result = self.resources.drained();
        self.accept(result);
    }

    fn all_faults_came(&mut self, end: SimTime) {
        let result = self.faults.all_came(self.plan, end);
        self.accept(result);
    }

    /// Whether nothing in the plan can keep a request for ever, nor for as long as the drain lasts.
    fn must_drain(&self) -> bool {
        let plan = self.plan;
        let keeps = plan.services.iter().any(|service| service.queue_drops)
            || plan.edges.iter().any(|edge| edge.caller == edge.callee)
            || self.faults.hang();
        plan.drain >= Span::from_secs(8760 * 3600) && !keeps
    }

    /// What the recorder kept.
    pub(super) fn recorded(&mut self, recording: &Recording) {
        for little in recording.littles_law() {
            let name = &self.plan.services[little.service.index()].name;
            let hung = |r: &usize| self.replicas[*r].busy() + self.replicas[*r].waiting();
            let left = self.plan.services[little.service.index()].replica_range().map(|r| hung(&r)).sum::<u64>();
            self.require(little.holds(), || format!("Little's law does not hold at {name}: {little:?}"));
            self.require(little.drained == (left == 0), || format!("{left} left at {name}, but {little:?}"));
        }
    }

    /// What is reported.
    pub(super) fn reported(&mut self, report: &Report) {
        let result = reports::check(self.plan, &self.arrived, report);
        self.accept(result);
    }
}

impl Sink for Laws<'_> {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.pass_to(at);
        self.seen |= kinds::of(&what);
        match what {
            Observation::Admitted { endpoint, replica, segment } => {
                self.arrives(endpoint, segment);
                let serves = self.resources.serves(self.plan, replica.index(), at);
                self.require(serves, || format!("replica {replica:?} takes a request, but does not serve"));
                self.at_replica(replica.index(), |r| r.admitted(Request::new(endpoint, segment, at.as_nanos()), at));
            }
            Observation::Queued { endpoint, replica, segment } => {
                self.arrives(endpoint, segment);
                self.at_replica(replica.index(), |r| r.queued(Request::new(endpoint, segment, at.as_nanos()), at));
            }
            Observation::Rejected { endpoint, replica, segment, answered, limit } => {
                self.arrives(endpoint, segment);
                self.at_replica(replica.index(), |r| r.rejected(endpoint, answered, limit, at));
            }
            Observation::Withdrawn { endpoint, replica, segment, outcome, waited } => {
                let request = Request::new(endpoint, segment, before(at, waited));
                self.at_replica(replica.index(), |r| r.withdrawn(request, outcome));
            }
            Observation::Hedged { edge, segment } => self.at_call(edge.index(), |calls| calls.hedged(segment)),
            Observation::AttemptCancelled { edge, segment } => {
                self.at_call(edge.index(), |calls| calls.cancelled(segment));
            }
            Observation::Hung { endpoint, replica, segment } => {
                self.arrives(endpoint, segment);
                self.replicas[replica.index()].hung += 1;
            }
            Observation::Dequeued { endpoint, replica, segment, waited } => {
                let request = Request::new(endpoint, segment, before(at, waited));
                self.at_replica(replica.index(), |r| r.dequeued(request, at));
            }
            Observation::Ended { endpoint, replica, segment, took, held, .. } => {
                let mut request = Request::new(endpoint, segment, before(at, took));
                request.started = before(at, held);
                self.at_replica(replica.index(), |r| r.ended(request));
            }
            Observation::Saturated { replica } => self.at_replica(replica.index(), |r| r.saturation(true)),
            Observation::Relieved { replica } => self.at_replica(replica.index(), |r| r.saturation(false)),
            Observation::Attempt { site, edge, segment, number } => {
                let of = &self.plan.sites[site.index()];
                self.require(of.edge == edge, || format!("{site:?} is not of {edge:?}"));
                self.at_call(edge.index(), |calls| calls.attempt(segment, number, at));
            }
            Observation::AttemptFailed { edge, segment, .. } => {
                self.at_call(edge.index(), |calls| calls.attempt_failed(segment));
            }
            Observation::CallEnded { edge, segment, outcome, failure, attempts, took } => {
                let end = calls::End { segment, outcome, failure, attempts, began: before(at, took), took };
                self.at_call(edge.index(), |calls| calls.ended(end));
            }
            Observation::Breaker { edge, replica, transition } => {
                let last = self
                    .breakers
                    .insert((edge.0, replica.0, transition.replica), transition.to)
                    .unwrap_or(State::Closed);
                let right = transition.from == last && transition.to != last;
                self.require(right, || format!("a breaker that was {last} goes so: {transition:?}"));
            }
            Observation::QueryArrived { database } => self.databases[database.index()].arrived(at),
            Observation::QueryStarted { database, waited, queued, .. } => {
                self.at_database(database.index(), |d| d.started(before(at, waited), queued, at));
            }
            Observation::QueryEnded { database, took, .. } => {
                self.at_database(database.index(), |d| d.ended(before(at, took)));
            }
            Observation::QueryRefused { database, outcome, took, queued, .. } => {
                self.require(!outcome.is_success(), || format!("a query was refused: {outcome:?}"));
                self.at_database(database.index(), |d| d.refused(before(at, took), queued));
            }
            Observation::DatabaseSaturated { database } => self.at_database(database.index(), |d| d.saturation(true)),
            Observation::DatabaseRelieved { database } => self.at_database(database.index(), |d| d.saturation(false)),
            Observation::ReplicaUp { replica } | Observation::ReplicaDown { replica } => {
                self.replicas[replica.index()].down = matches!(what, Observation::ReplicaDown { .. });
                let result = self.resources.observe(self.plan, at, &what);
                self.accept(result);
            }
            Observation::LookedUp { .. }
            | Observation::Published { .. }
            | Observation::Computing { .. }
            | Observation::MemoryUsed { .. }
            | Observation::OutOfMemory { .. }
            | Observation::Scaled { .. }
            | Observation::ConnectionWanted { .. }
            | Observation::ConnectionGivenUp { .. }
            | Observation::ConnectionTaken { .. }
            | Observation::ConnectionFreed { .. }
            | Observation::AdmissionLimit { .. }
            | Observation::BulkheadLimit { .. } => {
                let result = self.resources.observe(self.plan, at, &what);
                self.accept(result);
            }
            Observation::FaultBegan { fault } => {
                let result = self.faults.began(self.plan, fault.index(), at);
                self.accept(result);
            }
            Observation::FaultEnded { fault } => {
                let result = self.faults.ended(self.plan, fault.index(), at);
                self.accept(result);
            }
            Observation::FaultFired { fault } => {
                let result = self.faults.fired(fault.index());
                self.accept(result);
            }
        }
    }
}

fn before(at: SimTime, span: Span) -> u64 {
    assert!(span.as_nanos() <= at.as_nanos(), "something began {} ns before the run", span.as_nanos());
    at.as_nanos() - span.as_nanos()
}

fn all_or(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
