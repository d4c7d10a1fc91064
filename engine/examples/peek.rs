use squall_model::{plan, spec, SimTime};
use squall_model::observation::{Observation, Sink};
struct Count { n: u64, first: Vec<(SimTime, Observation)>, ended: u64 }
impl Sink for Count {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.n += 1;
        match what {
            Observation::Saturated{..}|Observation::Relieved{..}|Observation::FaultBegan{..}|Observation::FaultEnded{..}|Observation::Breaker{..}|Observation::DatabaseSaturated{..} => if self.first.len() < 60 { self.first.push((at, what)) },
            Observation::Ended{..} => self.ended += 1,
            _ => {}
        }
    }
}
fn main() {
    let file = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let read = spec::read(&text, &[], &|p| Err(p.to_string()));
    for p in &read.problems { println!("{p:?}"); }
    let plan = plan::compile(&read.topology.unwrap()).unwrap();
    let mut sink = Count { n: 0, first: vec![], ended: 0 };
    let t = std::time::Instant::now();
    let end = squall_engine::run(&plan, &mut sink);
    println!("{end:?} obs {} ended {} in {:?}", sink.n, sink.ended, t.elapsed());
    for f in sink.first { println!("{f:?}"); }
}
