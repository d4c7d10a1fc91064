//! Ring hash as in Envoy 1.40: every replica at many places of a ring, by the hash of its name and a number; a request
//! goes to the first place clockwise from its own hash. A replica that is not usable is passed over on the way.

use super::Replicas;
use super::bounded::Bounded;
use super::hash::xx_hash_64;
use crate::check::{Invalid, require};

/// Configuration of the ring; the defaults are Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingHashConfig {
    /// Places on the ring at least; every replica has equally many. Default 1024.
    pub min_size: u32,
    /// Places on the ring at most. Default 8 Mi.
    pub max_size: u32,
    /// Per cent of the mean load that a replica may have before requests pass it over; 0 for any. Default 0.
    pub balance_factor: u32,
}

impl Default for RingHashConfig {
    fn default() -> Self {
        Self { min_size: 1024, max_size: 8 << 20, balance_factor: 0 }
    }
}

impl RingHashConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        require((1..=8 << 20).contains(&self.max_size), "max_size", "from 1 to 8388608")?;
        require(self.min_size <= self.max_size, "min_size", "at most the max_size")?;
        let factor = self.balance_factor;
        require(factor == 0 || factor >= 100, "balance_factor", "at least 100%, or 0 for none")
    }
}

/// The ring.
#[derive(Clone, Debug)]
pub struct RingHash {
    config: RingHashConfig,
    places: Vec<(u64, u32)>,
    replicas: usize,
    bounded: Bounded,
}

impl RingHash {
    /// An empty ring.
    pub fn new(config: RingHashConfig) -> Self {
        Self { config, places: vec![], replicas: 0, bounded: Bounded::new(config.balance_factor) }
    }

    /// Places the replicas of these names.
    pub fn set_replicas<S: AsRef<str>>(&mut self, names: &[S]) {
        self.replicas = names.len();
        self.places.clear();
        let mut placed = 0.0;
        for (replica, name) in names.iter().enumerate() {
            // Where the ring is too small for equally many, running sums spread the rest.
            let target = self.size() / self.replicas as f64 * (replica + 1) as f64;
            let mut number = 0;
            while placed < target {
                let key = format!("{}_{number}", name.as_ref());
                self.places.push((xx_hash_64(key.as_bytes(), 0), replica as u32));
                number += 1;
                placed += 1.0;
            }
        }
        self.places.sort_unstable();
    }

    /// The replica of a request whose hash is `key`; every further `attempt` begins one place on.
    pub fn pick(&mut self, key: u64, attempt: u32, replicas: &impl Replicas) -> Option<usize> {
        if self.replicas != replicas.len() {
            self.set_replicas(&super::numbered(replicas.len()));
        }
        let start = self.places.partition_point(|(hash, _)| *hash < key) + attempt as usize;
        let start = start.checked_rem(self.places.len())?;
        let (before, after) = self.places.split_at(start);
        let clockwise = after.iter().chain(before).map(|(_, replica)| *replica as usize);
        let first = clockwise.into_iter().find(|replica| replicas.usable(*replica))?;
        Some(self.bounded.relieve(first, key, replicas))
    }

    /// The least multiple of the replicas' number that is not under the least size, unless that is past the greatest.
    fn size(&self) -> f64 {
        let replicas = self.replicas as f64;
        let whole = libm::ceil(f64::from(self.config.min_size) / replicas) * replicas;
        whole.min(f64::from(self.config.max_size))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fleet;
    use super::*;
    use crate::{Random, SplitMix64};

    fn ring(config: RingHashConfig, names: &[&str]) -> RingHash {
        let mut ring = RingHash::new(config);
        ring.set_replicas(names);
        ring
    }

    const NAMES: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

    #[test]
    fn every_replica_has_equally_many_places_and_the_ring_at_least_its_size() {
        for (min_size, max_size, size) in [(1_024, 8 << 20, 1_026), (3, 8 << 20, 3), (1, 1, 1), (5, 5, 5)] {
            let ring = ring(RingHashConfig { min_size, max_size, balance_factor: 0 }, &NAMES);
            assert_eq!(ring.places.len(), size);
            let count = |replica| ring.places.iter().filter(|(_, r)| *r == replica).count();
            assert!((0..3).all(|replica| count(replica).abs_diff(size / 3) <= 1), "{size}");
        }
    }

    #[test]
    fn a_request_goes_to_the_first_place_at_or_after_its_hash_and_round_the_end() {
        let fleet = Fleet(vec![Some(0); 3]);
        let mut ring = ring(RingHashConfig { min_size: 3, ..RingHashConfig::default() }, &NAMES);
        let places = ring.places.clone();
        assert_eq!(places.iter().map(|(hash, _)| *hash).min(), Some(places[0].0));
        for (i, (hash, replica)) in places.iter().enumerate() {
            let next = places[(i + 1) % 3].1 as usize;
            assert_eq!(ring.pick(*hash, 0, &fleet), Some(*replica as usize));
            assert_eq!(ring.pick(hash.wrapping_add(1), 0, &fleet), Some(next));
        }
        let name_and_number = xx_hash_64(b"10.0.0.2:80_0", 0);
        assert_eq!(ring.pick(name_and_number, 0, &fleet), Some(1));
    }

    #[test]
    fn only_the_requests_of_a_lost_replica_move() {
        let mut ring = ring(RingHashConfig::default(), &NAMES);
        let mut rng = SplitMix64::new(1);
        let (all, without) = (Fleet(vec![Some(0); 3]), Fleet(vec![Some(0), None, Some(0)]));
        let mut moved = 0;
        for _ in 0..3_000 {
            let key = rng.next_u64();
            let (before, after) = (ring.pick(key, 0, &all).unwrap(), ring.pick(key, 0, &without).unwrap());
            assert!(after != 1 && (before == 1 || before == after));
            moved += u32::from(before != after);
        }
        assert!((800..1_200).contains(&moved), "about a third had to move, {moved} of 3000 did");
    }

    #[test]
    fn loads_are_bounded_if_told_so() {
        let fleet = Fleet(vec![Some(90), Some(0), Some(0)]);
        let mut bounded = ring(RingHashConfig { balance_factor: 120, ..RingHashConfig::default() }, &NAMES);
        let mut rng = SplitMix64::new(1);
        assert!((0..500).all(|_| bounded.pick(rng.next_u64(), 0, &fleet) != Some(0)));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = RingHashConfig::default();
        assert_eq!(RingHashConfig { max_size: 9 << 20, ..base }.check().unwrap_err().field, "max_size");
        assert_eq!(RingHashConfig { min_size: 2, max_size: 1, ..base }.check().unwrap_err().field, "min_size");
        assert_eq!(RingHashConfig { balance_factor: 99, ..base }.check().unwrap_err().field, "balance_factor");
    }

    #[test]
    fn places_are_numbered_and_every_further_attempt_begins_one_on() {
        let config = RingHashConfig { min_size: 6, ..RingHashConfig::default() };
        let mut ring = ring(config, &["a", "b"]);
        let mut places: Vec<_> = ["a_0", "a_1", "a_2", "b_0", "b_1", "b_2"]
            .map(|key| (xx_hash_64(key.as_bytes(), 0), u32::from(key.starts_with('b'))))
            .into();
        places.sort_unstable();
        assert_eq!(ring.places, places);
        let fleet = Fleet(vec![Some(0); 2]);
        for (at, (hash, _)) in places.iter().enumerate() {
            for attempt in 0..7 {
                let wanted = places[(at + attempt as usize) % 6].1 as usize;
                assert_eq!(ring.pick(*hash, attempt, &fleet), Some(wanted), "{at} {attempt}");
            }
        }
    }
}
