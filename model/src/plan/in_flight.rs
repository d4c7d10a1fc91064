//! A plan that takes another's place while a system runs: the same system, with other values. What has to stay the same
//! is everything that something in flight holds a number of.

use core::mem::discriminant;

use super::{Edge, Endpoint, Fault, Plan, Service, Site};

impl Plan {
    /// This plan as one that a system running `old` can go on with: it has the times, phases and expectations of `old`, against
    /// which the run is recorded. Says what is of another shape if it cannot.
    pub fn in_place_of(mut self, old: &Self) -> Result<Self, String> {
        let rows = |what: &str, same: bool| if same { Ok(()) } else { Err(format!("{what} would not be the same")) };
        let same = |a: &[Service], b: &[Service]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_like(b));
        rows("the services, or how many replicas they have,", same(&self.services, &old.services))?;
        let endpoints = self.endpoints.iter().zip(&old.endpoints).all(|(a, b)| a.is_like(b));
        rows("the endpoints", self.endpoints.len() == old.endpoints.len() && endpoints)?;
        let ops = self.ops.iter().zip(&old.ops).all(|(a, b)| discriminant(a) == discriminant(b));
        rows("the steps", self.ops.len() == old.ops.len() && ops && self.branches == old.branches)?;
        let edges = self.edges.iter().zip(&old.edges).find(|(a, b)| !a.is_like(b));
        if let Some((edge, _)) = edges {
            return Err(format!("{} would gain or lose a policy, or have them otherwise", edge.name));
        }
        let sites = self.sites.iter().zip(&old.sites).all(|(a, b)| a.is_like(b));
        rows("the calls", (self.edges.len(), self.sites.len()) == (old.edges.len(), old.sites.len()) && sites)?;
        let of_database = |d: &super::Database| (d.name.clone(), d.pool == u32::MAX, d.contention.is_some());
        let databases = self.databases.iter().map(of_database).eq(old.databases.iter().map(of_database));
        let caches = |plan: &Self| plan.caches.iter().map(|c| (c.name.clone(), c.held())).collect::<Vec<_>>();
        let topics = |plan: &Self| plan.topics.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
        rows("the caches, or what they hold,", caches(&self) == caches(old))?;
        rows("the topics", topics(&self) == topics(old))?;
        let loads = self.loads.iter().map(|l| (&l.name, l.clients)).eq(old.loads.iter().map(|l| (&l.name, l.clients)));
        rows("the databases or the loads", databases && loads)?;
        let faults = self.faults.iter().zip(&old.faults).all(|(a, b)| a.is_like(b));
        rows("the faults there are", self.faults.len() >= old.faults.len() && faults)?;
        (self.duration, self.drain, self.warmup) = (old.duration, old.drain, old.warmup);
        self.phases = old.phases.clone();
        self.expect.clone_from(&old.expect);
        Ok(self)
    }
}

impl Service {
    fn is_like(&self, old: &Self) -> bool {
        let shape = |s: &Self| (s.role, s.first_replica, s.replicas, s.first_endpoint, s.endpoints);
        let has = |s: &Self| (s.cores.is_some(), s.memory.is_some(), s.autoscale.is_some());
        // Requests are counted in, and some wait: a guard goes on as one of the same kind.
        let counts = |s: &Self| s.admission.and_then(|admission| admission.concurrency).map(|kind| discriminant(&kind));
        let sheds = |s: &Self| s.prioritized && s.queue != u32::MAX;
        let has_guard = |s: &Self| (s.discipline.is_some(), s.admission.is_some(), sheds(s), s.prioritized, s.bounded);
        let guard = |s: &Self| (has_guard(s), counts(s));
        let alike = has(self) == has(old) && guard(self) == guard(old);
        self.name == old.name && shape(self) == shape(old) && alike
    }
}

impl Endpoint {
    fn is_like(&self, old: &Self) -> bool {
        let shape = |e: &Self| (e.service, e.entry);
        let names = |e: &Self| (e.name.clone(), e.method.clone(), e.path.clone());
        shape(self) == shape(old) && names(self) == names(old)
    }
}

impl Edge {
    fn is_like(&self, old: &Self) -> bool {
        let has = |e: &Self| (e.breaker.is_some(), e.budget.is_some(), e.hedge_budget.is_some(), e.shared);
        let limits = |e: &Self| (e.rate_limit.is_some(), e.throttle.is_some(), e.pool.is_some(), e.cancels, e.bounds);
        let watches = |e: &Self| e.breaker.is_some_and(|breaker| breaker.watches_replicas());
        // Calls have their places in a bulkhead, and some wait for one: it can only become another of its kind.
        let rooms = self.bulkhead.as_ref().map(discriminant) == old.bulkhead.as_ref().map(discriminant);
        let alike = has(self) == has(old) && limits(self) == limits(old) && watches(self) == watches(old);
        self.name == old.name && alike && rooms && self.layers == old.layers
    }
}

impl Site {
    fn is_like(&self, old: &Self) -> bool {
        let shape = |s: &Self| (s.edge, s.endpoint, s.layers, s.hedge.is_some());
        shape(self) == shape(old)
    }
}

impl Fault {
    fn is_like(&self, old: &Self) -> bool {
        let shape = |f: &Self| (f.entry, f.target, discriminant(&f.effect));
        self.name == old.name && shape(self) == shape(old)
    }
}
