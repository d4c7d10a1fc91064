//! What a topology may say but this version cannot run yet: refused by name, before anything runs.

use crate::spec::{Arrivals, At, Branch, CallPolicy, Fault, Load, Problem, Service, Spanned, Step, Topology};

/// Every use of something that cannot be run yet.
pub(super) fn find(topology: &Topology) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    for (_, service) in topology.services.iter() {
        found.service(service);
    }
    for (_, database) in topology.databases.iter() {
        found.refuse(database.pool.count().map(|_| database.pool.at), "a database's `pool` for each replica");
        found.option(database.contention.as_ref(), "a database's `contention`");
    }
    for (name, _) in topology.caches.iter() {
        found.refuse(Some(name.at), "a cache");
    }
    for (name, _) in topology.topics.iter() {
        found.refuse(Some(name.at), "a topic");
    }
    topology.load.iter().for_each(|load| found.load(load));
    topology.faults.iter().for_each(|fault| found.fault(fault));
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn refuse(&mut self, at: Option<At>, what: &str) {
        if let Some(at) = at {
            self.0.push(Problem::error(at, format!("{what} is not supported yet")));
        }
    }

    fn option<T>(&mut self, value: Option<&Spanned<T>>, what: &str) {
        self.refuse(value.map(|value| value.at), what);
    }

    fn service(&mut self, service: &Service) {
        self.option(service.cores.as_ref(), "`cores`");
        self.option(service.memory.as_ref(), "`memory`");
        self.option(service.autoscale.as_ref(), "`autoscale`");
        self.policy(&service.calls.default);
        for (_, policy) in service.calls.to.iter() {
            self.policy(policy);
        }
        for (_, endpoint) in service.endpoints.iter() {
            self.steps(&endpoint.steps);
        }
    }

    fn policy(&mut self, policy: &CallPolicy) {
        self.option(policy.pool.as_ref(), "a call's `pool`");
    }

    fn steps(&mut self, steps: &[Spanned<Step>]) {
        for step in steps {
            match &step.value {
                Step::Get(_) => self.refuse(Some(step.at), "`get`"),
                Step::Publish(_) => self.refuse(Some(step.at), "`publish`"),
                Step::Call(call) => {
                    if let Some(policy) = &call.policy {
                        self.policy(policy);
                    }
                }
                Step::Parallel(parallel) => self.branches(&parallel.branches),
                Step::Race(race) => self.branches(&race.branches),
                Step::Repeat(repeat) => self.steps(&repeat.steps),
                Step::Chance(chance) => {
                    self.steps(&chance.steps);
                    self.steps(&chance.otherwise);
                }
                Step::Work(_) | Step::Wait(_) | Step::Query(_) | Step::Fail(_) => {}
            }
        }
    }

    fn branches(&mut self, branches: &[Branch]) {
        for branch in branches {
            self.steps(&branch.0);
        }
    }

    fn load(&mut self, load: &Load) {
        self.policy(&load.policy);
        let trace = matches!(load.arrivals.value, Arrivals::Trace(_));
        self.refuse(trace.then_some(load.arrivals.at), "`arrivals: trace(…)`");
        for stage in &load.stages {
            self.option(stage.users.as_ref(), "a stage of `users`");
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.option(fault.every.as_ref(), "`every`");
        self.option(fault.pick.as_ref(), "`pick`");
        self.option(fault.corrupt.as_ref(), "`corrupt`");
        self.option(fault.drop.as_ref(), "`drop`");
        self.option(fault.partition.as_ref(), "`partition`");
        self.option(fault.flush.as_ref(), "`flush`");
        self.option(fault.rate.as_ref(), "a load's `rate` fault");
    }
}
