//! Client-side throttling after Google's SRE book ("Handling Overload"): a client whose calls are turned away turns
//! more and more of them away itself, with probability max(0, (requests − K · accepts) / (requests + 1)).

use crate::check::{Invalid, require};
use crate::window::{Counts, Slices};
use crate::{Outcome, Outcomes, Random, SimTime, Span};

/// Configuration of [`Sre`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SreConfig {
    /// K: how many requests per accepted one are let through. Default 2, at least 1.
    pub multiplier: f64,
    /// How long a request counts, in 120 slices. Default 2 min.
    pub window: Span,
    /// Outcomes that say the callee turned the call away. Default: rejections and rate limits.
    pub rejections: Outcomes,
}

impl Default for SreConfig {
    fn default() -> Self {
        let rejections = Outcomes::REJECTED | Outcomes::RATE_LIMITED;
        Self { multiplier: 2.0, window: Span::from_secs(120), rejections }
    }
}

impl SreConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require((1.0..=1e6).contains(&self.multiplier), "multiplier", "at least 1")?;
        require(self.window >= Span::from_nanos(u64::from(SLICES)), "window", "at least 120ns")
    }
}

const SLICES: u32 = 120;

/// The machine.
#[derive(Clone, Debug)]
pub struct Sre {
    config: SreConfig,
    requests: Slices,
    accepts: Slices,
}

impl Sre {
    /// A throttle that has seen nothing and so lets everything through.
    pub fn new(config: SreConfig, now: SimTime) -> Self {
        let slices = Slices::new(SLICES, Span::from_nanos(config.window.as_nanos() / u64::from(SLICES)), now);
        Self { config, requests: slices.clone(), accepts: slices }
    }

    /// Whether a call may be sent. It counts as a request either way.
    pub fn admit(&mut self, now: SimTime, rng: &mut impl Random) -> bool {
        let probability = self.probability(now);
        self.requests.push(now, Counts::one(false, false));
        probability <= 0.0 || rng.unit() >= probability
    }

    /// A call that was sent has ended.
    pub fn record(&mut self, now: SimTime, outcome: Outcome) {
        if !self.config.rejections.contains(outcome) {
            self.accepts.push(now, Counts::one(false, false));
        }
    }

    /// The probability that the next call is turned away here.
    pub fn probability(&self, now: SimTime) -> f64 {
        let requests = f64::from(self.requests.counts(now).calls);
        let accepts = f64::from(self.accepts.counts(now).calls);
        ((requests - self.config.multiplier * accepts) / (requests + 1.0)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use crate::balancer::tests::assert_share;

    #[test]
    fn values_out_of_range_are_named() {
        let base = SreConfig::default();
        let table = [
            (SreConfig { multiplier: 0.9, ..base }, "multiplier"),
            (SreConfig { multiplier: 2e6, ..base }, "multiplier"),
            (SreConfig { window: Span::from_nanos(119), ..base }, "window"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
        assert_eq!(SreConfig { window: Span::from_nanos(120), ..base }.check(), Ok(()));
    }

    #[test]
    fn half_of_the_calls_turned_away_is_still_no_reason_to_throttle() {
        let mut throttle = Sre::new(SreConfig::default(), SimTime::ZERO);
        let mut rng = SplitMix64::new(1);
        for call in 0..1_000 {
            assert!(throttle.admit(SimTime::ZERO, &mut rng));
            throttle.record(SimTime::ZERO, if call % 2 == 0 { Outcome::Ok } else { Outcome::Rejected });
        }
        assert_eq!(throttle.probability(SimTime::ZERO), 0.0);
        throttle.admit(SimTime::ZERO, &mut rng);
        assert_eq!(throttle.probability(SimTime::ZERO), 1.0 / 1_002.0);
    }

    #[test]
    fn a_callee_that_turns_all_away_is_soon_asked_rarely() {
        let mut throttle = Sre::new(SreConfig::default(), SimTime::ZERO);
        let mut rng = SplitMix64::new(1);
        let mut sent = 0;
        for _ in 0..10_000 {
            if throttle.admit(SimTime::ZERO, &mut rng) {
                sent += 1;
                throttle.record(SimTime::ZERO, Outcome::RateLimited);
            }
        }
        // The n-th call is sent with probability 1 / n: some ten in ten thousand.
        assert!((3..25).contains(&sent), "{sent}");
    }

    #[test]
    fn errors_and_time_outs_count_as_accepted_and_the_window_forgets() {
        let mut throttle = Sre::new(SreConfig::default(), SimTime::ZERO);
        let mut rng = SplitMix64::new(1);
        for _ in 0..100 {
            throttle.admit(SimTime::ZERO, &mut rng);
            throttle.record(SimTime::ZERO, Outcome::Timeout);
        }
        assert_eq!(throttle.probability(SimTime::ZERO), 0.0);
        for _ in 0..900 {
            throttle.admit(SimTime::ZERO, &mut rng);
        }
        let just_before = SimTime::from_nanos(Span::from_secs(120).as_nanos() - 1);
        assert!(throttle.probability(just_before) > 0.7);
        assert_eq!(throttle.probability(SimTime::ZERO + Span::from_secs(120)), 0.0);
    }

    #[test]
    fn calls_are_turned_away_with_the_probability_it_says() {
        let mut rng = SplitMix64::new(1);
        let mut throttle = Sre::new(SreConfig::default(), SimTime::ZERO);
        for _ in 0..999 {
            throttle.admit(SimTime::ZERO, &mut rng);
        }
        (0..250).for_each(|_| throttle.record(SimTime::ZERO, Outcome::Ok));
        let probability = throttle.probability(SimTime::ZERO);
        assert_eq!(probability, 0.499);
        let refused = (0..4_000).filter(|_| !throttle.clone().admit(SimTime::ZERO, &mut rng)).count();
        assert_share(refused, 4_000, probability);
    }
}
