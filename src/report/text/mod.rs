//! The report for a terminal: the verdict first, then what went wrong in order, what was expected, the figures over time,
//! and the tables. Text in, text out: the caller knows the terminal's width and whether it has colours.

mod capacity;
mod diagnose;
mod paint;
mod policies;
#[cfg(test)]
pub(crate) mod sample;
mod spark;
mod table;
mod tables;
mod timeline;
mod trace;

use squall_model::plan::Plan;
use squall_telemetry::report::{Cause, CauseKind, Engine, Expectation, Report, Verdict, World};
use squall_telemetry::{format, sentence};

pub(crate) use capacity::{capacity, isolation};
pub(crate) use diagnose::render as diagnosis;
use paint::Paint;
pub(crate) use paint::Style;
pub(crate) use trace::render as traces;

/// Narrower than this nothing can be read; wider lines are not filled.
const WIDTHS: core::ops::RangeInclusive<usize> = 40..=240;

/// A word that says that all is well.
pub(crate) fn good(text: &str) -> String {
    Paint(Style::Color).good(text)
}

/// A word that says that it is not.
pub(crate) fn bad(text: &str) -> String {
    Paint(Style::Color).bad(text)
}

/// The report in lines of at most `width` characters.
pub(crate) fn render(report: &Report, plan: &Plan, width: usize, style: Style) -> String {
    let page = Page { report, plan, width: width.clamp(*WIDTHS.start(), *WIDTHS.end()), paint: Paint(style) };
    let sections = [
        page.verdict(),
        page.doubts(),
        page.story(),
        page.findings(),
        page.expectations(),
        page.section("Over time", timeline::render(&page)),
        tables::render(&page),
        page.section("Policies around calls, outside in", policies::orders(&page)),
        page.section("Breakers", policies::breakers(&page)),
        page.footer(),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What every section needs.
struct Page<'r> {
    report: &'r Report,
    plan: &'r Plan,
    width: usize,
    paint: Paint,
}

impl Page<'_> {
    fn verdict(&self) -> String {
        let passed = self.report.verdict == Verdict::Pass;
        let word = if passed { self.paint.good("PASS") } else { self.paint.bad("FAIL") };
        let sentence = format!("{}: {}", self.report.scenario, sentence::of(self.report));
        let lines = wrapped(&sentence, self.width - INDENT.len() - 4);
        let about = wrapped(&self.plan.about, self.width - 6);
        let first = lines.iter().take(1).map(|line| format!("{word}  {}", self.paint.strong(line)));
        let rest = lines.iter().skip(1).map(|line| format!("      {}", self.paint.strong(line)));
        joined(first.chain(rest).chain(about.iter().map(|line| format!("      {}", self.paint.faint(line)))))
    }

    /// Why the figures of a live run are not to be trusted.
    fn doubts(&self) -> String {
        let Some(live) = &self.report.live else { return String::new() };
        let lines = live.doubts.iter().flat_map(|doubt| wrapped(doubt, self.width - INDENT.len()));
        self.section("Doubtful", joined(lines.map(|line| format!("{INDENT}{}", self.paint.warn(&line)))))
    }

    fn story(&self) -> String {
        let causes = &self.report.causes;
        let widest = causes.iter().map(|cause| width(&time_of(cause))).max().unwrap_or(0);
        self.section("What went wrong", joined(causes.iter().flat_map(|cause| self.cause(cause, widest))))
    }

    fn cause(&self, cause: &Cause, widest: usize) -> Vec<String> {
        let paint = |line: &String| match cause.kind {
            CauseKind::FaultBegan | CauseKind::FaultEnded => self.paint.warn(line),
            CauseKind::Recovered | CauseKind::BreakerClosed => self.paint.good(line),
            CauseKind::NeverRecovered => self.paint.bad(line),
            _ => line.clone(),
        };
        let because = cause.because.as_ref().map(|because| format!(", {}", because.text)).unwrap_or_default();
        let lines = wrapped(&format!("{}{because}", cause.what), self.width - INDENT.len() - widest - 2);
        let times = std::iter::once(time_of(cause)).chain(std::iter::repeat(String::new()));
        lines.iter().zip(times).map(|(line, time)| format!("{INDENT}{time:>widest$}  {}", paint(line))).collect()
    }

    /// What it is a case of, each with its evidence.
    fn findings(&self) -> String {
        let body = self.report.verdicts.iter().map(|finding| {
            let sentence = format!("{}: {}", finding.kind.words(), finding.what);
            let lines = wrapped(&sentence, self.width - INDENT.len());
            let first = lines.iter().map(|line| format!("{INDENT}{}", self.paint.bad(line)));
            let evidence = finding.evidence.iter().flat_map(|text| {
                let marks = std::iter::once("·").chain(std::iter::repeat(" "));
                let lines = wrapped(text, self.width - INDENT.len() - 4);
                lines.into_iter().zip(marks).map(|(line, mark)| format!("{INDENT}  {mark} {line}")).collect::<Vec<_>>()
            });
            joined(first.chain(evidence))
        });
        self.section("What it was", body.collect())
    }

    fn expectations(&self) -> String {
        let expect = &self.report.expect;
        let widest = widest_beside(expect, self.width - INDENT.len() - 2);
        let held = expect.iter().filter(|line| line.pass).count();
        let text = joined(expect.iter().map(|line| self.expectation(line, widest)));
        self.section(&format!("Expected ({held} of {} held)", expect.len()), text)
    }

    /// What was wanted and what was found: side by side if there is room, else one under the other.
    fn expectation(&self, line: &Expectation, widest: usize) -> String {
        let mark = if line.pass { self.paint.good("✓") } else { self.paint.bad("✗") };
        let found = |text: &str| if line.pass { self.paint.faint(text) } else { self.paint.bad(text) };
        let room = self.width - INDENT.len() - 2;
        let next = format!("\n{INDENT}  ");
        if width(&line.text) <= widest && widest + 2 + width(&line.actual) <= room {
            return format!("{INDENT}{mark} {}  {}", padded(&line.text, widest), found(&line.actual));
        }
        let wanted = wrapped(&line.text, room).join(&next);
        let actual: Vec<_> = wrapped(&format!("→ {}", line.actual), room).iter().map(|part| found(part)).collect();
        format!("{INDENT}{mark} {wanted}{next}{}", actual.join(&next))
    }

    fn footer(&self) -> String {
        let report = self.report;
        let world = match report.world {
            World::Sim => "virtual time",
            World::Live => "real HTTP",
        };
        let Engine { events, events_per_s, peak_in_flight } = report.engine;
        let simulated = format::at(report.time.simulated_s);
        let wall = format::duration(report.time.wall_s * 1e9);
        let [events, speed, peak] = [events, events_per_s, peak_in_flight].map(format::count);
        let late = report.live.as_ref().and_then(|live| live.generator_late_ms);
        let late = late.map(|late| format!(" · 99% sent within {} of their time", format::duration(late.p99 * 1e6)));
        let late = late.unwrap_or_default();
        let text = format!(
            "{simulated} of {world} in {wall} · {events} events, {speed}/s · at most {peak} in flight{late} · seed {} · digest {}",
            report.seed, report.digest
        );
        joined(wrapped(&text, self.width).iter().map(|line| self.paint.faint(line)))
    }

    /// A headed section; nothing if it is empty.
    fn section(&self, head: &str, body: String) -> String {
        if body.is_empty() { body } else { format!("{}\n{body}", self.paint.strong(head)) }
    }
}

const INDENT: &str = "  ";

/// The greatest width of wanted texts so that they and all narrower ones have room for what was found beside them.
fn widest_beside(expect: &[Expectation], room: usize) -> usize {
    let fits = |widest: usize| {
        let narrower = expect.iter().filter(|line| width(&line.text) <= widest);
        narrower.map(|line| widest + 2 + width(&line.actual)).max().is_some_and(|whole| whole <= room)
    };
    expect.iter().map(|line| width(&line.text)).filter(|widest| fits(*widest)).max().unwrap_or(0)
}

/// When it happened.
fn time_of(cause: &Cause) -> String {
    format!("{:.2}s", cause.at_s)
}

/// The lines as one text, each with its end.
fn joined(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// How many columns a text takes, colour codes not counted in.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text, filled up with blanks on the right.
fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// The text, cut to so many columns.
fn cut(text: &str, to: usize) -> String {
    if width(text) <= to {
        return text.to_owned();
    }
    let head: String = text.chars().take(to.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

/// The text in lines of at most `to` columns, broken between words; a longer word has a line of its own.
fn wrapped(text: &str, to: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= to => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the colour codes.
    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_cascade_is_understood_at_80_columns() {
        insta::assert_snapshot!(render(&sample::cascade(), &sample::plan(), 80, Style::Plain));
    }

    #[test]
    fn it_can_be_read_at_60_columns() {
        insta::assert_snapshot!(render(&sample::cascade(), &sample::plan(), 60, Style::Plain));
    }

    #[test]
    fn it_uses_the_room_of_120_columns() {
        insta::assert_snapshot!(render(&sample::cascade(), &sample::plan(), 120, Style::Plain));
    }

    #[test]
    fn a_healthy_run_is_short() {
        insta::assert_snapshot!(render(&sample::healthy(), &sample::plan(), 80, Style::Plain));
    }

    #[test]
    fn a_storm_shows_its_retries_and_its_breaker() {
        insta::assert_snapshot!(render(&sample::storm(), &sample::plan(), 80, Style::Plain));
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        for report in [sample::cascade(), sample::healthy(), sample::storm()] {
            for to in 40..=200 {
                let text = render(&report, &sample::plan(), to, Style::Plain);
                for line in text.lines().filter(|line| line.split_whitespace().count() > 1) {
                    assert!(width(line) <= to, "{} at {to}: {line}", width(line));
                }
                assert!(text.lines().all(|line| line == line.trim_end()), "no blanks at the end of a line, at {to}");
            }
        }
    }

    #[test]
    fn colour_changes_no_letter() {
        let render = |style| render(&sample::cascade(), &sample::plan(), 80, style);
        assert_ne!(render(Style::Color), render(Style::Plain));
        assert_eq!(plain(&render(Style::Color)), render(Style::Plain));
    }
}
