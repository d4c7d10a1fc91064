//! From what was typed, or what a manifest says, to a sweep that can run. Everything that can be wrong with it is found
//! here, before anything runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use squall_model::plan::Plan;
use squall_model::spec::{Draft, Goal, Problem, Wish};
use squall_telemetry::FORMAT;
use squall_telemetry::figures::Better;

use super::axis::{Axis, Values};
use super::column::{Column, of_figures};
use super::design::{Design, Variant, variants};
use super::store::Key;
use super::{Seeds, Sweep, Trouble};
use crate::output;
use crate::topologies::Topology;

/// A change of what a sweep computes makes older results useless.
const VERSION: &str = concat!("squall sweep 1, ", env!("CARGO_PKG_VERSION"));
/// Of a longer axis not every value is tried before the sweep begins.
const TRIED: usize = 200;

/// What is to be swept.
pub(crate) struct Wanted {
    /// The topology.
    pub(crate) topology: Topology,
    /// Overrides as typed: an axis each; those with one value are the same in all variants.
    pub(crate) sets: Vec<(String, String)>,
    /// Overrides that are no axes.
    pub(crate) fixed: Vec<(String, String)>,
    /// How variants are chosen.
    pub(crate) design: Design,
    /// The seed of that choice.
    pub(crate) design_seed: u64,
    /// With which seeds each runs; `None` is the file's own.
    pub(crate) seeds: Option<Seeds>,
    /// `max …`, `min …`, or lines that must hold.
    pub(crate) goals: Vec<String>,
    /// Whether only the goals are judged, and not what the file expects.
    pub(crate) only_goals: bool,
    /// Figures to be kept, in the words of `expect`.
    pub(crate) figures: Vec<String>,
    /// Whether all figures of the report are kept.
    pub(crate) all_figures: bool,
}

impl Wanted {
    /// The sweep. Complains about everything that is wrong with it and gives `None` if it cannot be.
    pub(crate) fn sweep(self) -> io::Result<Option<Sweep>> {
        let mut fixed = self.fixed.clone();
        let mut axes = Vec::new();
        let mut wrong = 0;
        for (path, values) in &self.sets {
            match Axis::parse(path, values) {
                Ok(_) if path == "seed" => {
                    output::error("`seed` is no axis", Some("--seeds 1..20 runs every variant with all of them"))?;
                    wrong += 1;
                }
                Ok(_) if path == "expect" || path.starts_with("expect.") => {
                    output::error("what is expected is no axis", Some("--goal adds a line that must hold"))?;
                    wrong += 1;
                }
                Ok(Axis { values: Values::List(values), .. }) if values.len() == 1 => {
                    fixed.push((path.clone(), values[0].clone()));
                }
                Ok(axis) => axes.push(axis),
                Err(what) => {
                    output::error(&format!("--set {path}: {what}"), None)?;
                    wrong += 1;
                }
            }
        }
        let goals = self.parse_goals(fixed.len() + axes.len())?;
        let chosen = match variants(&axes, self.design, self.design_seed) {
            Ok(chosen) => Some(chosen),
            Err(what) => {
                output::error(&what, None)?;
                None
            }
        };
        let (Some(goals), Some(variants), 0) = (goals, chosen, wrong) else { return Ok(None) };
        self.prepared(fixed, axes, variants, goals)
    }

    /// The goals, then the figures to be kept. Their places count as overrides after the others.
    fn parse_goals(&self, sets: usize) -> io::Result<Option<Vec<Goal>>> {
        let figures = self.figures.iter().map(|figure| format!("max {figure}"));
        let texts: Vec<String> = self.goals.iter().cloned().chain(figures).collect();
        let (mut goals, mut problems) = (Vec::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            match Goal::parse(text, (sets + 1 + at) as u16) {
                Ok(goal) => goals.push(goal),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            return Ok(Some(goals));
        }
        let places: Vec<(String, String)> = vec![(String::new(), String::new()); sets];
        self.topology.complain(&places, &texts, &problems)?;
        Ok(None)
    }

    fn prepared(
        self,
        fixed: Vec<(String, String)>,
        axes: Vec<Axis>,
        variants: Vec<Variant>,
        goals: Vec<Goal>,
    ) -> io::Result<Option<Sweep>> {
        let draft: Draft = self.topology.draft();
        let texts: Vec<String> = goals.iter().map(|goal| goal.expectation.text.clone()).collect();
        let mut sweep = Sweep {
            topology: self.topology,
            draft,
            fixed,
            axes,
            variants,
            grid: self.design == Design::Grid,
            seeds: Seeds::These(Vec::new()),
            goals,
            only_goals: self.only_goals,
            columns: Vec::new(),
            lines: Vec::new(),
            judged: Vec::new(),
            base: Key::of(&[]),
        };
        let (first, files) = match sweep.try_out() {
            Ok(found) => found,
            Err((sets, problems)) => {
                sweep.topology.complain(&sets, &texts, &problems)?;
                return Ok(None);
            }
        };
        let own = first.expect.len() - sweep.goals.len();
        let wishes = sweep.goals.len() - self.figures.len();
        sweep.columns = of_figures(&first, self.all_figures);
        for (at, goal) in sweep.goals.iter().enumerate() {
            let better = match goal.wish {
                Wish::Max => Better::More,
                Wish::Min => Better::Less,
                Wish::Hold => Better::Neither,
            };
            let better = if at < wishes { better } else { Better::Neither };
            let text = &goal.expectation.text;
            let name = text.strip_prefix("max ").or_else(|| text.strip_prefix("min ")).unwrap_or(text).trim();
            if goal.wish != Wish::Hold {
                sweep.columns.insert(0, Column::of_claim(&first, own + at, name, better));
            }
        }
        let of_file = !self.only_goals;
        let holds = |at: &usize| if *at < own { of_file } else { sweep.goals[*at - own].wish == Wish::Hold };
        sweep.judged = (0..first.expect.len()).filter(holds).collect();
        sweep.lines = sweep.judged.iter().map(|at| first.expect[*at].text.clone()).collect();
        sweep.seeds = self.seeds.unwrap_or_else(|| Seeds::These(vec![first.seed]));
        sweep.base = sweep.base_key(&files);
        Ok(Some(sweep))
    }
}

/// What is wrong with which overrides.
type Wrong = (Vec<(String, String)>, Vec<Problem>);

impl Sweep {
    /// Loads every value of every axis once, the others at their first; answers the first variant's plan, and the files
    /// that the topology names.
    fn try_out(&self) -> Result<(Plan, BTreeMap<String, String>), Wrong> {
        let files = RefCell::new(BTreeMap::new());
        let more: Vec<_> = self.goals.iter().map(|goal| goal.expectation.clone()).collect();
        let load = |variant: &Variant| {
            let sets = self.sets(variant);
            let read = |path: &str| {
                let text = self.topology.file(path)?;
                files.borrow_mut().insert(path.to_owned(), text.clone());
                Ok(text)
            };
            let loaded = self.draft.load(&sets, &more, &read);
            loaded.and_then(|loaded| squall_model::plan::compile(&loaded.topology)).map_err(|wrong| (sets, wrong))
        };
        let first: Variant = self.axes.iter().map(|axis| axis.at(0.0)).collect();
        let plan = load(&first)?;
        for (at, axis) in self.axes.iter().enumerate() {
            let values: Vec<String> = match &axis.values {
                Values::List(values) => values.iter().take(TRIED).cloned().collect(),
                Values::Range(_) => vec![axis.at(1.0)],
            };
            for value in values {
                let mut variant = first.clone();
                variant[at] = value;
                load(&variant)?;
            }
        }
        Ok((plan, files.into_inner()))
    }

    fn base_key(&self, files: &BTreeMap<String, String>) -> Key {
        let format = format!("{FORMAT:?}");
        let mut parts: Vec<&[u8]> = vec![VERSION.as_bytes(), format.as_bytes(), self.topology.text().as_bytes()];
        for (path, text) in files.iter().chain(self.fixed.iter().map(|(path, value)| (path, value))) {
            parts.push(path.as_bytes());
            parts.push(text.as_bytes());
        }
        parts.extend(self.columns.iter().map(|column| column.name.as_bytes()));
        parts.extend(self.lines.iter().map(String::as_bytes));
        Key::of(&parts)
    }

    /// What tells this sweep from others.
    pub(crate) fn id(&self) -> String {
        let seeds = format!("{:?}", self.seeds);
        let mut parts: Vec<&[u8]> = vec![self.base.bytes(), seeds.as_bytes()];
        parts.extend(self.axes.iter().map(|axis| axis.path.as_bytes()));
        parts.extend(self.variants.iter().flatten().map(String::as_bytes));
        Key::of(&parts).hex()
    }

    /// Shows what is wrong with a variant.
    pub(crate) fn complain(&self, trouble: &Trouble) -> io::Result<()> {
        if let Trouble::Wrong(sets, problems) = trouble {
            let texts: Vec<String> = self.goals.iter().map(|goal| goal.expectation.text.clone()).collect();
            self.topology.complain(sets, &texts, problems)?;
        }
        Ok(())
    }
}
