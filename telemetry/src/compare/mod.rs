//! Holds runs against others: every figure that changed, ranked by how much it matters, which way it went, and whether it
//! went too far. Knows nothing of files, and not how it is shown.
//!
//! Two runs in virtual time with the same seed have no noise: every difference is real. Over several seeds, runs with the
//! same seed are pairs (they met the same storm), and a change counts if the bootstrap interval of its mean leaves out 0.
//! Live runs are noisy: several on each side are compared as groups (bootstrap interval and Mann-Whitney, corrected for
//! how many figures are looked at); of one on each side, the noise is estimated from their seconds.

mod noise;
mod rule;
mod sheet;
#[cfg(test)]
mod tests;
mod wording;

use serde::Serialize;

use crate::figures::{Better, Kind, Metric, Unit};
use crate::report::World;
use crate::stats::{self, Interval, MannWhitney, bootstrap, mann_whitney, mean};

pub use rule::{Rule, USUAL, metric};
pub use sheet::{BASELINE, Baseline, Entry, Sheet};

/// The share of comparisons of equal systems that may be called a change.
const FALSE_ALARMS: f64 = 0.05;

/// What a comparison came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The topologies' names.
    pub scenario: [String; 2],
    /// How the runs were held against one another.
    pub evidence: Evidence,
    /// Pairs of runs, or runs of the smaller side.
    pub runs: usize,
    /// All together.
    pub verdict: Verdict,
    /// One sentence for people.
    pub sentence: String,
    /// Every figure that changed, the most important first.
    pub changes: Vec<Change>,
    /// Expectations that held in every base run and do not in every new one.
    pub broken: Vec<String>,
    /// Expectations that hold in every new run and did not in every base run.
    pub mended: Vec<String>,
    /// What makes the runs differ although nothing changed: another seed, another world.
    pub notes: Vec<String>,
    /// Settings that differ: path, before, after.
    pub settings: Vec<SettingChange>,
}

/// How runs were held against one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// One run each in virtual time: what differs, differs.
    Exact,
    /// Several pairs, each of the same seed.
    Pairs,
    /// Two groups of runs.
    Groups,
    /// One live run each, and the noise seen within them.
    Noise,
}

/// All changes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that counts has changed.
    Same,
    /// What got better weighs more than what got worse, and none of that is too much.
    Better,
    /// What got worse weighs more, but none of it is too much.
    Worse,
    /// Something got too much worse.
    Regressed,
}

/// Which way a figure went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The good way.
    Better,
    /// The bad way.
    Worse,
    /// Neither way is good or bad, or it may be noise.
    Neutral,
}

/// A figure that changed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// What kind of thing it is of.
    pub kind: Kind,
    /// The thing's name.
    pub subject: String,
    /// What is measured.
    pub metric: &'static Metric,
    /// What it was, on average; `None` if it had no value.
    pub base: Option<f64>,
    /// What it is, on average.
    pub new: Option<f64>,
    /// Which way it went.
    pub direction: Direction,
    /// Whether it is more than noise.
    pub counts: bool,
    /// Where the mean difference lies with 95 % confidence, where there are several runs.
    pub interval: Option<[f64; 2]>,
    /// How probable such a difference is by chance (Mann-Whitney), where there are several runs.
    pub p: Option<f64>,
    /// From 0 to 1: how much it matters.
    pub importance: f64,
    /// The rule that it breaks.
    pub breaks: Option<String>,
}

/// A setting that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SettingChange {
    /// Its path.
    pub path: String,
    /// As it was; `None` if it was not written.
    pub base: Option<String>,
    /// As it is.
    pub new: Option<String>,
}

/// Compares `new` runs with `base` runs. Neither may be empty; both are of one topology each.
pub fn compare(base: &[Sheet], new: &[Sheet], rules: &[Rule]) -> Comparison {
    let rounded = base.iter().chain(new).any(|sheet| sheet.rounded);
    let round = |sheets: &[Sheet]| -> Vec<Sheet> {
        sheets.iter().cloned().map(|sheet| if rounded { sheet.rounded() } else { sheet }).collect()
    };
    let (base, new) = (round(base), round(new));
    let sides = Sides { base: &base, new: &new, evidence: evidence(&base, &new) };
    let mut changes = sides.changes(rules);
    changes.sort_by(|a, b| b.importance.total_cmp(&a.importance));
    let name = |sheets: &[Sheet]| sheets.first().map(|sheet| sheet.scenario.clone()).unwrap_or_default();
    let mut comparison = Comparison {
        scenario: [name(&base), name(&new)],
        evidence: sides.evidence,
        runs: base.len().min(new.len()),
        verdict: Verdict::Same,
        sentence: String::new(),
        changes,
        notes: notes(&base, &new),
        broken: turned(&base, &new),
        mended: turned(&new, &base),
        settings: sides.settings(),
    };
    comparison.verdict = comparison.judged();
    comparison.sentence = wording::sentence(&comparison);
    comparison
}

impl Comparison {
    fn judged(&self) -> Verdict {
        let sum = |direction| -> f64 {
            let these = self.changes.iter().filter(|change| change.counts && change.direction == direction);
            these.map(|change| change.importance).sum()
        };
        let (better, worse) = (sum(Direction::Better), sum(Direction::Worse));
        if !self.broken.is_empty() || self.changes.iter().any(|change| change.breaks.is_some()) {
            Verdict::Regressed
        } else if better > 0.0 && better >= worse || worse == 0.0 && !self.mended.is_empty() {
            Verdict::Better
        } else if worse > 0.0 {
            Verdict::Worse
        } else {
            Verdict::Same
        }
    }
}

fn evidence(base: &[Sheet], new: &[Sheet]) -> Evidence {
    let sim = base.iter().chain(new).all(|sheet| sheet.world == World::Sim);
    let seeds = |sheets: &[Sheet]| sheets.iter().map(|sheet| sheet.seed).collect::<Vec<_>>();
    match (sim, base.len(), new.len()) {
        (true, 1, 1) => Evidence::Exact,
        (true, ..) if seeds(base) == seeds(new) => Evidence::Pairs,
        (false, 1, 1) => Evidence::Noise,
        _ => Evidence::Groups,
    }
}

fn notes(base: &[Sheet], new: &[Sheet]) -> Vec<String> {
    let (Some(a), Some(b)) = (base.first(), new.first()) else { return Vec::new() };
    let mut notes = Vec::new();
    if a.world != b.world {
        notes.push(
            "one side ran in virtual time, the other over real HTTP: `squall twin` knows what may differ".to_owned(),
        );
    }
    if base.len() == 1 && new.len() == 1 && a.seed != b.seed {
        notes.push(format!("the seeds differ: {} and {}", a.seed, b.seed));
    }
    notes
}

/// Expectations that held in every one of `before` and do not in every one of `after`.
fn turned(before: &[Sheet], after: &[Sheet]) -> Vec<String> {
    let held = |sheets: &[Sheet], text: &str| {
        let of = |sheet: &Sheet| sheet.expect.iter().find(|(line, _)| line == text).map(|(_, held)| *held);
        sheets.iter().map(of).collect::<Option<Vec<bool>>>().map(|all| all.iter().all(|held| *held))
    };
    let lines = before.first().map(|sheet| sheet.expect.as_slice()).unwrap_or_default();
    let turned = lines.iter().filter(|(text, _)| held(before, text) == Some(true) && held(after, text) == Some(false));
    turned.map(|(text, _)| text.clone()).collect()
}

struct Sides<'s> {
    base: &'s [Sheet],
    new: &'s [Sheet],
    evidence: Evidence,
}

impl Sides<'_> {
    fn changes(&self, rules: &[Rule]) -> Vec<Change> {
        let (Some(base), Some(new)) = (self.base.first(), self.new.first()) else { return Vec::new() };
        let only_new = new.entries.iter().filter(|entry| !base.entries.iter().any(|old| old.is_same_figure(entry)));
        // Of one load, all load together says the same once more.
        let alone =
            base.entries.iter().filter(|entry| entry.kind == Kind::Load && entry.metric.key == "offered").count() == 1;
        let said_already = |entry: &&Entry| alone && entry.kind == Kind::System;
        let all: Vec<&Entry> = base.entries.iter().chain(only_new).filter(|entry| !said_already(entry)).collect();
        let looked_at = all.iter().filter(|entry| rules.iter().any(|rule| rule.is_about(entry))).count();
        all.into_iter().filter_map(|entry| self.change(entry, rules, looked_at.max(1))).collect()
    }

    /// How one figure changed; `None` if it did not.
    fn change(&self, entry: &Entry, rules: &[Rule], looked_at: usize) -> Option<Change> {
        let values =
            |sheets: &[Sheet]| -> Vec<f64> { sheets.iter().filter_map(|sheet| value_of(sheet, entry)).collect() };
        let (before, after) = (values(self.base), values(self.new));
        let (base, new) = (mean(&before), mean(&after));
        if before == after {
            return None;
        }
        let (interval, test) = match self.evidence {
            Evidence::Exact | Evidence::Noise => (None, None),
            Evidence::Pairs => (self.of_pairs(entry), mann_whitney(&before, &after)),
            Evidence::Groups => (of_groups(&before, &after), mann_whitney(&before, &after)),
        };
        let counts = match (base, new) {
            (Some(_), Some(_)) => self.counts(entry, interval, test, looked_at),
            _ => true,
        };
        let direction = if counts { direction(entry.metric, base, new) } else { Direction::Neutral };
        let broken = |rule: &&Rule| counts && rule.is_about(entry) && breaks(rule, entry, base, new);
        Some(Change {
            kind: entry.kind,
            subject: entry.subject.clone(),
            metric: entry.metric,
            base,
            new,
            direction,
            counts,
            interval: interval.map(|interval| [interval.low, interval.high]),
            p: test.map(|test| test.p),
            importance: importance(entry, base, new) * if counts { 1.0 } else { 0.1 },
            breaks: rules.iter().find(broken).map(|rule| rule.text.clone()),
        })
    }

    fn of_pairs(&self, entry: &Entry) -> Option<Interval> {
        let pair = |(base, new): (&Sheet, &Sheet)| Some(value_of(new, entry)? - value_of(base, entry)?);
        let differences: Vec<f64> = self.base.iter().zip(self.new).filter_map(pair).collect();
        let drawn = |at: &[usize]| mean(&at.iter().map(|at| differences[*at]).collect::<Vec<_>>());
        bootstrap(differences.len(), 1.0 - FALSE_ALARMS, drawn)
    }

    /// Whether a change is more than noise.
    fn counts(&self, entry: &Entry, interval: Option<Interval>, test: Option<MannWhitney>, looked_at: usize) -> bool {
        let share = FALSE_ALARMS / looked_at as f64;
        match self.evidence {
            Evidence::Exact => true,
            Evidence::Pairs => interval.is_some_and(|interval| !interval.holds(0.0)),
            Evidence::Groups => {
                interval.is_some_and(|interval| !interval.holds(0.0)) && test.is_some_and(|test| test.p < share)
            }
            Evidence::Noise => {
                let series = |sheets: &[Sheet]| {
                    let of = |sheet: &Sheet| sheet.series.iter().find(|(name, _)| *name == entry.subject).cloned();
                    sheets.first().and_then(of).filter(|_| entry.kind == Kind::Load)
                };
                let (Some((_, base)), Some((_, new))) = (series(self.base), series(self.new)) else { return false };
                let interval = noise::interval(entry.metric, &base, &new, 1.0 - share);
                interval.is_some_and(|interval| !interval.holds(0.0))
            }
        }
    }

    fn settings(&self) -> Vec<SettingChange> {
        let (Some(base), Some(new)) = (self.base.first(), self.new.first()) else { return Vec::new() };
        if base.settings.is_empty() || new.settings.is_empty() {
            return Vec::new();
        }
        let paths: std::collections::BTreeSet<&String> = base.settings.keys().chain(new.settings.keys()).collect();
        let change = |path: &&String| base.settings.get(*path) != new.settings.get(*path);
        let changed = paths.into_iter().filter(change).map(|path| SettingChange {
            path: path.clone(),
            base: base.settings.get(path).cloned(),
            new: new.settings.get(path).cloned(),
        });
        changed.collect()
    }
}

fn value_of(sheet: &Sheet, entry: &Entry) -> Option<f64> {
    sheet.entries.iter().find(|other| other.is_same_figure(entry)).and_then(Entry::compared)
}

/// The difference of two groups' means.
fn of_groups(base: &[f64], new: &[f64]) -> Option<Interval> {
    let groups = base.len() + new.len();
    if base.len() < 2 || new.len() < 2 {
        return None;
    }
    // One draw of indices serves both groups: each takes its own length of it.
    bootstrap(groups, 1.0 - FALSE_ALARMS, |drawn| {
        let of = |values: &[f64], drawn: &[usize]| {
            stats::mean(&drawn.iter().map(|at| values[at % values.len()]).collect::<Vec<_>>())
        };
        Some(of(new, &drawn[base.len()..])? - of(base, &drawn[..base.len()])?)
    })
}

fn direction(metric: &Metric, base: Option<f64>, new: Option<f64>) -> Direction {
    let rises = match (base, new) {
        (Some(base), Some(new)) if base == new => return Direction::Neutral,
        (Some(base), Some(new)) => new > base,
        // A latency that is there no more: nothing was answered.
        (Some(_), None) if metric.unit == Unit::Milliseconds => true,
        (None, Some(_)) if metric.unit == Unit::Milliseconds => false,
        _ => return Direction::Neutral,
    };
    match (metric.better, rises) {
        (Better::Neither, _) => Direction::Neutral,
        (Better::Less, true) | (Better::More, false) => Direction::Worse,
        _ => Direction::Better,
    }
}

fn breaks(rule: &Rule, entry: &Entry, base: Option<f64>, new: Option<f64>) -> bool {
    match (base, new) {
        (Some(base), Some(new)) => rule.is_broken(base, new),
        (Some(_), None) => direction(entry.metric, base, new) == Direction::Worse && rule.is_broken(0.0, f64::MAX),
        _ => false,
    }
}

/// How much a change matters: what is measured, of what kind of thing, and how far it moved.
fn importance(entry: &Entry, base: Option<f64>, new: Option<f64>) -> f64 {
    let moved = match (entry.metric.unit, base, new) {
        (_, None, _) | (_, _, None) => 1.0,
        (Unit::Part | Unit::Share, Some(a), Some(b)) => (2.0 * (b - a).abs()).min(1.0),
        (Unit::Rate, Some(a), Some(b)) => (2.0 * (b - a).abs() / a.abs().max(b.abs())).min(1.0),
        (_, Some(a), Some(b)) => (b - a).abs() / a.abs().max(b.abs()),
    };
    let of_kind = match entry.kind {
        Kind::Load => 1.0,
        Kind::System => 0.8,
        Kind::Service | Kind::Call => 0.5,
        Kind::Database => 0.4,
    };
    f64::from(entry.metric.weight) / 10.0 * of_kind * moved
}
