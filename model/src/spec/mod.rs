//! The topology file as written: from text to typed elements with positions, every mistake at once.
//!
//! Names are not looked up here; nothing is drawn, run or read from disk. The way is: `tree` reads YAML, `set`
//! applies overrides, `merge` puts `defaults` under services and calls, and `decode` turns the tree into
//! `elements`, whose tables are the JSON Schema too.

mod at;
pub mod decode;
mod draft;
mod elements;
mod expect;
mod goal;
mod merge;
mod problem;
mod schema;
mod set;
mod settings;
pub mod tree;
mod values;

pub use at::{At, Spanned, line_and_column};
pub use decode::{Decode, Named, OneOrMany};
pub use draft::Draft;
pub use elements::*;
pub use expect::{BreakerChange, Expectation, Metric, Op, PhaseRef, Resource, Sentence, Subject, Unit, Within};
pub use goal::{Goal, Wish};
pub use problem::{Problem, Severity, did_you_mean};
pub use schema::schema;
pub use settings::{Setting, settings};
pub use values::{
    Backoff, Dist, EndpointRef, HedgeAfter, Http, Jitter, Limit, OpenFor, Patience, Percent, Phase, Rate, Samples,
    Share, Size, StayAway, Target, Window,
};

use decode::Cx;
use tree::Node;

/// Gives the text of a file that a topology names, or says why it cannot be read.
pub type Files<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// A topology that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was written, whole and without errors.
    pub topology: Topology,
    /// What is allowed but rarely wise, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// Reads and checks the topology `source` with the overrides `sets` (path and value). Source 0 of every position is
/// `source`; source n is the text `path=value` of the n-th override, counted from 1. The errors are all there are.
pub fn load(source: &str, sets: &[(String, String)], files: Files<'_>) -> Result<Loaded, Vec<Problem>> {
    Draft::new(source).load(sets, &[], files)
}

/// A checked topology with one more fault, such as somebody makes by hand while it runs.
pub fn with_fault(topology: &Topology, fault: Fault) -> Result<Topology, Vec<Problem>> {
    let mut topology = topology.clone();
    topology.faults.push(fault);
    let problems = crate::check::check(&topology, true);
    let errors: Vec<_> = problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    if errors.is_empty() { Ok(topology) } else { Err(problem::sorted(errors)) }
}

/// What came out of reading a topology.
#[derive(Clone, Debug)]
pub struct Read {
    /// The topology, as far as it could be read; `None` if there is nothing to go on with.
    pub topology: Option<Topology>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Reads a topology without checking it; see [`load`].
pub fn read(source: &str, sets: &[(String, String)], files: Files<'_>) -> Read {
    Draft::new(source).read(sets, files)
}

/// Reads one element on its own, such as a breaker.
pub fn read_element<T: Decode>(source: &str) -> Result<T, Vec<Problem>> {
    let (root, problems) = tree::parse(source, 0, 0);
    let no_files = |_: &str| Err("files cannot be named here".to_owned());
    let mut cx = Cx::new(&no_files);
    cx.problems = problems;
    let element = T::decode(&root.unwrap_or_else(|| Node::empty(At::default())), &mut cx);
    match element {
        Some(element) if cx.problems.is_empty() => Ok(element),
        _ => Err(problem::sorted(cx.problems)),
    }
}

#[cfg(test)]
mod tests;
