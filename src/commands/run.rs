//! `squall run`: one experiment, from a file to a report and an exit code.

use std::io;
use std::path::Path;
use std::time::Instant;

use squall_model::Span;
use squall_model::plan::Plan;
use squall_telemetry::report::{Report, Verdict, World};
use squall_telemetry::{Recorder, Recording, Run as Ran, step_for};

use crate::cli::Run;
use crate::exit::Exit;
use crate::interrupt::Watch;
use crate::live;
use crate::output;
use crate::report::{html, json, text};
use crate::topologies::Topology;

/// Runs the experiment and reports it.
pub(crate) fn run(run: &Run, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&run.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, warnings)) = topology.plan(&run.overrides)? else { return Ok(Exit::Wrong) };
    let to_stdout = run.json.as_deref() == Some(Path::new("-"));
    if !quiet && !to_stdout {
        output::problem(&warnings)?;
    }
    let Some((mut report, interrupted)) = storm(run, &plan)? else { return Ok(Exit::CouldNotRun) };
    report.source = Some(topology.source(|file| run.again(file, plan.seed)));
    if let Some(path) = &run.html
        && !write_page(&report, path)?
    {
        return Ok(Exit::CouldNotRun);
    }
    hand_in(&plan, &report, interrupted, (run.json.as_deref(), quiet))
}

/// Hands in a report: as JSON where that is wanted, as text unless standard output is taken or nobody wants to hear of
/// what held. Answers what it means for the exit code.
pub(crate) fn hand_in(
    plan: &Plan,
    report: &Report,
    interrupted: bool,
    (json, quiet): (Option<&Path>, bool),
) -> io::Result<Exit> {
    if let Some(path) = json
        && !write_json(report, path)?
    {
        return Ok(Exit::CouldNotRun);
    }
    let silent = json == Some(Path::new("-")) || quiet && report.verdict == Verdict::Pass;
    if !silent {
        output::result(&text::render(report, plan, output::width(), text::Style::Color))?;
    }
    Ok(match report.verdict {
        _ if interrupted => Exit::Interrupted,
        Verdict::Pass => Exit::Held,
        Verdict::Fail => Exit::Failed,
    })
}

/// Runs a plan in the world that was asked for. Complains and gives `None` if that cannot be.
fn storm(run: &Run, plan: &Plan) -> io::Result<Option<(Report, bool)>> {
    if !run.live {
        return Ok(Some(in_virtual_time(plan)));
    }
    match live::storm(plan, run.base_port) {
        Ok(stormed) => Ok(Some((Report::new(plan, &stormed.recording, &stormed.run), stormed.cut_short))),
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            Ok(None)
        }
    }
}

/// Runs a plan to its end, or until Ctrl-C; answers its report and whether it was cut short.
pub(crate) fn in_virtual_time(plan: &Plan) -> (Report, bool) {
    let mut watch = Watch::new(plan);
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let began = Instant::now();
    let ended = squall_engine::run_while(plan, &mut recorder, |now| watch.go_on(now));
    let recording: Recording = recorder.finish(ended.at);
    let wall = Span::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let ran = Ran { world: World::Sim, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    (Report::new(plan, &recording, &ran), ended.cut_short)
}

/// Writes the report; complains and answers `false` if that does not work.
fn write_json(report: &Report, path: &Path) -> io::Result<bool> {
    let text = json::render(report)?;
    if path == Path::new("-") {
        output::result(&text)?;
        return Ok(true);
    }
    write(path, &text)
}

/// Writes the page; complains and answers `false` if that does not work.
fn write_page(report: &Report, path: &Path) -> io::Result<bool> {
    write(path, &html::render(report).map_err(io::Error::other)?)
}

fn write(path: &Path, text: &str) -> io::Result<bool> {
    match std::fs::write(path, text) {
        Ok(()) => Ok(true),
        Err(error) => {
            output::error(&format!("cannot write `{}`: {error}", path.display()), None)?;
            Ok(false)
        }
    }
}
