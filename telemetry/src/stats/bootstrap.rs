//! The bootstrap (Efron 1979): how far a figure might have been off, from drawing the values anew out of themselves.
//! Seeded: the same values give the same interval.

use squall_model::Random as _;
use squall_model::rng::Stream;

use super::Interval;

/// How often values are drawn anew. Enough for the tails of a 99.5 % interval.
const RESAMPLES: usize = 2_000;

/// The interval of `figure` over `count` independent things at a confidence such as 0.95. `figure` is given the indices
/// that were drawn. `None` for fewer than two, or where it has no value.
pub fn bootstrap(count: usize, confidence: f64, figure: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    if count < 2 {
        return None;
    }
    let mut random = Stream::new(count as u64, "bootstrap");
    let mut drawn = Vec::with_capacity(count);
    let mut found = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.clear();
        drawn.extend((0..count).map(|_| random.below(count as u64) as usize));
        found.extend(figure(&drawn).filter(|value| value.is_finite()));
    }
    if found.len() < RESAMPLES / 2 {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let at = |share: f64| found[((found.len() - 1) as f64 * share + 0.5) as usize];
    Some(Interval { low: at(tail), high: at(1.0 - tail) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{mean, student_interval};

    fn of_mean(values: &[f64], confidence: f64) -> Option<Interval> {
        bootstrap(values.len(), confidence, |drawn| mean(&drawn.iter().map(|at| values[*at]).collect::<Vec<_>>()))
    }

    #[test]
    fn the_interval_of_a_mean_is_near_that_of_student() {
        let mut random = Stream::new(5, "values");
        let values: Vec<f64> = (0..80).map(|_| random.unit() + random.unit()).collect();
        let (ours, student) = (of_mean(&values, 0.95).unwrap(), student_interval(&values, 0.95).unwrap());
        let width = student.high - student.low;
        assert!((ours.low - student.low).abs() < width * 0.1, "{ours:?} {student:?}");
        assert!((ours.high - student.high).abs() < width * 0.1, "{ours:?} {student:?}");
        assert_eq!(of_mean(&values, 0.95), Some(ours));
    }

    #[test]
    fn it_holds_the_truth_about_as_often_as_it_says() {
        let mut random = Stream::new(6, "values");
        let held = (0..200).filter(|_| {
            let values: Vec<f64> = (0..30).map(|_| random.unit()).collect();
            of_mean(&values, 0.95).unwrap().holds(0.5)
        });
        let held = held.count();
        assert!((180..=199).contains(&held), "{held} of 200");
    }

    #[test]
    fn of_one_value_nothing_is_known() {
        assert_eq!(of_mean(&[1.0], 0.95), None);
    }
}
