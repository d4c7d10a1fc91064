//! What can be seen of a run: the one language between the machines and everything that records, whichever world they
//! run in.
//!
//! Every observation is a fact at a point in time. Requests of users and requests between services are told alike: a
//! load's clients are services whose endpoints are the load's tasks ([`Role::Client`](crate::plan::Role::Client)), so
//! a request that arrives at a client's endpoint is a user's request. Counts follow from facts:
//!
//! - a request *arrives* and is at once `Admitted` to a worker, `Queued`, `Rejected` or `Hung`; a queued one is later
//!   `Dequeued`, or `Withdrawn`; an admitted or dequeued one is `Ended` once, or never (unfinished when the run ends);
//! - a call begins with its `Attempt` number 1 and ends with `CallEnded`; an attempt before the last ends with
//!   `AttemptFailed`; the last one's end is told by `CallEnded` alone;
//! - a message on a topic is `Published`, and then arrives at the topic's replicas, one for each subscriber: its delivery
//!   is a request like any other, and what it waits in their queues is the topic's backlog;
//! - a query gets its connection with `QueryStarted`, after `QueryArrived` and some time if it had to wait for one, and
//!   ends with `QueryEnded`; one that never gets a connection is told by `QueryRefused` alone, or after `QueryArrived`.
//!
//! Most calls are sent and let in, or end and are taken note of, in one instant: these pairs are told as one fact,
//! [`Called`] and [`Returned`], and a sink that does not care sees them as two.

use squall_policies::breaker::Transition;
use squall_policies::{Outcome, SimTime, Span};

use crate::plan::{CacheId, DatabaseId, EdgeId, EndpointId, FaultId, ReplicaId, SegmentId, ServiceId, SiteId, TopicId};
use crate::trace::TraceFact;

/// One fact.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Observation {
    /// A request arrived and took a free worker at once.
    Admitted {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
    },
    /// A request arrived and waits for a worker.
    Queued {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
    },
    /// A waiting request left the queue without a worker: it had waited too long, made room for another, or was taken
    /// back.
    Withdrawn {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How that is to whoever asked.
        outcome: Outcome,
        /// How long it waited.
        waited: Span,
    },
    /// A request arrived and was not let in.
    Rejected {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// Whether it got an answer: a queue that drops says nothing.
        answered: bool,
        /// What there was no room in.
        limit: Limit,
    },
    /// A request was accepted by a hanging replica, which will never answer it.
    Hung {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
    },
    /// A waiting request got its worker.
    Dequeued {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How long it waited.
        waited: Span,
    },
    /// A request ended; its worker is free.
    Ended {
        /// The endpoint.
        endpoint: EndpointId,
        /// The replica.
        replica: ReplicaId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How.
        outcome: Outcome,
        /// From arrival (for a user: from the intended start) to now.
        took: Span,
        /// From getting its worker to now.
        held: Span,
    },
    /// All workers of a replica are busy.
    Saturated {
        /// The replica.
        replica: ReplicaId,
    },
    /// A worker of a saturated replica is free again.
    Relieved {
        /// The replica.
        replica: ReplicaId,
    },
    /// An attempt of a call was sent (or refused before it was sent: the failure follows).
    Attempt {
        /// The call step.
        site: SiteId,
        /// Caller and callee.
        edge: EdgeId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// From 1; above 1 it is a retry.
        number: u16,
    },
    /// An attempt failed and another will follow.
    AttemptFailed {
        /// Caller and callee.
        edge: EdgeId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How.
        outcome: Failure,
    },
    /// A call ended, after all its attempts.
    CallEnded {
        /// Caller and callee.
        edge: EdgeId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How its caller sees it: ok, degraded, or the last failure.
        outcome: Outcome,
        /// How the last attempt ended, if it failed (a fallback may have saved the call).
        failure: Option<Failure>,
        /// How many attempts it made.
        attempts: u16,
        /// From the first attempt to now.
        took: Span,
    },
    /// Another attempt of a call was sent while one is out.
    Hedged {
        /// Caller and callee.
        edge: EdgeId,
        /// The segment its user's request started in.
        segment: SegmentId,
    },
    /// An attempt that was out was given up before its answer came: another was faster, or the call's time was up.
    AttemptCancelled {
        /// Caller and callee.
        edge: EdgeId,
        /// The segment its user's request started in.
        segment: SegmentId,
    },
    /// A circuit breaker changed its state.
    Breaker {
        /// Caller and callee.
        edge: EdgeId,
        /// The caller's replica.
        replica: ReplicaId,
        /// From, to, and why.
        transition: Transition,
    },
    /// A query asked for a connection and has to wait for one.
    QueryArrived {
        /// The database.
        database: DatabaseId,
    },
    /// A query got its connection.
    QueryStarted {
        /// The database.
        database: DatabaseId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How long it waited.
        waited: Span,
        /// Whether it stood in the queue, and `QueryArrived` was told.
        queued: bool,
    },
    /// A query ended; its connection is free.
    QueryEnded {
        /// The database.
        database: DatabaseId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How.
        outcome: Outcome,
        /// From asking for a connection to now.
        took: Span,
    },
    /// A query ended without a connection: the database turned it away, or its caller died while it waited.
    QueryRefused {
        /// The database.
        database: DatabaseId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How.
        outcome: Outcome,
        /// From asking for a connection to now.
        took: Span,
        /// Whether it stood in the queue, and `QueryArrived` was told.
        queued: bool,
    },
    /// All connections of a database are busy.
    DatabaseSaturated {
        /// The database.
        database: DatabaseId,
    },
    /// A connection of a saturated database is free again.
    DatabaseRelieved {
        /// The database.
        database: DatabaseId,
    },
    /// A look into a cache is over.
    LookedUp {
        /// The cache.
        cache: CacheId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// What was found.
        look: Look,
        /// From asking to now.
        took: Span,
        /// How many keys the cache holds.
        held: u32,
    },
    /// A message was published, or failed to be. Its deliveries are requests that arrive at the topic's replicas.
    Published {
        /// The topic.
        topic: TopicId,
        /// The segment its user's request started in.
        segment: SegmentId,
        /// How.
        outcome: Outcome,
        /// From asking to now.
        took: Span,
    },
    /// A replica uses more of its cores, or less, than the moment before.
    Computing {
        /// The replica.
        replica: ReplicaId,
        /// Thousandths of a core before.
        from: u32,
        /// Thousandths of a core from now on.
        to: u32,
        /// Whether that is all there is.
        all: bool,
    },
    /// A request took its memory: so much is in use on its replica.
    MemoryUsed {
        /// The replica.
        replica: ReplicaId,
        /// Bytes.
        bytes: u64,
    },
    /// A replica wanted more memory than there is; it dies.
    OutOfMemory {
        /// The replica.
        replica: ReplicaId,
    },
    /// A replica that did not serve does so from now on.
    ReplicaUp {
        /// The replica.
        replica: ReplicaId,
    },
    /// A replica that served gets no more requests: it died, or is being stopped.
    ReplicaDown {
        /// The replica.
        replica: ReplicaId,
    },
    /// An autoscaler has looked, and decided.
    Scaled {
        /// The service.
        service: ServiceId,
        /// Replicas that there are, those that are starting among them.
        from: u32,
        /// Replicas that there are to be.
        to: u32,
        /// Replicas that serve.
        ready: u32,
        /// The share of their workers or cores that was in use since it last looked.
        used: f64,
    },
    /// An attempt has to wait for a connection.
    ConnectionWanted {
        /// Caller and callee.
        edge: EdgeId,
    },
    /// An attempt that waited for a connection has given up.
    ConnectionGivenUp {
        /// Caller and callee.
        edge: EdgeId,
    },
    /// An attempt has its connection.
    ConnectionTaken {
        /// Caller and callee.
        edge: EdgeId,
        /// How long it waited for it.
        waited: Span,
        /// Whether it is a new one, which takes time to open.
        opened: bool,
        /// Whether it waited, and `ConnectionWanted` was told.
        queued: bool,
    },
    /// An attempt that had a connection is over.
    ConnectionFreed {
        /// Caller and callee.
        edge: EdgeId,
    },
    /// How many requests a replica lets in at the same time has changed, as latency said; at first it is told from 0.
    AdmissionLimit {
        /// The replica.
        replica: ReplicaId,
        /// The limit before.
        from: u32,
        /// The limit from now on.
        to: u32,
    },
    /// How many calls may be under way at the same time has changed, as latency said; at first it is told from 0.
    BulkheadLimit {
        /// Caller and callee.
        edge: EdgeId,
        /// The caller's replica; the first one if they share the limit.
        replica: ReplicaId,
        /// The limit before.
        from: u32,
        /// The limit from now on.
        to: u32,
    },
    /// A fault began.
    FaultBegan {
        /// The fault.
        fault: FaultId,
    },
    /// A fault ended.
    FaultEnded {
        /// The fault.
        fault: FaultId,
    },
    /// A fault did something to a request.
    FaultFired {
        /// The fault.
        fault: FaultId,
    },
}

/// What a look into a cache has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// What was asked for.
    Hit,
    /// Nothing.
    Absent,
    /// What was asked for, but too old.
    Expired,
    /// The cache could not be asked, or its answer was of no use.
    Failed(Outcome),
}

/// What a replica had no room in for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Its queue.
    Queue,
    /// The requests it lets in in a span of time.
    Rate,
    /// The requests it lets in at the same time.
    Concurrency,
}

/// How an attempt failed, and where: a callee's answer, or the caller's own policies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The callee answered so, refused, or did not answer in time.
    Callee(Outcome),
    /// The circuit breaker was open.
    BreakerOpen,
    /// The bulkhead was full.
    BulkheadFull,
    /// No connection was free, and no more attempts may wait for one.
    PoolFull,
    /// The caller's own rate limit.
    RateLimited,
    /// The caller's own throttle.
    Throttled,
    /// No replica could be called.
    NoReplica,
    /// The deadline of the whole call passed.
    Deadline,
    /// A retry was due, but the budget refused it; the attempt before had ended so.
    BudgetRefused(Outcome),
}

/// A call's first attempt that took a free worker in the instant it was sent: [`Observation::Attempt`] and
/// [`Observation::Admitted`] as one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Called {
    /// The call step.
    pub site: SiteId,
    /// Caller and callee.
    pub edge: EdgeId,
    /// The callee's endpoint.
    pub endpoint: EndpointId,
    /// The callee's replica.
    pub replica: ReplicaId,
    /// The segment its user's request started in.
    pub segment: SegmentId,
}

/// The end of what a [`Called`] began, if it went well and its caller learnt of it in the same instant:
/// [`Observation::Ended`] and [`Observation::CallEnded`] as one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned {
    /// What ended.
    pub of: Called,
    /// From the attempt, which was the arrival, to now.
    pub took: Span,
}

/// A request that took a free worker in the instant it arrived, and whose first step is to call on:
/// [`Observation::Admitted`], and [`Observation::Attempt`] of that call, as one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandedOn {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The replica.
    pub replica: ReplicaId,
    /// The call step.
    pub site: SiteId,
    /// It, and whom it calls.
    pub edge: EdgeId,
    /// The segment its user's request started in.
    pub segment: SegmentId,
}

/// A call that went well at its first attempt, and whose caller answers in the same instant: [`Observation::CallEnded`] and
/// [`Observation::Ended`] as one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnsweredOn {
    /// What was handed on, and is answered.
    pub of: HandedOn,
    /// From the attempt to now.
    pub call: Span,
    /// From the caller's own arrival to now.
    pub took: Span,
    /// From the caller's getting its worker to now.
    pub held: Span,
}

/// [`Observation::Admitted`] of a user, and [`Observation::Attempt`] and [`Observation::Queued`] of the request, as one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinedUp {
    /// The user's task and client.
    pub user: (EndpointId, ReplicaId),
    /// The call, and where it waits.
    pub of: Called,
}

/// A request whose services only hand it on, each to the next, in one instant, down to one that works on it; and in one
/// instant it comes back.
#[derive(Clone, Copy, Debug)]
pub struct Relayed<'a> {
    /// The user's task and client, if it is a user's request and a call is all the user does.
    pub user: Option<(EndpointId, ReplicaId)>,
    /// The first call step, which tells one such way from all others.
    pub site: SiteId,
    /// The segment its user's request started in.
    pub segment: SegmentId,
    /// The calls in order; their own segments say nothing.
    pub legs: &'a [Called],
    /// What the last service asks, if its work is a query.
    pub database: Option<DatabaseId>,
    /// The calls that take the last worker of their replica when it sets out, or free it when it comes back: a bit each.
    pub full: u16,
}

impl<'a> Relayed<'a> {
    /// The calls in order, each with whether it takes or frees the last worker of its replica.
    fn stations(&self) -> impl DoubleEndedIterator<Item = (Called, bool)> + ExactSizeIterator + use<'a> {
        let (segment, full) = (self.segment, self.full);
        self.legs.iter().enumerate().map(move |(at, leg)| (Called { segment, ..*leg }, full >> at & 1 == 1))
    }

    /// Tells all that it is when it sets out, from the user's request to the query's start.
    pub fn tell_set_out(self, at: SimTime, sink: &mut (impl Sink + ?Sized)) {
        let segment = self.segment;
        if let Some((endpoint, replica)) = self.user {
            sink.observe(at, Observation::Admitted { endpoint, replica, segment });
        }
        for (leg, full) in self.stations() {
            sink.called(at, leg);
            if full {
                sink.observe(at, Observation::Saturated { replica: leg.replica });
            }
        }
        if let Some(database) = self.database {
            sink.observe(at, Observation::QueryStarted { database, segment, waited: Span::ZERO, queued: false });
        }
    }

    /// Tells all that it is when it comes back after `took`, from the query's end to the end of the user's request.
    pub fn tell_return(self, at: SimTime, took: Span, sink: &mut (impl Sink + ?Sized)) {
        let (segment, outcome) = (self.segment, Outcome::Ok);
        if let Some(database) = self.database {
            sink.observe(at, Observation::QueryEnded { database, segment, outcome, took });
        }
        for (leg, full) in self.stations().rev() {
            sink.returned(at, Returned { of: leg, took });
            if full {
                sink.observe(at, Observation::Relieved { replica: leg.replica });
            }
        }
        if let Some((endpoint, replica)) = self.user {
            sink.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held: took });
        }
    }
}

/// A request that was [`Relayed`] for a service that had made it wait has come back, its service answers its user, and the
/// next that waits there goes the same way: all in one instant, and all as one fact.
#[derive(Clone, Copy, Debug)]
pub struct TurnedOver<'a> {
    /// The user's task and client.
    pub user: (EndpointId, ReplicaId),
    /// The user's call, and the service that hands on.
    pub of: Called,
    /// What comes back, without its user. What goes the same way next takes the last workers that this frees.
    pub back: Relayed<'a>,
    /// From the user's asking to now.
    pub took: Span,
    /// From the service's getting a worker for it, which was when it set out, to now. It did wait for one.
    pub held: Span,
    /// The segment in which the user of the next request asked.
    pub next: SegmentId,
    /// How long the next request has waited.
    pub waited: Span,
}

impl TurnedOver<'_> {
    /// Tells all that it is, from the query's end of the one to the query's start of the other.
    pub fn tell(self, at: SimTime, sink: &mut (impl Sink + ?Sized)) {
        sink.relay_returned(at, self.back, self.held);
        self.tell_answer(at, sink);
        sink.relayed(at, Relayed { segment: self.next, ..self.back });
    }

    /// Tells what lies between the one's coming back and the other's setting out.
    fn tell_answer(self, at: SimTime, sink: &mut (impl Sink + ?Sized)) {
        let Self { user, of: Called { edge, endpoint, replica, segment, .. }, took, held, next, waited, .. } = self;
        let outcome = Outcome::Ok;
        sink.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held });
        sink.observe(at, Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took });
        sink.observe(at, Observation::Dequeued { endpoint, replica, segment: next, waited });
        let (endpoint, replica) = user;
        sink.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held: took });
    }
}

/// A request is [`TurnedOver`] where the last service on the way is full as well: the one that has waited there longest gets
/// the worker that the first has had, and the next of the first service's line joins its line.
#[derive(Clone, Copy, Debug)]
pub struct PassedOn<'a> {
    /// What comes back, having waited at the last service, and what goes the same way next, as far as to that service.
    pub turned: TurnedOver<'a>,
    /// From the last service's getting a worker for what comes back to now.
    pub worked: Span,
    /// The segment in which the user of the request asked that gets this worker now.
    pub then: SegmentId,
    /// How long that request has waited for it.
    pub lined: Span,
}

impl PassedOn<'_> {
    /// Tells all that it is, from the query's end of the first to the last service's line.
    pub fn tell(self, at: SimTime, sink: &mut (impl Sink + ?Sized)) {
        let Self { turned, worked, then, lined } = self;
        let TurnedOver { back, held: took, next, .. } = turned;
        let (segment, outcome) = (back.segment, Outcome::Ok);
        if let Some(database) = back.database {
            sink.observe(at, Observation::QueryEnded { database, segment, outcome, took: worked });
        }
        for (place, (leg, full)) in back.stations().rev().enumerate() {
            let Called { edge, endpoint, replica, .. } = leg;
            if place == 0 {
                sink.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held: worked });
                sink.observe(at, Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took });
                sink.observe(at, Observation::Dequeued { endpoint, replica, segment: then, waited: lined });
                continue;
            }
            sink.returned(at, Returned { of: leg, took });
            if full {
                sink.observe(at, Observation::Relieved { replica });
            }
        }
        turned.tell_answer(at, sink);
        if let Some(database) = back.database {
            sink.observe(at, Observation::QueryStarted { database, segment: then, waited: Span::ZERO, queued: false });
        }
        let mut ahead = Relayed { segment: next, ..back }.stations().peekable();
        while let Some((leg, full)) = ahead.next() {
            if ahead.peek().is_none() {
                let Called { site, edge, endpoint, replica, segment } = leg;
                sink.observe(at, Observation::Attempt { site, edge, segment, number: 1 });
                sink.observe(at, Observation::Queued { endpoint, replica, segment });
                break;
            }
            sink.called(at, leg);
            if full {
                sink.observe(at, Observation::Saturated { replica: leg.replica });
            }
        }
    }
}

/// Takes observations, in order. `at` never goes back.
pub trait Sink {
    /// Whether it also wants to know which request does what, and for whom. Where it does not, the machines leave it out.
    const TRACED: bool = false;

    /// `what` happened at `at`.
    fn observe(&mut self, at: SimTime, what: Observation);

    /// Only where [`TRACED`](Self::TRACED): what a fiber does from `at` on.
    #[inline(always)]
    fn trace(&mut self, at: SimTime, what: TraceFact) {
        let _ = (at, what);
    }

    /// A call was sent and let in. By default, the two observations that it is.
    #[inline(always)]
    fn called(&mut self, at: SimTime, what: Called) {
        let Called { site, edge, endpoint, replica, segment } = what;
        self.observe(at, Observation::Attempt { site, edge, segment, number: 1 });
        self.observe(at, Observation::Admitted { endpoint, replica, segment });
    }

    /// A user asked, and the request waits for a worker. By default, the three observations that it is.
    #[inline(always)]
    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        let (LinedUp { user, of: Called { site, edge, endpoint, replica, segment } }, number) = (what, 1);
        self.observe(at, Observation::Admitted { endpoint: user.0, replica: user.1, segment });
        self.observe(at, Observation::Attempt { site, edge, segment, number });
        self.observe(at, Observation::Queued { endpoint, replica, segment });
    }

    /// A request was let in, and calls on. By default, the two observations that it is.
    #[inline(always)]
    fn handed_on(&mut self, at: SimTime, what: HandedOn) {
        let HandedOn { endpoint, replica, site, edge, segment } = what;
        self.observe(at, Observation::Admitted { endpoint, replica, segment });
        self.observe(at, Observation::Attempt { site, edge, segment, number: 1 });
    }

    /// A call went well, and its caller answers. By default, the two observations that it is.
    #[inline(always)]
    fn answered_on(&mut self, at: SimTime, what: AnsweredOn) {
        let AnsweredOn { of: HandedOn { endpoint, replica, edge, segment, .. }, call, took, held } = what;
        let outcome = Outcome::Ok;
        self.observe(at, Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took: call });
        self.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held });
    }

    /// A request was let in all the way. By default, all that this is, from the user's request to the query's start.
    #[inline(always)]
    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        what.tell_set_out(at, self);
    }

    /// A request that was [`relayed`](Self::relayed) has come back well all the way, after `took`. By default, all that
    /// this is, from the query's end to the end of the user's request.
    #[inline(always)]
    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        what.tell_return(at, took, self);
    }

    /// A request was answered, and the next that waited goes its way. By default, all that this is.
    #[inline(always)]
    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        what.tell(at, self);
    }

    /// As [`turned_over`](Self::turned_over), where the last service is full as well. By default, all that this is.
    #[inline(always)]
    fn passed_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        what.tell(at, self);
    }

    /// A request and its call have ended well. By default, the two observations that it is.
    #[inline(always)]
    fn returned(&mut self, at: SimTime, what: Returned) {
        let Returned { of: Called { edge, endpoint, replica, segment, .. }, took } = what;
        let outcome = Outcome::Ok;
        self.observe(at, Observation::Ended { endpoint, replica, segment, outcome, took, held: took });
        let call = Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took };
        self.observe(at, call);
    }
}

/// Looks away.
impl Sink for () {
    fn observe(&mut self, _: SimTime, _: Observation) {}
}

/// Both listen, the first one first.
impl<A: Sink, B: Sink> Sink for (&mut A, &mut B) {
    const TRACED: bool = A::TRACED || B::TRACED;

    #[inline(always)]
    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        self.0.turned_over(at, what);
        self.1.turned_over(at, what);
    }

    #[inline(always)]
    fn passed_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        self.0.passed_on(at, what);
        self.1.passed_on(at, what);
    }

    #[inline(always)]
    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        self.0.lined_up(at, what);
        self.1.lined_up(at, what);
    }

    #[inline(always)]
    fn handed_on(&mut self, at: SimTime, what: HandedOn) {
        self.0.handed_on(at, what);
        self.1.handed_on(at, what);
    }

    #[inline(always)]
    fn answered_on(&mut self, at: SimTime, what: AnsweredOn) {
        self.0.answered_on(at, what);
        self.1.answered_on(at, what);
    }

    #[inline(always)]
    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        self.0.relayed(at, what);
        self.1.relayed(at, what);
    }

    #[inline(always)]
    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        self.0.relay_returned(at, what, took);
        self.1.relay_returned(at, what, took);
    }

    #[inline(always)]
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.0.observe(at, what);
        self.1.observe(at, what);
    }

    #[inline(always)]
    fn called(&mut self, at: SimTime, what: Called) {
        self.0.called(at, what);
        self.1.called(at, what);
    }

    #[inline(always)]
    fn returned(&mut self, at: SimTime, what: Returned) {
        self.0.returned(at, what);
        self.1.returned(at, what);
    }

    #[inline(always)]
    fn trace(&mut self, at: SimTime, what: TraceFact) {
        if A::TRACED {
            self.0.trace(at, what);
        }
        if B::TRACED {
            self.1.trace(at, what);
        }
    }
}
