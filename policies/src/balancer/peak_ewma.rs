//! Peak-EWMA (Finagle 4feb34c, tower 0.5.3, linkerd2-proxy 29637b6): of two replicas the one whose latency, times what
//! it has to do, is less. The latency rises with a peak at once and comes down by exponential decay, also while nothing
//! is heard.

use super::Replicas;
use super::least_request::distinct;
use crate::check::{Invalid, require};
use crate::{Random, SimTime, Span};

/// Configuration of the peak-EWMA balancer; the defaults are Linkerd's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakEwmaConfig {
    /// The latency of a replica that has not answered yet. Default 30 ms (tower: 1 s).
    pub default_rtt: Span,
    /// The time in which a latency decays to 1/e. Default 10 s.
    pub decay: Span,
    /// Distinct replicas that are compared, at most 8. Default 2.
    pub choices: u32,
    /// Whether a replica that has not answered yet, but has been asked, is the last choice, as in Finagle. Default: no.
    pub penalize_unknown: bool,
}

impl Default for PeakEwmaConfig {
    fn default() -> Self {
        let (default_rtt, decay) = (Span::from_millis(30), Span::from_secs(10));
        Self { default_rtt, decay, choices: 2, penalize_unknown: false }
    }
}

impl PeakEwmaConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(!self.decay.is_zero(), "decay", "more than 0s")?;
        require((1..=8).contains(&self.choices), "choices", "from 1 to 8")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct PeakEwma {
    config: PeakEwmaConfig,
    estimates: Vec<Estimate>,
}

/// A replica's latency in nanoseconds, as of `at`.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    ewma: f64,
    at: SimTime,
    known: bool,
}

/// What Finagle adds for a replica that owes its first answer, in nanoseconds: more than any latency, and little enough
/// that requests under way still count beside it.
const PENALTY: f64 = (i64::MAX >> 16) as f64;

impl PeakEwma {
    /// A machine that knows no replica.
    pub fn new(config: PeakEwmaConfig) -> Self {
        Self { config, estimates: vec![] }
    }

    /// Forgets what it knows of replicas from number `replicas` on, and begins with the default for new ones.
    pub fn set_replicas(&mut self, now: SimTime, replicas: usize) {
        let ewma = self.config.default_rtt.as_nanos() as f64;
        self.estimates.resize(replicas, Estimate { ewma, at: now, known: false });
    }

    /// The cheapest of a few replicas. Reading a latency lets it decay.
    pub fn pick(&mut self, now: SimTime, replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
        if self.estimates.len() != replicas.len() {
            self.set_replicas(now, replicas.len());
        }
        let PeakEwmaConfig { choices, decay, penalize_unknown, .. } = self.config;
        let estimates = &mut self.estimates;
        distinct(choices, replicas, rng, |i| {
            let (estimate, pending) = (&mut estimates[i], f64::from(replicas.pending(i)));
            if penalize_unknown && !estimate.known && pending > 0.0 {
                return PENALTY + pending;
            }
            estimate.update(now, 0.0, decay);
            estimate.ewma * (pending + 1.0)
        })
    }

    /// An attempt at `replica` was answered after `latency`.
    pub fn record(&mut self, now: SimTime, replica: usize, latency: Span) {
        if let Some(estimate) = self.estimates.get_mut(replica) {
            estimate.update(now, latency.as_nanos() as f64, self.config.decay);
            estimate.known = true;
        }
    }
}

impl Estimate {
    fn update(&mut self, now: SimTime, rtt: f64, decay: Span) {
        if rtt > self.ewma {
            self.ewma = rtt;
        } else {
            let elapsed = (now - self.at).as_nanos() as f64;
            let weight = libm::exp(-elapsed / decay.as_nanos() as f64);
            self.ewma = self.ewma * weight + rtt * (1.0 - weight);
        }
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fleet;
    use super::*;
    use crate::SplitMix64;

    const MS: fn(u64) -> Span = Span::from_millis;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + MS(ms)
    }

    fn two(config: PeakEwmaConfig) -> PeakEwma {
        let mut balancer = PeakEwma::new(config);
        balancer.set_replicas(at(0), 2);
        balancer
    }

    fn ms(balancer: &PeakEwma, replica: usize) -> f64 {
        balancer.estimates[replica].ewma / 1e6
    }

    #[test]
    fn a_peak_counts_at_once_and_comes_down_by_exponential_decay() {
        let mut balancer = two(PeakEwmaConfig::default());
        balancer.record(at(0), 0, MS(100));
        assert_eq!(ms(&balancer, 0), 100.0);
        balancer.record(at(10_000), 0, MS(20));
        let e = libm::exp(-1.0);
        assert!((ms(&balancer, 0) - (100.0 * e + 20.0 * (1.0 - e))).abs() < 1e-9);
        // A latency that equals the estimate is no peak, and changes nothing.
        let before = ms(&balancer, 0);
        balancer.record(at(20_000), 0, Span::from_nanos_f64(before * 1e6));
        assert!((ms(&balancer, 0) - before).abs() < 1e-6);
    }

    #[test]
    fn reading_lets_a_latency_decay_towards_nothing() {
        let mut balancer = two(PeakEwmaConfig::default());
        let fleet = Fleet(vec![Some(0), Some(0)]);
        balancer.pick(at(10_000), &fleet, &mut SplitMix64::new(1));
        assert!((ms(&balancer, 0) - 30.0 * libm::exp(-1.0)).abs() < 1e-9);
    }

    #[test]
    fn cost_is_latency_times_what_there_is_to_do_and_one() {
        let mut balancer = two(PeakEwmaConfig::default());
        balancer.record(at(0), 0, MS(100));
        balancer.record(at(0), 1, MS(300));
        let mut pick = |pending| {
            let fleet = Fleet(vec![Some(pending), Some(0)]);
            balancer.pick(at(0), &fleet, &mut SplitMix64::new(1))
        };
        assert_eq!((pick(1), pick(3)), (Some(0), Some(1)));
    }

    #[test]
    fn a_replica_that_owes_its_first_answer_is_the_last_choice_if_told_so() {
        // The other took 50 s and owes so many answers: less than the 39 h that stand for unknown, but not with 4,000.
        for (penalize_unknown, others, chosen) in [(false, 3, 0), (true, 3, 1), (true, 4_000, 0)] {
            let mut balancer = two(PeakEwmaConfig { penalize_unknown, ..PeakEwmaConfig::default() });
            balancer.record(at(0), 1, Span::from_secs(50));
            let fleet = Fleet(vec![Some(2), Some(others)]);
            assert_eq!(balancer.pick(at(0), &fleet, &mut SplitMix64::new(1)), Some(chosen), "{others}");
        }
    }

    #[test]
    fn replicas_come_and_go() {
        let mut balancer = PeakEwma::new(PeakEwmaConfig::default());
        let mut rng = SplitMix64::new(1);
        for replicas in [3, 1, 0, 2] {
            let picked = balancer.pick(at(0), &Fleet(vec![Some(0); replicas]), &mut rng);
            assert_eq!(picked.is_some(), replicas > 0);
        }
        balancer.record(at(0), 7, MS(1));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = PeakEwmaConfig::default();
        assert_eq!(PeakEwmaConfig { decay: Span::ZERO, ..base }.check().unwrap_err().field, "decay");
        assert_eq!(PeakEwmaConfig { choices: 0, ..base }.check().unwrap_err().field, "choices");
    }

    #[test]
    fn of_two_unknown_replicas_the_one_with_fewer_requests_is_cheaper() {
        let config = PeakEwmaConfig { penalize_unknown: true, ..PeakEwmaConfig::default() };
        let (mut balancer, mut rng) = (PeakEwma::new(config), SplitMix64::new(1));
        let fleet = Fleet(vec![Some(3), Some(1)]);
        assert!((0..20).all(|_| balancer.pick(SimTime::ZERO, &fleet, &mut rng) == Some(1)));
    }
}
