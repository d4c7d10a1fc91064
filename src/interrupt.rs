//! Ctrl-C and progress of a long run. The first Ctrl-C ends the run early, and its report is still written; the second
//! ends the program.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use squall_model::SimTime;
use squall_model::plan::Plan;

/// Whether Ctrl-C was pressed.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LISTENING: OnceLock<bool> = OnceLock::new();

/// A run shorter than this shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches over a run.
pub(crate) struct Watch {
    began: Instant,
    /// Made when the run has turned out to be long, and only for a terminal.
    bar: Option<ProgressBar>,
    length: SimTime,
}

impl Watch {
    /// It listens for Ctrl-C from its first look on: most runs are over before.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { began: Instant::now(), bar: None, length: SimTime::ZERO + plan.duration }
    }

    /// Whether somebody sees how far it is.
    pub(crate) const fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Says how it is going.
    pub(crate) fn say(&self, how: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(how);
        }
    }

    /// Shows how far the run is; whether it may go on.
    pub(crate) fn go_on(&mut self, now: SimTime) -> bool {
        listen();
        if self.bar.is_none() && self.began.elapsed() > PATIENCE && std::io::stderr().is_terminal() {
            self.bar = Some(bar(self.length));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(now.as_nanos().min(self.length.as_nanos()) / 1_000_000_000);
        }
        !pressed()
    }
}

/// Begins to listen for Ctrl-C.
pub(crate) fn listen() {
    LISTENING.get_or_init(|| ctrlc::set_handler(interrupt).is_ok());
}

/// Whether Ctrl-C was pressed.
pub(crate) fn pressed() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn interrupt() {
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        std::process::exit(130);
    }
}

fn bar(length: SimTime) -> ProgressBar {
    let template = "{bar:30} {pos} of {len} seconds of the run, {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length.as_nanos() / 1_000_000_000).with_style(style)
}
