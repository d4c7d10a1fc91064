//! Lints about how long a caller waits against how long its callee may take, along the path, with retries and back-off.

use std::collections::BTreeMap;

use super::Call;
use super::traffic::mean_seconds;
use crate::Span;
use crate::check::Findings;
use crate::spec::{Backoff, CallPolicy, Propagate, Retry, Service, Spanned, Step, Topology};

/// A caller that gives up before its callee does throws away what the callee still does; one that does not wait for as long as
/// its callee usually takes never gets an answer at all.
pub(super) fn check(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let mut longest = Longest { topology, known: BTreeMap::new() };
    let loads = topology.load.iter().flat_map(|load| {
        let goals = load.to.iter().chain(load.tasks.iter().map(|task| &task.to));
        goals.map(|to| (format!("`{}`", load.name.value), &load.policy, &to.value))
    });
    let calls = calls.iter().map(|call| (call.shown(), call.policy, &call.step.to));
    let mut usual = Usual { topology, known: BTreeMap::new() };
    for (who, policy, to) in calls.chain(loads) {
        let Some(timeout) = &policy.timeout else { continue };
        let takes = Span::from_nanos_f64(usual.of(&to.service, &to.endpoint, 0) * 1e9);
        let endpoint = format!("`{}.{}`", to.service.value, to.endpoint.value);
        if takes > timeout.value {
            let what =
                format!("{who} gives up after {}, while {endpoint} takes {takes} when all is well", timeout.value);
            let hint = "a timeout that is longer than what it waits for usually takes";
            found.warn("timeout-inversion", timeout.at, what, hint);
            continue;
        }
        let mut told = policy.propagate.iter().flat_map(|all| all.iter());
        if told.any(|what| what.value == Propagate::Deadline) {
            continue;
        }
        let below = longest.of(&to.service, &to.endpoint, 0);
        if below > timeout.value {
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
    fn steps(&mut self, one: &Service, steps: &[Spanned<Step>], depth: usize) -> Span {
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

/// How long endpoints take when nothing fails, waits or is slow: the means of their own steps and of what they ask, in seconds, as
/// far as they are told by what is written. Never more than it really is.
struct Usual<'a> {
    topology: &'a Topology,
    known: BTreeMap<(String, String), f64>,
}

impl Usual<'_> {
    fn of(&mut self, service: &str, endpoint: &str, depth: usize) -> f64 {
        let key = (service.to_owned(), endpoint.to_owned());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.known.insert(key.clone(), 0.0);
        let one = self.topology.services.find(service).filter(|_| depth < Longest::DEEPEST);
        let body = one.and_then(|one| one.endpoints.find(endpoint).map(|body| (one, body)));
        let seconds = body.map_or(0.0, |(one, body)| self.steps(one, &body.steps, depth));
        self.known.insert(key, seconds);
        seconds
    }

    fn steps(&mut self, one: &Service, steps: &[Spanned<Step>], depth: usize) -> f64 {
        steps.iter().map(|step| self.step(one, &step.value, depth)).sum()
    }

    fn step(&mut self, one: &Service, step: &Step, depth: usize) -> f64 {
        let topology = self.topology;
        match step {
            Step::Work(time) | Step::Wait(time) => mean_seconds(&time.value),
            Step::Query(query) => {
                let usual = || topology.databases.find(&query.from).and_then(|database| database.query.as_ref());
                query.time.as_ref().or_else(usual).map_or(0.0, |time| mean_seconds(&time.value))
            }
            Step::Get(get) => topology.caches.find(&get.from).map_or(0.0, |cache| mean_seconds(&cache.latency.value)),
            Step::Publish(to) => topology.topics.find(to).map_or(0.0, |topic| mean_seconds(&topic.publish.value)),
            Step::Call(call) => {
                let below = self.of(&call.to.service, &call.to.endpoint, depth + 1);
                let patience = one.policy_of(call).timeout.as_ref().map(|timeout| timeout.value.as_secs_f64());
                f64::from(call.times.value) * patience.map_or(below, |patience| patience.min(below))
            }
            Step::Repeat(repeat) => f64::from(repeat.times.value) * self.steps(one, &repeat.steps, depth),
            Step::Chance(chance) => {
                let (first, second) =
                    (self.steps(one, &chance.steps, depth), self.steps(one, &chance.otherwise, depth));
                first.min(second)
            }
            Step::Parallel(_) => step.bodies().iter().map(|body| self.steps(one, body, depth)).fold(0.0, f64::max),
            Step::Race(_) => {
                let first = step.bodies().iter().map(|body| self.steps(one, body, depth)).fold(f64::INFINITY, f64::min);
                if first.is_finite() { first } else { 0.0 }
            }
            Step::Fail(_) => 0.0,
        }
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
pub(super) fn waits(retry: &Retry) -> u64 {
    const LOOKED_AT: u32 = 1_000;
    let mut all = 0u64;
    for retried in 1..retry.attempts.value.min(LOOKED_AT) {
        let grown = |base, factor: f64, cap| {
            (0..retried - 1).fold(ns(base), |wait, _| (wait * factor).min(ns(cap))).min(ns(cap))
        };
        let wait = match retry.backoff.value {
            Backoff::None => 0.0,
            Backoff::Constant(wait) => ns(wait),
            Backoff::PollyConstant { delay, cap } => ns(delay).min(ns(cap)),
            Backoff::Linear { step, cap } | Backoff::PollyLinear { delay: step, cap } => {
                (ns(step) * f64::from(retried)).min(ns(cap))
            }
            Backoff::Exponential { base, factor, cap } => grown(base, factor, cap),
            Backoff::Resilience4j { initial, multiplier, cap } => grown(initial, multiplier.unwrap_or(1.0), cap),
            Backoff::PollyExponential { delay: base, cap } | Backoff::Envoy { base, cap } => grown(base, 2.0, cap),
        };
        all = all.saturating_add(wait as u64);
    }
    all
}

fn ns(span: Span) -> f64 {
    span.as_nanos() as f64
}
