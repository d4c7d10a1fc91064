//! resilience4j's `application.yml`: an instance for each callee. Several callers are several documents.

use squall_model::Span;
use squall_model::spec::{
    Backoff, Breaker, BreakerState, Bulkhead, CallPolicy, InitialState, Jitter, Layer, OpenFor, RateLimit, Retry,
    Topology, Trouble, Window,
};

use super::calls::{
    NOTHING, Notes, Say, Waits, breaker_kind, calls, compare, jitter, number, of_programs, order, percent, rarely_said,
    room, waits,
};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, Value, scalar};
use crate::import::outcomes_of_exception;

/// The order of the aspects under Spring.
const ORDER: [Layer; 5] = [Layer::Retry, Layer::Breaker, Layer::RateLimit, Layer::Timeout, Layer::Bulkhead];

/// A duration as Spring reads it: a whole number of the largest unit that it is a multiple of.
fn millis(span: Span) -> String {
    match span.as_nanos() {
        ns if ns.is_multiple_of(1_000_000) => format!("{}ms", ns / 1_000_000),
        ns if ns.is_multiple_of(1_000) => format!("{}us", ns / 1_000),
        ns => format!("{ns}ns"),
    }
}

/// Waits are whole milliseconds.
fn wait(setting: &str, span: Span, notes: &mut Notes) -> String {
    super::calls::whole_millis(setting, span, notes)
}

pub(super) fn export(topology: &Topology, options: &Options) -> Exported {
    let mut notes = Vec::new();
    let mut documents: Vec<(String, Map)> = Vec::new();
    for call in calls(topology, options, &mut notes) {
        let mut about = Notes { about: format!("{} -> {}", call.from, call.to), all: Vec::new() };
        let known = documents.iter().position(|(from, _)| from == call.from);
        let index = known.unwrap_or_else(|| {
            documents.push((call.from.to_owned(), Map::default()));
            documents.len() - 1
        });
        instance(&mut documents[index].1, (call.to, &call.policy), &mut about);
        notes.append(&mut about.all);
    }
    documents.retain(|(_, sections)| !sections.is_empty());
    let mut texts = Vec::new();
    for (from, sections) in documents {
        let mut doc = Doc {
            header: vec![format!("resilience4j for {from}, from the topology {}.", topology.name.value)],
            ..Doc::default()
        };
        doc.root.map("spring").map("application").say("name", scalar(&from));
        doc.root.set("resilience4j", sections, "");
        texts.push(doc.render());
    }
    Exported { text: texts.join("---\n"), notes }
}

fn instance(sections: &mut Map, (to, policy): (&str, &CallPolicy), notes: &mut Notes) {
    let section = |sections: &mut Map, name: &str, settings: Map| {
        sections.map(name).map("instances").set(to, settings, "");
    };
    if let Some(breaker) = &policy.breaker
        && let Some(settings) = circuit_breaker(breaker, notes)
    {
        section(sections, "circuitbreaker", settings);
    }
    if let Some(written) = &policy.retry {
        section(sections, "retry", retry(written, notes));
    }
    if let Some(limit) = &policy.rate_limit {
        section(sections, "ratelimiter", rate_limiter(limit, notes));
    }
    if let Some(timeout) = &policy.timeout {
        let mut settings = Map::default();
        settings.say("timeoutDuration", millis(timeout.value));
        section(sections, "timelimiter", settings);
    }
    match policy.bulkhead.as_ref().map(|bulkhead| &bulkhead.value) {
        Some(Bulkhead::ThreadPool(pool)) => {
            let mut settings = Map::default();
            settings.say("coreThreadPoolSize", *pool.core);
            settings.say("maxThreadPoolSize", *pool.max);
            settings.say("queueCapacity", *pool.queue);
            settings.say("keepAliveDuration", millis(*pool.keep_alive));
            notes.cannot_if(pool.queue_rejection.as_ref(), "bulkhead.queue_rejection", NOTHING);
            section(sections, "thread-pool-bulkhead", settings);
        }
        Some(bulkhead) => {
            let room = room(bulkhead);
            if !matches!(bulkhead, Bulkhead::Plain(_) | Bulkhead::Semaphore(_)) {
                notes.cannot("bulkhead", "of another kind; its largest size is written");
            }
            if let Some(limit) = room.limit {
                let mut settings = Map::default();
                settings.say("maxConcurrentCalls", limit);
                settings.say("maxWaitDuration", millis(room.wait));
                section(sections, "bulkhead", settings);
            }
        }
        None => {}
    }
    notes.cannot_if(policy.deadline.as_ref(), "deadline", "nothing limits all attempts together");
    notes.cannot_if(policy.hedge.as_ref(), "hedge", NOTHING);
    notes.cannot_if(policy.balancer.as_ref(), "balancer", "the program does not choose the replica");
    order(policy, &ORDER, notes);
    rarely_said(policy, notes);
}

fn circuit_breaker(breaker: &Breaker, notes: &mut Notes) -> Option<Map> {
    let Breaker::Resilience4j(of) = breaker else {
        notes.cannot("breaker", format!("of kind {}, which is left out", breaker_kind(breaker)));
        return None;
    };
    let mut settings = Map::default();
    match *of.window {
        Window::Calls(calls) => {
            settings.say("slidingWindowType", "COUNT_BASED");
            settings.say("slidingWindowSize", calls);
        }
        Window::Time(span) => {
            settings.say("slidingWindowType", "TIME_BASED");
            settings.say("slidingWindowSize", span.as_nanos().div_ceil(1_000_000_000));
            if !span.as_nanos().is_multiple_of(1_000_000_000) {
                notes.cannot("breaker.window", format!("{span} is no whole number of seconds"));
            }
        }
    }
    settings.say("minimumNumberOfCalls", *of.minimum_calls);
    settings.say("failureRateThreshold", number(percent(*of.failure_rate)));
    settings.say("slowCallRateThreshold", number(percent(*of.slow_rate)));
    settings.say("slowCallDurationThreshold", millis(*of.slow_after));
    match *of.open_for {
        OpenFor::Constant(span) => settings.say("waitDurationInOpenState", wait("breaker.open_for", span, notes)),
        OpenFor::Randomized { around, factor } => {
            settings.say("waitDurationInOpenState", wait("breaker.open_for", around, notes));
            settings.say("enableRandomizedWait", true);
            settings.say("randomizedWaitFactor", number(factor));
        }
        OpenFor::Exponential { base, factor, cap } => {
            settings.say("waitDurationInOpenState", wait("breaker.open_for", base, notes));
            settings.say("enableExponentialBackoff", true);
            settings.say("exponentialBackoffMultiplier", number(factor));
            if cap != Span::MAX {
                settings.say("exponentialMaxWaitDurationInOpenState", millis(cap));
            }
        }
    }
    settings.say("permittedNumberOfCallsInHalfOpenState", *of.half_open_calls);
    if !of.half_open_limit.is_zero() {
        settings.say("maxWaitDurationInHalfOpenState", wait("breaker.half_open_limit", *of.half_open_limit, notes));
    }
    if of.after_half_open_limit.value != BreakerState::Open {
        settings.say("transitionToStateAfterWaitDuration", of.after_half_open_limit.word().to_uppercase());
    }
    if of.initial_state.value != InitialState::Closed {
        settings.say("initialState", of.initial_state.word().to_uppercase());
    }
    if *of.auto_half_open {
        settings.say("automaticTransitionFromOpenToHalfOpenEnabled", true);
    }
    let words: Vec<Trouble> = of.ignore.iter().map(|word| word.value).collect();
    if !words.is_empty() {
        let (classes, said) = classes(words);
        settings.set("ignoreExceptions", classes, "");
        compare("breaker.ignore", &of.ignore, &said, notes);
    }
    if let Some(counts) = &of.counts {
        let (classes, said) = classes(counts.iter().map(|word| word.value).collect());
        if said.is_empty() {
            notes.cannot("breaker.counts", "no exception is like these; there every failure counts");
        } else {
            settings.set("recordExceptions", classes, "");
            compare("breaker.counts", counts, &said, notes);
        }
    }
    if !of.clock_start.is_zero() {
        notes.cannot("breaker.clock_start", "there the clock says what time it is");
    }
    Some(settings)
}

/// The exceptions that stand for outcomes, and the outcomes that they stand for.
fn classes(words: Vec<Trouble>) -> (Value, Vec<&'static str>) {
    let class = |word: Trouble| match word {
        Trouble::Timeout => Some("java.util.concurrent.TimeoutException"),
        Trouble::Refused => Some("java.net.ConnectException"),
        Trouble::BreakerOpen => Some("io.github.resilience4j.circuitbreaker.CallNotPermittedException"),
        Trouble::Rejected => Some("io.github.resilience4j.bulkhead.BulkheadFullException"),
        Trouble::RateLimited => Some("io.github.resilience4j.ratelimiter.RequestNotPermitted"),
        Trouble::ServerError => Some("org.springframework.web.client.HttpServerErrorException"),
        Trouble::ClientError => Some("org.springframework.web.client.HttpClientErrorException"),
        Trouble::Error => Some("feign.FeignException"),
        Trouble::GatewayError | Trouble::RequestTimeout | Trouble::Conflict => None,
    };
    let classes: Vec<&str> = words.into_iter().filter_map(class).collect();
    let said = classes.iter().flat_map(|class| outcomes_of_exception(class)).copied().collect();
    (Value::List(classes.into_iter().map(Item::new).collect()), said)
}

fn retry(written: &Retry, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    let Waits { first, factor, longest, linear } = waits(*written.backoff);
    if linear {
        notes.cannot("retry.backoff", "it grows by addition; its first wait is written");
    }
    settings.say("waitDuration", wait("retry.backoff", first, notes));
    if let Some(factor) = factor {
        settings.say("enableExponentialBackoff", true);
        settings.say("exponentialBackoffMultiplier", number(factor));
        if let Some(longest) = longest {
            settings.say("exponentialMaxWaitDuration", wait("retry.backoff", longest, notes));
        }
    }
    match *written.jitter {
        Jitter::None if matches!(*written.backoff, Backoff::Envoy { .. }) => {
            notes.cannot("retry.jitter", "Envoy's waits begin at 0; whole ones are written");
        }
        Jitter::None => {}
        Jitter::Randomized(factor) | Jitter::Proportional(factor) => {
            settings.say("enableRandomizedWait", true);
            settings.say("randomizedWaitFactor", number((factor * 1e12).round() / 1e12));
            if matches!(*written.jitter, Jitter::Proportional(_)) {
                notes.cannot("retry.jitter", "resilience4j's randomised wait is written, in whole milliseconds");
            }
        }
        other => notes.cannot("retry.jitter", format!("`{}`; none is written", jitter(other))),
    }
    let attempts = if retried(written, &mut settings, notes) { *written.attempts } else { 1 };
    settings.say("maxAttempts", attempts);
    of_programs(written, notes);
    notes.cannot_if(written.budget.as_ref(), "retry.budget", NOTHING);
    settings
}

/// Writes what is tried again; answers whether anything is.
fn retried(written: &Retry, settings: &mut Map, notes: &mut Notes) -> bool {
    let all = [
        Trouble::Timeout,
        Trouble::Error,
        Trouble::Refused,
        Trouble::Rejected,
        Trouble::RateLimited,
        Trouble::BreakerOpen,
    ];
    let wanted: Vec<Trouble> = written.when.iter().map(|word| word.value).collect();
    let missing: Vec<Trouble> = all.into_iter().filter(|word| !wanted.contains(word)).collect();
    let said: Vec<&str> = if missing.contains(&Trouble::Error) {
        let (classes, said) = classes(wanted);
        if !said.is_empty() {
            settings.set("retryExceptions", classes, "");
        }
        said
    } else {
        if !missing.is_empty() {
            settings.set("ignoreExceptions", classes(missing.clone()).0, "");
        }
        all.iter().filter(|word| !missing.contains(word)).map(|word| word.word()).collect()
    };
    compare("retry.when", &written.when, &said, notes);
    !said.is_empty()
}

fn rate_limiter(limit: &RateLimit, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    match limit {
        RateLimit::Resilience4j(of) => {
            settings.say("limitForPeriod", *of.limit_for_period);
            settings.say("limitRefreshPeriod", millis(*of.limit_refresh_period));
            settings.say("timeoutDuration", millis(*of.timeout_duration));
            if !*of.blocking {
                notes.cannot("rate_limit.blocking", "a call that gets no permit waits for nothing there");
            }
        }
        RateLimit::Plain(rate) => {
            settings.say("limitForPeriod", rate.0.ceil().max(1.0));
            settings.say("limitRefreshPeriod", "1000ms");
            settings.say("timeoutDuration", "0ms");
            notes.cannot("rate_limit", "a smooth rate; so many a second are written");
        }
        RateLimit::TokenBucket(of) => {
            settings.say("limitForPeriod", of.rate.0.ceil().max(1.0));
            settings.say("limitRefreshPeriod", "1000ms");
            settings.say("timeoutDuration", millis(*of.wait));
            notes.cannot("rate_limit", "a token bucket; so many a second are written");
        }
    }
    settings
}
