//! `squall tune`: the settings that reach the goals best, how robust they are, and the change to the file.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use squall_model::spec::Wish;

use crate::cli::Tune;

use crate::commands::sweep::bar;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::threads;
use crate::report::tune::{Told, render};
use crate::sweep::define::Wanted;
use crate::sweep::design::{Design, Variant};
use crate::sweep::{Sweep, Trouble};
use crate::topologies::Topology;
use crate::tune::robust::{self, Trials};
use crate::tune::{Found, Score, Search, patch};

/// Searches, and says what was found.
pub(crate) fn run(typed: &Tune, quiet: bool) -> io::Result<Exit> {
    let Some(wanted) = wanted(typed)? else { return Ok(Exit::Wrong) };
    let Some(sweep) = wanted.sweep()? else { return Ok(Exit::Wrong) };
    if sweep.axes.is_empty() {
        let hint = "--set services.a.calls.b.timeout=50ms..2s:log --set services.a.workers=10..200";
        output::error("there is nothing to search", Some(hint))?;
        return Ok(Exit::Wrong);
    }
    let bar = bar(u64::from(typed.candidates) * 4 + 400, quiet);
    let progress = |more: u64| bar.inc(more);
    let search = || Search::new(&sweep, u64::from(typed.seeds), &progress);
    let found = threads(typed.threads).install(|| {
        let found = search().find(typed.candidates as usize)?;
        let Some((winner, _)) = found.finalists.first() else { return Err(Trouble::Interrupted) };
        let robust = robust::run(&search(), winner)?;
        Ok((found, robust))
    });
    bar.finish_and_clear();
    match found {
        Ok((found, robust)) => hand_in(typed, &sweep, &found, &robust, quiet),
        Err(Trouble::Wrong(sets, problems)) => {
            sweep.complain(&Trouble::Wrong(sets, problems))?;
            Ok(Exit::Wrong)
        }
        Err(_) => Ok(Exit::Interrupted),
    }
}

/// What was typed. Without a figure to be great or small, goodput is to be great.
fn wanted(typed: &Tune) -> io::Result<Option<Wanted>> {
    let Some(topology) = Topology::find(&typed.file)? else { return Ok(None) };
    let space = &typed.space;
    let mut goals = space.goal.clone();
    let is_figure = |goal: &String| matches!(goal.split_whitespace().next(), Some("max" | "min"));
    if !goals.iter().any(is_figure) {
        goals.push("max system goodput".to_owned());
    }
    Ok(Some(Wanted {
        topology,
        sets: space.set.clone(),
        fixed: space.duration.iter().map(|duration| ("duration".to_owned(), duration.clone())).collect(),
        // The search chooses for itself.
        design: Design::Random(1),
        design_seed: 1,
        seeds: None,
        goals,
        only_goals: space.only_goals,
        figures: Vec::new(),
        all_figures: false,
    }))
}

fn hand_in(typed: &Tune, sweep: &Sweep, found: &Found, robust: &[Trials], quiet: bool) -> io::Result<Exit> {
    let Some((winner, best)) = found.finalists.first() else { return Ok(Exit::CouldNotRun) };
    let before = sweep.topology.text();
    let sets = sweep.sets(winner);
    let own: Vec<(String, String)> = sets.iter().filter(|(path, _)| path != "duration").cloned().collect();
    let patched = patch::apply(before, &own);
    let patched = patched.filter(|text| patch::is_same(before, &own, text, &|path| sweep.topology.file(path)));
    let name = sweep.topology.path().map_or_else(|| format!("{}.yaml", sweep.topology.name), str::to_owned);
    let difference = patched.as_ref().map(|text| patch::difference(&name, before, text));
    if let Some(path) = &typed.write {
        let Some(text) = &patched else {
            output::error("the file cannot be changed for this; use the --set options that are shown", None)?;
            return Ok(Exit::CouldNotRun);
        };
        if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    let to_stdout = typed.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &typed.json {
        let text = serde_json::to_string_pretty(&as_json(sweep, found, robust, difference.as_deref()))? + "\n";
        if to_stdout {
            output::result(&text)?;
        } else if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    let silent = to_stdout || quiet && best.holds();
    if !silent {
        let told = Told { sweep, found, robust, sets: &own, difference: difference.as_deref() };
        output::result(&render(&told))?;
    }
    Ok(if best.holds() { Exit::Held } else { Exit::Failed })
}

fn as_json(sweep: &Sweep, found: &Found, robust: &[Trials], difference: Option<&str>) -> Value {
    let goals: Vec<&str> = objectives(sweep);
    let score = |score: &Score| {
        let lines: Vec<Value> =
            sweep.lines.iter().zip(&score.lines).map(|(line, held)| json!({"text": line, "held": held})).collect();
        let objectives: serde_json::Map<String, Value> =
            goals.iter().zip(&score.objectives).map(|(goal, value)| ((*goal).to_owned(), json!(value))).collect();
        json!({"runs": score.runs, "held": score.held, "lines": lines, "goals": objectives})
    };
    let point = |(variant, of): &(Variant, Score)| {
        let set: serde_json::Map<String, Value> =
            sweep.axes.iter().zip(variant).map(|(axis, value)| (axis.path.clone(), json!(value))).collect();
        json!({"set": set, "score": score(of)})
    };
    let trials: Vec<Value> = robust
        .iter()
        .map(|of| json!({"what": of.what, "runs": of.runs, "held": of.held, "goals": of.objectives}))
        .collect();
    json!({
        "runs": found.runs,
        "before": score(&found.before),
        "best": found.finalists.first().map(point),
        "front": found.front.iter().map(point).collect::<Vec<_>>(),
        "robust": trials,
        "diff": difference,
    })
}

/// The goals that are figures, as typed.
fn objectives(sweep: &Sweep) -> Vec<&str> {
    let figures = sweep.goals.iter().filter(|goal| goal.wish != Wish::Hold);
    figures.map(|goal| goal.expectation.text.as_str()).collect()
}
