//! A line of numbers, first in, first out, in a ring that doubles when it is full. Its length is a power of two, so that
//! going round it is a mask; and behind the last number there always stands that of nothing, so that one look at the first
//! place tells whether there is one.

/// Numbers in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    /// None, until something comes.
    places: Box<[u128]>,
    /// Both count on for ever; the place is what is left of them modulo the places there are.
    first: usize,
    end: usize,
}

/// What is greater than any number in a ring: the head of an empty lane.
pub(crate) const NOTHING: u128 = u128::MAX;
/// Places to begin with.
const FEWEST: usize = 16;

impl Ring {
    pub(crate) const fn len(&self) -> usize {
        self.end.wrapping_sub(self.first)
    }

    /// The first, or [`NOTHING`].
    #[inline(always)]
    pub(crate) fn front(&self) -> u128 {
        self.places.get(self.first & self.places.len().wrapping_sub(1)).copied().unwrap_or(NOTHING)
    }

    /// Takes out the first, which is there; the answer is the one behind it, or [`NOTHING`].
    #[inline(always)]
    pub(crate) fn drop_front(&mut self) -> u128 {
        debug_assert!(self.len() > 0, "only what is there is taken out");
        self.first = self.first.wrapping_add(1);
        self.front()
    }

    /// Puts one in behind all others; the answer is whether there was none.
    #[inline(always)]
    pub(crate) fn push_back(&mut self, item: u128) -> bool {
        if self.len() + 1 >= self.places.len() {
            self.grow();
        }
        let mask = self.places.len() - 1;
        self.push_back_into(item, mask)
    }

    #[inline(always)]
    fn push_back_into(&mut self, item: u128, mask: usize) -> bool {
        let place = self.end;
        self.end = place.wrapping_add(1);
        self.places[place & mask] = item;
        self.places[self.end & mask] = NOTHING;
        place == self.first
    }

    /// Forgets those that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(u128) -> bool) {
        for _ in 0..self.len() {
            let item = self.front();
            self.drop_front();
            if keep(item) {
                self.push_back(item);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let double = (self.places.len() * 2).max(FEWEST);
        let mut places = Vec::with_capacity(double);
        while self.len() > 0 {
            places.push(self.front());
            self.drop_front();
        }
        (self.first, self.end) = (0, places.len());
        places.resize(double, NOTHING);
        self.places = places.into();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_ring_gives_back_what_a_queue_gives_back(steps in prop::collection::vec(0u8..16, 0..600)) {
            let (mut ring, mut queue, mut next) = (Ring::default(), VecDeque::new(), 0u128);
            for step in steps {
                match step {
                    0..9 => {
                        next += 1;
                        prop_assert_eq!(ring.push_back(next), queue.is_empty());
                        queue.push_back(next);
                    }
                    9..15 if queue.pop_front().is_some() => {
                        prop_assert_eq!(ring.drop_front(), queue.front().copied().unwrap_or(NOTHING));
                    }
                    9..15 => {}
                    _ => {
                        ring.retain(|item| item % 3 > 0);
                        queue.retain(|item| item % 3 > 0);
                    }
                }
                prop_assert_eq!(ring.front(), queue.front().copied().unwrap_or(NOTHING));
                prop_assert_eq!(ring.len(), queue.len());
            }
        }
    }
}
