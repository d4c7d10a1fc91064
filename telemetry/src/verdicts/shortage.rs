//! Why there was not enough of something: a leak ate it, it was still starting, there was never enough, or more was asked
//! for than usual.

use squall_model::plan::{Memory, Service};

use super::{Judge, Step};
use crate::causes::Event;
use crate::format;
use crate::report::{CauseKind, Finding, FindingKind};
use crate::summary::to_seconds;
use crate::tallies::Requests;
use crate::timeline;
use crate::web::Thing;

/// Memory that grew by this share of the limit, and not because there was more to do, has leaked.
const LEAKED: f64 = 0.2;
/// Used by this share, something is full.
const FULL: f64 = 0.98;
/// Full for this share of the time since it first was, something was never enough.
const ALWAYS: f64 = 0.9;
/// So many times what it can do is more than it can do.
const MORE: f64 = 1.02;
/// What a service lost while replicas were starting, among all that it lost.
const MOSTLY: f64 = 0.5;

/// What a shortage is, in a sentence, and what proves it.
type Shortage = (FindingKind, String, Vec<String>);

impl Judge<'_> {
    /// Something ran out, and neither a fault nor retries made it.
    pub(super) fn shortage(&self) -> Option<Finding> {
        let (at, event) = self.events(CauseKind::Saturated).find(|(at, event)| self.is_shortage(*at, event))?;
        let harm = self.harm();
        let about = *event.about.first()?;
        let pressure = self.pressure(about, event.at);
        if harm.is_empty() || pressure.is_none() {
            return None;
        }
        let by_load = self.story.events[self.root(at)].kind != CauseKind::FaultBegan;
        let gap = || if by_load { self.capacity_gap(about, event) } else { None };
        let plain =
            || (FindingKind::Overload, format!("{} is asked for more than it can do", event.subject), Vec::new());
        let (kind, what, proof) = self.cold_start(about, event).or_else(gap).unwrap_or_else(plain);
        let evidence = std::iter::once(event.what.clone()).chain(pressure).chain(proof).chain(harm).collect();
        Some(self.finding(kind, (event.at, about), what, evidence))
    }

    fn is_shortage(&self, at: usize, event: &Event) -> bool {
        let root = &self.story.events[self.root(at)];
        let of_load = root.about.iter().any(|thing| self.is_client(*thing));
        let by_fault = root.kind == CauseKind::FaultBegan && !of_load;
        let by_retries = self.goes_back_to(at, CauseKind::RetryStorm) || root.kind == CauseKind::RetryStorm;
        let by_leak = |event: &Event| {
            event.about.iter().any(|thing| matches!(thing, Thing::Service(row) if self.leaked(*row).is_some()))
        };
        !by_fault && !by_retries && !by_leak(event) && !by_leak(root)
    }

    /// Memory that was lost until there was trouble for it.
    pub(super) fn leak(&self) -> Option<Finding> {
        let harm = self.harm();
        let (row, leaked) = (0..self.plan.real_services).find_map(|row| Some((row, self.leaked(row)?)))?;
        if harm.is_empty() {
            return None;
        }
        let service = &self.plan.services[row];
        let trouble = self.trouble_of(row)?;
        let [from, to, limit] = [leaked.from, leaked.to, leaked.limit].map(|bytes| format::number(mib(bytes)));
        let grew = format!(
            "its memory grew from {from} to {to} MiB by {}, with no more requests in it than before",
            format::at(to_seconds(leaked.until))
        );
        let killed = self.killed(row);
        let mut evidence = vec![format!("{grew}; it has {limit} MiB"), trouble.what.clone()];
        if killed > 0 {
            evidence.push(format!("it was killed for want of memory {}", times(killed)));
        }
        evidence.extend(harm);
        let what = format!("{} loses memory until it is of no use", service.name);
        Some(self.finding(FindingKind::Leak, (trouble.at, Thing::Service(row)), what, evidence))
    }

    /// What a service lost of its memory until there was trouble, if it is enough to be to blame.
    fn leaked(&self, row: usize) -> Option<Leaked> {
        let memory: Memory = self.plan.services[row].memory?;
        let until = self.trouble_of(row)?.at;
        let books = &self.recording.books;
        let (busy, waiting) = (books.busy.windows(row), books.waiting.windows(row));
        // What requests held that were in it at the time is no leak.
        let own = |step: Step| {
            let inside = busy.get(step.window)?.peak + waiting.get(step.window)?.peak;
            let held = u64::from(inside).saturating_mul(memory.per_request);
            Some((step, books.resources.memory.window(row, step.window)?.saturating_sub(held)))
        };
        let calm: Vec<(Step, u64)> =
            self.steps().filter(|step| step.start + step.length <= until).filter_map(own).collect();
        let ((_, from), (last, to)) = (*calm.first()?, *calm.last()?);
        let enough = to.saturating_sub(from) as f64 >= LEAKED * memory.limit as f64;
        enough.then_some(Leaked { from, to, until: last.start + last.length, limit: memory.limit })
    }

    /// The first trouble at a service of which want of memory can be the reason.
    fn trouble_of(&self, row: usize) -> Option<&Event> {
        let about = |event: &&Event| event.about.contains(&Thing::Service(row));
        let kinds = |event: &&Event| matches!(event.kind, CauseKind::Saturated | CauseKind::OutOfMemory);
        self.story.events.iter().filter(kinds).find(about)
    }

    fn killed(&self, row: usize) -> usize {
        let replicas = self.plan.services[row].replica_range();
        let deaths = self.recording.books.resources.out_of_memory.iter();
        deaths.filter(|(_, replica)| replicas.contains(&replica.index())).count()
    }

    /// More replicas were wanted and had yet to start while most of what was lost was lost, and in the end there were
    /// enough.
    fn cold_start(&self, about: Thing, event: &Event) -> Option<Shortage> {
        let Thing::Service(row) = about else { return None };
        let service = &self.plan.services[row];
        let starting = self.starting(row);
        let (first, _) = *starting.first()?;
        let short = |step: &Step| {
            let middle = step.start + step.length / 2;
            starting.iter().any(|(from, to)| (*from..*to).contains(&middle))
        };
        let requests = self.recording.books.windows.requests(row);
        let lost = |steps: Vec<Step>| -> u64 {
            let counts = steps.into_iter().filter_map(|step| requests.get(step.window));
            counts.map(|count| count.rejected() + count.failures.total()).sum()
        };
        let since: Vec<Step> = self.steps().filter(|step| step.start + step.length > event.at).collect();
        let all = lost(since.clone());
        let meanwhile = lost(since.into_iter().filter(|step| short(step)).collect());
        if all == 0 || (meanwhile as f64) < MOSTLY * all as f64 {
            return None;
        }
        let time: u64 = starting.iter().map(|(from, to)| to - from).sum();
        let serving = self.recording.books.resources.serving(row, first..self.plan.duration.as_nanos());
        let proof = vec![
            format!(
                "its replicas went from {} to {}, and each takes {} to start",
                serving.least,
                serving.most,
                format::duration(service.cold_start.as_nanos() as f64)
            ),
            format!("for {} fewer served than were wanted", format::duration(time as f64)),
            format!(
                "{} of {} requests that it turned away or failed came while replicas were starting",
                format::count(meanwhile),
                format::count(all)
            ),
        ];
        let what = format!("{} waited for replicas that had yet to start", service.name);
        Some((FindingKind::ColdStart, what, proof))
    }

    /// When replicas of a service were wanted that did not serve yet.
    fn starting(&self, row: usize) -> Vec<(u64, u64)> {
        let resources = &self.recording.books.resources;
        let service: &Service = &self.plan.services[row];
        let mut all: Vec<(u64, u64)> = Vec::new();
        if service.autoscale.is_none() || service.cold_start.is_zero() {
            return all;
        }
        let end = self.plan.duration.as_nanos();
        for scaled in resources.scaled.iter().filter(|scaled| scaled.service.index() == row && scaled.to > scaled.from)
        {
            let from = scaled.at.as_nanos();
            let there = resources.serving[row].iter().find(|(at, count)| *at >= from && *count >= scaled.to);
            let to = there.map_or(end, |(at, _)| *at);
            match all.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                _ => all.push((from, to)),
            }
        }
        all
    }

    /// From when it first was full on, it hardly ever was not, and at the end still more is asked for than it can do.
    fn capacity_gap(&self, about: Thing, event: &Event) -> Option<Shortage> {
        let since: Vec<Step> = self.steps().filter(|step| step.start >= event.at).collect();
        let full = since.iter().filter(|step| self.is_full(about, **step)).count();
        if since.is_empty() || (full as f64) < ALWAYS * since.len() as f64 {
            return None;
        }
        let late = &since[since.len() * 3 / 4..];
        let seconds: f64 = to_seconds(late.iter().map(|step| step.length).sum());
        let (asked, done) = self.asked_and_done(about, late)?;
        let [asked, done] = [asked, done].map(|count| count as f64 / seconds);
        if asked < MORE * done {
            return None;
        }
        let proof = vec![
            format!(
                "from {} to the end it was full for {full} of {} steps",
                format::at(to_seconds(event.at)),
                since.len()
            ),
            format!("at the end it is asked for {}, and does {}", format::rate(asked), format::rate(done)),
        ];
        let missing = format::rate(asked - done);
        let what = format!("{} cannot do what it is asked for all the time: {missing} are too many", event.subject);
        Some((FindingKind::CapacityGap, what, proof))
    }

    fn is_full(&self, about: Thing, step: Step) -> bool {
        let books = &self.recording.books;
        match about {
            Thing::Service(row) => {
                let service = &self.plan.services[row];
                let serving = books.resources.serving(row, step.start..step.start + step.length);
                let replicas = serving.time as f64 / step.length.max(1) as f64;
                let workers = f64::from(service.workers) * replicas;
                let busy = books.busy.window(row, step.window).map_or(0.0, |area| area.mean(step.length));
                let cores = service.cores.and_then(|cores| {
                    timeline::cpu_shares(self.recording, row, cores).get(step.window).copied().flatten()
                });
                busy >= FULL * workers || cores.is_some_and(|share| share >= FULL)
            }
            Thing::Database(row) => {
                let connections = f64::from(self.plan.databases[row].connections);
                let busy = books.connections.window(row, step.window).map_or(0.0, |area| area.mean(step.length));
                busy >= FULL * connections
            }
            _ => false,
        }
    }

    /// What came and what was done in some steps; of a database, for the services that ask it: they are whom it makes wait.
    fn asked_and_done(&self, about: Thing, steps: &[Step]) -> Option<(u64, u64)> {
        let count = |row: usize| {
            let requests = self.recording.books.windows.requests(row);
            let counts = steps.iter().filter_map(|step| requests.get(step.window));
            counts.fold((0, 0), |(asked, done), count: &Requests| (asked + count.arrived(), done + count.succeeded()))
        };
        match about {
            Thing::Service(row) => Some(count(row)),
            Thing::Database(_) => {
                let clients = self.plan.first_client..self.plan.services.len();
                Some(clients.map(count).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1)))
            }
            _ => None,
        }
    }
}

/// Memory that is gone.
struct Leaked {
    from: u64,
    to: u64,
    until: u64,
    limit: u64,
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", format::count(count as u64)) }
}
