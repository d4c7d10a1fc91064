//! Times and durations as other tools write them, in nanoseconds. Answers `None` for what is none.

/// A plain decimal number of `unit`s, as nanoseconds; exact up to 18 digits behind the point.
pub(crate) fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return exponent(text, unit);
    }
    let fraction = &fraction[..fraction.len().min(18)];
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10u128.pow(fraction.len() as u32);
    u64::try_from(whole.checked_mul(u128::from(unit))? + part * u128::from(unit) / scale).ok()
}

/// `1.5e9`, as programs print large numbers.
fn exponent(text: &str, unit: u64) -> Option<u64> {
    let well_formed = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let value: f64 = if well_formed && text.contains(['e', 'E']) { text.parse().ok()? } else { return None };
    let nanos = value * unit as f64;
    (nanos.is_finite() && nanos >= 0.0 && nanos < u64::MAX as f64).then_some(nanos as u64)
}

/// A number and a unit, `1.5s`; several may follow one another, `1m30s`.
pub(crate) fn with_unit(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let after = &rest[number..];
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = match after[..unit_end].trim() {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" | "sec" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        total = total.checked_add(decimal(&rest[..number], unit)?)?;
        rest = &after[unit_end..];
    }
    Some(total)
}

/// ISO 8601's durations up to days, `PT1M0.5S`.
pub(crate) fn iso(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let rest = text.strip_prefix('P')?;
    let (days, times) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = match days {
        "" => 0,
        _ => decimal(days.strip_suffix('D')?, 86_400_000_000_000)?,
    };
    let mut rest = times;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = match rest.as_bytes()[end] {
            b'H' => 3_600_000_000_000,
            b'M' => 60_000_000_000,
            b'S' => 1_000_000_000,
            _ => return None,
        };
        total = decimal(&rest[..end], unit)?.checked_add(total)?;
        rest = &rest[end + 1..];
    }
    (!(days.is_empty() && times.is_empty())).then_some(total)
}

/// .NET's `TimeSpan`: `[days.]hours:minutes:seconds[.fraction]`; a bare number is days.
pub(crate) fn time_span(text: &str) -> Option<u64> {
    const DAY: u64 = 86_400_000_000_000;
    let Some((hours, rest)) = text.split_once(':') else {
        return text.bytes().all(|b| b.is_ascii_digit()).then(|| decimal(text, DAY)).flatten();
    };
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let below = |text: &str, limit: u64| text.parse::<u64>().ok().filter(|&number| number < limit);
    let whole = seconds.split('.').next().unwrap_or_default();
    below(whole, 60)?;
    let (hours, minutes) = (below(hours, 24)?, below(minutes, 60)?);
    let parts = [decimal(days, DAY)?, hours * 3_600_000_000_000, minutes * 60_000_000_000];
    parts.into_iter().try_fold(decimal(seconds, 1_000_000_000)?, u64::checked_add)
}

/// ISO 8601, as nanoseconds since 1970; without an offset it is taken as UTC.
pub(crate) fn timestamp(text: &str) -> Option<u64> {
    let parsed = text.parse::<jiff::Timestamp>().ok().or_else(|| format!("{text}Z").parse().ok())?;
    u64::try_from(parsed.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_nothing_else_is_a_number() {
        let table = [
            ("1", Some(1_000_000)),
            ("2.5", Some(2_500_000)),
            (".5", Some(500_000)),
            ("0.0000001", Some(0)),
            ("1e3", Some(1_000_000_000)),
            ("18446744073709551615", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e999", None),
            ("", None),
            ("1x", None),
            ("١", None),
        ];
        for (text, nanos) in table {
            assert_eq!(decimal(text, 1_000_000), nanos, "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        let table = [
            ("250us", Some(250_000)),
            ("1.5s", Some(1_500_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("5", None),
            ("s", None),
            ("5 parsecs", None),
            ("", None),
        ];
        for (text, nanos) in table {
            assert_eq!(with_unit(text), nanos, "{text}");
        }
    }

    #[test]
    fn durations_of_java_and_dotnet() {
        let s = 1_000_000_000;
        let java = [
            ("PT0.5S", Some(s / 2)),
            ("PT1M30S", Some(90 * s)),
            ("P1D", Some(86_400 * s)),
            ("PT", None),
            ("P", None),
            ("PT5", None),
            ("5S", None),
        ];
        for (text, nanos) in java {
            assert_eq!(iso(text), nanos, "{text}");
        }
        let dotnet = [
            ("00:00:02", Some(2 * s)),
            ("00:00:00.200", Some(s / 5)),
            ("1.00:01:00", Some(86_460 * s)),
            ("01:30", Some(5400 * s)),
            ("1", Some(86_400 * s)),
            ("00:00:61", None),
            ("2s", None),
            ("::", None),
            ("-00:00:01", None),
        ];
        for (text, nanos) in dotnet {
            assert_eq!(time_span(text), nanos, "{text}");
        }
    }

    #[test]
    fn timestamps_have_offsets_or_are_utc() {
        let wanted = Some(1_767_323_045_500_000_000);
        for text in
            ["2026-01-02T03:04:05.5Z", "2026-01-02T04:04:05.5+01:00", "2026-01-02T03:04:05.5", "2026-01-02 03:04:05.5"]
        {
            assert_eq!(timestamp(text), wanted, "{text}");
        }
        assert_eq!(timestamp("yesterday"), None);
        assert_eq!(timestamp("1900-01-01T00:00:00Z"), None);
    }
}
