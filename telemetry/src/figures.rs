//! The figures of a report as one flat list, each with what it is measured in and which way is better: for everything that
//! holds reports against one another. Knows nothing of how they are compared or shown.

use serde::{Serialize, Serializer};

use crate::format;
use crate::report::{Latency, Report};

/// What kind of thing a figure is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// One load: what its users see.
    Load,
    /// All load together.
    System,
    /// A service.
    Service,
    /// A database.
    Database,
    /// A call.
    Call,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Load, Self::System, Self::Service, Self::Database, Self::Call];

    /// Its section of the report.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::System => "system",
            Self::Service => "services",
            Self::Database => "databases",
            Self::Call => "calls",
        }
    }
}

/// As the name of its section.
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.section())
    }
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// Less is.
    Less,
    /// More is.
    More,
    /// Neither: it says how much there was to do, or how it was done.
    Neither,
}

/// What a figure is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// How many; compared as it is.
    Count,
    /// How many of those that there were; compared as that share.
    Part,
    /// From 0 to 1.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Per second.
    Rate,
    /// A plain number.
    Number,
}

/// One thing that is measured.
#[derive(PartialEq, Debug)]
pub struct Metric {
    /// Its key in files: unit and qualifier last.
    pub key: &'static str,
    /// Its word for people, as in `expect`.
    pub word: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// How much a change of it matters to users, from 0 to 10.
    pub weight: u8,
}

/// As its key.
impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key)
    }
}

impl Metric {
    /// A value as a person writes it.
    pub fn shown(&self, value: f64) -> String {
        match self.unit {
            Unit::Part | Unit::Share => format::share(value),
            Unit::Milliseconds => format::duration(value * 1e6),
            Unit::Seconds => format::duration(value * 1e9),
            Unit::Rate => format::rate(value),
            Unit::Count | Unit::Number => format::number(value),
        }
    }
}

/// A figure of one thing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figure<'r> {
    /// What kind of thing it is of.
    pub kind: Kind,
    /// The thing's name.
    pub subject: &'r str,
    /// What is measured.
    pub metric: &'static Metric,
    /// The value as in the report; `None` if there is none.
    pub value: Option<f64>,
    /// Of how many, for a [`Unit::Part`].
    pub whole: Option<f64>,
}

impl Figure<'_> {
    /// The value that is compared: a part as its share.
    pub fn compared(&self) -> Option<f64> {
        match (self.metric.unit, self.value, self.whole) {
            (Unit::Part, Some(part), Some(whole)) if whole > 0.0 => Some(part / whole),
            (Unit::Part, ..) => None,
            (_, value, _) => value,
        }
    }
}

macro_rules! metrics {
    ($($name:ident = $key:literal, $word:literal, $unit:ident, $better:ident, $weight:literal;)*) => {
        $(static $name: Metric =
            Metric { key: $key, word: $word, unit: Unit::$unit, better: Better::$better, weight: $weight };)*
        /// Every metric there is.
        pub static METRICS: &[&Metric] = &[$(&$name),*];
    };
}

metrics! {
    OFFERED = "offered", "offered", Count, Neither, 1;
    OK = "ok", "ok", Part, More, 8;
    DEGRADED = "degraded", "degraded", Part, Less, 5;
    FAILED = "failed", "failed", Part, Less, 10;
    IN_FLIGHT = "in_flight", "in flight", Part, Less, 6;
    SUCCESS = "success_share", "success", Share, More, 10;
    ATTEMPTS = "attempts", "attempts", Count, Less, 2;
    RATE = "rate_per_s", "rate", Rate, Neither, 2;
    GOODPUT = "goodput_per_s", "goodput", Rate, More, 10;
    MEAN = "mean_ms", "mean", Milliseconds, Less, 6;
    P50 = "p50_ms", "p50", Milliseconds, Less, 7;
    P90 = "p90_ms", "p90", Milliseconds, Less, 6;
    P95 = "p95_ms", "p95", Milliseconds, Less, 6;
    P99 = "p99_ms", "p99", Milliseconds, Less, 8;
    P999 = "p999_ms", "p999", Milliseconds, Less, 5;
    MAX = "max_ms", "max", Milliseconds, Less, 3;
    TIMEOUTS = "timeouts", "timeouts", Count, Less, 4;
    REJECTED = "rejected", "rejected", Count, Less, 4;
    SHORT_CIRCUITED = "short_circuited", "short_circuited", Count, Less, 3;
    ERRORS = "errors", "errors", Count, Less, 4;
    REFUSED = "refused", "refused", Count, Less, 4;
    ATTEMPTS_PER_REQUEST = "attempts_per_request", "attempts per request", Number, Less, 5;
    PROPAGATED = "propagated_error_share", "propagated errors", Share, Less, 4;
    REQUESTS = "requests", "requests", Count, Neither, 1;
    WAIT_P99 = "wait_p99_ms", "wait p99", Milliseconds, Less, 4;
    BUSY = "workers_busy_mean", "busy workers, mean", Number, Less, 3;
    WORKERS = "workers_busy_max", "workers", Count, Less, 3;
    SATURATED = "saturated_s", "saturated", Seconds, Less, 4;
    QUEUE = "queue_max", "queue", Count, Less, 4;
    QUEUE_MEAN = "queue_mean", "queue, mean", Number, Less, 3;
    CPU = "cpu_share", "cpu", Share, Less, 3;
    MEMORY = "memory_mib_max", "memory (MiB)", Number, Less, 3;
    QUERIES = "queries", "queries", Count, Neither, 1;
    CONNECTIONS = "connections_busy_max", "connections", Count, Less, 3;
    CALLS = "calls", "calls", Count, Neither, 1;
    ATTEMPTS_PER_CALL = "attempts_per_call", "attempts per call", Number, Less, 5;
    RETRIES = "retries", "retries", Count, Less, 4;
    BULKHEAD_FULL = "bulkhead_full", "bulkhead full", Count, Less, 3;
    BUDGET_REFUSED = "budget_refused", "budget refused", Count, Neither, 2;
    OPENED = "breaker_opened", "breaker opened", Count, Neither, 3;
}

/// The metric whose key is `key`.
pub fn metric_by_key(key: &str) -> Option<&'static Metric> {
    METRICS.iter().copied().find(|metric| metric.key == key)
}

/// The metric whose word is `word`.
pub fn metric_by_word(word: &str) -> Option<&'static Metric> {
    METRICS.iter().copied().find(|metric| metric.word == word)
}

/// Every figure of a report, loads first, in the order of the file.
pub fn figures(report: &Report) -> Vec<Figure<'_>> {
    let mut list = List(Vec::with_capacity(64));
    for (name, load) in report.load.iter() {
        let mut of = list.of(Kind::Load, name, Some(load.offered));
        of.count(&OFFERED, load.offered);
        of.outcomes([load.ok, load.degraded, load.failed, load.in_flight]);
        of.count(&ATTEMPTS, load.attempts);
        of.number(&RATE, load.rate_per_s);
        of.number(&GOODPUT, load.goodput_per_s);
        of.latency(load.latency_ms.as_ref());
        let failures = load.failures;
        of.count(&TIMEOUTS, failures.timeout);
        of.count(&REJECTED, failures.rejected);
        of.count(&SHORT_CIRCUITED, failures.breaker_open);
        of.count(&ERRORS, failures.error);
        of.count(&REFUSED, failures.refused);
    }
    let system = &report.system;
    let mut of = list.of(Kind::System, "system", Some(system.offered));
    of.count(&OFFERED, system.offered);
    of.outcomes([system.ok, system.degraded, system.failed, system.in_flight]);
    of.number(&GOODPUT, report.load.iter().map(|(_, load)| load.goodput_per_s).sum::<f64>());
    of.push(&ATTEMPTS_PER_REQUEST, system.attempts_per_request);
    of.push(&PROPAGATED, system.propagated_error_share);
    services(report, &mut list);
    for (name, database) in report.databases.iter() {
        let mut of = list.of(Kind::Database, name, Some(database.queries));
        of.count(&QUERIES, database.queries);
        of.count(&FAILED, database.failed);
        of.push(&P99, database.latency_ms.map(|latency| latency.p99));
        of.push(&WAIT_P99, database.wait_ms.map(|latency| latency.p99));
        of.count(&CONNECTIONS, database.connections.busy_max.into());
        of.number(&SATURATED, database.connections.saturated_s);
        of.count(&QUEUE, database.waiting.max.into());
    }
    calls(report, &mut list);
    list.0
}

fn services<'r>(report: &'r Report, list: &mut List<'r>) {
    for (name, service) in report.services.iter() {
        let mut of = list.of(Kind::Service, name, Some(service.requests));
        of.count(&REQUESTS, service.requests);
        of.count(&FAILED, service.failed);
        of.count(&REJECTED, service.rejected);
        of.push(&P50, service.latency_ms.map(|latency| latency.p50));
        of.push(&P99, service.latency_ms.map(|latency| latency.p99));
        of.push(&WAIT_P99, service.wait_ms.map(|latency| latency.p99));
        of.count(&WORKERS, service.workers.busy_max.into());
        of.number(&BUSY, service.workers.busy_mean);
        of.number(&SATURATED, service.workers.saturated_s);
        of.count(&QUEUE, service.queue.max.into());
        of.number(&QUEUE_MEAN, service.queue.mean);
        of.push(&CPU, service.cpu_share);
        of.push(&MEMORY, service.memory_mib_max);
    }
}

fn calls<'r>(report: &'r Report, list: &mut List<'r>) {
    for (name, call) in report.calls.iter() {
        let mut of = list.of(Kind::Call, name, Some(call.calls));
        of.count(&CALLS, call.calls);
        of.push(&ATTEMPTS_PER_CALL, call.attempts_per_call);
        of.count(&RETRIES, call.retries);
        of.count(&DEGRADED, call.degraded);
        of.count(&FAILED, call.failed);
        of.count(&TIMEOUTS, call.timeouts);
        of.count(&REJECTED, call.rejected);
        of.count(&SHORT_CIRCUITED, call.short_circuited);
        of.count(&BULKHEAD_FULL, call.bulkhead_full);
        of.count(&BUDGET_REFUSED, call.budget_refused);
        of.push(&P99, call.latency_ms.map(|latency| latency.p99));
        of.push(&OPENED, call.breaker.as_ref().map(|breaker| breaker.opened as f64));
    }
}

struct List<'r>(Vec<Figure<'r>>);

impl<'r> List<'r> {
    fn of(&mut self, kind: Kind, subject: &'r str, whole: Option<u64>) -> Of<'_, 'r> {
        Of { list: &mut self.0, kind, subject, whole: whole.map(|count| count as f64) }
    }
}

/// The figures of one thing.
struct Of<'l, 'r> {
    list: &'l mut Vec<Figure<'r>>,
    kind: Kind,
    subject: &'r str,
    whole: Option<f64>,
}

impl Of<'_, '_> {
    fn push(&mut self, metric: &'static Metric, value: Option<f64>) {
        let whole = self.whole.filter(|_| metric.unit == Unit::Part);
        self.list.push(Figure { kind: self.kind, subject: self.subject, metric, value, whole });
    }

    fn count(&mut self, metric: &'static Metric, count: u64) {
        self.push(metric, Some(count as f64));
    }

    fn number(&mut self, metric: &'static Metric, value: f64) {
        self.push(metric, Some(value));
    }

    fn outcomes(&mut self, [ok, degraded, failed, in_flight]: [u64; 4]) {
        self.count(&OK, ok);
        self.count(&DEGRADED, degraded);
        self.count(&FAILED, failed);
        self.count(&IN_FLIGHT, in_flight);
        let ended = ok + degraded + failed;
        self.push(&SUCCESS, (ended > 0).then(|| (ok + degraded) as f64 / ended as f64));
    }

    fn latency(&mut self, latency: Option<&Latency>) {
        self.push(&MEAN, latency.map(|l| l.mean));
        self.push(&P50, latency.map(|l| l.p50));
        self.push(&P90, latency.map(|l| l.p90));
        self.push(&P95, latency.map(|l| l.p95));
        self.push(&P99, latency.map(|l| l.p99));
        self.push(&P999, latency.map(|l| l.p999));
        self.push(&MAX, latency.map(|l| l.max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_has_a_key_and_a_word_of_its_own() {
        let keys: BTreeSet<_> = METRICS.iter().map(|metric| metric.key).collect();
        let words: BTreeSet<_> = METRICS.iter().map(|metric| metric.word).collect();
        assert_eq!((keys.len(), words.len()), (METRICS.len(), METRICS.len()));
    }
}
