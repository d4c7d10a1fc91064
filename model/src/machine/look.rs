//! What can be seen of the machines from outside at one moment: for metrics, for people, and for a host that has to open
//! and close real doors. Looking changes nothing.

use squall_policies::SimTime;
use squall_policies::breaker;

use super::fiber::{Kind, State};
use super::key::{Key, Place};
use super::system::System;
use crate::plan::{DatabaseId, EdgeId, Op, ReplicaId};

/// A replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaSeen {
    /// Workers busy.
    pub busy: u32,
    /// Workers there are; `u32::MAX` is unlimited.
    pub workers: u32,
    /// Requests that wait for one.
    pub queued: u32,
    /// The limit of requests at the same time, where one follows latency.
    pub limit: Option<u32>,
    /// Whether it serves: it is up, and warm.
    pub ready: bool,
    /// Whether it takes requests: it serves, or they may wait for it to start, or to stop.
    pub accepts: bool,
    /// Whether it is frozen.
    pub paused: bool,
}

/// A database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatabaseSeen {
    /// Connections there are; `u32::MAX` is unlimited.
    pub connections: u32,
    /// Connections busy.
    pub busy: u32,
    /// Queries that wait for one.
    pub waiting: u32,
}

/// The connections that a caller keeps to a callee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolSeen {
    /// Caller and callee.
    pub edge: EdgeId,
    /// The caller's replica; its first one if they share the pool.
    pub caller: ReplicaId,
    /// Connections at most; `u32::MAX` is unlimited.
    pub connections: u32,
    /// Connections in use.
    pub busy: u32,
    /// Attempts that wait for one.
    pub waiting: u32,
}

/// A circuit breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSeen {
    /// Caller and callee.
    pub edge: EdgeId,
    /// The caller's replica; its first one if they share the breaker.
    pub caller: ReplicaId,
    /// Its state.
    pub state: breaker::State,
    /// Attempts under way.
    pub in_use: u32,
}

impl System<'_> {
    /// A replica as it is now.
    pub fn replica(&self, id: ReplicaId) -> ReplicaSeen {
        let replica = &self.replicas[id.index()];
        ReplicaSeen {
            busy: replica.busy,
            workers: replica.workers,
            queued: replica.queue.len() + self.guards.waiting(id),
            limit: self.guards.limit(id),
            ready: replica.ready,
            accepts: (replica.ready && !replica.starting)
                || replica.draining
                || self.waits_for_start(id)
                || (!self.is_wanted(id) && replica.busy > 0),
            paused: replica.pauses > 0,
        }
    }

    /// A database as it is now.
    pub fn database(&self, id: DatabaseId) -> DatabaseSeen {
        let database = &self.databases[id.index()];
        DatabaseSeen { connections: database.connections, busy: database.busy, waiting: database.queue.len() }
    }

    /// All breakers as they are now.
    pub fn breakers(&self) -> impl Iterator<Item = BreakerSeen> {
        self.links.iter().filter_map(|link| {
            let breaker = link.breaker.as_ref()?;
            Some(BreakerSeen { edge: link.edge, caller: link.caller, state: breaker.state(), in_use: link.in_use })
        })
    }

    /// All pools of calls as they are now.
    pub fn pools(&self) -> impl Iterator<Item = PoolSeen> {
        self.links.iter().filter_map(|link| {
            let pool = link.pool.as_ref()?;
            let (connections, (busy, waiting)) = (pool.settings.connections, pool.in_use());
            Some(PoolSeen { edge: link.edge, caller: link.caller, connections, busy, waiting })
        })
    }

    /// If the timer of this key ends a step of `work`, which is time on the CPU and not time that is waited for: how many
    /// times as long that takes for want of memory, where the machines have not reckoned with it.
    pub fn work_stretched(&self, timer: Key) -> Option<f64> {
        let fiber = &self.fibers[self.fibers.waiting(timer)?];
        // Before its first step a request may be held up, too.
        let begun = fiber.pc != self.plan.endpoints[fiber.endpoint.index()].entry;
        let step = fiber.pc.index().checked_sub(1).map(|pc| self.plan.ops[pc]);
        let works = fiber.state == State::Busy && begun && matches!(step, Some(Op::Work(_)));
        works.then(|| self.garbage(fiber.replica))
    }

    /// The user who made the attempt of this key, and when the request was meant to start; `None` if it was a service's,
    /// or is over.
    pub fn user_of(&self, attempt: Key) -> Option<(u32, SimTime)> {
        let mut index = self.fibers.waiting(attempt)?;
        while self.fibers[index].kind == Kind::Branch {
            index = self.fibers.waiting(self.fibers[index].reply_to)?;
        }
        let fiber = &self.fibers[index];
        (fiber.kind == Kind::User).then_some((index, fiber.arrived))
    }

    /// Who waits for the answer to the request that made the attempt of this key; [`Key::NONE`] if it was a user's own,
    /// or is over.
    pub fn asker(&self, attempt: Key) -> Key {
        let mut key = attempt;
        loop {
            let Some(index) = self.fibers.waiting(key) else { return Key::NONE };
            let fiber = &self.fibers[index];
            match (fiber.kind, fiber.reply_to.place()) {
                (Kind::Branch | Kind::Try, _) => key = fiber.reply_to,
                (_, Place::Host(_)) => return fiber.reply_to,
                _ => return Key::NONE,
            }
        }
    }
}
