//! The line before a replica's workers, where nothing more than a plain queue stands there: first come, first served.
//! A guest's request needs no fiber while it waits, whatever happens meanwhile, nor does one whose users' requests come over
//! a network; nor does its user, unless something is the matter with the replica when its turn comes.

use std::collections::VecDeque;

use squall_policies::SimTime;

use super::express::enter;
use super::fiber::{Fibers, Folded, State};
use super::host::Host;
use super::key::Key;
use super::route::Route;
use super::system::System;
use crate::plan::{ReplicaId, SegmentId, SiteId};

/// One that waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    /// A request that has a fiber.
    Fiber(u32),
    /// A guest's, or a user's who is on a journey.
    Guest { came: SimTime, ticket: Key, site: SiteId, segment: u16 },
}

/// Long queues are most of a run's memory.
const _: () = assert!(size_of::<Waiting>() == 24);

/// By how much something grows that may become long: by as much as it is while it is short, then by a quarter, for what waits
/// in long queues is most of a run's memory.
pub(super) const fn more_places(count: usize) -> usize {
    match count {
        0..64 => 64,
        64..4096 => count,
        _ => count / 4,
    }
}

/// All that wait for a replica's workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
}

impl Line {
    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.waiting.len() as u32
    }

    #[inline(always)]
    pub(super) fn push(&mut self, one: Waiting) {
        if self.waiting.len() == self.waiting.capacity() {
            self.grow();
        }
        self.waiting.push_back(one);
    }

    #[cold]
    fn grow(&mut self) {
        self.waiting.reserve_exact(more_places(self.waiting.len()));
    }

    /// The next, if it is a guest's request along this call: when it came, its ticket, and its segment.
    #[inline(always)]
    pub(super) fn first_guest(&self, along: SiteId) -> Option<(SimTime, Key, SegmentId)> {
        match self.waiting.front()? {
            Waiting::Guest { came, ticket, site, segment } if *site == along => {
                Some((*came, *ticket, SegmentId(u32::from(*segment))))
            }
            _ => None,
        }
    }

    /// The next, if it has a fiber.
    #[inline(always)]
    pub(super) fn first_fiber(&self) -> Option<u32> {
        match self.waiting.front()? {
            Waiting::Fiber(index) => Some(*index),
            Waiting::Guest { .. } => None,
        }
    }

    /// The next needs to wait no more.
    #[inline(always)]
    pub(super) fn drop_first(&mut self) {
        self.waiting.pop_front();
    }

    /// The fiber of the next; a guest's request has one from here on.
    #[inline(always)]
    pub(super) fn pop(&mut self, fibers: &mut Fibers, routes: &[Route]) -> Option<u32> {
        match self.waiting.pop_front()? {
            Waiting::Fiber(index) => Some(index),
            Waiting::Guest { came, ticket, site, segment } => {
                let (index, fiber) = fibers.uncounted();
                let route = &routes[site.index()];
                enter(fiber, came, route, ticket, SegmentId(u32::from(segment)));
                fiber.state = State::Queued;
                if route.hop.is_some() {
                    fiber.set_out_again(index, site);
                }
                Some(index)
            }
        }
    }
}

impl System<'_> {
    /// The fiber of the next that waits for a worker of a replica with a plain queue. If anything is the matter with it,
    /// its user has one as well.
    #[inline(always)]
    pub(super) fn next_in_line(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) -> Option<u32> {
        let replica = &mut self.replicas[id.index()];
        let index = replica.queue.pop(&mut self.fibers, &self.routes)?;
        if replica.disturbed || !replica.ready || self.on_guard {
            if self.fibers[index].folded == Folded::User {
                self.leave_off(host, now, index);
            } else {
                self.register_guest(index);
            }
        }
        Some(index)
    }
}
