//! Linkerd's annotations of services and routes, and its older `ServiceProfile`.
//!
//! Read from linkerd2-proxy 29637b6 and linkerd2 b24cd40 (August 2026).

use squall_model::Span;
use squall_model::spec::tree::Node;

use super::cx::Cx;
use super::values::{Percent, Put, Said, list};
use crate::doc::Map;
use crate::read::{Fields, manifests};

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "gateway";

pub(super) fn import(cx: &mut Cx<'_>) {
    let documents = cx.documents();
    let all: Vec<&Node> = manifests(&documents).collect();
    let mut profiled = Vec::new();
    for document in &all {
        if Fields::of(document).text("kind") == Some("ServiceProfile") {
            profiled.extend(profile(cx, document));
        }
    }
    for document in all {
        let fields = Fields::of(document);
        match fields.text("kind") {
            Some("ServiceProfile") => {}
            Some("Service" | "HTTPRoute" | "GRPCRoute") => manifest(cx, &fields, &profiled),
            Some(kind) => cx.not_mapped(document.at, format!("a {kind}"), ""),
            None => {
                let to = cx.options.to.clone().unwrap_or_else(|| "callee".into());
                annotated(cx, (&to, document), &profiled);
            }
        }
    }
}

fn manifest(cx: &mut Cx<'_>, fields: &Fields<'_>, profiled: &[String]) {
    let Some(metadata) = fields.inner("metadata") else {
        return cx.error(fields.node().at, "a manifest without `metadata`", "");
    };
    let Some(annotations) = metadata.get("annotations") else { return };
    let spec = fields.inner("spec");
    let first = |list: &str| -> Option<String> {
        let parent = spec.as_ref()?.items(list).first()?;
        Fields::of(parent).text("name").map(str::to_owned)
    };
    let name = if fields.text("kind") == Some("Service") { None } else { first("parentRefs") };
    let Some(name) = name.or_else(|| metadata.text("name").map(str::to_owned)) else {
        return cx.error(metadata.node().at, "a manifest without a name", "");
    };
    let to = cx.name(&name);
    annotated(cx, (&to, annotations), profiled);
}

/// The value of an annotation, whatever it is.
fn annotation<T>(
    cx: &mut Cx<'_>,
    annotations: &Fields<'_>,
    name: &str,
    read: fn(&mut Cx<'_>, &Node) -> Option<T>,
) -> Option<Said<T>> {
    cx.field(annotations, name, |cx, node| read(cx, node))
}

fn annotated(cx: &mut Cx<'_>, (to, node): (&str, &Node), profiled: &[String]) {
    let annotations = Fields::of(node);
    let mut policy = Map::default();
    accrual(cx, &annotations, (&mut policy, profiled.iter().any(|name| name == to)));
    retries(cx, &annotations, &mut policy);
    policy.put_some(
        "deadline",
        annotation(cx, &annotations, "timeout.linkerd.io/request", |cx, node| cx.go_duration(node)),
    );
    for name in ["timeout.linkerd.io/response", "timeout.linkerd.io/idle"] {
        if let Some(entry) = annotations.entry(name) {
            cx.not_mapped(entry.key.at, format!("`{name}`"), "");
        }
    }
    for entry in annotations.rest().filter(|entry| entry.key.text.contains("linkerd.io/")) {
        cx.not_mapped(entry.key.at, format!("`{}`", entry.key.text), "");
    }
    if policy.is_empty() {
        return;
    }
    policy.set("balancer", "peak_ewma", "default");
    policy.arrange(&["deadline", "timeout", "retry", "breaker", "balancer"]);
    for from in cx.callers(to, CALLER) {
        cx.call(&from, to, &policy);
    }
}

fn accrual(cx: &mut Cx<'_>, annotations: &Fields<'_>, (policy, profiled): (&mut Map, bool)) {
    const PREFIX: &str = "balancer.linkerd.io/failure-accrual";
    let Some(mode) = annotation(cx, annotations, PREFIX, |cx, node| cx.word(node)) else {
        return;
    };
    let at = annotations.entry(PREFIX).map_or(annotations.node().at, |entry| entry.key.at);
    if profiled {
        return cx.trap(at, "failure accrual does not count where there is a ServiceProfile", "keep one of the two");
    }
    let breaker = policy.map("breaker");
    breaker.set("kind", "linkerd", "");
    match mode.value.as_str() {
        "consecutive" | "unified" => breaker.put("mode", mode),
        other => {
            let hint = "Linkerd ignores what it does not know: `consecutive` or `unified`";
            return cx.error(at, format!("`{other}` is not a kind of failure accrual"), hint);
        }
    }
    let prefixed = |name: &str| format!("{PREFIX}-consecutive-{name}");
    let failures = annotation(cx, annotations, &prefixed("max-failures"), |cx, node| cx.count(node));
    breaker.put("max_failures", failures.unwrap_or_else(|| Said::default(7, "default")));
    let usual = |seconds| Said::default(Span::from_secs(seconds), "default");
    let shortest = annotation(cx, annotations, &prefixed("min-penalty"), |cx, node| cx.go_duration(node));
    breaker.put("min_penalty", shortest.unwrap_or_else(|| usual(1)));
    let longest = annotation(cx, annotations, &prefixed("max-penalty"), |cx, node| cx.go_duration(node));
    breaker.put("max_penalty", longest.unwrap_or_else(|| usual(60)));
    let ratio = annotation(cx, annotations, &prefixed("jitter-ratio"), |cx, node| cx.number(node));
    breaker.put("jitter_ratio", ratio.unwrap_or_else(|| Said::default(0.5, "default")));
    let share = format!("{PREFIX}-unified-success-rate-threshold");
    breaker.put_some("success_ratio", annotation(cx, annotations, &share, |cx, node| cx.share(node)));
    breaker.put_some(
        "window",
        annotation(cx, annotations, &format!("{PREFIX}-unified-window"), |cx, node| cx.go_duration(node)),
    );
}

fn retries(cx: &mut Cx<'_>, annotations: &Fields<'_>, policy: &mut Map) {
    let http = annotation(cx, annotations, "retry.linkerd.io/http", |cx, node| cx.word(node));
    let grpc = annotation(cx, annotations, "retry.linkerd.io/grpc", |cx, node| cx.word(node));
    let limit = annotation(cx, annotations, "retry.linkerd.io/limit", |cx, node| cx.count(node));
    let timeout = annotation(cx, annotations, "retry.linkerd.io/timeout", |cx, node| cx.go_duration(node));
    if http.is_none() && grpc.is_none() {
        if let Some(entry) =
            annotations.entry("retry.linkerd.io/limit").or_else(|| annotations.entry("retry.linkerd.io/timeout"))
        {
            let what = "nothing is retried without `retry.linkerd.io/http` or `retry.linkerd.io/grpc`";
            cx.trap(entry.key.at, what, "say which statuses are to be tried again");
        }
        return;
    }
    // What takes longer is tried again.
    let timed = timeout.is_some();
    policy.put_some("timeout", timeout);
    let retry = policy.map("retry");
    retry.set("kind", "linkerd", "");
    retry.put("attempts", limit.unwrap_or_else(|| Said::default(1, "default")).map(|limit| limit.saturating_add(1)));
    retry.set("backoff", "exponential(25ms 2 250ms)", "default");
    let mut words: Vec<&str> = Vec::new();
    let mut statuses: Vec<u16> = Vec::new();
    let said = [http, grpc].into_iter().flatten();
    let mut why = String::new();
    for said in said {
        let at = annotations.node().at;
        for word in said.value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let found: &[&str] = match outcomes(word) {
                Some(found) => found,
                None => {
                    let range = word.split_once('-').unwrap_or((word, word));
                    match (range.0.parse::<u16>(), range.1.parse::<u16>()) {
                        (Ok(500), Ok(599)) => &["5xx", "rejected"],
                        (Ok(from), Ok(to)) if from <= to && to < 600 => {
                            statuses.extend(from..=to);
                            &[]
                        }
                        _ => {
                            cx.error(
                                at,
                                format!("`{word}` is not a status to retry"),
                                "write 5xx, gateway-error, or statuses",
                            );
                            continue;
                        }
                    }
                }
            };
            words.extend(found.iter().filter(|word| !words.contains(word)).copied().collect::<Vec<_>>());
        }
        why = said.why;
    }
    if timed && !words.contains(&"timeout") {
        words.push("timeout");
    }
    let retry = policy.map("retry");
    retry.set("when", list(&words), why.clone());
    if !super::values::fits(&statuses) {
        cx.not_mapped(annotations.node().at, "more than eight statuses to retry: the first eight count", "");
        statuses.truncate(8);
    }
    if !statuses.is_empty() {
        retry.set("statuses", list(&statuses), why);
    }
}

/// The failures that a word of `retry.linkerd.io/http` or `/grpc` stands for.
pub(crate) fn outcomes(word: &str) -> Option<&'static [&'static str]> {
    Some(match word {
        "5xx" => &["5xx", "rejected"],
        "gateway-error" => &["gateway_error", "rejected"],
        "4xx" => &["4xx"],
        "unavailable" => &["rejected", "refused"],
        "internal" | "unknown" | "data-loss" => &["5xx"],
        "deadline-exceeded" => &["timeout"],
        "resource-exhausted" => &["rate_limited"],
        "cancelled" => &[],
        _ => return None,
    })
}

/// A `ServiceProfile`: which routes are retried, and a budget. Answers its service.
fn profile(cx: &mut Cx<'_>, document: &Node) -> Option<String> {
    let fields = Fields::of(document);
    let name = fields.inner("metadata").and_then(|metadata| metadata.text("name"));
    let Some(name) = name.map(|name| cx.name(name.split('.').next().unwrap_or(name))) else {
        cx.error(document.at, "a ServiceProfile without a name", "");
        return None;
    };
    let spec = fields.inner("spec")?;
    let routes: Vec<Fields<'_>> = spec.items("routes").iter().map(Fields::of).collect();
    let retryable = routes.iter().find(|route| route.text("isRetryable") == Some("true"));
    let mut policy = Map::default();
    if let Some(route) = retryable {
        let why = route.entry("isRetryable").map(|entry| cx.place(entry.key.at)).unwrap_or_default();
        let retry = policy.map("retry");
        retry.set("attempts", "100", format!("{why}: only the budget limits them"));
        retry.set("when", "[5xx, rejected]", "default");
        let mut budget = Map::default();
        budget.set("kind", "tower", "");
        let shares = spec.inner("retryBudget");
        let shares = shares.as_ref();
        let ratio = shares.and_then(|shares| cx.field(shares, "retryRatio", Cx::share));
        let least = shares.and_then(|shares| cx.field(shares, "minRetriesPerSecond", Cx::count));
        let ttl = shares.and_then(|shares| cx.field(shares, "ttl", Cx::go_duration));
        budget.put("retry_percent", ratio.unwrap_or_else(|| Said::default(Percent(20.0), "default")));
        budget.put("min_per_sec", least.unwrap_or_else(|| Said::default(10, "default")));
        budget.put("ttl", ttl.unwrap_or_else(|| Said::default(Span::from_secs(10), "default")));
        retry.set("budget", budget, "");
        if routes.iter().any(|route| route.text("isRetryable") != Some("true")) {
            cx.approximated(document.at, format!("only some routes of {name} are retried; here all are"), "");
        }
    }
    if let Some(timeout) = routes.iter().find_map(|route| cx.field(route, "timeout", Cx::go_duration)) {
        policy.put("deadline", timeout);
    }
    if !policy.is_empty() {
        policy.set("balancer", "peak_ewma", "default");
        for from in cx.callers(&name, CALLER) {
            cx.call(&from, &name, &policy);
        }
    }
    Some(name)
}
