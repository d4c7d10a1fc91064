//! The event queue: timers and messages in one total order of time, class and key.
//!
//! Constant delays need no sorting: each has a lane, first in, first out. The heads of all lanes stand in a tree of
//! winners; of everything else the soonest stand in a ring of buckets. The order does not hang on where something stands.
//! Timeouts are never taken out: most go stale, and are forgotten when their turn comes, or before if they are many.

use squall_model::machine::{Key, Place};
use squall_model::{SimTime, Span};

use crate::heads::Heads;
use crate::ring::Ring;
use crate::soon::Soon;

/// At the same instant, what comes first: messages and work that is done before new work, and all of it before somebody
/// gives up waiting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rank {
    /// A message arrives.
    Delivery,
    /// Work, a query or a wait is over.
    Completion,
    /// A user of an open loop asks.
    Arrival,
    /// Somebody gives up waiting.
    Timeout,
}

/// How many lanes a constant delay has: one a rank.
pub(crate) const RANKS: usize = 4;

/// Time, rank and key as one number: 60, 4 and 64 bits.
pub(crate) const fn order(at: SimTime, rank: Rank, key: Key) -> u128 {
    (at.as_nanos() as u128) << 68 | (rank as u128) << 64 | key.bits() as u128
}

/// Nothing runs longer than 36 years of virtual time; what is later never happens.
const HORIZON: u64 = (1 << 60) - 1;
/// The order of nothing is no less.
const NEVER: u128 = (HORIZON as u128) << 68;

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    pub at: SimTime,
    pub rank: Rank,
    pub key: Key,
}

impl Event {
    fn from_order(order: u128) -> Self {
        let rank = match (order >> 64) as u8 & 0xf {
            0 => Rank::Delivery,
            1 => Rank::Completion,
            2 => Rank::Arrival,
            _ => Rank::Timeout,
        };
        Self { at: SimTime::from_nanos((order >> 68) as u64), rank, key: Key::from_bits(order as u64) }
    }
}

/// Below a key's ticket, which alone orders keys, stand the bits of its place.
const PLACE_MASK: u128 = (1 << Key::PLACE_BITS) - 1;
/// A lane is looked through for what is stale when it has grown to twice what was left the last time, and at least this.
const SWEEP_FROM: usize = 1 << 9;

/// The place among the heads of a lane in which nothing ever stood.
const UNUSED: u32 = u32::MAX;

/// One constant delay and one rank: what is added last happens last.
#[derive(Clone, Debug)]
struct Lane {
    line: Ring,
    /// Its place among the heads, once something stood in it.
    head: u32,
    /// How long the line may get before it is swept.
    sweep_at: usize,
}

impl Lane {
    fn unused() -> Self {
        Self { line: Ring::default(), head: UNUSED, sweep_at: SWEEP_FROM }
    }
}

/// All that is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    /// What stands in no lane.
    soon: Soon,
    /// The heads of the lanes in which anything ever stood, each with its lane as its place.
    heads: Heads,
    /// By delay and rank.
    lanes: Vec<Lane>,
}

impl Queue {
    /// An empty queue with lanes for so many constant delays.
    pub(crate) fn new(delays: usize) -> Self {
        Self { soon: Soon::default(), heads: Heads::default(), lanes: vec![Lane::unused(); delays * RANKS] }
    }

    /// How many lanes there are.
    pub(crate) const fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Adds what is to happen `span` after `now`. With a lane, all that is added to it and to its rank must have the
    /// same span.
    #[inline(always)]
    pub(crate) fn push(&mut self, now: SimTime, span: Span, rank: Rank, lane: Option<u32>, key: Key) {
        let at = now + span;
        if at.as_nanos() >= HORIZON {
            return;
        }
        let order = order(at, rank, key);
        let Some(delay) = lane else { return self.soon.push(now, order) };
        let lane = delay * RANKS as u32 + rank as u32;
        let row = &mut self.lanes[lane as usize];
        if row.line.push_back(order) {
            if row.head == UNUSED {
                row.head = self.heads.add_lane() as u32;
            }
            self.heads.set(row.head as usize, head(order, lane));
        }
    }

    /// The order of the next event; no less than `NEVER` if there is none. Timeouts that nobody `waits` for any more are
    /// forgotten on the way.
    #[inline(always)]
    pub(crate) fn peek(&mut self, waits: impl Fn(Key) -> bool) -> u128 {
        loop {
            let top = self.heads.least().min(self.soon.peek());
            if !is_timeout(top) || top >= NEVER || self.settle(top, &waits) {
                return top;
            }
        }
    }

    /// Forgets timeouts that are stale, from `top` on. Whether it is still what comes next.
    #[inline]
    fn settle(&mut self, top: u128, waits: &impl Fn(Key) -> bool) -> bool {
        let waits = |order: u128| waits(Key::from_bits(order as u64));
        let Place::Host(lane) = Key::from_bits(top as u64).place() else {
            let is_next = waits(top);
            if !is_next {
                self.soon.take(top);
            }
            return is_next;
        };
        let Lane { line, head: place, .. } = &mut self.lanes[lane as usize];
        let mut next = line.front();
        if waits(next) {
            return true;
        }
        while next < NEVER && !waits(next) {
            next = line.drop_front();
        }
        self.heads.set(*place as usize, head(next, lane));
        false
    }

    /// Takes out the next event, which [`peek`](Self::peek) has just shown.
    #[inline(always)]
    pub(crate) fn pop(&mut self, top: u128) -> Event {
        let Place::Host(lane) = Key::from_bits(top as u64).place() else {
            self.soon.take(top);
            return Event::from_order(top);
        };
        let Lane { line, head: place, .. } = &mut self.lanes[lane as usize];
        let order = line.front();
        let next = line.drop_front();
        self.heads.set(*place as usize, head(next, lane));
        Event::from_order(order)
    }

    /// Forgets timeouts that nobody `waits` for, in lanes that have grown long.
    pub(crate) fn sweep(&mut self, waits: impl Fn(Key) -> bool) {
        for lane in (Rank::Timeout as usize..self.lanes.len()).step_by(RANKS) {
            let row = &mut self.lanes[lane];
            if row.line.len() >= row.sweep_at {
                row.line.retain(|order| waits(Key::from_bits(order as u64)));
                row.sweep_at = (row.line.len() * 2).max(SWEEP_FROM);
                self.heads.set(row.head as usize, head(row.line.front(), lane as u32));
            }
        }
    }
}

/// An order with a lane as its place: tickets alone order keys. Nothing stays later than anything.
#[inline(always)]
fn head(order: u128, lane: u32) -> u128 {
    order & !PLACE_MASK | u128::from(Key::new(0, Place::Host(lane)).bits())
}

const fn is_timeout(order: u128) -> bool {
    (order >> 64) as u8 & 0xf >= Rank::Timeout as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use squall_model::machine::Tickets;

    use super::*;

    fn spans() -> [Span; 3] {
        [Span::from_nanos(5), Span::from_nanos(20), Span::from_nanos(7)]
    }

    /// Does the steps on a queue and on a sorted list. A step adds to a lane or to the heap, makes a timeout stale, sweeps,
    /// or pops.
    fn same_as_sorted(steps: &[(u8, u8)]) -> Result<(), TestCaseError> {
        let (mut queue, mut tickets) = (Queue::new(spans().len()), Tickets::default());
        let (mut now, mut sorted, mut stale) = (SimTime::ZERO, Vec::<Event>::new(), BTreeSet::<Key>::new());
        for &(what, which) in steps {
            let rank = if which % 2 == 0 { Rank::Completion } else { Rank::Timeout };
            match what % 4 {
                0 | 1 => {
                    let lane = (what % 4 == 0).then_some(u32::from(which) % 3);
                    let span = lane.map_or(Span::from_nanos(u64::from(which % 23)), |lane| spans()[lane as usize]);
                    let key = tickets.next(Place::Fiber(u32::from(which)));
                    queue.push(now, span, rank, lane, key);
                    sorted.push(Event { at: now + span, rank, key });
                    if lane.is_some() && rank == Rank::Timeout && which % 3 > 0 {
                        stale.insert(key);
                        sorted.pop();
                    }
                }
                2 => {
                    queue.lanes.iter_mut().filter(|lane| lane.head != UNUSED).for_each(|lane| lane.sweep_at = 0);
                    queue.sweep(|key| !stale.contains(&key));
                }
                _ => {
                    sorted.sort_by_key(|event| order(event.at, event.rank, event.key));
                    let top = queue.peek(|key| !stale.contains(&key));
                    if sorted.is_empty() {
                        prop_assert!(top >= NEVER);
                        continue;
                    }
                    let event = sorted.remove(0);
                    prop_assert_eq!(queue.pop(top), event);
                    now = event.at;
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_queue_gives_the_order_of_a_sorted_list_whatever_stands_in_lanes(
            steps in prop::collection::vec(any::<(u8, u8)>(), 0..300)
        ) {
            same_as_sorted(&steps)?;
        }
    }

    #[test]
    fn timeouts_that_nobody_waits_for_are_forgotten_before_their_turn_where_they_are_many() {
        let (mut queue, mut tickets) = (Queue::new(1), Tickets::default());
        let mut push = |queue: &mut Queue, count: usize| {
            for _ in 0..count {
                let key = tickets.next(Place::Fiber(1));
                queue.push(SimTime::ZERO, Span::from_nanos(9), Rank::Timeout, Some(0), key);
            }
        };
        let lane = Rank::Timeout as usize;
        let left = |queue: &Queue| (queue.lanes[lane].line.len(), queue.lanes[lane].sweep_at);
        push(&mut queue, SWEEP_FROM - 1);
        queue.sweep(|_| false);
        assert_eq!(left(&queue), (SWEEP_FROM - 1, SWEEP_FROM), "they are few");
        push(&mut queue, 1);
        queue.sweep(|_| false);
        assert_eq!((left(&queue), queue.peek(|_| true) >= NEVER), ((0, SWEEP_FROM), true));
        push(&mut queue, SWEEP_FROM + 5);
        queue.sweep(|_| true);
        assert_eq!(left(&queue), (SWEEP_FROM + 5, 2 * (SWEEP_FROM + 5)), "all are waited for");
    }

    #[test]
    fn what_lies_beyond_the_horizon_never_happens() {
        let mut queue = Queue::new(0);
        let key = Tickets::default().next(Place::Fiber(0));
        queue.push(SimTime::from_nanos(1), Span::MAX, Rank::Timeout, None, key);
        assert!(queue.peek(|_| true) >= NEVER);
    }
}
