//! Calls: an edge for every caller and callee, a site for every call step, and the policies of both.

use squall_policies::balancer::{BalancerConfig, LeastRequestConfig};
use squall_policies::breaker::{BreakerConfig, Resilience4jConfig, Window};
use squall_policies::budget::{BudgetConfig, ShareConfig};
use squall_policies::retry::{Backoff, Jitter, RetryConfig};
use squall_policies::{Interval, Outcomes, Span};

use super::{Compiler, Edge, EdgeId, EndpointId, ServiceId, Site, limit};
use crate::plan::SiteId;
use crate::spec;
use crate::spec::{CallPolicy, CallStep, Spanned};

impl Compiler<'_> {
    /// The site of a call step.
    pub(super) fn call_site(&mut self, caller: ServiceId, call: &CallStep) -> SiteId {
        let topology = self.topology;
        let endpoint = self.endpoint(&call.to);
        let name = self.plan.services[caller.index()].name.clone();
        let shared = CallPolicy::default();
        let policy = topology.services.find(&name).map_or(&shared, |s| s.calls.policy(&call.to.service));
        let edge = self.edge(caller, endpoint, policy);
        let own = call.policy.as_ref().map_or(policy, |own| &own.value);
        self.site(edge, endpoint, own)
    }

    /// The edge between a caller and the service behind an endpoint, with the policies that they share.
    pub(super) fn edge(&mut self, caller: ServiceId, endpoint: EndpointId, policy: &CallPolicy) -> EdgeId {
        let callee = self.plan.endpoints[endpoint.index()].service;
        if let Some(known) = self.edges.get(&(caller, callee)) {
            return *known;
        }
        let network = match &policy.network {
            Some(network) => self.time(network),
            None => self.network,
        };
        let names = [caller, callee].map(|id| self.plan.services[id.index()].name.as_str());
        let name = names.join(" -> ");
        let of_callee = self.topology.services.find(names[1]).map(|service| *service.balancer);
        let chosen = policy.balancer.as_ref().map(|balancer| balancer.value).or(of_callee);
        let edge = Edge {
            name,
            caller,
            callee,
            network,
            balancer: balancer(chosen.unwrap_or(spec::Balancer::RoundRobin)),
            breaker: policy.breaker.as_ref().and_then(|written| breaker(written)),
            bulkhead: policy.bulkhead.as_ref().map_or(u32::MAX, |bulkhead| limit(*bulkhead.limit)),
            budget: policy.retry.as_ref().and_then(|retry| retry.budget.as_ref()).and_then(|written| budget(written)),
            pool: policy.pool.as_ref().map(|pool| self.pool(pool)),
            shared: policy.scope.as_ref().is_some_and(|scope| scope.value == spec::Scope::Service),
        };
        self.check_edge(policy, &edge);
        let id = EdgeId::from(self.plan.edges.len());
        self.plan.edges.push(edge);
        self.edges.insert((caller, callee), id);
        id
    }

    /// A call of this endpoint along this edge.
    pub(super) fn site(&mut self, edge: EdgeId, endpoint: EndpointId, policy: &CallPolicy) -> SiteId {
        let timeout = policy.timeout.as_ref().map_or(Span::MAX, |timeout| timeout.value);
        let timeout_lane = (timeout != Span::MAX).then(|| self.lane(timeout));
        let fallback = policy.fallback.as_ref().map(|fallback| self.constant(*fallback.after));
        let retry = policy.retry.as_ref().map_or_else(once, |written| retry(written));
        if let (Err(invalid), Some(written)) = (retry.check(), &policy.retry) {
            self.problems
                .push(spec::Problem::error(written.at, format!("`{}` must be {}", invalid.field, invalid.must_be)));
        }
        let deadline = policy.deadline.as_ref().map_or(Span::MAX, |deadline| deadline.value);
        self.plan.sites.push(Site { edge, endpoint, timeout, timeout_lane, deadline, retry, fallback });
        SiteId::from(self.plan.sites.len() - 1)
    }

    /// Values that the policies themselves refuse.
    fn check_edge(&mut self, policy: &CallPolicy, edge: &Edge) {
        let breaker = edge.breaker.map_or(Ok(()), |breaker| breaker.check());
        let budget = edge.budget.map_or(Ok(()), |budget| budget.check());
        let retry_at = policy.retry.as_ref().map(|retry| retry.at);
        let found = [(breaker, policy.breaker.as_ref().map(|breaker| breaker.at)), (budget, retry_at)];
        for (result, at) in found {
            if let (Err(invalid), Some(at)) = (result, at) {
                self.problems
                    .push(spec::Problem::error(at, format!("`{}` must be {}", invalid.field, invalid.must_be)));
            }
        }
    }
}

/// No retry at all.
fn once() -> RetryConfig {
    RetryConfig { attempts: 1, backoff: Backoff::None, jitter: Jitter::None, ..RetryConfig::default() }
}

fn balancer(written: spec::Balancer) -> BalancerConfig {
    match written {
        spec::Balancer::Random => BalancerConfig::Random,
        spec::Balancer::LeastRequest => BalancerConfig::LeastRequest(LeastRequestConfig::default()),
        // The others are refused before anything runs.
        _ => BalancerConfig::RoundRobin,
    }
}

fn retry(written: &spec::Retry) -> RetryConfig {
    let backoff = match *written.backoff {
        spec::Backoff::None => Backoff::None,
        spec::Backoff::Constant(wait) => Backoff::Constant(wait),
        spec::Backoff::Linear { step, cap } => Backoff::Linear { step, cap },
        spec::Backoff::Exponential { base, factor, cap } => Backoff::Exponential { base, factor, cap },
    };
    let jitter = match *written.jitter {
        spec::Jitter::None => Jitter::None,
        spec::Jitter::Full => Jitter::Full,
        spec::Jitter::Equal => Jitter::Equal,
        spec::Jitter::Decorrelated => Jitter::Decorrelated,
    };
    RetryConfig {
        attempts: *written.attempts,
        backoff,
        jitter,
        when: outcomes(&written.when),
        ..RetryConfig::default()
    }
}

fn budget(written: &spec::Budget) -> Option<BudgetConfig> {
    match written {
        spec::Budget::Share(share) => {
            Some(BudgetConfig::Share(ShareConfig { share: share.0, ..ShareConfig::default() }))
        }
        _ => None,
    }
}

fn breaker(written: &spec::Breaker) -> Option<BreakerConfig> {
    match written {
        spec::Breaker::Resilience4j(settings) => Some(BreakerConfig::Resilience4j(resilience4j(settings))),
        _ => None,
    }
}

fn resilience4j(written: &spec::Resilience4jBreaker) -> Resilience4jConfig {
    Resilience4jConfig {
        window: match *written.window {
            spec::Window::Calls(calls) => Window::Calls(calls),
            spec::Window::Time(span) => Window::Seconds((span.as_nanos() / 1_000_000_000) as u32),
        },
        minimum_calls: *written.minimum_calls,
        failure_rate: (written.failure_rate.0 * 100.0) as f32,
        slow_rate: (written.slow_rate.0 * 100.0) as f32,
        slow_after: *written.slow_after,
        open_for: match *written.open_for {
            spec::OpenFor::Constant(span) => Interval::Fixed(span),
            spec::OpenFor::Exponential { base, factor, cap } => {
                Interval::Exponential { initial: base, multiplier: factor, max: cap }
            }
        },
        half_open_calls: *written.half_open_calls,
        auto_half_open: *written.auto_half_open,
        half_open_limit: *written.half_open_limit,
        close_after_half_open_limit: *written.after_half_open_limit == spec::BreakerState::Closed,
        ignored: outcomes(&written.ignore),
        ..Resilience4jConfig::default()
    }
}

fn outcomes(written: &[Spanned<spec::Trouble>]) -> Outcomes {
    let one = |trouble: &Spanned<spec::Trouble>| match trouble.value {
        spec::Trouble::Timeout => Outcomes::TIMEOUT,
        spec::Trouble::Error => Outcomes::ERROR,
        spec::Trouble::Refused => Outcomes::REFUSED,
        spec::Trouble::Rejected => Outcomes::REJECTED,
        spec::Trouble::RateLimited => Outcomes::RATE_LIMITED,
        spec::Trouble::BreakerOpen => Outcomes::BREAKER_OPEN,
    };
    written.iter().map(one).collect()
}
