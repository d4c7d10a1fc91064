//! Whether what services, topics and loads name exists.

use super::{Findings, Names};
use crate::spec::{EndpointRef, Named, Problem, Spanned, Step, Topology};

pub(super) fn check(topology: &Topology, names: &Names<'_>, found: &mut Findings) {
    let mut keep = |result: Result<(), Problem>| found.problems.extend(result.err());
    for (_, service) in topology.services.iter() {
        for (callee, _) in service.calls.to.iter() {
            keep(names.service(callee));
        }
        for (_, endpoint) in service.endpoints.iter() {
            for step in Step::all(&endpoint.steps) {
                keep(check_step(step, topology, names));
            }
        }
        keep(same_http(service));
    }
    for to in endpoints(topology) {
        keep(names.endpoint(&to.value));
    }
}

fn check_step(step: &Spanned<Step>, topology: &Topology, names: &Names<'_>) -> Result<(), Problem> {
    match &step.value {
        Step::Call(call) => names.endpoint(&call.to),
        Step::Query(query) => among(&query.from, "there is no database", &topology.databases, names),
        Step::Get(get) => among(&get.from, "there is no cache", &topology.caches, names),
        Step::Publish(topic) => among(topic, "there is no topic", &topology.topics, names),
        _ => Ok(()),
    }
}

fn among<T>(name: &Spanned<String>, missing: &str, all: &Named<T>, names: &Names<'_>) -> Result<(), Problem> {
    names.known(all.find(name).is_some(), name, missing, all.names())
}

/// The endpoints that topics and loads name.
fn endpoints(topology: &Topology) -> impl Iterator<Item = &Spanned<EndpointRef>> {
    let topics = topology.topics.iter().flat_map(|(_, topic)| topic.to.0.iter());
    let loads = topology.load.iter().flat_map(|load| load.to.iter().chain(load.tasks.iter().map(|task| &task.to)));
    topics.chain(loads)
}

/// Complains if two endpoints of a service answer to the same method and path.
fn same_http(service: &crate::spec::Service) -> Result<(), Problem> {
    let mut seen = std::collections::BTreeMap::new();
    for (name, endpoint) in service.endpoints.iter() {
        let http = endpoint.http_or_default(name);
        let segments = http.path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        let path: Vec<&str> = segments.collect();
        let key = format!("{} {}", http.method, path.join("/"));
        if let Some(other) = seen.insert(key, name) {
            let at = endpoint.http.as_ref().map_or(name.at, |http| http.at);
            let what = format!("`{}` answers to `{} {}` already", other.value, http.method, http.path);
            return Err(Problem::error(at, what).hint("give it another method or path with `http:`"));
        }
    }
    Ok(())
}
