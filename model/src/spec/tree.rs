//! YAML as a tree of text with positions. Scalars stay as they were written: what `1e999` or `on` means is for whoever
//! decodes them. Knows nothing of topologies.

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks, StrInput};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{At, Problem};

/// Longest text, in bytes.
pub const MAX_BYTES: usize = 2 << 20;
/// Longest text of another tool, in bytes.
const MAX_FOREIGN_BYTES: usize = 16 << 20;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// Most nodes, those that aliases repeat included.
pub const MAX_NODES: usize = 1_000_000;

/// One value of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub at: At,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text; `plain` if it was written without quotes; `verbatim` is where exactly this text stands in the source.
    Scalar {
        /// The text, quotes and escapes resolved.
        text: String,
        /// Written without quotes.
        plain: bool,
        /// First byte of the text if the source holds it letter by letter.
        verbatim: Option<usize>,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
    /// Something that has already been reported.
    Broken,
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// The key of an entry.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub at: At,
    /// It stands in no file: an override's path made it up.
    pub made_up: bool,
}

impl Node {
    /// A mapping without entries.
    pub fn empty(at: At) -> Self {
        Self { at, kind: Kind::Map(Vec::new()) }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> &[Entry] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Self] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The value under `key`, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key.text == key).map(|entry| &entry.value)
    }

    /// The same, to change it.
    pub fn entry_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Kind::Map(entries) = &mut self.kind else { return None };
        entries.iter_mut().find(|entry| entry.key.text == key).map(|entry| &mut entry.value)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// Nothing was written, or `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// Where `range` of this scalar's text stands; the whole scalar where its text is not in the source letter by letter.
    pub fn part(&self, range: core::ops::Range<usize>) -> At {
        match &self.kind {
            Kind::Scalar { verbatim: Some(first), .. } => {
                At::new(self.at.source, first + range.start..first + range.end)
            }
            _ => self.at,
        }
    }

    /// What a person would call this: for messages.
    pub fn shown(&self) -> String {
        match &self.kind {
            _ if self.is_null() => "nothing".into(),
            Kind::Scalar { text, .. } => format!("`{}`", shortened(text)),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a mapping".into(),
            Kind::Broken => "something broken".into(),
        }
    }
}

/// The first forty characters, on one line.
pub fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(41).collect();
    if line.chars().count() <= 40 { line } else { line.chars().take(40).chain(['…']).collect() }
}

/// Reads one YAML document. `source` and `offset` say where `text` stands. The tree is whole but for what is reported.
pub fn parse(text: &str, source: u16, offset: usize) -> (Option<Node>, Vec<Problem>) {
    let place = Place::new(text, source, offset);
    if text.len() > MAX_BYTES {
        let problem = Problem::error(place.at(0, 1), "longer than a topology may be")
            .hint(format!("at most {} MiB", MAX_BYTES >> 20));
        return (None, vec![problem]);
    }
    Builder::new(text, place).build()
}

/// Reads what another tool's file holds: any number of documents, longer than a topology, tags and all. Empty documents
/// are left out.
pub fn parse_foreign(text: &str, source: u16) -> (Vec<Node>, Vec<Problem>) {
    let place = Place::new(text, source, 0);
    if text.len() > MAX_FOREIGN_BYTES {
        let hint = format!("at most {} MiB", MAX_FOREIGN_BYTES >> 20);
        return (Vec::new(), vec![Problem::error(place.at(0, 1), "longer than such a file may be").hint(hint)]);
    }
    let mut builder = Builder { foreign: true, ..Builder::new(text, place) };
    let mut parser = Parser::new_from_str(text);
    if let Err(problem) = builder.read(&mut parser) {
        builder.problems.push(problem);
        builder.root = None;
    }
    builder.documents.extend(builder.root.take());
    builder.documents.retain(|document| !document.is_null());
    (builder.documents, builder.problems)
}

/// Turns the parser's positions, which count characters, into bytes.
struct Place {
    source: u16,
    offset: usize,
    /// First byte of each character; empty if every character is one byte.
    bytes: Vec<usize>,
    length: usize,
}

impl Place {
    fn new(text: &str, source: u16, offset: usize) -> Self {
        let bytes = if text.is_ascii() || text.len() > MAX_FOREIGN_BYTES {
            Vec::new()
        } else {
            text.char_indices().map(|(byte, _)| byte).collect()
        };
        Self { source, offset, bytes, length: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.length);
        }
        self.bytes.get(character).copied().unwrap_or(self.length)
    }

    fn at(&self, start: usize, end: usize) -> At {
        At::new(self.source, self.offset + start..self.offset + end.max(start))
    }
}

/// A list or mapping that is being read.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
    /// The keys so far.
    seen: BTreeSet<String>,
}

/// Builds the tree from the parser's events, with an explicit stack: depth is a limit, not a crash.
struct Builder<'a> {
    text: &'a str,
    place: Place,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, Extent)>,
    root: Option<Node>,
    /// Those before the last one; only of another tool's file.
    documents: Vec<Node>,
    foreign: bool,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, place: Place) -> Self {
        Self {
            text,
            place,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            documents: Vec::new(),
            foreign: false,
            nodes: 0,
            problems: Vec::new(),
        }
    }

    fn build(mut self) -> (Option<Node>, Vec<Problem>) {
        let mut parser = Parser::new_from_str(self.text);
        if let Err(problem) = self.read(&mut parser) {
            self.problems.push(problem);
            self.root = None;
        }
        (self.root, self.problems)
    }

    fn read(&mut self, parser: &mut Parser<'a, StrInput<'a>>) -> Result<(), Problem> {
        while let Some(event) = parser.next_event() {
            let (event, marks) = event.map_err(|e| self.unreadable(&e))?;
            self.take(event, marks)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'a>, marks: Marks) -> Result<(), Problem> {
        let at = self.place.at(self.place.byte(marks.start.index()), self.place.byte(marks.end.index()));
        match event {
            Event::DocumentStart(_) if self.foreign => self.documents.extend(self.root.take()),
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(
                    Problem::error(at, "a second document").hint("one file is one experiment: make it two files")
                );
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.start(Node { at, kind: Kind::List(Vec::new()) }, anchor)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.start(Node::empty(at), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let node = self.scalar(&text, style, at);
                self.count(1, at)?;
                self.put(node, anchor);
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.count(1, node.at)?;
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(node.at));
        }
        self.open.push(Open { node, anchor, key: None, seen: BTreeSet::new() });
        Ok(())
    }

    fn end(&mut self, at: At) {
        let Some(mut open) = self.open.pop() else { return };
        open.node.at.end = at.end.max(open.node.at.start);
        if !self.foreign {
            self.mend_commas(&mut open.node);
        }
        self.put(open.node, open.anchor);
    }

    fn alias(&mut self, anchor: usize, at: At) -> Result<(), Problem> {
        let Some((node, extent)) = self.anchors.get(&anchor) else {
            return Err(Problem::error(at, "an alias that contains itself").hint("write the value out"));
        };
        if self.open.len() + extent.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let (node, nodes) = (node.clone(), extent.nodes);
        self.count(nodes, at)?;
        self.put(node, 0);
        Ok(())
    }

    /// Refuses a file that unfolds into more nodes than any real one has.
    fn count(&mut self, nodes: usize, at: At) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            Err(Problem::error(at, "the file unfolds into too many values")
                .hint(format!("at most {MAX_NODES}, those that aliases repeat included")))
        } else {
            Ok(())
        }
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), extent(&node)));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match parent.key.take() {
                None => parent.key = Some(as_key(&node, &mut self.problems)),
                Some(key) if parent.seen.insert(key.text.clone()) => entries.push(Entry { key, value: node }),
                Some(key) => {
                    let what = format!("`{}` is given twice", shortened(&key.text));
                    self.problems.push(Problem::error(key.at, what).hint("keep one of the two"));
                }
            },
            _ => {}
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, at: At) -> Node {
        let plain = style == ScalarStyle::Plain;
        let first = at.start - self.place.offset + usize::from(!plain);
        let verbatim = self.text.get(first..).is_some_and(|rest| rest.starts_with(text));
        let verbatim = verbatim.then_some(first + self.place.offset);
        Node { at, kind: Kind::Scalar { text: text.to_owned(), plain, verbatim } }
    }

    fn refuse_tag(&mut self, tagged: bool, at: At) {
        if tagged && !self.foreign {
            self.problems.push(Problem::error(at, "a YAML tag").hint("values need no tags here: leave it out"));
        }
    }

    /// `{wait: uniform(1s, 2s)}` is two entries to YAML. Says so once, instead of twice something else.
    fn mend_commas(&mut self, node: &mut Node) {
        match &mut node.kind {
            Kind::Map(entries) => {
                let all = core::mem::take(entries);
                let mut cut = false;
                for entry in all {
                    let rest = cut && entry.value.is_null();
                    cut = if rest { !entry.key.text.ends_with(')') } else { is_cut(&entry.value) };
                    match entries.last_mut() {
                        Some(first) if rest => self.join(&mut first.value, entry.key.at),
                        _ => entries.push(entry),
                    }
                }
            }
            Kind::List(items) => {
                let all = core::mem::take(items);
                let mut cut = false;
                for item in all {
                    let rest = core::mem::replace(&mut cut, is_cut(&item));
                    if let (true, Some(text)) = (rest, item.text()) {
                        cut = !text.ends_with(')');
                    }
                    match items.last_mut() {
                        Some(first) if rest => self.join(first, item.at),
                        _ => items.push(item),
                    }
                }
            }
            _ => {}
        }
    }

    /// Reports `first`, which a comma has cut, and lets what is reported grow up to `rest`.
    fn join(&mut self, first: &mut Node, rest: At) {
        first.at.end = rest.end;
        if let Kind::Scalar { text, .. } = &first.kind {
            let name = text.split('(').next().unwrap_or_default();
            let what = format!("a comma inside `{{ }}` or `[ ]` ends the value, so `{}` is cut off", shortened(text));
            let hint = format!("set the arguments apart by spaces, `{name}(… …)`, or put the value in quotes");
            self.problems.push(Problem::error(first.at, what).hint(hint));
            first.kind = Kind::Broken;
        } else if let Some(problem) = self.problems.last_mut() {
            problem.at.end = rest.end;
        }
    }

    fn unreadable(&self, error: &saphyr_parser::ScanError) -> Problem {
        let start = self.place.byte(error.marker().index());
        let end = (start + 1..=self.text.len()).find(|&end| self.text.is_char_boundary(end)).unwrap_or(start);
        let at = self.place.at(start, end);
        if error.info().split_whitespace().any(|word| word.starts_with("tab")) {
            return Problem::error(at, "not YAML: a tab").hint("indent with spaces");
        }
        if error.info().contains("recursion limit") {
            return too_deep(at);
        }
        Problem::error(at, format!("not YAML: {}", error.info()))
    }
}

/// A plain value such as `uniform(1s`, which a comma has cut.
fn is_cut(node: &Node) -> bool {
    let Kind::Scalar { text, plain: true, .. } = &node.kind else { return false };
    text.matches('(').count() > text.matches(')').count()
}

fn as_key(node: &Node, problems: &mut Vec<Problem>) -> Key {
    let text = if let Some(text) = node.text() {
        Cow::from(text)
    } else {
        problems.push(Problem::error(node.at, format!("{} as a key", node.shown())).hint("keys are plain words"));
        Cow::from("?")
    };
    Key { text: text.into_owned(), at: node.at, made_up: false }
}

fn too_deep(at: At) -> Problem {
    Problem::error(at, "nested too deeply").hint(format!("at most {MAX_DEPTH} levels"))
}

/// How large a tree is, its root included.
#[derive(Clone, Copy)]
struct Extent {
    nodes: usize,
    depth: usize,
}

fn extent(node: &Node) -> Extent {
    let inner = |all: Extent, one: Extent| Extent { nodes: all.nodes + one.nodes, depth: all.depth.max(one.depth) };
    let none = Extent { nodes: 0, depth: 0 };
    let below = match &node.kind {
        Kind::List(items) => items.iter().map(extent).fold(none, inner),
        Kind::Map(entries) => entries.iter().map(|entry| extent(&entry.value)).fold(none, inner),
        _ => none,
    };
    Extent { nodes: below.nodes + 1, depth: below.depth + 1 }
}
