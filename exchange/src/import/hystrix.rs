//! Hystrix properties: commands and their thread pools.
//!
//! Read from Hystrix 7c03baf, its last.

use squall_model::Span;
use squall_model::spec::At;
use squall_model::spec::tree::{Kind, Node};

use super::cx::Cx;
use super::values::{Percent, Put, Said};
use crate::doc::Map;
use crate::read::{insert, properties, same};

/// The service that makes the calls, if nobody says otherwise.
const CALLER: &str = "app";

pub(super) fn import(cx: &mut Cx<'_>) {
    let root = read(cx);
    let Some(hystrix) = root.entries().iter().find(|entry| same(&entry.key.text, "hystrix")) else { return };
    let section = |name: &str| hystrix.value.entries().iter().find(|entry| same(&entry.key.text, name));
    let commands = section("command").map_or(&[][..], |entry| entry.value.entries());
    let pools = section("threadpool").map_or(&[][..], |entry| entry.value.entries());
    let find = |from: &'_ [squall_model::spec::tree::Entry], name: &str| {
        from.iter().find(|entry| entry.key.text == name).map(|entry| entry.value.clone())
    };
    let usual = find(commands, "default");
    let usual_pool = find(pools, "default");
    let named: Vec<&str> =
        commands.iter().map(|entry| entry.key.text.as_str()).filter(|name| *name != "default").collect();
    let names = if named.is_empty() { vec![cx.options.to.as_deref().unwrap_or("callee")] } else { named };
    for name in names {
        let mut command = Command { levels: vec![find(commands, name), usual.clone()], used: Vec::new() };
        let group = command.text("threadPoolKeyOverride").unwrap_or_else(|| name.to_owned());
        let mut pool = Command { levels: vec![find(pools, &group), usual_pool.clone()], used: Vec::new() };
        let policy = policy(cx, &mut command, &mut pool);
        command.rest(cx);
        pool.rest(cx);
        let to = cx.name(name);
        for from in cx.callers(&to, CALLER) {
            cx.call(&from, &to, &policy);
        }
    }
}

fn read(cx: &mut Cx<'_>) -> Node {
    let mut root = Node::empty(At::default());
    for index in 0..cx.inputs.len() {
        let input = cx.inputs[index];
        let yaml = matches!(input.name.rsplit('.').next(), Some("yml" | "yaml"));
        let (documents, problems) = if yaml {
            crate::read::documents(input.text, index as u16)
        } else {
            let (node, problems) = properties(input.text, index as u16);
            (vec![node], problems)
        };
        cx.errors.extend(problems);
        for document in documents {
            level(cx, &document, &mut root);
        }
    }
    root
}

/// Dotted keys become levels.
fn level(cx: &mut Cx<'_>, node: &Node, into: &mut Node) {
    for entry in node.entries() {
        let mut value = entry.value.clone();
        if let Kind::Map(_) = entry.value.kind {
            value = Node::empty(entry.value.at);
            level(cx, &entry.value, &mut value);
        }
        if let Err(problem) = insert(into, &entry.key.text, value, entry.key.at) {
            cx.errors.push(problem);
        }
    }
}

/// The settings of one command or pool: its own, then the default ones.
struct Command {
    levels: Vec<Option<Node>>,
    used: Vec<At>,
}

impl Command {
    /// The value at a dotted path, the command's own first.
    fn find(&mut self, path: &str) -> Option<Node> {
        let mut found = None;
        for level in self.levels.iter().flatten() {
            let step = |node: &Node, step: &str| {
                node.entries().iter().find(|entry| same(&entry.key.text, step)).map(|entry| entry.value.clone())
            };
            let value = path.split('.').try_fold(level.clone(), |node, name| step(&node, name));
            if let Some(value) = value {
                self.used.push(value.at);
                found = found.or(Some(value));
            }
        }
        found
    }

    fn text(&mut self, path: &str) -> Option<String> {
        self.find(path).and_then(|node| node.text().map(str::to_owned))
    }

    fn said<T>(&mut self, cx: &mut Cx<'_>, path: &str, read: fn(&mut Cx<'_>, &Node) -> Option<T>) -> Option<Said<T>> {
        let node = self.find(path)?;
        let value = read(cx, &node)?;
        Some(Said { value, why: format!("{} {path}", cx.place(node.at)) })
    }

    /// What nobody asked for.
    fn rest(&self, cx: &mut Cx<'_>) {
        for level in self.levels.iter().flatten() {
            self.rest_of(cx, level, "");
        }
    }

    fn rest_of(&self, cx: &mut Cx<'_>, node: &Node, path: &str) {
        for entry in node.entries() {
            let path = if path.is_empty() { entry.key.text.clone() } else { format!("{path}.{}", entry.key.text) };
            match entry.value.kind {
                Kind::Map(_) => self.rest_of(cx, &entry.value, &path),
                _ if !self.used.contains(&entry.value.at) => cx.not_mapped(entry.key.at, format!("`{path}`"), ""),
                _ => {}
            }
        }
    }
}

fn default<T>(value: T) -> Said<T> {
    Said::default(value, "default")
}

fn policy(cx: &mut Cx<'_>, command: &mut Command, pool: &mut Command) -> Map {
    let mut policy = Map::default();
    let on = |cx: &mut Cx<'_>, command: &mut Command, path| {
        command.said(cx, path, |cx, node| cx.boolean(node)).is_none_or(|said| said.value)
    };
    let timeout = command.said(cx, "execution.isolation.thread.timeoutInMilliseconds", |cx, node| cx.millis(node));
    if on(cx, command, "execution.timeout.enabled") {
        policy.put("timeout", timeout.unwrap_or_else(|| default(Span::from_secs(1))));
    }
    if on(cx, command, "circuitBreaker.enabled") {
        let breaker = policy.map("breaker");
        breaker.set("kind", "hystrix", "");
        let volume = command.said(cx, "circuitBreaker.requestVolumeThreshold", |cx, node| cx.count(node));
        breaker.put("request_volume_threshold", volume.unwrap_or_else(|| default(20)));
        let errors = command.said(cx, "circuitBreaker.errorThresholdPercentage", |cx, node| cx.whole_percent(node));
        breaker.put("error_threshold_percentage", errors.unwrap_or_else(|| default(Percent(50.0))));
        for (path, key, usual) in [
            ("circuitBreaker.sleepWindowInMilliseconds", "sleep_window", 5_000),
            ("metrics.rollingStats.timeInMilliseconds", "rolling_window", 10_000),
            ("metrics.healthSnapshot.intervalInMilliseconds", "health_snapshot_interval", 500),
        ] {
            let said = command.said(cx, path, |cx, node| cx.millis(node));
            breaker.put(key, said.unwrap_or_else(|| default(Span::from_millis(usual))));
        }
    }
    isolation(cx, (command, pool), &mut policy);
    for quiet in [
        "metrics.rollingStats.numBuckets",
        "requestCache.enabled",
        "requestLog.enabled",
        "execution.isolation.thread.interruptOnTimeout",
        "execution.isolation.thread.interruptOnCancel",
    ] {
        command.find(quiet);
    }
    fallback(cx, command);
    for (name, state) in [("circuitBreaker.forceOpen", "open"), ("circuitBreaker.forceClosed", "closed")] {
        if command.text(name).as_deref() == Some("true") {
            let at = command.find(name).map_or_else(At::default, |node| node.at);
            cx.not_mapped(at, format!("a circuit that is forced {state}"), "");
        }
    }
    policy
}

/// Whether there is a fallback is in the program alone; only what is written of it shows that there may be one.
fn fallback(cx: &mut Cx<'_>, command: &mut Command) {
    let limit = command.find("fallback.isolation.semaphore.maxConcurrentRequests");
    let on = command.find("fallback.enabled");
    let off = on.as_ref().is_some_and(|on| on.text() == Some("false"));
    let Some(written) = limit.as_ref().or(on.as_ref()).filter(|_| !off) else { return };
    let at_once = limit.as_ref().and_then(Node::text).unwrap_or("10");
    let hint = format!(
        "if the command has one, write `fallback: {{after: 1ms, limit: {at_once}, when: [timeout, 5xx, refused, rejected, \
         breaker_open]}}`, with the time that it takes"
    );
    cx.not_mapped(written.at, "the fallback, which is code", &hint);
}

fn isolation(cx: &mut Cx<'_>, (command, pool): (&mut Command, &mut Command), policy: &mut Map) {
    let strategy = command.text("execution.isolation.strategy");
    let semaphore = command.said(cx, "execution.isolation.semaphore.maxConcurrentRequests", |cx, node| cx.count(node));
    let bulkhead = policy.map("bulkhead");
    if strategy.is_some_and(|strategy| strategy.eq_ignore_ascii_case("SEMAPHORE")) {
        bulkhead.put("limit", semaphore.unwrap_or_else(|| default(10)));
        return;
    }
    let core = pool.said(cx, "coreSize", |cx, node| cx.count(node)).unwrap_or_else(|| default(10));
    let grows = pool.said(cx, "allowMaximumSizeToDivergeFromCoreSize", |cx, node| cx.boolean(node));
    let max = pool.said(cx, "maximumSize", |cx, node| cx.count(node));
    let queue = pool.find("maxQueueSize").and_then(|node| (node.text() != Some("-1")).then_some(node));
    let queue = queue.and_then(|node| Some(Said { value: cx.count(&node)?, why: cx.place(node.at) }));
    let rejection = pool.said(cx, "queueSizeRejectionThreshold", |cx, node| cx.count(node));
    bulkhead.set("kind", "thread_pool", "");
    let max = match max {
        Some(max) if grows.as_ref().is_some_and(|grows| grows.value) => max.map(|max| max.max(core.value)),
        Some(_) => {
            let at = pool.find("maximumSize").map_or_else(At::default, |node| node.at);
            let what = "`maximumSize` does not count without `allowMaximumSizeToDivergeFromCoreSize`";
            cx.trap(at, what, "allow it, or leave the size out");
            core.clone()
        }
        None => core.clone(),
    };
    bulkhead.put("core", core);
    bulkhead.put("max", max);
    let has_queue = queue.as_ref().is_some_and(|queue| queue.value > 0);
    bulkhead.put("queue", queue.unwrap_or_else(|| Said::default(0, "default: hand-off")));
    if has_queue {
        if rejection.is_none() {
            let at = pool.find("maxQueueSize").map_or_else(At::default, |node| node.at);
            let what = "only 5 calls wait, whatever maxQueueSize says";
            cx.trap(at, what, "queueSizeRejectionThreshold is 5 unless it is set: set it too");
        }
        bulkhead.put("queue_rejection", rejection.unwrap_or_else(|| default(5)));
    }
    for quiet in ["keepAliveTimeMinutes", "metrics.rollingStats.timeInMilliseconds", "metrics.rollingStats.numBuckets"]
    {
        pool.find(quiet);
    }
}
