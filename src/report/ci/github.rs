//! Workflow commands of GitHub Actions: an error a line, at the line of the topology file that it is about.
//!
//! A regression whose cause is known is one annotation, at the setting that changed; the expectations that it broke are
//! told there and not once more.

use super::{Case, settings};

/// The annotations of all cases.
pub(crate) fn render(cases: &[Case<'_>]) -> String {
    cases.iter().flat_map(of_case).collect()
}

fn of_case(case: &Case<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut told = Vec::new();
    if let Some(comparison) = case.regression() {
        let changes = settings(&comparison.settings);
        let message = if changes.is_empty() {
            comparison.sentence.clone()
        } else {
            format!("{changes}; {}", comparison.sentence)
        };
        lines.push(annotation(case, case.changed_at, "a figure regressed", &message));
        told.clone_from(&comparison.broken);
    }
    for (expectation, line) in case.expectations().filter(|(expectation, _)| !expectation.pass) {
        if !told.contains(&expectation.text) {
            let message = format!("{}: {}", expectation.text, expectation.actual);
            lines.push(annotation(case, line, "an expectation failed", &message));
        }
    }
    lines
}

fn annotation(case: &Case<'_>, line: Option<usize>, title: &str, message: &str) -> String {
    let place = match (case.file, line) {
        (Some(file), Some(line)) => format!("file={},line={line},", property(file)),
        (Some(file), None) => format!("file={},", property(file)),
        (None, _) => String::new(),
    };
    format!("::error {place}title={}::{}\n", property(&format!("{}: {title}", case.name)), data(message))
}

/// As GitHub's runner reads a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it reads a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
