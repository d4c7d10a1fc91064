//! What endpoints do.

use super::policies::Attempts;
use super::{Draw, MOST_PER_REQUEST, Node, one, scalar};

/// Whose steps are drawn, and what they may still cost.
struct Place<'a> {
    service: usize,
    attempts: &'a Attempts,
    depth: u32,
}

impl Draw {
    /// An endpoint's steps, and how many requests they lead to.
    pub(super) fn endpoint_steps(&mut self, service: usize, attempts: &Attempts) -> (Node, f64) {
        let (mut steps, mut cost) = self.list(&Place { service, attempts, depth: 0 }, MOST_PER_REQUEST);
        if !self.patient && self.chance(4) {
            // It may call itself: with one worker it waits for itself.
            let Self { services, .. } = self;
            let (name, endpoint) = (&services[service].name, &services[service].endpoints[0].name);
            self.calls.push((name.clone(), name.clone()));
            let mut call = one("to", scalar(format!("{name}.{endpoint}")));
            call.set("retry", one("attempts", scalar(1)));
            let mut chance = one("of", scalar("20%"));
            chance.set("do", Node::List(vec![one("call", call)]));
            steps.push(one("chance", chance));
            cost *= 1.5;
        }
        (Node::List(steps), cost)
    }

    fn list(&mut self, place: &Place<'_>, room: f64) -> (Vec<Node>, f64) {
        let count = self.pick(&[0, 1, 1, 2, 3]);
        let mut cost = 0.0;
        let steps = (0..count).map(|_| {
            let (step, more) = self.step(place, room - cost);
            cost += more;
            step
        });
        (steps.collect(), cost)
    }

    /// One step that leads to at most `room` requests, and to how many it does.
    fn step(&mut self, place: &Place<'_>, room: f64) -> (Node, f64) {
        let kind = self.below(if place.depth < 3 { 20 } else { 8 });
        match kind {
            0 => (one("wait", self.time()), 0.0),
            1 => (one("fail", self.fail()), 0.0),
            2 | 3 if !self.databases.is_empty() => (one("query", self.query()), 0.0),
            4..=8 if place.service + 1 < self.services.len() => self.call(place, room),
            9 | 10 => self.branches("parallel", place, room),
            11 => self.branches("race", place, room),
            12 | 13 => self.repeat(place, room),
            14 | 15 => self.either(place, room),
            16 | 17 => match self.publish(place.service, room) {
                Some(published) => published,
                None => (one("work", self.time()), 0.0),
            },
            18 | 19 if !self.caches.is_empty() => {
                let inner = Place { depth: place.depth + 1, ..*place };
                let (miss, cost) = self.list(&inner, room);
                let get = self.get(miss);
                get.map_or_else(|| (one("work", scalar("0s")), 0.0), |get| (get, cost))
            }
            _ => (one("work", self.time()), 0.0),
        }
    }

    fn fail(&mut self) -> Node {
        let share = self.pick(&["0%", "10%", "50%", "100%"]);
        if self.chance(70) {
            return scalar(share);
        }
        let mut fail = one("share", scalar(share));
        fail.set("status", scalar(self.pick(&[400, 503, 599])));
        fail
    }

    fn query(&mut self) -> Node {
        let database = self.below(self.databases.len() as u64) as usize;
        let from = scalar(&self.databases[database]);
        if self.chance(70) {
            return from;
        }
        let mut query = one("from", from);
        query.set("time", self.time());
        query
    }

    fn call(&mut self, place: &Place<'_>, room: f64) -> (Node, f64) {
        let callee = place.service + 1 + self.below((self.services.len() - place.service - 1) as u64) as usize;
        let endpoint = self.below(self.services[callee].endpoints.len() as u64) as usize;
        let (caller, name) = (self.services[place.service].name.clone(), self.services[callee].name.clone());
        let endpoint = &self.services[callee].endpoints[endpoint];
        let (to, cost) = (scalar(format!("{name}.{}", endpoint.name)), endpoint.cost);
        let attempts = f64::from(place.attempts.of(&name));
        if cost * attempts > room {
            return (one("work", self.time()), 0.0);
        }
        self.calls.push((caller, name));
        if self.chance(70) {
            return (one("call", to), cost * attempts);
        }
        let mut call = one("to", to);
        let times = self.pick(&[1, 2, 5]);
        let mut total = cost * attempts;
        if total * f64::from(times) <= room {
            call.set("times", scalar(times));
            total *= f64::from(times);
        }
        self.maybe(50, &mut call, "timeout", |draw| draw.span(&[1, 2, 5]));
        self.maybe(30, &mut call, "fallback", |_| Node::map());
        (one("call", call), total)
    }

    /// Several branches side by side: wide or deep, of one step or a list.
    fn branches(&mut self, key: &str, place: &Place<'_>, room: f64) -> (Node, f64) {
        let inner = Place { depth: place.depth + 1, ..*place };
        let mut cost = 0.0;
        let mut branches = Vec::new();
        for _ in 0..self.pick(&[0, 1, 2, 3, 10]) {
            let (branch, more) = if self.chance(60) {
                self.step(&inner, room - cost)
            } else {
                let (steps, cost) = self.list(&inner, room - cost);
                (Node::List(steps), cost)
            };
            cost += more;
            branches.push(branch);
        }
        let branches = Node::List(branches);
        if key == "parallel" && self.chance(40) {
            let mut long = one("do", branches);
            long.set("fail_fast", scalar(self.pick(&["true", "false"])));
            return (one(key, long), cost);
        }
        (one(key, branches), cost)
    }

    fn repeat(&mut self, place: &Place<'_>, room: f64) -> (Node, f64) {
        let times = self.pick(&[1, 2, 3, 10]);
        let inner = Place { depth: place.depth + 1, ..*place };
        let (steps, cost) = self.list(&inner, room / f64::from(times));
        let mut repeat = one("times", scalar(times));
        repeat.set("do", Node::List(steps));
        (one("repeat", repeat), cost * f64::from(times))
    }

    fn either(&mut self, place: &Place<'_>, room: f64) -> (Node, f64) {
        let inner = Place { depth: place.depth + 1, ..*place };
        let mut chance = one("of", scalar(self.pick(&["0%", "30%", "100%"])));
        let (steps, cost) = self.list(&inner, room);
        let (otherwise, other) = self.list(&inner, room);
        if steps.is_empty() && otherwise.is_empty() {
            return (one("work", self.time()), 0.0);
        }
        chance.set("do", Node::List(steps));
        chance.set("else", Node::List(otherwise));
        (one("chance", chance), cost.max(other))
    }
}
