//! T1, continued: networks of queues. What stands before them has workers for all, and takes no time of its own.

use squall_model::observation::Observation;

use super::queues::fixed_point;
use super::statistics::Estimate;
use super::watch;

/// Two stations with one worker each, of 10 ms a request, and a front that asks them as `steps` say.
fn two_stations(steps: &str, load: &str) -> String {
    format!(
        "{{drain: 600s, duration: 4000s, services: {{front: {{endpoints: {{ask: {{steps: {steps}}}}}}}, \
         a: {{workers: 1, endpoints: {{serve: {{steps: [{{work: exponential(10ms)}}]}}}}}}, \
         b: {{workers: 1, endpoints: {{serve: {{steps: [{{work: exponential(10ms)}}]}}}}}}}}, load: [{load}]}}"
    )
}

/// Seconds from arrival to end of each request at this service, in the order in which they ended.
fn times(text: &str, service: &str) -> Vec<f64> {
    let mut times = Vec::new();
    let ended = watch(text, |plan, _, what| {
        if let Observation::Ended { endpoint, took, .. } = what
            && plan.services[plan.endpoints[endpoint.index()].service.index()].name == service
        {
            times.push(took.as_secs_f64());
        }
    });
    assert_eq!(ended.census.fibers, 0, "everything has drained");
    times
}

const POISSON_70: &str = "{name: load, to: front.ask, rate: 70/s, arrivals: poisson}";

#[test]
fn what_leaves_an_m_m_1_comes_to_the_next_as_to_an_m_m_1() {
    let text = two_stations("[{call: a.serve}, {call: b.serve}]", POISSON_70);
    let alone = 1.0 / (100.0 - 70.0);
    Estimate::of(&times(&text, "a")).agrees_with(alone, "the first of two in tandem");
    Estimate::of(&times(&text, "b")).agrees_with(alone, "the second of two in tandem");
    Estimate::of(&times(&text, "front")).agrees_with(2.0 * alone, "both together");
}

#[test]
fn a_fork_to_two_queues_is_joined_after_the_time_that_nelson_and_tantawi_give() {
    // R. Nelson, A. N. Tantawi: Approximate Analysis of Fork/Join Synchronization in Parallel Queues (1988); for two
    // queues it is exact: (12 - rho) / 8 times the time of one.
    let text = two_stations("[{parallel: [{call: a.serve}, {call: b.serve}]}]", POISSON_70);
    let alone = 1.0 / (100.0 - 70.0);
    Estimate::of(&times(&text, "front")).agrees_with((12.0 - 0.7) / 8.0 * alone, "fork and join");
}

#[test]
fn a_race_of_two_servers_with_room_for_all_takes_half_the_time() {
    let text = two_stations("[{race: [{call: a.serve}, {call: b.serve}]}]", POISSON_70).replace("workers: 1, ", "");
    Estimate::of(&times(&text, "front")).agrees_with(0.005, "the shorter of two exponential times");
}

#[test]
fn a_closed_network_of_two_stations_has_the_times_of_mean_value_analysis() {
    let users = 30;
    let load = format!("{{name: load, users: {users}, think: exponential(300ms), to: front.ask}}");
    let text = two_stations("[{call: a.serve}, {call: b.serve}]", &load).replacen("10ms", "6ms", 1);
    let (services, think) = ([0.006, 0.01], 0.3);
    let (mut queues, mut each) = ([0.0; 2], [0.0; 2]);
    for n in 1..=users {
        each = [0, 1].map(|at| services[at] * (1.0 + queues[at]));
        let throughput = f64::from(n) / (think + each[0] + each[1]);
        queues = each.map(|time| throughput * time);
    }
    for (service, theory) in [("a", each[0]), ("b", each[1]), ("front", each[0] + each[1])] {
        Estimate::of(&times(&text, service)).agrees_with(theory, &format!("closed network, {service}"));
    }
}

#[test]
fn replicas_chosen_at_random_are_m_m_1s_and_in_turn_better_than_that() {
    let text = |balancer: &str| {
        format!(
            "{{drain: 600s, duration: 3000s, services: {{pair: {{replicas: 2, workers: 1, balancer: {balancer}, endpoints: \
             {{serve: {{steps: [{{work: exponential(10ms)}}]}}}}}}}}, \
             load: [{{name: load, to: pair.serve, rate: 140/s, arrivals: poisson}}]}}"
        )
    };
    Estimate::of(&times(&text("random"), "pair")).agrees_with(1.0 / (100.0 - 70.0), "random of two");
    // In turn, each gets every second arrival: E2/M/1, whose sigma is the transform of the Erlang-2 gaps.
    let sigma = fixed_point(|sigma| (140.0 / (140.0 + 100.0 * (1.0 - sigma))).powi(2));
    Estimate::of(&times(&text("round_robin"), "pair")).agrees_with(1.0 / (100.0 * (1.0 - sigma)), "two in turn");
}
