//! The heads of lanes: a tree of winners. The least number of all lanes is at its root; a lane that has another head plays
//! again only against those whom it meets on its way up. The first lane, which is mostly the busiest, plays but once, against
//! the winner of all others. Knows nothing of what its numbers mean.

use crate::ring::NOTHING;

/// A number for each lane, the greatest there is for one that is empty, and which of them is least.
#[derive(Clone, Debug)]
pub(crate) struct Heads {
    least: u128,
    first: u128,
    /// The other lanes: the winner is at 1, the children of each at twice its place; the lanes are the last half.
    others: Vec<u128>,
    lanes: usize,
}

impl Default for Heads {
    fn default() -> Self {
        Self { least: NOTHING, first: NOTHING, others: vec![NOTHING; 2], lanes: 0 }
    }
}

impl Heads {
    /// The least head; the greatest number there is if all lanes are empty.
    #[inline(always)]
    pub(crate) const fn least(&self) -> u128 {
        self.least
    }

    /// One lane more; the answer is its place.
    #[cold]
    pub(crate) fn add_lane(&mut self) -> usize {
        let leaves = self.others.len() / 2;
        let lane = self.lanes;
        self.lanes += 1;
        if lane == leaves + 1 {
            let heads = self.others.split_off(leaves);
            self.others = vec![NOTHING; leaves * 4];
            for (other, head) in heads.into_iter().enumerate() {
                self.set(other + 1, head);
            }
        }
        lane
    }

    /// The lane has another head.
    #[inline(always)]
    pub(crate) fn set(&mut self, lane: usize, head: u128) {
        let others = &mut self.others[..];
        let Some(other) = lane.checked_sub(1) else {
            self.first = head;
            self.least = head.min(others[1]);
            return;
        };
        let mut at = others.len() / 2 + other;
        let mut winner = head;
        while at > 1 {
            others[at] = winner;
            winner = winner.min(others[at ^ 1]);
            at /= 2;
        }
        others[1] = winner;
        self.least = winner.min(self.first);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_least_of_all_lanes_is_at_the_root_however_many_there_come_to_be(
            steps in prop::collection::vec(prop::option::weighted(0.9, any::<(u8, Option<u128>)>()), 0..200)
        ) {
            let (mut heads, mut lanes) = (Heads::default(), Vec::new());
            for step in steps {
                match step {
                    None => {
                        prop_assert_eq!(heads.add_lane(), lanes.len());
                        lanes.push(NOTHING);
                    }
                    Some((lane, head)) if !lanes.is_empty() => {
                        let lane = usize::from(lane) % lanes.len();
                        lanes[lane] = head.unwrap_or(NOTHING);
                        heads.set(lane, lanes[lane]);
                    }
                    Some(_) => {}
                }
                prop_assert_eq!(heads.least(), lanes.iter().copied().min().unwrap_or(NOTHING));
                let others = lanes.len().saturating_sub(1).max(1);
                prop_assert_eq!(heads.others.len(), 2 * others.next_power_of_two(), "as many places as it takes");
            }
        }
    }
}
