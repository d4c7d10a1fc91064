//! The model of `benches/storm.yaml`, written by hand and for nothing else: what any engine is held against. Three
//! services in a row, a database behind the last, 1 s of patience an attempt, three retries with full jitter: all of that stands
//! in the code. It shares nothing with squall's engine, machines and recorder but the random streams, so it is a second opinion
//! on them as well, and must come to the very same figures.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use squall_model::Random as _;
use squall_model::dist::exponential;
use squall_model::rng::Stream;

const SECOND: u64 = 1_000_000_000;
const PATIENCE: u64 = SECOND;
const ATTEMPTS: u8 = 4;
/// The most that the first retry waits; each further one twice as long.
const BACKOFF: u64 = 100_000_000;
const QUERY_NS: f64 = 10e6;
const SLOW_QUERY_NS: f64 = 5e9;
/// Nobody: a user has no job that waits for the answer.
const USER: u32 = u32::MAX;
/// Later than anything.
const NEVER: u64 = u64::MAX;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Workers of each service; 256 at most.
    pub(crate) workers: usize,
    /// Nanoseconds of every message between two services, or a service and a user.
    pub(crate) hop: u64,
    /// From when to when queries take 5 s, in nanoseconds.
    pub(crate) slow: (u64, u64),
    /// Nanoseconds.
    pub(crate) duration: u64,
}

impl Chain {
    /// With an outage from 20 s to 40 s.
    pub(crate) const fn new(rate: f64, workers: usize, hop: u64, seconds: u64) -> Self {
        Self { rate, workers, hop, slow: (20 * SECOND, 40 * SECOND), duration: seconds * SECOND }
    }

    /// What makes `benches/storm.yaml` the same.
    pub(crate) fn overrides(&self) -> Vec<(String, String)> {
        let Self { rate, workers, hop, slow: (from, to), duration } = *self;
        let ns = |path: &str, ns: u64| (path.to_owned(), format!("{ns}ns"));
        let mut all = vec![
            ("load.load.rate".to_owned(), format!("{rate}/s")),
            ns("network", hop),
            ns("faults.slow.at", from),
            ns("faults.slow.for", to - from),
            ns("duration", duration),
        ];
        all.extend(["a", "b", "c"].map(|service| (format!("services.{service}.workers"), workers.to_string())));
        all
    }
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// Attempts of users, of `a` and of `b`, retries among them.
    pub(crate) attempts: [u64; 3],
    pub(crate) retries: [u64; 3],
    /// Attempts that nobody answered in time.
    pub(crate) timeouts: [u64; 3],
    /// By service: nanoseconds that requests which have ended held their workers.
    pub(crate) held: [u64; 3],
    /// Of all answers, in nanoseconds.
    pub(crate) latency: u64,
    /// Of all answers: a log-linear histogram.
    pub(crate) histogram: Vec<u32>,
    /// Answers and failures of every second.
    pub(crate) seconds: Vec<[u64; 2]>,
}

impl Tally {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self { histogram: vec![0; 64 << BUCKET_BITS], ..Self::default() }
    }
}

/// One of the services.
trait Level {
    const AT: usize;
    type Caller: Level;
    type Callee: Level;
}

struct A;
struct B;
struct C;

impl Level for A {
    const AT: usize = 0;
    type Caller = Self;
    type Callee = B;
}

impl Level for B {
    const AT: usize = 1;
    type Caller = A;
    type Callee = C;
}

impl Level for C {
    const AT: usize = 2;
    type Caller = B;
    type Callee = Self;
}

/// A request at a service.
#[derive(Clone, Copy)]
struct Job {
    /// The attempt or the wait that it waits for; 0 for none. No two are the same, so whatever comes with another is late.
    key: u64,
    /// The attempt that it is to its caller; for a user, when the user asked.
    for_attempt: u64,
    /// When it got its worker.
    began: u64,
    caller: u32,
    attempts: u8,
}

struct Service {
    busy: usize,
    line: VecDeque<u32>,
}

/// Something that happens to a job if it still waits for this key then, and what.
#[derive(Clone, Copy)]
struct Note {
    at: u64,
    key: u64,
    job: u32,
    what: u32,
}

/// Notes in order of time.
struct Line {
    notes: Box<[Note]>,
    first: usize,
    end: usize,
    /// When the first one is due.
    at: u64,
}

impl Line {
    fn new() -> Self {
        Self { notes: vec![Note { at: 0, key: 0, job: 0, what: 0 }; 64].into(), first: 0, end: 0, at: NEVER }
    }

    #[inline(always)]
    fn push(&mut self, note: Note) {
        if self.end - self.first == self.notes.len() {
            self.grow();
        }
        let mask = self.notes.len() - 1;
        self.notes[self.end & mask] = note;
        self.end += 1;
        self.at = self.at.min(note.at);
    }

    #[inline(always)]
    fn pop(&mut self) -> Note {
        let mask = self.notes.len() - 1;
        let note = self.notes[self.first & mask];
        self.first += 1;
        self.at = if self.first == self.end { NEVER } else { self.notes[self.first & mask].at };
        note
    }

    #[cold]
    fn grow(&mut self) {
        let (len, mask) = (self.notes.len(), self.notes.len() - 1);
        self.notes = (self.first..self.first + 2 * len).map(|place| self.notes[place & mask]).collect();
        (self.first, self.end) = (0, len);
    }
}

/// When the workers of the last service are done: a tree of winners over them. A number is a time and, below it, the worker.
struct Work {
    tree: Box<[u64; 2 * MOST_WORKERS]>,
    leaves: usize,
    jobs: Box<[u32; MOST_WORKERS]>,
    free: Vec<u8>,
}

const WORKER_BITS: u32 = 8;
const MOST_WORKERS: usize = 1 << WORKER_BITS;

impl Work {
    fn new(workers: usize) -> Self {
        Self {
            tree: Box::new([NEVER; 2 * MOST_WORKERS]),
            leaves: workers.next_power_of_two(),
            jobs: Box::new([0; MOST_WORKERS]),
            free: (0..workers as u8).rev().collect(),
        }
    }

    #[inline(always)]
    fn set(&mut self, worker: u8, value: u64) {
        let mut at = self.leaves + usize::from(worker);
        let mut winner = value;
        while at > 1 {
            self.tree[at % (2 * MOST_WORKERS)] = winner;
            winner = winner.min(self.tree[(at ^ 1) % (2 * MOST_WORKERS)]);
            at /= 2;
        }
        self.tree[1] = winner;
    }

    #[inline(always)]
    fn begin(&mut self, job: u32, done: u64) {
        if let Some(worker) = self.free.pop() {
            self.jobs[usize::from(worker)] = job;
            self.set(worker, done << WORKER_BITS | u64::from(worker));
        }
    }

    #[inline(always)]
    fn next(&self) -> u64 {
        self.tree[1] >> WORKER_BITS
    }

    #[inline(always)]
    fn end(&mut self) -> u32 {
        let worker = self.tree[1] as u8;
        self.free.push(worker);
        self.set(worker, NEVER);
        self.jobs[usize::from(worker)]
    }
}

struct Sim<const HOPS: bool> {
    chain: Chain,
    now: u64,
    keys: u64,
    jobs: Vec<Job>,
    free: Vec<u32>,
    services: [Service; 3],
    work: Work,
    /// Of attempts: what is noted is the caller's place.
    patience: Line,
    /// Waits before retries, and the caller's place.
    waits: BinaryHeap<Reverse<(u64, u64, u32, usize)>>,
    wait_at: u64,
    /// On their way: what is noted is what they are.
    messages: Line,
    query: Stream,
    slow_query: Stream,
    backoff: [Stream; 2],
    tally: Tally,
    second: [u64; 2],
}

/// A message is a request to a service, or an answer from it. Below that stands the service.
const ANSWER: u32 = 1 << 2;
const OK: u32 = 1 << 3;

/// Simulates the chain.
pub(crate) fn run(chain: Chain, seed: u64) -> Tally {
    if chain.hop > 0 { Sim::<true>::new(chain, seed).run(seed) } else { Sim::<false>::new(chain, seed).run(seed) }
}

impl<const HOPS: bool> Sim<HOPS> {
    fn new(chain: Chain, seed: u64) -> Self {
        let service = || Service { busy: 0, line: VecDeque::new() };
        Self {
            chain,
            now: 0,
            keys: 0,
            jobs: Vec::new(),
            free: Vec::new(),
            services: [service(), service(), service()],
            work: Work::new(chain.workers),
            patience: Line::new(),
            waits: BinaryHeap::new(),
            wait_at: NEVER,
            messages: Line::new(),
            query: Stream::new(seed, "query/db"),
            slow_query: Stream::new(seed, "fault/0/slow"),
            backoff: [Stream::new(seed, "backoff/a -> b"), Stream::new(seed, "backoff/b -> c")],
            tally: Tally::new(),
            second: [0; 2],
        }
    }

    fn run(mut self, seed: u64) -> Tally {
        let mut arrivals = Stream::new(seed, "arrivals/load");
        let (rate, seconds) = (self.chain.rate, self.chain.duration as f64 / 1e9);
        let mut mark = 0.0;
        let mut arrival = || {
            mark += exponential(&mut arrivals);
            let at: f64 = mark / rate;
            if at < seconds { whole(at * 1e9) } else { NEVER }
        };
        let (mut next_arrival, mut next_second) = (arrival(), SECOND);
        loop {
            // At one instant: messages, work and waits that are over, users, and then those who give up.
            let message = if HOPS { self.messages.at } else { NEVER };
            let done = self.work.next();
            let at = message.min(done).min(self.wait_at).min(next_arrival).min(self.patience.at);
            self.now = at;
            if at >= next_second {
                self.tally.seconds.push(std::mem::take(&mut self.second));
                if next_second >= self.chain.duration {
                    return self.end();
                }
                next_second += SECOND;
            } else if HOPS && at == message {
                self.deliver();
            } else if at == done {
                let job = self.work.end();
                self.finish::<C>(job, OK);
            } else if at == next_arrival && at != self.wait_at {
                next_arrival = arrival();
                self.tally.attempts[0] += 1;
                self.send::<A>(USER, at);
            } else if at == self.wait_at {
                self.wake();
            } else {
                let Note { key, job, what, .. } = self.patience.pop();
                if self.jobs[job as usize].key == key {
                    self.timed_out(job, what);
                }
            }
        }
    }

    #[inline(always)]
    fn send<To: Level>(&mut self, caller: u32, for_attempt: u64) {
        if HOPS {
            let at = self.now + self.chain.hop;
            self.messages.push(Note { at, key: for_attempt, job: caller, what: To::AT as u32 });
        } else {
            self.arrive::<To>(caller, for_attempt);
        }
    }

    #[inline(always)]
    fn reply<From: Level>(&mut self, caller: u32, for_attempt: u64, ok: u32) {
        if HOPS {
            let at = self.now + self.chain.hop;
            self.messages.push(Note { at, key: for_attempt, job: caller, what: ANSWER | ok | From::AT as u32 });
        } else {
            self.answered::<From>(caller, for_attempt, ok);
        }
    }

    #[inline(always)]
    fn deliver(&mut self) {
        let Note { key, job, what, .. } = self.messages.pop();
        match what {
            0 => self.arrive::<A>(job, key),
            1 => self.arrive::<B>(job, key),
            2 => self.arrive::<C>(job, key),
            _ => match what % ANSWER {
                0 => self.answered::<A>(job, key, what & OK),
                1 => self.answered::<B>(job, key, what & OK),
                _ => self.answered::<C>(job, key, what & OK),
            },
        }
    }

    /// A request comes to a service.
    #[inline(always)]
    fn arrive<At: Level>(&mut self, caller: u32, for_attempt: u64) {
        let job = Job { key: 0, for_attempt, began: 0, caller, attempts: 0 };
        let index = if let Some(index) = self.free.pop() {
            self.jobs[index as usize] = job;
            index
        } else {
            self.jobs.push(job);
            self.jobs.len() as u32 - 1
        };
        let service = &mut self.services[At::AT];
        if service.busy < self.chain.workers {
            service.busy += 1;
            self.begin::<At>(index);
        } else {
            service.line.push_back(index);
        }
    }

    /// A job has a worker.
    #[inline(always)]
    fn begin<At: Level>(&mut self, index: u32) {
        let now = self.now;
        self.jobs[index as usize].began = now;
        if At::AT < C::AT {
            return self.call::<At>(index);
        }
        let mut took = QUERY_NS * exponential(&mut self.query);
        if (self.chain.slow.0..self.chain.slow.1).contains(&now) {
            took = SLOW_QUERY_NS * exponential(&mut self.slow_query);
        }
        self.work.begin(index, now + whole(took));
    }

    /// A job calls the next service.
    #[inline(always)]
    fn call<At: Level>(&mut self, index: u32) {
        self.keys += 1;
        let key = self.keys;
        let job = &mut self.jobs[index as usize];
        job.attempts += 1;
        job.key = key;
        self.tally.attempts[At::Callee::AT] += 1;
        self.patience.push(Note { at: self.now + PATIENCE, key, job: index, what: At::AT as u32 });
        self.send::<At::Callee>(index, key);
    }

    /// A job answers, and its worker takes the next one.
    #[inline(always)]
    fn finish<At: Level>(&mut self, index: u32, ok: u32) {
        let job = &mut self.jobs[index as usize];
        let Job { caller, for_attempt, began, .. } = *job;
        job.key = 0;
        self.free.push(index);
        self.tally.held[At::AT] += self.now - began;
        self.reply::<At>(caller, for_attempt, ok);
        let service = &mut self.services[At::AT];
        if let Some(next) = service.line.pop_front() {
            self.begin_next::<At>(next);
        } else {
            service.busy -= 1;
        }
    }

    #[inline(never)]
    fn begin_next<At: Level>(&mut self, index: u32) {
        self.begin::<At>(index);
    }

    /// An answer of a service reaches whoever asked; it may be late.
    #[inline(always)]
    fn answered<From: Level>(&mut self, caller: u32, for_attempt: u64, ok: u32) {
        if From::AT == A::AT {
            self.second[usize::from(ok == 0)] += 1;
            if ok > 0 {
                let took = self.now - for_attempt;
                self.tally.latency += took;
                self.tally.histogram[bucket(took)] += 1;
            }
        } else if self.jobs[caller as usize].key == for_attempt {
            if ok > 0 { self.finish::<From::Caller>(caller, OK) } else { self.attempt_failed::<From::Caller>(caller) }
        }
    }

    #[inline(never)]
    fn timed_out(&mut self, job: u32, caller: u32) {
        self.tally.timeouts[caller as usize + 1] += 1;
        if caller as usize == A::AT { self.attempt_failed::<A>(job) } else { self.attempt_failed::<B>(job) }
    }

    /// An attempt failed: another one after a wait, or the end.
    #[inline(never)]
    fn attempt_failed<At: Level>(&mut self, index: u32) {
        let job = &mut self.jobs[index as usize];
        if job.attempts == ATTEMPTS {
            return self.finish::<At>(index, 0);
        }
        self.keys += 1;
        job.key = self.keys;
        let at = self.now + self.backoff[At::AT].below(BACKOFF << (job.attempts - 1));
        self.waits.push(Reverse((at, self.keys, index, At::AT)));
        self.wait_at = self.wait_at.min(at);
    }

    #[inline(never)]
    fn wake(&mut self) {
        let Some(Reverse((_, _, job, caller))) = self.waits.pop() else { return };
        self.wait_at = self.waits.peek().map_or(NEVER, |Reverse((at, ..))| *at);
        self.tally.retries[caller + 1] += 1;
        if caller == A::AT { self.call::<A>(job) } else { self.call::<B>(job) }
    }

    fn end(self) -> Tally {
        let sums = self.tally.seconds.iter().fold([0, 0], |sum, [ok, failed]| [sum[0] + ok, sum[1] + failed]);
        Tally { answered: sums[0], failed: sums[1], ..self.tally }
    }
}

/// To whole nanoseconds, which are far fewer than 2⁵².
fn whole(ns: f64) -> u64 {
    const WHOLE: f64 = (1u64 << 52) as f64;
    (ns + WHOLE).to_bits() - WHOLE.to_bits()
}

/// Buckets of an octave, as a power of two.
const BUCKET_BITS: u32 = 7;

/// The bucket of a latency: below 2⁷ one for each nanosecond, then 128 an octave.
pub(crate) fn bucket(ns: u64) -> usize {
    let shift = (63 - BUCKET_BITS).saturating_sub(ns.leading_zeros());
    ((shift as usize) << BUCKET_BITS) + (ns >> shift) as usize
}
