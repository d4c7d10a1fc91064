//! When the next window or segment begins, so that an observation needs one comparison to know that none has.

use squall_model::{SimTime, Span};

const NEVER: u64 = u64::MAX;
/// A drain may be a million times as long as the load: from here on the last window takes all that is still to come.
const MOST_WINDOWS: u64 = 10_000;

/// The length of a step of the timeline that suits a run of this length: a second; a tenth or a hundredth of one for
/// runs under 10 s and under 1 s; for long runs so much that there are at most 300 steps.
pub fn step_for(duration: Span) -> Span {
    const NICE_SECONDS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    let wanted = duration.as_nanos() / 300;
    if duration < Span::from_secs(1) {
        return Span::from_millis(10);
    }
    if duration < Span::from_secs(10) {
        return Span::from_millis(100);
    }
    let nice = NICE_SECONDS.into_iter().map(Span::from_secs).find(|step| step.as_nanos() >= wanted);
    nice.unwrap_or_else(|| Span::from_secs(3600) * wanted.div_ceil(Span::from_secs(3600).as_nanos()))
}

/// The windows and segments that begin as time goes on.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    next: u64,
    step: u64,
    window_start: u64,
    segment: usize,
    /// Where each segment begins.
    starts: Vec<u64>,
}

impl Clock {
    pub(crate) fn new(step: Span, starts: &[SimTime]) -> Self {
        let starts = starts.iter().map(|start| start.as_nanos()).collect();
        let mut clock = Self { next: 0, step: step.as_nanos().max(1), window_start: 0, segment: 0, starts };
        clock.next = clock.next_window().min(clock.next_segment());
        clock
    }

    /// When the next window or segment begins.
    #[inline]
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Goes on to what begins next; says whether that is a window.
    pub(crate) fn pass(&mut self) -> bool {
        let now = self.next;
        if now == self.next_segment() {
            self.segment += 1;
        }
        let window = now == self.next_window();
        if window {
            self.window_start = now;
        }
        self.next = self.next_window().min(self.next_segment());
        window
    }

    /// The segment that time is in.
    pub(crate) const fn segment(&self) -> usize {
        self.segment
    }

    /// Where each segment begins.
    pub(crate) fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// Nanoseconds of a window.
    pub(crate) const fn step(&self) -> u64 {
        self.step
    }

    /// When the window began that is not yet closed.
    pub(crate) const fn start_of_window(&self) -> u64 {
        self.window_start
    }

    /// How many windows there are until `end`.
    pub(crate) fn windows_until(&self, end: SimTime) -> usize {
        end.as_nanos().div_ceil(self.step).min(MOST_WINDOWS) as usize
    }

    fn next_window(&self) -> u64 {
        let last = self.window_start >= (MOST_WINDOWS - 1).saturating_mul(self.step);
        if last { NEVER } else { self.window_start.saturating_add(self.step) }
    }

    fn next_segment(&self) -> u64 {
        self.starts.get(self.segment + 1).copied().unwrap_or(NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_at_most_300_steps_of_a_length_that_people_use() {
        let s = Span::from_secs;
        let table = [
            (Span::from_millis(500), Span::from_millis(10)),
            (s(5), Span::from_millis(100)),
            (s(10), s(1)),
            (s(300), s(1)),
            (s(301), s(2)),
            (s(3600), s(15)),
            (s(86_400), s(300)),
            (s(86_400 * 365), s(3600 * 30)),
        ];
        for (duration, step) in table {
            assert_eq!(step_for(duration), step, "{duration}");
        }
    }

    #[test]
    fn the_last_window_takes_all_that_is_still_to_come() {
        let mut clock = Clock::new(Span::from_nanos(10), &[SimTime::ZERO]);
        let windows = clock.windows_until(SimTime::from_nanos(1 << 50));
        assert_eq!(windows as u64, MOST_WINDOWS);
        let opened = (1..u32::MAX).take_while(|_| clock.next() != NEVER && clock.pass()).count();
        assert_eq!((opened + 1, clock.start_of_window()), (windows, 10 * (MOST_WINDOWS - 1)));
    }

    #[test]
    fn windows_and_segments_begin_in_order() {
        let starts = [0, 15, 20].map(SimTime::from_nanos);
        let mut clock = Clock::new(Span::from_nanos(10), &starts);
        let steps: Vec<_> = (0..4).map(|_| (clock.next(), clock.pass(), clock.segment())).collect();
        assert_eq!(steps, [(10, true, 0), (15, false, 1), (20, true, 2), (30, true, 2)]);
    }
}
