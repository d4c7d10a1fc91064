//! What policies make of a caller's calls.

use squall_model::Outcome;
use squall_model::observation::{Failure, Observation};
use squall_policies::breaker::State;

use super::{Ended, all, asking, ends};

const EDGE: &str = "load -> callee";

fn works(time: &str) -> String {
    format!("endpoints: {{work: {{steps: [{{wait: {time}}}]}}}}")
}

#[test]
fn a_timeout_outside_of_the_bulkhead_frees_the_caller_alone() {
    let policy = |order: &str| format!("timeout: 100ms, bulkhead: 1, order: {order}");
    let late = Ended::failed(Outcome::Timeout, Failure::Callee(Outcome::Timeout), 100.0);
    let full = Ended::failed(Outcome::Rejected, Failure::BulkheadFull, 0.0);
    let table = [
        ("[bulkhead, timeout]", [late, late, late, late]),
        ("resilience4j", [late, full, full, late]),
        ("[timeout, bulkhead]", [late, full, full, late]),
    ];
    for (order, wanted) in table {
        // The answer to the first comes at 1 s, and with it the place.
        assert_eq!(ends(&asking(4, "400", &policy(order), &works("1s")), EDGE), wanted, "{order}");
    }
}

#[test]
fn a_cancelled_attempt_gives_its_place_back_at_once_wherever_the_timeout_stands() {
    let policy = "timeout: 100ms, bulkhead: 1, order: resilience4j, propagate: [cancel]";
    let late = Ended::failed(Outcome::Timeout, Failure::Callee(Outcome::Timeout), 100.0);
    assert_eq!(ends(&asking(4, "400", policy, &works("1s")), EDGE), [late; 4]);
}

#[test]
fn a_full_semaphore_lets_wait_as_long_as_it_says() {
    let full = Ended::failed(Outcome::Rejected, Failure::BulkheadFull, 30.0);
    let table = [("30ms", [full, Ended::ok(100.0)]), ("90ms", [Ended::ok(100.0), Ended::ok(190.0)])];
    for (wait, wanted) in table {
        let policy = format!("bulkhead: {{limit: 1, wait: {wait}}}");
        assert_eq!(ends(&asking(2, "10", &policy, &works("100ms")), EDGE), wanted, "{wait}");
    }
}

#[test]
fn whoever_has_waited_longest_at_a_semaphore_is_next() {
    let ends = ends(&asking(4, "10", "bulkhead: {limit: 1, wait: 1s}", &works("100ms")), EDGE);
    assert_eq!(ends, [100.0, 190.0, 280.0, 370.0].map(Ended::ok));
}

#[test]
fn what_envoy_s_own_limits_turn_away_is_never_tried_again() {
    let policy = "retry: {kind: envoy, attempts: 3}, bulkhead: {kind: envoy, max_pending_requests: 0}, order: envoy";
    let full = Ended::failed(Outcome::Rejected, Failure::BulkheadFull, 0.0);
    assert_eq!(ends(&asking(2, "500", policy, &works("10ms")), EDGE), [full; 2]);
    let attempts = all(&asking(2, "500", policy, &works("10ms")));
    assert_eq!(attempts.iter().filter(|(_, what)| matches!(what, Observation::Attempt { .. })).count(), 2);
}

#[test]
fn a_hystrix_probe_that_a_semaphore_turns_away_decides_nothing_and_one_that_a_thread_pool_does_reopens() {
    // The first call has the only place for ten seconds. Two that are turned away trip the breaker, and so is the probe
    // at 2.4 s.
    let states = |bulkhead: &str| -> Vec<State> {
        let policy = format!(
            "breaker: {{kind: hystrix, request_volume_threshold: 2, sleep_window: 1s}}, bulkhead: {bulkhead}, \
             order: [breaker, bulkhead]"
        );
        let seen = all(&asking(8, "400", &policy, &works("10s")));
        let to = |what: Observation| match what {
            Observation::Breaker { transition, .. } => Some(transition.to),
            _ => None,
        };
        seen.into_iter().filter_map(|(_, what)| to(what)).collect()
    };
    // Half-open, it takes the first call's late success for the probe's.
    assert_eq!(states("1"), [State::Open, State::HalfOpen, State::Closed]);
    let threads = "{kind: thread_pool, core: 1, max: 1, queue: 0}";
    assert_eq!(states(threads), [State::Open, State::HalfOpen, State::Open]);
}

#[test]
fn a_linkerd_breaker_of_one_replica_lets_a_call_try_it_out() {
    let policy = "breaker: {kind: linkerd, max_failures: 3, min_penalty: 1s, max_penalty: 1s, jitter_ratio: 0}";
    let text = asking(20, "100", policy, &works("1ms"));
    let text = text.replacen('{', "{faults: [{name: broken, target: callee, errors: 100%, at: 0s, for: 500ms}], ", 1);
    let ends = ends(&text, EDGE);
    let answered = ends.iter().filter(|end| end.failure.is_none()).count();
    // Shut at 200 ms for a second: from 1.2 s on all are answered again.
    assert_eq!(answered, 8, "{ends:?}");
}

#[test]
fn a_budget_of_hedges_hears_how_attempts_end() {
    let hedges = |policy: &str, does: &str| {
        let seen = all(&asking(5, "200", policy, does));
        seen.iter().filter(|(_, what)| matches!(what, Observation::Hedged { .. })).count()
    };
    let one = "hedge: {after: 10ms, attempts: 1, budget: {kind: envoy, max_retries: 1}}";
    assert_eq!(hedges(one, &works("50ms")), 5, "each place is free again");
    // Ten tokens, of which each failed attempt takes one: with five left there is no further hedge.
    let tokens = "hedge: {after: 10ms, attempts: 1, when: [5xx], budget: {kind: grpc, max_tokens: 10}}";
    let fails = "endpoints: {work: {steps: [{wait: 50ms}, {fail: 100%}]}}";
    assert_eq!(hedges(tokens, fails), 3, "two attempts a call take two tokens");
}

#[test]
fn a_fallback_stands_in_for_the_failures_it_names_and_for_so_many_at_once() {
    let fails = "endpoints: {work: {steps: [{fail: {share: 100%, status: 404}}]}}";
    let failed = Failure::Callee(Outcome::Error(404));
    let degraded = |ms| Ended { outcome: Outcome::Degraded, ..Ended::failed(Outcome::Degraded, failed, ms) };
    let plain = Ended::failed(Outcome::Error(502), failed, 0.0);
    let table = [
        ("{after: 1ms}", vec![degraded(1.0); 3]),
        ("{after: 1ms, when: [timeout, 5xx]}", vec![plain; 3]),
        ("{after: 1ms, when: [4xx]}", vec![degraded(1.0); 3]),
        // Each takes 25 ms, and a call comes every 10 ms: the third finds both places taken.
        ("{after: 25ms, limit: 2}", vec![degraded(25.0), degraded(25.0), plain, degraded(25.0), degraded(25.0), plain]),
        ("{after: 25ms, limit: 0}", vec![plain; 2]),
    ];
    for (fallback, mut wanted) in table {
        let mut seen = ends(&asking(wanted.len() as u32, "10", &format!("fallback: {fallback}"), fails), EDGE);
        let order = |end: &Ended| format!("{end:?}");
        seen.sort_by_key(order);
        wanted.sort_by_key(order);
        assert_eq!(seen, wanted, "{fallback}");
    }
}

#[test]
fn a_replica_of_a_caller_that_dies_gives_back_the_places_of_its_fallbacks() {
    let text = "{duration: 3s, services: {
        caller: {endpoints: {go: {steps: [{call: callee.work}]}}, calls: {callee: {fallback: {after: 500ms, limit: 1}}}},
        callee: {endpoints: {work: {steps: [{fail: 100%}]}}}},
        faults: [{at: 1200ms, target: caller, kill: 1}],
        load: [{name: load, to: caller.go, rate: 1/s}]}";
    // At 0 s, 1 s (killed while it falls back), 2 s: each finds the one place free.
    let ends = ends(text, "caller -> callee");
    assert!(ends.iter().all(|end| end.outcome == Outcome::Degraded), "{ends:?}");
    assert!(ends.len() >= 2, "{ends:?}");
}

#[test]
fn a_hedge_on_failure_alone_goes_when_the_first_has_failed_and_not_before() {
    let hedged = |does: &str| {
        let seen = all(&asking(5, "100", "hedge: {after: failure, attempts: 1}", does));
        seen.iter().filter(|(_, what)| matches!(what, Observation::Hedged { .. })).count()
    };
    assert_eq!(hedged(&works("10s")), 0);
    assert_eq!(hedged("endpoints: {work: {steps: [{wait: 5ms}, {fail: 100%}]}}"), 5);
}

#[test]
fn only_grpc_s_retry_heeds_a_callee_that_says_there_is_to_be_no_further_attempt() {
    let made = |retry: &str| {
        let full = "admission: {concurrency: 0, retry_after: for_good}, endpoints: {work: {steps: [{wait: 1ms}]}}";
        ends(&asking(1, "10", &format!("retry: {retry}"), full), EDGE)[0].attempts
    };
    let table = [
        ("{kind: grpc, attempts: 3}", 1),
        ("{kind: grpc, attempts: 3, retry_after: ignored}", 3),
        ("{attempts: 3, retry_after: exact}", 3),
        ("{attempts: 3, budget: 100%, kind: grpc}", 1),
    ];
    for (retry, attempts) in table {
        assert_eq!(made(retry), attempts, "{retry}");
    }
}

#[test]
fn a_breaker_begins_in_the_state_it_is_told_and_says_so() {
    let ok = |state: &str| {
        let policy = format!("breaker: {{minimum_calls: 1, open_for: 250ms, initial_state: {state}}}");
        let text = asking(10, "100", &policy, &works("1ms"));
        let first = all(&text).into_iter().find_map(|(at, what)| match what {
            Observation::Breaker { transition, .. } => Some((at.as_nanos(), transition.to)),
            _ => None,
        });
        (ends(&text, EDGE).iter().filter(|end| end.failure.is_none()).count(), first)
    };
    let table = [
        ("closed", (10, None)),
        // Calls at 0, 100 and 200 ms are refused.
        ("open", (7, Some((0, State::Open)))),
        ("half_open", (10, Some((0, State::HalfOpen)))),
        ("forced_open", (0, Some((0, State::ForcedOpen)))),
        ("disabled", (10, Some((0, State::Disabled)))),
        ("metrics_only", (10, Some((0, State::MetricsOnly)))),
    ];
    for (state, wanted) in table {
        assert_eq!(ok(state), wanted, "{state}");
    }
}

#[test]
fn a_budget_hears_of_failures_that_are_retried_by_their_status_alone() {
    // Ten tokens, of which each failure takes one: at five there is no further retry.
    let retry = "retry: {attempts: 2, when: [refused], statuses: [503], budget: {kind: grpc, max_tokens: 10}}";
    let fails = "endpoints: {work: {steps: [{fail: {share: 100%, status: 503}}]}}";
    let attempts: u32 = ends(&asking(10, "100", retry, fails), EDGE).iter().map(|end| u32::from(end.attempts)).sum();
    assert_eq!(attempts, 12, "two calls have two attempts, the third takes the fifth token with its first");
}

#[test]
fn a_thread_pool_fills_core_then_queue_then_threads_and_refuses_the_next() {
    let policy = "bulkhead: {kind: thread_pool, core: 1, max: 2, queue: 1}";
    let full = Ended::failed(Outcome::Rejected, Failure::BulkheadFull, 0.0);
    // The third has a second thread, for the queue is full; the second waits until the first is done.
    let wanted = [full, Ended::ok(100.0), Ended::ok(100.0), Ended::ok(190.0)];
    assert_eq!(ends(&asking(4, "10", policy, &works("100ms")), EDGE), wanted);
}

#[test]
fn of_six_requests_two_connections_and_two_places_serve_two_when_cold_and_four_when_warm() {
    let policy = |connect: &str| {
        format!("bulkhead: {{kind: envoy, max_connections: 2, max_pending_requests: 2, connect: {connect}}}")
    };
    let served = |connect: &str| {
        let ends = ends(&asking(6, "1", &policy(connect), &works("100ms")), EDGE);
        ends.iter().filter(|end| end.failure.is_none()).count()
    };
    assert_eq!((served("50ms"), served("0s")), (2, 4));
}

#[test]
fn each_host_may_have_a_connection_whatever_envoy_s_limit_is() {
    let policy = "bulkhead: {kind: envoy, max_connections: 1, max_pending_requests: 10}";
    let took = |replicas: u32| -> Vec<f64> {
        let callee = format!("replicas: {replicas}, {}", works("100ms"));
        ends(&asking(4, "1", policy, &callee), EDGE).iter().map(|end| end.ms).collect()
    };
    assert_eq!(took(1), [100.0, 199.0, 298.0, 397.0]);
    assert_eq!(took(3), [100.0, 100.0, 100.0, 197.0]);
}

#[test]
fn a_rate_limit_of_the_caller_lets_the_next_go_when_its_permit_is_due() {
    let limited = Ended::failed(Outcome::RateLimited, Failure::RateLimited, 0.0);
    let ok = Ended::ok(1.0);
    assert_eq!(ends(&asking(4, "60", "rate_limit: 10/s", &works("1ms")), EDGE), [ok, limited, ok, limited]);
    let wait = "rate_limit: {rate: 10/s, wait: 200ms}";
    assert_eq!(ends(&asking(3, "60", wait, &works("1ms")), EDGE), [ok, Ended::ok(41.0), Ended::ok(81.0)]);
}

#[test]
fn an_open_breaker_is_tried_again_by_those_whose_original_does() {
    let made = |kind: &str| {
        let policy = format!(
            "retry: {{kind: {kind}, attempts: 3, backoff: none}}, breaker: {{kind: consecutive, failures: 1, open_for: 1h}}"
        );
        let callee = "endpoints: {work: {steps: [{fail: 100%}]}}";
        ends(&asking(1, "10", &policy, callee), EDGE)[0].attempts
    };
    assert_eq!(["resilience4j", "polly", "dotnet", "envoy", "plain"].map(made), [3, 3, 2, 2, 2]);
}

#[test]
fn a_hedge_is_sent_when_the_first_is_slow_and_the_slow_one_is_taken_back() {
    let slow = "replicas: 2, endpoints: {work: {steps: [{wait: 5ms}]}}";
    let text = asking(10, "100", "hedge: 20ms", slow);
    let text = text.replacen("load: ", "faults: [{at: 0s, target: \"callee[0]\", latency: 1s}], load: ", 1);
    let seen = all(&text);
    let count = |which: fn(&Observation) -> bool| seen.iter().filter(|(_, what)| which(what)).count();
    let hedged = count(|what| matches!(what, Observation::Hedged { .. }));
    let cancelled = count(|what| matches!(what, Observation::AttemptCancelled { .. }));
    let took = ends(&text, EDGE).iter().map(|end| end.ms).collect::<Vec<_>>();
    let slow = took.iter().filter(|ms| **ms == 25.0).count();
    assert!(took.iter().all(|ms| [5.0, 25.0].contains(ms)), "{took:?}");
    assert!(slow > 0 && slow < 10, "{took:?}");
    assert_eq!((hedged, cancelled), (slow, slow));
}

#[test]
fn a_budget_of_nothing_sends_no_hedge() {
    let seen = all(&asking(5, "100", "hedge: {after: 10ms, attempts: 2, budget: 0%}", &works("50ms")));
    assert!(!seen.iter().any(|(_, what)| matches!(what, Observation::Hedged { .. })));
}

#[test]
fn a_replica_that_linkerd_shut_out_is_not_asked_again() {
    let bad = "replicas: 3, endpoints: {work: {steps: [{wait: 1ms}]}}";
    let text = asking(60, "10", "breaker: {kind: linkerd, min_penalty: 1h, max_penalty: 1h}", bad);
    let text = text.replacen("load: ", "faults: [{at: 0s, target: \"callee[1]\", errors: 100%}], load: ", 1);
    let failed = ends(&text, EDGE).iter().filter(|end| end.failure.is_some()).count();
    assert_eq!(failed, 7);
}

#[test]
fn under_resilience4j_s_order_what_the_layers_inside_turn_away_opens_the_breaker() {
    // Each of them fails twice before anything else does; the third call is short-circuited.
    let breaker = "breaker: {kind: consecutive, failures: 2, open_for: 1h}, order: resilience4j";
    let table = [
        ("bulkhead: 0", Failure::BulkheadFull),
        (
            "rate_limit: {kind: resilience4j, limit_for_period: 1, limit_refresh_period: 1h, timeout_duration: 0s}",
            Failure::RateLimited,
        ),
        ("timeout: 20ms", Failure::Callee(Outcome::Timeout)),
    ];
    for (policy, failure) in table {
        let ends = ends(&asking(5, "100", &format!("{policy}, {breaker}"), &works("50ms")), EDGE);
        let failures: Vec<_> = ends.iter().filter_map(|end| end.failure).collect();
        assert_eq!(failures[..3], [failure, failure, Failure::BreakerOpen], "{policy}");
    }
    // Where the bulkhead stands outside, the breaker never hears of it.
    let outside = "bulkhead: 0, breaker: {kind: consecutive, failures: 2, open_for: 1h}, order: dotnet";
    let ends = ends(&asking(5, "100", outside, &works("50ms")), EDGE);
    assert!(ends.iter().all(|end| end.failure == Some(Failure::BulkheadFull)), "{ends:?}");
}

#[test]
fn the_breaker_s_durations_include_the_wait_for_a_permit() {
    // The callee takes 10 ms; permits come every 100 ms, so that the calls after the first wait for 90, 80, … ms.
    let limit =
        "rate_limit: {kind: resilience4j, limit_for_period: 1, limit_refresh_period: 100ms, timeout_duration: 1s}";
    let slow = |after: &str| {
        let breaker =
            format!("breaker: {{window: 3, minimum_calls: 3, slow_after: {after}, slow_rate: 60%, open_for: 1h}}");
        let seen = all(&asking(3, "10", &format!("{limit}, {breaker}, order: resilience4j"), &works("10ms")));
        seen.iter().filter(|(_, what)| matches!(what, Observation::Breaker { .. })).count()
    };
    // 10, 90 + 10 and 180 + 10 ms.
    assert_eq!((slow("99999us"), slow("100ms")), (1, 0));
}

#[test]
fn what_a_step_overrides_leaves_the_call_s_other_policies_as_they_are_with_defaults_and_without() {
    for defaults in ["", "defaults: {call: {deadline: 1h}}, "] {
        let text = format!(
            "{{{defaults}duration: 100ms, services: {{front: {{endpoints: {{e: {{steps: [{{call: {{to: back.f, timeout: 5s}}}}]}}}}, \
             calls: {{back: {{retry: 3}}}}}}, back: {{endpoints: {{f: {{steps: [{{fail: 100%}}]}}}}}}}}, \
             load: [{{name: l, to: front.e, rate: 10/s}}]}}"
        );
        assert_eq!(ends(&text, "front -> back")[0].attempts, 3, "{defaults}");
    }
}
