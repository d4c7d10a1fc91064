//! Policies as written, as the configurations of `squall-policies`. Knows nothing of edges, sites or names.

mod breakers;
mod budgets;
mod isolation;
mod queues;
mod retries;

pub use breakers::breaker;
pub(super) use budgets::budget;
pub(super) use isolation::{balancer, bulkhead, rate_limit, throttle};
pub(super) use queues::{admission, discipline};
pub(super) use retries::{hedge, once, retry};

use squall_policies::{Interval, Outcomes};

use crate::spec::{OpenFor, Share, Spanned, Trouble};

/// The set that troubles stand for.
fn outcomes(written: &[Spanned<Trouble>]) -> Outcomes {
    let one = |trouble: &Spanned<Trouble>| match trouble.value {
        Trouble::Timeout => Outcomes::TIMEOUT,
        Trouble::Error => Outcomes::ERROR,
        Trouble::Refused => Outcomes::REFUSED,
        Trouble::Rejected => Outcomes::REJECTED,
        Trouble::RateLimited => Outcomes::RATE_LIMITED,
        Trouble::BreakerOpen => Outcomes::BREAKER_OPEN,
        Trouble::ServerError => Outcomes::ERROR_5XX,
        Trouble::GatewayError => Outcomes::GATEWAY_ERROR,
        Trouble::ClientError => Outcomes::CLIENT_ERROR | Outcomes::REQUEST_TIMEOUT | Outcomes::CONFLICT,
        Trouble::RequestTimeout => Outcomes::REQUEST_TIMEOUT,
        Trouble::Conflict => Outcomes::CONFLICT,
    };
    written.iter().map(one).collect()
}

/// The same, or the original's own set where nothing is written.
fn outcomes_or(written: Option<&Spanned<Vec<Spanned<Trouble>>>>, usual: Outcomes) -> Outcomes {
    written.map_or(usual, |written| outcomes(written))
}

fn interval(written: OpenFor) -> Interval {
    match written {
        OpenFor::Constant(span) => Interval::Fixed(span),
        OpenFor::Exponential { base, factor, cap } => {
            Interval::Exponential { initial: base, multiplier: factor, max: cap }
        }
    }
}

/// Whole per cent.
fn percent(share: Share) -> u32 {
    (share.0 * 100.0).round() as u32
}
