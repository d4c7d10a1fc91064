//! Lints about single calls: how long they wait, how often they are made, and what is made twice that should not be.

use std::collections::BTreeSet;

use super::Call;
use super::waits::waits;
use crate::check::Findings;
use crate::spec::{At, Bulkhead, Limit, Step, Topology};

pub(super) fn check(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    no_timeout(topology, calls, found);
    no_backoff(topology, calls, found);
    chatty_call(calls, found);
    chatty_repeat(topology, found);
    bulkhead_above_workers(topology, calls, found);
    post_retried(topology, calls, found);
}

/// A call without a timeout holds its worker for as long as the callee likes.
fn no_timeout(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for call in calls {
        let pair = (call.service, call.step.to.service.as_str());
        if call.policy.timeout.is_none() && call.policy.deadline.is_none() && seen.insert(pair) {
            let workers = topology.services.find(call.service).map_or(Limit::Unlimited, |caller| caller.workers.value);
            let held = match workers {
                Limit::Count(1) => ", and holds the only worker".to_owned(),
                Limit::Count(workers) => format!(", and holds one of {workers} workers"),
                Limit::Unlimited => String::new(),
            };
            let what = format!("{} has no timeout: it waits for as long as the callee takes{held}", call.shown());
            let hint = format!("services.{}.calls.{}: {{timeout: 1s}}, or defaults.call", pair.0, pair.1);
            found.warn("no-timeout", call.at, what, hint);
        }
    }
}

/// Retries that all come at once meet the same trouble, and are part of it, unless a budget limits them. Either is enough: a
/// budget bounds how much they add, a wait gives the trouble time to pass. A wait of no time is none.
fn no_backoff(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let loads = topology.load.iter().map(|load| (format!("`{}`", load.name.value), &load.policy));
    for (who, policy) in calls.iter().map(|call| (call.shown(), call.policy)).chain(loads) {
        let Some(retry) = policy.retry.as_ref().filter(|retry| retry.budget.is_none()) else { continue };
        if retry.attempts.value > 1 && waits(retry) == 0 {
            let what = format!("{who} makes {} attempts without a wait in between", retry.attempts.value);
            found.warn("no-backoff", retry.at, what, "backoff: exponential(50ms 2 1s), jitter: full, or a `budget`");
        }
    }
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
        let (at, limit) = match &bulkhead.value {
            Bulkhead::Semaphore(one) => (one.limit.at, one.limit.value),
            Bulkhead::Plain(limit) => (bulkhead.at, *limit),
            Bulkhead::ThreadPool(one) => (one.max.at, Limit::Count(one.max.value)),
            Bulkhead::Envoy(one) => (one.max_requests.at, Limit::Count(one.max_requests.value)),
            // Whatever it starts with, it follows what it finds.
            Bulkhead::Aimd(_) | Bulkhead::Vegas(_) | Bulkhead::Gradient2(_) => continue,
        };
        let at = if at == At::default() { bulkhead.at } else { at };
        let (Limit::Count(limit), Limit::Count(workers)) = (limit, caller.workers.value) else { continue };
        if limit >= workers && seen.insert((call.service, call.step.to.service.as_str())) {
            let who = call.shown();
            let what = format!("{who} may take {limit} calls at once, and `{}` has {workers} workers", call.service);
            found.warn("bulkhead-above-workers", at, what, "fewer than the workers, or none at all");
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
