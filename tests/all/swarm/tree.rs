//! A topology file as a tree of text, to be written out and to be taken apart. Knows no key of the file.

use std::fmt;

/// A value of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// A word, a number, a time.
    Scalar(String),
    /// A list.
    List(Vec<Self>),
    /// A mapping, in order.
    Map(Vec<(String, Self)>),
}

/// A scalar.
pub(super) fn scalar(text: impl fmt::Display) -> Node {
    Node::Scalar(text.to_string())
}

/// A mapping with one key.
pub(super) fn one(key: &str, value: Node) -> Node {
    Node::Map(vec![(key.to_owned(), value)])
}

impl Node {
    /// A mapping without keys.
    pub(super) const fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// Adds a key to a mapping.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        match self {
            Self::Map(entries) => entries.push((key.to_owned(), value)),
            _ => panic!("`{key}` is set on {self}"),
        }
    }

    /// Whether it is a mapping with this key.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(self, Self::Map(entries) if entries.iter().any(|(other, _)| other == key))
    }

    /// Tells `each` every key and every scalar in it.
    pub(super) fn words(&self, each: &mut impl FnMut(&str)) {
        match self {
            Self::Scalar(text) => each(text),
            Self::List(items) => items.iter().for_each(|item| item.words(each)),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                each(key);
                value.words(each);
            }),
        }
    }

    /// How many nodes there are in it, itself included.
    pub(super) fn size(&self) -> usize {
        1 + self.children().map(Self::size).sum::<usize>()
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Scalar(_) => Box::new(std::iter::empty()),
            Self::List(items) => Box::new(items.iter()),
            Self::Map(entries) => Box::new(entries.iter().map(|(_, value)| value)),
        }
    }

    /// Every smaller tree that differs in one place, the greatest changes first: an item or a key is gone, or a list or
    /// mapping gives way to what it holds.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut all: Vec<Self> = match self {
            Self::Scalar(_) => return Vec::new(),
            Self::List(items) => (0..items.len()).map(|at| Self::List(without(items, at))).collect(),
            Self::Map(entries) => (0..entries.len()).map(|at| Self::Map(without(entries, at))).collect(),
        };
        if let Self::List(items) = self {
            all.extend(items.iter().enumerate().flat_map(|(at, item)| lists_in(item).map(move |list| (at, list))).map(
                |(at, list)| {
                    let mut items = items.clone();
                    items.splice(at..=at, list.iter().cloned());
                    Self::List(items)
                },
            ));
        }
        for (at, child) in self.children().enumerate() {
            all.extend(child.smaller().into_iter().map(|child| self.with(at, child)));
        }
        all.sort_by_key(Self::size);
        all
    }

    /// The same with another child.
    fn with(&self, at: usize, child: Self) -> Self {
        let mut copy = self.clone();
        match &mut copy {
            Self::Scalar(_) => {}
            Self::List(items) => items[at] = child,
            Self::Map(entries) => entries[at].1 = child,
        }
        copy
    }
}

fn without<T: Clone>(all: &[T], at: usize) -> Vec<T> {
    all.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, item)| item.clone()).collect()
}

/// The lists that are a value of `node`, or a value of one of its values.
fn lists_in(node: &Node) -> impl Iterator<Item = &[Node]> {
    let inner = node.children().flat_map(|child| std::iter::once(child).chain(child.children()));
    inner.filter_map(|node| if let Node::List(items) = node { Some(items.as_slice()) } else { None })
}

/// In braces and brackets, on one line.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
                write!(f, "{{{}}}", entries.join(", "))
            }
        }
    }
}

/// The whole file, one line for each entry of its sections.
pub(super) fn file(root: &Node) -> String {
    let Node::Map(sections) = root else { return root.to_string() };
    let mut text = String::new();
    for (key, value) in sections {
        match value {
            Node::Map(entries) if !entries.is_empty() => {
                text.push_str(&format!("{key}:\n"));
                for (name, value) in entries {
                    text.push_str(&format!("  {}: {value}\n", quoted(name)));
                }
            }
            Node::List(items) if !items.is_empty() => {
                text.push_str(&format!("{key}:\n"));
                for item in items {
                    text.push_str(&format!("  - {item}\n"));
                }
            }
            value => text.push_str(&format!("{key}: {value}\n")),
        }
    }
    text
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains(['[', ']', '{', '}', ',', ':', '#', '"']);
    if plain { text.to_owned() } else { format!("{text:?}") }
}
