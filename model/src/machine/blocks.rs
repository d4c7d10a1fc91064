//! A line, first in, first out, in blocks: what stands in it is never moved, however long it grows, and what it needed when it
//! was long is free again when it is short. Knows nothing of what stands in it.

use std::collections::VecDeque;

/// How many stand in a block.
const BLOCK: usize = 64;

/// The line.
#[derive(Clone, Debug)]
pub(super) struct Blocks<T> {
    /// The first block, from which so many are gone. If all that stand in the line are in it, there is no other.
    first: Vec<T>,
    gone: usize,
    /// Full ones, in order.
    middle: VecDeque<Vec<T>>,
    /// The block that is filled.
    last: Vec<T>,
    /// One that was emptied.
    spare: Vec<T>,
    len: usize,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        let (middle, len) = (VecDeque::new(), 0);
        Self { first: Vec::new(), gone: 0, middle, last: Vec::new(), spare: Vec::new(), len }
    }
}

impl<T: Copy> Blocks<T> {
    /// How many stand in it.
    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The first.
    #[inline(always)]
    pub(super) fn front(&self) -> Option<&T> {
        self.first.get(self.gone)
    }

    /// One more behind all others.
    #[inline(always)]
    pub(super) fn push_back(&mut self, one: T) {
        if self.len == 0 {
            self.first.push(one);
        } else {
            if self.last.len() == self.last.capacity() {
                self.make_room();
            }
            self.last.push(one);
        }
        self.len += 1;
    }

    /// Takes out the first.
    #[inline(always)]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let one = *self.front()?;
        self.len -= 1;
        self.gone += 1;
        if self.gone == self.first.len() {
            self.go_on();
        }
        Some(one)
    }

    /// The block that is filled is full, or there is none yet.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        let mut fresh = core::mem::take(&mut self.spare);
        fresh.reserve_exact(BLOCK);
        let full = core::mem::replace(&mut self.last, fresh);
        if !full.is_empty() {
            self.middle.push_back(full);
        }
    }

    /// The first block is empty, and the next takes its place.
    #[inline(never)]
    fn go_on(&mut self) {
        self.gone = 0;
        self.first.clear();
        if self.len == 0 {
            return;
        }
        if let Some(next) = self.middle.pop_front() {
            self.spare = core::mem::replace(&mut self.first, next);
        } else {
            core::mem::swap(&mut self.first, &mut self.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_give_back_what_a_queue_gives_back(steps in prop::collection::vec((any::<bool>(), 0usize..200), 0..40)) {
            let (mut blocks, mut queue, mut next) = (Blocks::default(), VecDeque::new(), 0);
            for (come, count) in steps {
                for _ in 0..count {
                    if come {
                        next += 1;
                        blocks.push_back(next);
                        queue.push_back(next);
                    } else {
                        prop_assert_eq!(blocks.pop_front(), queue.pop_front());
                    }
                    prop_assert_eq!((blocks.front(), blocks.len()), (queue.front(), queue.len()));
                }
            }
        }
    }

    #[test]
    fn a_long_line_stands_in_full_blocks_and_keeps_three_when_it_is_short_again() {
        let mut blocks = Blocks::default();
        (0..100 * BLOCK).for_each(|one| blocks.push_back(one));
        assert!(blocks.middle.iter().all(|block| block.len() == BLOCK), "full blocks");
        while blocks.pop_front().is_some() {}
        let kept = [&blocks.first, &blocks.last, &blocks.spare].map(Vec::capacity);
        assert!(kept.iter().sum::<usize>() <= 3 * BLOCK && blocks.middle.is_empty(), "{kept:?}");
    }
}
