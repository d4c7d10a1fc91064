//! From the topology as written to the plan: names become indices, steps become programs, policies become the
//! configurations of `squall-policies`. The topology has passed the checks; what cannot be run yet is refused here, by
//! name.

mod calls;
mod expect;
mod faults;
mod load;
mod policies;
mod resources;
mod steps;
mod surges;
mod times;
mod topics;

pub use policies::breaker;

use std::collections::BTreeMap;

use squall_policies::{SimTime, Span};

use super::{
    Edge, EdgeId, Endpoint, EndpointId, Op, Pc, Phase, Phases, Plan, ReplicaId, Role, Service, ServiceId, Site, TimeId,
};
use crate::spec::{CallPolicy, Limit, Problem, Propagate, Spanned, Topology};

/// Compiles a checked topology; the errors are all that cannot be run.
pub fn compile(topology: &Topology) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut compiler = Compiler::new(topology);
    compiler.tables();
    compiler.programs();
    compiler.topics();
    compiler.load();
    compiler.faults();
    compiler.expect();
    problems.append(&mut compiler.problems);
    if problems.is_empty() { Ok(compiler.plan) } else { Err(problems) }
}

/// A plan in the making.
struct Compiler<'t> {
    topology: &'t Topology,
    plan: Plan,
    /// Edges by caller and callee.
    edges: BTreeMap<(ServiceId, ServiceId), EdgeId>,
    lanes: BTreeMap<Span, super::LaneId>,
    /// The topology's own `network`.
    network: TimeId,
    /// How deep inside the misses of caches the step under way stands.
    depth: u32,
    problems: Vec<Problem>,
    /// Whether some caller tells its callee how much time is left.
    bounds: bool,
}

impl<'t> Compiler<'t> {
    fn new(topology: &'t Topology) -> Self {
        let end = SimTime::ZERO + *topology.duration;
        let plan = Plan {
            name: topology.name.value.clone(),
            about: topology.about.as_ref().map(|about| about.value.clone()).unwrap_or_default(),
            seed: *topology.seed,
            duration: *topology.duration,
            drain: *topology.drain,
            warmup: *topology.warmup,
            phases: phases(topology, end),
            services: Vec::new(),
            real_services: topology.services.len(),
            first_client: topology.services.len() + topology.topics.len(),
            endpoints: Vec::new(),
            ops: Vec::new(),
            branches: Vec::new(),
            sites: Vec::new(),
            edges: Vec::new(),
            databases: Vec::new(),
            caches: Vec::new(),
            look_depth: 0,
            topics: Vec::new(),
            loads: Vec::new(),
            faults: Vec::new(),
            times: Vec::new(),
            lanes: Vec::new(),
            expect: Vec::new(),
        };
        let (edges, lanes) = (BTreeMap::new(), BTreeMap::new());
        let bounds = bounds(topology);
        let mut compiler =
            Self { topology, plan, edges, lanes, network: TimeId(0), depth: 0, problems: Vec::new(), bounds };
        compiler.network = compiler.time(&topology.network);
        compiler
    }

    /// Services, their replicas and endpoints, and databases: everything that others name.
    fn tables(&mut self) {
        let topology = self.topology;
        for (name, service) in topology.services.iter() {
            let id = ServiceId::from(self.plan.services.len());
            let queue = service.queue.as_ref();
            let row = Service {
                name: name.value.clone(),
                role: Role::Service,
                first_replica: self.next_replica(),
                replicas: resources::replicas(service),
                at_start: resources::at_start(service),
                workers: limit(*service.workers),
                queue: queue.map_or(u32::MAX, |queue| limit(*queue.limit)),
                discipline: queue.and_then(|queue| policies::discipline(queue)),
                admission: service.admission.as_ref().and_then(|admission| policies::admission(admission)),
                prioritized: service.endpoints.iter().any(|(_, endpoint)| *endpoint.critical),
                bounded: false,
                queue_drops: queue.is_some_and(|queue| *queue.full == crate::spec::FullQueue::Drop),
                cold_start: *service.cold_start,
                ready_after: service.ready_after(),
                cores: service.cores.as_ref().map(|cores| cores.value),
                memory: service.memory.as_ref().map(|memory| resources::memory(memory)),
                autoscale: service.autoscale.as_ref().map(|autoscale| resources::autoscale(autoscale)),
                first_endpoint: EndpointId::from(self.plan.endpoints.len()),
                endpoints: service.endpoints.len() as u32,
            };
            self.refuse(row.discipline.map_or(Ok(()), |one| one.check()), queue.map(|queue| queue.at));
            self.refuse(
                row.admission.map_or(Ok(()), |one| one.check()),
                service.admission.as_ref().map(|admission| admission.at),
            );
            self.plan.services.push(row);
            for (name, endpoint) in service.endpoints.iter() {
                let http = endpoint.http_or_default(name);
                self.plan.endpoints.push(Endpoint {
                    name: name.value.clone(),
                    service: id,
                    entry: Pc(0),
                    method: http.method,
                    path: http.path,
                    critical: *endpoint.critical,
                });
            }
        }
        self.databases();
        self.caches();
        self.topic_tables();
    }

    fn next_replica(&self) -> ReplicaId {
        let last = self.plan.services.last();
        ReplicaId(last.map_or(0, |service| service.first_replica.0 + service.replicas))
    }

    fn service(&mut self, name: &Spanned<String>) -> ServiceId {
        let position = self.topology.services.position(name);
        ServiceId::from(self.known(position, name, "service"))
    }

    fn endpoint(&mut self, of: &crate::spec::EndpointRef) -> EndpointId {
        let service = self.service(&of.service);
        let position = self.topology.services.find(&of.service).and_then(|s| s.endpoints.position(&of.endpoint));
        let endpoint = self.known(position, &of.endpoint, "endpoint");
        EndpointId(self.plan.services.get(service.index()).map_or(0, |s| s.first_endpoint.0) + endpoint as u32)
    }

    fn database(&mut self, name: &Spanned<String>) -> super::DatabaseId {
        let position = self.topology.databases.position(name);
        super::DatabaseId::from(self.known(position, name, "database"))
    }

    /// The checks have found every name; should one be missing all the same, it is an error and not a panic.
    fn known(&mut self, position: Option<usize>, name: &Spanned<String>, what: &str) -> usize {
        position.unwrap_or_else(|| {
            self.problems.push(Problem::error(name.at, format!("there is no {what} `{}`", name.value)));
            0
        })
    }

    fn push(&mut self, op: Op) -> Pc {
        self.plan.ops.push(op);
        Pc::from(self.plan.ops.len() - 1)
    }

    fn here(&self) -> Pc {
        Pc::from(self.plan.ops.len())
    }
}

fn limit(limit: Limit) -> u32 {
    limit.count().unwrap_or(u32::MAX)
}

/// Whether some caller tells its callee how much time is left.
fn bounds(topology: &Topology) -> bool {
    let says = |policy: &CallPolicy| {
        policy.propagate.iter().flat_map(|all| all.iter()).any(|what| what.value == Propagate::Deadline)
    };
    let calls = topology
        .services
        .iter()
        .any(|(_, service)| says(&service.calls.default) || service.calls.to.iter().any(|(_, policy)| says(policy)));
    calls || topology.load.iter().any(|load| says(&load.policy))
}

/// The file's phases, then every fault that has a name.
fn phases(topology: &Topology, end: SimTime) -> Phases {
    let at = |span: Span| (SimTime::ZERO + span).min(end);
    let named = topology.phases.iter().map(|(name, phase)| Phase {
        name: name.value.clone(),
        from: at(phase.from),
        to: at(phase.to),
    });
    let faults = topology.faults.iter().filter_map(|fault| {
        let (from, first_ends) = faults::window(topology, fault, end);
        let to = if fault.every.is_some() { end } else { first_ends };
        fault.name.as_ref().map(|name| Phase { name: name.value.clone(), from, to: to.min(end) })
    });
    Phases::new(named.chain(faults).collect(), at(*topology.warmup), end)
}
