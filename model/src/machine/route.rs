//! Routes: what an attempt of a call step needs to know, worked out once and side by side. A plain call, without
//! policies of its own and with one replica to go to, finds all of it here.

use squall_policies::Span;

use super::host::Delay;
use crate::plan::{Edge, EdgeId, EndpointId, Pc, Plan, ReplicaId, Site};

/// The way of one call step.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is looked at alone on the way of a request")]
pub(super) struct Route {
    pub edge: EdgeId,
    pub endpoint: EndpointId,
    /// The only replica there is to go to; meaningless with [`managed`](Self::managed).
    pub target: ReplicaId,
    /// Whether there is something to ask or to tell before and after an attempt: a breaker, a bulkhead, a budget, a pool,
    /// or a choice of replicas.
    pub managed: bool,
    /// Whether the way is clear: no fault on it, and the target is up.
    pub clear: bool,
    /// Whether an attempt may take the short way while the way is clear: nothing to ask, no deadline, and no time on the
    /// network.
    pub express: bool,
    /// Whether it may now.
    pub open: bool,
    /// The callee's first step.
    pub entry: Pc,
    /// How long one attempt may take.
    pub timeout: Option<Delay>,
    /// How long all may take.
    pub deadline: Span,
}

impl Route {
    pub(super) fn new(plan: &Plan, site: &Site) -> Self {
        let edge = &plan.edges[site.edge.index()];
        let callee = &plan.services[edge.callee.index()];
        let has_timeout = site.timeout != Span::MAX;
        let express = !is_managed(plan, edge) && site.deadline == Span::MAX && takes_no_time(plan, edge);
        Self {
            edge: site.edge,
            endpoint: site.endpoint,
            target: callee.first_replica,
            managed: is_managed(plan, edge),
            clear: true,
            express,
            open: express,
            entry: plan.endpoints[site.endpoint.index()].entry,
            timeout: has_timeout.then_some(Delay { span: site.timeout, lane: site.timeout_lane }),
            deadline: site.deadline,
        }
    }
}

impl Route {
    /// Notes whether the way is clear.
    pub(super) fn set_clear(&mut self, clear: bool) {
        self.clear = clear;
        self.open = clear && self.express;
    }
}

fn takes_no_time(plan: &Plan, edge: &Edge) -> bool {
    plan.times[edge.network.index()].dist.constant().is_some_and(Span::is_zero)
}

fn is_managed(plan: &Plan, edge: &Edge) -> bool {
    let alone = plan.services[edge.callee.index()].replicas == 1;
    let policies = edge.breaker.is_some() || edge.budget.is_some() || edge.bulkhead != u32::MAX;
    policies || edge.pool.is_some() || !alone
}
