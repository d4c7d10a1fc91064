//! How many of something there are over time: busy workers, waiting requests, busy connections. Integers only: the
//! area under the level is kept by taking the time away where it rises and adding it where it falls. Knows nothing of
//! what is counted.

use core::ops::Range;
use std::borrow::Cow;

/// The area under a level and its greatest value over some stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Area {
    /// Level times nanoseconds.
    pub(crate) integral: u128,
    /// The greatest level.
    pub(crate) peak: u32,
}

impl Area {
    fn add(&mut self, other: Self) {
        self.integral += other.integral;
        self.peak = self.peak.max(other.peak);
    }

    /// The mean level over `ns` nanoseconds.
    pub(crate) fn mean(&self, ns: u64) -> f64 {
        if ns == 0 { 0.0 } else { self.integral as f64 / ns as f64 }
    }
}

/// One level. Between two cuts the area may have 2⁶⁴ nanoseconds: 500 years of one worker.
#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    /// The area since the last cut, less the level times now; wraps.
    balance: u64,
    /// Wraps if more go than came, which the recording's laws find out.
    level: u32,
    peak: u32,
    /// The sum of the times that those that are gone say they were here; wraps.
    times: u64,
}

impl Gauge {
    /// Nothing stands, and nothing has happened since the last cut.
    const fn is_still(&self) -> bool {
        self.level == 0 && self.peak == 0 && self.balance == 0
    }

    fn cut(&mut self, now: u64) -> Area {
        let standing = u64::from(self.level).wrapping_mul(now);
        let area = Area { integral: u128::from(self.balance.wrapping_add(standing)), peak: self.peak };
        self.balance = standing.wrapping_neg();
        self.peak = self.level;
        area
    }
}

/// The levels of a table of things, over windows of equal length and over the segments of the run.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    gauges: Vec<Gauge>,
    /// The window that is not yet closed.
    window: Vec<Area>,
    /// By row: from the first window on, once something has happened. In most rows of most tables nothing ever does.
    windows: Vec<Vec<Area>>,
    /// How many windows are closed.
    closed: usize,
    /// How many there will be, as far as is known.
    expected: usize,
    /// By row, then segment.
    segments: Vec<Area>,
    segments_a_row: usize,
}

impl Levels {
    pub(crate) fn new(rows: usize, segments: usize, windows: usize) -> Self {
        Self {
            gauges: vec![Gauge::default(); rows],
            window: vec![Area::default(); rows],
            windows: vec![Vec::new(); rows],
            closed: 0,
            expected: windows,
            segments: vec![Area::default(); rows * segments],
            segments_a_row: segments,
        }
    }

    /// How many rows there are.
    pub(crate) const fn rows(&self) -> usize {
        self.gauges.len()
    }

    /// One more.
    #[inline(always)]
    pub(crate) fn rise(&mut self, row: usize, now: u64) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_sub(now);
        gauge.level = gauge.level.wrapping_add(1);
        gauge.peak = gauge.peak.max(gauge.level);
    }

    /// One less.
    #[inline(always)]
    pub(crate) fn fall(&mut self, row: usize, now: u64) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_add(now);
        gauge.level = gauge.level.wrapping_sub(1);
    }

    /// One more, whose time is kept elsewhere until it is [`add`](Self::add)ed.
    #[inline(always)]
    pub(crate) fn come(&mut self, row: usize) {
        let gauge = &mut self.gauges[row];
        gauge.level = gauge.level.wrapping_add(1);
        if gauge.level > gauge.peak {
            gauge.peak = gauge.level;
        }
    }

    /// One less, whose time is kept elsewhere.
    #[inline(always)]
    pub(crate) fn go(&mut self, row: usize) {
        let gauge = &mut self.gauges[row];
        gauge.level = gauge.level.wrapping_sub(1);
    }

    /// What was kept elsewhere: when those that left did so, less when those that came did; and how long those that left
    /// say they were here. Sums, which wrap.
    pub(crate) fn add(&mut self, row: usize, balance: u64, times: u64) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_add(balance);
        gauge.times = gauge.times.wrapping_add(times);
    }

    /// So many more.
    pub(crate) fn rise_by(&mut self, row: usize, now: u64, count: u32) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_sub(now.wrapping_mul(count.into()));
        gauge.level = gauge.level.wrapping_add(count);
        gauge.peak = gauge.peak.max(gauge.level);
    }

    /// So many less.
    pub(crate) fn fall_by(&mut self, row: usize, now: u64, count: u32) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_add(now.wrapping_mul(count.into()));
        gauge.level = gauge.level.wrapping_sub(count);
    }

    /// A part of it that was `from` is `to` now. The peak is of what stands, not of what is counted twice on the way.
    pub(crate) fn change(&mut self, row: usize, now: u64, from: u32, to: u32) {
        self.fall_by(row, now, from);
        self.rise_by(row, now, to);
    }

    /// One less, which says how long it was here.
    #[inline(always)]
    pub(crate) fn leave(&mut self, row: usize, now: u64, took: u64) {
        let gauge = &mut self.gauges[row];
        gauge.balance = gauge.balance.wrapping_add(now);
        gauge.level = gauge.level.wrapping_sub(1);
        gauge.times = gauge.times.wrapping_add(took);
    }

    /// One less, which says how long it was here, and one more in the same instant.
    #[inline(always)]
    pub(crate) fn pass_on(&mut self, row: usize, took: u64) {
        let gauge = &mut self.gauges[row];
        gauge.times = gauge.times.wrapping_add(took);
    }

    /// The sum of the times that those that are gone say they were here; wraps at 2⁶⁴.
    pub(crate) fn times(&self, row: usize) -> u64 {
        self.gauges[row].times
    }

    /// Books the area up to `now` under `segment`.
    pub(crate) fn cut(&mut self, now: u64, segment: usize) {
        for (row, gauge) in self.gauges.iter_mut().enumerate().filter(|(_, gauge)| !gauge.is_still()) {
            let area = gauge.cut(now);
            self.window[row].add(area);
            self.segments[row * self.segments_a_row + segment].add(area);
        }
    }

    /// Closes the window: what was cut since the last one.
    pub(crate) fn close_window(&mut self) {
        for (window, windows) in self.window.iter_mut().zip(&mut self.windows) {
            if windows.is_empty() {
                if *window == Area::default() {
                    continue;
                }
                windows.reserve_exact(self.expected.max(self.closed + 1));
                windows.resize(self.closed, Area::default());
            }
            windows.push(core::mem::take(window));
        }
        self.closed += 1;
    }

    /// The level now.
    pub(crate) fn level(&self, row: usize) -> u32 {
        self.gauges[row].level
    }

    /// All windows of a row, oldest first.
    pub(crate) fn windows(&self, row: usize) -> Cow<'_, [Area]> {
        match &*self.windows[row] {
            [] => vec![Area::default(); self.closed].into(),
            windows => windows.into(),
        }
    }

    /// One window of a row; `None` if it was never closed.
    pub(crate) fn window(&self, row: usize, window: usize) -> Option<Area> {
        (window < self.closed).then(|| self.windows[row].get(window).copied().unwrap_or_default())
    }

    /// The area over the given segments of the run.
    pub(crate) fn over(&self, row: usize, segments: Range<usize>) -> Area {
        let mut area = Area::default();
        for segment in segments {
            area.add(self.segments[row * self.segments_a_row + segment]);
        }
        area
    }

    /// The area of the whole run.
    pub(crate) fn whole(&self, row: usize) -> Area {
        self.over(row, 0..self.segments_a_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_area_is_level_times_time_across_cuts() {
        let mut levels = Levels::new(1, 2, 4);
        levels.rise(0, 2);
        levels.rise(0, 5);
        levels.cut(10, 0);
        levels.close_window();
        levels.fall(0, 12);
        levels.cut(15, 0);
        levels.cut(20, 1);
        levels.close_window();
        assert_eq!(*levels.windows(0), [Area { integral: 8 + 5, peak: 2 }, Area { integral: 4 + 8, peak: 2 }]);
        assert_eq!(levels.over(0, 0..1), Area { integral: 13 + 4 + 3, peak: 2 });
        assert_eq!(levels.over(0, 1..2), Area { integral: 5, peak: 1 });
        assert_eq!(levels.whole(0).integral, 25);
        assert_eq!(levels.level(0), 1);
    }

    #[test]
    fn a_row_has_all_windows_whenever_something_first_happened_in_it() {
        let mut levels = Levels::new(3, 1, 3);
        levels.rise(0, 4);
        for now in [10, 20, 30] {
            if now == 30 {
                levels.rise(1, 28);
            }
            levels.cut(now, 0);
            levels.close_window();
        }
        let table = [(0, [(6, 1), (10, 1), (10, 1)]), (1, [(0, 0), (0, 0), (2, 1)]), (2, [(0, 0); 3])];
        for (row, areas) in table {
            let areas = areas.map(|(integral, peak)| Area { integral, peak });
            assert_eq!(*levels.windows(row), areas, "row {row}");
            assert_eq!(
                [0, 1, 2, 3].map(|window| levels.window(row, window)),
                [Some(areas[0]), Some(areas[1]), Some(areas[2]), None]
            );
        }
    }

    #[test]
    fn who_leaves_says_how_long_it_was_here() {
        let mut levels = Levels::new(1, 1, 1);
        levels.rise(0, 3);
        levels.leave(0, 9, 6);
        assert_eq!((levels.level(0), levels.times(0)), (0, 6));
    }

    #[test]
    fn what_is_kept_elsewhere_and_added_later_is_as_if_it_had_been_here() {
        let (mut here, mut elsewhere) = (Levels::new(1, 1, 1), Levels::new(1, 1, 1));
        here.rise(0, 3);
        here.rise(0, 5);
        here.leave(0, 9, 6);
        elsewhere.come(0);
        elsewhere.come(0);
        elsewhere.go(0);
        elsewhere.add(0, 9u64.wrapping_sub(3 + 5), 6);
        for levels in [&mut here, &mut elsewhere] {
            levels.cut(11, 0);
            assert_eq!((levels.whole(0), levels.times(0)), (Area { integral: 6 + 6, peak: 2 }, 6));
        }
    }

    proptest! {
        #[test]
        fn the_area_under_the_level_is_the_sum_of_all_stays(stays in prop::collection::vec((0u64..1000, 0u64..1000), 0..50),
                                                           cuts in prop::collection::vec(0u64..2000, 0..10)) {
            let mut events: Vec<(u64, i32)> =
                stays.iter().flat_map(|(from, length)| [(*from, 1), (from + length, 2)]).collect();
            events.extend(cuts.iter().map(|at| (*at, 0)));
            events.sort_unstable();
            let mut levels = Levels::new(1, 1, 0);
            for (at, what) in events {
                match what {
                    0 => levels.cut(at, 0),
                    1 => levels.rise(0, at),
                    _ => levels.fall(0, at),
                }
            }
            levels.cut(2000, 0);
            prop_assert_eq!(levels.whole(0).integral, stays.iter().map(|(_, length)| u128::from(*length)).sum::<u128>());
            prop_assert_eq!(levels.level(0), 0);
        }
    }
}
