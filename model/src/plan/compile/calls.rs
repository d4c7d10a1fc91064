//! Calls: an edge for every caller and callee, a site for every call step, and the policies of both.

use squall_policies::balancer::BalancerConfig;
use squall_policies::envoy_limits::EnvoyLimitsConfig;
use squall_policies::{Invalid, Outcomes, Span};

use super::{Compiler, Edge, EdgeId, EndpointId, ServiceId, Site, policies};
use crate::plan::{Bulkhead, Fallback, Layer, Layers, SiteId};
use crate::spec;
use crate::spec::{At, CallPolicy, CallStep, Spanned};

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
        let of_callee = self.topology.services.find(names[1]).map(|service| &service.balancer.value);
        let chosen = policy.balancer.as_ref().map(|balancer| &balancer.value).or(of_callee);
        let retry = policy.retry.as_ref().map_or_else(policies::once, |written| policies::retry(written));
        let replicas = self.plan.services[callee.index()].replicas;
        let tells = |what| policy.propagate.as_ref().is_some_and(|all| all.iter().any(|one| one.value == what));
        let hedged =
            policy.hedge.as_ref().map_or(retry.retryable(), |written| policies::hedge(written).non_fatal.into());
        let kind = policy.retry.as_ref().map_or(spec::RetryKind::Plain, |retry| *retry.kind);
        let limited = |written: Option<&Spanned<spec::Budget>>, when| {
            written.map(|written| policies::budget(written, kind, when))
        };
        let mut edge = Edge {
            name,
            caller,
            callee,
            network,
            balancer: chosen.map_or(BalancerConfig::RoundRobin, policies::balancer),
            breaker: policy.breaker.as_ref().map(|written| policies::breaker(written)),
            bulkhead: policy
                .bulkhead
                .as_ref()
                .and_then(|written| policies::bulkhead(written))
                .map(each_host_connected(replicas)),
            rate_limit: policy.rate_limit.as_ref().map(|written| policies::rate_limit(written)),
            throttle: policy.throttle.as_ref().map(|written| policies::throttle(written)),
            budget: limited(policy.retry.as_ref().and_then(|retry| retry.budget.as_ref()), retry.retryable()),
            hedge_budget: limited(policy.hedge.as_ref().and_then(|hedge| hedge.budget.as_ref()), hedged),
            pool: policy.pool.as_ref().map(|pool| self.pool(pool)),
            cancels: tells(spec::Propagate::Cancel),
            bounds: tells(spec::Propagate::Deadline),
            layers: Layers::new(NO_LAYERS, |_| false),
            shared: policy.scope.as_ref().is_some_and(|scope| scope.value == spec::Scope::Service),
        };
        edge.layers = layers(policy, &edge);
        self.plan.services[callee.index()].bounded |= edge.bounds;
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
        let fallback = policy.fallback.as_ref().map(|fallback| Fallback {
            time: self.constant(*fallback.after),
            when: policies::outcomes_or(fallback.when.as_ref(), Outcomes::FAILURE),
            limit: fallback.limit.count().unwrap_or(u32::MAX),
        });
        let retry = policy.retry.as_ref().map_or_else(policies::once, |written| policies::retry(written));
        self.refuse(retry.check(), policy.retry.as_ref().map(|retry| retry.at));
        let deadline = policy.deadline.as_ref().map_or(Span::MAX, |deadline| deadline.value);
        let hedge = policy.hedge.as_ref().map(|written| policies::hedge(written));
        self.refuse(hedge.map_or(Ok(()), |hedge| hedge.check()), policy.hedge.as_ref().map(|hedge| hedge.at));
        let layers = layers(policy, &self.plan.edges[edge.index()]);
        let avoid_tried = policy.retry.as_ref().map_or(0, |retry| *retry.avoid_tried);
        self.plan.sites.push(Site {
            edge,
            endpoint,
            timeout,
            timeout_lane,
            deadline,
            retry,
            layers,
            hedge,
            avoid_tried,
            fallback,
        });
        SiteId::from(self.plan.sites.len() - 1)
    }

    /// Values that the policies themselves refuse.
    fn check_edge(&mut self, policy: &CallPolicy, edge: &Edge) {
        let retry_at = policy.retry.as_ref().map(|retry| retry.at);
        let hedge_at = policy.hedge.as_ref().map(|hedge| hedge.at);
        self.refuse(edge.breaker.map_or(Ok(()), |one| one.check()), policy.breaker.as_ref().map(|one| one.at));
        self.refuse(edge.bulkhead.map_or(Ok(()), |one| one.check()), policy.bulkhead.as_ref().map(|one| one.at));
        self.refuse(edge.rate_limit.map_or(Ok(()), |one| one.check()), policy.rate_limit.as_ref().map(|one| one.at));
        self.refuse(edge.throttle.map_or(Ok(()), |one| one.check()), policy.throttle.as_ref().map(|one| one.at));
        self.refuse(edge.balancer.check(), policy.balancer.as_ref().map(|one| one.at).or(retry_at));
        self.refuse(edge.budget.map_or(Ok(()), |one| one.check()), retry_at);
        self.refuse(edge.hedge_budget.map_or(Ok(()), |one| one.check()), hedge_at);
    }

    /// Complains at `at` about a value that is not as it must be.
    pub(super) fn refuse(&mut self, result: Result<(), Invalid>, at: Option<At>) {
        if let Err(invalid) = result {
            let what = format!("`{}` must be {}", invalid.field, invalid.must_be);
            self.problems.push(spec::Problem::error(at.unwrap_or_default(), what));
        }
    }
}

/// Envoy's `max_connections` never keeps a host from having one connection.
fn each_host_connected(replicas: u32) -> impl Fn(Bulkhead) -> Bulkhead {
    move |bulkhead| match bulkhead {
        Bulkhead::Envoy(limits) => {
            Bulkhead::Envoy(EnvoyLimitsConfig { max_connections: limits.max_connections.max(replicas), ..limits })
        }
        other => other,
    }
}

/// What stands in the places of a call without policies.
const NO_LAYERS: [Layer; 6] = [Layer::Retry; 6];

/// The policies of a call that there are, outside in. A breaker that watches each replica stands where one is chosen.
fn layers(policy: &CallPolicy, edge: &Edge) -> Layers {
    let ordered = policy.order.as_ref().map_or(spec::Order::DEFAULT, |order| order.value.layers());
    let retries = policy.retry.as_ref().is_some_and(|retry| *retry.attempts > 1 || retry.budget.is_some());
    let all = ordered.map(|layer| match layer {
        spec::Layer::Retry => Layer::Retry,
        spec::Layer::Throttle => Layer::Throttle,
        spec::Layer::Breaker => Layer::Breaker,
        spec::Layer::RateLimit => Layer::RateLimit,
        spec::Layer::Bulkhead => Layer::Bulkhead,
        spec::Layer::Timeout => Layer::Timeout,
    });
    Layers::new(all, |layer| match layer {
        Layer::Retry => retries,
        Layer::Throttle => edge.throttle.is_some(),
        Layer::Breaker => edge.breaker.is_some_and(|breaker| !breaker.watches_replicas()),
        Layer::RateLimit => edge.rate_limit.is_some(),
        Layer::Bulkhead => edge.bulkhead.is_some(),
        Layer::Timeout => policy.timeout.is_some(),
    })
}
