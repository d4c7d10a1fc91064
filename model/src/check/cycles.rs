//! Calls that never end: endpoints that, whatever chance decides, call themselves again, directly or through others or
//! through a topic.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::spec::{At, EndpointRef, Spanned, Step, Topology};

/// An endpoint: service and name.
type Key<'a> = (&'a str, &'a str);

/// A call that is certain to be made.
#[derive(Clone, Copy)]
struct Certain<'a> {
    to: Key<'a>,
    at: At,
}

pub(super) fn check(topology: &Topology, found: &mut Findings) {
    let mut graph: BTreeMap<Key<'_>, Vec<Certain<'_>>> = BTreeMap::new();
    for (service, one) in topology.services.iter() {
        for (name, endpoint) in one.endpoints.iter() {
            graph.insert((service, name), certain(&endpoint.steps, topology));
        }
    }
    let mut done: BTreeMap<Key<'_>, bool> = BTreeMap::new();
    for &start in graph.keys() {
        walk(start, &graph, &mut done, found);
    }
}

/// Goes through everything reachable from `start`, depth first, with a stack of its own: chains may be long. `done` is
/// false while an endpoint is on the stack.
fn walk<'a>(
    start: Key<'a>,
    graph: &BTreeMap<Key<'a>, Vec<Certain<'a>>>,
    done: &mut BTreeMap<Key<'a>, bool>,
    found: &mut Findings,
) {
    if done.contains_key(&start) {
        return;
    }
    let mut path: Vec<(Key<'a>, usize)> = vec![(start, 0)];
    done.insert(start, false);
    while let Some((key, next)) = path.last_mut() {
        let call = graph.get(key).and_then(|calls| calls.get(*next)).copied();
        *next += 1;
        let Some(call) = call else {
            done.insert(*key, true);
            path.pop();
            continue;
        };
        match done.get(&call.to) {
            Some(true) => {}
            Some(false) => report(call, &path, found),
            None => {
                done.insert(call.to, false);
                path.push((call.to, 0));
            }
        }
    }
}

fn report(call: Certain<'_>, path: &[(Key<'_>, usize)], found: &mut Findings) {
    let from = path.iter().position(|(key, _)| *key == call.to).unwrap_or(0);
    let names = path[from..].iter().map(|(key, _)| *key).chain([call.to]);
    let names: Vec<String> = names.map(|(service, endpoint)| format!("{service}.{endpoint}")).collect();
    let what = format!("these calls never end: {}", names.join(" -> "));
    found.error(call.at, what, "put one of them under a `chance` that can leave the circle");
}

/// The calls that `steps` are certain to make, each endpoint once.
fn certain<'a>(steps: &'a [Spanned<Step>], topology: &'a Topology) -> Vec<Certain<'a>> {
    let mut calls: Vec<Certain<'a>> = Vec::new();
    let mut seen = BTreeSet::new();
    for step in steps {
        let more = match &step.value {
            Step::Call(call) => vec![call_to(&call.to, step.at)],
            Step::Publish(topic) => subscribers(topic, step.at, topology),
            Step::Chance(chance) if chance.of.value.0 >= 1.0 => certain(&chance.steps, topology),
            Step::Chance(chance) if chance.of.value.0 <= 0.0 => certain(&chance.otherwise, topology),
            Step::Chance(chance) => both(certain(&chance.steps, topology), &certain(&chance.otherwise, topology)),
            Step::Get(get) => match topology.caches.find(&get.from).and_then(|cache| cache.hit_rate.as_ref()) {
                Some(rate) if rate.value.0 <= 0.0 => certain(&get.miss, topology),
                _ => Vec::new(),
            },
            Step::Fail(fail) if fail.share.value.0 > 0.0 => return calls,
            step => step.bodies().into_iter().flat_map(|body| certain(body, topology)).collect(),
        };
        calls.extend(more.into_iter().filter(|call| seen.insert(call.to)));
    }
    calls
}

fn call_to(to: &EndpointRef, at: At) -> Certain<'_> {
    Certain { to: (&to.service, &to.endpoint), at }
}

fn subscribers<'a>(topic: &str, at: At, topology: &'a Topology) -> Vec<Certain<'a>> {
    let topic = topology.topics.find(topic);
    topic.into_iter().flat_map(|topic| &topic.to.0).map(|to| call_to(&to.value, at)).collect()
}

/// The calls that are made either way.
fn both<'a>(one: Vec<Certain<'a>>, other: &[Certain<'a>]) -> Vec<Certain<'a>> {
    let other: BTreeSet<Key<'_>> = other.iter().map(|call| call.to).collect();
    one.into_iter().filter(|call| other.contains(&call.to)).collect()
}
