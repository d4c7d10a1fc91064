//! Lints about what services run on: queues without end, databases that are shared or too small, replicas that start too
//! slowly.

use std::collections::{BTreeMap, BTreeSet};

use crate::Span;
use crate::check::Findings;
use crate::spec::{At, Limit, Load, Service, Spanned, Step, Target, Topology};

pub(super) fn check(topology: &Topology, found: &mut Findings) {
    unbounded_queue(topology, found);
    pool_above_database(topology, found);
    shared_database(topology, found);
    cold_start_above_spike(topology, found);
}

/// A queue without end holds requests whose callers have left long ago. Said once for all services that do not say how
/// long theirs may be.
fn unbounded_queue(topology: &Topology, found: &mut Findings) {
    let endless = |service: &Service| service.workers.value != Limit::Unlimited && service.queue.is_none();
    let names: Vec<_> = topology.services.iter().filter(|(_, one)| endless(one)).map(|(name, _)| name).collect();
    let Some(first) = names.first() else { return };
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{}`", name.value)).collect();
    let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
    let what =
        format!("any number of requests may wait at {}{more}, long after their callers have left", shown.join(", "));
    let hint = format!("services.{}.queue: 100; or `queue: unlimited`, if that is meant", first.value);
    found.warn("unbounded-queue", first.at, what, hint);
}

/// Services that share a database share its trouble.
fn shared_database(topology: &Topology, found: &mut Findings) {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, service) in topology.services.iter() {
        for (_, endpoint) in service.endpoints.iter() {
            for database in Step::all(&endpoint.steps).into_iter().filter_map(asked) {
                users.entry(database).or_default().insert(name.as_str());
            }
        }
    }
    for (name, _) in topology.databases.iter() {
        let Some(users) = users.get(name.as_str()).filter(|users| users.len() > 1) else { continue };
        let shown: Vec<String> = users.iter().map(|user| format!("`{user}`")).collect();
        let what = format!("{} services share `{}`: {}", users.len(), name.value, shown.join(", "));
        found.warn("shared-database", name.at, what, "a database for each, or one service that owns it");
    }
}

/// Replicas that take longer to start than the spike lasts come when it is over.
fn cold_start_above_spike(topology: &Topology, found: &mut Findings) {
    let spikes: Vec<(String, Span)> = topology.load.iter().filter_map(spike).chain(surges(topology)).collect();
    let Some((who, lasts)) = spikes.into_iter().min_by_key(|(_, lasts)| *lasts) else { return };
    for (name, service) in topology.services.iter() {
        let Some(autoscale) = &service.autoscale else { continue };
        let takes = service.cold_start.value.as_nanos().saturating_add(autoscale.every.value.as_nanos());
        if takes > lasts.as_nanos() {
            let (start, every) = (service.cold_start.value, autoscale.every.value);
            let what = format!(
                "`{}` takes up to {every} to notice and {start} to start a replica; the spike of {who} lasts {lasts}",
                name.value
            );
            let at = if service.cold_start.at == At::default() { autoscale.at } else { service.cold_start.at };
            found.warn("cold-start-above-spike", at, what, "more replicas kept warm (`min`), or a faster start");
        }
    }
}

/// The shortest stage at twice the load before it, or more.
fn spike(load: &Load) -> Option<(String, Span)> {
    let size = |stage: &crate::spec::Stage| {
        let users = stage.users.as_ref().map(|users| f64::from(users.value));
        stage.rate.as_ref().map(|rate| rate.value.0).or(users)
    };
    let pairs = load.stages.windows(2).filter_map(|pair| {
        let (before, now) = (size(&pair[0])?, size(&pair[1])?);
        (before > 0.0 && now >= 2.0 * before).then_some(pair[1].lasts.value)
    });
    pairs.min().map(|lasts| (format!("`{}`", load.name.value), lasts))
}

/// Faults that multiply a load by two or more.
fn surges(topology: &Topology) -> impl Iterator<Item = (String, Span)> + '_ {
    topology.faults.iter().filter_map(|fault| {
        let grows = fault.rate.as_ref().is_some_and(|rate| rate.value >= 2.0);
        let target = fault.target.value.0.first()?;
        let Target::Name(name) = &target.value else { return None };
        fault.lasts.as_ref().filter(|_| grows).map(|lasts| (format!("`{}`", name.value), lasts.value))
    })
}

/// Pools that together are larger than the database's limit only move the queue.
fn pool_above_database(topology: &Topology, found: &mut Findings) {
    let replicas = replicas_that_ask(topology);
    for (name, database) in topology.databases.iter() {
        let (Limit::Count(pool), Limit::Count(limit)) = (database.pool.value, database.connections.value) else {
            continue;
        };
        let replicas = replicas.get(name.as_str()).copied().unwrap_or(0);
        let all = replicas.saturating_mul(u64::from(pool));
        if all > u64::from(limit) {
            let pools = format!("{replicas} replicas with pools of {pool} want {all} connections");
            let what = format!("{pools}, `{}` has {limit}", name.value);
            found.warn("pool-above-database", database.pool.at, what, "smaller pools, or more connections");
        }
    }
}

/// By database, the replicas of all services that ask it.
fn replicas_that_ask(topology: &Topology) -> BTreeMap<&str, u64> {
    let mut replicas = BTreeMap::new();
    for (_, service) in topology.services.iter() {
        let steps = service.endpoints.iter().flat_map(|(_, endpoint)| Step::all(&endpoint.steps));
        let asked: BTreeSet<&str> = steps.filter_map(asked).collect();
        for database in asked {
            *replicas.entry(database).or_insert(0) += u64::from(service.most_replicas());
        }
    }
    replicas
}

fn asked(step: &Spanned<Step>) -> Option<&str> {
    if let Step::Query(query) = &step.value { Some(&query.from) } else { None }
}
