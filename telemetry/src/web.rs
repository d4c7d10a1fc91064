//! Who depends on whom: services on the services they call and the databases they query, users on the services they ask.

use squall_model::plan::{DatabaseId, EdgeId, Op, Plan, Target};

/// Something that can be the reason of something else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Thing {
    /// A row of the service table; the clients of loads are there, too.
    Service(usize),
    Database(usize),
    Cache(usize),
    Edge(usize),
    /// Everything.
    System,
}

/// A dependency, and the call it goes along, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Strand {
    pub(crate) to: Thing,
    pub(crate) along: Option<EdgeId>,
}

/// All dependencies of a plan.
pub(crate) struct Web {
    /// By row of the service table.
    below: Vec<Vec<Strand>>,
}

impl Web {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut web = Self { below: vec![Vec::new(); plan.services.len()] };
        for (row, edge) in plan.edges.iter().enumerate() {
            let to = Thing::Service(edge.callee.index());
            web.add(edge.caller.index(), Strand { to, along: Some(EdgeId::from(row)) });
        }
        for (service, database) in queries(plan) {
            web.add(service, Strand { to: Thing::Database(database.index()), along: None });
        }
        for (service, cache) in shielded(plan) {
            web.add(service, Strand { to: Thing::Cache(cache), along: None });
        }
        web
    }

    fn add(&mut self, service: usize, strand: Strand) {
        let below = &mut self.below[service];
        if !below.contains(&strand) {
            below.push(strand);
        }
    }

    /// What a thing depends on directly.
    pub(crate) fn below(&self, thing: Thing) -> &[Strand] {
        match thing {
            Thing::Service(row) => &self.below[row],
            _ => &[],
        }
    }

    /// Everything that a thing depends on, itself first, the nearest before the farther; each with the things on the way
    /// to it and itself.
    pub(crate) fn ways(&self, from: Thing) -> Vec<Vec<Strand>> {
        let mut ways = vec![vec![Strand { to: from, along: None }]];
        let mut next = 0;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let Some(last) = way.last() else { continue };
            for strand in self.below(last.to) {
                let known = ways.iter().any(|other| other.last().is_some_and(|end| end == strand));
                if !known && way.iter().all(|passed| passed.to != strand.to) {
                    ways.push([way.as_slice(), &[*strand]].concat());
                }
            }
        }
        ways
    }
}

/// Which service queries which database: an endpoint's program begins at its entry, and they follow one another.
fn queries(plan: &Plan) -> impl Iterator<Item = (usize, DatabaseId)> + '_ {
    plan.ops.iter().enumerate().filter_map(|(pc, op)| match op {
        Op::Query(database, _) | Op::PooledQuery(database, _) => {
            let endpoint = plan.endpoints.iter().rfind(|endpoint| endpoint.entry.index() <= pc)?;
            Some((endpoint.service.index(), *database))
        }
        _ => None,
    })
}

/// Which service a cache stands before: those that look into it, and those that are called when it misses.
fn shielded(plan: &Plan) -> Vec<(usize, usize)> {
    let mut shielded = Vec::new();
    for (pc, op) in plan.ops.iter().enumerate() {
        let Op::Get { cache, hit, .. } = op else { continue };
        let endpoint = plan.endpoints.iter().rfind(|endpoint| endpoint.entry.index() <= pc);
        shielded.extend(endpoint.map(|endpoint| (endpoint.service.index(), cache.index())));
        for op in &plan.ops[pc..hit.index()] {
            if let Op::Call(site) = op {
                let edge = &plan.edges[plan.sites[site.index()].edge.index()];
                shielded.push((edge.callee.index(), cache.index()));
            }
        }
    }
    shielded
}

/// What a fault hits.
pub(crate) fn hit(plan: &Plan, target: Target) -> Thing {
    let service_of = |replica: usize| {
        plan.services.iter().position(|service| service.replica_range().contains(&replica)).unwrap_or(0)
    };
    match target {
        Target::Service(id) => Thing::Service(id.index()),
        Target::Endpoint(id) => Thing::Service(plan.endpoints[id.index()].service.index()),
        Target::Replica(id) => Thing::Service(service_of(id.index())),
        Target::Database(id) => Thing::Database(id.index()),
        Target::Cache(id) => Thing::Cache(id.index()),
        Target::Topic(id) => Thing::Service(plan.topics[id.index()].service.index()),
        Target::Edge(id) => Thing::Edge(id.index()),
        Target::Load(id) => Thing::Service(plan.loads[id.index()].clients.index()),
    }
}

/// The name of a thing in the file.
pub(crate) fn name(plan: &Plan, thing: Thing) -> &str {
    match thing {
        Thing::Service(row) => &plan.services[row].name,
        Thing::Database(row) => &plan.databases[row].name,
        Thing::Cache(row) => &plan.caches[row].name,
        Thing::Edge(row) => &plan.edges[row].name,
        Thing::System => "system",
    }
}
