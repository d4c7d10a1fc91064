//! What is allowed but rarely wise. Each lint has a name, a reason, a figure, and a way to mend it.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::Span;
use crate::spec::{At, Backoff, Breaker, CallPolicy, CallStep, Limit, Propagate, Step, Topology};

pub(super) fn check(topology: &Topology, found: &mut Findings) {
    let calls = calls(topology);
    no_timeout(&calls, found);
    no_backoff(&calls, found);
    timeout_inversion(&calls, found);
    chatty_call(&calls, found);
    breaker_never_opens(topology, &calls, found);
    pool_above_database(topology, found);
    retry_amplification(topology, found);
}

/// A call as it is made: by whom, with which policies.
struct Call<'a> {
    service: &'a str,
    endpoint: &'a str,
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

fn calls(topology: &Topology) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    for (service, one) in topology.services.iter() {
        for (endpoint, body) in one.endpoints.iter() {
            for step in Step::all(&body.steps) {
                if let Step::Call(call) = &step.value {
                    let policy = one.policy_of(call);
                    calls.push(Call { service, endpoint, step: call, at: step.at, policy });
                }
            }
        }
    }
    calls
}

/// A call without a timeout holds its worker for as long as the callee likes.
fn no_timeout(calls: &[Call<'_>], found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for call in calls {
        let pair = (call.service, call.step.to.service.as_str());
        if call.policy.timeout.is_none() && call.policy.deadline.is_none() && seen.insert(pair) {
            let what = format!("{} has no timeout: it waits for as long as the callee takes", call.shown());
            let hint = format!("services.{}.calls.{}: {{timeout: 1s}}, or defaults.call", pair.0, pair.1);
            found.warn("no-timeout", call.at, what, hint);
        }
    }
}

/// Retries that all come at once meet the same trouble, and are part of it.
fn no_backoff(calls: &[Call<'_>], found: &mut Findings) {
    for call in calls {
        let Some(retry) = &call.policy.retry else { continue };
        if retry.attempts.value > 1 && matches!(retry.backoff.value, Backoff::None) {
            let what = format!("{} makes {} attempts without a wait in between", call.shown(), retry.attempts.value);
            found.warn("no-backoff", retry.at, what, "backoff: exponential(50ms 2 1s), jitter: full");
        }
    }
}

/// A caller that gives up before its callee does throws away what the callee still does.
fn timeout_inversion(calls: &[Call<'_>], found: &mut Findings) {
    let mut slowest: BTreeMap<(&str, &str), (&Call<'_>, Span)> = BTreeMap::new();
    for call in calls {
        let Some(limit) = patience(call.policy) else { continue };
        let key = (call.service, call.endpoint);
        if slowest.get(&key).is_none_or(|(_, known)| limit > *known) {
            slowest.insert(key, (call, limit));
        }
    }
    for call in calls {
        let to = &call.step.to;
        let Some(timeout) = &call.policy.timeout else { continue };
        let tells = call.policy.propagate.iter().flat_map(|all| all.iter());
        if tells.into_iter().any(|what| what.value == Propagate::Deadline) {
            continue;
        }
        let Some((inner, limit)) = slowest.get(&(to.service.as_str(), to.endpoint.as_str())) else { continue };
        if *limit > timeout.value {
            let gives_up = format!("{} gives up after {}", call.shown(), timeout.value);
            let what = format!("{gives_up}, while {} goes on for up to {limit}", inner.shown());
            let hint = "shorten the inner one, lengthen the outer one, or `propagate: [deadline]`";
            found.warn("timeout-inversion", timeout.at, what, hint);
        }
    }
}

/// How long a caller may wait for one call, back-off aside.
fn patience(policy: &CallPolicy) -> Option<Span> {
    let attempts = policy.retry.as_ref().map_or(1, |retry| retry.attempts.value);
    let all = policy.timeout.as_ref().map(|timeout| timeout.value * u64::from(attempts));
    let deadline = policy.deadline.as_ref().map(|deadline| deadline.value);
    all.into_iter().chain(deadline).min()
}

/// Many small calls pay for the network many times.
fn chatty_call(calls: &[Call<'_>], found: &mut Findings) {
    const MANY: u32 = 5;
    for call in calls {
        let times = call.step.times.value;
        if times >= MANY {
            let what = format!("{} is made {times} times for one request", call.shown());
            found.warn("chatty-call", call.at, what, "one call for all of them");
        }
    }
}

/// An outlier detection that may not eject even one replica never does.
fn breaker_never_opens(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    for call in calls {
        let callee = topology.services.find(&call.step.to.service);
        let (Some(breaker), Some(callee)) = (&call.policy.breaker, callee) else { continue };
        let Breaker::EnvoyOutlier(outlier) = &breaker.value else { continue };
        let (replicas, most) = (callee.replicas.value, outlier.max_ejection_percent.value.0);
        let none = (f64::from(replicas) * most) < 1.0 && !outlier.always_eject_one_host.value;
        if none && callee.autoscale.is_none() {
            let share = format!("{}% of {replicas} replicas is less than one", most * 100.0);
            let what = format!("{} never ejects a replica: {share}", call.shown());
            let hint = "raise `max_ejection_percent`, or say `always_eject_one_host: true`";
            found.warn("breaker-never-opens", breaker.at, what, hint);
        }
    }
}

/// Pools that together are larger than the database's limit only move the queue.
fn pool_above_database(topology: &Topology, found: &mut Findings) {
    let replicas = replicas_that_ask(topology);
    for (name, database) in topology.databases.iter() {
        let (Limit::Count(pool), Limit::Count(limit)) = (database.pool.value, database.connections.value) else {
            continue;
        };
        let replicas = replicas.get(name.as_str()).copied().unwrap_or(0);
        let all = replicas.saturating_mul(u64::from(pool));
        if all > u64::from(limit) {
            let pools = format!("{replicas} replicas with pools of {pool} want {all} connections");
            let what = format!("{pools}, `{}` has {limit}", name.value);
            found.warn("pool-above-database", database.pool.at, what, "smaller pools, or more connections");
        }
    }
}

/// By database, the replicas of all services that ask it.
fn replicas_that_ask(topology: &Topology) -> BTreeMap<&str, u64> {
    let mut replicas = BTreeMap::new();
    for (_, service) in topology.services.iter() {
        let steps = service.endpoints.iter().flat_map(|(_, endpoint)| Step::all(&endpoint.steps));
        let asked: BTreeSet<&str> = steps.filter_map(|step| asked(step)).collect();
        for database in asked {
            *replicas.entry(database).or_insert(0) += u64::from(service.replicas.value);
        }
    }
    replicas
}

fn asked(step: &Step) -> Option<&str> {
    if let Step::Query(query) = step { Some(&query.from) } else { None }
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
