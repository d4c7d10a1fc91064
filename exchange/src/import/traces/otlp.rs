//! OTLP/JSON: export requests, one in a file or one a line.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Kind, Span, byte, http, said};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, alias = "resource_spans")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    resource: Resource,
    #[serde(default, alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize, Default)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<Written>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(alias = "trace_id")]
    trace_id: String,
    #[serde(alias = "span_id")]
    span_id: String,
    #[serde(default, alias = "parent_span_id")]
    parent_span_id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: Json,
    #[serde(alias = "start_time_unix_nano")]
    start_time_unix_nano: Nanos,
    #[serde(alias = "end_time_unix_nano")]
    end_time_unix_nano: Nanos,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: Json,
}

/// 64-bit numbers are texts in protobuf's JSON.
struct Nanos(u64);

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Nanos;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("nanoseconds since 1970")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Nanos, E> {
                Ok(Nanos(value))
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Nanos, E> {
                value.parse().map(Nanos).map_err(|_| E::custom("expected nanoseconds since 1970"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The text of an attribute.
fn text<'a>(attributes: &'a [Attribute], keys: &[&str]) -> Option<&'a str> {
    let found = keys.iter().find_map(|key| attributes.iter().find(|attribute| attribute.key == *key));
    found.and_then(|attribute| attribute.value.get("stringValue").or(attribute.value.get("string_value"))?.as_str())
}

pub(super) fn spans(file: &str) -> Result<Vec<Span>, (String, usize)> {
    let mut spans = Vec::new();
    for request in serde_json::Deserializer::from_str(file).into_iter::<Request>() {
        let request = request.map_err(|error| (said(&error), byte(file, &error)))?;
        for resource in request.resource_spans {
            let service = text(&resource.resource.attributes, &["service.name"]).unwrap_or("unknown").to_owned();
            let written = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(written.map(|written| span(written, &service)));
        }
    }
    Ok(spans)
}

fn span(written: Written, service: &str) -> Span {
    let kind = match (&written.kind, written.kind.as_str()) {
        (Json::Number(number), _) if number.as_u64() == Some(2) => Kind::Server,
        (Json::Number(number), _) if number.as_u64() == Some(3) => Kind::Client,
        (Json::Number(number), _) if number.as_u64() == Some(4) => Kind::Producer,
        (Json::Number(number), _) if number.as_u64() == Some(5) => Kind::Consumer,
        (_, Some("SPAN_KIND_SERVER")) => Kind::Server,
        (_, Some("SPAN_KIND_CLIENT")) => Kind::Client,
        (_, Some("SPAN_KIND_PRODUCER")) => Kind::Producer,
        (_, Some("SPAN_KIND_CONSUMER")) => Kind::Consumer,
        _ => Kind::Internal,
    };
    let attributes = &written.attributes;
    let asks =
        text(attributes, &["db.system", "db.system.name", "db.namespace", "db.name"]).filter(|_| kind == Kind::Client);
    let database = asks.map(|system| {
        text(attributes, &["peer.service", "db.name", "db.namespace", "server.address"]).unwrap_or(system).to_owned()
    });
    let route = text(attributes, &["http.route", "url.path", "http.target"]);
    let method = text(attributes, &["http.request.method", "http.method"]);
    let failed = written.status.code.as_u64() == Some(2) || written.status.code.as_str() == Some("STATUS_CODE_ERROR");
    Span {
        trace: written.trace_id,
        id: written.span_id,
        parent: written.parent_span_id.filter(|parent| !parent.is_empty()),
        service: service.to_owned(),
        kind,
        start: written.start_time_unix_nano.0,
        end: written.end_time_unix_nano.0.max(written.start_time_unix_nano.0),
        failed,
        database,
        http: http(method, route),
        name: written.name,
    }
}
