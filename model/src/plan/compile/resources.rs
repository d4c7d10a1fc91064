//! What services run on: replicas, memory, databases, caches, pools of connections.

use squall_policies::Span;

use super::{Compiler, limit};
use crate::plan::{self, Cache, CacheId, Contention, Database, Hits};
use crate::spec;
use crate::spec::{Limit, Service, Spanned};

/// How many replicas there are at most.
pub(super) fn replicas(service: &Service) -> u32 {
    service.most_replicas()
}

/// How many run from the start.
pub(super) fn at_start(service: &Service) -> u32 {
    match &service.autoscale {
        Some(autoscale) => service.replicas.clamp((*autoscale.min).min(*autoscale.max), *autoscale.max),
        None => *service.replicas,
    }
}

pub(super) fn memory(written: &spec::Memory) -> plan::Memory {
    plan::Memory {
        base: written.base.0,
        per_request: written.per_request.0,
        leak: written.leak.0,
        limit: written.limit.0,
        slow_from: written.slow_from.as_ref().map(|share| share.0),
    }
}

pub(super) fn autoscale(written: &spec::Autoscale) -> plan::Autoscale {
    plan::Autoscale {
        min: *written.min,
        max: *written.max,
        target: written.target.0,
        of: match *written.of {
            spec::ScaleOn::Workers => plan::ScaleOn::Workers,
            spec::ScaleOn::Cpu => plan::ScaleOn::Cpu,
        },
        every: *written.every,
        scale_down_after: *written.scale_down_after,
    }
}

impl Compiler<'_> {
    pub(super) fn databases(&mut self) {
        for (name, database) in self.topology.databases.iter() {
            let query = match &database.query {
                Some(query) => self.time(query),
                None => self.constant(Span::ZERO),
            };
            let pooled = database.pool.count().is_some();
            let pool_timeout_lane = pooled.then(|| self.lane(*database.pool_timeout));
            self.plan.databases.push(Database {
                name: name.value.clone(),
                connections: limit(*database.connections),
                query,
                pool: limit(*database.pool),
                pool_timeout: *database.pool_timeout,
                pool_timeout_lane,
                contention: database
                    .contention
                    .as_ref()
                    .map(|written| Contention { sigma: written.sigma.0, kappa: written.kappa.0 }),
            });
        }
    }

    pub(super) fn caches(&mut self) {
        for (name, cache) in self.topology.caches.iter() {
            let latency = self.time(&cache.latency);
            let hits = match (&cache.hit_rate, &cache.keys) {
                (Some(share), _) => Hits::Fixed(share.0),
                (None, None) => Hits::Fixed(0.0),
                (None, Some(keys)) => Hits::Keys {
                    keys: count(**keys),
                    zipf: *cache.zipf,
                    capacity: cache.capacity.as_ref().map_or(u32::MAX, |capacity| count(**capacity)),
                    ttl: cache.ttl.as_ref().map_or(Span::MAX, |ttl| ttl.value),
                },
            };
            self.plan.caches.push(Cache { name: name.value.clone(), latency, hits });
        }
    }

    pub(super) fn cache(&mut self, name: &Spanned<String>) -> CacheId {
        let position = self.topology.caches.position(name);
        CacheId::from(self.known(position, name, "cache"))
    }

    pub(super) fn pool(&mut self, written: &spec::Pool) -> plan::Pool {
        let connections = if *written.reuse { *written.connections } else { Limit::Unlimited };
        plan::Pool {
            connections: limit(connections),
            pending: limit(*written.pending),
            connect: self.time(&written.connect),
            reuse: *written.reuse,
        }
    }
}

/// The checks have seen to it that it fits.
fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
