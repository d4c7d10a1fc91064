//! Open-loop arrivals: when the next request starts, whatever became of the last one.

use squall_policies::{SimTime, Span};

use crate::dist::exponential;
use crate::plan::{Arrivals, Stage};
use crate::rng::Stream;

/// A stage whose rate stays the same.
#[derive(Clone, Copy, Debug)]
struct Steady {
    from: SimTime,
    rate: f64,
    seconds: f64,
}

impl Steady {
    /// When the integral of the rate reaches `count`, if it does before the stage ends.
    #[inline(always)]
    fn until(self, count: f64) -> Option<SimTime> {
        let at = count / self.rate;
        (at < self.seconds).then(|| self.from + Span::from_nanos_f64(at * 1e9))
    }
}

/// The schedule of one open loop: an absolute one, so that nothing drifts.
///
/// Its stages make a rate over time, r(t); arrivals stand where the integral of r reaches the next mark. Marks are one
/// apart for constant arrivals (the first at zero), exponentially apart for Poisson's.
#[derive(Clone, Debug)]
pub struct OpenLoop {
    stages: Vec<Stage>,
    poisson: bool,
    /// Arrivals at given times, after all stages.
    trace: std::vec::IntoIter<SimTime>,
    stream: Stream,
    /// The stage under way, and the integral of the rate up to its beginning.
    stage: usize,
    before: f64,
    /// The mark of the next arrival.
    mark: f64,
    /// The stage under way, while its rate stays the same.
    steady: Option<Steady>,
}

impl OpenLoop {
    /// The schedule that these stages make; `stream` is the load's own.
    pub fn new(stages: Vec<Stage>, arrivals: Arrivals, mut stream: Stream) -> Self {
        let poisson = arrivals == Arrivals::Poisson;
        let mark = if poisson { exponential(&mut stream) } else { 0.0 };
        let trace = if let Arrivals::Trace(times) = arrivals { times } else { Vec::new() };
        let steady = stages.first().and_then(Stage::steady);
        Self { stages, poisson, trace: trace.into_iter(), stream, stage: 0, before: 0.0, mark, steady }
    }

    /// The arrival that stands at the next mark.
    fn general(&mut self) -> Option<SimTime> {
        loop {
            let Some(stage) = self.stages.get(self.stage) else { return self.trace.next() };
            if let Some(at) = stage.until(self.mark - self.before) {
                return Some(stage.from + Span::from_nanos_f64(at * 1e9));
            }
            self.before += stage.requests();
            self.stage += 1;
            self.steady = self.stages.get(self.stage).and_then(Stage::steady);
        }
    }

    fn step(&mut self) -> f64 {
        if self.poisson { exponential(&mut self.stream) } else { 1.0 }
    }
}

/// The arrivals, ascending; ends with the last stage.
impl Iterator for OpenLoop {
    type Item = SimTime;

    #[inline]
    fn next(&mut self) -> Option<SimTime> {
        let inside = self.steady.and_then(|stage| stage.until(self.mark - self.before));
        let at = match inside {
            Some(at) => at,
            None => self.general()?,
        };
        self.mark += self.step();
        Some(at)
    }
}

impl Stage {
    pub(crate) fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }

    fn steady(&self) -> Option<Steady> {
        let steady = Steady { from: self.from, rate: self.rate_from, seconds: self.seconds() };
        (self.rate_from == self.rate_to).then_some(steady)
    }

    /// The integral of the rate over the stage.
    pub fn requests(&self) -> f64 {
        f64::midpoint(self.rate_from, self.rate_to) * self.seconds()
    }

    /// Seconds into the stage at which the integral of the rate reaches `count`, if it does before the stage ends.
    #[inline]
    fn until(&self, count: f64) -> Option<f64> {
        if self.rate_from == self.rate_to {
            let at = count / self.rate_from;
            return (at < self.seconds()).then_some(at);
        }
        if count >= self.requests() {
            return None;
        }
        let slope = (self.rate_to - self.rate_from) / self.seconds();
        // The root of a·t + slope/2·t² = count, in the form that is exact for a slope of zero.
        let root = (self.rate_from * self.rate_from + 2.0 * slope * count).max(0.0).sqrt();
        let sum = self.rate_from + root;
        Some(if sum > 0.0 { 2.0 * count / sum } else { 0.0 })
    }
}

/// How many users there are at `now`: whole ones, as many as the stages say.
pub(crate) fn users_at(stages: &[Stage], now: SimTime) -> u32 {
    let stage = stages.iter().find(|stage| now < stage.to).or(stages.last());
    stage.map_or(0, |stage| {
        let share = if now >= stage.to { 1.0 } else { (now - stage.from).as_secs_f64() / stage.seconds() };
        (stage.rate_from + (stage.rate_to - stage.rate_from) * share + ALMOST_ONE) as u32
    })
}

/// A whole number of users that was missed for want of digits counts all the same.
const ALMOST_ONE: f64 = 1e-6;

/// When after `now` there is first one user more than the moment before, if ever.
pub(crate) fn next_rise(stages: &[Stage], now: SimTime) -> Option<SimTime> {
    let mut before = users_at(stages, now);
    for stage in stages.iter().filter(|stage| stage.to > now) {
        let from = stage.from.max(now);
        if stage.from > now && users_at(stages, stage.from) > before {
            return Some(stage.from);
        }
        let here = users_at(stages, from);
        if stage.rate_to > stage.rate_from {
            let share = (f64::from(here + 1) - stage.rate_from) / (stage.rate_to - stage.rate_from);
            let at = stage.from + (stage.to - stage.from).scale(share);
            if at <= stage.to {
                return Some(at.max(SimTime::from_nanos(now.as_nanos() + 1)));
            }
        }
        // What there is just before the next stage.
        before = (stage.rate_to + ALMOST_ONE) as u32;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(from: u64, to: u64, rate_from: f64, rate_to: f64) -> Stage {
        let at = |s: u64| SimTime::from_nanos(s * 1_000_000_000);
        Stage { from: at(from), to: at(to), rate_from, rate_to }
    }

    fn arrivals(stages: &[Stage], arrivals: Arrivals) -> Vec<f64> {
        let schedule = OpenLoop::new(stages.to_vec(), arrivals, Stream::new(1, "arrivals/test"));
        schedule.map(SimTime::as_secs_f64).collect()
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced_from_the_start_and_none_is_lost_or_added() {
        let table = [(100.0, 60, 6000), (7.0, 60, 420), (0.5, 10, 5), (3.0, 1, 3), (0.0, 5, 0)];
        for (rate, seconds, count) in table {
            let times = arrivals(&[stage(0, seconds, rate, rate)], Arrivals::Constant);
            assert_eq!(times.len(), count, "{rate}/s for {seconds} s");
            for (k, at) in times.iter().enumerate() {
                assert!((at - k as f64 / rate).abs() < 1e-8, "the {k}th of {rate}/s at {at}");
            }
        }
    }

    #[test]
    fn a_ramp_has_the_arrivals_of_its_mean_rate_and_ever_shorter_gaps() {
        let times = arrivals(&[stage(0, 10, 0.0, 100.0)], Arrivals::Constant);
        assert_eq!(times.len(), 500);
        assert!(times.windows(3).skip(1).all(|w| w[2] - w[1] < w[1] - w[0]));
    }

    #[test]
    fn stages_follow_one_another_without_losing_count() {
        let stages = [stage(0, 2, 3.5, 3.5), stage(2, 4, 0.0, 0.0), stage(4, 6, 3.5, 3.5), stage(6, 8, 3.5, 0.0)];
        let times = arrivals(&stages, Arrivals::Constant);
        assert_eq!(times.len(), 18, "7 + 0 + 7 + 3.5 requests, the first at zero");
        assert!(times.iter().all(|t| *t < 2.0 || *t >= 4.0));
    }

    #[test]
    fn a_trace_is_followed_to_the_nanosecond() {
        let times: Vec<_> = [0, 5, 5, 1_000_000_007].map(SimTime::from_nanos).to_vec();
        let schedule = OpenLoop::new(Vec::new(), Arrivals::Trace(times.clone()), Stream::new(1, "arrivals/test"));
        assert_eq!(schedule.collect::<Vec<_>>(), times);
    }

    #[test]
    fn users_come_one_by_one_as_the_stages_say() {
        let stages =
            [stage(0, 10, 0.0, 5.0), stage(10, 20, 5.0, 2.0), stage(20, 30, 4.0, 4.0), stage(30, 40, 4.0, 6.0)];
        let (mut now, mut rises) = (SimTime::ZERO, Vec::new());
        while let Some(next) = next_rise(&stages, now) {
            rises.push((next.as_secs_f64(), users_at(&stages, next)));
            now = next;
        }
        let expected = [(2.0, 1), (4.0, 2), (6.0, 3), (8.0, 4), (10.0, 5), (20.0, 4), (35.0, 5), (40.0, 6)];
        assert_eq!(rises, expected);
        let levels = [(0, 0), (15, 3), (19, 2), (25, 4), (39, 5)];
        for (at, users) in levels {
            assert_eq!(users_at(&stages, SimTime::from_nanos(at * 1_000_000_000)), users, "at {at} s");
        }
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_poisson() {
        let times = arrivals(&[stage(0, 1000, 100.0, 100.0)], Arrivals::Poisson);
        let counts: Vec<f64> = (0..1000).map(|s| times.iter().filter(|t| (**t as u64) == s).count() as f64).collect();
        let mean = counts.iter().sum::<f64>() / 1000.0;
        let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / 999.0;
        assert!((mean - 100.0).abs() < 4.0 * (100.0f64 / 1000.0).sqrt(), "mean {mean}");
        assert!((variance / mean - 1.0).abs() < 4.0 * (2.0f64 / 999.0).sqrt(), "dispersion {}", variance / mean);
    }
}
