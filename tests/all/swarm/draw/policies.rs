//! How things are called: timeouts, retries, breakers, bulkheads, balancers, fallbacks.

use super::{Draw, Node, one, scalar};

/// How many attempts a call may make, by callee, and where nothing is said.
pub(super) struct Attempts {
    to: Vec<(String, u32)>,
    default: u32,
}

impl Attempts {
    pub(super) fn of(&self, callee: &str) -> u32 {
        self.to.iter().find(|(name, _)| name == callee).map_or(self.default, |(_, attempts)| *attempts)
    }
}

impl Draw {
    /// The `calls` of a service: something for each callee, or for all.
    pub(super) fn calls(&mut self, index: usize) -> (Node, Attempts) {
        let mut calls = Node::map();
        let mut default = None;
        if self.chance(30) {
            let (policy, attempts) = self.policy(false);
            default = attempts;
            calls.set("default", policy);
        }
        let mut to = Vec::new();
        for callee in index + 1..self.services.len() {
            if self.chance(60) {
                let name = self.services[callee].name.clone();
                let (policy, attempts) = self.policy(false);
                calls.set(&name, policy);
                to.push((name, attempts.or(default).unwrap_or(1)));
            }
        }
        (calls, Attempts { to, default: default.unwrap_or(1) })
    }

    /// Policies of a call, and how many attempts they allow if they say so. A load's own `retry` is one of these, too.
    pub(super) fn policy(&mut self, of_load: bool) -> (Node, Option<u32>) {
        let mut policy = Node::map();
        self.maybe(60, &mut policy, "timeout", |draw| draw.span(&[1, 1, 2, 5, 20]));
        self.maybe(20, &mut policy, "deadline", |draw| draw.span(&[1, 3, 10]));
        let attempts = self.chance(40).then(|| self.pick(&[1, 2, 3, 4]));
        if let Some(attempts) = attempts {
            let retry = self.retry(attempts);
            policy.set("retry", retry);
        }
        self.maybe(25, &mut policy, "breaker", Self::breaker);
        self.maybe(20, &mut policy, "bulkhead", |draw| {
            let limit = draw.pick(&["0", "1", "1", "2", "10", "unlimited"]);
            scalar(limit)
        });
        self.maybe(15, &mut policy, "pool", Self::pool);
        self.maybe(20, &mut policy, "fallback", Self::fallback);
        self.maybe(15, &mut policy, "balancer", Self::balancer);
        self.maybe(15, &mut policy, "network", Self::short_time);
        if !of_load {
            self.maybe(20, &mut policy, "scope", |draw| {
                let scope = draw.pick(&["service", "replica"]);
                scalar(scope)
            });
        }
        (policy, attempts)
    }

    fn fallback(&mut self) -> Node {
        if self.chance(50) { Node::map() } else { one("after", self.span(&[0, 1, 3])) }
    }

    pub(super) fn retry(&mut self, attempts: u32) -> Node {
        if self.chance(30) {
            return scalar(attempts);
        }
        let mut retry = one("attempts", scalar(attempts));
        self.maybe(60, &mut retry, "backoff", |draw| {
            let [zero, short, long] = [0, 1, 4].map(|steps| super::duration(steps * draw.grid));
            let kinds = [
                "none".to_owned(),
                format!("constant({zero})"),
                format!("constant({short})"),
                format!("linear({short} {long})"),
                format!("exponential({short} 2 {long})"),
            ];
            scalar(&kinds[draw.below(5) as usize])
        });
        self.maybe(50, &mut retry, "jitter", |draw| {
            let jitter = draw.pick(&["none", "full", "equal", "decorrelated"]);
            scalar(jitter)
        });
        self.maybe(30, &mut retry, "when", Self::troubles);
        self.maybe(30, &mut retry, "budget", |draw| {
            let share = draw.pick(&["0%", "10%", "100%"]);
            scalar(share)
        });
        retry
    }

    fn troubles(&mut self) -> Node {
        let all = ["timeout", "error", "refused", "rejected", "rate_limited", "breaker_open"];
        Node::List(all.into_iter().filter(|_| self.chance(50)).map(scalar).collect())
    }

    fn breaker(&mut self) -> Node {
        let window = self.pick(&["1", "2", "5", "10", "1s", "5s"]);
        let mut breaker = one("window", scalar(window));
        let minimum = if window == "1" { 1 } else { self.pick(&[1, 2]) };
        breaker.set("minimum_calls", scalar(minimum));
        self.maybe(60, &mut breaker, "failure_rate", |draw| {
            let rate = draw.pick(&["1%", "50%", "100%"]);
            scalar(rate)
        });
        self.maybe(30, &mut breaker, "slow_rate", |draw| {
            let rate = draw.pick(&["1%", "100%"]);
            scalar(rate)
        });
        self.maybe(30, &mut breaker, "slow_after", |draw| draw.span(&[1, 5]));
        // Less than a millisecond is not allowed.
        let [short, long] = [1, 4].map(|steps| super::duration(steps * self.grid.max(1_000_000)));
        let open_for = if self.chance(30) { format!("exponential({short} 2 {long})") } else { short };
        breaker.set("open_for", scalar(open_for));
        self.maybe(70, &mut breaker, "half_open_calls", |draw| {
            let calls = draw.pick(&[1, 2, 3]);
            scalar(calls)
        });
        self.maybe(20, &mut breaker, "half_open_limit", |draw| draw.span(&[0, 1, 5]));
        self.maybe(30, &mut breaker, "auto_half_open", |_| scalar("true"));
        self.maybe(20, &mut breaker, "after_half_open_limit", |draw| {
            let state = draw.pick(&["open", "closed"]);
            scalar(state)
        });
        self.maybe(20, &mut breaker, "ignore", Self::troubles);
        breaker
    }

    pub(super) fn balancer(&mut self) -> Node {
        let balancer = self.pick(&["round_robin", "random", "least_request"]);
        scalar(balancer)
    }
}
