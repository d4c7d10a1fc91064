//! How a report is shown: one file a format, a report in and text out. Knows nothing of how figures were found, and opens
//! no file.

pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod text;
