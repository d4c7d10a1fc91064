//! Lints about what one policy of a call makes of another: a retry of an open breaker, and a breaker of the limits that
//! stand inside of it.

use super::Call;
use crate::Span;
use crate::check::Findings;
use crate::spec::{Breaker, Bulkhead, Layer, Order, RateLimit, Spanned, Trouble};

pub(super) fn check(calls: &[Call<'_>], found: &mut Findings) {
    for call in super::each_once(calls) {
        open_breaker_retried(call, found);
        own_limits_counted(call, found);
        waiting_counted_slow(call, found);
    }
}

/// Whether `inner` stands inside of `outer`.
fn inside(call: &Call<'_>, outer: Layer, inner: Layer) -> bool {
    let layers = call.policy.order.as_ref().map_or(Order::DEFAULT, |order| order.value.layers());
    let place = |layer| layers.iter().position(|one| *one == layer);
    place(outer) < place(inner)
}

/// A call that the open breaker refuses is refused again.
fn open_breaker_retried(call: &Call<'_>, found: &mut Findings) {
    let (Some(retry), Some(breaker)) = (&call.policy.retry, &call.policy.breaker) else { return };
    let stands_there = !watches_replicas(breaker) && inside(call, Layer::Retry, Layer::Breaker);
    let retries = retry.attempts.value > 1 && retry.when.iter().any(|one| one.value == Trouble::BreakerOpen);
    if stands_there && retries {
        let what = format!("{} tries again what its open breaker has refused", call.shown());
        let hint = "list what is tried again with `when`, and leave `breaker_open` out";
        found.warn("open-breaker-retried", retry.at, what, hint);
    }
}

/// What watches each replica stands where one is chosen.
fn watches_replicas(breaker: &Spanned<Breaker>) -> bool {
    matches!(breaker.value, Breaker::EnvoyOutlier(_) | Breaker::Linkerd(_))
}

/// Whether a breaker takes `trouble` for a failure of its callee. Hystrix's is meant to, and cannot be told otherwise.
fn counts(breaker: &Breaker, trouble: Trouble) -> bool {
    let (counts, ignored) = match breaker {
        Breaker::Resilience4j(one) => (&one.counts, one.ignore.as_slice()),
        Breaker::Consecutive(one) => (&one.counts, one.ignore.as_slice()),
        Breaker::Polly(one) => (&one.counts, [].as_slice()),
        Breaker::Hystrix(_) | Breaker::EnvoyOutlier(_) | Breaker::Linkerd(_) => return false,
    };
    let listed = |list: &[Spanned<Trouble>]| list.iter().any(|one| one.value == trouble);
    counts.as_ref().is_none_or(|counts| listed(counts)) && !listed(ignored)
}

/// The caller's own limits say nothing about the callee.
fn own_limits_counted(call: &Call<'_>, found: &mut Findings) {
    let Some(breaker) = &call.policy.breaker else { return };
    let limits = [
        (call.policy.bulkhead.as_ref().map(|one| one.at), Layer::Bulkhead, Trouble::Rejected, "bulkhead"),
        (call.policy.rate_limit.as_ref().map(|one| one.at), Layer::RateLimit, Trouble::RateLimited, "rate limit"),
    ];
    for (at, layer, trouble, name) in limits {
        let Some(at) = at.filter(|_| inside(call, Layer::Breaker, layer) && counts(breaker, trouble)) else { continue };
        let word = trouble.word();
        let what = format!(
            "what the {name} of {} turns away counts as a failure of the callee, and opens its breaker",
            call.shown()
        );
        let hint =
            format!("put the {name} outside with `order`, or let the breaker ignore `{word}` (the callee's own too)");
        found.warn("own-limits-counted", at, what, hint);
    }
}

/// A call that waits inside of its breaker is as slow as its wait makes it.
fn waiting_counted_slow(call: &Call<'_>, found: &mut Findings) {
    let Some(Breaker::Resilience4j(breaker)) = call.policy.breaker.as_ref().map(|breaker| &breaker.value) else {
        return;
    };
    let permit = call.policy.rate_limit.as_ref().map(|limit| {
        let wait = match &limit.value {
            RateLimit::Plain(_) => Span::ZERO,
            RateLimit::TokenBucket(one) => one.wait.value,
            RateLimit::Resilience4j(one) => one.timeout_duration.value,
        };
        (limit.at, wait, Layer::RateLimit, "a permit")
    });
    let place = call.policy.bulkhead.as_ref().map(|bulkhead| {
        let wait = if let Bulkhead::Semaphore(one) = &bulkhead.value { one.wait.value } else { Span::ZERO };
        (bulkhead.at, wait, Layer::Bulkhead, "a place in the bulkhead")
    });
    for (at, wait, layer, what_for) in [permit, place].into_iter().flatten() {
        let slow = breaker.slow_after.value;
        if inside(call, Layer::Breaker, layer) && wait >= slow {
            let what =
                format!("{} may wait {wait} for {what_for}, and is slow to its breaker after {slow}", call.shown());
            found.warn("waiting-counted-slow", at, what, "a shorter wait, or a longer `slow_after`");
        }
    }
}
