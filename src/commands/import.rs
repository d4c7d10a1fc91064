//! `squall import`: other tools' files, as a topology.

use std::io;
use std::path::Path;

use squall_exchange::import::{self, Format, Imported, Input, Options};
use squall_model::spec::{self, Problem, line_and_column};

use crate::cli::Import;
use crate::diagnostics::Sources;
use crate::exit::Exit;
use crate::output;
use crate::topologies::read_text;

/// Longest file that is read.
const LONGEST: u64 = 256 << 20;

/// Reads the files, and writes the topology.
pub(crate) fn run(import: &Import, quiet: bool) -> io::Result<Exit> {
    let Some(name) = import.format.as_deref().filter(|_| !import.formats) else { return list() };
    let Some((_, format, _)) = Format::ALL.iter().find(|(known, ..)| *known == name) else { return list() };
    let mut texts = Vec::new();
    for file in &import.files {
        let Some(text) = read_text(file, LONGEST)? else { return Ok(Exit::Wrong) };
        texts.push((file.as_str(), text));
    }
    let into = match &import.into {
        Some(path) if path.exists() => match read_text(&path.to_string_lossy(), LONGEST)? {
            Some(text) => Some((path.to_string_lossy().into_owned(), text)),
            None => return Ok(Exit::Wrong),
        },
        _ => None,
    };
    bring(import, *format, &texts, into.as_ref(), quiet)
}

fn bring(
    import: &Import,
    format: Format,
    texts: &[(&str, String)],
    into: Option<&(String, String)>,
    quiet: bool,
) -> io::Result<Exit> {
    let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
    let base = into.map(|(name, text)| Input { name, text });
    let options = Options {
        from: import.from.clone(),
        to: import.to.clone(),
        profile: import.profile.clone(),
        outcomes: import.outcome.clone(),
    };
    let files = || inputs.iter().chain(&base).map(|input| (input.name, input.text));
    match import::import(format, &inputs, base, &options) {
        Err(problems) => {
            output::problem(&Sources::of_files(files()).render(&problems))?;
            Ok(Exit::Wrong)
        }
        Ok(imported) => {
            if !quiet {
                output::problem(&notes(&imported, &files().collect::<Vec<_>>()))?;
            }
            hand_over(import, &imported, quiet)
        }
    }
}

/// One line a note: where, what sort, what, and a way to mend it.
fn notes(imported: &Imported, files: &[(&str, &str)]) -> String {
    let line = |note: &Problem| {
        let (name, text) = files.get(usize::from(note.at.source)).copied().unwrap_or_default();
        let (line, column) = line_and_column(text, note.at.start);
        let hint = note.hint.as_ref().filter(|hint| !hint.is_empty());
        let hint = hint.map(|hint| format!("\n    {hint}")).unwrap_or_default();
        format!("{name}:{line}:{column}: {}: {}{hint}\n", note.lint.unwrap_or("note"), note.what)
    };
    imported.notes.iter().map(line).collect()
}

/// Writes the topology where it is wanted, and says what is rarely wise about it.
fn hand_over(import: &Import, imported: &Imported, quiet: bool) -> io::Result<Exit> {
    let text = imported.doc.render();
    let path = import.output.as_deref().or(import.into.as_deref()).filter(|path| *path != Path::new("-"));
    let Some(path) = path else {
        output::result(&text)?;
        return Ok(Exit::Held);
    };
    if let Err(error) = std::fs::write(path, &text) {
        output::error(&format!("cannot write `{}`: {error}", path.display()), None)?;
        return Ok(Exit::CouldNotRun);
    }
    if !quiet {
        let name = path.display().to_string();
        let files = |file: &str| std::fs::read_to_string(path.with_file_name(file)).map_err(|error| error.to_string());
        match spec::load(&text, &[], &files) {
            Ok(loaded) => output::problem(&Sources::new(&name, &text, &[]).render(&loaded.warnings))?,
            Err(problems) => output::problem(&Sources::new(&name, &text, &[]).render(&problems))?,
        }
        output::result(&format!("{name} is written; next: squall run {name}\n"))?;
    }
    Ok(Exit::Held)
}

fn list() -> io::Result<Exit> {
    let line = |(name, _, about): &(&str, Format, &str)| format!("{name:<14}{about}\n");
    output::result(&Format::ALL.iter().map(line).collect::<String>())?;
    Ok(Exit::Held)
}
