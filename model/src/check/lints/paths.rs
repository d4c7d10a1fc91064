//! Lints about whole paths: what retries of retries come to, and how many services wait for one another.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::spec::{Step, Topology};

pub(super) fn check(topology: &Topology, found: &mut Findings) {
    retry_amplification(topology, found);
    long_chain(topology, found);
}

/// Every service in a row adds its time, and its failures.
fn long_chain(topology: &Topology, found: &mut Findings) {
    const LONG: usize = 5;
    let mut chains = Chains { topology, known: BTreeMap::new() };
    for load in &topology.load {
        let goals = load.to.iter().chain(load.tasks.iter().map(|task| &task.to));
        let longest =
            goals.map(|to| (to, chains.below(&to.service, &to.endpoint, 0))).max_by_key(|(_, path)| path.len());
        let Some((to, path)) = longest.filter(|(_, path)| path.len() >= LONG) else { continue };
        let what = format!("{} services wait for one another: {}", path.len(), path.join(" -> "));
        let hint = "what need not be waited for can be told by message: `publish`";
        found.warn("long-chain", to.at, what, hint);
    }
}

/// The longest paths of calls that wait for one another; each endpoint is looked at once.
struct Chains<'a> {
    topology: &'a Topology,
    known: BTreeMap<(String, String), Vec<String>>,
}

impl Chains<'_> {
    fn below(&mut self, service: &str, endpoint: &str, depth: usize) -> Vec<String> {
        let key = (service.to_owned(), endpoint.to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let mut path = vec![service.to_owned()];
        self.known.insert(key.clone(), path.clone());
        let one = self.topology.services.find(service).filter(|_| depth < Deepest::DEEPEST);
        let body = one.and_then(|one| one.endpoints.find(endpoint));
        let mut longest = Vec::new();
        for step in body.map_or(Vec::new(), |body| Step::all(&body.steps)) {
            let Step::Call(call) = &step.value else { continue };
            let below = self.below(&call.to.service, &call.to.endpoint, depth + 1);
            if below.len() > longest.len() {
                longest = below;
            }
        }
        path.extend(longest);
        self.known.insert(key, path.clone());
        path
    }
}

/// Retries of retries multiply.
fn retry_amplification(topology: &Topology, found: &mut Findings) {
    const MANY: u64 = 10;
    let mut deepest = Deepest { topology, known: BTreeMap::new() };
    for load in &topology.load {
        let own = load.policy.retry.as_ref().map_or(1, |retry| u64::from(retry.attempts.value));
        let goals = load.to.iter().chain(load.tasks.iter().map(|task| &task.to));
        let worst = goals.map(|to| deepest.below(&to.service, &to.endpoint)).max_by_key(|worst| worst.attempts);
        let Some(worst) = worst else { continue };
        let layers = worst.layers + usize::from(own > 1);
        let attempts = own.saturating_mul(worst.attempts);
        if layers > 1 && attempts > MANY {
            let path = worst.path.join(" -> ");
            let what = format!("one request of `{}` can become {attempts} attempts: {path}", load.name.value);
            let hint = "retry in one layer only, or give each retry a `budget: 10%`";
            found.warn("retry-amplification", load.name.at, what, hint);
        }
    }
}

/// What one request can become at worst below an endpoint.
#[derive(Clone, Default)]
struct Worst {
    attempts: u64,
    layers: usize,
    path: Vec<String>,
}

/// Finds the path along which attempts multiply most; each endpoint is looked at once.
struct Deepest<'a> {
    topology: &'a Topology,
    known: BTreeMap<(String, String), Worst>,
}

impl Deepest<'_> {
    /// Deeper than this is not followed: no real chain is, and a circle is reported elsewhere.
    const DEEPEST: usize = 200;

    fn below(&mut self, service: &str, endpoint: &str) -> Worst {
        self.at_depth(service, endpoint, 0)
    }

    fn at_depth(&mut self, service: &str, endpoint: &str, depth: usize) -> Worst {
        let key = (service.to_owned(), endpoint.to_owned());
        let this = Worst { attempts: 1, layers: 0, path: vec![service.to_owned()] };
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.known.insert(key.clone(), this.clone());
        let topology = self.topology;
        let one = topology.services.find(service).filter(|_| depth < Self::DEEPEST);
        let Some((one, body)) = one.and_then(|one| one.endpoints.find(endpoint).map(|body| (one, body))) else {
            return this;
        };
        let mut worst = this.clone();
        for step in Step::all(&body.steps) {
            let Step::Call(call) = &step.value else { continue };
            let retry = one.policy_of(call).retry.as_ref().filter(|retry| retry.budget.is_none());
            let attempts = retry.map_or(1, |retry| u64::from(retry.attempts.value.max(1)));
            let below = self.at_depth(&call.to.service, &call.to.endpoint, depth + 1);
            let all = attempts.saturating_mul(below.attempts);
            if all > worst.attempts || worst.path.len() == 1 {
                let path = this.path.iter().cloned().chain(below.path).collect();
                worst = Worst { attempts: all, layers: below.layers + usize::from(attempts > 1), path };
            }
        }
        self.known.insert(key, worst.clone());
        worst
    }
}
