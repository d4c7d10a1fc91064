//! The books of one database: who waits for a connection, and who has one.

use std::collections::VecDeque;

use squall_model::SimTime;
use squall_model::plan::{Plan, Target};

use super::all_or;
use super::faults::{Faults, Shaken};

/// One database.
pub(super) struct Database {
    connections: u64,
    shaken: Shaken,
    /// Whether replicas have pools: then those that wait overtake each other, and may wait though a connection is free.
    pooled: bool,
    /// When each that waits for a connection asked for it, first come first.
    waiting: VecDeque<u64>,
    /// When each that has one asked for it.
    running: Vec<u64>,
    saturated: bool,
}

impl Database {
    /// Those of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let of = plan.databases.iter().enumerate().map(|(row, database)| Self {
            connections: if database.connections == u32::MAX { u64::MAX } else { u64::from(database.connections) },
            pooled: database.pool != u32::MAX,
            shaken: Faults::shaken(plan, |target| matches!(target, Target::Database(id) if id.index() == row)),
            waiting: VecDeque::new(),
            running: Vec::new(),
            saturated: false,
        });
        of.collect()
    }

    pub(super) fn busy(&self) -> u64 {
        self.running.len() as u64
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(super) fn arrived(&mut self, at: SimTime) {
        self.waiting.push_back(at.as_nanos());
    }

    pub(super) fn started(&mut self, asked: u64, queued: bool, at: SimTime) -> Result<(), String> {
        if queued {
            let place = self.waiting.iter().position(|waiting| *waiting == asked);
            all_or(place.is_some_and(|place| place == 0 || self.pooled), || {
                format!("a query of {asked} starts, at {place:?} of {:?}", self.waiting)
            })?;
            self.waiting.remove(place.unwrap_or(0));
        } else {
            let overtakes = !self.shaken.at(at) && !self.waiting.is_empty() && !self.pooled;
            all_or(!overtakes, || format!("a query of {asked} overtakes {:?}", self.waiting))?;
        }
        self.running.push(asked);
        all_or(self.busy() <= self.connections, || format!("{} connections busy of {}", self.busy(), self.connections))
    }

    pub(super) fn refused(&mut self, asked: u64, queued: bool) -> Result<(), String> {
        if !queued {
            return Ok(());
        }
        let place = self.waiting.iter().position(|waiting| *waiting == asked);
        let place = place.ok_or_else(|| format!("a query of {asked} is refused, but does not wait"))?;
        self.waiting.remove(place);
        Ok(())
    }

    pub(super) fn ended(&mut self, asked: u64) -> Result<(), String> {
        match self.running.iter().position(|running| *running == asked) {
            Some(place) => {
                self.running.swap_remove(place);
                Ok(())
            }
            None => Err(format!("a query of {asked} ends, but runs not: {:?}", self.running)),
        }
    }

    pub(super) fn saturation(&mut self, now: bool) -> Result<(), String> {
        let again = self.saturated == now;
        self.saturated = now;
        all_or(!again, || format!("saturated: {now}, twice"))
    }

    /// The instant is over.
    pub(super) fn at_rest(&self, at: SimTime) -> Result<(), String> {
        if self.shaken.at(at) {
            return Ok(());
        }
        let full = self.busy() >= self.connections;
        let idle = !full && !self.waiting.is_empty() && !self.pooled;
        all_or(!idle, || format!("{} wait, but only {} connections are busy", self.waiting(), self.busy()))?;
        all_or(self.saturated == full, || {
            format!("saturated: {}, with {} busy of {}", self.saturated, self.busy(), self.connections)
        })
    }
}
