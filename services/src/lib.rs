//! The live world's servers: one real HTTP server a service, on loopback.
//!
//! Nothing is here yet: `squall run` runs the sim world only. When it comes, this crate drives the machines of
//! `squall-model` over HTTP and must not know the engine.
