//! Faults at work. On the way of an undisturbed request stands one flag; what a fault does is worked out only where it
//! is set. Several faults on one thing compose: the latest `latency` replaces the normal time, `times` multiply,
//! `add`s add up, `errors` fall independently.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::State;
use super::host::{Delay, Host};
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{
    CacheId, DatabaseId, EdgeId, Effect, EndpointId, Fault, FaultId, Plan, ReplicaId, Role, ServiceId, Target, TimeId,
    TopicId,
};
use crate::rng::{Random as _, Stream};

/// The faults at work, and their random streams.
#[derive(Debug)]
pub(super) struct Faults {
    /// In the order they began.
    active: Vec<FaultId>,
    pub(super) streams: Vec<Stream>,
}

/// How a replica meets a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Up,
    Down,
    Hanging,
    Frozen,
    /// It never gets here.
    Lost,
}

/// What the network does with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EdgeFault {
    /// It arrives after this.
    Passes(Delay),
    /// It never arrives.
    Lost,
    /// Its sender learns at once that it failed.
    Fails(Outcome),
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Self {
        let stream = |(i, fault): (usize, &Fault)| Stream::new(plan.seed, &format!("fault/{i}/{}", fault.name));
        Self { active: Vec::new(), streams: plan.faults.iter().enumerate().map(stream).collect() }
    }

    /// A yes in this share of the cases.
    fn strikes(&mut self, fault: FaultId, share: f64) -> bool {
        self.streams[fault.index()].unit() < share
    }
}

impl Fault {
    /// 0 before its ramp, 1 after it.
    fn strength(&self, now: SimTime) -> f64 {
        let since = now - self.from;
        if since >= self.ramp { 1.0 } else { since.as_nanos() as f64 / self.ramp.as_nanos() as f64 }
    }
}

impl<'p> System<'p> {
    pub(super) fn fault_begins(&mut self, host: &mut impl Host, now: SimTime, id: FaultId) {
        host.observe(now, Observation::FaultBegan { fault: id });
        self.faults.active.push(id);
        self.mark_disturbed();
        let fault = &self.plan.faults[id.index()];
        match fault.effect {
            Effect::Pause => {
                host.observe(now, Observation::FaultFired { fault: id });
                self.pause(now, fault.target);
            }
            Effect::Kill(count) => {
                let alive: Vec<_> = self.replicas_of(fault.target).filter(|r| self.replicas[r.index()].ready).collect();
                for replica in alive.into_iter().take(count as usize) {
                    host.observe(now, Observation::FaultFired { fault: id });
                    self.kill(host, now, replica);
                }
            }
            Effect::Restart => {
                for replica in self.replicas_of(fault.target) {
                    if self.drain(host, now, replica) {
                        host.observe(now, Observation::FaultFired { fault: id });
                    }
                }
            }
            Effect::Flush => {
                host.observe(now, Observation::FaultFired { fault: id });
                if let Target::Cache(cache) = fault.target {
                    self.flush(cache);
                }
            }
            Effect::Capacity(_) | Effect::Rate(_) => host.observe(now, Observation::FaultFired { fault: id }),
            _ => {}
        }
        self.cores_may_change(host, now, fault);
        self.watch_answers();
    }

    fn pause(&mut self, now: SimTime, target: Target) {
        match target {
            Target::Database(database) => self.freeze_database(now, database),
            Target::Cache(cache) => self.freeze_cache(now, cache),
            // Its messages wait, because none may be delivered.
            Target::Topic(_) => {}
            target => self.replicas_of(target).for_each(|r| self.freeze(now, r)),
        }
    }

    fn cores_may_change(&mut self, host: &mut impl Host, now: SimTime, fault: &Fault) {
        self.replicas_of(fault.target).for_each(|r| self.cores_changed(host, now, fault.effect, r));
        if let (Effect::Pause, Target::Database(database)) = (fault.effect, fault.target) {
            self.share_database(host, now, database);
        }
    }

    /// Whether answers have to be looked at before they are taken.
    pub(super) fn watch_answers(&mut self) {
        let spoils = |id: &FaultId| {
            let fault = &self.plan.faults[id.index()];
            match fault.effect {
                Effect::Corrupt(_) => matches!(fault.target, Target::Edge(_)),
                Effect::Partition => true,
                _ => false,
            }
        };
        self.on_guard = self.replicas.iter().any(|r| r.pauses > 0) || self.faults.active.iter().any(spoils);
    }

    pub(super) fn fault_ends(&mut self, host: &mut impl Host, now: SimTime, id: FaultId) {
        host.observe(now, Observation::FaultEnded { fault: id });
        self.faults.active.retain(|active| *active != id);
        self.mark_disturbed();
        let fault = &self.plan.faults[id.index()];
        match (fault.effect, fault.target) {
            (Effect::Pause, Target::Database(database)) => self.thaw_database(host, now, database),
            (Effect::Pause, Target::Cache(cache)) => self.thaw_cache(now, cache),
            (Effect::Pause, Target::Topic(_)) => {
                self.replicas_of(fault.target).for_each(|r| self.serve_waiting(host, now, r));
            }
            (Effect::Pause, target) => self.replicas_of(target).for_each(|r| self.thaw(host, now, r)),
            (Effect::Restart, target) => {
                for replica in self.replicas_of(target) {
                    if self.replicas[replica.index()].draining {
                        self.kill(host, now, replica);
                    }
                }
            }
            (Effect::Capacity(_), Target::Database(database)) => self.connections_back(host, now, database),
            (Effect::Capacity(_), target) => self.replicas_of(target).for_each(|r| self.serve_waiting(host, now, r)),
            _ => {}
        }
        self.cores_may_change(host, now, fault);
        self.watch_answers();
    }

    /// The replicas that a fault on a service, an endpoint or a replica touches.
    fn replicas_of(&self, target: Target) -> impl Iterator<Item = ReplicaId> + use<> {
        let range = match target {
            Target::Service(service) => self.plan.services[service.index()].replica_range(),
            Target::Endpoint(endpoint) => {
                self.plan.services[self.plan.endpoints[endpoint.index()].service.index()].replica_range()
            }
            Target::Replica(replica) => replica.index()..replica.index() + 1,
            Target::Topic(topic) => self.plan.services[self.plan.topics[topic.index()].service.index()].replica_range(),
            Target::Database(_) | Target::Cache(_) | Target::Edge(_) | Target::Load(_) => 0..0,
        };
        range.map(ReplicaId::from)
    }

    /// Sets the flags that make the rest of the machines look here.
    pub(super) fn mark_disturbed(&mut self) {
        self.replicas.iter_mut().for_each(|r| r.disturbed = r.starting);
        self.scaled_take_the_long_way();
        self.databases.iter_mut().for_each(|d| d.disturbed = d.share.is_some());
        self.caches.iter_mut().for_each(|c| c.disturbed = false);
        self.topics.iter_mut().for_each(|t| t.disturbed = false);
        self.links.disturbed.fill(false);
        for at in 0..self.faults.active.len() {
            let fault = &self.plan.faults[self.faults.active[at].index()];
            match fault.target {
                Target::Database(database) => self.databases[database.index()].disturbed = true,
                Target::Cache(cache) => self.caches[cache.index()].disturbed = true,
                Target::Edge(edge) => self.links.disturbed[edge.index()] = true,
                target => self.replicas_of(target).for_each(|r| self.replicas[r.index()].disturbed = true),
            }
            if let Target::Topic(topic) = fault.target {
                self.topics[topic.index()].disturbed = true;
            }
            if matches!(fault.effect, Effect::Drop(_) | Effect::Partition) {
                self.disturb_edges_of(fault.target);
            }
        }
        self.clear_routes();
    }

    /// What is lost on the way to a service, or from it, is lost on its calls.
    fn disturb_edges_of(&mut self, target: Target) {
        let service = match target {
            Target::Service(service) => service,
            Target::Endpoint(endpoint) => self.plan.endpoints[endpoint.index()].service,
            Target::Replica(replica) => self.replicas[replica.index()].service,
            _ => return,
        };
        for (row, edge) in self.plan.edges.iter().enumerate() {
            if edge.caller == service || edge.callee == service {
                self.links.disturbed[row] = true;
            }
        }
    }

    /// The next fault at work in `scope`, from the `at`th on, which is moved behind it.
    fn next_at_work(&self, at: &mut usize, scope: Scope) -> Option<(FaultId, &'p Fault)> {
        loop {
            let id = *self.faults.active.get(*at)?;
            *at += 1;
            let fault = &self.plan.faults[id.index()];
            if scope.hit_by(self.plan, fault.target) {
                return Some((id, fault));
            }
        }
    }

    /// A replica, and an endpoint on it.
    fn scope(&self, replica: ReplicaId, endpoint: EndpointId) -> Scope {
        Scope::Service(self.plan.endpoints[endpoint.index()].service, Some(endpoint), replica)
    }

    fn fired(host: &mut impl Host, now: SimTime, fault: FaultId) {
        host.observe(now, Observation::FaultFired { fault });
    }

    /// How a replica that is not simply well meets a request.
    #[cold]
    #[inline(never)]
    pub(super) fn condition(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        replica: ReplicaId,
        endpoint: EndpointId,
        from_outside: bool,
    ) -> Condition {
        let state = &self.replicas[replica.index()];
        if state.pauses > 0 {
            return Condition::Frozen;
        }
        // One that is being stopped takes what is on its way to it.
        let up = state.ready && !state.starting || state.draining;
        if !up && self.is_wanted(replica) && !self.waits_for_start(replica) {
            return Condition::Down;
        }
        let (mut at, scope) = (0, self.scope(replica, endpoint));
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let condition = match fault.effect {
                Effect::Down => Condition::Down,
                Effect::Hang => Condition::Hanging,
                // Whoever calls from inside has looked to this before.
                Effect::Partition if from_outside => Condition::Lost,
                Effect::Drop(share) if from_outside && self.faults.strikes(id, share * fault.strength(now)) => {
                    Condition::Lost
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return condition;
        }
        Condition::Up
    }

    /// The fault because of which a replica, or one of its endpoints, refuses all that comes, if there is one.
    pub fn refusing(&self, replica: ReplicaId, endpoint: Option<EndpointId>) -> Option<FaultId> {
        let scope = Scope::Service(self.replicas[replica.index()].service, endpoint, replica);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if fault.effect == Effect::Down {
                return Some(id);
            }
        }
        None
    }

    /// The faults at work, in the order they began.
    pub fn faults_at_work(&self) -> &[FaultId] {
        &self.faults.active
    }

    /// What faults make of a request that has just got its worker.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_request(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let scope = self.scope(self.fibers[index].replica, self.fibers[index].endpoint);
        let (mut instead, mut more, mut own_share) = (Span::ZERO, Span::ZERO, 1.0);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let strength = fault.strength(now);
            match fault.effect {
                Effect::Errors { share, status } => {
                    if self.faults.strikes(id, share * strength) {
                        Self::fired(host, now, id);
                        return Step::Finish(index, Outcome::Error(status));
                    }
                    continue;
                }
                Effect::Latency(time) => {
                    instead = self.draw_fault(id, time).scale(strength);
                    own_share = 1.0 - strength;
                }
                Effect::Add(time) => more = more + self.draw_fault(id, time).scale(strength),
                _ => continue,
            }
            Self::fired(host, now, id);
        }
        self.fibers[index].own_share = own_share as f32;
        if self.hold(host, now, index, Delay::of(instead + more)) { Step::Rest } else { Step::Run(index) }
    }

    /// What faults make of a step's own time.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_own_time(&mut self, host: &mut impl Host, now: SimTime, index: u32, time: Span) -> Span {
        let scope = self.scope(self.fibers[index].replica, self.fibers[index].endpoint);
        let mut factor = f64::from(self.fibers[index].own_share);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if let Effect::Times(times) = fault.effect {
                factor *= 1.0 + (times - 1.0) * fault.strength(now);
                Self::fired(host, now, id);
            }
        }
        time.scale(factor)
    }

    /// Workers of a replica that may be busy now.
    #[inline(always)]
    pub(super) fn worker_limit(&mut self, now: SimTime, id: ReplicaId) -> u32 {
        let replica = &self.replicas[id.index()];
        if replica.disturbed { self.disturbed_worker_limit(now, id) } else { replica.workers }
    }

    #[cold]
    #[inline(never)]
    fn disturbed_worker_limit(&mut self, now: SimTime, id: ReplicaId) -> u32 {
        self.meter(now, id);
        if self.waits_for_start(id) || self.replicas[id.index()].starting {
            return 0;
        }
        scaled(self.replicas[id.index()].workers, self.capacity_left(now, id))
    }

    /// The share of a replica's workers and cores that faults have left.
    pub(super) fn capacity_left(&self, now: SimTime, id: ReplicaId) -> f64 {
        let service = self.replicas[id.index()].service;
        match self.plan.services[service.index()].role {
            Role::Topic(topic) => self.share_left(now, Scope::Topic(topic)),
            _ => self.share_left(now, Scope::Service(service, None, id)),
        }
    }

    /// Connections of a database that may be busy now.
    pub(super) fn connection_limit(&self, now: SimTime, id: DatabaseId) -> u32 {
        let database = &self.databases[id.index()];
        if !database.disturbed {
            return database.connections;
        }
        scaled(database.connections, self.share_left(now, Scope::Database(id)))
    }

    #[cold]
    #[inline(never)]
    fn share_left(&self, now: SimTime, scope: Scope) -> f64 {
        let (mut at, mut share) = (0, 1.0);
        while let Some((_, fault)) = self.next_at_work(&mut at, scope) {
            match (fault.effect, scope) {
                (Effect::Capacity(left), _) => share *= 1.0 - (1.0 - left) * fault.strength(now),
                (Effect::Pause, Scope::Topic(_)) => share = 0.0,
                _ => {}
            }
        }
        share
    }

    /// Whether a fault fails a query before it begins.
    #[cold]
    #[inline(never)]
    pub(super) fn database_fails(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) -> Option<Outcome> {
        self.fails(host, now, Scope::Database(id))
    }

    /// Whether a fault fails a look into a cache before it begins.
    pub(super) fn cache_fails(&mut self, host: &mut impl Host, now: SimTime, id: CacheId) -> Option<Outcome> {
        self.fails(host, now, Scope::Cache(id))
    }

    /// Whether a fault fails publishing before it begins.
    pub(super) fn topic_fails(&mut self, host: &mut impl Host, now: SimTime, id: TopicId) -> Option<Outcome> {
        self.fails(host, now, Scope::Topic(id))
    }

    #[cold]
    #[inline(never)]
    fn fails(&mut self, host: &mut impl Host, now: SimTime, scope: Scope) -> Option<Outcome> {
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let outcome = match fault.effect {
                Effect::Down => Outcome::Refused,
                Effect::Errors { share, status } if self.faults.strikes(id, share * fault.strength(now)) => {
                    Outcome::Error(status)
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return Some(outcome);
        }
        None
    }

    /// Whether what a query found is of no use.
    #[cold]
    #[inline(never)]
    pub(super) fn database_spoils(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) -> bool {
        self.strikes(host, now, Scope::Database(id), corrupt)
    }

    /// Whether what a cache holds is of no use.
    pub(super) fn cache_spoils(&mut self, host: &mut impl Host, now: SimTime, id: CacheId) -> bool {
        self.strikes(host, now, Scope::Cache(id), corrupt)
    }

    /// Whether a message is lost after it was published.
    pub(super) fn topic_loses(&mut self, host: &mut impl Host, now: SimTime, id: TopicId) -> bool {
        self.strikes(
            host,
            now,
            Scope::Topic(id),
            |effect| if let Effect::Drop(share) = effect { Some(share) } else { None },
        )
    }

    /// Whether a fault strikes whose effect has such a share.
    #[cold]
    #[inline(never)]
    fn strikes(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        scope: Scope,
        share: impl Fn(Effect) -> Option<f64>,
    ) -> bool {
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            if let Some(share) = share(fault.effect)
                && self.faults.strikes(id, share * fault.strength(now))
            {
                Self::fired(host, now, id);
                return true;
            }
        }
        false
    }

    /// What faults make of the answer that a replica sends.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_answer(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        [replica, endpoint]: [u32; 2],
        outcome: Outcome,
    ) -> Outcome {
        let scope = self.scope(ReplicaId(replica), EndpointId(endpoint));
        let spoilt = outcome.is_success() && self.strikes(host, now, scope, corrupt);
        if spoilt { Outcome::Error(502) } else { outcome }
    }

    /// What faults on a call make of an answer on its way back; `None` if it never gets there.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_reply(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let fiber = &self.fibers[index];
        if fiber.state != State::Calling {
            return Some(outcome);
        }
        let (caller, target, route) = (fiber.replica, fiber.target, self.routes[fiber.site.index()]);
        let hop = Hop { edge: route.edge, endpoint: route.endpoint, caller, target };
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, Scope::Hop(hop)) {
            if fault.effect == Effect::Partition {
                Self::fired(host, now, id);
                return None;
            }
        }
        let scope = Scope::Edge(route.edge);
        let spoilt = outcome.is_success() && self.strikes(host, now, scope, corrupt);
        Some(if spoilt { Outcome::Error(502) } else { outcome })
    }

    /// What faults make of a query's time; a query that hangs takes for ever.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_query(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, time: Span) -> Span {
        self.disturbed_time(host, now, Scope::Database(id), time)
    }

    /// What faults make of the time of a look into a cache.
    pub(super) fn disturb_cache(&mut self, host: &mut impl Host, now: SimTime, id: CacheId, time: Span) -> Span {
        self.disturbed_time(host, now, Scope::Cache(id), time)
    }

    /// What faults make of the time of publishing.
    pub(super) fn disturb_publishing(&mut self, host: &mut impl Host, now: SimTime, id: TopicId, time: Span) -> Span {
        self.disturbed_time(host, now, Scope::Topic(id), time)
    }

    /// What faults make of an attempt on its way to the callee.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_edge(&mut self, host: &mut impl Host, now: SimTime, hop: Hop, normal: Delay) -> EdgeFault {
        let edge = hop.edge;
        if self.is_lost(host, now, hop) {
            return EdgeFault::Lost;
        }
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, Scope::Edge(edge)) {
            let fate = match fault.effect {
                Effect::Down => EdgeFault::Fails(Outcome::Refused),
                Effect::Hang => EdgeFault::Lost,
                Effect::Errors { share, status } if self.faults.strikes(id, share * fault.strength(now)) => {
                    EdgeFault::Fails(Outcome::Error(status))
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return fate;
        }
        EdgeFault::Passes(Delay::of(self.disturbed_time(host, now, Scope::Edge(edge), normal.span)))
    }

    /// Whether an attempt is lost on its way.
    fn is_lost(&mut self, host: &mut impl Host, now: SimTime, hop: Hop) -> bool {
        let lost = |effect| match effect {
            Effect::Partition => Some(1.0),
            Effect::Drop(share) => Some(share),
            _ => None,
        };
        self.strikes(host, now, Scope::Hop(hop), lost)
    }

    /// The normal time of something, as faults change it.
    #[cold]
    #[inline(never)]
    fn disturbed_time(&mut self, host: &mut impl Host, now: SimTime, scope: Scope, normal: Span) -> Span {
        let (mut time, mut factor, mut more) = (normal, 1.0, Span::ZERO);
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let strength = fault.strength(now);
            match fault.effect {
                Effect::Latency(instead) => {
                    time = normal.scale(1.0 - strength) + self.draw_fault(id, instead).scale(strength);
                }
                Effect::Times(times) => factor *= 1.0 + (times - 1.0) * strength,
                Effect::Add(add) => more = more + self.draw_fault(id, add).scale(strength),
                Effect::Hang => more = Span::MAX,
                Effect::Partition if scope.is_beyond_the_wire() || matches!(scope, Scope::Topic(_)) => {
                    more = Span::MAX;
                }
                Effect::Drop(share) if scope.is_beyond_the_wire() && self.faults.strikes(id, share * strength) => {
                    more = Span::MAX;
                }
                _ => continue,
            }
            Self::fired(host, now, id);
        }
        time.scale(factor) + more
    }

    fn draw_fault(&mut self, id: FaultId, time: TimeId) -> Span {
        System::draw(self.plan, time, &mut self.faults.streams[id.index()]).span
    }
}

/// Where something happens, to be held against what a fault hits.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// At a replica of a service, on one of its endpoints or on none in particular.
    Service(ServiceId, Option<EndpointId>, ReplicaId),
    Database(DatabaseId),
    Cache(CacheId),
    Topic(TopicId),
    Edge(EdgeId),
    /// On the wire between two replicas.
    Hop(Hop),
}

/// An attempt on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub edge: EdgeId,
    pub endpoint: EndpointId,
    pub caller: ReplicaId,
    pub target: ReplicaId,
}

/// The share of replies that an effect spoils.
const fn corrupt(effect: Effect) -> Option<f64> {
    if let Effect::Corrupt(share) = effect { Some(share) } else { None }
}

/// This share of so many.
fn scaled(limit: u32, share: f64) -> u32 {
    if share == 1.0 { limit } else { (f64::from(limit) * share).round() as u32 }
}

impl Scope {
    /// Whether a query or a look that is lost on the wire is never answered. (A message that is lost is lost after it was
    /// published.)
    const fn is_beyond_the_wire(self) -> bool {
        matches!(self, Self::Database(_) | Self::Cache(_))
    }

    fn hit_by(self, plan: &Plan, target: Target) -> bool {
        match (self, target) {
            (Self::Service(service, ..), Target::Service(hit)) => service == hit,
            (Self::Service(_, endpoint, _), Target::Endpoint(hit)) => endpoint == Some(hit),
            (Self::Service(.., replica), Target::Replica(hit)) => replica == hit,
            (Self::Database(database), Target::Database(hit)) => database == hit,
            (Self::Cache(cache), Target::Cache(hit)) => cache == hit,
            (Self::Topic(topic), Target::Topic(hit)) => topic == hit,
            (Self::Edge(edge), Target::Edge(hit)) => edge == hit,
            (Self::Hop(hop), Target::Edge(hit)) => hop.edge == hit,
            (Self::Hop(hop), Target::Endpoint(hit)) => hop.endpoint == hit,
            (Self::Hop(hop), Target::Replica(hit)) => hop.caller == hit || hop.target == hit,
            (Self::Hop(hop), Target::Service(hit)) => {
                let edge = &plan.edges[hop.edge.index()];
                edge.caller == hit || edge.callee == hit
            }
            _ => false,
        }
    }
}
