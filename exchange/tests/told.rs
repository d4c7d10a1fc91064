//! Whatever a dialect cannot hold is told: policies of every sort go out and come back, and each setting that is not what
//! it was must have been named.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may stop")]

use std::collections::{BTreeMap, BTreeSet};

use squall_exchange::{export, import};
use squall_model::Span;
use squall_model::spec::{
    self, Backoff, Breaker, Bulkhead, CallPolicy, Jitter, Layer, Order, Retry, Scope, Topology, Trouble,
};

/// A cheap generator of random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// `key: value`, in so many of a hundred cases.
    fn maybe(&mut self, percent: usize, key: &str, of: &[&str]) -> Option<String> {
        (self.below(100) < percent).then(|| format!("{key}: {}", self.one(of)))
    }
}

const TROUBLES: [&str; 12] = [
    "[]",
    "[timeout]",
    "[error]",
    "[timeout, error, refused, rejected]",
    "[5xx, timeout, refused, rejected]",
    "[5xx, rejected]",
    "[5xx]",
    "[gateway_error]",
    "[4xx, rate_limited]",
    "[breaker_open, conflict]",
    "[refused, rejected]",
    "[5xx, request_timeout, rate_limited, timeout, refused, rejected]",
];
const BUDGETS: [&str; 9] = [
    "20%",
    "{kind: finagle}",
    "{kind: tower}",
    "{kind: envoy}",
    "{kind: envoy, max_retries: 0}",
    "{kind: envoy, max_retries: 7}",
    "{kind: grpc, max_tokens: 50}",
    "{kind: aws}",
    "{kind: token_bucket, capacity: 5}",
];
const BREAKERS: [&str; 22] = [
    "{}",
    "{window: 10, minimum_calls: 5, slow_rate: 30%, slow_after: 1500us, open_for: 2s}",
    "{window: 10s, open_for: exponential(1s 2 30s), half_open_limit: 3s, after_half_open_limit: closed}",
    "{open_for: 1500us}",
    "{after_half_open_limit: closed}",
    "{clock_start: 300ms}",
    "{auto_half_open: true, ignore: [4xx], counts: [5xx, timeout]}",
    "{counts: [gateway_error]}",
    "{ignore: [conflict]}",
    "{kind: polly}",
    "{kind: polly, sampling_duration: 700ms, break_duration: exponential(1s 2 9s)}",
    "{kind: polly, counts: [timeout]}",
    "{kind: hystrix}",
    "{kind: consecutive, failures: 3}",
    "{kind: envoy_outlier}",
    "{kind: envoy_outlier, max_ejection_percent: 33.3%, enforcing_consecutive_5xx: 50%, update_merge_window: 0s}",
    "{kind: envoy_outlier, enforcing_success_rate: 0%, max_ejection_time: 60s, always_eject_one_host: true}",
    "{kind: envoy_outlier, enforcing_success_rate: 0%, max_ejection_percent: 0%, consecutive_5xx: 1, interval: 1500us}",
    "{kind: linkerd}",
    "{kind: linkerd, mode: unified, min_samples: 9, min_penalty: 1500us}",
    "{kind: linkerd, counts: [timeout]}",
    "{kind: envoy_outlier, split_external_local_origin_errors: true, enforcing_consecutive_local_origin_failure: 10%, \
     max_ejection_time_jitter: 5s, enforcing_failure_percentage: 100%}",
];
const BULKHEADS: [&str; 13] = [
    "0",
    "20",
    "unlimited",
    "{limit: 5, wait: 20ms}",
    "{limit: 5, wait: 1500us}",
    "{kind: thread_pool}",
    "{kind: thread_pool, core: 4, max: 4, queue: 9, queue_rejection: 5}",
    "{kind: envoy}",
    "{kind: envoy, max_connections: 3, max_pending_requests: 0}",
    "{kind: envoy, connect: 3ms}",
    "{kind: aimd}",
    "{kind: vegas}",
    "{kind: gradient2}",
];
const BALANCERS: [&str; 10] = [
    "round_robin",
    "random",
    "least_request",
    "{kind: least_request, choice: full_scan}",
    "{kind: least_request, choice_count: 5}",
    "peak_ewma",
    "{kind: peak_ewma, decay: 1s}",
    "ring_hash",
    "{kind: ring_hash, minimum_ring_size: 64, hash_balance_factor: 150}",
    "{kind: maglev, table_size: 101, hash_balance_factor: 120}",
];
const ORDERS: [&str; 5] =
    ["resilience4j", "dotnet", "envoy", "[breaker, retry]", "[timeout, bulkhead, retry, breaker, rate_limit]"];
const TIMES: [&str; 5] = ["1500us", "3ms", "250ms", "2s", "40s"];

fn retry(d: &mut Dice) -> String {
    let kinds = ["plain", "resilience4j", "polly", "dotnet", "envoy", "istio", "linkerd", "grpc", "aws", "aws_2_1"];
    let mut parts = vec![format!("kind: {}", d.one(&kinds))];
    parts.extend(d.maybe(60, "attempts", &["1", "2", "3", "8"]));
    // A jitter that is the kind's own goes with back-offs of its sort only.
    let waits = [
        "none",
        "constant(1500us)",
        "constant(20ms)",
        "linear(5ms 40ms)",
        "exponential(10ms 2 80ms)",
        "exponential(10ms 3)",
    ];
    if d.below(3) == 0 {
        parts.push(format!("backoff: {}", d.one(&waits)));
        parts.push(format!("jitter: {}", d.one(&["none", "full", "equal", "proportional(20%)", "additive(50%)"])));
    }
    parts.extend(d.maybe(50, "when", &TROUBLES));
    parts.extend(d.maybe(20, "statuses", &["[409]", "[425, 500]"]));
    parts.extend(d.maybe(20, "avoid_tried", &["1", "5"]));
    parts.extend(d.maybe(50, "budget", &BUDGETS));
    format!("retry: {{{}}}", parts.join(", "))
}

fn hedge(d: &mut Dice) -> String {
    let mut parts = vec![format!("after: {}", d.one(&["0s", "150ms", "50ns"]))];
    parts.extend(d.maybe(50, "attempts", &["2", "7", "12"]));
    parts.extend(d.maybe(50, "when", &TROUBLES));
    parts.extend(d.maybe(30, "budget", &BUDGETS));
    format!("hedge: {{{}}}", parts.join(", "))
}

fn drawn(d: &mut Dice) -> String {
    let mut parts = Vec::new();
    parts.extend(d.maybe(60, "timeout", &TIMES));
    parts.extend(d.maybe(50, "deadline", &TIMES));
    if d.below(100) < 60 {
        parts.push(retry(d));
    }
    if d.below(100) < 30 {
        parts.push(hedge(d));
    }
    parts.extend(d.maybe(60, "breaker", &BREAKERS));
    parts.extend(d.maybe(50, "bulkhead", &BULKHEADS));
    let limits = [
        "100/s",
        "{rate: 10/s, burst: 5, wait: 20ms}",
        "{kind: resilience4j, limit_for_period: 9, limit_refresh_period: 1s, timeout_duration: 1500us}",
        "{kind: resilience4j, blocking: false}",
    ];
    parts.extend(d.maybe(30, "rate_limit", &limits));
    parts.extend(d.maybe(15, "throttle", &["sre", "aws_adaptive"]));
    parts.extend(d.maybe(15, "pool", &["none", "{connections: 5}"]));
    parts.extend(d.maybe(15, "fallback", &["{}", "{after: 1ms}"]));
    parts.extend(d.maybe(15, "propagate", &["[cancel]", "[deadline]"]));
    parts.extend(d.maybe(40, "balancer", &BALANCERS));
    parts.extend(d.maybe(40, "order", &ORDERS));
    parts.extend(d.maybe(20, "scope", &["service", "replica"]));
    parts.extend(d.maybe(10, "network", &["3ms"]));
    format!("{{{}}}", parts.join(", "))
}

fn load(text: &str) -> Option<Topology> {
    spec::read(text, &[], &|_| Err("no files".to_owned())).topology
}

/// The retry, if it ever tries again.
fn acting(policy: &CallPolicy) -> Option<&Retry> {
    let tries = |retry: &&Retry| *retry.attempts > 1 && !(retry.when.is_empty() && retry.statuses.is_empty());
    policy.retry.as_ref().map(|retry| &retry.value).filter(tries)
}

/// How long one attempt may take, how long all of them, and whether there is only one.
fn bounds(policy: &CallPolicy) -> (Option<Span>, Option<Span>, bool) {
    let alone = acting(policy).is_none() && policy.hedge.is_none();
    let [timeout, deadline] = [&policy.timeout, &policy.deadline].map(|span| span.as_ref().map(|span| span.value));
    let attempt = timeout.into_iter().chain(deadline).min();
    (attempt, if alone { attempt } else { deadline }, alone)
}

/// First wait, factor, longest wait, whether it is added, and the jitter, whoever writes them.
fn waits(retry: &Retry) -> (Span, Option<u64>, Span, bool, Jitter) {
    let factor = |factor: f64| ((factor - 1.0).abs() > 1e-9).then_some((factor * 1e6) as u64);
    let jitter = retry.jitter.value;
    match retry.backoff.value {
        Backoff::None => (Span::ZERO, None, Span::MAX, false, jitter),
        Backoff::Constant(wait) => (wait, None, Span::MAX, false, jitter),
        Backoff::PollyConstant { delay, cap } => (delay.min(cap), None, Span::MAX, false, jitter),
        Backoff::Linear { step, cap } | Backoff::PollyLinear { delay: step, cap } => (step, None, cap, true, jitter),
        Backoff::Exponential { base, factor: by, cap } if factor(by).is_none() => {
            (base.min(cap), None, Span::MAX, false, jitter)
        }
        Backoff::Exponential { base, factor: by, cap } => (base, factor(by), cap, false, jitter),
        Backoff::Resilience4j { initial, multiplier, cap } => {
            let by = multiplier.and_then(factor);
            (initial, by, if by.is_some() { cap } else { Span::MAX }, false, jitter)
        }
        Backoff::PollyExponential { delay, cap } => (delay, factor(2.0), cap, false, jitter),
        Backoff::Envoy { base, cap } => (base, factor(2.0), cap, false, Jitter::Full),
    }
}

/// Every failure by its finest word.
fn finest(words: &[spec::Spanned<Trouble>]) -> BTreeSet<&'static str> {
    let finer = |word: &'static str| -> Vec<&'static str> {
        match word {
            "error" => vec!["5xx", "gateway_error", "4xx", "request_timeout", "conflict"],
            "5xx" => vec!["5xx", "gateway_error"],
            "4xx" => vec!["4xx", "request_timeout", "conflict"],
            word => vec![word],
        }
    };
    words.iter().flat_map(|word| finer(word.value.word())).collect()
}

fn all() -> BTreeSet<&'static str> {
    finest(&Trouble::ALL.iter().map(|(_, word)| spec::Spanned::unwritten(*word)).collect::<Vec<_>>())
}

/// The settings that are not what they were.
fn changed(before: &CallPolicy, after: &CallPolicy) -> Vec<String> {
    let mut changed: Vec<&str> = Vec::new();
    let mut check = |setting: &'static str, same: bool| {
        if !same {
            changed.push(setting);
        }
    };
    let (old, new) = (bounds(before), bounds(after));
    check("timeout", old.0 == new.0);
    check("deadline", old.1 == new.1 || old.2 != new.2);
    match (acting(before), acting(after)) {
        (None, None) => {}
        (Some(old), Some(new)) => {
            check("retry.attempts", old.attempts.value == new.attempts.value);
            let (a, b) = (waits(old), waits(new));
            check("retry.backoff", (a.0, a.1, a.2, a.3) == (b.0, b.1, b.2, b.3));
            check("retry.jitter", a.4 == b.4);
            check("retry.when", finest(&old.when) == finest(&new.when));
            check("retry.statuses", old.statuses == new.statuses);
            check("retry.throttled_base", old.throttled_base.is_none());
            check("retry.avoid_tried", old.avoid_tried.value == new.avoid_tried.value);
            check("retry.budget", old.budget.as_ref().map(|b| &b.value) == new.budget.as_ref().map(|b| &b.value));
        }
        _ => check("retry", false),
    }
    match (&before.hedge, &after.hedge) {
        (None, None) => {}
        (Some(old), Some(new)) => {
            let when = |hedge: &spec::Hedge| hedge.when.as_ref().map_or_else(all, |when| finest(&when.value));
            check("hedge.after", old.after.value == new.after.value);
            check("hedge.attempts", old.attempts.value == new.attempts.value);
            check("hedge.when", when(old) == when(new));
            check("hedge.budget", old.budget.as_ref().map(|b| &b.value) == new.budget.as_ref().map(|b| &b.value));
        }
        _ => check("hedge", false),
    }
    breakers(before.breaker.as_ref().map(|b| &b.value), after.breaker.as_ref().map(|b| &b.value), &mut check);
    let room = |policy: &CallPolicy| match policy.bulkhead.as_ref().map(|bulkhead| bulkhead.value.clone()) {
        Some(Bulkhead::Plain(limit)) => limit.count().map(|limit| (limit, Span::ZERO)).map(|room| format!("{room:?}")),
        Some(Bulkhead::Semaphore(of)) => of.limit.count().map(|limit| format!("{:?}", (limit, of.wait.value))),
        Some(Bulkhead::ThreadPool(of)) => {
            // Of a pool that does not grow no thread is idle for good.
            let alive = if of.core.value == of.max.value { Span::ZERO } else { of.keep_alive.value };
            let rejects = of.queue_rejection.as_ref().map(|at| at.value);
            Some(format!("{:?}", (of.core.value, of.max.value, of.queue.value, rejects, alive)))
        }
        other => other.map(|other| format!("{other:?}")),
    };
    check("bulkhead", {
        let same = |a: &Option<spec::Spanned<Bulkhead>>, b: &Option<spec::Spanned<Bulkhead>>| {
            a.as_ref().map(|a| &a.value) == b.as_ref().map(|b| &b.value)
        };
        same(&before.bulkhead, &after.bulkhead) || room(before) == room(after)
    });
    let (a, b) = (before.rate_limit.as_ref().map(|l| &l.value), after.rate_limit.as_ref().map(|l| &l.value));
    check("rate_limit", a == b);
    check("throttle", before.throttle.is_none());
    check("pool", before.pool.is_none());
    check("fallback", before.fallback.is_none());
    check("propagate", before.propagate.is_none());
    check("network", before.network.is_none());
    check("scope", before.scope.as_ref().is_none_or(|scope| scope.value == Scope::Replica));
    let chosen = |policy: &CallPolicy| policy.balancer.as_ref().map(|balancer| balancer.value.clone());
    check("balancer", before.balancer.is_none() || chosen(before) == chosen(after));
    check("order", layers(before, after) == layers(after, before));
    changed.into_iter().map(str::to_owned).collect()
}

/// The layers that are in both, outside in.
fn layers(of: &CallPolicy, and: &CallPolicy) -> Vec<Layer> {
    let of_replicas = |policy: &CallPolicy| {
        matches!(policy.breaker.as_ref().map(|b| &b.value), Some(Breaker::EnvoyOutlier(_) | Breaker::Linkerd(_)))
    };
    let there = |policy: &CallPolicy, layer: Layer| match layer {
        Layer::Retry => acting(policy).is_some(),
        Layer::Throttle => policy.throttle.is_some(),
        Layer::Breaker => policy.breaker.is_some() && !of_replicas(policy),
        Layer::RateLimit => policy.rate_limit.is_some(),
        Layer::Bulkhead => policy.bulkhead.is_some(),
        Layer::Timeout => policy.timeout.is_some(),
    };
    let order = of.order.as_ref().map_or(Order::DEFAULT, |order| order.layers());
    order.into_iter().filter(|layer| there(of, *layer) && there(and, *layer)).collect()
}

/// Compares breakers setting by setting, where they are of one kind.
fn breakers(old: Option<&Breaker>, new: Option<&Breaker>, check: &mut impl FnMut(&'static str, bool)) {
    macro_rules! each {
        ($old:ident $new:ident $($field:ident)*) => {
            $(check(concat!("breaker.", stringify!($field)), $old.$field == $new.$field);)*
        };
    }
    let counts = |counts: &Option<spec::Spanned<Vec<spec::Spanned<Trouble>>>>| {
        counts.as_ref().map_or_else(all, |counts| finest(&counts.value))
    };
    match (old, new) {
        (None, None) => {}
        (Some(Breaker::Resilience4j(old)), Some(Breaker::Resilience4j(new))) => {
            each!(old new window failure_rate minimum_calls slow_rate slow_after open_for half_open_calls half_open_limit
                after_half_open_limit auto_half_open clock_start);
            check("breaker.counts", counts(&old.counts) == counts(&new.counts));
            check("breaker.ignore", finest(&old.ignore) == finest(&new.ignore));
        }
        (Some(Breaker::Polly(old)), Some(Breaker::Polly(new))) => {
            each!(old new failure_ratio minimum_throughput sampling_duration break_duration);
            check("breaker.counts", counts(&old.counts) == counts(&new.counts));
        }
        (Some(Breaker::Linkerd(old)), Some(Breaker::Linkerd(new))) => {
            each!(old new mode max_failures min_penalty max_penalty jitter_ratio success_ratio window min_samples);
            check("breaker.counts", old.counts.is_none());
        }
        (Some(Breaker::EnvoyOutlier(old)), Some(Breaker::EnvoyOutlier(new))) => {
            each!(old new consecutive_5xx enforcing_consecutive_5xx enforcing_consecutive_gateway_failure
                split_external_local_origin_errors interval base_ejection_time max_ejection_time
                max_ejection_time_jitter max_ejection_percent always_eject_one_host enforcing_success_rate
                enforcing_failure_percentage healthy_panic_threshold update_merge_window);
            let split = old.split_external_local_origin_errors.value;
            check(
                "breaker.enforcing_consecutive_local_origin_failure",
                !split
                    || old.enforcing_consecutive_local_origin_failure == new.enforcing_consecutive_local_origin_failure,
            );
            let enforced = old.enforcing_success_rate.value.0 > 0 && new.enforcing_success_rate.value.0 > 0;
            check(
                "breaker.success_rate_stdev_factor",
                !enforced || old.success_rate_stdev_factor == new.success_rate_stdev_factor,
            );
        }
        _ => check("breaker", false),
    }
}

/// Whether a note names the setting, a part of it, or what it is a part of.
fn told(notes: &[String], setting: &str) -> bool {
    // A deadline is written for a time-out that is the only one.
    if matches!(setting, "timeout" | "deadline") {
        return notes.iter().any(|note| note.contains("`timeout`") || note.contains("`deadline`"));
    }
    let whole = setting.split('.').next().unwrap_or(setting);
    let quoted = |note: &String, name: &str| note.contains(&format!("`{name}`"));
    notes.iter().any(|note| quoted(note, setting) || quoted(note, whole) || note.contains(&format!("`{setting}.")))
}

const DIALECTS: [(export::Format, import::Format); 6] = [
    (export::Format::Resilience4j, import::Format::Resilience4j),
    (export::Format::Envoy, import::Format::Envoy),
    (export::Format::Istio, import::Format::Istio),
    (export::Format::Linkerd, import::Format::Linkerd),
    (export::Format::Grpc, import::Format::Grpc),
    (export::Format::Dotnet, import::Format::Dotnet),
];

#[test]
fn every_setting_that_does_not_come_back_is_told() {
    let mut dice = Dice(7);
    let (mut policies, mut kept, mut told_of, mut unsaid) = (0, 0, BTreeSet::new(), BTreeMap::new());
    while policies < 400 {
        let policy = drawn(&mut dice);
        let text = format!(
            "name: shop\nservices:\n  web:\n    endpoints: {{buy: {{steps: [{{call: stock.take}}]}}}}\n    calls: {{stock: {policy}}}\n  \
             stock: {{endpoints: {{take: {{steps: [{{work: 1ms}}]}}}}}}\nload: [{{name: users, to: web.buy, rate: 1/s}}]\n"
        );
        // What is drawn need not be allowed.
        let Some(topology) = load(&text) else { continue };
        policies += 1;
        let before = topology.services.find("web").unwrap().calls.policy("stock");
        for (out, back) in DIALECTS {
            let exported = export::export(out, &topology, &export::Options::default()).unwrap();
            let options =
                import::Options { from: Some("web".into()), to: Some("stock".into()), ..import::Options::default() };
            let inputs = [import::Input { name: "a.yaml", text: &exported.text }];
            let nothing = CallPolicy::default();
            let after = match import::import(back, &inputs, None, &options) {
                Ok(imported) => load(&imported.doc.render()),
                // A file without a setting of the dialect holds nothing of it.
                Err(problems) if problems.iter().all(|problem| problem.what.starts_with("nothing of")) => None,
                Err(problems) => panic!("{out:?} {policy}\n{}\n{problems:?}", exported.text),
            };
            let after = after.as_ref().and_then(|after| after.services.find("web"));
            let after = after.map_or(&nothing, |web| web.calls.policy("stock"));
            for setting in changed(before, after) {
                // Linkerd's only balancer needs no word.
                let goes_without =
                    out == export::Format::Linkerd && setting == "balancer" && policy.contains("balancer: peak_ewma");
                if !goes_without && !told(&exported.notes, &setting) {
                    let silent = format!("{out:?} {setting}: {policy}\n{:#?}\n{}", exported.notes, exported.text);
                    unsaid.entry((format!("{out:?}"), setting.clone())).or_insert(silent);
                }
                told_of.insert(setting);
            }
            kept += usize::from(exported.notes.is_empty());
        }
    }
    let shown: Vec<String> = unsaid.values().take(5).cloned().collect();
    assert!(
        unsaid.is_empty(),
        "nobody said that these are not what they were: {:?}\n{}",
        unsaid.keys(),
        shown.join("\n\n")
    );
    println!("{kept} of {} files hold everything; {} settings were told of", policies * DIALECTS.len(), told_of.len());
    assert!(told_of.len() > 40, "{told_of:?}");
}
