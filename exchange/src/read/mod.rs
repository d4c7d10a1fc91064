//! Reading what others wrote: files as trees with positions, fields by name, times. Knows no dialect.

mod fields;
mod json;
mod properties;
pub(crate) mod time;

pub(crate) use fields::{Fields, same};
pub(crate) use properties::{insert, properties};

use squall_model::spec::Problem;
use squall_model::spec::tree::{self, Node};

/// The manifests of some documents: a list of Kubernetes is its items.
pub(crate) fn manifests(documents: &[Node]) -> impl Iterator<Item = &Node> {
    documents.iter().flat_map(|document| {
        let is_list = document.entry("kind").and_then(Node::text).is_some_and(|kind| kind.ends_with("List"));
        if is_list { document.entry("items").map_or(&[][..], Node::items) } else { core::slice::from_ref(document) }
    })
}

/// The documents of a YAML or JSON text. JSON may have comments, as .NET's has.
pub(crate) fn documents(text: &str, source: u16) -> (Vec<Node>, Vec<Problem>) {
    let first = text.trim_start().chars().next();
    if matches!(first, Some('{' | '[' | '/')) {
        tree::parse_foreign(&json::as_yaml(text), source)
    } else {
        tree::parse_foreign(text.strip_prefix('\u{feff}').map_or(text, |_| text), source)
    }
}
