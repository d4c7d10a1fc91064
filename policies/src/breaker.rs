//! Circuit breakers: one face for every kind, told the time, the results and nothing else. One kind a file; this one
//! only hands on.
//!
//! A call is admitted, runs, and is recorded with the token it was admitted with. Each of these may change the state
//! and then says so. Between them the breaker may want to be woken: ask [`Breaker::next_wake`] after every call, and at
//! that time call [`Breaker::on_wake`] until it has nothing more to tell. Waking it early, or twice, is harmless.

mod consecutive;
mod envoy_outlier;
mod hystrix;
mod linkerd;
mod polly;
mod report;
mod resilience4j;
#[cfg(test)]
mod stepper;

pub use consecutive::{Consecutive, ConsecutiveConfig};
pub use envoy_outlier::{EnvoyOutlier, EnvoyOutlierConfig, OutlierStats};
pub use hystrix::{Hystrix, HystrixConfig};
pub use linkerd::{Linkerd, LinkerdConfig, SuccessRateConfig};
pub use polly::{Polly, PollyConfig};
pub use report::{Metrics, Reason, State, Transition, Why};
pub use resilience4j::{Resilience4j, Resilience4jConfig, Window};

use crate::check::Invalid;
use crate::{Outcome, Random, SimTime, Span};

/// Which breaker, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BreakerConfig {
    /// resilience4j's `CircuitBreaker`.
    Resilience4j(Resilience4jConfig),
    /// Polly v8's circuit breaker.
    Polly(PollyConfig),
    /// Hystrix's.
    Hystrix(HystrixConfig),
    /// So many failures in a row.
    Consecutive(ConsecutiveConfig),
    /// Linkerd's failure accrual, for each replica.
    Linkerd(LinkerdConfig),
    /// Envoy's outlier detection, over all replicas.
    EnvoyOutlier(EnvoyOutlierConfig),
}

impl BreakerConfig {
    /// Whether each replica of the callee has a state of its own, which acts on the choice of replicas.
    pub const fn watches_replicas(&self) -> bool {
        matches!(self, Self::Linkerd(_) | Self::EnvoyOutlier(_))
    }

    /// The kind's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resilience4j(_) => "resilience4j",
            Self::Polly(_) => "polly",
            Self::Hystrix(_) => "hystrix",
            Self::Consecutive(_) => "consecutive",
            Self::Linkerd(_) => "linkerd",
            Self::EnvoyOutlier(_) => "envoy_outlier",
        }
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Resilience4j(config) => config.check(),
            Self::Polly(config) => config.check(),
            Self::Hystrix(config) => config.check(),
            Self::Consecutive(config) => config.check(),
            Self::Linkerd(config) => config.check(),
            Self::EnvoyOutlier(config) => config.check(),
        }
    }
}

/// A breaker of any kind.
#[derive(Clone, Debug)]
pub enum Breaker {
    /// resilience4j's `CircuitBreaker`.
    Resilience4j(Resilience4j),
    /// Polly v8's circuit breaker.
    Polly(Polly),
    /// Hystrix's.
    Hystrix(Hystrix),
    /// So many failures in a row.
    Consecutive(Consecutive),
    /// Linkerd's failure accrual, for each replica.
    Linkerd(Linkerd),
    /// Envoy's outlier detection, over all replicas.
    EnvoyOutlier(EnvoyOutlier),
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
    /// A closed breaker made at `now`, over one replica.
    pub fn new(config: &BreakerConfig, now: SimTime) -> Self {
        match *config {
            BreakerConfig::Resilience4j(config) => Self::Resilience4j(Resilience4j::new(config)),
            BreakerConfig::Polly(config) => Self::Polly(Polly::new(config)),
            BreakerConfig::Hystrix(config) => Self::Hystrix(Hystrix::new(config, now)),
            BreakerConfig::Consecutive(config) => Self::Consecutive(Consecutive::new(config)),
            BreakerConfig::Linkerd(config) => Self::Linkerd(Linkerd::new(config, now)),
            BreakerConfig::EnvoyOutlier(config) => Self::EnvoyOutlier(EnvoyOutlier::new(config, now)),
        }
    }

    /// How many replicas the callee has; of interest to kinds that watch each one. The last ones leave first.
    pub fn set_replicas(&mut self, replicas: usize, now: SimTime) {
        match self {
            Self::Linkerd(breaker) => breaker.set_replicas(replicas, now),
            Self::EnvoyOutlier(breaker) => breaker.set_replicas(replicas),
            Self::Resilience4j(_) | Self::Polly(_) | Self::Hystrix(_) | Self::Consecutive(_) => {}
        }
    }

    /// Enters the state it is configured to begin in, where that is another than closed.
    pub fn begin(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        match self {
            Self::Resilience4j(breaker) => breaker.begin(now, rng),
            _ => None,
        }
    }

    /// Whether a call may go on, and the change of state that its asking brought about.
    #[inline]
    pub fn admit(&mut self, now: SimTime, _rng: &mut impl Random) -> (Admission, Option<Transition>) {
        match self {
            Self::Resilience4j(breaker) => breaker.admit(now),
            Self::Polly(breaker) => breaker.admit(now),
            Self::Hystrix(breaker) => breaker.admit(now),
            Self::Consecutive(breaker) => breaker.admit(now),
            Self::Linkerd(breaker) => breaker.admit(now),
            Self::EnvoyOutlier(breaker) => (breaker.admit(), None),
        }
    }

    /// Whether a balancer may pick `replica`; always, for kinds with one state for all.
    #[inline]
    pub fn usable(&self, replica: usize) -> bool {
        match self {
            Self::Linkerd(breaker) => breaker.usable(replica),
            Self::EnvoyOutlier(breaker) => breaker.usable(replica),
            Self::Resilience4j(_) | Self::Polly(_) | Self::Hystrix(_) | Self::Consecutive(_) => true,
        }
    }

    /// The balancer picked `replica` for the call of `token`; the token to go on with.
    #[inline]
    #[must_use]
    pub fn assign(&mut self, token: Token, replica: usize) -> Token {
        match self {
            Self::Linkerd(breaker) => breaker.assign(token, replica),
            _ => Token { replica: replica as u32, ..token },
        }
    }

    /// Takes in the result of an admitted call: how it ended and how long it took.
    #[inline]
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
            Self::Polly(breaker) => breaker.record(now, token, outcome, rng),
            Self::Hystrix(breaker) => breaker.record(now, token, outcome),
            Self::Consecutive(breaker) => breaker.record(now, token, outcome, rng),
            Self::Linkerd(breaker) => breaker.record(now, token, outcome, rng),
            Self::EnvoyOutlier(breaker) => breaker.record(now, token, outcome, rng),
        }
    }

    /// Takes back the token of a call that never ran, for another policy turned it away. (Where the original counts
    /// such a refusal as a result, record it instead.)
    pub fn release(&mut self, token: Token) {
        match self {
            Self::Resilience4j(breaker) => breaker.release(token),
            Self::Consecutive(breaker) => breaker.release(token),
            Self::Linkerd(breaker) => breaker.release(token),
            Self::Polly(_) | Self::Hystrix(_) | Self::EnvoyOutlier(_) => {}
        }
    }

    /// Takes in that a semaphore inside of the breaker turned an admitted call away: to Hystrix's no result, though it
    /// counts; to the others one like any other.
    pub fn turned_away(
        &mut self,
        now: SimTime,
        token: Token,
        duration: Span,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        match self {
            Self::Hystrix(breaker) => breaker.turned_away(now),
            _ => self.record(now, token, Outcome::Rejected, duration, rng),
        }
    }

    /// Takes note that the caller of an admitted call gave it up, so that no result will come.
    pub fn cancel(&mut self, now: SimTime, token: Token, rng: &mut impl Random) -> Option<Transition> {
        match self {
            Self::Polly(breaker) => return breaker.cancel(now, token, rng),
            Self::Hystrix(breaker) => return breaker.cancel(now, token),
            Self::Resilience4j(breaker) => breaker.release(token),
            Self::Consecutive(breaker) => breaker.release(token),
            Self::Linkerd(breaker) => breaker.release(token),
            Self::EnvoyOutlier(_) => {}
        }
        None
    }

    /// Takes in that the time of an admitted call is up by a limit outside of this breaker (a deadline of all attempts
    /// together): to Polly's and Hystrix's a cancelled call, to the others a time-out.
    pub fn overrun(&mut self, now: SimTime, token: Token, duration: Span, rng: &mut impl Random) -> Option<Transition> {
        match self {
            Self::Polly(_) | Self::Hystrix(_) => self.cancel(now, token, rng),
            _ => self.record(now, token, Outcome::Timeout, duration, rng),
        }
    }

    /// Whether each replica of the callee has a state of its own, which acts on the choice of replicas.
    pub const fn watches_replicas(&self) -> bool {
        matches!(self, Self::Linkerd(_) | Self::EnvoyOutlier(_))
    }

    /// When the breaker wants to be woken; may change with every call.
    #[must_use]
    pub fn next_wake(&self) -> Option<SimTime> {
        match self {
            Self::Resilience4j(breaker) => breaker.next_wake(),
            Self::Hystrix(breaker) => breaker.next_wake(),
            Self::Linkerd(breaker) => breaker.next_wake(),
            Self::EnvoyOutlier(breaker) => breaker.next_wake(),
            Self::Polly(_) | Self::Consecutive(_) => None,
        }
    }

    /// What time alone has changed. Call it until it answers `None`.
    pub fn on_wake(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        match self {
            Self::Resilience4j(breaker) => breaker.on_wake(now, rng),
            Self::Hystrix(breaker) => breaker.on_wake(now),
            Self::Linkerd(breaker) => breaker.on_wake(now),
            Self::EnvoyOutlier(breaker) => breaker.on_wake(now, rng),
            Self::Polly(_) | Self::Consecutive(_) => None,
        }
    }

    /// The state it is in; for kinds that watch each replica, of all of them together.
    pub fn state(&self) -> State {
        match self {
            Self::Resilience4j(breaker) => breaker.state(),
            Self::Polly(breaker) => breaker.state(),
            Self::Hystrix(breaker) => breaker.state(),
            Self::Consecutive(breaker) => breaker.state(),
            Self::Linkerd(breaker) => breaker.state(),
            Self::EnvoyOutlier(breaker) => breaker.state(),
        }
    }

    /// Its figures.
    pub fn metrics(&self, now: SimTime) -> Metrics {
        match self {
            Self::Resilience4j(breaker) => breaker.metrics(now),
            Self::Polly(breaker) => breaker.metrics(now),
            Self::Hystrix(breaker) => breaker.metrics(now),
            Self::Consecutive(breaker) => breaker.metrics(),
            Self::Linkerd(breaker) => breaker.metrics(now),
            Self::EnvoyOutlier(breaker) => breaker.metrics(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use proptest::prelude::*;

    const KINDS: usize = 8;

    /// Every kind, made to change its state often.
    fn kind(index: usize) -> BreakerConfig {
        let short = crate::Interval::Fixed(Span::from_millis(300));
        let half_open_limit = Span::from_millis(700);
        let r4j = Resilience4jConfig {
            window: Window::Calls(5),
            minimum_calls: 3,
            open_for: short,
            half_open_calls: 2,
            ..Resilience4jConfig::default()
        };
        let timed = Resilience4jConfig { window: Window::Seconds(2), auto_half_open: true, half_open_limit, ..r4j };
        let rate = Some(SuccessRateConfig { minimum: 3, ..SuccessRateConfig::default() });
        let kinds: [BreakerConfig; KINDS] = [
            BreakerConfig::Resilience4j(r4j),
            BreakerConfig::Resilience4j(timed),
            BreakerConfig::Polly(PollyConfig {
                minimum_throughput: 2,
                break_duration: Span::from_millis(500),
                ..PollyConfig::default()
            }),
            BreakerConfig::Hystrix(HystrixConfig {
                request_volume_threshold: 2,
                sleep_window: Span::from_millis(300),
                ..HystrixConfig::default()
            }),
            BreakerConfig::Consecutive(ConsecutiveConfig { failures: 2, open_for: short, ..Default::default() }),
            BreakerConfig::Linkerd(LinkerdConfig { max_failures: 2, ..Default::default() }),
            BreakerConfig::Linkerd(LinkerdConfig { max_failures: 0, success_rate: rate, ..Default::default() }),
            BreakerConfig::EnvoyOutlier(EnvoyOutlierConfig {
                consecutive_5xx: 2,
                interval: Span::from_millis(500),
                base_ejection_time: Span::from_millis(800),
                max_ejection_percent: 100,
                success_rate_minimum_hosts: 2,
                success_rate_request_volume: 2,
                healthy_panic_threshold: 0.0,
                ..Default::default()
            }),
        ];
        kinds[index]
    }

    /// What transitions must add up to: each leaves the state that the one before entered, for each replica.
    #[derive(Default)]
    struct History(Vec<Option<State>>);

    impl History {
        fn follows(&mut self, transition: Transition) -> bool {
            let replica = transition.replica.unwrap_or(0) as usize;
            self.0.resize(self.0.len().max(replica + 1), None);
            let before = self.0[replica].replace(transition.to).unwrap_or(State::Closed);
            before == transition.from && transition.from != transition.to
        }
    }

    #[test]
    fn a_token_and_an_answer_are_small() {
        assert!(size_of::<Token>() <= 16, "{}", size_of::<Token>());
        assert!(size_of::<Transition>() <= 48, "{}", size_of::<Transition>());
    }

    #[test]
    fn each_kind_has_its_name() {
        let names =
            ["resilience4j", "resilience4j", "polly", "hystrix", "consecutive", "linkerd", "linkerd", "envoy_outlier"];
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|index| kind(index).name()), names);
    }

    #[test]
    fn linkerd_s_and_envoy_s_kinds_alone_have_a_state_for_each_replica() {
        for index in 0..KINDS {
            let (config, watches) = (kind(index), index >= 5);
            assert_eq!(config.watches_replicas(), watches, "{config:?}");
            assert_eq!(Breaker::new(&config, SimTime::ZERO).watches_replicas(), watches, "{config:?}");
        }
    }

    #[test]
    fn a_value_out_of_range_is_named_whichever_the_kind() {
        let table = [
            (
                BreakerConfig::Resilience4j(Resilience4jConfig { minimum_calls: 0, ..Default::default() }),
                "minimum_calls",
            ),
            (BreakerConfig::Polly(PollyConfig { minimum_throughput: 1, ..Default::default() }), "minimum_throughput"),
            (
                BreakerConfig::Hystrix(HystrixConfig { error_threshold_percentage: 101, ..Default::default() }),
                "error_threshold_percentage",
            ),
            (BreakerConfig::Consecutive(ConsecutiveConfig { failures: 0, ..Default::default() }), "failures"),
            (BreakerConfig::Linkerd(LinkerdConfig { jitter_ratio: -1.0, ..Default::default() }), "jitter_ratio"),
            (
                BreakerConfig::EnvoyOutlier(EnvoyOutlierConfig { interval: Span::ZERO, ..Default::default() }),
                "interval",
            ),
        ];
        for (config, field) in table {
            assert_eq!(config.check().map_err(|invalid| invalid.field), Err(field), "{config:?}");
        }
    }

    #[test]
    fn a_breaker_begins_in_the_state_it_is_configured_to_begin_in() {
        let mut rng = SplitMix64::new(1);
        let states =
            [State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly, State::Closed];
        for initial in states {
            let config = Resilience4jConfig { initial, ..Resilience4jConfig::default() };
            let mut breaker = Breaker::new(&BreakerConfig::Resilience4j(config), SimTime::ZERO);
            let begun = breaker.begin(SimTime::ZERO, &mut rng).map(|t| (t.from, t.to, t.why.reason));
            let wanted = (initial != State::Closed).then_some((State::Closed, initial, Reason::Initial));
            assert_eq!((begun, breaker.state()), (wanted, initial));
        }
        for index in 2..KINDS {
            let mut breaker = Breaker::new(&kind(index), SimTime::ZERO);
            assert_eq!((breaker.begin(SimTime::ZERO, &mut rng), breaker.state()), (None, State::Closed), "{index}");
        }
    }

    #[test]
    fn who_is_let_in_by_a_closed_breaker_is_no_probe_and_who_is_turned_away_is_counted() {
        for index in 0..KINDS {
            let (mut breaker, mut rng) = (Breaker::new(&kind(index), SimTime::ZERO), SplitMix64::new(1));
            let mut now = SimTime::ZERO;
            let mut refused = 0;
            for _ in 0..40 {
                now += Span::from_millis(20);
                let state = breaker.state();
                match breaker.admit(now, &mut rng).0 {
                    Admission::Pass(token) => {
                        assert!(state != State::Closed || !token.is_probe(), "{index}");
                        breaker.record(now, token, Outcome::Error(500), Span::ZERO, &mut rng);
                    }
                    Admission::Reject => refused += 1,
                }
                if breaker.state() == State::Open && refused == 5 {
                    break;
                }
            }
            assert_eq!((refused, breaker.metrics(now).not_permitted), (5, 5), "{index}");
        }
    }

    #[test]
    fn a_replica_that_linkerd_tries_out_is_assigned_to_one_call() {
        let (mut breaker, mut rng) = (Breaker::new(&kind(5), SimTime::ZERO), SplitMix64::new(1));
        breaker.set_replicas(2, SimTime::ZERO);
        for _ in 0..2 {
            let Admission::Pass(token) = breaker.admit(SimTime::ZERO, &mut rng).0 else { panic!("closed") };
            let token = breaker.assign(token, 0);
            breaker.record(SimTime::ZERO, token, Outcome::Error(500), Span::ZERO, &mut rng);
        }
        let later = breaker.next_wake().unwrap();
        breaker.on_wake(later, &mut rng).unwrap();
        let Admission::Pass(token) = breaker.admit(later, &mut rng).0 else { panic!("replica 1 is closed") };
        assert!(breaker.usable(0));
        assert!(breaker.assign(token, 0).is_probe());
        assert!(!breaker.usable(0), "its one request is out");
    }

    #[test]
    fn a_limit_outside_is_a_cancelled_call_to_polly_and_hystrix_and_a_time_out_to_the_others() {
        for index in 0..KINDS {
            let (mut breaker, mut rng) = (Breaker::new(&kind(index), SimTime::ZERO), SplitMix64::new(1));
            for _ in 0..4 {
                if let Admission::Pass(token) = breaker.admit(SimTime::ZERO, &mut rng).0 {
                    let token = breaker.assign(token, 0);
                    breaker.overrun(SimTime::ZERO, token, Span::ZERO, &mut rng);
                }
            }
            let hears = !matches!(breaker, Breaker::Polly(_) | Breaker::Hystrix(_));
            assert_eq!(breaker.state() == State::Open, hears, "{index}");
        }
    }

    #[test]
    fn figures_of_runs_and_intervals_are_those_of_the_calls() {
        for (index, failed) in [(4, 1), (5, 1), (7, 1)] {
            let (mut breaker, mut rng) = (Breaker::new(&kind(index), SimTime::ZERO), SplitMix64::new(1));
            breaker.set_replicas(2, SimTime::ZERO);
            let Admission::Pass(token) = breaker.admit(SimTime::ZERO, &mut rng).0 else { panic!("closed") };
            let token = breaker.assign(token, 1);
            breaker.record(SimTime::ZERO, token, Outcome::Error(500), Span::ZERO, &mut rng);
            let metrics = breaker.metrics(SimTime::ZERO);
            assert_eq!((metrics.calls, metrics.failed), (1, failed), "{index}");
        }
    }

    #[test]
    fn every_kind_s_settings_are_valid_and_opens_when_all_calls_fail() {
        for index in 0..KINDS {
            let config = kind(index);
            assert_eq!(config.check(), Ok(()));
            let (mut breaker, mut rng) = (Breaker::new(&config, SimTime::ZERO), SplitMix64::new(1));
            let mut now = SimTime::ZERO;
            let opened = (0..100).any(|_| {
                now += Span::from_millis(20);
                if let (Admission::Pass(token), _) = breaker.admit(now, &mut rng) {
                    breaker.record(now, token, Outcome::Error(500), Span::ZERO, &mut rng);
                }
                breaker.state() == State::Open
            });
            assert!(opened, "{config:?}");
        }
    }

    proptest! {
        #[test]
        fn every_kind_tells_a_consistent_story_and_lets_itself_be_drained(
            index in 0usize..KINDS,
            replicas in 1usize..4,
            seed in any::<u64>(),
            steps in prop::collection::vec((0u64..400, 0u8..6, any::<bool>()), 1..300),
        ) {
            let (mut now, mut rng) = (SimTime::ZERO, SplitMix64::new(seed));
            let mut breaker = Breaker::new(&kind(index), now);
            breaker.set_replicas(replicas, now);
            let (mut history, mut pending) = (History::default(), vec![]);
            for (ms, step, fails) in steps {
                let end = now + Span::from_millis(ms);
                // Time passes as in a simulation: from wake to wake.
                while let Some(wake) = breaker.next_wake().filter(|wake| *wake <= end) {
                    prop_assert!(wake >= now, "a wake in the past would never end");
                    now = wake;
                    while let Some(transition) = breaker.on_wake(now, &mut rng) {
                        prop_assert!(history.follows(transition), "{:?}", transition);
                    }
                    prop_assert!(breaker.next_wake().is_none_or(|next| next > now), "woken at {:?} for nothing", now);
                }
                now = end;
                let transition = match step {
                    0..3 => {
                        let (admission, transition) = breaker.admit(now, &mut rng);
                        if let Admission::Pass(token) = admission {
                            let usable = (0..replicas).find(|replica| breaker.usable(*replica));
                            pending.push(match usable {
                                Some(replica) => breaker.assign(token, replica),
                                None => token,
                            });
                        }
                        transition
                    }
                    3..5 => pending.pop().and_then(|token| {
                        let outcome = if fails { Outcome::Timeout } else { Outcome::Ok };
                        breaker.record(now, token, outcome, Span::from_millis(ms), &mut rng)
                    }),
                    _ if fails => pending.pop().and_then(|token| breaker.cancel(now, token, &mut rng)),
                    _ => {
                        if let Some(token) = pending.pop() {
                            breaker.release(token);
                        }
                        None
                    }
                };
                if let Some(transition) = transition {
                    prop_assert!(history.follows(transition), "{:?}", transition);
                }
                let metrics = breaker.metrics(now);
                prop_assert!(metrics.failed <= metrics.calls && metrics.slow <= metrics.calls);
            }
        }
    }
}
