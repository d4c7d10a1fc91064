//! What the machines tell a tracing host. A host that does not trace makes all of this vanish; nothing here changes what
//! the machines do.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Fiber, Kind, State};
use super::host::Host;
use super::key::Key;
use super::system::System;
use crate::observation::Failure;
use crate::plan::Op;
use crate::trace::{Activity, Origin, TraceFact};

/// A fiber begins.
#[inline(always)]
pub(super) fn began<H: Host>(host: &mut H, now: SimTime, index: u32, fiber: &Fiber) {
    if H::TRACED {
        let origin = match fiber.kind {
            Kind::User => Origin::User { meant: fiber.arrived },
            Kind::Request => Origin::Request,
            Kind::Branch | Kind::Try => Origin::Branch,
        };
        let (parent, endpoint, replica) = (fiber.reply_to, fiber.endpoint, fiber.replica);
        host.trace(now, TraceFact::Began { fiber: index, parent, endpoint, replica, origin });
    }
}

/// A fiber's state has changed.
#[inline(always)]
pub(super) fn turned<H: Host>(host: &mut H, now: SimTime, index: u32, (fiber, ops): (&Fiber, &[Op])) {
    if H::TRACED
        && let Some(to) = activity(fiber, ops)
    {
        host.trace(now, TraceFact::Turned { fiber: index, key: fiber.key, to });
    }
}

impl System<'_> {
    /// A fiber begins.
    #[inline(always)]
    pub(super) fn tell_began<H: Host>(&self, host: &mut H, now: SimTime, index: u32) {
        if H::TRACED {
            began(host, now, index, &self.fibers[index]);
        }
    }

    /// A fiber's state has changed.
    #[inline(always)]
    pub(super) fn tell_state<H: Host>(&self, host: &mut H, now: SimTime, index: u32) {
        if H::TRACED {
            turned(host, now, index, (&self.fibers[index], &self.plan.ops));
        }
    }

    /// An attempt of a fiber's call failed.
    #[inline(always)]
    pub(super) fn tell_failed<H: Host>(&self, host: &mut H, now: SimTime, index: u32, failure: Failure) {
        if H::TRACED {
            let (site, attempt) = (self.fibers[index].site, self.fibers[index].attempts);
            host.trace(now, TraceFact::Failed { fiber: index, site, attempt, failure });
        }
    }

    /// An attempt waits for a connection of its caller's pool.
    #[inline(always)]
    pub(super) fn tell_pooling<H: Host>(host: &mut H, now: SimTime, key: Key) {
        if H::TRACED {
            host.trace(now, TraceFact::Pooling { key });
        }
    }

    /// An attempt has a connection of its caller's pool, which is open from `ready` on.
    #[inline(always)]
    pub(super) fn tell_pooled<H: Host>(host: &mut H, now: SimTime, key: Key, ready: SimTime) {
        if H::TRACED {
            host.trace(now, TraceFact::Pooled { key, ready });
        }
    }

    /// A fiber has ended.
    #[inline(always)]
    pub(super) fn tell_ended<H: Host>(host: &mut H, now: SimTime, index: u32, outcome: Outcome) {
        if H::TRACED {
            host.trace(now, TraceFact::Ended { fiber: index, outcome });
        }
    }

    /// A frozen replica holds a message up.
    #[inline(always)]
    pub(super) fn tell_held_up<H: Host>(host: &mut H, now: SimTime, key: Key) {
        if H::TRACED {
            host.trace(now, TraceFact::HeldUp { key });
        }
    }
}

/// What a fiber in use does.
fn activity(fiber: &Fiber, ops: &[Op]) -> Option<Activity> {
    let step = fiber.pc.index().checked_sub(1).map(|pc| ops[pc]);
    Some(match (fiber.state, step) {
        (State::Free | State::Thinking, _) => return None,
        (State::Queued, _) => Activity::Queued,
        (State::Busy, Some(Op::Work(_) | Op::Compute(_))) | (State::Computing, _) => Activity::Working,
        (State::Busy, Some(Op::Wait(_))) => Activity::Waiting,
        (State::Busy, _) => Activity::Disturbed,
        (State::Connecting | State::Pooling, Some(Op::Query(database, _) | Op::PooledQuery(database, _))) => {
            Activity::Connecting(database)
        }
        (State::Querying, Some(Op::Query(database, _) | Op::PooledQuery(database, _))) => Activity::Querying(database),
        (State::Looking, Some(Op::Get { cache, .. })) => Activity::Looking(cache),
        (State::Publishing, Some(Op::Publish(topic))) => Activity::Publishing(topic),
        (
            State::Running | State::Connecting | State::Pooling | State::Querying | State::Looking | State::Publishing,
            _,
        ) => Activity::Running,
        (State::Calling, _) => Activity::Calling { site: fiber.site, attempt: fiber.attempts, target: fiber.target },
        (State::BackingOff, _) => Activity::BackingOff(fiber.site),
        (State::FallingBack, _) => Activity::FallingBack(fiber.site),
        (State::Held, _) => Activity::Held(fiber.site),
        (State::Hedging, _) => Activity::Apart(fiber.site),
        (State::Forked, _) => Activity::Forked,
    })
}
