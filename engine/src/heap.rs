//! The event queue's heap: four children a node, and a lazy hole at the root, so that a push right after a pop sifts
//! once instead of twice. Knows nothing of what its numbers mean.

/// A priority queue of numbers, least first. All numbers in it differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap {
    items: Vec<u128>,
    /// Whether the root was taken and not yet filled.
    hole: bool,
}

const CHILDREN: usize = 4;

impl Heap {
    /// The least number; the greatest there is if it is empty.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> u128 {
        if self.hole {
            self.fill();
        }
        self.root()
    }

    /// Whether the least number was taken, and what is least now is not known yet.
    #[inline(always)]
    pub(crate) const fn has_hole(&self) -> bool {
        self.hole
    }

    /// As [`peek`](Self::peek), where there is no hole.
    #[inline(always)]
    pub(crate) fn root(&self) -> u128 {
        self.items.first().copied().unwrap_or(u128::MAX)
    }

    /// Takes out the least number, which [`peek`](Self::peek) has just shown.
    #[inline]
    pub(crate) fn take(&mut self) {
        debug_assert!(!self.hole && !self.items.is_empty(), "take follows peek");
        self.hole = true;
    }

    /// Puts a number in.
    #[inline]
    pub(crate) fn push(&mut self, item: u128) {
        if self.hole {
            self.hole = false;
            self.sift_down(item);
        } else {
            self.items.push(item);
            self.sift_up(item);
        }
    }

    /// How many numbers are in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.items.len() - usize::from(self.hole)
    }

    fn fill(&mut self) {
        self.hole = false;
        if let Some(last) = self.items.pop()
            && !self.items.is_empty()
        {
            self.sift_down(last);
        }
    }

    /// Puts `item` at the root, or below where less stands under it.
    #[inline(always)]
    fn sift_down(&mut self, item: u128) {
        let items = &mut self.items[..];
        let mut at = 0;
        loop {
            let first = at * CHILDREN + 1;
            let (least, value) = match items.get(first..).and_then(<[u128]>::first_chunk::<CHILDREN>) {
                // Chosen by index rather than by branches, of which no processor can guess the way.
                Some(four) => {
                    let left = usize::from(four[1] < four[0]);
                    let right = 2 + usize::from(four[3] < four[2]);
                    let least = if four[right % CHILDREN] < four[left] { right } else { left };
                    (first + least, four[least % CHILDREN])
                }
                None => match (first..items.len()).min_by_key(|i| items[*i]) {
                    Some(least) => (least, items[least]),
                    None => break,
                },
            };
            if item <= value {
                break;
            }
            items[at] = value;
            at = least;
        }
        items[at] = item;
    }

    fn sift_up(&mut self, item: u128) {
        let items = &mut self.items[..];
        let mut at = items.len() - 1;
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if items[parent] <= item {
                break;
            }
            items[at] = items[parent];
            at = parent;
        }
        items[at] = item;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_heap_gives_back_what_a_sorted_set_gives_back(
            steps in prop::collection::vec(prop::option::of(any::<u16>()), 0..400)
        ) {
            let (mut heap, mut sorted) = (Heap::default(), BTreeSet::new());
            for (i, step) in steps.into_iter().enumerate() {
                if let Some(value) = step {
                    let item = u128::from(value) << 32 | i as u128;
                    heap.push(item);
                    sorted.insert(item);
                } else {
                    prop_assert_eq!(heap.peek(), sorted.first().copied().unwrap_or(u128::MAX));
                    if sorted.pop_first().is_some() {
                        heap.take();
                    }
                }
                prop_assert_eq!(heap.len(), sorted.len());
            }
        }
    }
}
