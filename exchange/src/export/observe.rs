//! What watches the live services: a Prometheus scrape configuration, alert rules from `expect`, a Grafana dashboard.

use serde_json::{Value as Json, json};
use squall_model::spec::{BreakerChange, Metric, Op, Resource, Sentence, Subject, Topology};

use super::calls::Say;
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, quote, scalar};

/// The span over which rates are taken.
const OVER: &str = "1m";

pub(super) fn prometheus(topology: &Topology, options: &Options) -> Exported {
    let mut doc = Doc {
        header: vec![format!("Prometheus for `squall up {} --base-port {}`.", options.file, options.base_port)],
        ..Doc::default()
    };
    doc.root.map("global").say("scrape_interval", "5s");
    let mut job = Map::default();
    job.say("job_name", scalar(&topology.name));
    let mut port = u32::from(options.base_port);
    let mut all = Vec::new();
    for (_, service) in topology.services.iter() {
        for _ in 0..*service.replicas {
            all.push(Item::new(quote(&format!("127.0.0.1:{port}"))));
            port += 1;
        }
    }
    let mut targets = Map::default();
    targets.set("targets", all, "");
    job.set("static_configs", vec![Item::new(targets)], "");
    doc.root.set("scrape_configs", vec![Item::new(job)], "");
    Exported { text: doc.render(), notes: Vec::new() }
}

pub(super) fn alerts(topology: &Topology) -> Exported {
    let mut notes = Vec::new();
    let mut rules = Vec::new();
    for expectation in &topology.expect {
        let Some(expr) = violated(topology, &expectation.sentence) else {
            notes.push(format!("`{}`: no metric of the live services says it", expectation.text));
            continue;
        };
        if !matches!(&expectation.sentence, Sentence::Compare { phase: None, .. }) {
            notes.push(format!("`{}`: an alert watches all the time, whatever the phase", expectation.text));
        }
        let mut rule = Map::default();
        rule.say("alert", format!("Expectation{}", rules.len() + 1));
        rule.say("expr", quote(&expr));
        rule.say("for", OVER);
        rule.map("labels").say("topology", scalar(&topology.name));
        rule.map("annotations").say("summary", quote(&format!("not so: {}", expectation.text)));
        rules.push(Item::new(rule));
    }
    let mut group = Map::default();
    group.say("name", scalar(&topology.name));
    group.set("rules", rules, "");
    let mut doc = Doc::default();
    doc.root.set("groups", vec![Item::new(group)], "");
    Exported { text: doc.render(), notes }
}

/// An expression that is true while the sentence is not.
fn violated(topology: &Topology, sentence: &Sentence) -> Option<String> {
    match sentence {
        Sentence::Compare { subject, metric, op, value, .. } => {
            let figure = figure(topology, subject, **metric)?;
            let scale = if latency(**metric).is_some() { **value / 1e9 } else { **value };
            let opposite = match op {
                Op::Less => ">=",
                Op::AtMost => ">",
                Op::More => "<=",
                Op::AtLeast => "<",
                Op::Equal => "!=",
                Op::Unequal => "==",
            };
            Some(format!("{figure} {opposite} {scale}"))
        }
        Sentence::Breaker { subject, change: BreakerChange::Closes, .. } => {
            let call = call(subject)?;
            Some(format!("max(squall_breaker_state{{call=\"{call}\",state=\"open\"}}) == 1"))
        }
        Sentence::Saturate { subject, resource, .. } if **resource == Resource::Workers => {
            let Subject::Name(name) = &subject.value else { return None };
            let of = format!("{{service=\"{}\"}}", name.value);
            Some(format!("max(squall_workers_busy{of} / squall_workers{of}) < 1"))
        }
        _ => None,
    }
}

fn call(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Call { from, to } => Some(format!("{} -> {}", from.value, to.value)),
        _ => None,
    }
}

/// The labels of the requests that a subject is about: loads are the endpoints that they ask for.
fn requests(topology: &Topology, subject: &Subject) -> Option<String> {
    let endpoint = |to: &squall_model::spec::EndpointRef| {
        format!("service=\"{}\",endpoint=\"{}\"", to.service.value, to.endpoint.value)
    };
    match subject {
        Subject::Name(name) => {
            let load = topology.load.iter().find(|load| load.name.value == name.value);
            if let Some(load) = load {
                return load.to.as_ref().map(|to| endpoint(to));
            }
            topology.services.find(&name.value).map(|_| format!("service=\"{}\"", name.value))
        }
        Subject::Member { of, member } => {
            let load = topology.load.iter().find(|load| load.name.value == of.value);
            if let Some(load) = load {
                let task = load.tasks.iter().find(|task| task.name.value == member.value)?;
                return Some(endpoint(&task.to));
            }
            Some(format!("service=\"{}\",endpoint=\"{}\"", of.value, member.value))
        }
        Subject::System | Subject::Call { .. } => None,
    }
}

/// The quantile of a latency.
const fn latency(metric: Metric) -> Option<f64> {
    match metric {
        Metric::P50 => Some(0.5),
        Metric::P90 => Some(0.9),
        Metric::P95 => Some(0.95),
        Metric::P99 => Some(0.99),
        Metric::P999 => Some(0.999),
        _ => None,
    }
}

fn figure(topology: &Topology, subject: &Subject, metric: Metric) -> Option<String> {
    if let Some(call) = call(subject) {
        let attempts = format!("sum(rate(squall_call_attempts_total{{call=\"{call}\"}}[{OVER}]))");
        let retries = format!("sum(increase(squall_call_retries_total{{call=\"{call}\"}}[{OVER}]))");
        let calls = format!("sum(rate(squall_calls_total{{call=\"{call}\"}}[{OVER}]))");
        return match metric {
            Metric::AttemptsPerCall => Some(format!("{attempts} / {calls}")),
            Metric::Retries => Some(retries),
            Metric::Success => Some(share("squall_calls_total", &format!("call=\"{call}\""), "ok|degraded")),
            Metric::Failed => {
                Some(format!("1 - {}", share("squall_calls_total", &format!("call=\"{call}\""), "ok|degraded")))
            }
            _ => None,
        };
    }
    let of = requests(topology, subject)?;
    let total = format!("sum(rate(squall_requests_total{{{of}}}[{OVER}]))");
    if let Some(quantile) = latency(metric) {
        let buckets = format!("sum by (le) (rate(squall_request_duration_seconds_bucket{{{of}}}[{OVER}]))");
        return Some(format!("histogram_quantile({quantile}, {buckets})"));
    }
    match metric {
        Metric::Success => Some(share("squall_requests_total", &of, "ok|degraded")),
        Metric::Degraded => Some(share("squall_requests_total", &of, "degraded")),
        Metric::Failed => Some(format!("1 - {}", share("squall_requests_total", &of, "ok|degraded"))),
        Metric::Rate => Some(total),
        Metric::Goodput => Some(format!("sum(rate(squall_requests_total{{{of},outcome=~\"ok|degraded\"}}[{OVER}]))")),
        Metric::Rejected => Some(format!("sum(increase(squall_requests_total{{{of},outcome=\"rejected\"}}[{OVER}]))")),
        Metric::Workers => Some(format!("sum(squall_workers_busy{{{of}}})")),
        Metric::Queue => Some(format!("sum(squall_queue_length{{{of}}})")),
        _ => None,
    }
}

fn share(name: &str, of: &str, outcomes: &str) -> String {
    format!("sum(rate({name}{{{of},outcome=~\"{outcomes}\"}}[{OVER}])) / sum(rate({name}{{{of}}}[{OVER}]))")
}

pub(super) fn grafana(topology: &Topology) -> Exported {
    let panels = [
        (
            "Requests a second",
            "reqps",
            "sum by (service, outcome) (rate(squall_requests_total[$__rate_interval]))",
            "{{service}} {{outcome}}",
        ),
        (
            "Latency, p99",
            "s",
            "histogram_quantile(0.99, sum by (le, service) (rate(squall_request_duration_seconds_bucket[$__rate_interval])))",
            "{{service}}",
        ),
        (
            "Latency, p50",
            "s",
            "histogram_quantile(0.5, sum by (le, service) (rate(squall_request_duration_seconds_bucket[$__rate_interval])))",
            "{{service}}",
        ),
        (
            "Share that failed",
            "percentunit",
            "1 - sum by (service) (rate(squall_requests_total{outcome=~\"ok|degraded\"}[$__rate_interval])) / sum by (service) (rate(squall_requests_total[$__rate_interval]))",
            "{{service}}",
        ),
        ("Workers busy", "short", "sum by (service) (squall_workers_busy)", "{{service}}"),
        ("Queue", "short", "sum by (service) (squall_queue_length)", "{{service}}"),
        (
            "Attempts per call",
            "short",
            "sum by (call) (rate(squall_call_attempts_total[$__rate_interval])) / sum by (call) (rate(squall_calls_total[$__rate_interval]))",
            "{{call}}",
        ),
        ("Breakers open", "short", "max by (call) (squall_breaker_state{state=\"open\"})", "{{call}}"),
    ];
    let panel = |(index, (title, unit, expr, legend)): (usize, &(&str, &str, &str, &str))| -> Json {
        json!({
            "id": index + 1, "type": "timeseries", "title": title,
            "datasource": { "type": "prometheus", "uid": "${datasource}" },
            "gridPos": { "h": 8, "w": 12, "x": index % 2 * 12, "y": index / 2 * 8 },
            "fieldConfig": { "defaults": { "unit": unit, "min": 0 }, "overrides": [] },
            "options": { "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } },
            "targets": [{ "refId": "A", "expr": expr, "legendFormat": legend, "datasource": { "type": "prometheus", "uid": "${datasource}" } }],
        })
    };
    let dashboard = json!({
        "title": format!("squall: {}", topology.name.value),
        "uid": null,
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "refresh": "5s",
        "time": { "from": "now-15m", "to": "now" },
        "tags": ["squall"],
        "templating": { "list": [{ "name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus" }] },
        "annotations": { "list": [] },
        "panels": panels.iter().enumerate().map(panel).collect::<Vec<_>>(),
    });
    Exported { text: format!("{dashboard:#}\n"), notes: Vec::new() }
}
