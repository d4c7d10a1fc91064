//! A log of calls that happened, as CSV with a header or as JSON lines: when each began or ended, how long it took, how
//! it ended. Knows no breaker.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_model::Span;
use squall_model::spec::{At, Problem};
use squall_policies::Outcome;

use crate::read::time;

/// One call of the log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Call {
    /// When it began, in nanoseconds of the log's clock.
    pub start: u64,
    /// How long it took.
    pub duration: Span,
    /// How it ended.
    pub ended: Ended,
    /// Which replica it went to, in order of appearance.
    pub replica: u32,
    /// The line it stands on.
    pub line: usize,
}

/// How a call of the log ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// In a way that a breaker hears of.
    With(Outcome),
    /// In a way that counts as neither success nor failure.
    Ignored,
}

impl Ended {
    /// Whether its caller got an answer.
    pub fn is_success(self) -> bool {
        matches!(self, Self::With(outcome) if outcome.is_success())
    }
}

const HINT: &str = "a call has `start` or `end`, `duration` and `outcome`; bare numbers want a unit in the name: \
                    start_ms, duration_ms, end_ns, duration_s";

/// The calls of `log` in order of their start, and how many replicas they name. Answers every mistake.
pub fn calls(log: &str) -> Result<(Vec<Call>, u32), Vec<Problem>> {
    let first = log.trim_start().chars().next();
    let mut reader = Reader::default();
    match first {
        None => reader.problems.push(Problem::error(At::default(), "the log is empty").hint(HINT)),
        Some('{') => reader.json_lines(log),
        Some(_) => reader.csv(log),
    }
    if reader.calls.is_empty() && reader.problems.is_empty() {
        reader.problems.push(Problem::error(At::default(), "there is no call in the log").hint(HINT));
    }
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    reader.calls.sort_by_key(|call| call.start);
    Ok((reader.calls, reader.replicas.len().max(1) as u32))
}

/// More mistakes than this nobody reads.
const MOST: usize = 100;

#[derive(Default)]
struct Reader {
    calls: Vec<Call>,
    replicas: BTreeMap<String, u32>,
    problems: Vec<Problem>,
}

impl Reader {
    fn json_lines(&mut self, log: &str) {
        for (number, at, line) in super::lines(log) {
            let place = At::new(0, at..at + line.len());
            match serde_json::from_str::<BTreeMap<String, Value>>(line) {
                Ok(fields) => {
                    let fields = fields.iter().map(|(name, value)| (name.as_str(), text(value)));
                    self.take(fields, number, place);
                }
                Err(error) => self.problem(Problem::error(place, format!("not a JSON object: {error}")).hint(HINT)),
            }
            if self.problems.len() >= MOST {
                return;
            }
        }
    }

    fn csv(&mut self, log: &str) {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(false).from_reader(log.as_bytes());
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return self.problem(Problem::error(At::default(), format!("not CSV: {error}"))),
        };
        let (mut lines, mut counted) = (1, 0);
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let byte = error.position().map_or(0, |position| position.byte() as usize);
                    let end = log[byte.min(log.len())..].find('\n').map_or(log.len(), |end| byte + end);
                    self.problem(Problem::error(At::new(0, byte..end), format!("not CSV: {error}")));
                    continue;
                }
            };
            let byte = record.position().map_or(0, |position| position.byte() as usize);
            let skipped = log.get(byte..).map_or(0, |rest| rest.len() - rest.trim_start().len());
            let byte = byte + skipped;
            let end = log.get(byte..).and_then(|rest| rest.find(['\n', '\r'])).map_or(log.len(), |end| byte + end);
            lines += log[counted..byte].matches('\n').count();
            counted = byte;
            let fields = header.iter().zip(record.iter()).map(|(name, value)| (name, value.to_owned()));
            self.take(fields, lines, At::new(0, byte..end));
            if self.problems.len() >= MOST {
                return;
            }
        }
    }

    fn take<'a>(&mut self, fields: impl Iterator<Item = (&'a str, String)>, line: usize, at: At) {
        let mut found = Found::default();
        for (name, value) in fields {
            if let Err(what) = found.take(&name.to_ascii_lowercase(), value.trim()) {
                return self.problem(Problem::error(at, what).hint(HINT));
            }
        }
        let replica = found.replica.take().unwrap_or_default();
        let next = self.replicas.len() as u32;
        match found.call() {
            Ok((start, duration, ended)) => {
                let replica = *self.replicas.entry(replica).or_insert(next);
                self.calls.push(Call { start, duration, ended, replica, line });
            }
            Err(what) => self.problem(Problem::error(at, what).hint(HINT)),
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a line says, as far as it has been read.
#[derive(Default)]
struct Found {
    start: Option<u64>,
    end: Option<u64>,
    duration: Option<u64>,
    ended: Option<Ended>,
    replica: Option<String>,
}

impl Found {
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (base, unit) = unit_of(name);
        match base {
            "start" | "start_time" | "started" | "begin" => self.start = Some(instant(name, value, unit)?),
            "end" | "end_time" | "ended" => self.end = Some(instant(name, value, unit)?),
            "duration" | "latency" | "elapsed" | "took" => self.duration = Some(length(name, value, unit)?),
            "outcome" | "result" | "status" | "code" => self.ended = Some(outcome(value)?),
            "replica" | "host" | "instance" | "upstream" => self.replica = Some(value.to_owned()),
            "time" | "timestamp" => {
                return Err(format!("`{name}` could be when the call began or when it ended: name it start or end"));
            }
            _ => {}
        }
        Ok(())
    }

    fn call(&self) -> Result<(u64, Span, Ended), String> {
        let ended = self.ended.ok_or("no `outcome`")?;
        let (start, duration) = match (self.start, self.end, self.duration) {
            (Some(start), _, Some(duration)) => (start, duration),
            (Some(start), Some(end), None) if end >= start => (start, end - start),
            (Some(_), Some(_), None) => return Err("it ended before it began".into()),
            (None, Some(end), Some(duration)) => match end.checked_sub(duration) {
                Some(start) => (start, duration),
                None => return Err("it began before the clock's zero: `end` is less than `duration`".into()),
            },
            (None, None, _) => return Err("neither `start` nor `end`".into()),
            (_, _, None) => return Err("no `duration`".into()),
        };
        Ok((start, Span::from_nanos(duration), ended))
    }
}

/// A column's name without its unit, and the unit in nanoseconds.
fn unit_of(name: &str) -> (&str, Option<u64>) {
    let units = [("_ns", 1), ("_us", 1_000), ("_ms", 1_000_000), ("_s", 1_000_000_000)];
    let found = units.iter().find_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, *unit)));
    found.map_or((name, None), |(base, unit)| (base, Some(unit)))
}

fn instant(name: &str, value: &str, unit: Option<u64>) -> Result<u64, String> {
    match unit {
        Some(unit) => time::decimal(value, unit),
        None => time::with_unit(value).or_else(|| time::timestamp(value)),
    }
    .ok_or_else(|| format!("`{name}: {value}` is not a time"))
}

fn length(name: &str, value: &str, unit: Option<u64>) -> Result<u64, String> {
    match unit {
        Some(unit) => time::decimal(value, unit),
        None => time::with_unit(value),
    }
    .ok_or_else(|| format!("`{name}: {value}` is not a duration"))
}

fn outcome(value: &str) -> Result<Ended, String> {
    let outcome = match value.to_ascii_lowercase().as_str() {
        "ok" | "success" | "succeeded" | "true" => Outcome::Ok,
        "degraded" => Outcome::Degraded,
        "error" | "failure" | "failed" | "false" => Outcome::Error(500),
        "timeout" | "timed_out" => Outcome::Timeout,
        "refused" => Outcome::Refused,
        "rejected" => Outcome::Rejected,
        "rate_limited" => Outcome::RateLimited,
        "ignored" => return Ok(Ended::Ignored),
        digits => match digits.parse::<u16>() {
            Ok(100..=399) => Outcome::Ok,
            Ok(429) => Outcome::RateLimited,
            Ok(status @ 400..=599) => Outcome::Error(status),
            _ => {
                let known = "ok, degraded, error, timeout, refused, rejected, rate_limited, ignored, or a status";
                return Err(format!("`{value}` is not an outcome; known: {known}"));
            }
        },
    };
    Ok(Ended::With(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Vec<(u64, u64, Ended, usize)> {
        let (calls, _) = calls(log).unwrap();
        calls.iter().map(|call| (call.start, call.duration.as_nanos(), call.ended, call.line)).collect()
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let (ok, timeout) = (Ended::With(Outcome::Ok), Ended::With(Outcome::Timeout));
        let wanted = vec![(1_000_000, 5_000_000, ok, 2), (2_500_000, 1_000_000_000, timeout, 3)];
        assert_eq!(read("start_ms,duration_ms,outcome\n1,5,ok\n2.5,1000,timeout\n"), wanted);
        assert_eq!(read("end_ms, duration, status\n6, 5ms, 200\n1002.5, 1s, timeout\n"), wanted);
        let lines = "# begin\n{\"start_ns\":1000000,\"duration_us\":5000,\"outcome\":\"success\"}\n\
                     {\"start_ms\":2.5,\"end_ms\":1002.5,\"outcome\":\"timeout\"}";
        assert_eq!(read(&lines.replace("# begin", "")), wanted);
    }

    #[test]
    fn timestamps_are_read_and_replicas_are_counted() {
        let log =
            "start,duration,outcome,host\n2026-01-02T03:04:05.5Z,5ms,503,a\n2026-01-02T04:04:05.25+01:00,5ms,ok,b\n";
        let (calls, replicas) = calls(log).unwrap();
        assert_eq!(replicas, 2);
        assert_eq!((calls[0].line, calls[0].replica, calls[1].start - calls[0].start), (3, 1, 250_000_000));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let table = [
            ("", "the log is empty", 1),
            ("outcome\n", "there is no call in the log", 1),
            ("start_ms,duration_ms,outcome\n1,5,ok\n1,x,ok\n", "`duration_ms: x` is not a duration", 3),
            ("start,duration,outcome\n1,5ms,ok\n", "`start: 1` is not a time", 2),
            ("start_ms,duration_ms,outcome\n1,5,maybe\n", "`maybe` is not an outcome", 2),
            ("start_ms,duration_ms\n1,5\n", "no `outcome`", 2),
            ("time,duration_ms,outcome\n1,5,ok\n", "`time` could be", 2),
            ("{\"start_ms\":1}\n{\"start_ms\":1,", "no `outcome`", 1),
            ("start_ms,duration_ms,outcome\n1,5\n", "not CSV", 2),
            ("start_ms,duration_ms,outcome\n1,NaN,ok\n", "`duration_ms: NaN` is not a duration", 2),
            ("end_ms,duration_ms,outcome\n1,5,ok\n", "it began before the clock's zero", 2),
        ];
        for (log, what, line) in table {
            let problems = calls(log).unwrap_err();
            assert!(problems[0].what.contains(what), "{log}: {problems:?}");
            assert_eq!(squall_model::spec::line_and_column(log, problems[0].at.start).0, line, "{log}");
        }
    }
}
