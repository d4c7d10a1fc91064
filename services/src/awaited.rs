//! The requests that servers have taken and not yet answered. The machines name each by a key of the host's; a request
//! whose asker has hung up is forgotten, and its answer finds nobody.

use squall_model::machine::{Key, Place, Tickets};
use squall_model::plan::{EndpointId, ReplicaId};
use squall_model::{Outcome, Span};
use tokio::sync::oneshot;

use crate::app::Fate;
use crate::trail::Trail;

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// What becomes of the answer on the wire.
    pub(crate) fate: Option<Fate>,
    /// Requests that were sent to other services for it.
    pub(crate) attempts: u32,
    /// How long whoever asked is to stay away.
    pub(crate) asks: Option<Span>,
}

/// One request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) key: Key,
    pub(crate) answer: oneshot::Sender<Verdict>,
    pub(crate) trail: Trail,
    pub(crate) replica: ReplicaId,
    pub(crate) endpoint: EndpointId,
    /// Requests that were sent to other services for it.
    pub(crate) attempts: u32,
}

/// All of them, in places that are used again.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    places: Vec<Option<Asked>>,
    free: Vec<u32>,
    tickets: Tickets,
}

impl Awaited {
    /// Keeps a request; answers the key under which the machines shall answer, and where that will be heard.
    pub(crate) fn open(
        &mut self,
        trail: Trail,
        replica: ReplicaId,
        endpoint: EndpointId,
    ) -> (Key, oneshot::Receiver<Verdict>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        });
        let key = self.tickets.next(Place::Host(place));
        let (answer, hears) = oneshot::channel();
        self.places[place as usize] = Some(Asked { key, answer, trail, replica, endpoint, attempts: 0 });
        (key, hears)
    }

    /// Takes a request out, if it is still there.
    pub(crate) fn take(&mut self, key: Key) -> Option<Asked> {
        let Place::Host(place) = key.place() else { return None };
        let asked = self.places.get_mut(place as usize)?.take_if(|asked| asked.key == key)?;
        self.free.push(place);
        Some(asked)
    }

    /// A request is sent to another service for this one; the trail that both belong to.
    pub(crate) fn attempt(&mut self, key: Key) -> Option<&Trail> {
        let Place::Host(place) = key.place() else { return None };
        let asked = self.places.get_mut(place as usize)?.as_mut().filter(|asked| asked.key == key)?;
        asked.attempts += 1;
        Some(&asked.trail)
    }

    /// Forgets all: nobody gets an answer any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_used_again_does_not_answer_to_its_old_key() {
        let mut awaited = Awaited::default();
        let open = |awaited: &mut Awaited| awaited.open(Trail::of(1), ReplicaId(0), EndpointId(0));
        let (first, _hears) = open(&mut awaited);
        assert!(awaited.take(first).is_some() && awaited.take(first).is_none());
        let (second, _hears) = open(&mut awaited);
        assert_eq!(first.place(), second.place());
        assert!(awaited.take(first).is_none() && awaited.attempt(first).is_none());
        assert!(awaited.attempt(second).is_some() && awaited.take(second).is_some());
    }
}
