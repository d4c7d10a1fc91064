//! S5 and T3 to T6: what retries do to load.

use squall_model::observation::{Failure, Observation};
use squall_model::plan::EdgeId;
use squall_model::{Outcome, SimTime};

use super::statistics::Estimate;
use super::watch;

/// Attempts and success of every call along `edge`, in order.
fn calls(text: &str, edge: EdgeId) -> (Vec<f64>, Vec<f64>) {
    let (mut attempts, mut success) = (Vec::new(), Vec::new());
    watch(text, |_, _, what| {
        if let Observation::CallEnded { edge: of, attempts: n, outcome, .. } = what
            && of == edge
        {
            attempts.push(f64::from(n));
            success.push(f64::from(u8::from(outcome.is_success())));
        }
    });
    (attempts, success)
}

/// A failing server behind a client that tries `attempts` times.
fn failing(share: &str, attempts: u32) -> String {
    format!(
        "{{duration: 600s, services: {{server: {{endpoints: {{work: {{steps: [{{fail: {share}}}]}}}}}}}}, \
         load: [{{name: load, to: server.work, rate: 100/s, retry: {{attempts: {attempts}}}}}]}}"
    )
}

#[test]
fn retries_without_back_off_make_the_attempts_and_the_success_of_theory() {
    for (percent, retries) in [(50, 3), (30, 3), (10, 2), (80, 5)] {
        let p = f64::from(percent) / 100.0;
        let (attempts, success) = calls(&failing(&format!("{percent}%"), retries + 1), EdgeId(0));
        let tries = retries as i32 + 1;
        let what = format!("{percent} % failing, {retries} retries");
        Estimate::of(&attempts).agrees_with((1.0 - p.powi(tries)) / (1.0 - p), &what);
        Estimate::of(&success).agrees_with(1.0 - p.powi(tries), &what);
    }
}

#[test]
fn thirty_per_cent_errors_and_three_retries_amplify_to_1_417() {
    let (attempts, _) = calls(&failing("30%", 4), EdgeId(0));
    let amplification = attempts.iter().sum::<f64>() / attempts.len() as f64;
    assert!((amplification - 1.417).abs() < 0.02, "{amplification}");
}

#[test]
fn a_hundred_users_of_a_failing_service_with_three_retries_make_four_hundred_attempts() {
    let text = "{duration: 1s, services: {a: {endpoints: {ask: {steps: [{call: b.work}]}}, \
                calls: {b: {retry: {attempts: 4}}}}, b: {endpoints: {work: {steps: [{fail: 100%}]}}}}, \
                load: [{name: users, to: a.ask, rate: 100/s}]}";
    let (attempts, success) = calls(text, EdgeId(0));
    assert_eq!(attempts, vec![4.0; 100]);
    assert_eq!(success, vec![0.0; 100]);
}

#[test]
fn three_layers_of_three_retries_over_a_failing_bottom_make_sixty_four_attempts() {
    let text = "{duration: 10s, defaults: {call: {retry: {attempts: 4}}}, services: {\
                a: {endpoints: {ask: {steps: [{call: b.ask}]}}}, b: {endpoints: {ask: {steps: [{call: c.ask}]}}}, \
                c: {endpoints: {ask: {steps: [{call: bottom.work}]}}}, \
                bottom: {endpoints: {work: {steps: [{fail: 100%}]}}}}, load: [{name: users, to: a.ask, rate: 10/s}]}";
    let mut at_bottom = 0;
    watch(text, |plan, _, what| {
        if let Observation::Admitted { endpoint, .. } = what {
            at_bottom += u32::from(plan.endpoints[endpoint.index()].name == "work");
        }
    });
    assert_eq!(at_bottom, 100 * 64);
}

/// A server's queue once a second, and when users got a good answer.
fn metastable(name: &str) -> (Vec<i64>, Vec<SimTime>) {
    let text = std::fs::read_to_string(format!("topologies/{name}.yaml")).expect("a built-in topology");
    let (mut queue, mut good) = (0i64, Vec::new());
    let mut by_second = Vec::new();
    watch(&text, |_, at, what| {
        while by_second.len() as u64 <= at.as_nanos() / 1_000_000_000 {
            by_second.push(queue);
        }
        match what {
            Observation::Queued { .. } => queue += 1,
            Observation::Dequeued { .. } => queue -= 1,
            Observation::CallEnded { outcome: Outcome::Ok, .. } => good.push(at),
            _ => {}
        }
    });
    (by_second, good)
}

#[test]
fn a_second_of_standstill_with_retries_ends_all_goodput_and_the_queue_grows_by_exactly_eighteen_a_second() {
    let (queue, good) = metastable("metastable");
    assert!(good.iter().all(|at| at.as_secs_f64() < 32.0), "no good answer after the standstill: {:?}", good.last());
    for second in 40..119 {
        assert_eq!(queue[second + 1] - queue[second], 18, "between {second} s and {} s", second + 1);
    }
}

#[test]
fn a_second_of_standstill_without_retries_is_over_soon() {
    let (queue, good) = metastable("metastable-recovers");
    assert!(queue[40..].iter().all(|waiting| *waiting == 0), "{queue:?}");
    assert_eq!(good.iter().filter(|at| at.as_secs_f64() >= 60.0).count(), 60 * 7, "every answer is good again");
}

#[test]
fn a_retry_budget_of_ten_per_cent_keeps_amplification_at_most_at_1_1_from_the_first_request_on() {
    let text = "{duration: 60s, services: {a: {endpoints: {ask: {steps: [{call: b.work}]}}, \
                calls: {b: {retry: {attempts: 4, budget: 10%}}}}, b: {endpoints: {work: {steps: [{fail: 100%}]}}}}, \
                load: [{name: users, to: a.ask, rate: 100/s}]}";
    let (mut firsts, mut all, mut refused) = (0u32, 0u32, 0u32);
    watch(text, |plan, _, what| match what {
        Observation::Attempt { edge, number, .. } if plan.edges[edge.index()].name == "a -> b" => {
            all += 1;
            firsts += u32::from(number == 1);
            assert!(f64::from(all) <= 1.1 * f64::from(firsts), "{all} attempts for {firsts} calls");
        }
        Observation::CallEnded { failure: Some(Failure::BudgetRefused(_)), .. } => refused += 1,
        _ => {}
    });
    assert!(f64::from(all) > 1.09 * f64::from(firsts), "and the budget is used: {all} attempts for {firsts} calls");
    assert!(refused > 0);
}
