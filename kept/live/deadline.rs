
#[test]
fn the_time_that_is_left_goes_with_a_request_if_that_is_wanted() {
    for (propagate, told) in [("[deadline]", true), ("[cancel]", false)] {
        let stub = TcpListener::bind("127.0.0.1:0").unwrap();
        let path = peers(&["front", "middle"]);
        let known = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{known}back http://{}\n", stub.local_addr().unwrap())).unwrap();
        let heard = std::thread::spawn(move || hear(&stub));
        let call = format!("services.middle.calls.back={{deadline: 15s, propagate: {propagate}}}");
        let middle =
            Up::start_with("processes.yaml", &["--only", "middle", "--peers", &path.to_string_lossy(), "--set", &call]);
        assert!(middle.ask("middle", "POST /pass").unwrap().0.starts_with("HTTP/1.1 200 "));
        let heard = heard.join().unwrap();
        let left = heard.iter().find_map(|line| line.strip_prefix("grpc-timeout: "));
        assert_eq!(left.is_some(), told, "{heard:?}");
        if let Some(ms) = left.and_then(|left| left.strip_suffix('u')) {
            assert!((1..=15_000_000).contains(&ms.parse::<u64>().unwrap()), "{ms}");
        }
    }
}
