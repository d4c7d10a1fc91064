//! The tests of the whole program. One module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::format_push_string,
    reason = "tests may stop, and need not be fast"
)]

mod by_hand;
mod check;
mod exchange;
mod hostile;
mod licences;
mod live;
mod pipelines;
mod policies;
mod program;
mod relays;
mod replay;
mod resources;
mod run;
mod schema;
mod streams;
mod swarm;
mod sweeps;
mod theory;
mod tuning;
mod why;

use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::cmd::OutputAssert;

/// A file of `tests/files`.
fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name).to_string_lossy().into_owned()
}

/// Runs `squall` with `arguments` in the folder of the test files.
fn squall(arguments: &[&str]) -> OutputAssert {
    squall_in(Path::new(&file("")), arguments)
}

fn squall_in(folder: &Path, arguments: &[&str]) -> OutputAssert {
    let command = snapbox::cmd::Command::from(command(folder, arguments));
    command.assert()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.current_dir(folder).args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// An empty folder of its own for the test `name`.
fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What was written to standard output and standard error.
fn written(assert: &OutputAssert) -> (String, String) {
    let output = assert.get_output().clone();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}
