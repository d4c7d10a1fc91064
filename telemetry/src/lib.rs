//! What happened in a run, in either world: a recorder that takes the machines' observations, and everything that is
//! read from it afterwards.
//!
//! Pure: knows no clock, no file and no terminal, and not which world the observations come from.

mod clock;
mod digest;
mod firsts;
mod histogram;
mod levels;
mod recorder;
mod recording;
mod saturation;
mod shelf;
mod tallies;
#[cfg(test)]
mod testing;
mod windows;

pub use clock::step_for;
pub use digest::{Digest, FORMAT, Fingerprint};
pub use histogram::Histogram;
pub use recorder::{BreakerChange, FaultRecord, Recorder};
pub use recording::{Little, Recording};
