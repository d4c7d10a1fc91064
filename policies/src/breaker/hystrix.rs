//! The breaker of Hystrix (7c03baf, its last): health counts in slices, judged only where a slice ends, in whole per
//! cent; one probe. Any result that arrives while half-open decides, also a late one. Knows neither thread pools nor
//! semaphores.

use super::report::{Metrics, Reason, State, Transition, Why};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::window::{Counts, Slices};
use crate::{Outcome, Outcomes, SimTime, Span};

/// Configuration of [`Hystrix`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HystrixConfig {
    /// Calls in the rolling window before it is judged (`>=`). Default 20.
    pub request_volume_threshold: u32,
    /// Whole per cent of errors, the rest cut off, from which on (`>=`) the breaker trips. Default 50.
    pub error_threshold_percentage: u32,
    /// How long it rejects; over once more whole milliseconds have passed (`>`). Default 5 s.
    pub sleep_window: Span,
    /// How long a call counts. Default 10 s.
    pub rolling_window: Span,
    /// Width of a slice: how often the breaker judges, hence how late it may trip. Default 500 ms.
    pub health_snapshot: Span,
    /// Outcomes that are the caller's own fault: not counted, yet a probe that ends so re-opens. Default: client
    /// errors.
    pub bad_requests: Outcomes,
}

impl Default for HystrixConfig {
    fn default() -> Self {
        Self {
            request_volume_threshold: 20,
            error_threshold_percentage: 50,
            sleep_window: Span::from_secs(5),
            rolling_window: Span::from_secs(10),
            health_snapshot: Span::from_millis(500),
            bad_requests: Outcomes::CLIENT_ERROR,
        }
    }
}

impl HystrixConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let slice = self.health_snapshot;
        require(self.error_threshold_percentage <= 100, "error_threshold_percentage", "at most 100%")?;
        require(!slice.is_zero(), "health_snapshot", "at least 1ns")?;
        let whole = slice <= self.rolling_window && self.rolling_window.as_nanos().is_multiple_of(slice.as_nanos());
        require(whole, "rolling_window", "a multiple of the health snapshot")
    }

    fn slices(&self) -> u32 {
        (self.rolling_window.as_nanos() / self.health_snapshot.as_nanos().max(1)) as u32
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Hystrix {
    config: HystrixConfig,
    phase: Phase,
    era: u32,
    /// The rolling window's closed slices and the current one.
    health: Slices,
    not_permitted: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { since: SimTime },
    HalfOpen,
}

impl Hystrix {
    /// A closed breaker, whose slices begin at `now`.
    pub fn new(config: HystrixConfig, now: SimTime) -> Self {
        let health = Slices::new(config.slices() + 1, config.health_snapshot, now);
        Self { config, phase: Phase::Closed, era: 0, health, not_permitted: 0 }
    }

    /// Whether a call may go on. The first call after the sleep window is the probe.
    pub fn admit(&mut self, now: SimTime) -> (Admission, Option<Transition>) {
        let transition = self.on_wake(now);
        match self.phase {
            Phase::Closed => (Admission::Pass(Token::of(self.era)), transition),
            Phase::Open { since } if millis(now) > millis(since) + self.config.sleep_window.as_millis() => {
                let why = Reason::OpenFor(self.config.sleep_window).into();
                let transition = self.change(Phase::HalfOpen, why);
                (Admission::Pass(Token::probe(self.era)), Some(transition))
            }
            Phase::Open { .. } | Phase::HalfOpen => {
                self.not_permitted += 1;
                (Admission::Reject, transition)
            }
        }
    }

    /// Takes in the result of an admitted call.
    pub fn record(&mut self, now: SimTime, token: Token, outcome: Outcome) -> Option<Transition> {
        let transition = self.on_wake(now);
        let failed = !outcome.is_success();
        if let Phase::HalfOpen = self.phase {
            let reason = if failed { Reason::ProbeFailed } else { Reason::ProbesPassed(1) };
            let decision = self.decide(now, token, failed, reason);
            self.count(now, outcome);
            return Some(decision);
        }
        self.count(now, outcome);
        transition
    }

    /// A semaphore turned an admitted call away: that counts, and decides nothing. After a probe the breaker stays half-open
    /// until some other result arrives.
    pub fn turned_away(&mut self, now: SimTime) -> Option<Transition> {
        let transition = self.on_wake(now);
        self.count(now, Outcome::Rejected);
        transition
    }

    /// A probe that is given up re-opens; a probe that is merely released (turned away by a semaphore) marks nothing,
    /// and the breaker then stays half-open until some other result arrives.
    pub fn cancel(&mut self, now: SimTime, token: Token) -> Option<Transition> {
        let transition = self.on_wake(now);
        match self.phase {
            Phase::HalfOpen => Some(self.decide(now, token, true, Reason::ProbeCancelled)),
            _ => transition,
        }
    }

    /// The end of the current slice, while there is something to judge.
    pub fn next_wake(&self) -> Option<SimTime> {
        let judges = matches!(self.phase, Phase::Closed) && !self.health.is_empty();
        judges.then(|| self.health.next_slice())
    }

    /// Judges the closed slices, if a new slice has begun.
    pub fn on_wake(&mut self, now: SimTime) -> Option<Transition> {
        if !self.health.roll(now) || !matches!(self.phase, Phase::Closed) {
            return None;
        }
        let counts = self.health.closed();
        let (calls, rate) = (counts.calls, percent_failed(counts).unwrap_or(0));
        let threshold = self.config.error_threshold_percentage;
        let trips = calls >= self.config.request_volume_threshold && rate >= threshold;
        trips.then(|| {
            let reason = Reason::FailureRate { rate: rate as f32, threshold: threshold as f32, calls };
            self.change(Phase::Open { since: now }, reason.into())
        })
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen => State::HalfOpen,
        }
    }

    /// The figures of the rolling window, the current slice included.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        let counts = self.health.counts(now);
        let judged = counts.calls >= self.config.request_volume_threshold;
        Metrics {
            calls: counts.calls,
            failed: counts.failed,
            slow: 0,
            failure_rate: percent_failed(counts).filter(|_| judged).map(|percent| percent as f32),
            not_permitted: self.not_permitted,
        }
    }

    fn count(&mut self, now: SimTime, outcome: Outcome) {
        let counted = outcome != Outcome::BreakerOpen && !self.config.bad_requests.contains(outcome);
        if counted {
            self.health.push(now, Counts::one(!outcome.is_success(), false));
        }
    }

    fn decide(&mut self, now: SimTime, token: Token, failed: bool, reason: Reason) -> Transition {
        let why = Why { reason, late: token.era != self.era };
        if failed {
            return self.change(Phase::Open { since: now }, why);
        }
        self.health.restart(now);
        self.not_permitted = 0;
        self.change(Phase::Closed, why)
    }

    fn change(&mut self, phase: Phase, why: Why) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.era = self.era.wrapping_add(1);
        Transition { from, to: self.state(), why, replica: None }
    }
}

fn millis(time: SimTime) -> u64 {
    time.as_nanos() / 1_000_000
}

/// How many in a hundred calls have failed, rounded down; `None` if there were none.
fn percent_failed(counts: Counts) -> Option<u32> {
    (100 * u64::from(counts.failed)).checked_div(counts.calls.into()).map(|percent| percent as u32)
}

#[cfg(test)]
mod tests {
    use super::super::BreakerConfig;
    use super::super::stepper::{FAIL, MS, Stepper, told};
    use super::*;

    fn stepper(config: HystrixConfig) -> Stepper {
        Stepper::new(BreakerConfig::Hystrix(config))
    }

    /// Open since 500 ms.
    fn open() -> Stepper {
        let mut s = stepper(HystrixConfig::default());
        s.calls(20, FAIL);
        s.at(MS(500)).wake().unwrap();
        s
    }

    #[test]
    fn it_trips_where_a_slice_ends_and_not_before() {
        let mut s = stepper(HystrixConfig::default());
        s.calls(100, FAIL);
        assert_eq!(s.breaker.next_wake(), Some(SimTime::ZERO + MS(500)));
        assert_eq!(s.at(MS(499)).wake(), None);
        assert_eq!(s.state(), State::Closed);
        let reason = Reason::FailureRate { rate: 100.0, threshold: 50.0, calls: 100 };
        assert_eq!(told(s.at(MS(500)).wake()), Some((State::Closed, State::Open, reason, false)));
        assert_eq!(s.wake(), None);
    }

    #[test]
    fn a_call_at_the_boundary_meets_an_open_breaker_even_before_the_wake() {
        let mut s = stepper(HystrixConfig::default());
        s.calls(20, FAIL);
        s.at(MS(500));
        let (admission, transition) = s.breaker.admit(s.now, &mut s.rng);
        assert_eq!(admission, Admission::Reject);
        assert!(transition.is_some());
    }

    #[test]
    fn the_share_of_errors_is_cut_to_whole_per_cent_and_both_limits_are_reached_by_equality() {
        // 99 of 200 are 49.5 %, cut to 49.
        let table = [(99, 101, State::Closed), (100, 100, State::Open), (19, 0, State::Closed), (20, 0, State::Open)];
        for (failed, passed, state) in table {
            let mut s = stepper(HystrixConfig::default());
            s.calls(failed, FAIL);
            s.calls(passed, Outcome::Ok);
            s.at(MS(500)).wake();
            assert_eq!(s.state(), state, "{failed} of {}", failed + passed);
        }
    }

    #[test]
    fn the_window_is_the_last_twenty_closed_slices() {
        for (boundary, state) in [(10_000, State::Open), (10_500, State::Closed)] {
            let mut s = stepper(HystrixConfig::default());
            s.calls(19, FAIL);
            // The twentieth lies in the slice before the boundary; the others drop out 20 slices after theirs.
            s.at(MS(boundary - 1)).call(FAIL);
            s.at(MS(boundary)).wake();
            assert_eq!(s.state(), state, "{boundary}");
        }
    }

    #[test]
    fn rejections_count_and_bad_requests_do_not() {
        let mut s = stepper(HystrixConfig::default());
        s.calls(10, Outcome::Rejected);
        s.calls(10, Outcome::Error(404));
        s.calls(10, Outcome::Timeout);
        assert_eq!(s.breaker.metrics(s.now).calls, 20);
        s.at(MS(500)).wake();
        assert_eq!(s.state(), State::Open);
    }

    #[test]
    fn calls_that_an_open_breaker_turned_away_do_not_count() {
        let mut s = stepper(HystrixConfig::default());
        s.calls(20, Outcome::BreakerOpen);
        assert_eq!(s.breaker.metrics(s.now).calls, 0);
    }

    #[test]
    fn the_slices_begin_anew_where_the_breaker_closes() {
        let mut s = open();
        s.at(MS(6_130)).call(Outcome::Ok);
        assert_eq!((s.state(), s.breaker.next_wake()), (State::Closed, Some(SimTime::ZERO + MS(6_630))));
    }

    #[test]
    fn the_sleep_window_is_over_a_millisecond_after_its_end() {
        let mut s = open();
        assert!(s.at(MS(5_500)).admit().is_none());
        s.now = SimTime::from_nanos(MS(5_501).as_nanos() - 1);
        assert!(s.admit().is_none());
        assert!(s.at(MS(5_501)).admit().is_some());
        assert!(s.admit().is_none());
    }

    #[test]
    fn a_probe_that_succeeds_closes_and_clears_the_window() {
        let mut s = open();
        s.at(MS(6_000)).call(Outcome::Ok);
        assert_eq!(s.state(), State::Closed);
        // Only the probe itself is in the new window.
        assert_eq!(s.breaker.metrics(s.now).calls, 1);
        s.calls(19, FAIL);
        s.now += MS(500);
        assert!(s.wake().is_some());
    }

    #[test]
    fn any_error_of_the_probe_also_a_bad_request_reopens_and_sleeps_again() {
        for outcome in [FAIL, Outcome::Error(400), Outcome::Timeout, Outcome::Rejected] {
            let mut s = open();
            s.at(MS(6_000)).call(outcome);
            assert_eq!(s.state(), State::Open);
            assert!(s.at(MS(11_000)).admit().is_none());
            assert!(s.at(MS(11_001)).admit().is_some());
        }
    }

    #[test]
    fn a_cancelled_probe_reopens_and_one_turned_away_by_a_semaphore_leaves_it_half_open_for_good() {
        let mut s = open();
        let probe = s.at(MS(6_000)).admit().unwrap();
        let transition = s.breaker.cancel(s.now, probe, &mut s.rng);
        assert_eq!(told(transition), Some((State::HalfOpen, State::Open, Reason::ProbeCancelled, false)));

        let mut s = open();
        let probe = s.at(MS(6_000)).admit().unwrap();
        let before = s.breaker.metrics(s.now).calls;
        assert!(s.breaker.turned_away(s.now, probe, MS(0), &mut s.rng).is_none());
        assert_eq!((s.state(), s.breaker.next_wake()), (State::HalfOpen, None));
        assert_eq!(s.breaker.metrics(s.now).calls, before + 1, "it counts all the same");
        assert!(s.at(Span::from_secs(1_000_000)).admit().is_none());
    }

    #[test]
    fn a_late_success_closes_in_place_of_the_probe() {
        let mut s = stepper(HystrixConfig::default());
        let straggler = s.admit().unwrap();
        s.calls(20, FAIL);
        s.at(MS(500)).wake();
        s.at(MS(6_000)).admit().unwrap();
        let decided = told(s.finish(straggler, Outcome::Ok));
        assert_eq!(decided, Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(1), true)));
    }

    #[test]
    fn a_late_failure_reopens_a_half_open_breaker_and_sleeps_again() {
        let mut s = stepper(HystrixConfig::default());
        let straggler = s.admit().unwrap();
        s.calls(20, FAIL);
        s.at(MS(500)).wake();
        s.at(MS(6_000)).admit().unwrap();
        let decided = told(s.at(MS(7_000)).finish(straggler, FAIL));
        assert_eq!(decided, Some((State::HalfOpen, State::Open, Reason::ProbeFailed, true)));
        assert!(s.at(MS(12_000)).admit().is_none());
        assert!(s.at(MS(12_001)).admit().is_some());
    }

    #[test]
    fn a_quiet_breaker_wants_no_wake() {
        let mut s = stepper(HystrixConfig::default());
        assert_eq!(s.breaker.next_wake(), None);
        s.at(MS(1_200)).call(Outcome::Ok);
        assert_eq!(s.breaker.next_wake(), Some(SimTime::ZERO + MS(1_500)));
        s.at(MS(20_000)).wake();
        assert_eq!(s.breaker.next_wake(), None);
    }

    #[test]
    fn a_rate_is_right_however_many_calls_there_are() {
        let table = [(u32::MAX, u32::MAX, 100), (u32::MAX, u32::MAX / 2, 49), (50_000_000, 43_000_000, 86)];
        for (calls, failed, percent) in table {
            assert_eq!(percent_failed(Counts { calls, failed, slow: 0 }), Some(percent), "{failed} of {calls}");
        }
    }

    #[test]
    fn of_no_calls_there_is_no_rate_even_if_none_are_needed() {
        let mut s = stepper(HystrixConfig { request_volume_threshold: 0, ..HystrixConfig::default() });
        assert_eq!(s.breaker.metrics(s.now).failure_rate, None);
        s.call(FAIL);
        assert_eq!(s.breaker.metrics(s.now).failure_rate, Some(100.0));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = HystrixConfig::default();
        let table = [
            (HystrixConfig { error_threshold_percentage: 101, ..base }, "error_threshold_percentage"),
            (HystrixConfig { health_snapshot: Span::ZERO, ..base }, "health_snapshot"),
            (HystrixConfig { rolling_window: MS(10_001), ..base }, "rolling_window"),
            (HystrixConfig { rolling_window: MS(0), ..base }, "rolling_window"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
