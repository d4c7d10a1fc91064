//! What a configuration says when a value is out of its range. Knows no policy.

use core::fmt;

/// A field whose value its policy cannot work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field's name, as in the configuration struct.
    pub field: &'static str,
    /// What the value must be, to follow "must be": `at least 1`.
    pub must_be: &'static str,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.field, self.must_be)
    }
}

impl core::error::Error for Invalid {}

/// Fails with `field` and what it must be, unless `holds`.
pub(crate) fn require(holds: bool, field: &'static str, must_be: &'static str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid { field, must_be }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_field_says_what_it_must_be() {
        let error = require(false, "minimum_calls", "at least 1").unwrap_err();
        assert_eq!(error.to_string(), "`minimum_calls` must be at least 1");
        assert_eq!(require(true, "minimum_calls", "at least 1"), Ok(()));
    }
}
