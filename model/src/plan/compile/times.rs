//! Times of the file as entries of the plan's tables, each written once.

use squall_policies::Span;

use super::Compiler;
use crate::dist::Dist;
use crate::plan::{LaneId, Time, TimeId};
use crate::spec;

impl Compiler<'_> {
    /// The table entry of a time.
    pub(super) fn time(&mut self, written: &spec::Dist) -> TimeId {
        let dist = distribution(written);
        if let Some(known) = self.plan.times.iter().position(|time| time.dist == dist) {
            return TimeId::from(known);
        }
        let lane = dist.constant().map(|span| self.lane(span));
        self.plan.times.push(Time { dist, lane });
        TimeId::from(self.plan.times.len() - 1)
    }

    /// The table entry of a time that does not vary.
    pub(super) fn constant(&mut self, span: Span) -> TimeId {
        self.time(&spec::Dist::Constant(span))
    }

    /// The lane of delays that are always this long.
    pub(super) fn lane(&mut self, span: Span) -> LaneId {
        let next = LaneId::from(self.plan.lanes.len());
        *self.lanes.entry(span).or_insert_with(|| {
            self.plan.lanes.push(span);
            next
        })
    }
}

fn ns(span: Span) -> f64 {
    span.as_nanos() as f64
}

pub(super) fn distribution(written: &spec::Dist) -> Dist {
    match *written {
        spec::Dist::Constant(span) => Dist::Constant(span),
        spec::Dist::Uniform { low, high } => Dist::Uniform { from: ns(low), to: ns(high) },
        spec::Dist::Exponential { mean } => Dist::Exponential { mean: ns(mean) },
        spec::Dist::Normal { mean, deviation } => Dist::Normal { mean: ns(mean), sd: ns(deviation) },
        spec::Dist::Lognormal { p50, p99 } => Dist::lognormal(ns(p50), ns(p99)),
        spec::Dist::Pareto { minimum, alpha } => Dist::Pareto { minimum: ns(minimum), inverse_alpha: 1.0 / alpha },
        spec::Dist::Erlang { shape, mean } => Dist::Erlang { shape, mean: ns(mean) },
        spec::Dist::Bimodal { usual, rare, share } => Dist::Bimodal { usual, rare, share },
        spec::Dist::Percentiles(ref points) => Dist::Percentiles(whole_range(points)),
        spec::Dist::Empirical(ref samples) => Dist::Empirical(samples.values.clone()),
    }
}

/// The points from share 0 to share 1: below the first the time falls to zero in a straight line, above the last it
/// stays.
fn whole_range(points: &[(f64, Span)]) -> Vec<(f64, f64)> {
    let first = points.first().filter(|(share, _)| *share > 0.0).map(|_| (0.0, 0.0));
    let last = points.last().filter(|(share, _)| *share < 1.0).map(|(_, span)| (1.0, ns(*span)));
    first.into_iter().chain(points.iter().map(|(share, span)| (*share, ns(*span)))).chain(last).collect()
}
