//! Confidence intervals by batch means: the samples of one long run, in order, cut into batches long enough to be all but
//! independent of one another.

/// Student's t for 29 degrees of freedom, two-sided 99.9 %.
const T_29: f64 = 3.659;
const BATCHES: usize = 30;

/// An estimate and the half-width of its 99.9 % confidence interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    mean: f64,
    half_width: f64,
}

impl Estimate {
    /// From samples in the order of the run. The first tenth is left out: the system warms up.
    pub(super) fn of(samples: &[f64]) -> Self {
        let steady = &samples[samples.len() / 10..];
        let size = steady.len() / BATCHES;
        assert!(size >= 100, "a batch of {size} samples is too short");
        let means: Vec<f64> =
            steady.chunks_exact(size).take(BATCHES).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
        let mean = means.iter().sum::<f64>() / BATCHES as f64;
        let variance = means.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>() / (BATCHES - 1) as f64;
        Self { mean, half_width: T_29 * (variance / BATCHES as f64).sqrt() }
    }

    /// Asserts that `theory` lies in the interval, and that the interval is narrow enough to mean something.
    pub(super) fn agrees_with(self, theory: f64, what: &str) {
        let Self { mean, half_width } = self;
        assert!((mean - theory).abs() <= half_width, "{what}: {mean} ± {half_width}, theory says {theory}");
        assert!(half_width <= 0.1 * theory, "{what}: ± {half_width} says little about {theory}");
    }
}
