//! Topics: publishing costs its time, and is over. Each subscriber has a row of messages of its own, which wait for their
//! delivery at a replica of the topic; a delivery is a call like any other, and its retries are the call's.

use squall_policies::{Outcome, SimTime, Span};

use super::fiber::State;
use super::host::{Class, Delay, Host, Request};
use super::key::Key;
use super::system::{Step, System};
use crate::observation::Observation;
use crate::plan::{EdgeId, EndpointId, Op, Plan, ReplicaId, Topic, TopicId};
use crate::rng::Stream;

/// One topic.
#[derive(Debug)]
pub(super) struct TopicState {
    pub disturbed: bool,
    /// How long publishing takes.
    time: Stream,
}

impl TopicState {
    pub(super) fn new(plan: &Plan, topic: &Topic) -> Self {
        Self { disturbed: false, time: Stream::new(plan.seed, &format!("publish/{}", topic.name)) }
    }
}

impl System<'_> {
    /// Begins to publish.
    #[cold]
    #[inline(never)]
    pub(super) fn publish(&mut self, host: &mut impl Host, now: SimTime, index: u32, id: TopicId) -> Step {
        self.fibers[index].step_began = now;
        let topic = &mut self.topics[id.index()];
        let mut delay = System::draw(self.plan, self.plan.topics[id.index()].publish, &mut topic.time);
        if topic.disturbed {
            if let Some(outcome) = self.topic_fails(host, now, id) {
                self.observe_publishing(host, now, index, id, outcome);
                return Step::Finish(index, outcome);
            }
            delay = Delay::of(self.disturb_publishing(host, now, id, delay.span));
        }
        if delay.span.is_zero() {
            return self.published(host, now, index);
        }
        let key = self.ticket(index);
        self.fibers[index].state = State::Publishing;
        self.tell_state(host, now, index);
        host.arm(now, delay, Class::Completion, key);
        Step::Rest
    }

    /// A message is on its topic: one for each subscriber, unless it is lost.
    pub(super) fn published(&mut self, host: &mut impl Host, now: SimTime, index: u32) -> Step {
        let Op::Publish(id) = self.plan.ops[self.fibers[index].pc.index() - 1] else { return Step::Run(index) };
        self.observe_publishing(host, now, index, id, Outcome::Ok);
        if self.topics[id.index()].disturbed && self.topic_loses(host, now, id) {
            return Step::Run(index);
        }
        let segment = self.fibers[index].segment();
        let row = &self.plan.services[self.plan.topics[id.index()].service.index()];
        for subscriber in 0..row.replicas {
            let to = ReplicaId(row.first_replica.0 + subscriber);
            let endpoint = EndpointId(row.first_endpoint.0 + subscriber);
            let message = Request { from: Key::NONE, edge: EdgeId::OUTSIDE, to, endpoint, segment };
            self.later.push_back(Step::Arrive(message));
        }
        Step::Run(index)
    }

    fn observe_publishing(&mut self, host: &mut impl Host, now: SimTime, index: u32, topic: TopicId, outcome: Outcome) {
        let fiber = &self.fibers[index];
        let (segment, took): (_, Span) = (fiber.segment(), now - fiber.step_began);
        host.observe(now, Observation::Published { topic, segment, outcome, took });
    }
}
