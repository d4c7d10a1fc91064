//! Proves the blame: the same storm again without each thing as the limit, and again with each setting that might have
//! helped. Whatever is claimed was run.

use rayon::prelude::*;
use serde::Serialize;
use squall_model::SimTime;
use squall_model::plan::Plan;
use squall_telemetry::report::{Cause, CauseKind, Expectation, Finding, Report, SCHEMA};

use super::edit;
use super::measure::{self, Measure};
use super::settings::{self, Setting};
use super::variants::{self, Variant};
use crate::topologies::Topology;

/// At most so many settings are tried.
const MOST_RUNS: usize = 1_500;
/// Less harm than this is none.
const HARM: f64 = 0.001;
/// So many times the p99 of a healthy run is slow.
const SLOW: f64 = 1.5;
/// So many times the p99 of a healthy run is too late.
const LATE: f64 = 4.0;
/// A number is narrowed down so many times.
const NARROWINGS: usize = 6;

/// What was found out.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Diagnosis {
    pub(crate) schema: u32,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
    /// The run as it is.
    pub(crate) base: Measure,
    /// The same without any fault.
    pub(crate) healthy: Option<Measure>,
    pub(crate) verdicts: Vec<Finding>,
    pub(crate) causes: Vec<Cause>,
    pub(crate) expect: Vec<Expectation>,
    /// Without each thing, whoever brings back most first.
    pub(crate) blame: Vec<Blame>,
    /// What taking a fault away brings once requests fail.
    pub(crate) triggers: Vec<Trigger>,
    /// Settings that would have helped, the best first.
    pub(crate) helps: Vec<Help>,
    /// The smallest change that makes all expectations hold; without any that failed, the one that helps most.
    pub(crate) suggestion: Option<Suggestion>,
    /// So many runs it took.
    pub(crate) runs: usize,
}

/// The run without one thing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Blame {
    pub(crate) component: String,
    pub(crate) kind: String,
    /// `without fault db-slow (latency)`.
    pub(crate) what: String,
    /// Of what users lost, the share that came back; below 0 it got worse.
    pub(crate) back: f64,
    pub(crate) measure: Measure,
}

/// A fault that is taken away in the middle of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Trigger {
    pub(crate) fault: String,
    /// When: requests had begun to fail.
    pub(crate) removed_at_s: f64,
    /// Whether it had ended by itself.
    pub(crate) over_already: bool,
    pub(crate) back: f64,
    pub(crate) measure: Measure,
}

/// The run with another setting.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Help {
    /// `a timeout of 300ms on order -> inventory`.
    pub(crate) what: String,
    /// As `--set` takes it.
    pub(crate) set: String,
    pub(crate) back: f64,
    pub(crate) measure: Measure,
}

/// A change to make.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) what: String,
    /// As `--set` takes it.
    pub(crate) set: String,
    /// The change to the file, for `patch`; `null` where its text cannot be changed mechanically.
    pub(crate) diff: Option<String>,
    /// Whether all expectations hold with it.
    pub(crate) pass: bool,
    pub(crate) back: f64,
    pub(crate) measure: Measure,
    /// The file with the change in it.
    #[serde(skip)]
    pub(crate) text: Option<String>,
}

/// A topology to diagnose.
pub(crate) struct Patient<'t> {
    pub(crate) topology: &'t Topology,
    /// What overrides the file.
    pub(crate) sets: Vec<(String, String)>,
    pub(crate) plan: Plan,
}

/// Is told of so many more runs that will be, and of each that was.
#[derive(Clone, Copy)]
pub(crate) enum Progress {
    Planned(u64),
    Ran,
}

/// Finds out. `None` if it was interrupted.
pub(crate) fn diagnose(patient: &Patient<'_>, progress: &(dyn Fn(Progress) + Sync)) -> Option<Diagnosis> {
    let plan = &patient.plan;
    let report = measure::run(plan)?;
    let healthy = match variants::healthy(plan) {
        Some(plan) => Some(Measure::of(&measure::run(&plan)?, f64::MAX)),
        None => None,
    };
    let best_p99 = healthy.and_then(|healthy| healthy.p99_ms);
    let slow_ms = best_p99.map_or(f64::MAX, |p99| LATE * p99);
    let base = Measure::of(&report, slow_ms);
    let scale = Scale { base, best_p99, slow_ms, progress };
    if scale.is_well() && base.pass {
        let nothing = (Vec::new(), Vec::new(), Vec::new());
        return Some(written(&report, (base, healthy), nothing, None));
    }
    let (blame, triggers) = (blame(plan, &scale)?, triggers(plan, &report, &scale)?);
    let tried = try_settings(patient, &report, &scale)?;
    let suggestion = suggest(patient, &tried, &scale)?;
    let mut helps: Vec<Help> =
        tried.iter().filter(|(_, help)| help.back > 0.01).map(|(_, help)| help.clone()).collect();
    helps.sort_by(|a, b| b.back.total_cmp(&a.back));
    Some(written(&report, (base, healthy), (blame, triggers, helps), suggestion.map(|found| (found, tried.len()))))
}

fn written(
    report: &Report,
    (base, healthy): (Measure, Option<Measure>),
    (blame, triggers, helps): (Vec<Blame>, Vec<Trigger>, Vec<Help>),
    suggestion: Option<(Suggestion, usize)>,
) -> Diagnosis {
    let tried = suggestion.as_ref().map_or(0, |(_, tried)| *tried);
    Diagnosis {
        schema: SCHEMA,
        scenario: report.scenario.clone(),
        seed: report.seed,
        base,
        healthy,
        verdicts: report.verdicts.clone(),
        causes: report.causes.clone(),
        expect: report.expect.clone(),
        runs: 1 + usize::from(healthy.is_some()) + blame.len() + triggers.len() + tried,
        blame,
        triggers,
        helps,
        suggestion: suggestion.map(|(found, _)| found),
    }
}

/// What "back" is measured by.
struct Scale<'p> {
    base: Measure,
    best_p99: Option<f64>,
    /// Answers that take longer than this are slow.
    slow_ms: f64,
    progress: &'p (dyn Fn(Progress) + Sync),
}

impl Scale<'_> {
    /// A run in figures.
    fn measure(&self, plan: &Plan) -> Option<Measure> {
        let measure = Measure::of(&measure::run(plan)?, self.slow_ms);
        (self.progress)(Progress::Ran);
        Some(measure)
    }

    fn planned(&self, runs: usize) {
        (self.progress)(Progress::Planned(runs as u64));
    }

    /// Whether users lost nothing worth mentioning.
    fn is_well(&self) -> bool {
        self.base.harm() < HARM && !self.is_slow()
    }

    fn is_slow(&self) -> bool {
        let pair = self.base.p99_ms.zip(self.best_p99);
        pair.is_some_and(|(base, best)| base > SLOW * best)
    }

    /// The share of the harm that is gone; where there was none but slowness, the share of that.
    fn back(&self, variant: &Measure) -> f64 {
        let back = if self.base.harm() >= HARM {
            1.0 - variant.harm() / self.base.harm()
        } else {
            match (self.base.p99_ms, variant.p99_ms, self.best_p99) {
                (Some(base), Some(variant), Some(best)) if base > best => (base - variant) / (base - best),
                _ => 0.0,
            }
        };
        (back * 1e4).round() / 1e4
    }
}

fn blame(plan: &Plan, scale: &Scale<'_>) -> Option<Vec<Blame>> {
    let variants = variants::all(plan);
    scale.planned(variants.len());
    let run = |variant: Variant| {
        let measure = scale.measure(&variant.plan)?;
        let Variant { component, kind, what, .. } = variant;
        Some(Blame { component, kind: kind.to_owned(), what, back: scale.back(&measure), measure })
    };
    let mut blame: Vec<Blame> = variants.into_par_iter().map(run).collect::<Option<_>>()?;
    // Equal ones stay in order: faults, databases, services, calls.
    blame.sort_by(|a, b| b.back.total_cmp(&a.back));
    Some(blame)
}

fn triggers(plan: &Plan, report: &Report, scale: &Scale<'_>) -> Option<Vec<Trigger>> {
    let failed = report.causes.iter().filter(|cause| cause.kind == CauseKind::Failed).map(|cause| cause.at_s);
    let Some(at_s) = failed.reduce(f64::min) else { return Some(Vec::new()) };
    let at = SimTime::from_nanos((at_s * 1e9) as u64);
    let removed = variants::triggers_removed(plan, at);
    scale.planned(removed.len());
    let run = |(fault, over_already, plan): (String, bool, Plan)| {
        let measure = scale.measure(&plan)?;
        Some(Trigger { fault, removed_at_s: at_s, over_already, back: scale.back(&measure), measure })
    };
    removed.into_par_iter().map(run).collect()
}

/// Runs the file with each setting; those that the format refuses are left out.
fn try_settings(patient: &Patient<'_>, report: &Report, scale: &Scale<'_>) -> Option<Vec<(Setting, Help)>> {
    let mut settings = settings::all(&patient.plan);
    if settings.len() > MOST_RUNS {
        // What the story tells of comes first.
        let told = |setting: &Setting| {
            report.causes.iter().any(|cause| {
                let way = cause.because.iter().flat_map(|because| &because.along);
                way.chain([&cause.subject]).any(|name| setting.component.contains(name.as_str()))
            })
        };
        settings.sort_by_key(|setting| !told(setting));
        settings.truncate(MOST_RUNS);
    }
    scale.planned(settings.len());
    let tried: Option<Vec<Option<_>>> =
        settings.into_par_iter().map(|setting| try_one(patient, setting, scale)).collect();
    Some(tried?.into_iter().flatten().collect())
}

/// `None` if it was interrupted, `Some(None)` if the setting is refused.
#[expect(clippy::option_option, reason = "an interruption ends everything, a refusal only this")]
fn try_one(patient: &Patient<'_>, setting: Setting, scale: &Scale<'_>) -> Option<Option<(Setting, Help)>> {
    let Some(plan) = with(patient, &setting) else { return Some(None) };
    let measure = scale.measure(&plan)?;
    let set = format!("{}={}", setting.dotted(), setting.value);
    let help = Help { what: setting.what.clone(), set, back: scale.back(&measure), measure };
    Some(Some((setting, help)))
}

/// The plan with a setting.
fn with(patient: &Patient<'_>, setting: &Setting) -> Option<Plan> {
    let mut sets = patient.sets.clone();
    sets.push((setting.dotted(), setting.value.clone()));
    patient.topology.plan_quietly(&sets).ok()
}

/// The smallest change that makes everything hold, or the one that helps most.
#[expect(clippy::option_option, reason = "an interruption ends everything, finding nothing does not")]
fn suggest(patient: &Patient<'_>, tried: &[(Setting, Help)], scale: &Scale<'_>) -> Option<Option<Suggestion>> {
    let (setting, help) = if scale.base.pass {
        let better = tried.iter().filter(|(_, help)| help.back > 0.01);
        // Of those that are as good, the smallest change.
        let best = better.max_by(|(a, x), (b, y)| {
            let [x, y] = [x, y].map(|help| (help.back * 100.0).round());
            x.total_cmp(&y).then(b.size.total_cmp(&a.size))
        });
        let Some(best) = best.cloned() else { return Some(None) };
        best
    } else {
        let smallest =
            tried.iter().filter(|(_, help)| help.measure.pass).min_by(|(a, _), (b, _)| a.size.total_cmp(&b.size));
        let Some(smallest) = smallest.cloned() else { return Some(None) };
        narrowed(patient, smallest, scale)?
    };
    let text = changed_text(patient, &setting);
    let name = &patient.topology.name;
    let name = if name.contains('.') { name.clone() } else { format!("{name}.yaml") };
    let diff = text.as_ref().map(|text| edit::diff(&name, [patient.topology.text(), text]));
    let Help { what, set, back, measure } = help;
    Some(Some(Suggestion { what, set, diff, pass: measure.pass, back, measure, text }))
}

/// The least number that still makes everything hold.
fn narrowed(patient: &Patient<'_>, found: (Setting, Help), scale: &Scale<'_>) -> Option<(Setting, Help)> {
    let (mut setting, mut help) = found;
    let Some((now, mut good)) = setting.number else { return Some((setting, help)) };
    let mut bad = now;
    for _ in 0..NARROWINGS {
        let between = rounded(u32::midpoint(bad, good));
        if between <= bad || between >= good {
            break;
        }
        match try_one(patient, setting.with_number(between), scale)? {
            Some((smaller, with)) if with.measure.pass => (setting, help, good) = (smaller, with, between),
            _ => bad = between,
        }
    }
    Some((setting, help))
}

/// A number that a person would choose: two digits that matter.
fn rounded(number: u32) -> u32 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

/// The file with the setting in it, if that is the very same experiment as with the override.
fn changed_text(patient: &Patient<'_>, setting: &Setting) -> Option<String> {
    let text = edit::put(patient.topology.text(), &setting.path, &setting.value)?;
    let changed = patient.topology.with_text(text.clone()).plan_quietly(&patient.sets).ok()?;
    let digest = |plan: &Plan| measure::run(plan).map(|report| report.digest);
    (digest(&changed)? == digest(&with(patient, setting)?)?).then_some(text)
}
