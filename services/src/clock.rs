//! The run's clock: real time since the run began, as the machines count it.

use std::sync::OnceLock;
use std::time::Instant;

use squall_model::SimTime;

/// Stands at zero until it is started.
#[derive(Debug, Default)]
pub(crate) struct Clock(OnceLock<Instant>);

impl Clock {
    /// From here on it runs.
    pub(crate) fn start(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> SimTime {
        let elapsed = self.0.get().map_or(0, |start| start.elapsed().as_nanos());
        SimTime::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}
