//! How an attempt ended, and sets of endings: what a retry repeats, what a breaker counts or ignores. Knows neither
//! latency nor any policy.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// How an attempt or a call ended, as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The full answer.
    Ok,
    /// A simpler answer, from a fallback: a success.
    Degraded,
    /// An answer that says it failed, with its status: 500 by default, 502 for an unusable reply or a failed callee.
    Error(u16),
    /// No answer in time.
    Timeout,
    /// No connection.
    Refused,
    /// Turned away for want of room: a full queue, bulkhead or pool.
    Rejected,
    /// Turned away by a rate limit.
    RateLimited,
    /// Not sent, because a breaker was open.
    BreakerOpen,
    /// Given up by its caller, who will not hear of it.
    Cancelled,
}

impl Outcome {
    /// Whether the caller got an answer it can use.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Ok | Self::Degraded)
    }

    /// The HTTP status this ending stands for.
    pub const fn status(self) -> u16 {
        match self {
            Self::Ok | Self::Degraded => 200,
            Self::Error(status) => status,
            Self::Timeout => 504,
            Self::Refused | Self::Rejected | Self::BreakerOpen => 503,
            Self::RateLimited => 429,
            Self::Cancelled => 499,
        }
    }

    /// The one set an outcome belongs to. An error that carries 429 is a rate limit.
    const fn set(self) -> Outcomes {
        match self {
            Self::Ok => Outcomes::OK,
            Self::Degraded => Outcomes::DEGRADED,
            Self::Error(408) => Outcomes::REQUEST_TIMEOUT,
            Self::Error(409) => Outcomes::CONFLICT,
            Self::Error(429) | Self::RateLimited => Outcomes::RATE_LIMITED,
            Self::Error(400..=499) => Outcomes::CLIENT_ERROR,
            Self::Error(502..=504) => Outcomes::GATEWAY_ERROR,
            Self::Error(_) => Outcomes::SERVER_ERROR,
            Self::Timeout => Outcomes::TIMEOUT,
            Self::Refused => Outcomes::REFUSED,
            Self::Rejected => Outcomes::REJECTED,
            Self::BreakerOpen => Outcomes::BREAKER_OPEN,
            Self::Cancelled => Outcomes::NONE,
        }
    }
}

/// A set of outcome kinds. Errors are told apart by status as far as real policies do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Outcomes(u16);

impl Outcomes {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Full answers.
    pub const OK: Self = Self(1);
    /// Answers from a fallback.
    pub const DEGRADED: Self = Self(1 << 1);
    /// Errors of status 500, 501, 505 and above (and any status that is no error's).
    pub const SERVER_ERROR: Self = Self(1 << 2);
    /// Errors of status 502, 503 and 504.
    pub const GATEWAY_ERROR: Self = Self(1 << 3);
    /// Errors of status 4xx other than 408, 409 and 429.
    pub const CLIENT_ERROR: Self = Self(1 << 4);
    /// Errors of status 408.
    pub const REQUEST_TIMEOUT: Self = Self(1 << 5);
    /// Errors of status 409.
    pub const CONFLICT: Self = Self(1 << 6);
    /// No answer in time.
    pub const TIMEOUT: Self = Self(1 << 7);
    /// No connection.
    pub const REFUSED: Self = Self(1 << 8);
    /// Turned away for want of room.
    pub const REJECTED: Self = Self(1 << 9);
    /// Turned away by a rate limit, or an error of status 429.
    pub const RATE_LIMITED: Self = Self(1 << 10);
    /// Not sent, because a breaker was open.
    pub const BREAKER_OPEN: Self = Self(1 << 11);

    /// Errors of any status but 429.
    pub const ERROR: Self = Self(0b111_1100);
    /// Errors of status 5xx.
    pub const ERROR_5XX: Self = Self(0b1100);
    /// Both kinds of answer a caller can use.
    pub const SUCCESS: Self = Self(0b11);
    /// All that is no success.
    pub const FAILURE: Self = Self(0xffc);

    /// The words a configuration may use, and the sets they stand for.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("timeout", Self::TIMEOUT),
        ("error", Self::ERROR),
        ("refused", Self::REFUSED),
        ("rejected", Self::REJECTED),
        ("rate_limited", Self::RATE_LIMITED),
        ("breaker_open", Self::BREAKER_OPEN),
    ];

    /// The set that `word` stands for; `None` for a word that is not among [`Self::WORDS`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, set)| *set)
    }

    /// Whether `outcome` is of one of these kinds.
    pub const fn contains(self, outcome: Outcome) -> bool {
        self.0 & outcome.set().0 != 0
    }

    /// Whether every kind of `other` is in here.
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is no kind in here.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds of both, for constants; elsewhere `|`.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds in here that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Outcomes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl BitOrAssign for Outcomes {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl FromIterator<Self> for Outcomes {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().fold(Self::NONE, Self::or)
    }
}

/// The kinds' names with commas between; the words of a configuration where they fit.
impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FINER: [(&str, Outcomes); 7] = [
            ("ok", Outcomes::OK),
            ("degraded", Outcomes::DEGRADED),
            ("server error", Outcomes::SERVER_ERROR),
            ("gateway error", Outcomes::GATEWAY_ERROR),
            ("client error", Outcomes::CLIENT_ERROR),
            ("request timeout", Outcomes::REQUEST_TIMEOUT),
            ("conflict", Outcomes::CONFLICT),
        ];
        let mut left = *self;
        let mut separator = "";
        for (name, set) in Self::WORDS.iter().chain(&FINER) {
            if left.includes(*set) {
                write!(f, "{separator}{name}")?;
                separator = ", ";
                left = left.without(*set);
            }
        }
        if self.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Outcome, u16, bool); 9] = [
        (Outcome::Ok, 200, true),
        (Outcome::Degraded, 200, true),
        (Outcome::Error(500), 500, false),
        (Outcome::Error(502), 502, false),
        (Outcome::Timeout, 504, false),
        (Outcome::Refused, 503, false),
        (Outcome::Rejected, 503, false),
        (Outcome::RateLimited, 429, false),
        (Outcome::BreakerOpen, 503, false),
    ];

    #[test]
    fn every_outcome_has_its_status_and_is_a_success_or_a_failure() {
        for (outcome, status, success) in ALL {
            assert_eq!(outcome.status(), status, "{outcome:?}");
            assert_eq!(outcome.is_success(), success, "{outcome:?}");
            assert_eq!(Outcomes::SUCCESS.contains(outcome), success, "{outcome:?}");
            assert_eq!(Outcomes::FAILURE.contains(outcome), !success, "{outcome:?}");
        }
    }

    #[test]
    fn an_outcome_takes_four_bytes() {
        assert_eq!(size_of::<Outcome>(), 4);
    }

    #[test]
    fn each_word_names_the_outcomes_it_says() {
        let table = [
            ("timeout", Outcome::Timeout),
            ("error", Outcome::Error(500)),
            ("error", Outcome::Error(404)),
            ("error", Outcome::Error(409)),
            ("error", Outcome::Error(408)),
            ("error", Outcome::Error(503)),
            ("refused", Outcome::Refused),
            ("rejected", Outcome::Rejected),
            ("rate_limited", Outcome::RateLimited),
            ("rate_limited", Outcome::Error(429)),
            ("breaker_open", Outcome::BreakerOpen),
        ];
        for (word, outcome) in table {
            for (name, set) in Outcomes::WORDS {
                assert_eq!(set.contains(outcome), name == word, "{name} and {outcome:?}");
            }
        }
        for (word, set) in Outcomes::WORDS {
            assert_eq!(Outcomes::from_word(word), Some(set), "{word}");
        }
        assert_eq!(Outcomes::from_word("ok"), None);
    }

    #[test]
    fn a_union_has_what_either_has_also_what_both_have() {
        let (mut some, others) = (Outcomes::TIMEOUT | Outcomes::REFUSED, Outcomes::REFUSED | Outcomes::ERROR);
        let union: Outcomes = [Outcomes::TIMEOUT, Outcomes::REFUSED, Outcomes::ERROR].into_iter().collect();
        assert_eq!([some | others, some.or(others), [some, others].into_iter().collect()], [union; 3]);
        some |= others;
        assert_eq!(some, union);
        assert_eq!(union.to_string(), "timeout, error, refused");
    }

    #[test]
    fn a_set_is_shown_by_its_words() {
        let table = [
            (Outcomes::NONE, "nothing"),
            (Outcomes::TIMEOUT | Outcomes::ERROR, "timeout, error"),
            (Outcomes::ERROR_5XX, "server error, gateway error"),
            (Outcomes::FAILURE, "timeout, error, refused, rejected, rate_limited, breaker_open"),
            (Outcomes::SUCCESS, "ok, degraded"),
        ];
        for (set, text) in table {
            assert_eq!(set.to_string(), text);
            assert_eq!(format!("{set:?}"), format!("{{{text}}}"));
        }
    }
}
