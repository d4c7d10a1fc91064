//! OpenTelemetry's OTLP/JSON: `ExportTraceServiceRequest` in the JSON mapping of OTLP 1.x, where ids are hexadecimal,
//! 64-bit numbers are strings and enumerations are numbers. One resource a service.

use serde::{Deserialize, Serialize};

use super::{SpanKind, Trace, Value, attributes, failed, name, process};

/// The body of an export request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// By service.
    pub resource_spans: Vec<ResourceSpans>,
}

/// The spans of one service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans {
    /// Says which.
    pub resource: Resource,
    /// One scope: squall.
    pub scope_spans: Vec<ScopeSpans>,
}

/// Who made spans.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// `service.name`.
    pub attributes: Vec<KeyValue>,
}

/// Spans of one instrumentation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScopeSpans {
    /// Which.
    pub scope: Scope,
    /// What it made.
    pub spans: Vec<OtlpSpan>,
}

/// An instrumentation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One span.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpSpan {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Empty at the root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parent_span_id: String,
    /// What it is called.
    pub name: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: u8,
    /// Nanoseconds since 1970.
    pub start_time_unix_nano: String,
    /// Nanoseconds since 1970.
    pub end_time_unix_nano: String,
    /// Everything else.
    pub attributes: Vec<KeyValue>,
    /// Whether it failed.
    pub status: Status,
}

/// 0 unset, 2 error.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// How, of one that failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// 0 or 2.
    pub code: u8,
}

/// An attribute.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KeyValue {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: AnyValue,
}

/// The value of an attribute, under the name of its type.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum AnyValue {
    /// Text.
    #[serde(rename = "stringValue")]
    Text(String),
    /// A 64-bit number, as text.
    #[serde(rename = "intValue")]
    Count(String),
    /// Yes or no.
    #[serde(rename = "boolValue")]
    Flag(bool),
}

/// These traces of a run that began so many nanoseconds after 1970.
pub fn otlp(traces: &[Trace], began: u64) -> Otlp {
    let mut by_service: Vec<(&str, Vec<OtlpSpan>)> = Vec::new();
    for (trace, span) in traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (trace, span))) {
        let service = process(trace, span);
        let converted = OtlpSpan {
            trace_id: trace.trace_id.clone(),
            span_id: span.id.clone(),
            parent_span_id: span.parent.clone().unwrap_or_default(),
            name: name(span),
            kind: match span.kind {
                SpanKind::Request => 2,
                SpanKind::User | SpanKind::Attempt | SpanKind::Query | SpanKind::Cache => 3,
                SpanKind::Publish => 4,
                _ => 1,
            },
            start_time_unix_nano: (began + span.start_ns).to_string(),
            end_time_unix_nano: (began + span.end_ns).to_string(),
            attributes: attributes(span).into_iter().map(|(key, value)| key_value(key, value)).collect(),
            status: if failed(span) {
                Status { code: 2, message: span.outcome.clone().unwrap_or_default() }
            } else {
                Status::default()
            },
        };
        match by_service.iter_mut().find(|(known, _)| *known == service) {
            Some((_, spans)) => spans.push(converted),
            None => by_service.push((service, vec![converted])),
        }
    }
    let scope = Scope { name: "squall".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let resource = |name: &str| Resource { attributes: vec![key_value("service.name", Value::Text(name.to_owned()))] };
    let one = |(name, spans): (&str, Vec<OtlpSpan>)| ResourceSpans {
        resource: resource(name),
        scope_spans: vec![ScopeSpans { scope: scope.clone(), spans }],
    };
    Otlp { resource_spans: by_service.into_iter().map(one).collect() }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => AnyValue::Text(text),
        Value::Count(count) => AnyValue::Count(count.to_string()),
        Value::Flag(flag) => AnyValue::Flag(flag),
    };
    KeyValue { key: key.to_owned(), value }
}
