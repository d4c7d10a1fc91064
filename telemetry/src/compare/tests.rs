//! Comparisons of made-up runs.

use squall_model::Random as _;
use squall_model::rng::Stream;

use super::*;
use crate::figures::metric_by_key;
use crate::report::LoadSeries;

fn entry(key: &str, value: f64) -> Entry {
    let metric = metric_by_key(key).unwrap();
    let whole = (metric.unit == Unit::Part).then_some(1000.0);
    Entry { kind: Kind::Load, subject: "feed".into(), metric, value: Some(value), whole }
}

fn sheet(seed: u64, figures: &[(&str, f64)]) -> Sheet {
    Sheet {
        scenario: "shop".into(),
        world: World::Sim,
        seed,
        entries: figures.iter().map(|(key, value)| entry(key, *value)).collect(),
        expect: vec![("feed p99 < 1s".into(), true)],
        series: Vec::new(),
        settings: [("services.a.workers".to_owned(), "5".to_owned())].into(),
        rounded: false,
    }
}

#[test]
fn the_same_run_twice_has_changed_in_nothing() {
    let runs = [sheet(1, &[("p99_ms", 51.0), ("failed", 3.0)])];
    let found = compare(&runs, &runs, &Rule::usual());
    assert_eq!((found.verdict, found.changes.len(), found.sentence.as_str()), (Verdict::Same, 0, "nothing changed"));
}

#[test]
fn changes_are_ranked_have_a_direction_and_break_rules() {
    let base = [sheet(1, &[("p99_ms", 50.0), ("failed", 0.0), ("goodput_per_s", 100.0), ("offered", 1000.0)])];
    let new = [sheet(1, &[("p99_ms", 51.0), ("failed", 300.0), ("goodput_per_s", 70.0), ("offered", 1001.0)])];
    let found = compare(&base, &new, &Rule::usual());
    let told: Vec<_> = found.changes.iter().map(|c| (c.metric.key, c.direction, c.breaks.as_deref())).collect();
    let wanted = [
        ("failed", Direction::Worse, Some("failed +0.1%")),
        ("goodput_per_s", Direction::Worse, Some("goodput -1%")),
        ("p99_ms", Direction::Worse, None),
        ("offered", Direction::Neutral, None),
    ];
    assert_eq!(told, wanted);
    assert_eq!(found.verdict, Verdict::Regressed);
    assert_eq!(found.sentence, "worse: feed failed 0% → 30%, goodput 100/s → 70/s");
    let back = compare(&new, &base, &Rule::usual());
    assert_eq!((back.verdict, back.changes[0].direction), (Verdict::Better, Direction::Better));
}

#[test]
fn an_expectation_that_no_longer_holds_is_a_regression_whatever_the_rules() {
    let base = [sheet(1, &[("p99_ms", 50.0)])];
    let mut new = base.clone();
    new[0].expect[0].1 = false;
    let found = compare(&base, &new, &[]);
    assert_eq!((found.verdict, found.broken.len()), (Verdict::Regressed, 1));
    assert_eq!(found.sentence, "worse: `feed p99 < 1s` no longer holds");
    assert_eq!(compare(&new, &base, &[]).mended.len(), 1);
}

#[test]
fn over_seeds_a_change_counts_if_its_interval_leaves_out_nothing_at_all() {
    let mut random = Stream::new(4, "seeds");
    let mut noise = || random.unit() * 40.0;
    let base: Vec<_> = (1..=10).map(|seed| sheet(seed, &[("p99_ms", 100.0 + noise())])).collect();
    let shifted = |by: f64| -> Vec<_> {
        let value = |sheet: &Sheet| sheet.entries[0].value.unwrap();
        base.iter().map(|s| sheet(s.seed, &[("p99_ms", value(s) + by + (s.seed % 3) as f64 - 1.0)])).collect()
    };
    let found = compare(&base, &shifted(15.0), &Rule::usual());
    let change = &found.changes[0];
    assert_eq!((found.evidence, found.verdict), (Evidence::Pairs, Verdict::Regressed));
    assert!(change.interval.is_some_and(|[low, high]| low > 13.0 && high < 17.0) && change.p.is_some());
    let found = compare(&base, &shifted(0.0), &Rule::usual());
    assert!(!found.changes[0].counts && found.verdict == Verdict::Same);
}

#[test]
fn what_has_no_answers_any_more_has_got_worse() {
    let base = [sheet(1, &[("p99_ms", 50.0)])];
    let mut new = base.clone();
    new[0].entries[0].value = None;
    let found = compare(&base, &new, &Rule::usual());
    assert_eq!((found.changes[0].direction, found.verdict), (Direction::Worse, Verdict::Regressed));
}

#[test]
fn a_baseline_is_what_it_was_made_of_rounded_and_never_differs_from_itself() {
    let run = sheet(1, &[("offered", 1000.0), ("p99_ms", 51.123_456), ("failed", 12.0), ("goodput_per_s", 99.999_9)]);
    let text = serde_json::to_string_pretty(&Baseline::of(&run)).unwrap();
    assert!(
        text.contains("\"p99_ms\": 51.12")
            && text.contains("\"failed\": 12,")
            && text.contains("\"goodput_per_s\": 100,"),
        "{text}"
    );
    let kept: Baseline = serde_json::from_str(&text).unwrap();
    let found = compare(&[kept.sheet()], &[run], &Rule::usual());
    assert_eq!((found.changes.len(), found.verdict), (0, Verdict::Same));
}

#[test]
fn settings_that_differ_are_told() {
    let base = [sheet(1, &[])];
    let mut new = base.clone();
    new[0].settings.insert("services.a.workers".into(), "9".into());
    let changed = compare(&base, &new, &[]).settings;
    assert_eq!((changed.len(), changed[0].base.as_deref(), changed[0].new.as_deref()), (1, Some("5"), Some("9")));
}

/// A live run as it might have been: 60 s at 200/s, an outage of 20 s, noise that lasts for some seconds.
fn live(seed: u64, factor: f64, failing: f64) -> Sheet {
    let mut random = Stream::new(seed, "live");
    let mut series = LoadSeries::default();
    let (mut slow, edge) = (0.0, random.below(2));
    let mut totals = [0u64; 4];
    for at in 0..60 {
        let normal: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        slow = 0.7 * slow + 0.08 * normal;
        let outage = (20 + edge..40).contains(&at);
        let offered = 195 + random.below(11);
        let failed = (0..offered).filter(|_| random.unit() < if outage { failing } else { 0.001 }).count() as u64;
        let p50 = if outage { 80.0 } else { 20.0 } * factor * libm::exp(slow);
        series.offered.push(offered);
        series.ok.push(offered - failed);
        series.degraded.push(0);
        series.failed.push(failed);
        series.p50_ms.push(Some(p50));
        series.p99_ms.push(Some(p50 * (2.0 + random.unit())));
        for (total, more) in totals.iter_mut().zip([offered, offered - failed, failed, 0]) {
            *total += more;
        }
    }
    let sorted = |series: &[Option<f64>], share: f64| {
        let mut all: Vec<f64> = series.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        all[(59.0 * share) as usize]
    };
    let (p50, p99) = (sorted(&series.p50_ms, 0.5), sorted(&series.p99_ms, 0.98));
    let mut run = sheet(1, &[("goodput_per_s", totals[1] as f64 / 60.0), ("p50_ms", p50), ("p99_ms", p99)]);
    for (key, count) in [("ok", totals[1]), ("failed", totals[2])] {
        run.entries.push(Entry { value: Some(count as f64), whole: Some(totals[0] as f64), ..entry(key, 0.0) });
    }
    run.world = World::Live;
    run.series = vec![("feed".into(), series)];
    run
}

#[test]
fn of_200_pairs_of_equal_live_runs_at_most_1_in_20_is_called_a_regression() {
    let alarms = (0..200u64).filter(|pair| {
        let found = compare(&[live(2 * pair, 1.0, 0.3)], &[live(2 * pair + 1, 1.0, 0.3)], &Rule::usual());
        assert_eq!(found.evidence, Evidence::Noise);
        found.verdict == Verdict::Regressed
    });
    let alarms = alarms.count();
    assert!(alarms <= 10, "{alarms} of 200");
}

#[test]
fn a_live_run_that_is_really_worse_is_found_out() {
    let found = |factor, failing| {
        let one =
            |pair: &u64| compare(&[live(2 * pair, 1.0, 0.3)], &[live(2 * pair + 1, factor, failing)], &Rule::usual());
        (0..40u64).filter(|pair| one(pair).verdict == Verdict::Regressed).count()
    };
    let (slower, failing) = (found(1.5, 0.3), found(1.0, 0.5));
    assert!(slower >= 36 && failing >= 36, "{slower} and {failing} of 40");
}

#[test]
fn groups_of_equal_live_runs_are_rarely_called_a_regression() {
    let group = |from: u64| (from..from + 6).map(|seed| live(seed, 1.0, 0.3)).collect::<Vec<_>>();
    let alarms = (0..50u64).filter(|pair| {
        let found = compare(&group(100 * pair), &group(100 * pair + 50), &Rule::usual());
        assert_eq!(found.evidence, Evidence::Groups);
        found.verdict == Verdict::Regressed
    });
    assert!(alarms.count() <= 2);
}
