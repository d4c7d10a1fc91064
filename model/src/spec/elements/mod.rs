//! The elements of a topology file, one a file: what is written, with its defaults, and where. Names are not looked up
//! here.

mod admission;
mod autoscale;
mod balancer;
mod breaker;
mod budget;
mod cache;
mod call;
mod database;
mod defaults;
mod endpoint;
mod fault;
mod isolation;
mod load;
mod memory;
mod order;
mod queue;
mod retry;
mod service;
mod step;
mod topic;
mod topology;

pub use admission::{Admission, Aimd, Concurrency, Gradient2, LimitWindow, Vegas};
pub use autoscale::{Autoscale, ScaleOn};
pub use balancer::{AnyReplica, Balancer, Choice, LeastRequest, Maglev, PeakEwma, RingHash, RoundRobin};
pub use breaker::{
    Breaker, BreakerState, ConsecutiveBreaker, EnvoyOutlier, HystrixBreaker, InitialState, LinkerdBreaker, LinkerdMode,
    PollyBreaker, Resilience4jBreaker,
};
pub use budget::{AwsBudget, Budget, EnvoyBudget, FinagleBudget, GrpcBudget, TokenBucket, TowerBudget};
pub use cache::Cache;
pub use call::{CallPolicy, Calls, Fallback, Hedge, Pool, Propagate, Scope};
pub use database::{Contention, Database};
pub use defaults::Defaults;
pub use endpoint::Endpoint;
pub use fault::{Fault, Restart};
pub use isolation::{
    AwsAdaptive, Bulkhead, EnvoyLimits, RateBucket, RateCycles, RateLimit, Semaphore, SreThrottle, ThreadPool, Throttle,
};
pub use load::{Arrivals, Load, Stage, Task};
pub use memory::Memory;
pub use order::{KnownOrder, Layer, Order};
pub use queue::{Codel, CodelKind, FullQueue, Queue, QueueOrder};
pub use retry::{Retry, RetryAfter, RetryKind, Trouble};
pub use service::Service;
pub use step::{Branch, CallStep, Chance, Fail, Get, Parallel, Query, Race, Repeat, Step};
pub use topic::Topic;
pub use topology::Topology;
