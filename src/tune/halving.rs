//! Successive halving: many candidates with one seed, the best third of them with three times as many, and so on, until
//! those that are left were tried with all seeds.

use super::{Search, order};
use crate::sweep::Trouble;
use crate::sweep::axis::Axis;
use crate::sweep::design::{Design, Variant, variants};

/// Of each round this part goes on.
const KEPT: usize = 3;
/// But no fewer than these.
const FEWEST: usize = 4;

/// The best candidates, all of them tried with all seeds, the best first.
pub(super) fn run(search: &mut Search<'_>, candidates: usize) -> Result<Vec<Variant>, Trouble> {
    let mut left = spread(&search.sweep.axes, candidates);
    let mut seeds = 1;
    loop {
        let scores = search.scores(&left, seeds)?;
        let wishes = search.wishes();
        let mut ranked: Vec<_> = left.into_iter().zip(scores).collect();
        ranked.sort_by(|a, b| order(&a.1, &b.1, &wishes).then_with(|| a.0.cmp(&b.0)));
        left = ranked.into_iter().map(|(variant, _)| variant).collect();
        if seeds == search.seeds {
            return Ok(left);
        }
        left.truncate(left.len().div_ceil(KEPT).max(FEWEST));
        seeds = (seeds * KEPT as u64).min(search.seeds);
    }
}

/// All combinations if they are few, else some that are evenly spread.
fn spread(axes: &[Axis], candidates: usize) -> Vec<Variant> {
    let count = axes.iter().try_fold(1usize, |all, axis| all.checked_mul(axis.list()?.len()));
    let design = if count.is_some_and(|count| count <= candidates) { Design::Grid } else { Design::Latin(candidates) };
    let mut all = variants(axes, design, 1).unwrap_or_default();
    // The middle of everything, where a person would begin.
    all.push(axes.iter().map(|axis| axis.at(0.5)).collect());
    all.sort();
    all.dedup();
    all
}
