//! How a caller chooses among the replicas of a callee.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, kinds, words};

kinds! {
    /// How a replica is chosen.
    "a balancer"
    pub enum Balancer by word {
        /// One after another, from a random one on.
        RoundRobin(RoundRobin) = "round_robin",
        /// Any, with equal chance.
        Random(AnyReplica) = "random",
        /// The one with the fewest attempts under way, of a few or of all.
        LeastRequest(LeastRequest) = "least_request",
        /// The cheaper of two by latency and attempts under way.
        PeakEwma(PeakEwma) = "peak_ewma",
        /// The same one for the same call, its retries included, by a ring.
        RingHash(RingHash) = "ring_hash",
        /// The same one for the same call, its retries included, by a table.
        Maglev(Maglev) = "maglev",
    }
}

impl Default for Balancer {
    fn default() -> Self {
        Self::RoundRobin(Box::default())
    }
}

element! {
    /// One after another.
    "a round robin"
    #[derive(Default)]
    pub struct RoundRobin {}
}

element! {
    /// Any, with equal chance.
    "a random choice"
    pub struct AnyReplica {}
}

element! {
    /// The one with the fewest attempts under way.
    "a least-request balancer"
    pub struct LeastRequest {
        /// How those that are compared are found. Default `with_replacement`, as Envoy's.
        choice: Spanned<Choice> = Spanned::unwritten(Choice::WithReplacement),
        /// How many are drawn; plays no part in a full scan. Default 2.
        choice_count: Spanned<u32> = Spanned::unwritten(2),
    }
}

words! {
    /// How the replicas to compare are found.
    "a way to choose"
    pub enum Choice {
        /// Drawn; one may be drawn twice (Envoy).
        WithReplacement = "with_replacement",
        /// Drawn without drawing one twice (tower, Linkerd).
        Distinct = "distinct",
        /// All of them.
        FullScan = "full_scan",
    }
}

element! {
    /// The cheaper of two by latency and attempts under way.
    "a peak-EWMA balancer"
    pub struct PeakEwma {
        /// The latency of a replica that has not answered yet. Default 30ms, as Linkerd's; tower's is 1s.
        default_rtt: Spanned<Span> = Spanned::unwritten(Span::from_millis(30)),
        /// The time in which a latency decays to 1/e. Default 10s.
        decay: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// How many distinct ones are compared. Default 2.
        choice_count: Spanned<u32> = Spanned::unwritten(2),
        /// One that owes its first answer comes last, as Finagle has it. Default false.
        penalize_unknown: Spanned<bool> = Spanned::unwritten(false),
    }
}

element! {
    /// The same one for the same call, by a ring.
    "a ring-hash balancer"
    pub struct RingHash {
        /// Entries at least. Default 1024.
        minimum_ring_size: Spanned<u32> = Spanned::unwritten(1024),
        /// Entries at most. Default 8388608.
        maximum_ring_size: Spanned<u32> = Spanned::unwritten(8 << 20),
        /// Per cent of the mean load that one may have, at least 100; 0 is no bound. Default 0.
        hash_balance_factor: Spanned<u32> = Spanned::unwritten(0),
    }
}

element! {
    /// The same one for the same call, by a table.
    "a Maglev balancer"
    pub struct Maglev {
        /// Entries of the table, a prime. Default 65537.
        table_size: Spanned<u32> = Spanned::unwritten(65_537),
        /// Per cent of the mean load that one may have, at least 100; 0 is no bound. Default 0.
        hash_balance_factor: Spanned<u32> = Spanned::unwritten(0),
    }
}
