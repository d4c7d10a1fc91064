//! What a replica lets in, and who waits how.

use squall_policies::Span;
use squall_policies::queue::{CoDelConfig, CoDelKind, Order, Patience, QueueConfig};
use squall_policies::retry::RetryAfter;

use super::isolation::{aimd, bucket, gradient2, vegas};
use crate::plan::{Admission, Concurrency};
use crate::spec;

/// The discipline of a queue, but for its limit; `None` for a plain one: first come first served, however long it takes.
pub(in super::super) fn discipline(written: &spec::Queue) -> Option<QueueConfig> {
    let order = match *written.order {
        spec::QueueOrder::Fifo => Order::Fifo,
        spec::QueueOrder::Lifo => Order::Lifo,
        spec::QueueOrder::AdaptiveLifo => Order::AdaptiveLifo(*written.lifo_after),
    };
    let patience = match written.timeout.as_ref().map(|timeout| timeout.value) {
        None => Patience::Unlimited,
        Some(spec::Patience::Fixed(span)) => Patience::Fixed(span),
        Some(spec::Patience::Controlled { short, long }) => Patience::Controlled { short, long },
    };
    let codel = written.codel.as_ref().map(|codel| CoDelConfig {
        kind: match *codel.kind {
            spec::CodelKind::Folly => CoDelKind::Folly,
            spec::CodelKind::Rfc8289 => CoDelKind::Rfc8289,
        },
        target: *codel.target,
        interval: *codel.interval,
    });
    let plain = order == Order::Fifo && patience == Patience::Unlimited && codel.is_none();
    (!plain).then_some(QueueConfig { limit: None, order, patience, codel })
}

/// What a replica lets in; `None` if that is everything.
pub(in super::super) fn admission(written: &spec::Admission) -> Option<Admission> {
    let concurrency = written.concurrency.as_ref().map(|concurrency| match &concurrency.value {
        spec::Concurrency::Fixed(limit) => Concurrency::Fixed(*limit),
        spec::Concurrency::Aimd(settings) => Concurrency::Adaptive(aimd(settings)),
        spec::Concurrency::Vegas(settings) => Concurrency::Adaptive(vegas(settings)),
        spec::Concurrency::Gradient2(settings) => Concurrency::Adaptive(gradient2(settings)),
    });
    let rate = written.rate.as_ref().map(|rate| bucket(rate.value, *written.burst, Span::ZERO));
    let retry_after = written.retry_after.as_ref().map(|after| match after.value {
        spec::StayAway::Time(span) => span,
        spec::StayAway::ForGood => RetryAfter::NEVER,
    });
    let all = rate.is_none() && concurrency.is_none() && retry_after.is_none();
    (!all).then_some(Admission { rate, concurrency, reserve: written.reserve.0, retry_after })
}
