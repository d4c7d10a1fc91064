//! The simulated network: messages between machines. One that takes no time is delivered in the same instant, in the
//! order it was sent, before anything else happens; the others wait in the event queue.

use std::collections::VecDeque;

use squall_model::Outcome;
use squall_model::machine::{Key, Request};

/// What travels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    Request(Request),
    Reply(Key, Outcome),
}

/// Messages on their way.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// The message that arrives next in this instant, before those in `at_once`: nearly always the only one.
    next: Option<Message>,
    at_once: VecDeque<Message>,
    under_way: Vec<Message>,
    free: Vec<u32>,
}

impl Network {
    /// Sends a message that arrives now.
    #[inline]
    pub(crate) fn deliver(&mut self, message: Message) {
        if self.next.is_none() {
            self.next = Some(message);
        } else {
            self.at_once.push_back(message);
        }
    }

    /// The next message that arrives now.
    #[inline]
    pub(crate) fn arrived(&mut self) -> Option<Message> {
        let next = self.next.take();
        if !self.at_once.is_empty() {
            self.next = self.at_once.pop_front();
        }
        next
    }

    /// Keeps a message until [`release`](Self::release); the answer is its place.
    pub(crate) fn hold(&mut self, message: Message) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.under_way[place as usize] = message;
                place
            }
            None => {
                self.under_way.push(message);
                self.under_way.len() as u32 - 1
            }
        }
    }

    /// Gives back a message that was held.
    pub(crate) fn release(&mut self, place: u32) -> Message {
        self.free.push(place);
        self.under_way[place as usize]
    }
}
