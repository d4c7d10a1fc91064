//! Words for the things of a plan: what a fault hits and what it does, how long a varying time is.

use squall_model::dist::Dist;
use squall_model::plan::{Effect, Fault, Plan, ReplicaId, Service, Target, TimeId};

use crate::format;

/// What some faults of one entry do, and to what: `stock-db: latency 5s`.
pub(crate) fn faults(plan: &Plan, faults: &[&Fault]) -> String {
    let one_by_one = || distinct(faults.iter().map(|fault| target(plan, fault.target)));
    let targets = whole_service(plan, faults).unwrap_or_else(one_by_one);
    let effects = distinct(faults.iter().map(|fault| effect(plan, fault.effect)));
    format!("{targets}: {effects}")
}

/// The names of the services, databases, loads and calls that faults hit, each once.
pub(crate) fn struck(plan: &Plan, faults: &[&Fault]) -> Vec<String> {
    let owner = |fault: &&Fault| match fault.target {
        Target::Endpoint(id) => target(plan, Target::Service(plan.endpoints[id.index()].service)),
        Target::Replica(id) => {
            let service = plan.services.iter().find(|service| service.replica_range().contains(&id.index()));
            service.map_or_else(String::new, |service| service.name.clone())
        }
        other => target(plan, other),
    };
    let mut names: Vec<String> = faults.iter().map(owner).collect();
    names.dedup();
    names
}

/// The service all of whose replicas are hit, if they are several, and nothing else is.
fn whole_service(plan: &Plan, faults: &[&Fault]) -> Option<String> {
    let hit = |id: usize| faults.iter().any(|fault| fault.target == Target::Replica(ReplicaId::from(id)));
    let whole = |service: &&Service| service.replicas > 1 && service.replica_range().all(hit);
    let service = plan.services.iter().find(whole)?;
    let inside =
        |fault: &&Fault| matches!(fault.target, Target::Replica(id) if service.replica_range().contains(&id.index()));
    faults.iter().all(inside).then(|| service.name.clone())
}

fn distinct(words: impl Iterator<Item = String>) -> String {
    let mut known: Vec<String> = Vec::new();
    for word in words {
        if !known.contains(&word) {
            known.push(word);
        }
    }
    known.join(", ")
}

fn target(plan: &Plan, target: Target) -> String {
    let service = |row: usize| plan.services[row].name.as_str();
    match target {
        Target::Service(id) => service(id.index()).to_owned(),
        Target::Endpoint(id) => {
            let endpoint = &plan.endpoints[id.index()];
            format!("{}.{}", service(endpoint.service.index()), endpoint.name)
        }
        Target::Replica(id) => replica(plan, id),
        Target::Cache(id) => plan.caches[id.index()].name.clone(),
        Target::Topic(id) => plan.topics[id.index()].name.clone(),
        Target::Database(id) => plan.databases[id.index()].name.clone(),
        Target::Edge(id) => plan.edges[id.index()].name.clone(),
        Target::Load(id) => plan.loads[id.index()].name.clone(),
    }
}

fn replica(plan: &Plan, id: ReplicaId) -> String {
    let service = plan.services.iter().find(|service| service.replica_range().contains(&id.index()));
    service.map_or_else(String::new, |service| format!("{}[{}]", service.name, id.0 - service.first_replica.0))
}

fn effect(plan: &Plan, effect: Effect) -> String {
    match effect {
        Effect::Latency(id) => format!("latency {}", time(plan, id)),
        Effect::Add(id) => format!("{} more", time(plan, id)),
        Effect::Times(times) => format!("{} times as long", format::number(times)),
        Effect::Errors { share, status } => format!("{} errors {status}", format::share(share)),
        Effect::Down => "down".to_owned(),
        Effect::Hang => "hangs".to_owned(),
        Effect::Pause => "frozen".to_owned(),
        Effect::Kill(1) => "1 replica killed".to_owned(),
        Effect::Kill(count) => format!("{count} replicas killed"),
        Effect::Restart => "restarted in turn".to_owned(),
        Effect::Corrupt(share) => format!("{} of replies of no use", format::share(share)),
        Effect::Drop(share) => format!("{} lost on the wire", format::share(share)),
        Effect::Partition => "cut off".to_owned(),
        Effect::Flush => "emptied".to_owned(),
        Effect::Capacity(share) => format!("{} of its capacity", format::share(share)),
        Effect::Rate(times) => format!("{} times the load", format::number(times)),
    }
}

fn time(plan: &Plan, id: TimeId) -> String {
    match &plan.times[id.index()].dist {
        Dist::Constant(span) => span.to_string(),
        dist if dist.mean().is_finite() => format!("of {} on average", format::duration(dist.mean())),
        _ => "of any length".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::plan;

    #[test]
    fn a_fault_is_told_in_the_words_of_the_file() {
        let table = [
            ("target: db, latency: 5s", "db: latency 5s"),
            ("target: db, latency: exponential(2s)", "db: latency of 2s on average"),
            ("target: a, add: 100ms", "a: 100ms more"),
            ("target: a.get, times: 10", "a.get: 10 times as long"),
            ("target: \"a[1]\", errors: 30%, status: 503", "a[1]: 30% errors 503"),
            ("target: users -> a, down: true", "users -> a: down"),
            ("target: a, hang: true, errors: 1%", "a: 1% errors 500, hangs"),
            ("target: a, kill: 1", "a: 1 replica killed"),
            ("target: a, restart: 5s", "a: restarted in turn"),
            ("target: db, capacity: 50%", "db: 50% of its capacity"),
        ];
        for (fault, text) in table {
            let plan = plan(&format!(
                "
name: faults
duration: 10s
services:
  a: {{replicas: 2, endpoints: {{get: {{steps: [{{query: db}}]}}}}}}
databases: {{db: {{connections: 1, query: 1ms}}}}
load: [{{name: users, to: a.get, rate: 1/s}}]
faults: [{{at: 1s, for: 1s, {fault}}}]
"
            ));
            assert_eq!(faults(&plan, &plan.faults.iter().collect::<Vec<_>>()), text);
        }
    }
}
