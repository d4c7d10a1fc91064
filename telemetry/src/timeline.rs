//! The report's figures over time, from the recording's windows.

use squall_model::plan::Plan;

use crate::levels::Levels;
use crate::recording::Recording;
use crate::report::{CallSeries, DatabaseSeries, LoadSeries, ServiceSeries, Timeline};
use crate::summary::{millis, rounded, to_seconds};
use crate::tallies::{Calls, Requests};

/// The timeline of a run.
pub(crate) fn of(plan: &Plan, recording: &Recording) -> Timeline {
    let loads = plan.loads.iter().enumerate();
    let services = plan.services.iter().take(plan.real_services).enumerate();
    let edges = plan.edges.iter().enumerate();
    let databases = plan.databases.iter().enumerate();
    Timeline {
        step_s: to_seconds(recording.step()),
        load: loads.map(|(row, load)| (load.name.clone(), load_series(recording, row, load.clients.index()))).collect(),
        services: services.map(|(row, service)| (service.name.clone(), service_series(recording, row))).collect(),
        calls: edges.map(|(row, edge)| (edge.name.clone(), call_series(recording, row))).collect(),
        databases: databases.map(|(row, database)| (database.name.clone(), database_series(recording, row))).collect(),
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
        failed: counts.iter().map(|count| count.failures.total() + count.rejected()).collect(),
        p50_ms: latencies.iter().map(|both| both.map(|both| millis(both.p50 as f64))).collect(),
        p99_ms: latencies.iter().map(|both| both.map(|both| millis(both.p99 as f64))).collect(),
    }
}

fn service_series(recording: &Recording, service: usize) -> ServiceSeries {
    let counts = recording.books.windows.requests(service);
    ServiceSeries {
        workers_busy: means(recording, &recording.books.busy, service),
        queue: means(recording, &recording.books.waiting, service),
        ok: counts.iter().map(Requests::succeeded).collect(),
        failed: counts.iter().map(|count| count.failures.total()).collect(),
        rejected: counts.iter().map(Requests::rejected).collect(),
        queue_max: recording.books.waiting.windows(service).iter().map(|area| area.peak).collect(),
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
