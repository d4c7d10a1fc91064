//! Trips: calls on their way through their policies. A call goes down through its layers, outside in, as far as they let
//! it; an attempt is sent; and with its outcome the call comes up again through the layers that it has entered, until one
//! sends it down once more or it is over. What a layer decides is in `layer.rs`, how an attempt is sent in `aim.rs`.
//!
//! The state of a trip is beside its fiber's, for calls that have such policies alone.

use squall_policies::breaker::Token;
use squall_policies::budget::Grant;
use squall_policies::{Outcome, SimTime};

use super::fiber::{Kind, NIL, State};
use super::host::{Class, Delay, Host};
use super::key::Key;
use super::layer::{Entered, Leave};
use super::system::{Step, System};
use crate::observation::{Failure, Observation};
use crate::plan::{Bulkhead, Layer, Layers};
use crate::rng::Random as _;

/// Whether a call has a place in the bulkhead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    None,
    Waiting,
    Taken,
    /// It waited, and is turned away.
    Refused,
}

/// What a call that is held waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// A place in the bulkhead.
    Room,
    /// The time of its permit.
    Permit,
    /// The time at which it is to ask again.
    Again,
    /// The time at which it learns that there is no permit for it.
    Refusal,
}

/// One call's way through its policies, or one attempt that goes its way apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    pub link: u32,
    /// How many layers it has entered.
    pub depth: u8,
    pub held: Held,
    pub place: Place,
    /// The breaker's token, and when it was given.
    pub token: Option<Token>,
    pub admitted: SimTime,
    /// The token of a breaker that watches each replica, for the attempt that is out.
    pub at_replica: Option<Token>,
    pub grant: Grant,
    /// How the attempt before ended.
    pub failed_before: Option<Outcome>,
    /// When it took its place in the bulkhead, and how many had one then.
    pub entered: SimTime,
    pub in_flight: u32,
    /// When the call as a whole must be over.
    pub deadline: SimTime,
    /// What it is held for is due then.
    pub due: SimTime,
    /// The same for all its attempts.
    pub hash: u64,
    /// The replicas it has tried, a bit each.
    pub tried: u64,
    /// Attempts that go their way apart: the first of them, how many are out, how many were sent, and when the last was.
    pub first_apart: u32,
    pub apart: u32,
    pub sent: u32,
    pub last_sent: SimTime,
}

impl Trip {
    const NEW: Self = Self {
        link: 0,
        depth: 0,
        held: Held::Room,
        place: Place::None,
        token: None,
        admitted: SimTime::ZERO,
        at_replica: None,
        grant: Grant::FIRST,
        failed_before: None,
        entered: SimTime::ZERO,
        in_flight: 0,
        deadline: SimTime::NEVER,
        due: SimTime::NEVER,
        hash: 0,
        tried: 0,
        first_apart: NIL,
        apart: 0,
        sent: 0,
        last_sent: SimTime::ZERO,
    };
}

/// The trips of all fibers, by fiber; grown as far as one was needed.
#[derive(Debug, Default)]
pub(super) struct Trips(Vec<Trip>);

impl Trips {
    /// A fresh trip for a fiber.
    pub(super) fn begin(&mut self, index: u32, link: u32) -> &mut Trip {
        let index = index as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, Trip::NEW);
        }
        self.0[index] = Trip { link, ..Trip::NEW };
        &mut self.0[index]
    }
}

impl core::ops::Index<u32> for Trips {
    type Output = Trip;
    fn index(&self, index: u32) -> &Trip {
        &self.0[index as usize]
    }
}

impl core::ops::IndexMut<u32> for Trips {
    fn index_mut(&mut self, index: u32) -> &mut Trip {
        &mut self.0[index as usize]
    }
}

impl System<'_> {
    /// An attempt of a call with policies begins: at the outermost one, or where the retry stands.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_attempt(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if self.fibers[index].attempts == 1 {
            let (edge, caller) = (self.route(index).edge, self.fibers[index].replica);
            let link = self.links.index(self.plan, edge, caller);
            let hash = self.links.streams[edge.index()].keys.next_u64();
            let until = self.time_left_until(index);
            let aside = self.fibers.aside(index);
            aside.deadline = aside.deadline.min(until);
            let trip = self.trips.begin(index, link);
            trip.hash = hash;
            trip.deadline = aside.deadline;
        }
        if now >= self.fibers.aside(index).deadline {
            return self.overrun(host, now, index);
        }
        self.descend(host, now, index)
    }

    /// The layers of the call that a fiber is at.
    pub(super) fn layers(&self, index: u32) -> &Layers {
        &self.plan.sites[self.fibers[index].site.index()].layers
    }

    /// Goes down through the layers that are still to be entered, and sends the attempt.
    pub(super) fn descend(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        loop {
            let Some(layer) = self.layers(index).at(self.trips[index].depth) else {
                return self.launch(host, now, index);
            };
            self.trips[index].depth += 1;
            match self.enter(host, now, index, layer) {
                Entered::Yes => {}
                Entered::Held => return Step::Rest,
                Entered::No(failure) => {
                    self.trips[index].depth -= 1;
                    return self.ascend(host, now, index, Outcome::Ok, Some(failure));
                }
            }
        }
    }

    /// Comes up through the layers that were entered, with an outcome or a failure, until one of them sends the call down
    /// again or it is over.
    pub(super) fn ascend(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
        mut failure: Option<Failure>,
    ) -> Step {
        if let Some(failure) = failure {
            self.tell_failed(host, now, index, failure);
        }
        while self.trips[index].depth > 0 {
            self.trips[index].depth -= 1;
            let depth = self.trips[index].depth;
            let Some(layer) = self.layers(index).at(depth) else { continue };
            self.leave(host, now, index, layer, Leave::Ended(outcome, failure));
            if let (Layer::Retry, Some(failed)) = (layer, failure) {
                match self.retried(host, now, index, failed) {
                    Ok(step) => return step,
                    Err(final_failure) => failure = Some(final_failure),
                }
            }
        }
        match failure {
            None => self.call_over(host, now, index, outcome, None),
            Some(failure) => self.give_up(host, now, index, failure),
        }
    }

    /// The answer to an attempt of a call with policies has come.
    #[cold]
    #[inline(never)]
    pub(super) fn trip_replied(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Step {
        if !outcome.is_success() {
            self.hear_wait(index, self.fibers[index].key);
        }
        self.landed(host, now, index, outcome);
        let failure = (!outcome.is_success()).then_some(Failure::Callee(outcome));
        self.attempt_ended(host, now, index, outcome, failure)
    }

    /// An attempt has ended, whichever way.
    pub(super) fn attempt_ended(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Step {
        if self.fibers[index].kind == Kind::Try {
            return self.apart_ended(host, now, index, outcome, failure);
        }
        self.ascend(host, now, index, outcome, failure)
    }

    /// The timer of a call with policies has fired: while its attempt is out, while it is held, or while several attempts
    /// are out.
    #[cold]
    #[inline(never)]
    pub(super) fn trip_due(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if now >= self.fibers.aside(index).deadline {
            return self.overrun(host, now, index);
        }
        match self.fibers[index].state {
            State::Calling => {
                self.cancel_attempt(host, now, index);
                self.landed(host, now, index, Outcome::Timeout);
                self.attempt_ended(host, now, index, Outcome::Ok, Some(Failure::Callee(Outcome::Timeout)))
            }
            State::Held => self.no_longer_held(host, now, index),
            _ => self.hedge_due(host, now, index),
        }
    }

    /// A call that was held goes on, or learns that it may not.
    fn no_longer_held(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let trip = &mut self.trips[index];
        let waits = trip.held != Held::Room || trip.place == Place::Waiting;
        if waits && now < trip.due {
            return Step::Rest;
        }
        let failure = match (trip.held, trip.place) {
            (Held::Room, Place::Taken) => {
                trip.entered = now;
                None
            }
            (Held::Room, place) => {
                if place == Place::Waiting {
                    self.leave_line(index);
                }
                self.trips[index].place = Place::None;
                Some(Failure::BulkheadFull)
            }
            (Held::Permit, _) => None,
            (Held::Again, _) => {
                trip.depth -= 1;
                None
            }
            (Held::Refusal, _) => Some(Failure::RateLimited),
        };
        self.still(index);
        let Some(failure) = failure else { return self.descend(host, now, index) };
        self.trips[index].depth -= 1;
        self.ascend(host, now, index, Outcome::Ok, Some(failure))
    }

    /// Holds a call until `due`, or until somebody wakes it.
    pub(super) fn hold_call(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        held: Held,
        due: SimTime,
    ) -> Key {
        let key = self.ticket(index);
        self.fibers[index].state = State::Held;
        let until = due.min(self.fibers.aside(index).deadline);
        let trip = &mut self.trips[index];
        (trip.held, trip.due) = (held, due);
        if until != SimTime::NEVER {
            let class = if held == Held::Room { Class::Timeout } else { Class::Completion };
            host.arm(now, Delay::of(until - now), class, key);
        }
        self.tell_state(host, now, index);
        key
    }

    /// A fiber no longer waits for anything.
    pub(super) fn still(&mut self, index: u32) {
        let fiber = &mut self.fibers[index];
        fiber.key = Key::NONE;
        fiber.state = State::Running;
    }

    /// The time of a call is up, whatever it is doing: by its deadline, or by a timeout that stands outside of what it
    /// does.
    pub(super) fn overrun(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let whole = now >= self.trips[index].deadline;
        let timeout = self.layers(index).depth_of(Layer::Timeout).unwrap_or(0);
        let depth = if whole { 0 } else { timeout };
        self.stop(host, now, index, Leave::Overrun);
        self.come_up_to(host, now, index, depth, Leave::Overrun);
        if whole {
            self.tell_failed(host, now, index, Failure::Deadline);
            return self.give_up(host, now, index, Failure::Deadline);
        }
        self.ascend(host, now, index, Outcome::Ok, Some(Failure::Callee(Outcome::Timeout)))
    }

    /// Nobody will hear any more how a call ends: its caller is gone.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon_trip(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        self.stop(host, now, index, Leave::Abandoned);
        if self.fibers[index].kind == Kind::Try {
            self.leave_room(host, now, index, Leave::Abandoned);
            return;
        }
        self.come_up_to(host, now, index, 0, Leave::Abandoned);
    }

    /// Leaves the layers that were entered below this depth.
    fn come_up_to(&mut self, host: &mut impl Host, now: SimTime, index: u32, depth: u8, how: Leave) {
        while self.trips[index].depth > depth {
            self.trips[index].depth -= 1;
            if let Some(layer) = self.layers(index).at(self.trips[index].depth) {
                self.leave(host, now, index, layer, how);
            }
        }
    }

    /// Stops whatever a call waits for.
    fn stop(&mut self, host: &mut impl Host, now: SimTime, index: u32, how: Leave) {
        match self.fibers[index].state {
            State::Calling => {
                self.cancel_attempt(host, now, index);
                match how {
                    Leave::Overrun => self.landed(host, now, index, Outcome::Timeout),
                    _ => self.lost(host, now, index),
                }
            }
            State::Held => {
                if self.trips[index].place == Place::Waiting {
                    self.leave_line(index);
                }
                if self.trips[index].place != Place::Taken {
                    self.trips[index].place = Place::None;
                }
            }
            State::Hedging => self.stop_apart(host, now, index, how),
            State::BackingOff => {
                let trip = self.trips[index];
                if let Some(budget) = &mut self.links[trip.link].budget {
                    budget.release(trip.grant);
                }
            }
            _ => {}
        }
        self.still(index);
    }

    /// What follows a failed attempt that the retry has seen: another, at once or later; or else the failure that is
    /// final.
    fn retried(&mut self, host: &mut impl Host, now: SimTime, index: u32, failure: Failure) -> Result<Step, Failure> {
        let (fiber, trip) = (&self.fibers[index], self.trips[index]);
        let retry = &self.plan.sites[fiber.site.index()].retry;
        if retry.retry_after.ends(self.fibers.aside(index).asked) {
            if let Some(budget) = &mut self.links[trip.link].budget {
                budget.told_off(failure.seen());
            }
            return Err(failure);
        }
        let fiber = &self.fibers[index];
        if self.is_overflow(index, failure) || !retry.wants(u32::from(fiber.attempts), failure.seen()) {
            return Err(failure);
        }
        if let Some(budget) = &mut self.links[trip.link].budget {
            let grant = budget.retry(now, failure.seen()).ok_or(Failure::BudgetRefused(failure.seen()))?;
            self.trips[index].grant = grant;
        }
        self.trips[index].failed_before = Some(failure.seen());
        Ok(self.back_off(host, now, index, failure))
    }

    /// Whether Envoy's own limits turned the attempt away: it never tries that again, whatever it tries again.
    fn is_overflow(&self, index: u32, failure: Failure) -> bool {
        let edge = &self.plan.edges[self.route(index).edge.index()];
        failure == Failure::BulkheadFull && matches!(edge.bulkhead, Some(Bulkhead::Envoy(_)))
    }

    /// Tells of an attempt that failed, and waits before the next.
    pub(super) fn back_off(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Failure) -> Step {
        let edge = self.route(index).edge;
        let fiber = &mut self.fibers[index];
        let (retry, segment) = (&self.plan.sites[fiber.site.index()].retry, fiber.segment());
        let attempts = u32::from(fiber.attempts);
        fiber.state = State::BackingOff;
        host.observe(now, Observation::AttemptFailed { edge, segment, outcome });
        let random = &mut self.links.streams[edge.index()].backoff;
        let aside = self.fibers.aside(index);
        let wait = match aside.asked.take() {
            Some(asked) => retry.wait_asked(attempts, outcome.seen(), asked, &mut aside.backoff, random),
            None => retry.wait(attempts, outcome.seen(), &mut aside.backoff, random),
        };
        let wait = wait.min(aside.deadline - now);
        let key = self.ticket(index);
        self.tell_state(host, now, index);
        if wait.is_zero() {
            return Step::Wake(key);
        }
        host.arm(now, Delay::of(wait), Class::Completion, key);
        Step::Rest
    }
}
