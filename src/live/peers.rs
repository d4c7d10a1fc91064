//! Several processes, a service each: who is where. A peers file says it as `squall up` prints it: a name and a URL a
//! line. Names are services, or replicas as `order[1]`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

use squall_loadgen::{Target, TargetError};
use squall_model::plan::{Plan, ReplicaId};

/// The part of a plan that one process runs, and where the others are.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Part {
    /// By replica: whether this process runs it.
    pub(crate) here: Vec<bool>,
    /// By replica: where it is, if that is known.
    pub(crate) places: Vec<Option<SocketAddr>>,
    /// The same in every process that was given the same peers.
    pub(crate) run: u64,
}

impl Part {
    /// The services or replicas `only` of a plan, with the peers of this text. Everything that is wrong, by line.
    pub(crate) fn new(plan: &Plan, only: &[String], peers: &str, allowed: &[String]) -> Result<Self, Vec<String>> {
        let names = Names::of(plan);
        let mut problems = Vec::new();
        let mut part =
            Self { here: vec![false; names.0.len()], places: vec![None; names.0.len()], run: run(plan, peers) };
        for name in only {
            match names.replicas(name) {
                Some(replicas) => part.here[replicas].fill(true),
                None => problems.push(format!("--only {name}: {}", names.unknown(name))),
            }
        }
        for (number, line) in peers.lines().enumerate() {
            if let Err(why) = part.read(&names, line, allowed) {
                problems.push(format!("line {} of the peers: {why}", number + 1));
            }
        }
        if problems.is_empty() {
            part.check(plan, &names, &mut problems);
        }
        if problems.is_empty() { Ok(part) } else { Err(problems) }
    }

    /// Reads one line.
    fn read(&mut self, names: &Names, line: &str, allowed: &[String]) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, url) = match words[..] {
            [] | ["ready"] => return Ok(()),
            [first, ..] if first.starts_with('#') => return Ok(()),
            [name, url] => (name, url),
            _ => return Err("write a name and a URL, such as `order http://127.0.0.1:8080`".into()),
        };
        let replicas = names.replicas(name).ok_or_else(|| names.unknown(name))?;
        let [replica] = replicas.clone().collect::<Vec<_>>()[..] else {
            return Err(format!("`{name}` has {} replicas: name each, such as `{name}[0]`", replicas.len()));
        };
        let target = Target::new(url, allowed).map_err(|error| {
            let hint = if matches!(error, TargetError::Remote(_)) { ": say --allow-remote if it is yours" } else { "" };
            format!("`{url}`: {error}{hint}")
        })?;
        if !target.prefix.is_empty() {
            return Err(format!("`{url}`: a service has no path before its own"));
        }
        self.places[replica] = Some(target.address);
        Ok(())
    }

    /// Whether everybody who is called from here has a place.
    fn check(&self, plan: &Plan, names: &Names, problems: &mut Vec<String>) {
        for edge in &plan.edges {
            let caller = edge.caller.index();
            // A topic is in every process that publishes.
            let is_topic = (plan.real_services..plan.first_client).contains(&caller);
            let calls = is_topic || plan.services[caller].replica_range().any(|row| self.is_here(row));
            let callee = plan.services[edge.callee.index()].replica_range();
            for row in callee.filter(|row| calls && !self.is_here(*row) && self.places[*row].is_none()) {
                problems.push(format!("the peers do not say where {} is, which `{}` needs", names.0[row], edge.name));
            }
        }
    }

    fn is_here(&self, row: usize) -> bool {
        self.here.get(row).copied().unwrap_or(false)
    }

    /// The port that a replica of this process listens on, if the peers say so.
    pub(crate) fn port(&self, replica: ReplicaId) -> Option<u16> {
        self.places[replica.index()].map(|place| place.port())
    }
}

/// The replicas of a plan's services by name.
struct Names(Vec<String>);

impl Names {
    fn of(plan: &Plan) -> Self {
        let services = plan.services[..plan.real_services].iter();
        let names = services.flat_map(|service| {
            let name = |number| format!("{}[{number}]", service.name);
            (0..service.replicas)
                .map(move |number| if service.replicas == 1 { service.name.clone() } else { name(number) })
        });
        Self(names.collect())
    }

    /// The rows of a service's replicas, or of one replica.
    fn replicas(&self, name: &str) -> Option<std::ops::Range<usize>> {
        if let Some(row) = self.0.iter().position(|known| known == name) {
            return Some(row..row + 1);
        }
        let first = self.0.iter().position(|known| *known == format!("{name}[0]"))?;
        let numbered = |(number, known): &(usize, &String)| **known == format!("{name}[{number}]");
        let count = self.0[first..].iter().enumerate().take_while(numbered).count();
        Some(first..first + count)
    }

    fn unknown(&self, name: &str) -> String {
        format!("there is no service or replica `{name}`; there are {}", self.0.join(", "))
    }
}

/// A number that says which processes belong together: those with the same plan and the same peers.
fn run(plan: &Plan, peers: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (peers, &plan.name).hash(&mut hasher);
    plan.edges.iter().for_each(|edge| edge.name.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{plan, spec};

    fn shop() -> Plan {
        let text = "
name: shop
duration: 1s
services:
  front: {endpoints: {buy: {steps: [{call: stock.take}]}}}
  stock: {replicas: 2, endpoints: {take: {steps: [{work: 1ms}]}}}
load: [{name: l, to: front.buy, rate: 1/s}]
";
        let read = spec::read(text, &[], &|_| Err(String::new()));
        plan::compile(&read.topology.unwrap()).unwrap()
    }

    fn part(only: &str, peers: &str) -> Result<Part, Vec<String>> {
        Part::new(&shop(), &[only.to_owned()], peers, &[])
    }

    const PEERS: &str = "# who is where
front http://127.0.0.1:4000
stock[0] http://127.0.0.1:4001
stock[1] http://localhost:4002

ready
";

    #[test]
    fn peers_are_read_as_they_are_printed() {
        let front = part("front", PEERS).unwrap();
        assert_eq!(front.here, [true, false, false]);
        assert_eq!((front.port(ReplicaId(0)), front.port(ReplicaId(2))), (Some(4000), Some(4002)));
        assert_eq!(part("stock", PEERS).unwrap().here, [false, true, true]);
        let one = part("stock[1]", PEERS).unwrap();
        assert_eq!((one.here, one.run), (vec![false, false, true], front.run));
        assert!(part("stock", "").is_ok(), "it calls nobody");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let table = [
            ("fornt", PEERS, "no service or replica `fornt`"),
            ("front", "front", "write a name and a URL"),
            ("front", "stock http://127.0.0.1:4001", "has 2 replicas"),
            ("front", "stock[2] http://127.0.0.1:4001", "no service or replica `stock[2]`"),
            ("front", "stock[0] http://192.0.2.1:80", "--allow-remote"),
            ("front", "stock[0] ftp://127.0.0.1:80", "not a URL"),
            ("front", "stock[0] http://127.0.0.1:80/a", "no path"),
            ("front", "stock[0] http://127.0.0.1:80", "where stock[1] is, which `front -> stock` needs"),
        ];
        for (only, peers, says) in table {
            let problems = part(only, peers).unwrap_err();
            assert!(problems.iter().any(|problem| problem.contains(says)), "{only}, {peers}: {problems:?}");
        }
        assert_eq!(part("nobody", "front\nstock[3] x\n").unwrap_err().len(), 3);
    }
}
