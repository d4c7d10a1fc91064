//! Zipkin's JSON, version 2: a list of spans in microseconds. Zipkin has no unit below: a span shorter than one has the
//! duration 1, as its API asks for.

use serde::{Deserialize, Serialize};

use super::{SpanKind, Trace, Value, attributes, failed, name, process};
use crate::Named;

/// One span.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZipkinSpan {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// None at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// `SERVER` or `CLIENT`; none of what is internal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What it is called.
    pub name: String,
    /// Microseconds since 1970.
    pub timestamp: u64,
    /// Microseconds, at least 1.
    pub duration: u64,
    /// Whose work it is.
    pub local_endpoint: Endpoint,
    /// What it was asked of, where that keeps no spans of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_endpoint: Option<Endpoint>,
    /// Everything else.
    pub tags: Named<String>,
}

/// A service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its name.
    pub service_name: String,
}

/// These traces of a run that began so many nanoseconds after 1970.
pub fn zipkin(traces: &[Trace], began: u64) -> Vec<ZipkinSpan> {
    let endpoint = |name: &str| Endpoint { service_name: name.to_owned() };
    let of_trace = |trace: &Trace| {
        let one = |span: &super::Span| {
            let [start, end] = [span.start_ns, span.end_ns].map(|ns| (began + ns) / 1_000);
            let error = failed(span).then(|| ("error".to_owned(), span.outcome.clone().unwrap_or_default()));
            let tags = attributes(span).into_iter().map(|(key, value)| (key.to_owned(), text(value)));
            ZipkinSpan {
                trace_id: trace.trace_id.clone(),
                id: span.id.clone(),
                parent_id: span.parent.clone(),
                kind: match span.kind {
                    SpanKind::Request => Some("SERVER".to_owned()),
                    SpanKind::User | SpanKind::Attempt | SpanKind::Query | SpanKind::Cache => Some("CLIENT".to_owned()),
                    SpanKind::Publish => Some("PRODUCER".to_owned()),
                    _ => None,
                },
                name: name(span),
                timestamp: start.max(1),
                duration: (end - start).max(1),
                local_endpoint: endpoint(process(trace, span)),
                remote_endpoint: matches!(span.kind, SpanKind::Query | SpanKind::Cache | SpanKind::Publish)
                    .then(|| endpoint(&span.place)),
                tags: tags.chain(error).collect(),
            }
        };
        trace.spans.iter().map(one).collect::<Vec<_>>()
    };
    traces.iter().flat_map(of_trace).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        Value::Count(count) => count.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}
