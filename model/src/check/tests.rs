//! One mistake a row: the fragment of a topology, and what is said about it.

use crate::spec::{self, Problem, Severity};

/// A system without fault, to be changed.
const SOUND: &str = "
name: sound
duration: 60s
phases: {calm: 0s..20s}
defaults: {call: {timeout: 1s}}
services:
  gateway:
    workers: 10
    queue: 50
    endpoints:
      feed: {steps: [{work: 1ms}, {call: posts.list}]}
    calls:
      posts: {breaker: {}}
  posts:
    replicas: 2
    endpoints:
      list: {steps: [{query: posts-db}, {get: hot}, {publish: seen}]}
      count: {http: GET /count, steps: [{work: 1ms}]}
databases: {posts-db: {query: 1ms, connections: 5}}
caches: {hot: {hit_rate: 90%}}
topics: {seen: {to: posts.count}}
load:
  - {name: feed, to: gateway.feed, rate: 10/s}
  - {name: people, users: 5, tasks: [{name: look, to: gateway.feed}]}
faults:
  - {name: slow, at: 20s, for: 10s, target: posts-db, latency: 1s}
expect:
  - feed p99 < 1s
";

/// The problems of [`SOUND`] with `from` replaced by `to`, a line each.
fn problems(from: &str, to: &str) -> String {
    assert!(from.is_empty() || SOUND.contains(from), "{from} is not there to be replaced");
    let source = if from.is_empty() { SOUND.to_owned() } else { SOUND.replacen(from, to, 1) };
    let problems = match spec::load(&source, &[], &|_| Err("no files".into())) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(|problem| shown(&source, problem)).collect::<Vec<_>>().join("\n")
}

fn shown(source: &str, problem: &Problem) -> String {
    let text = source[problem.at.bytes()].lines().next().unwrap_or_default();
    let lint = problem.lint.map(|lint| format!("{lint}: ")).unwrap_or_default();
    assert_eq!(problem.severity == Severity::Warning, problem.lint.is_some());
    format!("{lint}‹{text}› {}", problem.what)
}

#[test]
fn a_sound_system_has_nothing_to_complain_about() {
    assert_eq!(problems("", ""), "");
}

#[test]
fn names_that_do_not_exist_are_found_wherever_they_stand() {
    let table = [
        ("call: posts.list", "call: post.list", "‹post› there is no service `post`"),
        ("call: posts.list", "call: posts.lst", "‹lst› `posts` has no endpoint `lst`"),
        ("      posts: {breaker", "      potsts: {breaker", "‹potsts› there is no service `potsts`"),
        ("query: posts-db}", "query: post-db}", "‹post-db› there is no database `post-db`"),
        ("get: hot", "get: cold", "‹cold› there is no cache `cold`"),
        ("publish: seen", "publish: sen", "‹sen› there is no topic `sen`"),
        ("to: posts.count", "to: posts.cont", "‹cont› `posts` has no endpoint `cont`"),
        ("to: gateway.feed, rate", "to: gatway.feed, rate", "‹gatway› there is no service `gatway`"),
        ("target: posts-db", "target: posts_db", "‹posts_db› there is nothing called `posts_db`"),
        ("target: posts-db", "target: posts.listt", "‹listt› `posts` has no endpoint `listt`"),
        ("target: posts-db", "target: \"posts[2]\"", "‹2› `posts` has no replica 2"),
        ("target: posts-db", "target: posts -> gateway", "‹gateway› `posts` never calls `gateway`"),
        ("- feed p99", "- fed p99", "‹fed› there is nothing called `fed`"),
        ("- feed p99", "- people.lok p99", "‹lok› `people` has no task or endpoint `lok`"),
        ("p99 < 1s", "p99 < 1s in clam", "‹clam› there is no phase or fault `clam`"),
        ("p99 < 1s", "p99 < 1s after slo", "‹slo› there is no phase or fault `slo`"),
    ];
    for (from, to, what) in table {
        assert_eq!(problems(from, to), what, "{to}");
    }
}

#[test]
fn what_only_follows_from_something_that_could_not_be_read_is_not_complained_about() {
    let expect = |sentence: &str| format!("expect:\n  - {sentence}\n");
    let table = [
        (
            "workers: 10",
            "workers: lots",
            "gateway workers saturate within 1s of slow",
            "‹lots› `lots` is not a whole number",
        ),
        ("{breaker: {}}", "{breaker: 5}", "gateway -> posts breaker opens within 1s of slow", "‹5› expected"),
        ("{query: 1ms, connections: 5}", "5", "posts-db p99 < 1s", "‹5› expected"),
        ("{hit_rate: 90%}", "5", "hot hit_rate > 50%", "‹5› expected"),
        ("{to: posts.count}", "5", "seen p99 < 1s", "‹5› expected"),
        ("0s..20s", "soon", "feed p99 < 1s in calm", "‹soon› `soon`"),
        ("{http: GET /count, steps: [{work: 1ms}]}", "5", "posts.count p99 < 1s", "‹5› expected"),
        ("{call: posts.list}", "{call: 5}", "gateway -> posts p99 < 1s", "‹5›"),
        ("{posts-db: {query: 1ms, connections: 5}}", "5", "posts-db p99 < 1s", "‹5› expected"),
        ("replicas: 2", "replicas: two", "feed p99 < 1s", "‹two›"),
    ];
    for (from, to, sentence, what) in table {
        let source = SOUND.replacen(from, to, 1).replace("expect:\n  - feed p99 < 1s\n", &expect(sentence));
        let source =
            source.replace("expect:", "  - {name: one, at: 20s, for: 10s, target: 'posts[1]', down: true}\nexpect:");
        assert_ne!(source, SOUND);
        let problems = spec::load(&source, &[], &|_| Err("no files".into())).unwrap_err();
        let shown = problems.iter().map(|problem| shown(&source, problem)).collect::<Vec<_>>().join("\n");
        assert!(shown.starts_with(what) && problems.len() == 1, "{to}, {sentence}: {shown}");
    }
}

#[test]
fn a_figure_or_fault_that_a_thing_cannot_have_is_an_error() {
    let table = [
        ("feed p99 < 1s", "posts-db cpu < 1%", "‹cpu› a database has no `cpu`"),
        ("feed p99 < 1s", "feed workers < 5", "‹workers› a load has no `workers`"),
        ("feed p99 < 1s", "hot hit_rate > 50%", ""),
        ("feed p99 < 1s", "posts breaker opens within 1s of slow", "‹posts› only a call has a breaker"),
        ("feed p99 < 1s", "gateway -> posts breaker opens within 1s of slow", ""),
        (
            "feed p99 < 1s",
            "people -> gateway breaker opens within 1s of slow",
            "‹people -> gateway› `people -> gateway` has no breaker",
        ),
        ("feed p99 < 1s", "gateway workers saturate within 1s of slow", ""),
        ("feed p99 < 1s", "posts workers saturate within 1s of slow", "‹workers› `posts` has no limit to saturate"),
        ("feed p99 < 1s", "posts recovers within 1s after slow", "‹posts› only the system or a load recovers"),
        ("feed p99 < 1s", "feed p99 < 1s before calm", "‹calm› `calm` goes from 0s to 20s: nothing comes before it"),
        ("latency: 1s", "kill: 1", "‹1› `kill` cannot be done to a database"),
        ("latency: 1s", "flush: true", "‹true› `flush` cannot be done to a database"),
        ("target: posts-db, latency: 1s", "target: feed, rate: 3", ""),
        ("target: posts-db, latency: 1s", "target: posts, rate: 3", "‹3› `rate` cannot be done to a service"),
        (", latency: 1s", "", "‹posts-db› this fault does nothing"),
        ("latency: 1s", "latency: 1s, status: 503", "‹503› a status without errors"),
    ];
    for (from, to, what) in table {
        assert_eq!(problems(from, to), what, "{to}");
    }
}

#[test]
fn impossible_numbers_are_errors() {
    let table = [
        ("timeout: 1s", "timeout: 0s", "‹0s› a timeout of no time"),
        ("duration: 60s", "duration: 60s\nwarmup: 60s", "‹60s› the warm-up of 60s leaves nothing of the run"),
        ("0s..20s", "0s..61s", "‹0s..61s› the phase `calm` ends at 61s, after the end of the load"),
        ("replicas: 2", "replicas: 0", "‹0› no replica at all"),
        ("workers: 10", "workers: 0", "‹0› no workers"),
        ("at: 20s", "at: 60s", "‹60s› this fault begins at 60s, after the end of the load"),
        ("for: 10s", "for: 0s", "‹0s› this fault lasts for no time"),
        ("for: 10s", "for: 10s, ramp: 11s", "‹11s› the ramp is longer than the fault"),
        ("hit_rate: 90%", "hit_rate: 120%", "‹120%› `120%` is more than all"),
        ("hit_rate: 90%", "hit_rate: 90%, keys: 10", "‹10› both `hit_rate` and `keys`"),
        ("hit_rate: 90%", "latency: 1ms", "‹hot› nothing says how often `hot` hits"),
        ("query: 1ms, ", "", "‹posts-db› nothing says how long this query takes"),
        ("rate: 10/s", "rate: 10/s, stages: [{for: 1s, rate: 5/s}]", "‹feed› the rate is given twice"),
        ("rate: 10/s", "stages: [{for: 0s, rate: 5/s}]", "‹0s› a stage of no time"),
        ("rate: 10/s", "stages: [{rate: 5/s}]", "‹{rate: 5/s}› `for` is missing"),
        (", rate: 10/s", "", "‹feed› nothing says how much load this is"),
        ("users: 5", "users: 0", "‹0› no users"),
        ("users: 5", "users: 5, rate: 5/s", "‹5/s› a rate for users"),
        ("breaker: {}", "breaker: {failure_rate: 0%}", "‹0%› always tripped"),
        ("breaker: {}", "breaker: {window: 1500ms}", "‹1500ms› resilience4j counts in whole seconds"),
        ("breaker: {}", "retry: {attempts: 0}", "‹0› no attempt at all"),
        ("breaker: {}", "order: [retry, timeout, retry]", "‹retry› `retry` comes twice"),
        ("http: GET /count", "http: GET /list", "‹GET /list› `list` answers to `GET /list` already"),
        ("databases: {posts-db", "databases: {posts: {}, posts-db", "‹posts› `posts` is already the name of a service"),
        ("{name: people", "{name: feed", "‹feed› `feed` is already the name of a load"),
        ("{name: slow", "{name: calm", "‹calm› `calm` is already the name of a phase"),
        ("{name: people", "{name: system", "‹system› `system` cannot be the name of a load"),
    ];
    for (from, to, what) in table {
        assert_eq!(problems(from, to), what, "{to}");
    }
}

#[test]
fn a_circle_of_calls_needs_a_chance_to_leave_it() {
    let back = "{call: gateway.feed}";
    let table = [
        (back.to_owned(), "‹{call: gateway.feed}› these calls never end: gateway.feed -> posts.list -> gateway.feed"),
        (
            format!("{{parallel: [{back}]}}"),
            "‹{call: gateway.feed}› these calls never end: gateway.feed -> posts.list -> gateway.feed",
        ),
        ("{call: posts.list}".into(), "‹{call: posts.list}› these calls never end: posts.list -> posts.list"),
        (format!("{{chance: {{of: 50%, do: [{back}]}}}}"), ""),
        (
            format!("{{chance: {{of: 50%, do: [{back}], else: [{back}]}}}}"),
            "‹{call: gateway.feed}› these calls never end: gateway.feed -> posts.list -> gateway.feed",
        ),
        (
            format!("{{chance: {{of: 100%, do: [{back}]}}}}"),
            "‹{call: gateway.feed}› these calls never end: gateway.feed -> posts.list -> gateway.feed",
        ),
        (format!("{{get: {{from: hot, miss: [{back}]}}}}"), ""),
        (format!("{{fail: 1%}}, {back}"), ""),
    ];
    for (step, what) in table {
        let found = problems("{publish: seen}", &step);
        assert_eq!(found, what, "{step}");
    }
    let loops = problems("count: {http: GET /count, steps: [{work: 1ms}]}", "count: {steps: [{publish: seen}]}");
    assert_eq!(loops, "‹{publish: seen}› these calls never end: posts.count -> posts.count");
}

#[test]
fn what_is_rarely_wise_is_a_warning_with_a_figure() {
    let table = [
        (
            "breaker: {}",
            "timeout: none",
            "no-timeout: ‹{call: posts.list}› `gateway -> posts` has no timeout: it waits for as long as the callee takes, \
             and holds one of 10 workers",
        ),
        (
            "breaker: {}",
            "retry: {attempts: 4}",
            "no-backoff: ‹{attempts: 4}› `gateway -> posts` makes 4 attempts without a wait in between",
        ),
        (
            "    queue: 50\n",
            "",
            "unbounded-queue: ‹gateway› any number of requests may wait at `gateway`, long after their callers have left",
        ),
        (
            "breaker: {}",
            "breaker: {kind: envoy_outlier}",
            "breaker-never-opens: ‹{kind: envoy_outlier}› `gateway -> posts` never ejects a replica: 10% of 2 replicas is less than one",
        ),
        (
            "query: 1ms, connections: 5",
            "query: 1ms, connections: 5, pool: 3",
            "pool-above-database: ‹3› 2 replicas with pools of 3 want 6 connections, `posts-db` has 5",
        ),
        (
            "call: posts.list",
            "call: {to: posts.list, times: 10}",
            "chatty-call: ‹{call: {to: posts.list, times: 10}}› `gateway -> posts` is made 10 times for one request",
        ),
    ];
    for (from, to, what) in table {
        assert_eq!(problems(from, to), what, "{to}");
    }
}

#[test]
fn retries_of_retries_are_multiplied_along_the_deepest_path() {
    let source = "
defaults: {call: {timeout: 1s, deadline: 1s, retry: {attempts: 4, backoff: constant(1ms)}}}
services:
  a: {endpoints: {x: {steps: [{call: b.x}]}}}
  b: {endpoints: {x: {steps: [{call: c.x}]}}}
  c: {endpoints: {x: {steps: [{call: d.x}]}}}
  d: {endpoints: {x: {steps: [{work: 1ms}]}}}
load: [{name: all, to: a.x, rate: 1/s}]
";
    let warnings = spec::load(source, &[], &|_| Err(String::new())).unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(|problem| shown(source, problem)).collect();
    assert_eq!(shown, ["retry-amplification: ‹all› one request of `all` can become 64 attempts: a -> b -> c -> d"]);
}

/// What is rarely wise in a topology.
fn warnings(source: &str) -> Vec<String> {
    let warnings = spec::load(source, &[], &|_| Err(String::new())).unwrap().warnings;
    warnings.iter().map(|problem| shown(source, problem)).collect()
}

#[test]
fn a_caller_that_gives_up_before_its_callee_usually_answers_is_a_warning() {
    // Work, the slowest of a parallel step, the surest of a chance, a query: 1 + 20 + 2 + 5 + 2 x 3 ms.
    let with = |timeout: &str| {
        warnings(&format!(
            "
services:
  a: {{endpoints: {{x: {{steps: [{{call: b.x}}]}}}}, calls: {{b: {{timeout: {timeout}}}}}}}
  b: {{endpoints: {{x: {{steps: [
    {{work: 1ms}}, {{parallel: [{{wait: exponential(20ms)}}, {{work: 2ms}}]}},
    {{chance: {{of: 50%, do: [{{work: 2ms}}], else: [{{work: 9ms}}]}}}}, {{query: db}}, {{repeat: {{times: 2, do: [{{work: 3ms}}]}}}}]}}}}}}
databases: {{db: {{query: 5ms}}}}
"
        ))
    };
    let what = "timeout-inversion: ‹33ms› `a -> b` gives up after 33ms, while `b.x` takes 34ms when all is well";
    assert_eq!((with("33ms"), with("34ms")), (vec![what.to_owned()], vec![]));
}

#[test]
fn a_breaker_that_counts_more_calls_than_the_run_has_is_a_warning() {
    let with = |least: u32| {
        warnings(&format!(
            "
duration: 10s
services:
  a: {{endpoints: {{x: {{steps: [{{call: b.x}}]}}}}, calls: {{b: {{timeout: 1s, breaker: {{window: 1000, minimum_calls: {least}}}}}}}}}
  b: {{endpoints: {{x: {{}}}}}}
load: [{{name: l, to: a.x, rate: 10/s}}]
"
        ))
    };
    let what = "breaker-never-opens: ‹101› `a -> b` never opens: at most 100 calls of a replica come in 10s, and it decides on 101";
    assert_eq!((with(101), with(100)), (vec![what.to_owned()], vec![]));
}

#[test]
fn a_wait_of_no_time_between_attempts_is_none() {
    let with = |backoff: &str| {
        warnings(&format!(
            "
services:
  a: {{endpoints: {{x: {{steps: [{{call: b.x}}]}}}}, calls: {{b: {{timeout: 1s, retry: {{attempts: 3, backoff: {backoff}}}}}}}}}
  b: {{endpoints: {{x: {{}}}}}}
"
        ))
    };
    let told = with("exponential(0ms 2 0ms)");
    assert!(told.len() == 1 && told[0].starts_with("no-backoff: "), "{told:?}");
    assert_eq!(with("exponential(1ms 2 1s)"), Vec::<String>::new());
}

#[test]
fn a_caller_that_gives_up_first_is_a_warning() {
    let source = "
services:
  a: {endpoints: {x: {steps: [{call: b.x}]}}, calls: {b: {timeout: 100ms}}}
  b: {endpoints: {x: {steps: [{call: c.x}]}}, calls: {c: {timeout: 80ms, retry: {attempts: 2, backoff: constant(1ms)}}}}
  c: {endpoints: {x: {}}}
";
    let warnings = spec::load(source, &[], &|_| Err(String::new())).unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(|problem| shown(source, problem)).collect();
    assert_eq!(
        shown,
        [
            "timeout-inversion: ‹100ms› `a -> b` gives up after 100ms, while `b.x` may wait for up to 161ms for those that it \
          calls"
        ]
    );
}
