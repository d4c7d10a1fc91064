//! Traces for a terminal: what the request was, where its time went, and every span as a bar on one time axis.

use std::collections::BTreeMap;

use squall_telemetry::format;
use squall_telemetry::trace::{Part, Span, SpanKind, Trace, Traces};

use super::paint::{Paint, Style};
use super::{INDENT, WIDTHS, cut, joined, padded, width, wrapped};

/// More spans than this are not drawn, the critical ones first of all.
const MOST: usize = 60;

/// Every trace, one after another.
pub(crate) fn render(traces: &Traces, to: usize, style: Style) -> String {
    let width = to.clamp(*WIDTHS.start(), *WIDTHS.end());
    let page = |trace| Sheet { traces, trace, width, paint: Paint(style) }.render();
    traces.traces.iter().map(page).collect::<Vec<_>>().join("\n")
}

struct Sheet<'t> {
    traces: &'t Traces,
    trace: &'t Trace,
    width: usize,
    paint: Paint,
}

impl Sheet<'_> {
    fn render(&self) -> String {
        let parts = if self.trace.by_cause.is_empty() { String::new() } else { self.parts() };
        let sections = [self.head(), parts, self.waterfall()];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn head(&self) -> String {
        let trace = self.trace;
        let phase = self.traces.phase.as_ref().map(|phase| format!(" in {phase}")).unwrap_or_default();
        let task = if trace.task == trace.load { String::new() } else { format!(".{}", trace.task) };
        let what = format!("{} {}{task}{phase}: {}", trace.at, trace.load, time(trace.latency_ns));
        let outcome = match trace.outcome.as_str() {
            "ok" => self.paint.good("ok"),
            "degraded" => self.paint.warn("degraded"),
            other => self.paint.bad(other),
        };
        let from = format!(
            "from {} to {}, seed {}, trace {}",
            clock(trace.start_ns),
            clock(trace.end_ns),
            self.traces.seed,
            trace.trace_id
        );
        let from = wrapped(&from, self.width - INDENT.len());
        let from = from.iter().map(|line| format!("{INDENT}{}", self.paint.faint(line)));
        joined(std::iter::once(format!("{}, {outcome}", self.paint.strong(&what))).chain(from))
    }

    fn parts(&self) -> String {
        let rows: Vec<[String; 3]> = self.trace.by_cause.iter().map(row).collect();
        let wide = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
        let (name, took, share) = (wide(0), wide(1), wide(2));
        let room = self.width.saturating_sub(INDENT.len() + name + took + share + 6).min(40);
        let line = |(row, part): (&[String; 3], &Part)| {
            let bar = "█".repeat((part.share * room as f64).round() as usize);
            let [cause, time, percent] = row;
            let text = format!("{INDENT}{}  {time:>took$}  {percent:>share$}  {bar}", padded(cause, name));
            text.trim_end().to_owned()
        };
        let body = joined(rows.iter().zip(&self.trace.by_cause).map(line));
        format!("{}\n{body}", self.paint.strong("Where the time went"))
    }

    fn waterfall(&self) -> String {
        let depths = depths(&self.trace.spans);
        let drawn = self.drawn();
        let label = |span: &Span| format!("{}{}", "  ".repeat(depths[&span.id].min(12)), named(span));
        let names = drawn.iter().map(|span| width(&label(span))).max().unwrap_or(0).min(self.width / 2 - 8);
        let times = drawn.iter().map(|span| width(&took(span))).max().unwrap_or(0);
        let room = self.width.saturating_sub(INDENT.len() + 2 + names + 2 + times + 2).max(8);
        let axis = Axis { from: self.trace.start_ns, to: self.trace.end_ns, room };
        let line = |span: &&Span| {
            let mark = if span.critical { "●" } else { " " };
            let text = padded(&cut(&label(span), names), names);
            let text = if span.critical { self.paint.strong(&text) } else { text };
            let line = format!("{INDENT}{mark} {text}  {:>times$}  {}", took(span), self.bar(&axis, span));
            line.trim_end().to_owned()
        };
        let left = self.trace.spans.len() - drawn.len();
        let more = (left > 0).then(|| {
            let text = format!("{left} more spans are off the critical path; `--json -` has all of them");
            format!("{INDENT}{}", self.paint.faint(&text))
        });
        let legend =
            "● what the user waited for   █ on that path   ░ beside it   · work that nobody waits for any more";
        let legend: Vec<String> = wrapped(legend, self.width - INDENT.len());
        let legend = legend.iter().map(|line| format!("{INDENT}{}", self.paint.faint(line)));
        let body = joined(drawn.iter().map(line).chain(more).chain(legend));
        format!("{}\n{body}", self.paint.strong("Waterfall"))
    }

    /// All spans, or those that matter most.
    fn drawn(&self) -> Vec<&Span> {
        let all = &self.trace.spans;
        if all.len() <= MOST {
            return all.iter().collect();
        }
        let critical = all.iter().filter(|span| span.critical).count();
        let mut beside = MOST.saturating_sub(critical);
        let keep = |span: &&Span| {
            let room = beside > 0;
            beside -= usize::from(room && !span.critical);
            span.critical || room
        };
        all.iter().filter(keep).take(4 * MOST).collect()
    }

    fn bar(&self, axis: &Axis, span: &Span) -> String {
        let (from, to) = (axis.column(span.start_ns), axis.column(span.end_ns));
        if span.start_ns >= axis.to && span.end_ns > axis.to {
            return format!("{}·", " ".repeat(axis.room));
        }
        let length = (to - from).max(1).min(axis.room - from.min(axis.room - 1));
        let from = from.min(axis.room - 1);
        let solid = if span.critical { "█" } else { "░" };
        let bar = solid.repeat(length);
        let bar = match span.outcome.as_deref() {
            Some("ok" | "degraded") | None => bar,
            Some(_) => self.paint.bad(&bar),
        };
        let beyond = if span.end_ns > axis.to { "·" } else { "" };
        format!("{}{bar}{beyond}", " ".repeat(from))
    }
}

/// Columns for times.
struct Axis {
    from: u64,
    to: u64,
    room: usize,
}

impl Axis {
    fn column(&self, at: u64) -> usize {
        let length = (self.to - self.from).max(1);
        let at = at.clamp(self.from, self.to) - self.from;
        (at as f64 / length as f64 * self.room as f64).round() as usize
    }
}

fn row(part: &Part) -> [String; 3] {
    [format!("{} {}", part.cause.words(), part.place), time(part.ns), format::share(part.share)]
}

/// How deep below the root each span lies.
fn depths(spans: &[Span]) -> BTreeMap<&String, usize> {
    let mut depths = BTreeMap::new();
    for span in spans {
        let depth = span.parent.as_ref().and_then(|parent| depths.get(parent)).map_or(0, |depth| depth + 1);
        depths.insert(&span.id, depth);
    }
    depths
}

fn named(span: &Span) -> String {
    match span.kind {
        SpanKind::User | SpanKind::Request | SpanKind::Branch => span.name.clone(),
        SpanKind::Attempt => match span.attempt {
            Some(attempt) if attempt > 1 => format!("{} #{attempt}", span.name),
            _ => span.name.clone(),
        },
        SpanKind::Queue => "queue".into(),
        SpanKind::Work => "work".into(),
        SpanKind::Wait => "wait".into(),
        SpanKind::Fault => "fault".into(),
        SpanKind::Connection => format!("connection of {}", span.name),
        SpanKind::Query => format!("query {}", span.name),
        SpanKind::BackOff => "back-off".into(),
        SpanKind::Fallback => "fallback".into(),
        SpanKind::Cache => format!("cache {}", span.name),
        SpanKind::Publish => format!("publish {}", span.name),
        SpanKind::Held => format!("held back on {}", span.name),
        SpanKind::Hedge => format!("hedge of {}", span.name),
    }
}

/// How long a span took, and how it ended if not well.
fn took(span: &Span) -> String {
    let text = time(span.end_ns - span.start_ns);
    match span.outcome.as_deref() {
        Some("ok") | None => text,
        Some(outcome) => format!("{outcome} {text}"),
    }
}

fn time(ns: u64) -> String {
    format::duration(ns as f64)
}

/// A point in time to the microsecond.
fn clock(ns: u64) -> String {
    format!("{:.6}s", ns as f64 / 1e9)
}
