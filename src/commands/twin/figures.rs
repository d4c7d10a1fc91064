//! What of two reports is held against each other, and how far it may be apart.

use squall_model::plan::{Plan, Source};
use squall_telemetry::report::{Call, Cause, Failures, Load, Report, Transition};

/// Shares of what was offered may differ by this.
const SHARE: f64 = 0.02;
/// Medians may differ by this, in milliseconds, and by this share of the simulated one.
const MEDIAN: (f64, f64) = (2.0, 0.05);
/// As [`MEDIAN`], of percentiles in the tail: few requests decide on them.
const TAIL: (f64, f64) = (5.0, 0.1);
/// Attempts for each call may differ by this.
const ATTEMPTS: f64 = 0.05;
/// Times of events may differ by this, in seconds; events closer than this may change places.
const MOMENT: f64 = 0.3;
/// How long something lasted may differ by this, in seconds, and by this share.
const LENGTH: (f64, f64) = (0.3, 0.05);

/// What kind of figure a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// How many.
    Count,
    /// How long a request took.
    Time,
    /// When something happened, or how long it lasted.
    Moment,
    /// The story and the verdict.
    Whole,
}

/// One figure in both worlds.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) figure: String,
    pub(super) sim: String,
    pub(super) live: String,
    pub(super) difference: String,
    pub(super) tolerance: String,
    pub(super) holds: bool,
    /// Whether the live figure is the greater one.
    pub(super) more: bool,
}

impl Line {
    /// Two numbers, the unit they are in, and how far apart they may be.
    fn of(kind: Kind, figure: String, (sim, live): (f64, f64), unit: &str, tolerance: f64) -> Self {
        let show = |value: f64| if unit.is_empty() { format!("{value:.0}") } else { format!("{value:.2}{unit}") };
        let difference = live - sim;
        Self {
            kind,
            figure,
            sim: show(sim),
            live: show(live),
            difference: if difference > 0.0 { format!("+{}", show(difference)) } else { show(difference) },
            tolerance: if tolerance == 0.0 { "exact".into() } else { format!("±{}", show(tolerance)) },
            holds: difference.abs() <= tolerance,
            more: difference > 0.0,
        }
    }

    /// Two things that are the same or are not.
    fn same(kind: Kind, figure: String, sim: String, live: String, holds: bool) -> Self {
        let difference = if sim == live { "none" } else { "differs" };
        let (difference, tolerance) = (difference.into(), "the same".into());
        Self { kind, figure, sim, live, difference, tolerance, holds, more: false }
    }

    /// Something that may be missing in either world.
    fn of_some(
        kind: Kind,
        figure: String,
        pair: (Option<f64>, Option<f64>),
        unit: &str,
        tolerance: f64,
    ) -> Option<Self> {
        match pair {
            (Some(sim), Some(live)) => Some(Self::of(kind, figure, (sim, live), unit, tolerance)),
            (None, None) => None,
            (sim, live) => {
                let show = |value: Option<f64>| value.map_or("none".into(), |value| format!("{value:.2}{unit}"));
                Some(Self::same(kind, figure, show(sim), show(live), false))
            }
        }
    }
}

/// Every figure that is held against its twin.
pub(super) fn compared(plan: &Plan, sim: &Report, live: &Report) -> Vec<Line> {
    let mut lines = Vec::new();
    for (load, ((name, a), (_, b))) in plan.loads.iter().zip(sim.load.iter().zip(live.load.iter())) {
        lines.extend(of_load(name, matches!(load.source, Source::Open { .. }), a, b));
    }
    for ((name, a), (_, b)) in sim.calls.iter().zip(live.calls.iter()) {
        lines.extend(of_call(name, a, b));
    }
    let workers = |report: &Report| -> Vec<_> {
        let services = report.services.iter().map(|(_, s)| (s.workers.saturated_first_s, s.workers.saturated_s));
        let databases = report.databases.iter();
        services.chain(databases.map(|(_, d)| (d.connections.saturated_first_s, d.connections.saturated_s))).collect()
    };
    let names = sim.services.iter().map(|(name, _)| format!("{name} workers"));
    let names = names.chain(sim.databases.iter().map(|(name, _)| format!("{name} connections")));
    for (name, (a, b)) in names.zip(workers(sim).into_iter().zip(workers(live))) {
        lines.extend(of_saturation(&name, a, b));
    }
    let told = |report: &Report| format!("{} causes", report.causes.len());
    let same = same_story(&sim.causes, &live.causes);
    lines.push(Line::same(Kind::Whole, "what went wrong, in order".into(), told(sim), told(live), same));
    let verdict = |report: &Report| format!("{:?}", report.verdict).to_lowercase();
    let holds = sim.verdict == live.verdict;
    lines.push(Line::same(Kind::Whole, "verdict".into(), verdict(sim), verdict(live), holds));
    lines
}

/// An open loop offers exactly the same; what a closed one offers depends on its answers.
fn of_load(name: &str, open: bool, sim: &Load, live: &Load) -> Vec<Line> {
    let room = (sim.offered as f64 * SHARE).ceil();
    let count = |what: &str, pair: (u64, u64), tolerance| {
        Line::of(Kind::Count, format!("{name} {what}"), (pair.0 as f64, pair.1 as f64), "", tolerance)
    };
    let mut lines = vec![
        count("offered", (sim.offered, live.offered), if open { 0.0 } else { room }),
        count("ok", (sim.ok, live.ok), room),
        count("degraded", (sim.degraded, live.degraded), room),
        count("failed", (sim.failed, live.failed), room),
    ];
    for ((kind, a), (_, b)) in reasons(&sim.failures).into_iter().zip(reasons(&live.failures)) {
        if a + b > 0 {
            lines.push(count(&format!("failed: {kind}"), (a, b), room));
        }
    }
    for (row, (what, (ms, share))) in [("p50", MEDIAN), ("p95", TAIL), ("p99", TAIL)].into_iter().enumerate() {
        let figure = |load: &Load| load.latency_ms.map(|l| [l.p50, l.p95, l.p99][row]);
        let (a, b) = (figure(sim), figure(live));
        let tolerance = ms + share * a.unwrap_or(0.0);
        lines.extend(Line::of_some(Kind::Time, format!("{name} {what}"), (a, b), "ms", tolerance));
    }
    lines
}

const fn reasons(failures: &Failures) -> [(&'static str, u64); 5] {
    [
        ("timeout", failures.timeout),
        ("rejected", failures.rejected),
        ("breaker open", failures.breaker_open),
        ("error", failures.error),
        ("refused", failures.refused),
    ]
}

fn of_call(name: &str, sim: &Call, live: &Call) -> Vec<Line> {
    let attempts = (sim.attempts_per_call, live.attempts_per_call);
    let figure = format!("{name} attempts per call");
    let mut lines: Vec<_> = Line::of_some(Kind::Count, figure, attempts, "×", ATTEMPTS).into_iter().collect();
    let changes = |call: &Call| call.breaker.as_ref().map_or(Vec::new(), |breaker| breaker.transitions.clone());
    let (a, b) = (changes(sim), changes(live));
    let opened = |changes: &[Transition]| changes.iter().find(|t| t.to == "open").map(|t| t.at_s);
    let closed = |changes: &[Transition]| changes.iter().rfind(|t| t.to == "closed").map(|t| t.at_s);
    for (what, pair) in [("first opens", (opened(&a), opened(&b))), ("last closes", (closed(&a), closed(&b)))] {
        lines.extend(Line::of_some(Kind::Moment, format!("{name} breaker {what}"), pair, "s", MOMENT));
    }
    if !(a.is_empty() && b.is_empty()) {
        let (a, b) = (a.len() as f64, b.len() as f64);
        let room = (a * SHARE).ceil().max(2.0);
        lines.push(Line::of(Kind::Count, format!("{name} breaker changes of state"), (a, b), "", room));
    }
    lines
}

/// When all were busy for the first time, and for how long.
fn of_saturation(name: &str, sim: (Option<f64>, f64), live: (Option<f64>, f64)) -> Vec<Line> {
    let first = Line::of_some(Kind::Moment, format!("{name} first all busy"), (sim.0, live.0), "s", MOMENT);
    let mut lines: Vec<_> = first.into_iter().collect();
    if sim.0.is_some() && live.0.is_some() {
        let tolerance = LENGTH.0 + LENGTH.1 * sim.1;
        lines.push(Line::of(Kind::Moment, format!("{name} all busy for"), (sim.1, live.1), "s", tolerance));
    }
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
        assert!(Line::of(Kind::Count, "x".into(), (100.0, 102.0), "", 2.0).holds);
        assert!(!Line::of(Kind::Count, "x".into(), (100.0, 97.9), "", 2.0).holds);
        assert!(!Line::of(Kind::Count, "x".into(), (100.0, 101.0), "", 0.0).holds);
        assert!(Line::of_some(Kind::Count, "x".into(), (Some(1.0), None), "s", 9.0).is_some_and(|line| !line.holds));
        assert_eq!(Line::of_some(Kind::Count, "x".into(), (None, None), "s", 9.0), None);
    }
}
