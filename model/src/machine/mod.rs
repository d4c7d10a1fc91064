//! The machines: what services, calls, databases and users do, as one pure state machine that both worlds step.
//!
//! [`System`] holds all state of the services and clients of a plan. A host tells it what happened (`arrive`,
//! `replied`, `wake`, `begin`, `fault`), one step at one time, and carries out what the step asks for through [`Host`].

mod aim;
mod apart;
mod asked;
mod autoscale;
mod blocks;
mod cache;
mod call;
mod cancel;
mod client;
mod connections;
mod cpu;
mod database;
mod express;
mod fault;
mod fiber;
mod guard;
mod guest;
mod host;
mod journey;
mod key;
mod layer;
mod leaving;
mod line;
mod link;
mod look;
mod memory;
mod parting;
mod query_pool;
mod relay;
mod room;
mod route;
mod service;
mod share;
mod system;
mod take_over;
mod tell;
mod topic;
mod trip;
mod turning;
mod waiting;

pub use host::{Class, Delay, Host, Request};
pub use key::{Key, Place, Tickets};
pub use look::{BreakerSeen, DatabaseSeen, PoolSeen, ReplicaSeen};
pub use relay::RelayWay;
pub use system::{Census, System};
