//! scratch
#![allow(missing_docs, clippy::all, clippy::pedantic)]
use squall_model::{plan, spec};
use squall_telemetry::Recorder;
fn main() {
    let file = std::env::args().nth(1).unwrap();
    let sets: Vec<(String, String)> = std::env::args()
        .skip(2)
        .map(|s| {
            let (a, b) = s.split_once('=').unwrap();
            (a.into(), b.into())
        })
        .collect();
    let text = std::fs::read_to_string(file).unwrap();
    let read = spec::read(&text, &sets, &|p| Err(p.to_string()));
    for p in &read.problems {
        println!("{p:?}");
    }
    let plan = plan::compile(&read.topology.unwrap()).unwrap();
    let t = std::time::Instant::now();
    if std::env::var("NOREC").is_ok() {
        let end = squall_engine::run(&plan, &mut ());
        println!("{end:?} in {:?}", t.elapsed());
        return;
    }
    let mut sink = Recorder::new(&plan, squall_telemetry::step_for(plan.duration));
    let end = squall_engine::run(&plan, &mut sink);
    println!("{end:?} in {:?}", t.elapsed());
    let _ = std::hint::black_box(sink.finish(end.at));
}
