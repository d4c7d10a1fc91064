//! T1 and T2: queueing formulas and Little's law.

use squall_model::Span;
use squall_model::observation::Observation;

use super::statistics::Estimate;
use super::watch;

/// What a queue shows.
#[derive(Default)]
struct Samples {
    /// Seconds in the system, of each request that was let in.
    times: Vec<f64>,
    /// 1 for each request that was let in and had to wait.
    waited: Vec<f64>,
    /// 1 for each request that was turned away.
    lost: Vec<f64>,
}

/// One service, `station`, under Poisson load.
fn station(service: &str, work: &str, rate: u32, seconds: u32) -> Samples {
    let text = format!(
        "{{duration: {seconds}s, drain: 600s, services: {{station: {{{service}, endpoints: {{serve: {{steps: [{{work: \
         {work}}}]}}}}}}}}, load: [{{name: load, to: station.serve, rate: {rate}/s, arrivals: poisson}}]}}"
    );
    samples(&text)
}

fn samples(text: &str) -> Samples {
    let mut samples = Samples::default();
    let ended = watch(text, |_, _, what| match what {
        Observation::Admitted { endpoint, .. } if endpoint.index() == 0 => {
            samples.waited.push(0.0);
            samples.lost.push(0.0);
        }
        Observation::Queued { endpoint, .. } if endpoint.index() == 0 => {
            samples.waited.push(1.0);
            samples.lost.push(0.0);
        }
        Observation::Rejected { endpoint, .. } if endpoint.index() == 0 => samples.lost.push(1.0),
        Observation::Ended { endpoint, took, .. } if endpoint.index() == 0 => samples.times.push(took.as_secs_f64()),
        _ => {}
    });
    assert_eq!(ended.census.fibers, 0, "everything has drained");
    samples
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}

/// P(wait) of M/M/c with `a` Erlang.
fn erlang_c(servers: u32, a: f64) -> f64 {
    let c = f64::from(servers);
    let top = a.powi(servers as i32) / factorial(servers) * c / (c - a);
    let below: f64 = (0..servers).map(|n| a.powi(n as i32) / factorial(n)).sum();
    top / (below + top)
}

/// How likely `n` requests are in an M/M/c, up to a factor.
fn state_weight(servers: u32, n: u32, a: f64) -> f64 {
    let full = n.min(servers);
    a.powi(full as i32) / factorial(full) * (a / f64::from(servers)).powi((n - full) as i32)
}

/// The probability that M/M/c/K turns a request away.
fn loss(servers: u32, room: u32, a: f64) -> f64 {
    state_weight(servers, room, a) / (0..=room).map(|n| state_weight(servers, n, a)).sum::<f64>()
}

/// Where a function meets the diagonal, below 1.
pub(super) fn fixed_point(of: impl Fn(f64) -> f64) -> f64 {
    (0..10_000).fold(0.5, |at, _| of(at))
}

#[test]
fn m_m_1_has_the_mean_time_of_theory() {
    for (rate, seconds) in [(50, 2_000), (80, 6_000)] {
        let samples = station("workers: 1", "exponential(10ms)", rate, seconds);
        let theory = 1.0 / (100.0 - f64::from(rate));
        Estimate::of(&samples.times).agrees_with(theory, &format!("M/M/1 at {rate}/s, time in system"));
        Estimate::of(&samples.waited).agrees_with(f64::from(rate) / 100.0, &format!("M/M/1 at {rate}/s, P(wait)"));
    }
}

#[test]
fn m_m_c_has_the_waiting_probability_and_mean_time_of_erlang_c() {
    let samples = station("workers: 10", "exponential(100ms)", 90, 4_000);
    let p_wait = erlang_c(10, 9.0);
    assert!((p_wait - 0.66873).abs() < 5e-6, "the formula itself: {p_wait}");
    Estimate::of(&samples.waited).agrees_with(p_wait, "M/M/10 at 9 Erlang, P(wait)");
    let time = 0.1 + p_wait / (100.0 - 90.0);
    assert!((time - 0.166_873).abs() < 5e-7, "the formula itself: {time}");
    Estimate::of(&samples.times).agrees_with(time, "M/M/10 at 9 Erlang, time in system");
}

#[test]
fn m_d_1_and_m_g_1_have_the_mean_time_of_pollaczek_and_khinchine() {
    // Service times and their squared coefficient of variation.
    let table = [("10ms", 0.0), ("erlang(4 10ms)", 0.25), ("uniform(0ms 20ms)", 1.0 / 3.0), ("exponential(10ms)", 1.0)];
    for (work, variation) in table {
        let samples = station("workers: 1", work, 70, 4_000);
        let theory = 0.01 + 0.7 * (1.0 + variation) / 2.0 * 0.01 / (1.0 - 0.7);
        Estimate::of(&samples.times).agrees_with(theory, &format!("M/G/1 with {work}"));
    }
}

#[test]
fn m_m_c_k_loses_the_share_of_theory() {
    assert!((loss(10, 10, 9.0) - 0.16796).abs() < 5e-6, "the formula itself");
    for (servers, queue) in [(10, 0), (10, 5), (1, 4)] {
        let rate = 9 * servers;
        let work = "exponential(100ms)";
        let samples = station(&format!("workers: {servers}, queue: {queue}"), work, rate, 20_000 / servers);
        let theory = loss(servers, servers + queue, 0.9 * f64::from(servers));
        Estimate::of(&samples.lost).agrees_with(theory, &format!("M/M/{servers}/{}", servers + queue));
    }
}

#[test]
fn m_m_c_waits_as_erlang_c_says_with_few_and_many_workers_up_to_95_per_cent() {
    // Workers, load of each in percent, seconds of one worker.
    for (workers, percent, seconds) in [(1, 95, 40_000), (2, 80, 4_000), (5, 90, 8_000), (20, 95, 40_000)] {
        let (rate, load) = (workers * percent, f64::from(workers * percent) / 100.0);
        let samples = station(&format!("workers: {workers}"), "exponential(10ms)", rate, seconds / workers);
        let what = format!("M/M/{workers} at {percent} %");
        let p_wait = erlang_c(workers, load);
        // The same by another way: Erlang B by its recursion, and C from B.
        let b = (1..=workers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
        let c = b / (1.0 - load / f64::from(workers) * (1.0 - b));
        assert!((p_wait - c).abs() < 1e-12, "the formula itself for {what}: {p_wait}, {c}");
        Estimate::of(&samples.waited).agrees_with(p_wait, &format!("{what}, P(wait)"));
        let time = 0.01 + p_wait / f64::from(workers * 100 - rate);
        Estimate::of(&samples.times).agrees_with(time, &format!("{what}, time in system"));
    }
}

#[test]
fn the_time_in_an_m_m_1_is_exponential() {
    let times = station("workers: 1", "exponential(10ms)", 70, 12_000).times;
    for (seconds, share) in [(0.01, 0.7408), (0.05, 0.2231), (0.08, 0.0907)] {
        let longer: Vec<f64> = times.iter().map(|time| f64::from(u8::from(*time > seconds))).collect();
        Estimate::of(&longer).agrees_with((-30.0 * seconds).exp(), &format!("longer than {seconds} s"));
        assert!(((-30.0 * seconds).exp() - share).abs() < 5e-5, "the formula itself");
    }
}

#[test]
fn m_g_1_with_service_times_of_great_variation_has_the_mean_time_of_pollaczek_and_khinchine() {
    // A lognormal time of median 5 ms and 99th percentile 50 ms: of the normal's 99 % point follows its sigma.
    let sigma = (50.0f64 / 5.0).ln() / 2.326_347_874;
    let lognormal = (0.005 * (sigma * sigma / 2.0).exp(), (sigma * sigma).exp() - 1.0);
    // 0.9 · 5 + 0.1 · 55 = 10; 0.9 · 5² + 0.1 · 55² − 10² = 225.
    let table = [("lognormal(5ms 50ms)", lognormal), ("bimodal(5ms 55ms 10%)", (0.01, 2.25))];
    for (work, (mean, variation)) in table {
        let load = 60.0 * mean;
        let theory = mean + load * (1.0 + variation) / 2.0 * mean / (1.0 - load);
        let samples = station("workers: 1", work, 60, 20_000);
        Estimate::of(&samples.times).agrees_with(theory, &format!("M/G/1 with {work}"));
    }
}

#[test]
fn d_m_1_has_the_mean_time_that_the_root_of_its_equation_gives() {
    // GI/M/1: sigma = E[exp(-mu (1 - sigma) A)], and the time in system is exponential of rate mu (1 - sigma).
    let (rate, service) = (80.0, 100.0);
    let root = fixed_point(|sigma| (-service * (1.0 - sigma) / rate).exp());
    assert!((root - 0.628_633).abs() < 1e-4, "the formula itself: {root}");
    let text = "{duration: 6000s, services: {station: {workers: 1, endpoints: {serve: {steps: [{work: \
                exponential(10ms)}]}}}}, load: [{name: load, to: station.serve, rate: 80/s}]}";
    Estimate::of(&samples(text).times).agrees_with(1.0 / (service * (1.0 - root)), "D/M/1 at 80 %");
}

#[test]
fn a_queue_that_is_full_most_of_the_time_loses_and_delays_as_m_m_c_k_says() {
    for (servers, queue, rate) in [(5, 20, 60), (20, 10, 250)] {
        let (room, load) = (servers + queue, f64::from(rate) / 10.0);
        let samples = station(&format!("workers: {servers}, queue: {queue}"), "exponential(100ms)", rate, 8_000);
        let what = format!("M/M/{servers}/{room} at {load} Erlang");
        let lost = loss(servers, room, load);
        Estimate::of(&samples.lost).agrees_with(lost, &format!("{what}, loss"));
        let weights: Vec<f64> = (0..=room).map(|n| state_weight(servers, n, load)).collect();
        let inside = weights.iter().zip(0u32..).map(|(weight, n)| weight * f64::from(n)).sum::<f64>();
        let time = inside / weights.iter().sum::<f64>() / (f64::from(rate) * (1.0 - lost));
        Estimate::of(&samples.times).agrees_with(time, &format!("{what}, time in system"));
    }
}

#[test]
fn what_is_lost_without_a_queue_depends_on_the_mean_service_time_alone() {
    let erlang_b = loss(10, 10, 8.0);
    assert!((erlang_b - 0.12166).abs() < 5e-6, "the formula itself: {erlang_b}");
    for work in ["100ms", "exponential(100ms)", "uniform(0ms 200ms)", "bimodal(50ms 550ms 10%)"] {
        let samples = station("workers: 10, queue: 0", work, 80, 3_000);
        Estimate::of(&samples.lost).agrees_with(erlang_b, &format!("M/G/10/10 with {work}"));
    }
}

#[test]
fn a_closed_m_m_1_has_the_times_of_mean_value_analysis() {
    let (users, think, service) = (20u32, 1.0, 0.04);
    let text = "{duration: 4000s, services: {station: {workers: 1, endpoints: {serve: {steps: [{work: exponential(40ms)}]}}}}, \
                load: [{name: load, users: 20, think: exponential(1s), tasks: [{name: t, to: station.serve}]}]}";
    // MVA: with n users, a request meets the mean queue of n - 1 users.
    let (mut queue, mut time) = (0.0, 0.0);
    for n in 1..=users {
        time = service * (1.0 + queue);
        queue = f64::from(n) * time / (time + think);
    }
    Estimate::of(&samples(text).times).agrees_with(time, "closed M/M/1, 20 users");
}

/// T2: on every service, the integral of the number in system is the sum of the times in system, to the nanosecond.
#[test]
fn littles_law_holds_exactly_on_every_service_of_a_drained_run() {
    for name in ["cascade", "cascade-breaker", "graceful-degradation", "retry-storm-backoff", "social"] {
        let text = std::fs::read_to_string(format!("topologies/{name}.yaml")).expect("a built-in topology");
        let (mut area, mut times) = (vec![0i128; 32], vec![0i128; 32]);
        let ended = watch(&text, |plan, at, what| {
            let at = i128::from(at.as_nanos());
            match what {
                Observation::Admitted { endpoint, .. } | Observation::Queued { endpoint, .. } => {
                    area[plan.endpoints[endpoint.index()].service.index()] -= at;
                }
                Observation::Ended { endpoint, took, .. } => {
                    let service = plan.endpoints[endpoint.index()].service.index();
                    area[service] += at;
                    times[service] += i128::from(took.as_nanos());
                }
                _ => {}
            }
        });
        assert_eq!(ended.census.fibers, 0, "{name} drains");
        assert_eq!(area, times, "{name}");
        assert!(times[0] > i128::from(Span::from_secs(1).as_nanos()), "{name} has done something");
    }
}
