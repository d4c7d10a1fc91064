//! How far squall's engine, with its recorder on, is from a simulation that was written by hand for one model: both run it in turn,
//! for 10 s and for 60 s of virtual time, and what the difference took is compared, so that starting is left out. The exit
//! code is 1 if it is more than 2.5 times as long.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

mod by_hand;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use by_hand::Chain;
use squall_model::plan::{self, Plan};
use squall_model::spec;
use squall_telemetry::{Recorder, step_for};

/// The most times as long.
const MOST: f64 = 2.5;
const ROUNDS: u32 = 15;
const SHORT: u64 = 10;
const LONG: u64 = 60;

fn plan_of(rate: u32, workers: u32, hop_us: u32, seconds: u64) -> Plan {
    let mut sets = vec![
        ("load.load.rate".to_owned(), format!("{rate}/s")),
        ("duration".to_owned(), format!("{seconds}s")),
        ("network".to_owned(), format!("{hop_us}us")),
    ];
    sets.extend(["a", "b", "c"].map(|service| (format!("services.{service}.workers"), workers.to_string())));
    let read = spec::read(include_str!("chain.yaml"), &sets, &|_| Err(String::new()));
    plan::compile(&read.topology.unwrap()).unwrap()
}

fn squall(plan: &Plan) {
    let mut recorder = Recorder::new(plan, step_for(plan.duration));
    let ended = squall_engine::run(plan, &mut recorder);
    black_box(recorder.finish(ended.at));
}

fn timed(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

/// Nanoseconds a request, by hand and by squall.
fn slopes(rate: u32, workers: u32, hop_us: u32) -> [f64; 2] {
    let lengths = [SHORT, LONG];
    let plans = lengths.map(|seconds| plan_of(rate, workers, hop_us, seconds));
    let chains =
        lengths.map(|seconds| Chain::new(f64::from(rate), workers as usize, u64::from(hop_us) * 1_000, seconds));
    let mut best = [[Duration::MAX; 2]; 2];
    for _ in 0..ROUNDS {
        for length in 0..2 {
            let by_hand = timed(|| drop(black_box(by_hand::run(chains[length], plans[length].seed))));
            let squall = timed(|| squall(&plans[length]));
            best[0][length] = best[0][length].min(by_hand);
            best[1][length] = best[1][length].min(squall);
        }
    }
    let requests = f64::from(rate) * (LONG - SHORT) as f64;
    best.map(|[short, long]| long.saturating_sub(short).as_nanos() as f64 / requests)
}

fn main() -> ExitCode {
    let rows = [(100, 50, 0), (1_000, 50, 0), (10_000, 50, 0), (10_000, 200, 0), (1_000, 50, 500)];
    let mut held = true;
    println!(
        "ns a request, a third of the time an outage\n{:>8} {:>8} {:>6} {:>8} {:>8} {:>6}",
        "rate", "workers", "hop us", "by hand", "squall", "ratio"
    );
    for (rate, workers, hop_us) in rows {
        let [by_hand, squall] = slopes(rate, workers, hop_us);
        let ratio = squall / by_hand;
        held &= ratio <= MOST;
        println!(
            "{rate:>8} {workers:>8} {hop_us:>6} {by_hand:>8.0} {squall:>8.0} {ratio:>6.2}{}",
            if ratio > MOST { "  beyond its bound" } else { "" }
        );
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
