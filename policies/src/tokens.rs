//! A bucket of tokens in whole billionths, refilled by time without rounding away the rest. What the tokens are for is
//! its user's business.

use crate::{SimTime, Span};

/// One token.
const ONE: u64 = 1_000_000_000;

/// The bucket.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    level: u64,
    capacity: u64,
    /// Billionths a second.
    rate: u64,
    /// Billionths of a billionth that the last refill left over.
    rest: u64,
    at: SimTime,
}

impl Tokens {
    /// A bucket that holds `level` of at most `capacity` tokens and gains `rate` a second from `now` on.
    pub(crate) fn new(level: f64, capacity: f64, rate: f64, now: SimTime) -> Self {
        Self { level: billionths(level), capacity: billionths(capacity), rate: billionths(rate), rest: 0, at: now }
    }

    /// Adds what time has brought.
    pub(crate) fn refill(&mut self, now: SimTime) {
        let elapsed = now - self.at;
        self.at = self.at.max(now);
        if self.level >= self.capacity {
            self.rest = 0;
            return;
        }
        let gain = u128::from(elapsed.as_nanos()) * u128::from(self.rate) + u128::from(self.rest);
        let whole = (gain / u128::from(ONE)).min(u128::from(u64::MAX)) as u64;
        self.rest = (gain % u128::from(ONE)) as u64;
        self.add_billionths(whole);
    }

    /// Adds `tokens`, as many as there is room for.
    pub(crate) fn add(&mut self, tokens: f64) {
        self.add_billionths(billionths(tokens));
    }

    /// Takes `tokens` if they are there.
    pub(crate) fn take(&mut self, tokens: f64) -> bool {
        let cost = billionths(tokens);
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }

    fn add_billionths(&mut self, billionths: u64) {
        self.level = self.level.saturating_add(billionths).min(self.capacity);
    }
}

fn billionths(tokens: f64) -> u64 {
    Span::from_nanos_f64(tokens * ONE as f64).as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ns: u64) -> SimTime {
        SimTime::from_nanos(ns)
    }

    #[test]
    fn ten_tenths_are_one() {
        let mut tokens = Tokens::new(0.0, 10.0, 0.0, at(0));
        (0..10).for_each(|_| tokens.add(0.1));
        assert!(tokens.take(1.0));
        assert!(!tokens.take(1e-9));
    }

    #[test]
    fn a_third_a_second_makes_one_in_three_seconds_however_often_it_is_asked() {
        let mut tokens = Tokens::new(0.0, 1.0, 1.0 / 3.0, at(0));
        for ms in 0..3_000 {
            tokens.refill(at(ms * 1_000_000));
            assert!(!tokens.take(1.0), "{ms}");
        }
        // A third is kept to a billionth, so the last ones of the three seconds are short of it.
        tokens.refill(at(3_000_000_010));
        assert!(tokens.take(1.0));
    }

    proptest! {
        #[test]
        fn a_bucket_never_holds_more_than_its_capacity_nor_gives_more_than_it_got(
            capacity in 0u32..20,
            rate in 0u32..100,
            steps in prop::collection::vec((0u64..200_000_000, 0u32..5, any::<bool>()), 0..100),
        ) {
            let mut tokens = Tokens::new(f64::from(capacity), f64::from(capacity), f64::from(rate), at(0));
            let (mut now, mut given, mut taken) = (0, u64::from(capacity), 0);
            for (gap, amount, takes) in steps {
                now += gap;
                tokens.refill(at(now));
                if takes {
                    taken += if tokens.take(f64::from(amount)) { u64::from(amount) } else { 0 };
                } else {
                    tokens.add(f64::from(amount));
                    given += u64::from(amount);
                }
                prop_assert!(tokens.level <= tokens.capacity);
                prop_assert!(taken as f64 <= given as f64 + now as f64 * f64::from(rate) / 1e9 + 1e-6);
            }
        }
    }
}
