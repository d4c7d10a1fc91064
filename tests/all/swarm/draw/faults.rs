//! What goes wrong.

use super::{Draw, Node, scalar};

/// What a fault hits, as far as it decides what can be done to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Service,
    Endpoint,
    Database,
    Call,
    Cache,
    /// One with nothing to empty.
    FixedCache,
    Topic,
    Load,
}

impl Draw {
    /// Faults that overlap, and often begin or end at the same instant.
    pub(super) fn faults(&mut self) -> Node {
        let count = self.pick(&[0, 0, 1, 1, 2, 3, 6]);
        Node::List((0..count).map(|n| self.fault(n)).collect())
    }

    fn fault(&mut self, n: u32) -> Node {
        let mut fault = Node::map();
        let at = self.pick(&[0, 1, self.duration / 4, self.duration / 2]).min(self.duration - 1);
        let lasts = self.pick(&[1, 2, self.duration.div_ceil(4), self.duration, self.duration * 3]);
        let ends = self.chance(75);
        if self.chance(40) {
            let name = format!("f{n}");
            fault.set("name", scalar(&name));
            if ends && at + lasts < self.duration {
                self.outlived.push(name);
            }
        }
        let (target, kind) = self.victim();
        fault.set("target", target);
        fault.set("at", self.steps(at));
        if ends {
            fault.set("for", self.steps(lasts));
            if self.chance(25) {
                let ramp = self.pick(&[lasts, lasts.div_ceil(2)]);
                fault.set("ramp", self.steps(ramp));
            }
        }
        if ends && self.chance(20) {
            let every = self.span(&[1, 5, 20]);
            fault.set("every", every);
        }
        if self.chance(10) {
            fault.set("pick", scalar(1));
        }
        let mut done = Vec::new();
        for _ in 0..self.pick(&[1, 1, 1, 2]) {
            let effect = self.effect(kind);
            if !done.contains(&effect) {
                done.push(effect);
                let how = self.how(effect);
                fault.set(effect, how);
            }
        }
        fault
    }

    fn victim(&mut self) -> (Node, Kind) {
        let service = self.below(self.services.len() as u64) as usize;
        let (name, replicas) = (self.services[service].name.clone(), self.services[service].replicas);
        match self.below(14) {
            10 if !self.caches.is_empty() => {
                let cache = self.below(self.caches.len() as u64) as usize;
                (scalar(&self.caches[cache]), if self.fixed[cache] { Kind::FixedCache } else { Kind::Cache })
            }
            11 if !self.topics.is_empty() => {
                let topic = self.below(self.topics.len() as u64) as usize;
                (scalar(&self.topics[topic].name), Kind::Topic)
            }
            12 => (scalar(&self.loads[0]), Kind::Load),
            0 | 1 if !self.databases.is_empty() => {
                let database = self.below(self.databases.len() as u64) as usize;
                (scalar(&self.databases[database]), Kind::Database)
            }
            2 | 3 => {
                let call = self.below(self.calls.len() as u64) as usize;
                let (from, to) = &self.calls[call];
                (scalar(format!("{from} -> {to}")), Kind::Call)
            }
            4 => {
                let endpoint = &self.services[service].endpoints[0].name;
                (scalar(format!("{name}.{endpoint}")), Kind::Endpoint)
            }
            5 => (scalar(format!("{name}[{}]", self.below(replicas))), Kind::Service),
            6 => {
                let other = self.below(self.services.len() as u64) as usize;
                (Node::List(vec![scalar(name), scalar(&self.services[other].name)]), Kind::Service)
            }
            _ => (scalar(name), Kind::Service),
        }
    }

    fn effect(&mut self, kind: Kind) -> &'static str {
        let all = [
            "latency",
            "add",
            "times",
            "errors",
            "down",
            "pause",
            "corrupt",
            "hang",
            "drop",
            "partition",
            "capacity",
            "kill",
            "restart",
        ];
        let effect = match kind {
            Kind::Service => self.pick(&all),
            Kind::Database => self.pick(&all[..11]),
            Kind::Cache if self.chance(30) => "flush",
            Kind::Endpoint | Kind::Call | Kind::Topic | Kind::Cache | Kind::FixedCache => self.pick(&all[..10]),
            Kind::Load => "rate",
        };
        let lasts_for_ever = matches!(effect, "hang" | "drop" | "partition");
        if self.patient && lasts_for_ever { "pause" } else { effect }
    }

    fn how(&mut self, effect: &str) -> Node {
        match effect {
            "latency" | "add" => self.time(),
            "times" => scalar(self.pick(&["0", "0.5", "1", "10", "1000"])),
            "rate" => scalar(self.pick(&["0", "0.5", "2"])),
            "corrupt" | "drop" | "errors" => scalar(self.pick(&["0%", "50%", "100%"])),
            "capacity" => scalar(self.pick(&["0%", "10%", "50%", "100%"])),
            "restart" => scalar(self.pick(&["0s", "50ms", "5s"])),
            "kill" => scalar(self.pick(&[1, 1, 2, 100])),
            _ => scalar("true"),
        }
    }
}
