//! For tests: whether drawn figures follow the distribution they should.

/// Asserts that `samples` lie in `[low, high]`, have the mean of a uniform draw from there, and pass a
/// Kolmogorov-Smirnov test against it at the 1 % level.
pub(crate) fn assert_uniform(samples: Vec<f64>, low: f64, high: f64) {
    assert!(samples.iter().all(|x| (low..=high).contains(x)), "a sample lies outside [{low}, {high}]");
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let error = (high - low) / (12.0 * samples.len() as f64).sqrt();
    assert!((mean - f64::midpoint(low, high)).abs() < 3.0 * error, "mean {mean} of [{low}, {high}]");
    assert_follows(samples, |x| (x - low) / (high - low));
}

/// Asserts that `samples` pass a Kolmogorov-Smirnov test against `cdf` at the 1 % level.
pub(crate) fn assert_follows(mut samples: Vec<f64>, cdf: impl Fn(f64) -> f64) {
    samples.sort_by(f64::total_cmp);
    let n = samples.len() as f64;
    let gap = |(i, x): (usize, &f64)| {
        let expected = cdf(*x);
        ((i + 1) as f64 / n - expected).abs().max((expected - i as f64 / n).abs())
    };
    let largest = samples.iter().enumerate().map(gap).fold(0.0, f64::max);
    assert!(largest < 1.63 / n.sqrt(), "Kolmogorov-Smirnov distance {largest} over {n} samples");
}
