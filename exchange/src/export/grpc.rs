//! A gRPC service config: a method config for each callee.

use serde_json::{Value as Json, json};
use squall_model::Span;
use squall_model::spec::{
    Balancer, Budget, CallPolicy, Choice, Hedge, HedgeAfter, Jitter, Retry, Spanned, Topology, Trouble,
};

use super::calls::{
    NOTHING, Notes, breaker_kind, budget_kind, calls, compare, jitter, of_programs, rarely_said, seconds, waits,
};
use super::{Exported, Options};
use crate::import::outcomes_of_grpc;

/// gRPC makes no more attempts than this.
const MOST: u32 = 5;

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let (mut methods, mut throttling, mut balancing) = (Vec::new(), None, None);
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("calls", "another caller's policies for the same service stand; use --of");
        } else {
            written.push(call.to);
            methods.push(method(&call.policy, call.to, &mut about));
            if let Some((setting, budget)) = budget(&call.policy, &mut about) {
                if throttling.as_ref().is_some_and(|known| *known != budget) {
                    about.cannot(setting, "of its own: a service config has one throttling");
                }
                throttling.get_or_insert(budget);
            }
            let callee = topology.services.find(call.to);
            let chosen = call.policy.balancer.as_ref().or(callee.map(|callee| &callee.balancer));
            let chosen = balancer(chosen.map(|chosen| &chosen.value), &mut about);
            if balancing.is_some_and(|known| known != chosen) {
                about.cannot("balancer", "of its own: a service config has one");
            }
            balancing.get_or_insert(chosen);
        }
        notes.append(&mut about.all);
    }
    let mut config = json!({ "methodConfig": methods });
    if let Some(throttling) = throttling {
        config["retryThrottling"] = throttling;
    }
    config["loadBalancingConfig"] = json!([{ balancing.unwrap_or("round_robin"): {} }]);
    Exported { text: format!("{config:#}\n"), notes }
}

/// gRPC's balancer that comes nearest.
fn balancer(balancer: Option<&Balancer>, notes: &mut Notes) -> &'static str {
    let (name, same) = match balancer {
        Some(Balancer::RoundRobin(_)) | None => ("round_robin", true),
        Some(Balancer::LeastRequest(of)) => {
            ("least_request_experimental", of.choice.value == Choice::WithReplacement && *of.choice_count == 2)
        }
        Some(Balancer::RingHash(of)) => {
            let usual = *of.minimum_ring_size == 1024 && *of.maximum_ring_size == 8 << 20;
            ("ring_hash_experimental", usual && *of.hash_balance_factor == 0)
        }
        Some(_) => ("round_robin", false),
    };
    if !same {
        notes.cannot("balancer", format!("{name} as it usually is is written"));
    }
    name
}

fn method(policy: &CallPolicy, to: &str, notes: &mut Notes) -> Json {
    let mut method = json!({ "name": [{ "service": to }] });
    let retry = policy.retry.as_ref().and_then(|written| retry(written, notes));
    let alone = retry.is_none() && (policy.retry.is_some() || policy.hedge.is_none());
    // Where there is one attempt, its time-out is the call's.
    let timeout = policy.timeout.as_ref().map(|timeout| timeout.value);
    let deadline = policy.deadline.as_ref().map(|deadline| deadline.value);
    let whole = if alone { timeout.into_iter().chain(deadline).min() } else { deadline };
    if let Some(whole) = whole {
        method["timeout"] = json!(seconds(whole));
    }
    if !alone {
        notes.cannot_if(policy.timeout.as_ref(), "timeout", "a deadline spans all attempts");
    }
    if policy.retry.is_some() {
        if let Some(retry) = retry {
            method["retryPolicy"] = retry;
        }
        notes.cannot_if(policy.hedge.as_ref(), "hedge", "not beside a retry");
    } else if let Some(written) = &policy.hedge {
        method["hedgingPolicy"] = hedge(written, notes);
    }
    if let Some(breaker) = &policy.breaker {
        notes.cannot("breaker", format!("of kind {}: gRPC has none", breaker_kind(breaker)));
    }
    notes.cannot_if(policy.bulkhead.as_ref(), "bulkhead", NOTHING);
    notes.cannot_if(policy.rate_limit.as_ref(), "rate_limit", NOTHING);
    rarely_said(policy, notes);
    method
}

/// The retry policy, if anything would be tried again.
fn retry(retry: &Retry, notes: &mut Notes) -> Option<Json> {
    let waits = waits(*retry.backoff);
    if waits.first.is_zero() {
        notes.cannot("retry.backoff", "no wait; 1 ms is written");
    }
    if waits.linear {
        notes.cannot("retry.backoff", "it grows by addition; its first wait is written");
    }
    if !matches!(*retry.jitter, Jitter::Proportional(share) if (share - 0.2).abs() < 1e-9) {
        notes.cannot("retry.jitter", format!("`{}`; gRPC's is proportional(20%)", jitter(*retry.jitter)));
    }
    if *retry.attempts > MOST {
        notes.cannot("retry.attempts", format!("gRPC makes {MOST} at most"));
    }
    of_programs(retry, notes);
    let codes = codes("retry.when", &retry.when, notes);
    if codes.is_empty() || *retry.attempts < 2 {
        return None;
    }
    let first = waits.first.max(Span::from_millis(1));
    let longest = waits.longest.unwrap_or(if waits.factor.is_some() { Span::from_secs(3600) } else { first });
    if waits.factor.is_some() && waits.longest.is_none() {
        notes.cannot("retry.backoff", "it grows without end; an hour is the longest wait");
    }
    Some(json!({
        "maxAttempts": *retry.attempts,
        "initialBackoff": seconds(first),
        "maxBackoff": seconds(longest),
        "backoffMultiplier": waits.factor.filter(|_| !waits.linear).unwrap_or(1.0),
        "retryableStatusCodes": codes,
    }))
}

fn hedge(hedge: &Hedge, notes: &mut Notes) -> Json {
    let all: Vec<Spanned<Trouble>> = Trouble::ALL.iter().map(|(_, word)| Spanned::unwritten(*word)).collect();
    let codes = codes("hedge.when", hedge.when.as_ref().map_or(&all, |when| &when.value), notes);
    if *hedge.attempts >= MOST {
        notes.cannot("hedge.attempts", format!("gRPC makes {MOST} attempts at most, the first among them"));
    }
    let delay = match *hedge.after {
        HedgeAfter::Time(delay) => delay,
        HedgeAfter::Failure => {
            notes.cannot("hedge.after", "gRPC hedges after a time too; an hour is written");
            Span::from_secs(3_600)
        }
    };
    json!({
        "maxAttempts": *hedge.attempts + 1,
        "hedgingDelay": seconds(delay),
        "nonFatalStatusCodes": codes,
    })
}

/// The status codes that come nearest; tells of what they miss or ask for besides.
fn codes(setting: &str, words: &[Spanned<Trouble>], notes: &mut Notes) -> Vec<&'static str> {
    use Trouble as T;
    let mut codes: Vec<&str> = Vec::new();
    for word in words {
        let found: &[&str] = match word.value {
            T::Refused | T::Rejected => &["UNAVAILABLE"],
            T::Timeout => &["DEADLINE_EXCEEDED"],
            T::RateLimited => &["RESOURCE_EXHAUSTED"],
            T::ServerError | T::GatewayError => &["INTERNAL"],
            T::Error => &["INTERNAL", "UNKNOWN", "FAILED_PRECONDITION"],
            T::Conflict => &["ABORTED"],
            T::ClientError => &["FAILED_PRECONDITION"],
            T::RequestTimeout | T::BreakerOpen => &[],
        };
        let new: Vec<&str> = found.iter().copied().filter(|code| !codes.contains(code)).collect();
        codes.extend(new);
    }
    let outcomes: Vec<&str> = codes.iter().flat_map(|code| outcomes_of_grpc(code)).copied().collect();
    compare(setting, words, &outcomes, notes);
    codes
}

/// The throttling of retries or hedges, and which setting it is.
fn budget(policy: &CallPolicy, notes: &mut Notes) -> Option<(&'static str, Json)> {
    let of_retry = policy.retry.as_ref().and_then(|retry| retry.budget.as_ref());
    let of_hedge = policy.hedge.as_ref().filter(|_| policy.retry.is_none()).and_then(|hedge| hedge.budget.as_ref());
    let (setting, budget) =
        of_retry.map(|budget| ("retry.budget", budget)).or(of_hedge.map(|budget| ("hedge.budget", budget)))?;
    match &budget.value {
        Budget::Grpc(of) => Some((setting, json!({ "maxTokens": *of.max_tokens, "tokenRatio": *of.token_ratio }))),
        other => {
            notes.cannot(setting, format!("of kind {}, which is left out", budget_kind(other)));
            None
        }
    }
}
