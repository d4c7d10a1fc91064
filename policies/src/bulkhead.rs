//! resilience4j's semaphore bulkhead (master af9e7c9, May 2026): so many calls at once; who finds it full may wait,
//! first come first served. The caller keeps the waiting calls and their timers; this only counts.

use crate::{SimTime, Span};

/// Configuration of [`Bulkhead`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// Calls at once. Default 25; with 0 every call is turned away.
    pub limit: u32,
    /// How long a call may wait for room. Default 0: not at all.
    pub max_wait: Span,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { limit: 25, max_wait: Span::ZERO }
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    config: BulkheadConfig,
    running: u32,
    waiting: u32,
}

/// The answer to a call that wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It may run, and gives its permit back with [`Bulkhead::release`].
    Enter,
    /// It may wait until then, in line behind those that wait already; then it leaves with [`Bulkhead::give_up`].
    WaitUntil(SimTime),
    /// There is no room.
    Full,
}

impl Bulkhead {
    /// An empty bulkhead.
    pub fn new(config: BulkheadConfig) -> Self {
        Self { config, running: 0, waiting: 0 }
    }

    /// Whether a call may run.
    pub fn enter(&mut self, now: SimTime) -> Entry {
        if self.running < self.config.limit {
            self.running += 1;
            Entry::Enter
        } else if self.config.max_wait.is_zero() {
            Entry::Full
        } else {
            self.waiting += 1;
            Entry::WaitUntil(now + self.config.max_wait)
        }
    }

    /// Goes on with other settings. Calls that run go on even if they are too many now; call [`start_next`](Self::start_next) for those
    /// that wait until it says no.
    pub fn resize(&mut self, config: BulkheadConfig) {
        self.config = config;
    }

    /// Whether the call that has waited longest may run now, because there is more room than before.
    #[must_use]
    pub fn start_next(&mut self) -> bool {
        let runs = self.waiting > 0 && self.running < self.config.limit;
        self.waiting -= u32::from(runs);
        self.running += u32::from(runs);
        runs
    }

    /// A running call has ended. Whether its permit went to the call that has waited longest, which thereby runs.
    #[must_use]
    pub fn release(&mut self) -> bool {
        assert!(self.running > 0, "a bulkhead takes back only permits it gave");
        let handed_on = self.waiting > 0 && self.running <= self.config.limit;
        if handed_on {
            self.waiting -= 1;
        } else {
            self.running -= 1;
        }
        handed_on
    }

    /// A waiting call's time is up, or its caller lost patience.
    pub fn give_up(&mut self) {
        assert!(self.waiting > 0, "only a waiting call gives up waiting");
        self.waiting -= 1;
    }

    /// Calls that run.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Calls that wait.
    pub fn waiting(&self) -> u32 {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn bulkhead(limit: u32, max_wait: u64) -> Bulkhead {
        Bulkhead::new(BulkheadConfig { limit, max_wait: Span::from_millis(max_wait) })
    }

    #[test]
    fn the_call_at_the_limit_enters_and_the_one_past_it_does_not() {
        let mut bulkhead = bulkhead(2, 0);
        let entries = [(); 3].map(|()| bulkhead.enter(SimTime::ZERO));
        assert_eq!(entries, [Entry::Enter, Entry::Enter, Entry::Full]);
        assert!(!bulkhead.release());
        assert_eq!(bulkhead.enter(SimTime::ZERO), Entry::Enter);
    }

    #[test]
    fn a_resized_bulkhead_lets_in_who_waits_and_takes_back_what_is_too_much() {
        let mut bulkhead = bulkhead(1, 10);
        let config = |limit| BulkheadConfig { limit, max_wait: Span::from_millis(10) };
        assert_eq!(bulkhead.enter(SimTime::ZERO), Entry::Enter);
        for _ in 0..3 {
            assert_ne!(bulkhead.enter(SimTime::ZERO), Entry::Full);
        }
        bulkhead.resize(config(3));
        assert_eq!([(); 3].map(|()| bulkhead.start_next()), [true, true, false]);
        bulkhead.resize(config(1));
        assert_eq!([(); 3].map(|()| bulkhead.release()), [false, false, true]);
        assert_eq!((bulkhead.running(), bulkhead.waiting()), (1, 0));
        bulkhead.resize(config(3));
        assert!(!bulkhead.start_next(), "there is room, but nobody waits");
    }

    #[test]
    fn a_limit_of_nothing_turns_every_call_away() {
        assert_eq!(bulkhead(0, 0).enter(SimTime::ZERO), Entry::Full);
    }

    #[test]
    fn a_permit_goes_to_who_waits_before_it_goes_to_who_comes() {
        let mut bulkhead = bulkhead(1, 10);
        assert_eq!(bulkhead.enter(SimTime::ZERO), Entry::Enter);
        let until = SimTime::ZERO + Span::from_millis(10);
        assert_eq!(bulkhead.enter(SimTime::ZERO), Entry::WaitUntil(until));
        assert!(bulkhead.release());
        assert_ne!(bulkhead.enter(SimTime::ZERO), Entry::Enter);
        bulkhead.give_up();
        assert!(!bulkhead.release());
        assert_eq!((bulkhead.running(), bulkhead.waiting()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "only a waiting call gives up waiting")]
    fn a_call_that_does_not_wait_cannot_give_up() {
        bulkhead(1, 10).give_up();
    }

    #[test]
    #[should_panic(expected = "a bulkhead takes back only permits it gave")]
    fn a_permit_that_was_not_given_cannot_be_given_back() {
        let _ = bulkhead(1, 10).release();
    }

    proptest! {
        #[test]
        fn permits_are_never_negative_nor_above_the_limit_and_none_is_lost(
            limit in 0u32..5,
            max_wait in 0u64..2,
            steps in prop::collection::vec(0u8..3, 0..200),
        ) {
            let mut bulkhead = bulkhead(limit, max_wait);
            let (mut running, mut waiting) = (0, VecDeque::new());
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    0 => match bulkhead.enter(SimTime::ZERO) {
                        Entry::Enter => running += 1,
                        Entry::WaitUntil(_) => waiting.push_back(id),
                        Entry::Full => prop_assert!(max_wait == 0),
                    },
                    1 if running > 0 => {
                        let handed_on = bulkhead.release();
                        prop_assert_eq!(handed_on, waiting.pop_front().is_some());
                        running -= u32::from(!handed_on);
                    }
                    2 if waiting.pop_back().is_some() => bulkhead.give_up(),
                    _ => {}
                }
                prop_assert!(running <= limit);
                prop_assert!(waiting.is_empty() || running == limit);
                prop_assert_eq!((bulkhead.running(), bulkhead.waiting() as usize), (running, waiting.len()));
            }
        }
    }
}
