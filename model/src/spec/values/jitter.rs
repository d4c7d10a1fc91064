//! How a wait is spread.

use serde_json::{Value as Json, json};

use super::Share;
use crate::spec::decode::{Defs, Func, Scalar, Wrong, scalars};
use crate::spec::problem::did_you_mean;
use crate::spec::tree::shortened;

/// How a wait is spread.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Jitter {
    /// Not at all.
    None,
    /// From 0 to the wait.
    Full,
    /// From half the wait to the wait.
    Equal,
    /// From the first wait to three times the one before.
    Decorrelated,
    /// The wait times 1 ± this share (gRPC: 20 %).
    Proportional(f64),
    /// Up to this share of the wait is added, also beyond the cap (tower).
    Additive(f64),
    /// Up to this share of the wait is added, but not beyond the cap (Linkerd).
    AdditiveCapped(f64),
    /// Polly's own: ±25 %, or "decorrelated V2" for an exponential wait.
    Polly,
    /// resilience4j's own: ± this share, in whole milliseconds.
    Randomized(f64),
}

scalars!(Jitter);

const WORDS: [(&str, Jitter); 5] = [
    ("none", Jitter::None),
    ("full", Jitter::Full),
    ("equal", Jitter::Equal),
    ("decorrelated", Jitter::Decorrelated),
    ("polly", Jitter::Polly),
];
const FUNCTIONS: [&str; 4] = ["proportional(20%)", "additive(50%)", "additive_capped(100%)", "randomized(50%)"];

impl Scalar for Jitter {
    const NOUN: &'static str = "a jitter such as `full`";
    const KNOWS_NONE: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some((_, jitter)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*jitter);
        }
        let unknown = |name: &str| {
            let known: Vec<&str> = WORDS.iter().map(|(word, _)| *word).chain(FUNCTIONS).collect();
            Wrong::new(format!("`{}` is not a jitter", shortened(name)), did_you_mean(name, &known))
        };
        let func = Func::parse(text).ok_or_else(|| unknown(text))??;
        let named = FUNCTIONS.iter().find(|usage| usage.split('(').next() == Some(func.name));
        let usage = named.ok_or_else(|| unknown(func.name))?;
        func.arity(1..2, usage)?;
        let share = func.argument::<Share>(0)?.0;
        Ok(match func.name {
            "proportional" => Self::Proportional(share),
            "additive" => Self::Additive(share),
            "additive_capped" => Self::AdditiveCapped(share),
            _ => Self::Randomized(share),
        })
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Jitter", |_| {
            let words = WORDS.map(|(word, _)| word).join("|");
            json!({
                "type": "string",
                "pattern": format!("^({words}|(proportional|additive|additive_capped|randomized) ?\\(.+\\))$"),
                "examples": WORDS.iter().map(|(word, _)| *word).chain(FUNCTIONS).collect::<Vec<_>>(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jitter_is_a_word_or_a_share_of_one() {
        let table = [
            ("none", Ok(Jitter::None)),
            ("polly", Ok(Jitter::Polly)),
            ("proportional(20%)", Ok(Jitter::Proportional(0.2))),
            ("additive(0.5)", Ok(Jitter::Additive(0.5))),
            ("additive_capped(100%)", Ok(Jitter::AdditiveCapped(1.0))),
            ("randomized(50%)", Ok(Jitter::Randomized(0.5))),
            ("ful", Err("`ful` is not a jitter")),
            ("random(50%)", Err("`random` is not a jitter")),
            ("proportional()", Err("`proportional` with 0 arguments")),
        ];
        for (text, jitter) in table {
            assert_eq!(Jitter::parse(text).map_err(|wrong| wrong.what), jitter.map_err(str::to_owned), "{text}");
        }
    }
}
