//! Mappings with known keys.

use serde_json::{Map, Value as Json, json};

use super::super::problem::did_you_mean;
use super::super::tree::{Entry, Key, Kind, Node, shortened};
use super::{At, Cx, Decode, Defs, Problem};

/// Something that is written as a mapping with known keys.
pub trait Object: Sized {
    /// The keys it knows.
    fn keys() -> Vec<&'static str>;

    /// Reads its fields.
    fn read(fields: &mut Fields<'_>, cx: &mut Cx<'_>) -> Option<Self>;

    /// Describes its keys.
    fn properties(defs: &mut Defs, properties: &mut Properties);
}

/// A mapping whose keys are being read.
pub struct Fields<'a> {
    at: At,
    entries: Vec<(&'a str, &'a Node)>,
}

impl<'a> Fields<'a> {
    /// Opens `node`. A value that is no mapping stands for one that has only the key `short`, if there is such a key.
    /// Keys that are not among `known` are reported.
    pub fn open(node: &'a Node, noun: &str, short: Option<&'a str>, cx: &mut Cx<'_>, known: &[&str]) -> Option<Self> {
        let entries = match (&node.kind, short) {
            (Kind::Map(entries), _) => entries.iter().filter(|entry| is_known(entry, noun, known, cx)).collect(),
            (Kind::Broken, _) => return None,
            _ if node.is_null() => Vec::new(),
            (_, Some(short)) => return Some(Self { at: node.at, entries: vec![(short, node)] }),
            _ => {
                cx.expected(&format!("{noun} with any of {}", known.join(", ")), node);
                return None;
            }
        };
        let entries = entries.into_iter().map(|entry| (entry.key.text.as_str(), &entry.value)).collect();
        Some(Self { at: node.at, entries })
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The keys that are given.
    pub fn given(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(key, _)| *key)
    }

    /// Reads a field that must be there.
    pub fn required<T: Decode>(&self, key: &str, cx: &mut Cx<'_>) -> Option<T> {
        let Some(value) = self.value(key) else {
            let problem = Problem::error(self.at, format!("`{key}` is missing"));
            cx.report(problem.hint(format!("`{key}` is {}", T::NOUN)));
            return None;
        };
        T::decode(value, cx)
    }

    /// Reads a field that may be left out. A value that cannot be read is reported and stands for the default, so that
    /// the rest can still be looked at.
    pub fn optional<T: Decode>(&self, key: &str, default: impl FnOnce() -> T, cx: &mut Cx<'_>) -> T {
        self.value(key).and_then(|value| T::decode(value, cx)).unwrap_or_else(default)
    }
}

fn is_known(entry: &Entry, noun: &str, known: &[&str], cx: &mut Cx<'_>) -> bool {
    let found = cx.is_full() || known.contains(&entry.key.text.as_str());
    if !found {
        cx.report(unknown_key(&entry.key, noun, known));
    }
    found
}

/// The only entry of a mapping that must have exactly one, of the `known` keys.
pub(crate) fn single_entry<'a>(node: &'a Node, noun: &str, known: &[&str], cx: &mut Cx<'_>) -> Option<&'a Entry> {
    match node.entries() {
        [entry] if is_known(entry, noun, known, cx) => Some(entry),
        [_] => None,
        [_, second, ..] => {
            let what = format!("`{}` is a second key in {noun}", shortened(&second.key.text));
            cx.report(Problem::error(second.key.at, what).hint("one key each: begin a new list item with `- `"));
            None
        }
        [] => {
            cx.expected(&format!("{noun}, one of {}", known.join(", ")), node);
            None
        }
    }
}

/// `key` is not a key of `noun`.
pub(crate) fn unknown_key(key: &Key, noun: &str, known: &[&str]) -> Problem {
    let hint = match key.text.as_str() {
        "<<" => "merge keys are not used: `defaults` is merged under every service and call".into(),
        text => did_you_mean(text, known),
    };
    Problem::error(key.at, format!("unknown key `{}` in {noun}", shortened(&key.text))).hint(hint)
}

/// The described keys of a mapping.
#[derive(Default)]
pub struct Properties {
    all: Map<String, Json>,
    required: Vec<Json>,
}

impl Properties {
    /// Adds the key `key`.
    pub fn add(&mut self, key: &str, schema: Json, about: &str) {
        self.all.insert(key.into(), super::schema::described(schema, about));
    }

    /// Says that `key` must be there.
    pub fn require(&mut self, key: &str) {
        self.required.push(key.into());
    }

    /// The schema of the whole mapping; with `short`, that key's value may stand for it.
    pub fn into_schema(self, short: Option<&str>) -> Json {
        let short = short.and_then(|key| self.all.get(key).cloned());
        let kind = if self.required.is_empty() { json!(["object", "null"]) } else { json!("object") };
        let whole = json!({
            "type": kind, "properties": self.all, "required": self.required, "additionalProperties": false,
        });
        match short {
            Some(short) => super::schema::any_of([short, whole]),
            None => whole,
        }
    }
}
