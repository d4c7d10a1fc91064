//! What the machines need of the world around them. Two worlds implement it: the engine in virtual time, and the live
//! driver over real HTTP.

use squall_policies::{Outcome, SimTime, Span};

use super::Key;
use crate::observation::Sink;
use crate::plan::{EdgeId, EndpointId, LaneId, ReplicaId, SegmentId};

/// How long something takes; constant delays name their lane, so that a host can keep them in order without sorting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delay {
    /// How long.
    pub span: Span,
    /// The lane of delays that are always this long.
    pub lane: Option<LaneId>,
}

impl Delay {
    /// No delay.
    pub const NONE: Self = Self { span: Span::ZERO, lane: None };

    /// A delay that shares no lane.
    pub const fn of(span: Span) -> Self {
        Self { span, lane: None }
    }
}

/// What a timer is for. At the same instant, work that is done comes before the timeout that would have given it up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Work, a query or a wait is over.
    Completion,
    /// Somebody gives up waiting.
    Timeout,
}

/// A request on its way to a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Who waits for the reply.
    pub from: Key,
    /// Along which call it comes.
    pub edge: EdgeId,
    /// Where it goes.
    pub to: ReplicaId,
    /// What it asks for.
    pub endpoint: EndpointId,
    /// The segment its user's request started in.
    pub segment: SegmentId,
}

/// The world around the machines.
///
/// The contract: every call of a machine's method is one step at one time; the host carries out what the step asked
/// for before it makes the next one. `send` leads to [`System::arrive`](super::System::arrive), `reply` to
/// [`System::replied`](super::System::replied), `cancel` to [`System::cancelled`](super::System::cancelled), `arm` to [`System::wake`](super::System::wake), each once and after
/// the delay it names. A late or spurious `replied` or `wake` is harmless.
pub trait Host: Sink {
    /// Whether what takes no time on the network arrives in the same instant, at machines of the same [`System`]: then
    /// it never comes to `send`, `reply` or `cancel`.
    ///
    /// [`System`]: super::System
    const INSTANT: bool;

    /// Carry `request` to its replica.
    fn send(&mut self, now: SimTime, delay: Delay, request: Request);

    /// Carry the answer back to whoever waits for `to`.
    fn reply(&mut self, now: SimTime, delay: Delay, to: Key, outcome: Outcome);

    /// Call [`System::passed`](super::System::passed) after the delay, in order with what is sent. Asked only where
    /// [`INSTANT`](Self::INSTANT) says so.
    fn pass(&mut self, now: SimTime, delay: Delay, journey: u32);

    /// Carry the news to the callee that nobody waits for the answer to `attempt` any more.
    fn cancel(&mut self, now: SimTime, delay: Delay, attempt: Key);

    /// Wake `key` after the delay. Nothing is ever taken back: a key that is no longer waited for is stale
    /// ([`System::waits`](super::System::waits)), and a host may forget it.
    fn arm(&mut self, now: SimTime, delay: Delay, class: Class, key: Key);
}
