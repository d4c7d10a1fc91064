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
    let reasons = out.map(|line| (line.figure.clone(), likely(plan, line, sim, live)));
    reasons.chain(expected_otherwise(sim, live)).collect()
}

/// Every expectation that held in one world alone, with what was found in both.
fn expected_otherwise(sim: &Report, live: &Report) -> impl Iterator<Item = (String, String)> {
    let pairs = sim.expect.iter().zip(&live.expect).filter(|(a, b)| a.pass != b.pass);
    pairs.map(|(a, b)| {
        let holds = if a.pass { "holds in virtual time alone" } else { "holds over real HTTP alone" };
        (format!("expect {}", a.text), format!("{holds}: {}, and {}", a.actual, b.actual))
    })
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

/// Whether any breaker opened.
fn breakers(report: &Report) -> bool {
    report.calls.iter().any(|(_, call)| call.breaker.as_ref().is_some_and(|breaker| breaker.opened > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::twin::figures::compared;
    use crate::report::text::sample;
    use squall_telemetry::report::{Latency, Live};

    fn reasons(change: impl Fn(&mut Report)) -> Vec<(String, String)> {
        let (plan, sim) = (sample::plan(), sample::healthy());
        let mut live = sample::healthy();
        change(&mut live);
        of(&plan, &compared(&plan, &sim, &live), &sim, &live)
    }

    fn kept(late_ms: f64, doubts: &[&str]) -> Live {
        let l = late_ms;
        let late = Latency { mean: l, p50: l, p90: l, p95: l, p99: l, p999: l, max: l };
        let doubts: Vec<_> = doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
        let doubtful = !doubts.is_empty();
        Live { generator_late_ms: None, timers_late_ms: Some(late), hops_per_s: 1.0, doubtful, doubts }
    }

    #[test]
    fn what_is_known_of_the_run_comes_before_what_is_only_likely() {
        assert_eq!(reasons(|_| ()), []);
        let fail = |live: &mut Report| live.verdict = squall_telemetry::report::Verdict::Fail;
        let otherwise = |live: &mut Report| {
            live.expect[0].pass = false;
            live.expect[0].actual = "70ms".into();
        };
        let (expected, why) = reasons(otherwise).pop().unwrap();
        assert_eq!(expected, "expect checkout p99 < 51ms in healthy");
        assert_eq!(why, "holds in virtual time alone: 50ms, and 70ms");
        let why = |change: &dyn Fn(&mut Report)| reasons(change).pop().unwrap();
        assert!(why(&fail).1.contains("in one world alone"));
        let busy = |live: &mut Report| {
            fail(live);
            live.live = Some(kept(5.0, &[]));
        };
        assert!(why(&busy).1.contains("this machine was busy"));
        let late = |live: &mut Report| {
            fail(live);
            live.live = Some(kept(5.0, &["the load was late"]));
        };
        assert_eq!(why(&late), ("verdict".to_owned(), "the load was late".to_owned()));
    }
}
