//! Requests that went a whole way as one: counted and timed once, by way and segment, and booked under all that they
//! were, users' requests, calls, requests and queries, when a window closes or the run ends.

use squall_model::machine::RelayWay;
use squall_model::observation::Relayed;
use squall_model::plan::Plan;

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
    /// The services, the user's client as well.
    services: Box<[u32]>,
    /// The user's task.
    task: Option<usize>,
    /// The database at its end.
    database: Option<usize>,
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
            sites.chain(way.database.map(|row| grains.1(row))).fold(Grain::Summary, Grain::finer)
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

    /// One more has set out.
    #[inline(always)]
    pub(crate) fn set_out(&mut self, what: Relayed<'_>, now: u64, (busy, connections): (&mut Levels, &mut Levels)) {
        let row = self.row(what);
        self.cells[what.segment.index() * self.ways.len() + row].set_out += 1;
        for service in &self.ways[row].services {
            busy.rise(*service as usize, now);
        }
        if let Some(database) = what.database {
            connections.rise(database.index(), now);
        }
    }

    /// One more has come back.
    #[inline(always)]
    pub(crate) fn come_back(
        &mut self,
        what: Relayed<'_>,
        (now, took): (u64, u64),
        (busy, connections): (&mut Levels, &mut Levels),
    ) {
        let row = self.row(what);
        let cell = &mut self.cells[what.segment.index() * self.ways.len() + row];
        cell.came_back += 1;
        self.times.record_in(cell.slot, took);
        for service in &self.ways[row].services {
            busy.leave(*service as usize, now, took);
        }
        if let Some(database) = what.database {
            connections.fall(database.index(), now);
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
            if let Some(database) = way.database {
                let queries = queries.at(database, segment);
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
            if let Some(database) = way.database {
                self.times.copy_row(row, queries, database);
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
        let endpoints = task.into_iter().chain(sites.iter().map(|site| plan.sites[*site].endpoint.index()));
        let services = endpoints.map(|endpoint| plan.endpoints[endpoint].service.0).collect();
        Self { services, sites, task, database: relay.database.map(squall_model::plan::DatabaseId::index) }
    }

    fn none() -> Self {
        Self { sites: Vec::new(), services: Box::new([]), task: None, database: None }
    }
}
