//! A gRPC service config: a method config for each callee.

use serde_json::{Value as Json, json};
use squall_model::spec::{Backoff, Balancer, Budget, CallPolicy, Topology, Trouble};

use super::calls::{Notes, breaker_kind, budget_kind, calls, jitter, rarely_said, seconds, waits};
use super::{Exported, Options};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let (mut methods, mut throttling, mut balancer) = (Vec::new(), None, None);
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("another caller's policies for the same service; use --of");
        } else {
            written.push(call.to);
            methods.push(method(&call.policy.clone(), call.to, &mut about));
            if let Some(budget) = budget(call.policy, &mut about) {
                if throttling.as_ref().is_some_and(|known| *known != budget) {
                    about.cannot("a throttling of its own: a service config has one");
                }
                throttling.get_or_insert(budget);
            }
            let callee = topology.services.find(call.to);
            let chosen = call.policy.balancer.as_ref().or(callee.map(|callee| &callee.balancer));
            balancer = balancer.or(chosen.map(|chosen| chosen.value.clone()));
        }
        notes.append(&mut about.all);
    }
    let mut config = json!({ "methodConfig": methods });
    if let Some(throttling) = throttling {
        config["retryThrottling"] = throttling;
    }
    let name = match balancer {
        Some(Balancer::RoundRobin(_)) | None => "round_robin",
        Some(Balancer::LeastRequest(_)) => "least_request_experimental",
        Some(Balancer::RingHash(_)) => "ring_hash_experimental",
        Some(_) => {
            notes.push("the balancer; round robin is written".into());
            "round_robin"
        }
    };
    config["loadBalancingConfig"] = json!([{ name: {} }]);
    Exported { text: format!("{config:#}\n"), notes }
}

fn method(policy: &CallPolicy, to: &str, notes: &mut Notes) -> Json {
    let mut method = json!({ "name": [{ "service": to }] });
    if let Some(deadline) = policy.deadline.as_ref() {
        method["timeout"] = json!(seconds(deadline.value));
    }
    if let Some(retry) = &policy.retry {
        let waits = waits(*retry.backoff);
        if matches!(*retry.backoff, Backoff::None) || waits.first.is_zero() {
            notes.cannot("a retry at once; 1 ms is written");
        }
        if waits.linear {
            notes.cannot("a linear back-off");
        }
        let proportional =
            matches!(*retry.jitter, squall_model::spec::Jitter::Proportional(share) if (share - 0.2).abs() < 1e-9);
        if !proportional {
            notes.cannot(format!("the jitter `{}`: gRPC's is ±20 %", jitter(*retry.jitter)));
        }
        if *retry.attempts > 5 {
            notes.cannot("more than 5 attempts");
        }
        let first = waits.first.max(squall_model::Span::from_millis(1));
        method["retryPolicy"] = json!({
            "maxAttempts": (*retry.attempts).max(2),
            "initialBackoff": seconds(first),
            "maxBackoff": seconds(waits.longest.unwrap_or(if waits.factor.is_some() { squall_model::Span::from_secs(3600) } else { first })),
            "backoffMultiplier": waits.factor.unwrap_or(1.0),
            "retryableStatusCodes": codes(retry.when.iter().map(|word| word.value), notes),
        });
        if !retry.statuses.is_empty() {
            notes.cannot("statuses of HTTP");
        }
        notes.cannot_if(policy.hedge.as_ref(), "a hedge beside a retry");
    } else if let Some(hedge) = &policy.hedge {
        let fatal = hedge.when.as_ref().map(|when| codes(when.iter().map(|word| word.value), notes));
        method["hedgingPolicy"] = json!({
            "maxAttempts": *hedge.attempts + 1,
            "hedgingDelay": seconds(*hedge.after),
            "nonFatalStatusCodes": fatal.unwrap_or_default(),
        });
    }
    if let Some(breaker) = &policy.breaker {
        notes.cannot(format!("a breaker of kind {}", breaker_kind(breaker)));
    }
    notes.cannot_if(policy.timeout.as_ref(), "the time-out of one attempt");
    notes.cannot_if(policy.bulkhead.as_ref(), "the bulkhead");
    notes.cannot_if(policy.rate_limit.as_ref(), "the rate limit");
    rarely_said(policy, notes);
    method
}

fn codes(words: impl Iterator<Item = Trouble>, notes: &mut Notes) -> Vec<&'static str> {
    use Trouble as T;
    let mut codes: Vec<&str> = Vec::new();
    for word in words {
        let found: &[&str] = match word {
            T::Refused | T::Rejected | T::GatewayError => &["UNAVAILABLE"],
            T::Timeout => &["DEADLINE_EXCEEDED"],
            T::RateLimited => &["RESOURCE_EXHAUSTED"],
            T::ServerError => &["INTERNAL"],
            T::Error => &["INTERNAL", "UNKNOWN"],
            T::Conflict => &["ABORTED"],
            T::ClientError => &["FAILED_PRECONDITION"],
            T::RequestTimeout | T::BreakerOpen => {
                notes.cannot(format!("a status code for `{}`", word.word()));
                &[]
            }
        };
        let new: Vec<&str> = found.iter().copied().filter(|code| !codes.contains(code)).collect();
        codes.extend(new);
    }
    codes
}

fn budget(policy: &CallPolicy, notes: &mut Notes) -> Option<Json> {
    let budget = policy.retry.as_ref().and_then(|retry| retry.budget.as_ref());
    let budget = budget.or_else(|| policy.hedge.as_ref().and_then(|hedge| hedge.budget.as_ref()))?;
    match &budget.value {
        Budget::Grpc(of) => Some(json!({ "maxTokens": *of.max_tokens, "tokenRatio": *of.token_ratio })),
        other => {
            notes.cannot(format!("a budget of kind {}", budget_kind(other)));
            None
        }
    }
}
