//! Clients: the users behind a load. A user's request is a fiber like any other, on a replica of the load's clients.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::{Kind, State};
use super::host::{Class, Delay, Host, Request};
use super::key::{Key, Place};
use super::relay::users_call;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{EdgeId, EndpointId, LoadId, Plan, ReplicaId, SegmentId, ServiceId, SiteId, Source};
use crate::rng::{Random as _, Stream};
use crate::workload::{next_rise, users_at};

/// A user whose answer took no time, and who takes none to think, asks again after this: else time would stand still.
const SHORTEST_ROUND: Span = Span::from_millis(1);

/// The clients of one load.
#[derive(Debug)]
pub(super) struct Client {
    tasks: Stream,
    think: Stream,
    /// The clients, and the one that the next user belongs to.
    replicas: core::ops::Range<u32>,
    next: u32,
    /// The first of the tasks.
    first_task: u32,
    total_weight: f64,
    /// The call that its users make and their only task, if a call is all they do.
    pub(super) call: Option<(SiteId, EndpointId)>,
    /// Whether its users ask once, whatever becomes of it, and leave.
    open: bool,
    /// Where their number changes over time: how many there are, and the key of the next who come.
    seated: u32,
    more: Key,
}

impl Client {
    pub(super) fn new(plan: &Plan, id: LoadId) -> Self {
        let load = &plan.loads[id.index()];
        let stream = |what| Stream::new(plan.seed, &format!("{what}/{}", load.name));
        let total_weight = load.weights.iter().sum();
        let open = matches!(load.source, Source::Open { .. });
        let clients = &plan.services[load.clients.index()];
        let first = clients.first_replica.0;
        Self {
            tasks: stream("tasks"),
            think: stream("think"),
            replicas: first..first + clients.replicas,
            next: first,
            first_task: clients.first_endpoint.0,
            total_weight,
            call: users_call(plan, id).map(|site| (site, clients.first_endpoint)),
            open,
            seated: 0,
            more: Key::NONE,
        }
    }

    /// The client that the next user belongs to.
    #[inline(always)]
    pub(super) const fn turn(&mut self) -> ReplicaId {
        let turn = self.next;
        self.next = if turn + 1 == self.replicas.end { self.replicas.start } else { turn + 1 };
        ReplicaId(turn)
    }

    /// Draws a task by weight; with one task there is nothing to draw.
    fn task(&mut self, weights: &[f64]) -> u32 {
        if weights.len() == 1 {
            return 0;
        }
        let mut left = self.tasks.unit() * self.total_weight;
        for (task, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return task as u32;
            }
        }
        weights.len() as u32 - 1
    }
}

impl System<'_> {
    /// An open loop's user asks once.
    #[inline(always)]
    pub(super) fn open_request(&mut self, host: &mut impl Host, now: SimTime, load: LoadId) -> u32 {
        let client = &mut self.clients[load.index()];
        let replica = client.turn();
        let (index, fiber) = self.fibers.fresh();
        fiber.kind = Kind::User;
        fiber.replica = replica;
        self.user_begins(host, now, now, index, load);
        index
    }

    /// An open loop's user asks once, having meant to do so before.
    pub(super) fn late_request(&mut self, host: &mut impl Host, now: SimTime, meant: SimTime, load: LoadId) -> Step {
        let index = self.user(load);
        self.segment = self.plan.phases.segment_at(meant).0;
        self.user_begins(host, now, meant, index, load);
        Step::Run(index)
    }

    /// Every user of the closed loops takes a place and thinks first, so that they do not all ask at once.
    pub(super) fn seat_users(&mut self, host: &mut impl Host, now: SimTime) {
        for (id, load) in self.plan.loads.iter().enumerate() {
            if let Source::Closed { users, .. } = load.source {
                self.seat(host, now, LoadId::from(id), users);
                self.await_more_users(host, now, LoadId::from(id));
            }
        }
    }

    fn seat(&mut self, host: &mut impl Host, now: SimTime, load: LoadId, users: u32) {
        for _ in 0..users {
            let index = self.user(load);
            self.think(host, now, index, load, Span::ZERO);
        }
        self.clients[load.index()].seated += users;
    }

    /// Where the number of users changes: to be woken when there are to be more.
    fn await_more_users(&mut self, host: &mut impl Host, now: SimTime, load: LoadId) {
        let Source::Closed { stages, .. } = &self.plan.loads[load.index()].source else { return };
        let Some(next) = next_rise(stages, now) else { return };
        let client = &mut self.clients[load.index()];
        client.more = self.tickets.next(Place::Replica(client.replicas.start));
        host.arm(now, Delay::of(next - now), Class::Completion, client.more);
    }

    /// More users come, up to as many as there should be; answers whether the key was for this.
    pub(super) fn more_users(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, key: Key) -> bool {
        let service = self.replicas[id.index()].service;
        let Some(load) = self.load_of(service).filter(|load| self.clients[load.index()].more == key) else {
            return false;
        };
        let Source::Closed { stages, .. } = &self.plan.loads[load.index()].source else { return true };
        let missing = users_at(stages, now).saturating_sub(self.clients[load.index()].seated);
        self.seat(host, now, load, missing);
        self.await_more_users(host, now, load);
        true
    }

    /// Whether a user is one too many, and leaves.
    fn leaves(&mut self, now: SimTime, load: LoadId) -> bool {
        let Source::Closed { stages, .. } = &self.plan.loads[load.index()].source else { return false };
        let client = &mut self.clients[load.index()];
        let leaves = !stages.is_empty() && client.seated > users_at(stages, now);
        client.seated -= u32::from(leaves);
        leaves
    }

    /// The load whose clients these are, if they are a load's.
    fn load_of(&self, service: ServiceId) -> Option<LoadId> {
        (service.index() >= self.plan.first_client).then(|| LoadId(service.0 - self.plan.first_client as u32))
    }

    /// A closed loop's user has thought enough.
    pub(super) fn user_asks(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let service = self.replicas[self.fibers[index].replica.index()].service;
        let load = LoadId(service.0 - self.plan.first_client as u32);
        if now >= self.end() || self.leaves(now, load) {
            self.fibers.release(index);
            return Step::Rest;
        }
        self.user_begins(host, now, now, index, load);
        Step::Run(index)
    }

    /// A user has the answer, or has given up: thinks, or leaves.
    #[inline(always)]
    pub(super) fn user_answered(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Step {
        let fiber = &self.fibers[index];
        let (endpoint, replica, segment, took) = (fiber.endpoint, fiber.replica, fiber.segment(), now - fiber.arrived);
        host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held: took });
        Self::tell_ended(host, now, index, outcome);
        let clients = &mut self.replicas[replica.index()];
        clients.busy -= 1;
        let load = LoadId(clients.service.0 - self.plan.first_client as u32);
        if self.clients[load.index()].open || now >= self.end() || self.leaves(now, load) {
            self.fibers.release(index);
        } else {
            let at_least = if took.is_zero() { SHORTEST_ROUND } else { Span::ZERO };
            self.think(host, now, index, load, at_least);
        }
        Step::Rest
    }

    /// A new fiber for a user of this load, at the next of its clients.
    fn user(&mut self, load: LoadId) -> u32 {
        let replica = self.clients[load.index()].turn();
        let (index, fiber) = self.fibers.fresh();
        fiber.kind = Kind::User;
        fiber.replica = replica;
        index
    }

    /// A user thinks; one who takes no time for it is back after `at_least` this.
    fn think(&mut self, host: &mut impl Host, now: SimTime, index: u32, load: LoadId, at_least: Span) {
        let Source::Closed { think, .. } = self.plan.loads[load.index()].source else { return };
        let mut delay = System::draw(self.plan, think, &mut self.clients[load.index()].think);
        if delay.span.is_zero() {
            delay = Delay::of(at_least);
        }
        let key = self.ticket(index);
        self.fibers[index].state = State::Thinking;
        host.arm(now, delay, Class::Completion, key);
    }

    #[inline(always)]
    fn user_begins(&mut self, host: &mut impl Host, now: SimTime, meant: SimTime, index: u32, load: LoadId) {
        let plan = self.plan;
        let client = &mut self.clients[load.index()];
        let endpoint = EndpointId(client.first_task + client.task(&plan.loads[load.index()].weights));
        let segment = self.segment_at(meant);
        let replica = self.fibers[index].replica;
        self.replicas[replica.index()].busy += 1;
        let request = Request { from: Key::NONE, edge: EdgeId(0), to: replica, endpoint, segment };
        let fiber = &mut self.fibers[index];
        fiber.begin(request, meant, plan.endpoints[endpoint.index()].entry);
        fiber.started = meant;
        fiber.kind = Kind::User;
        host.observe(now, Observation::Admitted { endpoint, replica, segment });
        self.tell_began(host, now, index);
    }

    /// When the load ends.
    fn end(&self) -> SimTime {
        SimTime::ZERO + self.plan.duration
    }

    /// The segment that `now` lies in; the clock only goes forward.
    pub(super) fn segment_at(&mut self, now: SimTime) -> SegmentId {
        let starts = self.plan.phases.starts();
        while starts.get(self.segment as usize + 1).is_some_and(|next| *next <= now) {
            self.segment += 1;
        }
        SegmentId(self.segment)
    }
}
