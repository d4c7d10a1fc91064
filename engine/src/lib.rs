//! The sim world: runs a plan in virtual time, on one thread, the same bits every time.
//!
//! Knows no HTTP, no files and no clock. What a service does comes from `squall-model`; this crate only decides what
//! happens next.

mod heads;
mod heap;
mod network;
mod queue;
mod ring;
mod run;
mod soon;

pub use run::{Ended, run, run_while};
