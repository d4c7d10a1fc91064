//! Faults: a row for each thing that is hit, each thing that is done to it, and each time it comes.

use squall_policies::{Random as _, SimTime, Span};

use super::{Compiler, resources, times};
use crate::plan::{Effect, Fault, LoadId, ReplicaId, ServiceId, Target, TopicId};
use crate::rng::Stream;
use crate::spec::{self, Problem, Spanned, Topology};

/// A fault that comes so often is a mistake.
pub(super) const MOST_OCCURRENCES: usize = 100_000;
/// What comes again at once comes again after this: else time would stand still.
const SHORTEST_GAP: Span = Span::from_millis(1);

/// One time that a fault comes.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) from: SimTime,
    pub(super) to: SimTime,
    /// The victims it hits, by place; `None` is all.
    picked: Option<Vec<usize>>,
}

impl Occurrence {
    /// Whether it hits the victim at this place.
    pub(super) fn hits(&self, place: usize) -> bool {
        self.picked.as_ref().is_none_or(|picked| picked.contains(&place))
    }
}

impl Compiler<'_> {
    /// All faults.
    pub(super) fn faults(&mut self) {
        let topology = self.topology;
        let end = SimTime::ZERO + *topology.duration;
        for (entry, fault) in topology.faults.iter().enumerate() {
            let occurrences = occurrences(topology, entry, end);
            if let (MOST_OCCURRENCES, Some(every)) = (occurrences.len(), &fault.every) {
                let what = format!("this fault comes {MOST_OCCURRENCES} times and more");
                self.problems.push(Problem::error(every.at, what).hint("let it come less often"));
                continue;
            }
            let effects = self.effects(fault);
            for (place, target) in victims(topology, fault).iter().enumerate() {
                for effect in &effects {
                    let hits = self.targets(target, *effect);
                    let name = fault.name.as_ref().map_or_else(|| target_text(target), |name| name.value.clone());
                    for Occurrence { from, to, .. } in occurrences.iter().filter(|one| one.hits(place)) {
                        for hit in &hits {
                            let rows = match &fault.restart {
                                Some(restart) if *effect == Effect::Restart => self.in_turn(restart, *hit, *from),
                                _ => vec![(*hit, *from, *to)],
                            };
                            for (target, from, to) in rows {
                                let (entry, name, ramp) = (entry as u32, name.clone(), *fault.ramp);
                                self.plan.faults.push(Fault { entry, name, from, to, ramp, target, effect: *effect });
                            }
                        }
                    }
                }
            }
        }
    }

    /// The replicas that restart, each with when it begins to drain and when it is stopped: the next as soon as those before are
    /// ready.
    fn in_turn(&self, restart: &spec::Restart, hit: Target, from: SimTime) -> Vec<(Target, SimTime, SimTime)> {
        let holds = |row: &&crate::plan::Service| match hit {
            Target::Service(service) => row.first_replica == self.plan.services[service.index()].first_replica,
            Target::Replica(replica) => row.replica_range().contains(&replica.index()),
            _ => false,
        };
        let Some(service) = self.plan.services.iter().find(holds) else { return Vec::new() };
        let turn = restart.turn(service.ready_after);
        let replicas = match hit {
            Target::Replica(replica) => replica.index()..replica.index() + 1,
            _ => service.replica_range(),
        };
        let row = |(place, replica): (usize, usize)| {
            let begins = from + turn * (place / restart.at_once.value.max(1) as usize) as u64;
            (Target::Replica(ReplicaId::from(replica)), begins, begins + restart.drain.value)
        };
        replicas.enumerate().map(row).collect()
    }

    fn effects(&mut self, fault: &spec::Fault) -> Vec<Effect> {
        let status = fault.status.as_ref().map_or(500, |status| status.value);
        let is_set = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let latency = fault.latency.as_ref().map(|time| Effect::Latency(self.time(time)));
        let add = fault.add.as_ref().map(|time| Effect::Add(self.time(time)));
        [
            latency,
            fault.times.as_ref().map(|times| Effect::Times(times.value)),
            add,
            fault.errors.as_ref().map(|share| Effect::Errors { share: share.0, status }),
            is_set(&fault.down).then_some(Effect::Down),
            is_set(&fault.hang).then_some(Effect::Hang),
            is_set(&fault.pause).then_some(Effect::Pause),
            fault.kill.as_ref().map(|count| Effect::Kill(count.value)),
            fault.restart.as_ref().map(|_| Effect::Restart),
            fault.corrupt.as_ref().map(|share| Effect::Corrupt(share.0)),
            fault.drop.as_ref().map(|share| Effect::Drop(share.0)),
            is_set(&fault.partition).then_some(Effect::Partition),
            fault.capacity.as_ref().map(|share| Effect::Capacity(share.0)),
            is_set(&fault.flush).then_some(Effect::Flush),
            fault.rate.as_ref().map(|rate| Effect::Rate(rate.value)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What an effect on a target hits. What happens on the way from a topic to its subscribers happens to its calls.
    fn targets(&mut self, target: &spec::Target, effect: Effect) -> Vec<Target> {
        let Some(hit) = self.target(target, effect) else { return Vec::new() };
        let on_the_way = matches!(effect, Effect::Corrupt(_) | Effect::Partition);
        match hit {
            Target::Topic(topic) if on_the_way => {
                let deliverer = self.plan.topics[topic.index()].service;
                let edges = self.edges.iter().filter(|((caller, _), _)| *caller == deliverer);
                let edges = edges.map(|(_, edge)| Target::Edge(*edge));
                let publishes = (effect == Effect::Partition).then_some(hit);
                edges.chain(publishes).collect()
            }
            hit => vec![hit],
        }
    }

    /// What a target is. A name that a load shares with something else is the load where the fault is one for loads.
    fn target(&mut self, target: &spec::Target, effect: Effect) -> Option<Target> {
        let topology = self.topology;
        match target {
            spec::Target::Name(name) => {
                let load = || {
                    let load = topology.load.iter().position(|load| load.name.value == name.value);
                    load.map(|i| Target::Load(LoadId::from(i)))
                };
                if matches!(effect, Effect::Rate(_)) {
                    return load();
                }
                let service = topology.services.position(name).map(|i| Target::Service(ServiceId::from(i)));
                let database = || topology.databases.position(name).map(|i| Target::Database(i.into()));
                let cache = || topology.caches.position(name).map(|i| Target::Cache(i.into()));
                let topic = || topology.topics.position(name).map(|i| Target::Topic(TopicId::from(i)));
                service.or_else(database).or_else(cache).or_else(topic)
            }
            spec::Target::Endpoint(endpoint) => Some(Target::Endpoint(self.endpoint(endpoint))),
            spec::Target::Replica { service, index } => {
                let service = self.service(service);
                Some(Target::Replica(ReplicaId(self.plan.services[service.index()].first_replica.0 + index.value)))
            }
            spec::Target::Call { from, to } => {
                let named = |name: &str| self.plan.services.iter().position(|s| s.name == name).map(ServiceId::from);
                let edge = self.edges.get(&(named(from)?, named(to)?)).copied();
                edge.map(Target::Edge)
            }
        }
    }
}

/// What a fault may hit: its targets; or, where it picks from a single service, that one's replicas.
fn victims(topology: &Topology, fault: &spec::Fault) -> Vec<spec::Target> {
    let targets = &fault.target.value.0;
    if let (Some(_), [Spanned { value: spec::Target::Name(name), at, .. }]) = (&fault.pick, targets.as_slice())
        && let Some(service) = topology.services.find(name)
    {
        let replica = |index| spec::Target::Replica { service: name.clone(), index: Spanned::new(index, *at) };
        return (0..resources::replicas(service)).map(replica).collect();
    }
    targets.iter().map(|target| target.value.clone()).collect()
}

/// Every time that the fault of this entry comes, at most [`MOST_OCCURRENCES`]. All that is drawn comes from a stream of
/// the fault's own.
pub(super) fn occurrences(topology: &Topology, entry: usize, end: SimTime) -> Vec<Occurrence> {
    let fault = &topology.faults[entry];
    let name = fault.name.as_ref().map_or("", |name| name.as_str());
    let mut stream = Stream::new(*topology.seed, &format!("occurrences/{entry}/{name}"));
    let victims = victims(topology, fault).len();
    let every = fault.every.as_ref().map(|every| times::distribution(every));
    let (mut from, to) = window(topology, fault, end);
    let lasts = to - from;
    let mut all = Vec::new();
    while all.len() < MOST_OCCURRENCES {
        let picked = fault.pick.as_ref().map(|count| pick(victims, count.value as usize, &mut stream));
        let to = from + lasts;
        all.push(Occurrence { from, to, picked });
        let Some(every) = &every else { break };
        let next = (from + every.sample(&mut stream)).max(to);
        from = if next == from { from + SHORTEST_GAP } else { next };
        if from >= end {
            break;
        }
    }
    all
}

/// So many of the places below `among`, each as likely as any other, ascending.
fn pick(among: usize, count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut places: Vec<usize> = (0..among).collect();
    for place in 0..count.min(among) {
        places.swap(place, place + stream.below((among - place) as u64) as usize);
    }
    places.truncate(count);
    places.sort_unstable();
    places
}

/// From when to when a fault is at work, the first time if it comes again.
pub(super) fn window(topology: &Topology, fault: &spec::Fault, end: SimTime) -> (SimTime, SimTime) {
    let from = SimTime::ZERO + *fault.at;
    let to = fault.lasts(topology).map_or(end, |lasts| from + lasts);
    (from, to.max(from))
}

fn target_text(target: &spec::Target) -> String {
    match target {
        spec::Target::Name(name) => name.value.clone(),
        spec::Target::Endpoint(of) => format!("{}.{}", of.service.value, of.endpoint.value),
        spec::Target::Replica { service, index } => format!("{}[{}]", service.value, index.value),
        spec::Target::Call { from, to } => format!("{} -> {}", from.value, to.value),
    }
}
