//! The line before a replica's workers, where nothing more than a plain queue stands there: first come, first served.
//! A request needs no fiber while it waits, whatever happens meanwhile; nor does a guest who is its user, or a user whose
//! request comes over a network, unless something is the matter with the replica when its turn comes.

use squall_policies::SimTime;

use super::blocks::Blocks;
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
    /// One that has a fiber: a relay or a journey, or a request whose steps are followed.
    Fiber(u32),
    /// A request: when it came, from which attempt, along which call step, and whether it came the short way.
    Request { came: SimTime, from: Key, site: SiteId, segment: u16, express: bool },
}

/// Long queues are most of a run's memory.
const _: () = assert!(size_of::<Waiting>() == 24);

/// All that wait for a replica's workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    waiting: Blocks<Waiting>,
}

impl Line {
    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.waiting.len() as u32
    }

    #[inline(always)]
    pub(super) fn push(&mut self, one: Waiting) {
        self.waiting.push_back(one);
    }

    /// The next, if it is a guest's request along this call: when it came, its ticket, and its segment.
    #[inline(always)]
    pub(super) fn first_guest(&self, along: SiteId) -> Option<(SimTime, Key, SegmentId)> {
        match self.waiting.front()? {
            Waiting::Request { came, from, site, segment, .. } if *site == along && from.guest().is_some() => {
                Some((*came, *from, SegmentId(u32::from(*segment))))
            }
            _ => None,
        }
    }

    /// The next, if it has a fiber.
    #[inline(always)]
    pub(super) fn first_fiber(&self) -> Option<u32> {
        match self.waiting.front()? {
            Waiting::Fiber(index) => Some(*index),
            Waiting::Request { .. } => None,
        }
    }

    /// The next needs to wait no more.
    #[inline(always)]
    pub(super) fn drop_first(&mut self) {
        self.waiting.pop_front();
    }

    /// The fiber of the next before this replica; a request has one from here on.
    #[inline(always)]
    pub(super) fn pop(&mut self, id: ReplicaId, fibers: &mut Fibers, routes: &[Route]) -> Option<u32> {
        match self.waiting.pop_front()? {
            Waiting::Fiber(index) => Some(index),
            Waiting::Request { came, from, site, segment, express } => {
                let (index, fiber) = fibers.uncounted();
                let route = &routes[site.index()];
                enter(fiber, came, route, from, SegmentId(u32::from(segment)));
                fiber.replica = id;
                fiber.express = express;
                fiber.state = State::Queued;
                if route.hop.is_some() && from.guest().is_some() {
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
        let index = replica.queue.pop(id, &mut self.fibers, &self.routes)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Class, Delay, Request};
    use crate::observation::{Observation, Sink};
    use crate::plan::{self, LoadId};
    use crate::{Outcome, spec};

    /// Nothing takes any time on the network, and no timer ever rings.
    struct Still;

    impl Sink for Still {
        fn observe(&mut self, _: SimTime, _: Observation) {}
    }

    impl Host for Still {
        const INSTANT: bool = true;
        fn send(&mut self, _: SimTime, _: Delay, _: Request) {}
        fn reply(&mut self, _: SimTime, _: Delay, _: Key, _: Outcome) {}
        fn cancel(&mut self, _: SimTime, _: Delay, _: Key) {}
        fn pass(&mut self, _: SimTime, _: Delay, _: u32) {}
        fn arm(&mut self, _: SimTime, _: Delay, _: Class, _: Key) {}
    }

    #[test]
    fn whoever_waits_for_a_worker_needs_no_fiber_along_whichever_call_it_came() {
        let table = [
            ("", 0),
            ("timeout: 9s", 1),
            ("timeout: 9s, retry: {attempts: 3}", 1),
            ("timeout: 9s, breaker: {window: 10}", 1),
            ("timeout: 9s, deadline: 10s, bulkhead: 1000", 1),
        ];
        for (call, users) in table {
            let text = format!(
                "{{name: line, duration: 1s, load: [{{name: load, to: a.go, rate: 1/s, {call}}}], \
                 services: {{a: {{workers: 1, endpoints: {{go: {{steps: [{{work: 1h}}, {{work: 1h}}]}}}}}}}}}}"
            );
            let plan = plan::compile(&spec::read(&text, &[], &|_| Err(String::new())).topology.unwrap()).unwrap();
            let mut system = System::new(&plan);
            (0..100).for_each(|_| system.ask(&mut Still, SimTime::ZERO, LoadId(0)));
            assert_eq!(system.census().fibers, 200, "{call}: users and requests");
            assert_eq!(system.replicas[0].queue.len(), 99, "{call}");
            assert_eq!(
                system.fibers.made(),
                100 * users + 1,
                "{call}: users who do more than wait, and the one at work"
            );
        }
    }
}
