//! What a client makes of a wait that the callee asked for (`Retry-After`, gRPC's pushback, rate-limit reset headers).

use crate::{Random, Span};

/// How a wait that the callee asked for is honoured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not at all.
    #[default]
    Ignored,
    /// To the letter: .NET's standard pipeline.
    Exact,
    /// To the letter, and the exponent starts again: gRPC's pushback.
    Pushback,
    /// U[v, 1.5 v), at most 300 s: Envoy's rate-limited back-off (1.40).
    Envoy,
    /// At least the own wait, at most 5 s more: the AWS SDKs (botocore 1.44.5).
    Aws,
}

impl RetryAfter {
    /// Asked for, it means that there is to be no further attempt. Only gRPC's pushback can say so (a wait that is
    /// negative), and only gRPC's clients hear it; to the others nothing was asked for.
    pub const NEVER: Span = Span::MAX;

    /// Whether what the callee asked for ends the call.
    pub fn ends(self, asked: Option<Span>) -> bool {
        self == Self::Pushback && asked == Some(Self::NEVER)
    }

    /// The wait before a retry whose own wait is `own`, when the callee asked for `asked`.
    pub fn wait(self, own: Span, asked: Span, rng: &mut impl Random) -> Span {
        match self {
            Self::Ignored => own,
            _ if asked == Self::NEVER => own,
            Self::Exact | Self::Pushback => asked,
            Self::Envoy => {
                let asked = asked.min(Span::from_secs(300));
                asked + Span::from_nanos(rng.below(asked.as_nanos() / 2))
            }
            Self::Aws => asked.max(own).min(own + Span::from_secs(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use crate::testing::assert_uniform;

    #[test]
    fn each_kind_honours_what_was_asked_for_in_its_way() {
        let table = [
            (RetryAfter::Ignored, 1, 7, 1),
            (RetryAfter::Exact, 1, 7, 7),
            (RetryAfter::Exact, 7, 1, 1),
            (RetryAfter::Pushback, 1, 7, 7),
            (RetryAfter::Aws, 2, 1, 2),
            (RetryAfter::Aws, 2, 4, 4),
            (RetryAfter::Aws, 2, 7, 7),
            (RetryAfter::Aws, 2, 8, 7),
        ];
        for (kind, own, asked, wait) in table {
            let drawn = kind.wait(Span::from_secs(own), Span::from_secs(asked), &mut SplitMix64::new(1));
            assert_eq!(drawn, Span::from_secs(wait), "{kind:?} {own} {asked}");
        }
    }

    #[test]
    fn only_grpc_hears_that_it_is_not_to_try_again() {
        let own = Span::from_secs(1);
        for kind in [RetryAfter::Ignored, RetryAfter::Exact, RetryAfter::Envoy, RetryAfter::Aws] {
            assert!(!kind.ends(Some(RetryAfter::NEVER)), "{kind:?}");
            assert_eq!(kind.wait(own, RetryAfter::NEVER, &mut SplitMix64::new(1)), own, "{kind:?}");
        }
        assert!(RetryAfter::Pushback.ends(Some(RetryAfter::NEVER)));
        assert!(!RetryAfter::Pushback.ends(Some(own)) && !RetryAfter::Pushback.ends(None));
    }

    #[test]
    fn envoy_spreads_what_was_asked_for_by_a_half_and_honours_five_minutes_at_most() {
        let mut rng = SplitMix64::new(1);
        let mut wait = |asked| RetryAfter::Envoy.wait(Span::ZERO, Span::from_secs(asked), &mut rng).as_secs_f64();
        assert_uniform((0..4_000).map(|_| wait(10)).collect(), 10.0, 15.0);
        assert_uniform((0..4_000).map(|_| wait(3_600)).collect(), 300.0, 450.0);
    }
}
