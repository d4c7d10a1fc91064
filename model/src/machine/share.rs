//! Something that all who use it share: CPU cores among running work, a database among its queries. Each gets on at the
//! same rate; the rate depends on how many there are. Knows only work and rates, and not what they are of.
//!
//! All get on alike, so one number says how far: the work done since the start for each that was there all the time. One
//! who comes now with some work is done when that number has grown by as much. Integers only: nothing drifts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use squall_policies::{SimTime, Span};

use super::key::Key;

/// Full speed: a nanosecond of work in a nanosecond.
pub(super) const FULL: u64 = 1 << 32;

/// One shared thing.
#[derive(Debug)]
pub(super) struct Share {
    /// Work done for each so far, in nanoseconds times [`FULL`].
    done: u128,
    /// When that was, on the clock of whom it belongs to.
    at: SimTime,
    /// How fast each gets on: [`FULL`] is as fast as if alone.
    rate: u64,
    /// When each is done, in terms of `done`; those that are gone are still here, and their keys are stale.
    jobs: BinaryHeap<Reverse<(u128, Key)>>,
    running: u32,
    /// The key of the wake-up that was asked for, and its time.
    pub(super) wake: Key,
    pub(super) wake_at: SimTime,
}

impl Share {
    pub(super) fn new() -> Self {
        Self {
            done: 0,
            at: SimTime::ZERO,
            rate: FULL,
            jobs: BinaryHeap::new(),
            running: 0,
            wake: Key::NONE,
            wake_at: SimTime::NEVER,
        }
    }

    /// How many use it now.
    pub(super) const fn running(&self) -> u32 {
        self.running
    }

    /// Lets the time pass up to `now` on the clock of whom it belongs to.
    pub(super) fn advance(&mut self, now: SimTime) {
        if self.running > 0 {
            self.done += u128::from((now - self.at).as_nanos()) * u128::from(self.rate);
        }
        self.at = self.at.max(now);
    }

    /// From now on each gets on at this share of full speed.
    pub(super) fn set_rate(&mut self, share: f64) {
        self.rate = (share.clamp(0.0, 1.0) * FULL as f64) as u64;
    }

    /// One more, with so much work to do.
    pub(super) fn enter(&mut self, work: Span, key: Key) {
        self.running += 1;
        self.jobs.push(Reverse((self.done + u128::from(work.as_nanos()) * u128::from(FULL), key)));
    }

    /// One who is done, or died: has left.
    pub(super) const fn leave(&mut self) {
        self.running -= 1;
    }

    /// Takes out one whose work is done.
    pub(super) fn take_done(&mut self) -> Option<Key> {
        let Reverse((due, key)) = *self.jobs.peek()?;
        if due > self.done {
            return None;
        }
        self.jobs.pop();
        Some(key)
    }

    /// How long until the next one is done at this rate; `None` if none ever is.
    pub(super) fn next(&self) -> Option<Span> {
        let Reverse((due, _)) = self.jobs.peek()?;
        if self.rate == 0 {
            return None;
        }
        let left = due.saturating_sub(self.done).div_ceil(u128::from(self.rate));
        Some(Span::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Place, Tickets};

    fn ms(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    /// Runs jobs of (arrival, work) in ms on so many cores; when each is done, in order of arrival.
    fn finished(cores: f64, jobs: &[(u64, u64)]) -> Vec<u64> {
        let (mut share, mut tickets) = (Share::new(), Tickets::default());
        let mut done = vec![0; jobs.len()];
        let mut keys = Vec::new();
        let mut now = SimTime::ZERO;
        loop {
            let coming = jobs.get(keys.len()).map(|(at, _)| ms(*at));
            let leaving = share.next().map(|span| now + span);
            let Some(next) = coming.into_iter().chain(leaving).min() else { return done };
            now = next;
            share.advance(now);
            while let Some(key) = share.take_done() {
                let job = keys.iter().position(|known| *known == key).unwrap();
                done[job] = now.as_nanos() / 1_000_000;
                share.leave();
            }
            if coming == Some(now) {
                let key = tickets.next(Place::Fiber(0));
                share.enter(Span::from_millis(jobs[keys.len()].1), key);
                keys.push(key);
            }
            share.set_rate(cores / f64::from(share.running().max(1)));
        }
    }

    #[test]
    fn all_get_on_alike() {
        type Case = (f64, &'static [(u64, u64)], &'static [u64]);
        let table: [Case; 5] = [
            (1.0, &[(0, 10)], &[10]),
            (1.0, &[(0, 10), (0, 10)], &[20, 20]),
            (1.0, &[(0, 10), (5, 10)], &[15, 20]),
            (2.0, &[(0, 10), (0, 10), (0, 10)], &[15, 15, 15]),
            (0.5, &[(0, 10), (0, 20)], &[40, 60]),
        ];
        for (cores, jobs, expected) in table {
            assert_eq!(finished(cores, jobs), expected, "{jobs:?} on {cores} cores");
        }
    }

    #[test]
    fn what_stands_still_is_never_done() {
        let (mut share, key) = (Share::new(), Tickets::default().next(Place::Fiber(0)));
        share.enter(Span::from_millis(1), key);
        share.set_rate(0.0);
        share.advance(ms(1_000));
        assert_eq!((share.next(), share.take_done()), (None, None));
        share.set_rate(1.0);
        assert_eq!(share.next(), Some(Span::from_millis(1)));
    }
}
