//! The tables: loads, services, calls and databases.

use squall_telemetry::format;
use squall_telemetry::report::{Breaker, Call, Latency, Load};

use super::Page;
use super::table::Keep::{Always, IfAny, IfRoom, Important};
use super::table::{NONE, Table};

/// All tables that have rows.
pub(super) fn render(page: &Page<'_>) -> String {
    let tables = [loads(page), services(page), calls(page), databases(page)];
    tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A row of the table of loads: a load, or one of its tasks.
struct Row {
    name: String,
    counts: [u64; 5],
    goodput: String,
    latency: Option<Latency>,
}

fn loads(page: &Page<'_>) -> String {
    let rows: Vec<Row> = page.report.load.iter().flat_map(|(name, load)| load_rows(name, load)).collect();
    let counts = |index: usize| rows.iter().map(move |row| format::count(row.counts[index]));
    let latency = |figure: fn(&Latency) -> f64| rows.iter().map(move |row| time(row.latency.as_ref(), figure));
    Table::new("load", rows.iter().map(|row| row.name.clone()).collect())
        .column("offered", Always, counts(0))
        .column("ok", Always, counts(1))
        .column("degraded", IfAny, counts(2))
        .column("failed", Always, counts(3))
        .column("in flight", IfAny, counts(4))
        .column("goodput", IfRoom, rows.iter().map(|row| row.goodput.clone()))
        .column("p50", IfAny, latency(|latency| latency.p50))
        .column("p90", IfRoom, latency(|latency| latency.p90))
        .column("p99", Always, latency(|latency| latency.p99))
        .column("max", IfRoom, latency(|latency| latency.max))
        .render(page)
}

/// A load and, if it has several, its tasks.
fn load_rows(name: &str, load: &Load) -> Vec<Row> {
    let mut rows = vec![Row {
        name: name.to_owned(),
        counts: [load.offered, load.ok, load.degraded, load.failed, load.in_flight],
        goodput: format::rate(load.goodput_per_s),
        latency: load.latency_ms,
    }];
    if load.tasks.0.len() > 1 {
        rows.extend(load.tasks.iter().map(|(name, task)| Row {
            name: format!("  {name}"),
            counts: [task.offered, task.ok, task.degraded, task.failed, task.in_flight],
            goodput: String::new(),
            latency: task.latency_ms,
        }));
    }
    rows
}

fn services(page: &Page<'_>) -> String {
    let services: Vec<_> = page.report.services.iter().collect();
    let all = || services.iter().map(|(_, service)| *service);
    Table::new("service", services.iter().map(|(name, _)| (*name).to_owned()).collect())
        .column("requests", Always, all().map(|service| format::count(service.requests)))
        .column("failed", IfAny, all().map(|service| format::count(service.failed)))
        .column("rejected", IfAny, all().map(|service| format::count(service.rejected)))
        .column("in flight", IfRoom, all().map(|service| format::count(service.in_flight)))
        .column("busy", Always, all().map(|service| format::number(service.workers.busy_mean)))
        .column("of", Always, all().map(|service| service.workers.limit.map_or_else(|| "∞".to_owned(), format::count)))
        .column("saturated", IfAny, all().map(|service| format::duration(service.workers.saturated_s * 1e9)))
        .column("queue max", IfAny, all().map(|service| format::count(service.queue.max.into())))
        .column("wait p99", IfRoom, all().map(|service| time(service.wait_ms.as_ref(), |latency| latency.p99)))
        .column("p50", IfRoom, all().map(|service| time(service.latency_ms.as_ref(), |latency| latency.p50)))
        .column("p99", IfAny, all().map(|service| time(service.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

/// Calls between services; those of loads only where the users' own policies had something to do.
fn calls(page: &Page<'_>) -> String {
    let by_load = |name: &str| {
        page.report.load.iter().any(|(load, _)| name.strip_prefix(load).is_some_and(|rest| rest.starts_with(" -> ")))
    };
    let telling = |call: &Call| call.retries > 0 || call.hedges > 0 || call.breaker.is_some() || not_sent(call) > 0;
    let calls: Vec<_> = page.report.calls.iter().filter(|(name, call)| !by_load(name) || telling(call)).collect();
    let all = || calls.iter().map(|(_, call)| *call);
    let count = |figure: fn(&Call) -> u64| all().map(move |call| format::count(figure(call)));
    let retried = calls.iter().any(|(_, call)| call.retries > 0);
    Table::new("call", calls.iter().map(|(name, _)| (*name).to_owned()).collect())
        .column("calls", Always, count(|call| call.calls))
        .column("attempts", IfRoom, count(|call| call.attempts))
        .column("per call", IfAny, all().map(|call| per_call(call, retried)))
        .column("failed", Always, count(|call| call.failed))
        .column("degraded", IfRoom, count(|call| call.degraded))
        .column("timeouts", IfAny, count(|call| call.timeouts))
        .column("rejected", IfRoom, count(|call| call.rejected))
        .column("errors", IfRoom, count(|call| call.errors))
        .column("refused", IfRoom, count(|call| call.refused))
        .column("not sent", IfAny, count(not_sent))
        .column("no budget", IfRoom, count(|call| call.budget_refused))
        .column("hedges", IfAny, count(|call| call.hedges))
        .column("cancelled", IfRoom, count(|call| call.cancelled))
        .column("breaker", Important, all().map(breaker))
        .column("p99", IfRoom, all().map(|call| time(call.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

/// Attempts for each call, where there is more than one to some call.
fn per_call(call: &Call, retried: bool) -> String {
    call.attempts_per_call.filter(|_| retried).map_or_else(|| NONE.to_owned(), format::number)
}

fn breaker(call: &Call) -> String {
    match &call.breaker {
        None => NONE.to_owned(),
        Some(breaker) if breaker.opened == 0 => breaker.state.clone(),
        Some(Breaker { ejected: Some(ejected), opened, .. }) => format!("{ejected} out, ejected {opened}×"),
        Some(breaker) => format!("{}, opened {}×", breaker.state, breaker.opened),
    }
}

/// Attempts that the caller's own policies kept back.
fn not_sent(call: &Call) -> u64 {
    call.short_circuited + call.bulkhead_full + call.rate_limited + call.throttled + call.no_replica
}

fn databases(page: &Page<'_>) -> String {
    let databases: Vec<_> = page.report.databases.iter().collect();
    let all = || databases.iter().map(|(_, database)| *database);
    Table::new("database", databases.iter().map(|(name, _)| (*name).to_owned()).collect())
        .column("queries", Always, all().map(|database| format::count(database.queries)))
        .column("failed", IfAny, all().map(|database| format::count(database.failed)))
        .column("busy", Always, all().map(|database| format::number(database.connections.busy_mean)))
        .column(
            "of",
            Always,
            all().map(|database| database.connections.limit.map_or_else(|| "∞".to_owned(), format::count)),
        )
        .column("saturated", IfAny, all().map(|database| format::duration(database.connections.saturated_s * 1e9)))
        .column("waiting max", IfAny, all().map(|database| format::count(database.waiting.max.into())))
        .column("wait p99", IfRoom, all().map(|database| time(database.wait_ms.as_ref(), |latency| latency.p99)))
        .column("p99", IfAny, all().map(|database| time(database.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

fn time(latency: Option<&Latency>, figure: fn(&Latency) -> f64) -> String {
    latency.map_or_else(|| NONE.to_owned(), |latency| format::duration(figure(latency) * 1e6))
}
