//! How many events a run has, and when it ends.

#![allow(clippy::unwrap_used, reason = "tests")]

use squall_engine::Ended;
use squall_model::observation::{Observation, Sink};
use squall_model::{SimTime, plan, spec};

/// Listens to nothing.
struct Deaf;

impl Sink for Deaf {
    fn observe(&mut self, _: SimTime, _: Observation) {}
}

fn run(text: &str) -> Ended {
    let topology = spec::read(text, &[], &|_| Err(String::new())).topology.unwrap();
    squall_engine::run(&plan::compile(&topology).unwrap(), &mut Deaf)
}

#[test]
fn an_event_is_counted_whenever_somebody_asks_a_message_arrives_work_is_over_or_a_fault_begins_or_ends() {
    let fault = "faults: [{name: slow, at: 300ms, for: 100ms, target: s, latency: 7ms}]";
    let table = [
        // Ten users, and for each the end of its work.
        ("network: 0ms", "", 10 * 2),
        // Besides, for each a message there and one back.
        ("network: 1ms", "", 10 * 4),
        ("network: 0ms", fault, 10 * 2 + 2),
        ("network: 1ms", fault, 10 * 4 + 2),
    ];
    for (network, faults, events) in table {
        let text = format!(
            "name: ten\nduration: 1s\n{network}\nservices: {{s: {{endpoints: {{go: {{steps: [{{work: 5ms}}]}}}}}}}}\n\
             load: [{{name: load, to: s.go, rate: 10/s, arrivals: constant}}]\n{faults}"
        );
        let ended = run(&text);
        assert_eq!((ended.events, ended.census.fibers), (events, 0), "{network}, {faults}");
    }
}

#[test]
fn a_run_ends_with_its_load_or_when_what_is_under_way_is_over_or_its_drain() {
    for (work, ends_ms, left) in [("5ms", 1_000, 0), ("300ms", 1_200, 0), ("1h", 4_000, 20)] {
        let text = format!(
            "name: ten\nduration: 1s\ndrain: 3s\nservices: {{s: {{endpoints: {{go: {{steps: [{{work: {work}}}]}}}}}}}}\n\
             load: [{{name: load, to: s.go, rate: 10/s, arrivals: constant}}]"
        );
        let ended = run(&text);
        assert_eq!((ended.at.as_nanos() / 1_000_000, ended.census.fibers), (ends_ms, left), "{work}");
    }
}
