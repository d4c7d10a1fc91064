//! `squall twin`: the same file in both worlds, and whether they tell the same story.

use std::io;

use squall_model::plan::{Plan, Source};
use squall_telemetry::report::{Cause, Load, Report};

use crate::cli::Twin;
use crate::commands::run::in_virtual_time;
use crate::exit::Exit;
use crate::live;
use crate::output;
use crate::topologies::Topology;

/// Shares of what was offered may differ by this.
const SHARE: f64 = 0.02;
/// Medians may differ by this, in milliseconds, and by this share of the simulated one.
const MEDIAN: (f64, f64) = (2.0, 0.05);
/// Times of events may differ by this, in seconds; events closer than this may change places.
const MOMENT: f64 = 0.3;

/// Runs both and compares.
pub(crate) fn run(twin: &Twin) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&twin.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&twin.overrides)? else { return Ok(Exit::Wrong) };
    let (sim, interrupted) = in_virtual_time(&plan);
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    let stormed = match live::storm(&plan, twin.base_port) {
        Ok(stormed) => stormed,
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let live = Report::new(&plan, &stormed.recording, &stormed.run);
    let lines = compared(&plan, &sim, &live);
    output::result(&table(&lines))?;
    Ok(match lines.iter().all(Line::holds) {
        _ if stormed.cut_short => Exit::Interrupted,
        true => Exit::Held,
        false => Exit::Failed,
    })
}

/// One figure in both worlds.
#[derive(Clone, PartialEq, Debug)]
struct Line {
    figure: String,
    sim: String,
    live: String,
    difference: String,
    tolerance: String,
    holds: bool,
}

impl Line {
    const fn holds(&self) -> bool {
        self.holds
    }

    /// Two numbers, the unit they are in, and how far apart they may be.
    fn of(figure: String, (sim, live): (f64, f64), unit: &str, tolerance: f64) -> Self {
        let show = |value: f64| if unit.is_empty() { format!("{value:.0}") } else { format!("{value:.2}{unit}") };
        let difference = live - sim;
        Self {
            figure,
            sim: show(sim),
            live: show(live),
            difference: if difference > 0.0 { format!("+{}", show(difference)) } else { show(difference) },
            tolerance: if tolerance == 0.0 { "exact".into() } else { format!("±{}", show(tolerance)) },
            holds: difference.abs() <= tolerance,
        }
    }

    /// Two things that are the same or are not.
    fn same(figure: String, sim: String, live: String, holds: bool) -> Self {
        let difference = if sim == live { "none" } else { "differs" };
        Self { figure, sim, live, difference: difference.into(), tolerance: "the same".into(), holds }
    }

    /// Something that may be missing in either world.
    fn of_some(figure: String, pair: (Option<f64>, Option<f64>), unit: &str, tolerance: f64) -> Option<Self> {
        match pair {
            (Some(sim), Some(live)) => Some(Self::of(figure, (sim, live), unit, tolerance)),
            (None, None) => None,
            (sim, live) => {
                let show = |value: Option<f64>| value.map_or("none".into(), |value| format!("{value:.2}{unit}"));
                Some(Self::same(figure, show(sim), show(live), false))
            }
        }
    }
}

/// Every figure that is held against its twin.
fn compared(plan: &Plan, sim: &Report, live: &Report) -> Vec<Line> {
    let mut lines = Vec::new();
    for (load, ((name, a), (_, b))) in plan.loads.iter().zip(sim.load.iter().zip(live.load.iter())) {
        lines.extend(of_load(name, matches!(load.source, Source::Open { .. }), a, b));
    }
    for ((name, a), (_, b)) in sim.calls.iter().zip(live.calls.iter()) {
        let opened = |call: &squall_telemetry::report::Call| {
            call.breaker.as_ref().and_then(|b| b.transitions.iter().find(|t| t.to == "open").map(|t| t.at_s))
        };
        lines.extend(Line::of_some(format!("{name} breaker first opens"), (opened(a), opened(b)), "s", MOMENT));
    }
    let told = |report: &Report| format!("{} causes", report.causes.len());
    lines.push(Line::same(
        "what went wrong, in order".into(),
        told(sim),
        told(live),
        same_story(&sim.causes, &live.causes),
    ));
    let verdict = |report: &Report| format!("{:?}", report.verdict).to_lowercase();
    let holds = sim.verdict == live.verdict;
    lines.push(Line::same("verdict".into(), verdict(sim), verdict(live), holds));
    lines
}

/// An open loop offers exactly the same; what a closed one offers depends on its answers.
fn of_load(name: &str, open: bool, sim: &Load, live: &Load) -> Vec<Line> {
    let room = (sim.offered as f64 * SHARE).ceil();
    let count = |what: &str, pair: (u64, u64), tolerance| {
        Line::of(format!("{name} {what}"), (pair.0 as f64, pair.1 as f64), "", tolerance)
    };
    let median = |load: &Load| load.latency_ms.map(|latency| latency.p50);
    let (a, b) = (median(sim), median(live));
    let mut lines = vec![
        count("offered", (sim.offered, live.offered), if open { 0.0 } else { room }),
        count("ok", (sim.ok, live.ok), room),
        count("degraded", (sim.degraded, live.degraded), room),
        count("failed", (sim.failed, live.failed), room),
    ];
    let tolerance = MEDIAN.0 + MEDIAN.1 * a.unwrap_or(0.0);
    lines.extend(Line::of_some(format!("{name} p50"), (a, b), "ms", tolerance));
    lines
}

/// Whether both tell of the same things, in the same order as far as they are apart.
fn same_story(sim: &[Cause], live: &[Cause]) -> bool {
    let found = sim.iter().map(|cause| {
        live.iter()
            .find(|other| (other.kind, &other.subject) == (cause.kind, &cause.subject))
            .map(|other| (cause.at_s, other.at_s))
    });
    let Some(pairs) = found.collect::<Option<Vec<_>>>() else { return false };
    let ordered = |(at, (sim_a, live_a)): (usize, &(f64, f64))| {
        pairs[at + 1..].iter().all(|(sim_b, live_b)| sim_b - sim_a <= MOMENT || live_b >= live_a)
    };
    sim.len() == live.len() && pairs.iter().enumerate().all(ordered)
}

fn table(lines: &[Line]) -> String {
    let head = ["figure", "virtual time", "real HTTP", "difference", "tolerance"].map(str::to_owned);
    let cells =
        |line: &Line| [&line.figure, &line.sim, &line.live, &line.difference, &line.tolerance].map(String::clone);
    let rows: Vec<_> = std::iter::once((' ', head)).chain(lines.iter().map(|l| (mark(l), cells(l)))).collect();
    let mut widths = [0; 5];
    for (_, row) in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |(mark, row): &(char, [String; 5])| {
        let first = format!("{mark} {:<width$}", row[0], width = widths[0]);
        let rest: Vec<_> = (1..5).map(|i| format!("  {:>width$}", row[i], width = widths[i])).collect();
        format!("{first}{}\n", rest.concat())
    };
    rows.iter().map(line).collect::<Vec<_>>().concat()
}

const fn mark(line: &Line) -> char {
    if line.holds { '✓' } else { '✗' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_telemetry::report::CauseKind;

    fn story(causes: &[(f64, &str)]) -> Vec<Cause> {
        let cause = |(at_s, subject): &(f64, &str)| Cause {
            at_s: *at_s,
            what: String::new(),
            kind: CauseKind::Saturated,
            subject: (*subject).into(),
            because: None,
        };
        causes.iter().map(cause).collect()
    }

    #[test]
    fn a_story_is_the_same_if_what_is_apart_keeps_its_order() {
        let sim = story(&[(1.0, "a"), (1.2, "b"), (3.0, "c")]);
        let table: [(&[(f64, &str)], bool); 5] = [
            (&[(1.1, "a"), (1.3, "b"), (2.9, "c")], true),
            (&[(1.1, "b"), (1.2, "a"), (2.9, "c")], true),
            (&[(1.1, "a"), (1.3, "c"), (2.9, "b")], false),
            (&[(1.1, "a"), (1.3, "b")], false),
            (&[(1.1, "a"), (1.3, "b"), (2.9, "c"), (4.0, "d")], false),
        ];
        for (live, same) in table {
            assert_eq!(same_story(&sim, &story(live)), same, "{live:?}");
        }
    }

    #[test]
    fn a_figure_holds_up_to_its_tolerance_and_not_beyond() {
        assert!(Line::of("x".into(), (100.0, 102.0), "", 2.0).holds);
        assert!(!Line::of("x".into(), (100.0, 97.9), "", 2.0).holds);
        assert!(!Line::of("x".into(), (100.0, 101.0), "", 0.0).holds);
        assert!(Line::of_some("x".into(), (Some(1.0), None), "s", 9.0).is_some_and(|line| !line.holds));
        assert_eq!(Line::of_some("x".into(), (None, None), "s", 9.0), None);
    }
}
