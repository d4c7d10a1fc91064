//! Queue disciplines as pure decisions: whether a request may join, which end is served next, how long one may wait,
//! and whether the one just taken is still worth serving. The queue itself is the caller's.

mod codel;

pub use codel::{CoDel, CoDelConfig, CoDelKind, Folly, Rfc8289};

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`Queue`]. The default is unlimited, first come first served, and patient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueConfig {
    /// Requests that may wait. Default: any number.
    pub limit: Option<u32>,
    /// Who is served next. Default: who came first.
    pub order: Order,
    /// How long a request may wait. Default: for ever.
    pub patience: Patience,
    /// Drops requests that waited too long when their turn comes. Default: none.
    pub codel: Option<CoDelConfig>,
}

/// Who is served next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Who came first.
    #[default]
    Fifo,
    /// Who came last.
    Lifo,
    /// Who came first, but who came last while a queue is standing: not empty for so long (Facebook, "Fail at Scale";
    /// there 100 ms).
    AdaptiveLifo(Span),
}

/// How long a request may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// For ever.
    #[default]
    Unlimited,
    /// So long.
    Fixed(Span),
    /// `short` if the queue has not been empty for `long` when the request joins, else `long` (Facebook, "Fail at
    /// Scale"; there 5 ms and 100 ms).
    Controlled {
        /// M.
        short: Span,
        /// N.
        long: Span,
    },
}

/// The end of the queue that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The request that has waited longest.
    Front,
    /// The request that came last.
    Back,
}

/// The answer to a request that finds no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// It waits, until then at most.
    WaitUntil(SimTime),
    /// The queue is full.
    Full,
}

impl QueueConfig {
    /// The queue of Netflix's LIFO blocking limiter (78a74b9): a hundred, last come first served, for a second.
    pub fn lifo_blocking() -> Self {
        let patience = Patience::Fixed(Span::from_secs(1));
        Self { limit: Some(100), order: Order::Lifo, patience, codel: None }
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        if let Patience::Controlled { short, long } = self.patience {
            require(short <= long, "short", "at most the long time-out")?;
        }
        self.codel.map_or(Ok(()), |codel| codel.check())
    }
}

/// The machine: what must be remembered for these decisions.
#[derive(Clone, Debug)]
pub struct Queue {
    config: QueueConfig,
    last_empty: SimTime,
    codel: Option<CoDel>,
}

impl Queue {
    /// A discipline for a queue that is empty at `now`.
    pub fn new(config: QueueConfig, now: SimTime) -> Self {
        Self { config, last_empty: now, codel: config.codel.map(|codel| CoDel::new(codel, now)) }
    }

    /// Whether a request may join `waiting` others (fewer than the limit, `<`), and how long it will wait at most.
    pub fn join(&mut self, now: SimTime, waiting: usize) -> Join {
        self.note(now, waiting);
        if self.config.limit.is_some_and(|limit| waiting >= limit as usize) {
            return Join::Full;
        }
        Join::WaitUntil(match self.config.patience {
            Patience::Unlimited => SimTime::NEVER,
            Patience::Fixed(span) => now + span,
            Patience::Controlled { short, long } => now + if self.is_standing(now, long) { short } else { long },
        })
    }

    /// Which of `waiting` requests is served next.
    pub fn next(&mut self, now: SimTime, waiting: usize) -> End {
        self.note(now, waiting);
        match self.config.order {
            Order::Lifo => End::Back,
            Order::AdaptiveLifo(after) if self.is_standing(now, after) => End::Back,
            Order::Fifo | Order::AdaptiveLifo(_) => End::Front,
        }
    }

    /// Whether to drop the request that was taken after it `waited`, leaving `left` behind. To be asked for each one
    /// taken.
    pub fn drops(&mut self, now: SimTime, waited: Span, left: usize) -> bool {
        self.note(now, left);
        self.codel.as_mut().is_some_and(|codel| codel.drops(now, waited, left))
    }

    fn note(&mut self, now: SimTime, waiting: usize) {
        if waiting == 0 {
            self.last_empty = now;
        }
    }

    /// Whether the queue was last empty longer ago than `after` (`>`).
    fn is_standing(&self, now: SimTime, after: Span) -> bool {
        now - self.last_empty > after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Span = Span::from_millis;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + MS(ms)
    }

    fn queue(config: QueueConfig) -> Queue {
        assert_eq!(config.check(), Ok(()));
        Queue::new(config, at(0))
    }

    #[test]
    fn the_request_that_reaches_the_limit_joins_and_the_next_does_not() {
        let mut queue = queue(QueueConfig { limit: Some(2), ..QueueConfig::default() });
        let joins = [0, 1, 2].map(|waiting| queue.join(at(0), waiting));
        assert_eq!(joins, [Join::WaitUntil(SimTime::NEVER), Join::WaitUntil(SimTime::NEVER), Join::Full]);
    }

    #[test]
    fn fixed_orders_serve_their_end() {
        assert_eq!(queue(QueueConfig::default()).next(at(0), 5), End::Front);
        assert_eq!(queue(QueueConfig::lifo_blocking()).next(at(0), 5), End::Back);
        assert_eq!(queue(QueueConfig::lifo_blocking()).join(at(0), 99), Join::WaitUntil(at(1_000)));
        assert_eq!(queue(QueueConfig::lifo_blocking()).join(at(0), 100), Join::Full);
    }

    #[test]
    fn adaptive_lifo_turns_round_when_the_queue_has_not_been_empty_for_its_time() {
        let mut queue = queue(QueueConfig { order: Order::AdaptiveLifo(MS(100)), ..QueueConfig::default() });
        queue.join(at(50), 0);
        assert_eq!(queue.next(at(150), 3), End::Front);
        assert_eq!(queue.next(at(151), 3), End::Back);
        queue.drops(at(160), MS(1), 0);
        assert_eq!(queue.next(at(200), 3), End::Front);
    }

    #[test]
    fn patience_is_short_while_a_queue_is_standing() {
        let patience = Patience::Controlled { short: MS(5), long: MS(100) };
        let mut queue = queue(QueueConfig { patience, ..QueueConfig::default() });
        assert_eq!(queue.join(at(0), 0), Join::WaitUntil(at(100)));
        assert_eq!(queue.join(at(100), 4), Join::WaitUntil(at(200)));
        assert_eq!(queue.join(at(101), 4), Join::WaitUntil(at(106)));
        assert_eq!(queue.join(at(300), 0), Join::WaitUntil(at(400)));
    }

    #[test]
    fn a_queue_without_codel_drops_nothing() {
        assert!(!queue(QueueConfig::default()).drops(at(0), Span::MAX, 9));
        let mut queue = queue(QueueConfig { codel: Some(CoDelConfig::default()), ..QueueConfig::default() });
        assert!((0..3).any(|ms| queue.drops(at(ms), MS(50), 9)));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let patience = Patience::Controlled { short: MS(101), long: MS(100) };
        assert_eq!(QueueConfig { patience, ..QueueConfig::default() }.check().unwrap_err().field, "short");
    }
}
