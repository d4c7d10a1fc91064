//! The tables: loads, services, calls, pools, databases, caches and topics.

use squall_telemetry::format;
use squall_telemetry::report::{Call, Extremes, Latency, Load, Service};

use super::Page;
use super::table::Keep::{Always, IfAny, IfRoom, Important};
use super::table::{NONE, Table};

/// All tables that have rows.
pub(super) fn render(page: &Page<'_>) -> String {
    let tables = [loads(page), services(page), calls(page), pools(page), databases(page), caches(page), topics(page)];
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
        .column("replicas", IfAny, all().map(replicas))
        .column("cpu", IfAny, all().map(|service| service.cpu_share.map_or_else(none, format::share)))
        .column("memory", IfAny, all().map(memory))
        .column("busy", Always, all().map(|service| format::number(service.workers.busy_mean)))
        .column("of", Always, all().map(|service| service.workers.limit.map_or_else(|| "∞".to_owned(), format::count)))
        .column("saturated", IfAny, all().map(|service| format::duration(service.workers.saturated_s * 1e9)))
        .column("queue max", IfAny, all().map(|service| format::count(service.queue.max.into())))
        .column("wait p99", IfRoom, all().map(|service| time(service.wait_ms.as_ref(), |latency| latency.p99)))
        .column("p50", IfRoom, all().map(|service| time(service.latency_ms.as_ref(), |latency| latency.p50)))
        .column("p99", IfAny, all().map(|service| time(service.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

fn none() -> String {
    NONE.to_owned()
}

/// How many replicas there were, where their number changed.
fn replicas(service: &Service) -> String {
    let Extremes { min, max } = service.replicas;
    if min == max { none() } else { format!("{min}–{max}") }
}

/// The most memory of a replica, and how often one died for want of it.
fn memory(service: &Service) -> String {
    let Some(mib) = service.memory_mib_max else { return none() };
    let most = format::size((mib * 1_048_576.0) as u64);
    match service.out_of_memory_s.len() {
        0 => most,
        deaths => format!("{most}, killed {deaths}×"),
    }
}

/// Calls between services; those of loads only where the users' own policies had something to do.
fn calls(page: &Page<'_>) -> String {
    let by_load = |name: &str| {
        page.report.load.iter().any(|(load, _)| name.strip_prefix(load).is_some_and(|rest| rest.starts_with(" -> ")))
    };
    let telling = |call: &Call| call.retries > 0 || call.breaker.is_some() || call.bulkhead_full > 0;
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
        .column(
            "not sent",
            IfAny,
            count(|call| call.short_circuited + call.bulkhead_full + call.no_replica + pool_full(call)),
        )
        .column("breaker", Important, all().map(breaker))
        .column("p99", IfRoom, all().map(|call| time(call.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

fn pool_full(call: &Call) -> u64 {
    call.pool.as_ref().map_or(0, |pool| pool.full)
}

/// Connections of calls that have pools.
fn pools(page: &Page<'_>) -> String {
    let with_pool = |(name, call): (&str, &'_ Call)| call.pool.clone().map(|pool| (name.to_owned(), pool));
    let pools: Vec<_> = page.report.calls.iter().filter_map(with_pool).collect();
    let all = || pools.iter().map(|(_, pool)| pool);
    Table::new("connections of", pools.iter().map(|(name, _)| name.clone()).collect())
        .column("opened", Always, all().map(|pool| format::count(pool.opened)))
        .column("reused", Always, all().map(|pool| format::count(pool.reused)))
        .column("busy", IfRoom, all().map(|pool| format::number(pool.busy_mean)))
        .column("busy max", Always, all().map(|pool| format::count(pool.busy_max.into())))
        .column("of", Always, all().map(|pool| pool.limit.map_or_else(|| "∞".to_owned(), format::count)))
        .column("waited", IfAny, all().map(|pool| format::count(pool.waited)))
        .column("full", IfAny, all().map(|pool| format::count(pool.full)))
        .column("wait p99", IfRoom, all().map(|pool| time(pool.wait_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

fn caches(page: &Page<'_>) -> String {
    let caches: Vec<_> = page.report.caches.iter().collect();
    let all = || caches.iter().map(|(_, cache)| *cache);
    Table::new("cache", caches.iter().map(|(name, _)| (*name).to_owned()).collect())
        .column("lookups", Always, all().map(|cache| format::count(cache.lookups)))
        .column("hit rate", Always, all().map(|cache| cache.hit_rate.map_or_else(none, format::share)))
        .column("misses", Always, all().map(|cache| format::count(cache.misses)))
        .column("expired", IfAny, all().map(|cache| format::count(cache.expired)))
        .column("failed", IfAny, all().map(|cache| format::count(cache.failed)))
        .column("keys max", IfAny, all().map(|cache| cache.keys_max.map_or_else(none, format::count)))
        .column("p99", IfAny, all().map(|cache| time(cache.latency_ms.as_ref(), |latency| latency.p99)))
        .render(page)
}

fn topics(page: &Page<'_>) -> String {
    let topics: Vec<_> = page.report.topics.iter().collect();
    let all = || topics.iter().map(|(_, topic)| *topic);
    Table::new("topic", topics.iter().map(|(name, _)| (*name).to_owned()).collect())
        .column("published", Always, all().map(|topic| format::count(topic.published)))
        .column("delivered", Always, all().map(|topic| format::count(topic.delivered)))
        .column("retries", IfAny, all().map(|topic| format::count(topic.retries)))
        .column("dead letters", IfAny, all().map(|topic| format::count(topic.dead_letters)))
        .column("lost", IfAny, all().map(|topic| format::count(topic.lost)))
        .column("in flight", IfAny, all().map(|topic| format::count(topic.in_flight)))
        .column("backlog max", Always, all().map(|topic| format::count(topic.backlog.max.into())))
        .column("lag p50", IfRoom, all().map(|topic| time(topic.lag_ms.as_ref(), |latency| latency.p50)))
        .column("lag p99", Always, all().map(|topic| time(topic.lag_ms.as_ref(), |latency| latency.p99)))
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
        Some(breaker) => format!("{}, opened {}×", breaker.state, breaker.opened),
    }
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
