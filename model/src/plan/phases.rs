//! Phases: named stretches of the run. Their boundaries cut the run into segments; a request carries the segment it
//! started in, so any phase is a sum over segments.

use core::ops::Range;

use squall_policies::SimTime;

use super::SegmentId;

/// A named stretch of the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub from: SimTime,
    /// Where it ends; not part of it.
    pub to: SimTime,
}

/// All phases and the segments that their boundaries make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phases {
    named: Vec<Phase>,
    /// Where each segment begins, ascending from zero; the last one starts where the load ends.
    starts: Vec<SimTime>,
    summary: Range<usize>,
}

impl Phases {
    /// Cuts the run at zero, `warmup`, `end` and at every boundary of `named` between.
    pub fn new(named: Vec<Phase>, warmup: SimTime, end: SimTime) -> Self {
        let cuts = named.iter().flat_map(|p| [p.from, p.to]).filter(|t| *t < end);
        let mut starts: Vec<SimTime> = cuts.chain([SimTime::ZERO, warmup, end]).collect();
        starts.sort_unstable();
        starts.dedup();
        let at = |t| starts.partition_point(|s| *s < t);
        let summary = at(warmup)..at(end);
        Self { named, starts, summary }
    }

    /// The phases by name.
    pub fn named(&self) -> &[Phase] {
        &self.named
    }

    /// How many segments there are; the last holds what starts after the load's end, which no summary counts.
    pub fn segments(&self) -> usize {
        self.starts.len()
    }

    /// Where each segment begins.
    pub fn starts(&self) -> &[SimTime] {
        &self.starts
    }

    /// The segment that holds `at`.
    pub fn segment_at(&self, at: SimTime) -> SegmentId {
        SegmentId::from(self.starts.partition_point(|start| *start <= at).saturating_sub(1))
    }

    /// The segments between warm-up and the load's end.
    pub fn summary(&self) -> Range<usize> {
        self.summary.clone()
    }

    /// The segments of the stretch from `from` to `to` that summaries may count.
    pub fn between(&self, from: SimTime, to: SimTime) -> Range<usize> {
        let at = |t| self.starts.partition_point(|start| *start < t).clamp(self.summary.start, self.summary.end);
        at(from)..at(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: u64) -> SimTime {
        SimTime::from_nanos(s * 1_000_000_000)
    }

    fn phases() -> Phases {
        let phase = |name: &str, from, to| Phase { name: name.into(), from: seconds(from), to: seconds(to) };
        Phases::new(vec![phase("healthy", 0, 20), phase("outage", 20, 40)], seconds(5), seconds(60))
    }

    #[test]
    fn boundaries_cut_the_run_into_segments() {
        let table = [(0, 0), (4, 0), (5, 1), (19, 1), (20, 2), (39, 2), (40, 3), (59, 3), (60, 4), (99, 4)];
        for (at, segment) in table {
            assert_eq!(phases().segment_at(seconds(at)), SegmentId(segment), "at {at} s");
        }
    }

    #[test]
    fn a_phase_leaves_out_the_warm_up_and_what_starts_after_the_end() {
        assert_eq!(phases().summary(), 1..4);
        assert_eq!(phases().between(seconds(0), seconds(20)), 1..2);
        assert_eq!(phases().between(seconds(40), seconds(90)), 3..4);
        assert_eq!(phases().between(seconds(0), seconds(2)), 1..1);
    }
}
