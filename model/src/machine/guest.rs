//! Guests: users of an open loop who ask once and wait, whatever becomes of it. Until something goes wrong such a user has
//! no fiber: its request knows it by the ticket of its call, kept at the client's place. Whoever has to fail the request,
//! or is about to do something to services, gives its user a fiber first ([`System::register_guest`]).
//! What is observed is the same either way.

use squall_policies::{Outcome, SimTime, Span};

use super::express::enter;
use super::fiber::{Fiber, Kind, State};
use super::host::Host;
use super::key::{Key, Place};
use super::line::Waiting;
use super::system::System;
use crate::observation::{Called, LinedUp, Observation};
use crate::plan::{EndpointId, LoadId, Pc, ReplicaId, SegmentId, SiteId};

impl System<'_> {
    /// A user of this load asks as a guest, if it can.
    #[inline(always)]
    pub(super) fn receive_guest<H: Host>(&mut self, host: &mut H, now: SimTime, load: LoadId) -> bool {
        if H::TRACED || !H::INSTANT {
            return false;
        }
        let Some((site, task)) = self.clients[load.index()].call else { return false };
        let route = &self.routes[site.index()];
        let replica = &self.replicas[route.target.index()];
        let free = replica.busy < replica.workers;
        let room = free || replica.queue.len() < replica.queue_limit;
        if !route.open || route.timeout.is_some() || replica.disturbed || !room {
            return false;
        }
        let segment = self.segment_at(now);
        let client = self.clients[load.index()].turn();
        let Self { replicas, fibers, tickets, routes, .. } = self;
        let route = &routes[site.index()];
        replicas[client.index()].busy += 1;
        let key = tickets.next(Place::Replica(client.0));
        let id = route.target;
        let replica = &mut replicas[id.index()];
        let called = Called { site, edge: route.edge, endpoint: route.endpoint, replica: id, segment };
        if !free {
            fibers.hide(2);
            replica.queue.push(Waiting::Request {
                came: now,
                from: key,
                site,
                segment: segment.0 as u16,
                express: true,
            });
            host.lined_up(now, LinedUp { user: (task, client), of: called });
            return true;
        }
        host.observe(now, Observation::Admitted { endpoint: task, replica: client, segment });
        fibers.hide(1);
        let (index, fiber) = fibers.fresh();
        enter(fiber, now, route, key, segment);
        fiber.state = State::Running;
        host.called(now, called);
        replica.busy += 1;
        if replica.busy == replica.workers {
            replica.saturated = true;
            host.observe(now, Observation::Saturated { replica: id });
        }
        self.go(host, now, index);
        true
    }

    /// A guest has its answer, and leaves.
    #[inline(always)]
    pub(super) fn guest_leaves<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        (client, segment): (ReplicaId, SegmentId),
        took: Span,
    ) {
        self.fibers.unhide(1);
        let endpoint = self.guests_call(client).1;
        let outcome = Outcome::Ok;
        host.observe(now, Observation::Ended { endpoint, replica: client, segment, outcome, took, held: took });
        self.replicas[client.index()].busy -= 1;
    }

    /// The call step and the task of the guests of a client.
    #[inline(always)]
    pub(super) fn guests_call(&self, client: ReplicaId) -> (SiteId, EndpointId) {
        let service = self.replicas[client.index()].service.index();
        let call = self.clients.get(service.wrapping_sub(self.plan.first_client)).and_then(|client| client.call);
        call.unwrap_or((SiteId(0), EndpointId(0)))
    }

    /// If a request is a guest's, its user has a fiber from here on.
    #[inline(always)]
    pub(super) fn register_guest(&mut self, index: u32) {
        if let Some(client) = self.fibers[index].reply_to.guest() {
            self.give_fiber(index, client);
        }
    }

    /// All guests who are served have fibers from here on: something is about to happen to services.
    pub(super) fn register_guests(&mut self) {
        for index in self.fibers.of_guests() {
            self.register_guest(index);
        }
    }

    #[cold]
    #[inline(never)]
    fn give_fiber(&mut self, index: u32, client: ReplicaId) {
        let request = &self.fibers[index];
        let (arrived, segment, target, ticket) =
            (request.arrived, request.segment(), request.replica, request.reply_to);
        let site = self.guests_call(client).0;
        let user = self.waiting_user(client, arrived, segment);
        self.fibers.unhide(1);
        let (edge, endpoint) = (self.routes[site.index()].edge, self.routes[site.index()].endpoint);
        let leg = Called { site, edge, endpoint, replica: target, segment };
        self.fibers[index].reply_to = self.wait_for(&user, &leg, ticket);
    }

    /// What the fiber of a user who has asked is like.
    pub(super) fn waiting_user(&self, client: ReplicaId, arrived: SimTime, segment: SegmentId) -> Fiber {
        let endpoint = self.guests_call(client).1;
        Fiber {
            arrived,
            started: arrived,
            replica: client,
            endpoint,
            pc: Pc(self.plan.endpoints[endpoint.index()].entry.0 + 1),
            segment: segment.0 as u16,
            kind: Kind::User,
            ..Fiber::FREE
        }
    }
}

impl Key {
    /// The client of the guest whose request's answer this key is for.
    #[inline(always)]
    pub(super) const fn guest(self) -> Option<ReplicaId> {
        match self.place() {
            Place::Replica(client) => Some(ReplicaId(client)),
            _ => None,
        }
    }
}
