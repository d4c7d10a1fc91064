// The figures of the whole run as tables that can be sorted.

function tablesSection(page) {
  const { report } = page.run;
  const p = (field) => (row) => (row.latency_ms ? row.latency_ms[field] : null);
  const latency = [["p50", p("p50"), duration], ["p90", p("p90"), duration], ["p99", p("p99"), duration], ["max", p("max"), duration]];
  const plain = (field, label) => [label || field.replaceAll("_", " "), (row) => row[field], count];
  const some = (rows, columns) => columns.filter(([, value]) => Object.values(rows).some((row) => value(row)));
  const tasks = Object.fromEntries(Object.entries(report.load).flatMap(([name, load]) =>
    [[name, load], ...(Object.keys(load.tasks).length > 1 ? Object.entries(load.tasks).map(([task, row]) => [`${name}.${task}`, row]) : [])]));
  const services = report.services;
  const endpoints = Object.fromEntries(Object.entries(services).flatMap(([name, service]) =>
    Object.keys(service.endpoints).length > 1 ? Object.entries(service.endpoints).map(([endpoint, row]) => [`${name}.${endpoint}`, row]) : []));
  const failures = ["timeout", "rejected", "breaker_open", "error", "refused"].map((kind) => [KIND_NAMES[kind], (row) => row.failures[kind], count]);
  const workers = [
    ["workers", (row) => row.workers.limit, count], ["busy", (row) => row.workers.busy_mean, number],
    ["all busy for", (row) => row.workers.saturated_s * 1000, duration], ["most waiting", (row) => row.queue.max, count],
    ["wait p99", (row) => (row.wait_ms ? row.wait_ms.p99 : null), duration],
  ];
  const connections = [
    ["connections", (row) => row.connections.limit, count], ["busy", (row) => row.connections.busy_mean, number],
    ["all busy for", (row) => row.connections.saturated_s * 1000, duration], ["most waiting", (row) => row.waiting.max, count],
  ];
  const machines = [
    ["replicas", (row) => (row.replicas && row.replicas.min !== row.replicas.max ? `${row.replicas.min}–${row.replicas.max}` : null), (text) => text],
    ["CPU", (row) => row.cpu_share, share], ["memory, at most", (row) => row.memory_mib_max, mib],
  ];
  const calls = report.calls;
  return section("tables", "Figures of the whole run", "Requests that started between warm-up and the end of the load. Choose a heading to sort.",
    table("Loads and their tasks", tasks, "load", [plain("offered"), plain("ok"), plain("degraded"), plain("failed"), ...some(tasks, failures), ...latency]),
    table("Services", services, "service", [plain("requests"), plain("ok"), plain("failed"), plain("rejected"), ...workers, ...some(services, machines), ...latency]),
    table("Endpoints", endpoints, null, [plain("requests"), plain("ok"), plain("failed"), plain("rejected"), ...latency]),
    table("Calls", calls, "call", [plain("calls"), plain("attempts"), ["per call", (row) => row.attempts_per_call, number], plain("ok"), plain("failed"),
      ...some(calls, [plain("degraded"), plain("timeouts", "timed out"), plain("rejected"), plain("errors"), plain("refused"), plain("short_circuited", "held by breaker"), plain("bulkhead_full"), plain("budget_refused", "budget spent"), plain("hedges"), plain("cancelled")]), ...latency]),
    table("Databases", report.databases, "database", [plain("queries"), plain("failed"), ...connections, ...latency]),
    table("Caches", report.caches || {}, "cache", [plain("lookups", "looks"), plain("hits"), plain("misses"), ["hit rate", (row) => row.hit_rate, share],
      plain("expired"), plain("failed"), plain("keys_max", "most keys"), ...latency]),
    table("Topics", report.topics || {}, "topic", [plain("published"), plain("publish_failed", "not published"), plain("delivered"), plain("retries", "sent again"),
      plain("dead_letters", "given up"), plain("lost"), ["most waiting", (row) => row.backlog.max, count],
      ["delivered after p50", (row) => (row.lag_ms ? row.lag_ms.p50 : null), duration], ["p99", (row) => (row.lag_ms ? row.lag_ms.p99 : null), duration]]),
    table("Faults", Object.fromEntries(report.faults.map((fault, i) => [report.faults.length > 1 ? `${i + 1}. ${fault.name}` : fault.name, fault])), null,
      [["from", (row) => row.from_s, at], ["to", (row) => row.to_s, at], plain("fired"), ["what", (row) => row.what, (text) => text]]));
}

function table(caption, rows, kind, columns) {
  const names = Object.keys(rows);
  if (names.length === 0) return null;
  const body = h("tbody", {}, names.map((name) => {
    const plainKey = kind && !(kind === "load" && name.includes(".") && !rows[name].tasks) ? `${kind}:${name}` : null;
    return h("tr", { "data-key": plainKey, "data-name": name },
      h("th", { scope: "row" }, plainKey ? h("button", { onclick: () => select(plainKey) }, name) : name),
      columns.map(([, value, format]) => {
        const figure = value(rows[name]);
        const there = figure !== null && figure !== undefined;
        return h("td", { "data-value": there ? String(figure) : null, class: typeof figure === "string" ? "text" : null }, there ? format(figure) : "–");
      }));
  }));
  const heads = ["name", ...columns.map(([label]) => label)].map((label, column) => {
    const head = h("th", { scope: "col", "aria-sort": "none", class: label === "what" ? "text" : null }, h("button", { onclick: () => sortBy(body, head, column) }, label));
    return head;
  });
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), body));
}

/** Largest first, then smallest first; names the other way round. */
function sortBy(body, head, column) {
  const before = head.getAttribute("aria-sort");
  const up = column === 0 ? before !== "ascending" : before === "descending";
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = (row) => {
    const cell = row.children[column];
    const raw = cell.getAttribute("data-value");
    if (column > 0 && raw === null) return null;
    return raw !== null && raw.trim() !== "" && Number.isFinite(Number(raw)) ? Number(raw) : cell.textContent;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return up ? order : -order;
  };
  body.append(...[...body.children].sort((a, b) => compare(value(a), value(b))));
}
