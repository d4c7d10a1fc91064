//! How good a variant is over its seeds: first how far it is from all that must hold, then its objectives in order.

use std::cmp::Ordering;

use squall_model::plan::{Claim, Comparison};
use squall_model::spec::Wish;

use super::Trial;
use crate::sweep::design::Variant;

/// A variant over its seeds.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Score {
    /// Runs.
    pub(crate) runs: usize,
    /// Runs in which every line held.
    pub(crate) held: usize,
    /// For each line, in how many runs it held.
    pub(crate) lines: Vec<usize>,
    /// How far the lines that did not hold are from it, on average.
    pub(crate) violation: f64,
    /// The mean of each objective; `None` if a run had no value.
    pub(crate) objectives: Vec<Option<f64>>,
}

impl Score {
    pub(crate) fn of(trials: &[Trial]) -> Self {
        let count = trials.len();
        let lines = trials.first().map_or(0, |trial| trial.held.len());
        let objectives = trials.first().map_or(0, |trial| trial.objectives.len());
        let mean = |at: usize| -> Option<f64> {
            let values = trials.iter().map(|trial| trial.objectives[at]).collect::<Option<Vec<f64>>>()?;
            squall_telemetry::stats::mean(&values)
        };
        Self {
            runs: count,
            held: trials.iter().filter(|trial| trial.held.iter().all(|held| *held)).count(),
            lines: (0..lines).map(|at| trials.iter().filter(|trial| trial.held[at]).count()).collect(),
            violation: trials.iter().map(|trial| trial.violation).sum::<f64>() / count.max(1) as f64,
            objectives: (0..objectives).map(mean).collect(),
        }
    }

    /// Whether every line held in every run.
    pub(crate) const fn holds(&self) -> bool {
        self.held == self.runs
    }
}

/// How far a line is from holding, from 0 to 1: by how much of what was found it misses what was wanted.
pub(super) fn violation(claim: &Claim, found: Option<f64>) -> f64 {
    let Some(found) = found else { return 1.0 };
    let wanted = match claim {
        Claim::Figure { op: Comparison::Unequal, .. } => return 1.0,
        Claim::Figure { value, .. } => *value,
        Claim::Breaker { within, .. } | Claim::Saturates { within, .. } | Claim::Recovers { within, .. } => {
            within.as_nanos() as f64
        }
    };
    let greatest = found.abs().max(wanted.abs());
    // What misses by nothing (`<` at the very value) has still not held.
    if greatest == 0.0 { 0.01 } else { ((found - wanted).abs() / greatest).clamp(0.01, 1.0) }
}

/// The better one first.
pub(crate) fn order(a: &Score, b: &Score, wishes: &[Wish]) -> Ordering {
    let misses = |score: &Score| {
        let share = score.held as f64 / score.runs.max(1) as f64;
        score.violation + (1.0 - share) * 0.001
    };
    let objectives = a.objectives.iter().zip(&b.objectives).zip(wishes);
    let by_objectives = objectives.map(|((a, b), wish)| by_wish(*a, *b, *wish)).find(|order| order.is_ne());
    misses(a).total_cmp(&misses(b)).then(by_objectives.unwrap_or(Ordering::Equal))
}

/// The one first that the wish prefers; what has no value last.
fn by_wish(a: Option<f64>, b: Option<f64>, wish: Wish) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if wish == Wish::Min => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Of those in which all holds (of all, if it holds in none), the ones that no other beats or equals in every objective.
/// They are given from the best to the worst, and come out so.
pub(super) fn front(ranked: &[(Variant, Score)], wishes: &[Wish]) -> Vec<(Variant, Score)> {
    let holding: Vec<&(Variant, Score)> = ranked.iter().filter(|(_, score)| score.holds()).collect();
    let all: Vec<&(Variant, Score)> = if holding.is_empty() { ranked.iter().take(1).collect() } else { holding };
    let beats = |a: &Score, b: &Score| {
        let orders: Vec<Ordering> =
            a.objectives.iter().zip(&b.objectives).zip(wishes).map(|((a, b), wish)| by_wish(*a, *b, *wish)).collect();
        orders.iter().all(|order| order.is_le()) && orders.iter().any(|order| order.is_lt())
    };
    let mut front: Vec<(Variant, Score)> = Vec::new();
    for (variant, score) in &all {
        let beaten = all.iter().any(|(_, other)| beats(other, score));
        let twin = front.iter().any(|(_, other)| other.objectives == score.objectives);
        if !beaten && !twin {
            front.push((variant.clone(), score.clone()));
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(violation: f64, objectives: &[f64]) -> Score {
        let held = usize::from(violation == 0.0);
        Score {
            runs: 1,
            held,
            lines: vec![held],
            violation,
            objectives: objectives.iter().copied().map(Some).collect(),
        }
    }

    #[test]
    fn what_must_hold_comes_before_what_should_be_great() {
        let wishes = [Wish::Max, Wish::Min];
        let ranked =
            [score(0.0, &[9.0, 5.0]), score(0.0, &[9.0, 6.0]), score(0.0, &[8.0, 1.0]), score(0.2, &[99.0, 0.0])];
        for two in ranked.windows(2) {
            assert_eq!(order(&two[0], &two[1], &wishes), Ordering::Less, "{two:?}");
        }
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let all = [[9.0, 9.0], [8.0, 5.0], [7.0, 6.0], [7.0, 1.0], [7.0, 1.0]];
        let ranked: Vec<(Variant, Score)> =
            all.iter().enumerate().map(|(at, of)| (vec![at.to_string()], score(0.0, of))).collect();
        let names: Vec<String> =
            front(&ranked, &[Wish::Max, Wish::Min]).into_iter().map(|(v, _)| v[0].clone()).collect();
        assert_eq!(names, ["0", "1", "3"]);
    }

    #[test]
    fn a_line_that_is_nearly_held_is_less_violated() {
        let within = squall_model::Span::from_secs(2);
        let claim = Claim::Breaker {
            edge: squall_model::plan::EdgeId(0),
            opens: true,
            from: squall_model::SimTime::ZERO,
            within,
        };
        let far = |seconds: f64| violation(&claim, Some(seconds * 1e9));
        assert!(far(2.1) < far(4.0) && far(4.0) < far(20.0) && far(20.0) < violation(&claim, None));
    }
}
