//! A topology file as settings: every plain value with its path, as an override would name it. What two files differ in
//! is read from these. Knows nothing of what the values mean.

use super::At;
use super::tree::{Kind, Node};

/// One value of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its path, as `--set` takes it: `services.order.calls.inventory.timeout`.
    pub path: String,
    /// As written, in one line.
    pub value: String,
    /// Where.
    pub at: At,
}

/// Every value under `root`, in the order of the file. A list of plain values is one setting; items of other lists are
/// called by their name, or by their number if they have none.
pub fn settings(root: &Node) -> Vec<Setting> {
    let mut found = Vec::new();
    collect(root, &mut String::new(), &mut found);
    found
}

fn collect(node: &Node, path: &mut String, found: &mut Vec<Setting>) {
    let deeper = |part: &str, node: &Node, path: &mut String, found: &mut Vec<Setting>| {
        let length = path.len();
        push(path, part);
        collect(node, path, found);
        path.truncate(length);
    };
    match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                deeper(&entry.key.text, &entry.value, path, found);
            }
        }
        Kind::List(items) if !items.iter().all(is_plain) => {
            for (index, item) in items.iter().enumerate() {
                let name = item.entry("name").and_then(Node::text);
                deeper(name.unwrap_or(&index.to_string()), item, path, found);
            }
        }
        Kind::Broken => {}
        _ => found.push(Setting { path: path.clone(), value: written(node), at: node.at }),
    }
}

fn is_plain(node: &Node) -> bool {
    matches!(node.kind, Kind::Scalar { .. })
}

/// One more part of a path; in quotes if it has points in it.
fn push(path: &mut String, part: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if part.contains('.') || part.starts_with('"') {
        path.push('"');
        path.push_str(part);
        path.push('"');
    } else {
        path.push_str(part);
    }
}

/// A value without inner structure, in one line.
fn written(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Kind::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Kind::Map(_) | Kind::Broken => "{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Draft;

    #[test]
    fn every_value_has_the_path_that_an_override_would_name() {
        let text = "services:\n  a.b: {workers: 5, endpoints: {get: {steps: [work: 1ms, call: c.d]}}}\n\
                    load:\n  - {name: feed, to: a.get, retry: {when: [timeout, error]}}\n  - {users: 5}\nfaults: []\n";
        let draft = Draft::new(text);
        let found = settings(draft.root().unwrap());
        let shown: Vec<_> = found.iter().map(|s| format!("{}={}", s.path, s.value)).collect();
        let wanted = [
            "services.\"a.b\".workers=5",
            "services.\"a.b\".endpoints.get.steps.0.work=1ms",
            "services.\"a.b\".endpoints.get.steps.1.call=c.d",
            "load.feed.name=feed",
            "load.feed.to=a.get",
            "load.feed.retry.when=[timeout, error]",
            "load.1.users=5",
            "faults=[]",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(&text[found[0].at.bytes()], "5");
    }
}
