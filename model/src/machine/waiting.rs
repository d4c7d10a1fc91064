//! Relays that wait: where every service on the way has a worker but the last, a relay waits in that one's line. It is still
//! one fiber, with one timer: for the timeout that would be over first. If that fires the relay is taken apart, and so it is
//! when its turn comes too late for what is left to do.

use squall_policies::{SimTime, Span};

use super::express::tell_queued;
use super::fiber::State;
use super::host::{Class, Host};
use super::key::{Key, Place};
use super::line::Waiting;
use super::relay::Start;
use super::system::{Step, System};
use crate::observation::{Called, Observation};
use crate::plan::SiteId;

impl System<'_> {
    /// A relay goes as far as the last service, and waits there.
    #[inline(never)]
    pub(super) fn line_up<H: Host>(&mut self, host: &mut H, now: SimTime, start: Start) {
        let Start { site, segment, from, first, filled } = start;
        let index = self.fold(now, start);
        let relay = &self.relays[site.index()];
        let [before @ .., last] = &*relay.legs else { return };
        if let Some((endpoint, replica)) = from.user() {
            host.observe(now, Observation::Admitted { endpoint, replica, segment });
        }
        for (at, leg) in before.iter().enumerate() {
            host.called(now, Called { segment, ..*leg });
            if filled >> at & 1 == 1 {
                host.observe(now, Observation::Saturated { replica: leg.replica });
            }
        }
        tell_queued(host, now, Called { segment, ..*last });
        self.wait_at(host, now, (index, site), first);
    }

    /// A relay that goes the same way as another that comes back waits at the end.
    #[inline(always)]
    pub(super) fn wait_at_end<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) {
        let first = self.tickets.next(Place::Fiber(index));
        self.tickets.skip(self.relays[site.index()].legs.len() as u64 - 1);
        self.wait_at(host, now, (index, site), first);
    }

    #[inline(always)]
    fn wait_at<H: Host>(&mut self, host: &mut H, now: SimTime, (index, site): (u32, SiteId), first: Key) {
        let Self { relays, replicas, fibers, .. } = self;
        let relay = &relays[site.index()];
        let [.., last] = &*relay.legs else { return };
        let key = relay.alarm.map_or(first, |(leg, _)| first.later(leg.into())).at(Place::Fiber(index));
        fibers.aside(index).first = first;
        let fiber = &mut fibers[index];
        fiber.key = key;
        fiber.endpoint = last.endpoint;
        fiber.step_began = now;
        fiber.state = State::Queued;
        fiber.waited = true;
        replicas[last.replica.index()].queue.push(Waiting::Fiber(index));
        if let Some((_, timeout)) = relay.alarm {
            host.arm(now, timeout, Class::Timeout, key);
        }
    }

    /// A relay or a journey that waits is in time no more: the timeout that fires is armed again, for who waits for the answer.
    #[cold]
    #[inline(never)]
    pub(super) fn wait_no_longer<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) {
        if self.relays[self.fibers[index].site.index()].travels {
            self.leave_off(host, now, index);
        } else {
            self.take_apart(host, now, index, false);
        }
    }

    /// A relay that has waited has a worker at its end.
    #[inline(always)]
    pub(super) fn get_to_work<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Step {
        let Self { fibers, relays, databases, .. } = self;
        let fiber = &mut fibers[index];
        let site = fiber.site;
        let relay = &relays[site.index()];
        if !relay.may_end_at(relay.legs.len() - 1, databases) {
            self.take_apart(host, now, index, false);
            return Step::Serve(index);
        }
        if let Some(database) = relay.database {
            databases[database.index()].busy += 1;
            let segment = fiber.segment();
            host.observe(now, Observation::QueryStarted { database, segment, waited: Span::ZERO, queued: false });
        }
        self.begin_end(host, now, index, site);
        Step::Rest
    }
}
