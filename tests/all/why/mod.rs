//! Why a run went as it did: verdicts and traces of the built-in topologies.

mod traces;
mod verdicts;

use serde_json::Value;

use super::{squall, written};

/// The names of the built-in topologies.
fn names() -> Vec<String> {
    let (list, _) = written(&squall(&["list"]).success());
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// What a command writes as JSON.
fn json(arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json", "-"]).collect();
    let (out, err) = written(&squall(&all));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}{err}"))
}
