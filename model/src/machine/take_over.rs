//! A running system goes on with other values: the host hands it another plan of the same shape
//! ([`Plan::in_place_of`](crate::plan::Plan::in_place_of)). What is under way ends as it began; what begins from now on
//! goes by the new plan. A policy whose settings change starts anew, in its first state.

use squall_policies::SimTime;
use squall_policies::budget::Budget;
use squall_policies::limiter::Limiter;

use super::fault::Faults;
use super::host::Host;
use super::link::{ClientThrottle, Links, new_balancer, new_breaker};
use super::relay::Relay;
use super::route::Route;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{DatabaseId, Plan, ReplicaId, Service};

impl<'p> System<'p> {
    /// Goes on with `plan`, which must have been made to take the place of this system's plan.
    pub fn take_over(&mut self, host: &mut impl Host, now: SimTime, plan: &'p Plan) {
        let old = core::mem::replace(&mut self.plan, plan);
        let limits = self.links.take_over(now, old, plan).into_iter().chain(self.guards.take_over(now, old, plan));
        limits.for_each(|limit| host.observe(now, limit));
        self.faults.take_over(plan);
        self.routes = plan.sites.iter().map(|site| Route::new(plan, site)).collect();
        self.lanes = plan.lanes.len();
        self.relays = Relay::all(plan, &self.routes, &mut self.lanes);
        self.mark_disturbed();
        self.open_relays();
        for link in 0..self.links.count_all() {
            self.places_free(link);
            let edge = self.links[link].edge.index();
            if plan.edges[edge].breaker != old.edges[edge].breaker {
                self.begin_breaker(host, now, link);
            }
        }
        for (row, service) in plan.services.iter().enumerate().take(plan.real_services) {
            let before = &old.services[row];
            if (service.workers, service.queue) != (before.workers, before.queue) {
                for id in service.replica_range().map(ReplicaId::from) {
                    let replica = &mut self.replicas[id.index()];
                    (replica.workers, replica.queue_limit) = (service.workers, service.queue);
                    self.serve_waiting(host, now, id);
                }
            }
            self.take_over_machines(host, now, service);
        }
        for (row, database) in plan.databases.iter().enumerate() {
            if database.connections != old.databases[row].connections {
                self.databases[row].connections = database.connections;
                self.connections_back(host, now, DatabaseId::from(row));
            }
        }
        self.drive(host, now, Step::Rest);
    }

    /// Cores, memory and autoscaler of a service.
    fn take_over_machines(&mut self, host: &mut impl Host, now: SimTime, service: &Service) {
        for id in service.replica_range().map(ReplicaId::from) {
            if let (Some(cpu), Some(cores)) = (&mut self.cpus[id.index()], service.cores) {
                cpu.cores = cores;
            }
            if let (Some(memory), Some(settings)) = (&mut self.memories[id.index()], service.memory) {
                memory.settings = settings;
            }
            self.share_cpu(host, now, id);
        }
        for scaler in self.scalers.iter_mut().flatten() {
            if let Some(settings) = self.plan.services[scaler.service.index()].autoscale {
                scaler.settings = settings;
            }
        }
    }
}

impl Links {
    /// Answers which limits that follow latency are others now.
    fn take_over(&mut self, now: SimTime, old: &Plan, plan: &Plan) -> Vec<Observation> {
        self.know_networks(plan);
        let mut limits = Vec::new();
        for index in 0..self.count_all() {
            let (link, streams) = self.with_streams(index);
            let (before, edge) = (&old.edges[link.edge.index()], &plan.edges[link.edge.index()]);
            if edge.breaker != before.breaker {
                link.breaker = edge.breaker.as_ref().map(|breaker| new_breaker(plan, edge, breaker, now));
            }
            if edge.budget != before.budget {
                link.budget = edge.budget.as_ref().map(|budget| Budget::new(budget, now));
            }
            if let (Some(pool), Some(settings)) = (&mut link.pool, edge.pool) {
                pool.settings = settings;
            }
            if edge.hedge_budget != before.hedge_budget {
                link.hedge_budget = edge.hedge_budget.as_ref().map(|budget| Budget::new(budget, now));
            }
            if edge.balancer != before.balancer {
                link.balancer = new_balancer(plan, edge, now);
            }
            if edge.rate_limit != before.rate_limit {
                link.limiter = edge.rate_limit.as_ref().map(|limit| Limiter::new(limit, now));
            }
            if edge.throttle != before.throttle {
                link.throttle = edge.throttle.as_ref().map(|throttle| ClientThrottle::new(throttle, now));
            }
            if let (Some(room), Some(config)) =
                (&mut link.room, edge.bulkhead.filter(|_| edge.bulkhead != before.bulkhead))
            {
                let was = room.adaptive_limit();
                room.change(&config, &mut streams.policies);
                if let (Some(from), Some(to)) = (was, room.adaptive_limit().filter(|to| Some(*to) != was)) {
                    limits.push(Observation::BulkheadLimit { edge: link.edge, replica: link.caller, from, to });
                }
            }
        }
        limits
    }
}

impl Faults {
    /// The faults that were there keep their random streams; the new ones get theirs.
    fn take_over(&mut self, plan: &Plan) {
        let known = self.streams.len();
        self.streams.extend(Self::new(plan).streams.drain(known..));
    }
}
