//! `squall sweep`: what it finds, and that it finds the same whatever happens to it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{command, fresh_folder, squall, squall_in, written};

/// A sweep that is over in a moment: 12 variants, 3 seeds.
const SMALL: [&str; 7] = [
    "sweep",
    "cascade-breaker",
    "--set",
    "services.order.workers=10,20,50",
    "--set",
    "services.order.calls.inventory.timeout=100ms..400ms:100ms",
    "--seeds",
];

fn small(more: &[&str]) -> Vec<String> {
    SMALL.iter().chain(&["3"]).chain(more).map(|word| (*word).to_owned()).collect()
}

/// The lines of JSON that a sweep writes.
fn lines(folder: &Path, arguments: &[String]) -> Vec<Value> {
    let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
    all.extend(["--jsonl", "-"]);
    let (out, _) = written(&squall_in(folder, &all).success());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_combination_runs_with_every_seed_and_is_what_run_says() {
    let folder = fresh_folder("sweep-all");
    let lines = lines(&folder, &small(&[]));
    assert_eq!(lines.len(), 36);
    let line = &lines[3 * 5 + 1];
    assert_eq!((line["variant"].as_u64(), line["seed"].as_u64()), (Some(5), Some(2)));
    let sets: Vec<String> = line["set"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, value)| format!("{path}={}", value.as_str().unwrap()))
        .collect();
    let mut run = vec!["run", "cascade-breaker", "--seed", "2", "--json", "-"];
    for set in &sets {
        run.extend(["--set", set]);
    }
    let report: Value = serde_json::from_str(&written(&squall(&run)).0).unwrap();
    assert_eq!(line["digest"], report["digest"]);
    assert_eq!(line["figures"]["checkout p99_ms"], report["load"]["checkout"]["latency_ms"]["p99"]);
    assert_eq!(line["figures"]["checkout degraded"].as_f64(), report["load"]["checkout"]["degraded"].as_f64());
}

#[test]
fn the_same_bytes_come_out_whatever_the_threads_the_shards_and_the_interruptions() {
    let folder = fresh_folder("sweep-same");
    let outputs = |name: &str| [format!("{name}.jsonl"), format!("{name}.csv"), format!("{name}.html")];
    let sweep = |name: &str, more: &[&str]| {
        let [jsonl, csv, html] = outputs(name);
        let words = small(&[&["--jsonl", &jsonl, "--csv", &csv, "--html", &html], more].concat());
        squall_in(&folder, &words.iter().map(String::as_str).collect::<Vec<_>>()).success();
    };
    sweep("one", &["--threads", "1"]);
    sweep("two", &["--threads", "2", "--store", "kept"]);
    sweep("again", &["--store", "kept"]);
    for shard in ["2/3", "1/3", "3/3", "2/3"] {
        let words = small(&["--shard", shard, "--store", if shard == "1/3" { "a" } else { "b" }]);
        squall_in(&folder, &words.iter().map(String::as_str).collect::<Vec<_>>()).success();
    }
    squall_in(&folder, &["sweep", "merge", "b"]).code(3);
    let [jsonl, csv, html] = outputs("merged");
    squall_in(&folder, &["sweep", "merge", "a", "b", "--jsonl", &jsonl, "--csv", &csv, "--html", &html]).success();
    for name in ["two", "again", "merged"] {
        for (ours, first) in outputs(name).iter().zip(outputs("one")) {
            let read = |name: &str| fs::read(folder.join(name)).unwrap();
            assert!(read(ours) == read(&first), "{ours} and {first}");
        }
    }
    let rows = fs::read_to_string(folder.join("one.csv")).unwrap();
    assert!(rows.starts_with("variant,seed,services.order.workers,services.order.calls.inventory.timeout,verdict,"));
    assert_eq!(rows.lines().count(), 37);
}

#[test]
fn killed_again_and_again_a_sweep_comes_to_the_same_end() {
    let folder = fresh_folder("sweep-killed");
    let arguments = [
        "sweep",
        "cascade-breaker",
        "--set",
        "services.order.workers=1..60:1",
        "--seeds",
        "2",
        "--store",
        "kept",
        "--quiet",
    ];
    let mut killed = 0;
    for round in 0..50u64 {
        let mut child = command(&folder, &arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 37 % 180));
        killed += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(killed >= 10, "{killed} of 50 were killed before their end");
    let finish = |store: &str, name: &str| {
        let mut all = arguments.to_vec();
        all[7] = store;
        all.extend(["--jsonl", name]);
        squall_in(&folder, &all).success();
        fs::read(folder.join(name)).unwrap()
    };
    let resumed = finish("kept", "resumed.jsonl");
    let (at_once, count) = (finish("other", "at-once.jsonl"), 120);
    assert!(resumed == at_once && String::from_utf8(resumed).unwrap().lines().count() == count);
}

#[test]
fn an_interrupted_sweep_goes_on_by_itself_and_leaves_nothing_behind() {
    let folder = fresh_folder("sweep-cache");
    let sweep = || {
        let mut command = command(&folder, &["sweep", "cascade-breaker", "--set", "services.order.workers=1..400:1"]);
        command.args(["--jsonl", "out.jsonl", "--quiet"]).env("XDG_CACHE_HOME", folder.join("cache"));
        command
    };
    let mut child = sweep().spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let _ = child.kill();
    let ended = child.wait().unwrap().success();
    let kept = || fs::read_dir(folder.join("cache/squall/sweeps")).map_or(0, Iterator::count);
    assert!(ended || kept() == 1);
    assert!(sweep().status().unwrap().success());
    assert_eq!((kept(), fs::read_to_string(folder.join("out.jsonl")).unwrap().lines().count()), (0, 400));
}

#[test]
fn drawn_variants_goals_and_figures_of_a_phase_are_in_the_results() {
    let folder = fresh_folder("sweep-drawn");
    let words = [
        "sweep",
        "cascade",
        "--set",
        "services.order.workers=20..400",
        "--set",
        "services.gateway.workers=50..800:log",
        "--latin",
        "8",
        "--goal",
        "max checkout goodput in starved",
        "--figure",
        "checkout p99 in healthy",
    ];
    let lines = lines(&folder, &words.map(str::to_owned));
    assert_eq!(lines.len(), 8);
    let goal = |line: &Value| line["figures"]["checkout goodput in starved"].as_f64();
    assert!(lines.iter().all(|line| goal(line).is_some()), "{}", lines[0]);
    assert!(lines.iter().any(|line| goal(line) > Some(7.0)) && lines.iter().any(|line| goal(line) < Some(3.0)));
    assert!(lines[0]["figures"]["checkout p99 in healthy"].as_f64().is_some_and(|ms| (40.0..60.0).contains(&ms)));
    let (out, _) = written(&squall_in(&folder, &words).success());
    assert!(out.contains('★') && out.contains("checkout goodput in starved"), "{out}");
}

#[test]
fn the_edge_of_a_cliff_is_told() {
    let words = ["sweep", "cascade", "--set", "services.gateway.workers=400,600,800,1000,1200"];
    let (out, _) = written(&squall(&words).success());
    assert!(out.contains("Cliffs") && out.contains("services.gateway.workers "), "{out}");
}

#[test]
fn a_probability_is_known_as_exactly_as_was_asked_for() {
    let folder = fresh_folder("sweep-until");
    let topology = "name: coin\nduration: 1s\nservices:\n  a:\n    endpoints:\n      get:\n        steps:\n          - fail: 10%\n\
                    load:\n  - {name: users, to: a.get, rate: 5/s}\nexpect:\n  - users failed == 0\n";
    fs::write(folder.join("coin.yaml"), topology).unwrap();
    let words = ["sweep", "coin.yaml", "--until-interval", "2%"];
    let lines = lines(&folder, &words.map(str::to_owned));
    let held = lines.iter().filter(|line| line["verdict"] == "pass").count() as f64;
    let share = held / lines.len() as f64;
    // Five requests of which each fails with 10 %: all are answered in 0.9^5 = 59 % of runs.
    assert!((share - 0.9f64.powi(5)).abs() < 0.03, "{share} of {}", lines.len());
    assert!((2_000..4_000).contains(&lines.len()), "{}", lines.len());
    let (out, _) = written(&squall_in(&folder, &words).success());
    assert!(out.contains("runs)") && out.contains(" to "), "{out}");
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let table: [(&[&str], &str); 12] = [
        (&["--set", "services.order.wrokers=1,2"], "workers"),
        (&["--set", "services.order.workers=1,0"], "workers"),
        (&["--set", "services.order.workers=1..9"], "has no step"),
        (&["--set", "services.order.workers=9..1:1"], "ends before it begins"),
        (&["--set", "seed=1,2"], "--seeds"),
        (&["--seeds", "x"], "--seeds"),
        (&["--goal", "max chekcout goodput"], "checkout"),
        (&["--goal", "max checkout goodptu"], "goodput"),
        (&["--until-interval", "80%"], "--until-interval"),
        (&["--shard", "3/2", "--store", "x"], "--shard"),
        (&["--shard", "1/2"], "--store"),
        (&["--figure", "checkout p99 <"], "unexpected"),
    ];
    for (arguments, hint) in table {
        let all = [&["sweep", "cascade"][..], arguments].concat();
        let (out, err) = written(&squall_in(&fresh_folder("sweep-wrong"), &all).code(2));
        assert!(err.contains(hint) && out.is_empty(), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn a_sweep_for_a_cluster_is_a_manifest_or_a_script_that_does_what_one_machine_would() {
    let folder = fresh_folder("sweep-cluster");
    let words = ["cascade", "--set", "services.order.workers=10,50,100", "--seeds", "2", "--shards", "3"];
    let (manifest, _) = written(&squall_in(&folder, &[&["export", "k8s-sweep"][..], &words].concat()).success());
    assert!(manifest.contains("completionMode: Indexed") && manifest.contains("completions: 3"), "{manifest}");
    let (script, _) = written(&squall_in(&folder, &[&["export", "slurm-sweep"][..], &words].concat()).success());
    fs::write(folder.join("sweep.sh"), &script).unwrap();
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_squall"), bin.join("squall")).unwrap();
    fs::write(bin.join("srun"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(bin.join("srun"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    for task in ["1", "2", "3"] {
        let mut bash = std::process::Command::new("bash");
        bash.arg("sweep.sh").current_dir(&folder).env("PATH", &path).env("SLURM_ARRAY_TASK_ID", task);
        assert!(bash.output().unwrap().status.success());
    }
    squall_in(&folder, &["sweep", "merge", "squall-cascade", "--jsonl", "merged.jsonl"]).success();
    squall_in(&folder, &[&["sweep"][..], &words[..5], &["--jsonl", "one.jsonl"]].concat()).success();
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    assert!(read("merged.jsonl") == read("one.jsonl"));
    squall_in(&folder, &["export", "k8s-sweep", "cascade", "--shards", "9"]).code(2);
}
