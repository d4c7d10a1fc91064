//! What the report says over time, as it stands in `report.json`.

use serde::{Deserialize, Serialize};

use crate::named::Named;

/// Figures over time, a value a step. Offered counts in the step of arrival, the rest in the step in which it ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of a step.
    pub step_s: f64,
    /// By load.
    pub load: Named<LoadSeries>,
    /// By service.
    pub services: Named<ServiceSeries>,
    /// By call.
    pub calls: Named<CallSeries>,
    /// By database.
    pub databases: Named<DatabaseSeries>,
    /// By cache.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub caches: Named<CacheSeries>,
    /// By topic.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub topics: Named<TopicSeries>,
}

/// A load over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LoadSeries {
    /// Requests begun.
    pub offered: Vec<u64>,
    /// Full answers.
    pub ok: Vec<u64>,
    /// Simpler answers.
    pub degraded: Vec<u64>,
    /// Failed.
    pub failed: Vec<u64>,
    /// Median latency of the answers; `null` in a step without any.
    pub p50_ms: Vec<Option<f64>>,
    /// 99 % of the answers took at most this.
    pub p99_ms: Vec<Option<f64>>,
    /// 90 % of the answers took at most this.
    #[serde(default)]
    pub p90_ms: Vec<Option<f64>>,
    /// The failed ones by reason.
    #[serde(default)]
    pub failures: FailureSeries,
    /// How many answers took how long.
    #[serde(default)]
    pub latency_counts: LatencyCounts,
    /// By task.
    #[serde(default)]
    pub tasks: Named<EndpointSeries>,
}

/// Failures over time by reason, as in [`Failures`](super::Failures).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FailureSeries {
    /// No answer in time.
    pub timeout: Vec<u64>,
    /// Turned away for want of room, or by a rate limit.
    pub rejected: Vec<u64>,
    /// Not sent, because a breaker was open.
    pub breaker_open: Vec<u64>,
    /// An answer that says it failed.
    pub error: Vec<u64>,
    /// No connection.
    pub refused: Vec<u64>,
}

/// How many answers took how long, over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LatencyCounts {
    /// The lower end of each class of latencies; the next one's is its upper end.
    pub from_ms: Vec<f64>,
    /// By step: how many answers in each class; empty in a step without any.
    pub counts: Vec<Vec<u64>>,
}

/// An endpoint of a service, or a task of a load, over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EndpointSeries {
    /// Requests that came.
    pub requests: Vec<u64>,
    /// Answers that can be used, degraded ones among them.
    pub ok: Vec<u64>,
    /// Ended without.
    pub failed: Vec<u64>,
    /// Not let in.
    pub rejected: Vec<u64>,
}

/// A service over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceSeries {
    /// Workers busy on average.
    pub workers_busy: Vec<f64>,
    /// Requests waiting on average.
    pub queue: Vec<f64>,
    /// Answers that can be used.
    pub ok: Vec<u64>,
    /// Ended without.
    pub failed: Vec<u64>,
    /// Not let in.
    pub rejected: Vec<u64>,
    /// The most that waited.
    pub queue_max: Vec<u32>,
    /// CPU time used among that there was, where it is modelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_share: Vec<Option<f64>>,
    /// The most memory a replica used, where it is modelled; `null` in a step without requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory_mib_max: Vec<Option<f64>>,
    /// Replicas that served at the end of the step, where their number changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<u32>,
    /// Requests that came.
    #[serde(default)]
    pub requests: Vec<u64>,
    /// Of the ok ones, those from a fallback.
    #[serde(default)]
    pub degraded: Vec<u64>,
    /// The failed ones by reason; those not let in are not among them.
    #[serde(default)]
    pub failures: FailureSeries,
    /// From arrival to end on average, of those that ended in the step; `null` in a step without any.
    #[serde(default)]
    pub mean_ms: Vec<Option<f64>>,
    /// Requests that ended after their caller had given up: work for nobody. Counted from what ended and what callers
    /// took, so an answer on its way may be counted a step late.
    #[serde(default)]
    pub wasted: Vec<u64>,
    /// Requests that it lets in at the same time, on average, where that follows latency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concurrency_limit: Vec<f64>,
    /// By endpoint.
    #[serde(default)]
    pub endpoints: Named<EndpointSeries>,
}

/// A call over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CallSeries {
    /// First attempts and retries.
    pub attempts: Vec<u64>,
    /// Attempts after the first.
    pub retries: Vec<u64>,
    /// Calls that failed.
    pub failed: Vec<u64>,
    /// Attempts that got no answer in time.
    pub timeouts: Vec<u64>,
    /// Attempts that the breaker did not send.
    pub short_circuited: Vec<u64>,
    /// Calls that got an answer, full or simpler.
    pub ok: Vec<u64>,
    /// Of the ok ones, those that got a simpler answer, also from the caller's own fallback.
    #[serde(default)]
    pub degraded: Vec<u64>,
    /// Attempts that the callee turned away.
    #[serde(default)]
    pub rejected: Vec<u64>,
    /// Attempts answered with an error.
    #[serde(default)]
    pub errors: Vec<u64>,
    /// Attempts that got no connection.
    #[serde(default)]
    pub refused: Vec<u64>,
    /// Attempts that the bulkhead did not send.
    #[serde(default)]
    pub bulkhead_full: Vec<u64>,
    /// Retries that the budget did not grant.
    #[serde(default)]
    pub budget_refused: Vec<u64>,
    /// Calls that may be under way at the same time, on average, where that follows latency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concurrency_limit: Vec<f64>,
}

/// A database over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DatabaseSeries {
    /// Connections busy on average.
    pub busy: Vec<f64>,
    /// Queries waiting for one on average.
    pub waiting: Vec<f64>,
}

/// A cache over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CacheSeries {
    /// Looks that found what they looked for.
    pub hits: Vec<u64>,
    /// Looks that did not.
    pub misses: Vec<u64>,
}

/// A topic over time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TopicSeries {
    /// Messages published.
    pub published: Vec<u64>,
    /// Deliveries that were answered well.
    pub delivered: Vec<u64>,
    /// Deliveries given up.
    pub dead_letters: Vec<u64>,
    /// The most messages that waited.
    pub backlog_max: Vec<u32>,
}
