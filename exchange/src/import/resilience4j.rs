//! resilience4j's Spring configuration: `configs`, `instances`, base configurations, and what is surprising about them.
//!
//! Read from resilience4j af9e7c9 (May 2026). Retry( `CircuitBreaker`( `RateLimiter`( `TimeLimiter`( Bulkhead( call ))))).

use std::collections::BTreeSet;

use squall_model::Span;
use squall_model::spec::tree::{Kind, Node};
use squall_model::spec::{At, Problem};

use super::cx::Cx;
use super::values::{Percent, Put, Said, list};
use crate::doc::Map;
use crate::read::{Fields, insert, properties, same};

/// The name of a base configuration that everything has.
const DEFAULT: &str = "default";

pub(super) fn import(cx: &mut Cx<'_>) {
    let applications = applications(cx);
    let several = applications.len() > 1;
    for root in &applications {
        application(cx, root, several);
    }
}

/// What one application's configuration says of those whom it calls.
fn application(cx: &mut Cx<'_>, root: &Node, several: bool) {
    let named = application_name(root).map(|name| cx.name(name));
    let caller = named.clone().unwrap_or_else(|| "app".to_owned());
    let Some(ours) = root.entries().iter().find(|entry| same(&entry.key.text, "resilience4j")) else { return };
    let sections = Fields::of(&ours.value);
    let mut modules: Vec<Module<'_>> = Vec::new();
    for (name, aliases) in MODULES {
        if let Some(section) = sections.inner(name) {
            modules.push(Module::of(name, aliases, &section, cx));
        }
    }
    cx.rest(&sections, "resilience4j");
    let mut names: Vec<&str> = Vec::new();
    for name in modules.iter().flat_map(|module| module.instances.iter().map(|(name, _)| *name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let policy = instance(cx, &modules, name);
        let to = cx.name(name);
        // Of several callers each has its own; so has one that is known to call, by its name.
        let own = several || named.as_ref().is_some_and(|named| cx.edges.contains(&(named.clone(), to.clone())));
        let callers = if own && cx.options.from.is_none() { vec![caller.clone()] } else { cx.callers(&to, &caller) };
        for from in callers {
            cx.call(&from, &to, &policy);
        }
    }
}

/// `spring.application.name`
fn application_name(root: &Node) -> Option<&str> {
    ["spring", "application", "name"].iter().try_fold(root, |node, step| node.entry(step)).and_then(Node::text)
}

/// The modules and what their instances were called once.
const MODULES: [(&str, [&str; 3]); 6] = [
    ("circuitbreaker", ["instances", "backends", "backends"]),
    ("retry", ["instances", "backends", "backends"]),
    ("bulkhead", ["instances", "backends", "backends"]),
    ("thread-pool-bulkhead", ["instances", "backends", "backends"]),
    ("ratelimiter", ["instances", "backends", "limiters"]),
    ("timelimiter", ["instances", "backends", "limiters"]),
];

/// One module: its base configurations and its instances.
struct Module<'a> {
    name: &'static str,
    configs: Vec<(&'a str, &'a Node)>,
    instances: Vec<(&'a str, &'a Node)>,
}

impl<'a> Module<'a> {
    fn of(name: &'static str, aliases: [&str; 3], section: &Fields<'a>, cx: &mut Cx<'_>) -> Self {
        let named = |key: &str| -> Vec<(&'a str, &'a Node)> {
            section.entries(key).iter().map(|entry| (entry.key.text.as_str(), &entry.value)).collect()
        };
        let mut instances: Vec<(&str, &Node)> = Vec::new();
        for alias in aliases {
            for (name, node) in named(alias) {
                if !instances.iter().any(|(known, _)| *known == name) {
                    instances.push((name, node));
                }
            }
        }
        let module = Self { name, configs: named("configs"), instances };
        for order in [
            "circuitBreakerAspectOrder",
            "retryAspectOrder",
            "bulkheadAspectOrder",
            "rateLimiterAspectOrder",
            "timeLimiterAspectOrder",
        ] {
            if let Some(entry) = section.entry(order) {
                let hint = "the order is taken to be the usual one; write `order: [...]` if it is not";
                cx.not_mapped(entry.key.at, format!("`{}`: an order of its own", entry.key.text), hint);
            }
        }
        for metrics in ["metrics", "tags", "enabled"] {
            section.entry(metrics);
        }
        cx.rest(section, name);
        module
    }

    /// The levels of an instance, the innermost base first, itself last.
    fn levels(&self, name: &str, cx: &mut Cx<'_>) -> Option<Vec<Fields<'a>>> {
        let (_, node) = self.instances.iter().find(|(known, _)| *known == name)?;
        let mut levels = vec![Fields::of(node)];
        let mut seen = BTreeSet::new();
        let mut at = node.at;
        let mut is_default = false;
        while !is_default {
            let base = levels.last().and_then(|level| level.entry("baseConfig"));
            let wanted = base.and_then(|base| base.value.text()).unwrap_or(DEFAULT);
            at = base.map_or(at, |base| base.value.at);
            is_default = wanted == DEFAULT;
            if !seen.insert(wanted.to_owned()) {
                cx.error(at, format!("the base configurations of `{name}` go in a circle"), "");
                break;
            }
            match self.configs.iter().find(|(known, _)| *known == wanted) {
                Some((_, config)) => levels.push(Fields::of(config)),
                None if base.is_some() => {
                    let known: Vec<&str> = self.configs.iter().map(|(name, _)| *name).collect();
                    let hint = squall_model::spec::did_you_mean(wanted, &known);
                    cx.errors.push(Problem::error(at, format!("no configuration `{wanted}`")).hint(hint));
                    break;
                }
                None => break,
            }
        }
        levels.reverse();
        Some(levels)
    }
}

/// All policies of one instance.
fn instance(cx: &mut Cx<'_>, modules: &[Module<'_>], name: &str) -> Map {
    let mut policy = Map::default();
    let mut wrapped = Vec::new();
    for module in modules {
        let Some(levels) = module.levels(name, cx) else { continue };
        wrapped.push(module.name);
        match module.name {
            "retry" => retry(cx, &levels, &mut policy),
            "circuitbreaker" => breaker(cx, &levels, &mut policy),
            "timelimiter" => time_limiter(cx, &levels, &mut policy),
            "bulkhead" => bulkhead(cx, &levels, &mut policy),
            "thread-pool-bulkhead" => thread_pool(cx, &levels, &mut policy),
            _ => rate_limiter(cx, &levels, &mut policy),
        }
        for level in &levels {
            for ours in [
                "baseConfig",
                "registerHealthIndicator",
                "eventConsumerBufferSize",
                "allowHealthIndicatorToFail",
                "subscribeForEvents",
                "writableStackTraceEnabled",
            ] {
                level.entry(ours);
            }
            cx.rest(level, module.name);
        }
    }
    if wrapped.len() > 1 {
        policy.set("order", "resilience4j", "default, the aspects' order");
    }
    policy.arrange(&["timeout", "retry", "breaker", "rate_limit", "bulkhead", "order"]);
    warn_of_combinations(cx, (modules, &policy), name);
    policy
}

/// What the usual order brings about.
fn warn_of_combinations(cx: &mut Cx<'_>, (modules, policy): (&[Module<'_>], &Map), name: &str) {
    let counts = |word: &str| {
        let words = |key| policy.inner("breaker").and_then(|breaker| breaker.text(key)).map(str::to_owned);
        words("counts").is_none_or(|listed| listed.contains(word))
            && words("ignore").is_none_or(|listed| !listed.contains(word))
    };
    let retries =
        |word: &str| policy.inner("retry").and_then(|retry| retry.text("when")).is_none_or(|when| when.contains(word));
    let at = |wanted: &str| {
        let module = modules.iter().find(|module| module.name == wanted)?;
        module.instances.iter().find(|(known, _)| *known == name).map(|(_, node)| node.at)
    };
    let Some(_) = at("circuitbreaker") else { return };
    if let Some(retry) = at("retry").filter(|_| retries("breaker_open")) {
        let hint = "list CallNotPermittedException under ignoreExceptions of the retry";
        cx.trap(retry, format!("`{name}`: a call that the open breaker refuses is tried again"), hint);
    }
    for (module, what, word) in [
        ("timelimiter", "time-outs", "timeout"),
        ("bulkhead", "refusals of the bulkhead", "rejected"),
        ("ratelimiter", "refusals of the rate limiter", "rate_limited"),
    ] {
        if let Some(at) = at(module).filter(|_| counts(word)) {
            let hint =
                "they stand inside the breaker; list their exceptions under its ignoreExceptions if they should not";
            cx.trap(at, format!("`{name}`: {what} count as failures of the breaker"), hint);
        }
    }
}

/// The value nearest to the instance.
fn nearest<'c, T>(
    cx: &mut Cx<'c>,
    levels: &[Fields<'_>],
    name: &str,
    mut read: impl FnMut(&mut Cx<'c>, &Node) -> Option<T>,
) -> Option<Said<T>> {
    let mut found = None;
    for level in levels {
        found = cx.field(level, name, &mut read).or(found);
    }
    found
}

fn percent(cx: &mut Cx<'_>, levels: &[Fields<'_>], (name, usual): (&str, f64)) -> Said<Percent> {
    nearest(cx, levels, name, Cx::percent).unwrap_or_else(|| default(Percent(usual)))
}

fn default<T>(value: T) -> Said<T> {
    Said::default(value, "default")
}

/// How long one step waits, as the levels build it up: flags come from the base too, the first wait does not.
struct Waits {
    first: Said<Span>,
    /// Factor and longest wait.
    exponential: Option<(f64, Option<Span>)>,
    randomized: Option<f64>,
}

/// The names of a module's settings for waits.
struct WaitNames {
    wait: &'static str,
    exponential: &'static str,
    multiplier: &'static str,
    longest: &'static str,
    randomized: &'static str,
    factor: &'static str,
}

fn waits(cx: &mut Cx<'_>, levels: &[Fields<'_>], names: &WaitNames, usual: Span) -> Waits {
    let mut waits = Waits { first: default(usual), exponential: None, randomized: None };
    let (mut exponential, mut multiplier, mut longest, mut randomized, mut factor) = (None, None, None, None, None);
    for level in levels {
        let flags = [names.exponential, names.multiplier, names.longest, names.randomized, names.factor];
        let flagged = flags.iter().find_map(|flag| level.entry(flag));
        exponential = cx.field(level, names.exponential, Cx::boolean).or(exponential);
        multiplier = cx.field(level, names.multiplier, Cx::number).or(multiplier);
        longest = cx.field(level, names.longest, Cx::spring_duration).or(longest);
        randomized = cx.field(level, names.randomized, Cx::boolean).or(randomized);
        factor = cx.field(level, names.factor, Cx::number).or(factor);
        let Some(wait) = cx.field(level, names.wait, Cx::spring_duration) else {
            if let Some(flag) = flagged {
                let what = format!("`{}` has no effect without `{}` beside it", flag.key.text, names.wait);
                cx.trap(flag.key.at, what, "the intervals stay those of the base; repeat the wait here");
            }
            continue;
        };
        let grows = exponential.as_ref().is_some_and(|flag| flag.value);
        let spreads = randomized.as_ref().is_some_and(|flag| flag.value);
        if let (true, Some(longest), None, Some(entry)) = (grows, &longest, &multiplier, level.entry(names.longest)) {
            let what =
                format!("`{}` of {} is dropped: `{}` is not set", names.longest, longest.value, names.multiplier);
            cx.trap(entry.key.at, what, "set the multiplier too, even if it is 1.5");
        }
        waits.first = wait;
        waits.exponential = grows.then(|| {
            let multiplier = multiplier.as_ref().map(|said| said.value);
            (multiplier.unwrap_or(1.5), multiplier.and(longest.as_ref().map(|said| said.value)))
        });
        waits.randomized = spreads.then(|| factor.as_ref().map_or(0.5, |said| said.value));
    }
    waits
}

fn retry(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let attempts = nearest(cx, levels, "maxAttempts", Cx::count).unwrap_or_else(|| default(3));
    let names = WaitNames {
        wait: "waitDuration",
        exponential: "enableExponentialBackoff",
        multiplier: "exponentialBackoffMultiplier",
        longest: "exponentialMaxWaitDuration",
        randomized: "enableRandomizedWait",
        factor: "randomizedWaitFactor",
    };
    let waits = waits(cx, levels, &names, Span::from_millis(500));
    let retry = policy.map("retry");
    retry.set("kind", "resilience4j", "");
    retry.put("attempts", attempts);
    let (first, why) = (waits.first.value, waits.first.why);
    let backoff = match waits.exponential {
        None => format!("resilience4j({first})"),
        Some((factor, None)) => format!("resilience4j({first} {factor})"),
        Some((factor, Some(longest))) => format!("resilience4j({first} {factor} {longest})"),
    };
    retry.set("backoff", backoff, why);
    if let Some(factor) = waits.randomized {
        retry.set("jitter", format!("randomized({})", Percent(factor * 100.0)), "");
    }
    let ignored = exceptions(cx, levels, "ignoreExceptions");
    let retried = exceptions(cx, levels, "retryExceptions");
    for predicate in [
        "retryExceptionPredicate",
        "resultPredicate",
        "intervalFunction",
        "intervalBiFunction",
        "ignoreExceptionPredicate",
        "consumeResultBeforeRetryAttempt",
    ] {
        refuse_classes(cx, levels, predicate);
    }
    let _ = nearest(cx, levels, "failAfterMaxAttempts", Cx::boolean);
    let chosen: Vec<&str> = match &retried {
        Some((words, _)) if !words.is_empty() => words.clone(),
        _ => ALL_OUTCOMES.to_vec(),
    };
    let without = |word: &&str| ignored.as_ref().is_none_or(|(words, _)| !words.contains(word));
    let chosen: Vec<&str> = chosen.into_iter().filter(without).collect();
    if let Some((_, at)) = retried.or(ignored) {
        let place = cx.place(at);
        policy.map("retry").set("when", list(&chosen), place);
    }
}

fn breaker(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let kind = nearest(cx, levels, "slidingWindowType", Cx::word);
    let size = nearest(cx, levels, "slidingWindowSize", Cx::count)
        .or_else(|| nearest(cx, levels, "ringBufferSizeInClosedState", Cx::count))
        .unwrap_or_else(|| default(100));
    let timed = kind.as_ref().is_some_and(|kind| same(&kind.value, "TIME_BASED"));
    let minimum = nearest(cx, levels, "minimumNumberOfCalls", Cx::count).unwrap_or_else(|| default(100));
    if !timed && minimum.value > size.value && !minimum.why.starts_with("default") {
        let at =
            levels.iter().find_map(|level| level.entry("minimumNumberOfCalls")).map_or_else(At::default, |e| e.key.at);
        let what = format!("minimumNumberOfCalls {} is more than the window: {} count", minimum.value, size.value);
        cx.trap(at, what, "in a window of calls the smaller one counts");
    }
    if timed && minimum.why.starts_with("default") {
        let at =
            levels.iter().find_map(|level| level.entry("slidingWindowType")).map_or_else(At::default, |e| e.key.at);
        let what =
            format!("a window of {} s that must see 100 calls (minimumNumberOfCalls) before it decides", size.value);
        cx.trap(at, what, "with less load than that it never opens: set minimumNumberOfCalls");
    }
    let names = WaitNames {
        wait: "waitDurationInOpenState",
        exponential: "enableExponentialBackoff",
        multiplier: "exponentialBackoffMultiplier",
        longest: "exponentialMaxWaitDurationInOpenState",
        randomized: "enableRandomizedWait",
        factor: "randomizedWaitFactor",
    };
    both_are_an_error(cx, levels, &names);
    let waits = waits(cx, levels, &names, Span::from_secs(60));
    let settings = policy.map("breaker");
    settings.set("kind", "resilience4j", "");
    settings.put("window", if timed { size.map(|size| format!("{size}s")) } else { size.map(|size| size.to_string()) });
    settings.put("minimum_calls", minimum);
    settings.put("failure_rate", percent(cx, levels, ("failureRateThreshold", 50.0)));
    let slow = nearest(cx, levels, "slowCallDurationThreshold", Cx::spring_duration);
    settings.put("slow_rate", percent(cx, levels, ("slowCallRateThreshold", 100.0)));
    settings.put("slow_after", slow.unwrap_or_else(|| default(Span::from_secs(60))));
    let (first, why) = (waits.first.value, waits.first.why);
    let open_for = match waits.exponential {
        None => match waits.randomized {
            Some(factor) => format!("randomized({first} {factor})"),
            None => first.to_string(),
        },
        Some((factor, None)) => format!("exponential({first} {factor})"),
        Some((factor, Some(longest))) => format!("exponential({first} {factor} {longest})"),
    };
    settings.set("open_for", open_for, why);
    let probes = nearest(cx, levels, "permittedNumberOfCallsInHalfOpenState", Cx::count)
        .or_else(|| nearest(cx, levels, "ringBufferSizeInHalfOpenState", Cx::count));
    settings.put("half_open_calls", probes.unwrap_or_else(|| default(10)));
    settings.put_some("half_open_limit", nearest(cx, levels, "maxWaitDurationInHalfOpenState", Cx::spring_duration));
    let after = nearest(cx, levels, "transitionToStateAfterWaitDuration", Cx::word);
    settings.put_some("after_half_open_limit", after.map(|said| said.map(|word| word.to_lowercase())));
    settings
        .put_some("auto_half_open", nearest(cx, levels, "automaticTransitionFromOpenToHalfOpenEnabled", Cx::boolean));
    let initial = nearest(cx, levels, "initialState", Cx::word);
    settings.put_some("initial_state", initial.map(|said| said.map(|word| word.to_lowercase())));
    let recorded = exceptions(cx, levels, "recordExceptions");
    let ignored = exceptions(cx, levels, "ignoreExceptions");
    let settings = policy.map("breaker");
    if let Some((words, at)) = recorded.filter(|(words, _)| !words.is_empty()) {
        let place = cx.place(at);
        settings.set("counts", list(&words), place);
        let missing: Vec<&str> = ["timeout", "refused"].into_iter().filter(|word| !words.contains(word)).collect();
        if !missing.is_empty() {
            let what = format!("what recordExceptions does not list counts as a success: {}", missing.join(", "));
            cx.trap(at, what, "list those too, or leave recordExceptions out");
        }
    }
    if let Some((words, at)) = ignored.filter(|(words, _)| !words.is_empty()) {
        let place = cx.place(at);
        settings.set("ignore", list(&words), place);
    }
    for name in ["recordFailurePredicate", "recordResultPredicate", "ignoreExceptionPredicate"] {
        refuse_classes(cx, levels, name);
    }
}

/// resilience4j refuses to start with both.
fn both_are_an_error(cx: &mut Cx<'_>, levels: &[Fields<'_>], names: &WaitNames) {
    let set = [names.exponential, names.randomized].map(|name| nearest(cx, levels, name, Cx::boolean));
    if set.iter().all(|flag| flag.as_ref().is_some_and(|flag| flag.value)) {
        let at =
            levels.iter().rev().find_map(|level| level.entry(names.randomized)).map_or_else(At::default, |e| e.key.at);
        let what = format!("`{}` and `{}` together", names.exponential, names.randomized);
        cx.error(at, what, "resilience4j refuses to start a breaker with both: keep one");
    }
}

fn time_limiter(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let timeout =
        nearest(cx, levels, "timeoutDuration", Cx::spring_duration).unwrap_or_else(|| default(Span::from_secs(1)));
    let _ = nearest(cx, levels, "cancelRunningFuture", Cx::boolean);
    policy.put("timeout", timeout);
}

fn bulkhead(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let limit = nearest(cx, levels, "maxConcurrentCalls", Cx::count).unwrap_or_else(|| default(25));
    let wait = nearest(cx, levels, "maxWaitDuration", Cx::spring_duration).unwrap_or_else(|| default(Span::ZERO));
    let _ = nearest(cx, levels, "fairCallHandlingStrategyEnabled", Cx::boolean);
    let bulkhead = policy.map("bulkhead");
    bulkhead.put("limit", limit);
    bulkhead.put("wait", wait);
}

fn thread_pool(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let core = nearest(cx, levels, "coreThreadPoolSize", Cx::count);
    let max = nearest(cx, levels, "maxThreadPoolSize", Cx::count);
    if core.is_none() || max.is_none() {
        let at = levels.last().map_or_else(At::default, |level| level.node().at);
        let hint = "it is the number of processors (and one less for the core): write coreThreadPoolSize and maxThreadPoolSize";
        cx.approximated(at, "a thread pool whose size depends on the machine: 3 to 4 threads are assumed", hint);
    }
    if policy.has("bulkhead") {
        let at = levels.last().map_or_else(At::default, |level| level.node().at);
        cx.not_mapped(at, "a thread pool beside a semaphore bulkhead: the thread pool counts", "");
    }
    let queue = nearest(cx, levels, "queueCapacity", Cx::count).unwrap_or_else(|| default(100));
    let keep_alive =
        nearest(cx, levels, "keepAliveDuration", Cx::spring_duration).unwrap_or_else(|| default(Span::from_millis(20)));
    let mut pool = Map::default();
    pool.set("kind", "thread_pool", "");
    let assumed = |count| Said::default(count, "assumed: depends on the machine");
    let max = max.unwrap_or_else(|| assumed(4));
    pool.put("core", core.unwrap_or_else(|| assumed(3.min(max.value))));
    pool.put("max", max);
    pool.put("queue", queue);
    pool.put("keep_alive", keep_alive);
    policy.set("bulkhead", pool, "");
}

fn rate_limiter(cx: &mut Cx<'_>, levels: &[Fields<'_>], policy: &mut Map) {
    let limit = nearest(cx, levels, "limitForPeriod", Cx::count).unwrap_or_else(|| default(50));
    let period = nearest(cx, levels, "limitRefreshPeriod", Cx::spring_duration);
    if period.is_none() {
        let at = levels.last().map_or_else(At::default, |level| level.node().at);
        cx.trap(
            at,
            "no limitRefreshPeriod: it is 500 ns, which is next to no limit",
            "set it to 1s for a rate a second",
        );
    }
    let timeout =
        nearest(cx, levels, "timeoutDuration", Cx::spring_duration).unwrap_or_else(|| default(Span::from_secs(5)));
    let limiter = policy.map("rate_limit");
    limiter.set("kind", "resilience4j", "");
    limiter.put("limit_for_period", limit);
    limiter.put("limit_refresh_period", period.unwrap_or_else(|| default(Span::from_nanos(500))));
    limiter.put("timeout_duration", timeout);
}

/// What some exceptions are here: those that everyone has, and those that were told.
const EXCEPTIONS: [(&str, &[&str]); 19] = [
    ("java.util.concurrent.TimeoutException", &["timeout"]),
    ("java.net.SocketTimeoutException", &["timeout"]),
    ("java.net.http.HttpTimeoutException", &["timeout"]),
    ("java.net.ConnectException", &["refused"]),
    ("java.net.http.HttpConnectTimeoutException", &["refused"]),
    ("java.net.UnknownHostException", &["refused"]),
    // Both a refused connection and a time-out of a socket are of this class.
    ("java.io.IOException", &["refused", "timeout"]),
    ("org.springframework.web.client.ResourceAccessException", &["refused", "timeout"]),
    ("org.springframework.web.client.HttpServerErrorException", &["5xx"]),
    ("org.springframework.web.client.HttpClientErrorException", &["4xx"]),
    ("feign.FeignException", &["error"]),
    ("feign.RetryableException", &["refused", "timeout"]),
    ("io.github.resilience4j.circuitbreaker.CallNotPermittedException", &["breaker_open"]),
    ("io.github.resilience4j.bulkhead.BulkheadFullException", &["rejected"]),
    ("io.github.resilience4j.ratelimiter.RequestNotPermitted", &["rate_limited"]),
    ("java.lang.RuntimeException", &ALL_OUTCOMES),
    ("java.lang.Exception", &ALL_OUTCOMES),
    ("java.lang.Throwable", &ALL_OUTCOMES),
    ("org.springframework.web.client.RestClientException", &["5xx", "4xx", "refused", "timeout"]),
];
/// Every way to fail.
const ALL_OUTCOMES: [&str; 6] = ["timeout", "error", "refused", "rejected", "rate_limited", "breaker_open"];

/// The outcomes that an exception stands for; none of one that is not known.
pub(crate) fn outcomes(class: &str) -> &'static [&'static str] {
    EXCEPTIONS.iter().find(|(known, _)| *known == class).map_or(&[], |(_, outcomes)| outcomes)
}

/// The outcomes that a list of exception classes stands for, and where it is; unknown classes are told.
fn exceptions(cx: &mut Cx<'_>, levels: &[Fields<'_>], name: &str) -> Option<(Vec<&'static str>, At)> {
    let mut words = Vec::new();
    let entry = levels.iter().rev().find_map(|level| level.entry(name))?;
    // The levels below are overruled, and so not missing.
    for level in levels {
        level.entry(name);
    }
    let classes: Vec<&Node> = match &entry.value.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        _ => vec![&entry.value],
    };
    for class in classes {
        for text in class.text().unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let told = cx.options.outcomes.iter().find(|(known, _)| known == text).map(|(_, word)| word.as_str());
            let known = EXCEPTIONS.iter().find(|(known, _)| *known == text).map(|(_, words)| *words);
            let told: Option<Vec<&str>> = told
                .map(|word| ["5xx", "4xx"].into_iter().chain(ALL_OUTCOMES).filter(|known| *known == word).collect());
            match told.or_else(|| known.map(<[_]>::to_vec)) {
                Some(found) => {
                    let new: Vec<&str> = found.into_iter().filter(|word| !words.contains(word)).collect();
                    words.extend(new);
                }
                None => {
                    let hint = format!("say what it is: --outcome {text}=error (or timeout, refused, rejected, …)");
                    cx.not_mapped(class.at, format!("the exception `{text}` of {name}"), &hint);
                }
            }
        }
    }
    Some((words, entry.key.at))
}

/// Classes of the program's own.
fn refuse_classes(cx: &mut Cx<'_>, levels: &[Fields<'_>], name: &str) {
    if let Some(entry) = levels.iter().rev().find_map(|level| level.entry(name)) {
        for level in levels {
            level.entry(name);
        }
        cx.not_mapped(entry.key.at, format!("`{name}`: a class of the program's own"), "");
    }
}

/// Every application as one tree: dotted keys are levels, profiles count as they were asked for, placeholders are their
/// defaults. What names no application belongs to all of them.
fn applications(cx: &mut Cx<'_>) -> Vec<Node> {
    let mut documents: Vec<Node> = Vec::new();
    let mut parts: Vec<Node> = Vec::new();
    for index in 0..cx.inputs.len() {
        let input = cx.inputs[index];
        let (documents, problems) = if is_properties(input.name, input.text) {
            let (node, problems) = properties(input.text, index as u16);
            (vec![node], problems)
        } else {
            crate::read::documents(input.text, index as u16)
        };
        cx.errors.extend(problems);
        parts.extend(documents);
    }
    for part in parts {
        let mut levelled = Node::empty(part.at);
        if !matches!(part.kind, Kind::Map(_)) {
            cx.error(part.at, format!("expected a mapping, found {}", part.shown()), "is it an application.yml?");
            continue;
        }
        level(cx, &part, &mut levelled);
        if counts(cx, &levelled) {
            fill_in(cx, &mut levelled);
            documents.push(levelled);
        }
    }
    let mut names: Vec<Option<String>> = Vec::new();
    for document in &documents {
        let name = application_name(document).map(str::to_owned);
        if name.is_some() && !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push(None);
    }
    names.iter().map(|name| together(cx, &documents, name.as_deref())).collect()
}

/// The documents of the application `name`, and those of none, laid over one another.
fn together(cx: &mut Cx<'_>, documents: &[Node], name: Option<&str>) -> Node {
    let mut root = Node::empty(At::default());
    for document in documents.iter().filter(|document| application_name(document).is_none_or(|own| Some(own) == name)) {
        if let Err(problem) = insert(&mut root, "", document.clone(), document.at) {
            cx.errors.push(problem);
        }
    }
    root
}

fn is_properties(name: &str, text: &str) -> bool {
    let extension = name.rsplit('.').next().unwrap_or_default();
    let looks = |line: &&str| line.starts_with("resilience4j.") && line.contains('=');
    extension == "properties" || (!matches!(extension, "yml" | "yaml") && text.lines().any(|line| looks(&line)))
}

/// Dotted keys become levels.
fn level(cx: &mut Cx<'_>, node: &Node, into: &mut Node) {
    for entry in node.entries() {
        let value = match entry.value.kind {
            Kind::Map(_) => {
                let mut inner = Node::empty(entry.value.at);
                level(cx, &entry.value, &mut inner);
                inner
            }
            _ => entry.value.clone(),
        };
        if let Err(problem) = insert(into, &entry.key.text, value, entry.key.at) {
            cx.errors.push(problem);
        }
    }
}

/// Whether a document belongs to the profile that was asked for.
fn counts(cx: &mut Cx<'_>, root: &Node) -> bool {
    let on = |path: &[&str]| path.iter().try_fold(root, |node, step| node.entry(step));
    let profile = on(&["spring", "config", "activate", "on-profile"]).or_else(|| on(&["spring", "profiles"]));
    let Some((name, at)) = profile.and_then(|node| Some((node.text()?.to_owned(), node.at))) else { return true };
    let wanted = cx.options.profile.as_deref();
    let counts = wanted.is_some_and(|wanted| name.split(',').any(|name| name.trim() == wanted));
    if !counts {
        cx.not_mapped(at, format!("the document of profile `{name}`"), &format!("--profile {name} takes it in"));
    }
    counts
}

/// `${TIMEOUT:2s}` is 2s.
fn fill_in(cx: &mut Cx<'_>, node: &mut Node) {
    let at = node.at;
    match &mut node.kind {
        Kind::Map(entries) => entries.iter_mut().for_each(|entry| fill_in(cx, &mut entry.value)),
        Kind::List(items) => items.iter_mut().for_each(|item| fill_in(cx, item)),
        Kind::Scalar { text, plain, .. } => {
            let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return };
            if let Some((name, usual)) = inner.split_once(':') {
                let what = format!("`{name}` comes from the environment: its default `{usual}` is taken");
                *text = usual.to_owned();
                cx.approximated(at, what, "");
            } else {
                cx.not_mapped(at, format!("`{inner}` comes from the environment"), "write the value");
                *text = String::new();
                *plain = true;
            }
        }
        Kind::Broken => {}
    }
}
