//! What a sweep varies: `PATH=A,B,C`, `PATH=10%..90%:10%` and their kin. Knows nothing of topologies.
//!
//! A comma within brackets or quotes is part of a value, and a value in quotes is never a range.

use squall_model::Span;
use squall_model::spec::decode::Scalar as _;
use squall_telemetry::format;

/// More values of one axis than this are a slip of the finger.
const MOST: usize = 100_000;

/// One thing that varies.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Axis {
    /// The path, as `--set` takes it.
    pub(crate) path: String,
    /// What it takes on.
    pub(crate) values: Values,
}

/// What an axis takes on.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Values {
    /// These, in this order.
    List(Vec<String>),
    /// Anything in between.
    Range(Range),
}

/// All values from one to another.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Range {
    low: f64,
    high: f64,
    unit: Unit,
    /// Evenly by ratio instead of by difference.
    log: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Unit {
    /// Whole numbers.
    Whole,
    /// Nanoseconds.
    Time,
    /// Whatever stands behind the number.
    Other(String),
}

impl Axis {
    /// Reads what stands behind `--set`. The error says what is wrong and how it is written.
    pub(crate) fn parse(path: &str, values: &str) -> Result<Self, String> {
        let items = split(values);
        let mut list = Vec::new();
        for item in &items {
            match Written::of(item) {
                None => list.push(item.clone()),
                Some(written) => match written.values()? {
                    Values::List(values) => list.extend(values),
                    Values::Range(range) if items.len() == 1 => {
                        return Ok(Self { path: path.to_owned(), values: Values::Range(range) });
                    }
                    Values::Range(_) => {
                        return Err(format!("`{item}` stands in a list and needs a step: `{item}:STEP`"));
                    }
                },
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|value| seen.insert(value.clone()));
        if list.len() > MOST {
            return Err(format!("more than {} values", format::count(MOST as u64)));
        }
        Ok(Self { path: path.to_owned(), values: Values::List(list) })
    }

    /// Its values if they can be counted.
    pub(crate) fn list(&self) -> Option<&[String]> {
        if let Values::List(values) = &self.values { Some(values) } else { None }
    }

    /// The value at a share of its way, from 0 to 1: the ends included, of a list each as often as the others.
    pub(crate) fn at(&self, share: f64) -> String {
        match &self.values {
            Values::List(values) => {
                let at = (share * values.len() as f64) as usize;
                values.get(at.min(values.len().saturating_sub(1))).cloned().unwrap_or_default()
            }
            Values::Range(range) => range.at(share),
        }
    }

    /// Where on its way a value is, from 0 to 1; `None` for what is not on it.
    pub(crate) fn share_of(&self, value: &str) -> Option<f64> {
        match &self.values {
            Values::List(values) => {
                let at = values.iter().position(|known| known == value)?;
                Some((at as f64 + 0.5) / values.len() as f64)
            }
            Values::Range(range) => {
                let number = match (&range.unit, quantity(value)?) {
                    (Unit::Time, (number, unit)) => number * time(&unit)?,
                    (Unit::Whole, (number, unit)) if unit.is_empty() => number,
                    (Unit::Other(known), (number, unit)) if *known == unit => number,
                    _ => return None,
                };
                let way = |value: f64| if range.log { value.ln() } else { value };
                let share = (way(number) - way(range.low)) / (way(range.high) - way(range.low));
                (0.0..=1.0).contains(&share).then_some(share)
            }
        }
    }
}

impl Range {
    fn at(&self, share: f64) -> String {
        let value = if self.log {
            self.low * (self.high / self.low).powf(share)
        } else {
            self.low + (self.high - self.low) * share
        };
        self.unit.shown(value.clamp(self.low, self.high), Some(4))
    }
}

impl Unit {
    /// A value with its unit; with so many digits that matter, or all of them.
    fn shown(&self, value: f64, digits: Option<usize>) -> String {
        let rounded = |value: f64| number(value, digits.unwrap_or(9));
        match self {
            Self::Whole => format!("{}", value.round()),
            Self::Other(unit) => format!("{}{unit}", rounded(value)),
            Self::Time => {
                let units = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];
                let (size, name) = units.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, "ns"));
                if value == 0.0 { "0s".to_owned() } else { format!("{}{name}", rounded(value / size)) }
            }
        }
    }
}

/// A range as it stands there.
struct Written<'t> {
    text: &'t str,
    ends: [(f64, String); 2],
    /// Whether both ends are written without a point: `0.0..1.0` is not `0..1`.
    whole: bool,
    step: Option<&'t str>,
}

impl<'t> Written<'t> {
    /// `None` if it is a plain value.
    fn of(text: &'t str) -> Option<Self> {
        let (low, rest) = text.split_once("..")?;
        let (high, step) = rest.split_once(':').map_or((rest, None), |(high, step)| (high, Some(step)));
        let whole = !low.contains('.') && !high.contains('.');
        Some(Self { text, ends: [quantity(low)?, quantity(high)?], whole, step })
    }

    fn values(&self) -> Result<Values, String> {
        let Self { text, ends: [(low, low_unit), (high, high_unit)], whole, step } = self;
        let (low, high, unit) = match (time(low_unit), time(high_unit)) {
            (Some(a), Some(b)) => (low * a, high * b, Unit::Time),
            _ if low_unit != high_unit => return Err(format!("both ends of `{text}` need the same unit")),
            _ if low_unit.is_empty() && *whole => (*low, *high, Unit::Whole),
            _ => (*low, *high, Unit::Other(low_unit.clone())),
        };
        if low >= high {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        let positive = |what: &str| {
            if low > 0.0 { Ok(()) } else { Err(format!("{what} in `{text}` needs a range above 0")) }
        };
        match step {
            None => Ok(Values::Range(Range { low, high, unit, log: false })),
            Some("log") => positive("`log`").map(|()| Values::Range(Range { low, high, unit, log: true })),
            Some(step) => {
                let factor = step.strip_prefix('*').map(|factor| (factor, true));
                let (step, times) = factor.unwrap_or((step, false));
                let (size, step_unit) = quantity(step).ok_or_else(|| {
                    format!(
                        "`{step}` is no step; write `{}:10`, `:*2` or `:log`",
                        text.split(':').next().unwrap_or(text)
                    )
                })?;
                if times {
                    positive("a factor")?;
                }
                let size = match (&unit, times) {
                    (_, true) if step_unit.is_empty() && size > 1.0 => size,
                    (_, true) => return Err(format!("the factor in `{text}` must be more than 1")),
                    (Unit::Time, false) => size * time(&step_unit).ok_or_else(|| no_unit(text))?,
                    (Unit::Whole, false) if step_unit.is_empty() => size,
                    (Unit::Other(unit), false) if *unit == step_unit => size,
                    _ => return Err(no_unit(text)),
                };
                stepped(text, [low, high, size], times, &unit)
            }
        }
    }
}

fn no_unit(text: &str) -> String {
    format!("the step in `{text}` needs the unit of the range")
}

fn stepped(text: &str, [low, high, size]: [f64; 3], times: bool, unit: &Unit) -> Result<Values, String> {
    if size <= 0.0 {
        return Err(format!("the step in `{text}` must be more than 0"));
    }
    let unit = if *unit == Unit::Whole && !is_whole(size) { Unit::Other(String::new()) } else { unit.clone() };
    let mut values = Vec::new();
    for at in 0u32.. {
        let value = if times { low * size.powi(at as i32) } else { low + f64::from(at) * size };
        // The last step may miss the end by the rounding of floats.
        if value > high + size.abs() * 1e-9 {
            break;
        }
        if values.len() >= MOST {
            return Err(format!("`{text}` is more than {} values", format::count(MOST as u64)));
        }
        values.push(unit.shown(value, None));
    }
    Ok(Values::List(values))
}

/// A number, and what stands behind it; `None` if it does not begin with a number.
fn quantity(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = &text[end..];
    let plain = unit.chars().all(|c| c.is_ascii_alphabetic() || c == '%' || c == '/');
    (number.is_finite() && plain).then(|| (number, unit.to_owned()))
}

/// Nanoseconds of a unit of time.
fn time(unit: &str) -> Option<f64> {
    let known = ["ns", "us", "ms", "s", "m", "h"].contains(&unit);
    let span = known.then(|| Span::parse(&format!("1{unit}")).ok()).flatten()?;
    Some(span.as_nanos() as f64)
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0
}

/// So many digits that matter, without zeros at the end.
fn number(value: f64, digits: usize) -> String {
    let rounded: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    format!("{rounded}")
}

/// The items of a list: at commas that no bracket and no quote holds.
fn split(text: &str) -> Vec<String> {
    let (mut items, mut item, mut depth, mut quote) = (Vec::new(), String::new(), 0i32, None);
    for c in text.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth -= 1,
            (',', None) if depth == 0 => {
                items.push(std::mem::take(&mut item).trim().to_owned());
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item.trim().to_owned());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        Axis::parse("p", text).unwrap().list().unwrap_or_else(|| panic!("{text} is no list")).to_vec()
    }

    #[test]
    fn lists_and_ranges_are_written_out() {
        let table: [(&str, &[&str]); 14] = [
            ("10,20,40", &["10", "20", "40"]),
            ("200ms", &["200ms"]),
            ("10%..50%:10%", &["10%", "20%", "30%", "40%", "50%"]),
            ("0.1..0.3:0.1", &["0.1", "0.2", "0.3"]),
            ("1..10:4", &["1", "5", "9"]),
            ("1..2:0.5", &["1", "1.5", "2"]),
            ("500ms..2s:500ms", &["500ms", "1s", "1.5s", "2s"]),
            ("10ms..80ms:*2", &["10ms", "20ms", "40ms", "80ms"]),
            ("50/s..150/s:50/s", &["50/s", "100/s", "150/s"]),
            ("1,10..20:5,100", &["1", "10", "15", "20", "100"]),
            ("exponential(50ms, 2, 1s),none", &["exponential(50ms, 2, 1s)", "none"]),
            ("{window: 10, failure_rate: 50%},{window: 20}", &["{window: 10, failure_rate: 50%}", "{window: 20}"]),
            ("\"0s..20s\",'a,b'", &["\"0s..20s\"", "'a,b'"]),
            ("round_robin,random,round_robin", &["round_robin", "random"]),
        ];
        for (text, values) in table {
            assert_eq!(list(text), values, "{text}");
        }
    }

    #[test]
    fn a_range_without_a_step_is_everything_in_between() {
        let table = [
            ("10..20", [0.0, 0.5, 1.0], ["10", "15", "20"]),
            ("100ms..2s", [0.0, 0.5, 1.0], ["100ms", "1.05s", "2s"]),
            ("10ms..1s:log", [0.0, 0.5, 1.0], ["10ms", "100ms", "1s"]),
            ("10%..90%", [0.0, 0.333, 1.0], ["10%", "36.64%", "90%"]),
            ("0.0..1.0", [0.0, 0.25, 1.0], ["0", "0.25", "1"]),
        ];
        for (text, shares, values) in table {
            let axis = Axis::parse("p", text).unwrap();
            assert_eq!(shares.map(|share| axis.at(share)), values, "{text}");
            for (share, value) in shares.iter().zip(values) {
                let back = axis.share_of(value).unwrap();
                assert!((back - share).abs() < 0.01, "{text}: {value} is at {back}");
            }
            assert_eq!(axis.share_of("nonsense"), None);
        }
    }

    #[test]
    fn what_cannot_be_varied_is_refused_with_a_reason() {
        let table = [
            ("10..5:1", "ends before it begins"),
            ("10%..90%:10", "needs the unit"),
            ("10ms..5", "the same unit"),
            ("1..9:0", "must be more than 0"),
            ("0..9:*2", "above 0"),
            ("1..9:*1", "more than 1"),
            ("1..9:x", "is no step"),
            ("1..2,5", "needs a step"),
            ("0..1000000:1", "more than 100,000 values"),
        ];
        for (text, what) in table {
            let error = Axis::parse("p", text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
