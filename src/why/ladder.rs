//! Runs of one system under constant open load, one after another or side by side: what both `isolate` and `capacity` climb.

use squall_model::plan::{Arrivals, Phases, Plan, Source, Stage};
use squall_model::{SimTime, Span};

/// The plan without faults, phases and expectations, under load alone.
pub(crate) fn bare(plan: &Plan, (duration, warmup): (Span, Span)) -> Plan {
    let mut bare = plan.clone();
    let at = |span: Span| SimTime::ZERO + span;
    bare.faults.clear();
    bare.expect.clear();
    (bare.duration, bare.warmup) = (duration, warmup);
    bare.phases = Phases::new(Vec::new(), at(warmup), at(duration));
    bare
}

/// Makes a load an open one that goes through these rates a second, each for `hold`.
pub(crate) fn offer(plan: &mut Plan, load: usize, (rates, hold): (&[f64], Span)) {
    let stage = |(index, rate): (usize, &f64)| {
        let from = SimTime::ZERO + hold * index as u64;
        Stage { from, to: from + hold, rate_from: *rate, rate_to: *rate }
    };
    let stages = rates.iter().enumerate().map(stage).collect();
    plan.loads[load].source = Source::Open { stages, arrivals: Arrivals::Poisson };
}

/// To three digits that matter.
pub(crate) fn rounded(figure: f64) -> f64 {
    if figure <= 0.0 {
        return figure;
    }
    let unit = 10f64.powf(figure.log10().floor() - 2.0);
    let rounded = (figure / unit).round() * unit;
    (rounded * 1e6).round() / 1e6
}
