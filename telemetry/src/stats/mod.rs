//! Statistics over a handful of runs: intervals and tests. Knows nothing of what the numbers mean.

mod beta;
mod bootstrap;
mod rank;
mod wilson;

pub use beta::{student_interval, student_quantile};
pub use bootstrap::bootstrap;
pub use rank::{MannWhitney, mann_whitney};
pub use wilson::{wilson, wilson_half_width};

/// Two-sided 95 % of a normal distribution lie within this many standard deviations.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

/// The sample variance; 0 of fewer than two values.
pub fn variance(values: &[f64]) -> f64 {
    let Some(mean) = mean(values) else { return 0.0 };
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    if values.len() < 2 { 0.0 } else { squares / (values.len() - 1) as f64 }
}

/// An interval that holds the true value with some confidence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value lies within, ends included.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}
