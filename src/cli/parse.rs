//! Values on the command line: what each may be, and what is said of one that may not.

use clap::builder::{PossibleValue, PossibleValuesParser};
use squall_model::{Span, spec};
use squall_services::B3;

use super::Epoch;

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<f64>().ok();
    number.filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| "write a rate, such as 500/s".into())
}

pub(super) fn b3(text: &str) -> Result<B3, String> {
    match text {
        "single" => Ok(B3::Single),
        "multi" => Ok(B3::Multi),
        _ => Err("write single or multi".into()),
    }
}

pub(super) fn time(text: &str) -> Result<Span, String> {
    spec::read_element(text).map_err(|_| "write a time with its unit, such as 10s or 500ms".into())
}

/// The names of formats, with what each is.
pub(super) fn words<T>(formats: &[(&'static str, T, &'static str)]) -> PossibleValuesParser {
    formats.iter().map(|(name, _, about)| PossibleValue::new(*name).help(*about)).collect::<Vec<_>>().into()
}

pub(super) fn class_and_outcome(text: &str) -> Result<(String, String), String> {
    const KNOWN: [&str; 8] = ["timeout", "error", "refused", "rejected", "rate_limited", "breaker_open", "5xx", "4xx"];
    match text.split_once('=') {
        Some((class, outcome)) if KNOWN.contains(&outcome) => Ok((class.to_owned(), outcome.to_owned())),
        _ => Err(format!("write CLASS=OUTCOME; the outcomes are {}", KNOWN.join(", "))),
    }
}

pub(super) fn path_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err("write PATH=VALUE, such as services.order.workers=20".into()),
    }
}

pub(super) fn epoch(text: &str) -> Result<Epoch, String> {
    match text {
        "now" => Ok(Epoch::Now),
        _ => text.parse().map(Epoch::Seconds).map_err(|_| "write seconds since 1970, or `now`".into()),
    }
}
