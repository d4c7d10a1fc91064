//! Caches: a look takes its time, and hits or misses. Either a fixed share hits, or what is asked for decides: keys of
//! unequal popularity, of which the cache holds those that were asked for last, each for a while.
//!
//! All that miss the same key at the same time go and get it, each for itself: that is how a stampede comes about.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::State;
use super::host::{Class, Delay, Host};
use super::key::Key;
use super::system::{Step, System};
use crate::dist::Zipf;
use crate::observation::{Look, Observation};
use crate::plan::{Cache, CacheId, Hits, Op, Plan};
use crate::rng::{Random as _, Stream};

/// No key.
const NIL: u32 = u32::MAX;

/// One cache.
#[derive(Debug)]
pub(super) struct CacheState {
    pub disturbed: bool,
    /// How long looks take.
    time: Stream,
    /// What is asked for, or what hits.
    choice: Stream,
    held: Option<Held>,
    /// How many faults freeze it, since when, and for how long it was frozen before.
    pub pauses: u32,
    paused_since: SimTime,
    paused_total: Span,
    stash: Vec<Key>,
}

/// What a cache holds: its keys in a ring, from the one that was asked for last to the one to go next.
#[derive(Debug)]
struct Held {
    zipf: Zipf,
    /// By key.
    entries: Vec<Entry>,
    newest: u32,
    oldest: u32,
    len: u32,
    capacity: u32,
    ttl: Span,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Until when it is good; zero if it is not held.
    until: SimTime,
    newer: u32,
    older: u32,
}

impl CacheState {
    pub(super) fn new(plan: &Plan, cache: &Cache) -> Self {
        let stream = |what| Stream::new(plan.seed, &format!("{what}/{}", cache.name));
        let held = match cache.hits {
            Hits::Fixed(_) => None,
            Hits::Keys { keys, zipf, capacity, ttl } => Some(Held::new(keys, zipf, capacity, ttl)),
        };
        Self {
            disturbed: false,
            time: stream("look"),
            choice: stream("key"),
            held,
            pauses: 0,
            paused_since: SimTime::ZERO,
            paused_total: Span::ZERO,
            stash: Vec::new(),
        }
    }

    /// Looks for something; answers what was found and which key it was.
    fn look(&mut self, hits: Hits, now: SimTime) -> (Look, u32) {
        match (hits, &mut self.held) {
            (Hits::Fixed(share), _) => {
                let hit = self.choice.unit() < share;
                (if hit { Look::Hit } else { Look::Absent }, NIL)
            }
            (_, Some(held)) => {
                let key = held.zipf.draw(&mut self.choice);
                (held.look(key, now), key)
            }
            (_, None) => (Look::Absent, NIL),
        }
    }

    /// What the cache's own clock shows, which stands still while it is frozen.
    fn own_clock(&self, now: SimTime) -> SimTime {
        let at = if self.pauses > 0 { self.paused_since } else { now };
        SimTime::from_nanos((at - SimTime::ZERO).saturating_sub(self.paused_total).as_nanos())
    }

    fn len(&self) -> u32 {
        self.held.as_ref().map_or(0, |held| held.len)
    }
}

impl Held {
    fn new(keys: u32, zipf: f64, capacity: u32, ttl: Span) -> Self {
        let nothing = Entry { until: SimTime::ZERO, newer: NIL, older: NIL };
        Self {
            zipf: Zipf::new(keys, zipf),
            entries: vec![nothing; keys as usize],
            newest: NIL,
            oldest: NIL,
            len: 0,
            capacity,
            ttl,
        }
    }

    /// Looks for a key; one that is too old goes, one that is found is the newest from now on.
    fn look(&mut self, key: u32, now: SimTime) -> Look {
        let until = self.entries[key as usize].until;
        if until == SimTime::ZERO {
            return Look::Absent;
        }
        self.unlink(key);
        if until <= now {
            return Look::Expired;
        }
        self.link(key, until);
        Look::Hit
    }

    /// Takes a key in; the oldest goes if there is no room.
    fn fill(&mut self, key: u32, now: SimTime) {
        if self.capacity == 0 {
            return;
        }
        if self.entries[key as usize].until != SimTime::ZERO {
            self.unlink(key);
        } else if self.len >= self.capacity {
            self.unlink(self.oldest);
        }
        self.link(key, if self.ttl == Span::MAX { SimTime::NEVER } else { now + self.ttl });
    }

    fn link(&mut self, key: u32, until: SimTime) {
        let older = core::mem::replace(&mut self.newest, key);
        self.entries[key as usize] = Entry { until, newer: NIL, older };
        match older {
            NIL => self.oldest = key,
            older => self.entries[older as usize].newer = key,
        }
        self.len += 1;
    }

    fn unlink(&mut self, key: u32) {
        let Entry { newer, older, .. } = self.entries[key as usize];
        match newer {
            NIL => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NIL => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        self.entries[key as usize].until = SimTime::ZERO;
        self.len -= 1;
    }

    fn flush(&mut self) {
        while self.oldest != NIL {
            self.unlink(self.oldest);
        }
    }
}

impl System<'_> {
    /// Begins a look into a cache.
    #[cold]
    #[inline(never)]
    pub(super) fn look_up(&mut self, host: &mut impl Host, now: SimTime, index: u32, id: CacheId) -> Step {
        self.fibers[index].step_began = now;
        let cache = &mut self.caches[id.index()];
        let mut delay = System::draw(self.plan, self.plan.caches[id.index()].latency, &mut cache.time);
        if cache.disturbed {
            if let Some(outcome) = self.cache_fails(host, now, id) {
                return self.missed(host, now, index, Look::Failed(outcome));
            }
            delay = Delay::of(self.disturb_cache(host, now, id, delay.span));
        }
        let cache = &self.caches[id.index()];
        if delay.span.is_zero() && cache.pauses == 0 {
            return self.looked_up(host, now, index);
        }
        let clock = cache.own_clock(now);
        let key = self.ticket(index);
        let fiber = &mut self.fibers[index];
        fiber.state = State::Looking;
        fiber.mark = clock + delay.span;
        self.tell_state(host, now, index);
        host.arm(now, delay, Class::Completion, key);
        Step::Rest
    }

    /// A look has taken its time, or is still frozen.
    pub(super) fn look_due(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let (id, ..) = self.look_step(index);
        let cache = &mut self.caches[id.index()];
        if cache.pauses > 0 {
            cache.stash.push(self.fibers[index].key);
            return Step::Rest;
        }
        let owed = self.fibers[index].mark - cache.own_clock(now);
        if !cache.paused_total.is_zero() && !owed.is_zero() {
            let key = self.ticket(index);
            host.arm(now, Delay::of(owed), Class::Completion, key);
            return Step::Rest;
        }
        self.looked_up(host, now, index)
    }

    /// A look is over: it has found something, or not.
    fn looked_up(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let (id, depth, hit) = self.look_step(index);
        let cache = &mut self.caches[id.index()];
        let (mut look, key) = cache.look(self.plan.caches[id.index()].hits, now);
        if cache.disturbed && self.cache_spoils(host, now, id) {
            look = Look::Failed(Outcome::Error(502));
        }
        if look != Look::Hit {
            self.looking.set(index, depth, key);
            return self.missed(host, now, index, look);
        }
        let (segment, took) = (self.fibers[index].segment(), now - self.fibers[index].step_began);
        let held = self.caches[id.index()].len();
        host.observe(now, Observation::LookedUp { cache: id, segment, look, took, held });
        self.fibers[index].pc = hit;
        Step::Run(index)
    }

    /// Nothing was found, or nothing could be asked: the steps of a miss follow. Where there are none, a cache that cannot
    /// be asked fails the request.
    fn missed(&mut self, host: &mut impl Host, now: SimTime, index: u32, look: Look) -> Step {
        let (id, depth, hit) = self.look_step(index);
        let fiber = &self.fibers[index];
        let (segment, took, pc) = (fiber.segment(), now - fiber.step_began, fiber.pc);
        let held = self.caches[id.index()].len();
        host.observe(now, Observation::LookedUp { cache: id, segment, look, took, held });
        if let Look::Failed(outcome) = look {
            self.looking.set(index, depth, NIL);
            if pc.0 + 1 == hit.0 {
                return Step::Finish(index, outcome);
            }
        }
        Step::Run(index)
    }

    /// What was missed is there from now on.
    #[cold]
    #[inline(never)]
    pub(super) fn fill(&mut self, now: SimTime, index: u32, id: CacheId, depth: u32) {
        let key = self.looking.get(index, depth);
        if let (Some(held), false) = (&mut self.caches[id.index()].held, key == NIL) {
            held.fill(key, now);
        }
    }

    /// A cache forgets everything.
    pub(super) fn flush(&mut self, id: CacheId) {
        if let Some(held) = &mut self.caches[id.index()].held {
            held.flush();
        }
    }

    /// A cache freezes.
    pub(super) fn freeze_cache(&mut self, now: SimTime, id: CacheId) {
        let cache = &mut self.caches[id.index()];
        if cache.pauses == 0 {
            cache.paused_since = now;
        }
        cache.pauses += 1;
    }

    /// A cache goes on where it was frozen.
    pub(super) fn thaw_cache(&mut self, now: SimTime, id: CacheId) {
        let cache = &mut self.caches[id.index()];
        cache.pauses -= 1;
        if cache.pauses == 0 {
            cache.paused_total = cache.paused_total + (now - cache.paused_since);
            self.later.extend(core::mem::take(&mut cache.stash).into_iter().map(Step::Wake));
        }
    }

    /// The look that a fiber is at: the cache, its depth, and where a hit goes on.
    fn look_step(&self, index: u32) -> (CacheId, u32, crate::plan::Pc) {
        match self.plan.ops[self.fibers[index].pc.index() - 1] {
            Op::Get { cache, depth, hit } => (cache, depth, hit),
            op => unreachable!("a look under way at {op:?}"),
        }
    }
}

/// The keys that fibers have missed and not yet filled, by fiber and by how deep their looks stand in one another.
#[derive(Debug)]
pub(super) struct Looking {
    depths: usize,
    keys: Vec<u32>,
}

impl Looking {
    pub(super) const fn new(plan: &Plan) -> Self {
        Self { depths: plan.look_depth as usize, keys: Vec::new() }
    }

    fn set(&mut self, fiber: u32, depth: u32, key: u32) {
        let place = fiber as usize * self.depths + depth as usize;
        if place >= self.keys.len() {
            self.keys.resize((fiber as usize + 1) * self.depths, NIL);
        }
        self.keys[place] = key;
    }

    fn get(&self, fiber: u32, depth: u32) -> u32 {
        self.keys.get(fiber as usize * self.depths + depth as usize).copied().unwrap_or(NIL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> SimTime {
        SimTime::from_nanos(s * 1_000_000_000)
    }

    #[test]
    fn the_one_that_was_not_asked_for_longest_goes_first() {
        let mut held = Held::new(5, 1.0, 2, Span::MAX);
        held.fill(0, at(1));
        held.fill(1, at(2));
        assert_eq!(held.look(0, at(3)), Look::Hit);
        held.fill(2, at(4));
        assert_eq!([0, 1, 2].map(|key| held.look(key, at(5))), [Look::Hit, Look::Absent, Look::Hit]);
        held.fill(2, at(6));
        assert_eq!(held.len, 2);
        held.flush();
        assert_eq!((held.len, held.look(0, at(7)), held.newest), (0, Look::Absent, NIL));
    }

    #[test]
    fn what_is_too_old_is_found_once_and_gone() {
        let mut held = Held::new(2, 0.0, 9, Span::from_secs(10));
        held.fill(0, at(1));
        assert_eq!(held.look(0, at(10)), Look::Hit);
        assert_eq!(held.look(0, at(11)), Look::Expired);
        assert_eq!((held.look(0, at(11)), held.len), (Look::Absent, 0));
    }

    #[test]
    fn a_cache_without_room_holds_nothing() {
        let mut held = Held::new(2, 0.0, 0, Span::MAX);
        held.fill(1, at(1));
        assert_eq!((held.look(1, at(1)), held.len), (Look::Absent, 0));
    }
}
