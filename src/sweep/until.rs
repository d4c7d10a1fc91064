//! Stopping rules: as many seeds as are needed to know how often all holds. After each round the Wilson interval of every
//! variant is looked at; those that are known well enough are done. The rounds hang on results alone, so the same sweep
//! takes the same seeds on any machine.

use squall_telemetry::stats::{Z_95, wilson_half_width};

use super::{Means, Runs, Sweep, Trouble};

/// Seeds of the first round.
const FIRST: u64 = 50;

pub(super) fn runs(
    sweep: &Sweep,
    variants: &[usize],
    (half_width, most): (f64, u64),
    means: Means<'_>,
) -> Result<Vec<Runs>, Trouble> {
    let mut all: Vec<Runs> =
        variants.iter().map(|variant| Runs { variant: *variant, seeds: Vec::new(), records: Vec::new() }).collect();
    loop {
        let more = |runs: &Runs| (runs.variant, next(runs, half_width, most));
        let wanted: Vec<(usize, Vec<u64>)> = all.iter().map(more).filter(|(_, seeds)| !seeds.is_empty()).collect();
        if wanted.is_empty() {
            return Ok(all);
        }
        for found in sweep.batch(&wanted, means)? {
            if let Some(runs) = all.iter_mut().find(|runs| runs.variant == found.variant) {
                runs.seeds.extend(found.seeds);
                runs.records.extend(found.records);
            }
        }
    }
}

/// The seeds of a variant's next round; none if it is done.
fn next(runs: &Runs, half_width: f64, most: u64) -> Vec<u64> {
    let trials = runs.records.len() as u64;
    let held = runs.records.iter().filter(|record| record.held.iter().all(|held| *held)).count() as u64;
    let upto = trials_wanted(held, trials, half_width).min(most);
    (trials + 1..=upto).collect()
}

/// How many trials there should be after the next round; no more than there are if it is known well enough.
fn trials_wanted(held: u64, trials: u64, half_width: f64) -> u64 {
    if trials < FIRST {
        return FIRST;
    }
    if wilson_half_width(held, trials, Z_95) <= half_width {
        return trials;
    }
    // What it takes if the share stays what it is; some at a time, because it will not.
    let p = (held as f64 + 1.0) / (trials as f64 + 2.0);
    let needed = (Z_95 * Z_95 * p * (1.0 - p) / (half_width * half_width)).ceil() as u64;
    needed.clamp(trials + trials / 10 + 1, 2 * trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Random as _;
    use squall_model::rng::Stream;
    use squall_telemetry::stats::wilson;

    /// Tosses a coin until it is known; how often it fell, of how many.
    fn tossed(p: f64, half_width: f64, random: &mut Stream) -> (u64, u64) {
        let (mut held, mut trials) = (0, 0);
        loop {
            let upto = trials_wanted(held, trials, half_width);
            if upto == trials {
                return (held, trials);
            }
            held += (trials..upto).filter(|_| random.unit() < p).count() as u64;
            trials = upto;
        }
    }

    #[test]
    fn it_stops_when_it_is_known_and_not_much_later() {
        let mut random = Stream::new(1, "until");
        for (p, half_width, about) in [(0.5, 0.05, 384.0), (0.1, 0.02, 864.0), (0.01, 0.01, 400.0)] {
            let (held, trials) = tossed(p, half_width, &mut random);
            assert!(wilson_half_width(held, trials, Z_95) <= half_width);
            // What is rare is known by few cases, so the share that the rounds go by scatters most there.
            assert!((trials as f64) < 2.2 * about && trials as f64 > 0.5 * about, "{p}: {trials} and {about}");
        }
        assert_eq!(tossed(1.0, 0.05, &mut random).1, 50);
    }

    #[test]
    fn the_interval_still_holds_the_truth() {
        let mut random = Stream::new(2, "until");
        let held = (0..400).filter(|_| {
            let (held, trials) = tossed(0.2, 0.05, &mut random);
            wilson(held, trials, Z_95).holds(0.2)
        });
        let held = held.count();
        assert!(held >= 365, "{held} of 400");
    }
}
