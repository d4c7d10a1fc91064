//! The live world: the machines of `squall-model` stepped by real time and real HTTP. Every replica of every service is
//! an HTTP server on loopback; services call one another over connections; a [`Driver`] holds the one
//! [`System`](squall_model::machine::System) of the process and carries out what it asks for.
//!
//! Knows neither the engine of the sim world nor who records: observations go to the driver's [`Ear`].

mod alarm;
mod app;
mod awaited;
mod calls;
mod clock;
mod control;
mod driver;
mod garble;
mod metrics;
mod paths;
mod server;
mod trail;
pub mod wire;
mod world;

pub use calls::{Answer, Carrier, Carrying, Parcel, Undelivered, between_services};
pub use control::{Changer, Control, Desk, Injected, Refused, is_meant_for};
pub use driver::{Carriers, Driver, Ended, Program};
pub use paths::sample_path;
pub use server::{BindError, Doors, Limits, accept, bind, bind_some};
pub use trail::B3;
pub use world::Ear;
