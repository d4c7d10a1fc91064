// The score: lanes under one another over one time, each a label with its figures and a picture. One line across all of
// them is now.

let lanes = [];

/** A section of lanes with a headline and a sentence. */
function section(id, title, note, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` },
    h("header", {}, h("h2", { id: `${id}-title` }, title), note && h("p", { class: "note" }, note)), children);
}

/**
 * A lane. `spec`: key, title, height, figures [{label, mark, at(i, run), format}], draw(paper), say (what screen readers
 * hear).
 */
function lane(page, spec) {
  const rows = (spec.figures || []).map((one) => {
    const now = figure(null, one.format);
    const before = page.base ? figure(null, one.format) : null;
    const row = h("div", { class: "reading", title: one.label },
      one.mark && h("i", { class: `mark ${one.mark}`, "aria-hidden": "true" }),
      h("span", { class: "what" }, one.label),
      before && h("span", { class: "before" }, before, " → "), now);
    return { one, now, before, row };
  });
  const title = spec.key
    ? h("button", { class: "pick", title: spec.title, onclick: () => select(spec.key) }, spec.title)
    : h("span", { class: "pick" }, spec.title);
  const label = h("div", { class: "label" }, title, rows.map((row) => row.row));
  const plot = h("div", { class: "plot" });
  const node = h("div", { class: `lane ${spec.class || ""}`, "data-key": spec.key, "data-lane": spec.id || spec.title }, label, plot);
  lanes.push({ spec, plot, page });
  onTime(node, (t) => {
    node.setAttribute("data-t", String(t));
    const i = page.run.index(t);
    for (const { one, now, before } of rows) {
      setFigure(now, one.at(i, page.run), one.format);
      if (before) setFigure(before, one.at(page.base.index(t), page.base), one.format);
    }
  });
  return node;
}

/** Draws every lane in the width that it has. */
function drawLanes() {
  for (const { spec, plot, page } of lanes) {
    const width = plot.clientWidth;
    if (width === 0) continue;
    const paper = new Paper(page, width, spec.height);
    spec.draw(paper);
    if (!spec.bare) paper.faults();
    paper.svg.setAttribute("aria-label", spec.say || spec.title);
    plot.replaceChildren(...paper.under, paper.svg);
  }
}

/** What a lane is drawn on: x is time. */
class Paper {
  constructor(page, width, height) {
    Object.assign(this, { page, width, height, under: [] });
    this.back = s("g", { class: "back" });
    this.body = s("g");
    this.front = s("g");
    this.svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" }, this.back, this.body, this.front);
  }

  x(t) {
    return (t / state.end) * this.width;
  }

  add(...nodes) {
    this.body.append(...nodes);
  }

  /** A small text over everything. */
  text(x, y, words, attributes) {
    this.front.append(s("text", { class: "tick", x, y, ...attributes }, words));
  }

  /** Fault windows, and where the last of them ends. */
  faults() {
    for (const fault of this.page.run.report.faults) {
      const [from, to] = [this.x(fault.from_s), this.x(Math.min(fault.to_s, state.end))];
      this.back.append(
        s("rect", { class: "fault", x: from, y: 0, width: Math.max(to - from, 1), height: this.height }),
        s("line", { class: "fault-end", x1: to, x2: to, y1: 0, y2: this.height }));
    }
  }

  /** Lines across at round values, the topmost with its figure. */
  grid(top, format, bottom = this.height, y0 = 0) {
    const values = ticks(top, this.height > 90 ? 4 : 1).filter((value) => value > 0);
    for (const value of values) {
      const y = bottom - (value / top) * (bottom - y0);
      this.back.append(s("line", { class: "grid", x1: 0, x2: this.width, y1: y, y2: y }));
    }
    const shown = this.height > 90 ? values : values.slice(-1);
    for (const value of shown) {
      const y = bottom - (value / top) * (bottom - y0);
      this.text(4, y + (y < 12 ? 10 : -3), format(value));
    }
  }

  /** Stairs: a value a step, from `low` to `high` (in pixels). */
  stairs(run, high, low, attributes) {
    const n = high.length;
    if (!n) return;
    const edge = (i) => this.x(Math.min(i * run.step, state.end)).toFixed(1);
    let path = `M${edge(0)} ${high[0].toFixed(1)}`;
    for (let i = 0; i < n; i++) path += `V${high[i].toFixed(1)}H${this.x(i + 1 < n ? (i + 1) * run.step : run.end).toFixed(1)}`;
    if (low) {
      for (let i = n - 1; i >= 0; i--) path += `V${low[i].toFixed(1)}H${edge(i)}`;
      path += "Z";
    }
    this.add(s("path", { d: path, ...attributes }));
  }

  /** A line through the middles of steps; nothing where there is no value. */
  line(run, values, y, attributes) {
    let path = "";
    let open = false;
    values.forEach((value, i) => {
      if (value === null || value === undefined) {
        // A single point is a short dash.
        open = false;
        return;
      }
      const x = this.x(Math.min((i + 0.5) * run.step, run.end));
      path += `${open ? "L" : "M"}${x.toFixed(1)} ${y(value).toFixed(1)}`;
      const alone = !open && (values[i + 1] === null || values[i + 1] === undefined);
      if (alone) path += `h${Math.max((run.step / state.end) * this.width * 0.5, 2).toFixed(1)}`;
      open = true;
    });
    if (path) this.add(s("path", { d: path, fill: "none", ...attributes }));
  }

  /** Says how high what is cut off at the top would go. */
  cutOff(run, values, top) {
    const highest = most(values);
    if (highest <= top * 1.001) return;
    const x = this.x((values.indexOf(highest) + 0.5) * run.step);
    const anchor = x > this.width - 60 ? "end" : x < 60 ? "start" : "middle";
    this.text(x, 10, `▲ ${rate(highest)}`, { "text-anchor": anchor });
  }

  /** A canvas under the picture, for what has too many cells. */
  canvas(paint) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const canvas = h("canvas", { width: Math.round(this.width * ratio), height: Math.round(this.height * ratio), "aria-hidden": "true" });
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${this.height}px`;
    const ink = canvas.getContext("2d");
    ink.scale(ratio, ratio);
    paint(ink);
    this.under.push(canvas);
  }
}

/** The value of a colour of the page, for canvases. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
