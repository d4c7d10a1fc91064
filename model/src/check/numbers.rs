//! Numbers that cannot be: no time where there must be some, nothing where there must be something.

use super::Findings;
use crate::Span;
use crate::spec::{
    Arrivals, At, Autoscale, Breaker, CallPolicy, Concurrency, Database, Limit, LinkerdMode, Load, OpenFor, Order,
    Patience, Retry, ScaleOn, Service, Spanned, Step, Topology, Window,
};

pub(super) fn check(topology: &Topology, whole: bool, found: &mut Findings) {
    run(topology, found);
    for (_, one) in topology.services.iter() {
        service(one, topology, whole, found);
    }
    for (_, one) in topology.databases.iter() {
        found.require(one.connections.value != Limit::Count(0), one.connections.at, "no connections", "at least 1");
        found.require(one.pool.value != Limit::Count(0), one.pool.at, "an empty pool", "at least 1");
        positive(Some(&one.pool_timeout), "a wait of no time", found);
    }
    caches(topology, whole, found);
    for (name, topic) in topology.topics.iter() {
        let none = topic.concurrency.value == Limit::Count(0);
        found.require(!none, topic.concurrency.at, "no delivery at all", "at least 1 at a time");
        found.require(
            !whole || !topic.to.0.is_empty(),
            name.at,
            "nobody gets the messages",
            "name endpoints with `to`",
        );
        topic.retry.iter().for_each(|one| retry(one, found));
    }
    for one in &topology.load {
        load(one, whole, found);
    }
}

/// There must be some time.
fn positive(span: Option<&Spanned<Span>>, what: &str, found: &mut Findings) {
    if let Some(span) = span {
        found.require(span.value > Span::ZERO, span.at, what, "more than 0s; leave it out for none");
    }
}

/// There must be at least one.
fn some(count: &Spanned<u32>, what: &str, found: &mut Findings) {
    found.require(count.value > 0, count.at, what, "at least 1");
}

fn run(topology: &Topology, found: &mut Findings) {
    let duration = topology.duration.value;
    positive(Some(&topology.duration), "a run of no time", found);
    if topology.warmup.value >= duration && duration > Span::ZERO {
        let what = format!("the warm-up of {} leaves nothing of the run", topology.warmup.value);
        found.error(topology.warmup.at, what, format!("`duration` is {duration}"));
    }
    for (name, phase) in topology.phases.iter() {
        if phase.to > duration {
            let what = format!("the phase `{}` ends at {}, after the end of the load", name.value, phase.to);
            found.error(phase.at, what, format!("`duration` is {duration}"));
        }
    }
}

fn service(service: &Service, topology: &Topology, whole: bool, found: &mut Findings) {
    let scales = service.autoscale.is_some();
    found.require(scales || service.replicas.value > 0, service.replicas.at, "no replica at all", "at least 1");
    found.require(service.workers.value != Limit::Count(0), service.workers.at, "no workers", "at least 1");
    if let Some(ready) = service.ready_after.as_ref().filter(|ready| ready.value > service.cold_start.value) {
        let what = format!("ready after {}, and able to serve after {}", ready.value, service.cold_start.value);
        found.error(ready.at, what, "lengthen `cold_start`: nothing is sent to a replica before it is ready");
    }
    if let Some(cores) = &service.cores {
        found.require(cores.value > 0.0, cores.at, "no CPU at all", "more than 0; leave it out for plenty");
    }
    if let Some(queue) = &service.queue {
        if let Some(timeout) = &queue.timeout {
            let (Patience::Fixed(least) | Patience::Controlled { short: least, .. }) = timeout.value;
            found.require(least > Span::ZERO, timeout.at, "a wait of no time", "more than 0s; leave it out for none");
        }
        positive(queue.codel.as_ref().map(|codel| &codel.target), "a target of no time", found);
        positive(queue.codel.as_ref().map(|codel| &codel.interval), "an interval of no time", found);
    }
    if let Some(memory) = &service.memory {
        let fits = memory.base.value < memory.limit.value;
        found.require(fits, memory.limit.at, "the limit is not above what is in use at rest", "more than `base`");
    }
    if let Some(autoscale) = &service.autoscale {
        some(&autoscale.max, "no replica at all", found);
        found.require(autoscale.min.value <= autoscale.max.value, autoscale.min.at, "`min` is more than `max`", "less");
        found.require(autoscale.target.value.0 > 0.0, autoscale.target.at, "a target of nothing", "more than 0%");
        positive(Some(&autoscale.every), "a period of no time", found);
        scales_on(service, autoscale, found);
    }
    admission(service, found);
    call_policy(&service.calls.default, found);
    for (_, policy) in service.calls.to.iter() {
        call_policy(policy, found);
    }
    for (_, endpoint) in service.endpoints.iter() {
        for one in Step::all(&endpoint.steps) {
            step(one, topology, whole, found);
        }
    }
}

/// Whether there is a share of what the autoscaler looks at.
fn scales_on(service: &Service, autoscale: &Spanned<Autoscale>, found: &mut Findings) {
    let of = &autoscale.of;
    let at = if of.at == At::default() { autoscale.at } else { of.at };
    let (limited, what) = match of.value {
        ScaleOn::Workers => (service.workers.value != Limit::Unlimited, "workers"),
        ScaleOn::Cpu => (service.cores.is_some(), "cores"),
    };
    let missing = format!("no share of {what} can be busy where there is no end of them");
    found.require(limited, at, &missing, &format!("give the service `{what}`"));
}

fn admission(service: &Service, found: &mut Findings) {
    let Some(admission) = &service.admission else { return };
    if let Some(rate) = &admission.rate {
        found.require(rate.value.0 > 0.0, rate.at, "nothing is let in", "more than 0/s");
    }
    some(&admission.burst, "nothing is let in", found);
    if let Some(concurrency) = &admission.concurrency {
        let fine = match &concurrency.value {
            Concurrency::Fixed(count) => *count > 0,
            Concurrency::Aimd(aimd) => aimd.min.value > 0 && aimd.min.value <= aimd.max.value,
            Concurrency::Vegas(vegas) => vegas.max.value > 0,
            Concurrency::Gradient2(gradient) => gradient.min.value > 0 && gradient.min.value <= gradient.max.value,
        };
        found.require(fine, concurrency.at, "an impossible limit", "at least 1, and `min` not above `max`");
    }
}

fn step(step: &Spanned<Step>, topology: &Topology, whole: bool, found: &mut Findings) {
    match &step.value {
        Step::Call(call) => {
            some(&call.times, "a call that is never made", found);
            if let Some(policy) = &call.policy {
                call_policy(policy, found);
            }
        }
        Step::Repeat(repeat) => some(&repeat.times, "steps that are never done", found),
        Step::Query(query) => {
            let database: Option<&Database> = topology.databases.find(&query.from);
            let timeless = query.time.is_none() && database.is_some_and(|database| database.query.is_none());
            let hint = format!("give `{}` a `query`, or this step a `time`", query.from.value);
            found.require(!whole || !timeless, query.from.at, "nothing says how long this query takes", &hint);
        }
        Step::Fail(fail) => {
            let error = (400..=599).contains(&fail.status.value);
            found.require(error, fail.status.at, "not a status of an error", "from 400 to 599");
        }
        Step::Chance(chance) => {
            let idle = chance.steps.is_empty() && chance.otherwise.is_empty();
            found.require(!whole || !idle, step.at, "a chance of nothing", "say what with `do` or `else`");
        }
        _ => {}
    }
}

fn call_policy(policy: &CallPolicy, found: &mut Findings) {
    positive(policy.timeout.as_ref(), "a timeout of no time", found);
    positive(policy.deadline.as_ref(), "a deadline of no time", found);
    policy.retry.iter().for_each(|one| retry(one, found));
    if let Some(breaker) = &policy.breaker {
        check_breaker(breaker, found);
    }
    if let Some(hedge) = &policy.hedge {
        some(&hedge.attempts, "a hedge without attempts", found);
    }
    if let Some(pool) = &policy.pool {
        found.require(pool.connections.value != Limit::Count(0), pool.connections.at, "an empty pool", "at least 1");
    }
    if let Some(Order::Listed(order)) = policy.order.as_ref().map(|order| &order.value) {
        for (index, layer) in order.iter().enumerate() {
            let again = order[..index].iter().any(|earlier| earlier.value == layer.value);
            found.require(!again, layer.at, &format!("`{}` comes twice", layer.word()), "each once");
        }
    }
}

fn retry(retry: &Spanned<Retry>, found: &mut Findings) {
    some(&retry.attempts, "no attempt at all", found);
    let fits = retry.backoff.value.takes(retry.jitter.value);
    found.require(
        fits,
        retry.jitter.at,
        "this back-off does not take this jitter",
        "`none`, or the jitter of its library",
    );
    found.require(retry.statuses.len() <= 8, retry.statuses.at, "more than eight statuses", "at most eight");
}

fn check_breaker(breaker: &Spanned<Breaker>, found: &mut Findings) {
    match &breaker.value {
        Breaker::Resilience4j(one) => {
            let empty = matches!(one.window.value, Window::Calls(0)) || one.window.value == Window::Time(Span::ZERO);
            found.require(!empty, one.window.at, "a window of nothing", "at least 1 call or 1s");
            let whole = !matches!(one.window.value, Window::Time(span) if span.as_nanos() % 1_000_000_000 > 0);
            found.require(whole, one.window.at, "resilience4j counts in whole seconds", "a whole number of seconds");
            found.require(one.failure_rate.value.0 > 0.0, one.failure_rate.at, "always tripped", "more than 0%");
            found.require(one.slow_rate.value.0 > 0.0, one.slow_rate.at, "always tripped", "more than 0%");
            some(&one.minimum_calls, "a decision without calls", found);
            some(&one.half_open_calls, "no call would ever close it", found);
            open_for(&one.open_for, found);
        }
        Breaker::Polly(one) => {
            let few = one.minimum_throughput.value < 2;
            found.require(!few, one.minimum_throughput.at, "a decision on too few calls", "at least 2");
            positive(Some(&one.sampling_duration), "a window of nothing", found);
            open_for(&one.break_duration, found);
        }
        Breaker::Hystrix(one) => {
            some(&one.request_volume_threshold, "a decision without calls", found);
            positive(Some(&one.sleep_window), "open for no time", found);
            positive(Some(&one.health_snapshot_interval), "an interval of no time", found);
            let fits = one.rolling_window.value >= one.health_snapshot_interval.value;
            found.require(fits, one.rolling_window.at, "the window is shorter than one interval", "longer");
        }
        Breaker::EnvoyOutlier(one) => positive(Some(&one.interval), "an interval of no time", found),
        Breaker::Linkerd(one) => {
            if one.mode.value == LinkerdMode::Consecutive {
                some(&one.max_failures, "tripped by nothing", found);
            }
            positive(Some(&one.min_penalty), "shut for no time", found);
            let fits = one.min_penalty.value <= one.max_penalty.value;
            found.require(fits, one.max_penalty.at, "`max_penalty` is below `min_penalty`", "at least as long");
        }
        Breaker::Consecutive(one) => {
            some(&one.failures, "tripped by nothing", found);
            some(&one.half_open_calls, "no call would ever close it", found);
            open_for(&one.open_for, found);
        }
    }
}

fn open_for(open_for: &Spanned<OpenFor>, found: &mut Findings) {
    let (OpenFor::Constant(first)
    | OpenFor::Randomized { around: first, .. }
    | OpenFor::Exponential { base: first, .. }) = open_for.value;
    found.require(first > Span::ZERO, open_for.at, "open for no time", "more than 0s");
}

/// Each takes some bytes, also before it is asked for.
const MOST_KEYS: u64 = 10_000_000;

fn caches(topology: &Topology, whole: bool, found: &mut Findings) {
    for (name, cache) in topology.caches.iter() {
        match (&cache.hit_rate, &cache.keys) {
            (Some(_), Some(keys)) => {
                found.error(
                    keys.at,
                    "both `hit_rate` and `keys`",
                    "a fixed share of hits, or one that follows from keys",
                );
            }
            (None, None) if whole => {
                let hint = "say `hit_rate: 90%`, or `keys` and `capacity`";
                found.error(name.at, format!("nothing says how often `{}` hits", name.value), hint);
            }
            (_, Some(keys)) => {
                found.require(keys.value > 0, keys.at, "no keys", "at least 1");
                let hint = format!("at most {MOST_KEYS}");
                found.require(keys.value <= MOST_KEYS, keys.at, "more keys than fit", &hint);
            }
            _ => {}
        }
        let fine = (0.0..=100.0).contains(&cache.zipf.value);
        found.require(fine, cache.zipf.at, "no such popularity", "from 0, which is all alike, to 100");
        positive(cache.ttl.as_ref(), "held for no time", found);
    }
}

fn load(load: &Load, whole: bool, found: &mut Findings) {
    call_policy(&load.policy, found);
    some(&load.clients, "no clients", found);
    for stage in &load.stages {
        positive(Some(&stage.lasts), "a stage of no time", found);
    }
    let staged_users = load.stages.iter().any(|stage| stage.users.is_some());
    if load.users.is_some() || staged_users || !load.tasks.is_empty() {
        closed(load, whole, found);
    } else {
        open(load, whole, found);
    }
}

fn closed(load: &Load, whole: bool, found: &mut Findings) {
    let name = &load.name;
    if let Some(rate) = &load.rate {
        found.error(rate.at, "a rate for users", "users come back by themselves: leave `rate` or `users` out");
    }
    for rate in load.stages.iter().filter_map(|stage| stage.rate.as_ref()) {
        found.error(rate.at, "a rate for users", "say `users` in every stage");
    }
    if !matches!(load.arrivals.value, Arrivals::Constant) {
        found.error(load.arrivals.at, "`arrivals` for users", "users come back by themselves: leave it out");
    }
    let users = load.users.as_ref().is_none_or(|users| users.value > 0);
    found.require(users, load.users.as_ref().map_or(name.at, |users| users.at), "no users", "at least 1");
    let goal = load.to.is_some() || !load.tasks.is_empty();
    found.require(!whole || goal, name.at, "users without tasks", "say what they ask for with `tasks` or `to`");
    let counted = load.users.is_some() || !load.stages.is_empty();
    found.require(!whole || counted, name.at, "tasks without users", "say how many with `users`");
    let weight: f64 = load.tasks.iter().map(|task| task.weight.value).sum();
    found.require(load.tasks.is_empty() || weight > 0.0, name.at, "no task has any weight", "at least one above 0");
    if let (Some(to), false) = (&load.to, load.tasks.is_empty()) {
        found.error(to.at, "both `to` and `tasks`", "one of the two");
    }
}

fn open(load: &Load, whole: bool, found: &mut Findings) {
    let name = &load.name;
    let trace = matches!(load.arrivals.value, Arrivals::Trace(_));
    let ways = usize::from(load.rate.is_some()) + usize::from(!load.stages.is_empty()) + usize::from(trace);
    if whole {
        found.require(
            load.to.is_some(),
            name.at,
            "a load that asks for nothing",
            "say what with `to: service.endpoint`",
        );
        let hint = "say `rate: 100/s`, `stages`, `users` or `arrivals: trace(file)`";
        found.require(ways > 0, name.at, "nothing says how much load this is", hint);
    }
    found.require(ways < 2, name.at, "the rate is given twice", "one of `rate`, `stages` and a trace");
    for stage in load.stages.iter().filter(|stage| stage.rate.is_none()) {
        found.require(!whole, stage.at, "a stage without a rate", "say `rate: 100/s`");
    }
}
