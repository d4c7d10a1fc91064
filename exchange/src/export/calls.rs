//! Who calls whom with which policies, and what the exporters of policies share.

use std::borrow::Cow;
use std::collections::BTreeSet;

use core::fmt::Display;

use squall_model::Span;
use squall_model::spec::{
    Backoff, Breaker, Budget, Bulkhead, CallPolicy, Jitter, Layer, Order, Retry, Scope, Service, Share, Spanned, Step,
    Topology, Trouble,
};

use super::Options;
use crate::doc::Map;

/// A call between two services.
pub(super) struct Call<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) policy: Cow<'a, CallPolicy>,
}

/// Notes about one call.
pub(super) struct Notes {
    pub(super) about: String,
    pub(super) all: Vec<String>,
}

impl Notes {
    /// What a format cannot say of `setting`, such as `retry.jitter`: why, or what is written instead.
    pub(super) fn cannot(&mut self, setting: &str, what: impl Display) {
        self.all.push(format!("{}: `{setting}`: {what}", self.about));
    }

    /// The same, if there is something.
    pub(super) fn cannot_if<T>(&mut self, there: Option<&T>, setting: &str, what: &str) {
        if there.is_some() {
            self.cannot(setting, what);
        }
    }
}

/// Where a dialect has nothing of the kind.
pub(super) const NOTHING: &str = "nothing there is like it";

/// The calls of a topology in the order of the file, each once; those of `options.of` if it is named. Policies of single
/// steps are told of in `notes`.
pub(super) fn calls<'a>(topology: &'a Topology, options: &Options, notes: &mut Vec<String>) -> Vec<Call<'a>> {
    let mut calls: Vec<Call<'a>> = Vec::new();
    for (name, service) in topology.services.iter() {
        if options.of.as_ref().is_some_and(|of| *of != name.value) {
            continue;
        }
        for step in steps(service) {
            let Step::Call(call) = step else { continue };
            let to = call.to.service.value.as_str();
            if call.policy.is_some() {
                notes.push(format!("{} -> {to}: a step's own policies; those of the call are written", name.value));
            }
            if !calls.iter().any(|known| known.to == to) {
                notes.extend(of_callee(topology, to));
            }
            if !calls.iter().any(|known| known.from == name.value && known.to == to) {
                calls.push(Call { from: &name.value, to, policy: acting(service.calls.policy(to)) });
            }
        }
    }
    calls
}

/// A policy without a retry that never tries again.
fn acting(policy: &CallPolicy) -> Cow<'_, CallPolicy> {
    let tries = |retry: &Retry| *retry.attempts > 1 && !(retry.when.is_empty() && retry.statuses.is_empty());
    match &policy.retry {
        Some(retry) if !tries(retry) => Cow::Owned(CallPolicy { retry: None, ..policy.clone() }),
        _ => Cow::Borrowed(policy),
    }
}

/// What a callee does to save itself is none of its callers' configuration.
fn of_callee(topology: &Topology, name: &str) -> Vec<String> {
    let Some(callee) = topology.services.find(name) else { return Vec::new() };
    let own = [("admission", callee.admission.is_some()), ("queue", callee.queue.is_some())];
    let note = |(setting, _): (&str, bool)| format!("{name}: `{setting}`: what it lets in is its own affair");
    own.into_iter().filter(|(_, there)| *there).map(note).collect()
}

/// Every step of a service.
pub(super) fn steps(service: &Service) -> Vec<&Step> {
    let endpoints = service.endpoints.iter().flat_map(|(_, endpoint)| Step::all(&endpoint.steps));
    endpoints.map(|step| &step.value).collect()
}

/// Per cent, without what floats leave behind: 7, not 7.000000000000001.
pub(super) fn percent(share: Share) -> f64 {
    (share.0 * 100.0 * 1e9).round() / 1e9
}

/// A share without what floats leave behind.
pub(super) fn share(share: Share) -> f64 {
    (share.0 * 1e12).round() / 1e12
}

/// A number as JSON and YAML have it: `3`, not `3.0`.
pub(super) fn number(value: f64) -> String {
    format!("{value}")
}

/// Seconds as protobuf's JSON has them: `0.25s`.
pub(super) fn seconds(span: Span) -> String {
    let (whole, rest) = (span.as_nanos() / 1_000_000_000, span.as_nanos() % 1_000_000_000);
    if rest == 0 {
        return format!("{whole}s");
    }
    format!("{whole}.{}s", format!("{rest:09}").trim_end_matches('0'))
}

/// The first wait, the factor and the longest wait, as far as a back-off has them.
pub(super) struct Waits {
    pub(super) first: Span,
    pub(super) factor: Option<f64>,
    pub(super) longest: Option<Span>,
    pub(super) linear: bool,
}

pub(super) fn waits(backoff: Backoff) -> Waits {
    let longest = |cap: Span| (cap != Span::MAX).then_some(cap);
    let waits = |first, factor, cap, linear| Waits { first, factor, longest: longest(cap), linear };
    match backoff {
        Backoff::None => waits(Span::ZERO, None, Span::MAX, false),
        Backoff::Constant(wait) => waits(wait, None, Span::MAX, false),
        Backoff::Linear { step, cap } => waits(step, None, cap, true),
        Backoff::Exponential { base, factor, cap } => waits(base, Some(factor), cap, false),
        Backoff::Resilience4j { initial, multiplier, cap } => waits(initial, multiplier, cap, false),
        Backoff::PollyConstant { delay, cap } => waits(delay.min(cap), None, cap, false),
        Backoff::PollyLinear { delay, cap } => waits(delay, None, cap, true),
        Backoff::PollyExponential { delay, cap } => waits(delay, Some(2.0), cap, false),
        Backoff::Envoy { base, cap } => waits(base, Some(2.0), cap, false),
    }
}

/// Whether a retry answers to all that `trouble` is.
pub(super) fn retries(retry: &Retry, trouble: Trouble) -> bool {
    finest([trouble]).is_subset(&finest(retry.when.iter().map(|word| word.value)))
}

/// Every failure by the finest words that there are.
fn finest(words: impl IntoIterator<Item = Trouble>) -> BTreeSet<&'static str> {
    use Trouble as T;
    let finer = |word: Trouble| -> &'static [Trouble] {
        match word {
            T::Error => &[T::ServerError, T::GatewayError, T::ClientError, T::RequestTimeout, T::Conflict],
            T::ServerError => &[T::ServerError, T::GatewayError],
            T::ClientError => &[T::ClientError, T::RequestTimeout, T::Conflict],
            T::Timeout => &[T::Timeout],
            T::Refused => &[T::Refused],
            T::Rejected => &[T::Rejected],
            T::RateLimited => &[T::RateLimited],
            T::BreakerOpen => &[T::BreakerOpen],
            T::GatewayError => &[T::GatewayError],
            T::RequestTimeout => &[T::RequestTimeout],
            T::Conflict => &[T::Conflict],
        }
    };
    words.into_iter().flat_map(finer).map(|word| word.word()).collect()
}

/// The trouble that a word of the topology file names.
fn trouble(word: &str) -> Option<Trouble> {
    Trouble::ALL.iter().find(|(known, _)| *known == word).map(|(_, trouble)| *trouble)
}

/// Tells where the failures that `setting` names here are not those that the dialect's words, taken back, stand for.
pub(super) fn compare(setting: &str, here: &[Spanned<Trouble>], there: &[&str], notes: &mut Notes) {
    let here = finest(here.iter().map(|word| word.value));
    let there = finest(there.iter().filter_map(|word| trouble(word)));
    let list = |words: Vec<&&str>| words.into_iter().copied().collect::<Vec<_>>().join(", ");
    let missing = list(here.difference(&there).collect());
    let besides = list(there.difference(&here).collect());
    match (missing.as_str(), besides.as_str()) {
        ("", "") => {}
        (_, "") => notes.cannot(setting, format!("{missing} cannot be said")),
        ("", _) => notes.cannot(setting, format!("{besides} comes with the rest")),
        _ => notes.cannot(setting, format!("{missing} cannot be said, {besides} comes with the rest")),
    }
}

/// Tells if a call's policies stand around it in another order than the dialect's, outside in.
pub(super) fn order(policy: &CallPolicy, dialect: &[Layer], notes: &mut Notes) {
    let of_replicas = policy
        .breaker
        .as_ref()
        .is_some_and(|breaker| matches!(breaker.value, Breaker::EnvoyOutlier(_) | Breaker::Linkerd(_)));
    let there = |layer: &Layer| match layer {
        Layer::Retry => policy.retry.is_some(),
        Layer::Throttle => policy.throttle.is_some(),
        Layer::Breaker => policy.breaker.is_some() && !of_replicas,
        Layer::RateLimit => policy.rate_limit.is_some(),
        Layer::Bulkhead => policy.bulkhead.is_some(),
        Layer::Timeout => policy.timeout.is_some(),
    };
    let here = policy.order.as_ref().map_or(Order::DEFAULT, |order| order.layers());
    let here: Vec<Layer> = here.into_iter().filter(|layer| there(layer) && dialect.contains(layer)).collect();
    let dialect: Vec<Layer> = dialect.iter().copied().filter(there).collect();
    if here != dialect {
        let words: Vec<&str> = dialect.iter().map(|layer| layer.word()).collect();
        notes.cannot("order", format!("there it is {}, outside in", words.join(", ")));
    }
}

/// Whole milliseconds, and no less than one: what most dialects take. Tells of what is lost.
pub(super) fn whole_millis(setting: &str, span: Span, notes: &mut Notes) -> String {
    let whole = Span::from_millis(span.as_nanos().div_ceil(1_000_000).max(1));
    if whole != span {
        notes.cannot(setting, format!("{span} in whole milliseconds is {whole}"));
    }
    format!("{}ms", whole.as_millis())
}

/// A limit of calls at once with its queue, whatever kind it is.
pub(super) struct Room {
    pub(super) limit: Option<u32>,
    pub(super) queue: Option<u32>,
    pub(super) wait: Span,
}

pub(super) fn room(bulkhead: &Bulkhead) -> Room {
    match bulkhead {
        Bulkhead::Plain(limit) => Room { limit: limit.count(), queue: None, wait: Span::ZERO },
        Bulkhead::Semaphore(of) => Room { limit: of.limit.count(), queue: None, wait: *of.wait },
        Bulkhead::ThreadPool(of) => Room { limit: Some(*of.max), queue: Some(*of.queue), wait: Span::ZERO },
        Bulkhead::Envoy(of) => {
            Room { limit: Some(*of.max_requests), queue: Some(*of.max_pending_requests), wait: Span::ZERO }
        }
        Bulkhead::Aimd(of) => Room { limit: Some(*of.max), queue: None, wait: Span::ZERO },
        Bulkhead::Vegas(of) => Room { limit: Some(*of.max), queue: None, wait: Span::ZERO },
        Bulkhead::Gradient2(of) => Room { limit: Some(*of.max), queue: None, wait: Span::ZERO },
    }
}

/// The name of a breaker's kind.
pub(super) const fn breaker_kind(breaker: &Breaker) -> &'static str {
    match breaker {
        Breaker::Resilience4j(_) => "resilience4j",
        Breaker::Polly(_) => "polly",
        Breaker::Hystrix(_) => "hystrix",
        Breaker::EnvoyOutlier(_) => "envoy_outlier",
        Breaker::Linkerd(_) => "linkerd",
        Breaker::Consecutive(_) => "consecutive",
    }
}

/// The name of a budget's kind.
pub(super) const fn budget_kind(budget: &Budget) -> &'static str {
    match budget {
        Budget::Share(_) => "a share",
        Budget::Finagle(_) => "finagle",
        Budget::Tower(_) => "tower",
        Budget::Envoy(_) => "envoy",
        Budget::Grpc(_) => "grpc",
        Budget::Aws(_) => "aws",
        Budget::TokenBucket(_) => "token_bucket",
    }
}

/// What a jitter is called.
pub(super) fn jitter(jitter: Jitter) -> String {
    match jitter {
        Jitter::None => "none".into(),
        Jitter::Full => "full".into(),
        Jitter::Equal => "equal".into(),
        Jitter::Decorrelated => "decorrelated".into(),
        Jitter::Polly => "polly".into(),
        Jitter::Proportional(share) => format!("±{} %", share * 100.0),
        Jitter::Additive(share) | Jitter::AdditiveCapped(share) => format!("+{} %", share * 100.0),
        Jitter::Randomized(share) => format!("randomised ±{} %", share * 100.0),
    }
}

/// What hardly any dialect can say.
pub(super) fn rarely_said(policy: &CallPolicy, notes: &mut Notes) {
    notes.cannot_if(policy.fallback.as_ref(), "fallback", "it is code of the program");
    notes.cannot_if(policy.throttle.as_ref(), "throttle", NOTHING);
    notes.cannot_if(policy.propagate.as_ref(), "propagate", "it is code of the program");
    notes.cannot_if(policy.network.as_ref(), "network", "the network is what it is there");
    notes.cannot_if(policy.pool.as_ref(), "pool", NOTHING);
    if policy.scope.as_ref().is_some_and(|scope| scope.value == Scope::Service) {
        notes.cannot("scope", "there each process has its own state");
    }
    if let Some(retry) = &policy.retry {
        notes.cannot_if(retry.throttled_base.as_ref(), "retry.throttled_base", NOTHING);
    }
}

/// What retries of programs, unlike those of proxies, cannot say: they know no replicas, and no statuses but by class.
pub(super) fn of_programs(retry: &Retry, notes: &mut Notes) {
    if *retry.avoid_tried > 0 {
        notes.cannot("retry.avoid_tried", "the program does not choose the replica");
    }
    if !retry.statuses.is_empty() {
        notes.cannot("retry.statuses", NOTHING);
    }
}

/// Puts a plain value into a tree.
pub(super) trait Say {
    fn say(&mut self, key: &str, value: impl Display);
}

impl Say for Map {
    fn say(&mut self, key: &str, value: impl Display) {
        self.set(key, value.to_string(), "");
    }
}

/// A retry's attempts after the first.
pub(super) fn retries_of(retry: &Spanned<Retry>) -> u32 {
    retry.attempts.value.saturating_sub(1)
}
