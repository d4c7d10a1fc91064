//! The report as one page that a browser shows: everything it needs is in it, and it may load nothing. The template and
//! the page's own small scripts and style stand beside; they draw from `report.json`, which is embedded as it is. Knows
//! nothing of how figures were found, and opens no file.

mod compare;
mod layout;

use askama::Template;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use squall_model::plan::Plan;
use squall_telemetry::compare::Comparison;
use squall_telemetry::report::{Graph, NodeKind, Report};

use crate::why::capacity::Capacity;

use compare::Told;
use layout::{Direction, Drawing, Line, Size, Sketch};

/// The page's script, a file a picture, in one scope of its own.
const SCRIPT: &str = concat!(
    "\"use strict\";(()=>{\n",
    include_str!("page/dom.js"),
    include_str!("page/format.js"),
    include_str!("page/data.js"),
    include_str!("page/state.js"),
    include_str!("page/score.js"),
    include_str!("page/verdict.js"),
    include_str!("page/compare.js"),
    include_str!("page/capacity.js"),
    include_str!("page/graph.js"),
    include_str!("page/facts.js"),
    include_str!("page/offered.js"),
    include_str!("page/latency.js"),
    include_str!("page/attempts.js"),
    include_str!("page/breakers.js"),
    include_str!("page/occupancy.js"),
    include_str!("page/machines.js"),
    include_str!("page/stores.js"),
    include_str!("page/red.js"),
    include_str!("page/traces.js"),
    include_str!("page/tables.js"),
    include_str!("page/source.js"),
    include_str!("page/scrubber.js"),
    include_str!("page/watch.js"),
    include_str!("page/main.js"),
    "})();",
);
const STYLE: &str = include_str!("page/page.css");

/// The frame around everything.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'p> {
    policy: &'p str,
    title: &'p str,
    sentence: &'p str,
    style: &'static str,
    data: &'p str,
    script: &'static str,
}

/// What the page draws from.
#[derive(Serialize)]
struct Data<'r> {
    /// The run; where two are compared, the one that the other is held against comes first.
    runs: Vec<Labelled<'r>>,
    layout: Layout,
    /// What the second run changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Told<'r>>,
    /// What the system bears, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<&'r Capacity>,
    /// Whether the page asks its server how the run stands.
    live: bool,
}

#[derive(Serialize)]
struct Labelled<'r> {
    label: &'r str,
    report: &'r Report,
}

/// The graph, laid out for wide pages and for narrow ones.
#[derive(Serialize)]
struct Layout {
    right: Drawing,
    down: Drawing,
}

/// The page of one run.
pub(crate) fn render(report: &Report) -> Result<String, askama::Error> {
    page(&report.scenario, &report.sentence, &Data::of(vec![Labelled { label: "", report }], &report.graph))
}

/// The page of two runs, each with its name, the first of which the second is held against.
pub(crate) fn render_both(
    [(before, base), (after, new)]: [(&str, &Report); 2],
    found: &Comparison,
) -> Result<String, askama::Error> {
    let runs = vec![Labelled { label: before, report: base }, Labelled { label: after, report: new }];
    let comparison = Some(Told::of(found, [base, new]));
    let data = Data { comparison, ..Data::of(runs, &new.graph) };
    page(&format!("{before} → {after}"), &found.sentence, &data)
}

/// The page of what a system bears: the curve, and the run in which its load went up and down again.
pub(crate) fn render_capacity(found: &Capacity) -> Result<String, askama::Error> {
    let runs = vec![Labelled { label: "", report: &found.run }];
    let data = Data { capacity: Some(found), ..Data::of(runs, &found.run.graph) };
    page(&format!("{}: capacity", found.scenario), &found.sentence, &data)
}

/// The page of a run that is under way, for whoever serves it: it asks for `report.json` beside it.
pub(crate) fn render_live(plan: &Plan) -> Result<String, askama::Error> {
    page(&plan.name, &plan.about, &Data { live: true, ..Data::of(Vec::new(), &Graph::of(plan)) })
}

impl<'r> Data<'r> {
    /// These runs, drawn by this graph, and nothing else.
    fn of(runs: Vec<Labelled<'r>>, graph: &Graph) -> Self {
        Self { runs, layout: Layout::of(graph), comparison: None, capacity: None, live: false }
    }
}

fn page(title: &str, sentence: &str, data: &Data<'_>) -> Result<String, askama::Error> {
    let json = serde_json::to_string(data).map_err(|error| askama::Error::Custom(error.into()))?;
    // In a script element nothing but `<` can end the data.
    let json = json.replace('<', "\\u003c");
    let page = Page { policy: &policy(data.live), title, sentence, style: STYLE, data: &json, script: SCRIPT };
    page.render()
}

/// Nothing is loaded, and nothing runs but what is known by its hash; a live page may ask its own server.
fn policy(live: bool) -> String {
    let connect = if live { " connect-src 'self';" } else { "" };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}';{connect} img-src data:; base-uri 'none'; form-action 'none'",
        base64(&Sha256::digest(SCRIPT)),
        base64(&Sha256::digest(STYLE)),
    )
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| three.get(place).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let known = place <= three.len();
            text.push(if known { LETTERS[(bits >> (18 - 6 * place)) as usize & 63] as char } else { '=' });
        }
    }
    text
}

impl Layout {
    fn of(graph: &Graph) -> Self {
        let sketch = sketch(graph);
        Self { right: layout::draw(&sketch, Direction::Right), down: layout::draw(&sketch, Direction::Down) }
    }
}

/// Boxes as wide as their names need, within reason; the page cuts longer ones short.
fn sketch(graph: &Graph) -> Sketch {
    let boxes = graph.nodes.iter().map(|node| {
        let letters: f64 = node.name.chars().map(|letter| if letter.is_ascii() { 8.6 } else { 14.0 }).sum();
        let least = if node.kind == NodeKind::Load { 128.0 } else { 164.0 };
        Size { width: (letters + 48.0).clamp(least, 232.0), height: 60.0 }
    });
    let lines = graph.edges.iter().map(|edge| Line { from: edge.from, to: edge.to, badge: edge.breaker });
    Sketch { boxes: boxes.collect(), lines: lines.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Overrides;
    use crate::report::text::sample;
    use crate::topologies::built_in;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let table = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, expected) in table {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn names_cannot_end_the_data_nor_become_markup() {
        let evil = "</script><script>alert(1)</script>\"'&🚀";
        let report = Report { scenario: evil.to_owned(), sentence: evil.to_owned(), ..sample::cascade() };
        let page = render(&report).unwrap();
        assert_eq!(page.matches("</script>").count(), 2, "the data and the script end once each");
        assert!(!page.contains("<script>alert"));
        let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let data = &page[start..start + page[start..].find("</script>").unwrap()];
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["runs"][0]["report"]["scenario"], evil);
    }

    #[test]
    fn everything_on_the_page_is_in_the_report() {
        let report = sample::storm();
        let page = render(&report).unwrap();
        assert!(page.contains(&serde_json::to_string(&report).unwrap().replace('<', "\\u003c")));
        assert!(!page.contains("http://") || !page.contains("src=\"http"), "the page asks nobody for anything");
    }

    #[test]
    fn the_graphs_of_all_built_in_topologies_can_be_read() {
        for topology in built_in() {
            let plan = topology.plan(&Overrides::default()).unwrap();
            let Some((plan, _)) = plan else { panic!("{} does not run", topology.name) };
            let graph = Graph::of(&plan);
            let sketch = sketch(&graph);
            assert_eq!(sketch.boxes.len(), graph.nodes.len());
            for direction in [Direction::Right, Direction::Down] {
                let what = format!("{}, {direction:?}", topology.name);
                layout::tests::assert_readable(&sketch, &layout::draw(&sketch, direction), &what);
            }
        }
    }
}
