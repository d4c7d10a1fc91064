//! Changes one setting in the text of a topology, so that its comments and order stay, and shows the change as a unified
//! diff that `patch` understands. Where the text cannot be changed safely there is no answer, rather than a wrong one.

use squall_model::spec::tree::{self, Kind, Node};

/// The text with `value` at the path, whose parts are names of mappings' keys or of lists' items.
pub(crate) fn put(text: &str, path: &[String], value: &str) -> Option<String> {
    let (root, problems) = tree::parse(text, 0, 0);
    let mut node = &root.filter(|_| problems.is_empty())?;
    for (depth, part) in path.iter().enumerate() {
        match child(node, part) {
            Some(child) => node = child,
            None => return insert(text, node, &path[depth..], value),
        }
    }
    replace(text, node, value)
}

/// Shows how `new` differs from `old` under the name of a file; nothing if it does not.
pub(crate) fn diff(name: &str, [old, new]: [&str; 2]) -> String {
    const AROUND: usize = 3;
    let [old, new] = [old, new].map(|text| text.lines().collect::<Vec<_>>());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let before = old.iter().zip(&new).take_while(same).count();
    let longest = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(longest).take_while(same).count();
    if before + after == old.len() && old.len() == new.len() {
        return String::new();
    }
    let from = before.saturating_sub(AROUND);
    let until = |lines: usize| (lines - after + AROUND).min(lines);
    let (old_to, new_to) = (until(old.len()), until(new.len()));
    let (first, olds, news) = (from + 1, old_to - from, new_to - from);
    let mut text = format!("--- {name}\n+++ {name}\n@@ -{first},{olds} +{first},{news} @@\n");
    let mut write = |mark: char, lines: &[&str]| {
        for line in lines {
            text.push(mark);
            text += line;
            text.push('\n');
        }
    };
    write(' ', &old[from..before]);
    write('-', &old[before..old.len() - after]);
    write('+', &new[before..new.len() - after]);
    write(' ', &old[old.len() - after..old_to]);
    text
}

fn child<'n>(node: &'n Node, part: &str) -> Option<&'n Node> {
    let named = |item: &&Node| item.entry("name").and_then(Node::text) == Some(part);
    let numbered = || part.parse::<usize>().ok().and_then(|index| node.items().get(index));
    node.entry(part).or_else(|| node.items().iter().find(named)).or_else(numbered)
}

/// Puts a value in the place of a plain one, or of one in braces.
fn replace(text: &str, node: &Node, value: &str) -> Option<String> {
    let flow = || text.get(node.at.start..).is_some_and(|rest| rest.starts_with(['{', '[']));
    let whole = matches!(node.kind, Kind::Scalar { .. }) || flow();
    let written = text.get(node.at.bytes())?;
    if !whole || written.is_empty() || written.contains('\n') && !flow() {
        return None;
    }
    Some(format!("{}{value}{}", &text[..node.at.start], &text[node.at.end..]))
}

/// Adds what is missing of a path to a mapping.
fn insert(text: &str, map: &Node, path: &[String], value: &str) -> Option<String> {
    let Kind::Map(entries) = &map.kind else { return None };
    let (first, rest) = path.split_first()?;
    let value = rest.iter().rev().fold(value.to_owned(), |inner, part| format!("{{{}: {inner}}}", key(part)));
    let line = format!("{}: {value}", key(first));
    if text.get(map.at.start..)?.starts_with('{') {
        let close = map.at.end.checked_sub(1).filter(|close| text.as_bytes().get(*close) == Some(&b'}'))?;
        let inside = text[map.at.start + 1..close].trim_end();
        let comma = if inside.is_empty() { "" } else { ", " };
        return Some(format!("{}{inside}{comma}{line}{}", &text[..=map.at.start], &text[close..]));
    }
    let (first, last) = (entries.first()?, entries.last()?);
    let column = first.key.at.start - text[..first.key.at.start].rfind('\n').map_or(0, |at| at + 1);
    let ends_in_line =
        matches!(last.value.kind, Kind::Scalar { .. }) || text.get(last.value.at.start..)?.starts_with(['{', '[']);
    if ends_in_line && last.value.at.end > last.key.at.end {
        let end = text[last.value.at.end..].find('\n').map_or(text.len(), |at| last.value.at.end + at);
        return Some(format!("{}\n{}{line}{}", &text[..end], " ".repeat(column), &text[end..]));
    }
    let start = first.key.at.start - column;
    if !text[start..first.key.at.start].trim().is_empty() {
        return None;
    }
    Some(format!("{}{}{line}\n{}", &text[..start], " ".repeat(column), &text[start..]))
}

/// A key as YAML has it.
fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a shop
services:
  order:
    workers: 50     # threads
    endpoints:
      place:
        steps: [{work: 20ms}]
    calls:
      inventory: {timeout: 1s}
  inventory: {workers: 10}
load:
  - {name: checkout, to: order.place, rate: 10/s}
  - name: visitors
    users: 5
";

    fn put(path: &str, value: &str) -> Option<String> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        super::put(TEXT, &path, value)
    }

    #[test]
    fn a_value_is_replaced_or_added_where_it_belongs() {
        let table = [
            ("services.order.workers", "100", "    workers: 100     # threads\n"),
            ("services.order.calls.inventory.timeout", "2s", "      inventory: {timeout: 2s}\n"),
            ("services.order.calls.inventory.breaker", "{}", "      inventory: {timeout: 1s, breaker: {}}\n"),
            ("services.order.calls.stock.timeout", "1s", "{timeout: 1s}\n      stock: {timeout: 1s}\n"),
            ("services.inventory.queue", "5", "  inventory: {workers: 10, queue: 5}\n"),
            ("services.order.queue", "5", "  order:\n    queue: 5\n    workers"),
            ("load.checkout.rate", "20/s", "rate: 20/s}\n"),
            ("load.visitors.users", "9", "    users: 9\n"),
            ("load.visitors.retry.budget", "20%", "    users: 5\n    retry: {budget: 20%}\n"),
            ("duration", "9s", "duration: 9s\n"),
        ];
        for (path, value, expected) in table {
            let changed = put(path, value).unwrap_or_else(|| panic!("{path} can be set"));
            assert!(changed.contains(expected), "{path}: {changed}");
            let (tree, problems) = tree::parse(&changed, 0, 0);
            assert!(tree.is_some() && problems.is_empty(), "{path}: {changed}");
        }
    }

    #[test]
    fn what_cannot_be_changed_safely_is_left_alone() {
        assert_eq!(put("services.order.workers.limit", "5"), None);
        assert_eq!(put("services.order.endpoints", "{}"), None);
    }

    #[test]
    fn a_diff_shows_the_lines_around_a_change() {
        let new = put("services.order.workers", "100").unwrap();
        let expected = "\
--- shop.yaml
+++ shop.yaml
@@ -1,7 +1,7 @@
 # a shop
 services:
   order:
-    workers: 50     # threads
+    workers: 100     # threads
     endpoints:
       place:
         steps: [{work: 20ms}]
";
        assert_eq!(diff("shop.yaml", [TEXT, &new]), expected);
        assert_eq!(diff("shop.yaml", [TEXT, TEXT]), "");
    }
}
