//! `squall completions`: what a shell needs to complete this program's command line.

use std::io;

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::exit::Exit;
use crate::output;

/// Prints them.
pub(crate) fn run(completions: &Completions) -> io::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "squall", &mut script);
    output::result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Held)
}
