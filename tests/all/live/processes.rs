//! Several processes, a service each: they find one another, and the death of one is a refused connection to the others
//! and nothing else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Instant;

use super::{PATIENCE, Up, file, fresh_folder, say, squall, written};

/// A peers file with a free port for each.
fn peers(names: &[&str]) -> PathBuf {
    let ports: Vec<_> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let lines = names.iter().zip(&ports).map(|(name, port)| format!("{name} http://{}\n", port.local_addr().unwrap()));
    let path = fresh_folder(&format!("peers-{}", ports[0].local_addr().unwrap().port())).join("peers");
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

/// Takes one connection and one request on it, and answers it so; the lines of its head.
fn hear(stub: &TcpListener, answer: &str) -> Vec<String> {
    let (mut stream, _) = stub.accept().unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    write!(stream, "HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    head
}

/// The peers of a `middle` whose callee is a server of the test's own.
fn peers_with_stub(stub: &TcpListener) -> String {
    let path = peers(&["front", "middle"]);
    let known = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{known}back http://{}\n", stub.local_addr().unwrap())).unwrap();
    path.to_string_lossy().into_owned()
}

fn only(service: &str, peers: &std::path::Path) -> Up {
    Up::start_with("processes.yaml", &["--only", service, "--peers", &peers.to_string_lossy()])
}

/// What the operating system says of a process.
#[cfg(target_os = "linux")]
fn descriptors(of: &Up) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", of.child.id())).unwrap().count()
}

#[test]
fn a_process_that_is_killed_a_hundred_times_is_refused_to_its_callers_who_go_on() {
    let peers = peers(&["front", "middle", "back"]);
    let (front, middle) = (only("front", &peers), only("middle", &peers));
    let status = |path: &str| front.ask("front", &format!("GET {path}")).unwrap();
    let kills = 100;
    let mut left: Vec<(usize, usize)> = Vec::new();
    for kill in 0..kills {
        let back = only("back", &peers);
        let (head, body) = status("/whole");
        assert!(head.starts_with("HTTP/1.1 200 "), "alive, before kill {kill}: {head} {body}");
        // Dropping it kills it with signal 9.
        drop(back);
        let (head, body) = status("/whole");
        assert!(
            head.starts_with("HTTP/1.1 503 ") && body.contains("\"cause\":\"refused\""),
            "kill {kill}: {head} {body}"
        );
        assert!(status("/alone").0.starts_with("HTTP/1.1 200 "));
        #[cfg(target_os = "linux")]
        left.push((descriptors(&front), descriptors(&middle)));
    }
    let page = middle.ask("middle", "GET /metrics").unwrap().1;
    let refused = format!("squall_calls_total{{call=\"middle -> back\",outcome=\"refused\"}} {kills}\n");
    assert!(page.contains(&refused), "no {refused} in {page}");
    let (first, last) = (left.first().copied(), left.last().copied());
    let grown = |of: fn((usize, usize)) -> usize| last.map(of) > first.map(|pair| of(pair) + 2);
    assert!(!grown(|(front, _)| front) && !grown(|(_, middle)| middle), "descriptors are left behind: {left:?}");
}

#[test]
fn a_trace_and_a_request_id_go_with_a_request_from_process_to_process() {
    let stub = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = peers(&["front", "middle"]);
    let known = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{known}back http://{}\n", stub.local_addr().unwrap())).unwrap();
    let heard = std::thread::spawn(move || hear(&stub, "200 OK"));
    let (front, _middle) = (only("front", &path), only("middle", &path));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let headers = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\nx-request-id: mine\r\n");
    let (head, _) = say(front.address("front"), "GET /whole", &headers, "").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-request-id: mine"), "{head}");
    let heard = heard.join().unwrap();
    let header =
        |name: &str| heard.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{heard:?}"));
    assert_eq!(header("x-request-id: "), "mine");
    let parent = header("traceparent: ");
    assert!(parent.starts_with(&format!("00-{trace}-")) && !parent.contains("b7ad6b7169203331"), "{parent}");
}

#[test]
fn peers_that_are_not_enough_are_a_mistake() {
    let path = peers(&["middle"]);
    let text = path.to_string_lossy().into_owned();
    let began = Instant::now();
    for (only, says) in [("middle", "where back is, which `middle -> back` needs"), ("nobody", "no service or replica")]
    {
        let (_, errors) = written(&squall(&["up", &file("processes.yaml"), "--only", only, "--peers", &text]).code(2));
        assert!(errors.contains(says), "{errors}");
    }
    written(&squall(&["up", &file("processes.yaml"), "--only", "back"]).code(2));
    assert!(began.elapsed() < PATIENCE);
}

/// A server that answers every request, and counts its connections.
fn counting() -> (String, std::sync::Arc<std::sync::atomic::AtomicU32>) {
    use std::sync::atomic::{AtomicU32, Ordering};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = std::sync::Arc::new(AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&connections);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                for line in lines {
                    if line.is_empty() && stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, connections)
}

#[test]
fn a_call_without_a_pool_opens_a_connection_each_time_and_others_keep_theirs() {
    for (set, wanted) in [("services.middle.calls.back.timeout=19s", 1), ("services.middle.calls.back.pool=none", 5)] {
        let (back, connections) = counting();
        let path = peers(&["front", "middle"]);
        let known = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{known}back http://{back}\n")).unwrap();
        let middle =
            Up::start_with("processes.yaml", &["--only", "middle", "--peers", &path.to_string_lossy(), "--set", set]);
        for _ in 0..5 {
            assert!(middle.ask("middle", "POST /pass").unwrap().0.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), wanted, "{set}");
    }
}

#[test]
fn the_time_that_is_left_goes_with_a_request_if_that_is_wanted() {
    for (propagate, told) in [("[deadline]", true), ("[cancel]", false)] {
        let stub = TcpListener::bind("127.0.0.1:0").unwrap();
        let peers = peers_with_stub(&stub);
        let heard = std::thread::spawn(move || hear(&stub, "200 OK"));
        let call = format!("services.middle.calls.back={{deadline: 15s, propagate: {propagate}}}");
        let middle = Up::start_with("processes.yaml", &["--only", "middle", "--peers", &peers, "--set", &call]);
        assert!(middle.ask("middle", "POST /pass").unwrap().0.starts_with("HTTP/1.1 200 "));
        let heard = heard.join().unwrap();
        let left = heard.iter().find_map(|line| line.strip_prefix("grpc-timeout: "));
        assert_eq!(left.is_some(), told, "{heard:?}");
        if let Some(us) = left.and_then(|left| left.strip_suffix('u')) {
            assert!((1..=15_000_000).contains(&us.parse::<u64>().unwrap()), "{us}");
        }
    }
}

#[test]
fn a_callee_passes_on_what_remains_and_does_not_begin_what_it_cannot_finish() {
    let stub = TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = peers_with_stub(&stub);
    let heard = std::thread::spawn(move || hear(&stub, "200 OK"));
    let sets = [
        "services.front.calls.middle={deadline: 15s, propagate: [deadline]}",
        "services.middle.calls.back={timeout: 1h, propagate: [deadline]}",
        "services.middle.endpoints.pass.steps=[{wait: 200ms}, {call: back.end}]",
    ];
    let start = |service| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["--only", service, "--peers", &peers].into_iter().chain(sets).collect();
        Up::start_with("processes.yaml", &arguments)
    };
    let (front, middle) = (start("front"), start("middle"));
    assert!(front.ask("front", "GET /whole").unwrap().0.starts_with("HTTP/1.1 200 "));
    let heard = heard.join().unwrap();
    let left = heard.iter().find_map(|line| line.strip_prefix("grpc-timeout: ")?.strip_suffix('u'));
    let left: u64 = left.unwrap_or_else(|| panic!("{heard:?}")).parse().unwrap();
    assert!((1..=14_800_000).contains(&left), "200 ms of the 15 s are gone: {left} µs");
    // Servers believe what a request of the same run says; one process's own are of its own run.
    let all = Up::start_with(
        "processes.yaml",
        &[
            "--set",
            "services.middle.endpoints.pass.steps=[{wait: 30s}]",
            "--set",
            "services.front.calls.middle={deadline: 10s, propagate: [deadline]}",
        ],
    );
    let began = Instant::now();
    let (head, body) = all.ask("front", "GET /whole").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 ") && body.contains("timeout"), "{head} {body}");
    assert!(began.elapsed().as_secs() < 9, "30 s of work are not begun with 10 s left: {:?}", began.elapsed());
    drop(middle);
}

#[test]
fn a_server_of_somebody_else_says_when_to_come_back() {
    let stub = TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = peers_with_stub(&stub);
    let heard = std::thread::spawn(move || {
        hear(&stub, "429 Too Many Requests\r\nretry-after: 1");
        let turned_away = Instant::now();
        hear(&stub, "200 OK");
        turned_away.elapsed()
    });
    let call = "services.middle.calls.back={timeout: 20s, retry: {kind: dotnet, backoff: constant(1h), jitter: none}}";
    let middle = Up::start_with("processes.yaml", &["--only", "middle", "--peers", &peers, "--set", call]);
    let (head, body) = middle.ask("middle", "POST /pass").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("\"attempts\":2"), "{head} {body}");
    let waited = heard.join().unwrap();
    assert!(waited.as_millis() >= 990, "{waited:?}");
}
