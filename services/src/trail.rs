//! The trail of a user's request through the services: its id and its trace, handed on from hop to hop in headers
//! (`x-request-id`, and W3C Trace Context's `traceparent`; to those who speak Zipkin's B3 in one header, that as well).

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use squall_model::trace::scrambled;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3: HeaderName = HeaderName::from_static("b3");

/// The longest id of somebody else's that is handed on.
const LONGEST_ID: usize = 128;

/// Where a request belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trail {
    trace: u128,
    /// The span it came from.
    parent: Option<u64>,
    id: HeaderValue,
    /// Whether it came in B3.
    b3: bool,
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
        Self { trace, parent: None, id, b3: false }
    }

    /// The span it came from, if it came from one.
    pub(crate) const fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// The one that a request came along; a new one where it says nothing of use.
    pub(crate) fn read(headers: &HeaderMap, ids: &Ids) -> Self {
        let w3c = headers.get(TRACEPARENT).and_then(|value| trace_of(value.to_str().ok()?));
        let in_b3 = headers.get(B3).and_then(|value| b3_of(value.to_str().ok()?));
        let (trace, parent) = w3c.or(in_b3).unzip();
        let b3 = in_b3.is_some();
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
        if self.b3
            && let Ok(value) = HeaderValue::from_str(&format!("{:032x}-{span:016x}-1", self.trace))
        {
            headers.insert(B3, value);
        }
        headers.insert(REQUEST_ID, self.id);
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
        headers.insert(B3, HeaderValue::from_static("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"));
        let trail = Trail::read(&headers, &ids);
        assert_eq!(trail.parent(), Some(0xb7ad_6b71_6920_3331));
        let mut next = HeaderMap::new();
        trail.clone().write(&mut next, 5);
        assert_eq!(next[B3], "0af7651916cd43dd8448eb211c80319c-0000000000000005-1");
        assert!(next[TRACEPARENT].to_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        let mut plain = HeaderMap::new();
        Trail::begin(&ids).write(&mut plain, 5);
        assert!(!plain.contains_key(B3));
        assert_eq!(b3_of("b7ad6b7169203331-b7ad6b7169203331"), Some((0xb7ad_6b71_6920_3331, 0xb7ad_6b71_6920_3331)));
        for bad in ["", "0", "d", "xyz-b7ad6b7169203331", "0000000000000000-b7ad6b7169203331"] {
            assert_eq!(b3_of(bad), None, "{bad}");
        }
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
