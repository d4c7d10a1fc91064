//! `OpenAPI` 3.1 of the live services: every endpoint, the statuses it may answer with, and where it is served.

use serde_json::{Map, Value as Json, json};
use squall_model::spec::Topology;

use super::{Exported, Options};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut paths: Map<String, Json> = Map::new();
    let mut port = u32::from(options.base_port);
    let mut notes = Vec::new();
    for (name, service) in topology.services.iter() {
        let servers: Vec<Json> = (0..*service.replicas)
            .map(|replica| json!({ "url": format!("http://127.0.0.1:{}", port + replica), "description": name.value }))
            .collect();
        port += *service.replicas;
        if options.of.as_ref().is_some_and(|of| *of != name.value) {
            continue;
        }
        for (endpoint, written) in service.endpoints.iter() {
            let http = written.http_or_default(&endpoint.value);
            let path = paths.entry(http.path.clone()).or_insert_with(|| json!({}));
            let operation = json!({
                "operationId": format!("{}_{}", name.value, endpoint.value).replace('-', "_"),
                "summary": format!("{}.{}", name.value, endpoint.value),
                "tags": [name.value],
                "servers": servers,
                "parameters": parameters(&http.path),
                "responses": responses(),
            });
            let method = http.method.to_lowercase();
            if path.get(&method).is_some() {
                notes.push(format!(
                    "{}.{}: another service has {} {} too; use --of",
                    name.value, endpoint.value, http.method, http.path
                ));
            } else {
                path[method] = operation;
            }
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": topology.name.value, "version": "1", "description": topology.about.as_ref().map_or("", |about| about.value.as_str()) },
        "paths": paths,
    });
    Exported { text: format!("{document:#}\n"), notes }
}

/// The open segments of a path.
fn parameters(path: &str) -> Vec<Json> {
    let open = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    open.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })).collect()
}

fn responses() -> Json {
    let says = [
        ("200", "ok; with the header `x-degraded: true` from a fallback"),
        ("429", "over the rate limit"),
        ("500", "an injected error"),
        ("502", "a callee failed"),
        ("503", "no room, an open breaker, no replica"),
        ("504", "a time-out or a deadline"),
    ];
    let one = |(status, about): (&str, &str)| (status.to_owned(), json!({ "description": about }));
    Json::Object(says.into_iter().map(one).collect())
}
