//! Windows that turn many samples into one: mean latency, most calls under way, any drop.

use super::Sample;
use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of a window; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    /// Length of a window. Default 1 s, at least 100 ms.
    pub length: Span,
    /// A window with fewer samples is thrown away. Default 10, at least 10.
    pub samples: u32,
    /// Shorter calls (`<`) are no samples. Default 100 µs.
    pub min_rtt: Span,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self { length: Span::from_secs(1), samples: 10, min_rtt: Span::from_micros(100) }
    }
}

impl WindowConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.length >= Span::from_millis(100), "length", "at least 100ms")?;
        require(self.samples >= 10, "samples", "at least 10")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Window {
    config: WindowConfig,
    /// The window ends with the first sample after this.
    end: SimTime,
    sum: u64,
    count: u32,
    in_flight: u32,
    dropped: bool,
}

impl Window {
    pub(super) fn new(config: WindowConfig) -> Self {
        Self { config, end: SimTime::ZERO, sum: 0, count: 0, in_flight: 0, dropped: false }
    }

    /// Takes in a sample; the window's own, if this one ended it and there were enough.
    pub(super) fn gather(&mut self, now: SimTime, sample: Sample) -> Option<Sample> {
        if sample.rtt < self.config.min_rtt {
            return None;
        }
        self.sum = self.sum.saturating_add(sample.rtt.as_nanos());
        self.count += 1;
        self.in_flight = self.in_flight.max(sample.in_flight);
        self.dropped |= sample.dropped;
        if now <= self.end {
            return None;
        }
        let whole = core::mem::replace(self, Self { end: now + self.config.length, ..Self::new(self.config) });
        (whole.count >= self.config.samples).then(|| Sample {
            rtt: Span::from_nanos(whole.sum / u64::from(whole.count)),
            in_flight: whole.in_flight,
            dropped: whole.dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    fn sample(ms: u64, in_flight: u32, dropped: bool) -> Sample {
        Sample { rtt: Span::from_millis(ms), in_flight, dropped }
    }

    #[test]
    fn a_window_is_the_mean_latency_the_most_in_flight_and_any_drop() {
        let mut window = Window::new(WindowConfig::default());
        assert_eq!(window.gather(at(1), sample(5, 99, true)), None, "the first sample ends an empty window");
        for n in 0..9 {
            assert_eq!(window.gather(at(1_001), sample(10 + n, n as u32, n == 3)), None);
        }
        let last = Sample { rtt: Span::from_millis(24), in_flight: 5, dropped: false };
        assert_eq!(window.gather(at(1_002), last), Some(sample(15, 8, true)));
    }

    #[test]
    fn a_window_with_too_few_samples_is_thrown_away() {
        let mut window = Window::new(WindowConfig::default());
        window.gather(at(1), sample(5, 1, false));
        for n in 0..8 {
            window.gather(at(2 + n), sample(5, 1, true));
        }
        assert_eq!(window.gather(at(1_002), sample(5, 1, true)), None);
        assert_eq!(window.count, 0);
    }

    #[test]
    fn calls_that_were_too_short_are_no_samples() {
        let mut window = Window::new(WindowConfig::default());
        let rtt = |ns| Sample { rtt: Span::from_nanos(ns), in_flight: 1, dropped: false };
        window.gather(at(0), rtt(99_999));
        assert_eq!(window.count, 0);
        window.gather(at(0), rtt(100_000));
        assert_eq!(window.count, 1);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = WindowConfig::default();
        assert_eq!(WindowConfig { length: Span::from_millis(99), ..base }.check().unwrap_err().field, "length");
        assert_eq!(WindowConfig { samples: 9, ..base }.check().unwrap_err().field, "samples");
    }
}
