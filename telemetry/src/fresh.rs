//! The answers that came in the window that is open. Where they are few they are kept as they came: a window's end then
//! sorts them, which is far less than to look through all buckets of a histogram. Where they are many, they are counted in
//! one.

use crate::Histogram;
use crate::histogram::{half_octaves_of, percentiles_of};
use crate::shelf::Shelf;

/// How many are few.
const FEW: usize = 256;

/// How many there are in each half of an octave, ascending, without empty ones.
type HalfOctaves = Vec<(u8, u64)>;

/// By task and segment.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    segments: usize,
    slots: Vec<Slot>,
}

/// The answers of a task to those who began in one segment.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// They are many in this window.
    are_many: bool,
    few: Vec<u64>,
    many: Histogram,
}

impl Fresh {
    /// Of so many tasks.
    pub(crate) fn new(tasks: usize, segments: usize) -> Self {
        Self { segments, slots: vec![Slot::default(); tasks * segments] }
    }

    /// The slot of a task in one segment.
    pub(crate) const fn slot(&self, task: usize, segment: usize) -> u32 {
        (task * self.segments + segment) as u32
    }

    /// One more, where the slot is known.
    #[inline(always)]
    pub(crate) fn record_in(&mut self, slot: u32, value: u64) {
        let slot = &mut self.slots[slot as usize];
        if slot.are_many {
            return slot.many.record(value);
        }
        slot.few.push(value);
        if slot.few.len() == FEW {
            slot.spill();
        }
    }

    /// One more.
    #[inline(always)]
    pub(crate) fn record(&mut self, task: usize, segment: usize, value: u64) {
        self.record_in(self.slot(task, segment), value);
    }

    /// Adds a task's answers to `to` and to the same places of `shelf`, and forgets them here.
    pub(crate) fn drain(&mut self, task: usize, to: &mut Answers, shelf: &mut Shelf) {
        for (segment, slot) in self.slots[task * self.segments..][..self.segments].iter_mut().enumerate() {
            let place = shelf.slot(task, segment);
            for value in &slot.few {
                shelf.record_in(place, *value);
            }
            to.few.append(&mut slot.few);
            slot.are_many = false;
            if slot.many.is_empty() {
                continue;
            }
            shelf.merge(task, segment, &slot.many);
            if to.many.is_empty() {
                core::mem::swap(&mut to.many, &mut slot.many);
            } else {
                to.many.merge(&slot.many);
                slot.many.reset();
            }
        }
    }
}

impl Slot {
    #[cold]
    #[inline(never)]
    fn spill(&mut self) {
        self.are_many = true;
        for value in self.few.drain(..) {
            self.many.record(value);
        }
    }
}

/// The answers of one window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    few: Vec<u64>,
    many: Histogram,
}

impl Answers {
    /// Forgets them, and keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.few.clear();
        self.many.reset();
    }

    /// Several percentiles, and how many there are in each half of an octave, as a histogram of them all has them.
    pub(crate) fn spread<const N: usize>(&mut self, per_mille: [u16; N]) -> Option<([u64; N], HalfOctaves)> {
        if self.many.is_empty() {
            self.few.sort_unstable();
            return percentiles_of(&self.few, per_mille).map(|values| (values, half_octaves_of(&self.few)));
        }
        for value in self.few.drain(..) {
            self.many.record(value);
        }
        self.many.percentiles(per_mille).map(|values| (values, self.many.half_octaves()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shelf::Grain;
    use proptest::prelude::*;

    #[test]
    fn few_and_many_answers_are_spread_as_in_one_histogram_and_kept_once() {
        for count in [0, 1, 2, 99, FEW - 1, FEW, FEW + 1, 3 * FEW + 7] {
            let mut fresh = Fresh::new(2, 3);
            let mut shelf = Shelf::new(2, 3, 0..3, |_| Grain::Segments);
            let (mut answers, mut all) = (Answers::default(), Histogram::new());
            for i in 0..count as u64 {
                // Of all magnitudes, in two of the segments.
                let value = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 60);
                fresh.record(1, (i % 2) as usize, value);
                all.record(value);
            }
            fresh.drain(0, &mut answers, &mut shelf);
            assert_eq!(answers.spread([500]), None, "the other task has none");
            for again in 0..2 {
                fresh.drain(1, &mut answers, &mut shelf);
                let wanted = all.percentiles([500, 900, 990]).map(|values| (values, all.half_octaves()));
                assert_eq!(answers.spread([500, 900, 990]), wanted, "{count}, {again}");
            }
            let kept = shelf.over(1, 0..3);
            assert_eq!((kept.count(), kept.sum()), (all.count(), all.sum()), "{count}");
            answers.reset();
            assert_eq!(answers.spread([500]), None);
        }
    }

    proptest! {
        #[test]
        fn few_values_have_the_percentiles_of_a_histogram(
            mut values in prop::collection::vec((any::<u64>(), 0u32..64).prop_map(|(bits, shift)| bits >> shift), 1..300),
            per_mille in 0u16..=1000,
        ) {
            let mut all = Histogram::new();
            for value in &values {
                all.record(*value);
            }
            values.sort_unstable();
            prop_assert_eq!(half_octaves_of(&values), all.half_octaves());
            prop_assert_eq!(percentiles_of(&values, [per_mille]), all.percentiles([per_mille]));
        }
    }
}
