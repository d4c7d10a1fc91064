//! A request that services only hand on may be taken all the way as one. Whatever happens on that way, what is seen of
//! the run is what is seen when every service has its own part in it.

use squall_engine::Ended;
use squall_model::observation::{Called, LinedUp, Observation, PassedOn, Relayed, Returned, Sink, TurnedOver};
use squall_model::plan::{self, Plan};
use squall_model::{SimTime, Span, spec};
use squall_telemetry::report::{Report, World};
use squall_telemetry::{Recorder, Run, step_for};

/// Hands everything on to a recorder, and counts the requests that set out and come back as one. One that follows every
/// request sees none.
struct Counting<const FOLLOWS: bool> {
    recorder: Recorder,
    relayed: u64,
    back: u64,
    turned_over: u64,
    passed_on: u64,
}

impl<const FOLLOWS: bool> Counting<FOLLOWS> {
    fn new(plan: &Plan) -> Self {
        Self {
            recorder: Recorder::new(plan, step_for(plan.duration)),
            relayed: 0,
            back: 0,
            turned_over: 0,
            passed_on: 0,
        }
    }

    fn report(self, plan: &Plan, ended: &Ended) -> Report {
        let ran = Run { world: World::Sim, events: 0, peak_in_flight: ended.census.peak_fibers, wall: Span::ZERO };
        Report::new(plan, &self.recorder.finish(ended.at), &ran)
    }
}

impl<const FOLLOWS: bool> Sink for Counting<FOLLOWS> {
    const TRACED: bool = FOLLOWS;

    fn observe(&mut self, at: SimTime, what: Observation) {
        self.recorder.observe(at, what);
    }

    fn called(&mut self, at: SimTime, what: Called) {
        self.recorder.called(at, what);
    }

    fn returned(&mut self, at: SimTime, what: Returned) {
        self.recorder.returned(at, what);
    }

    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        self.turned_over += 1;
        self.recorder.turned_over(at, what);
    }

    fn passed_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        self.passed_on += 1;
        self.recorder.passed_on(at, what);
    }

    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        self.recorder.lined_up(at, what);
    }

    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        self.relayed += 1;
        self.recorder.relayed(at, what);
    }

    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        self.back += 1;
        self.recorder.relay_returned(at, what, took);
    }
}

/// `front` and `middle` hand on to `back`, which does what `last` says; a message takes so long, and each has so many workers.
fn chain(network: &str, workers: [u32; 3], last: &str, rest: &str) -> Plan {
    chain_of("", network, workers, last, rest)
}

/// The same, of users who do this besides.
fn chain_of(users: &str, network: &str, workers: [u32; 3], last: &str, rest: &str) -> Plan {
    let [front, middle, back] = workers;
    let text = format!(
        "name: chain\nduration: 5s\nnetwork: {network}\nservices:\n  front:\n    workers: {front}\n    endpoints: {{go: {{steps: [{{call: middle.go}}]}}}}\n    \
         calls: {{middle: {{timeout: 120ms, retry: {{attempts: 3, backoff: exponential(10ms 2 1s), jitter: full}}}}}}\n  \
         middle:\n    workers: {middle}\n    endpoints: {{go: {{steps: [{{call: back.go}}]}}}}\n    calls: {{back: {{timeout: 80ms}}}}\n  \
         back:\n    workers: {back}\n    endpoints: {{go: {{steps: [{last}]}}}}\ndatabases:\n  db: {{query: exponential(20ms), connections: 9}}\n\
         load:\n  - {{name: users, to: front.go, rate: 220/s, arrivals: poisson{users}}}\n{rest}"
    );
    compiled(&text)
}

fn compiled(text: &str) -> Plan {
    let read = spec::load(text, &[], &|_| Err(String::new()));
    let loaded = read.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    plan::compile(&loaded.topology).unwrap()
}

/// What the last service does, and what happens meanwhile.
fn table() -> Vec<(&'static str, &'static str, String)> {
    let fault = |what: &str| format!("faults:\n  - {{name: f, {what}, at: 1s, for: 1500ms}}\n");
    vec![
        ("a query, sometimes longer than the timeouts", "{query: db}", String::new()),
        ("work", "{work: exponential(20ms)}", String::new()),
        ("work that always takes as long", "{work: 25ms}", String::new()),
        ("work that takes no time", "{work: 0ms}", String::new()),
        ("work that mostly takes no time", "{work: uniform(0ms 1ns)}", String::new()),
        ("a wait", "{wait: 30ms}", String::new()),
        ("work that always ends when the timeout does", "{work: 80ms}", String::new()),
        ("work that never ends in time", "{work: 200ms}", String::new()),
        ("a slow database", "{query: db}", fault("target: db, latency: 70ms")),
        ("a database that stands still", "{query: db}", fault("target: db, pause: true")),
        ("a service in the middle that stands still", "{query: db}", fault("target: middle, pause: true")),
        ("a service that dies", "{work: 20ms}", fault("target: back, kill: 1")),
        ("errors in the middle", "{query: db}", fault("target: middle, errors: 30%")),
        ("fewer workers", "{query: db}", fault("target: back, capacity: 50%")),
        ("users who wait for the first service", "{work: 60ms}", String::new()),
        ("users who wait for a service that dies", "{work: 60ms}", fault("target: front, kill: 1")),
        ("users who wait for a service that fails", "{work: 60ms}", fault("target: front, errors: 30%")),
        ("users who wait for a service that stands still", "{work: 60ms}", fault("target: front, pause: true")),
        ("users who wait while a service further on dies", "{work: 60ms}", fault("target: back, kill: 1")),
        ("users who wait for a service that hangs", "{work: 60ms}", fault("target: front, hang: true")),
        ("users who wait for a service that is down", "{work: 60ms}", fault("target: front, down: true")),
        ("users who wait for a service that loses workers", "{work: 60ms}", fault("target: front, capacity: 25%")),
        ("users who wait for a service that is slow", "{work: 60ms}", fault("target: front, latency: 35ms")),
        ("users whose requests are turned away further on", "{work: 60ms}", fault("target: back, capacity: 10%")),
        ("a call that loses answers", "{work: 20ms}", fault("target: middle -> back, drop: 40%")),
        ("a network that slows down", "{query: db}", fault("target: middle -> back, latency: 50ms")),
        ("a network that stops", "{work: 20ms}", fault("target: front -> middle, partition: true")),
    ]
}

/// Runs it with every service's own part in each request, and without; how many requests set out and came back as one, how
/// many of them came back as another set out, and how many as another joined the line at the end of the way.
fn seen_the_same(name: &str, plan: &Plan) -> [u64; 4] {
    let (mut counting, mut following) = (Counting::<false>::new(plan), Counting::<true>::new(plan));
    let relayed = squall_engine::run(plan, &mut counting);
    let followed = squall_engine::run(plan, &mut following);
    let counted = [counting.relayed, counting.back, counting.turned_over, counting.passed_on];
    assert_eq!(following.relayed, 0, "{name}");
    assert_eq!((relayed.at, relayed.census), (followed.at, followed.census), "{name}");
    let (one, other) = (counting.report(plan, &relayed), following.report(plan, &followed));
    assert!(one == other, "{name}: {one:#?}\n\nis not\n\n{other:#?}");
    counted
}

#[test]
fn what_is_seen_of_requests_that_are_relayed_is_what_is_seen_when_each_service_has_its_part() {
    for (name, last, rest) in table() {
        let [out, back, ..] = seen_the_same(name, &chain("0ms", [12, 10, 8], last, &rest));
        assert!(out > 0 && back <= out, "{name}: {out} set out, {back} came back");
    }
}

#[test]
fn nor_is_anything_else_seen_of_requests_that_travel_over_a_network_as_one() {
    for (name, last, rest) in table() {
        for network in ["1ms", "7ms", "13ms", "25ms", "40ms"] {
            for workers in [[12, 10, 8], [4, 5, 9], [1, 1, 1], [9, 7, 3], [8, 4, 2], [30, 25, 20]] {
                let plan = chain(network, workers, last, &rest);
                let [out, ..] = seen_the_same(&format!("{name}, network {network}, workers {workers:?}"), &plan);
                assert_eq!(out, 0, "{name}: it takes time");
            }
        }
    }
}

#[test]
fn nor_if_their_users_wait_only_so_long() {
    for (name, last, rest) in table() {
        for (network, workers) in [("1ms", [4, 5, 9]), ("1ms", [30, 25, 20]), ("7ms", [1, 1, 1]), ("13ms", [8, 4, 2])] {
            let plan = chain_of(", timeout: 400ms", network, workers, last, &rest);
            seen_the_same(&format!("{name}, network {network}, workers {workers:?}"), &plan);
        }
    }
}

#[test]
fn nor_when_one_comes_back_in_the_instant_in_which_the_next_that_waits_sets_out() {
    let mut turned_over = 0;
    for (name, last, rest) in table() {
        for workers in [[4, 4, 4], [3, 5, 3], [4, 4, 9]] {
            let counted = seen_the_same(&format!("{name}, workers {workers:?}"), &chain("0ms", workers, last, &rest));
            turned_over += counted[2];
        }
    }
    assert!(turned_over > 10_000, "{turned_over} times");
}

#[test]
fn nor_where_requests_wait_at_the_last_service() {
    let mut passed_on = 0;
    for (name, last, rest) in table() {
        for workers in [[6, 6, 3], [4, 5, 3], [12, 7, 4], [40, 30, 20], [2, 9, 1]] {
            for phases in ["", "phases: {early: 0s..2s, late: 3s..5s}\n"] {
                let plan = chain("0ms", workers, last, &format!("{rest}{phases}"));
                passed_on += seen_the_same(&format!("{name}, workers {workers:?}, {phases}"), &plan)[3];
            }
        }
    }
    assert!(passed_on > 10_000, "{passed_on} times");
}

#[test]
fn who_travels_in_the_place_of_a_branch_that_has_ended_does_not_die_with_the_other_branches() {
    let text = "name: places
duration: 5s
network: 2ms
services:
  gate:
    endpoints: {go: {steps: [{call: forks.go}]}}
    calls: {forks: {timeout: 20ms, propagate: [cancel]}}
  forks: {endpoints: {go: {steps: [{parallel: [{wait: 1ms}, {wait: 50ms}]}]}}}
  a: {endpoints: {go: {steps: [{call: b.go}]}}}
  b: {endpoints: {go: {steps: [{work: 30ms}]}}}
load:
  - {name: cancelled, to: gate.go, rate: 200/s, arrivals: poisson}
  - {name: travelling, to: a.go, rate: 500/s, arrivals: poisson}
";
    seen_the_same("places", &compiled(text));
}
