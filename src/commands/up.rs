//! `squall up`: the services of a topology over real HTTP, without load, until Ctrl-C.

use std::io;

use squall_services::{Desk, Doors};

use crate::cli::Up;
use crate::exit::Exit;
use crate::live::{self, Changes};
use crate::output;
use crate::topologies::Topology;

/// Starts them and waits.
pub(crate) fn run(up: &Up, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&up.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, warnings)) = topology.plan(&up.overrides)? else { return Ok(Exit::Wrong) };
    if !quiet {
        output::problem(&warnings)?;
    }
    match live::up(&plan, up.settings.into(), Changes::of(topology, up.overrides.sets()), announce) {
        Ok(()) => Ok(Exit::Held),
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            Ok(Exit::CouldNotRun)
        }
    }
}

fn announce(doors: &Doors, desk: &Desk) -> io::Result<()> {
    super::run::announce(desk)?;
    let lines: Vec<_> = doors.addresses().map(|(name, address)| format!("{name} http://{address}\n")).collect();
    output::result(&format!("{}ready\n", lines.concat()))
}
