//! `10ms`: a number and a unit. A bare number is an error.

use serde_json::{Value as Json, json};

use crate::Span;
use crate::spec::decode::{Defs, Scalar, Wrong, scalars};
use crate::spec::tree::shortened;

/// The units and their nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Longest duration: a year. Sums of a few of these still fit in the clock.
const LONGEST: u64 = 8_760 * 3_600_000_000_000;

const UNITS_HINT: &str = "the units are ns, us, ms, s, m, h, right after the number";

const HINT: &str = "a duration is a number and a unit: 100ns, 250us, 10ms, 5s, 2m, 1h";

scalars!(Span);

impl Scalar for Span {
    const NOUN: &'static str = "a duration such as `10ms`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let Some(digits) = Decimal::parse(number) else {
            return Err(Wrong::new(format!("`{}` is not a duration", shortened(text)), HINT));
        };
        if unit.is_empty() {
            return Err(Wrong::new(format!("`{text}` has no unit"), format!("did you mean `{text}ms` or `{text}s`?")));
        }
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let what = format!("`{}` is not a unit of time", shortened(unit));
            return Err(Wrong::new(what, UNITS_HINT).within(text.len() - unit.len()..text.len()));
        };
        match digits.times(*nanos) {
            None => Err(Wrong::new(format!("`{text}` is finer than a nanosecond"), "time is counted in nanoseconds")),
            Some(nanos) if nanos > u128::from(LONGEST) => {
                Err(Wrong::new(format!("`{}` is longer than a year", shortened(text)), "at most 8760h"))
            }
            Some(nanos) => Ok(Self::from_nanos(nanos as u64)),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Duration", |_| json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h)$" }))
    }
}

/// A decimal number, exact: `whole` over ten to the `places`.
struct Decimal {
    whole: u128,
    places: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        crate::spec::decode::number(text)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        Some(Self { whole: digits.parse().ok()?, places: fraction.len() as u32 })
    }

    /// The product with `unit`, if it is whole.
    fn times(&self, unit: u64) -> Option<u128> {
        let scaled = self.whole.saturating_mul(u128::from(unit));
        let divisor = 10u128.checked_pow(self.places)?;
        (scaled % divisor == 0).then_some(scaled / divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_exact_to_the_nanosecond() {
        let table = [
            ("100ns", 100),
            ("250us", 250_000),
            ("10ms", 10_000_000),
            ("0.1ms", 100_000),
            ("1.5s", 1_500_000_000),
            ("5s", 5_000_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0s", 0),
            ("1.000000001s", 1_000_000_001),
            ("8760h", LONGEST),
        ];
        for (text, nanos) in table {
            assert_eq!(Span::parse(text), Ok(Span::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        let table = [
            ("5", "`5` has no unit"),
            ("1.5", "`1.5` has no unit"),
            ("5x", "`x` is not a unit of time"),
            ("5M", "`M` is not a unit of time"),
            ("ms", "`ms` is not a duration"),
            ("", "`` is not a duration"),
            ("-5s", "`-5s` is not a duration"),
            ("1e3s", "`e3s` is not a unit of time"),
            (".5s", "`.5s` is not a duration"),
            ("5.s", "`5.s` is not a duration"),
            ("1.2.3s", "`1.2.3s` is not a duration"),
            ("0.1ns", "`0.1ns` is finer than a nanosecond"),
            ("8761h", "`8761h` is longer than a year"),
            ("99999999999999999999999999999h", "`99999999999999999999999999999h` is longer than a year"),
            (".nan", "`.nan` is not a duration"),
        ];
        for (text, what) in table {
            assert_eq!(Span::parse(text).unwrap_err().what, what, "{text}");
        }
    }
}
