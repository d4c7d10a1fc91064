//! Bounded loads for balancers that hash (Envoy 1.40's `hash_balance_factor`, after Mirrokni and others, 2016): a
//! replica with too many of all attempts under way is passed over, for others in an order that hangs on the request
//! alone.

use super::Replicas;
use crate::{Random, SplitMix64};

/// The limit, and room for shuffling replicas.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    /// Per cent of the mean load that a replica may have; 0 for any.
    factor: u32,
    order: Vec<u32>,
}

impl Bounded {
    pub(super) fn new(factor: u32) -> Self {
        Self { factor, order: vec![] }
    }

    /// `first`, or, if that has too much to do, the first usable one of a shuffle seeded by `key` that has not. There is
    /// one: all slots together, at a factor of 100 or more, are more than what is under way.
    pub(super) fn relieve(&mut self, first: usize, key: u64, replicas: &impl Replicas) -> usize {
        if self.factor == 0 {
            return first;
        }
        let usable = || (0..replicas.len()).filter(|i| replicas.usable(*i));
        let active: u64 = usable().map(|i| u64::from(replicas.pending(i))).sum();
        let slots = ((active + 1) * u64::from(self.factor)).div_ceil(100);
        let slots = slots.div_ceil(usable().count().max(1) as u64);
        let load = |i: usize| u64::from(replicas.pending(i));
        if load(first) <= slots {
            return first;
        }
        self.order.clear();
        self.order.extend(usable().map(|i| i as u32));
        let mut rng = SplitMix64::new(key);
        for i in 0..self.order.len() {
            let j = i + rng.below((self.order.len() - i) as u64) as usize;
            self.order.swap(i, j);
            let other = self.order[i] as usize;
            if load(other) <= slots {
                return other;
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fleet;
    use super::*;

    #[test]
    fn a_replica_at_its_share_of_the_slots_is_kept_and_one_past_it_is_relieved() {
        // 10 under way: ⌈11 · 1.25⌉ = 14 slots, 7 for each of two. 8 under way: 9 with the one to come, 5 for each.
        for (factor, active, slots) in [(125, 10, 7), (100, 8, 5)] {
            for (pending, kept) in [(slots, true), (slots + 1, false)] {
                let fleet = Fleet(vec![Some(pending), Some(active - pending), None]);
                let chosen = Bounded::new(factor).relieve(0, 42, &fleet);
                assert_eq!(chosen == 0, kept, "{pending} of {active}");
            }
        }
        assert_eq!(Bounded::new(0).relieve(0, 42, &Fleet(vec![Some(1_000), Some(0)])), 0);
    }

    #[test]
    fn a_replica_at_its_share_relieves_another() {
        // 14 under way: ⌈15 · 1⌉ = 15 slots, 5 for each of three.
        for (pending, relieves) in [(5, true), (6, false)] {
            let fleet = Fleet(vec![Some(8), Some(pending), Some(6 - pending)]);
            let chosen = (0..100).filter(|key| Bounded::new(100).relieve(0, *key, &fleet) == 1).count();
            assert_eq!(chosen > 0, relieves, "{pending}");
        }
    }

    #[test]
    fn the_same_request_is_relieved_by_the_same_replica_and_others_by_others() {
        let fleet = Fleet(vec![Some(50), Some(0), Some(0), Some(0)]);
        let chosen: Vec<usize> = (0..100).map(|key| Bounded::new(150).relieve(0, key, &fleet)).collect();
        assert_eq!(chosen, (0..100).map(|key| Bounded::new(150).relieve(0, key, &fleet)).collect::<Vec<_>>());
        assert!((1..4).all(|replica| chosen.contains(&replica)) && !chosen.contains(&0));
    }
}
