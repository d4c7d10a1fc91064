//! Trips: calls on their way through their policies. A call goes down through its layers, outside in, as far as they let
//! it; an attempt is sent; and with its outcome the call comes up again through the layers that it has entered, until one
//! sends it down once more or it is over. What a layer decides is in `layer.rs`, how an attempt is sent in `aim.rs`.
//!
//! The state of a trip is beside its fiber's, for calls that have such policies alone.

use squall_policies::breaker::Token;
use squall_policies::budget::Grant;
use squall_policies::{Outcome, SimTime, Span};

use super::aim::Choice;
use super::apart::Apart;
use super::fiber::{ByFiber, Kind, State};
use super::host::{Class, Delay, Host};
use super::key::Key;
use super::layer::{Entered, Leave};
use super::room::Stay;
use super::route::Route;
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

/// One call's way through its policies, or one attempt that goes its way apart: what each of them needs at all times. What
/// comes with a deadline or a failure stands aside of its fiber.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    pub link: u32,
    /// How many layers it has entered.
    pub depth: u8,
    pub held: Held,
    pub place: Place,
    /// The breaker's token, and when it was given. Of a breaker that watches each replica, for the attempt that is out.
    pub token: Option<Token>,
    pub admitted: SimTime,
    pub grant: Grant,
}

const _: () = assert!(size_of::<Trip>() == 32);

impl Trip {
    const NEW: Self = Self {
        link: 0,
        depth: 0,
        held: Held::Room,
        place: Place::None,
        token: None,
        admitted: SimTime::ZERO,
        grant: Grant::FIRST,
    };
}

/// The trips of all fibers, and what only some trips need.
#[derive(Debug, Default)]
pub(super) struct Trips {
    all: ByFiber<Trip>,
    /// Of calls that have several replicas to choose from.
    pub choices: ByFiber<Choice>,
    /// Of calls that have a place in a bulkhead that follows latency.
    pub stays: ByFiber<Stay>,
    /// Of calls that have entered a timeout with other layers inside of it: when the call as a whole must be over.
    pub wholes: ByFiber<SimTime>,
    /// Of calls whose attempts go their way apart.
    pub aparts: ByFiber<Apart>,
}

impl Trips {
    /// A fresh trip for a fiber.
    pub(super) fn begin(&mut self, index: u32, link: u32) {
        self.all.set(index, Trip { link, ..Trip::NEW });
    }
}

impl core::ops::Index<u32> for Trips {
    type Output = Trip;
    fn index(&self, index: u32) -> &Trip {
        &self.all[index]
    }
}

impl core::ops::IndexMut<u32> for Trips {
    fn index_mut(&mut self, index: u32) -> &mut Trip {
        &mut self.all[index]
    }
}

impl System<'_> {
    /// An attempt of a call with policies begins: at the outermost one, or where the retry stands.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_attempt(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if self.fibers[index].attempts == 1 {
            let Route { edge, several, .. } = *self.route(index);
            let link = self.links.index(self.plan, edge, self.fibers[index].replica);
            self.trips.begin(index, link);
            if several {
                let hash = self.links.streams[edge.index()].keys.next_u64();
                self.trips.choices.set(index, Choice { hash, tried: 0 });
            }
            let until = self.time_left_until(index);
            if until != SimTime::NEVER {
                self.fibers.limit(index, self.fibers.deadline(index).min(until));
            }
        }
        if now >= self.fibers.deadline(index) {
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
        if now >= self.fibers.deadline(index) {
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

    /// A call that was held has been woken, or the time has come that it was held for: it goes on, or learns that it may not.
    fn no_longer_held(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let trip = &mut self.trips[index];
        let failure = match (trip.held, trip.place) {
            (Held::Room, Place::Taken) | (Held::Permit, _) => None,
            (Held::Room, place) => {
                if place == Place::Waiting {
                    self.leave_line(index);
                }
                self.trips[index].place = Place::None;
                Some(Failure::BulkheadFull)
            }
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
        let until = due.min(self.fibers.deadline(index));
        self.trips[index].held = held;
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
        let whole = now >= self.whole_deadline(index);
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
                let Trip { link, grant, .. } = self.trips[index];
                if let Some(budget) = &mut self.links[link].budget {
                    budget.release(grant);
                }
            }
            _ => {}
        }
        self.still(index);
    }

    /// What follows a failed attempt that the retry has seen: another, at once or later; or else the failure that is
    /// final.
    fn retried(&mut self, host: &mut impl Host, now: SimTime, index: u32, failure: Failure) -> Result<Step, Failure> {
        let link = self.trips[index].link;
        let fiber = &self.fibers[index];
        let retry = &self.plan.sites[fiber.site.index()].retry;
        if retry.retry_after.ends(self.asked(index)) {
            if let Some(budget) = &mut self.links[link].budget {
                budget.told_off(failure.seen());
            }
            return Err(failure);
        }
        if self.is_overflow(index, failure) || !retry.wants(u32::from(fiber.attempts), failure.seen()) {
            return Err(failure);
        }
        if let Some(budget) = &mut self.links[link].budget {
            let grant = budget.retry(now, failure.seen()).ok_or(Failure::BudgetRefused(failure.seen()))?;
            self.trips[index].grant = grant;
        }
        self.call_aside(index).failure = Some(failure);
        Ok(self.back_off(host, now, index, failure))
    }

    /// How long the callee of the attempt that failed last asked to wait.
    pub(super) fn asked(&self, index: u32) -> Option<Span> {
        self.fibers.kept_aside(index).and_then(|aside| aside.asked)
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
        let wait = wait.min(self.fibers.deadline(index) - now);
        let key = self.ticket(index);
        self.tell_state(host, now, index);
        if wait.is_zero() {
            return Step::Wake(key);
        }
        host.arm(now, Delay::of(wait), Class::Completion, key);
        Step::Rest
    }
}
