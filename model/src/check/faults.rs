//! Whether faults hit something that exists, in a way it can be hit, while the run lasts.

use super::{Findings, Names, Thing};
use crate::Span;
use crate::spec::{At, Fault, Problem, Spanned, Target, Topology};

pub(super) fn check(topology: &Topology, names: &Names<'_>, whole: bool, found: &mut Findings) {
    for fault in &topology.faults {
        let effects = effects(fault);
        if whole && effects.is_empty() {
            found.error(fault.target.at, "this fault does nothing", "say what: latency, errors, down, kill, …");
        }
        for target in &fault.target.0 {
            if let Some(problem) = nothing_to_flush(fault, target, topology) {
                found.problems.push(problem);
            }
            match thing(target, &effects, topology, names) {
                Ok(thing) => effects.iter().for_each(|effect| check_effect(effect, thing, target, found)),
                Err(problem) => found.problems.push(problem),
            }
        }
        check_times(fault, topology, found);
    }
}

/// A cache with a fixed share of hits holds nothing that could be emptied.
fn nothing_to_flush(fault: &Fault, target: &Spanned<Target>, topology: &Topology) -> Option<Problem> {
    let (Some(flush), Target::Name(name)) = (&fault.flush, &target.value) else { return None };
    topology.caches.find(name).and_then(|cache| cache.hit_rate.as_ref())?;
    let problem = Problem::error(flush.at, format!("`{}` has a fixed hit rate: there is nothing to empty", name.value));
    Some(problem.hint("give it `keys` and `capacity` instead of `hit_rate`"))
}

/// Something a fault does: its key, where that stands, and what it can be done to.
struct Effect {
    key: &'static str,
    at: At,
    to: &'static [Thing],
}

const TIMED: &[Thing] = &[Thing::Service, Thing::Endpoint, Thing::Database, Thing::Cache, Thing::Topic, Thing::Call];

/// What `fault` does.
fn effects(fault: &Fault) -> Vec<Effect> {
    use Thing::{Cache, Database, Load, Service};
    let table: [(&'static str, Option<At>, &'static [Thing]); 15] = [
        ("latency", place(fault.latency.as_ref()), TIMED),
        ("add", place(fault.add.as_ref()), TIMED),
        ("times", place(fault.times.as_ref()), TIMED),
        ("errors", place(fault.errors.as_ref()), TIMED),
        ("down", place(fault.down.as_ref()), TIMED),
        ("hang", place(fault.hang.as_ref()), TIMED),
        ("pause", place(fault.pause.as_ref()), TIMED),
        ("kill", place(fault.kill.as_ref()), &[Service]),
        ("restart", place(fault.restart.as_ref()), &[Service]),
        ("corrupt", place(fault.corrupt.as_ref()), TIMED),
        ("drop", place(fault.drop.as_ref()), TIMED),
        ("partition", place(fault.partition.as_ref()), TIMED),
        ("capacity", place(fault.capacity.as_ref()), &[Service, Database]),
        ("flush", place(fault.flush.as_ref()), &[Cache]),
        ("rate", place(fault.rate.as_ref()), &[Load]),
    ];
    table.into_iter().filter_map(|(key, at, to)| at.map(|at| Effect { key, at, to })).collect()
}

fn place<T>(given: Option<&Spanned<T>>) -> Option<At> {
    given.map(|given| given.at)
}

/// What a target is. A name that a load shares is the load only where the fault is one for loads.
fn thing(
    target: &Spanned<Target>,
    effects: &[Effect],
    topology: &Topology,
    names: &Names<'_>,
) -> Result<Thing, Problem> {
    match &target.value {
        Target::Name(name) => {
            let things = names.things(name);
            let fits = |thing: &&Thing| effects.iter().any(|effect| effect.to.contains(thing));
            let thing = things.iter().find(fits).or(things.last()).copied();
            names.known(thing.is_some(), name, "there is nothing called", names.everything())?;
            Ok(thing.unwrap_or(Thing::Service))
        }
        Target::Endpoint(endpoint) => names.endpoint(endpoint).map(|()| Thing::Endpoint),
        Target::Call { from, to } => names.call(from, to).map(|()| Thing::Call),
        Target::Replica { service, index } => {
            names.service(service)?;
            let most = topology.services.find(service).map_or(0, |service| match &service.autoscale {
                Some(autoscale) => autoscale.max.value,
                None => service.replicas.value,
            });
            if index.value < most {
                return Ok(Thing::Service);
            }
            let problem = Problem::error(index.at, format!("`{}` has no replica {}", service.value, index.value));
            Err(problem.unless(!names.whole).hint(format!("it has {most}, counted from 0")))
        }
    }
}

fn check_effect(effect: &Effect, thing: Thing, target: &Spanned<Target>, found: &mut Findings) {
    if !effect.to.contains(&thing) {
        let nouns: Vec<&str> = effect.to.iter().map(|thing| thing.noun()).collect();
        let at = if effect.at == At::default() { target.at } else { effect.at };
        let what = format!("`{}` cannot be done to {}", effect.key, thing.noun());
        found.error(at, what, format!("it can be done to {}", nouns.join(", ")));
    }
}

fn check_times(fault: &Fault, topology: &Topology, found: &mut Findings) {
    let once = fault.is_done_at_once();
    let duration = topology.duration.value;
    if fault.at.value >= duration {
        let what = format!("this fault begins at {}, after the end of the load", fault.at.value);
        found.error(fault.at.at, what, format!("`duration` is {duration}"));
    }
    if let Some(lasts) = &fault.lasts {
        found.require(lasts.value > Span::ZERO, lasts.at, "this fault lasts for no time", "say how long with `for`");
        let ramp = &fault.ramp;
        found.require(ramp.value <= lasts.value, ramp.at, "the ramp is longer than the fault", "shorten it");
    }
    if let (Some(every), None, false) = (&fault.every, &fault.lasts, once) {
        found.error(every.at, "a fault that comes again must end in between", "say how long with `for`");
    }
    if let (Some(status), None) = (&fault.status, &fault.errors) {
        found.error(status.at, "a status without errors", "say how many with `errors: 30%`");
    }
    if let Some(status) = &fault.status {
        let error = (400..=599).contains(&status.value);
        found.require(error, status.at, &format!("{} is not a status of an error", status.value), "from 400 to 599");
    }
    if let Some(restart) = &fault.restart {
        found.require(restart.at_once.value > 0, restart.at_once.at, "no replica restarts", "at least 1 at once");
    }
    if let Some(pick) = &fault.pick {
        found.require(pick.value > 0, pick.at, "this fault picks nothing", "at least 1");
    }
}
