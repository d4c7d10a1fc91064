//! What a topology may say but this version cannot run yet: refused by name, before anything runs.

use crate::spec::{
    At, Balancer, Branch, Breaker, Budget, CallPolicy, Problem, QueueOrder, Service, Spanned, Step, Topology,
};

/// Every use of something that cannot be run yet.
pub(super) fn find(topology: &Topology) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    for (_, service) in topology.services.iter() {
        found.service(service);
    }
    topology.load.iter().for_each(|load| found.policy(&load.policy));
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
        self.option(service.admission.as_ref(), "`admission`");
        self.balancer(&service.balancer);
        if let Some(queue) = &service.queue {
            self.refuse((*queue.order != QueueOrder::Fifo).then_some(queue.order.at), "this queue order");
            self.option(queue.timeout.as_ref(), "a queue's `timeout`");
            self.option(queue.codel.as_ref(), "`codel`");
        }
        self.policy(&service.calls.default);
        for (_, policy) in service.calls.to.iter() {
            self.policy(policy);
        }
        for (_, endpoint) in service.endpoints.iter() {
            self.steps(&endpoint.steps);
        }
    }

    fn balancer(&mut self, balancer: &Spanned<Balancer>) {
        let unknown = matches!(balancer.value, Balancer::PeakEwma | Balancer::RingHash);
        self.refuse(unknown.then_some(balancer.at), "this balancer");
    }

    fn policy(&mut self, policy: &CallPolicy) {
        self.option(policy.hedge.as_ref(), "`hedge`");
        self.option(policy.propagate.as_ref(), "`propagate`");
        self.option(policy.order.as_ref(), "`order`");
        if let Some(balancer) = &policy.balancer {
            self.balancer(balancer);
        }
        if let Some(breaker) = &policy.breaker {
            let known = matches!(breaker.value, Breaker::Resilience4j(_));
            self.refuse((!known).then_some(breaker.at), "this kind of breaker");
        }
        if let Some(bulkhead) = &policy.bulkhead {
            self.refuse((!bulkhead.wait.is_zero()).then_some(bulkhead.wait.at), "a bulkhead's `wait`");
        }
        if let Some(budget) = policy.retry.as_ref().and_then(|retry| retry.budget.as_ref()) {
            let known = matches!(budget.value, Budget::Share(_));
            self.refuse((!known).then_some(budget.at), "this kind of budget");
        }
    }

    fn steps(&mut self, steps: &[Spanned<Step>]) {
        for step in steps {
            match &step.value {
                Step::Get(get) => self.steps(&get.miss),
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
                Step::Work(_) | Step::Wait(_) | Step::Query(_) | Step::Publish(_) | Step::Fail(_) => {}
            }
        }
    }

    fn branches(&mut self, branches: &[Branch]) {
        for branch in branches {
            self.steps(&branch.0);
        }
    }
}
