//! Whether expectations are about something that exists and has such a figure.

use super::{Findings, Names, Thing};
use crate::spec::{
    Expectation, Limit, Metric, PhaseRef, Problem, Resource, Sentence, Spanned, Subject, Topology, Within,
};

const LATENCY: [Metric; 7] =
    [Metric::P50, Metric::P90, Metric::P95, Metric::P99, Metric::P999, Metric::Max, Metric::Mean];

/// The figures that there are of a thing.
pub fn metrics(thing: Thing) -> Vec<Metric> {
    use Metric as M;
    let rest: &[Metric] = match thing {
        Thing::System | Thing::Load | Thing::Task => &[
            M::Success,
            M::Degraded,
            M::Failed,
            M::Rate,
            M::Goodput,
            M::AttemptsPerCall,
            M::Timeouts,
            M::Rejected,
            M::ShortCircuited,
            M::Retries,
        ],
        Thing::Service => &[
            M::Success,
            M::Degraded,
            M::Failed,
            M::Rate,
            M::Goodput,
            M::Rejected,
            M::Workers,
            M::Queue,
            M::Cpu,
            M::Memory,
            M::Replicas,
        ],
        Thing::Endpoint => &[M::Success, M::Degraded, M::Failed, M::Rate, M::Goodput, M::Rejected],
        Thing::Database => &[M::Success, M::Failed, M::Rate, M::Timeouts, M::Connections, M::Queue],
        Thing::Cache => &[M::Success, M::Failed, M::Rate, M::HitRate],
        Thing::Topic => &[M::Success, M::Failed, M::Rate, M::Rejected, M::Retries, M::Backlog],
        Thing::Call => &[
            M::Success,
            M::Degraded,
            M::Failed,
            M::Rate,
            M::AttemptsPerCall,
            M::Timeouts,
            M::Rejected,
            M::ShortCircuited,
            M::Retries,
            M::Connections,
        ],
    };
    LATENCY.iter().chain(rest).copied().collect()
}

pub(super) fn check(topology: &Topology, names: &Names<'_>, found: &mut Findings) {
    let check = Check { topology, names };
    for expectation in &topology.expect {
        check.sentence(expectation, found);
    }
}

struct Check<'a> {
    topology: &'a Topology,
    names: &'a Names<'a>,
}

impl Check<'_> {
    fn sentence(&self, expectation: &Expectation, found: &mut Findings) {
        let mut keep = |result: Result<(), Problem>| found.problems.extend(result.err());
        match &expectation.sentence {
            Sentence::Compare { subject, metric, phase, .. } => {
                keep(self.things(subject).and_then(|things| has_metric(&things, subject, metric)));
                keep(phase.as_ref().map_or(Ok(()), |phase| self.names.phase(phase.name())));
                keep(phase.as_ref().map_or(Ok(()), |phase| self.is_not_empty(phase)));
            }
            Sentence::Breaker { subject, within, .. } => {
                keep(self.breaker(subject));
                keep(self.within(within));
            }
            Sentence::Saturate { subject, resource, within } => {
                keep(self.things(subject).and_then(|things| self.saturable(&things, subject, resource)));
                keep(self.within(within));
            }
            Sentence::Recover { subject, within } => {
                keep(self.things(subject).and_then(|things| recoverable(&things, subject)));
                keep(self.within(within));
            }
        }
    }

    /// What the subject can be.
    fn things(&self, subject: &Spanned<Subject>) -> Result<Vec<Thing>, Problem> {
        match &subject.value {
            Subject::System => Ok(vec![Thing::System]),
            Subject::Call { from, to } => self.names.call(from, to).map(|()| vec![Thing::Call]),
            Subject::Name(name) => {
                let things = self.names.things(name);
                let all = self.names.everything().chain(["system"]);
                self.names.known(!things.is_empty(), name, "there is nothing called", all)?;
                Ok(things)
            }
            Subject::Member { of, member } => self.member(of, member),
        }
    }

    /// What `of.member` can be: a task, an endpoint, or both.
    fn member(&self, of: &Spanned<String>, member: &Spanned<String>) -> Result<Vec<Thing>, Problem> {
        self.names.caller(of)?;
        let tasks =
            || self.names.load(of).into_iter().flat_map(|load| load.tasks.iter().map(|task| task.name.as_str()));
        let service = self.topology.services.find(of);
        let endpoint = service.is_some_and(|service| service.endpoints.find(member).is_some());
        let task = tasks().any(|task| task == member.value);
        let known = [(Thing::Task, task), (Thing::Endpoint, endpoint)];
        let things: Vec<Thing> = known.iter().filter(|(_, found)| *found).map(|(thing, _)| *thing).collect();
        let missing = format!("`{}` has no task or endpoint", of.value);
        let endpoints = service.into_iter().flat_map(|service| service.endpoints.names());
        let found = self.names.known(!things.is_empty(), member, &missing, tasks().chain(endpoints));
        found.map_err(|problem| problem.unless(!self.names.whole))?;
        Ok(things)
    }

    /// Nothing starts before the beginning or, as a rule, after the end of the load.
    fn is_not_empty(&self, phase: &PhaseRef) -> Result<(), Problem> {
        let Some((from, to)) = self.extent(phase.name()) else { return Ok(()) };
        let (empty, what) = match phase {
            PhaseRef::Before(_) => (from.as_nanos() == 0, "nothing comes before it"),
            PhaseRef::After(_) => (to >= self.topology.duration.value, "no load comes after it"),
            PhaseRef::During(_) => (false, ""),
        };
        if !empty {
            return Ok(());
        }
        let name = phase.name();
        let problem = Problem::error(name.at, format!("`{}` goes from {from} to {to}: {what}", name.value));
        Err(problem.hint(format!("the load goes from 0s to {}", self.topology.duration.value)))
    }

    /// From when to when the phase or fault `name` goes.
    fn extent(&self, name: &str) -> Option<(crate::Span, crate::Span)> {
        if let Some(phase) = self.topology.phases.find(name) {
            return Some((phase.from, phase.to));
        }
        let fault = self.names.fault(name)?;
        let end = fault.lasts(self.topology).map_or(self.topology.duration.value, |lasts| fault.at.value + lasts);
        fault.every.is_none().then_some((fault.at.value, end))
    }

    fn within(&self, within: &Within) -> Result<(), Problem> {
        self.names.phase(&within.of)
    }

    fn breaker(&self, subject: &Spanned<Subject>) -> Result<(), Problem> {
        let Subject::Call { from, to } = &subject.value else {
            let problem = Problem::error(subject.at, "only a call has a breaker");
            return Err(problem.hint("write `caller -> callee breaker opens within …`"));
        };
        self.names.call(from, to)?;
        if self.names.has_breaker(from, to) {
            return Ok(());
        }
        let problem = Problem::error(subject.at, format!("`{} -> {}` has no breaker", from.value, to.value));
        Err(problem
            .unless(!self.names.whole)
            .hint(format!("give it one: services.{}.calls.{}.breaker", from.value, to.value)))
    }

    fn saturable(
        &self,
        things: &[Thing],
        subject: &Spanned<Subject>,
        resource: &Spanned<Resource>,
    ) -> Result<(), Problem> {
        let Subject::Name(name) = &subject.value else {
            let problem = Problem::error(subject.at, "only services and databases saturate");
            return Err(problem.hint("name one of those"));
        };
        let service = self.topology.services.find(name).filter(|_| things.contains(&Thing::Service));
        let database = self.topology.databases.find(name);
        let limited = match resource.value {
            Resource::Workers => service.map(|service| service.workers.value != Limit::Unlimited),
            Resource::Queue => {
                service.map(|service| service.queue.as_ref().is_some_and(|queue| queue.limit.value != Limit::Unlimited))
            }
            Resource::Cpu => service.map(|service| service.cores.is_some()),
            Resource::Memory => service.map(|service| service.memory.is_some()),
            Resource::Connections => database.map(|database| database.connections.value != Limit::Unlimited),
        };
        match limited {
            Some(true) => Ok(()),
            Some(false) => {
                let problem = Problem::error(resource.at, format!("`{}` has no limit to saturate", name.value));
                Err(problem.unless(!self.names.whole).hint("give it one"))
            }
            None => Err(Problem::error(resource.at, format!("`{}` has no such thing", name.value))
                .hint("services have workers, queue, cpu and memory, databases have connections")),
        }
    }
}

fn has_metric(things: &[Thing], subject: &Spanned<Subject>, metric: &Spanned<Metric>) -> Result<(), Problem> {
    if things.iter().any(|&thing| metrics(thing).contains(&metric.value)) {
        return Ok(());
    }
    let Some(&thing) = things.last() else { return Ok(()) };
    let known: Vec<&str> = metrics(thing).into_iter().map(Metric::name).collect();
    let what = format!("{} has no `{}`", thing.noun(), metric.name());
    let hint = format!("it has {}", known.join(", "));
    let at = if metric.at == crate::spec::At::default() { subject.at } else { metric.at };
    Err(Problem::error(at, what).hint(hint))
}

fn recoverable(things: &[Thing], subject: &Spanned<Subject>) -> Result<(), Problem> {
    if things.iter().any(|thing| matches!(thing, Thing::System | Thing::Load)) {
        return Ok(());
    }
    Err(Problem::error(subject.at, "only the system or a load recovers").hint("write `system recovers …`"))
}
