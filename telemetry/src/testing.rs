//! For tests: plans from topology files, and observations of requests told one by one, put in order of time.

use squall_model::observation::{Failure, Limit, Observation, Sink as _};
use squall_model::plan::{self, DatabaseId, EdgeId, EndpointId, Plan, ReplicaId, SegmentId, SiteId};
use squall_model::{Outcome, SimTime, Span, spec};

use crate::{Recorder, Recording, step_for};

/// A chain of two services and a database under one load, with a fault; 10 s, of which 1 s is warm-up.
pub(crate) const CHAIN: &str = "
name: chain
duration: 10s
warmup: 1s
phases: {calm: 0s..4s, later: 6s..10s}
services:
  front:
    workers: 2
    endpoints: {page: {steps: [{call: back.item}]}}
    calls: {back: {timeout: 1s, retry: {attempts: 3, backoff: none}, breaker: {window: 10}}}
  back:
    replicas: 2
    workers: 1
    endpoints: {item: {steps: [{query: store}]}}
databases: {store: {connections: 4, query: 10ms}}
load:
  - {name: users, to: front.page, rate: 10/s}
faults:
  - {name: slow, at: 4s, for: 2s, target: store, latency: 5s}
";

/// The endpoints, edges and databases of [`CHAIN`].
pub(crate) const PAGE: EndpointId = EndpointId(0);
pub(crate) const ITEM: EndpointId = EndpointId(1);
pub(crate) const USER: EndpointId = EndpointId(2);
pub(crate) const STORE: DatabaseId = DatabaseId(0);

/// The plan of a topology.
pub(crate) fn plan(yaml: &str) -> Plan {
    let read = spec::read(yaml, &[], &|name| Err(format!("no file {name}")));
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    plan::compile(&read.topology.unwrap()).unwrap()
}

/// [`CHAIN`] with these lines of `expect`.
pub(crate) fn chain_expecting(lines: &[&str]) -> Plan {
    let lines: Vec<_> = lines.iter().map(|line| format!("  - {line}\n")).collect();
    plan(&format!("{CHAIN}expect:\n{}", lines.concat()))
}

/// The call of this name.
pub(crate) fn edge(plan: &Plan, name: &str) -> EdgeId {
    EdgeId::from(plan.edges.iter().position(|edge| edge.name == name).unwrap())
}

/// Milliseconds since the start.
pub(crate) fn ms(ms: u64) -> SimTime {
    SimTime::from_nanos(ms * 1_000_000)
}

/// What happened, in any order. All times are in milliseconds.
pub(crate) struct Story<'p> {
    pub(crate) plan: &'p Plan,
    told: Vec<(u64, Observation)>,
}

impl<'p> Story<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self { plan, told: Vec::new() }
    }

    /// One observation.
    pub(crate) fn tell(&mut self, at: u64, what: Observation) {
        self.told.push((at, what));
    }

    /// Takes back the last observation of this kind.
    pub(crate) fn unsay(&mut self, which: impl Fn(&Observation) -> bool) {
        let last = self.told.iter().rposition(|(_, what)| which(what)).unwrap();
        self.told.remove(last);
    }

    pub(crate) fn segment(&self, at: u64) -> SegmentId {
        self.plan.phases.segment_at(ms(at))
    }

    fn replica(&self, endpoint: EndpointId) -> ReplicaId {
        self.plan.services[self.plan.endpoints[endpoint.index()].service.index()].first_replica
    }

    /// A request that comes at `at` waits, is served and ends.
    pub(crate) fn visit(&mut self, endpoint: EndpointId, at: u64, [waited, held]: [u64; 2], outcome: Outcome) {
        let (segment, replica, end) = (self.segment(at), self.replica(endpoint), at + waited + held);
        self.stay(endpoint, at, waited);
        let (took, held) = (Span::from_millis(waited + held), Span::from_millis(held));
        self.tell(end, Observation::Ended { endpoint, replica, segment, outcome, took, held });
    }

    /// A request that comes at `at` and waits; nothing is heard of it after it has got its worker.
    pub(crate) fn stay(&mut self, endpoint: EndpointId, at: u64, waited: u64) {
        let (segment, replica) = (self.segment(at), self.replica(endpoint));
        if waited == 0 {
            return self.tell(at, Observation::Admitted { endpoint, replica, segment });
        }
        self.tell(at, Observation::Queued { endpoint, replica, segment });
        let waited_span = Span::from_millis(waited);
        self.tell(at + waited, Observation::Dequeued { endpoint, replica, segment, waited: waited_span });
    }

    pub(crate) fn turned_away(&mut self, endpoint: EndpointId, at: u64) {
        let (segment, replica) = (self.segment(at), self.replica(endpoint));
        self.tell(at, Observation::Rejected { endpoint, replica, segment, answered: true, limit: Limit::Queue });
    }

    /// All replicas of an endpoint's service are saturated for this long.
    pub(crate) fn saturated(&mut self, endpoint: EndpointId, at: u64, lasts: u64) {
        let service = &self.plan.services[self.plan.endpoints[endpoint.index()].service.index()];
        for replica in service.replica_range().map(ReplicaId::from) {
            self.tell(at, Observation::Saturated { replica });
            self.tell(at + lasts, Observation::Relieved { replica });
        }
    }

    /// A call whose attempts fail so one after another, each after `each` ms; the last of them ends the call.
    pub(crate) fn failing_call(&mut self, edge: EdgeId, at: u64, each: u64, failures: &[Failure]) {
        let segment = self.segment(at);
        let mut now = at;
        for (i, failure) in failures.iter().enumerate() {
            let number = i as u16 + 1;
            self.tell(now, Observation::Attempt { site: SiteId(0), edge, segment, number });
            now += each;
            if i + 1 < failures.len() {
                self.tell(now, Observation::AttemptFailed { edge, segment, outcome: *failure });
            }
        }
        let outcome = match failures.last() {
            Some(Failure::Callee(outcome)) => *outcome,
            _ => Outcome::Timeout,
        };
        let (failure, attempts) = (failures.last().copied(), failures.len() as u16);
        let took = Span::from_millis(now - at);
        self.tell(now, Observation::CallEnded { edge, segment, outcome, failure, attempts, took });
    }

    /// A call that succeeds with its first attempt.
    pub(crate) fn call(&mut self, edge: EdgeId, at: u64, took: u64) {
        let segment = self.segment(at);
        self.tell(at, Observation::Attempt { site: SiteId(0), edge, segment, number: 1 });
        let (outcome, failure, attempts, span) = (Outcome::Ok, None, 1, Span::from_millis(took));
        self.tell(at + took, Observation::CallEnded { edge, segment, outcome, failure, attempts, took: span });
    }

    pub(crate) fn query(&mut self, database: DatabaseId, at: u64, [waited, runs]: [u64; 2], outcome: Outcome) {
        let segment = self.segment(at);
        let queued = waited > 0;
        if queued {
            self.tell(at, Observation::QueryArrived { database });
        }
        let span = Span::from_millis(waited);
        self.tell(at + waited, Observation::QueryStarted { database, segment, waited: span, queued });
        let took = Span::from_millis(waited + runs);
        self.tell(at + waited + runs, Observation::QueryEnded { database, segment, outcome, took });
    }

    /// The recording of it all, ended at `end`.
    pub(crate) fn record(mut self, end: u64) -> Recording {
        self.told.sort_by_key(|(at, _)| *at);
        let mut recorder = Recorder::new(self.plan, step_for(self.plan.duration));
        for (at, what) in self.told.into_iter().filter(|(at, _)| *at <= end) {
            recorder.observe(ms(at), what);
        }
        recorder.finish(ms(end))
    }
}
