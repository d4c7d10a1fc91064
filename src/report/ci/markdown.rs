//! A summary in Markdown, as the step summary of GitHub Actions and merge requests of GitLab show it.

use squall_telemetry::compare::{Change, Direction};
use squall_telemetry::sentence;

use super::{Case, settings};

/// At most so many changed figures of a topology are listed.
const LISTED: usize = 12;

/// The summary of all cases.
pub(crate) fn render(cases: &[Case<'_>]) -> String {
    let passed = cases.iter().filter(|case| case.passed()).count();
    let mut out = format!("## squall: {passed} of {} passed\n\n", cases.len());
    out += "| | topology | what happened |\n|---|---|---|\n";
    for case in cases {
        let mark = if case.passed() { "✅" } else { "❌" };
        out += &format!("| {mark} | `{}` | {} |\n", case.name, cell(&story(case)));
    }
    for case in cases {
        out += &failures(case);
        out += &changes(case);
    }
    out
}

fn story(case: &Case<'_>) -> String {
    match (case.regression(), case.report) {
        (Some(comparison), _) => comparison.sentence.clone(),
        (None, Some(report)) => sentence::of(report),
        (None, None) => case.comparison.map(|comparison| comparison.sentence.clone()).unwrap_or_default(),
    }
}

fn failures(case: &Case<'_>) -> String {
    let failed: Vec<_> = case.expectations().filter(|(line, _)| !line.pass).collect();
    if failed.is_empty() {
        return String::new();
    }
    let place = |line: Option<usize>| match (case.file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_owned(),
        (None, _) => String::new(),
    };
    let row = |(line, at): &(&squall_telemetry::report::Expectation, Option<usize>)| {
        format!("| `{}` | {} | {} |\n", cell(&line.text), cell(&line.actual), place(*at))
    };
    let rows: String = failed.iter().map(row).collect();
    format!("\n### {}: expectations that failed\n\n| expected | found | where |\n|---|---|---|\n{rows}", case.name)
}

fn changes(case: &Case<'_>) -> String {
    let Some(comparison) = case.comparison else { return String::new() };
    let counted: Vec<&Change> = comparison.changes.iter().filter(|change| change.counts).collect();
    if counted.is_empty() {
        return String::new();
    }
    let mut out = format!("\n### {}: what changed\n\n", case.name);
    if !comparison.settings.is_empty() {
        out += &format!("Settings: {}\n\n", cell(&settings(&comparison.settings)));
    }
    out += "| | figure | before | now |\n|---|---|---:|---:|\n";
    let value = |change: &Change, value: Option<f64>| value.map_or("–".into(), |value| change.metric.shown(value));
    for change in counted.iter().take(LISTED) {
        let mark = match (change.breaks.is_some(), change.direction) {
            (true, _) => "❌",
            (_, Direction::Better) => "better",
            (_, Direction::Worse) => "worse",
            (_, Direction::Neutral) => "",
        };
        let [base, new] = [change.base, change.new].map(|of| value(change, of));
        out += &format!("| {mark} | {} {} | {base} | {new} |\n", cell(&change.subject), change.metric.word);
    }
    if counted.len() > LISTED {
        out += &format!("\nand {} more\n", counted.len() - LISTED);
    }
    out
}

/// Text that does not end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
