//! Judges the lines of `expect` over a recording. A figure that has no samples fails, and says so.

use core::ops::Range;

use squall_model::SimTime;
use squall_model::Span;
use squall_model::plan::{Claim, EdgeId, Expect, LoadId, Metric, Plan, Resource, ServiceId, Stretch, Subject};
use squall_policies::breaker::State;

use crate::format;
use crate::histogram::Together;
use crate::levels::Levels;
use crate::recording::Recording;
use crate::recovery::{self, Recovery};
use crate::report::Expectation;
use crate::saturation::Saturation;
use crate::tallies::{Calls, Looks, Queries, Requests};

/// Every line of `expect`, judged.
pub(crate) fn judge(plan: &Plan, recording: &Recording) -> Vec<Expectation> {
    let judge = Judge { plan, recording };
    plan.expect.iter().map(|expect| judge.one(expect)).collect()
}

/// Whether a line holds, and what was found instead of or beside what was wanted.
struct Verdict {
    pass: bool,
    actual: String,
    value: Option<f64>,
}

impl Verdict {
    fn new(pass: bool, actual: impl Into<String>) -> Self {
        Self { pass, actual: actual.into(), value: None }
    }

    fn with_value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// It happened `when`, and should have between `from` and so long after.
    fn timely(verb: &str, when: u64, from: SimTime, within: Span) -> Self {
        let after = when.saturating_sub(from.as_nanos());
        let at = format::at(when as f64 / 1e9);
        let actual = format!("{verb} at {at}, after {}", format::duration(after as f64));
        Self::new(after <= within.as_nanos(), actual).with_value(after as f64)
    }
}

/// A figure as it was found.
struct Figure {
    value: f64,
    text: String,
}

/// Counts that loads, services, databases and calls have in common.
#[derive(Clone, Copy, Default)]
struct Counts {
    begun: u64,
    ok: u64,
    degraded: u64,
    failed: u64,
    attempts: Option<u64>,
    timeouts: u64,
    rejected: u64,
    short_circuited: u64,
}

impl Counts {
    const fn ended(&self) -> u64 {
        self.ok + self.degraded + self.failed
    }
}

impl From<Requests> for Counts {
    fn from(count: Requests) -> Self {
        Self {
            begun: count.arrived(),
            ok: count.ok,
            degraded: count.degraded,
            failed: count.failures.total() + count.rejected(),
            attempts: None,
            timeouts: count.failures.timeout,
            rejected: count.failures.rejected + count.rejected(),
            short_circuited: count.failures.breaker_open,
        }
    }
}

impl From<Calls> for Counts {
    fn from(count: Calls) -> Self {
        Self {
            begun: count.begun,
            ok: count.ok,
            degraded: count.degraded,
            failed: count.failed,
            attempts: Some(count.attempts()),
            timeouts: count.failures.timeout,
            rejected: count.failures.rejected,
            short_circuited: count.failures.breaker_open,
        }
    }
}

impl From<Queries> for Counts {
    fn from(count: Queries) -> Self {
        let Queries { started, ok, failed, timeouts } = count;
        Self { begun: started, ok, failed, timeouts, ..Self::default() }
    }
}

impl From<Looks> for Counts {
    fn from(count: Looks) -> Self {
        let answered = count.answered();
        Self { begun: answered + count.failed, ok: answered, failed: count.failed, ..Self::default() }
    }
}

struct Judge<'r> {
    plan: &'r Plan,
    recording: &'r Recording,
}

impl Judge<'_> {
    fn one(&self, expect: &Expect) -> Expectation {
        let verdict = match &expect.claim {
            Claim::Figure { subject, metric, op, value, over } => match self.figure(*subject, *metric, *value, over) {
                Ok(figure) => Verdict::new(op.holds(figure.value, *value), figure.text).with_value(figure.value),
                Err(why) => Verdict::new(false, why),
            },
            Claim::Breaker { edge, opens, from, within } => self.breaker(*edge, *opens, *from, *within),
            Claim::Saturates { subject, resource, from, within } => {
                self.saturates(*subject, *resource, [*from, *from + *within])
            }
            Claim::Recovers { subject, before, from, within } => self.recovers(*subject, [*before, *from], *within),
        };
        Expectation { text: expect.text.clone(), pass: verdict.pass, actual: verdict.actual, value: verdict.value }
    }

    fn figure(&self, subject: Subject, metric: Metric, wanted: f64, over: &Stretch) -> Result<Figure, &'static str> {
        let segments = over.segments.clone();
        let time = |ns: f64| Figure { value: ns, text: format::duration(ns) };
        let latency = || self.latency(subject, segments.clone());
        let counts = || self.counts(subject, segments.clone());
        let number = |count: u64| Figure { value: count as f64, text: format::count(count) };
        match metric {
            Metric::Percentile(per_mille) => {
                latency().percentiles([per_mille]).map(|[ns]| time(ns as f64)).ok_or(NOTHING_ENDED)
            }
            Metric::Max => latency().max().map(|ns| time(ns as f64)).ok_or(NOTHING_ENDED),
            Metric::Mean => latency().mean().map(time).ok_or(NOTHING_ENDED),
            Metric::Success => part(counts(), |count| count.ok + count.degraded, 0.0),
            Metric::Degraded => part(counts(), |count| count.degraded, wanted),
            Metric::Failed => part(counts(), |count| count.failed, wanted),
            Metric::Rate => self.per_second(counts(), Counts::ended, segments),
            Metric::Goodput => self.per_second(counts(), |count| count.ok + count.degraded, segments),
            Metric::AttemptsPerCall => {
                let counts = begun(counts())?;
                let per_call = counts.attempts.ok_or(NO_SUCH_FIGURE)? as f64 / counts.begun as f64;
                Ok(Figure { value: per_call, text: format::number(per_call) })
            }
            Metric::Timeouts => Ok(number(begun(counts())?.timeouts)),
            Metric::Rejected => Ok(number(begun(counts())?.rejected)),
            Metric::ShortCircuited => Ok(number(begun(counts())?.short_circuited)),
            Metric::Retries => {
                let counts = begun(counts())?;
                Ok(number(counts.attempts.ok_or(NO_SUCH_FIGURE)? - counts.begun))
            }
            Metric::Workers | Metric::Queue | Metric::Connections | Metric::Backlog => {
                let (levels, row) = self.levels(subject, metric).ok_or(NO_SUCH_FIGURE)?;
                let passed = self.recording.length(segments.clone()) > 0;
                if passed { Ok(number(levels.over(row, segments).peak.into())) } else { Err(NO_TIME) }
            }
            Metric::Cpu => self.cpu(subject, over),
            Metric::Memory => self.memory(subject, segments),
            Metric::Replicas => {
                let Subject::Service(id) = subject else { return Err(NO_SUCH_FIGURE) };
                let stretch = self.recording.stretch(segments);
                Ok(number(self.recording.books.resources.serving(id.index(), stretch).most.into()))
            }
            Metric::HitRate => self.hit_rate(subject, segments),
        }
    }

    fn per_second(
        &self,
        counts: Counts,
        what: impl Fn(&Counts) -> u64,
        segments: Range<usize>,
    ) -> Result<Figure, &'static str> {
        let counts = begun(counts)?;
        let length = self.recording.length(segments);
        if length == 0 {
            return Err(NO_TIME);
        }
        let value = what(&counts) as f64 * 1e9 / length as f64;
        Ok(Figure { value, text: format::rate(value) })
    }

    /// The rows of the clients that a subject speaks of: of one load, or of all.
    fn clients(&self, subject: Subject) -> Vec<ServiceId> {
        let clients = |id: LoadId| self.plan.loads[id.index()].clients;
        match subject {
            Subject::System => self.plan.loads.iter().map(|load| load.clients).collect(),
            Subject::Load(id) => vec![clients(id)],
            _ => Vec::new(),
        }
    }

    fn counts(&self, subject: Subject, segments: Range<usize>) -> Counts {
        let books = &self.recording.books;
        let endpoints = |rows| books.requests.over(rows, segments.clone());
        let of_service = |id: ServiceId| endpoints(self.plan.services[id.index()].endpoint_range());
        match subject {
            Subject::System | Subject::Load(_) => {
                let (mut requests, mut attempts) = (Requests::default(), 0);
                for clients in self.clients(subject) {
                    requests += of_service(clients);
                    attempts += self.attempts_of(clients, segments.clone());
                }
                Counts { attempts: Some(attempts), ..requests.into() }
            }
            Subject::Task(id) | Subject::Endpoint(id) => endpoints(id.index()..id.index() + 1).into(),
            Subject::Service(id) => of_service(id).into(),
            Subject::Database(id) => books.queries.over(id.index()..id.index() + 1, segments.clone()).into(),
            Subject::Edge(id) => books.calls.over(id.index()..id.index() + 1, segments.clone()).into(),
            Subject::Cache(id) => books.resources.looks.over(id.index()..id.index() + 1, segments.clone()).into(),
            Subject::Topic(id) => {
                let service = self.plan.topics[id.index()].service;
                Counts { attempts: Some(self.attempts_of(service, segments.clone())), ..of_service(service).into() }
            }
        }
    }

    fn attempts_of(&self, caller: ServiceId, segments: Range<usize>) -> u64 {
        let edges = self.plan.edges.iter().enumerate().filter(|(_, edge)| edge.caller == caller);
        edges.map(|(row, _)| self.recording.books.calls.over(row..row + 1, segments.clone()).attempts()).sum()
    }

    fn latency(&self, subject: Subject, segments: Range<usize>) -> Together<'_> {
        let times = &self.recording.books.times;
        let first_task = self.recording.books.first_task;
        let tasks = |rows: Range<usize>| {
            times.answered.over_rows(rows.start - first_task..rows.end - first_task, segments.clone())
        };
        let endpoints = |rows: Range<usize>| {
            let queued = times.queued.over_rows(rows.clone(), segments.clone());
            times.direct.over_rows(rows, segments.clone()).and(&queued)
        };
        match subject {
            Subject::System | Subject::Load(_) => {
                let clients = self.clients(subject).into_iter();
                let each = clients.map(|clients| tasks(self.plan.services[clients.index()].endpoint_range()));
                each.fold(Together::default(), |all, tasks| all.and(&tasks))
            }
            Subject::Task(id) => tasks(id.index()..id.index() + 1),
            Subject::Service(id) => endpoints(self.plan.services[id.index()].endpoint_range()),
            Subject::Endpoint(id) => endpoints(id.index()..id.index() + 1),
            Subject::Database(id) => times.queries.over(id.index(), segments),
            Subject::Edge(id) => times.calls.over(id.index(), segments),
            Subject::Cache(id) => self.recording.books.resources.look_times.over(id.index(), segments),
            Subject::Topic(id) => {
                endpoints(self.plan.services[self.plan.topics[id.index()].service.index()].endpoint_range())
            }
        }
    }

    fn levels(&self, subject: Subject, metric: Metric) -> Option<(&Levels, usize)> {
        let books = &self.recording.books;
        match (subject, metric) {
            (Subject::Service(id), Metric::Workers) => Some((&books.busy, id.index())),
            (Subject::Service(id), Metric::Queue) => Some((&books.waiting, id.index())),
            (Subject::Database(id), Metric::Connections) => Some((&books.connections, id.index())),
            (Subject::Database(id), Metric::Queue) => Some((&books.pending, id.index())),
            (Subject::Edge(id), Metric::Connections) => Some((&books.resources.connections, id.index())),
            (Subject::Topic(id), Metric::Backlog) => {
                Some((&books.waiting, self.plan.topics[id.index()].service.index()))
            }
            _ => None,
        }
    }

    fn breaker(&self, edge: EdgeId, opens: bool, from: SimTime, within: Span) -> Verdict {
        let (state, verb, never) =
            if opens { (State::Open, "opened", "never opened") } else { (State::Closed, "closed", "never closed") };
        let wanted =
            |change: &&crate::BreakerChange| change.edge == edge && change.at >= from && change.transition.to == state;
        match self.recording.breakers().iter().find(wanted) {
            Some(change) => Verdict::timely(verb, change.at.as_nanos(), from, within),
            None => Verdict::new(false, format!("{never} after {}", format::at(from.as_secs_f64()))),
        }
    }

    /// The share of its cores that a service used over some stretch of time.
    fn cpu(&self, subject: Subject, over: &Stretch) -> Result<Figure, &'static str> {
        let Subject::Service(id) = subject else { return Err(NO_SUCH_FIGURE) };
        let share = self.recording.cpu_share(self.plan, id, over.segments.clone()).ok_or(NOT_MODELLED)?;
        Ok(Figure { value: share, text: format::share(share) })
    }

    /// The most memory that a replica of a service used.
    fn memory(&self, subject: Subject, segments: Range<usize>) -> Result<Figure, &'static str> {
        let Subject::Service(id) = subject else { return Err(NO_SUCH_FIGURE) };
        if self.plan.services[id.index()].memory.is_none() {
            return Err(NOT_MODELLED);
        }
        let bytes = self.recording.books.resources.memory.over(id.index(), segments).ok_or(NOTHING_BEGAN)?;
        Ok(Figure { value: bytes as f64, text: format::size(bytes) })
    }

    fn hit_rate(&self, subject: Subject, segments: Range<usize>) -> Result<Figure, &'static str> {
        let Subject::Cache(id) = subject else { return Err(NO_SUCH_FIGURE) };
        let count = self.recording.books.resources.looks.over(id.index()..id.index() + 1, segments);
        if count.answered() == 0 {
            return Err(NOTHING_BEGAN);
        }
        let share = count.hits as f64 / count.answered() as f64;
        Ok(Figure { value: share, text: format::share(share) })
    }

    fn saturates(&self, subject: Subject, resource: Resource, [from, limit]: [SimTime; 2]) -> Verdict {
        let within = limit - from;
        let segments = self.plan.phases.segment_at(from).index()..self.plan.phases.segments();
        let books = &self.recording.books;
        let full = |saturation: &Saturation, row: usize| saturation.over(row, segments.clone()).first();
        let first = match (subject, resource) {
            (Subject::Service(id), Resource::Workers) => full(&books.services_full, id.index()),
            (Subject::Service(id), Resource::Cpu) => full(&books.resources.cpu_full, id.index()),
            (Subject::Service(id), Resource::Queue) => books.turned_away.since(id.index(), segments.start),
            (Subject::Service(id), Resource::Memory) => self.recording.out_of_memory_since(self.plan, id, from),
            (Subject::Database(id), Resource::Connections) => full(&books.databases_full, id.index()),
            _ => return Verdict::new(false, NO_SUCH_FIGURE),
        };
        match first {
            Some(first) if first == from.as_nanos() => {
                let actual = format!("saturated already at {}", format::at(from.as_secs_f64()));
                Verdict::new(true, actual).with_value(0.0)
            }
            Some(first) => Verdict::timely("saturated", first, from, within),
            None => Verdict::new(false, format!("never saturated after {}", format::at(from.as_secs_f64()))),
        }
    }

    fn recovers(&self, subject: Subject, [before, from]: [SimTime; 2], within: Span) -> Verdict {
        match recovery::since(self.plan, self.recording, &self.clients(subject), [before, from]) {
            Recovery::Since(at) => Verdict::timely("recovered", at, from, within),
            Recovery::Never { before, last } => {
                let [before, last] = [before, last].map(format::rate);
                Verdict::new(false, format!("never recovered: goodput {last} at the end, {before} before"))
            }
            Recovery::NothingBefore => {
                Verdict::new(false, "no samples: no whole step of the timeline before the fault")
            }
            Recovery::NothingAfter => Verdict::new(false, "no samples: no whole step of the timeline is left after it"),
        }
    }
}

const NOTHING_BEGAN: &str = "no samples: nothing began in that time";
const NOTHING_ENDED: &str = "no samples: nothing that began in that time was answered";
const NO_TIME: &str = "no samples: the run did not get there";
const NO_SUCH_FIGURE: &str = "no samples: it has no such figure";
const NOT_MODELLED: &str = "no samples: the file says nothing of it";

/// The counts, if there is anything to count.
const fn begun(counts: Counts) -> Result<Counts, &'static str> {
    if counts.begun == 0 { Err(NOTHING_BEGAN) } else { Ok(counts) }
}

/// A part of what ended: its share, or how many it is if it is compared with more than one.
fn part(counts: Counts, what: impl Fn(&Counts) -> u64, wanted: f64) -> Result<Figure, &'static str> {
    let (part, ended) = (what(&counts), counts.ended());
    if ended == 0 {
        return Err(NOTHING_ENDED);
    }
    let share = part as f64 / ended as f64;
    Ok(if wanted > 1.0 {
        Figure { value: part as f64, text: format::count(part) }
    } else {
        Figure { value: share, text: format::share(share) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ITEM, PAGE, STORE, Story, USER, chain_expecting, edge};
    use squall_model::Outcome;
    use squall_model::observation::{Failure, Observation};
    use squall_model::plan::ReplicaId;
    use squall_policies::breaker::{Reason, Transition, Why};

    const TIMEOUT: Failure = Failure::Callee(Outcome::Timeout);

    /// Healthy but for the time of the fault, from 4 s to 6 s: there, half of the requests fail after 800 ms, the rest
    /// is degraded; `back` is saturated, the breaker opens and closes again. Nothing begins after 9 s.
    fn tell(story: &mut Story<'_>) {
        let back = edge(story.plan, "front -> back");
        for at in (0..9_000).step_by(100) {
            let outage = (4_000..6_000).contains(&at);
            let outcome = match at / 100 % 2 {
                _ if !outage => Outcome::Ok,
                0 => Outcome::Timeout,
                _ => Outcome::Degraded,
            };
            let took = if outage { 800 } else { 50 };
            story.visit(USER, at, [0, took], outcome);
            story.visit(PAGE, at, [0, took], outcome);
            story.visit(ITEM, at, [at / 100 % 4 * 10, 40], Outcome::Ok);
            story.query(STORE, at, [0, 10], Outcome::Ok);
            if outage {
                story.failing_call(back, at, 400, &[TIMEOUT, TIMEOUT]);
            } else {
                story.call(back, at, 45);
            }
        }
        story.turned_away(ITEM, 4_500);
        story.saturated(ITEM, 4_250, 1_000);
        for (at, from, to) in [(4_410, State::Closed, State::Open), (7_000, State::HalfOpen, State::Closed)] {
            let transition = Transition { from, to, why: Why::from(Reason::Asked), replica: None };
            story.tell(at, Observation::Breaker { edge: back, replica: ReplicaId(0), transition });
        }
    }

    #[test]
    fn every_claim_is_judged_with_what_was_found() {
        let table = [
            ("users p50 < 60ms", true, "50ms"),
            ("users p50 < 50ms in calm", false, "50ms"),
            ("users max >= 800ms in slow", true, "800ms"),
            ("users mean == 50ms in later", true, "50ms"),
            ("system p99 < 1s", true, "800ms"),
            ("users.users p50 < 60ms in calm", true, "50ms"),
            ("users success >= 99% in before slow", true, "100%"),
            ("users success >= 99% in slow", false, "50%"),
            ("users degraded > 0 in slow", true, "50%"),
            ("users failed <= 50% in slow", true, "50%"),
            ("users rate == 10/s in calm", true, "10/s"),
            ("users goodput < 6/s in slow", true, "5/s"),
            ("users goodput < 6/s", false, "7.78/s"),
            ("front p50 > 1ms in slow", true, "800ms"),
            ("front.page p90 <= 60ms in later", true, "50ms"),
            ("front timeouts == 10 in slow", true, "10"),
            ("back rejected == 1", true, "1"),
            ("back success < 100% in slow", true, "95.24%"),
            ("back max < 71ms in calm", true, "70ms"),
            ("back workers <= 2 in calm", true, "1"),
            ("back queue >= 1", true, "1"),
            ("store p99 < 20ms", true, "10ms"),
            ("store connections <= 4", true, "1"),
            ("front -> back attempts per call < 1.3", true, "1.25"),
            ("front -> back attempts per call < 1.3 in slow", false, "2"),
            ("front -> back timeouts == 40", true, "40"),
            ("front -> back retries == 0 in later", true, "0"),
            ("front -> back short_circuited == 0", true, "0"),
            ("front -> back success >= 99% in after slow", true, "100%"),
            ("front -> back breaker opens within 1s of slow", true, "opened at 4.41s, after 410ms"),
            ("front -> back breaker opens within 400ms of slow", false, "opened at 4.41s, after 410ms"),
            ("front -> back breaker opens within 1s after slow", false, "never opened after 6s"),
            ("front -> back breaker closes within 1s after slow", true, "closed at 7s, after 1s"),
            ("back workers saturate within 500ms of slow", true, "saturated at 4.25s, after 250ms"),
            ("back workers saturate within 200ms of slow", false, "saturated at 4.25s, after 250ms"),
            ("front workers saturate within 1s of slow", false, "never saturated after 4s"),
            ("system recovers within 1s after slow", false, "never recovered: goodput 0/s at the end, 10/s before"),
        ];
        let lines: Vec<_> = table.iter().map(|(text, ..)| format!("'{text}'")).collect();
        let plan = chain_expecting(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut story = Story::new(&plan);
        tell(&mut story);
        let judged = judge(&plan, &story.record(10_000));
        assert_eq!(judged.len(), table.len());
        for (judged, (text, pass, actual)) in judged.iter().zip(table) {
            assert_eq!((judged.text.as_str(), judged.pass, judged.actual.as_str()), (text, pass, actual));
        }
    }

    #[test]
    fn a_figure_without_samples_fails_and_says_so() {
        let table = [
            ("users p99 < 1s", NOTHING_ENDED),
            ("users success >= 0%", NOTHING_ENDED),
            ("users goodput >= 0/s", NOTHING_BEGAN),
            ("front -> back attempts per call < 9", NOTHING_BEGAN),
            ("front -> back timeouts == 0", NOTHING_BEGAN),
            ("back rejected == 0 in later", NOTHING_BEGAN),
            ("back queue < 9 in later", NO_TIME),
            ("front cpu < 9%", NOT_MODELLED),
            ("system recovers within 1s after slow", "no samples: no whole step of the timeline is left after it"),
        ];
        let lines: Vec<_> = table.iter().map(|(text, _)| format!("'{text}'")).collect();
        let plan = chain_expecting(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        for (judged, (text, actual)) in judge(&plan, &Story::new(&plan).record(5_000)).iter().zip(table) {
            assert_eq!((judged.text.as_str(), judged.pass, judged.actual.as_str()), (text, false, actual));
        }
    }
}
