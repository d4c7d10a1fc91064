//! .NET's standard resilience handlers in `appsettings.json`, and the options of Polly v8's strategies by themselves.
//!
//! Read from Polly 173d6d1 and dotnet/extensions 5862342 (August 2026).

use squall_model::Span;
use squall_model::spec::At;
use squall_model::spec::tree::{Kind, Node};

use super::cx::Cx;
use super::values::{Percent, Put, Said, list};
use crate::doc::Map;
use crate::read::{Fields, same};

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "app";
/// Strategies, by the names that sections have.
const STRATEGIES: [&str; 9] = [
    "RateLimiter",
    "TotalRequestTimeout",
    "Retry",
    "CircuitBreaker",
    "AttemptTimeout",
    "Hedging",
    "Endpoint",
    "Timeout",
    "ConcurrencyLimiter",
];
/// What the standard handlers take for transient: it is tried again, and counts for the breaker.
pub(crate) const TRANSIENT: [&str; 6] = ["5xx", "request_timeout", "rate_limited", "timeout", "refused", "rejected"];
/// Names of sections that say nothing about whom they are for.
const GENERIC: [&str; 9] = [
    "Resilience",
    "StandardResilience",
    "HttpStandardResilience",
    "ResilienceOptions",
    "HttpClient",
    "HttpClients",
    "Polly",
    "StandardHedging",
    "Options",
];

pub(super) fn import(cx: &mut Cx<'_>) {
    for document in cx.documents() {
        for (name, node) in pipelines(&document) {
            let fields = Fields::of(node);
            let hedging = fields.get("Hedging").is_some() || fields.get("Endpoint").is_some();
            let policy = if hedging { standard_hedging(cx, &fields) } else { standard(cx, &fields) };
            done(cx, (name, &fields), policy);
        }
    }
}

pub(super) fn import_polly(cx: &mut Cx<'_>) {
    for document in cx.documents() {
        for (name, node) in pipelines(&document) {
            let fields = Fields::of(node);
            let policy = strategies(cx, &fields);
            done(cx, (name, &fields), policy);
        }
    }
}

fn done(cx: &mut Cx<'_>, (name, fields): (Option<&str>, &Fields<'_>), mut policy: Map) {
    cx.rest(fields, "the pipeline");
    policy.arrange(&["deadline", "timeout", "retry", "hedge", "breaker", "bulkhead", "order"]);
    let to = match (&cx.options.to, name) {
        (Some(to), _) => to.clone(),
        (None, Some(name)) => cx.name(&name.to_lowercase()),
        (None, None) => "callee".into(),
    };
    for from in cx.callers(&to, CALLER) {
        cx.call(&from, &to, &policy);
    }
}

/// Every mapping that holds strategies, with the nearest name above it that says something.
fn pipelines(document: &Node) -> Vec<(Option<&str>, &Node)> {
    let mut found = Vec::new();
    look(document, None, &mut found);
    found
}

fn look<'a>(node: &'a Node, name: Option<&'a str>, found: &mut Vec<(Option<&'a str>, &'a Node)>) {
    let strategy = |key: &str| STRATEGIES.iter().any(|known| same(known, key));
    if node.entries().iter().any(|entry| strategy(&entry.key.text) && matches!(entry.value.kind, Kind::Map(_))) {
        found.push((name, node));
        return;
    }
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                let says = !GENERIC.iter().any(|known| same(known, &entry.key.text));
                look(&entry.value, if says { Some(&entry.key.text) } else { name }, found);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| look(item, name, found)),
        _ => {}
    }
}

fn default<T>(value: T) -> Said<T> {
    Said::default(value, "default")
}

/// The fields under `name`; of nothing if nothing is there.
fn section<'a>(fields: &Fields<'a>, name: &str, empty: &'a Node) -> Fields<'a> {
    fields.inner(name).unwrap_or_else(|| Fields::of(empty))
}

/// A duration within Polly's own limits.
fn limited(cx: &mut Cx<'_>, fields: &Fields<'_>, name: &str, least: Span) -> Option<Said<Span>> {
    let said = cx.field(fields, name, Cx::time_span)?;
    if said.value < least || said.value > Span::from_secs(86_400) {
        let at = fields.entry(name).map_or_else(At::default, |entry| entry.value.at);
        cx.error(at, format!("`{name}` of {}", said.value), &format!("from {least} to one day"));
    }
    Some(said)
}

/// Limiter, total time-out, retry, breaker, attempt time-out, outside in; what is not written is there all the same.
fn standard(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Map {
    let empty = Node::empty(At::default());
    let mut policy = Map::default();
    limiter(cx, &section(fields, "RateLimiter", &empty), &mut policy);
    if policy.inner("bulkhead").is_some_and(|bulkhead| bulkhead.has("queue")) {
        let at = fields.entry("RateLimiter").map_or(fields.node().at, |entry| entry.key.at);
        cx.approximated(
            at,
            "the total time-out begins behind the limiter; here the wait for a place is part of it",
            "",
        );
    }
    let total = timeout(cx, &section(fields, "TotalRequestTimeout", &empty), 30);
    let attempt = timeout(cx, &section(fields, "AttemptTimeout", &empty), 10);
    retry(cx, &section(fields, "Retry", &empty), (&mut policy, true));
    let sampling = breaker(cx, &section(fields, "CircuitBreaker", &empty), &mut policy);
    transient(&mut policy, "breaker", "counts");
    validate(cx, fields, [total.value, attempt.value, sampling]);
    policy.put("deadline", total);
    policy.put("timeout", attempt);
    policy.set("order", "dotnet", "");
    policy
}

/// What .NET checks when it starts.
fn validate(cx: &mut Cx<'_>, fields: &Fields<'_>, [total, attempt, sampling]: [Span; 3]) {
    let at = |name: &str| fields.entry(name).map_or(fields.node().at, |entry| entry.key.at);
    if attempt > total {
        let what = format!("an attempt may take {attempt}, all together {total}");
        cx.error(at("AttemptTimeout"), what, ".NET refuses to start: the attempt's time-out is at most the total");
    }
    if sampling < attempt * 2 {
        let what = format!("a sampling time of {sampling} is less than twice an attempt's {attempt}");
        cx.error(at("CircuitBreaker"), what, ".NET refuses to start: raise SamplingDuration");
    }
}

/// Total time-out, hedging, and for each endpoint limiter, breaker, attempt time-out.
fn standard_hedging(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Map {
    let empty = Node::empty(At::default());
    let mut policy = Map::default();
    policy.put("deadline", timeout(cx, &section(fields, "TotalRequestTimeout", &empty), 30));
    hedging(cx, &section(fields, "Hedging", &empty), &mut policy);
    let endpoint = section(fields, "Endpoint", &empty);
    limiter(cx, &section(&endpoint, "RateLimiter", &empty), &mut policy);
    breaker(cx, &section(&endpoint, "CircuitBreaker", &empty), &mut policy);
    transient(&mut policy, "hedge", "when");
    transient(&mut policy, "breaker", "counts");
    policy.put("timeout", timeout(cx, &section(&endpoint, "Timeout", &empty), 10));
    policy.set("order", list(&["bulkhead", "breaker"]), "");
    cx.rest(&endpoint, "the endpoint's pipeline");
    cx.approximated(fields.node().at, "limiter and breaker of each endpoint; here of the whole callee", "");
    policy
}

/// The standard handlers know transient failures only.
fn transient(policy: &mut Map, of: &str, key: &str) {
    policy.map(of).set(key, list(&TRANSIENT), "default: transient failures");
}

/// Only what is written.
fn strategies(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Map {
    let mut policy = Map::default();
    for name in ["RateLimiter", "ConcurrencyLimiter"] {
        if let Some(inner) = fields.inner(name) {
            limiter(cx, &inner, &mut policy);
        }
    }
    if let Some(inner) = fields.inner("Retry") {
        retry(cx, &inner, (&mut policy, false));
    }
    if let Some(inner) = fields.inner("CircuitBreaker") {
        breaker(cx, &inner, &mut policy);
    }
    if let Some(inner) = fields.inner("Hedging") {
        hedging(cx, &inner, &mut policy);
    }
    for (name, key, usual) in
        [("Timeout", "timeout", 30), ("AttemptTimeout", "timeout", 10), ("TotalRequestTimeout", "deadline", 30)]
    {
        if let Some(inner) = fields.inner(name) {
            policy.put(key, timeout(cx, &inner, usual));
        }
    }
    policy
}

fn limiter(cx: &mut Cx<'_>, fields: &Fields<'_>, policy: &mut Map) {
    let inner = fields.inner("DefaultRateLimiterOptions");
    let options = inner.as_ref().unwrap_or(fields);
    let permits = cx.field(options, "PermitLimit", Cx::count).unwrap_or_else(|| default(1000));
    let queue = cx.field(options, "QueueLimit", Cx::count).unwrap_or_else(|| default(0));
    options.entry("QueueProcessingOrder");
    let bulkhead = policy.map("bulkhead");
    if queue.value == 0 {
        bulkhead.put("limit", permits);
    } else {
        bulkhead.set("kind", "thread_pool", "the same as a limiter with a queue");
        bulkhead.put("core", permits.clone());
        bulkhead.put("max", permits);
        bulkhead.put("queue", queue);
    }
    if let Some(inner) = &inner {
        cx.rest(inner, "the limiter");
    }
    cx.rest(fields, "the limiter");
}

fn timeout(cx: &mut Cx<'_>, fields: &Fields<'_>, usual: u64) -> Said<Span> {
    let said = limited(cx, fields, "Timeout", Span::from_millis(10));
    quiet(fields);
    cx.rest(fields, "the time-out");
    said.unwrap_or_else(|| default(Span::from_secs(usual)))
}

/// Names are for telemetry only.
fn quiet(fields: &Fields<'_>) {
    fields.entry("Name");
}

fn retry(cx: &mut Cx<'_>, fields: &Fields<'_>, (policy, standard): (&mut Map, bool)) {
    let retries = cx.field(fields, "MaxRetryAttempts", Cx::count).unwrap_or_else(|| default(3));
    let delay = cx.field(fields, "Delay", Cx::time_span).unwrap_or_else(|| default(Span::from_secs(2)));
    let longest = cx.field(fields, "MaxDelay", Cx::time_span);
    let growth = cx.field(fields, "BackoffType", Cx::word);
    let usual = if standard { "Exponential" } else { "Constant" };
    let growth = growth.unwrap_or_else(|| default(usual.to_owned()));
    let shape = match growth.value.to_ascii_lowercase().as_str() {
        "constant" | "0" => "polly_constant",
        "linear" | "1" => "polly_linear",
        "exponential" | "2" => "polly_exponential",
        other => {
            let at = fields.entry("BackoffType").map_or_else(At::default, |entry| entry.value.at);
            return cx.error(at, format!("`{other}` is not a back-off"), "Constant, Linear or Exponential");
        }
    };
    let jitter = cx.field(fields, "UseJitter", Cx::boolean).unwrap_or_else(|| default(standard));
    let retry = policy.map("retry");
    retry.set("kind", if standard { "dotnet" } else { "polly" }, "");
    retry.put("attempts", retries.map(|retries| retries.saturating_add(1)));
    let longest = longest.map(|said| format!(" {}", said.value)).unwrap_or_default();
    retry.set("backoff", format!("{shape}({}{longest})", delay.value), delay.why);
    retry.put("jitter", jitter.map(|jitter| if jitter { "polly" } else { "none" }));
    if let Some(heeds) = cx.field(fields, "ShouldRetryAfterHeader", Cx::boolean)
        && !heeds.value
    {
        retry.put("retry_after", heeds.map(|_| "ignored"));
    }
    for name in ["ShouldHandle", "DelayGenerator", "OnRetry"] {
        if let Some(entry) = fields.entry(name) {
            cx.not_mapped(entry.key.at, format!("`{name}` is code"), "");
        }
    }
    quiet(fields);
    cx.rest(fields, "the retry");
}

/// The breaker; answers its sampling time.
fn breaker(cx: &mut Cx<'_>, fields: &Fields<'_>, policy: &mut Map) -> Span {
    let half = Span::from_millis(500);
    let sampling = limited(cx, fields, "SamplingDuration", half).unwrap_or_else(|| default(Span::from_secs(30)));
    let length = sampling.value;
    let minimum = cx.field(fields, "MinimumThroughput", Cx::count).unwrap_or_else(|| default(100));
    if minimum.value < 2 {
        let at = fields.entry("MinimumThroughput").map_or_else(At::default, |entry| entry.value.at);
        cx.error(at, format!("`MinimumThroughput` of {}", minimum.value), "at least 2");
    }
    let breaker = policy.map("breaker");
    breaker.set("kind", "polly", "");
    breaker.put("failure_ratio", cx.field(fields, "FailureRatio", Cx::share).unwrap_or_else(|| default(Percent(10.0))));
    breaker.put("minimum_throughput", minimum);
    breaker.put("sampling_duration", sampling);
    let open = limited(cx, fields, "BreakDuration", half).unwrap_or_else(|| default(Span::from_secs(5)));
    breaker.put("break_duration", open);
    for name in ["BreakDurationGenerator", "ShouldHandle", "StateProvider", "ManualControl"] {
        if let Some(entry) = fields.entry(name) {
            cx.not_mapped(entry.key.at, format!("`{name}` is code"), "");
        }
    }
    quiet(fields);
    cx.rest(fields, "the breaker");
    length
}

fn hedging(cx: &mut Cx<'_>, fields: &Fields<'_>, policy: &mut Map) {
    let hedge = policy.map("hedge");
    let negative = fields.text("Delay").is_some_and(|text| text.starts_with('-'));
    let after = if negative {
        cx.field(fields, "Delay", |_, _| Some("failure".to_owned()))
    } else {
        cx.field(fields, "Delay", Cx::time_span).map(|said| said.map(|span| span.to_string()))
    };
    hedge.put("after", after.unwrap_or_else(|| default(Span::from_secs(2).to_string())));
    hedge.put("attempts", cx.field(fields, "MaxHedgedAttempts", Cx::count).unwrap_or_else(|| default(1)));
    quiet(fields);
    cx.rest(fields, "the hedging");
}
