//! The simulated network: messages that take their time. Those that take none never come here; the machines hand them on
//! among themselves.

use squall_model::Outcome;
use squall_model::machine::{Key, Request};

/// What travels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    Request(Request),
    Reply(Key, Outcome),
    Cancel(Key),
}

/// Messages on their way.
#[derive(Debug, Default)]
pub(crate) struct Network {
    under_way: Vec<Message>,
    free: Vec<u32>,
}

impl Network {
    /// Keeps a message until [`release`](Self::release); the answer is its place.
    pub(crate) fn hold(&mut self, message: Message) -> u32 {
        let Some(place) = self.free.pop() else {
            self.under_way.push(message);
            return self.under_way.len() as u32 - 1;
        };
        self.under_way[place as usize] = message;
        place
    }

    /// Gives back a message that was held.
    pub(crate) fn release(&mut self, place: u32) -> Message {
        self.free.push(place);
        self.under_way[place as usize]
    }
}
