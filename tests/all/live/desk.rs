//! The control desk: what it shows, and what can be changed while everything runs.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{PATIENCE, Up, ask, is_silent, say, wait_until};

#[test]
fn faults_are_begun_and_ended_by_hand() {
    let up = Up::start("statuses.yaml");
    let (head, _) = ask(&up.control, "GET /v1/state", "").unwrap();
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(up.ask("shut", "GET /door").is_some());

    assert_eq!(up.control("POST /v1/faults/shut-down/begin").1["changed"], true);
    assert_eq!(up.control("POST /v1/faults/shut-down/begin").1["changed"], false, "it was at work");
    wait_until("a service that is down takes no connection", || TcpStream::connect(up.address("shut")).is_err());
    let (head, body) = up.ask("front", "GET /refused").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("\"cause\":\"refused\""), "{head} {body}");
    let (_, state) = up.control("GET /v1/state");
    assert_eq!(state["faults"][0]["at_work"], true, "{state}");
    up.control("POST /v1/faults/shut-down/end");
    wait_until("it is back", || up.ask("shut", "GET /door").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200 ")));

    up.control("POST /v1/faults/back-hangs/begin");
    assert!(is_silent(up.address("back"), "GET /fails"), "accepted, never answered");
    up.control("POST /v1/faults/back-hangs/end");
    assert!(up.ask("back", "GET /fails").unwrap().0.starts_with("HTTP/1.1 500 "));

    up.control("POST /v1/faults/front-pauses/begin");
    assert!(is_silent(up.address("front"), "GET /items/1"), "frozen");
    assert!(up.ask("front", "GET /ready").unwrap().0.starts_with("HTTP/1.1 503 "));
    up.control("POST /v1/faults/front-pauses/end");
    assert!(up.ask("front", "GET /items/1").unwrap().0.starts_with("HTTP/1.1 200 "));
    assert!(up.control("POST /v1/faults/nonsense/begin").0.starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_fault_that_the_file_does_not_have_begins_by_hand_and_ends_by_itself() {
    let up = Up::start("statuses.yaml");
    assert!(up.ask("front", "GET /items/7").unwrap().0.starts_with("HTTP/1.1 200 "));
    let began = Instant::now();
    let (head, made) =
        up.tell("POST /v1/faults", r#"{"target": "front.ok", "errors": "100%", "status": 507, "for": "3s"}"#);
    assert!(head.starts_with("HTTP/1.1 201 ") && made["fault"] == "by-hand-1", "{head} {made}");
    assert!(up.ask("front", "GET /items/7").unwrap().0.starts_with("HTTP/1.1 507 "));
    let listed = up.control("GET /v1/faults").1;
    let row = listed.as_array().unwrap().iter().find(|row| row["name"] == "by-hand-1").unwrap();
    assert!(row["at_work"] == true && row["does"] == "errors", "{row}");
    while up.ask("front", "GET /items/7").unwrap().0.starts_with("HTTP/1.1 507 ") {
        assert!(began.elapsed() < PATIENCE, "it lasts for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());

    up.tell("POST /v1/faults", "{name: closed, target: shut, down: true}");
    wait_until("really refused", || TcpStream::connect(up.address("shut")).is_err());
    assert_eq!(up.control("DELETE /v1/faults/closed").1["changed"], true);
    wait_until("it is back", || up.ask("shut", "GET /door").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200 ")));

    for (wrong, says) in [
        ("{target: nobody, down: true}", "nobody"),
        ("{target: back}", "fault"),
        ("{target: back, dwon: true}", "dwon"),
        ("{target: back, errors: 30}", "30"),
        ("{target: back, down: true, every: 3s}", "by hand"),
        ("[", ""),
    ] {
        let (head, body) = up.tell("POST /v1/faults", wrong);
        assert!(head.starts_with("HTTP/1.1 422 ") && body.to_string().contains(says), "{wrong}: {head} {body}");
    }
}

#[test]
fn values_are_changed_while_it_runs() {
    let up = Up::start("statuses.yaml");
    let status = |line: &str| up.ask("front", line).unwrap().0[9..12].to_owned();
    assert_eq!(status("GET /timeout"), "504");
    let (head, _) = up.tell("PUT /v1/values/services.front.endpoints.timeout.steps.0.call.timeout", "20s");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(status("GET /timeout"), "200", "300 ms are within 20 s");

    up.tell("PUT /v1/values/services.front.workers", "3");
    let queues = up.control("GET /v1/queues").1;
    assert_eq!(queues[0]["workers"], 3, "{queues}");
    assert_eq!(status("GET /timeout"), "200", "what was changed before stays");

    for (path, value, says) in [
        ("services.front.replicas", "3", "cannot be changed while it runs"),
        ("services.front.calls.back.breaker", "{window: 10}", "would gain or lose a policy"),
        ("services.front.workers", "many", "many"),
        ("services.nobody.workers", "3", "nobody"),
    ] {
        let (head, body) = up.tell(&format!("PUT /v1/values/{path}"), value);
        assert!(head.starts_with("HTTP/1.1 422 ") && body.to_string().contains(says), "{path}: {head} {body}");
    }
    let (head, _) = say(&up.control, "PUT /v1/values/services.front.workers", "", "1").unwrap();
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

#[test]
fn breakers_pools_and_queues_are_read_and_a_breaker_in_flight_gets_other_settings() {
    let up = Up::start("live.yaml");
    let state = || up.control("GET /v1/breakers").1[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state(), "closed");
    assert_eq!(up.control("GET /v1/pools").1[0]["connections"], 10);
    let (head, _) =
        up.tell("PUT /v1/values/services.shop.calls.stock.breaker", "{window: 2, minimum_calls: 2, open_for: 1h}");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    up.tell("POST /v1/faults", "{target: stock, errors: 100%}");
    for _ in 0..2 {
        assert!(up.ask("shop[0]", "POST /buy/1").is_some());
    }
    assert_eq!(state(), "open", "two calls are enough now");
    up.tell("PUT /v1/values/services.shop.calls.stock.breaker.window", "3");
    assert_eq!(state(), "closed", "a breaker with other settings begins anew");
    up.tell("PUT /v1/values/databases.stock-db.connections", "1");
    assert_eq!(up.control("GET /v1/pools").1[0]["connections"], 1);
}

#[test]
fn every_policy_that_can_be_changed_while_it_runs_is() {
    let up = Up::start("changes.yaml");
    let put = |path: &str, value: &str| {
        let (head, body) = up.tell(&format!("PUT /v1/values/{path}"), value);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {value}: {head} {body}");
    };
    let call = |policy: &str| format!("services.front.calls.back.{policy}");
    let status = |path: &str| up.ask("front", path).unwrap();
    let is = |path: &str, status_is: &str, says: &str| {
        let (head, body) = status(path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status_is} ")) && body.contains(says), "{path}: {head} {body}");
    };
    // What each does shows.
    is("GET /end", "200", "\"attempts\":1");
    is("GET /fails", "502", "\"attempts\":2");
    put(&call("retry.attempts"), "3");
    is("GET /fails", "502", "\"attempts\":3");
    put(&call("timeout"), "1ms");
    put(&call("retry.attempts"), "1");
    is("GET /end", "504", "timeout");
    put(&call("timeout"), "20s");
    put(&call("deadline"), "2ms");
    is("GET /end", "504", "timeout");
    put(&call("deadline"), "20s");
    put(&call("rate_limit"), "1/h");
    is("GET /end", "200", "");
    is("GET /end", "429", "rate-limited");
    put(&call("rate_limit"), "100000/s");
    put(&call("bulkhead.limit"), "0");
    is("GET /end", "503", "rejected");
    put(&call("bulkhead.limit"), "10");
    is("GET /end", "200", "");
    put(&call("breaker"), "{kind: consecutive, failures: 1, open_for: 1h}");
    is("GET /fails", "502", "");
    is("GET /end", "503", "breaker-open");
    put(&call("breaker"), "{kind: consecutive, failures: 1000, open_for: 1h}");
    is("GET /end", "200", "");
    put("services.back.admission.concurrency", "5");
    put("services.back.admission.burst", "1");
    put("services.back.admission.rate", "1/h");
    is("GET /end", "200", "");
    is("GET /end", "429", "rate-limited");
    put("services.back.admission.rate", "100000/s");
    is("GET /end", "200", "");
    // The rest is taken as it is written.
    for (policy, value) in [
        ("throttle", "{kind: sre, multiplier: 3}"),
        ("pool", "{connections: 7, pending: 3}"),
        ("balancer", "random"),
        ("fallback", "{after: 2ms}"),
        ("network", "1ms"),
        ("retry", "{attempts: 2, backoff: exponential(1ms 2 4ms), jitter: full, budget: 50%}"),
    ] {
        put(&call(policy), value);
    }
    for (path, value) in [
        ("services.back.queue", "{limit: 7, order: lifo}"),
        ("services.back.balancer", "least_request"),
        ("services.limits.admission.concurrency", "{kind: vegas, initial: 3}"),
        ("services.front.calls.limits.hedge", "{after: 5s, attempts: 2}"),
        ("services.front.calls.limits.bulkhead", "{kind: thread_pool, core: 2, max: 5, queue: 1}"),
        ("services.front.calls.envoy.bulkhead", "{kind: envoy, max_connections: 3}"),
        ("services.front.calls.adaptive.bulkhead", "{kind: gradient2, initial: 30}"),
        ("services.back.workers", "4"),
        ("services.back.cold_start", "1s"),
        ("network", "1ms"),
    ] {
        put(path, value);
    }
    is("GET /end", "200", "");
    for path in ["GET /limits", "GET /envoy", "GET /adaptive"] {
        is(path, "200", "");
    }
    // A policy of another kind holds other things, and one that is not there holds none.
    for (path, value) in [
        (call("bulkhead"), "{kind: aimd}"),
        ("services.back.admission.concurrency".to_owned(), "{kind: aimd}"),
        ("services.front.calls.limits.retry".to_owned(), "{attempts: 3}"),
    ] {
        let (head, body) = up.tell(&format!("PUT /v1/values/{path}"), value);
        assert!(head.starts_with("HTTP/1.1 422 ") && body.to_string().contains("not while it runs"), "{path}: {body}");
    }
}
