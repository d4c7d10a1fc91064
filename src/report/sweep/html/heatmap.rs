//! A heatmap: two axes that vary, a colour for each pair of values, averaged over all else. Of one axis it is one row.

use squall_telemetry::stats::mean;

use super::{Measure, colour, escaped};
use crate::sweep::results::Results;

/// A longer axis has its neighbours taken together.
const MOST: usize = 40;
const LEFT: f64 = 110.0;
const WIDTH: f64 = 900.0;

/// The picture, or a sentence where nothing varies.
pub(super) fn render(results: &Results, measure: &Measure) -> String {
    let mut varied: Vec<usize> = (0..results.axes.len()).filter(|at| results.axes[*at].len() > 1).collect();
    varied.sort_by_key(|at| std::cmp::Reverse(results.axes[*at].len().min(MOST)));
    let Some(across) = varied.first().copied() else {
        return "<p>Nothing varies.</p>\n".to_owned();
    };
    let down = varied.get(1).copied();
    let columns = Groups::of(&results.axes[across]);
    let lines = down.map_or_else(Groups::one, |down| Groups::of(&results.axes[down]));
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); columns.count() * lines.count()];
    for (runs, value) in results.runs.iter().zip(&measure.values) {
        let variant = &results.variants[runs.variant];
        let column = columns.find(&results.axes[across], &variant[across]);
        let line = down.map_or(0, |down| lines.find(&results.axes[down], &variant[down]));
        cells[line * columns.count() + column].extend(value);
    }
    let size = (WIDTH - LEFT) / columns.count() as f64;
    let height = size.clamp(14.0, 44.0);
    let bottom = height * lines.count() as f64;
    let others = results.axes.len() - varied.len().min(2);
    let mut out = format!(
        "<h2>{} by {}{}</h2>\n",
        escaped(&measure.name),
        escaped(&results.paths[across]),
        down.map_or(String::new(), |down| format!(" and {}", escaped(&results.paths[down])))
    );
    if others > 0 && varied.len() > 2 {
        out += "<p class=\"faint\">Averaged over everything else that varies.</p>\n";
    }
    out += &format!("<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"heatmap\">\n", bottom + 62.0);
    for line in 0..lines.count() {
        let y = line as f64 * height;
        if let Some(down) = down {
            let label = lines.label(&results.axes[down], line);
            out += &format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                LEFT - 8.0,
                y + height / 2.0 + 4.0,
                escaped(&label)
            );
        }
        for column in 0..columns.count() {
            let Some(value) = mean(&cells[line * columns.count() + column]) else { continue };
            let x = LEFT + column as f64 * size;
            let shown = shown(measure, value);
            let goodness = measure.goodness(value);
            out += &format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{}</title></rect>\n",
                size - 1.0,
                height - 1.0,
                colour(goodness),
                escaped(&format!("{} {shown}", columns.label(&results.axes[across], column)))
            );
            if size > 6.5 * shown.chars().count() as f64 {
                let ink = if goodness > 0.6 { "#000" } else { "#fff" };
                out += &format!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" style=\"fill:{ink}\">{}</text>\n",
                    x + size / 2.0,
                    y + height / 2.0 + 4.0,
                    escaped(&shown)
                );
            }
        }
    }
    let every = (60.0 / size).ceil().max(1.0) as usize;
    for column in (0..columns.count()).step_by(every) {
        let label = columns.label(&results.axes[across], column);
        let x = LEFT + (column as f64 + 0.5) * size;
        out +=
            &format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", bottom + 18.0, escaped(&label));
    }
    out += &legend(measure, bottom + 34.0);
    out + "</svg>\n"
}

/// What the colours mean.
fn legend(measure: &Measure, y: f64) -> String {
    let (low, high) = measure.ends();
    let mut out = String::new();
    for step in 0..60 {
        let value = low + (high - low) * f64::from(step) / 59.0;
        let x = LEFT + f64::from(step) * 4.0;
        out += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"4.5\" height=\"10\" fill=\"{}\"/>\n",
            colour(measure.goodness(value))
        );
    }
    let [low, high] = [low, high].map(|value| escaped(&shown(measure, value)));
    out += &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{low}</text>\n", LEFT - 8.0, y + 9.0);
    out + &format!("<text x=\"{}\" y=\"{}\">{high}</text>\n", LEFT + 248.0, y + 9.0)
}

/// The text of the variant that is nearest: a mean is shown in the words of its parts.
fn shown(measure: &Measure, value: f64) -> String {
    let distance = |at: &usize| measure.values[*at].map_or(f64::INFINITY, |other| (other - value).abs());
    let nearest = (0..measure.values.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.map(|at| measure.shown[at].clone()).unwrap_or_default()
}

/// The values of an axis, neighbours taken together where they are too many.
struct Groups {
    size: usize,
    values: usize,
}

impl Groups {
    fn of(values: &[String]) -> Self {
        Self { size: values.len().div_ceil(MOST).max(1), values: values.len() }
    }

    const fn one() -> Self {
        Self { size: 1, values: 1 }
    }

    fn count(&self) -> usize {
        self.values.div_ceil(self.size).max(1)
    }

    fn find(&self, values: &[String], value: &str) -> usize {
        values.iter().position(|known| known == value).unwrap_or(0) / self.size
    }

    fn label(&self, values: &[String], group: usize) -> String {
        values.get(group * self.size).cloned().unwrap_or_default()
    }
}
