//! How the results of a sweep are shown: one file a format. No wall time and no count of threads stands in any of them, so
//! the same sweep gives the same bytes.

pub(crate) mod csv;
pub(crate) mod html;
pub(crate) mod jsonl;
pub(crate) mod table;
