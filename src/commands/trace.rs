//! `squall trace`: the actual request at a percentile, as a waterfall, and in the formats of tracing tools.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use squall_telemetry::trace::{At, Traces, export};

use crate::cli::Trace;
use crate::exit::Exit;
use crate::output;
use crate::report::text;
use crate::topologies::Topology;
use crate::why::traces::{self, Asked, Missing};

/// Follows the requests that are asked for and shows what became of their time.
pub(crate) fn run(trace: &Trace, quiet: bool) -> io::Result<Exit> {
    let Some(asked) = asked(trace)? else { return Ok(Exit::Wrong) };
    let Some(topology) = Topology::find(&trace.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&trace.overrides)? else { return Ok(Exit::Wrong) };
    let found = match traces::follow(&plan, &asked) {
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
    let epoch = match trace.epoch.as_deref() {
        None => 0,
        Some("now") => now(),
        Some(seconds) => seconds.parse::<u64>().unwrap_or(0).saturating_mul(1_000_000_000),
    };
    let files = [
        (&trace.json, serde_json::to_string_pretty(found)?),
        (&trace.otlp, serde_json::to_string_pretty(&export::otlp(&found.traces, epoch))?),
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

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
