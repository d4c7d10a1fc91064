//! From words to sentences.

use core::ops::Range;

use super::lexer::{Lexeme, Token, tokens};
use super::{BreakerChange, Metric, Op, PhaseRef, Resource, Sentence, Subject, Unit, Within};
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{Scalar, Wrong};
use crate::spec::problem::did_you_mean;
use crate::spec::tree::{Node, shortened};
use crate::spec::values::{Rate, Share, Size};

const USAGE: &str = "write `SUBJECT METRIC OP VALUE [in PHASE]`, such as `feed p99 < 300ms in healthy`";

/// Reads one sentence; positions are those of `node`.
pub(in crate::spec) fn parse(text: &str, node: &Node) -> Result<Sentence, Wrong> {
    let mut parser = Parser::new(text, node);
    let sentence = parser.sentence()?;
    parser.end(sentence)
}

/// Reads `SUBJECT METRIC [in PHASE]`, a figure that is compared with nothing: as one that is at least 0.
pub(in crate::spec) fn parse_figure(text: &str, node: &Node) -> Result<Sentence, Wrong> {
    let mut parser = Parser::new(text, node);
    let subject = parser.subject()?;
    let word = parser.word("a metric")?;
    let metric = parser.metric(&word)?;
    let phase = parser.phase()?;
    parser.end(Sentence::Compare { subject, metric, op: Op::AtLeast, value: Spanned::unwritten(0.0), phase })
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    length: usize,
    node: &'a Node,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, node: &'a Node) -> Self {
        Self { tokens: tokens(text), next: 0, length: text.len(), node }
    }

    /// Nothing may follow.
    fn end(&self, sentence: Sentence) -> Result<Sentence, Wrong> {
        match self.peek() {
            None => Ok(sentence),
            Some(token) => Err(unexpected(token, "the sentence is complete before it")),
        }
    }

    fn sentence(&mut self) -> Result<Sentence, Wrong> {
        let subject = self.subject()?;
        let word = self.word("a metric")?;
        if word.text == "breaker" {
            return self.breaker(subject);
        }
        if word.text == "recovers" {
            return Ok(Sentence::Recover { subject, within: self.within()? });
        }
        if self.accept("saturate") || self.accept("saturates") {
            let resource = self.named(&word, "something that can saturate", Resource::ALL)?;
            return Ok(Sentence::Saturate { subject, resource, within: self.within()? });
        }
        self.compare(subject, &word)
    }

    fn compare(&mut self, subject: Spanned<Subject>, word: &Token<'a>) -> Result<Sentence, Wrong> {
        let metric = self.metric(word)?;
        let op = self.op()?;
        let value = self.value(metric.value)?;
        let phase = self.phase()?;
        Ok(Sentence::Compare { subject, metric, op, value, phase })
    }

    fn subject(&mut self) -> Result<Spanned<Subject>, Wrong> {
        let first = self.name("a subject")?;
        let start = first.place.start;
        let from = self.spanned(&first);
        let (subject, end) = match self.peek().map(|token| token.kind) {
            Some(Lexeme::Arrow) => {
                self.next += 1;
                let to = self.name("the callee")?;
                (Subject::Call { from, to: self.spanned(&to) }, to.place.end)
            }
            Some(Lexeme::Dot) => {
                self.next += 1;
                let member = self.name("an endpoint or task")?;
                (Subject::Member { of: from, member: self.spanned(&member) }, member.place.end)
            }
            _ if first.kind == Lexeme::Word && first.text == "system" => (Subject::System, first.place.end),
            _ => (Subject::Name(from), first.place.end),
        };
        Ok(Spanned::new(subject, self.node.part(start..end)))
    }

    fn metric(&mut self, word: &Token<'a>) -> Result<Spanned<Metric>, Wrong> {
        if word.text != "attempts" {
            return self.named(word, "a metric", Metric::ALL);
        }
        self.expect("per")?;
        let last = self.expect("call")?;
        Ok(Spanned::new(Metric::AttemptsPerCall, self.node.part(word.place.start..last.end)))
    }

    fn op(&mut self) -> Result<Op, Wrong> {
        const OPS: [(&str, Op); 6] = [
            ("<", Op::Less),
            ("<=", Op::AtMost),
            (">", Op::More),
            (">=", Op::AtLeast),
            ("==", Op::Equal),
            ("!=", Op::Unequal),
        ];
        let known = "compare with <, <=, >, >=, == or !=";
        let token = self.take().ok_or_else(|| self.ends("a comparison", known))?;
        let op = OPS.iter().find(|(text, _)| *text == token.text).map(|(_, op)| *op);
        op.ok_or_else(|| unexpected(&token, known))
    }

    fn value(&mut self, metric: Metric) -> Result<Spanned<f64>, Wrong> {
        let token = self.word("a value")?;
        let text = token.text;
        let value = match metric.unit() {
            Unit::Time => Span::parse(text).map(|span| span.as_nanos() as f64),
            Unit::Share => Share::parse(text).map(|share| share.0),
            Unit::Rate => Rate::parse(text).map(|rate| rate.0),
            Unit::Size => Size::parse(text).map(|size| size.0 as f64),
            Unit::Number => f64::parse(text),
        };
        let value = value.map_err(|mut wrong| {
            wrong.hint = format!("`{}` is {}: {}", metric.name(), metric.unit().noun(), wrong.hint);
            wrong.within(token.place.clone())
        })?;
        Ok(Spanned::new(value, self.node.part(token.place)))
    }

    /// `in outage`, `in before outage`, or just `before outage`.
    fn phase(&mut self) -> Result<Option<PhaseRef>, Wrong> {
        let said = self.accept("in");
        if self.accept("before") {
            return self.phase_name().map(PhaseRef::Before).map(Some);
        }
        if self.accept("after") {
            return self.phase_name().map(PhaseRef::After).map(Some);
        }
        if said { self.phase_name().map(PhaseRef::During).map(Some) } else { Ok(None) }
    }

    fn phase_name(&mut self) -> Result<Spanned<String>, Wrong> {
        let token = self.name("a phase or fault")?;
        Ok(self.spanned(&token))
    }

    fn breaker(&mut self, subject: Spanned<Subject>) -> Result<Sentence, Wrong> {
        const CHANGES: [(&str, BreakerChange); 2] =
            [("opens", BreakerChange::Opens), ("closes", BreakerChange::Closes)];
        let token = self.word("`opens` or `closes`")?;
        let change = self.named(&token, "something a breaker does", &CHANGES)?.value;
        Ok(Sentence::Breaker { subject, change, within: self.within()? })
    }

    fn within(&mut self) -> Result<Within, Wrong> {
        self.expect("within")?;
        let token = self.word("a duration")?;
        let limit = Span::parse(token.text).map_err(|wrong| wrong.within(token.place.clone()))?;
        let limit = Spanned::new(limit, self.node.part(token.place));
        let after_end = self.accept("after");
        if !after_end {
            self.expect("of")?;
        }
        Ok(Within { limit, after_end, of: self.phase_name()? })
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.kind == Lexeme::Word && token.text == word);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<Range<usize>, Wrong> {
        let hint = format!("`{word}` comes here");
        let token = self.take().ok_or_else(|| self.ends(&format!("`{word}`"), &hint))?;
        if token.text == word { Ok(token.place) } else { Err(unexpected(&token, &hint)) }
    }

    fn word(&mut self, what: &str) -> Result<Token<'a>, Wrong> {
        self.take_if(what, |kind| kind == Lexeme::Word)
    }

    fn name(&mut self, what: &str) -> Result<Token<'a>, Wrong> {
        self.take_if(what, |kind| matches!(kind, Lexeme::Word | Lexeme::Quoted))
    }

    fn take_if(&mut self, what: &str, fits: impl Fn(Lexeme) -> bool) -> Result<Token<'a>, Wrong> {
        let token = self.take().ok_or_else(|| self.ends(what, USAGE))?;
        if fits(token.kind) { Ok(token) } else { Err(unexpected(&token, &format!("{what} comes here; {USAGE}"))) }
    }

    fn named<T: Copy>(&self, word: &Token<'a>, noun: &str, table: &[(&str, T)]) -> Result<Spanned<T>, Wrong> {
        let found = table.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value);
        let value = found.ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            let what = format!("`{}` is not {noun}", shortened(word.text));
            Wrong::new(what, did_you_mean(word.text, &names)).within(word.place.clone())
        })?;
        Ok(Spanned::new(value, self.node.part(word.place.clone())))
    }

    fn spanned(&self, token: &Token<'a>) -> Spanned<String> {
        Spanned::new(token.text.to_owned(), self.node.part(token.place.clone()))
    }

    fn ends(&self, what: &str, hint: &str) -> Wrong {
        Wrong::new(format!("the sentence ends where {what} should come"), hint).within(0..self.length)
    }
}

fn unexpected(token: &Token<'_>, hint: &str) -> Wrong {
    Wrong::new(format!("unexpected `{}`", shortened(token.text)), hint).within(token.place.clone())
}
