//! What is found by running a topology again: blame, settings that help, the ceiling of one service, capacity.

use serde_json::Value;

use super::json;
use crate::{fresh_folder, squall, squall_in, written};

fn close(found: f64, expected: f64, within: f64) -> bool {
    (found / expected - 1.0).abs() <= within
}

#[test]
fn the_cascade_is_the_databases_fault() {
    let found = json(&["diagnose", "cascade"]);
    let first = &found["blame"][0];
    assert_eq!((&first["component"], &first["kind"]), (&"stock-db".into(), &"database".into()), "{}", found["blame"]);
    assert!(first["back"].as_f64().unwrap() > 0.99, "{first}");
    for blame in found["blame"].as_array().unwrap().iter().skip(1) {
        assert!(blame["back"].as_f64().unwrap() < 0.2, "nothing else brings much back: {blame}");
    }
    let trigger = &found["triggers"][0];
    assert!(trigger["back"].as_f64().unwrap() > 0.5, "taken away early, the fault does less: {trigger}");
}

#[test]
fn removing_the_trigger_of_a_metastable_failure_does_not_help_any_more_and_a_retry_budget_does() {
    let found = json(&["diagnose", "metastable"]);
    let trigger = &found["triggers"][0];
    assert_eq!((&trigger["over_already"], trigger["back"].as_f64()), (&true.into(), Some(0.0)), "{trigger}");
    let helps = found["helps"].as_array().unwrap();
    let budget = helps.iter().find(|help| help["set"] == "load.clients.retry.budget=10%");
    assert!(budget.unwrap()["back"].as_f64().unwrap() > 0.8, "{budget:?}");
    let (out, _) = written(&squall(&["diagnose", "metastable"]).success());
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("removing the trigger does not help any more"), "{words}");
    assert!(out.contains("a retry budget of"), "{out}");
}

#[test]
fn a_suggested_change_makes_the_run_pass_when_it_is_applied() {
    let folder = fresh_folder("diagnose-change");
    let table = [
        ("cascade", "checkout success >= 99%"),
        ("retry-storm", "buy success >= 90%"),
        ("metastable", "clients success >= 95%"),
    ];
    for (name, expect) in table {
        let path = folder.join(format!("{name}.yaml"));
        let whole = std::fs::read_to_string(format!("{}/topologies/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (system, _) = whole.split_once("expect:").unwrap();
        std::fs::write(&path, format!("{system}expect:\n  - {expect}\n")).unwrap();
        let file = path.to_str().unwrap();
        squall(&["run", file]).code(1);
        let changed = folder.join(format!("{name}-changed.yaml"));
        let out = written(&squall(&["diagnose", file, "--write", changed.to_str().unwrap()]).code(1)).0;
        assert!(
            out.contains("The smallest change that makes all expectations hold") && out.contains("\n@@ -"),
            "{out}"
        );
        squall(&["run", changed.to_str().unwrap()]).code(0);
        let set = json(&["diagnose", file])["suggestion"]["set"].as_str().unwrap().to_owned();
        squall(&["run", file, "--set", &set]).code(0);
    }
}

#[test]
fn a_healthy_topology_needs_no_diagnosis() {
    let (out, _) = written(&squall(&["diagnose", "chain"]).code(0));
    assert!(out.starts_with("chain: healthy, 100% answered") && !out.contains("blame"), "{out}");
    let found = json(&["diagnose", "chain"]);
    assert_eq!((&found["blame"], &found["suggestion"]), (&Value::Array(Vec::new()), &Value::Null));
}

#[test]
fn one_service_alone_reaches_the_ceiling_that_theory_says() {
    // 100 workers hold each request for 5 + 10 ms; each query holds a connection for 10 ms.
    for (connections, ceiling, limit) in [(200, 100.0 / 0.015, "workers"), (20, 20.0 / 0.010, "connections")] {
        let set = format!("databases.stock-db.connections={connections}");
        let found = json(&["isolate", "cascade", "inventory", "--set", &set]);
        let measured = found["ceiling_per_s"].as_f64().unwrap();
        assert!(close(measured, ceiling, 0.03), "{measured} with {connections} connections, not {ceiling}");
        assert_eq!(found["limit"]["of"], limit, "{}", found["limit"]);
        let least = found["theory"].as_array().unwrap().iter().map(|bound| bound["per_s"].as_f64().unwrap());
        assert!(close(least.reduce(f64::min).unwrap(), ceiling, 0.03), "{}", found["theory"]);
        let knee = &found["knee"]["offered_per_s"].as_f64().unwrap();
        assert!(*knee < measured && *knee > 0.5 * measured, "{knee} of {measured}");
    }
}

#[test]
fn a_service_whose_cores_are_all_busy_is_limited_by_its_cpu() {
    // One core does 5 ms of work 200 times a second; its 100 workers would do 6,667.
    let sets = ["services.inventory.cores=1", "databases.stock-db.connections=200"];
    let found = json(&["isolate", "cascade", "inventory", "--set", sets[0], "--set", sets[1]]);
    let measured = found["ceiling_per_s"].as_f64().unwrap();
    assert!(close(measured, 200.0, 0.03), "{measured}");
    assert_eq!(found["limit"]["of"], "cpu", "{}", found["limit"]);
    let bounds = found["theory"].as_array().unwrap();
    let cpu = bounds.iter().find(|bound| bound["formula"].as_str().unwrap().starts_with("1 cores / 5"));
    assert!(close(cpu.unwrap()["per_s"].as_f64().unwrap(), 200.0, 0.03), "{bounds:?}");
}

#[test]
fn every_policy_of_a_call_is_tried_without() {
    let sets = [
        "services.order.calls.inventory={timeout: 1s, retry: {attempts: 2, budget: 20%}, hedge: {after: 100ms}, \
         rate_limit: {kind: interval, limit: 100, period: 1s}, bulkhead: 40, pool: {connections: 45}, breaker: {window: 100}}",
        "services.order.cores=4",
        "expect=[]",
    ];
    let set: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let found = json(&[&["diagnose", "cascade", "--expect", "checkout success >= 99%"], set.as_slice()].concat());
    let tried: Vec<&str> =
        found["blame"].as_array().unwrap().iter().map(|blame| blame["what"].as_str().unwrap()).collect();
    for without in [
        "retries",
        "its retry budget",
        "hedges",
        "its rate limit",
        "its bulkhead",
        "its connection pool",
        "its circuit breaker",
    ] {
        assert!(tried.iter().any(|what| *what == format!("without {without}")), "{without}: {tried:?}");
    }
    assert!(tried.contains(&"with unlimited cores instead of 4"), "{tried:?}");
}

#[test]
fn a_diagnosis_is_the_same_with_any_number_of_threads() {
    let one = json(&["diagnose", "cascade", "--threads", "1"]);
    assert_eq!(one, json(&["diagnose", "cascade", "--threads", "3"]));
    let (_, err) = written(&squall(&["diagnose", "cascade", "--threads", "0"]).code(2));
    assert!(err.contains("--threads"), "{err}");
}

#[test]
fn mocks_take_as_long_as_the_callees_did() {
    let found = json(&["isolate", "cascade", "order", "--mocks", "measured"]);
    assert_eq!(found["mocks"][0], serde_json::json!({"service": "inventory", "takes": "15ms"}));
    assert!(close(found["ceiling_per_s"].as_f64().unwrap(), 50.0 / 0.045, 0.10), "{}", found["ceiling_per_s"]);
    let fast = json(&["isolate", "cascade", "order"]);
    assert!(close(fast["ceiling_per_s"].as_f64().unwrap(), 50.0 / 0.030, 0.03), "{}", fast["ceiling_per_s"]);
}

#[test]
fn capacity_goes_up_and_down_and_sees_what_stays_broken() {
    let storm = json(&["capacity", "retry-storm"]);
    assert_eq!(storm["steps"].as_array().unwrap().len(), 23);
    let knee = storm["knee"]["offered_per_s"].as_f64().unwrap();
    assert!(knee > 140.0 && knee <= 200.0, "20 workers of 100 ms bear 200/s: {knee}");
    assert!(storm["collapse"]["offered_per_s"].as_f64().unwrap() > knee, "{}", storm["collapse"]);
    assert_eq!((&storm["hysteresis"], &storm["recovers_at_per_s"]), (&true.into(), &Value::Null));
    // Without retries, and with a queue that forgets, it comes back.
    let sets = ["services.gateway.calls.order.retry=1", "services.order.queue=20"];
    let calm = json(&["capacity", "retry-storm", "--set", sets[0], "--set", sets[1]]);
    assert_eq!((&calm["hysteresis"], &calm["collapse"]), (&false.into(), &Value::Null), "{}", calm["steps"]);
    assert!(calm["limit"].as_str().unwrap().starts_with("order: "), "{}", calm["limit"]);
}

#[test]
fn what_cannot_be_looked_at_is_refused_with_a_hint() {
    let folder = fresh_folder("why-wrong");
    let table: [(&[&str], i32, &str); 6] = [
        (&["isolate", "cascade", "inventroy"], 2, "did you mean `inventory`?"),
        (&["isolate", "cascade"], 2, "SERVICE"),
        (&["capacity", "cascade", "--hold", "1s"], 2, "at least 2s"),
        (&["capacity", "cascade", "--up-to", "-5"], 2, ""),
        (&["diagnose", "cascade", "--expect", "checkout sucess > 3"], 2, "sucess"),
        (&["diagnose", "chain", "--write", "changed.yaml"], 3, "there is no change to write"),
    ];
    for (arguments, code, expected) in table {
        let (_, err) = written(&squall_in(&folder, arguments).code(code));
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
