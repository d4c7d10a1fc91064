
#[test]
fn a_call_that_is_cancelled_stops_its_callee_and_others_leave_theirs_at_work() {
    let up = Up::start("features.yaml");
    let at_work = || {
        let queues = up.control("GET /v1/queues").1;
        queues.as_array().unwrap().iter().find(|row| row["service"] == "long").unwrap()["busy"].as_u64().unwrap()
    };
    let (head, body) = up.ask("front", "GET /cancels").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 ") && body.contains("timeout"), "{head} {body}");
    wait_until("nobody works for a caller that has left", || at_work() == 0);
    let (head, _) = up.ask("front", "GET /leaves").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(at_work(), 1, "the callee does not know, and works on");
}
