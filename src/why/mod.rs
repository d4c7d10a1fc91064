//! Why a run went as it did: everything that runs a topology again to find out. Knows neither the command line nor how
//! findings are shown.

pub(crate) mod traces;
