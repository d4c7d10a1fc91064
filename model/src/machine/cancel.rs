//! Cancellation: a caller that has given up tells the callee, which then stops what it does for it. Takes effect at once,
//! whatever step the callee is at, and goes on down the calls that are cancelled in turn.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Fibers, Kind, State};
use super::host::Host;
use super::key::{Key, Place};
use super::service::Stashed;
use super::system::{Step, System};

/// Which request belongs to which attempt, where the attempt may be cancelled: by the place of the attempt's key. A place
/// remembers its latest attempt; a cancellation that is overtaken by the next attempt comes to nothing.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    of_fibers: Vec<(Key, u32)>,
    of_hosts: Vec<(Key, u32)>,
}

/// The attempt was cancelled before its request came.
const GONE: u32 = u32::MAX;

impl Cancels {
    fn place(&mut self, key: Key) -> &mut (Key, u32) {
        let places = if matches!(key.place(), Place::Host(_)) { &mut self.of_hosts } else { &mut self.of_fibers };
        let index = key.index() as usize;
        if index >= places.len() {
            places.resize(index + 1, (Key::NONE, GONE));
        }
        &mut places[index]
    }

    /// The request of this attempt has come, and is this fiber.
    pub(super) fn register(&mut self, attempt: Key, request: u32) {
        *self.place(attempt) = (attempt, request);
    }

    /// Whether this attempt was cancelled before its request came.
    pub(super) fn is_gone(&mut self, attempt: Key) -> bool {
        *self.place(attempt) == (attempt, GONE)
    }

    /// The request of a cancelled attempt, if it has come and is not over.
    fn request(&mut self, attempt: Key, fibers: &Fibers) -> Option<u32> {
        let place = self.place(attempt);
        if place.0 < attempt {
            *place = (attempt, GONE);
            return None;
        }
        let (of, index) = *place;
        let there = of == attempt && index != GONE && fibers.is_request_of(index, attempt);
        there.then_some(index)
    }
}

impl System<'_> {
    /// The caller of this attempt has given up and no longer waits for its answer. Harmless if the request is over, was
    /// never sent, or came along a call that does not propagate it.
    pub fn cancelled(&mut self, host: &mut impl Host, now: SimTime, attempt: Key) {
        self.drive(host, now, Step::Cancel(attempt));
    }

    /// Tells the callee of an attempt that is out, if it wants to know, that nobody waits for it any more.
    pub(super) fn cancel_attempt<H: Host>(&mut self, host: &mut H, now: SimTime, index: u32) {
        let edge = self.route(index).edge;
        let of = &self.plan.edges[edge.index()];
        if !of.cancels || self.holds.is_waiting(index) {
            return;
        }
        let attempt = self.fibers[index].key;
        let delay = Self::draw(self.plan, of.network, &mut self.links.streams[edge.index()].cancels);
        if H::INSTANT && delay.span.is_zero() {
            self.later.push_back(Step::Cancel(attempt));
        } else {
            host.cancel(now, delay, attempt);
        }
    }

    /// A cancellation comes to the callee.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel_request(&mut self, host: &mut impl Host, now: SimTime, attempt: Key) -> Step {
        let Some(index) = self.cancels.request(attempt, &self.fibers) else { return Step::Rest };
        if self.on_guard && self.frozen(index) {
            self.stash(index, Stashed::Cancel(attempt));
            return Step::Rest;
        }
        if self.fibers[index].state == State::Queued {
            self.withdraw(host, now, index, Outcome::Cancelled);
            return Step::Rest;
        }
        let parts = self.parts(index);
        if parts.iter().any(|part| self.fibers[*part].state == State::Running) {
            // It is about to take a step in this very instant: after that.
            self.later.push_back(Step::Cancel(attempt));
            return Step::Rest;
        }
        let replica = self.fibers[index].replica;
        for part in parts.into_iter().rev() {
            self.die(host, now, part, Outcome::Cancelled);
        }
        self.serve_waiting(host, now, replica);
        Step::Rest
    }

    /// A request and its branches, and theirs.
    fn parts(&self, index: u32) -> Vec<u32> {
        let mut parts = vec![index];
        let mut at = 0;
        while let Some(&part) = parts.get(at) {
            let fiber = &self.fibers[part];
            if fiber.state == State::Forked {
                let key = fiber.key;
                let branches = self.fibers.on(fiber.replica).into_iter();
                parts.extend(branches.filter(|branch| {
                    self.fibers[*branch].kind == Kind::Branch && self.fibers[*branch].reply_to == key
                }));
            }
            at += 1;
        }
        parts
    }
}
