//! The books of the faults: each begins and ends when it should, and does nothing before or after.

use squall_model::SimTime;
use squall_model::plan::{Effect, Fault, Plan, Target};

use super::all_or;

/// While these last, how many workers or connections there are is the faults' business.
pub(super) struct Shaken(Vec<[SimTime; 2]>);

impl Shaken {
    pub(super) fn at(&self, now: SimTime) -> bool {
        self.0.iter().any(|[from, to]| *from <= now && now <= *to)
    }
}

/// All faults of a plan.
pub(super) struct Faults {
    seen: Vec<Seen>,
    hang: bool,
}

/// How far a fault has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Nothing,
    Began,
    Ended,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Self {
        // A partition may end before anybody meets it: then nothing hangs, and nothing has to be told.
        let hang =
            plan.faults.iter().any(|fault| matches!(fault.effect, Effect::Hang | Effect::Drop(_) | Effect::Partition));
        Self { seen: vec![Seen::Nothing; plan.faults.len()], hang }
    }

    /// Whether something accepts and never answers.
    pub(super) const fn hang(&self) -> bool {
        self.hang
    }

    /// When faults take capacity away from what `hit` chooses.
    pub(super) fn shaken(plan: &Plan, hit: impl Fn(&Target) -> bool) -> Shaken {
        let takes = |fault: &&Fault| {
            (matches!(fault.effect, Effect::Capacity(_))
                || (fault.effect == Effect::Pause && matches!(fault.target, Target::Topic(_))))
                && hit(&fault.target)
        };
        Shaken(plan.faults.iter().filter(takes).map(|fault| [fault.from, fault.to]).collect())
    }

    /// Whether the plan has a fault with such an effect on this row of services, one of its endpoints or replicas.
    pub(super) fn at_service(plan: &Plan, row: usize, such: impl Fn(&Effect) -> bool) -> bool {
        plan.faults.iter().any(|fault| is_at(plan, fault.target, row) && such(&fault.effect))
    }

    pub(super) fn began(&mut self, plan: &Plan, fault: usize, at: SimTime) -> Result<(), String> {
        let seen = std::mem::replace(&mut self.seen[fault], Seen::Began);
        let right = seen == Seen::Nothing && plan.faults[fault].from == at;
        all_or(right, || format!("a fault begins that was {seen:?}: {:?}", plan.faults[fault]))
    }

    pub(super) fn ended(&mut self, plan: &Plan, fault: usize, at: SimTime) -> Result<(), String> {
        let seen = std::mem::replace(&mut self.seen[fault], Seen::Ended);
        let right = seen == Seen::Began && plan.faults[fault].to == at;
        all_or(right, || format!("a fault ends that was {seen:?}: {:?}", plan.faults[fault]))
    }

    pub(super) fn fired(&self, fault: usize) -> Result<(), String> {
        let seen = self.seen[fault];
        all_or(seen == Seen::Began, || format!("a fault does something, but is {seen:?}"))
    }

    /// The run is over: what should have begun or ended until then has.
    pub(super) fn all_came(&self, plan: &Plan, end: SimTime) -> Result<(), String> {
        for (fault, seen) in plan.faults.iter().zip(&self.seen) {
            let due = match (fault.from <= end, fault.to <= end) {
                (false, _) => Seen::Nothing,
                (true, false) => Seen::Began,
                (true, true) => Seen::Ended,
            };
            all_or(*seen == due, || format!("a fault is {seen:?} at the end, not {due:?}: {fault:?}"))?;
        }
        Ok(())
    }
}

/// Whether a target is this row of services, one of its endpoints or replicas.
pub(super) fn is_at(plan: &Plan, target: Target, row: usize) -> bool {
    match target {
        Target::Service(service) => service.index() == row,
        Target::Endpoint(endpoint) => plan.endpoints[endpoint.index()].service.index() == row,
        Target::Replica(replica) => plan.services[row].replica_range().contains(&replica.index()),
        Target::Topic(topic) => plan.topics[topic.index()].service.index() == row,
        Target::Database(_) | Target::Cache(_) | Target::Edge(_) | Target::Load(_) => false,
    }
}
