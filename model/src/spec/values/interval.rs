//! Back-off, open time and windows: values of policies that are a duration, a count or a function of those.

use serde_json::{Value as Json, json};

use crate::Span;
use crate::spec::decode::{Defs, Func, Scalar, Wrong, any_of, scalars};
use crate::spec::problem::did_you_mean;
use crate::spec::tree::shortened;
use crate::spec::values::Jitter;

/// How long to wait before the k-th retry; k counts from 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Backoff {
    /// Not at all.
    None,
    /// Always the same.
    Constant(Span),
    /// `step` · (k + 1), at most `cap`.
    Linear {
        /// The first wait, and what each next one adds.
        step: Span,
        /// The longest wait before jitter.
        cap: Span,
    },
    /// `base` · `factor`ᵏ, at most `cap`.
    Exponential {
        /// The first wait.
        base: Span,
        /// What each next one is multiplied by.
        factor: f64,
        /// The longest wait before jitter.
        cap: Span,
    },
    /// resilience4j's intervals, in whole milliseconds: constant, or multiplied and cut off each time.
    Resilience4j {
        /// The first wait.
        initial: Span,
        /// What each next one is multiplied by; `None` for a constant wait.
        multiplier: Option<f64>,
        /// The longest wait.
        cap: Span,
    },
    /// Polly's constant wait.
    PollyConstant {
        /// The wait.
        delay: Span,
        /// The longest wait, jitter included.
        cap: Span,
    },
    /// Polly's linear wait: d · (k + 1).
    PollyLinear {
        /// The first wait.
        delay: Span,
        /// The longest wait, jitter included.
        cap: Span,
    },
    /// Polly's exponential wait: d · 2ᵏ.
    PollyExponential {
        /// The first wait.
        delay: Span,
        /// The longest wait, jitter included.
        cap: Span,
    },
    /// Envoy's: U[0, base · 2ᵏ) in whole milliseconds.
    Envoy {
        /// The bound of the first wait.
        base: Span,
        /// The longest bound.
        cap: Span,
    },
}

/// How long a request may wait in a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// So long.
    Fixed(Span),
    /// `short` once the queue has not been empty for `long`, else `long` (Facebook, "Fail at Scale").
    Controlled {
        /// M.
        short: Span,
        /// N.
        long: Span,
    },
}

/// When the next attempt of a hedged call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HedgeAfter {
    /// So long after the one before.
    Time(Span),
    /// When one has failed, and not before.
    Failure,
}

/// How long whoever is turned away is to stay away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StayAway {
    /// So long.
    Time(Span),
    /// For good: it is not to try again (gRPC's pushback that is negative).
    ForGood,
}

/// How long a breaker stays open.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum OpenFor {
    /// Always the same.
    Constant(Span),
    /// Drawn anew each time: the middle, and the share it varies by to either side.
    Randomized {
        /// The middle.
        around: Span,
        /// The share it varies by.
        factor: f64,
    },
    /// Longer each time it opens again without having closed.
    Exponential {
        /// The first time.
        base: Span,
        /// What each next one is multiplied by.
        factor: f64,
        /// The longest.
        cap: Span,
    },
}

/// What a breaker looks back on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The last so many calls.
    Calls(u32),
    /// The calls of the last so much time.
    Time(Span),
}

scalars!(Backoff, HedgeAfter, OpenFor, Patience, StayAway, Window);

const USAGE: [(&str, &str); 9] = [
    ("none", "none"),
    ("constant", "constant(50ms)"),
    ("linear", "linear(50ms 1s)"),
    ("exponential", "exponential(50ms 2 1s)"),
    ("resilience4j", "resilience4j(500ms 1.5 5s)"),
    ("polly_constant", "polly_constant(2s)"),
    ("polly_linear", "polly_linear(2s 30s)"),
    ("polly_exponential", "polly_exponential(2s 30s)"),
    ("envoy", "envoy(25ms 250ms)"),
];

impl Backoff {
    /// Whether this jitter can spread it: the libraries' own waits take their own libraries' jitter alone.
    pub fn takes(self, jitter: Jitter) -> bool {
        match self {
            Self::None => true,
            Self::Constant(_) | Self::Linear { .. } | Self::Exponential { .. } => {
                !matches!(jitter, Jitter::Polly | Jitter::Randomized(_))
            }
            Self::Resilience4j { .. } => matches!(jitter, Jitter::None | Jitter::Randomized(_)),
            Self::PollyConstant { .. } | Self::PollyLinear { .. } | Self::PollyExponential { .. } => {
                matches!(jitter, Jitter::None | Jitter::Polly)
            }
            Self::Envoy { .. } => jitter == Jitter::None,
        }
    }
}

impl Scalar for Backoff {
    const NOUN: &'static str = "a back-off such as `exponential(50ms 2 1s)`";
    const KNOWS_NONE: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text == "none" {
            return Ok(Self::None);
        }
        let known = USAGE.map(|(_, usage)| usage).join(", ");
        let Some(func) = Func::parse(text) else {
            let what = format!("`{}` is not a back-off", shortened(text));
            return Err(Wrong::new(what, format!("write one of {known}")));
        };
        let func = func?;
        match func.name {
            "constant" => {
                func.arity(1..2, USAGE[1].1)?;
                func.argument(0).map(Self::Constant)
            }
            "linear" => {
                func.arity(1..3, USAGE[2].1)?;
                Ok(Self::Linear { step: func.argument(0)?, cap: func.argument_or(1, Span::MAX)? })
            }
            "exponential" => {
                let (base, factor, cap) = exponential(&func)?;
                Ok(Self::Exponential { base, factor, cap })
            }
            "resilience4j" => {
                func.arity(1..4, USAGE[4].1)?;
                let multiplier = if func.arguments.len() > 1 { Some(growth(func.argument(1)?)?) } else { None };
                Ok(Self::Resilience4j { initial: func.argument(0)?, multiplier, cap: func.argument_or(2, Span::MAX)? })
            }
            "polly_constant" => {
                let (delay, cap) = span_and_cap(&func, USAGE[5].1)?;
                Ok(Self::PollyConstant { delay, cap })
            }
            "polly_linear" => {
                let (delay, cap) = span_and_cap(&func, USAGE[6].1)?;
                Ok(Self::PollyLinear { delay, cap })
            }
            "polly_exponential" => {
                let (delay, cap) = span_and_cap(&func, USAGE[7].1)?;
                Ok(Self::PollyExponential { delay, cap })
            }
            "envoy" => {
                func.arity(1..3, USAGE[8].1)?;
                let base: Span = func.argument(0)?;
                Ok(Self::Envoy { base, cap: func.argument_or(1, base * 10)? })
            }
            name => {
                let what = format!("`{}` is not a back-off", shortened(name));
                Err(Wrong::new(what, did_you_mean(name, &USAGE.map(|(name, _)| name))))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Backoff", |_| {
            json!({
                "type": "string",
                "pattern": "^(none|(constant|linear|exponential|resilience4j|polly_(constant|linear|exponential)|envoy) ?\\(.+\\))$",
                "examples": USAGE.map(|(_, usage)| usage),
            })
        })
    }
}

/// `exponential(base factor cap)`; the factor is 2 and the cap absent if they are not given.
fn exponential(func: &Func<'_>) -> Result<(Span, f64, Span), Wrong> {
    func.arity(1..4, USAGE[3].1)?;
    let factor = growth(func.argument_or(1, 2.0)?)?;
    Ok((func.argument(0)?, factor, func.argument_or(2, Span::MAX)?))
}

fn growth(factor: f64) -> Result<f64, Wrong> {
    if (1.0..=1000.0).contains(&factor) {
        return Ok(factor);
    }
    Err(Wrong::new(format!("a factor of {factor} does not grow"), "the factor is from 1 to 1000"))
}

/// A wait, and a cap that is absent if it is not given.
fn span_and_cap(func: &Func<'_>, usage: &str) -> Result<(Span, Span), Wrong> {
    func.arity(1..3, usage)?;
    Ok((func.argument(0)?, func.argument_or(1, Span::MAX)?))
}

impl Scalar for Patience {
    const NOUN: &'static str = "a duration such as `1s`, or `controlled(5ms 100ms)`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(func) = Func::parse(text) else {
            return Span::parse(text).map(Self::Fixed);
        };
        let func = func?;
        if func.name != "controlled" {
            let what = format!("`{}` is not a way to wait", shortened(func.name));
            return Err(Wrong::new(what, "write a duration or `controlled(5ms 100ms)`"));
        }
        func.arity(2..3, "controlled(5ms 100ms)")?;
        let (short, long) = (func.argument(0)?, func.argument(1)?);
        if short > long {
            return Err(Wrong::new("the short wait is longer than the long one", "write `controlled(5ms 100ms)`"));
        }
        Ok(Self::Controlled { short, long })
    }

    fn schema(defs: &mut Defs) -> Json {
        let fixed = <Span as Scalar>::schema(defs);
        any_of([fixed, json!({ "type": "string", "pattern": "^controlled ?\\(.+\\)$" })])
    }
}

impl Scalar for HedgeAfter {
    const NOUN: &'static str = "a duration such as `100ms`, or `failure`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        time_or(text, ("failure", Self::Failure), Self::Time)
    }

    fn schema(defs: &mut Defs) -> Json {
        any_of([<Span as Scalar>::schema(defs), json!({ "const": "failure" })])
    }
}

impl Scalar for StayAway {
    const NOUN: &'static str = "a duration such as `2s`, or `for_good`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        time_or(text, ("for_good", Self::ForGood), Self::Time)
    }

    fn schema(defs: &mut Defs) -> Json {
        any_of([<Span as Scalar>::schema(defs), json!({ "const": "for_good" })])
    }
}

/// A duration, or the word that stands for none.
fn time_or<T>(text: &str, (word, meant): (&str, T), time: fn(Span) -> T) -> Result<T, Wrong> {
    if text == word {
        return Ok(meant);
    }
    Span::parse(text).map(time).map_err(|wrong| Wrong::new(wrong.what, format!("{}, or `{word}`", wrong.hint)))
}

impl Scalar for OpenFor {
    const NOUN: &'static str = "a duration such as `5s`, `exponential(1s 2 30s)` or `randomized(5s 0.5)`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(func) = Func::parse(text) else {
            return Span::parse(text).map(Self::Constant);
        };
        let func = func?;
        match func.name {
            "exponential" => {
                let (base, factor, cap) = exponential(&func)?;
                Ok(Self::Exponential { base, factor, cap })
            }
            "randomized" => {
                func.arity(1..3, "randomized(5s 0.5)")?;
                let factor = func.argument_or(1, 0.5)?;
                if !(0.0..1.0).contains(&factor) {
                    return Err(Wrong::new(format!("a share of {factor}"), "from 0 to less than 1"));
                }
                Ok(Self::Randomized { around: func.argument(0)?, factor })
            }
            name => {
                let what = format!("`{}` is not a way to stay open", shortened(name));
                Err(Wrong::new(what, "write a duration, `exponential(1s 2 30s)` or `randomized(5s 0.5)`"))
            }
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let constant = <Span as Scalar>::schema(defs);
        any_of([constant, json!({ "type": "string", "pattern": "^(exponential|randomized) ?\\(.+\\)$" })])
    }
}

impl Scalar for Window {
    const NOUN: &'static str = "a number of calls such as `100`, or a duration such as `10s`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            u32::parse(text).map(Self::Calls)
        } else {
            Span::parse(text).map(Self::Time)
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let time = <Span as Scalar>::schema(defs);
        any_of([json!({ "type": "integer", "minimum": 1 }), time])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_is_a_word_or_a_function() {
        let (d50, s1) = (Span::from_millis(50), Span::from_secs(1));
        let table = [
            ("none", Ok(Backoff::None)),
            ("constant(50ms)", Ok(Backoff::Constant(d50))),
            ("linear(50ms 1s)", Ok(Backoff::Linear { step: d50, cap: s1 })),
            ("linear(50ms)", Ok(Backoff::Linear { step: d50, cap: Span::MAX })),
            ("exponential(50ms 2 1s)", Ok(Backoff::Exponential { base: d50, factor: 2.0, cap: s1 })),
            ("exponential(50ms, 1.5, 1s)", Ok(Backoff::Exponential { base: d50, factor: 1.5, cap: s1 })),
            (
                "resilience4j(500ms)",
                Ok(Backoff::Resilience4j { initial: Span::from_millis(500), multiplier: None, cap: Span::MAX }),
            ),
            (
                "resilience4j(500ms 1.5 1s)",
                Ok(Backoff::Resilience4j { initial: Span::from_millis(500), multiplier: Some(1.5), cap: s1 }),
            ),
            ("polly_constant(1s)", Ok(Backoff::PollyConstant { delay: s1, cap: Span::MAX })),
            ("polly_linear(50ms 1s)", Ok(Backoff::PollyLinear { delay: d50, cap: s1 })),
            ("polly_exponential(50ms 1s)", Ok(Backoff::PollyExponential { delay: d50, cap: s1 })),
            ("envoy(50ms)", Ok(Backoff::Envoy { base: d50, cap: Span::from_millis(500) })),
            ("exponential(50ms)", Ok(Backoff::Exponential { base: d50, factor: 2.0, cap: Span::MAX })),
            ("50ms", Err("`50ms` is not a back-off")),
            ("expo(50ms)", Err("`expo` is not a back-off")),
            ("exponential(50ms 0.5)", Err("a factor of 0.5 does not grow")),
            ("constant()", Err("`constant` with 0 arguments")),
        ];
        for (text, backoff) in table {
            assert_eq!(Backoff::parse(text).map_err(|wrong| wrong.what), backoff.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn an_open_breaker_waits_always_as_long_or_longer_each_time_or_by_chance() {
        let s = Span::from_secs;
        let table = [
            ("5s", Ok(OpenFor::Constant(s(5)))),
            ("exponential(1s 2 30s)", Ok(OpenFor::Exponential { base: s(1), factor: 2.0, cap: s(30) })),
            ("randomized(5s 0.2)", Ok(OpenFor::Randomized { around: s(5), factor: 0.2 })),
            ("randomized(5s)", Ok(OpenFor::Randomized { around: s(5), factor: 0.5 })),
            ("randomized(5s 1)", Err("a share of 1")),
            ("linear(5s)", Err("`linear` is not a way to stay open")),
        ];
        for (text, open_for) in table {
            assert_eq!(OpenFor::parse(text).map_err(|wrong| wrong.what), open_for.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_hedge_waits_for_a_time_or_a_failure_and_who_is_turned_away_stays_for_a_time_or_for_good() {
        assert_eq!(HedgeAfter::parse("failure"), Ok(HedgeAfter::Failure));
        assert_eq!(HedgeAfter::parse("0s"), Ok(HedgeAfter::Time(Span::ZERO)));
        assert!(HedgeAfter::parse("never").unwrap_err().hint.contains("`failure`"));
        assert_eq!(StayAway::parse("for_good"), Ok(StayAway::ForGood));
        assert_eq!(StayAway::parse("2s"), Ok(StayAway::Time(Span::from_secs(2))));
        assert!(StayAway::parse("2").unwrap_err().hint.contains("`for_good`"));
    }

    #[test]
    fn a_window_counts_calls_or_time() {
        assert_eq!(Window::parse("100"), Ok(Window::Calls(100)));
        assert_eq!(Window::parse("10s"), Ok(Window::Time(Span::from_secs(10))));
        assert!(Window::parse("10x").is_err());
    }
}
