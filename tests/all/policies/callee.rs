//! What a callee lets in, who waits how, and what it learns of its caller.

use squall_model::observation::{Failure, Limit, Observation};
use squall_model::{Outcome, Span};

use super::{Ended, all, asking, ends};

const EDGE: &str = "load -> callee";

#[test]
fn a_cancelled_request_frees_its_worker_at_once() {
    let callee = "workers: 1, endpoints: {work: {steps: [{work: 10s}]}}";
    let seen = all(&asking(3, "200", "timeout: 100ms, propagate: [cancel]", callee));
    let held = seen.iter().filter_map(|(_, what)| match what {
        Observation::Ended { outcome: Outcome::Cancelled, held, .. } => Some(*held),
        _ => None,
    });
    assert_eq!(held.collect::<Vec<_>>(), [Span::from_millis(100); 3]);
    assert!(!seen.iter().any(|(_, what)| matches!(what, Observation::Queued { .. })));
}

#[test]
fn what_cannot_be_done_in_the_time_that_is_left_is_not_begun() {
    // The second request has 110 ms when its turn comes at 100 ms, and needs 100; the third has 20 ms.
    let callee = "workers: 1, endpoints: {work: {steps: [{work: 60ms}, {wait: 40ms}]}}";
    let seen = all(&asking(3, "10", "timeout: 200ms, propagate: [deadline]", callee));
    let withdrawn = seen.iter().filter_map(|(_, what)| match what {
        Observation::Withdrawn { outcome, waited, .. } => Some((*outcome, *waited)),
        _ => None,
    });
    assert_eq!(withdrawn.collect::<Vec<_>>(), [(Outcome::Timeout, Span::from_millis(180))]);
    let ended = seen.iter().filter(|(_, what)| matches!(what, Observation::Ended { endpoint, .. } if endpoint.0 == 0));
    assert_eq!(ended.count(), 2, "two were served");
}

#[test]
fn a_request_waits_no_longer_than_its_queue_s_patience() {
    let callee = "workers: 1, queue: {timeout: 30ms}, endpoints: {work: {steps: [{work: 100ms}]}}";
    let late = Ended::failed(Outcome::Rejected, Failure::Callee(Outcome::Rejected), 30.0);
    assert_eq!(ends(&asking(2, "10", "timeout: 1s", callee), EDGE), [late, Ended::ok(100.0)]);
}

#[test]
fn who_came_last_is_served_first_where_the_queue_says_so() {
    let order = |order: &str| {
        let callee =
            format!("workers: 1, queue: {{order: {order}}}, endpoints: {{work: {{steps: [{{work: 100ms}}]}}}}");
        ends(&asking(3, "10", "timeout: 1s", &callee), EDGE).iter().map(|end| end.ms).collect::<Vec<_>>()
    };
    assert_eq!(order("fifo"), [100.0, 190.0, 280.0]);
    assert_eq!(order("lifo"), [100.0, 180.0, 290.0]);
}

#[test]
fn a_critical_request_takes_the_place_of_one_that_waits_and_is_not() {
    let callee = "workers: 1, queue: 1, endpoints: {work: {steps: [{work: 100ms}]}, pay: {critical: true, \
                  steps: [{work: 100ms}]}}";
    let text = format!(
        "{{duration: 40ms, drain: 1h, services: {{callee: {{{callee}}}}}, load: [\
         {{name: load, to: callee.work, rate: 100/s, timeout: 1s}}, \
         {{name: payers, to: callee.pay, stages: [{{for: 15ms, rate: 0/s}}, {{for: 25ms, rate: 60/s, hold: true}}], timeout: 1s}}]}}"
    );
    let rejected = ends(&text, EDGE).iter().filter(|end| end.outcome == Outcome::Rejected).count();
    let payers = ends(&text, "payers -> callee");
    assert!(payers.iter().any(|end| end.outcome == Outcome::Ok), "{payers:?}");
    assert_eq!(rejected, 3, "one was turned out, two found no room");
}

#[test]
fn a_replica_turns_away_by_its_rate_and_by_what_is_in_it() {
    let limits = |admission: &str| {
        let callee = format!("admission: {{{admission}}}, endpoints: {{work: {{steps: [{{wait: 100ms}}]}}}}");
        let seen = all(&asking(4, "10", "timeout: 1s", &callee));
        let limits = seen.iter().filter_map(|(_, what)| match what {
            Observation::Rejected { limit, answered: true, .. } => Some(*limit),
            _ => None,
        });
        limits.collect::<Vec<_>>()
    };
    assert_eq!(limits("rate: 1/s, burst: 2"), [Limit::Rate; 2]);
    assert_eq!(limits("concurrency: 3"), [Limit::Concurrency]);
    assert_eq!(limits("concurrency: 4, reserve: 50%"), [Limit::Concurrency; 2]);
}
