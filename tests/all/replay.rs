//! `squall replay`: what the real resilience4j answered, step by step; and stories of logs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::{command, file, fresh_folder, squall_in, written};

/// Runs `squall replay` with `log` on standard input.
fn replay(arguments: &[&str], log: &str) -> Output {
    let mut all = vec!["replay"];
    all.extend(arguments);
    let mut child = command(Path::new(&file("")), &all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let log = log.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(log.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A recorded configuration as a breaker of ours.
fn breaker(config: &Value) -> String {
    let unit = if config["window"] == "TIME_BASED" { "s" } else { "" };
    let wait = &config["wait_ms"];
    let open_for = match config["exp"].as_array() {
        Some(exp) => format!("exponential({wait}ms {} {}ms)", exp[0], exp[1]),
        None => format!("{wait}ms"),
    };
    format!(
        "{{window: {}{unit}, minimum_calls: {}, failure_rate: {}%, slow_rate: {}%, slow_after: {}ns, \
         half_open_calls: {}, open_for: {open_for}}}",
        config["size"],
        config["minimum_calls"],
        config["failure_rate"],
        config["slow_rate"],
        config["slow_ns"],
        config["permitted_half_open"]
    )
}

#[test]
fn every_recorded_step_is_answered_as_resilience4j_answered_it() {
    let scripts: Vec<Value> =
        serde_json::from_str(include_str!("../../policies/tests/vectors/resilience4j.json")).unwrap();
    for (index, script) in scripts.iter().enumerate() {
        let (mut at, mut lines, mut wanted) = (0u64, String::new(), vec![]);
        for step in script["steps"].as_array().unwrap() {
            if let Some(advance) = step["advance_ns"].as_u64() {
                at += advance;
                continue;
            }
            let duration = step["duration_ns"].as_u64().unwrap_or(0);
            lines += &format!("{}\n", json!({"at_ns": at, "op": step["op"], "duration_ns": duration}));
            wanted.push(step);
        }
        let start = script["config"]["start_ns"].to_string();
        let output = replay(&["--breaker", &breaker(&script["config"]), "--start-ns", &start, "-"], &lines);
        let out = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), wanted.len(), "script {index}");
        for (step, (answer, wanted)) in answers.iter().zip(&wanted).enumerate() {
            for key in ["admitted", "state", "calls", "failed", "slow", "not_permitted"] {
                assert_eq!(answer[key], wanted[key], "script {index}, step {step}, {key}");
            }
            let [rate, recorded] = [answer, wanted].map(|from| from["failure_rate"].as_f64().unwrap());
            assert!((rate - recorded).abs() < 1e-4, "script {index}, step {step}: {rate} instead of {recorded}");
        }
    }
}

#[test]
fn a_log_is_told_as_a_story_in_text_and_json() {
    let log = "start_ms,duration_ms,outcome\n0,10,ok\n100,10,error\n200,10,error\n300,10,ok\n";
    let output = replay(&["--breaker", "{window: 100}", "-"], log);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.starts_with("never opens: 2 failures, but the window needs 100 calls\n"), "{out}");
    let output = replay(&["--breaker", "{window: 2, minimum_calls: 2, failure_rate: 100%}", "--json", "-", "-"], log);
    let story: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(story["opens_after"], 3);
    assert_eq!((&story["refused"], &story["refused_that_succeeded"]), (&json!(1), &json!(1)));
    assert_eq!(story["worst_call"]["line"], 4);
    let output = replay(&["cascade-breaker", "-"], log);
    assert!(String::from_utf8(output.stdout).unwrap().contains("the window needs 20 calls"));
}

#[test]
fn what_is_wrong_is_exit_code_2_with_its_place() {
    let folder = fresh_folder("replay-wrong");
    std::fs::write(folder.join("log.csv"), "start_ms,duration_ms,outcome\n0,10,perhaps\n").unwrap();
    std::fs::write(folder.join("b.yaml"), "{kind: polly, minimum_throughput: 1}").unwrap();
    let table: [(&[&str], &str); 6] = [
        (&["--breaker", "{windw: 1}", "log.csv"], "unknown key `windw`"),
        (&["--breaker", "{}", "log.csv"], "--> log.csv:2:1"),
        (&["b.yaml", "log.csv"], "`minimum_throughput` must be at least 2"),
        (&["log.csv"], "the log is missing"),
        (&["chain", "log.csv"], "the topology has no breaker"),
        (&["cascade-breaker", "nothing.csv"], "cannot read `nothing.csv`"),
    ];
    for (arguments, what) in table {
        let (_, errors) = written(&squall_in(&folder, &[&["replay"], arguments].concat()).code(2));
        assert!(errors.contains(what), "{arguments:?}: {errors}");
    }
}
