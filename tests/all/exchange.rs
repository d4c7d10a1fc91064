//! `squall import` and `squall export` as commands: where results go, exit codes, and that what is imported runs.

use std::path::Path;

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
