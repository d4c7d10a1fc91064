//! `squall compare`: two topologies, or what was reported of runs, and whether the new one is worse.

use std::io;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use squall_model::plan::Plan;
use squall_telemetry::compare::{Comparison, Sheet, Verdict, compare};
use squall_telemetry::report::Report;

use crate::baseline;
use crate::cli::{Compare, Overrides};
use crate::commands::run::unseen;
use crate::exit::Exit;
use crate::interrupt;
use crate::output;
use crate::pipeline::{changed_at, rules, subjects_exist, threads, write_ci};
use crate::report::ci::Case;
use crate::report::{comparison, html};
use crate::seeds;
use crate::topologies::Topology;
use crate::why::traces;

/// Compares, and says so in every way that was asked for.
pub(crate) fn run(typed: &Compare, quiet: bool) -> io::Result<Exit> {
    let seeds = match typed.seeds.as_deref().map(seeds::parse).transpose() {
        Ok(seeds) => seeds.or(typed.seed.map(|seed| vec![seed])),
        Err(what) => {
            output::error(&format!("--seeds: {what}"), None)?;
            return Ok(Exit::Wrong);
        }
    };
    let rules = rules(&typed.fail)?;
    let (base, new) = (Side::find(&typed.base)?, Side::find(&typed.new)?);
    let (Some(rules), Some(base), Some(new)) = (rules, base, new) else { return Ok(Exit::Wrong) };
    if !matches!(new, Side::Topology(_)) && !typed.set.is_empty() {
        output::error("--set changes NEW, and that is no topology", Some("name a topology file"))?;
        return Ok(Exit::Wrong);
    }
    let seeds = seeds.or_else(|| new.seeds()).or_else(|| base.seeds());
    let overrides = Overrides { seed: None, duration: typed.duration.clone(), set: Vec::new() };
    let changed = Overrides { set: typed.set.clone(), ..overrides.clone() };
    let sheets = [(&base, &overrides), (&new, &changed)]
        .map(|(side, overrides)| side.sheets(overrides, seeds.as_deref(), typed.threads));
    let [before, after] = sheets;
    let (Some(before), Some(after)) = (before?, after?) else { return Ok(Exit::Wrong) };
    if interrupt::pressed() {
        return Ok(Exit::Interrupted);
    }
    if !typed.fail.is_empty() && !subjects_exist(&rules, &[before.as_slice(), after.as_slice()].concat())? {
        return Ok(Exit::Wrong);
    }
    let found = compare(&before, &after, &rules);
    if let Some(path) = &typed.html {
        let seed = seeds.as_ref().and_then(|seeds| seeds.first().copied());
        let sides = [(&*typed.base, &base, &overrides), (&*typed.new, &new, &changed)];
        if let Some(exit) = write_page(sides, seed, &found, path)? {
            return Ok(exit);
        }
    }
    hand_in(typed, &new, &found, quiet)
}

/// Writes both runs as one page. Complains and answers the exit code if that cannot be.
fn write_page(
    [base, new]: [(&str, &Side, &Overrides); 2],
    seed: Option<u64>,
    found: &Comparison,
    path: &Path,
) -> io::Result<Option<Exit>> {
    let (before, after) = (base.1.pictured(base, seed)?, new.1.pictured(new, seed)?);
    let (Some(before), Some(after)) = (before, after) else {
        let hint = "compare topologies, or reports that `squall run FILE --json REPORT` wrote";
        output::error("a baseline has no figures over time, so there is nothing to draw", Some(hint))?;
        return Ok(Some(Exit::Wrong));
    };
    let [one, other] = [base.0, new.0].map(called);
    let other = if one == other { format!("{other}, changed") } else { other };
    let page = html::render_both([(&one, &before), (&other, &after)], found).map_err(io::Error::other)?;
    Ok((!output::write(path, page.as_bytes())?).then_some(Exit::CouldNotRun))
}

/// What a side is called on the page: its file's name without folder and ending.
fn called(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn hand_in(typed: &Compare, new: &Side, found: &Comparison, quiet: bool) -> io::Result<Exit> {
    let regressed = found.verdict == Verdict::Regressed;
    let to_stdout = typed.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &typed.json {
        let text = serde_json::to_string_pretty(found)? + "\n";
        if to_stdout {
            output::result(&text)?;
        } else if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    let topology = if let Side::Topology(topology) = new { Some(topology) } else { None };
    let case = Case {
        file: topology.and_then(|topology| topology.path()),
        name: &found.scenario[1],
        report: None,
        lines: Vec::new(),
        comparison: Some(found),
        changed_at: topology.and_then(|topology| changed_at(topology, found)),
    };
    if !write_ci(&typed.ci, &[case], to_stdout)? {
        return Ok(Exit::CouldNotRun);
    }
    if !to_stdout && (regressed || !quiet) {
        output::result(&comparison::render(found, [&typed.base, &typed.new], typed.all))?;
    }
    Ok(if regressed { Exit::Failed } else { Exit::Held })
}

/// One side of a comparison.
enum Side {
    /// To be run.
    Topology(Topology),
    /// Already run: what was reported or kept.
    Sheets(Vec<Sheet>),
}

impl Side {
    /// What `name` is. Complains and gives `None` if it is nothing that can be compared.
    fn find(name: &str) -> io::Result<Option<Self>> {
        let path = Path::new(name);
        if path.is_dir() {
            return Self::of_folder(path);
        }
        match std::fs::read_to_string(path) {
            Ok(text) if is_json(&text) => match sheets(&text) {
                Ok(sheets) => Ok(Some(Self::Sheets(sheets))),
                Err(why) => {
                    let hint = "`squall run FILE --json REPORT` writes a report, `--save-baseline FILE` a baseline";
                    output::error(&format!("`{name}` is neither a report nor a baseline: {why}"), Some(hint))?;
                    Ok(None)
                }
            },
            _ => Ok(Topology::find(name)?.map(Self::Topology)),
        }
    }

    /// The reports of a folder: runs of the same thing.
    fn of_folder(path: &Path) -> io::Result<Option<Self>> {
        let mut files: Vec<_> = std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        let mut all = Vec::new();
        for file in &files {
            match std::fs::read_to_string(file).map_err(|error| error.to_string()).and_then(|text| sheets(&text)) {
                Ok(mut sheets) => all.append(&mut sheets),
                Err(why) => {
                    output::error(&format!("`{}` is no report: {why}", file.display()), None)?;
                    return Ok(None);
                }
            }
        }
        let one = all.first().map(|sheet| sheet.scenario.clone());
        let what = match one {
            None => format!("there are no reports in `{}`", path.display()),
            Some(name) if all.iter().any(|sheet| sheet.scenario != name) => {
                format!("the reports in `{}` are of different topologies", path.display())
            }
            Some(_) => return Ok(Some(Self::Sheets(all))),
        };
        output::error(&what, Some("a folder holds the reports of repeated runs of one topology"))?;
        Ok(None)
    }

    /// The seeds it ran with, if it ran already.
    fn seeds(&self) -> Option<Vec<u64>> {
        match self {
            Self::Topology(_) => None,
            Self::Sheets(sheets) => Some(sheets.iter().map(|sheet| sheet.seed).collect()),
        }
    }

    /// What is compared of it, running it where it has not run. Complains and gives `None` if that cannot be.
    fn sheets(
        &self,
        overrides: &Overrides,
        seeds: Option<&[u64]>,
        wanted: Option<u16>,
    ) -> io::Result<Option<Vec<Sheet>>> {
        let topology = match self {
            Self::Sheets(sheets) => return Ok(Some(sheets.clone())),
            Self::Topology(topology) => topology,
        };
        let Some((plan, _)) = topology.plan(overrides)? else { return Ok(None) };
        let seeds = seeds.map_or_else(|| vec![plan.seed], <[u64]>::to_vec);
        interrupt::listen();
        let sets = overrides.set.clone();
        let settings: Vec<_> = topology.settings().into_iter().map(|s| (s.path, s.value)).chain(sets).collect();
        let one = |seed: &u64| {
            let plan = Plan { seed: *seed, ..plan.clone() };
            let (report, _) = unseen(&plan);
            Sheet::of(&report).with_settings(settings.iter().cloned())
        };
        Ok(Some(threads(wanted).install(|| seeds.par_iter().map(one).collect())))
    }
}

impl Side {
    /// A whole report of this side, run for this where it is a topology. `None` if only figures were kept.
    fn pictured(
        &self,
        (name, _, overrides): (&str, &Self, &Overrides),
        seed: Option<u64>,
    ) -> io::Result<Option<Report>> {
        let topology = match self {
            Self::Sheets(_) => return kept(Path::new(name)),
            Self::Topology(topology) => topology,
        };
        let Some((plan, _)) = topology.plan(overrides)? else { return Ok(None) };
        let plan = Plan { seed: seed.unwrap_or(plan.seed), ..plan };
        let (mut report, _) = unseen(&plan);
        report.traces = traces::telling(&plan, &report);
        report.source = Some(topology.source(|file| overrides.again(file, false, plan.seed)));
        Ok(Some(report))
    }
}

/// The first report in a file or a folder; `None` if there is none.
fn kept(path: &Path) -> io::Result<Option<Report>> {
    let mut file = path.to_owned();
    if path.is_dir() {
        let files = std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let json = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
        let Some(first) = json.min() else { return Ok(None) };
        file = first;
    }
    let text = std::fs::read_to_string(file)?;
    let one = serde_json::from_str(&text).ok();
    Ok(one.or_else(|| serde_json::from_str::<Vec<Report>>(&text).ok()?.into_iter().next()))
}

/// Whether a text is one of ours in JSON, and not a topology.
fn is_json(text: &str) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    match value {
        Some(serde_json::Value::Array(_)) => true,
        Some(value) => value.get("schema").is_some() || value.get("baseline").is_some(),
        None => false,
    }
}

/// What was reported or kept: a report, a list of them, or a baseline.
fn sheets(text: &str) -> Result<Vec<Sheet>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("baseline").is_some() {
        return baseline::parse(text).map(|baseline| vec![baseline.sheet()]);
    }
    let reports: Vec<Report> = if value.is_array() {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        vec![serde_json::from_str(text).map_err(|error| error.to_string())?]
    };
    if reports.is_empty() { Err("it is empty".to_owned()) } else { Ok(reports.iter().map(Sheet::of).collect()) }
}
