//! One file a command: from what was typed to an exit code.

mod check;
mod completions;
mod export;
mod import;
mod list;
mod load;
mod new;
mod replay;
mod run;
mod schema;
mod trace;
mod twin;
mod up;

use std::io;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

/// Does what was typed. An error is one of writing.
pub(crate) fn run(cli: &Cli) -> io::Result<Exit> {
    match &cli.command {
        Command::Run(run) => run::run(run, cli.quiet),
        Command::Trace(trace) => trace::run(trace, cli.quiet),
        Command::Twin(twin) => twin::run(twin),
        Command::Up(up) => up::run(up, cli.quiet),
        Command::Load(load) => load::run(load, cli.quiet),
        Command::Check(check) => check::run(check, cli.quiet),
        Command::Export(export) => export::run(export, cli.quiet),
        Command::Import(import) => import::run(import, cli.quiet),
        Command::Replay(replay) => replay::run(replay, cli.quiet),
        Command::List => list::run(),
        Command::New(new) => new::run(new, cli.quiet),
        Command::Schema => schema::run(),
        Command::Completions(completions) => completions::run(completions),
    }
}
