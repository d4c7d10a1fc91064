//! Who is called what. A load may share its name with a service; nothing else may share one.

use super::Findings;
use crate::spec::{EndpointRef, Problem, Spanned, Step, Topology, did_you_mean};

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

/// The names of a topology.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    topology: &'a Topology,
}

impl<'a> Names<'a> {
    /// Those of `topology`.
    pub const fn of(topology: &'a Topology) -> Self {
        Self { topology }
    }

    /// What `name` stands for: at most a load and one other thing, the load first.
    pub fn things(&self, name: &str) -> Vec<Thing> {
        let Topology { services, databases, caches, topics, load, .. } = self.topology;
        let known = [
            (Thing::Load, load.iter().any(|load| load.name.value == name)),
            (Thing::Service, services.find(name).is_some()),
            (Thing::Database, databases.find(name).is_some()),
            (Thing::Cache, caches.find(name).is_some()),
            (Thing::Topic, topics.find(name).is_some()),
        ];
        known.iter().filter(|(_, found)| *found).map(|(thing, _)| *thing).collect()
    }

    /// Every name that something may be called by.
    pub fn everything(&self) -> Vec<&'a str> {
        let Topology { services, databases, caches, topics, load, .. } = self.topology;
        let loads = load.iter().map(|load| load.name.as_str());
        loads.chain(services.names()).chain(databases.names()).chain(caches.names()).chain(topics.names()).collect()
    }

    /// Every phase: the named ones and the faults.
    pub fn phases(&self) -> Vec<&'a str> {
        let faults = self.topology.faults.iter().filter_map(|fault| fault.name.as_ref());
        self.topology.phases.names().chain(faults.map(|name| name.as_str())).collect()
    }

    /// Whether the endpoint exists; says what is wrong if not.
    pub fn endpoint(&self, reference: &EndpointRef) -> Result<(), Problem> {
        among(&reference.service, "service", self.topology.services.names())?;
        let service = self.topology.services.find(&reference.service);
        let known = service.into_iter().flat_map(|service| service.endpoints.names());
        among(&reference.endpoint, &format!("endpoint of `{}`", reference.service.value), known)
    }

    /// Whether `from`, a service or a load, calls the service `to`; says what is wrong if not.
    pub fn call(&self, from: &Spanned<String>, to: &Spanned<String>) -> Result<(), Problem> {
        let loads = self.topology.load.iter().map(|load| load.name.as_str());
        among(from, "service or load", self.topology.services.names().chain(loads))?;
        among(to, "service", self.topology.services.names())?;
        let callees = self.callees(from);
        if callees.contains(&to.as_str()) {
            return Ok(());
        }
        let hint = if callees.is_empty() { "it calls nothing".into() } else { did_you_mean(to, &callees) };
        Err(Problem::error(to.at, format!("`{}` never calls `{}`", from.value, to.value)).hint(hint))
    }

    /// The services that the service or load `name` calls.
    fn callees(&self, name: &str) -> Vec<&'a str> {
        let mut callees: Vec<&str> = Vec::new();
        let mut add = |to: &'a EndpointRef| {
            if !callees.contains(&to.service.as_str()) {
                callees.push(&to.service);
            }
        };
        let service = self.topology.services.find(name);
        for (_, endpoint) in service.iter().flat_map(|service| service.endpoints.iter()) {
            for step in Step::all(&endpoint.steps) {
                if let Step::Call(call) = &step.value {
                    add(&call.to);
                }
            }
        }
        for load in self.topology.load.iter().filter(|load| load.name.value == name) {
            load.to.iter().for_each(|to| add(&to.value));
            load.tasks.iter().for_each(|task| add(&task.to.value));
        }
        callees
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

/// Whether `name` is among `known`; says what is wrong if not.
pub(super) fn among<'a>(
    name: &Spanned<String>,
    noun: &str,
    known: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    let known: Vec<&str> = known.collect();
    if known.contains(&name.as_str()) {
        return Ok(());
    }
    Err(Problem::error(name.at, format!("there is no {noun} `{}`", name.value)).hint(did_you_mean(name, &known)))
}

fn unique<'a>(names: impl Iterator<Item = (&'a Spanned<String>, &'a str)>, found: &mut Findings) {
    const TAKEN: [&str; 2] = ["system", "default"];
    let mut seen = std::collections::BTreeMap::new();
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
