//! What a system of fake services does, written once, as pure state machines; and the topology file that describes it.
//!
//! Knows no clock, no socket and no report: time and random seeds come in, observations go out.

pub mod check;
pub mod dist;
pub mod machine;
pub mod observation;
pub mod plan;
pub mod rng;
pub mod spec;
pub mod trace;
pub mod workload;

pub use squall_policies::{Outcome, Random, SimTime, Span};
