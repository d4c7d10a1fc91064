//! What services run on and talk to besides each other: memory, replicas that come and go, caches, topics, pools.

use squall_policies::Span;

use super::{ServiceId, TimeId};

/// Memory of a replica, in bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Memory {
    /// In use without any request.
    pub base: u64,
    /// Held by each request while it has a worker.
    pub per_request: u64,
    /// Lost by each request for good.
    pub leak: u64,
    /// Above this the replica is killed.
    pub limit: u64,
    /// From this share of the limit on, `work` takes longer.
    pub slow_from: Option<f64>,
}

/// Who starts and stops replicas: the rule of Kubernetes' horizontal pod autoscaler.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Autoscale {
    /// Fewest replicas; with 0 the first request to come starts one, and waits for it.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// How busy each should be, 0 to 1.
    pub target: f64,
    /// What is looked at.
    pub of: ScaleOn,
    /// How often.
    pub every: Span,
    /// Fewer must have sufficed for so long before any is stopped.
    pub scale_down_after: Span,
}

/// What an autoscaler looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScaleOn {
    /// The share of workers that are busy.
    Workers,
    /// The share of cores in use.
    Cpu,
}

/// A cache.
#[derive(Clone, PartialEq, Debug)]
pub struct Cache {
    /// Its name in the file.
    pub name: String,
    /// How long a look into it takes.
    pub latency: TimeId,
    /// How often it hits.
    pub hits: Hits,
}

impl Cache {
    /// What it holds, if that follows from keys.
    pub(crate) fn held(&self) -> Option<Hits> {
        Some(self.hits).filter(|hits| matches!(hits, Hits::Keys { .. }))
    }
}

/// How often a cache hits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Hits {
    /// Always this share, 0 to 1.
    Fixed(f64),
    /// As follows from the keys that are asked for: the `k`-th most popular of them with a chance of 1/kᶻ.
    Keys {
        /// How many there are.
        keys: u32,
        /// How unevenly they are asked for.
        zipf: f64,
        /// How many it holds; the one that was not asked for longest goes first.
        capacity: u32,
        /// How long it holds one; [`Span::MAX`] is for ever.
        ttl: Span,
    },
}

/// A topic.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    /// Its name in the file.
    pub name: String,
    /// What publishing costs the publisher.
    pub publish: TimeId,
    /// Its row in the service table: a replica and an endpoint for each subscriber.
    pub service: ServiceId,
}

/// Connections that a caller's replica keeps to a callee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// At most so many; `u32::MAX` is unlimited.
    pub connections: u32,
    /// So many attempts may wait for one; `u32::MAX` is unlimited.
    pub pending: u32,
    /// What opening one takes.
    pub connect: TimeId,
    /// Whether one is kept for the next attempt.
    pub reuse: bool,
}

/// The Universal Scalability Law: n queries at the same time each take 1 + sigma (n − 1) + kappa n (n − 1) as long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Contention {
    /// The share of the work that cannot overlap.
    pub sigma: f64,
    /// The cost of keeping each pair in step.
    pub kappa: f64,
}

impl Contention {
    /// How many times as long each of `n` queries takes.
    pub fn slow_down(self, n: u32) -> f64 {
        let (n, others) = (f64::from(n), f64::from(n.saturating_sub(1)));
        1.0 + self.sigma * others + self.kappa * n * others
    }
}
