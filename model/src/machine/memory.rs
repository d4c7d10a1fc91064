//! Memory of replicas: what requests hold while they have a worker, what they leave behind, how a lack of it slows work
//! down, and the death of a replica that wants more than there is.

use squall_policies::SimTime;

use super::host::{Class, Delay, Host};
use super::key::{Key, Place};
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{self, Plan, ReplicaId};

/// The memory of one replica.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) settings: plan::Memory,
    /// Requests that have leaked since it started.
    leaked: u64,
    /// The key of its death, if it is to die.
    death: Key,
}

impl Memory {
    /// That of all replicas; `None` where it is not looked at.
    pub(super) fn all(plan: &Plan) -> Vec<Option<Self>> {
        let of = |settings| Self { settings, leaked: 0, death: Key::NONE };
        let rows = plan.services.iter().flat_map(|service| service.replica_range().map(|_| service.memory.map(of)));
        rows.collect()
    }

    /// Bytes in use with so many requests served at the moment.
    const fn used(&self, busy: u32) -> u64 {
        let held = self.settings.per_request.saturating_mul(busy as u64);
        let lost = self.settings.leak.saturating_mul(self.leaked);
        self.settings.base.saturating_add(held).saturating_add(lost)
    }

    fn share(&self, busy: u32) -> f64 {
        self.used(busy) as f64 / self.settings.limit as f64
    }
}

impl System<'_> {
    /// A request takes its memory. If there is none left, the replica dies, once the step under way is over.
    #[cold]
    #[inline(never)]
    pub(super) fn claim(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let id = self.fibers[index].replica;
        let busy = self.replicas[id.index()].busy;
        if let Some(memory) = &mut self.memories[id.index()] {
            memory.leaked += 1;
            let bytes = memory.used(busy);
            host.observe(now, Observation::MemoryUsed { replica: id, bytes });
            if bytes > memory.settings.limit && memory.death == Key::NONE {
                memory.death = self.tickets.next(Place::Replica(id.0));
                host.arm(now, Delay::NONE, Class::Completion, memory.death);
            }
        }
        Step::Run(index)
    }

    /// A replica that wanted too much memory dies; answers whether the key was for this.
    pub(super) fn die_of_memory(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, key: Key) -> bool {
        let Some(memory) = self.memories[id.index()].as_mut().filter(|memory| memory.death == key) else {
            return false;
        };
        memory.death = Key::NONE;
        host.observe(now, Observation::OutOfMemory { replica: id });
        self.kill(host, now, id);
        true
    }

    /// A replica starts anew: what was lost is back.
    pub(super) fn clear_memory(&mut self, id: ReplicaId) {
        if let Some(memory) = &mut self.memories[id.index()] {
            memory.leaked = 0;
            memory.death = Key::NONE;
        }
    }

    /// How many times as long `work` takes on a replica, for want of memory.
    pub(super) fn garbage(&self, id: ReplicaId) -> f64 {
        let Some(memory) = &self.memories[id.index()] else { return 1.0 };
        let share = memory.share(self.replicas[id.index()].busy);
        memory.settings.slow_from.map_or(1.0, |slow_from| stretch(slow_from, share))
    }
}

/// How many times as long `work` takes with this share of the memory in use: the time goes into collecting garbage, the
/// more the less is left to find. One thousandth is always left.
fn stretch(slow_from: f64, used: f64) -> f64 {
    if used <= slow_from { 1.0 } else { (1.0 - slow_from) / (1.0 - used).max(1e-3) }
}
