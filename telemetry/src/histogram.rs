//! How many values of which size: an integer histogram of nanoseconds whose buckets widen with the value. Knows nothing
//! of requests, services or time.
//!
//! Values below 1,024 have a bucket each. Above, every octave (from one power of two to the next) is cut into 512
//! buckets of equal width, so a bucket's midpoint is within 1/1,024 (0.1 %) of every value in it. Counts are bytes, in pages
//! of half an octave, each made when its first value comes: a run has many histograms, and most of them few values of a kind.
//! What does not fit into a byte is carried.

mod together;

pub(crate) use together::Together;

/// How many there are in a bucket.
type Count = u8;

/// Buckets of a page: half an octave.
const PAGE: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 8;
const OCTAVE_BITS: u32 = PAGE_BITS + 1;
/// Pages there may be: two octaves for what is exact, and all above.
const PAGES: usize = 56 * 2;
/// Values with this many leading zeros or more are their own bucket.
const EXACT_LEADING_ZEROS: u32 = 54;
/// So many half octaves, or less, a few values often have.
const OFTEN: usize = 8;
/// A directory entry whose page would lie beyond all that there may be.
const NO_PAGE: u8 = u8::MAX;

/// Counts of values by size, with exact sum, least and greatest.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Where each page of counts stands in `pages`. Empty until there is one.
    directory: Vec<u8>,
    /// Each made when its first value came, and never moved.
    #[expect(clippy::vec_box, reason = "what has grown large would be copied whenever one more is made")]
    pages: Vec<Box<[Count; PAGE]>>,
    /// What no longer fits into a count, by bucket, ascending.
    carried: Vec<(usize, u64)>,
    sum: u128,
    least: u64,
    greatest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// No values.
    pub const fn new() -> Self {
        Self { directory: Vec::new(), pages: Vec::new(), carried: Vec::new(), sum: 0, least: u64::MAX, greatest: 0 }
    }

    /// One more value.
    #[inline(always)]
    pub fn record(&mut self, value: u64) {
        self.sum += u128::from(value);
        if value < self.least || value > self.greatest {
            self.widen(value);
        }
        let bucket = bucket_of(value);
        let place = self.place(bucket >> PAGE_BITS);
        if let Some(page) = self.pages.get_mut(usize::from(place))
            && let Some(more) = page[bucket % PAGE].checked_add(1)
        {
            page[bucket % PAGE] = more;
        } else {
            self.add(bucket, 1);
        }
    }

    /// So many more of one value.
    #[cfg(test)]
    pub(crate) fn record_times(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.sum += u128::from(value) * u128::from(times);
        self.widen(value);
        let bucket = bucket_of(value);
        self.add(bucket, times);
    }

    /// A value beyond all others: rarer and rarer as values come.
    #[cold]
    #[inline(never)]
    fn widen(&mut self, value: u64) {
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    /// All values of `other` as well.
    pub fn merge(&mut self, other: &Self) {
        for page in other.pages_in_use() {
            let theirs = other.page(page);
            if theirs.is_empty() {
                continue;
            }
            let mut too_many = false;
            for (count, more) in self.page_mut(page).iter_mut().zip(theirs) {
                let (sum, over) = count.overflowing_add(*more);
                *count = sum;
                too_many |= over;
            }
            if too_many {
                self.carry_after(page, theirs);
            }
        }
        for (bucket, count) in &other.carried {
            self.carry(*bucket, *count);
        }
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// Forgets the values and keeps the memory. Only pages that hold values are touched.
    pub fn reset(&mut self) {
        for page in self.pages_in_use() {
            let place = usize::from(self.place(page));
            if let Some(counts) = self.pages.get_mut(place) {
                counts.fill(0);
            }
        }
        self.carried.clear();
        (self.sum, self.least, self.greatest) = (0, u64::MAX, 0);
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.least > self.greatest
    }

    /// How many values there are. Adds up the buckets.
    pub fn count(&self) -> u64 {
        self.pages_in_use().map(|page| self.sum_of(page)).sum()
    }

    /// The sum of all values, exact.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The least value, exact; `None` if there is none.
    pub fn min(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.least)
    }

    /// The greatest value, exact; `None` if there is none.
    pub fn max(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.greatest)
    }

    /// The mean of all values, from their exact sum; `None` if there is none.
    pub fn mean(&self) -> Option<f64> {
        match self.count() {
            0 => None,
            count => Some(self.sum as f64 / count as f64),
        }
    }

    /// The value at `per_mille` thousandths of the values by nearest rank: the least recorded value that at least so
    /// many thousandths of the values do not exceed. It is the midpoint of that value's bucket, never below the least
    /// nor above the greatest value, and the greatest itself for the last rank. `None` if there is no value.
    pub fn percentile(&self, per_mille: u16) -> Option<u64> {
        self.percentiles([per_mille]).map(|[value]| value)
    }

    /// Several percentiles at once, as [`percentile`](Self::percentile) gives each; in any order.
    pub fn percentiles<const N: usize>(&self, per_mille: [u16; N]) -> Option<[u64; N]> {
        Together::from(self).percentiles(per_mille)
    }

    /// How many values there are in each half of an octave, ascending, without empty ones: its number and the count.
    /// [`half_octave_from`] says where one begins.
    pub(crate) fn half_octaves(&self) -> Vec<(u8, u64)> {
        self.pages_in_use().map(|page| (page as u8, self.sum_of(page))).filter(|(_, count)| *count > 0).collect()
    }

    /// So many more in a bucket, whose page may have to be made, or whose count is too great for it.
    #[cold]
    #[inline(never)]
    fn add(&mut self, bucket: usize, times: u64) {
        let count = &mut self.page_mut(bucket >> PAGE_BITS)[bucket % PAGE];
        let sum = u128::from(*count) + u128::from(times);
        *count = sum as Count;
        self.carry(bucket, (sum - (sum & u128::from(Count::MAX))) as u64);
    }

    /// So many more that do not fit into a count.
    fn carry(&mut self, bucket: usize, count: u64) {
        if count == 0 {
            return;
        }
        match self.carried.binary_search_by_key(&bucket, |(of, _)| *of) {
            Ok(place) => self.carried[place].1 += count,
            Err(place) => self.carried.insert(place, (bucket, count)),
        }
    }

    /// Counts of a page to which these were added have become less, and so were too great.
    #[cold]
    fn carry_after(&mut self, page: usize, added: &[Count]) {
        for (slot, more) in added.iter().enumerate() {
            if self.page(page).get(slot).is_some_and(|count| count < more) {
                self.carry(page * PAGE + slot, 1 << Count::BITS);
            }
        }
    }

    /// What a page's buckets have besides their counts.
    fn carried_of(&self, page: usize) -> &[(usize, u64)] {
        let from = self.carried.partition_point(|(bucket, _)| *bucket < page * PAGE);
        let carried = &self.carried[from..];
        &carried[..carried.partition_point(|(bucket, _)| *bucket < (page + 1) * PAGE)]
    }

    /// How many values a page has.
    fn sum_of(&self, page: usize) -> u64 {
        u64::from(sum(self.page(page))) + self.carried_of(page).iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Where the page's counts stand, if they do.
    #[inline(always)]
    fn place(&self, page: usize) -> u8 {
        self.directory.get(page).copied().unwrap_or(NO_PAGE)
    }

    /// The page's counts; makes the page if it is not there.
    fn page_mut(&mut self, page: usize) -> &mut [Count; PAGE] {
        if self.directory.is_empty() {
            self.directory = vec![NO_PAGE; PAGES];
        }
        let place = &mut self.directory[page];
        if *place == NO_PAGE {
            *place = self.pages.len() as u8;
            self.pages.push(Box::new([0; PAGE]));
        }
        &mut self.pages[usize::from(*place)]
    }

    /// The pages that may hold values: those from the least value's to the greatest's.
    fn pages_in_use(&self) -> core::ops::Range<usize> {
        if self.is_empty() {
            return 0..0;
        }
        bucket_of(self.least) >> PAGE_BITS..(bucket_of(self.greatest) >> PAGE_BITS) + 1
    }

    /// The page's counts; nothing if it was never made.
    fn page(&self, page: usize) -> &[Count] {
        self.pages.get(usize::from(self.place(page))).map_or(&[], |page| &page[..])
    }
}

/// The sum of a page's counts. Many are added at a time, for which 16 bits are enough.
fn sum(page: &[Count]) -> u32 {
    const AT_A_TIME: usize = 16;
    const _: () = assert!(PAGE / AT_A_TIME * Count::MAX as usize <= u16::MAX as usize);
    let mut sums = [0u16; AT_A_TIME];
    for counts in page.as_chunks::<AT_A_TIME>().0 {
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += u16::from(*count));
    }
    sums.into_iter().map(u32::from).sum()
}

/// As [`Histogram::percentiles`], of values that are sorted.
pub(crate) fn percentiles_of<const N: usize>(sorted: &[u64], per_mille: [u16; N]) -> Option<[u64; N]> {
    let (least, greatest) = (*sorted.first()?, *sorted.last()?);
    Some(per_mille.map(|per_mille| {
        let rank = (sorted.len() * usize::from(per_mille)).div_ceil(1000).max(1);
        let of_rank = sorted.get(rank - 1).filter(|_| rank < sorted.len());
        of_rank.map_or(greatest, |value| midpoint_of(bucket_of(*value)).clamp(least, greatest))
    }))
}

/// As [`Histogram::half_octaves`], of values that are sorted.
pub(crate) fn half_octaves_of(sorted: &[u64]) -> Vec<(u8, u64)> {
    let mut halves = Vec::with_capacity(OFTEN);
    let mut left = sorted;
    while let Some(first) = left.first() {
        let half = (bucket_of(*first) / PAGE) as u8;
        let (of_half, others) = left.split_at(left.partition_point(|value| bucket_of(*value) / PAGE <= half.into()));
        halves.push((half, of_half.len() as u64));
        left = others;
    }
    halves
}

/// The least value of a half octave by its number.
pub(crate) const fn half_octave_from(number: u8) -> u64 {
    let bucket = number as usize * PAGE;
    let shift = (bucket >> OCTAVE_BITS).saturating_sub(1);
    ((bucket - (shift << OCTAVE_BITS)) as u64) << shift
}

/// The bucket of `value`: the value itself below 1,024; above, the octave and the upper ten bits.
#[inline]
const fn bucket_of(value: u64) -> usize {
    let shift = EXACT_LEADING_ZEROS - (value | 1 << OCTAVE_BITS).leading_zeros();
    ((shift as usize) << OCTAVE_BITS) + (value >> shift) as usize
}

/// The midpoint of a bucket, rounded down.
const fn midpoint_of(bucket: usize) -> u64 {
    let shift = (bucket >> OCTAVE_BITS).saturating_sub(1);
    let low = ((bucket - (shift << OCTAVE_BITS)) as u64) << shift;
    low + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        for value in values {
            histogram.record(*value);
        }
        histogram
    }

    /// The value at this rank of the sorted values.
    fn exact(values: &[u64], per_mille: u16) -> u64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let rank = (sorted.len() * usize::from(per_mille)).div_ceil(1000).clamp(1, sorted.len());
        sorted[rank - 1]
    }

    /// Values of all magnitudes alike, and small ones.
    pub(super) fn values() -> impl Strategy<Value = Vec<u64>> {
        let any_size = (any::<u64>(), 0u32..64).prop_map(|(bits, shift)| bits >> shift);
        prop::collection::vec(prop_oneof![any_size, 0u64..2048, 1_000_000u64..6_000_000_000], 1..300)
    }

    #[test]
    fn what_is_recorded_more_often_than_a_page_can_count_is_not_lost() {
        let mut histogram = Histogram::new();
        for time in 0..200_000u64 {
            histogram.record(if time % 4 == 0 { 9_000 } else { 5_000 });
        }
        assert_eq!((histogram.count(), histogram.sum()), (200_000, 50_000 * 9_000 + 150_000 * 5_000));
        assert_eq!(histogram.percentiles([750, 751, 1000]), Some([5_003, 8_999, 9_000]));
    }

    #[test]
    fn every_value_below_1024_and_every_octave_has_its_own_buckets() {
        let table = [
            (0, 0),
            (1, 1),
            (511, 511),
            (512, 512),
            (1023, 1023),
            (1024, 1024),
            (1025, 1024),
            (1026, 1025),
            (2047, 1535),
            (2048, 1536),
            (u64::MAX, 56 * 512 - 1),
        ];
        for (value, bucket) in table {
            assert_eq!(bucket_of(value), bucket, "bucket of {value}");
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let ten: Vec<u64> = (1..=10).map(|n| n * 10).collect();
        let table = [(0, 10), (100, 10), (101, 20), (500, 50), (900, 90), (901, 100), (999, 100), (1000, 100)];
        for (per_mille, value) in table {
            assert_eq!(histogram(&ten).percentile(per_mille), Some(value), "at {per_mille}");
        }
    }

    #[test]
    fn an_empty_histogram_has_no_figures() {
        let empty = Histogram::new();
        assert!(empty.is_empty());
        assert_eq!((empty.count(), empty.sum()), (0, 0));
        assert_eq!((empty.min(), empty.max(), empty.mean(), empty.percentile(500)), (None, None, None, None));
    }

    #[test]
    fn zero_is_a_value_like_any_other() {
        let zeros = histogram(&[0, 0, 0, 7]);
        assert_eq!((zeros.count(), zeros.min(), zeros.percentile(750)), (4, Some(0), Some(0)));
        assert_eq!(zeros.percentile(751), Some(7));
    }

    #[test]
    fn a_reset_histogram_is_like_a_new_one_and_keeps_its_pages() {
        let mut used = histogram(&[1, 5_000, 7_000_000]);
        let memory = used.pages.len();
        used.reset();
        assert!(used.is_empty());
        assert!(used.pages.iter().all(|page| page.iter().all(|count| *count == 0)));
        used.record(5_100);
        assert_eq!((used.count(), used.percentile(500), used.pages.len()), (1, Some(5_100), memory));
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_thousandth_of_the_sorted_values(values in values(), per_mille in 0u16..=1000) {
            let ours = histogram(&values).percentile(per_mille).unwrap();
            let exact = exact(&values, per_mille);
            let error = ours.abs_diff(exact);
            prop_assert!(u128::from(error) * 1024 <= u128::from(exact), "{ours} for {exact}");
            if exact < 1024 {
                prop_assert_eq!(ours, exact);
            }
        }

        #[test]
        fn percentiles_agree_with_another_implementation(
            values in prop::collection::vec(1u64..1_000_000_000_000, 1..300),
            // As shares these are exact in binary, so that both mean the same rank.
            per_mille in prop::sample::select(vec![125u16, 250, 500, 750, 875, 1000]),
        ) {
            let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000_000_000_000, 3).unwrap();
            for value in &values {
                theirs.record(*value).unwrap();
            }
            let theirs = theirs.value_at_quantile(f64::from(per_mille) / 1000.0) as f64;
            let ours = histogram(&values).percentile(per_mille).unwrap() as f64;
            // Theirs answers the upper end of a bucket of 1/1024 or finer.
            prop_assert!((ours - theirs).abs() <= theirs * 0.002 + 1.0, "{ours} and {theirs}");
        }

        #[test]
        fn count_sum_and_extremes_are_exact(values in values()) {
            let histogram = histogram(&values);
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.sum(), values.iter().map(|v| u128::from(*v)).sum::<u128>());
            prop_assert_eq!(histogram.min(), values.iter().min().copied());
            prop_assert_eq!(histogram.max(), values.iter().max().copied());
            prop_assert_eq!(histogram.percentile(1000), histogram.max());
        }

        #[test]
        fn merging_is_recording_everything_in_one(left in values(), right in values(), per_mille in 0u16..=1000) {
            let mut merged = histogram(&left);
            merged.merge(&histogram(&right));
            let one = histogram(&[left, right].concat());
            prop_assert_eq!(merged.count(), one.count());
            prop_assert_eq!(merged.sum(), one.sum());
            prop_assert_eq!(merged.min(), one.min());
            prop_assert_eq!(merged.percentile(per_mille), one.percentile(per_mille));
        }

        #[test]
        fn counts_may_be_greater_than_a_page_can_hold(
            values in values(), times in prop::collection::vec(0u64..1 << 40, 1..9), per_mille in 0u16..=1000
        ) {
            let (mut whole, mut halves) = (Histogram::new(), [Histogram::new(), Histogram::new()]);
            let mut sorted = Vec::new();
            for (value, times) in values.iter().zip(&times) {
                whole.record_times(*value, *times);
                halves[0].record_times(*value, times / 2);
                halves[1].record_times(*value, times - times / 2);
                sorted.push((*value, *times));
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            sorted.sort_unstable();
            let count = sorted.iter().map(|(_, times)| times).sum::<u64>();
            prop_assert_eq!((whole.count(), merged.count()), (count, count));
            prop_assert_eq!(whole.percentile(per_mille), merged.percentile(per_mille));
            prop_assert_eq!(whole.half_octaves(), merged.half_octaves());
            let rank = (u128::from(count) * u128::from(per_mille)).div_ceil(1000).max(1);
            let mut below = 0;
            let at = sorted.iter().find(|(_, times)| { below += u128::from(*times); below >= rank });
            if let Some((exact, _)) = at.filter(|_| count > 0) {
                let error = whole.percentile(per_mille).unwrap().abs_diff(*exact);
                prop_assert!(u128::from(error) * 1024 <= u128::from(*exact), "{exact}");
            }
        }

        #[test]
        fn recording_a_value_many_times_is_recording_it_that_often(value in any::<u64>(), times in 0u64..50) {
            let mut at_once = Histogram::new();
            at_once.record_times(value, times);
            let one_by_one = histogram(&vec![value; times as usize]);
            prop_assert_eq!(at_once.count(), one_by_one.count());
            prop_assert_eq!(at_once.sum(), one_by_one.sum());
            prop_assert_eq!(at_once.percentile(500), one_by_one.percentile(500));
        }
    }
}
