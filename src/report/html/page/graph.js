// The service graph, replayed: what every service, pool, queue, call and breaker is doing at the moment. Boxes and lines
// were laid out before; dots on the lines are requests on their way, those that are sent again are hollow.

const DOTS = 9;
const NAME_FONT = "600 13px system-ui, sans-serif";

function graphSection(page) {
  const { run } = page;
  const holder = h("div", { class: "graph-holder" });
  let picture = new GraphPicture(page, holder);
  const sides = sameGraph(page) && sideButtons(page, (run) => {
    picture = new GraphPicture({ ...page, run }, holder);
    picture.draw();
  });
  const panel = h("aside", { class: "panel", "aria-live": "off" });
  const facts = new Facts(page, panel);
  onTime(holder, (t) => {
    holder.setAttribute("data-t", String(t));
    picture.show(t);
  });
  onTime(panel, (t) => {
    panel.setAttribute("data-t", String(t));
    facts.show(t);
  });
  selecting.push((key) => {
    picture.select(key);
    facts.show(state.t);
  });
  page.redraw.push(() => picture.draw());
  return section("graph", "The system, replayed",
    `${run.report.graph.nodes.length} nodes. Lines are as thick as they are busy; dots are requests, hollow ones are sent again. Choose anything to follow it.`,
    sides, h("div", { class: "stage" }, h("div", { class: "graph-scroll", tabindex: "0", role: "group", "aria-label": "Service graph" }, holder),
      h("div", { class: "side" }, panel, story(page))), legend(run));
}

/** Whether both runs are of the same services and calls, so that one drawing does for both. */
function sameGraph({ run, base }) {
  const plain = (one) => JSON.stringify([one.report.graph.nodes, one.report.graph.edges.map((edge) => [edge.from, edge.to])]);
  return base && plain(run) === plain(base);
}

/** Which of two runs is replayed. */
function sideButtons({ run, base }, choose) {
  const buttons = [base, run].map((one) => h("button", { class: "button", "aria-pressed": String(one === run), onclick: () => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String([base, run][i] === one)));
    choose(one);
  } }, one.label));
  return h("p", { class: "buttons sides", role: "group", "aria-label": "Which run is replayed" }, buttons);
}

function legend(run) {
  const entry = (mark, text) => h("li", {}, h("i", { class: `mark ${mark}`, "aria-hidden": "true" }), text);
  return h("ul", { class: "legend" }, entry("good", "answered"), entry("bad", "failing"), entry("retry", "sent again, or waiting"),
    run.anyMachine && [entry("cpu line", "CPU"), entry("memory line", "memory")],
    h("li", {}, breakerGlyph("closed"), "breaker closed"), h("li", {}, breakerGlyph("half-open"), "half-open"), h("li", {}, breakerGlyph("open"), "open"));
}

function breakerGlyph(state) {
  return s("svg", { class: `breaker-glyph ${state}`, width: 26, height: 16, viewBox: "0 0 26 16", "aria-hidden": "true" }, breakerShape(state));
}

/** A switch: shut, ajar, open. */
function breakerShape(state) {
  const lift = { closed: 0, "half-open": 3, open: 6 }[state] ?? 0;
  return [
    s("rect", { class: "case", x: 0.5, y: 0.5, width: 25, height: 15, rx: 7.5 }),
    s("path", { class: "blade", d: `M4 9H8M18 9H22M8 9L18 ${9 - lift}` }),
    s("circle", { cx: 8, cy: 9, r: 1.6 }),
    s("circle", { cx: 18, cy: 9, r: 1.6 }),
  ];
}

class GraphPicture {
  constructor(page, holder) {
    Object.assign(this, { page, holder, flat: false });
    const report = page.run.report;
    this.edges = report.graph.edges.map((edge, i) => this.edge(edge, i));
    this.nodes = report.graph.nodes.map((node) => this.node(node));
    this.topRate = Math.max(most(this.edges.map((edge) => most(edge.rate))), 1e-9);
  }

  /** What is known of an edge over time. A query has no series of its own: its database's share goes unsaid. */
  edge(edge) {
    const { run } = this.page;
    const series = edge.call && run.report.timeline.calls[edge.call];
    const nodes = run.report.graph.nodes;
    const key = edge.call ? `call:${edge.call}` : `${nodes[edge.to].kind}:${nodes[edge.to].name}`;
    if (!series) {
      const flows = this.flows(nodes[edge.to]).map((value) => (value > 0 ? 1 : 0));
      return { edge, key, series: null, rate: flows, sent: flows };
    }
    const sent = series.attempts.map((attempts, i) => Math.max(attempts - series.short_circuited[i], 0));
    return { edge, key, series, rate: run.perSecond(series.attempts), sent: run.perSecond(sent) };
  }

  /** What happens at something that is asked by others than calls, over time. */
  flows({ kind, name }) {
    const { run } = this.page;
    const { caches, topics } = run.report.timeline;
    if (kind === "cache" && caches?.[name]) return added([caches[name].hits, caches[name].misses]);
    if (kind === "topic" && topics?.[name]) return topics[name].published;
    return run.pool(kind, name)?.busy || [];
  }

  node(node) {
    const { run } = this.page;
    const series = run.report.timeline[{ load: "load", service: "services", database: "databases", cache: "caches", topic: "topics" }[node.kind]]?.[node.name];
    return { node, key: `${node.kind}:${node.name}`, series, pool: run.pool(node.kind, node.name) };
  }

  /** Draws it anew in the room that there is. */
  draw() {
    const room = this.holder.parentNode.clientWidth - 18;
    if (room <= 0) return;
    const { right, down } = this.page.layout;
    // A narrow page is read downwards.
    const drawing = room < 620 && right.width > room * 1.15 ? down : right;
    const scale = Math.max(Math.min(room / drawing.width, 1.35), drawing === down ? 0.5 : 0.55);
    Object.assign(this, { drawing, scale });
    const [width, height] = [drawing.width * scale, drawing.height * scale];
    this.svg = s("svg", { width, height, viewBox: `0 0 ${drawing.width} ${drawing.height}`, role: "list", "aria-label": "Services and calls" },
      s("defs", {}, s("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        s("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 5 }))));
    this.edges.forEach((edge, i) => this.drawEdge(edge, drawing.lines[i]));
    this.nodes.forEach((node, i) => this.drawNode(node, drawing.boxes[i]));
    this.edges.forEach((edge, i) => this.drawBadge(edge, drawing.lines[i]));
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas = h("canvas", { width: Math.ceil(width * ratio), height: Math.ceil(height * ratio), "aria-hidden": "true" });
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.ink = this.canvas.getContext("2d");
    this.ink.scale(ratio * scale, ratio * scale);
    this.paint = { good: colour("--good"), bad: colour("--bad"), retry: colour("--retry"), card: colour("--card") };
    // A long and flat drawing has the whole width; the figures go under it.
    const stage = this.holder.closest(".stage");
    const flat = drawing === right && right.height * 3.4 < right.width;
    if (stage.classList.toggle("flat", flat) !== this.flat) {
      this.flat = flat;
      this.draw();
      return;
    }
    this.holder.style.width = `${width}px`;
    this.holder.style.height = `${height}px`;
    this.holder.replaceChildren(this.svg, this.canvas);
    this.select(state.selected);
    this.show(state.t);
  }

  drawEdge(edge, line) {
    const p = line.points;
    let path = `M${p[0]} ${p[1]}`;
    for (let i = 2; i + 5 < p.length; i += 6) path += `C${p.slice(i, i + 6).join(" ")}`;
    edge.path = s("path", { class: "wire", d: path });
    edge.failing = s("path", { class: "wire failing", d: path });
    const [x, y] = p.slice(-2);
    const [cx, cy] = p.slice(-4, -2);
    const angle = (Math.atan2(y - cy, x - cx) * 180) / Math.PI;
    edge.head = s("path", { class: "head", d: "M0 0L-7 -3.5V3.5Z", transform: `translate(${x} ${y}) rotate(${angle || 0})` });
    edge.title = s("title", {});
    edge.group = s("g", { class: `edge ${edge.edge.kind}`, "data-key": edge.key, role: "listitem", tabindex: edge.edge.call ? 0 : null, onclick: () => select(edge.key), onkeydown: enter(edge.key) },
      edge.title, s("path", { class: "reach", d: path }), edge.path, edge.failing, edge.head);
    edge.samples = sampled(p);
    this.svg.append(edge.group);
  }

  drawBadge(edge, line) {
    if (!line.badge) return;
    const { x, y } = line.badge;
    edge.badge = s("g", { transform: `translate(${x} ${y})`, class: "breaker-glyph" });
    edge.badgeState = null;
    this.svg.append(edge.badge);
  }

  drawNode(node, box) {
    const { kind, name } = node.node;
    const group = s("g", { class: `node ${kind}`, transform: `translate(${box.x} ${box.y})`, "data-key": node.key, tabindex: 0, role: "listitem", onclick: () => select(node.key), onkeydown: enter(node.key) });
    const middle = box.height / 2 - 30;
    const room = box.width - 24;
    node.title = s("title", {});
    node.box = s("rect", { class: "box", width: box.width, height: box.height, rx: kind === "load" ? 30 : kind === "database" ? 3 : 9 });
    node.health = s("rect", { class: "health", x: 0, y: 8, width: 3, height: box.height - 16, rx: 1.5 });
    node.sign = s("text", { class: "sign", x: box.width - 12, y: middle + 21, "text-anchor": "end" });
    group.append(node.title, node.box, kind === "load" ? "" : node.health);
    if (kind === "database") group.append(s("path", { class: "lid", d: `M0 5H${box.width}` }));
    group.append(
      s("text", { class: "name", x: kind === "load" ? box.width / 2 : 12, y: middle + 21, "text-anchor": kind === "load" ? "middle" : null },
        cut(name, room - (kind === "load" ? 8 : node.series?.replicas?.length ? 44 : 18), NAME_FONT)),
      node.sign);
    if (kind === "load") {
      node.fact = s("text", { class: "fact", x: box.width / 2, y: middle + 42, "text-anchor": "middle" });
      group.append(node.fact);
    } else {
      node.room = room;
      node.gauge = s("rect", { class: "gauge-fill", x: 12, y: middle + 29, width: 0, height: 6, rx: 3 });
      group.append(s("rect", { class: "gauge", x: 12, y: middle + 29, width: room, height: 6, rx: 3 }), node.gauge);
      node.fact = s("text", { class: "fact", x: 12, y: middle + 50 });
      node.queue = s("text", { class: kind === "cache" ? "fact" : "fact queue", x: 12 + room, y: middle + 50, "text-anchor": "end" });
      group.append(node.fact, node.queue);
      if (kind === "service") this.drawMachine(node, group, middle);
    }
    node.group = group;
    this.svg.append(group);
  }

  /** Thin gauges under that of the workers, where cores and memory are looked at; the number of replicas in the corner. */
  drawMachine(node, group, middle) {
    const { replicas, cpu_share: cpu, memory_mib_max: memory } = node.series;
    let y = middle + 36;
    const gauge = (mark, what) => {
      const fill = s("rect", { class: `gauge-fill ${mark}`, x: 12, y, width: 0, height: 2, rx: 1 });
      group.append(s("rect", { class: "gauge", x: 12, y, width: node.room, height: 2, rx: 1 }), fill, s("title", {}, what));
      y += 3;
      return fill;
    };
    if (cpu && cpu.length) node.cpu = gauge("cpu", "CPU");
    if (memory && memory.length) node.memory = gauge("memory", "memory");
    if (node.cpu || node.memory) {
      for (const text of [node.fact, node.queue]) text.setAttribute("y", middle + 54);
    }
    if (replicas && replicas.length) {
      node.count = s("text", { class: "fact count", x: 12 + node.room - 14, y: middle + 21, "text-anchor": "end" });
      group.append(node.count);
    }
  }

  show(t) {
    if (!this.svg) return;
    const { run } = this.page;
    const i = run.index(t);
    const faults = run.faultsAt(t).flatMap((fault) => fault.targets || []);
    for (const node of this.nodes) this.showNode(node, i, faults);
    for (const edge of this.edges) this.showEdge(edge, i, t, faults);
    this.showDots(t, i);
  }

  showNode(node, i, faults) {
    const { run } = this.page;
    const { kind, name } = node.node;
    const struck = faults.includes(name);
    let failing = 0;
    if (kind === "load") {
      const { offered, ok, degraded, failed } = node.series;
      const ended = ok[i] + degraded[i] + failed[i];
      failing = ended > 0 ? failed[i] / ended : 0;
      say(node.fact, failing > 0 ? `${rate(offered[i] / run.length(i))} · ${share(failing)} fail` : `${rate(offered[i] / run.length(i))} offered`);
    } else if (kind === "cache") {
      const hits = run.hitRate(name, i);
      node.gauge.setAttribute("width", ((hits || 0) * node.room).toFixed(1));
      say(node.fact, hits === null ? "not asked" : `${share(hits)} hit`);
      const looks = node.series.hits[i] + node.series.misses[i];
      say(node.queue, looks > 0 ? rate(looks / run.length(i)) : "");
    } else if (kind === "topic") {
      const { delivered, dead_letters, backlog_max } = node.series;
      const ended = delivered[i] + dead_letters[i];
      failing = ended > 0 ? dead_letters[i] / ended : 0;
      say(node.fact, `${number(delivered[i] / run.length(i))}/s`);
      say(node.queue, backlog_max[i] > 0 ? `${number(backlog_max[i])} waiting` : "");
      const room = run.report.topics[name].backlog.limit || most(backlog_max) || 1;
      node.gauge.setAttribute("width", (Math.min(backlog_max[i] / room, 1) * node.room).toFixed(1));
    } else {
      const { busy, queue } = node.pool;
      const limit = node.pool.limitAt(i);
      const used = limit ? Math.min(busy[i] / limit, 1) : 0;
      node.gauge.setAttribute("width", (used * node.room).toFixed(1));
      node.gauge.classList.toggle("full", used >= 0.995);
      const waiting = queue[i] >= 0.5;
      // Both in one line: the more there is to say, the shorter.
      say(node.fact, limit ? `${number(busy[i])}${waiting ? "/" : " of "}${count(limit)}` : `${number(busy[i])} busy`);
      say(node.queue, waiting ? `${number(queue[i])} queued` : "");
      if (kind === "service") {
        const { ok, failed, rejected } = node.series;
        const ended = ok[i] + failed[i] + rejected[i];
        failing = ended > 0 ? (failed[i] + rejected[i]) / ended : 0;
        this.showMachine(node, i);
      }
      node.full = used >= 0.995;
    }
    const sign = struck ? "⚡" : failing >= 0.5 ? "✕" : node.full ? "▲" : "";
    say(node.sign, sign);
    node.group.classList.toggle("struck", struck);
    node.group.classList.toggle("full", Boolean(node.full));
    node.group.classList.toggle("failing", failing >= 0.01);
    node.health.style.opacity = failing.toFixed(2);
    const words = [struck && "under a fault", node.full && "all busy", failing > 0 && `${share(failing)} failing`].filter(Boolean);
    say(node.title, `${name}${words.length ? `: ${words.join(", ")}` : ""}`);
  }

  /** What a service runs on: its replicas where they come and go, its cores and its memory. */
  showMachine(node, i) {
    const { replicas, cpu_share: cpu, memory_mib_max: memory } = node.series;
    if (node.count) say(node.count, `×${count(replicas[i])}`);
    if (node.cpu) node.cpu.setAttribute("width", (Math.min(cpu[i] || 0, 1) * node.room).toFixed(1));
    if (node.memory) {
      const part = Math.min((memory[i] || 0) / this.page.run.memoryLimit(node.node.name), 1);
      node.memory.setAttribute("width", (part * node.room).toFixed(1));
    }
  }

  showEdge(edge, i, t, faults) {
    const flow = (edge.sent[i] || 0) / this.topRate;
    const thick = edge.series ? 1 + 5 * Math.sqrt(flow) : edge.rate[i] ? 1.6 : 1;
    edge.path.setAttribute("stroke-width", thick.toFixed(2));
    edge.failing.setAttribute("stroke-width", thick.toFixed(2));
    edge.failShare = edge.series ? failShare(edge.series, i) : 0;
    edge.failing.style.opacity = (edge.failShare > 0 ? 0.25 + 0.75 * edge.failShare : 0).toFixed(2);
    edge.group.classList.toggle("still", !edge.sent[i]);
    edge.group.classList.toggle("struck", faults.includes(edge.edge.call));
    const parts = edge.series ? edgeFacts(this.page.run, edge.series, i).map(([label, value, format]) => `${label} ${format(value)}`) : [];
    say(edge.title, `${edge.edge.call || { get: "looks", publish: "messages" }[edge.edge.kind] || "queries"}${parts.length ? `: ${parts.join(", ")}` : ""}`);
    if (edge.badge) {
      const state = this.page.run.breakerAt(edge.edge.call, t);
      if (state !== edge.badgeState) {
        edge.badgeState = state;
        edge.badge.setAttribute("class", `breaker-glyph ${state}`);
        edge.badge.replaceChildren(...breakerShape(state));
      }
    }
  }

  /** Dots: where one is hangs on the time alone, so that scrubbing back brings it back. */
  showDots(t, i) {
    const { ink, drawing, paint } = this;
    ink.clearRect(0, 0, drawing.width, drawing.height);
    const phase = (t / state.speed) * 0.8;
    for (const edge of this.edges) {
      if (!edge.series || !edge.sent[i]) continue;
      const dim = state.selected && !edge.lit ? 0.15 : 1;
      const dots = Math.max(1, Math.round(DOTS * Math.sqrt(edge.sent[i] / this.topRate)));
      const again = edge.series.attempts[i] ? edge.series.retries[i] / edge.series.attempts[i] : 0;
      for (let dot = 0; dot < dots; dot++) {
        const place = (dot / dots + phase) % 1;
        const [x, y] = edge.samples(place);
        const lot = (dot * 0.618034 + 0.3) % 1;
        const failing = place > 0.55 && (dot * 0.754878 + 0.5) % 1 < edge.failShare;
        ink.globalAlpha = dim * Math.min(1, 8 * place, 8 * (1 - place));
        ink.beginPath();
        ink.arc(x, y, 3.4, 0, 6.2832);
        if (lot < again) {
          ink.fillStyle = paint.card;
          ink.fill();
          ink.lineWidth = 1.8;
          ink.strokeStyle = failing ? paint.bad : paint.retry;
          ink.stroke();
        } else {
          ink.fillStyle = failing ? paint.bad : paint.good;
          ink.fill();
        }
      }
    }
    ink.globalAlpha = 1;
  }

  /** What is not next to the selected thing steps back. */
  select(key) {
    if (!this.svg) return;
    const nodes = this.nodes;
    for (const edge of this.edges) {
      const ends = [nodes[edge.edge.from].key, nodes[edge.edge.to].key];
      edge.lit = key === null || edge.key === key || ends.includes(key);
      edge.group.classList.toggle("dim", !edge.lit);
      if (edge.badge) edge.badge.classList.toggle("dim", !edge.lit);
    }
    const known = nodes.some((node) => node.key === key) || this.edges.some((edge) => edge.key === key);
    nodes.forEach((node, i) => {
      const near = this.edges.some((edge) => edge.lit && (edge.edge.from === i || edge.edge.to === i));
      node.group.classList.toggle("dim", key !== null && known && node.key !== key && !near);
    });
    this.showDots(state.t, this.page.run.index(state.t));
  }
}

const enter = (key) => (event) => {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    event.stopPropagation();
    select(key);
  }
};

/** The share of attempts that ended in a step without an answer of use, as near as counts can tell. */
function failShare(series, i) {
  const failed = ["timeouts", "rejected", "errors", "refused"].map((kind) => (series[kind] ? series[kind][i] : 0));
  const all = sum(failed) + series.ok[i] - (series.degraded ? series.degraded[i] : 0);
  return all > 0 ? sum(failed) / all : 0;
}

/** Where a dot is, by its share of the way. */
function sampled(points) {
  const places = [];
  for (let c = 0; c + 7 < points.length; c += 6) {
    for (let k = 0; k < 16; k++) places.push(bezier(points, c, k / 16));
  }
  places.push(points.slice(-2));
  const lengths = [0];
  for (let i = 1; i < places.length; i++) {
    lengths.push(lengths[i - 1] + Math.hypot(places[i][0] - places[i - 1][0], places[i][1] - places[i - 1][1]));
  }
  const whole = lengths[lengths.length - 1];
  return (part) => {
    const wanted = part * whole;
    let i = 1;
    while (i < lengths.length - 1 && lengths[i] < wanted) i++;
    const between = lengths[i] - lengths[i - 1] || 1;
    const f = (wanted - lengths[i - 1]) / between;
    return [0, 1].map((axis) => places[i - 1][axis] + f * (places[i][axis] - places[i - 1][axis]));
  };
}

function bezier(p, c, t) {
  const u = 1 - t;
  return [0, 1].map((axis) => u * u * u * p[c + axis] + 3 * u * u * t * p[c + 2 + axis] + 3 * u * t * t * p[c + 4 + axis] + t * t * t * p[c + 6 + axis]);
}
