//! Databases that are more than connections: the pool of connections that each replica keeps to one, and queries that
//! slow each other down.

use squall_policies::{Outcome, SimTime};

use super::fiber::{Fifo, State};
use super::host::{Class, Delay, Host};
use super::key::{Key, Place};
use super::service::Stashed;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{DatabaseId, ReplicaId, TimeId};

/// The connections that one replica keeps to one database.
#[derive(Clone, Debug)]
pub(super) struct QueryPool {
    busy: u32,
    waiting: Fifo,
}

impl QueryPool {
    pub(super) const EMPTY: Self = Self { busy: 0, waiting: Fifo::EMPTY };
}

impl System<'_> {
    /// Begins a query to a database that replicas have pools for: first a connection of the pool, then one of the server.
    #[cold]
    #[inline(never)]
    pub(super) fn pooled_query(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        id: DatabaseId,
        time: TimeId,
    ) -> Step {
        self.fibers[index].step_began = now;
        if let Some(step) = self.query_refused(host, now, index, id) {
            return step;
        }
        let replica = self.fibers[index].replica;
        let pool = &mut self.databases[id.index()].pools[replica.index()];
        if pool.busy >= self.plan.databases[id.index()].pool {
            pool.waiting.push(&mut self.fibers, index);
            self.wait_for_connection(host, now, index, id);
            self.fibers[index].state = State::Pooling;
            self.tell_state(host, now, index);
            return Step::Rest;
        }
        pool.busy += 1;
        self.ask_server(host, now, index, id, time)
    }

    /// A query has a connection of its pool: it asks for one of the server.
    fn ask_server(&mut self, host: &mut impl Host, now: SimTime, index: u32, id: DatabaseId, time: TimeId) -> Step {
        let limit = self.connection_limit(now, id);
        if self.databases[id.index()].busy < limit {
            self.take_connection(host, now, id, limit);
            self.start_query(host, now, index, id, time);
            return Step::Rest;
        }
        if self.fibers[index].state != State::Pooling {
            self.wait_for_connection(host, now, index, id);
        }
        self.fibers[index].state = State::Connecting;
        self.tell_state(host, now, index);
        self.databases[id.index()].queue.push(&mut self.fibers, index);
        Step::Rest
    }

    /// A query begins to wait, for at most as long as the pool allows.
    fn wait_for_connection(&mut self, host: &mut impl Host, now: SimTime, index: u32, id: DatabaseId) {
        host.observe(now, Observation::QueryArrived { database: id });
        let database = &self.plan.databases[id.index()];
        let delay = Delay { span: database.pool_timeout, lane: database.pool_timeout_lane };
        let key = self.ticket(index);
        host.arm(now, delay, Class::Timeout, key);
    }

    /// A query has waited for as long as its pool allows.
    #[cold]
    #[inline(never)]
    pub(super) fn query_gives_up(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        self.leave_queues(host, now, index, Outcome::Timeout);
        Step::Finish(index, Outcome::Timeout)
    }

    /// A query that waits leaves without its connection.
    pub(super) fn leave_queues(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let (id, _) = self.query_step(index);
        let (replica, connecting) = (self.fibers[index].replica, self.fibers[index].state == State::Connecting);
        let database = &mut self.databases[id.index()];
        if connecting {
            database.queue.remove(&mut self.fibers, index);
        } else {
            database.pools[replica.index()].waiting.remove(&mut self.fibers, index);
        }
        let fiber = &mut self.fibers[index];
        fiber.key = Key::NONE;
        fiber.state = State::Running;
        let (segment, took) = (fiber.segment(), now - fiber.step_began);
        host.observe(now, Observation::QueryRefused { database: id, segment, outcome, took, queued: true });
        if connecting && self.databases[id.index()].pooled {
            self.free_pool(host, now, id, replica);
        }
    }

    /// A connection of a replica's pool is free: the next query that waits for one asks the server.
    #[cold]
    #[inline(never)]
    pub(super) fn free_pool(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, replica: ReplicaId) {
        let pool = &mut self.databases[id.index()].pools[replica.index()];
        pool.busy -= 1;
        let Some(next) = pool.waiting.pop(&mut self.fibers) else { return };
        pool.busy += 1;
        let (_, time) = self.query_step(next);
        let step = self.ask_server(host, now, next, id, time);
        debug_assert!(step == Step::Rest, "a query waits, or runs");
    }

    /// A query runs together with others, which slows all of them down.
    pub(super) fn contend(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, work: (Delay, Key)) {
        let clock = self.databases[id.index()].own_clock(now);
        let Some(share) = &mut self.databases[id.index()].share else { return };
        share.advance(clock);
        share.enter(work.0.span, work.1);
        self.share_database(host, now, id);
    }

    /// After a change of how many queries run: how fast each gets on, and when the next is done.
    pub(super) fn share_database(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) {
        let place = Place::Replica((self.replicas.len() + id.index()) as u32);
        let database = &mut self.databases[id.index()];
        let (clock, frozen) = (database.own_clock(now), database.pauses > 0);
        let (Some(share), Some(contention)) = (&mut database.share, self.plan.databases[id.index()].contention) else {
            return;
        };
        share.advance(clock);
        share.set_rate(1.0 / contention.slow_down(share.running()));
        let due = share.next().filter(|_| !frozen).map_or(SimTime::NEVER, |span| now + span);
        // A wake-up that comes too early finds nothing done, and asks for another.
        if due < share.wake_at {
            share.wake = self.tickets.next(place);
            share.wake_at = due;
            host.arm(now, Delay::of(due - now), Class::Completion, share.wake);
        }
    }

    /// Some queries may be done.
    pub(super) fn wake_database(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, key: Key) {
        let clock = self.databases[id.index()].own_clock(now);
        let Some(share) = self.databases[id.index()].share.as_mut().filter(|share| share.wake == key) else { return };
        share.wake_at = SimTime::NEVER;
        share.advance(clock);
        if self.databases[id.index()].pauses > 0 {
            // Even what was done when it froze comes out only when it thaws, which wakes it again.
            return;
        }
        while let Some(key) = self.databases[id.index()].share.as_mut().and_then(super::share::Share::take_done) {
            let Some(index) = self.fibers.waiting(key) else { continue };
            if self.frozen(index) {
                // Whoever asked takes the result when it thaws.
                self.stash(index, Stashed::Wake(key));
                continue;
            }
            let step = self.query_over(host, now, index);
            self.later.push_back(step);
        }
        self.share_database(host, now, id);
    }

    /// A query that ran together with others does so no more.
    pub(super) fn stop_contending(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) {
        let clock = self.databases[id.index()].own_clock(now);
        if let Some(share) = &mut self.databases[id.index()].share {
            share.advance(clock);
            share.leave();
            self.share_database(host, now, id);
        }
    }
}
