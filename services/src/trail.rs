//! The trail of a user's request through the services: its id and its trace, handed on from hop to hop in headers
//! (`x-request-id`, and W3C Trace Context's `traceparent`; where it is asked for, or came in it, Zipkin's B3 as well, in
//! one header or in several).

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use squall_model::trace::scrambled;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3_IN_ONE: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");

/// The longest id of somebody else's that is handed on.
const LONGEST_ID: usize = 128;

/// How a trail is written in Zipkin's B3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum B3 {
    /// In one header: `b3`.
    Single,
    /// In several: `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled`.
    Multi,
}

/// Where a request belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trail {
    trace: u128,
    /// The span it came from.
    parent: Option<u64>,
    id: HeaderValue,
    /// How it is written in B3, if it is.
    b3: Option<B3>,
}

/// Gives out numbers that nobody else has.
#[derive(Debug)]
pub(crate) struct Ids {
    run: u64,
    next: AtomicU64,
}

impl Ids {
    /// From a number that is this run's own.
    pub(crate) const fn new(run: u64) -> Self {
        Self { run, next: AtomicU64::new(1) }
    }

    fn next(&self) -> u64 {
        scrambled(self.run.wrapping_add(self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Trail {
    /// A new one.
    pub(crate) fn begin(ids: &Ids) -> Self {
        Self::of(u128::from(ids.run) << 64 | u128::from(ids.next()))
    }

    /// That of a trace.
    pub(crate) fn of(trace: u128) -> Self {
        let mut id = [0; 32];
        write_hex(trace, &mut id);
        let id = HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("0"));
        Self { trace, parent: None, id, b3: None }
    }

    /// The same, in B3 as well: as it came, or else like this.
    pub(crate) fn speaking(mut self, b3: Option<B3>) -> Self {
        self.b3 = self.b3.or(b3);
        self
    }

    /// The span it came from, if it came from one.
    pub(crate) const fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// The one that a request came along; a new one where it says nothing of use.
    pub(crate) fn read(headers: &HeaderMap, ids: &Ids) -> Self {
        let w3c = headers.get(TRACEPARENT).and_then(|value| trace_of(value.to_str().ok()?));
        let in_one = headers.get(B3_IN_ONE).and_then(|value| b3_of(value.to_str().ok()?));
        let part = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let in_several = || b3_parts(part(&B3_TRACE)?, part(&B3_SPAN)?);
        let in_b3 = in_one.map(|found| (found, B3::Single)).or_else(|| Some((in_several()?, B3::Multi)));
        let (in_b3, b3) = in_b3.unzip();
        let (trace, parent) = w3c.or(in_b3).unzip();
        let usable = |value: &&HeaderValue| !value.is_empty() && value.len() <= LONGEST_ID && value.to_str().is_ok();
        let id = headers.get(REQUEST_ID).filter(usable).cloned();
        match (trace, id) {
            (Some(trace), Some(id)) => Self { trace, parent, id, b3 },
            (trace, id) => {
                let new = Self::begin(ids);
                Self { trace: trace.unwrap_or(new.trace), parent, id: id.unwrap_or(new.id), b3 }
            }
        }
    }

    /// Writes it into a request that is this span. The id goes along as it is: to share it costs more than all the rest.
    pub(crate) fn write(self, headers: &mut HeaderMap, span: u64) {
        let mut parent = *b"00-................................-................-01";
        write_hex(self.trace, &mut parent[3..35]);
        write_hex(u128::from(span), &mut parent[36..52]);
        if let Ok(value) = HeaderValue::from_bytes(&parent) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(b3) = self.b3 {
            self.write_b3(headers, span, b3);
        }
        headers.insert(REQUEST_ID, self.id);
    }

    fn write_b3(&self, headers: &mut HeaderMap, span: u64, b3: B3) {
        let (trace, span) = (format!("{:032x}", self.trace), format!("{span:016x}"));
        let all = match b3 {
            B3::Single => vec![(B3_IN_ONE, format!("{trace}-{span}-1"))],
            B3::Multi => vec![(B3_TRACE, trace), (B3_SPAN, span), (B3_SAMPLED, "1".to_owned())],
        };
        for (name, value) in all {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }

    /// Writes the id alone, into an answer.
    pub(crate) fn write_id(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.id.clone());
    }
}

/// Fills `text` with the lowest digits of a number. Every request carries some, and formatting costs more than this.
fn write_hex(mut number: u128, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// Trace and span of `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`.
fn trace_of(text: &str) -> Option<(u128, u64)> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = version.len() == 2 && version != "ff" && is_hex(version) && trace.len() == 32;
    shaped.then(|| trace_and_span(trace, span)).flatten()
}

/// Trace and span of B3's single header: `<32 or 16 hex digits>-<16 hex digits>`, and perhaps more behind it.
fn b3_of(text: &str) -> Option<(u128, u64)> {
    let mut parts = text.split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    b3_parts(trace, span)
}

/// Trace, of 32 or 16 hex digits, and span as B3 has them.
fn b3_parts(trace: &str, span: &str) -> Option<(u128, u64)> {
    matches!(trace.len(), 16 | 32).then(|| trace_and_span(trace, span)).flatten()
}

fn trace_and_span(trace: &str, span: &str) -> Option<(u128, u64)> {
    if span.len() != 16 || !is_hex(trace) || !is_hex(span) {
        return None;
    }
    let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    (trace != 0).then_some((trace, span))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_read_as_it_was_written() {
        let ids = Ids::new(7);
        let trail = Trail::begin(&ids);
        let mut headers = HeaderMap::new();
        trail.clone().write(&mut headers, 5);
        assert_eq!(Trail::read(&headers, &ids), Trail { parent: Some(5), ..trail });
    }

    #[test]
    fn whoever_speaks_b3_is_answered_in_it_and_nobody_else() {
        let ids = Ids::new(7);
        let mut headers = HeaderMap::new();
        headers.insert(B3_IN_ONE, HeaderValue::from_static("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"));
        let trail = Trail::read(&headers, &ids);
        assert_eq!(trail.parent(), Some(0xb7ad_6b71_6920_3331));
        let mut next = HeaderMap::new();
        trail.clone().write(&mut next, 5);
        assert_eq!(next[B3_IN_ONE], "0af7651916cd43dd8448eb211c80319c-0000000000000005-1");
        assert!(next[TRACEPARENT].to_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        let mut plain = HeaderMap::new();
        Trail::begin(&ids).write(&mut plain, 5);
        assert!(!plain.contains_key(B3_IN_ONE));
        assert_eq!(b3_of("b7ad6b7169203331-b7ad6b7169203331"), Some((0xb7ad_6b71_6920_3331, 0xb7ad_6b71_6920_3331)));
        for bad in ["", "0", "d", "xyz-b7ad6b7169203331", "0000000000000000-b7ad6b7169203331"] {
            assert_eq!(b3_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn b3_in_several_headers_is_read_and_written() {
        let ids = Ids::new(7);
        let mut headers = HeaderMap::new();
        headers.insert(B3_TRACE, HeaderValue::from_static("0af7651916cd43dd8448eb211c80319c"));
        let alone = Trail::read(&headers, &ids);
        assert_eq!((alone.parent(), alone.b3), (None, None), "half of it is nothing");
        headers.insert(B3_SPAN, HeaderValue::from_static("b7ad6b7169203331"));
        let trail = Trail::read(&headers, &ids);
        assert_eq!((trail.parent(), trail.b3), (Some(0xb7ad_6b71_6920_3331), Some(B3::Multi)));
        let mut next = HeaderMap::new();
        trail.speaking(Some(B3::Single)).write(&mut next, 5);
        assert_eq!(next["X-B3-TraceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(
            (&next["X-B3-SpanId"], &next["X-B3-Sampled"]),
            (&"0000000000000005".parse().unwrap(), &"1".parse().unwrap())
        );
        assert!(!next.contains_key(B3_IN_ONE), "it goes on as it came");
        let mut asked = HeaderMap::new();
        Trail::of(0xab).speaking(Some(B3::Single)).write(&mut asked, 5);
        assert_eq!(asked[B3_IN_ONE], "000000000000000000000000000000ab-0000000000000005-1");
    }

    #[test]
    fn numbers_are_written_in_full() {
        let headers = |trail: &Trail| {
            let mut headers = HeaderMap::new();
            trail.clone().write(&mut headers, 5);
            (headers[REQUEST_ID].to_str().unwrap().to_owned(), headers[TRACEPARENT].to_str().unwrap().to_owned())
        };
        let (id, parent) = headers(&Trail::of(0xab << 64 | 0x00cd));
        assert_eq!(id, "00000000000000ab00000000000000cd");
        assert!(parent.starts_with(&format!("00-{id}-")) && parent.ends_with("-01") && parent.len() == 55, "{parent}");
    }

    #[test]
    fn a_traceparent_that_is_none_is_not_believed() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_of(good), Some((0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331)));
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let short = "00-0af7651916cd43dd-b7ad6b7169203331-01";
        for bad in [
            "",
            "00",
            zero,
            short,
            &good.replace("00-", "ff-"),
            &good.to_uppercase(),
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }
}
