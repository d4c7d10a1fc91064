// The figures of what is selected, at the moment: of the whole system where nothing is.

/** Rows [label, value, format] of a call in a step. */
function edgeFacts(run, series, i) {
  const each = (field) => (series[field] ? series[field][i] / run.length(i) : 0);
  const rows = [["attempts", each("attempts"), rate]];
  const some = [["sent again", "retries"], ["timed out", "timeouts"], ["held back by the breaker", "short_circuited"], ["rejected", "rejected"], ["errors", "errors"], ["refused", "refused"], ["bulkhead full", "bulkhead_full"], ["retry budget spent", "budget_refused"]];
  for (const [label, field] of some) if (each(field) > 0) rows.push([label, each(field), rate]);
  rows.push(["calls answered", each("ok"), rate]);
  if (each("degraded") > 0) rows.push(["of them degraded", each("degraded"), rate]);
  return rows;
}

class Facts {
  constructor(page, node) {
    Object.assign(this, { page, node });
    this.head = h("h3", {});
    this.list = h("dl", {});
    node.append(this.head, this.list);
  }

  show(t) {
    const { run, base } = this.page;
    const [kind, name] = parted(state.selected);
    say(this.head, `${name || "Whole system"} at ${at(Math.floor(run.index(t)) * run.step)}`);
    const rows = this.rows(run, kind, name, t);
    const before = base ? new Map(this.rows(base, kind, name, t).map((row) => [row[0], row[1]])) : null;
    this.list.replaceChildren(...rows.flatMap(([label, value, format]) => [
      h("dt", {}, label),
      h("dd", {}, before && before.has(label) && [h("span", { class: "before" }, figure(before.get(label), format)), " → "], figure(value, format)),
    ]));
  }

  rows(run, kind, name, t) {
    const i = run.index(t);
    const { timeline, graph } = run.report;
    const text = (value) => value;
    if (kind === "call" && timeline.calls[name]) {
      const edge = graph.edges.find((edge) => edge.call === name) || {};
      const rows = edgeFacts(run, timeline.calls[name], i);
      const breaker = run.breakerAt(name, t);
      if (breaker) rows.push(["breaker", breaker, text]);
      if (edge.timeout_ms) rows.push(["timeout", edge.timeout_ms, duration]);
      if (edge.attempts > 1) rows.push(["attempts at most", edge.attempts, count]);
      return rows;
    }
    if (kind === "load" && timeline.load[name]) return loadRows(run, [timeline.load[name]], i, timeline.load[name]);
    const pool = kind ? run.pool(kind, name) : null;
    if (pool) {
      const rows = [[`${pool.unit} busy`, pool.busy[i], number]];
      if (pool.limit) rows.push(["of", pool.limitAt(i), count]);
      rows.push(["waiting", pool.queue[i], number]);
      const series = kind === "service" ? timeline.services[name] : null;
      if (series) {
        const each = (field) => (series[field] && series[field].length ? series[field][i] / run.length(i) : 0);
        rows.push(["requests", each("requests"), rate], ["answered", each("ok"), rate], ["failed", each("failed"), rate]);
        if (each("rejected") > 0) rows.push(["turned away", each("rejected"), rate]);
        if (each("wasted") > 0) rows.push(["worked for nobody", each("wasted"), rate]);
        if (series.mean_ms && series.mean_ms[i] !== null) rows.push(["mean time", series.mean_ms[i], duration]);
        if (series.replicas?.length) rows.push(["replicas", series.replicas[i], count]);
        if (series.cpu_share?.length) rows.push(["CPU in use", series.cpu_share[i], share]);
        if (series.memory_mib_max?.length) rows.push(["memory of the fullest replica", series.memory_mib_max[i], mib]);
      }
      const faults = run.faultsAt(t).filter((fault) => (fault.targets || []).includes(name));
      for (const fault of faults) rows.push(["fault", fault.what, text]);
      return rows;
    }
    if (kind === "cache" && timeline.caches?.[name]) {
      const { hits, misses } = timeline.caches[name];
      return [["looks", (hits[i] + misses[i]) / run.length(i), rate], ["found", hits[i] / run.length(i), rate],
        ["not found", misses[i] / run.length(i), rate], ["hit rate", run.hitRate(name, i), share]];
    }
    if (kind === "topic" && timeline.topics?.[name]) {
      const { published, delivered, dead_letters: dead, backlog_max: backlog } = timeline.topics[name];
      return [["published", published[i] / run.length(i), rate], ["delivered", delivered[i] / run.length(i), rate],
        ["given up", dead[i] / run.length(i), rate], ["waiting, at most", backlog[i], count]];
    }
    return loadRows(run, run.loads.map(([, load]) => load), i, mainLoad(run) && timeline.load[mainLoad(run)[0]]);
  }
}

function loadRows(run, loads, i, main) {
  const each = (field) => sum(loads.map((load) => load[field][i])) / run.length(i);
  const rows = [["offered", each("offered"), rate], ["answered", each("ok"), rate]];
  if (each("degraded") > 0) rows.push(["degraded", each("degraded"), rate]);
  rows.push(["failed", each("failed"), rate]);
  if (main) rows.push(["median", main.p50_ms[i], duration], ["p99", main.p99_ms[i], duration]);
  return rows;
}

const parted = (key) => (key ? [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)] : [null, null]);

/** What went wrong, in order; choosing a line goes there. */
function story(page) {
  const { run, base } = page;
  return h("div", { class: "stories" }, storyOf(run, base && run.label), base && storyOf(base, base.label));
}

function storyOf(run, label) {
  const { causes } = run.report;
  const title = label ? `What went wrong: ${label}` : "What went wrong";
  const id = label && run.first ? null : "story";
  if (causes.length === 0) return h("div", { class: "story", id }, h("h3", {}, title), h("p", { class: "note" }, "Nothing."));
  const rows = causes.map((cause) => {
    const row = h("li", { class: `cause ${cause.kind}`, "data-at": String(cause.at_s) },
      h("button", { onclick: () => { play(false); seek(cause.at_s); const key = keyOf(run, cause.subject); if (key && state.selected !== key) select(key); } },
        h("time", {}, at(cause.at_s)), h("span", {}, cause.what, cause.because && h("small", {}, cause.because.text))));
    return row;
  });
  const list = h("ol", {}, rows);
  onTime(list, (t) => {
    list.setAttribute("data-t", String(t));
    rows.forEach((row, i) => {
      row.classList.toggle("past", causes[i].at_s <= t + 1e-9);
      row.classList.toggle("now", causes[i].at_s <= t + 1e-9 && !(causes[i + 1] && causes[i + 1].at_s <= t + 1e-9));
    });
  });
  return h("div", { class: "story", id }, h("h3", {}, title), list);
}

/** The key of a thing by its name. */
function keyOf(run, name) {
  if (run.report.calls[name]) return `call:${name}`;
  const node = run.report.graph.nodes.find((node) => node.name === name);
  return node ? `${node.kind}:${node.name}` : null;
}
