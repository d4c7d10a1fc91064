//! Journeys are taken apart, as relays are in `parting.rs`: each service that one has reached gets its fiber, and each timeout its
//! timer, with the tickets that were kept for them. What is left is the last service's fiber, or a message on its way.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Fiber, Folded, NIL, State};
use super::host::{Host, Request};
use super::journey::{FARTHEST, Stage, Trail, earlier};
use super::key::Key;
use super::relay::Relay;
use super::system::System;
use crate::observation::Called;
use crate::plan::Pc;

/// When a journey was where.
struct Times<'a> {
    of: &'a Relay,
    now: &'a Fiber,
    /// As it was before it waited at the end of that leg; from there on it is as it is now.
    before: Fiber,
    waited_at: usize,
}

impl<'a> Times<'a> {
    fn new(of: &'a Relay, now: &'a Fiber, trail: &Trail) -> Self {
        let mut before = now.clone();
        let waited_at = trail.waited_at.filter(|_| now.waited);
        if waited_at.is_some() {
            before.started = earlier(before.started, trail.spent);
        }
        Self { of, now, before, waited_at: waited_at.unwrap_or(FARTHEST) }
    }

    const fn fiber(&self, before: bool) -> &Fiber {
        if before { &self.before } else { self.now }
    }

    /// When the call of a leg began.
    fn began(&self, leg: usize) -> SimTime {
        self.of.hops.began(self.fiber(leg <= self.waited_at), leg)
    }

    /// When the service at the end of a leg was reached.
    fn reached(&self, leg: usize) -> SimTime {
        self.of.hops.reached(self.fiber(leg <= self.waited_at), leg)
    }

    /// When that gave it a worker.
    fn served(&self, leg: usize) -> SimTime {
        self.of.hops.served(self.fiber(leg < self.waited_at), leg)
    }
}

impl System<'_> {
    /// Takes a journey apart: gives each service that it has reached its fiber, and each timeout its timer. What is left of
    /// it is the last service's fiber, or a message on its way.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_off(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        self.set_on_trail(index);
        let traveller = self.fibers[index].clone();
        let relay = core::mem::take(&mut self.relays[traveller.site.index()]);
        let trail = self.trails.give_back(traveller.next);
        let stage = Stage::new(usize::from(traveller.attempts), relay.legs.len());
        let waiting = stage.waiting(relay.legs.len());
        let times = Times::new(&relay, &traveller, &trail);
        let of_user = traveller.folded == Folded::User;
        self.fibers.unhide(waiting as u32 + u32::from(of_user));
        let mut caller = traveller.reply_to;
        if of_user {
            let user = self.waiting_user(traveller.target, times.began(0), traveller.segment());
            caller = self.wait_for(&user, &relay.legs[0], trail.keys[0]);
        }
        self.arm_late(host, now, Some(times.began(0)), &relay.legs[0], caller);
        for at in 0..waiting {
            let (next, began) = (&relay.legs[at + 1], times.began(at + 1));
            caller = self.wait_for(&self.handing_on(&times, at, caller), next, trail.keys[at + 1]);
            self.fibers[caller.index()].step_began = began;
            self.arm_late(host, now, Some(began), next, caller);
        }
        self.fibers[index] = match (stage, traveller.state) {
            (Stage::There(_) | Stage::Back(_), State::Calling) => {
                Fiber { reply_to: caller, state: State::Free, folded: Folded::Letter, next: NIL, ..traveller }
            }
            (Stage::Work, state) => Fiber {
                key: traveller.key,
                step_began: traveller.step_began,
                mark: traveller.mark,
                pc: relay.end,
                state,
                ..self.handing_on(&times, relay.legs.len() - 1, caller)
            },
            (Stage::There(at) | Stage::Back(at), state) => {
                let request = self.handing_on(&times, at, caller);
                Fiber { pc: Pc(request.pc.0 - 1), state, ..request }
            }
        };
        self.relays[traveller.site.index()] = relay;
    }

    /// The fiber of the service at the end of a leg, which owes an answer to that key.
    fn handing_on(&self, times: &Times<'_>, at: usize, caller: Key) -> Fiber {
        let leg = &times.of.legs[at];
        Fiber {
            reply_to: caller,
            arrived: times.reached(at),
            started: times.served(at),
            replica: leg.replica,
            endpoint: leg.endpoint,
            edge: leg.edge,
            pc: Pc(self.routes[leg.site.index()].entry.0 + 1),
            segment: times.now.segment,
            ..Fiber::FREE
        }
    }

    /// The message that is left of a journey has arrived.
    #[cold]
    #[inline(never)]
    pub(super) fn deliver(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let fiber = &mut self.fibers[index];
        let (site, key, segment) = (fiber.site, fiber.reply_to, fiber.segment());
        let stage = usize::from(fiber.attempts);
        fiber.folded = Folded::No;
        fiber.state = State::Calling;
        self.fibers.release_uncounted(index);
        let legs = &self.relays[site.index()].legs;
        if let Stage::There(leg) = Stage::new(stage, legs.len()) {
            let Called { edge, endpoint, replica, .. } = legs[leg];
            let request = Request { from: key, edge, to: replica, endpoint, segment };
            self.arrive(host, now, request);
        } else {
            self.replied(host, now, key, Outcome::Ok);
        }
    }
}
