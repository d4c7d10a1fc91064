//! Who is called what. A load may share its name with a service; nothing else may share one.

use core::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::spec::{CallPolicy, EndpointRef, Fault, Load, Problem, Service, Spanned, Step, Topology, did_you_mean};

/// What a name can stand for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thing {
    /// All load together.
    System,
    /// A load.
    Load,
    /// A task of a load.
    Task,
    /// A service.
    Service,
    /// An endpoint of a service.
    Endpoint,
    /// A database.
    Database,
    /// A cache.
    Cache,
    /// A topic.
    Topic,
    /// A call from one to another.
    Call,
}

impl Thing {
    /// For messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::System => "the system",
            Self::Load => "a load",
            Self::Task => "a task",
            Self::Service => "a service",
            Self::Endpoint => "an endpoint",
            Self::Database => "a database",
            Self::Cache => "a cache",
            Self::Topic => "a topic",
            Self::Call => "a call",
        }
    }
}

/// The names of a topology, indexed.
#[derive(Debug)]
pub struct Names<'a> {
    topology: &'a Topology,
    /// Whether nothing of it was lost while it was read.
    pub(super) whole: bool,
    loads: BTreeMap<&'a str, &'a Load>,
    faults: BTreeMap<&'a str, &'a Fault>,
    /// Who calls whom.
    calls: BTreeSet<(&'a str, &'a str)>,
    /// Those calls that have a breaker.
    breakers: BTreeSet<(&'a str, &'a str)>,
    /// How many more missing names get a hint: looking for the nearest one takes time.
    hints: Cell<u32>,
}

impl<'a> Names<'a> {
    /// Those of `topology`, of which nothing was lost while it was read if it is `whole`.
    pub fn of(topology: &'a Topology, whole: bool) -> Self {
        let faults = topology.faults.iter().filter_map(|fault| Some((fault.name.as_ref()?.as_str(), fault)));
        let mut names = Self {
            topology,
            whole,
            loads: topology.load.iter().map(|load| (load.name.as_str(), load)).collect(),
            faults: faults.collect(),
            calls: BTreeSet::new(),
            breakers: BTreeSet::new(),
            hints: Cell::new(100),
        };
        for (name, service) in topology.services.iter() {
            names.index_service(name, service);
        }
        for load in &topology.load {
            for to in load.to.iter().chain(load.tasks.iter().map(|task| &task.to)) {
                names.index_call(&load.name, &to.service, &load.policy);
            }
        }
        names
    }

    fn index_service(&mut self, name: &'a str, service: &'a Service) {
        for (_, endpoint) in service.endpoints.iter() {
            for step in Step::all(&endpoint.steps) {
                if let Step::Call(call) = &step.value {
                    self.index_call(name, &call.to.service, service.policy_of(call));
                }
            }
        }
    }

    fn index_call(&mut self, from: &'a str, to: &'a str, policy: &CallPolicy) {
        self.calls.insert((from, to));
        if policy.breaker.is_some() {
            self.breakers.insert((from, to));
        }
    }

    /// What `name` stands for: at most a load and one other thing, the load first.
    pub fn things(&self, name: &str) -> Vec<Thing> {
        let Topology { services, databases, caches, topics, .. } = self.topology;
        let known = [
            (Thing::Load, self.loads.contains_key(name)),
            (Thing::Service, services.find(name).is_some()),
            (Thing::Database, databases.find(name).is_some()),
            (Thing::Cache, caches.find(name).is_some()),
            (Thing::Topic, topics.find(name).is_some()),
        ];
        known.iter().filter(|(_, found)| *found).map(|(thing, _)| *thing).collect()
    }

    /// Whether something of this name is there, but could not be read.
    fn has_lost(&self, name: &str) -> bool {
        let Topology { services, databases, caches, topics, phases, .. } = self.topology;
        let things = services.has_lost(name) || databases.has_lost(name) || caches.has_lost(name);
        things || topics.has_lost(name) || phases.has_lost(name)
    }

    /// Every name that something may be called by.
    pub fn everything(&self) -> impl Iterator<Item = &'a str> {
        let Topology { services, databases, caches, topics, load, .. } = self.topology;
        let loads = load.iter().map(|load| load.name.as_str());
        loads.chain(services.names()).chain(databases.names()).chain(caches.names()).chain(topics.names())
    }

    /// The load `name`.
    pub fn load(&self, name: &str) -> Option<&'a Load> {
        self.loads.get(name).copied()
    }

    /// The fault `name`.
    pub fn fault(&self, name: &str) -> Option<&'a Fault> {
        self.faults.get(name).copied()
    }

    /// Whether `from` has a breaker on its calls to `to`.
    pub fn has_breaker(&self, from: &str, to: &str) -> bool {
        self.breakers.contains(&(from, to))
    }

    /// Whether the service exists; says what is wrong if not.
    pub fn service(&self, name: &Spanned<String>) -> Result<(), Problem> {
        let services = &self.topology.services;
        self.known(services.find(name).is_some(), name, "there is no service", services.names())
    }

    /// Whether the phase or fault exists; says what is wrong if not.
    pub fn phase(&self, name: &Spanned<String>) -> Result<(), Problem> {
        let phases = &self.topology.phases;
        let known = phases.find(name).is_some() || self.fault(name).is_some();
        self.known(known, name, "there is no phase or fault", phases.names().chain(self.faults.keys().copied()))
    }

    /// Whether the endpoint exists; says what is wrong if not.
    pub fn endpoint(&self, reference: &EndpointRef) -> Result<(), Problem> {
        self.service(&reference.service)?;
        let Some(service) = self.topology.services.find(&reference.service) else { return Ok(()) };
        let known = service.endpoints.find(&reference.endpoint).is_some();
        let missing = format!("`{}` has no endpoint", reference.service.value);
        let lost = service.endpoints.has_lost(&reference.endpoint);
        self.known(known, &reference.endpoint, &missing, service.endpoints.names())
            .map_err(|problem| problem.unless(lost))
    }

    /// Whether `from`, a service or a load, calls the service `to`; says what is wrong if not.
    pub fn call(&self, from: &Spanned<String>, to: &Spanned<String>) -> Result<(), Problem> {
        self.caller(from)?;
        self.service(to)?;
        let known = self.calls.contains(&(from.as_str(), to.as_str()));
        let callees = self.calls.range((from.as_str(), "")..).take_while(|(caller, _)| *caller == from.value);
        let missing = format!("`{}` never calls", from.value);
        // The step that calls it may be what was lost.
        self.known(known, to, &missing, callees.map(|(_, callee)| *callee))
            .map_err(|problem| problem.unless(!self.whole))
    }

    /// Whether there is a service or load `name`; says what is wrong if not.
    pub fn caller(&self, name: &Spanned<String>) -> Result<(), Problem> {
        let services = &self.topology.services;
        let known = services.find(name).is_some() || self.load(name).is_some();
        self.known(known, name, "there is no service or load", services.names().chain(self.loads.keys().copied()))
    }

    /// Unless the name is `known`: what is wrong, `missing` and the name, with what was probably meant among `all`.
    pub(super) fn known<'b>(
        &self,
        known: bool,
        name: &Spanned<String>,
        missing: &str,
        all: impl Iterator<Item = &'b str>,
    ) -> Result<(), Problem> {
        if known {
            return Ok(());
        }
        let problem = Problem::error(name.at, format!("{missing} `{}`", name.value)).unless(self.has_lost(name));
        let hints = self.hints.get();
        self.hints.set(hints.saturating_sub(1));
        Err(if hints > 0 { problem.hint(did_you_mean(name, &all.collect::<Vec<_>>())) } else { problem })
    }

    /// Complains about names that are taken or mean something else already.
    pub(super) fn check_unique(&self, found: &mut Findings) {
        let Topology { services, databases, caches, topics, load, faults, phases, .. } = self.topology;
        let things = services.iter().map(|(name, _)| (name, "a service"));
        let things = things.chain(databases.iter().map(|(name, _)| (name, "a database")));
        let things = things.chain(caches.iter().map(|(name, _)| (name, "a cache")));
        let things = things.chain(topics.iter().map(|(name, _)| (name, "a topic")));
        unique(things, found);
        unique(load.iter().map(|load| (&load.name, "a load")), found);
        let faults = faults.iter().filter_map(|fault| fault.name.as_ref()).map(|name| (name, "a fault"));
        unique(phases.iter().map(|(name, _)| (name, "a phase")).chain(faults), found);
        for load in load {
            unique(load.tasks.iter().map(|task| (&task.name, "a task")), found);
        }
    }
}

fn unique<'a>(names: impl Iterator<Item = (&'a Spanned<String>, &'a str)>, found: &mut Findings) {
    const TAKEN: [&str; 2] = ["system", "default"];
    let mut seen = BTreeMap::new();
    for (name, noun) in names {
        if TAKEN.contains(&name.as_str()) {
            let what = format!("`{}` cannot be the name of {noun}", name.value);
            found.error(name.at, what, "the word has a meaning of its own: choose another");
        }
        if let Some(other) = seen.insert(name.as_str(), noun) {
            found.error(name.at, format!("`{}` is already the name of {other}", name.value), "choose another name");
        }
    }
}
