//! Who listens to a live run: the recorder that every run has, and how late the load was.

use squall_model::observation::{Observation, Sink};
use squall_model::plan::Plan;
use squall_model::{SimTime, Span};
use squall_services::Ear;
use squall_telemetry::{Recorder, Recording, step_for};

/// Everything that is kept of a live run.
pub(crate) struct Books {
    recorder: Recorder,
}

impl Books {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { recorder: Recorder::new(plan, step_for(plan.duration)) }
    }

    /// Closes them.
    pub(crate) fn close(self, at: SimTime) -> Recording {
        self.recorder.finish(at)
    }
}

impl Sink for Books {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.recorder.observe(at, what);
    }
}

impl Ear for Books {
    fn late(&mut self, _: Span) {}
}
