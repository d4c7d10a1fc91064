//! Loads: each one's clients are a row of the service table, its tasks their endpoints.

use squall_policies::{SimTime, Span};

use super::Compiler;
use crate::plan::{Arrivals, Endpoint, EndpointId, Load, LoadId, Op, Role, Service, ServiceId, Source, Stage};
use crate::spec;
use crate::spec::EndpointRef;

impl Compiler<'_> {
    /// All loads.
    pub(super) fn load(&mut self) {
        for load in &self.topology.load {
            self.one_load(load);
        }
    }

    fn one_load(&mut self, load: &spec::Load) {
        let (id, clients) = (LoadId::from(self.plan.loads.len()), ServiceId::from(self.plan.services.len()));
        let single = load.to.iter().map(|to| (&load.name.value, &to.value, 1.0));
        let tasks: Vec<_> =
            single.chain(load.tasks.iter().map(|task| (&task.name.value, &task.to.value, *task.weight))).collect();
        self.plan.services.push(Service {
            name: load.name.value.clone(),
            role: Role::Client(id),
            first_replica: self.next_replica(),
            replicas: *load.clients,
            workers: u32::MAX,
            queue: u32::MAX,
            discipline: None,
            admission: None,
            prioritized: false,
            bounded: false,
            queue_drops: false,
            cold_start: Span::ZERO,
            first_endpoint: EndpointId::from(self.plan.endpoints.len()),
            endpoints: tasks.len() as u32,
        });
        for (name, to, _) in &tasks {
            self.task(clients, name, to, &load.policy);
        }
        let weights = tasks.iter().map(|(.., weight)| *weight).collect();
        let source = self.source(load);
        self.plan.loads.push(Load { name: load.name.value.clone(), clients, weights, source });
    }

    fn task(&mut self, clients: ServiceId, name: &str, to: &EndpointRef, policy: &spec::CallPolicy) {
        let endpoint = self.endpoint(to);
        let edge = self.edge(clients, endpoint, policy);
        let site = self.site(edge, endpoint, policy);
        let entry = self.push(Op::Call(site));
        self.push(Op::Reply);
        let (method, path) = (String::new(), String::new());
        let name = name.to_owned();
        self.plan.endpoints.push(Endpoint { name, service: clients, entry, method, path, critical: false });
    }

    fn source(&mut self, load: &spec::Load) -> Source {
        if let Some(users) = &load.users {
            return Source::Closed { users: users.value, think: self.time(&load.think) };
        }
        let arrivals = match load.arrivals.value {
            spec::Arrivals::Poisson => Arrivals::Poisson,
            _ => Arrivals::Constant,
        };
        Source::Open { stages: stages(load, self.plan.duration), arrivals }
    }
}

/// The rate over time: a steady one to the end of the load, or stage after stage, cut off there.
fn stages(load: &spec::Load, duration: Span) -> Vec<Stage> {
    let end = SimTime::ZERO + duration;
    if let Some(rate) = &load.rate {
        return vec![Stage { from: SimTime::ZERO, to: end, rate_from: rate.0, rate_to: rate.0 }];
    }
    let (mut from, mut before) = (SimTime::ZERO, None);
    let mut stages = Vec::new();
    for stage in &load.stages {
        let Some(rate) = stage.rate.as_ref().map(|rate| rate.0) else { continue };
        let to = from + *stage.lasts;
        let rate_from = if *stage.hold { rate } else { before.unwrap_or(rate) };
        stages.push(Stage { from, to, rate_from, rate_to: rate }.cut(end));
        (from, before) = (to, Some(rate));
    }
    stages.retain(|stage| stage.from < stage.to);
    stages
}

impl Stage {
    /// The part of it before `end`.
    fn cut(self, end: SimTime) -> Self {
        if self.to <= end {
            return self;
        }
        let share = (end - self.from).as_nanos() as f64 / (self.to - self.from).as_nanos() as f64;
        Self { to: end, rate_to: self.rate_from + (self.rate_to - self.rate_from) * share, ..self }
    }
}
