//! What one service can do alone: its callees are mocks, and load is raised until it degrades. Its databases stay as they
//! are, for they are its own.

use rayon::prelude::*;
use serde::Serialize;
use squall_model::Span;
use squall_model::plan::Plan;
use squall_telemetry::format;
use squall_telemetry::report::{Report, SCHEMA, Service};

use super::ladder::{bare, offer, rounded};
use super::measure;
use crate::topologies::Topology;

/// How long each level lasts, and how much of it does not count.
const LENGTH: (Span, Span) = (Span::from_secs(25), Span::from_secs(5));
/// The load is doubled so many times at most.
const DOUBLINGS: u32 = 20;
/// Levels as shares of the ceiling.
const LEVELS: [f64; 12] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.05, 1.2];
/// So many times the p99 at the lowest level is past the knee.
const SLOW: f64 = 2.0;
/// So busy on average is used up.
const USED_UP: f64 = 0.97;
/// The load's name.
const LOAD: &str = "isolated load";

/// What stands in for callees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Mocks {
    /// They answer at once
    Fast,
    /// They take as long as they did in a run of the whole system without faults
    Measured,
}

/// What a service can do.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Isolation {
    pub(crate) schema: u32,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
    pub(crate) service: String,
    /// What stood in for each callee, and how long it took.
    pub(crate) mocks: Vec<Mock>,
    /// What was asked for, and how often.
    pub(crate) mix: Vec<Share>,
    /// From little load to too much.
    pub(crate) levels: Vec<Level>,
    /// The greatest load under which its p99 stays below twice that of the lowest level.
    pub(crate) knee: Option<Level>,
    /// Answers a second under more load than it can take; `null` if no limit was found.
    pub(crate) ceiling_per_s: Option<f64>,
    /// What is used up then.
    pub(crate) limit: Option<Limit>,
    /// What theory says.
    pub(crate) theory: Vec<Bound>,
}

/// A stand-in.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Mock {
    pub(crate) service: String,
    /// As the file would have it.
    pub(crate) takes: String,
}

/// One endpoint of the mix.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) endpoint: String,
    pub(crate) share: f64,
}

/// The service under one load.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Level {
    pub(crate) offered_per_s: f64,
    pub(crate) goodput_per_s: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Requests in it on average, waiting or being served.
    pub(crate) concurrency: f64,
    pub(crate) workers_busy: f64,
    pub(crate) queue: f64,
}

/// What a service runs out of.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Limit {
    /// `workers`, `connections`, `cpu` or `elsewhere`.
    pub(crate) of: String,
    /// The service or database whose they are.
    pub(crate) name: String,
    /// In a sentence.
    pub(crate) what: String,
}

/// An upper bound by theory.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Bound {
    /// `50 workers / 35ms`.
    pub(crate) formula: String,
    pub(crate) per_s: f64,
}

/// Why there is nothing to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    Interrupted,
    /// The file with the mocks in it is refused; it has been said why.
    Refused(String),
}

/// One service to look at.
pub(crate) struct Subject<'t> {
    pub(crate) topology: &'t Topology,
    pub(crate) sets: Vec<(String, String)>,
    pub(crate) plan: &'t Plan,
    /// Its row.
    pub(crate) service: usize,
    pub(crate) mocks: Mocks,
}

/// Isolates a service and raises the load on it.
pub(crate) fn isolate(subject: &Subject<'_>) -> Result<Isolation, Failed> {
    let whole =
        measure::run(&bare(subject.plan, (subject.plan.duration, subject.plan.warmup))).ok_or(Failed::Interrupted)?;
    let (mocks, mix) = (subject.mocks(&whole), subject.mix(&whole));
    let alone = subject.alone(&mocks, &mix)?;
    let name = &subject.plan.services[subject.service].name;
    let climber = Climber { plan: alone, name };
    let ceiling = climber.ceiling()?;
    let (levels, theory) = climber.levels(ceiling.as_ref())?;
    let calm = levels.first().and_then(|level| level.p99_ms).unwrap_or(f64::MAX);
    let fine = |level: &&Level| {
        level.p99_ms.is_some_and(|p99| p99 <= SLOW * calm) && level.goodput_per_s >= 0.95 * level.offered_per_s
    };
    Ok(Isolation {
        schema: SCHEMA,
        scenario: subject.plan.name.clone(),
        seed: subject.plan.seed,
        service: name.clone(),
        mocks,
        mix,
        knee: levels.iter().take_while(fine).last().copied(),
        ceiling_per_s: ceiling.as_ref().map(|(rate, _)| *rate),
        limit: ceiling.map(|(_, limit)| limit),
        levels,
        theory,
    })
}

impl Subject<'_> {
    /// The services it calls, and how long each endpoint of theirs takes.
    fn mocks(&self, whole: &Report) -> Vec<Mock> {
        let called = self.plan.edges.iter().filter(|edge| edge.caller.index() == self.service).map(|edge| edge.callee);
        let mut mocks: Vec<Mock> = Vec::new();
        for callee in called {
            let service = &self.plan.services[callee.index()].name;
            if mocks.iter().any(|mock| mock.service == *service) {
                continue;
            }
            let latency = whole.services.find(service).and_then(|service| service.latency_ms);
            let takes = match (self.mocks, latency) {
                (Mocks::Measured, Some(latency)) if latency.p99 > 0.0 => {
                    let span = |ms: f64| Span::from_nanos((ms * 1e6).round().max(1.0) as u64);
                    let [p50, p90, p99] = [latency.p50, latency.p90, latency.p99].map(span);
                    if p50 == p99 { p50.to_string() } else { format!("percentiles(p50={p50} p90={p90} p99={p99})") }
                }
                _ => "0s".to_owned(),
            };
            mocks.push(Mock { service: service.clone(), takes });
        }
        mocks
    }

    /// What of it is asked for in the whole system; all alike if nothing is.
    fn mix(&self, whole: &Report) -> Vec<Share> {
        let service = &self.plan.services[self.service];
        let found = whole.services.find(&service.name);
        let requests = |endpoint: &str| {
            found.and_then(|found| found.endpoints.find(endpoint)).map_or(0, |endpoint| endpoint.requests)
        };
        let names = || service.endpoint_range().map(|row| self.plan.endpoints[row].name.clone());
        let total: u64 = names().map(|name| requests(&name)).sum();
        let share = |name: &str| match total {
            0 => 1.0 / f64::from(service.endpoints.max(1)),
            total => requests(name) as f64 / total as f64,
        };
        let all = names().map(|endpoint| Share { share: (share(&endpoint) * 1e6).round() / 1e6, endpoint });
        all.filter(|share| share.share > 0.0).collect()
    }

    /// The plan with mocks in the place of callees, and a load for this service alone.
    fn alone(&self, mocks: &[Mock], mix: &[Share]) -> Result<Plan, Failed> {
        let service = &self.plan.services[self.service];
        let mut sets = self.sets.clone();
        for mock in mocks {
            let Some(row) = self.plan.services.iter().position(|service| service.name == mock.service) else {
                continue;
            };
            let endpoints: Vec<String> = self.plan.services[row]
                .endpoint_range()
                .map(|row| {
                    format!("{}: {{steps: [{{wait: {:?}}}]}}", quoted(&self.plan.endpoints[row].name), mock.takes)
                })
                .collect();
            let stands_in = format!("{{workers: unlimited, endpoints: {{{}}}}}", endpoints.join(", "));
            sets.push((format!("services.{}", quoted(&mock.service)), stands_in));
        }
        let tasks: Vec<String> = mix
            .iter()
            .map(|share| {
                let name = quoted(&share.endpoint);
                format!(
                    "{{name: {name}, to: {:?}, weight: {}}}",
                    format!("{}.{}", service.name, share.endpoint),
                    share.share
                )
            })
            .collect();
        let load = format!("[{{name: {LOAD:?}, users: 1, think: 1s, tasks: [{}]}}]", tasks.join(", "));
        for (path, value) in [("load", load.as_str()), ("faults", "[]"), ("expect", "[]"), ("phases", "{}")] {
            sets.push((path.to_owned(), value.to_owned()));
        }
        self.topology.plan_quietly(&sets).map_err(|problems| {
            Failed::Refused(problems.first().map(|problem| problem.what.clone()).unwrap_or_default())
        })
    }
}

/// A name as a part of a path, or as a key.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(plain) { name.to_owned() } else { format!("{name:?}") }
}

struct Climber<'s> {
    plan: Plan,
    name: &'s str,
}

impl Climber<'_> {
    fn run(&self, rate: f64) -> Result<Report, Failed> {
        let mut plan = bare(&self.plan, LENGTH);
        offer(&mut plan, 0, (&[rate], LENGTH.0));
        // Whatever waits at the end is of no interest.
        plan.drain = Span::ZERO;
        measure::run(&plan).ok_or(Failed::Interrupted)
    }

    fn service<'r>(&self, report: &'r Report) -> Option<&'r Service> {
        report.services.find(self.name)
    }

    /// Answers a second under more load than it can take, and what is used up then.
    fn ceiling(&self) -> Result<Option<(f64, Limit)>, Failed> {
        let mut rate = 16.0;
        for _ in 0..DOUBLINGS {
            let report = self.run(rate)?;
            let done = self.throughput(&report);
            if done < 0.75 * rate {
                return Ok(Some((rounded(done), self.limit(&report))));
            }
            // A million requests a level say enough.
            if rate > 40_000.0 {
                break;
            }
            rate *= 2.0;
        }
        Ok(None)
    }

    /// Answers a second of the service itself between warm-up and the end.
    fn throughput(&self, report: &Report) -> f64 {
        let Some(series) = report.timeline.services.iter().find(|(name, _)| *name == self.name) else { return 0.0 };
        let step = report.timeline.step_s;
        let (from, to) = (LENGTH.1.as_secs_f64() / step, LENGTH.0.as_secs_f64() / step);
        let (from, to) = (from.round() as usize, (to.round() as usize).min(series.1.ok.len()));
        let answered: u64 = series.1.ok[from.min(to)..to].iter().sum();
        answered as f64 / ((to - from.min(to)).max(1) as f64 * step)
    }

    /// What is used up in an overloaded run. Workers wait for connections, so those come first.
    fn limit(&self, report: &Report) -> Limit {
        let named = |of: &str, name: &str, what: String| Limit { of: of.to_owned(), name: name.to_owned(), what };
        for (name, database) in report.databases.iter() {
            if let Some(limit) = database.connections.limit
                && database.connections.busy_mean >= USED_UP * limit as f64
            {
                return named("connections", name, format!("all {limit} connections of {name} are busy"));
            }
        }
        let Some(service) = self.service(report) else { return named("elsewhere", self.name, String::new()) };
        if let Some(share) = service.cpu_share.filter(|share| *share >= USED_UP) {
            return named("cpu", self.name, format!("its CPU is {:.0}% busy", share * 100.0));
        }
        match service.workers.limit {
            Some(limit) if service.workers.busy_mean >= USED_UP * limit as f64 => {
                named("workers", self.name, format!("all {limit} workers are busy"))
            }
            _ => named("elsewhere", self.name, "neither workers, connections nor CPU are used up".to_owned()),
        }
    }

    /// The levels below and above the ceiling, and the bounds of theory by what the lowest of them shows.
    fn levels(&self, ceiling: Option<&(f64, Limit)>) -> Result<(Vec<Level>, Vec<Bound>), Failed> {
        let top = ceiling.map_or(40_000.0, |(rate, _)| *rate);
        let run = |share: &f64| {
            let rate = rounded(share * top);
            self.run(rate).map(|report| (rate, report))
        };
        let reports: Result<Vec<(f64, Report)>, Failed> = LEVELS.par_iter().map(run).collect();
        let reports = reports?;
        let theory = reports.first().map(|(_, report)| self.theory(report)).unwrap_or_default();
        Ok((reports.iter().map(|(rate, report)| self.level(*rate, report)).collect(), theory))
    }

    fn level(&self, rate: f64, report: &Report) -> Level {
        let service = self.service(report);
        let latency = service.and_then(|service| service.latency_ms);
        let busy = service.map_or(0.0, |service| service.workers.busy_mean);
        let queue = service.map_or(0.0, |service| service.queue.mean);
        Level {
            offered_per_s: rate,
            goodput_per_s: rounded(self.throughput(report)),
            p50_ms: latency.map(|latency| latency.p50),
            p99_ms: latency.map(|latency| latency.p99),
            concurrency: rounded(busy + queue),
            workers_busy: busy,
            queue,
        }
    }

    /// Workers by the time that each request holds one; so also connections, and cores.
    fn theory(&self, calm: &Report) -> Vec<Bound> {
        let mut bounds = Vec::new();
        let Some(service) = self.service(calm) else { return bounds };
        if let (Some(limit), Some(held)) = (service.workers.limit, service.service_ms) {
            let formula = format!("{limit} workers / {}", format::duration(held.mean * 1e6));
            bounds.push(Bound { formula, per_s: rounded(limit as f64 * 1e3 / held.mean) });
        }
        let cores = self.plan.services.iter().find(|row| row.name == *self.name).and_then(|row| row.cores);
        if let (Some(cores), Some(share)) = (cores, service.cpu_share.filter(|share| *share > 0.0)) {
            let seconds = (LENGTH.0.saturating_sub(LENGTH.1)).as_secs_f64();
            let each = share * cores * service.replicas.max as f64 * seconds / service.ok.max(1) as f64;
            let all = cores * service.replicas.max as f64;
            let formula = format!("{} cores / {}", format::number(all), format::duration(each * 1e9));
            bounds.push(Bound { formula, per_s: rounded(all / each) });
        }
        for (name, database) in calm.databases.iter() {
            let (Some(limit), Some(latency)) = (database.connections.limit, database.latency_ms) else { continue };
            let per_request = database.queries as f64 / service.requests.max(1) as f64;
            if per_request > 0.0 {
                let each = format::duration(latency.mean * 1e6);
                let times = format::number(per_request);
                let formula = format!("{limit} connections of {name} / ({times} x {each})");
                bounds.push(Bound { formula, per_s: rounded(limit as f64 * 1e3 / (per_request * latency.mean)) });
            }
        }
        bounds
    }
}
