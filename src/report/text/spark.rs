//! Small curves of one line: a value a column, in eighths of the line's height.

const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How steps of time share the columns of a line: several columns a step, or several steps a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Axis {
    steps: usize,
    columns_a_step: usize,
    steps_a_column: usize,
}

/// What several steps make together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fold {
    Mean,
    Max,
}

impl Axis {
    /// So many steps in at most so many columns.
    pub(super) fn new(steps: usize, room: usize) -> Self {
        let (steps, room) = (steps.max(1), room.max(1));
        Self { steps, columns_a_step: (room / steps).max(1), steps_a_column: steps.div_ceil(room) }
    }

    pub(super) const fn columns(self) -> usize {
        self.steps.div_ceil(self.steps_a_column) * self.columns_a_step
    }

    /// The column of the time that is so many steps from the beginning.
    pub(super) fn column(self, steps: f64) -> usize {
        (self.place(steps) as usize).min(self.columns())
    }

    /// The first column that lies wholly behind that time.
    pub(super) fn column_after(self, steps: f64) -> usize {
        (self.place(steps).ceil() as usize).min(self.columns())
    }

    fn place(self, steps: f64) -> f64 {
        steps * self.columns_a_step as f64 / self.steps_a_column as f64
    }

    /// A value a column; `None` where there is none.
    pub(super) fn fold(self, values: &[Option<f64>], fold: Fold) -> Vec<Option<f64>> {
        let steps = values.get(..self.steps).unwrap_or(values);
        let columns = steps.chunks(self.steps_a_column).map(|chunk| {
            let known: Vec<f64> = chunk.iter().flatten().copied().collect();
            match fold {
                _ if known.is_empty() => None,
                Fold::Mean => Some(known.iter().sum::<f64>() / known.len() as f64),
                Fold::Max => known.into_iter().reduce(f64::max),
            }
        });
        columns.flat_map(|value| std::iter::repeat_n(value, self.columns_a_step)).collect()
    }
}

/// The curve of these values, where `top` fills the line. Nothing at all is a blank, and anything above it is seen.
pub(super) fn curve(values: &[Option<f64>], top: f64) -> String {
    let level = |value: f64| if top > 0.0 { (value / top * 8.0).ceil().clamp(0.0, 8.0) as usize } else { 0 };
    values.iter().map(|value| LEVELS[value.map_or(0, level)]).collect()
}

/// The greatest of the values.
pub(super) fn top(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_share_the_columns_evenly() {
        let table = [(60, 60, 60), (60, 50, 30), (60, 125, 120), (300, 50, 50), (301, 50, 43), (0, 50, 50), (1, 7, 7)];
        for (steps, room, columns) in table {
            assert_eq!(Axis::new(steps, room).columns(), columns, "{steps} steps in {room}");
        }
        assert_eq!(Axis::new(60, 30).column(20.0), 10);
        assert_eq!(Axis::new(60, 120).column(20.5), 41);
        assert_eq!(Axis::new(60, 30).column(99.0), 30);
        assert_eq!([34.0, 35.0].map(|step| Axis::new(60, 30).column_after(step)), [17, 18]);
    }

    #[test]
    fn a_column_is_the_mean_or_the_greatest_of_its_steps() {
        let values = [Some(1.0), Some(3.0), None, Some(5.0), None, None];
        assert_eq!(Axis::new(6, 3).fold(&values, Fold::Mean), [Some(2.0), Some(5.0), None]);
        assert_eq!(Axis::new(6, 3).fold(&values, Fold::Max), [Some(3.0), Some(5.0), None]);
        assert_eq!(Axis::new(2, 4).fold(&values, Fold::Max), [Some(1.0), Some(1.0), Some(3.0), Some(3.0)]);
    }

    #[test]
    fn a_curve_shows_nothing_little_and_all() {
        let values = [Some(0.0), None, Some(0.01), Some(50.0), Some(100.0), Some(200.0)];
        assert_eq!(curve(&values, 100.0), "  ▁▄██");
        assert_eq!(curve(&[Some(1.0)], 0.0), " ");
    }
}
