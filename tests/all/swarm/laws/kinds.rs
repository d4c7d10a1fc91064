//! What a swarm must have seen of the machines to say anything about them.

use squall_model::Outcome;
use squall_model::observation::{Failure, Limit, Observation};
use squall_policies::breaker::State;

/// Kinds of observations, and of failures in them.
pub(in super::super) const KINDS: [&str; 37] = [
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
    "turned out of the queue",
    "taken back from the queue",
    "rejected by a rate",
    "rejected by a limit of requests at the same time",
    "hedged",
    "attempt cancelled",
    "call failed by its rate limit",
    "call failed by its throttle",
];

/// The bits of an observation's kinds.
pub(super) fn of(what: &Observation) -> u64 {
    let kind = match *what {
        Observation::Admitted { .. } => 0,
        Observation::Queued { .. } => 1,
        Observation::Rejected { limit: Limit::Rate, .. } => 31,
        Observation::Rejected { limit: Limit::Concurrency, .. } => 32,
        Observation::Rejected { answered, .. } => 3 - u32::from(answered),
        Observation::Withdrawn { outcome, .. } => 29 + u32::from(outcome == Outcome::Cancelled),
        Observation::Hedged { .. } => 33,
        Observation::AttemptCancelled { .. } => 34,
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
        Failure::RateLimited => 35,
        Failure::Throttled => 36,
    }
}
