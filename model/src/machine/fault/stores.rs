//! What faults make of databases, caches and topics.

use squall_policies::{Outcome, SimTime, Span};

use super::scope::{Scope, corrupt, scaled};
use crate::machine::host::Host;
use crate::machine::system::System;
use crate::plan::{CacheId, DatabaseId, Effect, TopicId};

impl System<'_> {
    /// Connections of a database that may be busy now.
    pub(in crate::machine) fn connection_limit(&self, now: SimTime, id: DatabaseId) -> u32 {
        let database = &self.databases[id.index()];
        if !database.disturbed {
            return database.connections;
        }
        scaled(database.connections, self.share_left(now, Scope::Database(id)))
    }

    /// Whether a fault fails a query before it begins.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn database_fails(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: DatabaseId,
    ) -> Option<Outcome> {
        self.fails(host, now, Scope::Database(id))
    }

    /// Whether a fault fails a look into a cache before it begins.
    pub(in crate::machine) fn cache_fails(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: CacheId,
    ) -> Option<Outcome> {
        self.fails(host, now, Scope::Cache(id))
    }

    /// Whether a fault fails publishing before it begins.
    pub(in crate::machine) fn topic_fails(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: TopicId,
    ) -> Option<Outcome> {
        self.fails(host, now, Scope::Topic(id))
    }

    #[cold]
    #[inline(never)]
    fn fails(&mut self, host: &mut impl Host, now: SimTime, scope: Scope) -> Option<Outcome> {
        let mut at = 0;
        while let Some((id, fault)) = self.next_at_work(&mut at, scope) {
            let outcome = match fault.effect {
                Effect::Down => Outcome::Refused,
                Effect::Errors { share, status } if self.faults.strikes(id, share * fault.strength(now)) => {
                    Outcome::Error(status)
                }
                _ => continue,
            };
            Self::fired(host, now, id);
            return Some(outcome);
        }
        None
    }

    /// Whether what a query found is of no use.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn database_spoils(&mut self, host: &mut impl Host, now: SimTime, id: DatabaseId) -> bool {
        self.strikes(host, now, Scope::Database(id), corrupt)
    }

    /// Whether what a cache holds is of no use.
    pub(in crate::machine) fn cache_spoils(&mut self, host: &mut impl Host, now: SimTime, id: CacheId) -> bool {
        self.strikes(host, now, Scope::Cache(id), corrupt)
    }

    /// Whether a message is lost after it was published.
    pub(in crate::machine) fn topic_loses(&mut self, host: &mut impl Host, now: SimTime, id: TopicId) -> bool {
        self.strikes(
            host,
            now,
            Scope::Topic(id),
            |effect| if let Effect::Drop(share) = effect { Some(share) } else { None },
        )
    }

    /// What faults make of a query's time; a query that hangs takes for ever.
    #[cold]
    #[inline(never)]
    pub(in crate::machine) fn disturb_query(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: DatabaseId,
        time: Span,
    ) -> Span {
        self.disturbed_time(host, now, Scope::Database(id), time)
    }

    /// What faults make of the time of a look into a cache.
    pub(in crate::machine) fn disturb_cache(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: CacheId,
        time: Span,
    ) -> Span {
        self.disturbed_time(host, now, Scope::Cache(id), time)
    }

    /// What faults make of the time of publishing.
    pub(in crate::machine) fn disturb_publishing(
        &mut self,
        host: &mut impl Host,
        now: SimTime,
        id: TopicId,
        time: Span,
    ) -> Span {
        self.disturbed_time(host, now, Scope::Topic(id), time)
    }
}
