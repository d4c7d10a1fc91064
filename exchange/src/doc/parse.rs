//! From a topology's text to the tree, comments included: what comes in goes out as it was, but for its indentation.

use squall_model::spec::Problem;
use squall_model::spec::tree::{self, Kind, Node};

use super::{Doc, Entry, Item, Map, Value};

impl Doc {
    /// Reads a file that is to be added to.
    pub fn parse(text: &str, source: u16) -> Result<Self, Vec<Problem>> {
        let (root, problems) = tree::parse(text, source, 0);
        if !problems.is_empty() {
            return Err(problems);
        }
        let reader = Reader::new(text);
        let mut doc = Self::default();
        if let Some(root) = root
            && let Value::Map(map) = reader.block(&root, 0)
        {
            doc.root = map;
        }
        if let Some(first) = doc.root.entries.first_mut() {
            let lead = std::mem::take(&mut first.above);
            let last_gap = lead.iter().rposition(String::is_empty).map_or(lead.len(), |gap| gap + 1);
            first.above = lead[last_gap..].to_vec();
            doc.header = lead[..last_gap].to_vec();
        }
        Ok(doc)
    }
}

/// A value in flow style, unfolded.
pub(super) fn unfold(text: &str) -> Option<Value> {
    let (root, problems) = tree::parse(text, 0, 0);
    let root = root.filter(|_| problems.is_empty())?;
    match root.kind {
        Kind::Map(_) | Kind::List(_) => Some(Reader::new(text).unfolded(&root)),
        _ => None,
    }
}

struct Reader<'a> {
    text: &'a str,
    /// First byte of each line.
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, lines: core::iter::once(0).chain(starts).collect() }
    }

    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|&start| start <= byte).saturating_sub(1)
    }

    fn line(&self, line: usize) -> &'a str {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// A node in block style; flow style stays as it was written.
    fn block(&self, node: &Node, from: usize) -> Value {
        let flow = self.is_flow(node);
        match &node.kind {
            Kind::Map(entries) if !flow && !entries.is_empty() => {
                let mut map = Map::default();
                let mut above_from = from;
                for entry in entries {
                    let key_line = self.line_of(entry.key.at.start);
                    let value = self.block(&entry.value, key_line + 1);
                    let beside = self.beside(entry.key.at.end, &entry.value, &value);
                    let above = self.above(above_from, key_line);
                    above_from = self.line_of(self.end(&entry.value, entry.key.at.end)) + 1;
                    map.entries.push(Entry { key: entry.key.text.clone(), value, above, beside });
                }
                Value::Map(map)
            }
            Kind::List(items) if !flow && !items.is_empty() => {
                let mut list = Vec::new();
                let mut above_from = from;
                for item in items {
                    let line = self.line_of(item.at.start);
                    let mut value = self.block(item, line);
                    let mut above = self.above(above_from, line);
                    if let Value::Map(map) = &mut value
                        && let Some(first) = map.entries.first_mut()
                    {
                        above.append(&mut first.above);
                    }
                    let beside = self.beside(item.at.start, item, &value);
                    above_from = self.line_of(self.end(item, item.at.start)) + 1;
                    list.push(Item { value, above, beside });
                }
                Value::List(list)
            }
            _ => Value::Plain(self.plain(node)),
        }
    }

    /// The last byte that a node takes.
    fn end(&self, node: &Node, otherwise: usize) -> usize {
        let inner = match &node.kind {
            Kind::Map(entries) if !self.is_flow(node) => {
                entries.last().map(|entry| self.end(&entry.value, entry.key.at.end))
            }
            Kind::List(items) if !self.is_flow(node) => items.last().map(|item| self.end(item, item.at.start)),
            Kind::Map(_) | Kind::List(_) if self.is_flow(node) => Some(self.flow_end(node.at.start)),
            _ => Some(node.at.end),
        };
        let end = inner.unwrap_or(otherwise).max(otherwise).min(self.text.len());
        end - (self.text[..end].len() - self.text[..end].trim_end().len())
    }

    /// One past the bracket that closes the one at `start`.
    fn flow_end(&self, start: usize) -> usize {
        let (mut depth, mut quote, mut before) = (0, None, ' ');
        let mut comment = false;
        for (at, c) in self.text[start..].char_indices() {
            match (quote, c) {
                _ if comment => comment = c != '\n',
                (Some('"'), '"') if before == '\\' => {}
                (Some(open), _) => quote = (c != open).then_some(open),
                (None, '"' | '\'') if matches!(before, ' ' | ',' | '{' | '[' | ':' | '\n') => quote = Some(c),
                (None, '#') if before.is_whitespace() => comment = true,
                (None, '{' | '[') => depth += 1,
                (None, '}' | ']') => depth -= 1,
                _ => {}
            }
            before = if before == '\\' && c == '\\' { ' ' } else { c };
            if depth == 0 {
                return start + at + 1;
            }
        }
        self.text.len()
    }

    fn is_flow(&self, node: &Node) -> bool {
        let collection = matches!(node.kind, Kind::Map(_) | Kind::List(_));
        collection && self.text[node.at.start.min(self.text.len())..].starts_with(['{', '['])
    }

    fn plain(&self, node: &Node) -> String {
        let end = if self.is_flow(node) { self.flow_end(node.at.start) } else { node.at.end };
        let written = self.text.get(node.at.start..end).unwrap_or_default().trim_end();
        match &node.kind {
            _ if node.is_null() => written.to_owned(),
            Kind::Scalar { text, plain, .. } => {
                let on_one_line = !written.contains('\n') && !written.is_empty();
                let quoted = written.starts_with(['"', '\'']);
                if on_one_line && (*plain || quoted) { written.to_owned() } else { super::write::quote(text) }
            }
            _ => written.to_owned(),
        }
    }

    /// The comment and empty lines between two lines.
    fn above(&self, from: usize, to: usize) -> Vec<String> {
        let lines = (from..to).map(|line| self.line(line).trim());
        let comment = |line: &'a str| match line.strip_prefix('#')? {
            "" => Some("#".to_owned()),
            rest => Some(rest.strip_prefix(' ').unwrap_or(rest).to_owned()),
        };
        lines.filter_map(|line| if line.is_empty() { Some(String::new()) } else { comment(line) }).collect()
    }

    /// The comment on the line on which a value stands, or on which a block begins.
    fn beside(&self, key_end: usize, node: &Node, value: &Value) -> Option<String> {
        let from = match value {
            Value::Plain(_) => self.end(node, key_end),
            _ => key_end,
        };
        let line = self.line_of(from);
        let line_end = self.lines.get(line).copied()? + self.line(line).len();
        let rest = self.text.get(from..line_end)?;
        let at = rest.find(" #").or_else(|| rest.find("\t#"))?;
        let before = rest[..at].trim();
        let only_colon = before.is_empty() || before == ":";
        (matches!(value, Value::Plain(_)) || only_colon).then(|| rest[at + 2..].trim().to_owned())
    }

    /// Flow style as a tree.
    fn unfolded(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::Map(entries) => {
                let entry = |entry: &tree::Entry| Entry {
                    key: entry.key.text.clone(),
                    value: self.unfolded(&entry.value),
                    above: Vec::new(),
                    beside: None,
                };
                Value::Map(Map { entries: entries.iter().map(entry).collect() })
            }
            Kind::List(items) => Value::List(items.iter().map(|item| Item::new(self.unfolded(item))).collect()),
            _ => Value::Plain(self.plain(node)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_our_style_goes_out_as_it_came_in() {
        let text = "# A shop,\n# small.\n\nname: shop   # its name\nservices:\n  # The way in.\n  gateway:\n    workers: 100  # threads\n    \
                    endpoints:\n      checkout:\n        steps:\n          - work: 1ms  # CPU\n          # then\n          - call: order.place\n    \
                    calls:\n      order: {timeout: 1s, retry: {attempts: 3}}\n\n# What comes in.\nload:\n  - {name: users, to: gateway.checkout, rate: 100/s}\n";
        let doc = Doc::parse(text, 0).unwrap();
        assert_eq!(doc.render(), text.replace("shop   #", "shop  #"));
    }

    #[test]
    fn a_value_inside_flow_style_can_be_set() {
        let mut doc = Doc::parse("services:\n  a:\n    calls: {b: {timeout: 1s}}  # quick\n", 0).unwrap();
        doc.root.map("services").map("a").map("calls").map("b").set("timeout", "2s", "new");
        assert_eq!(doc.render(), "services:\n  a:\n    calls:  # quick\n      b:\n        timeout: 2s  # new\n");
    }

    #[test]
    fn every_built_in_topology_means_the_same_after_a_trip() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let again = Doc::parse(&text, 0).unwrap().render();
            let no_files = |_: &str| Err("no files".to_owned());
            let [before, after] = [&text, &again].map(|text| squall_model::spec::read(text, &[], &no_files));
            let [before, after_topology] = [before.topology, after.topology.clone()].map(|topology| {
                let topology = topology.unwrap();
                let said: Vec<String> = topology.expect.iter().map(|expect| expect.text.clone()).collect();
                (squall_model::spec::Topology { expect: vec![], ..topology }, said)
            });
            assert!(before == after_topology, "{}\n{again}", path.display());
            assert_eq!(after.problems, vec![], "{}\n{again}", path.display());
            let comments = |text: &str| text.lines().filter(|line| line.contains('#')).count();
            assert_eq!(comments(&text), comments(&again), "{}\n{again}", path.display());
            assert_eq!(Doc::parse(&again, 0).unwrap().render(), again, "{}", path.display());
        }
    }
}
