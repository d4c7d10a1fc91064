//! The live world: real servers, real connections, the same machines. Times are real here, so that the tests keep to
//! counts, orders and states, and give times room.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{command, file, fresh_folder, squall, written};

mod desk;
mod features;
mod load;
mod processes;

/// How long something may take on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(20);

/// A report, however the run ended.
fn report(arguments: &[&str]) -> Value {
    let (out, errors) = written(&squall(&[arguments, &["--json", "-"]].concat()));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{errors}"))
}

fn count(of: &Value, key: &str) -> u64 {
    of[key].as_u64().unwrap_or_else(|| panic!("no count `{key}` in {of}"))
}

/// What went in came out, was turned away, or is still there.
fn assert_nothing_is_lost(report: &Value) {
    let sum = |of: &Value, keys: &[&str]| keys.iter().map(|key| count(of, key)).sum::<u64>();
    for (load, of) in report["load"].as_object().unwrap() {
        assert_eq!(count(of, "offered"), sum(of, &["ok", "degraded", "failed", "in_flight"]), "{load}");
    }
    for (service, of) in report["services"].as_object().unwrap() {
        assert_eq!(count(of, "requests"), sum(of, &["ok", "failed", "rejected", "in_flight"]), "{service}");
    }
}

/// What went wrong, to what, in order.
fn story(report: &Value) -> Vec<String> {
    let causes = report["causes"].as_array().unwrap().iter();
    causes.map(|cause| format!("{} {}", cause["kind"].as_str().unwrap(), cause["subject"])).collect()
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Live services, until they are dropped.
struct Up {
    child: Child,
    /// Kept, so that nobody writes to nobody.
    _errors: BufReader<ChildStderr>,
    /// Names and addresses.
    services: Vec<(String, String)>,
    control: String,
    token: String,
}

/// A number for each: they run side by side, each in a folder of its own.
fn ups() -> usize {
    static UPS: AtomicUsize = AtomicUsize::new(0);
    UPS.fetch_add(1, Ordering::Relaxed)
}

impl Up {
    fn start(topology: &str) -> Self {
        Self::start_with(topology, &[])
    }

    fn start_with(topology: &str, arguments: &[&str]) -> Self {
        let mut child = command(
            &fresh_folder(&format!("up-{}", ups())),
            &[&["--quiet", "up", &file(topology)], arguments].concat(),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let mut services = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some((name, address)) = line.split_once(" http://") else {
                assert_eq!(line, "ready");
                break;
            };
            services.push((name.to_owned(), address.to_owned()));
        }
        let mut line = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        errors.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        let (control, token) = (words.nth(1).unwrap(), words.nth(1).unwrap());
        let control = control.trim_start_matches("http://").to_owned();
        Self { child, _errors: errors, services, control, token }
    }

    fn address(&self, service: &str) -> &str {
        &self.services.iter().find(|(name, _)| name == service).unwrap().1
    }

    /// Sends a request with nothing in it; the head and the body of the answer.
    fn ask(&self, service: &str, line: &str) -> Option<(String, String)> {
        ask(self.address(service), line, "")
    }

    fn control(&self, line: &str) -> (String, Value) {
        self.tell(line, "")
    }

    /// Says something to the control desk.
    fn tell(&self, line: &str, body: &str) -> (String, Value) {
        let token = format!("authorization: Bearer {}\r\n", self.token);
        let (head, body) = say(&self.control, line, &token, body).unwrap();
        (head, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The head and the body of an answer; `None` if there is no connection, or none comes in a long time.
fn ask(address: &str, line: &str, headers: &str) -> Option<(String, String)> {
    say(address, line, headers, "")
}

fn say(address: &str, line: &str, headers: &str, body: &str) -> Option<(String, String)> {
    exchange(address, [line, headers, body], PATIENCE)
}

/// Whether a request is taken and not answered for a while.
fn is_silent(address: &str, line: &str) -> bool {
    TcpStream::connect(address).is_ok() && exchange(address, [line, "", ""], Duration::from_millis(500)).is_none()
}

fn exchange(address: &str, [line, headers, body]: [&str; 3], patience: Duration) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).unwrap();
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// Waits until something is so, which it will be soon.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never came about: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs it again if the machine had other things to do meanwhile, up to three times; `None`, loudly, if it always had.
fn undisturbed(run: impl Fn() -> Value) -> Option<Value> {
    for _ in 0..3 {
        let report = run();
        let late = |of: &str| report["live"][of]["p99"].as_f64().is_none_or(|ms| ms > 8.0);
        if !late("timers_late_ms") && !late("generator_late_ms") {
            return Some(report);
        }
    }
    eprintln!("SKIPPED: this machine has too much to do for a live run to be on time");
    None
}

#[test]
fn a_live_run_tells_the_same_story_as_the_simulated_one_and_loses_nothing() {
    let topology = file("live.yaml");
    let sim = report(&["run", &topology]);
    let live = || {
        let live = report(&["run", "--live", &topology]);
        assert_eq!((&sim["world"], &live["world"]), (&"sim".into(), &"live".into()));
        assert_nothing_is_lost(&live);
        let offered = |report: &Value| count(&report["load"]["buyers"], "offered");
        assert_eq!((offered(&sim), offered(&live)), (100, 100));
        assert_eq!(live["services"]["stock"]["failed"], 0, "whoever was refused never got in");
        live
    };
    let Some(live) = undisturbed(live) else { return };
    // Goodput is back in the same instant as the breaker closes: which of the two is told first is the clock's to say.
    let told = |report: &Value| {
        let (recovered, rest): (Vec<_>, Vec<_>) =
            story(report).into_iter().partition(|what| what.starts_with("recovered"));
        (rest, recovered)
    };
    assert_eq!(told(&live), told(&sim));
    assert_eq!(live["verdict"], sim["verdict"]);
    let fired = count(&live["faults"][0], "fired");
    let refused = count(&live["calls"]["shop -> stock"], "refused");
    assert!(fired == refused && fired > 5, "each of {refused} refused attempts is the fault's doing: {fired}");
    assert!(count(&live["services"]["stock"], "requests") > 50);
}

#[test]
fn twins_are_held_against_each_other() {
    for _ in 0..3 {
        let (out, errors) = written(&squall(&["twin", &file("live.yaml")]));
        assert_eq!(errors, "");
        assert!(out.lines().any(|line| line.contains("buyers p50") && line.contains('±')), "{out}");
        assert!(out.contains("✓ buyers offered"), "{out}");
        // If this machine has other things to do, that is what is said.
        if !out.contains("could not keep up") && !out.contains("this machine was busy") {
            for figure in ["shop -> stock breaker first opens", "what went wrong, in order", "verdict"] {
                assert!(out.contains(&format!("✓ {figure}")), "{figure}: {out}");
            }
            return;
        }
    }
    eprintln!("SKIPPED: this machine has too much to do for a live run to be on time");
}

#[test]
fn an_interrupted_live_run_still_reports_what_happened_so_far() {
    let path = fresh_folder("interrupted").join("report.json");
    let (topology, json) = (file("live.yaml"), path.to_string_lossy().into_owned());
    let arguments = ["--quiet", "run", "--live", &topology, "--duration", "60s", "--json", &json];
    let mut child = command(&fresh_folder("interrupt"), &arguments).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let pressed = Instant::now();
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(pressed.elapsed() < PATIENCE);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_nothing_is_lost(&report);
    assert!(count(&report["load"]["buyers"], "offered") > 5);
    assert!(report["time"]["simulated_s"].as_f64().unwrap() < 50.0);
}

#[test]
fn every_outcome_has_its_status() {
    let up = Up::start("statuses.yaml");
    let table = [
        ("front", "GET /items/7", 200, "\"degraded\":false"),
        ("front", "GET /degraded", 200, "\"degraded\":true"),
        ("front", "GET /fails", 507, "\"cause\":\"error\""),
        ("front", "GET /failed-callee", 502, "\"attempts\":1,\"cause\":\"error\""),
        ("front", "GET /thrice", 502, "\"attempts\":3,\"cause\":\"error\""),
        ("front", "GET /timeout", 504, "\"cause\":\"timeout\""),
        ("front", "POST /post", 200, "\"endpoint\":\"post\""),
        ("front", "GET /post", 405, "another method"),
        ("front", "GET /nowhere", 404, "no endpoint"),
        ("front", "GET /health", 200, "\"ok\""),
        ("front", "GET /ready", 200, "\"ready\":true"),
    ];
    for (service, line, status, says) in table {
        let (head, body) = up.ask(service, line).unwrap_or_else(|| panic!("no answer to {line}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && body.contains(says), "{line}: {head} {body}");
        assert_eq!(head.contains("x-degraded: true"), line == "GET /degraded");
    }
    let first = std::thread::spawn({
        let address = up.address("busy").to_owned();
        move || ask(&address, "GET /one", "x-request-id: mine\r\n")
    });
    let queues = || up.control("GET /v1/queues").1;
    let is_busy = || queues().as_array().unwrap().iter().any(|row| row["service"] == "busy" && row["busy"] == 1);
    wait_until("its worker is busy", is_busy);
    let (head, body) = up.ask("busy", "GET /one").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("\"cause\":\"rejected\""), "{head} {body}");
    let (head, _) = first.join().unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-request-id: mine"), "{head}");
    let (head, page) = up.ask("front", "GET /metrics").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for sample in [
        "squall_requests_total{service=\"front\",replica=\"0\",endpoint=\"fails\",outcome=\"error\"} 1\n",
        "squall_request_duration_seconds_count{service=\"front\",replica=\"0\",endpoint=\"ok\"} 1\n",
        "squall_calls_total{call=\"front -> back\",outcome=\"timeout\"} 1\n",
        "squall_workers{service=\"front\",replica=\"0\"} 8\n",
    ] {
        assert!(page.contains(sample), "no {sample} in {page}");
    }
}

#[test]
fn services_that_are_up_stop_when_told_to() {
    let mut up = Up::start("statuses.yaml");
    interrupt(&up.child);
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
    let mut up = Up::start("statuses.yaml");
    assert_eq!(up.control("POST /v1/stop").1["stopping"], true);
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_run_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for arguments in [
        &["run", "--live", &file("live.yaml"), "--base-port", &port][..],
        &["up", &file("live.yaml"), "--base-port", &port],
    ] {
        let (_, errors) = written(&squall(arguments).code(3));
        assert!(errors.contains(&format!("shop[0] cannot listen on 127.0.0.1:{port}")), "{errors}");
    }
    let load = |target: &str| squall(&["load", &file("live.yaml"), "--target", target]);
    drop(taken);
    let (_, errors) = written(&load(&format!("http://127.0.0.1:{port}")).code(3));
    assert!(errors.contains("nobody answers at"), "{errors}");
    let (_, errors) = written(&load("http://192.0.2.7:80").code(2));
    assert!(
        errors.contains("`192.0.2.7` is another machine") && errors.contains("--allow-remote 192.0.2.7"),
        "{errors}"
    );
    let (_, errors) = written(&load("nonsense").code(2));
    assert!(errors.contains("not a URL"), "{errors}");
    let (_, errors) =
        written(&squall(&["run", "--live", &file("live.yaml"), "--set", "load.regulars.users=3000000"]).code(3));
    assert!(errors.contains("open files") && errors.contains("ulimit -n"), "{errors}");
}

/// CPU time that a process has used, in steps of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_time(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // The name may have blanks in it, and ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

#[cfg(target_os = "linux")]
#[test]
fn work_burns_cpu_only_if_that_is_wanted() {
    let used = |arguments: &[&str]| {
        let up = Up::start_with(
            "statuses.yaml",
            &[&["--set", "services.front.endpoints.ok.steps.0.work=100ms"], arguments].concat(),
        );
        let before = cpu_time(&up.child);
        for _ in 0..4 {
            assert!(up.ask("front", "GET /items/7").unwrap().0.starts_with("HTTP/1.1 200 "));
        }
        cpu_time(&up.child).saturating_sub(before)
    };
    let (waited, burnt) = (used(&[]), used(&["--burn"]));
    assert!(burnt >= Duration::from_millis(300), "{burnt:?} for 400 ms of work");
    assert!(waited < Duration::from_millis(200), "{waited:?} for waiting");
    // 15/16 of the memory is in use: work takes (1 - 12/16) / (1 - 15/16) times as long.
    let memory = "services.front.memory={base: 60MiB, limit: 64MiB, slow_from: 75%, per_request: 0B}";
    let stretched = used(&["--burn", "--set", memory]);
    assert!(stretched >= Duration::from_millis(1200), "{stretched:?} for 400 ms of work that takes four times as long");
}

#[test]
fn latencies_are_logged_in_both_worlds() {
    let folder = fresh_folder("logs");
    for (name, world) in [("sim", &[][..]), ("live", &["--live"])] {
        let path = folder.join(name).to_string_lossy().into_owned();
        let topology = file("live.yaml");
        squall(&[&["--quiet", "run", &topology, "--hdr", &path], world].concat());
        let log = std::fs::read_to_string(&path).unwrap();
        let tagged = |tag: &str| log.lines().filter(|line| line.starts_with(&format!("Tag={tag},"))).count();
        assert!(tagged("buyers") >= 2 && tagged("buyers.failed") >= 1 && tagged("regulars") >= 2, "{log}");
        assert!(log.starts_with("#[") && log.lines().skip(3).all(|line| line.contains(",HISTFA")), "{log}");
    }
}
