//! Who asks for what, and how often: at a rate, or as users who wait for the answer.

use serde_json::{Value as Json, json};

use super::CallPolicy;
use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{Cx, Decode, Defs, Func, Wrong, any_of, element};
use crate::spec::tree::{Node, shortened};
use crate::spec::values::{Dist, EndpointRef, Rate, Samples};

element! {
    /// One source of requests: open with a `rate`, `stages` or a trace, closed with `users`.
    "a load"
    pub struct Load {
        /// Its name.
        name: Spanned<String>,
        /// What is asked for.
        to: Option<Spanned<EndpointRef>> = None,
        /// Open: arrivals, whether or not the system keeps up.
        rate: Option<Spanned<Rate>> = None,
        /// Open: how they are spaced. Default `constant`.
        arrivals: Spanned<Arrivals> = Spanned::unwritten(Arrivals::Constant),
        /// The rate, or the number of users, over time.
        stages: Vec<Spanned<Stage>> = Vec::new(),
        /// Closed: how many wait for the answer, think, and ask again.
        users: Option<Spanned<u32>> = None,
        /// Closed: how long they think. Default 0s.
        think: Spanned<Dist> = Spanned::unwritten(Dist::Constant(Span::ZERO)),
        /// Closed: what they ask for, each time one of these by weight.
        tasks: Vec<Task> = Vec::new(),
        /// Clients that the load is spread over, each with its own policy state. Default 1.
        clients: Spanned<u32> = Spanned::unwritten(1),
        ..policy: CallPolicy,
    }
}

element! {
    /// Something users ask for.
    "a task"
    pub struct Task {
        /// Its name.
        name: Spanned<String>,
        /// What is asked for.
        to: Spanned<EndpointRef>,
        /// How often, against the other tasks. Default 1.
        weight: Spanned<f64> = Spanned::unwritten(1.0),
    }
}

element! {
    /// A stretch of time in which the load moves to a new rate or number of users.
    "a stage"
    pub struct Stage {
        /// How long it takes.
        lasts ["for"]: Spanned<Span>,
        /// The rate at its end.
        rate: Option<Spanned<Rate>> = None,
        /// The number of users at its end.
        users: Option<Spanned<u32>> = None,
        /// Jumps there at once instead of moving linearly. Default false.
        hold: Spanned<bool> = Spanned::unwritten(false),
    }
}

/// How arrivals are spaced.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// Independently of one another.
    Poisson,
    /// At the times in a file, counted from the start of the run, in order.
    Trace(Samples),
}

impl Decode for Arrivals {
    const NOUN: &'static str = "constant, poisson or trace(file)";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = node.text().unwrap_or_default();
        let func = match (text, Func::parse(text)) {
            ("constant", _) => return Some(Self::Constant),
            ("poisson", _) => return Some(Self::Poisson),
            (_, Some(Ok(func))) if func.name == "trace" && func.arguments.len() == 1 => func,
            (_, Some(Err(wrong))) => {
                cx.report(wrong.of(node));
                return None;
            }
            _ => {
                let what = format!("`{}` is not a way to arrive", shortened(text));
                cx.report(Wrong::new(what, "known: constant, poisson, trace(arrivals.csv)").of(node));
                return None;
            }
        };
        let path = func.arguments[0].text.to_owned();
        let mut values = crate::spec::values::read_samples(&path, node.at, cx)?;
        values.sort_unstable();
        Some(Self::Trace(Samples { path, values }))
    }

    fn schema(_: &mut Defs) -> Json {
        any_of([
            json!({ "enum": ["constant", "poisson"] }),
            json!({ "type": "string", "pattern": "^trace ?\\(.+\\)$" }),
        ])
    }
}
