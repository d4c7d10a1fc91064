//! What a circuit breaker would have made of calls that really happened, and what it answers step by step.
//!
//! A log is read as lines ([`steps`] by hand, or [`calls`] as they went), and a breaker of any kind is led through it at
//! the log's own times. Knows no topology.

mod calls;
mod steps;
mod what_if;

pub use calls::{Call, Ended, calls};
pub use steps::{Answer, steps};
pub use what_if::{Changed, Story, Worst, what_if};

use squall_model::SimTime;
use squall_policies::breaker::{Breaker, Transition};
use squall_policies::{Span, SplitMix64};

/// Whether `log` steps a breaker by hand: its first line is a JSON object that has an `op`.
pub fn is_steps(log: &str) -> bool {
    let first = log.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.trim_start().starts_with('{') && first.contains("\"op\"")
}

/// A breaker and the time it has come to.
struct Led {
    breaker: Breaker,
    now: SimTime,
    rng: SplitMix64,
}

impl Led {
    /// Goes on to `to`, through everything that time alone brings about.
    fn until(&mut self, to: SimTime, mut tell: impl FnMut(SimTime, Transition)) {
        while let Some(wake) = self.breaker.next_wake().filter(|wake| *wake <= to) {
            self.now = self.now.max(wake);
            while let Some(transition) = self.breaker.on_wake(self.now, &mut self.rng) {
                tell(self.now, transition);
            }
        }
        self.now = self.now.max(to);
    }
}

/// The time `ns` nanoseconds after the clock's zero.
fn clock(ns: u64) -> SimTime {
    SimTime::ZERO + Span::from_nanos(ns)
}

/// Every line of `text` that says something: its number from 1, its first byte, and the line without what surrounds it.
fn lines(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut start = 0;
    text.split('\n').enumerate().filter_map(move |(index, line)| {
        let at = start + (line.len() - line.trim_start().len());
        start += line.len() + 1;
        let line = line.trim();
        (!line.is_empty() && !line.starts_with('#')).then_some((index + 1, at, line))
    })
}
