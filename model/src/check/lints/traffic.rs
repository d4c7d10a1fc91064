//! How much traffic there is between services at most: loads at their peak, and what each of their requests leads to.
//! Retries are left out.

use std::collections::BTreeMap;

use crate::spec::{Load, Service, Spanned, Step, Topology};

/// Calls a second, by caller and callee.
pub(super) struct Traffic(BTreeMap<(String, String), f64>);

impl Traffic {
    pub(super) fn of(topology: &Topology) -> Self {
        let mut below = Below { topology, known: BTreeMap::new() };
        let mut rates = BTreeMap::new();
        for load in &topology.load {
            let rate = peak(load) * surge(topology, load);
            let tasks = load.tasks.iter().map(|task| (&task.to, task.weight.value));
            let goals: Vec<_> = load.to.iter().map(|to| (to, 1.0)).chain(tasks).collect();
            let weights: f64 = goals.iter().map(|(_, weight)| weight).sum();
            for (to, weight) in goals {
                for (call, count) in below.of(&to.service, &to.endpoint, 0) {
                    *rates.entry(call).or_insert(0.0) += rate * count * weight / weights;
                }
            }
        }
        Self(rates)
    }

    /// Calls a second from one service to another.
    pub(super) fn rate(&self, from: &str, to: &str) -> f64 {
        self.0.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or(0.0)
    }
}

/// Requests a second of a load at its peak; without end if its users neither wait nor think.
fn peak(load: &Load) -> f64 {
    let staged = load.stages.iter().filter_map(|stage| stage.rate.as_ref()).map(|rate| rate.value.0);
    let rate = load.rate.iter().map(|rate| rate.value.0).chain(staged).fold(0.0, f64::max);
    let staged = load.stages.iter().filter_map(|stage| stage.users.as_ref()).map(|users| users.value);
    let users = load.users.iter().map(|users| users.value).chain(staged).max();
    match (users, mean_seconds(&load.think.value)) {
        (None, _) if rate > 0.0 => rate,
        (Some(users), think) if think > 0.0 => f64::from(users) / think,
        _ => f64::INFINITY,
    }
}

/// The mean of a time, as far as it is told by what is written; 0 if it is not.
pub(super) fn mean_seconds(time: &crate::spec::Dist) -> f64 {
    use crate::spec::Dist;
    let seconds = |span: crate::Span| span.as_secs_f64();
    match *time {
        Dist::Constant(span) => seconds(span),
        Dist::Uniform { low, high } => f64::midpoint(seconds(low), seconds(high)),
        Dist::Exponential { mean } | Dist::Normal { mean, .. } | Dist::Erlang { mean, .. } => seconds(mean),
        _ => 0.0,
    }
}

/// What faults multiply a load by, at most.
fn surge(topology: &Topology, load: &Load) -> f64 {
    let hits = |fault: &&crate::spec::Fault| {
        fault
            .target
            .value
            .0
            .iter()
            .any(|target| matches!(&target.value, crate::spec::Target::Name(name) if name.value == load.name.value))
    };
    let factors = topology.faults.iter().filter(hits).filter_map(|fault| fault.rate.as_ref());
    factors.map(|factor| factor.value.max(1.0)).product()
}

/// Calls that one request leads to, by caller and callee; each endpoint is looked at once.
struct Below<'a> {
    topology: &'a Topology,
    known: BTreeMap<(String, String), Counts>,
}

type Counts = BTreeMap<(String, String), f64>;

impl Below<'_> {
    /// Deeper than this is not followed: no real chain is, and a circle is reported elsewhere.
    const DEEPEST: usize = 200;

    fn of(&mut self, service: &str, endpoint: &str, depth: usize) -> Counts {
        let key = (service.to_owned(), endpoint.to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.known.insert(key.clone(), Counts::new());
        let topology = self.topology;
        let one = topology.services.find(service).filter(|_| depth < Self::DEEPEST);
        let mut counts = Counts::new();
        if let Some((one, body)) = one.and_then(|one| one.endpoints.find(endpoint).map(|body| (one, body))) {
            self.steps((service, one), &body.steps, 1.0, depth, &mut counts);
        }
        self.known.insert(key, counts.clone());
        counts
    }

    fn steps(
        &mut self,
        caller: (&str, &Service),
        steps: &[Spanned<Step>],
        share: f64,
        depth: usize,
        counts: &mut Counts,
    ) {
        for step in steps {
            match &step.value {
                Step::Call(call) => {
                    let times = share * f64::from(call.times.value);
                    *counts.entry((caller.0.to_owned(), call.to.service.value.clone())).or_insert(0.0) += times;
                    for (below, count) in self.of(&call.to.service, &call.to.endpoint, depth + 1) {
                        *counts.entry(below).or_insert(0.0) += times * count;
                    }
                }
                Step::Repeat(repeat) => {
                    let times = share * f64::from(repeat.times.value);
                    self.steps(caller, &repeat.steps, times, depth, counts);
                }
                Step::Chance(chance) => {
                    self.steps(caller, &chance.steps, share * chance.of.value.0, depth, counts);
                    self.steps(caller, &chance.otherwise, share * (1.0 - chance.of.value.0), depth, counts);
                }
                other => {
                    for body in other.bodies() {
                        self.steps(caller, body, share, depth, counts);
                    }
                }
            }
        }
    }
}
