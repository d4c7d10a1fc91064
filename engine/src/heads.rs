//! The heads of lanes: a tree of winners. The least number of all lanes is at its root; a lane that has another head plays
//! again only against those whom it meets on its way up. Knows nothing of what its numbers mean.

/// A number for each lane, the greatest there is for one that is empty, and which of them is least.
#[derive(Clone, Debug)]
pub(crate) struct Heads {
    /// The root is at 1, the children of each at twice its place; the lanes are the last half.
    tree: Vec<u128>,
    lanes: usize,
}

/// The number of an empty lane.
const NOTHING: u128 = u128::MAX;

impl Default for Heads {
    fn default() -> Self {
        Self { tree: vec![NOTHING; 2], lanes: 0 }
    }
}

impl Heads {
    /// The least head; the greatest number there is if all lanes are empty.
    #[inline(always)]
    pub(crate) fn least(&self) -> u128 {
        self.tree.get(1).copied().unwrap_or(NOTHING)
    }

    /// One lane more; the answer is its place.
    #[cold]
    pub(crate) fn add_lane(&mut self) -> usize {
        let leaves = self.tree.len() / 2;
        let lane = self.lanes;
        self.lanes += 1;
        if lane == leaves {
            let heads = self.tree.split_off(leaves);
            self.tree = vec![NOTHING; leaves * 4];
            for (lane, head) in heads.into_iter().enumerate() {
                self.set(lane, head);
            }
        }
        lane
    }

    /// The lane has another head.
    #[inline(always)]
    pub(crate) fn set(&mut self, lane: usize, head: u128) {
        let tree = &mut self.tree[..];
        let mut at = tree.len() / 2 + lane;
        let mut winner = head;
        while at > 1 {
            tree[at] = winner;
            winner = winner.min(tree[at ^ 1]);
            at /= 2;
        }
        tree[1] = winner;
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
            }
        }
    }
}
