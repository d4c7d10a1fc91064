//! What is told of requests that go short ways, by many facts of their own, is what is told when each goes all of its way.

#![allow(clippy::unwrap_used, reason = "tests")]

use squall_model::observation::{Called, Observation, Returned, Sink};
use squall_model::plan::Plan;
use squall_model::trace::TraceFact;
use squall_model::{SimTime, plan, spec};
use squall_telemetry::{Recorder, step_for};

/// Follows single requests, so that none goes a short way.
struct Following {
    recorder: Recorder,
    traced: u64,
}

impl Sink for Following {
    const TRACED: bool = true;

    fn trace(&mut self, _: SimTime, _: TraceFact) {
        self.traced += 1;
    }

    fn observe(&mut self, at: SimTime, what: Observation) {
        self.recorder.observe(at, what);
    }

    fn called(&mut self, at: SimTime, what: Called) {
        self.recorder.called(at, what);
    }

    fn returned(&mut self, at: SimTime, what: Returned) {
        self.recorder.returned(at, what);
    }
}

const STORM: &str = include_str!("../../benches/storm.yaml");
const CHAIN: &str = include_str!("../../benches/chain.yaml");

fn plan(text: &str, sets: &[(&str, &str)]) -> Plan {
    let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    plan::compile(&spec::read(text, &sets, &|_| Err(String::new())).topology.unwrap()).unwrap()
}

#[test]
fn storms_and_overloads_have_the_digests_that_they_have_when_their_requests_are_followed() {
    let storm = [("duration", "30s"), ("faults.0.for", "8s")];
    // The first service is full, and whoever comes back makes room for the next.
    let overload = [("duration", "3s"), ("services.a.workers", "20")];
    let table = [(STORM, storm), (CHAIN, overload)];
    for ((text, sets), network) in table.iter().flat_map(|row| ["0ms", "500us"].map(|network| (row, network))) {
        let plan = plan(text, &[&sets[..], &[("network", network)]].concat());
        let new = || Recorder::new(&plan, step_for(plan.duration));
        let (mut short, mut following) = (new(), Following { recorder: new(), traced: 0 });
        let ended = squall_engine::run(&plan, &mut short);
        assert_eq!(squall_engine::run(&plan, &mut following).at, ended.at, "{network}");
        assert!(following.traced > 50_000, "{network}: {}", following.traced);
        let digest = |recorder: Recorder| recorder.finish(ended.at).fingerprint().to_string();
        assert_eq!(digest(short), digest(following.recorder), "{network}");
    }
}
