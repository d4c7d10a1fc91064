//! When all of something was taken: all workers of a service, on all its replicas; all connections of a database.
//! Knows nothing of who took them.

use core::ops::Range;

/// A saturation that lasts this long is one that people notice; shorter ones come with any random arrivals.
const LASTING_NS: u64 = 100_000_000;
const NEVER: u64 = u64::MAX;

/// How one thing was saturated during one segment of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full {
    /// For so many nanoseconds.
    pub(crate) time: u64,
    first: u64,
    lasting: u64,
}

impl Full {
    const NOT: Self = Self { time: 0, first: NEVER, lasting: NEVER };

    /// The first time it was, or the segment's start if it was so then.
    pub(crate) fn first(&self) -> Option<u64> {
        (self.first != NEVER).then_some(self.first)
    }

    /// When the first saturation began that lasted; it may have begun in the segment before.
    pub(crate) fn lasting(&self) -> Option<u64> {
        (self.lasting != NEVER).then_some(self.lasting)
    }
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    /// So many replicas it has.
    parts: u32,
    /// So many of them are saturated.
    full_parts: u32,
    /// When the saturation began that is or was the last.
    began: u64,
    ended: u64,
    /// As in [`Levels`](crate::levels::Levels): less the beginnings, more the ends; wraps.
    balance: u64,
    first: u64,
    lasting: u64,
}

impl Watch {
    const fn is_full(&self) -> bool {
        self.parts > 0 && self.full_parts >= self.parts
    }

    const fn note_if_lasting(&mut self, now: u64) {
        if self.lasting == NEVER && now - self.began >= LASTING_NS {
            self.lasting = self.began;
        }
    }

    /// All of it is taken.
    #[inline]
    fn begin(&mut self, now: u64) {
        self.balance = self.balance.wrapping_sub(now);
        self.first = self.first.min(now);
        // Handed from one to the next in no time, it was never free.
        if self.ended != now {
            self.began = now;
        }
    }

    /// Some of it is free again.
    #[inline]
    const fn end(&mut self, now: u64) {
        self.balance = self.balance.wrapping_add(now);
        self.ended = now;
        self.note_if_lasting(now);
    }

    fn cut(&mut self, now: u64) -> Full {
        let full = self.is_full();
        if full {
            self.note_if_lasting(now);
        }
        let standing = if full { now } else { 0 };
        let over = Full { time: self.balance.wrapping_add(standing), first: self.first, lasting: self.lasting };
        self.balance = standing.wrapping_neg();
        self.first = if full { now } else { NEVER };
        self.lasting = NEVER;
        over
    }
}

/// The saturation of a table of things over the segments of the run.
#[derive(Clone, Debug)]
pub(crate) struct Saturation {
    watches: Vec<Watch>,
    /// By row, then segment.
    segments: Vec<Full>,
    segments_a_row: usize,
}

impl Saturation {
    /// One row for each number of parts.
    pub(crate) fn new(parts: impl Iterator<Item = u32>, segments: usize) -> Self {
        let unwatched =
            Watch { parts: 1, full_parts: 0, began: 0, ended: NEVER, balance: 0, first: NEVER, lasting: NEVER };
        let watches: Vec<_> = parts.map(|parts| Watch { parts, ..unwatched }).collect();
        Self { segments: vec![Full::NOT; watches.len() * segments], watches, segments_a_row: segments }
    }

    /// One more part is saturated.
    #[inline]
    pub(crate) fn fill(&mut self, row: usize, now: u64) {
        let watch = &mut self.watches[row];
        watch.full_parts += 1;
        if watch.full_parts == watch.parts {
            watch.begin(now);
        }
    }

    /// One part less is saturated.
    #[inline]
    pub(crate) fn relieve(&mut self, row: usize, now: u64) {
        let watch = &mut self.watches[row];
        if watch.full_parts == watch.parts && watch.parts > 0 {
            watch.end(now);
        }
        watch.full_parts = watch.full_parts.saturating_sub(1);
    }

    /// One part is relieved, and in the same instant saturated again.
    #[inline]
    pub(crate) fn pass_on(&mut self, row: usize, now: u64) {
        let watch = &mut self.watches[row];
        if watch.full_parts == watch.parts && watch.parts > 0 {
            watch.ended = now;
            watch.note_if_lasting(now);
        }
    }

    /// So many parts more or less there are, and are saturated.
    pub(crate) fn change(&mut self, row: usize, now: u64, parts: i32, full_parts: i32) {
        let watch = &mut self.watches[row];
        let was_full = watch.is_full();
        watch.parts = watch.parts.saturating_add_signed(parts);
        watch.full_parts = watch.full_parts.saturating_add_signed(full_parts);
        if was_full && !watch.is_full() {
            watch.end(now);
        } else if watch.is_full() && !was_full {
            watch.begin(now);
        }
    }

    /// Books what happened up to `now` under `segment`.
    pub(crate) fn cut(&mut self, now: u64, segment: usize) {
        for (row, watch) in self.watches.iter_mut().enumerate() {
            let over = watch.cut(now);
            let sum = &mut self.segments[row * self.segments_a_row + segment];
            sum.time += over.time;
            sum.first = sum.first.min(over.first);
            sum.lasting = sum.lasting.min(over.lasting);
        }
    }

    /// Each segment of a row, in order.
    pub(crate) fn segments(&self, row: usize) -> &[Full] {
        &self.segments[row * self.segments_a_row..(row + 1) * self.segments_a_row]
    }

    /// Over the given segments together.
    pub(crate) fn over(&self, row: usize, segments: Range<usize>) -> Full {
        self.segments(row)[segments].iter().fold(Full::NOT, |all, one| Full {
            time: all.time + one.time,
            first: all.first.min(one.first),
            lasting: all.lasting.min(one.lasting),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn full(time: u64, first: u64, lasting: u64) -> Full {
        Full { time: time * MS, first: first.saturating_mul(MS), lasting: lasting.saturating_mul(MS) }
    }

    #[test]
    fn a_service_is_saturated_while_all_its_replicas_are() {
        let mut watch = Saturation::new([2].into_iter(), 1);
        watch.fill(0, 10 * MS);
        watch.fill(0, 20 * MS);
        watch.relieve(0, 25 * MS);
        watch.fill(0, 30 * MS);
        watch.relieve(0, 500 * MS);
        watch.cut(1000 * MS, 0);
        assert_eq!(watch.over(0, 0..1), full(5 + 470, 20, 30));
    }

    #[test]
    fn one_that_goes_on_over_a_cut_is_there_from_the_next_segments_start() {
        let mut watch = Saturation::new([1].into_iter(), 3);
        watch.fill(0, 950 * MS);
        watch.cut(1000 * MS, 0);
        watch.cut(2000 * MS, 1);
        watch.relieve(0, 2010 * MS);
        watch.cut(3000 * MS, 2);
        assert_eq!(watch.segments(0)[0], full(50, 950, NEVER));
        assert_eq!(watch.segments(0)[1], full(1000, 1000, 950));
        assert_eq!(watch.segments(0)[2], full(10, 2000, 950));
        assert_eq!(watch.over(0, 0..3), full(1060, 950, 950));
    }

    #[test]
    fn a_worker_handed_over_in_no_time_does_not_end_the_saturation() {
        let mut watch = Saturation::new([1].into_iter(), 1);
        for at in [100, 150, 200] {
            watch.fill(0, at * MS);
            watch.relieve(0, (at + 50) * MS);
        }
        watch.cut(1000 * MS, 0);
        assert_eq!(watch.over(0, 0..1), full(150, 100, 100));
    }

    #[test]
    fn short_ones_do_not_last() {
        let mut watch = Saturation::new([1].into_iter(), 1);
        for at in [100, 250] {
            watch.fill(0, at * MS);
            watch.relieve(0, (at + 99) * MS);
        }
        watch.cut(1000 * MS, 0);
        assert_eq!((watch.over(0, 0..1).first(), watch.over(0, 0..1).lasting()), (Some(100 * MS), None));
    }
}
