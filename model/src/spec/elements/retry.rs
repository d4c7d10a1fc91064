//! Trying again.

use super::Budget;
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, words};
use crate::spec::values::{Backoff, Jitter};

element! {
    /// Tries again.
    "a retry"
    pub struct Retry short "attempts" {
        /// Whose retry it is: what is left out is as it is there. Default `plain`.
        kind: Spanned<RetryKind> = Spanned::unwritten(RetryKind::Plain),
        /// Attempts, the first included. Default 3, or what the kind says.
        attempts: Spanned<u32> = Spanned::unwritten(usual_attempts(kind.as_ref())),
        /// How long to wait before each retry. Default `none`, or what the kind says.
        backoff: Spanned<Backoff> = Spanned::unwritten(usual_backoff(kind.as_ref())),
        /// How that wait is spread. Default `none`, or what the kind says.
        jitter: Spanned<Jitter> = Spanned::unwritten(usual_jitter(kind.as_ref(), backoff.as_ref())),
        /// What is tried again. Default: timeout, error, refused, rejected, or what the kind says.
        when: Spanned<Vec<Spanned<Trouble>>> = usual_trouble(kind.as_ref()),
        /// Statuses of answers that are tried again besides, at most eight. Default: none.
        statuses: Spanned<Vec<Spanned<u16>>> = Spanned::unwritten(Vec::new()),
        /// The base of an exponential back-off after a rate limit, where it is another. Default: the same.
        throttled_base: Option<Spanned<Span>> = usual_throttled_base(kind.as_ref()),
        /// How often a replica is chosen again that this call has already tried. Default 0; Istio's 5.
        avoid_tried: Spanned<u32> = Spanned::unwritten(usual_avoid(kind.as_ref())),
        /// What becomes of a wait that the callee asks for when it turns an attempt away. Default `ignored`, or what the
        /// kind says.
        retry_after: Spanned<RetryAfter> = Spanned::unwritten(usual_retry_after(kind.as_ref())),
        /// How many retries there may be. Default: any number.
        budget: Option<Spanned<Budget>> = None,
    }
}

words! {
    /// Whose retry it is.
    "a kind of retry"
    pub enum RetryKind {
        /// Nobody's in particular.
        Plain = "plain",
        /// resilience4j's: 3 attempts, 500 ms apart, after every failure, an open breaker among them.
        Resilience4j = "resilience4j",
        /// Polly's: 4 attempts, 2 s apart, after every failure.
        Polly = "polly",
        /// .NET's standard pipeline: 4 attempts, 2 s exponential with jitter, after transient failures.
        Dotnet = "dotnet",
        /// Envoy's, on `5xx`: 2 attempts.
        Envoy = "envoy",
        /// What Istio does by itself: 3 attempts if there was no connection, on other replicas if it can.
        Istio = "istio",
        /// Linkerd's: 2 attempts, after a 5xx.
        Linkerd = "linkerd",
        /// gRPC's, on `UNAVAILABLE`: ±20 %, at most 5 attempts.
        Grpc = "grpc",
        /// The AWS SDKs' standard mode, by the rules of 2.0.
        Aws = "aws",
        /// The same, by the rules of 2.1.
        Aws21 = "aws_2_1",
    }
}

words! {
    /// What becomes of a wait that the callee asks for.
    "a way to take a wait that was asked for"
    pub enum RetryAfter {
        /// It is not heard.
        Ignored = "ignored",
        /// It is the wait: .NET's standard pipeline.
        Exact = "exact",
        /// It is the wait, and an exponential back-off starts again: gRPC.
        Pushback = "pushback",
        /// It is the wait, or up to a half more, drawn evenly; of what is asked for, 300 s count at most: Envoy's back-off
        /// after rate limits.
        Envoy = "envoy",
        /// It is the wait if it is longer than the own one, by 5 s at most: the AWS SDKs.
        Aws = "aws",
    }
}

fn usual_retry_after(of: Option<&Spanned<RetryKind>>) -> RetryAfter {
    match kind(of) {
        RetryKind::Dotnet => RetryAfter::Exact,
        RetryKind::Grpc => RetryAfter::Pushback,
        RetryKind::Aws21 => RetryAfter::Aws,
        _ => RetryAfter::Ignored,
    }
}

fn kind(kind: Option<&Spanned<RetryKind>>) -> RetryKind {
    kind.map_or(RetryKind::Plain, |kind| kind.value)
}

fn usual_attempts(of: Option<&Spanned<RetryKind>>) -> u32 {
    match kind(of) {
        RetryKind::Polly | RetryKind::Dotnet => 4,
        RetryKind::Envoy | RetryKind::Linkerd => 2,
        _ => 3,
    }
}

fn usual_backoff(of: Option<&Spanned<RetryKind>>) -> Backoff {
    let (ms, s) = (Span::from_millis, Span::from_secs);
    match kind(of) {
        RetryKind::Plain => Backoff::None,
        RetryKind::Resilience4j => Backoff::Resilience4j { initial: ms(500), multiplier: None, cap: Span::MAX },
        RetryKind::Polly => Backoff::PollyConstant { delay: s(2), cap: Span::MAX },
        RetryKind::Dotnet => Backoff::PollyExponential { delay: s(2), cap: Span::MAX },
        RetryKind::Envoy | RetryKind::Istio => Backoff::Envoy { base: ms(25), cap: ms(250) },
        RetryKind::Linkerd => Backoff::Exponential { base: ms(25), factor: 2.0, cap: ms(250) },
        RetryKind::Grpc => Backoff::Exponential { base: ms(100), factor: 2.0, cap: s(1) },
        RetryKind::Aws => Backoff::Exponential { base: s(1), factor: 2.0, cap: s(20) },
        RetryKind::Aws21 => Backoff::Exponential { base: ms(50), factor: 2.0, cap: s(20) },
    }
}

/// A kind's jitter goes with the kind's back-off, and with others of that sort.
fn usual_jitter(of: Option<&Spanned<RetryKind>>, backoff: Option<&Spanned<Backoff>>) -> Jitter {
    let usual = match kind(of) {
        RetryKind::Dotnet => Jitter::Polly,
        RetryKind::Linkerd => Jitter::AdditiveCapped(1.0),
        RetryKind::Grpc => Jitter::Proportional(0.2),
        RetryKind::Aws | RetryKind::Aws21 => Jitter::Full,
        _ => Jitter::None,
    };
    let fits = backoff.is_none_or(|backoff| backoff.value.takes(usual));
    if fits { usual } else { Jitter::None }
}

fn usual_throttled_base(of: Option<&Spanned<RetryKind>>) -> Option<Spanned<Span>> {
    (kind(of) == RetryKind::Aws21).then(|| Spanned::unwritten(Span::from_secs(1)))
}

fn usual_avoid(of: Option<&Spanned<RetryKind>>) -> u32 {
    if kind(of) == RetryKind::Istio { 5 } else { 0 }
}

fn usual_trouble(of: Option<&Spanned<RetryKind>>) -> Spanned<Vec<Spanned<Trouble>>> {
    use Trouble as T;
    let transient = [T::ServerError, T::RequestTimeout, T::RateLimited, T::Timeout, T::Refused, T::Rejected];
    let usual = match kind(of) {
        RetryKind::Plain => vec![T::Timeout, T::Error, T::Refused, T::Rejected],
        RetryKind::Resilience4j | RetryKind::Polly => {
            vec![T::Timeout, T::Error, T::Refused, T::Rejected, T::RateLimited, T::BreakerOpen]
        }
        RetryKind::Dotnet | RetryKind::Aws | RetryKind::Aws21 => transient.into(),
        RetryKind::Envoy => vec![T::ServerError, T::Timeout, T::Refused, T::Rejected],
        RetryKind::Istio => vec![T::Refused],
        RetryKind::Linkerd => vec![T::ServerError, T::Rejected],
        RetryKind::Grpc => vec![T::Refused, T::Rejected],
    };
    Spanned::unwritten(usual.into_iter().map(Spanned::unwritten).collect())
}

words! {
    /// Why an attempt did not succeed.
    "a reason to try again"
    pub enum Trouble {
        /// No answer in time.
        Timeout = "timeout",
        /// The callee answered with an error.
        Error = "error",
        /// No connection.
        Refused = "refused",
        /// The callee was full.
        Rejected = "rejected",
        /// The callee's rate limit.
        RateLimited = "rate_limited",
        /// The breaker did not let it through.
        BreakerOpen = "breaker_open",
        /// An error of status 5xx.
        ServerError = "5xx",
        /// An error of status 502, 503 or 504.
        GatewayError = "gateway_error",
        /// An error of status 4xx, but for 429.
        ClientError = "4xx",
        /// An error of status 408.
        RequestTimeout = "request_timeout",
        /// An error of status 409.
        Conflict = "conflict",
    }
}
