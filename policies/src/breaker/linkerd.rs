//! Linkerd's failure accrual (linkerd2-proxy 29637b6, August 2026), one state for each replica: a run of failures, or a
//! low success ratio, shuts a replica out; after a growing penalty one request is let through, and the first response
//! that arrives then decides, whoever asked for it. Says which replicas are usable; picks none. (Linkerd calls "open"
//! what is "closed" here.)

use super::report::{Metrics, Reason, State, Transition, Why};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::retry::{additive, exponential};
use crate::window::{Counts, Slices};
use crate::{Outcome, Outcomes, Random, SimTime, Span};

/// Configuration of [`Linkerd`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkerdConfig {
    /// Failures in a row that shut a replica out; 0 for never. Default 7.
    pub max_failures: u32,
    /// The first penalty, doubled each time the probe fails. Default 1 s.
    pub min_penalty: Span,
    /// No penalty is longer, its jitter included. Default 1 min.
    pub max_penalty: Span,
    /// What at most is added to a penalty, as a ratio of it, from 0 to 100. Default 0.5.
    pub jitter_ratio: f64,
    /// Mode `unified`: a success ratio besides the run. Default: none.
    pub success_rate: Option<SuccessRateConfig>,
    /// Outcomes that are failures. Default: 5xx, rejections, no answer, no connection.
    pub failures: Outcomes,
}

/// The success ratio of Linkerd's mode `unified`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRateConfig {
    /// The ratio below which (`<`) a replica is shut out. Default 0.8.
    pub threshold: f64,
    /// How long a response counts, in ten slices. Default 10 s.
    pub window: Span,
    /// Responses before the ratio is judged (`>=`). Default 5.
    pub minimum: u32,
}

impl Default for LinkerdConfig {
    fn default() -> Self {
        Self {
            max_failures: 7,
            min_penalty: Span::from_secs(1),
            max_penalty: Span::from_secs(60),
            jitter_ratio: 0.5,
            success_rate: None,
            failures: Outcomes::ERROR_5XX | Outcomes::REJECTED | Outcomes::TIMEOUT | Outcomes::REFUSED,
        }
    }
}

impl Default for SuccessRateConfig {
    fn default() -> Self {
        Self { threshold: 0.8, window: Span::from_secs(10), minimum: 5 }
    }
}

impl LinkerdConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(!self.min_penalty.is_zero(), "min_penalty", "more than 0s")?;
        require(self.min_penalty <= self.max_penalty, "max_penalty", "at least the min_penalty")?;
        require((0.0..=100.0).contains(&self.jitter_ratio), "jitter_ratio", "from 0 to 100")?;
        let Some(rate) = self.success_rate else { return Ok(()) };
        require((0.0..=1.0).contains(&rate.threshold), "threshold", "from 0% to 100%")?;
        require(rate.window >= Span::from_millis(10), "window", "at least 10ms")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Linkerd {
    config: LinkerdConfig,
    endpoints: Vec<Endpoint>,
    not_permitted: u64,
}

#[derive(Clone, Debug)]
struct Endpoint {
    phase: Phase,
    era: u32,
    ratio: Option<Slices>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Passing { failures: u32 },
    Shut { until: SimTime, wait: Span, round: u32 },
    Probation { taken: bool, round: u32 },
}

impl Linkerd {
    /// A breaker over one replica, which is usable.
    pub fn new(config: LinkerdConfig, now: SimTime) -> Self {
        let mut breaker = Self { config, endpoints: vec![], not_permitted: 0 };
        breaker.set_replicas(1, now);
        breaker
    }

    /// Watches `replicas` replicas from now on; new ones are usable, the last ones are forgotten first.
    pub fn set_replicas(&mut self, replicas: usize, now: SimTime) {
        let slices = |rate: SuccessRateConfig| Slices::new(10, Span::from_nanos(rate.window.as_nanos() / 10), now);
        let ratio = self.config.success_rate.map(slices);
        self.endpoints.resize(replicas, Endpoint { phase: Phase::Passing { failures: 0 }, era: 0, ratio });
    }

    /// Whether a call may go on: some replica is usable. Where there is but one, the call takes it.
    pub fn admit(&mut self, now: SimTime) -> (Admission, Option<Transition>) {
        let transition = self.on_wake(now);
        if !(0..self.endpoints.len()).any(|replica| self.usable(replica)) {
            self.not_permitted += 1;
            return (Admission::Reject, transition);
        }
        let token = Token::of(0);
        (Admission::Pass(if self.endpoints.len() == 1 { self.assign(token, 0) } else { token }), transition)
    }

    /// Whether `replica` may be picked.
    pub fn usable(&self, replica: usize) -> bool {
        let phase = self.endpoints.get(replica).map(|endpoint| endpoint.phase);
        matches!(phase, Some(Phase::Passing { .. } | Phase::Probation { taken: false, .. }))
    }

    /// The balancer picked `replica`: a replica on probation thereby has its one request.
    pub fn assign(&mut self, token: Token, replica: usize) -> Token {
        match self.endpoints.get_mut(replica) {
            Some(endpoint) if token.replica as usize != replica => {
                let probe = matches!(endpoint.phase, Phase::Probation { taken: false, .. });
                if let Phase::Probation { taken, .. } = &mut endpoint.phase {
                    *taken = true;
                }
                Token { era: endpoint.era, replica: replica as u32, probe }
            }
            _ => token,
        }
    }

    /// Takes in the response of the replica the call was assigned to. While the replica is shut out it is not looked
    /// at; on probation the first response decides.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        let endpoint = self.endpoints.get_mut(token.replica as usize)?;
        let failed = self.config.failures.contains(outcome);
        let degrades = failed || (self.config.success_rate.is_some() && Outcomes::RATE_LIMITED.contains(outcome));
        let late = token.era != endpoint.era;
        let decided = match endpoint.phase {
            Phase::Passing { failures } => {
                let failures = if failed { failures + 1 } else { 0 };
                endpoint.phase = Phase::Passing { failures };
                let reason = endpoint.judge(&self.config, now, degrades)?;
                Some(endpoint.shut(&self.config, now, 0, reason.into(), rng))
            }
            Phase::Probation { round, .. } if degrades => {
                let why = Why { reason: Reason::ProbeFailed, late };
                Some(endpoint.shut(&self.config, now, round + 1, why, rng))
            }
            Phase::Probation { .. } => Some(endpoint.pass(now, Why { reason: Reason::ProbesPassed(1), late })),
            Phase::Shut { .. } => None,
        };
        decided.map(|transition| Transition { replica: Some(token.replica), ..transition })
    }

    /// Gives back the place of a probe that never ran, or was given up.
    pub fn release(&mut self, token: Token) {
        match self.endpoints.get_mut(token.replica as usize) {
            Some(Endpoint { phase: Phase::Probation { taken, .. }, era, .. }) if *era == token.era => *taken = false,
            _ => {}
        }
    }

    /// When the first penalty ends.
    pub fn next_wake(&self) -> Option<SimTime> {
        let ends = self.endpoints.iter().filter_map(|endpoint| match endpoint.phase {
            Phase::Shut { until, .. } => Some(until),
            _ => None,
        });
        ends.min()
    }

    /// Puts the first replica whose penalty is over (`now >= until`) on probation.
    pub fn on_wake(&mut self, now: SimTime) -> Option<Transition> {
        for (replica, endpoint) in self.endpoints.iter_mut().enumerate() {
            if let Phase::Shut { until, wait, round } = endpoint.phase
                && now >= until
            {
                let transition =
                    endpoint.change(Phase::Probation { taken: false, round }, Reason::OpenFor(wait).into());
                return Some(Transition { replica: Some(replica as u32), ..transition });
            }
        }
        None
    }

    /// Closed if some replica is passing, else half-open if one is on probation, else open.
    pub fn state(&self) -> State {
        let has = |state| self.endpoints.iter().any(|endpoint| endpoint.state() == state);
        [State::Closed, State::HalfOpen].into_iter().find(|state| has(*state)).unwrap_or(State::Open)
    }

    /// The state of one replica.
    pub fn state_of(&self, replica: usize) -> Option<State> {
        self.endpoints.get(replica).map(Endpoint::state)
    }

    /// The responses in all replicas' windows, or without `success_rate` the failures of their present runs.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        let mut sum = Counts::default();
        for endpoint in &self.endpoints {
            match (&endpoint.ratio, endpoint.phase) {
                (Some(ratio), _) => sum.add(ratio.counts(now)),
                (None, Phase::Passing { failures }) => sum.add(Counts { calls: failures, failed: failures, slow: 0 }),
                _ => {}
            }
        }
        Metrics { calls: sum.calls, failed: sum.failed, not_permitted: self.not_permitted, ..Metrics::default() }
    }
}

impl Endpoint {
    fn state(&self) -> State {
        match self.phase {
            Phase::Passing { .. } => State::Closed,
            Phase::Shut { .. } => State::Open,
            Phase::Probation { .. } => State::HalfOpen,
        }
    }

    /// Whether the response just seen, which broke or continued the run, shuts the replica out. The run comes first.
    fn judge(&mut self, config: &LinkerdConfig, now: SimTime, degrades: bool) -> Option<Reason> {
        let counts = self.ratio.as_mut().map(|ratio| ratio.push(now, Counts::one(degrades, false)));
        if let Phase::Passing { failures } = self.phase
            && failures == config.max_failures
            && failures > 0
        {
            return Some(Reason::Consecutive(failures));
        }
        let (rate, Counts { calls, failed, .. }) = (config.success_rate?, counts?);
        let ratio = f64::from(calls - failed) / f64::from(calls);
        (calls >= rate.minimum && ratio < rate.threshold).then_some(Reason::SuccessRate {
            rate: (ratio * 100.0) as f32,
            threshold: (rate.threshold * 100.0) as f32,
            calls,
        })
    }

    /// Shuts the replica out for b + min(U · ratio · b, max − b), b = min(min · 2ʳᵒᵘⁿᵈ, max).
    fn shut(
        &mut self,
        config: &LinkerdConfig,
        now: SimTime,
        round: u32,
        why: Why,
        rng: &mut impl Random,
    ) -> Transition {
        let penalty = exponential(config.min_penalty, 2.0, round, config.max_penalty);
        let wait = (penalty + additive(penalty, config.jitter_ratio, rng)).min(config.max_penalty);
        self.change(Phase::Shut { until: now + wait, wait, round }, why)
    }

    fn pass(&mut self, now: SimTime, why: Why) -> Transition {
        if let Some(ratio) = &mut self.ratio {
            ratio.restart(now);
        }
        self.change(Phase::Passing { failures: 0 }, why)
    }

    fn change(&mut self, phase: Phase, why: Why) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.era = self.era.wrapping_add(1);
        Transition { from, to: self.state(), why, replica: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BreakerConfig;
    use super::super::stepper::{FAIL, MS, Stepper, told};
    use super::*;
    use crate::SplitMix64;
    use crate::testing::assert_uniform;

    fn stepper(config: LinkerdConfig) -> Stepper {
        Stepper::new(BreakerConfig::Linkerd(config))
    }

    fn exact() -> LinkerdConfig {
        LinkerdConfig { jitter_ratio: 0.0, ..LinkerdConfig::default() }
    }

    #[test]
    fn it_trips_with_the_failure_that_makes_the_run_equal_to_its_limit() {
        let mut s = stepper(exact());
        s.calls(6, FAIL);
        s.call(Outcome::Ok);
        s.calls(6, FAIL);
        assert_eq!(s.state(), State::Closed);
        assert_eq!(told(s.call(FAIL)), Some((State::Closed, State::Open, Reason::Consecutive(7), false)));
    }

    #[test]
    fn penalties_double_up_to_their_maximum_and_start_again_once_closed() {
        let mut s = stepper(LinkerdConfig { max_penalty: MS(3_000), ..exact() });
        s.calls(7, FAIL);
        for wait in [1_000, 2_000, 3_000, 3_000] {
            let end = s.now + MS(wait);
            assert_eq!(s.breaker.next_wake(), Some(end), "{wait}");
            s.now = SimTime::from_nanos(end.as_nanos() - 1);
            assert!(s.admit().is_none());
            s.now = end;
            assert_eq!(told(s.wake()), Some((State::Open, State::HalfOpen, Reason::OpenFor(MS(wait)), false)));
            s.call(FAIL);
        }
        s.now += MS(3_000);
        s.call(Outcome::Ok);
        assert_eq!(s.state(), State::Closed);
        s.calls(7, FAIL);
        assert_eq!(s.breaker.next_wake(), Some(s.now + MS(1_000)));
    }

    #[test]
    fn a_penalty_s_jitter_is_uniform_and_stays_within_the_maximum() {
        let penalty = |max_penalty, seed| {
            let mut s = stepper(LinkerdConfig { max_penalty, ..LinkerdConfig::default() });
            s.rng = SplitMix64::new(seed);
            s.calls(7, FAIL);
            (s.breaker.next_wake().unwrap() - s.now).as_millis_f64()
        };
        assert_uniform((0..2_000).map(|seed| penalty(MS(60_000), seed)).collect(), 1_000.0, 1_500.0);
        let capped = (0..2_000).map(|seed| penalty(MS(1_100), seed)).filter(|ms| *ms == 1_100.0).count();
        assert!((1_500..1_700).contains(&capped), "four fifths lie past the maximum, {capped} of 2000 did");
    }

    #[test]
    fn probation_admits_one_request_and_the_first_response_decides_even_a_straggler_s() {
        let mut s = stepper(exact());
        let straggler = s.admit().unwrap();
        s.calls(7, FAIL);
        s.at(MS(1_000)).wake();
        let probe = s.admit().unwrap();
        assert!(probe.is_probe() && s.admit().is_none());
        let decided = told(s.finish(straggler, Outcome::Ok));
        assert_eq!(decided, Some((State::HalfOpen, State::Closed, Reason::ProbesPassed(1), true)));
    }

    #[test]
    fn responses_while_shut_are_not_looked_at() {
        let mut s = stepper(exact());
        let straggler = s.admit().unwrap();
        s.calls(7, FAIL);
        assert_eq!(s.at(MS(500)).finish(straggler, Outcome::Ok), None);
        assert_eq!((s.state(), s.breaker.next_wake()), (State::Open, Some(SimTime::ZERO + MS(1_000))));
    }

    #[test]
    fn a_probe_that_never_ran_gives_its_place_back_and_an_older_call_that_never_ran_gives_none() {
        let mut s = stepper(exact());
        let straggler = s.admit().unwrap();
        s.calls(7, FAIL);
        s.at(MS(1_000)).wake();
        let probe = s.admit().unwrap();
        assert_eq!(s.breaker.assign(probe, 0), probe, "it has its place already");
        s.breaker.release(straggler);
        assert!(s.admit().is_none());
        s.breaker.release(probe);
        assert!(s.admit().is_some());
    }

    #[test]
    fn a_replica_is_shut_out_alone_and_calls_are_rejected_only_when_all_are() {
        let mut s = stepper(exact());
        s.breaker.set_replicas(2, SimTime::ZERO);
        for replica in [1, 0] {
            for _ in 0..7 {
                let token = s.admit().unwrap();
                let token = s.breaker.assign(token, replica);
                s.finish(token, FAIL);
            }
            assert!(!s.breaker.usable(replica));
            assert_eq!(s.breaker.usable(0), replica == 1);
        }
        assert!(s.admit().is_none());
        assert_eq!(s.state(), State::Open);
        s.at(MS(1_000));
        let woken: Vec<_> = std::iter::from_fn(|| s.wake()).map(|t| t.replica).collect();
        assert_eq!(woken, [Some(0), Some(1)]);
    }

    #[test]
    fn each_replica_has_a_state_of_its_own() {
        let (mut linkerd, mut rng) = (Linkerd::new(exact(), SimTime::ZERO), SplitMix64::new(1));
        linkerd.set_replicas(2, SimTime::ZERO);
        let states = |linkerd: &Linkerd| [0, 1, 2].map(|replica| linkerd.state_of(replica));
        let token = linkerd.assign(Token::of(0), 1);
        let told = (0..7).filter_map(|_| linkerd.record(SimTime::ZERO, token, FAIL, &mut rng)).last();
        assert_eq!(told.and_then(|transition| transition.replica), Some(1));
        assert_eq!(states(&linkerd), [Some(State::Closed), Some(State::Open), None]);
        linkerd.on_wake(SimTime::ZERO + MS(1_000)).unwrap();
        assert_eq!(states(&linkerd), [Some(State::Closed), Some(State::HalfOpen), None]);
    }

    #[test]
    fn a_success_ratio_trips_only_below_its_threshold_and_from_its_minimum_on() {
        let unified = LinkerdConfig { success_rate: Some(SuccessRateConfig::default()), ..exact() };
        // 8 of 10 is the threshold itself; 7 of 9 is below; 3 of 4 too, but 4 are too few; 3 of 5 are enough.
        let table = [
            (8, 2, State::Closed),
            (7, 2, State::Open),
            (3, 1, State::Closed),
            (4, 1, State::Closed),
            (3, 2, State::Open),
        ];
        for (passed, failed, state) in table {
            let mut s = stepper(unified);
            s.calls(passed, Outcome::Ok);
            let told = (0..failed).filter_map(|_| s.call(FAIL)).last();
            assert_eq!(s.state(), state, "{passed} passed, {failed} failed");
            let calls = passed + failed;
            let reason = Reason::SuccessRate { rate: (100 * passed) as f32 / calls as f32, threshold: 80.0, calls };
            let expected = (state == State::Open).then_some(reason);
            assert_eq!(told.map(|transition| transition.why.reason), expected, "{passed} passed, {failed} failed");
            let metrics = s.breaker.metrics(s.now);
            assert_eq!((metrics.calls, metrics.failed), (passed + failed, failed));
        }
    }

    #[test]
    fn a_rate_limit_lowers_the_ratio_and_fails_a_probe_but_breaks_the_run() {
        let unified = LinkerdConfig { success_rate: Some(SuccessRateConfig::default()), ..exact() };
        let mut s = stepper(unified);
        s.calls(4, Outcome::RateLimited);
        let reason = Reason::SuccessRate { rate: 0.0, threshold: 80.0, calls: 5 };
        assert_eq!(told(s.call(Outcome::RateLimited)).map(|t| t.2), Some(reason));
        s.at(MS(1_000)).call(Outcome::RateLimited);
        assert_eq!(s.state(), State::Open);

        let mut s = stepper(exact());
        s.calls(6, FAIL);
        s.calls(1, Outcome::RateLimited);
        s.calls(6, FAIL);
        assert_eq!(s.state(), State::Closed);
    }

    #[test]
    fn a_probe_that_passes_clears_the_ratio_s_window() {
        let unified = LinkerdConfig { max_failures: 0, success_rate: Some(SuccessRateConfig::default()), ..exact() };
        let mut s = stepper(unified);
        s.calls(5, FAIL);
        s.at(MS(1_000)).call(Outcome::Ok);
        assert_eq!((s.state(), s.breaker.metrics(s.now).calls), (State::Closed, 0));
        s.calls(4, FAIL);
        assert_eq!(s.state(), State::Closed, "the first five are forgotten");
        s.call(FAIL);
        assert_eq!(s.state(), State::Open);
    }

    #[test]
    fn the_ratio_s_window_moves_on_in_tenths() {
        let unified = LinkerdConfig { max_failures: 0, success_rate: Some(SuccessRateConfig::default()), ..exact() };
        for (last, state) in [(9_999, State::Open), (10_000, State::Closed)] {
            let mut s = stepper(unified);
            s.calls(4, FAIL);
            s.at(MS(last)).call(FAIL);
            assert_eq!(s.state(), state, "{last}");
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = LinkerdConfig::default();
        let rate = SuccessRateConfig { threshold: 1.1, ..SuccessRateConfig::default() };
        let window = SuccessRateConfig { window: MS(9), ..SuccessRateConfig::default() };
        let table = [
            (LinkerdConfig { min_penalty: Span::ZERO, ..base }, "min_penalty"),
            (LinkerdConfig { max_penalty: MS(999), ..base }, "max_penalty"),
            (LinkerdConfig { jitter_ratio: 100.1, ..base }, "jitter_ratio"),
            (LinkerdConfig { success_rate: Some(rate), ..base }, "threshold"),
            (LinkerdConfig { success_rate: Some(window), ..base }, "window"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
