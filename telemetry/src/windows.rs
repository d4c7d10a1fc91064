//! The timeline: what was counted in each window, and how long the answers took that came in it.

use core::ops::Range;

use squall_model::plan::{Plan, Service};

use crate::changes::{Changes, Counts};
use crate::fresh::Answers;
use crate::levels::Levels;
use crate::recorder::Times;
use crate::resources::Resources;
use crate::tallies::{Calls, Looks, Publishings, Requests, Tallies};

/// What the closed windows keep.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    services: Vec<OneService>,
    /// By endpoint, tasks of loads among them.
    endpoints: Vec<Changes<Requests>>,
    loads: Vec<OneLoad>,
    /// By edge, by cache, and by topic.
    calls: Vec<Changes<Calls>>,
    looks: Vec<Changes<Looks>>,
    published: Vec<Changes<Publishings>>,
}

/// A service, or a load's clients.
#[derive(Clone, Debug)]
struct OneService {
    endpoints: Range<usize>,
    /// The sum of the times of all requests that had ended at the end of each window; wraps.
    times: Vec<u64>,
}

#[derive(Clone, Debug)]
struct OneLoad {
    /// Its tasks, counted from the first task of all.
    tasks: Range<usize>,
    /// The answers of the last window that was closed.
    answers: Answers,
    latencies: Vec<Option<Latencies>>,
}

impl OneLoad {
    /// Takes the answers that came since the last time; the latencies of all of the window.
    fn take(&mut self, times: &mut Times) -> Option<Latencies> {
        for task in self.tasks.clone() {
            times.fresh.drain(task, &mut self.answers, &mut times.answered);
        }
        let ([p50, p90, p99], counts) = self.answers.spread([500, 900, 990])?;
        Some(Latencies { p50, p90, p99, counts })
    }
}

/// How long the answers of one window took, in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Latencies {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    /// How many took how long: half octaves by number, ascending, without empty ones.
    pub(crate) counts: Vec<(u8, u64)>,
}

impl Windows {
    pub(crate) fn new(plan: &Plan, windows: usize) -> Self {
        let services = plan
            .services
            .iter()
            .map(|service| OneService { endpoints: service.endpoint_range(), times: Vec::with_capacity(windows) });
        let clients = || plan.services[plan.first_client..].iter().map(Service::endpoint_range);
        let first = clients().map(|tasks| tasks.start).min().unwrap_or(0);
        let loads = plan.loads.iter().map(|load| {
            let tasks = plan.services[load.clients.index()].endpoint_range();
            let tasks = tasks.start - first..tasks.end - first;
            OneLoad { tasks, answers: Answers::default(), latencies: Vec::with_capacity(windows) }
        });
        Self {
            services: services.collect(),
            endpoints: vec![Changes::default(); plan.endpoints.len()],
            loads: loads.collect(),
            calls: vec![Changes::default(); plan.edges.len()],
            looks: vec![Changes::default(); plan.caches.len()],
            published: vec![Changes::default(); plan.topics.len()],
        }
    }

    /// Ends the window that is open, for what services run on and talk to besides each other; or adds to the one that was
    /// closed last.
    pub(crate) fn close_resources(&mut self, resources: &Resources, amends: bool) {
        close(&mut self.looks, &resources.looks, amends);
        close(&mut self.published, &resources.published, amends);
    }

    /// What was looked for in each window in a cache.
    pub(crate) fn looks(&self, cache: usize) -> Vec<Looks> {
        self.looks[cache].all()
    }

    /// What was published in each window on a topic.
    pub(crate) fn published(&self, topic: usize) -> Vec<Publishings> {
        self.published[topic].all()
    }

    /// Ends the window that is open.
    pub(crate) fn close(&mut self, books: Books<'_>, times: &mut Times) {
        let Books { requests, calls, busy } = books;
        for (row, service) in self.services.iter_mut().enumerate() {
            service.times.push(busy.times(row));
        }
        for (row, counts) in self.endpoints.iter_mut().enumerate() {
            counts.push(requests.whole(row..row + 1));
        }
        for (row, counts) in self.calls.iter_mut().enumerate() {
            counts.push(calls.whole(row..row + 1));
        }
        for load in &mut self.loads {
            load.answers.reset();
            let latencies = load.take(times);
            load.latencies.push(latencies);
        }
    }

    /// Adds what has happened since to the window that was closed last: the run is over, and no other follows.
    pub(crate) fn amend(&mut self, books: Books<'_>, times: &mut Times) {
        let Books { requests, calls, busy } = books;
        for (row, service) in self.services.iter_mut().enumerate() {
            if let Some(last) = service.times.last_mut() {
                *last = busy.times(row);
            }
        }
        for (row, counts) in self.endpoints.iter_mut().enumerate() {
            counts.amend(requests.whole(row..row + 1));
        }
        for (row, counts) in self.calls.iter_mut().enumerate() {
            counts.amend(calls.whole(row..row + 1));
        }
        for load in &mut self.loads {
            let latencies = load.take(times);
            if let Some(last) = load.latencies.last_mut() {
                *last = latencies;
            }
        }
    }

    /// The endpoints of each service.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = Range<usize>> {
        self.services.iter().map(|service| service.endpoints.clone())
    }

    /// What happened in each window at a service, or to a load's clients.
    pub(crate) fn requests(&self, service: usize) -> Vec<Requests> {
        let mut sums = Vec::new();
        for endpoint in self.services[service].endpoints.clone() {
            let counts = self.of_endpoint(endpoint);
            sums.resize(counts.len(), Requests::default());
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        sums
    }

    /// What happened in each window at an endpoint, or to a task.
    pub(crate) fn of_endpoint(&self, endpoint: usize) -> Vec<Requests> {
        self.endpoints[endpoint].all()
    }

    /// The sum of the times from arrival to end of the requests that ended in each window at a service.
    pub(crate) fn times(&self, service: usize) -> impl Iterator<Item = u64> {
        let sums = &self.services[service].times;
        let before = core::iter::once(0).chain(sums.iter().copied());
        sums.iter().zip(before).map(|(now, before)| now.wrapping_sub(before))
    }

    /// What happened in each window on a call.
    pub(crate) fn calls(&self, edge: usize) -> Vec<Calls> {
        self.calls[edge].all()
    }

    /// The latencies of each window's answers to a load.
    pub(crate) fn latencies(&self, load: usize) -> &[Option<Latencies>] {
        &self.loads[load].latencies
    }
}

fn close<T: Counts>(windows: &mut [Changes<T>], counts: &Tallies<T>, amends: bool) {
    for (row, windows) in windows.iter_mut().enumerate() {
        let counts = counts.whole(row..row + 1);
        if amends {
            windows.amend(counts);
        } else {
            windows.push(counts);
        }
    }
}

/// The running counts that a window's end looks at.
#[derive(Clone, Copy)]
pub(crate) struct Books<'b> {
    pub(crate) requests: &'b Tallies<Requests>,
    pub(crate) calls: &'b Tallies<Calls>,
    pub(crate) busy: &'b Levels,
}
