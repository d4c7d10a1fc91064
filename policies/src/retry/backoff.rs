//! How long to wait before a retry: a formula for the wait, and a jitter that spreads it. Knows neither outcomes nor
//! budgets.
//!
//! The general formulas take k = 0 for the first retry, work in nanoseconds and cut at the cap *before* the jitter,
//! except where a jitter says otherwise. The implementations' own (resilience4j, Polly, Envoy) bring their jitter and
//! rounding.

use crate::check::{Invalid, require};
use crate::{Interval, Random, Span};

/// The wait before each retry, before it is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backoff {
    /// No wait.
    None,
    /// Always the same.
    Constant(Span),
    /// step · (k + 1).
    Linear {
        /// The first wait, and what each adds.
        step: Span,
        /// No wait is longer.
        cap: Span,
    },
    /// base · factorᵏ.
    Exponential {
        /// The first wait.
        base: Span,
        /// What each wait is multiplied with to get the next.
        factor: f64,
        /// No wait is longer.
        cap: Span,
    },
    /// resilience4j's interval functions, in whole milliseconds.
    Resilience4j(Interval),
    /// Polly v8 (173d6d1, August 2026).
    Polly {
        /// How the waits grow.
        shape: PollyShape,
        /// The first wait; 2 s by default.
        delay: Span,
        /// No wait is longer, its jitter included; `Span::MAX` for no limit.
        max: Span,
        /// Spreads constant and linear waits by ±25 %, and turns exponential ones into "decorrelated jitter V2".
        jitter: bool,
    },
    /// Envoy 1.40: U[0, min(base · 2ᵏ, max)) in whole milliseconds.
    Envoy {
        /// The bound of the first wait; 25 ms by default.
        base: Span,
        /// No bound is longer; 250 ms by default, ten times the base.
        max: Span,
    },
}

/// How Polly's waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollyShape {
    /// d.
    Constant,
    /// d · (k + 1).
    Linear,
    /// d · 2ᵏ.
    Exponential,
}

/// How a general back-off's wait e is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// e.
    None,
    /// U[0, e).
    Full,
    /// e/2 + U[0, e/2).
    Equal,
    /// min(cap, U[base, 3 · the wait before]), starting from the base; the factor plays no part. A back-off without a
    /// cap grows without bound.
    Decorrelated,
    /// e · U[1 − f, 1 + f]; may exceed the cap. gRPC: 0.2.
    Proportional(f64),
    /// e + U · ratio · e.
    Additive {
        /// What at most is added, as a share of e. Linkerd's retries and backon: 1.
        ratio: f64,
        /// Whether the sum stays within the cap (Linkerd), or may exceed it (tower).
        within_cap: bool,
    },
}

/// What a call keeps between its retries: the wait before (decorrelated), the last value of Polly's V2, or where the
/// exponent started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffState(u64);

impl BackoffState {
    /// Before a call's first retry.
    pub const NEW: Self = Self(0);
}

impl Backoff {
    /// The wait before `retry`, counted from 1.
    pub fn wait(&self, retry: u32, jitter: Jitter, state: &mut BackoffState, rng: &mut impl Random) -> Span {
        let k = retry.saturating_sub(1);
        match *self {
            Self::None => Span::ZERO,
            Self::Constant(wait) => jitter.spread(wait, wait, Span::MAX, state, rng),
            Self::Linear { step, cap } => {
                let wait = (step * (u64::from(k) + 1)).min(cap);
                jitter.spread(wait, step, cap, state, rng)
            }
            Self::Exponential { base, factor, cap } => {
                let k = if jitter == Jitter::Decorrelated { k } else { k.saturating_sub(state.0 as u32) };
                jitter.spread(exponential(base, factor, k, cap), base, cap, state, rng)
            }
            Self::Resilience4j(interval) => interval.wait(retry, rng),
            Self::Polly { shape, delay, max, jitter } => polly(shape, delay, jitter, k, state, rng).min(max),
            Self::Envoy { base, max } => {
                let bound = exponential(base, 2.0, k, max);
                Span::from_millis(rng.below(bound.as_millis()))
            }
        }
    }

    /// Whether the back-off brings its own jitter, so that no other applies.
    pub const fn has_own_jitter(&self) -> bool {
        matches!(self, Self::None | Self::Resilience4j(_) | Self::Polly { .. } | Self::Envoy { .. })
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match *self {
            Self::None | Self::Constant(_) => Ok(()),
            Self::Linear { step, cap } => require(step <= cap, "cap", "at least the step"),
            Self::Exponential { base, factor, cap } => {
                require(factor >= 1.0 && factor.is_finite(), "factor", "at least 1")?;
                require(base <= cap, "cap", "at least the base")
            }
            Self::Resilience4j(interval) => interval.check(),
            Self::Polly { delay, max, .. } => require(delay <= max, "max", "at least the delay"),
            Self::Envoy { base, max } => {
                require(base >= Span::from_millis(1), "base", "at least 1ms")?;
                require(base <= max, "max", "at least the base")
            }
        }
    }
}

impl BackoffState {
    /// Starts the exponent again with the retry after `retry`, as a gRPC server's pushback does.
    pub fn restart_after(&mut self, retry: u32) {
        self.0 = u64::from(retry);
    }
}

impl Jitter {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match *self {
            Self::Proportional(share) => require((0.0..=1.0).contains(&share), "jitter", "a share from 0 to 1"),
            Self::Additive { ratio, .. } => require((0.0..=100.0).contains(&ratio), "jitter", "a ratio from 0 to 100"),
            Self::None | Self::Full | Self::Equal | Self::Decorrelated => Ok(()),
        }
    }

    fn spread(self, wait: Span, base: Span, cap: Span, state: &mut BackoffState, rng: &mut impl Random) -> Span {
        let ns = wait.as_nanos();
        match self {
            Self::None => wait,
            Self::Full => Span::from_nanos(rng.below(ns)),
            Self::Equal => Span::from_nanos(ns / 2 + rng.below(ns - ns / 2)),
            Self::Decorrelated => {
                let before = base.as_nanos().max(state.0);
                let width = before.saturating_mul(3) - base.as_nanos();
                let wait = Span::from_nanos(base.as_nanos() + rng.below(width.saturating_add(1))).min(cap);
                state.0 = wait.as_nanos();
                wait
            }
            Self::Proportional(share) => wait.scale(1.0 - share + 2.0 * share * rng.unit()),
            Self::Additive { ratio, within_cap } => {
                let sum = wait + additive(wait, ratio, rng);
                if within_cap { sum.min(cap) } else { sum }
            }
        }
    }
}

/// U · ratio · wait.
pub(crate) fn additive(wait: Span, ratio: f64, rng: &mut impl Random) -> Span {
    wait.scale(ratio * rng.unit())
}

/// base · factorᵏ, at most `cap`.
pub(crate) fn exponential(base: Span, factor: f64, k: u32, cap: Span) -> Span {
    base.scale(power(factor, k)).min(cap)
}

/// factorᵏ: bit by bit as [`libm::pow`] has it, and at once for the first retries.
fn power(factor: f64, k: u32) -> f64 {
    match k {
        0 => 1.0,
        1 => factor,
        2 => factor * factor,
        _ => libm::pow(factor, f64::from(k)),
    }
}

fn polly(
    shape: PollyShape,
    delay: Span,
    jitter: bool,
    k: u32,
    state: &mut BackoffState,
    rng: &mut impl Random,
) -> Span {
    let factor = match shape {
        PollyShape::Constant => 1.0,
        PollyShape::Linear => f64::from(k) + 1.0,
        PollyShape::Exponential if jitter => {
            let t = f64::from(k) + rng.unit();
            let value = libm::exp2(t) * libm::tanh(libm::sqrt(4.0 * t));
            let before = f64::from_bits(state.0);
            state.0 = value.to_bits();
            return delay.scale((value - before) / 1.4);
        }
        PollyShape::Exponential => libm::exp2(f64::from(k)),
    };
    delay.scale(if jitter { factor * (0.75 + 0.5 * rng.unit()) } else { factor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use crate::testing::{assert_follows, assert_uniform};

    const MS: fn(u64) -> Span = Span::from_millis;
    const SAMPLES: usize = 4_000;

    fn waits(backoff: Backoff, jitter: Jitter, retries: u32) -> Vec<f64> {
        let mut state = BackoffState::default();
        let mut rng = SplitMix64::new(1);
        (1..=retries).map(|retry| backoff.wait(retry, jitter, &mut state, &mut rng).as_millis_f64()).collect()
    }

    /// The wait before `retry` in many calls, in milliseconds.
    fn samples(backoff: Backoff, jitter: Jitter, retry: u32) -> Vec<f64> {
        let mut rng = SplitMix64::new(7);
        let mut wait = |_| {
            let mut state = BackoffState::default();
            let waits = (1..=retry).map(|retry| backoff.wait(retry, jitter, &mut state, &mut rng));
            waits.last().unwrap().as_millis_f64()
        };
        (0..SAMPLES).map(&mut wait).collect()
    }

    fn exponential_100() -> Backoff {
        Backoff::Exponential { base: MS(100), factor: 2.0, cap: MS(1_000) }
    }

    #[test]
    fn each_formula_gives_its_known_waits() {
        let polly = |shape| Backoff::Polly { shape, delay: MS(2_000), max: MS(7_000), jitter: false };
        let interval = Interval::Exponential { initial: MS(500), multiplier: 1.5, max: MS(5_000) };
        let table: [(Backoff, [f64; 5]); 8] = [
            (Backoff::None, [0.0; 5]),
            (Backoff::Constant(MS(30)), [30.0; 5]),
            (Backoff::Linear { step: MS(100), cap: MS(350) }, [100.0, 200.0, 300.0, 350.0, 350.0]),
            (exponential_100(), [100.0, 200.0, 400.0, 800.0, 1_000.0]),
            (Backoff::Resilience4j(interval), [500.0, 750.0, 1_125.0, 1_687.0, 2_530.0]),
            (polly(PollyShape::Constant), [2_000.0; 5]),
            (polly(PollyShape::Linear), [2_000.0, 4_000.0, 6_000.0, 7_000.0, 7_000.0]),
            (polly(PollyShape::Exponential), [2_000.0, 4_000.0, 7_000.0, 7_000.0, 7_000.0]),
        ];
        for (backoff, expected) in table {
            assert_eq!(waits(backoff, Jitter::None, 5), expected, "{backoff:?}");
        }
    }

    #[test]
    fn the_first_powers_are_bit_by_bit_those_of_the_library() {
        let mut rng = SplitMix64::new(11);
        let factors = [1.0, 1.5, 2.0, f64::MAX, f64::INFINITY, f64::NAN].into_iter();
        for factor in factors.chain((0..10_000).map(|i| (1.0 + rng.unit()) * f64::from(i % 100 + 1))) {
            for k in 0..5 {
                let library = libm::pow(factor, f64::from(k));
                assert_eq!(power(factor, k).to_bits(), library.to_bits(), "{factor} to the power of {k}");
            }
        }
    }

    #[test]
    fn full_jitter_is_uniform_from_nothing_to_the_capped_wait() {
        assert_uniform(samples(exponential_100(), Jitter::Full, 3), 0.0, 400.0);
        assert_uniform(samples(exponential_100(), Jitter::Full, 9), 0.0, 1_000.0);
    }

    #[test]
    fn equal_jitter_is_uniform_in_the_upper_half() {
        assert_uniform(samples(exponential_100(), Jitter::Equal, 3), 200.0, 400.0);
    }

    #[test]
    fn decorrelated_jitter_is_uniform_from_the_base_to_three_times_the_wait_before_and_then_capped() {
        assert_uniform(samples(exponential_100(), Jitter::Decorrelated, 1), 100.0, 300.0);
        let mut state = BackoffState::default();
        let mut rng = SplitMix64::new(3);
        let (mut before, mut shares, mut capped) = (100.0, vec![], 0);
        for _ in 0..40_000 {
            let wait = exponential_100().wait(1, Jitter::Decorrelated, &mut state, &mut rng).as_millis_f64();
            if before * 3.0 <= 1_000.0 {
                shares.push((wait - 100.0) / (before * 3.0 - 100.0));
            }
            capped += u32::from(wait == 1_000.0);
            before = wait;
        }
        assert_uniform(shares, 0.0, 1.0);
        assert!(capped > 1_000, "the cap comes last: {capped} waits met it");
    }

    #[test]
    fn proportional_jitter_reaches_to_both_sides_and_past_the_cap() {
        assert_uniform(samples(exponential_100(), Jitter::Proportional(0.2), 9), 800.0, 1_200.0);
    }

    #[test]
    fn additive_jitter_adds_and_stays_within_the_cap_only_if_told_to() {
        let additive = |within_cap| Jitter::Additive { ratio: 0.5, within_cap };
        assert_uniform(samples(exponential_100(), additive(true), 1), 100.0, 150.0);
        assert_uniform(samples(exponential_100(), additive(false), 9), 1_000.0, 1_500.0);
        assert!(samples(exponential_100(), additive(true), 9).iter().all(|ms| *ms == 1_000.0));
    }

    #[test]
    fn grpc_waits_lie_where_grpc_s_lay() {
        let backoff = Backoff::Exponential { base: MS(100), factor: 2.0, cap: MS(10_000) };
        for (retry, low, high) in [(1, 80.0, 120.0), (2, 160.0, 240.0), (3, 320.0, 480.0)] {
            assert_uniform(samples(backoff, Jitter::Proportional(0.2), retry), low, high);
        }
    }

    #[test]
    fn a_pushback_starts_the_exponent_again() {
        let mut state = BackoffState::default();
        let mut rng = SplitMix64::new(1);
        let mut wait = |retry, state: &mut BackoffState| exponential_100().wait(retry, Jitter::None, state, &mut rng);
        assert_eq!(wait(3, &mut state), MS(400));
        state.restart_after(3);
        assert_eq!(wait(4, &mut state), MS(100));
        assert_eq!(wait(5, &mut state), MS(200));
    }

    #[test]
    fn envoy_waits_whole_milliseconds_below_25_50_100_200_250_250() {
        let backoff = Backoff::Envoy { base: MS(25), max: MS(250) };
        for (retry, bound) in (1..).zip([25.0, 50.0, 100.0, 200.0, 250.0, 250.0]) {
            let drawn = samples(backoff, Jitter::None, retry);
            assert!(drawn.iter().all(|ms| ms.fract() == 0.0 && *ms < bound), "retry {retry}");
            let bins = |ms: f64| drawn.iter().filter(|x| **x == ms).count();
            assert!(bins(0.0) > 0 && bins(bound - 1.0) > 0, "both ends of 0..{bound} are drawn");
            // Spread over their millisecond, whole numbers are as uniform as the test wants them.
            let mut rng = SplitMix64::new(2);
            assert_uniform(drawn.iter().map(|ms| ms + rng.unit()).collect(), 0.0, bound);
        }
    }

    #[test]
    fn resilience4j_s_randomised_wait_is_cut_to_whole_milliseconds() {
        let backoff = Backoff::Resilience4j(Interval::Randomized { around: MS(100_000), factor: 0.5 });
        let drawn = samples(backoff, Jitter::None, 1);
        assert!(drawn.iter().all(|ms| ms.fract() == 0.0));
        assert_uniform(drawn, 50_000.0, 150_000.0);
    }

    #[test]
    fn polly_spreads_constant_and_linear_waits_by_a_quarter_and_caps_last() {
        let polly = |shape, max| Backoff::Polly { shape, delay: MS(1_000), max, jitter: true };
        assert_uniform(samples(polly(PollyShape::Constant, Span::MAX), Jitter::None, 2), 750.0, 1_250.0);
        assert_uniform(samples(polly(PollyShape::Linear, Span::MAX), Jitter::None, 3), 2_250.0, 3_750.0);
        let capped = samples(polly(PollyShape::Constant, MS(1_000)), Jitter::None, 1);
        let at_cap = capped.iter().filter(|ms| **ms == 1_000.0).count();
        assert!((SAMPLES * 2 / 5..SAMPLES * 3 / 5).contains(&at_cap), "{at_cap} of {SAMPLES} met the cap");
    }

    #[test]
    fn polly_s_decorrelated_jitter_follows_its_formula() {
        let backoff = Backoff::Polly { shape: PollyShape::Exponential, delay: MS(1_000), max: Span::MAX, jitter: true };
        let value = |t: f64| libm::exp2(t) * libm::tanh(libm::sqrt(4.0 * t)) / 1.4 * 1_000.0;
        // The first wait is value(U): its distribution is the inverse of value, found by bisection.
        let inverse = |ms: f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if value(middle) < ms { low = middle } else { high = middle }
            }
            low
        };
        assert_follows(samples(backoff, Jitter::None, 1), inverse);
        // The waits add up to the last value, so after k retries their sum lies in value(k - 1)..value(k).
        for seed in 0..500 {
            let (mut state, mut rng, mut sum) = (BackoffState::default(), SplitMix64::new(seed), 0.0);
            for retry in 1..=8 {
                sum += backoff.wait(retry, Jitter::None, &mut state, &mut rng).as_millis_f64();
                let k = f64::from(retry);
                assert!(value(k - 1.0) - 0.01 <= sum && sum <= value(k) + 0.01, "seed {seed}, retry {retry}");
            }
        }
    }

    #[test]
    fn a_wait_too_long_to_count_is_capped_and_does_not_wrap() {
        let endless = Backoff::Exponential { base: MS(100), factor: 10.0, cap: Span::MAX };
        assert_eq!(waits(endless, Jitter::None, 400).pop(), Some(Span::MAX.as_millis_f64()));
        let mut state = BackoffState::default();
        let mut rng = SplitMix64::new(1);
        for _ in 0..1_000 {
            Backoff::Constant(MS(100)).wait(1, Jitter::Decorrelated, &mut state, &mut rng);
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let table = [
            (Backoff::Linear { step: MS(2), cap: MS(1) }, "cap"),
            (Backoff::Exponential { base: MS(1), factor: 0.9, cap: MS(1) }, "factor"),
            (Backoff::Exponential { base: MS(2), factor: 1.0, cap: MS(1) }, "cap"),
            (Backoff::Resilience4j(Interval::Fixed(Span::ZERO)), "initial"),
            (Backoff::Envoy { base: Span::from_micros(999), max: MS(1) }, "base"),
            (Backoff::Envoy { base: MS(2), max: MS(1) }, "max"),
        ];
        for (backoff, field) in table {
            assert_eq!(backoff.check().unwrap_err().field, field);
        }
        assert!(Jitter::Proportional(1.1).check().is_err());
        assert!(Jitter::Additive { ratio: f64::NAN, within_cap: true }.check().is_err());
    }
}
