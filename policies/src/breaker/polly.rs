//! The breaker of Polly v8 (173d6d1, August 2026): a failure ratio over a sampling time in up to ten slices, judged
//! only on failures; one probe; any result that arrives while half-open decides, also a late one. Knows no queue and no
//! clock.

use super::report::{Metrics, Reason, State, Transition, Why};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::window::Counts;
use crate::{Interval, Outcome, Outcomes, Random, SimTime, Span};

/// Configuration of [`Polly`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PollyConfig {
    /// Share of failures from which on (`>=`) the breaker trips. Default 0.1.
    pub failure_ratio: f64,
    /// Calls in the sampling time before the ratio is judged (`>=`). Default 100, at least 2.
    pub minimum_throughput: u32,
    /// How long a call counts. Default 30 s.
    pub sampling_duration: Span,
    /// How long the breaker stays open. Default 5 s.
    pub break_duration: Span,
    /// How long it stays open instead, by the number of open states in a row. Default: none.
    pub growing: Option<Interval>,
    /// Outcomes that are failures; all others are successes. Default: all that is no success.
    pub handled: Outcomes,
}

impl Default for PollyConfig {
    fn default() -> Self {
        Self {
            failure_ratio: 0.1,
            minimum_throughput: 100,
            sampling_duration: Span::from_secs(30),
            break_duration: Span::from_secs(5),
            growing: None,
            handled: Outcomes::FAILURE,
        }
    }
}

impl PollyConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        let span = |span| (Span::from_millis(500)..=Span::from_secs(86_400)).contains(&span);
        require((0.0..=1.0).contains(&self.failure_ratio), "failure_ratio", "from 0% to 100%")?;
        require(self.minimum_throughput >= 2, "minimum_throughput", "at least 2")?;
        require(span(self.sampling_duration), "sampling_duration", "from 500ms to 24h")?;
        require(span(self.break_duration), "break_duration", "from 500ms to 24h")?;
        self.growing.map_or(Ok(()), |interval| interval.check())
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Polly {
    config: PollyConfig,
    phase: Phase,
    era: u32,
    /// Probes that failed since the breaker was last closed.
    half_open_attempts: u32,
    window: Window,
    not_permitted: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { until: SimTime, wait: Span },
    HalfOpen,
}

impl Polly {
    /// A closed breaker.
    pub fn new(config: PollyConfig) -> Self {
        let window = Window::new(config.sampling_duration);
        Self { config, phase: Phase::Closed, era: 0, half_open_attempts: 0, window, not_permitted: 0 }
    }

    /// Whether a call may go on. The first call at the end of the break (`now >= until`) is the probe.
    pub fn admit(&mut self, now: SimTime) -> (Admission, Option<Transition>) {
        match self.phase {
            Phase::Closed => (Admission::Pass(Token::of(self.era)), None),
            Phase::Open { until, wait } if now >= until => {
                let transition = self.change(Phase::HalfOpen, Reason::OpenFor(wait).into());
                (Admission::Pass(Token::probe(self.era)), Some(transition))
            }
            Phase::Open { .. } | Phase::HalfOpen => {
                self.not_permitted += 1;
                (Admission::Reject, None)
            }
        }
    }

    /// Takes in the result of an admitted call.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        let failed = self.config.handled.contains(outcome);
        if let Phase::HalfOpen = self.phase {
            return Some(self.decide(now, token, failed, rng));
        }
        let counts = self.window.push(now, failed);
        let trips = failed
            && matches!(self.phase, Phase::Closed)
            && counts.calls >= self.config.minimum_throughput
            && f64::from(counts.failed) / f64::from(counts.calls) >= self.config.failure_ratio;
        trips.then(|| {
            let reason = Reason::FailureRate {
                rate: percent(counts),
                threshold: (self.config.failure_ratio * 100.0) as f32,
                calls: counts.calls,
            };
            self.open(now, reason.into(), rng)
        })
    }

    /// A call given up is no failure, hence a success.
    pub fn cancel(&mut self, now: SimTime, token: Token, rng: &mut impl Random) -> Option<Transition> {
        self.record(now, token, Outcome::Ok, rng)
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen => State::HalfOpen,
        }
    }

    /// The figures of the sampling time.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        let counts = self.window.counts(now);
        Metrics {
            calls: counts.calls,
            failed: counts.failed,
            slow: 0,
            failure_rate: (counts.calls >= self.config.minimum_throughput).then(|| percent(counts)),
            not_permitted: self.not_permitted,
        }
    }

    fn decide(&mut self, now: SimTime, token: Token, failed: bool, rng: &mut impl Random) -> Transition {
        let late = token.era != self.era;
        if failed {
            self.half_open_attempts += 1;
            return self.open(now, Why { reason: Reason::ProbeFailed, late }, rng);
        }
        self.window.clear();
        self.half_open_attempts = 0;
        self.not_permitted = 0;
        self.change(Phase::Closed, Why { reason: Reason::ProbesPassed(1), late })
    }

    fn open(&mut self, now: SimTime, why: Why, rng: &mut impl Random) -> Transition {
        let wait = match self.config.growing {
            Some(interval) => interval.wait(self.half_open_attempts + 1, rng),
            None => self.config.break_duration,
        };
        self.change(Phase::Open { until: now + wait, wait }, why)
    }

    fn change(&mut self, phase: Phase, why: Why) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.era = self.era.wrapping_add(1);
        Transition { from, to: self.state(), why, replica: None }
    }
}

fn percent(counts: Counts) -> f32 {
    counts.failed as f32 * 100.0 / counts.calls as f32
}

/// Ten slices fit the sampling time; one more may be in it where its tenth part is not whole.
const SLICES: usize = 11;

/// Slices that begin with the first call after the slice before has had its time, on no grid.
#[derive(Clone, Debug)]
struct Window {
    width: Span,
    sampling: Span,
    slices: [(SimTime, Counts); SLICES],
    oldest: usize,
    len: usize,
}

impl Window {
    fn new(sampling: Span) -> Self {
        let width = Span::from_nanos(sampling.as_nanos() / 10);
        Self { width, sampling, slices: [(SimTime::ZERO, Counts::default()); SLICES], oldest: 0, len: 0 }
    }

    fn push(&mut self, now: SimTime, failed: bool) -> Counts {
        while self.len > 0 && now - self.slices[self.oldest].0 >= self.sampling {
            self.oldest = (self.oldest + 1) % SLICES;
            self.len -= 1;
        }
        let fresh = self.len == 0 || now - self.slices[self.newest()].0 >= self.width;
        if fresh {
            self.len += 1;
            let newest = self.newest();
            self.slices[newest] = (now, Counts::default());
        }
        let newest = self.newest();
        self.slices[newest].1.add(Counts::one(failed, false));
        self.counts(now)
    }

    fn counts(&self, now: SimTime) -> Counts {
        let mut counts = Counts::default();
        for offset in 0..self.len {
            let (start, slice) = self.slices[(self.oldest + offset) % SLICES];
            if now - start < self.sampling {
                counts.add(slice);
            }
        }
        counts
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn newest(&self) -> usize {
        (self.oldest + self.len - 1) % SLICES
    }
}

#[cfg(test)]
mod tests {
    use super::super::BreakerConfig;
    use super::super::stepper::{FAIL, MS, Stepper, told};
    use super::*;

    fn config() -> PollyConfig {
        PollyConfig { failure_ratio: 0.5, minimum_throughput: 4, ..PollyConfig::default() }
    }

    fn stepper(config: PollyConfig) -> Stepper {
        Stepper::new(BreakerConfig::Polly(config))
    }

    fn open() -> Stepper {
        let mut s = stepper(config());
        s.calls(4, FAIL);
        assert_eq!(s.state(), State::Open);
        s
    }

    #[test]
    fn a_ratio_and_a_throughput_that_equal_their_limits_trip() {
        let table = [(0.5, 4, State::Open), (0.500_000_1, 4, State::Closed), (0.5, 5, State::Closed)];
        for (failure_ratio, minimum_throughput, state) in table {
            let mut s = stepper(PollyConfig { failure_ratio, minimum_throughput, ..config() });
            s.calls(2, Outcome::Ok);
            s.calls(2, FAIL);
            assert_eq!(s.state(), state, "{failure_ratio} {minimum_throughput}");
        }
    }

    #[test]
    fn a_success_never_trips() {
        let mut s = stepper(config());
        s.calls(3, FAIL);
        assert_eq!(s.call(Outcome::Ok), None);
        let reason = Reason::FailureRate { rate: 80.0, threshold: 50.0, calls: 5 };
        assert_eq!(told(s.call(FAIL)), Some((State::Closed, State::Open, reason, false)));
    }

    #[test]
    fn the_break_is_over_at_its_very_end() {
        let mut s = open();
        s.now = SimTime::from_nanos(MS(5_000).as_nanos() - 1);
        assert!(s.admit().is_none());
        assert!(s.at(MS(5_000)).admit().is_some());
    }

    #[test]
    fn one_probe_passes_and_a_hanging_one_blocks_for_ever() {
        let mut s = open();
        s.at(MS(5_000)).admit().unwrap();
        assert!(s.at(Span::from_secs(1_000_000)).admit().is_none());
        assert_eq!(s.breaker.next_wake(), None);
    }

    #[test]
    fn a_late_failure_opens_and_a_late_success_closes_a_half_open_breaker() {
        for (outcome, state) in [(FAIL, State::Open), (Outcome::Ok, State::Closed)] {
            let mut s = stepper(config());
            let straggler = s.admit().unwrap();
            s.calls(4, FAIL);
            s.at(MS(5_000)).admit().unwrap();
            let (from, to, _, late) = told(s.finish(straggler, outcome)).unwrap();
            assert_eq!((from, to, late), (State::HalfOpen, state, true));
        }
    }

    #[test]
    fn failures_while_open_are_counted_and_closing_clears_the_window() {
        let mut s = stepper(config());
        let straggler = s.admit().unwrap();
        s.calls(4, FAIL);
        assert_eq!(s.breaker.metrics(s.now).failure_rate, Some(100.0), "four are enough to judge");
        s.finish(straggler, FAIL);
        assert_eq!(s.breaker.metrics(s.now).failed, 5);
        s.at(MS(5_000)).call(Outcome::Ok);
        assert_eq!((s.state(), s.breaker.metrics(s.now).calls), (State::Closed, 0));
    }

    #[test]
    fn a_probe_that_fails_opens_anew_keeps_the_window_and_is_not_counted_in_it() {
        let mut s = open();
        s.at(MS(5_000)).call(FAIL);
        assert_eq!((s.state(), s.breaker.metrics(s.now).calls), (State::Open, 4));
        assert!(s.at(MS(9_999)).admit().is_none());
        assert!(s.at(MS(10_000)).admit().is_some());
    }

    #[test]
    fn what_is_not_handled_counts_as_a_success_and_so_does_a_cancelled_probe() {
        let mut s = stepper(PollyConfig { handled: Outcomes::TIMEOUT, ..config() });
        s.calls(8, FAIL);
        assert_eq!(s.state(), State::Closed);
        let mut s = open();
        let probe = s.at(MS(5_000)).admit().unwrap();
        let transition = s.breaker.cancel(s.now, probe, &mut s.rng);
        assert_eq!(told(transition), Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(1), false)));
    }

    #[test]
    fn a_slice_begins_with_a_call_and_drops_out_at_the_age_of_the_sampling_time() {
        let mut window = Window::new(MS(1_000));
        let at = |ms| SimTime::ZERO + MS(ms);
        // The slices begin at 50 and 150 ms; 149 is still in the first, though it is past the first 100 ms of the
        // clock.
        for ms in [50, 149, 150] {
            window.push(at(ms), true);
        }
        assert_eq!(window.len, 2);
        let just_before = SimTime::from_nanos(at(1_050).as_nanos() - 1);
        assert_eq!(window.counts(just_before).calls, 3);
        assert_eq!(window.counts(at(1_050)).calls, 1);
        assert_eq!(window.push(at(1_050), true).calls, 2);
        assert_eq!(Window::new(MS(1_000)).push(at(60_000), true).calls, 1, "the first call comes as late as it likes");
    }

    #[test]
    fn a_steady_load_never_needs_more_slices_than_there_are() {
        let sampling = Span::from_nanos(1_000_000_009);
        let mut window = Window::new(sampling);
        for step in 0..100_000u64 {
            let counts = window.push(SimTime::from_nanos(step * 7_777_777), false);
            assert!(window.len <= SLICES && counts.calls <= 129);
        }
    }

    #[test]
    fn the_break_grows_with_failed_probes_and_starts_again_once_closed() {
        let growing = Some(Interval::Exponential { initial: MS(1_000), multiplier: 2.0, max: MS(60_000) });
        let mut s = stepper(PollyConfig { growing, ..config() });
        s.calls(4, FAIL);
        for wait in [1_000, 2_000, 4_000] {
            s.now += MS(wait - 1);
            assert!(s.admit().is_none(), "{wait}");
            s.now += MS(1);
            s.call(FAIL);
        }
        s.now += MS(8_000);
        s.call(Outcome::Ok);
        s.calls(4, FAIL);
        s.now += MS(1_000);
        assert!(s.admit().is_some());
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = PollyConfig::default();
        let table = [
            (PollyConfig { failure_ratio: 1.01, ..base }, "failure_ratio"),
            (PollyConfig { minimum_throughput: 1, ..base }, "minimum_throughput"),
            (PollyConfig { sampling_duration: MS(499), ..base }, "sampling_duration"),
            (PollyConfig { break_duration: Span::from_secs(86_401), ..base }, "break_duration"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
        let edges = PollyConfig { failure_ratio: 0.0, minimum_throughput: 2, sampling_duration: MS(500), ..base };
        assert_eq!(edges.check(), Ok(()));
    }
}
