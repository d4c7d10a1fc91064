//! The story of a run: what went wrong, in order. Firsts only, so that it can be read.
//!
//! What was the same before the first fault is no consequence of it: a service that was saturated for a fifth of that
//! time, or whose requests had to wait, is not told of again.

use core::ops::Range;

use squall_model::SimTime;
use squall_model::plan::{EdgeId, Fault, Plan, ServiceId};
use squall_policies::breaker::State;

use crate::because;
use crate::firsts::{FirstTimes, Firsts};
use crate::format;
use crate::recording::Recording;
use crate::recovery::{self, Recovery};
use crate::report::{Because, Cause, CauseKind};
use crate::saturation::Saturation;
use crate::summary::to_seconds;
use crate::tallies::Calls;
use crate::timeline;
use crate::web::{self, Thing, Web};
use crate::wording;

/// Saturated for this share of the time before the first fault, a service is simply like that.
const USUALLY_FULL: f64 = 0.2;

/// What went wrong, in order.
pub(crate) fn story(plan: &Plan, recording: &Recording) -> Story {
    let first_fault = recording.faults().iter().filter_map(|fault| fault.began).min();
    let mut teller = Teller { plan, recording, first_fault, story: Vec::new() };
    teller.faults();
    teller.saturation();
    teller.machines();
    teller.queues();
    teller.calls();
    teller.rejections();
    teller.failures();
    teller.recovery();
    let mut events = teller.story;
    events.sort_by_key(|event| event.at);
    let web = Web::new(plan);
    let because = because::explain(plan, &web, &events);
    Story { events, because }
}

/// What went wrong, and what followed from what.
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    /// By event.
    pub(crate) because: Vec<Option<Because>>,
}

impl Story {
    /// As the report tells it.
    pub(crate) fn causes(&self) -> Vec<Cause> {
        let told = |(event, because): (&Event, &Option<Because>)| Cause {
            at_s: to_seconds(event.at),
            what: event.what.clone(),
            kind: event.kind,
            subject: event.subject.clone(),
            because: because.clone(),
        };
        self.events.iter().zip(&self.because).map(told).collect()
    }
}

/// A cause with its exact time. Those of the same instant stay in the order they were told.
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) kind: CauseKind,
    pub(crate) subject: String,
    pub(crate) what: String,
    /// What it happened to.
    pub(crate) about: Vec<Thing>,
}

struct Teller<'r> {
    plan: &'r Plan,
    recording: &'r Recording,
    first_fault: Option<SimTime>,
    story: Vec<Event>,
}

impl Teller<'_> {
    /// `what` follows the name of what it happened to.
    fn tell(&mut self, at: u64, kind: CauseKind, about: Thing, what: &str) {
        let subject = web::name(self.plan, about).to_owned();
        let what = format!("{subject}: {what}");
        self.story.push(Event { at, kind, subject, what, about: vec![about] });
    }

    fn faults(&mut self) {
        let rows: Vec<_> = self.plan.faults.iter().zip(self.recording.faults()).collect();
        for rows in rows.chunk_by(|(a, _), (b, _)| a.entry == b.entry && a.name == b.name) {
            let faults: Vec<&Fault> = rows.iter().map(|(fault, _)| *fault).collect();
            let name = faults.first().map_or("", |fault| fault.name.as_str());
            let subject = name.to_owned();
            let about: Vec<Thing> = faults.iter().map(|fault| web::hit(self.plan, fault.target)).collect();
            if let Some(began) = rows.iter().filter_map(|(_, record)| record.began).min() {
                let what = format!("fault {name} begins ({})", wording::faults(self.plan, &faults));
                let (at, subject, about) = (began.as_nanos(), subject.clone(), about.clone());
                self.story.push(Event { at, kind: CauseKind::FaultBegan, subject, what, about });
            }
            // One that lasts to the end of the load has no end worth telling.
            let end = SimTime::ZERO + self.plan.duration;
            let ended = rows.iter().filter_map(|(_, record)| record.ended).max();
            let lasts = faults.iter().any(|fault| fault.from < fault.to);
            if let Some(ended) = ended.filter(|ended| *ended < end && lasts) {
                let what = format!("fault {name} ends");
                self.story.push(Event { at: ended.as_nanos(), kind: CauseKind::FaultEnded, subject, what, about });
            }
        }
    }

    fn saturation(&mut self) {
        for (row, database) in self.plan.databases.iter().enumerate() {
            let waited = self.recording.books.pending.whole(row).peak > 0;
            if let Some(at) = self.newly_full(&self.recording.books.databases_full, row).filter(|_| waited) {
                let what = format!("all {} connections busy", database.connections);
                self.tell(at, CauseKind::Saturated, Thing::Database(row), &what);
            }
        }
        for row in 0..self.plan.real_services {
            let service = &self.plan.services[row];
            if let Some(at) = self.newly_full(&self.recording.books.services_full, row).filter(|_| self.wanted(row)) {
                let all = u64::from(service.workers) * u64::from(service.replicas);
                let what = match all {
                    _ if service.autoscale.is_some() => "all workers busy".to_owned(),
                    1 => "its only worker busy".to_owned(),
                    all => format!("all {all} workers busy"),
                };
                self.tell(at, CauseKind::Saturated, Thing::Service(row), &what);
            }
        }
    }

    /// Cores that are all in use, and replicas that die for want of memory.
    fn machines(&mut self) {
        let resources = &self.recording.books.resources;
        for row in 0..self.plan.real_services {
            let service = &self.plan.services[row];
            // For a moment they are in any random arrivals.
            let long = service.cores.is_some_and(|cores| {
                let shares = timeline::cpu_shares(self.recording, row, cores);
                shares.into_iter().flatten().any(|share| share >= 0.99)
            });
            if let Some(at) = self.newly_full(&resources.cpu_full, row).filter(|_| long) {
                self.tell(at, CauseKind::Saturated, Thing::Service(row), "all cores busy");
            }
            let mut deaths = resources.out_of_memory.iter();
            if let Some((at, _)) = deaths.find(|(_, replica)| service.replica_range().contains(&replica.index())) {
                let what = "out of memory, the replica is killed";
                self.tell(at.as_nanos(), CauseKind::OutOfMemory, Thing::Service(row), what);
            }
        }
    }

    /// Whether anybody ever wanted a worker of a service and found none. All busy and nobody waiting is no trouble.
    fn wanted(&self, row: usize) -> bool {
        let books = &self.recording.books;
        let away = books.requests.whole(self.plan.services[row].endpoint_range()).rejected();
        away > 0 || books.waiting.whole(row).peak > 0
    }

    /// Segments before and since the first fault; all of them are since if there is none.
    fn before_and_since(&self) -> [Range<usize>; 2] {
        let all = self.plan.phases.segments();
        let since = self.first_fault.map_or(0, |at| self.plan.phases.segment_at(at).index());
        [0..since, since..all]
    }

    /// When it began to be saturated for longer than a moment, if it was not so all the time before.
    fn newly_full(&self, saturation: &Saturation, row: usize) -> Option<u64> {
        let [before, since] = self.before_and_since();
        let at = saturation.over(row, since).lasting()?;
        let length = self.recording.length(before.clone());
        let usual = length > 0 && saturation.over(row, before).time as f64 >= USUALLY_FULL * length as f64;
        let follows = self.first_fault.is_none_or(|fault| at >= fault.as_nanos());
        (follows && !usual).then_some(at)
    }

    /// Queues of services that are not told of as saturated; those have one anyway.
    fn queues(&mut self) {
        for row in 0..self.plan.real_services {
            let name = &self.plan.services[row].name;
            let told = self.story.iter().any(|event| event.kind == CauseKind::Saturated && event.subject == *name);
            let queues = self.recording.books.waiting.windows(row);
            let lasting =
                queues.iter().zip(self.recording.windows()).any(|(area, (_, length))| area.mean(length) >= 1.0);
            let books = &self.recording.books;
            let usual = books.firsts_before.as_ref().is_some_and(|firsts| firsts.queued.of(row).is_some());
            if let Some(at) = books.firsts.queued.of(row).filter(|_| lasting && !usual && !told) {
                self.tell(at, CauseKind::Queued, Thing::Service(row), "requests wait for a worker");
            }
        }
    }

    /// The first time ever, before the first fault or after.
    fn first(&self, times: impl Fn(&Firsts) -> &FirstTimes, row: usize) -> Option<u64> {
        let books = &self.recording.books;
        let before = books.firsts_before.as_ref().and_then(|firsts| times(firsts).of(row));
        before.or_else(|| times(&books.firsts).of(row))
    }

    fn calls(&mut self) {
        for (row, edge) in self.plan.edges.iter().enumerate() {
            let users = edge.caller.index() >= self.plan.first_client;
            if let Some(at) = self.first(|firsts| &firsts.timed_out, row).filter(|_| !users) {
                self.tell(at, CauseKind::TimedOut, Thing::Edge(row), "first timeout");
            }
            let end = self.plan.duration.as_nanos();
            let windows = self.recording.books.windows.calls(row).into_iter().zip(self.recording.windows());
            let storm = windows.into_iter().find(|(count, (start, _))| *start < end && is_storm(count));
            if let Some((count, (start, _))) = storm {
                let [retries, firsts] = [count.retries, count.begun].map(format::count);
                let what = format!("more retries than first attempts ({retries} to {firsts} in one step)");
                self.tell(start, CauseKind::RetryStorm, Thing::Edge(row), &what);
            }
            self.breaker(EdgeId::from(row));
        }
    }

    /// A breaker's first opening, and the closing after which it stayed closed.
    fn breaker(&mut self, edge: EdgeId) {
        let about = Thing::Edge(edge.index());
        let changes: Vec<_> = self.recording.breakers().iter().filter(|change| change.edge == edge).collect();
        if let Some(opened) = changes.iter().find(|change| change.transition.to == State::Open) {
            let what = match opened.transition.replica {
                Some(replica) => format!("breaker opens for replica {replica} ({})", opened.transition.why),
                None => format!("breaker opens ({})", opened.transition.why),
            };
            self.tell(opened.at.as_nanos(), CauseKind::BreakerOpened, about, &what);
        }
        if let Some(closed) = changes.last().filter(|change| change.transition.to == State::Closed) {
            self.tell(closed.at.as_nanos(), CauseKind::BreakerClosed, about, "breaker closes");
        }
    }

    fn rejections(&mut self) {
        for row in 0..self.plan.real_services {
            if let Some(at) = self.first(|firsts| &firsts.turned_away, row) {
                let service = &self.plan.services[row];
                let plain = service.discipline.is_none() && service.admission.is_none();
                let why = if plain { "queue full, first request turned away" } else { "first request turned away" };
                self.tell(at, CauseKind::Rejected, Thing::Service(row), why);
            }
        }
    }

    fn failures(&mut self) {
        for load in &self.plan.loads {
            if let Some(at) = self.first(|firsts| &firsts.failed, load.clients.index()) {
                self.tell(at, CauseKind::Failed, Thing::Service(load.clients.index()), "first request fails");
            }
        }
    }

    /// Whether goodput came back, if it had gone.
    fn recovery(&mut self) {
        let Some(fault) = self.first_fault else { return };
        let clients: Vec<ServiceId> = self.plan.loads.iter().map(|load| load.clients).collect();
        match recovery::since(self.plan, self.recording, &clients, [fault, fault]) {
            // In the first step answers are merely late.
            Recovery::Since(at) if at > fault.as_nanos() + self.recording.step() => {
                let what = "recovered: goodput is back where it was before the fault".to_owned();
                self.story.push(Event {
                    at,
                    kind: CauseKind::Recovered,
                    subject: "system".to_owned(),
                    what,
                    about: vec![Thing::System],
                });
            }
            Recovery::Never { before, last } => {
                let [before, last] = [before, last].map(format::rate);
                let what = format!("never recovered: goodput {last} at the end, {before} before the fault");
                let (at, kind) = (self.plan.duration.as_nanos(), CauseKind::NeverRecovered);
                self.story.push(Event { at, kind, subject: "system".to_owned(), what, about: vec![Thing::System] });
            }
            Recovery::Since(_) | Recovery::NothingBefore | Recovery::NothingAfter => {}
        }
    }
}

/// More retries than first attempts, and by more than a few.
pub(crate) const fn is_storm(count: &Calls) -> bool {
    count.retries >= 10 && count.retries * 10 > count.begun * 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CHAIN, ITEM, PAGE, Story, USER, edge, plan};
    use squall_model::Outcome;
    use squall_model::observation::{Failure, Observation};
    use squall_model::plan::{FaultId, ReplicaId};
    use squall_policies::breaker::{Reason, Transition, Why};

    fn told(story: Story<'_>) -> Vec<(f64, String)> {
        let plan = story.plan;
        super::story(plan, &story.record(10_000)).causes().into_iter().map(|cause| (cause.at_s, cause.what)).collect()
    }

    fn is(told: &[(f64, String)], expected: &[(f64, &str)]) {
        let told: Vec<_> = told.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(told, expected);
    }

    /// Ten answers a second, but for those in `except`.
    fn users(story: &mut Story<'_>, except: Range<u64>) {
        for at in (0..10_000).step_by(100).filter(|at| !except.contains(at)) {
            story.visit(USER, at, [0, 50], Outcome::Ok);
        }
    }

    fn fault(story: &mut Story<'_>) {
        story.tell(4_000, Observation::FaultBegan { fault: FaultId(0) });
        story.tell(6_000, Observation::FaultEnded { fault: FaultId(0) });
    }

    #[test]
    fn a_cascade_is_told_from_the_bottom_up() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        users(&mut story, 4_000..7_000);
        fault(&mut story);
        story.saturated(ITEM, 4_500, 2_000);
        story.saturated(PAGE, 5_500, 1_500);
        story.visit(ITEM, 4_600, [100, 10], Outcome::Ok);
        story.visit(PAGE, 5_600, [100, 10], Outcome::Ok);
        story.visit(USER, 4_600, [0, 1_000], Outcome::Timeout);
        is(
            &told(story),
            &[
                (4.0, "fault slow begins (store: latency 5s)"),
                (4.5, "back: all 2 workers busy"),
                (5.5, "front: all 2 workers busy"),
                (5.6, "users: first request fails"),
                (6.0, "fault slow ends"),
                (7.0, "recovered: goodput is back where it was before the fault"),
            ],
        );
    }

    #[test]
    fn time_outs_retries_and_breakers_have_their_place() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        let back = edge(&plan, "front -> back");
        users(&mut story, 0..0);
        fault(&mut story);
        let timeout = Failure::Callee(Outcome::Timeout);
        for _ in 0..5 {
            story.failing_call(back, 4_100, 300, &[timeout, timeout, timeout]);
        }
        let changes = [
            (4_700, State::Closed, State::Open),
            (5_700, State::Open, State::HalfOpen),
            (5_800, State::HalfOpen, State::Open),
            (6_900, State::HalfOpen, State::Closed),
        ];
        for (at, from, to) in changes {
            let transition = Transition { from, to, why: Why::from(Reason::Consecutive(3)), replica: None };
            story.tell(at, Observation::Breaker { edge: back, replica: ReplicaId(0), transition });
        }
        story.turned_away(PAGE, 4_200);
        is(
            &told(story),
            &[
                (4.0, "fault slow begins (store: latency 5s)"),
                (4.0, "front -> back: more retries than first attempts (10 to 5 in one step)"),
                (4.2, "front: queue full, first request turned away"),
                (4.4, "front -> back: first timeout"),
                (4.7, "front -> back: breaker opens (3 failures in a row)"),
                (6.0, "fault slow ends"),
                (6.9, "front -> back: breaker closes"),
            ],
        );
    }

    #[test]
    fn what_was_so_before_the_fault_is_no_part_of_its_story() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        users(&mut story, 0..0);
        fault(&mut story);
        // `back` is saturated for a quarter of the time anyway; `front` had a queue before, too.
        story.saturated(ITEM, 500, 1_000);
        story.saturated(ITEM, 4_500, 2_000);
        story.visit(PAGE, 2_000, [100, 10], Outcome::Ok);
        for _ in 0..5 {
            story.visit(PAGE, 5_000, [1_000, 10], Outcome::Ok);
        }
        is(&told(story), &[(4.0, "fault slow begins (store: latency 5s)"), (6.0, "fault slow ends")]);
    }

    #[test]
    fn goodput_that_stays_away_ends_the_story() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        users(&mut story, 4_000..10_000);
        fault(&mut story);
        for _ in 0..5 {
            story.visit(PAGE, 5_000, [3_000, 10], Outcome::Ok);
        }
        is(
            &told(story),
            &[
                (4.0, "fault slow begins (store: latency 5s)"),
                (5.0, "front: requests wait for a worker"),
                (6.0, "fault slow ends"),
                (10.0, "never recovered: goodput 0/s at the end, 10/s before the fault"),
            ],
        );
    }

    #[test]
    fn without_a_fault_overload_is_told_and_a_healthy_run_has_no_story() {
        let plan = plan(&CHAIN.replace("faults:\n  - {name: slow, at: 4s, for: 2s, target: store, latency: 5s}", ""));
        let mut healthy = Story::new(&plan);
        users(&mut healthy, 0..0);
        is(&told(healthy), &[]);
        let mut overload = Story::new(&plan);
        users(&mut overload, 0..0);
        overload.saturated(ITEM, 3_000, 200);
        let mut busy = Story::new(&plan);
        busy.saturated(ITEM, 3_000, 200);
        is(&told(busy), &[]);
        overload.visit(ITEM, 3_050, [150, 10], Outcome::Ok);
        is(&told(overload), &[(3.0, "back: all 2 workers busy")]);
    }
}
