//! Circuit breakers: one face for every kind, told the time, the results and nothing else. One kind a file; this one
//! only hands on.
//!
//! A call is admitted, runs, and is recorded with the token it was admitted with. Each of these may change the state and
//! then says so. Between them the breaker may want to be woken: ask [`Breaker::next_wake`] after every call, and at that
//! time call [`Breaker::on_wake`] until it has nothing more to tell. Waking it early, or twice, is harmless.

mod report;
mod resilience4j;
#[cfg(test)]
mod stepper;
mod window;

pub use report::{Metrics, Reason, State, Transition, Why};
pub use resilience4j::{Resilience4j, Resilience4jConfig, Window};

use crate::check::Invalid;
use crate::{Outcome, Random, SimTime, Span};

/// Which breaker, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BreakerConfig {
    /// resilience4j's `CircuitBreaker`.
    Resilience4j(Resilience4jConfig),
}

impl BreakerConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Resilience4j(config) => config.check(),
        }
    }
}

/// A breaker of any kind.
#[derive(Clone, Debug)]
pub enum Breaker {
    /// resilience4j's `CircuitBreaker`.
    Resilience4j(Resilience4j),
}

/// The answer to a call that wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may; its result is to be recorded with this token.
    Pass(Token),
    /// It may not.
    Reject,
}

/// What an admitted call carries until its result: the era it was admitted in, whether as a probe, and the replica it
/// went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    era: u32,
    replica: u32,
    probe: bool,
}

impl Token {
    const fn of(era: u32) -> Self {
        Self { era, replica: u32::MAX, probe: false }
    }

    const fn probe(era: u32) -> Self {
        Self { era, replica: u32::MAX, probe: true }
    }

    /// Whether the call was admitted to see if the callee is back.
    pub const fn is_probe(self) -> bool {
        self.probe
    }
}

impl Breaker {
    /// A closed breaker, made at `now`.
    pub fn new(config: &BreakerConfig, _now: SimTime) -> Self {
        match *config {
            BreakerConfig::Resilience4j(config) => Self::Resilience4j(Resilience4j::new(config)),
        }
    }

    /// Whether a call may go on, and the change of state that its asking brought about.
    pub fn admit(&mut self, now: SimTime, _rng: &mut impl Random) -> (Admission, Option<Transition>) {
        match self {
            Self::Resilience4j(breaker) => breaker.admit(now),
        }
    }

    /// Takes in the result of an admitted call: how it ended and how long it took.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        duration: Span,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        match self {
            Self::Resilience4j(breaker) => breaker.record(now, token, outcome, duration, rng),
        }
    }

    /// Takes back the token of a call that never ran.
    pub fn release(&mut self, token: Token) {
        match self {
            Self::Resilience4j(breaker) => breaker.release(token),
        }
    }

    /// When the breaker wants to be woken; may change with every call.
    #[must_use]
    pub fn next_wake(&self) -> Option<SimTime> {
        match self {
            Self::Resilience4j(breaker) => breaker.next_wake(),
        }
    }

    /// What time alone has changed. Call it until it answers `None`.
    pub fn on_wake(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        match self {
            Self::Resilience4j(breaker) => breaker.on_wake(now, rng),
        }
    }

    /// Takes note that the caller of an admitted call gave it up, so that no result will come.
    pub fn cancel(&mut self, _now: SimTime, token: Token) -> Option<Transition> {
        match self {
            Self::Resilience4j(breaker) => {
                breaker.release(token);
                None
            }
        }
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        match self {
            Self::Resilience4j(breaker) => breaker.state(),
        }
    }

    /// Its figures.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        match self {
            Self::Resilience4j(breaker) => breaker.metrics(now),
        }
    }
}
