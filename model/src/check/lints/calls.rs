//! Lints about single calls: how long they wait, how often they are made, and what is made twice that should not be.

use std::collections::{BTreeMap, BTreeSet};

use super::Call;
use crate::Span;
use crate::check::Findings;
use crate::spec::{Backoff, CallPolicy, Limit, Retry, Step, Topology};

pub(super) fn check(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    no_timeout(calls, found);
    no_backoff(topology, calls, found);
    timeout_inversion(topology, calls, found);
    chatty_call(calls, found);
    chatty_repeat(topology, found);
    bulkhead_above_workers(topology, calls, found);
    post_retried(topology, calls, found);
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

/// Retries that all come at once meet the same trouble, and are part of it, unless a budget limits them.
fn no_backoff(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let loads = topology.load.iter().map(|load| (format!("`{}`", load.name.value), &load.policy));
    for (who, policy) in calls.iter().map(|call| (call.shown(), call.policy)).chain(loads) {
        let Some(retry) = policy.retry.as_ref().filter(|retry| retry.budget.is_none()) else { continue };
        if retry.attempts.value > 1 && matches!(retry.backoff.value, Backoff::None) {
            let what = format!("{who} makes {} attempts without a wait in between", retry.attempts.value);
            found.warn("no-backoff", retry.at, what, "backoff: exponential(50ms 2 1s), jitter: full, or a `budget`");
        }
    }
}

/// A caller that gives up before its callee does throws away what the callee still does.
fn timeout_inversion(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let mut longest = Longest { topology, known: BTreeMap::new() };
    let loads = topology.load.iter().flat_map(|load| {
        let goals = load.to.iter().chain(load.tasks.iter().map(|task| &task.to));
        goals.map(|to| (format!("`{}`", load.name.value), &load.policy, &to.value))
    });
    let calls = calls.iter().map(|call| (call.shown(), call.policy, &call.step.to));
    for (who, policy, to) in calls.chain(loads) {
        let Some(timeout) = &policy.timeout else { continue };
        let below = longest.of(&to.service, &to.endpoint, 0);
        if below > timeout.value {
            let endpoint = format!("`{}.{}`", to.service.value, to.endpoint.value);
            let what = format!(
                "{who} gives up after {}, while {endpoint} may wait for up to {below} for those that it calls",
                timeout.value
            );
            let hint = "shorten the inner ones, lengthen the outer one, or `propagate: [deadline]`";
            found.warn("timeout-inversion", timeout.at, what, hint);
        }
    }
}

/// How long endpoints may wait for their callees, along the path, with all retries and back-off.
struct Longest<'a> {
    topology: &'a Topology,
    known: BTreeMap<(String, String), Span>,
}

impl Longest<'_> {
    /// Deeper than this is not followed: no real chain is, and a circle is reported elsewhere.
    const DEEPEST: usize = 200;

    fn of(&mut self, service: &str, endpoint: &str, depth: usize) -> Span {
        let key = (service.to_owned(), endpoint.to_owned());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.known.insert(key.clone(), Span::ZERO);
        let topology = self.topology;
        let one = topology.services.find(service).filter(|_| depth < Self::DEEPEST);
        let body = one.and_then(|one| one.endpoints.find(endpoint).map(|body| (one, body)));
        let span = body.map_or(Span::ZERO, |(one, body)| self.steps(one, &body.steps, depth));
        self.known.insert(key, span);
        span
    }

    /// All of these, one after another.
    fn steps(&mut self, one: &crate::spec::Service, steps: &[crate::spec::Spanned<Step>], depth: usize) -> Span {
        let times = |span: Span, times: u32| Span::from_nanos(span.as_nanos().saturating_mul(u64::from(times)));
        let mut all = Span::ZERO;
        for step in steps {
            let span = match &step.value {
                Step::Call(call) => {
                    let below = self.of(&call.to.service, &call.to.endpoint, depth + 1);
                    let policy = one.policy_of(call);
                    times(patience(policy).unwrap_or(below), call.times.value)
                }
                Step::Repeat(repeat) => times(self.steps(one, &repeat.steps, depth), repeat.times.value),
                other => {
                    let mut bodies = Span::ZERO;
                    for body in other.bodies() {
                        bodies = bodies.max(self.steps(one, body, depth));
                    }
                    bodies
                }
            };
            all = Span::from_nanos(all.as_nanos().saturating_add(span.as_nanos()));
        }
        all
    }
}

/// How long a caller may wait for one call, with all attempts and the waits between; `None` is for ever.
fn patience(policy: &CallPolicy) -> Option<Span> {
    let attempts = policy.retry.as_ref().map_or(1, |retry| retry.attempts.value);
    let waits = policy.retry.as_ref().map_or(0, |retry| waits(retry));
    let all = policy.timeout.as_ref().map(|timeout| {
        Span::from_nanos(timeout.value.as_nanos().saturating_mul(u64::from(attempts)).saturating_add(waits))
    });
    let deadline = policy.deadline.as_ref().map(|deadline| deadline.value);
    all.into_iter().chain(deadline).min()
}

/// Nanoseconds between all attempts together, at most.
fn waits(retry: &Retry) -> u64 {
    const LOOKED_AT: u32 = 1_000;
    let mut all = 0u64;
    for retried in 1..retry.attempts.value.min(LOOKED_AT) {
        let wait = match retry.backoff.value {
            Backoff::None => 0.0,
            Backoff::Constant(wait) => ns(wait),
            Backoff::Linear { step, cap } => (ns(step) * f64::from(retried)).min(ns(cap)),
            Backoff::Exponential { base, factor, cap } => {
                (0..retried - 1).fold(ns(base), |wait, _| (wait * factor).min(ns(cap))).min(ns(cap))
            }
        };
        all = all.saturating_add(wait as u64);
    }
    all
}

fn ns(span: Span) -> f64 {
    span.as_nanos() as f64
}

/// Many small calls pay for the network many times.
const MANY: u32 = 5;

fn chatty_call(calls: &[Call<'_>], found: &mut Findings) {
    for call in calls {
        let times = call.step.times.value;
        if times >= MANY {
            let what = format!("{} is made {times} times for one request", call.shown());
            found.warn("chatty-call", call.at, what, "one call for all of them");
        }
    }
}

/// A call that is made again and again in a loop.
fn chatty_repeat(topology: &Topology, found: &mut Findings) {
    for (service, one) in topology.services.iter() {
        for (_, endpoint) in one.endpoints.iter() {
            for step in Step::all(&endpoint.steps) {
                let Step::Repeat(repeat) = &step.value else { continue };
                for inner in Step::all(&repeat.steps) {
                    let Step::Call(call) = &inner.value else { continue };
                    let times = repeat.times.value.saturating_mul(call.times.value);
                    if times >= MANY && call.times.value < MANY {
                        let callee = &call.to.service.value;
                        let what = format!("`{} -> {callee}` is made {times} times for one request", service.value);
                        found.warn("chatty-call", inner.at, what, "one call for all of them");
                    }
                }
            }
        }
    }
}

/// A bulkhead that is wider than the workers that could fill it never holds anything back.
fn bulkhead_above_workers(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for call in calls {
        let (Some(bulkhead), Some(caller)) = (&call.policy.bulkhead, topology.services.find(call.service)) else {
            continue;
        };
        let (Limit::Count(limit), Limit::Count(workers)) = (bulkhead.limit.value, caller.workers.value) else {
            continue;
        };
        if limit >= workers && seen.insert((call.service, call.step.to.service.as_str())) {
            let who = call.shown();
            let what = format!("{who} may take {limit} calls at once, and `{}` has {workers} workers", call.service);
            found.warn("bulkhead-above-workers", bulkhead.limit.at, what, "fewer than the workers, or none at all");
        }
    }
}

/// What is asked for twice with POST may be done twice.
fn post_retried(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let mut seen = BTreeSet::new();
    let loads = topology.load.iter().flat_map(|load| {
        let goals = load.to.iter().chain(load.tasks.iter().map(|task| &task.to));
        goals.map(|to| (format!("`{}`", load.name.value), &load.policy, &to.value))
    });
    let calls = calls.iter().map(|call| (call.shown(), call.policy, &call.step.to));
    for (who, policy, to) in calls.chain(loads) {
        let Some(retry) = policy.retry.as_ref().filter(|retry| retry.attempts.value > 1) else { continue };
        let service = topology.services.find(&to.service);
        let Some(endpoint) = service.and_then(|service| service.endpoints.find(&to.endpoint)) else { continue };
        let http = endpoint.http_or_default(&to.endpoint);
        let target = format!("{}.{}", to.service.value, to.endpoint.value);
        if http.method == "POST" && seen.insert((who.clone(), target.clone())) {
            let attempts = retry.attempts.value;
            let what = format!("{who} sends POST {} up to {attempts} times: it may be done as often", http.path);
            let hint = format!("no retry for `{target}`, or make it idempotent (PUT with a key) and say so in `http`");
            found.warn("post-retried", retry.at, what, hint);
        }
    }
}
