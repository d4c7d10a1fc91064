//! Processor sharing, caches, contention and autoscaling against what is known of them.

use squall_model::dist::zipf_weight;
use squall_model::observation::{Look, Observation};

use super::statistics::Estimate;
use super::watch;

/// Seconds in the system, of each request at the first endpoint.
fn times(text: &str) -> Vec<f64> {
    let mut times = Vec::new();
    let ended = watch(text, |_, _, what| {
        if let Observation::Ended { endpoint, took, .. } = what
            && endpoint.index() == 0
        {
            times.push(took.as_secs_f64());
        }
    });
    assert_eq!(ended.census.fibers, 0, "everything has drained");
    times
}

#[test]
fn m_g_1_with_processor_sharing_has_a_mean_time_that_only_hangs_on_the_mean() {
    for work in ["10ms", "exponential(10ms)", "bimodal(5ms 55ms 10%)", "erlang(4 10ms)"] {
        let text = format!(
            "{{duration: 2000s, drain: 600s, services: {{cpu: {{cores: 1, endpoints: {{serve: {{steps: [{{work: \
             {work}}}]}}}}}}}}, load: [{{name: load, to: cpu.serve, rate: 70/s, arrivals: poisson}}]}}"
        );
        Estimate::of(&times(&text)).agrees_with(0.01 / (1.0 - 0.7), &format!("M/G/1-PS with {work}"));
    }
}

#[test]
fn two_cores_that_are_shared_are_an_m_m_2() {
    // With exponential times the number in the system does not hang on who is served: M/M/c with processor sharing has the
    // mean time of M/M/c with a queue.
    let text = "{duration: 2000s, drain: 600s, services: {cpu: {cores: 2, endpoints: {serve: {steps: [{work: \
                exponential(20ms)}]}}}}, load: [{name: load, to: cpu.serve, rate: 70/s, arrivals: poisson}]}";
    let rho: f64 = 0.7;
    let time = 0.02 / (1.0 - rho * rho);
    Estimate::of(&times(text)).agrees_with(time, "M/M/2-PS");
}

/// The share of looks that hit, after the first tenth of the run.
fn hit_rate(cache: &str, rate: u32, seconds: u32) -> f64 {
    let text = format!(
        "{{duration: {seconds}s, services: {{s: {{endpoints: {{e: {{steps: [{{get: {{from: c, miss: []}}}}]}}}}}}}}, \
         caches: {{c: {cache}}}, load: [{{name: load, to: s.e, rate: {rate}/s, arrivals: poisson}}]}}"
    );
    let (mut hits, mut looks) = (0u32, 0u32);
    watch(&text, |_, at, what| {
        if let Observation::LookedUp { look, .. } = what
            && at.as_secs_f64() > f64::from(seconds) / 10.0
        {
            looks += 1;
            hits += u32::from(look == Look::Hit);
        }
    });
    f64::from(hits) / f64::from(looks)
}

/// How popular each of so many keys is.
fn popularity(keys: u32, zipf: f64) -> Vec<f64> {
    let all: f64 = (1..=keys).map(|k| zipf_weight(k, zipf)).sum();
    (1..=keys).map(|k| zipf_weight(k, zipf) / all).collect()
}

#[test]
fn a_cache_that_forgets_what_was_asked_for_longest_ago_hits_as_che_approximates() {
    for (keys, zipf, capacity) in [(1_000, 0.8, 100), (1_000, 1.0, 200), (5_000, 0.6, 1_000), (200, 0.0, 50)] {
        let popularity = popularity(keys, zipf);
        let held = |time: f64| popularity.iter().map(|p| 1.0 - (-p * time).exp()).sum::<f64>();
        // The characteristic time, in requests: as long as it takes until so many keys were asked for.
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            *(if held(middle) < f64::from(capacity) { &mut low } else { &mut high }) = middle;
        }
        let che: f64 = popularity.iter().map(|p| p * (1.0 - (-p * low).exp())).sum();
        let seen = hit_rate(&format!("{{keys: {keys}, zipf: {zipf}, capacity: {capacity}}}"), 2_000, 100);
        assert!(
            (seen / che - 1.0).abs() < 0.02,
            "{keys} keys, zipf {zipf}, room for {capacity}: {seen}, Che says {che}"
        );
    }
}

#[test]
fn a_cache_that_holds_each_key_for_a_time_hits_as_renewal_theory_says() {
    let (rate, ttl) = (500.0, 10.0);
    let theory: f64 = popularity(1_000, 1.0).iter().map(|p| p * (p * rate * ttl) / (1.0 + p * rate * ttl)).sum();
    let seen = hit_rate("{keys: 1000, zipf: 1.0, ttl: 10s}", 500, 300);
    assert!((seen - theory).abs() < 0.01, "{seen}, theory says {theory}");
}

/// Queries a second of so many users who neither think nor do anything else.
fn throughput(users: u32, database: &str) -> f64 {
    let text = format!(
        "{{duration: 20s, services: {{s: {{endpoints: {{e: {{steps: [{{query: db}}]}}}}}}}}, databases: {{db: \
         {database}}}, load: [{{name: load, to: s.e, users: {users}}}]}}"
    );
    let mut queries = 0u32;
    watch(&text, |_, at, what| {
        queries += u32::from(matches!(what, Observation::QueryEnded { .. }) && at.as_secs_f64() < 20.0);
    });
    f64::from(queries) / 20.0
}

#[test]
fn contention_follows_the_universal_scalability_law() {
    let (sigma, kappa) = (0.05, 0.002);
    for users in [1, 2, 5, 10, 20, 40] {
        let n = f64::from(users);
        let theory = n * 100.0 / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0));
        let seen = throughput(users, "{query: 10ms, contention: {sigma: 5%, kappa: 0.2%}}");
        assert!((seen / theory - 1.0).abs() < 0.01, "{users} users: {seen}/s, the law says {theory}/s");
    }
    // Random times come to the same on average: all get on alike.
    let seen = throughput(20, "{query: exponential(10ms), contention: {sigma: 5%, kappa: 0.2%}}");
    let theory = 2_000.0 / (1.0 + sigma * 19.0 + kappa * 380.0);
    assert!((seen / theory - 1.0).abs() < 0.1, "{seen}/s, the law says {theory}/s");
}

/// Mean value analysis of users who think and share one processor: the throughput of so many.
fn mva(users: u32, think: f64, demand: f64) -> f64 {
    let mut queue = 0.0;
    (1..=users).fold(0.0, |_, n| {
        let time = demand * (1.0 + queue);
        let throughput = f64::from(n) / (think + time);
        queue = throughput * time;
        throughput
    })
}

#[test]
fn users_who_share_a_processor_get_what_mean_value_analysis_says() {
    for users in [1, 5, 20] {
        let text = format!(
            "{{duration: 2000s, services: {{s: {{cores: 1, endpoints: {{e: {{steps: [{{work: exponential(50ms)}}]}}}}}}}}, \
             load: [{{name: load, to: s.e, users: {users}, think: exponential(500ms)}}]}}"
        );
        let mut ended = 0u32;
        watch(&text, |_, at, what| {
            let user = matches!(what, Observation::Ended { endpoint, .. } if endpoint.index() == 1);
            ended += u32::from(user && at.as_secs_f64() < 2_000.0);
        });
        let (seen, theory) = (f64::from(ended) / 2_000.0, mva(users, 0.5, 0.05));
        assert!((seen / theory - 1.0).abs() < 0.03, "{users} users: {seen}/s, theory says {theory}/s");
    }
}

#[test]
fn replicas_follow_the_rule_of_kubernetes_step_by_step() {
    // Ten workers of 100 ms: a replica does 100 a second. Constant arrivals: 60/s, then 300/s, then 60/s again.
    let text = "{duration: 300s, services: {api: {replicas: 2, workers: 10, queue: 0, autoscale: {min: 2, max: 20, target: \
                60%, every: 15s, scale_down_after: 1m}, endpoints: {e: {steps: [{wait: 100ms}]}}}}, load: [{name: load, to: \
                api.e, stages: [{for: 60s, rate: 60/s}, {for: 120s, rate: 300/s, hold: true}, {for: 120s, rate: 60/s, hold: \
                true}]}]}";
    let mut seen = Vec::new();
    let mut served = 2.0;
    watch(text, |_, at, what| match what {
        Observation::ReplicaUp { .. } => served += 1.0,
        Observation::ReplicaDown { .. } => served -= 1.0,
        Observation::Scaled { from, to, ready, used, .. } => {
            assert!((f64::from(ready) - served).abs() < 0.1, "{ready} ready, {served} seen");
            seen.push((at.as_secs_f64() as u32, from, to, (used * 1000.0).round() / 1000.0));
        }
        _ => {}
    });
    // By hand. 60/s on two: 30 %, one would do, two are the least. 300/s on two: 100 %, 2 · 1.0/0.6 = 3.3, so 4; on four:
    // 75 %, 4 · 0.75/0.6 = 5; on five: 60 %, as it should be. 60/s on five: 12 %, one would do; but five were right until
    // 180 s, and fewer come only a minute after that.
    let by_hand = |at: u32| match at {
        75 => (2, 4, 1.0),
        90 => (4, 5, 0.75),
        105..=180 => (5, 5, 0.6),
        181..=240 => (5, 5, 0.12),
        255 => (5, 2, 0.12),
        // Before the rise, and again in the end.
        _ => (2, 2, 0.3),
    };
    assert_eq!(seen.len(), 20);
    for (at, from, to, used) in seen {
        let (hand_from, hand_to, hand_used) = by_hand(at);
        assert_eq!((from, to), (hand_from, hand_to), "at {at} s");
        assert!((used - hand_used).abs() < 0.011, "at {at} s: {used} used, {hand_used} by hand");
    }
}
