//! Figures as a person writes them: with their unit, three digits that matter, and no rounding that turns almost all
//! into all.

/// A time: `51.2ms`, `1.5s`, `250us`, `0s`.
pub fn duration(ns: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];
    // 999.6 us is 1 ms, not 1000 us.
    let unit = units.into_iter().find(|(unit, _)| ns >= unit * 0.9995);
    match unit {
        Some((unit, name)) => format!("{}{name}", three_digits(ns / unit)),
        None => "0s".to_owned(),
    }
}

/// A share: `99.2%`, `0.04%`. All and nothing are said only of all and nothing.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    let text = trimmed(format!("{percent:.2}"));
    if text == "100" && share < 1.0 {
        return ">99.99%".to_owned();
    }
    if text == "0" && share > 0.0 {
        return "<0.01%".to_owned();
    }
    format!("{text}%")
}

/// A count, with its thousands apart: `12,345`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that need not be whole: `1.42`, `83.3`, `6,000`.
pub fn number(value: f64) -> String {
    if value >= 999.5 { count((value + 0.5) as u64) } else { three_digits(value) }
}

/// A rate: `83.3/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", number(per_second))
}

/// A point in time in seconds: `20.41s`.
pub fn at(seconds: f64) -> String {
    let digits = if seconds < 1.0 { 3 } else { 2 };
    format!("{}s", trimmed(format!("{seconds:.digits$}")))
}

fn three_digits(value: f64) -> String {
    let digits = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    trimmed(format!("{value:.digits$}"))
}

/// Without zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// An amount of memory: `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}{name}", number(bytes as f64 / unit as f64)),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_unit_and_three_digits() {
        let table = [
            (0.0, "0s"),
            (1.0, "1ns"),
            (250_000.0, "250us"),
            (999_600.0, "1ms"),
            (51_249_152.0, "51.2ms"),
            (99_960_000.0, "100ms"),
            (1_500_000_000.0, "1.5s"),
            (20_410_000_000.0, "20.4s"),
            (5_000_000_000.0, "5s"),
        ];
        for (ns, text) in table {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn almost_all_is_not_all_and_almost_nothing_is_not_nothing() {
        let table = [
            (1.0, "100%"),
            (0.999_999, ">99.99%"),
            (0.9999, "99.99%"),
            (0.992, "99.2%"),
            (0.5, "50%"),
            (0.000_4, "0.04%"),
            (0.000_001, "<0.01%"),
            (0.0, "0%"),
        ];
        for (value, text) in table {
            assert_eq!(share(value), text);
        }
    }

    #[test]
    fn numbers_are_readable() {
        let table = [(0.0, "0"), (1.0, "1"), (1.4166, "1.42"), (83.333, "83.3"), (999.4, "999"), (1234.5, "1,235")];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(rate(98.333), "98.3/s");
        assert_eq!([0.123_4, 20.412, 40.0].map(at), ["0.123s", "20.41s", "40s"]);
    }
}
