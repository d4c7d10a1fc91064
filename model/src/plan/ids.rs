//! Dense indices. Everything a request meets on its way is found by one of these, never by name.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// The index into the plan's table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            fn from(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    )*};
}

ids! {
    /// A service, or the clients of one load (see [`Service::role`](super::Service::role)).
    ServiceId
    /// One replica of a service; replicas of a service are consecutive.
    ReplicaId
    /// An endpoint of a service, or a task of a load.
    EndpointId
    /// A place in the step programs.
    Pc
    /// A call step: an edge, an endpoint behind it, and the policies that this step uses.
    SiteId
    /// Caller and callee: `a -> b`.
    EdgeId
    /// A database.
    DatabaseId
    /// A cache.
    CacheId
    /// A topic.
    TopicId
    /// One load.
    LoadId
    /// One fault.
    FaultId
    /// A time that may vary.
    TimeId
    /// A constant delay that many timers share, each first in, first out.
    LaneId
    /// A stretch of the run between two boundaries of phases.
    SegmentId
}

impl EdgeId {
    /// No call of the plan: a request from outside, which only the live world knows.
    pub const OUTSIDE: Self = Self(u32::MAX);
}
