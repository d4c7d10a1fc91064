//! Connections that a caller keeps to a callee: an attempt takes one that is idle, opens one, or waits until one is free.
//! An attempt that has waited too long for its answer closes its connection: what it would carry next belongs to
//! somebody who has left.

use std::collections::VecDeque;

use squall_policies::{SimTime, Span};

use super::host::{Delay, Host, Request};
use super::key::Key;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{Pool, ReplicaId};

/// The connections of one link.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) settings: Pool,
    busy: u32,
    idle: u32,
    /// Attempts that wait: who, since when, and how long the network will take; `None` is for ever. Those that have given
    /// up are still here, and their keys are stale.
    waiting: VecDeque<(Key, SimTime, Option<Delay>)>,
    /// How many of them have not given up.
    live: u32,
}

/// What an attempt has of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    Nothing,
    /// It waits.
    Place,
    Connection,
}

impl Connections {
    pub(super) const fn new(settings: Pool) -> Self {
        Self { settings, busy: 0, idle: 0, waiting: VecDeque::new(), live: 0 }
    }

    /// Connections in use, and attempts that wait for one.
    pub(super) const fn in_use(&self) -> (u32, u32) {
        (self.busy, self.live)
    }

    /// Takes a connection, if there may be one; answers whether it has to be opened.
    const fn take(&mut self) -> Option<bool> {
        if self.busy >= self.settings.connections {
            return None;
        }
        self.busy += 1;
        if self.idle == 0 {
            return Some(true);
        }
        self.idle -= 1;
        Some(false)
    }

    const fn give_back(&mut self, kept: bool) {
        self.busy -= 1;
        if kept && self.settings.reuse {
            self.idle += 1;
        }
    }

    fn wait(&mut self, key: Key, now: SimTime, network: Option<Delay>, is_live: impl Fn(Key) -> bool) {
        if self.waiting.len() > 2 * self.live as usize + 64 {
            self.waiting.retain(|(key, ..)| is_live(*key));
        }
        self.waiting.push_back((key, now, network));
        self.live += 1;
    }
}

impl System<'_> {
    /// Whether an attempt finds no connection, and no place to wait for one.
    pub(super) fn pool_is_full(&self, link: u32) -> bool {
        self.links[link]
            .pool
            .as_ref()
            .is_some_and(|pool| pool.busy >= pool.settings.connections && pool.live >= pool.settings.pending)
    }

    /// An attempt is out, as far as its caller is concerned: it takes a connection, or waits for one.
    #[cold]
    #[inline(never)]
    pub(super) fn send_pooled<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        index: u32,
        to: ReplicaId,
        network: Option<Delay>,
    ) -> Step {
        // Its timeout runs from now on.
        let _ = self.send(host, now, index, to, None);
        let (key, link) = (self.fibers[index].key, self.trips[index].link);
        let edge = self.links[link].edge;
        let Some(pool) = &mut self.links[link].pool else { return Step::Rest };
        if let Some(opens) = pool.take() {
            self.holds.set(index, Hold::Connection);
            return self.connected(host, now, index, Waited { since: None, opens, network });
        }
        let fibers = &self.fibers;
        pool.wait(key, now, network, |key| fibers.waiting(key).is_some());
        self.holds.set(index, Hold::Place);
        host.observe(now, Observation::ConnectionWanted { edge });
        Self::tell_pooling(host, now, key);
        Step::Rest
    }

    /// An attempt has its connection, and is sent.
    fn connected<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, waited: Waited) -> Step {
        let fiber = &self.fibers[index];
        let route = self.routes[fiber.site.index()];
        let (key, to, segment) = (fiber.key, fiber.target, fiber.segment());
        let (edge, endpoint) = (route.edge, route.endpoint);
        let (queued, span) = (waited.since.is_some(), waited.since.map_or(Span::ZERO, |since| now - since));
        host.observe(now, Observation::ConnectionTaken { edge, waited: span, opened: waited.opens, queued });
        let mut connect = Span::ZERO;
        if let (true, Some(pool)) = (waited.opens, &self.plan.edges[edge.index()].pool) {
            connect = System::draw(self.plan, pool.connect, &mut self.links.streams[edge.index()].connect).span;
        }
        Self::tell_pooled(host, now, key, now + connect);
        let Some(network) = waited.network else { return Step::Rest };
        self.carry_time_left(index, waited.since.unwrap_or(now), now + connect);
        let request = Request { from: key, edge, to, endpoint, segment };
        let delay = if connect.is_zero() { network } else { Delay::of(network.span + connect) };
        if H::INSTANT && delay.span.is_zero() {
            return Step::Arrive(request);
        }
        host.send(now, delay, request);
        Step::Rest
    }

    /// An attempt is over: its connection, or its place among those that wait, is free. `kept` says that the connection
    /// can be used again.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_pool<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, link: u32, kept: bool) {
        let edge = self.links[link].edge;
        let Some(pool) = &mut self.links[link].pool else { return };
        match self.holds.take(index) {
            Hold::Nothing => return,
            Hold::Place => {
                pool.live -= 1;
                host.observe(now, Observation::ConnectionGivenUp { edge });
                return;
            }
            Hold::Connection => pool.give_back(kept),
        }
        host.observe(now, Observation::ConnectionFreed { edge });
        while let Some(pool) = &mut self.links[link].pool
            && let Some((key, since, network)) = pool.waiting.pop_front()
        {
            let Some(next) = self.fibers.waiting(key) else { continue };
            pool.live -= 1;
            let opens = pool.take().unwrap_or(true);
            self.holds.set(next, Hold::Connection);
            let step = self.connected(host, now, next, Waited { since: Some(since), opens, network });
            self.later.push_back(step);
            break;
        }
    }
}

/// How an attempt came to its connection.
#[derive(Clone, Copy)]
struct Waited {
    /// Since when it waited, if it did.
    since: Option<SimTime>,
    /// Whether the connection has to be opened.
    opens: bool,
    /// How long the network takes.
    network: Option<Delay>,
}

/// What attempts have of pools, by fiber.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Hold>);

impl Holds {
    fn set(&mut self, fiber: u32, hold: Hold) {
        if fiber as usize >= self.0.len() {
            self.0.resize(fiber as usize + 1, Hold::Nothing);
        }
        self.0[fiber as usize] = hold;
    }

    /// Whether an attempt still waits for its connection.
    pub(super) fn is_waiting(&self, fiber: u32) -> bool {
        self.0.get(fiber as usize) == Some(&Hold::Place)
    }

    fn take(&mut self, fiber: u32) -> Hold {
        self.0.get_mut(fiber as usize).map_or(Hold::Nothing, |hold| core::mem::replace(hold, Hold::Nothing))
    }
}
