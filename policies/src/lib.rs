//! Resilience policies as pure state machines: breakers, retries and their budgets, bulkheads, rate and concurrency
//! limits, queue disciplines, hedging, balancers. Each does what its original does, comparison by comparison, and says
//! which version of the original that was.
//!
//! A policy is told what time it is and given random bits where it draws. It owns no clock, no queue, no thread and no
//! waiting: who may wait is told until when, and who must be woken says so. It knows nothing of topologies or HTTP. On
//! the way of a request nothing is allocated and nothing dispatched dynamically, so the same machine serves a
//! simulation in virtual time and a real client.
//!
//! ```
//! use squall_policies::breaker::{Admission, Breaker, BreakerConfig, Resilience4jConfig, State, Window};
//! use squall_policies::{Outcome, SimTime, Span, SplitMix64};
//!
//! let config = Resilience4jConfig { window: Window::Calls(10), minimum_calls: 4, ..Default::default() };
//! let mut breaker = Breaker::new(&BreakerConfig::Resilience4j(config), SimTime::ZERO);
//! let (mut now, mut rng) = (SimTime::ZERO, SplitMix64::new(1));
//! let mut told = vec![];
//! for outcome in [Outcome::Ok, Outcome::Timeout, Outcome::Ok, Outcome::Error(503)] {
//!     let (Admission::Pass(token), _) = breaker.admit(now, &mut rng) else { panic!("closed") };
//!     now += Span::from_millis(20);
//!     told.extend(breaker.record(now, token, outcome, Span::from_millis(20), &mut rng));
//! }
//! assert_eq!(told[0].why.to_string(), "failure rate 50.0% ≥ 50% of 4 calls");
//! assert_eq!(breaker.admit(now, &mut rng).0, Admission::Reject);
//! now += Span::from_secs(61);
//! let (_, transition) = breaker.admit(now, &mut rng);
//! assert_eq!(transition.map(|t| (t.to, t.why.to_string())), Some((State::HalfOpen, "open for 60s is over".into())));
//! ```
//!
//! | module | policies | after |
//! |---|---|---|
//! | [`breaker`] | breakers, failure accrual, outlier detection | resilience4j, Polly, Hystrix, Envoy, Linkerd |
//! | [`retry`] | conditions, back-off, jitter | resilience4j, Polly, .NET, Envoy, Istio, gRPC, Linkerd, AWS |
//! | [`budget`] | how many retries there may be | Finagle, tower, Envoy, gRPC, AWS |
//! | [`bulkhead`], [`thread_pool`], [`envoy_limits`] | how many calls at once | resilience4j, Hystrix, Envoy |
//! | [`limiter`] | how many calls in a span of time | resilience4j, AWS, Google SRE |
//! | [`adaptive`] | how many calls at once, by what latency says | Netflix concurrency-limits |
//! | [`queue`] | who waits, who is next, who is dropped | folly, RFC 8289, Facebook, Netflix |
//! | [`hedge`] | when to send an attempt twice | Polly, gRPC, Envoy |
//! | [`balancer`] | which replica | Envoy, Finagle, tower, Linkerd |
//!
//! Every configuration has public fields, the original's defaults, and a `check` that names the first field out of
//! range.

pub mod adaptive;
pub mod balancer;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
mod check;
pub mod envoy_limits;
pub mod hedge;
mod interval;
pub mod limiter;
mod outcome;
pub mod queue;
mod random;
pub mod retry;
#[cfg(test)]
mod testing;
pub mod thread_pool;
mod time;
mod tokens;
mod window;

pub use check::Invalid;
pub use interval::Interval;
pub use outcome::{Outcome, Outcomes};
pub use random::{Random, SplitMix64};
pub use time::{SimTime, Span};
