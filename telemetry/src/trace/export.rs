//! Traces in the formats of other tools, written by structs of our own: an SDK cannot carry virtual timestamps simply.
//! All of them want absolute time, and a run has none: the caller says when it began, in nanoseconds since 1970.

mod jaeger;
mod otlp;
mod protobuf;
mod zipkin;

pub use jaeger::{Jaeger, jaeger};
pub use otlp::{Otlp, otlp};
pub use protobuf::protobuf;
pub use zipkin::{ZipkinSpan, zipkin};

use super::{Span, SpanKind, Trace};

/// Whose work a span is: a service, or the users of a load. What happens at a database is seen by who asks it.
fn process<'t>(trace: &'t Trace, span: &'t Span) -> &'t str {
    let of_database = matches!(span.kind, SpanKind::Connection | SpanKind::Query | SpanKind::Cache | SpanKind::Publish);
    if !of_database {
        return &span.place;
    }
    let parent = |span: &Span| trace.spans.iter().find(|other| Some(&other.id) == span.parent.as_ref());
    parent(span).map_or(span.place.as_str(), |parent| parent.place.as_str())
}

/// Everything beside names and times, as keys and values.
fn attributes(span: &Span) -> Vec<(&'static str, Value)> {
    let mut all = vec![("squall.kind", Value::Text(kind(span.kind).to_owned()))];
    if let Some(outcome) = &span.outcome {
        all.push(("squall.outcome", Value::Text(outcome.clone())));
    }
    match span.attempt {
        Some(attempt) if attempt > 1 => all.push(("http.request.resend_count", Value::Count(u64::from(attempt) - 1))),
        _ => {}
    }
    if matches!(span.kind, SpanKind::Request) {
        all.push(("service.instance.id", Value::Text(format!("{}-{}", span.place, span.replica))));
    }
    match span.kind {
        SpanKind::Query | SpanKind::Connection | SpanKind::Cache => {
            all.push(("db.namespace", Value::Text(span.place.clone())));
        }
        SpanKind::Publish => all.push(("messaging.destination.name", Value::Text(span.place.clone()))),
        _ => {}
    }
    let flags =
        [("squall.critical", span.critical), ("squall.wasted", span.wasted), ("squall.unfinished", span.unfinished)];
    all.extend(flags.into_iter().filter(|(_, set)| *set).map(|(key, _)| (key, Value::Flag(true))));
    all
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    Text(String),
    Count(u64),
    Flag(bool),
}

/// Whether it ended without an answer that can be used.
fn failed(span: &Span) -> bool {
    span.outcome.as_deref().is_some_and(|outcome| !matches!(outcome, "ok" | "degraded"))
}

/// What a span is called: a wait says what for.
fn name(span: &Span) -> String {
    let what = match span.kind {
        SpanKind::User | SpanKind::Request | SpanKind::Attempt | SpanKind::Branch => return span.name.clone(),
        SpanKind::Queue => "wait for a worker of",
        SpanKind::Work => "work of",
        SpanKind::Wait => "wait of",
        SpanKind::Fault => "fault at",
        SpanKind::Connection => "wait for a connection of",
        SpanKind::Query => "query",
        SpanKind::BackOff => "back-off",
        SpanKind::Fallback => "fallback of",
        SpanKind::Cache => "get",
        SpanKind::Publish => "publish",
        SpanKind::Held => "held back on",
        SpanKind::Hedge => "hedge of",
    };
    format!("{what} {}", span.name)
}

const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::User => "user",
        SpanKind::Request => "request",
        SpanKind::Attempt => "attempt",
        SpanKind::Branch => "branch",
        SpanKind::Queue => "queue",
        SpanKind::Work => "work",
        SpanKind::Wait => "wait",
        SpanKind::Fault => "fault",
        SpanKind::Connection => "connection",
        SpanKind::Query => "query",
        SpanKind::BackOff => "back_off",
        SpanKind::Fallback => "fallback",
        SpanKind::Cache => "cache",
        SpanKind::Publish => "publish",
        SpanKind::Held => "held",
        SpanKind::Hedge => "hedge",
    }
}
