//! The `squall` program: storms a graph of fake services and shows what breaks.
//!
//! Parses the command line, hands it to one command, and turns the outcome into an exit code. Knows nothing of how
//! things work inside.

mod cli;
mod commands;
mod diagnostics;
mod exit;
mod hdr;
mod interrupt;
mod live;
mod output;
mod report;
mod topologies;
mod why;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::choose_color(cli.color);
    let outcome = commands::run(&cli);
    match outcome {
        Ok(exit) => exit,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Held,
        Err(error) => {
            // Standard error is the last place left to say so; if that fails too, the exit code remains.
            let _ = output::error(&format!("cannot write: {error}"), None);
            Exit::CouldNotRun
        }
    }
    .into()
}
