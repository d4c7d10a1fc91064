//! AIMD: a drop or a slow call takes a tenth off the limit, any other call that uses it adds one.

use super::Sample;
use crate::Span;
use crate::check::{Invalid, require};

/// Configuration of [`Aimd`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AimdConfig {
    /// The limit at the start. Default 20.
    pub initial: u32,
    /// The least limit. Default 20.
    pub min: u32,
    /// The greatest limit. Default 200.
    pub max: u32,
    /// What remains of the limit after a drop; the rest is cut off. Default 0.9.
    pub backoff_ratio: f64,
    /// A call that took longer (`>`) counts as dropped. Default 5 s.
    pub timeout: Span,
}

impl Default for AimdConfig {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, backoff_ratio: 0.9, timeout: Span::from_secs(5) }
    }
}

impl AimdConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.min >= 1, "min", "at least 1")?;
        require(self.min <= self.max, "max", "at least the min")?;
        require((0.5..1.0).contains(&self.backoff_ratio), "backoff_ratio", "at least 0.5 and less than 1")
    }
}

/// The algorithm.
#[derive(Clone, Debug)]
pub struct Aimd {
    config: AimdConfig,
    limit: u32,
}

impl Aimd {
    /// At the initial limit.
    pub fn new(config: AimdConfig) -> Self {
        Self { config, limit: config.initial }
    }

    /// Takes in a sample.
    pub fn update(&mut self, sample: Sample) {
        let AimdConfig { min, max, backoff_ratio, timeout, .. } = self.config;
        if sample.dropped || sample.rtt > timeout {
            self.limit = (f64::from(self.limit) * backoff_ratio) as u32;
        } else if u64::from(sample.in_flight) * 2 >= u64::from(self.limit) {
            self.limit += 1;
        }
        self.limit = self.limit.max(min).min(max);
    }

    /// Calls at once.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_moves_the_limit_as_the_rule_says() {
        let timeout = Span::from_secs(5);
        let past = Span::from_nanos(5_000_000_001);
        // rtt, in flight, dropped, limit after 39
        let table =
            [(timeout, 20, false, 40), (timeout, 19, false, 39), (past, 39, false, 35), (Span::ZERO, 0, true, 35)];
        for (rtt, in_flight, dropped, limit) in table {
            let mut aimd = Aimd::new(AimdConfig { initial: 39, ..AimdConfig::default() });
            aimd.update(Sample { rtt, in_flight, dropped });
            assert_eq!(aimd.limit(), limit, "{rtt} {in_flight} {dropped}");
        }
    }

    #[test]
    fn half_of_the_limit_in_use_is_enough_to_raise_it() {
        let mut aimd = Aimd::new(AimdConfig { initial: 40, ..AimdConfig::default() });
        aimd.update(Sample { rtt: Span::ZERO, in_flight: 20, dropped: false });
        assert_eq!(aimd.limit(), 41);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = AimdConfig::default();
        assert_eq!(AimdConfig { min: 0, ..base }.check().unwrap_err().field, "min");
        assert_eq!(AimdConfig { max: 19, ..base }.check().unwrap_err().field, "max");
        assert_eq!(AimdConfig { backoff_ratio: 1.0, ..base }.check().unwrap_err().field, "backoff_ratio");
    }
}
