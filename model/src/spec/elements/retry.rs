//! Trying again.

use super::Budget;
use crate::spec::Spanned;
use crate::spec::decode::{element, words};
use crate::spec::values::Backoff;

element! {
    /// Tries again.
    "a retry"
    pub struct Retry short "attempts" {
        /// Attempts, the first included. Default 3.
        attempts: Spanned<u32> = Spanned::unwritten(3),
        /// How long to wait before each retry. Default `none`.
        backoff: Spanned<Backoff> = Spanned::unwritten(Backoff::None),
        /// How that wait is spread. Default `none`.
        jitter: Spanned<Jitter> = Spanned::unwritten(Jitter::None),
        /// What is tried again. Default: timeout, error, refused, rejected.
        when: Spanned<Vec<Spanned<Trouble>>> = usual_trouble(),
        /// How many retries there may be. Default: any number.
        budget: Option<Spanned<Budget>> = None,
    }
}

fn usual_trouble() -> Spanned<Vec<Spanned<Trouble>>> {
    let usual = [Trouble::Timeout, Trouble::Error, Trouble::Refused, Trouble::Rejected];
    Spanned::unwritten(usual.map(Spanned::unwritten).into())
}

words! {
    /// How a wait is spread.
    "a jitter"
    pub enum Jitter {
        /// Not at all.
        None = "none",
        /// From 0 to the wait.
        Full = "full",
        /// From half the wait to the wait.
        Equal = "equal",
        /// From the first wait to three times the one before.
        Decorrelated = "decorrelated",
    }
}

words! {
    /// Why an attempt did not succeed.
    "a reason to try again"
    pub enum Trouble {
        /// No answer in time.
        Timeout = "timeout",
        /// The callee answered with an error.
        Error = "error",
        /// No connection.
        Refused = "refused",
        /// The callee was full.
        Rejected = "rejected",
        /// The callee's rate limit.
        RateLimited = "rate_limited",
        /// The breaker did not let it through.
        BreakerOpen = "breaker_open",
    }
}
