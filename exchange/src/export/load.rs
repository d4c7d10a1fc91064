//! The load of a topology as scripts for Locust and k6.

use core::fmt::Write as _;

use serde_json::json;
use squall_model::Span;
use squall_model::spec::{Arrivals, Dist, EndpointRef, Load, Topology};

use super::{Exported, Options};

/// Something a load asks for.
struct Task {
    name: String,
    method: String,
    path: String,
    weight: f64,
}

fn tasks(topology: &Topology, load: &Load) -> Vec<Task> {
    let request = |to: &EndpointRef| {
        let service = topology.services.find(&to.service.value);
        let endpoint = service.and_then(|service| service.endpoints.find(&to.endpoint.value));
        let http = endpoint.map(|endpoint| endpoint.http_or_default(&to.endpoint.value));
        http.map_or_else(|| ("GET".into(), "/".into()), |http| (http.method, sample(&http.path)))
    };
    let mut tasks = Vec::new();
    if let Some(to) = &load.to {
        let (method, path) = request(to);
        tasks.push(Task { name: load.name.value.clone(), method, path, weight: 1.0 });
    }
    for task in &load.tasks {
        let (method, path) = request(&task.to);
        tasks.push(Task { name: task.name.value.clone(), method, path, weight: *task.weight });
    }
    tasks
}

/// A path with something in its open segments.
fn sample(path: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "1".to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Whole weights in the same proportion, as near as thousandths are.
fn whole(weights: &[f64]) -> Vec<u64> {
    if weights.iter().all(|weight| weight.fract() == 0.0 && *weight >= 1.0) {
        return weights.iter().map(|weight| *weight as u64).collect();
    }
    weights.iter().map(|weight| ((weight * 1000.0).round() as u64).max(1)).collect()
}

/// A name as programs have them.
fn identifier(text: &str) -> String {
    let name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
}

fn seconds(span: Span) -> f64 {
    span.as_secs_f64()
}

/// Python's expression for a think time, in seconds.
fn think(dist: &Dist, about: &str, notes: &mut Vec<String>) -> String {
    match dist {
        Dist::Constant(span) => format!("constant({})", seconds(*span)),
        Dist::Uniform { low, high } => format!("between({}, {})", seconds(*low), seconds(*high)),
        Dist::Exponential { mean } => format!("lambda self: random.expovariate({})", 1.0 / seconds(*mean).max(1e-9)),
        Dist::Normal { mean, deviation } => {
            format!("lambda self: max(0.0, random.gauss({}, {}))", seconds(*mean), seconds(*deviation))
        }
        other => {
            notes.push(format!("{about}: this think time; its mean would do, a second is written ({other:?})"));
            "constant(1)".into()
        }
    }
}

pub(super) fn locust(topology: &Topology) -> Exported {
    let mut notes = Vec::new();
    let mut text = format!(
        "\"\"\"The load of the topology {} for Locust: locust -f FILE --headless -u USERS --host http://127.0.0.1:PORT\"\"\"\n\
         import random\n\nfrom locust import HttpUser, between, constant, constant_throughput, task\n",
        topology.name.value.replace('"', "'")
    );
    for load in &topology.load {
        let about = load.name.value.as_str();
        let class: String = identifier(about).split('_').map(capital).collect();
        let wait = match load.users {
            Some(_) => think(&load.think, about, &mut notes),
            None => {
                notes.push(format!("{about}: an open loop; Locust's users wait for answers: run enough of them, one request a second each"));
                "constant_throughput(1)".into()
            }
        };
        if !load.stages.is_empty() {
            notes.push(format!("{about}: its stages; Locust wants a LoadTestShape"));
        }
        let users = load
            .users
            .as_ref()
            .map_or_else(|| load.rate.as_ref().map_or(1.0, |rate| rate.value.0).ceil() as u32, |users| users.value);
        let _ = write!(
            text,
            "\n\nclass {class}User(HttpUser):\n    \"\"\"{}: {users} users.\"\"\"\n\n    wait_time = {wait}\n",
            about.replace('"', "'")
        );
        let timeout = load
            .policy
            .timeout
            .as_ref()
            .map_or_else(|| "None".to_owned(), |timeout| seconds(timeout.value).to_string());
        of_users(load, &mut notes);
        let tasks = tasks(topology, load);
        let weights = whole(&tasks.iter().map(|task| task.weight).collect::<Vec<_>>());
        for (number, (task, weight)) in tasks.iter().zip(weights).enumerate() {
            let body = if matches!(task.method.as_str(), "POST" | "PUT" | "PATCH") { ", json={}" } else { "" };
            let _ = write!(
                text,
                "\n    @task({weight})\n    def {}_{number}(self):\n        self.client.request({}, {}, name={}, timeout={timeout}{body})\n",
                identifier(&task.name),
                json!(task.method),
                json!(task.path),
                json!(task.name),
            );
        }
    }
    Exported { text, notes }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

pub(super) fn k6(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut scenarios = serde_json::Map::new();
    let mut functions = String::new();
    for load in &topology.load {
        let name = identifier(&load.name);
        scenarios.insert(name.clone(), scenario(topology, load, &name, &mut notes));
        functions += &function(topology, load, &name, &mut notes);
    }
    let settings = json!({ "scenarios": scenarios });
    let text = format!(
        "// The load of the topology {} for k6: k6 run -e TARGET=http://127.0.0.1:PORT FILE\n\
         import http from 'k6/http';\nimport {{ sleep }} from 'k6';\n\n\
         const TARGET = __ENV.TARGET || 'http://127.0.0.1:{}';\n\nexport const options = {settings:#};\n{functions}",
        topology.name.value.replace(['\n', '\r'], " "),
        options.base_port,
    );
    Exported { text, notes }
}

fn time(span: Span) -> String {
    format!("{}ms", span.as_millis().max(1))
}

fn scenario(topology: &Topology, load: &Load, name: &str, notes: &mut Vec<String>) -> serde_json::Value {
    let about = &load.name.value;
    if matches!(load.arrivals.value, Arrivals::Poisson | Arrivals::Trace(_)) {
        notes.push(format!("{about}: random arrivals; k6 sends at even distances"));
    }
    let start = load.rate.as_ref().map_or(0.0, |rate| rate.value.0);
    let per_minute = |rate: f64| (rate * 60.0).round() as u64;
    let vus = |rate: f64| ((rate * 2.0).ceil() as u64).clamp(1, 10_000);
    if load.users.is_none() && load.stages.iter().any(|stage| stage.rate.is_some()) {
        let mut stages = Vec::new();
        for stage in &load.stages {
            let target = stage.rate.as_ref().map_or(0.0, |rate| rate.value.0);
            if *stage.hold {
                stages.push(json!({ "duration": "0s", "target": per_minute(target) }));
            }
            stages.push(json!({ "duration": time(*stage.lasts), "target": per_minute(target) }));
        }
        let most =
            load.stages.iter().filter_map(|stage| stage.rate.as_ref()).map(|rate| rate.value.0).fold(start, f64::max);
        let first = load.stages.first().and_then(|stage| stage.rate.as_ref()).map_or(start, |rate| rate.value.0);
        return json!({
            "executor": "ramping-arrival-rate", "startRate": per_minute(first), "timeUnit": "1m", "stages": stages,
            "preAllocatedVUs": vus(most), "maxVUs": vus(most) * 10, "exec": name,
        });
    }
    if let Some(users) = &load.users {
        let stages: Vec<_> = load
            .stages
            .iter()
            .filter_map(|stage| Some(json!({ "duration": time(*stage.lasts), "target": stage.users.as_ref()?.value })))
            .collect();
        if !stages.is_empty() {
            return json!({ "executor": "ramping-vus", "startVUs": users.value, "stages": stages, "exec": name });
        }
        return json!({ "executor": "constant-vus", "vus": users.value, "duration": time(*topology.duration), "exec": name });
    }
    json!({
        "executor": "constant-arrival-rate", "rate": per_minute(start).max(1), "timeUnit": "1m",
        "duration": time(*topology.duration), "preAllocatedVUs": vus(start), "maxVUs": vus(start) * 10, "exec": name,
    })
}

/// Users of a script send a request and wait for the answer; whatever else they do is told.
fn of_users(load: &Load, notes: &mut Vec<String>) {
    let policy = &load.policy;
    for (setting, there) in [
        ("deadline", policy.deadline.is_some()),
        ("retry", policy.retry.is_some()),
        ("breaker", policy.breaker.is_some()),
        ("bulkhead", policy.bulkhead.is_some()),
        ("rate_limit", policy.rate_limit.is_some()),
        ("throttle", policy.throttle.is_some()),
        ("pool", policy.pool.is_some()),
        ("hedge", policy.hedge.is_some()),
        ("fallback", policy.fallback.is_some()),
        ("propagate", policy.propagate.is_some()),
        ("balancer", policy.balancer.is_some()),
        ("network", policy.network.is_some()),
    ] {
        if there {
            notes.push(format!("{}: `{setting}`: the script's users send once and wait", load.name.value));
        }
    }
}

fn function(topology: &Topology, load: &Load, name: &str, notes: &mut Vec<String>) -> String {
    of_users(load, notes);
    let tasks = tasks(topology, load);
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    let mut text = format!("\nexport function {name}() {{\n  const chance = Math.random() * {total};\n");
    let timeout = load.policy.timeout.as_ref().map_or(60_000, |timeout| timeout.value.as_millis());
    let mut up_to = 0.0;
    for (number, task) in tasks.iter().enumerate() {
        up_to += task.weight;
        let branch = if number + 1 == tasks.len() { "{".to_owned() } else { format!("if (chance < {up_to}) {{") };
        let before = if number == 0 { "  " } else { " else " };
        let body = if matches!(task.method.as_str(), "POST" | "PUT" | "PATCH") { "'{}'" } else { "null" };
        let _ = write!(
            text,
            "{before}{branch}\n    http.request({}, TARGET + {}, {body}, {{ timeout: {timeout}, tags: {{ name: {} }}, \
             headers: {{ 'Content-Type': 'application/json' }} }});\n  }}",
            json!(task.method),
            json!(task.path),
            json!(task.name),
        );
    }
    text.push('\n');
    match &load.think.value {
        Dist::Constant(span) if span.is_zero() => {}
        Dist::Constant(span) => {
            let _ = writeln!(text, "  sleep({});", seconds(*span));
        }
        Dist::Uniform { low, high } => {
            let _ = writeln!(text, "  sleep({} + Math.random() * {});", seconds(*low), seconds(*high) - seconds(*low));
        }
        Dist::Exponential { mean } => {
            let _ = writeln!(text, "  sleep(-Math.log(1 - Math.random()) * {});", seconds(*mean));
        }
        _ => {
            notes.push(format!("{}: this think time; a second is written", load.name.value));
            text.push_str("  sleep(1);\n");
        }
    }
    text.push_str("}\n");
    text
}
