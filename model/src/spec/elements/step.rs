//! What an endpoint does, step by step.

use super::CallPolicy;
use crate::spec::Spanned;
use crate::spec::decode::{Cx, Decode, Defs, Fields, Object, Properties, element, one_of};
use crate::spec::tree::{Kind, Node};
use crate::spec::values::{Dist, EndpointRef, Share};

one_of! {
    /// One step of an endpoint.
    "a step"
    pub enum Step {
        /// CPU time.
        Work(Spanned<Dist>) = "work",
        /// Time off the CPU.
        Wait(Spanned<Dist>) = "wait",
        /// Asks a database.
        Query(Query) = "query",
        /// Asks a cache.
        Get(Get) = "get",
        /// Calls another service's endpoint.
        Call(CallStep) = "call",
        /// Does several things at once and waits for all.
        Parallel(Parallel) = "parallel",
        /// Does several things at once and takes the first success.
        Race(Race) = "race",
        /// Puts a message on a topic; costs the publish time only.
        Publish(Spanned<String>) = "publish",
        /// Does the same several times, one after another.
        Repeat(Repeat) = "repeat",
        /// Does one thing or the other, by chance.
        Chance(Chance) = "chance",
        /// Fails, by chance.
        Fail(Fail) = "fail",
    }
}

element! {
    /// A query to a database.
    "a query"
    pub struct Query short "from" {
        /// The database.
        from: Spanned<String>,
        /// How long it takes there. Default: the database's own `query`.
        time: Option<Spanned<Dist>> = None,
    }
}

element! {
    /// A look into a cache.
    "a cache access"
    pub struct Get short "from" {
        /// The cache.
        from: Spanned<String>,
        /// What is done on a miss; it fills the cache.
        miss: Vec<Spanned<Step>> = Vec::new(),
    }
}

/// A call to another service's endpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct CallStep {
    /// The endpoint.
    pub to: EndpointRef,
    /// How often, one after another. Default 1.
    pub times: Spanned<u32>,
    /// This call's own policies, merged over those that the service has for the callee; `None` where the step says
    /// nothing of its own.
    pub policy: Option<Spanned<Box<CallPolicy>>>,
}

impl CallStep {
    /// The keys that are not policies.
    pub(crate) const OWN_KEYS: [&str; 2] = ["to", "times"];
}

impl Decode for CallStep {
    const NOUN: &'static str = "a call";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut keys = Self::OWN_KEYS.to_vec();
        keys.extend(CallPolicy::keys());
        let mut fields = Fields::open(node, Self::NOUN, Some("to"), cx, &keys)?;
        let to = fields.required("to", cx);
        let times = fields.optional("times", || Spanned::unwritten(1), cx);
        let own = fields.given().any(|key| !Self::OWN_KEYS.contains(&key));
        let policy = if own { CallPolicy::read(&mut fields, cx) } else { None };
        let policy = policy.map(|policy| Spanned::new(Box::new(policy), node.at));
        Some(Self { to: to?, times, policy })
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        defs.part("CallStep", |defs| {
            let mut properties = Properties::default();
            properties.add("to", EndpointRef::schema(defs), "The endpoint.");
            properties.add("times", u32::schema(defs), "How often, one after another. Default 1.");
            properties.require("to");
            CallPolicy::properties(defs, &mut properties);
            properties.into_schema(Some("to"))
        })
    }
}

/// One of several things done at once: a step, or a list of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Branch(pub Vec<Spanned<Step>>);

impl Decode for Branch {
    const NOUN: &'static str = "a step or a list of steps";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Vec::decode(node, cx).map(Self),
            _ => Decode::decode(node, cx).map(|step| Self(vec![step])),
        }
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        let step = Step::schema(defs);
        crate::spec::decode::any_of([step.clone(), serde_json::json!({ "type": "array", "items": step })])
    }
}

element! {
    /// Several things at once, all of them.
    "a parallel step"
    pub struct Parallel short "do" {
        /// The things.
        branches ["do"]: Vec<Branch>,
        /// The first failure ends it, instead of waiting for the rest. Default false.
        fail_fast: Spanned<bool> = Spanned::unwritten(false),
    }
}

element! {
    /// Several things at once, of which the first success counts.
    "a race"
    pub struct Race short "do" {
        /// The things.
        branches ["do"]: Vec<Branch>,
    }
}

element! {
    /// The same several times.
    "a repeat step"
    pub struct Repeat {
        /// How often.
        times: Spanned<u32>,
        /// What.
        steps ["do"]: Vec<Spanned<Step>>,
    }
}

element! {
    /// One thing or the other.
    "a chance step"
    pub struct Chance {
        /// The chance of the first.
        of: Spanned<Share>,
        /// What is done then.
        steps ["do"]: Vec<Spanned<Step>> = Vec::new(),
        /// What is done otherwise.
        otherwise ["else"]: Vec<Spanned<Step>> = Vec::new(),
    }
}

element! {
    /// A failure, by chance.
    "a fail step"
    pub struct Fail short "share" {
        /// Its chance.
        share: Spanned<Share>,
        /// The status it answers with. Default 500.
        status: Spanned<u16> = Spanned::unwritten(500),
    }
}

impl Step {
    /// The lists of steps inside this one.
    pub fn bodies(&self) -> Vec<&[Spanned<Self>]> {
        match self {
            Self::Get(get) => vec![&get.miss],
            Self::Parallel(Parallel { branches, .. }) | Self::Race(Race { branches }) => {
                branches.iter().map(|branch| branch.0.as_slice()).collect()
            }
            Self::Repeat(repeat) => vec![&repeat.steps],
            Self::Chance(chance) => vec![&chance.steps, &chance.otherwise],
            _ => Vec::new(),
        }
    }

    /// Every step among `steps` and inside them, in the order of the file.
    pub fn all(steps: &[Spanned<Self>]) -> Vec<&Spanned<Self>> {
        let mut found = Vec::new();
        for step in steps {
            found.push(step);
            for body in step.bodies() {
                found.extend(Self::all(body));
            }
        }
        found
    }
}
