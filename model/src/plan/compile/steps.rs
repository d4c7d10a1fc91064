//! Steps as programs.

use super::Compiler;
use crate::Span;
use crate::plan::{EndpointId, Join, Op, Pc, ServiceId};
use crate::spec::{Branch, Spanned, Step};

impl Compiler<'_> {
    /// The program of every endpoint.
    pub(super) fn programs(&mut self) {
        let topology = self.topology;
        let mut id = 0;
        for (caller, (_, service)) in topology.services.iter().enumerate() {
            for (_, endpoint) in service.endpoints.iter() {
                self.plan.endpoints[EndpointId::from(id).index()].entry = self.here();
                self.steps(ServiceId::from(caller), &endpoint.steps);
                self.push(Op::Reply);
                id += 1;
            }
        }
    }

    fn steps(&mut self, caller: ServiceId, steps: &[Spanned<Step>]) {
        for (at, step) in steps.iter().enumerate() {
            if self.bounds {
                let least = self.least(&steps[at..]);
                self.push(Op::Check { least });
            }
            self.step(caller, step);
        }
    }

    fn step(&mut self, caller: ServiceId, step: &Step) {
        match step {
            Step::Work(time) => {
                let op = Op::Work(self.time(time));
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
                self.push(Op::Query(database, time));
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
            // Refused before anything runs.
            Step::Get(_) | Step::Publish(_) => {}
        }
    }

    /// How long steps take at least, waiting aside.
    fn least(&self, steps: &[Spanned<Step>]) -> Span {
        let of_branch = |branch: &Branch| self.least(&branch.0);
        let one = |step: &Spanned<Step>| match &step.value {
            Step::Work(time) | Step::Wait(time) => time.least(),
            Step::Query(query) => {
                let of_database = self.topology.databases.find(&query.from).and_then(|one| one.query.as_ref());
                query.time.as_ref().or(of_database).map_or(Span::ZERO, |time| time.least())
            }
            Step::Parallel(parallel) => parallel.branches.iter().map(of_branch).max().unwrap_or(Span::ZERO),
            Step::Race(race) => race.branches.iter().map(of_branch).min().unwrap_or(Span::ZERO),
            Step::Repeat(repeat) => self.least(&repeat.steps) * u64::from(*repeat.times),
            Step::Chance(chance) => self.least(&chance.steps).min(self.least(&chance.otherwise)),
            Step::Call(_) | Step::Get(_) | Step::Publish(_) | Step::Fail(_) => Span::ZERO,
        };
        steps.iter().fold(Span::ZERO, |sum, step| sum + one(step))
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
