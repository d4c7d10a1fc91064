//! Fills the report from a recording: names to rows, counts over the summary's segments, nanoseconds to the report's
//! units. Judges and tells nothing itself; expectations and causes come from their own modules.

use core::ops::Range;

use squall_model::plan::{
    self, CacheId, DatabaseId, EdgeId, Fault as FaultRow, Hits, Plan, ReplicaId, ServiceId, TopicId,
};
use squall_model::{SimTime, Span};
use squall_policies::breaker::State;

use crate::BreakerChange;
use crate::histogram::{Histogram, Together};
use crate::levels::Levels;
use crate::named::Named;
use crate::recording::Recording;
use crate::report::{
    AdaptiveLimit, Breaker, Cache, Call, Connections, Database, Endpoint, Engine, Extremes, Failures, Fault, Graph,
    Latency, Load, NamedPhase, Pool, Queue, Report, SCHEMA, Scaling, Service, System, Task, Time, Topic, Transition,
    Verdict, Workers, World,
};
use crate::shelf::Shelf;
use crate::tallies::{self, Requests};
use crate::timeline::MIB;
use crate::{blame, causes, expect, sentence, timeline, verdicts, wording};

/// What a recording cannot know of its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where it took place.
    pub world: World,
    /// Steps of the machines.
    pub events: u64,
    /// The most requests in flight at once.
    pub peak_in_flight: u64,
    /// How long it took.
    pub wall: Span,
}

impl Report {
    /// The report of a run of `plan`.
    pub fn new(plan: &Plan, recording: &Recording, run: &Run) -> Self {
        let summary = Summary { plan, recording, segments: plan.phases.summary() };
        let expect = expect::judge(plan, recording);
        let story = causes::story(plan, recording);
        let passed = expect.iter().all(|expectation| expectation.pass);
        let mut report = Self {
            schema: SCHEMA,
            scenario: plan.name.clone(),
            world: run.world,
            seed: plan.seed,
            digest: recording.fingerprint().to_string(),
            verdict: if passed { Verdict::Pass } else { Verdict::Fail },
            time: time(plan, recording, run),
            engine: engine(run),
            load: plan.loads.iter().map(|load| (load.name.clone(), summary.load(load.clients))).collect(),
            system: summary.system(),
            services: summary.services(),
            databases: summary.databases(),
            caches: summary.caches(),
            topics: summary.topics(),
            calls: summary.calls(),
            faults: faults(plan, recording),
            causes: story.causes(),
            verdicts: verdicts::of(plan, recording, &story),
            expect,
            timeline: timeline::of(plan, recording),
            about: plan.about.clone(),
            sentence: String::new(),
            phases: phases(plan),
            graph: Graph::of(plan),
            source: None,
            traces: Vec::new(),
            live: None,
        };
        report.sentence = sentence::of(&report);
        report
    }
}

fn time(plan: &Plan, recording: &Recording, run: &Run) -> Time {
    Time {
        simulated_s: seconds(recording.end()),
        wall_s: run.wall.as_secs_f64(),
        load_s: to_seconds(plan.duration.as_nanos()),
        warmup_s: to_seconds(plan.warmup.as_nanos()),
    }
}

/// Those of the file; a fault's is told with the fault.
fn phases(plan: &Plan) -> Vec<NamedPhase> {
    let phases = plan.phases.named().iter().filter(|phase| plan.faults.iter().all(|fault| fault.name != phase.name));
    phases
        .map(|phase| NamedPhase { name: phase.name.clone(), from_s: seconds(phase.from), to_s: seconds(phase.to) })
        .collect()
}

fn engine(run: &Run) -> Engine {
    let per_second = if run.wall.is_zero() { 0.0 } else { run.events as f64 / run.wall.as_secs_f64() };
    Engine { events: run.events, events_per_s: per_second as u64, peak_in_flight: run.peak_in_flight }
}

/// What started between warm-up and the load's end.
struct Summary<'r> {
    plan: &'r Plan,
    recording: &'r Recording,
    segments: Range<usize>,
}

impl Summary<'_> {
    fn length(&self) -> u64 {
        self.recording.length(self.segments.clone())
    }

    fn requests(&self, rows: Range<usize>) -> Requests {
        self.recording.books.requests.over(rows, self.segments.clone())
    }

    fn times<'s>(&self, shelf: &'s Shelf, rows: Range<usize>) -> Together<'s> {
        shelf.over_rows(rows, self.segments.clone())
    }

    fn calls_of(&self, edge: EdgeId) -> tallies::Calls {
        self.recording.books.calls.over(edge.index()..edge.index() + 1, self.segments.clone())
    }

    fn load(&self, clients: ServiceId) -> Load {
        let tasks = self.plan.services[clients.index()].endpoint_range();
        let all = self.task(tasks.clone());
        let seconds = self.length() as f64 / 1e9;
        let per_second = |count: u64| if seconds > 0.0 { rounded(count as f64 / seconds) } else { 0.0 };
        let one = |row: usize| (self.plan.endpoints[row].name.clone(), self.task(row..row + 1));
        Load {
            offered: all.offered,
            ok: all.ok,
            degraded: all.degraded,
            failed: all.failed,
            in_flight: all.in_flight,
            attempts: self.edges_from(clients).map(|edge| self.calls_of(edge).attempts()).sum(),
            failures: all.failures,
            latency_ms: all.latency_ms,
            rate_per_s: per_second(all.ok + all.degraded + all.failed),
            goodput_per_s: per_second(all.ok + all.degraded),
            failed_latency_ms: all.failed_latency_ms,
            tasks: tasks.map(one).collect(),
        }
    }

    fn task(&self, rows: Range<usize>) -> Task {
        let count = self.requests(rows.clone());
        let first = self.recording.books.first_task;
        let rows = rows.start - first..rows.end - first;
        let times = &self.recording.books.times;
        let failed = count.failures;
        Task {
            offered: count.arrived(),
            ok: count.ok,
            degraded: count.degraded,
            failed: failed.total() + count.rejected(),
            in_flight: count.in_flight(),
            failures: Failures {
                timeout: failed.timeout,
                rejected: failed.rejected + count.rejected(),
                breaker_open: failed.breaker_open,
                error: failed.error,
                refused: failed.refused,
            },
            latency_ms: latency(&self.times(&times.answered, rows.clone())),
            failed_latency_ms: latency(&self.times(&times.failed, rows)),
        }
    }

    fn edges_from(&self, caller: ServiceId) -> impl Iterator<Item = EdgeId> {
        let edges = self.plan.edges.iter().enumerate();
        edges.filter(move |(_, edge)| edge.caller == caller).map(|(row, _)| EdgeId::from(row))
    }

    fn system(&self) -> System {
        let loads: Vec<_> = self.plan.loads.iter().map(|load| self.load(load.clients)).collect();
        let sum = |figure: fn(&Load) -> u64| loads.iter().map(figure).sum::<u64>();
        let offered = sum(|load| load.offered);
        let by_offered = |figure: f64| (offered > 0).then(|| rounded(figure / offered as f64));
        let failed = sum(|load| load.failed);
        System {
            offered,
            ok: sum(|load| load.ok),
            degraded: sum(|load| load.degraded),
            failed,
            in_flight: sum(|load| load.in_flight),
            error_share: by_offered(failed as f64),
            propagated_error_share: by_offered(blame::passed_on(self.plan, self.recording).min(failed as f64)),
            attempts_per_request: by_offered(sum(|load| load.attempts) as f64),
        }
    }

    fn services(&self) -> Named<Service> {
        let services = self.plan.services.iter().take(self.plan.real_services).enumerate();
        services.map(|(row, service)| (service.name.clone(), self.service(row))).collect()
    }

    fn service(&self, row: usize) -> Service {
        let service = &self.plan.services[row];
        let rows = service.endpoint_range();
        let count = self.requests(rows.clone());
        let times = &self.recording.books.times;
        let over = |shelf| self.times(shelf, rows.clone());
        let direct = over(&times.direct);
        let waits = over(&times.waited).and_zeros(count.admitted);
        let one = |row: usize| (self.plan.endpoints[row].name.clone(), self.endpoint(row));
        let (resources, id) = (&self.recording.books.resources, ServiceId::from(row));
        let replicas = self.replicas(row);
        let bytes = resources.memory.over(row, self.segments.clone());
        Service {
            requests: count.arrived(),
            ok: count.succeeded(),
            failed: count.failures.total(),
            rejected: count.rejected(),
            latency_ms: latency(&over(&times.queued).and(&direct)),
            wait_ms: latency(&waits),
            service_ms: latency(&over(&times.held).and(&direct)),
            workers: self.workers(row),
            queue: self.queue(&self.recording.books.waiting, row, capacity(service.queue, self.most_replicas(row))),
            cpu_share: self.recording.cpu_share(self.plan, id, self.segments.clone()).map(rounded),
            memory_limit_mib: service.memory.map(|memory| rounded(memory.limit as f64 / MIB)),
            memory_mib_max: bytes.map(|bytes| rounded(bytes as f64 / MIB)),
            replicas,
            degraded: count.degraded,
            in_flight: count.in_flight(),
            scaled: self.scaled(id),
            out_of_memory_s: self.deaths(id),
            concurrency_limit: has_adaptive_admission(service).then(|| self.limit(&resources.admission_limits, row)),
            endpoints: rows.clone().map(one).collect(),
        }
    }

    /// How many replicas its limits are of.
    fn most_replicas(&self, row: usize) -> u32 {
        let service = &self.plan.services[row];
        if service.autoscale.is_some() { self.replicas(row).max.max(1) } else { service.replicas }
    }

    fn replicas(&self, row: usize) -> Extremes {
        let serving = self.recording.books.resources.serving(row, self.recording.stretch(self.segments.clone()));
        Extremes { min: serving.least, max: serving.most }
    }

    fn scaled(&self, service: ServiceId) -> Vec<Scaling> {
        let scaled = self.recording.books.resources.scaled.iter().filter(|scaling| scaling.service == service);
        let one = |scaling: &crate::resources::Scaling| Scaling {
            at_s: seconds(scaling.at),
            from: scaling.from,
            to: scaling.to,
            used_share: rounded(scaling.used),
        };
        scaled.map(one).collect()
    }

    fn deaths(&self, service: ServiceId) -> Vec<f64> {
        let replicas = self.plan.services[service.index()].replica_range();
        let deaths = self.recording.books.resources.out_of_memory.iter();
        deaths.filter(|(_, replica)| replicas.contains(&replica.index())).map(|(at, _)| seconds(*at)).collect()
    }

    fn caches(&self) -> Named<Cache> {
        let caches = self.plan.caches.iter().enumerate();
        caches.map(|(row, cache)| (cache.name.clone(), self.cache(CacheId::from(row)))).collect()
    }

    fn cache(&self, id: CacheId) -> Cache {
        let (row, resources) = (id.index(), &self.recording.books.resources);
        let count = resources.looks.over(row..row + 1, self.segments.clone());
        let answered = count.answered();
        let emergent = matches!(self.plan.caches[row].hits, Hits::Keys { .. });
        Cache {
            lookups: answered + count.failed,
            hits: count.hits,
            misses: count.absent + count.expired,
            expired: count.expired,
            failed: count.failed,
            hit_rate: (answered > 0).then(|| rounded(count.hits as f64 / answered as f64)),
            latency_ms: latency(&resources.look_times.over(row, self.segments.clone())),
            keys_max: resources.held.over(row, self.segments.clone()).filter(|_| emergent),
        }
    }

    fn topics(&self) -> Named<Topic> {
        let topics = self.plan.topics.iter().enumerate();
        topics.map(|(row, topic)| (topic.name.clone(), self.topic(TopicId::from(row)))).collect()
    }

    fn topic(&self, id: TopicId) -> Topic {
        let service = self.plan.topics[id.index()].service;
        let published =
            self.recording.books.resources.published.over(id.index()..id.index() + 1, self.segments.clone());
        let row = self.service(service.index());
        Topic {
            published: published.ok,
            publish_failed: published.failed,
            deliveries: row.requests,
            delivered: row.ok,
            dead_letters: row.failed,
            lost: row.rejected,
            in_flight: row.in_flight,
            retries: self.edges_from(service).map(|edge| self.calls_of(edge).retries).sum(),
            lag_ms: row.latency_ms,
            wait_ms: row.wait_ms,
            backlog: row.queue,
            subscribers: row.endpoints,
        }
    }

    fn pool(&self, edge: EdgeId) -> Option<Pool> {
        let row = &self.plan.edges[edge.index()];
        let (settings, resources, segments) = (row.pool?, &self.recording.books.resources, self.segments.clone());
        let callers = if row.shared { 1 } else { self.plan.services[row.caller.index()].replicas };
        let busy = resources.connections.over(edge.index(), segments.clone());
        let count = resources.pools.over(edge.index()..edge.index() + 1, segments.clone());
        Some(Pool {
            limit: capacity(settings.connections, callers),
            busy_mean: rounded(busy.mean(self.length())),
            busy_max: busy.peak,
            opened: count.opened,
            reused: count.reused,
            waited: count.waited,
            waiting_max: resources.connecting.over(edge.index(), segments.clone()).peak,
            full: self.calls_of(edge).pool_full,
            wait_ms: latency(&resources.pool_waits.over(edge.index(), segments)),
        })
    }

    fn endpoint(&self, row: usize) -> Endpoint {
        let count = self.requests(row..row + 1);
        let times = &self.recording.books.times;
        let over = |shelf| self.times(shelf, row..row + 1);
        Endpoint {
            requests: count.arrived(),
            ok: count.succeeded(),
            failed: count.failures.total(),
            rejected: count.rejected(),
            in_flight: count.in_flight(),
            latency_ms: latency(&over(&times.direct).and(&over(&times.queued))),
        }
    }

    fn workers(&self, row: usize) -> Workers {
        let service = &self.plan.services[row];
        let busy = self.recording.books.busy.over(row, self.segments.clone());
        let full = self.recording.books.services_full.over(row, self.segments.clone());
        Workers {
            limit: capacity(service.workers, self.most_replicas(row)),
            busy_mean: rounded(busy.mean(self.length())),
            busy_max: busy.peak,
            saturated_first_s: full.first().map(to_seconds),
            saturated_s: to_seconds(full.time),
        }
    }

    fn queue(&self, levels: &Levels, row: usize, limit: Option<u64>) -> Queue {
        let waiting = levels.over(row, self.segments.clone());
        Queue { mean: rounded(waiting.mean(self.length())), max: waiting.peak, limit }
    }

    fn databases(&self) -> Named<Database> {
        let databases = self.plan.databases.iter().enumerate();
        databases.map(|(row, database)| (database.name.clone(), self.database(DatabaseId::from(row)))).collect()
    }

    fn database(&self, id: DatabaseId) -> Database {
        let (row, books) = (id.index(), &self.recording.books);
        let count = books.queries.over(row..row + 1, self.segments.clone());
        let waits = books.times.query_waits.over(row, self.segments.clone());
        let at_once = count.started - waits.count();
        let busy = books.connections.over(row, self.segments.clone());
        let full = books.databases_full.over(row, self.segments.clone());
        Database {
            queries: count.started,
            latency_ms: latency(&books.times.queries.over(row, self.segments.clone())),
            wait_ms: latency(&waits.and_zeros(at_once)),
            connections: Connections {
                limit: capacity(self.plan.databases[row].connections, 1),
                busy_mean: rounded(busy.mean(self.length())),
                busy_max: busy.peak,
                saturated_first_s: full.first().map(to_seconds),
                saturated_s: to_seconds(full.time),
            },
            failed: count.failed,
            timeouts: count.timeouts,
            waiting: self.queue(&books.pending, row, None),
        }
    }

    fn calls(&self) -> Named<Call> {
        let edges = self.plan.edges.iter().enumerate();
        edges.map(|(row, edge)| (edge.name.clone(), self.call(EdgeId::from(row)))).collect()
    }

    fn call(&self, edge: EdgeId) -> Call {
        let count = self.calls_of(edge);
        let per_call = count.attempts() as f64 / count.begun as f64;
        Call {
            calls: count.begun,
            attempts: count.attempts(),
            retries: count.retries,
            attempts_per_call: (count.begun > 0).then(|| rounded(per_call)),
            ok: count.ok,
            failed: count.failed,
            degraded: count.degraded,
            timeouts: count.failures.timeout,
            rejected: count.failures.rejected,
            short_circuited: count.failures.breaker_open,
            bulkhead_full: count.bulkhead_full,
            budget_refused: count.budget_refused,
            hedges: count.hedges,
            cancelled: count.cancelled,
            latency_ms: latency(&self.recording.books.times.calls.over(edge.index(), self.segments.clone())),
            breaker: self.breaker(edge),
            errors: count.failures.error,
            refused: count.failures.refused,
            no_replica: count.no_replica,
            rate_limited: count.rate_limited,
            throttled: count.throttled,
            order: self.plan.edges[edge.index()].layers.iter().map(|layer| layer.word().to_owned()).collect(),
            pool: self.pool(edge),
            concurrency_limit: has_adaptive_bulkhead(&self.plan.edges[edge.index()])
                .then(|| self.limit(&self.recording.books.resources.bulkhead_limits, edge.index())),
        }
    }

    fn limit(&self, limits: &Levels, row: usize) -> AdaptiveLimit {
        let over = limits.over(row, self.segments.clone());
        AdaptiveLimit { mean: rounded(over.mean(self.length())), max: over.peak, at_end: limits.level(row) }
    }

    fn breaker(&self, id: EdgeId) -> Option<Breaker> {
        let edge = &self.plan.edges[id.index()];
        let config = edge.breaker.as_ref()?;
        let caller = &self.plan.services[edge.caller.index()];
        let callees = self.plan.services[edge.callee.index()].replicas;
        let changes: Vec<_> = self.recording.breakers().iter().filter(|change| change.edge == id).collect();
        let last_of = |caller: usize, target: Option<u32>| {
            let about = |change: &&&BreakerChange| {
                change.replica == ReplicaId::from(caller) && change.transition.replica == target
            };
            changes.iter().rfind(about).map_or(State::Closed, |change| change.transition.to)
        };
        let each = config.watches_replicas();
        let state_of = |caller: usize| {
            let targets = (0..callees).map(|target| last_of(caller, Some(target)));
            if each { targets.min_by_key(|state| openness(*state)) } else { Some(last_of(caller, None)) }
        };
        let state = caller.replica_range().filter_map(state_of).max_by_key(|state| openness(*state));
        let out = |caller: usize| (0..callees).filter(move |target| last_of(caller, Some(*target)) == State::Open);
        let transitions = changes.iter().map(|change| Transition {
            at_s: seconds(change.at),
            from: change.transition.from.to_string(),
            to: change.transition.to.to_string(),
            why: change.transition.why.to_string(),
            replica: (caller.replicas > 1).then(|| change.replica.0 - caller.first_replica.0),
            target: change.transition.replica,
        });
        Some(Breaker {
            state: state.unwrap_or(State::Closed).to_string(),
            opened: changes.iter().filter(|change| change.transition.to == State::Open).count() as u64,
            transitions: transitions.collect(),
            kind: config.name().to_owned(),
            ejected: each.then(|| caller.replica_range().flat_map(out).count() as u64),
        })
    }
}

/// Whether what a service lets in at the same time follows latency.
pub(crate) fn has_adaptive_admission(service: &plan::Service) -> bool {
    let concurrency = service.admission.and_then(|admission| admission.concurrency);
    matches!(concurrency, Some(plan::Concurrency::Adaptive(_)))
}

/// Whether what may be under way of a call at the same time follows latency.
pub(crate) const fn has_adaptive_bulkhead(edge: &plan::Edge) -> bool {
    matches!(edge.bulkhead, Some(plan::Bulkhead::Adaptive(_)))
}

/// One entry of the file may be several faults of the plan.
fn faults(plan: &Plan, recording: &Recording) -> Vec<Fault> {
    let rows: Vec<_> = plan.faults.iter().zip(recording.faults()).collect();
    let entries = rows.chunk_by(|(a, _), (b, _)| a.entry == b.entry && a.name == b.name);
    entries
        .filter_map(|rows| {
            let (first, _) = rows.first()?;
            let faults: Vec<&FaultRow> = rows.iter().map(|(fault, _)| *fault).collect();
            Some(Fault {
                name: first.name.clone(),
                from_s: seconds(first.from),
                to_s: rows.iter().map(|(fault, _)| seconds(fault.to)).fold(0.0, f64::max),
                fired: rows.iter().map(|(_, record)| record.fired).sum(),
                what: wording::faults(plan, &faults),
                targets: wording::struck(plan, &faults),
            })
        })
        .collect()
}

/// How far a breaker is from letting everything pass.
const fn openness(state: State) -> u8 {
    match state {
        State::Closed | State::Disabled | State::MetricsOnly => 0,
        State::HalfOpen => 1,
        State::Open => 2,
        State::ForcedOpen => 3,
    }
}

/// So many on each replica; `None` is unlimited.
fn capacity(each: u32, replicas: u32) -> Option<u64> {
    (each != u32::MAX).then(|| u64::from(each) * u64::from(replicas))
}

fn latency(times: &Together<'_>) -> Option<Latency> {
    let (mean, percentiles) = times.spread([500, 900, 950, 990, 999, 1000])?;
    let [p50, p90, p95, p99, p999, max] = percentiles.map(|ns| millis(ns as f64));
    Some(Latency { mean: millis(mean), p50, p90, p95, p99, p999, max })
}

impl Latency {
    /// A distribution of nanoseconds in milliseconds; `None` if it is empty.
    pub fn of(times: &Histogram) -> Option<Self> {
        latency(&times.into())
    }
}

/// Milliseconds, to the nanosecond.
pub(crate) fn millis(ns: f64) -> f64 {
    libm::round(ns) / 1e6
}

/// To six decimals, so that figures do not trail digits that mean nothing.
pub(crate) fn rounded(figure: f64) -> f64 {
    libm::round(figure * 1e6) / 1e6
}

pub(crate) fn to_seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn seconds(at: SimTime) -> f64 {
    to_seconds(at.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ITEM, PAGE, STORE, Story, USER, chain_expecting, edge};
    use squall_model::Outcome;
    use squall_model::observation::{Failure, Observation};
    use squall_model::plan::FaultId;
    use squall_policies::breaker::{self, Reason, Why};

    const RUN: Run = Run { world: World::Sim, events: 1000, peak_in_flight: 7, wall: Span::from_millis(20) };

    fn report() -> Report {
        let plan = chain_expecting(&["users p99 < 300ms in calm"]);
        let mut story = Story::new(&plan);
        let (back, users) = (edge(&plan, "front -> back"), edge(&plan, "users -> front"));
        for at in [500, 2_000, 2_100] {
            story.visit(USER, at, [0, 51], Outcome::Ok);
            story.visit(PAGE, at, [1, 50], Outcome::Ok);
            story.visit(ITEM, at, [0, 40], Outcome::Degraded);
            story.query(STORE, at, [5, 15], Outcome::Ok);
            story.call(back, at, 45);
            story.call(users, at, 51);
        }
        let timeout = Failure::Callee(Outcome::Timeout);
        story.failing_call(back, 4_500, 500, &[timeout, Failure::BreakerOpen]);
        story.failing_call(users, 4_500, 1_000, &[Failure::Callee(Outcome::Error(502))]);
        story.visit(PAGE, 4_500, [0, 1_000], Outcome::Error(502));
        story.visit(USER, 4_500, [0, 1_000], Outcome::Error(502));
        story.turned_away(ITEM, 4_500);
        story.stay(USER, 9_000, 0);
        story.saturated(ITEM, 4_500, 500);
        story.tell(4_000, Observation::FaultBegan { fault: FaultId(0) });
        story.tell(4_500, Observation::FaultFired { fault: FaultId(0) });
        for (at, from, to) in [(4_000, State::Closed, State::Open), (5_000, State::Open, State::HalfOpen)] {
            let transition = breaker::Transition { from, to, why: Why::from(Reason::Asked), replica: None };
            story.tell(at, Observation::Breaker { edge: back, replica: ReplicaId(0), transition });
        }
        Report::new(&plan, &story.record(10_000), &RUN)
    }

    /// The keys of an object in their order.
    fn keys(value: &serde_json::Value, pointer: &str) -> Vec<String> {
        let text = value.pointer(pointer).unwrap().to_string();
        let fields: Named<serde_json::Value> = serde_json::from_str(&text).unwrap();
        fields.iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn counts_are_those_of_the_summary() {
        let report = report();
        let load = report.load.find("users").unwrap();
        assert_eq!((load.offered, load.ok, load.failed, load.in_flight, load.attempts), (4, 2, 1, 1, 3));
        assert_eq!(load.failures, Failures { error: 1, ..Failures::default() });
        assert_eq!((load.rate_per_s, load.goodput_per_s), (0.333_333, 0.222_222));
        assert_eq!(load.latency_ms.map(|latency| latency.max), Some(51.0));
        assert_eq!(load.failed_latency_ms.map(|latency| latency.p50), Some(1000.0));
        assert_eq!(report.system.error_share, Some(0.25));
        assert_eq!(report.system.propagated_error_share, Some(0.25));
        assert_eq!(report.system.attempts_per_request, Some(0.75));
    }

    #[test]
    fn services_databases_and_calls_have_their_figures() {
        let report = report();
        let back = report.services.find("back").unwrap();
        assert_eq!((back.requests, back.ok, back.degraded, back.rejected, back.in_flight), (3, 2, 2, 1, 0));
        let busy = Workers {
            limit: Some(2),
            busy_mean: rounded(0.08 / 9.0),
            busy_max: 1,
            saturated_first_s: Some(4.5),
            saturated_s: 0.5,
        };
        assert_eq!(back.workers, busy);
        let front = report.services.find("front").unwrap();
        let means = [front.wait_ms, front.service_ms, front.latency_ms].map(|latency| latency.unwrap().mean);
        assert_eq!(means, [0.666_667, 366.666_667, 367.333_333]);
        let store = report.databases.find("store").unwrap();
        assert_eq!((store.queries, store.wait_ms.unwrap().mean, store.latency_ms.unwrap().mean), (2, 5.0, 20.0));
        let call = report.calls.find("front -> back").unwrap();
        assert_eq!((call.calls, call.attempts, call.retries, call.attempts_per_call), (3, 4, 1, Some(1.333_333)));
        assert_eq!((call.ok, call.failed, call.timeouts, call.short_circuited), (2, 1, 1, 1));
        let breaker = call.breaker.as_ref().unwrap();
        assert_eq!((breaker.state.as_str(), breaker.opened, breaker.transitions.len()), ("half-open", 1, 2));
        assert_eq!(report.faults[0].fired, 1);
    }

    #[test]
    fn an_empty_distribution_is_null() {
        let plan = chain_expecting(&[]);
        let report = Report::new(&plan, &Story::new(&plan).record(10_000), &RUN);
        let json = serde_json::to_value(&report).unwrap();
        let empty = [
            "/load/users/latency_ms",
            "/services/back/wait_ms",
            "/calls/front -> back/attempts_per_call",
            "/system/error_share",
        ];
        for pointer in empty {
            assert_eq!(json.pointer(pointer), Some(&serde_json::Value::Null), "{pointer}");
        }
        assert_eq!(json.pointer("/timeline/load/users/p99_ms/0"), Some(&serde_json::Value::Null));
    }

    #[test]
    fn the_report_has_the_shape_that_others_rely_on() {
        let report = report();
        let text = serde_json::to_string(&report).unwrap();
        let top: Named<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = top.iter().map(|(name, _)| name).collect();
        let expected = "schema scenario world seed digest verdict time engine load system services databases caches topics \
                        calls faults causes verdicts expect timeline about sentence phases graph source";
        assert_eq!(names.join(" "), expected);
        assert!(text.starts_with(r#"{"schema":1,"scenario":"chain","world":"sim","seed":1,"digest":""#), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let table = [
            ("/time", "simulated_s wall_s"),
            ("/engine", "events events_per_s peak_in_flight"),
            (
                "/load/users",
                "offered ok degraded failed in_flight attempts failures latency_ms rate_per_s goodput_per_s",
            ),
            ("/load/users/failures", "timeout rejected breaker_open error refused"),
            ("/load/users/latency_ms", "mean p50 p90 p95 p99 p999 max"),
            ("/system", "offered ok degraded failed in_flight error_share propagated_error_share attempts_per_request"),
            (
                "/services/back",
                "requests ok failed rejected latency_ms wait_ms service_ms workers queue cpu_share memory_mib_max replicas",
            ),
            ("/services/back/workers", "limit busy_mean busy_max saturated_first_s saturated_s"),
            ("/services/back/queue", "mean max"),
            ("/databases/store", "queries latency_ms wait_ms connections"),
            ("/databases/store/connections", "limit busy_mean busy_max"),
            (
                "/calls/front -> back",
                "calls attempts retries attempts_per_call ok failed degraded timeouts rejected short_circuited \
                 bulkhead_full budget_refused hedges cancelled latency_ms breaker",
            ),
            ("/calls/front -> back/breaker", "state opened transitions"),
            ("/calls/front -> back/breaker/transitions/0", "at_s from to why"),
            ("/faults/0", "name from_s to_s fired"),
            ("/causes/0", "at_s what"),
            ("/expect/0", "text pass actual"),
            ("/timeline", "step_s load services calls"),
            ("/timeline/load/users", "offered ok degraded failed p50_ms p99_ms"),
            ("/timeline/services/back", "workers_busy queue ok failed rejected"),
            ("/timeline/calls/front -> back", "attempts retries failed timeouts short_circuited"),
            ("/timeline/databases/store", "busy waiting"),
        ];
        for (pointer, wanted) in table {
            let found = keys(&json, pointer);
            let wanted: Vec<_> = wanted.split(' ').collect();
            for name in &wanted {
                assert!(found.iter().any(|found| found == name), "{pointer} has no {name}");
            }
        }
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
