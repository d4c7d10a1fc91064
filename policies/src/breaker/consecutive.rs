//! The textbook breaker: so many failures in a row open it, after a wait a few probes decide. Results of an earlier era
//! are not looked at, so that no late result decides anything. Knows no window and no clock.

use super::report::{Metrics, Reason, State, Transition};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::window::{Class, classify};
use crate::{Interval, Outcome, Outcomes, Random, SimTime, Span};

/// Configuration of [`Consecutive`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConsecutiveConfig {
    /// Failures in a row that open it. Default 5.
    pub failures: u32,
    /// How long it stays open, by the number of open states in a row; whole milliseconds. Default: always 5 s.
    pub open_for: Interval,
    /// Probes, all of which must succeed to close it. Default 1.
    pub half_open_calls: u32,
    /// Outcomes that are failures; others, unless ignored, are successes. Default: all that is no success.
    pub counts: Outcomes,
    /// Outcomes that only give back their permit. Looked at before `counts`. Default: none.
    pub ignored: Outcomes,
}

impl Default for ConsecutiveConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            open_for: Interval::Fixed(Span::from_secs(5)),
            half_open_calls: 1,
            counts: Outcomes::FAILURE,
            ignored: Outcomes::NONE,
        }
    }
}

impl ConsecutiveConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.failures >= 1, "failures", "at least 1")?;
        require(self.half_open_calls >= 1, "half_open_calls", "at least 1")?;
        self.open_for.check().map_err(|invalid| Invalid { field: "open_for", ..invalid })
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Consecutive {
    config: ConsecutiveConfig,
    phase: Phase,
    era: u32,
    openings: u32,
    not_permitted: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed { failures: u32 },
    Open { until: SimTime, wait: Span },
    HalfOpen { permits: u32, passed: u32 },
}

impl Consecutive {
    /// A closed breaker.
    pub fn new(config: ConsecutiveConfig) -> Self {
        Self { config, phase: Phase::Closed { failures: 0 }, era: 0, openings: 0, not_permitted: 0 }
    }

    /// Whether a call may go on. The first call at the end of the wait (`now >= until`) is a probe.
    pub fn admit(&mut self, now: SimTime) -> (Admission, Option<Transition>) {
        match &mut self.phase {
            Phase::Closed { .. } => (Admission::Pass(Token::of(self.era)), None),
            Phase::Open { until, wait } if now >= *until => {
                let reason = Reason::OpenFor(*wait);
                let permits = self.config.half_open_calls - 1;
                let transition = self.change(Phase::HalfOpen { permits, passed: 0 }, reason);
                (Admission::Pass(Token::probe(self.era)), Some(transition))
            }
            Phase::HalfOpen { permits, .. } if *permits > 0 => {
                *permits -= 1;
                (Admission::Pass(Token::probe(self.era)), None)
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } => {
                self.not_permitted += 1;
                (Admission::Reject, None)
            }
        }
    }

    /// Takes in the result of a call admitted in the present era; others are too late.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        if token.era != self.era {
            return None;
        }
        match (classify(outcome, self.config.counts, self.config.ignored), &mut self.phase) {
            (Class::Ignored, _) => {
                self.release(token);
                None
            }
            (Class::Success, Phase::Closed { failures }) => {
                *failures = 0;
                None
            }
            (Class::Success, Phase::HalfOpen { passed, .. }) => {
                *passed += 1;
                let passed = *passed;
                (passed == self.config.half_open_calls).then(|| self.close(passed))
            }
            (Class::Failure, Phase::Closed { failures }) => {
                *failures += 1;
                let failures = *failures;
                (failures >= self.config.failures).then(|| self.open(now, Reason::Consecutive(failures), rng))
            }
            (Class::Failure, Phase::HalfOpen { .. }) => Some(self.open(now, Reason::ProbeFailed, rng)),
            (_, Phase::Open { .. }) => None,
        }
    }

    /// Gives back the permit of a probe that never ran.
    pub fn release(&mut self, token: Token) {
        match &mut self.phase {
            Phase::HalfOpen { permits, .. } if token.era == self.era => *permits += 1,
            _ => {}
        }
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// The failures in a row, and how many calls were rejected since it was last closed.
    pub fn metrics(&self) -> Metrics {
        let (calls, failed) = match self.phase {
            Phase::Closed { failures } => (failures, failures),
            Phase::HalfOpen { passed, .. } => (passed, 0),
            Phase::Open { .. } => (0, 0),
        };
        Metrics { calls, failed, not_permitted: self.not_permitted, ..Metrics::default() }
    }

    fn close(&mut self, passed: u32) -> Transition {
        self.openings = 0;
        self.not_permitted = 0;
        self.change(Phase::Closed { failures: 0 }, Reason::ProbesPassed(passed))
    }

    fn open(&mut self, now: SimTime, reason: Reason, rng: &mut impl Random) -> Transition {
        self.openings += 1;
        let wait = self.config.open_for.wait(self.openings, rng);
        self.change(Phase::Open { until: now + wait, wait }, reason)
    }

    fn change(&mut self, phase: Phase, reason: Reason) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.era = self.era.wrapping_add(1);
        Transition { from, to: self.state(), why: reason.into(), replica: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BreakerConfig;
    use super::super::stepper::{FAIL, MS, Stepper, told};
    use super::*;

    fn stepper(config: ConsecutiveConfig) -> Stepper {
        Stepper::new(BreakerConfig::Consecutive(config))
    }

    #[test]
    fn the_run_must_be_unbroken_and_reach_the_limit() {
        let mut s = stepper(ConsecutiveConfig::default());
        s.calls(4, FAIL);
        s.call(Outcome::Ok);
        s.calls(4, FAIL);
        assert_eq!(s.state(), State::Closed);
        assert_eq!(told(s.call(FAIL)), Some((State::Closed, State::Open, Reason::Consecutive(5), false)));
    }

    #[test]
    fn ignored_outcomes_neither_add_to_a_run_nor_break_it() {
        let mut s = stepper(ConsecutiveConfig { ignored: Outcomes::RATE_LIMITED, ..ConsecutiveConfig::default() });
        s.calls(4, FAIL);
        s.calls(9, Outcome::RateLimited);
        s.calls(1, FAIL);
        assert_eq!(s.state(), State::Open);
    }

    #[test]
    fn the_wait_is_over_at_its_very_end_and_all_probes_must_pass() {
        let mut s = stepper(ConsecutiveConfig { half_open_calls: 2, ..ConsecutiveConfig::default() });
        s.calls(5, FAIL);
        assert!(s.at(MS(4_999)).admit().is_none());
        s.at(MS(5_000));
        let (first, second) = (s.admit().unwrap(), s.admit().unwrap());
        assert!(s.admit().is_none());
        assert_eq!(s.finish(first, Outcome::Ok), None);
        let closed = Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(2), false));
        assert_eq!(told(s.finish(second, Outcome::Ok)), closed);
    }

    #[test]
    fn a_late_result_decides_nothing() {
        let mut s = stepper(ConsecutiveConfig::default());
        let straggler = s.admit().unwrap();
        s.calls(5, FAIL);
        s.at(MS(5_000)).admit().unwrap();
        assert_eq!(s.finish(straggler, Outcome::Ok), None);
        assert_eq!(s.state(), State::HalfOpen);
    }

    #[test]
    fn a_probe_that_never_ran_gives_its_place_back_and_an_older_call_that_never_ran_gives_none() {
        let mut s = stepper(ConsecutiveConfig::default());
        let straggler = s.admit().unwrap();
        s.calls(5, FAIL);
        let probe = s.at(MS(5_000)).admit().unwrap();
        s.breaker.release(straggler);
        assert!(s.admit().is_none());
        s.breaker.release(probe);
        assert!(s.admit().is_some());
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = ConsecutiveConfig::default();
        let table = [
            (ConsecutiveConfig { failures: 0, ..base }, "failures"),
            (ConsecutiveConfig { half_open_calls: 0, ..base }, "half_open_calls"),
            (ConsecutiveConfig { open_for: Interval::Fixed(Span::ZERO), ..base }, "open_for"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
