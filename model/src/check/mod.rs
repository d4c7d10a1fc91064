//! What the grammar cannot say: whether names exist, numbers are possible and calls come to an end; and what is allowed
//! but rarely wise. Reads a topology; changes and runs nothing.

mod cycles;
mod expectations;
mod faults;
mod lints;
mod names;
mod numbers;
mod references;

#[cfg(test)]
mod tests;

pub use expectations::metrics;
pub use lints::LINTS;
pub use names::{Names, Thing};

use crate::spec::{At, Problem, Topology};

/// Everything wrong with a topology, in no particular order. `whole` says that nothing of it was lost while it was read:
/// otherwise what is missing is not complained about.
pub fn check(topology: &Topology, whole: bool) -> Vec<Problem> {
    let mut found = Findings::default();
    let names = Names::of(topology, whole);
    names.check_unique(&mut found);
    references::check(topology, &names, &mut found);
    faults::check(topology, &names, whole, &mut found);
    expectations::check(topology, &names, &mut found);
    numbers::check(topology, whole, &mut found);
    cycles::check(topology, &mut found);
    lints::check(topology, &mut found);
    found.problems.retain(|problem| whole || !problem.follows);
    found.problems
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
}

impl Findings {
    fn error(&mut self, at: At, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::error(at, what).hint(hint));
    }

    /// An error unless `fine`.
    fn require(&mut self, fine: bool, at: At, what: &str, hint: &str) {
        if !fine {
            self.error(at, what, hint);
        }
    }

    fn warn(&mut self, lint: &'static str, at: At, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::warning(at, lint, what).hint(hint));
    }
}
