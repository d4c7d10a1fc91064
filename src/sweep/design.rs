//! Which combinations of values a sweep runs: all of them, some at random, or some spread evenly (a Latin hypercube, after
//! McKay, Beckman and Conover 1979: every stretch of every axis is visited once). Seeded: the same again.

use squall_model::Random as _;
use squall_model::rng::Stream;

use super::axis::{Axis, Values};

/// More variants than this are a slip of the finger.
const MOST: usize = 10_000_000;

/// How variants are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Design {
    /// Every combination.
    Grid,
    /// So many, each value drawn on its own.
    Random(usize),
    /// So many, each axis cut into so many stretches.
    Latin(usize),
}

/// A value for each axis.
pub(crate) type Variant = Vec<String>;

/// The variants. The error says why there are none.
pub(crate) fn variants(axes: &[Axis], design: Design, seed: u64) -> Result<Vec<Variant>, String> {
    match design {
        Design::Grid => grid(axes),
        Design::Random(count) => {
            let mut streams: Vec<Stream> = streams(axes, "random", seed);
            let one = |_| axes.iter().zip(&mut streams).map(|(axis, stream)| axis.at(stream.unit())).collect();
            Ok((0..count).map(one).collect())
        }
        Design::Latin(count) => {
            let columns: Vec<Vec<String>> = axes
                .iter()
                .zip(streams(axes, "latin", seed))
                .map(|(axis, mut stream)| {
                    let stretches = shuffled(count, &mut stream);
                    stretches.iter().map(|at| axis.at((*at as f64 + stream.unit()) / count as f64)).collect()
                })
                .collect();
            Ok((0..count).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect())
        }
    }
}

fn streams(axes: &[Axis], design: &str, seed: u64) -> Vec<Stream> {
    axes.iter().map(|axis| Stream::new(seed, &format!("{design}/{}", axis.path))).collect()
}

/// Every combination, the last axis fastest.
fn grid(axes: &[Axis]) -> Result<Vec<Variant>, String> {
    let mut all: Vec<Variant> = vec![Vec::new()];
    for axis in axes {
        let Values::List(values) = &axis.values else {
            return Err(format!(
                "`{}` has no step: write `FROM..TO:STEP`, or draw some values with --random N or --latin N",
                axis.path
            ));
        };
        if all.len().saturating_mul(values.len()) > MOST {
            return Err(format!("more than {MOST} variants: draw some with --random N or --latin N"));
        }
        let with = |variant: &Variant, value: &String| variant.iter().cloned().chain([value.clone()]).collect();
        all = all.iter().flat_map(|variant| values.iter().map(move |value| with(variant, value))).collect();
    }
    Ok(all)
}

/// 0 to count less 1 in random order (Fisher and Yates).
fn shuffled(count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        all.swap(last, stream.below(last as u64 + 1) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(texts: &[&str]) -> Vec<Axis> {
        texts.iter().enumerate().map(|(at, text)| Axis::parse(&format!("p{at}"), text).unwrap()).collect()
    }

    #[test]
    fn a_grid_is_every_combination_once() {
        let all = variants(&axes(&["1,2", "a,b,c"]), Design::Grid, 1).unwrap();
        let flat: Vec<String> = all.iter().map(|variant| variant.concat()).collect();
        assert_eq!(flat, ["1a", "1b", "1c", "2a", "2b", "2c"]);
        assert_eq!(variants(&[], Design::Grid, 1).unwrap(), [Vec::<String>::new()]);
        assert!(variants(&axes(&["1..9"]), Design::Grid, 1).unwrap_err().contains("has no step"));
    }

    #[test]
    fn a_latin_hypercube_visits_every_stretch_of_every_axis_once() {
        let axes = axes(&["0..1000", "0.0..1.0", "a,b,c,d"]);
        let all = variants(&axes, Design::Latin(20), 7).unwrap();
        for (at, axis) in axes.iter().enumerate().take(2) {
            let mut stretches: Vec<usize> =
                all.iter().map(|variant| (axis.share_of(&variant[at]).unwrap() * 19.999) as usize).collect();
            stretches.sort_unstable();
            stretches.dedup();
            assert!(stretches.len() >= 18, "rounding moves at most a few: {stretches:?}");
        }
        let of = |letter: &str| all.iter().filter(|variant| variant[2] == letter).count();
        assert_eq!(["a", "b", "c", "d"].map(of), [5, 5, 5, 5]);
        assert_eq!(variants(&axes, Design::Latin(20), 7).unwrap(), all);
        assert_ne!(variants(&axes, Design::Latin(20), 8).unwrap(), all);
    }

    #[test]
    fn random_values_are_the_same_again_and_do_not_hang_on_other_axes() {
        let one = variants(&axes(&["0..1000"]), Design::Random(5), 3).unwrap();
        let two = variants(&axes(&["0..1000", "1,2"]), Design::Random(5), 3).unwrap();
        let firsts = |all: &[Variant]| all.iter().map(|variant| variant[0].clone()).collect::<Vec<_>>();
        assert_eq!(firsts(&one), firsts(&two));
    }
}
