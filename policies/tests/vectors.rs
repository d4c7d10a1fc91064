//! Replays what the real resilience4j answered, step by step: every script of `vectors/resilience4j.json` must be
//! answered alike, at any phase of the clock.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde::Deserialize;
use squall_policies::breaker::{Admission, Breaker, BreakerConfig, Resilience4jConfig, State, Token, Window};
use squall_policies::{Interval, Outcome, Outcomes, SimTime, Span, SplitMix64};

#[derive(Deserialize)]
struct Script {
    config: Config,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Config {
    window: String,
    size: u32,
    minimum_calls: u32,
    failure_rate: f32,
    slow_rate: f32,
    slow_ns: u64,
    permitted_half_open: u32,
    wait_ms: u64,
    start_ns: u64,
    exp: Option<(f64, u64)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Advance { advance_ns: u64 },
    Event(Event),
}

#[derive(Deserialize)]
struct Event {
    op: String,
    duration_ns: Option<u64>,
    admitted: Option<bool>,
    state: String,
    calls: u32,
    failed: u32,
    slow: u32,
    failure_rate: f32,
    not_permitted: u64,
}

/// The ignored outcome of the scripts; any will do that they do not otherwise use.
const IGNORED: Outcome = Outcome::Refused;

#[derive(Debug, PartialEq)]
struct Answer {
    admitted: Option<bool>,
    state: State,
    calls: u32,
    failed: u32,
    slow: u32,
    failure_rate: f32,
    not_permitted: u64,
}

impl Event {
    fn answer(&self) -> Answer {
        Answer {
            admitted: self.admitted,
            state: state(&self.state),
            calls: self.calls,
            failed: self.failed,
            slow: self.slow,
            failure_rate: self.failure_rate,
            not_permitted: self.not_permitted,
        }
    }
}

impl Config {
    fn breaker(&self, clock_start: Span) -> Resilience4jConfig {
        let initial = Span::from_millis(self.wait_ms);
        let interval = |(multiplier, max)| Interval::Exponential { initial, multiplier, max: Span::from_millis(max) };
        Resilience4jConfig {
            window: match self.window.as_str() {
                "COUNT_BASED" => Window::Calls(self.size),
                "TIME_BASED" => Window::Seconds(self.size),
                other => panic!("unknown window {other}"),
            },
            minimum_calls: self.minimum_calls,
            failure_rate: self.failure_rate,
            slow_rate: self.slow_rate,
            slow_after: Span::from_nanos(self.slow_ns),
            open_for: self.exp.map_or(Interval::Fixed(initial), interval),
            half_open_calls: self.permitted_half_open,
            clock_start,
            ignored: Outcomes::REFUSED,
            ..Resilience4jConfig::default()
        }
    }
}

fn state(name: &str) -> State {
    match name {
        "CLOSED" => State::Closed,
        "OPEN" => State::Open,
        "HALF_OPEN" => State::HalfOpen,
        other => panic!("unknown state {other}"),
    }
}

fn scripts() -> Vec<Script> {
    serde_json::from_str(include_str!("vectors/resilience4j.json")).unwrap()
}

/// Replays `script` from `now` on; the number of answers that were compared, or the first that differs.
fn replay(script: &Script, config: Resilience4jConfig, mut now: SimTime) -> Result<usize, String> {
    assert_eq!(config.check(), Ok(()));
    let mut breaker = Breaker::new(&BreakerConfig::Resilience4j(config), now);
    let mut rng = SplitMix64::new(1);
    let mut tokens: Vec<Token> = vec![];
    let mut compared = 0;
    for (index, step) in script.steps.iter().enumerate() {
        let event = match step {
            Step::Advance { advance_ns } => {
                now += Span::from_nanos(*advance_ns);
                continue;
            }
            Step::Event(event) => event,
        };
        let admitted = apply(event, &mut breaker, &mut tokens, (now, &mut rng));
        let metrics = breaker.metrics(now);
        let answer = Answer {
            admitted,
            state: breaker.state(),
            calls: metrics.calls,
            failed: metrics.failed,
            slow: metrics.slow,
            failure_rate: metrics.failure_rate.unwrap_or(-1.0),
            not_permitted: metrics.not_permitted,
        };
        if answer != event.answer() {
            return Err(format!("step {index} ({}) at {now:?}: {answer:?} instead of {:?}", event.op, event.answer()));
        }
        compared += 1;
    }
    Ok(compared)
}

fn apply(
    event: &Event,
    breaker: &mut Breaker,
    tokens: &mut Vec<Token>,
    (now, rng): (SimTime, &mut SplitMix64),
) -> Option<bool> {
    let outcome = match event.op.as_str() {
        "admit" => {
            let (admission, _) = breaker.admit(now, rng);
            if let Admission::Pass(token) = admission {
                tokens.push(token);
            }
            return Some(admission != Admission::Reject);
        }
        "success" => Outcome::Ok,
        "error" => Outcome::Error(500),
        "ignored" => IGNORED,
        other => panic!("unknown op {other}"),
    };
    let token = tokens.pop().expect("a script finishes no call that it did not start");
    let duration = Span::from_nanos(event.duration_ns.expect("a result has a duration"));
    breaker.record(now, token, outcome, duration, rng);
    None
}

#[test]
fn every_step_of_every_script_is_answered_as_resilience4j_answered_it() {
    let scripts = scripts();
    assert_eq!(scripts.len(), 30);
    let answers = scripts.iter().enumerate().map(|(index, script)| {
        let start = SimTime::from_nanos(script.config.start_ns);
        replay(script, script.config.breaker(Span::ZERO), start).unwrap_or_else(|e| panic!("script {index}, {e}"))
    });
    assert_eq!(answers.sum::<usize>(), 1_431);
}

#[test]
fn a_clock_that_starts_later_answers_alike_from_time_zero_on() {
    for (index, script) in scripts().iter().enumerate() {
        let config = script.config.breaker(Span::from_nanos(script.config.start_ns));
        replay(script, config, SimTime::ZERO).unwrap_or_else(|e| panic!("script {index}, {e}"));
    }
}

#[test]
fn a_time_window_of_another_phase_answers_differently() {
    let differs = |script: &&Script| {
        let config = script.config.breaker(Span::from_nanos(script.config.start_ns + 500_000_000));
        replay(script, config, SimTime::ZERO).is_err()
    };
    let differing = scripts().iter().filter(differs).count();
    assert!(differing > 0, "the phase of the clock made no difference, so the scripts do not test it");
}
