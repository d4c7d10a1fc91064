//! Retry budgets: whether a retry that a call wants may be made. One face for every kind; one kind a file.
//!
//! The order around an attempt: [`Budget::start`] when it is sent, [`Budget::record`] when it ended, and then, if its call
//! wants another, [`Budget::retry`], whose grant goes with the next attempt. A grant whose attempt is never sent is
//! released.

mod share;

pub use share::{Share, ShareConfig};

use crate::check::Invalid;
use crate::{Outcome, SimTime};

/// Which budget, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BudgetConfig {
    /// Retries at most a share of calls.
    Share(ShareConfig),
}

impl BudgetConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Share(config) => config.check(),
        }
    }
}

/// A budget of any kind.
#[derive(Clone, Debug)]
pub enum Budget {
    /// Retries at most a share of calls.
    Share(Share),
}

/// What an attempt holds of its budget until it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant(u32);

impl Grant {
    /// A call's first attempt, which needs no leave.
    pub const FIRST: Self = Self(0);

    /// Whether the attempt is a call's first.
    pub const fn is_first(self) -> bool {
        self.0 == 0
    }
}

/// The grant of kinds that only say yes.
const PLAIN: Grant = Grant(1);

impl Budget {
    /// A budget made at `now`.
    pub fn new(config: &BudgetConfig, _now: SimTime) -> Self {
        match config {
            BudgetConfig::Share(config) => Self::Share(Share::new(config)),
        }
    }

    /// An attempt is sent: a call's first, or the one that `grant` was given for.
    pub fn start(&mut self, now: SimTime, grant: Grant) {
        match self {
            Self::Share(budget) if grant.is_first() => budget.deposit(now),
            Self::Share(_) => {}
        }
    }

    /// An attempt ended.
    pub fn record(&mut self, _now: SimTime, _outcome: Outcome, _grant: Grant) {
        match self {
            Self::Share(_) => {}
        }
    }

    /// Whether there may be a retry of an attempt that ended in `outcome`.
    pub fn retry(&mut self, now: SimTime, _outcome: Outcome) -> Option<Grant> {
        match self {
            Self::Share(budget) => budget.withdraw(now).then_some(PLAIN),
        }
    }

    /// The attempt that `grant` was given for will not be sent. What was paid stays paid; a slot becomes free.
    pub fn release(&mut self, _grant: Grant) {
        match self {
            Self::Share(_) => {}
        }
    }
}
