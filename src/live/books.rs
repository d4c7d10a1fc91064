//! Who listens to a live run: the recorder that every run has, how late things were, and how the run is doing right now.

use squall_model::observation::{Observation, Sink};
use squall_model::plan::Plan;
use squall_model::trace::TraceFact;
use squall_model::{SimTime, Span};
use squall_services::Ear;
use squall_telemetry::report::{Latency, Live, Report, World};
use squall_telemetry::trace::{Collector, Picker, Wanted};
use squall_telemetry::{Histogram, Recorder, Recording, Run, step_for};

use crate::hdr::Log;

/// Later than this is late: a timer's own precision.
const PRECISION_MS: f64 = 0.2;
/// A generator is the bottleneck if it is late by more than this share of the latency that it measures.
const LATE_SHARE: f64 = 0.1;
/// More hops a second than one process can carry without being late itself.
const MANY_HOPS: f64 = 20_000.0;

/// Everything that is kept of a live run.
pub(crate) struct Books {
    plan: &'static Plan,
    recorder: Recorder,
    punctuality: Punctuality,
    pub(crate) pulse: Pulse,
    log: Option<Log>,
    followed: Option<Followed>,
}

/// What is kept of every single request, for those who ask for some of them afterwards.
pub(crate) struct Followed {
    pub(crate) picker: Picker,
    pub(crate) collector: Collector,
}

/// How late things were, in nanoseconds.
#[derive(Default)]
pub(crate) struct Punctuality {
    sent: Histogram,
    woke: Histogram,
}

/// How a run is doing: counts since it was last looked at.
pub(crate) struct Pulse {
    first_task: usize,
    ended: u64,
    failed: u64,
    times: Histogram,
    since: SimTime,
}

/// How a run did since it was last looked at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Beat {
    pub(crate) per_second: f64,
    /// Milliseconds; of ok and degraded ones.
    pub(crate) p99_ms: Option<f64>,
    /// Among those that ended.
    pub(crate) failed_share: Option<f64>,
}

/// What the books come to.
pub(crate) struct Closed {
    /// The plan in the end: values may have been changed, and faults added.
    pub(crate) plan: &'static Plan,
    pub(crate) recording: Recording,
    pub(crate) punctuality: Punctuality,
    pub(crate) log: Option<Log>,
    pub(crate) followed: Option<Followed>,
}

impl Books {
    pub(crate) fn new(plan: &'static Plan, log: Option<Log>) -> Self {
        Self {
            plan,
            recorder: Recorder::new(plan, step_for(plan.duration)),
            punctuality: Punctuality::default(),
            pulse: Pulse::new(plan),
            log,
            followed: None,
        }
    }

    /// Follows every request of the run of this number.
    pub(crate) fn follow(&mut self, run: u64) {
        let plan = self.plan;
        let tasks = self.pulse.first_task.min(plan.endpoints.len())..plan.endpoints.len();
        let picker = Picker::new(Wanted { tasks: tasks.clone(), segments: 0..plan.phases.segments() });
        self.followed = Some(Followed { picker, collector: Collector::of_all(tasks).of_run(run) });
    }

    /// The report of what has happened so far.
    pub(crate) fn so_far(&self, now: SimTime) -> Report {
        let wall = Span::from_nanos(now.as_nanos());
        let run = Run { world: World::Live, events: 0, peak_in_flight: 0, wall };
        let mut report = Report::new(self.plan, &self.recorder.clone().finish(now), &run);
        self.punctuality.write(&mut report);
        if let Some(followed) = &self.followed {
            report.traces = followed.telling(self.plan, &report, now);
        }
        report
    }

    /// Closes them.
    pub(crate) fn close(self, at: SimTime) -> Closed {
        Closed {
            plan: self.plan,
            recording: self.recorder.finish(at),
            punctuality: self.punctuality,
            log: self.log,
            followed: self.followed,
        }
    }
}

impl Sink for Books {
    // Beside what a hop over HTTP costs, telling is nothing.
    const TRACED: bool = true;

    fn trace(&mut self, at: SimTime, what: TraceFact) {
        if let Some(followed) = &mut self.followed {
            followed.collector.trace(at, what);
        }
    }

    fn observe(&mut self, at: SimTime, what: Observation) {
        self.recorder.observe(at, what);
        self.pulse.observe(&what);
        if let Some(log) = &mut self.log {
            log.observe(at, what);
        }
        if let Some(followed) = &mut self.followed {
            followed.picker.observe(at, what);
        }
    }
}

impl Ear for Books {
    fn sent_late(&mut self, by: Span) {
        self.punctuality.sent.record(by.as_nanos());
    }

    fn woke_late(&mut self, by: Span) {
        self.punctuality.woke.record(by.as_nanos());
    }

    fn replanned(&mut self, plan: &'static Plan) {
        self.recorder.know_faults(plan.faults.len());
        self.plan = plan;
    }
}

impl Pulse {
    fn new(plan: &Plan) -> Self {
        let clients = plan.services[plan.first_client..].iter();
        let first_task = clients.map(|client| client.first_endpoint.index()).min().unwrap_or(usize::MAX);
        Self { first_task, ended: 0, failed: 0, times: Histogram::new(), since: SimTime::ZERO }
    }

    fn observe(&mut self, what: &Observation) {
        if let Observation::Ended { endpoint, outcome, took, .. } = what
            && endpoint.index() >= self.first_task
        {
            self.ended += 1;
            if outcome.is_success() {
                self.times.record(took.as_nanos());
            } else {
                self.failed += 1;
            }
        }
    }

    /// How it went since the last time somebody asked.
    pub(crate) fn beat(&mut self, now: SimTime) -> Beat {
        let beat = Beat {
            per_second: self.ended as f64 / (now - self.since).as_secs_f64().max(1e-3),
            p99_ms: Latency::of(&self.times).map(|latency| latency.p99),
            failed_share: (self.ended > 0).then(|| self.failed as f64 / self.ended as f64),
        };
        (self.ended, self.failed, self.since) = (0, 0, now);
        self.times.reset();
        beat
    }
}

impl Punctuality {
    /// Writes into a report how well its run kept its times, and what is doubtful for it.
    pub(crate) fn write(&self, report: &mut Report) {
        let attempts: u64 = report.calls.iter().map(|(_, call)| call.attempts - call.short_circuited).sum();
        let hops_per_s = attempts as f64 / report.time.simulated_s.max(1e-3);
        let generator = Latency::of(&self.sent);
        let mut doubts = Vec::new();
        doubts.extend(generator.and_then(|late| too_late(late, report)));
        if hops_per_s > MANY_HOPS {
            doubts.push(format!(
                "{hops_per_s:.0} requests a second travelled over HTTP: above {MANY_HOPS:.0} this process itself is what is measured"
            ));
        }
        report.live = Some(Live {
            generator_late_ms: generator,
            timers_late_ms: Latency::of(&self.woke),
            hops_per_s: (hops_per_s * 10.0).round() / 10.0,
            doubtful: !doubts.is_empty(),
            doubts,
        });
    }
}

/// Why the load was not the load that was asked for.
fn too_late(late: Latency, report: &Report) -> Option<String> {
    let latencies = report.load.iter().filter_map(|(_, load)| load.latency_ms);
    let least = latencies.map(|latency| latency.p99).reduce(f64::min);
    (late.p99 > PRECISION_MS.max(LATE_SHARE * least.unwrap_or(0.0))).then(|| {
        let measured = least.map(|ms| format!(", and a p99 of {ms:.2} ms is measured")).unwrap_or_default();
        let late = late.p99;
        format!(
            "the load generator could not keep up: 1% of the requests were sent {late:.2} ms late or more{measured}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::sample;

    fn written(late_ms: u64) -> Live {
        let mut punctuality = Punctuality::default();
        (0..1000).for_each(|_| punctuality.sent.record(late_ms * 1_000_000));
        let mut report = sample::healthy();
        punctuality.write(&mut report);
        report.live.unwrap()
    }

    #[test]
    fn a_generator_that_is_late_by_more_than_a_tenth_of_what_it_measures_is_doubted() {
        assert_eq!(written(4).doubts, Vec::<String>::new(), "the sample's p99 is 50 ms");
        let doubts = written(6).doubts;
        assert!(doubts.len() == 1 && doubts[0].contains("could not keep up"), "{doubts:?}");
        let live = written(6);
        assert!(live.doubtful && live.generator_late_ms.is_some_and(|late| late.p50 > 5.9), "{live:?}");
    }
}
