//! What a search has found, for a terminal: whether all holds, the settings, each goal before and after, the Pareto front,
//! how robust it is, and the change to the file.

use anstyle::{AnsiColor, Style};
use squall_model::spec::Wish;
use squall_telemetry::format;

use crate::sweep::Sweep;
use crate::sweep::column::Column;
use crate::sweep::design::Variant;
use crate::tune::robust::Trials;
use crate::tune::{Found, Score};

/// So many points of the front are shown.
const FRONT: usize = 10;

/// Everything that is told.
pub(crate) struct Told<'t> {
    /// What was searched.
    pub(crate) sweep: &'t Sweep,
    /// What was found.
    pub(crate) found: &'t Found,
    /// How it stands in other worlds.
    pub(crate) robust: &'t [Trials],
    /// The winner as overrides.
    pub(crate) sets: &'t [(String, String)],
    /// The change to the file, if it can be made.
    pub(crate) difference: Option<&'t str>,
}

/// The text.
pub(crate) fn render(told: &Told<'_>) -> String {
    let Some((winner, best)) = told.found.finalists.first() else { return String::new() };
    let (good, bad, bold) = (AnsiColor::Green, AnsiColor::BrightRed, Style::new().bold());
    let runs = format::count(told.found.runs as u64);
    let (word, style, what) = if best.holds() {
        let lines = told.sweep.lines.len();
        let all = if lines == 0 {
            "nothing has to hold".to_owned()
        } else {
            format!("all {lines} lines hold with every seed")
        };
        ("FOUND", good.on_default().bold(), all)
    } else {
        ("NOT FOUND", bad.on_default().bold(), format!("the nearest holds with {} of {} seeds", best.held, best.runs))
    };
    let mut out = format!("{style}{word}{style:#}  {bold}{what}{bold:#} ({runs} runs)\n");
    out += &settings(told);
    out += &goals(told, best);
    out += &front(told, winner);
    out += &robust(told);
    if let Some(difference) = told.difference {
        return out + &format!("\n{}", painted(difference));
    }
    let sets: Vec<String> = told.sets.iter().map(|(path, value)| format!("--set '{path}={value}'")).collect();
    out += &format!("\nto try it: {}\n", sets.join(" "));
    out
}

fn settings(told: &Told<'_>) -> String {
    let written = told.sweep.topology.settings();
    let mut rows = vec![["setting", "was", "is"].map(str::to_owned)];
    for (path, value) in told.sets {
        let was = written.iter().find(|setting| setting.path == *path).map(|setting| setting.value.clone());
        rows.push([path.clone(), was.unwrap_or_else(|| "not set".to_owned()), value.clone()]);
    }
    table(&rows, &[])
}

/// Every goal, as the file is and as it would be.
fn goals(told: &Told<'_>, best: &Score) -> String {
    let before = &told.found.before;
    let mut rows = vec![["goal", "as it is", "tuned"].map(str::to_owned)];
    let mut marks = vec![None];
    for (at, goal) in objectives(told.sweep).into_iter().enumerate() {
        let shown = |score: &Score| value(told.sweep, at, score.objectives.get(at).copied().flatten());
        rows.push([goal.to_owned(), shown(before), shown(best)]);
        marks.push(None);
    }
    for (at, line) in told.sweep.lines.iter().enumerate() {
        let shown = |score: &Score| match score.lines.get(at) {
            Some(held) if *held == score.runs => "holds".to_owned(),
            Some(0) | None => "fails".to_owned(),
            Some(held) => format!("holds in {held} of {}", score.runs),
        };
        rows.push([line.clone(), shown(before), shown(best)]);
        marks.push(Some(best.lines.get(at) == Some(&best.runs)));
    }
    table(&rows, &marks)
}

fn front(told: &Told<'_>, winner: &Variant) -> String {
    let goals = objectives(told.sweep);
    if told.found.front.len() < 2 {
        return String::new();
    }
    let bold = Style::new().bold();
    let last =
        |path: &str| path.rsplit('.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".");
    let head = told.sweep.axes.iter().map(|axis| last(&axis.path)).chain(goals.iter().map(|goal| (*goal).to_owned()));
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    // Many points of a front are alike: some that are spread over all of it.
    let all = &told.found.front;
    let step = all.len().div_ceil(FRONT).max(1);
    for (variant, score) in all.iter().enumerate().filter(|(at, _)| at % step == 0).map(|(_, point)| point) {
        let values = (0..goals.len()).map(|at| value(told.sweep, at, score.objectives.get(at).copied().flatten()));
        let mut row: Vec<String> = variant.iter().cloned().chain(values).collect();
        if variant == winner {
            row[0] = format!("★ {}", row[0]);
        }
        rows.push(row);
    }
    format!("\n{bold}Pareto front{bold:#} ({} points that nothing beats in every goal)\n{}", all.len(), right(&rows))
}

fn robust(told: &Told<'_>) -> String {
    if told.robust.is_empty() {
        return String::new();
    }
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let mut out = format!("\n{bold}How robust it is{bold:#}\n");
    let widest = told.robust.iter().map(|trials| trials.what.len()).max().unwrap_or(0);
    for trials in told.robust {
        let goals = (0..trials.objectives.len()).map(|at| value(told.sweep, at, trials.objectives[at]));
        let goals = goals.collect::<Vec<_>>().join(", ");
        let held = format!("holds in {} of {}", trials.held, trials.runs);
        out += &format!("  {:<widest$}  {held:<18}  {faint}{goals}{faint:#}\n", trials.what);
    }
    out
}

/// The goals that are figures, as typed.
fn objectives(sweep: &Sweep) -> Vec<&str> {
    sweep.goals.iter().filter(|goal| goal.wish != Wish::Hold).map(|goal| goal.expectation.text.as_str()).collect()
}

/// A value of the figure number `at` among the goals, as a person writes it.
fn value(sweep: &Sweep, at: usize, value: Option<f64>) -> String {
    let columns: Vec<&Column> = sweep.columns.iter().filter(|column| column.is_goal()).collect();
    // Columns of goals stand in the order from the last to the first.
    let column = columns.len().checked_sub(at + 1).and_then(|at| columns.get(at));
    match (column, value) {
        (Some(column), Some(value)) => column.shown_raw(value),
        _ => "–".to_owned(),
    }
}

fn table(rows: &[[String; 3]], marks: &[Option<bool>]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let (faint, good, bad) = (Style::new().dimmed(), AnsiColor::Green.on_default(), AnsiColor::BrightRed.on_default());
    let mut out = String::from("\n");
    for (at, row) in rows.iter().enumerate() {
        let [a, b, c] = widths;
        let line = format!("{:<a$}  {:>b$}  {:>c$}", row[0], row[1], row[2]);
        out += &match marks.get(at).copied().flatten() {
            _ if at == 0 => format!("    {faint}{line}{faint:#}\n"),
            Some(true) => format!("  {good}✓{good:#} {line}\n"),
            Some(false) => format!("  {bad}✗{bad:#} {line}\n"),
            None => format!("    {line}\n"),
        };
    }
    out
}

fn right(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        format!("  {}\n", cells.join("  "))
    };
    rows.iter().map(line).collect()
}

/// A difference with what goes in red and what comes in green.
fn painted(difference: &str) -> String {
    let (good, bad, faint) = (AnsiColor::Green.on_default(), AnsiColor::BrightRed.on_default(), Style::new().dimmed());
    let line = |line: &str| match line.chars().next() {
        Some('+') => format!("{good}{line}{good:#}\n"),
        Some('-') => format!("{bad}{line}{bad:#}\n"),
        Some('@') => format!("{faint}{line}{faint:#}\n"),
        _ => format!("{line}\n"),
    };
    difference.lines().map(line).collect()
}
