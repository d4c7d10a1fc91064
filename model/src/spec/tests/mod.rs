//! What the whole way from text to topology promises.

mod mutations;
mod reading;

use super::{Read, Topology, line_and_column, read};

/// Every key of the format.
const EVERYTHING: &str = include_str!("../../../../tests/files/everything.yaml");

/// Two sample files, and no other.
fn files(name: &str) -> Result<String, String> {
    match name {
        "arrivals.csv" => Ok("0ms\n5ms\n".into()),
        "samples.csv" => Ok("# taken from a real one\n1ms\n2ms\n\n30ms\n".into()),
        _ => Err("no such file".into()),
    }
}

/// Reads what must be without fault.
fn topology(source: &str) -> Topology {
    topology_with(source, &[])
}

fn topology_with(source: &str, sets: &[(&str, &str)]) -> Topology {
    let Read { topology, problems } = read_with(source, sets);
    assert_eq!(shown(source, &problems), "");
    topology.unwrap()
}

fn read_with(source: &str, sets: &[(&str, &str)]) -> Read {
    let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    read(source, &sets, &files)
}

/// One line a problem: `line:column what (hint)`.
fn shown(source: &str, problems: &[super::Problem]) -> String {
    let line = |problem: &super::Problem| {
        let place = match problem.at.source {
            0 => {
                let (line, column) = line_and_column(source, problem.at.start);
                format!("{line}:{column}")
            }
            set => format!("set {set}:{}", problem.at.start),
        };
        let text = if problem.at.source == 0 { &source[problem.at.bytes()] } else { "" };
        let text = text.lines().next().unwrap_or_default();
        let hint = problem.hint.as_deref().unwrap_or("-");
        format!("{place} {{{text}}} {} | {hint}\n", problem.what)
    };
    problems.iter().map(line).collect()
}
