//! What breakers tell: states, transitions with their reasons, and figures to look at. Knows no kind of breaker.

use core::fmt;

use crate::Span;

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are watched.
    Closed,
    /// Calls are rejected.
    Open,
    /// A few calls pass, to see whether the callee is back.
    HalfOpen,
    /// Calls are rejected until someone says otherwise.
    ForcedOpen,
    /// Calls pass and are not even counted.
    Disabled,
    /// Calls pass and are counted, whatever the figures.
    MetricsOnly,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics only",
        })
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// The reason.
    pub why: Why,
    /// The replica it is about, for breakers that watch each replica; `None` where one state serves all.
    pub replica: Option<u32>,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Why {
    /// The rule that fired.
    pub reason: Reason,
    /// Whether the result that made it fire came from a call admitted before the state it decided.
    pub late: bool,
}

/// The rule that made a breaker change its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Too many of the window's calls failed. Rates in per cent.
    FailureRate {
        /// The share that failed.
        rate: f32,
        /// The share at which the breaker trips.
        threshold: f32,
        /// Calls in the window.
        calls: u32,
    },
    /// Too many of the window's calls were slow. Rates in per cent.
    SlowRate {
        /// The share that was slow.
        rate: f32,
        /// The share at which the breaker trips.
        threshold: f32,
        /// Calls in the window.
        calls: u32,
    },
    /// Too few of the window's calls succeeded. Rates in per cent.
    SuccessRate {
        /// The share that succeeded.
        rate: f32,
        /// The share below which the breaker trips.
        threshold: f32,
        /// Calls in the window.
        calls: u32,
    },
    /// A replica's success rate lies too far below the others'. Rates in per cent.
    Outlier {
        /// The share that succeeded.
        rate: f32,
        /// The mean less so many standard deviations.
        threshold: f32,
        /// Replicas compared.
        replicas: u32,
    },
    /// So many failures in a row.
    Consecutive(u32),
    /// A probe failed.
    ProbeFailed,
    /// The probes went well: so many of them.
    ProbesPassed(u32),
    /// A probe was given up by its caller.
    ProbeCancelled,
    /// The open wait is over.
    OpenFor(Span),
    /// The probes did not answer within the limit.
    HalfOpenLimit(Span),
    /// Someone asked for it.
    Asked,
    /// It is configured to begin in another state than closed.
    Initial,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Self { reason, late: false }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if self.late { f.write_str(", decided by a late result of an earlier era") } else { Ok(()) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FailureRate { rate, threshold, calls } => {
                write!(f, "failure rate {rate:.1}% ≥ {threshold}% of {}", Counted(calls, "call"))
            }
            Self::SlowRate { rate, threshold, calls } => {
                write!(f, "slow-call rate {rate:.1}% ≥ {threshold}% of {}", Counted(calls, "call"))
            }
            Self::SuccessRate { rate, threshold, calls } => {
                write!(f, "success rate {rate:.1}% < {threshold:.1}% of {}", Counted(calls, "call"))
            }
            Self::Outlier { rate, threshold, replicas } => {
                write!(f, "success rate {rate:.1}% < {threshold:.1}%, an outlier among {replicas} replicas")
            }
            Self::Consecutive(failures) => write!(f, "{} in a row", Counted(failures, "failure")),
            Self::ProbeFailed => f.write_str("the probe failed"),
            Self::ProbesPassed(1) => f.write_str("the probe passed"),
            Self::ProbesPassed(probes) => write!(f, "{probes} probes passed"),
            Self::ProbeCancelled => f.write_str("the probe was cancelled"),
            Self::OpenFor(span) => write!(f, "open for {span} is over"),
            Self::HalfOpenLimit(span) => write!(f, "half-open for {span} without a decision"),
            Self::Asked => f.write_str("it was asked for"),
            Self::Initial => f.write_str("it is set to begin so"),
        }
    }
}

/// A number and a noun, in the plural but for one.
struct Counted(u32, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A breaker's figures at one moment. Reading them changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Calls in the window.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that were slow; 0 for kinds that do not look at durations.
    pub slow: u32,
    /// The share that failed in per cent; `None` while there are too few calls to judge.
    pub failure_rate: Option<f32>,
    /// Calls rejected since the window began.
    pub not_permitted: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_in_words() {
        let table = [
            (State::Closed, "closed"),
            (State::Open, "open"),
            (State::HalfOpen, "half-open"),
            (State::ForcedOpen, "forced open"),
            (State::Disabled, "disabled"),
            (State::MetricsOnly, "metrics only"),
        ];
        for (state, words) in table {
            assert_eq!(state.to_string(), words);
        }
    }

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let table = [
            (Reason::FailureRate { rate: 52.0, threshold: 50.0, calls: 100 }, "failure rate 52.0% ≥ 50% of 100 calls"),
            (Reason::FailureRate { rate: 100.0, threshold: 33.33, calls: 1 }, "failure rate 100.0% ≥ 33.33% of 1 call"),
            (Reason::SlowRate { rate: 60.0, threshold: 60.0, calls: 5 }, "slow-call rate 60.0% ≥ 60% of 5 calls"),
            (Reason::SuccessRate { rate: 79.0, threshold: 80.0, calls: 9 }, "success rate 79.0% < 80.0% of 9 calls"),
            (
                Reason::Outlier { rate: 50.0, threshold: 52.0, replicas: 5 },
                "success rate 50.0% < 52.0%, an outlier among 5 replicas",
            ),
            (Reason::Consecutive(5), "5 failures in a row"),
            (Reason::Consecutive(1), "1 failure in a row"),
            (Reason::ProbesPassed(1), "the probe passed"),
            (Reason::ProbesPassed(3), "3 probes passed"),
            (Reason::OpenFor(Span::from_secs(5)), "open for 5s is over"),
            (Reason::HalfOpenLimit(Span::from_millis(1500)), "half-open for 1.5s without a decision"),
        ];
        for (reason, text) in table {
            assert_eq!(Why::from(reason).to_string(), text);
        }
    }

    #[test]
    fn a_late_result_is_named_in_the_reason() {
        let why = Why { reason: Reason::ProbesPassed(1), late: true };
        assert_eq!(why.to_string(), "the probe passed, decided by a late result of an earlier era");
    }
}
