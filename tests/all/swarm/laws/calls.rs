//! The books of one caller and callee: calls under way, their attempts, and the places they take in a bulkhead.

use std::collections::BTreeMap;

use squall_model::observation::Failure;
use squall_model::plan::{Bulkhead, Edge, Effect, Plan, Role, SegmentId};
use squall_model::{Outcome, SimTime, Span};

use super::all_or;
use super::faults::Faults;

/// One edge.
pub(super) struct Calls {
    /// The most attempts of any call step.
    most_attempts: u16,
    /// The longest a call may take, where that is certain.
    longest: Option<Span>,
    /// Attempts that may be out at once, where that can be told from what is seen.
    most_out: Option<u64>,
    /// Whether calls may end untold, because their caller dies.
    mortal: bool,
    hedges: bool,
    fallback: bool,
    /// Of each call under way, when it began.
    open: Vec<(SegmentId, u64)>,
    /// Calls under way by segment and attempts made.
    made: BTreeMap<(SegmentId, u16), u64>,
    /// Attempts begun and not ended.
    out: i64,
}

/// Calls that may have a place in the bulkhead, where nobody waits for one.
fn most_at_once(edge: &Edge) -> Option<u32> {
    match edge.bulkhead? {
        Bulkhead::Semaphore(config) if config.max_wait == Span::ZERO => Some(config.limit),
        _ => None,
    }
}

/// How a call ended.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) segment: SegmentId,
    pub(super) outcome: Outcome,
    pub(super) failure: Option<Failure>,
    pub(super) attempts: u16,
    pub(super) began: u64,
    pub(super) took: Span,
}

impl Calls {
    /// Those of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        (0..plan.edges.len()).map(|row| Self::new(plan, row)).collect()
    }

    fn new(plan: &Plan, row: usize) -> Self {
        let edge = &plan.edges[row];
        let sites = || plan.sites.iter().filter(|site| site.edge.index() == row);
        let caller = edge.caller.index();
        let killed = Faults::at_service(plan, caller, |effect| matches!(effect, Effect::Kill(_) | Effect::Restart));
        let cancelled = plan.edges.iter().any(|edge| edge.cancels && edge.callee.index() == caller);
        let mortal = killed || cancelled || plan.services[caller].memory.is_some();
        let stopped = Faults::at_service(plan, caller, |effect| matches!(effect, Effect::Pause));
        let fallback = sites().any(|site| site.fallback.is_some());
        let timed = sites().all(|site| site.deadline != Span::MAX);
        let deadline = sites().map(|site| site.deadline).max();
        let links = if edge.shared { 1 } else { u64::from(plan.services[caller].replicas) };
        // An attempt is seen to end when the fallback does, and a deadline may pass between two attempts.
        let waits = edge.rate_limit.is_some() || edge.throttle.is_some();
        let countable = !mortal && !fallback && !waits && sites().all(|site| site.deadline == Span::MAX);
        Self {
            most_attempts: sites().map(|site| site.retry.attempts as u16).max().unwrap_or(0),
            longest: deadline.filter(|_| timed && !stopped && !fallback),
            most_out: most_at_once(edge).filter(|_| countable).map(|limit| u64::from(limit) * links),
            hedges: sites().any(|site| site.hedge.is_some()),
            mortal: mortal && plan.services[caller].role == Role::Service,
            fallback,
            open: Vec::new(),
            made: BTreeMap::new(),
            out: 0,
        }
    }

    fn step(&mut self, segment: SegmentId, attempts: u16) -> Result<(), String> {
        let left = self.made.entry((segment, attempts)).or_default();
        let known = *left > 0;
        *left = left.saturating_sub(1);
        all_or(known, || format!("no call of {segment:?} has made {attempts} attempts"))
    }

    pub(super) fn attempt(&mut self, segment: SegmentId, number: u16, at: SimTime) -> Result<(), String> {
        self.out += 1;
        all_or(number <= self.most_attempts, || format!("attempt {number} of {}", self.most_attempts))?;
        *self.made.entry((segment, number)).or_default() += 1;
        if number == 1 {
            self.open.push((segment, at.as_nanos()));
            return Ok(());
        }
        self.step(segment, number - 1)
    }

    pub(super) fn attempt_failed(&mut self, segment: SegmentId) -> Result<(), String> {
        self.out -= 1;
        let known = self.open.iter().any(|open| open.0 == segment);
        all_or(known, || format!("an attempt of {segment:?} failed, but no call is under way"))
    }

    /// Another attempt was sent while one is out.
    pub(super) fn hedged(&self, segment: SegmentId) -> Result<(), String> {
        let known = self.open.iter().any(|open| open.0 == segment);
        all_or(self.hedges && known, || format!("a hedge of {segment:?}, hedges: {}, {:?}", self.hedges, self.open))
    }

    /// An attempt was given up.
    pub(super) fn cancelled(&self, segment: SegmentId) -> Result<(), String> {
        let known = self.open.iter().any(|open| open.0 == segment);
        all_or(self.mortal || known, || format!("an attempt of {segment:?} is cancelled, but no call is under way"))
    }

    pub(super) fn ended(&mut self, end: End) -> Result<(), String> {
        let End { segment, outcome, failure, attempts, began, took } = end;
        self.out -= 1;
        self.step(segment, attempts)?;
        let place = self.open.iter().position(|open| *open == (segment, began));
        let Some(place) = place else { return Err(format!("no call of {segment:?} began at {began} ns")) };
        self.open.swap_remove(place);
        let told = match failure {
            None => outcome.is_success(),
            Some(_) => !outcome.is_success() || (outcome == Outcome::Degraded && self.fallback),
        };
        all_or(told, || format!("{outcome:?} with {failure:?}"))?;
        let late = self.longest.is_some_and(|longest| took > longest);
        all_or(!late, || format!("took {} ns, the deadline is {:?}", took.as_nanos(), self.longest))
    }

    /// The instant is over.
    pub(super) fn at_rest(&self) -> Result<(), String> {
        let full = self.most_out.is_some_and(|most| self.out > most as i64);
        all_or(!full, || format!("{} attempts are out, the bulkhead lets {:?}", self.out, self.most_out))
    }

    /// Nobody is in the system any more.
    pub(super) fn drained(&self) -> Result<(), String> {
        let left = self.made.values().sum::<u64>();
        let even = self.open.len() as u64 == left;
        all_or(even && (self.mortal || left == 0), || format!("all is done, but {left} calls are: {:?}", self.open))
    }
}
