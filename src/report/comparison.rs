//! A comparison for a terminal: the verdict, what was changed, and every figure that changed with it, the most important
//! first. Knows nothing of how it was found.

use anstyle::{AnsiColor, Style};
use squall_telemetry::compare::{Change, Comparison, Direction, Evidence, Verdict};
use squall_telemetry::figures::{Metric, Unit};
use squall_telemetry::format;

use super::ci::settings;

/// At most so many figures are shown unless all are wanted.
const SHOWN: usize = 15;

/// The comparison of `base` with `new`, as both were typed; `all` shows every figure that changed.
pub(crate) fn render(comparison: &Comparison, [base, new]: [&str; 2], all: bool) -> String {
    let (word, style) = match comparison.verdict {
        Verdict::Same => ("SAME", good()),
        Verdict::Better => ("BETTER", good()),
        Verdict::Worse => ("WORSE", AnsiColor::Yellow.on_default().bold()),
        Verdict::Regressed => ("REGRESSED", bad()),
    };
    let bold = Style::new().bold();
    let mut out = format!("{style}{word}{style:#}  {bold}{}{bold:#}\n", comparison.sentence);
    let faint = Style::new().dimmed();
    out += &format!("{faint}{base} → {new}: {}{faint:#}\n", evidence(comparison));
    for note in &comparison.notes {
        out += &format!("{}note{:#}: {note}\n", AnsiColor::Yellow.on_default(), AnsiColor::Yellow.on_default());
    }
    if !comparison.settings.is_empty() {
        out += &format!("\n{bold}Settings that differ{bold:#}\n");
        for change in &comparison.settings {
            out += &format!("  {}\n", settings(std::slice::from_ref(change)));
        }
    }
    out += &figures(comparison, all);
    for (head, lines, mark) in [("No longer holds", &comparison.broken, "✗"), ("Holds now", &comparison.mended, "✓")]
    {
        if !lines.is_empty() {
            out += &format!("\n{bold}{head}{bold:#}\n");
            out += &lines.iter().map(|line| format!("  {mark} {line}\n")).collect::<String>();
        }
    }
    out
}

fn evidence(comparison: &Comparison) -> String {
    let runs = comparison.runs;
    match comparison.evidence {
        Evidence::Exact => "one run each in virtual time, so every difference is real".to_owned(),
        Evidence::Pairs => format!("{runs} seeds, each with both; a change counts if its 95% interval leaves out 0"),
        Evidence::Groups => format!("{runs} runs each; a change counts if it is more than their scatter"),
        Evidence::Noise => "one live run each; a change counts if it is more than the noise within them".to_owned(),
    }
}

fn figures(comparison: &Comparison, all: bool) -> String {
    let shown: Vec<&Change> = comparison.changes.iter().filter(|change| all || change.counts).collect();
    if shown.is_empty() {
        return String::new();
    }
    let limit = if all { shown.len() } else { SHOWN };
    let rows: Vec<[String; 5]> = shown.iter().take(limit).map(|change| row(change)).collect();
    let head = ["figure", "before", "now", "change", ""].map(str::to_owned);
    let mut widths = [0; 5];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 5]| {
        let first = format!("{:<width$}", row[0], width = widths[0]);
        let cells: String = (1..4).map(|at| format!("  {:>width$}", row[at], width = widths[at])).collect();
        format!("{first}{cells}  {}", row[4]).trim_end().to_owned()
    };
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let of = comparison.changes.len();
    let mut out = format!("\n{bold}What changed{bold:#}\n    {faint}{}{faint:#}\n", line(&head));
    for (row, change) in rows.iter().zip(&shown) {
        let (mark, style) = match (change.breaks.is_some(), change.direction) {
            (true, _) => ("✗", bad()),
            (_, Direction::Worse) => ("-", AnsiColor::Yellow.on_default()),
            (_, Direction::Better) => ("+", good()),
            (_, Direction::Neutral) => (" ", Style::new()),
        };
        out += &format!("  {style}{mark}{style:#} {}\n", line(row));
    }
    if rows.len() < of {
        out += &format!("    {faint}and {} more: --all shows them{faint:#}\n", of - rows.len());
    }
    out
}

fn row(change: &Change) -> [String; 5] {
    let value = |value: Option<f64>| value.map_or("–".to_owned(), |value| change.metric.shown(value));
    let note = match (&change.breaks, change.interval) {
        (Some(rule), _) => format!("breaks `{rule}`"),
        (None, Some([low, high])) => {
            let [low, high] = [low, high].map(|end| signed(change.metric, end));
            if low == high { String::new() } else { format!("95%: {low} to {high}") }
        }
        _ => String::new(),
    };
    [format!("{} {}", change.subject, change.metric.word), value(change.base), value(change.new), moved(change), note]
}

/// How far it went: of shares in points, else as a share of what it was.
fn moved(change: &Change) -> String {
    match (change.metric.unit, change.base, change.new) {
        (Unit::Part | Unit::Share, Some(base), Some(new)) => format!("{} points", points(new - base)),
        (_, Some(base), Some(new)) if base != 0.0 => {
            let ratio = new / base;
            if ratio >= 3.0 {
                format!("×{}", format::number(ratio))
            } else {
                format!("{:+.1}%", (ratio - 1.0) * 100.0)
            }
        }
        (_, Some(_), Some(_)) => "new".to_owned(),
        (_, None, _) => "appeared".to_owned(),
        (_, _, None) => "gone".to_owned(),
    }
}

fn points(share: f64) -> String {
    let points = share * 100.0;
    if points.abs() < 0.1 { format!("{points:+.3}") } else { format!("{points:+.1}") }
}

fn signed(metric: &Metric, value: f64) -> String {
    match metric.unit {
        Unit::Part | Unit::Share => points(value),
        _ if value < 0.0 => format!("-{}", metric.shown(-value)),
        _ => format!("+{}", metric.shown(value)),
    }
}

fn good() -> Style {
    AnsiColor::Green.on_default().bold()
}

fn bad() -> Style {
    AnsiColor::BrightRed.on_default().bold()
}
