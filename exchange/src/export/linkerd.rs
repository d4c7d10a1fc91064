//! Linkerd's annotations on a Service for each callee.

use squall_model::Span;
use squall_model::spec::{
    Backoff, Balancer, Breaker, CallPolicy, Jitter, Layer, LinkerdBreaker, LinkerdMode, PeakEwma, Retry, Spanned,
    Topology, Trouble,
};

use super::calls::{
    Call, NOTHING, Notes, Say, breaker_kind, calls, compare, number, order, rarely_said, retries, retries_of, share,
    whole_millis,
};
use super::{Exported, Options};
use crate::doc::{Doc, Map, quote, scalar};
use crate::import::outcomes_of_linkerd;

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut texts = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("calls", "another caller's policies for the same service stand; use --of");
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
    let annotations = annotations(&call.policy, notes);
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
        Some(Breaker::Linkerd(of)) => accrual(of, &mut all, notes),
        Some(other) => notes.cannot("breaker", format!("of kind {}, which is left out", breaker_kind(other))),
        None => {}
    }
    let words = policy
        .retry
        .as_ref()
        .map(|retry| conditions(retry, policy.timeout.is_some(), notes))
        .filter(|words| !words.is_empty());
    if let (Some(written), Some(words)) = (&policy.retry, words) {
        all.say("retry.linkerd.io/http", quote(&words));
        all.say("retry.linkerd.io/limit", quote(&retries_of(written).to_string()));
        if let Some(timeout) = &policy.timeout {
            all.say("retry.linkerd.io/timeout", whole_millis("timeout", timeout.value, notes));
        }
        notes.cannot_if(written.budget.as_ref(), "retry.budget", NOTHING);
        if *written.avoid_tried > 0 {
            notes.cannot("retry.avoid_tried", NOTHING);
        }
        let (base, cap) = (Span::from_millis(25), Span::from_millis(250));
        if *written.backoff != (Backoff::Exponential { base, factor: 2.0, cap }) {
            notes.cannot("retry.backoff", "Linkerd's is exponential(25ms 2 250ms)");
        }
        if *written.jitter != Jitter::AdditiveCapped(1.0) {
            notes.cannot("retry.jitter", "Linkerd's is additive_capped(100%)");
        }
    } else if let Some(timeout) = &policy.timeout {
        // Without retries an attempt's time-out is the request's.
        let shorter = policy.deadline.as_ref().map_or(timeout.value, |deadline| deadline.value.min(timeout.value));
        all.say("timeout.linkerd.io/request", whole_millis("timeout", shorter, notes));
    }
    if let Some(deadline) = &policy.deadline
        && !all.has("timeout.linkerd.io/request")
    {
        all.say("timeout.linkerd.io/request", whole_millis("deadline", deadline.value, notes));
    }
    notes.cannot_if(policy.bulkhead.as_ref(), "bulkhead", NOTHING);
    notes.cannot_if(policy.hedge.as_ref(), "hedge", NOTHING);
    notes.cannot_if(policy.rate_limit.as_ref(), "rate_limit", NOTHING);
    if policy.balancer.as_ref().is_some_and(|balancer| balancer.value != usual_balancer()) {
        notes.cannot("balancer", "Linkerd's is always peak_ewma");
    }
    order(policy, &[Layer::Retry, Layer::Timeout], notes);
    rarely_said(policy, notes);
    all
}

/// The only balancer that Linkerd has.
fn usual_balancer() -> Balancer {
    Balancer::PeakEwma(Box::new(PeakEwma {
        default_rtt: Spanned::unwritten(Span::from_millis(30)),
        decay: Spanned::unwritten(Span::from_secs(10)),
        choice_count: Spanned::unwritten(2),
        penalize_unknown: Spanned::unwritten(false),
    }))
}

fn accrual(of: &LinkerdBreaker, all: &mut Map, notes: &mut Notes) {
    let name = |part: &str| format!("balancer.linkerd.io/failure-accrual{part}");
    all.say(&name(""), of.mode.word());
    all.say(&name("-consecutive-max-failures"), quote(&of.max_failures.to_string()));
    all.say(&name("-consecutive-min-penalty"), whole_millis("breaker.min_penalty", *of.min_penalty, notes));
    all.say(&name("-consecutive-max-penalty"), whole_millis("breaker.max_penalty", *of.max_penalty, notes));
    all.say(&name("-consecutive-jitter-ratio"), quote(&number(*of.jitter_ratio)));
    if *of.mode == LinkerdMode::Unified {
        all.say(&name("-unified-success-rate-threshold"), quote(&number(share(*of.success_ratio))));
        all.say(&name("-unified-window"), whole_millis("breaker.window", *of.window, notes));
        if *of.min_samples != 5 {
            notes.cannot("breaker.min_samples", "it is 5 there");
        }
    }
    if let Some(counts) = &of.counts {
        compare("breaker.counts", counts, &["5xx", "rejected", "timeout", "refused"], notes);
    }
}

/// What `retry.linkerd.io/http` says; tells of what it misses or asks for besides.
/// What is retried. Where anything is, an attempt that takes too long is too.
fn conditions(retry: &Retry, timed: bool, notes: &mut Notes) -> String {
    use Trouble as T;
    let wants = |trouble| retries(retry, trouble);
    let mut words: Vec<String> = Vec::new();
    if wants(T::ServerError) {
        words.push("5xx".into());
    } else if wants(T::GatewayError) {
        words.push("gateway-error".into());
    }
    let mut outcomes: Vec<&str> =
        words.iter().filter_map(|word| outcomes_of_linkerd(word)).flatten().copied().collect();
    if timed && (!words.is_empty() || !retry.statuses.is_empty()) {
        outcomes.push("timeout");
    }
    compare("retry.when", &retry.when, &outcomes, notes);
    words.extend(retry.statuses.iter().map(|status| status.value.to_string()));
    words.join(",")
}
