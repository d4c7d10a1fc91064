//! Counterfactuals: the plan as it would be without one thing as the limit. The rest of the storm stays as it is, draw for
//! draw, for every random stream is its own.

use squall_model::dist::Dist;
use squall_model::plan::{Memory, Op, Plan, ServiceId, Target, Time};
use squall_model::{SimTime, Span};

/// More cores than anything keeps busy.
const PLENTY: f64 = 100_000.0;

/// A plan that differs in one thing.
pub(crate) struct Variant {
    /// The service, database, call or load.
    pub(crate) component: String,
    /// What that is.
    pub(crate) kind: &'static str,
    /// What was changed: `without fault db-slow (latency 5s)`.
    pub(crate) what: String,
    pub(crate) plan: Plan,
}

/// Every plan that lacks one fault, one limit or one policy.
pub(crate) fn all(plan: &Plan) -> Vec<Variant> {
    [faults(plan), databases(plan), services(plan), calls(plan)].into_iter().flatten().collect()
}

/// The plan without any fault, if it has one.
pub(crate) fn healthy(plan: &Plan) -> Option<Plan> {
    (!plan.faults.is_empty()).then(|| {
        let mut healthy = plan.clone();
        healthy.faults.clear();
        healthy
    })
}

/// Each fault taken away at `at`, when requests had begun to fail; whether it had ended by itself before.
pub(crate) fn triggers_removed(plan: &Plan, at: SimTime) -> Vec<(String, bool, Plan)> {
    let entries = entries(plan);
    let removed = entries.into_iter().filter(|(_, from, _)| *from < at).map(|(entry, _, name)| {
        let mut removed = plan.clone();
        let mut over = true;
        for fault in removed.faults.iter_mut().filter(|fault| fault.entry == entry) {
            over &= fault.to <= at;
            fault.to = fault.to.min(at);
        }
        (name, over, removed)
    });
    removed.collect()
}

/// The entries of the file's faults: number, begin and name.
fn entries(plan: &Plan) -> Vec<(u32, SimTime, String)> {
    let mut entries: Vec<(u32, SimTime, String)> = Vec::new();
    for fault in &plan.faults {
        if entries.last().is_none_or(|(entry, ..)| *entry != fault.entry) {
            entries.push((fault.entry, fault.from, fault.name.clone()));
        }
    }
    entries
}

fn faults(plan: &Plan) -> Vec<Variant> {
    let without = entries(plan).into_iter().map(|(entry, _, name)| {
        let mut without = plan.clone();
        without.faults.retain(|fault| fault.entry != entry);
        let hit = plan.faults.iter().find(|fault| fault.entry == entry).map(|fault| fault.target);
        let (component, kind) = hit.map_or_else(|| (name.clone(), "fault"), |target| named(plan, target));
        let words: Vec<&str> =
            plan.faults.iter().filter(|fault| fault.entry == entry).map(|fault| fault.effect.word()).collect();
        Variant { component, kind, what: format!("without fault {name} ({})", words.join(", ")), plan: without }
    });
    without.collect()
}

fn named(plan: &Plan, target: Target) -> (String, &'static str) {
    let service = |row: usize| (plan.services[row].name.clone(), "service");
    match target {
        Target::Service(id) => service(id.index()),
        Target::Endpoint(id) => service(plan.endpoints[id.index()].service.index()),
        Target::Replica(id) => {
            let owner = plan.services.iter().position(|service| service.replica_range().contains(&id.index()));
            service(owner.unwrap_or(0))
        }
        Target::Database(id) => (plan.databases[id.index()].name.clone(), "database"),
        Target::Edge(id) => (plan.edges[id.index()].name.clone(), "call"),
        Target::Load(id) => (plan.loads[id.index()].name.clone(), "load"),
        Target::Cache(id) => (plan.caches[id.index()].name.clone(), "cache"),
        Target::Topic(id) => (plan.topics[id.index()].name.clone(), "topic"),
    }
}

fn databases(plan: &Plan) -> Vec<Variant> {
    let limited = plan.databases.iter().enumerate().filter(|(_, database)| database.connections != u32::MAX);
    let unlimited = limited.map(|(row, database)| {
        let mut unlimited = plan.clone();
        unlimited.databases[row].connections = u32::MAX;
        let what = format!("with unlimited connections instead of {}", database.connections);
        Variant { component: database.name.clone(), kind: "database", what, plan: unlimited }
    });
    let pooled = plan.databases.iter().enumerate().filter(|(_, database)| database.pool != u32::MAX);
    let poolless = pooled.map(|(row, database)| {
        let mut poolless = plan.clone();
        poolless.databases[row].pool = u32::MAX;
        let what = format!("with unlimited pools instead of {} connections", database.pool);
        Variant { component: database.name.clone(), kind: "database", what, plan: poolless }
    });
    unlimited.chain(poolless).collect()
}

fn services(plan: &Plan) -> Vec<Variant> {
    let mut variants = Vec::new();
    for row in 0..plan.real_services {
        let service = &plan.services[row];
        let mut add = |what: String, plan: Plan| {
            variants.push(Variant { component: service.name.clone(), kind: "service", what, plan });
        };
        if service.workers != u32::MAX {
            let mut unlimited = plan.clone();
            unlimited.services[row].workers = u32::MAX;
            add(format!("with unlimited workers instead of {}", service.workers), unlimited);
        }
        if let Some(cores) = service.cores {
            add(
                format!("with unlimited cores instead of {cores}"),
                changed(plan, |plan| plan.services[row].cores = Some(PLENTY)),
            );
        }
        if let Some(memory) = service.memory {
            let endless = Memory { limit: u64::MAX, slow_from: None, ..memory };
            add("with memory without end".into(), changed(plan, |plan| plan.services[row].memory = Some(endless)));
            let tight = Memory { leak: 0, ..memory };
            if memory.leak > 0 {
                add("without its leak".into(), changed(plan, |plan| plan.services[row].memory = Some(tight)));
            }
        }
        if service.autoscale.is_some() && !service.cold_start.is_zero() {
            let what = "with replicas that start at once".into();
            add(what, changed(plan, |plan| plan.services[row].cold_start = Span::ZERO));
        }
        if service.admission.is_some() {
            add("without its admission control".into(), changed(plan, |plan| plan.services[row].admission = None));
        }
        if let Some(ideal) = without_own_time(plan, ServiceId::from(row)) {
            add("without any work of its own".into(), ideal);
        }
    }
    variants
}

/// The plan with a change.
fn changed(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut changed = plan.clone();
    change(&mut changed);
    changed
}

/// The plan in which a service's own work takes no time; `None` if it takes none anyway.
fn without_own_time(plan: &Plan, service: ServiceId) -> Option<Plan> {
    let mut ideal = plan.clone();
    let nothing = squall_model::plan::TimeId::from(ideal.times.len());
    ideal.times.push(Time { dist: Dist::Constant(Span::ZERO), lane: None });
    let mut changed = false;
    for (pc, op) in ideal.ops.iter_mut().enumerate() {
        let owner = plan.endpoints.iter().rfind(|endpoint| endpoint.entry.index() <= pc);
        if owner.is_none_or(|endpoint| endpoint.service != service) {
            continue;
        }
        if let Op::Work(time) | Op::Compute(time) | Op::Wait(time) = op {
            changed |= plan.times[time.index()].dist != Dist::Constant(Span::ZERO);
            *time = nothing;
        }
    }
    changed.then_some(ideal)
}

/// Each call without its retries, and without each of its policies.
fn calls(plan: &Plan) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (row, edge) in plan.edges.iter().enumerate() {
        let sites = || plan.sites.iter().enumerate().filter(|(_, site)| site.edge.index() == row);
        let mut add = |what: &str, plan: Plan| {
            variants.push(Variant { component: edge.name.clone(), kind: "call", what: what.to_owned(), plan });
        };
        if sites().any(|(_, site)| site.retry.attempts > 1) {
            let mut without = plan.clone();
            sites().for_each(|(site, _)| without.sites[site].retry.attempts = 1);
            add("without retries", without);
        }
        if edge.breaker.is_some() {
            let mut without = plan.clone();
            without.edges[row].breaker = None;
            add("without its circuit breaker", without);
        }
        if edge.bulkhead.is_some() {
            let mut without = plan.clone();
            without.edges[row].bulkhead = None;
            add("without its bulkhead", without);
        }
        if edge.budget.is_some() {
            add("without its retry budget", changed(plan, |plan| plan.edges[row].budget = None));
        }
        if edge.rate_limit.is_some() {
            add("without its rate limit", changed(plan, |plan| plan.edges[row].rate_limit = None));
        }
        if edge.throttle.is_some() {
            add("without its throttle", changed(plan, |plan| plan.edges[row].throttle = None));
        }
        if edge.pool.is_some() {
            add("without its connection pool", changed(plan, |plan| plan.edges[row].pool = None));
        }
        if sites().any(|(_, site)| site.hedge.is_some()) {
            add("without hedges", changed(plan, |plan| sites().for_each(|(site, _)| plan.sites[site].hedge = None)));
        }
        // How long users put up with it is none of the system's parts.
        let of_users = edge.caller.index() >= plan.real_services;
        if !of_users && sites().any(|(_, site)| site.timeout != Span::MAX) {
            let mut without = plan.clone();
            sites().for_each(|(site, _)| without.sites[site].timeout = Span::MAX);
            add("without its timeout", without);
        }
    }
    variants
}
