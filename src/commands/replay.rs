//! `squall replay`: a breaker led through a log, as it happened or by hand.

use std::io;
use std::path::Path;

use squall_exchange::replay::{self, Changed, Story};
use squall_model::plan;
use squall_model::spec::{self, Problem, Topology as Written, did_you_mean};
use squall_policies::breaker::{BreakerConfig, Window};

use crate::cli::{Overrides, Replay};
use crate::diagnostics::Sources;
use crate::exit::Exit;
use crate::output;
use crate::topologies::{Topology, read_text};

/// Longest log, and longest file of settings.
const LONGEST: u64 = 1 << 30;

/// Changes of state that are shown; the rest is counted.
const SHOWN: usize = 20;

/// Leads the breaker through the log and tells what came of it.
pub(crate) fn run(replay: &Replay, quiet: bool) -> io::Result<Exit> {
    let log_name = match (replay.files.as_slice(), &replay.breaker) {
        ([log], Some(_)) | ([_, log], None) => log,
        ([_, _], Some(_)) => return usage("either CONFIG or `--breaker` gives the breaker", "leave one of them out"),
        _ => return usage("the log is missing", "squall replay CONFIG LOG, or squall replay --breaker '{…}' LOG"),
    };
    let Some(config) = config(replay)? else { return Ok(Exit::Wrong) };
    let Some(log) = read_text(log_name, LONGEST)? else { return Ok(Exit::Wrong) };
    let sources = Sources::new(log_name, &log, &[]);
    if replay::is_steps(&log) {
        return by_hand(&config, &log, replay, &sources);
    }
    let (calls, replicas) = match replay::calls(&log) {
        Ok(read) => read,
        Err(problems) => {
            output::problem(&sources.render(&problems))?;
            return Ok(Exit::Wrong);
        }
    };
    let story = replay::what_if(&config, (&calls, replicas), replay.start_ns);
    tell(&story, &config, replay, quiet)
}

fn usage(what: &str, hint: &str) -> io::Result<Exit> {
    output::error(what, Some(hint))?;
    Ok(Exit::Wrong)
}

/// A line in, a line out.
fn by_hand(config: &BreakerConfig, log: &str, replay: &Replay, sources: &Sources<'_>) -> io::Result<Exit> {
    let mut lines = String::new();
    let mut failed = None;
    let stepped = replay::steps(config, log, replay.start_ns, |answer| match serde_json::to_string(&answer) {
        Ok(line) => lines += &(line + "\n"),
        Err(error) => failed = Some(io::Error::from(error)),
    });
    output::result(&lines)?;
    if let Some(error) = failed {
        return Err(error);
    }
    match stepped {
        Ok(()) => Ok(Exit::Held),
        Err(problem) => {
            output::problem(&sources.render(&[problem]))?;
            Ok(Exit::Wrong)
        }
    }
}

/// The breaker that was asked for. Complains and gives `None` if there is none.
fn config(replay: &Replay) -> io::Result<Option<BreakerConfig>> {
    if let Some(text) = &replay.breaker {
        return alone("--breaker", text);
    }
    let name = &replay.files[0];
    let is_file = Path::new(name).is_file() || name == "-";
    let text = if is_file { read_text(name, LONGEST)? } else { Some(String::new()) };
    let Some(text) = text else { return Ok(None) };
    let (root, _) = spec::tree::parse(&text, 0, 0);
    if is_file && root.as_ref().is_some_and(|root| root.entry("services").is_none() && root.entry("load").is_none()) {
        return alone(name, &text);
    }
    let Some(topology) = Topology::find(name)? else { return Ok(None) };
    let Some(loaded) = topology.load(&Overrides::default())? else { return Ok(None) };
    of_call(&loaded.topology, replay.call.as_deref())
}

/// A text that is a breaker and nothing else.
fn alone(name: &str, text: &str) -> io::Result<Option<BreakerConfig>> {
    match spec::read_element::<spec::Spanned<spec::Breaker>>(text).map_err(|problems| (problems, name)) {
        Ok(written) => checked(&written, (name, text)),
        Err((problems, name)) => {
            output::problem(&Sources::new(name, text, &[]).render(&problems))?;
            Ok(None)
        }
    }
}

fn checked(written: &spec::Spanned<spec::Breaker>, (name, text): (&str, &str)) -> io::Result<Option<BreakerConfig>> {
    let config = plan::breaker(&written.value);
    let Err(invalid) = config.check() else { return Ok(Some(config)) };
    let problem = Problem::error(written.at, format!("`{}` must be {}", invalid.field, invalid.must_be));
    output::problem(&Sources::new(name, text, &[]).render(&[problem]))?;
    Ok(None)
}

/// The breaker of `call`, or the only one there is.
fn of_call(topology: &Written, call: Option<&str>) -> io::Result<Option<BreakerConfig>> {
    let of_service = |(name, service): (&spec::Spanned<String>, &spec::Service)| -> Vec<(String, BreakerConfig)> {
        let named = service.calls.to.iter().map(|(callee, policy)| (callee.value.clone(), policy));
        let breaker = |(callee, policy): (String, &spec::CallPolicy)| {
            let written = policy.breaker.as_ref()?;
            Some((format!("{} -> {callee}", name.value), plan::breaker(&written.value)))
        };
        named.filter_map(breaker).collect()
    };
    let all: Vec<(String, BreakerConfig)> = topology.services.iter().flat_map(of_service).collect();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let (what, hint) = match call {
        Some(call) => match all.iter().find(|(name, _)| name == call) {
            Some((_, config)) => return Ok(Some(*config)),
            None => (format!("no breaker on the call `{call}`"), did_you_mean(call, &names)),
        },
        None => match all.as_slice() {
            [(_, config)] => return Ok(Some(*config)),
            [] => ("the topology has no breaker".to_owned(), "name another one, or give `--breaker`".to_owned()),
            _ => (
                "the topology has several breakers".to_owned(),
                format!("choose one with --call: {}", names.join(", ")),
            ),
        },
    };
    output::error(&what, Some(&hint))?;
    Ok(None)
}

fn tell(story: &Story, config: &BreakerConfig, replay: &Replay, quiet: bool) -> io::Result<Exit> {
    let to_stdout = replay.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &replay.json {
        let text = format!("{:#}\n", as_json(story, config));
        if to_stdout {
            output::result(&text)?;
        } else if let Err(error) = std::fs::write(path, text) {
            output::error(&format!("cannot write `{}`: {error}", path.display()), None)?;
            return Ok(Exit::CouldNotRun);
        }
    }
    if !to_stdout && !quiet {
        output::result(&as_text(story, config))?;
    }
    Ok(Exit::Held)
}

fn as_text(story: &Story, config: &BreakerConfig) -> String {
    let mut text = String::new();
    match (story.opens_after, &story.worst_call) {
        (Some(after), _) => {
            let at = story.changes.iter().find(|change| change.transition.to == squall_policies::breaker::State::Open);
            let first = at.map(|change| format!(", {} after the first call: {}", change.at, change.transition.why));
            text += &format!("opens after {}{}\n", counted(after, "result"), first.unwrap_or_default());
        }
        (None, _) => text += &format!("never opens: {}\n", never(story, config)),
    }
    if let Some(worst) = &story.worst_call {
        let rate = worst.failure_rate.map(|rate| format!(", {rate:.1}%")).unwrap_or_default();
        let window = format!("{} of {} failed{rate}", worst.failed, counted(worst.calls.into(), "call"));
        text += &format!("worst call: line {}, {} after the first: {window}\n", worst.line, worst.at);
    }
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    text += &format!("{}, {} failed\n", counted(story.calls, "call"), story.failed);
    text += &format!(
        "would have refused {} ({:.1}%), of which {} ({:.1}%) succeeded\n",
        story.refused,
        share(story.refused, story.calls),
        story.refused_that_succeeded,
        share(story.refused_that_succeeded, story.refused),
    );
    for change in story.changes.iter().take(SHOWN) {
        text += &format!("  {:>10}  {}\n", change.at.to_string(), changed(change));
    }
    if story.changes.len() > SHOWN {
        text += &format!("  and {} more changes; `--json` has all\n", story.changes.len() - SHOWN);
    }
    text
}

fn changed(change: &Changed) -> String {
    let line = change.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    let replica = change.transition.replica.map(|replica| format!("replica {replica}: ")).unwrap_or_default();
    format!("{replica}{} -> {}: {}{line}", change.transition.from, change.transition.to, change.transition.why)
}

/// Why it never opened.
fn never(story: &Story, config: &BreakerConfig) -> String {
    let failures = counted(story.failed, "failure");
    let Some(worst) = &story.worst_call else { return format!("{failures} in {}", counted(story.calls, "call")) };
    let needed = match config {
        BreakerConfig::Resilience4j(config) => match config.window {
            Window::Calls(size) => Some(config.minimum_calls.min(size)),
            Window::Seconds(_) => Some(config.minimum_calls),
        },
        BreakerConfig::Polly(config) => Some(config.minimum_throughput),
        BreakerConfig::Hystrix(config) => Some(config.request_volume_threshold),
        _ => None,
    };
    match (needed, worst.failure_rate) {
        (Some(needed), None) if worst.calls < needed => {
            format!("{failures}, but the window needs {}", counted(needed.into(), "call"))
        }
        (_, Some(rate)) => format!("{failures}, at worst {rate:.1}% of {}", counted(worst.calls.into(), "call")),
        _ => format!("{failures}, at worst {} of {}", worst.failed, counted(worst.calls.into(), "call")),
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn as_json(story: &Story, config: &BreakerConfig) -> serde_json::Value {
    let change = |change: &Changed| {
        serde_json::json!({
            "at_s": change.at.as_secs_f64(),
            "line": change.line,
            "replica": change.transition.replica,
            "from": change.transition.from.to_string(),
            "to": change.transition.to.to_string(),
            "why": change.transition.why.to_string(),
        })
    };
    let worst = story.worst_call.map(|worst| {
        serde_json::json!({
            "line": worst.line, "at_s": worst.at.as_secs_f64(), "calls": worst.calls, "failed": worst.failed,
            "failure_rate": worst.failure_rate,
        })
    });
    serde_json::json!({
        "calls": story.calls,
        "failed": story.failed,
        "opens_after": story.opens_after,
        "never": story.opens_after.is_none().then(|| never(story, config)),
        "worst_call": worst,
        "refused": story.refused,
        "refused_that_succeeded": story.refused_that_succeeded,
        "state": story.state.to_string(),
        "transitions": story.changes.iter().map(change).collect::<Vec<_>>(),
    })
}
