//! Time that varies: a plain duration, or one of nine functions. Says what is drawn, not how.

use serde_json::{Value as Json, json};

use crate::Span;
use crate::spec::At;
use crate::spec::decode::{Cx, Decode, Defs, Func, Scalar, Wrong, any_of, percent};
use crate::spec::problem::did_you_mean;
use crate::spec::tree::{Node, shortened};

/// Time that varies.
#[derive(Clone, PartialEq, Debug)]
pub enum Dist {
    /// Always the same.
    Constant(Span),
    /// Every value between the two is as likely.
    Uniform {
        /// Least.
        low: Span,
        /// Most.
        high: Span,
    },
    /// Memoryless.
    Exponential {
        /// Mean.
        mean: Span,
    },
    /// Bell-shaped, cut at 0.
    Normal {
        /// Mean before the cut.
        mean: Span,
        /// Standard deviation.
        deviation: Span,
    },
    /// The logarithm is normal.
    Lognormal {
        /// Median.
        p50: Span,
        /// 99 % are below.
        p99: Span,
    },
    /// A heavy tail.
    Pareto {
        /// Least.
        minimum: Span,
        /// The smaller, the heavier; no mean at 1 or below.
        alpha: f64,
    },
    /// The sum of `shape` equal exponential stages.
    Erlang {
        /// Number of stages.
        shape: u32,
        /// Mean of the sum.
        mean: Span,
    },
    /// One of two values.
    Bimodal {
        /// The usual one.
        usual: Span,
        /// The rare one.
        rare: Span,
        /// Share of the rare one.
        share: f64,
    },
    /// Interpolated between known percentiles.
    Percentiles(Vec<(f64, Span)>),
    /// Drawn from samples.
    Empirical(Samples),
}

/// Samples from a file.
#[derive(Clone, PartialEq, Debug)]
pub struct Samples {
    /// The file, as written.
    pub path: String,
    /// Its durations, in order.
    pub values: Vec<Span>,
}

impl Dist {
    /// No shorter time is drawn.
    pub fn least(&self) -> Span {
        match self {
            Self::Constant(span) | Self::Uniform { low: span, .. } | Self::Pareto { minimum: span, .. } => *span,
            Self::Bimodal { usual, rare, .. } => *usual.min(rare),
            Self::Empirical(samples) => samples.values.iter().min().copied().unwrap_or(Span::ZERO),
            Self::Exponential { .. }
            | Self::Normal { .. }
            | Self::Lognormal { .. }
            | Self::Erlang { .. }
            | Self::Percentiles(_) => Span::ZERO,
        }
    }
}

/// How each is written, for messages.
const USAGE: [(&str, &str); 9] = [
    ("uniform", "uniform(5ms 15ms)"),
    ("exponential", "exponential(10ms)"),
    ("normal", "normal(10ms 2ms)"),
    ("lognormal", "lognormal(10ms 80ms)"),
    ("pareto", "pareto(5ms 1.5)"),
    ("erlang", "erlang(4 10ms)"),
    ("bimodal", "bimodal(10ms 5s 0.1%)"),
    ("percentiles", "percentiles(p50=20ms p90=50ms p99=200ms)"),
    ("empirical", "empirical(samples.csv)"),
];

impl Decode for Dist {
    const NOUN: &'static str = "a duration such as `10ms`, or a function such as `exponential(10ms)`";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(text) = node.text().filter(|_| !node.is_null()) else {
            cx.expected(Self::NOUN, node);
            return None;
        };
        match parse(text) {
            Ok(Self::Empirical(samples)) => {
                let at = node.at;
                let values = read_samples(&samples.path, at, cx)?;
                Some(Self::Empirical(Samples { values, ..samples }))
            }
            Ok(dist) => Some(dist),
            Err(wrong) => {
                cx.report(wrong.of(node));
                None
            }
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let constant = <Span as Scalar>::schema(defs);
        defs.part("Time", |_| {
            let names = USAGE.map(|(name, _)| name).join("|");
            let function = json!({
                "type": "string", "pattern": format!("^({names}) ?\\(.+\\)$"), "examples": USAGE.map(|(_, usage)| usage),
            });
            any_of([constant, function])
        })
    }
}

/// Reads all but the samples of `empirical`.
fn parse(text: &str) -> Result<Dist, Wrong> {
    let Some(func) = Func::parse(text) else {
        return Span::parse(text).map(Dist::Constant);
    };
    let func = func?;
    let Some((name, usage)) = USAGE.iter().find(|(name, _)| *name == func.name) else {
        let what = format!("`{}` is not a way for time to vary", shortened(func.name));
        return Err(Wrong::new(what, did_you_mean(func.name, &USAGE.map(|(name, _)| name))));
    };
    let arity = |count: usize| func.arity(count..count + 1, usage);
    match *name {
        "uniform" => {
            arity(2)?;
            let (low, high) = (func.argument(0)?, func.argument(1)?);
            in_order(low, high, text)?;
            Ok(Dist::Uniform { low, high })
        }
        "exponential" => {
            arity(1)?;
            Ok(Dist::Exponential { mean: func.argument(0)? })
        }
        "normal" => {
            arity(2)?;
            Ok(Dist::Normal { mean: func.argument(0)?, deviation: func.argument(1)? })
        }
        "lognormal" => {
            arity(2)?;
            let (p50, p99) = (func.argument(0)?, func.argument(1)?);
            in_order(p50, p99, text)?;
            if p50 == Span::ZERO {
                return Err(Wrong::new(format!("`{text}` has a median of 0"), "the median of a lognormal is above 0"));
            }
            Ok(Dist::Lognormal { p50, p99 })
        }
        "pareto" => {
            arity(2)?;
            let alpha: f64 = func.argument(1)?;
            if alpha > 0.0 && alpha <= 1000.0 {
                Ok(Dist::Pareto { minimum: func.argument(0)?, alpha })
            } else {
                Err(Wrong::new(format!("`{text}` has an impossible alpha"), "alpha is above 0, at most 1000"))
            }
        }
        "erlang" => {
            arity(2)?;
            let shape: u32 = func.argument(0)?;
            match shape {
                1..=1000 => Ok(Dist::Erlang { shape, mean: func.argument(1)? }),
                _ => Err(Wrong::new(format!("`{text}` has an impossible shape"), "the shape is from 1 to 1000")),
            }
        }
        "bimodal" => {
            arity(3)?;
            let share: super::Share = func.argument(2)?;
            Ok(Dist::Bimodal { usual: func.argument(0)?, rare: func.argument(1)?, share: share.0 })
        }
        "percentiles" => percentiles(&func, usage).map(Dist::Percentiles),
        _ => {
            arity(1)?;
            let path = func.arguments.first().map_or("", |argument| argument.text).to_owned();
            Ok(Dist::Empirical(Samples { path, values: Vec::new() }))
        }
    }
}

fn in_order(low: Span, high: Span, text: &str) -> Result<(), Wrong> {
    if low <= high {
        Ok(())
    } else {
        Err(Wrong::new(format!("in `{text}` {low} is more than {high}"), "the smaller one comes first"))
    }
}

/// `p50=20ms p99.9=1s`: rising in both.
fn percentiles(func: &Func<'_>, usage: &str) -> Result<Vec<(f64, Span)>, Wrong> {
    let hint = format!("write `{usage}`");
    let mut known: Vec<(f64, Span)> = Vec::new();
    for argument in &func.arguments {
        let wrong = |what: String| Wrong::new(what, hint.clone()).within(argument.place.clone());
        let key = argument.key.unwrap_or_default();
        let found = key.strip_prefix('p').and_then(share).filter(|&share| share <= 1.0);
        let share = found.ok_or_else(|| wrong(format!("`{key}` is not a percentile")))?;
        let value = Span::parse(argument.text).map_err(|inner| inner.within(argument.place.clone()))?;
        if known.last().is_some_and(|&(before, least)| share <= before || value < least) {
            return Err(wrong(format!("`{key}={}` does not rise", argument.text)));
        }
        known.push((share, value));
    }
    if known.is_empty() { Err(Wrong::new("no percentile is given", hint)) } else { Ok(known) }
}

/// The share that follows a `p`: 0.5 for `50`, and 0.999 for both `999` and `99.9`.
fn share(digits: &str) -> Option<f64> {
    if digits.len() > 2 && digits.starts_with("99") && !digits.contains('.') {
        percent(&format!("{}.{}", &digits[..2], &digits[2..]))
    } else {
        percent(digits)
    }
}

/// One duration a line; empty lines and those that begin with `#` are skipped.
pub(crate) fn read_samples(path: &str, at: At, cx: &mut Cx<'_>) -> Option<Vec<Span>> {
    let text = cx.file(path, at)?;
    let mut values = Vec::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        match Span::parse(line) {
            Ok(value) => values.push(value),
            Err(wrong) => {
                let what = format!("{path}, line {}: {}", index + 1, wrong.what);
                cx.report(crate::spec::Problem::error(at, what).hint("the file holds one duration a line"));
                return None;
            }
        }
    }
    if values.is_empty() {
        cx.report(
            crate::spec::Problem::error(at, format!("{path} is empty")).hint("the file holds one duration a line"),
        );
        return None;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Span {
        Span::from_millis(ms)
    }

    #[test]
    fn every_kind_is_read_with_spaces_or_commas() {
        let table = [
            ("10ms", Dist::Constant(ms(10))),
            ("uniform(5ms 15ms)", Dist::Uniform { low: ms(5), high: ms(15) }),
            ("uniform(5ms, 15ms)", Dist::Uniform { low: ms(5), high: ms(15) }),
            ("exponential(10ms)", Dist::Exponential { mean: ms(10) }),
            ("normal(10ms 2ms)", Dist::Normal { mean: ms(10), deviation: ms(2) }),
            ("lognormal(10ms 80ms)", Dist::Lognormal { p50: ms(10), p99: ms(80) }),
            ("pareto(5ms 1.5)", Dist::Pareto { minimum: ms(5), alpha: 1.5 }),
            ("erlang(4 10ms)", Dist::Erlang { shape: 4, mean: ms(10) }),
            ("bimodal(10ms 5s 0.1%)", Dist::Bimodal { usual: ms(10), rare: ms(5000), share: 0.001 }),
            (
                "percentiles(p50=20ms p90=50ms p99=200ms p999=1s)",
                Dist::Percentiles(vec![(0.5, ms(20)), (0.9, ms(50)), (0.99, ms(200)), (0.999, ms(1000))]),
            ),
            ("empirical(samples.csv)", Dist::Empirical(Samples { path: "samples.csv".into(), values: vec![] })),
        ];
        for (text, dist) in table {
            assert_eq!(parse(text), Ok(dist), "{text}");
        }
    }

    #[test]
    fn a_wrong_one_is_refused_with_the_part_that_is_wrong() {
        let table = [
            ("exponental(10ms)", "`exponental` is not a way for time to vary", None),
            ("exponential(10)", "`10` has no unit", Some(12..14)),
            ("exponential(10ms 5ms)", "`exponential` with 2 arguments", Some(0..21)),
            ("exponential(10ms", "`exponential(10ms` has no closing `)`", None),
            ("uniform(15ms 5ms)", "in `uniform(15ms 5ms)` 15ms is more than 5ms", None),
            ("pareto(5ms 0)", "`pareto(5ms 0)` has an impossible alpha", None),
            ("erlang(0 5ms)", "`erlang(0 5ms)` has an impossible shape", None),
            ("bimodal(10ms 5s 130%)", "`130%` is more than all", Some(16..20)),
            ("percentiles(p50=20ms p90=10ms)", "`p90=10ms` does not rise", Some(25..29)),
            ("percentiles(20ms)", "`` is not a percentile", Some(12..16)),
            ("normal(mean=1ms 2ms)", "`normal` takes no named arguments", Some(12..15)),
        ];
        for (text, what, part) in table {
            let wrong = parse(text).unwrap_err();
            assert_eq!((wrong.what.as_str(), wrong.part), (what, part), "{text}");
        }
    }
}
