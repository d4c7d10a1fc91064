//! Relays and journeys are taken apart: each service on the way gets its fiber, and each timeout its timer, as if they had had
//! them from the start. Here is what both do, and the relays' own; the journeys' is in `leaving.rs`.

use core::ops::Range;

use squall_policies::SimTime;

use super::fiber::{Fiber, Folded, State};
use super::host::{Class, Delay, Host};
use super::key::{Key, Place};
use super::system::System;
use crate::observation::Called;
use crate::plan::Pc;

impl System<'_> {
    /// Takes all relays apart: something is about to happen to services, databases or calls. A journey that waits at the
    /// first service, and has not come near anything else, waits on, unless that is one of the replicas `touched`.
    #[cold]
    #[inline(never)]
    pub(super) fn part(&mut self, host: &mut impl Host, now: SimTime, touched: &Range<usize>) {
        for index in self.fibers.folded() {
            let fiber = &self.fibers[index];
            let relay = &self.relays[fiber.site.index()];
            if relay.travels {
                if !relay.hops.waits_beside(fiber, touched) {
                    self.leave_off(host, now, index);
                }
            } else {
                self.take_apart(host, now, index, false);
            }
        }
        self.register_guests();
    }

    /// Gives each service on the way of a relay its fiber, and each timeout its timer. `fresh` if it sets out in this
    /// very step.
    #[cold]
    #[inline(never)]
    pub(super) fn take_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32, fresh: bool) {
        let last = self.fibers[index].clone();
        let relay = self.relays[last.site.index()].clone();
        let (set_out, waits) = (last.started, last.state == State::Queued);
        let first_ticket =
            if last.waited { self.fibers.aside(index).first } else { last.key.earlier(relay.legs.len() as u64) };
        self.fibers.unhide(relay.legs.len() as u32 - u32::from(last.folded == Folded::Call));
        let mut caller = last.reply_to;
        if last.folded == Folded::User {
            let user = self.waiting_user(last.target, last.arrived, last.segment());
            caller = self.wait_for(&user, &relay.legs[0], first_ticket);
        }
        if let (Folded::Guest, Some(client)) = (last.folded, last.reply_to.guest()) {
            let route = &self.routes[self.guests_call(client).0.index()];
            let (replica, endpoint, edge, pc) = (route.target, route.endpoint, route.edge, Pc(route.entry.0 + 1));
            let request = Fiber { replica, endpoint, edge, pc, ..last.clone() };
            caller = self.wait_for(&Fiber { folded: Folded::No, ..request }, &relay.legs[0], first_ticket);
            self.fibers[caller.index()].step_began = set_out;
        }
        let began = if fresh { None } else { Some(set_out) };
        self.arm_late(host, now, began, &relay.legs[0], caller);
        for (at, legs) in relay.legs.windows(2).enumerate() {
            let [leg, next] = legs else { continue };
            let handing_on = Fiber {
                reply_to: caller,
                arrived: set_out,
                started: set_out,
                replica: leg.replica,
                endpoint: leg.endpoint,
                edge: leg.edge,
                pc: Pc(self.routes[leg.site.index()].entry.0 + 1),
                segment: last.segment,
                express: true,
                ..Fiber::FREE
            };
            caller = self.wait_for(&handing_on, next, first_ticket.later(at as u64 + 1));
            self.arm_late(host, now, began, next, caller);
        }
        let Some(leg) = relay.legs.last() else { return };
        self.fibers[index] = Fiber {
            key: if waits { Key::NONE } else { last.key },
            reply_to: caller,
            arrived: set_out,
            started: last.step_began,
            step_began: last.step_began,
            mark: last.mark,
            replica: leg.replica,
            endpoint: leg.endpoint,
            edge: leg.edge,
            pc: Pc(relay.end.0 - u32::from(waits)),
            segment: last.segment,
            state: last.state,
            express: true,
            ..Fiber::FREE
        };
    }

    /// A fiber that waits for the answer to a call that it made before, with the ticket that was kept for it.
    pub(super) fn wait_for(&mut self, fiber: &Fiber, leg: &Called, ticket: Key) -> Key {
        let index = self.fibers.alloc();
        let key = ticket.at(Place::Fiber(index));
        self.fibers[index] = Fiber {
            key,
            step_began: fiber.arrived,
            site: leg.site,
            target: leg.replica,
            attempts: 1,
            bare: true,
            limited: false,
            state: State::Calling,
            ..fiber.clone()
        };
        key
    }

    /// Arms the timer of a call that began before, or begins now. A lane holds only what is armed when it begins.
    pub(super) fn arm_late(&self, host: &mut impl Host, now: SimTime, began: Option<SimTime>, leg: &Called, key: Key) {
        let Some(patience) = self.routes[leg.site.index()].timeout else { return };
        let delay = began.map_or(patience, |began| Delay::of(began + patience.span - now));
        host.arm(now, delay, Class::Timeout, key);
    }
}
