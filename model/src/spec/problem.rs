//! What is wrong with a topology, and how to mend it. Knows nothing of how it is shown.

use super::At;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The topology cannot be used.
    Error,
    /// It can, but will probably not do what was wanted.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The offending text.
    pub at: At,
    /// What is wrong: a lower-case fragment that names the offending text.
    pub what: String,
    /// What is allowed there, or what was probably meant.
    pub hint: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The name of the lint that found it; `None` for everything else.
    pub lint: Option<&'static str>,
    /// Whether it may be there only because something else could not be read, so that it is not told of.
    pub(crate) follows: bool,
}

impl Problem {
    /// An error at `at`.
    pub fn error(at: At, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: None, severity: Severity::Error, lint: None, follows: false }
    }

    /// A warning of `lint` at `at`.
    pub fn warning(at: At, lint: &'static str, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: None, severity: Severity::Warning, lint: Some(lint), follows: false }
    }

    /// The same, not to be told of if it `follows` from something that could not be read.
    #[must_use]
    pub(crate) const fn unless(mut self, follows: bool) -> Self {
        self.follows |= follows;
        self
    }

    /// The same with a way to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// In the order of the file, each once.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.at, &a.what).cmp(&(b.at, &b.what)));
    problems.dedup_by(|a, b| a.at == b.at && a.what == b.what);
    problems
}

/// The hint for `written` where only `allowed` is known: the nearest one if it is near, then all of them.
pub fn did_you_mean(written: &str, allowed: &[&str]) -> String {
    let near = nearest(written, allowed).map(|name| format!("did you mean `{name}`?"));
    let all = (!allowed.is_empty()).then(|| format!("known: {}", listed(allowed)));
    match (near, all) {
        (Some(near), Some(all)) => format!("{near} {all}"),
        (None, Some(all)) => all,
        (_, None) => "there are none".into(),
    }
}

/// The one of `allowed` that is most like `written`, if it is like it at all.
pub(super) fn nearest<'a>(written: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let far = |name: &&str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let best = allowed.iter().copied().min_by_key(far)?;
    let limit = written.chars().count().max(best.chars().count()).div_ceil(3);
    (far(&best) <= limit).then_some(best)
}

/// At most thirty names; the rest is counted.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 30;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
