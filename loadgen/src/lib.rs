//! The live world's load: open and closed loop over real HTTP, on schedule.
//!
//! Nothing is here yet: `squall run` runs the sim world only. When it comes, this crate drives the workload of
//! `squall-model` against any URL and must not know the engine.
