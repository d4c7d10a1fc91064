//! The event queue: timers and messages in one total order of time, class and key.
//!
//! Constant delays need no sorting: each has a lane, first in, first out, from which a timer can be taken at once when
//! it is no longer wanted. The head of every lane stands in the heap for all of its lane; everything else stands in the
//! heap itself. The order does not hang on where something stands.

use squall_model::machine::{Key, Place, Timer};
use squall_model::{SimTime, Span};

use crate::heap::Heap;

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
const HORIZON: u64 = 1 << 60;

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

const NIL: u32 = u32::MAX;
/// Below a key's ticket, which alone orders keys, stand the bits of its place.
const PLACE_BITS: u32 = Key::PLACE_BITS;
const PLACE_MASK: u128 = (1 << PLACE_BITS) - 1;

/// A timer or message in a lane.
#[derive(Clone, Copy, Debug)]
struct Node {
    order: u128,
    next: u32,
    previous: u32,
    lane: u32,
}

/// One constant delay and one rank.
#[derive(Clone, Copy, Debug)]
struct Lane {
    head: u32,
    tail: u32,
    /// Whether something stands in the heap for this lane: its head, or one that was taken out since.
    posted: bool,
}

/// All that is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    heap: Heap,
    nodes: Vec<Node>,
    free: u32,
    lanes: Vec<Lane>,
}

impl Queue {
    /// An empty queue with lanes for so many constant delays.
    pub(crate) fn new(delays: usize) -> Self {
        let lane = Lane { head: NIL, tail: NIL, posted: false };
        Self { heap: Heap::default(), nodes: Vec::new(), free: NIL, lanes: vec![lane; delays * RANKS] }
    }

    /// Adds what is to happen `span` after `now`. With a lane, all that is added to it and to its rank must have the
    /// same span; the answer is a timer that can be taken out again.
    #[inline]
    pub(crate) fn push(&mut self, now: SimTime, span: Span, rank: Rank, lane: Option<u32>, key: Key) -> Timer {
        let at = now + span;
        if at.as_nanos() >= HORIZON {
            return Timer::NONE;
        }
        let order = order(at, rank, key);
        if let Some(lane) = lane {
            return self.push_lane(lane * RANKS as u32 + rank as u32, order);
        }
        self.heap.push(order);
        Timer::NONE
    }

    /// The order of the next event; `u128::MAX` if there is none.
    #[inline]
    pub(crate) fn peek(&mut self) -> u128 {
        loop {
            let Some(top) = self.heap.peek() else { return u128::MAX };
            let Place::Host(lane) = Key::from_bits(top as u64).place() else { return top };
            let head = self.lanes[lane as usize].head;
            if head != NIL && self.nodes[head as usize].order >> PLACE_BITS == top >> PLACE_BITS {
                return top;
            }
            // What stood here for the lane was taken out of it.
            self.heap.take();
            self.post(lane);
        }
    }

    /// Takes out the next event, which [`peek`](Self::peek) has just shown.
    #[inline]
    pub(crate) fn pop(&mut self, top: u128) -> Event {
        self.heap.take();
        let Place::Host(lane) = Key::from_bits(top as u64).place() else { return Event::from_order(top) };
        let head = self.lanes[lane as usize].head;
        let order = self.nodes[head as usize].order;
        self.unlink(head);
        self.post(lane);
        Event::from_order(order)
    }

    /// Takes a timer out before its time.
    #[inline]
    pub(crate) fn remove(&mut self, timer: Timer) {
        if timer != Timer::NONE {
            self.unlink(timer.0);
        }
    }

    fn push_lane(&mut self, lane: u32, order: u128) -> Timer {
        let tail = self.lanes[lane as usize].tail;
        let node = Node { order, next: NIL, previous: tail, lane };
        let index = if self.free == NIL {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        } else {
            let index = self.free;
            self.free = self.nodes[index as usize].next;
            self.nodes[index as usize] = node;
            index
        };
        let row = &mut self.lanes[lane as usize];
        row.tail = index;
        if tail == NIL {
            row.head = index;
            if !row.posted {
                self.post(lane);
            }
        } else {
            self.nodes[tail as usize].next = index;
        }
        Timer(index)
    }

    /// Puts the lane's head into the heap, if it has one.
    fn post(&mut self, lane: u32) {
        let row = &mut self.lanes[lane as usize];
        row.posted = row.head != NIL;
        if row.posted {
            let order = self.nodes[row.head as usize].order;
            let place = Key::new(0, Place::Host(lane)).bits();
            self.heap.push(order & !PLACE_MASK | u128::from(place));
        }
    }

    fn unlink(&mut self, index: u32) {
        let Node { next, previous, lane, .. } = self.nodes[index as usize];
        let row = &mut self.lanes[lane as usize];
        match previous {
            NIL => row.head = next,
            previous => self.nodes[previous as usize].next = next,
        }
        match next {
            NIL => row.tail = previous,
            next => self.nodes[next as usize].previous = previous,
        }
        self.nodes[index as usize].next = self.free;
        self.free = index;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use squall_model::machine::Tickets;

    use super::*;

    fn spans() -> [Span; 3] {
        [Span::from_nanos(5), Span::from_nanos(20), Span::from_nanos(7)]
    }

    /// Does the steps on a queue and on a sorted list. A step adds to a lane or to the heap, takes a timer out, or pops.
    fn same_as_sorted(steps: &[(u8, u8)]) -> Result<(), TestCaseError> {
        let (mut queue, mut tickets) = (Queue::new(spans().len()), Tickets::default());
        let (mut now, mut sorted, mut timers) = (SimTime::ZERO, Vec::<Event>::new(), Vec::<(Timer, Key)>::new());
        for &(what, which) in steps {
            let rank = if which % 2 == 0 { Rank::Completion } else { Rank::Timeout };
            match what % 4 {
                0 | 1 => {
                    let lane = (what % 4 == 0).then_some(u32::from(which) % 3);
                    let span = lane.map_or(Span::from_nanos(u64::from(which % 23)), |lane| spans()[lane as usize]);
                    let key = tickets.next(Place::Fiber(u32::from(which)));
                    let timer = queue.push(now, span, rank, lane, key);
                    sorted.push(Event { at: now + span, rank, key });
                    if lane.is_some() {
                        timers.push((timer, key));
                    }
                }
                2 if !timers.is_empty() => {
                    let (timer, key) = timers.swap_remove(usize::from(which) % timers.len());
                    queue.remove(timer);
                    sorted.retain(|event| event.key != key);
                }
                _ => {
                    sorted.sort_by_key(|event| order(event.at, event.rank, event.key));
                    let top = queue.peek();
                    if sorted.is_empty() {
                        prop_assert_eq!(top, u128::MAX);
                        continue;
                    }
                    let event = sorted.remove(0);
                    timers.retain(|(_, key)| *key != event.key);
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
    fn what_lies_beyond_the_horizon_never_happens() {
        let mut queue = Queue::new(0);
        let key = Tickets::default().next(Place::Fiber(0));
        assert_eq!(queue.push(SimTime::from_nanos(1), Span::MAX, Rank::Timeout, None, key), Timer::NONE);
        assert_eq!(queue.peek(), u128::MAX);
    }
}
