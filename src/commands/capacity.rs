//! `squall capacity`: goodput against offered load, up and down again.

use std::io;
use std::path::Path;

use squall_model::Span;
use squall_model::spec::decode::Scalar as _;

use crate::cli::Capacity;
use crate::exit::Exit;
use crate::output;
use crate::report::{html, text};
use crate::topologies::Topology;
use crate::why::capacity::{Failed, climb};

/// Steps shorter than this say nothing.
const SHORTEST: Span = Span::from_secs(2);

/// Finds the capacity of one topology.
pub(crate) fn run(command: &Capacity, quiet: bool) -> io::Result<Exit> {
    let Some(hold) = Span::parse(&command.hold).ok().filter(|hold| *hold >= SHORTEST) else {
        let what = format!("`--hold {}` is not a time of at least 2s", command.hold);
        output::error(&what, Some("write it like `--hold 10s`"))?;
        return Ok(Exit::Wrong);
    };
    let Some(topology) = Topology::find(&command.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&command.overrides)? else { return Ok(Exit::Wrong) };
    crate::interrupt::listen();
    let mut found = match climb(&plan, hold, command.up_to) {
        Ok(found) => found,
        Err(Failed::Interrupted) => return Ok(Exit::Interrupted),
        Err(Failed::NoLoad) => {
            output::error("nobody asks for anything", Some("the topology needs a `load`"))?;
            return Ok(Exit::Wrong);
        }
    };
    found.run.source = Some(topology.source(|file| command.again(file, plan.seed)));
    if let Some(path) = &command.html
        && !output::write(path, html::render_capacity(&found).map_err(io::Error::other)?.as_bytes())?
    {
        return Ok(Exit::CouldNotRun);
    }
    if let Some(path) = &command.json {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    let taken = [&command.json, &command.html].into_iter().flatten().any(|path| path == Path::new("-"));
    if !quiet && !taken {
        output::result(&text::capacity(&found, output::width(), text::Style::Color))?;
    }
    Ok(Exit::Held)
}
