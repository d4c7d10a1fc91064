//! Requests that went a whole way as one: counted and timed once, by way and segment, and booked under all that they
//! were, users' requests, calls, requests and queries, when a window closes or the run ends.

use squall_model::Span;
use squall_model::machine::RelayWay;
use squall_model::observation::Relayed;
use squall_model::plan::{DatabaseId, EndpointId, Plan, ReplicaId, SegmentId, SiteId};

use crate::Digest;
use crate::digest::PassWords;
use crate::levels::Levels;
use crate::shelf::{Grain, Shelf};
use crate::tallies::{Queries, Requests, Tallies};
use crate::ways::Ways;

/// One way in one segment.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    set_out: u64,
    came_back: u64,
    /// Where its times are kept.
    slot: u32,
}

/// What a way passes.
#[derive(Clone, Debug)]
struct Way {
    /// The call steps, in order.
    sites: Vec<usize>,
    /// The user's client, if it begins with a user.
    user: Option<Stop>,
    /// The services that the call steps lead to, in order.
    legs: Box<[Stop]>,
    /// The database at its end.
    query: Option<Stop>,
    /// The user's task.
    task: Option<usize>,
    /// When those that came back did so, less when those that set out did, and how long they took: for all levels on the
    /// way, since it was last booked there. Both wrap.
    balance: u64,
    took: u64,
}

/// One service or database on a way.
#[derive(Clone, Copy, Debug)]
struct Stop {
    row: usize,
    words: PassWords,
}

/// All ways: one for each call step that begins one, then one for each task whose users begin one.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    /// By segment, then way.
    cells: Vec<Cell>,
    ways: Vec<Way>,
    call_steps: usize,
    first_task: usize,
    times: Shelf,
}

impl Through {
    /// The ways of a plan; `grains` says how finely the times of a call step and of a database have to be told apart.
    pub(crate) fn new(
        plan: &Plan,
        first_task: usize,
        grains: (&dyn Fn(usize) -> Grain, &dyn Fn(usize) -> Grain),
    ) -> Self {
        let (segments, summary) = (plan.phases.segments(), plan.phases.summary());
        let relays = plan.relays();
        let by_site = relays.iter().map(|relay| Way::new(plan, relay, None));
        let tasks = (first_task..plan.endpoints.len()).map(|task| {
            let relay = plan.users_relay(task.into()).map(|site| &relays[site.index()]);
            relay.map_or_else(Way::none, |relay| Way::new(plan, relay, Some(task)))
        });
        let ways: Vec<Way> = by_site.chain(tasks).collect();
        let grain = |row: usize| {
            let way: &Way = &ways[row];
            let sites = way.sites.iter().map(|site| grains.0(*site));
            sites.chain(way.query.map(|query| grains.1(query.row))).fold(Grain::Summary, Grain::finer)
        };
        let used = |row: usize| if ways[row].sites.is_empty() { Grain::Summary } else { grain(row) };
        let times = Shelf::new(ways.len(), segments, summary, used);
        let cells = (0..segments).flat_map(|segment| (0..ways.len()).map(move |row| (row, segment)));
        let cells = cells.map(|(row, segment)| Cell { slot: times.slot(row, segment), ..Cell::default() }).collect();
        Self { cells, call_steps: relays.len(), first_task, times, ways }
    }

    #[inline(always)]
    fn row(&self, what: Relayed<'_>) -> usize {
        match what.user {
            None => what.site.index(),
            Some((task, _)) => self.call_steps + task.index() - self.first_task,
        }
    }

    /// One more has set out. If `FULL`, it takes the last workers of some replicas, which is told of each.
    #[inline(always)]
    pub(crate) fn set_out<const FULL: bool>(
        &mut self,
        what: Relayed<'_>,
        now: u64,
        (busy, connections, digest): (&mut Levels, &mut Levels, &mut Digest),
        mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let (row, segment) = (self.row(what), what.segment);
        self.cells[segment.index() * self.ways.len() + row].set_out += 1;
        let way = &mut self.ways[row];
        way.balance = way.balance.wrapping_sub(now);
        if let (Some((_, replica)), Some(user)) = (what.user, way.user) {
            digest.take_passed(user.words.by(replica), segment);
            busy.come(user.row);
        }
        for (at, leg) in way.legs.iter().enumerate() {
            digest.take_passed(leg.words, segment);
            busy.come(leg.row);
            if FULL && what.full >> at & 1 == 1 {
                tell(digest, what.legs[at].replica, leg.row);
            }
        }
        if let Some(query) = way.query {
            digest.take_passed(query.words, segment);
            connections.come(query.row);
        }
    }

    /// One more has come back. If `FULL`, it frees the last workers of some replicas, which is told of each.
    #[inline(always)]
    pub(crate) fn come_back<const FULL: bool>(
        &mut self,
        what: Relayed<'_>,
        (now, took): (u64, Span),
        (busy, connections, digest): (&mut Levels, &mut Levels, &mut Digest),
        mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let (row, segment) = (self.row(what), what.segment);
        let cell = &mut self.cells[segment.index() * self.ways.len() + row];
        cell.came_back += 1;
        self.times.record_in(cell.slot, took.as_nanos());
        let way = &mut self.ways[row];
        way.balance = way.balance.wrapping_add(now);
        way.took = way.took.wrapping_add(took.as_nanos());
        let mut legs = way.legs.iter().enumerate().rev();
        let mut leave = |busy: &mut Levels, digest: &mut Digest, (at, leg): (usize, &Stop)| {
            busy.go(leg.row);
            if FULL && what.full >> at & 1 == 1 {
                tell(digest, what.legs[at].replica, leg.row);
            }
        };
        // The first says how long it took, and all others took as long.
        if let Some(query) = way.query {
            digest.take_passed_back(query.words, segment, took);
            connections.go(query.row);
        } else if let Some(leg) = legs.next() {
            digest.take_passed_back(leg.1.words, segment, took);
            leave(busy, digest, leg);
        }
        for leg in legs {
            digest.take_passed_back_too(leg.1.words, segment);
            leave(busy, digest, leg);
        }
        if let (Some((_, replica)), Some(user)) = (what.user, way.user) {
            digest.take_passed_back_too(user.words.by(replica), segment);
            busy.go(user.row);
        }
    }

    /// One has come back, and in the same instant one more has set out, of this segment.
    #[inline(always)]
    pub(crate) fn turn_over(&mut self, what: Relayed<'_>, took: Span, next: SegmentId) {
        let (row, rows) = (self.row(what), self.ways.len());
        let cell = &mut self.cells[what.segment.index() * rows + row];
        cell.came_back += 1;
        self.times.record_in(cell.slot, took.as_nanos());
        self.cells[next.index() * rows + row].set_out += 1;
        let way = &mut self.ways[row];
        way.took = way.took.wrapping_add(took.as_nanos());
    }

    /// Takes in that it has come back, but for its user, and tells of the last workers that it frees.
    #[inline(always)]
    pub(crate) fn digest_back(
        &self,
        what: Relayed<'_>,
        took: Span,
        digest: &mut Digest,
        mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let way = &self.ways[self.row(what)];
        let mut legs = way.legs.iter().enumerate().rev();
        let mut leave = |digest: &mut Digest, (at, leg): (usize, &Stop)| {
            if what.full >> at & 1 == 1 {
                tell(digest, what.legs[at].replica, leg.row);
            }
        };
        if let Some(query) = way.query {
            digest.take_passed_back(query.words, what.segment, took);
        } else if let Some(leg) = legs.next() {
            digest.take_passed_back(leg.1.words, what.segment, took);
            leave(digest, leg);
        }
        for leg in legs {
            digest.take_passed_back_too(leg.1.words, what.segment);
            leave(digest, leg);
        }
    }

    /// Takes in that one has set out, but for its user, and tells of the last workers that it takes.
    #[inline(always)]
    pub(crate) fn digest_out(
        &self,
        what: Relayed<'_>,
        digest: &mut Digest,
        mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let way = &self.ways[self.row(what)];
        for (at, leg) in way.legs.iter().enumerate() {
            digest.take_passed(leg.words, what.segment);
            if what.full >> at & 1 == 1 {
                tell(digest, what.legs[at].replica, leg.row);
            }
        }
        if let Some(query) = way.query {
            digest.take_passed(query.words, what.segment);
        }
    }

    /// Books the times of those that set out and came back since the last time under all levels on their ways.
    pub(crate) fn book_levels(&mut self, busy: &mut Levels, connections: &mut Levels) {
        for way in &mut self.ways {
            let (balance, took) = (core::mem::take(&mut way.balance), core::mem::take(&mut way.took));
            for stop in way.legs.iter().chain(&way.user) {
                busy.add(stop.row, balance, took);
            }
            if let Some(query) = way.query {
                connections.add(query.row, balance, 0);
            }
        }
    }

    /// Books what was counted since the last time.
    pub(crate) fn book_counts(
        &mut self,
        ways: &mut Ways,
        requests: &mut Tallies<Requests>,
        queries: &mut Tallies<Queries>,
    ) {
        let rows = self.ways.len();
        for (index, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| cell.set_out + cell.came_back > 0) {
            let (segment, way) = (index / rows, &self.ways[index % rows]);
            for site in &way.sites {
                ways.add(*site, segment, cell.set_out, cell.came_back);
            }
            if let Some(task) = way.task {
                let requests = requests.at(task, segment);
                requests.admitted += cell.set_out;
                requests.ok += cell.came_back;
            }
            if let Some(query) = way.query {
                let queries = queries.at(query.row, segment);
                queries.started += cell.set_out;
                queries.ok += cell.came_back;
            }
            (cell.set_out, cell.came_back) = (0, 0);
        }
    }

    /// Adds all times to the call steps' and the databases'; once, when the run is over.
    pub(crate) fn book_times(&self, ways: &mut Ways, queries: &mut Shelf) {
        for (row, way) in self.ways.iter().enumerate() {
            for site in &way.sites {
                ways.add_times(&self.times, row, *site);
            }
            if let Some(query) = way.query {
                self.times.copy_row(row, queries, query.row);
            }
        }
    }
}

impl Way {
    fn new(plan: &Plan, relay: &RelayWay, task: Option<usize>) -> Self {
        let sites: Vec<_> = relay.sites.iter().map(|site| site.index()).collect();
        if sites.is_empty() {
            return Self::none();
        }
        let service = |endpoint: EndpointId| plan.endpoints[endpoint.index()].service.index();
        let leg =
            |site: &SiteId| Stop { row: service(plan.sites[site.index()].endpoint), words: PassWords::of_call(*site) };
        let user = |task: usize| Stop { row: service(task.into()), words: PassWords::of_user(task.into()) };
        let query = |database: DatabaseId| Stop { row: database.index(), words: PassWords::of_query(database) };
        Self {
            legs: relay.sites.iter().map(leg).collect(),
            sites,
            user: task.map(user),
            task,
            query: relay.database.map(query),
            ..Self::none()
        }
    }

    fn none() -> Self {
        Self { sites: Vec::new(), user: None, legs: Box::new([]), query: None, task: None, balance: 0, took: 0 }
    }
}
