//! Texts that name things elsewhere in the file. Whether those exist is for the checks.

use core::ops::Range;
use serde_json::{Value as Json, json};

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{Cx, Decode, Defs, Scalar, Wrong, scalars};
use crate::spec::tree::{Node, shortened};

/// `service.endpoint`.
#[derive(Clone, PartialEq, Debug)]
pub struct EndpointRef {
    /// The part before the point.
    pub service: Spanned<String>,
    /// The part after it.
    pub endpoint: Spanned<String>,
}

/// What a fault hits.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A service, database, cache, topic or load.
    Name(Spanned<String>),
    /// One endpoint of a service.
    Endpoint(EndpointRef),
    /// `service[1]`: one replica, counted from 0.
    Replica {
        /// The service.
        service: Spanned<String>,
        /// Which one.
        index: Spanned<u32>,
    },
    /// `a -> b`: a call.
    Call {
        /// The caller.
        from: Spanned<String>,
        /// The callee.
        to: Spanned<String>,
    },
}

/// `GET /api/feed`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// In capitals.
    pub method: String,
    /// From `/` on; `{id}` segments match anything.
    pub path: String,
}

/// `0s..20s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phase {
    /// From here on.
    pub from: Span,
    /// Up to here.
    pub to: Span,
}

scalars!(Http, Phase);

/// The text of a scalar that has one; reports anything else.
fn text<'a>(node: &'a Node, noun: &str, cx: &mut Cx<'_>) -> Option<&'a str> {
    let text = node.text().filter(|_| !node.is_null());
    if text.is_none() {
        cx.expected(noun, node);
    }
    text
}

fn part(node: &Node, text: &str, range: Range<usize>) -> Spanned<String> {
    let trimmed = text[range.clone()].trim();
    let start = range.start + (text[range.clone()].len() - text[range].trim_start().len());
    Spanned::new(trimmed.to_owned(), node.part(start..start + trimmed.len()))
}

impl Decode for EndpointRef {
    const NOUN: &'static str = "an endpoint such as `orders.place`";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = text(node, Self::NOUN, cx)?;
        let Some(dot) = text.find('.').filter(|&dot| dot > 0 && dot + 1 < text.len()) else {
            let what = format!("`{}` names no endpoint", shortened(text));
            cx.report(Wrong::new(what, "write `service.endpoint`").of(node));
            return None;
        };
        Some(Self { service: part(node, text, 0..dot), endpoint: part(node, text, dot + 1..text.len()) })
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("EndpointRef", |_| json!({ "type": "string", "pattern": "^[^.]+\\..+$" }))
    }
}

impl Decode for Target {
    const NOUN: &'static str = "a target such as `orders` or `gateway -> orders`";

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = text(node, Self::NOUN, cx)?;
        if let Some(arrow) = text.find("->") {
            let (from, to) = (part(node, text, 0..arrow), part(node, text, arrow + 2..text.len()));
            return Some(Self::Call { from, to });
        }
        if let Some((open, index)) = text.find('[').zip(text.strip_suffix(']')) {
            let place = open + 1..index.len();
            let index =
                u32::parse(&text[place.clone()]).map_err(|wrong| cx.report(wrong.within(place.clone()).of(node)));
            let index = Spanned::new(index.ok()?, node.part(place));
            return Some(Self::Replica { service: part(node, text, 0..open), index });
        }
        if text.contains('.') {
            EndpointRef::decode(node, cx).map(Self::Endpoint)
        } else {
            Some(Self::Name(part(node, text, 0..text.len())))
        }
    }

    fn schema(_: &mut Defs) -> Json {
        json!({ "type": "string" })
    }
}

impl Scalar for Http {
    const NOUN: &'static str = "a method and a path such as `GET /api/feed`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let hint = "write a method and a path such as `GET /api/feed`";
        let (method, path) = text.split_once(' ').unwrap_or((text, ""));
        if !METHODS.contains(&method) {
            let hint = format!("the methods are {}", METHODS.join(", "));
            return Err(Wrong::new(format!("`{}` is not a method", shortened(method)), hint));
        }
        let path = path.trim();
        let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '"' | '<' | '>' | '\\');
        if path.starts_with('/') && path.chars().all(legal) {
            Ok(Self { method: method.into(), path: path.into() })
        } else {
            Err(Wrong::new(format!("`{}` is not a path", shortened(path)), hint))
        }
    }

    fn schema(_: &mut Defs) -> Json {
        json!({ "type": "string", "pattern": "^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) +/[^ ?#]*$" })
    }
}

impl Scalar for Phase {
    const NOUN: &'static str = "a time range such as `0s..20s`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some((from, to)) = text.split_once("..") else {
            let what = format!("`{}` is not a time range", shortened(text));
            return Err(Wrong::new(what, "write it from start to end: `0s..20s`"));
        };
        let first = Span::parse(from.trim_end()).map_err(|wrong| wrong.within(0..from.len()))?;
        let last = Span::parse(to.trim_start()).map_err(|wrong| wrong.within(text.len() - to.len()..text.len()))?;
        if first < last {
            Ok(Self { from: first, to: last })
        } else {
            Err(Wrong::new(format!("`{text}` ends before it begins"), "write it from start to end: `0s..20s`"))
        }
    }

    fn schema(_: &mut Defs) -> Json {
        let time = "[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h)";
        json!({ "type": "string", "pattern": format!("^{time} *\\.\\. *{time}$") })
    }
}
