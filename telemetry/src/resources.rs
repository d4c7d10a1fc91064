//! What was seen of what services run on and talk to besides each other: caches, topics, cores, memory, replicas that come
//! and go, pools of connections. None of it is on the way of a request that uses none of it.

use core::ops::Range;

use squall_model::observation::{Look, Observation};
use squall_model::plan::{Plan, ReplicaId, ServiceId};
use squall_model::{SimTime, Span};

use crate::clock::Clock;
use crate::levels::Levels;
use crate::recorder::{Grains, services_of_replicas};
use crate::saturation::Saturation;
use crate::shelf::Shelf;
use crate::tallies::{Looks, Pools, Publishings, Tallies};

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    service_of_replica: Vec<u32>,
    /// By cache.
    pub(crate) looks: Tallies<Looks>,
    /// By cache: from asking to finding, or not.
    pub(crate) look_times: Shelf,
    /// By cache: keys held.
    pub(crate) held: Peaks,
    /// By topic.
    pub(crate) published: Tallies<Publishings>,
    /// By service: thousandths of a core in use, on replicas that serve.
    pub(crate) cpu: Levels,
    /// By service: all cores of all replicas in use.
    pub(crate) cpu_full: Saturation,
    /// By replica: thousandths of a core in use, and whether those are all.
    computing: Vec<u32>,
    computing_all: Vec<bool>,
    /// By service: the most bytes in use on one replica.
    pub(crate) memory: Peaks,
    /// Replicas that died for want of memory.
    pub(crate) out_of_memory: Vec<(SimTime, ReplicaId)>,
    /// By service: how many replicas served, and from when on.
    pub(crate) serving: Vec<Vec<(u64, u32)>>,
    /// By replica: whether it serves, and whether all its workers are busy.
    up: Vec<bool>,
    full: Vec<bool>,
    /// What autoscalers changed.
    pub(crate) scaled: Vec<Scaling>,
    /// By edge: connections in use.
    pub(crate) connections: Levels,
    /// By edge: attempts that wait for one.
    pub(crate) connecting: Levels,
    /// By edge.
    pub(crate) pools: Tallies<Pools>,
    /// By edge: from wanting a connection to having it, of attempts that waited.
    pub(crate) pool_waits: Shelf,
    /// By service: requests that its replicas let in at the same time, where that follows latency.
    pub(crate) admission_limits: Levels,
    /// By edge: calls that may be under way at the same time, where that follows latency.
    pub(crate) bulkhead_limits: Levels,
}

/// An autoscaler changed the number of replicas.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scaling {
    pub(crate) at: SimTime,
    pub(crate) service: ServiceId,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) used: f64,
}

impl Resources {
    pub(crate) fn new(plan: &Plan, windows: usize, grains: &Grains<'_>) -> Self {
        let segments = plan.phases.segments();
        let (services, edges, caches) = (plan.services.len(), plan.edges.len(), plan.caches.len());
        let levels = |rows| Levels::new(rows, segments, windows);
        let running = plan.services.iter().flat_map(|service| (0..service.replicas).map(|n| n < service.at_start));
        let up: Vec<bool> = running.collect();
        let look_times = grains.shelf(caches, &|row| grains.cache(row));
        let pool_waits = grains.shelf(edges, &|_| crate::shelf::Grain::Summary);
        Self {
            service_of_replica: services_of_replicas(plan),
            looks: Tallies::new(caches, segments, |_, _| 0, |row| row as u32),
            look_times,
            held: Peaks::new(caches, segments),
            published: Tallies::new(plan.topics.len(), segments, |_, _| 0, |row| row as u32),
            cpu: levels(services),
            cpu_full: Saturation::new(plan.services.iter().map(|service| service.at_start), segments),
            computing: vec![0; up.len()],
            computing_all: vec![false; up.len()],
            memory: Peaks::new(services, segments),
            out_of_memory: Vec::new(),
            serving: plan.services.iter().map(|service| vec![(0, service.at_start)]).collect(),
            full: vec![false; up.len()],
            up,
            scaled: Vec::new(),
            connections: levels(edges),
            connecting: levels(edges),
            pools: Tallies::new(edges, segments, |_, _| 0, |row| row as u32),
            pool_waits,
            admission_limits: levels(services),
            bulkhead_limits: levels(edges),
        }
    }

    pub(crate) fn cut(&mut self, now: u64, segment: usize) {
        for levels in self.levels() {
            levels.cut(now, segment);
        }
        self.cpu_full.cut(now, segment);
    }

    fn levels(&mut self) -> [&mut Levels; 5] {
        let limits = [&mut self.admission_limits, &mut self.bulkhead_limits];
        let [admission, bulkhead] = limits;
        [&mut self.cpu, &mut self.connections, &mut self.connecting, admission, bulkhead]
    }

    pub(crate) fn close_window(&mut self) {
        for levels in self.levels() {
            levels.close_window();
        }
        self.memory.close_window();
        self.held.close_window();
    }

    /// All workers of a replica are busy, or are so no more; answers whether that counts, because it serves.
    pub(crate) fn filled(&mut self, replica: ReplicaId, full: bool) -> bool {
        self.full[replica.index()] = full;
        self.up[replica.index()]
    }

    /// Takes what nothing else takes. `full` are the workers of services.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe(&mut self, at: SimTime, what: Observation, clock: &Clock, full: &mut Saturation) {
        let (now, current) = (at.as_nanos(), clock.segment());
        match what {
            Observation::LookedUp { cache, segment, look, took, held } => {
                self.looks.at(cache.index(), segment.index()).add(look);
                self.look_times.record(cache.index(), segment.index(), took.as_nanos());
                self.held.note(cache.index(), current, held.into());
            }
            Observation::Published { topic, segment, outcome, .. } => {
                let count = self.published.at(topic.index(), segment.index());
                *(if outcome.is_success() { &mut count.ok } else { &mut count.failed }) += 1;
            }
            Observation::Computing { replica, to, all, .. } => self.computing(replica, now, to, all),
            Observation::MemoryUsed { replica, bytes } => {
                self.memory.note(self.service_of_replica[replica.index()] as usize, current, bytes);
            }
            Observation::OutOfMemory { replica } => self.out_of_memory.push((at, replica)),
            Observation::ReplicaUp { replica } => self.comes_or_goes(replica, now, true, full),
            Observation::ReplicaDown { replica } => self.comes_or_goes(replica, now, false, full),
            Observation::Scaled { service, from, to, used, .. } => {
                if from != to {
                    self.scaled.push(Scaling { at, service, from, to, used });
                }
            }
            Observation::ConnectionWanted { edge } => self.connecting.rise(edge.index(), now),
            Observation::ConnectionGivenUp { edge } => self.connecting.fall(edge.index(), now),
            Observation::ConnectionTaken { edge, waited, opened, queued } => {
                self.connections.rise(edge.index(), now);
                let count = self.pools.at(edge.index(), current);
                *(if opened { &mut count.opened } else { &mut count.reused }) += 1;
                if queued {
                    self.connecting.fall(edge.index(), now);
                    self.waited(edge.index(), current, waited);
                }
            }
            Observation::ConnectionFreed { edge } => self.connections.fall(edge.index(), now),
            Observation::AdmissionLimit { replica, from, to } => {
                let row = self.service_of_replica[replica.index()] as usize;
                self.admission_limits.change(row, now, from, to);
            }
            Observation::BulkheadLimit { edge, from, to, .. } => {
                self.bulkhead_limits.change(edge.index(), now, from, to);
            }
            _ => unreachable!("what is seen at every hop is taken in there"),
        }
    }

    fn waited(&mut self, edge: usize, segment: usize, waited: Span) {
        self.pools.at(edge, segment).waited += 1;
        self.pool_waits.record(edge, segment, waited.as_nanos());
    }

    fn computing(&mut self, replica: ReplicaId, now: u64, to: u32, all: bool) {
        let row = self.service_of_replica[replica.index()] as usize;
        let from = core::mem::replace(&mut self.computing[replica.index()], to);
        let changes = core::mem::replace(&mut self.computing_all[replica.index()], all) != all;
        if !self.up[replica.index()] {
            return;
        }
        self.cpu.change(row, now, from, to);
        if changes {
            self.cpu_full.change(row, now, 0, if all { 1 } else { -1 });
        }
    }

    fn comes_or_goes(&mut self, replica: ReplicaId, now: u64, up: bool, full: &mut Saturation) {
        let row = self.service_of_replica[replica.index()] as usize;
        self.up[replica.index()] = up;
        let used = self.computing[replica.index()];
        if up {
            self.cpu.rise_by(row, now, used);
        } else {
            self.cpu.fall_by(row, now, used);
        }
        let sign = if up { 1 } else { -1 };
        let part = |is: bool| if is { sign } else { 0 };
        full.change(row, now, sign, part(self.full[replica.index()]));
        self.cpu_full.change(row, now, sign, part(self.computing_all[replica.index()]));
        let count = self.serving[row].last().map_or(0, |(_, count)| *count);
        self.serving[row].push((now, if up { count + 1 } else { count.saturating_sub(1) }));
    }

    /// How many replicas of a service served in a stretch of time: least, most, and their nanoseconds.
    pub(crate) fn serving(&self, service: usize, over: Range<u64>) -> Serving {
        let changes = &self.serving[service];
        let first = changes.partition_point(|(at, _)| *at <= over.start).saturating_sub(1);
        let mut seen = Serving { least: u32::MAX, most: 0, time: 0 };
        for (place, (at, count)) in changes.iter().enumerate().skip(first) {
            let until = changes.get(place + 1).map_or(u64::MAX, |(at, _)| *at).min(over.end);
            let from = (*at).max(over.start);
            // What lasted for no time was not so.
            if from < until || (over.is_empty() && place == first) {
                seen.least = seen.least.min(*count);
                seen.most = seen.most.max(*count);
                seen.time += u128::from(*count) * u128::from(until - from.min(until));
            }
            if *at >= over.end {
                break;
            }
        }
        seen.least = seen.least.min(seen.most);
        seen
    }
}

/// How many replicas served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Serving {
    pub(crate) least: u32,
    pub(crate) most: u32,
    /// Replicas times nanoseconds.
    pub(crate) time: u128,
}

/// The greatest value of each of a table of things, by segment and by window.
#[derive(Clone, Debug)]
pub(crate) struct Peaks {
    segments: Vec<Option<u64>>,
    segments_a_row: usize,
    window: Vec<Option<u64>>,
    /// By row: from the first window on, up to the last in which there was anything.
    windows: Vec<Vec<Option<u64>>>,
    closed: usize,
}

impl Peaks {
    fn new(rows: usize, segments: usize) -> Self {
        Self {
            segments: vec![None; rows * segments],
            segments_a_row: segments,
            window: vec![None; rows],
            windows: vec![Vec::new(); rows],
            closed: 0,
        }
    }

    fn note(&mut self, row: usize, segment: usize, value: u64) {
        for peak in [&mut self.segments[row * self.segments_a_row + segment], &mut self.window[row]] {
            *peak = (*peak).max(Some(value));
        }
    }

    fn close_window(&mut self) {
        for (window, windows) in self.window.iter_mut().zip(&mut self.windows).filter(|(window, _)| window.is_some()) {
            windows.resize(self.closed, None);
            windows.push(window.take());
        }
        self.closed += 1;
    }

    /// Over the given segments; `None` if there was nothing.
    pub(crate) fn over(&self, row: usize, segments: Range<usize>) -> Option<u64> {
        let first = row * self.segments_a_row;
        self.segments[first + segments.start..first + segments.end].iter().copied().max().flatten()
    }

    /// By window.
    pub(crate) fn windows(&self, row: usize) -> impl Iterator<Item = Option<u64>> {
        (0..self.closed).map(move |window| self.window(row, window))
    }

    /// In one window; `None` if there was nothing.
    pub(crate) fn window(&self, row: usize, window: usize) -> Option<u64> {
        self.windows[row].get(window).copied().flatten()
    }
}

impl Looks {
    fn add(&mut self, look: Look) {
        let count = match look {
            Look::Hit => &mut self.hits,
            Look::Absent => &mut self.absent,
            Look::Expired => &mut self.expired,
            Look::Failed(_) => &mut self.failed,
        };
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CHAIN, plan};

    #[test]
    fn peaks_have_a_place_for_every_window() {
        let mut peaks = Peaks::new(2, 1);
        for value in [None, Some(3), None, Some(5), None] {
            if let Some(value) = value {
                peaks.note(0, 0, value - 1);
                peaks.note(0, 0, value);
            }
            peaks.close_window();
        }
        assert!(peaks.windows(0).eq([None, Some(3), None, Some(5), None]));
        assert!(peaks.windows(1).eq([None; 5]));
        assert_eq!((peaks.window(0, 3), peaks.window(0, 4), peaks.over(0, 0..1)), (Some(5), None, Some(5)));
    }

    #[test]
    fn replicas_are_counted_over_any_stretch_of_time() {
        let plan = plan(CHAIN);
        let mut resources = Resources::new(&plan, 10, &Grains { plan: &plan });
        resources.serving[1] = vec![(0, 2), (10, 1), (30, 3), (30, 2), (50, 0)];
        let table = [
            (0..10, (2, 2, 20)),
            (5..20, (1, 2, 20)),
            (20..40, (1, 2, 30)),
            (30..60, (0, 2, 40)),
            (70..90, (0, 0, 0)),
            (10..10, (1, 1, 0)),
        ];
        for (over, (least, most, time)) in table {
            assert_eq!(resources.serving(1, over.clone()), Serving { least, most, time }, "{over:?}");
        }
    }
}
