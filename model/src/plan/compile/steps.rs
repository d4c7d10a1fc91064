//! Steps as programs.

use super::Compiler;
use crate::plan::{EndpointId, Join, Op, Pc, ServiceId};
use crate::spec::{Branch, Get, Spanned, Step};

impl Compiler<'_> {
    /// The program of every endpoint of a service.
    pub(super) fn programs(&mut self) {
        let topology = self.topology;
        let mut id = 0;
        for (caller, (_, service)) in topology.services.iter().enumerate() {
            for (_, endpoint) in service.endpoints.iter() {
                self.plan.endpoints[EndpointId::from(id).index()].entry = self.here();
                if service.memory.is_some() {
                    self.push(Op::Claim);
                }
                self.steps(ServiceId::from(caller), &endpoint.steps);
                self.push(Op::Reply);
                id += 1;
            }
        }
    }

    fn steps(&mut self, caller: ServiceId, steps: &[Spanned<Step>]) {
        for step in steps {
            self.step(caller, step);
        }
    }

    fn step(&mut self, caller: ServiceId, step: &Step) {
        match step {
            Step::Work(time) => {
                let (time, row) = (self.time(time), &self.plan.services[caller.index()]);
                let slows = row.memory.is_some_and(|memory| memory.slow_from.is_some());
                let op = if row.cores.is_some() || slows { Op::Compute(time) } else { Op::Work(time) };
                self.push(op);
            }
            Step::Wait(time) => {
                let op = Op::Wait(self.time(time));
                self.push(op);
            }
            Step::Query(query) => {
                let database = self.database(&query.from);
                let time = match &query.time {
                    Some(time) => self.time(time),
                    None => self.plan.databases[database.index()].query,
                };
                let pooled = self.plan.databases[database.index()].pool != u32::MAX;
                self.push(if pooled { Op::PooledQuery(database, time) } else { Op::Query(database, time) });
            }
            Step::Call(call) => {
                let site = self.call_site(caller, call);
                self.repeat(*call.times, |this| {
                    this.push(Op::Call(site));
                });
            }
            Step::Parallel(parallel) => {
                let join = if *parallel.fail_fast { Join::FailFast } else { Join::All };
                self.fork(caller, &parallel.branches, join);
            }
            Step::Race(race) => self.fork(caller, &race.branches, Join::Race),
            Step::Repeat(repeat) => self.repeat(*repeat.times, |this| this.steps(caller, &repeat.steps)),
            Step::Chance(chance) => {
                let start = self.push(Op::Chance { share: chance.of.0, otherwise: Pc(0) });
                self.steps(caller, &chance.steps);
                let jump = self.push(Op::Jump { to: Pc(0) });
                let otherwise = self.here();
                self.steps(caller, &chance.otherwise);
                let to = self.here();
                self.plan.ops[start.index()] = Op::Chance { share: chance.of.0, otherwise };
                self.plan.ops[jump.index()] = Op::Jump { to };
            }
            Step::Fail(fail) => {
                self.push(Op::Fail { share: fail.share.0, status: *fail.status });
            }
            Step::Get(get) => self.get(caller, get),
            Step::Publish(topic) => {
                let topic = self.topic(topic);
                self.push(Op::Publish(topic));
            }
        }
    }

    /// A look into a cache: on a miss its steps, which fill it.
    fn get(&mut self, caller: ServiceId, get: &Get) {
        let (cache, depth) = (self.cache(&get.from), self.depth);
        let look = self.push(Op::Get { cache, depth, hit: Pc(0) });
        self.depth += 1;
        self.plan.look_depth = self.plan.look_depth.max(self.depth);
        self.steps(caller, &get.miss);
        self.depth -= 1;
        self.push(Op::Fill { cache, depth });
        let hit = self.here();
        self.plan.ops[look.index()] = Op::Get { cache, depth, hit };
    }

    /// A body that runs so many times. Once is the body itself.
    fn repeat(&mut self, times: u32, body: impl FnOnce(&mut Self)) {
        if times == 1 {
            return body(self);
        }
        let start = self.push(Op::Repeat { times, after: Pc(0) });
        let first = self.here();
        body(self);
        self.push(Op::Again { body: first });
        let after = self.here();
        self.plan.ops[start.index()] = Op::Repeat { times, after };
    }

    /// Branches stand behind the fork, one after another; the way on is behind them.
    fn fork(&mut self, caller: ServiceId, branches: &[Branch], join: Join) {
        let fork = self.push(Op::Jump { to: Pc(0) });
        let on = self.push(Op::Jump { to: Pc(0) });
        let entries: Vec<Pc> = branches
            .iter()
            .map(|branch| {
                let entry = self.here();
                self.steps(caller, &branch.0);
                self.push(Op::Join);
                entry
            })
            .collect();
        let first = self.plan.branches.len() as u32;
        let count = entries.len() as u32;
        self.plan.branches.extend(entries);
        let to = self.here();
        self.plan.ops[fork.index()] = Op::Fork { first, count, join };
        self.plan.ops[on.index()] = Op::Jump { to };
    }
}
