//! The capacity of a system, and of one service alone, for a terminal: what it bears in a sentence or two, then every
//! level as a bar.

use squall_telemetry::format;

use super::paint::{Paint, Style};
use super::{INDENT, WIDTHS, joined, width, wrapped};
use crate::why::capacity::{Capacity, Direction, Step};
use crate::why::isolate::{Bound, Isolation};

/// A whole system, up and down.
pub(crate) fn capacity(found: &Capacity, to: usize, style: Style) -> String {
    let to = to.clamp(*WIDTHS.start(), *WIDTHS.end());
    let paint = Paint(style);
    let mut lines = Vec::new();
    for (place, sentence) in found.sentences().iter().enumerate() {
        match place {
            0 => lines.push(paint.strong(&format!("{}: {sentence}", found.scenario))),
            _ => lines.extend(wrapped(sentence, to - INDENT.len()).iter().map(|line| format!("{INDENT}{line}"))),
        }
    }
    let most = found.steps.iter().map(|step| step.offered_per_s).fold(0.0, f64::max);
    let rows: Vec<Row> = found.steps.iter().map(Row::of_step).collect();
    let table = table(&rows, (to, most), paint);
    format!("{}\n{}\n{table}", joined(lines), paint.strong("Goodput (█) of what was offered (░), up and down again"))
}

/// One service alone.
pub(crate) fn isolation(found: &Isolation, to: usize, style: Style) -> String {
    let to = to.clamp(*WIDTHS.start(), *WIDTHS.end());
    let paint = Paint(style);
    let ceiling = found.ceiling_per_s.map_or_else(
        || "no limit found up to 40,000/s".to_owned(),
        |ceiling| format!("can do {} alone", format::rate(ceiling)),
    );
    let mut lines = vec![paint.strong(&format!("{}: {ceiling}", found.service))];
    let mut say = |text: String| {
        lines.extend(wrapped(&text, to - INDENT.len()).iter().map(|line| format!("{INDENT}{line}")));
    };
    if let Some(limit) = &found.limit {
        say(format!("limit: {}, {}", limit.of, limit.what));
    }
    if let Some(knee) = &found.knee {
        let p99 = knee.p99_ms.map_or_else(String::new, |ms| format!(", p99 {}", format::duration(ms * 1e6)));
        say(format!(
            "knee: it degrades beyond {}, with {} requests in it at a time{p99}",
            format::rate(knee.offered_per_s),
            format::number(knee.concurrency)
        ));
    }
    for bound in &found.theory {
        say(theory(bound, found));
    }
    for mock in &found.mocks {
        let takes = if mock.takes == "0s" { "answers at once".to_owned() } else { format!("takes {}", mock.takes) };
        say(format!("{} is a mock: {takes}", mock.service));
    }
    let most = found.levels.iter().map(|level| level.offered_per_s).fold(0.0, f64::max);
    let rows: Vec<Row> = found
        .levels
        .iter()
        .map(|level| Row {
            mark: String::new(),
            offered: level.offered_per_s,
            goodput: level.goodput_per_s,
            p99_ms: level.p99_ms,
            fine: level.goodput_per_s >= 0.95 * level.offered_per_s,
        })
        .collect();
    let table = table(&rows, (to, most), paint);
    format!("{}\n{}\n{table}", joined(lines), paint.strong("Goodput (█) of what was offered (░)"))
}

fn theory(bound: &Bound, found: &Isolation) -> String {
    let least = found.theory.iter().map(|other| other.per_s).fold(f64::MAX, f64::min);
    let off = match found.ceiling_per_s {
        Some(ceiling) if bound.per_s <= least => {
            format!("; found {:+.1}%", (ceiling / bound.per_s - 1.0) * 100.0)
        }
        _ => String::new(),
    };
    format!("theory: {} = {}{off}", bound.formula, format::rate(bound.per_s))
}

/// One level of load.
struct Row {
    mark: String,
    offered: f64,
    goodput: f64,
    p99_ms: Option<f64>,
    fine: bool,
}

impl Row {
    fn of_step(step: &Step) -> Self {
        Self {
            mark: if step.direction == Direction::Up { "↑" } else { "↓" }.to_owned(),
            offered: step.offered_per_s,
            goodput: step.goodput_per_s,
            p99_ms: step.p99_ms,
            fine: step.goodput_per_s >= 0.95 * step.offered_per_s - 1.0,
        }
    }
}

fn table(rows: &[Row], (to, most): (usize, f64), paint: Paint) -> String {
    let cells: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let p99 = row.p99_ms.map_or_else(|| "–".to_owned(), |ms| format::duration(ms * 1e6));
            [format::rate(row.offered), format::rate(row.goodput), p99]
        })
        .collect();
    let head = ["offered", "goodput", "p99"].map(str::to_owned);
    let wide = |column: usize| std::iter::once(&head).chain(&cells).map(|row| width(&row[column])).max().unwrap_or(0);
    let [a, b, c] = [0, 1, 2].map(wide);
    let room = to.saturating_sub(INDENT.len() + a + b + c + 9).clamp(10, 80);
    let columns = |figure: f64| if most > 0.0 { (figure / most * room as f64).round() as usize } else { 0 };
    let first = format!("{INDENT}  {:>a$}  {:>b$}  {:>c$}", head[0], head[1], head[2]);
    let line = |(row, [offered, goodput, p99]): (&Row, &[String; 3])| {
        let (full, all) = (columns(row.goodput), columns(row.offered));
        let bar = "█".repeat(full);
        let bar = if row.fine { bar } else { paint.bad(&bar) };
        let lost = "░".repeat(all.saturating_sub(full));
        let mark = if row.mark.is_empty() { " " } else { &row.mark };
        let line = format!("{INDENT}{mark} {offered:>a$}  {goodput:>b$}  {p99:>c$}  {bar}{lost}");
        line.trim_end().to_owned()
    };
    joined(std::iter::once(paint.faint(&first)).chain(rows.iter().zip(&cells).map(line)))
}
