//! `squall check`: everything that is wrong with some topologies, without running them.

use std::io;

use crate::cli::{Check, Overrides};
use crate::exit::Exit;
use crate::output;
use crate::topologies::Topology;

/// Checks each file; all must be fine.
pub(crate) fn run(check: &Check, quiet: bool) -> io::Result<Exit> {
    let mut exit = Exit::Held;
    for file in &check.files {
        exit = exit.max(check_one(file, &check.overrides, quiet)?);
    }
    Ok(exit)
}

fn check_one(file: &str, overrides: &Overrides, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(file)? else { return Ok(Exit::Wrong) };
    let Some(loaded) = topology.load(overrides)? else { return Ok(Exit::Wrong) };
    if quiet {
        return Ok(Exit::Held);
    }
    topology.warn(&loaded, overrides)?;
    let services = counted(loaded.topology.services.len(), "service");
    let loads = counted(loaded.topology.load.len(), "load");
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    output::result(&format!("{file}: ok, {services}, {loads}{warnings}\n"))?;
    Ok(Exit::Held)
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
