//! A service: replicas with workers, a queue, CPU and memory, and what its endpoints do.

use super::{Admission, Autoscale, Balancer, CallPolicy, CallStep, Calls, Endpoint, Memory, Queue};
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{Named, element};
use crate::spec::values::Limit;

element! {
    /// A service.
    "a service"
    pub struct Service {
        /// How many of it run. Default 1.
        replicas: Spanned<u32> = Spanned::unwritten(1),
        /// Threads per replica; a request holds one from start to reply, also while it waits for others. Default
        /// unlimited.
        workers: Spanned<Limit> = Spanned::unwritten(Limit::Unlimited),
        /// Requests that wait for a worker, per replica. Default: any number, first come first served.
        queue: Option<Spanned<Queue>> = None,
        /// CPU cores per replica, shared by all `work`. Default: never short of CPU.
        cores: Option<Spanned<f64>> = None,
        /// Memory per replica. Default: not looked at.
        memory: Option<Spanned<Memory>> = None,
        /// From start to first request served. Default 0s.
        cold_start: Spanned<Span> = Spanned::unwritten(Span::ZERO),
        /// From start to when callers send requests to it, which it refuses until its cold start is over. Default: its
        /// cold start, as a readiness probe that tells the truth has it.
        ready_after: Option<Spanned<Span>> = None,
        /// How callers choose a replica, unless they say otherwise. Default `round_robin`.
        balancer: Spanned<Balancer> = Spanned::unwritten(Balancer::default()),
        /// What is let in at all, per replica. Default: everything.
        admission: Option<Spanned<Admission>> = None,
        /// Starts and stops replicas. Default: never.
        autoscale: Option<Spanned<Autoscale>> = None,
        /// What it can be asked for, by name.
        endpoints: Named<Endpoint> = Named::default(),
        /// How it calls others.
        calls: Calls = Calls::default(),
    }
}

impl Service {
    /// How many replicas it may have.
    pub fn most_replicas(&self) -> u32 {
        self.autoscale.as_ref().map_or(self.replicas.value, |autoscale| autoscale.max.value)
    }

    /// From the start of a replica to when callers send requests to it.
    pub fn ready_after(&self) -> Span {
        self.ready_after.as_ref().map_or(self.cold_start.value, |ready| ready.value)
    }

    /// The policies of one of its call steps: the step's own, or those for the callee.
    pub fn policy_of<'a>(&'a self, step: &'a CallStep) -> &'a CallPolicy {
        match &step.policy {
            Some(policy) => &policy.value,
            None => self.calls.policy(&step.to.service),
        }
    }
}
