//! What must hold: one sentence a line, as a tree with positions. Whether its names exist is for the checks.

mod lexer;
mod metric;
pub(super) mod parser;

pub use metric::{Metric, Resource, Unit};

use super::decode::{Cx, Decode, Defs};
use super::tree::Node;
use super::{At, Spanned};
use crate::Span;

/// One sentence that must hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// As written.
    pub text: String,
    /// Where.
    pub at: At,
    /// What it says.
    pub sentence: Sentence,
}

/// What an expectation says.
#[derive(Clone, PartialEq, Debug)]
pub enum Sentence {
    /// `feed p99 < 300ms in healthy`
    Compare {
        /// Of what.
        subject: Spanned<Subject>,
        /// Which figure.
        metric: Spanned<Metric>,
        /// How.
        op: Op,
        /// With what: nanoseconds, a share, a rate per second, bytes or a number, as the metric's [`Unit`] says.
        value: Spanned<f64>,
        /// When; the whole run if it does not say.
        phase: Option<PhaseRef>,
    },
    /// `order -> inventory breaker opens within 2s of db-slow`
    Breaker {
        /// Of which call.
        subject: Spanned<Subject>,
        /// What it does.
        change: BreakerChange,
        /// How soon, and after what.
        within: Within,
    },
    /// `order workers saturate within 1s of db-slow`
    Saturate {
        /// Of what.
        subject: Spanned<Subject>,
        /// What of it is all in use.
        resource: Spanned<Resource>,
        /// How soon, and after what.
        within: Within,
    },
    /// `system recovers within 10s after db-slow`
    Recover {
        /// Who.
        subject: Spanned<Subject>,
        /// How soon, and after what.
        within: Within,
    },
}

/// What an expectation is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Subject {
    /// All load together.
    System,
    /// A load, service, database, cache or topic.
    Name(Spanned<String>),
    /// `service.endpoint`, or `load.task`.
    Member {
        /// The service or load.
        of: Spanned<String>,
        /// The endpoint or task.
        member: Spanned<String>,
    },
    /// `a -> b`: a call.
    Call {
        /// The caller.
        from: Spanned<String>,
        /// The callee.
        to: Spanned<String>,
    },
}

/// How a figure is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Op {
    /// Whether it holds of `actual` and `wanted`. Nothing holds of NaN.
    pub fn holds(self, actual: f64, wanted: f64) -> bool {
        match self {
            Self::Less => actual < wanted,
            Self::AtMost => actual <= wanted,
            Self::More => actual > wanted,
            Self::AtLeast => actual >= wanted,
            Self::Equal => actual == wanted,
            Self::Unequal => actual != wanted,
        }
    }
}

/// A stretch of the run.
#[derive(Clone, PartialEq, Debug)]
pub enum PhaseRef {
    /// A phase or a fault.
    During(Spanned<String>),
    /// From the beginning to its start.
    Before(Spanned<String>),
    /// From its end on.
    After(Spanned<String>),
}

impl PhaseRef {
    /// The phase or fault that it names.
    pub const fn name(&self) -> &Spanned<String> {
        match self {
            Self::During(name) | Self::Before(name) | Self::After(name) => name,
        }
    }
}

/// What a breaker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerChange {
    /// Stops letting calls through.
    Opens,
    /// Lets them through again.
    Closes,
}

/// `within 2s of db-slow`, or `within 10s after db-slow`.
#[derive(Clone, PartialEq, Debug)]
pub struct Within {
    /// How soon.
    pub limit: Spanned<Span>,
    /// Counted from its end (`after`) instead of its start (`of`).
    pub after_end: bool,
    /// The phase or fault.
    pub of: Spanned<String>,
}

impl Decode for Expectation {
    const NOUN: &'static str = "an expectation such as `feed p99 < 300ms`";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(text) = node.text().filter(|_| !node.is_null()) else {
            cx.expected(Self::NOUN, node);
            return None;
        };
        match parser::parse(text, node) {
            Ok(sentence) => Some(Self { text: text.to_owned(), at: node.at, sentence }),
            Err(wrong) => {
                cx.report(wrong.of(node));
                None
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        serde_json::json!({ "type": "string" })
    }
}
