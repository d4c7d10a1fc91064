//! What is allowed but rarely wise. Each lint has a name, a reason, a figure, and a way to mend it.

mod breakers;
mod calls;
mod layers;
mod paths;
mod resources;
mod traffic;
mod waits;

use std::collections::BTreeSet;

use super::Findings;
use crate::spec::{At, CallPolicy, CallStep, Step, Topology};

/// The names of all lints.
pub const LINTS: [&str; 19] = [
    "breaker-blind",
    "breaker-never-opens",
    "bulkhead-above-workers",
    "chatty-call",
    "cold-start-above-spike",
    "long-chain",
    "no-backoff",
    "no-timeout",
    "open-breaker-retried",
    "own-limits-counted",
    "pool-above-database",
    "post-retried",
    "probe-without-end",
    "retry-amplification",
    "shared-database",
    "slow-above-timeout",
    "timeout-inversion",
    "unbounded-queue",
    "waiting-counted-slow",
];

pub(super) fn check(topology: &Topology, found: &mut Findings) {
    let calls = calls(topology);
    calls::check(topology, &calls, found);
    waits::check(topology, &calls, found);
    breakers::check(topology, &calls, found);
    layers::check(&calls, found);
    resources::check(topology, found);
    paths::check(topology, found);
}

/// A call as it is made: by whom, with which policies.
struct Call<'a> {
    service: &'a str,
    step: &'a CallStep,
    at: At,
    policy: &'a CallPolicy,
}

impl Call<'_> {
    /// `caller -> callee`.
    fn shown(&self) -> String {
        format!("`{} -> {}`", self.service, self.step.to.service.value)
    }
}

/// One call for each caller and callee that have a breaker.
fn each_once<'a, 'c>(calls: &'a [Call<'c>]) -> impl Iterator<Item = &'a Call<'c>> {
    let mut seen = BTreeSet::new();
    let first = move |call: &&Call<'c>| seen.insert((call.service, call.step.to.service.as_str()));
    calls.iter().filter(|call| call.policy.breaker.is_some()).filter(first)
}

fn calls(topology: &Topology) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    for (service, one) in topology.services.iter() {
        for (_, body) in one.endpoints.iter() {
            for step in Step::all(&body.steps) {
                if let Step::Call(call) = &step.value {
                    let policy = one.policy_of(call);
                    calls.push(Call { service, step: call, at: step.at, policy });
                }
            }
        }
    }
    calls
}
