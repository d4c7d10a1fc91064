//! From the tree to types: a few traits and tables, so that an element's file reads like the format it describes, and
//! the format's schema comes from the very same tables. Every error is collected; none stops the rest. Knows nothing of
//! topologies.

mod collections;
mod fields;
mod func;
mod macros;
mod scalar;
mod schema;

use serde_json::Value as Json;

pub use collections::{Named, OneOrMany};
pub(crate) use fields::single_entry;
pub use fields::{Fields, Object, Properties};
pub use func::{Argument, Func};
pub(crate) use macros::{element, kinds, one_of, words};
pub use scalar::{Scalar, Wrong, number, percent};
pub(crate) use scalar::{decode_scalar, decode_word, scalars};
pub use schema::Defs;
pub(crate) use schema::{any_of, or_none};

use super::tree::{Kind, Node};
use super::{At, Problem, Spanned};

/// Something that can be read from a node.
pub trait Decode: Sized {
    /// What it is, for messages: `a duration`.
    const NOUN: &'static str;

    /// The word `none` means something to it. For all others, where they may be left out, it means that.
    const KNOWS_NONE: bool = false;

    /// Reads it; reports what is wrong and gives `None` if there is nothing to go on with.
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self>;

    /// Its JSON Schema.
    fn schema(defs: &mut Defs) -> Json;
}

/// More problems than this nobody reads.
const MOST_PROBLEMS: usize = 1000;

/// What decoding needs and what it leaves behind.
pub struct Cx<'a> {
    /// Everything wrong so far.
    pub problems: Vec<Problem>,
    files: &'a dyn Fn(&str) -> Result<String, String>,
}

impl<'a> Cx<'a> {
    /// A fresh one. `files` gives the text of a file that the topology names, or says why it cannot.
    pub fn new(files: &'a dyn Fn(&str) -> Result<String, String>) -> Self {
        Self { problems: Vec::new(), files }
    }

    /// Notes a problem; after very many only that there are more.
    pub fn report(&mut self, problem: Problem) {
        match self.problems.len() {
            MOST_PROBLEMS => self.problems.push(Problem::error(problem.at, "the rest is not looked at")),
            count if count < MOST_PROBLEMS => self.problems.push(problem),
            _ => {}
        }
    }

    /// Whether there are so many problems that looking on is no use.
    pub fn is_full(&self) -> bool {
        self.problems.len() > MOST_PROBLEMS
    }

    /// Notes that `node` is not `noun`.
    pub fn expected(&mut self, noun: &str, node: &Node) {
        if !matches!(node.kind, Kind::Broken) {
            self.report(Problem::error(node.at, format!("expected {noun}, found {}", node.shown())));
        }
    }

    /// The text of the file `name`, named at `at`.
    pub fn file(&mut self, name: &str, at: At) -> Option<String> {
        match (self.files)(name) {
            Ok(text) => Some(text),
            Err(why) => {
                let hint = "the path is relative to the topology's file";
                self.report(Problem::error(at, format!("cannot read `{name}`: {why}")).hint(hint));
                None
            }
        }
    }
}

impl<T: Decode> Decode for Spanned<T> {
    const NOUN: &'static str = T::NOUN;
    const KNOWS_NONE: bool = T::KNOWS_NONE;

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        Some(Self::new(T::decode(node, cx)?, node.at))
    }

    fn schema(defs: &mut Defs) -> Json {
        T::schema(defs)
    }
}

/// What may be left out; `none` says so where a default would say otherwise.
impl<T: Decode> Decode for Option<T> {
    const NOUN: &'static str = T::NOUN;

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.text() {
            Some("none") if !T::KNOWS_NONE => Some(None),
            _ => T::decode(node, cx).map(Some),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let inner = T::schema(defs);
        if T::KNOWS_NONE { inner } else { or_none(inner) }
    }
}

impl<T: Decode> Decode for Box<T> {
    const NOUN: &'static str = T::NOUN;
    const KNOWS_NONE: bool = T::KNOWS_NONE;

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        T::decode(node, cx).map(Self::new)
    }

    fn schema(defs: &mut Defs) -> Json {
        T::schema(defs)
    }
}
