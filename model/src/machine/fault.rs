//! Faults at work. On the way of an undisturbed request stands one flag; what a fault does is worked out only where it
//! is set. Several faults on one thing compose: the latest `latency` replaces the normal time, `times` multiply,
//! `add`s add up, `errors` fall independently.

use squall_policies::{Outcome, SimTime, Span};

use super::host::{Delay, Host};
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{DatabaseId, EdgeId, Effect, EndpointId, Fault, FaultId, Plan, ReplicaId, ServiceId, Target, TimeId};
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
                match fault.target {
                    Target::Database(database) => self.freeze_database(now, database),
                    target => self.replicas_of(target).for_each(|r| self.freeze(now, r)),
                }
            }
            Effect::Kill(count) => {
                let alive: Vec<_> = self.replicas_of(fault.target).filter(|r| self.replicas[r.index()].ready).collect();
                for replica in alive.into_iter().take(count as usize) {
                    host.observe(now, Observation::FaultFired { fault: id });
                    self.kill(host, now, replica);
                }
            }
            Effect::Capacity(_) => host.observe(now, Observation::FaultFired { fault: id }),
            _ => {}
        }
    }

    pub(super) fn fault_ends(&mut self, host: &mut impl Host, now: SimTime, id: FaultId) {
        host.observe(now, Observation::FaultEnded { fault: id });
        self.faults.active.retain(|active| *active != id);
        self.mark_disturbed();
        let fault = &self.plan.faults[id.index()];
        match (fault.effect, fault.target) {
            (Effect::Pause, Target::Database(database)) => self.thaw_database(now, database),
            (Effect::Pause, target) => self.replicas_of(target).for_each(|r| self.thaw(host, now, r)),
            (Effect::Capacity(_), Target::Database(database)) => self.connections_back(host, now, database),
            (Effect::Capacity(_), target) => self.replicas_of(target).for_each(|r| self.serve_waiting(host, now, r)),
            _ => {}
        }
    }

    /// The replicas that a fault on a service, an endpoint or a replica touches.
    fn replicas_of(&self, target: Target) -> impl Iterator<Item = ReplicaId> + use<> {
        let range = match target {
            Target::Service(service) => self.plan.services[service.index()].replica_range(),
            Target::Endpoint(endpoint) => {
                self.plan.services[self.plan.endpoints[endpoint.index()].service.index()].replica_range()
            }
            Target::Replica(replica) => replica.index()..replica.index() + 1,
            Target::Database(_) | Target::Edge(_) | Target::Load(_) => 0..0,
        };
        range.map(ReplicaId::from)
    }

    /// Sets the flags that make the rest of the machines look here.
    pub(super) fn mark_disturbed(&mut self) {
        self.replicas.iter_mut().for_each(|r| r.disturbed = false);
        self.databases.iter_mut().for_each(|d| d.disturbed = false);
        self.links.disturbed.fill(false);
        for at in 0..self.faults.active.len() {
            match self.plan.faults[self.faults.active[at].index()].target {
                Target::Database(database) => self.databases[database.index()].disturbed = true,
                Target::Edge(edge) => self.links.disturbed[edge.index()] = true,
                target => self.replicas_of(target).for_each(|r| self.replicas[r.index()].disturbed = true),
            }
        }
        self.clear_routes();
    }

    /// The next fault at work in `scope`, from the `at`th on, which is moved behind it.
    fn next_at_work(&self, at: &mut usize, scope: Scope) -> Option<(FaultId, &'p Fault)> {
        loop {
            let id = *self.faults.active.get(*at)?;
            *at += 1;
            let fault = &self.plan.faults[id.index()];
            if scope.hit_by(fault.target) {
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
    ) -> Condition {
        let state = &self.replicas[replica.index()];
        if state.pauses > 0 {
            return Condition::Frozen;
        }
        if !state.ready {
            return Condition::Down;
        }
        let (mut at, scope) = (0, self.scope(replica, endpoint));
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let condition = match fault.effect {
                Effect::Down => Condition::Down,
                Effect::Hang => Condition::Hanging,
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
    pub(super) fn worker_limit(&self, now: SimTime, id: ReplicaId) -> u32 {
        let replica = &self.replicas[id.index()];
        if replica.disturbed { self.disturbed_worker_limit(now, id) } else { replica.workers }
    }

    #[cold]
    #[inline(never)]
    fn disturbed_worker_limit(&self, now: SimTime, id: ReplicaId) -> u32 {
        let scope = Scope::Service(self.replicas[id.index()].service, None, id);
        self.limited(now, self.replicas[id.index()].workers, scope)
    }

    /// Connections of a database that may be busy now.
    pub(super) fn connection_limit(&self, now: SimTime, id: DatabaseId) -> u32 {
        let database = &self.databases[id.index()];
        if !database.disturbed {
            return database.connections;
        }
        self.limited(now, database.connections, Scope::Database(id))
    }

    #[cold]
    #[inline(never)]
    fn limited(&self, now: SimTime, limit: u32, scope: Scope) -> u32 {
        let (mut at, mut share) = (0, 1.0);
        while let Some((_, fault)) = self.next_at_work(&mut at, scope) {
            if let Effect::Capacity(left) = fault.effect {
                share *= 1.0 - (1.0 - left) * fault.strength(now);
            }
        }
        if share == 1.0 { limit } else { (f64::from(limit) * share).round() as u32 }
    }

    /// Whether a fault fails a query before it begins.
    #[cold]
    #[inline(never)]
    pub(super) fn database_fails(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) -> Option<Outcome> {
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, Scope::Database(id)) {
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

    /// What faults make of a query's time; a query that hangs takes for ever.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_query(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, time: Span) -> Span {
        self.disturbed_time(host, now, Scope::Database(id), time)
    }

    /// What faults make of an attempt on its way to the callee. The answer comes back undisturbed.
    #[cold]
    #[inline(never)]
    pub(super) fn disturb_edge(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        edge: EdgeId,
        normal: Delay,
    ) -> EdgeFault {
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
    Edge(EdgeId),
}

impl Scope {
    fn hit_by(self, target: Target) -> bool {
        match (self, target) {
            (Self::Service(service, ..), Target::Service(hit)) => service == hit,
            (Self::Service(_, endpoint, _), Target::Endpoint(hit)) => endpoint == Some(hit),
            (Self::Service(.., replica), Target::Replica(hit)) => replica == hit,
            (Self::Database(database), Target::Database(hit)) => database == hit,
            (Self::Edge(edge), Target::Edge(hit)) => edge == hit,
            _ => false,
        }
    }
}
