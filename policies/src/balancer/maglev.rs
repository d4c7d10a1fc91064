//! Maglev as in Envoy 1.40 (after Eisenbud and others, 2016): a table whose every place belongs to a replica, filled by
//! the replicas in turn, each along its own permutation. A replica that is not usable is passed over to the next place;
//! Envoy would build the table anew.

use super::Replicas;
use super::bounded::Bounded;
use super::hash::xx_hash_64;
use crate::check::{Invalid, require};

/// Configuration of the table; the defaults are Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaglevConfig {
    /// Places; a prime. Default 65537.
    pub table_size: u32,
    /// Per cent of the mean load that a replica may have before requests pass it over; 0 for any. Default 0.
    pub balance_factor: u32,
}

impl Default for MaglevConfig {
    fn default() -> Self {
        Self { table_size: 65_537, balance_factor: 0 }
    }
}

impl MaglevConfig {
    /// Whether the values are in the ranges that the original accepts.
    pub fn check(&self) -> Result<(), Invalid> {
        let size = self.table_size;
        require((3..=5_000_011).contains(&size) && is_prime(size), "table_size", "a prime from 3 to 5000011")?;
        let factor = self.balance_factor;
        require(factor == 0 || factor >= 100, "balance_factor", "at least 100%, or 0 for none")
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct Maglev {
    size: u64,
    table: Vec<u32>,
    replicas: usize,
    bounded: Bounded,
}

const FREE: u32 = u32::MAX;

impl Maglev {
    /// An empty table.
    pub fn new(config: MaglevConfig) -> Self {
        let bounded = Bounded::new(config.balance_factor);
        Self { size: u64::from(config.table_size), table: vec![], replicas: 0, bounded }
    }

    /// Fills the table with the replicas of these names, in the order of the names.
    pub fn set_replicas<S: AsRef<str>>(&mut self, names: &[S]) {
        self.replicas = names.len();
        self.table.clear();
        if names.is_empty() {
            return;
        }
        self.table.resize(self.size as usize, FREE);
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        order.sort_by_key(|replica| names[*replica as usize].as_ref());
        let walk = |replica: u32| {
            let name = names[replica as usize].as_ref().as_bytes();
            (replica, xx_hash_64(name, 0) % self.size, xx_hash_64(name, 1) % (self.size - 1) + 1)
        };
        let mut walks: Vec<(u32, u64, u64)> = order.into_iter().map(walk).collect();
        for turn in 0..self.table.len() {
            let in_turn = turn % walks.len();
            let (replica, place, skip) = &mut walks[in_turn];
            while self.table[*place as usize] != FREE {
                *place = (*place + *skip) % self.size;
            }
            self.table[*place as usize] = *replica;
        }
    }

    /// The replica of a request whose hash is `key`; every further `attempt` turns the hash over.
    pub fn pick(&mut self, key: u64, attempt: u32, replicas: &impl Replicas) -> Option<usize> {
        if self.replicas != replicas.len() {
            self.set_replicas(&super::numbered(replicas.len()));
        }
        let hash = if attempt == 0 { key } else { key ^ (u64::MAX - u64::from(attempt) + 1) };
        let start = (hash % self.size) as usize;
        let (before, after) = self.table.split_at_checked(start)?;
        let first = after.iter().chain(before).map(|r| *r as usize).find(|replica| replicas.usable(*replica))?;
        Some(self.bounded.relieve(first, key, replicas))
    }
}

fn is_prime(n: u32) -> bool {
    n >= 2 && (2..=n.isqrt()).all(|d| !n.is_multiple_of(d))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fleet;
    use super::*;
    use crate::{Random, SplitMix64};

    fn maglev(table_size: u32, names: &[&str]) -> Maglev {
        let mut maglev = Maglev::new(MaglevConfig { table_size, ..MaglevConfig::default() });
        maglev.set_replicas(names);
        maglev
    }

    const NAMES: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

    fn counts(maglev: &Maglev) -> [usize; 3] {
        [0, 1, 2].map(|replica| maglev.table.iter().filter(|r| **r == replica).count())
    }

    #[test]
    fn every_place_is_taken_and_no_replica_has_more_than_one_place_more() {
        assert_eq!(counts(&maglev(65_537, &NAMES)), [21_846, 21_846, 21_845]);
        assert_eq!(counts(&maglev(7, &NAMES)), [3, 2, 2]);
    }

    #[test]
    fn the_first_in_the_order_of_names_has_the_place_its_hash_says_whatever_the_order_given() {
        let place = (xx_hash_64(b"10.0.0.1:80", 0) % 65_537) as usize;
        assert_eq!(maglev(65_537, &NAMES).table[place], 0);
        let turned = ["10.0.0.3:80", "10.0.0.2:80", "10.0.0.1:80"];
        let (table, other) = (maglev(65_537, &NAMES).table, maglev(65_537, &turned).table);
        assert!(table.iter().zip(&other).all(|(a, b)| *a == 2 - *b));
    }

    #[test]
    fn a_request_goes_to_the_place_of_its_hash_and_past_the_unusable() {
        let mut maglev = maglev(65_537, &NAMES);
        let mut rng = SplitMix64::new(1);
        let (all, without) = (Fleet(vec![Some(0); 3]), Fleet(vec![Some(0), None, Some(0)]));
        for _ in 0..1_000 {
            let key = rng.next_u64();
            let replica = maglev.table[(key % 65_537) as usize] as usize;
            assert_eq!(maglev.pick(key, 0, &all), Some(replica));
            let after = maglev.pick(key, 0, &without).unwrap();
            assert!(after != 1 && (replica == 1 || after == replica));
        }
        assert_eq!(maglev.pick(1, 0, &Fleet(vec![None; 3])), None);
        assert_eq!(maglev.pick(1, 0, &Fleet(vec![])), None);
    }

    #[test]
    fn few_requests_move_when_a_replica_is_added() {
        let mut names = NAMES.to_vec();
        let before = maglev(65_537, &names).table;
        names.push("10.0.0.4:80");
        let after = maglev(65_537, &names).table;
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!((16_384..20_000).contains(&moved), "{moved} of 65537 moved; a quarter has to");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for table_size in [1, 65_536, 5_000_021] {
            let config = MaglevConfig { table_size, ..MaglevConfig::default() };
            assert_eq!(config.check().unwrap_err().field, "table_size");
        }
        let config = MaglevConfig { table_size: 5_000_011, balance_factor: 100 };
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn every_further_attempt_has_its_own_hash() {
        let mut maglev = Maglev::new(MaglevConfig::default());
        maglev.set_replicas(&["a", "b", "c"]);
        let (fleet, mut rng) = (Fleet(vec![Some(0); 3]), SplitMix64::new(1));
        for _ in 0..200 {
            let key = rng.next_u64();
            for (attempt, turned) in [(1, u64::MAX), (2, u64::MAX - 1), (3, u64::MAX - 2)] {
                assert_eq!(maglev.pick(key, attempt, &fleet), maglev.pick(key ^ turned, 0, &fleet), "{attempt}");
            }
        }
    }

    #[test]
    fn the_table_is_filled_in_turns_each_at_its_next_preference_that_is_free() {
        let names = ["a", "b", "c"];
        for size in [3, 7, 13, 101] {
            let maglev = maglev(size, &names);
            let m = u64::from(size);
            let mut wanted = vec![None; size as usize];
            let mut next = [0u64; 3];
            for turn in 0..size as usize {
                let name = names[turn % 3].as_bytes();
                let (offset, skip) = (xx_hash_64(name, 0) % m, xx_hash_64(name, 1) % (m - 1) + 1);
                loop {
                    let place = ((offset + next[turn % 3] * skip) % m) as usize;
                    next[turn % 3] += 1;
                    if wanted[place].is_none() {
                        wanted[place] = Some((turn % 3) as u32);
                        break;
                    }
                }
            }
            assert_eq!(maglev.table, wanted.into_iter().flatten().collect::<Vec<_>>(), "{size}");
        }
    }
}
