//! How much load a whole system bears: up in steps until it breaks, and down again, in one run, so that what stays broken
//! shows.

use serde::Serialize;
use squall_model::Span;
use squall_model::plan::Plan;
use squall_telemetry::format;
use squall_telemetry::report::{CauseKind, Report, SCHEMA};

use super::ladder::{bare, offer, rounded};
use super::measure;

/// Steps in either direction.
const STEPS: usize = 12;
/// The top of the ladder, in times of the load at which it gives way.
const TOP: f64 = 1.6;
/// The probe doubles the load so many times at most.
const DOUBLINGS: u32 = 14;
/// Of what is offered, so much must be answered.
const KEEPS_UP: f64 = 0.95;
/// Below this share of the best goodput it has collapsed.
const COLLAPSED: f64 = 0.9;
/// So many times the p99 without load is past the knee.
const SLOW: f64 = 3.0;

/// What a system bears.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Capacity {
    pub(crate) schema: u32,
    pub(crate) scenario: String,
    /// What all of this says.
    pub(crate) sentence: String,
    pub(crate) seed: u64,
    /// The load as the file has it, of all loads together.
    pub(crate) usual_per_s: f64,
    /// How long each step is held.
    pub(crate) hold_s: f64,
    /// Up, then down.
    pub(crate) steps: Vec<Step>,
    /// The last step up at which everything was answered, and fast.
    pub(crate) knee: Option<Point>,
    /// The most goodput there was.
    pub(crate) peak: Point,
    /// The first step up at which goodput fell below 90 % of the most before it.
    pub(crate) collapse: Option<Point>,
    /// Whether it did worse on the way down than under the same load on the way up.
    pub(crate) hysteresis: bool,
    /// The load on the way down at which it kept up again; `null` if it had never stopped to, or never did again.
    pub(crate) recovers_at_per_s: Option<f64>,
    /// What ran out first: `order: all 50 workers busy`; `null` if nothing did.
    pub(crate) limit: Option<String>,
    /// The run in which the load went up and down.
    pub(crate) run: Report,
}

/// One step of the ladder.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) direction: Direction,
    pub(crate) offered_per_s: f64,
    pub(crate) goodput_per_s: f64,
    pub(crate) p99_ms: Option<f64>,
}

/// Which way the load goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Up,
    Down,
}

/// A load, and what came of it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) offered_per_s: f64,
    pub(crate) goodput_per_s: f64,
}

/// Why there is nothing to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    Interrupted,
    /// Nobody asks for anything.
    NoLoad,
}

/// Climbs the ladder and comes down again.
pub(crate) fn climb(plan: &Plan, hold: Span, top: Option<f64>) -> Result<Capacity, Failed> {
    let usual = usual_rates(plan)?;
    let total: f64 = usual.iter().sum();
    let top = match top {
        Some(top) => top / total,
        None => TOP * gives_way(plan, &usual)?,
    };
    let factors = factors(top);
    let report = staircase(plan, &usual, (&factors, hold))?;
    let steps = read(&report, (&factors, hold, total));
    Ok(judged(report, total, hold, steps))
}

/// Requests a second of each load without any fault.
fn usual_rates(plan: &Plan) -> Result<Vec<f64>, Failed> {
    let report = measure::run(&bare(plan, (plan.duration, plan.warmup))).ok_or(Failed::Interrupted)?;
    let seconds = plan.duration.saturating_sub(plan.warmup).as_secs_f64();
    let rates: Vec<f64> = report.load.iter().map(|(_, load)| load.offered as f64 / seconds).collect();
    if rates.iter().sum::<f64>() > 0.0 { Ok(rates) } else { Err(Failed::NoLoad) }
}

/// The factor at which it does not keep up any more: doubled until it does not, then found between.
fn gives_way(plan: &Plan, usual: &[f64]) -> Result<f64, Failed> {
    let keeps_up = |factor: f64| -> Result<bool, Failed> {
        let (length, warmup) = (Span::from_secs(10), Span::from_secs(4));
        let mut probe = bare(plan, (length, warmup));
        for (load, rate) in usual.iter().enumerate() {
            offer(&mut probe, load, (&[rate * factor], length));
        }
        probe.drain = Span::ZERO;
        let report = measure::run(&probe).ok_or(Failed::Interrupted)?;
        let goodput: f64 = report.load.iter().map(|(_, load)| load.goodput_per_s).sum();
        Ok(goodput >= 0.9 * factor * usual.iter().sum::<f64>())
    };
    let (mut good, mut bad) = (0.0, 1.0);
    for _ in 0..DOUBLINGS {
        if !keeps_up(bad)? {
            break;
        }
        (good, bad) = (bad, bad * 2.0);
    }
    for _ in 0..4 {
        let between = f64::midpoint(good, bad);
        if keeps_up(between)? { good = between } else { bad = between }
    }
    Ok(bad)
}

/// Up and down again, evenly.
fn factors(top: f64) -> Vec<f64> {
    let up = (1..=STEPS).map(|step| top * step as f64 / STEPS as f64);
    up.clone().chain(up.rev().skip(1)).collect()
}

fn staircase(plan: &Plan, usual: &[f64], (factors, hold): (&[f64], Span)) -> Result<Report, Failed> {
    let mut plan = bare(plan, (hold * factors.len() as u64, Span::ZERO));
    for (load, rate) in usual.iter().enumerate() {
        let rates: Vec<f64> = factors.iter().map(|factor| factor * rate).collect();
        offer(&mut plan, load, (&rates, hold));
    }
    measure::run(&plan).ok_or(Failed::Interrupted)
}

/// The second half of each step: the first shows the step before.
fn read(report: &Report, (factors, hold, total): (&[f64], Span, f64)) -> Vec<Step> {
    let (step, hold) = (report.timeline.step_s, hold.as_secs_f64());
    let one = |(index, factor): (usize, &f64)| {
        let start = index as f64 * hold;
        let windows = ((start + hold / 2.0) / step).ceil() as usize..((start + hold) / step).floor() as usize;
        let seconds = windows.len().max(1) as f64 * step;
        let good: u64 = report
            .timeline
            .load
            .iter()
            .flat_map(|(_, load)| {
                windows.clone().map(|w| load.ok.get(w).unwrap_or(&0) + load.degraded.get(w).unwrap_or(&0))
            })
            .sum();
        let p99s = report
            .timeline
            .load
            .iter()
            .flat_map(|(_, load)| windows.clone().filter_map(|w| load.p99_ms.get(w).copied().flatten()));
        Step {
            direction: if index < STEPS { Direction::Up } else { Direction::Down },
            offered_per_s: rounded(factor * total),
            goodput_per_s: rounded(good as f64 / seconds),
            p99_ms: p99s.reduce(f64::max),
        }
    };
    factors.iter().enumerate().map(one).collect()
}

impl Step {
    fn point(&self) -> Point {
        Point { offered_per_s: self.offered_per_s, goodput_per_s: self.goodput_per_s }
    }

    fn keeps_up(&self) -> bool {
        self.goodput_per_s >= KEEPS_UP * self.offered_per_s - 1.0
    }
}

fn judged(report: Report, usual: f64, hold: Span, steps: Vec<Step>) -> Capacity {
    let (up, down) = steps.split_at(STEPS);
    let calm = up.iter().find_map(|step| step.p99_ms).unwrap_or(f64::MAX);
    let fine = |step: &&Step| step.keeps_up() && step.p99_ms.is_none_or(|p99| p99 <= SLOW * calm);
    let knee = up.iter().take_while(fine).last().map(Step::point);
    let best = up.iter().max_by(|a, b| a.goodput_per_s.total_cmp(&b.goodput_per_s)).map(Step::point);
    let mut most = 0.0_f64;
    let collapse = up.iter().find(|step| {
        let collapsed = step.goodput_per_s < COLLAPSED * most;
        most = most.max(step.goodput_per_s);
        collapsed
    });
    let worse = |step: &&Step| {
        let before = up.iter().find(|other| (other.offered_per_s - step.offered_per_s).abs() < 1e-9);
        before.is_some_and(|before| step.goodput_per_s < COLLAPSED * before.goodput_per_s)
    };
    let gave_way = up.iter().any(|step| !step.keeps_up());
    // From here down it kept up all the way.
    let lasting = down.iter().rev().take_while(|step| step.keeps_up()).last();
    let limit = limit(&report);
    let mut found = Capacity {
        schema: SCHEMA,
        sentence: String::new(),
        scenario: report.scenario.clone(),
        seed: report.seed,
        usual_per_s: rounded(usual),
        hold_s: hold.as_secs_f64(),
        knee,
        peak: best.unwrap_or(Point { offered_per_s: 0.0, goodput_per_s: 0.0 }),
        collapse: collapse.map(Step::point),
        hysteresis: down.iter().any(|step| worse(&step)),
        recovers_at_per_s: lasting.filter(|_| gave_way).map(|step| step.offered_per_s),
        limit,
        steps,
        run: report,
    };
    found.sentence = found.sentences().join("; ");
    found
}

impl Capacity {
    /// What it bears, and what then.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let bears =
            self.knee.map_or_else(|| "less than the first step".to_owned(), |knee| format::rate(knee.offered_per_s));
        let mut all = vec![format!("bears {bears}; the file asks for {}", format::rate(self.usual_per_s))];
        if let Some(limit) = &self.limit {
            all.push(format!("what gives way first is {limit}"));
        }
        all.push(format!(
            "the most it answers is {}, when {} are asked for",
            format::rate(self.peak.goodput_per_s),
            format::rate(self.peak.offered_per_s)
        ));
        all.push(self.collapse.map_or_else(
            || "it does not collapse: under more load it goes on answering what it can".to_owned(),
            |at| {
                let [asked, answered] = [at.offered_per_s, at.goodput_per_s].map(format::rate);
                format!("it collapses at {asked}: of those only {answered} are answered")
            },
        ));
        all.push(match (self.hysteresis, self.recovers_at_per_s.map(format::rate)) {
            (true, Some(at)) => format!("hysteresis: on the way down it stays broken, until {at}"),
            (true, None) => "hysteresis: on the way down it stays broken, to the end".to_owned(),
            (false, _) => "no hysteresis: on the way down it does as well as on the way up".to_owned(),
        });
        all
    }
}

/// What ran out first, or else for longest.
fn limit(report: &Report) -> Option<String> {
    let told = report.causes.iter().find(|cause| matches!(cause.kind, CauseKind::Saturated | CauseKind::Rejected));
    if let Some(cause) = told {
        return Some(cause.what.clone());
    }
    let services = report.services.iter().map(|(name, service)| (name, "workers", service.workers.saturated_s));
    let databases = report.databases.iter().map(|(name, base)| (name, "connections", base.connections.saturated_s));
    let full = services.chain(databases).filter(|(.., seconds)| *seconds > 0.0);
    let (name, of, seconds) = full.max_by(|a, b| a.2.total_cmp(&b.2))?;
    Some(format!("{name}: all {of} busy, for {} in all", format::at(seconds)))
}
