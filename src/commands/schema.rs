//! `squall schema`: the JSON Schema of topology files.

use std::io;

use crate::exit::Exit;
use crate::output;

/// Prints it.
pub(crate) fn run() -> io::Result<Exit> {
    output::result(&format!("{:#}\n", squall_model::spec::schema()))?;
    Ok(Exit::Held)
}
