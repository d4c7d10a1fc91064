// Single requests, followed: the typical one, the one at p99, the first that failed. A row a request, attempt or branch;
// what it spent its time on lies on the row, and what its user really waited for is underlined.

const ROWS = 60;
const ROW = 19;
const LEAVES = { queue: "retry", connection: "retry", held: "retry", back_off: "pause", work: "good", wait: "good", query: "good", cache: "good", publish: "good", fault: "bad", fallback: "degraded" };
const LEAF_NAMES = { queue: "queue for a worker", connection: "waiting for a connection", back_off: "back-off", held: "held back by a policy", work: "own work", wait: "wait", query: "query", cache: "cache", publish: "publishing a message", fault: "slowed by a fault", fallback: "fallback" };
const CAUSES = { ...LEAF_NAMES, network: "network", frozen: "frozen", downstream: "downstream, no answer", wait: "wait off the CPU" };
const TITLES = { p50: "The typical request", p99: "At p99", "first-failure": "The first that failed", slowest: "The slowest" };

function tracesSection(page) {
  const { run, base } = page;
  // Of two runs, those at the same place stand together, and on one scale.
  const rank = (trace) => Object.keys(TITLES).indexOf(trace.at);
  const traces = [base, run].filter(Boolean).flatMap((one) => (one.report.traces || []).map((trace) => ({ ...trace, label: one.label })))
    .sort((a, b) => rank(a) - rank(b));
  if (traces.length === 0) return null;
  const same = h("input", { type: "checkbox", checked: Boolean(base), onchange: () => drawings.forEach((draw) => draw()) });
  const longest = most(traces.map((trace) => trace.latency_ns));
  const drawings = [];
  const parts = traces.map((trace) => {
    const plot = h("div", { class: "waterfall" });
    const draw = () => drawTrace(plot, trace, (same.checked ? longest : trace.latency_ns) || 1);
    drawings.push(draw);
    return h("article", { class: "trace", "data-trace": trace.at },
      h("header", {}, h("h3", {}, TITLES[trace.at] || trace.at, trace.label && `, ${trace.label}`), h("p", { class: "note" },
        `${trace.load === trace.task ? trace.load : `${trace.load}.${trace.task}`}: ${trace.outcome} after `, figure(trace.latency_ns / 1e6, duration),
        ", due at ", h("button", { class: "link", onclick: () => { play(false); seek(trace.start_ns / 1e9); } }, at(trace.start_ns / 1e9)))),
      plot, byCause(trace));
  });
  page.redraw.push(() => drawings.forEach((draw) => draw()));
  return section("traces", "Single requests, followed",
    "The very requests at these places. A row a request or attempt, what it waited for and worked at upon it; underlined is what its user waited for.",
    traces.length > 1 && h("label", { class: "note same" }, same, " one scale for all"), parts,
    h("ul", { class: "legend" }, [["good", "work, query"], ["retry", "waiting for a worker or connection"], ["pause", "back-off"], ["bad", "a fault, or failed"], ["waste", "after its caller had left"]].map(([mark, text]) =>
      h("li", {}, h("i", { class: `mark ${mark}`, "aria-hidden": "true" }), text))));
}

/** What its latency is made of, the most first. */
function byCause(trace) {
  return h("ol", { class: "by-cause" }, trace.by_cause.slice(0, 6).map((part) => h("li", {},
    h("span", {}, `${CAUSES[part.cause] || part.cause} · ${part.place}`), figure(part.ns / 1e6, duration), h("span", { class: "share" }, share(part.share)))));
}

/** Rows in order, each with its depth and what lies on it. */
function rowsOf(trace) {
  const rows = new Map();
  const list = [];
  for (const span of trace.spans) {
    const parent = span.parent ? rows.get(span.parent) : null;
    if (span.kind in LEAVES && parent) {
      parent.leaves.push(span);
      rows.set(span.id, parent);
      continue;
    }
    const row = { span, depth: parent ? parent.depth + 1 : 0, leaves: [], parent };
    rows.set(span.id, row);
    list.push(row);
  }
  return ordered(list);
}

/** Children right under their parents, by time. */
function ordered(list) {
  const under = new Map();
  for (const row of list) under.set(row.parent, [...(under.get(row.parent) || []), row]);
  const out = [];
  const visit = (row) => {
    out.push(row);
    (under.get(row) || []).sort((a, b) => a.span.start_ns - b.span.start_ns).forEach(visit);
  };
  (under.get(null) || []).forEach(visit);
  return out;
}

function drawTrace(node, trace, whole) {
  const width = node.clientWidth;
  if (width === 0) return;
  const all = rowsOf(trace);
  const rows = all.slice(0, ROWS);
  const gutter = Math.min(250, width * 0.36);
  // What goes on after the user has left is cut off at the right.
  const x = (ns) => gutter + Math.min(Math.max((ns - trace.start_ns) / whole, 0), 1.0) * (width - gutter - 2);
  const height = rows.length * ROW + 24;
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Waterfall: ${trace.outcome} after ${duration(trace.latency_ns / 1e6)}` });
  for (const tick of timeTicksMs(whole / 1e6, (width - gutter) / 110)) {
    const at = x(trace.start_ns + tick * 1e6);
    svg.append(s("line", { class: "grid", x1: at, x2: at, y1: 0, y2: height - 18 }), s("text", { class: "tick", x: at, y: height - 5, "text-anchor": tick === 0 ? "start" : at > width - 30 ? "end" : "middle" }, tick === 0 ? "0" : duration(tick)));
  }
  rows.forEach((row, i) => drawRow(svg, row, { x, y: i * ROW, gutter, trace }));
  const more = all.length - rows.length;
  node.replaceChildren(svg, ...(more > 0 ? [h("p", { class: "note" }, `${count(more)} further rows are in the JSON.`)] : []));
}

const timeTicksMs = (end, about) => ticks(end, Math.max(about, 1.5)).filter((tick) => tick <= end);

function drawRow(svg, { span, depth, leaves }, { x, y, gutter, trace }) {
  const failed = span.outcome && !["ok", "degraded"].includes(span.outcome);
  const indent = Math.min(depth * 9, gutter * 0.45);
  const name = `${span.kind === "hedge" ? "hedge of " : ""}${span.name}${span.attempt && span.attempt > 1 ? `, attempt ${span.attempt}` : ""}`;
  const label = s("text", { class: `row-name ${span.kind}`, x: indent, y: y + 13 }, cut(name, gutter - indent - 10, "12.5px system-ui, sans-serif"));
  const [from, to] = [x(span.start_ns), x(span.end_ns)];
  const words = `${name}: ${duration((span.end_ns - span.start_ns) / 1e6)}${span.outcome ? `, ${span.outcome}` : ""}${span.wasted ? ", went on for nobody" : ""}${span.unfinished ? ", not finished" : ""}`;
  const group = s("g", { class: `row ${span.wasted ? "wasted" : ""}` }, s("title", {}, words), label,
    s("rect", { class: `whole ${failed ? "failed" : ""}`, x: from, y: y + 5.5, width: Math.max(to - from, 1), height: 8, rx: 1.5 }));
  for (const leaf of leaves) {
    const [start, end] = [x(leaf.start_ns), x(leaf.end_ns)];
    group.append(s("rect", { class: `leaf ${leaf.wasted ? "waste" : LEAVES[leaf.kind]}`, x: start, y: y + 5.5, width: Math.max(end - start, 0.8), height: 8 },
      s("title", {}, `${LEAF_NAMES[leaf.kind]}${leaf.place ? ` at ${leaf.place}` : ""}: ${duration((leaf.end_ns - leaf.start_ns) / 1e6)}`)));
  }
  for (const one of trace.critical_path) {
    if (one.span !== span.id && !leaves.some((leaf) => leaf.id === one.span)) continue;
    group.append(s("rect", { class: "critical", x: x(one.start_ns), y: y + 15, width: Math.max(x(one.end_ns) - x(one.start_ns), 1), height: 2 }));
  }
  svg.append(group);
}
