//! How far figures of two live runs may differ although nothing has changed: from how their seconds differ, each held
//! against the same second of the other run. Knows nothing of thresholds.
//!
//! Neighbouring seconds are alike, so they are taken together in blocks, and the scatter of the blocks is the measure.
//! Counts are compared block by block against what chance alone would do, widened by how much more than chance the blocks
//! scatter around an effect that is the same in all of them: an outage that is only a third of the run is then seen, and the edges of faults and breakers, which come at
//! slightly different times in each run, widen the interval as they should.

use crate::figures::{Metric, Unit};
use crate::report::LoadSeries;
use crate::stats::{Interval, mean, student_interval, student_quantile};

/// Fewer blocks than this tell nothing of noise.
const FEWEST: usize = 5;

/// The interval of the difference, new less base: of counts as counts, of a time as the logarithm of its ratio. `None`
/// where the runs do not tell.
pub(super) fn interval(metric: &Metric, base: &LoadSeries, new: &LoadSeries, confidence: f64) -> Option<Interval> {
    match metric.unit {
        Unit::Part | Unit::Share | Unit::Rate => {
            let of = part(metric.key)?;
            let whole = |series: &LoadSeries, at: usize| series.offered[at] as f64;
            let steps = base.offered.len().min(new.offered.len());
            let step = |at: usize| {
                let (a, b) = (of(base, at) as f64, of(new, at) as f64);
                if metric.unit == Unit::Rate { rates(a, b) } else { parts([a, b], [whole(base, at), whole(new, at)]) }
            };
            counts(&(0..steps).map(step).collect::<Vec<_>>(), confidence)
        }
        Unit::Milliseconds => {
            let (a, b) = match metric.key {
                "mean_ms" | "p50_ms" => (&base.p50_ms, &new.p50_ms),
                "p90_ms" | "p95_ms" | "p99_ms" => (&base.p99_ms, &new.p99_ms),
                _ => return None,
            };
            let ratio = |(a, b): (&Option<f64>, &Option<f64>)| Some(libm::log(b.as_ref()? / a.as_ref()?));
            let ratios: Vec<f64> = a.iter().zip(b).filter_map(ratio).filter(|ratio| ratio.is_finite()).collect();
            let means: Vec<f64> = blocks(&ratios).filter_map(mean).collect();
            if means.len() < FEWEST { None } else { student_interval(&means, confidence) }
        }
        _ => None,
    }
}

/// The counts over time that a share or rate is made of.
fn part(key: &str) -> Option<fn(&LoadSeries, usize) -> u64> {
    Some(match key {
        "ok" => |series, at| series.ok[at],
        "degraded" => |series, at| series.degraded[at],
        "failed" => |series, at| series.failed[at],
        "goodput_per_s" | "success_share" => |series, at| series.ok[at] + series.degraded[at],
        _ => return None,
    })
}

/// How far the new count is from what it should be if nothing has changed, and the variance of that.
type Step = (f64, f64);

/// Two counts of independent events.
fn rates(base: f64, new: f64) -> Step {
    (new - base, new + base)
}

/// Two parts of two wholes: the hypergeometric distribution, as in the test of Cochran, Mantel and Haenszel.
fn parts([base, new]: [f64; 2], [base_whole, new_whole]: [f64; 2]) -> Step {
    let (all, whole) = (base + new, base_whole + new_whole);
    if base_whole < 1.0 || new_whole < 1.0 || whole < 2.0 {
        return (0.0, 0.0);
    }
    let expected = all * new_whole / whole;
    let variance = expected * (base_whole / whole) * (whole - all).max(0.0) / (whole - 1.0);
    // The difference of the two counts is twice as far from nothing as the new one is from what it should be.
    (2.0 * (new - expected), 4.0 * variance)
}

fn counts(steps: &[Step], confidence: f64) -> Option<Interval> {
    let sum = |block: &[Step]| block.iter().fold((0.0, 0.0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
    let blocks: Vec<Step> = blocks(steps).map(sum).filter(|(_, variance)| *variance > 0.0).collect();
    if blocks.len() < FEWEST {
        return None;
    }
    let (distance, variance) = sum(&blocks);
    let effect = distance / variance;
    let scatter =
        blocks.iter().map(|(distance, variance)| square(distance - effect * variance) / variance).sum::<f64>();
    let degrees = (blocks.len() - 1) as f64;
    let more_than_chance = (scatter / degrees).max(1.0);
    let quantile = student_quantile(1.0 - (1.0 - confidence) / 2.0, degrees);
    let half = quantile * (variance * more_than_chance).sqrt();
    Some(Interval { low: distance - half, high: distance + half })
}

/// Blocks of about the square root of the length; a last one that is shorter is left out.
fn blocks<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let length = (all.len() as f64).sqrt().ceil() as usize;
    all.chunks_exact(length.max(1))
}

fn square(value: f64) -> f64 {
    value * value
}
