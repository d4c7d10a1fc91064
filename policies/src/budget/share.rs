//! The plain budget: a caller's retries are at most a share of its calls. A call deposits the share, a retry takes one
//! whole; deposits that are not used within `ttl` expire, so that a long quiet time saves up no storm. There is no
//! reserve: from the first call on, calls and retries together never exceed (1 + share) times the calls.

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`Share`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareConfig {
    /// Retries per call, at most; 0.1 is 10 %. Default 0.1. Kept to a millionth.
    pub share: f64,
    /// How long a deposit may be used. Default 10 s, in ten slots.
    pub ttl: Span,
}

impl Default for ShareConfig {
    fn default() -> Self {
        Self { share: 0.1, ttl: Span::from_secs(10) }
    }
}

impl ShareConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require((0.0..=100.0).contains(&self.share), "share", "from 0% to 10000%")?;
        require(self.ttl >= Span::from_nanos(SLOTS as u64), "ttl", "at least 10ns")
    }
}

const SLOTS: usize = 10;
/// What one retry costs: deposits are counted in millionths of it.
const COST: u64 = 1_000_000;

/// The machine.
#[derive(Clone, Debug)]
pub struct Share {
    deposit: u64,
    width: u64,
    slots: [u64; SLOTS],
    head: usize,
    /// Number of the slot at `head`, counted from time zero.
    slot: u64,
    balance: u64,
}

impl Share {
    /// An empty budget.
    pub fn new(config: &ShareConfig) -> Self {
        let deposit = (config.share * COST as f64 + 0.5) as u64;
        let width = (config.ttl.as_nanos() / SLOTS as u64).max(1);
        Self { deposit, width, slots: [0; SLOTS], head: 0, slot: 0, balance: 0 }
    }

    /// A call begins.
    pub fn deposit(&mut self, now: SimTime) {
        self.expire(now);
        self.slots[self.head] += self.deposit;
        self.balance += self.deposit;
    }

    /// Takes the price of a retry, oldest deposits first, if there is enough.
    pub fn withdraw(&mut self, now: SimTime) -> bool {
        self.expire(now);
        if self.balance < COST {
            return false;
        }
        self.balance -= COST;
        let mut due = COST;
        for age in 1..=SLOTS {
            let slot = &mut self.slots[(self.head + age) % SLOTS];
            let taken = due.min(*slot);
            *slot -= taken;
            due -= taken;
        }
        true
    }

    fn expire(&mut self, now: SimTime) {
        let slot = now.as_nanos() / self.width;
        for _ in 0..slot.saturating_sub(self.slot).min(SLOTS as u64) {
            self.head = (self.head + 1) % SLOTS;
            self.balance -= self.slots[self.head];
            self.slots[self.head] = 0;
        }
        self.slot = self.slot.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn ten_calls_pay_for_one_retry_and_nine_do_not() {
        let mut budget = Share::new(&ShareConfig::default());
        for call in 1..=100 {
            budget.deposit(at(0));
            assert_eq!(budget.withdraw(at(0)), call % 10 == 0, "after call {call}");
        }
    }

    #[test]
    fn a_deposit_expires_when_its_slot_does() {
        for (later, left) in [(9_999, true), (10_000, false)] {
            let mut budget = Share::new(&ShareConfig { share: 1.0, ..ShareConfig::default() });
            budget.deposit(at(0));
            assert_eq!(budget.withdraw(at(later)), left, "{later} ms later");
        }
    }

    #[test]
    fn a_share_of_nothing_allows_nothing() {
        let mut budget = Share::new(&ShareConfig { share: 0.0, ..ShareConfig::default() });
        (0..1_000).for_each(|ms| budget.deposit(at(ms)));
        assert!(!budget.withdraw(at(1_000)));
    }

    #[test]
    fn a_failing_callee_is_asked_at_most_1_1_times_as_often_at_every_moment() {
        let mut budget = Share::new(&ShareConfig::default());
        let (mut calls, mut attempts) = (0u64, 0u64);
        for call in 0..10_000 {
            calls += 1;
            budget.deposit(at(call * 3));
            attempts += 1;
            while attempts < calls * 4 && budget.withdraw(at(call * 3)) {
                attempts += 1;
            }
            assert!(attempts * 10 <= calls * 11, "{attempts} attempts of {calls} calls");
        }
        assert_eq!(attempts, 11_000, "what may be spent is spent");
    }

    proptest! {
        #[test]
        fn retries_never_exceed_the_share_of_all_calls_so_far(
            percent in 0u32..150,
            steps in prop::collection::vec((0u64..3_000, 0usize..30, 0usize..30), 1..60),
        ) {
            let share = f64::from(percent) / 100.0;
            let mut budget = Share::new(&ShareConfig { share, ..ShareConfig::default() });
            let (mut now, mut calls, mut retries) = (0, 0u64, 0u64);
            for (gap, begun, wanted) in steps {
                now += gap;
                (0..begun).for_each(|_| budget.deposit(at(now)));
                calls += begun as u64;
                retries += (0..wanted).filter(|_| budget.withdraw(at(now))).count() as u64;
                prop_assert!(retries * 100 <= calls * u64::from(percent));
                prop_assert_eq!(budget.slots.iter().sum::<u64>(), budget.balance);
            }
        }
    }
}
