//! Envoy's outlier detection (1.40.0), over all replicas of a callee: runs of errors eject a replica at once, success
//! rates and failure percentages at the interval's tick; a replica returns at a tick. What balancers see of it lags
//! behind by the merge window. Active health checks, the local-origin success rate and priorities are not modelled.

use std::collections::VecDeque;

use super::report::{Metrics, Reason, State, Transition};
use super::{Admission, Token};
use crate::check::{Invalid, require};
use crate::window::Counts;
use crate::{Outcome, Random, SimTime, Span};

/// Configuration of [`EnvoyOutlier`]; the defaults are the original's. Shares are per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvoyOutlierConfig {
    /// 5xx in a row that are a detection; 0 for never. Default 5.
    pub consecutive_5xx: u32,
    /// Chance that such a detection ejects. Default 100.
    pub enforcing_consecutive_5xx: u32,
    /// 502, 503 and 504 in a row that are a detection; 0 for never. Default 5.
    pub consecutive_gateway_failure: u32,
    /// Chance that such a detection ejects. Default 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// Whether no connection and no answer are counted apart from the callee's own errors. Default: no, they are 503
    /// and 504.
    pub split_external_local_origin_errors: bool,
    /// Local failures in a row that are a detection, where they are counted apart. Default 5.
    pub consecutive_local_origin_failure: u32,
    /// Chance that such a detection ejects. Default 100.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// Time between ticks. Default 10 s.
    pub interval: Span,
    /// How long the first ejection lasts; the k-th in a row lasts k times as long. Default 30 s.
    pub base_ejection_time: Span,
    /// No ejection lasts longer, but for its jitter; raised to the base. Default 300 s.
    pub max_ejection_time: Span,
    /// What at most is added to an ejection, in whole milliseconds. Default 0.
    pub max_ejection_time_jitter: Span,
    /// Share of replicas that may be ejected at once. Default 10: of fewer than ten replicas none is ever ejected.
    pub max_ejection_percent: u32,
    /// Whether one replica may be ejected whatever that share. Default: no.
    pub always_eject_one_host: bool,
    /// Replicas with enough calls before success rates are compared (`>=`). Default 5.
    pub success_rate_minimum_hosts: u32,
    /// Calls in an interval before a replica's success rate counts (`>=`). Default 100.
    pub success_rate_request_volume: u32,
    /// Thousandths of a standard deviation below the mean at which a replica is an outlier (`<`). Default 1900.
    pub success_rate_stdev_factor: u32,
    /// Chance that such a detection ejects. Default 100.
    pub enforcing_success_rate: u32,
    /// Share of failures from which on (`>=`) a replica is an outlier. Default 85.
    pub failure_percentage_threshold: u32,
    /// Chance that such a detection ejects. Default 0.
    pub enforcing_failure_percentage: u32,
    /// Replicas with enough calls before failure percentages are judged (`>=`). Default 5.
    pub failure_percentage_minimum_hosts: u32,
    /// Calls in an interval before a replica's failure percentage counts (`>=`). Default 50.
    pub failure_percentage_request_volume: u32,
    /// After balancers have seen a change, further ones are kept from them for so long. Default 1 s.
    pub update_merge_window: Span,
    /// Share of usable replicas below which (`<`) all are used. Default 50; 0 for never.
    pub healthy_panic_threshold: f64,
}

impl Default for EnvoyOutlierConfig {
    fn default() -> Self {
        Self {
            consecutive_5xx: 5,
            enforcing_consecutive_5xx: 100,
            consecutive_gateway_failure: 5,
            enforcing_consecutive_gateway_failure: 0,
            split_external_local_origin_errors: false,
            consecutive_local_origin_failure: 5,
            enforcing_consecutive_local_origin_failure: 100,
            interval: Span::from_secs(10),
            base_ejection_time: Span::from_secs(30),
            max_ejection_time: Span::from_secs(300),
            max_ejection_time_jitter: Span::ZERO,
            max_ejection_percent: 10,
            always_eject_one_host: false,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            enforcing_success_rate: 100,
            failure_percentage_threshold: 85,
            enforcing_failure_percentage: 0,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            update_merge_window: Span::from_secs(1),
            healthy_panic_threshold: 50.0,
        }
    }
}

impl EnvoyOutlierConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let shares = [
            (self.enforcing_consecutive_5xx, "enforcing_consecutive_5xx"),
            (self.enforcing_consecutive_gateway_failure, "enforcing_consecutive_gateway_failure"),
            (self.enforcing_consecutive_local_origin_failure, "enforcing_consecutive_local_origin_failure"),
            (self.max_ejection_percent, "max_ejection_percent"),
            (self.enforcing_success_rate, "enforcing_success_rate"),
            (self.failure_percentage_threshold, "failure_percentage_threshold"),
            (self.enforcing_failure_percentage, "enforcing_failure_percentage"),
        ];
        for (share, field) in shares {
            require(share <= 100, field, "at most 100%")?;
        }
        require(self.interval >= Span::from_millis(1), "interval", "at least 1ms")?;
        require(self.base_ejection_time >= Span::from_millis(1), "base_ejection_time", "at least 1ms")?;
        let panic = self.healthy_panic_threshold;
        require((0.0..=100.0).contains(&panic), "healthy_panic_threshold", "from 0% to 100%")
    }

    fn longest(&self) -> Span {
        self.max_ejection_time.max(self.base_ejection_time)
    }

    /// Whether one more replica may be ejected.
    fn allows(&self, ejected: usize, hosts: usize) -> bool {
        let share = 100.0 * (ejected + 1) as f64 / hosts as f64;
        share <= f64::from(self.max_ejection_percent) || (self.always_eject_one_host && ejected == 0)
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct EnvoyOutlier {
    config: EnvoyOutlierConfig,
    hosts: Vec<Host>,
    ejected: usize,
    /// Replicas that balancers take for usable.
    seen_usable: usize,
    tick: SimTime,
    /// What a tick has changed and nobody has been told yet.
    untold: VecDeque<Transition>,
    last_shown: Option<SimTime>,
    show_at: Option<SimTime>,
    stats: OutlierStats,
    not_permitted: u64,
}

/// What outlier detection has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutlierStats {
    /// Detections of any kind.
    pub detected: u64,
    /// Ejections carried out.
    pub enforced: u64,
    /// Detections that the share of ejected replicas kept from ejecting.
    pub overflow: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    in_a_row_5xx: u32,
    in_a_row_gateway: u32,
    in_a_row_local: u32,
    current: Counts,
    finished: Counts,
    ejection: Option<Ejection>,
    returned: Option<SimTime>,
    /// What the base is multiplied with for the next return.
    backoff: u32,
    seen_ejected: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ejection {
    since: SimTime,
    jitter: Span,
}

impl EnvoyOutlier {
    /// Detection over one replica; its first tick comes one interval after `now`.
    pub fn new(config: EnvoyOutlierConfig, now: SimTime) -> Self {
        Self {
            config,
            hosts: vec![Host::default()],
            ejected: 0,
            seen_usable: 1,
            tick: now + config.interval,
            untold: VecDeque::new(),
            last_shown: None,
            show_at: None,
            stats: OutlierStats::default(),
            not_permitted: 0,
        }
    }

    /// Watches `replicas` replicas from now on; new ones are usable, the last ones are forgotten first.
    pub fn set_replicas(&mut self, replicas: usize) {
        self.hosts.resize(replicas, Host::default());
        self.ejected = self.hosts.iter().filter(|host| host.ejection.is_some()).count();
        self.seen_usable = self.hosts.iter().filter(|host| !host.seen_ejected).count();
    }

    /// Whether a call may go on: some replica is usable. Where there is but one, the call takes it.
    pub fn admit(&mut self) -> Admission {
        if self.seen_usable == 0 && !self.panics() {
            self.not_permitted += 1;
            return Admission::Reject;
        }
        let token = Token::of(0);
        Admission::Pass(if self.hosts.len() == 1 { Token { replica: 0, ..token } } else { token })
    }

    /// Whether `replica` may be picked, as balancers see it.
    pub fn usable(&self, replica: usize) -> bool {
        self.hosts.get(replica).is_some_and(|host| !host.seen_ejected) || self.panics()
    }

    /// Whether so few replicas are usable that all are used.
    pub fn panics(&self) -> bool {
        crate::balancer::panics(self.seen_usable, self.hosts.len(), self.config.healthy_panic_threshold)
    }

    /// Takes in the result of a call to the replica it was assigned to.
    pub fn record(
        &mut self,
        now: SimTime,
        token: Token,
        outcome: Outcome,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        if now >= self.tick && self.is_idle() {
            self.skip_to(now);
        }
        let replica = token.replica as usize;
        let host = self.hosts.get_mut(replica)?;
        let detections = host.count(&self.config, outcome);
        // A replica that is out keeps counting past its limit, until its return resets it.
        if host.ejection.is_some() {
            return None;
        }
        let mut transition = None;
        for (run, _) in Run::ALL.into_iter().zip(detections).filter(|(_, detected)| *detected) {
            let reason = Reason::Consecutive(run.reset(&mut self.hosts[replica]));
            if self.hosts[replica].ejection.is_none() {
                transition = self.detect(now, replica, run.enforcing(&self.config), reason, rng);
            }
        }
        transition
    }

    /// The next tick, while it has something to do, or the end of the merge window.
    pub fn next_wake(&self) -> Option<SimTime> {
        let tick = (!self.is_idle()).then_some(self.tick);
        [tick, self.show_at].into_iter().flatten().min()
    }

    /// The next change that time alone brings: a replica's return or ejection at a tick.
    pub fn on_wake(&mut self, now: SimTime, rng: &mut impl Random) -> Option<Transition> {
        if self.show_at.is_some_and(|at| now >= at) {
            self.show(now);
        }
        if self.untold.is_empty() && now >= self.tick {
            self.tick(now, rng);
        }
        self.untold.pop_front()
    }

    /// Open if all replicas are out, else closed.
    pub fn state(&self) -> State {
        if self.ejected == self.hosts.len() { State::Open } else { State::Closed }
    }

    /// The state of one replica: open while it is ejected.
    pub fn state_of(&self, replica: usize) -> Option<State> {
        self.hosts.get(replica).map(|host| if host.ejection.is_some() { State::Open } else { State::Closed })
    }

    /// The calls of the present interval over all replicas.
    pub fn metrics(&self) -> Metrics {
        let mut sum = Counts::default();
        self.hosts.iter().for_each(|host| sum.add(host.current));
        Metrics { calls: sum.calls, failed: sum.failed, not_permitted: self.not_permitted, ..Metrics::default() }
    }

    /// What has been detected and done so far.
    pub fn stats(&self) -> OutlierStats {
        self.stats
    }

    /// Whether a tick would change nothing.
    fn is_idle(&self) -> bool {
        let idle = |host: &Host| {
            host.ejection.is_none() && host.backoff == 0 && host.current.calls == 0 && host.finished.calls == 0
        };
        self.hosts.iter().all(idle)
    }

    /// Sets the next tick to the first on the grid after `now`.
    fn skip_to(&mut self, now: SimTime) {
        let passed = (now - self.tick).as_nanos() / self.config.interval.as_nanos().max(1);
        self.tick += self.config.interval * (passed + 1);
    }

    /// Returns, then ejections by success rate, then by failure percentage, then lower back-offs.
    fn tick(&mut self, now: SimTime, rng: &mut impl Random) {
        for replica in 0..self.hosts.len() {
            let host = &mut self.hosts[replica];
            host.finished = core::mem::take(&mut host.current);
            self.return_if_due(now, replica);
        }
        let threshold = self.success_threshold();
        let percentages = self.rates(self.config.failure_percentage_request_volume).count();
        if let Some((hosts, threshold)) = threshold {
            self.eject_low_success(now, hosts, threshold, rng);
        }
        if percentages >= self.config.failure_percentage_minimum_hosts as usize {
            self.eject_high_failure(now, rng);
        }
        for host in &mut self.hosts {
            let settled = host.returned.is_some_and(|at| now - at >= self.config.interval);
            if host.ejection.is_none() && settled {
                host.backoff = host.backoff.saturating_sub(1);
            }
        }
        self.skip_to(now);
    }

    fn return_if_due(&mut self, now: SimTime, replica: usize) {
        let host = &mut self.hosts[replica];
        let Some(ejection) = host.ejection else { return };
        let out = (self.config.base_ejection_time * u64::from(host.backoff)).min(self.config.longest());
        if now - ejection.since < out + ejection.jitter {
            return;
        }
        (host.ejection, host.returned) = (None, Some(now));
        for run in Run::ALL {
            run.reset(host);
        }
        self.ejected -= 1;
        self.changed(now);
        let why = Reason::OpenFor(now - ejection.since).into();
        let (from, to) = (State::Open, State::Closed);
        self.untold.push_back(Transition { from, to, why, replica: Some(replica as u32) });
    }

    /// The success rate in per cent of a replica that is in and had `volume` calls in the finished interval.
    fn rate(&self, replica: usize, volume: u32) -> Option<f64> {
        let host = &self.hosts[replica];
        let Counts { calls, failed, .. } = host.finished;
        let judged = host.ejection.is_none() && calls > 0 && calls >= volume;
        judged.then(|| f64::from(calls - failed) * 100.0 / f64::from(calls))
    }

    fn rates(&self, volume: u32) -> impl Iterator<Item = f64> + Clone + '_ {
        (0..self.hosts.len()).filter_map(move |replica| self.rate(replica, volume))
    }

    /// How many success rates there are, and their mean less so many standard deviations; `None` if they are too few.
    fn success_threshold(&self) -> Option<(u32, f64)> {
        let rates = self.rates(self.config.success_rate_request_volume);
        let hosts = rates.clone().count() as u32;
        if hosts == 0 || hosts < self.config.success_rate_minimum_hosts {
            return None;
        }
        let mean = rates.clone().sum::<f64>() / f64::from(hosts);
        let variance = rates.map(|rate| rate - mean).map(|off| off * off).sum::<f64>() / f64::from(hosts);
        let factor = f64::from(self.config.success_rate_stdev_factor) / 1000.0;
        Some((hosts, mean - factor * libm::sqrt(variance)))
    }

    fn eject_low_success(&mut self, now: SimTime, hosts: u32, threshold: f64, rng: &mut impl Random) {
        let EnvoyOutlierConfig { success_rate_request_volume: volume, enforcing_success_rate: enforcing, .. } =
            self.config;
        for replica in 0..self.hosts.len() {
            if let Some(rate) = self.rate(replica, volume).filter(|rate| *rate < threshold) {
                let reason = Reason::Outlier { rate: rate as f32, threshold: threshold as f32, replicas: hosts };
                let ejection = self.detect(now, replica, enforcing, reason, rng);
                self.untold.extend(ejection);
            }
        }
    }

    fn eject_high_failure(&mut self, now: SimTime, rng: &mut impl Random) {
        let EnvoyOutlierConfig { failure_percentage_request_volume: volume, failure_percentage_threshold, .. } =
            self.config;
        let threshold = f64::from(failure_percentage_threshold);
        for replica in 0..self.hosts.len() {
            let failed = self.rate(replica, volume).map(|rate| 100.0 - rate);
            if let Some(rate) = failed.filter(|rate| *rate >= threshold) {
                let calls = self.hosts[replica].finished.calls;
                let reason = Reason::FailureRate { rate: rate as f32, threshold: threshold as f32, calls };
                let ejection = self.detect(now, replica, self.config.enforcing_failure_percentage, reason, rng);
                self.untold.extend(ejection);
            }
        }
    }

    /// Ejects `replica`, unless too many are out already or the chance `enforcing` is against it.
    fn detect(
        &mut self,
        now: SimTime,
        replica: usize,
        enforcing: u32,
        reason: Reason,
        rng: &mut impl Random,
    ) -> Option<Transition> {
        self.stats.detected += 1;
        if !self.config.allows(self.ejected, self.hosts.len()) {
            self.stats.overflow += 1;
            return None;
        }
        if rng.below(100) >= u64::from(enforcing) {
            return None;
        }
        self.stats.enforced += 1;
        self.ejected += 1;
        let jitter = Span::from_millis(rng.below(self.config.max_ejection_time_jitter.as_millis() + 1));
        let host = &mut self.hosts[replica];
        host.ejection = Some(Ejection { since: now, jitter });
        let base = self.config.base_ejection_time;
        if base * u64::from(host.backoff) < self.config.longest() + base {
            host.backoff += 1;
        }
        self.changed(now);
        Some(Transition { from: State::Closed, to: State::Open, why: reason.into(), replica: Some(replica as u32) })
    }

    /// Shows a change to balancers: at once, or at the end of the merge window.
    fn changed(&mut self, now: SimTime) {
        let opens = self.last_shown.map(|at| at + self.config.update_merge_window);
        match opens.filter(|at| now < *at) {
            Some(at) => self.show_at = Some(at),
            None => self.show(now),
        }
    }

    fn show(&mut self, now: SimTime) {
        for host in &mut self.hosts {
            host.seen_ejected = host.ejection.is_some();
        }
        self.seen_usable = self.hosts.len() - self.ejected;
        (self.last_shown, self.show_at) = (Some(now), None);
    }
}

/// The runs that are watched.
#[derive(Clone, Copy, Debug)]
enum Run {
    Gateway,
    Server,
    Local,
}

impl Run {
    const ALL: [Self; 3] = [Self::Gateway, Self::Server, Self::Local];

    const fn enforcing(self, config: &EnvoyOutlierConfig) -> u32 {
        match self {
            Self::Gateway => config.enforcing_consecutive_gateway_failure,
            Self::Server => config.enforcing_consecutive_5xx,
            Self::Local => config.enforcing_consecutive_local_origin_failure,
        }
    }

    /// Ends the run and gives its length.
    fn reset(self, host: &mut Host) -> u32 {
        core::mem::take(match self {
            Self::Gateway => &mut host.in_a_row_gateway,
            Self::Server => &mut host.in_a_row_5xx,
            Self::Local => &mut host.in_a_row_local,
        })
    }
}

impl Host {
    /// Counts a result; which runs thereby equal their limits, in the order of [`Run::ALL`].
    fn count(&mut self, config: &EnvoyOutlierConfig, outcome: Outcome) -> [bool; 3] {
        let local = matches!(outcome, Outcome::Timeout | Outcome::Refused);
        if outcome == Outcome::BreakerOpen {
            return [false; 3];
        }
        if config.split_external_local_origin_errors {
            self.in_a_row_local = if local { self.in_a_row_local + 1 } else { 0 };
            if local {
                return [false, false, self.in_a_row_local == config.consecutive_local_origin_failure];
            }
        }
        let status = outcome.status();
        self.current.add(Counts::one(status >= 500, false));
        if status < 500 {
            (self.in_a_row_5xx, self.in_a_row_gateway) = (0, 0);
            return [false; 3];
        }
        self.in_a_row_5xx += 1;
        let gateway = (502..=504).contains(&status);
        self.in_a_row_gateway = if gateway { self.in_a_row_gateway + 1 } else { 0 };
        let gateway_run = gateway && self.in_a_row_gateway == config.consecutive_gateway_failure;
        [gateway_run, self.in_a_row_5xx == config.consecutive_5xx, false]
    }
}

#[cfg(test)]
mod tests {
    use super::super::stepper::{FAIL, MS};
    use super::*;
    use crate::SplitMix64;
    use crate::balancer::tests::assert_share;

    /// Ticks of 1 s, ejections of k seconds, changes seen at once.
    fn config() -> EnvoyOutlierConfig {
        EnvoyOutlierConfig {
            interval: MS(1_000),
            base_ejection_time: MS(1_000),
            max_ejection_percent: 100,
            update_merge_window: Span::ZERO,
            healthy_panic_threshold: 0.0,
            ..EnvoyOutlierConfig::default()
        }
    }

    struct Cluster {
        outlier: EnvoyOutlier,
        rng: SplitMix64,
    }

    impl Cluster {
        fn new(config: EnvoyOutlierConfig, replicas: usize) -> Self {
            assert_eq!(config.check(), Ok(()));
            let mut outlier = EnvoyOutlier::new(config, SimTime::ZERO);
            outlier.set_replicas(replicas);
            Self { outlier, rng: SplitMix64::new(1) }
        }

        fn results(&mut self, ms: u64, replica: usize, times: u32, outcome: Outcome) -> Option<Transition> {
            let token = Token { replica: replica as u32, ..Token::of(0) };
            let now = SimTime::ZERO + MS(ms);
            (0..times).filter_map(|_| self.outlier.record(now, token, outcome, &mut self.rng)).last()
        }

        /// The replicas that time alone ejects (true) or returns until `ms`, with the time of each change.
        fn run_until(&mut self, ms: u64) -> Vec<(u64, u32, bool)> {
            let mut changes = vec![];
            while let Some(wake) = self.outlier.next_wake().filter(|wake| *wake <= SimTime::ZERO + MS(ms)) {
                while let Some(t) = self.outlier.on_wake(wake, &mut self.rng) {
                    changes.push(((wake - SimTime::ZERO).as_millis(), t.replica.unwrap(), t.to == State::Open));
                }
            }
            changes
        }

        fn usable(&self) -> Vec<bool> {
            (0..self.outlier.hosts.len()).map(|replica| self.outlier.usable(replica)).collect()
        }
    }

    #[test]
    fn a_run_fires_when_it_equals_its_limit_and_a_success_breaks_it() {
        let mut c = Cluster::new(config(), 2);
        assert_eq!(c.results(0, 0, 4, FAIL), None);
        c.results(0, 0, 1, Outcome::Ok);
        assert_eq!(c.results(0, 0, 4, FAIL), None);
        let ejection = c.results(0, 0, 1, FAIL).unwrap();
        assert_eq!(
            (ejection.replica, ejection.to, ejection.why.reason),
            (Some(0), State::Open, Reason::Consecutive(5))
        );
        assert_eq!(c.usable(), [false, true]);
        let states = [0, 1, 2].map(|replica| c.outlier.state_of(replica));
        assert_eq!(states, [Some(State::Open), Some(State::Closed), None]);
    }

    #[test]
    fn a_500_ends_a_run_of_gateway_failures_but_not_one_of_5xx() {
        let gateway = EnvoyOutlierConfig {
            enforcing_consecutive_gateway_failure: 100,
            enforcing_consecutive_5xx: 0,
            consecutive_5xx: 9,
            ..config()
        };
        let mut c = Cluster::new(gateway, 2);
        c.results(0, 0, 4, Outcome::Error(502));
        c.results(0, 0, 1, FAIL);
        assert_eq!(c.results(0, 0, 3, Outcome::Timeout), None);
        // The ninth 5xx in a row is a detection, though it is not enforced; the fifth gateway failure ejects.
        assert_eq!(c.results(0, 0, 1, Outcome::Refused), None);
        assert_eq!(c.outlier.stats(), OutlierStats { detected: 1, enforced: 0, overflow: 0 });
        assert!(c.results(0, 0, 1, Outcome::Error(504)).is_some());
    }

    #[test]
    fn a_limit_of_zero_never_fires() {
        let mut c = Cluster::new(EnvoyOutlierConfig { consecutive_5xx: 0, ..config() }, 2);
        assert_eq!(c.results(0, 0, 1_000, FAIL), None);
        assert_eq!(c.outlier.stats().detected, 0);
    }

    #[test]
    fn local_failures_have_their_own_run_if_they_are_split_off() {
        let split = EnvoyOutlierConfig { split_external_local_origin_errors: true, consecutive_5xx: 3, ..config() };
        let mut c = Cluster::new(split, 2);
        c.results(0, 0, 2, FAIL);
        assert_eq!(c.results(0, 0, 4, Outcome::Timeout), None);
        assert!(c.results(0, 0, 1, Outcome::Refused).is_some());
        assert!(c.results(0, 1, 3, FAIL).is_some());
    }

    #[test]
    fn ejections_stay_within_their_share_as_in_the_real_proxy() {
        // Four replicas; bad ones, share allowed, ejected.
        let table = [(4, 10, 0), (4, 25, 1), (2, 49, 1), (2, 50, 2), (4, 100, 4)];
        for (bad, max_ejection_percent, ejected) in table {
            let mut c = Cluster::new(EnvoyOutlierConfig { max_ejection_percent, ..config() }, 4);
            for replica in 0..bad {
                c.results(0, replica, 5, FAIL);
            }
            let out = c.usable().iter().filter(|usable| !**usable).count();
            assert_eq!(out, ejected, "{bad} bad of 4, at most {max_ejection_percent} %");
        }
    }

    #[test]
    fn a_refused_ejection_is_an_overflow_and_resets_the_run() {
        let mut c = Cluster::new(EnvoyOutlierConfig { max_ejection_percent: 10, ..config() }, 4);
        for replica in 0..4 {
            c.results(0, replica, 25, FAIL);
        }
        assert_eq!(c.outlier.stats(), OutlierStats { detected: 20, enforced: 0, overflow: 20 });
    }

    #[test]
    fn one_replica_may_always_go_if_told_so() {
        let mut c =
            Cluster::new(EnvoyOutlierConfig { max_ejection_percent: 10, always_eject_one_host: true, ..config() }, 4);
        assert!(c.results(0, 0, 5, FAIL).is_some());
        assert!(c.results(0, 1, 5, FAIL).is_none());
        assert_eq!(c.outlier.stats(), OutlierStats { detected: 2, enforced: 1, overflow: 1 });
    }

    #[test]
    fn a_replica_returns_at_the_first_tick_after_a_time_that_grows() {
        let mut c = Cluster::new(config(), 2);
        let mut at = 200;
        for out in [1_800, 2_800, 3_800, 4_800] {
            assert!(c.results(at, 0, 5, FAIL).is_some());
            assert_eq!(c.run_until(at + out), [(at + out, 0, false)]);
            at += out + 200;
        }
    }

    #[test]
    fn time_out_that_equals_the_tick_is_enough() {
        let mut c = Cluster::new(config(), 2);
        c.results(1_000, 0, 5, FAIL);
        assert_eq!(c.run_until(5_000), [(2_000, 0, false)]);
    }

    #[test]
    fn ejections_last_no_longer_than_their_maximum_and_shorten_while_a_replica_behaves() {
        let longest = EnvoyOutlierConfig { max_ejection_time: MS(2_000), ..config() };
        let mut c = Cluster::new(longest, 2);
        let mut at = 0;
        for out in [1_000, 2_000, 2_000, 2_000] {
            c.results(at, 0, 5, FAIL);
            assert_eq!(c.run_until(at + out), [(at + out, 0, false)], "{out}");
            at += out;
        }
        // The counter grew to 3, past which 3 · base < max + base no longer holds; two ticks bring it to 1.
        assert_eq!(c.outlier.hosts[0].backoff, 3);
        assert_eq!(c.run_until(at + 2_000), []);
        assert_eq!(c.outlier.hosts[0].backoff, 1);
        c.results(at + 2_000, 0, 5, FAIL);
        assert_eq!(c.run_until(at + 9_000), [(at + 4_000, 0, false)]);
    }

    #[test]
    fn the_longest_ejection_is_never_shorter_than_the_base() {
        let base = EnvoyOutlierConfig { base_ejection_time: Span::from_secs(400), interval: MS(1_000), ..config() };
        for (max, longest) in [(300, 400), (400, 400), (401, 401)] {
            let config = EnvoyOutlierConfig { max_ejection_time: Span::from_secs(max), ..base };
            assert_eq!(config.longest(), Span::from_secs(longest), "{max}");
        }
        let mut c = Cluster::new(base, 2);
        c.results(0, 0, 5, FAIL);
        assert_eq!(c.run_until(500_000), [(400_000, 0, false)]);
    }

    #[test]
    fn jitter_prolongs_an_ejection_by_whole_milliseconds() {
        let jittered = EnvoyOutlierConfig { max_ejection_time_jitter: MS(3), interval: MS(1), ..config() };
        let mut outs = [0; 4];
        for seed in 0..4_000 {
            let mut c = Cluster::new(jittered, 2);
            c.rng = SplitMix64::new(seed);
            c.results(0, 0, 5, FAIL);
            let returned = c.run_until(2_000)[0].0;
            outs[(returned - 1_000) as usize] += 1;
        }
        for count in outs {
            assert_share(count, 4_000, 0.25);
        }
    }

    #[test]
    fn enforcing_is_a_chance() {
        let mut ejected = 0;
        for seed in 0..4_000 {
            let mut c = Cluster::new(EnvoyOutlierConfig { enforcing_consecutive_5xx: 30, ..config() }, 2);
            c.rng = SplitMix64::new(seed);
            ejected += usize::from(c.results(0, 0, 5, FAIL).is_some());
        }
        assert_share(ejected, 4_000, 0.3);
    }

    /// Five replicas that answered a hundred calls each; the first failed so many.
    fn interval_of(failed: u32, config: EnvoyOutlierConfig) -> Vec<(u64, u32, bool)> {
        let mut c = Cluster::new(EnvoyOutlierConfig { consecutive_5xx: 0, ..config }, 5);
        for replica in 0..5 {
            let bad = if replica == 0 { failed } else { 0 };
            c.results(500, replica, 100 - bad, Outcome::Ok);
            c.results(500, replica, bad, FAIL);
        }
        c.run_until(1_000)
    }

    #[test]
    fn a_low_success_rate_ejects_at_the_tick() {
        // Rates 50, 100, 100, 100, 100: mean 90, deviation 20, threshold 90 - 1.9 * 20 = 52.
        assert_eq!(interval_of(50, config()), [(1_000, 0, true)]);
        // With a factor of 2 the threshold is 50 itself, which is not below.
        let equal = EnvoyOutlierConfig { success_rate_stdev_factor: 2_000, ..config() };
        assert_eq!(interval_of(50, equal), []);
        let more_calls = EnvoyOutlierConfig { success_rate_request_volume: 101, ..config() };
        assert_eq!(interval_of(50, more_calls), []);
        let more_hosts = EnvoyOutlierConfig { success_rate_minimum_hosts: 6, ..config() };
        assert_eq!(interval_of(50, more_hosts), []);
    }

    #[test]
    fn a_replica_without_calls_has_no_rate_even_if_none_are_needed() {
        let none_needed = EnvoyOutlierConfig {
            success_rate_request_volume: 0,
            success_rate_minimum_hosts: 2,
            consecutive_5xx: 0,
            ..config()
        };
        let mut c = Cluster::new(none_needed, 3);
        c.results(500, 0, 1, FAIL);
        c.run_until(1_000);
        assert_eq!(c.outlier.stats().detected, 0, "one replica alone is no outlier");
        let mut c = Cluster::new(EnvoyOutlierConfig { success_rate_stdev_factor: 0, ..none_needed }, 3);
        c.results(500, 0, 1, FAIL);
        c.results(500, 1, 1, Outcome::Ok);
        assert_eq!(c.run_until(1_000), [(1_000, 0, true)], "and the third has no part in the mean");
    }

    #[test]
    fn a_failure_percentage_that_equals_its_threshold_ejects_at_the_tick() {
        let by_failure =
            EnvoyOutlierConfig { enforcing_success_rate: 0, enforcing_failure_percentage: 100, ..config() };
        assert_eq!(interval_of(85, by_failure), [(1_000, 0, true)]);
        assert_eq!(interval_of(84, by_failure), []);
        let more_calls = EnvoyOutlierConfig { failure_percentage_request_volume: 101, ..by_failure };
        assert_eq!(interval_of(85, more_calls), []);
        let hosts = |least| EnvoyOutlierConfig { failure_percentage_minimum_hosts: least, ..by_failure };
        assert_eq!(interval_of(85, hosts(5)), [(1_000, 0, true)]);
        assert_eq!(interval_of(85, hosts(6)), []);
    }

    /// So many calls to each of five replicas by this time; of those to the first every other one fails.
    fn half_bad(c: &mut Cluster, ms: u64, calls: u32) {
        for _ in 0..calls / 2 {
            c.results(ms, 0, 1, Outcome::Ok);
            c.results(ms, 0, 1, FAIL);
        }
        (1..5).for_each(|replica| assert_eq!(c.results(ms, replica, calls, Outcome::Ok), None));
    }

    #[test]
    fn a_replica_that_a_tick_ejects_is_out_for_longer_before_that_tick_could_shorten_it() {
        let mut c = Cluster::new(config(), 5);
        c.results(200, 0, 5, FAIL);
        assert_eq!(c.run_until(2_000), [(2_000, 0, false)]);
        half_bad(&mut c, 2_500, 100);
        // It has been in for the interval, but is out again before back-offs are lowered: for 2 s, not for 1 s.
        assert_eq!(c.run_until(3_000), [(3_000, 0, true)]);
        assert_eq!(c.run_until(9_000), [(5_000, 0, false)]);
    }

    #[test]
    fn success_rates_are_compared_before_failure_percentages() {
        let both =
            EnvoyOutlierConfig { enforcing_failure_percentage: 100, failure_percentage_threshold: 50, ..config() };
        let mut c = Cluster::new(both, 5);
        half_bad(&mut c, 500, 100);
        let ejection = c.outlier.on_wake(SimTime::ZERO + MS(1_000), &mut c.rng).unwrap();
        assert!(matches!(ejection.why.reason, Reason::Outlier { .. }), "{ejection:?}");
        assert_eq!(c.outlier.stats().detected, 1, "and who is out already is not detected twice");
    }

    #[test]
    fn who_returns_at_a_tick_is_judged_at_that_very_tick() {
        let few = EnvoyOutlierConfig { success_rate_request_volume: 10, ..config() };
        let mut c = Cluster::new(few, 5);
        c.results(200, 0, 5, FAIL);
        assert_eq!(c.run_until(1_000), []);
        // Late answers count in the interval at whose end it returns.
        half_bad(&mut c, 1_500, 10);
        assert_eq!(c.run_until(2_000), [(2_000, 0, false), (2_000, 0, true)]);
    }

    #[test]
    fn whether_too_many_are_out_is_asked_before_chance_is() {
        let never = EnvoyOutlierConfig { enforcing_consecutive_5xx: 0, max_ejection_percent: 10, ..config() };
        let mut c = Cluster::new(never, 4);
        let before = c.rng.clone();
        assert!(c.results(0, 0, 5, FAIL).is_none());
        assert_eq!(c.outlier.stats(), OutlierStats { detected: 1, enforced: 0, overflow: 1 });
        assert_eq!(c.rng.next_u64(), before.clone().next_u64(), "nothing is drawn");
    }

    #[test]
    fn any_answer_ends_a_local_run_and_without_the_split_there_is_none() {
        let split = EnvoyOutlierConfig {
            split_external_local_origin_errors: true,
            consecutive_local_origin_failure: 3,
            consecutive_5xx: 100,
            ..config()
        };
        for answer in [FAIL, Outcome::Ok] {
            let mut c = Cluster::new(split, 2);
            c.results(0, 0, 2, Outcome::Timeout);
            c.results(0, 0, 1, answer);
            assert!(c.results(0, 0, 2, Outcome::Refused).is_none(), "{answer:?}");
            assert!(c.results(0, 0, 1, Outcome::Timeout).is_some(), "{answer:?}");
        }
        let mut c = Cluster::new(EnvoyOutlierConfig { split_external_local_origin_errors: false, ..split }, 2);
        assert!(c.results(0, 0, 99, Outcome::Timeout).is_none());
        assert!(c.results(0, 0, 1, Outcome::Timeout).is_some(), "as the hundredth 5xx");
    }

    #[test]
    fn a_replica_ejected_180_ms_after_its_return_fails_29_calls_with_the_merge_window_and_5_without() {
        // As measured with the real proxy: a call every 34 ms, all of which fail.
        for (update_merge_window, wanted) in [(MS(1_000), 29), (Span::ZERO, 5)] {
            let mut c = Cluster::new(EnvoyOutlierConfig { update_merge_window, ..config() }, 2);
            c.results(200, 0, 5, FAIL);
            assert_eq!(c.run_until(2_000), [(2_000, 0, false)]);
            let mut failed = 0;
            for ms in (2_000..4_000).step_by(34).skip(1) {
                c.run_until(ms);
                if c.outlier.usable(0) {
                    failed += 1;
                    c.results(ms, 0, 1, FAIL);
                }
            }
            assert_eq!(failed, wanted, "{update_merge_window}");
        }
    }

    #[test]
    fn failures_in_a_row_are_counted_anew_after_a_return() {
        let mut c = Cluster::new(config(), 2);
        assert!(c.results(200, 0, 5, FAIL).is_some());
        c.results(500, 0, 3, FAIL);
        assert_eq!(c.run_until(2_000), [(2_000, 0, false)]);
        assert!(c.results(2_100, 0, 4, FAIL).is_none());
        assert!(c.results(2_100, 0, 1, FAIL).is_some());
    }

    #[test]
    fn balancers_see_a_second_change_only_after_the_merge_window() {
        let merged = EnvoyOutlierConfig { update_merge_window: MS(1_000), ..config() };
        let mut c = Cluster::new(merged, 2);
        c.results(200, 0, 5, FAIL);
        assert_eq!(c.usable(), [false, true]);
        assert_eq!(c.run_until(2_000), [(2_000, 0, false)]);
        assert_eq!(c.usable(), [true, true]);
        // Ejected again 180 ms after its return, it goes on getting calls until a second after that return.
        assert!(c.results(2_180, 0, 5, FAIL).is_some());
        assert_eq!(c.usable(), [true, true]);
        c.run_until(2_999);
        assert_eq!(c.usable(), [true, true]);
        c.run_until(3_000);
        assert_eq!(c.usable(), [false, true]);
    }

    #[test]
    fn all_are_used_in_a_panic_and_none_without_one() {
        for (threshold, admitted) in [(50.0, true), (0.0, false)] {
            let mut c = Cluster::new(EnvoyOutlierConfig { healthy_panic_threshold: threshold, ..config() }, 2);
            c.results(0, 0, 5, FAIL);
            assert_eq!(c.usable(), [false, true], "half of them is enough");
            c.results(0, 1, 5, FAIL);
            assert_eq!(c.usable(), [admitted; 2]);
            assert_eq!(c.outlier.admit() != Admission::Reject, admitted);
        }
    }

    #[test]
    fn quiet_replicas_need_no_tick_and_a_later_tick_is_on_the_grid() {
        let mut c = Cluster::new(config(), 2);
        assert_eq!(c.outlier.next_wake(), None);
        c.results(7_300, 0, 1, Outcome::Ok);
        assert_eq!(c.outlier.next_wake(), Some(SimTime::ZERO + MS(8_000)));
        assert_eq!(c.run_until(60_000), []);
        assert_eq!(c.outlier.next_wake(), None);
    }

    #[test]
    fn replicas_that_leave_take_their_ejection_with_them() {
        let mut c = Cluster::new(config(), 3);
        c.results(0, 2, 5, FAIL);
        c.outlier.set_replicas(2);
        assert_eq!((c.outlier.ejected, c.usable()), (0, vec![true, true]));
        c.outlier.set_replicas(3);
        assert_eq!(c.usable(), [true; 3]);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = EnvoyOutlierConfig::default();
        let table = [
            (EnvoyOutlierConfig { max_ejection_percent: 101, ..base }, "max_ejection_percent"),
            (EnvoyOutlierConfig { enforcing_success_rate: 101, ..base }, "enforcing_success_rate"),
            (EnvoyOutlierConfig { interval: Span::ZERO, ..base }, "interval"),
            (EnvoyOutlierConfig { base_ejection_time: Span::ZERO, ..base }, "base_ejection_time"),
            (EnvoyOutlierConfig { healthy_panic_threshold: 101.0, ..base }, "healthy_panic_threshold"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
