//! What other tools bring and take: their configurations, traces, logs and manifests become topologies, and topologies
//! become theirs.
//!
//! Text in, text out. Knows no files, no terminal, no clock, and nothing of how a topology is run.

#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of an importer's context has a lifetime that a plain function pointer cannot have"
)]
#![allow(
    clippy::format_push_string,
    clippy::single_match_else,
    clippy::needless_for_each,
    reason = "nothing here is hot"
)]

pub mod doc;
pub mod export;
pub mod import;
mod read;
pub mod replay;
