//! `squall up`: the services of a topology over real HTTP, without load, until Ctrl-C.

use std::io;
use std::path::Path;

use squall_model::plan::Plan;
use squall_services::{Desk, Doors};

use crate::cli::{Up, quoted};
use crate::commands::run::live_page;
use crate::exit::Exit;
use crate::live::{self, Changes, Part};
use crate::output;
use crate::topologies::Topology;

/// Starts them and waits.
pub(crate) fn run(up: &Up, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&up.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, warnings)) = topology.plan(&up.overrides)? else { return Ok(Exit::Wrong) };
    if !quiet {
        output::problem(&warnings)?;
    }
    let part = match &up.peers {
        None => None,
        Some(peers) => {
            let Some(part) = part(&plan, up, peers)? else { return Ok(Exit::Wrong) };
            Some(part)
        }
    };
    let page = if up.ui {
        let source = topology.source(|file| format!("squall up --ui {}", quoted(file)));
        Some(live_page(&plan, source)?)
    } else {
        None
    };
    let changes = Changes::of(topology, up.overrides.sets());
    match live::up(&plan, up.settings.into(), (changes, part, page), announce) {
        Ok(()) => Ok(Exit::Held),
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            Ok(Exit::CouldNotRun)
        }
    }
}

/// The part of the plan that this process runs; complains about everything that is wrong with it.
fn part(plan: &Plan, up: &Up, peers: &Path) -> io::Result<Option<Part>> {
    let text = match std::fs::read_to_string(peers) {
        Ok(text) => text,
        Err(error) => {
            output::error(&format!("cannot read `{}`: {error}", peers.display()), None)?;
            return Ok(None);
        }
    };
    match Part::new(plan, &up.only, &text, &up.allow_remote) {
        Ok(part) => Ok(Some(part)),
        Err(problems) => {
            problems.iter().try_for_each(|problem| output::error(problem, None))?;
            Ok(None)
        }
    }
}

/// Names and addresses go where results go, the desk's token does not.
fn announce(doors: &Doors, desk: &Desk) -> io::Result<()> {
    super::run::announce(desk)?;
    let lines: Vec<_> = doors.addresses().map(|(name, address)| format!("{name} http://{address}\n")).collect();
    output::result(&format!("{}ready\n", lines.concat()))
}
