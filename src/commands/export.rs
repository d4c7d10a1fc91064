//! `squall export`: files for other programs, to standard output.

use std::io;

use crate::cli::{Export, ExportSweep};
use crate::exit::Exit;
use crate::export::{k8s_sweep, slurm_sweep};
use crate::output;
use crate::seeds;
use crate::sweep::Seeds;
use crate::sweep::define::Wanted;
use crate::sweep::design::Design;
use crate::topologies::Topology;

/// Writes what was asked for.
pub(crate) fn run(export: &Export) -> io::Result<Exit> {
    match export {
        Export::K8sSweep(typed) => sweep(typed, k8s_sweep::render),
        Export::SlurmSweep(typed) => sweep(typed, |typed, scenario, _| slurm_sweep::render(typed, scenario)),
    }
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
