//! Gradient2: the limit shrinks by the ratio of long-term to present latency, and grows by a queue it tolerates.

use super::Sample;
use crate::check::{Invalid, require};

/// Configuration of [`Gradient2`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient2Config {
    /// The limit at the start. Default 20.
    pub initial: u32,
    /// The least limit. Default 20.
    pub min: u32,
    /// The greatest limit. Default 200.
    pub max: u32,
    /// Share of a new estimate that is taken over. Default 0.2.
    pub smoothing: f64,
    /// How many times the long-term latency the present one may be before the limit shrinks. Default 1.5, at least 1.
    pub rtt_tolerance: f64,
    /// Calls that may queue at the callee. Default 4.
    pub queue: u32,
    /// Samples over which long-term latency is averaged. Default 600.
    pub long_window: u32,
}

impl Default for Gradient2Config {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, smoothing: 0.2, rtt_tolerance: 1.5, queue: 4, long_window: 600 }
    }
}

impl Gradient2Config {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.min >= 1, "min", "at least 1")?;
        require(self.min <= self.max, "max", "at least the min")?;
        require(self.smoothing > 0.0 && self.smoothing <= 1.0, "smoothing", "more than 0 and at most 1")?;
        require(self.rtt_tolerance >= 1.0 && self.rtt_tolerance.is_finite(), "rtt_tolerance", "at least 1")?;
        require(self.long_window >= 1, "long_window", "at least 1")
    }
}

/// Samples whose plain mean begins the long-term average.
const WARM_UP: u32 = 10;

/// The algorithm.
#[derive(Clone, Debug)]
pub struct Gradient2 {
    config: Gradient2Config,
    limit: f64,
    long: f64,
    sum: f64,
    seen: u32,
}

impl Gradient2 {
    /// At the initial limit.
    pub fn new(config: Gradient2Config) -> Self {
        Self { config, limit: f64::from(config.initial), long: 0.0, sum: 0.0, seen: 0 }
    }

    /// Takes in a sample.
    pub fn update(&mut self, sample: Sample) {
        let short = sample.rtt.as_nanos().max(1) as f64;
        let long = self.average(short);
        // Latency has come down for good: let the average follow faster.
        if long / short > 2.0 {
            self.long *= 0.95;
        }
        if f64::from(sample.in_flight) < self.limit / 2.0 {
            return;
        }
        let Gradient2Config { min, max, smoothing, rtt_tolerance, queue, .. } = self.config;
        let gradient = (rtt_tolerance * long / short).clamp(0.5, 1.0);
        let limit = self.limit * gradient + f64::from(queue);
        let limit = self.limit * (1.0 - smoothing) + limit * smoothing;
        self.limit = limit.min(f64::from(max)).max(f64::from(min));
    }

    /// Calls at once.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// The plain mean of the first samples, then an exponential average with weight 2 / (n + 1).
    fn average(&mut self, sample: f64) -> f64 {
        if self.seen < WARM_UP {
            self.seen += 1;
            self.sum += sample;
            self.long = self.sum / f64::from(self.seen);
        } else {
            let weight = 2.0 / (f64::from(self.config.long_window) + 1.0);
            self.long = self.long * (1.0 - weight) + sample * weight;
        }
        self.long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn sample(ms: u64, in_flight: u32) -> Sample {
        Sample { rtt: Span::from_millis(ms), in_flight, dropped: false }
    }

    /// At a limit of 100, with a long-term latency of 100 ms.
    fn settled() -> Gradient2 {
        let config = Gradient2Config { initial: 100, ..Gradient2Config::default() };
        let mut gradient = Gradient2::new(config);
        (0..10).for_each(|_| gradient.update(sample(100, 0)));
        assert_eq!((gradient.limit, gradient.long), (100.0, 1e8));
        gradient
    }

    #[test]
    fn the_limit_grows_by_the_queue_until_latency_passes_the_tolerance_and_then_shrinks() {
        // 0.8 · 100 + 0.2 · (100 g + 4): g = 1 up to about 1.5 times the latency, at least a half.
        let table = [(50, 100.8, 1e-9), (149, 100.8, 1e-9), (200, 95.8, 0.1), (1_000, 90.8, 1e-9)];
        for (ms, limit, error) in table {
            let mut gradient = settled();
            gradient.update(sample(ms, 100));
            assert!((gradient.limit - limit).abs() <= error, "{ms}: {}", gradient.limit);
        }
    }

    #[test]
    fn a_limit_less_than_half_used_stays() {
        for (in_flight, moves) in [(49, false), (50, true)] {
            let mut gradient = settled();
            gradient.update(sample(100, in_flight));
            assert_eq!(gradient.limit != 100.0, moves, "{in_flight}");
        }
    }

    #[test]
    fn the_average_begins_as_a_plain_mean_of_ten_and_goes_on_exponentially() {
        let mut gradient = Gradient2::new(Gradient2Config::default());
        (1..=10).for_each(|ms| gradient.update(sample(ms + 100, 0)));
        assert_eq!(gradient.long, 105.5e6);
        gradient.update(sample(106, 0));
        assert!((gradient.long - (105.5e6 + 0.5e6 * 2.0 / 601.0)).abs() < 1.0);
    }

    #[test]
    fn the_average_decays_when_it_is_more_than_twice_the_present_latency() {
        for (ms, decays) in [(51, false), (49, true)] {
            let mut gradient = settled();
            gradient.update(sample(ms, 0));
            assert_eq!(gradient.long < 98e6, decays, "{ms}");
        }
    }

    #[test]
    fn twice_the_present_latency_itself_is_not_yet_too_much() {
        for (first, long) in [(3, 2e6), (5, 3e6 * 0.95)] {
            let mut gradient = Gradient2::new(Gradient2Config::default());
            gradient.update(sample(first, 0));
            gradient.update(sample(1, 0));
            assert_eq!(gradient.long, long);
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = Gradient2Config::default();
        let table = [
            (Gradient2Config { min: 0, ..base }, "min"),
            (Gradient2Config { max: 19, ..base }, "max"),
            (Gradient2Config { smoothing: 1.1, ..base }, "smoothing"),
            (Gradient2Config { rtt_tolerance: 0.9, ..base }, "rtt_tolerance"),
            (Gradient2Config { long_window: 0, ..base }, "long_window"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
