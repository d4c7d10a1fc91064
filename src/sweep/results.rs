//! What a sweep has found: every run, and for each variant how often all held, means with their intervals, the best, and
//! the edges where a small step makes a great difference.

use squall_telemetry::figures::{Better, Kind};
use squall_telemetry::stats::{Interval, Z_95, mean, student_interval, wilson};

use super::column::Column;
use super::design::Variant;
use super::{Runs, Seeds, Sweep};

/// Everything that is reported of a sweep.
pub(crate) struct Results {
    /// The topology's name.
    pub(crate) scenario: String,
    /// The paths that vary.
    pub(crate) paths: Vec<String>,
    /// Every value that an axis took on, in order.
    pub(crate) axes: Vec<Vec<String>>,
    /// The values of each variant.
    pub(crate) variants: Vec<Variant>,
    /// What was kept of each run.
    pub(crate) columns: Vec<Column>,
    /// What had to hold.
    pub(crate) lines: Vec<String>,
    /// The runs of each variant.
    pub(crate) runs: Vec<Runs>,
    /// Whether every combination ran.
    pub(crate) grid: bool,
    /// Whether the seeds were as many as it took.
    pub(crate) until: bool,
}

/// A variant, summed up.
pub(crate) struct Row {
    /// Runs.
    pub(crate) runs: u64,
    /// Those in which all held.
    pub(crate) held: u64,
    /// The mean of each column.
    pub(crate) means: Vec<Option<f64>>,
    /// Where each mean lies with 95 % confidence.
    pub(crate) intervals: Vec<Option<Interval>>,
}

impl Row {
    /// How often all held.
    pub(crate) fn share(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { self.held as f64 / self.runs as f64 }
    }

    /// Where the probability lies with 95 % confidence.
    pub(crate) fn interval(&self) -> Interval {
        wilson(self.held, self.runs, Z_95)
    }
}

/// A step of an axis at which much changes.
pub(crate) struct Cliff {
    /// Which axis.
    pub(crate) axis: usize,
    /// The values before and behind it.
    pub(crate) values: [String; 2],
    /// How often all held, on average over all else.
    pub(crate) held: [f64; 2],
    /// The headline figure, likewise.
    pub(crate) figure: [f64; 2],
    /// How great it is, from 0 to 1.
    pub(crate) size: f64,
}

impl Results {
    /// The results of `runs`.
    pub(crate) fn new(sweep: &Sweep, runs: Vec<Runs>, scenario: &str) -> Self {
        let value_list = |at: usize| -> Vec<String> {
            if let Some(values) = sweep.axes[at].list() {
                return values.to_vec();
            }
            let mut all: Vec<String> = sweep.variants.iter().map(|variant| variant[at].clone()).collect();
            let share = |value: &String| sweep.axes[at].share_of(value).unwrap_or(0.0);
            all.sort_by(|a, b| share(a).total_cmp(&share(b)));
            all.dedup();
            all
        };
        Self {
            scenario: scenario.to_owned(),
            paths: sweep.axes.iter().map(|axis| axis.path.clone()).collect(),
            axes: (0..sweep.axes.len()).map(value_list).collect(),
            variants: sweep.variants.clone(),
            columns: sweep.columns.clone(),
            lines: sweep.lines.clone(),
            runs,
            grid: sweep.grid,
            until: matches!(sweep.seeds, Seeds::Until { .. }),
        }
    }

    /// Every variant that ran, summed up.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.runs.iter().map(|runs| self.row(runs)).collect()
    }

    fn row(&self, runs: &Runs) -> Row {
        let held = runs.records.iter().filter(|record| record.held.iter().all(|held| *held)).count() as u64;
        let values = |column: usize| -> Vec<f64> {
            runs.records.iter().filter_map(|record| record.values.get(column).copied().flatten()).collect()
        };
        let columns: Vec<Vec<f64>> = (0..self.columns.len()).map(values).collect();
        Row {
            runs: runs.records.len() as u64,
            held,
            means: columns.iter().map(|values| mean(values)).collect(),
            intervals: columns.iter().map(|values| student_interval(values, 0.95)).collect(),
        }
    }

    /// The column that variants are ranked by after how often all holds: the first goal, else goodput.
    pub(crate) fn headline(&self) -> usize {
        let goal = self.columns.iter().position(Column::is_goal);
        let system = || self.columns.iter().position(|column| column.is(Kind::System, "goodput_per_s"));
        let load = || self.columns.iter().position(|column| column.is(Kind::Load, "goodput_per_s"));
        goal.or_else(system).or_else(load).unwrap_or(0)
    }

    /// The columns that a table shows: the headline, other goals, and what users see.
    pub(crate) fn shown(&self) -> Vec<usize> {
        const MOST: usize = 4;
        let headline = self.headline();
        let users = |column: &Column| {
            ["failed", "p99_ms", "goodput_per_s"]
                .iter()
                .any(|key| column.is(Kind::Load, key) || column.is(Kind::System, key))
        };
        let mut shown = vec![headline];
        let goals = (0..self.columns.len()).filter(|at| self.columns[*at].was_asked_for());
        let rest = (0..self.columns.len()).filter(|at| users(&self.columns[*at]));
        for at in goals.chain(rest) {
            if !shown.contains(&at) && shown.len() < MOST {
                shown.push(at);
            }
        }
        shown
    }

    /// The rows from the best to the worst.
    pub(crate) fn ranking(&self, rows: &[Row]) -> Vec<usize> {
        let headline = self.headline();
        let worth = |row: &Row| {
            let value = row.means.get(headline).copied().flatten();
            match self.columns.get(headline).map(|column| column.better) {
                Some(Better::Less) => value.map_or(f64::NEG_INFINITY, |value| -value),
                _ => value.unwrap_or(f64::NEG_INFINITY),
            }
        };
        let p99 = self.columns.iter().position(|column| column.is(Kind::Load, "p99_ms"));
        let slow = |row: &Row| p99.and_then(|at| row.means[at]).unwrap_or(f64::INFINITY);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&rows[*a], &rows[*b]);
            let by_held = b.share().total_cmp(&a.share());
            by_held.then(worth(b).total_cmp(&worth(a))).then(slow(a).total_cmp(&slow(b)))
        });
        order
    }

    /// The steps at which most changes, the greatest first; of a grid only.
    pub(crate) fn cliffs(&self, rows: &[Row]) -> Vec<Cliff> {
        if !self.grid {
            return Vec::new();
        }
        let headline = self.headline();
        let figures: Vec<f64> = rows.iter().filter_map(|row| row.means.get(headline).copied().flatten()).collect();
        let high = figures.iter().copied().fold(0.0, |a: f64, b| a.max(b.abs()));
        let mut cliffs: Vec<Cliff> = Vec::new();
        for (axis, values) in self.axes.iter().enumerate() {
            let level = |value: &String| {
                let here = |runs: &Runs| self.variants[runs.variant][axis] == *value;
                let of: Vec<&Row> =
                    self.runs.iter().zip(rows).filter(|(runs, _)| here(runs)).map(|(_, row)| row).collect();
                let held = mean(&of.iter().map(|row| row.share()).collect::<Vec<_>>());
                let figure = mean(&of.iter().filter_map(|row| row.means[headline]).collect::<Vec<_>>());
                Some((held?, figure.unwrap_or(0.0)))
            };
            let levels: Vec<Option<(f64, f64)>> = values.iter().map(level).collect();
            for (two, levels) in values.windows(2).zip(levels.windows(2)) {
                let (Some(a), Some(b)) = (levels[0], levels[1]) else { continue };
                let moved = if high > 0.0 { (b.1 - a.1).abs() / high } else { 0.0 };
                cliffs.push(Cliff {
                    axis,
                    values: [two[0].clone(), two[1].clone()],
                    held: [a.0, b.0],
                    figure: [a.1, b.1],
                    size: moved.max((b.0 - a.0).abs()),
                });
            }
        }
        cliffs.retain(|cliff| cliff.size >= 0.1);
        cliffs.sort_by(|a, b| b.size.total_cmp(&a.size));
        cliffs
    }
}
