//! Retries and hedges.

use squall_policies::hedge::{HedgeAfter, HedgeConfig};
use squall_policies::retry::{Backoff, Jitter, PollyShape, RetryAfter, RetryConfig, Statuses};
use squall_policies::{Interval, Outcomes};

use super::{outcomes, outcomes_or};
use crate::spec;

/// No retry at all.
pub(in super::super) fn once() -> RetryConfig {
    RetryConfig { attempts: 1, backoff: Backoff::None, jitter: Jitter::None, ..RetryConfig::default() }
}

/// A retry of any kind.
pub(in super::super) fn retry(written: &spec::Retry) -> RetryConfig {
    let statuses: Vec<u16> = written.statuses.iter().map(|status| status.value).collect();
    let attempts = *written.attempts;
    RetryConfig {
        // gRPC's clients make at most five, whatever is asked for.
        attempts: if *written.kind == spec::RetryKind::Grpc { attempts.min(5) } else { attempts },
        backoff: backoff(*written.backoff, *written.jitter),
        jitter: jitter(*written.jitter),
        throttled_base: written.throttled_base.as_ref().map(|base| base.value),
        when: outcomes(&written.when),
        statuses: Statuses::of(&statuses).unwrap_or_default(),
        retry_after: match *written.retry_after {
            spec::RetryAfter::Ignored => RetryAfter::Ignored,
            spec::RetryAfter::Exact => RetryAfter::Exact,
            spec::RetryAfter::Pushback => RetryAfter::Pushback,
            spec::RetryAfter::Envoy => RetryAfter::Envoy,
            spec::RetryAfter::Aws => RetryAfter::Aws,
        },
    }
}

fn backoff(written: spec::Backoff, jitter: spec::Jitter) -> Backoff {
    let polly = |shape, delay, max| Backoff::Polly { shape, delay, max, jitter: jitter == spec::Jitter::Polly };
    match written {
        spec::Backoff::None => Backoff::None,
        spec::Backoff::Constant(wait) => Backoff::Constant(wait),
        spec::Backoff::Linear { step, cap } => Backoff::Linear { step, cap },
        spec::Backoff::Exponential { base, factor, cap } => Backoff::Exponential { base, factor, cap },
        spec::Backoff::Resilience4j { initial, multiplier, cap: max } => {
            let randomized = if let spec::Jitter::Randomized(factor) = jitter { Some(factor) } else { None };
            Backoff::Resilience4j(match (multiplier, randomized) {
                (None, None) => Interval::Fixed(initial),
                (None, Some(factor)) => Interval::Randomized { around: initial, factor },
                (Some(multiplier), None) => Interval::Exponential { initial, multiplier, max },
                (Some(multiplier), Some(factor)) => Interval::ExponentialRandom { initial, multiplier, factor, max },
            })
        }
        spec::Backoff::PollyConstant { delay, cap } => polly(PollyShape::Constant, delay, cap),
        spec::Backoff::PollyLinear { delay, cap } => polly(PollyShape::Linear, delay, cap),
        spec::Backoff::PollyExponential { delay, cap } => polly(PollyShape::Exponential, delay, cap),
        spec::Backoff::Envoy { base, cap: max } => Backoff::Envoy { base, max },
    }
}

fn jitter(written: spec::Jitter) -> Jitter {
    match written {
        // The libraries' own are part of their back-offs.
        spec::Jitter::None | spec::Jitter::Polly | spec::Jitter::Randomized(_) => Jitter::None,
        spec::Jitter::Full => Jitter::Full,
        spec::Jitter::Equal => Jitter::Equal,
        spec::Jitter::Decorrelated => Jitter::Decorrelated,
        spec::Jitter::Proportional(share) => Jitter::Proportional(share),
        spec::Jitter::Additive(ratio) => Jitter::Additive { ratio, within_cap: false },
        spec::Jitter::AdditiveCapped(ratio) => Jitter::Additive { ratio, within_cap: true },
    }
}

/// Another attempt while the first is out.
pub(in super::super) fn hedge(written: &spec::Hedge) -> HedgeConfig {
    HedgeConfig {
        after: match *written.after {
            spec::HedgeAfter::Time(span) => HedgeAfter::Span(span),
            spec::HedgeAfter::Failure => HedgeAfter::Failure,
        },
        attempts: *written.attempts,
        non_fatal: outcomes_or(written.when.as_ref(), Outcomes::FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;
    use crate::spec::read_element;

    #[test]
    fn a_retry_of_which_only_the_kind_is_written_is_the_original_s() {
        let base = Span::from_millis(100);
        let grpc = Backoff::Exponential { base, factor: 2.0, cap: Span::from_secs(1) };
        let table = [
            ("{kind: resilience4j}", RetryConfig::default()),
            ("{kind: polly}", RetryConfig::polly()),
            ("{kind: dotnet}", RetryConfig::dotnet_standard()),
            ("{kind: envoy}", RetryConfig::envoy()),
            ("{kind: istio}", RetryConfig::istio()),
            ("{kind: linkerd}", RetryConfig::linkerd()),
            ("{kind: grpc}", RetryConfig::grpc(3, grpc, Outcomes::REFUSED | Outcomes::REJECTED)),
            ("{kind: grpc, attempts: 9}", RetryConfig::grpc(9, grpc, Outcomes::REFUSED | Outcomes::REJECTED)),
            ("{kind: aws}", RetryConfig::aws_2_0()),
            ("{kind: aws_2_1}", RetryConfig::aws_2_1()),
        ];
        for (text, config) in table {
            assert_eq!(retry(&read_element::<spec::Retry>(text).unwrap()), config, "{text}");
            assert_eq!(config.check(), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_written_wins_over_the_kind() {
        let written = read_element::<spec::Retry>("{kind: dotnet, attempts: 2, backoff: constant(1s)}").unwrap();
        let expected = RetryConfig {
            attempts: 2,
            backoff: Backoff::Constant(Span::from_secs(1)),
            ..RetryConfig::dotnet_standard()
        };
        assert_eq!(retry(&written), expected, "and the kind's jitter goes with its back-off");
    }

    #[test]
    fn the_libraries_own_jitter_is_part_of_their_back_off() {
        let read = |text| retry(&read_element::<spec::Retry>(text).unwrap()).backoff;
        let (initial, max) = (Span::from_millis(500), Span::from_secs(5));
        let random = Interval::ExponentialRandom { initial, multiplier: 1.5, factor: 0.5, max };
        let table = [
            ("{backoff: resilience4j(500ms 1.5 5s), jitter: randomized(0.5)}", Backoff::Resilience4j(random)),
            (
                "{backoff: polly_linear(500ms 5s), jitter: polly}",
                Backoff::Polly { shape: PollyShape::Linear, delay: initial, max, jitter: true },
            ),
        ];
        for (text, backoff) in table {
            assert_eq!(read(text), backoff, "{text}");
        }
    }
}
