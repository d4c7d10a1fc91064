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
    /// A branch of a `parallel` or a `race`, or the body of a `repeat`.
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
    /// Waits for its branches.
    Forked,
}
