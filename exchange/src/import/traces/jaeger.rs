//! Jaeger's JSON, as its user interface downloads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Kind, Span, byte, http, said};

#[derive(Deserialize)]
struct File {
    data: Vec<Trace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    spans: Vec<Written>,
    #[serde(default)]
    processes: BTreeMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default)]
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default, rename = "processID")]
    process_id: String,
    process: Option<Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    ref_type: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: Json,
}

fn tag<'a>(tags: &'a [Tag], keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| tags.iter().find(|tag| tag.key == *key)).and_then(|tag| tag.value.as_str())
}

pub(super) fn spans(text: &str) -> Result<Vec<Span>, (String, usize)> {
    let file: File = serde_json::from_str(text).map_err(|error| (said(&error), byte(text, &error)))?;
    let mut spans = Vec::new();
    for trace in file.data {
        for written in trace.spans {
            let process = written.process.as_ref().or_else(|| trace.processes.get(&written.process_id));
            let service = process.map_or_else(|| "unknown".to_owned(), |process| process.service_name.clone());
            spans.push(span(written, service));
        }
    }
    Ok(spans)
}

fn span(written: Written, service: String) -> Span {
    let tags = &written.tags;
    let kind = match tag(tags, &["span.kind"]) {
        Some("server") => Kind::Server,
        Some("client") => Kind::Client,
        Some("producer") => Kind::Producer,
        Some("consumer") => Kind::Consumer,
        _ => Kind::Internal,
    };
    let failed = tags.iter().any(|tag| tag.key == "error" && (tag.value == Json::Bool(true) || tag.value == "true"))
        || tag(tags, &["otel.status_code"]) == Some("ERROR");
    let is_database = tag(tags, &["db.system", "db.type", "db.system.name"]);
    let database = is_database.map(|system| {
        tag(tags, &["peer.service", "db.name", "db.instance", "db.namespace"]).unwrap_or(system).to_owned()
    });
    let parent = written.references.iter().find(|reference| reference.ref_type != "FOLLOWS_FROM");
    let start = written.start_time.saturating_mul(1000);
    Span {
        trace: written.trace_id,
        id: written.span_id,
        parent: parent.map(|reference| reference.span_id.clone()),
        service,
        kind,
        start,
        end: start.saturating_add(written.duration.saturating_mul(1000)),
        failed,
        database,
        http: http(
            tag(tags, &["http.method", "http.request.method"]),
            tag(tags, &["http.route", "http.target", "url.path"]),
        ),
        name: written.operation_name,
    }
}
