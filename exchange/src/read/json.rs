//! JSON as YAML: the same bytes at the same places, but for tabs and comments, which become spaces.

/// `text` without tabs between its values and without `//` and `/* */` comments.
pub(super) fn as_yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (take, keep) = match c {
            '"' | '\'' => (string_end(rest, c), true),
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), false),
            '\t' | '\u{feff}' => (c.len_utf8(), false),
            _ => (c.len_utf8(), true),
        };
        let (part, after) = rest.split_at(take);
        if keep {
            out.push_str(part);
        } else {
            out.extend(part.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out
}

/// Where the string that `text` begins with ends; a line's end ends it too, for the parser to complain about.
fn string_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            '\n' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_are() {
        let text = "{\n\t\"a\": \"x // \\\" \\t y\", // why\n\t/* é\n */ \"b\": 1,\n}";
        let yaml = as_yaml(text);
        assert_eq!(yaml.len(), text.len());
        assert_eq!(yaml, "{\n \"a\": \"x // \\\" \\t y\",       \n      \n    \"b\": 1,\n}");
    }
}
