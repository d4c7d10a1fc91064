//! The fields of a mapping by name, remembering which were asked for: what nobody asked for could not be mapped.

use core::cell::Cell;

use squall_model::spec::tree::{Entry, Node};

/// A mapping that is being read.
pub(crate) struct Fields<'a> {
    node: &'a Node,
    used: Vec<Cell<bool>>,
}

/// Whether two names are the same but for case, `-` and `_`: `maxConnections`, `max_connections`, `max-connections`.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let plain = |text: &'_ str| {
        text.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect::<String>()
    };
    plain(a) == plain(b)
}

impl<'a> Fields<'a> {
    /// The fields of `node`; of anything but a mapping there are none.
    pub(crate) fn of(node: &'a Node) -> Self {
        Self { node, used: node.entries().iter().map(|_| Cell::new(false)).collect() }
    }

    /// The value of `name`; null is none.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// The entry of `name`.
    pub(crate) fn entry(&self, name: &str) -> Option<&'a Entry> {
        let index = self.node.entries().iter().position(|entry| same(&entry.key.text, name))?;
        self.used[index].set(true);
        Some(&self.node.entries()[index])
    }

    /// The fields of the mapping under `name`.
    pub(crate) fn inner(&self, name: &str) -> Option<Fields<'a>> {
        self.get(name).map(Fields::of)
    }

    /// The items of the list under `name`.
    pub(crate) fn items(&self, name: &str) -> &'a [Node] {
        self.get(name).map_or(&[], Node::items)
    }

    /// The entries of the mapping under `name`.
    pub(crate) fn entries(&self, name: &str) -> &'a [Entry] {
        self.get(name).map_or(&[], Node::entries)
    }

    /// The text under `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Node::text)
    }

    /// What nobody asked for.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'a Entry> {
        self.node.entries().iter().zip(&self.used).filter(|(_, used)| !used.get()).map(|(entry, _)| entry)
    }

    /// The mapping itself.
    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }
}
