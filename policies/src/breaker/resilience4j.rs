//! The breaker of resilience4j (master af9e7c9, May 2026, after 2.4.0): a window of calls or of whole seconds, failure
//! and slow-call rates in single precision, a counted number of probes. Results carry no era there: a late result
//! counts as a probe's, and the transition's reason says so. Knows no queue and no clock.

use super::report::{Metrics, Reason, State, Transition, Why};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::window::{Class, Counts, LastCalls, Slices, classify};
use crate::{Interval, Outcome, Outcomes, Random, SimTime, Span};

/// What the breaker looks back upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls.
    Calls(u32),
    /// The current second of the clock and those before it, so many in all.
    Seconds(u32),
}

/// Configuration of [`Resilience4j`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resilience4jConfig {
    /// The window while closed. Default: 100 calls.
    pub window: Window,
    /// Calls before the rates are judged. Default 100. A call window cuts it to its size, half-open to its probes; a
    /// time window does not: a `minimum_calls` the load never reaches means a breaker that never opens.
    pub minimum_calls: u32,
    /// Failure rate in per cent from which on (`>=`) the breaker trips. Default 50.
    pub failure_rate: f32,
    /// Slow-call rate in per cent from which on (`>=`) the breaker trips. Default 100.
    pub slow_rate: f32,
    /// A call that took longer (`>`) is slow. Default 60 s.
    pub slow_after: Span,
    /// How long it stays open, by the number of open states in a row; whole milliseconds. Default: always 60 s.
    pub open_for: Interval,
    /// Probes admitted in a half-open state, and the size of its window. Default 10.
    pub half_open_calls: u32,
    /// Whether open ends on its own at the end of the wait, instead of with the first call after it. Default: no.
    pub auto_half_open: bool,
    /// How long half-open may last; under 1 ms for ever: probes that never return then reject calls for ever. Default
    /// 0.
    pub half_open_limit: Span,
    /// Whether that limit leads to closed instead of open. Default: no.
    pub close_after_half_open_limit: bool,
    /// The state it begins in; see [`super::Breaker::begin`]. Default: closed.
    pub initial: State,
    /// What the clock said at time zero. Time windows are aligned to its seconds. Default 0.
    pub clock_start: Span,
    /// Outcomes that are failures; others, unless ignored, are successes. Default: all that is no success.
    pub failures: Outcomes,
    /// Outcomes that only give back their permit. Looked at before `failures`. Default: none.
    pub ignored: Outcomes,
}

impl Default for Resilience4jConfig {
    fn default() -> Self {
        Self {
            window: Window::Calls(100),
            minimum_calls: 100,
            failure_rate: 50.0,
            slow_rate: 100.0,
            slow_after: Span::from_secs(60),
            open_for: Interval::Fixed(Span::from_secs(60)),
            half_open_calls: 10,
            auto_half_open: false,
            half_open_limit: Span::ZERO,
            close_after_half_open_limit: false,
            initial: State::Closed,
            clock_start: Span::ZERO,
            failures: Outcomes::FAILURE,
            ignored: Outcomes::NONE,
        }
    }
}

impl Resilience4jConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        let (Window::Calls(size) | Window::Seconds(size)) = self.window;
        let percent = |rate: f32| rate > 0.0 && rate <= 100.0;
        require(size >= 1, "window", "at least 1")?;
        require(self.minimum_calls >= 1, "minimum_calls", "at least 1")?;
        require(percent(self.failure_rate), "failure_rate", "more than 0% and at most 100%")?;
        require(percent(self.slow_rate), "slow_rate", "more than 0% and at most 100%")?;
        require(!self.slow_after.is_zero(), "slow_after", "at least 1ns")?;
        require(self.half_open_calls >= 1, "half_open_calls", "at least 1")?;
        self.open_for.check().map_err(|invalid| Invalid { field: "open_for", ..invalid })
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Resilience4j {
    config: Resilience4jConfig,
    phase: Phase,
    /// Changes with every state: what tells a late result from a probe's.
    era: u32,
    /// Open states since the breaker was last closed.
    openings: u32,
    closed: ClosedWindow,
    probes: LastCalls,
    /// Whether the figures shown are the probes': in half-open, and in the open state that follows.
    probing: bool,
    not_permitted: u64,
}

#[derive(Clone, Debug)]
enum ClosedWindow {
    Calls(LastCalls),
    Seconds(Slices),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: SimTime, wait: Span },
    HalfOpen { permits: u32, limit: SimTime },
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

impl Resilience4j {
    /// A closed breaker.
    pub fn new(config: Resilience4jConfig) -> Self {
        let closed = match config.window {
            Window::Calls(size) => ClosedWindow::Calls(LastCalls::new(size)),
            Window::Seconds(size) => ClosedWindow::Seconds(Slices::new(size, Span::from_secs(1), SimTime::ZERO)),
        };
        let probes = LastCalls::new(config.half_open_calls);
        Self { config, phase: Phase::Closed, era: 0, openings: 0, closed, probes, probing: false, not_permitted: 0 }
    }

    /// Whether a call may go on. The first call after the open wait (`now > until`) makes the breaker half-open.
    pub fn admit(&mut self, now: SimTime) -> (Admission, Option<Transition>) {
        match &mut self.phase {
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly => (Admission::Pass(Token::of(self.era)), None),
            Phase::Open { until, wait } if now > *until => {
                let why = Reason::OpenFor(*wait).into();
                let transition = self.enter_half_open(now, why);
                (self.admit(now).0, Some(transition))
            }
            Phase::HalfOpen { permits, .. } if *permits > 0 => {
                *permits -= 1;
                (Admission::Pass(Token::probe(self.era)), None)
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::ForcedOpen => {
                self.not_permitted += 1;
                (Admission::Reject, None)
            }
        }
    }

    /// Takes in the result of an admitted call that took `duration`. Open keeps counting without judging.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        duration: Span,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        let failed = match classify(outcome, self.config.failures, self.config.ignored) {
            Class::Success => false,
            Class::Failure => true,
            Class::Ignored => {
                self.release(token);
                return None;
            }
        };
        if matches!(self.phase, Phase::Disabled | Phase::ForcedOpen) {
            return None;
        }
        let counts = self.push(now, Counts::one(failed, duration > self.config.slow_after));
        let probing = match self.phase {
            Phase::Closed => false,
            Phase::HalfOpen { .. } => true,
            _ => return None,
        };
        let late = probing && token.era != self.era;
        match self.judge(counts) {
            Verdict::Trips(reason) => Some(self.enter_open(now, Why { reason, late }, rng)),
            Verdict::Below if probing => {
                Some(self.enter_closed(Why { reason: Reason::ProbesPassed(counts.calls), late }))
            }
            Verdict::TooFew | Verdict::Below => None,
        }
    }

    /// Gives back the permit of a call that never ran. Half-open takes it from any call, also from one admitted before:
    /// permits may so exceed the configured number, as in the original.
    pub fn release(&mut self, _token: Token) {
        if let Phase::HalfOpen { permits, .. } = &mut self.phase {
            *permits += 1;
        }
    }

    /// When [`Self::on_wake`] has something to do; asked again after every other call.
    pub fn next_wake(&self) -> Option<SimTime> {
        match self.phase {
            Phase::Open { until, .. } if self.config.auto_half_open => Some(until),
            Phase::HalfOpen { limit, .. } if limit != SimTime::NEVER => Some(limit),
            _ => None,
        }
    }

    /// Ends the open wait or the half-open limit, if it is over; harmless when it is not.
    pub fn on_wake(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        if self.next_wake().is_none_or(|wake| now < wake) {
            return None;
        }
        if let Phase::Open { wait, .. } = self.phase {
            return Some(self.enter_half_open(now, Reason::OpenFor(wait).into()));
        }
        let why = Reason::HalfOpenLimit(self.config.half_open_limit).into();
        let closes = self.config.close_after_half_open_limit;
        Some(if closes { self.enter_closed(why) } else { self.enter_open(now, why, rng) })
    }

    /// Enters the configured initial state.
    pub fn begin(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        self.enter(now, self.config.initial, Reason::Initial.into(), rng)
    }

    /// Puts the breaker into `state`, as an operator would; nothing if it is there already.
    pub fn force(&mut self, now: SimTime, state: State, rng: &mut impl Random) -> Option<Transition> {
        self.enter(now, state, Reason::Asked.into(), rng)
    }

    fn enter(&mut self, now: SimTime, state: State, why: Why, rng: &mut impl Random) -> Option<Transition> {
        if state == self.state() {
            return None;
        }
        Some(match state {
            State::Closed => self.enter_closed(why),
            State::Open => self.enter_open(now, why, rng),
            State::HalfOpen => self.enter_half_open(now, why),
            State::ForcedOpen => self.enter_watched(Phase::ForcedOpen, why),
            State::Disabled => self.enter_watched(Phase::Disabled, why),
            State::MetricsOnly => self.enter_watched(Phase::MetricsOnly, why),
        })
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    /// The figures of the window that is in use, or, while open, of the one that tripped it.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        let counts = match &self.closed {
            _ if self.probing => self.probes.counts(),
            ClosedWindow::Calls(window) => window.counts(),
            ClosedWindow::Seconds(window) => window.counts(self.clock(now)),
        };
        Metrics {
            calls: counts.calls,
            failed: counts.failed,
            slow: counts.slow,
            failure_rate: (counts.calls >= self.minimum()).then(|| percent(counts.failed, counts.calls)),
            not_permitted: self.not_permitted,
        }
    }

    fn push(&mut self, now: SimTime, call: Counts) -> Counts {
        let clock = self.clock(now);
        match &mut self.closed {
            ClosedWindow::Seconds(window) if !self.probing => window.push(clock, call),
            ClosedWindow::Calls(window) if !self.probing => {
                window.push(call);
                window.counts()
            }
            _ => {
                self.probes.push(call);
                self.probes.counts()
            }
        }
    }

    fn judge(&self, counts: Counts) -> Verdict {
        let Counts { calls, failed, slow } = counts;
        if calls < self.minimum() {
            return Verdict::TooFew;
        }
        // Thresholds are above zero, so a spotless window spares the divisions.
        if failed == 0 && slow == 0 {
            return Verdict::Below;
        }
        let (failure, slowness) = (percent(failed, calls), percent(slow, calls));
        if failure >= self.config.failure_rate {
            Verdict::Trips(Reason::FailureRate { rate: failure, threshold: self.config.failure_rate, calls })
        } else if slowness >= self.config.slow_rate {
            Verdict::Trips(Reason::SlowRate { rate: slowness, threshold: self.config.slow_rate, calls })
        } else {
            Verdict::Below
        }
    }

    fn minimum(&self) -> u32 {
        let minimum = self.config.minimum_calls;
        match self.config.window {
            _ if self.probing => minimum.min(self.config.half_open_calls),
            Window::Calls(size) => minimum.min(size),
            Window::Seconds(_) => minimum,
        }
    }

    fn clock(&self, now: SimTime) -> SimTime {
        now + self.config.clock_start
    }

    fn enter_closed(&mut self, why: Why) -> Transition {
        self.openings = 0;
        self.enter_watched(Phase::Closed, why)
    }

    /// Open keeps the window that tripped it.
    fn enter_open(&mut self, now: SimTime, why: Why, rng: &mut impl Random) -> Transition {
        self.openings += 1;
        let wait = self.config.open_for.wait(self.openings, rng);
        self.change(Phase::Open { until: now + wait, wait }, why)
    }

    fn enter_half_open(&mut self, now: SimTime, why: Why) -> Transition {
        self.probes.clear();
        self.probing = true;
        self.not_permitted = 0;
        let limited = self.config.half_open_limit >= Span::from_millis(1);
        let limit = if limited { now + self.config.half_open_limit } else { SimTime::NEVER };
        self.change(Phase::HalfOpen { permits: self.config.half_open_calls, limit }, why)
    }

    /// Enters a state with a fresh window of the configured kind.
    fn enter_watched(&mut self, phase: Phase, why: Why) -> Transition {
        match &mut self.closed {
            ClosedWindow::Calls(window) => window.clear(),
            ClosedWindow::Seconds(window) => window.clear(),
        }
        self.probing = false;
        self.not_permitted = 0;
        self.change(phase, why)
    }

    fn change(&mut self, phase: Phase, why: Why) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.era = self.era.wrapping_add(1);
        Transition { from, to: self.state(), why, replica: None }
    }
}

enum Verdict {
    TooFew,
    Below,
    Trips(Reason),
}

/// In single precision, as the original computes it; nothing of nothing is nothing.
fn percent(part: u32, whole: u32) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 * 100.0 / whole as f32 }
}

#[cfg(test)]
mod tests {
    use super::super::BreakerConfig;
    use super::super::stepper::{FAIL, MS, Stepper, told};
    use super::*;

    /// Ten calls, judged from four on at 50 %, open for 1 s, two probes.
    fn config() -> Resilience4jConfig {
        Resilience4jConfig {
            window: Window::Calls(10),
            minimum_calls: 4,
            slow_after: MS(100),
            open_for: Interval::Fixed(MS(1_000)),
            half_open_calls: 2,
            ..Resilience4jConfig::default()
        }
    }

    fn stepper(config: Resilience4jConfig) -> Stepper {
        Stepper::new(BreakerConfig::Resilience4j(config))
    }

    #[test]
    fn rates_have_the_digits_of_a_float_of_32_bits() {
        // 5 of 7 are 71.428574 then, which is the threshold; of 64 bits they would be less.
        let config = Resilience4jConfig {
            window: Window::Calls(7),
            minimum_calls: 7,
            failure_rate: 71.428_57_f32,
            ..Resilience4jConfig::default()
        };
        let mut s = stepper(config);
        s.calls(2, Outcome::Ok);
        s.calls(5, FAIL);
        assert_eq!(s.state(), State::Open);
    }

    /// Open since time 0, until 1 s.
    fn open(config: Resilience4jConfig) -> Stepper {
        let mut s = stepper(config);
        s.calls(config.minimum_calls, FAIL);
        assert_eq!(s.state(), State::Open);
        s
    }

    /// Half-open at 1 s and 1 ns, with the first probe admitted.
    fn half_open(config: Resilience4jConfig) -> (Stepper, Token) {
        let mut s = open(config);
        let probe = s.at(MS(1_000) + Span::from_nanos(1)).admit().unwrap();
        assert_eq!(s.state(), State::HalfOpen);
        (s, probe)
    }

    #[test]
    fn a_rate_that_equals_its_threshold_trips() {
        let table = [(50.0, State::Open), (50.000_004, State::Closed), (100.0, State::Closed)];
        for (failure_rate, state) in table {
            let mut s = stepper(Resilience4jConfig { failure_rate, ..config() });
            s.calls(2, FAIL);
            s.calls(2, Outcome::Ok);
            assert_eq!(s.state(), state, "{failure_rate}");
        }
    }

    #[test]
    fn a_success_may_trip_the_breaker_because_every_result_is_judged() {
        let mut s = stepper(config());
        s.calls(3, FAIL);
        let transition = s.call(Outcome::Ok);
        let reason = Reason::FailureRate { rate: 75.0, threshold: 50.0, calls: 4 };
        assert_eq!(told(transition), Some((State::Closed, State::Open, reason, false)));
    }

    #[test]
    fn a_call_is_slow_only_if_it_took_longer_than_the_limit() {
        let table = [(MS(100), 0, State::Closed), (MS(100) + Span::from_nanos(1), 4, State::Open)];
        for (duration, slow, state) in table {
            let mut s = stepper(config());
            for _ in 0..4 {
                let token = s.admit().unwrap();
                s.slow(token, Outcome::Ok, duration);
            }
            assert_eq!((s.breaker.metrics(s.now).slow, s.state()), (slow, state), "{duration}");
        }
    }

    #[test]
    fn a_slow_rate_that_equals_its_threshold_trips_and_a_slow_failure_adds_to_both_rates() {
        // Of four calls: so many slow successes and so many slow failures; thresholds of failures and of slowness.
        let table = [
            ((2, 0), (50.0, 50.0), State::Open),
            ((2, 0), (50.0, 50.000_004), State::Closed),
            ((0, 2), (50.0, 100.0), State::Open),
            ((0, 2), (100.0, 50.0), State::Open),
            ((1, 1), (50.0, 50.0), State::Open),
            ((1, 1), (50.0, 50.000_004), State::Closed),
        ];
        for ((slow, slow_failures), (failure_rate, slow_rate), state) in table {
            let mut s = stepper(Resilience4jConfig { failure_rate, slow_rate, ..config() });
            let outcomes = (0..slow_failures).map(|_| FAIL).chain((0..slow).map(|_| Outcome::Ok));
            for outcome in outcomes {
                let token = s.admit().unwrap();
                s.slow(token, outcome, MS(101));
            }
            s.calls(4 - slow - slow_failures, Outcome::Ok);
            assert_eq!(s.state(), state, "{slow} slow, {slow_failures} slow failures, {failure_rate} %, {slow_rate} %");
            let metrics = s.breaker.metrics(s.now);
            assert_eq!((metrics.slow, metrics.failed), (slow + slow_failures, slow_failures));
        }
    }

    #[test]
    fn the_wait_is_over_only_after_its_last_nanosecond() {
        let mut s = open(config());
        assert!(s.at(MS(1_000)).admit().is_none());
        assert_eq!(s.breaker.metrics(s.now).not_permitted, 1);
        let now = SimTime::ZERO + MS(1_000) + Span::from_nanos(1);
        let (admission, transition) = s.breaker.admit(now, &mut s.rng);
        let Admission::Pass(token) = admission else { panic!("the first call after the wait is a probe") };
        assert!(token.is_probe());
        assert_eq!(told(transition), Some((State::Open, State::HalfOpen, Reason::OpenFor(MS(1_000)), false)));
    }

    #[test]
    fn the_wait_is_cut_to_whole_milliseconds() {
        let open_for = Interval::Fixed(Span::from_micros(1_999));
        let mut s = open(Resilience4jConfig { open_for, ..config() });
        assert!(s.at(MS(1)).admit().is_none());
        assert!(s.at(MS(1) + Span::from_nanos(1)).admit().is_some());
    }

    #[test]
    fn minimum_calls_are_cut_to_a_window_of_calls_but_not_to_one_of_time() {
        let table = [(Window::Calls(3), State::Open), (Window::Seconds(3), State::Closed)];
        for (window, state) in table {
            let mut s = stepper(Resilience4jConfig { window, ..config() });
            s.calls(3, FAIL);
            assert_eq!(s.state(), state, "{window:?}");
        }
    }

    #[test]
    fn probes_are_as_many_as_permitted_and_completion_returns_no_permit() {
        let (mut s, first) = half_open(config());
        s.finish(first, Outcome::Ok);
        assert!(s.admit().is_some());
        assert!(s.admit().is_none());
    }

    #[test]
    fn half_open_decides_with_the_first_result_that_reaches_its_minimum() {
        let (mut s, probe) = half_open(Resilience4jConfig { minimum_calls: 1, half_open_calls: 5, ..config() });
        let transition = s.finish(probe, Outcome::Ok);
        assert_eq!(told(transition), Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(1), false)));
    }

    #[test]
    fn a_late_result_decides_in_place_of_a_probe_and_the_reason_says_so() {
        let mut s = stepper(Resilience4jConfig { minimum_calls: 1, ..config() });
        let straggler = s.admit().unwrap();
        s.call(FAIL);
        s.at(MS(2_000)).admit().unwrap();
        let transition = s.finish(straggler, Outcome::Ok);
        assert_eq!(told(transition), Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(1), true)));
    }

    #[test]
    fn an_ignored_result_of_an_older_call_gives_a_permit_too_many() {
        let ignored = Outcomes::REFUSED;
        let mut s = stepper(Resilience4jConfig { ignored, ..config() });
        let straggler = s.admit().unwrap();
        s.calls(4, FAIL);
        s.at(MS(2_000)).admit().unwrap();
        s.finish(straggler, Outcome::Refused);
        let admitted = std::iter::from_fn(|| s.admit()).take(10).count();
        assert_eq!(admitted, 2, "one of two permits was left, and one came back that was never taken");
    }

    #[test]
    fn results_that_arrive_while_open_are_counted_but_neither_judged_nor_do_they_extend_the_wait() {
        let mut s = stepper(config());
        let straggler = s.admit().unwrap();
        s.calls(4, FAIL);
        s.at(MS(999));
        assert_eq!(s.finish(straggler, FAIL), None);
        assert_eq!(s.breaker.metrics(s.now).failed, 5);
        assert!(s.at(MS(1_000) + Span::from_nanos(1)).admit().is_some());
    }

    #[test]
    fn probes_that_never_return_reject_for_ever_without_a_limit() {
        let (mut s, _) = half_open(config());
        s.admit().unwrap();
        assert_eq!(s.breaker.next_wake(), None);
        assert!(s.at(Span::from_secs(1_000_000)).admit().is_none());
    }

    #[test]
    fn the_half_open_limit_leads_to_open_with_the_next_wait_or_to_closed() {
        for (close, state) in [(false, State::Open), (true, State::Closed)] {
            let open_for = Interval::Exponential { initial: MS(1_000), multiplier: 2.0, max: MS(30_000) };
            let limit = MS(500);
            let config =
                Resilience4jConfig { open_for, half_open_limit: limit, close_after_half_open_limit: close, ..config() };
            let (mut s, _) = half_open(config);
            let end = s.now + limit;
            assert_eq!(s.breaker.next_wake(), Some(end));
            s.now = SimTime::from_nanos(end.as_nanos() - 1);
            assert_eq!(s.wake(), None);
            s.now = end;
            assert_eq!(told(s.wake()), Some((State::HalfOpen, state, Reason::HalfOpenLimit(limit), false)));
            assert_eq!(s.wake(), None);
            if state == State::Open {
                s.now = end + MS(2_000);
                assert!(s.admit().is_none());
                s.now += Span::from_nanos(1);
                assert!(s.admit().is_some());
            }
        }
    }

    #[test]
    fn a_half_open_limit_under_a_millisecond_is_none() {
        let (s, _) = half_open(Resilience4jConfig { half_open_limit: Span::from_micros(999), ..config() });
        assert_eq!(s.breaker.next_wake(), None);
        let (s, _) = half_open(Resilience4jConfig { half_open_limit: MS(1), ..config() });
        assert!(s.breaker.next_wake().is_some());
    }

    #[test]
    fn an_automatic_transition_needs_no_call_and_leaves_every_permit() {
        let mut s = open(Resilience4jConfig { auto_half_open: true, ..config() });
        assert_eq!(s.breaker.next_wake(), Some(SimTime::ZERO + MS(1_000)));
        assert_eq!(s.at(MS(999)).wake(), None);
        s.at(MS(1_000));
        assert_eq!(told(s.wake()), Some((State::Open, State::HalfOpen, Reason::OpenFor(MS(1_000)), false)));
        assert!(s.admit().is_some() && s.admit().is_some() && s.admit().is_none());
        assert_eq!(open(config()).breaker.next_wake(), None);
    }

    #[test]
    fn the_open_wait_grows_while_probes_fail_and_starts_again_once_closed() {
        let open_for = Interval::Exponential { initial: MS(1_000), multiplier: 2.0, max: MS(3_000) };
        let mut s = open(Resilience4jConfig { open_for, minimum_calls: 1, half_open_calls: 1, ..config() });
        for wait in [1_000, 2_000, 3_000, 3_000] {
            s.now += MS(wait);
            assert!(s.admit().is_none(), "{wait}");
            s.now += Span::from_nanos(1);
            s.call(FAIL);
        }
        s.now += MS(3_001);
        s.call(Outcome::Ok);
        assert_eq!(s.state(), State::Closed);
        s.calls(1, FAIL);
        s.now += MS(1_001);
        assert!(s.admit().is_some());
    }

    #[test]
    fn forced_states_do_as_their_names_say() {
        let table = [(State::ForcedOpen, false, 0), (State::Disabled, true, 0), (State::MetricsOnly, true, 6)];
        for (state, admits, counted) in table {
            let mut machine = Resilience4j::new(config());
            let mut rng = SplitMix64::new(1);
            let now = SimTime::ZERO;
            let token = Token::of(0);
            assert!(machine.force(now, state, &mut rng).is_some());
            assert_eq!(machine.force(now, state, &mut rng), None);
            assert_eq!(machine.admit(now).0 != Admission::Reject, admits);
            for _ in 0..6 {
                assert_eq!(machine.record(now, token, FAIL, Span::ZERO, &mut rng), None);
            }
            assert_eq!((machine.metrics(now).calls, machine.state()), (counted, state));
        }
    }

    #[test]
    fn half_open_shows_the_figures_of_its_probes() {
        let config = Resilience4jConfig { window: Window::Calls(4), minimum_calls: 4, ..Resilience4jConfig::default() };
        let mut s = Stepper::new(BreakerConfig::Resilience4j(config));
        s.calls(4, FAIL);
        assert_eq!(s.breaker.metrics(s.now).calls, 4);
        s.at(MS(60_001)).call(Outcome::Ok);
        let metrics = s.breaker.metrics(s.now);
        assert_eq!((s.state(), metrics.calls, metrics.failed), (State::HalfOpen, 1, 0));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = Resilience4jConfig::default();
        let table = [
            (Resilience4jConfig { window: Window::Seconds(0), ..base }, "window"),
            (Resilience4jConfig { minimum_calls: 0, ..base }, "minimum_calls"),
            (Resilience4jConfig { failure_rate: 0.0, ..base }, "failure_rate"),
            (Resilience4jConfig { failure_rate: 100.1, ..base }, "failure_rate"),
            (Resilience4jConfig { failure_rate: f32::NAN, ..base }, "failure_rate"),
            (Resilience4jConfig { slow_rate: 0.0, ..base }, "slow_rate"),
            (Resilience4jConfig { slow_after: Span::ZERO, ..base }, "slow_after"),
            (Resilience4jConfig { half_open_calls: 0, ..base }, "half_open_calls"),
            (Resilience4jConfig { open_for: Interval::Fixed(Span::ZERO), ..base }, "open_for"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
        assert_eq!(Resilience4jConfig { failure_rate: 100.0, ..base }.check(), Ok(()));
    }

    use super::super::Admission;
    use crate::SplitMix64;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn half_open_admits_no_more_than_its_permits_and_closed_admits_all(
            permitted in 1u32..6,
            steps in prop::collection::vec((0u64..700, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut s = stepper(Resilience4jConfig { half_open_calls: permitted, ..config() });
            let (mut pending, mut probes) = (vec![], 0);
            for (gap, admits, fails) in steps {
                s.now += MS(gap);
                let before = s.state();
                if admits {
                    let token = s.admit();
                    prop_assert!(before != State::Closed || token.is_some());
                    probes = match s.state() {
                        State::HalfOpen if before == State::Open => 1,
                        State::HalfOpen => probes + u32::from(token.is_some()),
                        _ => 0,
                    };
                    prop_assert!(probes <= permitted);
                    pending.extend(token);
                } else if let Some(token) = pending.pop() {
                    s.finish(token, if fails { FAIL } else { Outcome::Ok });
                }
                let metrics = s.breaker.metrics(s.now);
                prop_assert!(metrics.failed <= metrics.calls && metrics.calls <= 10);
            }
        }
    }
}
