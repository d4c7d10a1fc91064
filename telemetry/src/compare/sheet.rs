//! What is compared of a run: its figures and expectations, from a report or from a baseline that was kept. A baseline is
//! small, sorted and rounded, and holds no wall time, so that a change of it can be reviewed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::figures::{Figure, Kind, Metric, Unit, figures, metric_by_key};
use crate::report::{LoadSeries, Report, World};

/// The version of a baseline's shape.
pub const BASELINE: u32 = 1;
/// Digits that a baseline keeps of a figure that is not a count.
const DIGITS: usize = 4;

/// One run, as it is compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Sheet {
    /// The topology's name.
    pub scenario: String,
    /// Where it ran.
    pub world: World,
    /// The root seed.
    pub seed: u64,
    /// What was measured.
    pub entries: Vec<Entry>,
    /// What was expected, and whether it held.
    pub expect: Vec<(String, bool)>,
    /// The loads over time, where the run still knows it.
    pub series: Vec<(String, LoadSeries)>,
    /// The topology's settings, path and value, where they are known.
    pub settings: BTreeMap<String, String>,
    /// Whether its figures are rounded.
    pub rounded: bool,
}

/// One figure.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// What kind of thing it is of.
    pub kind: Kind,
    /// The thing's name.
    pub subject: String,
    /// What is measured.
    pub metric: &'static Metric,
    /// The value as in the report.
    pub value: Option<f64>,
    /// Of how many, for a part.
    pub whole: Option<f64>,
}

impl Entry {
    /// The value that is compared: a part as its share.
    pub fn compared(&self) -> Option<f64> {
        let Self { kind, metric, value, whole, .. } = *self;
        Figure { kind, subject: "", metric, value, whole }.compared()
    }

    /// Whether both are the same figure of the same thing.
    pub fn is_same_figure(&self, other: &Self) -> bool {
        self.kind == other.kind && core::ptr::eq(self.metric, other.metric) && self.subject == other.subject
    }
}

impl Sheet {
    /// What is compared of a report.
    pub fn of(report: &Report) -> Self {
        let entry = |figure: Figure<'_>| Entry {
            kind: figure.kind,
            subject: figure.subject.to_owned(),
            metric: figure.metric,
            value: figure.value,
            whole: figure.whole,
        };
        Self {
            scenario: report.scenario.clone(),
            world: report.world,
            seed: report.seed,
            entries: figures(report).into_iter().map(entry).collect(),
            expect: report.expect.iter().map(|line| (line.text.clone(), line.pass)).collect(),
            series: report.timeline.load.iter().map(|(name, series)| (name.to_owned(), series.clone())).collect(),
            settings: BTreeMap::new(),
            rounded: false,
        }
    }

    /// The same with the topology's settings.
    #[must_use]
    pub fn with_settings(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// The same with the precision of a baseline.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        for entry in &mut self.entries {
            entry.value = entry.value.map(|value| rounded(entry.metric, value));
        }
        self.rounded = true;
        self
    }
}

fn rounded(metric: &Metric, value: f64) -> f64 {
    match metric.unit {
        Unit::Count | Unit::Part => value,
        _ => format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value),
    }
}

/// A run as it is kept in a file, to hold later ones against.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    #[serde(rename = "baseline")]
    version: u32,
    scenario: String,
    world: World,
    seed: u64,
    /// What was expected, and whether it held.
    expect: BTreeMap<String, bool>,
    load: Things,
    system: Figures,
    services: Things,
    databases: Things,
    calls: Things,
    /// The topology's settings: what a later change is attributed to.
    settings: BTreeMap<String, String>,
}

type Things = BTreeMap<String, Figures>;
type Figures = BTreeMap<String, Option<Number>>;

/// A number that is written without a point where it needs none.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(transparent)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 >= 0.0 && self.0 < 9e15 && self.0.fract() == 0.0;
        if whole { serializer.serialize_u64(self.0 as u64) } else { serializer.serialize_f64(self.0) }
    }
}

impl Baseline {
    /// What is kept of a run.
    pub fn of(sheet: &Sheet) -> Self {
        let sheet = sheet.clone().rounded();
        let mut sections: BTreeMap<Kind, Things> = BTreeMap::new();
        for entry in &sheet.entries {
            let things = sections.entry(entry.kind).or_default();
            let figures = things.entry(entry.subject.clone()).or_default();
            figures.insert(entry.metric.key.to_owned(), entry.value.map(Number));
        }
        let mut section = |kind| sections.remove(&kind).unwrap_or_default();
        Self {
            version: BASELINE,
            scenario: sheet.scenario,
            world: sheet.world,
            seed: sheet.seed,
            expect: sheet.expect.into_iter().collect(),
            load: section(Kind::Load),
            system: section(Kind::System).remove("system").unwrap_or_default(),
            services: section(Kind::Service),
            databases: section(Kind::Database),
            calls: section(Kind::Call),
            settings: sheet.settings,
        }
    }

    /// The version of its shape.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The run that was kept.
    pub fn sheet(&self) -> Sheet {
        let mut entries = Vec::new();
        for kind in Kind::ALL {
            let system = BTreeMap::from([("system".to_owned(), self.system.clone())]);
            let things = match kind {
                Kind::Load => &self.load,
                Kind::System => &system,
                Kind::Service => &self.services,
                Kind::Database => &self.databases,
                Kind::Call => &self.calls,
            };
            for (subject, figures) in things {
                entries.extend(read(kind, subject, figures));
            }
        }
        Sheet {
            scenario: self.scenario.clone(),
            world: self.world,
            seed: self.seed,
            entries,
            expect: self.expect.iter().map(|(text, held)| (text.clone(), *held)).collect(),
            series: Vec::new(),
            settings: self.settings.clone(),
            rounded: true,
        }
    }
}

/// The figures of one thing; those whose key is not known any more are left out.
fn read<'b>(kind: Kind, subject: &'b str, figures: &'b Figures) -> impl Iterator<Item = Entry> + 'b {
    let wholes = ["offered", "requests", "queries", "calls"];
    let whole = wholes.iter().find_map(|key| figures.get(*key).copied().flatten()).map(|number| number.0);
    figures.iter().filter_map(move |(key, value)| {
        let metric = metric_by_key(key)?;
        let whole = whole.filter(|_| metric.unit == Unit::Part);
        Some(Entry { kind, subject: subject.to_owned(), metric, value: value.map(|number| number.0), whole })
    })
}
