//! The report's figures over time, from the recording's windows.

use squall_model::plan::{LoadId, Plan, ServiceId};

use crate::histogram::half_octave_from;
use crate::levels::Levels;
use crate::named::Named;
use crate::recording::Recording;
use crate::report::{
    CacheSeries, CallSeries, DatabaseSeries, EndpointSeries, FailureSeries, LatencyCounts, LoadSeries, ServiceSeries,
    Timeline, TopicSeries,
};
use crate::summary::{has_adaptive_admission, has_adaptive_bulkhead, millis, rounded, to_seconds};
use crate::tallies::{Calls, Requests};
use crate::windows::Latencies;

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
        load: loads.map(|(row, load)| (load.name.clone(), load_series(plan, recording, LoadId::from(row)))).collect(),
        services: services.map(|(row, service)| (service.name.clone(), service_series(plan, recording, row))).collect(),
        calls: edges.map(|(row, edge)| (edge.name.clone(), call_series(plan, recording, row))).collect(),
        databases: databases.map(|(row, database)| (database.name.clone(), database_series(recording, row))).collect(),
        caches: caches.map(|(row, cache)| (cache.name.clone(), cache_series(recording, row))).collect(),
        topics: topics.map(|(row, topic)| (topic.name.clone(), topic_series(recording, row, topic.service))).collect(),
    }
}

fn load_series(plan: &Plan, recording: &Recording, load: LoadId) -> LoadSeries {
    let windows = &recording.books.windows;
    let clients = plan.loads[load.index()].clients.index();
    let counts = windows.requests(clients);
    let latencies = windows.latencies(load.index());
    let at = |figure: fn(&Latencies) -> u64| {
        latencies.iter().map(|window| window.as_ref().map(|window| millis(figure(window) as f64))).collect()
    };
    LoadSeries {
        offered: counts.iter().map(Requests::arrived).collect(),
        ok: counts.iter().map(|count| count.ok).collect(),
        degraded: counts.iter().map(|count| count.degraded).collect(),
        failed: counts.iter().map(|count| count.failures.total() + count.rejected()).collect(),
        p50_ms: at(|window| window.p50),
        p99_ms: at(|window| window.p99),
        p90_ms: at(|window| window.p90),
        failures: failures(&counts, |count| count.failures.rejected + count.rejected()),
        latency_counts: latency_counts(latencies),
        tasks: endpoints(plan, recording, clients),
    }
}

/// Classes of latencies from the shortest to the longest that came, and how many answers were in each.
fn latency_counts(latencies: &[Option<Latencies>]) -> LatencyCounts {
    let classes = || latencies.iter().flatten().flat_map(|window| window.counts.iter().map(|(class, _)| *class));
    let (Some(first), Some(last)) = (classes().min(), classes().max()) else { return LatencyCounts::default() };
    let row = |window: &Latencies| {
        let mut row = vec![0; usize::from(last - first) + 1];
        window.counts.iter().for_each(|(class, count)| row[usize::from(class - first)] = *count);
        row
    };
    LatencyCounts {
        from_ms: (first..=last).map(|class| millis(half_octave_from(class) as f64)).collect(),
        counts: latencies.iter().map(|window| window.as_ref().map(row).unwrap_or_default()).collect(),
    }
}

fn failures(counts: &[Requests], rejected: fn(&Requests) -> u64) -> FailureSeries {
    let each = |figure: fn(&Requests) -> u64| counts.iter().map(figure).collect();
    FailureSeries {
        timeout: each(|count| count.failures.timeout),
        rejected: each(rejected),
        breaker_open: each(|count| count.failures.breaker_open),
        error: each(|count| count.failures.error),
        refused: each(|count| count.failures.refused),
    }
}

/// By endpoint; nothing where there is but one, which is the whole.
fn endpoints(plan: &Plan, recording: &Recording, service: usize) -> Named<EndpointSeries> {
    let rows = plan.services[service].endpoint_range();
    if rows.len() < 2 {
        return Named::default();
    }
    let one = |row: usize| {
        let counts = recording.books.windows.of_endpoint(row);
        EndpointSeries {
            requests: counts.iter().map(Requests::arrived).collect(),
            ok: counts.iter().map(Requests::succeeded).collect(),
            failed: counts.iter().map(|count| count.failures.total()).collect(),
            rejected: counts.iter().map(Requests::rejected).collect(),
        }
    };
    rows.map(|row| (plan.endpoints[row].name.clone(), one(row))).collect()
}

fn service_series(plan: &Plan, recording: &Recording, service: usize) -> ServiceSeries {
    let windows = &recording.books.windows;
    let counts = windows.requests(service);
    let mean = |(count, sum): (&Requests, u64)| (count.ended() > 0).then(|| millis(sum as f64 / count.ended() as f64));
    let (row, resources) = (&plan.services[service], &recording.books.resources);
    let changes = resources.serving[service].len() > 1;
    let mib = |bytes: Option<u64>| bytes.map(|bytes| rounded(bytes as f64 / MIB));
    let memory = row.memory.map(|_| resources.memory.windows(service).map(mib).collect());
    ServiceSeries {
        workers_busy: means(recording, &recording.books.busy, service),
        queue: means(recording, &recording.books.waiting, service),
        ok: counts.iter().map(Requests::succeeded).collect(),
        failed: counts.iter().map(|count| count.failures.total()).collect(),
        rejected: counts.iter().map(Requests::rejected).collect(),
        queue_max: recording.books.waiting.windows(service).iter().map(|area| area.peak).collect(),
        cpu_share: row.cores.map(|cores| cpu_shares(recording, service, cores)).unwrap_or_default(),
        memory_mib_max: memory.unwrap_or_default(),
        replicas: if changes { replicas(recording, service) } else { Vec::new() },
        requests: counts.iter().map(Requests::arrived).collect(),
        degraded: counts.iter().map(|count| count.degraded).collect(),
        failures: failures(&counts, |count| count.failures.rejected),
        mean_ms: counts.iter().zip(windows.times(service)).map(mean).collect(),
        wasted: wasted(plan, recording, service),
        concurrency_limit: if has_adaptive_admission(row) {
            means(recording, &resources.admission_limits, service)
        } else {
            Vec::new()
        },
        endpoints: endpoints(plan, recording, service),
    }
}

pub(crate) const MIB: f64 = 1_048_576.0;

/// The share of its cores that a service used in each window; `None` while no replica served.
pub(crate) fn cpu_shares(recording: &Recording, service: usize, cores: f64) -> Vec<Option<f64>> {
    let resources = &recording.books.resources;
    let areas = resources.cpu.windows(service);
    let share = |(area, (start, length)): (&crate::levels::Area, (u64, u64))| {
        let served = resources.serving(service, start..start + length).time as f64;
        (served > 0.0).then(|| rounded(area.integral as f64 / 1000.0 / (cores * served)))
    };
    areas.iter().zip(recording.windows()).map(share).collect()
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

/// Requests that ended at a service when nobody waited for them any more: those that ended less those whose callers took
/// an answer, and never more than callers have given up until then.
fn wasted(plan: &Plan, recording: &Recording, service: usize) -> Vec<u64> {
    let windows = &recording.books.windows;
    let callers: Vec<Vec<Calls>> = (0..plan.edges.len())
        .filter(|edge| plan.edges[*edge].callee.index() == service)
        .map(|edge| windows.calls(edge))
        .collect();
    let (mut ended, mut taken, mut given_up, mut told) = (0i64, 0i64, 0i64, 0i64);
    let window = |(window, count): (usize, &Requests)| {
        ended += (count.ended() + count.rejected()) as i64;
        for calls in callers.iter().filter_map(|calls| calls.get(window)) {
            taken += calls.taken();
            given_up += calls.failures.timeout as i64;
        }
        let more = ((ended - taken).min(given_up) - told).max(0);
        told += more;
        more as u64
    };
    windows.requests(service).iter().enumerate().map(window).collect()
}

fn call_series(plan: &Plan, recording: &Recording, edge: usize) -> CallSeries {
    let counts = recording.books.windows.calls(edge);
    let each = |figure: fn(&Calls) -> u64| counts.iter().map(figure).collect();
    CallSeries {
        attempts: each(Calls::attempts),
        retries: each(|count| count.retries),
        failed: each(|count| count.failed),
        timeouts: each(|count| count.failures.timeout),
        short_circuited: each(|count| count.failures.breaker_open),
        ok: each(|count| count.ok + count.degraded),
        degraded: each(|count| count.degraded),
        rejected: each(|count| count.failures.rejected),
        errors: each(|count| count.failures.error),
        refused: each(|count| count.failures.refused),
        bulkhead_full: each(|count| count.bulkhead_full),
        budget_refused: each(|count| count.budget_refused),
        concurrency_limit: if has_adaptive_bulkhead(&plan.edges[edge]) {
            means(recording, &recording.books.resources.bulkhead_limits, edge)
        } else {
            Vec::new()
        },
    }
}

fn database_series(recording: &Recording, database: usize) -> DatabaseSeries {
    DatabaseSeries {
        busy: means(recording, &recording.books.connections, database),
        waiting: means(recording, &recording.books.pending, database),
    }
}

fn means(recording: &Recording, levels: &Levels, row: usize) -> Vec<f64> {
    let areas = levels.windows(row);
    areas.iter().zip(recording.windows()).map(|(area, (_, length))| rounded(area.mean(length))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ITEM, PAGE, Story, USER, chain_expecting, edge};
    use squall_model::Outcome;
    use squall_model::observation::Failure;

    fn timeline(tell: impl FnOnce(&Plan, &mut Story<'_>)) -> Timeline {
        let plan = chain_expecting(&[]);
        let mut story = Story::new(&plan);
        tell(&plan, &mut story);
        of(&plan, &story.record(10_000))
    }

    #[test]
    fn work_that_ends_after_its_caller_has_given_up_is_wasted() {
        let timeline = timeline(|plan, story| {
            let back = edge(plan, "front -> back");
            story.call(back, 2_000, 40);
            story.visit(ITEM, 2_000, [0, 40], Outcome::Ok);
            story.failing_call(back, 4_500, 500, &[Failure::Callee(Outcome::Timeout)]);
            story.visit(ITEM, 4_500, [0, 2_000], Outcome::Ok);
            story.failing_call(back, 7_000, 10, &[Failure::Callee(Outcome::Error(500))]);
            story.visit(ITEM, 7_000, [0, 10], Outcome::Error(500));
        });
        let back = timeline.services.find("back").unwrap();
        assert_eq!(back.wasted, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(back.requests, [0, 0, 1, 0, 1, 0, 0, 1, 0, 0]);
        assert_eq!(back.mean_ms[6], Some(2_000.0));
        assert_eq!((back.mean_ms[3], back.failures.error[7]), (None, 1));
    }

    #[test]
    fn answers_are_counted_by_how_long_they_took() {
        let timeline = timeline(|_, story| {
            for took in [10, 11, 40] {
                story.visit(USER, 2_000, [0, took], Outcome::Ok);
                story.visit(PAGE, 2_000, [0, took], Outcome::Ok);
            }
        });
        let users = timeline.load.find("users").unwrap();
        let LatencyCounts { from_ms, counts } = &users.latency_counts;
        assert!(from_ms[0] <= 10.0 && from_ms.last().is_some_and(|last| *last <= 40.0), "{from_ms:?}");
        assert!(from_ms.windows(2).all(|pair| pair[1] / pair[0] < 1.51), "{from_ms:?}");
        assert_eq!((counts[2].iter().sum::<u64>(), counts[2].first(), counts[2].last()), (3, Some(&2), Some(&1)));
        assert!(counts[3].is_empty());
        assert_eq!(users.p90_ms[2], Some(40.0));
    }
}
