//! An Envoy bootstrap: one listener that stands for the callers, a route and a cluster for each callee.

use squall_model::Span;
use squall_model::spec::{
    Backoff, Balancer, Breaker, Budget, Bulkhead, CallPolicy, Choice, EnvoyOutlier, Jitter, Layer, Retry, Share,
    Topology, Trouble,
};

use super::calls::{
    Call, NOTHING, Notes, Say, breaker_kind, budget_kind, calls, compare, jitter, number, order, percent, rarely_said,
    retries, retries_of, room, seconds, waits,
};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, Value, scalar};
use crate::import::outcomes_of_retry_on;

/// The order of Envoy's policies, outside in.
pub(super) const ORDER: [Layer; 3] = [Layer::Retry, Layer::Timeout, Layer::Bulkhead];

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let all = calls(topology, options, &mut notes);
    let (mut clusters, mut routes): (Vec<Item>, Vec<Item>) = (Vec::new(), Vec::new());
    let mut written: Vec<&str> = Vec::new();
    for call in &all {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        if written.contains(&call.to) {
            about.cannot("calls", "another caller's policies for the same cluster stand; use --of");
        } else {
            written.push(call.to);
            clusters.push(Item::new(cluster(topology, call, &mut about)));
            routes.push(Item::new(route(call, &mut about)));
            cannot(&call.policy, &mut about);
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
    let policy = &*call.policy;
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
            notes.cannot("breaker", "half-open probes: an ejected host comes back whole; it is a host that is ejected");
        }
        Some(other) => notes.cannot("breaker", format!("of kind {}, which is left out", breaker_kind(other))),
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
                notes.cannot("balancer", format!("least requests by `{}`", of.choice.word()));
            }
        }
        Balancer::RingHash(of) => {
            cluster.say("lb_policy", "RING_HASH");
            let config = cluster.map("ring_hash_lb_config");
            config.say("minimum_ring_size", *of.minimum_ring_size);
            config.say("maximum_ring_size", *of.maximum_ring_size);
            bounded(cluster, *of.hash_balance_factor);
        }
        Balancer::Maglev(of) => {
            cluster.say("lb_policy", "MAGLEV");
            cluster.map("maglev_lb_config").say("table_size", *of.table_size);
            bounded(cluster, *of.hash_balance_factor);
        }
        Balancer::PeakEwma(_) => {
            cluster.say("lb_policy", "LEAST_REQUEST");
            notes.cannot("balancer", "peak EWMA; least requests are written");
        }
    }
}

/// How much of the mean load one host may have.
fn bounded(cluster: &mut Map, factor: u32) {
    if factor > 0 {
        cluster.map("common_lb_config").map("consistent_hashing_lb_config").say("hash_balance_factor", factor);
    }
}

fn thresholds(policy: &CallPolicy, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    match policy.bulkhead.as_ref().map(|bulkhead| &bulkhead.value) {
        Some(Bulkhead::Envoy(limits)) => {
            settings.say("max_connections", *limits.max_connections);
            settings.say("max_pending_requests", *limits.max_pending_requests);
            settings.say("max_requests", *limits.max_requests);
            if !limits.connect.is_zero() {
                notes.cannot("bulkhead.connect", "opening a connection takes what it takes there");
            }
        }
        other => {
            // Where nothing is said Envoy has limits of its own, of 1024.
            let limit = other.and_then(|bulkhead| room(bulkhead).limit);
            settings.say("max_connections", u32::MAX);
            settings.say("max_pending_requests", u32::MAX);
            settings.say("max_requests", limit.unwrap_or(u32::MAX));
            if limit.is_some() {
                notes.cannot("bulkhead", "of another kind; its largest size is written as max_requests");
            }
        }
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
            notes.cannot("retry.budget", "of all calls; Envoy's is of calls at the same time");
        }
        Some(other) => {
            settings.say("max_retries", u32::MAX);
            notes.cannot("retry.budget", format!("of kind {}, which is left out", budget_kind(other)));
        }
        None if policy.retry.is_some() => {
            settings.say("max_retries", u32::MAX);
        }
        None => {}
    }
    settings
}

/// Per cent in whole numbers.
pub(super) fn whole_percent(setting: &str, share: Share, notes: &mut Notes) -> f64 {
    let whole = percent(share).round();
    if (whole - percent(share)).abs() > 0.0 {
        notes.cannot(&format!("breaker.{setting}"), format!("{} % in whole per cent is {whole} %", percent(share)));
    }
    whole
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
    for (name, percent) in [
        ("enforcing_consecutive_5xx", *of.enforcing_consecutive_5xx),
        ("enforcing_consecutive_gateway_failure", *of.enforcing_consecutive_gateway_failure),
        ("enforcing_consecutive_local_origin_failure", *of.enforcing_consecutive_local_origin_failure),
        ("enforcing_success_rate", *of.enforcing_success_rate),
        ("enforcing_failure_percentage", *of.enforcing_failure_percentage),
        ("failure_percentage_threshold", *of.failure_percentage_threshold),
        ("max_ejection_percent", *of.max_ejection_percent),
    ] {
        settings.say(name, percent.0);
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
    let policy = &*call.policy;
    order(policy, &ORDER, notes);
    action.say("timeout", policy.deadline.as_ref().map_or_else(|| "0s".into(), |deadline| seconds(deadline.value)));
    let words = policy.retry.as_ref().map(|retry| conditions(retry, notes)).filter(|words| !words.is_empty());
    if let (Some(written), Some(words)) = (&policy.retry, words) {
        let retry = action.map("retry_policy");
        retry.say("retry_on", words);
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
    back_off_fits(written, notes);
    let waits = waits(*written.backoff);
    let settings = retry.map("retry_back_off");
    let first = waits.first.max(Span::from_millis(1));
    settings.say("base_interval", seconds(first));
    let longest = waits.longest.unwrap_or(if waits.factor.is_some() { first * 10 } else { first });
    settings.say("max_interval", seconds(longest.max(first)));
}

/// Envoy waits from 0 to a bound that doubles up to the longest; tells of any other wait.
pub(super) fn back_off_fits(written: &Retry, notes: &mut Notes) {
    let waits = waits(*written.backoff);
    if waits.first < Span::from_millis(1) {
        notes.cannot("retry.backoff", "no wait, or hardly one; up to 1 ms is written");
    }
    let own = matches!(*written.backoff, Backoff::Envoy { .. });
    if !own && waits.factor != Some(2.0) {
        notes.cannot("retry.backoff", "it does not double; Envoy's bound does");
    } else if waits.longest.is_none() {
        notes.cannot("retry.backoff", "it grows without end; ten times the first wait is the longest there");
    }
    if !own && *written.jitter != Jitter::Full {
        notes.cannot("retry.jitter", format!("`{}`; Envoy waits from 0 to the bound", jitter(*written.jitter)));
    }
}

/// The words of `retry_on` that come nearest; tells of what they miss or ask for besides.
pub(super) fn conditions(retry: &Retry, notes: &mut Notes) -> String {
    use Trouble as T;
    let wants = |trouble| retries(retry, trouble);
    let mut words = Vec::new();
    let resets = wants(T::Timeout) && wants(T::Refused);
    if wants(T::ServerError) {
        words.push("5xx");
    } else if resets && wants(T::Rejected) && wants(T::GatewayError) {
        words.push("gateway-error");
    } else {
        for (there, word) in [
            (wants(T::Timeout), "reset"),
            (wants(T::Refused) && !wants(T::Timeout), "connect-failure"),
            (wants(T::Rejected), "unavailable"),
        ] {
            if there {
                words.push(word);
            }
        }
    }
    if wants(T::Conflict) {
        words.push("retriable-4xx");
    }
    if wants(T::RateLimited) {
        words.push("envoy-ratelimited");
    }
    let outcomes: Vec<&str> = words.iter().flat_map(|word| outcomes_of_retry_on(word)).copied().collect();
    compare("retry.when", &retry.when, &outcomes, notes);
    if !retry.statuses.is_empty() {
        words.push("retriable-status-codes");
    }
    words.join(",")
}

fn cannot(policy: &CallPolicy, notes: &mut Notes) {
    notes.cannot_if(policy.hedge.as_ref(), "hedge", "Envoy hedges only when a try times out");
    notes.cannot_if(policy.rate_limit.as_ref(), "rate_limit", NOTHING);
    rarely_said(policy, notes);
}
