//! `squall schema`: what editors are told is what the program accepts.

use serde_json::Value as Json;
use squall_model::spec::tree::{Kind, Node};
use squall_model::spec::{self, tree};
use std::path::Path;

use crate::{file, squall, written};

/// The printed schema, ready to be applied.
fn schema() -> jsonschema::Validator {
    let (out, _) = written(&squall(&["schema"]).code(0));
    let schema: Json = serde_json::from_str(&out).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The topology file as an editor sees it.
fn as_json(source: &str) -> Json {
    let (root, problems) = tree::parse(source, 0, 0);
    assert_eq!(problems, []);
    value(&root.unwrap())
}

fn value(node: &Node) -> Json {
    match &node.kind {
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.text.clone(), value(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Scalar { plain: true, .. } if node.is_null() => Json::Null,
        Kind::Scalar { text, plain: true, .. } => match serde_json::from_str(text) {
            Ok(value @ (Json::Bool(_) | Json::Number(_))) => value,
            _ => text.as_str().into(),
        },
        Kind::Scalar { text, .. } => text.as_str().into(),
        Kind::Broken => panic!("nothing is broken here"),
    }
}

#[test]
fn every_sound_topology_fits_the_schema() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
    let built_in = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_string_lossy().into_owned());
    let yaml = built_in.filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "yaml"));
    for path in yaml.chain([file("everything.yaml")]) {
        let source = std::fs::read_to_string(&path).unwrap();
        let errors: Vec<String> =
            schema.iter_errors(&as_json(&source)).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{path}");
    }
}

#[test]
fn what_the_program_refuses_the_schema_refuses_too() {
    let schema = schema();
    let table = [
        "nam: a",
        "duration: 60",
        "duration: 60 s",
        "seed: -1",
        "seed: 1.5",
        "network: exponental(1ms)",
        "phases: {a: 0s}",
        "services: {a b: {}}",
        "services: {a: {wokers: 5}}",
        "services: {a: {workers: five}}",
        "services: {a: {queue: {limit: 5, full: off}}}",
        "services: {a: {balancer: roundrobin}}",
        "services: {a: {memory: {base: 64MiB}}}",
        "services: {a: {memory: {limit: 64MB}}}",
        "services: {a: {admission: {concurrency: {kind: vega}}}}",
        "services: {a: {admission: {concurrency: {initial: 5}}}}",
        "services: {a: {endpoints: {e: {http: GRAB /x}}}}",
        "services: {a: {endpoints: {e: {steps: [{wrok: 1ms}]}}}}",
        "services: {a: {endpoints: {e: {steps: [{work: 1ms, wait: 1ms}]}}}}",
        "services: {a: {endpoints: {e: {steps: [{call: b}]}}}}",
        "services: {a: {endpoints: {e: {steps: [{call: {times: 3}}]}}}}",
        "services: {a: {endpoints: {e: {steps: [{repeat: {do: []}}]}}}}",
        "services: {a: {endpoints: {e: {steps: [{chance: {of: 130%}}]}}}}",
        "services: {a: {calls: {b: {retry: {backoff: 50ms}}}}}",
        "services: {a: {calls: {b: {retry: {when: [eror]}}}}}",
        "services: {a: {calls: {b: {retry: {budget: {kind: finagel}}}}}}",
        "services: {a: {calls: {b: {breaker: {kind: polly, window: 5}}}}}",
        "services: {a: {calls: {b: {breaker: {window: x}}}}}",
        "databases: {d: {query: 1}}",
        "databases: {d: {contention: {sigma: 2}}}",
        "caches: {c: {latency: soon}}",
        "topics: {t: {to: nobody}}",
        "load: [{to: a.b}]",
        "load: [{name: l, rate: 100}]",
        "load: [{name: l, stages: [{rate: 5/s}]}]",
        "load: [{name: l, arrivals: sometimes}]",
        "faults: [{latency: 5s}]",
        "faults: [{target: a, down: maybe}]",
        "expect: {a: b}",
    ];
    for source in table {
        let read = spec::read(source, &[], &|_| Err("no files".into()));
        assert!(!read.problems.is_empty(), "the program takes {source}");
        assert!(!schema.is_valid(&as_json(source)), "the schema takes {source}");
    }
}

#[test]
fn short_forms_and_none_fit_the_schema_wherever_the_program_takes_them() {
    let schema = schema();
    let table = [
        "services: {a: {queue: unlimited, calls: {b: {timeout: none, retry: 3, breaker: none, pool: none, hedge: 5ms}}}}",
        "services: {a: {calls: {b: {pool: 5, fallback: {}, bulkhead: unlimited, retry: {budget: 0.2, backoff: none}}}}}",
        "services: {a: {admission: {concurrency: 5}, cores: 0.5, memory: none}}",
        "services: {a: {endpoints: {e: {steps: [{fail: 0.1}, {query: d}, {get: c}, {parallel: [[], [{wait: 1ms}]]}]}}}}",
        "services:\ndatabases:\nload:\n",
        "services: {a: }",
        "topics: {t: {to: a.b}}",
        "faults: [{target: [a, b], every: 5s, for: 1s}]",
    ];
    for source in table {
        let read = spec::read(source, &[], &|_| Err("no files".into()));
        assert_eq!(read.problems, [], "{source}");
        assert!(schema.is_valid(&as_json(source)), "the schema refuses {source}");
    }
}
