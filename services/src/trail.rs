//! The trail of a user's request through the services: its id and its trace, handed on from hop to hop in headers
//! (`x-request-id`, and W3C Trace Context's `traceparent`).

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest id of somebody else's that is handed on.
const LONGEST_ID: usize = 128;

/// Where a request belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trail {
    trace: u128,
    id: HeaderValue,
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
        Self::from_bits(ids.run, ids.next())
    }

    pub(crate) fn from_bits(run: u64, number: u64) -> Self {
        let trace = u128::from(run) << 64 | u128::from(number);
        let mut id = [0; 32];
        write_hex(trace, &mut id);
        Self { trace, id: HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("0")) }
    }

    /// The one that a request came along; a new one where it says nothing of use.
    pub(crate) fn read(headers: &HeaderMap, ids: &Ids) -> Self {
        let trace = headers.get(TRACEPARENT).and_then(|value| trace_of(value.to_str().ok()?));
        let usable = |value: &&HeaderValue| !value.is_empty() && value.len() <= LONGEST_ID && value.to_str().is_ok();
        let id = headers.get(REQUEST_ID).filter(usable).cloned();
        match (trace, id) {
            (Some(trace), Some(id)) => Self { trace, id },
            (trace, id) => {
                let new = Self::begin(ids);
                Self { trace: trace.unwrap_or(new.trace), id: id.unwrap_or(new.id) }
            }
        }
    }

    /// Writes it into a request, as a span of its own.
    pub(crate) fn write(&self, headers: &mut HeaderMap, ids: &Ids) {
        let mut parent = *b"00-................................-................-01";
        write_hex(self.trace, &mut parent[3..35]);
        write_hex(u128::from(ids.next() | 1), &mut parent[36..52]);
        if let Ok(value) = HeaderValue::from_bytes(&parent) {
            headers.insert(TRACEPARENT, value);
        }
        self.write_id(headers);
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

/// The trace id of `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`.
fn trace_of(text: &str) -> Option<u128> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let shaped = version.len() == 2 && version != "ff" && trace.len() == 32 && span.len() == 16;
    if !(shaped && hex(version) && hex(trace) && hex(span)) {
        return None;
    }
    u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)
}

/// SplitMix64's finisher (Steele, Lea, Flood 2014): every number to another.
const fn scrambled(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_read_as_it_was_written() {
        let ids = Ids::new(7);
        let trail = Trail::begin(&ids);
        let mut headers = HeaderMap::new();
        trail.write(&mut headers, &ids);
        assert_eq!(Trail::read(&headers, &ids), trail);
        let parent = headers[TRACEPARENT].clone();
        trail.write(&mut headers, &ids);
        assert_ne!(headers[TRACEPARENT], parent, "every hop is a span of its own");
    }

    #[test]
    fn numbers_are_written_in_full() {
        let headers = |trail: &Trail| {
            let mut headers = HeaderMap::new();
            trail.write(&mut headers, &Ids::new(7));
            (headers[REQUEST_ID].to_str().unwrap().to_owned(), headers[TRACEPARENT].to_str().unwrap().to_owned())
        };
        let (id, parent) = headers(&Trail::from_bits(0xab, 0x00cd));
        assert_eq!(id, "00000000000000ab00000000000000cd");
        assert!(parent.starts_with(&format!("00-{id}-")) && parent.ends_with("-01") && parent.len() == 55, "{parent}");
    }

    #[test]
    fn a_traceparent_that_is_none_is_not_believed() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_of(good), Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c));
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
