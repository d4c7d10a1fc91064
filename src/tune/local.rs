//! A pattern search around the finalists: a step to either side on every axis, on to what is better, and with half the
//! step where nothing is. Ends when steps no longer matter.

use super::{Search, order};
use crate::sweep::Trouble;
use crate::sweep::design::Variant;

/// Around so many finalists.
const STARTS: usize = 2;
/// The first step, as a share of an axis.
const FIRST: f64 = 0.16;
/// The last.
const LAST: f64 = 0.004;
/// A search that goes on longer than this walks along a ridge.
const ROUNDS: usize = 60;

/// Searches around the first of `finalists`; what it finds is in the search's books.
pub(super) fn run(search: &mut Search<'_>, finalists: &[Variant]) -> Result<(), Trouble> {
    for start in finalists.iter().take(STARTS) {
        around(search, start)?;
    }
    Ok(())
}

fn around(search: &mut Search<'_>, start: &Variant) -> Result<(), Trouble> {
    let (mut best, mut step) = (start.clone(), FIRST);
    for _ in 0..ROUNDS {
        if step < LAST {
            break;
        }
        let near = neighbours(search, &best, step);
        let all: Vec<Variant> = std::iter::once(best.clone()).chain(near).collect();
        let scores = search.scores(&all, search.seeds)?;
        let wishes = search.wishes();
        let winner = (1..all.len())
            .fold(0, |winner, at| if order(&scores[at], &scores[winner], &wishes).is_lt() { at } else { winner });
        if winner == 0 {
            step /= 2.0;
        } else {
            best.clone_from(&all[winner]);
        }
    }
    Ok(())
}

/// One step to either side on every axis; of a list at least to the next value.
fn neighbours(search: &Search<'_>, from: &Variant, step: f64) -> Vec<Variant> {
    let mut all = Vec::new();
    for (at, axis) in search.sweep.axes.iter().enumerate() {
        let Some(share) = axis.share_of(&from[at]) else { continue };
        let step = axis.list().map_or(step, |values| step.max(1.0 / values.len() as f64));
        for to in [share - step, share + step] {
            let mut variant = from.clone();
            variant[at] = axis.at(to.clamp(0.0, 1.0));
            if variant != *from && !all.contains(&variant) {
                all.push(variant);
            }
        }
    }
    all
}
