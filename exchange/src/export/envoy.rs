//! An Envoy bootstrap: one listener that stands for the callers, a route and a cluster for each callee.

use squall_model::spec::{
    Balancer, Breaker, Budget, Bulkhead, CallPolicy, Choice, EnvoyOutlier, Retry, Topology, Trouble,
};

use super::calls::{
    Call, Notes, Say, breaker_kind, budget_kind, calls, jitter, number, percent, rarely_said, retries, retries_of,
    room, seconds, waits,
};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, Value, scalar};

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let all = calls(topology, options, &mut notes);
    let (mut clusters, mut routes): (Vec<Item>, Vec<Item>) = (Vec::new(), Vec::new());
    let mut written: Vec<&str> = Vec::new();
    for call in &all {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("another caller's policies for the same cluster; use --of");
        } else {
            written.push(call.to);
            clusters.push(Item::new(cluster(topology, call, &mut about)));
            routes.push(Item::new(route(call, &mut about)));
            cannot(call.policy, &mut about);
        }
        notes.append(&mut about.all);
    }
    let mut doc = Doc { header: vec![format!("Envoy, from the topology {}.", topology.name.value)], ..Doc::default() };
    let resources = doc.root.map("static_resources");
    resources.set("listeners", vec![Item::new(listener(routes))], "");
    resources.set("clusters", clusters, "");
    Exported { text: doc.render(), notes }
}

fn listener(routes: Vec<Item>) -> Map {
    let mut listener = Map::default();
    listener.say("name", "callers");
    let address = listener.map("address").map("socket_address");
    address.say("address", "127.0.0.1");
    address.say("port_value", 10_000);
    let mut host = Map::default();
    host.say("name", "all");
    host.set("domains", Value::Plain("[\"*\"]".into()), "");
    host.set("routes", routes, "");
    let mut router = Map::default();
    router.say("name", "envoy.filters.http.router");
    router.map("typed_config").say("@type", "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    let mut filter = Map::default();
    filter.say("name", "envoy.filters.network.http_connection_manager");
    let manager = filter.map("typed_config");
    manager.say(
        "@type",
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    );
    manager.say("stat_prefix", "callers");
    manager.map("route_config").set("virtual_hosts", vec![Item::new(host)], "");
    manager.set("http_filters", vec![Item::new(router)], "");
    let mut chain = Map::default();
    chain.set("filters", vec![Item::new(filter)], "");
    listener.set("filter_chains", vec![Item::new(chain)], "");
    listener
}

fn cluster(topology: &Topology, call: &Call<'_>, notes: &mut Notes) -> Map {
    let policy = call.policy;
    let mut cluster = Map::default();
    cluster.say("name", scalar(call.to));
    cluster.say("type", "STRICT_DNS");
    cluster.say("connect_timeout", "5s");
    let callee = topology.services.find(call.to);
    let chosen = policy.balancer.as_ref().or(callee.map(|callee| &callee.balancer));
    balancer(&mut cluster, chosen.map_or(&Balancer::default(), |balancer| &balancer.value), notes);
    let thresholds = thresholds(policy, notes);
    if !thresholds.is_empty() {
        cluster.map("circuit_breakers").set("thresholds", vec![Item::new(thresholds)], "");
    }
    match policy.breaker.as_ref().map(|breaker| &breaker.value) {
        Some(Breaker::EnvoyOutlier(outlier)) => {
            outliers(&mut cluster, outlier);
        }
        Some(Breaker::Consecutive(of)) => {
            let settings = cluster.map("outlier_detection");
            settings.say("consecutive_5xx", *of.failures);
            settings.say("always_eject_one_host", true);
            notes.cannot("half-open probes of the consecutive breaker: an ejected host comes back whole");
        }
        Some(other) => notes.cannot(format!("a breaker of kind {}", breaker_kind(other))),
        None => {}
    }
    let replicas = callee.map_or(1, |callee| *callee.replicas);
    let endpoints = (0..replicas).map(|replica| {
        let mut endpoint = Map::default();
        let socket = endpoint.map("endpoint").map("address").map("socket_address");
        let host = if replicas == 1 { call.to.to_owned() } else { format!("{}-{replica}.{}", call.to, call.to) };
        socket.say("address", scalar(&host));
        socket.say("port_value", 8080);
        Item::new(endpoint)
    });
    let mut locality = Map::default();
    locality.set("lb_endpoints", endpoints.collect::<Vec<_>>(), "");
    let assignment = cluster.map("load_assignment");
    assignment.say("cluster_name", scalar(call.to));
    assignment.set("endpoints", vec![Item::new(locality)], "");
    cluster
}

fn balancer(cluster: &mut Map, balancer: &Balancer, notes: &mut Notes) {
    match balancer {
        Balancer::RoundRobin(_) => cluster.say("lb_policy", "ROUND_ROBIN"),
        Balancer::Random(_) => cluster.say("lb_policy", "RANDOM"),
        Balancer::LeastRequest(of) => {
            cluster.say("lb_policy", "LEAST_REQUEST");
            if *of.choice_count != 2 {
                cluster.map("least_request_lb_config").say("choice_count", *of.choice_count);
            }
            if of.choice.value != Choice::WithReplacement {
                notes.cannot(format!("least requests by `{}`", of.choice.word()));
            }
        }
        Balancer::RingHash(of) => {
            cluster.say("lb_policy", "RING_HASH");
            let config = cluster.map("ring_hash_lb_config");
            config.say("minimum_ring_size", *of.minimum_ring_size);
            config.say("maximum_ring_size", *of.maximum_ring_size);
        }
        Balancer::Maglev(of) => {
            cluster.say("lb_policy", "MAGLEV");
            cluster.map("maglev_lb_config").say("table_size", *of.table_size);
        }
        Balancer::PeakEwma(_) => {
            cluster.say("lb_policy", "LEAST_REQUEST");
            notes.cannot("peak EWMA; least requests are written");
        }
    }
}

fn thresholds(policy: &CallPolicy, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    match policy.bulkhead.as_ref().map(|bulkhead| &bulkhead.value) {
        Some(Bulkhead::Envoy(limits)) => {
            settings.say("max_connections", *limits.max_connections);
            settings.say("max_pending_requests", *limits.max_pending_requests);
            settings.say("max_requests", *limits.max_requests);
        }
        Some(other) => {
            let room = room(other);
            if let Some(limit) = room.limit {
                settings.say("max_requests", limit);
                notes.cannot("this kind of bulkhead; its largest size is written as max_requests");
            }
        }
        None => {}
    }
    let budget = policy.retry.as_ref().and_then(|retry| retry.budget.as_ref());
    match budget.map(|budget| &budget.value) {
        Some(Budget::Envoy(of)) => match of.max_retries {
            Some(retries) => settings.say("max_retries", retries.value),
            None => {
                let budget = settings.map("retry_budget");
                budget.map("budget_percent").say("value", number(percent(*of.budget_percent)));
                budget.say("min_retry_concurrency", *of.min_retry_concurrency);
                if !of.budget_interval.is_zero() {
                    budget.say("budget_interval", seconds(*of.budget_interval));
                }
            }
        },
        Some(Budget::Share(share)) => {
            let budget = settings.map("retry_budget");
            budget.map("budget_percent").say("value", number(percent(*share)));
            notes.cannot("a budget of calls; Envoy's is of calls at the same time");
        }
        Some(other) => notes.cannot(format!("a budget of kind {}", budget_kind(other))),
        None if policy.retry.is_some() => {
            settings.say("max_retries", u32::MAX);
        }
        None => {}
    }
    settings
}

fn outliers(cluster: &mut Map, of: &EnvoyOutlier) {
    let settings = cluster.map("outlier_detection");
    for (name, count) in [
        ("consecutive_5xx", *of.consecutive_5xx),
        ("consecutive_gateway_failure", *of.consecutive_gateway_failure),
        ("consecutive_local_origin_failure", *of.consecutive_local_origin_failure),
        ("success_rate_minimum_hosts", *of.success_rate_minimum_hosts),
        ("success_rate_request_volume", *of.success_rate_request_volume),
        ("success_rate_stdev_factor", *of.success_rate_stdev_factor),
        ("failure_percentage_minimum_hosts", *of.failure_percentage_minimum_hosts),
        ("failure_percentage_request_volume", *of.failure_percentage_request_volume),
    ] {
        settings.say(name, count);
    }
    for (name, share) in [
        ("enforcing_consecutive_5xx", *of.enforcing_consecutive_5xx),
        ("enforcing_consecutive_gateway_failure", *of.enforcing_consecutive_gateway_failure),
        ("enforcing_consecutive_local_origin_failure", *of.enforcing_consecutive_local_origin_failure),
        ("enforcing_success_rate", *of.enforcing_success_rate),
        ("enforcing_failure_percentage", *of.enforcing_failure_percentage),
        ("failure_percentage_threshold", *of.failure_percentage_threshold),
        ("max_ejection_percent", *of.max_ejection_percent),
    ] {
        settings.say(name, percent(share).round());
    }
    settings.say("interval", seconds(*of.interval));
    settings.say("base_ejection_time", seconds(*of.base_ejection_time));
    if let Some(longest) = of.max_ejection_time {
        settings.say("max_ejection_time", seconds(longest.value));
    }
    settings.say("max_ejection_time_jitter", seconds(*of.max_ejection_time_jitter));
    settings.say("always_eject_one_host", *of.always_eject_one_host);
    settings.say("split_external_local_origin_errors", *of.split_external_local_origin_errors);
    let common = cluster.map("common_lb_config");
    common.map("healthy_panic_threshold").say("value", number(percent(*of.healthy_panic_threshold)));
    common.say("update_merge_window", seconds(*of.update_merge_window));
}

fn route(call: &Call<'_>, notes: &mut Notes) -> Map {
    let mut route = Map::default();
    route.map("match").say("prefix", format!("/{}", call.to));
    let action = route.map("route");
    action.say("cluster", scalar(call.to));
    let policy = call.policy;
    action.say("timeout", policy.deadline.as_ref().map_or_else(|| "0s".into(), |deadline| seconds(deadline.value)));
    if let Some(written) = &policy.retry {
        let retry = action.map("retry_policy");
        retry.say("retry_on", conditions(written, notes));
        if !written.statuses.is_empty() {
            let statuses = written.statuses.iter().map(|status| Item::new(status.value.to_string()));
            retry.set("retriable_status_codes", statuses.collect::<Vec<_>>(), "");
        }
        retry.say("num_retries", retries_of(written));
        if let Some(timeout) = &policy.timeout {
            retry.say("per_try_timeout", seconds(timeout.value));
        }
        back_off(retry, written, notes);
        if *written.avoid_tried > 0 {
            let mut predicate = Map::default();
            predicate.say("name", "envoy.retry_host_predicates.previous_hosts");
            predicate.map("typed_config").say(
                "@type",
                "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            );
            retry.set("retry_host_predicate", vec![Item::new(predicate)], "");
            retry.say("host_selection_retry_max_attempts", *written.avoid_tried);
        }
    } else if let Some(timeout) = &policy.timeout {
        // Without retries an attempt's time-out is the route's.
        let shorter = policy.deadline.as_ref().map_or(timeout.value, |deadline| deadline.value.min(timeout.value));
        action.say("timeout", seconds(shorter));
    }
    route
}

fn back_off(retry: &mut Map, written: &Retry, notes: &mut Notes) {
    let waits = waits(*written.backoff);
    if waits.first.is_zero() {
        notes.cannot("a retry at once; a wait of up to 1 ms is written");
    }
    let settings = retry.map("retry_back_off");
    let first = waits.first.max(squall_model::Span::from_millis(1));
    settings.say("base_interval", seconds(first));
    let longest = waits.longest.unwrap_or(if waits.factor.is_some() { first * 10 } else { first });
    settings.say("max_interval", seconds(longest.max(first)));
    let own = matches!(*written.backoff, squall_model::spec::Backoff::Envoy { .. });
    let same = own || waits.factor == Some(2.0) && *written.jitter == squall_model::spec::Jitter::Full;
    if !same && !waits.first.is_zero() {
        notes.cannot(format!(
            "this back-off with the jitter `{}`: Envoy waits from 0 to a bound that doubles",
            jitter(*written.jitter)
        ));
    }
}

/// The words of `retry_on`, the widest ones that ask for nothing more.
pub(super) fn conditions(retry: &Retry, notes: &mut Notes) -> String {
    use Trouble as T;
    let wants = |trouble| retries(retry, trouble);
    let mut words = Vec::new();
    let resets = wants(T::Timeout) && wants(T::Refused);
    let whole = resets && wants(T::Rejected);
    if whole && wants(T::ServerError) {
        words.push("5xx");
    } else if whole && wants(T::GatewayError) {
        words.push("gateway-error");
    } else {
        for (there, word) in [
            (resets, "reset"),
            (wants(T::Refused) && !resets, "connect-failure"),
            (wants(T::Timeout) && !resets, "deadline-exceeded"),
            (wants(T::Rejected), "unavailable"),
            (wants(T::ServerError), "internal"),
        ] {
            if there {
                words.push(word);
            }
        }
        if wants(T::Rejected) && !wants(T::Refused) {
            notes.cannot("retries of rejections but not of refused connections");
        }
    }
    if wants(T::Conflict) {
        words.push("retriable-4xx");
    }
    if wants(T::RateLimited) {
        words.push("envoy-ratelimited");
    }
    if !retry.statuses.is_empty() {
        words.push("retriable-status-codes");
    }
    for trouble in [T::ClientError, T::RequestTimeout, T::BreakerOpen] {
        if retry.when.iter().any(|said| said.value == trouble) {
            notes.cannot(format!("retries after `{}`", trouble.word()));
        }
    }
    words.join(",")
}

fn cannot(policy: &CallPolicy, notes: &mut Notes) {
    notes.cannot_if(policy.hedge.as_ref(), "the hedge");
    notes.cannot_if(policy.rate_limit.as_ref(), "the rate limit");
    rarely_said(policy, notes);
}
