//! How many failures came from further down than the service they came to. Observations do not follow one request from
//! service to service, so this is an estimate from counts.

use squall_model::plan::{EdgeId, Plan};

use crate::recording::Recording;

/// Users' failed requests whose cause lay further down than the entry service.
///
/// Of the failures that an entry service answered, the share that passed on another's: those that are neither errors of
/// its own nor requests it turned away. Of the timeouts while it was at work, the share of its workers' time that went
/// into calls to others.
pub(crate) fn passed_on(plan: &Plan, recording: &Recording) -> f64 {
    let entries = plan.edges.iter().enumerate().filter(|(_, edge)| edge.caller.index() >= plan.first_client);
    entries.map(|(row, edge)| Entry::new(plan, recording, EdgeId::from(row), edge.callee.index()).passed_on()).sum()
}

/// The calls of one load's clients to one service.
struct Entry {
    failed: f64,
    /// Of the failed attempts of these calls, the share that timed out.
    timeouts: f64,
    /// Of the service's own failures, the share that passed on another's.
    answers_passed_on: f64,
    /// Of the time its workers were held, the share that went into calls.
    time_below: f64,
}

impl Entry {
    fn new(plan: &Plan, recording: &Recording, edge: EdgeId, entry: usize) -> Self {
        let (segments, books) = (plan.phases.summary(), &recording.books);
        let calls = |row: usize| books.calls.over(row..row + 1, segments.clone());
        let own = calls(edge.index());
        let all_failures = own.failures.total() + own.bulkhead_full + own.no_replica;
        let count = books.requests.over(plan.services[entry].endpoint_range(), segments.clone());
        let passed_on = count.failures.total() - count.own_errors;
        let below = plan.edges.iter().enumerate().filter(|(_, below)| below.caller.index() == entry);
        let time_below: f64 = below
            .map(|(row, _)| books.times.calls.over(row, segments.clone()).sum() as f64 + calls(row).failed_time as f64)
            .sum();
        let rows = plan.services[entry].endpoint_range();
        let held = [&books.times.direct, &books.times.held];
        let held: f64 = held.iter().map(|shelf| shelf.over_rows(rows.clone(), segments.clone()).sum() as f64).sum();
        Self {
            failed: own.failed as f64,
            timeouts: share(own.failures.timeout as f64, all_failures as f64),
            answers_passed_on: share(passed_on as f64, (passed_on + count.own_errors + count.turned_away) as f64),
            time_below: share(time_below, held).min(1.0),
        }
    }

    fn passed_on(&self) -> f64 {
        self.failed * (self.timeouts * self.time_below + (1.0 - self.timeouts) * self.answers_passed_on)
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
