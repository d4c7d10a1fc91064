//! The interval of a probability of which only some trials are known (Wilson 1927): honest also near 0 and 1 and for few
//! trials, where the usual ± is not.

use super::Interval;

/// Where the probability lies of which `successes` of `trials` were seen, `z` standard deviations wide to either side.
pub fn wilson(successes: u64, trials: u64, z: f64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let spread = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / spread;
    let half = wilson_half_width(successes, trials, z);
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == trials { 1.0 } else { centre + half };
    Interval { low: low.max(0.0), high: high.min(1.0) }
}

/// Half the width of that interval.
pub fn wilson_half_width(successes: u64, trials: u64, z: f64) -> f64 {
    if trials == 0 {
        return 0.5;
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n)
}

#[cfg(test)]
mod tests {
    use super::super::Z_95;
    use super::*;
    use squall_model::Random as _;
    use squall_model::rng::Stream;

    #[test]
    fn the_intervals_are_those_that_scipy_gives() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        let table = [
            (0, 10, 0.0, 0.277_532_799_862_9),
            (1, 10, 0.017_876_213_095, 0.404_150_026_795),
            (50, 100, 0.403_831_530_366, 0.596_168_469_634),
            (81, 263, 0.255_288_519_878, 0.366_209_576_98),
            (999, 1000, 0.994_357_441_402, 0.999_823_453_629),
            (10, 10, 0.722_467_200_137, 1.0),
        ];
        for (successes, trials, low, high) in table {
            let found = wilson(successes, trials, Z_95);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-11;
            assert!(near(found.low, low) && near(found.high, high), "{successes} of {trials}: {found:?}");
        }
    }

    #[test]
    fn it_holds_the_truth_about_as_often_as_it_says() {
        let mut random = Stream::new(7, "wilson");
        for p in [0.02, 0.3, 0.9] {
            let held = (0..2_000).filter(|_| {
                let successes = (0..60).filter(|_| random.unit() < p).count() as u64;
                wilson(successes, 60, Z_95).holds(p)
            });
            let share = held.count() as f64 / 2_000.0;
            assert!((0.92..=0.99).contains(&share), "{p}: {share}");
        }
    }
}
