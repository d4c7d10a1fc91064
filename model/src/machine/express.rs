//! The short way: a call that meets no policy, no fault, no network and no queue is a few numbers written down, there and
//! back. Whatever else may be the case takes the general way, in `call` and `service`, with the same result.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Kind, State};
use super::host::{Class, Host};
use super::key::{Key, Place};
use super::system::System;
use crate::observation::{Called, Returned};
use crate::plan::{Op, Pc};

impl System<'_> {
    /// Runs a fiber, and whichever it calls or answers in this instant, as far as the short way goes: to the fiber and
    /// the step that need more. A step is behind the fiber's `pc` already; there is none if the fiber has failed.
    #[inline(always)]
    pub(super) fn fly<H: Host>(&mut self, host: &mut H, now: SimTime, mut index: u32) -> (u32, Option<Op>) {
        let plan = self.plan;
        let Self { fibers, routes, replicas, tickets, any_frozen, .. } = self;
        let mut fiber = &mut fibers[index];
        if !fiber.outcome.is_success() {
            return (index, None);
        }
        loop {
            let op = plan.ops[fiber.pc.index()];
            fiber.pc = Pc(fiber.pc.0 + 1);
            match op {
                Op::Call(site) if H::INSTANT => {
                    let route = &routes[site.index()];
                    let replica = &mut replicas[route.target.index()];
                    // The last worker is the general way's: taking it is news.
                    if !route.open || replica.disturbed || replica.busy.saturating_add(1) >= replica.workers {
                        return (index, Some(op));
                    }
                    replica.busy += 1;
                    let key = tickets.next(Place::Fiber(index));
                    fiber.key = key;
                    fiber.site = site;
                    fiber.step_began = now;
                    fiber.attempts = 1;
                    fiber.bare = true;
                    fiber.state = State::Calling;
                    let segment = fiber.segment;
                    if let Some(patience) = route.timeout {
                        host.arm(now, patience, Class::Timeout, key);
                    }
                    (index, fiber) = fibers.fresh();
                    fiber.key = Key::NONE;
                    fiber.reply_to = key;
                    fiber.arrived = now;
                    fiber.started = now;
                    fiber.replica = route.target;
                    fiber.endpoint = route.endpoint;
                    fiber.edge = route.edge;
                    fiber.pc = route.entry;
                    fiber.own_share = 1.0;
                    fiber.outcome = Outcome::Ok;
                    fiber.segment = segment;
                    fiber.kind = Kind::Request;
                    fiber.express = true;
                    fiber.state = State::Running;
                    let (edge, endpoint, replica) = (route.edge, route.endpoint, route.target);
                    host.called(now, Called { site, edge, endpoint, replica, segment: fiber.segment() });
                }
                Op::Reply if H::INSTANT => {
                    let (edge, endpoint, target) = (fiber.edge, fiber.endpoint, fiber.replica);
                    let (reply_to, segment, took) = (fiber.reply_to, fiber.segment(), now - fiber.arrived);
                    let replica = &mut replicas[target.index()];
                    let calm = !replica.saturated && !replica.disturbed && !*any_frozen;
                    let plain = fiber.express && fiber.outcome == Outcome::Ok && calm;
                    let Some(caller) = (if plain { fibers.waiting(reply_to) } else { None }) else {
                        return (index, Some(op));
                    };
                    replica.busy -= 1;
                    fibers.release(index);
                    index = caller;
                    fiber = &mut fibers[index];
                    fiber.key = Key::NONE;
                    let called = Called { site: fiber.site, edge, endpoint, replica: target, segment };
                    host.returned(now, Returned { of: called, took });
                    if !fiber.outcome.is_success() {
                        return (index, None);
                    }
                }
                op => return (index, Some(op)),
            }
        }
    }
}
