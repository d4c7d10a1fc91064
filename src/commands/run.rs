//! `squall run`: one experiment, from a file to a report and an exit code.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use squall_model::observation::{Observation, Sink};
use squall_model::plan::Plan;
use squall_model::{SimTime, Span};
use squall_services::Desk;
use squall_telemetry::report::{Report, Source, Verdict, World};
use squall_telemetry::{Recorder, Recording, Run as Ran, step_for};

use crate::cli::Run;
use crate::exit::Exit;
use crate::hdr::Log;
use crate::interrupt::Watch;
use crate::live::{self, Changes, Failed, OpenDesk, PageSetup, Settings, Stormed};
use crate::output;
use crate::report::{html, json, text};
use crate::topologies::Topology;
use crate::why::traces;

/// Runs the experiment and reports it.
pub(crate) fn run(run: &Run, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&run.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, warnings)) = topology.plan(&run.overrides)? else { return Ok(Exit::Wrong) };
    let to_stdout = run.json.as_deref() == Some(Path::new("-"));
    if !quiet && !to_stdout {
        output::problem(&warnings)?;
    }
    let source = topology.source(|file| run.again(file, plan.seed));
    let wanted = Wanted { json: run.json.as_deref(), html: run.html.as_deref(), source: Some(&source), quiet };
    if run.live {
        let settings = Settings { logged: run.hdr.is_some(), ..run.settings.into() };
        let changes = Changes::of(topology, run.overrides.sets());
        let page = if run.ui { Some(live_page(&plan, source.clone())?) } else { None };
        let desk = (!quiet).then_some(OpenDesk { changes, announce });
        return hand_in_storm(live::storm(&plan, settings, desk, page), run.hdr.as_deref(), wanted);
    }
    let (mut report, interrupted, log) = if run.hdr.is_some() {
        logged_in_virtual_time(&plan)
    } else {
        let (report, interrupted) = in_virtual_time(&plan);
        (report, interrupted, None)
    };
    if !write_log(log.as_deref(), run.hdr.as_deref())? {
        return Ok(Exit::CouldNotRun);
    }
    if wanted.html.is_some() && !interrupted {
        report.traces = traces::telling(&plan, &report);
    }
    hand_in(&plan, report, interrupted, wanted)
}

/// Says where the control desk is: not where results go, so that the token does not end up where they are kept.
pub(crate) fn announce(desk: &Desk) -> io::Result<()> {
    output::problem(&format!("control http://{} token {}\n", desk.address, desk.token))
}

/// The page of a run that is under way.
pub(crate) fn live_page(plan: &Plan, source: Source) -> io::Result<PageSetup> {
    let html = html::render_live(plan).map_err(io::Error::other)?;
    let announce = |address: SocketAddr| output::problem(&format!("page http://{address}/\n"));
    Ok(PageSetup { html, source, announce })
}

/// Hands in what a live run came to, its log of latencies to `hdr`; complains if it could not be, or not to its end.
pub(crate) fn hand_in_storm(
    stormed: Result<Stormed, Failed>,
    hdr: Option<&Path>,
    wanted: Wanted<'_>,
) -> io::Result<Exit> {
    let stormed = match stormed {
        Ok(stormed) => stormed,
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            return Ok(Exit::CouldNotRun);
        }
    };
    if !write_log(stormed.log.as_deref(), hdr)? {
        return Ok(Exit::CouldNotRun);
    }
    let exit = hand_in(stormed.plan, stormed.report(), stormed.cut_short, wanted)?;
    let Some(died) = &stormed.died else { return Ok(exit) };
    output::error(&died.to_string(), died.hint())?;
    Ok(Exit::CouldNotRun)
}

/// How a report is handed in.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'w> {
    /// Where the JSON goes; `-` is standard output.
    pub(crate) json: Option<&'w Path>,
    /// Where the page goes.
    pub(crate) html: Option<&'w Path>,
    /// What was run.
    pub(crate) source: Option<&'w Source>,
    /// Whether nobody wants to hear of what held.
    pub(crate) quiet: bool,
}

/// Hands in a report: as JSON where that is wanted, as text unless standard output is taken or nobody wants to hear of
/// what held. Answers what it means for the exit code.
pub(crate) fn hand_in(
    plan: &Plan,
    mut report: Report,
    interrupted: bool,
    Wanted { json, html, source, quiet }: Wanted<'_>,
) -> io::Result<Exit> {
    report.source = source.cloned();
    if let Some(path) = json
        && !output::write(path, json::render(&report)?.as_bytes())?
    {
        return Ok(Exit::CouldNotRun);
    }
    if let Some(path) = html
        && !output::write(path, html::render(&report).map_err(io::Error::other)?.as_bytes())?
    {
        return Ok(Exit::CouldNotRun);
    }
    let silent = json == Some(Path::new("-")) || quiet && report.verdict == Verdict::Pass;
    if !silent {
        output::result(&text::render(&report, plan, output::width(), text::Style::Color))?;
    }
    Ok(match report.verdict {
        _ if interrupted => Exit::Interrupted,
        Verdict::Pass => Exit::Held,
        Verdict::Fail => Exit::Failed,
    })
}

/// Runs a plan to its end, or until Ctrl-C; answers its report and whether it was cut short.
pub(crate) fn in_virtual_time(plan: &Plan) -> (Report, bool) {
    simulate(plan, Recorder::new(plan, step_for(plan.duration)), |recorder| recorder)
}

/// As [`in_virtual_time`], with a log of the latencies.
fn logged_in_virtual_time(plan: &Plan) -> (Report, bool, Option<Vec<u8>>) {
    let mut log = None;
    let both = Logged { recorder: Recorder::new(plan, step_for(plan.duration)), log: Log::new(plan) };
    let (report, interrupted) = simulate(plan, both, |both| {
        log = both.log;
        both.recorder
    });
    let end = Span::from_nanos((report.time.simulated_s * 1e9) as u64);
    (report, interrupted, log.map(|log| log.finish(SimTime::ZERO + end)))
}

/// Runs a plan before an audience, of which the recorder is asked for in the end.
fn simulate<S: Sink>(plan: &Plan, mut audience: S, recorder: impl FnOnce(S) -> Recorder) -> (Report, bool) {
    let mut watch = Watch::new(plan);
    let began = Instant::now();
    let ended = squall_engine::run_while(plan, &mut audience, |now| watch.go_on(now));
    let recording: Recording = recorder(audience).finish(ended.at);
    let wall = Span::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let ran = Ran { world: World::Sim, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    (Report::new(plan, &recording, &ran), ended.cut_short)
}

/// A recorder, and a log of latencies.
struct Logged {
    recorder: Recorder,
    log: Option<Log>,
}

impl Sink for Logged {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.recorder.observe(at, what);
        if let Some(log) = &mut self.log {
            log.observe(at, what);
        }
    }
}

/// Writes the log of latencies where it is wanted; complains and answers `false` if that does not work.
fn write_log(log: Option<&[u8]>, path: Option<&Path>) -> io::Result<bool> {
    let (Some(log), Some(path)) = (log, path) else { return Ok(true) };
    output::write(path, log)
}
