//! `squall tune`: it finds what can be found, and says honestly how good that is.

use std::fs;

use serde_json::Value;

use super::{fresh_folder, squall_in, written};

fn tuned(folder: &std::path::Path, arguments: &[&str], code: i32) -> Value {
    let all = [&["tune"][..], arguments, &["--json", "-"]].concat();
    let (out, err) = written(&squall_in(folder, &all).code(code));
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
}

/// The cascade, but wanting what a team would want.
const WANTED: &str = "expect=[checkout success >= 99%, checkout p99 < 1s, order workers < 50]";

#[test]
fn a_timeout_and_a_breaker_are_found_that_hold_what_the_file_fails() {
    let folder = fresh_folder("tune-cascade");
    let topology = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/cascade.yaml");
    let text = fs::read_to_string(topology).unwrap();
    let (head, _) = text.split_once("\nexpect:").unwrap();
    let lines = WANTED.trim_start_matches("expect=");
    fs::write(folder.join("shop.yaml"), format!("{head}\nexpect: {lines}\n")).unwrap();
    squall_in(&folder, &["run", "shop.yaml", "--quiet"]).code(1);
    let call = "services.order.calls.inventory";
    let sets = [
        format!("{call}.timeout=50ms..5s:log"),
        format!("{call}.breaker.window=10..200"),
        format!("{call}.breaker.minimum_calls=10"),
        format!("{call}.fallback.after=1ms"),
    ];
    let mut arguments = vec!["shop.yaml", "--candidates", "27", "--seeds", "3", "--write", "tuned.yaml"];
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    let found = tuned(&folder, &arguments, 0);
    assert_eq!((found["before"]["held"].as_u64(), found["best"]["score"]["held"].as_u64()), (Some(0), Some(3)));
    squall_in(&folder, &["run", "tuned.yaml", "--quiet"]).success();
    let diff = found["diff"].as_str().unwrap();
    assert!(diff.contains("+++ shop.yaml") && diff.contains("breaker"), "{diff}");
    let worlds: Vec<&str> = found["robust"].as_array().unwrap().iter().map(|of| of["what"].as_str().unwrap()).collect();
    assert_eq!(worlds, ["other seeds", "load -20%", "load +20%", "faults half as great", "faults half again as great"]);
}

/// One user after another asks a service that answers within 20 ms nine times of ten, evenly, and else within 5 s, evenly.
/// Who waits for at most `t` gets `F(t)` answers each `E[min(X, t)]`. Up to 20 ms the hazard of an answer rises with `t`;
/// behind it, it is a hundredth: answers a second are most at 20 ms, and nowhere else.
const KNOWN: &str = "name: known
duration: 10s
services:
  slow:
    endpoints:
      get:
        steps:
          - wait: percentiles(p0=0ms p90=20ms p100=5s)
load:
  - {name: users, to: slow.get, users: 20, timeout: 1s}
";

#[test]
fn where_the_best_timeout_is_known_it_is_found_within_5_per_cent() {
    let folder = fresh_folder("tune-known");
    fs::write(folder.join("known.yaml"), KNOWN).unwrap();
    let goal = ["--goal", "max users goodput", "--candidates", "27", "--seeds", "3"];
    let found = tuned(&folder, &[&["known.yaml", "--set", "load.users.timeout=2ms..2s:log"][..], &goal].concat(), 0);
    let best = found["best"]["set"]["load.users.timeout"].as_str().unwrap();
    let ms: f64 = best.trim_end_matches("ms").parse().unwrap_or_else(|_| panic!("{best}"));
    assert!((19.0..=21.0).contains(&ms), "{best}");
    let goodput = found["best"]["score"]["goals"]["max users goodput"].as_f64().unwrap();
    // 20 users, 0.9 answers each 0.9 * 10 ms + 0.1 * 20 ms.
    let known = 20.0 * 0.9 / 0.011;
    assert!((goodput / known - 1.0).abs() < 0.05, "{goodput} and {known}");
}

#[test]
fn two_goals_that_pull_apart_have_a_front_and_the_same_search_finds_it_again() {
    let folder = fresh_folder("tune-front");
    fs::write(folder.join("known.yaml"), KNOWN).unwrap();
    let arguments = [
        "known.yaml",
        "--set",
        "load.users.timeout=5ms..500ms:log",
        "--goal",
        "max users success",
        "--goal",
        "min users p99",
        "--candidates",
        "12",
        "--seeds",
        "1",
    ];
    let found = tuned(&folder, &arguments, 0);
    let front = found["front"].as_array().unwrap();
    assert!(front.len() >= 5, "{front:?}");
    let of = |point: &Value, goal: &str| point["score"]["goals"][goal].as_f64().unwrap();
    for two in front.windows(2) {
        assert!(of(&two[0], "max users success") > of(&two[1], "max users success"));
        assert!(of(&two[0], "min users p99") > of(&two[1], "min users p99"));
    }
    assert_eq!(tuned(&folder, &arguments, 0), found);
    let (out, _) = written(&squall_in(&folder, &[&["tune"][..], &arguments].concat()).success());
    assert!(
        out.contains("Pareto front") && out.contains("How robust it is") && out.contains("+  - {name: users"),
        "{out}"
    );
}

#[test]
fn what_cannot_be_found_is_exit_code_1_and_what_is_wrong_2() {
    let folder = fresh_folder("tune-wrong");
    fs::write(folder.join("known.yaml"), KNOWN).unwrap();
    let set = ["--set", "load.users.timeout=5ms,10ms", "--seeds", "1"];
    let never = ["tune", "known.yaml", "--goal", "users p50 < 1ns"];
    let (out, _) = written(&squall_in(&folder, &[&never[..], &set].concat()).code(1));
    assert!(out.starts_with("NOT FOUND") && out.contains("✗ users p50 < 1ns"), "{out}");
    let (_, err) = written(&squall_in(&folder, &["tune", "known.yaml"]).code(2));
    assert!(err.contains("nothing to search"), "{err}");
    squall_in(&folder, &["tune", "known.yaml", "--set", "load.users.timeuot=1s,2s"]).code(2);
    squall_in(&folder, &["tune", "known.yaml", "--set", "load.users.timeout=1s,2s", "--goal", "max nobody goodput"])
        .code(2);
}
