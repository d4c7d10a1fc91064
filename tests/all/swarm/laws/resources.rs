//! The books of what services run on and talk to besides each other: caches, topics, cores, memory, replicas that come and
//! go, pools of connections.

use std::collections::BTreeMap;

use squall_model::SimTime;
use squall_model::observation::{Look, Observation};
use squall_model::plan::{Effect, Fault, Hits, Plan, Role, Target};

use super::all_or;

/// All of it.
pub(super) struct Resources {
    /// By replica: thousandths of a core in use, whether it serves, and whether it is to die for want of memory now.
    cpu: Vec<u32>,
    up: Vec<bool>,
    dying: Vec<Option<u64>>,
    /// By topic: messages published, and whether some may be lost.
    published: Vec<u64>,
    lossy: Vec<bool>,
    /// By edge: connections in use, and attempts that wait for one.
    busy: Vec<u64>,
    waiting: Vec<u64>,
    /// By call, or none for a replica's own, and replica: limits that follow latency.
    limits: BTreeMap<(Option<u32>, u32), u32>,
}

impl Resources {
    pub(super) fn new(plan: &Plan) -> Self {
        let replicas = plan.services.iter().flat_map(|service| (0..service.replicas).map(|n| n < service.at_start));
        let up: Vec<bool> = replicas.collect();
        let loses = |row: usize| {
            plan.faults.iter().any(|fault| {
                matches!(fault.effect, Effect::Drop(_))
                    && matches!(fault.target, Target::Topic(topic) if topic.index() == row)
            })
        };
        Self {
            cpu: vec![0; up.len()],
            dying: vec![None; up.len()],
            published: vec![0; plan.topics.len()],
            lossy: (0..plan.topics.len()).map(loses).collect(),
            busy: vec![0; plan.edges.len()],
            waiting: vec![0; plan.edges.len()],
            limits: BTreeMap::new(),
            up,
        }
    }

    pub(super) fn observe(&mut self, plan: &Plan, at: SimTime, what: &Observation) -> Result<(), String> {
        let service = |replica: usize| plan.services.iter().find(|s| s.replica_range().contains(&replica)).unwrap();
        match *what {
            Observation::LookedUp { cache, look, held, .. } => match plan.caches[cache.index()].hits {
                Hits::Fixed(share) => {
                    let certain = (share == 0.0 && look == Look::Hit) || (share == 1.0 && look == Look::Absent);
                    all_or(!certain && held == 0, || format!("{look:?} where a share of {share} hits"))
                }
                Hits::Keys { keys, capacity, ttl, .. } => {
                    let kept = look != Look::Expired || ttl != squall_model::Span::MAX;
                    all_or(held <= keys.min(capacity) && kept, || format!("{held} of {keys} keys held: {look:?}"))
                }
            },
            Observation::Published { topic, outcome, .. } => {
                self.published[topic.index()] += u64::from(outcome.is_success());
                Ok(())
            }
            Observation::Computing { replica, from, to, .. } => {
                let last = std::mem::replace(&mut self.cpu[replica.index()], to);
                let cores = service(replica.index()).cores.unwrap_or(0.0);
                let fits = f64::from(to) <= cores * 1000.0 + 1.0 && from == last && from != to;
                all_or(fits, || format!("{from} to {to} of {cores} cores, from {last}"))
            }
            Observation::MemoryUsed { replica, bytes } => {
                let Some(memory) = service(replica.index()).memory else { return Err("memory of nobody's".into()) };
                if bytes > memory.limit {
                    self.dying[replica.index()] = Some(at.as_nanos());
                }
                let least = memory.base + memory.per_request + memory.leak;
                all_or(bytes >= least, || format!("{bytes} bytes in use, at least {least} must be"))
            }
            Observation::OutOfMemory { replica } => {
                let due = self.dying[replica.index()].take();
                all_or(due == Some(at.as_nanos()), || format!("dies for want of memory, due at {due:?}"))
            }
            Observation::ReplicaUp { replica } => self.turns(replica.index(), true),
            Observation::ReplicaDown { replica } => self.turns(replica.index(), false),
            Observation::Scaled { service, from, to, ready, .. } => {
                let row = &plan.services[service.index()];
                let Some(settings) = row.autoscale else { return Err("scaled without an autoscaler".into()) };
                let activated = settings.min == 0 && from == 0 && to == 1;
                let fits = settings.min <= to && to <= settings.max && ready <= from && from <= settings.max;
                let up = self.up[row.replica_range()].iter().filter(|up| **up).count() as u32;
                all_or((fits || activated) && ready == up, || format!("{ready} ready of {from} to {to}, {up} serve"))
            }
            Observation::ConnectionWanted { edge } => {
                self.waiting[edge.index()] += 1;
                let pending = plan.edges[edge.index()].pool.map_or(0, |pool| pool.pending);
                let room = u64::from(pending) * links(plan, edge.index());
                all_or(self.waiting[edge.index()] <= room, || format!("{} wait of {room}", self.waiting[edge.index()]))
            }
            Observation::ConnectionGivenUp { edge } => take(&mut self.waiting[edge.index()]),
            Observation::ConnectionTaken { edge, queued, .. } => {
                if queued {
                    take(&mut self.waiting[edge.index()])?;
                }
                self.busy[edge.index()] += 1;
                let most = plan.edges[edge.index()].pool.map_or(0, |pool| pool.connections);
                let room = u64::from(most) * links(plan, edge.index());
                all_or(self.busy[edge.index()] <= room, || format!("{} connections of {room}", self.busy[edge.index()]))
            }
            Observation::ConnectionFreed { edge } => take(&mut self.busy[edge.index()]),
            Observation::AdmissionLimit { replica, from, to } => self.limit((None, replica.0), from, to),
            Observation::BulkheadLimit { edge, replica, from, to } => self.limit((Some(edge.0), replica.0), from, to),
            _ => Ok(()),
        }
    }

    /// A limit that follows latency goes from what it was to something else.
    fn limit(&mut self, of: (Option<u32>, u32), from: u32, to: u32) -> Result<(), String> {
        let last = self.limits.insert(of, to).unwrap_or(0);
        all_or(from == last && to != from && to > 0, || format!("a limit goes from {from} to {to}, and was {last}"))
    }

    fn turns(&mut self, replica: usize, up: bool) -> Result<(), String> {
        let before = std::mem::replace(&mut self.up[replica], up);
        all_or(before != up, || format!("replica {replica} serves: {up}, twice"))
    }

    /// A request may only be let in where somebody serves, or is about to, or is being stopped and takes what was on its way.
    pub(super) fn serves(&self, plan: &Plan, replica: usize, at: SimTime) -> bool {
        let is_here = |target: Target| match target {
            Target::Replica(id) => id.index() == replica,
            Target::Service(id) => plan.services[id.index()].replica_range().contains(&replica),
            _ => false,
        };
        let stops = |fault: &Fault| fault.effect == Effect::Restart && (fault.from..=fault.to).contains(&at);
        let drains = plan.faults.iter().any(|fault| stops(fault) && is_here(fault.target));
        let scaled = plan.services.iter().any(|s| s.autoscale.is_some() && s.replica_range().contains(&replica));
        self.up[replica] || scaled || drains
    }

    /// Every message that was published came to each subscriber, unless some may be lost.
    pub(super) fn ended(&self, plan: &Plan, arrived: &[Vec<u64>]) -> Result<(), String> {
        for service in &plan.services {
            let Role::Topic(topic) = service.role else { continue };
            for endpoint in service.endpoint_range() {
                let (came, sent) = (arrived[endpoint].iter().sum::<u64>(), self.published[topic.index()]);
                let right = if self.lossy[topic.index()] { came <= sent } else { came == sent };
                all_or(right, || format!("{came} messages came to {}, {sent} were published", service.name))?;
            }
        }
        Ok(())
    }

    /// Nobody is in the system any more.
    pub(super) fn drained(&self) -> Result<(), String> {
        let left = |counts: &[u64]| counts.iter().sum::<u64>();
        let idle = left(&self.busy) + left(&self.waiting) == 0;
        all_or(idle, || format!("connections in use: {:?}, waited for: {:?}", self.busy, self.waiting))?;
        all_or(self.cpu.iter().all(|used| *used == 0), || format!("cores in use: {:?}", self.cpu))
    }
}

fn take(count: &mut u64) -> Result<(), String> {
    let known = *count > 0;
    *count = count.saturating_sub(1);
    all_or(known, || "one more leaves than came".to_owned())
}

/// How many pools a call has.
fn links(plan: &Plan, edge: usize) -> u64 {
    let edge = &plan.edges[edge];
    if edge.shared { 1 } else { u64::from(plan.services[edge.caller.index()].replicas) }
}
