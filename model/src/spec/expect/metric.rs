//! The figures an expectation may be about.

/// A figure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Latency, median.
    P50,
    /// Latency, 90th percentile.
    P90,
    /// Latency, 95th percentile.
    P95,
    /// Latency, 99th percentile.
    P99,
    /// Latency, 99.9th percentile.
    P999,
    /// Latency, longest.
    Max,
    /// Latency, mean.
    Mean,
    /// Share that succeeded, degraded included.
    Success,
    /// Share that was degraded.
    Degraded,
    /// Share that failed.
    Failed,
    /// Completions a second.
    Rate,
    /// Useful completions a second.
    Goodput,
    /// Attempts, first ones included, for each call.
    AttemptsPerCall,
    /// Attempts that timed out.
    Timeouts,
    /// Requests or attempts that were rejected.
    Rejected,
    /// Calls that a breaker did not let through.
    ShortCircuited,
    /// Attempts but the first ones.
    Retries,
    /// Busy workers.
    Workers,
    /// Waiting requests.
    Queue,
    /// Share of CPU in use.
    Cpu,
    /// Memory in use.
    Memory,
    /// Replicas that serve.
    Replicas,
    /// Connections in use.
    Connections,
    /// Share of hits.
    HitRate,
    /// Waiting messages.
    Backlog,
}

/// What a figure is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds, written as a duration.
    Time,
    /// From 0 to 1, written as a share.
    Share,
    /// Per second, written as a rate.
    Rate,
    /// A plain number.
    Number,
    /// Bytes, written as a size.
    Size,
}

impl Unit {
    /// For messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Time => "a duration",
            Self::Share => "a share",
            Self::Rate => "a rate",
            Self::Number => "a plain number",
            Self::Size => "a size",
        }
    }
}

impl Metric {
    /// Every metric by its name.
    pub const ALL: &[(&str, Self)] = &[
        ("p50", Self::P50),
        ("p90", Self::P90),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p999", Self::P999),
        ("max", Self::Max),
        ("mean", Self::Mean),
        ("success", Self::Success),
        ("degraded", Self::Degraded),
        ("failed", Self::Failed),
        ("rate", Self::Rate),
        ("goodput", Self::Goodput),
        ("attempts per call", Self::AttemptsPerCall),
        ("timeouts", Self::Timeouts),
        ("rejected", Self::Rejected),
        ("short_circuited", Self::ShortCircuited),
        ("retries", Self::Retries),
        ("workers", Self::Workers),
        ("queue", Self::Queue),
        ("cpu", Self::Cpu),
        ("memory", Self::Memory),
        ("replicas", Self::Replicas),
        ("connections", Self::Connections),
        ("hit_rate", Self::HitRate),
        ("backlog", Self::Backlog),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, metric)| *metric == self).map_or("?", |(name, _)| name)
    }

    /// What it is measured in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 | Self::Max | Self::Mean => Unit::Time,
            Self::Success | Self::Degraded | Self::Failed | Self::Cpu | Self::HitRate => Unit::Share,
            Self::Rate | Self::Goodput => Unit::Rate,
            Self::Memory => Unit::Size,
            _ => Unit::Number,
        }
    }
}

/// Something of which all can be in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resource {
    /// A service's workers.
    Workers,
    /// A service's queue.
    Queue,
    /// A service's CPU.
    Cpu,
    /// A service's memory.
    Memory,
    /// A database's connections.
    Connections,
}

impl Resource {
    /// Every resource by its name.
    pub const ALL: &[(&str, Self)] = &[
        ("workers", Self::Workers),
        ("queue", Self::Queue),
        ("cpu", Self::Cpu),
        ("memory", Self::Memory),
        ("connections", Self::Connections),
    ];
}
