//! Files as people have them, of every dialect: what they become, what is warned of, and that nothing breaks the reader.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may stop")]

use squall_exchange::doc::Doc;
use squall_exchange::import::{Format, Imported, Input, Options, import};
use squall_exchange::replay;
use squall_model::spec;

/// A sample of each format.
const SAMPLES: [(&str, &str, &str); 13] = [
    ("resilience4j", "application.yml", include_str!("files/application.yml")),
    ("envoy", "envoy.yaml", include_str!("files/envoy.yaml")),
    ("istio", "istio.yaml", include_str!("files/istio.yaml")),
    ("linkerd", "linkerd.yaml", include_str!("files/linkerd.yaml")),
    ("grpc", "grpc.json", include_str!("files/grpc.json")),
    ("dotnet", "appsettings.json", include_str!("files/appsettings.json")),
    ("polly", "polly.json", include_str!("files/polly.json")),
    ("hystrix", "hystrix.properties", include_str!("files/hystrix.properties")),
    ("compose", "compose.yaml", include_str!("files/compose.yaml")),
    ("kubernetes", "kubernetes.yaml", include_str!("files/kubernetes.yaml")),
    ("access-log", "access.log", include_str!("files/access.log")),
    ("k6", "load.k6.js", include_str!("files/load.k6.js")),
    ("locust", "locustfile.py", include_str!("files/locustfile.py")),
];

fn format(name: &str) -> Format {
    Format::ALL.iter().find(|(known, ..)| *known == name).unwrap().1
}

fn one(format_name: &str, name: &str, text: &str) -> Result<Imported, Vec<spec::Problem>> {
    import(format(format_name), &[Input { name, text }], None, &Options::default())
}

/// What is wrong with a topology.
fn wrong(text: &str) -> Vec<String> {
    let no_files = |_: &str| Err("no files".to_owned());
    match spec::load(text, &[], &no_files) {
        Ok(_) => vec![],
        Err(problems) => problems.into_iter().map(|problem| problem.what).collect(),
    }
}

#[test]
fn every_sample_becomes_a_topology_that_a_person_would_keep() {
    for (format, name, text) in SAMPLES {
        let imported = one(format, name, text).unwrap_or_else(|problems| panic!("{format}: {problems:?}"));
        let rendered = imported.doc.render();
        assert_eq!(wrong(&rendered), Vec::<String>::new(), "{format}\n{rendered}");
        let notes: Vec<String> = imported
            .notes
            .iter()
            .map(|note| {
                let (line, column) = spec::line_and_column(text, note.at.start);
                format!("{line}:{column} {}: {}", note.lint.unwrap(), note.what)
            })
            .collect();
        insta::assert_snapshot!(format, format!("{rendered}\n--- notes\n{}", notes.join("\n")));
    }
}

/// The notes of a file as one text.
fn notes(format: &str, text: &str) -> String {
    let name = if format == "hystrix" { "a.properties" } else { "a.yaml" };
    let imported = one(format, name, text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    imported.notes.iter().map(|note| note.what.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_trap_is_warned_of() {
    let r4j = |module: &str, settings: &str| format!("resilience4j: {{{module}: {{instances: {{a: {settings}}}}}}}");
    let table = [
        ("resilience4j", r4j("retry", "{exponentialBackoffMultiplier: 2}"), "has no effect without `waitDuration`"),
        ("resilience4j", r4j("retry", "{waitDuration: 1s, enableExponentialBackoff: true, exponentialMaxWaitDuration: 5s}"), "is dropped"),
        ("resilience4j", r4j("circuitbreaker", "{slidingWindowType: TIME_BASED, slidingWindowSize: 5}"), "must see 100 calls"),
        ("resilience4j", r4j("circuitbreaker", "{slidingWindowSize: 5, minimumNumberOfCalls: 9}"), "more than the window"),
        ("resilience4j", r4j("circuitbreaker", "{recordExceptions: [java.net.ConnectException]}"), "counts as a success: timeout"),
        ("resilience4j", r4j("ratelimiter", "{limitForPeriod: 5}"), "500 ns"),
        ("resilience4j", "resilience4j: {retry: {instances: {a: {}}}, circuitbreaker: {instances: {a: {}}}}".into(), "is tried again"),
        ("resilience4j", "resilience4j: {timelimiter: {instances: {a: {}}}, circuitbreaker: {instances: {a: {}}}}".into(), "time-outs count as failures"),
        ("envoy", "{name: a, circuit_breakers: {thresholds: [{max_pending_requests: 0}]}}".into(), "max_pending_requests 0"),
        ("envoy", "{name: a, outlier_detection: {}}".into(), "nothing is ever ejected"),
        ("envoy", "{clusters: [{name: a, lb_policy: RANDOM}], virtual_hosts: [{routes: [{match: {prefix: /}, route: {cluster: a, retry_policy: {num_retries: 3}}}]}]}".into(), "never retries"),
        ("istio", "{kind: DestinationRule, spec: {host: a}}".into(), "nobody wrote it"),
        ("istio", "{kind: DestinationRule, spec: {host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: 0}}}}}".into(), "means that nothing is set"),
        ("istio", "{kind: DestinationRule, spec: {host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}}".into(), "stand instead of the destination's"),
        ("linkerd", "{kind: Service, metadata: {name: a, annotations: {retry.linkerd.io/limit: '3', timeout.linkerd.io/request: 1s}}}".into(), "nothing is retried without"),
        ("grpc", "{methodConfig: [{name: [{service: a}], retryPolicy: {maxAttempts: 9, initialBackoff: 1s, maxBackoff: 2s, backoffMultiplier: 2, retryableStatusCodes: [UNAVAILABLE]}}]}".into(), "gRPC makes no more"),
        ("hystrix", "hystrix.threadpool.default.maxQueueSize=50".into(), "only 5 calls wait"),
        ("hystrix", "hystrix.threadpool.default.maximumSize=50".into(), "does not count without"),
        ("hystrix", "hystrix.command.default.fallback.isolation.semaphore.maxConcurrentRequests=7".into(), "the fallback, which is code"),
        ("envoy", "{clusters: [{name: a, lb_policy: RANDOM}], virtual_hosts: [{routes: [{match: {prefix: /}, route: {cluster: a, hedge_policy: {hedge_on_per_try_timeout: true}}}]}]}".into(), "does nothing without a `per_try_timeout`"),
        ("istio", "{kind: VirtualService, spec: {hosts: [a], http: [{retries: {retryOn: unavailable}}]}}".into(), "a status of gRPC"),
        ("dotnet", "{\"R\": {\"RateLimiter\": {\"DefaultRateLimiterOptions\": {\"QueueLimit\": 5}}}}".into(), "the wait for a place is part of it"),
    ];
    for (format, text, says) in table {
        let notes = notes(format, &text);
        assert!(notes.contains(says), "{format} {text}: {notes}");
    }
}

#[test]
fn values_mean_what_the_original_takes_them_for() {
    let r4j = |settings: &str| format!("resilience4j: {{circuitbreaker: {{instances: {{a: {settings}}}}}}}");
    let envoy = |action: &str| {
        format!(
            "{{clusters: [{{name: a, lb_policy: RANDOM}}], virtual_hosts: [{{routes: [{{match: {{prefix: /}}, route: \
             {{cluster: a, {action}}}}}]}}]}}"
        )
    };
    let istio =
        |retries: &str| format!("{{kind: VirtualService, spec: {{hosts: [a], http: [{{retries: {retries}}}]}}}}");
    let table: [(&str, String, &[&str], &[&str]); 15] = [
        ("resilience4j", r4j("{waitDurationInOpenState: 5s, enableRandomizedWait: true}"), &["open_for: randomized(5s 0.5)"], &[]),
        ("resilience4j", r4j("{initialState: FORCED_OPEN}"), &["initial_state: forced_open"], &[]),
        ("dotnet", "{\"R\": {\"Hedging\": {\"Delay\": \"-00:00:01\"}}}".into(), &["after: failure"], &[]),
        ("dotnet", "{\"R\": {\"Hedging\": {\"Delay\": \"00:00:00\"}}}".into(), &["after: 0s"], &[]),
        ("dotnet", "{\"R\": {\"Hedging\": {}, \"Endpoint\": {\"Timeout\": {\"Timeout\": \"00:00:03\"}}}}".into(), &["after: 2s", "timeout: 3s", "order: [bulkhead, breaker]"], &["retry:"]),
        ("istio", istio("{attempts: 0}"), &[], &["retry:"]),
        ("istio", istio("{attempts: 4}"), &["kind: istio", "attempts: 5", "avoid_tried: 5"], &["when:"]),
        ("istio", istio("{attempts: 1, retryOn: 5xx, retryIgnorePreviousHosts: false}"), &["when: [5xx, timeout, refused, rejected]", "avoid_tried: 0"], &[]),
        ("envoy", envoy("retry_policy: {retry_on: reset, num_retries: 2, per_try_timeout: 0.1s}"), &["timeout: 100ms", "attempts: 3"], &["hedge:"]),
        ("envoy", envoy("hedge_policy: {hedge_on_per_try_timeout: true}, retry_policy: {retry_on: reset, num_retries: 2, per_try_timeout: 0.1s}"), &["hedge:", "after: 100ms", "attempts: 2", "when: [timeout, refused]"], &["retry:", "  timeout:"]),
        ("envoy", envoy("hedge_policy: {hedge_on_per_try_timeout: true}, retry_policy: {retry_on: reset, num_retries: 2}"), &["retry:", "attempts: 3"], &["hedge:"]),
        ("envoy", envoy("hedge_policy: {hedge_on_per_try_timeout: true}, retry_policy: {retry_on: reset, num_retries: 0, per_try_timeout: 0.1s}"), &["timeout: 100ms"], &["hedge:"]),
        ("hystrix", "hystrix.command.default.circuitBreaker.errorThresholdPercentage=40".into(), &["error_threshold_percentage: 40%"], &["fallback"]),
        ("grpc", "{methodConfig: [{name: [{service: a}], retryPolicy: {maxAttempts: 3, initialBackoff: 1s, maxBackoff: 2s, backoffMultiplier: 2, retryableStatusCodes: [UNAVAILABLE]}}], retryThrottling: {maxTokens: 7, tokenRatio: 0.5}}".into(), &["max_tokens: 7", "token_ratio: 0.5"], &[]),
        ("polly", "{\"R\": {\"Hedging\": {\"MaxHedgedAttempts\": 3}}}".into(), &["attempts: 3"], &[]),
    ];
    for (format, text, has, has_not) in table {
        let name = if format == "hystrix" { "a.properties" } else { "a.yaml" };
        let imported = one(format, name, &text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        // What is not mapped stands in the head of the file.
        let made = Doc { header: Vec::new(), ..imported.doc }.render();
        for part in has {
            assert!(made.contains(part), "{format} {text}: no `{part}` in\n{made}");
        }
        for part in has_not {
            assert!(!made.contains(part), "{format} {text}: `{part}` in\n{made}");
        }
    }
}

#[test]
fn what_the_originals_refuse_is_an_error_with_its_place() {
    let table = [
        (
            "resilience4j",
            "resilience4j: {circuitbreaker: {instances: {a: {enableExponentialBackoff: true, enableRandomizedWait: true}}}}",
            "together",
        ),
        (
            "resilience4j",
            "resilience4j: {retry: {instances: {a: {baseConfig: shred}}, configs: {shared: {}}}}",
            "no configuration `shred`",
        ),
        (
            "resilience4j",
            "resilience4j: {retry: {instances: {a: {maxAttempts: many}}}}",
            "expected a whole number, found `many`",
        ),
        (
            "resilience4j",
            "resilience4j: {retry: {instances: {a: {maxAttempts: NaN}}}}",
            "expected a whole number, found `NaN`",
        ),
        ("resilience4j", "resilience4j: {retry: {instances: {a: {}, a: {}}}}", "`a` is given twice"),
        ("dotnet", "{\"R\": {\"AttemptTimeout\": {\"Timeout\": \"00:01:00\"}}}", "an attempt may take 60s"),
        ("dotnet", "{\"R\": {\"CircuitBreaker\": {\"SamplingDuration\": \"00:00:01\"}}}", "less than twice"),
        (
            "envoy",
            "{name: a, lb_policy: RANDOM, outlier_detection: {max_ejection_percent: 12.5}}",
            "expected a whole number",
        ),
        ("polly", "{\"R\": {\"CircuitBreaker\": {\"MinimumThroughput\": 1}}}", "`MinimumThroughput` of 1"),
        ("grpc", "{\"methodConfig\": [{\"name\": [{}], \"retryPolicy\": {}}]}", "`maxAttempts` is missing"),
        (
            "envoy",
            "{clusters: [{name: a, lb_policy: RANDOM}], virtual_hosts: [{routes: [{match: {prefix: /}, route: {cluster: a, retry_policy: {retry_on: 6xx}}}]}]}",
            "`6xx` is not a retry condition",
        ),
        ("envoy", "{\"name\": \"a\", \"lb_policy\": \"RANDOM\"", "not YAML"),
        ("otlp", "{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": 1}]}]}]}", "invalid type"),
        ("otlp", "{\"resourceSpans\": [", "the file ends within a list"),
        ("istio", "nothing: here", "a document without `kind`"),
        ("resilience4j", "server: {port: 80}", "nothing of resilience4j in here"),
    ];
    for (format, text, says) in table {
        let problems = one(format, "a.yaml", text).unwrap_err();
        assert!(problems.iter().any(|problem| problem.what.contains(says)), "{format} {text}: {problems:?}");
    }
}

#[test]
fn several_files_merge_into_one_topology_whose_comments_stay() {
    let shop = "# Our shop.\nname: shop\nservices:\n  web:\n    endpoints:\n      buy: {steps: [{call: inventory.take}]}\n    calls:\n      \
                inventory: {timeout: 9s}  # careful\n  inventory:\n    endpoints: {take: {steps: [{work: 1ms}]}}\n";
    let inputs = [Input { name: "istio.yaml", text: include_str!("files/istio.yaml") }];
    let into = Input { name: "shop.yaml", text: shop };
    let imported = import(Format::Istio, &inputs, Some(into), &Options::default()).unwrap();
    let text = imported.doc.render();
    assert_eq!(wrong(&text), Vec::<String>::new(), "{text}");
    for says in ["# Our shop.", "timeout: 500ms", "was 9s", "# careful", "max_connections: 100"] {
        assert!(text.contains(says), "{says}\n{text}");
    }
    assert!(!text.contains("gateway:\n    endpoints:\n      inventory"), "the caller is known: {text}");
}

/// A cheap generator of random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// A sample with something broken in it.
fn mutated(text: &str, dice: &mut Dice) -> String {
    const PARTS: [&str; 24] = [
        "",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\n",
        "  ",
        "\"",
        "'",
        "NaN",
        "-1",
        "1e999",
        "99999999999999999999",
        "null",
        "true",
        "é",
        "\u{0}",
        "${",
        "*a",
        "&a ",
        "- ",
        "---\n",
        "\t",
    ];
    let mut bytes: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..(at + dice.below(20)).min(bytes.len()), PARTS[dice.below(PARTS.len())].chars())),
            2 => {
                let part: Vec<char> = bytes[at..(at + dice.below(60)).min(bytes.len())].to_vec();
                let to = dice.below(bytes.len() + 1);
                drop(bytes.splice(to..to, part));
            }
            _ => drop(bytes.splice(at..at, PARTS[dice.below(PARTS.len())].chars())),
        }
    }
    bytes.into_iter().collect()
}

/// How often each sample is broken: `SQUALL_FUZZ` times, a hundred if nothing is said.
fn times() -> u64 {
    std::env::var("SQUALL_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(100)
}

/// An answer or an error with a place, never a panic; and an answer is a topology without mistakes of ours.
fn look(format: &str, name: &str, broken: &str) {
    match one(format, name, broken) {
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.at.start <= broken.len(), "{problem:?}");
            }
        }
        Ok(imported) => {
            let rendered = imported.doc.render();
            let no_files = |_: &str| Err("no files".to_owned());
            let read = spec::read(&rendered, &[], &no_files);
            assert_eq!(read.problems, vec![], "{rendered}");
        }
    }
}

/// Breaks `text` again and again, and has `look` look at each; says which one was too much.
fn break_it(what: &str, text: &str, look: impl Fn(&str) + std::panic::RefUnwindSafe) {
    let mut dice = Dice(1);
    for round in 0..times() {
        let broken = mutated(text, &mut dice);
        let outcome = std::panic::catch_unwind(|| look(&broken));
        assert!(outcome.is_ok(), "{what}, round {round}:\n{broken}");
    }
    println!("{what}: {} broken files, none too much", times());
}

#[test]
fn no_broken_file_breaks_a_reader() {
    let traces = [
        ("otlp", "t.json", include_str!("files/otlp.json")),
        ("jaeger", "t.json", include_str!("files/jaeger.json")),
        ("zipkin", "t.json", include_str!("files/zipkin.json")),
    ];
    let mut samples: Vec<_> = SAMPLES.into_iter().chain(traces).collect();
    assert_eq!(samples.len(), Format::ALL.len(), "every format has a sample");
    samples.sort_by_key(|(_, _, text)| text.len());
    let next = std::sync::Mutex::new(samples.into_iter());
    let work = || {
        while let Some((format, name, text)) = next.lock().map_or(None, |mut next| next.next()) {
            break_it(format, text, |broken| look(format, name, broken));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
}

#[test]
fn no_broken_log_breaks_a_breaker() {
    let csv = "start_ms,duration_ms,outcome,replica\n0,12,ok,a\n20,900,timeout,b\n30,5,error,a\n45,7.5,500,b\n";
    let lines = "{\"end\":\"2026-01-02T03:04:05Z\",\"duration\":\"20ms\",\"outcome\":\"ok\"}\n\
                 {\"end\":\"2026-01-02T03:04:06.5Z\",\"duration\":\"1s\",\"outcome\":\"refused\"}\n";
    let steps = "{\"at_ns\":0,\"op\":\"admit\"}\n{\"at_ns\":5,\"op\":\"error\",\"duration_ns\":5}\n{\"at_ns\":9,\"op\":\"ignored\"}\n";
    let breaker = "{kind: resilience4j, window: 2, minimum_calls: 2, open_for: 10ms}";
    let written = spec::read_element::<spec::Breaker>(breaker).unwrap();
    let config = squall_model::plan::breaker(&written);
    for (what, log) in [("a log as CSV", csv), ("a log as JSON lines", lines)] {
        break_it(what, log, |broken| {
            if let Ok((calls, replicas)) = replay::calls(broken) {
                replay::what_if(&config, (&calls, replicas), 0);
            }
        });
    }
    break_it("steps by hand", steps, |broken| drop(replay::steps(&config, broken, 0, |_| ())));
}

#[test]
fn several_applications_in_one_file_call_with_settings_of_their_own() {
    let file = "resilience4j: {retry: {configs: {default: {waitDuration: 70ms}}}}\n---\n\
                spring: {application: {name: web}}\nresilience4j: {retry: {instances: {stock: {maxAttempts: 2}}}}\n---\n\
                spring: {application: {name: app}}\nresilience4j: {retry: {instances: {stock: {maxAttempts: 5}}}}\n";
    let text = one("resilience4j", "application.yml", file).unwrap().doc.render();
    let no_files = |_: &str| Err("no files".to_owned());
    let topology = spec::read(&text, &[], &no_files).topology.unwrap();
    let attempts = |from: &str| {
        let retry = topology.services.find(from).unwrap().calls.policy("stock").retry.clone().unwrap();
        (*retry.attempts, retry.backoff.value)
    };
    let wait = spec::Backoff::Resilience4j {
        initial: squall_model::Span::from_millis(70),
        multiplier: None,
        cap: squall_model::Span::MAX,
    };
    assert_eq!([attempts("web"), attempts("app")], [(2, wait), (5, wait)], "{text}");
}

/// One file of each dialect with every setting that matters, and what it must become.
const WHOLE: [(&str, &str, &[&str]); 7] = [
    (
        "resilience4j",
        "resilience4j:
  circuitbreaker:
    configs: {default: {slidingWindowType: TIME_BASED, slidingWindowSize: 10, minimumNumberOfCalls: 20}}
    instances: {stock: {failureRateThreshold: 40, slowCallDurationThreshold: 800ms, slowCallRateThreshold: 60, waitDurationInOpenState: 5s, permittedNumberOfCallsInHalfOpenState: 3}}
  retry: {instances: {stock: {maxAttempts: 4, waitDuration: 100ms, enableExponentialBackoff: true, exponentialBackoffMultiplier: 2, exponentialMaxWaitDuration: 1s}}}
  timelimiter: {instances: {stock: {timeoutDuration: 1s}}}
  bulkhead: {instances: {stock: {maxConcurrentCalls: 20, maxWaitDuration: 10ms}}}
",
        &[
            "window: 10s", "minimum_calls: 20", "failure_rate: 40%", "slow_after: 800ms", "slow_rate: 60%", "open_for: 5s",
            "half_open_calls: 3", "attempts: 4", "resilience4j(100ms 2 1s)", "timeout: 1s", "limit: 20", "wait: 10ms",
        ],
    ),
    (
        "istio",
        "kind: DestinationRule
spec:
  host: stock
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 50, http2MaxRequests: 200, maxRetries: 10}}
    outlierDetection: {consecutive5xxErrors: 6, interval: 5s, baseEjectionTime: 31s, maxEjectionPercent: 50}
---
kind: VirtualService
spec: {hosts: [stock], http: [{route: [{destination: {host: stock}}], timeout: 2s, retries: {attempts: 3, perTryTimeout: 500ms, retryOn: '5xx,reset', backoff: 50ms}}]}
",
        &[
            "max_connections: 100", "max_pending_requests: 50", "max_requests: 200", "max_retries: 10", "consecutive_5xx: 6",
            "interval: 5s", "base_ejection_time: 31s", "max_ejection_percent: 50%", "deadline: 2s", "attempts: 4",
            "timeout: 500ms", "[5xx, timeout, refused, rejected]", "envoy(50ms 500ms)",
        ],
    ),
    (
        "envoy",
        "static_resources:
  clusters:
    - name: stock
      lb_policy: LEAST_REQUEST
      circuit_breakers: {thresholds: [{max_connections: 100, max_pending_requests: 50, max_requests: 200, retry_budget: {budget_percent: {value: 25}, min_retry_concurrency: 4}}]}
      outlier_detection: {consecutive_5xx: 6, interval: 5s, base_ejection_time: 31s, max_ejection_percent: 50}
---
virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: stock, timeout: 2s, retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 0.5s, retry_back_off: {base_interval: 0.03s, max_interval: 0.2s}}}}]}]
",
        &[
            "balancer: least_request", "max_connections: 100", "max_pending_requests: 50", "max_requests: 200",
            "budget_percent: 25%", "min_retry_concurrency: 4", "consecutive_5xx: 6", "interval: 5s",
            "base_ejection_time: 31s", "max_ejection_percent: 50%", "deadline: 2s", "attempts: 3", "timeout: 500ms",
            "envoy(30ms 200ms)",
        ],
    ),
    (
        "dotnet",
        r#"{"Resilience":{"RateLimiter":{"DefaultRateLimiterOptions":{"PermitLimit":500,"QueueLimit":7}},"TotalRequestTimeout":{"Timeout":"00:00:10"},
"Retry":{"MaxRetryAttempts":4,"Delay":"00:00:00.200","BackoffType":"Exponential","UseJitter":true},
"CircuitBreaker":{"FailureRatio":0.2,"MinimumThroughput":50,"SamplingDuration":"00:00:11","BreakDuration":"00:00:06"},"AttemptTimeout":{"Timeout":"00:00:02"}}}"#,
        &[
            "core: 500", "queue: 7", "deadline: 10s", "attempts: 5", "polly_exponential(200ms)", "jitter: polly",
            "failure_ratio: 20%", "minimum_throughput: 50", "sampling_duration: 11s", "break_duration: 6s", "timeout: 2s",
        ],
    ),
    (
        "linkerd",
        "kind: Service
metadata:
  name: stock
  annotations:
    balancer.linkerd.io/failure-accrual: consecutive
    balancer.linkerd.io/failure-accrual-consecutive-max-failures: '8'
    balancer.linkerd.io/failure-accrual-consecutive-min-penalty: 2s
    balancer.linkerd.io/failure-accrual-consecutive-max-penalty: 50s
    balancer.linkerd.io/failure-accrual-consecutive-jitter-ratio: '0.7'
    retry.linkerd.io/http: 5xx
    retry.linkerd.io/limit: '2'
    retry.linkerd.io/timeout: 300ms
    timeout.linkerd.io/request: 2s
",
        &[
            "max_failures: 8", "min_penalty: 2s", "max_penalty: 50s", "jitter_ratio: 0.7", "[5xx, rejected, timeout]", "attempts: 3",
            "timeout: 300ms", "deadline: 2s",
        ],
    ),
    (
        "grpc",
        r#"{"methodConfig":[{"name":[{"service":"shop.Stock"}],"timeout":"2s","retryPolicy":{"maxAttempts":4,"initialBackoff":"0.05s","maxBackoff":"1s","backoffMultiplier":3,"retryableStatusCodes":["UNAVAILABLE"]}}],
"retryThrottling":{"maxTokens":90,"tokenRatio":0.2},"loadBalancingConfig":[{"round_robin":{}}]}"#,
        &[
            "deadline: 2s", "attempts: 4", "exponential(50ms 3 1s)", "[refused, rejected]", "max_tokens: 90",
            "token_ratio: 0.2", "balancer: round_robin",
        ],
    ),
    (
        "hystrix",
        "hystrix.command.stock.execution.isolation.thread.timeoutInMilliseconds=900
hystrix.command.stock.circuitBreaker.requestVolumeThreshold=21
hystrix.command.stock.circuitBreaker.errorThresholdPercentage=45
hystrix.command.stock.circuitBreaker.sleepWindowInMilliseconds=4000
hystrix.command.stock.metrics.rollingStats.timeInMilliseconds=9000
hystrix.command.stock.metrics.healthSnapshot.intervalInMilliseconds=450
hystrix.threadpool.stock.coreSize=12
hystrix.threadpool.stock.maxQueueSize=30
hystrix.threadpool.stock.queueSizeRejectionThreshold=25
",
        &[
            "timeout: 900ms", "request_volume_threshold: 21", "error_threshold_percentage: 45%", "sleep_window: 4s",
            "rolling_window: 9s", "health_snapshot_interval: 450ms", "core: 12", "queue: 30", "queue_rejection: 25",
        ],
    ),
];

#[test]
fn every_setting_that_matters_is_mapped() {
    for (format, text, becomes) in WHOLE {
        let name = if format == "hystrix" { "a.properties" } else { "a.yml" };
        let imported = one(format, name, text).unwrap_or_else(|problems| panic!("{format}: {problems:?}"));
        let lost: Vec<_> = imported.notes.iter().filter(|note| note.lint == Some("not-mapped")).collect();
        assert!(lost.is_empty(), "{format}: {lost:?}");
        let rendered = imported.doc.render();
        for says in becomes {
            assert!(rendered.contains(says), "{format}: `{says}` is not in\n{rendered}");
        }
    }
}

#[test]
fn numbers_of_scripts_that_make_no_sense_are_not_taken() {
    let class = "class V(HttpUser):\n    wait_time = constant(NaN)\n    @task(1e999)\n    def a(self):\n        self.client.get('/a')\n";
    let options = "export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 5, timeUnit: '0s' } } };\n";
    let script = format!("{options}export default function () {{ http.get('http://a/b'); sleep(inf); }}\n");
    for (format, name, text) in [("locust", "a.py", class), ("k6", "a.js", script.as_str())] {
        let rendered = one(format, name, text).unwrap().doc.render();
        assert_eq!(wrong(&rendered), Vec::<String>::new(), "{rendered}");
    }
}

#[test]
fn spans_that_take_longer_than_a_day_are_left_out_and_told() {
    let span = |id: u8, duration: u64| {
        format!(
            r#"{{"traceId": "{id:032}", "id": "{id:016}", "kind": "SERVER", "name": "GET /feed", "timestamp": 1700000000000000,
                "duration": {duration}, "localEndpoint": {{"serviceName": "web"}}}}"#
        )
    };
    let trace = format!("[{}, {}]", span(1, 10_000), span(2, 86_400_000_001));
    look("zipkin", "t.json", &trace);
    let imported = one("zipkin", "t.json", &trace).unwrap();
    assert!(imported.doc.render().contains("work: 10ms"), "{}", imported.doc.render());
    assert!(imported.notes.iter().any(|note| note.what.contains("1 span takes longer than a day")));
}
