//! A line of numbers, first in, first out, in a ring that doubles when it is full. Its length is a power of two, so that
//! going round it is a mask.

/// Numbers in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    places: Vec<u128>,
    /// Counts on for ever; the place is what is left of it modulo the places there are.
    first: usize,
    count: usize,
}

/// Places to begin with.
const FEWEST: usize = 16;

impl Ring {
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first, if there is one.
    #[inline(always)]
    pub(crate) fn front(&self) -> Option<u128> {
        let place = self.first & self.places.len().wrapping_sub(1);
        self.places.get(place).copied().filter(|_| self.count > 0)
    }

    /// Takes out the first, if there is one.
    #[inline(always)]
    pub(crate) fn pop_front(&mut self) -> Option<u128> {
        let front = self.front()?;
        self.first = self.first.wrapping_add(1);
        self.count -= 1;
        Some(front)
    }

    /// Puts one in behind all others.
    #[inline(always)]
    pub(crate) fn push_back(&mut self, item: u128) {
        if self.count == self.places.len() {
            self.grow();
        }
        let place = self.first.wrapping_add(self.count) & self.places.len().wrapping_sub(1);
        if let Some(free) = self.places.get_mut(place) {
            *free = item;
            self.count += 1;
        }
    }

    /// Forgets those that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(u128) -> bool) {
        for _ in 0..self.count {
            if let Some(item) = self.pop_front()
                && keep(item)
            {
                self.push_back(item);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut places = Vec::with_capacity((self.places.len() * 2).max(FEWEST));
        while let Some(item) = self.pop_front() {
            places.push(item);
        }
        (self.first, self.count) = (0, places.len());
        places.resize(places.capacity().next_power_of_two(), 0);
        self.places = places;
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
                        ring.push_back(next);
                        queue.push_back(next);
                    }
                    9..15 => prop_assert_eq!(ring.pop_front(), queue.pop_front()),
                    _ => {
                        ring.retain(|item| item % 3 > 0);
                        queue.retain(|item| item % 3 > 0);
                    }
                }
                prop_assert_eq!(ring.front(), queue.front().copied());
                prop_assert_eq!((ring.len(), ring.is_empty()), (queue.len(), queue.is_empty()));
            }
        }
    }
}
