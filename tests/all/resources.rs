//! What services run on and talk to besides each other, and every fault, by hand: small systems without randomness, or
//! with so much of it that shares can be told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::{fresh_folder, squall, squall_in, written};

/// The report of a run of a topology written in a test.
fn report(name: &str, text: &str) -> Value {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let folder = fresh_folder(&format!("resources-{name}-{}", RUNS.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(folder.join("t.yaml"), text).unwrap();
    let (out, _) = written(&squall_in(&folder, &["run", "t.yaml", "--json", "-"]));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{name}: {error}: {out}"))
}

/// A load of ten a second for ten seconds on a service of 10 ms, and these faults.
fn with_fault(fault: &str) -> Value {
    let text = format!(
        "{{duration: 10s, services: {{web: {{endpoints: {{page: {{steps: [{{call: api.read}}]}}}}, calls: {{api: {{timeout: \
         100ms}}}}}}, api: {{replicas: 2, endpoints: {{read: {{steps: [{{wait: 10ms}}, {{query: db}}]}}}}}}}}, databases: \
         {{db: {{query: 5ms}}}}, load: [{{name: l, to: web.page, rate: 100/s}}], faults: [{fault}]}}"
    );
    report("fault", &text)
}

#[test]
fn every_fault_on_a_call_a_service_or_a_database_does_what_it_says_and_says_how_often() {
    // The fault; failures of the load's 1,000 requests by reason, and how often it fired: within so many.
    let table: [(&str, &str, u64, u64); 12] = [
        ("target: api, corrupt: 50%", "error", 500, 60),
        ("target: api.read, corrupt: 50%, at: 5s", "error", 250, 45),
        ("target: web -> api, corrupt: 50%", "error", 500, 60),
        ("target: db, corrupt: 50%", "error", 500, 60),
        ("target: web -> api, drop: 10%", "timeout", 100, 35),
        ("target: api, drop: 10%", "timeout", 100, 35),
        ("target: 'api[0]', drop: 20%", "timeout", 100, 35),
        ("target: db, drop: 10%", "timeout", 100, 35),
        ("target: web -> api, partition: true, at: 5s", "timeout", 500, 2),
        ("target: api, partition: true, at: 5s", "timeout", 500, 2),
        ("target: 'api[1]', partition: true, at: 5s", "timeout", 250, 3),
        ("target: db, partition: true, at: 5s", "timeout", 500, 3),
    ];
    for (fault, reason, expected, within) in table {
        let report = with_fault(&format!("{{name: f, {fault}}}"));
        let failed = report["load"]["l"]["failures"][reason].as_u64().unwrap();
        assert!(failed.abs_diff(expected) <= within, "{fault}: {failed} of {expected}: {}", report["load"]["l"]);
        let fired = report["faults"][0]["fired"].as_u64().unwrap();
        assert!(fired.abs_diff(failed) <= 3, "{fault}: {failed} failed, fired {fired} times");
    }
}

#[test]
fn a_load_is_multiplied_for_as_long_as_the_fault_lasts() {
    let table =
        [("rate: 3, at: 2s, for: 4s", 1800), ("rate: 0, at: 5s", 500), ("rate: 3, ramp: 4s, at: 2s, for: 4s", 1400)];
    for (fault, offered) in table {
        let report = with_fault(&format!("{{target: l, {fault}}}"));
        let seen = report["load"]["l"]["offered"].as_u64().unwrap();
        assert!(seen.abs_diff(offered) <= 2, "{fault}: {seen} offered, not {offered}");
        assert_eq!(report["faults"][0]["fired"], 1, "{fault}");
    }
}

#[test]
fn chaos_comes_again_and_again_and_is_the_same_for_the_same_seed() {
    let fault = "{name: chaos, target: [api, db], at: 1s, for: 200ms, every: exponential(1s), pick: 1, errors: 100%}";
    let [first, again] = [with_fault(fault), with_fault(fault)];
    assert_eq!(first["digest"], again["digest"]);
    let failed = first["load"]["l"]["failed"].as_u64().unwrap();
    assert!((60..400).contains(&failed), "{failed} of about 160 fail");
    assert_eq!(first["faults"].as_array().unwrap().len(), 1, "one fault, however often it comes");
    assert!(first["faults"][0]["fired"].as_u64().unwrap() >= failed);
}

#[test]
fn killing_and_flushing_take_no_time() {
    let report = with_fault("{name: death, target: api, at: 2s, kill: 1}");
    assert_eq!((&report["faults"][0]["from_s"], &report["faults"][0]["to_s"]), (&2.0.into(), &2.0.into()));
    assert_eq!(
        report["services"]["api"]["replicas"],
        serde_json::json!({"min": 2, "max": 2}),
        "down for no time at all"
    );
}

#[test]
fn an_arrival_trace_is_followed_to_the_millisecond() {
    let folder = fresh_folder("resources-trace");
    std::fs::write(folder.join("arrivals.csv"), "5ms\n100ms\n100ms\n2s\n9s\n").unwrap();
    let text = "{duration: 5s, services: {s: {endpoints: {e: {steps: [{wait: 1ms}]}}}}, load: [{name: l, to: s.e, arrivals: \
                trace(arrivals.csv)}]}";
    std::fs::write(folder.join("t.yaml"), text).unwrap();
    let (out, _) = written(&squall_in(&folder, &["run", "t.yaml", "--json", "-"]).success());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["load"]["l"]["offered"], 4, "the last one comes after the end");
    let offered: Vec<u64> = serde_json::from_value(report["timeline"]["load"]["l"]["offered"].clone()).unwrap();
    assert_eq!((offered[0], offered[1], offered[20]), (1, 2, 1), "in steps of 100 ms");
}

#[test]
fn users_come_and_go_by_stages() {
    let text = "{duration: 40s, services: {s: {endpoints: {e: {steps: [{wait: 1s}]}}}}, load: [{name: l, to: s.e, stages: \
                [{for: 10s, users: 10, hold: true}, {for: 10s, users: 20, hold: true}, {for: 20s, users: 5, hold: true}]}]}";
    let report = report("users", text);
    let busy: Vec<f64> = serde_json::from_value(report["timeline"]["services"]["s"]["workers_busy"].clone()).unwrap();
    let at = |second: usize| busy[second * busy.len() / 41];
    for (second, users) in [(5, 10.0), (15, 20.0), (25, 5.0), (35, 5.0)] {
        assert!((at(second) - users).abs() < 0.1, "{users} at {second} s: {busy:?}");
    }
}

#[test]
fn a_pool_of_connections_makes_queries_wait_and_give_up() {
    // Two connections for 100 ms each do 20 a second of 40; who waits for 300 ms gives up.
    let text = "{duration: 10s, services: {s: {endpoints: {e: {steps: [{query: db}]}}}}, databases: {db: {query: 100ms, pool: \
                2, pool_timeout: 300ms}}, load: [{name: l, to: s.e, rate: 40/s}], expect: [db timeouts > 100, db p99 < 401ms, \
                db connections == 2]}";
    let report = report("pool", text);
    assert_eq!(report["verdict"], "pass", "{}", report["expect"]);
    let failed = report["databases"]["db"]["timeouts"].as_u64().unwrap();
    let ok = report["load"]["l"]["ok"].as_u64().unwrap();
    assert_eq!((report["load"]["l"]["failures"]["timeout"].as_u64(), failed + ok), (Some(failed), 400));
    assert!(ok.abs_diff(206) <= 4, "{ok} answered");
}

#[test]
fn connections_are_opened_once_and_kept_or_opened_for_every_call() {
    let text = |pool: &str| {
        format!(
            "{{duration: 10s, services: {{web: {{endpoints: {{p: {{steps: [{{call: api.r}}]}}}}, calls: {{api: {{timeout: \
             1s, pool: {pool}}}}}}}, api: {{endpoints: {{r: {{steps: [{{wait: 10ms}}]}}}}}}}}, load: [{{name: l, to: web.p, \
             rate: 50/s}}]}}"
        )
    };
    let pool = |report: &Value, key: &str| report["calls"]["web -> api"]["pool"][key].as_u64().unwrap();
    let kept = report("kept", &text("{connections: 5, connect: 7ms}"));
    assert_eq!((pool(&kept, "opened"), pool(&kept, "reused")), (1, 499));
    assert_eq!(kept["load"]["l"]["latency_ms"]["max"], 17.0);
    let none = report("none", &text("none"));
    assert_eq!((pool(&none, "opened"), pool(&none, "reused")), (500, 0));
    assert_eq!(none["load"]["l"]["latency_ms"]["p50"], 15.0, "5 ms to open one");
    // One connection does 100 a second of 200; two may wait.
    let narrow = report("narrow", &text("{connections: 1, pending: 2}").replace("50/s", "200/s"));
    assert_eq!((pool(&narrow, "busy_max"), pool(&narrow, "waiting_max")), (1, 2));
    let rejected = narrow["load"]["l"]["failures"]["rejected"].as_u64().unwrap();
    assert_eq!(rejected, pool(&narrow, "full"));
    assert!(rejected.abs_diff(1_000) <= 5, "{rejected} of 2,000 find no room");
}

#[test]
fn messages_are_delivered_again_and_given_up_and_lost() {
    let text = |topic: &str, steps: &str| {
        format!(
            "{{duration: 10s, services: {{s: {{endpoints: {{e: {{steps: [{{publish: t}}]}}}}}}, a: {{endpoints: {{x: {{steps: \
             [{steps}]}}}}}}, b: {{endpoints: {{y: {{}}}}}}}}, topics: {{t: {{to: [a.x, b.y], publish: 2ms, {topic}}}}}, load: \
             [{{name: l, to: s.e, rate: 10/s}}]}}"
        )
    };
    let figure = |report: &Value, key: &str| report["topics"]["t"][key].as_u64().unwrap();
    let failing = report("dead", &text("retry: {attempts: 3, backoff: constant(10ms)}", "fail: 100%"));
    assert_eq!(failing["load"]["l"]["latency_ms"]["max"], 2.0, "publishing costs its time, whatever comes of it");
    let seen =
        ["published", "deliveries", "delivered", "dead_letters", "retries", "lost"].map(|key| figure(&failing, key));
    assert_eq!(seen, [100, 200, 100, 100, 200, 0]);
    // A second for each message, one at a time, and two may wait.
    let slow = report("slow", &text("limit: 2", "wait: 1s"));
    assert_eq!(slow["topics"]["t"]["backlog"]["max"], 2);
    let lost = figure(&slow, "lost");
    assert!(lost.abs_diff(88) <= 2, "{lost} lost");
}

#[test]
fn a_replica_without_memory_is_killed_and_starts_again() {
    // Ten requests of a second are under way: 10 MiB; the limit is 8.
    let text = "{duration: 20s, services: {s: {cold_start: 3s, memory: {per_request: 1MiB, limit: 8MiB}, endpoints: {e: {steps: \
                [{wait: 1s}]}}}}, load: [{name: l, to: s.e, rate: 10/s}], expect: [s memory == 9MiB]}";
    let report = report("memory", text);
    assert_eq!(report["verdict"], "pass", "{}", report["expect"]);
    let deaths = report["services"]["s"]["out_of_memory_s"].as_array().unwrap();
    let at: Vec<f64> = deaths.iter().map(|at| at.as_f64().unwrap()).collect();
    // The ninth comes after 800 ms; then 3 s to start; from the next request on again.
    assert_eq!(at.len(), 6, "{at:?}");
    assert!((at[0] - 0.8).abs() < 1e-9 && (at[1] - at[0] - 3.8).abs() < 1e-9, "{at:?}");
    assert_eq!(report["services"]["s"]["replicas"], serde_json::json!({"min": 0, "max": 1}));
    assert!(report["causes"].as_array().unwrap().iter().any(|cause| cause["kind"] == "out_of_memory"));
}

#[test]
fn what_is_scaled_to_nothing_is_started_by_the_first_request_which_waits() {
    let text = "{duration: 60s, services: {s: {replicas: 0, workers: 10, cold_start: 2s, autoscale: {min: 0, max: 3, every: 5s, \
                scale_down_after: 10s}, endpoints: {e: {steps: [{wait: 100ms}]}}}}, load: [{name: l, to: s.e, stages: [{for: \
                10s, rate: 1/s}, {for: 50s, rate: 0/s, hold: true}]}]}";
    let report = report("zero", text);
    assert_eq!(report["load"]["l"]["ok"], 10);
    assert_eq!(report["load"]["l"]["latency_ms"]["max"], 2100.0, "the first one waits for the start");
    let scaled: Vec<(u64, u64)> = report["services"]["s"]["scaled"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["from"].as_u64().unwrap(), one["to"].as_u64().unwrap()))
        .collect();
    assert_eq!(scaled, [(0, 1), (1, 0)]);
}

#[test]
fn a_cache_that_cannot_be_asked_is_a_miss_or_a_failure() {
    let text = |miss: &str| {
        format!(
            "{{duration: 10s, services: {{s: {{endpoints: {{e: {{steps: [{{get: {{from: c, miss: [{miss}]}}}}]}}}}}}}}, caches: \
             {{c: {{latency: 1ms, hit_rate: 100%}}}}, load: [{{name: l, to: s.e, rate: 10/s}}], faults: [{{target: c, at: 5s, \
             down: true}}]}}"
        )
    };
    let saved = report("saved", &text("{wait: 20ms}"));
    assert_eq!((&saved["load"]["l"]["ok"], &saved["load"]["l"]["latency_ms"]["max"]), (&100.into(), &20.0.into()));
    assert_eq!(saved["caches"]["c"]["failed"], 50);
    let failed = report("failed", &text(""));
    assert_eq!(failed["load"]["l"]["failures"]["refused"], 50);
}

#[test]
fn a_rolling_restart_loses_requests_without_headroom_or_draining_or_readiness() {
    let failed = |sets: &[&str]| {
        let mut words = vec!["run", "rolling-restart", "--json", "-"];
        sets.iter().for_each(|set| words.extend(["--set", set]));
        let report: Value = serde_json::from_str(&written(&squall(&words)).0).unwrap();
        let load = &report["load"]["visitors"];
        assert!(load["ok"].as_u64().unwrap() > 15_000, "{sets:?}: {load}");
        (load["failed"].as_u64().unwrap(), report["faults"][0].clone())
    };
    let (none, fault) = failed(&[]);
    // Each of four replicas restarts once, one every 15 s.
    assert_eq!((none, &fault["fired"], &fault["from_s"], &fault["to_s"]), (0, &4.into(), &10.0.into(), &60.0.into()));
    let lost = |sets: &[&str]| failed(sets).0;
    assert!(lost(&["faults.deploy.restart.at_once=2"]) > 500);
    // Some of at most ten requests that each replica is at work on.
    assert!((1..=40).contains(&lost(&["faults.deploy.restart.drain=0s"])));
    // Each replica refuses for 9 s what comes to it in its turn, and is taken for ready after one, so that two do at a time.
    let early = lost(&["services.api.ready_after=1s"]);
    assert!((2_500..=3_000).contains(&early), "{early}");
    // A single replica is restarted by its name.
    assert_eq!(failed(&["faults.deploy.target=api[2]"]).1["fired"], 1);
}

#[test]
fn every_knob_in_the_head_of_a_built_in_topology_breaks_what_it_expects() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
    let mut knobs = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join(" ");
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let knob = head
            .split_once("Turn one knob:")
            .and_then(|(_, rest)| rest.split('`').find_map(|part| part.strip_prefix("--set ")));
        if let Some(knob) = knob {
            knobs.insert(name, knob.to_owned());
        } else {
            assert_eq!(name, "chain", "{name} names no knob");
        }
    }
    assert!(knobs.len() >= 29, "{}", knobs.len());
    let names: Vec<_> = knobs.iter().collect();
    std::thread::scope(|scope| {
        for part in names.chunks(names.len().div_ceil(2)) {
            scope.spawn(move || {
                for (name, knob) in part {
                    let (out, err) = written(&squall(&["run", name, "--set", knob]));
                    assert!(out.starts_with("FAIL"), "{name} --set {knob}: {out}{err}");
                }
            });
        }
    });
}
