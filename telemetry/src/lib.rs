//! What happened in a run, in either world: a recorder that takes the machines' observations, and everything that is
//! read from it afterwards.
//!
//! Pure: knows no clock, no file and no terminal, and not which world the observations come from.

mod digest;
mod histogram;

pub use digest::{Digest, FORMAT, Fingerprint};
pub use histogram::Histogram;
