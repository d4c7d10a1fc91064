//! `squall load`: the load alone, against services of ours and of others, alive and dead.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, Up, assert_nothing_is_lost, count, file, fresh_folder, report, squall, written};

#[test]
fn load_alone_goes_to_services_that_are_up() {
    let up = Up::start("live.yaml");
    let target = format!("http://{}", up.address("shop[0]"));
    let patient = ["--set", "load.buyers.timeout=20s", "--set", "load.regulars.timeout=20s"];
    let report = report(&[&["load", &file("live.yaml"), "--target", &target], &patient[..]].concat());
    assert_nothing_is_lost(&report);
    let buyers = &report["load"]["buyers"];
    assert!(count(buyers, "offered") == 100 && count(buyers, "ok") > 50, "{buyers}");
    assert!(count(&report["load"]["regulars"], "ok") > 10);
    assert_eq!(report["faults"], Value::Array(Vec::new()), "faults are for whoever runs the services");
    let (_, page) = up.ask("stock", "GET /metrics").unwrap();
    let line = page.lines().find(|line| line.starts_with("squall_request_duration_seconds_count")).unwrap();
    let served: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    let answered = count(&report["system"], "ok") + count(&report["system"], "failed");
    assert!((count(&report["system"], "ok")..=2 * answered).contains(&served), "{served} of {answered}");
}

#[test]
fn a_target_that_dies_ends_the_load_with_an_error_and_a_report() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap();
    std::thread::spawn(move || {
        // A few answers, and then nobody.
        for _ in 0..3 {
            let (mut stream, _) = target.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let began = Instant::now();
    let path = fresh_folder("died").join("report.json");
    let (url, json) = (format!("http://{address}"), path.to_string_lossy().into_owned());
    let topology = file("live.yaml");
    let load =
        squall(&["load", &topology, "--target", &url, "--give-up-after", "2s", "--duration", "60s", "--json", &json])
            .code(3);
    let (_, errors) = written(&load);
    assert!(errors.contains("takes no connections any more"), "{errors}");
    assert!(began.elapsed() < 2 * PATIENCE, "{:?}", began.elapsed());
    let report: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_nothing_is_lost(&report);
    assert!((1..=3).contains(&count(&report["system"], "ok")), "{}", report["system"]);
}

#[test]
fn latencies_count_from_when_a_request_was_meant_to_start() {
    // Takes a second to answer the first request, and then answers at once, one after another: whoever measures from
    // when a request is sent over one connection sees one slow answer. Users who meant to ask meanwhile waited, too.
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", target.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut first = true;
        for stream in target.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            if std::mem::take(&mut first) {
                std::thread::sleep(Duration::from_secs(1));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let report = report(&[
        "load",
        &file("live.yaml"),
        "--target",
        &url,
        "--set",
        "load.regulars.users=1",
        "--set",
        "load.buyers.timeout=20s",
    ]);
    let latency = &report["load"]["buyers"]["latency_ms"];
    assert!(latency["p90"].as_f64().unwrap() > 300.0, "{latency}");
    assert!(latency["max"].as_f64().unwrap() > 800.0, "{latency}");
    let late = &report["live"]["generator_late_ms"];
    assert!(late["p50"].as_f64().unwrap() >= 0.0 && late["p99"].is_number(), "{late}");
    assert!(report["live"]["doubts"].is_array(), "{}", report["live"]);
}
