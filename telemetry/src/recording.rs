//! A finished recording: everything that was kept of a run, for reports to ask. Knows nothing of how they look.

use core::ops::Range;

use squall_model::SimTime;
use squall_model::plan::{Plan, ServiceId};

use crate::digest::Fingerprint;
use crate::recorder::{BreakerChange, FaultRecord, Recorder};

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(crate) books: Recorder,
    end: u64,
}

/// Both sides of Little's law for one service over the whole run, in nanoseconds times requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Little {
    /// The service, or a load's clients.
    pub service: ServiceId,
    /// The integral over time of how many requests were in it, waiting or being served.
    pub in_system: u128,
    /// The sum of their times from arrival to end; wraps at 2⁶⁴.
    pub times: u64,
    /// Whether nobody is in it any more, so that the two must be equal (modulo 2⁶⁴).
    pub drained: bool,
}

impl Little {
    /// Whether the law holds, as far as it can be told.
    pub const fn holds(&self) -> bool {
        !self.drained || self.in_system as u64 == self.times
    }
}

impl Recording {
    pub(crate) fn new(books: Recorder, end: u64) -> Self {
        let recording = Self { books, end };
        recording.assert_laws();
        recording
    }

    /// When the run ended.
    pub const fn end(&self) -> SimTime {
        SimTime::from_nanos(self.end)
    }

    /// The digest over every observation.
    pub fn fingerprint(&self) -> Fingerprint {
        self.books.digest.fingerprint()
    }

    /// Every change of state of every breaker, in order.
    pub fn breakers(&self) -> &[BreakerChange] {
        &self.books.breakers
    }

    /// What each fault did.
    pub fn faults(&self) -> &[FaultRecord] {
        &self.books.faults
    }

    /// Little's law for every service and every load's clients. It holds in virtual time; measured times may stray.
    pub fn littles_law(&self) -> impl Iterator<Item = Little> {
        let books = &self.books;
        (0..books.busy.rows()).map(|row| Little {
            service: ServiceId::from(row),
            in_system: books.busy.whole(row).integral + books.waiting.whole(row).integral,
            times: books.busy.times(row),
            drained: books.busy.level(row) == 0 && books.waiting.level(row) == 0,
        })
    }

    /// Asserts that no request was lost or counted twice: at every service, and for every load, what arrived has ended,
    /// was turned away, or is still there.
    fn assert_laws(&self) {
        for (row, endpoints) in self.books.windows.endpoints().enumerate() {
            let all = self.books.requests.whole(endpoints.clone());
            let inside = u64::from(self.books.busy.level(row)) + u64::from(self.books.waiting.level(row)) + all.hung;
            assert!(
                all.arrived() == all.ended() + all.turned_away + inside,
                "requests of service {row} are lost or counted twice: {all:?}, {inside} still there"
            );
            for endpoint in endpoints.clone() {
                for (segment, count) in self.books.requests.segments(endpoint).enumerate() {
                    let gone = count.ended() + count.turned_away + count.hung;
                    assert!(
                        count.arrived() >= gone,
                        "more requests of endpoint {endpoint} ended than began in segment {segment}: {count:?}"
                    );
                }
            }
        }
    }

    /// How long the given segments lasted, in nanoseconds; what the run did not reach does not count.
    pub(crate) fn length(&self, segments: Range<usize>) -> u64 {
        let starts = self.books.clock.starts();
        let at = |segment: usize| starts.get(segment).map_or(self.end, |start| (*start).min(self.end));
        at(segments.end).saturating_sub(at(segments.start))
    }

    /// From when to when the given segments go, in nanoseconds; the run's end is the end of what it did not reach.
    pub(crate) fn stretch(&self, segments: Range<usize>) -> Range<u64> {
        let starts = self.books.clock.starts();
        let at = |segment: usize| starts.get(segment).map_or(self.end, |start| (*start).min(self.end));
        at(segments.start)..at(segments.end)
    }

    /// The share of its cores that a service used, of those on replicas that served; `None` where cores are not modelled,
    /// or none served.
    pub(crate) fn cpu_share(&self, plan: &Plan, service: ServiceId, segments: Range<usize>) -> Option<f64> {
        let cores = plan.services[service.index()].cores?;
        let (resources, row) = (&self.books.resources, service.index());
        let used = resources.cpu.over(row, segments.clone()).integral as f64 / 1000.0;
        let served = resources.serving(row, self.stretch(segments)).time as f64;
        (served > 0.0).then(|| used / (cores * served))
    }

    /// When a replica of a service first died for want of memory, from a time on.
    pub(crate) fn out_of_memory_since(&self, plan: &Plan, service: ServiceId, from: SimTime) -> Option<u64> {
        let replicas = plan.services[service.index()].replica_range();
        let mut deaths = self.books.resources.out_of_memory.iter();
        let first = deaths.find(|(at, replica)| *at >= from && replicas.contains(&replica.index()));
        first.map(|(at, _)| at.as_nanos())
    }

    /// Nanoseconds of a step of the timeline.
    pub(crate) const fn step(&self) -> u64 {
        self.books.clock.step()
    }

    /// The start and the length of each window, in nanoseconds; the last one may be shorter, or longer.
    pub(crate) fn windows(&self) -> impl ExactSizeIterator<Item = (u64, u64)> {
        let (step, end) = (self.step(), self.end);
        let count = self.books.clock.windows_until(self.end());
        (0..count).map(move |window| {
            let start = window as u64 * step;
            let to = if window + 1 == count { end } else { start + step };
            (start, to - start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tallies::Requests;
    use crate::testing::{CHAIN, ITEM, PAGE, STORE, Story, USER, edge, plan};
    use proptest::prelude::*;
    use squall_model::Outcome;
    use squall_model::observation::{Failure, Observation};
    use squall_model::plan::{EndpointId, FaultId, ReplicaId};

    const MS: u64 = 1_000_000;

    /// Every request is in the system and out of it again, whatever it waited.
    fn visits() -> impl Strategy<Value = Vec<(u32, u64, [u64; 2])>> {
        let visit = (0u32..3, 0u64..12_000, 0u64..300, 0u64..3_000);
        // Users wait for nobody.
        let visit = visit.prop_map(|(row, at, waited, held)| (row, at, [if row == 2 { 0 } else { waited }, held]));
        prop::collection::vec(visit, 0..80)
    }

    proptest! {
        #[test]
        fn littles_law_holds_exactly_for_every_drained_service(visits in visits()) {
            let plan = plan(CHAIN);
            let mut story = Story::new(&plan);
            for (endpoint, at, times) in &visits {
                story.visit(EndpointId(*endpoint), *at, *times, Outcome::Ok);
            }
            let recording = story.record(20_000);
            for (row, little) in recording.littles_law().enumerate() {
                let of_row = visits.iter().filter(|(endpoint, ..)| *endpoint as usize == row);
                let expected: u64 = of_row.map(|(.., [waited, held])| (waited + held) * MS).sum();
                prop_assert!(little.drained && little.holds());
                prop_assert_eq!((little.in_system, little.times), (u128::from(expected), expected));
            }
        }

        #[test]
        fn windows_and_segments_add_up_to_the_whole(visits in visits(), end in 1u64..20_000) {
            let plan = plan(CHAIN);
            let mut story = Story::new(&plan);
            for (endpoint, at, times) in &visits {
                story.visit(EndpointId(*endpoint), *at, *times, Outcome::Ok);
            }
            let recording = story.record(end);
            let books = &recording.books;
            let windows: Vec<_> = recording.windows().collect();
            prop_assert_eq!(windows.iter().map(|(_, length)| length).sum::<u64>(), end * MS);
            for row in 0..3 {
                let whole = books.requests.whole(row..row + 1);
                let counts = books.windows.requests(row);
                prop_assert_eq!(counts.len(), windows.len());
                prop_assert_eq!(counts.iter().map(Requests::ended).sum::<u64>(), whole.ended());
                let began: u64 = counts.iter().map(Requests::arrived).sum();
                prop_assert_eq!(began, visits.iter().filter(|v| v.0 as usize == row && v.1 <= end).count() as u64);
                let busy: u128 = books.busy.windows(row).iter().map(|area| area.integral).sum();
                prop_assert_eq!(busy, books.busy.whole(row).integral);
            }
        }
    }

    #[test]
    fn an_observation_on_the_boundary_belongs_to_the_window_that_begins_there() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.visit(USER, 999, [0, 1], Outcome::Ok);
        let recording = story.record(3_000);
        let ok: Vec<_> = recording.books.windows.requests(2).iter().map(|count| (count.arrived(), count.ok)).collect();
        assert_eq!(ok, [(1, 0), (0, 1), (0, 0)]);
    }

    #[test]
    fn what_happens_in_the_last_instant_belongs_to_the_last_window() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.visit(USER, 2_500, [0, 100], Outcome::Ok);
        story.visit(USER, 2_900, [0, 100], Outcome::Ok);
        let recording = story.record(3_000);
        let ok: Vec<_> = recording.books.windows.requests(2).iter().map(|count| count.ok).collect();
        assert_eq!(ok, [0, 0, 2]);
        assert_eq!(recording.books.windows.latencies(0).len(), 3);
        assert_eq!(recording.books.times.answered.over(0, 0..5).count(), 2);
    }

    #[test]
    fn a_request_counts_in_the_segment_it_started_in_wherever_it_ended() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.visit(USER, 900, [0, 500], Outcome::Ok);
        story.visit(USER, 3_900, [0, 5_000], Outcome::Timeout);
        story.visit(USER, 10_000, [0, 5], Outcome::Ok);
        let recording = story.record(11_000);
        let count = |segments| recording.books.requests.over(2..3, segments);
        assert_eq!(plan.phases.summary(), 1..4);
        assert_eq!((count(1..4).arrived(), count(1..4).failures.timeout), (1, 1));
        assert_eq!((count(0..1).ok, count(4..5).ok), (1, 1));
        assert_eq!(recording.books.times.failed.over(0, 1..4).max(), Some(5_000 * MS));
        assert_eq!(recording.books.times.answered.over(0, 0..5).max(), Some(500 * MS));
    }

    #[test]
    fn latency_at_a_service_is_told_apart_from_waiting() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.visit(PAGE, 2_000, [0, 10], Outcome::Ok);
        story.visit(PAGE, 2_000, [30, 20], Outcome::Error(500));
        let recording = story.record(10_000);
        let times = &recording.books.times;
        assert_eq!(times.direct.over(0, 1..4).sum(), u128::from(10 * MS));
        assert_eq!(times.queued.over(0, 1..4).sum(), u128::from(50 * MS));
        assert_eq!(times.held.over(0, 1..4).sum(), u128::from(20 * MS));
        assert_eq!(times.waited.over(0, 1..4).sum(), u128::from(30 * MS));
    }

    #[test]
    fn calls_queries_and_faults_are_counted() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        let back = edge(&plan, "front -> back");
        let timeout = Failure::Callee(Outcome::Timeout);
        story.call(back, 2_000, 7);
        story.failing_call(back, 5_000, 1_000, &[timeout, timeout, Failure::BreakerOpen]);
        story.query(STORE, 2_000, [0, 10], Outcome::Ok);
        story.query(STORE, 5_000, [40, 10], Outcome::Refused);
        story.tell(4_000, Observation::FaultBegan { fault: FaultId(0) });
        story.tell(5_000, Observation::FaultFired { fault: FaultId(0) });
        story.tell(6_000, Observation::FaultEnded { fault: FaultId(0) });
        let recording = story.record(10_000);
        let calls = recording.books.calls.over(back.index()..back.index() + 1, 1..4);
        assert_eq!((calls.begun, calls.retries, calls.ok, calls.failed), (2, 2, 1, 1));
        assert_eq!((calls.failures.timeout, calls.failures.breaker_open), (2, 1));
        assert_eq!(recording.books.times.calls.over(back.index(), 1..4).count(), 1);
        let queries = recording.books.queries.over(0..1, 1..4);
        assert_eq!((queries.started, queries.ok, queries.failed), (2, 1, 1));
        let areas = [&recording.books.connections, &recording.books.pending].map(|levels| levels.whole(0));
        assert_eq!(areas.map(|area| (area.integral, area.peak)), [(u128::from(20 * MS), 1), (u128::from(40 * MS), 1)]);
        let fault = recording.faults()[0];
        assert_eq!((fault.began.map(SimTime::as_nanos), fault.fired), (Some(4_000 * MS), 1));
        assert_eq!(recording.books.firsts.timed_out.of(back.index()), Some(6_000 * MS));
    }

    #[test]
    fn a_phase_that_is_asked_for_has_its_own_latencies() {
        let plan = crate::testing::chain_expecting(&["back p99 < 1s in slow", "front -> back max < 1s in later"]);
        let mut story = Story::new(&plan);
        let back = edge(&plan, "front -> back");
        for (at, took) in [(2_000, 10), (5_000, 500), (7_000, 20)] {
            story.visit(ITEM, at, [0, took], Outcome::Ok);
            story.call(back, at, took);
        }
        let recording = story.record(10_000);
        let times = &recording.books.times;
        let slow = plan.phases.between(crate::testing::ms(4_000), crate::testing::ms(6_000));
        assert_eq!(times.direct.over(ITEM.index(), slow).max(), Some(500 * MS));
        assert_eq!(times.direct.over(ITEM.index(), 1..4).max(), Some(500 * MS));
        assert_eq!(times.calls.over(back.index(), 3..4).max(), Some(20 * MS));
    }

    #[test]
    #[should_panic(expected = "lost or counted twice")]
    fn a_request_that_ends_twice_is_noticed() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.visit(PAGE, 2_000, [0, 10], Outcome::Ok);
        story.visit(PAGE, 3_000, [0, 10], Outcome::Ok);
        story.visit(PAGE, 2_000, [0, 10], Outcome::Ok);
        story.unsay(|what| matches!(what, Observation::Admitted { .. }));
        story.record(10_000);
    }

    #[test]
    fn what_has_not_ended_is_in_flight() {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        story.stay(PAGE, 2_000, 0);
        story.stay(PAGE, 2_000, 50);
        story.turned_away(PAGE, 2_000);
        let segment = story.segment(2_000);
        story.tell(2_000, Observation::Hung { endpoint: PAGE, replica: ReplicaId(0), segment });
        let recording = story.record(10_000);
        let count = recording.books.requests.over(0..1, 1..4);
        assert_eq!((count.arrived(), count.ended(), count.turned_away, count.hung), (4, 0, 1, 1));
        assert!(recording.littles_law().next().is_some_and(|little| !little.drained && little.holds()));
    }
}
