//! The words of a sentence, with their places in it.

use core::ops::Range;

/// One piece of a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Lexeme,
    pub(super) text: &'a str,
    pub(super) place: Range<usize>,
}

/// What a piece is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lexeme {
    /// A name, metric, number or value.
    Word,
    /// In double quotes, which are not part of the text.
    Quoted,
    /// `.` between two names.
    Dot,
    /// `->`
    Arrow,
    /// `<`, `<=` and so on.
    Comparison,
}

/// Takes a sentence apart. Nothing is refused here: the parser knows better what was expected.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' => (Lexeme::Quoted, rest[1..].find('"').map_or(rest.len(), |end| end + 2)),
            '<' | '>' | '=' | '!' => (Lexeme::Comparison, rest.find(|c| !"<>=!".contains(c)).unwrap_or(rest.len())),
            '-' if rest.starts_with("->") => (Lexeme::Arrow, 2),
            '.' => (Lexeme::Dot, 1),
            _ => (Lexeme::Word, word_length(rest)),
        };
        let whole = &rest[..length];
        let text = if kind == Lexeme::Quoted { whole.trim_matches('"') } else { whole };
        found.push(Token { kind, text, place: at..at + length });
        at += length;
    }
    found
}

/// Up to the next space, quote, comparison, arrow or point; a point between digits belongs to the number.
fn word_length(text: &str) -> usize {
    let number = text.starts_with(|c: char| c.is_ascii_digit());
    let ends = |(at, c): &(usize, char)| match c {
        '.' => !number,
        '-' => text[*at..].starts_with("->"),
        c => c.is_whitespace() || "\"<>=!".contains(*c),
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at).max(1)
}
