//! Values as dialects write them, with where they came from. Knows no dialect.

use core::fmt::Display;

use squall_model::Span;
use squall_model::spec::tree::Node;
use squall_policies::retry::Statuses;

use super::cx::Cx;
use crate::doc::Map;
use crate::read::{Fields, time};

/// A value and where it came from: a file and a line, or a default.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) why: String,
}

impl<T> Said<T> {
    /// A value that nobody wrote.
    pub(super) fn default(value: T, why: impl Into<String>) -> Self {
        Self { value, why: why.into() }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Said<U> {
        Said { value: change(self.value), why: self.why }
    }
}

/// Puts values into a topology.
pub(super) trait Put {
    /// Puts `said` under `key`.
    fn put<T: Display>(&mut self, key: &str, said: Said<T>);
    /// The same, if anything was said.
    fn put_some<T: Display>(&mut self, key: &str, said: Option<Said<T>>);
}

impl Put for Map {
    fn put<T: Display>(&mut self, key: &str, said: Said<T>) {
        self.set(key, said.value.to_string(), said.why);
    }

    fn put_some<T: Display>(&mut self, key: &str, said: Option<Said<T>>) {
        if let Some(said) = said {
            self.put(key, said);
        }
    }
}

/// Per cent, as topologies write shares.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Percent(pub(super) f64);

impl Display for Percent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Shares come as fractions too: 0.07 times 100 is not quite 7.
        let rounded = (self.0 * 1e9).round() / 1e9;
        write!(f, "{rounded}%")
    }
}

/// Longest duration a topology takes: a year.
const YEAR: u64 = 8_760 * 3_600_000_000_000;

impl Cx<'_> {
    /// What `read` makes of the field `name`, and where it stands.
    pub(super) fn field<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<Said<T>> {
        let entry = fields.entry(name)?;
        if entry.value.is_null() {
            return None;
        }
        let value = read(self, &entry.value)?;
        Some(Said { value, why: format!("{} {}", self.place(entry.key.at), entry.key.text) })
    }

    fn expected<T>(&mut self, noun: &str, node: &Node) -> Option<T> {
        self.error(node.at, format!("expected {noun}, found {}", node.shown()), "");
        None
    }

    /// A whole number.
    pub(super) fn count(&mut self, node: &Node) -> Option<u32> {
        // Protobuf's JSON wraps numbers: {value: 3}.
        let node = node.entry("value").unwrap_or(node);
        let text = node.text().unwrap_or_default();
        let number = text.parse::<u32>().ok().or_else(|| whole(text));
        number.or_else(|| self.expected("a whole number", node))
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, node: &Node) -> Option<f64> {
        let node = node.entry("value").unwrap_or(node);
        let plain = |text: &&str| text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let number = node.text().filter(plain).and_then(|text| text.parse::<f64>().ok());
        let number = number.filter(|number| number.is_finite() && *number >= 0.0 && *number < 1e15);
        number.or_else(|| self.expected("a number", node))
    }

    /// Per cent, from 0 to 100.
    pub(super) fn percent(&mut self, node: &Node) -> Option<Percent> {
        match self.number(node)? {
            percent if percent <= 100.0 => Some(Percent(percent)),
            _ => self.expected("per cent from 0 to 100", node),
        }
    }

    /// Whole per cent, from 0 to 100.
    pub(super) fn whole_percent(&mut self, node: &Node) -> Option<Percent> {
        match self.count(node)? {
            percent if percent <= 100 => Some(Percent(f64::from(percent))),
            _ => self.expected("per cent from 0 to 100", node),
        }
    }

    /// A share from 0 to 1.
    pub(super) fn share(&mut self, node: &Node) -> Option<Percent> {
        match self.number(node)? {
            share if share <= 1.0 => Some(Percent(share * 100.0)),
            _ => self.expected("a share from 0 to 1", node),
        }
    }

    /// True or false.
    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        let node = node.entry("value").unwrap_or(node);
        match node.text().unwrap_or_default().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.expected("true or false", node),
        }
    }

    /// Any text.
    pub(super) fn word(&mut self, node: &Node) -> Option<String> {
        node.text().map(str::to_owned).or_else(|| self.expected("a text", node))
    }

    fn span(&mut self, node: &Node, noun: &str, read: impl FnOnce(&str) -> Option<u64>) -> Option<Span> {
        let nanos = node.text().and_then(|text| read(text.trim()));
        match nanos {
            Some(nanos) if nanos <= YEAR => Some(Span::from_nanos(nanos)),
            Some(_) => {
                self.error(node.at, format!("{} is longer than a year", node.shown()), "at most 8760h");
                None
            }
            None => self.expected(noun, node),
        }
    }

    /// Protobuf's: `0.25s`, or seconds and nanos. Go's, `250ms`, is taken too.
    pub(super) fn proto_duration(&mut self, node: &Node) -> Option<Span> {
        if node.entry("seconds").is_some() || node.entry("nanos").is_some() {
            let fields = Fields::of(node);
            let whole = |this: &mut Self, name| fields.get(name).map_or(Some(0), |node| this.count(node));
            let (seconds, nanos) = (whole(self, "seconds")?, whole(self, "nanos")?);
            return Some(Span::from_secs(u64::from(seconds)) + Span::from_nanos(u64::from(nanos)));
        }
        self.span(node, "a duration such as `0.25s`", time::with_unit)
    }

    /// Kubernetes' and Go's: `1m30s`.
    pub(super) fn go_duration(&mut self, node: &Node) -> Option<Span> {
        self.span(node, "a duration such as `1.5s`", |text| if text == "0" { Some(0) } else { time::with_unit(text) })
    }

    /// Spring's: `500ms`, `PT0.5S`, or a number of milliseconds.
    pub(super) fn spring_duration(&mut self, node: &Node) -> Option<Span> {
        self.span(node, "a duration such as `500ms` or `PT0.5S`", |text| {
            time::iso(text).or_else(|| time::with_unit(text)).or_else(|| time::decimal(text, 1_000_000))
        })
    }

    /// A number of milliseconds.
    pub(super) fn millis(&mut self, node: &Node) -> Option<Span> {
        self.span(node, "a number of milliseconds", |text| time::decimal(text, 1_000_000))
    }

    /// .NET's: `00:00:02`, `1.00:00:00`.
    pub(super) fn time_span(&mut self, node: &Node) -> Option<Span> {
        self.span(node, "a TimeSpan such as `00:00:02`", time::time_span)
    }
}

/// `3.0`, as YAML may have it.
fn whole(text: &str) -> Option<u32> {
    let digits = text.strip_suffix(".0")?;
    digits.parse().ok()
}

/// At most eight statuses fit into a retry.
pub(super) fn fits(statuses: &[u16]) -> bool {
    Statuses::of(statuses).is_some()
}

/// Whether a topology can have it as an endpoint's path.
pub(super) fn is_path(path: &str) -> bool {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '"' | '<' | '>' | '\\' | '*' | '`' | '\'');
    path.starts_with('/') && path.chars().all(legal)
}

/// `[a, b]`
pub(super) fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(", "))
}
