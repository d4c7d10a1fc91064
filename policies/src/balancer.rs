//! Balancers: which replica an attempt goes to. They see the replicas only through [`Replicas`], and know neither
//! connections nor health checks.

mod bounded;
mod hash;
mod least_request;
mod maglev;
mod peak_ewma;
mod ring_hash;

pub use hash::xx_hash_64;
pub use least_request::{Choice, LeastRequestConfig};
pub use maglev::{Maglev, MaglevConfig};
pub use peak_ewma::{PeakEwma, PeakEwmaConfig};
pub use ring_hash::{RingHash, RingHashConfig};

use crate::check::Invalid;
use crate::{Random, SimTime, Span};

/// What a balancer sees of the replicas of one callee, numbered from 0.
pub trait Replicas {
    /// How many there are, usable or not.
    fn len(&self) -> usize;
    /// Whether an attempt may go to replica `i`.
    fn usable(&self, i: usize) -> bool;
    /// Attempts that this caller has under way at replica `i`.
    fn pending(&self, i: usize) -> u32;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether so few replicas are usable that all are to be used: their share in per cent is below (`<`) `threshold`
/// (Envoy's panic threshold, 50 by default; 0 for never).
pub fn panics(usable: usize, replicas: usize, threshold: f64) -> bool {
    let share = if replicas == 0 { 0.0 } else { 100.0 * usable as f64 / replicas as f64 };
    share < threshold.min(100.0)
}

/// Which balancer, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BalancerConfig {
    /// One after the other, from a random one on.
    RoundRobin,
    /// Any, with equal chances.
    Random,
    /// The one with the fewest attempts under way, of a few or of all.
    LeastRequest(LeastRequestConfig),
    /// The one of two whose latency, times what it has to do, is less.
    PeakEwma(PeakEwmaConfig),
    /// The same request to the same replica, by a ring.
    RingHash(RingHashConfig),
    /// The same request to the same replica, by a table.
    Maglev(MaglevConfig),
}

impl BalancerConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::LeastRequest(config) => config.check(),
            Self::PeakEwma(config) => config.check(),
            Self::RingHash(config) => config.check(),
            Self::Maglev(config) => config.check(),
            Self::RoundRobin | Self::Random => Ok(()),
        }
    }
}

/// A balancer of any kind.
#[derive(Clone, Debug)]
pub enum Balancer {
    /// One after the other; the next one's number, once there is one.
    RoundRobin(Option<usize>),
    /// Any, with equal chances.
    Random,
    /// The one with the fewest attempts under way.
    LeastRequest(LeastRequestConfig),
    /// The one of two whose latency, times what it has to do, is less.
    PeakEwma(PeakEwma),
    /// The same request to the same replica, by a ring.
    RingHash(RingHash),
    /// The same request to the same replica, by a table.
    Maglev(Maglev),
}

impl Balancer {
    /// A balancer that has picked nothing yet.
    pub fn new(config: &BalancerConfig) -> Self {
        match *config {
            BalancerConfig::RoundRobin => Self::RoundRobin(None),
            BalancerConfig::Random => Self::Random,
            BalancerConfig::LeastRequest(config) => Self::LeastRequest(config),
            BalancerConfig::PeakEwma(config) => Self::PeakEwma(PeakEwma::new(config)),
            BalancerConfig::RingHash(config) => Self::RingHash(RingHash::new(config)),
            BalancerConfig::Maglev(config) => Self::Maglev(Maglev::new(config)),
        }
    }

    /// The names of the replicas, by which rings and tables place them. Without them, or when their number turns out to
    /// be another, numbers serve as names.
    pub fn set_replicas<S: AsRef<str>>(&mut self, now: SimTime, names: &[S]) {
        match self {
            Self::PeakEwma(balancer) => balancer.set_replicas(now, names.len()),
            Self::RingHash(balancer) => balancer.set_replicas(names),
            Self::Maglev(balancer) => balancer.set_replicas(names),
            Self::RoundRobin(_) | Self::Random | Self::LeastRequest(_) => {}
        }
    }

    /// The replica for the next attempt; `None` if none is usable. `key` is the request's hash, for kinds that send the
    /// same request to the same replica.
    pub fn pick(&mut self, now: SimTime, key: u64, replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
        self.pick_again(now, (key, 0), replicas, rng)
    }

    fn pick_again(
        &mut self,
        now: SimTime,
        (key, attempt): (u64, u32),
        replicas: &impl Replicas,
        rng: &mut impl Random,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(next) => round_robin(next, replicas, rng),
            Self::Random => random(replicas, rng),
            Self::LeastRequest(config) => least_request::pick(*config, replicas, rng),
            Self::PeakEwma(balancer) => balancer.pick(now, replicas, rng),
            Self::RingHash(balancer) => balancer.pick(key, attempt, replicas),
            Self::Maglev(balancer) => balancer.pick(key, attempt, replicas),
        }
    }

    /// A replica for a retry that had better be another: picks again, up to `again` times, while `used` says that the
    /// picked one was tried before (Envoy: once, Istio: 5 times), and takes the last pick as it is.
    pub fn pick_other(
        &mut self,
        now: SimTime,
        key: u64,
        replicas: &impl Replicas,
        rng: &mut impl Random,
        (again, used): (u32, impl Fn(usize) -> bool),
    ) -> Option<usize> {
        let mut picked = self.pick(now, key, replicas, rng)?;
        for attempt in 1..=again {
            if !used(picked) {
                break;
            }
            picked = self.pick_again(now, (key, attempt), replicas, rng)?;
        }
        Some(picked)
    }

    /// An attempt at `replica` was answered after `latency`; for kinds that look at it.
    pub fn record(&mut self, now: SimTime, replica: usize, latency: Span) {
        if let Self::PeakEwma(balancer) = self {
            balancer.record(now, replica, latency);
        }
    }
}

/// Names for replicas that have none.
fn numbered(replicas: usize) -> Vec<String> {
    (0..replicas).map(|replica| replica.to_string()).collect()
}

/// The usable replica at or after the next one's number. The first start is random, as in Envoy, so that many callers
/// do not all begin at replica 0.
fn round_robin(next: &mut Option<usize>, replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
    let len = replicas.len();
    let start = next.unwrap_or_else(|| rng.below(len as u64) as usize);
    let chosen = first_usable_from(start, replicas)?;
    *next = Some(chosen + 1);
    Some(chosen)
}

/// Walks once around the ring of replicas.
fn first_usable_from(start: usize, replicas: &impl Replicas) -> Option<usize> {
    let len = replicas.len();
    (start..len).chain(0..start.min(len)).find(|i| replicas.usable(*i))
}

/// A usable replica, each with the same chance.
fn random(replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
    let len = replicas.len();
    let first = rng.below(len as u64) as usize;
    if first < len && replicas.usable(first) {
        return Some(first);
    }
    let usable = (0..len).filter(|i| replicas.usable(*i)).count();
    nth_usable(rng.below(usable as u64) as usize, replicas)
}

fn nth_usable(n: usize, replicas: &impl Replicas) -> Option<usize> {
    (0..replicas.len()).filter(|i| replicas.usable(*i)).nth(n)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::SplitMix64;
    use proptest::prelude::*;

    /// Attempts under way at each replica; `None` for one that is not usable.
    pub(crate) struct Fleet(pub(crate) Vec<Option<u32>>);

    impl Replicas for Fleet {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn usable(&self, i: usize) -> bool {
            self.0[i].is_some()
        }
        fn pending(&self, i: usize) -> u32 {
            self.0[i].unwrap_or(0)
        }
    }

    /// How often each replica is picked in `times` picks.
    pub(crate) fn picks(config: BalancerConfig, fleet: &Fleet, times: usize) -> Vec<usize> {
        let (mut balancer, mut rng) = (Balancer::new(&config), SplitMix64::new(5));
        let mut counts = vec![0; fleet.len()];
        for _ in 0..times {
            counts[balancer.pick(SimTime::ZERO, 0, fleet, &mut rng).unwrap()] += 1;
        }
        counts
    }

    pub(crate) fn assert_share(count: usize, times: usize, share: f64) {
        let (mean, deviation) = (times as f64 * share, (times as f64 * share * (1.0 - share)).sqrt());
        assert!((count as f64 - mean).abs() <= 4.0 * deviation, "{count} of {times}, expected {mean}");
    }

    #[test]
    fn round_robin_takes_one_after_the_other_and_passes_over_the_unusable() {
        let mut balancer = Balancer::RoundRobin(Some(3));
        let mut rng = SplitMix64::new(1);
        let fleet = Fleet(vec![Some(0), None, Some(0), Some(0)]);
        let picked: Vec<_> = (0..7).map(|_| balancer.pick(SimTime::ZERO, 0, &fleet, &mut rng).unwrap()).collect();
        assert_eq!(picked, [3, 0, 2, 3, 0, 2, 3]);
    }

    #[test]
    fn round_robin_starts_anywhere() {
        let fleet = Fleet(vec![Some(0); 3]);
        let mut starts = [0; 3];
        for seed in 0..3_000 {
            let first = Balancer::RoundRobin(None).pick(SimTime::ZERO, 0, &fleet, &mut SplitMix64::new(seed)).unwrap();
            starts[first] += 1;
        }
        for count in starts {
            assert_share(count, 3_000, 1.0 / 3.0);
        }
    }

    #[test]
    fn round_robin_goes_on_when_replicas_come_and_go() {
        let mut balancer = Balancer::RoundRobin(Some(0));
        let mut rng = SplitMix64::new(1);
        let mut pick = |replicas| balancer.pick(SimTime::ZERO, 0, &Fleet(vec![Some(0); replicas]), &mut rng).unwrap();
        assert_eq!([pick(3), pick(3), pick(2), pick(4), pick(1)], [0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_retry_avoids_replicas_it_has_tried_as_far_as_its_picks_go() {
        let fleet = Fleet(vec![Some(0); 2]);
        let mut rng = SplitMix64::new(1);
        for (again, tried_again) in [(0, 0.5), (1, 0.25), (5, 1.0 / 64.0)] {
            let mut pick = |_: &i32| {
                let used = (again, |replica| replica == 0);
                Balancer::Random.pick_other(SimTime::ZERO, 0, &fleet, &mut rng, used) == Some(0)
            };
            assert_share((0..8_000).filter(&mut pick).count(), 8_000, tried_again);
        }
        let mut ring = Balancer::new(&BalancerConfig::RingHash(RingHashConfig::default()));
        let mut maglev = Balancer::new(&BalancerConfig::Maglev(MaglevConfig::default()));
        for balancer in [&mut ring, &mut maglev] {
            let mut others = 0;
            for _ in 0..500 {
                let key = rng.next_u64();
                let first = balancer.pick(SimTime::ZERO, key, &fleet, &mut rng).unwrap();
                let used = (5, |replica| replica == first);
                others += u32::from(balancer.pick_other(SimTime::ZERO, key, &fleet, &mut rng, used) != Some(first));
            }
            assert!(others > 450, "{others} of 500 found another");
        }
    }

    #[test]
    fn panic_begins_below_its_threshold() {
        let table =
            [(2, 4, 50.0, false), (1, 4, 50.0, true), (0, 4, 0.0, false), (4, 4, 200.0, false), (0, 0, 50.0, true)];
        for (usable, replicas, threshold, panic) in table {
            assert_eq!(panics(usable, replicas, threshold), panic, "{usable} of {replicas}, {threshold}");
        }
    }

    #[test]
    fn a_fleet_of_none_is_empty() {
        assert!(Fleet(vec![]).is_empty() && !Fleet(vec![None]).is_empty());
    }

    #[test]
    fn latencies_that_are_recorded_decide_where_they_are_looked_at() {
        let config = PeakEwmaConfig { decay: Span::from_secs(100), ..PeakEwmaConfig::default() };
        let (mut balancer, mut rng) = (Balancer::new(&BalancerConfig::PeakEwma(config)), SplitMix64::new(1));
        let fleet = Fleet(vec![Some(0); 2]);
        balancer.set_replicas(SimTime::ZERO, &["a", "b"]);
        balancer.record(SimTime::ZERO, 0, Span::from_secs(1));
        assert!((0..20).all(|_| balancer.pick(SimTime::ZERO, 0, &fleet, &mut rng) == Some(1)));
    }

    #[test]
    fn choices_out_of_range_are_named() {
        let table = [(Choice::WithReplacement, 0, false), (Choice::WithReplacement, 9, true)];
        let distinct = [(Choice::Distinct, 8, true), (Choice::Distinct, 9, false)];
        for (choice, choices, valid) in table.into_iter().chain(distinct) {
            let config = BalancerConfig::LeastRequest(LeastRequestConfig { choice, choices });
            assert_eq!(config.check().is_ok(), valid, "{config:?}");
        }
    }

    #[test]
    fn random_gives_every_usable_replica_the_same_chance() {
        let fleet = Fleet(vec![Some(0), None, None, Some(9), Some(0)]);
        let counts = picks(BalancerConfig::Random, &fleet, 9_000);
        assert_eq!((counts[1], counts[2]), (0, 0));
        for i in [0, 3, 4] {
            assert_share(counts[i], 9_000, 1.0 / 3.0);
        }
    }

    proptest! {
        #[test]
        fn every_balancer_picks_a_usable_replica_if_there_is_one(
            fleet in prop::collection::vec(prop::option::of(0u32..5), 0..12),
            seed in any::<u64>(),
            kind in 0usize..8,
        ) {
            let choice = |choice, choices| BalancerConfig::LeastRequest(LeastRequestConfig { choice, choices });
            let config = [
                BalancerConfig::RoundRobin,
                BalancerConfig::Random,
                choice(Choice::WithReplacement, 2),
                choice(Choice::Distinct, 2),
                choice(Choice::FullScan, 2),
                BalancerConfig::PeakEwma(PeakEwmaConfig::default()),
                BalancerConfig::RingHash(RingHashConfig { min_size: 16, balance_factor: 110, max_size: 64 }),
                BalancerConfig::Maglev(MaglevConfig { table_size: 13, balance_factor: 110 }),
            ][kind];
            let fleet = Fleet(fleet);
            let (mut balancer, mut rng) = (Balancer::new(&config), SplitMix64::new(seed));
            for key in 0..20u64 {
                let key = key.wrapping_mul(seed);
                let picked = balancer.pick(SimTime::ZERO, key, &fleet, &mut rng);
                prop_assert_eq!(picked.is_some(), fleet.0.iter().any(Option::is_some));
                prop_assert!(picked.is_none_or(|i| fleet.usable(i)));
            }
        }
    }
}
