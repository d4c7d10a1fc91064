//! Steps the machines in real time. One lock holds them all: a step costs less than a microsecond, and everything that
//! waits (connections, requests, timers) waits outside of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use squall_model::machine::{BreakerSeen, Census, Key, Place, ReplicaSeen, Request, System};
use squall_model::observation::{Observation, Sink as _};
use squall_model::plan::{EdgeId, Effect, EndpointId, FaultId, LoadId, Plan, ReplicaId};
use squall_model::trace::{self, TraceFact};
use squall_model::workload::OpenLoop;
use squall_model::{Outcome, SimTime, Span};
use squall_policies::breaker::State;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::alarm::Alarm;
use crate::app::Fate;
use crate::awaited::Verdict;
use crate::calls::{Answer, Carrier, Parcel, Undelivered};
use crate::clock::Clock;
use crate::trail::{B3, Ids, Trail};
use crate::wire::{self, Belongs};
use crate::world::{Due, Ear, Hop, Out, Wire, World};

/// What is due this soon is done at once: an alarm of its own would cost more.
const COALESCED: Span = Span::from_micros(20);
/// So many things are done before others get the lock.
const BATCH: u32 = 256;
/// From so many requests on their way on, those that are done are forgotten.
const MANY: usize = 1024;
/// Headers of a request that says where in the run it belongs, roughly, and of one that does not: room is made once. The
/// room of the latter is small enough for an allocator's quick lists.
const HEADERS: usize = 8;
const FEW_HEADERS: usize = 5;
/// A caller's machine gives up on time; its request over HTTP is taken down a little later.
const GRACE: Duration = Duration::from_millis(20);

/// What a run does of its own accord.
#[derive(Debug, Default)]
pub struct Program {
    /// The open loops and their schedules.
    pub open: Vec<(LoadId, OpenLoop)>,
    /// Whether the closed loops' users take their places.
    pub closed: bool,
    /// Whether the plan's faults happen at their times.
    pub faults: bool,
    /// Whether `work` burns CPU instead of waiting.
    pub burn: bool,
}

/// Who carries requests: one way for users', another for services'.
pub struct Carriers {
    /// From users to services.
    pub users: Carrier,
    /// From service to service.
    pub services: Carrier,
    /// Whether requests say where in the run they belong, which servers of the same run understand.
    pub marked: bool,
    /// How trails are written in B3 that did not come in it; not at all without.
    pub b3: Option<B3>,
}

impl core::fmt::Debug for Carriers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Carriers").field("marked", &self.marked).finish_non_exhaustive()
    }
}

/// What a run has come to.
#[derive(Debug)]
pub struct Ended<E> {
    /// When.
    pub at: SimTime,
    /// Steps of the machines.
    pub events: u64,
    /// What was left in the machines.
    pub census: Census,
    /// Who listened.
    pub ear: E,
}

/// The machines of this process, and the real world around them.
#[derive(Debug)]
pub struct Driver<E> {
    plan: &'static Plan,
    clock: Clock,
    alarm: Alarm,
    /// This run's own number: what carries it was sent by this run.
    run: u64,
    pub(crate) ids: Ids,
    inner: Mutex<Inner<E>>,
    carriers: OnceLock<Carriers>,
    /// By replica of a service: whether it takes connections.
    doors: Vec<watch::Sender<bool>>,
    exhausted: AtomicBool,
    /// Requests on their way that may be cancelled, by their attempts.
    cancellable: Mutex<BTreeMap<u64, AbortHandle>>,
}

#[derive(Debug)]
struct Inner<E> {
    system: System<'static>,
    world: World<E>,
    stage: Stage,
    /// The time of the last step: time never goes back.
    last: SimTime,
    events: u64,
    open: Vec<(LoadId, OpenLoop)>,
    /// The last fault of the program that is still to begin or to end.
    last_fault: SimTime,
    /// What the alarm is set to.
    set_to: SimTime,
    /// Whether a door may have to be opened or closed.
    doors: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Waiting,
    Running,
    Over,
}

/// What one step asks of the outside world.
#[derive(Default)]
struct Errands {
    sends: Vec<(Hop, Option<Trail>)>,
    cancels: Vec<Key>,
    answers: Vec<(oneshot::Sender<Verdict>, Verdict)>,
    burns: Vec<(Key, Span)>,
}

impl<E: Ear> Driver<E> {
    /// The machines of `plan` at rest. Must be made inside a runtime.
    pub fn new(plan: &'static Plan, ear: E) -> io::Result<Arc<Self>> {
        Self::of_run(plan, ear, random_u64()?)
    }

    /// As [`new`](Self::new), one of several processes: those of the same `run` know one another's requests.
    pub fn of_run(plan: &'static Plan, ear: E, run: u64) -> io::Result<Arc<Self>> {
        let replicas = plan.services[..plan.real_services].iter().map(|service| service.replicas as usize).sum();
        let inner = Inner {
            system: System::new(plan),
            world: World::new(plan, ear),
            stage: Stage::Waiting,
            last: SimTime::ZERO,
            events: 0,
            open: Vec::new(),
            last_fault: SimTime::ZERO,
            set_to: SimTime::NEVER,
            doors: false,
        };
        Ok(Arc::new(Self {
            plan,
            clock: Clock::default(),
            alarm: Alarm::new()?,
            run,
            ids: Ids::new(random_u64()?),
            inner: Mutex::new(inner),
            carriers: OnceLock::new(),
            doors: (0..replicas).map(|_| watch::Sender::new(true)).collect(),
            exhausted: AtomicBool::new(false),
            cancellable: Mutex::default(),
        }))
    }

    /// The plan it runs.
    pub fn plan(&self) -> &'static Plan {
        self.plan
    }

    /// Who carries requests from now on; the first who were named stay.
    pub fn carry_with(&self, carriers: Carriers) {
        let _ = self.carriers.set(carriers);
    }

    /// Starts the clock, and what the program says.
    pub fn begin(self: &Arc<Self>, program: Program) {
        let driver = Arc::clone(self);
        self.lock().stage = Stage::Running;
        self.clock.start();
        self.step(|inner, now| {
            inner.open = program.open;
            inner.world.burns = program.burn;
            (0..inner.open.len()).for_each(|row| inner.schedule_next(row));
            if program.faults {
                inner.schedule_faults(self.plan);
            }
            if program.closed {
                inner.system.begin(&mut inner.world, now);
            } else {
                inner.system.begin_without_load(&mut inner.world, now);
            }
            // Some replicas may have to be started first.
            inner.doors = true;
        });
        tokio::spawn(async move { while driver.alarm.rings().await.is_ok() && driver.fire() {} });
    }

    /// How far the run is.
    pub fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// Whether there is nothing left to do, or no time left to do it.
    pub fn is_done(&self) -> bool {
        let (now, inner) = (self.now(), self.lock());
        let end = SimTime::ZERO + self.plan.duration;
        let idle = now >= end && inner.last_fault <= inner.last && inner.system.census().fibers == 0;
        idle || now >= end + self.plan.drain
    }

    /// Whether connections failed because the process had no descriptors left.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    pub(crate) fn note_exhausted(&self) {
        self.exhausted.store(true, Ordering::Relaxed);
    }

    /// Ends the run: nothing moves any more. `None` if it had ended before.
    pub fn end(&self) -> Option<Ended<E>> {
        let mut inner = self.lock();
        let ear = inner.world.ear.take()?;
        inner.stage = Stage::Over;
        let now = self.now();
        inner.world.awaited.clear();
        let census = inner.system.census();
        let end_of_load = SimTime::ZERO + self.plan.duration;
        let at = match census.fibers {
            0 if now >= end_of_load => inner.last.max(end_of_load),
            _ => now.min(end_of_load + self.plan.drain).max(inner.last),
        };
        Some(Ended { at, events: inner.events, census, ear })
    }

    /// Begins or ends a fault of the plan now; answers whether that changed anything.
    pub fn set_fault(self: &Arc<Self>, fault: FaultId, at_work: bool) -> bool {
        self.step(|inner, now| {
            let changes = inner.system.faults_at_work().contains(&fault) != at_work;
            if changes {
                if at_work {
                    inner.begins_now(now, fault);
                }
                inner.turn_fault(now, fault, at_work);
            }
            changes
        })
        .unwrap_or(false)
    }

    /// Goes on with other values: `plan` has to be of the shape of the one that runs. Says why it is not.
    pub fn replan(self: &Arc<Self>, plan: Plan) -> Result<(), String> {
        let change = |inner: &mut Inner<E>, now| {
            let plan = plan.in_place_of(inner.system.plan())?;
            inner.take_over(now, plan);
            Ok(())
        };
        self.step(change).unwrap_or_else(|| Err("nothing runs any more".into()))
    }

    /// Goes on with the faults that `plan` has more than the one that runs, which begin now and last so long; without a
    /// time until they are ended.
    pub fn inject(self: &Arc<Self>, plan: Plan, lasts: Option<Span>) -> Result<(), String> {
        let change = |inner: &mut Inner<E>, now: SimTime| {
            let known = inner.system.plan().faults.len();
            let mut plan = plan.in_place_of(inner.system.plan())?;
            let until = lasts.map_or(SimTime::NEVER, |lasts| now + lasts);
            for fault in &mut plan.faults[known..] {
                if matches!(fault.effect, Effect::Rate(_)) {
                    return Err("the rate of a load cannot be changed while it runs".into());
                }
                (fault.from, fault.to) = (now, until);
            }
            let all = plan.faults.len();
            inner.take_over(now, plan);
            for fault in (known..all).map(FaultId::from) {
                inner.turn_fault(now, fault, true);
                if until != SimTime::NEVER {
                    inner.world.at(until, Due::FaultEnds(fault));
                    inner.last_fault = inner.last_fault.max(until);
                }
            }
            Ok(())
        };
        self.step(change).unwrap_or_else(|| Err("nothing runs any more".into()))
    }

    /// A replica as it is now.
    pub fn replica(&self, replica: ReplicaId) -> ReplicaSeen {
        self.lock().system.replica(replica)
    }

    /// Lets whoever listens say something; `None` after the end.
    pub fn hear<R>(&self, ask: impl FnOnce(&mut E) -> R) -> Option<R> {
        self.lock().world.ear.as_mut().map(ask)
    }

    /// How many breakers are open or half-open, and how many there are.
    pub fn breakers(&self) -> (usize, usize) {
        self.look(|system| {
            let closed = |breaker: &BreakerSeen| breaker.state == State::Closed;
            let count = system.breakers().count();
            (count - system.breakers().filter(closed).count(), count)
        })
    }

    /// What a replica tells Prometheus.
    pub(crate) fn metrics(&self, replica: ReplicaId) -> String {
        let inner = self.lock();
        inner.world.metrics.page(&inner.system, replica)
    }

    /// Looks at the machines.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&System<'static>) -> R) -> R {
        look(&self.lock().system)
    }

    /// Whether a replica takes connections, from now on.
    pub(crate) fn door(&self, replica: ReplicaId) -> watch::Receiver<bool> {
        self.doors[replica.index()].subscribe()
    }

    /// Where a request says that it belongs; to nowhere in particular if it comes from outside.
    pub(crate) fn belongs(&self, replica: ReplicaId, headers: &HeaderMap) -> Belongs {
        let service = self.plan.services.partition_point(|s| s.first_replica <= replica) - 1;
        Belongs::read(self.plan, service.into(), self.run, headers).unwrap_or_else(|| Belongs {
            edge: EdgeId::OUTSIDE,
            segment: self.plan.phases.segment_at(self.now()),
            left: None,
        })
    }

    /// This run's own number, by which its traces and spans go.
    pub fn run(&self) -> u64 {
        self.run
    }

    fn spans(&self) -> trace::Ids {
        trace::Ids::of(self.run)
    }

    /// A server has taken a request: where its answer will be heard. `None` if nothing runs.
    pub(crate) fn serve(
        self: &Arc<Self>,
        replica: ReplicaId,
        endpoint: EndpointId,
        belongs: Belongs,
        trail: Trail,
    ) -> Option<Waiting<E>> {
        let parent = trail.parent();
        let (key, answer) = self.step(|inner, now| {
            let (key, answer) = inner.world.awaited.open(trail, replica, endpoint);
            let Belongs { edge, segment, left } = belongs;
            if let Some(parent) = parent {
                inner.world.trace(now, TraceFact::Carried { from: self.spans().attempt(parent), to: key });
            }
            let request = Request { from: key, edge, to: replica, endpoint, segment };
            match left {
                Some(left) => inner.system.arrive_within(&mut inner.world, now, request, left),
                None => inner.system.arrive(&mut inner.world, now, request),
            }
            (key, answer)
        })?;
        Some(Waiting { driver: Arc::clone(self), key, answer, answered: false })
    }

    /// Takes one step, and carries out what it asks for.
    fn step<R>(self: &Arc<Self>, step: impl FnOnce(&mut Inner<E>, SimTime) -> R) -> Option<R> {
        let mut inner = self.lock();
        if inner.stage != Stage::Running {
            return None;
        }
        let now = inner.advance(self.now());
        let result = step(&mut inner, now);
        // What follows at once needs no alarm.
        let _ = (0..BATCH).take_while(|_| inner.do_next(now)).count();
        self.settle(inner);
        Some(result)
    }

    /// Does what is due; answers whether there will ever be more.
    fn fire(self: &Arc<Self>) -> bool {
        loop {
            let mut inner = self.lock();
            if inner.stage != Stage::Running {
                return false;
            }
            inner.set_to = SimTime::NEVER;
            let now = self.now();
            let done = (0..BATCH).take_while(|_| inner.do_next(now)).count();
            self.settle(inner);
            if done < BATCH as usize {
                return true;
            }
        }
    }

    /// After a step: sets the alarm, opens and closes doors, and sends what is to be sent.
    fn settle(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner<E>>) {
        let mut errands = inner.errands(self.spans());
        inner.doors |= inner.system.take_doors_changed();
        if inner.world.burns {
            errands.burns = inner.work_to_burn();
        }
        if let Some(next) = inner.world.next().filter(|next| *next < inner.set_to) {
            inner.set_to = next;
            self.alarm.set(Duration::from_nanos((next - self.now()).as_nanos()));
        }
        if core::mem::take(&mut inner.doors) {
            for (row, door) in self.doors.iter().enumerate() {
                let replica = ReplicaId::from(row);
                let opens = inner.system.replica(replica).accepts && inner.system.refusing(replica, None).is_none();
                door.send_if_modified(|open| core::mem::replace(open, opens) != opens);
            }
        }
        drop(inner);
        for (answer, verdict) in errands.answers {
            // Whoever asked may have hung up.
            let _ = answer.send(verdict);
        }
        for (hop, trail) in errands.sends {
            let attempt = hop.request.from;
            let cancels = self.plan.edges[hop.request.edge.index()].cancels;
            let under_way = tokio::spawn(Arc::clone(self).carry(hop, trail)).abort_handle();
            if cancels && !under_way.is_finished() {
                self.cancellable().insert(attempt.bits(), under_way);
            }
        }
        for attempt in errands.cancels {
            // Its connection closes, and so the server learns of it.
            if let Some(under_way) = self.cancellable().remove(&attempt.bits()) {
                under_way.abort();
            }
        }
        for (key, work) in errands.burns {
            let driver = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                burn(Duration::from_nanos(work.as_nanos()));
                driver.step(|inner, now| inner.system.wake(&mut inner.world, now, key));
            });
        }
    }

    fn cancellable(&self) -> MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        let mut cancellable = self.cancellable.lock().unwrap_or_else(PoisonError::into_inner);
        if cancellable.len() > MANY {
            cancellable.retain(|_, under_way| !under_way.is_finished());
        }
        cancellable
    }

    /// Carries one request, and its answer back.
    async fn carry(self: Arc<Self>, hop: Hop, trail: Option<Trail>) {
        let Some(carriers) = self.carriers.get() else { return };
        let Request { from, edge, to, endpoint, segment } = hop.request;
        let mut headers = HeaderMap::with_capacity(if carriers.marked { HEADERS } else { FEW_HEADERS });
        if carriers.marked {
            Belongs { edge, segment, left: hop.left }.write(self.run, &mut headers);
        }
        let trail = trail.unwrap_or_else(|| Trail::begin(&self.ids)).speaking(carriers.b3);
        trail.write(&mut headers, self.spans().span(from));
        let limit =
            (hop.until != SimTime::NEVER).then(|| Duration::from_nanos((hop.until - self.now()).as_nanos()) + GRACE);
        let fresh = self.plan.edges[edge.index()].pool.is_some_and(|pool| !pool.reuse);
        let parcel = Parcel { to, endpoint, headers, limit, fresh };
        if hop.meant != SimTime::NEVER {
            self.hear(|ear| ear.sent_late(self.now() - hop.meant));
        }
        let users = self.plan.edges[edge.index()].caller.index() >= self.plan.first_client;
        let carrier = if users { &carriers.users } else { &carriers.services };
        let answer = carrier(parcel).await;
        self.replied(from, to, &answer);
    }

    /// The answer to a request over HTTP, or how it failed.
    fn replied(self: &Arc<Self>, from: Key, to: ReplicaId, answer: &Result<Answer, Undelivered>) {
        let outcome = match answer {
            Ok(answer) => wire::read(answer.status, &answer.headers),
            Err(undelivered) => undelivered.outcome(),
        };
        if matches!(answer, Err(Undelivered::Exhausted)) {
            self.note_exhausted();
        }
        self.step(|inner, now| {
            // The machines never saw it: the fault that closed the door did this.
            if matches!(answer, Err(Undelivered::Refused))
                && let Some(fault) = inner.system.refusing(to, None)
            {
                inner.world.observe(now, Observation::FaultFired { fault });
            }
            if let Some(wait) = answer.as_ref().ok().and_then(|answer| wire::read_wait(&answer.headers)) {
                inner.system.ask_to_wait(from, wait);
            }
            inner.system.replied(&mut inner.world, now, from, outcome);
        });
    }

    /// Whoever asked has hung up: the machines stop, if that is what the call is to mean.
    fn forget(self: &Arc<Self>, key: Key) {
        self.step(|inner, now| {
            inner.world.awaited.take(key);
            inner.system.cancelled(&mut inner.world, now, key);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Ear> Inner<E> {
    /// The time of a step at `now`.
    fn advance(&mut self, now: SimTime) -> SimTime {
        self.events += 1;
        self.last = self.last.max(now);
        self.last
    }

    /// Does the next thing if it is due by `now`, at its own time if that is later.
    fn do_next(&mut self, now: SimTime) -> bool {
        let Some((at, due)) = self.world.take(now + COALESCED) else { return false };
        let now = self.advance(now.max(at));
        let world = &mut self.world;
        match due {
            Due::Wake(key) => {
                world.woke_late(now - at);
                self.system.wake(world, now, key);
                self.doors |= matches!(key.place(), Place::Replica(_));
            }
            Due::Send(hop) => world.outbox.push(Out::Send(hop)),
            Due::Cancel(attempt) => world.outbox.push(Out::Cancel(attempt)),
            Due::Reply(key, outcome, wire) => world.outbox.push(Out::Reply(key, outcome, wire)),
            Due::Ask(LoadId(row)) => {
                let load = self.open[row as usize].0;
                world.meant = at;
                self.system.ask_late(world, now, at, load);
                world.meant = SimTime::NEVER;
                self.schedule_next(row as usize);
            }
            Due::FaultBegins(fault) if self.system.faults_at_work().contains(&fault) => {}
            Due::FaultBegins(fault) => self.turn_fault(now, fault, true),
            // Somebody may have ended it by hand.
            Due::FaultEnds(fault) if !self.system.faults_at_work().contains(&fault) => {}
            Due::FaultEnds(fault) => self.turn_fault(now, fault, false),
        }
        true
    }

    fn schedule_next(&mut self, row: usize) {
        if let Some(at) = self.open[row].1.next() {
            self.world.at(at, Due::Ask(LoadId::from(row)));
        }
    }

    fn schedule_faults(&mut self, plan: &Plan) {
        let limit = SimTime::ZERO + plan.duration + plan.drain;
        for (at, begins, fault) in plan.fault_times().into_iter().filter(|(at, ..)| *at <= limit) {
            self.world.at(at, if begins { Due::FaultBegins(fault) } else { Due::FaultEnds(fault) });
            self.last_fault = at;
        }
    }

    /// Goes by another plan, which is of the same shape. It is needed until the process ends.
    fn take_over(&mut self, now: SimTime, plan: Plan) {
        let plan: &'static Plan = Box::leak(Box::new(plan));
        self.world.plan = plan;
        self.system.take_over(&mut self.world, now, plan);
        if let Some(ear) = &mut self.world.ear {
            ear.replanned(plan);
        }
    }

    /// A fault that is begun by hand moves to its full strength from now on, and not from when the file says.
    fn begins_now(&mut self, now: SimTime, fault: FaultId) {
        let plan = self.system.plan();
        if !plan.faults[fault.index()].ramp.is_zero() {
            let mut plan = plan.clone();
            plan.faults[fault.index()].from = now;
            self.take_over(now, plan);
        }
    }

    fn turn_fault(&mut self, now: SimTime, fault: FaultId, at_work: bool) {
        if at_work {
            self.system.begin_fault(&mut self.world, now, fault);
        } else {
            self.system.end_fault(&mut self.world, now, fault);
        }
        self.doors = true;
    }

    /// Takes the work out of the delays that were armed; all others are kept for their time.
    fn work_to_burn(&mut self) -> Vec<(Key, Span)> {
        let armed = core::mem::take(&mut self.world.perhaps_work);
        let mut burns = Vec::new();
        for (key, at) in armed {
            if let Some(stretch) = self.system.work_stretched(key) {
                burns.push((key, (at - self.last).scale(stretch)));
            } else if at != SimTime::NEVER {
                self.world.at(at, Due::Wake(key));
            }
        }
        burns
    }

    /// What is to be sent and answered, with all that has to be looked up for it.
    fn errands(&mut self, spans: trace::Ids) -> Errands {
        let mut errands = Errands::default();
        let mut outbox = core::mem::take(&mut self.world.outbox);
        for out in outbox.drain(..) {
            match out {
                Out::Send(mut hop) => {
                    hop.left = self.system.time_left(hop.request);
                    let asker = self.system.asker(hop.request.from);
                    // A user's attempts all belong to one trace; who asked a service said which.
                    let user = self.system.user_of(hop.request.from);
                    let trail = user.map(|(fiber, meant)| Trail::of(spans.trace(fiber, meant)));
                    errands.sends.push((hop, trail.or_else(|| self.world.awaited.attempt(asker).cloned())));
                }
                Out::Cancel(attempt) => errands.cancels.push(attempt),
                Out::Reply(to, outcome, wire) => {
                    let Some(asked) = self.world.awaited.take(to) else { continue };
                    let hangs_up = outcome == Outcome::Refused
                        && (!self.system.replica(asked.replica).accepts
                            || self.system.refusing(asked.replica, Some(asked.endpoint)).is_some());
                    let spoilt = (wire == Wire::Spoils).then_some(Fate::Spoilt);
                    let fate = hangs_up.then_some(Fate::HangsUp).or(spoilt);
                    let asks = self.system.asked_to_wait(to);
                    errands.answers.push((asked.answer, Verdict { outcome, fate, attempts: asked.attempts, asks }));
                }
            }
        }
        // The same memory for the next step.
        self.world.outbox = outbox;
        errands
    }
}

/// A request at a server, until it is answered or its asker hangs up.
#[derive(Debug)]
pub(crate) struct Waiting<E: Ear> {
    driver: Arc<Driver<E>>,
    key: Key,
    answer: oneshot::Receiver<Verdict>,
    answered: bool,
}

impl<E: Ear> Waiting<E> {
    /// The answer; `None` if the run is over first.
    pub(crate) async fn verdict(mut self) -> Option<Verdict> {
        let verdict = (&mut self.answer).await.ok();
        self.answered = true;
        verdict
    }
}

impl<E: Ear> Drop for Waiting<E> {
    fn drop(&mut self) {
        if !self.answered {
            self.driver.forget(self.key);
        }
    }
}

/// Burns CPU for this long: a thread that has to share the CPU with others takes longer.
fn burn(work: Duration) {
    let end = thread_time() + work;
    while thread_time() < end {
        for _ in 0..100 {
            std::hint::spin_loop();
        }
    }
}

/// CPU time that this thread has used.
#[cfg(unix)]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time since the first time that anybody asked: without a clock of the thread's own it has to do.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    static BEGAN: OnceLock<std::time::Instant> = OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed()
}

/// A number that nobody can guess.
fn random_u64() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(format!("no random numbers: {error}")))
}
