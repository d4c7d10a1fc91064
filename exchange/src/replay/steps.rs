//! A breaker by hand: one line of what is done in, one line of what it answers out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use squall_model::SimTime;
use squall_model::spec::{At, Problem};
use squall_policies::breaker::{Admission, Breaker, BreakerConfig, State, Token};
use squall_policies::{Outcome, Span, SplitMix64};

use super::{Led, clock, lines};

/// One line in.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Step {
    at_ns: u64,
    op: Op,
    #[serde(default)]
    duration_ns: u64,
}

#[derive(Deserialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
enum Op {
    Admit,
    Success,
    Error,
    Ignored,
}

/// One line out: the breaker after the step.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Answer {
    /// Whether the call may go on; only for `admit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted: Option<bool>,
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    pub state: &'static str,
    /// Calls in the window.
    pub calls: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were slow.
    pub slow: u32,
    /// Their share in per cent; −1 while there are too few to judge.
    pub failure_rate: f32,
    /// Calls turned away since the window began.
    pub not_permitted: u64,
}

/// Leads a breaker through `log`, handing each answer to `tell`. `start_ns` is what the clock says when the log's times
/// are 0: times count from there, and time windows are aligned to the clock's seconds. Answers the first mistake.
pub fn steps(config: &BreakerConfig, log: &str, start_ns: u64, mut tell: impl FnMut(Answer)) -> Result<(), Problem> {
    let mut reader = Reader::new(config, start_ns);
    for (_, at, line) in lines(log) {
        let step: Step = serde_json::from_str(line).map_err(|error| unreadable(&error, at, line))?;
        let wrong = |what: String, hint| Problem::error(At::new(0, at..at + line.len()), what).hint(hint);
        tell(reader.take(&step).map_err(|(what, hint)| wrong(what, hint))?);
    }
    Ok(())
}

struct Reader {
    led: Led,
    tokens: VecDeque<Token>,
    start_ns: u64,
}

impl Reader {
    fn new(config: &BreakerConfig, start_ns: u64) -> Self {
        let breaker = Breaker::new(config, clock(start_ns));
        let led = Led { breaker, now: clock(start_ns), rng: SplitMix64::new(1) };
        Self { led, tokens: VecDeque::new(), start_ns }
    }

    fn take(&mut self, step: &Step) -> Result<Answer, (String, &'static str)> {
        let now = clock(step.at_ns.saturating_add(self.start_ns));
        if now < self.led.now {
            return Err((format!("`at_ns` {} is before the line above", step.at_ns), "lines come in order of time"));
        }
        self.led.until(now, |_, _| {});
        let admitted = self.apply(step, now)?;
        Ok(answer(&self.led.breaker, now, admitted))
    }

    fn apply(&mut self, step: &Step, now: SimTime) -> Result<Option<bool>, (String, &'static str)> {
        let Led { breaker, rng, .. } = &mut self.led;
        if let Op::Admit = step.op {
            let (admission, _) = breaker.admit(now, rng);
            if let Admission::Pass(token) = admission {
                self.tokens.push_back(breaker.assign(token, 0));
            }
            return Ok(Some(admission != Admission::Reject));
        }
        let missing = || ("a result without a call".to_owned(), "each result belongs to an `admit` that passed");
        let token = self.tokens.pop_front().ok_or_else(missing)?;
        let duration = Span::from_nanos(step.duration_ns);
        match step.op {
            Op::Ignored => breaker.release(token),
            Op::Success => drop(breaker.record(now, token, Outcome::Ok, duration, rng)),
            _ => drop(breaker.record(now, token, Outcome::Error(500), duration, rng)),
        }
        Ok(None)
    }
}

fn answer(breaker: &Breaker, now: SimTime, admitted: Option<bool>) -> Answer {
    let metrics = breaker.metrics(now);
    let state = match breaker.state() {
        State::Closed => "CLOSED",
        State::Open => "OPEN",
        State::HalfOpen => "HALF_OPEN",
        State::ForcedOpen => "FORCED_OPEN",
        State::Disabled => "DISABLED",
        State::MetricsOnly => "METRICS_ONLY",
    };
    Answer {
        admitted,
        state,
        calls: metrics.calls,
        failed: metrics.failed,
        slow: metrics.slow,
        failure_rate: metrics.failure_rate.unwrap_or(-1.0),
        not_permitted: metrics.not_permitted,
    }
}

/// What serde says, at its place in the log.
fn unreadable(error: &serde_json::Error, at: usize, line: &str) -> Problem {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default().to_owned();
    let start = (error.column().max(1) - 1).min(line.len());
    let start = (0..=start).rev().find(|&byte| line.is_char_boundary(byte)).unwrap_or(0);
    let hint =
        "a line is {\"at_ns\": 0, \"op\": \"admit\" | \"success\" | \"error\" | \"ignored\", \"duration_ns\": 0}";
    Problem::error(At::new(0, at + start..at + line.len()), what).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_policies::breaker::{Resilience4jConfig, Window};

    fn answers(log: &str, start_ns: u64) -> Result<Vec<Answer>, Problem> {
        let config = Resilience4jConfig { window: Window::Calls(2), minimum_calls: 2, ..Default::default() };
        let mut answers = vec![];
        steps(&BreakerConfig::Resilience4j(config), log, start_ns, |answer| answers.push(answer)).map(|()| answers)
    }

    #[test]
    fn two_errors_open_a_breaker_that_looks_at_two_calls() {
        let log = "{\"at_ns\":0,\"op\":\"admit\"}\n{\"at_ns\":1,\"op\":\"error\",\"duration_ns\":1}\n\
                   {\"at_ns\":2,\"op\":\"admit\"}\n{\"at_ns\":3,\"op\":\"error\",\"duration_ns\":1}\n{\"at_ns\":4,\"op\":\"admit\"}";
        let states: Vec<_> = answers(log, 0).unwrap().iter().map(|a| (a.state, a.admitted, a.failure_rate)).collect();
        let wanted = [
            ("CLOSED", Some(true), -1.0),
            ("CLOSED", None, -1.0),
            ("CLOSED", Some(true), -1.0),
            ("OPEN", None, 100.0),
            ("OPEN", Some(false), 100.0),
        ];
        assert_eq!(states, wanted);
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let table = [
            (
                "{\"at_ns\":0,\"op\":\"admit\"}\n{\"at_ns\":-1,\"op\":\"admit\"}",
                "invalid value: integer `-1`, expected u64",
                35,
            ),
            (
                "{\"at_ns\":5,\"op\":\"admit\"}\n{\"at_ns\":4,\"op\":\"admit\"}",
                "`at_ns` 4 is before the line above",
                25,
            ),
            ("{\"at_ns\":5,\"op\":\"error\"}", "a result without a call", 0),
            (
                "{\"at_ns\":5,\"op\":\"err\"}",
                "unknown variant `err`, expected one of `admit`, `success`, `error`, `ignored`",
                20,
            ),
            ("{\"at_ns\":5", "EOF while parsing an object", 9),
        ];
        for (log, what, start) in table {
            let problem = answers(log, 0).unwrap_err();
            assert_eq!((problem.what.as_str(), problem.at.start), (what, start), "{log}");
        }
    }
}
