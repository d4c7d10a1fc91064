//! Controlled delay: whether a request that has waited in a queue is still worth serving. Two kinds: folly's (ff98381),
//! made for servers, and the classic of RFC 8289. Knows neither the queue nor its order.

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`CoDel`]; the defaults are both originals'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoDelConfig {
    /// Which kind. Default: folly's.
    pub kind: CoDelKind,
    /// The wait that is fine. Default 5 ms.
    pub target: Span,
    /// How long the wait must have been longer. Default 100 ms.
    pub interval: Span,
}

/// The kinds of controlled delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoDelKind {
    /// While overloaded, drops what has waited for more than twice the target.
    #[default]
    Folly,
    /// While overloaded, drops one now and then, faster and faster.
    Rfc8289,
}

impl Default for CoDelConfig {
    fn default() -> Self {
        let (target, interval) = (Span::from_millis(5), Span::from_millis(100));
        Self { kind: CoDelKind::default(), target, interval }
    }
}

impl CoDelConfig {
    /// Whether the values are in the ranges that the originals accept.
    pub fn check(&self) -> Result<(), Invalid> {
        require(!self.target.is_zero(), "target", "more than 0s")?;
        require(self.interval > self.target, "interval", "longer than the target")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub enum CoDel {
    /// folly's.
    Folly(Folly),
    /// RFC 8289's.
    Rfc8289(Rfc8289),
}

impl CoDel {
    /// A machine that has seen no request.
    pub fn new(config: CoDelConfig, now: SimTime) -> Self {
        match config.kind {
            CoDelKind::Folly => Self::Folly(Folly::new(config, now)),
            CoDelKind::Rfc8289 => Self::Rfc8289(Rfc8289::new(config)),
        }
    }

    /// Whether to drop the request that was just taken from the queue after `waited`, leaving `left` behind.
    pub fn drops(&mut self, now: SimTime, waited: Span, left: usize) -> bool {
        match self {
            Self::Folly(codel) => codel.drops(now, waited),
            Self::Rfc8289(codel) => codel.drops(now, waited, left),
        }
    }
}

/// folly's controlled delay. Overloaded is an interval in whose predecessor even the least wait was longer than the
/// target.
#[derive(Clone, Debug)]
pub struct Folly {
    config: CoDelConfig,
    interval_end: SimTime,
    least: Span,
    fresh: bool,
    overloaded: bool,
}

impl Folly {
    fn new(config: CoDelConfig, now: SimTime) -> Self {
        Self { config, interval_end: now, least: Span::ZERO, fresh: true, overloaded: false }
    }

    fn drops(&mut self, now: SimTime, waited: Span) -> bool {
        if now > self.interval_end && !self.fresh {
            self.interval_end = now + self.config.interval;
            self.overloaded = self.least > self.config.target;
            self.fresh = true;
        }
        // The first request of an interval always passes.
        if core::mem::take(&mut self.fresh) {
            self.least = waited;
            return false;
        }
        self.least = self.least.min(waited);
        self.overloaded && waited > self.config.target * 2
    }
}

/// RFC 8289's controlled delay: once requests have waited for the target or longer during a whole interval, drops one,
/// and the next after interval/√n.
#[derive(Clone, Debug)]
pub struct Rfc8289 {
    config: CoDelConfig,
    /// When the wait will have been too long for an interval.
    above_until: Option<SimTime>,
    dropping: bool,
    next_drop: SimTime,
    count: u32,
    count_before: u32,
}

impl Rfc8289 {
    fn new(config: CoDelConfig) -> Self {
        let next_drop = SimTime::ZERO;
        Self { config, above_until: None, dropping: false, next_drop, count: 0, count_before: 0 }
    }

    fn drops(&mut self, now: SimTime, waited: Span, left: usize) -> bool {
        let overdue = self.is_overdue(now, waited, left);
        if !overdue {
            self.dropping = false;
            return false;
        }
        if !self.dropping {
            self.begin_dropping(now);
            return true;
        }
        if now < self.next_drop {
            return false;
        }
        self.count += 1;
        self.next_drop = self.after(self.next_drop);
        true
    }

    fn is_overdue(&mut self, now: SimTime, waited: Span, left: usize) -> bool {
        if waited < self.config.target || left == 0 {
            self.above_until = None;
            return false;
        }
        let until = *self.above_until.get_or_insert(now + self.config.interval);
        now >= until
    }

    /// Takes up the rate of the last spell of drops, if that was not long ago.
    fn begin_dropping(&mut self, now: SimTime) {
        let delta = self.count - self.count_before;
        let recent = now - self.next_drop < self.config.interval * 16;
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.next_drop = self.after(now);
        self.count_before = self.count;
        self.dropping = true;
    }

    fn after(&self, time: SimTime) -> SimTime {
        time + self.config.interval.scale(1.0 / libm::sqrt(f64::from(self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Span = Span::from_millis;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + MS(ms)
    }

    fn codel(kind: CoDelKind) -> CoDel {
        CoDel::new(CoDelConfig { kind, ..CoDelConfig::default() }, at(0))
    }

    #[test]
    fn folly_is_overloaded_when_the_least_wait_of_an_interval_was_longer_than_the_target() {
        for (least, overloaded) in [(MS(5), false), (MS(5) + Span::from_nanos(1), true)] {
            let mut codel = codel(CoDelKind::Folly);
            assert!(!codel.drops(at(1), MS(50), 9));
            assert!(!codel.drops(at(2), MS(50), 9), "ends the start-up interval, and is the first of its own");
            assert!(codel.drops(at(50), MS(50), 9), "that start-up interval saw nothing but long waits");
            codel.drops(at(60), least, 9);
            assert!(!codel.drops(at(103), MS(50), 9), "the first of an interval passes");
            assert_eq!(codel.drops(at(104), MS(50), 9), overloaded, "{least}");
        }
    }

    #[test]
    fn folly_drops_only_what_has_waited_for_more_than_twice_the_target() {
        let mut codel = codel(CoDelKind::Folly);
        codel.drops(at(1), MS(50), 9);
        codel.drops(at(2), MS(50), 9);
        assert!(!codel.drops(at(3), MS(10), 9));
        assert!(codel.drops(at(3), MS(10) + Span::from_nanos(1), 9));
    }

    #[test]
    fn an_interval_of_folly_s_is_over_only_past_its_end() {
        let mut codel = codel(CoDelKind::Folly);
        codel.drops(at(1), MS(1), 9);
        codel.drops(at(2), MS(50), 9);
        codel.drops(at(102), MS(50), 9);
        assert!(!codel.drops(at(102), MS(50), 9), "still in the interval that began well");
        codel.drops(SimTime::from_nanos(MS(102).as_nanos() + 1), MS(50), 9);
        assert!(codel.drops(at(103), MS(50), 9));
    }

    #[test]
    fn rfc_8289_drops_after_an_interval_above_the_target_and_then_at_interval_over_root_n() {
        let mut codel = codel(CoDelKind::Rfc8289);
        // Requests every millisecond, all of them late: drops at 100 ms, then 100, 100/√2, 100/√3 … later.
        let dropped: Vec<u64> = (0..400).filter(|ms| codel.drops(at(*ms), MS(5), 9)).collect();
        assert_eq!(dropped, [100, 200, 271, 329, 379]);
    }

    #[test]
    fn rfc_8289_stops_when_one_waited_less_than_the_target_or_none_is_left_behind() {
        for (waited, left) in [(Span::from_nanos(MS(5).as_nanos() - 1), 9), (MS(50), 0)] {
            let mut codel = codel(CoDelKind::Rfc8289);
            assert!((0..=100).any(|ms| codel.drops(at(ms), MS(5), 9)));
            assert!(!codel.drops(at(150), waited, left));
            assert!((151..251).all(|ms| !codel.drops(at(ms), MS(5), 9)));
            assert!(codel.drops(at(251), MS(5), 9));
        }
    }

    #[test]
    fn rfc_8289_takes_up_its_last_rate_if_it_has_to_drop_again_soon() {
        let gap_after_second_spell = |pause: u64| {
            let mut codel = codel(CoDelKind::Rfc8289);
            (0..400).for_each(|ms| assert_eq!(codel.drops(at(ms), MS(5), 9), [100, 200, 271, 329, 379].contains(&ms)));
            assert!(!codel.drops(at(400), Span::ZERO, 9));
            let start = 400 + pause;
            let dropped: Vec<u64> = (start..start + 400).filter(|ms| codel.drops(at(*ms), MS(5), 9)).collect();
            dropped[1] - dropped[0]
        };
        // Five drops, one of them counted before: four remain, and 100 / √4 is 50.
        assert_eq!(gap_after_second_spell(10), 50);
        assert_eq!(gap_after_second_spell(5_000), 100);
    }

    #[test]
    fn rfc_8289_has_forgotten_its_last_rate_sixteen_intervals_after_the_next_drop_was_due() {
        for (too_soon, gap) in [(1, MS(50)), (0, MS(100))] {
            let mut codel = Rfc8289::new(CoDelConfig { kind: CoDelKind::Rfc8289, ..CoDelConfig::default() });
            assert_eq!((0..400).filter(|ms| codel.drops(at(*ms), MS(5), 9)).count(), 5);
            assert!(!codel.drops(at(400), Span::ZERO, 9));
            let again = codel.next_drop + MS(16 * 100);
            let start = SimTime::from_nanos(again.as_nanos() - too_soon);
            assert!(!codel.drops(SimTime::from_nanos(start.as_nanos() - MS(100).as_nanos()), MS(5), 9));
            assert!(codel.drops(start, MS(5), 9));
            assert_eq!(codel.next_drop, start + gap, "{too_soon} ns before");
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = CoDelConfig::default();
        assert_eq!(CoDelConfig { target: Span::ZERO, ..base }.check().unwrap_err().field, "target");
        assert_eq!(CoDelConfig { interval: MS(5), ..base }.check().unwrap_err().field, "interval");
    }
}
