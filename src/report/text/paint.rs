//! Colours, or none. What they say is said in words too.

use anstyle::{AnsiColor, Style as Ansi};

/// Whether a terminal report has colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// Text alone.
    #[cfg_attr(not(test), allow(dead_code, reason = "for files and tests; the terminal's stream strips colours"))]
    Plain,
    /// Text with colour codes.
    Color,
}

/// Puts colour codes around text, or leaves it.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) Style);

impl Paint {
    pub(super) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default().bold(), text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::BrightRed.on_default().bold(), text)
    }

    pub(super) fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with(Ansi::new().bold(), text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with(Ansi::new().dimmed(), text)
    }

    fn with(self, style: Ansi, text: &str) -> String {
        match self.0 {
            Style::Plain => text.to_owned(),
            Style::Color => format!("{style}{text}{style:#}"),
        }
    }
}
