//! Linkerd's annotations on a Service for each callee.

use squall_model::spec::{Backoff, Breaker, CallPolicy, LinkerdMode, Retry, Topology, Trouble};

use super::calls::{Call, Notes, Say, breaker_kind, calls, millis, number, rarely_said, retries, retries_of, share};
use super::{Exported, Options};
use crate::doc::{Doc, Map, quote, scalar};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut texts = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("another caller's policies for the same service; use --of");
        } else {
            written.push(call.to);
            texts.push(service(&call, &mut about));
        }
        notes.append(&mut about.all);
    }
    Exported { text: texts.join("---\n"), notes }
}

fn service(call: &Call<'_>, notes: &mut Notes) -> String {
    let mut doc = Doc::default();
    doc.root.say("apiVersion", "v1");
    doc.root.say("kind", "Service");
    let metadata = doc.root.map("metadata");
    metadata.say("name", scalar(call.to));
    let annotations = annotations(call.policy, notes);
    if !annotations.is_empty() {
        metadata.set("annotations", annotations, "");
    }
    doc.root.map("spec").map("selector").say("app", scalar(call.to));
    let mut port = Map::default();
    port.say("name", "http");
    port.say("port", 8080);
    doc.root.map("spec").set("ports", vec![crate::doc::Item::new(port)], "");
    doc.render()
}

fn annotations(policy: &CallPolicy, notes: &mut Notes) -> Map {
    let mut all = Map::default();
    match policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::Linkerd(of)) => {
            let name = |part: &str| format!("balancer.linkerd.io/failure-accrual{part}");
            all.say(&name(""), of.mode.word());
            all.say(&name("-consecutive-max-failures"), quote(&of.max_failures.to_string()));
            all.say(&name("-consecutive-min-penalty"), millis(*of.min_penalty));
            all.say(&name("-consecutive-max-penalty"), millis(*of.max_penalty));
            all.say(&name("-consecutive-jitter-ratio"), quote(&number(*of.jitter_ratio)));
            if *of.mode == LinkerdMode::Unified {
                all.say(&name("-unified-success-rate-threshold"), quote(&number(share(*of.success_ratio))));
                all.say(&name("-unified-window"), millis(*of.window));
            }
        }
        Some(other) => notes.cannot(format!("a breaker of kind {}", breaker_kind(other))),
        None => {}
    }
    if let Some(written) = &policy.retry {
        all.say("retry.linkerd.io/http", quote(&conditions(written, notes)));
        all.say("retry.linkerd.io/limit", quote(&retries_of(written).to_string()));
        if let Some(timeout) = &policy.timeout {
            all.say("retry.linkerd.io/timeout", millis(timeout.value));
        }
        notes.cannot_if(written.budget.as_ref(), "the retry budget");
        let own = matches!(*written.backoff, Backoff::Exponential { base, cap, .. } if millis(base) == "25ms" && millis(cap) == "250ms");
        if !own {
            notes.cannot("the back-off: Linkerd's is 25–250 ms");
        }
    } else if let Some(timeout) = &policy.timeout {
        all.say("timeout.linkerd.io/request", millis(timeout.value));
    }
    if let Some(deadline) = &policy.deadline {
        all.say("timeout.linkerd.io/request", millis(deadline.value));
    }
    notes.cannot_if(policy.bulkhead.as_ref(), "the bulkhead");
    notes.cannot_if(policy.hedge.as_ref(), "the hedge");
    notes.cannot_if(policy.rate_limit.as_ref(), "the rate limit");
    rarely_said(policy, notes);
    all
}

fn conditions(retry: &Retry, notes: &mut Notes) -> String {
    use Trouble as T;
    let wants = |trouble| retries(retry, trouble);
    let mut words: Vec<String> = Vec::new();
    if wants(T::ServerError) {
        words.push("5xx".into());
    } else if wants(T::GatewayError) {
        words.push("gateway-error".into());
    } else if wants(T::Rejected) {
        words.push("503".into());
    }
    words.extend(retry.statuses.iter().map(|status| status.value.to_string()));
    for trouble in [T::Timeout, T::Refused, T::ClientError, T::BreakerOpen, T::RateLimited] {
        if retry.when.iter().any(|said| said.value == trouble) {
            notes.cannot(format!("retries after `{}`", trouble.word()));
        }
    }
    words.join(",")
}
