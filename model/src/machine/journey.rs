//! Journeys: relays over a network that always takes as long. When such a request sets out it is not known when it will
//! be back, for at every service it may have to wait for a worker. So it is one fiber that goes from service to service,
//! an event each, and takes a worker wherever it comes; the services that hand it on need no fibers, and no timers for
//! timeouts that cannot fire.
//!
//! Where it finds none it waits, with a timer for the timeout that would be over first; so it may at one service whose wait
//! counts against a timeout. One that finds no room a second time is taken apart there, as all are before something happens
//! to services: from then on every service on the way has its fiber and every timeout its timer, with the tickets that were
//! kept for them. What is observed is the same either way.
//!
//! Who waits at the first service has not come near the others: it waits on whatever happens to them, and more may set out to
//! wait there. If something is the matter when its turn comes, it is taken apart then.

use core::hint::select_unpredictable;
use core::ops::Range;

use squall_policies::{Outcome, SimTime, Span};

use super::database::DatabaseState;
use super::express::free;
use super::fiber::{Fiber, Folded, Kind, NIL, State};
use super::host::{Class, Delay, Host};
use super::key::{Key, Place};
use super::line::Waiting;
use super::relay::Relay;
use super::system::{Step, System};
use crate::observation::{AnsweredOn, Called, HandedOn, Observation};
use crate::plan::{LaneId, LoadId, SegmentId, SiteId};

/// Services on the way of one journey, at most.
pub(super) const FARTHEST: usize = 8;

/// The network on the way of a relay.
#[derive(Clone, Debug, Default)]
pub(super) struct Hops {
    /// By leg. Nothing if all takes no time.
    stops: Box<[Stop]>,
    /// Whether nothing is the matter with any service on the way.
    pub open: bool,
    /// Whether nothing is with the first one: as far as that a journey may set out, and wait there.
    pub near: bool,
}

/// One leg, and the service at its end.
#[derive(Clone, Debug)]
struct Stop {
    of: Called,
    /// How long a message takes, there or back.
    hop: Delay,
    /// How long after the first service began the call begins; nothing for the first call, which was there before.
    called_after: Span,
    /// How long after that the service is reached.
    reached_after: Span,
    /// The leg whose timeout is over first for one who waits here, and how long after the service was reached.
    alarm: Option<(usize, Delay)>,
}

impl Hops {
    /// Of calls whose network takes so long each, and whose timeouts are these; `lanes` are taken already.
    pub(super) fn new(legs: &[Called], network: &[Delay], timeouts: &[Option<Span>], lanes: &mut usize) -> Self {
        let way = |from: usize, to: usize| network[from..=to].iter().fold(Span::ZERO, |sum, hop| sum + hop.span);
        let stops = legs.iter().zip(network).enumerate().map(|(at, (of, hop))| {
            let left = |leg: usize| Some((leg, timeouts[leg]?.saturating_sub(way(leg, at))));
            let alarm = (0..=at).filter_map(left).min_by_key(|(_, span)| *span).map(|(leg, span)| {
                *lanes += 1;
                (leg, Delay { span, lane: Some(LaneId::from(*lanes - 1)) })
            });
            let after = |leg: usize| if leg == 0 { Span::ZERO } else { way(1, leg) };
            let (called_after, reached_after) = (after(at.saturating_sub(1)), after(at));
            Stop { of: *of, hop: *hop, called_after, reached_after, alarm }
        });
        Self { stops: stops.collect(), open: false, near: false }
    }

    /// Whether a journey waits at the first service, and its replica is not among these.
    pub(super) fn waits_beside(&self, traveller: &Fiber, touched: &Range<usize>) -> bool {
        let first = self.stops.first().map(|stop| stop.of.replica.index());
        traveller.state == State::Queued && traveller.attempts == 0 && first.is_some_and(|row| !touched.contains(&row))
    }

    /// When the call of a leg began: the first one when the journey set out, the others behind the first service's wait.
    #[inline(always)]
    pub(super) fn began(&self, traveller: &Fiber, leg: usize) -> SimTime {
        let stop = &self.stops[leg];
        let (first, other) = (earlier(traveller.arrived, stop.hop.span), traveller.started + stop.called_after);
        select_unpredictable(leg == 0, first, other)
    }

    /// When the service at the end of a leg was reached.
    #[inline(always)]
    pub(super) fn reached(&self, traveller: &Fiber, leg: usize) -> SimTime {
        select_unpredictable(leg == 0, traveller.arrived, self.served(traveller, leg))
    }

    /// When the service at the end of a leg gave it a worker.
    #[inline(always)]
    pub(super) fn served(&self, traveller: &Fiber, leg: usize) -> SimTime {
        traveller.started + self.stops[leg].reached_after
    }

    /// How long an answer to the call of this leg has been under way at least.
    pub(super) fn round_trip(&self, leg: usize) -> Span {
        let there = self.stops.iter().skip(leg).fold(Span::ZERO, |sum, stop| sum + stop.hop.span);
        there + there
    }
}

/// What a journey under way needs besides its fiber.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail {
    /// The key of each leg's call, as far as it has got; the place in it means nothing.
    pub keys: [Key; FARTHEST],
    /// Those that follow stand only where the fiber says that it has waited. How long, as far as that counts against a
    /// timeout.
    pub spent: Span,
    /// The leg at whose end it has waited, if not the first: from there on all is so much later.
    pub waited_at: Option<usize>,
}

impl Trail {
    const NEW: Self = Self { keys: [Key::NONE; FARTHEST], spent: Span::ZERO, waited_at: None };
}

pub(super) fn earlier(time: SimTime, by: Span) -> SimTime {
    SimTime::from_nanos(time.as_nanos().saturating_sub(by.as_nanos()))
}

/// The trails of all journeys under way.
#[derive(Debug, Default)]
pub(super) struct Trails {
    all: Vec<Trail>,
    free: Vec<u32>,
}

impl Trails {
    fn take(&mut self, first: Key) -> u32 {
        let trail = self.free.pop().unwrap_or_else(|| {
            self.all.push(Trail::NEW);
            self.all.len() as u32 - 1
        });
        self.all[trail as usize].keys[0] = first;
        trail
    }

    /// A journey needs its trail no more.
    #[inline(always)]
    pub(super) fn give_back(&mut self, trail: u32) -> Trail {
        self.free.push(trail);
        self.all[trail as usize]
    }
}

/// Where a journey is. Fibers count it in [`Fiber::attempts`]: the legs done on the way there, then all of them while the
/// last service works, and beyond that one for each answer that is on its way or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// A request is on its way along this leg.
    There(usize),
    /// At work at the last service.
    Work,
    /// An answer is on its way back along this leg.
    Back(usize),
}

impl Stage {
    #[inline(always)]
    pub(super) const fn new(count: usize, legs: usize) -> Self {
        if count < legs {
            Self::There(count)
        } else if count == legs {
            Self::Work
        } else {
            Self::Back((2 * legs).saturating_sub(count))
        }
    }

    /// How many services wait for another.
    pub(super) const fn waiting(self, legs: usize) -> usize {
        match self {
            Self::There(leg) | Self::Back(leg) => leg,
            Self::Work => legs - 1,
        }
    }
}

impl Fiber {
    /// A guest whose turn it is, at that place: a journey that has waited at the first service, and has no trail yet.
    #[inline(always)]
    pub(super) fn set_out_again(&mut self, index: u32, site: SiteId) {
        let ticket = self.reply_to;
        self.target = ticket.guest().unwrap_or(self.target);
        self.reply_to = ticket.at(Place::Fiber(index));
        self.site = site;
        self.step_began = self.arrived;
        self.attempts = 0;
        self.waited = false;
        self.folded = Folded::User;
        self.next = NIL;
    }
}

impl Relay {
    /// Whether a journey that is at the end of this leg can begin its work at the database there, if that is its end.
    #[inline(always)]
    pub(super) fn may_end_at(&self, leg: usize, databases: &[DatabaseState]) -> bool {
        // The last connection is the general way's: taking it is news.
        let free = |of: &DatabaseState| of.is_plain() && of.busy.saturating_add(1) < of.connections;
        leg + 1 < self.legs.len() || self.database.is_none_or(|database| free(&databases[database.index()]))
    }
}

impl System<'_> {
    /// The request of an open loop's user sets out on a journey, if it can.
    #[inline(always)]
    pub(super) fn send_user<H: Host>(&mut self, host: &mut H, now: SimTime, load: LoadId) -> bool {
        if H::TRACED || !H::INSTANT {
            return false;
        }
        let Some((site, endpoint)) = self.clients[load.index()].call else { return false };
        if !self.relays[site.index()].hops.near {
            return false;
        }
        let segment = self.segment_at(now);
        let replica = self.clients[load.index()].turn();
        self.replicas[replica.index()].busy += 1;
        let edge = self.routes[site.index()].edge;
        host.handed_on(now, HandedOn { endpoint, replica, site, edge, segment });
        let index = self.fibers.alloc();
        let fiber = &mut self.fibers[index];
        fiber.reply_to = Key::NONE;
        fiber.target = replica;
        fiber.folded = Folded::User;
        let first = self.tickets.next(Place::Fiber(index));
        self.depart(host, now, index, (site, segment, first));
        true
    }

    /// A fiber's call sets out on a journey, if it can.
    #[inline(always)]
    pub(super) fn journey<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) -> bool {
        if H::TRACED || !H::INSTANT || !self.relays[site.index()].hops.open {
            return false;
        }
        let key = self.ticket(index);
        let target = self.routes[site.index()].target;
        let fiber = &mut self.fibers[index];
        fiber.site = site;
        fiber.step_began = now;
        fiber.mark = now;
        fiber.attempts = 1;
        fiber.bare = true;
        fiber.limited = false;
        fiber.state = State::Calling;
        fiber.target = target;
        let segment = fiber.segment();
        let (traveller, fiber) = self.fibers.uncounted();
        fiber.reply_to = key;
        fiber.folded = Folded::Call;
        let edge = self.routes[site.index()].edge;
        host.observe(now, Observation::Attempt { site, edge, segment, number: 1 });
        self.depart(host, now, traveller, (site, segment, key));
        true
    }

    /// A journey sets out, of which it is told already.
    #[inline(always)]
    fn depart<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        index: u32,
        (site, segment, first): (SiteId, SegmentId, Key),
    ) {
        let hop = self.relays[site.index()].hops.stops[0].hop;
        let fiber = &mut self.fibers[index];
        fiber.kind = Kind::Request;
        fiber.key = Key::NONE;
        fiber.arrived = now + hop.span;
        fiber.site = site;
        fiber.segment = segment.0 as u16;
        fiber.attempts = 0;
        fiber.state = State::Calling;
        fiber.waited = false;
        fiber.next = self.trails.take(first);
        host.pass(now, hop, index);
    }

    /// A journey has got a leg further.
    #[inline(always)]
    pub fn passed<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) {
        let fiber = &self.fibers[index];
        if fiber.folded == Folded::Letter {
            return self.deliver(host, now, index);
        }
        let legs = self.relays[fiber.site.index()].hops.stops.len();
        match Stage::new(usize::from(fiber.attempts), legs) {
            Stage::Back(leg) => self.bring_back(host, now, index, leg),
            Stage::There(leg) => self.reach(host, now, index, leg),
            Stage::Work => {}
        }
        self.after_relay(host, now);
    }

    /// A journey has come to the service at the end of a leg.
    #[inline(always)]
    fn reach<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, at: usize) {
        let Self { fibers, relays, replicas, databases, .. } = self;
        let fiber = &mut fibers[index];
        let relay = &relays[fiber.site.index()];
        let stops = &*relay.hops.stops;
        let Called { replica: id, endpoint, .. } = stops[at].of;
        let replica = &mut replicas[id.index()];
        let segment = fiber.segment();
        if replica.busy >= replica.workers {
            if fiber.waited || replica.queue.len() >= replica.queue_limit {
                self.leave_off(host, now, index);
                return self.deliver(host, now, index);
            }
            let light = at == 0 && fiber.folded == Folded::User && stops[0].alarm.is_none();
            return if light { self.halt_guest(host, now, index) } else { self.halt(host, now, index, at) };
        }
        if !relay.hops.open || !relay.may_end_at(at, databases) {
            self.leave_off(host, now, index);
            return self.deliver(host, now, index);
        }
        fiber.started = select_unpredictable(at == 0, now, fiber.started);
        replica.busy += 1;
        fibers.hide(1);
        let full = replica.busy == replica.workers;
        if let Some(Stop { of: Called { site, edge, .. }, .. }) = stops.get(at + 1)
            && !full
        {
            host.handed_on(now, HandedOn { endpoint, replica: id, site: *site, edge: *edge, segment });
            return self.hand_further(host, now, index, at + 1);
        }
        host.observe(now, Observation::Admitted { endpoint, replica: id, segment });
        if full {
            replica.saturated = true;
            host.observe(now, Observation::Saturated { replica: id });
        }
        self.go_further(host, now, index, at);
    }

    /// A journey waits for a worker at the end of a leg.
    #[inline(never)]
    fn halt<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, at: usize) {
        let Self { fibers, relays, replicas, trails, .. } = self;
        let fiber = &mut fibers[index];
        let relay = &relays[fiber.site.index()];
        let Stop { of: Called { replica, endpoint, .. }, alarm, .. } = relay.hops.stops[at];
        let segment = fiber.segment();
        fiber.state = State::Queued;
        fiber.step_began = now;
        fiber.replica = replica;
        fiber.endpoint = endpoint;
        if let Some((leg, left)) = alarm {
            fiber.key = trails.all[fiber.next as usize].keys[leg].at(Place::Fiber(index));
            host.arm(now, left, Class::Timeout, fiber.key);
        }
        fibers.hide(1);
        replicas[replica.index()].queue.push(Waiting::Fiber(index));
        host.observe(now, Observation::Queued { endpoint, replica, segment });
    }

    /// A user's journey waits for a worker of the first service, and no timer runs: it is a guest in the line, and needs neither
    /// fiber nor trail.
    #[inline(never)]
    fn halt_guest<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) {
        let Self { fibers, relays, replicas, trails, .. } = self;
        let fiber = &mut fibers[index];
        let (site, trail, client) = (fiber.site, fiber.next, fiber.target);
        let Stop { of: Called { replica, endpoint, .. }, .. } = relays[site.index()].hops.stops[0];
        let (segment, ticket) = (fiber.segment, trails.all[trail as usize].keys[0].at(Place::Replica(client.0)));
        trails.give_back(trail);
        fiber.folded = Folded::No;
        fibers.release_uncounted(index);
        fibers.hide(1);
        replicas[replica.index()].queue.push(Waiting::Request {
            came: now,
            from: ticket,
            site,
            segment,
            express: true,
        });
        host.observe(now, Observation::Queued { endpoint, replica, segment: SegmentId(segment.into()) });
    }

    /// A journey that waited as a guest has a trail from here on.
    #[inline(always)]
    pub(super) fn set_on_trail(&mut self, index: u32) {
        let fiber = &mut self.fibers[index];
        if fiber.next == NIL {
            fiber.next = self.trails.take(fiber.reply_to);
            fiber.reply_to = Key::NONE;
        }
    }

    /// A journey that has waited has a worker, or a relay at its end.
    #[inline(never)]
    pub(super) fn travel<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Step {
        let fiber = &mut self.fibers[index];
        if fiber.folded == Folded::No {
            return Step::Serve(index);
        }
        let site = fiber.site;
        if !self.relays[site.index()].travels {
            return self.get_to_work(host, now, index);
        }
        self.set_on_trail(index);
        let (fiber, relay) = (&mut self.fibers[index], &self.relays[site.index()]);
        let (at, waited) = (usize::from(fiber.attempts), now - fiber.lined_up());
        let counts = relay.hops.stops[at].alarm.is_some();
        fiber.state = State::Running;
        if !relay.hops.open || !relay.may_end_at(at, &self.databases) || counts && waited >= relay.patience {
            self.leave_off(host, now, index);
            self.fibers[index].started = now;
            return Step::Run(index);
        }
        fiber.key = Key::NONE;
        fiber.state = State::Calling;
        fiber.waited = counts;
        let trail = &mut self.trails.all[fiber.next as usize];
        (trail.spent, trail.waited_at) = (waited, None);
        if at == 0 {
            fiber.started = now;
        } else {
            fiber.waited = true;
            fiber.started += waited;
            trail.waited_at = Some(at);
        }
        self.go_further(host, now, index, at);
        Step::Rest
    }

    /// A journey has a worker at the end of a leg: it hands on, or works.
    #[inline(always)]
    fn go_further<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, at: usize) {
        let fiber = &mut self.fibers[index];
        let relay = &self.relays[fiber.site.index()];
        let Some(&Stop { of: Called { site, edge, .. }, .. }) = relay.hops.stops.get(at + 1) else {
            fiber.attempts += 1;
            return self.work_away(host, now, index);
        };
        let segment = fiber.segment();
        host.observe(now, Observation::Attempt { site, edge, segment, number: 1 });
        self.hand_further(host, now, index, at + 1);
    }

    /// A journey goes along the next leg, of which it is told already.
    #[inline(always)]
    fn hand_further<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, leg: usize) {
        let Self { fibers, relays, tickets, trails, .. } = self;
        let fiber = &mut fibers[index];
        fiber.attempts += 1;
        trails.all[fiber.next as usize].keys[leg] = tickets.next(Place::Fiber(index));
        host.pass(now, relays[fiber.site.index()].hops.stops[leg].hop, index);
    }

    /// A journey begins the work or the query at its end.
    #[inline(always)]
    fn work_away<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) {
        let plan = self.plan;
        let fiber = &mut self.fibers[index];
        let relay = &self.relays[fiber.site.index()];
        let [.., Stop { of: leg, .. }] = &*relay.hops.stops else { return };
        let segment = fiber.segment();
        let (state, delay) = if let Some(id) = relay.database {
            let database = &mut self.databases[id.index()];
            database.busy += 1;
            host.observe(now, Observation::QueryStarted { database: id, segment, waited: Span::ZERO, queued: false });
            (State::Querying, Self::draw(plan, relay.time, &mut database.time))
        } else {
            let service = self.replicas[leg.replica.index()].service;
            (State::Busy, Self::draw(plan, relay.time, &mut self.services[service.index()].work))
        };
        fiber.step_began = now;
        fiber.mark = now + delay.span;
        if delay.span.is_zero() && state == State::Busy {
            return self.answer_from(host, now, index, relay.legs.len() - 1, None);
        }
        let key = self.tickets.next(Place::Fiber(index));
        fiber.key = key;
        fiber.state = state;
        fiber.replica = leg.replica;
        fiber.endpoint = leg.endpoint;
        let spent = if fiber.waited { self.trails.all[fiber.next as usize].spent } else { Span::ZERO };
        let in_time = spent + delay.span < relay.patience;
        host.arm(now, delay, Class::Completion, key);
        if !in_time {
            self.leave_off(host, now, index);
        }
    }

    /// The work or the query at a journey's end is over; `false` if it has to be taken apart first, and was.
    #[inline(always)]
    pub(super) fn turn_back<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> bool {
        let fiber = &mut self.fibers[index];
        let relay = &self.relays[fiber.site.index()];
        if let Some(id) = relay.database {
            let database = &mut self.databases[id.index()];
            if database.saturated {
                self.leave_off(host, now, index);
                return false;
            }
            database.busy -= 1;
            let (segment, took) = (fiber.segment(), now - fiber.step_began);
            host.observe(now, Observation::QueryEnded { database: id, segment, outcome: Outcome::Ok, took });
        }
        fiber.key = Key::NONE;
        fiber.state = State::Calling;
        let last = relay.legs.len() - 1;
        self.answer_from(host, now, index, last, None);
        true
    }

    /// The service at the end of a leg answers; behind its call, if it made one, which took so long.
    #[inline(always)]
    fn answer_from<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        index: u32,
        at: usize,
        behind: Option<(Called, Span)>,
    ) {
        let fiber = &mut self.fibers[index];
        let relay = &self.relays[fiber.site.index()];
        let Stop { of: Called { replica, endpoint, .. }, hop, .. } = relay.hops.stops[at];
        let segment = fiber.segment();
        let held = now - relay.hops.served(fiber, at);
        if fiber.waited {
            let trail = &self.trails.all[fiber.next as usize];
            if trail.waited_at == Some(at) {
                // Before it waited here, all was so much earlier.
                fiber.started = earlier(fiber.started, trail.spent);
                fiber.waited = false;
            }
        }
        let took = now - relay.hops.reached(fiber, at);
        fiber.attempts += 1;
        if let Some((Called { site, edge, .. }, call)) = behind {
            let of = HandedOn { endpoint, replica, site, edge, segment };
            host.answered_on(now, AnsweredOn { of, call, took, held });
        } else {
            let outcome = Outcome::Ok;
            host.observe(now, Observation::Ended { endpoint, replica, segment, outcome, took, held });
        }
        let Self { fibers, replicas, routes, later, .. } = self;
        fibers.unhide(1);
        free(host, now, (replica, &mut replicas[replica.index()]), (fibers, routes), later);
        host.pass(now, hop, index);
    }

    /// The answer to the call of a leg is back.
    #[inline(always)]
    fn bring_back<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, at: usize) {
        let fiber = &self.fibers[index];
        let (site, trail, folded) = (fiber.site, fiber.next, fiber.folded);
        let (client, segment, reply_to) = (fiber.target, fiber.segment(), fiber.reply_to);
        if at == 0 && folded == Folded::Call {
            self.trails.give_back(trail);
            self.fibers[index].folded = Folded::No;
            self.fibers.release_uncounted(index);
            return self.replied(host, now, reply_to, Outcome::Ok);
        }
        let relay = &self.relays[site.index()];
        let (of, took) = (relay.hops.stops[at].of, now - relay.hops.began(fiber, at));
        if let Some(caller) = at.checked_sub(1) {
            return self.answer_from(host, now, index, caller, Some((of, took)));
        }
        let of = HandedOn { endpoint: self.guests_call(client).1, replica: client, site, edge: of.edge, segment };
        host.answered_on(now, AnsweredOn { of, call: took, took, held: took });
        self.replicas[client.index()].busy -= 1;
        self.trails.give_back(trail);
        self.fibers[index].folded = Folded::No;
        self.fibers.release(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{self, FaultId, Plan};
    use crate::spec;

    /// Three services in a row with so long a network and so long a timeout.
    fn plan(network: &str, timeout: &str, last: &str) -> Plan {
        let text = format!(
            "{{name: row, duration: 1s, network: {network}, load: [{{name: load, to: a.go, rate: 1/s}}], services: {{\
             a: {{endpoints: {{go: {{steps: [{{call: b.go}}]}}}}, calls: {{b: {{timeout: {timeout}}}}}}}, \
             b: {{endpoints: {{go: {{steps: [{{call: c.go}}]}}}}, calls: {{c: {{timeout: {timeout}}}}}}}, \
             c: {{endpoints: {{go: {{steps: [{last}]}}}}}}}}}}"
        );
        plan::compile(&spec::read(&text, &[], &|_| Err(String::new())).topology.unwrap()).unwrap()
    }

    #[test]
    fn a_request_may_travel_where_the_network_takes_some_time_that_is_always_the_same_and_no_timeout_is_over_on_the_way()
     {
        let table = [
            ("5ms", "21ms", "{work: 1ms}", [true, true, true]),
            // From `a` there and back takes 20 ms, and then its timeout is over.
            ("5ms", "20ms", "{work: 1ms}", [false, true, false]),
            ("5ms", "10ms", "{work: 1ms}", [false, false, false]),
            ("0ms", "20ms", "{work: 1ms}", [false, false, false]),
            ("uniform(1ms 2ms)", "20ms", "{work: 1ms}", [false, false, false]),
            ("5ms", "1s", "{work: 1ms}, {work: 1ms}", [false, false, false]),
        ];
        for (network, timeout, last, expected) in table {
            let plan = plan(network, timeout, last);
            let system = System::new(&plan);
            let open: Vec<bool> = system.relays.iter().map(|relay| relay.hops.open).collect();
            assert_eq!(open, expected, "{network}, {timeout}, {last}");
        }
    }

    #[test]
    fn one_who_waits_is_woken_by_the_timeout_that_is_over_first() {
        let ms = Span::from_millis;
        let table = [
            // Of those who call from `a`, at `b` and at `c`: 2 ms of its own call's timeout are gone, or 4 of that before.
            ("2ms", "20ms", "50ms", [Some((0, ms(18))), Some((0, ms(16)))]),
            ("2ms", "50ms", "20ms", [Some((0, ms(48))), Some((1, ms(18)))]),
            ("5ms", "60ms", "55ms", [Some((0, ms(55))), Some((0, ms(50)))]),
        ];
        for (network, first, second, expected) in table {
            let text = format!(
                "{{name: row, duration: 1s, network: {network}, load: [{{name: load, to: a.go, rate: 1/s}}], services: {{\
                 a: {{endpoints: {{go: {{steps: [{{call: b.go}}]}}}}, calls: {{b: {{timeout: {first}}}}}}}, \
                 b: {{endpoints: {{go: {{steps: [{{call: c.go}}]}}}}, calls: {{c: {{timeout: {second}}}}}}}, \
                 c: {{endpoints: {{go: {{steps: [{{work: 1ms}}]}}}}}}}}}}"
            );
            let plan = plan::compile(&spec::read(&text, &[], &|_| Err(String::new())).topology.unwrap()).unwrap();
            let system = System::new(&plan);
            let from_a = system.relays.iter().find(|relay| relay.legs.len() == 2).unwrap();
            let alarms = from_a.hops.stops.iter().map(|stop| stop.alarm.map(|(leg, left)| (leg, left.span)));
            assert_eq!(alarms.collect::<Vec<_>>(), expected, "{network}, {first}, {second}");
            let lanes = system.relays.iter().flat_map(|relay| &relay.hops.stops).filter_map(|stop| stop.alarm);
            let lanes: Vec<_> = lanes.filter_map(|(_, left)| left.lane).map(LaneId::index).collect();
            assert_eq!(lanes, (plan.lanes.len()..system.lanes()).collect::<Vec<_>>(), "each has its own");
        }
    }

    /// What is to come: a message on its way or a timer; and the delays in lanes of the journeys' own.
    #[derive(Default)]
    struct World {
        to_come: std::collections::BTreeMap<(SimTime, u64), Result<u32, Key>>,
        put: u64,
        alarms: Vec<Span>,
        lanes: usize,
    }

    impl World {
        fn put(&mut self, at: SimTime, what: Result<u32, Key>) {
            self.put += 1;
            self.to_come.insert((at, self.put), what);
        }
    }

    impl crate::observation::Sink for World {
        fn observe(&mut self, _: SimTime, _: Observation) {}
    }

    impl Host for World {
        const INSTANT: bool = true;

        fn send(&mut self, _: SimTime, _: Delay, _: crate::machine::Request) {
            panic!("all travel");
        }

        fn reply(&mut self, _: SimTime, _: Delay, _: Key, _: Outcome) {
            panic!("all travel");
        }

        fn cancel(&mut self, _: SimTime, _: Delay, _: Key) {
            panic!("nothing is cancelled");
        }

        fn pass(&mut self, now: SimTime, delay: Delay, journey: u32) {
            self.put(now + delay.span, Ok(journey));
        }

        fn arm(&mut self, now: SimTime, delay: Delay, _: Class, key: Key) {
            if delay.lane.is_some_and(|lane| lane.index() >= self.lanes) {
                self.alarms.push(delay.span);
            }
            self.put(now + delay.span, Err(key));
        }
    }

    #[test]
    fn one_that_finds_no_worker_at_the_last_service_waits_there_with_one_timer_and_travels_on() {
        let mut plan = plan("2ms", "50ms", "{work: 10ms}");
        let last = plan.services.iter().position(|service| service.name == "c").unwrap();
        plan.services[last].workers = 1;
        let (mut system, mut world) = (System::new(&plan), World { lanes: plan.lanes.len(), ..World::default() });
        for _ in 0..2 {
            system.ask(&mut world, SimTime::ZERO, LoadId(0));
        }
        let mut end = SimTime::ZERO;
        while let Some(((at, _), what)) = world.to_come.pop_first() {
            match what {
                Ok(journey) => system.passed(&mut world, at, journey),
                Err(key) if system.waits(key) => system.wake(&mut world, at, key),
                Err(_) => continue,
            }
            end = at;
        }
        assert_eq!(world.alarms, [Span::from_millis(46)], "one waits, and one timer is armed");
        // Six hops and the work of both, one behind the other.
        assert_eq!((end, system.census().fibers), (SimTime::from_nanos(32_000_000), 0));
        assert_eq!(world.put, 2 * 7 + 1, "the timer among them, which is stale");
    }

    #[test]
    fn who_waits_at_the_first_service_waits_on_while_something_happens_elsewhere_and_others_set_out() {
        let table = [
            ("db", "latency: 1s", true),
            ("b", "latency: 1s", true),
            ("b", "kill: 1", true),
            ("b", "partition: true", false),
            ("a -> b", "latency: 1s", false),
            ("a", "latency: 1s", false),
        ];
        // Without a timeout a user who waits is a guest in the line, whatever happens.
        let fibers = [("timeout: 10s, ", 1), ("", 0)];
        for ((target, what, elsewhere), (timeout, fiber)) in table.into_iter().flat_map(|row| fibers.map(|f| (row, f)))
        {
            let text = format!(
                "{{name: row, duration: 1s, network: 2ms, load: [{{name: load, to: a.go, {timeout}rate: 1/s}}], services: {{\
                 a: {{workers: 1, endpoints: {{go: {{steps: [{{call: b.go}}]}}}}}}, \
                 b: {{endpoints: {{go: {{steps: [{{query: db}}]}}}}}}}}, databases: {{db: {{query: 10ms}}}}, \
                 faults: [{{name: f, target: {target}, {what}, at: 3ms, for: 1s}}]}}"
            );
            let plan = plan::compile(&spec::read(&text, &[], &|_| Err(String::new())).topology.unwrap()).unwrap();
            let (mut system, mut world) = (System::new(&plan), World { lanes: plan.lanes.len(), ..World::default() });
            (0..2).for_each(|_| system.ask(&mut world, SimTime::ZERO, LoadId(0)));
            for _ in 0..2 {
                let Some(((at, _), Ok(journey))) = world.to_come.pop_first() else { panic!("both travel") };
                system.passed(&mut world, at, journey);
            }
            let case = format!("{target}, {what}, {timeout}");
            assert_eq!(system.fibers.folded().len(), 1 + fiber, "{case}: one at work, one waits");
            system.begin_fault(&mut world, SimTime::from_nanos(3_000_000), FaultId(0));
            assert_eq!(system.fibers.folded().len(), if elsewhere { fiber } else { 0 }, "{case}");
            assert_eq!(system.replicas[0].queue.len(), 1, "{case}");
            if elsewhere {
                system.ask(&mut world, SimTime::from_nanos(4_000_000), LoadId(0));
                assert_eq!(system.fibers.folded().len(), 1 + fiber, "{case}: one more is on its way");
            }
        }
    }

    #[test]
    fn stages_go_there_and_back() {
        let stages = (0..=6).map(|count| Stage::new(count, 3)).collect::<Vec<_>>();
        let (there, back) = (Stage::There, Stage::Back);
        assert_eq!(stages, [there(0), there(1), there(2), Stage::Work, back(2), back(1), back(0)]);
        let waiting: Vec<usize> = stages.iter().map(|stage| stage.waiting(3)).collect();
        assert_eq!(waiting, [0, 1, 2, 2, 2, 1, 0]);
    }
}
