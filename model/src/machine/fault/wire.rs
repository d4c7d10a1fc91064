//! What faults make of an attempt on its way to a callee, and of its answer on the way back.

use squall_policies::{Outcome, SimTime};

use super::scope::{Hop, Scope, corrupt};
use crate::machine::fiber::State;
use crate::machine::host::{Delay, Host};
use crate::machine::system::System;
use crate::plan::Effect;

/// What the network does with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::machine) enum EdgeFault {
    /// It arrives after this.
    Passes(Delay),
    /// It never arrives.
    Lost,
    /// Its sender learns at once that it failed.
    Fails(Outcome),
}

impl System<'_> {
    /// What faults on a call make of an answer on its way back; `None` if it never gets there.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_reply(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let fiber = &self.fibers[index];
        if fiber.state != State::Calling {
            return Some(outcome);
        }
        let (caller, target, route) = (fiber.replica, fiber.target, self.routes[fiber.site.index()]);
        let hop = Hop { edge: route.edge, endpoint: route.endpoint, caller, target };
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, Scope::Hop(hop)) {
            if fault.effect == Effect::Partition {
                Self::fired(host, now, id);
                return None;
            }
        }
        let scope = Scope::Edge(route.edge);
        let spoilt = outcome.is_success() && self.strikes(host, now, scope, corrupt);
        Some(if spoilt { Outcome::Error(502) } else { outcome })
    }

    /// What faults make of an attempt on its way to the callee.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_edge(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        hop: Hop,
        normal: Delay,
    ) -> EdgeFault {
        let edge = hop.edge;
        if self.is_lost(host, now, hop) {
            return EdgeFault::Lost;
        }
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, Scope::Edge(edge)) {
            let fate = match fault.effect {
                Effect::Down => EdgeFault::Fails(Outcome::Refused),
                Effect::Hang => EdgeFault::Lost,
                Effect::Errors { share, status } if self.faults.strikes(id, share * fault.strength(now)) => {
                    EdgeFault::Fails(Outcome::Error(status))
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return fate;
        }
        EdgeFault::Passes(Delay::of(self.disturbed_time(host, now, Scope::Edge(edge), normal.span)))
    }

    /// Whether an attempt is lost on its way.
    fn is_lost(&mut self, host: &mut impl Host, now: SimTime, hop: Hop) -> bool {
        let lost = |effect| match effect {
            Effect::Partition => Some(1.0),
            Effect::Drop(share) => Some(share),
            _ => None,
        };
        self.strikes(host, now, Scope::Hop(hop), lost)
    }
}
