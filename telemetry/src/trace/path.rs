//! The critical path of a request: at every moment the one thing that its user waited for. A caller waits for its attempt,
//! the attempt for the request it made, that one for what it does; a fork waits for the branch that decided. What nothing
//! explains is the network's; so the path has no gap, and its times add up to the latency to the nanosecond.

use squall_model::Outcome;
use squall_model::observation::Failure;
use squall_model::plan::Plan;
use squall_model::trace::Activity;

use super::Spent;
use super::collect::{Act, Node};

/// A stretch of the path: what the time went into, which node did it, and in which of its acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub(super) cause: Spent,
    pub(super) node: usize,
    /// `None`: in no act of its own.
    pub(super) act: Option<usize>,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Follows the path of one node.
pub(super) struct Follower<'n> {
    pub(super) nodes: &'n [Node],
    pub(super) end: u64,
    pub(super) path: Vec<Stretch>,
}

impl Follower<'_> {
    /// What node `at` did between `from` and `to`, which lie in its time.
    pub(super) fn follow(&mut self, at: usize, (from, to): (u64, u64)) {
        let nodes = self.nodes;
        let node = &nodes[at];
        let mut now = from;
        for (index, act) in node.acts.iter().enumerate() {
            let (start, end) = (act.from.clamp(now, to), node.end_of(index, self.end).clamp(now, to));
            self.add((at, None), Spent::Work, (now, start));
            self.act(at, index, (start, end));
            now = end;
        }
        self.add((at, None), Spent::Work, (now, to));
    }

    fn act(&mut self, at: usize, index: usize, (from, to): (u64, u64)) {
        if from == to {
            return;
        }
        let nodes = self.nodes;
        let act = &nodes[at].acts[index];
        let cause = match act.what {
            Activity::Running | Activity::Working => Spent::Work,
            Activity::Waiting => Spent::Wait,
            Activity::Publishing(_) => Spent::Publish,
            Activity::Disturbed => Spent::Fault,
            Activity::Queued => Spent::Queue,
            Activity::Held(_) => Spent::Held,
            Activity::Connecting(_) => Spent::Connection,
            Activity::Querying(_) => Spent::Query,
            Activity::Looking(_) => Spent::Cache,
            Activity::BackingOff(_) => Spent::BackOff,
            Activity::FallingBack(_) => Spent::Fallback,
            Activity::Apart(_) | Activity::Forked => return self.branch(at, index, (from, to)),
            Activity::Calling { .. } => return self.attempt(at, index, (from, to)),
        };
        self.add((at, Some(index)), cause, (from, to));
    }

    /// Of the branches, the one that decided when the fork went on.
    fn branch(&mut self, at: usize, index: usize, (from, to): (u64, u64)) {
        let nodes = self.nodes;
        let branches = &nodes[at].acts[index].children;
        let ended_by = |child: &&usize| nodes[**child].end(self.end) <= to;
        let decided = branches.iter().filter(ended_by).max_by_key(|child| nodes[**child].end(self.end));
        match decided.or(branches.first()).copied() {
            Some(child) => {
                let end = nodes[child].end(self.end).min(to);
                self.follow(child, (from, end));
                self.add((at, Some(index)), Spent::Work, (end, to));
            }
            None => self.add((at, Some(index)), Spent::Work, (from, to)),
        }
    }

    /// A connection, there, the request, and back.
    fn attempt(&mut self, at: usize, index: usize, (from, to): (u64, u64)) {
        let nodes = self.nodes;
        let act = &nodes[at].acts[index];
        let sent = act.pooled.map_or(from, |pooled| pooled.clamp(from, to));
        self.add((at, Some(index)), Spent::Connection, (from, sent));
        let from = sent;
        if from == to {
            return;
        }
        let arrived = act.children.iter().filter(|child| nodes[**child].began < to);
        let answered = |child: &&usize| nodes[**child].end(self.end) <= to;
        let answering = arrived.clone().filter(answered).max_by_key(|child| nodes[**child].end(self.end));
        let Some(child) = answering.or_else(|| arrived.clone().next()).copied() else {
            let cause = if heard_of(act) { Spent::Network } else { Spent::Downstream };
            return self.transit((at, index), cause, (from, to));
        };
        let began = nodes[child].began.max(from);
        let ended = nodes[child].end(self.end).min(to);
        self.transit((at, index), Spent::Network, (from, began));
        self.follow(child, (began, ended));
        self.transit((at, index), Spent::Network, (ended, to));
    }

    /// A message on its way, perhaps held up at the end of it.
    fn transit(&mut self, (at, index): (usize, usize), cause: Spent, (from, to): (u64, u64)) {
        let held_up = self.nodes[at].acts[index].held_up.iter().copied().find(|held| (from..to).contains(held));
        let held = held_up.unwrap_or(to);
        self.add((at, Some(index)), cause, (from, held));
        self.add((at, Some(index)), Spent::Frozen, (held, to));
    }

    fn add(&mut self, (node, act): (usize, Option<usize>), cause: Spent, (from, to): (u64, u64)) {
        if from < to {
            self.path.push(Stretch { cause, node, act, from, to });
        }
    }
}

/// Whether the callee said anything at all.
const fn heard_of(act: &Act) -> bool {
    !matches!(
        act.failure,
        None | Some(Failure::Callee(Outcome::Timeout) | Failure::Deadline | Failure::BudgetRefused(Outcome::Timeout))
    )
}

/// Where a stretch takes place: a service, a database, or a call.
pub(super) fn place(plan: &Plan, nodes: &[Node], stretch: &Stretch) -> String {
    let node = &nodes[stretch.node];
    let edge = |site: squall_model::plan::SiteId| plan.edges[plan.sites[site.index()].edge.index()].name.clone();
    match stretch.act.map(|act| node.acts[act].what) {
        Some(Activity::Connecting(database) | Activity::Querying(database)) => {
            plan.databases[database.index()].name.clone()
        }
        Some(Activity::Looking(cache)) => plan.caches[cache.index()].name.clone(),
        Some(Activity::Publishing(topic)) => plan.topics[topic.index()].name.clone(),
        Some(
            Activity::Calling { site, .. }
            | Activity::BackingOff(site)
            | Activity::FallingBack(site)
            | Activity::Held(site)
            | Activity::Apart(site),
        ) => edge(site),
        _ => plan.services[plan.endpoints[node.endpoint.index()].service.index()].name.clone(),
    }
}
