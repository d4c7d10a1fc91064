//! For tests: reports made by hand, of a cascade, a healthy run and a retry storm.

use squall_model::plan::{self, Plan};
use squall_model::spec;
use squall_telemetry::Named;
use squall_telemetry::report::{
    Breaker, Call, CallSeries, Cause, CauseKind, Connections, Database, Engine, Expectation, Extremes, Failures, Fault,
    Graph, Latency, Load, LoadSeries, Queue, Report, SCHEMA, Service, ServiceSeries, System, Task, Time, Timeline,
    Transition, Verdict, Workers, World,
};

/// A plan to go with them.
pub(crate) fn plan() -> Plan {
    let yaml = "
name: cascade
about: A slow database takes healthy services down, from the bottom up.
duration: 60s
services: {gateway: {endpoints: {checkout: {steps: [{work: 1ms}]}}}}
load: [{name: checkout, to: gateway.checkout, rate: 100/s}]
";
    let read = spec::read(yaml, &[], &|name| Err(format!("no file {name}")));
    plan::compile(&read.topology.unwrap()).unwrap()
}

/// Two services run out of workers because their database is slow.
pub(crate) fn cascade() -> Report {
    let causes = [
        (20.0, CauseKind::FaultBegan, "db-slow", "fault db-slow begins (stock-db: latency 5s)"),
        (20.471, CauseKind::Saturated, "order", "order: all 50 workers busy"),
        (21.97, CauseKind::Saturated, "gateway", "gateway: all 200 workers busy"),
        (21.98, CauseKind::Failed, "checkout", "checkout: first request fails"),
        (40.0, CauseKind::FaultEnded, "db-slow", "fault db-slow ends"),
        (42.0, CauseKind::Recovered, "system", "recovered: goodput is back where it was before the fault"),
    ];
    let expect = [
        ("checkout p99 < 51ms in healthy", true, "50ms"),
        ("checkout success == 100% in healthy", false, "99.9%"),
        ("order workers saturate within 1s of db-slow", true, "saturated at 20.47s, after 471ms"),
        ("system recovers within 10s after db-slow", true, "recovered at 42s, after 2s"),
    ];
    let outage = |step: u64, usual: f64, then: f64| if (4..8).contains(&step) { then } else { usual };
    let load = LoadSeries {
        offered: vec![500; 12],
        ok: (0..12).map(|step| outage(step, 500.0, 10.0) as u64).collect(),
        degraded: vec![0; 12],
        failed: (0..12).map(|step| outage(step, 0.0, 490.0) as u64).collect(),
        p50_ms: vec![Some(50.0); 12],
        p99_ms: (0..12).map(|step| (!(5..8).contains(&step)).then(|| outage(step, 50.0, 1990.0))).collect(),
        ..LoadSeries::default()
    };
    let busy = |usual: f64, then: f64, queue: f64| ServiceSeries {
        workers_busy: (0..12).map(|step| outage(step, usual, then)).collect(),
        queue: (0..12).map(|step| outage(step, 0.0, queue)).collect(),
        ..ServiceSeries::default()
    };
    Report {
        verdict: Verdict::Fail,
        load: named([("checkout", one_load([6000, 3996, 0, 2004], Some(latency(51.0, 1990.0))))]),
        system: system([6000, 3996, 0, 2004]),
        services: named([
            ("gateway", service(6000, 2004, [67.0, 200.0], (Some(200), 21.97, 18.1), 62)),
            ("order", service(4200, 204, [21.5, 50.0], (Some(50), 20.471, 19.6), 150)),
            ("inventory", service(4200, 0, [17.0, 50.0], (Some(100), 0.0, 0.0), 0)),
        ]),
        databases: named([("stock-db", database())]),
        calls: named([
            ("gateway -> order", call([4200, 4200, 204, 204])),
            ("order -> inventory", call([4200, 4200, 0, 0])),
            ("checkout -> gateway", call([6000, 6000, 2004, 2004])),
        ]),
        faults: vec![fault()],
        causes: causes.map(cause).into(),
        expect: expect.map(expectation).into(),
        timeline: Timeline {
            caches: Named::default(),
            topics: Named::default(),
            step_s: 5.0,
            load: named([("checkout", load)]),
            services: named([
                ("gateway", busy(5.0, 200.0, 50.0)),
                ("order", busy(4.9, 50.0, 150.0)),
                ("inventory", busy(2.9, 50.0, 0.0)),
            ]),
            calls: Named::default(),
            databases: Named::default(),
        },
        ..healthy()
    }
}

/// Nothing happens.
pub(crate) fn healthy() -> Report {
    Report {
        schema: SCHEMA,
        scenario: "cascade".to_owned(),
        world: World::Sim,
        seed: 1,
        digest: "60c291fcb24e9c79a3a2d4433bfc60cb".to_owned(),
        verdict: Verdict::Pass,
        time: Time { simulated_s: 60.04, wall_s: 0.004_71, load_s: 60.0, warmup_s: 0.0 },
        engine: Engine { events: 80_006, events_per_s: 16_986_412, peak_in_flight: 2_315 },
        load: named([("checkout", one_load([6000, 6000, 0, 0], Some(latency(50.0, 50.0))))]),
        system: system([6000, 6000, 0, 0]),
        services: named([("gateway", service(6000, 0, [5.0, 5.0], (None, 0.0, 0.0), 0))]),
        databases: Named::default(),
        caches: Named::default(),
        topics: Named::default(),
        calls: Named::default(),
        faults: Vec::new(),
        causes: Vec::new(),
        verdicts: Vec::new(),
        expect: vec![expectation(("checkout p99 < 51ms", true, "50ms"))],
        about: String::new(),
        sentence: String::new(),
        phases: Vec::new(),
        graph: Graph::default(),
        source: None,
        traces: Vec::new(),
        timeline: Timeline {
            caches: Named::default(),
            topics: Named::default(),
            step_s: 5.0,
            load: Named::default(),
            services: Named::default(),
            calls: Named::default(),
            databases: Named::default(),
        },
        live: None,
    }
}

/// Retries outnumber first attempts until a breaker opens; goodput does not come back.
pub(crate) fn storm() -> Report {
    let calm = cascade();
    let causes = [
        (20.0, CauseKind::FaultBegan, "db-slow", "fault db-slow begins (stock-db: latency 5s)"),
        (20.302, CauseKind::TimedOut, "gateway -> order", "gateway -> order: first timeout"),
        (
            21.0,
            CauseKind::RetryStorm,
            "gateway -> order",
            "gateway -> order: more retries than first attempts (297 to 100 in one step)",
        ),
        (
            22.5,
            CauseKind::BreakerOpened,
            "gateway -> order",
            "gateway -> order: breaker opens (failure rate 52.0% ≥ 50% of 100 calls)",
        ),
        (60.0, CauseKind::NeverRecovered, "system", "never recovered: goodput 0/s at the end, 100/s before the fault"),
    ];
    let change = |at_s, from: &str, to: &str| Transition {
        at_s,
        from: from.to_owned(),
        to: to.to_owned(),
        why: "failure rate 62% of 100".to_owned(),
        replica: None,
        target: None,
    };
    let breaker = Breaker {
        state: "open".to_owned(),
        opened: 1,
        transitions: vec![change(22.5, "closed", "open")],
        kind: "resilience4j".to_owned(),
        ejected: None,
    };
    let stormy = Call { breaker: Some(breaker), short_circuited: 4000, ..call([6000, 15_000, 4000, 9000]) };
    let series = CallSeries {
        attempts: (0..12).map(|step| [500, 2000, 500][usize::from(step >= 4) + usize::from(step >= 7)]).collect(),
        ..CallSeries::default()
    };
    let mut timeline = calm.timeline;
    timeline.calls = named([("gateway -> order", series)]);
    let row = one_load([6000, 2000, 0, 3000], Some(latency(51.0, 1990.0)));
    let tasks = ["Feed (fan-out)", "Create Post (write path)"].map(|name| {
        let Load { offered, ok, degraded, failed, in_flight, failures, latency_ms, failed_latency_ms, .. } =
            row.clone();
        let half = |count: u64| count / 2;
        let task = Task {
            offered: half(offered),
            ok: half(ok),
            degraded: half(degraded),
            failed: half(failed),
            in_flight: half(in_flight),
            failures,
            latency_ms,
            failed_latency_ms,
        };
        (name.to_owned(), task)
    });
    Report {
        load: named([("checkout", Load { tasks: Named(tasks.into()), ..row })]),
        system: system([6000, 2000, 0, 3000]),
        calls: named([("gateway -> order", stormy), ("order -> inventory", call([6000, 6000, 0, 0]))]),
        causes: causes.map(cause).into(),
        timeline,
        ..cascade()
    }
}

fn named<T, const N: usize>(pairs: [(&str, T); N]) -> Named<T> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn cause((at_s, kind, subject, what): (f64, CauseKind, &str, &str)) -> Cause {
    Cause { at_s, what: what.to_owned(), kind, subject: subject.to_owned(), because: None }
}

fn expectation((text, pass, actual): (&str, bool, &str)) -> Expectation {
    Expectation { text: text.to_owned(), pass, actual: actual.to_owned(), value: None }
}

fn fault() -> Fault {
    let [name, what] = ["db-slow", "stock-db: latency 5s"].map(str::to_owned);
    Fault { name, from_s: 20.0, to_s: 40.0, fired: 200, what, targets: vec!["stock-db".to_owned()] }
}

fn latency(p50: f64, p99: f64) -> Latency {
    Latency { mean: p50, p50, p90: p50, p95: p99, p99, p999: p99, max: p99 }
}

fn system([offered, ok, degraded, failed]: [u64; 4]) -> System {
    System {
        offered,
        ok,
        degraded,
        failed,
        in_flight: offered - ok - degraded - failed,
        error_share: Some(failed as f64 / offered as f64),
        propagated_error_share: None,
        attempts_per_request: Some(1.0),
    }
}

fn one_load([offered, ok, degraded, failed]: [u64; 4], latency_ms: Option<Latency>) -> Load {
    Load {
        offered,
        ok,
        degraded,
        failed,
        in_flight: offered - ok - degraded - failed,
        attempts: offered,
        failures: Failures { timeout: failed, ..Failures::default() },
        latency_ms,
        rate_per_s: (ok + failed) as f64 / 60.0,
        goodput_per_s: (ok + degraded) as f64 / 60.0,
        failed_latency_ms: (failed > 0).then(|| latency(2000.0, 2000.0)),
        tasks: Named::default(),
    }
}

fn service(
    requests: u64,
    failed: u64,
    busy: [f64; 2],
    (limit, first, saturated_s): (Option<u64>, f64, f64),
    queue: u32,
) -> Service {
    Service {
        scaled: Vec::new(),
        out_of_memory_s: Vec::new(),
        concurrency_limit: None,
        requests,
        ok: requests - failed,
        failed,
        rejected: 0,
        latency_ms: Some(latency(49.0, 5037.4)),
        wait_ms: Some(latency(0.0, 1904.2)),
        service_ms: Some(latency(49.0, 5037.4)),
        workers: Workers {
            limit,
            busy_mean: busy[0],
            busy_max: busy[1] as u32,
            saturated_first_s: (saturated_s > 0.0).then_some(first),
            saturated_s,
        },
        queue: Queue { mean: f64::from(queue) / 3.0, max: queue, limit: None },
        cpu_share: None,
        memory_limit_mib: None,
        memory_mib_max: None,
        replicas: Extremes { min: 1, max: 1 },
        degraded: 0,
        in_flight: 0,
        endpoints: Named::default(),
    }
}

fn database() -> Database {
    Database {
        timeouts: 0,
        queries: 4200,
        latency_ms: Some(latency(10.0, 5000.0)),
        wait_ms: Some(latency(0.0, 0.0)),
        connections: Connections {
            limit: Some(500),
            busy_mean: 17.6,
            busy_max: 50,
            saturated_first_s: None,
            saturated_s: 0.0,
        },
        failed: 0,
        waiting: Queue { mean: 0.0, max: 0, limit: None },
    }
}

fn call([calls, attempts, failed, timeouts]: [u64; 4]) -> Call {
    Call {
        pool: None,
        concurrency_limit: None,
        calls,
        attempts,
        retries: attempts - calls,
        attempts_per_call: Some(attempts as f64 / calls as f64),
        ok: calls - failed,
        failed,
        degraded: 0,
        timeouts,
        rejected: 0,
        short_circuited: 0,
        bulkhead_full: 0,
        budget_refused: 0,
        hedges: 0,
        cancelled: 0,
        latency_ms: Some(latency(45.0, 1900.0)),
        breaker: None,
        errors: 0,
        refused: 0,
        no_replica: 0,
        rate_limited: 0,
        throttled: 0,
        order: Vec::new(),
    }
}
