//! What a decision costs: the pure time of each policy on the way of a request, and that none of them allocates. Fails if
//! one takes 50 ns or more, or allocates.
//!
//! A step is what one request asks of a policy: to let it in, and to take note of how it ended. Time goes on by 10 µs a
//! step, and one step in eight fails, so that windows roll, buckets fill and breakers judge; in a storm all steps fail.
//! What counts is the time on the CPU, in the best of some rounds: what else the machine has to do is none of the policies'.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use squall_policies::adaptive::{
    Adaptive, AdaptiveConfig, AimdConfig, AlgorithmConfig, Gradient2Config, Sample, VegasConfig, WindowConfig,
};
use squall_policies::balancer::{
    Balancer, BalancerConfig, Choice, LeastRequestConfig, MaglevConfig, PeakEwmaConfig, Replicas, RingHashConfig,
};
use squall_policies::breaker::{
    Admission, Breaker, BreakerConfig, ConsecutiveConfig, EnvoyOutlierConfig, HystrixConfig, LinkerdConfig,
    PollyConfig, Resilience4jConfig, SuccessRateConfig, Window,
};
use squall_policies::budget::{
    AwsConfig, Budget, BudgetConfig, EnvoyBudgetConfig, Grant, GrpcConfig, RatioConfig, ShareConfig, TokenBucketConfig,
};
use squall_policies::bulkhead::{Bulkhead, BulkheadConfig, Entry};
use squall_policies::envoy_limits::{EnvoyLimits, EnvoyLimitsConfig, Next, Start};
use squall_policies::hedge::HedgeConfig;
use squall_policies::limiter::{self, AwsAdaptive, Limiter, LimiterConfig, Sre, SreConfig};
use squall_policies::queue::{CoDelConfig, CoDelKind, Order, Patience, Queue, QueueConfig};
use squall_policies::retry::{Backoff, BackoffState, Jitter, RetryConfig};
use squall_policies::thread_pool::{Submit, ThreadPool, ThreadPoolConfig};
use squall_policies::{Outcome, Outcomes, Random as _, SimTime, Span, SplitMix64};

/// What a decision may cost.
const MOST_NS: f64 = 50.0;
const STEP: Span = Span::from_micros(10);
const CALL: Span = Span::from_millis(10);
/// Steps before anything is measured, steps of a round, and rounds.
const WARM_UP: usize = 200_000;
const ROUND: usize = 200_000;
const ROUNDS: usize = 15;

/// The time of a run, and how its requests end.
struct Course {
    now: SimTime,
    steps: u64,
    storm: bool,
    rng: SplitMix64,
}

impl Course {
    fn new(storm: bool) -> Self {
        Self { now: SimTime::ZERO, steps: 0, storm, rng: SplitMix64::new(1) }
    }

    fn next(&mut self) -> (SimTime, Outcome) {
        self.now += STEP;
        self.steps += 1;
        let fails = self.storm || self.steps.is_multiple_of(8);
        (self.now, black_box(if fails { Outcome::Error(503) } else { Outcome::Ok }))
    }
}

/// Measures steps, and prints and judges what they cost.
#[derive(Default)]
struct Bench {
    too_dear: Vec<String>,
}

impl Bench {
    /// `decisions` are those of one step.
    fn measure(&mut self, name: &str, decisions: u32, mut step: impl FnMut()) {
        (0..WARM_UP).for_each(|_| step());
        let allocations = allocation_counter::measure(|| (0..ROUND).for_each(|_| step())).count_total;
        let mut round = || {
            let began = cpu_time();
            (0..ROUND).for_each(|_| step());
            cpu_time().saturating_sub(began).as_nanos() as f64 / ROUND as f64
        };
        let ns = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
        let each = ns / f64::from(decisions);
        println!("{name:<44} {ns:>7.1} {each:>11.1} {:>10.2} {allocations:>12}", each / MOST_NS);
        if each >= MOST_NS || allocations > 0 {
            self.too_dear.push(format!("{name}: {each:.1} ns a decision, {allocations} allocations"));
        }
    }
}

/// CPU time that this thread has used.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

fn breakers(bench: &mut Bench) {
    let time_window = Resilience4jConfig { window: Window::Seconds(10), ..Resilience4jConfig::default() };
    let unified = LinkerdConfig { success_rate: Some(SuccessRateConfig::default()), ..LinkerdConfig::default() };
    let kinds = [
        ("resilience4j calls", BreakerConfig::Resilience4j(Resilience4jConfig::default())),
        ("resilience4j seconds", BreakerConfig::Resilience4j(time_window)),
        ("polly", BreakerConfig::Polly(PollyConfig::default())),
        ("hystrix", BreakerConfig::Hystrix(HystrixConfig::default())),
        ("consecutive", BreakerConfig::Consecutive(ConsecutiveConfig::default())),
        ("linkerd", BreakerConfig::Linkerd(LinkerdConfig::default())),
        ("linkerd unified", BreakerConfig::Linkerd(unified)),
        ("envoy_outlier", BreakerConfig::EnvoyOutlier(EnvoyOutlierConfig::default())),
    ];
    for (storm, weather) in [(false, ""), (true, ", storm")] {
        for (name, config) in &kinds {
            let mut course = Course::new(storm);
            let mut breaker = Breaker::new(config, course.now);
            breaker.set_replicas(10, course.now);
            bench.measure(&format!("breaker {name}{weather}"), 2, || {
                let (now, outcome) = course.next();
                while breaker.next_wake().is_some_and(|due| due <= now) {
                    black_box(breaker.on_wake(now, &mut course.rng));
                }
                if let (Admission::Pass(token), _) = breaker.admit(now, &mut course.rng) {
                    let token = breaker.assign(token, (course.steps % 10) as usize);
                    black_box(breaker.record(now, token, outcome, CALL, &mut course.rng));
                }
            });
        }
    }
}

fn retries(bench: &mut Bench) {
    let exponential = Backoff::Exponential { base: CALL, factor: 2.0, cap: Span::from_secs(1) };
    let jitter = |jitter| RetryConfig { backoff: exponential, jitter, ..RetryConfig::default() };
    let kinds = [
        ("exponential", jitter(Jitter::None)),
        ("full jitter", jitter(Jitter::Full)),
        ("equal jitter", jitter(Jitter::Equal)),
        ("decorrelated", jitter(Jitter::Decorrelated)),
        ("resilience4j", RetryConfig::default()),
        ("polly", RetryConfig::polly()),
        ("dotnet (polly v2)", RetryConfig::dotnet_standard()),
        ("envoy", RetryConfig::envoy()),
        ("linkerd", RetryConfig::linkerd()),
        ("grpc", RetryConfig::grpc(5, exponential, Outcomes::FAILURE)),
        ("aws", RetryConfig::aws_2_1()),
    ];
    for (name, config) in kinds {
        let mut course = Course::new(true);
        bench.measure(&format!("retry {name}"), 2, || {
            let (_, outcome) = course.next();
            let mut state = BackoffState::default();
            if black_box(config.wants(1, outcome)) {
                black_box(config.wait(1, outcome, &mut state, &mut course.rng));
            }
        });
    }
    let hedge = HedgeConfig::default();
    let mut course = Course::new(false);
    bench.measure("hedge", 2, || {
        let (now, outcome) = course.next();
        black_box(hedge.next_at(black_box(1), now));
        black_box(hedge.on_end(outcome, 1, 0));
    });
}

fn budgets(bench: &mut Bench) {
    let bucket = TokenBucketConfig { per_call: 0.2, ..TokenBucketConfig::default() };
    let fixed = EnvoyBudgetConfig::default();
    let kinds = [
        ("share", BudgetConfig::Share(ShareConfig::default())),
        ("token_bucket", BudgetConfig::TokenBucket(bucket)),
        ("finagle", BudgetConfig::Finagle(RatioConfig::default())),
        ("tower", BudgetConfig::Tower { ratio: RatioConfig::default(), retryable: Outcomes::FAILURE.into() }),
        ("envoy", BudgetConfig::Envoy(fixed)),
        ("grpc", BudgetConfig::Grpc(GrpcConfig::default())),
        ("aws", BudgetConfig::Aws(AwsConfig::default())),
    ];
    for (name, config) in kinds {
        let mut course = Course::new(false);
        let mut budget = Budget::new(&config, course.now);
        bench.measure(&format!("budget {name}"), 3, || {
            let (now, outcome) = course.next();
            budget.start(now, Grant::FIRST);
            budget.record(now, outcome, Grant::FIRST);
            if !outcome.is_success()
                && let Some(grant) = black_box(budget.retry(now, outcome))
            {
                budget.start(now, grant);
                budget.record(now, Outcome::Ok, grant);
            }
        });
    }
}

fn limiters(bench: &mut Bench) {
    let bucket = limiter::TokenBucketConfig { permits: 100_000, ..limiter::TokenBucketConfig::default() };
    let kinds = [
        ("token bucket", LimiterConfig::TokenBucket(bucket)),
        ("resilience4j", LimiterConfig::Resilience4j(limiter::Resilience4jConfig::default())),
    ];
    for (name, config) in kinds {
        let mut course = Course::new(false);
        let mut limiter = Limiter::new(&config, course.now);
        bench.measure(&format!("rate limit {name}"), 1, || {
            let (now, _) = course.next();
            black_box(limiter.acquire(now));
        });
    }
    let mut course = Course::new(false);
    let mut throttle = Sre::new(SreConfig { rejections: Outcomes::FAILURE, ..SreConfig::default() }, course.now);
    bench.measure("throttle sre", 2, || {
        let (now, outcome) = course.next();
        if black_box(throttle.admit(now, &mut course.rng)) {
            throttle.record(now, outcome);
        }
    });
    let mut course = Course::new(false);
    let mut throttle = AwsAdaptive::new(course.now);
    bench.measure("throttle aws_adaptive", 2, || {
        let (now, outcome) = course.next();
        black_box(throttle.acquire(now, AwsAdaptive::cost(None)));
        throttle.record(now, if outcome.is_success() { outcome } else { Outcome::RateLimited });
    });
}

fn rooms(bench: &mut Bench) {
    let mut bulkhead = Bulkhead::new(BulkheadConfig::default());
    let mut course = Course::new(false);
    bench.measure("bulkhead semaphore", 2, || {
        let (now, _) = course.next();
        if bulkhead.enter(now) == Entry::Enter {
            black_box(bulkhead.release());
        }
    });
    let mut pool = ThreadPool::new(ThreadPoolConfig::default());
    let mut course = Course::new(false);
    bench.measure("bulkhead thread_pool", 2, || {
        let (now, _) = course.next();
        if pool.submit(now) == Submit::Run {
            black_box(pool.finish(now));
        }
    });
    // As many requests as there are places, always, of which every one waits first: all of its decisions.
    let limits =
        EnvoyLimitsConfig { max_connections: 8, max_pending_requests: 8, max_requests: 8, connect: Span::ZERO };
    let mut envoy = EnvoyLimits::new(limits);
    bench.measure("bulkhead envoy (connection, pending, request)", 3, || match black_box(envoy.start()) {
        Start::Wait { opens } => {
            if opens {
                envoy.connected();
            }
            if envoy.start_next() == Next::Run && envoy.active() == 8 {
                envoy.done();
            }
        }
        Start::Run => envoy.done(),
        Start::Overflow => envoy.withdraw(),
    });
}

fn adaptive(bench: &mut Bench) {
    let kinds = [
        ("aimd", AlgorithmConfig::Aimd(AimdConfig::default())),
        ("vegas", AlgorithmConfig::Vegas(VegasConfig::default())),
        ("gradient2", AlgorithmConfig::Gradient2(Gradient2Config::default())),
    ];
    for (name, algorithm) in kinds {
        for (window, of) in [(None, ""), (Some(WindowConfig::default()), ", windowed")] {
            let mut course = Course::new(false);
            let mut limit = Adaptive::new(&AdaptiveConfig { algorithm, window }, &mut course.rng);
            bench.measure(&format!("limit {name}{of}"), 2, || {
                let (now, outcome) = course.next();
                if let Some(in_flight) = limit.enter() {
                    let sample = Sample { rtt: CALL, in_flight, dropped: !outcome.is_success() };
                    limit.exit(now, sample, &mut course.rng);
                }
            });
        }
    }
}

fn queues(bench: &mut Bench) {
    let codel = |kind| Some(CoDelConfig { kind, ..CoDelConfig::default() });
    let controlled = Patience::Controlled { short: Span::from_millis(5), long: Span::from_millis(100) };
    let plain = QueueConfig::default();
    let kinds = [
        ("fifo", plain),
        ("lifo", QueueConfig { order: Order::Lifo, ..plain }),
        (
            "adaptive_lifo, controlled",
            QueueConfig { order: Order::AdaptiveLifo(Span::from_millis(100)), patience: controlled, ..plain },
        ),
        ("codel folly", QueueConfig { codel: codel(CoDelKind::Folly), ..plain }),
        ("codel rfc8289", QueueConfig { codel: codel(CoDelKind::Rfc8289), ..plain }),
    ];
    for (name, config) in kinds {
        let mut course = Course::new(false);
        let mut queue = Queue::new(config, course.now);
        bench.measure(&format!("queue {name}"), 3, || {
            let (now, _) = course.next();
            black_box(queue.join(now, 10));
            black_box(queue.next(now, 11));
            black_box(queue.drops(now, CALL, 10));
        });
    }
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

fn balancers(bench: &mut Bench) {
    let distinct = LeastRequestConfig { choice: Choice::Distinct, choices: 2 };
    let kinds = [
        ("round_robin", BalancerConfig::RoundRobin),
        ("random", BalancerConfig::Random),
        ("least_request", BalancerConfig::LeastRequest(LeastRequestConfig::default())),
        ("least_request, distinct", BalancerConfig::LeastRequest(distinct)),
        ("peak_ewma", BalancerConfig::PeakEwma(PeakEwmaConfig::default())),
        ("ring_hash", BalancerConfig::RingHash(RingHashConfig::default())),
        ("maglev", BalancerConfig::Maglev(MaglevConfig::default())),
    ];
    let fleet = Fleet([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]);
    let names: Vec<String> = (0..10).map(|n| format!("10.0.0.{n}:80")).collect();
    for (name, config) in kinds {
        let mut course = Course::new(false);
        let mut balancer = Balancer::new(&config);
        balancer.set_replicas(course.now, &names);
        bench.measure(&format!("balancer {name}"), 2, || {
            let (now, _) = course.next();
            let key = course.rng.next_u64();
            if let Some(replica) = black_box(balancer.pick(now, key, &fleet, &mut course.rng)) {
                balancer.record(now, replica, CALL);
            }
        });
    }
}

fn main() -> ExitCode {
    println!("{:<44} {:>7} {:>11} {:>10} {:>12}", "policy", "ns/step", "ns/decision", "of 50 ns", "allocations");
    let mut bench = Bench::default();
    for group in [breakers, retries, budgets, limiters, rooms, adaptive, queues, balancers] {
        group(&mut bench);
    }
    for line in &bench.too_dear {
        eprintln!("too dear: {line}");
    }
    if bench.too_dear.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
