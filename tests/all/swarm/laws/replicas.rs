//! The books of one replica: who waits, who is served, and whether all its workers are busy.

use std::collections::VecDeque;

use squall_model::observation::Limit;
use squall_model::plan::{EndpointId, Plan, SegmentId, Service};
use squall_model::{Outcome, SimTime};
use squall_policies::queue::{Order, Patience};

use super::all_or;
use super::faults::{Faults, Shaken, is_at};

/// One replica.
#[expect(clippy::struct_excessive_bools, reason = "what a replica may do, as the plan says")]
pub(super) struct Replica {
    workers: u64,
    room: u64,
    drops: bool,
    /// Whether those that wait are served in the order they came.
    in_order: bool,
    /// Whether the one that came last is served first.
    last_first: bool,
    /// Whether one may be turned out that waits, and whether by its caller.
    turns_out: bool,
    taken_back: bool,
    rate: bool,
    concurrency: bool,
    /// By endpoint of the plan.
    critical: Vec<bool>,
    shaken: Shaken,
    /// Whether it takes nothing new: it is about to stop, or is dying.
    pub(super) down: bool,
    /// Whether it comes and goes: while it starts, requests may wait though it does nothing.
    scaled: bool,
    waiting: VecDeque<Request>,
    serving: Vec<Request>,
    saturated: bool,
    pub(super) hung: u64,
}

/// A request as it can be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Request {
    endpoint: EndpointId,
    segment: SegmentId,
    arrived: u64,
    pub(super) started: u64,
}

impl Request {
    /// One that begins to be served, or to wait, at this time.
    pub(super) fn new(endpoint: EndpointId, segment: SegmentId, arrived: u64) -> Self {
        Self { endpoint, segment, arrived, started: arrived }
    }
}

/// Whether a service turns requests out of its queue by itself.
fn turns_out(service: &Service) -> bool {
    let sheds = |discipline: squall_policies::queue::QueueConfig| {
        discipline.patience != Patience::Unlimited || discipline.codel.is_some()
    };
    service.prioritized || service.bounded || service.discipline.is_some_and(sheds)
}

impl Replica {
    /// Those of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let limit = |limit: u32| if limit == u32::MAX { u64::MAX } else { u64::from(limit) };
        let of = plan.services.iter().enumerate().flat_map(|(row, service)| {
            service.replica_range().map(move |_| Self {
                workers: limit(service.workers),
                room: limit(service.queue),
                drops: service.queue_drops,
                down: false,
                scaled: service.autoscale.is_some(),
                in_order: service.discipline.is_none_or(|discipline| discipline.order == Order::Fifo),
                last_first: service.discipline.is_some_and(|discipline| discipline.order == Order::Lifo),
                turns_out: turns_out(service),
                taken_back: plan.edges.iter().any(|edge| edge.cancels && edge.callee.index() == row),
                rate: service.admission.is_some_and(|admission| admission.rate.is_some()),
                concurrency: service.admission.is_some_and(|admission| admission.concurrency.is_some()),
                critical: plan.endpoints.iter().map(|endpoint| endpoint.critical).collect(),
                shaken: Faults::shaken(plan, |target| is_at(plan, *target, row)),
                waiting: VecDeque::new(),
                serving: Vec::new(),
                saturated: false,
                hung: 0,
            })
        });
        of.collect()
    }

    fn is_shaken(&self, at: SimTime) -> bool {
        self.scaled || self.shaken.at(at)
    }

    pub(super) fn busy(&self) -> u64 {
        self.serving.len() as u64
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    fn serve(&mut self, request: Request) -> Result<(), String> {
        self.serving.push(request);
        all_or(self.busy() <= self.workers, || format!("{} workers busy of {}", self.busy(), self.workers))
    }

    pub(super) fn admitted(&mut self, request: Request, at: SimTime) -> Result<(), String> {
        let overtakes = !self.is_shaken(at) && !self.waiting.is_empty();
        all_or(!overtakes, || format!("{request:?} overtakes {:?}", self.waiting))?;
        self.serve(request)
    }

    pub(super) fn queued(&mut self, request: Request, at: SimTime) -> Result<(), String> {
        self.waiting.push_back(request);
        all_or(self.waiting() <= self.room, || format!("{} wait where {} may", self.waiting(), self.room))?;
        let idle = !self.is_shaken(at) && self.busy() < self.workers;
        all_or(!idle, || format!("{request:?} has to wait though only {} workers are busy", self.busy()))
    }

    pub(super) fn rejected(
        &self,
        endpoint: EndpointId,
        answered: bool,
        limit: Limit,
        at: SimTime,
    ) -> Result<(), String> {
        let there = match limit {
            Limit::Queue => return self.full(endpoint, answered, at),
            Limit::Rate => self.rate,
            Limit::Concurrency => self.concurrency && !self.could_make_room(endpoint),
        };
        all_or(there && answered, || format!("turned away by {limit:?}, answered: {answered}"))
    }

    /// Whether a critical request could have taken the place of one that waits.
    fn could_make_room(&self, endpoint: EndpointId) -> bool {
        self.critical[endpoint.index()] && self.waiting.iter().any(|waiting| !self.critical[waiting.endpoint.index()])
    }

    /// A waiting request leaves without having been served.
    pub(super) fn withdrawn(&mut self, request: Request, outcome: Outcome) -> Result<(), String> {
        let place = self.waiting.iter().position(|waiting| *waiting == request);
        let Some(place) = place else { return Err(format!("{request:?} does not wait: {:?}", self.waiting)) };
        self.waiting.remove(place);
        let may = if outcome == Outcome::Cancelled { self.taken_back } else { self.turns_out };
        all_or(may, || format!("{request:?} is turned out of the queue: {outcome:?}"))
    }

    fn full(&self, endpoint: EndpointId, answered: bool, at: SimTime) -> Result<(), String> {
        all_or(!self.could_make_room(endpoint), || format!("{endpoint:?} is turned away, not {:?}", self.waiting))?;
        all_or(answered != self.drops, || format!("answered: {answered}, drops: {}", self.drops))?;
        let idle = !self.is_shaken(at) && self.busy() < self.workers;
        all_or(!idle && self.waiting() >= self.room, || {
            format!("turned away though {} are busy and {} wait", self.busy(), self.waiting())
        })
    }

    pub(super) fn dequeued(&mut self, mut request: Request, at: SimTime) -> Result<(), String> {
        let it = |waiting: &Request| *waiting == request;
        let (first, last) = (self.waiting.iter().position(it), self.waiting.iter().rposition(it));
        // Of those that cannot be told apart, it is the one whose turn it is.
        let place = if self.last_first { last } else { first };
        let Some(place) = place else { return Err(format!("{request:?} does not wait: {:?}", self.waiting)) };
        self.waiting.remove(place);
        request.started = at.as_nanos();
        // Whoever is taken back may be another than was thought of those that came at the same instant.
        let alike = |waiting: &Request| (self.turns_out || self.taken_back) && waiting.arrived == request.arrived;
        let right = if self.last_first {
            // With a replica that dies, those that wait die in the order in which they came.
            self.waiting.iter().skip(place).all(alike) || self.down && first == Some(0)
        } else {
            self.waiting.iter().take(place).all(alike) || !self.in_order
        };
        all_or(right, || format!("{request:?} overtakes {:?}", self.waiting))?;
        self.serve(request)
    }

    pub(super) fn ended(&mut self, request: Request) -> Result<(), String> {
        match self.serving.iter().position(|serving| *serving == request) {
            Some(place) => {
                self.serving.swap_remove(place);
                Ok(())
            }
            None => Err(format!("{request:?} ends, but is not served: {:?}", self.serving)),
        }
    }

    pub(super) fn saturation(&mut self, now: bool) -> Result<(), String> {
        let again = self.saturated == now;
        self.saturated = now;
        all_or(!again, || format!("saturated: {now}, twice"))
    }

    /// The instant is over.
    pub(super) fn at_rest(&self, at: SimTime) -> Result<(), String> {
        if self.is_shaken(at) {
            return Ok(());
        }
        let full = self.busy() >= self.workers;
        let idle = !full && !self.waiting.is_empty();
        all_or(!idle, || format!("{} wait, but only {} workers are busy", self.waiting(), self.busy()))?;
        all_or(self.saturated == full, || {
            format!("saturated: {}, with {} busy of {}", self.saturated, self.busy(), self.workers)
        })
    }
}
