//! Clients that are slow, silent or broken: every one is cut off in its time, and none is in the way of the others.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests may stop")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_model::plan::Plan;
use squall_model::{plan, spec};
use squall_services::{Driver, Limits, Program, bind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

const SHOP: &str = "
name: shop
duration: 1s
services:
  shop:
    workers: 4
    endpoints:
      buy: {http: POST /buy, steps: [{work: 1ms}]}
      slow: {steps: [{wait: 60s}]}
load: [{name: l, to: shop.buy, rate: 1/s}]
";

/// How long a machine that has other things to do may take for what should take a fifth of a second.
const PATIENCE: Duration = Duration::from_secs(8);

const LIMITS: Limits = Limits {
    head: Duration::from_millis(200),
    body: Duration::from_millis(200),
    body_bytes: 1000,
    head_bytes: 8192,
    connections: 100,
    stop: Duration::from_millis(200),
};

fn shop() -> &'static Plan {
    let loaded = spec::load(SHOP, &[], &|_| Err(String::new())).unwrap();
    Box::leak(Box::new(plan::compile(&loaded.topology).unwrap()))
}

/// The shop's address, and what closes it.
fn open() -> (Arc<Driver<()>>, SocketAddr, watch::Sender<bool>) {
    let plan = shop();
    let driver = Driver::new(plan, ()).unwrap();
    let doors = bind(plan, None).unwrap();
    let address = doors.addresses().next().unwrap().1;
    let (stop, stopping) = watch::channel(false);
    driver.begin(Program::default());
    doors.serve(&driver, LIMITS, &stopping);
    (driver, address, stop)
}

/// Sends `text` and reads until the server hangs up, which must be soon.
async fn until_cut_off(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let cut_off = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(cut_off.is_ok(), "still open: {text:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn whoever_is_slow_or_silent_is_cut_off() {
    let (_driver, address, _stop) = open();
    let long = format!("GET /buy HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    let many: String = (0..200).map(|i| format!("x-{i}: 1\r\n")).collect();
    let many = format!("GET /buy HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    let post = |rest: &str| format!("POST /buy HTTP/1.1\r\nhost: a\r\n{rest}");
    let table = [
        ("silent", String::new(), ""),
        ("half a head", "GET /buy HTTP/1.1\r\nhos".into(), ""),
        ("a head without its end", "GET /buy HTTP/1.1\r\nhost: a\r\n".into(), ""),
        ("half a body", post("content-length: 10\r\n\r\nabc"), "HTTP/1.1 408"),
        ("no body at all", post("content-length: 10\r\n\r\n"), "HTTP/1.1 408"),
        ("too long a body", post(&format!("content-length: 2000\r\n\r\n{}", "x".repeat(2000))), "HTTP/1.1 413"),
        (
            "a length and chunks",
            post("content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 411",
        ),
        (
            "chunks and a length",
            post("transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 411",
        ),
        ("two lengths", post("content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"), "HTTP/1.1 400"),
        ("too long a head", long, "HTTP/1.1 431"),
        ("too many headers", many, "HTTP/1.1 431"),
        ("not HTTP", "\u{16}\u{3}\u{1}\r\n\r\n".into(), "HTTP/1.1 400"),
        ("nothing after an answer", post("content-length: 2\r\n\r\n{}"), "HTTP/1.1 200"),
    ];
    let clients = table.map(|(what, text, begins)| {
        tokio::spawn(async move {
            let answer = until_cut_off(address, &text).await;
            let as_expected = if begins.is_empty() { answer.is_empty() } else { answer.starts_with(begins) };
            assert!(as_expected, "{what}: {answer:?}");
        })
    });
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_for_ever_is_cut_off() {
    let (_driver, address, _stop) = open();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(began.elapsed() < PATIENCE, "it may go on for ever");
    }
}

#[tokio::test]
async fn others_are_served_meanwhile() {
    let (_driver, address, _stop) = open();
    let _silent = silent(address, 50).await;
    let answer =
        until_cut_off(address, "POST /buy HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    assert!(answer.await.starts_with("HTTP/1.1 200"));
}

async fn silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    streams
}

#[tokio::test]
async fn a_stop_ends_by_its_deadline_whatever_is_under_way() {
    let (driver, address, stop) = open();
    let slow = tokio::spawn(async move { until_cut_off(address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send_replace(true);
    assert_eq!(slow.await.unwrap(), "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert!(driver.end().is_some());
}

#[tokio::test]
async fn an_asker_that_hangs_up_leaves_its_request_to_the_machines() {
    let (driver, address, _stop) = open();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let began = Instant::now();
    while driver.replica(squall_model::plan::ReplicaId(0)).busy < 3 {
        assert!(began.elapsed() < PATIENCE, "not all have arrived");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(driver.replica(squall_model::plan::ReplicaId(0)).busy, 3, "the callee works on");
}
