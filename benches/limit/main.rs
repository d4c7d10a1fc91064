//! How far squall's engine, with its recorder on, is from a simulation that was written by hand for one model. Both run it in turn, each
//! time in a process of its own, as it is for whoever runs one storm; for 10 s and for 60 s of virtual time, of which the difference
//! counts, so that starting is left out. The exit code is 1 if squall takes more than 2.5 times as long.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

mod by_hand;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use by_hand::Chain;
use squall_model::{plan, spec};
use squall_telemetry::{Recorder, step_for};

/// The most times as long.
const MOST: f64 = 2.5;
const ROUNDS: u32 = 20;
const SECONDS: [u64; 2] = [10, 60];
const ENGINES: [&str; 2] = ["by-hand", "squall"];

/// The load, the workers of each service, and what a hop takes.
#[derive(Clone, Copy)]
struct Row {
    rate: u32,
    workers: usize,
    hop_us: u64,
}

impl Row {
    fn chain(self, seconds: u64) -> Chain {
        Chain::new(f64::from(self.rate), self.workers, self.hop_us * 1_000, seconds)
    }

    /// Runs it here; how many nanoseconds that took.
    fn run(self, engine: &str, seconds: u64) -> u128 {
        let chain = self.chain(seconds);
        let read = spec::read(include_str!("../storm.yaml"), &chain.overrides(), &|_| Err(String::new()));
        let plan = plan::compile(&read.topology.unwrap()).unwrap();
        let began = Instant::now();
        if engine == "squall" {
            let mut recorder = Recorder::new(&plan, step_for(plan.duration));
            let ended = squall_engine::run(&plan, &mut recorder);
            black_box(recorder.finish(ended.at));
        } else {
            black_box(by_hand::run(chain, plan.seed));
        }
        began.elapsed().as_nanos()
    }

    /// The same in a process of its own.
    fn run_apart(self, engine: &str, seconds: u64) -> u128 {
        let Self { rate, workers, hop_us } = self;
        let words = [rate.to_string(), workers.to_string(), hop_us.to_string(), seconds.to_string()];
        let done = Command::new(std::env::current_exe().unwrap()).arg(engine).args(words).output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().parse().unwrap()
    }

    /// Nanoseconds a request takes by hand, and with squall.
    fn slopes(self) -> [f64; 2] {
        let mut best = [[u128::MAX; 2]; 2];
        for _ in 0..ROUNDS {
            for (length, seconds) in SECONDS.into_iter().enumerate() {
                for (place, engine) in ENGINES.into_iter().enumerate() {
                    best[place][length] = best[place][length].min(self.run_apart(engine, seconds));
                }
            }
        }
        let requests = f64::from(self.rate) * (SECONDS[1] - SECONDS[0]) as f64;
        best.map(|[short, long]| long.saturating_sub(short) as f64 / requests)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [engine, rate, workers, hop_us, seconds] = &words[..] {
        let row =
            Row { rate: rate.parse().unwrap(), workers: workers.parse().unwrap(), hop_us: hop_us.parse().unwrap() };
        println!("{}", row.run(engine, seconds.parse().unwrap()));
        return ExitCode::SUCCESS;
    }
    let mut held = true;
    println!("nanoseconds a request, with an outage of 20 s");
    println!("{:>8} {:>8} {:>8} {:>8} {:>8} {:>6}", "rate", "workers", "hop, us", "by hand", "squall", "ratio");
    for (rate, workers, hop_us) in [(100, 50, 0), (1_000, 50, 0), (10_000, 50, 0), (10_000, 200, 0), (1_000, 50, 500)] {
        let [by_hand, squall] = Row { rate, workers, hop_us }.slopes();
        let ratio = squall / by_hand;
        held &= ratio <= MOST;
        let word = if ratio > MOST { "  beyond its bound" } else { "" };
        println!("{rate:>8} {workers:>8} {hop_us:>8} {by_hand:>8.0} {squall:>8.0} {ratio:>6.2}{word}");
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
