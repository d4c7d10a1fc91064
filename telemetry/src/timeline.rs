//! The report's figures over time, from the recording's windows.

use squall_model::plan::{Plan, ServiceId};

use crate::levels::Levels;
use crate::recording::Recording;
use crate::report::{CacheSeries, CallSeries, DatabaseSeries, LoadSeries, ServiceSeries, Timeline, TopicSeries};
use crate::summary::{millis, rounded, to_seconds};
use crate::tallies::{Calls, Requests};

/// The timeline of a run.
pub(crate) fn of(plan: &Plan, recording: &Recording) -> Timeline {
    let loads = plan.loads.iter().enumerate();
    let services = plan.services.iter().take(plan.real_services).enumerate();
    let edges = plan.edges.iter().enumerate();
    let databases = plan.databases.iter().enumerate();
    let caches = plan.caches.iter().enumerate();
    let topics = plan.topics.iter().enumerate();
    Timeline {
        step_s: to_seconds(recording.step()),
        load: loads.map(|(row, load)| (load.name.clone(), load_series(recording, row, load.clients.index()))).collect(),
        services: services.map(|(row, service)| (service.name.clone(), service_series(plan, recording, row))).collect(),
        calls: edges.map(|(row, edge)| (edge.name.clone(), call_series(recording, row))).collect(),
        databases: databases.map(|(row, database)| (database.name.clone(), database_series(recording, row))).collect(),
        caches: caches.map(|(row, cache)| (cache.name.clone(), cache_series(recording, row))).collect(),
        topics: topics.map(|(row, topic)| (topic.name.clone(), topic_series(recording, row, topic.service))).collect(),
    }
}

fn load_series(recording: &Recording, load: usize, clients: usize) -> LoadSeries {
    let windows = &recording.books.windows;
    let counts = windows.requests(clients);
    let latencies = windows.latencies(load);
    LoadSeries {
        offered: counts.iter().map(Requests::arrived).collect(),
        ok: counts.iter().map(|count| count.ok).collect(),
        degraded: counts.iter().map(|count| count.degraded).collect(),
        failed: counts.iter().map(|count| count.failures.total() + count.turned_away).collect(),
        p50_ms: latencies.iter().map(|both| both.map(|both| millis(both.p50 as f64))).collect(),
        p99_ms: latencies.iter().map(|both| both.map(|both| millis(both.p99 as f64))).collect(),
    }
}

fn service_series(plan: &Plan, recording: &Recording, service: usize) -> ServiceSeries {
    let counts = recording.books.windows.requests(service);
    let (row, resources) = (&plan.services[service], &recording.books.resources);
    let changes = resources.serving[service].len() > 1;
    let mib = |bytes: &Option<u64>| bytes.map(|bytes| rounded(bytes as f64 / MIB));
    let memory = row.memory.map(|_| resources.memory.windows(service).iter().map(mib).collect());
    ServiceSeries {
        workers_busy: means(recording, &recording.books.busy, service),
        queue: means(recording, &recording.books.waiting, service),
        ok: counts.iter().map(Requests::succeeded).collect(),
        failed: counts.iter().map(|count| count.failures.total()).collect(),
        rejected: counts.iter().map(|count| count.turned_away).collect(),
        queue_max: recording.books.waiting.windows(service).iter().map(|area| area.peak).collect(),
        cpu_share: row.cores.map(|cores| cpu_shares(recording, service, cores)).unwrap_or_default(),
        memory_mib_max: memory.unwrap_or_default(),
        replicas: if changes { replicas(recording, service) } else { Vec::new() },
    }
}

pub(crate) const MIB: f64 = 1_048_576.0;

/// The share of its cores that a service used in each window; `None` while no replica served.
pub(crate) fn cpu_shares(recording: &Recording, service: usize, cores: f64) -> Vec<Option<f64>> {
    let resources = &recording.books.resources;
    let areas = resources.cpu.windows(service).iter().zip(recording.windows());
    let share = |(area, (start, length)): (&crate::levels::Area, (u64, u64))| {
        let served = resources.serving(service, start..start + length).time as f64;
        (served > 0.0).then(|| rounded(area.integral as f64 / 1000.0 / (cores * served)))
    };
    areas.map(share).collect()
}

/// How many replicas served at the end of each window.
fn replicas(recording: &Recording, service: usize) -> Vec<u32> {
    let changes = &recording.books.resources.serving[service];
    let at = |end: u64| changes.iter().rfind(|(at, _)| *at < end).map_or(0, |(_, count)| *count);
    recording.windows().map(|(start, length)| at(start + length)).collect()
}

fn cache_series(recording: &Recording, cache: usize) -> CacheSeries {
    let counts = recording.books.windows.looks(cache);
    CacheSeries {
        hits: counts.iter().map(|count| count.hits).collect(),
        misses: counts.iter().map(|count| count.absent + count.expired).collect(),
    }
}

fn topic_series(recording: &Recording, topic: usize, service: ServiceId) -> TopicSeries {
    let windows = &recording.books.windows;
    let counts = windows.requests(service.index());
    TopicSeries {
        published: windows.published(topic).iter().map(|count| count.ok).collect(),
        delivered: counts.iter().map(Requests::succeeded).collect(),
        dead_letters: counts.iter().map(|count| count.failures.total()).collect(),
        backlog_max: recording.books.waiting.windows(service.index()).iter().map(|area| area.peak).collect(),
    }
}

fn call_series(recording: &Recording, edge: usize) -> CallSeries {
    let counts = recording.books.windows.calls(edge);
    CallSeries {
        attempts: counts.iter().map(Calls::attempts).collect(),
        retries: counts.iter().map(|count| count.retries).collect(),
        failed: counts.iter().map(|count| count.failed).collect(),
        timeouts: counts.iter().map(|count| count.failures.timeout).collect(),
        short_circuited: counts.iter().map(|count| count.failures.breaker_open).collect(),
        ok: counts.iter().map(|count| count.ok + count.degraded).collect(),
    }
}

fn database_series(recording: &Recording, database: usize) -> DatabaseSeries {
    DatabaseSeries {
        busy: means(recording, &recording.books.connections, database),
        waiting: means(recording, &recording.books.pending, database),
    }
}

fn means(recording: &Recording, levels: &Levels, row: usize) -> Vec<f64> {
    let areas = levels.windows(row).iter().zip(recording.windows());
    areas.map(|(area, (_, length))| rounded(area.mean(length))).collect()
}
