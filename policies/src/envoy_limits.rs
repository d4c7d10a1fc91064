//! Envoy's limits on one cluster (1.40.0, `circuit_breakers.thresholds`, HTTP/1.1): connections, requests that wait for
//! one, and requests under way, each held against its maximum as a live count (`<`). The caller keeps the waiting
//! requests and opens the connections; this only counts.
//!
//! A request waits whenever no idle connection is ready, also while its own is being opened: with no room to wait, a pool
//! without connections turns every request away.

use crate::Span;
use crate::check::{Invalid, require};

/// Configuration of [`EnvoyLimits`]; the defaults are the original's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyLimitsConfig {
    /// Connections at once. Default 1024.
    pub max_connections: u32,
    /// Requests that may wait for a connection. Default 1024.
    pub max_pending_requests: u32,
    /// Requests under way at once; held against when a request is about to start, not when it begins to wait. Default
    /// 1024.
    pub max_requests: u32,
    /// How long opening a connection takes. Default 0.
    pub connect: Span,
}

impl Default for EnvoyLimitsConfig {
    fn default() -> Self {
        Self { max_connections: 1024, max_pending_requests: 1024, max_requests: 1024, connect: Span::ZERO }
    }
}

impl EnvoyLimitsConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.max_connections >= 1, "max_connections", "at least 1")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct EnvoyLimits {
    config: EnvoyLimitsConfig,
    /// Connections that are there or being opened.
    connections: u32,
    idle: u32,
    pending: u32,
    active: u32,
}

/// The answer to a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It starts on an idle connection.
    Run,
    /// It waits for a connection.
    Wait {
        /// Whether a new one is to be opened; tell [`EnvoyLimits::connected`] when it is there.
        opens: bool,
    },
    /// There is no room for it.
    Overflow,
}

/// What becomes of the request that has waited longest, now that a connection is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It starts.
    Run,
    /// It is turned away: too many are under way. The connection is still free.
    Overflow,
    /// Nobody waits.
    Nobody,
}

impl EnvoyLimits {
    /// A cluster without a connection.
    pub fn new(config: EnvoyLimitsConfig) -> Self {
        Self { config, connections: 0, idle: 0, pending: 0, active: 0 }
    }

    /// Goes by other limits from now on. Connections that there are stay.
    pub fn resize(&mut self, config: EnvoyLimitsConfig) {
        self.config = config;
    }

    /// What becomes of a new request.
    pub fn start(&mut self) -> Start {
        if self.idle > 0 {
            if self.active >= self.config.max_requests {
                return Start::Overflow;
            }
            self.idle -= 1;
            self.active += 1;
            return Start::Run;
        }
        if self.pending >= self.config.max_pending_requests {
            return Start::Overflow;
        }
        self.pending += 1;
        let opens = self.connections < self.config.max_connections;
        self.connections += u32::from(opens);
        Start::Wait { opens }
    }

    /// A connection that was being opened is there. Ask [`start_next`](Self::start_next) until nobody waits or one starts.
    pub fn connected(&mut self) {
        self.idle += 1;
    }

    /// A request under way has ended, and its connection is idle. Ask [`start_next`](Self::start_next) as above.
    pub fn done(&mut self) {
        assert!(self.active > 0, "only a request under way ends");
        self.active -= 1;
        self.idle += 1;
    }

    /// Whether the request that has waited longest takes an idle connection.
    #[must_use]
    pub fn start_next(&mut self) -> Next {
        if self.pending == 0 || self.idle == 0 {
            return Next::Nobody;
        }
        self.pending -= 1;
        if self.active >= self.config.max_requests {
            return Next::Overflow;
        }
        self.idle -= 1;
        self.active += 1;
        Next::Run
    }

    /// A waiting request was withdrawn. A connection that was opened for it is for the next.
    pub fn withdraw(&mut self) {
        assert!(self.pending > 0, "only a waiting request is withdrawn");
        self.pending -= 1;
    }

    /// Requests under way.
    pub fn active(&self) -> u32 {
        self.active
    }

    /// Requests that wait.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    /// Connections, those being opened included.
    pub fn connections(&self) -> u32 {
        self.connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(max_connections: u32, max_pending_requests: u32, max_requests: u32) -> EnvoyLimits {
        let config =
            EnvoyLimitsConfig { max_connections, max_pending_requests, max_requests, ..EnvoyLimitsConfig::default() };
        EnvoyLimits::new(config)
    }

    #[test]
    fn without_room_to_wait_a_cold_pool_turns_every_request_away() {
        let mut cold = limits(10, 0, 10);
        assert_eq!([(); 3].map(|()| cold.start()), [Start::Overflow; 3]);
    }

    #[test]
    fn of_six_at_once_two_connections_and_two_places_serve_four_when_warm_and_two_from_cold() {
        let mut pool = limits(2, 2, 1024);
        let cold = [(); 6].map(|()| pool.start());
        let (opens, full) = (Start::Wait { opens: true }, Start::Overflow);
        assert_eq!(cold, [opens, opens, full, full, full, full]);
        for _ in 0..2 {
            pool.connected();
            assert_eq!(pool.start_next(), Next::Run);
        }
        for _ in 0..2 {
            pool.done();
            assert_eq!(pool.start_next(), Next::Nobody);
        }
        let (run, wait) = (Start::Run, Start::Wait { opens: false });
        assert_eq!([(); 6].map(|()| pool.start()), [run, run, wait, wait, full, full]);
    }

    #[test]
    fn requests_under_way_are_counted_when_one_starts_and_not_when_it_begins_to_wait() {
        let mut pool = limits(3, 10, 2);
        let opens = Start::Wait { opens: true };
        assert_eq!([(); 3].map(|()| pool.start()), [opens; 3]);
        let started = [(); 3].map(|()| {
            pool.connected();
            pool.start_next()
        });
        assert_eq!(started, [Next::Run, Next::Run, Next::Overflow]);
        assert_eq!(pool.start(), Start::Overflow, "there is an idle connection, but two are under way");
        pool.done();
        assert_eq!(pool.start(), Start::Run);
    }

    #[test]
    fn who_waits_takes_a_place_until_it_is_withdrawn() {
        let mut pool = limits(5, 1, 5);
        for connections in 1..=3 {
            assert_eq!(pool.start(), Start::Wait { opens: true });
            assert_eq!((pool.start(), pool.pending(), pool.connections()), (Start::Overflow, 1, connections));
            pool.withdraw();
            assert_eq!((pool.pending(), pool.active()), (0, 0));
        }
    }

    #[test]
    fn a_cluster_has_at_least_one_connection() {
        for (max_connections, valid) in [(0, false), (1, true)] {
            let config = EnvoyLimitsConfig { max_connections, ..EnvoyLimitsConfig::default() };
            assert_eq!(config.check().is_ok(), valid, "{max_connections}");
        }
    }

    #[test]
    fn a_connection_opened_for_one_that_left_is_for_the_next() {
        let mut pool = limits(1, 5, 5);
        assert_eq!(pool.start(), Start::Wait { opens: true });
        pool.withdraw();
        assert_eq!(pool.start(), Start::Wait { opens: false });
        pool.connected();
        assert_eq!(pool.start_next(), Next::Run);
    }

    proptest! {
        #[test]
        fn every_count_stays_within_its_limit(
            (connections, pending, requests) in (1u32..5, 0u32..5, 0u32..5),
            steps in prop::collection::vec(0u8..4, 1..300),
        ) {
            let mut pool = limits(connections, pending, requests);
            let mut opening = 0u32;
            for step in steps {
                match step {
                    0 => opening += u32::from(pool.start() == Start::Wait { opens: true }),
                    1 if opening > 0 => {
                        opening -= 1;
                        pool.connected();
                        while pool.start_next() == Next::Overflow {}
                    }
                    2 if pool.active() > 0 => {
                        pool.done();
                        while pool.start_next() == Next::Overflow {}
                    }
                    3 if pool.pending() > 0 => pool.withdraw(),
                    _ => {}
                }
                prop_assert!(pool.connections() <= connections);
                prop_assert!(pool.pending() <= pending);
                prop_assert!(pool.active() <= requests.min(connections));
                prop_assert_eq!(pool.active() + pool.idle + opening, pool.connections());
            }
        }
    }

    #[test]
    fn other_limits_count_for_what_comes_next() {
        let mut cluster = limits(1, 0, 1);
        assert_eq!(cluster.start(), Start::Overflow);
        cluster.resize(EnvoyLimitsConfig { max_pending_requests: 1, ..EnvoyLimitsConfig::default() });
        assert_eq!(cluster.start(), Start::Wait { opens: true });
    }
}
