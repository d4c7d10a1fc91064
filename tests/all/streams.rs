//! Common random numbers: every stream of draws has a name, so a policy that is changed in one place leaves all other
//! draws as they were. Two variants of a file meet the same storm.

use std::collections::BTreeMap;

use squall_model::observation::{Observation, Sink};
use squall_model::plan::{self, Plan, Role};
use squall_model::{SimTime, spec};

/// Two ways through one gateway with room for all. What is changed lies on the way to `stock` and `pay`.
const SHOP: &str = "
duration: 20s
services:
  shop:
    endpoints:
      buy: {steps: [{call: stock.take}, {call: pay.charge}]}
      browse: {steps: [{call: stock.take}]}
      look: {steps: [{call: views.count}]}
    calls: {views: {network: uniform(100us 1ms)}}
  stock: {endpoints: {take: {steps: [{query: ledger}]}}}
  pay: {endpoints: {charge: {steps: [{fail: 30%}, {work: lognormal(10ms 50ms)}]}}}
  views: {endpoints: {count: {steps: [{work: exponential(3ms)}]}}}
databases:
  ledger: {connections: 20, query: exponential(4ms)}
load:
  - {name: buyers, to: shop.buy, rate: 100/s, arrivals: poisson}
  - {name: lookers, to: shop.look, rate: 50/s, arrivals: poisson}
  - name: visitors
    users: 50
    think: exponential(1s)
    tasks: [{name: buy, to: shop.buy, weight: 2}, {name: browse, to: shop.browse}]
faults:
  - {target: views, at: 5s, for: 5s, errors: 20%}
";

/// One change each.
const CHANGES: [(&str, &str); 10] = [
    ("services.shop.calls.pay.retry", "{attempts: 3, backoff: exponential(10ms 2 1s), jitter: full}"),
    ("services.shop.calls.pay.retry", "{attempts: 4, budget: 20%}"),
    ("services.shop.calls.pay.breaker", "{window: 10, minimum_calls: 5, failure_rate: 30%, open_for: 100ms}"),
    ("services.shop.calls.stock.timeout", "10ms"),
    ("services.shop.calls.stock.bulkhead", "1"),
    ("services.shop.calls.pay.fallback", "{after: 5ms}"),
    ("services.shop.calls.stock.network", "exponential(1ms)"),
    ("services.shop.calls.pay.balancer", "random"),
    ("services.stock.replicas", "3"),
    ("databases.ledger.connections", "1"),
];

/// What no change of another part of the system may touch at all, and how often it is drawn at least.
const UNTOUCHED: [(&str, usize); 4] =
    [("arrivals of buyers", 1_900), ("arrivals of lookers", 900), ("visits of views", 900), ("calls of views", 900)];

/// What may be drawn more or less often, but is the same each time it is drawn.
const IN_ORDER: [(&str, usize); 4] =
    [("first asks of visitors", 10), ("tasks of visitors", 500), ("visits of pay", 400), ("queries of ledger", 400)];

#[test]
fn a_changed_policy_leaves_every_other_draw_as_it_was() {
    let base = Draws::of(&[]);
    for change in CHANGES {
        let variant = Draws::of(&[change]);
        for (name, least) in UNTOUCHED {
            assert!(base.get(name).len() >= least, "only {} {name}", base.get(name).len());
            assert_eq!(base.get(name).len(), variant.get(name).len(), "{name} with {change:?}");
            same(base.get(name), variant.get(name), &format!("{name} with {change:?}"));
        }
        for (name, least) in IN_ORDER {
            let common = base.get(name).len().min(variant.get(name).len());
            assert!(common >= least, "only {common} {name} with {change:?}");
            same(base.get(name), variant.get(name), &format!("{name} with {change:?}"));
        }
    }
}

/// Asserts that two sequences are the same as far as both go.
fn same(base: &[u64], variant: &[u64], what: &str) {
    let differs = base.iter().zip(variant).position(|(one, other)| one != other);
    assert_eq!(differs, None, "{what}: they differ");
}

#[test]
fn another_seed_changes_every_draw() {
    let (base, other) = (Draws::of(&[]), Draws::of(&[("seed", "2")]));
    for (name, _) in UNTOUCHED.into_iter().chain(IN_ORDER) {
        let (one, two) = (base.get(name), other.get(name));
        let same = one.iter().zip(two).filter(|(one, two)| one == two).count();
        // Tasks and failures are few kinds of value, and so often the same by chance.
        assert!(same * 3 < one.len() * 2, "{name}: {same} of {} are the same", one.len());
    }
}

/// Draws by their meaning, in the order in which they were made.
struct Draws(BTreeMap<String, Vec<u64>>);

impl Draws {
    /// Those of a run of the shop with these settings.
    fn of(sets: &[(&str, &str)]) -> Self {
        let sets: Vec<_> = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        let loaded = spec::load(SHOP, &sets, &|_| Err("no files".to_owned())).unwrap();
        let plan = plan::compile(&loaded.topology).unwrap();
        let mut listener = Listener { plan: &plan, draws: BTreeMap::new(), open: Vec::new() };
        let ended = squall_engine::run(&plan, &mut listener);
        assert_eq!(ended.census.fibers, 0, "all is done");
        assert!(listener.open.is_empty());
        Self(listener.draws)
    }

    fn get(&self, name: &str) -> &[u64] {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.0.keys()))
    }
}

/// Listens to a run.
struct Listener<'p> {
    plan: &'p Plan,
    draws: BTreeMap<String, Vec<u64>>,
    /// What is under way: its name, when it began, and its place among its like.
    open: Vec<(String, u64, usize)>,
}

impl Listener<'_> {
    fn note(&mut self, name: String, value: u64) {
        self.draws.entry(name).or_default().push(value);
    }

    /// Something begins whose length was drawn just now; the length is seen when it ends.
    fn begin(&mut self, name: String, at: u64) {
        let like = self.draws.entry(name.clone()).or_default();
        like.push(0);
        self.open.push((name, at, like.len() - 1));
    }

    fn end(&mut self, name: &str, began: u64, value: u64) {
        let place = self.open.iter().position(|(open, at, _)| open == name && *at == began).unwrap();
        let (name, _, index) = self.open.remove(place);
        self.draws.get_mut(&name).unwrap()[index] = value;
    }

    fn user_asks(&mut self, load: &str, task: u64, at: u64) {
        match load {
            "visitors" => {
                self.note(format!("tasks of {load}"), task);
                if self.draws[&format!("tasks of {load}")].len() <= 10 {
                    self.note(format!("first asks of {load}"), at);
                }
            }
            _ => self.note(format!("arrivals of {load}"), at),
        }
    }
}

impl Sink for Listener<'_> {
    fn observe(&mut self, at: SimTime, what: Observation) {
        let (plan, ns) = (self.plan, at.as_nanos());
        let service = |endpoint: usize| &plan.services[plan.endpoints[endpoint].service.index()];
        match what {
            Observation::Admitted { endpoint, .. } => {
                let service = service(endpoint.index());
                match service.role {
                    Role::Client(_) => self.user_asks(&service.name, u64::from(endpoint.0), ns),
                    Role::Topic(_) => {}
                    Role::Service => self.begin(format!("visits of {}", service.name), ns),
                }
            }
            Observation::Ended { endpoint, outcome, held, .. } => {
                let service = service(endpoint.index());
                if service.role == Role::Service {
                    // That it fails is a draw as well.
                    let value = if outcome.is_success() { held.as_nanos() } else { u64::MAX };
                    self.end(&format!("visits of {}", service.name), ns - held.as_nanos(), value);
                }
            }
            Observation::QueryStarted { .. } => self.begin("queries of ledger".to_owned(), ns),
            Observation::QueryEnded { took, .. } => {
                // With one connection there is one under way; else none has to wait.
                let began = self.open.iter().filter(|(name, ..)| name == "queries of ledger");
                let began = began.map(|(_, at, _)| *at).filter(|at| *at >= ns - took.as_nanos()).min().unwrap();
                self.end("queries of ledger", began, ns - began);
            }
            Observation::CallEnded { edge, took, .. } if plan.edges[edge.index()].name == "shop -> views" => {
                self.note("calls of views".to_owned(), took.as_nanos());
            }
            _ => {}
        }
    }
}
