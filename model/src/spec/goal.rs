//! A goal of a search: something that must hold, in the words of `expect`, or a figure to be made great or small.

use super::decode::Wrong;
use super::expect::parser;
use super::tree::{Kind, Node};
use super::{At, Expectation, Problem};

/// One goal.
#[derive(Clone, PartialEq, Debug)]
pub struct Goal {
    /// What is wanted of it.
    pub wish: Wish,
    /// What is judged or measured. Of a figure that is measured, the value it is compared with means nothing.
    pub expectation: Expectation,
}

/// What is wanted of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// That it holds.
    Hold,
    /// That it is great.
    Max,
    /// That it is small.
    Min,
}

impl Goal {
    /// Reads `max SUBJECT METRIC [in PHASE]`, `min …`, or a line of `expect`; `source` is the source of its positions.
    pub fn parse(text: &str, source: u16) -> Result<Self, Problem> {
        let trimmed = text.trim_start();
        let before = text.len() - trimmed.len();
        let (wish, start) = match trimmed.split_whitespace().next() {
            Some("max") => (Wish::Max, before + 3),
            Some("min") => (Wish::Min, before + 3),
            _ => (Wish::Hold, 0),
        };
        let rest = &text[start..];
        let at = At::new(source, start..text.len());
        let node = Node { at, kind: Kind::Scalar { text: rest.to_owned(), plain: true, verbatim: Some(start) } };
        let sentence = match wish {
            Wish::Hold => parser::parse(rest, &node),
            Wish::Max | Wish::Min => parser::parse_figure(rest, &node),
        };
        let place = |wrong: Wrong| wrong.of(&node);
        let sentence = sentence.map_err(place)?;
        let at = At::new(source, 0..text.len());
        Ok(Self { wish, expectation: Expectation { text: text.trim().to_owned(), at, sentence } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Metric, Sentence};

    #[test]
    fn goals_are_lines_of_expect_or_figures_to_be_made_great_or_small() {
        let table = [
            ("feed p99 < 300ms in healthy", Wish::Hold),
            ("system recovers within 10s after db-slow", Wish::Hold),
            ("max feed goodput in outage", Wish::Max),
            (" min order -> inventory attempts per call", Wish::Min),
            ("min visitors.\"Feed (fan-out)\" p95 in after db-slow", Wish::Min),
        ];
        for (text, wish) in table {
            let goal = Goal::parse(text, 3).unwrap();
            assert_eq!((goal.wish, goal.expectation.text.as_str()), (wish, text.trim()));
        }
        let goal = Goal::parse("max feed goodput in outage", 3).unwrap();
        let Sentence::Compare { metric, .. } = goal.expectation.sentence else { panic!("a figure") };
        assert_eq!((metric.value, metric.at), (Metric::Goodput, At::new(3, 9..16)));
    }

    #[test]
    fn a_wrong_goal_is_an_error_at_the_wrong_word() {
        let table = [
            ("max feed goodptu", 9..16, "`goodptu` is not a metric"),
            ("max feed", 3..8, "the sentence ends where a metric should come"),
            ("max feed goodput > 3", 17..18, "unexpected `>`"),
            ("max", 3..3, "the sentence ends where a subject should come"),
            ("feed goodput", 0..12, "the sentence ends where a comparison should come"),
        ];
        for (text, at, what) in table {
            let problem = Goal::parse(text, 1).unwrap_err();
            assert_eq!((problem.at, problem.what.as_str()), (At::new(1, at), what), "{text}");
        }
    }
}
