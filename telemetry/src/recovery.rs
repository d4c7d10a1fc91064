//! Whether goodput came back after a fault, and when. Judged step by step of the timeline.
//!
//! It is back from the first step on from which the mean of all steps to the end of the load is at least 90 % of the
//! mean before the fault, and none of them falls out. A step falls out below 90 %; where arrivals are random the steps
//! before the fault were uneven too, so four of their standard deviations below the mean are allowed, but never less
//! than half of the mean.

use squall_model::SimTime;
use squall_model::plan::{Plan, ServiceId};

use crate::recording::Recording;
use crate::tallies::Requests;

/// What became of goodput.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Recovery {
    /// It was good from this time on to the end of the load, in nanoseconds. The step before was not, unless this is
    /// where the question began.
    Since(u64),
    /// It was not, in the last step.
    Never {
        /// Goodput a second before the fault.
        before: f64,
        /// Goodput a second in the last step of the load.
        last: f64,
    },
    /// There is no whole step before the fault to measure what is normal.
    NothingBefore,
    /// There is no whole step between here and the end of the load.
    NothingAfter,
}

/// Whether goodput of these clients was good from `from` on, in the measure of what it was before `fault`.
pub(crate) fn since(
    plan: &Plan,
    recording: &Recording,
    clients: &[ServiceId],
    [fault, from]: [SimTime; 2],
) -> Recovery {
    let [fault, from] = [fault, from].map(SimTime::as_nanos);
    let steps = goodput(recording, clients);
    let (warm, end) = (plan.warmup.as_nanos(), plan.duration.as_nanos());
    let before: Vec<f64> = steps.iter().filter(|s| s.start >= warm && s.end <= fault).map(|s| s.per_second).collect();
    let Some(normal) = Normal::of(&before) else { return Recovery::NothingBefore };
    let after: Vec<&Step> = steps.iter().filter(|step| step.start >= from && step.end <= end).collect();
    let Some(last) = after.last() else { return Recovery::NothingAfter };
    match normal.holds_from(&after) {
        Some(0) => Recovery::Since(from),
        Some(first) => Recovery::Since(after[first].start),
        None => Recovery::Never { before: normal.mean, last: last.per_second },
    }
}

struct Step {
    start: u64,
    end: u64,
    per_second: f64,
}

fn goodput(recording: &Recording, clients: &[ServiceId]) -> Vec<Step> {
    let counts: Vec<Vec<Requests>> =
        clients.iter().map(|clients| recording.books.windows.requests(clients.index())).collect();
    let windows = recording.windows().enumerate();
    windows
        .map(|(window, (start, length))| {
            let good: u64 = counts.iter().map(|counts| counts[window].succeeded()).sum();
            Step { start, end: start + length, per_second: good as f64 * 1e9 / length as f64 }
        })
        .collect()
}

/// What goodput was before the fault.
struct Normal {
    mean: f64,
    /// A step below this falls out.
    least: f64,
}

impl Normal {
    fn of(before: &[f64]) -> Option<Self> {
        if before.is_empty() {
            return None;
        }
        let mean = mean(before);
        let variance = before.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / before.len() as f64;
        let least = (0.9 * mean).min(mean - 4.0 * libm::sqrt(variance)).max(0.5 * mean);
        Some(Self { mean, least })
    }

    /// The first step from which on goodput is back and stays.
    fn holds_from(&self, steps: &[&Step]) -> Option<usize> {
        let (mut sum, mut first) = (0.0, None);
        for (index, step) in steps.iter().enumerate().rev() {
            if step.per_second < self.least {
                break;
            }
            sum += step.per_second;
            if sum >= 0.9 * self.mean * (steps.len() - index) as f64 {
                first = Some(index);
            }
        }
        first
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CHAIN, Story, USER, ms, plan};
    use squall_model::Outcome;

    /// What becomes of so many good answers in each second of [`CHAIN`], whose fault is at work from 4 s to 6 s.
    fn recovery(good: [u64; 10], from: u64) -> Recovery {
        let plan = plan(CHAIN);
        let mut story = Story::new(&plan);
        for (second, good) in good.into_iter().enumerate() {
            for i in 0..good {
                story.visit(USER, second as u64 * 1000 + i, [0, 1], Outcome::Ok);
            }
        }
        since(&plan, &story.record(10_000), &[ServiceId(2)], [ms(4_000), ms(from)])
    }

    #[test]
    fn goodput_is_back_after_the_last_step_that_was_bad() {
        let since = |ms: u64| Recovery::Since(ms * 1_000_000);
        let table = [
            ([0, 100, 100, 100, 0, 0, 100, 100, 100, 100], since(6_000)),
            ([0, 100, 100, 100, 0, 0, 0, 90, 100, 100], since(7_000)),
            ([0, 100, 100, 100, 0, 0, 100, 89, 90, 100], since(8_000)),
            ([0, 100, 100, 100, 0, 0, 100, 100, 100, 89], Recovery::Never { before: 100.0, last: 89.0 }),
            // Uneven before, with a standard deviation of 8.2: steps down to 67.3 are allowed, their mean is not.
            ([0, 90, 100, 110, 0, 0, 60, 68, 110, 95], since(7_000)),
            ([0, 90, 100, 110, 0, 0, 68, 68, 68, 100], since(9_000)),
            ([0, 90, 100, 110, 0, 0, 80, 80, 80, 80], Recovery::Never { before: 100.0, last: 80.0 }),
            ([0, 0, 0, 300, 0, 0, 100, 49, 100, 100], since(8_000)),
        ];
        for (good, expected) in table {
            assert_eq!(recovery(good, 6_000), expected, "{good:?}");
        }
    }

    #[test]
    fn without_a_step_to_go_by_nothing_is_said() {
        let plan = plan(CHAIN);
        let recording = Story::new(&plan).record(10_000);
        let ask = |fault, from| since(&plan, &recording, &[ServiceId(2)], [ms(fault), ms(from)]);
        assert_eq!(ask(1_500, 6_000), Recovery::NothingBefore);
        assert_eq!(ask(4_000, 9_500), Recovery::NothingAfter);
    }
}
