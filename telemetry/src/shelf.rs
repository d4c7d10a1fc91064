//! Histograms by row and segment: one for each segment where somebody asks for a phase, else one for the whole summary.
//! Which it is was decided when the shelf was built; recording only looks up a slot.

use core::ops::Range;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Histogram;
use crate::histogram::Together;

/// How finely a row's values are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grain {
    /// All that started in the summary, together.
    Summary,
    /// Each segment by itself.
    Segments,
}

impl Grain {
    /// The finer of the two.
    pub(crate) const fn finer(self, other: Self) -> Self {
        match (self, other) {
            (Self::Summary, Self::Summary) => Self::Summary,
            _ => Self::Segments,
        }
    }
}

/// A row's histograms are found through one slot a segment. Slot 0 takes what no summary counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    slots: Vec<u32>,
    segments: usize,
    histograms: Vec<Histogram>,
    /// By slot: values that were counted elsewhere and are this slot's as well.
    lent: BTreeMap<u32, Vec<Arc<Histogram>>>,
}

/// A shelf to which nothing more comes. Its values may be lent to others, as often as there are things that they were; they
/// are there only once.
#[derive(Debug)]
pub(crate) struct Closed {
    slots: Vec<u32>,
    segments: usize,
    /// By slot, without empty ones.
    histograms: Vec<Vec<Arc<Histogram>>>,
}

impl Shelf {
    /// A shelf of so many rows, each as fine as `grain` says.
    pub(crate) fn new(rows: usize, segments: usize, summary: Range<usize>, grain: impl Fn(usize) -> Grain) -> Self {
        let (slots, histograms, lent) = (vec![0; rows * segments], vec![Histogram::new()], BTreeMap::new());
        let mut shelf = Self { slots, segments, histograms, lent };
        for row in 0..rows {
            let slots = &mut shelf.slots[row * segments..(row + 1) * segments];
            match grain(row) {
                Grain::Summary => {
                    slots[summary.clone()].fill(shelf.histograms.len() as u32);
                    shelf.histograms.push(Histogram::new());
                }
                Grain::Segments => {
                    for slot in slots {
                        *slot = shelf.histograms.len() as u32;
                        shelf.histograms.push(Histogram::new());
                    }
                }
            }
        }
        shelf
    }

    /// How many rows there are.
    pub(crate) const fn rows(&self) -> usize {
        self.slots.len() / self.segments
    }

    /// How finely a row's values are told apart.
    pub(crate) fn grain(&self, row: usize) -> Grain {
        let slots = &self.slots[row * self.segments..(row + 1) * self.segments];
        let apart = slots.windows(2).all(|two| two[0] != two[1]) && !slots.contains(&0);
        if apart { Grain::Segments } else { Grain::Summary }
    }

    /// The slot of a row in one segment.
    pub(crate) fn slot(&self, row: usize, segment: usize) -> u32 {
        self.slots[row * self.segments + segment]
    }

    /// One more value, where the slot is known.
    #[inline(always)]
    pub(crate) fn record_in(&mut self, slot: u32, value: u64) {
        self.histograms[slot as usize].record(value);
    }

    /// One more value.
    #[inline(always)]
    pub(crate) fn record(&mut self, row: usize, segment: usize, value: u64) {
        let slot = self.slots[row * self.segments + segment];
        self.histograms[slot as usize].record(value);
    }

    /// So many more at once.
    pub(crate) fn merge(&mut self, row: usize, segment: usize, values: &Histogram) {
        let slot = self.slots[row * self.segments + segment];
        self.histograms[slot as usize].merge(values);
    }

    /// The values of a row that started in the given segments: of the whole summary, or of any segments of a row that
    /// tells them apart.
    pub(crate) fn over(&self, row: usize, segments: Range<usize>) -> Together<'_> {
        self.over_rows(row..row + 1, segments)
    }

    /// The values of several rows together.
    pub(crate) fn over_rows(&self, rows: Range<usize>, segments: Range<usize>) -> Together<'_> {
        let mut together = Together::default();
        for row in rows {
            let mut last = 0;
            for slot in &self.slots[row * self.segments..][segments.clone()] {
                // A slot's segments are neighbours.
                if *slot != last {
                    together.add(&self.histograms[*slot as usize]);
                    self.lent.get(slot).into_iter().flatten().for_each(|lent| together.add(lent));
                    last = *slot;
                }
            }
        }
        together
    }

    /// From here on nothing more comes.
    pub(crate) fn close(mut self) -> Closed {
        let all = (0..).zip(self.histograms).map(|(slot, own)| {
            let own = (!own.is_empty()).then(|| Arc::new(own));
            own.into_iter().chain(self.lent.remove(&slot).unwrap_or_default()).collect()
        });
        Closed { histograms: all.collect(), slots: self.slots, segments: self.segments }
    }
}

impl Closed {
    /// The row's values are also those of a row of another shelf, which tells segments apart at most as finely.
    pub(crate) fn lend_row(&self, row: usize, to: &mut Shelf, to_row: usize) {
        let mut last = 0;
        for (segment, slot) in self.slots[row * self.segments..(row + 1) * self.segments].iter().enumerate() {
            // A slot's segments are neighbours.
            if *slot != last {
                let values = &self.histograms[*slot as usize];
                if !values.is_empty() {
                    to.lent.entry(to.slot(to_row, segment)).or_default().extend(values.iter().cloned());
                }
                last = *slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        let mut shelf = Shelf::new(2, 4, 1..3, |row| if row == 0 { Grain::Summary } else { Grain::Segments });
        for row in 0..2 {
            for segment in 0..4 {
                shelf.record(row, segment, 10 + segment as u64);
            }
        }
        shelf
    }

    #[test]
    fn a_coarse_row_holds_the_summary_and_nothing_else() {
        let shelf = shelf();
        let summary = shelf.over(0, 1..3);
        assert_eq!((summary.count(), summary.min(), summary.max()), (2, Some(11), Some(12)));
    }

    #[test]
    fn a_fine_row_answers_for_any_segments() {
        let table = [(0..4, 4, Some(10)), (0..1, 1, Some(10)), (2..4, 2, Some(12)), (2..2, 0, None)];
        for (segments, count, least) in table {
            let shelf = shelf();
            let values = shelf.over(1, segments.clone());
            assert_eq!((values.count(), values.min()), (count, least), "{segments:?}");
        }
    }

    #[test]
    fn what_is_lent_is_counted_in_every_row_that_it_was_lent_to_and_in_those_that_they_lend_to() {
        let mut between = shelf();
        shelf().close().lend_row(1, &mut between, 1);
        let between = between.close();
        let mut last = shelf();
        for row in 0..2 {
            between.lend_row(1, &mut last, row);
        }
        // Of a coarse row the summary counts: two segments of its own, and two of each that lent to it.
        assert_eq!((last.over(0, 1..3).count(), last.over(0, 1..3).sum()), (6, 3 * (11 + 12)));
        for (segments, count) in [(0..4, 12), (0..1, 3), (2..2, 0)] {
            assert_eq!(last.over(1, segments.clone()).count(), count, "{segments:?}");
        }
    }
}
