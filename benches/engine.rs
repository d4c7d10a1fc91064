//! What a simulated storm costs: events a second, nanoseconds an event and a hop, bytes a hop in flight. The model is
//! `benches/chain.yaml`; instruction counts, which do not hang on the machine's mood, come from `benches/instructions.sh`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use squall_engine::Ended;
use squall_model::plan::{self, Plan};
use squall_model::spec;
use squall_telemetry::{Recorder, step_for};

/// Services that a request of the chain passes.
const HOPS: u64 = 3;

fn chain(sets: &[(&str, &str)]) -> Plan {
    let text = include_str!("chain.yaml");
    let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let read = spec::read(text, &sets, &|_| Err(String::new()));
    plan::compile(&read.topology.unwrap()).unwrap()
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
        let began = std::time::Instant::now();
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

criterion_group!(benches, chains);
criterion_main!(benches);
