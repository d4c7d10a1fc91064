//! From what was kept of a request to its spans, its critical path, and where its time went.

use std::collections::BTreeSet;

use squall_model::machine::Key;
use squall_model::observation::Failure;
use squall_model::plan::{EndpointId, Plan};
use squall_model::trace::{Activity, Ids, Origin};
use squall_model::{Outcome, SimTime};

use super::collect::Node;
use super::path::{self, Follower, Stretch};
use super::{Part, Segment, Span, SpanKind, Spent, Trace};
use crate::summary::rounded;

/// Everything that was kept of a run.
#[derive(Clone, Copy)]
pub(super) struct Run<'n> {
    pub(super) plan: &'n Plan,
    pub(super) nodes: &'n [Node],
    /// When it ended.
    pub(super) end: u64,
    pub(super) ids: Ids,
}

/// The trace of the user's request that node `root` is.
pub(super) fn trace(run: &Run<'_>, root: usize, at: &str) -> Trace {
    let node = &run.nodes[root];
    let (start, end) = (node.began, node.end(run.end));
    let mut follower = Follower { nodes: run.nodes, end: run.end, path: Vec::new() };
    follower.follow(root, (start, end));
    let path = follower.path;
    let critical: BTreeSet<u64> = path.iter().flat_map(|stretch| ids_of(run, stretch)).collect();
    let mut writer =
        Writer { run, critical, trace: run.ids.trace(node.fiber, SimTime::from_nanos(start)), spans: Vec::new() };
    writer.node(root, None, end, None);
    mark_ancestors(&mut writer.spans);
    let (load, task) = names(run.plan, node.endpoint);
    Trace {
        trace_id: format!("{:032x}", writer.trace),
        at: at.to_owned(),
        load,
        task,
        start_ns: start,
        end_ns: end,
        latency_ns: end - start,
        outcome: node.ended.map_or_else(|| "unfinished".to_owned(), |(_, outcome)| word(outcome)),
        spans: writer.spans,
        critical_path: segments(run, &path),
        by_cause: parts(run, &path, end - start),
    }
}

/// What lies around a critical span is critical, too: parents come before their children.
fn mark_ancestors(spans: &mut [Span]) {
    for child in (0..spans.len()).rev().filter(|child| *child > 0) {
        if !spans[child].critical {
            continue;
        }
        let parent = spans[child].parent.clone();
        if let Some(parent) = spans[..child].iter_mut().rfind(|span| Some(&span.id) == parent.as_ref()) {
            parent.critical = true;
        }
    }
}

/// The number of a node's own span, or of one of its acts.
fn id(run: &Run<'_>, node: usize, act: Option<usize>) -> u64 {
    let key = act.map_or(Key::NONE, |act| run.nodes[node].acts[act].key);
    let is_attempt = act.is_some_and(|act| matches!(run.nodes[node].acts[act].what, Activity::Calling { .. }));
    if is_attempt && key != Key::NONE {
        return run.ids.span(key);
    }
    run.ids.part(node as u64, act.map_or(0, |act| act as u64 + 1))
}

/// The number of the span in which an attempt waits for a connection of its caller's pool.
fn pool_id(run: &Run<'_>, node: usize, act: usize) -> u64 {
    run.ids.part(node as u64, 1 << 23 | act as u64)
}

/// The spans that a stretch of the path lies in: the act's, if it has one, and those of the requests around it.
fn ids_of(run: &Run<'_>, stretch: &Stretch) -> impl Iterator<Item = u64> + use<> {
    let waits = stretch.cause == Spent::Connection;
    let pool = stretch.act.filter(|_| waits).map(|act| pool_id(run, stretch.node, act));
    [id(run, stretch.node, None), id(run, stretch.node, stretch.act)].into_iter().chain(pool)
}

fn text(id: u64) -> String {
    format!("{id:016x}")
}

/// The load and the task of a client's endpoint.
fn names(plan: &Plan, task: EndpointId) -> (String, String) {
    let endpoint = &plan.endpoints[task.index()];
    (plan.services[endpoint.service.index()].name.clone(), endpoint.name.clone())
}

struct Writer<'r> {
    run: &'r Run<'r>,
    critical: BTreeSet<u64>,
    trace: u128,
    spans: Vec<Span>,
}

impl Writer<'_> {
    /// The span of a node and all below it; `needed` is when nobody waited for it any more.
    /// One of several attempts of a call that go their way apart says so: its call, and which it is.
    fn node(&mut self, at: usize, parent: Option<u64>, needed: u64, apart: Option<(&str, usize)>) {
        let run = self.run;
        let node = &run.nodes[at];
        let endpoint = &run.plan.endpoints[node.endpoint.index()];
        let service = &run.plan.services[endpoint.service.index()];
        let (kind, name) = match node.origin {
            Origin::User { .. } if endpoint.name == service.name => (SpanKind::User, service.name.clone()),
            Origin::User { .. } => (SpanKind::User, format!("{}.{}", service.name, endpoint.name)),
            Origin::Request => (SpanKind::Request, format!("{}.{}", service.name, endpoint.name)),
            Origin::Branch if apart.is_some_and(|(_, which)| which > 0) => {
                (SpanKind::Hedge, apart.map_or_else(String::new, |(call, _)| call.to_owned()))
            }
            Origin::Branch => (SpanKind::Branch, format!("branch of {}.{}", service.name, endpoint.name)),
        };
        let own = id(run, at, None);
        let outcome = node.ended.map(|(_, outcome)| word(outcome));
        let times = (node.began, node.end(run.end));
        let mut span = self.span(kind, name, (own, parent), times);
        span.place.clone_from(&service.name);
        span.replica = node.replica.0 - service.first_replica.0;
        span.outcome = outcome;
        span.unfinished = node.ended.is_none();
        span.wasted = times.1 > needed;
        self.spans.push(span);
        for act in 0..node.acts.len() {
            self.act((at, act), own, needed);
        }
    }

    fn act(&mut self, (at, index): (usize, usize), parent: u64, needed: u64) {
        let run = self.run;
        let (node, plan) = (&run.nodes[at], run.plan);
        let act = &node.acts[index];
        let (from, to) = (act.from, node.end_of(index, run.end));
        let service = || plan.services[plan.endpoints[node.endpoint.index()].service.index()].name.clone();
        let edge = |site: squall_model::plan::SiteId| plan.edges[plan.sites[site.index()].edge.index()].name.clone();
        let (kind, name) = match act.what {
            Activity::Running | Activity::Forked => {
                return act.children.iter().for_each(|child| self.node(*child, Some(parent), to.min(needed), None));
            }
            Activity::Apart(site) => {
                let call = edge(site);
                let tries = act.children.iter().enumerate();
                return tries.for_each(|(which, child)| {
                    self.node(*child, Some(parent), to.min(needed), Some((&call, which)));
                });
            }
            Activity::Queued => (SpanKind::Queue, service()),
            Activity::Held(site) => (SpanKind::Held, edge(site)),
            Activity::Working => (SpanKind::Work, service()),
            Activity::Waiting => (SpanKind::Wait, service()),
            Activity::Disturbed => (SpanKind::Fault, service()),
            Activity::Connecting(database) => (SpanKind::Connection, plan.databases[database.index()].name.clone()),
            Activity::Querying(database) => (SpanKind::Query, plan.databases[database.index()].name.clone()),
            Activity::Looking(cache) => (SpanKind::Cache, plan.caches[cache.index()].name.clone()),
            Activity::Publishing(topic) => (SpanKind::Publish, plan.topics[topic.index()].name.clone()),
            Activity::BackingOff(site) => (SpanKind::BackOff, edge(site)),
            Activity::FallingBack(site) => (SpanKind::Fallback, edge(site)),
            Activity::Calling { site, .. } => (SpanKind::Attempt, edge(site)),
        };
        if from == to && kind != SpanKind::Attempt {
            return;
        }
        let own = id(run, at, Some(index));
        let mut span = self.span(kind, name.clone(), (own, Some(parent)), (from, to));
        let elsewhere = matches!(kind, SpanKind::Connection | SpanKind::Query | SpanKind::Cache | SpanKind::Publish);
        span.place = if elsewhere { name } else { service() };
        span.replica =
            node.replica.0 - plan.services[plan.endpoints[node.endpoint.index()].service.index()].first_replica.0;
        let last = index + 1 == node.acts.len();
        span.unfinished = last && node.ended.is_none();
        span.wasted = to > needed;
        if let Activity::Calling { attempt, .. } = act.what {
            span.attempt = Some(attempt);
            span.outcome = (!span.unfinished).then(|| self.attempt_ended(at, index, to));
        }
        let replica = span.replica;
        self.spans.push(span);
        if let Some(pooled) = act.pooled {
            self.pool((at, index), own, (from, pooled.clamp(from, to)), replica);
        }
        for child in &act.children {
            self.node(*child, Some(own), to.min(needed), None);
        }
    }

    /// The wait of an attempt for a connection of its caller's pool.
    fn pool(&mut self, (at, index): (usize, usize), parent: u64, (from, to): (u64, u64), replica: u32) {
        if from == to {
            return;
        }
        let attempt = self.spans.last().map(|span| (span.name.clone(), span.unfinished && span.end_ns == to));
        let (name, unfinished) = attempt.unwrap_or_default();
        let mut span =
            self.span(SpanKind::Connection, name.clone(), (pool_id(self.run, at, index), Some(parent)), (from, to));
        (span.place, span.replica, span.unfinished) = (name, replica, unfinished);
        self.spans.push(span);
    }

    /// How an attempt ended, as its caller sees it.
    fn attempt_ended(&self, at: usize, index: usize, to: u64) -> String {
        let act = &self.run.nodes[at].acts[index];
        if let Some(failure) = act.failure {
            return failure_word(failure);
        }
        let answers = act.children.iter().filter_map(|child| self.run.nodes[*child].ended);
        let answer = answers.filter(|(end, _)| *end <= to).max_by_key(|(end, _)| *end);
        word(answer.map_or(Outcome::Ok, |(_, outcome)| outcome))
    }

    fn span(&self, kind: SpanKind, name: String, (own, parent): (u64, Option<u64>), (from, to): (u64, u64)) -> Span {
        Span {
            id: text(own),
            parent: parent.map(text),
            kind,
            name,
            place: String::new(),
            replica: 0,
            start_ns: from,
            end_ns: to,
            outcome: None,
            attempt: None,
            unfinished: false,
            wasted: false,
            critical: self.critical.contains(&own),
        }
    }
}

/// The path as segments; what follows on the same thing is one.
fn segments(run: &Run<'_>, path: &[Stretch]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for stretch in path {
        let (place, span) = (path::place(run.plan, run.nodes, stretch), text(id(run, stretch.node, stretch.act)));
        match segments.last_mut() {
            Some(last) if (last.cause, &last.place, &last.span) == (stretch.cause, &place, &span) => {
                last.end_ns = stretch.to;
            }
            _ => {
                let Stretch { cause, from, to, .. } = *stretch;
                segments.push(Segment { cause, place, span, start_ns: from, end_ns: to });
            }
        }
    }
    segments
}

/// Times by cause and place, the longest first.
fn parts(run: &Run<'_>, path: &[Stretch], latency: u64) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for stretch in path {
        let place = path::place(run.plan, run.nodes, stretch);
        let took = stretch.to - stretch.from;
        match parts.iter_mut().find(|part| part.cause == stretch.cause && part.place == place) {
            Some(part) => part.ns += took,
            None => parts.push(Part { cause: stretch.cause, place, ns: took, share: 0.0 }),
        }
    }
    for part in &mut parts {
        part.share = rounded(part.ns as f64 / latency.max(1) as f64);
    }
    parts.sort_by(|a, b| b.ns.cmp(&a.ns).then(a.cause.cmp(&b.cause)).then(a.place.cmp(&b.place)));
    parts
}

/// An outcome in a word or two.
pub(super) fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Degraded => "degraded".to_owned(),
        Outcome::Error(status) => format!("error {status}"),
        Outcome::Timeout => "timeout".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Rejected => "rejected".to_owned(),
        Outcome::RateLimited => "rate limited".to_owned(),
        Outcome::BreakerOpen => "breaker open".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}

fn failure_word(failure: Failure) -> String {
    match failure {
        Failure::Callee(outcome) | Failure::BudgetRefused(outcome) => word(outcome),
        Failure::BreakerOpen => "breaker open".to_owned(),
        Failure::BulkheadFull => "bulkhead full".to_owned(),
        Failure::PoolFull => "no connection free".to_owned(),
        Failure::RateLimited => "own rate limit".to_owned(),
        Failure::Throttled => "throttled".to_owned(),
        Failure::NoReplica => "no replica".to_owned(),
        Failure::Deadline => "deadline".to_owned(),
    }
}
