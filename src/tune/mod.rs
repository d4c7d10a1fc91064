//! Searches the settings of a topology for those that reach its goals best: successive halving over evenly spread
//! candidates (after Jamieson and Talwalkar 2016), each round with more seeds, then a pattern search (after Hooke and
//! Jeeves 1961) around the finalists. Seeded: the same search again finds the same.

mod halving;
mod local;
pub(crate) mod patch;
pub(crate) mod robust;
mod score;

use std::collections::BTreeMap;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use squall_model::plan::{Claim, Plan};
use squall_model::spec::Wish;

use crate::commands::run::unseen;
use crate::interrupt;
use crate::sweep::design::Variant;
use crate::sweep::{Sweep, Trouble};
use score::violation;
pub(crate) use score::{Score, order};

/// A search under way.
pub(crate) struct Search<'s> {
    /// What is searched: the axes are those of a sweep.
    pub(crate) sweep: &'s Sweep,
    /// How finalists are tried: seeds from 1 to this.
    pub(crate) seeds: u64,
    /// Every run so far, by variant and seed.
    known: BTreeMap<(Variant, u64), Trial>,
    /// Is told of each run that is done.
    progress: &'s (dyn Fn(u64) + Sync),
}

/// What a search has found.
pub(crate) struct Found {
    /// Everything that was tried with all seeds, the best first.
    pub(crate) finalists: Vec<(Variant, Score)>,
    /// Those of them that nothing beats in every goal at once.
    pub(crate) front: Vec<(Variant, Score)>,
    /// The file as it is, for comparison.
    pub(crate) before: Score,
    /// How many runs it took.
    pub(crate) runs: usize,
}

/// One run, as far as a search wants to know.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Trial {
    /// Whether each line held.
    pub(crate) held: Vec<bool>,
    /// How far those that did not hold are from it, from 0 to 1, on average over all.
    pub(crate) violation: f64,
    /// The figures that are to be great or small; `None` has no value.
    pub(crate) objectives: Vec<Option<f64>>,
}

impl<'s> Search<'s> {
    /// A search over the axes of a sweep.
    pub(crate) fn new(sweep: &'s Sweep, seeds: u64, progress: &'s (dyn Fn(u64) + Sync)) -> Self {
        Self { sweep, seeds, known: BTreeMap::new(), progress }
    }

    /// Searches among `candidates` evenly spread ones and around the best.
    pub(crate) fn find(mut self, candidates: usize) -> Result<Found, Trouble> {
        let before = self.before()?;
        let halved = halving::run(&mut self, candidates)?;
        local::run(&mut self, &halved)?;
        let mut finalists = self.finalists();
        finalists.sort_by(|a, b| order(&a.1, &b.1, &self.wishes()).then_with(|| a.0.cmp(&b.0)));
        let front = score::front(&finalists, &self.wishes());
        Ok(Found { finalists, front, before, runs: self.known.len() })
    }

    /// The file as it is: without any of the settings that are searched.
    fn before(&self) -> Result<Score, Trouble> {
        let plan = self.sweep.plan_of(self.sweep.fixed.clone())?;
        let trials: Vec<Option<Trial>> = (1..=self.seeds)
            .collect::<Vec<_>>()
            .par_iter()
            .map(|seed| self.trial(&Plan { seed: *seed, ..plan.clone() }))
            .collect();
        let trials: Option<Vec<Trial>> = trials.into_iter().collect();
        trials.map(|trials| Score::of(&trials)).ok_or(Trouble::Interrupted)
    }

    /// What every variant comes to with so many seeds, in order. What is known already is not run again.
    fn scores(&mut self, variants: &[Variant], seeds: u64) -> Result<Vec<Score>, Trouble> {
        let mut wanted: Vec<(&Variant, u64)> = Vec::new();
        for variant in variants {
            let unknown = (1..=seeds).filter(|seed| !self.known.contains_key(&(variant.clone(), *seed)));
            for seed in unknown.collect::<Vec<_>>() {
                if !wanted.contains(&(variant, seed)) {
                    wanted.push((variant, seed));
                }
            }
        }
        let run = |(variant, seed): &(&Variant, u64)| -> Result<Trial, Trouble> {
            if interrupt::pressed() {
                return Err(Trouble::Interrupted);
            }
            let mut plan = self.sweep.plan(variant)?;
            plan.seed = *seed;
            let trial = self.trial(&plan).ok_or(Trouble::Interrupted)?;
            (self.progress)(1);
            Ok(trial)
        };
        let trials: Result<Vec<Trial>, Trouble> = wanted.par_iter().map(run).collect();
        let keys: Vec<(Variant, u64)> = wanted.into_iter().map(|(variant, seed)| (variant.clone(), seed)).collect();
        self.known.extend(keys.into_iter().zip(trials?));
        Ok(variants.iter().map(|variant| self.score(variant, seeds)).collect())
    }

    fn score(&self, variant: &Variant, seeds: u64) -> Score {
        let trial = |seed| self.known.get(&(variant.clone(), seed)).cloned();
        Score::of(&(1..=seeds).filter_map(trial).collect::<Vec<_>>())
    }

    /// Those that were tried with all seeds.
    fn finalists(&self) -> Vec<(Variant, Score)> {
        let last = self.known.keys().filter(|(_, seed)| *seed == self.seeds).map(|(variant, _)| variant);
        last.map(|variant| (variant.clone(), self.score(variant, self.seeds))).collect()
    }

    /// Runs a plan; `None` if it was interrupted.
    pub(crate) fn trial(&self, plan: &Plan) -> Option<Trial> {
        let (report, cut_short) = unseen(plan);
        if cut_short {
            return None;
        }
        let own = plan.expect.len() - self.sweep.goals.len();
        let (mut held, mut far, mut objectives) = (Vec::new(), 0.0, Vec::new());
        for (at, (line, expect)) in report.expect.iter().zip(&plan.expect).enumerate() {
            let goal = at.checked_sub(own).map(|at| &self.sweep.goals[at]);
            if goal.is_some_and(|goal| goal.wish != Wish::Hold) {
                // A moment that never came is no figure.
                objectives.push(line.value.filter(|_| matches!(expect.claim, Claim::Figure { .. })));
            } else if goal.is_some() || !self.sweep.only_goals {
                held.push(line.pass);
                far += if line.pass { 0.0 } else { violation(&expect.claim, line.value) };
            }
        }
        let violation = if held.is_empty() { 0.0 } else { far / held.len() as f64 };
        Some(Trial { held, violation, objectives })
    }

    /// What is wanted of each objective.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        self.sweep.goals.iter().map(|goal| goal.wish).filter(|wish| *wish != Wish::Hold).collect()
    }
}
