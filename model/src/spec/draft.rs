//! A topology file that is read once and loaded often, each time with other overrides: for sweeps and searches, which
//! storm one file in thousands of variants. Runs nothing.

use super::decode::{Cx, Decode as _};
use super::tree::{self, Node};
use super::{At, Expectation, Files, Loaded, Problem, Read, Severity, Topology, merge, problem, set};

/// A topology file as a tree.
#[derive(Clone, Debug)]
pub struct Draft {
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl Draft {
    /// Reads the text; what is wrong with it shows when it is loaded.
    pub fn new(source: &str) -> Self {
        let (root, mut problems) = tree::parse(source, 0, 0);
        let root = root.filter(|root| !root.is_null());
        if root.is_none() && problems.is_empty() {
            problems.push(empty());
        }
        Self { root, problems }
    }

    /// The file as a tree, without any override and without its defaults merged.
    pub const fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// Loads it with the overrides `sets`; `more` is expected besides what the file expects. See [`load`](super::load).
    pub fn load(
        &self,
        sets: &[(String, String)],
        more: &[Expectation],
        files: Files<'_>,
    ) -> Result<Loaded, Vec<Problem>> {
        let Read { topology, mut problems } = self.read(sets, files);
        let Some(mut topology) = topology else { return Err(problems) };
        topology.expect.extend_from_slice(more);
        problems.extend(crate::check::check(&topology, problems.is_empty()));
        let problems = problem::sorted(problems);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        if errors.is_empty() { Ok(Loaded { topology, warnings }) } else { Err(errors) }
    }

    /// Decodes it with the overrides `sets`, without checking it.
    pub fn read(&self, sets: &[(String, String)], files: Files<'_>) -> Read {
        let mut problems = self.problems.clone();
        let Some(mut root) = self.root.clone() else {
            return Read { topology: None, problems: problem::sorted(problems) };
        };
        set::apply(&mut root, sets, &mut problems);
        merge::defaults(&mut root);
        let mut cx = Cx::new(files);
        let topology = Topology::decode(&root, &mut cx);
        problems.append(&mut cx.problems);
        Read { topology, problems: problem::sorted(problems) }
    }
}

fn empty() -> Problem {
    Problem::error(At::default(), "the file is empty").hint("`squall new NAME` writes a file to start from")
}
