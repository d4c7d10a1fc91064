//! What Envoy's configuration and Istio's have in common: retry conditions, outlier detection, balancers.

use squall_model::spec::At;

use super::cx::Cx;
use super::values::{Put, Said, fits, list};
use crate::doc::{Map, Value};

/// The words of `retry_on`, and what they are here. A time-out of one try is a reset of our own.
const RETRY_ON: [(&str, &[&str]); 16] = [
    ("5xx", &["5xx", "timeout", "refused", "rejected"]),
    ("gateway-error", &["gateway_error", "timeout", "refused", "rejected"]),
    ("reset", &["timeout", "refused"]),
    ("reset-before-request", &["refused"]),
    ("connect-failure", &["refused"]),
    ("refused-stream", &[]),
    ("retriable-4xx", &["conflict"]),
    ("envoy-ratelimited", &["rate_limited"]),
    ("cancelled", &[]),
    ("deadline-exceeded", &["timeout"]),
    ("internal", &["5xx"]),
    ("resource-exhausted", &["rate_limited"]),
    ("unavailable", &["refused", "rejected"]),
    ("retriable-status-codes", &[]),
    ("retriable-headers", &[]),
    ("http3-post-connect-failure", &["refused"]),
];

/// The failures that a word of `retry_on` stands for; none of a word that is not known.
pub(crate) fn outcomes(word: &str) -> &'static [&'static str] {
    RETRY_ON.iter().find(|(known, _)| *known == word).map_or(&[], |(_, outcomes)| outcomes)
}

/// What `retry_on` says, with `codes` beside it; numbers among the words are codes too.
pub(super) struct RetryOn {
    pub(super) when: Vec<&'static str>,
    pub(super) statuses: Vec<u16>,
}

impl RetryOn {
    pub(super) fn read(cx: &mut Cx<'_>, text: &str, codes: &[u16], at: At) -> Self {
        let mut on = Self { when: Vec::new(), statuses: Vec::new() };
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if let Ok(code) = word.parse::<u16>() {
                on.statuses.push(code);
                continue;
            }
            let Some((_, outcomes)) = RETRY_ON.iter().find(|(known, _)| *known == word) else {
                let known: Vec<&str> = RETRY_ON.iter().map(|(word, _)| *word).collect();
                cx.error(
                    at,
                    format!("`{word}` is not a retry condition"),
                    &squall_model::spec::did_you_mean(word, &known),
                );
                continue;
            };
            on.when.extend(outcomes.iter());
            match word {
                "retriable-status-codes" => on.statuses.extend(codes),
                "retriable-headers" => cx.not_mapped(at, "`retriable-headers`: replies have no headers", ""),
                "internal" => cx.approximated(at, "`internal` is any 5xx here", ""),
                "unavailable" => {
                    let what =
                        "`unavailable` is a status of gRPC: a refused connection and a full callee are taken for it";
                    cx.approximated(at, what, "leave it out for calls over plain HTTP, which never answer it");
                }
                _ => {}
            }
        }
        let first = |index: usize, word: &&str, all: &[&str]| all.iter().position(|other| other == word) == Some(index);
        let all = on.when.clone();
        on.when =
            all.iter().enumerate().filter(|(index, word)| first(*index, word, &all)).map(|(_, word)| *word).collect();
        on.statuses.dedup();
        if !fits(&on.statuses) {
            cx.not_mapped(at, "more than eight retriable status codes: the first eight count", "");
            on.statuses.truncate(8);
        }
        if !on.statuses.is_empty() && !on.when.contains(&"timeout") {
            let what = "a try that times out is not tried again, though status codes are";
            cx.trap(at, what, "a time-out is a reset and no reply, whatever its status: add `reset` to the conditions");
        }
        on
    }

    /// Puts the conditions into a retry.
    pub(super) fn put(&self, retry: &mut Map, why: &str) {
        retry.set("when", list(&self.when), why);
        if !self.statuses.is_empty() {
            retry.set("statuses", list(&self.statuses), why);
        }
    }
}

/// `envoy(25ms 250ms)`: the longest is ten times the first unless it is given.
pub(super) fn backoff(base: squall_model::Span, longest: Option<squall_model::Span>) -> String {
    format!("envoy({base} {})", longest.unwrap_or(base * 10))
}

/// Warns of an ejection that cannot happen.
pub(super) fn warn_of_no_ejection(cx: &mut Cx<'_>, at: At, (percent, hosts): (f64, Option<u32>)) {
    let can = hosts.is_some_and(|hosts| 100.0 / f64::from(hosts.max(1)) <= percent);
    if can || percent >= 100.0 {
        return;
    }
    let needed = if percent > 0.0 {
        format!("fewer than {} hosts", (100.0 / percent).ceil())
    } else {
        "any number of hosts".into()
    };
    let what = format!("with max_ejection_percent {percent} % and {needed} nothing is ever ejected");
    cx.trap(at, what, "raise it, or set always_eject_one_host");
}

/// What Envoy and Istio mean by no limit.
pub(super) const UNLIMITED: u32 = u32::MAX;

/// Envoy's limits of a cluster; nothing if there is no limit.
pub(super) fn limits(connections: Said<u32>, pending: Said<u32>, requests: Said<u32>) -> Option<Value> {
    if [&connections, &pending, &requests].iter().all(|said| said.value == UNLIMITED) {
        return None;
    }
    let mut limits = Map::default();
    limits.set("kind", "envoy", "");
    limits.put("max_connections", connections);
    limits.put("max_pending_requests", pending);
    limits.put("max_requests", requests);
    Some(limits.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_policies::Outcomes;
    use squall_policies::retry::envoy_retry_on;

    #[test]
    fn every_word_of_retry_on_stands_for_the_failures_that_the_policies_take_it_for() {
        let meant = |word: &&str| match *word {
            "5xx" => Outcomes::ERROR_5XX,
            "gateway_error" => Outcomes::GATEWAY_ERROR,
            "conflict" => Outcomes::CONFLICT,
            word => Outcomes::from_word(word).unwrap(),
        };
        for (word, outcomes) in RETRY_ON {
            let all: Outcomes = outcomes.iter().map(meant).collect();
            // An answer that says `internal` is a 5xx here, of any kind.
            let known = envoy_retry_on(word).unwrap();
            assert!(all == known || word == "internal" && all.includes(known), "{word}: {all} and {known}");
        }
    }
}
