//! From traces to a topology: services, what each endpoint calls and how often, its own time, errors, and the load.
//!
//! One file a format turns spans into [`Span`]s; the rest does not know where they came from.

mod endpoint;
mod fit;
mod jaeger;
mod otlp;
mod tree;
mod zipkin;

use squall_model::spec::{At, Problem};

use super::cx::Cx;
use super::skeleton::ASSUMED;
use crate::doc::{Item, Map};
use tree::Forest;

/// What a span is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A request at a service.
    Server,
    /// A call of another service, or of a database.
    Client,
    /// A message put on a queue.
    Producer,
    /// A message taken from a queue.
    Consumer,
    /// Anything else.
    Internal,
}

/// One span of a trace, whatever it was written in.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// In nanoseconds.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) failed: bool,
    /// The database that it asks.
    pub(super) database: Option<String>,
    /// `GET /users/{id}`
    pub(super) http: Option<String>,
}

/// What takes longer is no request: a clock was wrong, or the span's end was never written.
const LONGEST: u64 = 86_400_000_000_000;

/// Which format the traces are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Otlp,
    Jaeger,
    Zipkin,
}

pub(super) fn import(cx: &mut Cx<'_>, source: Source) {
    let mut spans = Vec::new();
    for index in 0..cx.inputs.len() {
        let text = cx.inputs[index].text;
        let read = match source {
            Source::Otlp => otlp::spans(text),
            Source::Jaeger => jaeger::spans(text),
            Source::Zipkin => zipkin::spans(text),
        };
        match read {
            Ok(found) => spans.extend(found),
            Err((what, at)) => {
                let at = At::new(index as u16, at..(at + 1).min(text.len().max(at)));
                cx.errors.push(Problem::error(at, what).hint("is it a file of traces in this format?"));
            }
        }
    }
    if !cx.errors.is_empty() {
        return;
    }
    let before = spans.len();
    spans.retain(|span| span.end.saturating_sub(span.start) <= LONGEST);
    match before - spans.len() {
        0 => {}
        1 => cx.not_mapped(At::default(), "1 span takes longer than a day", ""),
        left => cx.not_mapped(At::default(), format!("{left} spans take longer than a day"), ""),
    }
    if spans.is_empty() {
        return cx.error(At::default(), "there is no span in here", "");
    }
    let forest = Forest::new(spans);
    for note in &forest.notes {
        cx.not_mapped(At::default(), note.clone(), "");
    }
    write(cx, &forest);
}

fn write(cx: &mut Cx<'_>, forest: &Forest) {
    let endpoints = endpoint::all(forest);
    if let Some(network) = forest.network() {
        cx.doc.root.set("network", network, "median of what lies between caller and callee");
    }
    for endpoint in &endpoints {
        let (service, name) = (cx.name(&endpoint.service), cx.name(&endpoint.name));
        for (to, _) in &endpoint.callees {
            let to = cx.name(to);
            let pair = (service.clone(), to);
            if pair.0 != pair.1 && !cx.calls.contains(&pair) {
                cx.calls.push(pair);
            }
        }
        let http = endpoint.http.as_ref().filter(|http| plain(http)).cloned();
        let steps = endpoint.steps(|text| cx.name(text));
        let map = cx.service(&service).map("endpoints").map(&name);
        if let Some(http) = http {
            map.set("http", crate::doc::scalar(&http), "");
        }
        map.set("steps", steps, format!("{} spans", endpoint.visits));
    }
    for (name, dist) in forest.databases() {
        let name = cx.name(&name);
        let database = cx.doc.root.map("databases").map(&name);
        database.set("connections", "unlimited", ASSUMED);
        database.set("query", dist.0, format!("{} spans", dist.1));
    }
    load(cx, forest);
}

/// Whether a topology can have it as `http`.
fn plain(http: &str) -> bool {
    let (method, path) = http.split_once(' ').unwrap_or(("", ""));
    let words = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    words.contains(&method) && super::values::is_path(path)
}

/// Whoever has no caller is asked from outside, as often as in the traces.
fn load(cx: &mut Cx<'_>, forest: &Forest) {
    if cx.added && cx.doc.root.has("load") {
        return;
    }
    let mut items = Vec::new();
    for (service, endpoint, rate) in forest.ways_in() {
        let (service, endpoint) = (cx.name(&service), cx.name(&endpoint));
        let mut load = Map::default();
        let clashes = cx.doc.root.inner("databases").is_some_and(|databases| databases.has(&endpoint));
        let taken = items.iter().any(
            |item: &Item| matches!(&item.value, crate::doc::Value::Map(map) if map.text("name") == Some(&endpoint)),
        );
        load.set("name", if clashes || taken { format!("{service}-{endpoint}") } else { endpoint.clone() }, "");
        load.set("to", format!("{service}.{endpoint}"), "");
        load.set("rate", format!("{}/s", fit::rounded(rate)), "");
        load.set("arrivals", "poisson", "");
        items.push(Item::new(load));
    }
    cx.doc.root.set("load", items, "");
    cx.doc.root.entry("load").above =
        vec![String::new(), "As often as in the traces; sampled traces show only a part.".into()];
}

/// The methods and paths that attributes say.
pub(super) fn http(method: Option<&str>, route: Option<&str>) -> Option<String> {
    let (method, route) = (method?, route?);
    let path = route.split(['?', '#']).next().unwrap_or(route);
    let open = |segment: &str| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    };
    let path = path.split('/').map(open).collect::<Vec<_>>().join("/");
    Some(format!("{} {path}", method.to_uppercase()))
}

/// Where in `text` serde stopped, as a byte.
pub(super) fn byte(text: &str, error: &serde_json::Error) -> usize {
    let start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let byte = (start + error.column().saturating_sub(1)).min(text.len());
    (0..=byte).rev().find(|&byte| text.is_char_boundary(byte)).unwrap_or(0)
}

/// What serde says without its place, which is told otherwise.
pub(super) fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.strip_prefix("EOF while parsing").map_or_else(|| text.to_owned(), |rest| format!("the file ends within{rest}"))
}
