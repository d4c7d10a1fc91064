//! What services run on and talk to besides each other: caches, topics, cores, memory, replicas that come and go, pools.

use super::{Draw, Node, one, scalar};

/// A topic as far as it decides who may publish on it.
pub(super) struct Topic {
    pub(super) name: String,
    /// Its subscribers: services by index, and their endpoints.
    to: Vec<(usize, usize)>,
    attempts: u32,
}

impl Draw {
    /// Pools and contention of a database.
    pub(super) fn database_limits(&mut self, database: &mut Node) {
        let pool = self.pick(&[1, 1, 2, 5]);
        self.maybe(30, database, "pool", |_| scalar(pool));
        self.maybe(30, database, "pool_timeout", |draw| draw.span(&[1, 5, 100]));
        if self.chance(20) {
            let mut contention = one("sigma", scalar(self.pick(&["0%", "5%", "100%"])));
            contention.set("kappa", scalar(self.pick(&["0%", "1%"])));
            database.set("contention", contention);
        }
    }

    pub(super) fn caches(&mut self) -> Node {
        let mut all = Node::map();
        for n in 0..self.pick(&[0, 0, 1, 2]) {
            let name = format!("c{n}");
            let mut cache = one("latency", self.short_time());
            let fixed = self.chance(40);
            self.fixed.push(fixed);
            if fixed {
                cache.set("hit_rate", scalar(self.pick(&["0%", "50%", "90%", "100%"])));
            } else {
                cache.set("keys", scalar(self.pick(&[1, 3, 20])));
                let (zipf, capacity) = (self.pick(&["0", "1", "2.5"]), self.pick(&[0, 1, 2, 10]));
                self.maybe(50, &mut cache, "zipf", |_| scalar(zipf));
                self.maybe(50, &mut cache, "capacity", |_| scalar(capacity));
                self.maybe(50, &mut cache, "ttl", |draw| draw.span(&[1, 3, 20]));
            }
            all.set(&name, cache);
            self.caches.push(name);
        }
        all
    }

    /// Topics whose subscribers are among the later services: so the earlier ones may publish on them.
    pub(super) fn topics(&mut self) -> Node {
        let mut all = Node::map();
        for n in 0..self.pick(&[0, 0, 1, 2]) {
            let name = format!("m{n}");
            let count = self.services.len();
            if count < 2 {
                break;
            }
            let subscribers = self.pick(&[1, 1, 2]);
            let to: Vec<(usize, usize)> = (0..subscribers)
                .map(|_| {
                    let service = 1 + self.below(count as u64 - 1) as usize;
                    (service, self.below(self.services[service].endpoints.len() as u64) as usize)
                })
                .collect();
            let names = to.iter().map(|(service, endpoint)| {
                let Self { services, .. } = &*self;
                scalar(format!("{}.{}", services[*service].name, services[*service].endpoints[*endpoint].name))
            });
            let mut topic = one("to", Node::List(names.collect()));
            let time = self.short_time();
            topic.set("publish", time);
            let (concurrency, limit) = (self.pick(&[1, 1, 3]), self.pick(&[0, 1, 5]));
            self.maybe(50, &mut topic, "concurrency", |_| scalar(concurrency));
            self.maybe(50, &mut topic, "limit", |_| scalar(limit));
            self.maybe(40, &mut topic, "timeout", |draw| draw.span(&[1, 5, 20]));
            let attempts = self.pick(&[1, 1, 3]);
            if attempts > 1 {
                let retry = self.retry(attempts);
                topic.set("retry", retry);
            }
            all.set(&name, topic);
            self.topics.push(Topic { name, to, attempts });
        }
        all
    }

    /// A message on a topic whose subscribers all come later, and what that leads to at most.
    pub(super) fn publish(&mut self, service: usize, room: f64) -> Option<(Node, f64)> {
        let place = self.random_place(self.topics.len())?;
        let topic = &self.topics[place];
        if topic.to.iter().any(|(to, _)| *to <= service) {
            return None;
        }
        let costs = topic.to.iter().map(|(to, endpoint)| self.services[*to].endpoints[*endpoint].cost);
        let cost = costs.sum::<f64>() * f64::from(topic.attempts);
        (cost <= room).then(|| (one("publish", scalar(&topic.name)), cost))
    }

    /// A look into a cache, with these steps on a miss.
    pub(super) fn get(&mut self, miss: Vec<Node>) -> Option<Node> {
        let place = self.random_place(self.caches.len())?;
        let from = scalar(&self.caches[place]);
        if miss.is_empty() && self.chance(50) {
            return Some(one("get", from));
        }
        let mut get = one("from", from);
        get.set("miss", Node::List(miss));
        Some(one("get", get))
    }

    fn random_place(&mut self, among: usize) -> Option<usize> {
        (among > 0).then(|| self.below(among as u64) as usize)
    }

    /// Cores, memory, an autoscaler.
    pub(super) fn machines(&mut self, index: usize, service: &mut Node) {
        let cores = self.chance(25).then(|| self.pick(&["0.5", "1", "1", "2"]));
        if let Some(cores) = cores {
            service.set("cores", scalar(cores));
        }
        if self.chance(15) {
            let mut memory = one("limit", scalar(self.pick(&["3MiB", "10MiB", "1GiB"])));
            memory.set("base", scalar("1MiB"));
            memory.set("per_request", scalar(self.pick(&["0B", "1MiB", "1KiB"])));
            let (leak, slow_from) = (self.pick(&["1KiB", "100KiB", "3MiB"]), self.pick(&["0%", "50%", "100%"]));
            self.maybe(50, &mut memory, "leak", |_| scalar(leak));
            self.maybe(50, &mut memory, "slow_from", |_| scalar(slow_from));
            service.set("memory", memory);
        }
        let limited = self.services[index].limited;
        if (limited || cores.is_some()) && self.chance(20) {
            let max = self.pick(&[1, 2, 4]);
            let mut autoscale = one("max", scalar(max));
            autoscale.set("min", scalar(self.pick(&[0, 0, 1])));
            autoscale.set("every", self.span(&[1, 3, 10]));
            autoscale.set("scale_down_after", self.span(&[0, 1, 20]));
            autoscale.set("target", scalar(self.pick(&["10%", "50%", "100%"])));
            if !limited || (cores.is_some() && self.chance(50)) {
                autoscale.set("of", scalar("cpu"));
            }
            service.set("autoscale", autoscale);
        }
    }

    /// Connections that are kept to a callee.
    pub(super) fn pool(&mut self) -> Node {
        if self.chance(20) {
            return scalar("none");
        }
        let mut pool = one("connections", scalar(self.pick(&["1", "1", "2", "10", "unlimited"])));
        let pending = self.pick(&["0", "1", "unlimited"]);
        self.maybe(60, &mut pool, "pending", |_| scalar(pending));
        self.maybe(60, &mut pool, "connect", Self::short_time);
        self.maybe(10, &mut pool, "reuse", |_| scalar("false"));
        pool
    }
}
