//! What a run is a case of. Every verdict stands on figures of the run that it names; where they are missing there is no
//! verdict. The story (`causes`) says what happened; this says what it amounts to.

mod shortage;

use squall_model::plan::{EdgeId, Effect, Plan, ServiceId};

use crate::causes::{self, Event, Story};
use crate::format;
use crate::recording::Recording;
use crate::recovery::{self, Recovery};
use crate::report::{CauseKind, Finding, FindingKind};
use crate::summary::to_seconds;
use crate::tallies::{Calls, Requests};
use crate::web::{Thing, name};

/// So many times as long as before is slow.
const SLOWER: f64 = 2.0;
/// A storm that lasts for so many steps of the timeline is more than a wave.
const LASTING: usize = 4;
/// So much of a service's work for nobody is what keeps a failure going.
const WASTED: f64 = 0.2;

/// The verdicts on a run, the worst first.
pub(crate) fn of(plan: &Plan, recording: &Recording, story: &Story) -> Vec<Finding> {
    let judge = Judge { plan, recording, story };
    let mut found: Vec<Finding> =
        [judge.metastable(), judge.cascade(), judge.retry_storm(), judge.leak(), judge.shortage()]
            .into_iter()
            .flatten()
            .collect();
    if found.is_empty() {
        found.extend(judge.dependency());
    }
    found
}

struct Judge<'r> {
    plan: &'r Plan,
    recording: &'r Recording,
    story: &'r Story,
}

/// Retries that outnumbered first attempts.
struct Storm<'e> {
    event: &'e Event,
    edge: EdgeId,
    /// From its beginning to the end of the load.
    since: Calls,
    worst: Calls,
    /// In so many steps of the timeline.
    stormy: usize,
}

impl Storm<'_> {
    fn words(&self) -> String {
        let per_call = self.since.attempts() as f64 / self.since.begun.max(1) as f64;
        format!(
            "{}: {} attempts a call from {} on, {} retries in all; at the worst {} to {} first attempts in one step, and \
             more of them than those in {} steps",
            self.event.subject,
            format::number(per_call),
            format::at(to_seconds(self.event.at)),
            format::count(self.since.retries),
            format::count(self.worst.retries),
            format::count(self.worst.begun),
            format::count(self.stormy as u64),
        )
    }
}

/// One step of the timeline.
#[derive(Clone, Copy)]
struct Step {
    window: usize,
    start: u64,
    length: u64,
}

impl Judge<'_> {
    fn events(&self, kind: CauseKind) -> impl Iterator<Item = (usize, &Event)> {
        self.story.events.iter().enumerate().filter(move |(_, event)| event.kind == kind)
    }

    /// The event that an event goes back to in the end.
    fn root(&self, event: usize) -> usize {
        let mut root = event;
        // A reason always comes before what it explains.
        while let Some(because) = self.story.because.get(root).and_then(Option::as_ref) {
            root = because.cause;
        }
        root
    }

    /// Whether an event goes back to one of this kind.
    fn goes_back_to(&self, event: usize, kind: CauseKind) -> bool {
        let mut at = event;
        while let Some(because) = self.story.because.get(at).and_then(Option::as_ref) {
            at = because.cause;
            if self.story.events[at].kind == kind {
                return true;
            }
        }
        false
    }

    /// The steps of the timeline under load.
    fn steps(&self) -> impl Iterator<Item = Step> {
        let (warm, end) = (self.plan.warmup.as_nanos(), self.plan.duration.as_nanos());
        let windows = self.recording.windows().enumerate();
        let steps = windows.map(|(window, (start, length))| Step { window, start, length });
        steps.filter(move |step| step.start >= warm && step.start + step.length <= end)
    }

    fn finding(&self, kind: FindingKind, (at, about): (u64, Thing), what: String, evidence: Vec<String>) -> Finding {
        let subject = name(self.plan, about).to_owned();
        Finding { kind, subject, at_s: to_seconds(at), what, evidence }
    }

    /// How users fared, if badly.
    fn harm(&self) -> Vec<String> {
        let mut harm = Vec::new();
        for (row, load) in self.plan.loads.iter().enumerate() {
            let tasks = self.plan.services[load.clients.index()].endpoint_range();
            let count = self.recording.books.requests.over(tasks, self.plan.phases.summary());
            let failed = count.failures.total() + count.rejected();
            let arrived = count.arrived();
            if failed > 0 {
                let share = format::share(failed as f64 / arrived as f64);
                harm.push(format!("{share} of {} requests of {} failed", format::count(arrived), load.name));
            }
            if count.degraded > 0 {
                let share = format::share(count.degraded as f64 / arrived as f64);
                harm.push(format!("{share} of {} requests of {} were degraded", format::count(arrived), load.name));
            }
            let unanswered = count.in_flight();
            if unanswered > 0 && unanswered * 100 >= arrived {
                harm.push(format!("{} requests of {} had no answer by the end", format::count(unanswered), load.name));
            }
            if let Some((usual, worst, at)) = self.slowest_step(row) {
                let [usual, worst] = [usual, worst].map(|ns| format::duration(ns as f64));
                let at = format::at(to_seconds(at));
                harm.push(format!("the p99 of {} went from {usual} to {worst} at {at}", load.name));
            }
        }
        harm
    }

    /// The usual p99 of a load's steps, the worst since trouble began, and when that was; if it was much slower.
    fn slowest_step(&self, load: usize) -> Option<(u64, u64, u64)> {
        let first = self.story.events.first()?.at;
        let latencies = self.recording.books.windows.latencies(load);
        let steps: Vec<(u64, u64)> = self
            .steps()
            .filter_map(|step| latencies.get(step.window).and_then(Option::as_ref).map(|found| (step.start, found.p99)))
            .collect();
        let step = self.recording.step();
        let mut before: Vec<u64> = steps.iter().filter(|(at, _)| at + step <= first).map(|(_, p99)| *p99).collect();
        before.sort_unstable();
        let usual = *before.get(before.len() / 2)?;
        let (at, worst) = steps.iter().filter(|(at, _)| at + step > first).max_by_key(|(_, p99)| *p99).copied()?;
        (worst as f64 >= SLOWER * usual as f64).then_some((usual, worst, at))
    }

    /// Services that ran out of workers because of a fault further down.
    fn cascade(&self) -> Option<Finding> {
        let faulty = |thing: Thing| self.events(CauseKind::FaultBegan).any(|(_, fault)| fault.about.contains(&thing));
        let starved: Vec<(usize, &Event)> = self
            .events(CauseKind::Saturated)
            .filter(|(_, event)| matches!(event.about.first(), Some(Thing::Service(_))))
            .filter(|(_, event)| !event.about.iter().any(|thing| faulty(*thing)))
            .filter(|(at, event)| {
                let root = &self.story.events[self.root(*at)];
                let below = root.kind == CauseKind::FaultBegan || root.kind == CauseKind::Saturated;
                let of_load = root.about.iter().any(|thing| self.is_client(*thing));
                below && root.about != event.about && !of_load && !self.goes_back_to(*at, CauseKind::RetryStorm)
            })
            .collect();
        let (first, event) = *starved.first()?;
        let harm = self.harm();
        if harm.is_empty() {
            return None;
        }
        let root = &self.story.events[self.root(first)];
        let about = *root.about.first()?;
        let names: Vec<&str> = starved.iter().map(|(_, event)| event.subject.as_str()).collect();
        let what = format!(
            "{} took down {}, which had nothing wrong with {}",
            self.blamed(root),
            names.join(", then "),
            if names.len() == 1 { "it" } else { "them" }
        );
        let evidence = starved.iter().map(|(at, event)| {
            let because = self.story.because[*at].as_ref().map(|because| format!(", {}", because.text));
            format!("{} from {}{}", event.what, format::at(to_seconds(event.at)), because.unwrap_or_default())
        });
        let evidence = evidence.chain(harm).collect();
        Some(self.finding(FindingKind::CascadingFailure, (event.at, about), what, evidence))
    }

    fn blamed(&self, root: &Event) -> String {
        match (root.kind, root.about.first()) {
            (CauseKind::FaultBegan, Some(hit)) => format!("{} (fault {})", name(self.plan, *hit), root.subject),
            _ => root.subject.clone(),
        }
    }

    fn is_client(&self, thing: Thing) -> bool {
        matches!(thing, Thing::Service(row) if row >= self.plan.first_client)
    }

    /// Calls on which retries outnumbered first attempts for more than a moment.
    fn retry_storm(&self) -> Option<Finding> {
        let storms: Vec<Storm<'_>> =
            self.events(CauseKind::RetryStorm).filter_map(|(_, event)| self.storm(event)).collect();
        let first = storms.iter().map(|storm| storm.event.at).min()?;
        let worst = storms.iter().max_by_key(|storm| storm.since.retries)?.edge;
        let mut evidence: Vec<String> = storms.iter().map(Storm::words).collect();
        let users: u64 = self.user_edges().map(|edge| self.calls(edge).begun).sum();
        let callee = &self.plan.services[self.plan.edges[worst.index()].callee.index()];
        let reached = self.recording.books.requests.whole(callee.endpoint_range()).arrived();
        if reached > users && users > 0 {
            evidence.push(format!(
                "{} requests of users became {} requests at {}",
                format::count(users),
                format::count(reached),
                callee.name
            ));
        }
        let what = format!("retries of {} multiplied the load", self.plan.edges[worst.index()].name);
        Some(self.finding(FindingKind::RetryStorm, (first, Thing::Edge(worst.index())), what, evidence))
    }

    /// What retries made of a call, if it was more than one wave of them.
    fn storm<'e>(&self, event: &'e Event) -> Option<Storm<'e>> {
        let Some(Thing::Edge(row)) = event.about.first().copied() else { return None };
        let windows = self.recording.books.windows.calls(row);
        let steps: Vec<Calls> = self
            .steps()
            .filter(|step| step.start + step.length > event.at)
            .filter_map(|step| windows.get(step.window).copied())
            .collect();
        let stormy = steps.iter().filter(|calls| causes::is_storm(calls)).count();
        let since = steps.iter().fold(Calls::default(), |mut sum, calls| {
            sum += *calls;
            sum
        });
        let lasts = stormy >= LASTING || since.retries >= since.begun;
        let worst = steps.iter().max_by_key(|calls| calls.retries.saturating_sub(calls.begun)).copied()?;
        lasts.then_some(Storm { event, edge: EdgeId::from(row), since, worst, stormy })
    }

    fn calls(&self, edge: EdgeId) -> Calls {
        self.recording.books.calls.whole(edge.index()..edge.index() + 1)
    }

    fn user_edges(&self) -> impl Iterator<Item = EdgeId> {
        let edges = self.plan.edges.iter().enumerate();
        edges.filter(|(_, edge)| edge.caller.index() >= self.plan.first_client).map(|(row, _)| EdgeId::from(row))
    }

    /// The trigger is gone, goodput is not back, and something keeps it so.
    fn metastable(&self) -> Option<Finding> {
        let faults = self.recording.faults();
        let first = faults.iter().filter_map(|fault| fault.began).min()?;
        let end = self.plan.duration.as_nanos();
        let began = faults.iter().filter(|fault| fault.began.is_some());
        let gone = began.map(|fault| fault.ended.map_or(u64::MAX, squall_model::SimTime::as_nanos)).max()?;
        // It must have had time to come back.
        if gone.saturating_add(end / 10) > end {
            return None;
        }
        let clients: Vec<ServiceId> = self.plan.loads.iter().map(|load| load.clients).collect();
        let after = squall_model::SimTime::from_nanos(gone);
        let Recovery::Never { before, last } = recovery::since(self.plan, self.recording, &clients, [first, after])
        else {
            return None;
        };
        let (service, done, wanted) = self.most_wasted(gone)?;
        let wasted = 1.0 - wanted as f64 / done.max(1) as f64;
        let queue = self.queue_grows(gone);
        if wasted < WASTED && queue.is_none() {
            return None;
        }
        let mut evidence = vec![
            format!("the last fault ended at {}", format::at(to_seconds(gone))),
            format!("goodput at the end is {}, and was {} before the fault", format::rate(last), format::rate(before)),
        ];
        let name = &self.plan.services[service].name;
        if wasted >= WASTED {
            evidence.push(format!(
                "since then {} of what {name} did was for callers that had left ({} of {} requests)",
                format::share(wasted),
                format::count(done - wanted),
                format::count(done)
            ));
        }
        evidence.extend(queue);
        let minutes = format::duration((end - gone) as f64);
        let what = format!("the trigger is gone, and {minutes} later the system is still down: it keeps itself there");
        Some(self.finding(FindingKind::Metastable, (gone, Thing::Service(service)), what, evidence))
    }

    /// The service that did the most for nobody since `from`: what it answered well, and what of that reached a caller.
    fn most_wasted(&self, from: u64) -> Option<(usize, u64, u64)> {
        let services = (0..self.plan.real_services).map(|row| {
            let windows = self.recording.books.windows.requests(row);
            let since = |step: &Step| step.start >= from;
            let done: u64 =
                self.steps().filter(since).filter_map(|step| windows.get(step.window)).map(Requests::succeeded).sum();
            let callers = self.plan.edges.iter().enumerate().filter(|(_, edge)| edge.callee.index() == row);
            let wanted: u64 = callers
                .map(|(edge, _)| {
                    let calls = self.recording.books.windows.calls(edge);
                    let steps = self.steps().filter(since).filter_map(|step| calls.get(step.window).copied());
                    steps.map(|calls| calls.ok + calls.degraded).sum::<u64>()
                })
                .sum();
            (row, done, wanted.min(done))
        });
        services.max_by_key(|(_, done, wanted)| done - wanted)
    }

    /// A queue that is longer at the end than when the trigger went.
    fn queue_grows(&self, from: u64) -> Option<String> {
        let grows = (0..self.plan.real_services).filter_map(|row| {
            let areas = self.recording.books.waiting.windows(row);
            let mean = |step: Step| areas.get(step.window).map(|area| area.mean(step.length));
            let mut since = self.steps().filter(|step| step.start >= from).filter_map(mean);
            let (first, last) = (since.next()?, since.last()?);
            (last > first && last >= 1.0).then_some((row, first, last))
        });
        let (row, first, last) = grows.max_by(|a, b| a.2.total_cmp(&b.2))?;
        let [first, last] = [first, last].map(format::number);
        Some(format!("the queue of {} grew from {first} to {last} requests meanwhile", self.plan.services[row].name))
    }

    /// How many wait at something that is saturated.
    fn pressure(&self, about: Thing, from: u64) -> Option<String> {
        let (levels, row, what) = match about {
            Thing::Service(row) => (&self.recording.books.waiting, row, "a worker"),
            Thing::Database(row) => (&self.recording.books.pending, row, "a connection"),
            _ => return None,
        };
        let areas = levels.windows(row);
        let since = self.steps().filter(|step| step.start + step.length > from);
        let most = since.filter_map(|step| areas.get(step.window)).map(|area| area.peak).max()?;
        let turned_away = match about {
            Thing::Service(row) => {
                self.recording.books.requests.whole(self.plan.services[row].endpoint_range()).rejected()
            }
            _ => 0,
        };
        match (most, turned_away) {
            (0, 0) => None,
            (most, 0) => Some(format!("up to {} requests waited for {what}", format::count(u64::from(most)))),
            (most, away) => Some(format!(
                "up to {} requests waited for {what}, and {} were turned away",
                format::count(u64::from(most)),
                format::count(away)
            )),
        }
    }

    /// A fault that showed, and from which nothing worse came.
    fn dependency(&self) -> Option<Finding> {
        let harm = self.harm();
        let fired = |event: &Event| {
            let faults = self.plan.faults.iter().zip(self.recording.faults());
            faults.filter(|(fault, _)| fault.name == event.subject).map(|(_, record)| record.fired).sum::<u64>()
        };
        let (at, event) = self
            .events(CauseKind::FaultBegan)
            .filter(|(_, event)| fired(event) > 0 && !event.about.iter().any(|thing| self.is_client(*thing)))
            .max_by_key(|(at, event)| (self.effects(*at).count(), fired(event)))?;
        let effects: Vec<String> = self.effects(at).map(|effect| effect.what.clone()).collect();
        if effects.is_empty() && harm.is_empty() {
            return None;
        }
        let slow = self.plan.faults.iter().filter(|fault| fault.name == event.subject).all(|fault| {
            matches!(
                fault.effect,
                Effect::Latency(_)
                    | Effect::Add(_)
                    | Effect::Times(_)
                    | Effect::Pause
                    | Effect::Hang
                    | Effect::Capacity(_)
            )
        });
        let about = *event.about.first()?;
        let (kind, did) =
            if slow { (FindingKind::SlowDependency, "was slow") } else { (FindingKind::FailingDependency, "failed") };
        let what = format!(
            "{} {did} (fault {}), and no other service went down with it",
            name(self.plan, about),
            event.subject
        );
        let struck = match fired(event) {
            1 => "the fault struck once".to_owned(),
            times => format!("the fault struck {} times", format::count(times)),
        };
        let evidence = std::iter::once(struck).chain(effects).chain(harm).collect();
        Some(self.finding(kind, (event.at, about), what, evidence))
    }

    /// What goes back to an event, but for what is told of users anyway.
    fn effects(&self, root: usize) -> impl Iterator<Item = &Event> {
        let events = self.story.events.iter().enumerate();
        let follows = move |(at, event): &(usize, &Event)| {
            let told = matches!(
                event.kind,
                CauseKind::TimedOut
                    | CauseKind::BreakerOpened
                    | CauseKind::Saturated
                    | CauseKind::Queued
                    | CauseKind::Rejected
            );
            told && *at != root && self.root(*at) == root
        };
        events.filter(follows).map(|(_, event)| event)
    }
}
