//! When things went wrong for the first time. Touched only on the way of a failure or a queue.

/// The first time of each of a table of things; most never happen.
#[derive(Clone, Debug)]
pub(crate) struct FirstTimes(Vec<u64>);

const NEVER: u64 = u64::MAX;

impl FirstTimes {
    pub(crate) fn new(rows: usize) -> Self {
        Self(vec![NEVER; rows])
    }

    /// It happened now.
    #[inline]
    pub(crate) fn note(&mut self, row: usize, now: u64) {
        let first = &mut self.0[row];
        if *first == NEVER {
            *first = now;
        }
    }

    /// When it first happened.
    pub(crate) fn of(&self, row: usize) -> Option<u64> {
        Some(self.0[row]).filter(|first| *first != NEVER)
    }
}

/// The first time in each segment of the run, of each of a table of things.
#[derive(Clone, Debug)]
pub(crate) struct FirstBySegment {
    times: Vec<u64>,
    segments: usize,
}

impl FirstBySegment {
    pub(crate) fn new(rows: usize, segments: usize) -> Self {
        Self { times: vec![NEVER; rows * segments], segments }
    }

    /// It happened now.
    pub(crate) fn note(&mut self, row: usize, segment: usize, now: u64) {
        let first = &mut self.times[row * self.segments + segment];
        *first = now.min(*first);
    }

    /// When it first happened from a segment on.
    pub(crate) fn since(&self, row: usize, segment: usize) -> Option<u64> {
        let times = &self.times[row * self.segments + segment..(row + 1) * self.segments];
        times.iter().copied().min().filter(|first| *first != NEVER)
    }
}

/// The first times of everything that the story of a run may tell.
#[derive(Clone, Debug)]
pub(crate) struct Firsts {
    /// By service: a request had to wait for a worker.
    pub(crate) queued: FirstTimes,
    /// By service: a request was not let in.
    pub(crate) turned_away: FirstTimes,
    /// By row of clients: a user's request failed.
    pub(crate) failed: FirstTimes,
    /// By call: an attempt timed out.
    pub(crate) timed_out: FirstTimes,
}

impl Firsts {
    pub(crate) fn new(services: usize, edges: usize) -> Self {
        Self {
            queued: FirstTimes::new(services),
            turned_away: FirstTimes::new(services),
            failed: FirstTimes::new(services),
            timed_out: FirstTimes::new(edges),
        }
    }
}
