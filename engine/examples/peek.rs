//! scratch
use squall_model::observation::{Observation, Sink};
use squall_model::{SimTime, plan, spec};
struct Count {
    n: u64,
}
impl Sink for Count {
    #[inline(always)]
    fn observe(&mut self, _at: SimTime, _what: Observation) {
        self.n += 1;
    }
}
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
    let mut sink = Count { n: 0 };
    let t = std::time::Instant::now();
    let end = squall_engine::run(&plan, &mut sink);
    println!("{end:?} obs {} in {:?}", sink.n, t.elapsed());
}
