//! Every distribution against its known mean, quantiles and golden draws.

use super::*;
use crate::rng::Stream;

const MS: f64 = 1e6;

fn every_kind() -> Vec<(&'static str, Dist)> {
    let ms = Span::from_millis;
    vec![
        ("constant", Dist::Constant(ms(10))),
        ("uniform", Dist::Uniform { from: 5.0 * MS, to: 15.0 * MS }),
        ("exponential", Dist::Exponential { mean: 10.0 * MS }),
        ("normal", Dist::Normal { mean: 10.0 * MS, sd: 2.0 * MS }),
        ("normal cut", Dist::Normal { mean: MS, sd: 2.0 * MS }),
        ("lognormal", Dist::lognormal(10.0 * MS, 30.0 * MS)),
        ("pareto", Dist::Pareto { minimum: 5.0 * MS, inverse_alpha: 0.25 }),
        ("erlang", Dist::Erlang { shape: 4, mean: 10.0 * MS }),
        ("bimodal", Dist::Bimodal { usual: ms(10), rare: ms(100), share: 0.1 }),
        ("percentiles", Dist::Percentiles(vec![(0.0, 0.0), (0.5, 20.0 * MS), (0.9, 50.0 * MS), (1.0, 60.0 * MS)])),
        ("empirical", Dist::Empirical(vec![ms(1), ms(2), ms(6)])),
    ]
}

#[test]
fn the_mean_of_many_draws_is_the_mean_within_five_standard_errors() {
    for (name, dist) in every_kind() {
        let mut stream = Stream::new(7, name);
        let draws: Vec<f64> = (0..200_000).map(|_| dist.sample(&mut stream).as_nanos() as f64).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let error = (variance / n).sqrt();
        assert!((mean - dist.mean()).abs() <= 5.0 * error + 1.0, "{name}: {mean} against {}", dist.mean());
    }
}

/// The greatest distance between the draws and the true distribution; 1.95 is its 0.1 % point.
fn kolmogorov_smirnov(mut draws: Vec<f64>, cumulative: impl Fn(f64) -> f64) -> f64 {
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let distance = draws.iter().enumerate().fold(0.0f64, |worst, (i, &x)| {
        let f = cumulative(x);
        worst.max((f - i as f64 / n).abs()).max(((i + 1) as f64 / n - f).abs())
    });
    distance * n.sqrt()
}

#[test]
fn the_ziggurats_draw_the_exponential_and_the_normal_distribution() {
    let mut stream = Stream::new(1, "ziggurat");
    let draws = (0..500_000).map(|_| exponential(&mut stream)).collect();
    assert!(kolmogorov_smirnov(draws, |x| 1.0 - libm::exp(-x)) < 1.95);
    let draws = (0..500_000).map(|_| normal(&mut stream)).collect();
    assert!(kolmogorov_smirnov(draws, |x| libm::erfc(-x / core::f64::consts::SQRT_2) / 2.0) < 1.95);
}

#[test]
fn the_tails_beyond_the_last_layer_have_their_share() {
    let mut stream = Stream::new(3, "tails");
    let n = 3_000_000;
    let beyond = (0..n).filter(|_| exponential(&mut stream) > EXPONENTIAL_X[1]).count() as f64;
    let expected = f64::from(n) * libm::exp(-EXPONENTIAL_X[1]);
    assert!((beyond - expected).abs() < 5.0 * expected.sqrt(), "{beyond} against {expected}");
    let beyond = (0..n).filter(|_| normal(&mut stream).abs() > NORMAL_X[1]).count() as f64;
    let expected = f64::from(n) * libm::erfc(NORMAL_X[1] / core::f64::consts::SQRT_2);
    assert!((beyond - expected).abs() < 5.0 * expected.sqrt(), "{beyond} against {expected}");
}

#[test]
fn every_kind_gives_the_same_draws_for_ever() {
    let golden = every_kind().into_iter().map(|(name, dist)| {
        let mut stream = Stream::new(1, "golden");
        let draws: Vec<u64> = (0..4).map(|_| dist.sample(&mut stream).as_nanos()).collect();
        format!("{name} {draws:?}\n")
    });
    insta::assert_snapshot!(golden.collect::<String>());
}

#[test]
fn lognormal_meets_its_median_and_its_99th_percentile() {
    let dist = Dist::lognormal(10.0 * MS, 80.0 * MS);
    let mut stream = Stream::new(5, "lognormal");
    let mut draws: Vec<u64> = (0..100_001).map(|_| dist.sample(&mut stream).as_nanos()).collect();
    draws.sort_unstable();
    let near = |actual: u64, ms: f64, share: f64| (actual as f64 / (ms * MS) - 1.0).abs() < share;
    assert!(near(draws[50_000], 10.0, 0.02), "{}", draws[50_000]);
    assert!(near(draws[99_000], 80.0, 0.05), "{}", draws[99_000]);
}

#[test]
fn percentiles_are_interpolated_and_empty_samples_draw_nothing() {
    let points = [(0.0, 0.0), (0.5, 10.0), (1.0, 30.0)];
    let table = [(0.0, 0.0), (0.25, 5.0), (0.5, 10.0), (0.75, 20.0), (0.999_999, 29.999_96)];
    for (share, value) in table {
        assert!((interpolate(&points, share) - value).abs() < 1e-9);
    }
    assert_eq!(Dist::Empirical(vec![]).sample(&mut Stream::new(1, "")), Span::ZERO);
}
