//! What changed in each window, of counts of which most do not: those that did not take no room, and the others a byte for every
//! seven bits. Knows nothing of what is counted.

use core::ops::{AddAssign, Sub};

use crate::varint;

/// A table row of counts.
pub(crate) trait Counts: Copy + Default + AddAssign + Sub<Output = Self> {
    /// Shows all of them, always in the same order; at most 64.
    fn each(&mut self, see: &mut impl FnMut(&mut u64));
}

impl Counts for u64 {
    #[inline(always)]
    fn each(&mut self, see: &mut impl FnMut(&mut u64)) {
        see(self);
    }
}

/// By window, how much more than at the end of the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes<T> {
    /// For each window a bit for each count that changed, and then by how much.
    bytes: Vec<u8>,
    /// Where the last window begins.
    last: usize,
    /// How many there are.
    windows: usize,
    /// The counts at its end.
    counts: T,
}

impl<T: Counts> Changes<T> {
    /// A window ends, and the counts are these.
    pub(crate) fn push(&mut self, counts: T) {
        self.last = self.bytes.len();
        self.windows += 1;
        self.write(counts - self.counts);
        self.counts = counts;
    }

    /// The last window is longer than it seemed, and at its end the counts are these. Nothing, if there is none.
    pub(crate) fn amend(&mut self, counts: T) {
        let mut change = read::<T>(&mut &self.bytes[self.last..]);
        change += counts - self.counts;
        self.bytes.truncate(self.last);
        self.write(change);
        self.counts = counts;
    }

    /// By how much the counts changed in each window.
    pub(crate) fn all(&self) -> Vec<T> {
        let mut bytes = &self.bytes[..];
        (0..self.windows).map(|_| read(&mut bytes)).collect()
    }

    fn write(&mut self, mut change: T) {
        let (mut changed, mut bit) = (0, 1u64);
        change.each(&mut |count| {
            changed |= if *count > 0 { bit } else { 0 };
            bit <<= 1;
        });
        varint::write(&mut self.bytes, changed);
        if changed > 0 {
            change.each(&mut |count| {
                if *count > 0 {
                    varint::write(&mut self.bytes, *count);
                }
            });
        }
    }
}

fn read<T: Counts>(bytes: &mut &[u8]) -> T {
    let (mut change, mut changed) = (T::default(), varint::read(bytes));
    if changed > 0 {
        change.each(&mut |count| {
            if changed & 1 == 1 {
                *count = varint::read(bytes);
            }
            changed >>= 1;
        });
    }
    change
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tallies::{Calls, Failures};

    proptest! {
        #[test]
        fn every_window_is_read_as_it_was_written(
            // Of all magnitudes, and many of them nothing.
            windows in prop::collection::vec(prop::array::uniform4((any::<u64>(), 6u32..70)), 0..40),
            amended in prop::option::of(any::<u32>()),
        ) {
            let (mut changes, mut now, mut wanted) = (Changes::<Calls>::default(), Calls::default(), Vec::new());
            for four in windows {
                let [begun, ok, timeout, cancelled] =
                    four.map(|(bits, shift)| bits.checked_shr(shift).unwrap_or(0));
                let failures = Failures { timeout, ..Failures::default() };
                let more = Calls { begun, ok, failures, cancelled, ..Calls::default() };
                now += more;
                changes.push(now);
                wanted.push(more);
            }
            if let (Some(more), Some(last)) = (amended, wanted.last_mut()) {
                last.ok += u64::from(more);
                now.ok += u64::from(more);
                changes.amend(now);
            }
            prop_assert_eq!(changes.all(), wanted);
        }
    }

    #[test]
    fn a_window_in_which_nothing_changed_takes_a_byte() {
        let mut changes = Changes::default();
        (0..10).for_each(|_| changes.push(7u64));
        assert_eq!((changes.bytes.len(), changes.all()), (2 + 9, [&[7][..], &[0; 9]].concat()));
    }

    #[test]
    fn the_greatest_change_is_read_as_it_was_written() {
        let mut changes = Changes::default();
        changes.push(u64::MAX);
        assert_eq!(changes.all(), [u64::MAX]);
    }
}
