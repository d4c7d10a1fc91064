//! Several histograms as one that is never made: what is asked of it is worked out from their counts.

use super::{Histogram, PAGE, PAGES, midpoint_of};

/// The values of several histograms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together<'h> {
    /// None of them is empty.
    all: Vec<&'h Histogram>,
    /// So many values of zero besides.
    zeros: u64,
}

impl<'h> From<&'h Histogram> for Together<'h> {
    fn from(one: &'h Histogram) -> Self {
        let mut together = Self::default();
        together.add(one);
        together
    }
}

impl<'h> Together<'h> {
    /// The values of one more.
    pub(crate) fn add(&mut self, one: &'h Histogram) {
        if !one.is_empty() {
            self.all.push(one);
        }
    }

    /// The values of both.
    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.all.extend(&other.all);
        self.zeros += other.zeros;
        self
    }

    /// So many values of zero besides.
    #[must_use]
    pub(crate) const fn and_zeros(mut self, zeros: u64) -> Self {
        self.zeros += zeros;
        self
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.zeros + self.all.iter().map(|one| one.count()).sum::<u64>()
    }

    /// The sum of all values, exact.
    pub(crate) fn sum(&self) -> u128 {
        self.all.iter().map(|one| one.sum).sum()
    }

    /// The least value, exact; `None` if there is none.
    pub(crate) fn min(&self) -> Option<u64> {
        let zero = (self.zeros > 0).then_some(0);
        zero.or_else(|| self.all.iter().map(|one| one.least).min())
    }

    /// The greatest value, exact; `None` if there is none.
    pub(crate) fn max(&self) -> Option<u64> {
        let zero = (self.zeros > 0).then_some(0);
        self.all.iter().map(|one| one.greatest).max().or(zero)
    }

    /// The mean of all values, from their exact sum; `None` if there is none.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.spread([]).map(|(mean, [])| mean)
    }

    /// As [`Histogram::percentiles`], of a histogram of all these values.
    pub(crate) fn percentiles<const N: usize>(&self, per_mille: [u16; N]) -> Option<[u64; N]> {
        self.spread(per_mille).map(|(_, values)| values)
    }

    /// The mean, and percentiles.
    pub(crate) fn spread<const N: usize>(&self, per_mille: [u16; N]) -> Option<(f64, [u64; N])> {
        let (least, greatest) = (self.min()?, self.max()?);
        let mut sums = [0; PAGES];
        sums[0] = self.zeros;
        for one in &self.all {
            for page in one.pages_in_use() {
                sums[page] += one.sum_of(page);
            }
        }
        let count = sums.iter().sum::<u64>();
        let values = per_mille.map(|per_mille| {
            let rank = (u128::from(count) * u128::from(per_mille)).div_ceil(1000).max(1) as u64;
            let value = if rank < count { self.of_rank(rank, &sums) } else { None };
            value.map_or(greatest, |value| value.clamp(least, greatest))
        });
        Some((self.sum() as f64 / count as f64, values))
    }

    /// The middle of the bucket in which the value of this rank is, counted from 1; `sums` are the counts of each page.
    fn of_rank(&self, rank: u64, sums: &[u64; PAGES]) -> Option<u64> {
        let mut left = rank;
        for (page, sum) in sums.iter().enumerate() {
            if *sum < left {
                left -= sum;
                continue;
            }
            for (slot, count) in self.counts_of(page).into_iter().enumerate() {
                if count >= left {
                    return Some(midpoint_of(page * PAGE + slot));
                }
                left -= count;
            }
        }
        None
    }

    /// How many values each bucket of a page has.
    fn counts_of(&self, page: usize) -> [u64; PAGE] {
        let mut counts = [0; PAGE];
        if page == 0 {
            counts[0] = self.zeros;
        }
        for one in &self.all {
            for (sum, count) in counts.iter_mut().zip(one.page(page)) {
                *sum += u64::from(*count);
            }
            for (bucket, count) in one.carried_of(page) {
                counts[bucket % PAGE] += count;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{histogram, values};
    use super::*;

    proptest! {
        #[test]
        fn the_figures_are_those_of_one_histogram_of_all_values(
            parts in prop::collection::vec(values(), 0..5),
            often in prop::option::of((any::<u64>(), 1u64 << 30..1 << 40)),
            zeros in prop_oneof![Just(0), 1u64..500],
            per_mille in 0u16..=1000,
        ) {
            let mut histograms: Vec<_> = parts.iter().map(|values| histogram(values)).collect();
            histograms.push(Histogram::new());
            if let (Some((value, times)), Some(first)) = (often, histograms.first_mut()) {
                first.record_times(value, times);
            }
            let mut merged = Histogram::new();
            for one in &histograms {
                merged.merge(one);
            }
            merged.record_times(0, zeros);
            let (left, right) = histograms.split_at(histograms.len() / 2);
            let [left, right] = [left, right].map(|some| some.iter().fold(Together::default(), |mut all, one| {
                all.add(one);
                all
            }));
            let together = left.and(&right).and_zeros(zeros);
            prop_assert_eq!((together.count(), together.sum()), (merged.count(), merged.sum()));
            prop_assert_eq!((together.min(), together.max()), (merged.min(), merged.max()));
            prop_assert_eq!(together.mean(), merged.mean());
            prop_assert_eq!(together.percentiles([per_mille, 500]), merged.percentiles([per_mille, 500]));
        }
    }
}
