//! Relays: a request that services only hand on, from one to the next, down to one that works on it once and answers,
//! all of them idle enough. When it sets out it is known when it will be back, so all of its way is one fiber, and there
//! is nothing to wake it for until then: a timeout that is longer than the way cannot fire. Where only the last of them is
//! not idle it may wait there, which is in `waiting.rs`.
//!
//! That holds as long as nothing happens to the services on the way. Whoever does something to them takes relays apart
//! first ([`System::part`]): from there on each service on the way has its fiber, and each timeout its timer, as if they
//! had had them from the start. What is observed is the same either way.

use std::collections::VecDeque;

use squall_policies::{Outcome, SimTime, Span};

use super::express::{hand_on, tell_served};
use super::fiber::{Fibers, Folded, Kind, State};
use super::host::{Class, Delay, Host};
use super::journey::{FARTHEST, Hops};
use super::key::{Key, Place};
use super::route::Route;
use super::service::Replica;
use super::system::{Step, System};
use crate::observation::{Called, Observation, Relayed, Returned};
use crate::plan::{DatabaseId, EndpointId, Load, LoadId, Op, Pc, Plan, ReplicaId, SegmentId, SiteId, Source, TimeId};

/// Services on the way of one relay, at most.
const LONGEST: usize = 16;

/// The way from one call step on.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    /// The calls on the way, in order. Without any, requests do not go this way as a relay.
    pub legs: Box<[Called]>,
    /// What the last service asks; if nothing, it works or waits itself.
    pub database: Option<DatabaseId>,
    /// How long that takes.
    pub time: TimeId,
    /// Behind the last step of the last service.
    pub end: Pc,
    /// How long that may take without any of the timeouts on the way being over before.
    pub patience: Span,
    /// The leg whose timeout is over first while it waits at its end, and how long that is.
    pub alarm: Option<(u32, Delay)>,
    /// Whether nothing is the matter with any service on the way, and all of it takes no time.
    open: bool,
    /// The network on the way, if it takes any time.
    pub hops: Hops,
    /// Whether it does, so that all that go this way are journeys.
    pub travels: bool,
}

impl Default for Relay {
    /// No way.
    fn default() -> Self {
        Self {
            legs: Box::default(),
            database: None,
            time: TimeId(0),
            end: Pc(0),
            patience: Span::ZERO,
            alarm: None,
            open: false,
            hops: Hops::default(),
            travels: false,
        }
    }
}

impl Relay {
    /// The relays of a plan, by the call step that they begin with.
    /// So many lanes are taken already; journeys take more.
    pub(super) fn all(plan: &Plan, routes: &[Route], lanes: &mut usize) -> Vec<Self> {
        (0..plan.sites.len()).map(|site| Self::from(plan, routes, site.into(), lanes)).collect()
    }

    fn from(plan: &Plan, routes: &[Route], first: SiteId, lanes: &mut usize) -> Self {
        let none = Self::default();
        let (mut legs, mut network, mut site) = (Vec::new(), Vec::new(), first);
        loop {
            let route = &routes[site.index()];
            let replica = route.target;
            if legs.len() == LONGEST || legs.iter().any(|leg: &Called| leg.replica == replica) {
                return none;
            }
            network.extend(route.hop);
            if !route.express && (network.len() != legs.len() + 1 || legs.len() == FARTHEST) {
                return none;
            }
            let (edge, endpoint) = (route.edge, route.endpoint);
            legs.push(Called { site, edge, endpoint, replica, segment: SegmentId(0) });
            let step = route.entry.index();
            let (database, time) = match (plan.ops[step], plan.ops.get(step + 1)) {
                (Op::Call(next), Some(Op::Reply)) => {
                    site = next;
                    continue;
                }
                (Op::Work(time) | Op::Wait(time), Some(Op::Reply)) => (None, time),
                (Op::Query(database, time), Some(Op::Reply)) => (Some(database), time),
                _ => return none,
            };
            if !network.is_empty() && network.len() != legs.len() {
                return none;
            }
            let timeout = |leg: &Called| routes[leg.site.index()].timeout.map(|timeout| timeout.span);
            let timeouts: Vec<_> = legs.iter().map(timeout).collect();
            let (end, hops) = (Pc(step as u32 + 1), Hops::new(&legs, &network, &timeouts, lanes));
            let left = |(at, timeout): (usize, &Option<Span>)| {
                timeout.unwrap_or(Span::MAX).saturating_sub(hops.round_trip(at))
            };
            let Some(patience) = timeouts.iter().enumerate().map(left).min().filter(|left| !left.is_zero()) else {
                return none;
            };
            let timed = |(at, leg): (usize, &Called)| Some((at as u32, routes[leg.site.index()].timeout?));
            let alarm = legs.iter().enumerate().filter_map(timed).min_by_key(|(_, timeout)| timeout.span);
            let travels = !network.is_empty();
            return Self { legs: legs.into(), database, time, end, patience, alarm, open: false, hops, travels };
        }
    }
}

impl Relay {
    /// What is told of one request on this way.
    #[inline(always)]
    pub(super) fn told(
        &self,
        (site, full): (SiteId, u16),
        segment: SegmentId,
        user: Option<(EndpointId, ReplicaId)>,
    ) -> Relayed<'_> {
        Relayed { user, site, segment, legs: &self.legs, database: self.database, full }
    }

    /// The last workers of some replicas of the first few legs were taken: of which, a bit each.
    #[inline(never)]
    fn fill(&self, legs: usize, replicas: &mut [Replica]) -> u16 {
        self.legs[..legs].iter().enumerate().fold(0, |full, (at, leg)| {
            let replica = &mut replicas[leg.replica.index()];
            replica.saturated |= replica.busy == replica.workers;
            full | u16::from(replica.saturated) << at
        })
    }

    /// Those of the first few legs that free the last workers of their replicas when it comes back, a bit each; `None` if
    /// somebody waits for one of them.
    pub(super) fn relieved(&self, legs: usize, replicas: &[Replica]) -> Option<u16> {
        let mut full = 0;
        for (at, leg) in self.legs[..legs].iter().enumerate() {
            let replica = &replicas[leg.replica.index()];
            if replica.saturated && replica.queue.len() > 0 {
                return None;
            }
            full |= u16::from(replica.saturated) << at;
        }
        Some(full)
    }

    /// The legs that free the last workers of their replicas when it comes back, a bit each, and they are saturated no more;
    /// `None` if it has waited or if somebody waits for one of them, and so this is to be told leg by leg.
    #[inline(never)]
    fn relieve(&self, waited: bool, replicas: &mut [Replica]) -> Option<u16> {
        let full = self.relieved(self.legs.len(), replicas).filter(|_| !waited)?;
        self.legs.iter().for_each(|leg| replicas[leg.replica.index()].saturated = false);
        Some(full)
    }

    /// Gives back what was taken for the first few legs.
    #[inline(never)]
    fn make_room(&self, legs: usize, replicas: &mut [Replica]) {
        for leg in &self.legs[..legs] {
            replicas[leg.replica.index()].busy -= 1;
        }
    }
}

/// A relay that is about to set out.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub site: SiteId,
    pub segment: SegmentId,
    pub from: From,
    /// The ticket of its first call.
    pub first: Key,
    /// The legs that take the last worker of their replicas, a bit each.
    pub filled: u16,
}

/// Whose relay it is.
#[derive(Clone, Copy)]
pub(super) enum From {
    /// A fiber's, which waits for the answer to this attempt.
    Call(Key),
    /// A user's: the task and the client.
    User(EndpointId, ReplicaId),
    /// Of a guest's request with this fiber.
    Guest(u32),
}

impl From {
    /// The task and the client, if it is a user's.
    #[inline(always)]
    pub(super) const fn user(self) -> Option<(EndpointId, ReplicaId)> {
        if let Self::User(endpoint, replica) = self { Some((endpoint, replica)) } else { None }
    }
}

/// The workers that a relay has found on its way, and the legs that took the last one of their replicas, a bit each.
#[derive(Clone, Copy)]
enum Room {
    /// One at each service.
    All(u16),
    /// One at each but the last, where it may wait.
    ButForTheLast(u16),
}

/// What a key was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Back {
    /// Something else.
    No,
    /// A relay of a user's, which is over.
    Done,
    /// A relay whose caller goes on.
    To(u32),
}

/// A relay comes back that has waited at its end, or that frees a worker that somebody waits for: leg by leg. It took so
/// long in all, and the last service had so long a worker for it.
#[inline(never)]
fn tell_return(
    host: &mut impl Host,
    now: SimTime,
    (what, took, held): (Relayed<'_>, Span, Span),
    (replicas, fibers, routes, later): (&mut [Replica], &mut Fibers, &[Route], &mut VecDeque<Step>),
) {
    let (Relayed { user, segment, database, .. }, outcome) = (what, Outcome::Ok);
    if let Some(database) = database {
        host.observe(now, Observation::QueryEnded { database, segment, outcome, took: held });
    }
    let mut waited = held != took;
    for leg in what.legs.iter().rev() {
        let returned = Returned { of: Called { segment: what.segment, ..*leg }, took };
        if core::mem::take(&mut waited) {
            tell_served(host, now, returned, held);
        } else {
            host.returned(now, returned);
        }
        let replica = &mut replicas[leg.replica.index()];
        if replica.saturated {
            hand_on(host, now, (leg.replica, replica), (fibers, routes), later);
        }
    }
    if let Some((endpoint, replica)) = user {
        host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held: took });
    }
}

/// What a request may pass in one instant, as [`Relayed`] tells it.
#[derive(Clone, Debug)]
pub struct RelayWay {
    /// The call steps, in order.
    pub sites: Vec<SiteId>,
    /// The database at its end, if there is one.
    pub database: Option<DatabaseId>,
}

impl Plan {
    /// The way that a [`Relayed`] request has that begins with each call step; without call steps where none can begin.
    pub fn relays(&self) -> Vec<RelayWay> {
        let routes: Vec<Route> = self.sites.iter().map(|site| Route::new(self, site)).collect();
        let in_an_instant = |relay: &Relay| !relay.travels;
        let way = |relay: Relay| RelayWay {
            sites: relay.legs.iter().filter(|_| in_an_instant(&relay)).map(|leg| leg.site).collect(),
            database: relay.database.filter(|_| in_an_instant(&relay)),
        };
        Relay::all(self, &routes, &mut 0).into_iter().map(way).collect()
    }

    /// The call step with which the users of a task begin, if their requests may be [`Relayed`] with them.
    pub fn users_relay(&self, task: EndpointId) -> Option<SiteId> {
        let is_task = |load: &Load| self.services[load.clients.index()].first_endpoint == task;
        users_call(self, self.loads.iter().position(is_task)?.into())
    }
}

/// The call that the users of an open loop make, if a call is all they do.
pub(super) fn users_call(plan: &Plan, load: LoadId) -> Option<SiteId> {
    let load = &plan.loads[load.index()];
    let clients = &plan.services[load.clients.index()];
    let only_task = matches!(load.source, Source::Open { .. }) && load.weights.len() == 1;
    let entry = plan.endpoints[clients.first_endpoint.index()].entry.index();
    match (plan.ops[entry], plan.ops.get(entry + 1)) {
        (Op::Call(site), Some(Op::Reply)) if only_task => Some(site),
        _ => None,
    }
}

impl System<'_> {
    /// After something has happened to services, databases or calls: which relays are open.
    pub(super) fn open_relays(&mut self) {
        let Self { relays, routes, replicas, databases, on_guard, .. } = self;
        for relay in relays {
            let clear = |leg: &Called| routes[leg.site.index()].clear && !replicas[leg.replica.index()].disturbed;
            let mut open = !*on_guard && !relay.legs.is_empty() && relay.legs.iter().all(clear);
            open &= match relay.database {
                Some(database) => databases[database.index()].is_plain(),
                None => relay.legs.last().is_some_and(|leg| {
                    let replica = &replicas[leg.replica.index()];
                    replica.pauses == 0 && replica.paused_total.is_zero()
                }),
            };
            relay.open = open && !relay.travels;
            relay.hops.open = open && relay.travels;
            relay.hops.near = !*on_guard && relay.travels && relay.legs.first().is_some_and(clear);
        }
    }

    /// A worker for each leg of the relay that begins with `site`, and a connection if its end is a query; or a worker for
    /// each leg but the last, if it may wait there. If one is missing, none is taken.
    #[inline(always)]
    fn room_all_the_way(&mut self, site: SiteId) -> Option<Room> {
        let Self { relays, replicas, databases, .. } = self;
        let relay = &relays[site.index()];
        if !relay.open {
            return None;
        }
        let mut filled = false;
        for (taken, leg) in relay.legs.iter().enumerate() {
            let replica = &mut replicas[leg.replica.index()];
            if replica.busy >= replica.workers {
                if taken + 1 == relay.legs.len() && replica.queue.len() < replica.queue_limit {
                    return Some(Room::ButForTheLast(if filled { relay.fill(taken, replicas) } else { 0 }));
                }
                if taken > 0 {
                    relay.make_room(taken, replicas);
                }
                return None;
            }
            replica.busy += 1;
            filled |= replica.busy == replica.workers;
        }
        if let Some(database) = relay.database {
            let database = &mut databases[database.index()];
            // The last connection is the general way's: taking it is news.
            if database.busy.saturating_add(1) >= database.connections {
                relay.make_room(relay.legs.len(), replicas);
                return None;
            }
            database.busy += 1;
        }
        Some(Room::All(if filled { relay.fill(relay.legs.len(), replicas) } else { 0 }))
    }

    /// A fiber's call sets out as a relay, if it can.
    #[inline(always)]
    pub(super) fn relay<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) -> bool {
        if H::TRACED {
            return false;
        }
        let Some(room) = self.room_all_the_way(site) else { return false };
        if let Some(client) = self.fibers[index].reply_to.guest()
            && self.hands_on(index, client)
        {
            let first = self.tickets.next(Place::Fiber(index));
            let segment = self.fibers[index].segment();
            self.set_out_into(host, now, room, (site, segment, From::Guest(index), first));
            return true;
        }
        if self.waits_next_door(room, site) {
            return false;
        }
        let key = self.ticket(index);
        let fiber = &mut self.fibers[index];
        fiber.site = site;
        fiber.step_began = now;
        fiber.attempts = 1;
        fiber.bare = true;
        fiber.limited = false;
        fiber.state = State::Calling;
        fiber.target = self.routes[site.index()].target;
        let segment = fiber.segment();
        self.set_out_into(host, now, room, (site, segment, From::Call(key), key));
        true
    }

    /// Whether a relay would wait at the very next service: that is a plain request's, which needs no fiber while it waits.
    fn waits_next_door(&self, room: Room, site: SiteId) -> bool {
        matches!(room, Room::ButForTheLast(_)) && self.relays[site.index()].legs.len() == 1
    }

    /// Whether all that a guest's request does, which is about to call, is to hand on.
    #[inline(always)]
    fn hands_on(&self, index: u32, client: ReplicaId) -> bool {
        let fiber = &self.fibers[index];
        let entry = self.routes[self.guests_call(client).0.index()].entry;
        fiber.pc.0 == entry.0 + 1 && self.plan.ops[fiber.pc.index()] == Op::Reply
    }

    /// The request of an open loop's user sets out as a relay, if it can.
    #[inline(always)]
    pub(super) fn relay_user<H: Host>(&mut self, host: &mut H, now: SimTime, load: LoadId) -> bool {
        if H::TRACED || !H::INSTANT {
            return false;
        }
        let Some((site, endpoint)) = self.clients[load.index()].call else { return false };
        let Some(room) = self.room_all_the_way(site) else { return false };
        if self.waits_next_door(room, site) {
            return false;
        }
        let segment = self.segment_at(now);
        let replica = self.clients[load.index()].turn();
        self.replicas[replica.index()].busy += 1;
        let first = self.tickets.next(Place::Host(0));
        self.set_out_into(host, now, room, (site, segment, From::User(endpoint, replica), first));
        true
    }

    /// A relay that has found its workers sets out, or goes where it waits for the last one.
    #[inline(always)]
    fn set_out_into<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        room: Room,
        (site, segment, from, first): (SiteId, SegmentId, From, Key),
    ) {
        let (Room::All(filled) | Room::ButForTheLast(filled)) = room;
        let start = Start { site, segment, from, first, filled };
        match room {
            Room::All(_) => self.set_out(host, now, start),
            Room::ButForTheLast(_) => self.line_up(host, now, start),
        }
    }

    /// A relay that has room all the way sets out.
    #[inline(always)]
    fn set_out<H: Host>(&mut self, host: &mut H, now: SimTime, start: Start) {
        let Start { site, segment, from, filled, .. } = start;
        let user = from.user();
        host.relayed(now, self.relays[site.index()].told((site, filled), segment, user));
        let index = self.fold(now, start);
        self.begin_end(host, now, index, site);
    }

    /// The fiber that stands for a relay that sets out. What only its last service's own fiber needs is left for
    /// [`take_apart`](System::take_apart).
    #[inline(always)]
    pub(super) fn fold(&mut self, now: SimTime, start: Start) -> u32 {
        let Start { site, segment, from, .. } = start;
        let relay = &self.relays[site.index()];
        self.tickets.skip(relay.legs.len() as u64 - 1);
        self.fibers.hide(relay.legs.len() as u32 + u32::from(from.user().is_some()));
        let (index, fiber) = match from {
            From::Guest(index) => (index, &mut self.fibers[index]),
            _ => self.fibers.uncounted(),
        };
        fiber.folded = match from {
            From::Guest(_) => Folded::Guest,
            From::User(_, client) => {
                fiber.reply_to = Key::NONE;
                fiber.target = client;
                Folded::User
            }
            From::Call(caller) => {
                fiber.reply_to = caller;
                Folded::Call
            }
        };
        if fiber.folded != Folded::Guest {
            fiber.arrived = now;
            fiber.started = now;
        }
        fiber.site = site;
        fiber.segment = segment.0 as u16;
        fiber.kind = Kind::Request;
        fiber.waited = false;
        index
    }

    /// A relay begins the work or the query at its end.
    #[inline(always)]
    pub(super) fn begin_end<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) {
        let Self { relays, replicas, databases, services, plan, .. } = self;
        let relay = &relays[site.index()];
        let stream = match (relay.database, &*relay.legs) {
            (Some(id), _) => &mut databases[id.index()].time,
            (None, [.., last]) => &mut services[replicas[last.replica.index()].service.index()].work,
            (None, []) => return,
        };
        let delay = Self::draw(plan, relay.time, stream);
        self.begin_end_of(host, now, (index, site), delay);
    }

    /// A relay begins the work or the query at its end, which takes so long.
    #[inline(always)]
    pub(super) fn begin_end_of<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        (index, site): (u32, SiteId),
        delay: Delay,
    ) {
        let Self { fibers, relays, tickets, .. } = self;
        let (fiber, relay) = (&mut fibers[index], &relays[site.index()]);
        let state = if relay.database.is_some() { State::Querying } else { State::Busy };
        let key = tickets.next(Place::Fiber(index));
        fiber.key = key;
        fiber.step_began = now;
        fiber.mark = now + delay.span;
        fiber.state = state;
        let fresh = !fiber.waited;
        let in_time = (now - fiber.started) + delay.span < relay.patience;
        let takes_time = !delay.span.is_zero() || state == State::Querying;
        if takes_time {
            host.arm(now, delay, Class::Completion, key);
        }
        if !in_time || !takes_time {
            self.take_apart(host, now, index, fresh);
            if !takes_time {
                self.fibers[index].key = Key::NONE;
                self.later.push_front(Step::Run(index));
            }
        }
    }

    /// The work or the query at a relay's end is over, and so is all of it, if the key was for this.
    #[inline(always)]
    pub(super) fn come_back<H: Host>(&mut self, host: &mut H, now: SimTime, key: Key) -> Back {
        if H::TRACED {
            return Back::No;
        }
        let Some(index) = self.fibers.waiting(key) else { return Back::No };
        let fiber = &self.fibers[index];
        let (folded, reply_to) = (fiber.folded, fiber.reply_to);
        if folded == Folded::No {
            return Back::No;
        }
        if fiber.state == State::Queued {
            self.wait_no_longer(host, now, index);
            return Back::Done;
        }
        if self.relays[fiber.site.index()].travels {
            return if self.turn_back(host, now, index) { Back::Done } else { Back::No };
        }
        match folded {
            Folded::Call => {
                let caller = self.fibers.waiting(reply_to);
                if caller.is_none() {
                    self.take_apart(host, now, index, false);
                }
                let Some(caller) = caller.filter(|_| self.unfold(host, now, index, false)) else { return Back::No };
                self.fibers[caller].key = Key::NONE;
                Back::To(caller)
            }
            Folded::Guest => {
                if self.turn_over(host, now, index) {
                    return Back::Done;
                }
                self.guest_is_back(host, now, index)
            }
            _ if self.unfold(host, now, index, true) => Back::Done,
            _ => Back::No,
        }
    }

    /// A guest's relay is back, and its service answers.
    #[inline(never)]
    fn guest_is_back<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Back {
        let fiber = &self.fibers[index];
        let (segment, reply_to, arrived, started) = (fiber.segment(), fiber.reply_to, fiber.arrived, fiber.started);
        if !self.unfold(host, now, index, false) {
            return Back::No;
        }
        self.fibers.unhide(1);
        if let Some(client) = reply_to.guest() {
            let site = self.guests_call(client).0;
            let Route { edge, endpoint, target: replica, .. } = self.routes[site.index()];
            let held = (started != arrived).then(|| now - started);
            let called = Called { site, edge, endpoint, replica, segment };
            self.answer_guest(host, now, client, (called, now - arrived), held);
        }
        Back::Done
    }

    /// A relay is back, and gives back all that it has taken; `false` if its end is news, for which it is taken apart.
    #[inline(always)]
    fn unfold<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, of_user: bool) -> bool {
        let Self { fibers, relays, replicas, databases, routes, later, plan, .. } = self;
        let fiber = &mut fibers[index];
        let (site, segment, client, waited) = (fiber.site, fiber.segment(), fiber.target, fiber.waited);
        let (took, held) = (now - fiber.started, now - fiber.step_began);
        let relay = &relays[site.index()];
        if let Some(id) = relay.database {
            let database = &mut databases[id.index()];
            if database.saturated {
                self.take_apart(host, now, index, false);
                return false;
            }
            database.busy -= 1;
        }
        fiber.folded = Folded::No;
        fibers.release_uncounted(index);
        fibers.unhide(relay.legs.len() as u32 + u32::from(of_user));
        let mut user = None;
        if of_user {
            let replica = &mut replicas[client.index()];
            replica.busy -= 1;
            user = Some((plan.services[replica.service.index()].first_endpoint, client));
        }
        let mut more = waited;
        for leg in &relay.legs {
            let replica = &mut replicas[leg.replica.index()];
            replica.busy -= 1;
            more |= replica.saturated;
        }
        let relieved = if more { relay.relieve(waited, replicas) } else { Some(0) };
        let what = relay.told((site, relieved.unwrap_or(0)), segment, user);
        if relieved.is_none() {
            tell_return(host, now, (what, took, held), (replicas, fibers, routes, later));
        } else {
            host.relay_returned(now, what, took);
        }
        true
    }

    /// What follows when a user's relay has set out or is back.
    #[inline(always)]
    pub(super) fn after_relay<H: Host>(&mut self, host: &mut H, now: SimTime) {
        match self.later.pop_front() {
            None => {}
            Some(Step::Serve(next)) if !self.replicas[self.fibers[next].replica.index()].disturbed => {
                self.fibers[next].started = now;
                self.go(host, now, next);
            }
            Some(Step::Travel(next)) => {
                let step = self.travel(host, now, next);
                self.begin_with(host, now, step);
            }
            Some(step) => self.drive(host, now, step),
        }
    }
}
