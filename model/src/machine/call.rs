//! A call and its attempts: retries, a timeout of each, a deadline, a fallback. Around one attempt, outside in: fallback,
//! deadline, retry, timeout, network; a call with more policies than these goes by way of `trip.rs`.
//!
//! A timeout frees the caller. The callee does not know, and works on.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::{Aside, State};
use super::host::{Class, Delay, Host, Request};
use super::key::{Key, Place};
use super::route::Route;
use super::system::{Step, System, worse};
use crate::observation::{Failure, Observation};
use crate::plan::{Fallback, ReplicaId, SiteId};

impl Failure {
    /// What the retry's conditions and the breaker see.
    pub(super) const fn seen(self) -> Outcome {
        match self {
            // The breaker of somebody further down is none of ours: to us the callee had no room.
            Self::Callee(Outcome::BreakerOpen)
            | Self::BulkheadFull
            | Self::PoolFull
            | Self::NoReplica
            | Self::Throttled => Outcome::Rejected,
            Self::RateLimited => Outcome::RateLimited,
            Self::Callee(outcome) | Self::BudgetRefused(outcome) => outcome,
            Self::BreakerOpen => Outcome::BreakerOpen,
            Self::Deadline => Outcome::Timeout,
        }
    }

    /// How the caller's own request fails of it.
    const fn passed_on(self) -> Outcome {
        match self {
            Self::Callee(Outcome::Error(_)) | Self::BudgetRefused(Outcome::Error(_)) => Outcome::Error(502),
            Self::Callee(outcome) | Self::BudgetRefused(outcome) => outcome,
            _ => self.seen(),
        }
    }
}

impl System<'_> {
    /// Begins a call.
    #[inline(always)]
    pub(super) fn call<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, site: SiteId) -> Step {
        if self.journey(host, now, index, site) {
            return Step::Rest;
        }
        let route = &self.routes[site.index()];
        let fiber = &mut self.fibers[index];
        fiber.site = site;
        fiber.step_began = now;
        fiber.attempts = 0;
        fiber.bare = true;
        fiber.limited = false;
        if route.deadline != Span::MAX {
            self.fibers.limit(index, now + route.deadline);
        }
        self.attempt(host, now, index)
    }

    /// The answer to the attempt under way has come.
    #[inline(always)]
    pub(super) fn attempt_replied(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Step {
        let fiber = &mut self.fibers[index];
        if self.routes[fiber.site.index()].managed {
            return self.trip_replied(host, now, index, outcome);
        }
        let attempt = core::mem::replace(&mut fiber.key, Key::NONE);
        fiber.state = State::Running;
        if outcome.is_success() {
            return self.call_over(host, now, index, outcome, None);
        }
        self.hear_wait(index, attempt);
        self.after_failure(host, now, index, Failure::Callee(outcome))
    }

    /// The attempt under way has taken too long.
    #[cold]
    #[inline(never)]
    pub(super) fn attempt_timed_out(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if self.route(index).managed {
            return self.trip_due(host, now, index);
        }
        self.still(index);
        let late = now >= self.fibers.deadline(index);
        let failure = if late { Failure::Deadline } else { Failure::Callee(Outcome::Timeout) };
        self.after_failure(host, now, index, failure)
    }

    /// The back-off is over.
    #[cold]
    #[inline(never)]
    pub(super) fn backed_off(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if now >= self.fibers.deadline(index) {
            return if self.route(index).managed {
                self.overrun(host, now, index)
            } else {
                self.give_up(host, now, index, Failure::Deadline)
            };
        }
        self.fibers[index].state = State::Running;
        self.attempt(host, now, index)
    }

    /// A fallback is over, or its caller is gone.
    pub(super) fn leave_fallback(&mut self, index: u32) {
        if self.fibers[index].state == State::FallingBack {
            self.fibers[index].state = State::Running;
            let link = self.link_of(index);
            self.links[link].falling_back -= 1;
        }
    }

    /// What the caller's replica knows of the callee of the call under way.
    fn link_of(&self, index: u32) -> u32 {
        self.links.index(self.plan, self.route(index).edge, self.fibers[index].replica)
    }

    /// The fallback has its answer.
    pub(super) fn fell_back(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        self.leave_fallback(index);
        let failure = self.call_aside(index).failure;
        self.call_over(host, now, index, Outcome::Degraded, failure)
    }

    /// What stands aside of the call under way; fresh if nothing did.
    pub(super) fn call_aside(&mut self, index: u32) -> &mut Aside {
        let fresh = core::mem::take(&mut self.fibers[index].bare);
        let aside = self.fibers.aside(index);
        if fresh {
            aside.begin_call();
        }
        aside
    }

    /// The way of the call that a fiber is at.
    pub(super) fn route(&self, index: u32) -> &Route {
        &self.routes[self.fibers[index].site.index()]
    }

    /// Makes one attempt.
    #[inline(always)]
    fn attempt<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Step {
        let fiber = &mut self.fibers[index];
        let site = fiber.site;
        let route = &self.routes[site.index()];
        fiber.attempts += 1;
        fiber.mark = now;
        let (edge, segment, number) = (route.edge, fiber.segment(), fiber.attempts);
        host.observe(now, Observation::Attempt { site, edge, segment, number });
        if route.managed || !route.clear {
            return self.managed_attempt(host, now, index);
        }
        let network = self.links.network(self.plan, edge);
        self.send(host, now, index, route.target, Some(network))
    }

    /// An attempt is out: it goes to the route's target, unless it is lost, and its caller waits.
    #[inline(always)]
    pub(super) fn send<H: Host>(
        &mut self,
        host: &mut H,
        now: SimTime,
        index: u32,
        to: ReplicaId,
        network: Option<Delay>,
    ) -> Step {
        let key = self.tickets.next(Place::Fiber(index));
        let fiber = &mut self.fibers[index];
        let route = &self.routes[fiber.site.index()];
        fiber.key = key;
        fiber.target = to;
        fiber.state = State::Calling;
        let deadline = self.fibers.deadline(index);
        let patience = if deadline == SimTime::NEVER { route.timeout } else { patience(now, route, deadline) };
        let fiber = &mut self.fibers[index];
        if let Some(delay) = patience {
            host.arm(now, delay, Class::Timeout, key);
        }
        let Route { edge, endpoint, .. } = *route;
        let request = Request { from: key, edge, to, endpoint, segment: fiber.segment() };
        self.tell_state(host, now, index);
        let Some(delay) = network else { return Step::Rest };
        if H::INSTANT && delay.span.is_zero() {
            return Step::Arrive(request);
        }
        host.send(now, delay, request);
        Step::Rest
    }

    /// An attempt that has to pass its policies, or faults.
    #[cold]
    #[inline(never)]
    fn managed_attempt<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) -> Step {
        let route = *self.route(index);
        if route.managed {
            return self.begin_attempt(host, now, index);
        }
        let ready = self.replicas[route.target.index()].ready;
        if !ready && self.activate(host, now, self.plan.edges[route.edge.index()].callee).is_none() {
            return self.after_failure(host, now, index, Failure::NoReplica);
        }
        let network = self.links.network(self.plan, route.edge);
        match self.through_faults(host, now, index, route.target, network) {
            Ok(network) => self.send(host, now, index, route.target, network),
            Err(outcome) => self.after_failure(host, now, index, Failure::Callee(outcome)),
        }
    }

    /// What follows a failed attempt: another, at once or later, or the end of the call. Attempts that fail at once and
    /// are made again at once are at most as many as the retry allows, and so is the depth of this.
    #[cold]
    #[inline(never)]
    fn after_failure<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, failure: Failure) -> Step {
        self.tell_failed(host, now, index, failure);
        let asked = self.call_aside(index).asked;
        let fiber = &self.fibers[index];
        let retry = &self.plan.sites[fiber.site.index()].retry;
        if failure == Failure::Deadline
            || retry.retry_after.ends(asked)
            || !retry.wants(u32::from(fiber.attempts), failure.seen())
        {
            return self.give_up(host, now, index, failure);
        }
        self.back_off(host, now, index, failure)
    }

    /// No further attempt: fall back, or fail.
    #[cold]
    #[inline(never)]
    pub(super) fn give_up(&mut self, host: &mut impl Host, now: SimTime, index: u32, failure: Failure) -> Step {
        let fallback = self.plan.sites[self.fibers[index].site.index()].fallback;
        let link = self.link_of(index);
        let stands_in = |fallback: &Fallback| {
            fallback.when.contains(failure.seen()) && self.links[link].falling_back < fallback.limit
        };
        let Some(Fallback { time, .. }) = fallback.filter(stands_in) else {
            return self.call_over(host, now, index, failure.passed_on(), Some(failure));
        };
        let service = self.plan.endpoints[self.fibers[index].endpoint.index()].service;
        let delay = System::draw(self.plan, time, &mut self.services[service.index()].work);
        self.call_aside(index).failure = Some(failure);
        if delay.span.is_zero() {
            return self.fell_back(host, now, index);
        }
        self.fibers[index].state = State::FallingBack;
        self.links[link].falling_back += 1;
        let key = self.ticket(index);
        self.tell_state(host, now, index);
        host.arm(now, delay, Class::Completion, key);
        Step::Rest
    }

    #[inline(always)]
    pub(super) fn call_over(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Step {
        let edge = self.route(index).edge;
        let fiber = &mut self.fibers[index];
        let (segment, attempts, took) = (fiber.segment(), fiber.attempts, now - fiber.step_began);
        if outcome == Outcome::Degraded {
            fiber.outcome = worse(fiber.outcome, outcome);
        }
        host.observe(now, Observation::CallEnded { edge, segment, outcome, failure, attempts, took });
        if outcome.is_success() { Step::Run(index) } else { Step::Finish(index, outcome) }
    }

    /// What the death of a fiber means for the call it has under way: nobody will hear how it ended.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon_call(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        if self.route(index).managed {
            return self.abandon_trip(host, now, index);
        }
        self.still(index);
    }

    /// After a fault or the death or birth of a replica: which ways are clear.
    pub(super) fn clear_routes(&mut self) {
        for route in &mut self.routes {
            let up = self.replicas[route.target.index()].ready;
            route.set_clear(up && !self.links.disturbed[route.edge.index()]);
        }
        self.open_relays();
    }
}

/// How long to wait for an attempt: its timeout, or what is left of the deadline if that is less.
fn patience(now: SimTime, route: &Route, deadline: SimTime) -> Option<Delay> {
    let left = deadline - now;
    route.timeout.filter(|timeout| timeout.span <= left).or(Some(Delay::of(left)))
}
