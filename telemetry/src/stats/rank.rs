//! Whether one group of values tends to be greater than another (Mann and Whitney 1947): asks for no distribution. Exact
//! for small groups without ties; else the normal approximation with its corrections for ties and continuity.

/// What the test found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MannWhitney {
    /// Pairs in which the first group's value is the greater one; a tie counts one half.
    pub u: f64,
    /// How probable a difference like this is if there is none, two-sided.
    pub p: f64,
}

/// The most values a group may have for the exact distribution.
const EXACT: usize = 20;

/// Compares two groups. `None` if one is empty.
#[expect(clippy::many_single_char_names, reason = "U, p, n and m are what everybody calls them")]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = a.iter().map(|v| (*v, true)).chain(b.iter().map(|v| (*v, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut rank_sum, mut ties, mut start) = (0.0, 0.0, 0);
    while start < all.len() {
        let same = all[start..].iter().take_while(|(value, _)| *value == all[start].0).count();
        let rank = start as f64 + (same + 1) as f64 / 2.0;
        rank_sum += rank * all[start..start + same].iter().filter(|(_, first)| *first).count() as f64;
        ties += (same * same * same - same) as f64;
        start += same;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let exact = ties == 0.0 && a.len().max(b.len()) <= EXACT;
    let p = if exact { exact_p(a.len(), b.len(), u) } else { normal_p(n, m, u, ties) };
    Some(MannWhitney { u, p })
}

/// Counts the orders of n and m values that give a U at least as extreme.
fn exact_p(n: usize, m: usize, u: f64) -> f64 {
    // ways[i][u] is the number of ways to choose i of the values so far whose U adds up to u.
    let most = n * m;
    let mut ways = vec![vec![0.0f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for position in 0..n + m {
        for chosen in (1..=n.min(position + 1)).rev() {
            // A value here that is the chosen-th of its group has passed this many of the other.
            let passed = position + 1 - chosen;
            if passed > m {
                continue;
            }
            for sum in (passed..=most).rev() {
                let more = ways[chosen - 1][sum - passed];
                ways[chosen][sum] += more;
            }
        }
    }
    let extreme = u.max(most as f64 - u) as usize;
    let total: f64 = ways[n].iter().sum();
    let tail: f64 = ways[n][extreme..].iter().sum();
    (2.0 * tail / total).min(1.0)
}

fn normal_p(n: f64, m: f64, u: f64, ties: f64) -> f64 {
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    libm::erfc(distance / core::f64::consts::SQRT_2).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Random as _;
    use squall_model::rng::Stream;
    use statrs::stats_tests::Alternative;
    use statrs::stats_tests::mannwhitneyu::{MannWhitneyUMethod, mannwhitneyu};

    #[test]
    fn small_groups_are_as_in_the_tables() {
        // scipy.stats.mannwhitneyu(a, b, method="exact")
        let table: [(&[f64], &[f64], f64, f64); 5] = [
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 0.0, 0.1),
            (&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0], 17.0, 0.111_111_111_111_111_1),
            (&[1.0], &[2.0], 0.0, 1.0),
            (&[0.0, 1.0, 6.0, 8.0], &[2.0, 3.0, 4.0, 5.0, 7.0], 9.0, 0.904_761_904_761_904_9),
            (&[1.0, 3.0, 5.0, 7.0], &[2.0, 4.0, 6.0, 8.0], 6.0, 0.685_714_285_714_285_7),
        ];
        for (a, b, u, p) in table {
            let found = mann_whitney(a, b).unwrap();
            assert!((found.u - u).abs() < 1e-9 && (found.p - p).abs() < 1e-9, "{a:?} {b:?}: {found:?}");
        }
        // scipy.stats.mannwhitneyu(a, b, method="asymptotic")
        let tied = mann_whitney(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0], &[2.0, 3.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0]);
        assert!(tied.is_some_and(|found| found.u == 8.5 && (found.p - 0.025_144_761_173).abs() < 1e-9), "{tied:?}");
        let many: Vec<f64> = (0..25).map(f64::from).collect();
        let more: Vec<f64> = many.iter().map(|value| value + 3.5).collect();
        let large = mann_whitney(&many, &more);
        assert!(large.is_some_and(|found| found.u == 231.0 && (found.p - 0.116_036_187_513).abs() < 1e-9), "{large:?}");
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[2.0; 5], &[2.0; 5]).map(|found| found.p), Some(1.0));
    }

    /// Of the exact distribution statrs 0.19 counts only one tail in the middle; scipy, which the tables above are from,
    /// and we count both.
    #[test]
    #[expect(clippy::many_single_char_names, reason = "as above")]
    fn with_ties_it_is_what_statrs_says_and_u_always_is() {
        let mut random = Stream::new(3, "ranks");
        for case in 0..60 {
            let (n, m) = (3 + case % 15, 4 + case % 11);
            let tied = case % 2 == 0;
            let mut draw = |shift: f64| {
                let value = random.unit() * 10.0 + shift;
                if tied { value.floor() } else { value }
            };
            let a: Vec<f64> = (0..n).map(|_| draw(0.0)).collect();
            let b: Vec<f64> = (0..m).map(|_| draw(2.0)).collect();
            let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
            let (u, p) = mannwhitneyu(&a, &b, method, Alternative::TwoSided).unwrap();
            let found = mann_whitney(&a, &b).unwrap();
            assert!((found.u - u).abs() < 1e-9, "case {case}: {found:?} and {u}");
            assert!(!tied || (found.p - p).abs() < 1e-6, "case {case}: {found:?} and {p}");
        }
    }
}
