//! What comes next, among things in no particular order: the soonest few stand in a sorted line, all others in a heap
//! behind it. Most runs have so few timers under way that the line holds them all; a line is quicker than a heap as long
//! as it is short. Knows nothing of what its numbers mean.

use crate::heap::Heap;

/// Places of the line; what stands in it moves to the front when the end is reached.
const PLACES: usize = 256;
/// So many may stand in line at the most.
const LONGEST: usize = 128;
/// So many come out of the heap at once when the line is empty.
const REFILL: usize = 32;

/// A priority queue of numbers, least first. All numbers in it differ.
#[derive(Clone, Debug)]
pub(crate) struct Soon {
    /// From `head` to `tail` numbers ascend, and nothing in the heap is less than what stands there. Their upper and
    /// their lower halves stand apart: the upper ones nearly always say which number is less.
    upper: Box<[u64; PLACES]>,
    lower: Box<[u64; PLACES]>,
    head: usize,
    tail: usize,
    later: Heap,
}

impl Default for Soon {
    fn default() -> Self {
        let nothing = || Box::new([u64::MAX; PLACES]);
        Self { upper: nothing(), lower: nothing(), head: 0, tail: 0, later: Heap::default() }
    }
}

impl Soon {
    /// The least number; the greatest there is if it is empty.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u128 {
        if self.head < self.tail { self.at(self.head) } else { u128::MAX }
    }

    /// Takes out the least number, which [`peek`](Self::peek) has just shown.
    #[inline(always)]
    pub(crate) fn take(&mut self) {
        self.head += 1;
        if self.head == self.tail {
            self.refill();
        }
    }

    /// Puts a number in.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: u128) {
        if self.tail == PLACES {
            self.move_up();
        }
        let (head, tail) = (self.head, self.tail);
        if tail == head || self.at(tail - 1) < item {
            if !self.later.is_empty() || tail - head == LONGEST {
                return self.later.push(item);
            }
            self.set(tail, item);
        } else {
            let half = (item >> 64) as u64;
            let mut at = head + self.upper[head..tail].partition_point(|upper| *upper < half);
            while self.at(at) < item {
                at += 1;
            }
            self.upper.copy_within(at..tail, at + 1);
            self.lower.copy_within(at..tail, at + 1);
            self.set(at, item);
        }
        self.tail += 1;
        if self.tail - head > LONGEST {
            self.send_back();
        }
    }

    #[inline(always)]
    fn at(&self, place: usize) -> u128 {
        u128::from(self.upper[place % PLACES]) << 64 | u128::from(self.lower[place % PLACES])
    }

    #[inline(always)]
    fn set(&mut self, place: usize, item: u128) {
        self.upper[place % PLACES] = (item >> 64) as u64;
        self.lower[place % PLACES] = item as u64;
    }

    /// The last in line goes behind it.
    #[inline(never)]
    fn send_back(&mut self) {
        self.tail -= 1;
        self.later.push(self.at(self.tail));
    }

    #[inline(never)]
    fn move_up(&mut self) {
        self.upper.copy_within(self.head..self.tail, 0);
        self.lower.copy_within(self.head..self.tail, 0);
        self.tail -= self.head;
        self.head = 0;
    }

    /// The line is empty: the soonest of the others make the next.
    #[inline(never)]
    fn refill(&mut self) {
        (self.head, self.tail) = (0, 0);
        while self.tail < REFILL && !self.later.is_empty() {
            let next = self.later.peek();
            self.set(self.tail, next);
            self.later.take();
            self.tail += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Pushes the values of `steps` and pops where there is none; against a sorted set.
    fn same_as_sorted(steps: &[Option<u16>]) -> Result<(), TestCaseError> {
        let (mut soon, mut sorted) = (Soon::default(), BTreeSet::new());
        for (i, step) in steps.iter().enumerate() {
            if let Some(value) = step {
                let item = u128::from(*value) << 32 | i as u128;
                soon.push(item);
                sorted.insert(item);
            } else {
                prop_assert_eq!(soon.peek(), sorted.first().copied().unwrap_or(u128::MAX));
                if sorted.pop_first().is_some() {
                    soon.take();
                }
            }
        }
        while let Some(item) = sorted.pop_first() {
            prop_assert_eq!(soon.peek(), item);
            soon.take();
        }
        prop_assert_eq!(soon.peek(), u128::MAX);
        Ok(())
    }

    proptest! {
        #[test]
        fn the_line_and_the_heap_give_back_what_a_sorted_set_gives_back(
            steps in prop::collection::vec(prop::option::weighted(0.6, any::<u16>()), 0..1500)
        ) {
            same_as_sorted(&steps)?;
        }
    }

    #[test]
    fn numbers_that_only_ascend_or_only_descend_come_out_in_order() {
        let ascending: Vec<_> = (0..1000).map(Some).collect();
        let descending: Vec<_> = (0..1000).rev().map(Some).collect();
        let waves: Vec<_> = (0..2000u32).map(|i| (i % 3 != 0).then_some((i * 7919 % 1000) as u16)).collect();
        for steps in [ascending, descending, waves] {
            same_as_sorted(&steps).unwrap();
        }
    }
}
