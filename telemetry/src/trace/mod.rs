//! Traces: what one user's request went through, span by span, and where its time went. Times are nanoseconds since the
//! run began, in either world.
//!
//! The way is: [`Picker`] finds the request that is asked for in an ordinary run; [`Collector`] keeps what that request
//! and everything done for it did in a second, equal run; [`Trace`] is what people and programs read. Formats of other
//! tools are in [`export`].

mod collect;
pub mod export;
mod path;
mod pick;
mod spans;

use serde::{Deserialize, Serialize};

use crate::report::World;

pub use collect::Collector;
pub use pick::{At, Pick, Picker, Wanted};

/// The traces of a run that were asked for, as `squall trace --json` writes them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Traces {
    /// The version of this shape, as of the report's.
    pub schema: u32,
    /// The topology's name.
    pub scenario: String,
    /// Where it ran.
    pub world: World,
    /// The root seed.
    pub seed: u64,
    /// The digest of the run, which tracing does not change.
    pub digest: String,
    /// The load, or one of its tasks, whose requests were asked for.
    pub of: String,
    /// The phase in which they started; `null` is the whole summary.
    pub phase: Option<String>,
    /// In the order they were asked for.
    pub traces: Vec<Trace>,
}

/// One user's request and all that was done for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Why this one was chosen: `p99`, `first-failure`.
    pub at: String,
    /// The load it is a request of.
    pub load: String,
    /// Its task; a load without tasks is its own.
    pub task: String,
    /// When it was meant to start.
    pub start_ns: u64,
    /// When its user had the answer, or gave up.
    pub end_ns: u64,
    /// Between the two.
    pub latency_ns: u64,
    /// How it ended.
    pub outcome: String,
    /// Every span, parents before their children, else by time. The first is the user's.
    pub spans: Vec<Span>,
    /// What its user waited for, without a gap from start to end: the times add up to the latency exactly.
    pub critical_path: Vec<Segment>,
    /// The same by cause and place, the longest first.
    pub by_cause: Vec<Part>,
}

/// Something that took time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The span it was done for; none of the user's own.
    pub parent: Option<String>,
    /// What it is.
    pub kind: SpanKind,
    /// `order.place`, `order -> inventory`, `stock-db`.
    pub name: String,
    /// The service, database or load where it took place.
    pub place: String,
    /// The replica of that service.
    pub replica: u32,
    /// From when.
    pub start_ns: u64,
    /// Until when; what had not ended when the run did ends with it.
    pub end_ns: u64,
    /// How it ended: `ok`, `degraded`, `timeout`, `error 500`; none of what only takes time.
    pub outcome: Option<String>,
    /// Which attempt of a call it is, from 1.
    pub attempt: Option<u16>,
    /// Whether it had not ended when the run did.
    pub unfinished: bool,
    /// Whether it went on after its caller had given up: work for nobody.
    pub wasted: bool,
    /// Whether some of it is on the critical path.
    pub critical: bool,
}

/// What a span is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// A user's request.
    User,
    /// A request at a service.
    Request,
    /// One attempt of a call, as its caller sees it.
    Attempt,
    /// A branch of a `parallel`, or the body of a `repeat`.
    Branch,
    /// Waits for a worker.
    Queue,
    /// Own work.
    Work,
    /// A wait off the CPU.
    Wait,
    /// Time that a fault added, or put in place of the normal one.
    Fault,
    /// Waits for a connection: of a database, or of the pool of a call.
    Connection,
    /// A query.
    Query,
    /// Waits to try again.
    BackOff,
    /// A fallback.
    Fallback,
    /// Looks into a cache.
    Cache,
    /// Puts a message on a topic.
    Publish,
    /// Held back by a policy of its call: a bulkhead, a rate limit of the caller's own.
    Held,
    /// One of several attempts of a call that are out at the same time, after the first.
    Hedge,
}

/// A stretch of the critical path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Segment {
    /// What the time went into.
    pub cause: Spent,
    /// The service, database or call where it did.
    pub place: String,
    /// The span that was under way.
    pub span: String,
    /// From when.
    pub start_ns: u64,
    /// Until when.
    pub end_ns: u64,
}

/// What time went into.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    /// Own work.
    Work,
    /// A wait off the CPU.
    Wait,
    /// What a fault added, or put in place of the normal time.
    Fault,
    /// Waiting for a worker.
    Queue,
    /// Waiting for a connection of a database, or of the pool of a call.
    Connection,
    /// A query.
    Query,
    /// On the network.
    Network,
    /// At the door of a frozen replica.
    Frozen,
    /// Between two attempts.
    BackOff,
    /// A fallback.
    Fallback,
    /// Waiting for an answer of which nothing is known.
    Downstream,
    /// In a cache.
    Cache,
    /// Putting a message on a topic.
    Publish,
    /// Held back by a policy of the call.
    Held,
}

impl Spent {
    /// Words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Work => "own work",
            Self::Wait => "wait off the CPU",
            Self::Fault => "slowed by a fault",
            Self::Queue => "queue for a worker",
            Self::Connection => "waiting for a connection",
            Self::Query => "query",
            Self::Network => "network",
            Self::Frozen => "frozen",
            Self::BackOff => "back-off",
            Self::Fallback => "fallback",
            Self::Downstream => "downstream, no answer",
            Self::Cache => "cache",
            Self::Publish => "publishing a message",
            Self::Held => "held back by a policy",
        }
    }
}

/// What one cause at one place took of the latency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// What the time went into.
    pub cause: Spent,
    /// Where.
    pub place: String,
    /// How much.
    pub ns: u64,
    /// Of the latency, 0 to 1.
    pub share: f64,
}

impl Eq for Part {}
