//! Times as distributions: their percentiles, read off. Knows no spans.

use squall_model::Span;

/// More digits than this nobody measures.
const DIGITS: u32 = 4;

/// Which percentiles are written.
const SHARES: [(&str, f64); 11] = [
    ("p0", 0.0),
    ("p5", 0.05),
    ("p10", 0.10),
    ("p25", 0.25),
    ("p50", 0.50),
    ("p75", 0.75),
    ("p90", 0.90),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
    ("p100", 1.0),
];

/// The distribution of these times as a topology has it.
pub(super) fn dist(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return "0s".into() };
    // What differs by less than it matters is always the same.
    if last - first <= first / 100 + 1_000 {
        return span(at(&times, 0.5));
    }
    let mut words: Vec<String> = Vec::new();
    let mut before = 0;
    for (name, share) in SHARES {
        let few = (share == 0.999 && times.len() < 1000) || (share == 0.99 && times.len() < 100);
        let value = round(at(&times, share));
        if !few && value >= before {
            words.push(format!("{name}={}", Span::from_nanos(value)));
            before = value;
        }
    }
    format!("percentiles({})", words.join(" "))
}

/// The value at a share of sorted times, between the two that are nearest.
fn at(times: &[u64], share: f64) -> u64 {
    let place = share * (times.len() - 1) as f64;
    let (low, high) = (times[place.floor() as usize], times[place.ceil() as usize]);
    low + ((high - low) as f64 * place.fract()) as u64
}

/// To four digits, which is finer than anyone measures.
fn round(nanos: u64) -> u64 {
    let digits = nanos.checked_ilog10().map_or(1, |log| log + 1);
    let unit = 10u64.pow(digits.saturating_sub(DIGITS));
    (nanos + unit / 2) / unit * unit
}

/// A duration to four digits.
pub(super) fn span(nanos: u64) -> String {
    Span::from_nanos(round(nanos)).to_string()
}

/// A number to three digits.
pub(super) fn rounded(number: f64) -> f64 {
    if number >= 100.0 { (number * 10.0).round() / 10.0 } else { ((number * 1000.0).round() / 1000.0).max(0.001) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_hardly_differ_are_one_time() {
        assert_eq!(dist(vec![10_000_000, 10_001_000, 9_999_500]), "10ms");
        assert_eq!(dist(vec![]), "0s");
    }

    #[test]
    fn others_are_their_percentiles() {
        let times: Vec<u64> = (0..=100).map(|n| n * 1_000_000).collect();
        let text = dist(times);
        assert!(text.contains("p50=50ms p75=75ms") && text.contains("p99=99ms p100=100ms"), "{text}");
    }
}
