//! Topics: each is a row of the service table, with a replica and an endpoint for each subscriber. A message that waits
//! for its delivery waits in the replica's queue; the delivery is a call like any other.

use squall_policies::Span;

use super::{Compiler, limit};
use crate::plan::{Endpoint, EndpointId, Op, Pc, Role, Service, ServiceId, Topic, TopicId};
use crate::spec::{CallPolicy, Spanned};

impl Compiler<'_> {
    /// The rows of all topics; what their deliveries do comes later.
    pub(super) fn topic_tables(&mut self) {
        for (name, topic) in self.topology.topics.iter() {
            let (id, service) = (TopicId::from(self.plan.topics.len()), ServiceId::from(self.plan.services.len()));
            let subscribers = topic.to.0.len() as u32;
            self.plan.services.push(Service {
                name: name.value.clone(),
                role: Role::Topic(id),
                first_replica: self.next_replica(),
                replicas: subscribers,
                at_start: subscribers,
                workers: limit(*topic.concurrency),
                queue: limit(*topic.limit),
                queue_drops: false,
                discipline: None,
                admission: None,
                prioritized: false,
                bounded: false,
                cold_start: Span::ZERO,
                ready_after: Span::ZERO,
                cores: None,
                memory: None,
                autoscale: None,
                first_endpoint: EndpointId::from(self.plan.endpoints.len()),
                endpoints: subscribers,
            });
            for to in &topic.to.0 {
                let (method, path) = (String::new(), String::new());
                let name = format!("{}.{}", to.service.value, to.endpoint.value);
                let entry = Pc(0);
                self.plan.endpoints.push(Endpoint { name, service, entry, method, path, critical: false });
            }
            let publish = self.time(&topic.publish);
            self.plan.topics.push(Topic { name: name.value.clone(), publish, service });
        }
    }

    /// The deliveries of all topics.
    pub(super) fn topics(&mut self) {
        for (row, (_, topic)) in self.topology.topics.iter().enumerate() {
            let service = self.plan.topics[row].service;
            let first = self.plan.services[service.index()].first_endpoint;
            let policy = CallPolicy { retry: topic.retry.clone(), timeout: topic.timeout, ..CallPolicy::default() };
            for (number, to) in topic.to.0.iter().enumerate() {
                let endpoint = self.endpoint(to);
                let edge = self.edge(service, endpoint, &policy);
                let site = self.site(edge, endpoint, &policy);
                self.plan.endpoints[first.index() + number].entry = self.push(Op::Call(site));
                self.push(Op::Reply);
            }
        }
    }

    pub(super) fn topic(&mut self, name: &Spanned<String>) -> TopicId {
        let position = self.topology.topics.position(name);
        TopicId::from(self.known(position, name, "topic"))
    }
}
