//! A second opinion: a simulation of one model that was written by hand, and shares nothing with the engine and the machines but
//! the random streams, must come to the very same figures, to the nanosecond.

#[path = "../../benches/limit/by_hand.rs"]
mod simulation;

use simulation::{Chain, Tally, bucket};
use squall_model::observation::{Failure, Observation, Sink};
use squall_model::plan::{self, EdgeId, Plan, ServiceId};
use squall_model::{Outcome, SimTime, Span, spec};

/// Tallies what the machines tell.
struct Teller<'p> {
    plan: &'p Plan,
    tally: Tally,
}

impl Teller<'_> {
    /// The place of a caller in the row: the users, `a` and `b`.
    fn caller(&self, edge: EdgeId) -> usize {
        ["load", "a", "b"].iter().position(|name| *name == self.name(self.plan.edges[edge.index()].caller)).unwrap()
    }

    fn name(&self, service: ServiceId) -> &str {
        &self.plan.services[service.index()].name
    }

    fn ended(&mut self, at: SimTime, service: ServiceId, outcome: Outcome, [took, held]: [Span; 2]) {
        if let Some(level) = ["a", "b", "c"].iter().position(|name| *name == self.name(service)) {
            self.tally.held[level] += held.as_nanos();
            return;
        }
        let second = (at.as_nanos() / 1_000_000_000) as usize;
        let ok = outcome == Outcome::Ok;
        if let Some(counts) = self.tally.seconds.get_mut(second) {
            counts[usize::from(!ok)] += 1;
        }
        *(if ok { &mut self.tally.answered } else { &mut self.tally.failed }) += 1;
        if ok {
            self.tally.latency += took.as_nanos();
            self.tally.histogram[bucket(took.as_nanos())] += 1;
        }
    }
}

impl Sink for Teller<'_> {
    fn observe(&mut self, at: SimTime, what: Observation) {
        match what {
            Observation::Attempt { edge, number, .. } => {
                let caller = self.caller(edge);
                self.tally.attempts[caller] += 1;
                self.tally.retries[caller] += u64::from(number > 1);
            }
            Observation::AttemptFailed { edge, outcome: Failure::Callee(Outcome::Timeout), .. }
            | Observation::CallEnded { edge, failure: Some(Failure::Callee(Outcome::Timeout)), .. } => {
                let caller = self.caller(edge);
                self.tally.timeouts[caller] += 1;
            }
            Observation::Ended { endpoint, outcome, took, held, .. } => {
                self.ended(at, self.plan.endpoints[endpoint.index()].service, outcome, [took, held]);
            }
            _ => {}
        }
    }
}

/// What the engine makes of the chain, of which an outage takes the middle third.
fn engines(chain: &Chain, seed: u64) -> Tally {
    let mut sets = chain.overrides();
    sets.push(("seed".to_owned(), seed.to_string()));
    let text = include_str!("../../benches/storm.yaml");
    let plan = plan::compile(&spec::read(text, &sets, &|_| Err(String::new())).topology.unwrap()).unwrap();
    let mut teller = Teller { plan: &plan, tally: Tally { seconds: vec![[0; 2]; 60], ..Tally::new() } };
    squall_engine::run(&plan, &mut teller);
    // A callee's timeout is an answer to the users, who wait for ever.
    teller.tally.timeouts[0] = 0;
    teller.tally
}

#[test]
fn an_outage_and_its_recovery_come_out_to_the_nanosecond_as_in_a_simulation_written_by_hand() {
    let table = [
        (100, 50, 0),
        (1_000, 50, 0),
        (4_000, 50, 0),
        (4_000, 200, 0),
        (60, 1, 0),
        (100, 50, 500),
        (1_000, 50, 500),
        (700, 20, 50_000),
    ];
    for (rate, workers, hop_us) in table {
        let chain = Chain::new(f64::from(rate), workers, hop_us * 1_000, 60);
        for seed in 1..4 {
            let (engine, by_hand) = (engines(&chain, seed), simulation::run(chain, seed));
            assert!(by_hand.retries[1] > 0 && by_hand.failed > 0, "there is something to get wrong");
            assert_eq!(engine, by_hand, "{rate}/s, {workers} workers, {hop_us} us, seed {seed}");
        }
    }
}
