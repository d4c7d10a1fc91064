//! What comes next, among things in no particular order: what happens soon stands in a ring of buckets by its time, each
//! so short that the least in it is found by looking; all else in a heap beside it. How wide a bucket is follows from what
//! comes: twice as wide if much lies beyond the ring, half as wide if many buckets are full.

use squall_model::SimTime;

use crate::heap::Heap;

/// Buckets of the ring, as many as a word has bits.
const BUCKETS: usize = 64;
/// What a bucket holds at most.
const DEPTH: usize = 8;
/// The upper half of a number is a time in nanoseconds, and below it this many bits of something else.
const BELOW_TIME: u32 = 4;
/// The width of a bucket to begin with, as a power of two of nanoseconds: half a millisecond.
const WIDTH_AT_FIRST: u32 = 19;
/// Widths go from a nanosecond to ten days.
const WIDEST: u32 = 50;
/// The width is looked at after so many numbers.
const LOOK_AFTER: u64 = 1024;
/// One in so many in the heap is too much.
const TOO_MUCH: u64 = 16;

/// A priority queue of numbers, least first. All numbers in it differ.
#[derive(Clone, Debug)]
pub(crate) struct Soon {
    /// Bucket by bucket.
    places: Box<[u128; BUCKETS * DEPTH]>,
    counts: [u8; BUCKETS],
    /// A bit for each bucket in which something stands.
    filled: u64,
    /// The least number in the ring, and where it stands; the greatest number there is if there is none.
    least: u128,
    least_at: usize,
    width: u32,
    later: Heap,
    /// The least of all, as long as the heap has no hole.
    top: u128,
    /// Since the width was last looked at: how many numbers came, how many of them lay beyond the ring, and how many found
    /// their bucket full.
    came: u64,
    beyond: u64,
    crowded: u64,
}

impl Default for Soon {
    fn default() -> Self {
        Self {
            places: Box::new([0; BUCKETS * DEPTH]),
            counts: [0; BUCKETS],
            filled: 0,
            least: u128::MAX,
            least_at: 0,
            width: WIDTH_AT_FIRST,
            later: Heap::default(),
            top: u128::MAX,
            came: 0,
            beyond: 0,
            crowded: 0,
        }
    }
}

impl Soon {
    /// The least number; the greatest there is if it is empty.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> u128 {
        if self.later.has_hole() {
            self.look_at_heap();
        }
        self.top
    }

    #[inline(never)]
    fn look_at_heap(&mut self) {
        self.top = self.later.peek().min(self.least);
    }

    /// Takes out the least number, which [`peek`](Self::peek) has just shown.
    #[inline(always)]
    pub(crate) fn take(&mut self, top: u128) {
        if top == self.least {
            self.take_from_ring();
        } else {
            self.later.take();
        }
    }

    /// Puts a number in; none in the ring is before `now`.
    #[inline(always)]
    pub(crate) fn push(&mut self, now: SimTime, item: u128) {
        self.came += 1;
        let slot = (item >> 64) as u64 >> (BELOW_TIME + self.width);
        let ahead = slot - (now.as_nanos() >> self.width);
        let bucket = slot as usize % BUCKETS;
        let count = usize::from(self.counts[bucket]);
        if ahead >= BUCKETS as u64 || count >= DEPTH {
            return self.push_later(now, item, ahead);
        }
        let place = bucket * DEPTH + count;
        self.places[place] = item;
        self.counts[bucket] += 1;
        self.filled |= 1 << bucket;
        if item < self.least {
            self.least = item;
            self.least_at = place;
            self.top = self.top.min(item);
        }
    }

    #[inline(always)]
    fn take_from_ring(&mut self) {
        let mut bucket = self.least_at / DEPTH % BUCKETS;
        let left = usize::from(self.counts[bucket]).wrapping_sub(1) % DEPTH;
        self.places[self.least_at] = self.places[bucket * DEPTH + left];
        self.counts[bucket] = left as u8;
        if left == 0 {
            self.filled &= !(1 << bucket);
            if self.filled == 0 {
                self.least = u128::MAX;
                self.top = self.later.root();
                return;
            }
            // Nothing in the ring is before what was taken, nor a whole turn behind it.
            bucket = (bucket + self.filled.rotate_right(bucket as u32).trailing_zeros() as usize) % BUCKETS;
        }
        let from = bucket * DEPTH;
        (self.least, self.least_at) = (self.places[from], from);
        for place in from + 1..from + usize::from(self.counts[bucket]) {
            if self.places[place] < self.least {
                (self.least, self.least_at) = (self.places[place], place);
            }
        }
        self.top = self.later.root().min(self.least);
    }

    #[inline(never)]
    fn push_later(&mut self, now: SimTime, item: u128, ahead: u64) {
        *(if ahead >= BUCKETS as u64 { &mut self.beyond } else { &mut self.crowded }) += 1;
        self.later.push(item);
        if self.came >= LOOK_AFTER {
            self.look(now);
        }
        self.look_at_heap();
    }

    /// Makes buckets wider or narrower if that would keep more out of the heap.
    #[cold]
    fn look(&mut self, now: SimTime) {
        let much = |count: u64| count * TOO_MUCH >= self.came;
        let (many_beyond, many_crowded) = (much(self.beyond), much(self.crowded));
        (self.came, self.beyond, self.crowded) = (0, 0, 0);
        if many_beyond == many_crowded {
            return;
        }
        let ring: Vec<_> = (0..BUCKETS).flat_map(|bucket| self.bucket(bucket).to_vec()).collect();
        self.counts = [0; BUCKETS];
        (self.filled, self.least) = (0, u128::MAX);
        self.width = if many_beyond { (self.width + 1).min(WIDEST) } else { self.width.saturating_sub(1) };
        for item in ring {
            self.push(now, item);
        }
    }

    fn bucket(&self, bucket: usize) -> &[u128] {
        &self.places[bucket * DEPTH..][..usize::from(self.counts[bucket])]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use squall_model::dist::Dist;
    use squall_model::rng::Stream;

    use super::*;

    /// Pushes what is so many nanoseconds ahead of the time, and takes what is next where there is none; against a sorted
    /// set.
    fn same_as_sorted(steps: impl IntoIterator<Item = Option<u64>>) -> Result<(), TestCaseError> {
        let (mut soon, mut sorted, mut now) = (Soon::default(), BTreeSet::new(), 0u64);
        for (i, step) in steps.into_iter().enumerate() {
            if let Some(ahead) = step {
                let item = u128::from(now + ahead) << (64 + BELOW_TIME) | i as u128;
                soon.push(SimTime::from_nanos(now), item);
                sorted.insert(item);
            } else {
                let top = soon.peek();
                prop_assert_eq!(top, sorted.first().copied().unwrap_or(u128::MAX));
                if sorted.pop_first().is_some() {
                    soon.take(top);
                    now = (top >> (64 + BELOW_TIME)) as u64;
                }
            }
        }
        while let Some(item) = sorted.pop_first() {
            prop_assert_eq!(soon.peek(), item);
            soon.take(item);
        }
        prop_assert_eq!(soon.peek(), u128::MAX);
        Ok(())
    }

    /// From one nanosecond to an hour, each size as often as any other.
    fn ahead() -> impl Strategy<Value = u64> {
        (0u32..42, any::<u64>()).prop_map(|(bits, value)| value >> (63 - bits))
    }

    proptest! {
        #[test]
        fn the_ring_and_the_heap_give_back_what_a_sorted_set_gives_back(
            steps in prop::collection::vec(prop::option::weighted(0.6, ahead()), 0..3000)
        ) {
            same_as_sorted(steps)?;
        }
    }

    #[test]
    fn the_order_holds_while_buckets_grow_wider_and_narrower() {
        // Ever farther ahead, then ever nearer; a hundred or so stand in it all the while.
        let shifts = (10..34).chain((4..34).rev());
        let steps = shifts.flat_map(|shift| {
            (0..3000u64).map(move |i| (i < 100 || i % 2 == 0).then_some((i * 7919 % 1024) << shift >> 8))
        });
        same_as_sorted(steps).unwrap();
    }

    #[test]
    fn thousands_at_one_instant_come_out_in_order() {
        same_as_sorted((0..5000).map(|_| Some(1000)).chain([None]).chain((0..5000).map(|i| (i % 3 > 0).then_some(0))))
            .unwrap();
    }

    #[test]
    fn what_comes_most_stands_in_the_ring() {
        // As if 40 were under way all the time, of 10 µs, 10 ms and 10 s each, exponentially.
        for mean in [1e4, 1e7, 1e10] {
            let (time, mut random) = (Dist::Exponential { mean }, Stream::new(1, "time"));
            let (mut soon, mut now, mut most) = (Soon::default(), 0, 0);
            for i in 0..200_000u64 {
                let end = now + time.sample(&mut random).as_nanos();
                soon.push(SimTime::from_nanos(now), u128::from(end) << (64 + BELOW_TIME) | u128::from(i));
                if i > 40 {
                    let top = soon.peek();
                    soon.take(top);
                    now = (top >> (64 + BELOW_TIME)) as u64;
                }
                if i > 100_000 {
                    most = most.max(soon.later.len());
                }
            }
            assert!(most <= 20, "{most} of 40 stand in the heap, mean {mean} ns");
        }
    }
}
