//! What happened in a run, in either world: a recorder that takes the machines' observations, and everything that is
//! read from it afterwards.
//!
//! Pure: knows no clock, no file and no terminal, and not which world the observations come from. The way is:
//! [`Recorder`] takes observations, [`Recording`] is what it leaves behind, [`report::Report`] is what people and
//! programs read.

#![expect(
    clippy::inline_always,
    reason = "the kind of an observation is known where it is made: inlined there, deciding by kind costs nothing"
)]

mod because;
mod blame;
mod causes;
mod changes;
mod clock;
pub mod compare;
mod digest;
mod expect;
pub mod figures;
mod firsts;
pub mod format;
mod fresh;
mod graph;
mod histogram;
mod levels;
mod named;
mod recorder;
mod recording;
mod recovery;
pub mod report;
mod resources;
mod saturation;
pub mod sentence;
mod shelf;
pub mod stats;
mod summary;
mod tallies;
#[cfg(test)]
mod testing;
mod through;
mod timeline;
pub mod trace;
mod varint;
mod verdicts;
mod ways;
mod web;
mod windows;
mod wording;

pub use clock::step_for;
pub use digest::{Digest, FORMAT, Fingerprint};
pub use histogram::Histogram;
pub use named::Named;
pub use recorder::{BreakerChange, FaultRecord, Recorder};
pub use recording::{Little, Recording};
pub use summary::Run;
