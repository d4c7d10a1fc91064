//! The send-rate bucket of the AWS SDKs' adaptive mode (botocore 1.44.5, smithy-rs 56ee88c): off until the first rate
//! limit, then a rate that falls by three tenths with each of them and comes back along a cubic.

use super::Permission;
use crate::{Outcome, Outcomes, SimTime, Span};

/// The machine. It has no settings.
#[derive(Clone, Debug)]
pub struct AwsAdaptive {
    enabled: bool,
    /// Tokens a second, and tokens at most.
    fill: f64,
    capacity: f64,
    tokens: f64,
    filled: Option<SimTime>,
    measured: f64,
    /// Half-seconds of the clock, and sends since the last one that was measured.
    half_second: u64,
    sent: f64,
    /// The rate at the last rate limit, and when that was.
    w_max: f64,
    last_fail: SimTime,
}

const SMOOTHING: f64 = 0.8;
const BETA: f64 = 0.7;
const SCALE: f64 = 0.4;
const LEAST_FILL: f64 = 0.5;

impl AwsAdaptive {
    /// A bucket that does not limit yet.
    pub fn new(now: SimTime) -> Self {
        Self {
            enabled: false,
            fill: 1.0,
            capacity: 1.0,
            tokens: 0.0,
            filled: None,
            measured: 0.0,
            // The original starts its measure at the whole second before.
            half_second: now.as_nanos() / 1_000_000_000 * 2,
            sent: 0.0,
            w_max: 0.0,
            last_fail: now,
        }
    }

    /// What a send costs by the rules of 2.0: a first attempt 1, a retry 5, one after a time-out or a rate limit 10.
    pub fn cost(retry_of: Option<Outcome>) -> f64 {
        let dear = Outcomes::TIMEOUT | Outcomes::RATE_LIMITED;
        match retry_of {
            None => 1.0,
            Some(outcome) if dear.contains(outcome) => 10.0,
            Some(_) => 5.0,
        }
    }

    /// Whether an attempt of `cost` may be sent, or when to ask again.
    pub fn acquire(&mut self, now: SimTime, cost: f64) -> Permission {
        if !self.enabled {
            return Permission::Go;
        }
        self.refill(now);
        // A price above the capacity is due when the bucket is full, or it would never be paid.
        let due = cost.min(self.capacity);
        if due <= self.tokens {
            self.tokens -= due;
            return Permission::Go;
        }
        let wait = libm::ceil((due - self.tokens) / self.fill * 1e9);
        Permission::AskAgainAt(now + Span::from_nanos_f64(wait.max(1.0)))
    }

    /// An attempt was answered.
    pub fn record(&mut self, now: SimTime, outcome: Outcome) {
        self.measure(now);
        let rate = if Outcomes::RATE_LIMITED.contains(outcome) {
            let rate = if self.enabled { self.measured.min(self.fill) } else { self.measured };
            self.enabled = true;
            (self.w_max, self.last_fail) = (rate, now);
            rate * BETA
        } else {
            let t = (now - self.last_fail).as_secs_f64();
            let d = t - libm::cbrt(self.w_max * (1.0 - BETA) / SCALE);
            SCALE * d * d * d + self.w_max
        };
        self.set_rate(now, rate.min(2.0 * self.measured));
    }

    /// Tokens a second that are allowed; `None` before the first rate limit.
    pub fn rate(&self) -> Option<f64> {
        self.enabled.then_some(self.fill)
    }

    fn measure(&mut self, now: SimTime) {
        self.sent += 1.0;
        let half_second = now.as_nanos() / 500_000_000;
        if half_second > self.half_second {
            let current = self.sent / ((half_second - self.half_second) as f64 / 2.0);
            self.measured = current * SMOOTHING + self.measured * (1.0 - SMOOTHING);
            (self.sent, self.half_second) = (0.0, half_second);
        }
    }

    fn set_rate(&mut self, now: SimTime, rate: f64) {
        self.refill(now);
        self.fill = rate.max(LEAST_FILL);
        self.capacity = rate.max(1.0);
        self.tokens = self.tokens.min(self.capacity);
    }

    fn refill(&mut self, now: SimTime) {
        let elapsed = self.filled.map_or(0.0, |at| (now - at).as_secs_f64());
        self.tokens = (self.tokens + elapsed * self.fill).min(self.capacity);
        self.filled = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    /// A bucket that has measured a steady hundred a second for ten seconds.
    fn steady() -> AwsAdaptive {
        let mut bucket = AwsAdaptive::new(at(0));
        (1..=1_000).for_each(|n| bucket.record(at(n * 10), Outcome::Ok));
        bucket
    }

    #[test]
    fn it_does_not_limit_before_the_first_rate_limit() {
        let mut bucket = steady();
        assert!((0..1_000).all(|_| bucket.acquire(at(10_000), 10.0) == Permission::Go));
        assert_eq!(bucket.rate(), None);
        assert!((bucket.measured - 100.0).abs() < 0.01, "{}", bucket.measured);
    }

    #[test]
    fn what_is_measured_moves_by_eight_tenths_every_half_second() {
        let mut bucket = AwsAdaptive::new(at(0));
        (1..=50).for_each(|n| bucket.record(at(n * 10), Outcome::Ok));
        assert!((bucket.measured - 80.0).abs() < 1e-9, "{}", bucket.measured);
        (51..=100).for_each(|n| bucket.record(at(n * 10), Outcome::Ok));
        assert!((bucket.measured - 96.0).abs() < 1e-9, "{}", bucket.measured);
    }

    #[test]
    fn a_rate_limit_takes_the_rate_to_seven_tenths_and_a_second_one_to_seven_tenths_of_that() {
        let mut bucket = steady();
        bucket.record(at(10_001), Outcome::RateLimited);
        assert!((bucket.rate().unwrap() - 70.0).abs() < 0.01);
        bucket.record(at(10_002), Outcome::RateLimited);
        assert!((bucket.rate().unwrap() - 49.0).abs() < 0.01);
    }

    #[test]
    fn the_rate_comes_back_to_where_it_failed_after_the_cubic_s_time() {
        let mut bucket = steady();
        bucket.record(at(10_000), Outcome::RateLimited);
        let w = bucket.w_max;
        let back = (libm::cbrt(0.3 * w / 0.4) * 1_000.0) as u64;
        let mut rates = vec![];
        for ms in (10_010..10_000 + back).step_by(10) {
            bucket.record(at(ms), Outcome::Ok);
            rates.push(bucket.rate().unwrap());
        }
        assert!(rates.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!((rates[0] - 0.7 * w).abs() < 1.0 && (rates[rates.len() - 1] - w).abs() < 0.1);
    }

    #[test]
    fn the_rate_is_at_most_twice_what_is_measured_and_at_least_half_a_second_s() {
        let mut bucket = steady();
        bucket.record(at(10_000), Outcome::RateLimited);
        // Long after, the cubic alone would allow far more.
        bucket.record(at(100_000), Outcome::Ok);
        assert_eq!(bucket.rate(), Some(2.0 * bucket.measured));
        let mut slow = AwsAdaptive::new(at(0));
        slow.record(at(10), Outcome::RateLimited);
        assert_eq!(slow.rate(), Some(0.5));
    }

    #[test]
    fn who_finds_too_few_tokens_is_told_when_there_will_be_enough() {
        let mut bucket = AwsAdaptive::new(at(0));
        bucket.record(at(0), Outcome::RateLimited);
        assert_eq!(bucket.acquire(at(0), 1.0), Permission::AskAgainAt(at(2_000)));
        assert_eq!(bucket.acquire(at(1_000), 1.0), Permission::AskAgainAt(at(2_000)), "half of it is there");
        assert_ne!(bucket.acquire(at(1_999), 1.0), Permission::Go);
        assert_eq!(bucket.acquire(at(2_000), 1.0), Permission::Go);
    }

    #[test]
    fn the_bucket_holds_a_second_s_worth_but_at_least_one_token_and_a_dearer_send_is_due_when_it_is_full() {
        let mut bucket = steady();
        bucket.record(at(10_001), Outcome::RateLimited);
        let rate = bucket.rate().unwrap();
        assert!((bucket.capacity - rate).abs() < 1e-9);
        // Full after a second; more than a second saves up nothing more.
        let sends = (0..1_000).take_while(|_| bucket.acquire(at(20_000), 1.0) == Permission::Go).count();
        assert_eq!(sends, rate as usize);
        // Half a token a second: the bucket holds one all the same, and a send of ten costs that one.
        let mut slow = AwsAdaptive::new(at(0));
        slow.record(at(0), Outcome::RateLimited);
        assert_eq!((slow.fill, slow.capacity), (0.5, 1.0));
        assert_eq!(slow.acquire(at(0), 10.0), Permission::AskAgainAt(at(2_000)));
        assert_eq!(slow.acquire(at(2_000), 10.0), Permission::Go);
        assert_ne!(slow.acquire(at(2_000), 1.0), Permission::Go);
    }

    #[test]
    fn sends_cost_by_what_they_repeat() {
        let table = [
            (None, 1.0),
            (Some(Outcome::Error(500)), 5.0),
            (Some(Outcome::Timeout), 10.0),
            (Some(Outcome::RateLimited), 10.0),
        ];
        for (retry_of, cost) in table {
            assert_eq!(AwsAdaptive::cost(retry_of), cost);
        }
    }
}
