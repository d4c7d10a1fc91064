//! One run in a few figures, to hold runs against one another.

use std::time::Instant;

use serde::Serialize;
use squall_model::plan::Plan;
use squall_model::{SimTime, Span};
use squall_telemetry::report::{Load, Report, Verdict, World};
use squall_telemetry::{Recorder, Run, step_for};

use crate::interrupt;

/// How users fared.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Measure {
    /// Whether every expectation held.
    pub(crate) pass: bool,
    /// Answered requests, simpler answers among them, of those offered.
    pub(crate) answered_share: f64,
    /// Simpler answers, of those offered.
    pub(crate) degraded_share: f64,
    /// Answered requests a second, of all loads together.
    pub(crate) goodput_per_s: f64,
    /// The worst p99 of any load's answers, in milliseconds.
    pub(crate) p99_ms: Option<f64>,
    /// Answers that took much longer than they should, of requests offered; at least so many.
    pub(crate) slow_share: f64,
}

impl Measure {
    /// What a report amounts to, where answers that take longer than `slow_ms` are slow.
    pub(crate) fn of(report: &Report, slow_ms: f64) -> Self {
        let system = &report.system;
        let share = |count: u64| if system.offered == 0 { 1.0 } else { count as f64 / system.offered as f64 };
        let worst = |load: &Load| load.latency_ms.map(|latency| latency.p99);
        let p99s = report.load.iter().filter_map(|(_, load)| worst(load));
        Self {
            pass: report.verdict == Verdict::Pass,
            answered_share: share(system.ok + system.degraded),
            degraded_share: share(system.degraded),
            goodput_per_s: report.load.iter().map(|(_, load)| load.goodput_per_s).sum(),
            p99_ms: p99s.reduce(f64::max),
            slow_share: share(report.load.iter().map(|(_, load)| slow(load, slow_ms)).sum()),
        }
    }

    /// What users lost: the share that failed, and half of the share that got less, or got it late.
    pub(crate) fn harm(&self) -> f64 {
        1.0 - self.answered_share + self.degraded_share / 2.0 + self.slow_share / 2.0
    }
}

/// How many answers were slow, by the percentiles that are known: never more than there were.
fn slow(load: &Load, slow_ms: f64) -> u64 {
    let Some(latency) = load.latency_ms else { return 0 };
    let known =
        [(latency.p50, 0.5), (latency.p90, 0.1), (latency.p95, 0.05), (latency.p99, 0.01), (latency.p999, 0.001)];
    let share = known.iter().find(|(ms, _)| *ms > slow_ms).map_or(0.0, |(_, share)| *share);
    (share * (load.ok + load.degraded) as f64) as u64
}

/// Runs a plan; `None` if it was interrupted.
pub(crate) fn run(plan: &Plan) -> Option<Report> {
    let began = Instant::now();
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let ended = squall_engine::run_while(plan, &mut recorder, |_: SimTime| !interrupt::pressed());
    if ended.cut_short {
        return None;
    }
    let recording = recorder.finish(ended.at);
    let wall = Span::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let ran = Run { world: World::Sim, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    Some(Report::new(plan, &recording, &ran))
}
