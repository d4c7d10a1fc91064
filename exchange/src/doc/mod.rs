//! A topology file in the making: a tree of YAML that keeps its comments, so that a person would like to keep the file.
//! Knows nothing of what the keys mean.

mod parse;
mod write;

pub(crate) use write::{quote, scalar};

/// A whole file.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Doc {
    /// Comment lines before everything, without `#`.
    pub header: Vec<String>,
    /// What it says.
    pub root: Map,
}

/// A mapping, in order.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Map {
    entries: Vec<Entry>,
}

/// One `key: value`, with its comments.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Comment lines above it, without `#`; an empty text is an empty line.
    pub above: Vec<String>,
    /// The comment beside it, without `#`.
    pub beside: Option<String>,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// YAML on one line, or several as they were written.
    Plain(String),
    /// A mapping.
    Map(Map),
    /// A list.
    List(Vec<Item>),
}

/// One item of a list, with its comments.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// The value.
    pub value: Value,
    /// Comment lines above it.
    pub above: Vec<String>,
    /// The comment beside it.
    pub beside: Option<String>,
}

impl Item {
    /// An item without comments.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), above: Vec::new(), beside: None }
    }

    /// The same with a comment beside it.
    #[must_use]
    pub fn beside(mut self, comment: impl Into<String>) -> Self {
        self.beside = Some(comment.into());
        self
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Item>> for Value {
    fn from(items: Vec<Item>) -> Self {
        Self::List(items)
    }
}

impl Map {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its entries.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Whether it has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// The value under `key`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The plain text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Some(Value::Plain(text)) => Some(text),
            _ => None,
        }
    }

    /// The mapping under `key`, if there is one.
    pub fn inner(&self, key: &str) -> Option<&Self> {
        match self.value(key) {
            Some(Value::Map(map)) => Some(map),
            _ => None,
        }
    }

    /// Takes the entry under `key` out.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let found = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(found))
    }

    /// The entry under `key`, made if it is not there.
    pub fn entry(&mut self, key: &str) -> &mut Entry {
        let found = self.entries.iter().position(|entry| entry.key == key);
        let index = found.unwrap_or_else(|| {
            let value = Value::Plain(String::new());
            self.entries.push(Entry { key: key.to_owned(), value, above: Vec::new(), beside: None });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    /// Puts `value` under `key`, with what the comment beside it says.
    pub fn set(&mut self, key: &str, value: impl Into<Value>, beside: impl Into<String>) {
        let beside = beside.into();
        let entry = self.entry(key);
        entry.value = value.into();
        entry.beside = (!beside.is_empty()).then_some(beside);
    }

    /// The mapping under `key`; what else is there becomes one.
    pub fn map(&mut self, key: &str) -> &mut Self {
        let value = &mut self.entry(key).value;
        value.become_map();
        match value {
            Value::Map(map) => map,
            _ => unreachable!("it has just become one"),
        }
    }

    /// The list under `key`; what else is there becomes one.
    pub fn list(&mut self, key: &str) -> &mut Vec<Item> {
        let value = &mut self.entry(key).value;
        value.become_list();
        match value {
            Value::List(items) => items,
            _ => unreachable!("it has just become one"),
        }
    }

    /// Moves the entries into the order of `keys`; others follow in the order they have.
    pub fn arrange(&mut self, keys: &[&str]) {
        self.entries.sort_by_key(|entry| keys.iter().position(|key| *key == entry.key).unwrap_or(keys.len()));
    }
}

impl Value {
    /// A mapping stays; flow style is unfolded; all else makes room for one.
    fn become_map(&mut self) {
        if let Self::Plain(text) = self {
            *self = parse::unfold(text).filter(|value| matches!(value, Self::Map(_))).unwrap_or_default();
        }
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Map::default());
        }
    }

    fn become_list(&mut self) {
        if let Self::Plain(text) = self {
            *self = parse::unfold(text).unwrap_or_default();
        }
        if !matches!(self, Self::List(_)) {
            *self = Self::List(Vec::new());
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Map(Map::default())
    }
}
