//! What a report says, against what was seen.

use squall_model::plan::Plan;
use squall_telemetry::report::Report;

use super::all_or;

/// Whether every sum adds up, every figure was seen, and no limit is passed.
pub(super) fn check(plan: &Plan, arrived: &[Vec<u64>], report: &Report) -> Result<(), String> {
    let seen = |endpoints: core::ops::Range<usize>| -> u64 {
        endpoints.map(|endpoint| arrived[endpoint][plan.phases.summary()].iter().sum::<u64>()).sum()
    };
    for (service, (name, load)) in plan.services[plan.first_client..].iter().zip(report.load.iter()) {
        let sum = load.ok + load.degraded + load.failed + load.in_flight;
        all_or(load.offered == sum, || format!("{name}: {} offered, {sum} in all", load.offered))?;
        let offered = seen(service.endpoint_range());
        all_or(load.offered == offered, || format!("{name}: {} offered, {offered} seen", load.offered))?;
    }
    for (service, (name, of)) in plan.services.iter().zip(report.services.iter()) {
        let sum = of.ok + of.failed + of.rejected + of.in_flight;
        all_or(of.requests == sum, || format!("{name}: {} requests, {sum} in all", of.requests))?;
        let requests = seen(service.endpoint_range());
        all_or(of.requests == requests, || format!("{name}: {} requests, {requests} seen", of.requests))?;
        // One that is being stopped works beside those that were started.
        if service.autoscale.is_none() {
            within(name, "workers", of.workers.busy_max, of.workers.limit)?;
            within(name, "queue", of.queue.max, of.queue.limit)?;
        }
    }
    for (name, of) in report.databases.iter() {
        within(name, "connections", of.connections.busy_max, of.connections.limit)?;
    }
    for (name, of) in report.caches.iter() {
        all_or(of.lookups == of.hits + of.misses + of.failed && of.expired <= of.misses, || format!("{name}: {of:?}"))?;
    }
    for (name, of) in report.topics.iter() {
        let sum = of.delivered + of.dead_letters + of.lost + of.in_flight;
        all_or(of.deliveries == sum, || format!("{name}: {} deliveries, {sum} in all", of.deliveries))?;
        within(name, "messages", of.backlog.max, of.backlog.limit)?;
    }
    for (name, pool) in report.calls.iter().filter_map(|(name, of)| Some((name, of.pool.as_ref()?))) {
        within(name, "connections", pool.busy_max, pool.limit)?;
    }
    for (name, of) in report.services.iter() {
        all_or(of.cpu_share.is_none_or(|share| share <= 1.001), || format!("{name}: {:?} of its cores", of.cpu_share))?;
        all_or(of.replicas.min <= of.replicas.max, || format!("{name}: {:?}", of.replicas))?;
    }
    for (name, of) in report.calls.iter() {
        all_or(of.attempts == of.calls + of.retries, || format!("{name}: {of:?}"))?;
        all_or(of.ok + of.failed + of.degraded <= of.calls, || format!("{name}: {of:?}"))?;
    }
    timeline(report)
}

fn within(name: &str, what: &str, most: u32, limit: Option<u64>) -> Result<(), String> {
    all_or(limit.is_none_or(|limit| u64::from(most) <= limit), || format!("{name}: {most} {what} of {limit:?}"))
}

/// Every series has as many steps as the run; what was offered in all is what was offered in the steps, or less for the
/// warm-up's sake.
fn timeline(report: &Report) -> Result<(), String> {
    let mut lengths = report.timeline.load.iter().map(|(_, series)| series.offered.len());
    let steps = lengths.next().unwrap_or(0);
    all_or(lengths.all(|length| length == steps), || "loads have timelines of different lengths".to_owned())?;
    for ((name, load), (_, series)) in report.load.iter().zip(report.timeline.load.iter()) {
        let in_steps = [&series.offered, &series.ok, &series.degraded, &series.failed].map(|of| of.iter().sum::<u64>());
        let in_all = [load.offered, load.ok, load.degraded, load.failed];
        let enough = in_all.iter().zip(in_steps).all(|(all, steps)| *all <= steps);
        all_or(enough, || format!("{name}: {in_all:?} in all, {in_steps:?} in the steps"))?;
    }
    Ok(())
}
