//! Resilience policies as pure state machines. They are told the time and given random bits; they own no clock, no
//! queue and no thread, and know nothing of topologies or HTTP.

mod random;
mod time;

pub use random::Random;
pub use time::{SimTime, Span};
