//! resilience4j's `application.yml`: an instance for each callee. Several callers are several documents.

use squall_model::Span;
use squall_model::spec::{
    Backoff, Breaker, Bulkhead, CallPolicy, Jitter, OpenFor, RateLimit, Retry, Topology, Trouble, Window,
};

use super::calls::{Notes, Say, Waits, breaker_kind, calls, jitter, millis, number, percent, rarely_said, room, waits};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, Value, scalar};

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
        instance(&mut documents[index].1, (call.to, call.policy), &mut about);
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
            section(sections, "thread-pool-bulkhead", settings);
        }
        Some(bulkhead) => {
            let room = room(bulkhead);
            if !matches!(bulkhead, Bulkhead::Plain(_) | Bulkhead::Semaphore(_)) {
                notes.cannot("this kind of bulkhead; its largest size is written");
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
    notes.cannot_if(policy.deadline.as_ref(), "the deadline over all attempts");
    notes.cannot_if(policy.hedge.as_ref(), "the hedge");
    notes.cannot_if(policy.balancer.as_ref(), "the balancer");
    rarely_said(policy, notes);
}

fn circuit_breaker(breaker: &Breaker, notes: &mut Notes) -> Option<Map> {
    let Breaker::Resilience4j(of) = breaker else {
        notes.cannot(format!("a breaker of kind {}", breaker_kind(breaker)));
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
            settings.say("slidingWindowSize", span.as_nanos() / 1_000_000_000);
        }
    }
    settings.say("minimumNumberOfCalls", *of.minimum_calls);
    settings.say("failureRateThreshold", number(percent(*of.failure_rate)));
    settings.say("slowCallRateThreshold", number(percent(*of.slow_rate)));
    settings.say("slowCallDurationThreshold", millis(*of.slow_after));
    match *of.open_for {
        OpenFor::Constant(span) => settings.say("waitDurationInOpenState", millis(span)),
        OpenFor::Exponential { base, factor, cap } => {
            settings.say("waitDurationInOpenState", millis(base));
            settings.say("enableExponentialBackoff", true);
            settings.say("exponentialBackoffMultiplier", number(factor));
            if cap != Span::MAX {
                settings.say("exponentialMaxWaitDurationInOpenState", millis(cap));
            }
        }
    }
    settings.say("permittedNumberOfCallsInHalfOpenState", *of.half_open_calls);
    if !of.half_open_limit.is_zero() {
        settings.say("maxWaitDurationInHalfOpenState", millis(*of.half_open_limit));
        settings.say("transitionToStateAfterWaitDuration", of.after_half_open_limit.word().to_uppercase());
    }
    if *of.auto_half_open {
        settings.say("automaticTransitionFromOpenToHalfOpenEnabled", true);
    }
    let words: Vec<Trouble> = of.ignore.iter().map(|word| word.value).collect();
    if !words.is_empty() {
        settings.set("ignoreExceptions", classes(&words, notes), "");
    }
    if let Some(counts) = &of.counts {
        let words: Vec<Trouble> = counts.iter().map(|word| word.value).collect();
        settings.set("recordExceptions", classes(&words, notes), "");
    }
    Some(settings)
}

/// The exceptions that stand for outcomes.
fn classes(words: &[Trouble], notes: &mut Notes) -> Value {
    let mut classes = Vec::new();
    for word in words {
        let class = match word {
            Trouble::Timeout => "java.util.concurrent.TimeoutException",
            Trouble::Refused => "java.net.ConnectException",
            Trouble::BreakerOpen => "io.github.resilience4j.circuitbreaker.CallNotPermittedException",
            Trouble::Rejected => "io.github.resilience4j.bulkhead.BulkheadFullException",
            Trouble::RateLimited => "io.github.resilience4j.ratelimiter.RequestNotPermitted",
            Trouble::ServerError => "org.springframework.web.client.HttpServerErrorException",
            Trouble::ClientError => "org.springframework.web.client.HttpClientErrorException",
            Trouble::Error => "feign.FeignException",
            Trouble::GatewayError | Trouble::RequestTimeout | Trouble::Conflict => {
                notes.cannot(format!("an exception for `{}`", word.word()));
                continue;
            }
        };
        classes.push(Item::new(class));
    }
    Value::List(classes)
}

fn retry(written: &Retry, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    settings.say("maxAttempts", *written.attempts);
    let Waits { first, factor, longest, linear } = waits(*written.backoff);
    if matches!(*written.backoff, Backoff::None) {
        notes.cannot("a retry at once; 1 ms is written");
    }
    if linear {
        notes.cannot("a linear back-off; its first wait is written");
    }
    settings.say("waitDuration", millis(first.max(Span::from_millis(1))));
    if let Some(factor) = factor {
        settings.say("enableExponentialBackoff", true);
        settings.say("exponentialBackoffMultiplier", number(factor));
        if let Some(longest) = longest {
            settings.say("exponentialMaxWaitDuration", millis(longest));
        }
    }
    match *written.jitter {
        Jitter::None => {}
        Jitter::Randomized(factor) | Jitter::Proportional(factor) => {
            settings.say("enableRandomizedWait", true);
            settings.say("randomizedWaitFactor", number((factor * 1e12).round() / 1e12));
        }
        other => notes.cannot(format!("the jitter `{}`", jitter(other))),
    }
    let all = [
        Trouble::Timeout,
        Trouble::Error,
        Trouble::Refused,
        Trouble::Rejected,
        Trouble::RateLimited,
        Trouble::BreakerOpen,
    ];
    let said: Vec<Trouble> = written.when.iter().map(|word| word.value).collect();
    let missing: Vec<Trouble> = all.into_iter().filter(|word| !said.contains(word)).collect();
    if !missing.is_empty() {
        if missing.contains(&Trouble::Error) {
            settings.set("retryExceptions", classes(&said, notes), "");
        } else {
            settings.set("ignoreExceptions", classes(&missing, notes), "");
        }
    }
    if !written.statuses.is_empty() {
        notes.cannot("statuses that are tried again");
    }
    notes.cannot_if(written.budget.as_ref(), "the retry budget");
    settings
}

fn rate_limiter(limit: &RateLimit, notes: &mut Notes) -> Map {
    let mut settings = Map::default();
    match limit {
        RateLimit::Resilience4j(of) => {
            settings.say("limitForPeriod", *of.limit_for_period);
            settings.say("limitRefreshPeriod", millis(*of.limit_refresh_period));
            settings.say("timeoutDuration", millis(*of.timeout_duration));
        }
        RateLimit::Plain(rate) => {
            settings.say("limitForPeriod", rate.0.ceil().max(1.0));
            settings.say("limitRefreshPeriod", "1000ms");
            settings.say("timeoutDuration", "0ms");
            notes.cannot("a smooth rate; so many a second are written");
        }
        RateLimit::TokenBucket(of) => {
            settings.say("limitForPeriod", of.rate.0.ceil().max(1.0));
            settings.say("limitRefreshPeriod", "1000ms");
            settings.say("timeoutDuration", millis(*of.wait));
            notes.cannot("a token bucket; so many a second are written");
        }
    }
    settings
}
