//! What a swarm must have seen of the machines to say anything about them.

use squall_model::observation::{Failure, Look, Observation};
use squall_policies::breaker::State;

/// Kinds of observations, and of failures in them.
pub(in super::super) const KINDS: [&str; 43] = [
    "admitted",
    "queued",
    "rejected",
    "dropped",
    "hung",
    "dequeued",
    "ended",
    "saturated",
    "relieved",
    "first attempt",
    "retry",
    "attempt failed",
    "call ended well",
    "call failed by its callee",
    "call failed by its breaker",
    "call failed by its bulkhead",
    "call failed without a replica",
    "call failed by its deadline",
    "call failed by its budget",
    "call saved by its fallback",
    "breaker opened",
    "breaker half-opened",
    "breaker closed",
    "query waits",
    "query started",
    "query ended",
    "query refused",
    "database saturated or relieved",
    "fault began, fired or ended",
    "call failed without a connection",
    "look hit",
    "look missed",
    "look found what was too old",
    "look failed",
    "message published",
    "cores in use",
    "memory in use",
    "out of memory",
    "replica up",
    "replica down",
    "scaled",
    "connection waited for",
    "connection taken or freed",
];

/// The bits of an observation's kinds.
pub(super) fn of(what: &Observation) -> u64 {
    let kind: u32 = match *what {
        Observation::Admitted { .. } => 0,
        Observation::Queued { .. } => 1,
        Observation::Rejected { answered, .. } => 3 - u32::from(answered),
        Observation::Hung { .. } => 4,
        Observation::Dequeued { .. } => 5,
        Observation::Ended { .. } => 6,
        Observation::Saturated { .. } => 7,
        Observation::Relieved { .. } => 8,
        Observation::Attempt { number, .. } => 9 + u32::from(number > 1),
        Observation::AttemptFailed { .. } => 11,
        Observation::CallEnded { outcome, failure: Some(_), .. } if outcome.is_success() => 19,
        Observation::CallEnded { failure, .. } => failure.map_or(12, failed),
        Observation::Breaker { transition, .. } => match transition.to {
            State::Open => 20,
            State::HalfOpen => 21,
            _ => 22,
        },
        Observation::QueryArrived { .. } => 23,
        Observation::QueryStarted { .. } => 24,
        Observation::QueryEnded { .. } => 25,
        Observation::QueryRefused { .. } => 26,
        Observation::DatabaseSaturated { .. } | Observation::DatabaseRelieved { .. } => 27,
        Observation::LookedUp { look, .. } => match look {
            Look::Hit => 30,
            Look::Absent => 31,
            Look::Expired => 32,
            Look::Failed(_) => 33,
        },
        Observation::Published { .. } => 34,
        Observation::Computing { .. } => 35,
        Observation::MemoryUsed { .. } => 36,
        Observation::OutOfMemory { .. } => 37,
        Observation::ReplicaUp { .. } => 38,
        Observation::ReplicaDown { .. } => 39,
        Observation::Scaled { .. } => 40,
        Observation::ConnectionWanted { .. } | Observation::ConnectionGivenUp { .. } => 41,
        Observation::ConnectionTaken { .. } | Observation::ConnectionFreed { .. } => 42,
        Observation::FaultBegan { .. } | Observation::FaultFired { .. } | Observation::FaultEnded { .. } => 28,
    };
    1 << kind
}

const fn failed(failure: Failure) -> u32 {
    match failure {
        Failure::Callee(_) => 13,
        Failure::BreakerOpen => 14,
        Failure::BulkheadFull => 15,
        Failure::NoReplica => 16,
        Failure::Deadline => 17,
        Failure::BudgetRefused(_) => 18,
        Failure::PoolFull => 29,
    }
}
