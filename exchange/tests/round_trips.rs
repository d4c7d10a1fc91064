//! What goes out to a dialect and comes back is what it was: every policy value that the dialect can hold.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may stop")]

use squall_exchange::{export, import};
use squall_model::spec::{self, CallPolicy, Topology};

/// A cheap generator of random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn load(text: &str) -> Topology {
    let no_files = |_: &str| Err("no files".to_owned());
    let read = spec::read(text, &[], &no_files);
    assert_eq!(read.problems, vec![], "{text}");
    read.topology.unwrap()
}

fn topology(policy: &str) -> String {
    format!(
        "name: shop\nservices:\n  web:\n    endpoints: {{buy: {{steps: [{{call: stock.take}}]}}}}\n    calls:\n      stock: {policy}\n  \
         stock: {{endpoints: {{take: {{steps: [{{work: 1ms}}]}}}}}}\nload: [{{name: users, to: web.buy, rate: 1/s}}]\n"
    )
}

fn policy(topology: &Topology, from: &str) -> CallPolicy {
    topology.services.find(from).unwrap_or_else(|| panic!("no caller {from}")).calls.policy("stock").clone()
}

/// Sends `policy` out and back.
fn round_trip(formats: (export::Format, import::Format), written: &str) {
    let before = load(&topology(written));
    let exported = export::export(formats.0, &before, &export::Options::default()).unwrap();
    let options = import::Options { from: Some("web".into()), ..import::Options::default() };
    let inputs = [import::Input { name: "a.yaml", text: &exported.text }];
    let imported = import::import(formats.1, &inputs, None, &options);
    let text = imported.unwrap_or_else(|problems| panic!("{problems:?}\n{}", exported.text)).doc.render();
    let after = load(&text);
    assert_eq!(policy(&before, "web"), policy(&after, "web"), "{written}\n{}\n{text}", exported.text);
    assert_eq!(exported.notes, Vec::<String>::new(), "{written}");
}

#[test]
fn resilience4j_keeps_everything_it_can_say() {
    let mut dice = Dice(1);
    for _ in 0..200 {
        let d = &mut dice;
        let mut parts = Vec::new();
        let window = if d.coin() { format!("{}", d.from(1, 500)) } else { format!("{}s", d.from(1, 60)) };
        let open_for = match d.below(3) {
            0 => format!("{}ms", d.from(1, 90_000)),
            1 => format!("exponential({}ms {} {}ms)", d.from(1, 900), d.from(1, 5), d.from(1000, 9000)),
            _ => format!("exponential({}ms 1.5)", d.from(1, 900)),
        };
        parts.push(format!(
            "breaker: {{window: {window}, minimum_calls: {}, failure_rate: {}%, slow_rate: {}%, slow_after: {}ms, open_for: {open_for}, \
             half_open_calls: {}, half_open_limit: {}ms, auto_half_open: {}, ignore: [{}]}}",
            d.from(1, 200), d.from(1, 100), d.from(1, 100), d.from(1, 9000), d.from(1, 20), d.below(5000), d.coin(),
            d.one(&["", "rejected", "rate_limited"]),
        ));
        let backoff = match d.below(3) {
            0 => format!("resilience4j({}ms)", d.from(1, 900)),
            1 => format!("resilience4j({}ms {}.5 {}ms)", d.from(1, 900), d.from(1, 4), d.from(1000, 9000)),
            _ => format!("resilience4j({}ms 2)", d.from(1, 900)),
        };
        let jitter = d.one(&["none", "randomized(50%)", "randomized(7%)"]);
        let when = d.one(&[
            "[timeout, error, refused, rejected, rate_limited, breaker_open]",
            "[timeout, error, refused, rejected, rate_limited]",
            "[timeout]",
        ]);
        parts.push(format!(
            "retry: {{kind: resilience4j, attempts: {}, backoff: {backoff}, jitter: {jitter}, when: {when}}}",
            d.from(2, 9)
        ));
        parts.push(format!("timeout: {}ms", d.from(1, 9000)));
        parts.push(format!("rate_limit: {{kind: resilience4j, limit_for_period: {}, limit_refresh_period: {}ms, timeout_duration: {}ms}}", d.from(1, 99), d.from(1, 999), d.below(9)));
        parts.push(if d.coin() {
            format!("bulkhead: {{limit: {}, wait: {}ms}}", d.from(1, 99), d.below(500))
        } else {
            format!(
                "bulkhead: {{kind: thread_pool, core: {}, max: {}, queue: {}, keep_alive: {}ms}}",
                d.from(1, 9),
                d.from(10, 20),
                d.below(200),
                d.from(1, 90)
            )
        });
        parts.push("order: resilience4j".into());
        round_trip((export::Format::Resilience4j, import::Format::Resilience4j), &format!("{{{}}}", parts.join(", ")));
    }
}

/// Outlier detection as Envoy has it.
fn outliers(d: &mut Dice) -> String {
    format!(
        "{{kind: envoy_outlier, consecutive_5xx: {}, enforcing_consecutive_5xx: {}%, consecutive_gateway_failure: {}, \
         enforcing_consecutive_gateway_failure: {}%, interval: {}ms, base_ejection_time: {}ms, max_ejection_time: {}s, \
         max_ejection_percent: {}%, always_eject_one_host: {}, success_rate_minimum_hosts: {}, success_rate_stdev_factor: {}, \
         enforcing_success_rate: {}%, failure_percentage_threshold: {}%, enforcing_failure_percentage: {}%, \
         healthy_panic_threshold: {}%, update_merge_window: {}ms, split_external_local_origin_errors: {}}}",
        d.from(1, 20),
        d.below(101),
        d.from(1, 20),
        d.below(101),
        d.from(1, 9000),
        d.from(1, 9000),
        d.from(10, 900),
        d.below(101),
        d.coin(),
        d.from(1, 9),
        d.from(100, 3000),
        d.below(101),
        d.from(1, 100),
        d.below(101),
        d.below(101),
        d.below(3000),
        d.coin(),
    )
}

fn limits(d: &mut Dice) -> String {
    format!(
        "{{kind: envoy, max_connections: {}, max_pending_requests: {}, max_requests: {}}}",
        d.from(1, 5000),
        d.from(1, 5000),
        d.from(1, 5000)
    )
}

fn envoy_retry(d: &mut Dice, kind: &str, tried: &str) -> String {
    let budget = match d.below(2) {
        0 => format!("{{kind: envoy, max_retries: {}}}", d.from(1, 99)),
        _ => format!(
            "{{kind: envoy, budget_percent: {}%, min_retry_concurrency: {}, budget_interval: {}ms}}",
            d.from(1, 100),
            d.from(1, 20),
            d.below(900)
        ),
    };
    let when = d.one(&[
        "[5xx, timeout, refused, rejected]",
        "[gateway_error, timeout, refused, rejected]",
        "[refused]",
        "[timeout, refused]",
        "[refused, rejected]",
        "[5xx, timeout, refused, rejected, conflict]",
    ]);
    let statuses = if d.coin() && when.contains("timeout") { "[409, 425]" } else { "[]" };
    let base = d.from(1, 300);
    format!(
        "{{kind: {kind}, attempts: {}, backoff: envoy({base}ms {}ms), when: {when}, statuses: {statuses}, avoid_tried: {tried}, budget: {budget}}}",
        d.from(2, 9),
        base * 10,
    )
}

#[test]
fn envoy_keeps_everything_it_can_say() {
    let mut dice = Dice(2);
    for _ in 0..200 {
        let d = &mut dice;
        let balancer = d.one(&[
            "round_robin",
            "random",
            "least_request",
            "{kind: least_request, choice_count: 4}",
            "{kind: maglev, table_size: 13}",
            "{kind: ring_hash, minimum_ring_size: 64, maximum_ring_size: 512}",
        ]);
        let tried = d.one(&["0", "3"]);
        let policy = format!(
            "{{deadline: {}ms, timeout: {}ms, retry: {}, breaker: {}, bulkhead: {}, balancer: {balancer}, order: envoy}}",
            d.from(1000, 9000),
            d.from(1, 900),
            envoy_retry(d, "envoy", tried),
            outliers(d),
            limits(d),
        );
        round_trip((export::Format::Envoy, import::Format::Envoy), &policy);
    }
}

#[test]
fn istio_keeps_everything_it_can_say() {
    let mut dice = Dice(3);
    for _ in 0..200 {
        let d = &mut dice;
        let breaker = format!(
            "{{kind: envoy_outlier, consecutive_5xx: {}, interval: {}ms, base_ejection_time: {}ms, max_ejection_percent: {}%, \
             healthy_panic_threshold: {}%, enforcing_success_rate: 0%}}",
            d.from(1, 20),
            d.from(1, 9000),
            d.from(1, 9000),
            d.from(1, 100),
            d.below(101),
        );
        let balancer = d.one(&["round_robin", "random", "least_request"]);
        let tried = d.one(&["0", "5"]);
        let policy = format!(
            "{{deadline: {}ms, timeout: {}ms, retry: {}, breaker: {breaker}, bulkhead: {}, balancer: {balancer}, order: envoy}}",
            d.from(1000, 9000),
            d.from(1, 900),
            envoy_retry(d, "istio", tried),
            limits(d),
        );
        round_trip((export::Format::Istio, import::Format::Istio), &policy);
    }
}

#[test]
fn linkerd_keeps_everything_it_can_say() {
    let mut dice = Dice(4);
    for _ in 0..100 {
        let d = &mut dice;
        let mode = if d.coin() {
            "consecutive".to_owned()
        } else {
            format!("unified, success_ratio: {}%, window: {}s", d.from(1, 100), d.from(1, 60))
        };
        let statuses = d.one(&["[]", "[409]", "[409, 425]"]);
        let policy = format!(
            "{{deadline: {}ms, timeout: {}ms, retry: {{kind: linkerd, attempts: {}, when: [5xx, rejected, timeout], statuses: {statuses}}}, breaker: {{kind: linkerd, mode: {mode}, \
             max_failures: {}, min_penalty: {}ms, max_penalty: {}s, jitter_ratio: {}.5}}, balancer: peak_ewma}}",
            d.from(1000, 9000),
            d.from(1, 900),
            d.from(2, 9),
            d.from(1, 20),
            d.from(1, 900),
            d.from(1, 90),
            d.below(9),
        );
        round_trip((export::Format::Linkerd, import::Format::Linkerd), &policy);
    }
}

#[test]
fn grpc_keeps_everything_it_can_say() {
    let mut dice = Dice(5);
    for _ in 0..100 {
        let d = &mut dice;
        let budget = format!("{{kind: grpc, max_tokens: {}, token_ratio: 0.{}}}", d.from(1, 1000), d.from(1, 9));
        let calls = if d.coin() {
            let when = d.one(&[
                "[refused, rejected]",
                "[refused, rejected, timeout]",
                "[rate_limited]",
                "[5xx, conflict]",
                "[4xx]",
            ]);
            format!(
                "retry: {{kind: grpc, attempts: {}, backoff: exponential({}ms 1.6 {}ms), when: {when}, budget: {budget}}}",
                d.from(2, 5),
                d.from(1, 900),
                d.from(1000, 9000)
            )
        } else {
            format!(
                "hedge: {{after: {}ms, attempts: {}, when: [refused, rejected], budget: {budget}}}",
                d.below(900),
                d.from(1, 4)
            )
        };
        let balancer = d.one(&["round_robin", "least_request", "ring_hash"]);
        round_trip(
            (export::Format::Grpc, import::Format::Grpc),
            &format!("{{deadline: {}ms, {calls}, balancer: {balancer}}}", d.from(1, 9000)),
        );
    }
}

#[test]
fn dotnet_keeps_everything_it_can_say() {
    let mut dice = Dice(6);
    for _ in 0..100 {
        let d = &mut dice;
        let shape = d.one(&["polly_constant", "polly_linear", "polly_exponential"]);
        let bulkhead = if d.coin() {
            format!("{{limit: {}}}", d.from(1, 999))
        } else {
            let permits = d.from(1, 999);
            format!("{{kind: thread_pool, core: {permits}, max: {permits}, queue: {}}}", d.from(1, 99))
        };
        let policy = format!(
            "{{deadline: {}ms, timeout: {}ms, retry: {{kind: dotnet, attempts: {}, backoff: {shape}({}ms {}ms), jitter: {}}}, \
             breaker: {{kind: polly, failure_ratio: {}%, minimum_throughput: {}, sampling_duration: {}ms, break_duration: {}ms, \
             counts: [5xx, request_timeout, rate_limited, timeout, refused, rejected]}}, bulkhead: {bulkhead}, order: dotnet}}",
            d.from(5000, 90_000),
            d.from(10, 900),
            d.from(2, 9),
            d.from(1, 900),
            d.from(1000, 9000),
            d.one(&["polly", "none"]),
            d.from(1, 100),
            d.from(2, 500),
            d.from(5000, 60_000),
            d.from(500, 9000),
        );
        round_trip((export::Format::Dotnet, import::Format::Dotnet), &policy);
    }
}

#[test]
fn what_a_dialect_cannot_say_is_told() {
    let odd =
        load(&topology("{retry: {attempts: 3, budget: 20%}, hedge: 5ms, fallback: {}, breaker: {kind: hystrix}}"));
    for format in [
        export::Format::Resilience4j,
        export::Format::Envoy,
        export::Format::Istio,
        export::Format::Linkerd,
        export::Format::Dotnet,
        export::Format::Grpc,
    ] {
        let notes = export::export(format, &odd, &export::Options::default()).unwrap().notes.join("\n");
        for what in ["hedge", "fallback", "hystrix"] {
            assert!(notes.contains(what), "{format:?}: {what} in {notes}");
        }
    }
}

#[test]
fn every_built_in_topology_goes_out_in_every_format() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
    for file in std::fs::read_dir(folder).unwrap() {
        let topology = load(&std::fs::read_to_string(file.unwrap().path()).unwrap());
        for (name, format, _) in export::Format::ALL {
            let exported = export::export(*format, &topology, &export::Options::default()).unwrap();
            let text = &exported.text;
            let (documents, problems) = spec::tree::parse_foreign(text, 0);
            match *name {
                "resilience4j" | "envoy" | "istio" | "linkerd" | "compose" | "kubernetes" | "prometheus" | "alerts" => {
                    assert_eq!(problems, vec![], "{name}\n{text}");
                    drop(documents);
                }
                "grpc" | "dotnet" | "grafana" | "openapi" => {
                    serde_json::from_str::<serde_json::Value>(text).unwrap();
                }
                _ => assert!(text.len() > 20, "{name}"),
            }
        }
    }
}

#[test]
fn several_callers_of_one_service_keep_policies_of_their_own() {
    let text = "name: shop\nservices:\n  web:\n    endpoints: {buy: {steps: [{call: stock.take}]}}\n    calls: {stock: {timeout: 70ms}}\n  \
                app:\n    endpoints: {buy: {steps: [{call: stock.take}]}}\n    calls: {stock: {retry: {kind: resilience4j, attempts: 7}}}\n  \
                stock: {endpoints: {take: {steps: [{work: 1ms}]}}}\nload: [{name: users, to: web.buy, rate: 1/s}]\n";
    let before = load(text);
    let exported = export::export(export::Format::Resilience4j, &before, &export::Options::default()).unwrap();
    let inputs = [import::Input { name: "application.yml", text: &exported.text }];
    let imported = import::import(import::Format::Resilience4j, &inputs, None, &import::Options::default()).unwrap();
    let after = load(&imported.doc.render());
    for from in ["web", "app"] {
        assert_eq!(policy(&before, from), policy(&after, from), "{from}\n{}", exported.text);
    }
}
