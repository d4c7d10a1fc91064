//! Requests that went a whole way as one: counted and timed once, by way and segment, and booked under all that they
//! were, users' requests, calls, requests and queries, when a window closes or the run ends.

use squall_model::Span;
use squall_model::machine::RelayWay;
use squall_model::observation::{Called, Observation, PassedOn, Relayed, TurnedOver};
use squall_model::plan::{DatabaseId, EdgeId, EndpointId, Plan, ReplicaId, SegmentId, SiteId};
use squall_policies::Outcome;

use crate::Digest;
use crate::digest::PassWords;
use crate::levels::Levels;
use crate::recorder::Times;
use crate::shelf::{Grain, Shelf};
use crate::tallies::{Calls, Queries, Requests, Tallies};
use crate::ways::Ways;

/// One way in one segment.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    set_out: u64,
    came_back: u64,
    /// Of those that waited at the end of the way: how many joined the line there, had their turn, and came back.
    lined_up: u64,
    began: u64,
    served: u64,
    /// Where its times are kept.
    slot: u32,
}

impl Cell {
    const fn is_empty(&self) -> bool {
        self.set_out + self.came_back + self.lined_up + self.began + self.served == 0
    }
}

/// The times of those that waited at the end of their way.
#[derive(Clone, Debug)]
struct Waited {
    /// From the setting out to the coming back.
    took: Shelf,
    /// Of that, the work or the query at the end.
    worked: Shelf,
    /// Of that, the wait.
    in_line: Shelf,
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
    /// Where the last call step leads to, and along which call.
    end: (EndpointId, EdgeId),
    /// Where the first one stands, once somebody who waited there came back.
    gate: Option<EndpointId>,
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
    /// Of those that came back as another set out for the same guest's service: it held its worker as long.
    turned: Shelf,
    waited: Waited,
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
        let shelf = || Shelf::new(ways.len(), segments, summary.clone(), used);
        let (times, turned) = (shelf(), shelf());
        let waited = Waited { took: shelf(), worked: shelf(), in_line: shelf() };
        let cells = (0..segments).flat_map(|segment| (0..ways.len()).map(move |row| (row, segment)));
        let cells = cells.map(|(row, segment)| Cell { slot: times.slot(row, segment), ..Cell::default() }).collect();
        Self { cells, call_steps: relays.len(), first_task, times, turned, waited, ways }
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
    pub(crate) fn turn_over(&mut self, what: TurnedOver<'_>) {
        let TurnedOver { of, back, held: took, next, .. } = what;
        let (row, rows) = (self.row(back), self.ways.len());
        let cell = &mut self.cells[back.segment.index() * rows + row];
        cell.came_back += 1;
        self.turned.record_in(cell.slot, took.as_nanos());
        self.cells[next.index() * rows + row].set_out += 1;
        let way = &mut self.ways[row];
        way.gate = Some(of.endpoint);
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
        tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let way = &self.ways[self.row(what)];
        digest_legs(&way.legs, what, digest, tell);
        if let Some(query) = way.query {
            digest.take_passed(query.words, what.segment);
        }
    }

    /// Takes in that one has come back and hands its last worker on, but for its user.
    #[inline(always)]
    pub(crate) fn digest_passing(
        &self,
        what: PassedOn<'_>,
        digest: &mut Digest,
        mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) {
        let PassedOn { turned: TurnedOver { back, held: took, .. }, worked, then, lined } = what;
        let (way, segment, outcome) = (&self.ways[self.row(back)], back.segment, Outcome::Ok);
        let ([before @ .., _], [calls @ .., end]) = (&*way.legs, back.legs) else { return };
        if let Some(query) = way.query {
            digest.take_passed_back(query.words, segment, worked);
        }
        let Called { edge, endpoint, replica, .. } = *end;
        digest.take(Observation::Ended { endpoint, replica, segment, outcome, took, held: worked });
        digest.take(Observation::CallEnded { edge, segment, outcome, failure: None, attempts: 1, took });
        digest.take(Observation::Dequeued { endpoint, replica, segment: then, waited: lined });
        for (at, (leg, call)) in before.iter().zip(calls).enumerate().rev() {
            digest.take_passed_back(leg.words, segment, took);
            if back.full >> at & 1 == 1 {
                tell(digest, call.replica, leg.row);
            }
        }
    }

    /// Takes in that the next in the line at the end of this way begins, which is of segment `then`, and that one more sets
    /// out and joins that line; the answer is the service that it waits for.
    #[inline(always)]
    pub(crate) fn digest_into_line(
        &self,
        what: Relayed<'_>,
        then: SegmentId,
        digest: &mut Digest,
        tell: impl FnMut(&mut Digest, ReplicaId, usize),
    ) -> usize {
        let (way, segment) = (&self.ways[self.row(what)], what.segment);
        let ([before @ .., last], [.., end]) = (&*way.legs, what.legs) else { return 0 };
        if let Some(query) = way.query {
            digest.take_passed(query.words, then);
        }
        digest_legs(before, what, digest, tell);
        let Called { site, edge, endpoint, replica, .. } = *end;
        digest.take(Observation::Attempt { site, edge, segment, number: 1 });
        digest.take(Observation::Queued { endpoint, replica, segment });
        last.row
    }

    /// One has come back, the next at the end of its way has begun, and one more has joined the line there.
    #[inline(always)]
    pub(crate) fn pass_on(&mut self, what: PassedOn<'_>) {
        let PassedOn { turned: TurnedOver { of, back, held: took, next, .. }, worked, then, lined } = what;
        let (row, rows) = (self.row(back), self.ways.len());
        let cell = &mut self.cells[back.segment.index() * rows + row];
        cell.served += 1;
        self.waited.took.record_in(cell.slot, took.as_nanos());
        self.waited.worked.record_in(cell.slot, worked.as_nanos());
        let cell = &mut self.cells[then.index() * rows + row];
        cell.began += 1;
        self.waited.in_line.record_in(cell.slot, lined.as_nanos());
        self.cells[next.index() * rows + row].lined_up += 1;
        let way = &mut self.ways[row];
        way.gate = Some(of.endpoint);
        way.took = way.took.wrapping_add(took.as_nanos());
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
        (requests, calls, queries): (&mut Tallies<Requests>, &mut Tallies<Calls>, &mut Tallies<Queries>),
    ) {
        let rows = self.ways.len();
        for (index, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let (segment, way) = (index / rows, &self.ways[index % rows]);
            let Cell { set_out, came_back, lined_up, began, served, slot } = *cell;
            for (at, site) in way.sites.iter().enumerate() {
                let waits = at + 1 == way.sites.len();
                let (lined_up, served) = if waits { (0, 0) } else { (lined_up, served) };
                ways.add(*site, segment, set_out + lined_up, came_back + served);
            }
            if let Some(task) = way.task {
                let requests = requests.at(task, segment);
                requests.admitted += set_out;
                requests.ok += came_back;
            }
            let (endpoint, edge) = way.end;
            if lined_up + served > 0 {
                let requests = requests.at(endpoint.index(), segment);
                requests.queued += lined_up;
                requests.ok += served;
                let calls = calls.at(edge.index(), segment);
                calls.begun += lined_up;
                calls.ok += served;
            }
            if let Some(query) = way.query {
                let queries = queries.at(query.row, segment);
                queries.started += set_out + began;
                queries.ok += came_back + served;
            }
            *cell = Cell { slot, ..Cell::default() };
        }
    }

    /// Adds all times to those of the call steps, the services and the databases; once, when the run is over.
    pub(crate) fn book_times(&mut self, ways: &mut Ways, times: &mut Times) {
        let Self { times: through, turned, waited: Waited { took, worked, in_line }, .. } = self;
        let [through, turned, took, worked, in_line] =
            [through, turned, took, worked, in_line].map(|shelf| core::mem::take(shelf).close());
        for (row, way) in self.ways.iter().enumerate() {
            for site in &way.sites {
                ways.add_times(&through, row, *site);
                ways.add_times(&turned, row, *site);
            }
            if let Some(gate) = way.gate {
                turned.lend_row(row, &mut times.held, gate.index());
                took.lend_row(row, &mut times.held, gate.index());
            }
            if let Some(query) = way.query {
                through.lend_row(row, &mut times.queries, query.row);
                turned.lend_row(row, &mut times.queries, query.row);
                worked.lend_row(row, &mut times.queries, query.row);
            }
            let Some((_, before)) = way.sites.split_last() else { continue };
            for site in before {
                ways.add_times(&took, row, *site);
            }
            let (endpoint, edge) = (way.end.0.index(), way.end.1.index());
            took.lend_row(row, &mut times.queued, endpoint);
            took.lend_row(row, &mut times.calls, edge);
            worked.lend_row(row, &mut times.held, endpoint);
            in_line.lend_row(row, &mut times.waited, endpoint);
        }
    }
}

/// Takes in that one passes these, the first legs of its way, and tells of the last workers that it takes.
#[inline(always)]
fn digest_legs(
    legs: &[Stop],
    what: Relayed<'_>,
    digest: &mut Digest,
    mut tell: impl FnMut(&mut Digest, ReplicaId, usize),
) {
    for (at, (leg, call)) in legs.iter().zip(what.legs).enumerate() {
        digest.take_passed(leg.words, what.segment);
        if what.full >> at & 1 == 1 {
            tell(digest, call.replica, leg.row);
        }
    }
}

impl Way {
    fn new(plan: &Plan, relay: &RelayWay, task: Option<usize>) -> Self {
        let sites: Vec<_> = relay.sites.iter().map(|site| site.index()).collect();
        if sites.is_empty() {
            return Self::none();
        }
        let end = relay.sites.last().map(|site| &plan.sites[site.index()]);
        let end = end.map_or((EndpointId(0), EdgeId(0)), |site| (site.endpoint, site.edge));
        let service = |endpoint: EndpointId| plan.endpoints[endpoint.index()].service.index();
        let leg =
            |site: &SiteId| Stop { row: service(plan.sites[site.index()].endpoint), words: PassWords::of_call(*site) };
        let user = |task: usize| Stop { row: service(task.into()), words: PassWords::of_user(task.into()) };
        let query = |database: DatabaseId| Stop { row: database.index(), words: PassWords::of_query(database) };
        Self {
            legs: relay.sites.iter().map(leg).collect(),
            end,
            sites,
            user: task.map(user),
            task,
            query: relay.database.map(query),
            ..Self::none()
        }
    }

    fn none() -> Self {
        let end = (EndpointId(0), EdgeId(0));
        let (sites, legs) = (Vec::new(), Box::default());
        Self { sites, user: None, legs, end, gate: None, query: None, task: None, balance: 0, took: 0 }
    }
}
