//! A fingerprint of a run: 128 bits over every observation in order. Two runs with the same digest made the same
//! observations at the same times. Knows nothing of what observations mean.
//!
//! Every observation is written as pairs of words of 64 bits. The first word says what kind it is, and so how many words
//! follow; what is usual has a kind of its own, which is shorter, down to a single word. Before them comes a pair of kind 0
//! with the time, if it is not that of the observation before. A time that something took and that is the one told last is
//! not told again: there is a kind for that, of a single word. So different observations are different words, as long as a plan has fewer
//! than 2¹⁶ segments and 2²⁰ of anything else. What a call step names, caller, callee, and where it went, is not said again
//! where a call and its request are one fact. A word that stands alone turns `a` into `(a ^ v) · K`, its
//! halves exchanged. A pair `(v, w)` turns the state `(a, b)` into `(b ^ high(p), low(p))` where
//! `p = (a ^ v) · (2w ^ K)` has 128 bits and K is odd. This is no defence against someone who makes up collisions.

use core::fmt;

use squall_model::observation::{Called, Failure, Limit, Look, Observation, Returned, Sink};
use squall_model::plan::{DatabaseId, EndpointId, ReplicaId, SegmentId, SiteId};
use squall_model::{SimTime, Span};
use squall_policies::Outcome;
use squall_policies::breaker::{Reason, State, Transition};

/// The version of the words. It changes when an observation is written in another way, and with it every digest.
pub const FORMAT: u64 = 4;

/// The first digits of pi, so that nobody has chosen them.
const PI: [u64; 3] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0];
/// What a second word turns into a factor that is odd, so that nothing of the first is lost.
const ODD: u64 = PI[2] | 1;
/// So many words of nothing mix the last observation into all bits.
const FINAL_ROUNDS: u32 = 8;

/// The digest of the observations so far.
#[derive(Clone, Debug)]
pub struct Digest {
    a: u64,
    b: u64,
    /// When the last observation was made.
    at: u64,
    /// The time that was told last of something that ended well.
    took: u64,
}

/// A finished digest; shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Digest {
    /// Of no observation.
    pub fn new() -> Self {
        let mut digest = Self { a: PI[1], b: PI[2], at: 0, took: 0 };
        digest.pair(FORMAT, 0);
        digest
    }

    /// The time of the last observation, in nanoseconds.
    #[inline(always)]
    pub(crate) const fn last(&self) -> u64 {
        self.at
    }

    /// The next observation is made at `now`, which is another time than that of the last.
    pub(crate) fn go_on_to(&mut self, now: u64) {
        self.at = now;
        self.pair(0, now);
    }

    fn tick(&mut self, at: SimTime) {
        if at.as_nanos() != self.at {
            self.go_on_to(at.as_nanos());
        }
    }

    /// Takes in one observation that is made at the time that it stands at.
    #[inline(always)]
    pub(crate) fn take(&mut self, what: Observation) {
        match what {
            Observation::Admitted { endpoint, replica, segment } => {
                self.word(head(1, segment.0, endpoint.0, replica.0));
            }
            Observation::Attempt { site, edge, segment, number: 1 } => {
                self.word(head(32, segment.0, edge.0, site.0));
            }
            Observation::Attempt { site, edge, segment, number } => {
                self.pair(head(9, segment.0, edge.0, u32::from(number)), u64::from(site.0));
            }
            Observation::Ended { endpoint, replica, segment, outcome, took, held } => {
                if outcome == Outcome::Ok && took == held {
                    self.ended_well(head(21, segment.0, endpoint.0, replica.0), took);
                } else if outcome == Outcome::Ok {
                    self.ended_well(head(33, segment.0, endpoint.0, replica.0), took);
                    self.word(held.as_nanos());
                } else {
                    self.pair(head(6, segment.0, endpoint.0, replica.0), took.as_nanos());
                    self.pair(u64::from(outcome_code(outcome)), held.as_nanos());
                }
            }
            Observation::CallEnded { edge, segment, outcome, failure, attempts, took } => {
                if outcome == Outcome::Ok && attempts == 1 && failure.is_none() {
                    self.ended_well(head(22, segment.0, edge.0, 0), took);
                } else {
                    self.pair(head(11, segment.0, edge.0, u32::from(attempts)), took.as_nanos());
                    self.pair(failure.map_or(0, failure_code), u64::from(outcome_code(outcome)));
                }
            }
            Observation::QueryStarted { database, segment, waited, queued } => {
                if queued || !waited.is_zero() {
                    self.pair(head(14, segment.0, database.0, u32::from(queued)), waited.as_nanos());
                } else {
                    self.word(head(31, segment.0, database.0, 0));
                }
            }
            Observation::QueryEnded { database, segment, outcome, took } => {
                if outcome == Outcome::Ok {
                    self.ended_well(head(23, segment.0, database.0, 0), took);
                } else {
                    self.pair(head(15, segment.0, database.0, 0), took.as_nanos());
                    self.pair(u64::from(outcome_code(outcome)), 0);
                }
            }
            Observation::Queued { endpoint, replica, segment } => {
                self.word(head(2, segment.0, endpoint.0, replica.0));
            }
            Observation::Dequeued { endpoint, replica, segment, waited } => {
                self.pair(head(5, segment.0, endpoint.0, replica.0), waited.as_nanos());
            }
            Observation::Saturated { replica } => self.word(head(7, 0, 0, replica.0)),
            Observation::Relieved { replica } => self.word(head(8, 0, 0, replica.0)),
            rare => self.rare(rare),
        }
    }

    /// Takes in a call that was sent and let in.
    #[inline(always)]
    pub(crate) fn take_called(&mut self, what: Called) {
        self.word(head(24, what.segment.0, what.site.0, 0));
    }

    /// Takes in a request that ended well, and its call with it.
    #[inline(always)]
    pub(crate) fn take_returned(&mut self, what: Returned) {
        self.ended_well(head(25, what.of.segment.0, what.of.site.0, 0), what.took);
    }

    /// Takes in one station of a request that passes several at once.
    #[inline(always)]
    pub(crate) fn take_passed(&mut self, words: PassWords, segment: SegmentId) {
        self.word(words.there | u64::from(segment.0) << SEGMENT_BIT);
    }

    /// Takes in that a request has come back through one station.
    #[inline(always)]
    pub(crate) fn take_passed_back(&mut self, words: PassWords, segment: SegmentId, took: Span) {
        self.ended_well(words.back | u64::from(segment.0) << SEGMENT_BIT, took);
    }

    /// As [`take_passed_back`](Self::take_passed_back), for a further station: it took as long as the one before.
    #[inline(always)]
    pub(crate) fn take_passed_back_too(&mut self, words: PassWords, segment: SegmentId) {
        self.word(words.back | AS_BEFORE | u64::from(segment.0) << SEGMENT_BIT);
    }

    /// What is not seen at every hop.
    #[cold]
    #[inline(never)]
    fn rare(&mut self, what: Observation) {
        match what {
            Observation::Rejected { endpoint, replica, segment, answered, limit } => {
                self.pair(head(3, segment.0, endpoint.0, replica.0), u64::from(answered) | limit_code(limit) << 1);
            }
            Observation::Withdrawn { endpoint, replica, segment, outcome, waited } => {
                self.pair(head(28, segment.0, endpoint.0, replica.0), waited.as_nanos());
                self.pair(u64::from(outcome_code(outcome)), 0);
            }
            Observation::Hedged { edge, segment } => self.pair(head(26, segment.0, edge.0, 0), 0),
            Observation::AttemptCancelled { edge, segment } => self.pair(head(27, segment.0, edge.0, 0), 0),
            Observation::Hung { endpoint, replica, segment } => self.pair(head(4, segment.0, endpoint.0, replica.0), 0),
            Observation::AttemptFailed { edge, segment, outcome } => {
                self.pair(head(10, segment.0, edge.0, 0), failure_code(outcome));
            }
            Observation::Breaker { edge, replica, ref transition } => {
                self.pair(head(12, 0, edge.0, replica.0), 0);
                self.transition(transition);
            }
            Observation::QueryArrived { database } => self.pair(head(13, 0, database.0, 0), 0),
            Observation::QueryRefused { database, segment, outcome, took, queued } => {
                self.pair(head(29, segment.0, database.0, u32::from(queued)), took.as_nanos());
                self.pair(u64::from(outcome_code(outcome)), 0);
            }
            Observation::DatabaseSaturated { database } => self.pair(head(16, 0, database.0, 0), 0),
            Observation::DatabaseRelieved { database } => self.pair(head(17, 0, database.0, 0), 0),
            Observation::FaultBegan { fault } => self.pair(head(18, 0, fault.0, 0), 0),
            Observation::FaultEnded { fault } => self.pair(head(19, 0, fault.0, 0), 0),
            Observation::FaultFired { fault } => self.pair(head(20, 0, fault.0, 0), 0),
            other => self.resource(other),
        }
    }

    /// What is seen of what services run on and talk to besides each other.
    #[cold]
    #[inline(never)]
    fn resource(&mut self, what: Observation) {
        match what {
            Observation::LookedUp { cache, segment, look, took, held } => {
                self.pair(head(40, segment.0, cache.0, 0), took.as_nanos());
                self.pair(look_code(look), u64::from(held));
            }
            Observation::Published { topic, segment, outcome, took } => {
                self.pair(head(41, segment.0, topic.0, 0), took.as_nanos());
                self.pair(u64::from(outcome_code(outcome)), 0);
            }
            Observation::Computing { replica, from, to, all } => {
                self.pair(head(42, 0, u32::from(all), replica.0), u64::from(from));
                self.pair(u64::from(to), 0);
            }
            Observation::MemoryUsed { replica, bytes } => self.pair(head(43, 0, 0, replica.0), bytes),
            Observation::OutOfMemory { replica } => self.pair(head(44, 0, 0, replica.0), 0),
            Observation::ReplicaUp { replica } => self.pair(head(45, 0, 0, replica.0), 0),
            Observation::ReplicaDown { replica } => self.pair(head(46, 0, 0, replica.0), 0),
            Observation::Scaled { service, from, to, ready, used } => {
                self.pair(head(47, 0, service.0, ready), words(from, to));
                self.pair(used.to_bits(), 0);
            }
            Observation::ConnectionWanted { edge } => self.pair(head(48, 0, edge.0, 0), 0),
            Observation::ConnectionGivenUp { edge } => self.pair(head(49, 0, edge.0, 0), 0),
            Observation::ConnectionTaken { edge, waited, opened, queued } => {
                self.pair(head(50, u32::from(queued), edge.0, u32::from(opened)), waited.as_nanos());
            }
            Observation::ConnectionFreed { edge } => self.pair(head(51, 0, edge.0, 0), 0),
            Observation::AdmissionLimit { replica, from, to } => self.pair(head(52, 0, 0, replica.0), words(from, to)),
            Observation::BulkheadLimit { edge, replica, from, to } => {
                self.pair(head(53, 0, edge.0, replica.0), words(from, to));
            }
            _ => unreachable!("what is seen at every hop is taken in there"),
        }
    }

    /// The digest of what was taken in; more may follow.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut last = self.clone();
        for _ in 0..FINAL_ROUNDS {
            last.pair(PI[0], PI[0] >> 1);
        }
        Fingerprint(u128::from(last.a) << 64 | u128::from(last.b))
    }

    #[inline(always)]
    fn pair(&mut self, first: u64, second: u64) {
        let product = u128::from(self.a ^ first) * u128::from(second << 1 ^ ODD);
        (self.a, self.b) = (self.b ^ (product >> 64) as u64, product as u64);
    }

    /// Something ended well and took this long: a pair that begins with `first`; or, if it took as long as what was told
    /// last, one word, whose kind is another.
    #[inline(always)]
    fn ended_well(&mut self, first: u64, took: Span) {
        let took = took.as_nanos();
        if took == self.took {
            self.word(first | AS_BEFORE);
        } else {
            self.took = took;
            self.pair(first, took);
        }
    }

    /// A word that stands alone, for what is seen most: a quick step, which the pairs that follow mix into all bits.
    #[inline(always)]
    const fn word(&mut self, word: u64) {
        self.a = (self.a ^ word).wrapping_mul(ODD).rotate_left(32);
    }

    #[cold]
    fn transition(&mut self, transition: &Transition) {
        let Transition { from, to, why, replica } = *transition;
        let (code, [first, second]) = reason_words(why.reason);
        let states = state_code(from) | state_code(to) << 8 | u32::from(why.late) << 16;
        self.pair(words(states, code), replica.map_or(0, |replica| u64::from(replica) + 1));
        self.pair(first, second);
    }
}

impl Sink for Digest {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.tick(at);
        self.take(what);
    }

    fn called(&mut self, at: SimTime, what: Called) {
        self.tick(at);
        self.take_called(what);
    }

    fn returned(&mut self, at: SimTime, what: Returned) {
        self.tick(at);
        self.take_returned(what);
    }
}

/// The first words for one station of requests that pass several at once, on the way there and back, but for the segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PassWords {
    there: u64,
    back: u64,
}

impl PassWords {
    /// Of a call step: [`Called`] and [`Returned`].
    pub(crate) const fn of_call(site: SiteId) -> Self {
        Self { there: head(24, 0, site.0, 0), back: head(25, 0, site.0, 0) }
    }

    /// Of a user's task: [`Observation::Admitted`] and [`Observation::Ended`], but for the replica.
    pub(crate) const fn of_user(task: EndpointId) -> Self {
        Self { there: head(1, 0, task.0, 0), back: head(21, 0, task.0, 0) }
    }

    /// Of a query: [`Observation::QueryStarted`] and [`Observation::QueryEnded`].
    pub(crate) const fn of_query(database: DatabaseId) -> Self {
        Self { there: head(31, 0, database.0, 0), back: head(23, 0, database.0, 0) }
    }

    /// With the replica as well.
    #[inline(always)]
    pub(crate) const fn by(self, replica: ReplicaId) -> Self {
        let replica = head(0, 0, 0, replica.0);
        Self { there: self.there | replica, back: self.back | replica }
    }
}

/// What makes the kind of something that ended well another: that it took as long as what was told last. Kinds from 128 on
/// are for this.
const AS_BEFORE: u64 = 1 << 7;
/// Where the segment begins in a first word.
const SEGMENT_BIT: u32 = 8;

/// Kind, segment, and two numbers: 8, 16, 20 and 20 bits.
#[inline(always)]
const fn head(kind: u8, segment: u32, id: u32, other: u32) -> u64 {
    kind as u64 | (segment as u64) << SEGMENT_BIT | (id as u64) << 24 | (other as u64) << 44
}

#[inline(always)]
const fn words(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

#[inline(always)]
const fn outcome_code(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Ok => 1,
        Outcome::Degraded => 2,
        Outcome::Error(status) => 3 | (status as u32) << 8,
        Outcome::Timeout => 4,
        Outcome::Refused => 5,
        Outcome::Rejected => 6,
        Outcome::RateLimited => 7,
        Outcome::BreakerOpen => 8,
        Outcome::Cancelled => 9,
    }
}

#[inline(always)]
const fn failure_code(failure: Failure) -> u64 {
    match failure {
        Failure::Callee(outcome) => words(1, outcome_code(outcome)),
        Failure::BreakerOpen => 2,
        Failure::BulkheadFull => 3,
        Failure::PoolFull => 40,
        Failure::NoReplica => 4,
        Failure::Deadline => 5,
        Failure::BudgetRefused(outcome) => words(6, outcome_code(outcome)),
        Failure::RateLimited => 7,
        Failure::Throttled => 8,
    }
}

/// A full queue, by far the most usual, is nothing, as it was when there was no other limit.
const fn limit_code(limit: Limit) -> u64 {
    match limit {
        Limit::Queue => 0,
        Limit::Rate => 1,
        Limit::Concurrency => 2,
    }
}

const fn look_code(look: Look) -> u64 {
    match look {
        Look::Hit => 1,
        Look::Absent => 2,
        Look::Expired => 3,
        Look::Failed(outcome) => words(4, outcome_code(outcome)),
    }
}

const fn state_code(state: State) -> u32 {
    match state {
        State::Closed => 1,
        State::Open => 2,
        State::HalfOpen => 3,
        State::ForcedOpen => 4,
        State::Disabled => 5,
        State::MetricsOnly => 6,
    }
}

const fn reason_words(reason: Reason) -> (u32, [u64; 2]) {
    match reason {
        Reason::FailureRate { rate, threshold, calls } => (1, rate_words(rate, threshold, calls)),
        Reason::SlowRate { rate, threshold, calls } => (2, rate_words(rate, threshold, calls)),
        Reason::SuccessRate { rate, threshold, calls } => (3, rate_words(rate, threshold, calls)),
        Reason::Consecutive(failures) => (4, [failures as u64, 0]),
        Reason::ProbeFailed => (5, [0, 0]),
        Reason::ProbesPassed(probes) => (6, [probes as u64, 0]),
        Reason::ProbeCancelled => (7, [0, 0]),
        Reason::OpenFor(span) => (8, [span.as_nanos(), 0]),
        Reason::HalfOpenLimit(span) => (9, [span.as_nanos(), 0]),
        Reason::Asked => (10, [0, 0]),
        Reason::Initial => (12, [0, 0]),
        Reason::Outlier { rate, threshold, replicas } => (11, rate_words(rate, threshold, replicas)),
    }
}

const fn rate_words(rate: f32, threshold: f32, calls: u32) -> [u64; 2] {
    [words(rate.to_bits(), threshold.to_bits()), calls as u64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::plan::{EdgeId, FaultId};
    use squall_policies::breaker::Why;

    /// One of each kind, each followed by versions of it that differ in one field.
    fn families() -> Vec<Vec<Observation>> {
        use Observation as O;
        let (endpoint, replica, segment) = (EndpointId(1), ReplicaId(2), SegmentId(3));
        let (edge, site, database) = (EdgeId(4), SiteId(5), DatabaseId(6));
        let (e2, r2, s2, d2) = (EndpointId(9), ReplicaId(9), SegmentId(9), DatabaseId(9));
        let ns = Span::from_nanos;
        let (ok, limit) = (Outcome::Ok, Limit::Queue);
        let (took, held, waited) = (ns(70), ns(60), ns(10));
        let late = Failure::Callee(Outcome::Timeout);
        let ended = |outcome| O::Ended { endpoint, replica, segment, outcome, took, held };
        let failed = |outcome| O::AttemptFailed { edge, segment, outcome };
        let call = |outcome, failure, attempts, ns| O::CallEnded {
            edge,
            segment,
            outcome,
            failure,
            attempts,
            took: Span::from_nanos(ns),
        };
        vec![
            vec![
                O::Admitted { endpoint, replica, segment },
                O::Admitted { endpoint: e2, replica, segment },
                O::Admitted { endpoint, replica: r2, segment },
                O::Admitted { endpoint, replica, segment: s2 },
            ],
            vec![
                O::Queued { endpoint, replica, segment },
                O::Queued { endpoint: e2, replica, segment },
                O::Queued { endpoint, replica: r2, segment },
                O::Queued { endpoint, replica, segment: s2 },
            ],
            vec![
                O::Rejected { endpoint, replica, segment, answered: false, limit },
                O::Rejected { endpoint: e2, replica, segment, answered: false, limit },
                O::Rejected { endpoint, replica: r2, segment, answered: false, limit },
                O::Rejected { endpoint, replica, segment: s2, answered: false, limit },
                O::Rejected { endpoint, replica, segment, answered: true, limit },
                O::Rejected { endpoint, replica, segment, answered: false, limit: Limit::Rate },
                O::Rejected { endpoint, replica, segment, answered: false, limit: Limit::Concurrency },
            ],
            vec![
                O::Hung { endpoint, replica, segment },
                O::Hung { endpoint: e2, replica, segment },
                O::Hung { endpoint, replica: r2, segment },
                O::Hung { endpoint, replica, segment: s2 },
            ],
            vec![
                O::Dequeued { endpoint, replica, segment, waited },
                O::Dequeued { endpoint: e2, replica, segment, waited },
                O::Dequeued { endpoint, replica: r2, segment, waited },
                O::Dequeued { endpoint, replica, segment: s2, waited },
                O::Dequeued { endpoint, replica, segment, waited: ns(11) },
            ],
            vec![
                ended(ok),
                ended(Outcome::Degraded),
                ended(Outcome::Error(500)),
                ended(Outcome::Error(502)),
                ended(Outcome::Timeout),
                ended(Outcome::Refused),
                ended(Outcome::Rejected),
                ended(Outcome::RateLimited),
                ended(Outcome::BreakerOpen),
                ended(Outcome::Cancelled),
                O::Ended { endpoint: e2, replica, segment, outcome: ok, took, held },
                O::Ended { endpoint, replica: r2, segment, outcome: ok, took, held },
                O::Ended { endpoint, replica, segment: s2, outcome: ok, took, held },
                O::Ended { endpoint, replica, segment, outcome: ok, took: held, held },
                O::Ended { endpoint, replica, segment, outcome: ok, took, held: took },
            ],
            vec![O::Saturated { replica }, O::Saturated { replica: r2 }],
            vec![O::Relieved { replica }, O::Relieved { replica: r2 }],
            vec![
                O::Attempt { site, edge, segment, number: 1 },
                O::Attempt { site: SiteId(9), edge, segment, number: 1 },
                O::Attempt { site, edge: EdgeId(9), segment, number: 1 },
                O::Attempt { site, edge, segment: s2, number: 1 },
                O::Attempt { site, edge, segment, number: 2 },
            ],
            vec![
                failed(late),
                failed(Failure::Callee(Outcome::Error(500))),
                failed(Failure::BreakerOpen),
                failed(Failure::BulkheadFull),
                failed(Failure::RateLimited),
                failed(Failure::Throttled),
                failed(Failure::NoReplica),
                failed(Failure::Deadline),
                failed(Failure::BudgetRefused(Outcome::Timeout)),
                failed(Failure::BudgetRefused(Outcome::Refused)),
                O::AttemptFailed { edge: EdgeId(9), segment, outcome: late },
                O::AttemptFailed { edge, segment: s2, outcome: late },
            ],
            vec![
                call(ok, None, 1, 70),
                call(Outcome::Degraded, None, 1, 70),
                call(ok, Some(late), 1, 70),
                call(ok, None, 2, 70),
                call(ok, None, 1, 71),
                O::CallEnded { edge: EdgeId(9), segment, outcome: ok, failure: None, attempts: 1, took },
                O::CallEnded { edge, segment: s2, outcome: ok, failure: None, attempts: 1, took },
            ],
            transitions(),
            vec![O::QueryArrived { database }, O::QueryArrived { database: d2 }],
            vec![
                O::QueryStarted { database, segment, waited, queued: true },
                O::QueryStarted { database, segment, waited, queued: false },
                O::QueryStarted { database: d2, segment, waited, queued: true },
                O::QueryStarted { database, segment: s2, waited, queued: true },
                O::QueryStarted { database, segment, waited: ns(11), queued: true },
            ],
            vec![
                O::QueryEnded { database, segment, outcome: ok, took },
                O::QueryEnded { database: d2, segment, outcome: ok, took },
                O::QueryEnded { database, segment: s2, outcome: ok, took },
                O::QueryEnded { database, segment, outcome: Outcome::Timeout, took },
                O::QueryEnded { database, segment, outcome: ok, took: held },
            ],
            vec![
                O::QueryRefused { database, segment, outcome: Outcome::Refused, took, queued: true },
                O::QueryRefused { database: d2, segment, outcome: Outcome::Refused, took, queued: true },
                O::QueryRefused { database, segment: s2, outcome: Outcome::Refused, took, queued: true },
                O::QueryRefused { database, segment, outcome: Outcome::Timeout, took, queued: true },
                O::QueryRefused { database, segment, outcome: Outcome::Refused, took: held, queued: true },
                O::QueryRefused { database, segment, outcome: Outcome::Refused, took, queued: false },
            ],
            vec![
                O::Withdrawn { endpoint, replica, segment, outcome: Outcome::Rejected, waited },
                O::Withdrawn { endpoint: e2, replica, segment, outcome: Outcome::Rejected, waited },
                O::Withdrawn { endpoint, replica: r2, segment, outcome: Outcome::Rejected, waited },
                O::Withdrawn { endpoint, replica, segment: s2, outcome: Outcome::Rejected, waited },
                O::Withdrawn { endpoint, replica, segment, outcome: Outcome::Cancelled, waited },
                O::Withdrawn { endpoint, replica, segment, outcome: Outcome::Rejected, waited: ns(11) },
            ],
            vec![O::Hedged { edge, segment }, O::Hedged { edge: EdgeId(9), segment }, O::Hedged { edge, segment: s2 }],
            vec![
                O::AttemptCancelled { edge, segment },
                O::AttemptCancelled { edge: EdgeId(9), segment },
                O::AttemptCancelled { edge, segment: s2 },
            ],
            vec![O::DatabaseSaturated { database }, O::DatabaseSaturated { database: d2 }],
            vec![O::DatabaseRelieved { database }, O::DatabaseRelieved { database: d2 }],
            vec![O::FaultBegan { fault: FaultId(1) }, O::FaultBegan { fault: FaultId(2) }],
            vec![O::FaultEnded { fault: FaultId(1) }, O::FaultEnded { fault: FaultId(2) }],
            vec![O::FaultFired { fault: FaultId(1) }, O::FaultFired { fault: FaultId(2) }],
        ]
    }

    fn transitions() -> Vec<Observation> {
        let states =
            [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly];
        let rate = |rate, threshold, calls| Reason::FailureRate { rate, threshold, calls };
        let reasons = [
            rate(52.0, 50.0, 100),
            rate(53.0, 50.0, 100),
            rate(52.0, 51.0, 100),
            rate(52.0, 50.0, 101),
            Reason::SlowRate { rate: 52.0, threshold: 50.0, calls: 100 },
            Reason::SuccessRate { rate: 52.0, threshold: 50.0, calls: 100 },
            Reason::Consecutive(5),
            Reason::Consecutive(6),
            Reason::ProbeFailed,
            Reason::ProbesPassed(5),
            Reason::ProbeCancelled,
            Reason::OpenFor(Span::from_nanos(5)),
            Reason::HalfOpenLimit(Span::from_nanos(5)),
            Reason::Outlier { rate: 52.0, threshold: 50.0, replicas: 100 },
        ];
        let usual = Transition { from: State::Closed, to: State::Closed, why: Why::from(Reason::Asked), replica: None };
        let late = Transition { why: Why { late: true, ..usual.why }, ..usual };
        let by_from = states.map(|from| Transition { from, ..usual });
        let by_to = states[1..].iter().map(|to| Transition { to: *to, ..usual });
        let by_reason = reasons.iter().map(|reason| Transition { why: Why::from(*reason), ..usual });
        let by_replica = [0, 1].map(|replica| Transition { replica: Some(replica), ..usual });
        let all = by_from.into_iter().chain(by_to).chain(by_reason).chain(by_replica).chain([late]);
        let told = |transition| Observation::Breaker { edge: EdgeId(1), replica: ReplicaId(1), transition };
        let elsewhere = [
            Observation::Breaker { edge: EdgeId(2), replica: ReplicaId(1), transition: usual },
            Observation::Breaker { edge: EdgeId(1), replica: ReplicaId(2), transition: usual },
        ];
        all.map(told).chain(elsewhere).collect()
    }

    fn of(observations: &[(u64, Observation)]) -> Fingerprint {
        let mut digest = Digest::new();
        for (at, what) in observations {
            digest.observe(SimTime::from_nanos(*at), *what);
        }
        digest.fingerprint()
    }

    #[test]
    fn the_digest_of_an_observation_is_the_same_for_ever() {
        let all: Vec<_> = families().iter().map(|family| (7, family[0])).collect();
        let every: Vec<_> = families().concat().into_iter().map(|what| (7, what)).collect();
        let found = [of(&[]), of(&all[..1]), of(&all), of(&every)].map(|digest| digest.to_string());
        assert_eq!(
            found,
            [
                "b8a748f17f77036fe780ec2686c5d018",
                "eb6812e2cb7e7e1317262b3b4518c92b",
                "4b4cae33effe708410b61c8897b5944c",
                "cab447f480df8a8ba75f460ad517f870"
            ]
        );
    }

    #[test]
    fn a_call_and_its_request_as_one_fact_have_a_digest_of_their_own() {
        let called = |site, segment| Called {
            site: SiteId(site),
            edge: EdgeId(4),
            endpoint: EndpointId(1),
            replica: ReplicaId(2),
            segment: SegmentId(segment),
        };
        let returned = |site, segment, ns| Returned { of: called(site, segment), took: Span::from_nanos(ns) };
        let digest = |tell: &dyn Fn(&mut Digest)| {
            let mut digest = Digest::new();
            tell(&mut digest);
            digest.fingerprint().to_string()
        };
        let at = SimTime::from_nanos(7);
        let found = [
            digest(&|digest| digest.called(at, called(5, 3))),
            digest(&|digest| digest.called(SimTime::from_nanos(8), called(5, 3))),
            digest(&|digest| digest.called(at, called(6, 3))),
            digest(&|digest| digest.called(at, called(5, 4))),
            digest(&|digest| digest.returned(at, returned(5, 3, 70))),
            digest(&|digest| digest.returned(at, returned(6, 3, 70))),
            digest(&|digest| digest.returned(at, returned(5, 4, 70))),
            digest(&|digest| digest.returned(at, returned(5, 3, 71))),
        ];
        assert_eq!([&found[0], &found[4]], ["57eaae8b2d2efa019ffe37478a81ed89", "d2e17bc8452818a88445fb2aeee397b5"]);
        let different: std::collections::BTreeSet<_> = found.iter().collect();
        assert_eq!(different.len(), found.len());
    }

    #[test]
    fn every_field_of_every_observation_changes_the_digest() {
        let (database, segment, outcome) = (DatabaseId(7), SegmentId(3), Outcome::Ok);
        let before = Observation::QueryEnded { database, segment, outcome, took: Span::from_nanos(70) };
        let mut seen = Vec::new();
        for what in families().concat() {
            seen.push((of(&[(7, what)]).0, what));
            seen.push((of(&[(8, what)]).0, what));
            // After something that took as long as most of these.
            seen.push((of(&[(7, before), (7, what)]).0, what));
        }
        seen.sort_by_key(|(digest, _)| *digest);
        for two in seen.windows(2) {
            assert_ne!(two[0].0, two[1].0, "{:?} and {:?}", two[0].1, two[1].1);
        }
    }

    #[test]
    fn order_changes_the_digest() {
        let observations: Vec<_> = families().iter().map(|family| (7, family[0])).collect();
        for i in 1..observations.len() {
            let mut swapped = observations.clone();
            swapped.swap(i - 1, i);
            assert_ne!(of(&observations), of(&swapped), "{i}");
        }
    }

    #[test]
    fn one_bit_of_one_word_changes_about_half_of_the_digest() {
        let words = [0u64, 1, 20_000_000_000, u64::MAX / 2];
        let digest = |words: &[u64]| {
            let mut digest = Digest::new();
            for word in words {
                digest.pair(*word, *word);
            }
            digest.fingerprint().0
        };
        for i in 0..words.len() {
            for bit in 0..64 {
                let mut changed = words;
                changed[i] ^= 1 << bit;
                let flipped = (digest(&words) ^ digest(&changed)).count_ones();
                assert!((32..=96).contains(&flipped), "bit {bit} of word {i} flips {flipped}");
            }
        }
    }
}
