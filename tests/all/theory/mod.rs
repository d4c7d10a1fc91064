//! The simulation against theory: known answers, inside confidence intervals computed from the run itself.

mod networks;
mod queues;
mod retries;
mod statistics;

use squall_model::observation::{Observation, Sink};
use squall_model::plan::{self, Plan};
use squall_model::{SimTime, spec};

/// The plan of a topology written in a test.
fn plan_of(text: &str) -> Plan {
    let no_files = |_: &str| Err("no files in tests".to_owned());
    let read = spec::read(text, &[], &no_files);
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    plan::compile(&read.topology.expect("a topology")).expect("nothing unsupported")
}

/// Runs a topology and lets `look` see every observation.
pub(crate) fn watch(text: &str, look: impl FnMut(&Plan, SimTime, Observation)) -> squall_engine::Ended {
    struct Watch<'p, F>(&'p Plan, F);
    impl<F: FnMut(&Plan, SimTime, Observation)> Sink for Watch<'_, F> {
        fn observe(&mut self, at: SimTime, what: Observation) {
            (self.1)(self.0, at, what);
        }
    }
    let plan = plan_of(text);
    squall_engine::run(&plan, &mut Watch(&plan, look))
}
