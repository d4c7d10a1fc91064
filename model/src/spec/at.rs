//! Where something stands: in the topology file or in an override from the command line. Knows nothing of what it means.

use core::fmt;
use core::ops::{Deref, Range};

/// A place in one of the texts that make up a topology.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct At {
    /// 0 is the file; n is the n-th override.
    pub source: u16,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl At {
    /// The bytes `range` of the text `source`.
    pub const fn new(source: u16, range: Range<usize>) -> Self {
        Self { source, start: range.start, end: range.end }
    }

    /// The bytes of the text.
    pub const fn bytes(self) -> Range<usize> {
        self.start..self.end
    }

    /// A part of this place: `range` counts from its start.
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Self {
        Self { source: self.source, start: self.start + range.start, end: self.start + range.end }
    }
}

/// A value and where it was written.
#[derive(Clone, Copy)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub at: At,
}

impl<T> Spanned<T> {
    /// `value`, written at `at`.
    pub const fn new(value: T, at: At) -> Self {
        Self { value, at }
    }

    /// A value that nobody wrote: a default.
    pub fn unwritten(value: T) -> Self {
        Self { value, at: At::default() }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), at: self.at }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Two values are the same wherever they were written.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Line and column of a byte, both from 1, the column in characters.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let last_line = before.rsplit(|&b| b == b'\n').next().unwrap_or_default();
    let line = 1 + before.iter().map(|&b| usize::from(b == b'\n')).sum::<usize>();
    let column = String::from_utf8_lossy(last_line).chars().count() + 1;
    (line, column)
}
