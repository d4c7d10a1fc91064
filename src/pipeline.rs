//! What becomes of runs: reports on the terminal, JSON, baselines kept or held against, and the files that pipelines
//! read. Runs nothing.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use squall_model::plan::Plan;
use squall_telemetry::compare::{Baseline, Comparison, Rule, Sheet, Verdict, compare};
use squall_telemetry::report::{self, Report};
use squall_telemetry::sentence;

use crate::baseline;
use crate::cli::{self, Ci};
use crate::exit::Exit;
use crate::live::Failed;
use crate::output;
use crate::report::ci::{Case, github, junit, markdown};
use crate::report::{comparison, html, json, text};
use crate::topologies::Topology;

/// One topology that was run.
pub(crate) struct Ran {
    /// Its file.
    pub(crate) topology: Topology,
    /// What was run.
    pub(crate) plan: Plan,
    /// What came of it.
    pub(crate) report: Report,
    /// Whether it was interrupted.
    pub(crate) cut_short: bool,
    /// What ended it before its time.
    pub(crate) died: Option<Failed>,
}

/// What is wanted of runs.
pub(crate) struct Pipeline<'c> {
    run: &'c cli::Run,
    rules: Vec<Rule>,
    /// A file and what was kept in it, for each topology.
    kept: Vec<Option<Baseline>>,
    quiet: bool,
}

/// A pool of as many threads as wanted; of all cores without a wish.
pub(crate) fn threads(wanted: Option<u16>) -> rayon::ThreadPool {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A machine that has no more threads to give may still have one.
    pool(wanted.map_or_else(cores, usize::from)).or_else(|_| pool(1)).unwrap_or_else(|error| {
        let _ = output::error(&format!("no threads: {error}"), None);
        std::process::exit(Exit::CouldNotRun as i32)
    })
}

/// The rules as typed, or the usual ones. Complains about every wrong one and gives `None`.
pub(crate) fn rules(typed: &[String]) -> io::Result<Option<Vec<Rule>>> {
    if typed.is_empty() {
        return Ok(Some(Rule::usual()));
    }
    let mut rules = Vec::new();
    for text in typed {
        match Rule::parse(text) {
            Ok(rule) => rules.push(rule),
            Err((what, hint)) => output::error(&format!("--fail: {what}"), Some(&hint))?,
        }
    }
    Ok((rules.len() == typed.len()).then_some(rules))
}

/// Complains about rules whose subject is nowhere in the runs; whether there are none.
pub(crate) fn subjects_exist(rules: &[Rule], sheets: &[Sheet]) -> io::Result<bool> {
    let mut fine = true;
    for rule in rules {
        let about = |sheet: &Sheet| sheet.entries.iter().any(|entry| rule.is_about(entry));
        if !sheets.iter().any(about) {
            fine = false;
            let mut names: Vec<&str> =
                sheets.iter().flat_map(|sheet| &sheet.entries).map(|entry| entry.subject.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            let hint = rule.subject().map(|subject| squall_model::spec::did_you_mean(subject, &names));
            output::error(&format!("--fail: `{}` is about nothing in these runs", rule.text), hint.as_deref())?;
        }
    }
    Ok(fine)
}

impl<'c> Pipeline<'c> {
    /// Looks at what is wanted before anything runs. Complains and gives `None` if it cannot be.
    pub(crate) fn of(run: &'c cli::Run, quiet: bool) -> io::Result<Option<Self>> {
        let several = run.files.len() > 1;
        for (wanted, option) in [(run.hdr.is_some(), "--hdr"), (run.html.is_some(), "--html")] {
            if several && wanted {
                output::error(&format!("{option} takes one topology"), None)?;
                return Ok(None);
            }
        }
        let Some(rules) = rules(&run.fail)? else { return Ok(None) };
        let mut kept = Vec::new();
        for file in &run.files {
            let path = run.baseline.as_deref().map(|path| baseline_path(path, file, several));
            match path {
                None => kept.push(None),
                Some(path) => match baseline::read(&path)? {
                    Some(baseline) => kept.push(Some(baseline)),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(Self { run, rules, kept, quiet }))
    }

    /// Hands in everything that is wanted; answers what it means for the exit code.
    pub(crate) fn hand_in(&self, ran: &[Ran]) -> io::Result<Exit> {
        let comparisons: Vec<Option<Comparison>> =
            ran.iter().zip(&self.kept).map(|(ran, kept)| Some(self.held_against(ran, kept.as_ref()?))).collect();
        let sheets: Vec<Sheet> = ran.iter().map(|ran| Sheet::of(&ran.report)).collect();
        if !self.run.fail.is_empty() && !subjects_exist(&self.rules, &sheets)? {
            return Ok(Exit::Wrong);
        }
        let cases: Vec<Case<'_>> =
            ran.iter().zip(&comparisons).map(|(ran, comparison)| case(ran, comparison.as_ref())).collect();
        if !self.write_json(ran)?
            || !self.write_html(ran)?
            || !self.keep(ran)?
            || !write_ci(&self.run.ci, &cases, self.json_on_stdout())?
        {
            return Ok(Exit::CouldNotRun);
        }
        if !self.json_on_stdout() {
            self.show(ran, &cases)?;
        }
        let mut exit = Exit::Held;
        for (ran, case) in ran.iter().zip(&cases) {
            if let Some(died) = &ran.died {
                output::error(&died.to_string(), died.hint())?;
                exit = exit.max(Exit::CouldNotRun);
            }
            let own = if ran.cut_short {
                Exit::Interrupted
            } else if case.passed() {
                Exit::Held
            } else {
                Exit::Failed
            };
            exit = exit.max(own);
        }
        Ok(exit)
    }

    fn held_against(&self, ran: &Ran, kept: &Baseline) -> Comparison {
        let settings = ran.topology.settings().into_iter().map(|setting| (setting.path, setting.value));
        let sets = self.run.overrides.set.iter().cloned();
        let now = Sheet::of(&ran.report).with_settings(settings.chain(sets));
        compare(&[kept.sheet()], &[now], &self.rules)
    }

    fn json_on_stdout(&self) -> bool {
        self.run.json.as_deref() == Some(Path::new("-"))
    }

    fn write_json(&self, ran: &[Ran]) -> io::Result<bool> {
        let Some(path) = &self.run.json else { return Ok(true) };
        let text = match ran {
            [ran] if self.run.files.len() == 1 => json::render(&ran.report)?,
            several => json::render_all(several.iter().map(|ran| &ran.report))?,
        };
        if self.json_on_stdout() {
            output::result(&text)?;
            return Ok(true);
        }
        output::write(path, text.as_bytes())
    }

    fn write_html(&self, ran: &[Ran]) -> io::Result<bool> {
        let (Some(path), Some(ran)) = (&self.run.html, ran.first()) else { return Ok(true) };
        output::write(path, html::render(&ran.report).map_err(io::Error::other)?.as_bytes())
    }

    fn keep(&self, ran: &[Ran]) -> io::Result<bool> {
        let Some(path) = &self.run.save_baseline else { return Ok(true) };
        let several = self.run.files.len() > 1;
        for (ran, file) in ran.iter().zip(&self.run.files).filter(|(ran, _)| !ran.cut_short && ran.died.is_none()) {
            let settings = ran.topology.settings().into_iter().map(|setting| (setting.path, setting.value));
            let sheet = Sheet::of(&ran.report).with_settings(settings.chain(self.run.overrides.set.iter().cloned()));
            if !baseline::write(&baseline_path(path, file, several), &Baseline::of(&sheet))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The whole report of one topology; of several a line each, and the whole of those that failed.
    fn show(&self, ran: &[Ran], cases: &[Case<'_>]) -> io::Result<()> {
        let several = self.run.files.len() > 1;
        for (ran, case) in ran.iter().zip(cases) {
            let held = ran.report.verdict == report::Verdict::Pass;
            let wanted = if several { !held } else { !(self.quiet && held) };
            if wanted {
                output::result(&text::render(&ran.report, &ran.plan, output::width(), text::Style::Color))?;
                output::result("\n")?;
            }
            if let Some(found) = case.comparison
                && (found.verdict == Verdict::Regressed || !self.quiet && !several)
            {
                let names = ["baseline", ran.topology.name.as_str()];
                output::result(&(comparison::render(found, names, false) + "\n"))?;
            }
        }
        if several && !self.quiet {
            output::result(&summary(ran, cases))?;
        }
        Ok(())
    }
}

/// Of several topologies, each has a file in a folder, called after it; so has a single one where the path is a folder's, or could
/// be no other's: today's only topology of a repository is tomorrow's first of several.
fn baseline_path(path: &Path, file: &str, several: bool) -> PathBuf {
    let is_folder = path.is_dir() || path.extension().is_none() && !path.exists();
    if !several && !is_folder {
        return path.to_owned();
    }
    let stem = Path::new(file).file_stem().unwrap_or_default();
    path.join(stem).with_extension("json")
}

fn case<'c>(ran: &'c Ran, comparison: Option<&'c Comparison>) -> Case<'c> {
    let lines = ran.plan.expect.iter().map(|expect| ran.topology.line(expect.at)).collect();
    let changed_at = comparison.and_then(|comparison| changed_at(&ran.topology, comparison));
    let file = ran.topology.path();
    Case { file, name: &ran.report.scenario, report: Some(&ran.report), lines, comparison, changed_at }
}

/// The line of the first setting that differs; of one that is there no more, of its nearest neighbour.
pub(crate) fn changed_at(topology: &Topology, comparison: &Comparison) -> Option<usize> {
    let settings = topology.settings();
    let exact = comparison.settings.iter().find_map(|change| settings.iter().find(|s| s.path == change.path));
    let near = || {
        let gone = comparison.settings.first()?;
        let shared = |path: &str| path.split('.').zip(gone.path.split('.')).take_while(|(a, b)| a == b).count();
        settings.iter().max_by_key(|setting| shared(&setting.path))
    };
    topology.line(exact.or_else(near)?.at)
}

/// Writes the files that pipelines read; complains and answers `false` if that does not work.
pub(crate) fn write_ci(ci: &Ci, cases: &[Case<'_>], stdout_is_taken: bool) -> io::Result<bool> {
    if let Some(path) = &ci.junit {
        let text = junit::render(cases).map_err(io::Error::other)?;
        if !output::write(path, text.as_bytes())? {
            return Ok(false);
        }
    }
    let summary = || markdown::render(cases) + "\n";
    if let Some(path) = &ci.summary
        && !append(path, &summary())?
    {
        return Ok(false);
    }
    if ci.github {
        let lines = github::render(cases);
        if stdout_is_taken {
            output::problem(&lines)?;
        } else {
            output::result(&lines)?;
        }
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
            && !append(Path::new(&path), &summary())?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds to a file: several steps share one.
fn append(path: &Path, text: &str) -> io::Result<bool> {
    let written =
        OpenOptions::new().create(true).append(true).open(path).and_then(|mut f| f.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(true),
        Err(error) => {
            output::error(&format!("cannot write `{}`: {error}", path.display()), None)?;
            Ok(false)
        }
    }
}

/// A line a topology, and how many passed.
fn summary(ran: &[Ran], cases: &[Case<'_>]) -> String {
    let passed = cases.iter().filter(|case| case.passed()).count();
    let widest = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (ran, case) in ran.iter().zip(cases) {
        let word = if case.passed() { text::good("PASS") } else { text::bad("FAIL") };
        let regression = case.comparison.filter(|found| found.verdict == Verdict::Regressed);
        let sentence = regression.map_or_else(|| sentence::of(&ran.report), |found| found.sentence.clone());
        out += &format!("{word}  {:<widest$}  {sentence}\n", case.name);
    }
    format!("{out}\n{passed} of {} passed\n", cases.len())
}
