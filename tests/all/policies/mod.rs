//! Policies at work in whole topologies, with answers that can be told beforehand, to the nanosecond.

mod callee;
mod caller;
mod crossings;

use squall_model::observation::{Failure, Observation};
use squall_model::{Outcome, SimTime, Span};

use crate::theory::watch;

/// How a call ended: outcome, failure, attempts, and how many milliseconds it took.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Ended {
    outcome: Outcome,
    failure: Option<Failure>,
    attempts: u16,
    ms: f64,
}

impl Ended {
    fn ok(ms: f64) -> Self {
        Self { outcome: Outcome::Ok, failure: None, attempts: 1, ms }
    }

    fn failed(outcome: Outcome, failure: Failure, ms: f64) -> Self {
        Self { outcome, failure: Some(failure), attempts: 1, ms }
    }
}

/// The ends of all calls along the edge of this name, in order.
fn ends(text: &str, edge: &str) -> Vec<Ended> {
    let mut ends = Vec::new();
    watch(text, |plan, _, what| {
        if let Observation::CallEnded { edge: of, outcome, failure, attempts, took, .. } = what
            && plan.edges[of.index()].name == edge
        {
            ends.push(Ended { outcome, failure, attempts, ms: took.as_nanos() as f64 / 1e6 });
        }
    });
    ends
}

/// Everything that is seen, in order.
fn all(text: &str) -> Vec<(SimTime, Observation)> {
    let mut seen = Vec::new();
    watch(text, |_, at, what| seen.push((at, what)));
    seen
}

/// A topology in which a load asks `callee` for work of this long, `count` times, this far apart; `policy` is the load's own.
fn asking(count: u32, apart: &str, policy: &str, callee: &str) -> String {
    let apart = Span::from_nanos(apart.parse::<u64>().unwrap() * 1_000_000);
    let duration = apart * u64::from(count);
    let rate = 1e9 / apart.as_nanos() as f64;
    format!(
        "{{duration: {}ns, drain: 1h, services: {{callee: {{{callee}}}}}, \
         load: [{{name: load, to: callee.work, rate: {rate}/s, {policy}}}]}}",
        duration.as_nanos(),
    )
}
