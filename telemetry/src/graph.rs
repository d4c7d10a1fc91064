//! Who uses whom: the services, what they call and query, and the loads on them, as the report tells it. Knows nothing of
//! what happened, nor of how a graph is drawn.

use serde::{Deserialize, Serialize};
use squall_model::Span;
use squall_model::plan::{Edge, EdgeId, Op, Plan, Role, ServiceId};

use crate::summary::millis;

/// Everything that takes requests or makes them, and who uses whom.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Graph {
    /// Loads, services, databases: in this order, each in that of the file.
    pub nodes: Vec<GraphNode>,
    /// Calls in the order of `calls`, then queries.
    pub edges: Vec<GraphEdge>,
}

/// One that takes requests or makes them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node of the graph is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// The users of a load.
    Load,
    /// A service.
    Service,
    /// A database.
    Database,
}

/// One that uses another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The place of the user among the nodes.
    pub from: usize,
    /// The place of the one that is used.
    pub to: usize,
    /// How.
    pub kind: UseKind,
    /// The name of the call among `calls`; `null` for what is not a call.
    pub call: Option<String>,
    /// The longest that one attempt may take; `null` is for ever.
    pub timeout_ms: Option<f64>,
    /// Attempts at most, the first among them.
    pub attempts: u32,
    /// Whether there is a circuit breaker.
    pub breaker: bool,
}

/// How one uses another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseKind {
    /// It calls a service.
    Call,
    /// It queries a database.
    Query,
}

impl Graph {
    /// The graph of a plan.
    pub fn of(plan: &Plan) -> Self {
        let node = |name: &str, kind| GraphNode { name: name.to_owned(), kind };
        let loads = plan.loads.iter().map(|load| node(&load.name, NodeKind::Load));
        let services = plan.services.iter().take(plan.real_services).map(|row| node(&row.name, NodeKind::Service));
        let databases = plan.databases.iter().map(|row| node(&row.name, NodeKind::Database));
        let calls = plan.edges.iter().enumerate().map(|(row, edge)| call(plan, EdgeId::from(row), edge));
        let queries = queries(plan).into_iter().map(|(service, database)| GraphEdge {
            from: place(plan, service),
            to: plan.loads.len() + plan.real_services + database,
            kind: UseKind::Query,
            call: None,
            timeout_ms: None,
            attempts: 1,
            breaker: false,
        });
        Self { nodes: loads.chain(services).chain(databases).collect(), edges: calls.chain(queries).collect() }
    }
}

fn call(plan: &Plan, id: EdgeId, edge: &Edge) -> GraphEdge {
    let sites = || plan.sites.iter().filter(|site| site.edge == id);
    let timeout = sites().map(|site| site.timeout).max().filter(|timeout| *timeout < Span::MAX);
    GraphEdge {
        from: place(plan, edge.caller),
        to: place(plan, edge.callee),
        kind: UseKind::Call,
        call: Some(edge.name.clone()),
        timeout_ms: timeout.map(|timeout| millis(timeout.as_nanos() as f64)),
        attempts: sites().map(|site| site.retry.attempts).max().unwrap_or(1),
        breaker: edge.breaker.is_some(),
    }
}

/// The place of a service, or of a load's users, among the nodes.
fn place(plan: &Plan, service: ServiceId) -> usize {
    match plan.services[service.index()].role {
        Role::Client(load) => load.index(),
        Role::Service => plan.loads.len() + service.index(),
    }
}

/// Which services query which databases, each pair once, in the order of the file.
fn queries(plan: &Plan) -> Vec<(ServiceId, usize)> {
    let mut pairs = Vec::new();
    for (row, endpoint) in plan.endpoints.iter().enumerate() {
        // Programs stand one after another, in the order of their endpoints.
        let end = plan.endpoints.get(row + 1).map_or(plan.ops.len(), |next| next.entry.index());
        for op in plan.ops.get(endpoint.entry.index()..end).unwrap_or_default() {
            if let Op::Query(database, _) = op {
                pairs.push((endpoint.service, database.index()));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::chain_expecting;

    #[test]
    fn everyone_is_there_and_knows_whom_it_uses() {
        let graph = Graph::of(&chain_expecting(&[]));
        let names: Vec<_> = graph.nodes.iter().map(|node| (node.name.as_str(), node.kind)).collect();
        let expected = [
            ("users", NodeKind::Load),
            ("front", NodeKind::Service),
            ("back", NodeKind::Service),
            ("store", NodeKind::Database),
        ];
        assert_eq!(names, expected);
        let edges: Vec<_> =
            graph.edges.iter().map(|edge| (names[edge.from].0, names[edge.to].0, edge.call.as_deref())).collect();
        for edge in [
            ("front", "back", Some("front -> back")),
            ("users", "front", Some("users -> front")),
            ("back", "store", None),
        ] {
            assert!(edges.contains(&edge), "{edges:?}");
        }
        assert_eq!(edges.len(), 3);
    }
}
