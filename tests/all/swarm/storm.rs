//! One storm: from the text of a file to a run with every law watched, and what came of it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use squall_engine::Ended;
use squall_model::observation::{Called, LinedUp, Observation, Relayed, Returned, Sink, TurnedOver};
use squall_model::plan::{self, Plan};
use squall_model::{SimTime, Span, spec};
use squall_telemetry::report::{Report, World};
use squall_telemetry::{Digest, Recorder, Recording, Run, step_for};

use super::laws::Laws;
use super::trace;

/// What came of a storm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// The file was refused; the first reason.
    Refused(String),
    /// Every law held. The steps it took, and the kinds of things seen.
    Held { events: u64, seen: u64 },
    /// It grew beyond all bounds and was cut short; until then every law held.
    Cut,
    /// A law was broken, or the program panicked.
    Broken(String),
}

/// How much of a run is looked at. Reports cost more than runs do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// At every observation, and at what the recorder kept.
    Run,
    /// At the report, too.
    Report,
}

/// Runs the file, with every law watched.
pub(super) fn storm(text: &str, look: Look) -> Fate {
    quietly(|| match plan_of(text) {
        Ok(plan) => watched(&plan, look),
        Err(reason) => Fate::Refused(reason),
    })
}

/// The digest of a run that nobody watches; `None` if it was refused or cut short.
pub(super) fn digest(text: &str) -> Option<String> {
    let plan = plan_of(text).ok()?;
    let (digest, ended) = digested(&plan);
    (!ended.cut_short).then_some(digest)
}

pub(super) fn plan_of(text: &str) -> Result<Plan, String> {
    let first = |problems: Vec<spec::Problem>| problems.first().map(|problem| problem.what.clone()).unwrap_or_default();
    let loaded = spec::load(text, &[], &trace::text).map_err(first)?;
    plan::compile(&loaded.topology).map_err(first)
}

/// A run is cut short the first time it asks whether to go on: it has taken more steps than any of the swarm should.
const fn go_on(_: SimTime) -> bool {
    false
}

fn watched(plan: &Plan, look: Look) -> Fate {
    let mut pair = Pair { laws: Laws::new(plan), recorder: Recorder::new(plan, step_for(plan.duration)) };
    let ended = squall_engine::run_while(plan, &mut pair, go_on);
    let Pair { mut laws, recorder } = pair;
    laws.ended(&ended);
    if let Some(broken) = laws.broken() {
        return Fate::Broken(broken);
    }
    let recording = recorder.finish(ended.at);
    let digest = recording.fingerprint().to_string();
    laws.recorded(&recording);
    if look == Look::Report {
        let report = report(plan, &recording, &ended);
        laws.reported(&report);
        round_trip(&report, &mut laws);
    }
    let again = digested(plan);
    if again != (digest.clone(), ended) {
        laws.breach(&format!("a second run differs: {again:?}, not {digest} {ended:?}"));
    }
    match laws.broken() {
        Some(broken) => Fate::Broken(broken),
        None if ended.cut_short => Fate::Cut,
        None => Fate::Held { events: ended.events, seen: laws.seen() },
    }
}

pub(super) fn report(plan: &Plan, recording: &Recording, ended: &Ended) -> Report {
    let peak_in_flight = ended.census.peak_fibers;
    let ran = Run { world: World::Sim, events: ended.events, peak_in_flight, wall: Span::from_millis(1) };
    Report::new(plan, recording, &ran)
}

fn round_trip(report: &Report, laws: &mut Laws<'_>) {
    let json = serde_json::to_string(report).unwrap();
    match serde_json::from_str::<Report>(&json) {
        Ok(read) if read == *report => {}
        Ok(_) => laws.breach("the report is another one when it is read back"),
        Err(error) => laws.breach(&format!("the report cannot be read back: {error}")),
    }
}

fn digested(plan: &Plan) -> (String, Ended) {
    let mut digest = Digest::new();
    let ended = squall_engine::run_while(plan, &mut digest, go_on);
    (digest.fingerprint().to_string(), ended)
}

/// The laws and the recorder, both told everything.
struct Pair<'p> {
    laws: Laws<'p>,
    recorder: Recorder,
}

impl Sink for Pair<'_> {
    fn observe(&mut self, at: SimTime, what: Observation) {
        self.laws.observe(at, what);
        self.recorder.observe(at, what);
    }

    fn called(&mut self, at: SimTime, what: Called) {
        self.laws.called(at, what);
        self.recorder.called(at, what);
    }

    fn returned(&mut self, at: SimTime, what: Returned) {
        self.laws.returned(at, what);
        self.recorder.returned(at, what);
    }

    fn turned_over(&mut self, at: SimTime, what: TurnedOver<'_>) {
        self.laws.turned_over(at, what);
        self.recorder.turned_over(at, what);
    }

    fn lined_up(&mut self, at: SimTime, what: LinedUp) {
        self.laws.lined_up(at, what);
        self.recorder.lined_up(at, what);
    }

    fn relayed(&mut self, at: SimTime, what: Relayed<'_>) {
        self.laws.relayed(at, what);
        self.recorder.relayed(at, what);
    }

    fn relay_returned(&mut self, at: SimTime, what: Relayed<'_>, took: Span) {
        self.laws.relay_returned(at, what, took);
        self.recorder.relay_returned(at, what, took);
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A panic inside is a law broken, and no noise.
fn quietly(storm: impl FnOnce() -> Fate) -> Fate {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let fate = catch_unwind(AssertUnwindSafe(storm));
    QUIET.set(false);
    fate.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Fate::Broken(format!("panicked: {}", text.unwrap_or_default()))
    })
}
