//! Waits that were asked for: a replica that turns a request away may say how long its caller is to stay away.

use squall_policies::Span;

use super::key::{Key, Place};
use super::system::System;

/// The wait that came last to each place, with the attempt that it answers.
#[derive(Debug, Default)]
pub(super) struct Asked {
    of_fibers: Vec<(Key, Span)>,
    of_hosts: Vec<(Key, Span)>,
}

impl Asked {
    fn places(&mut self, attempt: Key) -> &mut Vec<(Key, Span)> {
        if matches!(attempt.place(), Place::Host(_)) { &mut self.of_hosts } else { &mut self.of_fibers }
    }

    fn note(&mut self, attempt: Key, wait: Span) {
        let places = self.places(attempt);
        let index = attempt.index() as usize;
        if index >= places.len() {
            places.resize(index + 1, (Key::NONE, Span::ZERO));
        }
        places[index] = (attempt, wait);
    }

    /// The wait asked for in answer to this attempt.
    fn take(&mut self, attempt: Key) -> Option<Span> {
        let place = self.places(attempt).get_mut(attempt.index() as usize).filter(|(of, _)| *of == attempt)?;
        place.0 = Key::NONE;
        Some(place.1)
    }
}

impl System<'_> {
    /// Whoever answers `attempt` asks its caller to wait so long before it tries again. To be told before the answer.
    pub fn ask_to_wait(&mut self, attempt: Key, wait: Span) {
        self.asked.note(attempt, wait);
    }

    /// How long the answer to `attempt` asks its caller to wait.
    pub fn asked_to_wait(&mut self, attempt: Key) -> Option<Span> {
        self.asked.take(attempt)
    }

    /// The answer to a fiber's attempt says that it failed: the wait that it asks for is kept for the retry.
    #[cold]
    #[inline(never)]
    pub(super) fn hear_wait(&mut self, index: u32, attempt: Key) {
        if let Some(wait) = self.asked.take(attempt) {
            self.call_aside(index).asked = Some(wait);
        }
    }
}
