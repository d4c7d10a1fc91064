//! Traces of the built-in topologies: every one adds up, and the request at a percentile is the one that the report means.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;
use squall_model::{plan, spec};
use squall_telemetry::trace::{Collector, SpanKind, Trace, export};
use squall_telemetry::{Recorder, step_for};

use super::{json, names};
use crate::{squall, written};

/// Every request of a topology, followed; and how long fibers did nothing that has a name.
fn every_trace(name: &str) -> (Vec<Trace>, u64) {
    let text = std::fs::read_to_string(format!("{}/topologies/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let loaded = spec::load(&text, &[], &|_| Err("no files".into())).unwrap();
    let plan = plan::compile(&loaded.topology).unwrap();
    let (mut recorder, mut collector) =
        (Recorder::new(&plan, step_for(plan.duration)), Collector::of_all(0..plan.endpoints.len()));
    let ended = squall_engine::run(&plan, &mut (&mut recorder, &mut collector));
    let mut alone = Recorder::new(&plan, step_for(plan.duration));
    squall_engine::run(&plan, &mut alone);
    let digest = |recorder: Recorder| recorder.finish(ended.at).fingerprint().to_string();
    assert_eq!(digest(recorder), digest(alone), "{name}: following requests changes nothing");
    let traces: Vec<_> = collector.every_trace(&plan, ended.at).collect();
    (traces, collector.unexplained(ended.at))
}

#[test]
fn the_critical_path_of_every_request_has_no_gap_and_adds_up_to_its_latency() {
    for name in names() {
        let (traces, unexplained) = every_trace(&name);
        assert!(traces.len() > 100, "{name} has {} traces", traces.len());
        assert_eq!(unexplained, 0, "{name}: something takes time that no trace knows of");
        for trace in &traces {
            let mut now = trace.start_ns;
            for segment in &trace.critical_path {
                assert_eq!(segment.start_ns, now, "{name}: a gap in {trace:#?}");
                assert!(trace.spans.iter().any(|span| span.id == segment.span), "{name}: no span of {segment:?}");
                now = segment.end_ns;
            }
            assert_eq!(now, trace.end_ns, "{name}: {trace:#?}");
            let sum: u64 = trace.by_cause.iter().map(|part| part.ns).sum();
            assert_eq!(sum, trace.latency_ns, "{name}: {trace:#?}");
        }
    }
}

#[test]
fn spans_are_a_tree_whose_children_begin_no_earlier_than_their_parents() {
    for name in ["cascade", "retry-storm", "social", "graceful-degradation"] {
        let (traces, _) = every_trace(name);
        for trace in traces {
            let mut ids: Vec<_> = trace.spans.iter().map(|span| &span.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), trace.spans.len(), "{name}: an id twice in {}", trace.trace_id);
            for (at, span) in trace.spans.iter().enumerate() {
                let Some(id) = &span.parent else {
                    assert_eq!((at, span.kind), (0, SpanKind::User), "{name}: {span:?}");
                    continue;
                };
                let parent = trace.spans[..at].iter().find(|other| &other.id == id);
                let parent = parent.unwrap_or_else(|| panic!("{name}: no parent before {span:?}"));
                assert!(parent.start_ns <= span.start_ns, "{name}: {parent:?} {span:?}");
                assert!(!span.critical || parent.critical, "{name}: {parent:?} {span:?}");
            }
        }
    }
}

#[test]
fn the_request_at_a_percentile_took_as_long_as_the_report_says() {
    for name in names() {
        let report = json(&["run", &name]);
        for (load, figures) in report["load"].as_object().unwrap() {
            for (at, key) in [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("slowest", "max")] {
                let Some(reported) = figures["latency_ms"][key].as_f64() else { continue };
                let traced = json(&["trace", &name, "--at", at, "--of", load]);
                let found = traced["traces"][0]["latency_ns"].as_u64().unwrap() as f64 / 1e6;
                // Within a bucket of the histogram on either side.
                assert!((found - reported).abs() <= reported / 512.0, "{name}: {at} of {load}: {found} and {reported}");
                assert_eq!(traced["digest"], report["digest"], "{name}");
            }
        }
    }
}

#[test]
fn the_first_failure_of_the_cascade_is_a_timeout_that_waits_for_the_query() {
    let traced = json(&["trace", "cascade", "--at", "first-failure"]);
    let trace = &traced["traces"][0];
    assert_eq!((trace["outcome"].as_str(), trace["end_ns"].as_u64()), (Some("timeout"), Some(21_980_000_000)));
    let longest = &trace["by_cause"][0];
    assert_eq!((longest["cause"].as_str(), longest["place"].as_str()), (Some("query"), Some("stock-db")));
    let wasted = trace["spans"].as_array().unwrap().iter().filter(|span| span["wasted"] == true).count();
    assert!(wasted > 3, "order and inventory work on for nobody: {trace}");
}

#[test]
fn a_waterfall_marks_what_the_user_waited_for() {
    let (out, _) = written(&squall(&["trace", "cascade", "--at", "p50"]).success());
    let head = out.lines().next().unwrap();
    assert_eq!(head, "p50 checkout: 50ms, ok");
    for line in ["own work order", "query stock-db", "●   checkout -> gateway", "●             inventory.reserve"] {
        assert!(out.contains(line), "`{line}` is not in {out}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_with_a_hint() {
    let table: [(&[&str], &str); 6] = [
        (&["--at", "p101"], "`--at p101` names no request"),
        (&["--at", "soon"], "slowest, first-failure"),
        (&["--of", "chekout"], "did you mean `checkout`?"),
        (&["--phase", "helthy"], "did you mean `healthy`?"),
        (&["--at", "first-failure", "--phase", "healthy"], "no request of checkout in healthy failed"),
        (&["--at", "p99", "--phase", "starved"], "no request of checkout in starved was answered"),
    ];
    for (arguments, expected) in table {
        let all: Vec<&str> = ["trace", "cascade"].iter().chain(arguments).copied().collect();
        let (_, err) = written(&squall(&all).code(2));
        assert!(err.contains(expected) && err.contains("hint"), "{arguments:?}: {err}");
    }
}

#[test]
fn exports_have_every_span_at_its_time() {
    let folder = crate::fresh_folder("trace-exports");
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let names = ["otlp", "zipkin", "jaeger"].map(path);
    let [otlp, zipkin, jaeger] = &names;
    let arguments = [
        "trace",
        "social",
        "--at",
        "p99",
        "--otlp",
        otlp,
        "--zipkin",
        zipkin,
        "--jaeger",
        jaeger,
        "--epoch",
        "1700000000",
    ];
    let found = json(&arguments);
    let read = |path: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let spans = found["traces"][0]["spans"].as_array().unwrap();
    let start = found["traces"][0]["start_ns"].as_u64().unwrap() + 1_700_000_000_000_000_000;
    let [otlp, zipkin, jaeger] = [otlp, zipkin, jaeger].map(|path| read(path));
    let of_service = |resource: &Value| resource["scopeSpans"][0]["spans"].as_array().unwrap().len();
    assert_eq!(otlp["resourceSpans"].as_array().unwrap().iter().map(of_service).sum::<usize>(), spans.len());
    assert_eq!(otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"], start.to_string());
    assert_eq!(zipkin.as_array().unwrap().len(), spans.len());
    assert_eq!(zipkin[0]["timestamp"], start / 1_000);
    assert_eq!(jaeger["data"][0]["spans"].as_array().unwrap().len(), spans.len());
    assert_eq!(jaeger["data"][0]["spans"][0]["startTime"], start / 1_000);
    let services: Vec<_> = jaeger["data"][0]["processes"].as_object().unwrap().values().collect();
    assert!(services.len() >= 3, "{services:?}");
}

#[test]
fn opentelemetrys_own_types_read_what_is_written_and_what_is_sent() {
    const BEGAN: u64 = 1_700_000_000_000_000_000;
    let (traces, _) = every_trace("retry-storm");
    let some: Vec<Trace> = traces.into_iter().step_by(101).collect();
    let otlp = export::otlp(&some, BEGAN);
    let text = serde_json::to_string(&otlp).unwrap();
    let read: ExportTraceServiceRequest = serde_json::from_str(&text).unwrap();
    let sent = ExportTraceServiceRequest::decode(export::protobuf(&otlp).as_slice()).unwrap();
    assert_eq!(read, sent, "as JSON and as protobuf it is the same");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut found: Vec<_> = read
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .map(|span| {
            let times = (span.start_time_unix_nano - BEGAN, span.end_time_unix_nano - BEGAN);
            let parent = Some(hex(&span.parent_span_id)).filter(|parent| !parent.is_empty());
            (hex(&span.trace_id), hex(&span.span_id), parent, times)
        })
        .collect();
    let of = |trace: &Trace| -> Vec<_> {
        let one = |span: &squall_telemetry::trace::Span| {
            (trace.trace_id.clone(), span.id.clone(), span.parent.clone(), (span.start_ns, span.end_ns))
        };
        trace.spans.iter().map(one).collect()
    };
    let mut expected: Vec<_> = some.iter().flat_map(of).collect();
    found.sort();
    expected.sort();
    assert!(expected.len() > 500, "{}", expected.len());
    assert_eq!(found, expected);
}

#[test]
fn over_real_http_the_spans_of_all_services_make_one_trace_that_adds_up() {
    let found = json(&[
        "trace",
        "chain",
        "--live",
        "--duration",
        "2s",
        "--set",
        "expect=[]",
        "--set",
        "phases={}",
        "--at",
        "p50",
    ]);
    assert_eq!(found["world"], "live");
    let trace = &found["traces"][0];
    let count = |kind: &str| trace["spans"].as_array().unwrap().iter().filter(|span| span["kind"] == kind).count();
    assert_eq!((count("user"), count("attempt"), count("request"), count("query")), (1, 3, 3, 1), "{trace:#}");
    let sum: u64 = trace["by_cause"].as_array().unwrap().iter().map(|part| part["ns"].as_u64().unwrap()).sum();
    assert_eq!(Some(sum), trace["latency_ns"].as_u64());
    let causes: Vec<_> =
        trace["by_cause"].as_array().unwrap().iter().map(|part| part["cause"].as_str().unwrap()).collect();
    assert!(causes.contains(&"network") && causes.contains(&"work") && causes.contains(&"query"), "{causes:?}");
    assert!(trace["latency_ns"].as_u64().unwrap() >= 50_000_000, "{trace:#}");
}

/// Every kind of time that a request can spend, in a topology where each request spends some of each.
#[test]
fn in_both_worlds_there_is_a_span_for_every_way_to_spend_time() {
    let file = format!("{}/tests/files/spans.yaml", env!("CARGO_MANIFEST_DIR"));
    let took = |spans: &[&Value]| -> f64 {
        let ns = |span: &&Value| span["end_ns"].as_u64().unwrap() - span["start_ns"].as_u64().unwrap();
        spans.iter().map(ns).max().unwrap_or(0) as f64 / 1e6
    };
    for live in [&[][..], &["--live"]] {
        let found = json(&[&["trace", &file, "--at", "p50"], live].concat());
        let trace = &found["traces"][0];
        let spans = trace["spans"].as_array().unwrap();
        let of = |kind: &str, name: &str| -> Vec<&Value> {
            spans.iter().filter(|span| span["kind"] == kind && span["name"] == name).collect()
        };
        // The kind, what it is of, how many there are, and the least that the longest takes.
        let table = [
            ("user", "readers", 1, 100.0),
            ("request", "front.page", 1, 100.0),
            ("cache", "shelf", 1, 2.0),
            ("hedge", "front -> slow", 1, 30.0),
            ("attempt", "front -> broken", 2, 2.0),
            ("back_off", "front -> broken", 1, 20.0),
            ("fallback", "front -> broken", 1, 2.0),
            ("held", "front -> narrow", 1, 20.0),
            ("connection", "front -> lean", 1, 20.0),
            ("queue", "lean", 0, 0.0),
            ("connection", "store", 1, 10.0),
            ("query", "store", 2, 10.0),
            ("publish", "news", 1, 3.0),
        ];
        for (kind, name, count, least) in table {
            let seen = of(kind, name);
            // The first connection of a pool has to be opened: that takes time, too.
            let enough = if kind == "connection" { seen.len() >= count } else { seen.len() == count };
            assert!(enough, "{live:?}: {} of {kind} {name}: {trace:#}", seen.len());
            assert!(took(&seen) >= least, "{live:?}: {kind} {name} takes {} ms", took(&seen));
        }
        let causes: Vec<_> =
            trace["by_cause"].as_array().unwrap().iter().map(|part| part["cause"].as_str().unwrap()).collect();
        for cause in
            ["cache", "back_off", "fallback", "held", "connection", "query", "publish", "network", "wait", "work"]
        {
            assert!(causes.contains(&cause), "{live:?}: {cause} is not in {causes:?}");
        }
        let sum: u64 = trace["by_cause"].as_array().unwrap().iter().map(|part| part["ns"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), trace["latency_ns"].as_u64(), "{live:?}");
    }
}
