//! Golden digests: every built-in topology, three seeds. `SQUALL_BLESS=1 cargo test golden` writes them anew; a change that
//! moves one says why.

#![allow(clippy::unwrap_used, reason = "tests may stop")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use squall_model::{plan, spec};
use squall_telemetry::{Recorder, step_for};

/// The digest of a run.
fn digest(text: &str, seed: u64) -> String {
    let sets = [("seed".to_owned(), seed.to_string())];
    let loaded = spec::load(text, &sets, &|_| Err("no files".into())).unwrap();
    let plan = plan::compile(&loaded.topology).unwrap();
    let mut recorder = Recorder::new(&plan, step_for(plan.duration));
    let ended = squall_engine::run(&plan, &mut recorder);
    recorder.finish(ended.at).fingerprint().to_string()
}

/// A file of the repository.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn topology(name: &str) -> String {
    std::fs::read_to_string(file(&format!("topologies/{name}.yaml"))).unwrap()
}

/// All built-in topologies.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(file("topologies")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_built_in_topology_has_the_digests_that_are_kept() {
    let mut found = String::new();
    for name in names() {
        for seed in 1..=3 {
            writeln!(found, "{name} {seed} {}", digest(&topology(&name), seed)).unwrap();
        }
    }
    let path = file("tests/golden/digests.txt");
    if std::env::var_os("SQUALL_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), found);
}

#[test]
fn a_run_has_the_same_digest_again_and_in_parallel_threads() {
    for name in ["cascade-breaker", "retry-storm-backoff", "social"] {
        let text = topology(name);
        let first = digest(&text, 7);
        assert_eq!(digest(&text, 7), first, "{name}, again");
        let digests = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| digest(&text, 7))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(digests.iter().all(|digest| *digest == first), "{name}, in parallel");
    }
}
