//! What follows from what. Effects go up along calls: a callee that is slow makes its caller wait; and load goes down:
//! retries and a fault on a load fill what they reach. Of all that happened before, the nearest is the reason; of several
//! as near, the last.

use squall_model::plan::Plan;

use crate::causes::Event;
use crate::report::{Because, CauseKind};
use crate::web::{Strand, Thing, Web, name};

/// The reason of each event, as the place of another among them; they are in order of time.
pub(crate) fn explain(plan: &Plan, web: &Web, events: &[Event]) -> Vec<Option<Because>> {
    let ask = Asker { plan, web, events };
    (0..events.len()).map(|event| ask.reason(event)).collect()
}

struct Asker<'e> {
    plan: &'e Plan,
    web: &'e Web,
    events: &'e [Event],
}

/// Another event, and the way to what it happened to.
struct Reason {
    event: usize,
    way: Vec<String>,
}

impl Asker<'_> {
    fn reason(&self, event: usize) -> Option<Because> {
        let (kind, about) = (self.events[event].kind, *self.events[event].about.first()?);
        let reason = match kind {
            CauseKind::FaultBegan | CauseKind::FaultEnded => None,
            CauseKind::Recovered => self.last(event, &[CauseKind::FaultEnded]),
            CauseKind::NeverRecovered => self
                .last(event, &[CauseKind::RetryStorm])
                .or_else(|| self.last(event, &[CauseKind::Saturated]))
                .or_else(|| self.last(event, &[CauseKind::FaultBegan])),
            CauseKind::BreakerClosed => self.nearest(event, about, &[CauseKind::FaultEnded]),
            _ => self.nearest(event, about, TROUBLE).or_else(|| self.load_from_above(event)),
        }?;
        let text = format!("because {}", self.words(reason.event, &reason.way));
        Some(Because { cause: reason.event, along: reason.way, text })
    }

    /// The last of these kinds before an event.
    fn last(&self, event: usize, kinds: &[CauseKind]) -> Option<Reason> {
        let found = (0..event).rev().find(|other| kinds.contains(&self.events[*other].kind))?;
        Some(Reason { event: found, way: Vec::new() })
    }

    /// What happened before on the way down from where an event took place.
    fn nearest(&self, event: usize, about: Thing, kinds: &[CauseKind]) -> Option<Reason> {
        let start = match about {
            Thing::Edge(row) => Thing::Service(self.plan.edges[row].callee.index()),
            other => other,
        };
        if let Some(found) = self.at(event, about, kinds) {
            return Some(Reason { event: found, way: Vec::new() });
        }
        let ways = self.web.ways(start);
        let depth = |way: &Vec<Strand>| way.len();
        let deepest = ways.iter().map(depth).max().unwrap_or(0);
        (1..=deepest).find_map(|depth| {
            let near = ways.iter().filter(|way| way.len() == depth);
            let found = near.filter_map(|way| self.at_end(event, way, kinds).map(|found| (found, way)));
            let (found, way) = found.max_by_key(|(found, _)| *found)?;
            let names = way.iter().map(|strand| name(self.plan, strand.to).to_owned());
            Some(Reason { event: found, way: names.collect() })
        })
    }

    /// The last that happened at the end of a way, or on the last call of it.
    fn at_end(&self, event: usize, way: &[Strand], kinds: &[CauseKind]) -> Option<usize> {
        let end = way.last()?;
        let call = end.along.and_then(|edge| self.at(event, Thing::Edge(edge.index()), kinds));
        self.at(event, end.to, kinds).max(call)
    }

    /// The last that happened to a thing before an event. Nothing is its own reason.
    fn at(&self, event: usize, thing: Thing, kinds: &[CauseKind]) -> Option<usize> {
        let own = &self.events[event];
        (0..event).rev().find(|other| {
            let other = &self.events[*other];
            kinds.contains(&other.kind) && other.about.contains(&thing) && leads(other.kind, own.kind)
        })
    }

    /// Load that came down: retries into what an event happened to, or a fault on a load.
    fn load_from_above(&self, event: usize) -> Option<Reason> {
        let own = &self.events[event];
        let reached = |other: &&usize| {
            let other = &self.events[**other];
            let from = match (other.kind, other.about.first()) {
                (CauseKind::RetryStorm, Some(Thing::Edge(row))) => Thing::Service(self.plan.edges[*row].callee.index()),
                (CauseKind::FaultBegan, Some(thing @ Thing::Service(row))) if *row >= self.plan.first_client => *thing,
                _ => return false,
            };
            let ways = self.web.ways(from);
            ways.iter().any(|way| way.last().is_some_and(|end| own.about.contains(&end.to)))
        };
        let before: Vec<usize> = (0..event).collect();
        let found = *before.iter().rev().find(reached)?;
        Some(Reason { event: found, way: Vec::new() })
    }

    fn words(&self, event: usize, way: &[String]) -> String {
        let Event { kind, subject, .. } = &self.events[event];
        let what = match kind {
            CauseKind::FaultBegan => format!("of fault {subject}"),
            CauseKind::FaultEnded => format!("fault {subject} is over"),
            CauseKind::Saturated => format!("{subject} is saturated"),
            CauseKind::OutOfMemory => format!("{subject} is out of memory"),
            CauseKind::Queued => format!("requests wait at {subject}"),
            CauseKind::TimedOut => format!("{subject} times out"),
            CauseKind::RetryStorm => format!("of the retries of {subject}"),
            CauseKind::BreakerOpened => format!("the breaker of {subject} is open"),
            CauseKind::Rejected => format!("{subject} turns requests away"),
            _ => subject.clone(),
        };
        // The subject's own name and the reason's are said already.
        let between = way.get(1..way.len().saturating_sub(1)).unwrap_or_default();
        let fault = matches!(kind, CauseKind::FaultBegan | CauseKind::FaultEnded);
        let hit = way.last().filter(|_| fault && way.len() > 1).map(|hit| format!(" on {hit}")).unwrap_or_default();
        let via = if between.is_empty() { String::new() } else { format!(", by way of {}", between.join(", ")) };
        format!("{what}{hit}{via}")
    }
}

/// What makes trouble elsewhere.
const TROUBLE: &[CauseKind] = &[
    CauseKind::FaultBegan,
    CauseKind::Saturated,
    CauseKind::OutOfMemory,
    CauseKind::Queued,
    CauseKind::TimedOut,
    CauseKind::RetryStorm,
    CauseKind::BreakerOpened,
    CauseKind::Rejected,
];

/// Whether one kind of event can be the reason of another. Workers do not run out because a request was turned away, nor
/// because their caller retries elsewhere; what keeps requests away fills nothing.
const fn leads(reason: CauseKind, effect: CauseKind) -> bool {
    match reason {
        CauseKind::BreakerOpened => matches!(effect, CauseKind::Failed | CauseKind::RetryStorm),
        CauseKind::Rejected => !matches!(effect, CauseKind::Saturated | CauseKind::Queued | CauseKind::Rejected),
        CauseKind::TimedOut => {
            matches!(effect, CauseKind::RetryStorm | CauseKind::BreakerOpened | CauseKind::Failed)
        }
        CauseKind::RetryStorm => {
            !matches!(effect, CauseKind::RetryStorm | CauseKind::TimedOut | CauseKind::BreakerOpened)
        }
        _ => true,
    }
}
