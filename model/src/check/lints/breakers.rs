//! Lints about circuit breakers: those that never open, that do not see what is wrong, or whose probes never end.

use super::traffic::Traffic;
use super::{Call, each_once};
use crate::Span;
use crate::check::Findings;
use crate::spec::{At, Breaker, Layer, Spanned, Topology, Trouble, Window};

pub(super) fn check(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    never_ejects(topology, calls, found);
    too_little_traffic(topology, calls, found);
    for call in each_once(calls) {
        slow_above_timeout(call, found);
        blind(call, found);
        probe_without_end(call, found);
    }
}

/// An outlier detection that may not eject even one replica never does.
fn never_ejects(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    for call in calls {
        let callee = topology.services.find(&call.step.to.service);
        let (Some(breaker), Some(callee)) = (&call.policy.breaker, callee) else { continue };
        let Breaker::EnvoyOutlier(outlier) = &breaker.value else { continue };
        let (replicas, most) = (callee.replicas.value, outlier.max_ejection_percent.value);
        let none = replicas.saturating_mul(most.0) < 100 && !outlier.always_eject_one_host.value;
        if none && callee.autoscale.is_none() {
            let share = format!("{}% of {replicas} replicas is less than one", most.0);
            let what = format!("{} never ejects a replica: {share}", call.shown());
            let hint = "raise `max_ejection_percent`, or say `always_eject_one_host: true`";
            found.warn("breaker-never-opens", breaker.at, what, hint);
        }
    }
}

/// A breaker that decides on no fewer calls than ever come in its window never decides.
fn too_little_traffic(topology: &Topology, calls: &[Call<'_>], found: &mut Findings) {
    let traffic = Traffic::of(topology);
    for call in each_once(calls) {
        let Some(breaker) = &call.policy.breaker else { continue };
        let Some((window, least)) = volume(&breaker.value, topology.duration.value) else { continue };
        let shared = call.policy.scope.as_ref().is_some_and(|scope| scope.value == crate::spec::Scope::Service);
        let callers = topology.services.find(call.service).map_or(1, |caller| caller.replicas.value.max(1));
        let rate = traffic.rate(call.service, &call.step.to.service) / f64::from(if shared { 1 } else { callers });
        let most = rate * window.as_secs_f64();
        if rate > 0.0 && most < f64::from(least.value) {
            let what = format!(
                "{} never opens: at most {most:.0} calls of a replica come in {window}, and it decides on {}",
                call.shown(),
                least.value
            );
            let at = if least.at == At::default() { breaker.at } else { least.at };
            found.warn("breaker-never-opens", at, what, "fewer calls (`minimum_calls`), or a longer window");
        }
    }
}

/// The time that a breaker looks back on, and the calls that it takes to decide. One that counts calls looks back on the
/// whole run, and on no more calls than it counts.
fn volume(breaker: &Breaker, run: Span) -> Option<(Span, Spanned<u32>)> {
    match breaker {
        Breaker::Resilience4j(one) => match one.window.value {
            Window::Time(window) => Some((window, one.minimum_calls)),
            Window::Calls(window) => {
                let least = one.minimum_calls;
                Some((run, Spanned { value: least.value.min(window), ..least }))
            }
        },
        Breaker::Polly(one) => Some((one.sampling_duration.value, one.minimum_throughput)),
        Breaker::Hystrix(one) => Some((one.rolling_window.value, one.request_volume_threshold)),
        _ => None,
    }
}

/// No call is ever slower than its timeout: it has failed by then.
fn slow_above_timeout(call: &Call<'_>, found: &mut Findings) {
    let (Some(breaker), Some(timeout)) = (&call.policy.breaker, &call.policy.timeout) else { return };
    let Breaker::Resilience4j(one) = &breaker.value else { return };
    let written = one.slow_after.at != At::default();
    if written && one.slow_after.value >= timeout.value {
        let (slow, timeout) = (one.slow_after.value, timeout.value);
        let what = format!("{} calls nothing slow: after {slow} it has timed out, at {timeout}", call.shown());
        found.warn("slow-above-timeout", one.slow_after.at, what, "a `slow_after` below the timeout");
    }
}

/// A breaker that does not learn of timeouts does not see the failure that matters most.
fn blind(call: &Call<'_>, found: &mut Findings) {
    let Some(breaker) = &call.policy.breaker else { return };
    let ignored = match &breaker.value {
        Breaker::Resilience4j(one) => one.ignore.iter().find(|trouble| trouble.value == Trouble::Timeout),
        _ => None,
    };
    // What watches each replica stands where one is chosen, and hears of every attempt.
    let each = matches!(breaker.value, Breaker::EnvoyOutlier(_) | Breaker::Linkerd(_));
    let order = call.policy.order.as_ref().filter(|_| !each).map(|order| order.value.layers());
    let place = |layer| order.iter().flatten().position(|one| *one == layer);
    let outside = matches!((place(Layer::Timeout), place(Layer::Breaker)), (Some(a), Some(b)) if a < b);
    let (at, why) = match (ignored, &call.policy.order, &call.policy.timeout) {
        (Some(ignored), ..) => (ignored.at, "ignores timeouts"),
        (None, Some(order), _) if outside => (order.at, "stands inside the timeout, and never hears of one"),
        (None, _, None) if call.policy.deadline.is_none() => (breaker.at, "has no timeout to learn from"),
        _ => return,
    };
    let what = format!("the breaker of {} {why}: a callee that hangs never opens it", call.shown());
    found.warn("breaker-blind", at, what, "a timeout inside the breaker, which counts as a failure");
}

/// A half-open breaker waits for its probes; one that hangs keeps it half open.
fn probe_without_end(call: &Call<'_>, found: &mut Findings) {
    let Some(breaker) = &call.policy.breaker else { return };
    let Breaker::Resilience4j(one) = &breaker.value else { return };
    let ends =
        call.policy.timeout.is_some() || call.policy.deadline.is_some() || one.half_open_limit.value > Span::ZERO;
    if !ends {
        let probes = one.half_open_calls.value;
        let what = format!("{} tries {probes} calls when half open, and waits for them for ever", call.shown());
        found.warn("probe-without-end", breaker.at, what, "a timeout, or a `half_open_limit`");
    }
}
