//! What a sweep keeps of each run: figures of the report, and figures that were asked for in the words of `expect`.

use squall_model::plan::{Claim, Metric as Measured, Plan};
use squall_telemetry::figures::{Better, Figure, Kind, Metric, Unit, figures};
use squall_telemetry::format;
use squall_telemetry::report::{Report, World};
use squall_telemetry::{Recorder, Run, step_for};

/// One column of a sweep's results.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    /// Its name in files: the subject and the metric's key, or the words that were typed.
    pub(crate) name: String,
    /// Which way is better.
    pub(crate) better: Better,
    source: Source,
}

#[derive(Clone, PartialEq, Debug)]
enum Source {
    /// The figure at this place of the report's list, if it is there.
    Figure { at: usize, subject: String, kind: Kind, metric: &'static Metric },
    /// What was found for this line of `expect`, in units of so many nanoseconds for times.
    Claim { at: usize, unit: Unit },
}

impl Column {
    /// A column of a line of `expect` of the plan.
    pub(crate) fn of_claim(plan: &Plan, at: usize, name: &str, better: Better) -> Self {
        let unit = plan.expect.get(at).map_or(Unit::Number, |expect| match &expect.claim {
            Claim::Figure { metric, .. } => match metric {
                Measured::Percentile(_) | Measured::Max | Measured::Mean => Unit::Milliseconds,
                Measured::Success | Measured::Degraded | Measured::Failed => Unit::Share,
                Measured::Rate | Measured::Goodput => Unit::Rate,
                _ => Unit::Number,
            },
            _ => Unit::Milliseconds,
        });
        Self { name: name.to_owned(), better, source: Source::Claim { at, unit } }
    }

    /// A value as a person writes it.
    pub(crate) fn shown(&self, value: f64) -> String {
        match &self.source {
            Source::Figure { metric, .. } if metric.unit == Unit::Part => format::number(value),
            Source::Figure { metric, .. } => metric.shown(value),
            Source::Claim { unit: Unit::Milliseconds, .. } => format::duration(value * 1e6),
            Source::Claim { unit: Unit::Share, .. } => format::share(value),
            Source::Claim { unit: Unit::Rate, .. } => format::rate(value),
            Source::Claim { .. } => format::number(value),
        }
    }

    /// A value in the base unit of `expect`, as a person writes it.
    pub(crate) fn shown_raw(&self, value: f64) -> String {
        match &self.source {
            Source::Claim { unit: Unit::Milliseconds, .. } => self.shown(value / 1e6),
            _ => self.shown(value),
        }
    }

    /// Its name as a person says it.
    pub(crate) fn said(&self) -> String {
        match &self.source {
            Source::Figure { subject, metric, .. } => format!("{subject} {}", metric.word),
            Source::Claim { .. } => self.name.clone(),
        }
    }

    /// Whether it is a figure that was asked for in words.
    pub(crate) const fn was_asked_for(&self) -> bool {
        matches!(self.source, Source::Claim { .. })
    }

    /// Whether it is a figure that is to be great or small.
    pub(crate) fn is_goal(&self) -> bool {
        self.was_asked_for() && self.better != Better::Neither
    }

    /// Whether it is this figure.
    pub(crate) fn is(&self, wanted_kind: Kind, key: &str) -> bool {
        matches!(&self.source, Source::Figure { kind, metric, .. } if *kind == wanted_kind && metric.key == key)
    }

    fn value(&self, figures: &[Figure<'_>], report: &Report) -> Option<f64> {
        match &self.source {
            Source::Figure { at, subject, kind, metric } => {
                let fits = |figure: &&Figure<'_>| {
                    figure.kind == *kind && figure.subject == subject && std::ptr::eq(figure.metric, *metric)
                };
                let there = figures.get(*at).filter(fits);
                there.or_else(|| figures.iter().find(fits))?.value
            }
            Source::Claim { at, unit } => {
                let value = report.expect.get(*at)?.value?;
                Some(if *unit == Unit::Milliseconds { value / 1e6 } else { value })
            }
        }
    }
}

/// The columns of the figures that a plan's report will have: all, or those that users see.
pub(crate) fn of_figures(plan: &Plan, all: bool) -> Vec<Column> {
    let recording = Recorder::new(plan, step_for(plan.duration)).finish(squall_model::SimTime::ZERO);
    let run = Run { world: World::Sim, events: 0, peak_in_flight: 0, wall: squall_model::Span::ZERO };
    let report = Report::new(plan, &recording, &run);
    let several = plan.loads.len() > 1;
    let wanted = |figure: &Figure<'_>| match figure.kind {
        Kind::Load => true,
        Kind::System => several || all,
        _ => all,
    };
    let column = |(at, figure): (usize, Figure<'_>)| Column {
        name: format!("{} {}", figure.subject, figure.metric.key),
        better: figure.metric.better,
        source: Source::Figure { at, subject: figure.subject.to_owned(), kind: figure.kind, metric: figure.metric },
    };
    figures(&report).into_iter().enumerate().filter(|(_, figure)| wanted(figure)).map(column).collect()
}

/// The value of each column in a report.
pub(crate) fn values(columns: &[Column], report: &Report) -> Vec<Option<f64>> {
    let figures = figures(report);
    columns.iter().map(|column| column.value(&figures, report)).collect()
}
