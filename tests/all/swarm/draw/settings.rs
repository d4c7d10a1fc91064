//! Settings of policies that few people touch: now and then one of them has another value than its usual one.

use super::{Draw, Node, scalar};

/// A kind of policy, a setting of it, and values that are allowed whatever else is set. `G` stands for a step of the grid.
type Row = (&'static str, &'static str, &'static [&'static str]);

const SHARES: &[&str] = &["0%", "50%", "100%"];
const COUNTS: &[&str] = &["1", "2", "20"];
const SWITCH: &[&str] = &["true", "false"];

const ROWS: [Row; 51] = [
    ("resilience4j", "clock_start", &["0s", "123ms", "1h"]),
    ("resilience4j", "counts", &["none", "[5xx, timeout]", "[]"]),
    ("polly", "counts", &["none", "[4xx, error]"]),
    ("hystrix", "error_threshold_percentage", SHARES),
    ("hystrix", "ignore", &["none", "[4xx, timeout]", "[request_timeout, conflict]"]),
    ("envoy_outlier", "always_eject_one_host", SWITCH),
    ("envoy_outlier", "consecutive_gateway_failure", COUNTS),
    ("envoy_outlier", "consecutive_local_origin_failure", COUNTS),
    ("envoy_outlier", "enforcing_consecutive_5xx", SHARES),
    ("envoy_outlier", "enforcing_consecutive_gateway_failure", SHARES),
    ("envoy_outlier", "enforcing_consecutive_local_origin_failure", SHARES),
    ("envoy_outlier", "enforcing_failure_percentage", SHARES),
    ("envoy_outlier", "enforcing_success_rate", SHARES),
    ("envoy_outlier", "failure_percentage_minimum_hosts", COUNTS),
    ("envoy_outlier", "failure_percentage_request_volume", COUNTS),
    ("envoy_outlier", "failure_percentage_threshold", SHARES),
    ("envoy_outlier", "max_ejection_time", &["1ms", "1s", "1h"]),
    ("envoy_outlier", "max_ejection_time_jitter", &["0s", "3ms", "1s"]),
    ("envoy_outlier", "success_rate_stdev_factor", &["0", "1000", "1900"]),
    ("linkerd", "jitter_ratio", &["0", "0.5", "100"]),
    ("linkerd", "min_samples", COUNTS),
    ("linkerd", "success_ratio", SHARES),
    ("linkerd", "window", &["10ms", "1s"]),
    ("consecutive", "counts", &["none", "[gateway_error, refused]"]),
    ("finagle", "percent_can_retry", &["0%", "20%", "100%"]),
    ("finagle", "ttl", &["1s", "60s"]),
    ("tower", "retry_percent", SHARES),
    ("tower", "ttl", &["1s", "10s"]),
    ("grpc", "token_ratio", &["0.001", "1", "5"]),
    ("aws", "no_retry_increment", &["0", "1", "10"]),
    ("aws", "retry_cost", COUNTS),
    ("aws", "throttling_cost", COUNTS),
    ("aws", "timeout_cost", COUNTS),
    ("token_bucket", "cost", &["0", "0.5", "1"]),
    ("token_bucket", "per_call", &["0", "0.1", "1"]),
    ("token_bucket", "per_second", &["0", "1", "1000"]),
    ("token_bucket", "per_success", &["0", "0.1", "1"]),
    ("aimd", "backoff_ratio", &["0.5", "0.9"]),
    ("aimd", "timeout", &["G", "5s"]),
    ("vegas", "probe_multiplier", COUNTS),
    ("vegas", "smoothing", &["0.1", "1"]),
    ("gradient2", "long_window", &["1", "600"]),
    ("gradient2", "queue", &["0", "1", "4"]),
    ("gradient2", "rtt_tolerance", &["1", "2.5"]),
    ("gradient2", "smoothing", &["0.1", "1"]),
    ("least_request", "choice_count", &["1", "2", "5"]),
    ("peak_ewma", "choice_count", &["1", "2", "5"]),
    ("peak_ewma", "decay", &["G", "10s"]),
    ("peak_ewma", "default_rtt", &["0s", "G", "1s"]),
    ("peak_ewma", "penalize_unknown", SWITCH),
    ("ring_hash", "maximum_ring_size", &["64", "128"]),
];

impl Draw {
    /// Gives a policy one or two settings of its kind, in one of four cases.
    pub(super) fn settings(&mut self, kind: &str, policy: &mut Node) {
        let rows: Vec<_> = ROWS.iter().filter(|(of, ..)| *of == kind).collect();
        if rows.is_empty() || !self.chance(25) {
            return;
        }
        for _ in 0..2 {
            let (_, key, values) = rows[self.below(rows.len() as u64) as usize];
            let value = self.pick(values);
            let value = if value == "G" { super::duration(self.grid) } else { value.to_owned() };
            if !policy.has(key) {
                policy.set(key, written(&value));
            }
        }
    }
}

/// A value of the table: a list where it is in brackets.
fn written(value: &str) -> Node {
    let Some(items) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return scalar(value) };
    Node::List(items.split(", ").filter(|item| !item.is_empty()).map(scalar).collect())
}
