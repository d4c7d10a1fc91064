//! .NET's standard resilience handler for `appsettings.json`: a section for each callee.

use serde_json::{Map as Object, Value as Json, json};
use squall_model::Span;
use squall_model::spec::{
    Backoff, Breaker, Bulkhead, CallPolicy, Hedge, HedgeAfter, Jitter, Layer, OpenFor, PollyBreaker, Retry, Spanned,
    Topology,
};

use super::calls::{
    NOTHING, Notes, breaker_kind, calls, compare, jitter, of_programs, order, rarely_said, retries_of, room, share,
    waits,
};
use super::{Exported, Options};
use crate::import::DOTNET_TRANSIENT;

/// The order of the standard pipeline, outside in.
const ORDER: [Layer; 4] = [Layer::Bulkhead, Layer::Retry, Layer::Breaker, Layer::Timeout];
/// The largest count that .NET takes.
const MOST: u32 = i32::MAX as u32;
/// Time-outs are from this to a day.
const SHORTEST: Span = Span::from_millis(10);
/// Sampling and break durations are from this to a day.
const SHORTEST_BREAK: Span = Span::from_millis(500);
const DAY: Span = Span::from_secs(86_400);
/// A breaker samples at least twice an attempt's time-out, and a day at most.
const LONGEST_ATTEMPT: Span = Span::from_secs(43_200);

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut sections = Object::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if sections.contains_key(call.to) {
            about.cannot("calls", "another caller's policies for the same callee stand; use --of");
        } else {
            sections.insert(call.to.to_owned(), pipeline(&call.policy, &mut about));
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

/// A duration that .NET takes; tells if it is another one.
fn limited(setting: &str, span: Span, shortest: Span, notes: &mut Notes) -> Span {
    // Times are multiples of 100 ns.
    let ticks = Span::from_nanos(span.as_nanos().div_ceil(100) * 100);
    let taken = ticks.clamp(shortest, DAY);
    if taken != span {
        notes.cannot(setting, format!(".NET takes {shortest} to a day, in ticks of 100 ns: {taken} is written"));
    }
    taken
}

/// The standard pipeline; where a call hedges and does not retry, the standard hedging.
fn pipeline(policy: &CallPolicy, notes: &mut Notes) -> Json {
    let hedge = policy.hedge.as_ref().filter(|_| policy.retry.is_none());
    let (total, attempt) = timeouts(policy, notes);
    let total = json!({ "Timeout": time_span(total) });
    let limiter = json!({ "DefaultRateLimiterOptions": limiter(policy, notes) });
    let breaker = breaker(policy, attempt, notes);
    let attempt = json!({ "Timeout": time_span(attempt) });
    notes.cannot_if(
        policy.rate_limit.as_ref(),
        "rate_limit",
        "the limiter of the pipeline counts calls at the same time",
    );
    notes.cannot_if(policy.balancer.as_ref(), "balancer", "the program does not choose the replica");
    rarely_said(policy, notes);
    if let Some(hedge) = hedge {
        order(policy, &[Layer::Bulkhead, Layer::Breaker, Layer::Timeout], notes);
        return json!({
            "TotalRequestTimeout": total,
            "Hedging": hedging(hedge, notes),
            "Endpoint": { "RateLimiter": limiter, "CircuitBreaker": breaker, "Timeout": attempt },
        });
    }
    notes.cannot_if(policy.hedge.as_ref(), "hedge", "not beside a retry");
    order(policy, &ORDER, notes);
    json!({
        "RateLimiter": limiter,
        "TotalRequestTimeout": total,
        "Retry": retry(policy.retry.as_ref(), notes),
        "CircuitBreaker": breaker,
        "AttemptTimeout": attempt,
    })
}

/// The time-outs of all attempts and of one; the first is no shorter than the second.
fn timeouts(policy: &CallPolicy, notes: &mut Notes) -> (Span, Span) {
    let written = |setting, timeout: Option<&Spanned<Span>>, notes: &mut Notes| {
        timeout.map(|timeout| limited(setting, timeout.value, SHORTEST, notes))
    };
    let attempt = written("timeout", policy.timeout.as_ref(), notes);
    let total = written("deadline", policy.deadline.as_ref(), notes);
    if total.is_none() {
        notes.cannot("deadline", "the pipeline always has one; a day is written");
    }
    let total = total.unwrap_or(DAY);
    let most = total.min(LONGEST_ATTEMPT);
    match attempt {
        None => notes.cannot("timeout", format!("the pipeline always has one; {most} is written")),
        Some(attempt) if attempt > most => {
            notes.cannot("timeout", format!("at most the deadline and half a day: {most} is written"));
        }
        Some(_) => {}
    }
    (total, attempt.map_or(most, |attempt| attempt.min(most)))
}

fn limiter(policy: &CallPolicy, notes: &mut Notes) -> Json {
    let Some(bulkhead) = &policy.bulkhead else {
        notes.cannot("bulkhead", "the pipeline always has one; the largest there is is written");
        return json!({ "PermitLimit": MOST, "QueueLimit": 0 });
    };
    let room = room(bulkhead);
    match &bulkhead.value {
        Bulkhead::Plain(_) | Bulkhead::Semaphore(_) => {}
        Bulkhead::ThreadPool(pool) => {
            if *pool.core != *pool.max {
                notes.cannot("bulkhead.core", "as many calls run as there are threads at most");
            }
            notes.cannot_if(pool.queue_rejection.as_ref(), "bulkhead.queue_rejection", NOTHING);
        }
        _ => notes.cannot("bulkhead", "of another kind; its largest size is written"),
    }
    if !room.wait.is_zero() {
        notes.cannot("bulkhead.wait", "a call waits in the queue for as long as it has");
    }
    let permits = room.limit.unwrap_or(MOST).clamp(1, MOST);
    if room.limit != Some(permits) {
        notes.cannot("bulkhead.limit", format!("{permits} is written"));
    }
    json!({ "PermitLimit": permits, "QueueLimit": room.queue.unwrap_or(0) })
}

fn breaker(policy: &CallPolicy, attempt: Span, notes: &mut Notes) -> Json {
    match policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::Polly(of)) => return polly(of, attempt, notes),
        Some(other) => {
            let kind = breaker_kind(other);
            notes.cannot("breaker", format!("of kind {kind}; one that never opens is written"));
        }
        None => notes.cannot("breaker", "the pipeline always has one; one that never opens is written"),
    }
    json!({ "MinimumThroughput": MOST, "SamplingDuration": time_span((attempt * 2).clamp(Span::from_secs(30), DAY)) })
}

fn polly(of: &PollyBreaker, attempt: Span, notes: &mut Notes) -> Json {
    let open = match *of.break_duration {
        OpenFor::Constant(span) => span,
        OpenFor::Randomized { around: first, .. } | OpenFor::Exponential { base: first, .. } => {
            notes.cannot("breaker.break_duration", "one that varies is code; the first or the middle is written");
            first
        }
    };
    let sampling = limited("breaker.sampling_duration", *of.sampling_duration, SHORTEST_BREAK, notes);
    let least = (attempt * 2).min(DAY);
    if sampling < least {
        notes.cannot(
            "breaker.sampling_duration",
            format!("at least twice the time-out of an attempt: {least} is written"),
        );
    }
    let all = vec!["timeout", "error", "refused", "rejected", "rate_limited", "breaker_open"];
    match &of.counts {
        Some(counts) => compare("breaker.counts", counts, &DOTNET_TRANSIENT, notes),
        None => {
            let missing: Vec<&str> = all.into_iter().filter(|word| !DOTNET_TRANSIENT.contains(word)).collect();
            notes.cannot("breaker.counts", format!("{}: only transient failures count", missing.join(", ")));
        }
    }
    json!({
        "FailureRatio": share(*of.failure_ratio), "MinimumThroughput": *of.minimum_throughput,
        "SamplingDuration": time_span(sampling.max(least)),
        "BreakDuration": time_span(limited("breaker.break_duration", open, SHORTEST_BREAK, notes)),
    })
}

fn retry(written: Option<&Spanned<Retry>>, notes: &mut Notes) -> Json {
    let Some(written) = written else {
        notes.cannot("retry", "the pipeline always has one; one retry is the least it can say");
        return json!({ "MaxRetryAttempts": 1 });
    };
    let waits = waits(*written.backoff);
    let growth = match (waits.linear, waits.factor) {
        (true, _) => "Linear",
        (_, Some(_)) => "Exponential",
        _ => "Constant",
    };
    if waits.factor.is_some_and(|factor| (factor - 2.0).abs() > 1e-9) {
        notes.cannot("retry.backoff", "it does not double; an exponential wait of .NET does");
    }
    let jittered = !matches!(*written.jitter, Jitter::None);
    if !matches!(*written.jitter, Jitter::None | Jitter::Polly) || matches!(*written.backoff, Backoff::Envoy { .. }) {
        notes.cannot("retry.jitter", format!("`{}`; Polly's, or none, is written", jitter(*written.jitter)));
    }
    if *written.attempts < 2 {
        notes.cannot("retry.attempts", "one retry is the least it can say");
    }
    compare("retry.when", &written.when, &DOTNET_TRANSIENT, notes);
    of_programs(written, notes);
    notes.cannot_if(written.budget.as_ref(), "retry.budget", NOTHING);
    let tick = |span: Span, notes: &mut Notes| time_span(limited("retry.backoff", span, Span::ZERO, notes));
    let mut settings = json!({
        "MaxRetryAttempts": retries_of(written).max(1), "Delay": tick(waits.first, notes), "BackoffType": growth,
        "UseJitter": jittered,
    });
    if let Some(longest) = waits.longest {
        settings["MaxDelay"] = json!(tick(longest, notes));
    }
    settings
}

fn hedging(hedge: &Hedge, notes: &mut Notes) -> Json {
    match &hedge.when {
        Some(when) => compare("hedge.when", when, &DOTNET_TRANSIENT, notes),
        None => notes.cannot("hedge.when", "only transient failures send the next at once"),
    }
    notes.cannot_if(hedge.budget.as_ref(), "hedge.budget", NOTHING);
    if !(1..=10).contains(&*hedge.attempts) {
        notes.cannot("hedge.attempts", "from 1 to 10");
    }
    let after = match *hedge.after {
        HedgeAfter::Time(after) => time_span(limited("hedge.after", after, Span::ZERO, notes)),
        HedgeAfter::Failure => "-00:00:01".to_owned(),
    };
    json!({ "Delay": after, "MaxHedgedAttempts": (*hedge.attempts).clamp(1, 10) })
}
