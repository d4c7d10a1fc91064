//! Curves over time: what was asked and answered, how long it took, who was busy, how often was tried; and under them
//! when faults were at work.

use squall_telemetry::format;
use squall_telemetry::report::{CallSeries, LoadSeries, Service, ServiceSeries};

use super::spark::{Axis, Fold, curve, top};
use super::{INDENT, Page, cut, joined, padded, width};

/// At most so many loads, services, calls and faults have curves of their own.
const LOADS: usize = 3;
const SERVICES: usize = 6;
const CALLS: usize = 4;
const FAULTS: usize = 4;
/// Seconds between the times under the curves.
const TICKS: [f64; 22] = [
    0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
    7200.0, 21_600.0, 86_400.0,
];

/// One curve with its name and its greatest value.
struct Curve {
    name: String,
    line: String,
    scale: String,
}

/// All curves over one axis; nothing if there is but one step to show.
pub(super) fn render(page: &Page<'_>) -> String {
    let timeline = &page.report.timeline;
    let steps = (page.report.time.simulated_s / timeline.step_s).round() as usize;
    if steps < 2 || timeline.load.is_empty() {
        return String::new();
    }
    let mut chart = Chart { page, axis: Axis::new(steps, 1), curves: Vec::new() };
    // Names and scales decide how much room is left, and are the same for any axis.
    chart.draw();
    let names = chart.widest(|curve| &curve.name).min(page.width * 2 / 5);
    let scales = chart.widest(|curve| &curve.scale);
    let room = page.width.saturating_sub(INDENT.len() + names + scales + 4);
    chart.axis = Axis::new(steps, room);
    chart.curves.clear();
    chart.draw();
    chart.lines(names)
}

struct Chart<'p, 'r> {
    page: &'p Page<'r>,
    axis: Axis,
    curves: Vec<Curve>,
}

impl Chart<'_, '_> {
    fn widest(&self, part: impl Fn(&Curve) -> &String) -> usize {
        self.curves.iter().map(|curve| width(part(curve))).max().unwrap_or(0)
    }

    fn draw(&mut self) {
        self.loads();
        self.services();
        self.limits();
        self.calls();
    }

    fn push(&mut self, name: String, values: &[Option<f64>], top: f64, scale: String) {
        self.curves.push(Curve { name, line: curve(values, top), scale });
    }

    fn a_second(&self, counts: &[u64]) -> Vec<Option<f64>> {
        let step = self.page.report.timeline.step_s;
        self.axis.fold(&counts.iter().map(|count| Some(*count as f64 / step)).collect::<Vec<_>>(), Fold::Mean)
    }

    fn levels(&self, levels: &[f64]) -> Vec<Option<f64>> {
        self.axis.fold(&levels.iter().copied().map(Some).collect::<Vec<_>>(), Fold::Mean)
    }

    fn loads(&mut self) {
        for (name, series) in self.page.report.timeline.load.iter().take(LOADS) {
            let offered = self.a_second(&series.offered);
            let answered = self.a_second(&answered(series));
            let highest = top(&offered).max(top(&answered));
            self.push(format!("{name} offered"), &offered, highest, format::rate(top(&offered)));
            self.push(format!("{name} goodput"), &answered, highest, format::rate(top(&answered)));
            let p99 = self.axis.fold(&series.p99_ms, Fold::Max);
            let longest = top(&p99);
            self.push(format!("{name} p99"), &p99, longest, format::duration(longest * 1e6));
        }
    }

    /// The busiest services, in the order of the file.
    fn services(&mut self) {
        let report = self.page.report;
        let mut busiest: Vec<(usize, f64)> =
            report.services.iter().map(|(_, service)| share_busy(service)).enumerate().collect();
        busiest.sort_by(|a, b| b.1.total_cmp(&a.1));
        busiest.truncate(SERVICES);
        for (row, (name, series)) in report.timeline.services.iter().enumerate() {
            if busiest.iter().any(|(kept, _)| *kept == row) {
                self.busy(name, series, report.services.find(name).and_then(|service| service.workers.limit));
            }
        }
        let longest = report.timeline.services.iter().map(|(name, series)| (name, series, max(&series.queue)));
        if let Some((name, series, longest)) =
            longest.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(.., most)| *most >= 1.0)
        {
            let queue = self.levels(&series.queue);
            self.push(format!("{name} queue"), &queue, top(&queue), format::number(longest));
        }
    }

    /// Limits that follow latency, of services and of calls.
    fn limits(&mut self) {
        let (report, timeline) = (self.page.report, &self.page.report.timeline);
        let services = timeline.services.iter().map(|(name, series)| {
            (name, &series.concurrency_limit, report.services.find(name).and_then(|service| service.concurrency_limit))
        });
        let calls = timeline.calls.iter().map(|(name, series)| {
            (name, &series.concurrency_limit, report.calls.find(name).and_then(|call| call.concurrency_limit))
        });
        for (name, series, limit) in services.chain(calls) {
            let Some(limit) = limit else { continue };
            let levels = self.levels(series);
            let scale =
                format!("{}, {} at the end", format::count(limit.max.into()), format::count(limit.at_end.into()));
            self.push(format!("{name} limit"), &levels, top(&levels), scale);
        }
    }

    fn busy(&mut self, name: &str, series: &ServiceSeries, limit: Option<u64>) {
        let busy = self.levels(&series.workers_busy);
        let most = max(&series.workers_busy);
        let (highest, scale) = match limit {
            Some(limit) => (limit as f64, format!("{} of {}", format::number(most), format::count(limit))),
            None => (top(&busy), format::number(most)),
        };
        self.push(format!("{name} busy"), &busy, highest, scale);
    }

    /// Attempts that were sent, of calls whose policies had something to do.
    fn calls(&mut self) {
        let report = self.page.report;
        let telling = report.calls.iter().filter(|(_, call)| call.retries > 0 || call.short_circuited > 0).take(CALLS);
        for (name, _) in telling {
            let Some(series) = report.timeline.calls.find(name) else { continue };
            let sent = self.a_second(&sent(series));
            self.push(format!("{name} sent"), &sent, top(&sent), format::rate(top(&sent)));
        }
    }

    fn lines(&self, names: usize) -> String {
        let curves = self.curves.iter().map(|curve| {
            let name = padded(&cut(&curve.name, names), names);
            let line = padded(&curve.line, self.axis.columns());
            format!("{INDENT}{name}  {line}  {}", self.page.paint.faint(&curve.scale))
        });
        joined(curves.chain(self.faults(names)).chain([self.times(names)]))
    }

    fn faults(&self, names: usize) -> impl Iterator<Item = String> {
        let step = self.page.report.timeline.step_s;
        self.page.report.faults.iter().take(FAULTS).map(move |fault| {
            let from = self.axis.column(fault.from_s / step);
            let to = self.axis.column_after(fault.to_s / step);
            let name = padded(&cut(&format!("fault {}", fault.name), names), names);
            let bar = format!("{name}  {}{}", " ".repeat(from), "▔".repeat(to.saturating_sub(from).max(1)));
            format!("{INDENT}{}", self.page.paint.warn(&bar))
        })
    }

    /// Round times along the axis.
    fn times(&self, names: usize) -> String {
        let step = self.page.report.timeline.step_s;
        let whole = self.page.report.time.simulated_s;
        let apart = TICKS.into_iter().find(|apart| apart * 6.0 >= whole).unwrap_or(whole / 5.0);
        let mut line = String::new();
        for tick in 0..6 {
            let at = apart * f64::from(tick);
            let column = self.axis.column(at / step);
            if at < whole && (tick == 0 || column > width(&line)) {
                line = padded(&line, column) + &format::at(at);
            }
        }
        format!("{INDENT}{}  {}", " ".repeat(names), self.page.paint.faint(&line))
    }
}

fn answered(series: &LoadSeries) -> Vec<u64> {
    series.ok.iter().zip(&series.degraded).map(|(ok, degraded)| ok + degraded).collect()
}

/// Attempts without those that the breaker held back.
fn sent(series: &CallSeries) -> Vec<u64> {
    let held_back = series.short_circuited.iter().copied().chain(std::iter::repeat(0));
    series.attempts.iter().zip(held_back).map(|(attempts, held_back)| attempts.saturating_sub(held_back)).collect()
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn share_busy(service: &Service) -> f64 {
    let workers = service.workers;
    let share = workers.limit.map_or(0.0, |limit| f64::from(workers.busy_max) / limit as f64);
    share + workers.saturated_s
}
