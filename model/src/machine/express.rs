//! The short way: a call that meets no policy, no fault, no network and no queue is a few numbers written down, there and
//! back. Whatever else may be the case takes the general way, in `call` and `service`, with the same result.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Kind, State};
use super::host::{Class, Host, Timer};
use super::key::{Key, Place};
use super::system::System;
use crate::observation::{Called, Returned};
use crate::plan::SiteId;

impl System<'_> {
    /// Makes the call of `site` and lets it in, if nothing stands in the way: the answer is the callee's fiber.
    #[inline(always)]
    pub(super) fn there<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) -> Option<u32> {
        let route = &self.routes[site.index()];
        if !H::INSTANT || !route.express || !route.clear {
            return None;
        }
        let replica = &mut self.replicas[route.target.index()];
        // The last worker is the general way's: taking it is news.
        if replica.busy.saturating_add(1) >= replica.workers || replica.disturbed {
            return None;
        }
        replica.busy += 1;
        let child = self.fibers.alloc();
        let key = self.tickets.next(Place::Fiber(index));
        let caller = &mut self.fibers[index];
        caller.key = key;
        caller.site = site;
        caller.step_began = now;
        caller.attempts = 1;
        caller.bare = true;
        caller.state = State::Calling;
        if let Some(patience) = route.timeout {
            caller.timer = host.arm(now, patience, Class::Timeout, key);
        }
        let segment = caller.segment;
        let request = &mut self.fibers[child];
        request.key = Key::NONE;
        request.reply_to = key;
        request.arrived = now;
        request.started = now;
        request.replica = route.target;
        request.endpoint = route.endpoint;
        request.edge = route.edge;
        request.pc = route.entry;
        request.own_share = 1.0;
        request.outcome = Outcome::Ok;
        request.segment = segment;
        request.kind = Kind::Request;
        request.express = true;
        let (edge, endpoint, replica) = (route.edge, route.endpoint, route.target);
        host.called(now, Called { site, edge, endpoint, replica, segment: request.segment() });
        self.tell_state(host, now, index);
        self.tell_began(host, now, child);
        Some(child)
    }

    /// Ends a request that came the short way and hands its answer to its caller, if nothing stands in the way and
    /// somebody waits for it: the answer is the caller's fiber, which may go on.
    #[inline(always)]
    pub(super) fn back<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Option<u32> {
        let request = &self.fibers[index];
        if !request.express || request.outcome != Outcome::Ok {
            return None;
        }
        let (edge, endpoint, target) = (request.edge, request.endpoint, request.replica);
        let (reply_to, segment, took) = (request.reply_to, request.segment(), now - request.arrived);
        let replica = &mut self.replicas[target.index()];
        let caller = self.fibers.waiting(reply_to)?;
        if replica.queue.len() > 0 || replica.saturated || self.on_guard || replica.disturbed {
            return None;
        }
        replica.busy -= 1;
        Self::tell_ended(host, now, index, Outcome::Ok);
        self.fibers.release(index);
        let fiber = &mut self.fibers[caller];
        fiber.key = Key::NONE;
        let timer = core::mem::replace(&mut fiber.timer, Timer::NONE);
        let site = fiber.site;
        if timer != Timer::NONE {
            host.disarm(timer);
        }
        host.returned(now, Returned { of: Called { site, edge, endpoint, replica: target, segment }, took });
        Some(caller)
    }
}
