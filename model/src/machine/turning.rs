//! Turning over: where the service before a relay is full and guests wait for it, one relay comes back in the instant in which
//! the next sets out. If all is so that nothing else follows from the one, nor stands in the way of the other, both are one
//! step and one fact; also where the last service on the way is full and others wait for its workers too.

use squall_policies::SimTime;

use super::fiber::Folded;
use super::host::Host;
use super::key::Key;
use super::system::System;
use crate::observation::{Called, PassedOn, TurnedOver};
use crate::plan::{EndpointId, ReplicaId, SegmentId, SiteId};

/// The guests of a client: their call and their task, and the next one who waits at the service that hands on: when it came,
/// its ticket and its segment.
struct Guests {
    client: ReplicaId,
    call: SiteId,
    task: EndpointId,
    next: (SimTime, Key, SegmentId),
}

impl System<'_> {
    /// A guest's relay is back, and in the same instant the next guest who waits at the service that handed it on goes the
    /// same way; `false` if that is not all that happens.
    #[inline(always)]
    pub(super) fn turn_over<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> bool {
        let Some(client) = self.fibers[index].reply_to.guest() else { return false };
        let (call, task) = self.guests_call(client);
        let Self { fibers, relays, routes, replicas, databases, .. } = self;
        let fiber = &fibers[index];
        let relay = &relays[fiber.site.index()];
        let gate = &replicas[routes[call.index()].target.index()];
        let had_to_wait = gate.saturated && fiber.started != fiber.arrived;
        let Some(next) = gate.queue.first_guest(call).filter(|_| had_to_wait) else { return false };
        let guests = Guests { client, call, task, next };
        if relay.database.is_some_and(|database| databases[database.index()].saturated) {
            return false;
        }
        let [.., last] = &*relay.legs else { return false };
        if replicas[last.replica.index()].queue.len() > 0 {
            return self.pass_on(host, now, index, &guests);
        }
        let Some(full) = relay.relieved(relay.legs.len(), replicas).filter(|_| !fiber.waited) else { return false };
        let (site, tickets) = (fiber.site, relay.legs.len() as u64);
        let turned = self.next_through(now, index, &guests, full);
        host.turned_over(now, turned);
        self.tickets.skip(tickets);
        self.begin_end(host, now, index, site);
        true
    }

    /// As [`turn_over`](Self::turn_over), where somebody waits at the end of the way as well.
    #[inline(never)]
    fn pass_on<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, guests: &Guests) -> bool {
        let Self { fibers, relays, replicas, databases, services, plan, .. } = self;
        let (fiber, plan) = (&fibers[index], *plan);
        let (site, worked) = (fiber.site, now - fiber.step_began);
        let relay = &relays[site.index()];
        let [before @ .., last] = &*relay.legs else { return false };
        let heir = replicas[last.replica.index()].queue.first_fiber();
        let same_way = |heir: &u32| fibers[*heir].folded != Folded::No && fibers[*heir].site == site;
        let had_to_wait = fiber.step_began != fiber.started;
        let Some(heir) = heir.filter(same_way).filter(|_| had_to_wait) else { return false };
        let Some(full) = relay.relieved(before.len(), replicas) else { return false };
        let (last, time, asks) = (last.replica, relay.time, relay.database);
        let (then, lined) = (fibers[heir].segment(), now - fibers[heir].lined_up());
        let stream = match asks {
            Some(id) => &mut databases[id.index()].time,
            None => &mut services[replicas[last.index()].service.index()].work,
        };
        let as_before = stream.clone();
        let delay = Self::draw(plan, time, stream);
        if delay.span.is_zero() && asks.is_none() {
            // It would answer at once, before the next joins the line.
            *stream = as_before;
            return false;
        }
        self.replicas[last.index()].queue.drop_first();
        let turned = self.next_through(now, index, guests, full);
        host.passed_on(now, PassedOn { turned, worked, then, lined });
        self.begin_end_of(host, now, (heir, site), delay);
        self.wait_at_end(host, now, index, site);
        true
    }

    /// The next guest takes the place of a relay that is back.
    #[inline(always)]
    fn next_through(&mut self, now: SimTime, index: u32, guests: &Guests, full: u16) -> TurnedOver<'_> {
        let Guests { client, call, task, next: (came, ticket, next) } = *guests;
        let Self { fibers, relays, routes, replicas, .. } = self;
        let (fiber, route) = (&mut fibers[index], &routes[call.index()]);
        let (site, segment) = (fiber.site, fiber.segment());
        replicas[route.target.index()].queue.drop_first();
        replicas[client.index()].busy -= 1;
        let of = Called { site: call, edge: route.edge, endpoint: route.endpoint, replica: route.target, segment };
        let (took, held) = (now - fiber.arrived, now - fiber.started);
        fiber.reply_to = ticket;
        fiber.arrived = came;
        fiber.started = now;
        fiber.segment = next.0 as u16;
        // The user and the request that are answered.
        fibers.unhide(2);
        let back = relays[site.index()].told((site, full), segment, None);
        TurnedOver { user: (task, client), of, back, took, held, next, waited: now - came }
    }
}
