//! How outcomes travel over HTTP: as a status, and where that says too little, as a header. Servers that are not ours
//! are understood by their status alone.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use squall_model::plan::{EdgeId, Plan, SegmentId, ServiceId};
use squall_model::{Outcome, Span};
use squall_policies::retry::RetryAfter;

/// How much time is left for a request, as gRPC has it.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Says that an answer comes from a fallback.
pub const DEGRADED: HeaderName = HeaderName::from_static("x-degraded");
/// Says why a request failed, in one word.
pub const CAUSE: HeaderName = HeaderName::from_static("x-squall-cause");
/// How long whoever was turned away is to stay away, in milliseconds: [`RETRY_AFTER`] knows whole seconds alone.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// How a server of gRPC says the same; what is no number there says that there is to be no further attempt.
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// The run that a request belongs to, without which the next two are not believed.
const RUN: HeaderName = HeaderName::from_static("x-squall-run");
/// The segment of the run that its user's request started in.
const SEGMENT: HeaderName = HeaderName::from_static("x-squall-segment");
/// The call along which it comes.
const CALL: HeaderName = HeaderName::from_static("x-squall-call");

/// The word for why a request failed; none for one that did not.
pub const fn cause(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Ok | Outcome::Degraded => None,
        Outcome::Error(_) => Some("error"),
        Outcome::Timeout => Some("timeout"),
        Outcome::Refused => Some("refused"),
        Outcome::Rejected => Some("rejected"),
        Outcome::RateLimited => Some("rate-limited"),
        Outcome::BreakerOpen => Some("breaker-open"),
        Outcome::Cancelled => Some("cancelled"),
    }
}

/// The status an outcome travels as.
pub fn status(outcome: Outcome) -> StatusCode {
    StatusCode::from_u16(outcome.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Writes what the status does not say.
pub fn write(outcome: Outcome, headers: &mut HeaderMap) {
    if outcome == Outcome::Degraded {
        headers.insert(DEGRADED, HeaderValue::from_static("true"));
    }
    if let Some(cause) = cause(outcome) {
        headers.insert(CAUSE, HeaderValue::from_static(cause));
    }
}

/// What an answer means to whoever asked.
pub fn read(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match headers.get(CAUSE).map(HeaderValue::as_bytes) {
        Some(b"error") => Outcome::Error(status.as_u16()),
        Some(b"timeout") => Outcome::Timeout,
        Some(b"refused") => Outcome::Refused,
        Some(b"rejected") => Outcome::Rejected,
        Some(b"rate-limited") => Outcome::RateLimited,
        Some(b"breaker-open") => Outcome::BreakerOpen,
        Some(b"cancelled") => Outcome::Cancelled,
        _ => match status.as_u16() {
            ..400 if headers.get(DEGRADED).is_some_and(|value| value == "true") => Outcome::Degraded,
            ..400 => Outcome::Ok,
            429 => Outcome::RateLimited,
            503 => Outcome::Rejected,
            504 => Outcome::Timeout,
            other => Outcome::Error(other),
        },
    }
}

/// Writes how long whoever asked is to stay away, both times rounded up.
pub(crate) fn write_wait(wait: Span, headers: &mut HeaderMap) {
    if wait == RetryAfter::NEVER {
        headers.insert(PUSHBACK, HeaderValue::from_static("-1"));
        return;
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_nanos().div_ceil(1_000_000_000)));
    headers.insert(RETRY_AFTER_MS, HeaderValue::from(wait.as_nanos().div_ceil(1_000_000)));
}

/// How long an answer asks to stay away; nothing if it says so by a date, for what clock would that be of.
pub(crate) fn read_wait(headers: &HeaderMap) -> Option<Span> {
    if headers.contains_key(&PUSHBACK) {
        let pushback = number::<u64>(headers, &PUSHBACK).and_then(|ms| ms.checked_mul(1_000_000));
        return Some(pushback.map_or(RetryAfter::NEVER, Span::from_nanos));
    }
    let exact = number::<u64>(headers, &RETRY_AFTER_MS).and_then(|ms| ms.checked_mul(1_000_000));
    let whole = || number::<u64>(headers, &RETRY_AFTER).and_then(|s| s.checked_mul(1_000_000_000));
    exact.or_else(whole).map(Span::from_nanos)
}

/// Where a request belongs in the run, and how much time is left for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Belongs {
    pub(crate) edge: EdgeId,
    pub(crate) segment: SegmentId,
    pub(crate) left: Option<Span>,
}

impl Belongs {
    pub(crate) fn write(self, run: u64, headers: &mut HeaderMap) {
        headers.insert(RUN, HeaderValue::from(run));
        headers.insert(SEGMENT, HeaderValue::from(self.segment.0));
        headers.insert(CALL, HeaderValue::from(self.edge.0));
        if let Some(Ok(left)) = self.left.map(|left| HeaderValue::try_from(timeout(left))) {
            headers.insert(TIMEOUT, left);
        }
    }

    /// What a request for `service` says of itself, if it is of this run and makes sense.
    pub(crate) fn read(plan: &Plan, service: ServiceId, run: u64, headers: &HeaderMap) -> Option<Self> {
        if number::<u64>(headers, &RUN)? != run {
            return None;
        }
        let (edge, segment) = (EdgeId(number(headers, &CALL)?), SegmentId(number(headers, &SEGMENT)?));
        let known = plan.edges.get(edge.index()).is_some_and(|edge| edge.callee == service);
        let left = headers.get(TIMEOUT).and_then(|value| time_left(value.to_str().ok()?));
        (known && segment.index() < plan.phases.segments()).then_some(Self { edge, segment, left })
    }
}

/// Units of a timeout on the wire, in nanoseconds.
const UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000)];

/// A span as gRPC writes it: at most eight digits and a unit, rounded up.
fn timeout(left: Span) -> String {
    let ns = left.as_nanos();
    let fitting = UNITS.iter().find(|(_, unit)| ns.div_ceil(*unit) < 100_000_000);
    let (letter, unit) = fitting.copied().unwrap_or(('H', u64::MAX));
    format!("{}{letter}", ns.div_ceil(unit))
}

/// What [`timeout`] has written.
fn time_left(text: &str) -> Option<Span> {
    let unit = text.chars().next_back()?;
    let (_, ns) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
    let digits = text.strip_suffix(unit)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    count.checked_mul(*ns).map(Span::from_nanos)
}

fn number<T: core::str::FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_read_as_it_was_written() {
        let outcomes = [
            Outcome::Ok,
            Outcome::Degraded,
            Outcome::Error(500),
            Outcome::Error(503),
            Outcome::Error(504),
            Outcome::Error(429),
            Outcome::Timeout,
            Outcome::Refused,
            Outcome::Rejected,
            Outcome::RateLimited,
            Outcome::BreakerOpen,
            Outcome::Cancelled,
        ];
        for outcome in outcomes {
            let mut headers = HeaderMap::new();
            write(outcome, &mut headers);
            assert_eq!(read(status(outcome), &headers), outcome);
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_travels_to_the_millisecond_and_is_understood_in_seconds() {
        for (ns, seconds, ms) in
            [(0, "0", "0"), (1, "1", "1"), (1_500_000_000, "2", "1500"), (7_000_000_000, "7", "7000")]
        {
            let mut headers = HeaderMap::new();
            write_wait(Span::from_nanos(ns), &mut headers);
            assert_eq!(
                (&headers[RETRY_AFTER], &headers[RETRY_AFTER_MS]),
                (&seconds.parse().unwrap(), &ms.parse().unwrap())
            );
            assert_eq!(read_wait(&headers), Some(Span::from_millis(ms.parse().unwrap())));
            headers.remove(RETRY_AFTER_MS);
            assert_eq!(read_wait(&headers), Some(Span::from_secs(seconds.parse().unwrap())));
        }
        for other in ["", "-1", "1.5", "soon", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, other.parse().unwrap())]);
            assert_eq!(read_wait(&headers), None, "{other}");
        }
    }

    #[test]
    fn that_there_is_to_be_no_further_attempt_travels_as_grpc_says_it() {
        let mut headers = HeaderMap::new();
        write_wait(RetryAfter::NEVER, &mut headers);
        assert_eq!((headers.len(), &headers[PUSHBACK]), (1, &"-1".parse().unwrap()));
        assert_eq!(read_wait(&headers), Some(RetryAfter::NEVER));
        for (pushback, wait) in [("250", Span::from_millis(250)), ("soon", RetryAfter::NEVER)] {
            let headers = HeaderMap::from_iter([(PUSHBACK, pushback.parse().unwrap())]);
            assert_eq!(read_wait(&headers), Some(wait), "{pushback}");
        }
    }

    #[test]
    fn a_timeout_travels_as_grpc_writes_it() {
        let table = [
            (1, "1n"),
            (99_999_999, "99999999n"),
            (100_000_000, "100000u"),
            (250_000_001, "250001u"),
            (100_000_000_000, "100000m"),
            (10_000_000_000_000_000, "10000000S"),
        ];
        for (ns, text) in table {
            assert_eq!(timeout(Span::from_nanos(ns)), text);
            let read = time_left(text).unwrap().as_nanos();
            assert!(read >= ns && read - ns < 1_000_000, "{text}");
        }
        for wrong in ["", "5", "m", "123456789m", "-1m", "1x", "é"] {
            assert_eq!(time_left(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_server_of_somebody_else_is_understood_by_its_status() {
        let table = [
            (200, Outcome::Ok),
            (204, Outcome::Ok),
            (302, Outcome::Ok),
            (404, Outcome::Error(404)),
            (429, Outcome::RateLimited),
            (500, Outcome::Error(500)),
            (502, Outcome::Error(502)),
            (503, Outcome::Rejected),
            (504, Outcome::Timeout),
        ];
        for (status, outcome) in table {
            assert_eq!(read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new()), outcome, "{status}");
        }
    }
}
