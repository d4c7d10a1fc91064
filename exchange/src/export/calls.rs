//! Who calls whom with which policies, and what the exporters of policies share.

use core::fmt::Display;

use squall_model::Span;
use squall_model::spec::{
    Backoff, Breaker, Budget, Bulkhead, CallPolicy, Jitter, Retry, Service, Share, Spanned, Step, Topology, Trouble,
};

use super::Options;
use crate::doc::Map;

/// A call between two services.
pub(super) struct Call<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) policy: &'a CallPolicy,
}

/// Notes about one call.
pub(super) struct Notes {
    pub(super) about: String,
    pub(super) all: Vec<String>,
}

impl Notes {
    /// What a format cannot say.
    pub(super) fn cannot(&mut self, what: impl Display) {
        self.all.push(format!("{}: {what}", self.about));
    }

    /// The same, if there is something.
    pub(super) fn cannot_if<T>(&mut self, there: Option<&T>, what: &str) {
        if there.is_some() {
            self.cannot(what);
        }
    }
}

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
            if !calls.iter().any(|known| known.from == name.value && known.to == to) {
                calls.push(Call { from: &name.value, to, policy: service.calls.policy(to) });
            }
        }
    }
    calls
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

/// Milliseconds as a decimal: `250ms`, `0.5ms`.
pub(super) fn millis(span: Span) -> String {
    format!("{}ms", number(span.as_nanos() as f64 / 1e6))
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
        Backoff::PollyConstant { delay, cap } => waits(delay, None, cap, false),
        Backoff::PollyLinear { delay, cap } => waits(delay, None, cap, true),
        Backoff::PollyExponential { delay, cap } => waits(delay, Some(2.0), cap, false),
        Backoff::Envoy { base, cap } => waits(base, Some(2.0), cap, false),
    }
}

/// Whether a retry answers to `trouble`.
pub(super) fn retries(retry: &Retry, trouble: Trouble) -> bool {
    let covers = |said: Trouble| said == trouble || said == Trouble::Error && finer(trouble);
    retry.when.iter().any(|said| covers(said.value))
}

/// Whether it is a sort of error.
fn finer(trouble: Trouble) -> bool {
    use Trouble as T;
    matches!(trouble, T::ServerError | T::GatewayError | T::ClientError | T::RequestTimeout | T::Conflict)
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
    notes.cannot_if(policy.fallback.as_ref(), "the fallback is code of the program");
    notes.cannot_if(policy.throttle.as_ref(), "the throttle");
    notes.cannot_if(policy.propagate.as_ref(), "what is propagated");
    notes.cannot_if(policy.network.as_ref(), "the network's latency");
    notes.cannot_if(policy.pool.as_ref(), "the connection pool");
    notes.cannot_if(policy.scope.as_ref(), "who shares its state");
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
