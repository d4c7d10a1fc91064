//! Expectations with their names resolved.

use squall_policies::{SimTime, Span};

use super::Compiler;
use crate::check::Thing;
use crate::plan::{Claim, Comparison, EndpointId, Expect, LoadId, Metric, Resource, ServiceId, Stretch, Subject};
use crate::spec;
use crate::spec::{PhaseRef, Sentence, Within};

impl Compiler<'_> {
    /// All expectations.
    pub(super) fn expect(&mut self) {
        for expectation in &self.topology.expect {
            match self.claim(&expectation.sentence) {
                Some(claim) => {
                    let (text, at) = (expectation.text.clone(), expectation.at);
                    self.plan.expect.push(Expect { text, at, claim });
                }
                None => self.problems.push(
                    spec::Problem::error(expectation.at, format!("`{}` cannot be judged", expectation.text))
                        .hint("its subject or its phase does not exist, or has no such figure"),
                ),
            }
        }
    }

    fn claim(&self, sentence: &Sentence) -> Option<Claim> {
        Some(match sentence {
            Sentence::Compare { subject, metric, op, value, phase } => Claim::Figure {
                subject: self.subject(subject, crate::check::metrics(Thing::Load).contains(metric))?,
                metric: metric_of(**metric),
                op: comparison(*op),
                value: value.value,
                over: self.stretch(phase.as_ref())?,
            },
            Sentence::Breaker { subject, change, within } => {
                let Subject::Edge(edge) = self.subject(subject, true)? else { return None };
                let (_, from, limit) = self.within(within)?;
                Claim::Breaker { edge, opens: *change == spec::BreakerChange::Opens, from, within: limit }
            }
            Sentence::Saturate { subject, resource, within } => {
                let (_, from, within) = self.within(within)?;
                let resource = resource_of(**resource);
                Claim::Saturates { subject: self.subject(subject, false)?, resource, from, within }
            }
            Sentence::Recover { subject, within } => {
                let (before, from, within) = self.within(within)?;
                Claim::Recovers { subject: self.subject(subject, true)?, before, from, within }
            }
        })
    }

    /// What a subject is. A name that a load shares with something else is the load, if the line may be about one.
    fn subject(&self, subject: &spec::Subject, of_loads: bool) -> Option<Subject> {
        let topology = self.topology;
        let load = |name: &str| topology.load.iter().position(|load| load.name.value == name);
        match subject {
            spec::Subject::System => Some(Subject::System),
            spec::Subject::Name(name) => {
                if let Some(load) = load(name).filter(|_| of_loads) {
                    return Some(Subject::Load(LoadId::from(load)));
                }
                let service = topology.services.position(name).map(|i| Subject::Service(ServiceId::from(i)));
                let database = || topology.databases.position(name).map(|i| Subject::Database(i.into()));
                let cache = || topology.caches.position(name).map(|i| Subject::Cache(i.into()));
                let topic = || topology.topics.position(name).map(|i| Subject::Topic(i.into()));
                service.or_else(database).or_else(cache).or_else(topic)
            }
            spec::Subject::Member { of, member } => {
                let task = load(of).and_then(|i| {
                    let clients = &self.plan.services[self.plan.loads[i].clients.index()];
                    self.endpoint_of(clients, member).map(Subject::Task)
                });
                let endpoint = || {
                    let service = &self.plan.services[topology.services.position(of)?];
                    self.endpoint_of(service, member).map(Subject::Endpoint)
                };
                task.or_else(endpoint)
            }
            spec::Subject::Call { from, to } => {
                let named = |name: &str| self.plan.services.iter().position(|s| s.name == name).map(ServiceId::from);
                self.edges.get(&(named(from)?, named(to)?)).map(|edge| Subject::Edge(*edge))
            }
        }
    }

    fn endpoint_of(&self, service: &crate::plan::Service, name: &str) -> Option<EndpointId> {
        let mut range = service.endpoint_range();
        range.find(|i| self.plan.endpoints[*i].name == name).map(EndpointId::from)
    }

    /// Beginning and end of a phase or fault.
    fn phase(&self, name: &str) -> Option<(SimTime, SimTime)> {
        let phase = self.plan.phases.named().iter().find(|phase| phase.name == name)?;
        Some((phase.from, phase.to))
    }

    fn stretch(&self, phase: Option<&PhaseRef>) -> Option<Stretch> {
        let end = SimTime::ZERO + self.plan.duration;
        let (from, to) = match phase {
            None => (SimTime::ZERO, end),
            Some(PhaseRef::During(name)) => self.phase(name)?,
            Some(PhaseRef::Before(name)) => (SimTime::ZERO, self.phase(name)?.0),
            Some(PhaseRef::After(name)) => (self.phase(name)?.1, end),
        };
        Some(Stretch { from, to, segments: self.plan.phases.between(from, to) })
    }

    /// When the phase or fault begins, from when to count, and how long.
    fn within(&self, within: &Within) -> Option<(SimTime, SimTime, Span)> {
        let (from, to) = self.phase(&within.of)?;
        Some((from, if within.after_end { to } else { from }, within.limit.value))
    }
}

fn comparison(op: spec::Op) -> Comparison {
    match op {
        spec::Op::Less => Comparison::Below,
        spec::Op::AtMost => Comparison::AtMost,
        spec::Op::More => Comparison::Above,
        spec::Op::AtLeast => Comparison::AtLeast,
        spec::Op::Equal => Comparison::Equal,
        spec::Op::Unequal => Comparison::Unequal,
    }
}

fn resource_of(resource: spec::Resource) -> Resource {
    match resource {
        spec::Resource::Workers => Resource::Workers,
        spec::Resource::Queue => Resource::Queue,
        spec::Resource::Cpu => Resource::Cpu,
        spec::Resource::Memory => Resource::Memory,
        spec::Resource::Connections => Resource::Connections,
    }
}

fn metric_of(metric: spec::Metric) -> Metric {
    match metric {
        spec::Metric::P50 => Metric::Percentile(500),
        spec::Metric::P90 => Metric::Percentile(900),
        spec::Metric::P95 => Metric::Percentile(950),
        spec::Metric::P99 => Metric::Percentile(990),
        spec::Metric::P999 => Metric::Percentile(999),
        spec::Metric::Max => Metric::Max,
        spec::Metric::Mean => Metric::Mean,
        spec::Metric::Success => Metric::Success,
        spec::Metric::Degraded => Metric::Degraded,
        spec::Metric::Failed => Metric::Failed,
        spec::Metric::Rate => Metric::Rate,
        spec::Metric::Goodput => Metric::Goodput,
        spec::Metric::AttemptsPerCall => Metric::AttemptsPerCall,
        spec::Metric::Timeouts => Metric::Timeouts,
        spec::Metric::Rejected => Metric::Rejected,
        spec::Metric::ShortCircuited => Metric::ShortCircuited,
        spec::Metric::Retries => Metric::Retries,
        spec::Metric::Workers => Metric::Workers,
        spec::Metric::Queue => Metric::Queue,
        spec::Metric::Cpu => Metric::Cpu,
        spec::Metric::Memory => Metric::Memory,
        spec::Metric::Replicas => Metric::Replicas,
        spec::Metric::Connections => Metric::Connections,
        spec::Metric::HitRate => Metric::HitRate,
        spec::Metric::Backlog => Metric::Backlog,
    }
}
