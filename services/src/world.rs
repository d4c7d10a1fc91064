//! The live world as the machines see it. What they ask for is kept here until the step is over and carried out by the
//! driver: timers in one heap, messages in an outbox.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use squall_model::machine::{Class, Delay, Host, Key, Request};
use squall_model::observation::{Observation, Sink};
use squall_model::plan::{FaultId, LoadId, Plan};
use squall_model::trace::TraceFact;
use squall_model::{Outcome, SimTime, Span};

use crate::awaited::Awaited;
use crate::metrics::Metrics;

/// Who listens to a live run.
pub trait Ear: Sink + Send + 'static {
    /// A request of an open loop was sent so much later than it was meant to start.
    fn sent_late(&mut self, by: Span);

    /// A delay of the machines ended so much later than it was due.
    fn woke_late(&mut self, by: Span);

    /// From here on the machines go by this plan: of the same shape, with other values or further faults.
    fn replanned(&mut self, plan: &'static Plan);
}

/// Looks away.
impl Ear for () {
    fn sent_late(&mut self, _: Span) {}

    fn woke_late(&mut self, _: Span) {}

    fn replanned(&mut self, _: &'static Plan) {}
}

/// What is to happen at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Wake(Key),
    Send(Hop),
    Cancel(Key),
    Reply(Key, Outcome, Wire),
    /// An open loop's next request.
    Ask(LoadId),
    FaultBegins(FaultId),
    FaultEnds(FaultId),
}

/// A request on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hop {
    pub(crate) request: Request,
    /// When its caller will have given up.
    pub(crate) until: SimTime,
    /// How much time its callee is told there is left.
    pub(crate) left: Option<Span>,
    /// When an open loop's request was meant to be sent; [`SimTime::NEVER`] for all others.
    pub(crate) meant: SimTime,
}

/// What the wire does to an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// Carries it.
    Carries,
    /// Spoils it.
    Spoils,
}

/// What has to be carried out once the step is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Out {
    Send(Hop),
    Cancel(Key),
    Reply(Key, Outcome, Wire),
}

/// Something due. Earlier ones are greater, so that the heap has them on top; at the same time, whichever was asked for
/// first.
#[derive(PartialEq, Eq, Debug)]
struct Entry {
    order: Reverse<(SimTime, u64)>,
    due: Due,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Everything that is kept for the machines.
#[derive(Debug)]
pub(crate) struct World<E> {
    /// Who listens, until the run is over.
    pub(crate) ear: Option<E>,
    pub(crate) metrics: Metrics,
    pub(crate) awaited: Awaited,
    pub(crate) outbox: Vec<Out>,
    /// Delays that may be work to be done: which are, is told when the step is over. Used only where work burns CPU.
    pub(crate) perhaps_work: Vec<(Key, SimTime)>,
    /// Whether work burns CPU.
    pub(crate) burns: bool,
    heap: BinaryHeap<Entry>,
    number: u64,
    /// The timeout that was armed last: it belongs to the request that is sent next, if that has the same key.
    patience: (Key, SimTime),
    /// While an open loop's user asks: when that was meant to be.
    pub(crate) meant: SimTime,
    /// The plan that the machines go by.
    pub(crate) plan: &'static Plan,
    /// What the wire does to the next answer.
    wire: Wire,
}

impl<E> World<E> {
    pub(crate) fn new(plan: &'static Plan, ear: E) -> Self {
        let metrics = Metrics::new(plan);
        Self {
            plan,
            wire: Wire::Carries,
            ear: Some(ear),
            metrics,
            awaited: Awaited::default(),
            outbox: Vec::new(),
            perhaps_work: Vec::new(),
            burns: false,
            heap: BinaryHeap::new(),
            number: 0,
            patience: (Key::NONE, SimTime::NEVER),
            meant: SimTime::NEVER,
        }
    }

    /// Keeps something for its time.
    pub(crate) fn at(&mut self, at: SimTime, due: Due) {
        self.number += 1;
        self.heap.push(Entry { order: Reverse((at, self.number)), due });
    }

    /// When the next thing is due.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.heap.peek().map(|entry| entry.order.0.0)
    }

    /// The next thing, if it is due by `now`.
    pub(crate) fn take(&mut self, now: SimTime) -> Option<(SimTime, Due)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|entry| (entry.order.0.0, entry.due))
    }

    fn put(&mut self, now: SimTime, delay: Delay, out: Out) {
        if delay.span.is_zero() {
            self.outbox.push(out);
            return;
        }
        let due = match out {
            Out::Send(hop) => Due::Send(hop),
            Out::Cancel(attempt) => Due::Cancel(attempt),
            Out::Reply(key, outcome, wire) => Due::Reply(key, outcome, wire),
        };
        self.at(now + delay.span, due);
    }
}

impl<E: Ear> World<E> {
    /// Says how late a delay ended.
    pub(crate) fn woke_late(&mut self, by: Span) {
        if let Some(ear) = &mut self.ear {
            ear.woke_late(by);
        }
    }
}

impl<E: Ear> Sink for World<E> {
    const TRACED: bool = E::TRACED;

    fn trace(&mut self, at: SimTime, what: TraceFact) {
        if let Some(ear) = &mut self.ear {
            ear.trace(at, what);
        }
    }

    fn observe(&mut self, at: SimTime, what: Observation) {
        if let Observation::FaultFired { fault } = what
            && self.plan.faults[fault.index()].spoils_answers()
        {
            // The answer that is sent next is the one that it has hit.
            self.wire = Wire::Spoils;
        }
        if let Some(ear) = &mut self.ear {
            self.metrics.observe(&what);
            ear.observe(at, what);
        }
    }
}

impl<E: Ear> Host for World<E> {
    /// Every message travels, also between neighbours.
    const INSTANT: bool = false;

    fn send(&mut self, now: SimTime, delay: Delay, request: Request) {
        let (key, at) = self.patience;
        let until = if key == request.from { at } else { SimTime::NEVER };
        // What is sent in the step in which a user asks is that user's request.
        let meant = if self.meant == SimTime::NEVER { SimTime::NEVER } else { self.meant + delay.span };
        self.put(now, delay, Out::Send(Hop { request, until, left: None, meant }));
    }

    fn reply(&mut self, now: SimTime, delay: Delay, to: Key, outcome: Outcome) {
        let wire = core::mem::replace(&mut self.wire, Wire::Carries);
        self.put(now, delay, Out::Reply(to, outcome, wire));
    }

    fn pass(&mut self, _: SimTime, _: Delay, _: u32) {
        unreachable!("every message travels by itself");
    }

    fn cancel(&mut self, now: SimTime, delay: Delay, attempt: Key) {
        self.put(now, delay, Out::Cancel(attempt));
    }

    fn arm(&mut self, now: SimTime, delay: Delay, class: Class, key: Key) {
        let at = now + delay.span;
        if class == Class::Timeout {
            self.patience = (key, at);
        }
        if self.burns && class == Class::Completion {
            self.perhaps_work.push((key, at));
        } else if at != SimTime::NEVER {
            self.at(at, Due::Wake(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_comes_first_and_at_the_same_time_what_was_asked_for_first() {
        let text =
            "{name: a, duration: 1s, services: {a: {endpoints: {e: {}}}}, load: [{name: l, to: a.e, rate: 1/s}]}";
        let loaded = squall_model::spec::load(text, &[], &|_| Err(String::new())).unwrap();
        let plan = squall_model::plan::compile(&loaded.topology).unwrap();
        let mut world = World::new(Box::leak(Box::new(plan)), ());
        let ms = |ms: u64| SimTime::from_nanos(ms * 1_000_000);
        for (at, load) in [(5, 0), (3, 1), (5, 2), (1, 3)] {
            world.at(ms(at), Due::Ask(LoadId(load)));
        }
        assert_eq!(world.next(), Some(ms(1)));
        assert_eq!(world.take(ms(0)), None);
        let mut order = Vec::new();
        while let Some((_, Due::Ask(load))) = world.take(ms(9)) {
            order.push(load.0);
        }
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
