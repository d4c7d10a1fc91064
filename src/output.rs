//! Standard output and standard error: results to the one, problems to the other, colour only where it is wanted.

use std::io::{self, Write as _};
use std::path::Path;

use anstyle::{AnsiColor, Style};

use crate::cli::Color;

/// Decides about colour once, for both streams. `auto` means a terminal and no `NO_COLOR`.
pub(crate) fn choose_color(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// The width of the terminal that results go to; 80 if it is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Writes a result to standard output.
pub(crate) fn result(text: &str) -> io::Result<()> {
    raw(text.as_bytes())
}

fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes a result to a file, or to standard output for `-`; complains and answers `false` if that does not work.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if path == Path::new("-") {
        raw(bytes)?;
        return Ok(true);
    }
    match std::fs::write(path, bytes) {
        Ok(()) => Ok(true),
        Err(failed) => {
            error(&format!("cannot write `{}`: {failed}", path.display()), None)?;
            Ok(false)
        }
    }
}

/// Writes what went wrong, or progress, to standard error.
pub(crate) fn problem(text: &str) -> io::Result<()> {
    anstream::stderr().lock().write_all(text.as_bytes())
}

/// Writes an error that has no place in a file.
pub(crate) fn error(what: &str, hint: Option<&str>) -> io::Result<()> {
    let red = AnsiColor::BrightRed.on_default().bold();
    let bold = Style::new().bold();
    let hint = hint.map(|hint| format!("  {bold}hint{bold:#}: {hint}\n")).unwrap_or_default();
    problem(&format!("{red}error{red:#}: {what}\n{hint}"))
}
