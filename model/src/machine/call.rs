//! A call and its attempts. Around one attempt, outside in: fallback, deadline, retry, breaker, bulkhead, timeout,
//! balancer, network.
//!
//! A timeout frees the caller. The callee does not know, and works on.

use squall_policies::breaker::{Admission, Breaker, Transition};
use squall_policies::{Outcome, SimTime, Span};

use super::fault::{EdgeFault, Hop};
use super::fiber::{Aside, State};
use super::host::{Class, Delay, Host, Request};
use super::key::{Key, Place};
use super::route::Route;
use super::system::{Step, System, worse};
use crate::observation::{Failure, Observation};
use crate::plan::{ReplicaId, SiteId};

impl Failure {
    /// What the retry's conditions and the breaker see.
    const fn seen(self) -> Outcome {
        match self {
            // The breaker of somebody further down is none of ours: to us the callee had no room.
            Self::Callee(Outcome::BreakerOpen) | Self::BulkheadFull | Self::PoolFull | Self::NoReplica => {
                Outcome::Rejected
            }
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
        let route = &self.routes[site.index()];
        let fiber = &mut self.fibers[index];
        fiber.site = site;
        fiber.step_began = now;
        fiber.attempts = 0;
        fiber.bare = route.deadline == Span::MAX && !route.managed;
        if !fiber.bare {
            let deadline = if route.deadline == Span::MAX { SimTime::NEVER } else { now + route.deadline };
            self.fibers.aside(index).begin_call(deadline);
        }
        self.attempt(host, now, index)
    }

    /// The answer to the attempt under way has come.
    #[inline(always)]
    pub(super) fn attempt_replied(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) -> Step {
        self.attempt_over(host, now, index, outcome);
        if outcome.is_success() {
            return self.call_over(host, now, index, outcome, None);
        }
        self.after_failure(host, now, index, Failure::Callee(outcome))
    }

    /// The attempt under way has taken too long.
    #[cold]
    #[inline(never)]
    pub(super) fn attempt_timed_out(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        self.attempt_over(host, now, index, Outcome::Timeout);
        let late = now >= self.deadline(index);
        let failure = if late { Failure::Deadline } else { Failure::Callee(Outcome::Timeout) };
        self.after_failure(host, now, index, failure)
    }

    /// The back-off is over.
    #[cold]
    #[inline(never)]
    pub(super) fn backed_off(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        if now >= self.deadline(index) {
            return self.give_up(host, now, index, Failure::Deadline);
        }
        self.attempt(host, now, index)
    }

    /// The fallback has its answer.
    pub(super) fn fell_back(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let failure = self.call_aside(index).failure;
        self.call_over(host, now, index, Outcome::Degraded, failure)
    }

    /// When all attempts of the call under way must be over.
    fn deadline(&mut self, index: u32) -> SimTime {
        self.call_aside(index).deadline
    }

    /// What stands aside of the call under way; fresh if its first attempt went out without.
    fn call_aside(&mut self, index: u32) -> &mut Aside {
        let fresh = core::mem::take(&mut self.fibers[index].bare);
        let aside = self.fibers.aside(index);
        if fresh {
            aside.begin_call(SimTime::NEVER);
        }
        aside
    }

    /// The way of the call that a fiber is at.
    fn route(&self, index: u32) -> &Route {
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
        let deadline = if fiber.bare { SimTime::NEVER } else { self.fibers.aside(index).deadline };
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
        match self.clear(host, now, index, *self.route(index)) {
            Ok((target, network)) if self.plan.edges[self.route(index).edge.index()].pool.is_some() => {
                self.send_pooled(host, now, index, target, network)
            }
            Ok((target, network)) => self.send(host, now, index, target, network),
            Err(failure) => self.after_failure(host, now, index, failure),
        }
    }

    /// Takes an attempt past its policies and faults: where it goes, and how long that takes if it gets there at all; or
    /// how it has failed before it was sent.
    fn clear(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        route: Route,
    ) -> Result<(ReplicaId, Option<Delay>), Failure> {
        let (plan, edge) = (self.plan, route.edge);
        let link = self.links.index(plan, edge, self.fibers[index].replica);
        if self.links[link].budget.is_some() {
            let grant = self.call_aside(index).grant;
            if let Some(budget) = &mut self.links[link].budget {
                budget.start(now, grant);
            }
        }
        self.call_aside(index).token = None;
        if self.links[link].breaker.is_some() {
            self.pass_breaker(host, now, index, link)?;
        }
        if self.links[link].in_use >= plan.edges[edge.index()].bulkhead {
            return Err(self.refuse(host, now, index, link, Failure::BulkheadFull));
        }
        let picked = self.links.pick(plan, now, link, &self.replicas);
        let Some(target) = picked.or_else(|| self.activate(host, now, plan.edges[edge.index()].callee)) else {
            return Err(self.refuse(host, now, index, link, Failure::NoReplica));
        };
        if self.pool_is_full(link) {
            return Err(self.refuse(host, now, index, link, Failure::PoolFull));
        }
        let mut network = Some(self.links.network(plan, edge));
        if self.links.disturbed[edge.index()] {
            let hop = Hop { edge, endpoint: route.endpoint, caller: self.fibers[index].replica, target };
            match self.disturb_edge(host, now, hop, network.unwrap_or(Delay::NONE)) {
                EdgeFault::Passes(delay) => network = Some(delay),
                EdgeFault::Lost => network = None,
                EdgeFault::Fails(outcome) => {
                    return Err(self.refuse(host, now, index, link, Failure::Callee(outcome)));
                }
            }
        }
        if route.managed {
            self.links.count(plan, link, target, true);
        }
        Ok((target, network))
    }

    /// Asks the breaker; keeps its token.
    fn pass_breaker(&mut self, host: &mut impl Host, now: SimTime, index: u32, link: u32) -> Result<(), Failure> {
        let (state, streams) = self.links.with_streams(link);
        let Some(breaker) = &mut state.breaker else { return Ok(()) };
        let (admission, transition) = breaker.admit(now, &mut streams.policies);
        self.breaker_changed(host, now, link, transition);
        match admission {
            Admission::Pass(token) => {
                self.call_aside(index).token = Some(token);
                Ok(())
            }
            Admission::Reject => Err(Failure::BreakerOpen),
        }
    }

    /// An attempt that the breaker let pass ends before it was sent.
    fn refuse(&mut self, host: &mut impl Host, now: SimTime, index: u32, link: u32, failure: Failure) -> Failure {
        self.tell_policies(host, now, index, link, failure.seen());
        failure
    }

    /// An attempt that was out is over: its place in the bulkhead is free, and the policies learn how it ended.
    #[inline(always)]
    fn attempt_over(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let fiber = &mut self.fibers[index];
        fiber.key = Key::NONE;
        fiber.state = State::Running;
        if self.routes[fiber.site.index()].managed {
            self.managed_attempt_over(host, now, index, outcome);
        }
    }

    #[cold]
    #[inline(never)]
    fn managed_attempt_over(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let (caller, target) = (self.fibers[index].replica, self.fibers[index].target);
        let edge = self.route(index).edge;
        let link = self.links.index(self.plan, edge, caller);
        self.links.count(self.plan, link, target, false);
        if self.links[link].pool.is_some() {
            self.leave_pool(host, now, index, edge, outcome != Outcome::Timeout);
        }
        self.tell_policies(host, now, index, link, outcome);
    }

    #[cold]
    #[inline(never)]
    fn tell_policies(&mut self, host: &mut impl Host, now: SimTime, index: u32, link: u32, outcome: Outcome) {
        let aside = self.call_aside(index);
        let (grant, token) = (aside.grant, aside.token.take());
        let (state, streams) = self.links.with_streams(link);
        if let Some(budget) = &mut state.budget {
            budget.record(now, outcome, grant);
        }
        let Some(token) = token else { return };
        let took = now - self.fibers[index].mark;
        let Some(breaker) = &mut state.breaker else { return };
        let transition = breaker.record(now, token, outcome, took, &mut streams.policies);
        self.breaker_changed(host, now, link, transition);
    }

    /// Tells of a breaker's change, and sees to it that it is woken when it wants to be.
    #[cold]
    #[inline(never)]
    fn breaker_changed(&mut self, host: &mut impl Host, now: SimTime, index: u32, transition: Option<Transition>) {
        let link = &mut self.links[index];
        if let Some(transition) = transition {
            host.observe(now, Observation::Breaker { edge: link.edge, replica: link.caller, transition });
        }
        let wake_at = link.breaker.as_ref().and_then(Breaker::next_wake).unwrap_or(SimTime::NEVER);
        if wake_at == link.wake_at {
            return;
        }
        link.wake_at = wake_at;
        link.wake = Key::NONE;
        if wake_at != SimTime::NEVER {
            link.wake = self.tickets.next(Place::Link(index));
            host.arm(now, Delay::of(wake_at - now), Class::Completion, link.wake);
        }
    }

    /// A link's policies wanted to be woken now.
    pub(super) fn wake_link(&mut self, host: &mut impl Host, now: SimTime, index: u32, key: Key) {
        if self.links[index].wake != key {
            return;
        }
        self.links[index].wake_at = SimTime::NEVER;
        loop {
            let (state, streams) = self.links.with_streams(index);
            let Some(breaker) = &mut state.breaker else { return };
            let transition = breaker.on_wake(now, &mut streams.policies);
            self.breaker_changed(host, now, index, transition);
            if transition.is_none() {
                return;
            }
        }
    }

    /// What follows a failed attempt: another, at once or later, or the end of the call. Attempts that fail at once and
    /// are made again at once are at most as many as the retry allows, and so is the depth of this.
    #[cold]
    #[inline(never)]
    fn after_failure<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32, failure: Failure) -> Step {
        let plan = self.plan;
        self.tell_failed(host, now, index, failure);
        self.call_aside(index);
        let fiber = &self.fibers[index];
        let (edge, retry) = (self.route(index).edge, &plan.sites[fiber.site.index()].retry);
        if failure == Failure::Deadline || !retry.wants(u32::from(fiber.attempts), failure.seen()) {
            return self.give_up(host, now, index, failure);
        }
        let link = self.links.index(plan, edge, fiber.replica);
        if let Some(budget) = &mut self.links[link].budget {
            match budget.retry(now, failure.seen()) {
                Some(grant) => self.call_aside(index).grant = grant,
                None => return self.give_up(host, now, index, Failure::BudgetRefused(failure.seen())),
            }
        }
        let fiber = &mut self.fibers[index];
        let (segment, attempts) = (fiber.segment(), u32::from(fiber.attempts));
        fiber.state = State::BackingOff;
        host.observe(now, Observation::AttemptFailed { edge, segment, outcome: failure });
        let (_, streams) = self.links.with_streams(link);
        let aside = self.fibers.aside(index);
        let wait = retry.wait(attempts, failure.seen(), &mut aside.backoff, &mut streams.backoff);
        let wait = wait.min(aside.deadline - now);
        let key = self.ticket(index);
        self.tell_state(host, now, index);
        if wait.is_zero() {
            return Step::Wake(key);
        }
        host.arm(now, Delay::of(wait), Class::Completion, key);
        Step::Rest
    }

    /// No further attempt: fall back, or fail.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self, host: &mut impl Host, now: SimTime, index: u32, failure: Failure) -> Step {
        let Some(time) = self.plan.sites[self.fibers[index].site.index()].fallback else {
            return self.call_over(host, now, index, failure.passed_on(), Some(failure));
        };
        let service = self.plan.endpoints[self.fibers[index].endpoint.index()].service;
        let delay = System::draw(self.plan, time, &mut self.services[service.index()].work);
        self.call_aside(index).failure = Some(failure);
        if delay.span.is_zero() {
            return self.fell_back(host, now, index);
        }
        self.fibers[index].state = State::FallingBack;
        let key = self.ticket(index);
        self.tell_state(host, now, index);
        host.arm(now, delay, Class::Completion, key);
        Step::Rest
    }

    #[inline(always)]
    fn call_over(
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

    /// What the death of a fiber means for the attempt it has under way: nobody will hear how it ended.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon_attempt(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let route = *self.route(index);
        let token = self.call_aside(index).token.take();
        let fiber = &self.fibers[index];
        let (caller, target) = (fiber.replica, fiber.target);
        if route.managed {
            let link = self.links.index(self.plan, route.edge, caller);
            self.links.count(self.plan, link, target, false);
            self.leave_pool(host, now, index, route.edge, false);
            if let (Some(token), Some(breaker)) = (token, &mut self.links[link].breaker) {
                breaker.release(token);
            }
        }
    }

    /// After a fault or the death or birth of a replica: which ways are clear.
    pub(super) fn clear_routes(&mut self) {
        for route in &mut self.routes {
            let up = self.replicas[route.target.index()].ready;
            route.set_clear(up && !self.links.disturbed[route.edge.index()]);
        }
    }
}

/// How long to wait for an attempt: its timeout, or what is left of the deadline if that is less.
fn patience(now: SimTime, route: &Route, deadline: SimTime) -> Option<Delay> {
    let left = deadline - now;
    route.timeout.filter(|timeout| timeout.span <= left).or(Some(Delay::of(left)))
}
