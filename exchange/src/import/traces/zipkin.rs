//! Zipkin v2: a list of spans.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Kind, Span, byte, http, said};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    trace_id: String,
    id: String,
    #[serde(default)]
    parent_id: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    name: Option<String>,
    timestamp: u64,
    #[serde(default)]
    duration: Option<u64>,
    #[serde(default)]
    local_endpoint: Option<Place>,
    #[serde(default)]
    remote_endpoint: Option<Place>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(default)]
    service_name: Option<String>,
}

/// A list of spans, or a list of traces that are such lists.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Span(Box<Written>),
    Trace(Vec<Written>),
}

pub(super) fn spans(text: &str) -> Result<Vec<Span>, (String, usize)> {
    let problem = |error: serde_json::Error| (said(&error), byte(text, &error));
    // The plain form first: its mistakes have better places.
    let plain: Result<Vec<Written>, _> = serde_json::from_str(text);
    let written: Vec<Written> = match plain {
        Ok(written) => written,
        Err(error) => {
            let items: Vec<Item> = serde_json::from_str(text).map_err(|_| problem(error))?;
            items
                .into_iter()
                .flat_map(|item| match item {
                    Item::Span(span) => vec![*span],
                    Item::Trace(spans) => spans,
                })
                .collect()
        }
    };
    Ok(written.into_iter().map(span).collect())
}

fn span(written: Written) -> Span {
    let kind = match written.kind.as_deref() {
        Some("SERVER") => Kind::Server,
        Some("CLIENT") => Kind::Client,
        Some("PRODUCER") => Kind::Producer,
        Some("CONSUMER") => Kind::Consumer,
        _ => Kind::Internal,
    };
    let tag = |keys: &[&str]| keys.iter().find_map(|key| written.tags.get(*key)).map(String::as_str);
    let remote = written.remote_endpoint.as_ref().and_then(|place| place.service_name.clone());
    let is_database = tag(&["db.system", "sql.query", "db.type"]).is_some();
    let database = is_database.then(|| {
        remote.or_else(|| tag(&["db.name", "db.system"]).map(str::to_owned)).unwrap_or_else(|| "database".into())
    });
    let start = written.timestamp.saturating_mul(1000);
    let place = written.local_endpoint.and_then(|place| place.service_name);
    Span {
        trace: written.trace_id,
        // Server and client may share one id.
        id: if kind == Kind::Server { format!("{}/server", written.id) } else { written.id.clone() },
        parent: if kind == Kind::Server {
            Some(written.id).filter(|_| written.parent_id.is_some())
        } else {
            written.parent_id
        },
        service: place.unwrap_or_else(|| "unknown".into()),
        kind,
        start,
        end: start.saturating_add(written.duration.unwrap_or(0).saturating_mul(1000)),
        failed: written.tags.contains_key("error"),
        database,
        http: http(
            written.tags.get("http.method").map(String::as_str),
            written.tags.get("http.route").or_else(|| written.tags.get("http.path")).map(String::as_str),
        ),
        name: written.name.unwrap_or_default(),
    }
}
