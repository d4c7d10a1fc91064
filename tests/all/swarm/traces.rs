//! Traces of random topologies: following every request changes nothing, no time is unexplained, and every critical path
//! adds up.

use std::sync::Mutex;

use squall_telemetry::trace::Collector;
use squall_telemetry::{Recorder, step_for};

use super::storm::{plan_of, report};
use super::{draw, in_threads, threads, tree};

/// Seeds with more requests than these are left out.
const MOST_EVENTS: u64 = 200_000;

#[test]
fn every_request_of_random_topologies_can_be_followed() {
    let followed = Mutex::new((0, 0));
    in_threads(threads(), 0..600, |seed| {
        let Ok(plan) = plan_of(&tree::file(&draw::topology(seed))) else { return };
        let mut alone = Recorder::new(&plan, step_for(plan.duration));
        let ended = squall_engine::run_while(&plan, &mut alone, |_| false);
        if ended.cut_short || ended.events > MOST_EVENTS {
            return;
        }
        let (mut recorder, mut collector) =
            (Recorder::new(&plan, step_for(plan.duration)), Collector::of_all(0..plan.endpoints.len()));
        // A request that is followed has a fiber at every service; others may be relayed.
        let again = squall_engine::run(&plan, &mut (&mut recorder, &mut collector));
        assert_eq!((again.at, again.census), (ended.at, ended.census), "seed {seed}");
        let told = |recorder: Recorder| report(&plan, &recorder.finish(ended.at), &ended);
        assert!(told(recorder) == told(alone), "seed {seed}: following requests changes nothing");
        assert_eq!(collector.unexplained(ended.at), 0, "seed {seed}: something takes time that no trace knows of");
        let mut traces = 0;
        for trace in collector.every_trace(&plan, ended.at) {
            let gap = trace.critical_path.iter().try_fold(trace.start_ns, |now, segment| {
                if segment.start_ns == now { Ok(segment.end_ns) } else { Err(now) }
            });
            assert_eq!(gap, Ok(trace.end_ns), "seed {seed}: {trace:#?}");
            traces += 1;
        }
        let mut followed = followed.lock().unwrap();
        *followed = (followed.0 + 1, followed.1 + traces);
    });
    let (seeds, traces) = followed.into_inner().unwrap();
    println!("{traces} requests of {seeds} seeds");
    assert!(seeds > 400 && traces > 10_000, "{traces} requests of {seeds} seeds");
}
