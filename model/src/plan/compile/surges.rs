//! Faults that multiply a load: worked into the load's own rate, users or arrivals, so that nothing else has to know of
//! them.

use squall_policies::{SimTime, Span};

use super::faults;
use crate::plan::Stage;
use crate::spec::{Load, Target, Topology};

/// A ramp is made of so many straight pieces: the product of two straight lines is none.
const PIECES: u64 = 32;

/// One stretch of time in which a load is multiplied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surge {
    from: SimTime,
    to: SimTime,
    ramp: Span,
    factor: f64,
}

impl Surge {
    /// What the load is multiplied by at `at`, seen from inside the stretch or from outside.
    fn factor(&self, at: SimTime) -> f64 {
        if at < self.from || at >= self.to {
            return 1.0;
        }
        let since = at - self.from;
        let strength = if since >= self.ramp { 1.0 } else { since.as_nanos() as f64 / self.ramp.as_nanos() as f64 };
        1.0 + (self.factor - 1.0) * strength
    }

    /// Where it begins, bends and ends.
    fn cuts(&self) -> impl Iterator<Item = SimTime> {
        let pieces = if self.ramp.is_zero() { 0 } else { PIECES };
        let bend = (0..=pieces).map(move |piece| self.from + self.ramp.scale(piece as f64 / pieces.max(1) as f64));
        bend.chain([self.to])
    }
}

/// When `load` is multiplied, in the order of the file.
pub(super) fn of(topology: &Topology, load: &Load, end: SimTime) -> Vec<Surge> {
    let mut surges = Vec::new();
    for (entry, fault) in topology.faults.iter().enumerate() {
        let Some(factor) = fault.rate.as_ref().map(|rate| rate.value) else { continue };
        for occurrence in faults::occurrences(topology, entry, end) {
            let hit = fault.target.value.0.iter().enumerate().any(|(place, target)| {
                matches!(&target.value, Target::Name(name) if name.value == load.name.value) && occurrence.hits(place)
            });
            if hit && occurrence.from < occurrence.to {
                surges.push(Surge { from: occurrence.from, to: occurrence.to, ramp: *fault.ramp, factor });
            }
        }
    }
    surges
}

/// Stages, multiplied: cut where a surge begins, bends or ends.
pub(super) fn multiplied(stages: Vec<Stage>, surges: &[Surge]) -> Vec<Stage> {
    if surges.is_empty() {
        return stages;
    }
    let cuts: Vec<SimTime> = surges.iter().flat_map(Surge::cuts).collect();
    stages.iter().flat_map(|stage| pieces(stage, &cuts, surges)).collect()
}

fn pieces(stage: &Stage, cuts: &[SimTime], surges: &[Surge]) -> Vec<Stage> {
    let inside = cuts.iter().copied().filter(|cut| stage.from < *cut && *cut < stage.to);
    let mut edges: Vec<SimTime> = inside.chain([stage.from, stage.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    let rate = |at: SimTime| {
        let share = (at - stage.from).as_nanos() as f64 / (stage.to - stage.from).as_nanos() as f64;
        stage.rate_from + (stage.rate_to - stage.rate_from) * share
    };
    let factor = |at: SimTime| surges.iter().map(|surge| surge.factor(at)).product::<f64>();
    // At the end of a piece the surges are still those of its inside: what changes there changes for the next.
    let just_before = |at: SimTime| SimTime::from_nanos(at.as_nanos().saturating_sub(1));
    let piece = |pair: &[SimTime]| Stage {
        from: pair[0],
        to: pair[1],
        rate_from: rate(pair[0]) * factor(pair[0]),
        rate_to: rate(pair[1]) * factor(just_before(pair[1])),
    };
    edges.windows(2).map(piece).collect()
}

/// Arrivals, multiplied: each comes as often as the factor says, the further ones spread over the time to the next.
pub(super) fn repeated(times: Vec<SimTime>, surges: &[Surge]) -> Vec<SimTime> {
    if surges.is_empty() {
        return times;
    }
    let (mut repeated, mut due) = (Vec::new(), 0.0);
    for (place, at) in times.iter().enumerate() {
        due += surges.iter().map(|surge| surge.factor(*at)).product::<f64>();
        let count = due as u64;
        due -= count as f64;
        let gap = times.get(place + 1).map_or(Span::ZERO, |next| *next - *at);
        repeated.extend((0..count).map(|k| *at + gap.scale(k as f64 / count as f64)));
    }
    repeated
}
