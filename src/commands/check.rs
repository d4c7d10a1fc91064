//! `squall check`: everything that is wrong with some topologies, without running them.

use std::io;

use squall_model::spec::{Problem, Severity};

use crate::cli::Check;
use crate::exit::Exit;
use crate::output;
use crate::topologies::Topology;

/// Checks each file; all must be fine.
pub(crate) fn run(check: &Check, quiet: bool) -> io::Result<Exit> {
    let mut exit = Exit::Held;
    for file in &check.files {
        exit = exit.max(check_one(file, check, quiet)?);
    }
    Ok(exit)
}

fn check_one(file: &str, check: &Check, quiet: bool) -> io::Result<Exit> {
    let overrides = &check.overrides;
    let Some(topology) = Topology::find(file)? else { return Ok(Exit::Wrong) };
    let Some(mut loaded) = topology.load(overrides)? else { return Ok(Exit::Wrong) };
    if topology.compile(&loaded, overrides)?.is_none() {
        return Ok(Exit::Wrong);
    }
    let denied = sort_out(&mut loaded.warnings, check);
    let exit = if denied > 0 { Exit::Failed } else { Exit::Held };
    if quiet {
        loaded.warnings.retain(|problem| problem.severity == Severity::Error);
    }
    topology.warn(&loaded, overrides)?;
    if quiet || exit == Exit::Failed {
        return Ok(exit);
    }
    let services = counted(loaded.topology.services.len(), "service");
    let loads = counted(loaded.topology.load.len(), "load");
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    output::result(&format!("{file}: ok, {services}, {loads}{warnings}\n"))?;
    Ok(Exit::Held)
}

/// Leaves out what is allowed, and makes errors of what is denied; answers how many.
fn sort_out(problems: &mut Vec<Problem>, check: &Check) -> usize {
    let of = |lints: &[String], problem: &Problem| problem.lint.is_some_and(|lint| lints.iter().any(|one| one == lint));
    problems.retain(|problem| !of(&check.allow, problem));
    let denied = problems.iter_mut().filter(|problem| of(&check.deny, problem));
    denied.map(|problem| problem.severity = Severity::Error).count()
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
