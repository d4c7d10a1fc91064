//! The format's plain values: a number with its unit, or a function of a few of those.

mod dist;
mod duration;
mod interval;
mod jitter;
mod number;
mod refs;

pub(crate) use dist::read_samples;
pub use dist::{Dist, Samples};
pub use interval::{Backoff, HedgeAfter, OpenFor, Patience, StayAway, Window};
pub use jitter::Jitter;
pub use number::{Limit, Percent, Rate, Share, Size};
pub use refs::{EndpointRef, Http, Phase, Target};
