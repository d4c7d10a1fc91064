//! Keeps what chosen requests did, and everything that was done for them. A fiber that nobody asked for costs one look.

use std::collections::BTreeMap;

use squall_model::machine::Key;
use squall_model::observation::{Failure, Observation, Sink};
use squall_model::plan::{EndpointId, Plan, ReplicaId, SiteId};
use squall_model::trace::{Activity, Ids, Origin, TraceFact};
use squall_model::{Outcome, SimTime};

use super::{Pick, Trace, spans};

/// A fiber that is followed.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) endpoint: EndpointId,
    pub(super) replica: ReplicaId,
    pub(super) origin: Origin,
    /// Its number while it lasted.
    pub(super) fiber: u32,
    pub(super) began: u64,
    pub(super) ended: Option<(u64, Outcome)>,
    pub(super) acts: Vec<Act>,
}

/// What a fiber did for a while, until its next act or its end.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) from: u64,
    pub(super) what: Activity,
    /// Of an attempt that was sent.
    pub(super) key: Key,
    /// Fibers that began for it.
    pub(super) children: Vec<usize>,
    /// How the attempt failed.
    pub(super) failure: Option<Failure>,
    /// When a frozen replica held its request or its answer up.
    pub(super) held_up: Vec<u64>,
    /// When the attempt had a connection of its caller's pool; where there is no pool, nothing.
    pub(super) pooled: Option<u64>,
}

/// Which requests are followed.
#[derive(Clone, Debug)]
enum Follow {
    These(Vec<(String, Pick)>),
    /// All requests for these tasks.
    All(core::ops::Range<usize>),
}

/// Takes the facts of a run and keeps those of some requests.
#[derive(Clone, Debug)]
pub struct Collector {
    follow: Follow,
    /// Of a run that has a number of its own.
    ids: Option<Ids>,
    pub(super) nodes: Vec<Node>,
    /// By fiber: the node that follows it.
    following: Vec<Option<u32>>,
    /// By the key of an attempt or a fork: the node, and which of its acts.
    waits: BTreeMap<Key, (u32, u32)>,
}

impl Collector {
    /// Follows these requests, each with the words by which it was asked for.
    pub const fn new(picks: Vec<(String, Pick)>) -> Self {
        Self::following(Follow::These(picks))
    }

    /// Follows all requests for these tasks: for a world that cannot be run again.
    pub const fn of_all(tasks: core::ops::Range<usize>) -> Self {
        Self::following(Follow::All(tasks))
    }

    const fn following(follow: Follow) -> Self {
        Self { follow, ids: None, nodes: Vec::new(), following: Vec::new(), waits: BTreeMap::new() }
    }

    /// Names traces and spans as the run of this number did.
    #[must_use]
    pub const fn of_run(mut self, run: u64) -> Self {
        self.ids = Some(Ids::of(run));
        self
    }

    /// The traces of the requests that were asked for, in that order, when the run has ended at `end`. A request that did
    /// not come again is left out.
    pub fn traces(&self, plan: &Plan, end: SimTime) -> Vec<Trace> {
        match &self.follow {
            Follow::These(picks) => {
                picks.iter().filter_map(|(at, pick)| self.trace_of(plan, end, (at, pick))).collect()
            }
            Follow::All(_) => Vec::new(),
        }
    }

    /// The trace of one request that was followed.
    pub fn trace_of(&self, plan: &Plan, end: SimTime, (at, pick): (&str, &Pick)) -> Option<Trace> {
        let root = self.nodes.iter().position(|node| node.is(pick))?;
        Some(spans::trace(&self.run(plan, end), root, at))
    }

    /// Every request that was followed and has ended.
    pub fn every_trace(&self, plan: &Plan, end: SimTime) -> impl Iterator<Item = Trace> {
        let user = |node: &Node| matches!(node.origin, Origin::User { .. }) && node.ended.is_some();
        let roots = self.nodes.iter().enumerate().filter(move |(_, node)| user(node)).map(|(root, _)| root);
        roots.map(move |root| spans::trace(&self.run(plan, end), root, ""))
    }

    /// How many nanoseconds fibers were on the way to their next step: none in virtual time, or something takes time of
    /// which traces know nothing.
    pub fn unexplained(&self, end: SimTime) -> u64 {
        let end = end.as_nanos();
        let of_node = |node: &Node| {
            let acts = node.acts.iter().enumerate().filter(|(_, act)| act.what == Activity::Running);
            acts.map(|(at, act)| node.end_of(at, end) - act.from).sum::<u64>()
        };
        self.nodes.iter().map(of_node).sum()
    }

    fn run<'n>(&'n self, plan: &'n Plan, end: SimTime) -> spans::Run<'n> {
        let ids = self.ids.unwrap_or(Ids::of(plan.seed));
        spans::Run { plan, nodes: &self.nodes, end: end.as_nanos(), ids }
    }

    fn wants(&self, endpoint: EndpointId, meant: SimTime) -> bool {
        match &self.follow {
            Follow::These(picks) => picks.iter().any(|(_, pick)| pick.task == endpoint && pick.start == meant),
            Follow::All(tasks) => tasks.contains(&endpoint.index()),
        }
    }

    fn began(&mut self, fiber: u32, parent: Key, node: Node) {
        let place = fiber as usize;
        if self.following.len() <= place {
            self.following.resize(place + 1, None);
        }
        let number = self.nodes.len();
        let wanted = match node.origin {
            Origin::User { meant } => self.wants(node.endpoint, meant),
            Origin::Request | Origin::Branch => match self.waits.get(&parent) {
                Some((caller, act)) => {
                    self.nodes[*caller as usize].acts[*act as usize].children.push(number);
                    true
                }
                None => false,
            },
        };
        self.following[place] = wanted.then_some(number as u32);
        if wanted {
            self.nodes.push(node);
        }
    }

    /// The node that follows a fiber, and its number.
    fn node(&mut self, fiber: u32) -> Option<(u32, &mut Node)> {
        let number = (*self.following.get(fiber as usize)?)?;
        Some((number, &mut self.nodes[number as usize]))
    }

    fn turned(&mut self, now: u64, fiber: u32, (key, what): (Key, Activity)) {
        let Some((number, node)) = self.node(fiber) else { return };
        node.acts.push(Act::new(now, what, key));
        let act = node.acts.len() as u32 - 1;
        if matches!(what, Activity::Calling { .. } | Activity::Apart(_) | Activity::Forked) {
            self.waits.insert(key, (number, act));
        }
    }

    fn failed(&mut self, now: u64, fiber: u32, (site, attempt): (SiteId, u16), failure: Failure) {
        let Some((_, node)) = self.node(fiber) else { return };
        let is_it = |act: &&mut Act| matches!(act.what, Activity::Calling { site: s, attempt: a, .. } if (s, a) == (site, attempt));
        if let Some(act) = node.acts.last_mut().filter(is_it) {
            act.failure = Some(failure);
            return;
        }
        // Not even sent.
        let what = Activity::Calling { site, attempt, target: ReplicaId(0) };
        let mut act = Act::new(now, what, Key::NONE);
        act.failure = Some(failure);
        node.acts.push(act);
    }

    fn pooled(&mut self, key: Key, from: u64) {
        if let Some((node, act)) = self.waits.get(&key) {
            self.nodes[*node as usize].acts[*act as usize].pooled = Some(from);
        }
    }

    fn held_up(&mut self, now: u64, key: Key) {
        if let Some((node, act)) = self.waits.get(&key) {
            self.nodes[*node as usize].acts[*act as usize].held_up.push(now);
        }
    }
}

impl Act {
    const fn new(from: u64, what: Activity, key: Key) -> Self {
        Self { from, what, key, children: Vec::new(), failure: None, held_up: Vec::new(), pooled: None }
    }
}

impl Node {
    fn is(&self, pick: &Pick) -> bool {
        let user = matches!(self.origin, Origin::User { meant } if meant == pick.start);
        user && self.endpoint == pick.task && self.ended == Some((pick.end.as_nanos(), pick.outcome))
    }

    /// When it ended, or the run did.
    pub(super) fn end(&self, run: u64) -> u64 {
        self.ended.map_or(run, |(at, _)| at)
    }

    /// When an act ended.
    pub(super) fn end_of(&self, act: usize, run: u64) -> u64 {
        self.acts.get(act + 1).map_or_else(|| self.end(run), |next| next.from)
    }
}

impl Sink for Collector {
    const TRACED: bool = true;

    #[inline(always)]
    fn observe(&mut self, _: SimTime, _: Observation) {}

    fn trace(&mut self, at: SimTime, what: TraceFact) {
        let now = at.as_nanos();
        match what {
            TraceFact::Began { fiber, parent, endpoint, replica, origin } => {
                let began = if let Origin::User { meant } = origin { meant.as_nanos() } else { now };
                self.began(
                    fiber,
                    parent,
                    Node { endpoint, replica, origin, fiber, began, ended: None, acts: Vec::new() },
                );
            }
            TraceFact::Turned { fiber, key, to } => self.turned(now, fiber, (key, to)),
            TraceFact::Failed { fiber, site, attempt, failure } => self.failed(now, fiber, (site, attempt), failure),
            TraceFact::HeldUp { key } => self.held_up(now, key),
            // Until it has one.
            TraceFact::Pooling { key } => self.pooled(key, u64::MAX),
            TraceFact::Pooled { key, ready } => self.pooled(key, ready.as_nanos()),
            TraceFact::Carried { from, to } => {
                if let Some(wait) = self.waits.get(&from).copied() {
                    self.waits.insert(to, wait);
                }
            }
            TraceFact::Ended { fiber, outcome } => {
                if let Some((_, node)) = self.node(fiber) {
                    node.ended = Some((now, outcome));
                    self.following[fiber as usize] = None;
                }
            }
        }
    }
}
