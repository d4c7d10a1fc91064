//! Whatever a file holds, reading and checking it comes to an end without falling over, and every place it points at is
//! in the text.

use proptest::prelude::*;

use super::{EVERYTHING, files};
use crate::spec::load;

/// Reads and checks; looks at every place.
fn survives(source: &str, sets: &[(String, String)]) -> Result<(), TestCaseError> {
    let problems = match load(source, sets, &files) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    for problem in problems {
        let text = match usize::from(problem.at.source).checked_sub(1) {
            None => source.to_owned(),
            Some(set) => format!("{}={}", sets[set].0, sets[set].1),
        };
        let place = problem.at.bytes();
        // Of an empty text, or one that ends too early, nothing can be pointed at.
        let place = place.start..place.end.min(text.len()).max(place.start);
        prop_assert!(text.get(place.clone()).is_some() || place.start >= text.len(), "{problem:?} of {text:?}");
        prop_assert!(!problem.what.is_empty());
    }
    Ok(())
}

/// Pieces that mean something somewhere.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    ",",
    "\n",
    "  ",
    "\"",
    "'",
    "&a ",
    "*a",
    "#",
    "|",
    "?",
    "!x ",
    "~",
    "none",
    "0",
    "1e999",
    "-1",
    "100%",
    "5ms",
    "unlimited",
    "exponential(",
    ")",
    " -> ",
    "..",
    "gateway",
    "kind: polly",
    "é",
    "\u{1F327}",
    "default",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_topology_is_read_without_falling_over(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(&PIECES[..])), 1..6)
    ) {
        let mut source = EVERYTHING.to_owned();
        for (place, cut, piece) in changes {
            let start = place.index(source.len());
            let start = (0..=start).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
            let end = (start + cut).min(source.len());
            let end = (end..=source.len()).find(|&at| source.is_char_boundary(at)).unwrap_or(source.len());
            source.replace_range(start..end, piece);
        }
        survives(&source, &[])?;
    }

    #[test]
    fn a_topology_with_lines_left_out_or_swapped_is_read_without_falling_over(
        out in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        swap in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..10),
    ) {
        let mut lines: Vec<&str> = EVERYTHING.lines().collect();
        for (one, other) in swap {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
        }
        for line in out {
            let line = line.index(lines.len());
            lines.remove(line);
        }
        survives(&lines.join("\n"), &[])?;
    }

    #[test]
    fn any_text_is_read_without_falling_over(source in "(?s).{0,200}") {
        survives(&source, &[])?;
    }

    #[test]
    fn any_override_is_applied_without_falling_over(path in "[a-z.0-9\"]{0,40}", value in "(?s).{0,40}") {
        survives(EVERYTHING, &[(path, value.clone())])?;
        survives(EVERYTHING, &[("services.gateway.workers".to_owned(), value)])?;
    }

    #[test]
    fn any_value_anywhere_is_read_without_falling_over(value in "[-a-z0-9.%/() =>,<\"é]{0,24}") {
        for place in ["duration", "network", "phases.healthy", "faults.0.target", "expect.0", "load.feed.rate",
            "load.feed.to", "load.feed.arrivals", "services.gateway.memory.base", "services.gateway.endpoints.feed.http",
            "services.gateway.calls.users.retry.backoff", "services.gateway.calls.users.breaker.kind"] {
            survives(EVERYTHING, &[(place.to_owned(), value.clone())])?;
        }
    }
}
