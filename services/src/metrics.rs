//! What every service tells Prometheus: the text exposition format, version 0.0.4. Counts what the machines observe;
//! levels are read when somebody asks.

use std::fmt::{self, Write as _};

use squall_model::machine::System;
use squall_model::observation::{Limit, Observation};
use squall_model::plan::{EdgeId, EndpointId, Plan, ReplicaId};
use squall_model::{Outcome, Span};

/// The media type of a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the latency histogram, in microseconds and as Prometheus writes them in seconds.
const BOUNDS: [(u64, &str); 13] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

/// The kinds of outcome, as labels.
const KINDS: [&str; 9] =
    ["ok", "degraded", "error", "timeout", "refused", "rejected", "rate_limited", "breaker_open", "cancelled"];

const fn kind(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Degraded => 1,
        Outcome::Error(_) => 2,
        Outcome::Timeout => 3,
        Outcome::Refused => 4,
        Outcome::Rejected => 5,
        Outcome::RateLimited => 6,
        Outcome::BreakerOpen => 7,
        Outcome::Cancelled => 8,
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By replica and endpoint, one after another.
    requests: Vec<Requests>,
    /// Where each replica's begin.
    first: Vec<usize>,
    /// Where each replica's service's endpoints begin.
    first_endpoint: Vec<usize>,
    calls: Vec<Calls>,
}

#[derive(Clone, Debug, Default)]
struct Requests {
    ended: [u64; KINDS.len()],
    hung: u64,
    /// By bound, not cumulative; the last is above all of them.
    took: [u64; BOUNDS.len() + 1],
    sum: f64,
}

#[derive(Clone, Debug, Default)]
struct Calls {
    attempts: u64,
    retries: u64,
    ended: [u64; KINDS.len()],
}

impl Metrics {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut metrics = Self {
            requests: Vec::new(),
            first: Vec::new(),
            first_endpoint: Vec::new(),
            calls: vec![Calls::default(); plan.edges.len()],
        };
        for service in &plan.services {
            for _ in service.replica_range() {
                let first = metrics.requests.len();
                metrics.first.push(first);
                metrics.first_endpoint.push(service.first_endpoint.index());
                metrics.requests.resize(first + service.endpoints as usize, Requests::default());
            }
        }
        metrics
    }

    pub(crate) fn observe(&mut self, what: &Observation) {
        match *what {
            Observation::Ended { endpoint, replica, outcome, took, .. } => {
                self.at(replica, endpoint).end(outcome, took);
            }
            Observation::Rejected { endpoint, replica, limit, .. } => {
                let outcome = if limit == Limit::Rate { Outcome::RateLimited } else { Outcome::Rejected };
                self.at(replica, endpoint).ended[kind(outcome)] += 1;
            }
            Observation::Withdrawn { endpoint, replica, outcome, .. } => {
                self.at(replica, endpoint).ended[kind(outcome)] += 1;
            }
            Observation::Hung { endpoint, replica, .. } => self.at(replica, endpoint).hung += 1,
            Observation::Attempt { edge, number, .. } => {
                let calls = &mut self.calls[edge.index()];
                calls.attempts += 1;
                calls.retries += u64::from(number > 1);
            }
            Observation::CallEnded { edge, outcome, .. } => self.calls[edge.index()].ended[kind(outcome)] += 1,
            _ => {}
        }
    }

    fn at(&mut self, replica: ReplicaId, endpoint: EndpointId) -> &mut Requests {
        let place = self.first[replica.index()] + endpoint.index() - self.first_endpoint[replica.index()];
        &mut self.requests[place]
    }

    /// The page of one replica. What is counted by call and not by replica stands on the first replica's page alone.
    pub(crate) fn page(&self, system: &System<'_>, replica: ReplicaId) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = Page { metrics: self, system, plan: system.plan(), replica }.write(&mut page);
        page
    }
}

impl Requests {
    fn end(&mut self, outcome: Outcome, took: Span) {
        self.ended[kind(outcome)] += 1;
        let us = took.as_nanos().div_ceil(1_000);
        self.took[BOUNDS.partition_point(|(bound, _)| *bound < us)] += 1;
        self.sum += took.as_secs_f64();
    }
}

/// One replica's page in the making.
struct Page<'a> {
    metrics: &'a Metrics,
    system: &'a System<'a>,
    plan: &'a Plan,
    replica: ReplicaId,
}

impl Page<'_> {
    fn write(&self, to: &mut String) -> fmt::Result {
        self.requests(to)?;
        self.levels(to)?;
        if self.service().first_replica == self.replica {
            self.calls(to)?;
        }
        self.breakers(to)
    }

    fn service(&self) -> &squall_model::plan::Service {
        let row = self.plan.services.partition_point(|s| s.first_replica <= self.replica) - 1;
        &self.plan.services[row]
    }

    /// The labels that everything of this replica has.
    fn who(&self) -> String {
        let service = self.service();
        let number = self.replica.0 - service.first_replica.0;
        format!("service=\"{}\",replica=\"{number}\"", escaped(&service.name))
    }

    fn endpoints(&self) -> impl Iterator<Item = (String, &Requests)> {
        let (who, first) = (self.who(), self.metrics.first[self.replica.index()]);
        self.service().endpoint_range().enumerate().map(move |(row, id)| {
            let labels = format!("{who},endpoint=\"{}\"", escaped(&self.plan.endpoints[id].name));
            (labels, &self.metrics.requests[first + row])
        })
    }

    fn requests(&self, to: &mut String) -> fmt::Result {
        head(to, "squall_requests_total", "counter", "Requests ended, by outcome.")?;
        for (labels, requests) in self.endpoints() {
            for (outcome, count) in KINDS.iter().zip(requests.ended) {
                writeln!(to, "squall_requests_total{{{labels},outcome=\"{outcome}\"}} {count}")?;
            }
        }
        head(to, "squall_requests_hung_total", "counter", "Requests taken and never answered.")?;
        for (labels, requests) in self.endpoints() {
            writeln!(to, "squall_requests_hung_total{{{labels}}} {}", requests.hung)?;
        }
        let name = "squall_request_duration_seconds";
        head(to, name, "histogram", "From arrival to end of requests that were let in.")?;
        for (labels, requests) in self.endpoints() {
            let mut count = 0;
            for ((_, bound), here) in BOUNDS.iter().zip(requests.took) {
                count += here;
                writeln!(to, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
            }
            count += requests.took[BOUNDS.len()];
            writeln!(to, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
            writeln!(to, "{name}_sum{{{labels}}} {}", requests.sum)?;
            writeln!(to, "{name}_count{{{labels}}} {count}")?;
        }
        Ok(())
    }

    fn levels(&self, to: &mut String) -> fmt::Result {
        let (who, seen) = (self.who(), self.system.replica(self.replica));
        let workers = if seen.workers == u32::MAX { "+Inf".to_owned() } else { seen.workers.to_string() };
        let gauges = [
            ("squall_workers_busy", "Workers busy.", seen.busy.to_string()),
            ("squall_workers", "Workers there are.", workers),
            ("squall_queue_length", "Requests that wait for a worker.", seen.queued.to_string()),
            ("squall_ready", "Whether the replica serves.", u8::from(seen.ready && !seen.paused).to_string()),
        ];
        for (name, help, value) in gauges {
            head(to, name, "gauge", help)?;
            writeln!(to, "{name}{{{who}}} {value}")?;
        }
        Ok(())
    }

    fn edges(&self) -> impl Iterator<Item = (&str, &Calls)> {
        let mine = |id: &EdgeId| {
            let caller = &self.plan.services[self.plan.edges[id.index()].caller.index()];
            caller.first_replica == self.replica
        };
        let edges = (0..self.plan.edges.len()).map(EdgeId::from).filter(mine);
        edges.map(|id| (self.plan.edges[id.index()].name.as_str(), &self.metrics.calls[id.index()]))
    }

    fn calls(&self, to: &mut String) -> fmt::Result {
        let counters = [
            ("squall_call_attempts_total", "Attempts of calls, first ones and retries."),
            ("squall_call_retries_total", "Attempts after the first."),
        ];
        for (number, (name, help)) in counters.iter().enumerate() {
            head(to, name, "counter", help)?;
            for (call, calls) in self.edges() {
                let value = [calls.attempts, calls.retries][number];
                writeln!(to, "{name}{{call=\"{}\"}} {value}", escaped(call))?;
            }
        }
        head(to, "squall_calls_total", "counter", "Calls ended after all their attempts, by outcome.")?;
        for (call, calls) in self.edges() {
            for (outcome, count) in KINDS.iter().zip(calls.ended) {
                writeln!(to, "squall_calls_total{{call=\"{}\",outcome=\"{outcome}\"}} {count}", escaped(call))?;
            }
        }
        Ok(())
    }

    fn breakers(&self, to: &mut String) -> fmt::Result {
        const STATES: [&str; 3] = ["closed", "half-open", "open"];
        head(to, "squall_breaker_state", "gauge", "1 for the state that a circuit breaker is in, 0 for the others.")?;
        for breaker in self.system.breakers().filter(|breaker| breaker.caller == self.replica) {
            let (who, call) = (self.who(), escaped(&self.plan.edges[breaker.edge.index()].name));
            let now = breaker.state.to_string();
            for state in STATES {
                let is = u8::from(state == now);
                writeln!(to, "squall_breaker_state{{{who},call=\"{call}\",state=\"{state}\"}} {is}")?;
            }
        }
        Ok(())
    }
}

fn head(to: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(to, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// A label's value, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_on_a_bound_is_within_it() {
        let mut requests = Requests::default();
        for us in [999, 1_000, 1_001, 10_000_000, 10_000_001] {
            requests.end(Outcome::Ok, Span::from_micros(us));
        }
        assert_eq!((requests.took[0], requests.took[1], requests.took[12], requests.took[13]), (2, 1, 1, 1));
    }

    #[test]
    fn labels_hold_any_name() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
