//! Autoscalers: the rule of Kubernetes' horizontal pod autoscaler (`kubernetes/kubernetes` v1.31,
//! `pkg/controller/podautoscaler/replica_calculator.go` and `horizontal.go`): so many replicas that each is as busy as
//! the target says, unless that is within a tenth of how it is; replicas that are still starting count as idle when more
//! are wanted; fewer only when fewer have sufficed for a while. Limits on the pace of scaling are not modelled.
//!
//! A service that is scaled to nothing is started by the first request that comes, which waits for it.

use std::collections::VecDeque;

use squall_policies::SimTime;

use super::host::{Class, Delay, Host};
use super::key::{Key, Place};
use super::service::Replica;
use super::system::System;
use crate::observation::Observation;
use crate::plan::{Autoscale, Plan, ReplicaId, ScaleOn, ServiceId};

/// No change for less than this.
const TOLERANCE: f64 = 0.1;

/// The autoscaler of one service.
#[derive(Debug)]
pub(super) struct Scaler {
    pub(super) service: ServiceId,
    pub(super) settings: Autoscale,
    /// The key of the next time it looks.
    look: Key,
    /// What it would have had, and when, as far back as it matters.
    wanted: VecDeque<(SimTime, u32)>,
    /// By replica of the service: whether it is to run, and how busy it was.
    runs: Vec<bool>,
    meters: Vec<Meter>,
}

/// How busy a replica was since the autoscaler last looked.
#[derive(Clone, Copy, Default, Debug)]
struct Meter {
    /// Worker-nanoseconds.
    busy: u128,
    /// Nanoseconds for which it was ready.
    ready: u64,
    /// Up to when both are known.
    since: SimTime,
    /// CPU that it had used when the autoscaler last looked.
    cpu_before: f64,
}

impl Scaler {
    /// Those of all services, by service.
    pub(super) fn all(plan: &Plan) -> Vec<Option<Self>> {
        let of = |(row, service): (usize, &crate::plan::Service)| {
            service.autoscale.map(|settings| Self {
                service: ServiceId::from(row),
                settings,
                look: Key::NONE,
                wanted: VecDeque::from([(SimTime::ZERO, service.at_start)]),
                runs: (0..service.replicas).map(|number| number < service.at_start).collect(),
                meters: vec![Meter::default(); service.replicas as usize],
            })
        };
        plan.services.iter().enumerate().map(of).collect()
    }

    /// How many replicas there should be: `current` are there or starting, `ready` of them serve and are `used` to this
    /// share.
    fn desired(&self, current: u32, ready: u32, used: f64) -> u32 {
        let ratio = used / self.settings.target;
        let starting = current.saturating_sub(ready);
        if ratio <= 1.0 || starting == 0 {
            let close = (ratio - 1.0).abs() <= TOLERANCE + 1e-9;
            return if close { current } else { ceil(ratio * f64::from(ready)) };
        }
        let damped = ratio * f64::from(ready) / f64::from(current);
        if damped <= 1.0 + TOLERANCE + 1e-9 { current } else { ceil(damped * f64::from(current)).max(current) }
    }

    /// As [`desired`](Self::desired), within the limits, and fewer only if they have sufficed for long enough.
    fn decide(&mut self, now: SimTime, current: u32, desired: u32) -> u32 {
        let desired = desired.clamp(self.settings.min, self.settings.max);
        self.wanted.push_back((now, desired));
        let window = self.settings.scale_down_after;
        while self.wanted.front().is_some_and(|(at, _)| now - *at > window) {
            self.wanted.pop_front();
        }
        let most = self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or(desired);
        if desired >= current { desired } else { most.min(current) }
    }
}

/// As Kubernetes rounds: up, but not for an error in the last digits.
fn ceil(replicas: f64) -> u32 {
    (replicas - 1e-9).ceil().max(0.0) as u32
}

impl System<'_> {
    /// The autoscalers look for the first time.
    pub(super) fn begin_scaling(&mut self, host: &mut impl Host, now: SimTime) {
        for row in 0..self.scalers.len() {
            self.look_again(host, now, ServiceId::from(row));
        }
    }

    fn look_again(&mut self, host: &mut impl Host, now: SimTime, service: ServiceId) {
        let first = self.plan.services[service.index()].first_replica;
        let Some(scaler) = &mut self.scalers[service.index()] else { return };
        let next = now + scaler.settings.every;
        if next <= self.scaled_until {
            scaler.look = self.tickets.next(Place::Replica(first.0));
            host.arm(now, Delay::of(scaler.settings.every), Class::Completion, scaler.look);
        }
    }

    /// Takes the time since the last change of how busy a scaled replica is.
    pub(super) fn meter(&mut self, now: SimTime, id: ReplicaId) {
        let replica = &self.replicas[id.index()];
        let service = replica.service;
        let Some(scaler) = &mut self.scalers[service.index()] else { return };
        let place = id.0 - self.plan.services[service.index()].first_replica.0;
        scaler.meters[place as usize].pass(now, replica);
    }

    /// The autoscaler looks; answers whether the key was for this.
    pub(super) fn scale(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId, key: Key) -> bool {
        let service = self.replicas[id.index()].service;
        if self.scalers[service.index()].as_ref().is_none_or(|scaler| scaler.look != key) {
            return false;
        }
        let range = self.plan.services[service.index()].replica_range();
        let current = range.clone().filter(|row| self.is_wanted(ReplicaId::from(*row))).count() as u32;
        let ready =
            range.filter(|row| self.is_wanted(ReplicaId::from(*row)) && self.replicas[*row].ready).count() as u32;
        if let Some(used) = self.used_since_last(now, service) {
            let scaler = self.scalers[service.index()].as_mut();
            let to = scaler.map_or(current, |scaler| {
                let desired = scaler.desired(current, ready, used);
                scaler.decide(now, current, desired)
            });
            let waited_for = self.plan.services[service.index()].replica_range();
            let waited_for = waited_for.filter(|row| self.is_waited_for(ReplicaId::from(*row))).count() as u32;
            let to = to.max(waited_for.min(current));
            host.observe(now, Observation::Scaled { service, from: current, to, ready, used });
            self.scale_to(host, now, service, to);
        }
        self.look_again(host, now, service);
        true
    }

    /// The share of workers or cores in use since the autoscaler last looked, on replicas that are ready; `None` if none
    /// was.
    fn used_since_last(&mut self, now: SimTime, service: ServiceId) -> Option<f64> {
        let row = &self.plan.services[service.index()];
        let (mut busy, mut ready) = (0.0, 0.0);
        for (place, replica) in row.replica_range().enumerate() {
            let cpu = self.cpu_used(now, ReplicaId::from(replica));
            let scaler = self.scalers[service.index()].as_mut()?;
            let meter = &mut scaler.meters[place];
            meter.pass(now, &self.replicas[replica]);
            let of_cpu = scaler.settings.of == ScaleOn::Cpu;
            busy += if of_cpu { cpu - meter.cpu_before } else { meter.busy as f64 };
            ready += meter.ready as f64;
            *meter = Meter { since: now, cpu_before: cpu, ..Meter::default() };
        }
        let each = match self.scalers[service.index()].as_ref()?.settings.of {
            ScaleOn::Workers => f64::from(row.workers),
            ScaleOn::Cpu => row.cores?,
        };
        (ready > 0.0).then(|| busy / (ready * each))
    }

    fn scale_to(&mut self, host: &mut impl Host, now: SimTime, service: ServiceId, to: u32) {
        let range = self.plan.services[service.index()].replica_range();
        let count = |system: &Self| range.clone().filter(|row| system.is_wanted(ReplicaId::from(*row))).count() as u32;
        while count(self) < to {
            // One that has nothing left to do, rather than one that is still stopping.
            let off = || range.clone().filter(|row| !self.is_wanted(ReplicaId::from(*row)));
            let idle = off().find(|row| self.replicas[*row].busy == 0);
            let Some(row) = idle.or_else(|| off().next()) else { return };
            self.start_replica(host, now, ReplicaId::from(row));
        }
        while count(self) > to {
            // One that does not serve yet, rather than one that does; but none whose start is waited for.
            let on = || {
                let on = range.clone().rev().map(ReplicaId::from);
                on.filter(|id| self.is_wanted(*id) && !self.is_waited_for(*id)).map(ReplicaId::index)
            };
            let Some(row) = on().find(|row| !self.replicas[*row].ready).or_else(|| on().next()) else { return };
            self.stop_replica(host, now, ReplicaId::from(row));
        }
    }

    /// A replica is started; it serves after its cold start.
    fn start_replica(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        self.set_wanted(id, true);
        self.replicas[id.index()].draining = false;
        self.clear_memory(id);
        self.restart(host, now, id);
    }

    /// A replica gets no more requests, and does what it has to the end.
    fn stop_replica(&mut self, host: &mut impl Host, now: SimTime, id: ReplicaId) {
        self.meter(now, id);
        self.set_wanted(id, false);
        let replica = &mut self.replicas[id.index()];
        replica.restart = Key::NONE;
        replica.starting = false;
        let served = core::mem::replace(&mut replica.ready, false);
        if served {
            host.observe(now, Observation::ReplicaDown { replica: id });
        }
        self.clear_routes();
    }

    /// A service that has no replica left, though it may have some: one is started, if none is yet, and waited for.
    #[cold]
    #[inline(never)]
    pub(super) fn activate(&mut self, host: &mut impl Host, now: SimTime, service: ServiceId) -> Option<ReplicaId> {
        let scaler = self.scalers[service.index()].as_ref().filter(|scaler| scaler.settings.min == 0)?;
        let (scaled, range) = (scaler.service, self.plan.services[service.index()].replica_range());
        if let Some(row) = range.clone().find(|row| self.is_wanted(ReplicaId::from(*row))) {
            return Some(ReplicaId::from(row));
        }
        host.observe(now, Observation::Scaled { service: scaled, from: 0, to: 1, ready: 0, used: 0.0 });
        self.scale_to(host, now, service, 1);
        let row = range.into_iter().find(|row| self.is_wanted(ReplicaId::from(*row)))?;
        self.doors_changed = true;
        Some(ReplicaId::from(row))
    }

    /// Whether a replica is to run, as far as its autoscaler is concerned.
    pub(super) fn is_wanted(&self, id: ReplicaId) -> bool {
        let service = self.replicas[id.index()].service;
        let place = (id.0 - self.plan.services[service.index()].first_replica.0) as usize;
        self.scalers[service.index()].as_ref().is_none_or(|scaler| scaler.runs[place])
    }

    fn set_wanted(&mut self, id: ReplicaId, wanted: bool) {
        let service = self.replicas[id.index()].service;
        let place = (id.0 - self.plan.services[service.index()].first_replica.0) as usize;
        if let Some(scaler) = &mut self.scalers[service.index()] {
            scaler.runs[place] = wanted;
        }
    }

    /// Requests take the long way where replicas come and go.
    pub(super) fn scaled_take_the_long_way(&mut self) {
        for replica in &mut self.replicas {
            replica.disturbed |= self.scalers[replica.service.index()].is_some();
        }
    }

    /// Whether requests wait for this replica to start, instead of being refused.
    pub(super) fn waits_for_start(&self, id: ReplicaId) -> bool {
        let replica = &self.replicas[id.index()];
        let from_nothing = || {
            let scaler = self.scalers[replica.service.index()].as_ref();
            scaler.is_some_and(|scaler| scaler.settings.min == 0)
        };
        !replica.ready && !replica.draining && self.is_wanted(id) && from_nothing()
    }

    /// Whether requests wait for this replica to start: whoever took it away would leave them waiting for ever.
    fn is_waited_for(&self, id: ReplicaId) -> bool {
        let waiting = self.replicas[id.index()].queue.len() > 0 || self.guards.waiting(id) > 0;
        waiting && self.waits_for_start(id)
    }
}

impl Meter {
    fn pass(&mut self, now: SimTime, replica: &Replica) {
        let span = (now - self.since).as_nanos();
        if replica.ready {
            self.busy += u128::from(replica.busy) * u128::from(span);
            self.ready += span;
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn scaler(min: u32, max: u32) -> Scaler {
        let settings = Autoscale {
            min,
            max,
            target: 0.5,
            of: ScaleOn::Workers,
            every: Span::from_secs(15),
            scale_down_after: Span::from_secs(60),
        };
        Scaler {
            service: ServiceId(0),
            settings,
            look: Key::NONE,
            wanted: VecDeque::new(),
            runs: Vec::new(),
            meters: Vec::new(),
        }
    }

    #[test]
    fn the_rule_is_that_of_kubernetes() {
        // Current, ready, used; wanted. The target is 50 %.
        let table = [
            (2, 2, 0.5, 2),
            (2, 2, 0.54, 2),
            (2, 2, 0.55, 2),
            (2, 2, 0.56, 3),
            (2, 2, 1.0, 4),
            (4, 4, 0.45, 4),
            (4, 4, 0.44, 4),
            (4, 4, 0.25, 2),
            (4, 4, 0.0, 0),
            // Two that are starting count as idle: 1.0 on two is 0.5 on four.
            (4, 2, 1.0, 4),
            (3, 2, 1.0, 4),
            // Those that are starting do not count when fewer are wanted.
            (4, 2, 0.25, 1),
        ];
        for (current, ready, used, wanted) in table {
            assert_eq!(scaler(0, 99).desired(current, ready, used), wanted, "{ready} of {current} used to {used}");
        }
    }

    #[test]
    fn fewer_come_only_after_fewer_have_sufficed_for_long_enough() {
        let mut scaler = scaler(1, 6);
        let at = |s: u64| SimTime::from_nanos(s * 1_000_000_000);
        let table = [(15, 2, 4, 4), (30, 4, 9, 6), (45, 6, 2, 6), (60, 6, 3, 6), (105, 6, 1, 3), (121, 3, 0, 1)];
        for (now, current, desired, wanted) in table {
            assert_eq!(scaler.decide(at(now), current, desired), wanted, "at {now} s");
        }
    }
}
