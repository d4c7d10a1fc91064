//! What each layer around a call does when the call enters it, and when it leaves again.

use squall_policies::breaker::{Admission, Breaker, Transition};
use squall_policies::limiter::{AwsAdaptive, Permission};
use squall_policies::{Outcome, SimTime};

use super::host::{Class, Delay, Host};
use super::key::{Key, Place as Of};
use super::link::ClientThrottle;
use super::room::{Entry, Leaving};
use super::system::{Step, System};
use super::trip::{Held, Place};
use crate::observation::{Failure, Observation};
use crate::plan::{Bulkhead, Layer};

/// Whether a layer lets a call in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Entered {
    Yes,
    /// Not now: it waits.
    Held,
    No(Failure),
}

/// How a call leaves a layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Leave {
    /// With this outcome, or this failure.
    Ended(Outcome, Option<Failure>),
    /// Its time was up, by a limit further out.
    Overrun,
    /// Its caller is gone.
    Abandoned,
}

impl Leave {
    /// What the layers see of it; nothing if there is nobody to see it.
    fn seen(self) -> Option<Outcome> {
        match self {
            Self::Ended(outcome, failure) => Some(failure.map_or(outcome, Failure::seen)),
            Self::Overrun => Some(Outcome::Timeout),
            Self::Abandoned => None,
        }
    }

    /// Whether a policy of the caller itself has turned the call away, so that it says nothing about the callee.
    fn is_own(self) -> bool {
        let Self::Ended(_, Some(failure)) = self else { return false };
        !matches!(failure, Failure::Callee(_) | Failure::BudgetRefused(_) | Failure::Deadline)
    }
}

impl System<'_> {
    /// A call comes to a layer.
    pub(super) fn enter(&mut self, host: &mut impl Host, now: SimTime, index: u32, layer: Layer) -> Entered {
        let link = self.trips[index].link;
        match layer {
            Layer::Retry => {
                if let Some(budget) = &mut self.links[link].budget {
                    budget.start(now, self.trips[index].grant);
                }
                Entered::Yes
            }
            Layer::Timeout => {
                self.enter_timeout(now, index);
                Entered::Yes
            }
            Layer::Throttle => self.enter_throttle(host, now, index),
            Layer::Breaker => self.enter_breaker(host, now, index),
            Layer::RateLimit => {
                let Some(limiter) = &mut self.links[link].limiter else { return Entered::Yes };
                let permission = limiter.acquire(now);
                self.permitted(host, now, index, permission)
            }
            Layer::Bulkhead => self.enter_room(host, now, index),
        }
    }

    /// A call leaves a layer.
    pub(super) fn leave(&mut self, host: &mut impl Host, now: SimTime, index: u32, layer: Layer, how: Leave) {
        let link = self.trips[index].link;
        match layer {
            Layer::Retry => {
                let grant = self.trips[index].grant;
                match (&mut self.links[link].budget, how.seen()) {
                    (Some(budget), Some(outcome)) => budget.record(now, outcome, grant),
                    (Some(budget), None) => budget.cancel(grant),
                    (None, _) => {}
                }
            }
            Layer::Timeout => self.leave_timeout(index),
            Layer::Throttle => {
                let outcome = how.seen().filter(|_| !how.is_own());
                match (&mut self.links[link].throttle, outcome) {
                    (Some(ClientThrottle::Sre(throttle)), Some(outcome)) => throttle.record(now, outcome),
                    (Some(ClientThrottle::AwsAdaptive(throttle)), Some(outcome)) => throttle.record(now, outcome),
                    _ => {}
                }
            }
            Layer::Breaker => self.leave_breaker(host, now, index, how),
            Layer::RateLimit => {}
            Layer::Bulkhead => self.leave_room(host, now, index, how),
        }
    }

    /// A timeout that has other layers inside of it limits them all; the innermost one is the attempt's own.
    fn enter_timeout(&mut self, now: SimTime, index: u32) {
        if self.layers(index).innermost() == Some(Layer::Timeout) {
            return;
        }
        let timeout = self.plan.sites[self.fibers[index].site.index()].timeout;
        let whole = self.fibers.deadline(index);
        self.fibers.limit(index, whole.min(now + timeout));
        self.trips.wholes.set(index, whole);
    }

    fn leave_timeout(&mut self, index: u32) {
        if self.layers(index).innermost() != Some(Layer::Timeout) {
            self.fibers.limit(index, self.trips.wholes[index]);
        }
    }

    /// When a call as a whole must be over.
    pub(super) fn whole_deadline(&self, index: u32) -> SimTime {
        let (layers, depth) = (self.layers(index), self.trips[index].depth);
        let limited = layers.innermost() != Some(Layer::Timeout)
            && layers.depth_of(Layer::Timeout).is_some_and(|timeout| timeout < depth);
        if limited { self.trips.wholes[index] } else { self.fibers.deadline(index) }
    }

    fn enter_throttle(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Entered {
        let retry_of = self.fibers.kept_aside(index).and_then(|aside| aside.failure).map(Failure::seen);
        let (state, streams) = self.links.with_streams(self.trips[index].link);
        match &mut state.throttle {
            None => Entered::Yes,
            Some(ClientThrottle::Sre(throttle)) => {
                if throttle.admit(now, &mut streams.policies) {
                    Entered::Yes
                } else {
                    Entered::No(Failure::Throttled)
                }
            }
            Some(ClientThrottle::AwsAdaptive(throttle)) => {
                let permission = throttle.acquire(now, AwsAdaptive::cost(retry_of));
                self.permitted(host, now, index, permission)
            }
        }
    }

    /// What a limiter's answer means for a call.
    fn permitted(&mut self, host: &mut impl Host, now: SimTime, index: u32, permission: Permission) -> Entered {
        let (held, due) = match permission {
            Permission::Go => return Entered::Yes,
            Permission::RefusedAt(at) if at <= now => return Entered::No(Failure::RateLimited),
            Permission::WaitUntil(at) => (Held::Permit, at),
            Permission::AskAgainAt(at) => (Held::Again, at),
            Permission::RefusedAt(at) => (Held::Refusal, at),
        };
        self.hold_call(host, now, index, held, due);
        Entered::Held
    }

    fn enter_breaker(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Entered {
        let link = self.trips[index].link;
        let (state, streams) = self.links.with_streams(link);
        let Some(breaker) = &mut state.breaker else { return Entered::Yes };
        let (admission, transition) = breaker.admit(now, &mut streams.policies);
        self.breaker_changed(host, now, link, transition);
        match admission {
            Admission::Pass(token) => {
                let trip = &mut self.trips[index];
                (trip.token, trip.admitted) = (Some(token), now);
                Entered::Yes
            }
            Admission::Reject => Entered::No(Failure::BreakerOpen),
        }
    }

    fn leave_breaker(&mut self, host: &mut impl Host, now: SimTime, index: u32, how: Leave) {
        let trip = &mut self.trips[index];
        let (link, took) = (trip.link, now - trip.admitted);
        let Some(token) = trip.token.take() else { return };
        let (state, streams) = self.links.with_streams(link);
        let threads = matches!(self.plan.edges[state.edge.index()].bulkhead, Some(Bulkhead::ThreadPool(_)));
        let Some(breaker) = &mut state.breaker else { return };
        let random = &mut streams.policies;
        let transition = match (how, how.seen()) {
            (Leave::Ended(_, Some(Failure::BulkheadFull)), _) if !threads => {
                breaker.turned_away(now, token, took, random)
            }
            (Leave::Overrun, _) => breaker.overrun(now, token, took, random),
            (_, Some(outcome)) => breaker.record(now, token, outcome, took, random),
            (_, None) => breaker.cancel(now, token, random),
        };
        self.breaker_changed(host, now, link, transition);
    }

    fn enter_room(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Entered {
        let link = self.trips[index].link;
        let Some(room) = &mut self.links[link].room else { return Entered::Yes };
        let (due, opens) = match room.enter(now) {
            Entry::Taken(stay) => {
                self.trips[index].place = Place::Taken;
                if let Some(stay) = stay {
                    self.trips.stays.set(index, stay);
                }
                return Entered::Yes;
            }
            Entry::Full => return Entered::No(Failure::BulkheadFull),
            Entry::Wait(until) => (until, None),
            Entry::Opens(connect) => (SimTime::NEVER, Some(connect)),
        };
        self.trips[index].place = Place::Waiting;
        let key = self.hold_call(host, now, index, Held::Room, due);
        let Some(room) = &mut self.links[link].room else { return Entered::Held };
        room.wait(key);
        match opens {
            Some(connect) if connect.is_zero() => {
                room.connection_is_there();
                self.places_free(link);
            }
            Some(connect) => {
                let there = self.tickets.next(Of::Link(link));
                room.opens(there);
                host.arm(now, Delay::of(connect), Class::Completion, there);
            }
            None => {}
        }
        Entered::Held
    }

    /// A call gives its place back, or leaves the line.
    pub(super) fn leave_room(&mut self, host: &mut impl Host, now: SimTime, index: u32, how: Leave) {
        let trip = &mut self.trips[index];
        if core::mem::replace(&mut trip.place, Place::None) != Place::Taken {
            return;
        }
        let dropped = match how.seen() {
            Some(outcome) if outcome.is_success() => Some(false),
            Some(Outcome::Timeout | Outcome::Rejected | Outcome::RateLimited) => Some(true),
            _ => None,
        };
        let link = trip.link;
        let leaving = Leaving { stay: self.trips.stays.get(index), dropped };
        let (state, streams) = self.links.with_streams(link);
        let (edge, replica) = (state.edge, state.caller);
        let Some(room) = &mut state.room else { return };
        let before = room.adaptive_limit();
        let handed_on = room.leave(now, leaving, &mut streams.policies);
        if let (Some(from), Some(to)) = (before, room.adaptive_limit())
            && from != to
        {
            host.observe(now, Observation::BulkheadLimit { edge, replica, from, to });
        }
        if handed_on {
            self.hand_on(link, Place::Taken);
        }
        self.places_free(link);
    }

    /// A waiting call leaves the line; its place in it is passed over later.
    pub(super) fn leave_line(&mut self, index: u32) {
        let link = self.trips[index].link;
        if let Some(room) = &mut self.links[link].room {
            room.give_up();
        }
    }

    /// Places may be free: those that wait take them, or are turned away.
    pub(super) fn places_free(&mut self, link: u32) {
        while let Some(taken) = self.links[link].room.as_mut().and_then(super::room::Room::next) {
            self.hand_on(link, if taken { Place::Taken } else { Place::Refused });
        }
    }

    /// The call that has waited longest has a place, or is turned away: it goes on in the same instant.
    fn hand_on(&mut self, link: u32, place: Place) {
        while let Some(key) = self.links[link].room.as_mut().and_then(super::room::Room::first_in_line) {
            let Some(index) = self.fibers.waiting(key) else { continue };
            self.trips[index].place = place;
            self.later.push_back(Step::Wake(key));
            return;
        }
    }

    /// A breaker that is to begin in another state than closed enters it.
    pub(super) fn begin_breaker(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let (state, streams) = self.links.with_streams(index);
        let begun = state.breaker.as_mut().and_then(|breaker| breaker.begin(now, &mut streams.policies));
        if begun.is_some() {
            self.breaker_changed(host, now, index, begun);
        }
    }

    /// Tells of a breaker's change, and sees to it that it is woken when it wants to be.
    #[cold]
    #[inline(never)]
    pub(super) fn breaker_changed(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        transition: Option<Transition>,
    ) {
        let link = &mut self.links[index];
        if let Some(transition) = transition {
            host.observe(now, Observation::Breaker { edge: link.edge, replica: link.caller, transition });
        }
        let wake_at = link.breaker.as_ref().and_then(Breaker::next_wake).unwrap_or(SimTime::NEVER);
        if wake_at == link.wake_at {
            return;
        }
        link.wake_at = wake_at;
        link.wake = Key::NONE;
        if wake_at != SimTime::NEVER {
            link.wake = self.tickets.next(Of::Link(index));
            host.arm(now, Delay::of(wake_at - now), Class::Completion, link.wake);
        }
    }

    /// A link's policies wanted to be woken now.
    pub(super) fn wake_link(&mut self, host: &mut impl Host, now: SimTime, index: u32, key: Key) {
        if self.links[index].room.as_mut().is_some_and(|room| room.connected(key)) {
            return self.places_free(index);
        }
        if self.links[index].wake != key {
            return;
        }
        self.links[index].wake_at = SimTime::NEVER;
        loop {
            let (state, streams) = self.links.with_streams(index);
            let Some(breaker) = &mut state.breaker else { return };
            let transition = breaker.on_wake(now, &mut streams.policies);
            self.breaker_changed(host, now, index, transition);
            if transition.is_none() {
                return;
            }
        }
    }
}
