//! The report of a run, as it stands in `report.json` (schema 1): plain figures with names. Knows neither how they were
//! found nor how they are shown.
//!
//! Keys carry unit and qualifier last. What is empty is `null`, never 0. Maps are in the order of the topology file.

mod series;

use serde::{Deserialize, Serialize};

pub use self::series::{
    CacheSeries, CallSeries, DatabaseSeries, EndpointSeries, FailureSeries, LatencyCounts, LoadSeries, ServiceSeries,
    Timeline, TopicSeries,
};
pub use crate::graph::{Graph, GraphEdge, GraphNode, NodeKind, UseKind};
use crate::named::Named;
use crate::trace::Trace;

/// The version of the report's shape. Fields may be added under the same version; those that are there stay.
pub const SCHEMA: u32 = 1;

/// Everything that is reported of one run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The topology's name.
    pub scenario: String,
    /// Where it ran.
    pub world: World,
    /// The root seed.
    pub seed: u64,
    /// The digest over every observation: 32 hexadecimal digits.
    pub digest: String,
    /// Whether every expectation held.
    pub verdict: Verdict,
    /// How long it was, and how long it took.
    pub time: Time,
    /// What it cost to run.
    pub engine: Engine,
    /// By load.
    pub load: Named<Load>,
    /// All load together.
    pub system: System,
    /// By service.
    pub services: Named<Service>,
    /// By database.
    pub databases: Named<Database>,
    /// By cache.
    pub caches: Named<Cache>,
    /// By topic.
    pub topics: Named<Topic>,
    /// By caller and callee: `a -> b`. Loads call, too.
    pub calls: Named<Call>,
    /// What was done to the system.
    pub faults: Vec<Fault>,
    /// What went wrong, in order.
    pub causes: Vec<Cause>,
    /// What it is a case of, the worst first; none of a healthy run.
    #[serde(default)]
    pub verdicts: Vec<Finding>,
    /// What should have held.
    pub expect: Vec<Expectation>,
    /// Figures over time.
    pub timeline: Timeline,
    /// What the topology says of itself.
    #[serde(default)]
    pub about: String,
    /// What happened, in one sentence.
    #[serde(default)]
    pub sentence: String,
    /// The stretches of time that have a name in the file.
    #[serde(default)]
    pub phases: Vec<NamedPhase>,
    /// Who uses whom.
    #[serde(default)]
    pub graph: Graph,
    /// What was run, and how to run it again; `null` where nobody said.
    #[serde(default)]
    pub source: Option<Source>,
    /// Single requests, followed; not there unless they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Trace>,
    /// How well a live run kept its times; not there in virtual time, which is always on time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// A stretch of time that has a name in the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NamedPhase {
    /// Its name.
    pub name: String,
    /// From when.
    pub from_s: f64,
    /// Until when.
    pub to_s: f64,
}

/// What was run, and how to run it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    /// The file's name, without its folder, or that of a built-in topology.
    pub file: String,
    /// The command that gives this run again.
    pub command: String,
    /// The file as it was read; what `--set` changed is in the command.
    pub topology: String,
}

/// How well a live run kept its times, and whether its figures can be trusted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Live {
    /// How much later than they were meant to start open loops' requests were sent.
    pub generator_late_ms: Option<Latency>,
    /// How much later than they were due the machines' delays ended.
    pub timers_late_ms: Option<Latency>,
    /// Requests over HTTP for each second of the load: users' and services'.
    pub hops_per_s: f64,
    /// Whether the figures cannot be trusted.
    pub doubtful: bool,
    /// Why they cannot; empty if they can.
    pub doubts: Vec<String>,
}

/// Where a run took place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// Virtual time.
    Sim,
    /// Real HTTP.
    Live,
}

/// Whether every expectation held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every one.
    Pass,
    /// Not every one.
    Fail,
}

/// How long a run was, and how long it took.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Time {
    /// Seconds from the first moment to the last, on the run's own clock.
    pub simulated_s: f64,
    /// Seconds that it took.
    pub wall_s: f64,
    /// Load was offered for so many seconds.
    #[serde(default)]
    pub load_s: f64,
    /// Summaries begin after so many seconds.
    #[serde(default)]
    pub warmup_s: f64,
}

/// What it cost to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Engine {
    /// Steps of the machines.
    pub events: u64,
    /// Steps for each second that it took.
    pub events_per_s: u64,
    /// The most requests in flight at once, at all services together.
    pub peak_in_flight: u64,
}

/// Times in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Mean, exact.
    pub mean: f64,
    /// Median; this and the following by nearest rank, within 0.1 %.
    pub p50: f64,
    /// 90 % are at most this.
    pub p90: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// 99.9 % are at most this.
    pub p999: f64,
    /// Greatest, exact.
    pub max: f64,
}

/// Why requests failed, as their users saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Failures {
    /// No answer in time.
    pub timeout: u64,
    /// Turned away for want of room, or by a rate limit.
    pub rejected: u64,
    /// Not sent, because a breaker was open.
    pub breaker_open: u64,
    /// An answer that says it failed.
    pub error: u64,
    /// No connection.
    pub refused: u64,
}

/// One load: requests that started between warm-up and the load's end, wherever they ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Requests begun: ok + degraded + failed + in flight.
    pub offered: u64,
    /// Full answers.
    pub ok: u64,
    /// Simpler answers, from a fallback.
    pub degraded: u64,
    /// No answer, or none that is of use.
    pub failed: u64,
    /// Not ended when the run was.
    pub in_flight: u64,
    /// First attempts and retries of the users themselves.
    pub attempts: u64,
    /// The failed ones by reason.
    pub failures: Failures,
    /// From the intended start to the answer, of ok and degraded ones.
    pub latency_ms: Option<Latency>,
    /// Requests ended, by second of the load.
    pub rate_per_s: f64,
    /// Ok and degraded ones, by second of the load.
    pub goodput_per_s: f64,
    /// From the intended start to the end, of failed ones.
    pub failed_latency_ms: Option<Latency>,
    /// By task; a load without tasks is its own.
    pub tasks: Named<Task>,
}

/// One task of a load; as [`Load`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Requests begun.
    pub offered: u64,
    /// Full answers.
    pub ok: u64,
    /// Simpler answers.
    pub degraded: u64,
    /// No answer, or none that is of use.
    pub failed: u64,
    /// Not ended when the run was.
    pub in_flight: u64,
    /// The failed ones by reason.
    pub failures: Failures,
    /// From the intended start to the answer, of ok and degraded ones.
    pub latency_ms: Option<Latency>,
    /// From the intended start to the end, of failed ones.
    pub failed_latency_ms: Option<Latency>,
}

/// All load together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct System {
    /// Requests begun.
    pub offered: u64,
    /// Full answers.
    pub ok: u64,
    /// Simpler answers.
    pub degraded: u64,
    /// No answer, or none that is of use.
    pub failed: u64,
    /// Not ended when the run was.
    pub in_flight: u64,
    /// Failed ones among those offered; `null` if there were none.
    pub error_share: Option<f64>,
    /// Failed ones whose cause was further down than the service that they came to, among those offered. An estimate:
    /// of the failures that an entry service answered, the share that passed on another's; of its callers' timeouts,
    /// the share of its workers' time that went into calls.
    pub propagated_error_share: Option<f64>,
    /// First attempts and retries of the users themselves for each request offered.
    pub attempts_per_request: Option<f64>,
}

/// One service, all its replicas together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Requests that came: ok + failed + rejected + in flight.
    pub requests: u64,
    /// Answers that can be used, degraded ones among them.
    pub ok: u64,
    /// Ended without.
    pub failed: u64,
    /// Not let in.
    pub rejected: u64,
    /// From arrival to end, of all that ended.
    pub latency_ms: Option<Latency>,
    /// From arrival to getting a worker, of all that got one.
    pub wait_ms: Option<Latency>,
    /// From getting a worker to the end, of all that ended.
    pub service_ms: Option<Latency>,
    /// Its workers between warm-up and the load's end.
    pub workers: Workers,
    /// Its queue between warm-up and the load's end.
    pub queue: Queue,
    /// CPU time used among that there was; `null` where it is not modelled.
    pub cpu_share: Option<f64>,
    /// The most memory a replica used; `null` where it is not modelled.
    pub memory_mib_max: Option<f64>,
    /// The memory that each replica has, where it is modelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_mib: Option<f64>,
    /// How many replicas there were.
    pub replicas: Extremes,
    /// Of the ok ones, those from a fallback.
    pub degraded: u64,
    /// Not ended when the run was.
    pub in_flight: u64,
    /// What its autoscaler changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<Scaling>,
    /// When replicas died for want of memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_memory_s: Vec<f64>,
    /// Requests that it lets in at the same time, all its replicas together, where that follows latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<AdaptiveLimit>,
    /// By endpoint.
    pub endpoints: Named<Endpoint>,
}

/// A limit that follows latency.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct AdaptiveLimit {
    /// On average between warm-up and the load's end.
    pub mean: f64,
    /// At most in that time.
    pub max: u32,
    /// When the run was over.
    pub at_end: u32,
}

/// One endpoint of a service; as [`Service`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Requests that came.
    pub requests: u64,
    /// Answers that can be used.
    pub ok: u64,
    /// Ended without.
    pub failed: u64,
    /// Not let in.
    pub rejected: u64,
    /// Not ended when the run was.
    pub in_flight: u64,
    /// From arrival to end, of all that ended.
    pub latency_ms: Option<Latency>,
}

/// The workers of a service.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Workers {
    /// How many there are, on all replicas; `null` is unlimited.
    pub limit: Option<u64>,
    /// Busy on average.
    pub busy_mean: f64,
    /// The most that were busy.
    pub busy_max: u32,
    /// When all were busy for the first time.
    pub saturated_first_s: Option<f64>,
    /// For how long all were busy.
    pub saturated_s: f64,
}

/// The queue of a service.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// Waiting on average.
    pub mean: f64,
    /// The most that waited.
    pub max: u32,
    /// How many may wait, on all replicas; `null` is unlimited.
    pub limit: Option<u64>,
}

/// The least and the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Extremes {
    /// Least.
    pub min: u32,
    /// Most.
    pub max: u32,
}

/// One database.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Database {
    /// Queries that got a connection, or were refused one.
    pub queries: u64,
    /// From asking for a connection to the end, of all that ended.
    pub latency_ms: Option<Latency>,
    /// From asking for a connection to getting it.
    pub wait_ms: Option<Latency>,
    /// Its connections between warm-up and the load's end.
    pub connections: Connections,
    /// Queries that failed.
    pub failed: u64,
    /// Of those, the ones that waited too long for a connection.
    pub timeouts: u64,
    /// Those that waited for a connection.
    pub waiting: Queue,
}

/// The connections of a database.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Connections {
    /// How many there are; `null` is unlimited.
    pub limit: Option<u64>,
    /// Busy on average.
    pub busy_mean: f64,
    /// The most that were busy.
    pub busy_max: u32,
    /// When all were busy for the first time.
    pub saturated_first_s: Option<f64>,
    /// For how long all were busy.
    pub saturated_s: f64,
}

/// One cache.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cache {
    /// Looks: hits + misses + failed.
    pub lookups: u64,
    /// Those that found what they looked for.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
    /// Of the misses, those that found it too old.
    pub expired: u64,
    /// Those that got no answer that could be used.
    pub failed: u64,
    /// Hits among hits and misses; `null` if there were none.
    pub hit_rate: Option<f64>,
    /// From asking to the answer.
    pub latency_ms: Option<Latency>,
    /// The most keys that it held; `null` where the hit rate is fixed.
    pub keys_max: Option<u64>,
}

/// One topic. Each message is delivered once to each subscriber.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Topic {
    /// Messages published.
    pub published: u64,
    /// Messages that could not be published.
    pub publish_failed: u64,
    /// Deliveries begun: delivered + dead letters + lost + in flight.
    pub deliveries: u64,
    /// Deliveries that their subscriber answered well.
    pub delivered: u64,
    /// Deliveries given up after all attempts.
    pub dead_letters: u64,
    /// Deliveries for which there was no more room to wait.
    pub lost: u64,
    /// Deliveries not ended when the run was.
    pub in_flight: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// From publishing to the end of the delivery.
    pub lag_ms: Option<Latency>,
    /// From publishing to the first attempt.
    pub wait_ms: Option<Latency>,
    /// Messages that waited, of all subscribers.
    pub backlog: Queue,
    /// By subscriber.
    pub subscribers: Named<Endpoint>,
}

/// The connections that a caller keeps to a callee.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pool {
    /// How many there may be, of all replicas of the caller; `null` is unlimited.
    pub limit: Option<u64>,
    /// In use on average.
    pub busy_mean: f64,
    /// The most that were in use.
    pub busy_max: u32,
    /// How many were opened.
    pub opened: u64,
    /// How many attempts found one that was open.
    pub reused: u64,
    /// How many attempts had to wait.
    pub waited: u64,
    /// The most that waited at once.
    pub waiting_max: u32,
    /// Attempts that found no room to wait.
    pub full: u64,
    /// How long those that waited did.
    pub wait_ms: Option<Latency>,
}

/// An autoscaler changed the number of replicas.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scaling {
    /// When.
    pub at_s: f64,
    /// From so many.
    pub from: u32,
    /// To so many.
    pub to: u32,
    /// The share of workers or cores in use since it had last looked.
    pub used_share: f64,
}

/// One call: a caller, a callee, and the policies between.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Calls begun.
    pub calls: u64,
    /// First attempts and retries, also those that the caller's own policies did not send.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Attempts for each call; `null` if there were none.
    pub attempts_per_call: Option<f64>,
    /// Calls that got a full answer.
    pub ok: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that got a simpler answer, also from the caller's own fallback.
    pub degraded: u64,
    /// Attempts that got no answer in time.
    pub timeouts: u64,
    /// Attempts that the callee turned away.
    pub rejected: u64,
    /// Attempts that the breaker did not send.
    pub short_circuited: u64,
    /// Attempts that the bulkhead did not send.
    pub bulkhead_full: u64,
    /// Retries that the budget did not grant.
    pub budget_refused: u64,
    /// Attempts sent along a slow one.
    pub hedges: u64,
    /// Attempts taken back.
    pub cancelled: u64,
    /// From the first attempt to the answer, of ok and degraded ones.
    pub latency_ms: Option<Latency>,
    /// Its circuit breaker; `null` if it has none.
    pub breaker: Option<Breaker>,
    /// Attempts answered with an error.
    pub errors: u64,
    /// Attempts that got no connection.
    pub refused: u64,
    /// Attempts for which there was no replica.
    pub no_replica: u64,
    /// Attempts that the caller's own rate limit did not send.
    pub rate_limited: u64,
    /// Attempts that the caller's own throttle did not send.
    pub throttled: u64,
    /// The policies around the call, outside in.
    pub order: Vec<String>,
    /// Its connections, where they are modelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// Calls that may be under way at the same time, of all replicas of the caller, where that follows latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<AdaptiveLimit>,
}

/// A circuit breaker, or those of all replicas of a caller.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Breaker {
    /// The state at the end of the run; of several callers' breakers, the least closed. One that watches each replica of the
    /// callee is open when all of them are out.
    pub state: String,
    /// How often it opened.
    pub opened: u64,
    /// Every change of state.
    pub transitions: Vec<Transition>,
    /// Whose breaker it is.
    pub kind: String,
    /// Replicas of the callee that are out at the end of the run, for a breaker that watches each one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ejected: Option<u64>,
}

/// A change of state of a breaker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at_s: f64,
    /// The state left.
    pub from: String,
    /// The state entered.
    pub to: String,
    /// The rule that fired, and its figures.
    pub why: String,
    /// Which replica's breaker, from 0, where the caller has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u32>,
    /// Which replica of the callee it is about, from 0, for a breaker that watches each one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

/// What was done to the system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Its name, or its target's.
    pub name: String,
    /// From when.
    pub from_s: f64,
    /// Until when.
    pub to_s: f64,
    /// To how many requests it did something.
    pub fired: u64,
    /// What it does, and to what: `stock-db: latency 5s`.
    pub what: String,
    /// The names of the services, databases, loads and calls that it hits.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// One line of the story of what went wrong.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// When.
    pub at_s: f64,
    /// What: `order: all 50 workers busy`.
    pub what: String,
    /// What kind of thing it was.
    pub kind: CauseKind,
    /// The name of what it happened to.
    pub subject: String,
    /// Which of the causes before it is the reason, where one follows from another along a call.
    #[serde(default)]
    pub because: Option<Because>,
}

/// Why a cause came about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Because {
    /// The place of the reason in the list of causes, from 0.
    pub cause: usize,
    /// The names on the way from what happened to its reason, both included; empty where they are the same.
    pub along: Vec<String>,
    /// In words: `because order is saturated`.
    pub text: String,
}

/// What a run is a case of, with what proves it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The name of what is to blame.
    pub subject: String,
    /// When it began.
    pub at_s: f64,
    /// In a sentence.
    pub what: String,
    /// The figures that prove it, a sentence each; never empty.
    pub evidence: Vec<String>,
}

/// What a run can be a case of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Healthy services starved because of something further down.
    CascadingFailure,
    /// Retries made the load many times what it was.
    RetryStorm,
    /// The trigger is gone, and goodput is not back.
    Metastable,
    /// More was asked for than something can do.
    Overload,
    /// More is asked for than something can do, and not only for a while.
    CapacityGap,
    /// Replicas that were wanted had yet to start.
    ColdStart,
    /// Memory was lost until there was not enough.
    Leak,
    /// Something that others need was slow, and nothing worse came of it.
    SlowDependency,
    /// Something that others need failed, and nothing worse came of it.
    FailingDependency,
}

impl FindingKind {
    /// Words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CascadingFailure => "cascading failure",
            Self::RetryStorm => "retry storm",
            Self::Metastable => "metastable failure",
            Self::Overload => "overload",
            Self::CapacityGap => "capacity gap",
            Self::ColdStart => "cold start",
            Self::Leak => "leak",
            Self::SlowDependency => "slow dependency",
            Self::FailingDependency => "failing dependency",
        }
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A fault began.
    FaultBegan,
    /// A fault ended.
    FaultEnded,
    /// All workers or connections were busy.
    Saturated,
    /// A replica wanted more memory than there is.
    OutOfMemory,
    /// Requests had to wait for a worker.
    Queued,
    /// An attempt timed out.
    TimedOut,
    /// There were more retries than first attempts.
    RetryStorm,
    /// A breaker opened.
    BreakerOpened,
    /// A breaker closed, for good.
    BreakerClosed,
    /// Requests were turned away.
    Rejected,
    /// A user's request failed.
    Failed,
    /// Goodput was back.
    Recovered,
    /// Goodput never came back.
    NeverRecovered,
}

/// One line of `expect`, judged.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Expectation {
    /// The line as written.
    pub text: String,
    /// Whether it held.
    pub pass: bool,
    /// What was found.
    pub actual: String,
    /// The figure that was compared, in the base unit of what it is: nanoseconds, a share from 0 to 1, a count, per second.
    /// Of a sentence about when something happens: how long it took, in nanoseconds. Absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}
