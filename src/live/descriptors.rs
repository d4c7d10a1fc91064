//! Open files: every connection within one process takes two.

use squall_model::plan::{Plan, Source};

use super::Failed;

/// What the process has open beside connections.
const OWN: u64 = 64;

/// Raises this process's limit as far as it may go; answers how many open files are allowed, or that those are too few
/// for the plan to begin with.
pub(super) fn enough_for(plan: &Plan) -> Result<u64, Failed> {
    let (wanted, allowed) = (wanted(plan), allowed());
    if wanted > allowed { Err(Failed::TooFewDescriptors(wanted, allowed)) } else { Ok(allowed) }
}

/// A listener a replica, and both ends of a connection for every user and call at rest. What open loops take depends on
/// how the system fares.
fn wanted(plan: &Plan) -> u64 {
    let users = plan.loads.iter().map(|load| match &load.source {
        Source::Closed { users, stages, .. } => {
            stages.iter().map(|stage| stage.rate_from.max(stage.rate_to) as u64).fold(u64::from(*users), u64::max)
        }
        Source::Open { .. } => 1,
    });
    let replicas = plan.services[..plan.real_services].iter().map(|service| u64::from(service.replicas));
    OWN + 2 * users.sum::<u64>() + 2 * plan.edges.len() as u64 + replicas.sum::<u64>()
}

#[cfg(unix)]
fn allowed() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, what there is has to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn allowed() -> u64 {
    u64::MAX
}
