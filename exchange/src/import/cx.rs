//! What every importer shares: the files as trees, notes and mistakes, and the topology in the making. Knows no dialect.

use std::collections::BTreeSet;

use squall_model::spec::tree::Node;
use squall_model::spec::{self, At, Problem, Step};

use super::{Format, Imported, Input, Options, note, skeleton, sorted};
use crate::doc::{Doc, Map, Value};
use crate::read::{self, Fields};

/// What a note is about.
pub(super) const TRAP: &str = "trap";
pub(super) const NOT_MAPPED: &str = "not-mapped";
pub(super) const APPROXIMATED: &str = "approximated";

/// The importer's surroundings.
pub(super) struct Cx<'a> {
    pub(super) format: Format,
    pub(super) inputs: &'a [Input<'a>],
    pub(super) options: &'a Options,
    pub(super) doc: Doc,
    /// Whether there was a topology to add to.
    pub(super) added: bool,
    /// Who calls whom already.
    pub(super) edges: BTreeSet<(String, String)>,
    /// Calls that have been given policies, in order.
    pub(super) calls: Vec<(String, String)>,
    pub(super) notes: Vec<Problem>,
    pub(super) errors: Vec<Problem>,
    /// First bytes of the lines of each input: to tell places quickly.
    lines: Vec<Vec<usize>>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(
        format: Format,
        inputs: &'a [Input<'a>],
        into: Option<Input<'a>>,
        options: &'a Options,
    ) -> Result<Self, Vec<Problem>> {
        let source = inputs.len() as u16;
        let doc = into.map_or_else(|| Ok(Doc::default()), |into| Doc::parse(into.text, source))?;
        let edges = into.map(|into| edges(into.text)).unwrap_or_default();
        let starts = |text: &str| core::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let lines = inputs.iter().map(|input| starts(input.text)).collect();
        let (notes, errors, calls) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { format, inputs, options, doc, added: into.is_some(), edges, calls, notes, errors, lines })
    }

    /// The documents of every input.
    pub(super) fn documents(&mut self) -> Vec<Node> {
        let mut all = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let (documents, problems) = read::documents(input.text, index as u16);
            self.errors.extend(problems);
            if documents.is_empty() && self.errors.is_empty() {
                let at = At::new(index as u16, 0..0);
                self.errors
                    .push(Problem::error(at, "the file is empty").hint("name a file that holds a configuration"));
            }
            all.extend(documents);
        }
        all
    }

    /// `application.yml:12`
    pub(super) fn place(&self, at: At) -> String {
        let index = usize::from(at.source);
        let line = self.lines.get(index).map_or(0, |lines| lines.partition_point(|&start| start <= at.start));
        let name = self.inputs.get(index).map_or("?", |input| input.name);
        format!("{}:{line}", name.rsplit('/').next().unwrap_or(name))
    }

    /// Something that surprises people who use this tool.
    pub(super) fn trap(&mut self, at: At, what: impl Into<String>, hint: &str) {
        self.notes.push(note(at, TRAP, what).hint(hint));
    }

    /// Something that has no counterpart here.
    pub(super) fn not_mapped(&mut self, at: At, what: impl Into<String>, hint: &str) {
        let note = note(at, NOT_MAPPED, what);
        self.notes.push(if hint.is_empty() { note } else { note.hint(hint) });
    }

    /// Something whose counterpart here is not quite the same.
    pub(super) fn approximated(&mut self, at: At, what: impl Into<String>, hint: &str) {
        self.notes.push(note(at, APPROXIMATED, what).hint(hint));
    }

    /// Something that cannot be.
    pub(super) fn error(&mut self, at: At, what: impl Into<String>, hint: &str) {
        let error = Problem::error(at, what);
        self.errors.push(if hint.is_empty() { error } else { error.hint(hint) });
    }

    /// Every field that nobody asked for could not be mapped.
    pub(super) fn rest(&mut self, fields: &Fields<'_>, of: &str) {
        for entry in fields.rest() {
            self.not_mapped(entry.key.at, format!("`{}` of {of}", entry.key.text), "");
        }
    }

    /// A name as topologies have them: letters, digits, `_` and `-`.
    #[allow(clippy::unused_self, reason = "names may come to depend on the dialect")]
    pub(super) fn name(&self, text: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
        let name: String = text.chars().map(plain).collect();
        let name = name.trim_matches('-');
        match name {
            "" => "unnamed".into(),
            "default" | "system" | "null" | "none" => format!("{name}-service"),
            _ => name.to_owned(),
        }
    }

    /// Who calls `to`: whoever was named, whoever does in the topology that is added to, or `otherwise`.
    pub(super) fn callers(&self, to: &str, otherwise: &str) -> Vec<String> {
        if let Some(from) = &self.options.from {
            return vec![from.clone()];
        }
        let known: Vec<String> =
            self.edges.iter().filter(|(_, callee)| callee == to).map(|(caller, _)| caller.clone()).collect();
        if known.is_empty() { vec![otherwise.to_owned()] } else { known }
    }

    /// Lays `policy` over how `from` calls `to`.
    pub(super) fn call(&mut self, from: &str, to: &str, policy: &Map) {
        let pair = (from.to_owned(), to.to_owned());
        if !self.calls.contains(&pair) {
            self.calls.push(pair);
        }
        let call = self.service(from).map("calls").map(to);
        overlay(call, policy);
    }

    /// The service `name`, made if it is not there.
    pub(super) fn service(&mut self, name: &str) -> &mut Map {
        self.doc.root.map("services").map(name)
    }

    /// Ends it: the rest of a topology around what was imported, and its header; or every mistake.
    pub(super) fn finish(mut self) -> Result<Imported, Vec<Problem>> {
        if self.errors.is_empty() && self.calls.is_empty() && self.doc.root.is_empty() {
            let what = format!("nothing of {} in here", self.format.name());
            self.errors.push(Problem::error(At::default(), what).hint("is it the right file, and the right format?"));
        }
        if !self.errors.is_empty() {
            return Err(sorted(self.errors));
        }
        skeleton::complete(&mut self);
        self.notes = sorted(self.notes);
        skeleton::header(&mut self);
        Ok(Imported { doc: self.doc, notes: self.notes })
    }
}

/// Puts every entry of `over` into `map`; what was there is remembered in the comment.
fn overlay(map: &mut Map, over: &Map) {
    for entry in over.iter() {
        match (&entry.value, map.value(&entry.key)) {
            (Value::Map(over), Some(Value::Map(known))) if over.value("kind") == known.value("kind") => {
                overlay(map.map(&entry.key), over);
            }
            (_, Some(Value::Plain(before)))
                if Value::Plain(before.clone()) != entry.value && !before.contains('\n') =>
            {
                let was = format!("was {before}");
                let beside = entry.beside.as_ref().map_or_else(|| was.clone(), |beside| format!("{beside}; {was}"));
                map.set(&entry.key, entry.value.clone(), beside);
            }
            _ => map.set(&entry.key, entry.value.clone(), entry.beside.clone().unwrap_or_default()),
        }
    }
}

/// Who calls whom in a topology.
fn edges(text: &str) -> BTreeSet<(String, String)> {
    let no_files = |_: &str| Err("files are not looked at".to_owned());
    let Some(topology) = spec::read(text, &[], &no_files).topology else { return BTreeSet::new() };
    let mut edges = BTreeSet::new();
    for (name, service) in topology.services.iter() {
        for (_, endpoint) in service.endpoints.iter() {
            for step in Step::all(&endpoint.steps) {
                if let Step::Call(call) = &step.value {
                    edges.insert((name.value.clone(), call.to.service.value.clone()));
                }
            }
        }
    }
    edges
}
