//! Hedging: sending an attempt again while the first is still out, and taking the answer that comes first. The caller
//! keeps the timers and cancels what lost.

use crate::check::{Invalid, require};
use crate::{Outcome, Outcomes, SimTime, Span};

/// Configuration of hedging; the default is Polly's (v8, 173d6d1): one more attempt after 2 s, or at once after a
/// failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeConfig {
    /// When the next attempt is sent while none has answered. Default: after 2 s.
    pub after: HedgeAfter,
    /// Attempts besides the first. Default 1, at most 10.
    pub attempts: u32,
    /// Outcomes that make the next attempt go at once; others are final. Default: all that is no success.
    pub non_fatal: Outcomes,
}

/// When the next attempt is sent while none has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// This long after the one before; at once if it is nothing.
    Span(Span),
    /// Never: only failures make the next one go (a negative delay in Polly).
    Failure,
}

/// What the end of an attempt means for its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeStep {
    /// The call ends with this outcome; attempts still out are cancelled.
    Finish,
    /// Another attempt is sent at once.
    Launch,
    /// Attempts are still out.
    Wait,
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self { after: HedgeAfter::Span(Span::from_secs(2)), attempts: 1, non_fatal: Outcomes::FAILURE }
    }
}

impl HedgeConfig {
    /// A gRPC hedging policy (A6): at most 5 attempts in all, whatever is asked for; of the failures only `non_fatal`
    /// ones make the next go.
    pub fn grpc(max_attempts: u32, delay: Span, non_fatal: Outcomes) -> Self {
        Self { after: HedgeAfter::Span(delay), attempts: max_attempts.clamp(1, 5) - 1, non_fatal }
    }

    /// Envoy's `hedge_on_per_try_timeout`: a try that takes longer than its time-out is kept, and one of the retries is
    /// sent.
    pub fn envoy(per_try_timeout: Span, num_retries: u32) -> Self {
        Self { after: HedgeAfter::Span(per_try_timeout), attempts: num_retries, non_fatal: Outcomes::FAILURE }
    }

    /// Whether the values are in the ranges that Polly accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require((1..=10).contains(&self.attempts), "attempts", "from 1 to 10")
    }

    /// When the next attempt goes, if `sent` have been sent, the last at `last`, and none has answered by then.
    pub fn next_at(&self, sent: u32, last: SimTime) -> Option<SimTime> {
        match self.after {
            HedgeAfter::Span(delay) if sent <= self.attempts => Some(last + delay),
            _ => None,
        }
    }

    /// What follows from the end of one of `sent` attempts, of which `out` others are still out.
    pub fn on_end(&self, outcome: Outcome, sent: u32, out: u32) -> HedgeStep {
        if !self.non_fatal.contains(outcome) {
            HedgeStep::Finish
        } else if sent <= self.attempts {
            HedgeStep::Launch
        } else if out > 0 {
            HedgeStep::Wait
        } else {
            HedgeStep::Finish
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn the_next_attempt_goes_a_delay_after_the_last_until_all_are_sent() {
        let config = HedgeConfig { attempts: 2, ..HedgeConfig::default() };
        assert_eq!(config.next_at(1, at(100)), Some(at(2_100)));
        assert_eq!(config.next_at(2, at(2_100)), Some(at(4_100)));
        assert_eq!(config.next_at(3, at(4_100)), None);
    }

    #[test]
    fn no_delay_sends_all_at_once_and_a_negative_one_waits_for_failures() {
        let at_once = HedgeConfig { after: HedgeAfter::Span(Span::ZERO), ..HedgeConfig::default() };
        assert_eq!(at_once.next_at(1, at(100)), Some(at(100)));
        let on_failure = HedgeConfig { after: HedgeAfter::Failure, ..HedgeConfig::default() };
        assert_eq!(on_failure.next_at(1, at(100)), None);
        assert_eq!(on_failure.on_end(Outcome::Timeout, 1, 0), HedgeStep::Launch);
    }

    #[test]
    fn the_end_of_an_attempt_finishes_launches_or_waits() {
        let config = HedgeConfig::grpc(3, Span::from_millis(10), Outcomes::REFUSED);
        let table = [
            (Outcome::Ok, 1, 0, HedgeStep::Finish),
            (Outcome::Ok, 3, 2, HedgeStep::Finish),
            (Outcome::Refused, 1, 0, HedgeStep::Launch),
            (Outcome::Refused, 2, 1, HedgeStep::Launch),
            (Outcome::Refused, 3, 1, HedgeStep::Wait),
            (Outcome::Refused, 3, 0, HedgeStep::Finish),
            (Outcome::Error(500), 1, 0, HedgeStep::Finish),
            (Outcome::Error(500), 2, 1, HedgeStep::Finish),
        ];
        for (outcome, sent, out, step) in table {
            assert_eq!(config.on_end(outcome, sent, out), step, "{outcome:?}, {sent} sent, {out} out");
        }
    }

    #[test]
    fn grpc_cuts_attempts_to_five_and_envoy_hedges_after_the_time_out_of_a_try() {
        assert_eq!(HedgeConfig::grpc(9, Span::ZERO, Outcomes::NONE).attempts, 4);
        let envoy = HedgeConfig::envoy(Span::from_millis(500), 2);
        assert_eq!(envoy.next_at(1, at(0)), Some(at(500)));
    }

    #[test]
    fn values_out_of_range_are_named() {
        for attempts in [0, 11] {
            let config = HedgeConfig { attempts, ..HedgeConfig::default() };
            assert_eq!(config.check().unwrap_err().field, "attempts");
        }
    }
}
