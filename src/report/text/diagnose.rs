//! A diagnosis for a terminal: what it was, who is to blame, what would have helped, and the change to make.

use squall_telemetry::format;
use squall_telemetry::report::Finding;

use super::paint::{Paint, Style};
use super::{INDENT, WIDTHS, joined, padded, width, wrapped};
use crate::why::diagnose::{Diagnosis, Suggestion};
use crate::why::measure::Measure;

/// So many lines of a ranking are shown.
const SHOWN: usize = 12;

/// All of it.
pub(crate) fn render(found: &Diagnosis, to: usize, style: Style) -> String {
    let page = Sheet { found, width: to.clamp(*WIDTHS.start(), *WIDTHS.end()), paint: Paint(style) };
    let sections = [page.head(), page.verdicts(), page.blame(), page.triggers(), page.helps(), page.suggestion()];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

struct Sheet<'f> {
    found: &'f Diagnosis,
    width: usize,
    paint: Paint,
}

/// One line of a ranking.
struct Row {
    back: f64,
    what: String,
    measure: Measure,
}

impl Sheet<'_> {
    fn head(&self) -> String {
        let found = self.found;
        let failed = found.expect.iter().filter(|line| !line.pass).count();
        let expect = match (failed, found.expect.len()) {
            (_, 0) => "nothing was expected".to_owned(),
            (0, all) => format!("all {all} expectations hold"),
            (failed, all) => format!("{failed} of {all} expectations fail"),
        };
        let base = figures(&found.base);
        let text = if found.blame.is_empty() {
            format!("{}: healthy, {base}; {expect}", found.scenario)
        } else {
            format!("{}: {base}; {expect}", found.scenario)
        };
        let lines = wrapped(&text, self.width);
        let healthy = found.healthy.map(|healthy| {
            let text = format!("without any fault: {}", figures(&healthy));
            format!("{INDENT}{}", self.paint.faint(&text))
        });
        joined(lines.iter().map(|line| self.paint.strong(line)).chain(healthy))
    }

    fn verdicts(&self) -> String {
        let line = |finding: &Finding| {
            let text = format!("{}: {}", finding.kind.words(), finding.what);
            wrapped(&text, self.width - INDENT.len()).iter().map(|line| format!("{INDENT}{line}")).collect::<Vec<_>>()
        };
        self.section("What it was", joined(self.found.verdicts.iter().flat_map(line)))
    }

    fn blame(&self) -> String {
        let rows = self.found.blame.iter().map(|blame| Row {
            back: blame.back,
            what: format!("{} {}", blame.component, blame.what),
            measure: blame.measure,
        });
        let rows: Vec<Row> = rows.filter(|row| row.back.abs() >= 0.005).collect();
        let idle = self.found.blame.len() - rows.len();
        let mut text = self.ranking(&rows);
        if idle > 0 && self.found.blame.len() > idle {
            let line = format!("without any of {idle} other limits, policies or faults nothing changes");
            text += &joined(
                wrapped(&line, self.width - INDENT.len())
                    .iter()
                    .map(|line| format!("{INDENT}{}", self.paint.faint(line))),
            );
        }
        self.section("Who is to blame: the same storm without", text)
    }

    fn triggers(&self) -> String {
        let lines = self.found.triggers.iter().flat_map(|trigger| {
            let at = format::at(trigger.removed_at_s);
            let when = if trigger.over_already {
                format!("{} was over when requests began to fail, at {at}", trigger.fault)
            } else {
                format!("{} taken away at {at}, when requests began to fail", trigger.fault)
            };
            let effect = if trigger.back < 0.05 {
                "removing the trigger does not help any more".to_owned()
            } else {
                format!("{} back", percent(trigger.back))
            };
            wrapped(&format!("{when}: {effect}"), self.width - INDENT.len())
        });
        let lines: Vec<String> = lines.map(|line| format!("{INDENT}{line}")).collect();
        self.section("Once it has begun", joined(lines))
    }

    fn helps(&self) -> String {
        // One line a place is enough: the best of each kind.
        let mut rows: Vec<Row> = Vec::new();
        let mut places: Vec<&str> = Vec::new();
        for help in &self.found.helps {
            let place = help.set.split_once('=').map_or(help.set.as_str(), |(path, _)| path);
            if !places.contains(&place) {
                places.push(place);
                rows.push(Row { back: help.back, what: help.what.clone(), measure: help.measure });
            }
        }
        self.section("What would have helped: one setting", self.ranking(&rows))
    }

    fn suggestion(&self) -> String {
        let Some(suggestion) = &self.found.suggestion else {
            let text = match (self.found.blame.is_empty(), self.found.base.pass) {
                (true, true) => return String::new(),
                (_, true) => "no single setting that was tried helps",
                (_, false) => "no single setting that was tried makes all expectations hold",
            };
            return self.section("What to change", format!("{INDENT}{text}\n"));
        };
        let head = match (self.found.base.pass, suggestion.pass) {
            (false, _) => "The smallest change that makes all expectations hold",
            (true, true) => "What to change",
            (true, false) => "What to change; expectations that describe the outage will fail then",
        };
        self.section(head, self.change(suggestion))
    }

    fn change(&self, suggestion: &Suggestion) -> String {
        let text = format!("{}: {}, {}", suggestion.what, back(suggestion.back), figures(&suggestion.measure));
        let lines = wrapped(&text, self.width - INDENT.len());
        let lines = lines.iter().map(|line| format!("{INDENT}{line}"));
        let diff = suggestion.diff.iter().flat_map(|diff| diff.lines()).map(|line| match line.as_bytes().first() {
            Some(b'+') => self.paint.good(line),
            Some(b'-') => self.paint.bad(line),
            _ => line.to_owned(),
        });
        let set = format!("{INDENT}{}", self.paint.faint(&format!("try it: --set '{}'", suggestion.set)));
        joined(lines.chain([set]).chain(diff))
    }

    fn ranking(&self, rows: &[Row]) -> String {
        let shown = &rows[..rows.len().min(SHOWN)];
        let cells: Vec<[String; 4]> = shown
            .iter()
            .map(|row| {
                let p99 = row.measure.p99_ms.map_or_else(|| "–".to_owned(), |ms| format::duration(ms * 1e6));
                [back(row.back), row.what.clone(), format::share(row.measure.answered_share), p99]
            })
            .collect();
        let head = ["back", "", "answered", "p99"].map(str::to_owned);
        let all = || std::iter::once(&head).chain(&cells);
        let wide = |column: usize| all().map(|row| width(&row[column])).max().unwrap_or(0);
        let [backs, answers, p99s] = [0, 2, 3].map(wide);
        let room = self.width.saturating_sub(INDENT.len() + backs + answers + p99s + 6);
        let whats = wide(1).min(room.max(20));
        let line = |row: &[String; 4]| {
            let parts = wrapped(&row[1], whats);
            let first = parts.first().cloned().unwrap_or_default();
            let line = format!(
                "{INDENT}{:>backs$}  {}  {:>answers$}  {:>p99s$}",
                row[0],
                padded(&first, whats),
                row[2],
                row[3]
            );
            let rest = parts.iter().skip(1).map(|part| format!("{INDENT}{}  {part}", " ".repeat(backs)));
            std::iter::once(line).chain(rest).collect::<Vec<_>>()
        };
        let mut lines: Vec<String> = line(&head).iter().map(|line| self.paint.faint(line)).collect();
        lines.extend(cells.iter().flat_map(line));
        if rows.len() > SHOWN {
            lines.push(format!(
                "{INDENT}{}",
                self.paint.faint(&format!("and {} more; `--json -` has them all", rows.len() - SHOWN))
            ));
        }
        if cells.is_empty() { String::new() } else { joined(lines) }
    }

    fn section(&self, head: &str, body: String) -> String {
        if body.is_empty() { body } else { format!("{}\n{body}", self.paint.strong(head)) }
    }
}

fn figures(measure: &Measure) -> String {
    let p99 = measure.p99_ms.map(|ms| format!(", p99 {}", format::duration(ms * 1e6))).unwrap_or_default();
    let degraded = match measure.degraded_share {
        0.0 => String::new(),
        share => format!(" ({} degraded)", format::share(share)),
    };
    format!("{} answered{degraded}{p99}", format::share(measure.answered_share))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// What came back of what was lost; what was lost beyond it.
fn back(share: f64) -> String {
    if share <= -0.005 { format!("{} worse", percent(-share)) } else { percent(share) }
}
