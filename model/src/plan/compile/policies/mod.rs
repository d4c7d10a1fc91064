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

use crate::spec::{OpenFor, Spanned, Trouble};

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
pub(super) fn outcomes_or(written: Option<&Spanned<Vec<Spanned<Trouble>>>>, usual: Outcomes) -> Outcomes {
    written.map_or(usual, |written| outcomes(written))
}

fn interval(written: OpenFor) -> Interval {
    match written {
        OpenFor::Constant(span) => Interval::Fixed(span),
        OpenFor::Randomized { around, factor } => Interval::Randomized { around, factor },
        OpenFor::Exponential { base, factor, cap } => {
            Interval::Exponential { initial: base, multiplier: factor, max: cap }
        }
    }
}
