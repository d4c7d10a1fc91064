//! The open loops of a plan: the same arrivals as in virtual time, from the same seed.

use squall_model::plan::{LoadId, Plan, Source};
use squall_model::rng::Stream;
use squall_model::workload::OpenLoop;

/// Every open loop and its schedule.
pub fn open_loops(plan: &Plan) -> Vec<(LoadId, OpenLoop)> {
    let open = plan.loads.iter().enumerate().filter_map(|(row, load)| match &load.source {
        Source::Open { stages, arrivals } => {
            let stream = Stream::new(plan.seed, &format!("arrivals/{}", load.name));
            Some((LoadId::from(row), OpenLoop::new(stages.clone(), arrivals.clone(), stream)))
        }
        Source::Closed { .. } => None,
    });
    open.collect()
}
