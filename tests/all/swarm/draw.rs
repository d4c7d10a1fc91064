//! Draws a topology from a seed: small, odd on purpose, and of every feature that runs. Knows the file's grammar and no
//! more of the program.
//!
//! All times are multiples of one grid, so that much falls on the same instant; extremes are as likely as anything
//! else. What one request may set off is bounded, by counting while drawing.

use squall_model::rng::{Random as _, Stream};

use super::tree::{Node, one, scalar};

mod faults;
mod policies;
mod resources;
mod settings;
mod steps;

/// The most requests that one user's request may lead to.
const MOST_PER_REQUEST: f64 = 200.0;
/// How many requests there are to be in all, about.
const REQUESTS: f64 = 1_000.0;

/// The topology of a seed.
pub(super) fn topology(seed: u64) -> Node {
    let mut draw = Draw::new(seed);
    let mut root = Node::map();
    root.set("name", scalar(format!("swarm-{seed}")));
    root.set("seed", scalar(seed));
    draw.frame(&mut root);
    let databases = draw.databases();
    let caches = draw.caches();
    draw.names();
    let topics = draw.topics();
    let services = draw.services();
    root.set("services", services);
    root.set("databases", databases);
    root.set("caches", caches);
    root.set("topics", topics);
    let load = draw.loads();
    root.set("load", load);
    let faults = draw.faults();
    root.set("faults", faults);
    let expect = draw.expect();
    root.set("expect", expect);
    root
}

struct Draw {
    random: Stream,
    /// Nanoseconds of the grid.
    grid: u64,
    /// In grid steps.
    duration: u64,
    /// Everything that is begun must end, however long it takes: nothing may hang.
    patient: bool,
    databases: Vec<String>,
    caches: Vec<String>,
    /// By cache: whether its hit rate is fixed, so that there is nothing to empty.
    fixed: Vec<bool>,
    topics: Vec<resources::Topic>,
    services: Vec<Service>,
    loads: Vec<String>,
    /// Who calls whom: names.
    calls: Vec<(String, String)>,
    /// Faults with a name that end before the load does.
    outlived: Vec<String>,
}

/// A service as far as it is drawn.
struct Service {
    name: String,
    replicas: u64,
    /// Whether its workers are.
    limited: bool,
    endpoints: Vec<Endpoint>,
}

struct Endpoint {
    name: String,
    /// How many requests one to it leads to, at most, itself included.
    cost: f64,
}

impl Draw {
    fn new(seed: u64) -> Self {
        let mut random = Stream::new(seed, "swarm");
        let grids = [1, 1_000, 100_000, 1_000_000, 1_000_000, 10_000_000, 100_000_000];
        let grid = grids[random.below(grids.len() as u64) as usize];
        let duration = [1, 10, 30, 100][random.below(4) as usize];
        let patient = random.below(4) == 0;
        Self {
            random,
            grid,
            duration,
            patient,
            databases: Vec::new(),
            caches: Vec::new(),
            fixed: Vec::new(),
            topics: Vec::new(),
            services: Vec::new(),
            loads: Vec::new(),
            calls: Vec::new(),
            outlived: Vec::new(),
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.below(n)
    }

    /// A yes in so many of a hundred cases.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Sets a key in so many of a hundred cases.
    fn maybe(&mut self, percent: u64, map: &mut Node, key: &str, value: impl FnOnce(&mut Self) -> Node) {
        if self.chance(percent) {
            let value = value(self);
            map.set(key, value);
        }
    }

    /// Duration, drain, warm-up, phases, network.
    fn frame(&mut self, root: &mut Node) {
        root.set("duration", self.steps(self.duration));
        let drain = if self.patient {
            scalar("8760h")
        } else {
            let drain = self.pick(&[0, 1, 10, 100]);
            self.steps(drain)
        };
        root.set("drain", drain);
        let half = self.duration / 2;
        self.maybe(20, root, "warmup", |draw| draw.steps(half));
        if half > 0 {
            let phases = format!("{}..{}", duration(self.grid), duration(self.duration * self.grid));
            self.maybe(20, root, "phases", |_| one("late", scalar(phases)));
        }
        self.maybe(50, root, "network", Self::short_time);
        self.maybe(20, root, "defaults", |draw| {
            let timeout = draw.span(&[1, 3, 20]);
            one("call", one("timeout", timeout))
        });
    }

    fn databases(&mut self) -> Node {
        let mut all = Node::map();
        for n in 0..self.below(3) {
            let name = format!("d{n}");
            let mut database = one("query", self.time());
            let connections = self.pick(&[1, 1, 2, 5, 50]);
            self.maybe(70, &mut database, "connections", |_| scalar(connections));
            self.database_limits(&mut database);
            all.set(&name, database);
            self.databases.push(name);
        }
        all
    }

    /// Names, replicas and endpoints of the services; what the endpoints cost comes later.
    fn names(&mut self) {
        for n in 0..=self.below(4) {
            let replicas = self.pick(&[1, 1, 1, 2, 3]);
            let endpoints = (0..=self.below(2)).map(|n| Endpoint { name: format!("e{n}"), cost: 1.0 }).collect();
            let limited = self.chance(70);
            self.services.push(Service { name: format!("s{n}"), replicas, limited, endpoints });
        }
    }

    /// The services, the last one first: each calls only those after it, whose cost is known.
    fn services(&mut self) -> Node {
        let mut all = Vec::new();
        for index in (0..self.services.len()).rev() {
            let service = self.service(index);
            all.push((self.services[index].name.clone(), service));
        }
        all.reverse();
        Node::Map(all)
    }

    fn service(&mut self, index: usize) -> Node {
        let mut service = Node::map();
        service.set("replicas", scalar(self.services[index].replicas));
        if self.services[index].limited {
            service.set("workers", scalar(self.pick(&[1, 1, 2, 5, 50])));
        }
        self.maybe(50, &mut service, "queue", Self::queue);
        self.maybe(20, &mut service, "admission", Self::admission);
        self.maybe(40, &mut service, "cold_start", |draw| draw.span(&[0, 1, 10, 200]));
        self.maybe(30, &mut service, "balancer", Self::balancer);
        self.machines(index, &mut service);
        let (calls, attempts) = self.calls(index);
        let mut endpoints = Node::map();
        for endpoint in 0..self.services[index].endpoints.len() {
            let (steps, cost) = self.endpoint_steps(index, &attempts);
            let endpoint = &mut self.services[index].endpoints[endpoint];
            endpoint.cost = 1.0 + cost;
            let name = endpoint.name.clone();
            let mut endpoint = one("steps", steps);
            self.maybe(15, &mut endpoint, "critical", |_| scalar("true"));
            self.maybe(10, &mut endpoint, "http", |draw| {
                scalar(format!("{} /{}/{name}", draw.pick(&["GET", "POST"]), draw.services[index].name))
            });
            endpoints.set(&name, endpoint);
        }
        service.set("endpoints", endpoints);
        service.set("calls", calls);
        service
    }

    fn queue(&mut self) -> Node {
        let limit = self.pick(&[0, 0, 1, 3, 100]);
        if self.chance(50) {
            return scalar(limit);
        }
        let mut queue = one("limit", scalar(limit));
        if !self.patient {
            self.maybe(40, &mut queue, "full", |draw| scalar(draw.pick(&["drop", "reject"])));
        }
        self.maybe(50, &mut queue, "order", |draw| scalar(draw.pick(&["fifo", "lifo", "adaptive_lifo"])));
        self.maybe(30, &mut queue, "lifo_after", |draw| draw.span(&[0, 1, 5]));
        self.maybe(40, &mut queue, "timeout", |draw| {
            if draw.chance(60) {
                return draw.span(&[1, 2, 10]);
            }
            let [short, long] = [1, 5].map(|steps| duration(steps * draw.grid));
            scalar(format!("controlled({short} {long})"))
        });
        self.maybe(30, &mut queue, "codel", |draw| {
            let mut codel = one("target", draw.steps(1));
            codel.set("interval", draw.steps(5));
            codel.set("kind", scalar(draw.pick(&["folly", "rfc8289"])));
            codel
        });
        queue
    }

    fn loads(&mut self) -> Node {
        let count = 1 + self.below(3);
        let loads = (0..count).map(|n| self.load(&format!("l{n}"), REQUESTS / count as f64)).collect();
        Node::List(loads)
    }

    fn load(&mut self, name: &str, requests: f64) -> Node {
        let mut load = one("name", scalar(name));
        self.loads.push(name.to_owned());
        let (policy, attempts) = self.policy(true);
        let closed = self.chance(30);
        let tasks = if closed { 1 + self.below(3) } else { 1 };
        let targets: Vec<(String, f64)> = (0..tasks).map(|_| self.target(name)).collect();
        let cost = targets.iter().fold(1.0f64, |most, (_, cost)| most.max(cost * attempts.unwrap_or(1) as f64));
        let count = self.pick(&[0.0f64, 1.0, 3.0, 10.0, 30.0, 100.0]).min(requests / cost);
        if closed {
            self.closed(&mut load, &targets, count);
        } else {
            load.set("to", scalar(&targets[0].0));
            self.open(&mut load, count);
        }
        self.maybe(20, &mut load, "clients", |draw| {
            let clients = draw.pick(&[1, 2, 3]);
            scalar(clients)
        });
        if let Node::Map(policies) = policy {
            for (key, value) in policies {
                load.set(&key, value);
            }
        }
        load
    }

    /// An endpoint, more often one of the first service's, and its cost.
    fn target(&mut self, load: &str) -> (String, f64) {
        let service = if self.chance(60) { 0 } else { self.below(self.services.len() as u64) as usize };
        let endpoint = self.below(self.services[service].endpoints.len() as u64) as usize;
        let Service { name, endpoints, .. } = &self.services[service];
        let target = (format!("{name}.{}", endpoints[endpoint].name), endpoints[endpoint].cost);
        self.calls.push((load.to_owned(), name.clone()));
        target
    }

    fn closed(&mut self, load: &mut Node, targets: &[(String, f64)], count: f64) {
        // Each comes back again and again.
        let users = (count as u64 / self.duration).clamp(1, 20);
        if self.chance(70) {
            load.set("users", scalar(users));
        } else {
            let stages = (0..=self.below(3)).map(|_| self.user_stage(users)).collect();
            load.set("stages", Node::List(stages));
        }
        if !self.chance(5) {
            let think = self.time();
            load.set("think", think);
        }
        if targets.len() == 1 {
            load.set("to", scalar(&targets[0].0));
            return;
        }
        let task = |(n, (to, _)): (usize, &(String, f64))| {
            let mut task = one("name", scalar(format!("t{n}")));
            task.set("to", scalar(to));
            task.set("weight", scalar([5, 0, 1][n % 3]));
            task
        };
        load.set("tasks", Node::List(targets.iter().enumerate().map(task).collect()));
    }

    fn user_stage(&mut self, users: u64) -> Node {
        let lasts = self.duration.div_ceil(self.pick(&[1, 2, 3]));
        let mut stage = one("for", self.steps(lasts));
        stage.set("users", scalar(self.pick(&[0, 1, users, users])));
        self.maybe(30, &mut stage, "hold", |_| scalar("true"));
        stage
    }

    /// An open loop of so many requests, about.
    fn open(&mut self, load: &mut Node, count: f64) {
        if self.chance(15) {
            // More than there are places in the time it lasts: some fall on the same instant.
            let each = self.grid * self.pick(&[0, 1, 2]);
            load.set("arrivals", scalar(format!("trace({})", super::trace::name(count as u64 + 1, each))));
            return;
        }
        let seconds = (self.duration * self.grid) as f64 / 1e9;
        let rate = |share: f64| scalar(format!("{}/s", (count * share / seconds).min(1e9)));
        if self.chance(30) {
            load.set("arrivals", scalar("poisson"));
        }
        if self.chance(70) {
            load.set("rate", rate(1.0));
            return;
        }
        let mut stages = Vec::new();
        for _ in 0..=self.below(3) {
            let lasts = self.duration.div_ceil(self.pick(&[1, 2, 3]));
            let mut stage = one("for", self.steps(lasts));
            stage.set("rate", rate(self.pick(&[0.0, 0.5, 1.0, 2.0])));
            self.maybe(30, &mut stage, "hold", |_| scalar("true"));
            stages.push(stage);
        }
        load.set("stages", Node::List(stages));
    }

    fn expect(&mut self) -> Node {
        let load = self.loads[0].clone();
        let mut lines = vec![format!("{load} success >= 0%"), "s0 rejected >= 0".to_owned()];
        if let Some(fault) = self.outlived.first() {
            lines.push(format!("system recovers within 1s after {fault}"));
            if self.services[0].limited {
                lines.push(format!("s0 workers saturate within 1s of {fault}"));
            }
            lines.push(format!("{load} p99 < 1s in after {fault}"));
        }
        let kept = self.below(lines.len() as u64 + 1) as usize;
        Node::List(lines.into_iter().take(kept).map(scalar).collect())
    }

    /// So many steps of the grid.
    fn steps(&self, count: u64) -> Node {
        scalar(duration(count * self.grid))
    }

    /// One of these numbers of steps.
    fn span(&mut self, counts: &[u64]) -> Node {
        let count = self.pick(counts);
        self.steps(count)
    }

    /// A time, mostly a constant one.
    fn time(&mut self) -> Node {
        if !self.patient && self.chance(2) {
            return scalar("1h");
        }
        let g = |steps: u64| duration(steps * self.grid);
        let kinds = [
            format!("exponential({})", g(2)),
            format!("uniform({} {})", g(0), g(2)),
            format!("erlang(3 {})", g(1)),
            format!("lognormal({} {})", g(1), g(5)),
            format!("pareto({} 1.5)", g(1)),
            format!("bimodal({} {} 5%)", g(1), g(20)),
            format!("normal({} {})", g(2), g(1)),
            format!("percentiles(p50={} p90={} p99={})", g(1), g(3), g(10)),
            format!("empirical({})", super::trace::name(4, self.grid)),
        ];
        if self.chance(35) { scalar(&kinds[self.below(9) as usize]) } else { self.span(&[0, 0, 1, 1, 1, 2, 3, 10]) }
    }

    /// A time that is rarely long.
    fn short_time(&mut self) -> Node {
        if self.chance(20) { self.time() } else { self.span(&[0, 0, 1]) }
    }
}

/// A duration as it is written, in the greatest unit that it is a multiple of.
fn duration(ns: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    match units.into_iter().find(|(unit, _)| ns.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ns / unit),
        None => unreachable!("every number of nanoseconds is a multiple of one"),
    }
}
