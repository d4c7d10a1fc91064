//! What must hold of a run, with all names resolved.

use core::ops::Range;

use squall_policies::{SimTime, Span};

use crate::spec::At;

use super::{CacheId, DatabaseId, EdgeId, EndpointId, LoadId, ServiceId, TopicId};

/// One line of `expect`.
#[derive(Clone, PartialEq, Debug)]
pub struct Expect {
    /// The line as written.
    pub text: String,
    /// Where it stands in the topology file.
    pub at: At,
    /// What it says.
    pub claim: Claim,
}

/// What a line of `expect` says.
#[derive(Clone, PartialEq, Debug)]
pub enum Claim {
    /// `SUBJECT METRIC OP VALUE [in PHASE]`
    Figure {
        /// Whose figure.
        subject: Subject,
        /// Which figure.
        metric: Metric,
        /// How they compare.
        op: Comparison,
        /// In the metric's base unit: ns, shares from 0 to 1, counts, per second, bytes.
        value: f64,
        /// The stretch of the run.
        over: Stretch,
    },
    /// `CALL breaker opens|closes [within TIME of|after FAULT]`
    Breaker {
        /// The call.
        edge: EdgeId,
        /// Opens, or closes.
        opens: bool,
        /// From here on.
        from: SimTime,
        /// Within this time.
        within: Span,
    },
    /// `SERVICE workers saturate [within TIME of FAULT]`
    Saturates {
        /// The service or database.
        subject: Subject,
        /// Of what it has no more.
        resource: Resource,
        /// From here on.
        from: SimTime,
        /// Within this time.
        within: Span,
    },
    /// `system recovers [within TIME after FAULT]`: goodput is back to 90 % of what it was before the fault began, and
    /// stays there to the end of the load.
    Recovers {
        /// All load together, or one load.
        subject: Subject,
        /// When the fault began: the measure of what is normal lies before.
        before: SimTime,
        /// From here on.
        from: SimTime,
        /// Within this time.
        within: Span,
    },
}

/// Of what there can be no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// All workers of a service are busy.
    Workers,
    /// A queue of a service has no more room.
    Queue,
    /// All cores of a service are in use.
    Cpu,
    /// A replica of a service wants more memory than there is.
    Memory,
    /// All connections of a database are busy.
    Connections,
}

/// Whose figure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// All load together.
    System,
    /// One load.
    Load(LoadId),
    /// One task of a load, an endpoint of its clients.
    Task(EndpointId),
    /// One service.
    Service(ServiceId),
    /// One endpoint of a service.
    Endpoint(EndpointId),
    /// One database.
    Database(DatabaseId),
    /// One cache.
    Cache(CacheId),
    /// One topic.
    Topic(TopicId),
    /// One call.
    Edge(EdgeId),
}

/// A stretch of the run: as time, and as the segments in which requests may have started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Where it begins.
    pub from: SimTime,
    /// Where it ends.
    pub to: SimTime,
    /// Its segments.
    pub segments: Range<usize>,
}

/// A figure of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// Latency in ns at this share of the requests, in thousandths: 500, 900, 950, 990, 999.
    Percentile(u16),
    /// Greatest latency in ns.
    Max,
    /// Mean latency in ns.
    Mean,
    /// ok and degraded among ended requests.
    Success,
    /// Degraded ones: a share when compared with a share, else a count.
    Degraded,
    /// Failed ones: a share when compared with a share, else a count.
    Failed,
    /// Completions a second.
    Rate,
    /// ok and degraded a second.
    Goodput,
    /// Attempts for each call.
    AttemptsPerCall,
    /// How many attempts timed out.
    Timeouts,
    /// How many were rejected.
    Rejected,
    /// How many calls the breaker refused.
    ShortCircuited,
    /// How many retries were made.
    Retries,
    /// Greatest number of workers busy.
    Workers,
    /// Greatest number waiting.
    Queue,
    /// Share of CPU used.
    Cpu,
    /// Greatest memory used, bytes.
    Memory,
    /// Greatest number of replicas that served.
    Replicas,
    /// Greatest number of connections busy.
    Connections,
    /// Share of look-ups that hit.
    HitRate,
    /// Greatest number of messages waiting.
    Backlog,
}

/// How two figures compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Comparison {
    /// Whether `actual` compares so with `value`. NaN never does.
    pub fn holds(self, actual: f64, value: f64) -> bool {
        match self {
            Self::Below => actual < value,
            Self::AtMost => actual <= value,
            Self::Above => actual > value,
            Self::AtLeast => actual >= value,
            Self::Equal => actual == value,
            Self::Unequal => actual.partial_cmp(&value).is_some_and(core::cmp::Ordering::is_ne),
        }
    }
}
