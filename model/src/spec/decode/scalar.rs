//! Values that are one piece of text.

use core::ops::Range;
use serde_json::Value as Json;

use super::super::problem::did_you_mean;
use super::super::tree::{Node, shortened};
use super::{Cx, Decode, Defs, Problem};

/// A value that is one piece of text.
pub trait Scalar: Sized {
    /// What it is, for messages: `a duration`.
    const NOUN: &'static str;
    /// The word `none` is one of its values.
    const KNOWS_NONE: bool = false;

    /// Reads it.
    fn parse(text: &str) -> Result<Self, Wrong>;

    /// Its JSON Schema.
    fn schema(defs: &mut Defs) -> Json;
}

/// Why a text is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The part of the text that is wrong; the whole of it if none.
    pub part: Option<Range<usize>>,
    /// What is wrong.
    pub what: String,
    /// What is allowed.
    pub hint: String,
}

impl Wrong {
    /// `what` is wrong; `hint` mends it.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { part: None, what: what.into(), hint: hint.into() }
    }

    /// The same, of a part that starts at `start` and whose own parts count from there.
    #[must_use]
    pub fn within(mut self, part: Range<usize>) -> Self {
        let inner = self.part.take().unwrap_or(0..part.len());
        self.part = Some(part.start + inner.start..part.start + inner.end);
        self
    }

    /// As a problem of `node`.
    pub fn of(self, node: &Node) -> Problem {
        let at = self.part.map_or(node.at, |part| node.part(part));
        Problem::error(at, self.what).hint(self.hint)
    }
}

/// Reads a scalar from a node.
pub(crate) fn decode_scalar<T: Scalar>(node: &Node, cx: &mut Cx<'_>) -> Option<T> {
    let Some(text) = node.text().filter(|_| !node.is_null()) else {
        cx.expected(T::NOUN, node);
        return None;
    };
    T::parse(text).map_err(|wrong| cx.report(wrong.of(node))).ok()
}

/// Finds the word of `node` in `table`.
pub(crate) fn decode_word<T: Copy>(node: &Node, noun: &str, table: &[(&str, T)], cx: &mut Cx<'_>) -> Option<T> {
    let Some(text) = node.text().filter(|_| !node.is_null()) else {
        cx.expected(noun, node);
        return None;
    };
    if let Some((_, value)) = table.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let words: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
    let hint = match text.to_lowercase().as_str() {
        "on" | "off" | "yes" | "no" => {
            format!("older YAML readers take `{text}` for a boolean, so it is not used; known: {}", words.join(", "))
        }
        _ => did_you_mean(text, &words),
    };
    cx.report(Problem::error(node.at, format!("`{}` is not {noun}", shortened(text))).hint(hint));
    None
}

/// A plain decimal number: digits with at most one point. No sign, no exponent, no infinity, no NaN.
pub fn number(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let written = digits(whole) && digits(fraction) && text.len() <= 32;
    written.then(|| text.parse().ok()).flatten()
}

/// A hundredth of what [`number`] reads, rounded once: `99.9` is 0.999.
pub fn percent(text: &str) -> Option<f64> {
    number(text)?;
    format!("{text}e-2").parse().ok()
}

/// Lets scalars be decoded.
macro_rules! scalars {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::spec::decode::Decode for $type {
            const NOUN: &'static str = <Self as $crate::spec::decode::Scalar>::NOUN;
            const KNOWS_NONE: bool = <Self as $crate::spec::decode::Scalar>::KNOWS_NONE;

            fn decode(node: &$crate::spec::tree::Node, cx: &mut $crate::spec::decode::Cx<'_>) -> Option<Self> {
                $crate::spec::decode::decode_scalar(node, cx)
            }

            fn schema(defs: &mut $crate::spec::decode::Defs) -> serde_json::Value {
                <Self as $crate::spec::decode::Scalar>::schema(defs)
            }
        }
    )*};
}
pub(crate) use scalars;

impl Decode for bool {
    const NOUN: &'static str = "true or false";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        decode_word(node, Self::NOUN, &[("true", true), ("false", false)], cx)
    }

    fn schema(_: &mut Defs) -> Json {
        serde_json::json!({ "type": "boolean" })
    }
}

impl Decode for String {
    const NOUN: &'static str = "a text";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = node.text().filter(|_| !node.is_null()).map(str::to_owned);
        if text.is_none() {
            cx.expected(Self::NOUN, node);
        }
        text
    }

    fn schema(_: &mut Defs) -> Json {
        serde_json::json!({ "type": ["string", "number"] })
    }
}
