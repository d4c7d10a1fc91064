//! Links: what a caller's replica knows of one callee. Its breaker, bulkhead, budget and balancer live here, one set a
//! (call, replica of the caller), or one a call where they are shared.

use squall_policies::SimTime;
use squall_policies::balancer::{Balancer, Replicas};
use squall_policies::breaker::Breaker;
use squall_policies::budget::Budget;

use super::connections::Connections;
use super::host::Delay;
use super::key::Key;
use super::service::Replica;
use crate::plan::{Edge, EdgeId, Plan, ReplicaId};
use crate::rng::Stream;

/// The state of the policies between one caller and one callee.
#[derive(Debug)]
pub(super) struct Link {
    pub edge: EdgeId,
    /// The caller's replica it belongs to; the first one if shared.
    pub caller: ReplicaId,
    pub breaker: Option<Breaker>,
    pub budget: Option<Budget>,
    pub balancer: Balancer,
    /// Connections that are kept.
    pub pool: Option<Connections>,
    /// Attempts under way.
    pub in_use: u32,
    /// Where its counts of attempts under way a replica of the callee begin.
    pending: u32,
    /// The key of the wake-up that the policies asked for, and its time.
    pub wake: Key,
    pub wake_at: SimTime,
}

/// The random streams of one call.
#[derive(Debug)]
pub(super) struct EdgeStreams {
    pub network: Stream,
    pub backoff: Stream,
    pub policies: Stream,
    pub connect: Stream,
}

/// All links of a plan.
#[derive(Debug)]
pub(super) struct Links {
    all: Vec<Link>,
    /// The first link of each edge.
    first: Vec<u32>,
    pending: Vec<u32>,
    pub streams: Vec<EdgeStreams>,
    /// The network's delay, where it is always the same.
    networks: Vec<Option<Delay>>,
    /// Whether a fault is at work on an edge.
    pub disturbed: Vec<bool>,
}

impl Links {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut links = Self {
            all: Vec::new(),
            first: Vec::new(),
            pending: Vec::new(),
            streams: plan.edges.iter().map(|edge| EdgeStreams::new(plan, edge)).collect(),
            networks: plan.edges.iter().map(|edge| constant(plan, edge)).collect(),
            disturbed: vec![false; plan.edges.len()],
        };
        for (id, edge) in plan.edges.iter().enumerate() {
            links.first.push(links.all.len() as u32);
            links.add(plan, EdgeId::from(id), edge);
        }
        links
    }

    fn add(&mut self, plan: &Plan, id: EdgeId, edge: &Edge) {
        let callers = &plan.services[edge.caller.index()];
        let callees = plan.services[edge.callee.index()].replicas as usize;
        for k in 0..if edge.shared { 1 } else { callers.replicas } {
            let pending = self.pending.len() as u32;
            self.pending.resize(self.pending.len() + callees, 0);
            self.all.push(Link {
                edge: id,
                caller: ReplicaId(callers.first_replica.0 + k),
                breaker: edge.breaker.as_ref().map(|breaker| Breaker::new(breaker, SimTime::ZERO)),
                budget: edge.budget.as_ref().map(|budget| Budget::new(budget, SimTime::ZERO)),
                balancer: Balancer::new(&edge.balancer),
                pool: edge.pool.map(Connections::new),
                in_use: 0,
                pending,
                wake: Key::NONE,
                wake_at: SimTime::NEVER,
            });
        }
    }

    /// The link that this replica of the caller uses.
    pub(super) fn index(&self, plan: &Plan, id: EdgeId, caller: ReplicaId) -> u32 {
        let edge = &plan.edges[id.index()];
        let offset = if edge.shared { 0 } else { caller.0 - plan.services[edge.caller.index()].first_replica.0 };
        self.first[id.index()] + offset
    }

    /// Chooses a replica of the callee, if one can be called.
    pub(super) fn pick(&mut self, plan: &Plan, now: SimTime, index: u32, replicas: &[Replica]) -> Option<ReplicaId> {
        let link = &mut self.all[index as usize];
        let callee = &plan.services[plan.edges[link.edge.index()].callee.index()];
        let first = callee.first_replica;
        if callee.replicas == 1 {
            return replicas[first.index()].ready.then_some(first);
        }
        let from = link.pending as usize;
        let view = View {
            replicas: &replicas[callee.replica_range()],
            pending: &self.pending[from..from + callee.replicas as usize],
        };
        let chosen = link.balancer.pick(now, 0, &view, &mut self.streams[link.edge.index()].policies)?;
        Some(ReplicaId(first.0 + chosen as u32))
    }

    /// Counts attempts under way, one more or one less.
    pub(super) fn count(&mut self, plan: &Plan, index: u32, target: ReplicaId, more: bool) {
        let link = &mut self.all[index as usize];
        let callee = &plan.services[plan.edges[link.edge.index()].callee.index()];
        let pending = &mut self.pending[(link.pending + target.0 - callee.first_replica.0) as usize];
        if more {
            link.in_use += 1;
            *pending += 1;
        } else {
            link.in_use -= 1;
            *pending -= 1;
        }
    }

    /// One way over the network of an edge.
    #[inline(always)]
    pub(super) fn network(&mut self, plan: &Plan, edge: EdgeId) -> Delay {
        match self.networks.get(edge.index()) {
            Some(Some(delay)) => *delay,
            Some(None) => {
                super::System::draw(plan, plan.edges[edge.index()].network, &mut self.streams[edge.index()].network)
            }
            // From outside: whoever asked has a network of their own.
            None => Delay::NONE,
        }
    }

    /// Looks up again what the plan says of the network.
    pub(super) fn know_networks(&mut self, plan: &Plan) {
        self.networks = plan.edges.iter().map(|edge| constant(plan, edge)).collect();
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.all.iter_mut()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.all.iter()
    }

    /// One link and the streams of its edge.
    pub(super) fn with_streams(&mut self, index: u32) -> (&mut Link, &mut EdgeStreams) {
        let link = &mut self.all[index as usize];
        let streams = &mut self.streams[link.edge.index()];
        (link, streams)
    }
}

fn constant(plan: &Plan, edge: &Edge) -> Option<Delay> {
    let time = &plan.times[edge.network.index()];
    time.dist.constant().map(|span| Delay { span, lane: time.lane })
}

impl core::ops::Index<u32> for Links {
    type Output = Link;
    fn index(&self, index: u32) -> &Link {
        &self.all[index as usize]
    }
}

impl core::ops::IndexMut<u32> for Links {
    fn index_mut(&mut self, index: u32) -> &mut Link {
        &mut self.all[index as usize]
    }
}

impl EdgeStreams {
    fn new(plan: &Plan, edge: &Edge) -> Self {
        let stream = |what| Stream::new(plan.seed, &format!("{what}/{}", edge.name));
        Self {
            network: stream("network"),
            backoff: stream("backoff"),
            policies: stream("policies"),
            connect: stream("connect"),
        }
    }
}

/// What a balancer may see of the callee's replicas.
struct View<'a> {
    replicas: &'a [Replica],
    pending: &'a [u32],
}

impl Replicas for View<'_> {
    fn len(&self) -> usize {
        self.replicas.len()
    }

    fn usable(&self, index: usize) -> bool {
        self.replicas[index].ready
    }

    fn pending(&self, index: usize) -> u32 {
        self.pending[index]
    }
}
