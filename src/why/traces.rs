//! Follows single requests: one ordinary run to find them, and an equal one to follow them. The first pays nothing for
//! the second, and neither changes what happens.

use squall_engine::{run, run_while};
use squall_model::plan::Plan;
use squall_model::spec::did_you_mean;
use squall_model::{SimTime, Span};
use squall_telemetry::report::{Report, SCHEMA, World};
use squall_telemetry::trace::{At, Collector, Pick, Picker, Trace, Traces, Wanted};
use squall_telemetry::{Recorder, Run, step_for};

use crate::interrupt::Watch;
use crate::live::{Followed, Stormed};

/// Which requests to follow.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Each with the words by which it was asked for.
    pub(crate) at: Vec<(String, At)>,
    /// A load, or `load.task`; the first load if nothing is said.
    pub(crate) of: Option<String>,
    /// A phase, `before PHASE` or `after PHASE`.
    pub(crate) phase: Option<String>,
}

/// Why there is nothing to show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// What was asked for does not exist; how to mend it.
    Name(String, String),
    /// No request is like that.
    Request(String, &'static str),
    /// Ctrl-C.
    Interrupted,
}

/// Follows the requests that are asked for.
pub(crate) fn follow(plan: &Plan, asked: &Asked) -> Result<Traces, Missing> {
    let (of, wanted) = wanted(plan, asked)?;
    let (picker, report) = first_pass(plan, &wanted)?;
    let picks = pick(&picker, asked, &of)?;
    let (mut recorder, mut collector) = (recorder(plan), Collector::new(picks));
    let ended = run(plan, &mut (&mut recorder, &mut collector));
    let digest = recorder.finish(ended.at).fingerprint().to_string();
    assert!(digest == report.digest, "following a request has changed the run");
    Ok(Traces {
        schema: SCHEMA,
        scenario: report.scenario,
        world: World::Sim,
        seed: plan.seed,
        digest,
        of,
        phase: asked.phase.clone(),
        traces: collector.traces(plan, ended.at),
    })
}

/// Finds the requests that are asked for in a live run, all of whose requests were followed: it cannot be run again.
pub(crate) fn find(stormed: &Stormed, asked: &Asked) -> Result<Traces, Missing> {
    let (plan, report) = (stormed.plan, stormed.report());
    let (of, wanted) = wanted(plan, asked)?;
    let Some(Followed { picker, collector }) = &stormed.followed else { return Err(Missing::Interrupted) };
    let picks = pick(&picker.narrowed(wanted), asked, &of)?;
    let traces = picks.iter().filter_map(|(at, pick)| collector.trace_of(plan, stormed.end(), (at, pick)));
    Ok(Traces {
        schema: SCHEMA,
        scenario: report.scenario,
        world: World::Live,
        seed: plan.seed,
        digest: report.digest,
        of,
        phase: asked.phase.clone(),
        traces: traces.collect(),
    })
}

/// The end of every request is kept to pick from; of more there are only figures.
const MOST_PICKED: u64 = 2_000_000;

/// The requests that a report shows, of the load that most requests belong to.
pub(crate) fn telling(plan: &Plan, report: &Report) -> Vec<Trace> {
    let Some(wanted) = busiest(plan, report) else { return Vec::new() };
    let mut picker = Picker::new(wanted);
    run(plan, &mut picker);
    let mut collector = Collector::new(places(&picker));
    let ended = run(plan, &mut collector);
    collector.traces(plan, ended.at)
}

/// The requests that the report of a live run shows, of which every one was followed.
pub(crate) fn told(stormed: &Stormed) -> Vec<Trace> {
    let Some(followed) = &stormed.followed else { return Vec::new() };
    followed.telling(stormed.plan, &stormed.report(), stormed.end())
}

impl Followed {
    /// The requests that a report shows, of those that have ended up to `end`.
    pub(crate) fn telling(&self, plan: &Plan, report: &Report, end: SimTime) -> Vec<Trace> {
        let Some(wanted) = busiest(plan, report) else { return Vec::new() };
        let picks = places(&self.picker.narrowed(wanted));
        picks.iter().filter_map(|(at, pick)| self.collector.trace_of(plan, end, (at, pick))).collect()
    }
}

/// The requests of the load that most belong to, unless there are too many to keep.
fn busiest(plan: &Plan, report: &Report) -> Option<Wanted> {
    let busiest = report.load.iter().max_by_key(|(_, load)| load.offered);
    let (name, _) = busiest.filter(|(_, load)| load.offered < MOST_PICKED)?;
    let asked = Asked { at: Vec::new(), of: Some(name.to_owned()), phase: None };
    wanted(plan, &asked).ok().map(|(_, wanted)| wanted)
}

/// The typical request, the one at p99, and the first that failed, as far as there are such.
fn places(picker: &Picker) -> Vec<(String, Pick)> {
    let places = ["p50", "p99", "first-failure"].into_iter().filter_map(|words| Some((words, At::parse(words)?)));
    places.filter_map(|(words, at)| Some((words.to_owned(), picker.pick(at)?))).collect()
}

fn recorder(plan: &Plan) -> Recorder {
    Recorder::new(plan, step_for(plan.duration))
}

/// An ordinary run, whose ends of requests are kept.
fn first_pass(plan: &Plan, wanted: &Wanted) -> Result<(Picker, Report), Missing> {
    let (mut recorder, mut picker) = (recorder(plan), Picker::new(wanted.clone()));
    let mut watch = Watch::new(plan);
    let ended = run_while(plan, &mut (&mut recorder, &mut picker), |now| watch.go_on(now));
    if ended.cut_short {
        return Err(Missing::Interrupted);
    }
    let run =
        Run { world: World::Sim, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall: Span::ZERO };
    Ok((picker, Report::new(plan, &recorder.finish(ended.at), &run)))
}

/// The requests at the places that were asked for.
pub(crate) fn pick(picker: &Picker, asked: &Asked, of: &str) -> Result<Vec<(String, Pick)>, Missing> {
    let one = |(words, at): &(String, At)| {
        let found = picker.pick(*at).map(|pick| (words.clone(), pick));
        found.ok_or_else(|| {
            let (what, hint) = match at {
                At::Percentile(_) | At::Slowest => ("was answered", "`--at first-failure` follows one that was not"),
                At::FirstFailure | At::SlowestFailure => ("failed", "`--at p99` follows one that was answered"),
                At::FirstDegraded => ("was degraded", "`--at p99` follows one of all that were answered"),
                At::From(_) => ("starts then or later and ends", "the load may be over by then"),
            };
            let phase = asked.phase.as_ref().map(|phase| format!(" in {phase}")).unwrap_or_default();
            Missing::Request(format!("no request of {of}{phase} {what}"), hint)
        })
    };
    asked.at.iter().map(one).collect()
}

/// Whose requests are meant, by the plan's rows.
pub(crate) fn wanted(plan: &Plan, asked: &Asked) -> Result<(String, Wanted), Missing> {
    let (of, tasks) = tasks(plan, asked.of.as_deref())?;
    let segments = match &asked.phase {
        None => plan.phases.summary(),
        Some(phase) => {
            let (from, to) = stretch(plan, phase)?;
            plan.phases.between(from, to)
        }
    };
    Ok((of, Wanted { tasks, segments }))
}

fn tasks(plan: &Plan, of: Option<&str>) -> Result<(String, core::ops::Range<usize>), Missing> {
    let clients = || plan.loads.iter().map(|load| (&load.name, &plan.services[load.clients.index()]));
    let Some(of) = of else {
        let first = clients().next().map(|(name, clients)| (name.clone(), clients.endpoint_range()));
        return first.ok_or_else(|| Missing::Name("the topology has no load".into(), "it needs one".into()));
    };
    let mut names = Vec::new();
    for (load, clients) in clients() {
        if load == of {
            return Ok((of.to_owned(), clients.endpoint_range()));
        }
        names.push(load.clone());
        for row in clients.endpoint_range() {
            let task = &plan.endpoints[row].name;
            if task == load {
                continue;
            }
            let plain = format!("{load}.{task}");
            if plain == of || format!("{load}.\"{task}\"") == of {
                return Ok((plain, row..row + 1));
            }
            names.push(plain);
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Err(Missing::Name(format!("there is no load and no task `{of}`"), did_you_mean(of, &names)))
}

/// From when to when a phase lasts.
fn stretch(plan: &Plan, text: &str) -> Result<(SimTime, SimTime), Missing> {
    let end = SimTime::ZERO + plan.duration;
    let named = |name: &str| plan.phases.named().iter().find(|phase| phase.name == name);
    let found = match (named(text), text.split_once(' ')) {
        (Some(phase), _) => Some((phase.from, phase.to)),
        (None, Some(("before", name))) => named(name.trim()).map(|phase| (SimTime::ZERO, phase.from)),
        (None, Some(("after", name))) => named(name.trim()).map(|phase| (phase.to, end)),
        _ => None,
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = plan.phases.named().iter().map(|phase| phase.name.as_str()).collect();
        Missing::Name(format!("there is no phase `{text}`"), did_you_mean(text, &names))
    })
}
