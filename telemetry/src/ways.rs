//! Calls and requests where what happens to the one and to the other is one fact: counted and timed once, by call step and
//! segment, and booked under an endpoint and the call when a window closes or the run ends. The request is that which the
//! call makes; or that which makes the call, does nothing else and is answered with it.

use squall_model::plan::{Op, Plan, SiteId};

use crate::shelf::{Closed, Grain, Shelf};
use crate::tallies::{Calls, Requests, Tallies};

/// One call step in one segment.
#[derive(Clone, Copy, Debug)]
struct Way {
    called: u64,
    returned: u64,
    /// Where its times are kept.
    slot: u32,
    /// The service of the endpoint.
    service: u32,
}

/// All call steps.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// By segment, then call step.
    cells: Vec<Way>,
    /// By call step: the endpoint and the call.
    targets: Vec<(u32, u32)>,
    times: Shelf,
}

impl Ways {
    /// Of requests that calls make; `grain` says how finely the times of an endpoint and of a call have to be told apart.
    pub(crate) fn of_callees(plan: &Plan, grain: impl Fn(usize, usize) -> Grain) -> Self {
        Self::new(plan, plan.sites.iter().map(|site| (site.endpoint.0, site.edge.0)).collect(), grain)
    }

    /// Of requests that begin with a call: only with such call steps may it be asked for.
    pub(crate) fn of_callers(plan: &Plan, grain: impl Fn(usize, usize) -> Grain) -> Self {
        let mut targets: Vec<_> = plan.sites.iter().map(|site| (site.endpoint.0, site.edge.0)).collect();
        for (row, endpoint) in plan.endpoints.iter().enumerate() {
            if let Some(Op::Call(site)) = plan.ops.get(endpoint.entry.index()) {
                targets[site.index()].0 = row as u32;
            }
        }
        Self::new(plan, targets, grain)
    }

    fn new(plan: &Plan, targets: Vec<(u32, u32)>, grain: impl Fn(usize, usize) -> Grain) -> Self {
        let (segments, summary) = (plan.phases.segments(), plan.phases.summary());
        let grain = |site: usize| grain(targets[site].0 as usize, targets[site].1 as usize);
        let times = Shelf::new(targets.len(), segments, summary, grain);
        let way = |site: usize, segment| {
            let service = plan.endpoints[targets[site].0 as usize].service.0;
            Way { called: 0, returned: 0, slot: times.slot(site, segment), service }
        };
        let ways = (0..segments).flat_map(|segment| (0..targets.len()).map(move |site| (site, segment)));
        Self { cells: ways.map(|(site, segment)| way(site, segment)).collect(), targets, times }
    }

    /// How finely a call step's times are told apart.
    pub(crate) fn grain(&self, site: usize) -> Grain {
        self.times.grain(site)
    }

    /// One more was called; the answer is the service.
    #[inline(always)]
    pub(crate) fn call(&mut self, site: SiteId, segment: usize) -> usize {
        let way = &mut self.cells[segment * self.targets.len() + site.index()];
        way.called += 1;
        way.service as usize
    }

    /// One more has returned; the answer is the service.
    #[inline(always)]
    pub(crate) fn come_back(&mut self, site: SiteId, segment: usize, took: u64) -> usize {
        let way = &mut self.cells[segment * self.targets.len() + site.index()];
        way.returned += 1;
        self.times.record_in(way.slot, took);
        way.service as usize
    }

    /// So many more were called, and so many have returned; their times are kept elsewhere.
    pub(crate) fn add(&mut self, site: usize, segment: usize, called: u64, returned: u64) {
        let way = &mut self.cells[segment * self.targets.len() + site];
        way.called += called;
        way.returned += returned;
    }

    /// The times of a row of `shelf` are also those of a call step.
    pub(crate) fn add_times(&mut self, shelf: &Closed, row: usize, site: usize) {
        shelf.lend_row(row, &mut self.times, site);
    }

    /// Books what was counted since the last time.
    pub(crate) fn book_counts(&mut self, requests: &mut Tallies<Requests>, calls: &mut Tallies<Calls>) {
        let sites = self.targets.len();
        for (index, way) in self.cells.iter_mut().enumerate().filter(|(_, way)| way.called + way.returned > 0) {
            let (segment, (endpoint, edge)) = (index / sites, self.targets[index % sites]);
            let requests = requests.at(endpoint as usize, segment);
            requests.admitted += way.called;
            requests.ok += way.returned;
            let calls = calls.at(edge as usize, segment);
            calls.begun += way.called;
            calls.ok += way.returned;
            (way.called, way.returned) = (0, 0);
        }
    }

    /// Adds all times to the endpoints, but for those of tasks, and to the calls; once, when the run is over.
    pub(crate) fn book_times(&mut self, endpoints: &mut Shelf, calls: &mut Shelf) {
        let times = core::mem::take(&mut self.times).close();
        for (site, (endpoint, edge)) in self.targets.iter().enumerate() {
            if (*endpoint as usize) < endpoints.rows() {
                times.lend_row(site, endpoints, *endpoint as usize);
            }
            times.lend_row(site, calls, *edge as usize);
        }
    }
}
