//! `squall run`: experiments, from files to reports and an exit code.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use squall_engine::Ended;
use squall_model::observation::{Observation, Sink};
use squall_model::plan::Plan;
use squall_model::{SimTime, Span};
use squall_services::Desk;
use squall_telemetry::report::{Report, Source, Verdict, World};
use squall_telemetry::{Recorder, Recording, Run as RunFacts, step_for};

use crate::cli::Run;
use crate::exit::Exit;
use crate::hdr::Log;
use crate::interrupt::{self, Watch};
use crate::live::{self, Changes, Failed, OpenDesk, PageSetup, Settings, Stormed};
use crate::output;
use crate::pipeline::{Pipeline, Ran, threads};
use crate::report::{html, json, text};
use crate::topologies::Topology;
use crate::why::traces;

/// Runs the experiments and reports them.
pub(crate) fn run(run: &Run, quiet: bool) -> io::Result<Exit> {
    let Some(pipeline) = Pipeline::of(run, quiet)? else { return Ok(Exit::Wrong) };
    let mut ready = Vec::new();
    for file in &run.files {
        ready.extend(prepare(file, run)?);
    }
    if ready.len() < run.files.len() {
        return Ok(Exit::Wrong);
    }
    if !quiet && run.json.as_deref() != Some(Path::new("-")) {
        for (_, _, warnings) in &ready {
            output::problem(warnings)?;
        }
    }
    let ready: Vec<(Topology, Plan)> = ready.into_iter().map(|(topology, plan, _)| (topology, plan)).collect();
    let ran = if run.live { all_live(run, ready, quiet)? } else { all_in_virtual_time(run, ready)? };
    let Some(ran) = ran else { return Ok(Exit::CouldNotRun) };
    let with_source = |ran: Ran| {
        let source = ran.topology.source(|file| run.overrides.again(file, run.live, ran.plan.seed));
        Ran { report: Report { source: Some(source), ..ran.report }, ..ran }
    };
    pipeline.hand_in(&ran.into_iter().map(with_source).collect::<Vec<_>>())
}

fn prepare(file: &str, run: &Run) -> io::Result<Option<(Topology, Plan, String)>> {
    let Some(topology) = Topology::find(file)? else { return Ok(None) };
    let planned = topology.plan(&run.overrides)?;
    Ok(planned.map(|(plan, warnings)| (topology, plan, warnings)))
}

/// Several run side by side; one alone shows how far it is.
fn all_in_virtual_time(run: &Run, ready: Vec<(Topology, Plan)>) -> io::Result<Option<Vec<Ran>>> {
    if run.hdr.is_some() {
        let mut ran = Vec::new();
        for (topology, plan) in ready {
            let (mut report, cut_short, log) = logged_in_virtual_time(&plan);
            if !write_log(log.as_deref(), run.hdr.as_deref())? {
                return Ok(None);
            }
            if run.html.is_some() && !cut_short {
                report.traces = traces::telling(&plan, &report);
            }
            ran.push(Ran { topology, plan, report, cut_short, died: None });
        }
        return Ok(Some(ran));
    }
    let one = |(topology, plan): (Topology, Plan), simulated: fn(&Plan) -> (Report, bool)| {
        let (mut report, cut_short) = simulated(&plan);
        if run.html.is_some() && !cut_short {
            report.traces = traces::telling(&plan, &report);
        }
        Ran { topology, plan, report, cut_short, died: None }
    };
    if ready.len() == 1 {
        return Ok(Some(ready.into_iter().map(|ready| one(ready, in_virtual_time)).collect()));
    }
    interrupt::listen();
    let several = || ready.into_par_iter().map(|ready| one(ready, unseen)).collect();
    Ok(Some(threads(run.threads).install(several)))
}

/// One after the other: they would take each other's CPU.
fn all_live(run: &Run, ready: Vec<(Topology, Plan)>, quiet: bool) -> io::Result<Option<Vec<Ran>>> {
    let mut all = Vec::new();
    for (topology, plan) in ready {
        let shown = run.html.is_some() || run.ui;
        let settings = Settings { logged: run.hdr.is_some(), followed: shown, ..run.settings.into() };
        let changes = Changes::of(topology.clone(), run.overrides.sets(), run.settings.burn);
        let source = topology.source(|file| run.overrides.again(file, run.live, plan.seed));
        let page = if run.ui { Some(live_page(&plan, source)?) } else { None };
        let desk = (!quiet).then_some(OpenDesk { changes, announce });
        let stormed = match live::storm(&plan, settings, desk, page) {
            Ok(stormed) => stormed,
            Err(failed) => {
                output::error(&failed.to_string(), failed.hint())?;
                return Ok(None);
            }
        };
        if !write_log(stormed.log.as_deref(), run.hdr.as_deref())? {
            return Ok(None);
        }
        let (mut report, cut_short) = (stormed.report(), stormed.cut_short);
        if run.html.is_some() {
            report.traces = traces::told(&stormed);
        }
        let plan = stormed.plan.clone();
        let died = stormed.died;
        let over = cut_short || died.is_some();
        all.push(Ran { topology, plan, report, cut_short, died });
        if over {
            break;
        }
    }
    Ok(Some(all))
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

/// As [`in_virtual_time`], for one of several at once: shows nothing.
pub(crate) fn unseen(plan: &Plan) -> (Report, bool) {
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let began = Instant::now();
    let ended = squall_engine::run_while(plan, &mut recorder, |_| !interrupt::pressed());
    (reported(plan, recorder, &ended, began), ended.cut_short)
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
    (reported(plan, recorder(audience), &ended, began), ended.cut_short)
}

fn reported(plan: &Plan, recorder: Recorder, ended: &Ended, began: Instant) -> Report {
    let recording: Recording = recorder.finish(ended.at);
    let wall = Span::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let run = RunFacts { world: World::Sim, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    Report::new(plan, &recording, &run)
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
