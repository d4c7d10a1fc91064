//! The JSON of Jaeger's user interface, which "JSON File" in it reads: traces with their processes, in microseconds.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{SpanKind, Trace, Value, attributes, failed, name, process};
use crate::Named;

/// The whole file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Jaeger {
    /// The traces.
    pub data: Vec<JaegerTrace>,
}

/// One trace.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JaegerTrace {
    /// 32 hexadecimal digits.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Its spans.
    pub spans: Vec<JaegerSpan>,
    /// The services, by the ids that spans name them by.
    pub processes: Named<Process>,
}

/// One span.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JaegerSpan {
    /// 32 hexadecimal digits.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// 16 hexadecimal digits.
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// What it is called.
    pub operation_name: String,
    /// Its parent; none at the root.
    pub references: Vec<Reference>,
    /// Microseconds since 1970.
    pub start_time: u64,
    /// Microseconds.
    pub duration: u64,
    /// Everything else.
    pub tags: Vec<Tag>,
    /// None.
    pub logs: Vec<Json>,
    /// Whose work it is.
    #[serde(rename = "processID")]
    pub process_id: String,
}

/// What a span belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `CHILD_OF`.
    pub ref_type: String,
    /// 32 hexadecimal digits.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// 16 hexadecimal digits.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// A service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its name.
    pub service_name: String,
    /// None.
    pub tags: Vec<Tag>,
}

/// An attribute.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tag {
    /// Its name.
    pub key: String,
    /// `string`, `int64` or `bool`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value.
    pub value: Json,
}

/// These traces of a run that began so many nanoseconds after 1970.
pub fn jaeger(traces: &[Trace], began: u64) -> Jaeger {
    Jaeger { data: traces.iter().map(|trace| one(trace, began)).collect() }
}

fn one(trace: &Trace, began: u64) -> JaegerTrace {
    let mut services: Vec<&str> = Vec::new();
    for span in &trace.spans {
        let service = process(trace, span);
        if !services.contains(&service) {
            services.push(service);
        }
    }
    let process_id = |name: &str| format!("p{}", services.iter().position(|known| *known == name).unwrap_or(0) + 1);
    let spans = trace.spans.iter().map(|span| {
        let [start, end] = [span.start_ns, span.end_ns].map(|ns| (began + ns) / 1_000);
        let parent = span.parent.iter().map(|parent| Reference {
            ref_type: "CHILD_OF".to_owned(),
            trace_id: trace.trace_id.clone(),
            span_id: parent.clone(),
        });
        JaegerSpan {
            trace_id: trace.trace_id.clone(),
            span_id: span.id.clone(),
            operation_name: name(span),
            references: parent.collect(),
            start_time: start,
            duration: end - start,
            tags: tags(span),
            logs: Vec::new(),
            process_id: process_id(process(trace, span)),
        }
    });
    let named = |name: &&str| (process_id(name), Process { service_name: (*name).to_owned(), tags: Vec::new() });
    JaegerTrace {
        trace_id: trace.trace_id.clone(),
        spans: spans.collect(),
        processes: services.iter().map(named).collect(),
    }
}

fn tags(span: &super::Span) -> Vec<Tag> {
    let tag = |(key, value): (&str, Value)| {
        let (kind, value) = match value {
            Value::Text(text) => ("string", Json::from(text)),
            Value::Count(count) => ("int64", Json::from(count)),
            Value::Flag(flag) => ("bool", Json::from(flag)),
        };
        Tag { key: key.to_owned(), kind: kind.to_owned(), value }
    };
    let side = match span.kind {
        SpanKind::Request => Some("server"),
        SpanKind::User | SpanKind::Attempt | SpanKind::Query | SpanKind::Cache => Some("client"),
        SpanKind::Publish => Some("producer"),
        _ => None,
    };
    let side = side.map(|side| ("span.kind", Value::Text(side.to_owned())));
    let error = failed(span).then_some(("error", Value::Flag(true)));
    attributes(span).into_iter().chain(side).chain(error).map(tag).collect()
}
