//! What happened, in one sentence.

use crate::format;
use crate::report::{Cause, CauseKind, Report, System};

/// What became of the requests, what ran out or gave way in which order, and how it ended.
pub fn of(report: &Report) -> String {
    let outcome = outcome(&report.system);
    let story: Vec<String> =
        [ran_out(report), storms(report), breakers(report), ending(report)].into_iter().flatten().collect();
    if story.is_empty() { outcome } else { format!("{outcome}; {}", story.join("; ")) }
}

fn outcome(system: &System) -> String {
    let System { offered, degraded, failed, in_flight, .. } = *system;
    let all = format::count(offered);
    let share = |part: u64| format::share(part as f64 / offered as f64);
    match (offered, failed, in_flight, degraded) {
        (0, ..) => "nothing was asked".to_owned(),
        (_, 0, 0, 0) => format!("all {all} requests were answered"),
        (_, 0, 0, _) => format!("no request failed, {} of {all} were degraded", share(degraded)),
        (_, 0, ..) => format!("{} of {all} requests had no answer by the end", share(in_flight)),
        _ => format!("{} of {all} requests failed", share(failed)),
    }
}

/// The names of what these causes happened to, in order, each once.
fn subjects(report: &Report, which: impl Fn(&Cause) -> bool) -> Vec<&str> {
    let mut names = Vec::new();
    for cause in report.causes.iter().filter(|cause| which(cause)) {
        if !names.contains(&cause.subject.as_str()) {
            names.push(cause.subject.as_str());
        }
    }
    names
}

fn ran_out(report: &Report) -> Option<String> {
    let full = |kind: &Cause| kind.kind == CauseKind::Saturated;
    let is_database = |name: &str| report.databases.find(name).is_some();
    let databases = subjects(report, |cause| full(cause) && is_database(&cause.subject));
    let services = subjects(report, |cause| full(cause) && !is_database(&cause.subject));
    let all = [(databases, "connections"), (services, "workers")];
    let texts = all.iter().filter(|(names, _)| !names.is_empty());
    let texts: Vec<_> = texts.map(|(names, of)| format!("{} ran out of {of}", in_turn(names))).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// `order, then gateway`; of many, the first and the last.
fn in_turn(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 4 => format!("{first}, then {} more, at last {last}", names.len() - 2),
        _ => names.join(", then "),
    }
}

fn storms(report: &Report) -> Option<String> {
    let storms = subjects(report, |cause| cause.kind == CauseKind::RetryStorm);
    storms.first().map(|call| format!("retries outnumbered first attempts ({call})"))
}

fn breakers(report: &Report) -> Option<String> {
    let opened = subjects(report, |cause| cause.kind == CauseKind::BreakerOpened);
    match opened.as_slice() {
        [] => None,
        [one] => Some(format!("the breaker of {one} opened")),
        several => Some(format!("{} breakers opened", several.len())),
    }
}

fn ending(report: &Report) -> Option<String> {
    let ending =
        report.causes.iter().rfind(|cause| matches!(cause.kind, CauseKind::Recovered | CauseKind::NeverRecovered))?;
    Some(match ending.kind {
        CauseKind::Recovered => format!("recovered at {}", format::at(ending.at_s)),
        _ => "it never recovered".to_owned(),
    })
}
