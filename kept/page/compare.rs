//! Two runs on one page: what was changed and what came of it, told as the terminal tells it.

use serde::Serialize;
use squall_telemetry::compare::{Change, Comparison, Direction, SettingChange};

/// A comparison as the page shows it.
#[derive(Serialize)]
pub(super) struct Told<'c> {
    sentence: &'c str,
    settings: &'c [SettingChange],
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

impl<'c> From<&'c Comparison> for Told<'c> {
    fn from(found: &'c Comparison) -> Self {
        Self {
            sentence: &found.sentence,
            settings: &found.settings,
            broken: &found.broken,
            mended: &found.mended,
            changes: found.changes.iter().filter(|change| change.counts).map(One::from).collect(),
        }
    }
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
