//! Why a run went as it did: everything that runs a topology again to find out. Knows neither the command line nor how
//! findings are shown.

pub(crate) mod capacity;
pub(crate) mod diagnose;
mod edit;
pub(crate) mod isolate;
mod ladder;
pub(crate) mod measure;
pub(crate) mod push;
mod settings;
pub(crate) mod traces;
mod variants;
