//! How often a variant holds where the world is a little different: other seeds, more and less load, greater and smaller
//! faults. Made as overrides, so each can be tried by hand.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use squall_model::Span;
use squall_model::spec::decode::Scalar as _;

use super::{Search, Trial};
use crate::sweep::Trouble;
use crate::sweep::design::Variant;
use squall_model::plan::Plan;

/// Seeds that no search has seen.
const SEEDS: std::ops::RangeInclusive<u64> = 1_001..=1_020;

/// A world that is a little different.
pub(crate) struct Trials {
    /// What is different.
    pub(crate) what: String,
    /// Runs.
    pub(crate) runs: usize,
    /// Those in which all held.
    pub(crate) held: usize,
    /// The means of the objectives.
    pub(crate) objectives: Vec<Option<f64>>,
}

/// Tries a variant in every such world.
pub(crate) fn run(search: &Search<'_>, variant: &Variant) -> Result<Vec<Trials>, Trouble> {
    let settings = search.sweep.topology.settings();
    let scaled = |is: &dyn Fn(&str) -> bool, factor: f64| -> Vec<(String, String)> {
        let fits = settings.iter().filter(|setting| is(&setting.path));
        let fits = fits.filter(|setting| !search.sweep.axes.iter().any(|axis| axis.path == setting.path));
        fits.filter_map(|setting| Some((setting.path.clone(), times(&setting.value, factor)?))).collect()
    };
    let worlds = [
        ("other seeds", Vec::new()),
        ("load -20%", scaled(&is_load, 0.8)),
        ("load +20%", scaled(&is_load, 1.2)),
        ("faults half as great", scaled(&is_fault, 0.5)),
        ("faults half again as great", scaled(&is_fault, 1.5)),
    ];
    let mut all = Vec::new();
    for (at, (what, sets)) in worlds.into_iter().enumerate() {
        if at > 0 && sets.is_empty() {
            continue;
        }
        let plan = search.sweep.plan_of([search.sweep.sets(variant), sets].concat())?;
        let one = |seed| search.trial(&Plan { seed, ..plan.clone() });
        let trials: Option<Vec<Trial>> = SEEDS.collect::<Vec<_>>().into_par_iter().map(one).collect();
        let score = super::Score::of(&trials.ok_or(Trouble::Interrupted)?);
        all.push(Trials { what: what.to_owned(), runs: score.runs, held: score.held, objectives: score.objectives });
    }
    Ok(all)
}

/// How much users ask for.
fn is_load(path: &str) -> bool {
    path.starts_with("load.") && matches!(path.rsplit('.').next(), Some("rate" | "users"))
}

/// How bad a fault is.
fn is_fault(path: &str) -> bool {
    let bad = ["latency", "add", "times", "errors", "drop", "corrupt"];
    path.starts_with("faults.") && path.rsplit('.').next().is_some_and(|last| bad.contains(&last))
}

/// A value so many times as great: every duration in it; a rate, a share (up to all of it) or a count. `None` for what
/// cannot be scaled.
fn times(value: &str, factor: f64) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    let mut changed = false;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let in_word = out.ends_with(|c: char| c.is_ascii_alphabetic());
        match Span::parse(word) {
            Ok(span) if !in_word => {
                out += &format!("{}ns", (span.as_nanos() as f64 * factor).round());
                changed = true;
            }
            _ => out.push_str(word),
        }
        rest = after;
    }
    if changed {
        return Some(out + rest);
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let tidy = |number: f64| format!("{}", (number * 1e6).round() / 1e6);
    if let Some(percent) = value.strip_suffix('%') {
        return number(percent).map(|number| format!("{}%", tidy((number * factor).min(100.0))));
    }
    if let Some((rate, unit)) = value.split_once('/') {
        return number(rate).map(|number| format!("{}/{unit}", tidy(number * factor)));
    }
    let scaled = number(value)? * factor;
    Some(if value.contains('.') { tidy(scaled) } else { format!("{}", scaled.round().max(1.0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_file_are_scaled_in_their_own_words() {
        let table = [
            ("100/s", 1.2, Some("120/s")),
            ("6000/m", 0.8, Some("4800/m")),
            ("200", 1.2, Some("240")),
            ("5s", 0.5, Some("2500000000ns")),
            ("lognormal(10ms 80ms)", 2.0, Some("lognormal(20000000ns 160000000ns)")),
            ("erlang(4 10ms)", 0.5, Some("erlang(4 5000000ns)")),
            ("30%", 1.5, Some("45%")),
            ("80%", 1.5, Some("100%")),
            ("true", 2.0, None),
        ];
        for (value, factor, wanted) in table {
            assert_eq!(times(value, factor).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn loads_and_faults_are_told_from_all_else() {
        let loads =
            ["load.feed.rate", "load.0.stages.1.rate", "load.visitors.users", "load.feed.timeout", "services.a.rate"];
        assert_eq!(loads.map(is_load), [true, true, true, false, false]);
        let faults = ["faults.db-slow.latency", "faults.0.errors", "faults.x.at", "faults.x.for", "faults.x.times"];
        assert_eq!(faults.map(is_fault), [true, true, false, false, true]);
    }
}
