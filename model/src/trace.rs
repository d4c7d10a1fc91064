//! What a tracing sink learns beside the observations: which fiber works for which attempt, and what each fiber does
//! from one moment to the next. A sink that does not trace costs nothing: the facts are made only where
//! [`Sink::TRACED`](crate::observation::Sink::TRACED) says so, which is known when a run is compiled.
//!
//! A fiber is a request at one service, a user's request, or a branch of either; its number is used again after it has
//! ended. Between [`TraceFact::Began`] and [`TraceFact::Ended`] it is at every moment in exactly one [`Activity`], so
//! its activities add up to its time to the nanosecond.

use squall_policies::{Outcome, SimTime};

use crate::machine::Key;
use crate::observation::Failure;
use crate::plan::{CacheId, DatabaseId, EndpointId, ReplicaId, SiteId, TopicId};

/// One fact.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum TraceFact {
    /// A fiber begins.
    Began {
        /// Its number.
        fiber: u32,
        /// What waits for it: an attempt or a fork of another fiber; nothing that is known for a user's request.
        parent: Key,
        /// The endpoint it serves, or the task it asks for.
        endpoint: EndpointId,
        /// Where.
        replica: ReplicaId,
        /// What it is.
        origin: Origin,
    },
    /// From now on a fiber does this.
    Turned {
        /// Its number.
        fiber: u32,
        /// What it waits for, if it waits: fibers that begin for it name this key.
        key: Key,
        /// What it does.
        to: Activity,
    },
    /// An attempt of a fiber's call failed, or was not even made.
    Failed {
        /// Its number.
        fiber: u32,
        /// The call step.
        site: SiteId,
        /// From 1; above 1 it is a retry.
        attempt: u16,
        /// How.
        failure: Failure,
    },
    /// The attempt `key` waits for a connection of its caller's pool.
    Pooling {
        /// The attempt.
        key: Key,
    },
    /// The attempt `key` has a connection of its caller's pool, and is sent over it from `ready` on.
    Pooled {
        /// The attempt.
        key: Key,
        /// When the connection is open.
        ready: SimTime,
    },
    /// What is on the way to or from the attempt `key` is held up by a frozen replica from now on.
    HeldUp {
        /// The attempt.
        key: Key,
    },
    /// The attempt `from` goes on under another name: the host carries messages under keys of its own.
    Carried {
        /// The attempt.
        from: Key,
        /// What the request that arrives will name as its parent.
        to: Key,
    },
    /// A fiber has ended.
    Ended {
        /// Its number.
        fiber: u32,
        /// How.
        outcome: Outcome,
    },
}

/// What a fiber is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A user's request, meant to start then.
    User {
        /// When it was meant to start.
        meant: SimTime,
    },
    /// A request at a service.
    Request,
    /// A branch of a `parallel` or a `race`, or the body of a `repeat`; or one of several attempts of a call.
    Branch,
}

/// What a fiber does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    /// Goes on to its next step, which takes no time in virtual time.
    Running,
    /// Waits for a worker.
    Queued,
    /// Own work.
    Working,
    /// A wait off the CPU.
    Waiting,
    /// What a fault adds to it, or puts in place of its own time.
    Disturbed,
    /// Waits for a connection of a database.
    Connecting(DatabaseId),
    /// Its query runs.
    Querying(DatabaseId),
    /// Looks into a cache.
    Looking(CacheId),
    /// Puts a message on a topic.
    Publishing(TopicId),
    /// An attempt is out.
    Calling {
        /// The call step.
        site: SiteId,
        /// From 1; above 1 it is a retry.
        attempt: u16,
        /// Where it went.
        target: ReplicaId,
    },
    /// Waits to try again.
    BackingOff(SiteId),
    /// Its fallback takes its time.
    FallingBack(SiteId),
    /// A policy of its call holds it back.
    Held(SiteId),
    /// Attempts of its call are out that go their way apart, each a fiber of its own.
    Apart(SiteId),
    /// Waits for its branches.
    Forked,
}

/// The numbers that spans and traces go by. In the live world they travel in headers, so whoever writes down what happened
/// and whoever sends requests must agree on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ids(u64);

impl Ids {
    /// Those of a run, by a number that is its own.
    pub const fn of(run: u64) -> Self {
        Self(run)
    }

    /// The span of an attempt.
    pub const fn span(self, attempt: Key) -> u64 {
        attempt.bits() ^ scrambled(self.0)
    }

    /// The attempt that a span is; any number is one, but nobody waits for most.
    pub const fn attempt(self, span: u64) -> Key {
        Key::from_bits(span ^ scrambled(self.0))
    }

    /// The span of something else: the `part`th of what the `thing`th fiber that was followed did.
    pub const fn part(self, thing: u64, part: u64) -> u64 {
        scrambled(scrambled(self.0 ^ 1) ^ thing << 24 ^ part) | 1
    }

    /// The trace of a user's request, by the user's fiber and when the request was meant to start.
    pub const fn trace(self, fiber: u32, meant: SimTime) -> u128 {
        let low = scrambled((fiber as u64) << 40 ^ meant.as_nanos());
        (scrambled(self.0 ^ 2) as u128) << 64 | (low | 1) as u128
    }
}

/// SplitMix64's finisher (Steele, Lea, Flood 2014): every number to another.
pub const fn scrambled(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Place;

    #[test]
    fn an_attempt_is_found_by_its_span() {
        let ids = Ids::of(7);
        for key in [Key::new(1, Place::Fiber(0)), Key::new(1 << 35, Place::Fiber(12_345))] {
            assert_eq!(ids.attempt(ids.span(key)), key);
            assert_ne!(Ids::of(8).attempt(ids.span(key)), key, "another run's spans mean nothing here");
        }
    }
}
