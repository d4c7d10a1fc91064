//! Overrides from outside the file: `services.order.workers=20`. Works on the tree, so that a path which the format does
//! not know is the very error that the same mistake in the file would be.

use super::problem::did_you_mean;
use super::tree::{self, Entry, Key, Kind, Node, shortened};
use super::{At, Problem};

/// Applies each override in turn.
pub(super) fn apply(root: &mut Node, sets: &[(String, String)], problems: &mut Vec<Problem>) {
    for (index, (path, value)) in sets.iter().enumerate() {
        let source = (index + 1).min(usize::from(u16::MAX)) as u16;
        let (node, mut wrong) = tree::parse(value, source, path.len() + 1);
        problems.append(&mut wrong);
        let at = At::new(source, path.len() + 1..path.len() + 1 + value.len());
        let value = node.unwrap_or(Node { at, kind: Kind::Broken });
        if let Err(problem) = segments(path, source).and_then(|segments| put(root, &segments, value)) {
            problems.push(problem);
        }
    }
}

/// One part of a path.
struct Segment {
    text: String,
    at: At,
}

/// Takes `load.feed.rate` apart. A part with points in it stands in double quotes.
fn segments(path: &str, source: u16) -> Result<Vec<Segment>, Problem> {
    let mut parts = Vec::new();
    let mut start = 0;
    loop {
        let rest = &path[start..];
        let (text, length) = if let Some((text, _)) = rest.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
            (text, text.len() + 2)
        } else {
            let length = rest.find('.').unwrap_or(rest.len());
            (&rest[..length], length)
        };
        let at = At::new(source, start..start + length);
        if text.is_empty() {
            let problem = Problem::error(At { end: at.end.max(at.start + 1), ..at }, "a part of the path is empty");
            return Err(problem.hint("write it like `services.order.workers=20`"));
        }
        parts.push(Segment { text: text.to_owned(), at });
        start += length;
        match path[start..].strip_prefix('.') {
            Some(_) => start += 1,
            None if start == path.len() => return Ok(parts),
            None => {
                let problem = Problem::error(At::new(source, start..path.len()), "a `.` must follow a quoted part");
                return Err(problem.hint("write it like `load.visitors.tasks.\"Feed (fan-out)\".weight=2`"));
            }
        }
    }
}

/// Puts `value` at the path.
fn put(node: &mut Node, path: &[Segment], value: Node) -> Result<(), Problem> {
    let [segment, rest @ ..] = path else {
        *node = value;
        return Ok(());
    };
    if node.is_null() {
        node.kind = Kind::Map(Vec::new());
    }
    let shown = node.shown();
    match &mut node.kind {
        Kind::Map(entries) => put(slot(entries, segment), rest, value),
        Kind::List(items) => put(item(items, segment)?, rest, value),
        Kind::Broken => Ok(()),
        Kind::Scalar { .. } => {
            Err(Problem::error(segment.at, format!("{shown} has no `{}`", shortened(&segment.text)))
                .hint("it is a plain value in the file: set the whole of it, such as `queue={limit: 5, order: lifo}`"))
        }
    }
}

/// The value under a key; made up if it is not written yet. Whether the format knows it shows when it is decoded.
fn slot<'a>(entries: &'a mut Vec<Entry>, segment: &Segment) -> &'a mut Node {
    let found = entries.iter().position(|entry| entry.key.text == segment.text);
    let index = found.unwrap_or_else(|| {
        let key = Key { text: segment.text.clone(), at: segment.at, made_up: true };
        entries.push(Entry { key, value: Node::empty(segment.at) });
        entries.len() - 1
    });
    &mut entries[index].value
}

/// An item of a list, by its number from 0 or by its name.
fn item<'a>(items: &'a mut [Node], segment: &Segment) -> Result<&'a mut Node, Problem> {
    let name = |item: &Node| item.entry("name").and_then(Node::text).map(str::to_owned);
    let named = items.iter().position(|item| name(item).as_ref() == Some(&segment.text));
    let numbered = segment.text.parse::<usize>().ok().filter(|&index| index < items.len());
    if let Some(index) = named.or(numbered) {
        return Ok(&mut items[index]);
    }
    let names: Vec<String> = items.iter().filter_map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match (items.len(), names.is_empty()) {
        (0, _) => "the list is empty".into(),
        (length, true) => format!("the items are numbered from 0 to {}", length - 1),
        (length, false) => format!("{}; or a number from 0 to {}", did_you_mean(&segment.text, &names), length - 1),
    };
    Err(Problem::error(segment.at, format!("there is no item `{}`", shortened(&segment.text))).hint(hint))
}
