//! What a decision costs: the pure time of each policy on the way of a request.

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use squall_policies::adaptive::{Adaptive, AdaptiveConfig, AlgorithmConfig, Sample, VegasConfig};
use squall_policies::balancer::{
    Balancer, BalancerConfig, Choice, LeastRequestConfig, MaglevConfig, PeakEwmaConfig, Replicas, RingHashConfig,
};
use squall_policies::breaker::{
    Admission, Breaker, BreakerConfig, ConsecutiveConfig, EnvoyOutlierConfig, HystrixConfig, LinkerdConfig,
    PollyConfig, Resilience4jConfig, Window,
};
use squall_policies::budget::{Budget, BudgetConfig, Grant, RatioConfig, ShareConfig};
use squall_policies::bulkhead::{Bulkhead, BulkheadConfig};
use squall_policies::limiter::{Limiter, LimiterConfig, TokenBucketConfig};
use squall_policies::retry::{Backoff, BackoffState, Jitter, RetryConfig};
use squall_policies::{Outcome, Random, SimTime, Span, SplitMix64};

const STEP: Span = Span::from_micros(10);
const CALL: Span = Span::from_millis(10);

fn breakers(c: &mut Criterion) {
    let time_window = Resilience4jConfig { window: Window::Seconds(10), ..Resilience4jConfig::default() };
    let kinds = [
        ("resilience4j calls", BreakerConfig::Resilience4j(Resilience4jConfig::default())),
        ("resilience4j seconds", BreakerConfig::Resilience4j(time_window)),
        ("polly", BreakerConfig::Polly(PollyConfig::default())),
        ("hystrix", BreakerConfig::Hystrix(HystrixConfig::default())),
        ("consecutive", BreakerConfig::Consecutive(ConsecutiveConfig::default())),
        ("linkerd", BreakerConfig::Linkerd(LinkerdConfig::default())),
        ("envoy outlier", BreakerConfig::EnvoyOutlier(EnvoyOutlierConfig::default())),
    ];
    let mut group = c.benchmark_group("breaker admit + record");
    for (name, config) in kinds {
        let (mut now, mut rng) = (SimTime::ZERO, SplitMix64::new(1));
        let mut breaker = Breaker::new(&config, now);
        group.bench_function(name, |b| {
            b.iter(|| {
                now += STEP;
                if let (Admission::Pass(token), _) = breaker.admit(now, &mut rng) {
                    black_box(breaker.record(now, token, black_box(Outcome::Ok), CALL, &mut rng));
                }
            });
        });
    }
    group.finish();
}

fn retries(c: &mut Criterion) {
    let exponential = Backoff::Exponential { base: CALL, factor: 2.0, cap: Span::from_secs(1) };
    let jitter = |jitter| RetryConfig { backoff: exponential, jitter, ..RetryConfig::default() };
    let kinds = [
        ("full jitter", jitter(Jitter::Full)),
        ("decorrelated", jitter(Jitter::Decorrelated)),
        ("polly v2", RetryConfig::dotnet_standard()),
        ("envoy", RetryConfig::envoy()),
        ("resilience4j", RetryConfig::default()),
    ];
    let mut group = c.benchmark_group("retry wants + wait");
    for (name, config) in kinds {
        let mut rng = SplitMix64::new(1);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut state = BackoffState::default();
                let outcome = black_box(Outcome::Timeout);
                black_box(config.wants(1, outcome).then(|| config.wait(1, outcome, &mut state, &mut rng)));
            });
        });
    }
    group.finish();
    let kinds = [
        ("share", BudgetConfig::Share(ShareConfig::default())),
        ("finagle", BudgetConfig::Finagle(RatioConfig::default())),
    ];
    let mut group = c.benchmark_group("budget start + record + retry");
    for (name, config) in kinds {
        let mut now = SimTime::ZERO;
        let mut budget = Budget::new(&config, now);
        group.bench_function(name, |b| {
            b.iter(|| {
                now += STEP;
                budget.start(now, Grant::FIRST);
                budget.record(now, Outcome::Timeout, Grant::FIRST);
                black_box(budget.retry(now, Outcome::Timeout))
            });
        });
    }
    group.finish();
}

fn limits(c: &mut Criterion) {
    let mut group = c.benchmark_group("limit enter + leave");
    let (mut now, mut rng) = (SimTime::ZERO, SplitMix64::new(1));
    let mut bulkhead = Bulkhead::new(BulkheadConfig::default());
    group.bench_function("bulkhead", |b| {
        b.iter(|| {
            black_box(bulkhead.enter(now));
            black_box(bulkhead.release())
        });
    });
    let bucket = TokenBucketConfig { permits: 100_000, ..TokenBucketConfig::default() };
    let mut limiter = Limiter::new(&LimiterConfig::TokenBucket(bucket), now);
    group.bench_function("token bucket", |b| {
        b.iter(|| {
            now += STEP;
            black_box(limiter.acquire(now))
        });
    });
    let vegas = AdaptiveConfig { algorithm: AlgorithmConfig::Vegas(VegasConfig::default()), window: None };
    let mut adaptive = Adaptive::new(&vegas, &mut rng);
    group.bench_function("vegas", |b| {
        b.iter(|| {
            now += STEP;
            if let Some(in_flight) = adaptive.enter() {
                adaptive.exit(now, Sample { rtt: CALL, in_flight, dropped: false }, &mut rng);
            }
        });
    });
    group.finish();
}

/// Ten replicas, all usable.
struct Fleet([u32; 10]);

impl Replicas for Fleet {
    fn len(&self) -> usize {
        10
    }
    fn usable(&self, _: usize) -> bool {
        true
    }
    fn pending(&self, i: usize) -> u32 {
        self.0[i]
    }
}

fn balancers(c: &mut Criterion) {
    let distinct = LeastRequestConfig { choice: Choice::Distinct, choices: 2 };
    let kinds = [
        ("round robin", BalancerConfig::RoundRobin),
        ("random", BalancerConfig::Random),
        ("least request", BalancerConfig::LeastRequest(LeastRequestConfig::default())),
        ("least request, distinct", BalancerConfig::LeastRequest(distinct)),
        ("peak ewma", BalancerConfig::PeakEwma(PeakEwmaConfig::default())),
        ("ring hash", BalancerConfig::RingHash(RingHashConfig::default())),
        ("maglev", BalancerConfig::Maglev(MaglevConfig::default())),
    ];
    let fleet = Fleet([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]);
    let mut group = c.benchmark_group("balancer pick");
    for (name, config) in kinds {
        let (mut now, mut rng) = (SimTime::ZERO, SplitMix64::new(1));
        let mut balancer = Balancer::new(&config);
        group.bench_function(name, |b| {
            b.iter(|| {
                now += STEP;
                let key = rng.next_u64();
                black_box(balancer.pick(now, key, &fleet, &mut rng))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, breakers, retries, limits, balancers);
criterion_main!(benches);
