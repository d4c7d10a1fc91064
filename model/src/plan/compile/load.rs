//! Loads: each one's clients are a row of the service table, its tasks their endpoints.

use squall_policies::{SimTime, Span};

use super::{Compiler, surges};
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
            at_start: *load.clients,
            workers: u32::MAX,
            queue: u32::MAX,
            discipline: None,
            admission: None,
            prioritized: false,
            bounded: false,
            queue_drops: false,
            cold_start: Span::ZERO,
            ready_after: Span::ZERO,
            cores: None,
            memory: None,
            autoscale: None,
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
        let end = SimTime::ZERO + self.plan.duration;
        let surges = surges::of(self.topology, load, end);
        if let Some(users) = users_over_time(load, end) {
            let users = surges::multiplied(users, &surges);
            let first = users.first().map_or(0, |stage| stage.rate_from as u32);
            let changes = users.iter().any(|stage| [stage.rate_from, stage.rate_to] != [f64::from(first); 2]);
            let stages = if changes { users } else { Vec::new() };
            return Source::Closed { users: first, stages, think: self.time(&load.think) };
        }
        match &load.arrivals.value {
            spec::Arrivals::Trace(times) => {
                let times = times.values.iter().map(|span| SimTime::ZERO + *span).take_while(|at| *at < end);
                let times = surges::repeated(times.collect(), &surges);
                Source::Open { stages: Vec::new(), arrivals: Arrivals::Trace(times) }
            }
            written => {
                let poisson = *written == spec::Arrivals::Poisson;
                let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
                Source::Open { stages: surges::multiplied(rates_over_time(load, end), &surges), arrivals }
            }
        }
    }
}

/// The rate over time: a steady one to the end of the load, or stage after stage, cut off there.
fn rates_over_time(load: &spec::Load, end: SimTime) -> Vec<Stage> {
    if let Some(rate) = &load.rate {
        return vec![Stage { from: SimTime::ZERO, to: end, rate_from: rate.0, rate_to: rate.0 }];
    }
    stages(load, None, end, |stage| stage.rate.as_ref().map(|rate| rate.0))
}

/// The number of users over time, if it is a load of users: as many from the start to the end, or stage after stage,
/// of which the last one's stay.
fn users_over_time(load: &spec::Load, end: SimTime) -> Option<Vec<Stage>> {
    let first = load.users.as_ref().map(|users| f64::from(users.value));
    if first.is_none() && load.stages.iter().all(|stage| stage.users.is_none()) {
        return None;
    }
    let mut stages = stages(load, first, end, |stage| stage.users.as_ref().map(|users| f64::from(users.value)));
    let (from, last) = stages.last().map_or((SimTime::ZERO, first.unwrap_or(0.0)), |stage| (stage.to, stage.rate_to));
    if from < end {
        stages.push(Stage { from, to: end, rate_from: last, rate_to: last });
    }
    Some(stages)
}

/// Stage after stage, from what there was `before`, cut off at `end`.
fn stages(
    load: &spec::Load,
    mut before: Option<f64>,
    end: SimTime,
    goal: impl Fn(&spec::Stage) -> Option<f64>,
) -> Vec<Stage> {
    let mut from = SimTime::ZERO;
    let mut stages = Vec::new();
    for stage in &load.stages {
        let Some(rate_to) = goal(stage) else { continue };
        let to = from + *stage.lasts;
        let rate_from = if *stage.hold { rate_to } else { before.unwrap_or(rate_to) };
        stages.push(Stage { from, to, rate_from, rate_to }.cut(end));
        (from, before) = (to, Some(rate_to));
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
