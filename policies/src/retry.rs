//! Whether a call is tried again, and after which wait. Budgets have their own module; deadlines and timers are the
//! caller's.

mod backoff;
mod condition;
mod retry_after;

pub use backoff::{Backoff, BackoffState, Jitter, PollyShape};
pub(crate) use backoff::{additive, exponential};
pub use condition::{Retryable, Statuses, envoy_retry_on};
pub use retry_after::RetryAfter;

use crate::check::{Invalid, require};
use crate::{Interval, Outcome, Outcomes, Random, Span};

/// How a call is retried. The default is resilience4j's: 3 attempts, 500 ms between them, after every failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryConfig {
    /// Attempts at most, counting the first.
    pub attempts: u32,
    /// The wait before each retry.
    pub backoff: Backoff,
    /// How the wait is spread; `None` for back-offs that bring their own.
    pub jitter: Jitter,
    /// The base of an exponential back-off after an attempt that was turned away by a rate limit, where it is another
    /// (AWS: 1 s).
    pub throttled_base: Option<Span>,
    /// The endings that are tried again.
    pub when: Outcomes,
    /// Statuses of answers that are tried again besides.
    pub statuses: Statuses,
    /// What becomes of a wait that the callee asked for.
    pub retry_after: RetryAfter,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::Resilience4j(Interval::Fixed(Span::from_millis(500))),
            jitter: Jitter::None,
            throttled_base: None,
            when: Outcomes::FAILURE,
            statuses: Statuses::NONE,
            retry_after: RetryAfter::Ignored,
        }
    }
}

impl RetryConfig {
    /// Polly v8: 4 attempts, 2 s between them, after every failure.
    pub fn polly() -> Self {
        let shape = PollyShape::Constant;
        let backoff = Backoff::Polly { shape, delay: Span::from_secs(2), max: Span::MAX, jitter: false };
        Self { attempts: 4, backoff, ..Self::default() }
    }

    /// .NET's standard HTTP pipeline (dotnet/extensions 5862342): 4 attempts, 2 s exponential with jitter, after
    /// transient failures: 5xx, 408, 429, no connection, time-out; an open breaker is none.
    pub fn dotnet_standard() -> Self {
        let shape = PollyShape::Exponential;
        let backoff = Backoff::Polly { shape, delay: Span::from_secs(2), max: Span::MAX, jitter: true };
        let when = Outcomes::FAILURE
            .without(Outcomes::BREAKER_OPEN)
            .without(Outcomes::CLIENT_ERROR)
            .without(Outcomes::CONFLICT);
        Self { attempts: 4, backoff, when, retry_after: RetryAfter::Exact, ..Self::default() }
    }

    /// Envoy 1.40 with `num_retries: 1` and `retry_on: 5xx`.
    pub fn envoy() -> Self {
        let backoff = Backoff::Envoy { base: Span::from_millis(25), max: Span::from_millis(250) };
        let when = Outcomes::ERROR_5XX | Outcomes::TIMEOUT | Outcomes::REFUSED | Outcomes::REJECTED;
        Self { attempts: 2, backoff, when, ..Self::default() }
    }

    /// What Istio does when nothing is configured: 2 retries on `connect-failure`, `refused-stream`, `unavailable` and
    /// `cancelled`; of plain HTTP the first alone can happen, for the last two are statuses of gRPC.
    pub fn istio() -> Self {
        Self { attempts: 3, when: Outcomes::REFUSED, ..Self::envoy() }
    }

    /// linkerd2-proxy 29637b6: 1 retry after a 5xx, 25–250 ms with as much again at random.
    pub fn linkerd() -> Self {
        let (base, cap) = (Span::from_millis(25), Span::from_millis(250));
        let backoff = Backoff::Exponential { base, factor: 2.0, cap };
        let jitter = Jitter::Additive { ratio: 1.0, within_cap: true };
        Self { attempts: 2, backoff, jitter, when: Outcomes::ERROR_5XX | Outcomes::REJECTED, ..Self::default() }
    }

    /// A gRPC retry policy (A6, grpc-go 4793ad0): at most 5 attempts whatever is asked for, ±20 %.
    pub fn grpc(attempts: u32, backoff: Backoff, when: Outcomes) -> Self {
        let jitter = Jitter::Proportional(0.2);
        Self { attempts: attempts.min(5), backoff, jitter, when, retry_after: RetryAfter::Pushback, ..Self::default() }
    }

    /// The AWS SDKs' standard mode by their rules of 2.0: 3 attempts, U · min(1 s · 2ᵏ, 20 s).
    pub fn aws_2_0() -> Self {
        let backoff = Backoff::Exponential { base: Span::from_secs(1), factor: 2.0, cap: Span::from_secs(20) };
        let when = Outcomes::ERROR_5XX
            | Outcomes::TIMEOUT
            | Outcomes::REFUSED
            | Outcomes::REJECTED
            | Outcomes::RATE_LIMITED
            | Outcomes::REQUEST_TIMEOUT;
        Self { backoff, jitter: Jitter::Full, when, ..Self::default() }
    }

    /// The AWS SDKs' standard mode by their rules of 2.1 (botocore 1.44.5): the first wait is 50 ms, after a rate limit
    /// 1 s.
    pub fn aws_2_1() -> Self {
        let backoff = Backoff::Exponential { base: Span::from_millis(50), factor: 2.0, cap: Span::from_secs(20) };
        let throttled_base = Some(Span::from_secs(1));
        Self { backoff, throttled_base, retry_after: RetryAfter::Aws, ..Self::aws_2_0() }
    }

    /// Whether a call that made `made` attempts, the last of which ended in `outcome`, is tried again.
    pub fn wants(&self, made: u32, outcome: Outcome) -> bool {
        made < self.attempts && self.retryable().contains(outcome)
    }

    /// What is tried again.
    pub fn retryable(&self) -> Retryable {
        Retryable { when: self.when, statuses: self.statuses }
    }

    /// The wait before `retry`, counted from 1, after an attempt that ended in `outcome`. `state` starts as its default
    /// in every call.
    pub fn wait(&self, retry: u32, outcome: Outcome, state: &mut BackoffState, rng: &mut impl Random) -> Span {
        if let (Backoff::Exponential { factor, cap, .. }, Some(base)) = (&self.backoff, self.throttled_base)
            && Outcomes::RATE_LIMITED.contains(outcome)
        {
            let throttled = Backoff::Exponential { base, factor: *factor, cap: *cap };
            return throttled.wait(retry, self.jitter, state, rng);
        }
        self.backoff.wait(retry, self.jitter, state, rng)
    }

    /// As [`wait`](Self::wait), where the callee asked for a wait.
    pub fn wait_asked(
        &self,
        retry: u32,
        outcome: Outcome,
        asked: Span,
        state: &mut BackoffState,
        rng: &mut impl Random,
    ) -> Span {
        let own = self.wait(retry, outcome, state, rng);
        if self.retry_after == RetryAfter::Pushback {
            state.restart_after(retry);
        }
        self.retry_after.wait(own, asked, rng)
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.attempts >= 1, "attempts", "at least 1, for the first one counts")?;
        self.backoff.check()?;
        self.jitter.check()?;
        let clash = self.jitter != Jitter::None && self.backoff.has_own_jitter() && self.backoff != Backoff::None;
        require(!clash, "jitter", "none, for this back-off brings its own")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;

    #[test]
    fn the_first_attempt_counts_and_only_listed_endings_are_tried_again() {
        let config = RetryConfig { attempts: 3, when: Outcomes::TIMEOUT, ..RetryConfig::default() };
        let table = [
            (1, Outcome::Timeout, true),
            (2, Outcome::Timeout, true),
            (3, Outcome::Timeout, false),
            (1, Outcome::Error(500), false),
            (1, Outcome::Ok, false),
        ];
        for (made, outcome, wanted) in table {
            assert_eq!(config.wants(made, outcome), wanted, "{made} {outcome:?}");
        }
    }

    #[test]
    fn each_preset_retries_what_its_original_does() {
        let outcomes = [
            Outcome::Error(500),
            Outcome::Error(503),
            Outcome::Error(408),
            Outcome::Error(404),
            Outcome::Error(409),
            Outcome::RateLimited,
            Outcome::Timeout,
            Outcome::Refused,
            Outcome::Rejected,
            Outcome::BreakerOpen,
        ];
        // One digit for each of these.
        let table = [
            ("resilience4j", RetryConfig::default(), 3, "1111111111"),
            ("polly", RetryConfig::polly(), 4, "1111111111"),
            ("dotnet", RetryConfig::dotnet_standard(), 4, "1110011110"),
            ("envoy", RetryConfig::envoy(), 2, "1100001110"),
            ("istio", RetryConfig::istio(), 3, "0000000100"),
            ("linkerd", RetryConfig::linkerd(), 2, "1100000010"),
            ("aws", RetryConfig::aws_2_0(), 3, "1110011110"),
            ("aws_2_1", RetryConfig::aws_2_1(), 3, "1110011110"),
        ];
        for (name, config, attempts, wanted) in table {
            assert_eq!(config.check(), Ok(()), "{name}");
            assert_eq!(config.attempts, attempts, "{name}");
            let wants: String = outcomes.map(|one| if config.wants(1, one) { '1' } else { '0' }).iter().collect();
            assert_eq!(wants, wanted, "{name}");
        }
    }

    #[test]
    fn presets_wait_and_listen_as_their_originals_do() {
        let polly =
            Backoff::Polly { shape: PollyShape::Exponential, delay: Span::from_secs(2), max: Span::MAX, jitter: true };
        let dotnet = RetryConfig::dotnet_standard();
        assert_eq!((dotnet.backoff, dotnet.retry_after), (polly, RetryAfter::Exact));
        let constant =
            Backoff::Polly { shape: PollyShape::Constant, delay: Span::from_secs(2), max: Span::MAX, jitter: false };
        assert_eq!(RetryConfig::polly().backoff, constant);
        let grpc = RetryConfig::grpc(3, Backoff::None, Outcomes::REFUSED);
        assert_eq!((grpc.jitter, grpc.retry_after), (Jitter::Proportional(0.2), RetryAfter::Pushback));
        assert_eq!((grpc.backoff, grpc.when), (Backoff::None, Outcomes::REFUSED));
        let (base, max) = (Span::from_millis(25), Span::from_millis(250));
        assert_eq!(RetryConfig::envoy().backoff, Backoff::Envoy { base, max });
        assert_eq!(RetryConfig::linkerd().backoff, Backoff::Exponential { base, factor: 2.0, cap: max });
        assert_eq!(RetryConfig::linkerd().jitter, Jitter::Additive { ratio: 1.0, within_cap: true });
        let aws = RetryConfig::aws_2_1();
        assert_eq!(
            (aws.jitter, aws.throttled_base, aws.retry_after),
            (Jitter::Full, Some(Span::from_secs(1)), RetryAfter::Aws)
        );
    }

    #[test]
    fn grpc_cuts_nine_attempts_to_five() {
        let config = RetryConfig::grpc(9, Backoff::Constant(Span::from_millis(100)), Outcomes::REFUSED);
        assert_eq!(config.attempts, 5);
    }

    #[test]
    fn a_pushback_starts_the_exponent_again_and_a_retry_after_does_not() {
        let backoff = Backoff::Exponential { base: Span::from_millis(100), factor: 2.0, cap: Span::from_secs(10) };
        let table = [(RetryAfter::Pushback, [7_000, 100, 200]), (RetryAfter::Exact, [7_000, 400, 800])];
        for (retry_after, wanted) in table {
            let config = RetryConfig { attempts: 9, backoff, retry_after, ..RetryConfig::default() };
            let (mut state, mut rng, outcome) = (BackoffState::NEW, SplitMix64::new(1), Outcome::Rejected);
            let _ = config.wait(1, outcome, &mut state, &mut rng);
            let asked = config.wait_asked(2, outcome, Span::from_secs(7), &mut state, &mut rng);
            let [third, fourth] = [3, 4].map(|retry| config.wait(retry, outcome, &mut state, &mut rng));
            assert_eq!([asked, third, fourth], wanted.map(Span::from_millis), "{retry_after:?}");
        }
    }

    #[test]
    fn aws_waits_longer_after_a_rate_limit() {
        let mut rng = SplitMix64::new(1);
        let mut longest = |outcome| {
            let wait = |_| RetryConfig::aws_2_1().wait(2, outcome, &mut BackoffState::default(), &mut rng);
            (0..1_000).map(wait).max().unwrap()
        };
        let (usual, throttled) = (longest(Outcome::Error(500)), longest(Outcome::RateLimited));
        assert!(usual < Span::from_millis(100) && usual > Span::from_millis(95), "{usual}");
        assert!(throttled < Span::from_secs(2) && throttled > Span::from_millis(1_900), "{throttled}");
    }

    #[test]
    fn a_jitter_on_top_of_an_original_s_own_is_refused() {
        let config = RetryConfig { jitter: Jitter::Full, ..RetryConfig::envoy() };
        assert_eq!(config.check().unwrap_err().field, "jitter");
        let none = RetryConfig { jitter: Jitter::Full, backoff: Backoff::None, ..RetryConfig::default() };
        assert_eq!(none.check(), Ok(()));
        assert_eq!(RetryConfig { attempts: 0, ..RetryConfig::default() }.check().unwrap_err().field, "attempts");
    }
}
