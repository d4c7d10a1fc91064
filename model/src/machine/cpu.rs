//! CPU: the cores of a replica, shared by all that is computed on it at the moment.

use squall_policies::SimTime;

use super::fiber::State;
use super::host::{Class, Delay, Host};
use super::key::Place;
use super::share::Share;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{Effect, Plan, ReplicaId, TimeId};

/// Thousandths of a core.
const CORE: f64 = 1000.0;

/// The cores of one replica.
#[derive(Debug)]
pub(super) struct Cpu {
    pub(super) cores: f64,
    share: Share,
    /// Thousandths of a core in use.
    in_use: u32,
    /// Thousandths of a core times nanoseconds that were used up to `since`.
    used: u128,
    since: SimTime,
}

impl Cpu {
    /// Those of all replicas; a service that is never short of CPU has none.
    pub(super) fn all(plan: &Plan) -> Vec<Option<Self>> {
        let of = |cores| Self { cores, share: Share::new(), in_use: 0, used: 0, since: SimTime::ZERO };
        let rows = plan.services.iter().flat_map(|service| service.replica_range().map(|_| service.cores.map(of)));
        rows.collect()
    }

    fn note(&mut self, now: SimTime) {
        self.used += u128::from(self.in_use) * u128::from((now - self.since).as_nanos());
        self.since = now;
    }

    /// Core-nanoseconds used up to `now`.
    pub(super) fn used(&mut self, now: SimTime) -> f64 {
        self.note(now);
        self.used as f64 / CORE
    }
}

impl System<'_> {
    /// Computes: takes a step's CPU time, stretched by a lack of memory, in competition with all else that runs on the
    /// replica.
    #[cold]
    #[inline(never)]
    pub(super) fn compute(&mut self, host: &mut impl Host, now: SimTime, index: u32, time: TimeId) -> Step {
        let id = self.fibers[index].replica;
        let service = self.replicas[id.index()].service;
        let mut work = System::draw(self.plan, time, &mut self.services[service.index()].work).span;
        work = self.disturb_own_time(host, now, index, work).scale(self.garbage(id));
        let clock = self.replicas[id.index()].own_clock(now);
        let Some(cpu) = &mut self.cpus[id.index()] else {
            return if self.hold(host, now, index, Delay::of(work)) { Step::Rest } else { Step::Run(index) };
        };
        if work.is_zero() {
            return Step::Run(index);
        }
        cpu.share.advance(clock);
        let key = self.tickets.next(Place::Fiber(index));
        cpu.share.enter(work, key);
        let fiber = &mut self.fibers[index];
        fiber.key = key;
        fiber.state = State::Computing;
        self.tell_state(host, now, index);
        self.share_cpu(host, now, id);
        Step::Rest
    }

    /// After a change of who runs, or of what there is to run on: how fast each gets on, and when the next is done.
    pub(super) fn share_cpu(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        let cores = self.cores(now, id);
        let clock = self.replicas[id.index()].own_clock(now);
        let frozen = self.replicas[id.index()].pauses > 0;
        let Some(cpu) = &mut self.cpus[id.index()] else { return };
        cpu.share.advance(clock);
        let running = f64::from(cpu.share.running());
        let rate = if running > cores { cores / running } else { 1.0 };
        cpu.share.set_rate(rate);
        let in_use = if frozen { 0 } else { (running.min(cores) * CORE + 0.5) as u32 };
        if in_use != cpu.in_use {
            cpu.note(now);
            let from = core::mem::replace(&mut cpu.in_use, in_use);
            host.observe(now, Observation::Computing { replica: id, from, to: in_use, all: running >= cores });
        }
        let next = cpu.share.next().filter(|_| !frozen);
        let due = next.map_or(SimTime::NEVER, |span| now + span);
        // A wake-up that comes too early finds nothing done, and asks for another.
        if due < cpu.share.wake_at {
            let key = self.tickets.next(Place::Replica(id.0));
            cpu.share.wake = key;
            cpu.share.wake_at = due;
            host.arm(now, Delay::of(due - now), Class::Completion, key);
        }
    }

    /// Somebody's work may be done; answers whether the key was for this.
    pub(super) fn wake_cpu(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, key: super::key::Key) -> bool {
        let clock = self.replicas[id.index()].own_clock(now);
        let frozen = self.replicas[id.index()].pauses > 0;
        let Some(cpu) = self.cpus[id.index()].as_mut().filter(|cpu| cpu.share.wake == key) else { return false };
        cpu.share.wake_at = SimTime::NEVER;
        if frozen {
            // Even work that was done when it froze goes on only when it thaws, which wakes it again.
            return true;
        }
        cpu.share.advance(clock);
        while let Some(key) = cpu.share.take_done() {
            if let Some(index) = self.fibers.waiting(key) {
                cpu.share.leave();
                let fiber = &mut self.fibers[index];
                fiber.key = super::key::Key::NONE;
                fiber.state = State::Running;
                self.later.push_back(Step::Run(index));
            }
        }
        self.share_cpu(host, now, id);
        true
    }

    /// One who computed has died.
    pub(super) fn stop_computing(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        let id = self.fibers[index].replica;
        let clock = self.replicas[id.index()].own_clock(now);
        self.fibers[index].key = super::key::Key::NONE;
        if let Some(cpu) = &mut self.cpus[id.index()] {
            cpu.share.advance(clock);
            cpu.share.leave();
            self.share_cpu(host, now, id);
        }
    }

    /// The cores of a replica, as faults have left them.
    fn cores(&self, now: SimTime, id: ReplicaId) -> f64 {
        let cores = self.cpus[id.index()].as_ref().map_or(0.0, |cpu| cpu.cores);
        if self.replicas[id.index()].disturbed { cores * self.capacity_left(now, id) } else { cores }
    }

    /// Whether a fault's end or beginning changes how fast work gets on.
    pub(super) fn cores_changed(&mut self, host: &mut impl Host, now: SimTime, effect: Effect, id: ReplicaId) {
        if matches!(effect, Effect::Capacity(_) | Effect::Pause) {
            self.share_cpu(host, now, id);
        }
    }

    /// Core-nanoseconds that a replica has used.
    pub(super) fn cpu_used(&mut self, now: SimTime, id: ReplicaId) -> f64 {
        self.cpus[id.index()].as_mut().map_or(0.0, |cpu| cpu.used(now))
    }
}
