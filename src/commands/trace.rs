//! `squall trace`: the actual request at a percentile, as a waterfall, and in the formats of tracing tools.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use squall_telemetry::trace::{At, Traces, export};

use squall_loadgen::{Target, TargetError};

use crate::cli::{Epoch, Trace};
use crate::exit::Exit;
use crate::live::{self, Settings};
use crate::output;
use crate::report::text;
use crate::topologies::Topology;
use crate::why::push;
use crate::why::traces::{self, Asked, Missing};

/// Follows the requests that are asked for and shows what became of their time.
pub(crate) fn run(trace: &Trace, quiet: bool) -> io::Result<Exit> {
    let Some(asked) = asked(trace)? else { return Ok(Exit::Wrong) };
    let Some(topology) = Topology::find(&trace.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&trace.overrides)? else { return Ok(Exit::Wrong) };
    let found = if trace.live {
        // A name that is not there is better said before than after a run in real time.
        match traces::wanted(&plan, &asked) {
            Ok(_) => match live::storm(&plan, Settings { followed: true, ..Settings::default() }, None, None) {
                Ok(stormed) => traces::find(&stormed, &asked),
                Err(failed) => {
                    output::error(&failed.to_string(), failed.hint())?;
                    return Ok(Exit::CouldNotRun);
                }
            },
            Err(missing) => Err(missing),
        }
    } else {
        traces::follow(&plan, &asked)
    };
    let found = match found {
        Ok(found) => found,
        Err(Missing::Interrupted) => return Ok(Exit::Interrupted),
        Err(Missing::Name(what, hint)) => return wrong(&what, &hint),
        Err(Missing::Request(what, hint)) => return wrong(&what, hint),
    };
    hand_in(trace, &found, quiet)
}

fn wrong(what: &str, hint: &str) -> io::Result<Exit> {
    output::error(what, Some(hint))?;
    Ok(Exit::Wrong)
}

/// The places that were typed, or none after a complaint.
fn asked(trace: &Trace) -> io::Result<Option<Asked>> {
    let mut at = Vec::new();
    for words in trace.at.iter().flat_map(|words| words.split(',')) {
        let Some(place) = At::parse(words.trim()) else {
            output::error(&format!("`--at {words}` names no request"), Some(&format!("write {}", At::WORDS)))?;
            return Ok(None);
        };
        at.push((words.trim().to_owned(), place));
    }
    Ok(Some(Asked { at, of: trace.of.clone(), phase: trace.phase.clone() }))
}

/// Writes the traces wherever they are wanted.
fn hand_in(trace: &Trace, found: &Traces, quiet: bool) -> io::Result<Exit> {
    let epoch = match trace.epoch {
        None => 0,
        Some(Epoch::Now) => now(),
        Some(Epoch::Seconds(seconds)) => u64::from(seconds) * 1_000_000_000,
    };
    let collector = trace.otlp.as_deref().filter(|otlp| otlp.contains("://"));
    if let Some(url) = collector {
        let epoch = if trace.epoch.is_none() { now().saturating_sub(ends(found)) } else { epoch };
        let exit = send(trace, url, export::protobuf(&export::otlp(&found.traces, epoch)))?;
        if exit != Exit::Held {
            return Ok(exit);
        }
    }
    let otlp = trace.otlp.as_deref().filter(|_| collector.is_none()).map(PathBuf::from);
    let files = [
        (&trace.json, serde_json::to_string_pretty(found)?),
        (&otlp, serde_json::to_string_pretty(&export::otlp(&found.traces, epoch))?),
        (&trace.zipkin, serde_json::to_string_pretty(&export::zipkin(&found.traces, epoch))?),
        (&trace.jaeger, serde_json::to_string_pretty(&export::jaeger(&found.traces, epoch))?),
    ];
    let mut taken = false;
    for (path, text) in files {
        let Some(path) = path else { continue };
        taken |= path == Path::new("-");
        if !output::write(path, (text + "\n").as_bytes())? {
            return Ok(Exit::CouldNotRun);
        }
    }
    if !quiet && !taken {
        output::result(&text::traces(found, output::width(), text::Style::Color))?;
    }
    Ok(Exit::Held)
}

/// Sends an export request to a collector.
fn send(trace: &Trace, url: &str, body: Vec<u8>) -> io::Result<Exit> {
    let target = match Target::new(url, &trace.allow_remote) {
        Ok(target) => target,
        Err(error) => {
            let hint = match &error {
                TargetError::Remote(host) => format!("if it may have them, say so: --allow-remote {host}"),
                _ => "write it like `--otlp http://127.0.0.1:4318`".to_owned(),
            };
            output::error(&format!("`{url}`: {error}"), Some(&hint))?;
            return Ok(if matches!(error, TargetError::Unknown(_)) { Exit::CouldNotRun } else { Exit::Wrong });
        }
    };
    if let Err(why) = push::push(target, body) {
        output::error(&format!("the collector at {url} did not take the traces: {why}"), None)?;
        return Ok(Exit::CouldNotRun);
    }
    Ok(Exit::Held)
}

/// When the last span ends.
fn ends(found: &Traces) -> u64 {
    let spans = found.traces.iter().flat_map(|trace| &trace.spans);
    spans.map(|span| span.end_ns).max().unwrap_or(0)
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
