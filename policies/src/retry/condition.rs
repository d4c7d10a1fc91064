//! Retry conditions that outcome kinds alone cannot say: lists of statuses, and the words of Envoy's `retry_on`.

use crate::{Outcome, Outcomes};

/// Up to eight statuses of answers. A time-out is no answer, whatever status it is reported with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses([u16; 8]);

impl Statuses {
    /// No status.
    pub const NONE: Self = Self([0; 8]);

    /// These statuses; `None` if they are more than eight.
    pub fn of(statuses: &[u16]) -> Option<Self> {
        let mut all = Self::NONE;
        all.0.get_mut(..statuses.len())?.copy_from_slice(statuses);
        Some(all)
    }

    /// Whether `outcome` is an answer with one of these statuses.
    pub fn contains(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Error(_) | Outcome::Rejected | Outcome::RateLimited => self.0.contains(&outcome.status()),
            _ => false,
        }
    }
}

/// What is tried again: kinds of endings, and statuses of answers besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retryable {
    /// Kinds of endings.
    pub when: Outcomes,
    /// Statuses of answers.
    pub statuses: Statuses,
}

impl Retryable {
    /// Whether an attempt that ended in `outcome` is tried again.
    pub fn contains(self, outcome: Outcome) -> bool {
        self.when.contains(outcome) || self.statuses.contains(outcome)
    }
}

impl From<Outcomes> for Retryable {
    fn from(when: Outcomes) -> Self {
        Self { when, statuses: Statuses::NONE }
    }
}

/// What a word of Envoy's `retry_on` (1.40) means here; `None` for a word Envoy does not have. A time-out of one try is
/// a local reset there. `retriable-status-codes` and `retriable-headers` name nothing by themselves: give [`Statuses`].
pub fn envoy_retry_on(word: &str) -> Option<Outcomes> {
    let resets = Outcomes::TIMEOUT | Outcomes::REFUSED;
    Some(match word {
        "5xx" => Outcomes::ERROR_5XX | Outcomes::REJECTED | resets,
        "gateway-error" => Outcomes::GATEWAY_ERROR | Outcomes::REJECTED | resets,
        "reset" => resets,
        "reset-before-request" | "connect-failure" | "http3-post-connect-failure" => Outcomes::REFUSED,
        "unavailable" => Outcomes::REFUSED | Outcomes::REJECTED,
        "retriable-4xx" => Outcomes::CONFLICT,
        "envoy-ratelimited" | "resource-exhausted" => Outcomes::RATE_LIMITED,
        "deadline-exceeded" => Outcomes::TIMEOUT,
        "internal" => Outcomes::SERVER_ERROR,
        "refused-stream" | "cancelled" | "retriable-status-codes" | "retriable-headers" => Outcomes::NONE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_list_matches_answers_and_never_a_timeout() {
        let statuses = Statuses::of(&[504, 429, 503]).unwrap();
        let table = [
            (Outcome::Error(504), true),
            (Outcome::Timeout, false),
            (Outcome::RateLimited, true),
            (Outcome::Rejected, true),
            (Outcome::Refused, false),
            (Outcome::BreakerOpen, false),
            (Outcome::Error(500), false),
            (Outcome::Ok, false),
        ];
        for (outcome, contained) in table {
            assert_eq!(statuses.contains(outcome), contained, "{outcome:?}");
        }
        assert_eq!(Statuses::of(&[500; 9]), None);
    }

    #[test]
    fn a_try_that_timed_out_is_retried_under_the_words_that_envoy_retries_it_under() {
        let table = [
            ("5xx", true),
            ("gateway-error", true),
            ("reset", true),
            ("connect-failure", false),
            ("deadline-exceeded", true),
            ("retriable-status-codes", false),
            ("retriable-4xx", false),
        ];
        for (word, retried) in table {
            assert_eq!(envoy_retry_on(word).unwrap().contains(Outcome::Timeout), retried, "{word}");
        }
        assert_eq!(envoy_retry_on("4xx"), None);
    }

    #[test]
    fn of_the_4xx_only_a_conflict_is_retriable_and_a_500_is_no_gateway_error() {
        let contains = |word, status| envoy_retry_on(word).unwrap().contains(Outcome::Error(status));
        assert!(contains("retriable-4xx", 409) && !contains("retriable-4xx", 404));
        assert!(contains("gateway-error", 502) && !contains("gateway-error", 500));
        assert!(contains("5xx", 500) && !contains("5xx", 429));
        assert!(contains("envoy-ratelimited", 429));
    }
}
