//! Points and spans of time, in whole nanoseconds. Knows no clock: everybody here is told what time it is.

use core::fmt;
use core::ops::{Add, AddAssign, Mul, Sub};

/// A point in time: nanoseconds since the clock's zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl SimTime {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);
    /// Later than everything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `ns` nanoseconds after zero.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since zero, for reports.
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to here; nothing if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `ns` nanoseconds.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// A span of `us` microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// A span of `ms` milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// A span of `s` seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// A span of `ns` nanoseconds drawn or computed as a float: rounded to the nearest (halves to the even one), cut at zero,
    /// saturating.
    pub fn from_nanos_f64(ns: f64) -> Self {
        // From 2⁵² on a float is a whole number; below, adding that much leaves the rounded number in its lower bits.
        const WHOLE: f64 = (1u64 << 52) as f64;
        if (0.0..WHOLE).contains(&ns) {
            return Self((ns + WHOLE).to_bits() - WHOLE.to_bits());
        }
        // `as` saturates and turns NaN into zero.
        Self(ns as u64)
    }

    /// Whole nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, the rest cut off.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Seconds, for reports.
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Milliseconds, for reports.
    pub const fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The difference, or nothing if `other` is longer.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This span times a share or a factor: rounded, saturating.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        Self::from_nanos_f64(self.0 as f64 * factor)
    }
}

impl Add<Span> for SimTime {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for SimTime {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub for SimTime {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        self.since(earlier)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={}", Span(self.0))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As a person writes it: the largest unit that needs no more than three decimals, `1.5s`, `250us`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        for (unit, name) in units {
            if self.0 >= unit && self.0.is_multiple_of(unit / 1_000) {
                let (whole, rest) = (self.0 / unit, self.0 % unit / (unit / 1_000));
                return match rest {
                    0 => write!(f, "{whole}{name}"),
                    _ => write!(f, "{whole}.{}{name}", format!("{rest:03}").trim_end_matches('0')),
                };
            }
        }
        match self.0 {
            0 => f.write_str("0s"),
            ns => write!(f, "{ns}ns"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_as_a_person_writes_it() {
        let table = [
            (0, "0s"),
            (1, "1ns"),
            (999, "999ns"),
            (1_000, "1us"),
            (250_000, "250us"),
            (1_050_000, "1.05ms"),
            (1_500_000, "1.5ms"),
            (1_500_000_000, "1.5s"),
            (20_410_000_000, "20.41s"),
            (1_000_001, "1000.001us"),
            (60_000_000_000, "60s"),
        ];
        for (ns, text) in table {
            assert_eq!(Span(ns).to_string(), text);
        }
    }

    #[test]
    fn a_drawn_span_is_rounded_cut_at_zero_and_saturates() {
        let table = [
            (0.4, 0),
            (0.6, 1),
            (0.5, 0),
            (1.5, 2),
            (4e15 + 0.5, 4_000_000_000_000_000),
            (5e15, 5_000_000_000_000_000),
            (-3.0, 0),
            (-0.0, 0),
            (f64::NAN, 0),
            (1e300, u64::MAX),
        ];
        for (drawn, ns) in table {
            assert_eq!(Span::from_nanos_f64(drawn).as_nanos(), ns);
        }
    }

    #[test]
    fn a_point_in_time_is_so_many_seconds_after_zero() {
        let time = SimTime::from_nanos(1_500_000_000);
        assert_eq!(time.as_secs_f64().to_bits(), 1.5f64.to_bits());
        assert_eq!(format!("{time:?}, {:?}", Span::from_micros(250)), "t=1.5s, 250us");
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(SimTime::NEVER + Span::from_secs(1), SimTime::NEVER);
        assert_eq!(SimTime::ZERO - SimTime::from_nanos(5), Span::ZERO);
        assert_eq!([Span(3) * 2, Span::MAX * 2], [Span(6), Span::MAX]);
    }
}
