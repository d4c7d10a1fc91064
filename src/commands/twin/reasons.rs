//! Why a figure may differ between the worlds: what is likely, from what else is known of the live run.

use squall_model::plan::{Plan, Source};
use squall_telemetry::format;
use squall_telemetry::report::Report;

use super::figures::{Kind, Line};

/// Timers later than this show in what they time, in milliseconds.
const LATE_MS: f64 = 1.0;

/// Every figure out of tolerance, with its likely reason.
pub(super) fn of(plan: &Plan, lines: &[Line], sim: &Report, live: &Report) -> Vec<(String, String)> {
    let out = lines.iter().filter(|line| !line.holds);
    out.map(|line| (line.figure.clone(), likely(plan, line, sim, live))).collect()
}

fn likely(plan: &Plan, line: &Line, sim: &Report, live: &Report) -> String {
    let kept = live.live.as_ref();
    if let Some(doubt) = kept.and_then(|kept| kept.doubts.first()) {
        return doubt.clone();
    }
    if let Some(late) = kept.and_then(|kept| kept.timers_late_ms).filter(|late| late.p99 > LATE_MS) {
        let late = format::duration(late.p99 * 1e6);
        return format!("this machine was busy with other things: 1% of all delays ended {late} late or more");
    }
    let refused = |report: &Report| report.load.iter().map(|(_, load)| load.failures.refused).sum::<u64>();
    match line.kind {
        Kind::Count if refused(live) > refused(sim) => {
            "connections were refused that should not have been: the machine ran out of something".into()
        }
        Kind::Count | Kind::Moment if breakers(live) => {
            "a breaker near its threshold: a call that ends a moment later decides otherwise, and all that follows with it"
                .into()
        }
        Kind::Count if plan.loads.iter().any(|load| matches!(load.source, Source::Closed { .. })) => {
            "users of a closed loop ask when they have been answered: what is a little later each time adds up".into()
        }
        Kind::Time if line.more => {
            "a hop over real HTTP takes some tens of microseconds that the file does not mention; near saturation a queue multiplies them"
                .into()
        }
        Kind::Whole => "something happened in one world alone, or more than 0.3s earlier or later: see the figures above".into(),
        _ => "near a limit (a timeout, a full pool) a little time decides which side a request falls on".into(),
    }
}

/// Whether any breaker changed its state.
fn breakers(report: &Report) -> bool {
    report.calls.iter().any(|(_, call)| call.breaker.as_ref().is_some_and(|breaker| breaker.opened > 0))
}
