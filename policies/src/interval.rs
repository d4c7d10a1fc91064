//! The interval functions of resilience4j (master af9e7c9, May 2026): whole milliseconds, the rest cut off at every
//! step. They serve its retry and the open wait of its breaker.

use crate::check::{Invalid, require};
use crate::{Random, Span};

/// How long to wait before the n-th attempt, or in the n-th open state in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interval {
    /// Always the same. resilience4j's default for a retry is 500 ms, for an open breaker 60 s.
    Fixed(Span),
    /// `initial`, then each the one before times `multiplier` (1.5 by default), at most `max`.
    Exponential {
        /// The first interval.
        initial: Span,
        /// What each interval is multiplied with to get the next; at least 1.
        multiplier: f64,
        /// No interval is longer; `Span::MAX` for no limit.
        max: Span,
    },
    /// `around` ± `factor`: ⌊max(1, d(1−f) + U·(2fd + 1))⌋ ms.
    Randomized {
        /// The middle d.
        around: Span,
        /// The share f it varies by, in `[0, 1)`; 0.5 by default.
        factor: f64,
    },
    /// An exponential interval, randomised, and only then cut at `max`.
    ExponentialRandom {
        /// The first interval before it is randomised.
        initial: Span,
        /// As in [`Interval::Exponential`].
        multiplier: f64,
        /// As in [`Interval::Randomized`].
        factor: f64,
        /// No interval is longer; `Span::MAX` for no limit.
        max: Span,
    },
}

impl Interval {
    /// The interval for `attempt`, counted from 1.
    pub fn wait(&self, attempt: u32, rng: &mut impl Random) -> Span {
        let ms = match *self {
            Self::Fixed(span) => span.as_millis(),
            Self::Exponential { initial, multiplier, max } => {
                exponential(initial.as_millis(), multiplier, attempt).min(max.as_millis())
            }
            Self::Randomized { around, factor } => randomized(around.as_millis(), factor, rng),
            Self::ExponentialRandom { initial, multiplier, factor, max } => {
                randomized(exponential(initial.as_millis(), multiplier, attempt), factor, rng).min(max.as_millis())
            }
        };
        Span::from_millis(ms)
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let one_ms = Span::from_millis(1);
        let (initial, multiplier, factor, max) = match *self {
            Self::Fixed(span) => (span, 1.0, 0.5, Span::MAX),
            Self::Exponential { initial, multiplier, max } => (initial, multiplier, 0.5, max),
            Self::Randomized { around, factor } => (around, 1.0, factor, Span::MAX),
            Self::ExponentialRandom { initial, multiplier, factor, max } => (initial, multiplier, factor, max),
        };
        require(initial >= one_ms, "initial", "at least 1ms")?;
        require(multiplier >= 1.0 && multiplier.is_finite(), "multiplier", "at least 1")?;
        require((0.0..1.0).contains(&factor), "factor", "at least 0 and less than 1")?;
        require(max >= one_ms, "max", "at least 1ms")
    }
}

fn exponential(initial: u64, multiplier: f64, attempt: u32) -> u64 {
    let mut ms = initial;
    for _ in 1..attempt {
        let next = (ms as f64 * multiplier) as u64;
        if next <= ms {
            break;
        }
        ms = next;
    }
    ms
}

fn randomized(ms: u64, factor: f64, rng: &mut impl Random) -> u64 {
    let delta = factor * ms as f64;
    (ms as f64 - delta + rng.unit() * (2.0 * delta + 1.0)).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;

    const MS: fn(u64) -> Span = Span::from_millis;

    #[test]
    fn an_exponential_interval_is_cut_to_whole_milliseconds_at_each_step_and_then_at_its_maximum() {
        let interval = Interval::Exponential { initial: MS(500), multiplier: 1.5, max: MS(5_000) };
        let waits: Vec<u64> = (1..=8).map(|n| interval.wait(n, &mut SplitMix64::new(1)).as_millis()).collect();
        assert_eq!(waits, [500, 750, 1125, 1687, 2530, 3795, 5000, 5000]);
    }

    #[test]
    fn a_fixed_interval_is_cut_to_whole_milliseconds() {
        assert_eq!(Interval::Fixed(Span::from_micros(1_999)).wait(7, &mut SplitMix64::new(1)), MS(1));
    }

    #[test]
    fn an_exponential_interval_that_cannot_grow_ends_its_loop() {
        let interval = Interval::Exponential { initial: MS(1), multiplier: 1.5, max: Span::MAX };
        assert_eq!(interval.wait(u32::MAX, &mut SplitMix64::new(1)), MS(1));
    }

    #[test]
    fn the_exponential_value_is_randomised_before_it_is_cut() {
        let interval = Interval::ExponentialRandom { initial: MS(500), multiplier: 2.0, factor: 0.5, max: MS(1_000) };
        let mut rng = SplitMix64::new(1);
        let waits: Vec<u64> = (0..1_000).map(|_| interval.wait(2, &mut rng).as_millis()).collect();
        let cut = waits.iter().filter(|ms| **ms == 1_000).count();
        assert!(waits.iter().all(|ms| (500..=1_000).contains(ms)));
        assert!((400..600).contains(&cut), "about half of 500..1500 lies at or above 1000, {cut} did");
    }

    #[test]
    fn a_randomised_interval_is_a_millisecond_at_least_and_reaches_its_upper_end() {
        // 1 ms at 0.99 either way: from 0.01 to 2.99, of which what is less than 1 counts as 1.
        let interval = Interval::Randomized { around: MS(1), factor: 0.99 };
        let mut rng = SplitMix64::new(1);
        let mut counts = [0; 4];
        (0..4_000).for_each(|_| counts[interval.wait(1, &mut rng).as_millis() as usize] += 1);
        assert!(counts[0] == 0 && counts[3] == 0, "{counts:?}");
        let share = f64::from(counts[2]) / 4_000.0;
        assert!((share - 0.99 / 2.98).abs() < 0.03, "{share}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let table = [
            (Interval::Fixed(Span::from_micros(999)), "initial"),
            (Interval::Exponential { initial: MS(1), multiplier: 0.99, max: Span::MAX }, "multiplier"),
            (Interval::Exponential { initial: MS(1), multiplier: f64::NAN, max: Span::MAX }, "multiplier"),
            (Interval::Randomized { around: MS(1), factor: 1.0 }, "factor"),
            (Interval::ExponentialRandom { initial: MS(1), multiplier: 1.0, factor: 0.0, max: Span::ZERO }, "max"),
        ];
        for (interval, field) in table {
            assert_eq!(interval.check().unwrap_err().field, field);
        }
        assert_eq!(Interval::Randomized { around: MS(1), factor: 0.0 }.check(), Ok(()));
    }
}
