//! The graph of a topology: Mermaid, Graphviz, and a picture of our own in layers.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use squall_model::spec::{Load, Step, Topology};

use super::Exported;
use super::calls::steps;

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Load,
    Service,
    Database,
    Cache,
    Topic,
}

struct Graph<'a> {
    nodes: Vec<(&'a str, Sort)>,
    /// From, to, and whether nobody waits for it.
    edges: Vec<(usize, usize, bool)>,
}

impl<'a> Graph<'a> {
    fn of(topology: &'a Topology) -> Self {
        let mut graph = Self { nodes: Vec::new(), edges: Vec::new() };
        let loads = topology.load.iter().map(|load| (load.name.value.as_str(), Sort::Load));
        let services = topology.services.names().map(|name| (name, Sort::Service));
        let databases = topology.databases.names().map(|name| (name, Sort::Database));
        let caches = topology.caches.names().map(|name| (name, Sort::Cache));
        let topics = topology.topics.names().map(|name| (name, Sort::Topic));
        graph.nodes = loads.chain(services).chain(databases).chain(caches).chain(topics).collect();
        for load in &topology.load {
            for to in targets(load) {
                graph.edge((&load.name, Sort::Load), (to, Sort::Service), false);
            }
        }
        for (name, service) in topology.services.iter() {
            for step in steps(service) {
                let (to, sort, nobody) = match step {
                    Step::Call(call) => (call.to.service.value.as_str(), Sort::Service, false),
                    Step::Query(query) => (query.from.value.as_str(), Sort::Database, false),
                    Step::Get(get) => (get.from.value.as_str(), Sort::Cache, false),
                    Step::Publish(topic) => (topic.value.as_str(), Sort::Topic, true),
                    _ => continue,
                };
                graph.edge((&name.value, Sort::Service), (to, sort), nobody);
            }
        }
        for (name, topic) in topology.topics.iter() {
            for to in &topic.to.0 {
                graph.edge((&name.value, Sort::Topic), (&to.service.value, Sort::Service), true);
            }
        }
        graph
    }

    fn edge(&mut self, from: (&str, Sort), to: (&str, Sort), nobody_waits: bool) {
        let index = |node: (&str, Sort)| self.nodes.iter().position(|known| *known == node);
        if let (Some(from), Some(to)) = (index(from), index(to))
            && !self.edges.iter().any(|(a, b, _)| (*a, *b) == (from, to))
        {
            self.edges.push((from, to, nobody_waits));
        }
    }

    /// The layer of each node: behind all that call it.
    fn layers(&self) -> Vec<usize> {
        let mut layers = vec![0; self.nodes.len()];
        // A longest path has fewer edges than there are nodes; what goes in a circle stays where that ends.
        for _ in 0..self.nodes.len().min(64) {
            for (from, to, _) in &self.edges {
                layers[*to] = layers[*to].max((layers[*from] + 1).min(self.nodes.len()));
            }
        }
        layers
    }
}

fn targets(load: &Load) -> Vec<&str> {
    let tasks = load.tasks.iter().map(|task| task.to.service.value.as_str());
    load.to.iter().map(|to| to.service.value.as_str()).chain(tasks).collect()
}

pub(super) fn mermaid(topology: &Topology) -> Exported {
    let graph = Graph::of(topology);
    let mut text = String::from("flowchart LR\n");
    for (index, (name, sort)) in graph.nodes.iter().enumerate() {
        let (open, close) = match sort {
            Sort::Load => ("([", "])"),
            Sort::Service => ("[", "]"),
            Sort::Database => ("[(", ")]"),
            Sort::Cache => ("[[", "]]"),
            Sort::Topic => (">", "]"),
        };
        let _ = writeln!(text, "  n{index}{open}\"{name}\"{close}");
    }
    for (from, to, nobody_waits) in &graph.edges {
        let arrow = if *nobody_waits { "-.->" } else { "-->" };
        let _ = writeln!(text, "  n{from} {arrow} n{to}");
    }
    Exported { text, notes: Vec::new() }
}

pub(super) fn graphviz(topology: &Topology) -> Exported {
    let graph = Graph::of(topology);
    let mut text =
        format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n", escaped(&topology.name));
    for (index, (name, sort)) in graph.nodes.iter().enumerate() {
        let shape = match sort {
            Sort::Load => "oval",
            Sort::Service => "box",
            Sort::Database => "cylinder",
            Sort::Cache => "box3d",
            Sort::Topic => "cds",
        };
        let _ = writeln!(text, "  n{index} [label=\"{name}\", shape={shape}];");
    }
    for (from, to, nobody_waits) in &graph.edges {
        let style = if *nobody_waits { " [style=dashed]" } else { "" };
        let _ = writeln!(text, "  n{from} -> n{to}{style};");
    }
    text.push_str("}\n");
    Exported { text, notes: Vec::new() }
}

/// `"` and `\` with a `\` before them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}

/// Distance of layers and of rows, and the size of a node.
const ACROSS: usize = 190;
const DOWN: usize = 64;
const WIDE: usize = 140;
const HIGH: usize = 36;

pub(super) fn svg(topology: &Topology) -> Exported {
    let graph = Graph::of(topology);
    let layers = graph.layers();
    let places = places(&graph, &layers);
    let columns = layers.iter().max().map_or(1, |deepest| deepest + 1);
    let rows = places.iter().map(|(_, row)| row + 1).max().unwrap_or(1);
    let (width, height) = (columns * ACROSS - (ACROSS - WIDE) + 40, rows * DOWN + 20);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
         <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#667\"/></marker></defs>\n",
        markup(&topology.name)
    );
    let at = |(column, row): (usize, usize)| (20 + column * ACROSS, 20 + row * DOWN);
    for (from, to, nobody_waits) in &graph.edges {
        let ((x1, y1), (x2, y2)) = (at(places[*from]), at(places[*to]));
        let (x1, y1, y2) = (x1 + WIDE, y1 + HIGH / 2, y2 + HIGH / 2);
        let bend = usize::midpoint(x1, x2);
        let dashes = if *nobody_waits { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = writeln!(
            text,
            "<path d=\"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#667\"{dashes} marker-end=\"url(#end)\"/>"
        );
    }
    for (index, (name, sort)) in graph.nodes.iter().enumerate() {
        let (x, y) = at(places[index]);
        let (fill, round) = match sort {
            Sort::Load => ("#e8f0fe", HIGH / 2),
            Sort::Service => ("#fff", 4),
            Sort::Database => ("#fdf0e0", 12),
            Sort::Cache => ("#eef7ea", 12),
            Sort::Topic => ("#f5ebfa", 0),
        };
        let shown: String =
            if name.chars().count() > 18 { name.chars().take(17).chain(['…']).collect() } else { (*name).into() };
        let _ = writeln!(
            text,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDE}\" height=\"{HIGH}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"#334\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#112\">{}</text></g>",
            markup(name),
            x + WIDE / 2,
            y + HIGH / 2 + 5,
            markup(&shown)
        );
    }
    text.push_str("</svg>\n");
    Exported { text, notes: Vec::new() }
}

/// Layer and row of each node: rows follow those of the callers.
fn places(graph: &Graph<'_>, layers: &[usize]) -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize)> = layers.iter().map(|layer| (*layer, 0)).collect();
    let mut by_layer: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        by_layer.entry(*layer).or_default().push(index);
    }
    for nodes in by_layer.values_mut() {
        let caller = |node: &usize| {
            let rows: Vec<usize> =
                graph.edges.iter().filter(|(_, to, _)| to == node).map(|(from, ..)| places[*from].1).collect();
            if rows.is_empty() { 0 } else { rows.iter().sum::<usize>() * 1000 / rows.len() }
        };
        let order: BTreeMap<usize, usize> = nodes.iter().map(|node| (*node, caller(node))).collect();
        nodes.sort_by_key(|node| order.get(node).copied());
        for (row, node) in nodes.iter().enumerate() {
            places[*node].1 = row;
        }
    }
    places
}

fn markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
