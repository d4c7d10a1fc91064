//! Shows what is wrong with a topology: file, line and column, the offending text underlined, and how to mend it.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use squall_model::spec::{Problem, Severity, line_and_column};

/// More problems than this are counted, not shown.
const SHOWN: usize = 200;
/// Longest line shown whole; of a longer one only the part around the problem.
const LINE: usize = 160;

/// The texts that positions point into.
pub(crate) struct Sources<'a> {
    /// Names and texts: the file, then what else positions may point into.
    texts: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Sources<'a> {
    /// The file `text`, called `name`, and the overrides.
    pub(crate) fn new(name: &'a str, text: &'a str, sets: &[(String, String)]) -> Self {
        let set = |(path, value): &(String, String)| ("--set", Cow::from(format!("{path}={value}")));
        let texts = core::iter::once((name, Cow::from(text))).chain(sets.iter().map(set)).collect();
        Self { texts }
    }

    /// The same, the last of whose overrides were not written with `--set` but with these flags.
    pub(crate) fn with_flags(mut self, flags: &[&'a str]) -> Self {
        for ((name, _), flag) in self.texts.iter_mut().rev().zip(flags.iter().rev()) {
            *name = flag;
        }
        self
    }

    /// The same with goals, which come after the overrides.
    pub(crate) fn with_goals(mut self, goals: &[String]) -> Self {
        self.texts.extend(goals.iter().map(|goal| ("--goal", Cow::from(goal.clone()))));
        self
    }

    /// Several files, by the number of their source.
    pub(crate) fn of_files(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self { texts: files.map(|(name, text)| (name, Cow::from(text))).collect() }
    }

    /// All `problems`, with colour codes.
    pub(crate) fn render(&self, problems: &[Problem]) -> String {
        let more = problems.len().saturating_sub(SHOWN);
        let more = (more > 0).then(|| format!("and {more} more\n"));
        problems.iter().take(SHOWN).map(|problem| self.render_one(problem)).chain(more).collect()
    }

    fn render_one(&self, problem: &Problem) -> String {
        let known = self.texts.get(usize::from(problem.at.source));
        let (name, text) = known.map_or(("", ""), |(name, text)| (*name, text.as_ref()));
        let (line, column) = line_and_column(text, problem.at.start);
        let part = Part::of(text, problem.at.start, problem.at.end);
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut title = level.primary_title(problem.what.as_str());
        if let Some(lint) = problem.lint {
            title = title.id(lint);
        }
        let snippet = Snippet::source(part.text).line_start(line);
        let snippet = snippet.annotation(AnnotationKind::Primary.span(part.start..part.end));
        let group = Group::with_title(title);
        let mut group = if part.whole {
            group.element(snippet.path(name))
        } else {
            group.element(Origin::path(name).line(line).char_column(column)).element(snippet)
        };
        if let Some(hint) = &problem.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        format!("{}\n\n", Renderer::styled().render(&[group]))
    }
}

/// The one line that is shown, and the place in it.
struct Part<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    /// The whole line is shown: its columns are those of the file.
    whole: bool,
}

impl<'a> Part<'a> {
    fn of(text: &'a str, start: usize, end: usize) -> Self {
        let start = start.min(text.len());
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |newline| start + newline);
        let end = end.clamp(start, line_end);
        let whole = line_end - line_start <= LINE;
        let from = if whole { line_start } else { start.saturating_sub(LINE / 2).max(line_start) };
        let to = if whole { line_end } else { (start + LINE / 2).min(line_end) };
        let from = (0..=from).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let to = (to..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        Self { text: &text[from..to], start: start - from, end: end.min(to) - from, whole }
    }
}
