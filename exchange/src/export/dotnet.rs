//! .NET's standard resilience handler for `appsettings.json`: a section for each callee.

use serde_json::{Map as Object, Value as Json, json};
use squall_model::Span;
use squall_model::spec::{Backoff, Breaker, Bulkhead, CallPolicy, Jitter, OpenFor, Topology};

use super::calls::{Notes, breaker_kind, calls, jitter, rarely_said, retries_of, room, share, waits};
use super::{Exported, Options};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut sections = Object::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if sections.contains_key(call.to) {
            about.cannot("another caller's policies for the same callee; use --of");
        } else {
            sections.insert(call.to.to_owned(), pipeline(call.policy, &mut about));
        }
        notes.append(&mut about.all);
    }
    Exported { text: format!("{:#}\n", json!({ "Resilience": sections })), notes }
}

/// `[days.]hh:mm:ss[.fffffff]`, in whole ticks of 100 ns.
fn time_span(span: Span) -> String {
    let ticks = span.as_nanos() / 100;
    let (seconds, fraction) = (ticks / 10_000_000, ticks % 10_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let days = if seconds >= 86_400 { format!("{}.", seconds / 86_400) } else { String::new() };
    let fraction = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{days}{clock}{fraction}")
}

fn pipeline(policy: &CallPolicy, notes: &mut Notes) -> Json {
    let mut pipeline = Object::new();
    if let Some(bulkhead) = &policy.bulkhead {
        let room = room(bulkhead);
        if !matches!(bulkhead.value, Bulkhead::Plain(_) | Bulkhead::Semaphore(_) | Bulkhead::ThreadPool(_)) {
            notes.cannot("this kind of bulkhead; its largest size is written");
        }
        if !room.wait.is_zero() {
            notes.cannot("the longest wait for a place");
        }
        let permits = room.limit.unwrap_or(i32::MAX as u32);
        let options = json!({ "PermitLimit": permits, "QueueLimit": room.queue.unwrap_or(0) });
        pipeline.insert("RateLimiter".into(), json!({ "DefaultRateLimiterOptions": options }));
    } else {
        notes.cannot("no bulkhead: the standard pipeline always has one, of 1000");
    }
    match &policy.deadline {
        Some(deadline) => {
            pipeline.insert("TotalRequestTimeout".into(), json!({ "Timeout": time_span(deadline.value) }));
        }
        None => notes.cannot("no deadline: the standard pipeline always has one, of 30 s"),
    }
    if let Some(written) = &policy.retry {
        pipeline.insert("Retry".into(), retry(written, notes));
    } else {
        notes.cannot("no retry: the standard pipeline always has one; 1 retry is the least it can say");
        pipeline.insert("Retry".into(), json!({ "MaxRetryAttempts": 1 }));
    }
    match policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::Polly(of)) => {
            let open = match *of.break_duration {
                OpenFor::Constant(span) => span,
                OpenFor::Exponential { base, .. } => {
                    notes.cannot("a break that grows is code");
                    base
                }
            };
            let settings = json!({
                "FailureRatio": share(*of.failure_ratio), "MinimumThroughput": *of.minimum_throughput,
                "SamplingDuration": time_span(*of.sampling_duration), "BreakDuration": time_span(open),
            });
            pipeline.insert("CircuitBreaker".into(), settings);
        }
        Some(other) => notes.cannot(format!("a breaker of kind {}; the standard one stays", breaker_kind(other))),
        None => notes.cannot("no breaker: the standard pipeline always has one"),
    }
    match &policy.timeout {
        Some(timeout) => {
            pipeline.insert("AttemptTimeout".into(), json!({ "Timeout": time_span(timeout.value) }));
        }
        None => notes.cannot("no time-out: the standard pipeline always has one, of 10 s"),
    }
    notes.cannot_if(policy.hedge.as_ref(), "the hedge");
    notes.cannot_if(policy.rate_limit.as_ref(), "the rate limit");
    notes.cannot_if(policy.balancer.as_ref(), "the balancer");
    rarely_said(policy, notes);
    Json::Object(pipeline)
}

fn retry(written: &squall_model::spec::Spanned<squall_model::spec::Retry>, notes: &mut Notes) -> Json {
    let waits = waits(*written.backoff);
    let growth = match (waits.linear, waits.factor) {
        (true, _) => "Linear",
        (_, Some(_)) => "Exponential",
        _ => "Constant",
    };
    if waits.factor.is_some_and(|factor| (factor - 2.0).abs() > 1e-9) {
        notes.cannot("a back-off that does not double");
    }
    let jittered = !matches!(*written.jitter, Jitter::None);
    if !matches!(*written.jitter, Jitter::None | Jitter::Polly) || matches!(*written.backoff, Backoff::Envoy { .. }) {
        notes.cannot(format!("the jitter `{}`; Polly's is written", jitter(*written.jitter)));
    }
    let mut settings = json!({
        "MaxRetryAttempts": retries_of(written).max(1), "Delay": time_span(waits.first), "BackoffType": growth, "UseJitter": jittered,
    });
    if let Some(longest) = waits.longest {
        settings["MaxDelay"] = json!(time_span(longest));
    }
    notes.cannot_if(written.budget.as_ref(), "the retry budget");
    settings
}
