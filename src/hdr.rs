//! Latencies as an HdrHistogram log (version 2 of its format), for the tools that read those: an interval a second and a
//! tag a load, in nanoseconds. Failed requests have a tag of their own.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use squall_model::SimTime;
use squall_model::observation::{Observation, Sink};
use squall_model::plan::Plan;

/// One interval.
const STEP: u64 = 1_000_000_000;
/// Readers show values divided by this: milliseconds.
const DIVISOR: f64 = 1e6;

/// The log in the making.
pub(crate) struct Log {
    text: Vec<u8>,
    serializer: V2DeflateSerializer,
    /// Tasks from here on are the loads'.
    first_task: usize,
    /// By task: its load's row.
    load_of_task: Vec<usize>,
    /// By load.
    rows: Vec<Row>,
    /// The number of the interval under way.
    interval: u64,
    began: SystemTime,
}

struct Row {
    name: String,
    answered: Histogram<u64>,
    failed: Histogram<u64>,
}

impl Log {
    /// An empty log of a run of `plan`, which begins now.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let clients = &plan.services[plan.first_client..];
        let first_task = clients.iter().map(|client| client.first_endpoint.index()).min().unwrap_or(usize::MAX);
        let tasks = clients.iter().enumerate().flat_map(|(load, client)| client.endpoint_range().map(move |_| load));
        let rows = plan.loads.iter().map(|load| {
            let name = load.name.replace([',', ' ', '\n', '\r'], "_");
            Some(Row { name, answered: Histogram::new(3).ok()?, failed: Histogram::new(3).ok()? })
        });
        Some(Self {
            text: Vec::new(),
            serializer: V2DeflateSerializer::new(),
            first_task,
            load_of_task: tasks.collect(),
            rows: rows.collect::<Option<_>>()?,
            interval: 0,
            began: SystemTime::now(),
        })
    }

    /// Closes the interval under way at `end`; the whole log.
    pub(crate) fn finish(mut self, end: SimTime) -> Vec<u8> {
        self.turn_to(end.as_nanos() / STEP);
        let since = end.as_nanos() - self.interval * STEP;
        self.write(since.max(1));
        self.text
    }

    fn turn_to(&mut self, interval: u64) {
        if interval > self.interval {
            self.write(STEP);
            self.interval = interval;
        }
    }

    /// Writes what is in the interval under way, which has this length.
    fn write(&mut self, length: u64) {
        let start = Duration::from_nanos(self.interval * STEP);
        let mut page = Vec::new();
        let mut builder = IntervalLogWriterBuilder::new();
        let header = builder.with_start_time(self.began).with_base_time(self.began).with_max_value_divisor(DIVISOR);
        // Writing to memory cannot fail.
        let Ok(mut writer) = header.begin_log_with(&mut page, &mut self.serializer) else { return };
        for row in &mut self.rows {
            let failed = format!("{}.failed", row.name);
            for (name, histogram) in [(row.name.as_str(), &mut row.answered), (&failed, &mut row.failed)] {
                if !histogram.is_empty() {
                    let length = Duration::from_nanos(length);
                    let _ = writer.write_histogram(histogram, start, length, Tag::new(name));
                    histogram.reset();
                }
            }
        }
        // The header stands at the top alone.
        let keeps = |line: &&[u8]| self.text.is_empty() || !line.starts_with(b"#");
        let kept: Vec<u8> = page.split_inclusive(|byte| *byte == b'\n').filter(keeps).flatten().copied().collect();
        self.text.extend(kept);
    }
}

impl Sink for Log {
    fn observe(&mut self, at: SimTime, what: Observation) {
        let Observation::Ended { endpoint, outcome, took, .. } = what else { return };
        let Some(task) = endpoint.index().checked_sub(self.first_task) else { return };
        self.turn_to(at.as_nanos() / STEP);
        let row = &mut self.rows[self.load_of_task[task]];
        let histogram = if outcome.is_success() { &mut row.answered } else { &mut row.failed };
        // It grows as it must, and no time is too long for it.
        let _ = histogram.record(took.as_nanos().max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use squall_model::plan::{EndpointId, ReplicaId, SegmentId};
    use squall_model::{Outcome, Span};

    #[test]
    fn the_log_is_read_back_by_a_reader_of_the_format() {
        let plan = crate::report::text::sample::plan();
        let mut log = Log::new(&plan).unwrap();
        let task = EndpointId::from(log.first_task);
        let end = |at_ms: u64, outcome, took_ms| {
            let (replica, segment, took) = (ReplicaId(0), SegmentId(0), Span::from_millis(took_ms));
            let what = Observation::Ended { endpoint: task, replica, segment, outcome, took, held: took };
            (SimTime::from_nanos(at_ms * 1_000_000), what)
        };
        for (at, what) in [
            end(10, Outcome::Ok, 5),
            end(20, Outcome::Degraded, 7),
            end(30, Outcome::Timeout, 900),
            end(3500, Outcome::Ok, 40),
        ] {
            log.observe(at, what);
        }
        let text = log.finish(SimTime::from_nanos(3_600_000_000));
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            let LogEntry::Interval(interval) = entry.unwrap() else { continue };
            let bytes = base64(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            let tag = interval.tag().unwrap().as_str().to_owned();
            let ms = (histogram.max() as f64 / 1e6).round();
            found.push((tag, interval.start_timestamp().as_secs(), histogram.len(), ms));
        }
        let name = plan.loads[0].name.clone();
        let failed = format!("{name}.failed");
        assert_eq!(found, [(name.clone(), 0, 2, 7.0), (failed, 0, 1, 900.0), (name, 3, 1, 40.0)]);
        assert!(text.starts_with(b"#[Histogram log format version 1.") || text.starts_with(b"#"));
    }

    /// Decodes base64, as the reader leaves it to its user.
    fn base64(text: &str) -> Vec<u8> {
        let value = |byte| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
        let chunk = |four: &[u8]| {
            let bits = four.iter().fold(0u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - four.len()));
            bits.to_be_bytes()[1..four.len()].to_vec()
        };
        digits.chunks(4).flat_map(chunk).collect()
    }
}
