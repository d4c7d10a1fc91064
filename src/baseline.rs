//! Baseline files: read, written, and told apart from what is none.

use std::io;
use std::path::Path;

use squall_telemetry::compare::{BASELINE, Baseline};

use crate::output;

const HINT: &str = "`squall run FILE --save-baseline BASELINE` writes one";

/// Reads a baseline. Complains and gives `None` if there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<Baseline>> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            output::error(&format!("cannot read the baseline `{shown}`: {error}"), Some(HINT))?;
            return Ok(None);
        }
    };
    match parse(&text) {
        Ok(baseline) => Ok(Some(baseline)),
        Err(why) => {
            output::error(&format!("`{shown}` is no baseline: {why}"), Some(HINT))?;
            Ok(None)
        }
    }
}

/// A baseline from its text.
pub(crate) fn parse(text: &str) -> Result<Baseline, String> {
    let baseline: Baseline = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if baseline.version() == BASELINE {
        Ok(baseline)
    } else {
        Err(format!("its version is {}, known is {BASELINE}", baseline.version()))
    }
}

/// Writes one, and the folder it is in; complains and answers `false` if that does not work.
pub(crate) fn write(path: &Path, baseline: &Baseline) -> io::Result<bool> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        output::error(&format!("cannot make the folder `{}`: {error}", folder.display()), None)?;
        return Ok(false);
    }
    output::write(path, (serde_json::to_string_pretty(baseline)? + "\n").as_bytes())
}
