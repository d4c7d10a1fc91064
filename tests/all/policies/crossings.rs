//! Where policies meet: pools of connections with hedges, cancellations and deadlines; replicas that start with breakers
//! that trip; deadlines with replicas that never look at them.

use squall_model::observation::{Failure, Observation};
use squall_model::{Outcome, Span};
use squall_policies::breaker::State;

use super::{Ended, all, asking, ends};
use crate::theory::watch;

const EDGE: &str = "load -> callee";

fn works(time: &str) -> String {
    format!("endpoints: {{work: {{steps: [{{wait: {time}}}]}}}}")
}

fn with_fault(text: &str, fault: &str) -> String {
    text.replacen("load: ", &format!("faults: [{fault}], load: "), 1)
}

/// What happened to connections: wanted, given up, taken (and of those, opened), freed.
fn connections(text: &str) -> [usize; 5] {
    let mut counts = [0; 5];
    for (_, what) in all(text) {
        match what {
            Observation::ConnectionWanted { .. } => counts[0] += 1,
            Observation::ConnectionGivenUp { .. } => counts[1] += 1,
            Observation::ConnectionTaken { opened, .. } => {
                counts[2] += 1;
                counts[3] += usize::from(opened);
            }
            Observation::ConnectionFreed { .. } => counts[4] += 1,
            _ => {}
        }
    }
    counts
}

/// How long requests at the callee held their workers, by how they ended.
fn held(text: &str, how: Outcome) -> Vec<Span> {
    let ended = all(text).into_iter().filter_map(|(_, what)| match what {
        Observation::Ended { endpoint, outcome, held, .. } if endpoint.0 == 0 && outcome == how => Some(held),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_hedge_needs_a_connection_of_its_own() {
    // The one connection is busy with the first attempt, which answers at 100 ms; the hedge of 20 ms waits in vain.
    let one = asking(2, "200", "hedge: 20ms, pool: {connections: 1}", &works("100ms"));
    assert_eq!(ends(&one, EDGE), [Ended::ok(100.0); 2]);
    let [wanted, given_up, taken, opened, freed] = connections(&one);
    assert_eq!((wanted, taken - 2 + given_up, freed), (2, 2, taken), "each hedge waited, and left");
    assert!(opened <= 2, "a connection whose answer came is used again: {opened}");
    // With two the hedge goes out at once on the second, and wins; the slow attempt's connection is closed.
    let slow = "replicas: 2, balancer: round_robin, endpoints: {work: {steps: [{wait: 5ms}]}}";
    let two = asking(4, "200", "hedge: 20ms, pool: {connections: 2}", slow);
    let two = with_fault(&two, "{at: 0s, target: \"callee[0]\", latency: 10s}");
    let took: Vec<f64> = ends(&two, EDGE).iter().map(|end| end.ms).collect();
    assert!(took.iter().all(|ms| [5.0, 25.0].contains(ms)) && took.contains(&25.0), "{took:?}");
    let hedged = took.iter().filter(|ms| **ms == 25.0).count();
    let [wanted, _, taken, opened, freed] = connections(&two);
    assert_eq!((wanted, taken, freed), (0, 4 + hedged, 4 + hedged), "every connection came back");
    assert!(opened > hedged, "what was taken back cannot be used again: {opened} opened for {hedged} hedges");
}

#[test]
fn a_pool_without_room_for_the_hedge_leaves_the_first_attempt_alone() {
    let text = asking(1, "200", "hedge: 20ms, pool: {connections: 1, pending: 0}", &works("100ms"));
    assert_eq!(ends(&text, EDGE), [Ended::ok(100.0)]);
    assert_eq!(connections(&text), [0, 0, 1, 1, 1]);
}

#[test]
fn who_waits_for_a_connection_when_it_is_cancelled_never_gets_to_the_callee() {
    let policy = "timeout: 50ms, propagate: [cancel], pool: {connections: 1}";
    let text = asking(3, "10", policy, &works("1s"));
    let late = Ended::failed(Outcome::Timeout, Failure::Callee(Outcome::Timeout), 50.0);
    assert_eq!(ends(&text, EDGE), [late; 3]);
    // Each gets the connection, anew, when the one before has given up, and is cancelled 10 ms later.
    let ms = Span::from_millis;
    assert_eq!(held(&text, Outcome::Cancelled), [ms(50), ms(10), ms(10)]);
    assert_eq!(connections(&text), [2, 0, 3, 3, 3]);
    // The second's time is up while it waits.
    let text = asking(
        2,
        "10",
        "timeout: 50ms, retry: {attempts: 1}, propagate: [cancel], deadline: 30ms, pool: 1",
        &works("1s"),
    );
    let overrun = Ended::failed(Outcome::Timeout, Failure::Deadline, 30.0);
    assert_eq!(ends(&text, EDGE), [overrun; 2]);
    assert_eq!(held(&text, Outcome::Cancelled), [ms(30), ms(10)]);
}

#[test]
fn the_time_that_is_left_is_reckoned_from_when_the_connection_is_there() {
    // 30 ms of work. The first has the connection until 30; the second then has just the 30 it needs until its time is up;
    // the third has 10 when its turn comes at 60, and is not begun.
    let policy = "timeout: 50ms, propagate: [deadline], pool: {connections: 1}";
    let text = asking(3, "10", policy, &works("30ms"));
    let refused = Ended::failed(Outcome::Timeout, Failure::Callee(Outcome::Timeout), 40.0);
    assert_eq!(ends(&text, EDGE), [Ended::ok(30.0), Ended::ok(50.0), refused]);
    // A nanosecond more of work, and the second is not begun either.
    let text = asking(3, "10", policy, &works("30000001ns"));
    let second = ends(&text, EDGE)[1];
    assert_eq!((second.outcome, second.failure), (Outcome::Timeout, Some(Failure::Callee(Outcome::Timeout))));
    // Opening a connection takes from it, too.
    let policy = "timeout: 50ms, propagate: [deadline], pool: {connections: 1, connect: 20ms}";
    assert_eq!(ends(&asking(1, "10", policy, &works("30ms")), EDGE), [Ended::ok(50.0)]);
    let ended = ends(&asking(1, "10", policy, &works("31ms")), EDGE)[0];
    assert_eq!((ended.failure, ended.ms), (Some(Failure::Callee(Outcome::Timeout)), 20.0));
}

#[test]
fn a_replica_that_starts_for_a_call_goes_on_starting_when_the_breaker_trips() {
    let callee = "replicas: 0, cold_start: 1s, autoscale: {min: 0, max: 1, target: 50%, of: workers, every: 10s}, workers: 10, \
                  endpoints: {work: {steps: [{wait: 10ms}]}}";
    let policy = "timeout: 200ms, breaker: {kind: consecutive, failures: 2, open_for: 1s}";
    let text = asking(20, "100", policy, callee);
    let mut told = Vec::new();
    for (at, what) in all(&text) {
        let ms = at.as_nanos() / 1_000_000;
        match what {
            Observation::Breaker { transition, .. } => told.push((ms, transition.to.to_string())),
            Observation::ReplicaUp { .. } => told.push((ms, "up".to_owned())),
            Observation::ReplicaDown { .. } => told.push((ms, "down".to_owned())),
            _ => {}
        }
    }
    let wanted = [(300, State::Open.to_string()), (1_000, "up".to_owned())];
    assert_eq!(told[..2], wanted, "{told:?}");
    let closed = told.iter().find(|(_, what)| *what == State::Closed.to_string());
    assert!(closed.is_some_and(|(ms, _)| (1_300..1_500).contains(ms)), "the first probe finds it there: {told:?}");
    assert!(!told.iter().any(|(_, what)| what == "down"), "{told:?}");
    let ends = ends(&text, EDGE);
    let short_circuited = ends.iter().filter(|end| end.failure == Some(Failure::BreakerOpen)).count();
    assert!((8..=11).contains(&short_circuited), "{short_circuited}");
    assert_eq!(ends.last(), Some(&Ended::ok(10.0)));
}

#[test]
fn a_deadline_is_forgotten_when_its_request_never_gets_as_far_as_to_be_asked_for_it() {
    let policy = "timeout: 50ms, propagate: [deadline]";
    for fault in [
        "{at: 0s, target: callee, down: true}",
        "{at: 0s, target: callee, hang: true}",
        "{at: 0s, target: callee.work, down: true}",
        "{at: 0s, target: callee, drop: 100%}",
        "{at: 0s, target: load -> callee, drop: 100%}",
        "{at: 0s, target: callee, partition: true}",
        "{at: 0s, for: 10s, target: callee, pause: true}, {at: 60ms, target: callee, kill: 1}",
        "{at: 5ms, target: callee, kill: 1}",
        "{at: 0s, target: callee, errors: 100%}",
    ] {
        let text = with_fault(&asking(20, "10", policy, &works("30ms")), fault);
        let ended = watch(&text, |_, _, _| {});
        assert_eq!(ended.census.deadlines, 0, "{fault}");
    }
}

#[test]
fn a_wait_that_the_callee_asks_for_is_taken_as_the_retry_says() {
    // One permit a second: the second request is turned away, and told to come back in 300 ms.
    let callee = "admission: {rate: 5/s, retry_after: 300ms}, endpoints: {work: {steps: [{wait: 10ms}]}}";
    let took = |retry: &str| {
        let policy = format!("retry: {{attempts: 2, backoff: constant(50ms), when: [rate_limited], {retry}}}");
        ends(&asking(2, "1", &policy, callee), EDGE).iter().map(|end| (end.outcome, end.ms)).collect::<Vec<_>>()
    };
    let first = (Outcome::Ok, 10.0);
    assert_eq!(took("retry_after: ignored"), [first, (Outcome::RateLimited, 50.0)]);
    assert_eq!(took("retry_after: exact"), [first, (Outcome::Ok, 310.0)]);
    assert_eq!(took("retry_after: pushback"), [first, (Outcome::Ok, 310.0)]);
    assert_eq!(took("retry_after: aws"), [first, (Outcome::Ok, 310.0)]);
    let [_, (outcome, ms)] = took("retry_after: envoy")[..] else { panic!("two calls") };
    assert!(outcome == Outcome::Ok && (310.0..460.0).contains(&ms), "{ms}");
}

#[test]
fn only_the_answer_that_asks_for_a_wait_has_it_and_full_queues_ask_as_well() {
    let busy = "workers: 1, queue: 0, admission: {retry_after: 100ms}, endpoints: {work: {steps: [{wait: 90ms}]}}";
    let policy = "retry: {kind: dotnet, attempts: 3, backoff: constant(1s), jitter: none}, timeout: 200ms";
    let twice = ends(&asking(2, "1", policy, busy), EDGE);
    assert_eq!(twice[1], Ended { attempts: 2, ..Ended::ok(190.0) });
    // An attempt that fails by itself goes by the retry's own wait.
    let text = with_fault(&asking(1, "1", policy, busy), "{at: 0s, for: 10ms, target: callee, errors: 100%}");
    let own = ends(&text, EDGE)[0];
    assert!(own.outcome == Outcome::Ok && own.attempts == 2 && own.ms >= 1_000.0, "{own:?}");
    // So does a hedge that was turned away: it tells its call.
    let hedged = format!("{policy}, hedge: 500ms");
    assert_eq!(ends(&asking(2, "1", &hedged, busy), EDGE)[1], Ended { attempts: 2, ..Ended::ok(190.0) });
}

#[test]
fn a_limit_that_follows_latency_may_take_one_sample_a_window() {
    let limits = |window: &str| {
        let callee = format!(
            "admission: {{concurrency: {{kind: aimd, initial: 10, min: 1, max: 50{window}}}}}, endpoints: {{work: {{steps: \
             [{{wait: 100ms}}]}}}}"
        );
        let seen = all(&asking(100, "10", "timeout: 10s", &callee));
        seen.iter().filter(|(_, what)| matches!(what, Observation::AdmissionLimit { .. })).count()
    };
    let (each, windowed) = (limits(""), limits(", window: {length: 500ms, samples: 10}"));
    assert!(each > 5 && (2..=4).contains(&windowed), "{each} changes by request, {windowed} by window of 1.1 s");
}
