//! Lists, and mappings from names that the author chooses.

use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

use super::super::problem::did_you_mean;
use super::super::tree::{Kind, Node, shortened};
use super::{Cx, Decode, Defs, Problem, Spanned};

/// Things by name, in the order of the file.
#[derive(Clone, PartialEq, Debug)]
pub struct Named<T> {
    things: Vec<(Spanned<String>, T)>,
    index: BTreeMap<String, usize>,
    /// The names of what could not be read.
    lost: Vec<String>,
    /// Whether nothing of it could be.
    all_lost: bool,
}

impl<T> Named<T> {
    /// Whether there is, or may be, something called `name` that could not be read.
    pub fn has_lost(&self, name: &str) -> bool {
        self.all_lost || self.lost.iter().any(|lost| lost == name)
    }

    /// The thing called `name`.
    pub fn find(&self, name: &str) -> Option<&T> {
        self.position(name).map(|at| &self.things[at].1)
    }

    /// Where in the order `name` comes.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Names and things, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Spanned<String>, &T)> {
        self.things.iter().map(|(name, thing)| (name, thing))
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.things.iter().map(|(name, _)| name.value.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { things: Vec::new(), index: BTreeMap::new(), lost: Vec::new(), all_lost: false }
    }
}

impl<T> FromIterator<(Spanned<String>, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (Spanned<String>, T)>>(things: I) -> Self {
        let things: Vec<_> = things.into_iter().collect();
        let index =
            things.iter().enumerate().map(|(at, (name, _)): (_, &(Spanned<String>, T))| (name.value.clone(), at));
        Self { index: index.collect(), things, ..Self::default() }
    }
}

impl<T: Decode> Decode for Named<T> {
    const NOUN: &'static str = "a mapping from names";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if !node.is_null() && !matches!(node.kind, Kind::Map(_)) {
            cx.expected(&format!("a mapping from names, each {}", T::NOUN), node);
            return Some(Self { all_lost: true, ..Self::default() });
        }
        let known: Vec<&str> =
            node.entries().iter().filter(|entry| !entry.key.made_up).map(|entry| entry.key.text.as_str()).collect();
        let (mut things, mut lost) = (Vec::with_capacity(node.entries().len()), Vec::new());
        for entry in node.entries() {
            if cx.is_full() {
                break;
            }
            let key = &entry.key;
            if key.made_up {
                let noun = T::NOUN.trim_start_matches("an ").trim_start_matches("a ");
                let what = format!("there is no {noun} `{}`", shortened(&key.text));
                cx.report(Problem::error(key.at, what).hint(did_you_mean(&key.text, &known)));
                continue;
            }
            if let Err(problem) = check_name(&Spanned::new(key.text.clone(), key.at)) {
                cx.report(problem);
            }
            match T::decode(&entry.value, cx) {
                Some(thing) => things.push((Spanned::new(key.text.clone(), key.at), thing)),
                None => lost.push(key.text.clone()),
            }
        }
        Some(Self { lost, ..things.into_iter().collect() })
    }

    fn schema(defs: &mut Defs) -> Json {
        let thing = T::schema(defs);
        json!({
            "type": ["object", "null"], "propertyNames": { "pattern": NAME_PATTERN }, "additionalProperties": thing,
        })
    }
}

const NAME_PATTERN: &str = "^[A-Za-z0-9_][A-Za-z0-9_-]*$";

/// Names are letters, digits, `_` and `-`, so that `service.endpoint`, `a -> b` and `service[1]` can be told apart.
pub(crate) fn check_name(name: &Spanned<String>) -> Result<(), Problem> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(fine) && !name.starts_with('-') {
        return Ok(());
    }
    let what = format!("`{}` cannot be a name", shortened(name));
    Err(Problem::error(name.at, what).hint("names are letters, digits, `_` and `-`"))
}

impl<T: Decode> Decode for Vec<T> {
    const NOUN: &'static str = "a list";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if !node.is_null() && !matches!(node.kind, Kind::List(_)) {
            cx.expected(&format!("a list, each item {}", T::NOUN), node);
            return None;
        }
        let mut things = Vec::with_capacity(node.items().len());
        for item in node.items() {
            if cx.is_full() {
                break;
            }
            things.extend(T::decode(item, cx));
        }
        Some(things)
    }

    fn schema(defs: &mut Defs) -> Json {
        let item = T::schema(defs);
        json!({ "type": ["array", "null"], "items": item })
    }
}

/// A list in which a single thing may stand without brackets.
#[derive(Clone, PartialEq, Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Decode> Decode for OneOrMany<T> {
    const NOUN: &'static str = T::NOUN;

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Vec::decode(node, cx).map(Self),
            _ => T::decode(node, cx).map(|one| Self(vec![one])),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        let one = T::schema(defs);
        super::schema::any_of([one.clone(), json!({ "type": "array", "items": one, "minItems": 1 })])
    }
}
