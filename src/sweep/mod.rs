//! Sweeps: one topology in many variants and with many seeds, on all cores. What was run is kept under the key of all it
//! hangs on, so that a sweep goes on where it was interrupted, and parts of one can run on many machines.
//!
//! Variants share their random streams by name: with the same seed they meet the same storm.

pub(crate) mod axis;
pub(crate) mod column;
pub(crate) mod define;
pub(crate) mod design;
pub(crate) mod manifest;
pub(crate) mod results;
pub(crate) mod store;
mod until;

use std::io;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use squall_model::plan::{self, Plan};
use squall_model::spec::{Draft, Expectation, Goal, Problem};

use crate::commands::run::unseen;
use crate::interrupt;
use crate::topologies::Topology;
use axis::Axis;
use column::{Column, values};
use design::Variant;
use store::{Key, Record, Store};

/// A sweep, ready to run.
pub(crate) struct Sweep {
    /// What is swept.
    pub(crate) topology: Topology,
    draft: Draft,
    /// Overrides that all variants share.
    pub(crate) fixed: Vec<(String, String)>,
    /// What varies.
    pub(crate) axes: Vec<Axis>,
    /// The values of each variant, one an axis.
    pub(crate) variants: Vec<Variant>,
    /// Whether they are every combination.
    pub(crate) grid: bool,
    /// With which seeds each runs.
    pub(crate) seeds: Seeds,
    /// What is wanted or measured besides what the file expects.
    pub(crate) goals: Vec<Goal>,
    /// Whether what the file expects is not judged.
    pub(crate) only_goals: bool,
    /// What is kept of each run.
    pub(crate) columns: Vec<Column>,
    /// The lines that must hold, in the order of [`Record::held`].
    pub(crate) lines: Vec<String>,
    /// Which of the plan's expectations those are.
    judged: Vec<usize>,
    /// Everything that all runs hang on.
    base: Key,
}

/// With which seeds a variant runs.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seeds {
    /// These.
    These(Vec<u64>),
    /// From 1 on, until it is known well enough how often all holds.
    Until {
        /// Half the width of the interval.
        half_width: f64,
        /// At most so many.
        most: u64,
    },
}

/// Which part of the variants runs here: number `number` of `of`, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shard {
    /// From 1.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) of: usize,
}

impl Shard {
    /// The whole.
    pub(crate) const WHOLE: Self = Self { number: 1, of: 1 };

    /// `2/8`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usage = "write its number and how many there are, such as 2/8";
        let (number, of) = text.split_once('/').ok_or(usage)?;
        let (number, of) = (number.parse().map_err(|_| usage)?, of.parse().map_err(|_| usage)?);
        if (1..=of).contains(&number) {
            Ok(Self { number, of })
        } else {
            Err(format!("there is no shard {text}; {usage}"))
        }
    }

    fn has(self, variant: usize) -> bool {
        variant % self.of == self.number - 1
    }
}

/// Why a sweep did not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A variant that cannot be: its overrides, and what is wrong.
    Wrong(Vec<(String, String)>, Vec<Problem>),
    /// Ctrl-C.
    Interrupted,
    /// Results could not be kept.
    Store(io::Error),
    /// So many of so many results are not there, and nothing is to be run.
    Missing(usize, usize),
}

/// How results are come by.
#[derive(Clone, Copy)]
pub(crate) struct Means<'m> {
    /// Where results are, and are kept.
    pub(crate) store: Option<&'m Store>,
    /// Whether what is not there is run.
    pub(crate) runs: bool,
    /// Is told of each run that is done.
    pub(crate) progress: &'m (dyn Fn(u64) + Sync),
}

/// The runs of one variant.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Runs {
    /// Which variant.
    pub(crate) variant: usize,
    /// The seeds, in order.
    pub(crate) seeds: Vec<u64>,
    /// A record a seed.
    pub(crate) records: Vec<Record>,
}

/// A piece of work: one variant with some seeds.
struct Task {
    variant: usize,
    seeds: Vec<u64>,
}

impl Sweep {
    /// Runs, or finds, every run of a shard, in order.
    pub(crate) fn runs(&self, shard: Shard, means: Means<'_>) -> Result<Vec<Runs>, Trouble> {
        interrupt::listen();
        let variants: Vec<usize> = (0..self.variants.len()).filter(|variant| shard.has(*variant)).collect();
        let done = match &self.seeds {
            Seeds::These(seeds) => {
                let wanted: Vec<(usize, Vec<u64>)> = variants.iter().map(|at| (*at, seeds.clone())).collect();
                self.batch(&wanted, means)
            }
            Seeds::Until { half_width, most } => until::runs(self, &variants, (*half_width, *most), means),
        };
        // What is done is kept also where the rest is not.
        if let Some(store) = means.store.filter(|_| means.runs) {
            store.finish().map_err(Trouble::Store)?;
        }
        done
    }

    /// Some variants with some seeds each.
    fn batch(&self, wanted: &[(usize, Vec<u64>)], means: Means<'_>) -> Result<Vec<Runs>, Trouble> {
        let all: usize = wanted.iter().map(|(_, seeds)| seeds.len()).sum();
        let tasks = tasks(wanted, all);
        let parts: Vec<Result<Vec<Record>, Trouble>> = tasks.par_iter().map(|task| self.task(task, means)).collect();
        let (mut runs, mut missing) = (Vec::<Runs>::new(), 0);
        for (task, part) in tasks.into_iter().zip(parts) {
            let records = match part {
                Ok(records) => records,
                Err(Trouble::Missing(count, _)) => {
                    missing += count;
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            match runs.last_mut().filter(|last| last.variant == task.variant) {
                Some(last) => {
                    last.seeds.extend(task.seeds);
                    last.records.extend(records);
                }
                None => runs.push(Runs { variant: task.variant, seeds: task.seeds, records }),
            }
        }
        if missing > 0 { Err(Trouble::Missing(missing, all)) } else { Ok(runs) }
    }

    fn task(&self, task: &Task, means: Means<'_>) -> Result<Vec<Record>, Trouble> {
        let mut plan: Option<Plan> = None;
        let mut records = Vec::with_capacity(task.seeds.len());
        let mut missing = 0;
        for seed in &task.seeds {
            if interrupt::pressed() {
                return Err(Trouble::Interrupted);
            }
            let key = self.key(task.variant, *seed);
            if let Some(record) = means.store.and_then(|store| store.find(key)) {
                records.push(record.clone());
                (means.progress)(1);
                continue;
            }
            if !means.runs {
                missing += 1;
                continue;
            }
            let mut ready = match plan.take() {
                Some(plan) => plan,
                None => self.plan(&self.variants[task.variant])?,
            };
            ready.seed = *seed;
            let record = self.run(&ready).ok_or(Trouble::Interrupted)?;
            plan = Some(ready);
            if let Some(store) = means.store {
                store.keep(key, &record);
            }
            records.push(record);
            (means.progress)(1);
        }
        if missing > 0 { Err(Trouble::Missing(missing, task.seeds.len())) } else { Ok(records) }
    }

    /// Runs a plan; `None` if it was interrupted.
    pub(crate) fn run(&self, plan: &Plan) -> Option<Record> {
        let (report, cut_short) = unseen(plan);
        if cut_short {
            return None;
        }
        let values = values(&self.columns, &report);
        let held = self.judged.iter().map(|at| report.expect.get(*at).is_some_and(|line| line.pass)).collect();
        Some(Record { digest: report.digest, held, values })
    }

    /// The plan of a variant.
    pub(crate) fn plan(&self, variant: &Variant) -> Result<Plan, Trouble> {
        self.plan_of(self.sets(variant))
    }

    /// The plan under some overrides.
    pub(crate) fn plan_of(&self, sets: Vec<(String, String)>) -> Result<Plan, Trouble> {
        let more: Vec<Expectation> = self.goals.iter().map(|goal| goal.expectation.clone()).collect();
        let loaded = self.draft.load(&sets, &more, &|path| self.topology.file(path));
        let planned = loaded.and_then(|loaded| plan::compile(&loaded.topology));
        planned.map_err(|problems| Trouble::Wrong(sets, problems))
    }

    /// The overrides of a variant.
    pub(crate) fn sets(&self, variant: &Variant) -> Vec<(String, String)> {
        let own = self.axes.iter().zip(variant).map(|(axis, value)| (axis.path.clone(), value.clone()));
        self.fixed.iter().cloned().chain(own).collect()
    }

    /// All that a run hangs on.
    fn key(&self, variant: usize, seed: u64) -> Key {
        let seed = seed.to_le_bytes();
        let mut parts: Vec<&[u8]> = vec![self.base.bytes(), &seed];
        for (axis, value) in self.axes.iter().zip(&self.variants[variant]) {
            parts.push(axis.path.as_bytes());
            parts.push(value.as_bytes());
        }
        Key::of(&parts)
    }

    /// How many runs a shard has at most.
    pub(crate) fn count(&self, shard: Shard) -> u64 {
        let variants = (0..self.variants.len()).filter(|variant| shard.has(*variant)).count() as u64;
        match &self.seeds {
            Seeds::These(seeds) => variants * seeds.len() as u64,
            Seeds::Until { most, .. } => variants * most,
        }
    }
}

/// Pieces that are many enough for every core to be busy to the end.
fn tasks(wanted: &[(usize, Vec<u64>)], all: usize) -> Vec<Task> {
    const PIECES: usize = 256;
    let size = all.div_ceil(PIECES).clamp(1, 64);
    let pieces = wanted
        .iter()
        .flat_map(|(variant, seeds)| seeds.chunks(size).map(|seeds| Task { variant: *variant, seeds: seeds.to_vec() }));
    pieces.collect()
}
