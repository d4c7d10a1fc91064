//! `squall export`: a topology as other tools' files.

use std::io;

use squall_exchange::export::{self, Exported, Format, Options};

use crate::cli::{Export, ExportFor, ExportSweep};
use crate::exit::Exit;
use crate::export::{k8s_sweep, slurm_sweep};
use crate::output;
use crate::seeds;
use crate::sweep::Seeds;
use crate::sweep::define::Wanted;
use crate::sweep::design::Design;
use crate::topologies::Topology;

/// Writes the file, and says what it cannot say.
pub(crate) fn run(export: &Export, quiet: bool) -> io::Result<Exit> {
    match &export.sweep {
        Some(ExportFor::K8sSweep(typed)) => return sweep(typed, k8s_sweep::render),
        Some(ExportFor::SlurmSweep(typed)) => {
            return sweep(typed, |typed, scenario, _| slurm_sweep::render(typed, scenario));
        }
        None => {}
    }
    let (Some(name), Some(file), false) = (&export.format, &export.file, export.formats) else { return list() };
    let Some((_, format, _)) = Format::ALL.iter().find(|(known, ..)| known == name) else { return list() };
    let Some(topology) = Topology::find(file)? else { return Ok(Exit::Wrong) };
    let Some(loaded) = topology.load(&export.overrides)? else { return Ok(Exit::Wrong) };
    let in_container = file.rsplit('/').next().unwrap_or(file);
    let in_container =
        if in_container.ends_with("yaml") { in_container.to_owned() } else { format!("{in_container}.yaml") };
    let options =
        Options { of: export.of.clone(), image: export.image.clone(), file: in_container, base_port: export.base_port };
    match export::export(*format, &loaded.topology, &options) {
        Ok(exported) => hand_over(export, &exported, quiet),
        Err(why) => {
            output::error(&why, None)?;
            Ok(Exit::Wrong)
        }
    }
}

fn hand_over(export: &Export, exported: &Exported, quiet: bool) -> io::Result<Exit> {
    if !quiet {
        let notes: Vec<String> = exported.notes.iter().map(|note| format!("not said: {note}\n")).collect();
        output::problem(&notes.concat())?;
    }
    match export.output.as_deref().filter(|path| path.as_os_str() != "-") {
        None => output::result(&exported.text)?,
        Some(path) => {
            if let Err(error) = std::fs::write(path, &exported.text) {
                output::error(&format!("cannot write `{}`: {error}", path.display()), None)?;
                return Ok(Exit::CouldNotRun);
            }
        }
    }
    Ok(Exit::Held)
}

fn list() -> io::Result<Exit> {
    let line = |(name, _, about): &(&str, Format, &str)| format!("{name:<14}{about}\n");
    output::result(&Format::ALL.iter().map(line).collect::<String>())?;
    Ok(Exit::Held)
}

/// A sweep that could run here, as text for whatever runs it elsewhere.
fn sweep(typed: &ExportSweep, render: impl Fn(&ExportSweep, &str, &str) -> String) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&typed.file)? else { return Ok(Exit::Wrong) };
    let seeds = match typed.seeds.as_deref().map(seeds::parse).transpose() {
        Ok(seeds) => seeds.map(Seeds::These),
        Err(what) => {
            output::error(&format!("--seeds: {what}"), None)?;
            return Ok(Exit::Wrong);
        }
    };
    let text = topology.text().to_owned();
    let design = match (typed.random, typed.latin) {
        (Some(count), _) => Design::Random(count as usize),
        (_, Some(count)) => Design::Latin(count as usize),
        _ => Design::Grid,
    };
    let space = &typed.space;
    let wanted = Wanted {
        topology,
        sets: space.set.clone(),
        fixed: space.duration.iter().map(|duration| ("duration".to_owned(), duration.clone())).collect(),
        design,
        design_seed: 1,
        seeds,
        goals: space.goal.clone(),
        only_goals: space.only_goals,
        figures: Vec::new(),
        all_figures: false,
    };
    let Some(sweep) = wanted.sweep()? else { return Ok(Exit::Wrong) };
    if usize::from(typed.shards) > sweep.variants.len() {
        let what = format!("{} shards for {} variants", typed.shards, sweep.variants.len());
        output::error(&what, Some("a shard is one variant at least"))?;
        return Ok(Exit::Wrong);
    }
    let Some(Ok(plan)) = sweep.variants.first().map(|variant| sweep.plan(variant)) else { return Ok(Exit::Wrong) };
    output::result(&render(typed, &plan.name, &text))?;
    Ok(Exit::Held)
}
