//! What the exit codes mean. Scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything held.
    Held = 0,
    /// An expectation failed, or a figure regressed.
    Failed = 1,
    /// The file or the command line is wrong.
    Wrong = 2,
    /// It could not run: a disk is full, a port taken, a target unreachable.
    CouldNotRun = 3,
    /// Interrupted; the report so far is still written.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
