//! Links: what a caller's replica knows of one callee. Its breaker, bulkhead, budgets, limits and balancer live here, one
//! set a (call, replica of the caller), or one a call where they are shared.

use std::collections::VecDeque;

use squall_policies::balancer::{Balancer, Replicas};
use squall_policies::breaker::{Breaker, BreakerConfig};
use squall_policies::budget::Budget;
use squall_policies::limiter::{AwsAdaptive, Limiter, Sre};
use squall_policies::{SimTime, Span};

use super::connections::Connections;
use super::host::Delay;
use super::key::Key;
use super::room::Room;
use super::service::Replica;
use crate::plan::{Edge, EdgeId, Plan, ReplicaId, Throttle};
use crate::rng::Stream;

/// The state of the policies between one caller and one callee.
#[derive(Debug)]
pub(super) struct Link {
    pub edge: EdgeId,
    /// The caller's replica it belongs to; the first one if shared.
    pub caller: ReplicaId,
    pub breaker: Option<Breaker>,
    pub budget: Option<Budget>,
    pub hedge_budget: Option<Budget>,
    pub room: Option<Room>,
    pub limiter: Option<Limiter>,
    pub throttle: Option<ClientThrottle>,
    pub balancer: Balancer,
    /// Connections that are kept.
    pub pool: Option<Connections>,
    /// Attempts under way.
    pub in_use: u32,
    /// Calls that their fallbacks answer just now.
    pub falling_back: u32,
    /// Where its counts of attempts under way a replica of the callee begin.
    pending: u32,
    /// The key of the wake-up that the policies asked for, and its time.
    pub wake: Key,
    pub wake_at: SimTime,
}

/// What a caller holds back by itself.
#[derive(Debug)]
pub(super) enum ClientThrottle {
    Sre(Sre),
    AwsAdaptive(AwsAdaptive),
}

impl ClientThrottle {
    pub(super) fn new(config: &Throttle, now: SimTime) -> Self {
        match config {
            Throttle::Sre(config) => Self::Sre(Sre::new(*config, now)),
            Throttle::AwsAdaptive => Self::AwsAdaptive(AwsAdaptive::new(now)),
        }
    }
}

/// The random streams of one call.
#[derive(Debug)]
pub(super) struct EdgeStreams {
    pub network: Stream,
    pub backoff: Stream,
    pub policies: Stream,
    pub connect: Stream,
    /// What tells one call from another, for balancers that send the same one to the same replica.
    pub keys: Stream,
    /// The network's delay of cancellations.
    pub cancels: Stream,
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
    /// By edge: how much time was left to requests on their way, where the callee is told.
    carried: Vec<VecDeque<(Key, Span)>>,
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
            carried: vec![VecDeque::new(); plan.edges.len()],
        };
        for (id, edge) in plan.edges.iter().enumerate() {
            links.first.push(links.all.len() as u32);
            links.add(plan, EdgeId::from(id), edge);
        }
        links
    }

    fn add(&mut self, plan: &Plan, id: EdgeId, edge: &Edge) {
        let callers = &plan.services[edge.caller.index()];
        let callee = &plan.services[edge.callee.index()];
        let callees = callee.replicas as usize;
        for k in 0..if edge.shared { 1 } else { callers.replicas } {
            let pending = self.pending.len() as u32;
            self.pending.resize(self.pending.len() + callees, 0);
            let breaker = edge.breaker.as_ref().map(|breaker| new_breaker(plan, edge, breaker, SimTime::ZERO));
            let balancer = new_balancer(plan, edge, SimTime::ZERO);
            let budget = |config: &Option<_>| config.as_ref().map(|config| Budget::new(config, SimTime::ZERO));
            let random = &mut self.streams[id.index()].policies;
            self.all.push(Link {
                edge: id,
                caller: ReplicaId(callers.first_replica.0 + k),
                breaker,
                budget: budget(&edge.budget),
                hedge_budget: budget(&edge.hedge_budget),
                room: edge.bulkhead.as_ref().map(|bulkhead| Room::new(bulkhead, random)),
                limiter: edge.rate_limit.as_ref().map(|limit| Limiter::new(limit, SimTime::ZERO)),
                throttle: edge.throttle.as_ref().map(|throttle| ClientThrottle::new(throttle, SimTime::ZERO)),
                balancer,
                pool: edge.pool.map(Connections::new),
                in_use: 0,
                falling_back: 0,
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

    /// Chooses a replica of the callee, if one can be called: for the call of this hash, and if it can be helped not one
    /// of those it has tried.
    pub(super) fn pick(
        &mut self,
        plan: &Plan,
        now: SimTime,
        index: u32,
        replicas: &[Replica],
        call: Picking,
    ) -> Option<ReplicaId> {
        let link = &mut self.all[index as usize];
        let callee = &plan.services[plan.edges[link.edge.index()].callee.index()];
        let first = callee.first_replica;
        if callee.replicas == 1 {
            // Who was let in may be the one that is to try the only replica out.
            let usable = call.admitted || link.breaker.as_ref().is_none_or(|breaker| breaker.usable(0));
            return (usable && replicas[first.index()].ready).then_some(first);
        }
        let from = link.pending as usize;
        let view = View {
            replicas: &replicas[callee.replica_range()],
            pending: &self.pending[from..from + callee.replicas as usize],
            breaker: link.breaker.as_ref(),
        };
        let random = &mut self.streams[link.edge.index()].policies;
        let tried = |replica: usize| call.tried >> replica.min(63) & 1 == 1;
        let chosen = link.balancer.pick_other(now, call.hash, &view, random, (call.again, tried))?;
        Some(ReplicaId(first.0 + chosen as u32))
    }

    /// An attempt at `target` is over, `took` after it was sent.
    pub(super) fn answered(&mut self, plan: &Plan, now: SimTime, index: u32, target: ReplicaId, took: Span) {
        let link = &mut self.all[index as usize];
        let first = plan.services[plan.edges[link.edge.index()].callee.index()].first_replica;
        link.balancer.record(now, (target.0 - first.0) as usize, took);
    }

    /// The request of this key, now on its way, has so much time.
    pub(super) fn carry(&mut self, edge: EdgeId, key: Key, left: Span) {
        self.carried[edge.index()].push_back((key, left));
    }

    /// How much time the request of this key has that was on its way until now.
    pub(super) fn arrived(&mut self, edge: EdgeId, key: Key) -> Option<Span> {
        let carried = self.carried.get_mut(edge.index())?;
        let place = carried.iter().position(|(of, _)| *of == key)?;
        carried.remove(place).map(|(_, left)| left)
    }

    /// The request of this key never gets as far as to ask how much time it has.
    pub(super) fn forget(&mut self, edge: EdgeId, key: Key) {
        let _ = self.arrived(edge, key);
    }

    /// Requests on their way of which it is known how much time they have.
    pub(super) fn deadlines(&self) -> u64 {
        self.carried.iter().map(|carried| carried.len() as u64).sum()
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

    /// Whether the network of an edge never takes any time.
    pub(super) fn is_instant(&self, edge: EdgeId) -> bool {
        matches!(self.networks.get(edge.index()), Some(Some(delay)) if delay.span.is_zero())
    }

    /// Looks up again what the plan says of the network.
    pub(super) fn know_networks(&mut self, plan: &Plan) {
        self.networks = plan.edges.iter().map(|edge| constant(plan, edge)).collect();
    }

    /// How many there are.
    pub(super) fn count_all(&self) -> u32 {
        self.all.len() as u32
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

/// The breaker of an edge, in its first state.
pub(super) fn new_breaker(plan: &Plan, edge: &Edge, config: &BreakerConfig, now: SimTime) -> Breaker {
    let mut breaker = Breaker::new(config, now);
    breaker.set_replicas(plan.services[edge.callee.index()].replicas as usize, now);
    breaker
}

/// The balancer of an edge, which has chosen nothing yet.
pub(super) fn new_balancer(plan: &Plan, edge: &Edge, now: SimTime) -> Balancer {
    let callee = &plan.services[edge.callee.index()];
    let names: Vec<String> = (0..callee.replicas).map(|k| format!("{}-{k}", callee.name)).collect();
    let mut balancer = Balancer::new(&edge.balancer);
    balancer.set_replicas(now, &names);
    balancer
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
            keys: stream("keys"),
            cancels: stream("cancels"),
        }
    }
}

/// For which call a replica is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picking {
    /// The same for all attempts of a call.
    pub hash: u64,
    /// The replicas it has tried, a bit each.
    pub tried: u64,
    /// How often to choose again if it is one of those.
    pub again: u32,
    /// Whether a breaker that watches each replica has let this call in.
    pub admitted: bool,
}

/// What a balancer may see of the callee's replicas.
struct View<'a> {
    replicas: &'a [Replica],
    pending: &'a [u32],
    breaker: Option<&'a Breaker>,
}

impl Replicas for View<'_> {
    fn len(&self) -> usize {
        self.replicas.len()
    }

    fn usable(&self, index: usize) -> bool {
        self.replicas[index].ready && self.breaker.is_none_or(|breaker| breaker.usable(index))
    }

    fn pending(&self, index: usize) -> u32 {
        self.pending[index]
    }
}
