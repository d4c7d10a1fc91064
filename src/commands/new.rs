//! `squall new`: a commented topology file to start from.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use crate::cli::New;
use crate::exit::Exit;
use crate::output;

/// The file, but for its name.
const STARTER: &str = include_str!("new.yaml");

/// Writes NAME.yaml, unless there is one.
pub(crate) fn run(new: &New, quiet: bool) -> io::Result<Exit> {
    let name = new.name.strip_suffix(".yaml").unwrap_or(&new.name);
    if !is_name(name) {
        let what = format!("`{}` cannot be a name", new.name);
        output::error(&what, Some("names are letters, digits, `_` and `-`"))?;
        return Ok(Exit::Wrong);
    }
    let path = format!("{name}.yaml");
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(starter(name).as_bytes())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            output::error(&format!("`{path}` is already there"), Some("choose another name, or remove it first"))?;
            return Ok(Exit::Wrong);
        }
        Err(error) => {
            output::error(&format!("cannot write `{path}`: {error}"), None)?;
            return Ok(Exit::CouldNotRun);
        }
    }
    if !quiet {
        output::result(&format!("{path} is written; next: squall check {path}\n"))?;
    }
    Ok(Exit::Held)
}

fn starter(name: &str) -> String {
    STARTER.replacen("NAME", name, 1)
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && !name.starts_with('-') && name.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::spec;

    #[test]
    fn the_starter_file_is_without_fault_or_warning() {
        let loaded = spec::load(&starter("first"), &[], &|_| Err("no files".into())).unwrap();
        assert_eq!(loaded.topology.name.value, "first");
        assert_eq!(loaded.warnings, []);
    }
}
