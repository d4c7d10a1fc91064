//! What a simulated storm costs: events a second, nanoseconds an event and a hop, bytes a hop in flight, what an event costs
//! among many that are pending, and how long a start takes. The exit code is 1 if one of them is beyond its bound.
//!
//! The model of the speed is `benches/chain.yaml`. Instruction counts, which do not hang on the machine's mood, come from
//! `benches/instructions.sh` and `benches/scale.sh`, which hold the same things to closer bounds.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use squall_engine::Ended;
use squall_model::observation::{Observation, Sink};
use squall_model::plan::{self, Plan};
use squall_model::{SimTime, spec};
use squall_telemetry::{Recorder, step_for};

/// Services that a request of the chain passes.
const HOPS: u64 = 3;

/// The most bytes that a hop of a request in flight may take.
const MOST_BYTES_A_HOP: f64 = 200.0;
/// The most milliseconds from the text of a file of ten services to its first event.
const MOST_MS_TO_START: f64 = 5.0;

fn plan_of(text: &str, sets: &[(&str, &str)]) -> Plan {
    let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let read = spec::read(text, &sets, &|_| Err(String::new()));
    plan::compile(&read.topology.unwrap()).unwrap()
}

fn chain(sets: &[(&str, &str)]) -> Plan {
    plan_of(include_str!("chain.yaml"), sets)
}

/// Runs a plan with its recorder on.
fn storm(plan: &Plan) -> Ended {
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let ended = squall_engine::run(plan, &mut recorder);
    black_box(recorder.finish(ended.at));
    ended
}

fn chains(c: &mut Criterion) {
    let variants: [(&str, &[(&str, &str)]); 5] = [
        ("4000 rps, healthy", &[]),
        ("100 rps", &[("load.load.rate", "100/s")]),
        ("1000 rps", &[("load.load.rate", "1000/s")]),
        ("10000 rps, most only queue", &[("load.load.rate", "10000/s")]),
        ("4000 rps, 0.5 ms hops", &[("network", "500us")]),
    ];
    let mut group = c.benchmark_group("chain");
    group.sample_size(10);
    for (name, sets) in variants {
        let sets: Vec<_> = sets.iter().copied().chain([("duration", "10s")]).collect();
        let plan = chain(&sets);
        let began = Instant::now();
        let ended = storm(&plan);
        let ns = began.elapsed().as_nanos() as f64;
        let requests = plan.loads.len() as f64 * 10.0 * rate_of(&plan);
        println!(
            "chain, {name}: {} events, {:.1} million events/s, {:.0} ns an event, {:.0} ns a simulated hop",
            ended.events,
            ended.events as f64 / ns * 1e3,
            ns / ended.events as f64,
            ns / (requests * HOPS as f64),
        );
        group.throughput(Throughput::Elements(ended.events));
        group.bench_with_input(BenchmarkId::from_parameter(name), &plan, |b, plan| b.iter(|| storm(plan)));
    }
    group.finish();
}

fn rate_of(plan: &Plan) -> f64 {
    match &plan.loads[0].source {
        plan::Source::Open { stages, .. } => stages[0].rate_from,
        plan::Source::Closed { .. } => 0.0,
    }
}

/// What an event costs while so many others are pending in the queue: so many requests wait, each for a random time, and
/// whoever is done asks again. Every event is one request; the wait grows with their number, so that there are a million
/// events in each second of virtual time.
fn pending(bounds: &mut Bounds) {
    let mut first = None;
    for count in [1_000u64, 10_000, 100_000, 1_000_000, 10_000_000] {
        let text = format!(
            "{{name: pending, duration: 3s, drain: 0s, load: [{{name: load, to: s.go, users: {count}}}], \
             services: {{s: {{endpoints: {{go: {{steps: [{{wait: exponential({count}us)}}]}}}}}}}}}}"
        );
        let ns = ns_an_event_after(&plan_of(&text, &[]), SimTime::from_nanos(1_000_000_000));
        println!("pending: {ns:.0} ns an event among {count}");
        let first = *first.get_or_insert(ns);
        // Logarithmic, and up to six times that for memory that is in no cache any more.
        let most = first * (count as f64).ln() / 1e3f64.ln() * 6.0;
        bounds.hold(&format!("ns an event among {count} pending"), ns, most);
    }
}

/// Runs a plan with its recorder on; nanoseconds an event, of those after `from`.
fn ns_an_event_after(plan: &Plan, from: SimTime) -> f64 {
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let (mut looks, mut began) = (0u64, None);
    squall_engine::run_while(plan, &mut recorder, |now| {
        if began.is_some() {
            looks += 1;
        } else if now >= from {
            began = Some(Instant::now());
        }
        looks < LOOKS
    });
    began.unwrap().elapsed().as_nanos() as f64 / (looks * EVENTS_A_LOOK) as f64
}

/// The engine asks every so many events whether to go on.
const EVENTS_A_LOOK: u64 = 1 << 16;
/// Over so many times the cost of an event is taken.
const LOOKS: u64 = 25;

/// Bytes that a request in flight takes for each service that it has reached: five services in a row, and at the end of them
/// so many requests that all wait. Each call has a timeout, which is pending, and retries; then a breaker and a bulkhead besides,
/// then a deadline as well.
fn in_flight(bounds: &mut Bounds) {
    let plain = "timeout: 9h, retry: {attempts: 4, backoff: exponential(100ms 2 10s), jitter: full}";
    let more = format!("{plain}, breaker: {{window: 100}}, bulkhead: 2000000");
    let limited = format!("{more}, deadline: 9h");
    // Right before and right after what grows by doubling has doubled.
    for (what, call, count) in [
        ("", plain, 1_000_000),
        ("", plain, 1_100_000),
        (", with breaker and bulkhead", &more, 1_000_000),
        (", with breaker and bulkhead", &more, 1_100_000),
        (", with breaker, bulkhead and deadline", &limited, 1_000_000),
        (", with breaker, bulkhead and deadline", &limited, 1_100_000),
    ] {
        let services = ["a", "b", "c", "d", "e"].windows(2).map(|pair| {
            let [one, next] = pair else { unreachable!("windows of two") };
            format!("{one}: {{endpoints: {{go: {{steps: [{{call: {next}.go}}]}}}}, calls: {{{next}: {{{call}}}}}}}, ")
        });
        let text = format!(
            "{{name: flight, duration: 1s, drain: 0s, load: [{{name: load, to: a.go, users: {count}}}], \
             services: {{{} e: {{endpoints: {{go: {{steps: [{{wait: uniform(1h 10h)}}]}}}}}}}}}}",
            services.collect::<String>(),
        );
        let plan = plan_of(&text, &[]);
        let before = resident();
        let mut most = before;
        let mut recorder = Recorder::new(&plan, step_for(plan.duration));
        let ended = squall_engine::run_while(&plan, &mut recorder, |_| {
            most = most.max(resident());
            true
        });
        assert!(ended.census.fibers >= count, "every request is under way at the end");
        let bytes = (most - before) / (count * 5) as f64;
        println!("in flight: {bytes:.0} bytes a hop of {count} requests{what}");
        bounds.hold(&format!("bytes a hop of {count} requests in flight{what}"), bytes, MOST_BYTES_A_HOP);
    }
}

/// Bytes of memory that this process holds.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

/// From the text of a file of ten services to the first event.
fn start_up(bounds: &mut Bounds) {
    let once = || {
        let began = Instant::now();
        let plan = plan_of(include_str!("ten.yaml"), &[]);
        let planned = began.elapsed();
        let mut first = First { recorder: Recorder::new(&plan, step_for(plan.duration)), seen: None };
        squall_engine::run(&plan, &mut first);
        (first.seen.unwrap() - began, planned)
    };
    // The quickest: whatever else the machine does makes it only slower.
    let (all, planned) = (0..100).map(|_| once()).min().unwrap();
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    println!("start: {:.2} ms to the first event of ten services, of which {:.2} ms to the plan", ms(all), ms(planned));
    bounds.hold("ms to the first event of ten services", ms(all), MOST_MS_TO_START);
}

/// A recorder, and when it was told anything for the first time.
struct First {
    recorder: Recorder,
    seen: Option<Instant>,
}

impl Sink for First {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.seen.get_or_insert_with(Instant::now);
        self.recorder.observe(at, what);
    }
}

/// What was beyond its bound.
#[derive(Default)]
struct Bounds(Vec<String>);

impl Bounds {
    fn hold(&mut self, what: &str, figure: f64, most: f64) {
        if figure > most {
            self.0.push(format!("{what}: {figure:.1}, more than {most:.1}"));
        }
    }
}

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let mut bounds = Bounds::default();
    start_up(&mut bounds);
    in_flight(&mut bounds);
    pending(&mut bounds);
    chains(&mut criterion);
    criterion.final_summary();
    bounds.0.iter().for_each(|beyond| eprintln!("BEYOND ITS BOUND {beyond}"));
    if bounds.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
