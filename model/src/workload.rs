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
    arrivals: Arrivals,
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
        let mark = match arrivals {
            Arrivals::Constant => 0.0,
            Arrivals::Poisson => exponential(&mut stream),
        };
        let steady = stages.first().and_then(Stage::steady);
        Self { stages, arrivals, stream, stage: 0, before: 0.0, mark, steady }
    }

    /// The arrival that stands at the next mark.
    fn general(&mut self) -> Option<SimTime> {
        loop {
            let stage = self.stages.get(self.stage)?;
            if let Some(at) = stage.until(self.mark - self.before) {
                return Some(stage.from + Span::from_nanos_f64(at * 1e9));
            }
            self.before += stage.requests();
            self.stage += 1;
            self.steady = self.stages.get(self.stage).and_then(Stage::steady);
        }
    }

    fn step(&mut self) -> f64 {
        match self.arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => exponential(&mut self.stream),
        }
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
    fn seconds(&self) -> f64 {
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
    fn poisson_arrivals_have_the_rate_and_the_spread_of_poisson() {
        let times = arrivals(&[stage(0, 1000, 100.0, 100.0)], Arrivals::Poisson);
        let counts: Vec<f64> = (0..1000).map(|s| times.iter().filter(|t| (**t as u64) == s).count() as f64).collect();
        let mean = counts.iter().sum::<f64>() / 1000.0;
        let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / 999.0;
        assert!((mean - 100.0).abs() < 4.0 * (100.0f64 / 1000.0).sqrt(), "mean {mean}");
        assert!((variance / mean - 1.0).abs() < 4.0 * (2.0f64 / 999.0).sqrt(), "dispersion {}", variance / mean);
    }
}
