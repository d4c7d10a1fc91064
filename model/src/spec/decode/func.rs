//! Values that look like a call: `exponential(50ms 2 1s)`.

use core::ops::Range;

use super::Wrong;
use super::scalar::Scalar;

/// A name and its arguments, with their places in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Func<'a> {
    /// The name before the bracket.
    pub name: &'a str,
    /// What stands between the brackets.
    pub arguments: Vec<Argument<'a>>,
    length: usize,
}

/// One argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Argument<'a> {
    /// The part before `=`, if there is one.
    pub key: Option<&'a str>,
    /// The value.
    pub text: &'a str,
    /// Where the value stands in the whole text.
    pub place: Range<usize>,
}

impl<'a> Func<'a> {
    /// Takes `name(a b, c)` apart; `None` if there is no bracket in it.
    pub fn parse(text: &'a str) -> Option<Result<Self, Wrong>> {
        let (name, rest) = text.split_once('(')?;
        let Some(inside) = rest.strip_suffix(')') else {
            let hint = format!("write `{}(…)`", name.trim());
            return Some(Err(Wrong::new(format!("`{text}` has no closing `)`"), hint)));
        };
        let first = name.len() + 1;
        let place = |part: &str| part.as_ptr().addr() - inside.as_ptr().addr() + first;
        let apart = |c: char| c == ',' || c.is_whitespace();
        let arguments = inside.split(apart).filter(|part| !part.is_empty()).map(|part| {
            let (key, text) = part.split_once('=').map_or((None, part), |(key, text)| (Some(key), text));
            Argument { key, text, place: place(text)..place(text) + text.len() }
        });
        Some(Ok(Self { name: name.trim(), arguments: arguments.collect(), length: text.len() }))
    }

    /// Complains unless there are between `least` and `most` arguments without keys; `usage` shows how it is written.
    pub fn arity(&self, allowed: Range<usize>, usage: &str) -> Result<(), Wrong> {
        if let Some(keyed) = self.arguments.iter().find(|argument| argument.key.is_some()) {
            let what = format!("`{}` takes no named arguments", self.name);
            return Err(Wrong::new(what, format!("write `{usage}`")).within(keyed.place.clone()));
        }
        if allowed.contains(&self.arguments.len()) {
            Ok(())
        } else {
            let what = format!("`{}` with {} arguments", self.name, self.arguments.len());
            Err(Wrong::new(what, format!("write `{usage}`")).within(0..self.length))
        }
    }

    /// The argument `index`, which [`Func::arity`] has found to be there.
    pub fn argument<T: Scalar>(&self, index: usize) -> Result<T, Wrong> {
        match self.arguments.get(index) {
            Some(argument) => T::parse(argument.text).map_err(|wrong| wrong.within(argument.place.clone())),
            None => Err(Wrong::new(format!("`{}` lacks an argument", self.name), format!("{} is missing", T::NOUN))),
        }
    }

    /// The argument `index`, or `default` if there is none.
    pub fn argument_or<T: Scalar>(&self, index: usize, default: T) -> Result<T, Wrong> {
        if index < self.arguments.len() { self.argument(index) } else { Ok(default) }
    }
}
