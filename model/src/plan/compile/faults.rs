//! Faults: a row for each thing that is hit and each thing that is done to it.

use squall_policies::SimTime;

use super::Compiler;
use crate::plan::{Effect, Fault, LoadId, ReplicaId, ServiceId, Target};
use crate::spec;

impl Compiler<'_> {
    /// All faults.
    pub(super) fn faults(&mut self) {
        let topology = self.topology;
        let end = SimTime::ZERO + *topology.duration;
        for (entry, fault) in topology.faults.iter().enumerate() {
            let (from, to) = window(fault, end);
            let effects = self.effects(fault);
            for target in &fault.target.value.0 {
                let Some(hit) = self.target(target) else { continue };
                for effect in &effects {
                    let name = fault.name.as_ref().map_or_else(|| target_text(target), |name| name.value.clone());
                    let entry = entry as u32;
                    let row = Fault { entry, name, from, to, ramp: *fault.ramp, target: hit, effect: *effect };
                    self.plan.faults.push(row);
                }
            }
        }
    }

    fn effects(&mut self, fault: &spec::Fault) -> Vec<Effect> {
        let status = fault.status.as_ref().map_or(500, |status| status.value);
        let is_set = |flag: &Option<spec::Spanned<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let latency = fault.latency.as_ref().map(|time| Effect::Latency(self.time(time)));
        let add = fault.add.as_ref().map(|time| Effect::Add(self.time(time)));
        [
            latency,
            fault.times.as_ref().map(|times| Effect::Times(times.value)),
            add,
            fault.errors.as_ref().map(|share| Effect::Errors { share: share.0, status }),
            is_set(&fault.down).then_some(Effect::Down),
            is_set(&fault.hang).then_some(Effect::Hang),
            is_set(&fault.pause).then_some(Effect::Pause),
            fault.kill.as_ref().map(|count| Effect::Kill(count.value)),
            fault.capacity.as_ref().map(|share| Effect::Capacity(share.0)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn target(&mut self, target: &spec::Target) -> Option<Target> {
        let topology = self.topology;
        match target {
            spec::Target::Name(name) => {
                let service = topology.services.position(name).map(|i| Target::Service(ServiceId::from(i)));
                let database = || topology.databases.position(name).map(|i| Target::Database(i.into()));
                let load = || {
                    let load = topology.load.iter().position(|load| load.name.value == name.value);
                    load.map(|i| Target::Load(LoadId::from(i)))
                };
                service.or_else(database).or_else(load)
            }
            spec::Target::Endpoint(endpoint) => Some(Target::Endpoint(self.endpoint(endpoint))),
            spec::Target::Replica { service, index } => {
                let service = self.service(service);
                Some(Target::Replica(ReplicaId(self.plan.services[service.index()].first_replica.0 + index.value)))
            }
            spec::Target::Call { from, to } => {
                let named = |name: &str| self.plan.services.iter().position(|s| s.name == name).map(ServiceId::from);
                let edge = self.edges.get(&(named(from)?, named(to)?)).copied();
                edge.map(Target::Edge)
            }
        }
    }
}

/// From when to when a fault is at work.
pub(super) fn window(fault: &spec::Fault, end: SimTime) -> (SimTime, SimTime) {
    let from = SimTime::ZERO + *fault.at;
    let to = fault.lasts.as_ref().map_or(end, |lasts| from + lasts.value);
    (from, to.max(from))
}

fn target_text(target: &spec::Target) -> String {
    match target {
        spec::Target::Name(name) => name.value.clone(),
        spec::Target::Endpoint(of) => format!("{}.{}", of.service.value, of.endpoint.value),
        spec::Target::Replica { service, index } => format!("{}[{}]", service.value, index.value),
        spec::Target::Call { from, to } => format!("{} -> {}", from.value, to.value),
    }
}
