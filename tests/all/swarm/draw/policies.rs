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
        self.maybe(30, &mut policy, "breaker", Self::breaker);
        self.maybe(30, &mut policy, "bulkhead", Self::bulkhead);
        self.maybe(10, &mut policy, "rate_limit", Self::rate_limit);
        self.maybe(8, &mut policy, "throttle", |draw| {
            if draw.chance(60) {
                return scalar(draw.pick(&["sre", "aws_adaptive"]));
            }
            let mut throttle = one("kind", scalar("sre"));
            throttle.set("multiplier", scalar(draw.pick(&["1", "2", "10"])));
            draw.maybe(40, &mut throttle, "window", |draw| scalar(draw.pick(&["1ms", "10s", "2m"])));
            draw.maybe(40, &mut throttle, "rejections", Self::troubles);
            throttle
        });
        self.maybe(15, &mut policy, "pool", Self::pool);
        let hedges = if self.chance(12) { self.pick(&[1, 1, 2]) } else { 0 };
        if hedges > 0 {
            let hedge = self.hedge(hedges);
            policy.set("hedge", hedge);
        }
        self.maybe(15, &mut policy, "propagate", |draw| {
            Node::List(["cancel", "deadline"].into_iter().filter(|_| draw.chance(70)).map(scalar).collect())
        });
        self.maybe(15, &mut policy, "order", Self::order);
        self.maybe(20, &mut policy, "fallback", Self::fallback);
        self.maybe(15, &mut policy, "balancer", Self::balancer);
        self.maybe(15, &mut policy, "network", Self::short_time);
        if !of_load {
            self.maybe(20, &mut policy, "scope", |draw| {
                let scope = draw.pick(&["service", "replica"]);
                scalar(scope)
            });
        }
        let each = (hedges > 0).then_some(hedges + 1);
        let all = attempts.map(|attempts| attempts * each.unwrap_or(1)).or(each);
        (policy, all)
    }

    fn bulkhead(&mut self) -> Node {
        if self.chance(40) {
            let limit = self.pick(&["0", "1", "1", "2", "10", "unlimited"]);
            return scalar(limit);
        }
        let kind = self.pick(&["semaphore", "thread_pool", "envoy", "aimd", "vegas", "gradient2"]);
        let mut bulkhead = one("kind", scalar(kind));
        match kind {
            "semaphore" => {
                bulkhead.set("limit", scalar(self.pick(&[0, 1, 2, 10])));
                self.maybe(70, &mut bulkhead, "wait", |draw| draw.span(&[0, 1, 3, 20]));
            }
            "thread_pool" => {
                let core = self.pick(&[0, 1, 2]);
                bulkhead.set("core", scalar(core));
                bulkhead.set("max", scalar(core + self.pick(&[1, 2])));
                bulkhead.set("queue", scalar(self.pick(&[0, 1, 5])));
                self.maybe(30, &mut bulkhead, "queue_rejection", |draw| scalar(draw.below(3)));
                self.maybe(50, &mut bulkhead, "keep_alive", |draw| draw.span(&[0, 1, 10]));
            }
            "envoy" => {
                bulkhead.set("max_connections", scalar(self.pick(&[1, 2, 5])));
                bulkhead.set("max_pending_requests", scalar(self.pick(&[0, 1, 2, 10])));
                bulkhead.set("max_requests", scalar(self.pick(&[0, 1, 3, 10])));
                self.maybe(50, &mut bulkhead, "connect", |draw| draw.span(&[0, 1, 2]));
            }
            kind => self.adaptive(kind, &mut bulkhead),
        }
        bulkhead
    }

    /// The settings of a limit that follows latency.
    fn adaptive(&mut self, kind: &str, limit: &mut Node) {
        limit.set("initial", scalar(self.pick(&[1, 2, 5])));
        limit.set("max", scalar(self.pick(&[5, 20])));
        if kind != "vegas" {
            limit.set("min", scalar(1));
        }
        self.maybe(30, limit, "window", |draw| {
            let mut window = one("length", scalar(draw.pick(&["100ms", "1s"])));
            draw.maybe(50, &mut window, "min_rtt", |draw| draw.span(&[0, 1]));
            window
        });
        self.settings(kind, limit);
    }

    fn rate_limit(&mut self) -> Node {
        let rate = 1e9 / (self.grid * self.pick(&[1, 3, 10])) as f64;
        let rate = format!("{}/s", rate.clamp(0.01, 1e9));
        if self.chance(30) {
            return scalar(rate);
        }
        if self.chance(50) {
            let mut limit = one("rate", scalar(rate));
            self.maybe(50, &mut limit, "burst", |draw| scalar(draw.pick(&[1, 2, 10])));
            self.maybe(50, &mut limit, "wait", |draw| draw.span(&[0, 1, 10]));
            return limit;
        }
        let mut limit = one("kind", scalar("resilience4j"));
        limit.set("limit_for_period", scalar(self.pick(&[1, 2, 10])));
        limit.set("limit_refresh_period", self.span(&[1, 3, 10]));
        limit.set("timeout_duration", self.span(&[0, 1, 10]));
        self.maybe(30, &mut limit, "blocking", |_| scalar("false"));
        limit
    }

    fn hedge(&mut self, attempts: u32) -> Node {
        let after = if self.chance(15) { scalar("failure") } else { self.span(&[0, 1, 1, 3]) };
        let mut hedge = one("after", after);
        hedge.set("attempts", scalar(attempts));
        self.maybe(20, &mut hedge, "when", Self::troubles);
        self.maybe(30, &mut hedge, "budget", Self::budget);
        hedge
    }

    fn order(&mut self) -> Node {
        if self.chance(40) {
            return scalar(self.pick(&["resilience4j", "dotnet", "envoy"]));
        }
        let mut layers = vec!["retry", "throttle", "breaker", "rate_limit", "bulkhead", "timeout"];
        let mut order = Vec::new();
        while !layers.is_empty() && !self.chance(10) {
            let at = self.below(layers.len() as u64) as usize;
            order.push(scalar(layers.swap_remove(at)));
        }
        Node::List(order)
    }

    fn budget(&mut self) -> Node {
        if self.chance(40) {
            let share = self.pick(&["0%", "10%", "100%"]);
            return scalar(share);
        }
        let kind = self.pick(&["finagle", "tower", "envoy", "grpc", "aws", "token_bucket"]);
        let mut budget = one("kind", scalar(kind));
        match kind {
            "finagle" => self.maybe(50, &mut budget, "min_retries_per_sec", |_| scalar(0)),
            "tower" => self.maybe(50, &mut budget, "min_per_sec", |_| scalar(0)),
            "envoy" => self.maybe(50, &mut budget, "max_retries", |draw| scalar(draw.below(3))),
            "grpc" => budget.set("max_tokens", scalar(self.pick(&[1, 10]))),
            "aws" => budget.set("capacity", scalar(self.pick(&[1, 20, 500]))),
            _ => budget.set("capacity", scalar(self.pick(&[1, 5]))),
        }
        if kind == "envoy" && self.chance(40) {
            budget = one("kind", scalar(kind));
            budget.set("budget_percent", scalar(self.pick(&["0%", "20%", "100%"])));
            self.maybe(50, &mut budget, "budget_interval", |draw| draw.span(&[1, 10]));
            self.maybe(50, &mut budget, "min_retry_concurrency", |draw| scalar(draw.pick(&[0, 1, 3])));
        }
        self.settings(kind, &mut budget);
        budget
    }

    fn fallback(&mut self) -> Node {
        let mut fallback = if self.chance(50) { Node::map() } else { one("after", self.span(&[0, 1, 3])) };
        self.maybe(20, &mut fallback, "when", Self::troubles);
        self.maybe(20, &mut fallback, "limit", |draw| scalar(draw.pick(&["0", "1", "3", "unlimited"])));
        fallback
    }

    pub(super) fn retry(&mut self, attempts: u32) -> Node {
        if self.chance(30) {
            return scalar(attempts);
        }
        let mut retry = one("attempts", scalar(attempts));
        if self.chance(25) {
            let kinds =
                ["resilience4j", "polly", "dotnet", "envoy", "istio", "linkerd", "grpc", "aws", "aws_2_1", "plain"];
            let kind = self.pick(&kinds);
            retry.set("kind", scalar(kind));
            self.maybe(30, &mut retry, "avoid_tried", |draw| scalar(draw.pick(&[0, 1, 5])));
            self.maybe(20, &mut retry, "throttled_base", |draw| draw.span(&[0, 1, 10]));
            return retry;
        }
        self.maybe(40, &mut retry, "retry_after", |draw| {
            scalar(draw.pick(&["ignored", "exact", "pushback", "envoy", "aws"]))
        });
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
            let jitter = draw.pick(&["none", "full", "equal", "decorrelated", "proportional(20%)", "additive(50%)"]);
            scalar(jitter)
        });
        self.maybe(30, &mut retry, "when", Self::troubles);
        self.maybe(15, &mut retry, "statuses", |draw| {
            let statuses = [400, 500, 503, 599].into_iter().filter(|_| draw.chance(50)).map(scalar);
            Node::List(statuses.collect())
        });
        self.maybe(30, &mut retry, "budget", Self::budget);
        retry
    }

    fn troubles(&mut self) -> Node {
        let all = [
            "timeout",
            "error",
            "5xx",
            "gateway_error",
            "refused",
            "rejected",
            "rate_limited",
            "breaker_open",
            "4xx",
            "request_timeout",
            "conflict",
        ];
        Node::List(all.into_iter().filter(|_| self.chance(50)).map(scalar).collect())
    }

    fn breaker(&mut self) -> Node {
        let kind = self.pick(&["resilience4j", "resilience4j", "polly", "hystrix", "linkerd", "consecutive", "envoy"]);
        match kind {
            "resilience4j" => self.resilience4j(),
            "envoy" => self.outlier(),
            kind => self.other_breaker(kind),
        }
    }

    /// So many milliseconds, or steps of the grid if those are longer.
    fn at_least(&self, ms: u64, steps: u64) -> Node {
        scalar(super::duration((steps * self.grid).max(ms * 1_000_000)))
    }

    fn other_breaker(&mut self, kind: &str) -> Node {
        let mut breaker = one("kind", scalar(kind));
        match kind {
            "polly" => {
                breaker.set("minimum_throughput", scalar(self.pick(&[2, 5])));
                breaker.set("sampling_duration", self.at_least(500, 10));
                breaker.set("break_duration", self.at_least(500, 2));
                self.maybe(50, &mut breaker, "failure_ratio", |draw| scalar(draw.pick(&["1%", "50%", "100%"])));
                self.maybe(20, &mut breaker, "counts", Self::troubles);
            }
            "hystrix" => {
                breaker.set("request_volume_threshold", scalar(self.pick(&[1, 2, 5])));
                breaker.set("sleep_window", self.at_least(1, 2));
                breaker.set("rolling_window", self.at_least(10, 10));
                breaker.set("health_snapshot_interval", self.at_least(1, 1));
            }
            "linkerd" => {
                breaker.set("max_failures", scalar(self.pick(&[1, 2, 5])));
                breaker.set("min_penalty", self.at_least(1, 2));
                breaker.set("max_penalty", self.at_least(100, 20));
                self.maybe(40, &mut breaker, "mode", |_| scalar("unified"));
            }
            _ => {
                breaker.set("failures", scalar(self.pick(&[1, 2, 5])));
                breaker.set("open_for", self.at_least(1, 3));
                self.maybe(50, &mut breaker, "half_open_calls", |draw| scalar(draw.pick(&[1, 2, 3])));
                self.maybe(20, &mut breaker, "ignore", Self::troubles);
            }
        }
        self.settings(kind, &mut breaker);
        breaker
    }

    fn outlier(&mut self) -> Node {
        let mut outlier = one("kind", scalar("envoy_outlier"));
        outlier.set("consecutive_5xx", scalar(self.pick(&[1, 2, 5])));
        outlier.set("interval", self.at_least(1, 5));
        outlier.set("base_ejection_time", self.at_least(1, 5));
        outlier.set("max_ejection_percent", scalar(self.pick(&["50%", "100%"])));
        self.maybe(50, &mut outlier, "healthy_panic_threshold", |draw| scalar(draw.pick(&["0%", "50%"])));
        self.maybe(50, &mut outlier, "update_merge_window", |draw| draw.span(&[0, 3]));
        self.maybe(30, &mut outlier, "split_external_local_origin_errors", |_| scalar("true"));
        self.maybe(30, &mut outlier, "success_rate_request_volume", |_| scalar(2));
        self.maybe(30, &mut outlier, "success_rate_minimum_hosts", |_| scalar(2));
        self.settings("envoy_outlier", &mut outlier);
        outlier
    }

    fn resilience4j(&mut self) -> Node {
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
        let open_for = match self.below(10) {
            0..3 => format!("exponential({short} 2 {long})"),
            3 => format!("randomized({long} 0.5)"),
            _ => short,
        };
        breaker.set("open_for", scalar(open_for));
        self.maybe(10, &mut breaker, "initial_state", |draw| {
            scalar(draw.pick(&["open", "half_open", "forced_open", "disabled", "metrics_only"]))
        });
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
        self.settings("resilience4j", &mut breaker);
        breaker
    }

    pub(super) fn balancer(&mut self) -> Node {
        let words = ["round_robin", "random", "least_request", "peak_ewma"];
        match self.below(9) {
            0 => {
                let mut balancer = one("kind", scalar("least_request"));
                balancer.set("choice", scalar(self.pick(&["distinct", "full_scan", "with_replacement"])));
                self.settings("least_request", &mut balancer);
                balancer
            }
            8 => {
                let mut balancer = one("kind", scalar("peak_ewma"));
                self.settings("peak_ewma", &mut balancer);
                balancer
            }
            1 => {
                let mut ring = one("kind", scalar("ring_hash"));
                ring.set("minimum_ring_size", scalar(64));
                self.maybe(50, &mut ring, "hash_balance_factor", |_| scalar(150));
                self.settings("ring_hash", &mut ring);
                ring
            }
            2 => {
                let mut table = one("kind", scalar("maglev"));
                table.set("table_size", scalar(101));
                table
            }
            n => scalar(words[n as usize % words.len()]),
        }
    }

    /// What a replica lets in.
    pub(super) fn admission(&mut self) -> Node {
        let mut admission = Node::map();
        self.maybe(40, &mut admission, "rate", |draw| {
            let rate = 1e9 / (draw.grid * draw.pick(&[1, 3, 10])) as f64;
            scalar(format!("{}/s", rate.clamp(0.01, 1e9)))
        });
        self.maybe(40, &mut admission, "burst", |draw| scalar(draw.pick(&[1, 2, 20])));
        self.maybe(70, &mut admission, "concurrency", |draw| {
            if draw.chance(50) {
                return scalar(draw.pick(&[1, 2, 5, 50]));
            }
            let kind = draw.pick(&["aimd", "vegas", "gradient2"]);
            let mut limit = one("kind", scalar(kind));
            draw.adaptive(kind, &mut limit);
            limit
        });
        self.maybe(30, &mut admission, "reserve", |draw| scalar(draw.pick(&["10%", "50%"])));
        self.maybe(40, &mut admission, "retry_after", |draw| {
            if draw.chance(20) { scalar("for_good") } else { draw.span(&[0, 1, 10]) }
        });
        admission
    }
}
