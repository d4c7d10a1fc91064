//! Databases: a query waits for a connection, first come first served, holds it for its time, and is done.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::{Fifo, State};
use super::host::{Class, Delay, Host};
use super::key::Key;
use super::query_pool::QueryPool;
use super::share::Share;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{Database, DatabaseId, Op, Plan, TimeId};
use crate::rng::Stream;

/// One database.
#[derive(Debug)]
pub(super) struct DatabaseState {
    pub connections: u32,
    pub busy: u32,
    pub saturated: bool,
    pub disturbed: bool,
    pub queue: Fifo,
    /// How long its queries take.
    pub time: Stream,
    /// How many faults freeze it, since when, and for how long it was frozen before.
    pub pauses: u32,
    pub paused_since: SimTime,
    pub paused_total: Span,
    /// Queries whose time came while it was frozen.
    pub stash: Vec<Key>,
    /// Whether replicas have pools of connections to it; and those, by replica.
    pub pooled: bool,
    pub pools: Vec<QueryPool>,
    /// What its queries share, where they slow each other down.
    pub share: Option<Share>,
}

impl DatabaseState {
    pub(super) fn new(plan: &Plan, database: &Database) -> Self {
        let replicas = plan.services.iter().map(|service| service.replicas as usize).sum();
        let pooled = database.pool != u32::MAX;
        Self {
            connections: database.connections,
            busy: 0,
            saturated: false,
            disturbed: database.contention.is_some(),
            queue: Fifo::EMPTY,
            time: Stream::new(plan.seed, &format!("query/{}", database.name)),
            pauses: 0,
            paused_since: SimTime::ZERO,
            paused_total: Span::ZERO,
            stash: Vec::new(),
            pooled,
            pools: vec![QueryPool::EMPTY; if pooled { replicas } else { 0 }],
            share: database.contention.map(|_| Share::new()),
        }
    }

    /// Whether nothing is to be thought of but its connections.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        !self.disturbed && self.pauses == 0 && self.paused_total.is_zero()
    }

    /// What the database's own clock shows, which stands still while it is frozen.
    pub(super) fn own_clock(&self, now: SimTime) -> SimTime {
        let at = if self.pauses > 0 { self.paused_since } else { now };
        SimTime::from_nanos((at - SimTime::ZERO).saturating_sub(self.paused_total).as_nanos())
    }
}

impl System<'_> {
    /// Begins a query: with a connection of its own at once, or in the queue for one.
    #[inline(always)]
    pub(super) fn query(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        id: DatabaseId,
        time: TimeId,
    ) -> Step {
        let fiber = &mut self.fibers[index];
        fiber.step_began = now;
        if self.databases[id.index()].disturbed
            && let Some(step) = self.query_refused(host, now, index, id)
        {
            return step;
        }
        let limit = self.connection_limit(now, id);
        let database = &mut self.databases[id.index()];
        if database.busy >= limit {
            host.observe(now, Observation::QueryArrived { database: id });
            database.queue.push(&mut self.fibers, index);
            self.fibers[index].state = State::Connecting;
            self.fibers[index].key = Key::NONE;
            self.tell_state(host, now, index);
            return Step::Rest;
        }
        self.take_connection(host, now, id, limit);
        self.start_query(host, now, index, id, time);
        Step::Rest
    }

    /// A query that a fault fails before it begins.
    #[cold]
    #[inline(never)]
    pub(super) fn query_refused(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        index: u32,
        id: DatabaseId,
    ) -> Option<Step> {
        let outcome = self.database_fails(host, now, id)?;
        let (segment, took) = (self.fibers[index].segment(), Span::ZERO);
        host.observe(now, Observation::QueryRefused { database: id, segment, outcome, took, queued: false });
        Some(Step::Finish(index, outcome))
    }

    /// A connection of the server is busy from now on.
    #[inline(always)]
    pub(super) fn take_connection(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId, limit: u32) {
        let database = &mut self.databases[id.index()];
        database.busy += 1;
        if database.busy >= limit && !database.saturated {
            database.saturated = true;
            host.observe(now, Observation::DatabaseSaturated { database: id });
        }
    }

    /// A query has its connection.
    #[inline(always)]
    pub(super) fn start_query(&mut self, host: &mut impl Host, now: SimTime, index: u32, id: DatabaseId, time: TimeId) {
        let fiber = &self.fibers[index];
        let queued = matches!(fiber.state, State::Connecting | State::Pooling);
        let (segment, waited) = (fiber.segment(), now - fiber.step_began);
        host.observe(now, Observation::QueryStarted { database: id, segment, waited, queued });
        let mut delay = System::draw(self.plan, time, &mut self.databases[id.index()].time);
        if self.databases[id.index()].disturbed {
            delay = Delay::of(self.disturb_query(host, now, id, delay.span));
        }
        let key = self.ticket(index);
        let fiber = &mut self.fibers[index];
        fiber.state = State::Querying;
        fiber.mark = self.databases[id.index()].own_clock(now) + delay.span;
        if self.databases[id.index()].disturbed && self.databases[id.index()].share.is_some() {
            self.contend(host, now, id, (delay, key));
        } else {
            host.arm(now, delay, Class::Completion, key);
        }
        self.tell_state(host, now, index);
    }

    /// Whether the database was frozen meanwhile, so that some of the query's time is still to come.
    pub(super) fn query_still_owes(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> bool {
        let (id, _) = self.query_step(index);
        let database = &mut self.databases[id.index()];
        if database.pauses > 0 {
            database.stash.push(self.fibers[index].key);
            return true;
        }
        if database.paused_total.is_zero() {
            return false;
        }
        let owed = self.fibers[index].mark - database.own_clock(now);
        if owed.is_zero() {
            return false;
        }
        let key = self.ticket(index);
        host.arm(now, Delay::of(owed), Class::Completion, key);
        true
    }

    /// A query has taken its time.
    #[inline(always)]
    pub(super) fn query_over(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let (id, _) = self.query_step(index);
        if self.databases[id.index()].disturbed && self.database_spoils(host, now, id) {
            self.query_done(host, now, index, Outcome::Error(502));
            return Step::Finish(index, Outcome::Error(502));
        }
        self.query_done(host, now, index, Outcome::Ok);
        Step::Run(index)
    }

    /// A query is over: its connection goes to the next.
    #[inline(always)]
    pub(super) fn query_done(&mut self, host: &mut impl Host, now: SimTime, index: u32, outcome: Outcome) {
        let (id, _) = self.query_step(index);
        let fiber = &self.fibers[index];
        let (segment, took) = (fiber.segment(), now - fiber.step_began);
        host.observe(now, Observation::QueryEnded { database: id, segment, outcome, took });
        self.databases[id.index()].busy -= 1;
        if self.databases[id.index()].disturbed && self.databases[id.index()].share.is_some() {
            self.fibers[index].key = Key::NONE;
            self.stop_contending(host, now, id);
        }
        self.connect_waiting(host, now, id);
        if self.databases[id.index()].pooled {
            self.free_pool(host, now, id, self.fibers[index].replica);
        }
    }

    /// Connections may be free: those that wait take them.
    #[inline(always)]
    pub(super) fn connect_waiting(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) {
        let limit = self.connection_limit(now, id);
        loop {
            let database = &mut self.databases[id.index()];
            if database.busy >= limit {
                return;
            }
            let Some(next) = database.queue.pop(&mut self.fibers) else { break };
            database.busy += 1;
            let (_, time) = self.query_step(next);
            self.start_query(host, now, next, id, time);
        }
        let database = &mut self.databases[id.index()];
        if database.saturated {
            database.saturated = false;
            host.observe(now, Observation::DatabaseRelieved { database: id });
        }
    }

    /// A fault that took connections away has ended: those that wait take them, and perhaps all of them.
    pub(super) fn connections_back(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) {
        self.connect_waiting(host, now, id);
        let limit = self.connection_limit(now, id);
        let database = &mut self.databases[id.index()];
        if database.busy >= limit && !database.saturated {
            database.saturated = true;
            host.observe(now, Observation::DatabaseSaturated { database: id });
        }
    }

    /// The query step that a fiber is at.
    #[inline(always)]
    pub(super) fn query_step(&self, index: u32) -> (DatabaseId, TimeId) {
        match self.plan.ops[self.fibers[index].pc.index() - 1] {
            Op::Query(database, time) | Op::PooledQuery(database, time) => (database, time),
            op => unreachable!("a query under way at {op:?}"),
        }
    }

    /// What the death of a fiber means for its query: its connection closes.
    pub(super) fn abandon_query(&mut self, host: &mut impl Host, now: SimTime, index: u32) {
        if self.fibers[index].state == State::Querying {
            self.query_done(host, now, index, Outcome::Refused);
        } else {
            self.leave_queues(host, now, index, Outcome::Refused);
        }
    }

    /// A database goes on where it was frozen.
    pub(super) fn thaw_database(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) {
        let database = &mut self.databases[id.index()];
        database.pauses -= 1;
        if database.pauses > 0 {
            return;
        }
        database.paused_total = database.paused_total + (now - database.paused_since);
        self.later.extend(core::mem::take(&mut database.stash).into_iter().map(Step::Wake));
        self.share_database(host, now, id);
    }

    /// A database freezes.
    pub(super) fn freeze_database(&mut self, now: SimTime, id: DatabaseId) {
        let database = &mut self.databases[id.index()];
        if database.pauses == 0 {
            database.paused_since = now;
        }
        database.pauses += 1;
    }
}
