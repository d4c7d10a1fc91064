//! Fibers: every request in flight, at every service it has reached, is one fiber; a branch of a `parallel` and the body
//! of a `repeat` are fibers too. They live in one slab and name each other by [`Key`].

use squall_policies::retry::BackoffState;
use squall_policies::{Outcome, SimTime, Span};

use super::host::Request;
use super::key::{Key, PLACES};
use super::system::Step;
use crate::observation::Failure;
use crate::plan::{EdgeId, EndpointId, Pc, ReplicaId, SegmentId, SiteId};

/// No fiber.
pub(super) const NIL: u32 = u32::MAX;

/// What a fiber waits for, and so what its key means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Not in use.
    Free,
    /// Runs now, or is about to.
    Running,
    /// Waits for a worker.
    Queued,
    /// A step takes its time: `work`, `wait`, or the delay that a fault adds before the first step.
    Busy,
    /// `work` competes for the replica's cores.
    Computing,
    /// Looks into a cache.
    Looking,
    /// Puts a message on a topic.
    Publishing,
    /// Waits for a connection of its replica's pool.
    Pooling,
    /// Waits for a connection of a database.
    Connecting,
    /// A query runs.
    Querying,
    /// An attempt is out.
    Calling,
    /// A policy of the call holds it back.
    Held,
    /// Attempts are out that go their way apart.
    Hedging,
    /// Waits to try again.
    BackingOff,
    /// The fallback takes its time.
    FallingBack,
    /// Waits for its branches.
    Forked,
    /// A user between two requests.
    Thinking,
}

/// One request at one service, or one branch of it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is looked at alone, on the way of every request")]
pub(super) struct Fiber {
    /// What is waited for.
    pub key: Key,
    /// Who waits for this one: the caller's attempt, or the fiber it branched from.
    pub reply_to: Key,
    /// When it arrived; for a user, when it meant to start.
    pub arrived: SimTime,
    /// When it got its worker.
    pub started: SimTime,
    /// When the call or the query under way began; for a relay or a journey that waits for a worker, when it came there.
    pub step_began: SimTime,
    /// When the attempt under way began; for `work` and queries, when they are due on the replica's own clock.
    pub mark: SimTime,
    pub replica: ReplicaId,
    pub endpoint: EndpointId,
    /// The call it came along; unused for users and branches.
    pub edge: EdgeId,
    pub pc: Pc,
    /// The call step under way.
    pub site: SiteId,
    /// Next in whichever queue it stands in.
    pub next: u32,
    /// The replica that the attempt under way went to.
    pub target: ReplicaId,
    /// The share of its own time that a `latency` fault has left.
    pub own_share: f32,
    /// How it will end if it ends now; the first failure of a branch is kept here.
    pub outcome: Outcome,
    pub segment: u16,
    pub attempts: u16,
    pub state: State,
    pub kind: Kind,
    /// Whether the request came the short way, and so how its caller waits for it.
    pub express: bool,
    /// Whether nothing is aside of the call under way yet.
    pub bare: bool,
    /// Whether the call under way has to be over by some time, which stands aside as well.
    pub limited: bool,
    /// Whether it stands for a whole relay.
    pub folded: Folded,
    /// Whether that waits for a worker at its end, or has waited there; of a journey, wherever that counts against a timeout.
    pub waited: bool,
}

const _: () = assert!(size_of::<Fiber>() == 96);

/// What stands behind the last fiber of a relay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Folded {
    /// It is no relay's.
    No,
    /// A fiber that waits for the answer.
    Call,
    /// An open loop's user, who has no fiber.
    User,
    /// A guest's request, which its service has handed on and is to answer: its own fiber stands for all.
    Guest,
    /// Nothing any more: it is a message on its way, all that is left of a journey.
    Letter,
}

/// What only some fibers need, by the same index: calls with failures, and branches. What policies know of a call while all goes
/// well is in its trip.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    pub backoff: BackoffState,
    /// Why the call under way has failed, while its fallback answers; before that, of a call with policies, why the attempt
    /// failed that is made again.
    pub failure: Option<Failure>,
    /// How long the callee of the attempt that failed last asked to wait.
    pub asked: Option<Span>,
    /// Branches still running, while forked.
    pub pending: u32,
    /// Rounds left of a `repeat`'s body.
    pub rounds: u32,
    /// The ticket of the first call of a relay that waits at its end, or has waited there.
    pub first: Key,
}

const _: () = assert!(size_of::<Aside>() == 48);

impl Aside {
    const NEW: Self =
        Self { backoff: BackoffState::NEW, failure: None, asked: None, pending: 0, rounds: 0, first: Key::NONE };

    /// A call begins; rounds and branches are not its own.
    pub(super) fn begin_call(&mut self) {
        *self = Self { pending: self.pending, rounds: self.rounds, ..Self::NEW };
    }
}

/// What a fiber is, and so what its end means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A request at a service.
    Request,
    /// A user's request, at a load's client.
    User,
    /// A branch of another fiber.
    Branch,
    /// An attempt of another fiber's call, which goes its way apart.
    Try,
}

impl Fiber {
    pub(super) const FREE: Self = Self {
        key: Key::NONE,
        reply_to: Key::NONE,
        arrived: SimTime::ZERO,
        started: SimTime::ZERO,
        step_began: SimTime::ZERO,
        mark: SimTime::ZERO,
        replica: ReplicaId(0),
        endpoint: EndpointId(0),
        edge: EdgeId(0),
        pc: Pc(0),
        site: SiteId(0),
        next: NIL,
        target: ReplicaId(0),
        own_share: 1.0,
        outcome: Outcome::Ok,
        segment: 0,
        attempts: 0,
        state: State::Free,
        kind: Kind::Request,
        express: false,
        bare: false,
        limited: false,
        folded: Folded::No,
        waited: false,
    };

    /// A fresh request has only these; what a call or a branch needs is set when it begins.
    #[inline(always)]
    pub(super) fn begin(&mut self, request: Request, now: SimTime, pc: Pc) {
        self.key = Key::NONE;
        self.reply_to = request.from;
        self.arrived = now;
        self.replica = request.to;
        self.endpoint = request.endpoint;
        self.edge = request.edge;
        self.pc = pc;
        self.own_share = 1.0;
        self.outcome = Outcome::Ok;
        self.segment = request.segment.0 as u16;
        self.state = State::Queued;
        self.kind = Kind::Request;
        self.express = false;
        self.bare = false;
    }

    #[inline(always)]
    pub(super) fn segment(&self) -> SegmentId {
        SegmentId(u32::from(self.segment))
    }

    /// When it joined the line in which it waits for a worker.
    #[inline(always)]
    pub(super) fn lined_up(&self) -> SimTime {
        if self.folded == Folded::No { self.arrived } else { self.step_began }
    }

    /// What follows when it, which is at that place, has the worker that it waited for.
    #[inline(always)]
    pub(super) fn first_step(&self, index: u32) -> Step {
        if self.folded == Folded::No { Step::Serve(index) } else { Step::Travel(index) }
    }
}

/// All fibers; freed places are used again before new ones are made, so there are as many as were ever in use at once.
#[derive(Clone, Debug)]
pub(super) struct Fibers {
    places: Vec<Fiber>,
    asides: Vec<Aside>,
    /// When what a call under way does now must be over: all its attempts, or what a timeout around several layers limits.
    deadlines: ByFiber<SimTime>,
    free: u32,
    /// How many are in use, those counted that a relay makes do without; and the most there ever were.
    live: u32,
    peak: u32,
}

impl Fibers {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), asides: Vec::new(), deadlines: ByFiber::NONE, free: NIL, live: 0, peak: 0 }
    }

    /// A fresh fiber.
    #[inline(always)]
    pub(super) fn alloc(&mut self) -> u32 {
        self.fresh().0
    }

    /// A fresh fiber, and where it is.
    #[inline(always)]
    pub(super) fn fresh(&mut self) -> (u32, &mut Fiber) {
        self.hide(1);
        self.uncounted()
    }

    /// As [`fresh`](Self::fresh), for what is not counted among those in use.
    #[inline(always)]
    pub(super) fn uncounted(&mut self) -> (u32, &mut Fiber) {
        if self.free as usize >= self.places.len() {
            self.make_place();
        }
        let index = self.free;
        let fiber = &mut self.places[index as usize];
        self.free = core::mem::replace(&mut fiber.next, NIL);
        (index, fiber)
    }

    /// A new place, which is free.
    #[cold]
    #[inline(never)]
    fn make_place(&mut self) {
        let count = self.places.len();
        assert!(count < PLACES, "at most 2^26 requests may be in flight at once");
        if count == self.places.capacity() {
            // By as many as there are while they are few, then by a quarter.
            self.places.reserve_exact(if count < 4096 { count.max(64) } else { count / 4 });
        }
        self.places.push(Fiber::FREE);
        self.free = count as u32;
    }

    /// Forgets a fiber: every key to it is stale from here on.
    #[inline(always)]
    pub(super) fn release(&mut self, index: u32) {
        self.live -= 1;
        self.release_uncounted(index);
    }

    /// As [`release`](Self::release), for one that was not counted among those in use.
    #[inline(always)]
    pub(super) fn release_uncounted(&mut self, index: u32) {
        let free = self.free;
        let fiber = &mut self[index];
        debug_assert!(fiber.state != State::Free, "a fiber is freed once");
        fiber.key = Key::NONE;
        fiber.state = State::Free;
        fiber.next = free;
        self.free = index;
    }

    /// What stands aside of a fiber.
    #[inline]
    pub(super) fn aside(&mut self, index: u32) -> &mut Aside {
        if index as usize >= self.asides.len() {
            self.asides.resize(index as usize + 1, Aside::NEW);
        }
        &mut self.asides[index as usize]
    }

    /// When what the call that a fiber is at does now must be over.
    #[inline(always)]
    pub(super) fn deadline(&self, index: u32) -> SimTime {
        if self[index].limited { self.deadlines[index] } else { SimTime::NEVER }
    }

    /// What the call that a fiber is at does now must be over by then.
    pub(super) fn limit(&mut self, index: u32, deadline: SimTime) {
        self[index].limited = true;
        self.deadlines.set(index, deadline);
    }

    /// What stands aside of the call that a fiber is at, if anything does.
    #[inline]
    pub(super) fn kept_aside(&self, index: u32) -> Option<&Aside> {
        self.asides.get(index as usize).filter(|_| !self[index].bare)
    }

    /// How many are in use, with those that relays make do without.
    pub(super) const fn live(&self) -> u32 {
        self.live
    }

    /// How many places there are.
    #[cfg(test)]
    pub(super) const fn made(&self) -> usize {
        self.places.len()
    }

    /// The most that were in use at once, with those that relays make do without.
    pub(super) const fn peak(&self) -> u32 {
        self.peak
    }

    /// So many more would be in use without a relay.
    #[inline(always)]
    pub(super) const fn hide(&mut self, count: u32) {
        self.live += count;
        if self.live > self.peak {
            self.peak = self.live;
        }
    }

    /// So many that a relay made do without are not needed any more, or are made now.
    #[inline(always)]
    pub(super) const fn unhide(&mut self, count: u32) {
        self.live -= count;
    }

    /// The fibers that stand for a whole relay, in the order in which those set out.
    pub(super) fn folded(&self) -> Vec<u32> {
        let all = self.places.iter().enumerate();
        let folds = |(_, fiber): &(usize, &Fiber)| !matches!(fiber.folded, Folded::No | Folded::Letter);
        let mut folded: Vec<_> = all.filter(folds).map(|(index, _)| index as u32).collect();
        folded.sort_unstable_by_key(|index| self[*index].key);
        folded
    }

    /// The requests of guests.
    pub(super) fn of_guests(&self) -> Vec<u32> {
        let theirs = |(_, f): &(usize, &Fiber)| f.state != State::Free && f.reply_to.guest().is_some();
        self.places.iter().enumerate().filter(theirs).map(|(index, _)| index as u32).collect()
    }

    /// The fiber that waits for exactly this key, if there still is one.
    #[inline(always)]
    pub(super) fn waiting(&self, key: Key) -> Option<u32> {
        let index = key.index();
        let fiber = self.places.get(index as usize)?;
        (fiber.key == key && key != Key::NONE).then_some(index)
    }

    /// Whether this is the request that the attempt of this key has made.
    pub(super) fn is_request_of(&self, index: u32, attempt: Key) -> bool {
        self.places
            .get(index as usize)
            .is_some_and(|fiber| fiber.state != State::Free && fiber.kind == Kind::Request && fiber.reply_to == attempt)
    }

    /// Those in use on a replica, in the order in which they began to wait for what they wait for: which place a fiber has
    /// says nothing, for a relay and a guest have fewer.
    pub(super) fn on(&self, replica: ReplicaId) -> Vec<u32> {
        let here = |(_, f): &(usize, &Fiber)| f.state != State::Free && f.replica == replica;
        let mut on: Vec<_> = self.places.iter().enumerate().filter(here).map(|(index, _)| index as u32).collect();
        on.sort_by_key(|index| self[*index].key);
        on
    }
}

impl core::ops::Index<u32> for Fibers {
    type Output = Fiber;
    #[inline(always)]
    fn index(&self, index: u32) -> &Fiber {
        &self.places[index as usize]
    }
}

impl core::ops::IndexMut<u32> for Fibers {
    #[inline(always)]
    fn index_mut(&mut self, index: u32) -> &mut Fiber {
        &mut self.places[index as usize]
    }
}

/// Something that only some fibers have, by fiber; grown as far as one has had it. Whoever reads has set it before.
#[derive(Clone, Debug)]
pub(super) struct ByFiber<T>(Vec<T>);

impl<T> ByFiber<T> {
    /// No fiber has it yet.
    const NONE: Self = Self(Vec::new());
}

impl<T> Default for ByFiber<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T: Copy> ByFiber<T> {
    pub(super) fn set(&mut self, fiber: u32, value: T) {
        let index = fiber as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, value);
        }
        self.0[index] = value;
    }

    /// What a fiber has, or another has had at its place.
    pub(super) fn get(&self, fiber: u32) -> Option<T> {
        self.0.get(fiber as usize).copied()
    }

    /// One fiber has the same as another, if that has anything.
    pub(super) fn copy(&mut self, from: u32, to: u32) {
        if let Some(value) = self.get(from) {
            self.set(to, value);
        }
    }
}

impl<T> core::ops::Index<u32> for ByFiber<T> {
    type Output = T;
    fn index(&self, fiber: u32) -> &T {
        &self.0[fiber as usize]
    }
}

impl<T> core::ops::IndexMut<u32> for ByFiber<T> {
    fn index_mut(&mut self, fiber: u32) -> &mut T {
        &mut self.0[fiber as usize]
    }
}

/// A first-in-first-out queue of fibers, linked through them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fifo {
    head: u32,
    tail: u32,
    len: u32,
}

impl Fifo {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    pub(super) fn push(&mut self, fibers: &mut Fibers, index: u32) {
        fibers[index].next = NIL;
        match self.tail {
            NIL => self.head = index,
            tail => fibers[tail].next = index,
        }
        self.tail = index;
        self.len += 1;
    }

    #[inline(always)]
    pub(super) fn pop(&mut self, fibers: &mut Fibers) -> Option<u32> {
        let index = self.head;
        if index == NIL {
            return None;
        }
        self.head = core::mem::replace(&mut fibers[index].next, NIL);
        if self.head == NIL {
            self.tail = NIL;
        }
        self.len -= 1;
        Some(index)
    }

    /// Takes out one that need not be first: slow if it is not.
    pub(super) fn remove(&mut self, fibers: &mut Fibers, index: u32) {
        if self.head == index {
            self.pop(fibers);
            return;
        }
        let mut rest = *self;
        *self = Self::EMPTY;
        while let Some(other) = rest.pop(fibers) {
            if other != index {
                self.push(fibers, other);
            }
        }
    }
}
