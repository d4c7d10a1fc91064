//! The one name for "what is waited for": used for timers and for replies alike, so that whatever comes late is told
//! apart by its key alone and never has to be searched for.

/// A ticket and the place it belongs to. A place waits for one ticket at a time; a key whose ticket is no longer the
/// one waited for is stale, and harmless. Keys ascend in the order they were given out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u64);

/// What kind of place a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A fiber of the machines.
    Fiber(u32),
    /// A replica: it starts again, computes, dies of want of memory, or its service is looked at. Behind the replicas,
    /// a database whose queries slow each other down.
    Replica(u32),
    /// A call's policies that want to be woken.
    Link(u32),
    /// Something of the host's own.
    Host(u32),
}

const INDEX_BITS: u32 = 26;
const TAG_BITS: u32 = 2;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
/// So many places of a kind there may be at once.
pub(super) const PLACES: usize = 1 << INDEX_BITS;

impl Key {
    /// How many of its lower bits name the place; the bits above are its ticket, which alone orders keys.
    pub const PLACE_BITS: u32 = INDEX_BITS + TAG_BITS;

    /// Nobody waits for this one.
    pub const NONE: Self = Self(0);

    /// The key of `ticket` at `place`.
    pub const fn new(ticket: u64, place: Place) -> Self {
        let (tag, index) = match place {
            Place::Fiber(index) => (0, index),
            Place::Replica(index) => (1, index),
            Place::Link(index) => (2, index),
            Place::Host(index) => (3, index),
        };
        Self(ticket << Self::PLACE_BITS | tag << INDEX_BITS | index as u64 & INDEX_MASK)
    }

    /// The index of its place, of whatever kind.
    pub const fn index(self) -> u32 {
        (self.0 & INDEX_MASK) as u32
    }

    /// The place it belongs to.
    pub const fn place(self) -> Place {
        let index = (self.0 & INDEX_MASK) as u32;
        match self.0 >> INDEX_BITS & ((1 << TAG_BITS) - 1) {
            0 => Place::Fiber(index),
            1 => Place::Replica(index),
            2 => Place::Link(index),
            _ => Place::Host(index),
        }
    }

    /// The key, at the same place, of the ticket that was given out so many tickets before.
    pub(super) const fn earlier(self, tickets: u64) -> Self {
        Self(self.0 - (tickets << Self::PLACE_BITS))
    }

    /// The key, at the same place, of the ticket that is given out so many tickets later.
    pub(super) const fn later(self, tickets: u64) -> Self {
        Self(self.0 + (tickets << Self::PLACE_BITS))
    }

    /// The key of the same ticket at another place.
    pub(super) const fn at(self, place: Place) -> Self {
        Self::new(self.0 >> Self::PLACE_BITS, place)
    }

    /// All of it as one number, which orders as keys do.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The key with these [`bits`](Self::bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Gives out tickets, each once; the last one, in the place where it stands in a key.
#[derive(Clone, Debug, Default)]
pub struct Tickets(u64);

impl Tickets {
    /// A key for `place` that was never given out before.
    pub fn next(&mut self, place: Place) -> Key {
        let Some(ticket) = self.0.checked_add(1 << Key::PLACE_BITS) else { panic!("a run has at most 2^36 waits") };
        self.0 = ticket;
        Key(self.0 | Key::new(0, place).0)
    }

    /// Keeps so many tickets for keys that are made later, if at all.
    #[inline(always)]
    pub(super) fn skip(&mut self, tickets: u64) {
        self.0 += tickets << Key::PLACE_BITS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_remembers_its_place_and_ascends_with_its_ticket() {
        let mut tickets = Tickets::default();
        let places = [Place::Fiber(7), Place::Replica(0), Place::Link(PLACES as u32 - 1), Place::Host(3)];
        let mut last = Key::NONE;
        for place in places {
            let key = tickets.next(place);
            assert_eq!(key.place(), place);
            assert!(key > last);
            assert_eq!(Key::from_bits(key.bits()), key);
            last = key;
        }
    }
}
