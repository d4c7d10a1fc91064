//! Istio's `DestinationRule` and `VirtualService`, one of each for a callee.

use squall_model::spec::{Balancer, Breaker, Budget, Bulkhead, CallPolicy, EnvoyOutlier, Topology};

use super::calls::{
    Call, Notes, Say, breaker_kind, budget_kind, calls, millis, number, percent, rarely_said, retries_of, room, waits,
};
use super::envoy::conditions;
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, scalar};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut texts = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("another caller's policies for the same host; use --of");
        } else {
            written.push(call.to);
            let callee = topology.services.find(call.to);
            let balancer = call.policy.balancer.as_ref().or(callee.map(|callee| &callee.balancer));
            texts.push(destination_rule(&call, balancer.map(|balancer| &balancer.value), &mut about));
            texts.push(virtual_service(&call, &mut about));
            about.cannot_if(call.policy.hedge.as_ref(), "the hedge");
            about.cannot_if(call.policy.rate_limit.as_ref(), "the rate limit");
            rarely_said(call.policy, &mut about);
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
    pool(policy, call.policy, notes);
    let word = match balancer {
        Some(Balancer::Random(_)) => "RANDOM",
        Some(Balancer::RoundRobin(_)) | None => "ROUND_ROBIN",
        Some(Balancer::LeastRequest(_)) => "LEAST_REQUEST",
        Some(_) => {
            notes.cannot("this balancer; least requests are written");
            "LEAST_REQUEST"
        }
    };
    policy.map("loadBalancer").say("simple", word);
    match call.policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::EnvoyOutlier(of)) => outliers(policy, of, notes),
        Some(other) => notes.cannot(format!("a breaker of kind {}", breaker_kind(other))),
        None => {}
    }
    doc.render()
}

fn pool(policy: &mut Map, of: &CallPolicy, notes: &mut Notes) {
    let unlimited = u32::MAX;
    match of.bulkhead.as_ref().map(|bulkhead| &bulkhead.value) {
        Some(Bulkhead::Envoy(limits)) => {
            let pool = policy.map("connectionPool");
            for (part, name, limit) in [
                ("tcp", "maxConnections", *limits.max_connections),
                ("http", "http1MaxPendingRequests", *limits.max_pending_requests),
                ("http", "http2MaxRequests", *limits.max_requests),
            ] {
                match limit {
                    0 => notes.cannot(format!("`{name}` of 0: it would mean unlimited")),
                    limit if limit == unlimited => {}
                    limit if i32::try_from(limit).is_err() => notes.cannot(format!("`{name}` above 2147483647")),
                    limit => pool.map(part).say(name, limit),
                }
            }
        }
        Some(other) => {
            if let Some(limit) = room(other).limit {
                policy.map("connectionPool").map("http").say("http2MaxRequests", limit);
                notes.cannot("this kind of bulkhead; its largest size is written as http2MaxRequests");
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
            Some(_) => notes.cannot("a budget of no retries: 0 would mean unlimited"),
            None => {
                let budget = policy.map("retryBudget");
                budget.say("percent", number(percent(*of.budget_percent)));
                budget.say("minRetryConcurrency", *of.min_retry_concurrency);
                if !of.budget_interval.is_zero() {
                    budget.say("budgetInterval", millis(*of.budget_interval));
                }
            }
        },
        Some(Budget::Share(share)) => {
            policy.map("retryBudget").say("percent", number(percent(*share)));
            notes.cannot("a budget of calls; Istio's is of calls at the same time");
        }
        Some(other) => notes.cannot(format!("a budget of kind {}", budget_kind(other))),
        None => {}
    }
}

fn outliers(policy: &mut Map, of: &EnvoyOutlier, notes: &mut Notes) {
    let settings = policy.map("outlierDetection");
    let enforced = of.enforcing_consecutive_5xx.0 > 0.0;
    settings.say("consecutive5xxErrors", if enforced { *of.consecutive_5xx } else { 0 });
    if of.enforcing_consecutive_gateway_failure.0 > 0.0 {
        settings.say("consecutiveGatewayErrors", *of.consecutive_gateway_failure);
    }
    if *of.split_external_local_origin_errors {
        settings.say("splitExternalLocalOriginErrors", true);
        settings.say("consecutiveLocalOriginFailures", *of.consecutive_local_origin_failure);
    }
    settings.say("interval", millis(*of.interval));
    settings.say("baseEjectionTime", millis(*of.base_ejection_time));
    settings.say("maxEjectionPercent", percent(*of.max_ejection_percent).round());
    settings.say("minHealthPercent", percent(*of.healthy_panic_threshold).round());
    if of.enforcing_success_rate.0 > 0.0 {
        notes.cannot("ejection by success rate: Istio switches it off");
    }
    if of.enforcing_failure_percentage.0 > 0.0 {
        notes.cannot("ejection by failure percentage");
    }
    notes.cannot_if(of.max_ejection_time.as_ref(), "the longest ejection");
    if *of.always_eject_one_host {
        notes.cannot("always_eject_one_host");
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
    let policy = call.policy;
    if let Some(deadline) = &policy.deadline {
        route.say("timeout", millis(deadline.value));
    }
    let retries = route.map("retries");
    match &policy.retry {
        None => retries.say("attempts", 0),
        Some(written) => {
            retries.say("attempts", retries_of(written));
            if let Some(timeout) = &policy.timeout {
                retries.say("perTryTimeout", millis(timeout.value));
            }
            let mut words = conditions(written, notes).replace("retriable-status-codes", "");
            for status in written.statuses.iter() {
                words += &format!(",{}", status.value);
            }
            let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
            retries.say("retryOn", crate::doc::scalar(&words.join(",")));
            let waits = waits(*written.backoff);
            if !waits.first.is_zero() {
                retries.say("backoff", millis(waits.first));
            }
            if waits.longest.is_some_and(|longest| longest != waits.first * 10) {
                notes.cannot("the longest wait of the back-off: it is ten times the first");
            }
            if *written.avoid_tried == 0 {
                retries.say("retryIgnorePreviousHosts", false);
            }
        }
    }
    if policy.retry.is_none()
        && let Some(timeout) = &policy.timeout
        && policy.deadline.as_ref().is_none_or(|deadline| deadline.value > timeout.value)
    {
        route.say("timeout", millis(timeout.value));
    }
    spec.set("http", vec![Item::new(route)], "");
    doc.render()
}
