//! Fewest attempts under way: of a few replicas drawn at random (Envoy 1.40, with replacement; tower and Linkerd,
//! distinct ones), or of all (Envoy's full scan). Knows nothing of latency.

use super::{Replicas, nth_usable, random};
use crate::Random;
use crate::check::{Invalid, require};

/// Configuration of the least-request balancer; the default is Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastRequestConfig {
    /// How the replicas to compare are chosen. Default: with replacement.
    pub choice: Choice,
    /// How many are drawn, at most 8 distinct ones; plays no part in a full scan. Default 2.
    pub choices: u32,
}

impl Default for LeastRequestConfig {
    fn default() -> Self {
        Self { choice: Choice::WithReplacement, choices: 2 }
    }
}

impl LeastRequestConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.choices >= 1, "choices", "at least 1")?;
        let drawn = self.choice != Choice::Distinct || self.choices <= MOST_CHOICES;
        require(drawn, "choices", "at most 8 if they are distinct")
    }
}

/// How the replicas to compare are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Drawn; one may be drawn twice. The first drawn wins a tie.
    WithReplacement,
    /// Drawn without drawing one twice. The first drawn wins a tie.
    Distinct,
    /// All; ties are broken with equal chances.
    FullScan,
}

pub(super) fn pick(config: LeastRequestConfig, replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
    match config.choice {
        Choice::WithReplacement => with_replacement(config.choices, replicas, rng),
        Choice::Distinct => distinct(config.choices, replicas, rng, |i| u64::from(replicas.pending(i))),
        Choice::FullScan => full_scan(replicas, rng),
    }
}

fn with_replacement(choices: u32, replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
    let mut best = random(replicas, rng)?;
    for _ in 1..choices {
        let other = random(replicas, rng)?;
        if replicas.pending(other) < replicas.pending(best) {
            best = other;
        }
    }
    Some(best)
}

/// The one of least `cost` among `choices` usable replicas, none drawn twice. A drawn number skips over the numbers
/// drawn before it, which are few.
pub(super) fn distinct<C: PartialOrd>(
    choices: u32,
    replicas: &impl Replicas,
    rng: &mut impl Random,
    mut cost: impl FnMut(usize) -> C,
) -> Option<usize> {
    let usable = (0..replicas.len()).filter(|i| replicas.usable(*i)).count() as u32;
    let mut drawn = [u32::MAX; MOST_CHOICES as usize];
    let mut best: Option<(usize, C)> = None;
    for already in 0..choices.min(usable).min(MOST_CHOICES) {
        let mut n = rng.below(u64::from(usable - already)) as u32;
        let place = drawn[..already as usize].iter().take_while(|before| {
            let passes = **before <= n;
            n += u32::from(passes);
            passes
        });
        let place = place.count();
        drawn[place..=already as usize].rotate_right(1);
        drawn[place] = n;
        let replica = nth_usable(n as usize, replicas)?;
        let its = cost(replica);
        if best.as_ref().is_none_or(|(_, least)| its < *least) {
            best = Some((replica, its));
        }
    }
    best.map(|(replica, _)| replica)
}

/// More distinct choices than these are not drawn.
const MOST_CHOICES: u32 = 8;

fn full_scan(replicas: &impl Replicas, rng: &mut impl Random) -> Option<usize> {
    let usable = || (0..replicas.len()).filter(|i| replicas.usable(*i));
    let least = usable().map(|i| replicas.pending(i)).min()?;
    let ties = || usable().filter(|i| replicas.pending(*i) == least);
    ties().nth(rng.below(ties().count() as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::super::BalancerConfig;
    use super::super::tests::{Fleet, assert_share, picks};
    use super::*;
    use crate::SplitMix64;

    const TIMES: usize = 20_000;

    fn least_request(choice: Choice, choices: u32) -> BalancerConfig {
        BalancerConfig::LeastRequest(LeastRequestConfig { choice, choices })
    }

    #[test]
    fn two_choices_with_replacement_leave_the_busier_of_two_a_quarter() {
        let counts = picks(least_request(Choice::WithReplacement, 2), &Fleet(vec![Some(0), Some(9)]), TIMES);
        assert_share(counts[1], TIMES, 0.25);
    }

    #[test]
    fn two_distinct_choices_leave_the_busier_of_two_nothing() {
        let counts = picks(least_request(Choice::Distinct, 2), &Fleet(vec![Some(0), Some(9), None]), TIMES);
        assert_eq!(counts, [TIMES, 0, 0]);
    }

    #[test]
    fn distinct_choices_are_drawn_with_equal_chances() {
        // Of three drawn out of five, replica r wins if it is drawn and none below it is: C(4 - r, 2) of C(5, 3) draws.
        let fleet = Fleet((0..5).map(Some).collect());
        let counts = picks(least_request(Choice::Distinct, 3), &fleet, TIMES);
        for (count, share) in counts.into_iter().zip([0.6, 0.3, 0.1, 0.0, 0.0]) {
            assert_share(count, TIMES, share);
        }
    }

    #[test]
    fn the_first_drawn_wins_a_tie() {
        let fleet = Fleet(vec![Some(3); 4]);
        for seed in 0..200 {
            let first = SplitMix64::new(seed).below(4) as usize;
            for choice in [Choice::WithReplacement, Choice::Distinct] {
                let config = LeastRequestConfig { choice, choices: 3 };
                assert_eq!(pick(config, &fleet, &mut SplitMix64::new(seed)), Some(first));
            }
        }
    }

    #[test]
    fn a_full_scan_takes_the_least_busy_and_breaks_ties_with_equal_chances() {
        let fleet = Fleet(vec![Some(2), Some(1), None, Some(1), Some(5), Some(1)]);
        let counts = picks(least_request(Choice::FullScan, 2), &fleet, TIMES);
        assert_eq!((counts[0], counts[2], counts[4]), (0, 0, 0));
        for i in [1, 3, 5] {
            assert_share(counts[i], TIMES, 1.0 / 3.0);
        }
    }
}
