//! The tree as text: two spaces a level, comments where they were, those beside values under one another.

use core::fmt::Write as _;

use super::{Doc, Entry, Item, Map, Value};

/// Comments beside values stand at this column at most.
const FARTHEST: usize = 60;
/// A short mapping without comments stands on one line, up to this width.
const WIDEST: usize = 110;

impl Doc {
    /// The file.
    pub fn render(&self) -> String {
        let mut text = String::new();
        comments(&mut text, &self.header, 0);
        map(&mut text, &self.root, 0);
        text
    }
}

fn comments(text: &mut String, lines: &[String], depth: usize) {
    for line in lines {
        if line.is_empty() {
            text.push('\n');
        } else {
            let line = if line == "#" { String::new() } else { format!(" {}", line.trim_end()) };
            let _ = writeln!(text, "{:depth$}#{line}", "");
        }
    }
}

fn map(text: &mut String, map: &Map, depth: usize) {
    let entries: Vec<&Entry> = map.iter().collect();
    for (index, entry) in entries.iter().enumerate() {
        comments(text, &entry.above, depth);
        let head = format!("{:depth$}{}:", "", key(&entry.key));
        put(text, head, (&entry.value, entry.beside.as_deref()), (column(&entries, index, depth), depth));
    }
}

/// Where the comments beside a run of one-line entries stand: behind the longest of them.
fn column(entries: &[&Entry], index: usize, depth: usize) -> usize {
    let in_run = |entry: &&&Entry| one_line(&entry.value, depth).is_some();
    let before = entries[..index].iter().rev().take_while(in_run).count();
    let run = entries[index - before..].iter().take_while(in_run);
    let width = |entry: &&Entry| {
        let line = one_line(&entry.value, depth).filter(|_| entry.beside.is_some());
        line.map_or(0, |line| depth + key(&entry.key).chars().count() + 2 + line.chars().count())
    };
    run.map(width).filter(|&width| width <= FARTHEST).max().unwrap_or(0)
}

/// A value on one line, if it can stand on one.
fn one_line(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::Plain(text) => (!text.contains('\n')).then(|| text.clone()),
        Value::Map(map) if map.is_empty() => Some("{}".into()),
        Value::List(items) if items.is_empty() => Some("[]".into()),
        Value::List(items) => flow(items.iter().map(|item| (item, flow_item(item))), depth),
        Value::Map(_) => None,
    }
}

/// Plain words of a list without comments.
fn flow<'a>(items: impl Iterator<Item = (&'a Item, Option<String>)>, depth: usize) -> Option<String> {
    let words: Option<Vec<String>> = items.map(|(item, text)| text.filter(|_| bare(item))).collect();
    let line = format!("[{}]", words?.join(", "));
    (line.len() + depth < WIDEST).then_some(line)
}

fn bare(item: &Item) -> bool {
    item.above.is_empty() && item.beside.is_none()
}

fn flow_item(item: &Item) -> Option<String> {
    match &item.value {
        Value::Plain(text) if text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-')) => {
            Some(text.clone())
        }
        _ => None,
    }
}

/// A mapping of plain values without comments, on one line.
fn flow_map(map: &Map, depth: usize) -> Option<String> {
    let entry = |entry: &Entry| match &entry.value {
        Value::Plain(text)
            if entry.above.is_empty() && entry.beside.is_none() && !text.contains('\n') && !text.is_empty() =>
        {
            Some(format!("{}: {}", key(&entry.key), flow_text(text)))
        }
        Value::Map(inner) if entry.above.is_empty() && entry.beside.is_none() => {
            flow_map(inner, depth).map(|inner| format!("{}: {inner}", key(&entry.key)))
        }
        Value::List(items) if entry.above.is_empty() && entry.beside.is_none() => {
            flow(items.iter().map(|item| (item, flow_item(item))), depth)
                .map(|list| format!("{}: {list}", key(&entry.key)))
        }
        _ => None,
    };
    let entries: Option<Vec<String>> = map.iter().map(entry).collect();
    let line = format!("{{{}}}", entries?.join(", "));
    (line.len() + depth < WIDEST).then_some(line)
}

/// A plain scalar whose commas would end it inside `{ }` gets quotes.
fn flow_text(text: &str) -> String {
    let quoted = text.starts_with(['"', '\'', '{', '[']);
    if !quoted && text.contains([',', '{', '}', '[', ']']) { quote(text) } else { text.to_owned() }
}

fn put(text: &mut String, head: String, (value, beside): (&Value, Option<&str>), (column, depth): (usize, usize)) {
    if let Some(line) = one_line(value, depth) {
        let line = if line.is_empty() { head } else { format!("{head} {line}") };
        return end(text, &line, beside, column);
    }
    match value {
        Value::Plain(lines) => end(text, &format!("{head} {lines}"), beside, 0),
        Value::Map(inner) => {
            end(text, &head, beside, 0);
            map(text, inner, depth + 2);
        }
        Value::List(items) => {
            end(text, &head, beside, 0);
            list(text, items, depth + 2);
        }
    }
}

fn end(text: &mut String, line: &str, beside: Option<&str>, column: usize) {
    text.push_str(line);
    if let Some(comment) = beside {
        let gap = column.saturating_sub(line.chars().count()) + 2;
        let _ = write!(text, "{:gap$}# {}", "", comment.trim());
    }
    text.push('\n');
}

fn list(text: &mut String, items: &[Item], depth: usize) {
    for item in items {
        comments(text, &item.above, depth);
        let head = format!("{:depth$}-", "");
        match &item.value {
            Value::Plain(line) => end(text, &format!("{head} {line}"), item.beside.as_deref(), 0),
            Value::Map(inner) if flow_map(inner, depth).is_some() && inner.iter().count() > 1 => {
                let line = flow_map(inner, depth).unwrap_or_default();
                end(text, &format!("{head} {line}"), item.beside.as_deref(), 0);
            }
            Value::Map(inner) if !inner.is_empty() => {
                let mut lines = String::new();
                if let Some(comment) = &item.beside {
                    comments(text, core::slice::from_ref(comment), depth);
                }
                map(&mut lines, inner, depth + 2);
                let rest = lines.get(depth + 2..).unwrap_or_default();
                let _ = write!(text, "{head} {rest}");
            }
            Value::List(inner) if !inner.is_empty() => {
                end(text, &head, item.beside.as_deref(), 0);
                list(text, inner, depth + 2);
            }
            Value::Map(_) => end(text, &format!("{head} {{}}"), item.beside.as_deref(), 0),
            Value::List(_) => end(text, &format!("{head} []"), item.beside.as_deref(), 0),
        }
    }
}

/// `text` as a key or a plain value, in quotes where YAML would read something else.
pub(crate) fn scalar(text: &str) -> String {
    let special = [':', '#', '{', '}', '[', ']', ',', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '\\', '?'];
    let words = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "none", "y", "n"];
    let odd = text.contains(special)
        || text.chars().any(|c| c.is_control() || c == '\u{feff}' || c == '\u{2028}' || c == '\u{2029}')
        || text.starts_with(['-', ' ', '=', '.', '+'])
        || text.ends_with(' ')
        || text.starts_with(|c: char| c.is_ascii_digit())
        || words.contains(&text.to_lowercase().as_str());
    if odd { quote(text) } else { text.to_owned() }
}

fn key(text: &str) -> String {
    scalar(text)
}

/// `text` in double quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stand_under_one_another_and_short_maps_in_lists_on_one_line() {
        let mut doc = Doc { header: vec!["A shop.".into()], ..Doc::default() };
        doc.root.set("name", "shop", "");
        let retry = doc.root.map("services").map("order").map("retry");
        retry.set("attempts", "3", "a.yml:3");
        retry.set("backoff", "constant(500ms)", "default");
        doc.root.map("services").map("stock");
        let mut load = Map::default();
        load.set("name", "users", "");
        load.set("rate", "100/s", "");
        doc.root.list("load").push(Item::new(load));
        doc.root.set("words", vec![Item::new("a"), Item::new("b")], "");
        let wanted = "\
# A shop.
name: shop
services:
  order:
    retry:
      attempts: 3               # a.yml:3
      backoff: constant(500ms)  # default
  stock: {}
load:
  - {name: users, rate: 100/s}
words: [a, b]
";
        assert_eq!(doc.render(), wanted);
    }
}
