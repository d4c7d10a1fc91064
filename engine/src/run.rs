//! The run loop: takes the next event in order, steps the machines, carries out what they ask for.

use squall_model::machine::{Census, Class, Delay, Host, Key, Place, Request, System, Tickets};
use squall_model::observation::{
    AnsweredOn, Called, HandedOn, LinedUp, Observation, PassedOn, Relayed, Returned, Sink, TurnedOver,
};
use squall_model::plan::{FaultId, LoadId, Plan, Source};
use squall_model::rng::Stream;
use squall_model::trace::TraceFact;
use squall_model::workload::OpenLoop;
use squall_model::{Outcome, SimTime, Span};

use crate::network::{Message, Network};
use crate::queue::{Event, Queue, Rank, order};

/// What a run has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// When: the end of the load, or of what was left to do after it, or of the drain.
    pub at: SimTime,
    /// Steps of the machines: messages delivered, timers fired, requests begun, faults begun and ended.
    pub events: u64,
    /// What was left in the machines.
    pub census: Census,
    /// Whether it was told to stop before that.
    pub cut_short: bool,
}

/// Runs a plan in virtual time to its end and tells `sink` all that happens.
pub fn run(plan: &Plan, sink: &mut impl Sink) -> Ended {
    run_while(plan, sink, |_| true)
}

/// As [`run`], as long as `go_on` says so. It is asked now and then, and told how far the run is.
pub fn run_while(plan: &Plan, sink: &mut impl Sink, mut go_on: impl FnMut(SimTime) -> bool) -> Ended {
    let mut run = Run::new(plan, sink);
    run.system.begin(&mut run.world, SimTime::ZERO);
    let steps = STEPS_BETWEEN_SWEEPS.max(run.world.queue.lanes());
    loop {
        for _ in 0..(STEPS_BETWEEN_LOOKS / steps).max(1) {
            for _ in 0..steps {
                if !run.step() {
                    return run.ended();
                }
            }
            run.world.queue.sweep(|key| run.system.waits(key));
        }
        if !go_on(run.now) {
            return run.cut_short();
        }
    }
}

const STEPS_BETWEEN_LOOKS: usize = 1 << 16;
/// Or as many as there are lanes to sweep: so that it is cheap.
const STEPS_BETWEEN_SWEEPS: usize = 1 << 9;

/// A run under way.
struct Run<'p, 's, S> {
    plan: &'p Plan,
    system: System<'p>,
    world: World<'s, S>,
    open: Vec<Open>,
    /// The open loop that asks next, as [`order`]; `u128::MAX` if none does.
    next_open: u128,
    /// Beginnings and ends of faults, in order; `true` is a beginning.
    faults: Vec<(SimTime, bool, FaultId)>,
    next_fault: usize,
    /// Nothing in the queue happens from here on, before the next fault has begun or ended; as [`order`].
    next_break: u128,
    /// The sooner of the two.
    next_other: u128,
    /// Nothing happens after this.
    limit: SimTime,
    now: SimTime,
    events: u64,
}

/// One open loop and its next arrival.
struct Open {
    load: LoadId,
    schedule: OpenLoop,
    next: u128,
}

/// The sim world, as the machines see it.
struct World<'s, S> {
    queue: Queue,
    network: Network,
    tickets: Tickets,
    sink: &'s mut S,
}

impl<'p, 's, S: Sink> Run<'p, 's, S> {
    fn new(plan: &'p Plan, sink: &'s mut S) -> Self {
        let system = System::new(plan);
        let world =
            World { queue: Queue::new(system.lanes()), network: Network::default(), tickets: Tickets::default(), sink };
        let mut run = Self {
            plan,
            system,
            world,
            open: Open::all(plan),
            next_open: u128::MAX,
            faults: plan.fault_times(),
            next_fault: 0,
            next_break: 0,
            next_other: 0,
            limit: SimTime::ZERO + plan.duration + plan.drain,
            now: SimTime::ZERO,
            events: 0,
        };
        run.find_next_open();
        run.find_next_break();
        run
    }

    /// Does the next thing, and all that follows from it in the same instant. `false` at the end.
    #[inline(always)]
    fn step(&mut self) -> bool {
        let top = self.world.queue.peek(|key| self.system.waits(key));
        if top < self.next_other {
            self.events += 1;
            self.now = time_of(top);
            let event = self.world.queue.pop(top);
            self.happen(event);
            return true;
        }
        if self.next_open >= self.next_break {
            return self.step_fault();
        }
        self.events += 1;
        self.now = time_of(self.next_open);
        self.begin_request();
        true
    }

    #[inline(always)]
    fn happen(&mut self, event: Event) {
        if event.rank != Rank::Delivery {
            return self.system.wake(&mut self.world, event.at, event.key);
        }
        let Place::Fiber(place) = event.key.place() else {
            return self.system.passed(&mut self.world, event.at, event.key.index());
        };
        match self.world.network.release(place) {
            Message::Request(request) => self.system.arrive(&mut self.world, event.at, request),
            Message::Reply(to, outcome) => self.system.replied(&mut self.world, event.at, to, outcome),
            Message::Cancel(attempt) => self.system.cancelled(&mut self.world, event.at, attempt),
        }
    }

    fn begin_request(&mut self) {
        let index = Key::from_bits(self.next_open as u64).bits() as usize;
        let load = self.open[index].load;
        self.system.ask(&mut self.world, self.now, load);
        self.open[index].advance(index);
        self.find_next_open();
    }

    fn find_next_open(&mut self) {
        self.next_open = self.open.iter().map(|open| open.next).min().unwrap_or(u128::MAX);
        self.next_other = self.next_open.min(self.next_break);
    }

    /// The next fault begins or ends; or the run does.
    #[cold]
    fn step_fault(&mut self) -> bool {
        let Some(&(at, begins, fault)) = self.faults.get(self.next_fault).filter(|(at, ..)| *at <= self.limit) else {
            return false;
        };
        self.next_fault += 1;
        self.find_next_break();
        self.events += 1;
        self.now = at;
        if begins {
            self.system.begin_fault(&mut self.world, at, fault);
        } else {
            self.system.end_fault(&mut self.world, at, fault);
        }
        true
    }

    /// The next fault, or the end of the run.
    fn find_next_break(&mut self) {
        let end = order(SimTime::from_nanos(self.limit.as_nanos() + 1), Rank::Delivery, Key::NONE);
        let fault = self.faults.get(self.next_fault);
        self.next_break = fault.map_or(end, |(at, ..)| order(*at, Rank::Delivery, Key::NONE).min(end));
        self.next_other = self.next_open.min(self.next_break);
    }

    fn ended(self) -> Ended {
        let end_of_load = SimTime::ZERO + self.plan.duration;
        let census = self.system.census();
        let at = if census.fibers == 0 { self.now.max(end_of_load) } else { self.limit };
        Ended { at, events: self.events, census, cut_short: false }
    }

    fn cut_short(self) -> Ended {
        Ended { at: self.now, events: self.events, census: self.system.census(), cut_short: true }
    }
}

impl Open {
    /// The open loops of a plan; closed ones take no place among them.
    fn all(plan: &Plan) -> Vec<Self> {
        let loads = plan.loads.iter().enumerate().map(|(i, _)| LoadId::from(i));
        let mut all: Vec<_> = loads.filter_map(|load| Self::new(plan, load)).collect();
        all.iter_mut().enumerate().for_each(|(index, open)| open.advance(index));
        all
    }

    fn new(plan: &Plan, load: LoadId) -> Option<Self> {
        let row = &plan.loads[load.index()];
        let Source::Open { stages, arrivals } = &row.source else { return None };
        let stream = Stream::new(plan.seed, &format!("arrivals/{}", row.name));
        Some(Self { load, schedule: OpenLoop::new(stages.clone(), arrivals.clone(), stream), next: u128::MAX })
    }

    /// Goes on to the next arrival; `index` is this one's place among the open loops.
    fn advance(&mut self, index: usize) {
        let key = Key::from_bits(index as u64);
        self.next = self.schedule.next().map_or(u128::MAX, |at| order(at, Rank::Arrival, key));
    }
}

impl<S: Sink> Sink for World<'_, S> {
    const TRACED: bool = S::TRACED;

    #[inline(always)]
    fn trace(&mut self, at: SimTime, what: TraceFact) {
        self.sink.trace(at, what);
    }

    #[inline(always)]
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.sink.observe(at, what);
    }

    #[inline(always)]
    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        self.sink.lined_up(at, what);
    }

    #[inline(always)]
    fn passed_on(&mut self, at: SimTime, what: PassedOn<'_>) {
        self.sink.passed_on(at, what);
    }

    #[inline(always)]
    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        self.sink.turned_over(at, what);
    }

    #[inline(always)]
    fn handed_on(&mut self, at: SimTime, what: HandedOn) {
        self.sink.handed_on(at, what);
    }

    #[inline(always)]
    fn answered_on(&mut self, at: SimTime, what: AnsweredOn) {
        self.sink.answered_on(at, what);
    }

    #[inline(always)]
    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        self.sink.relayed(at, what);
    }

    #[inline(always)]
    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        self.sink.relay_returned(at, what, took);
    }

    #[inline(always)]
    fn called(&mut self, at: SimTime, what: Called) {
        self.sink.called(at, what);
    }

    #[inline(always)]
    fn returned(&mut self, at: SimTime, what: Returned) {
        self.sink.returned(at, what);
    }
}

impl<S: Sink> World<'_, S> {
    #[inline]
    fn carry(&mut self, now: SimTime, delay: Delay, message: Message) {
        let place = self.network.hold(message);
        let key = self.tickets.next(Place::Fiber(place));
        self.queue.push(now, delay.span, Rank::Delivery, delay.lane.map(|lane| lane.0), key);
    }
}

impl<S: Sink> Host for World<'_, S> {
    const INSTANT: bool = true;

    #[inline]
    fn send(&mut self, now: SimTime, delay: Delay, request: Request) {
        self.carry(now, delay, Message::Request(request));
    }

    #[inline]
    fn reply(&mut self, now: SimTime, delay: Delay, to: Key, outcome: Outcome) {
        self.carry(now, delay, Message::Reply(to, outcome));
    }

    #[inline(always)]
    fn pass(&mut self, now: SimTime, delay: Delay, journey: u32) {
        let key = self.tickets.next(Place::Link(journey));
        self.queue.push(now, delay.span, Rank::Delivery, delay.lane.map(|lane| lane.0), key);
    }

    fn cancel(&mut self, now: SimTime, delay: Delay, attempt: Key) {
        self.carry(now, delay, Message::Cancel(attempt));
    }

    #[inline(always)]
    fn arm(&mut self, now: SimTime, delay: Delay, class: Class, key: Key) {
        let rank = match class {
            Class::Completion => Rank::Completion,
            Class::Timeout => Rank::Timeout,
        };
        self.queue.push(now, delay.span, rank, delay.lane.map(|lane| lane.0), key);
    }
}

const fn time_of(order: u128) -> SimTime {
    SimTime::from_nanos((order >> 68) as u64)
}
