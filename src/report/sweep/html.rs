//! A page of a sweep that needs nothing beside itself: a heatmap over two axes for each figure, parallel coordinates over
//! all, and the cliffs. No script: figures are chosen with radio buttons and style rules.

mod heatmap;
mod parallel;

use squall_telemetry::figures::Better;
use squall_telemetry::format;

use crate::sweep::results::{Results, Row};

/// The page.
pub(crate) fn render(results: &Results) -> String {
    let rows = results.rows();
    let measures = measures(results, &rows);
    let runs: u64 = rows.iter().map(|row| row.runs).sum();
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += &format!(
        "<title>{}: sweep</title>\n<style>{}{}</style>\n",
        escaped(&results.scenario),
        STYLE,
        choices(&measures)
    );
    page += &format!(
        "<main>\n<h1>{}</h1>\n<p class=\"faint\">{} variants, {} runs</p>\n",
        escaped(&results.scenario),
        format::count(rows.len() as u64),
        format::count(runs)
    );
    for (at, measure) in measures.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        page += &format!(
            "<input type=\"radio\" name=\"figure\" id=\"f{at}\"{checked}><label for=\"f{at}\">{}</label>\n",
            escaped(&measure.name)
        );
    }
    for (at, measure) in measures.iter().enumerate() {
        let map = heatmap::render(results, measure);
        let lines = parallel::render(results, &measures, at);
        page += &format!("<section class=\"s{at}\">\n{map}{lines}</section>\n");
    }
    page += &cliffs(results, &rows);
    page += "</main>\n</html>\n";
    page
}

/// A figure of each variant.
struct Measure {
    name: String,
    /// Which way is better.
    better: Better,
    values: Vec<Option<f64>>,
    shown: Vec<String>,
}

impl Measure {
    /// The least and the greatest value.
    fn ends(&self) -> (f64, f64) {
        let values = || self.values.iter().flatten().copied();
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }

    /// How good a value is among all, from 0 to 1.
    fn goodness(&self, value: f64) -> f64 {
        let (low, high) = self.ends();
        let share = if high > low { (value - low) / (high - low) } else { 1.0 };
        if self.better == Better::Less { 1.0 - share } else { share }
    }
}

/// What can be looked at: how often all held, the headline, and what users see.
fn measures(results: &Results, rows: &[Row]) -> Vec<Measure> {
    let mut all: Vec<Measure> = results
        .shown()
        .into_iter()
        .map(|at| {
            let column = &results.columns[at];
            let shown = |row: &Row| row.means[at].map_or("–".to_owned(), |value| column.shown(value));
            Measure {
                name: column.said(),
                better: column.better,
                values: rows.iter().map(|row| row.means[at]).collect(),
                shown: rows.iter().map(shown).collect(),
            }
        })
        .collect();
    if !results.lines.is_empty() {
        all.push(Measure {
            name: "all held".to_owned(),
            better: Better::More,
            values: rows.iter().map(|row| Some(row.share())).collect(),
            shown: rows.iter().map(|row| format::share(row.share())).collect(),
        });
    }
    all
}

fn cliffs(results: &Results, rows: &[Row]) -> String {
    let cliffs = results.cliffs(rows);
    if cliffs.is_empty() {
        return String::new();
    }
    let headline = &results.columns[results.headline()];
    let mut out = String::from(
        "<h2>Cliffs</h2>\n<p class=\"faint\">Steps at which most changes, on average over all else.</p>\n<table>\n",
    );
    out += &format!("<tr><th>setting<th>step<th>all held<th>{}\n", escaped(&headline.said()));
    for cliff in cliffs.iter().take(12) {
        let [held, figure] = [cliff.held.map(format::share), cliff.figure.map(|value| headline.shown(value))];
        out += &format!(
            "<tr><td>{}<td>{} → {}<td>{} → {}<td>{} → {}\n",
            escaped(&results.paths[cliff.axis]),
            escaped(&cliff.values[0]),
            escaped(&cliff.values[1]),
            held[0],
            held[1],
            figure[0],
            figure[1]
        );
    }
    out + "</table>\n"
}

/// A colour from bad (0) to good (1), readable also for those who do not tell red from green (after viridis).
fn colour(goodness: f64) -> String {
    const STOPS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [222.0, 196.0, 20.0]];
    let place = goodness.clamp(0.0, 1.0) * 4.0;
    let (at, part) = ((place as usize).min(3), place - (place as usize).min(3) as f64);
    let mixed = |channel: usize| STOPS[at][channel] + (STOPS[at + 1][channel] - STOPS[at][channel]) * part;
    format!("#{:02x}{:02x}{:02x}", mixed(0) as u8, mixed(1) as u8, mixed(2) as u8)
}

/// Text in a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Shows the section whose button is chosen.
fn choices(measures: &[Measure]) -> String {
    (0..measures.len()).map(|at| format!("#f{at}:checked~.s{at}{{display:block}}")).collect()
}

const STYLE: &str = "
:root{color-scheme:light dark}
body{margin:0;font:15px/1.45 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:1.5rem}
h1{margin:0;font-size:1.5rem}h2{font-size:1.1rem;margin:1.5rem 0 .25rem}
.faint{opacity:.7;margin:.2rem 0 1rem}
input[type=radio]{position:absolute;opacity:0}
label{display:inline-block;padding:.3rem .7rem;margin:0 .3rem .3rem 0;border:1px solid #8886;border-radius:.4rem;cursor:pointer}
input:checked+label{background:#2a788e;color:#fff;border-color:#2a788e}
input:focus-visible+label{outline:2px solid #2a788e;outline-offset:2px}
section{display:none}
svg{max-width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:currentColor}
table{border-collapse:collapse}th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #8884;font-variant-numeric:tabular-nums}
";
