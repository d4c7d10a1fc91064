//! Java's `.properties` as a tree: dots and brackets in a key are levels. Knows no names.

use squall_model::spec::tree::{Entry, Key, Kind, MAX_DEPTH, Node};
use squall_model::spec::{At, Problem};

/// The tree that the lines of `text` say.
pub(crate) fn properties(text: &str, source: u16) -> (Node, Vec<Problem>) {
    let mut root = Node::empty(At::new(source, 0..0));
    let mut problems = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let (at, trimmed) = (start + line.len() - line.trim_start().len(), line.trim());
        start += line.len() + 1;
        if trimmed.is_empty() || trimmed.starts_with(['#', '!']) {
            continue;
        }
        let place = At::new(source, at..at + trimmed.len());
        let Some(sign) = trimmed.find(['=', ':', ' ']) else {
            problems.push(Problem::error(place, "a line without `=`").hint("a property is key=value"));
            continue;
        };
        let (key, rest) = trimmed.split_at(sign);
        let value = rest.trim_start_matches([' ', '\t']);
        let value = value.strip_prefix(['=', ':']).unwrap_or(value).trim_start();
        let value_at = At::new(source, at + trimmed.len() - value.len()..at + trimmed.len());
        let kind = Kind::Scalar { text: value.to_owned(), plain: true, verbatim: Some(value_at.start) };
        let key_at = At::new(source, at..at + key.len());
        if let Err(problem) = insert(&mut root, key, Node { at: value_at, kind }, key_at) {
            problems.push(problem);
        }
    }
    (root, problems)
}

/// Puts `value` at the dotted `path` below `root`.
pub(crate) fn insert(root: &mut Node, path: &str, value: Node, at: At) -> Result<(), Problem> {
    let steps = steps(path);
    if steps.len() > MAX_DEPTH {
        return Err(Problem::error(at, "nested too deeply").hint(format!("at most {MAX_DEPTH} levels")));
    }
    let mut node = root;
    for (index, step) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        if !matches!(node.kind, Kind::Map(_)) {
            let what = format!("`{path}` is both a value and a group of values");
            return Err(Problem::error(at, what).hint("keep one of the two"));
        }
        let Kind::Map(entries) = &mut node.kind else { unreachable!("it is a mapping") };
        let found = entries.iter().position(|entry| entry.key.text == *step);
        let found = match found {
            Some(_) if last && matches!(value.kind, Kind::Map(_)) => found,
            // The last one wins, as it does in Java.
            Some(index) if last => {
                entries[index].value = value;
                return Ok(());
            }
            found => found,
        };
        let index = found.unwrap_or_else(|| {
            let key = Key { text: (*step).to_owned(), at, made_up: false };
            entries.push(Entry { key, value: Node::empty(at) });
            entries.len() - 1
        });
        node = &mut entries[index].value;
    }
    merge(node, value);
    Ok(())
}

/// Lays `value` over `node`.
fn merge(node: &mut Node, value: Node) {
    match (&mut node.kind, value.kind) {
        (Kind::Map(into), Kind::Map(entries)) => {
            for entry in entries {
                match into.iter_mut().find(|known| known.key.text == entry.key.text) {
                    Some(known) => merge(&mut known.value, entry.value),
                    None => into.push(entry),
                }
            }
        }
        (_, kind) => *node = Node { at: value.at, kind },
    }
}

/// `a.b[c.d].e` is a, b, c.d, e.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[')
            && let Some(end) = inner.find(']')
        {
            steps.push(&inner[..end]);
            rest = inner[end + 1..].strip_prefix('.').unwrap_or(&inner[end + 1..]);
            continue;
        }
        let mut after_first = rest.char_indices().skip(1);
        let end = after_first.find(|(_, c)| matches!(c, '.' | '[')).map_or(rest.len(), |(at, _)| at);
        steps.push(&rest[..end]);
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_brackets_are_levels() {
        let table: [(&str, &[&str]); 5] = [
            ("a.b.c", &["a", "b", "c"]),
            ("a[b.c].d", &["a", "b.c", "d"]),
            ("a[0]", &["a", "0"]),
            ("", &[]),
            ("é.b", &["é", "b"]),
        ];
        for (path, wanted) in table {
            assert_eq!(steps(path), wanted, "{path}");
        }
    }

    #[test]
    fn properties_are_a_tree_and_the_last_one_wins() {
        let (root, problems) = properties("# c\na.b=1\na.c : 2\r\na.b=3\n\nnonsense\na=4\n", 0);
        let inner = root.entry("a").unwrap();
        assert_eq!(inner.text().or(inner.entry("b").and_then(Node::text)), Some("4"));
        assert_eq!(problems.iter().map(|problem| problem.what.as_str()).collect::<Vec<_>>(), ["a line without `=`"]);
    }
}
