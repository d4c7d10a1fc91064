//! Resilience policies as pure state machines. They are told the time and given random bits; they own no clock, no
//! queue and no thread, and know nothing of topologies or HTTP.

pub mod balancer;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
mod check;
mod interval;
mod outcome;
mod random;
pub mod retry;
#[cfg(test)]
mod testing;
mod time;

pub use check::Invalid;
pub use interval::Interval;
pub use outcome::{Outcome, Outcomes};
pub use random::{Random, SplitMix64};
pub use time::{SimTime, Span};
