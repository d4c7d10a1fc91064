//! The live world's load: when open loops ask, and the connections that users' requests travel over, to any URL. Who
//! asks for what is the machines' matter; this crate knows neither them nor any server.

mod client;
mod schedule;
mod target;

pub use client::{Client, Reply, Unanswered};
pub use schedule::open_loops;
pub use target::{Target, TargetError};
