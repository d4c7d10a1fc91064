//! A swarm of random topologies, every law watched in every one.
//!
//! `SQUALL_SWARM_SEEDS=from..to` chooses the seeds. A seed that fails is shrunk to the smallest file that still does,
//! which is written to the target folder for `squall run`.

mod draw;
mod found;
mod laws;
mod shrink;
mod storm;
mod trace;
mod traces;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use laws::KINDS;
use serde_json::Value;
use squall_policies::{Random as _, SplitMix64};
use storm::{Fate, Look, digest, storm};

/// How long a seed that fails may take to be shrunk: what runs long takes long to be tried without this and that.
const SHRINKS_FOR: Duration = Duration::from_mins(2);

/// Without `SQUALL_SWARM_SEEDS`.
const SEEDS: Range<u64> = 0..20_000;
/// The report of every so manieth seed is looked at.
const REPORT_EVERY: u64 = 4;

#[test]
fn every_random_topology_keeps_every_law() {
    let seeds = seeds();
    let count = seeds.end - seeds.start;
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    in_threads(threads(), seeds, |seed| {
        if !failed.lock().unwrap().is_empty() {
            return;
        }
        let look = if seed % REPORT_EVERY == 0 { Look::Report } else { Look::Run };
        let fate = storm(&tree::file(&draw::topology(seed)), look);
        if let Fate::Broken(breach) = &fate {
            failed.lock().unwrap().push((seed, look, breach.clone()));
        }
        tally.lock().unwrap().add(&fate);
    });
    if let Some((seed, look, breach)) = failed.into_inner().unwrap().into_iter().min_by_key(|(seed, ..)| *seed) {
        panic!("{}", failure(seed, look, &breach));
    }
    let tally = tally.into_inner().unwrap();
    println!("{count} seeds: {tally:?}");
    if count < 1_000 {
        return;
    }
    let unseen: Vec<_> = (0..KINDS.len()).filter(|bit| tally.seen & 1 << bit == 0).map(|bit| KINDS[bit]).collect();
    assert!(unseen.is_empty(), "the swarm has not seen: {unseen:?}");
    let odd = tally.refused.values().sum::<u64>() + tally.cut;
    assert!(odd * 50 <= count, "the swarm is not what it should be: {tally:?}");
}

#[test]
fn a_run_has_the_same_digest_alone_and_among_others_in_any_order() {
    let seeds: Vec<u64> = (0..500).collect();
    let run = |seed: u64| digest(&tree::file(&draw::topology(seed)));
    let alone: Vec<_> = seeds.iter().map(|seed| run(*seed)).collect();
    keep_for_other_builds(&seeds, &alone);
    assert!(alone.iter().filter(|digest| digest.is_some()).count() > 450, "most of them run");
    for threads in [2, 4] {
        let order = shuffled(&seeds, threads as u64);
        let together = Mutex::new(vec![None; seeds.len()]);
        in_threads(threads, 0..seeds.len() as u64, |turn| {
            let seed = order[turn as usize];
            let digest = run(seed);
            together.lock().unwrap()[seed as usize] = digest;
        });
        assert_eq!(together.into_inner().unwrap(), alone, "{threads} threads");
    }
}

/// Writes the files and the digests that this build gives them where `tests/determinism.sh` finds them, to hold another
/// build against this one.
fn keep_for_other_builds(seeds: &[u64], digests: &[Option<String>]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("swarm");
    std::fs::create_dir_all(&folder).unwrap();
    let mut lines = String::new();
    for (seed, digest) in seeds.iter().zip(digests).filter_map(|(seed, digest)| Some((seed, digest.as_ref()?))) {
        let topology = tree::file(&draw::topology(*seed));
        trace::write_all(&topology, &folder);
        std::fs::write(folder.join(format!("{seed}.yaml")), topology).unwrap();
        lines += &format!("{seed} {digest}\n");
    }
    std::fs::write(folder.join("digests.txt"), lines).unwrap();
}

/// What is only said about a topology, and what has tests of its own only: how a roll of restarts goes about it, and times
/// read from a file.
const NOT_DRAWN: [&str; 4] = ["about", "at_once", "ready_after", "samples"];

/// Every key of a file, and every word that stands for a choice; but what is only said about a topology.
#[test]
fn the_swarm_draws_every_key_and_every_choice_of_a_file() {
    let mut drawn = BTreeSet::new();
    for seed in 0..4_000 {
        draw::topology(seed).words(&mut |word| add_words(&mut drawn, word));
    }
    let mut known = BTreeSet::new();
    keys_and_choices(&squall_model::spec::schema(), &mut known);
    assert!(known.len() > 250, "the schema has keys and choices: {known:?}");
    let missing: Vec<_> = known.difference(&drawn).filter(|word| !NOT_DRAWN.contains(&word.as_str())).collect();
    assert!(missing.is_empty(), "the swarm does not draw {missing:?}");
}

fn add_words(drawn: &mut BTreeSet<String>, text: &str) {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    drawn.extend(words.map(str::to_owned));
}

fn keys_and_choices(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().cloned());
    }
    let choices = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    found.extend(choices.filter_map(Value::as_str).map(str::to_owned));
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| keys_and_choices(part, found)),
        Value::Array(parts) => parts.iter().for_each(|part| keys_and_choices(part, found)),
        _ => {}
    }
}

/// What came of the seeds.
#[derive(Default, Debug)]
struct Tally {
    held: u64,
    events: u64,
    /// Every kind of thing that was seen, a bit each.
    seen: u64,
    /// By the reason.
    refused: BTreeMap<String, u64>,
    cut: u64,
}

impl Tally {
    fn add(&mut self, fate: &Fate) {
        match fate {
            Fate::Held { events, seen } => {
                self.held += 1;
                self.events += events;
                self.seen |= seen;
            }
            Fate::Refused(reason) => *self.refused.entry(reason.clone()).or_default() += 1,
            Fate::Cut => self.cut += 1,
            Fate::Broken(_) => {}
        }
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SQUALL_SWARM_SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.unwrap_or_else(|| panic!("SQUALL_SWARM_SEEDS is `{text}`, not from..to"))
}

/// Shrinks the seed's topology, writes what is left, and says how to run it all again.
fn failure(seed: u64, look: Look, breach: &str) -> String {
    let fate = |root: &tree::Node| storm(&tree::file(root), look);
    let began = Instant::now();
    let fails = |root: &tree::Node| began.elapsed() < SHRINKS_FOR && matches!(fate(root), Fate::Broken(_));
    let smallest = shrink::shrink(&draw::topology(seed), fails);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("swarm-{seed}.yaml"));
    let text = tree::file(&smallest);
    std::fs::write(&path, &text).unwrap();
    trace::write_all(&text, Path::new(env!("CARGO_TARGET_TMPDIR")));
    format!(
        "seed {seed}: {breach}\nagain: SQUALL_SWARM_SEEDS={seed}..{} cargo test --test all swarm::every\n\
         smallest: squall run {}\n{:?}\n{text}",
        seed + 1,
        path.display(),
        fate(&smallest),
    )
}

/// Does something for each of `turns`, in so many threads; what panics in one stops all.
fn in_threads(count: usize, turns: Range<u64>, what: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(turns.start);
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= turns.end {
                return;
            }
            what(turn);
        }
    };
    thread::scope(|scope| {
        (0..count).for_each(|_| {
            scope.spawn(work);
        });
    });
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn shuffled(all: &[u64], seed: u64) -> Vec<u64> {
    let (mut order, mut random) = (all.to_vec(), SplitMix64::new(seed));
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at as u64 + 1) as usize);
    }
    order
}
