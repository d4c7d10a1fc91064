//! Writes overrides into the text of a topology, so that everything else of it stays as it was, and shows the difference.

use similar::TextDiff;
use squall_model::spec::tree::{Kind, Node};
use squall_model::spec::{At, Draft, Read};

/// The text with every override written into it. `None` where that cannot be done without changing more than was asked.
pub(crate) fn apply(text: &str, sets: &[(String, String)]) -> Option<String> {
    let mut text = text.to_owned();
    for (path, value) in sets {
        let draft = Draft::new(&text);
        text = put(&text, draft.root()?, &parts(path)?, value)?;
    }
    Some(text)
}

/// The difference of two texts in the unified format, the file called `name`.
pub(crate) fn difference(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(2).header(name, name).to_string()
}

/// The parts of a path; those in quotes whole.
fn parts(path: &str) -> Option<Vec<String>> {
    let (mut all, mut rest) = (Vec::new(), path);
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(inner) => inner.split_once('"').map(|(part, after)| (part, after.strip_prefix('.')))?,
            None => rest.split_once('.').map_or((rest, None), |(part, after)| (part, Some(after))),
        };
        all.push(part.to_owned());
        match after {
            Some(after) => rest = after,
            None => return Some(all),
        }
    }
}

fn put(text: &str, node: &Node, path: &[String], value: &str) -> Option<String> {
    let Some((first, rest)) = path.split_first() else {
        let place = node.at.bytes();
        return (node.at.source == 0).then(|| replaced(text, place.start, place.end, value));
    };
    match &node.kind {
        Kind::Map(entries) => match entries.iter().find(|entry| entry.key.text == *first) {
            Some(entry) => put(text, &entry.value, rest, value),
            None => insert(text, node, path, value),
        },
        Kind::List(items) => {
            let named = |item: &&Node| item.entry("name").and_then(Node::text) == Some(first);
            let item = items.iter().find(named).or_else(|| items.get(first.parse::<usize>().ok()?))?;
            put(text, item, rest, value)
        }
        _ => None,
    }
}

/// A new entry of a mapping, written as the mapping is: within its braces, or as a line of its own.
fn insert(text: &str, map: &Node, path: &[String], value: &str) -> Option<String> {
    let place = map.at.bytes();
    let (first, rest) = path.split_first()?;
    let inner = rest.iter().rev().fold(value.to_owned(), |inner, part| format!("{{{}: {inner}}}", key(part)));
    let line = format!("{}: {inner}", key(first));
    let entries = map.entries();
    if text.get(place.clone())?.starts_with('{') {
        let end = text[..place.end].rfind('}')?;
        let last = entries.last().map(|entry| end_of(text, &entry.value));
        return Some(match last {
            Some(last) => replaced(text, last, last, &format!(", {line}")),
            None => replaced(text, end, end, &line),
        });
    }
    let entry = entries.last()?;
    let key_start = entries.first()?.key.at.start;
    let indent = key_start - text[..key_start].rfind('\n').map_or(0, |newline| newline + 1);
    let from = end_of(text, &entry.value).max(entry.key.at.end);
    let end = text[from..].find('\n').map_or(text.len(), |newline| from + newline);
    Some(replaced(text, end, end, &format!("\n{}{line}", " ".repeat(indent))))
}

/// Where a node ends: a block, which has no end of its own, with the last thing in it.
fn end_of(text: &str, node: &Node) -> usize {
    let has_brackets = text[node.at.start..].starts_with(['{', '[']);
    let last = match &node.kind {
        Kind::Map(entries) if !has_brackets => entries.iter().map(|entry| end_of(text, &entry.value)).max(),
        Kind::List(items) if !has_brackets => items.iter().map(|item| end_of(text, item)).max(),
        _ => None,
    };
    last.unwrap_or(node.at.end)
}

fn key(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("\"{text}\"") }
}

fn replaced(text: &str, start: usize, end: usize, with: &str) -> String {
    format!("{}{with}{}", &text[..start], &text[end..])
}

/// Whether two texts are the same topology: the one with the overrides, the other as it is.
pub(crate) fn is_same(
    text: &str,
    sets: &[(String, String)],
    patched: &str,
    files: squall_model::spec::Files<'_>,
) -> bool {
    let read = |text: &str, sets: &[(String, String)]| {
        let Read { topology, problems } = Draft::new(text).read(sets, files);
        let mut topology = topology.filter(|_| problems.is_empty())?;
        // Where a line stands is not what it says.
        topology.expect.iter_mut().for_each(|line| line.at = At::default());
        Some(topology)
    };
    let before = read(text, sets);
    before.is_some() && before == read(patched, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A shop.
services:
  order:
    workers: 50          # threads
    calls:
      inventory: {timeout: 300ms}
      users:
        timeout: 1s
    endpoints:
      place:
        steps:
          - work: 1ms
          - parallel:
              - call: users.get
              - call: inventory.get
  users:
    endpoints: {get: {steps: [{work: 1ms}]}}
  inventory:
    endpoints:
      get:
        http: GET /inventory
        steps:
          - work: 1ms

# Who asks.
load:
  - {name: feed, to: order.place, rate: 5/s}
expect:
  - feed p99 < 1s
";

    fn changed(path: &str, value: &str) -> Vec<String> {
        let sets = [(path.to_owned(), value.to_owned())];
        let after = apply(TEXT, &sets).unwrap_or_else(|| panic!("{path} cannot be set"));
        assert!(is_same(TEXT, &sets, &after, &|_| Err("no files".into())), "{after}");
        let diff = difference("shop.yaml", TEXT, &after);
        let lines = diff.lines().skip(2).filter(|line| line.starts_with(['+', '-']));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let wanted = ["-    workers: 50          # threads", "+    workers: 80          # threads"];
        assert_eq!(changed("services.order.workers", "80"), wanted);
        let wanted = ["-      inventory: {timeout: 300ms}", "+      inventory: {timeout: 200ms}"];
        assert_eq!(changed("services.order.calls.inventory.timeout", "200ms"), wanted);
        let wanted = ["-  - {name: feed, to: order.place, rate: 5/s}", "+  - {name: feed, to: order.place, rate: 6/s}"];
        assert_eq!(changed("load.feed.rate", "6/s"), wanted);
    }

    #[test]
    fn what_is_not_written_yet_is_added_in_the_manner_of_its_neighbours() {
        let wanted =
            ["-      inventory: {timeout: 300ms}", "+      inventory: {timeout: 300ms, breaker: {window: 20}}"];
        assert_eq!(changed("services.order.calls.inventory.breaker.window", "20"), wanted);
        assert_eq!(changed("services.order.calls.users.deadline", "3s"), ["+        deadline: 3s"]);
        assert_eq!(changed("services.order.queue", "10"), ["+    queue: 10"]);
        assert_eq!(changed("services.inventory.workers", "7"), ["+    workers: 7"]);
        assert_eq!(changed("services.inventory.calls.users.timeout", "1s"), ["+    calls: {users: {timeout: 1s}}"]);
        assert_eq!(changed("services.users.queue", "1"), ["+    queue: 1"]);
        assert_eq!(changed("duration", "5s"), ["+duration: 5s"]);
    }

    #[test]
    fn several_at_once_come_together() {
        let sets = [("window", "20"), ("open_for", "2s")]
            .map(|(last, value)| (format!("services.order.calls.inventory.breaker.{last}"), value.to_owned()));
        let after = apply(TEXT, &sets).unwrap();
        assert!(after.contains("{timeout: 300ms, breaker: {window: 20, open_for: 2s}}"), "{after}");
    }
}
