//! What an endpoint does, from all the requests that were seen of it: its own time, whom it calls, how often, in which
//! order, and how often it fails by itself.

use std::collections::BTreeMap;

use super::Kind;
use super::fit;
use super::tree::Forest;
use crate::doc::{Item, Map, Value};

/// An endpoint of a service.
pub(super) struct Endpoint {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) http: Option<String>,
    pub(super) visits: usize,
    own: Vec<u64>,
    failed_alone: usize,
    /// What is asked for, in the order in which it begins.
    asks: Vec<Ask>,
    /// Pairs of asks that were seen at the same time, and how often both were seen.
    together: BTreeMap<(usize, usize), (usize, usize)>,
    /// Services that are called.
    pub(super) callees: Vec<(String, String)>,
}

#[derive(Clone, PartialEq)]
enum What {
    Call(String, String),
    Query(String),
}

struct Ask {
    what: What,
    /// In how many requests, and how often in all.
    requests: usize,
    times: usize,
    /// Sum of its positions, to know what comes first.
    positions: usize,
    /// How long a query took.
    took: Vec<u64>,
}

/// Every endpoint, in the order of services and names.
pub(super) fn all(forest: &Forest) -> Vec<Endpoint> {
    let mut all: BTreeMap<(String, String), Endpoint> = BTreeMap::new();
    for index in 0..forest.spans.len() {
        if !forest.is_request(index) {
            continue;
        }
        let span = &forest.spans[index];
        let (service, name) = (span.service.clone(), forest.endpoint(index));
        let endpoint = all.entry((service.clone(), name.clone())).or_insert_with(|| Endpoint {
            service,
            name,
            http: None,
            visits: 0,
            own: Vec::new(),
            failed_alone: 0,
            asks: Vec::new(),
            together: BTreeMap::new(),
            callees: Vec::new(),
        });
        endpoint.visit(forest, index);
    }
    all.into_values().collect()
}

/// One thing that a request asks for.
struct Asked {
    what: What,
    start: u64,
    end: u64,
    failed: bool,
}

/// What is asked for below a span, through spans of the service itself.
fn asked(forest: &Forest, index: usize, found: &mut Vec<Asked>) {
    for &child in &forest.children[index] {
        let span = &forest.spans[child];
        if forest.is_request(child) {
            let what = What::Call(span.service.clone(), forest.endpoint(child));
            found.push(Asked { what, start: span.start, end: span.end, failed: span.failed });
        } else if let Some(database) = &span.database {
            found.push(Asked {
                what: What::Query(database.clone()),
                start: span.start,
                end: span.end,
                failed: span.failed,
            });
        } else if span.kind == Kind::Client {
            let callee = forest.children[child].iter().find(|&&inner| forest.is_request(inner));
            if let Some(&callee) = callee {
                let what = What::Call(forest.spans[callee].service.clone(), forest.endpoint(callee));
                found.push(Asked { what, start: span.start, end: span.end, failed: span.failed });
            } else {
                asked(forest, child, found);
            }
        } else {
            asked(forest, child, found);
        }
    }
}

impl Endpoint {
    fn visit(&mut self, forest: &Forest, index: usize) {
        let span = &forest.spans[index];
        self.visits += 1;
        if self.http.is_none() {
            self.http.clone_from(&span.http);
        }
        let mut found = Vec::new();
        asked(forest, index, &mut found);
        found.retain(|asked| asked.start >= span.start && asked.start <= span.end);
        found.sort_by_key(|asked| (asked.start, asked.end));
        self.own.push(own_time(span.start, span.end, &found));
        if span.failed && !found.iter().any(|asked| asked.failed) {
            self.failed_alone += 1;
        }
        let mut seen: Vec<usize> = Vec::new();
        for (position, asked) in found.iter().enumerate() {
            let ask = self.ask(&asked.what);
            if !seen.contains(&ask) {
                self.asks[ask].requests += 1;
                self.asks[ask].positions += position;
                seen.push(ask);
            }
            self.asks[ask].times += 1;
            self.asks[ask].took.push(asked.end - asked.start);
        }
        self.watch_pairs(&found);
    }

    fn ask(&mut self, what: &What) -> usize {
        if let Some(known) = self.asks.iter().position(|ask| ask.what == *what) {
            return known;
        }
        if let What::Call(service, endpoint) = what {
            self.callees.push((service.clone(), endpoint.clone()));
        }
        self.asks.push(Ask { what: what.clone(), requests: 0, times: 0, positions: 0, took: Vec::new() });
        self.asks.len() - 1
    }

    fn watch_pairs(&mut self, found: &[Asked]) {
        // Long lists are loops, and loops are one after another.
        for (index, first) in found.iter().enumerate().take(50) {
            for second in found[index + 1..].iter().take(50) {
                let pair = [&first.what, &second.what].map(|what| self.asks.iter().position(|ask| ask.what == *what));
                if let [Some(a), Some(b)] = pair
                    && a != b
                {
                    let counts = self.together.entry((a.min(b), a.max(b))).or_default();
                    counts.0 += usize::from(second.start < first.end);
                    counts.1 += 1;
                }
            }
        }
    }

    /// Its steps.
    pub(super) fn steps(&self, name: impl Fn(&str) -> String) -> Vec<Item> {
        let mut steps = Vec::new();
        let own = fit::dist(self.own.clone());
        if own != "0s" {
            steps.push(single("work", own, "its own time"));
        }
        let mut order: Vec<usize> = (0..self.asks.len()).collect();
        let mean = |ask: &Ask| ask.positions * 1000 / ask.requests.max(1);
        order.sort_by_key(|&ask| mean(&self.asks[ask]));
        let mut group: Vec<usize> = Vec::new();
        for ask in order {
            if !group.is_empty() && !group.iter().all(|&other| self.at_once(other, ask)) {
                steps.extend(self.write(&group, &name));
                group.clear();
            }
            group.push(ask);
        }
        steps.extend(self.write(&group, &name));
        if self.failed_alone > 0 {
            let share = self.failed_alone as f64 / self.visits as f64;
            steps.push(single("fail", super::super::values::Percent((share * 1e6).round() / 1e4).to_string(), ""));
        }
        steps
    }

    /// Whether two asks are mostly under way together.
    fn at_once(&self, a: usize, b: usize) -> bool {
        self.together.get(&(a.min(b), a.max(b))).is_some_and(|(together, both)| together * 2 > *both)
    }

    fn write(&self, group: &[usize], name: &impl Fn(&str) -> String) -> Vec<Item> {
        let items: Vec<Item> = group.iter().map(|&ask| self.write_one(&self.asks[ask], name)).collect();
        match items.len() {
            0 | 1 => items,
            _ => {
                let mut parallel = Map::default();
                parallel.set("parallel", items, "");
                vec![Item::new(parallel)]
            }
        }
    }

    fn write_one(&self, ask: &Ask, name: &impl Fn(&str) -> String) -> Item {
        let per_request = (ask.times as f64 / ask.requests.max(1) as f64).round() as usize;
        let item = match &ask.what {
            What::Call(service, endpoint) if per_request > 1 => {
                let mut call = Map::default();
                let long = call.map("call");
                long.set("to", format!("{}.{}", name(service), name(endpoint)), "");
                long.set("times", per_request.to_string(), "");
                Item::new(call)
            }
            What::Call(service, endpoint) => single("call", format!("{}.{}", name(service), name(endpoint)), ""),
            What::Query(database) => {
                let mut query = Map::default();
                let long = query.map("query");
                long.set("from", name(database), "");
                long.set("time", fit::dist(ask.took.clone()), "");
                let once = Item::new(query);
                if per_request > 1 { repeated(per_request, once) } else { once }
            }
        };
        let share = ask.requests as f64 / self.visits.max(1) as f64;
        if share >= 0.995 {
            return item;
        }
        let mut chance = Map::default();
        let of = chance.map("chance");
        of.set("of", super::super::values::Percent((share * 1e4).round() / 1e2).to_string(), "");
        of.set("do", Value::List(vec![item]), "");
        Item::new(chance)
    }
}

fn repeated(times: usize, item: Item) -> Item {
    let mut repeat = Map::default();
    let inner = repeat.map("repeat");
    inner.set("times", times.to_string(), "");
    inner.set("do", Value::List(vec![item]), "");
    Item::new(repeat)
}

fn single(key: &str, value: String, beside: &str) -> Item {
    let mut map = Map::default();
    map.set(key, value, beside);
    Item::new(map)
}

/// What is left of a request without what it waited for.
fn own_time(start: u64, end: u64, found: &[Asked]) -> u64 {
    let (mut waited, mut up_to) = (0u64, start);
    for asked in found {
        let (from, to) = (asked.start.max(up_to), asked.end.min(end));
        waited += to.saturating_sub(from);
        up_to = up_to.max(to);
    }
    (end - start).saturating_sub(waited)
}
