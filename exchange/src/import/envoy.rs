//! Envoy's clusters and routes, wherever in a file they stand: a bootstrap, a list of clusters, a configuration dump.
//!
//! Read from Envoy 1.40. Limits and outlier detection belong to a cluster; timeouts and retries to a route.

use std::collections::BTreeMap;

use squall_model::Span;
use squall_model::spec::At;
use squall_model::spec::tree::{Kind, Node};

use super::cx::Cx;
use super::mesh::{RetryOn, UNLIMITED, backoff, limits, warn_of_no_ejection};
use super::skeleton::ENDPOINT;
use super::values::{Percent, Put, Said};
use crate::doc::{Item, Map, Value};
use crate::read::Fields;

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "envoy";

pub(super) fn import(cx: &mut Cx<'_>) {
    let documents = cx.documents();
    let mut found = Found::default();
    documents.iter().for_each(|document| found.look(document));
    let mut clusters = BTreeMap::new();
    for node in &found.clusters {
        let cluster = cluster(cx, &Fields::of(node));
        clusters.insert(cluster.name.clone(), cluster);
    }
    for table in found.tables {
        routes(cx, table, &mut clusters);
    }
    // In the order of the file, not of the names.
    for node in &found.clusters {
        let name = cx.name(Fields::of(node).text("name").unwrap_or_default());
        let Some(cluster) = clusters.get(&name) else { continue };
        if !cluster.routed {
            for from in cx.callers(&name, CALLER) {
                cx.call(&from, &name, &cluster.policy);
            }
        }
    }
}

/// Where clusters and route tables stand.
#[derive(Default)]
struct Found<'a> {
    clusters: Vec<&'a Node>,
    tables: Vec<&'a Node>,
}

impl<'a> Found<'a> {
    fn look(&mut self, node: &'a Node) {
        let fields = Fields::of(node);
        let cluster = ["lb_policy", "load_assignment", "circuit_breakers", "outlier_detection", "connect_timeout"];
        if fields.get("virtual_hosts").is_some() {
            self.tables.push(node);
        } else if fields.get("name").is_some() && cluster.iter().any(|key| fields.get(key).is_some()) {
            self.clusters.push(node);
        } else {
            match &node.kind {
                Kind::List(items) => items.iter().for_each(|item| self.look(item)),
                Kind::Map(entries) => entries.iter().for_each(|entry| self.look(&entry.value)),
                _ => {}
            }
        }
    }
}

/// A cluster as policies of whoever calls it.
struct Cluster {
    name: String,
    policy: Map,
    /// How many retries there may be at once.
    budget: Map,
    routed: bool,
}

fn default<T>(value: T) -> Said<T> {
    Said::default(value, "default")
}

fn cluster(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Cluster {
    let name = cx.name(fields.text("name").unwrap_or_default());
    let hosts = hosts(fields);
    if !cx.added && hosts.is_some_and(|hosts| hosts > 1) {
        let why = fields.entry("load_assignment").map(|entry| cx.place(entry.key.at)).unwrap_or_default();
        cx.service(&name).set("replicas", hosts.unwrap_or(1).to_string(), why);
    }
    let mut policy = Map::default();
    let mut budget = Map::default();
    thresholds(cx, fields, (&mut policy, &mut budget));
    outliers(cx, fields, (&mut policy, hosts));
    balancer(cx, fields, &mut policy);
    policy.set("order", "envoy", "");
    policy.arrange(&["deadline", "timeout", "retry", "breaker", "bulkhead", "balancer", "order"]);
    for quiet in ["type", "dns_lookup_family", "alt_stat_name", "cluster_type", "eds_cluster_config", "@type"] {
        fields.entry(quiet);
    }
    if let Some(entry) = fields.entry("connect_timeout") {
        cx.not_mapped(entry.key.at, format!("`connect_timeout` of {name}: here a connection is made or refused"), "");
    }
    for http2 in ["http2_protocol_options", "typed_extension_protocol_options"] {
        if let Some(entry) = fields.entry(http2) {
            cx.approximated(entry.key.at, format!("`{}` of {name}: connections are HTTP/1.1 here", entry.key.text), "");
        }
    }
    cx.rest(fields, &format!("the cluster {name}"));
    Cluster { name, policy, budget, routed: false }
}

/// How many endpoints a cluster lists.
fn hosts(fields: &Fields<'_>) -> Option<u32> {
    let assignment = fields.inner("load_assignment")?;
    let all = assignment.items("endpoints").iter().map(|locality| Fields::of(locality).items("lb_endpoints").len());
    Some(all.sum::<usize>() as u32).filter(|hosts| *hosts > 0)
}

fn thresholds(cx: &mut Cx<'_>, fields: &Fields<'_>, (policy, budget): (&mut Map, &mut Map)) {
    let breakers = fields.inner("circuit_breakers");
    let all = breakers.as_ref().map_or(&[][..], |breakers| breakers.items("thresholds"));
    let of_default =
        |node: &&Node| !Fields::of(node).text("priority").is_some_and(|word| word == "HIGH" || word == "1");
    for high in all.iter().filter(|node| !of_default(node)) {
        cx.not_mapped(high.at, "thresholds of priority HIGH: every request is of the usual one", "");
    }
    let empty = Node::empty(At::default());
    let node = all.iter().find(of_default).unwrap_or(&empty);
    let fields = Fields::of(node);
    fields.entry("priority");
    fields.entry("track_remaining");
    let mut count = |name, usual| cx.field(&fields, name, Cx::count).unwrap_or_else(|| default(usual));
    let (connections, pending) = (count("max_connections", 1024), count("max_pending_requests", 1024));
    let (requests, retries) = (count("max_requests", 1024), cx.field(&fields, "max_retries", Cx::count));
    if pending.value == 0 {
        let at = fields.entry("max_pending_requests").map_or_else(At::default, |entry| entry.key.at);
        let what =
            "max_pending_requests 0 refuses every request that finds no idle connection, so all of them at first";
        cx.trap(at, what, "a request is pending while its connection opens: allow at least as many as connections");
    }
    if let Some(limits) = limits(connections, pending, requests) {
        policy.set("bulkhead", limits, "");
    }
    if let Some(shares) = fields.inner("retry_budget") {
        budget.set("kind", "envoy", "");
        let percent = cx.field(&shares, "budget_percent", Cx::percent).unwrap_or_else(|| default(Percent(20.0)));
        budget.put("budget_percent", percent);
        budget.put(
            "min_retry_concurrency",
            cx.field(&shares, "min_retry_concurrency", Cx::count).unwrap_or_else(|| default(3)),
        );
        budget.put_some("budget_interval", cx.field(&shares, "budget_interval", Cx::proto_duration));
        if let Some(entry) = fields.entry("max_retries") {
            cx.trap(entry.key.at, "`max_retries` does not count beside a retry budget", "leave one of the two out");
        }
        cx.rest(&shares, "the retry budget");
    } else if retries.as_ref().is_none_or(|retries| retries.value != UNLIMITED) {
        budget.set("kind", "envoy", "");
        budget.put("max_retries", retries.unwrap_or_else(|| default(3)));
    }
    cx.rest(&fields, "the thresholds");
    if let Some(breakers) = breakers {
        cx.rest(&breakers, "the circuit breakers");
    }
}

/// Fields of outlier detection that are written as they are.
const COUNTS: [&str; 8] = [
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
];
const PERCENTS: [&str; 6] = [
    "enforcing_consecutive_5xx",
    "enforcing_consecutive_gateway_failure",
    "enforcing_consecutive_local_origin_failure",
    "enforcing_success_rate",
    "enforcing_failure_percentage",
    "failure_percentage_threshold",
];

fn outliers(cx: &mut Cx<'_>, fields: &Fields<'_>, (policy, hosts): (&mut Map, Option<u32>)) {
    let Some(entry) = fields.entry("outlier_detection").filter(|entry| !entry.value.is_null()) else { return };
    let outliers = Fields::of(&entry.value);
    let breaker = policy.map("breaker");
    breaker.set("kind", "envoy_outlier", "");
    for name in COUNTS {
        let usual = (name == "consecutive_5xx").then(|| default(5));
        breaker.put_some(name, cx.field(&outliers, name, Cx::count).or(usual));
    }
    for name in PERCENTS {
        breaker.put_some(name, cx.field(&outliers, name, Cx::whole_percent));
    }
    for (name, usual) in [
        ("interval", Some(10)),
        ("base_ejection_time", Some(30)),
        ("max_ejection_time", None),
        ("max_ejection_time_jitter", None),
    ] {
        let usual = usual.map(|seconds| default(Span::from_secs(seconds)));
        breaker.put_some(name, cx.field(&outliers, name, Cx::proto_duration).or(usual));
    }
    let percent =
        cx.field(&outliers, "max_ejection_percent", Cx::whole_percent).unwrap_or_else(|| default(Percent(10.0)));
    let always = cx.field(&outliers, "always_eject_one_host", Cx::boolean);
    if always.as_ref().is_none_or(|always| !always.value) {
        let at = outliers.entry("max_ejection_percent").map_or(entry.key.at, |entry| entry.key.at);
        warn_of_no_ejection(cx, at, (percent.value.0, hosts));
    }
    let breaker = policy.map("breaker");
    breaker.put("max_ejection_percent", percent);
    breaker.put_some("always_eject_one_host", always);
    let split = cx.field(&outliers, "split_external_local_origin_errors", Cx::boolean);
    policy.map("breaker").put_some("split_external_local_origin_errors", split);
    if let Some(common) = fields.inner("common_lb_config") {
        let breaker = policy.map("breaker");
        breaker.put_some("healthy_panic_threshold", cx.field(&common, "healthy_panic_threshold", Cx::percent));
        breaker.put_some("update_merge_window", cx.field(&common, "update_merge_window", Cx::proto_duration));
        cx.rest(&common, "common_lb_config");
    }
    cx.rest(&outliers, "the outlier detection");
}

fn balancer(cx: &mut Cx<'_>, fields: &Fields<'_>, policy: &mut Map) {
    let said = cx.field(fields, "lb_policy", Cx::word);
    let (word, why) =
        said.map_or_else(|| ("ROUND_ROBIN".to_owned(), "default".to_owned()), |said| (said.value, said.why));
    let mut balancer = Map::default();
    let kind = match word.as_str() {
        "ROUND_ROBIN" | "0" => "round_robin",
        "LEAST_REQUEST" | "1" => "least_request",
        "RING_HASH" | "2" => "ring_hash",
        "RANDOM" | "3" => "random",
        "MAGLEV" | "5" => "maglev",
        _ => {
            let at = fields.entry("lb_policy").map_or_else(At::default, |entry| entry.value.at);
            return cx.not_mapped(at, format!("the balancer `{word}`"), "");
        }
    };
    let details: [(&str, &str, &[&str]); 3] = [
        ("least_request", "least_request_lb_config", &["choice_count"]),
        ("ring_hash", "ring_hash_lb_config", &["minimum_ring_size", "maximum_ring_size"]),
        ("maglev", "maglev_lb_config", &["table_size"]),
    ];
    for (of, name, counts) in details {
        let Some(config) = fields.inner(name).filter(|_| of == kind) else { continue };
        for count in counts {
            balancer.put_some(count, cx.field(&config, count, Cx::count));
        }
        cx.rest(&config, name);
    }
    if matches!(kind, "ring_hash" | "maglev")
        && let Some(common) = fields.inner("common_lb_config")
        && let Some(consistent) = common.inner("consistent_hashing_lb_config")
    {
        balancer.put_some("hash_balance_factor", cx.field(&consistent, "hash_balance_factor", Cx::count));
    }
    if balancer.is_empty() {
        policy.set("balancer", kind, why);
    } else {
        balancer.set("kind", kind, why);
        balancer.arrange(&["kind"]);
        policy.set("balancer", balancer, "");
    }
}

fn routes(cx: &mut Cx<'_>, table: &Node, clusters: &mut BTreeMap<String, Cluster>) {
    for host in Fields::of(table).items("virtual_hosts") {
        let host = Fields::of(host);
        for quiet in ["name", "domains"] {
            host.entry(quiet);
        }
        let usual_retry = host.get("retry_policy");
        for node in host.items("routes") {
            route(cx, &Fields::of(node), usual_retry, clusters);
        }
        cx.rest(&host, "the virtual host");
    }
}

fn route(cx: &mut Cx<'_>, fields: &Fields<'_>, usual_retry: Option<&Node>, clusters: &mut BTreeMap<String, Cluster>) {
    let path = fields.inner("match").map_or_else(|| "/".into(), |of| path(cx, &of));
    let name = fields.text("name").map(str::to_owned);
    let Some(action) = fields.inner("route") else {
        let at = fields.node().at;
        return cx.not_mapped(at, format!("the route {path}, which leads to no cluster"), "");
    };
    let targets = targets(cx, &action);
    if targets.is_empty() {
        let at = action.node().at;
        return cx.not_mapped(at, format!("the route {path}: its cluster is chosen at run time"), "");
    }
    let mut policy = Map::default();
    timeouts(cx, &action, &mut policy);
    let of_route = action.get("retry_policy").or(usual_retry);
    let hedges = hedges(cx, &action);
    let mut overrides: BTreeMap<String, Map> = BTreeMap::new();
    for (to, _) in &targets {
        let known = clusters.get(to).map(|cluster| (cluster.policy.clone(), cluster.budget.clone(), cluster.routed));
        let (mut whole, budget, routed) = known.unwrap_or_default();
        let mut own = policy.clone();
        if let Some(retry) = of_route {
            retries(cx, &Fields::of(retry), (&mut own, &budget));
        }
        if let Some(at) = hedges {
            hedge_slow_tries(cx, at, &mut own);
        }
        if routed {
            for key in ["deadline", "timeout", "retry"] {
                let hedged = key == "retry" && own.has("hedge");
                if !own.has(key) && !hedged {
                    own.set(key, "none", "another route's do not count here");
                }
            }
            overrides.insert(to.clone(), own);
            continue;
        }
        for entry in own.iter() {
            whole.set(&entry.key, entry.value.clone(), entry.beside.clone().unwrap_or_default());
        }
        whole.arrange(&["deadline", "timeout", "retry", "hedge", "breaker", "bulkhead", "balancer", "order"]);
        for from in cx.callers(to, CALLER) {
            cx.call(&from, to, &whole);
        }
        if let Some(cluster) = clusters.get_mut(to) {
            cluster.routed = true;
        }
    }
    for quiet in [
        "auto_host_rewrite",
        "host_rewrite_literal",
        "prefix_rewrite",
        "regex_rewrite",
        "cluster_not_found_response_code",
    ] {
        action.entry(quiet);
    }
    cx.rest(&action, &format!("the route {path}"));
    if !cx.added {
        endpoint(cx, (name, path), &targets, &overrides);
    }
}

/// The path that a route matches.
fn path(cx: &mut Cx<'_>, of: &Fields<'_>) -> String {
    let path = ["prefix", "path", "path_separated_prefix"].iter().find_map(|key| of.text(key));
    if path.is_none()
        && let Some(entry) = of.entry("safe_regex").or_else(|| of.entry("path_match_policy"))
    {
        cx.not_mapped(entry.key.at, "a route by pattern: `/` stands for it", "");
    }
    for entry in of.rest() {
        cx.not_mapped(entry.key.at, format!("`{}` of a route's match", entry.key.text), "");
    }
    path.unwrap_or("/").to_owned()
}

/// Where a route leads, with weights.
fn targets(cx: &mut Cx<'_>, action: &Fields<'_>) -> Vec<(String, u32)> {
    if let Some(name) = action.text("cluster") {
        return vec![(cx.name(name), 1)];
    }
    let Some(weighted) = action.inner("weighted_clusters") else { return Vec::new() };
    let mut targets = Vec::new();
    for node in weighted.items("clusters") {
        let fields = Fields::of(node);
        let weight = fields.get("weight").map_or(Some(1), |node| cx.count(node)).unwrap_or(1);
        if let Some(name) = fields.text("name") {
            targets.push((cx.name(name), weight));
        }
    }
    targets
}

fn timeouts(cx: &mut Cx<'_>, action: &Fields<'_>, policy: &mut Map) {
    let timeout = cx.field(action, "timeout", Cx::proto_duration).unwrap_or_else(|| default(Span::from_secs(15)));
    if !timeout.value.is_zero() {
        policy.put("deadline", timeout);
    }
}

fn retries(cx: &mut Cx<'_>, retry: &Fields<'_>, (policy, budget): (&mut Map, &Map)) {
    let at = retry.node().at;
    let Some(on) = cx.field(retry, "retry_on", Cx::word) else {
        return cx.trap(at, "a retry policy without `retry_on` never retries", "say what is to be tried again");
    };
    let codes: Vec<u16> =
        retry.items("retriable_status_codes").iter().filter_map(|node| node.text()?.parse().ok()).collect();
    let words = RetryOn::read(cx, &on.value, &codes, retry.entry("retry_on").map_or(at, |entry| entry.value.at));
    let attempts = cx.field(retry, "num_retries", Cx::count).unwrap_or_else(|| default(1));
    let try_timeout = cx.field(retry, "per_try_timeout", Cx::proto_duration);
    policy.put_some("timeout", try_timeout.filter(|timeout| !timeout.value.is_zero()));
    let mut settings = Map::default();
    settings.set("kind", "envoy", "");
    settings.put("attempts", attempts.map(|retries| retries.saturating_add(1)));
    match retry.inner("retry_back_off") {
        Some(back_off) => {
            let base = cx
                .field(&back_off, "base_interval", Cx::proto_duration)
                .unwrap_or_else(|| default(Span::from_millis(25)));
            let longest = cx.field(&back_off, "max_interval", Cx::proto_duration);
            settings.set("backoff", backoff(base.value, longest.map(|said| said.value)), base.why);
            cx.rest(&back_off, "retry_back_off");
        }
        None => settings.set("backoff", backoff(Span::from_millis(25), None), "default"),
    }
    words.put(&mut settings, &on.why);
    let predicates = retry.items("retry_host_predicate");
    if !predicates.is_empty() {
        let again = cx.field(retry, "host_selection_retry_max_attempts", Cx::count).unwrap_or_else(|| default(1));
        settings.put("avoid_tried", again);
    }
    if !budget.is_empty() {
        settings.set("budget", budget.clone(), "");
    }
    cx.rest(retry, "the retry policy");
    policy.set("retry", settings, "");
}

/// Where a route says that a try that has timed out is kept, and another sent.
fn hedges(cx: &mut Cx<'_>, action: &Fields<'_>) -> Option<At> {
    let policy = action.inner("hedge_policy")?;
    let slow = cx.field(&policy, "hedge_on_per_try_timeout", Cx::boolean).is_some_and(|said| said.value);
    let at = policy.entry("hedge_on_per_try_timeout").map(|entry| entry.key.at);
    cx.rest(&policy, "the hedge policy");
    at.filter(|_| slow)
}

/// Makes hedges of the retries of a route: each goes when the try before has taken its time-out, and that one is kept.
fn hedge_slow_tries(cx: &mut Cx<'_>, at: At, policy: &mut Map) {
    let after = policy.text("timeout").map(str::to_owned);
    let retry = policy.inner("retry").cloned();
    let attempts = retry.as_ref().and_then(|retry| retry.text("attempts")?.parse::<u32>().ok()).unwrap_or(1);
    let (Some(after), Some(retry), Some(retries @ 1..)) = (after, retry, attempts.checked_sub(1)) else {
        let what = "`hedge_on_per_try_timeout` does nothing without a `per_try_timeout` and retries";
        return cx.trap(at, what, "set both");
    };
    policy.take("timeout");
    policy.take("retry");
    let why = cx.place(at);
    let hedge = policy.map("hedge");
    hedge.set("after", after, why);
    hedge.set("attempts", retries.min(10).to_string(), "");
    for key in ["when", "budget"] {
        if let Some(entry) = retry.iter().find(|entry| entry.key == key) {
            hedge.set(key, entry.value.clone(), entry.beside.clone().unwrap_or_default());
        }
    }
    let what =
        "a try that is slow is kept and another one sent: as a hedge, which after a failure goes without a back-off";
    cx.approximated(at, what, "");
}

/// The endpoint of the caller that stands for a route.
fn endpoint(
    cx: &mut Cx<'_>,
    (name, path): (Option<String>, String),
    targets: &[(String, u32)],
    overrides: &BTreeMap<String, Map>,
) {
    let from = cx.options.from.clone().unwrap_or_else(|| CALLER.to_owned());
    let fallback = || if path == "/" { "root".to_owned() } else { path.trim_matches('/').replace('/', "-") };
    let wanted = cx.name(&name.unwrap_or_else(fallback));
    let endpoints = cx.service(&from).map("endpoints");
    let mut unique = wanted.clone();
    let mut number = 2;
    while endpoints.has(&unique) {
        unique = format!("{wanted}-{number}");
        number += 1;
    }
    let total: u32 = targets.iter().fold(0, |sum, (_, weight)| sum.saturating_add(*weight));
    let steps = choose(targets, f64::from(total.max(1)), overrides);
    let endpoint = endpoints.map(&unique);
    let path = if super::values::is_path(&path) { path } else { format!("/{unique}") };
    endpoint.set("http", crate::doc::scalar(&format!("GET {path}")), "");
    endpoint.set("steps", steps, "");
}

/// One call, or one of several by chance.
fn choose(targets: &[(String, u32)], left: f64, overrides: &BTreeMap<String, Map>) -> Vec<Item> {
    let Some(((to, weight), rest)) = targets.split_first() else { return Vec::new() };
    let mut call = Map::default();
    match overrides.get(to) {
        Some(own) => {
            let long = call.map("call");
            long.set("to", format!("{to}.{ENDPOINT}"), "");
            for entry in own.iter() {
                long.set(&entry.key, entry.value.clone(), entry.beside.clone().unwrap_or_default());
            }
        }
        None => call.set("call", format!("{to}.{ENDPOINT}"), ""),
    }
    if rest.is_empty() || left <= 0.0 {
        return vec![Item::new(call)];
    }
    let mut chance = Map::default();
    let of = chance.map("chance");
    of.set("of", Percent(f64::from(*weight) / left * 100.0).to_string(), "");
    of.set("do", Value::List(vec![Item::new(call)]), "");
    of.set("else", Value::List(choose(rest, left - f64::from(*weight), overrides)), "");
    vec![Item::new(chance)]
}
