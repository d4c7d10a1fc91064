//! Parallel coordinates: an upright line an axis and a figure, a line across them a variant, coloured by how good it is.

use super::{Measure, colour, escaped};
use crate::sweep::results::Results;

/// More lines than this are a grey mass: of more, every so many-th is drawn, and the best always.
const MOST: usize = 600;
const WIDTH: f64 = 1000.0;
const TOP: f64 = 34.0;
const HEIGHT: f64 = 260.0;
const SIDE: f64 = 80.0;

/// One upright line: where each variant crosses it, from 0 (bottom) to 1, and what stands at its ends.
struct Upright {
    name: String,
    places: Vec<Option<f64>>,
    ends: [String; 2],
}

/// The picture, coloured by the measure `by`.
pub(super) fn render(results: &Results, measures: &[Measure], by: usize) -> String {
    let uprights: Vec<Upright> = (0..results.axes.len())
        .filter(|at| results.axes[*at].len() > 1)
        .map(|at| of_axis(results, at))
        .chain(measures.iter().map(of_measure))
        .collect();
    if uprights.len() < 2 {
        return String::new();
    }
    let gap = (WIDTH - 2.0 * SIDE) / (uprights.len() - 1) as f64;
    let x = |at: usize| SIDE + at as f64 * gap;
    let y = |place: f64| TOP + (1.0 - place) * HEIGHT;
    let mut out = format!(
        "<h2>Every variant</h2>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"parallel coordinates\">\n<g fill=\"none\" stroke-opacity=\".55\">\n",
        TOP + HEIGHT + 30.0
    );
    for variant in drawn(&measures[by]) {
        let points: Vec<String> = uprights
            .iter()
            .enumerate()
            .filter_map(|(at, upright)| upright.places[variant].map(|place| format!("{:.0},{:.0}", x(at), y(place))))
            .collect();
        let goodness = measures[by].values[variant].map_or(0.0, |value| measures[by].goodness(value));
        let title: Vec<String> = results
            .paths
            .iter()
            .zip(&results.variants[results.runs[variant].variant])
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        out += &format!(
            "<polyline points=\"{}\" stroke=\"{}\"><title>{}: {}</title></polyline>\n",
            points.join(" "),
            colour(goodness),
            escaped(&title.join(" ")),
            escaped(&measures[by].shown[variant])
        );
    }
    out += "</g>\n";
    for (at, upright) in uprights.iter().enumerate() {
        let (x, top, bottom) = (x(at), TOP, TOP + HEIGHT);
        out += &format!("<line x1=\"{x:.0}\" x2=\"{x:.0}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"currentColor\"/>\n");
        let texts = [(&upright.name, top - 20.0), (&upright.ends[1], top - 6.0), (&upright.ends[0], bottom + 16.0)];
        for (text, y) in texts {
            out += &format!("<text x=\"{x:.0}\" y=\"{y}\" text-anchor=\"middle\">{}</text>\n", escaped(text));
        }
    }
    out + "</svg>\n"
}

/// Which variants are drawn, the best last and so on top.
fn drawn(measure: &Measure) -> Vec<usize> {
    let good = |at: &usize| measure.values[*at].map_or(-1.0, |value| measure.goodness(value));
    let mut all: Vec<usize> = (0..measure.values.len()).collect();
    all.sort_by(|a, b| good(a).total_cmp(&good(b)));
    let step = all.len().div_ceil(MOST).max(1);
    let last = all.len();
    all.into_iter()
        .enumerate()
        .filter(|(at, _)| at % step == 0 || at + 20 >= last)
        .map(|(_, variant)| variant)
        .collect()
}

fn of_axis(results: &Results, axis: usize) -> Upright {
    let values = &results.axes[axis];
    let place = |value: &String| {
        let at = values.iter().position(|known| known == value)?;
        Some(at as f64 / (values.len() - 1) as f64)
    };
    let name = results.paths[axis].rsplit('.').next().unwrap_or_default().to_owned();
    let places = results.runs.iter().map(|runs| place(&results.variants[runs.variant][axis])).collect();
    let end = |value: Option<&String>| value.cloned().unwrap_or_default();
    Upright { name, places, ends: [end(values.first()), end(values.last())] }
}

fn of_measure(measure: &Measure) -> Upright {
    let (low, high) = measure.ends();
    let place = |value: &Option<f64>| value.map(|value| if high > low { (value - low) / (high - low) } else { 0.5 });
    let shown = |wanted: f64| {
        let at = measure.values.iter().position(|value| *value == Some(wanted));
        at.map(|at| measure.shown[at].clone()).unwrap_or_default()
    };
    Upright {
        name: measure.name.clone(),
        places: measure.values.iter().map(place).collect(),
        ends: [shown(low), shown(high)],
    }
}
