//! Istio's `DestinationRule` and `VirtualService`, one of each for a callee.

use squall_model::Span;
use squall_model::spec::{Balancer, Breaker, Budget, Bulkhead, CallPolicy, Choice, EnvoyOutlier, Retry, Topology};

use super::calls::{
    Call, NOTHING, Notes, Say, breaker_kind, budget_kind, calls, number, order, percent, rarely_said, retries_of, room,
    waits, whole_millis,
};
use super::envoy::{ORDER, back_off_fits, conditions, whole_percent};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, scalar};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut texts = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("calls", "another caller's policies for the same host stand; use --of");
        } else {
            written.push(call.to);
            let callee = topology.services.find(call.to);
            let balancer = call.policy.balancer.as_ref().or(callee.map(|callee| &callee.balancer));
            texts.push(destination_rule(&call, balancer.map(|balancer| &balancer.value), &mut about));
            texts.push(virtual_service(&call, &mut about));
            about.cannot_if(call.policy.hedge.as_ref(), "hedge", NOTHING);
            about.cannot_if(call.policy.rate_limit.as_ref(), "rate_limit", NOTHING);
            order(&call.policy, &ORDER, &mut about);
            rarely_said(&call.policy, &mut about);
        }
        notes.append(&mut about.all);
    }
    Exported { text: texts.join("---\n"), notes }
}

fn manifest(kind: &str, name: &str) -> Doc {
    let mut doc = Doc::default();
    doc.root.say("apiVersion", "networking.istio.io/v1");
    doc.root.say("kind", kind);
    doc.root.map("metadata").say("name", scalar(name));
    doc
}

fn destination_rule(call: &Call<'_>, balancer: Option<&Balancer>, notes: &mut Notes) -> String {
    let mut doc = manifest("DestinationRule", call.to);
    let spec = doc.root.map("spec");
    spec.say("host", scalar(call.to));
    let policy = spec.map("trafficPolicy");
    pool(policy, &call.policy, notes);
    let word = match balancer {
        Some(Balancer::Random(_)) => "RANDOM",
        Some(Balancer::RoundRobin(_)) | None => "ROUND_ROBIN",
        Some(Balancer::LeastRequest(of)) => {
            if of.choice.value != Choice::WithReplacement || *of.choice_count != 2 {
                notes.cannot("balancer", "least requests of two that are drawn; nothing else can be said");
            }
            "LEAST_REQUEST"
        }
        Some(_) => {
            notes.cannot("balancer", "of another kind; least requests are written");
            "LEAST_REQUEST"
        }
    };
    policy.map("loadBalancer").say("simple", word);
    match call.policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::EnvoyOutlier(of)) => outliers(policy, of, notes),
        Some(other) => notes.cannot("breaker", format!("of kind {}, which is left out", breaker_kind(other))),
        None => {}
    }
    doc.render()
}

fn pool(policy: &mut Map, of: &CallPolicy, notes: &mut Notes) {
    let unlimited = u32::MAX;
    match of.bulkhead.as_ref().map(|bulkhead| &bulkhead.value) {
        Some(Bulkhead::Envoy(limits)) => {
            let pool = policy.map("connectionPool");
            if !limits.connect.is_zero() {
                notes.cannot("bulkhead.connect", "opening a connection takes what it takes there");
            }
            for (part, name, setting, limit) in [
                ("tcp", "maxConnections", "bulkhead.max_connections", *limits.max_connections),
                ("http", "http1MaxPendingRequests", "bulkhead.max_pending_requests", *limits.max_pending_requests),
                ("http", "http2MaxRequests", "bulkhead.max_requests", *limits.max_requests),
            ] {
                match limit {
                    0 => notes.cannot(setting, "0 would mean unlimited"),
                    limit if limit == unlimited => {}
                    limit if i32::try_from(limit).is_err() => notes.cannot(setting, "above 2147483647"),
                    limit => pool.map(part).say(name, limit),
                }
            }
        }
        Some(other) => {
            if let Some(limit) = room(other).limit {
                policy.map("connectionPool").map("http").say("http2MaxRequests", limit);
                notes.cannot("bulkhead", "of another kind; its largest size is written as http2MaxRequests");
            }
        }
        None => {}
    }
    let budget = of.retry.as_ref().and_then(|retry| retry.budget.as_ref());
    match budget.map(|budget| &budget.value) {
        Some(Budget::Envoy(of)) => match of.max_retries {
            Some(retries) if retries.value > 0 => {
                policy.map("connectionPool").map("http").say("maxRetries", retries.value);
            }
            Some(_) => notes.cannot("retry.budget", "no retries at all: 0 would mean unlimited"),
            None => {
                let budget = policy.map("retryBudget");
                budget.say("percent", number(percent(*of.budget_percent)));
                budget.say("minRetryConcurrency", *of.min_retry_concurrency);
                if !of.budget_interval.is_zero() {
                    let interval = whole_millis("retry.budget.budget_interval", *of.budget_interval, notes);
                    budget.say("budgetInterval", interval);
                }
            }
        },
        Some(Budget::Share(share)) => {
            policy.map("retryBudget").say("percent", number(percent(*share)));
            notes.cannot("retry.budget", "of all calls; Istio's is of calls at the same time");
        }
        Some(other) => notes.cannot("retry.budget", format!("of kind {}, which is left out", budget_kind(other))),
        None => {}
    }
}

fn outliers(policy: &mut Map, of: &EnvoyOutlier, notes: &mut Notes) {
    let settings = policy.map("outlierDetection");
    let enforced = of.enforcing_consecutive_5xx.0 > 0;
    settings.say("consecutive5xxErrors", if enforced { *of.consecutive_5xx } else { 0 });
    if of.enforcing_consecutive_gateway_failure.0 > 0 {
        settings.say("consecutiveGatewayErrors", *of.consecutive_gateway_failure);
    }
    if *of.split_external_local_origin_errors {
        settings.say("splitExternalLocalOriginErrors", true);
        settings.say("consecutiveLocalOriginFailures", *of.consecutive_local_origin_failure);
    }
    settings.say("interval", whole_millis("breaker.interval", *of.interval, notes));
    settings.say("baseEjectionTime", whole_millis("breaker.base_ejection_time", *of.base_ejection_time, notes));
    let most = of.max_ejection_percent.0;
    settings.say("maxEjectionPercent", most);
    if most == 0 {
        notes.cannot("breaker.max_ejection_percent", "0 would mean the usual 10 %");
    }
    let least = whole_percent("healthy_panic_threshold", *of.healthy_panic_threshold, notes);
    settings.say("minHealthPercent", least);
    for (setting, percent) in [
        ("breaker.enforcing_consecutive_5xx", *of.enforcing_consecutive_5xx),
        ("breaker.enforcing_consecutive_gateway_failure", *of.enforcing_consecutive_gateway_failure),
    ] {
        if (1..100).contains(&percent.0) {
            notes.cannot(setting, "by chance: there it is always or never");
        }
    }
    if *of.split_external_local_origin_errors && of.enforcing_consecutive_local_origin_failure.0 < 100 {
        notes.cannot("breaker.enforcing_consecutive_local_origin_failure", "there it is always");
    }
    if of.enforcing_success_rate.0 > 0 {
        notes.cannot("breaker.enforcing_success_rate", "Istio switches ejection by success rate off");
    }
    if of.enforcing_failure_percentage.0 > 0 {
        notes.cannot("breaker.enforcing_failure_percentage", NOTHING);
    }
    if enforced && *of.consecutive_5xx == 0 {
        notes.cannot("breaker.consecutive_5xx", "0 would switch it off");
    }
    notes.cannot_if(of.max_ejection_time.as_ref(), "breaker.max_ejection_time", NOTHING);
    if !of.max_ejection_time_jitter.is_zero() {
        notes.cannot("breaker.max_ejection_time_jitter", NOTHING);
    }
    if *of.always_eject_one_host {
        notes.cannot("breaker.always_eject_one_host", NOTHING);
    }
    if *of.update_merge_window != Span::from_secs(1) {
        notes.cannot("breaker.update_merge_window", "it is 1 s there");
    }
}

fn virtual_service(call: &Call<'_>, notes: &mut Notes) -> String {
    let mut doc = manifest("VirtualService", call.to);
    let spec = doc.root.map("spec");
    spec.set("hosts", vec![Item::new(scalar(call.to))], "");
    let mut route = Map::default();
    let mut destination = Map::default();
    destination.map("destination").say("host", scalar(call.to));
    route.set("route", vec![Item::new(destination)], "");
    let policy = &*call.policy;
    if let Some(deadline) = &policy.deadline {
        route.say("timeout", whole_millis("deadline", deadline.value, notes));
    }
    let words = policy.retry.as_ref().map(|retry| retry_on(retry, notes)).filter(|words| !words.is_empty());
    let alone = words.is_none();
    let retries = route.map("retries");
    match policy.retry.as_ref().zip(words) {
        None => retries.say("attempts", 0),
        Some((written, words)) => {
            retries.say("attempts", retries_of(written));
            if let Some(timeout) = &policy.timeout {
                retries.say("perTryTimeout", whole_millis("timeout", timeout.value, notes));
            }
            retries.say("retryOn", scalar(&words));
            let waits = waits(*written.backoff);
            back_off_fits(written, notes);
            retries.say("backoff", whole_millis("retry.backoff", waits.first, notes));
            if waits.longest.is_some_and(|longest| longest != waits.first * 10) {
                notes.cannot("retry.backoff", "the longest wait is always ten times the first");
            }
            match *written.avoid_tried {
                0 => retries.say("retryIgnorePreviousHosts", false),
                5 => {}
                _ => notes.cannot("retry.avoid_tried", "it is 0 or 5 there"),
            }
        }
    }
    if alone
        && let Some(timeout) = &policy.timeout
        && policy.deadline.as_ref().is_none_or(|deadline| deadline.value > timeout.value)
    {
        route.say("timeout", whole_millis("timeout", timeout.value, notes));
    }
    spec.set("http", vec![Item::new(route)], "");
    doc.render()
}

/// The conditions; statuses are numbers among the words.
fn retry_on(retry: &Retry, notes: &mut Notes) -> String {
    let words = conditions(retry, notes);
    let words = words.split(',').filter(|word| !matches!(*word, "" | "retriable-status-codes")).map(str::to_owned);
    let statuses = retry.statuses.iter().map(|status| status.value.to_string());
    words.chain(statuses).collect::<Vec<_>>().join(",")
}
