//! Room for calls: the bulkhead of a link, whatever its kind, and the calls that wait for a place in it, first come first
//! served. Knows neither what the calls do nor who wakes them.

use std::collections::VecDeque;

use squall_policies::adaptive::{Adaptive, Sample};
use squall_policies::bulkhead::{self, Bulkhead as Semaphore};
use squall_policies::envoy_limits::{EnvoyLimits, Next, Start};
use squall_policies::thread_pool::{Submit, ThreadPool};
use squall_policies::{Random, SimTime, Span};

use super::key::Key;
use crate::plan::Bulkhead;

/// The places of one bulkhead, and who waits for one.
#[derive(Debug)]
pub(super) struct Room {
    kind: Kind,
    /// Those that wait. Whoever no longer waits for its key has left.
    line: VecDeque<Key>,
    /// Keys of connections that are being opened, in the order in which they will be there.
    opening: VecDeque<Key>,
}

#[derive(Debug)]
enum Kind {
    Semaphore(Semaphore),
    Threads(ThreadPool),
    Envoy(EnvoyLimits, Span),
    Adaptive(Adaptive),
}

/// The answer to a call that wants a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// It has one; what is to be known of its stay, where that is of interest.
    Taken(Option<Stay>),
    /// It may wait until then.
    Wait(SimTime),
    /// It waits for a connection that takes this long to open.
    Opens(Span),
    /// There is none.
    Full,
}

/// A call's stay at its place, in a bulkhead that follows latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stay {
    /// When it came.
    since: SimTime,
    /// How many were under way then, itself counted.
    in_flight: u32,
}

/// A call leaves its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Leaving {
    pub stay: Option<Stay>,
    /// Whether it was dropped; `None` if it says nothing about that.
    pub dropped: Option<bool>,
}

impl Room {
    pub(super) fn new(config: &Bulkhead, random: &mut impl Random) -> Self {
        let kind = match *config {
            Bulkhead::Semaphore(config) => Kind::Semaphore(Semaphore::new(config)),
            Bulkhead::ThreadPool(config) => Kind::Threads(ThreadPool::new(config)),
            Bulkhead::Envoy(config) => Kind::Envoy(EnvoyLimits::new(config), config.connect),
            Bulkhead::Adaptive(config) => Kind::Adaptive(Adaptive::new(&config, random)),
        };
        Self { kind, line: VecDeque::new(), opening: VecDeque::new() }
    }

    /// A call wants a place.
    pub(super) fn enter(&mut self, now: SimTime) -> Entry {
        match &mut self.kind {
            Kind::Semaphore(semaphore) => match semaphore.enter(now) {
                bulkhead::Entry::Enter => Entry::Taken(None),
                bulkhead::Entry::WaitUntil(until) => Entry::Wait(until),
                bulkhead::Entry::Full => Entry::Full,
            },
            Kind::Threads(pool) => match pool.submit(now) {
                Submit::Run => Entry::Taken(None),
                Submit::Queue => Entry::Wait(SimTime::NEVER),
                Submit::Reject => Entry::Full,
            },
            Kind::Envoy(limits, connect) => match limits.start() {
                Start::Run => Entry::Taken(None),
                Start::Wait { opens: true } => Entry::Opens(*connect),
                Start::Wait { opens: false } => Entry::Wait(SimTime::NEVER),
                Start::Overflow => Entry::Full,
            },
            Kind::Adaptive(limit) => match limit.enter() {
                Some(in_flight) => Entry::Taken(Some(Stay { since: now, in_flight })),
                None => Entry::Full,
            },
        }
    }

    /// A call that may wait does so.
    pub(super) fn wait(&mut self, key: Key) {
        self.line.push_back(key);
    }

    /// A connection is being opened, and this key will tell that it is there.
    pub(super) fn opens(&mut self, key: Key) {
        self.opening.push_back(key);
    }

    /// Whether this key tells of a connection that is there now.
    pub(super) fn connected(&mut self, key: Key) -> bool {
        let is_next = self.opening.front() == Some(&key);
        if is_next {
            self.opening.pop_front();
            self.connection_is_there();
        }
        is_next
    }

    /// A connection that takes no time to open is there.
    pub(super) fn connection_is_there(&mut self) {
        if let Kind::Envoy(limits, _) = &mut self.kind {
            limits.connected();
        }
    }

    /// A waiting call has left the line.
    pub(super) fn give_up(&mut self) {
        match &mut self.kind {
            Kind::Semaphore(semaphore) => semaphore.give_up(),
            Kind::Threads(pool) => pool.withdraw(),
            Kind::Envoy(limits, _) => limits.withdraw(),
            Kind::Adaptive(_) => {}
        }
    }

    /// A call leaves its place; whether that went straight to the one that has waited longest.
    pub(super) fn leave(&mut self, now: SimTime, leaving: Leaving, random: &mut impl Random) -> bool {
        match &mut self.kind {
            Kind::Semaphore(semaphore) => semaphore.release(),
            Kind::Threads(pool) => pool.finish(now),
            Kind::Envoy(limits, _) => {
                limits.done();
                false
            }
            Kind::Adaptive(limit) => {
                match (leaving.stay, leaving.dropped) {
                    (Some(Stay { since, in_flight }), Some(dropped)) => {
                        limit.exit(now, Sample { rtt: now - since, in_flight, dropped }, random);
                    }
                    _ => limit.leave(),
                }
                false
            }
        }
    }

    /// Whether the one that has waited longest has a place now (`true`), is turned away (`false`), or neither.
    pub(super) fn next(&mut self) -> Option<bool> {
        match &mut self.kind {
            Kind::Semaphore(semaphore) => semaphore.start_next().then_some(true),
            Kind::Envoy(limits, _) => match limits.start_next() {
                Next::Run => Some(true),
                Next::Overflow => Some(false),
                Next::Nobody => None,
            },
            Kind::Threads(pool) => pool.start_next().then_some(true),
            Kind::Adaptive(_) => None,
        }
    }

    /// A bulkhead becomes another of its kind. Those that have a place keep it.
    pub(super) fn change(&mut self, config: &Bulkhead, random: &mut impl Random) {
        match (&mut self.kind, *config) {
            (Kind::Semaphore(semaphore), Bulkhead::Semaphore(config)) => semaphore.resize(config),
            (Kind::Threads(pool), Bulkhead::ThreadPool(config)) => pool.resize(config),
            (Kind::Envoy(limits, connect), Bulkhead::Envoy(config)) => {
                limits.resize(config);
                *connect = config.connect;
            }
            (Kind::Adaptive(limit), Bulkhead::Adaptive(config)) => limit.restart(&config, random),
            _ => {}
        }
    }

    /// How many calls may be under way at once, where that follows latency.
    pub(super) fn adaptive_limit(&self) -> Option<u32> {
        match &self.kind {
            Kind::Adaptive(limit) => Some(limit.limit()),
            Kind::Semaphore(_) | Kind::Threads(_) | Kind::Envoy(..) => None,
        }
    }

    /// The next in line, whether or not it still waits.
    pub(super) fn first_in_line(&mut self) -> Option<Key> {
        self.line.pop_front()
    }
}
