//! Routes: what an attempt of a call step needs to know, worked out once and side by side. A plain call, without
//! policies but retries and a timeout and with one replica to go to, finds all of it here.

use squall_policies::Span;

use super::host::Delay;
use crate::plan::{Edge, EdgeId, EndpointId, Layer, Pc, Plan, ReplicaId, Site, SiteId};

/// The way of one call step.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is looked at alone on the way of a request")]
pub(super) struct Route {
    pub edge: EdgeId,
    pub endpoint: EndpointId,
    /// The only replica there is to go to; meaningless with [`managed`](Self::managed).
    pub target: ReplicaId,
    /// Whether there is something to ask or to tell before and after an attempt: a policy other than a retry and a
    /// timeout of each attempt, a pool, a choice of replicas, or something that the callee is told.
    pub managed: bool,
    /// Whether there are several replicas to choose from.
    pub several: bool,
    /// Whether the way is clear: no fault on it, and the target is up.
    pub clear: bool,
    /// Whether an attempt may take the short way while the way is clear: nothing to ask, no deadline, and no time on the
    /// network.
    pub express: bool,
    /// Whether it may now.
    pub open: bool,
    /// How long the network takes one way, where there is nothing to ask, no deadline, and it always takes as long but some
    /// time.
    pub hop: Option<Delay>,
    /// The callee's first step.
    pub entry: Pc,
    /// Whether an attempt goes its way apart from its call: there may be several at once, or it outlives its call.
    pub apart: bool,
    /// How long one attempt may take, where that is the innermost limit.
    pub timeout: Option<Delay>,
    /// How long all may take.
    pub deadline: Span,
}

impl Route {
    pub(super) fn new(plan: &Plan, site: &Site) -> Self {
        let edge = &plan.edges[site.edge.index()];
        let callee = &plan.services[edge.callee.index()];
        let managed = is_managed(plan, edge, site);
        let innermost = site.layers.innermost() == Some(Layer::Timeout);
        let timeout = site.layers.depth_of(Layer::Timeout);
        let outlived = timeout.is_some() && timeout < site.layers.depth_of(Layer::Bulkhead);
        let plain = !managed && !super::guard::is_guarded(plan, edge.callee);
        let alone = plain && site.deadline == Span::MAX;
        let network = &plan.times[edge.network.index()];
        let hop = network.dist.constant().filter(|_| alone).map(|span| Delay { span, lane: network.lane });
        let express = hop.is_some_and(|hop| hop.span.is_zero());
        Self {
            edge: site.edge,
            endpoint: site.endpoint,
            target: callee.first_replica,
            managed,
            several: callee.replicas != 1,
            apart: site.hedge.is_some() || outlived,
            clear: true,
            express,
            open: express,
            hop: hop.filter(|hop| !hop.span.is_zero()),
            entry: plan.endpoints[site.endpoint.index()].entry,
            timeout: (innermost && site.timeout != Span::MAX)
                .then_some(Delay { span: site.timeout, lane: site.timeout_lane }),
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

/// Which call step leads along an edge to an endpoint; any of those that do, for to the callee they are all the same.
#[derive(Debug)]
pub(super) struct Doors {
    /// By edge, one behind the other.
    sites: Vec<(EndpointId, SiteId)>,
    /// By edge: where its own end, and those of the next begin.
    ends: Vec<u32>,
}

impl Doors {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut by_edge: Vec<_> =
            plan.sites.iter().enumerate().map(|(row, site)| (site.edge, site.endpoint, SiteId::from(row))).collect();
        by_edge.sort_unstable();
        by_edge.dedup_by_key(|(edge, endpoint, _)| (*edge, *endpoint));
        let end = |edge: usize| by_edge.partition_point(|(of, ..)| of.index() <= edge) as u32;
        let ends = (0..plan.edges.len()).map(end).collect();
        Self { sites: by_edge.into_iter().map(|(_, endpoint, site)| (endpoint, site)).collect(), ends }
    }

    /// `None` for what comes along no edge.
    #[inline]
    pub(super) fn find(&self, edge: EdgeId, endpoint: EndpointId) -> Option<SiteId> {
        let end = *self.ends.get(edge.index())? as usize;
        let begin = edge.index().checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let (_, site) = self.sites.get(begin..end)?.iter().find(|(leads_to, _)| *leads_to == endpoint)?;
        Some(*site)
    }
}

fn is_managed(plan: &Plan, edge: &Edge, site: &Site) -> bool {
    let several = plan.services[edge.callee.index()].replicas != 1;
    let bounded = plan.services[edge.caller.index()].bounded;
    let told = edge.cancels || edge.bounds;
    let limits = edge.bulkhead.is_some() || edge.rate_limit.is_some() || edge.throttle.is_some() || edge.pool.is_some();
    let counts = edge.breaker.is_some() || edge.budget.is_some() || site.hedge.is_some();
    let timeout = site.layers.depth_of(Layer::Timeout);
    let unusual = timeout.is_some() && timeout < site.layers.depth_of(Layer::Retry);
    several || bounded || told || limits || counts || unusual
}
