//! What a configuration does not say and a topology needs: services around the calls, a load, a storm. All of it is
//! marked as assumed. And the header, which says what could not be mapped.

use super::cx::{APPROXIMATED, Cx, NOT_MAPPED, TRAP};
use crate::doc::{Item, Map, Value};

/// The comment beside what nobody said.
pub(super) const ASSUMED: &str = "assumed";
/// The endpoint of a service of which only its name is known.
pub(super) const ENDPOINT: &str = "handle";

/// The order of a topology's keys.
const KEYS: [&str; 15] = [
    "name",
    "about",
    "seed",
    "duration",
    "drain",
    "warmup",
    "phases",
    "network",
    "defaults",
    "services",
    "databases",
    "caches",
    "topics",
    "load",
    "faults",
];

/// Completes the topology around the calls.
pub(super) fn complete(cx: &mut Cx<'_>) {
    let calls = cx.calls.clone();
    for (from, to) in &calls {
        if !cx.doc.root.map("services").has(to) || cx.service(to).inner("endpoints").is_none_or(Map::is_empty) {
            assume_callee(cx, to);
        }
        if !cx.edges.contains(&(from.clone(), to.clone())) {
            assume_caller(cx, from, to);
        }
    }
    for name in services(cx) {
        let known: Vec<&str> = SERVICE_KEYS.to_vec();
        cx.service(&name).arrange(&known);
    }
    if !cx.added {
        assume_storm(cx, &calls);
        if !cx.doc.root.has("name") {
            let name = cx.format.name();
            cx.doc.root.set("name", format!("from-{name}"), "");
            cx.doc.root.set("duration", "60s", "");
        }
        cx.doc.root.arrange(&KEYS);
    }
}

const SERVICE_KEYS: [&str; 11] = [
    "replicas",
    "workers",
    "queue",
    "cores",
    "memory",
    "cold_start",
    "balancer",
    "admission",
    "autoscale",
    "endpoints",
    "calls",
];

fn services(cx: &Cx<'_>) -> Vec<String> {
    cx.doc.root.inner("services").map(|services| services.keys().map(str::to_owned).collect()).unwrap_or_default()
}

fn assume_callee(cx: &mut Cx<'_>, to: &str) {
    let endpoint = cx.service(to).map("endpoints").map(ENDPOINT);
    let mut work = Map::default();
    work.set("work", "10ms", format!("{ASSUMED}: put in what {to} takes"));
    endpoint.set("steps", vec![Item::new(work)], "");
}

/// A caller that does not call yet gets an endpoint that does.
fn assume_caller(cx: &mut Cx<'_>, from: &str, to: &str) {
    let callee = cx.service(to).inner("endpoints").and_then(|endpoints| endpoints.keys().next().map(str::to_owned));
    let callee = callee.unwrap_or_else(|| ENDPOINT.into());
    let calls_already = cx.service(from).value("endpoints").is_some_and(|endpoints| mentions(endpoints, to));
    if calls_already {
        return;
    }
    let mut call = Map::default();
    call.set("call", format!("{to}.{callee}"), ASSUMED);
    let endpoint = cx.service(from).map("endpoints").map(to);
    endpoint.set("steps", vec![Item::new(call)], "");
}

/// Whether a step somewhere in `value` calls `to`.
fn mentions(value: &Value, to: &str) -> bool {
    let calls = |text: &str| text.split('.').next() == Some(to);
    match value {
        Value::Plain(_) => false,
        Value::Map(map) => map.iter().any(|entry| match (&entry.value, entry.key.as_str()) {
            (Value::Plain(text), "call" | "to") => calls(text),
            (inner, _) => mentions(inner, to),
        }),
        Value::List(items) => items.iter().any(|item| mentions(&item.value, to)),
    }
}

/// A load on whoever nobody calls, and a slow callee.
fn assume_storm(cx: &mut Cx<'_>, calls: &[(String, String)]) {
    let Some((_, slow)) = calls.first() else { return };
    if !cx.doc.root.has("load") {
        for (service, endpoint) in ways_in(cx) {
            let single = calls.iter().filter(|(from, _)| *from == service).count() < 2;
            let mut load = Map::default();
            load.set("name", if single { service.clone() } else { format!("{service}-{endpoint}") }, "");
            load.set("to", format!("{service}.{endpoint}"), "");
            load.set("rate", "100/s", "");
            load.set("arrivals", "poisson", "");
            let item = Item::new(load).beside(format!("{ASSUMED}: put in your load"));
            cx.doc.root.list("load").push(item);
        }
        cx.doc.root.entry("load").above = vec![String::new()];
    }
    let storm = format!("{slow}-slow");
    let mut fault = Map::default();
    for (key, value) in [("name", storm.as_str()), ("at", "20s"), ("for", "20s"), ("target", slow), ("latency", "5s")] {
        fault.set(key, value, "");
    }
    cx.doc.root.list("faults").push(Item::new(fault).beside(format!("{ASSUMED}: what should it survive?")));
    cx.doc.root.entry("faults").above = vec![String::new()];
    let expect = cx.doc.root.list("expect");
    expect.push(Item::new(format!("system success >= 99% before {storm}")));
    expect.push(Item::new(format!("system recovers within 10s after {storm}")));
    cx.doc.root.entry("expect").above = vec![String::new()];
}

/// Endpoints of services that call others and that nobody calls.
fn ways_in(cx: &Cx<'_>) -> Vec<(String, String)> {
    let called: Vec<&str> = cx.calls.iter().map(|(_, to)| to.as_str()).collect();
    let mut ways = Vec::new();
    let Some(services) = cx.doc.root.inner("services") else { return ways };
    for entry in services.iter().filter(|entry| !called.contains(&entry.key.as_str())) {
        if let Value::Map(service) = &entry.value
            && let Some(endpoints) = service.inner("endpoints")
        {
            ways.extend(endpoints.keys().map(|endpoint| (entry.key.clone(), endpoint.to_owned())));
        }
    }
    ways
}

/// Says what was read, what the comments mean, and what is missing.
pub(super) fn header(cx: &mut Cx<'_>) {
    let names: Vec<&str> = cx.inputs.iter().map(|input| input.name).collect();
    let shown = names.iter().take(8).map(|name| name.rsplit('/').next().unwrap_or(name)).collect::<Vec<_>>().join(", ");
    let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    let mut lines = vec![format!("From {} ({shown}{more}).", cx.format.name())];
    if !cx.added {
        lines.push("#".into());
        lines.push(
            "Beside each value stands the file and line it comes from; `default` is what the original does where"
                .into(),
        );
        lines.push("nothing is written; `assumed` is squall's: put in your own.".into());
    }
    let kinds = [(NOT_MAPPED, "Not mapped:"), (APPROXIMATED, "Nearly the same:"), (TRAP, "Beware:")];
    for (kind, title) in kinds {
        let of_kind: Vec<String> = cx
            .notes
            .iter()
            .filter(|note| note.lint == Some(kind))
            .map(|note| format!("  {}  {}", cx.place(note.at), one_line(&note.what)))
            .collect();
        if !of_kind.is_empty() {
            lines.push("#".into());
            lines.push(title.into());
            lines.extend(of_kind);
        }
    }
    if cx.added && !cx.doc.header.is_empty() {
        lines.insert(0, "#".into());
        let last = cx.doc.header.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        cx.doc.header.splice(last..last, lines);
    } else {
        lines.push(String::new());
        cx.doc.header.splice(0..0, lines);
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
