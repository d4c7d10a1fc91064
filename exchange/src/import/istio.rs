//! Istio's `DestinationRule` and `VirtualService`, with the retries that nobody wrote.
//!
//! Read from istio/api b8f8791 (July 2026) and an older pilot. Under it is Envoy, with other defaults.

use std::collections::BTreeMap;

use squall_model::Span;
use squall_model::spec::At;
use squall_model::spec::tree::Node;

use super::cx::Cx;
use super::mesh::{RetryOn, UNLIMITED, backoff, limits, warn_of_no_ejection};
use super::values::{Percent, Put, Said};
use crate::doc::Map;
use crate::read::{Fields, manifests};

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "gateway";

pub(super) fn import(cx: &mut Cx<'_>) {
    let documents = cx.documents();
    let mut hosts = Hosts::default();
    for document in manifests(&documents) {
        let fields = Fields::of(document);
        match fields.text("kind") {
            Some("DestinationRule") => destination_rule(cx, document, &mut hosts),
            Some("VirtualService") => virtual_service(cx, document, &mut hosts),
            Some(kind) => {
                let at = fields.entry("kind").map_or(document.at, |entry| entry.value.at);
                cx.not_mapped(at, format!("a {kind}"), "only DestinationRule and VirtualService are read");
            }
            None => cx.error(document.at, "a document without `kind`", "is it a manifest of Kubernetes?"),
        }
    }
    for name in hosts.order {
        let Some(mut policy) = hosts.policies.remove(&name) else { continue };
        let budget = hosts.budgets.remove(&name);
        if !policy.has("retry") && !hosts.no_retries.contains(&name) {
            let mut retry = Map::default();
            retry.set("kind", "istio", "default: nobody wrote it");
            retry.set("attempts", "3", "default: 2 retries");
            policy.set("retry", retry, "");
            let at = hosts.places.get(&name).copied().unwrap_or_default();
            let hint = "a VirtualService with `retries: {attempts: 0}` switches them off";
            cx.trap(at, format!("{name} is retried twice though nobody wrote it"), hint);
        }
        if let (Some(budget), true) = (budget, policy.has("retry")) {
            policy.map("retry").set("budget", budget, "");
        }
        if !policy.has("balancer") {
            policy.set("balancer", "least_request", "default");
        }
        policy.set("order", "envoy", "");
        policy.arrange(&["deadline", "timeout", "retry", "breaker", "bulkhead", "balancer", "order"]);
        for from in cx.callers(&name, CALLER) {
            cx.call(&from, &name, &policy);
        }
    }
}

#[derive(Default)]
struct Hosts {
    order: Vec<String>,
    places: BTreeMap<String, At>,
    policies: BTreeMap<String, Map>,
    budgets: BTreeMap<String, Map>,
    no_retries: Vec<String>,
}

impl Hosts {
    fn see(&mut self, name: &str, at: At) {
        self.places.entry(name.to_owned()).or_insert(at);
        self.policy(name);
    }

    fn policy(&mut self, name: &str) -> &mut Map {
        if !self.order.iter().any(|known| known == name) {
            self.order.push(name.to_owned());
        }
        self.policies.entry(name.to_owned()).or_default()
    }
}

/// `inventory.shop.svc.cluster.local` is inventory.
fn short(cx: &Cx<'_>, host: &str) -> String {
    cx.name(host.split('.').next().unwrap_or(host))
}

/// 0 means that nothing was said.
fn unless_zero(cx: &mut Cx<'_>, fields: &Fields<'_>, name: &str) -> Option<Said<u32>> {
    let said = cx.field(fields, name, Cx::count)?;
    if said.value == 0 {
        let at = fields.entry(name).map_or_else(At::default, |entry| entry.key.at);
        cx.trap(at, format!("`{name}: 0` means that nothing is set"), "leave it out, or write at least 1");
        return None;
    }
    Some(said)
}

fn destination_rule(cx: &mut Cx<'_>, document: &Node, hosts: &mut Hosts) {
    let fields = Fields::of(document);
    let Some(spec) = fields.inner("spec") else {
        return cx.error(document.at, "a DestinationRule without `spec`", "");
    };
    let Some(host) = spec.text("host") else {
        return cx.error(document.at, "a DestinationRule without `host`", "");
    };
    let name = short(cx, host);
    hosts.see(&name, document.at);
    if let Some(policy) = spec.inner("trafficPolicy") {
        let level = port_level(cx, &policy);
        traffic_policy(cx, level.as_ref().unwrap_or(&policy), (&name, hosts));
    }
    for subset in spec.items("subsets") {
        if let Some(entry) = Fields::of(subset).entry("trafficPolicy") {
            cx.not_mapped(entry.key.at, format!("a subset's own policy for {name}"), "");
        }
    }
    for quiet in ["exportTo", "workloadSelector"] {
        spec.entry(quiet);
    }
    cx.rest(&spec, "the DestinationRule");
}

/// Settings of a port stand instead of all the rest.
fn port_level<'a>(cx: &mut Cx<'_>, policy: &Fields<'a>) -> Option<Fields<'a>> {
    let ports = policy.items("portLevelSettings");
    let first = ports.first()?;
    let what = "settings of a port stand instead of the destination's: what they leave out is default again";
    cx.trap(first.at, what, "repeat at the port what should count there");
    for other in &ports[1..] {
        cx.not_mapped(other.at, "settings of a second port", "");
    }
    let fields = Fields::of(first);
    fields.entry("port");
    Some(fields)
}

fn traffic_policy(cx: &mut Cx<'_>, policy: &Fields<'_>, (name, hosts): (&str, &mut Hosts)) {
    if let Some(pool) = policy.inner("connectionPool") {
        connection_pool(cx, &pool, (name, hosts));
    }
    if let Some(entry) = policy.entry("outlierDetection").filter(|entry| !entry.value.is_null()) {
        let breaker = outliers(cx, &Fields::of(&entry.value), entry.key.at);
        hosts.policy(name).set("breaker", breaker, "");
    }
    if let Some(balancer) = policy.inner("loadBalancer") {
        load_balancer(cx, &balancer, hosts.policy(name));
    }
    if let Some(shares) = policy.inner("retryBudget") {
        let mut budget = Map::default();
        budget.set("kind", "envoy", "");
        let usual = |value| Said::default(value, "default");
        budget.put("budget_percent", cx.field(&shares, "percent", Cx::percent).unwrap_or_else(|| usual(Percent(20.0))));
        let least = cx.field(&shares, "minRetryConcurrency", Cx::count);
        budget.put("min_retry_concurrency", least.unwrap_or_else(|| Said::default(3, "default")));
        budget.put_some("budget_interval", cx.field(&shares, "budgetInterval", Cx::go_duration));
        cx.rest(&shares, "the retry budget");
        hosts.budgets.insert(name.to_owned(), budget);
    }
    for quiet in ["portLevelSettings", "tls", "tunnel", "proxyProtocol"] {
        policy.entry(quiet);
    }
    cx.rest(policy, "the traffic policy");
}

fn connection_pool(cx: &mut Cx<'_>, pool: &Fields<'_>, (name, hosts): (&str, &mut Hosts)) {
    let unlimited = || Said::default(UNLIMITED, "default");
    let (tcp, http) = (pool.inner("tcp"), pool.inner("http"));
    let tcp_limit = tcp.as_ref().and_then(|tcp| unless_zero(cx, tcp, "maxConnections"));
    let pending = http.as_ref().and_then(|http| unless_zero(cx, http, "http1MaxPendingRequests"));
    let requests = http.as_ref().and_then(|http| unless_zero(cx, http, "http2MaxRequests"));
    let retries = http.as_ref().and_then(|http| unless_zero(cx, http, "maxRetries"));
    if tcp_limit.is_some() || pending.is_some() || requests.is_some() {
        let [connections, pending, requests] =
            [tcp_limit, pending, requests].map(|said| said.unwrap_or_else(unlimited));
        if let Some(limits) = limits(connections, pending, requests) {
            hosts.policy(name).set("bulkhead", limits, "");
        }
    }
    if let Some(retries) = retries {
        let mut budget = Map::default();
        budget.set("kind", "envoy", "");
        budget.put("max_retries", retries);
        hosts.budgets.entry(name.to_owned()).or_insert(budget);
    }
    for (part, of) in [(&tcp, "the TCP pool"), (&http, "the HTTP pool")] {
        if let Some(part) = part {
            for quiet in ["idleTimeout", "tcpKeepalive", "h2UpgradePolicy", "useClientProtocol"] {
                part.entry(quiet);
            }
            cx.rest(part, of);
        }
    }
    cx.rest(pool, "the connection pool");
}

fn outliers(cx: &mut Cx<'_>, fields: &Fields<'_>, at: At) -> Map {
    let mut breaker = Map::default();
    breaker.set("kind", "envoy_outlier", "");
    let errors = cx
        .field(fields, "consecutive5xxErrors", Cx::count)
        .or_else(|| cx.field(fields, "consecutiveErrors", Cx::count));
    match errors {
        Some(off) if off.value == 0 => breaker.set("enforcing_consecutive_5xx", "0%", off.why),
        errors => breaker.put("consecutive_5xx", errors.unwrap_or_else(|| Said::default(5, "default"))),
    }
    if let Some(errors) = cx.field(fields, "consecutiveGatewayErrors", Cx::count).filter(|errors| errors.value > 0) {
        breaker.set("enforcing_consecutive_gateway_failure", "100%", errors.why.clone());
        breaker.put("consecutive_gateway_failure", errors);
    }
    let split = cx.field(fields, "splitExternalLocalOriginErrors", Cx::boolean);
    breaker.put_some("split_external_local_origin_errors", split);
    breaker.put_some("consecutive_local_origin_failure", cx.field(fields, "consecutiveLocalOriginFailures", Cx::count));
    let usual = |seconds| Said::default(Span::from_secs(seconds), "default");
    breaker.put("interval", cx.field(fields, "interval", Cx::go_duration).unwrap_or_else(|| usual(10)));
    breaker
        .put("base_ejection_time", cx.field(fields, "baseEjectionTime", Cx::go_duration).unwrap_or_else(|| usual(30)));
    let percent = cx.field(fields, "maxEjectionPercent", Cx::whole_percent).filter(|percent| percent.value.0 > 0.0);
    let percent = percent.unwrap_or_else(|| Said::default(Percent(10.0), "default"));
    let percent_at = fields.entry("maxEjectionPercent").map_or(at, |entry| entry.key.at);
    warn_of_no_ejection(cx, percent_at, (percent.value.0, None));
    breaker.put("max_ejection_percent", percent);
    let panic = cx.field(fields, "minHealthPercent", Cx::whole_percent);
    breaker
        .put("healthy_panic_threshold", panic.unwrap_or_else(|| Said::default(Percent(0.0), "default: panic is off")));
    breaker.set("enforcing_success_rate", "0%", "default: Istio switches it off");
    cx.rest(fields, "the outlier detection");
    breaker
}

fn load_balancer(cx: &mut Cx<'_>, balancer: &Fields<'_>, policy: &mut Map) {
    if let Some(simple) = cx.field(balancer, "simple", Cx::word) {
        let kind = match simple.value.as_str() {
            "ROUND_ROBIN" => "round_robin",
            "RANDOM" => "random",
            "LEAST_REQUEST" | "LEAST_CONN" | "UNSPECIFIED" => "least_request",
            other => {
                let at = balancer.entry("simple").map_or_else(At::default, |entry| entry.value.at);
                return cx.not_mapped(at, format!("the balancer `{other}`"), "");
            }
        };
        policy.set("balancer", kind, simple.why);
    }
    if let Some(hash) = balancer.inner("consistentHash") {
        let why = balancer.entry("consistentHash").map(|entry| cx.place(entry.key.at)).unwrap_or_default();
        let kind = if hash.get("maglev").is_some() { "maglev" } else { "ring_hash" };
        policy.set("balancer", kind, why);
        let at = hash.node().at;
        cx.approximated(at, "a hash of a header, a cookie or an address: every call has its own hash here", "");
        hash.node().entries().iter().for_each(|entry| {
            hash.entry(&entry.key.text);
        });
    }
    for quiet in ["localityLbSetting", "warmup", "warmupDurationSecs"] {
        if let Some(entry) = balancer.entry(quiet) {
            cx.not_mapped(entry.key.at, format!("`{quiet}` of the load balancer"), "");
        }
    }
    cx.rest(balancer, "the load balancer");
}

fn virtual_service(cx: &mut Cx<'_>, document: &Node, hosts: &mut Hosts) {
    let fields = Fields::of(document);
    let Some(spec) = fields.inner("spec") else {
        return cx.error(document.at, "a VirtualService without `spec`", "");
    };
    let own: Vec<String> = spec.items("hosts").iter().filter_map(|host| Some(short(cx, host.text()?))).collect();
    let mut routed: Vec<String> = Vec::new();
    for node in spec.items("http") {
        let route = Fields::of(node);
        let mut targets: Vec<String> = Vec::new();
        for destination in route.items("route") {
            let host = Fields::of(destination).inner("destination").and_then(|destination| destination.text("host"));
            let host = host.map(|host| short(cx, host)).filter(|host| !targets.contains(host));
            targets.extend(host);
        }
        if targets.is_empty() {
            targets.clone_from(&own);
        }
        for name in &targets {
            if routed.contains(name) {
                cx.not_mapped(node.at, format!("a second route to {name}: the first one counts"), "");
            } else {
                hosts.see(name, node.at);
                http_route(cx, &route, (name, hosts));
                routed.push(name.clone());
            }
        }
        for quiet in ["name", "match", "rewrite", "headers", "corsPolicy", "timeout", "retries"] {
            route.entry(quiet);
        }
        cx.rest(&route, "the route");
    }
    for quiet in ["gateways", "exportTo"] {
        spec.entry(quiet);
    }
    cx.rest(&spec, "the VirtualService");
}

fn http_route(cx: &mut Cx<'_>, route: &Fields<'_>, (name, hosts): (&str, &mut Hosts)) {
    let timeout = cx.field(route, "timeout", Cx::go_duration).filter(|timeout| !timeout.value.is_zero());
    hosts.policy(name).put_some("deadline", timeout);
    let Some(retries) = route.inner("retries") else { return };
    let attempts = cx.field(&retries, "attempts", Cx::count).unwrap_or_else(|| Said::default(2, "default"));
    if attempts.value == 0 {
        hosts.no_retries.push(name.to_owned());
        return;
    }
    let mut retry = Map::default();
    retry.set("kind", "istio", "");
    retry.put("attempts", attempts.map(|retries| retries.saturating_add(1)));
    match cx.field(&retries, "backoff", Cx::go_duration) {
        Some(base) => retry.set("backoff", backoff(base.value, None), base.why),
        None => retry.set("backoff", backoff(Span::from_millis(25), None), "default"),
    }
    if let Some(on) = cx.field(&retries, "retryOn", Cx::word) {
        let at = retries.entry("retryOn").map_or(retries.node().at, |entry| entry.value.at);
        RetryOn::read(cx, &on.value, &[], at).put(&mut retry, &on.why);
    }
    match cx.field(&retries, "retryIgnorePreviousHosts", Cx::boolean) {
        Some(ignores) if !ignores.value => retry.set("avoid_tried", "0", ignores.why),
        _ => retry.set("avoid_tried", "5", "default"),
    }
    let timeout = cx.field(&retries, "perTryTimeout", Cx::go_duration).filter(|timeout| !timeout.value.is_zero());
    hosts.policy(name).put_some("timeout", timeout);
    hosts.policy(name).set("retry", retry, "");
    cx.rest(&retries, "the retries");
}
