//! `squall list`: the built-in topologies, and what each is about.

use std::fmt::Write as _;
use std::io;

use crate::cli::Overrides;
use crate::exit::Exit;
use crate::{output, topologies};

/// One line each.
pub(crate) fn run() -> io::Result<Exit> {
    let names: Vec<String> = topologies::built_in().map(|topology| topology.name).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut lines = String::new();
    for topology in topologies::built_in() {
        let Some(loaded) = topology.load(&Overrides::default())? else { return Ok(Exit::Wrong) };
        let about = loaded.topology.about.map(|about| about.value).unwrap_or_default();
        let first = about.split_inclusive(". ").next().unwrap_or_default().trim_end();
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{:width$}  {first}", topology.name);
    }
    output::result(&lines)?;
    Ok(Exit::Held)
}
