//! tower's `TpsBudget` (0.5.3), which Linkerd's service profiles use: Finagle's idea with coarser figures and a window
//! of ten closed slots and a current one. What deposits is an attempt whose answer is final.

use super::finagle::RatioConfig;
use crate::{SimTime, Span};

const CLOSED: usize = 10;

/// The machine.
#[derive(Clone, Debug)]
pub struct Tower {
    deposit: i64,
    cost: i64,
    reserve: i64,
    width: Span,
    closed: [i64; CLOSED],
    index: usize,
    current: i64,
    since: SimTime,
}

impl Tower {
    /// A budget that has its reserve.
    pub fn new(config: &RatioConfig, now: SimTime) -> Self {
        let share = config.percent_can_retry as f32;
        let (deposit, cost) = if share == 0.0 {
            (0, 1)
        } else if share <= 1.0 {
            (1, (1.0 / share) as i64)
        } else {
            (1000, (1000.0 / share) as i64)
        };
        let width = Span::from_nanos(config.ttl.as_nanos() / CLOSED as u64);
        let reserve = config.reserve(cost);
        Self { deposit, cost, reserve, width, closed: [0; CLOSED], index: 0, current: 0, since: now }
    }

    /// A final answer came.
    pub fn deposit(&mut self, now: SimTime) {
        self.expire(now);
        self.current += self.deposit;
    }

    /// Takes the price of a retry, if it is there (`>=`).
    pub fn withdraw(&mut self, now: SimTime) -> bool {
        self.expire(now);
        let enough = self.closed.iter().sum::<i64>() + self.current + self.reserve >= self.cost;
        if enough {
            self.current -= self.cost;
        }
        enough
    }

    /// Commits the current slot once it is as old as its width, and empties those that passed unseen. The slots' clock
    /// starts again at this very event.
    fn expire(&mut self, now: SimTime) {
        let age = now - self.since;
        if age < self.width {
            return;
        }
        self.closed[self.index] = core::mem::take(&mut self.current);
        self.index = (self.index + 1) % CLOSED;
        // One slot for every further width that is wholly over; the last may be over to the very nanosecond only.
        let unseen = (age.as_nanos() - 1) / self.width.as_nanos();
        for _ in 0..unseen.min(CLOSED as u64) {
            self.closed[self.index] = 0;
            self.index = (self.index + 1) % CLOSED;
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

    fn retries(budget: &mut Tower, now: SimTime) -> usize {
        (0..100_000).take_while(|_| budget.withdraw(now)).count()
    }

    #[test]
    fn a_hundred_withdrawals_of_the_reserve_come_back_only_after_eleven_seconds() {
        let mut budget = Tower::new(&RatioConfig::default(), at(0));
        assert_eq!(retries(&mut budget, at(0)), 100);
        for second in 1..=10 {
            assert_eq!(retries(&mut budget, at(second * 1_000)), 0, "{second} s");
        }
        assert_eq!(retries(&mut budget, at(11_000)), 100);
    }

    #[test]
    fn a_share_of_0_3_is_really_a_third() {
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 0.3, ..RatioConfig::default() };
        let mut budget = Tower::new(&config, at(0));
        (0..300).for_each(|_| budget.deposit(at(0)));
        assert_eq!(retries(&mut budget, at(0)), 100);
    }

    #[test]
    fn a_share_of_nothing_leaves_the_reserve() {
        let config = RatioConfig { percent_can_retry: 0.0, ..RatioConfig::default() };
        let mut budget = Tower::new(&config, at(0));
        (0..50).for_each(|_| budget.deposit(at(0)));
        assert_eq!(retries(&mut budget, at(0)), 100);
    }

    #[test]
    fn a_share_past_one_allows_more_retries_than_answers() {
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 2.0, ..RatioConfig::default() };
        let mut budget = Tower::new(&config, at(0));
        budget.deposit(at(0));
        assert_eq!(retries(&mut budget, at(0)), 2);
    }

    #[test]
    fn the_slots_clock_starts_again_at_the_event_that_rolled_it() {
        let ttl = Span::from_secs(1);
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 0.5, ttl };
        let mut budget = Tower::new(&config, at(0));
        budget.deposit(at(0));
        budget.deposit(at(301));
        budget.deposit(at(1_102));
        // The first is gone: its slot was committed at 301 ms, and ten more have passed since; the other two pay for
        // one.
        assert_eq!(retries(&mut budget, at(1_102)), 1);
    }

    #[test]
    fn an_unused_budget_forgets() {
        let ttl = Span::from_secs(1);
        let config = RatioConfig { min_retries_per_sec: 0, percent_can_retry: 1.0, ttl };
        let mut budget = Tower::new(&config, at(0));
        budget.deposit(at(0));
        assert_eq!(retries(&mut budget, at(3_000)), 0);
    }
}
