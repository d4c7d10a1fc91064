//! `squall import` and `squall export` as commands: where results go, exit codes, and that what is imported runs.

use std::collections::BTreeMap;
use std::path::Path;

use squall_exchange::import::{Format, Input, Options, import};
use squall_model::{plan, spec};
use squall_telemetry::trace::{Collector, SpanKind, Trace, export::otlp};
use squall_telemetry::{Recorder, step_for};

use crate::{fresh_folder, squall_in, written};

/// A sample file of the importers.
fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("exchange/tests/files").join(name).to_string_lossy().into_owned()
}

#[test]
fn an_imported_file_is_written_checked_and_runs() {
    let folder = fresh_folder("import");
    for (format, file) in
        [("resilience4j", "application.yml"), ("envoy", "envoy.yaml"), ("istio", "istio.yaml"), ("otlp", "otlp.json")]
    {
        let (out, notes) = written(&squall_in(&folder, &["import", format, &sample(file), "-o", "out.yaml"]).code(0));
        assert!(out.contains("out.yaml is written"), "{out}");
        assert!(format == "otlp" || notes.contains(&format!("{file}:")), "{notes}");
        let (report, _) = written(&squall_in(&folder, &["run", "out.yaml"]));
        assert!(report.contains(&format!("from-{format}")), "{report}");
    }
}

#[test]
fn several_inputs_become_one_topology() {
    let folder = fresh_folder("import-into");
    squall_in(&folder, &["import", "kubernetes", &sample("kubernetes.yaml"), "--into", "shop.yaml"]).code(0);
    squall_in(&folder, &["import", "istio", &sample("istio.yaml"), "--into", "shop.yaml"]).code(0);
    squall_in(&folder, &["check", "shop.yaml"]).code(0);
    let text = std::fs::read_to_string(folder.join("shop.yaml")).unwrap();
    assert!(text.contains("kubernetes.yaml:") && text.contains("istio.yaml:"), "{text}");
    assert!(text.contains("web:") && text.contains("kind: envoy_outlier"), "{text}");
}

#[test]
fn what_is_wrong_has_its_place_and_exit_code_2() {
    let folder = fresh_folder("import-wrong");
    std::fs::write(folder.join("a.yml"), "resilience4j:\n  retry:\n    instances:\n      a: {maxAttempts: lots}\n")
        .unwrap();
    let (out, errors) = written(&squall_in(&folder, &["import", "resilience4j", "a.yml"]).code(2));
    assert!(errors.contains("a.yml:4:24") && errors.contains("expected a whole number"), "{errors}");
    assert_eq!(out, "");
    for arguments in [
        &["import", "resilience5j", "a.yml"][..],
        &["import", "envoy", "none.yaml"],
        &["export", "envoi", "chain"],
        &["export", "envoy", "none"],
        &["export", "envoy", "chain", "--of", "gatway"],
    ] {
        squall_in(&folder, arguments).code(2);
    }
}

#[test]
fn every_format_is_listed_and_every_export_of_a_topology_works() {
    let folder = fresh_folder("export");
    let (formats, _) = written(&squall_in(&folder, &["export", "--formats"]).code(0));
    for format in formats.lines().filter_map(|line| line.split_whitespace().next()) {
        squall_in(&folder, &["export", format, "social", "-o", "out", "--quiet"]).code(0).stdout_eq("").stderr_eq("");
        assert!(std::fs::metadata(folder.join("out")).unwrap().len() > 50, "{format}");
    }
    let (formats, _) = written(&squall_in(&folder, &["import", "--formats"]).code(0));
    assert!(formats.lines().count() >= 16, "{formats}");
}

/// Every request of a topology, followed.
fn every_trace(text: &str, sets: &[(&str, &str)]) -> Vec<Trace> {
    let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let loaded = spec::load(text, &sets, &|_| Err("no files".into())).unwrap();
    let plan = plan::compile(&loaded.topology).unwrap();
    let (mut recorder, mut collector) =
        (Recorder::new(&plan, step_for(plan.duration)), Collector::of_all(0..plan.endpoints.len()));
    let ended = squall_engine::run(&plan, &mut (&mut recorder, &mut collector));
    collector.every_trace(&plan, ended.at).collect()
}

/// How long each endpoint took, sorted.
fn latencies(traces: &[Trace]) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans).filter(|span| span.kind == SpanKind::Request) {
        all.entry(span.name.clone()).or_default().push(span.end_ns - span.start_ns);
    }
    for times in all.values_mut() {
        times.sort_unstable();
    }
    all
}

#[test]
fn a_topology_made_of_traces_is_as_fast_as_the_one_they_are_of() {
    let social = std::fs::read_to_string(format!("{}/topologies/social.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let healthy = [("faults", "[]"), ("expect", "[]"), ("phases", "{}"), ("warmup", "0s"), ("duration", "300s")];
    let original = every_trace(&social, &healthy);
    let file = serde_json::to_string(&otlp(&original, 0)).unwrap();
    let inputs = [Input { name: "traces.json", text: &file }];
    let imported = import(Format::Otlp, &inputs, None, &Options::default()).unwrap();
    let text = imported.doc.render();
    assert!(text.contains("users-db") && text.contains("posts-db"), "{text}");
    let (before, after) = (
        latencies(&original),
        latencies(&every_trace(&text, &[("duration", "300s"), ("faults", "[]"), ("expect", "[]")])),
    );
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (endpoint, old) in &before {
        for share in [0.5, 0.99] {
            let at = |times: &[u64]| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1e6;
            let (old, new) = (at(old), at(&after[endpoint]));
            println!("{endpoint} at {share}: {old:.2} ms, from traces {new:.2} ms");
            assert!((new - old).abs() <= old * 0.1, "{endpoint} at {share}: {old} ms, from traces {new} ms\n{text}");
        }
    }
}
