//! Changes to a system that runs, as they are written: values of its file, and faults that the file does not have. Each
//! comes on top of those before.

use std::sync::{Mutex, PoisonError};

use squall_model::plan::{self, Plan};
use squall_model::spec::{self, Fault, Problem, Spanned, Target};
use squall_services::{Changer, Injected, Refused};

use crate::topologies::Topology;

/// What can be changed while it runs: `*` is any name, and everything below is meant too.
const CHANGEABLE: [&str; 11] = [
    "network",
    "services.*.workers",
    "services.*.queue",
    "services.*.admission",
    "services.*.cores",
    "services.*.memory",
    "services.*.autoscale",
    "services.*.balancer",
    "services.*.cold_start",
    "services.*.endpoints.*.steps",
    "databases.*",
];

/// The policies of a call that can be changed while it runs, of a service or of a load.
const POLICIES: [&str; 12] = [
    "timeout",
    "deadline",
    "retry",
    "breaker",
    "bulkhead",
    "rate_limit",
    "throttle",
    "pool",
    "hedge",
    "balancer",
    "fallback",
    "network",
];

/// The file, and what was changed of it so far.
pub(crate) struct Changes {
    topology: Topology,
    /// Whether work burns CPU.
    burn: bool,
    made: Mutex<Made>,
}

#[derive(Clone, Default)]
struct Made {
    sets: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Changes {
    /// None yet, on top of the overrides `sets`.
    pub(crate) fn of(topology: Topology, sets: Vec<(String, String)>, burn: bool) -> Self {
        Self { topology, burn, made: Mutex::new(Made { sets, faults: Vec::new() }) }
    }

    fn plan(&self, made: &Made) -> Result<Plan, Refused> {
        let loaded = self.topology.loaded(&made.sets).map_err(said)?;
        let mut topology = loaded.topology;
        for fault in &made.faults {
            topology = spec::with_fault(&topology, fault.clone()).map_err(said)?;
        }
        let plan = plan::compile(&topology).map_err(said)?;
        Ok(if self.burn { super::burning(plan) } else { plan })
    }

    /// Makes a change and keeps it, if it can be made.
    fn make(
        &self,
        change: impl FnOnce(&mut Made),
        apply: impl FnOnce(Plan) -> Result<(), String>,
    ) -> Result<(), Refused> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = made.clone();
        change(&mut next);
        apply(self.plan(&next)?).map_err(|why| vec![format!("not while it runs: {why}")])?;
        *made = next;
        Ok(())
    }
}

impl Changer for Changes {
    fn set(&self, path: &str, value: &str, apply: &mut dyn FnMut(Plan) -> Result<(), String>) -> Result<(), Refused> {
        if !is_changeable(path) {
            let all = patterns().collect::<Vec<_>>().join(", ");
            return Err(vec![format!("`{path}` cannot be changed while it runs; what can: {all}")]);
        }
        self.make(|made| made.sets.push((path.to_owned(), value.to_owned())), apply)
    }

    fn inject(&self, fault: &str, apply: &mut dyn FnMut(Injected) -> Result<(), String>) -> Result<String, Refused> {
        let mut fault: Fault = spec::read_element(fault).map_err(said)?;
        if fault.every.is_some() || fault.pick.is_some() {
            return Err(vec!["`every` and `pick` are for the file: a fault by hand happens once, now".into()]);
        }
        let number = self.made.lock().unwrap_or_else(PoisonError::into_inner).faults.len() + 1;
        let at = fault.target.at;
        let name = fault.name.get_or_insert_with(|| Spanned { value: format!("by-hand-{number}"), at }).value.clone();
        let drain = fault.restart.as_ref().map(|restart| restart.drain.value);
        if drain.is_some() && !matches!(fault.target.0.as_slice(), [Spanned { value: Target::Replica { .. }, .. }]) {
            return Err(vec!["a restart by hand is of one replica: `target: api[0]`".into()]);
        }
        let lasts = drain.or(fault.lasts.as_ref().map(|lasts| lasts.value));
        let apply = |plan| apply(Injected { plan, name: name.clone(), lasts });
        self.make(|made| made.faults.push(fault), apply)?;
        Ok(name)
    }
}

fn said(problems: Vec<Problem>) -> Refused {
    let text = |problem: Problem| match problem.hint {
        Some(hint) => format!("{} ({hint})", problem.what),
        None => problem.what,
    };
    problems.into_iter().map(text).collect()
}

fn is_changeable(path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    let fits = |pattern: String| {
        let mut parts = parts.iter();
        pattern.split('.').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == *part))
    };
    patterns().any(fits)
}

/// Everything that can be changed while it runs.
fn patterns() -> impl Iterator<Item = String> {
    let of_services = POLICIES.into_iter().map(|policy| format!("services.*.calls.*.{policy}"));
    let of_loads = POLICIES.into_iter().map(|policy| format!("load.*.{policy}"));
    CHANGEABLE.into_iter().map(str::to_owned).chain(of_services).chain(of_loads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_running_system_can_take_over_is_changeable() {
        for path in
            ["network", "services.a.workers", "services.a.calls.b.retry.attempts", "load.l.hedge", "databases.db.query"]
        {
            assert!(is_changeable(path), "{path}");
        }
        for path in ["", "seed", "services.a", "services.a.replicas", "services.a.calls.b", "load.l.rate", "faults"] {
            assert!(!is_changeable(path), "{path}");
        }
    }
}
