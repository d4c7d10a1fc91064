//! Finagle's `RetryBudget` (4feb34c, util 17c8187, October 2024): a call deposits, a retry withdraws, both count for a
//! sliding time, and a reserve is there from the start.

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`Finagle`] and of [`super::Tower`]; the defaults are both originals'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioConfig {
    /// Retries per call, besides the reserve. Default 0.2.
    pub percent_can_retry: f64,
    /// Retries a second that are always allowed, kept up for `ttl`. Default 10.
    pub min_retries_per_sec: u32,
    /// How long deposits and withdrawals count. Default 10 s, from 1 to 60.
    pub ttl: Span,
}

impl Default for RatioConfig {
    fn default() -> Self {
        Self { percent_can_retry: 0.2, min_retries_per_sec: 10, ttl: Span::from_secs(10) }
    }
}

impl RatioConfig {
    /// Whether the values are in the ranges that the originals accept.
    pub fn check(&self) -> Result<(), Invalid> {
        require((0.0..=1000.0).contains(&self.percent_can_retry), "percent_can_retry", "from 0 to 1000")?;
        let ttl = Span::from_secs(1)..=Span::from_secs(60);
        require(ttl.contains(&self.ttl), "ttl", "from 1s to 60s")
    }

    pub(super) fn reserve(&self, cost: i64) -> i64 {
        let seconds = (self.ttl.as_nanos() / 1_000_000_000) as i64;
        i64::from(self.min_retries_per_sec).saturating_mul(seconds).saturating_mul(cost)
    }
}

/// Slices that are closed; with the current one they make ten.
const CLOSED: usize = 9;

/// The machine.
#[derive(Clone, Debug)]
pub struct Finagle {
    deposit: i64,
    cost: i64,
    reserve: i64,
    never: bool,
    width: Span,
    closed: [i64; CLOSED],
    next: usize,
    current: i64,
    since: SimTime,
}

impl Finagle {
    /// A budget that has its reserve.
    pub fn new(config: &RatioConfig, now: SimTime) -> Self {
        let share = config.percent_can_retry;
        let (deposit, cost) = if share == 0.0 { (0, 1) } else { (1000, (1000.0 / share) as i64) };
        Self {
            deposit,
            cost,
            reserve: config.reserve(cost),
            never: share == 0.0 && config.min_retries_per_sec == 0,
            width: Span::from_nanos(config.ttl.as_nanos() / 10),
            closed: [0; CLOSED],
            next: 0,
            current: 0,
            since: now,
        }
    }

    /// A call begins.
    pub fn deposit(&mut self, now: SimTime) {
        self.expire(now);
        self.current += self.deposit;
    }

    /// Takes the price of a retry, if it is there (`>=`).
    pub fn withdraw(&mut self, now: SimTime) -> bool {
        self.expire(now);
        let enough = !self.never && self.balance() >= self.cost;
        if enough {
            self.current -= self.cost;
        }
        enough
    }

    fn balance(&self) -> i64 {
        self.closed.iter().sum::<i64>() + self.current + self.reserve
    }

    /// Closes the current slice once it is as old as its width, and with it those that passed unseen. The next one
    /// begins at this very event, on no grid.
    fn expire(&mut self, now: SimTime) {
        let age = now - self.since;
        if age < self.width {
            return;
        }
        self.closed[self.next] = core::mem::take(&mut self.current);
        self.next = (self.next + 1) % CLOSED;
        let unseen = age.as_nanos() / self.width.as_nanos() - 1;
        for _ in 0..unseen.min(CLOSED as u64) {
            self.closed[self.next] = 0;
            self.next = (self.next + 1) % CLOSED;
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    fn retries(budget: &mut Finagle, now: SimTime) -> usize {
        (0..100_000).take_while(|_| budget.withdraw(now)).count()
    }

    #[test]
    fn the_reserve_is_there_from_the_start_and_comes_back_when_its_withdrawals_expire() {
        let mut budget = Finagle::new(&RatioConfig::default(), at(0));
        assert_eq!(retries(&mut budget, at(0)), 100);
        assert_eq!(retries(&mut budget, at(9_999)), 0);
        assert_eq!(retries(&mut budget, at(10_999)), 100);
    }

    #[test]
    fn five_calls_pay_for_one_retry_beyond_the_reserve() {
        let mut budget = Finagle::new(&RatioConfig::default(), at(0));
        retries(&mut budget, at(0));
        for call in 1..=20 {
            budget.deposit(at(0));
            assert_eq!(budget.withdraw(at(0)), call % 5 == 0, "after call {call}");
        }
    }

    #[test]
    fn a_deposit_expires_with_its_slice() {
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 1.0, ..RatioConfig::default() };
        for (later, left) in [(9_999, true), (10_000, false)] {
            let mut budget = Finagle::new(&config, at(0));
            budget.deposit(at(0));
            assert_eq!(budget.withdraw(at(later)), left, "{later}");
        }
    }

    #[test]
    fn the_cost_is_cut_to_a_whole_number() {
        // 1000 / 0.3 = 3333.3, so three calls (3000) are not enough, but 3333 of them pay for 1000 retries.
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 0.3, ..RatioConfig::default() };
        let mut budget = Finagle::new(&config, at(0));
        (0..3).for_each(|_| budget.deposit(at(0)));
        assert_eq!(retries(&mut budget, at(0)), 0);
        (3..3_333).for_each(|_| budget.deposit(at(0)));
        assert_eq!(retries(&mut budget, at(0)), 1_000);
    }

    #[test]
    fn without_a_share_only_the_reserve_is_left_and_without_both_nothing() {
        let reserve = RatioConfig { percent_can_retry: 0.0, ..RatioConfig::default() };
        let mut budget = Finagle::new(&reserve, at(0));
        (0..50).for_each(|_| budget.deposit(at(0)));
        assert_eq!(retries(&mut budget, at(0)), 100);
        let mut nothing = Finagle::new(&RatioConfig { min_retries_per_sec: 0, ..reserve }, at(0));
        assert_eq!(retries(&mut nothing, at(0)), 0);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = RatioConfig::default();
        let table = [
            (RatioConfig { percent_can_retry: 1000.1, ..base }, "percent_can_retry"),
            (RatioConfig { ttl: Span::from_millis(999), ..base }, "ttl"),
            (RatioConfig { ttl: Span::from_millis(60_001), ..base }, "ttl"),
        ];
        for (config, field) in table {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
