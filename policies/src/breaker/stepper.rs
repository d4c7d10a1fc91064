//! For tests: one breaker, one clock, and the steps a story needs.

use super::{Admission, Breaker, BreakerConfig, Reason, State, Token, Transition};
use crate::{Outcome, SimTime, Span, SplitMix64};

pub(crate) const MS: fn(u64) -> Span = Span::from_millis;
pub(crate) const FAIL: Outcome = Outcome::Error(500);

pub(crate) struct Stepper {
    pub(crate) breaker: Breaker,
    pub(crate) now: SimTime,
    pub(crate) rng: SplitMix64,
}

impl Stepper {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        assert_eq!(config.check(), Ok(()));
        Self { breaker: Breaker::new(&config, SimTime::ZERO), now: SimTime::ZERO, rng: SplitMix64::new(1) }
    }

    /// Sets the clock.
    pub(crate) fn at(&mut self, span: Span) -> &mut Self {
        self.now = SimTime::ZERO + span;
        self
    }

    pub(crate) fn admit(&mut self) -> Option<Token> {
        match self.breaker.admit(self.now, &mut self.rng).0 {
            Admission::Pass(token) => Some(token),
            Admission::Reject => None,
        }
    }

    pub(crate) fn finish(&mut self, token: Token, outcome: Outcome) -> Option<Transition> {
        self.slow(token, outcome, Span::ZERO)
    }

    pub(crate) fn slow(&mut self, token: Token, outcome: Outcome, duration: Span) -> Option<Transition> {
        self.breaker.record(self.now, token, outcome, duration, &mut self.rng)
    }

    /// A call that is admitted and ends at once.
    pub(crate) fn call(&mut self, outcome: Outcome) -> Option<Transition> {
        let token = self.admit().expect("the breaker admits");
        self.finish(token, outcome)
    }

    pub(crate) fn calls(&mut self, times: u32, outcome: Outcome) {
        for _ in 0..times {
            self.call(outcome);
        }
    }

    pub(crate) fn wake(&mut self) -> Option<Transition> {
        self.breaker.on_wake(self.now, &mut self.rng)
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }
}

/// What a transition says, for short.
pub(crate) fn told(transition: Option<Transition>) -> Option<(State, State, Reason, bool)> {
    transition.map(|t| (t.from, t.to, t.why.reason, t.why.late))
}
