//! What pipelines read: a JUnit file, annotations for GitHub Actions, a summary in Markdown. Text out; opens no file.

pub(crate) mod github;
pub(crate) mod junit;
pub(crate) mod markdown;

use squall_telemetry::compare::{Comparison, SettingChange, Verdict};
use squall_telemetry::report::{Expectation, Report};

/// One topology that was run or compared.
pub(crate) struct Case<'c> {
    /// The path of its file; `None` for a built-in one.
    pub(crate) file: Option<&'c str>,
    /// The topology's name.
    pub(crate) name: &'c str,
    /// The run; `None` where only a comparison was asked for.
    pub(crate) report: Option<&'c Report>,
    /// The line of each expectation.
    pub(crate) lines: Vec<Option<usize>>,
    /// What it was held against.
    pub(crate) comparison: Option<&'c Comparison>,
    /// The line of the first setting that differs.
    pub(crate) changed_at: Option<usize>,
}

impl Case<'_> {
    /// Every expectation with its line.
    fn expectations(&self) -> impl Iterator<Item = (&Expectation, Option<usize>)> {
        let all = self.report.map(|report| report.expect.as_slice()).unwrap_or_default();
        all.iter().enumerate().map(|(at, line)| (line, self.lines.get(at).copied().flatten()))
    }

    /// The comparison, if it failed.
    fn regression(&self) -> Option<&Comparison> {
        self.comparison.filter(|comparison| comparison.verdict == Verdict::Regressed)
    }

    /// Whether everything held.
    pub(crate) fn passed(&self) -> bool {
        self.regression().is_none() && self.expectations().all(|(line, _)| line.pass)
    }
}

/// `services.order.workers: 50 → 5`; of many the first three.
pub(crate) fn settings(changes: &[SettingChange]) -> String {
    const SHOWN: usize = 3;
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    let one = |change: &SettingChange| format!("{}: {} → {}", change.path, value(&change.base), value(&change.new));
    let mut all: Vec<String> = changes.iter().take(SHOWN).map(one).collect();
    if changes.len() > SHOWN {
        all.push(format!("and {} more", changes.len() - SHOWN));
    }
    all.join(", ")
}
