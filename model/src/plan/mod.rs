//! The plan: a checked topology as dense tables and small step programs. No strings, maps or boxes on the way of a
//! request; names are kept beside for reports.

mod compile;
mod expect;
mod ids;
mod in_flight;
mod phases;
mod policies;
mod resources;

use squall_policies::balancer::BalancerConfig;
use squall_policies::breaker::BreakerConfig;
use squall_policies::budget::BudgetConfig;
use squall_policies::hedge::HedgeConfig;
use squall_policies::limiter::LimiterConfig;
use squall_policies::queue::QueueConfig;
use squall_policies::retry::RetryConfig;
use squall_policies::{Outcomes, SimTime, Span};

pub use compile::{breaker, compile};
pub use expect::{Claim, Comparison, Expect, Metric, Resource, Stretch, Subject};
pub use ids::{
    CacheId, DatabaseId, EdgeId, EndpointId, FaultId, LaneId, LoadId, Pc, ReplicaId, SegmentId, ServiceId, SiteId,
    TimeId, TopicId,
};
pub use phases::{Phase, Phases};
pub use policies::{Admission, Bulkhead, Concurrency, Layer, Layers, Throttle};
pub use resources::{Autoscale, Cache, Contention, Hits, Memory, Pool, ScaleOn, Topic};

use crate::dist::Dist;

/// One experiment, ready to run in either world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The topology's name.
    pub name: String,
    /// What a learner reads first.
    pub about: String,
    /// The root seed of every random stream.
    pub seed: u64,
    /// Load is offered for this long.
    pub duration: Span,
    /// After it the run may go on for this long to finish what was begun.
    pub drain: Span,
    /// Requests that start before this are left out of the summaries.
    pub warmup: Span,
    /// The phases of the run, and the segments they are made of.
    pub phases: Phases,
    /// The services in file order, then the topics in file order, then the clients of each load in file order.
    pub services: Vec<Service>,
    /// How many of [`services`](Self::services) are services; the rest are topics and clients.
    pub real_services: usize,
    /// Where the clients begin among [`services`](Self::services).
    pub first_client: usize,
    /// The endpoints of all services; a service's are consecutive.
    pub endpoints: Vec<Endpoint>,
    /// All step programs, one after another.
    pub ops: Vec<Op>,
    /// First ops of the branches of [`Op::Fork`].
    pub branches: Vec<Pc>,
    /// Call steps.
    pub sites: Vec<Site>,
    /// Who calls whom, and with which policies.
    pub edges: Vec<Edge>,
    /// Databases in file order.
    pub databases: Vec<Database>,
    /// Caches in file order.
    pub caches: Vec<Cache>,
    /// How deep looks into caches stand in one another's misses, at most.
    pub look_depth: u32,
    /// Topics in file order.
    pub topics: Vec<Topic>,
    /// Loads in file order.
    pub loads: Vec<Load>,
    /// Faults in file order.
    pub faults: Vec<Fault>,
    /// Times that vary, and constant ones.
    pub times: Vec<Time>,
    /// The distinct constant delays.
    pub lanes: Vec<Span>,
    /// What must hold.
    pub expect: Vec<Expect>,
}

impl Plan {
    /// When faults begin (`true`) and end, in order. At the same instant ends come first, then the file's order; what is
    /// done in one instant begins before it ends.
    pub fn fault_times(&self) -> Vec<(SimTime, bool, FaultId)> {
        let times = self.faults.iter().enumerate().flat_map(|(row, fault)| {
            let id = FaultId::from(row);
            let end = if fault.from == fault.to { 2 } else { 0 };
            [(fault.from, 1, id), (fault.to, end, id)]
        });
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        times.into_iter().map(|(at, what, id)| (at, what == 1, id)).collect()
    }
}

/// A time of the file: what to draw, and the lane of a constant one.
#[derive(Clone, PartialEq, Debug)]
pub struct Time {
    /// The distribution.
    pub dist: Dist,
    /// The lane of delays that are always this long.
    pub lane: Option<LaneId>,
}

/// Whether a row of the service table is a service of the topology, a topic or a load's clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A service.
    Service,
    /// A topic: each subscriber has a replica of its own, whose workers are the deliveries at the same time, and an
    /// endpoint of its own, which is the delivery of one message.
    Topic(TopicId),
    /// The clients of a load.
    Client(LoadId),
}

/// A service, a topic, or the clients of one load.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name in the file.
    pub name: String,
    /// Service or clients.
    pub role: Role,
    /// Its first replica; the others follow.
    pub first_replica: ReplicaId,
    /// How many replicas it has at most.
    pub replicas: u32,
    /// How many of them run from the start.
    pub at_start: u32,
    /// Threads a replica; `u32::MAX` is unlimited.
    pub workers: u32,
    /// Waiting requests a replica; `u32::MAX` is unlimited.
    pub queue: u32,
    /// How its requests wait, where that is not simply first come, first served, however long it takes.
    pub discipline: Option<QueueConfig>,
    /// What a replica lets in.
    pub admission: Option<Admission>,
    /// Whether some of its endpoints are critical, and so shed last.
    pub prioritized: bool,
    /// Whether some caller tells it how much time is left.
    pub bounded: bool,
    /// Whether a full queue says nothing instead of answering `rejected`.
    pub queue_drops: bool,
    /// From start to the first request served.
    pub cold_start: Span,
    /// From start to when callers send requests to it; at most its cold start.
    pub ready_after: Span,
    /// CPU cores a replica, shared by all work; `None` is plenty.
    pub cores: Option<f64>,
    /// Memory a replica, if it is looked at.
    pub memory: Option<Memory>,
    /// Who starts and stops its replicas.
    pub autoscale: Option<Autoscale>,
    /// Its first endpoint; the others follow.
    pub first_endpoint: EndpointId,
    /// How many endpoints it has.
    pub endpoints: u32,
}

impl Service {
    /// The indices of its replicas.
    pub fn replica_range(&self) -> core::ops::Range<usize> {
        let first = self.first_replica.index();
        first..first + self.replicas as usize
    }

    /// The indices of its endpoints.
    pub fn endpoint_range(&self) -> core::ops::Range<usize> {
        let first = self.first_endpoint.index();
        first..first + self.endpoints as usize
    }
}

/// An endpoint of a service, or a task of a load.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in the file.
    pub name: String,
    /// Whose it is.
    pub service: ServiceId,
    /// Its first step.
    pub entry: Pc,
    /// HTTP method, for the live world.
    pub method: String,
    /// HTTP path, for the live world.
    pub path: String,
    /// Shed last under priority shedding.
    pub critical: bool,
}

/// One step of a program. A branch or a loop body ends with [`Op::Join`] or [`Op::Again`], an endpoint with
/// [`Op::Reply`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// Own time of a service that is never short of CPU; holds the worker.
    Work(TimeId),
    /// CPU time, shared with all that runs on the replica, or stretched by a lack of memory; holds the worker.
    Compute(TimeId),
    /// Takes the memory of one request.
    Claim,
    /// Time off the CPU; holds the worker.
    Wait(TimeId),
    /// One query; waits for a connection, then takes this time.
    Query(DatabaseId, TimeId),
    /// One query, to a database that replicas have pools for.
    PooledQuery(DatabaseId, TimeId),
    /// A look into a cache. A miss goes on at the next op, a hit at `hit`.
    Get {
        /// The cache.
        cache: CacheId,
        /// How deep it stands inside the misses of others.
        depth: u32,
        /// Where a hit goes on.
        hit: Pc,
    },
    /// End of a miss: what was looked for is in the cache from now on.
    Fill {
        /// The cache.
        cache: CacheId,
        /// That of its [`Op::Get`].
        depth: u32,
    },
    /// Puts a message on a topic.
    Publish(TopicId),
    /// One call, with everything its policies make of it.
    Call(SiteId),
    /// Run the branches `branches[first..first + count]` side by side and go on when they are done.
    Fork {
        /// Index of the first branch in [`Plan::branches`].
        first: u32,
        /// How many.
        count: u32,
        /// When to go on.
        join: Join,
    },
    /// Run the body that starts at the next op so many times, then go on at `after`.
    Repeat {
        /// How often.
        times: u32,
        /// Where to go on.
        after: Pc,
    },
    /// End of a loop's body, which starts at `body`.
    Again {
        /// The first op of the body.
        body: Pc,
    },
    /// End of a branch.
    Join,
    /// With this chance go on at the next op, else at `otherwise`.
    Chance {
        /// The share of the first way, 0 to 1.
        share: f64,
        /// Where the second way starts.
        otherwise: Pc,
    },
    /// Fail if what is to come takes longer than the time that the caller said is left.
    Check {
        /// What is to come takes at least so long, waiting aside.
        least: Span,
    },
    /// Go on at `to`.
    Jump {
        /// Where.
        to: Pc,
    },
    /// Fail with this chance and this status.
    Fail {
        /// The share that fails, 0 to 1.
        share: f64,
        /// The HTTP status of the failure.
        status: u16,
    },
    /// Answer the caller.
    Reply,
}

/// When a fork goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Join {
    /// When all branches are done; fails if one failed.
    All,
    /// When all are done or one has failed.
    FailFast,
    /// When one has succeeded or all have failed.
    Race,
}

/// A call step.
#[derive(Clone, Debug)]
pub struct Site {
    /// Caller and callee.
    pub edge: EdgeId,
    /// The endpoint called.
    pub endpoint: EndpointId,
    /// How long one attempt may take; [`Span::MAX`] is for ever.
    pub timeout: Span,
    /// The lane of that timeout, if there is one.
    pub timeout_lane: Option<LaneId>,
    /// How long all attempts together may take; [`Span::MAX`] is for ever.
    pub deadline: Span,
    /// Attempts, back-off, jitter, conditions.
    pub retry: RetryConfig,
    /// Its policies, outside in.
    pub layers: Layers,
    /// Another attempt while the first is out.
    pub hedge: Option<HedgeConfig>,
    /// How often a replica is chosen again that the call has already tried.
    pub avoid_tried: u32,
    /// If the call fails for good: an answer instead, which counts as degraded.
    pub fallback: Option<Fallback>,
}

/// An answer instead of a failure.
#[derive(Clone, Copy, Debug)]
pub struct Fallback {
    /// How long it takes.
    pub time: TimeId,
    /// The failures that it stands in for.
    pub when: Outcomes,
    /// How many there may be at once, of a replica of the caller and a callee; `u32::MAX` for any number.
    pub limit: u32,
}

/// Caller and callee, and the policies whose state the two share.
#[derive(Clone, Debug)]
pub struct Edge {
    /// `a -> b`.
    pub name: String,
    /// The caller.
    pub caller: ServiceId,
    /// The callee.
    pub callee: ServiceId,
    /// One-way latency.
    pub network: TimeId,
    /// How a replica of the callee is chosen.
    pub balancer: BalancerConfig,
    /// The circuit breaker.
    pub breaker: Option<BreakerConfig>,
    /// Calls at once.
    pub bulkhead: Option<Bulkhead>,
    /// Calls in a span of time.
    pub rate_limit: Option<LimiterConfig>,
    /// What the caller holds back by itself.
    pub throttle: Option<Throttle>,
    /// The retry budget.
    pub budget: Option<BudgetConfig>,
    /// The budget of hedges.
    pub hedge_budget: Option<BudgetConfig>,
    /// Connections that are kept.
    pub pool: Option<Pool>,
    /// Whether the callee learns that its caller has given up.
    pub cancels: bool,
    /// Whether the callee learns how much time is left.
    pub bounds: bool,
    /// Its policies, outside in, unless a step says otherwise.
    pub layers: Layers,
    /// Whether all replicas of the caller share one state.
    pub shared: bool,
}

/// A database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name in the file.
    pub name: String,
    /// Connections of the server; `u32::MAX` is unlimited.
    pub connections: u32,
    /// How long a query takes, unless the step says otherwise.
    pub query: TimeId,
    /// Connections that each replica of a service keeps; `u32::MAX` is unlimited.
    pub pool: u32,
    /// The longest wait of a query for a connection, where replicas have pools.
    pub pool_timeout: Span,
    /// The lane of that wait.
    pub pool_timeout_lane: Option<LaneId>,
    /// How queries at the same time slow each other down.
    pub contention: Option<Contention>,
}

/// One load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name in the file.
    pub name: String,
    /// The row of its clients in the service table.
    pub clients: ServiceId,
    /// The weight of each of its tasks (the endpoints of its clients), in order.
    pub weights: Vec<f64>,
    /// Who decides when the next request starts.
    pub source: Source,
}

/// Who decides when the next request starts.
#[derive(Clone, Debug)]
pub enum Source {
    /// Open loop: a schedule that does not wait for answers.
    Open {
        /// Rate over time.
        stages: Vec<Stage>,
        /// How arrivals are spread.
        arrivals: Arrivals,
    },
    /// Closed loop: users that wait for the answer, think, and ask again.
    Closed {
        /// How many take their places at the start.
        users: u32,
        /// How many there are over time, if that changes; the rates are numbers of users.
        stages: Vec<Stage>,
        /// Time between an answer and the next request.
        think: TimeId,
    },
}

/// How an open loop's arrivals are spread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// At random, independent of one another.
    Poisson,
    /// At these times, ascending; there are no stages then.
    Trace(Vec<SimTime>),
}

/// A stretch of an open loop whose rate moves linearly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stage {
    /// When it begins.
    pub from: SimTime,
    /// When it ends.
    pub to: SimTime,
    /// Requests a second at its beginning.
    pub rate_from: f64,
    /// Requests a second at its end.
    pub rate_to: f64,
}

/// One fault: one thing done to one target, once. An entry of the file that does several things, hits several targets,
/// or comes again and again, is several of these.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which entry of the file's faults it comes from.
    pub entry: u32,
    /// Its name, or one made from its target.
    pub name: String,
    /// When it begins.
    pub from: SimTime,
    /// When it ends.
    pub to: SimTime,
    /// It moves to full strength linearly over this time.
    pub ramp: Span,
    /// What it hits.
    pub target: Target,
    /// What it does.
    pub effect: Effect,
}

/// What a fault hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// All replicas of a service.
    Service(ServiceId),
    /// One endpoint on all replicas.
    Endpoint(EndpointId),
    /// One replica.
    Replica(ReplicaId),
    /// A database.
    Database(DatabaseId),
    /// A cache.
    Cache(CacheId),
    /// A topic.
    Topic(TopicId),
    /// A call.
    Edge(EdgeId),
    /// A load.
    Load(LoadId),
}

/// What a fault does. Several at once on one thing compose: the latest `latency` replaces, factors multiply, additions
/// add up, error shares fall independently.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Effect {
    /// Takes this long instead of the normal time.
    Latency(TimeId),
    /// Takes this much longer.
    Add(TimeId),
    /// Takes this many times as long.
    Times(f64),
    /// This share fails with this status.
    Errors {
        /// 0 to 1.
        share: f64,
        /// HTTP status.
        status: u16,
    },
    /// Refused at once.
    Down,
    /// Accepted, never answered.
    Hang,
    /// Frozen, then goes on.
    Pause,
    /// So many replicas die with what they were doing, and start again.
    Kill(u32),
    /// A replica gets no new requests while this is at work; at its end it is stopped, and starts again.
    Restart,
    /// This share of replies is of no use to those who get them.
    Corrupt(f64),
    /// This share of what is sent is lost on the wire.
    Drop(f64),
    /// Nothing gets through, in either direction.
    Partition,
    /// A cache is emptied.
    Flush,
    /// This share of the workers, cores or connections is left.
    Capacity(f64),
    /// The load's rate is multiplied by this.
    Rate(f64),
}

impl Fault {
    /// Whether it spoils answers of a service on their way to whoever asked.
    pub const fn spoils_answers(&self) -> bool {
        let of_service = matches!(self.target, Target::Service(_) | Target::Endpoint(_) | Target::Replica(_));
        of_service && matches!(self.effect, Effect::Corrupt(_))
    }
}

impl Effect {
    /// The word of the file for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Add(_) => "add",
            Self::Times(_) => "times",
            Self::Errors { .. } => "errors",
            Self::Down => "down",
            Self::Hang => "hang",
            Self::Pause => "pause",
            Self::Kill(_) => "kill",
            Self::Restart => "restart",
            Self::Corrupt(_) => "corrupt",
            Self::Drop(_) => "drop",
            Self::Partition => "partition",
            Self::Flush => "flush",
            Self::Capacity(_) => "capacity",
            Self::Rate(_) => "rate",
        }
    }
}
