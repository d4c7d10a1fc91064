//! `squall run`: what a person sees, what a program reads, and the exit codes.

use serde_json::Value;

use super::{fresh_folder, squall, squall_in, written};

/// The report of a run, as JSON.
fn report(arguments: &[&str]) -> Value {
    let mut all = vec!["run"];
    all.extend_from_slice(arguments);
    all.extend_from_slice(&["--json", "-"]);
    let (out, _) = written(&squall(&all));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn every_built_in_topology_holds_what_it_expects_and_expects_something() {
    let (names, _) = written(&squall(&["list"]));
    let names: Vec<&str> = names.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let assert = squall(&["run", name]).success();
        let (out, _) = written(&assert);
        assert!(out.starts_with("PASS"), "{name}: {out}");
        assert!(out.matches('✓').count() >= 4, "{name} expects at least four things: {out}");
    }
}

#[test]
fn the_cascade_is_told_in_order_database_then_order_then_gateway() {
    let (out, _) = written(&squall(&["run", "cascade"]).success());
    let at = |what: &str| out.find(what).unwrap_or_else(|| panic!("`{what}` is not in {out}"));
    assert!(at("stock-db") < at("order: all 50 workers busy"), "{out}");
    assert!(at("order: all 50 workers busy") < at("gateway: all 200 workers busy"), "{out}");
}

#[test]
fn the_readme_shows_what_the_cascade_prints() {
    let (out, _) = written(&squall(&["run", "cascade"]).success());
    let readme = include_str!("../../README.md");
    // How long it took is another each time.
    let (report, took) = out.trim_end().rsplit_once("\n\n").unwrap();
    let digest = took.split_whitespace().last().unwrap();
    assert!(readme.contains(report) && readme.contains(&format!("digest {digest}")), "the README does not show {out}");
}

#[test]
fn before_the_fault_the_cascade_answers_in_50_ms() {
    let report = report(&["cascade"]);
    let healthy = report["expect"].as_array().unwrap().iter().find(|e| e["text"] == "checkout p99 < 100ms in healthy");
    assert_eq!(healthy.unwrap()["actual"], "50ms");
}

#[test]
fn a_load_and_a_service_lose_no_request() {
    for name in ["cascade", "cascade-breaker", "retry-storm", "social", "metastable"] {
        let report = report(&[name]);
        let count = |of: &Value, key: &str| of[key].as_u64().unwrap_or(0);
        for (load, of) in report["load"].as_object().unwrap() {
            let ended: u64 = ["ok", "degraded", "failed", "in_flight"].iter().map(|key| count(of, key)).sum();
            assert_eq!(count(of, "offered"), ended, "{name}: {load}");
        }
        for (service, of) in report["services"].as_object().unwrap() {
            let ended: u64 = ["ok", "failed", "rejected", "in_flight"].iter().map(|key| count(of, key)).sum();
            assert_eq!(count(of, "requests"), ended, "{name}: {service}");
        }
    }
}

#[test]
fn a_failed_expectation_is_exit_code_1_and_says_the_actual_value() {
    let assert = squall(&["run", "cascade", "--set", "expect=[checkout p99 < 10ms]"]).code(1);
    let (out, _) = written(&assert);
    assert!(out.starts_with("FAIL") && out.contains("✗ checkout p99 < 10ms"), "{out}");
}

#[test]
fn a_wrong_file_and_what_cannot_be_run_yet_are_exit_code_2_with_a_place() {
    let folder = fresh_folder("run-wrong");
    std::fs::write(folder.join("typo.yaml"), "services:\n  a:\n    wrokers: 5\n").unwrap();
    let (_, err) = written(&squall_in(&folder, &["run", "typo.yaml"]).code(2));
    assert!(err.contains("typo.yaml:3:5") && err.contains("workers"), "{err}");
    let (_, err) = written(&squall_in(&folder, &["run", "nothing.yaml"]).code(2));
    assert!(err.contains("there is no file and no built-in topology"), "{err}");
}

#[test]
fn a_report_that_cannot_be_written_is_exit_code_3() {
    let (_, err) = written(&squall(&["run", "chain", "--json", "/no/such/folder/report.json"]).code(3));
    assert!(err.contains("cannot write"), "{err}");
}

#[test]
fn a_seed_and_an_override_change_the_run_and_the_same_again_does_not() {
    let digest = |arguments: &[&str]| report(arguments)["digest"].as_str().unwrap().to_owned();
    let base = digest(&["social"]);
    assert_eq!(base, digest(&["social"]));
    assert_ne!(base, digest(&["social", "--seed", "2"]));
    assert_ne!(base, digest(&["social", "--set", "services.post.workers=7"]));
    assert_eq!(base.len(), 32);
}

#[test]
fn quiet_says_nothing_when_all_holds() {
    let (out, err) = written(&squall(&["run", "chain", "--quiet"]).success());
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
}
