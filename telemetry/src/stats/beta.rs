//! Student's t through the incomplete beta function: intervals of a mean over few runs.
//!
//! The continued fraction is that of Abramowitz and Stegun 26.5.8, evaluated by Lentz's method.

use super::{Interval, mean, variance};

/// The mean's interval at a confidence such as 0.95, values taken as independent and about normal. `None` of fewer than
/// two values.
pub fn student_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let mean = mean(values)?;
    if values.len() < 2 {
        return None;
    }
    let degrees = (values.len() - 1) as f64;
    let half =
        student_quantile(1.0 - (1.0 - confidence) / 2.0, degrees) * (variance(values) / values.len() as f64).sqrt();
    Some(Interval { low: mean - half, high: mean + half })
}

/// The value below which Student's t with so many degrees of freedom lies with probability `p`, for p of 0.5 and more.
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while distribution(high, degrees) < p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if distribution(middle, degrees) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability that Student's t is below `t`, which is not negative.
fn distribution(t: f64, degrees: f64) -> f64 {
    1.0 - 0.5 * incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The regularised incomplete beta function.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let front = libm::exp(log);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

#[expect(clippy::many_single_char_names, reason = "the names that the formula has where it stands")]
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..300 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF as _, StudentsT};

    #[test]
    fn student_quantiles_are_those_of_statrs() {
        for degrees in [1.0, 2.0, 3.0, 4.0, 9.0, 19.0, 99.0, 999.0] {
            let oracle = StudentsT::new(0.0, 1.0, degrees).unwrap();
            for p in [0.6, 0.9, 0.95, 0.975, 0.995, 0.9995] {
                let (ours, theirs) = (student_quantile(p, degrees), oracle.inverse_cdf(p));
                assert!((ours - theirs).abs() < 1e-6 * theirs, "{degrees} {p}: {ours} and {theirs}");
            }
        }
    }

    #[test]
    fn an_interval_of_ten_values_is_the_one_that_tables_give() {
        // t(0.975, 9) = 2.262157 stands in every table; the values' standard deviation is 3.02765.
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let interval = student_interval(&values, 0.95).unwrap();
        let half = 2.262_157 * 3.027_650_354_097_491_7 / 10f64.sqrt();
        assert!((interval.low - (5.5 - half)).abs() < 1e-5 && (interval.high - (5.5 + half)).abs() < 1e-5);
        assert_eq!(student_interval(&[1.0], 0.95), None);
    }
}
