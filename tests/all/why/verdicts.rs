//! The first cause and the verdicts of every built-in topology, and of its healthy variant. A new topology needs a row.

use super::{json, names};

/// What is expected of a topology.
struct Row {
    name: &'static str,
    /// The kind of the first thing that goes wrong, and what it happens to; nothing goes wrong in a healthy one.
    first: Option<(&'static str, &'static str)>,
    /// What it is a case of, the worst first.
    verdicts: &'static [&'static str],
    /// What makes it healthy.
    healthy: &'static [&'static str],
}

const NO_FAULTS: &[&str] = &["faults=[]", "expect=[]"];

const fn row(
    name: &'static str,
    first: Option<(&'static str, &'static str)>,
    verdicts: &'static [&'static str],
) -> Row {
    Row { name, first, verdicts, healthy: NO_FAULTS }
}

const ROOM_FOR_THE_CROWD: &[&str] = &[
    "services.endless.workers=200",
    "services.short.workers=200",
    "services.newest-first.workers=200",
    "services.controlled.workers=200",
    "services.adaptive.workers=200",
    "services.adaptive.admission.concurrency=1000",
    "expect=[]",
];

const TABLE: &[Row] = &[
    row("asynchronous-chain", None, &[]),
    row("autoscaling", None, &[]),
    Row {
        name: "bottleneck",
        first: Some(("saturated", "pricing")),
        verdicts: &["overload"],
        healthy: &["services.pricing.workers=200", "expect=[]"],
    },
    row("breakers-compared", Some(("fault_began", "flaky")), &["failing_dependency"]),
    row("cascade", Some(("fault_began", "db-slow")), &["cascading_failure"]),
    row("cascade-breaker", Some(("fault_began", "db-slow")), &["slow_dependency"]),
    row("cascade-timeout", Some(("fault_began", "slower")), &["slow_dependency"]),
    row("chain", None, &[]),
    row("chaos", Some(("fault_began", "deaths")), &["retry_storm"]),
    row("chatty", None, &[]),
    row("chatty-batch", None, &[]),
    Row {
        name: "cold-start",
        first: Some(("saturated", "api")),
        verdicts: &["cold_start"],
        healthy: &["services.api.autoscale.min=10", "expect=[]"],
    },
    Row {
        name: "deadline-propagation",
        first: Some(("saturated", "store")),
        verdicts: &["capacity_gap"],
        healthy: &["services.store.workers=100", "services.store-silent.workers=100", "expect=[]"],
    },
    row("graceful-degradation", Some(("fault_began", "recommendation-down")), &["failing_dependency"]),
    row("hedging", Some(("fault_began", "all-slow")), &["slow_dependency"]),
    Row {
        name: "load-shedding",
        first: Some(("saturated", "endless")),
        verdicts: &["overload"],
        healthy: ROOM_FOR_THE_CROWD,
    },
    row("metastable", Some(("fault_began", "standstill")), &["metastable", "retry_storm"]),
    Row {
        name: "metastable-cache",
        first: Some(("fault_began", "flush")),
        verdicts: &["metastable", "cascading_failure", "retry_storm"],
        healthy: &["faults=[]", "services.store.workers=100", "expect=[]"],
    },
    Row {
        name: "metastable-cache-recovers",
        first: Some(("fault_began", "flush")),
        verdicts: &["cascading_failure"],
        healthy: &["faults=[]", "services.store.workers=100", "expect=[]"],
    },
    row("metastable-failover", Some(("fault_began", "failover")), &["metastable", "retry_storm"]),
    row("metastable-failover-recovers", Some(("fault_began", "failover")), &["failing_dependency"]),
    Row {
        name: "metastable-gc",
        first: Some(("fault_began", "spike")),
        verdicts: &["metastable", "overload"],
        healthy: &["faults=[]", "services.api.cores=40", "expect=[]"],
    },
    Row {
        name: "metastable-gc-recovers",
        first: Some(("fault_began", "spike")),
        verdicts: &["overload"],
        healthy: &["faults=[]", "services.api.cores=40", "expect=[]"],
    },
    row("metastable-recovers", Some(("fault_began", "standstill")), &["slow_dependency"]),
    row("no-pooling", None, &[]),
    row("outlier-ejection", Some(("fault_began", "bad-replica")), &["failing_dependency"]),
    Row {
        name: "own-databases",
        first: Some(("saturated", "reports-db")),
        verdicts: &["cascading_failure", "overload"],
        healthy: &["load.month-end.stages.1.rate=1/s", "databases.reports-db.connections=100", "expect=[]"],
    },
    row("pooling", None, &[]),
    row("retries-compared", Some(("fault_began", "hiccup")), &["metastable", "retry_storm"]),
    row("retry-storm", Some(("fault_began", "flaky")), &["metastable", "retry_storm"]),
    row("retry-storm-backoff", Some(("fault_began", "flaky")), &["slow_dependency"]),
    Row {
        name: "shared-database",
        first: Some(("saturated", "shared-db")),
        verdicts: &["cascading_failure", "overload"],
        healthy: &["load.month-end.stages.1.rate=1/s", "databases.shared-db.connections=100", "expect=[]"],
    },
    Row {
        name: "slow-leak",
        first: Some(("saturated", "store")),
        verdicts: &["leak"],
        healthy: &[
            "services.store.memory.leak=0B",
            "services.store.workers=100",
            "services.store.cores=20",
            "expect=[]",
        ],
    },
    row("rolling-restart", Some(("fault_began", "deploy")), &[]),
    row("social", Some(("fault_began", "recommendation-down")), &["failing_dependency"]),
    row("synchronous-chain", None, &[]),
    row("warm-pool", None, &[]),
];

fn verdicts(report: &serde_json::Value) -> Vec<&str> {
    report["verdicts"].as_array().unwrap().iter().map(|found| found["kind"].as_str().unwrap()).collect()
}

#[test]
fn every_built_in_topology_has_the_first_cause_and_the_verdicts_that_it_should() {
    for name in names() {
        let row = TABLE.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("say in tests/all/why/verdicts.rs what `{name}` is a case of"));
        let report = json(&["run", &name]);
        let first = report["causes"].get(0);
        let first = first.map(|cause| (cause["kind"].as_str().unwrap(), cause["subject"].as_str().unwrap()));
        assert_eq!(first, row.first, "{name}: {}", report["causes"]);
        assert_eq!(verdicts(&report), row.verdicts, "{name}: {}", report["verdicts"]);
        for found in report["verdicts"].as_array().unwrap() {
            assert!(
                !found["evidence"].as_array().unwrap().is_empty(),
                "{name} has a verdict without evidence: {found}"
            );
        }
        assert!(
            TABLE.iter().all(|row| names().iter().any(|name| name == row.name)),
            "a row for a topology that is gone"
        );
    }
}

#[test]
fn a_healthy_variant_of_every_built_in_topology_has_no_verdict() {
    for row in TABLE {
        let mut arguments = vec!["run", row.name];
        arguments.extend(row.healthy.iter().flat_map(|set| ["--set", set]));
        let report = json(&arguments);
        assert_eq!(verdicts(&report), [""; 0], "{}: {}", row.name, report["verdicts"]);
        assert_eq!(report["causes"].as_array().unwrap().len(), 0, "{}: {}", row.name, report["causes"]);
    }
}

/// The evidence of the only verdict of a run.
fn evidence(arguments: &[&str]) -> (String, String) {
    let report = json(arguments);
    let found = report["verdicts"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{arguments:?}: {found:?}");
    let lines: Vec<&str> = found[0]["evidence"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    (found[0]["kind"].as_str().unwrap().to_owned(), lines.join("\n"))
}

#[test]
fn a_shortage_is_told_by_what_it_comes_from() {
    let (kind, lines) = evidence(&["run", "slow-leak"]);
    assert_eq!(kind, "leak");
    for said in ["its memory grew from 20", "it has 1,024 MiB", "killed for want of memory once"] {
        assert!(lines.contains(said), "`{said}` is not in {lines}");
    }
    let (kind, lines) = evidence(&["run", "cold-start"]);
    assert_eq!(kind, "cold_start");
    for said in ["its replicas went from 1 to", "each takes 20s to start", "came while replicas were starting"] {
        assert!(lines.contains(said), "`{said}` is not in {lines}");
    }
    // The same spike, and never enough replicas for it.
    let sets = ["services.api.autoscale.max=1", "load.visitors.stages.2.rate=500/s", "expect=[]"];
    let (kind, lines) = evidence(&["run", "cold-start", "--set", sets[0], "--set", sets[1], "--set", sets[2]]);
    assert_eq!(kind, "capacity_gap");
    assert!(lines.contains("is asked for 500/s, and does 100/s"), "{lines}");
    // More memory for more requests at once is no leak.
    let sets = ["services.store.memory.leak=0B", "load.writes.rate=230/s", "expect=[]", "phases={}", "duration=10m"];
    let set: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let (kind, _) = evidence(&[&["run", "slow-leak"], set.as_slice()].concat());
    assert_eq!(kind, "capacity_gap");
}

#[test]
fn without_retries_nothing_is_called_a_retry_storm() {
    for row in TABLE {
        let sets: &[&str] = match row.name {
            "retry-storm" | "retry-storm-backoff" => &["services.gateway.calls.order.retry.attempts=1", "expect=[]"],
            "metastable" => &["load.clients.retry.attempts=1", "expect=[]"],
            _ => continue,
        };
        let mut arguments = vec!["run", row.name];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        let report = json(&arguments);
        assert!(!verdicts(&report).contains(&"retry_storm"), "{}: {}", row.name, report["verdicts"]);
    }
}

#[test]
fn the_cascade_says_what_follows_from_what() {
    let report = json(&["run", "cascade"]);
    let causes = report["causes"].as_array().unwrap();
    let of = |subject: &str| causes.iter().position(|cause| cause["subject"] == subject).unwrap();
    let because = |subject: &str| causes[of(subject)]["because"]["cause"].as_u64().unwrap() as usize;
    assert_eq!(because("order"), of("db-slow"));
    assert_eq!(because("gateway"), of("order"));
    assert_eq!(because("checkout"), of("gateway"));
    let way = &causes[of("order")]["because"]["along"];
    assert_eq!(way, &serde_json::json!(["order", "inventory", "stock-db"]));
    assert!(report["verdicts"][0]["subject"] == "stock-db", "{}", report["verdicts"]);
}
