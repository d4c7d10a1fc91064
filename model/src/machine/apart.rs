//! Attempts that go their way apart from their call: several at once, because a slow one is hedged; or one that outlives
//! its call, because a timeout further out frees the caller alone, and whatever the attempt holds stays taken until its
//! answer comes.
//!
//! Each is a fiber of its own. Those of a call are linked through their fibers.

use squall_policies::budget::Grant;
use squall_policies::hedge::HedgeStep;
use squall_policies::{Outcome, SimTime};

use super::fiber::{Fiber, Kind, NIL, State};
use super::host::{Class, Delay, Host};
use super::key::Key;
use super::layer::Leave;
use super::system::{Step, System};
use super::trip::Place;
use crate::observation::{Failure, Observation};
use crate::plan::Layer;

/// So many were sent that no more will be.
const ENOUGH: u32 = u32::MAX;

/// The attempts of one call that go their way apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart {
    /// The first of those that are out, and how many there are.
    first: u32,
    out: u32,
    /// How many were sent, and when the last was.
    sent: u32,
    last_sent: SimTime,
    /// When the call is to be woken next.
    due: SimTime,
}

impl Apart {
    const NONE: Self = Self { first: NIL, out: 0, sent: 0, last_sent: SimTime::ZERO, due: SimTime::NEVER };
}

impl System<'_> {
    /// The first attempt of a call whose attempts go apart.
    pub(super) fn launch_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        self.ticket(index);
        self.fibers[index].state = State::Hedging;
        self.tell_state(host, now, index);
        self.trips.aparts.set(index, Apart::NONE);
        self.send_apart(host, now, index, Grant::FIRST)
    }

    /// Sends one more attempt, which the budget of hedges has granted, and as many as are due at once after it.
    fn send_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32, mut grant: Grant) -> Step {
        loop {
            let failed = self.send_one_apart(host, now, index, grant);
            let due = match failed {
                None => self.next_hedge(index) <= now,
                Some(failure) => match self.what_follows(index, failure.seen()) {
                    HedgeStep::Launch => true,
                    HedgeStep::Wait => false,
                    HedgeStep::Finish => return self.end_apart(host, now, index, Outcome::Ok, failed),
                },
            };
            let Some(next) = (if due { self.may_hedge(now, index) } else { None }) else {
                if self.trips.aparts[index].out == 0 {
                    return self.end_apart(host, now, index, Outcome::Ok, failed);
                }
                self.arm_apart(host, now, index);
                return Step::Rest;
            };
            grant = next;
        }
    }

    /// Sends one attempt, unless it fails before that.
    fn send_one_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32, grant: Grant) -> Option<Failure> {
        let child = self.fiber_apart(now, index);
        self.trips[child].grant = grant;
        if let Some(budget) = &mut self.links[self.trips[child].link].hedge_budget {
            budget.start(now, grant);
        }
        self.tell_began(host, now, child);
        let apart = &mut self.trips.aparts[index];
        apart.sent += 1;
        apart.last_sent = now;
        if apart.sent > 1 {
            let (edge, segment) = (self.route(index).edge, self.fibers[index].segment());
            host.observe(now, Observation::Hedged { edge, segment });
        }
        let aimed = self.aim(host, now, child);
        self.trips.choices.copy(child, index);
        match aimed {
            Err(failure) => {
                self.tell_hedge_budget(now, child, Some(failure.seen()));
                Self::tell_ended(host, now, child, failure.seen());
                self.fibers.release(child);
                Some(failure)
            }
            Ok((target, network)) => {
                let apart = &mut self.trips.aparts[index];
                self.fibers[child].next = core::mem::replace(&mut apart.first, child);
                apart.out += 1;
                let step = self.dispatch(host, now, child, target, network);
                if step != Step::Rest {
                    self.later.push_back(step);
                }
                None
            }
        }
    }

    fn fiber_apart(&mut self, now: SimTime, index: u32) -> u32 {
        let child = self.fibers.alloc();
        let parent = &self.fibers[index];
        let fiber = Fiber {
            reply_to: parent.key,
            arrived: parent.arrived,
            started: parent.started,
            mark: now,
            replica: parent.replica,
            endpoint: parent.endpoint,
            segment: parent.segment,
            site: parent.site,
            pc: parent.pc,
            attempts: parent.attempts,
            kind: Kind::Try,
            state: State::Running,
            bare: true,
            ..Fiber::FREE
        };
        self.fibers[child] = fiber;
        self.trips.begin(child, self.trips[index].link);
        self.trips.choices.copy(index, child);
        child
    }

    /// When the next attempt is due while none has answered.
    fn next_hedge(&self, index: u32) -> SimTime {
        let apart = &self.trips.aparts[index];
        let hedge = &self.plan.sites[self.fibers[index].site.index()].hedge;
        hedge.and_then(|hedge| hedge.next_at(apart.sent, apart.last_sent)).unwrap_or(SimTime::NEVER)
    }

    fn what_follows(&self, index: u32, outcome: Outcome) -> HedgeStep {
        let apart = &self.trips.aparts[index];
        let hedge = &self.plan.sites[self.fibers[index].site.index()].hedge;
        hedge.map_or(HedgeStep::Finish, |hedge| hedge.on_end(outcome, apart.sent, apart.out))
    }

    /// Whether the budget of hedges lets one more go, and with which grant.
    fn may_hedge(&mut self, now: SimTime, index: u32) -> Option<Grant> {
        let budget = self.links[self.trips[index].link].hedge_budget.as_mut();
        let granted = budget.map_or(Some(Grant::FIRST), |budget| budget.retry(now, Outcome::Timeout));
        if granted.is_none() {
            self.trips.aparts[index].sent = ENOUGH;
        }
        granted
    }

    /// The budget of hedges hears how an attempt ended; or that nobody will know.
    fn tell_hedge_budget(&mut self, now: SimTime, child: u32, outcome: Option<Outcome>) {
        let trip = self.trips[child];
        match (&mut self.links[trip.link].hedge_budget, outcome) {
            (Some(budget), Some(outcome)) => budget.record(now, outcome, trip.grant),
            (Some(budget), None) => budget.cancel(trip.grant),
            (None, _) => {}
        }
    }

    /// Sees to it that the call is woken for its next attempt, or when its time is up.
    fn arm_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let (hedge, deadline) = (self.next_hedge(index), self.fibers.deadline(index));
        let until = hedge.min(deadline);
        self.trips.aparts[index].due = until;
        if until != SimTime::NEVER {
            let class = if hedge < deadline { Class::Completion } else { Class::Timeout };
            host.arm(now, Delay::of(until - now), class, self.fibers[index].key);
        }
    }

    /// It may be time for another attempt.
    pub(super) fn hedge_due(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if now < self.trips.aparts[index].due {
            // An earlier timer of the same key.
            return Step::Rest;
        }
        if now >= self.next_hedge(index)
            && let Some(grant) = self.may_hedge(now, index)
        {
            return self.send_apart(host, now, index, grant);
        }
        self.arm_apart(host, now, index);
        Step::Rest
    }

    /// An attempt that went its way apart has ended; nobody may be left who waits for it.
    pub(super) fn apart_ended(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        child: u32,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Step {
        self.leave_room(host, now, child, Leave::Ended(outcome, failure));
        self.tell_hedge_budget(now, child, Some(failure.map_or(outcome, Failure::seen)));
        let parent = self.fibers.waiting(self.fibers[child].reply_to);
        if let Some(index) = parent {
            self.unlink(index, child);
            let asked = self.asked(child);
            if asked != self.asked(index) {
                self.call_aside(index).asked = asked;
            }
        }
        Self::tell_ended(host, now, child, failure.map_or(outcome, Failure::seen));
        self.fibers.release(child);
        let Some(index) = parent else { return Step::Rest };
        let Some(failed) = failure else { return self.end_apart(host, now, index, outcome, None) };
        let follows = self.what_follows(index, failed.seen());
        if follows == HedgeStep::Launch
            && let Some(grant) = self.may_hedge(now, index)
        {
            return self.send_apart(host, now, index, grant);
        }
        match follows {
            HedgeStep::Finish => self.end_apart(host, now, index, outcome, failure),
            _ if self.trips.aparts[index].out == 0 => self.end_apart(host, now, index, outcome, failure),
            _ => Step::Rest,
        }
    }

    /// The call has its outcome: attempts that are still out are given up.
    fn end_apart(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Step {
        self.stop_apart(host, now, index, Leave::Abandoned);
        self.still(index);
        self.ascend(host, now, index, outcome, failure)
    }

    /// Gives up the attempts that are out, but for one that keeps the call's place in the bulkhead until its answer comes.
    pub(super) fn stop_apart(&mut self, host: &mut impl Host, now: SimTime, index: u32, how: Leave) {
        let (edge, segment) = (self.route(index).edge, self.fibers[index].segment());
        let apart = &mut self.trips.aparts[index];
        let mut child = core::mem::replace(&mut apart.first, NIL);
        apart.out = 0;
        if how == Leave::Overrun && child != NIL && self.outlives(index) {
            child = self.leave_behind(index, child);
        }
        while child != NIL {
            let next = core::mem::replace(&mut self.fibers[child].next, NIL);
            self.cancel_attempt(host, now, child);
            self.tell_hedge_budget(now, child, (how == Leave::Overrun).then_some(Outcome::Timeout));
            if how == Leave::Overrun {
                self.landed(host, now, child, Outcome::Timeout);
            } else {
                self.lost(host, now, child);
            }
            host.observe(now, Observation::AttemptCancelled { edge, segment });
            Self::tell_ended(host, now, child, Outcome::Cancelled);
            self.fibers.release(child);
            child = next;
        }
    }

    /// Whether an attempt of this call keeps its place when the call's time is up: a timeout outside of the bulkhead frees
    /// the caller alone, unless the callee is told.
    fn outlives(&self, index: u32) -> bool {
        let layers = self.layers(index);
        let timeout = layers.depth_of(Layer::Timeout);
        let outside = timeout.is_some() && timeout < layers.depth_of(Layer::Bulkhead);
        outside && self.trips[index].place == Place::Taken && !self.plan.edges[self.route(index).edge.index()].cancels
    }

    /// The last attempt goes on by itself, with the call's place in the bulkhead. Answers the next one.
    fn leave_behind(&mut self, index: u32, child: u32) -> u32 {
        self.trips[child].place = core::mem::replace(&mut self.trips[index].place, Place::None);
        self.trips.stays.copy(index, child);
        let fiber = &mut self.fibers[child];
        fiber.reply_to = Key::NONE;
        core::mem::replace(&mut fiber.next, NIL)
    }

    /// Takes an attempt out of those of its call.
    fn unlink(&mut self, index: u32, child: u32) {
        let next = core::mem::replace(&mut self.fibers[child].next, NIL);
        let apart = &mut self.trips.aparts[index];
        apart.out -= 1;
        if apart.first == child {
            apart.first = next;
            return;
        }
        let mut at = apart.first;
        while self.fibers[at].next != child {
            at = self.fibers[at].next;
        }
        self.fibers[at].next = next;
    }
}
