//! One file a command: from what was typed to an exit code.

mod capacity;
mod check;
mod compare;
mod completions;
mod diagnose;
mod export;
mod import;
mod isolate;
mod list;
mod load;
mod new;
mod replay;
pub(crate) mod run;
mod schema;
pub(crate) mod sweep;
mod trace;
mod tune;
mod twin;
mod up;

use std::io;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

/// Does what was typed. An error is one of writing.
pub(crate) fn run(cli: &Cli) -> io::Result<Exit> {
    match &cli.command {
        Command::Run(run) => run::run(run, cli.quiet),
        Command::Compare(compare) => compare::run(compare, cli.quiet),
        Command::Trace(trace) => trace::run(trace, cli.quiet),
        Command::Diagnose(command) => diagnose::run(command, cli.quiet),
        Command::Isolate(command) => isolate::run(command, cli.quiet),
        Command::Capacity(command) => capacity::run(command, cli.quiet),
        Command::Twin(twin) => twin::run(twin),
        Command::Up(up) => up::run(up, cli.quiet),
        Command::Load(load) => load::run(load, cli.quiet),
        Command::Check(check) => check::run(check, cli.quiet),
        Command::Export(export) => export::run(export, cli.quiet),
        Command::Import(import) => import::run(import, cli.quiet),
        Command::Replay(replay) => replay::run(replay, cli.quiet),
        Command::List => list::run(),
        Command::New(new) => new::run(new, cli.quiet),
        Command::Sweep(sweep) => sweep::run(sweep, cli.quiet),
        Command::Tune(tune) => tune::run(tune, cli.quiet),
        Command::Schema => schema::run(),
        Command::Completions(completions) => completions::run(completions),
    }
}
