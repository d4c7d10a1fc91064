//! A gRPC service config: retries, hedging, throttling, deadlines.
//!
//! Read from gRPC A6 and grpc-go 4793ad0.

use squall_model::Span;
use squall_model::spec::tree::Node;
use squall_model::spec::{At, Problem, did_you_mean};

use super::cx::Cx;
use super::values::{Put, Said, list};
use crate::doc::Map;
use crate::read::Fields;

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "client";
/// gRPC never makes more attempts than this.
const MOST: u32 = 5;

pub(super) fn import(cx: &mut Cx<'_>) {
    for document in cx.documents() {
        config(cx, &Fields::of(&document));
    }
}

fn config(cx: &mut Cx<'_>, fields: &Fields<'_>) {
    let budget = throttling(cx, fields);
    let balancer = balancing(cx, fields);
    let mut known: Vec<String> = Vec::new();
    for node in fields.items("methodConfig") {
        let method = Fields::of(node);
        for (to, whole) in names(cx, &method) {
            if known.contains(&to) {
                cx.not_mapped(node.at, format!("a second configuration for {to}: the first one counts"), "");
                continue;
            }
            if !whole {
                cx.approximated(node.at, format!("it is for one method of {to}; here it is for all"), "");
            }
            known.push(to.clone());
            let mut policy = method_config(cx, &method, budget.as_ref());
            if let Some(balancer) = &balancer {
                policy.set("balancer", balancer.value, balancer.why.clone());
            }
            for from in cx.callers(&to, CALLER) {
                cx.call(&from, &to, &policy);
            }
        }
        for quiet in ["maxRequestMessageBytes", "maxResponseMessageBytes", "waitForReady"] {
            method.entry(quiet);
        }
        cx.rest(&method, "the method config");
    }
    fields.entry("healthCheckConfig");
    cx.rest(fields, "the service config");
}

/// The services that a configuration is for, and whether for all their methods.
fn names(cx: &mut Cx<'_>, method: &Fields<'_>) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for node in method.items("name") {
        let fields = Fields::of(node);
        let whole = fields.text("method").is_none_or(str::is_empty);
        let service = fields.text("service").filter(|service| !service.is_empty());
        let to = match (&cx.options.to, service) {
            (Some(to), _) => to.clone(),
            (None, Some(service)) => cx.name(&service.rsplit('.').next().unwrap_or(service).to_lowercase()),
            (None, None) => "callee".into(),
        };
        if !names.contains(&(to.clone(), whole)) {
            names.push((to, whole));
        }
    }
    names
}

fn method_config(cx: &mut Cx<'_>, method: &Fields<'_>, budget: Option<&Map>) -> Map {
    let mut policy = Map::default();
    policy.put_some("deadline", cx.field(method, "timeout", Cx::proto_duration));
    let (retry, hedging) = (method.inner("retryPolicy"), method.inner("hedgingPolicy"));
    if let (Some(_), Some(hedging)) = (&retry, &hedging) {
        cx.error(hedging.node().at, "a retry policy and a hedging policy for the same methods", "keep one of the two");
    }
    if let Some(retry) = retry {
        retries(cx, &retry, (&mut policy, budget));
    }
    if let Some(hedging) = hedging {
        hedges(cx, &hedging, (&mut policy, budget));
    }
    policy
}

fn attempts(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Said<u32> {
    let Some(said) = cx.field(fields, "maxAttempts", Cx::count) else {
        cx.error(fields.node().at, "`maxAttempts` is missing", "gRPC refuses a policy without it");
        return Said::default(2, "");
    };
    let at = fields.entry("maxAttempts").map_or_else(At::default, |entry| entry.value.at);
    if said.value < 2 {
        cx.error(at, format!("`maxAttempts` of {}", said.value), "it counts the first attempt and must be at least 2");
    }
    if said.value > MOST {
        cx.trap(at, format!("`maxAttempts` of {} is {MOST}: gRPC makes no more", said.value), "");
    }
    said.map(|attempts| attempts.clamp(2, MOST))
}

fn retries(cx: &mut Cx<'_>, fields: &Fields<'_>, (policy, budget): (&mut Map, Option<&Map>)) {
    let attempts = attempts(cx, fields);
    let mut missing = |name: &str| {
        cx.errors.push(
            Problem::error(fields.node().at, format!("`{name}` is missing"))
                .hint("gRPC refuses a retry policy without it"),
        );
    };
    for name in ["initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes"] {
        if fields.get(name).is_none() {
            missing(name);
        }
    }
    let first = cx
        .field(fields, "initialBackoff", Cx::proto_duration)
        .unwrap_or_else(|| Said::default(Span::from_millis(100), ""));
    let longest = cx.field(fields, "maxBackoff", Cx::proto_duration).map_or(Span::from_secs(1), |said| said.value);
    let factor = cx.field(fields, "backoffMultiplier", Cx::number).map_or(2.0, |said| said.value);
    let retry = policy.map("retry");
    retry.set("kind", "grpc", "");
    retry.put("attempts", attempts);
    let shortest = first.value.min(longest);
    let backoff = match factor {
        factor if (1.0..=1000.0).contains(&factor) => format!("exponential({shortest} {factor} {longest})"),
        _ => {
            let at = fields.entry("backoffMultiplier").map_or_else(At::default, |entry| entry.value.at);
            cx.not_mapped(at, format!("a back-off multiplier of {factor}: waits stay the same here"), "");
            format!("constant({shortest})")
        }
    };
    retry.set("backoff", backoff, first.why);
    let (words, why) = codes(cx, fields, "retryableStatusCodes");
    retry.set("when", list(&words), why);
    if let Some(budget) = budget {
        retry.set("budget", budget.clone(), "");
    }
    cx.rest(fields, "the retry policy");
}

fn hedges(cx: &mut Cx<'_>, fields: &Fields<'_>, (policy, budget): (&mut Map, Option<&Map>)) {
    let attempts = attempts(cx, fields);
    let delay = cx.field(fields, "hedgingDelay", Cx::proto_duration);
    let hedge = policy.map("hedge");
    hedge.put("after", delay.unwrap_or_else(|| Said::default(Span::ZERO, "default: all at once")));
    hedge.put("attempts", attempts.map(|attempts| attempts - 1));
    let (words, why) = codes(cx, fields, "nonFatalStatusCodes");
    let why = if why.is_empty() { "default: every error ends the call".to_owned() } else { why };
    hedge.set("when", list(&words), why);
    if let Some(budget) = budget {
        hedge.set("budget", budget.clone(), "");
    }
    cx.rest(fields, "the hedging policy");
}

/// What gRPC's codes are here.
const CODES: [(&str, u32, &[&str]); 16] = [
    ("CANCELLED", 1, &[]),
    ("UNKNOWN", 2, &["5xx"]),
    ("INVALID_ARGUMENT", 3, &["4xx"]),
    ("DEADLINE_EXCEEDED", 4, &["timeout"]),
    ("NOT_FOUND", 5, &["4xx"]),
    ("ALREADY_EXISTS", 6, &["conflict"]),
    ("PERMISSION_DENIED", 7, &["4xx"]),
    ("RESOURCE_EXHAUSTED", 8, &["rate_limited"]),
    ("FAILED_PRECONDITION", 9, &["4xx"]),
    ("ABORTED", 10, &["conflict"]),
    ("OUT_OF_RANGE", 11, &["4xx"]),
    ("UNIMPLEMENTED", 12, &["5xx"]),
    ("INTERNAL", 13, &["5xx"]),
    ("UNAVAILABLE", 14, &["refused", "rejected"]),
    ("DATA_LOSS", 15, &["5xx"]),
    ("UNAUTHENTICATED", 16, &["4xx"]),
];

/// The failures that a status code stands for; none of a code that is not known.
pub(crate) fn outcomes(code: &str) -> &'static [&'static str] {
    CODES.iter().find(|(known, ..)| *known == code).map_or(&[], |(.., outcomes)| outcomes)
}

fn codes(cx: &mut Cx<'_>, fields: &Fields<'_>, name: &str) -> (Vec<&'static str>, String) {
    let mut words: Vec<&str> = Vec::new();
    for node in fields.items(name) {
        let text = node.text().unwrap_or_default();
        let number = text.parse::<u32>().ok();
        let found = CODES.iter().find(|(code, known, _)| code.eq_ignore_ascii_case(text) || number == Some(*known));
        let Some((_, _, outcomes)) = found else {
            let known: Vec<&str> = CODES.iter().map(|(code, ..)| *code).collect();
            cx.error(node.at, format!("`{text}` is not a status code"), &did_you_mean(text, &known));
            continue;
        };
        for word in *outcomes {
            if !words.contains(word) {
                words.push(word);
            }
        }
        if outcomes.is_empty() {
            cx.not_mapped(node.at, format!("the status code {text}"), "");
        }
    }
    (words, fields.entry(name).map(|entry| cx.place(entry.key.at)).unwrap_or_default())
}

fn throttling(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Option<Map> {
    let throttling = fields.inner("retryThrottling")?;
    let mut budget = Map::default();
    budget.set("kind", "grpc", "");
    let missing = |cx: &mut Cx<'_>, name: &str| {
        cx.error(throttling.node().at, format!("`{name}` is missing"), "gRPC refuses throttling without it");
    };
    let tokens = cx.field(&throttling, "maxTokens", Cx::count);
    let ratio = cx.field(&throttling, "tokenRatio", Cx::number);
    for (name, value, most) in [
        ("maxTokens", tokens.as_ref().map(|said| f64::from(said.value)), 1000.0),
        ("tokenRatio", ratio.as_ref().map(|said| said.value), 1e9),
    ] {
        let entry = throttling.entry(name);
        match (value, entry) {
            (Some(value), Some(entry)) if value <= 0.0 || value > most => {
                cx.error(entry.value.at, format!("`{name}` of {value}"), "it is above 0, and maxTokens at most 1000");
            }
            (None, None) => missing(cx, name),
            _ => {}
        }
    }
    budget.put_some("max_tokens", tokens);
    budget.put_some("token_ratio", ratio);
    cx.rest(&throttling, "the throttling");
    Some(budget)
}

fn balancing(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Option<Said<&'static str>> {
    let list = fields.items("loadBalancingConfig");
    let named = list
        .first()
        .and_then(|node: &Node| node.entries().first())
        .map(|entry| (entry.key.text.as_str(), entry.key.at));
    let older = fields.entry("loadBalancingPolicy").and_then(|entry| Some((entry.value.text()?, entry.value.at)));
    let (name, at) = named.or(older)?;
    let place = cx.place(at);
    let said = |kind| Some(Said { value: kind, why: place });
    match name {
        "round_robin" | "ROUND_ROBIN" => said("round_robin"),
        "ring_hash" | "ring_hash_experimental" => said("ring_hash"),
        "least_request" | "least_request_experimental" => said("least_request"),
        other => {
            cx.not_mapped(at, format!("the balancer `{other}`"), "");
            None
        }
    }
}
