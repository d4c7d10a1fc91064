//! `squall sweep`: one topology in many variants; and `sweep merge`, which puts parts of one together.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use squall_model::spec::Share;
use squall_model::spec::decode::Scalar as _;

use crate::cli::{Merge, Sweep as Typed, SweepCommand, SweepOutputs};
use crate::exit::Exit;
use crate::output;
use crate::pipeline::threads;
use crate::report::sweep::{csv, html, jsonl, table};
use crate::seeds;
use crate::sweep::define::Wanted;
use crate::sweep::design::Design;
use crate::sweep::manifest::Manifest;
use crate::sweep::results::Results;
use crate::sweep::store::Store;
use crate::sweep::{Means, Runs, Seeds, Shard, Sweep, Trouble};
use crate::topologies::Topology;

/// Sweeps, or merges.
pub(crate) fn run(typed: &Typed, quiet: bool) -> io::Result<Exit> {
    if let Some(SweepCommand::Merge(merge)) = &typed.command {
        return self::merge(merge, quiet);
    }
    let Some(shard) = shard(typed)? else { return Ok(Exit::Wrong) };
    let Some(wanted) = wanted(typed)? else { return Ok(Exit::Wrong) };
    let manifest = Manifest::of(&wanted);
    let Some(sweep) = wanted.sweep()? else { return Ok(Exit::Wrong) };
    let (folder, kept) = match (&typed.store, cache_folder()) {
        (Some(folder), _) => (Some(folder.clone()), true),
        (None, cache) => (cache.map(|cache| cache.join(sweep.id())), false),
    };
    let store = match folder.as_deref().map(Store::open).transpose() {
        Ok(store) => store,
        Err(error) if !kept => {
            // Without a place for it, an interrupted sweep begins anew; it runs all the same.
            output::problem(&format!("results are not kept while it runs: {error}\n"))?;
            None
        }
        Err(error) => return could_not(typed.store.as_deref(), &error),
    };
    if let (true, Some(folder)) = (kept, &folder)
        && let Err(error) = manifest.write(folder, &sweep.id())
    {
        return could_not(Some(folder), &error);
    }
    let bar = bar(sweep.count(shard), quiet);
    let progress = |more: u64| bar.inc(more);
    let means = Means { store: store.as_ref(), runs: true, progress: &progress };
    let done = threads(typed.threads).install(|| sweep.runs(shard, means));
    bar.finish_and_clear();
    match done {
        Ok(runs) if shard == Shard::WHOLE => {
            let exit = hand_in(&sweep, runs, &typed.outputs, quiet)?;
            if let (false, Some(folder), Exit::Held) = (kept, &folder, exit) {
                // What is done needs no place to go on from.
                let _ = fs::remove_dir_all(folder);
            }
            Ok(exit)
        }
        Ok(runs) => {
            if !quiet {
                output::result(&shard_done(shard, &runs, folder.as_deref()))?;
            }
            Ok(Exit::Held)
        }
        Err(trouble) => complain(&sweep, &trouble, folder.as_deref()),
    }
}

fn shard(typed: &Typed) -> io::Result<Option<Shard>> {
    match typed.shard.as_deref().map(Shard::parse).transpose() {
        Ok(shard) => Ok(Some(shard.unwrap_or(Shard::WHOLE))),
        Err(what) => {
            output::error(&format!("--shard: {what}"), None)?;
            Ok(None)
        }
    }
}

/// What was typed, as far as it can be read. Complains and gives `None` if it cannot.
fn wanted(typed: &Typed) -> io::Result<Option<Wanted>> {
    let Ok(seeds) = seeds_of(typed)? else { return Ok(None) };
    let Some(topology) = Topology::find(typed.file.as_deref().unwrap_or_default())? else { return Ok(None) };
    let design = match (typed.random, typed.latin) {
        (Some(count), _) => Design::Random(count as usize),
        (_, Some(count)) => Design::Latin(count as usize),
        _ => Design::Grid,
    };
    let space = &typed.space;
    Ok(Some(Wanted {
        topology,
        sets: space.set.clone(),
        fixed: space.duration.iter().map(|duration| ("duration".to_owned(), duration.clone())).collect(),
        design,
        design_seed: typed.design_seed,
        seeds,
        goals: space.goal.clone(),
        only_goals: space.only_goals,
        figures: typed.figure.clone(),
        all_figures: typed.all_figures,
    }))
}

/// The seeds as typed; `Err` if they cannot be read, which has been complained about.
fn seeds_of(typed: &Typed) -> io::Result<Result<Option<Seeds>, ()>> {
    let complain = |what: String| output::error(&what, None).map(|()| Err(()));
    if let Some(text) = &typed.until_interval {
        return match Share::parse(text) {
            Ok(share) if share.0 > 0.0 && share.0 < 0.5 => {
                Ok(Ok(Some(Seeds::Until { half_width: share.0, most: typed.max_seeds })))
            }
            _ => complain(format!("--until-interval: `{text}` is no share between 0 and 50%, such as 1%")),
        };
    }
    match typed.seeds.as_deref().map(seeds::parse).transpose() {
        Ok(seeds) => Ok(Ok(seeds.map(Seeds::These))),
        Err(what) => complain(format!("--seeds: {what}")),
    }
}

/// Puts shards together: nothing is run, and what is missing is counted.
fn merge(typed: &Merge, quiet: bool) -> io::Result<Exit> {
    let manifests = match Manifest::all(&typed.folders) {
        Ok(manifests) => manifests,
        Err(what) => {
            output::error(&what, None)?;
            return Ok(Exit::Wrong);
        }
    };
    let Some(manifest) = chosen(typed, manifests)? else { return Ok(Exit::Wrong) };
    let wanted = match manifest.wanted() {
        Ok(wanted) => wanted,
        Err(what) => {
            output::error(&format!("this sweep cannot be merged: {what}"), None)?;
            return Ok(Exit::Wrong);
        }
    };
    let Some(sweep) = wanted.sweep()? else { return Ok(Exit::Wrong) };
    let store = match Store::of_all(&typed.folders) {
        Ok(store) => store,
        Err(error) => return could_not(typed.folders.first().map(PathBuf::as_path), &error),
    };
    let means = Means { store: Some(&store), runs: false, progress: &|_| {} };
    match sweep.runs(Shard::WHOLE, means) {
        Ok(runs) => hand_in(&sweep, runs, &typed.outputs, quiet),
        Err(trouble) => complain(&sweep, &trouble, None),
    }
}

fn chosen(typed: &Merge, mut manifests: Vec<(String, Manifest)>) -> io::Result<Option<Manifest>> {
    if let Some(id) = &typed.id {
        manifests.retain(|(known, _)| known.starts_with(id.as_str()));
    }
    let ids: Vec<String> = manifests.iter().map(|(id, _)| id.clone()).collect();
    let what = match manifests.len() {
        1 => return Ok(manifests.pop().map(|(_, manifest)| manifest)),
        0 => "there is no such sweep in these folders".to_owned(),
        count => format!("these folders hold {count} sweeps"),
    };
    let hint = if ids.is_empty() {
        "`squall sweep … --shard 1/4 --store FOLDER` puts one there".to_owned()
    } else {
        format!("say which: --id {}", ids.join(", --id "))
    };
    output::error(&what, Some(&hint))?;
    Ok(None)
}

/// Writes results in one format.
type Writer = fn(&Results, &mut dyn Write) -> io::Result<()>;

/// Writes and shows what was found.
fn hand_in(sweep: &Sweep, runs: Vec<Runs>, outputs: &SweepOutputs, quiet: bool) -> io::Result<Exit> {
    let first = sweep.variants.first().and_then(|variant| sweep.plan(variant).ok());
    let scenario = first.map(|plan| plan.name).unwrap_or_default();
    let results = Results::new(sweep, runs, &scenario);
    let mut stdout_is_taken = false;
    let files: [(&Option<PathBuf>, Writer); 3] = [
        (&outputs.jsonl, |results, mut out| jsonl::write(results, &mut out)),
        (&outputs.csv, |results, mut out| csv::write(results, &mut out)),
        (&outputs.html, |results, out| out.write_all(html::render(results).as_bytes())),
    ];
    for (path, write) in files {
        let Some(path) = path else { continue };
        if path == Path::new("-") {
            stdout_is_taken = true;
            let mut out = BufWriter::new(io::stdout().lock());
            write(&results, &mut out)?;
            out.flush()?;
            continue;
        }
        let written = fs::File::create(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            write(&results, &mut out)?;
            out.flush()
        });
        if let Err(error) = written {
            return could_not(Some(path), &error);
        }
    }
    if !stdout_is_taken && !quiet {
        output::result(&table::render(&results))?;
    }
    Ok(Exit::Held)
}

fn shard_done(shard: Shard, runs: &[Runs], folder: Option<&Path>) -> String {
    let all: usize = runs.iter().map(|runs| runs.records.len()).sum();
    let folder = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
    let Shard { number, of } = shard;
    format!(
        "shard {number} of {of}: {} variants, {all} runs in {folder}\nwhen all shards are there: squall sweep merge {folder}\n",
        runs.len()
    )
}

fn complain(sweep: &Sweep, trouble: &Trouble, folder: Option<&Path>) -> io::Result<Exit> {
    match trouble {
        Trouble::Wrong(..) => {
            sweep.complain(trouble)?;
            Ok(Exit::Wrong)
        }
        Trouble::Interrupted => {
            let how = if folder.is_some() { "; the same command goes on from here" } else { "" };
            output::problem(&format!("interrupted{how}\n"))?;
            Ok(Exit::Interrupted)
        }
        Trouble::Store(error) => could_not(folder, error),
        Trouble::Missing(missing, all) => {
            let what = format!("{missing} of {all} runs are missing");
            output::error(&what, Some("run the shards that did not end again, then merge"))?;
            Ok(Exit::CouldNotRun)
        }
    }
}

fn could_not(path: Option<&Path>, error: &io::Error) -> io::Result<Exit> {
    let path = path.map(|path| path.display().to_string()).unwrap_or_default();
    output::error(&format!("cannot write `{path}`: {error}"), None)?;
    Ok(Exit::CouldNotRun)
}

/// Where results are kept while a sweep runs.
fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("squall").join("sweeps"))
}

/// How far it is, for a terminal.
pub(crate) fn bar(length: u64, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
