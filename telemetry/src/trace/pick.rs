//! Finds the request that is asked for, such as the one at the 99th percentile, in an ordinary run. Listens to the ends
//! of one load's requests and to nothing else.

use core::ops::Range;

use squall_model::observation::{Observation, Sink};
use squall_model::plan::{EndpointId, SegmentId};
use squall_model::spec::decode::Scalar as _;
use squall_model::{Outcome, SimTime, Span};

/// Which request of a load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The one at so many hundred-thousandths of the answered ones, by nearest rank: as the report's percentiles.
    Percentile(u32),
    /// The slowest answered one.
    Slowest,
    /// The first that failed.
    FirstFailure,
    /// The failed one that took longest.
    SlowestFailure,
    /// The first that got a simpler answer.
    FirstDegraded,
    /// The first that was meant to start then or later.
    From(SimTime),
}

impl At {
    /// What the command line may say.
    pub const WORDS: &'static str = "p99 (any percentile, such as p50 or p99.9), slowest, first-failure, slowest-failure, first-degraded, or a time \
         such as 20.5s";

    /// The one that is named so.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "slowest" | "max" => Self::Slowest,
            "first-failure" => Self::FirstFailure,
            "slowest-failure" => Self::SlowestFailure,
            "first-degraded" => Self::FirstDegraded,
            _ => match text.strip_prefix('p') {
                Some(digits) => Self::Percentile(percentile(digits)?),
                None => Self::From(SimTime::from_nanos(Span::parse(text).ok()?.as_nanos())),
            },
        })
    }
}

/// `50` is 50,000 hundred-thousandths, `99.9` is 99,900; `999` is 99.9 as in reports.
fn percentile(digits: &str) -> Option<u32> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let percent: u32 = match whole {
        "999" if fraction.is_empty() => return Some(99_900),
        _ => whole.parse().ok()?,
    };
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    let all = percent * 1000 + thousandths;
    (all > 0 && all <= 100_000).then_some(all)
}

/// Which requests come into question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The task, or all tasks of a load.
    pub tasks: Range<usize>,
    /// The segments of the run in which they may have started.
    pub segments: Range<usize>,
}

/// A request that was found. Several that are alike in all of this are as good as one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    /// The task.
    pub task: EndpointId,
    /// When it was meant to start.
    pub start: SimTime,
    /// When it ended.
    pub end: SimTime,
    /// How.
    pub outcome: Outcome,
}

impl Pick {
    fn latency(&self) -> u64 {
        (self.end - self.start).as_nanos()
    }
}

/// Keeps the ends of one load's requests.
#[derive(Clone, Debug)]
pub struct Picker {
    wanted: Wanted,
    ended: Vec<(SegmentId, Pick)>,
}

impl Picker {
    /// For these requests.
    pub const fn new(wanted: Wanted) -> Self {
        Self { wanted, ended: Vec::new() }
    }

    /// The request that is asked for, if there is one.
    pub fn pick(&self, at: At) -> Option<Pick> {
        let all = || {
            let inside = |(segment, _): &&(SegmentId, Pick)| self.wanted.segments.contains(&segment.index());
            self.ended.iter().filter(inside).map(|(_, pick)| pick)
        };
        let answered = || all().filter(|pick| pick.outcome.is_success());
        let failed = || all().filter(|pick| !pick.outcome.is_success());
        let slower = |a: &&Pick, b: &&Pick| a.latency().cmp(&b.latency()).then(b.end.cmp(&a.end));
        match at {
            At::Percentile(of) => {
                let mut answered: Vec<&Pick> = answered().collect();
                answered.sort_by_key(|pick| pick.latency());
                let rank = (answered.len() as u64 * u64::from(of)).div_ceil(100_000).max(1);
                answered.get(rank as usize - 1).copied()
            }
            At::Slowest => answered().max_by(slower),
            At::FirstFailure => failed().min_by_key(|pick| pick.end),
            At::SlowestFailure => failed().max_by(slower),
            At::FirstDegraded => all().filter(|pick| pick.outcome == Outcome::Degraded).min_by_key(|pick| pick.end),
            At::From(time) => all().filter(|pick| pick.start >= time).min_by_key(|pick| pick.start),
        }
        .copied()
    }
}

impl Sink for Picker {
    #[inline(always)]
    fn observe(&mut self, at: SimTime, what: Observation) {
        if let Observation::Ended { endpoint, segment, outcome, took, .. } = what
            && self.wanted.tasks.contains(&endpoint.index())
        {
            let start = SimTime::from_nanos((at - SimTime::ZERO).saturating_sub(took).as_nanos());
            self.ended.push((segment, Pick { task: endpoint, start, end: at, outcome }));
        }
    }
}
