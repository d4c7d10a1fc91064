//! Envoy's limits on retries under way (1.40.0): `max_retries`, or `retry_budget`, a share of what is under way. A
//! retry occupies its slot from the decision, through the back-off, until its attempt ends.

use std::collections::VecDeque;

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`Envoy`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EnvoyBudgetConfig {
    /// So many retries at once. Envoy's default is 3.
    MaxRetries(u32),
    /// A share of the attempts under way.
    RetryBudget {
        /// Retries per hundred attempts under way, the rest cut off. Default 20.
        budget_percent: f64,
        /// Retries at once that are always allowed. Default 3.
        min_retry_concurrency: u32,
        /// The attempts begun within this time count instead of those under way, where they are more. Default 0: they
        /// never do.
        budget_interval: Span,
    },
}

impl Default for EnvoyBudgetConfig {
    fn default() -> Self {
        Self::MaxRetries(3)
    }
}

impl EnvoyBudgetConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::MaxRetries(_) => Ok(()),
            Self::RetryBudget { budget_percent, .. } => {
                require((0.0..=100.0).contains(budget_percent), "budget_percent", "from 0 to 100")
            }
        }
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Envoy {
    config: EnvoyBudgetConfig,
    active: u32,
    retries: u32,
    /// When the attempts of the last interval began; without an interval always empty.
    begun: VecDeque<SimTime>,
}

impl Envoy {
    /// A budget with nothing under way.
    pub fn new(config: EnvoyBudgetConfig) -> Self {
        Self { config, active: 0, retries: 0, begun: VecDeque::new() }
    }

    /// An attempt is sent.
    pub fn start(&mut self, now: SimTime) {
        self.active += 1;
        if !self.interval().is_zero() {
            self.forget(now);
            self.begun.push_back(now);
        }
    }

    /// An attempt ended, and with it, for a retry, its slot is free.
    pub fn end(&mut self, retry: bool) {
        self.active = self.active.saturating_sub(1);
        if retry {
            self.release();
        }
    }

    /// A retry's slot is free, for its attempt will not be sent.
    pub fn release(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    /// Takes a slot, if fewer are taken than there are (`<`).
    pub fn withdraw(&mut self, now: SimTime) -> bool {
        let granted = self.retries < self.limit(now);
        self.retries += u32::from(granted);
        granted
    }

    fn limit(&mut self, now: SimTime) -> u32 {
        match self.config {
            EnvoyBudgetConfig::MaxRetries(limit) => limit,
            EnvoyBudgetConfig::RetryBudget { budget_percent, min_retry_concurrency, .. } => {
                self.forget(now);
                let counted = f64::from(self.active).max(self.begun.len() as f64);
                ((budget_percent / 100.0 * counted) as u32).max(min_retry_concurrency)
            }
        }
    }

    fn forget(&mut self, now: SimTime) {
        let interval = self.interval();
        while self.begun.front().is_some_and(|began| now - *began >= interval) {
            self.begun.pop_front();
        }
    }

    fn interval(&self) -> Span {
        match self.config {
            EnvoyBudgetConfig::MaxRetries(_) => Span::ZERO,
            EnvoyBudgetConfig::RetryBudget { budget_interval, .. } => budget_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of thirty calls that fail at once are retried.
    fn retried(config: EnvoyBudgetConfig) -> usize {
        let mut budget = Envoy::new(config);
        (0..30).for_each(|_| budget.start(SimTime::ZERO));
        let mut fails = |_: &i32| {
            budget.end(false);
            budget.withdraw(SimTime::ZERO + Span::from_millis(10))
        };
        (0..30).filter(&mut fails).count()
    }

    fn share(budget_percent: f64, budget_interval: Span) -> EnvoyBudgetConfig {
        EnvoyBudgetConfig::RetryBudget { budget_percent, min_retry_concurrency: 3, budget_interval }
    }

    #[test]
    fn thirty_failures_at_once_get_as_many_retries_as_from_the_real_proxy() {
        assert_eq!(retried(share(20.0, Span::ZERO)), 5);
        assert_eq!(retried(share(50.0, Span::ZERO)), 10);
        assert_eq!(retried(share(20.0, Span::from_secs(10))), 6);
        assert_eq!(retried(EnvoyBudgetConfig::default()), 3);
        assert_eq!(retried(share(0.0, Span::ZERO)), 3);
        assert_eq!(retried(EnvoyBudgetConfig::MaxRetries(0)), 0);
    }

    #[test]
    fn a_slot_is_taken_through_the_back_off_until_the_attempt_ends_or_is_given_up() {
        let mut budget = Envoy::new(EnvoyBudgetConfig::MaxRetries(1));
        let now = SimTime::ZERO;
        assert!(budget.withdraw(now) && !budget.withdraw(now));
        budget.start(now);
        assert!(!budget.withdraw(now));
        budget.end(true);
        assert!(budget.withdraw(now));
        budget.release();
        assert!(budget.withdraw(now));
    }

    #[test]
    fn the_limit_is_cut_to_a_whole_number() {
        for (active, granted) in [(19, 3), (20, 4), (24, 4), (25, 5)] {
            let mut budget = Envoy::new(share(20.0, Span::ZERO));
            (0..active).for_each(|_| budget.start(SimTime::ZERO));
            assert_eq!((0..50).filter(|_| budget.withdraw(SimTime::ZERO)).count(), granted, "{active} active");
        }
    }

    #[test]
    fn attempts_leave_the_interval_when_they_began_that_long_ago() {
        for (later, granted) in [(999, 4), (1_000, 3)] {
            let mut budget = Envoy::new(share(20.0, Span::from_secs(1)));
            (0..20).for_each(|_| budget.start(SimTime::ZERO));
            (0..20).for_each(|_| budget.end(false));
            let now = SimTime::ZERO + Span::from_millis(later);
            assert_eq!((0..50).filter(|_| budget.withdraw(now)).count(), granted, "{later}");
        }
    }

    #[test]
    fn a_share_is_per_cent() {
        for (percent, valid) in [(0.0, true), (100.0, true), (100.1, false), (-0.1, false), (f64::NAN, false)] {
            assert_eq!(share(percent, Span::ZERO).check().is_ok(), valid, "{percent}");
        }
        assert_eq!(EnvoyBudgetConfig::default().check(), Ok(()));
    }
}
