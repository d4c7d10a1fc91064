//! `squall diagnose`: what failed first and why, each component's blame by re-running without it, and the smallest change
//! that makes every expectation hold.

use std::io;
use std::path::Path;

use crate::cli::Diagnose;
use crate::commands::sweep::bar;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::threads;
use crate::report::text;
use crate::topologies::Topology;
use crate::why::diagnose::{Diagnosis, Patient, Progress, diagnose};

/// Diagnoses one topology.
pub(crate) fn run(command: &Diagnose, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&command.file)? else { return Ok(Exit::Wrong) };
    let mut overrides = command.overrides.clone();
    if !command.expect.is_empty() {
        overrides.set.push(("expect".to_owned(), serde_json::to_string(&command.expect)?));
    }
    let Some((plan, _)) = topology.plan(&overrides)? else { return Ok(Exit::Wrong) };
    crate::interrupt::listen();
    let patient = Patient { topology: &topology, sets: overrides.sets(), plan };
    let bar = bar(0, quiet);
    let progress = |progress| match progress {
        Progress::Planned(runs) => bar.inc_length(runs),
        Progress::Ran => bar.inc(1),
    };
    let found = threads(command.threads).install(|| diagnose(&patient, &progress));
    bar.finish_and_clear();
    let Some(found) = found else { return Ok(Exit::Interrupted) };
    hand_in(command, &found, quiet)
}

fn hand_in(command: &Diagnose, found: &Diagnosis, quiet: bool) -> io::Result<Exit> {
    if let Some(path) = &command.json {
        let text = serde_json::to_string_pretty(found)? + "\n";
        if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    if let Some(path) = &command.write {
        let Some(text) = found.suggestion.as_ref().and_then(|suggestion| suggestion.text.as_ref()) else {
            output::error("there is no change to write", Some("leave `--write` out to see why"))?;
            return Ok(Exit::CouldNotRun);
        };
        if !output::write(path, text.as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    let taken = [&command.json, &command.write].into_iter().flatten().any(|path| path == Path::new("-"));
    if !quiet && !taken {
        output::result(&text::diagnosis(found, output::width(), text::Style::Color))?;
    }
    Ok(if found.base.pass { Exit::Held } else { Exit::Failed })
}
