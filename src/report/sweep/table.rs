//! A sweep for a terminal: the best variants, and the steps at which most changes.

use anstyle::{AnsiColor, Style};
use squall_telemetry::format;

use crate::sweep::results::{Results, Row};

/// So many of the best are shown.
const BEST: usize = 10;
/// A sweep of this many variants or fewer is shown whole, in its own order.
const WHOLE: usize = 20;
/// So many cliffs are told.
const CLIFFS: usize = 4;

/// The results in lines of text.
pub(crate) fn render(results: &Results) -> String {
    let rows = results.rows();
    let ranking = results.ranking(&rows);
    let whole = rows.len() <= WHOLE;
    let order: Vec<usize> =
        if whole { (0..rows.len()).collect() } else { ranking.iter().copied().take(BEST).collect() };
    let bold = Style::new().bold();
    let runs: u64 = rows.iter().map(|row| row.runs).sum();
    let held = rows.iter().filter(|row| row.held == row.runs).count();
    let judged = if results.lines.is_empty() {
        "nothing is expected".to_owned()
    } else {
        format!("all held in {} of them", format::count(held as u64))
    };
    let counted =
        |count: u64, noun: &str| format!("{} {noun}{}", format::count(count), if count == 1 { "" } else { "s" });
    let (variants, runs) = (counted(rows.len() as u64, "variant"), counted(runs, "run"));
    let mut out = format!("{bold}{}: {variants}, {runs}, {judged}{bold:#}\n", results.scenario);
    if !whole {
        out += &format!("the best {}:\n", order.len());
    }
    out += &table(results, &rows, &order, ranking.first().copied());
    out += &cliffs(results, &rows);
    out
}

fn table(results: &Results, rows: &[Row], order: &[usize], best: Option<usize>) -> String {
    let shown = results.shown();
    let mut head: Vec<String> = short(&results.paths);
    if !results.lines.is_empty() {
        head.push("held".to_owned());
    }
    head.extend(shown.iter().map(|at| results.columns[*at].said()));
    let mut lines = vec![head];
    for at in order {
        let row = &rows[*at];
        let mut cells: Vec<String> = results.variants[results.runs[*at].variant].clone();
        if !results.lines.is_empty() {
            cells.push(held(row, results.until));
        }
        cells.extend(shown.iter().map(|column| figure(results, row, *column)));
        lines.push(cells);
    }
    let mut widths = vec![0; lines[0].len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let (faint, good) = (Style::new().dimmed(), AnsiColor::Green.on_default().bold());
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let cells = cells.join("  ");
        match at.checked_sub(1).map(|at| order[at]) {
            None => out += &format!("    {faint}{cells}{faint:#}\n"),
            Some(row) if Some(row) == best => out += &format!("  {good}★{good:#} {cells}\n"),
            Some(_) => out += &format!("    {cells}\n"),
        }
    }
    out
}

/// How often all held; with its interval if that is what was asked for.
fn held(row: &Row, interval: bool) -> String {
    let share = format::share(row.share());
    if !interval {
        return if row.runs == 1 { (if row.held == 1 { "yes" } else { "no" }).to_owned() } else { share };
    }
    let around = row.interval();
    format!(
        "{share} ({} to {}, {} runs)",
        format::share(around.low),
        format::share(around.high),
        format::count(row.runs)
    )
}

/// A mean, and how far off it may be.
fn figure(results: &Results, row: &Row, column: usize) -> String {
    let Some(mean) = row.means[column] else { return "–".to_owned() };
    let of = &results.columns[column];
    match row.intervals[column].map(|interval| (interval.high - interval.low) / 2.0) {
        // What rounds to nothing is nothing: a unit alone says no more.
        Some(half)
            if of.shown(half).starts_with(|c: char| ('1'..='9').contains(&c) || c == '<')
                || of.shown(half).contains("0.") =>
        {
            format!("{} ±{}", of.shown(mean), of.shown(half))
        }
        _ => of.shown(mean),
    }
}

fn cliffs(results: &Results, rows: &[Row]) -> String {
    let cliffs = results.cliffs(rows);
    if cliffs.is_empty() {
        return String::new();
    }
    let bold = Style::new().bold();
    let headline = &results.columns[results.headline()];
    let mut out = format!("\n{bold}Cliffs{bold:#} (on average over all else)\n");
    for cliff in cliffs.iter().take(CLIFFS) {
        let [from, to] = &cliff.values;
        let mut what = Vec::new();
        if cliff.held[0] != cliff.held[1] {
            let [a, b] = cliff.held.map(format::share);
            what.push(format!("held {a} → {b}"));
        }
        let [a, b] = cliff.figure.map(|value| headline.shown(value));
        if a != b {
            what.push(format!("{} {a} → {b}", headline.said()));
        }
        out += &format!("  {} {from} → {to}: {}\n", results.paths[cliff.axis], what.join(", "));
    }
    out
}

/// The last parts of the paths that are enough to tell them apart.
fn short(paths: &[String]) -> Vec<String> {
    let tail = |path: &str, parts: usize| {
        let all: Vec<&str> = path.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let told_apart = |parts: usize| {
        let mut tails: Vec<String> = paths.iter().map(|path| tail(path, parts)).collect();
        tails.sort();
        tails.windows(2).all(|two| two[0] != two[1])
    };
    let parts = (1..12).find(|parts| told_apart(*parts)).unwrap_or(12);
    paths.iter().map(|path| tail(path, parts)).collect()
}
