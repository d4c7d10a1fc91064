//! `squall isolate`: one service with its callees replaced by mocks, and its own ceiling.

use std::io;
use std::path::Path;

use squall_model::spec::did_you_mean;

use crate::cli::Isolate;
use crate::exit::Exit;
use crate::output;
use crate::report::text;
use crate::topologies::Topology;
use crate::why::isolate::{Failed, Subject, isolate};

/// Isolates one service.
pub(crate) fn run(command: &Isolate, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&command.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&command.overrides)? else { return Ok(Exit::Wrong) };
    let names: Vec<&str> = plan.services[..plan.real_services].iter().map(|service| service.name.as_str()).collect();
    let Some(service) = names.iter().position(|name| *name == command.service) else {
        let what = format!("there is no service `{}`", command.service);
        output::error(&what, Some(&did_you_mean(&command.service, &names)))?;
        return Ok(Exit::Wrong);
    };
    crate::interrupt::listen();
    let subject =
        Subject { topology: &topology, sets: command.overrides.sets(), plan: &plan, service, mocks: command.mocks };
    let found = match isolate(&subject) {
        Ok(found) => found,
        Err(Failed::Interrupted) => return Ok(Exit::Interrupted),
        Err(Failed::Refused(why)) => {
            output::error(&format!("`{}` cannot be isolated: {why}", command.service), None)?;
            return Ok(Exit::CouldNotRun);
        }
    };
    if let Some(path) = &command.json {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    if !quiet && command.json.as_deref() != Some(Path::new("-")) {
        output::result(&text::isolation(&found, output::width(), text::Style::Color))?;
    }
    Ok(Exit::Held)
}
