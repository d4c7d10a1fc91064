//! Two runs on one page: what was changed and what came of it, told as the terminal tells it.

use serde::Serialize;
use similar::TextDiff;
use squall_telemetry::compare::{Change, Comparison, Direction, SettingChange};
use squall_telemetry::report::{Report, Source};

/// A comparison as the page shows it.
#[derive(Serialize)]
pub(super) struct Told<'c> {
    sentence: &'c str,
    settings: &'c [SettingChange],
    /// How the files differ, line by line; nothing where they do not, or where one is not known.
    diff: String,
    broken: &'c [String],
    mended: &'c [String],
    changes: Vec<One<'c>>,
}

/// A figure that changed.
#[derive(Serialize)]
struct One<'c> {
    subject: &'c str,
    metric: &'static str,
    base: Option<Figure>,
    new: Option<Figure>,
    direction: Direction,
    breaks: Option<&'c str>,
}

/// A value, and how it is written.
#[derive(Serialize)]
struct Figure {
    value: f64,
    text: String,
}

impl<'c> Told<'c> {
    /// A comparison of these two runs, among others perhaps.
    pub(super) fn of(found: &'c Comparison, runs: [&Report; 2]) -> Self {
        Self {
            sentence: &found.sentence,
            settings: &found.settings,
            diff: diff(runs.map(|run| run.source.as_ref())),
            broken: &found.broken,
            mended: &found.mended,
            changes: found.changes.iter().filter(|change| change.counts).map(One::from).collect(),
        }
    }
}

/// A unified diff of the files that were run.
fn diff(sources: [Option<&Source>; 2]) -> String {
    let [Some(base), Some(new)] = sources else { return String::new() };
    let lines = TextDiff::from_lines(&base.topology, &new.topology);
    lines.unified_diff().context_radius(3).header(&base.file, &new.file).to_string()
}

impl<'c> From<&'c Change> for One<'c> {
    fn from(change: &'c Change) -> Self {
        let figure = |value: Option<f64>| value.map(|value| Figure { value, text: change.metric.shown(value) });
        Self {
            subject: &change.subject,
            metric: change.metric.word,
            base: figure(change.base),
            new: figure(change.new),
            direction: change.direction,
            breaks: change.breaks.as_deref(),
        }
    }
}
