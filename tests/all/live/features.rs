//! Features of the machines that have to be real over HTTP as well: what a client sees of them on its connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Up, ask, is_silent, wait_until};

#[test]
fn a_corrupt_answer_is_no_http_and_useless_to_callers() {
    let up = Up::start("features.yaml");
    assert!(up.ask("front", "GET /corrupt").unwrap().0.starts_with("HTTP/1.1 200 "));
    up.tell("POST /v1/faults", "{name: junk, target: spoilt, corrupt: 100%}");
    let mut stream = TcpStream::connect(up.address("spoilt")).unwrap();
    stream.write_all(b"GET /end HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut junk = Vec::new();
    stream.read_to_end(&mut junk).unwrap();
    assert!(junk.len() > 100 && !junk.starts_with(b"HTTP/"), "{:?}", String::from_utf8_lossy(&junk));
    let (head, body) = up.ask("front", "GET /corrupt").unwrap();
    assert!(head.starts_with("HTTP/1.1 502 ") && body.contains("\"cause\":\"error\""), "{head} {body}");
    up.control("DELETE /v1/faults/junk");
    assert!(up.ask("front", "GET /corrupt").unwrap().0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_dropped_is_never_answered() {
    let up = Up::start("features.yaml");
    up.tell("POST /v1/faults", "{name: lost, target: back, drop: 100%}");
    let began = Instant::now();
    let (head, body) = up.ask("front", "GET /fresh").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 ") && body.contains("timeout"), "{head} {body}");
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert!(is_silent(up.address("back"), "GET /end"), "accepted, and lost");
    up.control("DELETE /v1/faults/lost");
    assert!(up.ask("back", "GET /end").unwrap().0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn messages_are_delivered_over_http() {
    let up = Up::start("features.yaml");
    assert!(up.ask("front", "POST /publish").unwrap().0.starts_with("HTTP/1.1 200 "));
    let told = "squall_requests_total{service=\"back\",replica=\"0\",endpoint=\"told\",outcome=\"ok\"} 1\n";
    wait_until("it is delivered", || up.ask("back", "GET /metrics").unwrap().1.contains(told));
}

#[test]
fn a_pool_without_room_turns_calls_away_and_is_seen_at_the_desk() {
    let up = Up::start("features.yaml");
    let address = up.address("front").to_owned();
    let first = std::thread::spawn(move || ask(&address, "GET /pooled", "").unwrap().0);
    let pool = || {
        let pools = up.control("GET /v1/pools").1;
        pools.as_array().unwrap().iter().find(|pool| pool["call"] == "front -> slow").unwrap().clone()
    };
    wait_until("its only connection is in use", || pool()["busy"] == 1);
    assert_eq!(pool()["connections"], 1);
    let (head, body) = up.ask("front", "GET /pooled").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("rejected"), "{head} {body}");
    assert!(first.join().unwrap().starts_with("HTTP/1.1 200 "));
}

#[test]
fn replicas_that_are_added_listen_and_those_that_are_taken_away_do_not() {
    let up = Up::start("features.yaml");
    let listens = |replica: &str| TcpStream::connect(up.address(replica)).is_ok();
    wait_until("the second waits to be needed", || !listens("grows[1]"));
    assert!(listens("grows[0]"));
    let (first, stop) = (up.address("grows[0]").to_owned(), Instant::now() + Duration::from_secs(3));
    let busy: Vec<_> = (0..3)
        .map(|_| {
            let first = first.clone();
            std::thread::spawn(move || {
                while Instant::now() < stop {
                    ask(&first, "GET /work", "");
                }
            })
        })
        .collect();
    wait_until("the second is needed", || listens("grows[1]"));
    assert!(up.ask("grows[1]", "GET /work").unwrap().0.starts_with("HTTP/1.1 200 "));
    for busy in busy {
        busy.join().unwrap();
    }
    wait_until("the second is not needed", || !listens("grows[1]"));
    assert!(listens("grows[0]"), "there is always one");
}

#[test]
fn a_call_that_is_cancelled_stops_its_callee_and_others_leave_theirs_at_work() {
    let up = Up::start("features.yaml");
    let at_work = |service: &str| {
        let queues = up.control("GET /v1/queues").1;
        queues.as_array().unwrap().iter().find(|row| row["service"] == service).unwrap()["busy"].as_u64().unwrap()
    };
    let address = up.address("front").to_owned();
    let asked = std::thread::spawn(move || ask(&address, "GET /cancels", "").unwrap());
    wait_until("the callee works", || at_work("obeys") == 1 || asked.is_finished());
    let (head, body) = asked.join().unwrap();
    assert!(head.starts_with("HTTP/1.1 504 ") && body.contains("timeout"), "{head} {body}");
    wait_until("nobody works for a caller that has left", || at_work("obeys") == 0);
    let ended = "squall_requests_total{service=\"obeys\",replica=\"0\",endpoint=\"end\",outcome=\"cancelled\"} 1\n";
    let page = up.ask("obeys", "GET /metrics").unwrap().1;
    assert!(page.contains(ended), "no {ended} in {page}");
    let (head, _) = up.ask("front", "GET /leaves").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(at_work("long"), 1, "the callee does not know, and works on");
}

#[test]
fn whoever_is_turned_away_is_told_when_to_come_back_and_a_retry_that_listens_does() {
    let up = Up::start("features.yaml");
    let (head, _) = up.ask("limited", "GET /end").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("retry-after"), "{head}");
    let (head, _) = up.ask("limited", "GET /end").unwrap();
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(head.contains("retry-after: 2\r\n") && head.contains("retry-after-ms: 1500"), "{head}");
    let began = Instant::now();
    let (head, body) = up.ask("front", "GET /limited").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert!(head.starts_with("HTTP/1.1 429 ") && body.contains("\"attempts\":2"), "{head} {body}");
}

#[test]
fn a_rolling_restart_loses_nothing_if_replicas_drain_and_are_ready_when_they_say_so() {
    let run = |more: &[&str]| -> serde_json::Value {
        let words = [&["run", "--live", "restart.yaml", "--json", "-"][..], more].concat();
        let report: serde_json::Value = serde_json::from_str(&crate::written(&crate::squall(&words)).0).unwrap();
        assert_eq!(report["faults"][0]["fired"], 3, "each of three replicas restarts");
        report["load"]["visitors"].clone()
    };
    let drained = run(&[]);
    assert_eq!(drained["failed"], 0, "{drained}");
    // 350 ms, three times, for each of which a third of 100 requests a second is refused, or half where two restart.
    let early = run(&["--set", "services.api.ready_after=50ms"]);
    let refused = early["failures"]["refused"].as_u64().unwrap();
    assert!((20..=80).contains(&refused), "{early}");
}
