//! A comparison in one sentence.

use core::fmt::Write as _;

use super::{Change, Comparison, Direction, Verdict};
use crate::figures::Kind;

/// At most so many figures stand in the sentence.
const SAID: usize = 4;

/// What changed, as a person would say it.
pub(super) fn sentence(comparison: &Comparison) -> String {
    let of = |wanted: &dyn Fn(&&Change) -> bool| -> Vec<&Change> { comparison.changes.iter().filter(wanted).collect() };
    let broken = of(&|change| change.breaks.is_some());
    let worse = of(&|change| change.counts && change.direction == Direction::Worse);
    let better = of(&|change| change.counts && change.direction == Direction::Better);
    match comparison.verdict {
        Verdict::Same if comparison.changes.is_empty() => "nothing changed".to_owned(),
        Verdict::Same => "nothing that matters to users changed".to_owned(),
        Verdict::Better if better.is_empty() => format!("better: {}", lines(&comparison.mended, "holds now")),
        Verdict::Better if worse.is_empty() => format!("better: {}", said(&better)),
        Verdict::Better => format!("better: {}; worse: {}", said(&better), said(&worse)),
        Verdict::Worse => format!("a little worse: {}", said(&worse)),
        Verdict::Regressed if broken.is_empty() => format!("worse: {}", lines(&comparison.broken, "no longer holds")),
        Verdict::Regressed if comparison.broken.is_empty() => format!("worse: {}", said(&broken)),
        Verdict::Regressed => {
            format!("worse: {}; {}", said(&broken), lines(&comparison.broken, "no longer holds"))
        }
    }
}

fn lines(lines: &[String], what: &str) -> String {
    match lines {
        [] => String::new(),
        [line] => format!("`{line}` {what}"),
        [line, more @ ..] => format!("`{line}` {what} (and {} more)", more.len()),
    }
}

/// The most important ones, those of one thing together; what users see first.
fn said(changes: &[&Change]) -> String {
    let users: Vec<&&Change> = changes.iter().filter(|change| change.kind == Kind::Load).collect();
    let shown: Vec<&&Change> = if users.is_empty() { changes.iter().collect() } else { users };
    let more = changes.len() - shown.len().min(SAID);
    let mut text = String::new();
    let mut last = "";
    for change in shown.iter().take(SAID) {
        if change.subject == last {
            text.push_str(", ");
        } else {
            text.push_str(if last.is_empty() { "" } else { "; " });
            text.push_str(&change.subject);
            text.push(' ');
            last = &change.subject;
        }
        text.push_str(&moved(change));
    }
    if more > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, "; and {more} more");
    }
    text
}

/// `p99 50ms → 1.64s`
fn moved(change: &Change) -> String {
    let [base, new] = [change.base, change.new].map(|value| match value {
        Some(value) => change.metric.shown(value),
        None => "none".to_owned(),
    });
    format!("{} {base} → {new}", change.metric.word)
}
