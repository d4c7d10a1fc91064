//! Vegas: how many calls must be queueing at the callee follows from the present latency and the least one ever seen;
//! that least is forgotten now and then.

use super::Sample;
use crate::check::{Invalid, require};
use crate::{Random, Span};

/// Configuration of [`Vegas`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VegasConfig {
    /// The limit at the start. Default 20.
    pub initial: u32,
    /// The greatest limit; the least is 1. Default 1000.
    pub max: u32,
    /// Share of a new estimate that is taken over. Default 1.
    pub smoothing: f64,
    /// The least latency is forgotten after about so many times the limit's samples. Default 30.
    pub probe_multiplier: u32,
}

impl Default for VegasConfig {
    fn default() -> Self {
        Self { initial: 20, max: 1000, smoothing: 1.0, probe_multiplier: 30 }
    }
}

impl VegasConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.initial >= 1, "initial", "at least 1")?;
        require(self.max >= 1, "max", "at least 1")?;
        require(self.smoothing > 0.0 && self.smoothing <= 1.0, "smoothing", "more than 0 and at most 1")
    }
}

/// The algorithm.
#[derive(Clone, Debug)]
pub struct Vegas {
    config: VegasConfig,
    limit: f64,
    /// The least latency since it was last forgotten.
    least: Option<Span>,
    samples: u32,
    jitter: f64,
}

impl Vegas {
    /// At the initial limit.
    pub fn new(config: VegasConfig, rng: &mut impl Random) -> Self {
        Self { config, limit: f64::from(config.initial), least: None, samples: 0, jitter: jitter(rng) }
    }

    /// Takes in a sample.
    pub fn update(&mut self, sample: Sample, rng: &mut impl Random) {
        self.samples += 1;
        if self.jitter * f64::from(self.config.probe_multiplier) * self.limit <= f64::from(self.samples) {
            self.jitter = jitter(rng);
            self.samples = 0;
            self.least = Some(sample.rtt);
            return;
        }
        match self.least {
            Some(least) if sample.rtt >= least => self.adjust(sample, least),
            _ => self.least = Some(sample.rtt),
        }
    }

    /// Calls at once.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn adjust(&mut self, sample: Sample, least: Span) {
        let ratio = least.as_nanos() as f64 / sample.rtt.as_nanos().max(1) as f64;
        let queue = libm::ceil(self.limit * (1.0 - ratio));
        // ⌊log₁₀⌋ of the whole limit, at least 1; α is 3 of it, β is 6.
        let unit = f64::from(self.limit().max(1).ilog10().max(1));
        let limit = if sample.dropped {
            self.limit - unit
        } else if f64::from(sample.in_flight) * 2.0 < self.limit {
            return;
        } else if queue <= unit {
            self.limit + 6.0 * unit
        } else if queue < 3.0 * unit {
            self.limit + unit
        } else if queue > 6.0 * unit {
            self.limit - unit
        } else {
            return;
        };
        let limit = limit.min(f64::from(self.config.max)).max(1.0);
        self.limit = (1.0 - self.config.smoothing) * self.limit + self.config.smoothing * limit;
    }
}

/// U[0.5, 1).
fn jitter(rng: &mut impl Random) -> f64 {
    0.5 + 0.5 * rng.unit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use crate::testing::assert_uniform;

    fn sample(ms: u64, in_flight: u32, dropped: bool) -> Sample {
        Sample { rtt: Span::from_millis(ms), in_flight, dropped }
    }

    /// The limit of 128 (so that the unit is 2) after a least latency of `least` and then one of `rtt`.
    fn moved(least: u64, rtt: u64, in_flight: u32, dropped: bool) -> u32 {
        let mut rng = SplitMix64::new(1);
        let mut vegas = Vegas::new(VegasConfig { initial: 128, ..VegasConfig::default() }, &mut rng);
        vegas.update(sample(least, 128, false), &mut rng);
        vegas.update(sample(rtt, in_flight, dropped), &mut rng);
        vegas.limit()
    }

    #[test]
    fn the_queue_that_latency_betrays_moves_the_limit() {
        // A queue of q follows from latencies 128 - q and 128, exactly. Threshold 2, alpha 6, beta 12.
        let table = [(0, 140), (2, 140), (3, 130), (5, 130), (6, 128), (12, 128), (13, 126), (60, 126)];
        for (queue, limit) in table {
            assert_eq!(moved(128 - queue, 128, 128, false), limit, "queue {queue}");
        }
    }

    #[test]
    fn a_queue_that_is_not_whole_is_rounded_up() {
        // 128 · (1 − 253/256) = 1.5 counts as 2, 128 · (1 − 251/256) = 2.5 as 3.
        assert_eq!(moved(253, 256, 128, false), 140);
        assert_eq!(moved(251, 256, 128, false), 130);
    }

    #[test]
    fn a_limit_not_half_used_stays_and_a_drop_lowers_it_even_then() {
        assert_eq!(moved(100, 100, 63, false), 128);
        assert_eq!(moved(100, 100, 64, false), 140);
        assert_eq!(moved(100, 100, 0, true), 126);
    }

    #[test]
    fn a_new_least_latency_is_kept_and_moves_nothing() {
        assert_eq!(moved(100, 99, 128, false), 128);
    }

    #[test]
    fn the_least_latency_is_forgotten_after_half_to_once_thirty_times_the_limit() {
        let after = |seed| {
            let mut rng = SplitMix64::new(seed);
            let mut vegas = Vegas::new(VegasConfig { initial: 100, ..VegasConfig::default() }, &mut rng);
            vegas.update(sample(1, 0, false), &mut rng);
            let forgotten = (2..10_000).find(|_| {
                vegas.update(sample(50, 0, false), &mut rng);
                vegas.least == Some(Span::from_millis(50))
            });
            f64::from(forgotten.unwrap())
        };
        assert_uniform((0..500).map(after).collect(), 1_500.0, 3_000.0);
    }

    #[test]
    fn smoothing_takes_over_a_share() {
        let mut rng = SplitMix64::new(1);
        let config = VegasConfig { initial: 100, smoothing: 0.5, ..VegasConfig::default() };
        let mut vegas = Vegas::new(config, &mut rng);
        vegas.update(sample(100, 100, false), &mut rng);
        vegas.update(sample(100, 100, false), &mut rng);
        assert_eq!(vegas.limit(), 106);
    }

    #[test]
    fn the_most_there_may_be_is_cut_before_smoothing() {
        let mut rng = SplitMix64::new(1);
        let config = VegasConfig { initial: 100, max: 104, smoothing: 0.5, ..VegasConfig::default() };
        let mut vegas = Vegas::new(config, &mut rng);
        vegas.update(sample(100, 100, false), &mut rng);
        vegas.update(sample(100, 100, false), &mut rng);
        assert_eq!(vegas.limit(), 102);
    }

    #[test]
    fn the_unit_is_the_whole_part_of_the_limit_s_logarithm_and_at_least_one() {
        // With no queue the limit grows by six units.
        for (initial, limit) in [(9, 15), (99, 105), (100, 112)] {
            let mut rng = SplitMix64::new(1);
            let mut vegas = Vegas::new(VegasConfig { initial, ..VegasConfig::default() }, &mut rng);
            vegas.update(sample(100, initial, false), &mut rng);
            vegas.update(sample(100, initial, false), &mut rng);
            assert_eq!(vegas.limit(), limit, "from {initial}");
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = VegasConfig::default();
        assert_eq!(VegasConfig { initial: 0, ..base }.check().unwrap_err().field, "initial");
        assert_eq!(VegasConfig { max: 0, ..base }.check().unwrap_err().field, "max");
        assert_eq!(VegasConfig { smoothing: 0.0, ..base }.check().unwrap_err().field, "smoothing");
    }
}
